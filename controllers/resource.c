#include "common/base.h"

#include "common/buf.h"
#include "controllers/resource.h"

static const struct resource resources[] = {
    {"clusterrolebindings.rbac.authorization.k8s.io", "/apis/rbac.authorization.k8s.io/v1", "clusterrolebindings",
     "rbac.authorization.k8s.io/v1", "ClusterRoleBinding", false, true},
    {"clusterroles.rbac.authorization.k8s.io", "/apis/rbac.authorization.k8s.io/v1", "clusterroles",
     "rbac.authorization.k8s.io/v1", "ClusterRole", false, true},
    {"configmaps", "/api/v1", "configmaps", "v1", "ConfigMap", true, true},
    {"controllerrevisions.apps", "/apis/apps/v1", "controllerrevisions", "apps/v1", "ControllerRevision", true, true},
    {"deployments.apps", "/apis/apps/v1", "deployments", "apps/v1", "Deployment", true, true},
    {"endpoints", "/api/v1", "endpoints", "v1", "Endpoints", true, true},
    {"endpointslices.discovery.k8s.io", "/apis/discovery.k8s.io/v1", "endpointslices", "discovery.k8s.io/v1", "EndpointSlice",
     true, true},
    {"events", "/api/v1", "events", "v1", "Event", true, false},
    {"leases.coordination.k8s.io", "/apis/coordination.k8s.io/v1", "leases", "coordination.k8s.io/v1", "Lease", true, true},
    {"namespaces", "/api/v1", "namespaces", "v1", "Namespace", false, true},
    {"nodes", "/api/v1", "nodes", "v1", "Node", false, true},
    {"poddisruptionbudgets.policy", "/apis/policy/v1", "poddisruptionbudgets", "policy/v1", "PodDisruptionBudget", true, true},
    {"pods", "/api/v1", "pods", "v1", "Pod", true, true},
    {"podtemplates", "/api/v1", "podtemplates", "v1", "PodTemplate", true, true},
    {"replicasets.apps", "/apis/apps/v1", "replicasets", "apps/v1", "ReplicaSet", true, true},
    {"replicationcontrollers", "/api/v1", "replicationcontrollers", "v1", "ReplicationController", true, true},
    {"rolebindings.rbac.authorization.k8s.io", "/apis/rbac.authorization.k8s.io/v1", "rolebindings",
     "rbac.authorization.k8s.io/v1", "RoleBinding", true, true},
    {"roles.rbac.authorization.k8s.io", "/apis/rbac.authorization.k8s.io/v1", "roles", "rbac.authorization.k8s.io/v1", "Role",
     true, true},
    {"secrets", "/api/v1", "secrets", "v1", "Secret", true, true},
    {"serviceaccounts", "/api/v1", "serviceaccounts", "v1", "ServiceAccount", true, true},
    {"services", "/api/v1", "services", "v1", "Service", true, true},
    {"statefulsets.apps", "/apis/apps/v1", "statefulsets", "apps/v1", "StatefulSet", true, true},
};

size_t resource_count(void) { return ARRAY_LEN(resources); }
const struct resource *resource_at(size_t index) { return &resources[index]; }

const struct resource *resource_find(const char *name)
{
    for (size_t i = 0; i < ARRAY_LEN(resources); i++)
        if (strcmp(resources[i].name, name) == 0)
            return &resources[i];
    return NULL;
}

const struct resource *resource_of_kind(struct slice api_version, struct slice kind)
{
    for (size_t i = 0; i < ARRAY_LEN(resources); i++)
        if (slice_is(api_version, resources[i].api_version) && slice_is(kind, resources[i].kind))
            return &resources[i];
    return NULL;
}

char *resource_path(struct arena *arena, const struct resource *r, struct slice namespace, struct slice name,
                    const char *subresource)
{
    struct buf path = {0};
    buf_append_str(&path, r->api);
    if (namespace.size > 0)
        buf_printf(&path, "/namespaces/%.*s", SLICE_ARGS(namespace));
    buf_printf(&path, "/%s", r->plural);
    if (name.size > 0)
        buf_printf(&path, "/%.*s", SLICE_ARGS(name));
    if (subresource != NULL)
        buf_printf(&path, "/%s", subresource);
    char *text = arena_strdup(arena, buf_slice(&path));
    buf_release(&path);
    return text;
}
