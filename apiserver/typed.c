#include "common/base.h"

#include "apiserver/schema.h"
#include "apiserver/typed.h"
#include "common/map.h"

/* Where a walk stands: an object by its type, or a field's value, or one element of it. */
struct spot {
    const struct type *type;   /* of the root */
    const struct field *field; /* NULL at the root */
    bool element;              /* of the field's list or map */
};
enum spot_kind { SPOT_LEAF, SPOT_OBJECT, SPOT_MAP, SPOT_KEYED, SPOT_SET };

static struct spot spot_root(const struct type *t) { return (struct spot){.type = t}; }
static struct spot spot_field(const struct field *f) { return (struct spot){.field = f}; }
static struct spot spot_element(struct spot s) { return (struct spot){.field = s.field, .element = true}; }
static const struct type *spot_type(struct spot s) { return s.field == NULL ? s.type : s.field->object; }

static enum spot_kind spot_kind(struct spot s)
{
    const struct field *f = s.field;
    if (f == NULL)
        return SPOT_OBJECT;
    if (!s.element && (f->flags & FIELD_ATOMIC))
        return SPOT_LEAF;
    if (!s.element && f->shape == FIELD_MAP)
        return SPOT_MAP;
    if (!s.element && f->shape == FIELD_LIST)
        return f->list == LIST_MAP && f->list_keys != NULL ? SPOT_KEYED : f->list == LIST_SET ? SPOT_SET : SPOT_LEAF;
    return f->type == FIELD_OBJECT && !f->object->atomic ? SPOT_OBJECT : SPOT_LEAF;
}

/* The spot of a member; false: the table does not know it. */
static bool spot_member(struct spot s, struct slice name, struct spot *ret)
{
    if (spot_kind(s) == SPOT_MAP) {
        *ret = spot_element(s);
        return true;
    }
    const struct field *f = schema_field(spot_type(s), name);
    *ret = spot_field(f);
    return f != NULL;
}

static bool is_empty(const struct json *v) { return json_type(v) <= JSON_NULL || json_size(v) == 0; }
static bool is_container(const struct json *v) { return json_type(v) == JSON_OBJECT || json_type(v) == JSON_ARRAY; }

/* The element of one item. A key field that is absent counts as its default (`protocol` of a port). False: a key is
 * missing and has none; *ret then has those that are there. */
static bool item_element(struct arena *a, struct spot list, const struct json *item, struct slice *ret,
                         struct slice *ret_missing)
{
    struct field_key keys[FIELD_KEYS_MAX];
    size_t n = 0;
    bool whole = true;
    if (spot_kind(list) == SPOT_SET) {
        *ret = field_element_value(a, item);
        return true;
    }
    for (struct slice rest = slice_str(list.field->list_keys); rest.data != NULL && n < FIELD_KEYS_MAX;) {
        struct slice name = slice_cut(&rest, ',');
        const struct json *value = json_get_slice(item, name);
        const struct field *f = json_type(value) > JSON_NULL ? NULL : schema_field(list.field->object, name);
        if (json_type(value) > JSON_NULL) {
            keys[n++] = (struct field_key){.name = name, .value = value};
        } else if (f != NULL && f->fallback != NULL) {
            keys[n++] = (struct field_key){.name = name, .text = f->fallback};
        } else if (whole) {
            whole = false;
            *ret_missing = name;
        }
    }
    *ret = field_element_keys(a, keys, n);
    return whole;
}

/* ---- complaints ---- */

struct complaints {
    struct buf path, *out;
    struct arena arena;
};

static void complain(struct complaints *c, const struct buf *what)
{
    if (c->out->size > 0)
        buf_append_char(c->out, '\n');
    buf_printf(c->out, "%s%s", c->path.data, c->path.size == 0 ? "" : ": ");
    buf_append_slice(c->out, buf_slice(what));
}

