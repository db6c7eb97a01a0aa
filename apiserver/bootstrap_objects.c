/* Roles and bindings that people know, as Kubernetes' own documentation lists them; namespaces; the Service `kubernetes`; the
 * system's priority classes. Flow control and groups stand in files of their own (bootstrap_parts.h). */
#include "common/base.h"

#include "apiserver/bootstrap_objects.h"
#include "apiserver/bootstrap_parts.h"

#include "common/json.h"

#define NAMESPACES "/api/v1/namespaces"
#define SERVICES "/api/v1/namespaces/default/services"
#define ROLES "/apis/rbac.authorization.k8s.io/v1/clusterroles"
#define BINDINGS "/apis/rbac.authorization.k8s.io/v1/clusterrolebindings"
#define CLASSES "/apis/scheduling.k8s.io/v1/priorityclasses"
#define LEVELS "/apis/flowcontrol.apiserver.k8s.io/v1/prioritylevelconfigurations"
#define SCHEMAS "/apis/flowcontrol.apiserver.k8s.io/v1/flowschemas"
#define GROUPS "/apis/apiregistration.k8s.io/v1/apiservices"
#define LISTS_MAX 3

/* --- rules; words between blanks --- */

struct rule {
    const char *groups; /* "core" is the group without a name */
    const char *resources, *verbs;
    const char *paths;  /* instead of both */
};

#define ALL "create delete deletecollection get list patch update watch"
#define CHANGE "create delete deletecollection patch update"
#define READ "get list watch"

static const struct rule view[] = {
    {"core", "configmaps endpoints persistentvolumeclaims persistentvolumeclaims/status pods replicationcontrollers "
             "replicationcontrollers/scale serviceaccounts services services/status", READ, NULL},
    {"core", "bindings events limitranges namespaces/status pods/log pods/status replicationcontrollers/status resourcequotas "
             "resourcequotas/status", READ, NULL},
    {"core", "namespaces", READ, NULL},
    {"discovery.k8s.io", "endpointslices", READ, NULL},
    {"apps", "controllerrevisions daemonsets/status deployments/status replicasets/status statefulsets/status daemonsets deployments "
             "deployments/scale replicasets replicasets/scale statefulsets statefulsets/scale", READ, NULL},
    {"autoscaling", "horizontalpodautoscalers horizontalpodautoscalers/status", READ, NULL},
    {"batch", "cronjobs cronjobs/status jobs jobs/status", READ, NULL},
    {"policy", "poddisruptionbudgets poddisruptionbudgets/status", READ, NULL},
    {"networking.k8s.io", "ingresses ingresses/status networkpolicies", READ, NULL},
    {0},
};

static const struct rule edit[] = {
    {"core", "pods/attach pods/exec pods/portforward pods/proxy secrets services/proxy", READ, NULL},
    {"core", "serviceaccounts", "impersonate", NULL},
    {"core", "pods pods/attach pods/exec pods/portforward pods/proxy configmaps endpoints persistentvolumeclaims replicationcontrollers "
             "replicationcontrollers/scale secrets serviceaccounts services services/proxy events", CHANGE, NULL},
    {"core", "pods/eviction serviceaccounts/token", "create", NULL},
    {"apps", "deployments/rollback daemonsets deployments deployments/scale replicasets replicasets/scale statefulsets "
             "statefulsets/scale", CHANGE, NULL},
    {"autoscaling", "horizontalpodautoscalers", CHANGE, NULL},
    {"batch", "cronjobs jobs", CHANGE, NULL},
    {"policy", "poddisruptionbudgets", CHANGE, NULL},
    {"networking.k8s.io", "ingresses networkpolicies", CHANGE, NULL},
    {"coordination.k8s.io", "leases", ALL, NULL},
    {0},
};

static const struct rule admin[] = {
    {"authorization.k8s.io", "localsubjectaccessreviews", "create", NULL},
    {"rbac.authorization.k8s.io", "rolebindings roles", ALL, NULL},
    {0},
};

static const struct rule everything[] = {{"*", "*", "*", NULL}, {.verbs = "*", .paths = "*"}, {0}};

static const struct rule discovery[] = {
    {.verbs = "get", .paths = "/api /api/* /apis /apis/* /healthz /livez /openapi /openapi/* /readyz /version /version/"}, {0}};

static const struct rule basic_user[] = {
    {"authorization.k8s.io", "selfsubjectaccessreviews selfsubjectrulesreviews", "create", NULL},
    {"authentication.k8s.io", "selfsubjectreviews", "create", NULL},
    {0},
};

static const struct rule public_info[] = {{.verbs = "get", .paths = "/healthz /livez /readyz /version /version/"}, {0}};

static const struct rule monitoring[] = {
    {.verbs = "get", .paths = "/healthz /healthz/* /livez /livez/* /metrics /metrics/slis /readyz /readyz/*"}, {0}};

static const struct rule auth_delegator[] = {
    {"authentication.k8s.io", "tokenreviews", "create", NULL}, {"authorization.k8s.io", "subjectaccessreviews", "create", NULL}, {0}};

