/* TaintToleration: taints that the pod does not tolerate keep it away, or make the node less welcome. */
#include "common/base.h"

#include "common/kube/taint.h"
#include "scheduler/framework.h"

static const char *filter(const struct snapshot *s, const struct pod_info *pod, const struct node_info *node)
{
    (void)s;
    struct json_iterator i = json_iterate(json_at(node->tree, "spec.taints"));
    while (json_next(&i)) {
        bool hard = taint_has_effect(i.value, "NoSchedule") || taint_has_effect(i.value, "NoExecute");
        if (hard && taint_tolerated_by(i.value, json_at(pod->tree, "spec.tolerations")) == NULL)
            return json_string(json_element(node->taint_reasons, i.position - 1)).data;
    }
    return NULL;
}

static int64_t score(const struct snapshot *s, const struct pod_info *pod, const struct node_info *node)
{
    (void)s;
    int64_t unwelcome = 0;
    struct json_iterator i = json_iterate(json_at(node->tree, "spec.taints"));
    while (json_next(&i))
        unwelcome += taint_has_effect(i.value, "PreferNoSchedule") &&
                     taint_tolerated_by(i.value, json_at(pod->tree, "spec.tolerations")) == NULL;
    return 100 / (1 + unwelcome);
}

const struct plugin plugin_taint_toleration = {.name = "TaintToleration", .filter = filter, .score = score, .weight = 3};
