/* garbage: deletes objects whose owners are all gone (background propagation). A cache may lag, so the runtime looks at
 * the server before it deletes: owners are identified by uid, never by name alone. */
#include "common/base.h"

#include "controllers/controllers.h"
#include "controllers/resource.h"

/* Keys are "resource|namespace/name": one controller for every resource. */
static void add_key(const char *resource, struct object *o, void (*add)(void *arg, struct slice key), void *arg)
{
    char *key = mem_printf("%s|%s", resource, o->key);
    add(arg, slice_str(key));
    mem_free(key);
}

struct adding {
    const char *resource;
    void (*add)(void *arg, struct slice key);
    void *arg;
};

static void add_dependent(void *arg, struct object *o)
{
    struct adding *a = arg;
    add_key(a->resource, o, a->add, a->arg);
}

/* An object that has an owner, and, when it is gone itself, everything it owned. */
static void keys_of(const struct view *v, const char *resource, struct object *o,
                    void (*add)(void *arg, struct slice key), void *arg)
{
    struct object *now = v->get(v, resource, slice_str(o->key));
    if (now == NULL || strcmp(now->uid, o->uid) != 0) {
        for (size_t i = 0; i < resource_count(); i++) {
            struct adding a = {resource_at(i)->name, add, arg};
            v->owned(v, a.resource, o->uid, add_dependent, &a);
        }
    } else if (o->controller_uid != NULL && !o->deleting) {
        add_key(resource, o, add, arg);
    }
}

static void pod_keys(const struct view *v, struct object *o, void (*add)(void *arg, struct slice key), void *arg)
{
    keys_of(v, "pods", o, add, arg);
}
static void replicaset_keys(const struct view *v, struct object *o, void (*add)(void *arg, struct slice key), void *arg)
{
    keys_of(v, "replicasets.apps", o, add, arg);
}
static void deployment_keys(const struct view *v, struct object *o, void (*add)(void *arg, struct slice key), void *arg)
{
    keys_of(v, "deployments.apps", o, add, arg);
}

static const struct controller_watch garbage_watches[] = {
    {"deployments.apps", deployment_keys},
    {"replicasets.apps", replicaset_keys},
    {"pods", pod_keys},
    {0},
};

/* False when the owner is there by our cache, or of a kind that is not known here. */
static bool seems_gone(const struct view *v, struct slice namespace, const struct json *reference, struct plan *plan,
                       struct plan_owner *ret)
{
    const struct resource *r =
        resource_of_kind(json_string_at(reference, "apiVersion"), json_string_at(reference, "kind"));
    if (r == NULL)
        return false;
    struct slice name = json_string_at(reference, "name"), uid = json_string_at(reference, "uid");
    char *key = arena_printf(&plan->arena, "%.*s/%.*s", SLICE_ARGS(namespace), SLICE_ARGS(name));
    struct object *owner = v->get(v, r->name, slice_str(key));
    ret->path = resource_path(&plan->arena, r, namespace, name, NULL);
    ret->uid = arena_strdup(&plan->arena, uid);
    return owner == NULL || !slice_is(uid, owner->uid);
}

static void garbage_reconcile(const struct view *v, struct slice key, struct plan *plan)
{
    struct slice name = key, resource_name = slice_cut(&name, '|');
    char *resource = arena_strdup(&plan->arena, resource_name);
    struct object *o = v->get(v, resource, name);
    if (o == NULL || o->deleting)
        return;
    const struct json *references = json_at(object_tree(o, plan->doc), "metadata.ownerReferences");
    size_t n = json_size(references);
    struct plan_owner *owners = arena_alloc(&plan->arena, n * sizeof owners[0]);
    struct json_iterator i = json_iterate(references);
    while (json_next(&i))
        if (!seems_gone(v, o->namespace, i.value, plan, &owners[i.position - 1]))
            return;
    if (n > 0)
        plan_delete_orphan(plan, resource, o->namespace, o->name, o->uid, owners, n);
}

const struct controller controller_garbage = {
    .name = "garbage",
    .watches = garbage_watches,
    .reconcile = garbage_reconcile,
};
