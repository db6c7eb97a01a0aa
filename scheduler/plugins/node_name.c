/* NodeName: a pod that names its node goes there or nowhere. */
#include "common/base.h"

#include "scheduler/framework.h"

static const char *filter(const struct snapshot *s, const struct pod_info *pod, const struct node_info *node)
{
    (void)s;
    struct slice wanted = json_string_at(pod->tree, "spec.nodeName");
    return wanted.size == 0 || slice_is(wanted, node->name) ? NULL : "node(s) didn't match the requested node name";
}

const struct plugin plugin_node_name = {.name = "NodeName", .filter = filter};
