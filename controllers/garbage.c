/* garbage: deletes objects whose owners are all gone, and carries out what a deletion asked for its dependents: to go first
 * (finalizer foregroundDeletion) or to stay (finalizer orphan). A cache may lag, so the runtime looks at the server before
 * it deletes: owners are identified by uid, never by name alone. */
#include "common/base.h"

#include "controllers/controllers.h"
#include "controllers/resource.h"

#define FOREGROUND "foregroundDeletion"
#define ORPHAN "orphan"

/* Keys are "resource|namespace/name": one controller for every resource. */
static void add_key(const char *resource, struct object *o, void (*add)(void *arg, struct slice key), void *arg)
{
    char *key = mem_printf("%s|%s", resource, o->key);
    add(arg, slice_str(key));
    mem_free(key);
}

static const struct json *reference_to(const struct json *dependent, const char *owner_uid)
{
    struct json_iterator i = json_iterate(json_at(dependent, "metadata.ownerReferences"));
    while (json_next(&i))
        if (slice_is(json_string_at(i.value, "uid"), owner_uid))
            return i.value;
    return NULL;
}

/* Everything in the caches that names an owner, by whatever sort of reference. */
struct visit {
    const char *owner_uid, *resource;
    struct json_doc *doc; /* where the trees go; NULL: each is thrown away after its visit */
    void (*each)(struct visit *v, struct object *o, struct json *tree, const struct json *reference);
    void *arg;
};

static void visit_one(void *arg, struct object *o)
{
    struct visit *v = arg;
    struct json_doc *d = v->doc != NULL ? v->doc : json_doc_new();
    struct json *tree = object_tree(o, d);
    const struct json *reference = reference_to(tree, v->owner_uid);
    if (reference != NULL)
        v->each(v, o, tree, reference);
    if (v->doc == NULL)
        json_doc_free(d);
}

/* The index knows controllers only; owners of another sort are rare, and looked for one by one. */
static void visit_uncontrolled(void *arg, struct object *o)
{
    struct visit *v = arg;
    if (o->has_owners && (o->controller_uid == NULL || strcmp(o->controller_uid, v->owner_uid) != 0))
        visit_one(v, o);
}

static void visit_dependents(const struct view *view, struct visit *v)
{
    for (size_t i = 0; i < resource_count(); i++) {
        v->resource = resource_at(i)->name;
        view->owned(view, v->resource, v->owner_uid, visit_one, v);
        view->list(view, v->resource, visit_uncontrolled, v);
    }
}

struct adding {
    void (*add)(void *arg, struct slice key);
    void *arg;
};

static void add_dependent(struct visit *v, struct object *o, struct json *tree, const struct json *reference)
{
    (void)tree;
    (void)reference;
    struct adding *a = v->arg;
    add_key(v->resource, o, a->add, a->arg);
}

static struct object *owner_in_view(const struct view *v, struct slice namespace, const struct json *reference,
                                    const struct resource **ret)
{
    *ret = resource_of_kind(json_string_at(reference, "apiVersion"), json_string_at(reference, "kind"));
    if (*ret == NULL)
        return NULL;
    struct slice name = json_string_at(reference, "name");
    char *key = (*ret)->namespaced ? mem_printf("%.*s/%.*s", SLICE_ARGS(namespace), SLICE_ARGS(name)) : mem_slice_dup(name);
    struct object *owner = v->get(v, (*ret)->name, slice_str(key));
    mem_free(key);
    return owner != NULL && slice_is(json_string_at(reference, "uid"), owner->uid) ? owner : NULL;
}

/* An owner that waits for its dependents looks again whenever one changes. */
static void add_waiting_owners(const struct view *v, struct object *o, struct adding *a)
{
    struct json_doc *d = json_doc_new();
    struct json_iterator i = json_iterate(json_at(object_tree(o, d), "metadata.ownerReferences"));
    while (json_next(&i)) {
        const struct resource *r;
        struct object *owner = owner_in_view(v, o->namespace, i.value, &r);
        if (owner != NULL && owner->deleting)
            add_key(r->name, owner, a->add, a->arg);
    }
    json_doc_free(d);
}

static void garbage_keys(const struct view *v, const char *resource, struct object *o,
                         void (*add)(void *arg, struct slice key), void *arg)
{
    struct adding a = {add, arg};
    struct object *now = v->get(v, resource, slice_str(o->key));
    bool gone = now == NULL || strcmp(now->uid, o->uid) != 0;
    if (gone)
        visit_dependents(v, &(struct visit){.owner_uid = o->uid, .each = add_dependent, .arg = &a});
    else if (o->has_owners || o->deleting)
        add_key(resource, o, add, arg);
    if (o->has_owners && (gone || o->deleting))
        add_waiting_owners(v, o, &a);
}

static const struct controller_watch garbage_watches[] = {
    {.resource = "*", .keys_of = garbage_keys},
    {0},
};

static bool has_finalizer(const struct json *object, const char *name)
{
    struct json_iterator i = json_iterate(json_at(object, "metadata.finalizers"));
    while (json_next(&i))
        if (slice_is(json_string(i.value), name))
            return true;
    return false;
}

