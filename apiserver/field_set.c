#include "common/base.h"

#include "apiserver/field_set.h"

#include <stdlib.h>

/* Fields come before keys, values and indices, as SMD sorts them. */
static size_t rank(struct slice element)
{
    static const char order[] = "fkvi";
    const char *at = element.size == 0 ? NULL : strchr(order, element.data[0]);
    return at == NULL ? sizeof order : (size_t)(at - order);
}

int field_element_order(struct slice a, struct slice b)
{
    size_t x = rank(a), y = rank(b);
    return x != y ? (x > y) - (x < y) : slice_compare(a, b);
}

/* ---- elements ---- */

struct slice field_element_name(struct arena *a, struct slice name)
{
    char *text = arena_alloc(a, name.size + 3);
    memcpy(text, "f:", 2);
    if (name.size > 0)
        memcpy(text + 2, name.data, name.size);
    return (struct slice){text, name.size + 2};
}

struct member {
    struct slice key;
    const struct json *value;
};

static int by_key(const void *a, const void *b)
{
    return slice_compare(((const struct member *)a)->key, ((const struct member *)b)->key);
}

static void print_sorted(const struct json *object, struct buf *out)
{
    size_t n = json_size(object), at = 0;
    struct member *members = mem_alloc((n + 1) * sizeof *members);
    struct json_iterator i = json_iterate(object);
    while (at < n && json_next(&i))
        members[at++] = (struct member){i.key, i.value};
    qsort(members, at, sizeof *members, by_key);
    buf_append_char(out, '{');
    for (size_t k = 0; k < at; k++) {
        buf_append_str(out, k > 0 ? "," : "");
        json_print_string(members[k].key, out);
        buf_append_char(out, ':');
        field_value_print(members[k].value, out);
    }
    buf_append_char(out, '}');
    mem_free(members);
}

void field_value_print(const struct json *v, struct buf *out)
{
    int64_t number;
    struct json_iterator i = json_iterate(v);
    switch (json_type(v)) {
    case JSON_OBJECT: print_sorted(v, out); break;
    case JSON_ARRAY:
        buf_append_char(out, '[');
        while (json_next(&i)) {
            if (i.position > 1)
                buf_append_char(out, ',');
            field_value_print(i.value, out);
        }
        buf_append_char(out, ']');
        break;
    case JSON_NUMBER:
        if (json_int(v, &number)) {
            buf_printf(out, "%lld", (long long)number);
            break;
        }
        json_print(v, out);
        break;
    case JSON_NONE: buf_append_str(out, "null"); break;
    default: json_print(v, out);
    }
}

static struct slice element_of(struct arena *a, const char *prefix, const struct json *v)
{
    struct buf text = {0};
    buf_append_str(&text, prefix);
    field_value_print(v, &text);
    struct slice made = arena_slice(a, buf_slice(&text));
    buf_release(&text);
    return made;
}

static int by_name(const void *a, const void *b)
{
    return slice_compare(((const struct field_key *)a)->name, ((const struct field_key *)b)->name);
}

struct slice field_element_keys(struct arena *a, struct field_key *keys, size_t n)
{
    struct buf text = {0};
    qsort(keys, n, sizeof *keys, by_name);
    buf_append_str(&text, "k:{");
    for (size_t i = 0; i < n; i++) {
        buf_append_str(&text, i > 0 ? "," : "");
        json_print_string(keys[i].name, &text);
        buf_append_char(&text, ':');
        if (keys[i].value != NULL)
            field_value_print(keys[i].value, &text);
        else
            buf_append_str(&text, keys[i].text);
    }
    buf_append_char(&text, '}');
    struct slice made = arena_slice(a, buf_slice(&text));
    buf_release(&text);
    return made;
}

struct slice field_element_value(struct arena *a, const struct json *value) { return element_of(a, "v:", value); }

/* ---- levels ---- */

