/* The groups that this server serves itself, as APIServices; ranks are Kubernetes' own. */
#include "common/base.h"

#include "apiserver/bootstrap_parts.h"

static const struct {
    const char *name; /* "v1.apps": of the core group "v1." */
    unsigned group, version;
} groups[] = {
    {"v1.", 18000, 1},
    {"v1.apps", 17800, 15},
    {"v1.events.k8s.io", 17750, 15},
    {"v1.authentication.k8s.io", 17700, 15},
    {"v1.authorization.k8s.io", 17600, 15},
    {"v2.autoscaling", 17500, 30},
    {"v1.autoscaling", 17500, 15},
    {"v1.batch", 17400, 15},
    {"v1beta1.batch", 17400, 9},
    {"v1.certificates.k8s.io", 17300, 15},
    {"v1.networking.k8s.io", 17200, 15},
    {"v1.policy", 17100, 15},
    {"v1.rbac.authorization.k8s.io", 17000, 15},
    {"v1.storage.k8s.io", 16800, 15},
    {"v1.apiextensions.k8s.io", 16700, 15},
    {"v1.admissionregistration.k8s.io", 16700, 15},
    {"v1.scheduling.k8s.io", 16600, 15},
    {"v1.coordination.k8s.io", 16500, 15},
    {"v1.node.k8s.io", 16300, 15},
    {"v1.discovery.k8s.io", 16200, 15},
    {"v1.flowcontrol.apiserver.k8s.io", 16100, 21},
};

const char *bootstrap_group_name(size_t at) { return at < ARRAY_LEN(groups) ? groups[at].name : NULL; }

void bootstrap_group_print(size_t at, struct buf *out)
{
    struct slice group = slice_str(groups[at].name), version = slice_cut(&group, '.');
    buf_printf(out,
               "{\"kind\":\"APIService\",\"metadata\":{\"name\":\"%s\",\"labels\":{\"kube-aggregator.kubernetes.io/"
               "automanaged\":"
               "\"onstart\"}},\"spec\":{\"group\":\"%.*s\",\"version\":\"%.*s\",\"groupPriorityMinimum\":%u,"
               "\"versionPriority\":%u}}",
               groups[at].name, SLICE_ARGS(group), SLICE_ARGS(version), groups[at].group, groups[at].version);
}