static const struct rule issuer_discovery[] = {
    {.verbs = "get",
     .paths = "/.well-known/openid-configuration /.well-known/openid-configuration/ /openid/v1/jwks /openid/v1/jwks/"}, {0}};

static const struct rule node_proxier[] = {
    {"core", "services endpoints", "list watch", NULL},
    {"core", "nodes", READ, NULL},
    {"core events.k8s.io", "events", "create patch update", NULL},
    {"discovery.k8s.io", "endpointslices", "list watch", NULL},
    {0},
};

/* --- roles, bindings --- */

struct role {
    const char *name;
    const char *part_of;    /* the role that takes its rules in; NULL */
    const char *aggregates; /* the roles that are part of this one are its rules; NULL */
    const struct rule *rules[LISTS_MAX];
};

static const struct role roles[] = {
    {"cluster-admin", NULL, NULL, {everything}},
    {"admin", NULL, "admin", {admin, edit, view}},
    {"edit", "admin", "edit", {edit, view}},
    {"view", "edit", "view", {view}},
    {"system:aggregate-to-admin", "admin", NULL, {admin}},
    {"system:aggregate-to-edit", "edit", NULL, {edit}},
    {"system:aggregate-to-view", "view", NULL, {view}},
    {"system:discovery", NULL, NULL, {discovery}},
    {"system:basic-user", NULL, NULL, {basic_user}},
    {"system:public-info-viewer", NULL, NULL, {public_info}},
    {"system:monitoring", NULL, NULL, {monitoring}},
    {"system:auth-delegator", NULL, NULL, {auth_delegator}},
    {"system:service-account-issuer-discovery", NULL, NULL, {issuer_discovery}},
    {"system:node-proxier", NULL, NULL, {node_proxier}},
};

struct binding {
    const char *role;   /* its name is the binding's too */
    const char *groups; /* words; NULL */
    const char *user;   /* NULL */
};

static const struct binding bindings[] = {
    {"cluster-admin", "system:masters", NULL},
    {"system:discovery", "system:authenticated", NULL},
    {"system:basic-user", "system:authenticated", NULL},
    {"system:public-info-viewer", "system:authenticated system:unauthenticated", NULL},
    {"system:monitoring", "system:monitoring", NULL},
    {"system:service-account-issuer-discovery", "system:serviceaccounts", NULL},
    {"system:node-proxier", NULL, "system:kube-proxy"},
};

static const char *const namespaces[] = {"default", "kube-system", "kube-public", "kube-node-lease"};

static const struct {
    const char *name, *description;
    unsigned value;
} classes[] = {
    {"system-cluster-critical", "For pods that the cluster needs, and that may move to another node.", 2000000000},
    {"system-node-critical", "For pods that their node needs, and that may not move.", 2000001000},
};

/* --- printing --- */

static void put_words(struct buf *out, const char *member, const char *words)
{
    struct slice rest = slice_str(words);
    buf_printf(out, "\"%s\":[", member);
    for (bool first = true; rest.size > 0; first = false) {
        struct slice word = slice_cut(&rest, ' ');
        buf_append_str(out, first ? "" : ",");
        json_print_string(slice_is(word, "core") ? SLICE("") : word, out);
    }
    buf_append_char(out, ']');
}

static void put_rules(struct buf *out, const struct rule *const lists[LISTS_MAX])
{
    bool first = true;
    buf_append_str(out, ",\"rules\":[");
    for (size_t i = 0; i < LISTS_MAX && lists[i] != NULL; i++)
        for (const struct rule *r = lists[i]; r->verbs != NULL; r++, first = false) {
            buf_append_str(out, first ? "{" : ",{");
            if (r->paths != NULL) {
                put_words(out, "nonResourceURLs", r->paths);
            } else {
                put_words(out, "apiGroups", r->groups);
                buf_append_char(out, ',');
                put_words(out, "resources", r->resources);
            }
            buf_append_char(out, ',');
            put_words(out, "verbs", r->verbs);
            buf_append_char(out, '}');
        }
    buf_append_char(out, ']');
}

static void put_head(struct buf *out, const char *kind, const char *name, const char *part_of)
{
    buf_printf(out, "{\"kind\":\"%s\",\"metadata\":{\"name\":\"%s\",\"labels\":{\"kubernetes.io/bootstrapping\":\"rbac-defaults\"", kind, name);
    if (part_of != NULL)
        buf_printf(out, ",\"rbac.authorization.k8s.io/aggregate-to-%s\":\"true\"", part_of);
    buf_append_str(out, "},\"annotations\":{\"rbac.authorization.kubernetes.io/autoupdate\":\"true\"}}");
}

static void put_role(struct buf *out, const struct role *r)
{
    put_head(out, "ClusterRole", r->name, r->part_of);
    if (r->aggregates != NULL)
        buf_printf(out, ",\"aggregationRule\":{\"clusterRoleSelectors\":[{\"matchLabels\":"
                        "{\"rbac.authorization.k8s.io/aggregate-to-%s\":\"true\"}}]}", r->aggregates);
    put_rules(out, r->rules);
    buf_append_char(out, '}');
}

