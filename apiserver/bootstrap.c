/* What every cluster has from its first moment: namespaces, the cluster roles people know, their bindings and the
 * Service `kubernetes`. Made through the core itself; what is there already is left alone. */
#include "common/base.h"

#include "apiserver/request.h"
#include "common/mem.h"

#include <stdlib.h>

struct seed {
    const char *path; /* of the collection */
    const char *kind, *name;
    const char *meta; /* further metadata, as members: ",\"labels\":{…}"; or "" */
    const char *rest; /* further members of the object */
};

#define ALL_VERBS "\"create\",\"delete\",\"deletecollection\",\"get\",\"list\",\"patch\",\"update\",\"watch\""
#define CHANGE "\"create\",\"delete\",\"deletecollection\",\"patch\",\"update\""
#define READ "\"get\",\"list\",\"watch\""
#define RULE(groups, resources, verbs)                                                                                 \
    "{\"apiGroups\":[" groups "],\"resources\":[" resources "],\"verbs\":[" verbs "]}"
#define PATHS(paths) "{\"nonResourceURLs\":[" paths "],\"verbs\":[\"get\"]}"
#define RULES(list) ",\"rules\":[" list "]"
#define AGGREGATES(to)                                                                                                 \
    ",\"aggregationRule\":{\"clusterRoleSelectors\":[{\"matchLabels\":{\"rbac.authorization.k8s.io/aggregate-to-" to   \
    "\":\"true\"}}]}"
#define DEFAULTS "\"kubernetes.io/bootstrapping\":\"rbac-defaults\""
#define META(labels)                                                                                                   \
    ",\"labels\":{" labels "},\"annotations\":{\"rbac.authorization.kubernetes.io/autoupdate\":\"true\"}"
#define TO(what) "\"rbac.authorization.k8s.io/aggregate-to-" what "\":\"true\""
#define BIND(role, subjects)                                                                                           \
    ",\"roleRef\":{\"apiGroup\":\"rbac.authorization.k8s.io\",\"kind\":\"ClusterRole\",\"name\":\"" role               \
    "\"},\"subjects\":[" subjects "]"
#define GROUP(name) "{\"apiGroup\":\"rbac.authorization.k8s.io\",\"kind\":\"Group\",\"name\":\"" name "\"}"
#define USER(name) "{\"apiGroup\":\"rbac.authorization.k8s.io\",\"kind\":\"User\",\"name\":\"" name "\"}"

#define CORE_SEEN                                                                                                      \
    "\"configmaps\",\"endpoints\",\"persistentvolumeclaims\",\"persistentvolumeclaims/status\",\"pods\","              \
    "\"replicationcontrollers\",\"replicationcontrollers/scale\",\"serviceaccounts\",\"services\",\"services/status\""
#define CORE_STATUS                                                                                                    \
    "\"bindings\",\"events\",\"limitranges\",\"namespaces/status\",\"pods/log\",\"pods/status\","                      \
    "\"replicationcontrollers/status\",\"resourcequotas\",\"resourcequotas/status\""
#define APPS                                                                                                           \
    "\"daemonsets\",\"deployments\",\"deployments/scale\",\"replicasets\",\"replicasets/scale\",\"statefulsets\","     \
    "\"statefulsets/scale\""
#define VIEW                                                                                                           \
    RULE("\"\"", CORE_SEEN, READ)                                                                                      \
    "," RULE("\"\"", CORE_STATUS, READ) "," RULE("\"\"", "\"namespaces\"", READ) "," RULE(                             \
        "\"discovery.k8s.io\"", "\"endpointslices\"",                                                                  \
        READ) "," RULE("\"apps\"",                                                                                     \
                       "\"controllerrevisions\",\"daemonsets/status\",\"deployments/status\",\"replicasets/status\","  \
                       "\"statefulsets/status\"," APPS,                                                                \
                       READ) "," RULE("\"autoscaling\"",                                                               \
                                      "\"horizontalpodautoscalers\",\"horizontalpodautoscalers/status\"",              \
                                      READ) "," RULE("\"batch\"",                                                      \
                                                     "\"cronjobs\",\"cronjobs/status\",\"jobs\",\"jobs/status\"",      \
                                                     READ) "," RULE("\"policy\"",                                      \
                                                                    "\"poddisruptionbudgets\",\"poddisruptionbudgets/" \
                                                                    "status\"",                                        \
                                                                    READ) "," RULE("\"networking.k8s.io\"",            \
                                                                                   "\"ingresses\",\"ingresses/"        \
                                                                                   "status\",\"networkpolicies\"",     \
                                                                                   READ)