void field_nodes_add(struct field_nodes *n, struct slice element, bool member, const struct field_set *children)
{
    if (!member && children == NULL)
        return;
    if (n->count == n->capacity) {
        n->capacity = n->capacity == 0 ? 8 : n->capacity * 2;
        n->list = mem_realloc(n->list, n->capacity * sizeof *n->list);
    }
    n->list[n->count++] = (struct field_node){element, member, children};
}

static int by_element(const void *a, const void *b)
{
    return field_element_order(((const struct field_node *)a)->element, ((const struct field_node *)b)->element);
}

static struct field_set *set_alloc(struct arena *a, size_t count)
{
    struct field_set *s = arena_alloc(a, sizeof *s + count * sizeof s->nodes[0]);
    s->count = 0;
    return s;
}

const struct field_set *field_nodes_set(struct field_nodes *n, struct arena *a)
{
    struct field_set *s = NULL;
    bool ordered = true;
    for (size_t i = 1; i < n->count && ordered; i++)
        ordered = by_element(&n->list[i - 1], &n->list[i]) < 0;
    if (n->count > 0) {
        if (!ordered)
            qsort(n->list, n->count, sizeof *n->list, by_element);
        s = set_alloc(a, n->count);
        for (size_t i = 0; i < n->count; i++) {
            struct field_node *last = s->count == 0 ? NULL : &s->nodes[s->count - 1];
            if (last != NULL && slice_equal(last->element, n->list[i].element)) {
                last->member |= n->list[i].member;
                last->children = field_set_union(a, last->children, n->list[i].children);
            } else {
                s->nodes[s->count++] = n->list[i];
            }
        }
    }
    mem_free(n->list);
    *n = (struct field_nodes){0};
    return s;
}

/* ---- operations ---- */

static void set_push(struct field_set *s, struct slice element, bool member, const struct field_set *children)
{
    if (member || children != NULL)
        s->nodes[s->count++] = (struct field_node){element, member, children};
}

static const struct field_set *set_done(struct field_set *s) { return s->count == 0 ? NULL : s; }

const struct field_set *field_set_union(struct arena *a, const struct field_set *x, const struct field_set *y)
{
    if (x == NULL || y == NULL || x == y)
        return x == NULL ? y : x;
    struct field_set *s = set_alloc(a, x->count + y->count);
    size_t i = 0, j = 0;
    while (i < x->count || j < y->count) {
        int order = i == x->count   ? 1
                    : j == y->count ? -1
                                    : field_element_order(x->nodes[i].element, y->nodes[j].element);
        if (order < 0) {
            s->nodes[s->count++] = x->nodes[i++];
        } else if (order > 0) {
            s->nodes[s->count++] = y->nodes[j++];
        } else {
            const struct field_node *p = &x->nodes[i++], *q = &y->nodes[j++];
            set_push(s, p->element, p->member || q->member, field_set_union(a, p->children, q->children));
        }
    }
    return s;
}

const struct field_set *field_set_intersection(struct arena *a, const struct field_set *x, const struct field_set *y)
{
    if (x == NULL || y == NULL || x == y)
        return x == y ? x : NULL;
    struct field_set *s = set_alloc(a, MIN(x->count, y->count));
    size_t i = 0, j = 0;
    while (i < x->count && j < y->count) {
        const struct field_node *p = &x->nodes[i], *q = &y->nodes[j];
        int order = field_element_order(p->element, q->element);
        if (order == 0)
            set_push(s, p->element, p->member && q->member, field_set_intersection(a, p->children, q->children));
        i += order <= 0 ? 1 : 0;
        j += order >= 0 ? 1 : 0;
    }
    return set_done(s);
}

/* `whole`: a member of `y` takes its subtree along. */
static const struct field_set *subtract(struct arena *a, const struct field_set *x, const struct field_set *y,
                                        bool whole)
{
    if (x == NULL || y == NULL)
        return x;
    struct field_set *s = set_alloc(a, x->count);
    for (size_t i = 0, j = 0; i < x->count; i++) {
        const struct field_node *p = &x->nodes[i];
        while (j < y->count && field_element_order(y->nodes[j].element, p->element) < 0)
            j++;
        const struct field_node *q = j < y->count && slice_equal(y->nodes[j].element, p->element) ? &y->nodes[j] : NULL;
        if (q == NULL)
            s->nodes[s->count++] = *p;
        else if (!whole || !q->member)
            set_push(s, p->element, p->member && !q->member, subtract(a, p->children, q->children, whole));
    }
    return set_done(s);
}

