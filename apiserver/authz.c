/* Rules are additive: a request is allowed when one row fits. "*" fits everything. */
#include "common/base.h"

#include "apiserver/authz.h"
#include "apiserver/kind.h"
#include "apiserver/rbac.h"
#include "common/buf.h"

struct rule {
    const char *user, *group;      /* NULL: any; a trailing '*' matches a prefix */
    const char *resources, *verbs; /* comma-separated, "pods/status", "*" */
    const char *paths;             /* non-resource; a trailing '*' matches a prefix */
};

#define READ "get,list,watch"
#define WRITE "create,update,patch,delete,deletecollection,get,list,watch"

static const struct rule rules[] = {
    {.group = "system:masters", .resources = "*", .verbs = "*", .paths = "/*"},
    {.user = "system:kube-controller-manager", .resources = "*", .verbs = READ},
    {.user = "system:kube-controller-manager",
     .resources = "*",
     .verbs = "update,patch,delete,deletecollection"}, /* garbage collection, namespace deletion */
    {.user = "system:kube-controller-manager",
     .verbs = WRITE,
     .resources = "pods,pods/status,replicasets,replicasets/status,deployments,deployments/status,deployments/"
                  "scale,events,leases,"
                  "nodes,nodes/status,namespaces,namespaces/status,namespaces/finalize,configmaps,services,services/"
                  "status,endpoints,"
                  "endpointslices,secrets,serviceaccounts,serviceaccounts/token,replicationcontrollers,"
                  "replicationcontrollers/status,replicationcontrollers/scale,replicasets/scale,podtemplates,"
                  "controllerrevisions,roles,clusterroles,rolebindings,clusterrolebindings,pods/eviction"},
    {.user = "system:kube-controller-manager",
     .verbs = "create",
     .resources = "tokenreviews,subjectaccessreviews,localsubjectaccessreviews"},
    {.user = "system:kube-proxy", .resources = "services,endpointslices,endpoints,nodes,namespaces", .verbs = READ},
    {.user = "system:kube-proxy", .resources = "pods", .verbs = READ},
    {.user = "system:kube-proxy", .resources = "events,leases", .verbs = WRITE},
    {.user = "system:kube-scheduler",
     .resources = "pods,nodes,namespaces,services,replicationcontrollers,replicasets,deployments,configmaps",
     .verbs = READ},
    {.user = "system:kube-scheduler", .resources = "pods/binding,bindings", .verbs = "create"},
    {.user = "system:kube-scheduler", .resources = "pods/status", .verbs = "update,patch"},
    {.user = "system:kube-scheduler", .resources = "pods", .verbs = "delete"},
    {.user = "system:kube-scheduler", .resources = "events,leases", .verbs = WRITE},
    {.user = "system:node:*", .group = "system:nodes", .resources = "nodes,nodes/status,leases,events", .verbs = WRITE},
    {.user = "system:node:*", .group = "system:nodes", .resources = "pods,pods/status", .verbs = WRITE},
    {.user = "system:node:*",
     .group = "system:nodes",
     .resources = "configmaps,secrets,namespaces,services,serviceaccounts",
     .verbs = READ},
    {.user = "system:node:*", .group = "system:nodes", .resources = "serviceaccounts/token", .verbs = "create"},
    {.user = "system:node:*",
     .group = "system:nodes",
     .resources = "tokenreviews,subjectaccessreviews",
     .verbs = "create"},
    {.group = "system:authenticated",
     .verbs = "get",
     .paths = "/api,/api/*,/apis,/apis/*,/openapi/*,/version,/version/*,/"},
    {.verbs = "get", .paths = "/healthz,/healthz/*,/livez,/livez/*,/readyz,/readyz/*,/version,/version/*"},
};

void user_add_group(struct user *u, struct slice group)
{
    if (u->group_count < USER_GROUPS_MAX)
        u->groups[u->group_count++] = group;
}

void user_from_peer(const struct net_peer *peer, struct user *ret)
{
    bool named = peer != NULL && peer->common_name[0] != '\0';
    *ret = (struct user){.name = named ? slice_str(peer->common_name) : SLICE("system:anonymous")};
    for (size_t i = 0; named && i < peer->organization_count; i++)
        user_add_group(ret, slice_str(peer->organizations[i]));
    user_add_group(ret, named ? SLICE("system:authenticated") : SLICE("system:unauthenticated"));
}

