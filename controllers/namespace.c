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

struct counting {
    struct slice namespace;
    size_t n, held; /* objects there, and those that finalizers keep */
};

static void count(void *arg, struct object *o)
{
    struct counting *c = arg;
    if (!slice_equal(o->namespace, c->namespace))
        return;
    struct json_doc *d = json_doc_new();
    c->n++;
    c->held += json_size(json_at(object_tree(o, d), "metadata.finalizers")) > 0;
    json_doc_free(d);
}

/* What still stands in it by our caches, in words; empty when nothing does. */
static size_t remaining(const struct view *v, struct slice namespace, struct buf *words)
{
    size_t held_in_all = 0;
    for (size_t i = 0; i < resource_count(); i++) {
        struct counting c = {.namespace = namespace};
        if (resource_at(i)->namespaced)
            v->list(v, resource_at(i)->name, count, &c);
        if (c.n > 0)
            buf_printf(words, "%s%s has %zu resource instances", words->size > 0 ? ", " : "", resource_at(i)->name, c.n);
        held_in_all += c.held;
    }
    return held_in_all;
}

/* Tells a person why a namespace is not gone yet. True when there was something new to tell. */
static bool tell_remaining(const struct view *v, struct plan *plan, struct object *o, const struct json *namespace)
{
    struct json_doc *d = plan->doc;
    struct buf words = {0};
    size_t held_objects = remaining(v, o->name, &words), before = plan->count;
    struct json *status = json_copy(d, json_get(namespace, "status"));
    bool some = words.size > 0;
    if (status == NULL || (!some && condition_find(status, "NamespaceContentRemaining") == NULL)) {
        buf_release(&words);
        return false;
    }
    char *content = arena_printf(&plan->arena, "Some resources are remaining: %.*s", SLICE_ARGS(buf_slice(&words)));
    char *finalizers = arena_printf(&plan->arena, "Some content in the namespace has finalizers remaining: in %zu resource instances", held_objects);
    condition_set(d, status, "NamespaceContentRemaining", some ? "True" : "False", some ? "SomeResourcesRemain" : "ContentRemoved",
                  some ? content : "All content successfully removed", v->wall_us);
    condition_set(d, status, "NamespaceFinalizersRemaining", held_objects > 0 ? "True" : "False",
                  held_objects > 0 ? "SomeFinalizersRemain" : "ContentHasNoFinalizers",
                  held_objects > 0 ? finalizers : "All content-preserving finalizers finished", v->wall_us);
    buf_release(&words);
    plan_status(plan, "namespaces", namespace, status);
    return plan->count > before;
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
    if (tell_remaining(v, plan, o, namespace))
        return; /* the caches show the new status next, and with it this namespace comes again */
    plan_finalize(plan, o->name, without_hold(plan->doc, namespace), empty);
}

const struct controller controller_namespace = {
    .name = "namespace",
    .watches = namespace_watches,
    .reconcile = namespace_reconcile,
};