static const char *go_name(const struct json *v)
{
    switch (json_type(v)) {
    case JSON_BOOL: return "bool";
    case JSON_STRING: return "string";
    case JSON_ARRAY: return "[]interface {}";
    case JSON_OBJECT: return "map[string]interface {}";
    default: return "int64";
    }
}

static void complain_type(struct complaints *c, const char *wanted, const struct json *v)
{
    struct buf text = {0};
    buf_printf(&text, "expected %s, got ", wanted);
    if (is_container(v) || strcmp(wanted, "numeric (int or float)") == 0)
        buf_append_str(&text, go_name(v));
    else
        json_print(v, &text);
    complain(c, &text);
    buf_release(&text);
}

static void complain_leaf(struct complaints *c, struct spot s, const struct json *v)
{
    const struct field *f = s.field;
    bool list = !s.element && f->shape == FIELD_LIST, map = !s.element && f->shape == FIELD_MAP;
    enum json_type type = json_type(v);
    if (list || map || f->type == FIELD_OBJECT) {
        if (type != (list ? JSON_ARRAY : JSON_OBJECT))
            complain_type(c, list ? "list" : "map", v);
        return;
    }
    switch (f->type) {
    case FIELD_RAW: break;
    case FIELD_BOOL:
        if (type != JSON_BOOL)
            complain_type(c, "boolean", v);
        break;
    case FIELD_INT32:
    case FIELD_INT64:
    case FIELD_DOUBLE:
        if (type != JSON_NUMBER)
            complain_type(c, "numeric (int or float)", v);
        break;
    case FIELD_QUANTITY:
    case FIELD_INT_OR_STRING:
        if (is_container(v))
            complain_type(c, "any scalar", v);
        break;
    default:
        if (type != JSON_STRING)
            complain_type(c, "string", v);
    }
}

static void complain_value(struct complaints *c, struct spot s, const struct json *v);

static void complain_below(struct complaints *c, struct slice element, struct spot s, const struct json *v)
{
    size_t mark = c->path.size;
    field_element_text(element, &c->path);
    complain_value(c, s, v);
    c->path.size = mark;
    c->path.data[mark] = '\0';
}

static void complain_items(struct complaints *c, struct spot list, const struct json *v)
{
    struct map seen = {0};
    struct json_iterator i = json_iterate(v);
    while (json_next(&i)) {
        struct slice element, missing;
        struct buf text = {0};
        if (!item_element(&c->arena, list, i.value, &element, &missing)) {
            buf_printf(&text,
                       "element %zu: associative list with keys has an element that omits key field \"%.*s\" (and "
                       "doesn't have "
                       "default value)",
                       i.position - 1, SLICE_ARGS(missing));
            complain(c, &text);
        } else if (map_put(&seen, element, c) != NULL) {
            buf_append_str(&text, "duplicate entries for key ");
            field_element_text(element, &text);
            complain(c, &text);
        } else {
            complain_below(c, element, spot_element(list), i.value);
        }
        buf_release(&text);
    }
    map_release(&seen);
}

static void complain_members(struct complaints *c, struct spot s, const struct json *v)
{
    struct json_iterator i = json_iterate(v);
    while (json_next(&i)) {
        struct spot member;
        struct slice element = field_element_name(&c->arena, i.key);
        if (spot_member(s, i.key, &member)) {
            complain_below(c, element, member, i.value);
            continue;
        }
        size_t mark = c->path.size;
        field_element_text(element, &c->path);
        struct buf text = {0};
        buf_append_str(&text, "field not declared in schema");
        complain(c, &text);
        buf_release(&text);
        c->path.size = mark;
        c->path.data[mark] = '\0';
    }
}

static void complain_value(struct complaints *c, struct spot s, const struct json *v)
{
    enum spot_kind kind = spot_kind(s);
    if (json_type(v) == JSON_NULL)
        return;
    if (kind == SPOT_LEAF) {
        complain_leaf(c, s, v);
        return;
    }
    bool list = kind == SPOT_KEYED || kind == SPOT_SET;
    if (json_type(v) != (list ? JSON_ARRAY : JSON_OBJECT))
        complain_type(c, list ? "list" : "map", v);
    else if (list)
        complain_items(c, s, v);
    else
        complain_members(c, s, v);
}

