/* node-lifecycle: a node whose agent stopped renewing its Lease is Unknown; its conditions become taints, and its pods are
 * not ready any more, so that services let go of them. Silence is measured from when our cache got the last renewal:
 * clocks of nodes do not matter, and a new leader begins to count anew. */
#include "common/base.h"

#include "common/clock.h"
#include "common/kube/taint.h"
#include "controllers/controllers.h"

#define NODE_GRACE_MS 40000         /* Kubernetes' node-monitor-grace-period */
#define NODE_STARTUP_GRACE_MS 60000 /* of a node that never had a Lease */
#define LEASES "kube-node-lease"
#define COMPONENT "node-controller"

static void lease_keys(const struct view *v, struct object *lease, void (*add)(void *arg, struct slice key), void *arg)
{
    (void)v;
    if (slice_is(lease->namespace, LEASES))
        add(arg, lease->name);
}

static const struct controller_watch node_lifecycle_watches[] = {
    {.resource = "nodes"},
    {.resource = "leases.coordination.k8s.io", .keys = lease_keys},
    {0},
};

/* How long until the node counts as silent, in ms; 0: it does. */
static uint64_t time_left(const struct view *v, const struct object *o, const struct json *node, struct plan *plan)
{
    struct object *lease = v->get(v, "leases.coordination.k8s.io",
                                  slice_str(arena_printf(&plan->arena, LEASES "/%.*s", SLICE_ARGS(o->name))));
    int64_t since = 0, grace_us = NODE_GRACE_MS * 1000;
    if (lease != NULL) {
        /* A status that says Ready is news from the agent as well: one that comes back writes it before its Lease. */
        bool ready = slice_is(json_string_at(condition_find(json_get(node, "status"), "Ready"), "status"), "True");
        since = ready ? MAX(lease->seen_us, o->seen_us) : lease->seen_us;
    } else {
        grace_us = NODE_STARTUP_GRACE_MS * 1000;
        if (time_parse(json_string_at(node, "metadata.creationTimestamp"), &since) != 0)
            return 0;
    }
    int64_t left = since + grace_us - v->wall_us;
    return left <= 0 ? 0 : (uint64_t)left / 1000 + 1;
}

static void set_unknown(const struct view *v, struct plan *plan, struct json *status)
{
    static const char *const types[] = {"Ready", "MemoryPressure", "DiskPressure", "PIDPressure"};
    for (size_t i = 0; i < ARRAY_LEN(types); i++) {
        const struct json *before = condition_find(status, types[i]);
        if (slice_is(json_string_at(before, "status"), "Unknown"))
            continue;
        struct json *condition = condition_set(plan->doc, status, types[i], "Unknown",
                                               before == NULL ? "NodeStatusNeverUpdated" : "NodeStatusUnknown",
                                               before == NULL ? "Kubelet never posted node status."
                                                              : "Kubelet stopped posting node status.",
                                               v->wall_us);
        if (json_get(condition, "lastHeartbeatTime") == NULL)
            json_set(plan->doc, condition, "lastHeartbeatTime", json_copy(plan->doc, json_get(condition, "lastTransitionTime")));
    }
}

struct silencing {
    const struct view *view;
    struct plan *plan;
    struct slice node;
};

static void silence_pod(void *arg, struct object *o)
{
    struct silencing *s = arg;
    struct json_doc *d = s->plan->doc;
    struct json *pod = object_tree(o, d);
    if (!slice_equal(json_string_at(pod, "spec.nodeName"), s->node))
        return;
    struct json *status = json_copy(d, json_get(pod, "status"));
    struct json *condition = condition_find(status, "Ready");
    if (!slice_is(json_string_at(condition, "status"), "True"))
        return;
    condition_set(d, status, "Ready", "False", "NodeNotReady", "Node is not ready", s->view->wall_us);
    plan_status(s->plan, "pods", pod, status);
    plan_event(s->plan, pod, COMPONENT, "Warning", "NodeNotReady", "Node is not ready", s->view->wall_us);
}

struct taint_rule {
    const char *condition, *status; /* NULL condition: spec.unschedulable */
    const char *key, *effect;
};

static const struct taint_rule taint_rules[] = {
    {"Ready", "False", TAINT_NOT_READY, "NoSchedule"},
    {"Ready", "False", TAINT_NOT_READY, "NoExecute"},
    {"Ready", "Unknown", TAINT_UNREACHABLE, "NoSchedule"},
    {"Ready", "Unknown", TAINT_UNREACHABLE, "NoExecute"},
    {"MemoryPressure", "True", "node.kubernetes.io/memory-pressure", "NoSchedule"},
    {"DiskPressure", "True", "node.kubernetes.io/disk-pressure", "NoSchedule"},
    {"PIDPressure", "True", "node.kubernetes.io/pid-pressure", "NoSchedule"},
    {"NetworkUnavailable", "True", "node.kubernetes.io/network-unavailable", "NoSchedule"},
    {NULL, NULL, "node.kubernetes.io/unschedulable", "NoSchedule"},
};

