/* NodeUnschedulable: cordoned nodes take nothing new. */
#include "common/base.h"

#include "common/kube/taint.h"
#include "scheduler/framework.h"

static const char *filter(const struct snapshot *s, const struct pod_info *pod, const struct node_info *node)
{
    (void)s;
    const struct json *tolerations = json_at(pod->tree, "spec.tolerations");
    if (!node->unschedulable || taint_tolerated_by(node->cordon, tolerations) != NULL)
        return NULL;
    return "node(s) were unschedulable";
}

const struct plugin plugin_node_unschedulable = {.name = "NodeUnschedulable", .filter = filter};