void typed_complaints(const struct type *t, const struct json *v, struct buf *out)
{
    struct complaints c = {.out = out};
    buf_append(&c.path, "", 0);
    complain_value(&c, spot_root(t), v);
    buf_release(&c.path);
    arena_clear(&c.arena);
}

/* ---- fields ---- */

static const struct field_set *fields_below(struct arena *a, struct spot s, const struct json *v)
{
    struct field_nodes n = {0};
    struct json_iterator i = json_iterate(v);
    enum spot_kind kind = spot_kind(s);
    bool list = kind == SPOT_KEYED || kind == SPOT_SET;
    if (kind == SPOT_LEAF || json_type(v) != (list ? JSON_ARRAY : JSON_OBJECT))
        return NULL;
    while (json_next(&i)) {
        struct spot inner = spot_element(s);
        struct slice element, missing;
        if (list)
            (void)item_element(a, s, i.value, &element, &missing); /* what keys it has */
        else if (spot_member(s, i.key, &inner))
            element = field_element_name(a, i.key);
        else
            continue;
        bool leaf = spot_kind(inner) == SPOT_LEAF || json_type(i.value) == JSON_NULL ||
                    (json_type(i.value) == JSON_OBJECT && json_size(i.value) == 0);
        field_nodes_add(&n, element, leaf || kind != SPOT_OBJECT, fields_below(a, inner, i.value));
    }
    return field_nodes_set(&n, a);
}

const struct field_set *typed_fields(struct arena *a, const struct type *t, const struct json *v)
{
    return fields_below(a, spot_root(t), v);
}

/* ---- comparison ---- */

struct comparer {
    struct arena *arena;
    struct json_doc *d;           /* of the nulls that stand for what is left out */
    const struct field_set *skip; /* members of the root that do not count; NULL: all do */
};

struct comparison {
    struct field_nodes removed, modified, added;
};

static void changes_below(struct comparer *x, struct spot s, const struct json *before, const struct json *after,
                          struct typed_changes *ret);

/* One member or item on both sides; NULL is absent. */
static void compare_one(struct comparer *x, struct comparison *c, struct slice element, struct spot s,
                        const struct json *before, const struct json *after)
{
    struct typed_changes below = {0};
    if (before != NULL && after != NULL && json_equal(before, after))
        return; /* most of an object, in most writes: there is nothing to look for inside */
    bool whole = spot_kind(s) == SPOT_LEAF || (is_empty(before) && is_empty(after));
    bool differs = whole && before != NULL && after != NULL;
    if (!whole)
        changes_below(x, s, before, after, &below);
    field_nodes_add(&c->removed, element, after == NULL, below.removed);
    field_nodes_add(&c->modified, element, differs, below.modified);
    field_nodes_add(&c->added, element, before == NULL, below.added);
}

/* A member that is absent on a side that exists: what Go writes even when it is empty is there, though our bytes leave
 * it out. */
static const struct json *absent(const struct comparer *x, struct spot s, const struct json *side)
{
    return side != NULL && !s.element && (s.field->flags & (FIELD_REQUIRED | FIELD_ALWAYS)) ? json_new_null(x->d)
                                                                                            : NULL;
}

static bool skipped(const struct comparer *x, struct spot s, struct slice name)
{
    for (size_t i = 0; s.field == NULL && x->skip != NULL && i < x->skip->count; i++)
        if (slice_equal(slice_from(x->skip->nodes[i].element, 2), name))
            return true;
    return false;
}

