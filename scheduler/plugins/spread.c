/* PodTopologySpread by default constraints: pods of one owner spread over nodes. */
#include "common/base.h"

#include "scheduler/framework.h"

static int64_t score(const struct snapshot *s, const struct pod_info *pod, const struct node_info *node)
{
    (void)s;
    int64_t siblings = 0;
    if (pod->owner_uid == NULL)
        return 100;
    LIST_FOR_EACH(at, &node->pods) {
        const struct placed_pod *p = container_of(at, struct placed_pod, link);
        siblings += p->owner_uid != NULL && strcmp(p->owner_uid, pod->owner_uid) == 0;
    }
    return 100 / (1 + siblings);
}

const struct plugin plugin_spread = {.name = "PodTopologySpread", .score = score, .weight = 2};
