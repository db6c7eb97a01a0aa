/* taint-eviction: a pod on a node with a NoExecute taint goes: at once when it does not tolerate the taint, or when its
 * tolerationSeconds are over. */
#include "common/base.h"

#include "common/clock.h"
#include "common/kube/taint.h"
#include "controllers/controllers.h"

/* What admission gives a pod that says nothing of its node going away; pods from before it count the same. */
#define DEFAULT_TOLERATION_S 300

struct on_node {
    struct slice node;
    void (*add)(void *arg, struct slice key);
    void *arg;
};

static void add_if_on_node(void *arg, struct object *pod)
{
    struct on_node *n = arg;
    if (pod->deleting)
        return;
    struct json_doc *d = json_doc_new();
    if (slice_equal(json_string_at(object_tree(pod, d), "spec.nodeName"), n->node))
        n->add(n->arg, slice_str(pod->key));
    json_doc_free(d);
}

static bool has_no_execute(const struct json *node)
{
    struct json_iterator i = json_iterate(json_at(node, "spec.taints"));
    while (json_next(&i))
        if (taint_has_effect(i.value, "NoExecute"))
            return true;
    return false;
}

static void node_keys(const struct view *v, struct object *node, void (*add)(void *arg, struct slice key), void *arg)
{
    struct json_doc *d = json_doc_new();
    if (has_no_execute(object_tree(node, d)))
        v->list(v, "pods", add_if_on_node, &(struct on_node){node->name, add, arg});
    json_doc_free(d);
}

static const struct controller_watch taint_eviction_watches[] = {
    {.resource = "pods"},
    {.resource = "nodes", .keys = node_keys},
    {0},
};

/* When the pod has to go because of one taint: INT64_MAX never, else a wall time in µs. */
static int64_t deadline(const struct json *pod, const struct json *taint)
{
    const struct json *toleration = taint_tolerated_by(taint, json_at(pod, "spec.tolerations"));
    struct slice key = json_string_at(taint, "key");
    bool of_node = slice_is(key, TAINT_NOT_READY) || slice_is(key, TAINT_UNREACHABLE);
    int64_t seconds = 0, since = 0;
    if (toleration != NULL && json_get(toleration, "tolerationSeconds") == NULL)
        return INT64_MAX;
    if (toleration != NULL)
        seconds = MAX(json_int_at(toleration, "tolerationSeconds", 0), (int64_t)0);
    else if (of_node)
        seconds = DEFAULT_TOLERATION_S;
    if (time_parse(json_string_at(taint, "timeAdded"), &since) != 0)
        return 0;
    return since + MIN(seconds, (int64_t)INT32_MAX) * 1000000;
}

static void evict(const struct view *v, struct plan *plan, struct object *o, const struct json *pod)
{
    char *message = arena_printf(&plan->arena, "Marking for deletion Pod %s", o->key);
    plan_delete(plan, "pods", o->namespace, o->name, o->uid);
    plan_event(plan, pod, "taint-eviction-controller", "Normal", "TaintManagerEviction", message, v->wall_us);
}

static void taint_eviction_reconcile(const struct view *v, struct slice key, struct plan *plan)
{
    struct object *o = v->get(v, "pods", key);
    if (o == NULL || o->deleting)
        return;
    const struct json *pod = object_tree(o, plan->doc);
    struct object *node = v->get(v, "nodes", json_string_at(pod, "spec.nodeName"));
    if (node == NULL)
        return;
    int64_t when = INT64_MAX;
    struct json_iterator i = json_iterate(json_at(object_tree(node, plan->doc), "spec.taints"));
    while (json_next(&i))
        if (taint_has_effect(i.value, "NoExecute"))
            when = MIN(when, deadline(pod, i.value));
    if (when <= v->wall_us)
        evict(v, plan, o, pod);
    else if (when < INT64_MAX)
        plan->again_ms = (uint64_t)(when - v->wall_us) / 1000 + 1;
}

const struct controller controller_taint_eviction = {
    .name = "taint-eviction",
    .watches = taint_eviction_watches,
    .reconcile = taint_eviction_reconcile,
};