#define EDIT                                                                                                                                                    \
    RULE("\"\"", "\"pods/attach\",\"pods/exec\",\"pods/portforward\",\"pods/proxy\",\"secrets\",\"services/proxy\"",                                            \
         READ)                                                                                                                                                  \
    "," RULE("\"\"", "\"serviceaccounts\"", "\"impersonate\"") "," RULE(                                                                                        \
        "\"\"",                                                                                                                                                 \
        "\"pods\",\"pods/attach\",\"pods/exec\",\"pods/portforward\",\"pods/proxy\",\"configmaps\",\"endpoints\","                                              \
        "\"persistentvolumeclaims\",\"replicationcontrollers\",\"replicationcontrollers/scale\",\"secrets\","                                                   \
        "\"serviceaccounts\",\"services\",\"services/proxy\",\"events\"",                                                                                       \
        CHANGE) "," RULE("\"\"", "\"pods/eviction\",\"serviceaccounts/token\"",                                                                                 \
                         "\"create\"") "," RULE("\"apps\"", "\"deployments/rollback\"," APPS,                                                                   \
                                                CHANGE) "," RULE("\"autoscaling\"", "\"horizontalpodautoscalers\"",                                             \
                                                                 CHANGE) "," RULE("\"batch\"",                                                                  \
                                                                                  "\"cronjobs\",\"jobs\"",                                                      \
                                                                                  CHANGE) "," RULE("\"policy\"",                                                \
                                                                                                   "\"poddisruptionbu"                                          \
                                                                                                   "dgets\"",                                                   \
                                                                                                   CHANGE) "," RULE("\"networking.k8s.io\"",                    \
                                                                                                                    "\"ingresses\",\"networkpolicies\"",        \
                                                                                                                    CHANGE) "," RULE("\"coordination.k8s.io\"", \
                                                                                                                                     "\"leases\"",              \
                                                                                                                                     ALL_VERBS)
#define ADMIN                                                                                                          \
    RULE("\"authorization.k8s.io\"", "\"localsubjectaccessreviews\"", "\"create\"")                                    \
    "," RULE("\"rbac.authorization.k8s.io\"", "\"rolebindings\",\"roles\"", ALL_VERBS)

#define ROLES "/apis/rbac.authorization.k8s.io/v1/clusterroles"
#define BINDINGS "/apis/rbac.authorization.k8s.io/v1/clusterrolebindings"

