/* NodeResourcesBalancedAllocation: a node whose cpu and memory fill at the same pace is better. */
#include "common/base.h"

#include "scheduler/framework.h"

static int64_t fraction(int64_t used, int64_t capacity)
{
    return capacity <= 0 ? 100 : MIN((int64_t)((__int128)used * 100 / capacity), (int64_t)100);
}

static int64_t score(const struct snapshot *s, const struct pod_info *pod, const struct node_info *node)
{
    (void)s;
    int64_t cpu = fraction(node->used.cpu_milli + pod->requests.cpu_milli, node->allocatable.cpu_milli);
    int64_t memory = fraction(node->used.memory_bytes + pod->requests.memory_bytes, node->allocatable.memory_bytes);
    /* The standard deviation of two values is half their distance. */
    return 100 - (cpu > memory ? cpu - memory : memory - cpu) / 2;
}

const struct plugin plugin_resources_balance = {.name = "NodeResourcesBalancedAllocation", .score = score, .weight = 1};