const struct field_set *field_set_difference(struct arena *a, const struct field_set *x, const struct field_set *y)
{
    return subtract(a, x, y, false);
}

const struct field_set *field_set_without(struct arena *a, const struct field_set *x, const struct field_set *y)
{
    return subtract(a, x, y, true);
}

bool field_set_equal(const struct field_set *x, const struct field_set *y)
{
    if (x == y)
        return true;
    if (x == NULL || y == NULL || x->count != y->count)
        return false;
    for (size_t i = 0; i < x->count; i++) {
        const struct field_node *p = &x->nodes[i], *q = &y->nodes[i];
        if (p->member != q->member || !slice_equal(p->element, q->element) ||
            !field_set_equal(p->children, q->children))
            return false;
    }
    return true;
}

const struct field_node *field_set_find(const struct field_set *s, struct slice element)
{
    size_t low = 0, high = s == NULL ? 0 : s->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        int order = field_element_order(s->nodes[middle].element, element);
        if (order == 0)
            return &s->nodes[middle];
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return NULL;
}

static const struct field_set *path_rest(struct arena *a, struct slice rest)
{
    if (rest.data == NULL)
        return NULL;
    struct slice element = slice_cut(&rest, ' ');
    struct field_nodes n = {0};
    field_nodes_add(&n, element, rest.data == NULL, path_rest(a, rest));
    return field_nodes_set(&n, a);
}

const struct field_set *field_set_path(struct arena *a, const char *path)
{
    return path_rest(a, arena_slice(a, slice_str(path)));
}

/* ---- FieldsV1 ---- */

static bool index_text(struct slice s)
{
    for (size_t i = 0; i < s.size; i++)
        if ((s.data[i] < '0' || s.data[i] > '9') && !(i == 0 && s.data[i] == '-' && s.size > 1))
            return false;
    return s.size > 0 && s.size < 20;
}

/* The canonical element of a written one; size 0: of a kind that is not known. */
static int element_parse(struct arena *a, struct slice key, struct slice *ret, struct err *reterr)
{
    struct json *v = NULL;
    struct json_doc *d;
    int code = 0;
    *ret = (struct slice){NULL, 0};
    if (key.size < 2 || key.data[1] != ':')
        return err_set(reterr, ERR_BAD_REQUEST, "missing colon in the path element \"%.*s\"",
                       (int)MIN(key.size, (size_t)200), key.data);
    struct slice rest = slice_from(key, 2);
    switch (key.data[0]) {
    case 'f': *ret = arena_slice(a, key); return 0;
    case 'i':
        if (!index_text(rest))
            return err_set(reterr, ERR_BAD_REQUEST, "an index is a number, not \"%.*s\"",
                           (int)MIN(rest.size, (size_t)200), rest.data);
        *ret = arena_slice(a, key);
        return 0;
    case 'k':
    case 'v':
        d = json_doc_new();
        code = json_parse(d, rest, &v, reterr);
        if (code == 0 && key.data[0] == 'k' && (json_type(v) != JSON_OBJECT || json_size(v) == 0))
            code = err_set(reterr, ERR_BAD_REQUEST, "the key of a list's item is an object, not %.*s",
                           (int)MIN(rest.size, (size_t)200), rest.data);
        if (code == 0)
            *ret = element_of(a, key.data[0] == 'k' ? "k:" : "v:", v);
        json_doc_free(d);
        return code;
    default: return 0;
    }
}

