/* pod-gc: pods on a node that is gone. No agent will ever confirm their end, so they are removed without grace, once the
 * server itself says that there is no such node. */
#include "common/base.h"

#include "controllers/controllers.h"
#include "controllers/resource.h"

struct adding {
    void (*add)(void *arg, struct slice key);
    void *arg;
};

static void add_pod(void *arg, struct object *pod)
{
    struct adding *a = arg;
    a->add(a->arg, slice_str(pod->key));
}

static void node_keys(const struct view *v, struct object *node, void (*add)(void *arg, struct slice key), void *arg)
{
    if (v->get(v, "nodes", slice_str(node->key)) == NULL)
        v->list(v, "pods", add_pod, &(struct adding){add, arg});
}

static const struct controller_watch pod_gc_watches[] = {
    {.resource = "nodes", .keys = node_keys},
    {.resource = "pods"},
    {0},
};

static void pod_gc_reconcile(const struct view *v, struct slice key, struct plan *plan)
{
    struct object *o = v->get(v, "pods", key);
    if (o == NULL)
        return;
    struct slice node = json_string_at(object_tree(o, plan->doc), "spec.nodeName");
    if (node.size == 0 || v->get(v, "nodes", node) != NULL)
        return;
    struct plan_owner *owner = arena_alloc(&plan->arena, sizeof *owner);
    *owner = (struct plan_owner){
        .path = resource_path(&plan->arena, resource_find("nodes"), (struct slice){0}, node, NULL),
    };
    plan_delete_orphan(plan, "pods", o->namespace, o->name, o->uid, owner, 1);
    plan_without_grace(plan);
}

const struct controller controller_pod_gc = {
    .name = "pod-gc",
    .watches = pod_gc_watches,
    .reconcile = pod_gc_reconcile,
};