static const struct seed seeds[] = {
    {"/api/v1/namespaces", "Namespace", "default", "", ""},
    {"/api/v1/namespaces", "Namespace", "kube-system", "", ""},
    {"/api/v1/namespaces", "Namespace", "kube-public", "", ""},
    {"/api/v1/namespaces", "Namespace", "kube-node-lease", "", ""},
    {"/api/v1/namespaces/default/services", "Service", "kubernetes",
     ",\"labels\":{\"component\":\"apiserver\",\"provider\":\"kubernetes\"}",
     ",\"spec\":{\"clusterIP\":\"10.96.0.1\",\"ports\":[{\"name\":\"https\",\"port\":443,\"protocol\":\"TCP\","
     "\"targetPort\":6443}]}"},
    {ROLES, "ClusterRole", "cluster-admin", META(DEFAULTS),
     RULES(RULE("\"*\"", "\"*\"", "\"*\"") ",{\"nonResourceURLs\":[\"*\"],\"verbs\":[\"*\"]}")},
    {ROLES, "ClusterRole", "admin", META(DEFAULTS), AGGREGATES("admin") RULES(ADMIN "," EDIT "," VIEW)},
    {ROLES, "ClusterRole", "edit", META(DEFAULTS "," TO("admin")), AGGREGATES("edit") RULES(EDIT "," VIEW)},
    {ROLES, "ClusterRole", "view", META(DEFAULTS "," TO("edit")), AGGREGATES("view") RULES(VIEW)},
    {ROLES, "ClusterRole", "system:aggregate-to-admin", META(DEFAULTS "," TO("admin")), RULES(ADMIN)},
    {ROLES, "ClusterRole", "system:aggregate-to-edit", META(DEFAULTS "," TO("edit")), RULES(EDIT)},
    {ROLES, "ClusterRole", "system:aggregate-to-view", META(DEFAULTS "," TO("view")), RULES(VIEW)},
    {ROLES, "ClusterRole", "system:discovery", META(DEFAULTS),
     RULES(PATHS("\"/api\",\"/api/*\",\"/apis\",\"/apis/*\",\"/healthz\",\"/livez\",\"/openapi\",\"/openapi/*\","
                 "\"/readyz\",\"/version\",\"/version/\""))},
    {ROLES, "ClusterRole", "system:basic-user", META(DEFAULTS),
     RULES(RULE("\"authorization.k8s.io\"", "\"selfsubjectaccessreviews\",\"selfsubjectrulesreviews\"",
                "\"create\"") "," RULE("\"authentication.k8s.io\"", "\"selfsubjectreviews\"", "\"create\""))},
    {ROLES, "ClusterRole", "system:public-info-viewer", META(DEFAULTS),
     RULES(PATHS("\"/healthz\",\"/livez\",\"/readyz\",\"/version\",\"/version/\""))},
    {ROLES, "ClusterRole", "system:monitoring", META(DEFAULTS),
     RULES(PATHS("\"/healthz\",\"/healthz/*\",\"/livez\",\"/livez/*\",\"/metrics\",\"/metrics/slis\",\"/readyz\","
                 "\"/readyz/*\""))},
    {ROLES, "ClusterRole", "system:auth-delegator", META(DEFAULTS),
     RULES(RULE("\"authentication.k8s.io\"", "\"tokenreviews\"",
                "\"create\"") "," RULE("\"authorization.k8s.io\"", "\"subjectaccessreviews\"", "\"create\""))},
    {ROLES, "ClusterRole", "system:service-account-issuer-discovery", META(DEFAULTS),
     RULES(PATHS("\"/.well-known/openid-configuration\",\"/.well-known/openid-configuration/\",\"/openid/v1/jwks\","
                 "\"/openid/v1/jwks/\""))},
    {ROLES, "ClusterRole", "system:node-proxier", META(DEFAULTS),
     RULES(RULE("\"\"", "\"services\",\"endpoints\"", "\"list\",\"watch\"") "," RULE(
         "\"\"", "\"nodes\"", READ) "," RULE("\"\",\"events.k8s.io\"", "\"events\"",
                                             "\"create\",\"patch\",\"update\"") "," RULE("\"discovery.k8s.io\"",
                                                                                         "\"endpointslices\"",
                                                                                         "\"list\",\"watch\""))},
    {BINDINGS, "ClusterRoleBinding", "cluster-admin", META(DEFAULTS), BIND("cluster-admin", GROUP("system:masters"))},
    {BINDINGS, "ClusterRoleBinding", "system:discovery", META(DEFAULTS),
     BIND("system:discovery", GROUP("system:authenticated"))},
    {BINDINGS, "ClusterRoleBinding", "system:basic-user", META(DEFAULTS),
     BIND("system:basic-user", GROUP("system:authenticated"))},
    {BINDINGS, "ClusterRoleBinding", "system:public-info-viewer", META(DEFAULTS),
     BIND("system:public-info-viewer", GROUP("system:authenticated") "," GROUP("system:unauthenticated"))},
    {BINDINGS, "ClusterRoleBinding", "system:monitoring", META(DEFAULTS),
     BIND("system:monitoring", GROUP("system:monitoring"))},
    {BINDINGS, "ClusterRoleBinding", "system:service-account-issuer-discovery", META(DEFAULTS),
     BIND("system:service-account-issuer-discovery", GROUP("system:serviceaccounts"))},
    {BINDINGS, "ClusterRoleBinding", "system:node-proxier", META(DEFAULTS),
     BIND("system:node-proxier", USER("system:kube-proxy"))},
};