static int parse_level(struct arena *a, const struct json *v, const struct field_set **ret, bool *ret_self,
                       struct err *reterr)
{
    struct field_nodes n = {0};
    struct json_iterator i = json_iterate(v);
    int code = 0;
    *ret = NULL;
    *ret_self = false;
    if (json_type(v) != JSON_OBJECT && json_type(v) != JSON_NULL)
        return err_set(reterr, ERR_BAD_REQUEST, "fieldsV1 is made of objects");
    while (code == 0 && json_type(v) == JSON_OBJECT && json_next(&i)) {
        const struct field_set *children = NULL;
        struct slice element;
        bool self;
        if (slice_is(i.key, ".")) {
            *ret_self = true;
            continue;
        }
        code = element_parse(a, i.key, &element, reterr);
        if (code == 0 && element.size > 0)
            code = parse_level(a, i.value, &children, &self, reterr);
        if (code == 0 && element.size > 0)
            field_nodes_add(&n, element, self || children == NULL, children);
    }
    const struct field_set *made = field_nodes_set(&n, a);
    if (code == 0)
        *ret = made;
    return code;
}

int field_set_parse(struct arena *a, const struct json *v, const struct field_set **ret, struct err *reterr)
{
    bool self;
    return parse_level(a, v, ret, &self, reterr);
}

bool field_set_touches(const struct json *fields, const struct field_set *s)
{
    for (size_t i = 0; s != NULL && i < s->count; i++) {
        const struct field_node *n = &s->nodes[i];
        const struct json *inner = json_get_slice(fields, n->element);
        if (inner == NULL)
            continue;
        if ((n->member && (json_size(inner) == 0 || json_get(inner, ".") != NULL)) ||
            field_set_touches(inner, n->children))
            return true;
    }
    return false;
}

static void print_level(struct json_doc *d, struct json *out, const struct field_set *s)
{
    for (size_t i = 0; s != NULL && i < s->count; i++) {
        const struct field_node *n = &s->nodes[i];
        struct json *inner = json_new_object(d);
        if (n->member && n->children != NULL)
            json_set(d, inner, ".", json_new_object(d));
        print_level(d, inner, n->children);
        json_add_slice(d, out, n->element, inner);
    }
}

struct json *field_set_json(struct json_doc *d, const struct field_set *s)
{
    struct json *out = json_new_object(d);
    print_level(d, out, s);
    return out;
}

/* ---- as people read it ---- */

void field_element_text(struct slice element, struct buf *out)
{
    struct slice rest = slice_from(element, 2);
    struct json_doc *d = json_doc_new();
    struct json *keys = NULL;
    switch (element.data[0]) {
    case 'f': buf_printf(out, ".%.*s", SLICE_ARGS(rest)); break;
    case 'v': buf_printf(out, "[=%.*s]", SLICE_ARGS(rest)); break;
    case 'k':
        buf_append_char(out, '[');
        if (json_parse(d, rest, &keys, NULL) == 0) { /* canonical, so it is JSON */
            struct json_iterator i = json_iterate(keys);
            while (json_next(&i)) {
                buf_printf(out, "%s%.*s=", i.position > 1 ? "," : "", SLICE_ARGS(i.key));
                json_print(i.value, out);
            }
        }
        buf_append_char(out, ']');
        break;
    default: buf_printf(out, "[%.*s]", SLICE_ARGS(rest));
    }
    json_doc_free(d);
}

static void each_below(const struct field_set *s, struct buf *path, void (*each)(void *arg, struct slice path),
                       void *arg)
{
    for (size_t i = 0; s != NULL && i < s->count; i++) {
        size_t mark = path->size;
        field_element_text(s->nodes[i].element, path);
        if (s->nodes[i].member)
            each(arg, buf_slice(path));
        each_below(s->nodes[i].children, path, each, arg);
        path->size = mark;
        path->data[mark] = '\0';
    }
}

void field_set_each(const struct field_set *s, void (*each)(void *arg, struct slice path), void *arg)
{
    struct buf path = {0};
    buf_append(&path, "", 0);
    each_below(s, &path, each, arg);
    buf_release(&path);
}