static void remove_finalizer(struct plan *plan, const char *resource, struct object *o, const struct json *tree, const char *name)
{
    struct json *body = json_copy(plan->doc, tree);
    struct json_iterator i = json_iterate(json_at(body, "metadata.finalizers"));
    while (json_next(&i))
        if (slice_is(json_string(i.value), name))
            json_iterator_remove(&i);
    plan_update(plan, resource, o->namespace, o->name, NULL, body);
}

struct ending {
    const struct view *view;
    struct plan *plan;
    size_t left; /* dependents that keep the owner */
};

static void strip_reference(struct visit *v, struct object *o, struct json *tree, const struct json *reference)
{
    (void)reference;
    struct ending *e = v->arg;
    struct json *body = json_copy(e->plan->doc, tree), *metadata = json_get(body, "metadata");
    struct json_iterator i = json_iterate(json_get(metadata, "ownerReferences"));
    while (json_next(&i))
        if (slice_is(json_string_at(i.value, "uid"), v->owner_uid))
            json_iterator_remove(&i);
    if (json_size(json_get(metadata, "ownerReferences")) == 0)
        json_remove(metadata, "ownerReferences");
    plan_update(e->plan, v->resource, o->namespace, o->name, NULL, body);
    e->left++;
}

static void count_dependent(struct visit *v, struct object *o, struct json *tree, const struct json *reference)
{
    (void)o;
    (void)tree;
    (void)reference;
    size_t *n = v->arg;
    (*n)++;
}

/* A dependent that has an owner besides stays; one that has dependents of its own lets them go first as well. */
static void delete_dependent(struct visit *v, struct object *o, struct json *tree, const struct json *reference)
{
    struct ending *e = v->arg;
    e->left += json_bool_at(reference, "blockOwnerDeletion", false);
    if (o->deleting)
        return;
    struct json_iterator i = json_iterate(json_at(tree, "metadata.ownerReferences"));
    while (json_next(&i)) {
        const struct resource *r;
        struct object *owner = owner_in_view(e->view, o->namespace, i.value, &r);
        if (owner != NULL && !owner->deleting)
            return;
    }
    size_t own = 0;
    visit_dependents(e->view, &(struct visit){.owner_uid = o->uid, .each = count_dependent, .arg = &own});
    plan_delete_with(e->plan, v->resource, o->namespace, o->name, o->uid, own > 0 ? "Foreground" : "Background");
}

static void end_owner(const struct view *v, struct plan *plan, const char *resource, struct object *o, const struct json *tree)
{
    bool orphan = has_finalizer(tree, ORPHAN);
    if (!orphan && !has_finalizer(tree, FOREGROUND))
        return;
    struct ending e = {v, plan, 0};
    visit_dependents(v, &(struct visit){
        .owner_uid = o->uid, .doc = plan->doc, .each = orphan ? strip_reference : delete_dependent, .arg = &e});
    plan->cut = plan->cut || (orphan && e.left > 0); /* once the caches show them free, look again */
    if (e.left == 0)
        remove_finalizer(plan, resource, o, tree, orphan ? ORPHAN : FOREGROUND);
}

/* False when the owner is there by our cache, or of a kind that is not known here. */
static bool seems_gone(const struct view *v, struct slice namespace, const struct json *reference, struct plan *plan,
                       struct plan_owner *ret)
{
    const struct resource *r;
    struct object *owner = owner_in_view(v, namespace, reference, &r);
    if (r == NULL || owner != NULL)
        return false;
    ret->path = resource_path(&plan->arena, r, r->namespaced ? namespace : (struct slice){0}, json_string_at(reference, "name"), NULL);
    ret->uid = arena_strdup(&plan->arena, json_string_at(reference, "uid"));
    return true;
}

static void delete_if_orphaned(const struct view *v, struct plan *plan, const char *resource, struct object *o,
                               const struct json *tree)
{
    const struct json *references = json_at(tree, "metadata.ownerReferences");
    size_t n = json_size(references);
    struct plan_owner *owners = arena_alloc(&plan->arena, (n + 1) * sizeof owners[0]);
    struct json_iterator i = json_iterate(references);
    while (json_next(&i))
        if (!seems_gone(v, o->namespace, i.value, plan, &owners[i.position - 1]))
            return;
    if (n > 0)
        plan_delete_orphan(plan, resource, o->namespace, o->name, o->uid, owners, n);
}

static void garbage_reconcile(const struct view *v, struct slice key, struct plan *plan)
{
    struct slice name = key, resource_name = slice_cut(&name, '|');
    char *resource = arena_strdup(&plan->arena, resource_name);
    struct object *o = v->get(v, resource, name);
    if (o == NULL)
        return;
    const struct json *tree = object_tree(o, plan->doc);
    if (o->deleting)
        end_owner(v, plan, resource, o, tree);
    else
        delete_if_orphaned(v, plan, resource, o, tree);
}

const struct controller controller_garbage = {
    .name = "garbage",
    .watches = garbage_watches,
    .reconcile = garbage_reconcile,
};
