/* namespace: a namespace that is being deleted loses its content, and then its hold. */
#include "common/base.h"

#include "controllers/controllers.h"
#include "controllers/resource.h"

#define HOLD "kubernetes" /* the entry of spec.finalizers that is ours */

static const struct controller_watch namespace_watches[] = {
    {.resource = "namespaces"},
    {0},
};

static bool held(const struct json *namespace)
{
    struct json_iterator i = json_iterate(json_at(namespace, "spec.finalizers"));
    while (json_next(&i))
        if (slice_is(json_string(i.value), HOLD))
            return true;
    return false;
}

static struct json *without_hold(struct json_doc *d, const struct json *namespace)
{
    struct json *body = json_copy(d, namespace);
    struct json_iterator i = json_iterate(json_at(body, "spec.finalizers"));
    while (json_next(&i))
        if (slice_is(json_string(i.value), HOLD))
            json_iterator_remove(&i);
    return body;
}

/* Nothing new comes in any more (NamespaceLifecycle), so what is deleted here is all there is; pods and what has
 * finalizers take their time, and the look before the last step waits for them. */
static void namespace_reconcile(const struct view *v, struct slice key, struct plan *plan)
{
    struct object *o = v->get(v, "namespaces", key);
    if (o == NULL || !o->deleting)
        return;
    const struct json *namespace = object_tree(o, plan->doc);
    if (!held(namespace))
        return;
    const char **empty = arena_alloc(&plan->arena, (resource_count() + 1) * sizeof(const char *));
    size_t n = 0;
    for (size_t i = 0; i < resource_count(); i++) {
        const struct resource *r = resource_at(i);
        if (!r->namespaced)
            continue;
        plan_delete_collection(plan, r->name, o->name);
        empty[n++] = resource_path(&plan->arena, r, o->name, (struct slice){0}, NULL);
    }
    empty[n] = NULL;
    plan_finalize(plan, o->name, without_hold(plan->doc, namespace), empty);
}

const struct controller controller_namespace = {
    .name = "namespace",
    .watches = namespace_watches,
    .reconcile = namespace_reconcile,
};