static void compare_members(struct comparer *x, struct comparison *c, struct spot s, const struct json *before,
                            const struct json *after)
{
    struct json_iterator i = json_iterate(before);
    struct spot inner;
    while (json_next(&i)) {
        const struct json *other = json_get_slice(after, i.key);
        if (!skipped(x, s, i.key) && spot_member(s, i.key, &inner))
            compare_one(x, c, field_element_name(x->arena, i.key), inner, i.value,
                        other == NULL ? absent(x, inner, after) : other);
    }
    i = json_iterate(after);
    while (json_next(&i)) {
        if (json_get_slice(before, i.key) == NULL && !skipped(x, s, i.key) && spot_member(s, i.key, &inner))
            compare_one(x, c, field_element_name(x->arena, i.key), inner, absent(x, inner, before), i.value);
    }
}

/* The items of a list, or the members of a map, by their elements. An element that stands twice has the value of its
 * last item: nobody can own two. */
static void index_items(struct arena *a, struct spot s, const struct json *v, struct map *ret)
{
    struct json_iterator i = json_iterate(v);
    bool of_map = spot_kind(s) == SPOT_MAP;
    struct slice element, missing;
    while (json_type(v) == (of_map ? JSON_OBJECT : JSON_ARRAY) && json_next(&i)) {
        if (of_map)
            element = field_element_name(a, i.key);
        else
            (void)item_element(a, s, i.value, &element, &missing); /* what keys it has */
        (void)map_put(ret, element, i.value);
    }
}

/* The other side has no items: nothing has to be found in it. */
static void compare_side(struct comparer *x, struct comparison *c, struct spot s, const struct json *side,
                         bool is_before)
{
    struct json_iterator i = json_iterate(side);
    bool of_map = spot_kind(s) == SPOT_MAP;
    struct slice element, missing;
    while (json_type(side) == (of_map ? JSON_OBJECT : JSON_ARRAY) && json_next(&i)) {
        if (of_map)
            element = field_element_name(x->arena, i.key);
        else
            (void)item_element(x->arena, s, i.value, &element, &missing); /* what keys it has */
        compare_one(x, c, element, spot_element(s), is_before ? i.value : NULL, is_before ? NULL : i.value);
    }
}

static void compare_items(struct comparer *x, struct comparison *c, struct spot s, const struct json *before,
                          const struct json *after)
{
    struct map old = {0}, new = {0};
    struct map_entry *e;
    if (is_empty(before) || is_empty(after)) {
        compare_side(x, c, s, is_empty(before) ? after : before, !is_empty(before));
        return;
    }
    index_items(x->arena, s, before, &old);
    index_items(x->arena, s, after, &new);
    for (size_t i = 0; (e = map_next(&old, &i)) != NULL;)
        compare_one(x, c, arena_slice(x->arena, map_key(e)), spot_element(s), e->value, map_get(&new, map_key(e)));
    for (size_t i = 0; (e = map_next(&new, &i)) != NULL;) {
        if (map_get(&old, map_key(e)) == NULL)
            compare_one(x, c, arena_slice(x->arena, map_key(e)), spot_element(s), NULL, e->value);
    }
    map_release(&old);
    map_release(&new);
}

static void changes_below(struct comparer *x, struct spot s, const struct json *before, const struct json *after,
                          struct typed_changes *ret)
{
    struct comparison c = {0};
    enum spot_kind kind = spot_kind(s);
    if (kind == SPOT_KEYED || kind == SPOT_SET || kind == SPOT_MAP)
        compare_items(x, &c, s, before, after);
    else if (kind != SPOT_LEAF)
        compare_members(x, &c, s, before, after);
    ret->removed = field_nodes_set(&c.removed, x->arena);
    ret->modified = field_nodes_set(&c.modified, x->arena);
    ret->added = field_nodes_set(&c.added, x->arena);
}

void typed_compare(struct arena *a, const struct type *t, const struct field_set *skip, const struct json *before,
                   const struct json *after, struct typed_changes *ret)
{
    struct json_doc *d = json_doc_new();
    struct comparer x = {a, d, skip};
    changes_below(&x, spot_root(t), before, after, ret);
    json_doc_free(d);
}

