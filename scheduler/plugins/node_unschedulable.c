/* NodeUnschedulable: cordoned nodes take nothing new. */
#include "common/base.h"

#include "scheduler/framework.h"

static const char *filter(const struct snapshot *s, const struct pod_info *pod, const struct node_info *node)
{
    (void)s;
    (void)pod;
    return node->unschedulable ? "node(s) were unschedulable" : NULL;
}

const struct plugin plugin_node_unschedulable = {.name = "NodeUnschedulable", .filter = filter};