bool user_in_group(const struct user *u, struct slice group)
{
    for (size_t i = 0; i < u->group_count; i++) {
        if (slice_equal(u->groups[i], group))
            return true;
    }
    return false;
}

void attributes_of(const struct route *r, struct slice path, struct attributes *ret)
{
    *ret = (struct attributes){r->is_resource, slice_str(r->verb), r->group, r->resource,
                               r->subresource, r->namespace,       r->name,  path};
}

void attributes_resource(const struct attributes *a, struct buf *out)
{
    buf_printf(out, "%.*s%s%.*s", SLICE_ARGS(a->resource), a->subresource.size > 0 ? "/" : "",
               SLICE_ARGS(a->subresource));
}

static bool pattern_fits(struct slice pattern, struct slice value)
{
    if (pattern.size > 0 && pattern.data[pattern.size - 1] == '*')
        return slice_has_prefix(value, slice_of(pattern.data, pattern.size - 1));
    return slice_equal(pattern, value);
}

static bool listed(const char *patterns, struct slice value)
{
    struct slice rest = slice_str(patterns);
    while (patterns != NULL && rest.data != NULL) {
        if (pattern_fits(slice_cut(&rest, ','), value))
            return true;
    }
    return false;
}

static bool rule_fits(const struct rule *rule, const struct user *u, const struct attributes *a, struct slice resource)
{
    if (rule->user != NULL && !pattern_fits(slice_str(rule->user), u->name))
        return false;
    if (rule->group != NULL && !user_in_group(u, slice_str(rule->group)))
        return false;
    if (!listed(rule->verbs, a->verb))
        return false;
    return a->is_resource ? listed(rule->resources, resource) : listed(rule->paths, a->path);
}

bool authz_system(const struct user *u, const struct attributes *a)
{
    struct buf resource = {0};
    bool allowed = false;
    attributes_resource(a, &resource);
    for (size_t i = 0; i < ARRAY_LEN(rules) && !allowed; i++)
        allowed = rule_fits(&rules[i], u, a, buf_slice(&resource));
    buf_release(&resource);
    return allowed;
}

static int refuse(const struct user *u, const struct route *r, struct slice resource, struct slice path,
                  const char *why, struct failure *f)
{
    if (!r->is_resource)
        return failure_set(f, ERR_FORBIDDEN, "forbidden: User \"%.*s\" cannot %s path \"%.*s\"%s", SLICE_ARGS(u->name),
                           r->verb, SLICE_ARGS(path), why);
    struct buf about = {0};
    buf_printf(&about, "%.*s", SLICE_ARGS(r->resource));
    if (r->group.size > 0)
        buf_printf(&about, ".%.*s", SLICE_ARGS(r->group));
    if (r->name.size > 0)
        buf_printf(&about, " \"%.*s\"", SLICE_ARGS(r->name));
    struct buf where = {0};
    if (r->namespace.size > 0)
        buf_printf(&where, " in the namespace \"%.*s\"", SLICE_ARGS(r->namespace));
    else
        buf_append_str(&where, " at the cluster scope");
    failure_about(f, r->kind, r->name);
    int code = failure_set(
        f, ERR_FORBIDDEN, "%s is forbidden: User \"%.*s\" cannot %s resource \"%.*s\" in API group \"%.*s\"%s%s",
        about.data, SLICE_ARGS(u->name), r->verb, SLICE_ARGS(resource), SLICE_ARGS(r->group), where.data, why);
    buf_release(&about);
    buf_release(&where);
    return code;
}

int authorize(struct rbac *rbac, const struct user *u, const struct route *r, struct slice path, struct failure *f)
{
    struct attributes a;
    attributes_of(r, path, &a);
    if (authz_system(u, &a) || rbac_allows(rbac, u, &a, NULL))
        return 0;
    /* A WebSocket can only begin with a GET; whoever may POST to the same place may do the same thing there. Roles written
     * for SPDY clients name `create` alone. */
    struct attributes posted = a;
    posted.verb = SLICE("create");
    if (r->sub != NULL && r->sub->connects == CONNECTS_NODE && slice_is(a.verb, "get") && rbac_allows(rbac, u, &posted, NULL))
        return 0;
    struct buf resource = {0}, why = {0};
    attributes_resource(&a, &resource);
    buf_append(&why, "", 0);
    rbac_dangling(rbac, u, &a, &why);
    int code = refuse(u, r, buf_slice(&resource), path, why.data, f);
    buf_release(&resource);
    buf_release(&why);
    return code;
}
