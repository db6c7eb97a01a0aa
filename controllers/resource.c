#include "common/base.h"

#include "common/buf.h"
#include "controllers/resource.h"

static const struct resource resources[] = {
    {"apiservices.apiregistration.k8s.io", "/apis/apiregistration.k8s.io/v1", "apiservices",
     "apiregistration.k8s.io/v1", "APIService", false, true},
    {"certificatesigningrequests.certificates.k8s.io", "/apis/certificates.k8s.io/v1", "certificatesigningrequests",
     "certificates.k8s.io/v1", "CertificateSigningRequest", false, true},
    {"clusterrolebindings.rbac.authorization.k8s.io", "/apis/rbac.authorization.k8s.io/v1", "clusterrolebindings",
     "rbac.authorization.k8s.io/v1", "ClusterRoleBinding", false, true},
    {"clusterroles.rbac.authorization.k8s.io", "/apis/rbac.authorization.k8s.io/v1", "clusterroles",
     "rbac.authorization.k8s.io/v1", "ClusterRole", false, true},
    {"configmaps", "/api/v1", "configmaps", "v1", "ConfigMap", true, true},
    {"controllerrevisions.apps", "/apis/apps/v1", "controllerrevisions", "apps/v1", "ControllerRevision", true, true},
    {"cronjobs.batch", "/apis/batch/v1", "cronjobs", "batch/v1", "CronJob", true, true},
    {"csidrivers.storage.k8s.io", "/apis/storage.k8s.io/v1", "csidrivers", "storage.k8s.io/v1", "CSIDriver", false,
     true},
    {"csinodes.storage.k8s.io", "/apis/storage.k8s.io/v1", "csinodes", "storage.k8s.io/v1", "CSINode", false, true},
    {"csistoragecapacities.storage.k8s.io", "/apis/storage.k8s.io/v1", "csistoragecapacities", "storage.k8s.io/v1",
     "CSIStorageCapacity", true, true},
    {"customresourcedefinitions.apiextensions.k8s.io", "/apis/apiextensions.k8s.io/v1", "customresourcedefinitions",
     "apiextensions.k8s.io/v1", "CustomResourceDefinition", false, true},
    {"daemonsets.apps", "/apis/apps/v1", "daemonsets", "apps/v1", "DaemonSet", true, true},
    {"deployments.apps", "/apis/apps/v1", "deployments", "apps/v1", "Deployment", true, true},
    {"endpoints", "/api/v1", "endpoints", "v1", "Endpoints", true, true},
    {"endpointslices.discovery.k8s.io", "/apis/discovery.k8s.io/v1", "endpointslices", "discovery.k8s.io/v1",
     "EndpointSlice", true, true},
    {"events", "/api/v1", "events", "v1", "Event", true, false},
    {"flowschemas.flowcontrol.apiserver.k8s.io", "/apis/flowcontrol.apiserver.k8s.io/v1", "flowschemas",
     "flowcontrol.apiserver.k8s.io/v1", "FlowSchema", false, true},
    {"horizontalpodautoscalers.autoscaling", "/apis/autoscaling/v2", "horizontalpodautoscalers", "autoscaling/v2",
     "HorizontalPodAutoscaler", true, true},
    {"ingressclasses.networking.k8s.io", "/apis/networking.k8s.io/v1", "ingressclasses", "networking.k8s.io/v1",
     "IngressClass", false, true},
    {"ingresses.networking.k8s.io", "/apis/networking.k8s.io/v1", "ingresses", "networking.k8s.io/v1", "Ingress", true,
     true},
    {"jobs.batch", "/apis/batch/v1", "jobs", "batch/v1", "Job", true, true},
    {"leases.coordination.k8s.io", "/apis/coordination.k8s.io/v1", "leases", "coordination.k8s.io/v1", "Lease", true,
     true},
    {"limitranges", "/api/v1", "limitranges", "v1", "LimitRange", true, true},
    {"mutatingwebhookconfigurations.admissionregistration.k8s.io", "/apis/admissionregistration.k8s.io/v1",
     "mutatingwebhookconfigurations", "admissionregistration.k8s.io/v1", "MutatingWebhookConfiguration", false, true},
    {"namespaces", "/api/v1", "namespaces", "v1", "Namespace", false, true},
    {"networkpolicies.networking.k8s.io", "/apis/networking.k8s.io/v1", "networkpolicies", "networking.k8s.io/v1",
     "NetworkPolicy", true, true},
    {"nodes", "/api/v1", "nodes", "v1", "Node", false, true},
    {"persistentvolumeclaims", "/api/v1", "persistentvolumeclaims", "v1", "PersistentVolumeClaim", true, true},
    {"persistentvolumes", "/api/v1", "persistentvolumes", "v1", "PersistentVolume", false, true},
    {"poddisruptionbudgets.policy", "/apis/policy/v1", "poddisruptionbudgets", "policy/v1", "PodDisruptionBudget", true,
     true},
    {"pods", "/api/v1", "pods", "v1", "Pod", true, true},
    {"podtemplates", "/api/v1", "podtemplates", "v1", "PodTemplate", true, true},
    {"priorityclasses.scheduling.k8s.io", "/apis/scheduling.k8s.io/v1", "priorityclasses", "scheduling.k8s.io/v1",
     "PriorityClass", false, true},
    {"prioritylevelconfigurations.flowcontrol.apiserver.k8s.io", "/apis/flowcontrol.apiserver.k8s.io/v1",
     "prioritylevelconfigurations", "flowcontrol.apiserver.k8s.io/v1", "PriorityLevelConfiguration", false, true},
    {"replicasets.apps", "/apis/apps/v1", "replicasets", "apps/v1", "ReplicaSet", true, true},
    {"replicationcontrollers", "/api/v1", "replicationcontrollers", "v1", "ReplicationController", true, true},
    {"resourcequotas", "/api/v1", "resourcequotas", "v1", "ResourceQuota", true, true},
    {"rolebindings.rbac.authorization.k8s.io", "/apis/rbac.authorization.k8s.io/v1", "rolebindings",
     "rbac.authorization.k8s.io/v1", "RoleBinding", true, true},
    {"roles.rbac.authorization.k8s.io", "/apis/rbac.authorization.k8s.io/v1", "roles", "rbac.authorization.k8s.io/v1",
     "Role", true, true},
    {"runtimeclasses.node.k8s.io", "/apis/node.k8s.io/v1", "runtimeclasses", "node.k8s.io/v1", "RuntimeClass", false,
     true},
    {"secrets", "/api/v1", "secrets", "v1", "Secret", true, true},
    {"serviceaccounts", "/api/v1", "serviceaccounts", "v1", "ServiceAccount", true, true},
    {"services", "/api/v1", "services", "v1", "Service", true, true},
    {"statefulsets.apps", "/apis/apps/v1", "statefulsets", "apps/v1", "StatefulSet", true, true},
    {"storageclasses.storage.k8s.io", "/apis/storage.k8s.io/v1", "storageclasses", "storage.k8s.io/v1", "StorageClass",
     false, true},
    {"validatingadmissionpolicies.admissionregistration.k8s.io", "/apis/admissionregistration.k8s.io/v1",
     "validatingadmissionpolicies", "admissionregistration.k8s.io/v1", "ValidatingAdmissionPolicy", false, true},
    {"validatingadmissionpolicybindings.admissionregistration.k8s.io", "/apis/admissionregistration.k8s.io/v1",
     "validatingadmissionpolicybindings", "admissionregistration.k8s.io/v1", "ValidatingAdmissionPolicyBinding", false,
     true},
    {"validatingwebhookconfigurations.admissionregistration.k8s.io", "/apis/admissionregistration.k8s.io/v1",
     "validatingwebhookconfigurations", "admissionregistration.k8s.io/v1", "ValidatingWebhookConfiguration", false,
     true},
    {"volumeattachments.storage.k8s.io", "/apis/storage.k8s.io/v1", "volumeattachments", "storage.k8s.io/v1",
     "VolumeAttachment", false, true},
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