/* ---- merge ---- */

static struct json *merge(struct json_doc *d, struct spot s, const struct json *live, const struct json *config);

static struct json *merge_members(struct json_doc *d, struct spot s, const struct json *live, const struct json *config)
{
    struct json *out = json_new_object(d);
    struct json_iterator i = json_iterate(live);
    struct spot inner;
    while (json_next(&i)) {
        if (spot_member(s, i.key, &inner))
            json_set_slice(d, out, i.key, merge(d, inner, i.value, json_get_slice(config, i.key)));
    }
    i = json_iterate(config);
    while (json_next(&i)) {
        if (json_get_slice(live, i.key) == NULL && spot_member(s, i.key, &inner))
            json_set_slice(d, out, i.key, merge(d, inner, NULL, i.value));
    }
    return out;
}

/* Maps may be large: both sides are indexed. */
static struct json *merge_map(struct json_doc *d, struct spot s, const struct json *live, const struct json *config)
{
    struct arena arena = {0};
    struct map old = {0}, new = {0};
    struct map_entry *e;
    struct json *out = json_new_object(d);
    index_items(&arena, s, live, &old);
    index_items(&arena, s, config, &new);
    for (size_t i = 0; (e = map_next(&old, &i)) != NULL;)
        json_add_slice(d, out, slice_from(map_key(e), 2),
                       merge(d, spot_element(s), e->value, map_get(&new, map_key(e))));
    for (size_t i = 0; (e = map_next(&new, &i)) != NULL;)
        if (map_get(&old, map_key(e)) == NULL)
            json_add_slice(d, out, slice_from(map_key(e), 2), merge(d, spot_element(s), NULL, e->value));
    map_release(&old);
    map_release(&new);
    arena_clear(&arena);
    return out;
}

struct item {
    struct slice element;
    const struct json *value;
};

/* A merge of two lists under way: both sides' items in order and by element, and what is out already. */
struct weaver {
    struct json_doc *d;
    struct arena arena;
    struct spot list;
    struct item *config;
    size_t config_count, next; /* `next` of the config's items is to come */
    struct map of_live, of_config, out;
    struct json *made;
};

static struct item *items_of(struct weaver *w, const struct json *side)
{
    struct item *items = mem_alloc((json_size(side) + 1) * sizeof *items);
    struct json_iterator i = json_iterate(side);
    struct slice missing;
    while (json_next(&i)) {
        struct item *item = &items[i.position - 1];
        item->value = i.value;
        (void)item_element(&w->arena, w->list, i.value, &item->element, &missing); /* what keys it has */
    }
    return items;
}

static void put_config(struct weaver *w, const struct item *item)
{
    if (map_put(&w->out, item->element, w) == NULL)
        json_append(w->made, merge(w->d, spot_element(w->list), map_get(&w->of_live, item->element), item->value));
}

/* Position of the config's next item that the live object has too; the end when there is none. */
static size_t next_shared(struct weaver *w)
{
    size_t at = w->next;
    while (at < w->config_count && map_get(&w->of_live, w->config[at].element) == NULL)
        at++;
    return at;
}

/* The live list is walked: items that are its own stay where they are. A shared one that is the config's next shared
 * one draws all of the config's items up to it; one whose turn it is not is put out at its turn. */
static void weave(struct weaver *w, const struct item *live, size_t n)
{
    size_t shared = next_shared(w);
    for (size_t i = 0; i < n; i++) {
        if (map_get(&w->of_config, live[i].element) == NULL)
            json_append(w->made, json_copy(w->d, live[i].value));
        if (shared == w->config_count || !slice_equal(w->config[shared].element, live[i].element))
            continue;
        for (; w->next <= shared; w->next++)
            put_config(w, &w->config[w->next]);
        shared = next_shared(w);
    }
    for (; w->next < w->config_count; w->next++)
        put_config(w, &w->config[w->next]);
}