struct bootstrap {
    struct self_call call;
    struct apiserver *api;
    size_t next;
    struct timer retry;
};

void bootstrap_stop(struct apiserver *a)
{
    if (a->bootstrap != NULL)
        loop_timer_stop(&a->env->loop, &a->bootstrap->retry);
}

void bootstrap_free(struct bootstrap *b)
{
    if (b == NULL)
        return;
    bootstrap_stop(b->api);
    b->api->bootstrap = NULL;
    self_release(&b->call);
    mem_free(b);
}

static void bootstrap_answered(struct self_call *c, int status, struct slice body)
{
    struct bootstrap *b = container_of(c, struct bootstrap, call);
    bool there = status == 201 || status == 409;
    if (there)
        b->next++;
    else
        log_warn(b->api->env->log, "cannot make an object of every cluster yet",
                 "kind=%s name=%s status=%d why=\"%.*s\"", seeds[b->next].kind, seeds[b->next].name, status,
                 (int)MIN(body.size, (size_t)200), body.data);
    loop_timer_start(&b->api->env->loop, &b->retry, there ? 0 : CACHE_RETRY_MS);
}

static bool is_there(const struct apiserver *a, const struct seed *s)
{
    struct route route;
    struct buf key = {0};
    route_parse(&(struct http_request){.method = SLICE("GET"), .path = slice_str(s->path), .query = SLICE("")}, &route);
    ASSERT(route.kind != NULL); /* the table's own paths */
    if (route.kind->namespaced)
        buf_printf(&key, "%.*s/", SLICE_ARGS(route.namespace));
    buf_append_str(&key, s->name);
    const struct watch_cache *c = a->caches[kinds_index(route.kind)];
    bool there = watch_cache_synced(c) && watch_cache_get(c, buf_slice(&key)) != NULL;
    buf_release(&key);
    return there;
}

static void set_target_port(const struct apiserver *a, struct buf *body)
{
    const char *colon = a->advertise == NULL ? NULL : strrchr(a->advertise, ':');
    const char *fallback = strstr(body->data, "\"targetPort\":6443");
    if (colon == NULL || fallback == NULL)
        return;
    struct buf out = {0};
    buf_append(&out, body->data, (size_t)(fallback - body->data));
    buf_printf(&out, "\"targetPort\":%ld%s", strtol(colon + 1, NULL, 10), fallback + strlen("\"targetPort\":6443"));
    buf_release(body);
    *body = out;
}

static void bootstrap_step(struct timer *t)
{
    struct bootstrap *b = container_of(t, struct bootstrap, retry);
    struct apiserver *a = b->api;
    while (b->next < ARRAY_LEN(seeds) && is_there(a, &seeds[b->next]))
        b->next++;
    if (b->next == ARRAY_LEN(seeds)) {
        if (!watch_cache_synced(a->caches[kinds_index(&kind_service)])) {
            loop_timer_start(&a->env->loop, t, CACHE_RETRY_MS);
            return;
        }
        a->bootstrapped = true;
        claims_mend(a);
        log_info(a->env->log, "what every cluster has is there", "objects=%zu", ARRAY_LEN(seeds));
        bootstrap_free(b);
        return;
    }
    const struct seed *s = &seeds[b->next];
    buf_reset(&b->call.path);
    buf_append_str(&b->call.path, s->path);
    buf_reset(&b->call.body);
    buf_printf(&b->call.body, "{\"kind\":\"%s\",\"metadata\":{\"name\":\"%s\"%s}%s}", s->kind, s->name, s->meta,
               s->rest);
    set_target_port(a, &b->call.body);
    self_send(&b->call, "POST");
}

void bootstrap_start(struct apiserver *a)
{
    struct bootstrap *b = NEW(struct bootstrap);
    b->api = a;
    self_init(&b->call, a, bootstrap_answered);
    timer_init(&b->retry, bootstrap_step);
    a->bootstrap = b;
    loop_timer_start(&a->env->loop, &b->retry, 0);
}