static bool rule_holds(const struct taint_rule *rule, const struct json *node)
{
    if (rule->condition == NULL)
        return json_bool_at(node, "spec.unschedulable", false);
    const struct json *condition = condition_find(json_get(node, "status"), rule->condition);
    return slice_is(json_string_at(condition, "status"), rule->status);
}

static bool is_taint_of(const struct json *taint, const struct taint_rule *rule)
{
    return slice_is(json_string_at(taint, "key"), rule->key) && taint_has_effect(taint, rule->effect);
}

static const struct json *find_taint(const struct json *taints, const struct taint_rule *rule)
{
    struct json_iterator i = json_iterate(taints);
    while (json_next(&i))
        if (is_taint_of(i.value, rule))
            return i.value;
    return NULL;
}

static struct json *new_taint(struct json_doc *d, const struct taint_rule *rule, int64_t wall_us)
{
    char now[TIME_TEXT_MAX];
    time_format(wall_us, 0, now);
    struct json *taint = json_new_object(d);
    json_set_str(d, taint, "key", rule->key);
    json_set_str(d, taint, "effect", rule->effect);
    json_set_str(d, taint, "timeAdded", now);
    return taint;
}

/* The node's taints as its conditions ask for them; those of others stay. */
static struct json *wanted_taints(const struct view *v, struct json_doc *d, const struct json *node)
{
    const struct json *before = json_at(node, "spec.taints");
    struct json *taints = json_new_array(d);
    struct json_iterator i = json_iterate(before);
    while (json_next(&i)) {
        bool stays = true;
        for (size_t k = 0; k < ARRAY_LEN(taint_rules); k++)
            stays = stays && (!is_taint_of(i.value, &taint_rules[k]) || rule_holds(&taint_rules[k], node));
        if (stays)
            json_append(taints, json_copy(d, i.value));
    }
    for (size_t k = 0; k < ARRAY_LEN(taint_rules); k++)
        if (rule_holds(&taint_rules[k], node) && find_taint(before, &taint_rules[k]) == NULL)
            json_append(taints, new_taint(d, &taint_rules[k], v->wall_us));
    return taints;
}

static void write_taints(const struct view *v, struct plan *plan, struct object *o, const struct json *node)
{
    struct json *taints = wanted_taints(v, plan->doc, node);
    const struct json *before = json_at(node, "spec.taints");
    if (json_size(taints) == json_size(before) && (json_size(taints) == 0 || json_equal(taints, before)))
        return;
    struct json *body = json_copy(plan->doc, node), *spec = json_ensure_object(plan->doc, body, "spec");
    if (json_size(taints) == 0)
        json_remove(spec, "taints");
    else
        json_set(plan->doc, spec, "taints", taints);
    plan_update(plan, "nodes", (struct slice){0}, o->name, NULL, body);
}

static void node_lifecycle_reconcile(const struct view *v, struct slice key, struct plan *plan)
{
    struct object *o = v->get(v, "nodes", key);
    if (o == NULL)
        return;
    struct json *node = object_tree(o, plan->doc);
    struct json *status = json_copy(plan->doc, json_get(node, "status"));
    if (status == NULL)
        status = json_new_object(plan->doc);
    plan->again_ms = time_left(v, o, node, plan);
    if (plan->again_ms == 0)
        set_unknown(v, plan, status);
    bool ready = slice_is(json_string_at(condition_find(status, "Ready"), "status"), "True");
    if (!json_equal(status, json_get(node, "status"))) { /* the taints follow when the cache shows the conditions */
        plan_status(plan, "nodes", node, status);
        char *message = arena_printf(&plan->arena, "Node %.*s status is now: NodeNotReady", SLICE_ARGS(o->name));
        plan_told(plan, &(struct plan_told){node, COMPONENT, "NodeNotReady", message, false, NULL, NULL});
    } else {
        write_taints(v, plan, o, node);
    }
    if (!ready)
        v->list(v, "pods", silence_pod, &(struct silencing){v, plan, o->name});
}

const struct controller controller_node_lifecycle = {
    .name = "node-lifecycle",
    .watches = node_lifecycle_watches,
    .reconcile = node_lifecycle_reconcile,
};
