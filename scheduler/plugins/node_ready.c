/* NodeReady: a node whose agent does not say that it is ready takes nothing new. */
#include "common/base.h"

#include "scheduler/framework.h"

static const char *filter(const struct snapshot *s, const struct pod_info *pod, const struct node_info *node)
{
    (void)s;
    (void)pod;
    return node->ready ? NULL : "node(s) were not ready";
}

const struct plugin plugin_node_ready = {.name = "NodeReady", .filter = filter};