static struct json *merge_items(struct json_doc *d, struct spot s, const struct json *live, const struct json *config)
{
    struct weaver w = {.d = d, .list = s, .made = json_new_array(d), .config_count = json_size(config)};
    struct item *items = items_of(&w, live);
    w.config = items_of(&w, config);
    index_items(&w.arena, s, live, &w.of_live);
    index_items(&w.arena, s, config, &w.of_config);
    weave(&w, items, json_size(live));
    mem_free(items);
    mem_free(w.config);
    map_release(&w.of_live);
    map_release(&w.of_config);
    map_release(&w.out);
    arena_clear(&w.arena);
    return w.made;
}

static struct json *merge(struct json_doc *d, struct spot s, const struct json *live, const struct json *config)
{
    enum spot_kind kind = spot_kind(s);
    if (config == NULL || live == NULL || kind == SPOT_LEAF || (is_empty(live) && is_empty(config)))
        return json_copy(d, config == NULL ? live : config);
    if (json_type(config) == JSON_NULL)
        return json_copy(d, live); /* nothing of it is said */
    if (kind == SPOT_MAP)
        return merge_map(d, s, live, config);
    return kind == SPOT_OBJECT ? merge_members(d, s, live, config) : merge_items(d, s, live, config);
}

struct json *typed_merge(struct json_doc *d, const struct type *t, const struct json *live, const struct json *config)
{
    return merge(d, spot_root(t), live, config);
}

/* ---- without ---- */

static struct json *without(struct json_doc *d, struct spot s, const struct json *v, const struct field_set *set)
{
    struct arena arena = {0};
    enum spot_kind kind = spot_kind(s);
    bool list = kind == SPOT_KEYED || kind == SPOT_SET;
    struct json_iterator i = json_iterate(v);
    if (set == NULL || kind == SPOT_LEAF || json_type(v) != (list ? JSON_ARRAY : JSON_OBJECT) || json_size(v) == 0)
        return json_copy(d, v);
    struct json *out = list ? json_new_array(d) : json_new_object(d);
    while (json_next(&i)) {
        struct spot inner = spot_element(s);
        struct slice element, missing;
        if (list)
            (void)item_element(&arena, s, i.value, &element, &missing); /* what keys it has */
        else if (spot_member(s, i.key, &inner))
            element = field_element_name(&arena, i.key);
        else
            element = (struct slice){NULL, 0};
        const struct field_node *n = field_set_find(set, element);
        if (n != NULL && n->member)
            continue;
        struct json *kept = without(d, inner, i.value, n == NULL ? NULL : n->children);
        if (list)
            json_append(out, kept);
        else
            json_add_slice(d, out, i.key, kept);
    }
    arena_clear(&arena);
    return json_size(out) == 0 ? json_new_null(d) : out;
}

struct json *typed_without(struct json_doc *d, const struct type *t, const struct json *v, const struct field_set *s)
{
    struct json *kept = without(d, spot_root(t), v, s);
    return json_type(kept) == JSON_NULL ? json_new_object(d) : kept;
}

/* ---- named ---- */

static const struct field_set *named(struct arena *a, struct spot s, const struct field_set *set)
{
    struct field_nodes n = {0};
    enum spot_kind kind = spot_kind(s);
    if (kind == SPOT_LEAF)
        return set;
    for (size_t i = 0; set != NULL && i < set->count; i++) {
        const struct field_node *p = &set->nodes[i];
        struct spot inner = spot_element(s);
        bool field =
            kind == SPOT_OBJECT && p->element.data[0] == 'f' && spot_member(s, slice_from(p->element, 2), &inner);
        bool known = field || kind != SPOT_OBJECT;
        field_nodes_add(&n, p->element, p->member || field, known ? named(a, inner, p->children) : p->children);
    }
    return field_nodes_set(&n, a);
}

const struct field_set *typed_named(struct arena *a, const struct type *t, const struct field_set *s)
{
    return named(a, spot_root(t), s);
}