static void put_subject(struct buf *out, const char *kind, struct slice name)
{
    buf_printf(out, "{\"apiGroup\":\"rbac.authorization.k8s.io\",\"kind\":\"%s\",\"name\":\"%.*s\"}", kind, SLICE_ARGS(name));
}

static void put_binding(struct buf *out, const struct binding *b)
{
    struct slice rest = slice_str(b->groups != NULL ? b->groups : "");
    put_head(out, "ClusterRoleBinding", b->role, NULL);
    buf_printf(out, ",\"roleRef\":{\"apiGroup\":\"rbac.authorization.k8s.io\",\"kind\":\"ClusterRole\",\"name\":\"%s\"},\"subjects\":[", b->role);
    for (bool first = true; rest.size > 0; first = false) {
        buf_append_str(out, first ? "" : ",");
        put_subject(out, "Group", slice_cut(&rest, ' '));
    }
    if (b->user != NULL)
        put_subject(out, "User", slice_str(b->user));
    buf_append_str(out, "]}");
}

void bootstrap_service_print(unsigned port, struct buf *out)
{
    buf_printf(out, "{\"kind\":\"Service\",\"metadata\":{\"name\":\"kubernetes\",\"labels\":{\"component\":\"apiserver\",\"provider\":\"kubernetes\"}},"
                    "\"spec\":{\"clusterIP\":\"10.96.0.1\",\"ports\":[{\"name\":\"https\",\"port\":443,\"protocol\":\"TCP\",\"targetPort\":%u}]}}", port);
}

static void put_namespace(size_t at, unsigned port, struct buf *out)
{
    (void)port;
    buf_printf(out, "{\"kind\":\"Namespace\",\"metadata\":{\"name\":\"%s\"}}", namespaces[at]);
}

static void put_the_service(size_t at, unsigned port, struct buf *out)
{
    (void)at;
    bootstrap_service_print(port, out);
}

static void put_role_at(size_t at, unsigned port, struct buf *out)
{
    (void)port;
    put_role(out, &roles[at]);
}

static void put_binding_at(size_t at, unsigned port, struct buf *out)
{
    (void)port;
    put_binding(out, &bindings[at]);
}

static void put_class(size_t at, unsigned port, struct buf *out)
{
    (void)port;
    buf_printf(out, "{\"kind\":\"PriorityClass\",\"metadata\":{\"name\":\"%s\"},\"value\":%u,\"description\":\"%s\"}", classes[at].name,
               classes[at].value, classes[at].description);
}

static void put_level(size_t at, unsigned port, struct buf *out)
{
    (void)port;
    bootstrap_level_print(at, out);
}

static void put_schema(size_t at, unsigned port, struct buf *out)
{
    (void)port;
    bootstrap_schema_print(at, out);
}

static void put_group(size_t at, unsigned port, struct buf *out)
{
    (void)port;
    bootstrap_group_print(at, out);
}

static const char *namespace_name(size_t at) { return at < ARRAY_LEN(namespaces) ? namespaces[at] : NULL; }
static const char *service_name(size_t at) { return at == 0 ? "kubernetes" : NULL; }
static const char *role_name(size_t at) { return at < ARRAY_LEN(roles) ? roles[at].name : NULL; }
static const char *binding_name(size_t at) { return at < ARRAY_LEN(bindings) ? bindings[at].role : NULL; }
static const char *class_name(size_t at) { return at < ARRAY_LEN(classes) ? classes[at].name : NULL; }

/* --- the order --- */

static const struct part {
    const char *path, *kind;
    const char *(*name)(size_t at); /* NULL: there are no more */
    void (*print)(size_t at, unsigned port, struct buf *out);
} parts[] = {
    {NAMESPACES, "Namespace", namespace_name, put_namespace},
    {SERVICES, "Service", service_name, put_the_service},
    {ROLES, "ClusterRole", role_name, put_role_at},
    {BINDINGS, "ClusterRoleBinding", binding_name, put_binding_at},
    {CLASSES, "PriorityClass", class_name, put_class},
    {LEVELS, "PriorityLevelConfiguration", bootstrap_level_name, put_level},
    {SCHEMAS, "FlowSchema", bootstrap_schema_name, put_schema},
    {GROUPS, "APIService", bootstrap_group_name, put_group},
};

/* The part that object `*at` stands in, and its place there; NULL: there is none. */
static const struct part *find(size_t *at)
{
    for (size_t i = 0; i < ARRAY_LEN(parts); i++)
        for (size_t n = 0; parts[i].name(n) != NULL; n++)
            if ((*at)-- == 0) {
                *at = n;
                return &parts[i];
            }
    return NULL;
}

bool bootstrap_object_at(size_t at, struct bootstrap_object *ret)
{
    const struct part *part = find(&at);
    if (part != NULL)
        *ret = (struct bootstrap_object){.path = part->path, .kind = part->kind, .name = part->name(at)};
    return part != NULL;
}

void bootstrap_object_print(size_t at, unsigned port, struct buf *out)
{
    const struct part *part = find(&at);
    ASSERT(part != NULL);
    part->print(at, port, out);
}
