#include "common/base.h"

#include "controllers/claim.h"
#include "controllers/controllers.h"

int selector_from_map(const struct json *labels, struct selector *ret, struct err *reterr)
{
    if (json_size(labels) == 0)
        return err_set(reterr, ERR_INVALID, "an empty selector selects nothing");
    struct json_doc *d = json_doc_new();
    struct json *whole = json_new_object(d);
    json_set(d, whole, "matchLabels", json_copy(d, labels));
    int code = selector_from_json(whole, ret, reterr);
    json_doc_free(d);
    return code;
}

struct claiming {
    struct plan *plan;
    const char *resource;
    const struct json *owner;
    struct slice namespace;
    const struct selector *selector;
    bool adopts; /* an owner that goes away adopts nothing more */
    size_t planned;
    void (*each)(void *arg, struct object *o, struct json *tree);
    void *arg;
};

static void release(struct claiming *c, struct object *o, const struct json *tree)
{
    struct json *body = json_copy(c->plan->doc, tree), *metadata = json_get(body, "metadata");
    struct slice uid = json_string_at(c->owner, "metadata.uid");
    struct json_iterator i = json_iterate(json_get(metadata, "ownerReferences"));
    while (json_next(&i))
        if (slice_equal(json_string_at(i.value, "uid"), uid))
            json_iterator_remove(&i);
    if (json_size(json_get(metadata, "ownerReferences")) == 0)
        json_remove(metadata, "ownerReferences");
    plan_update(c->plan, c->resource, o->namespace, o->name, NULL, body);
    c->planned++;
}

static void adopt(struct claiming *c, struct object *o, const struct json *tree)
{
    struct json_doc *d = c->plan->doc;
    struct json *body = json_copy(d, tree), *metadata = json_get(body, "metadata");
    struct json *list = controller_reference(d, c->owner), *before = json_get(metadata, "ownerReferences");
    struct json_iterator i = json_iterate(before);
    while (json_next(&i))
        json_append(list, json_copy(d, i.value));
    json_set(d, metadata, "ownerReferences", list);
    plan_update(c->plan, c->resource, o->namespace, o->name, NULL, body);
    c->planned++;
}

static void owned_one(void *arg, struct object *o)
{
    struct claiming *c = arg;
    struct json *tree = object_tree(o, c->plan->doc);
    if (selector_matches_json(c->selector, json_at(tree, "metadata.labels")))
        c->each(c->arg, o, tree);
    else if (!o->deleting)
        release(c, o, tree);
}

static void orphan_one(void *arg, struct object *o)
{
    struct claiming *c = arg;
    if (o->controller_uid != NULL || o->deleting || !slice_equal(o->namespace, c->namespace))
        return;
    struct json_doc *d = json_doc_new();
    struct json *tree = object_tree(o, d);
    struct slice phase = json_string_at(tree, "status.phase");
    bool finished = slice_is(phase, "Succeeded") || slice_is(phase, "Failed");
    if (!finished && selector_matches_json(c->selector, json_at(tree, "metadata.labels")))
        adopt(c, o, tree);
    json_doc_free(d);
}

size_t claim_owned(const struct view *v, struct plan *p, const char *resource, const struct json *owner,
                   const struct selector *s, void (*each)(void *arg, struct object *o, struct json *tree), void *arg)
{
    struct claiming c = {
        .plan = p, .resource = resource, .owner = owner, .selector = s, .each = each, .arg = arg,
        .namespace = json_string_at(owner, "metadata.namespace"),
        .adopts = json_at(owner, "metadata.deletionTimestamp") == NULL,
    };
    char *uid = arena_strdup(&p->arena, json_string_at(owner, "metadata.uid"));
    v->owned(v, resource, uid, owned_one, &c);
    if (c.adopts)
        v->list(v, resource, orphan_one, &c);
    return c.planned;
}

struct wanting {
    struct slice namespace;
    const struct json *labels;
    bool map;
    void (*add)(void *arg, struct slice key);
    void *arg;
};

static void wants(void *arg, struct object *owner)
{
    struct wanting *w = arg;
    if (owner->deleting || !slice_equal(owner->namespace, w->namespace))
        return;
    struct json_doc *d = json_doc_new();
    struct selector s = {0};
    const struct json *text = json_at(object_tree(owner, d), "spec.selector");
    int code = w->map ? selector_from_map(text, &s, NULL) : selector_from_json(text, &s, NULL);
    if (code == 0 && selector_matches_json(&s, w->labels)) /* a selector that does not parse wants nothing */
        w->add(w->arg, slice_str(owner->key));
    selector_release(&s);
    json_doc_free(d);
}

void claim_keys_of_labels(const struct view *v, const char *resource, bool map, struct slice namespace, const struct json *labels,
                          void (*add)(void *arg, struct slice key), void *arg)
{
    struct wanting w = {.namespace = namespace, .labels = labels, .map = map, .add = add, .arg = arg};
    v->list(v, resource, wants, &w);
}

void claim_keys(const struct view *v, const char *resource, bool map, struct object *orphan,
                void (*add)(void *arg, struct slice key), void *arg)
{
    struct json_doc *d = json_doc_new();
    claim_keys_of_labels(v, resource, map, orphan->namespace, json_at(object_tree(orphan, d), "metadata.labels"), add, arg);
    json_doc_free(d);
}
