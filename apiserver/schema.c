/* Walks a tree along its table. Decoding makes a new tree in table order, so that canonical bytes are a plain print. */
#include "common/base.h"

#include "apiserver/schema.h"
#include "common/clock.h"
#include "common/kube/quantity.h"
#include "common/map.h"
#include "common/mem.h"

#include <stdio.h>
#include <stdlib.h>

/* Where the decoder is, from the inside out (the root has no outer one); written as a path only when there is something
 * to tell. */
struct place {
    const struct place *outer;
    struct slice name; /* of a field or a key; data NULL: `index` counts */
    size_t index;
    const char *type_name; /* of the object that has the field; NULL: an element or a map's key */
};

struct decoder {
    struct json_doc *d;
    struct strict *strict; /* NULL: nobody wants to know */
    bool merges;           /* objects stand under one name */
    struct err *reterr;
};

void strict_release(struct strict *s)
{
    for (size_t i = 0; i < s->count; i++)
        mem_free(s->texts[i]);
    s->count = s->dropped = 0;
}

void strict_note(struct strict *s, char *text)
{
    if (s->count < STRICT_ERRORS_MAX) {
        s->texts[s->count++] = text;
        return;
    }
    s->dropped++;
    mem_free(text);
}

static void note_twice(void *strict, const char *path)
{
    strict_note(strict, mem_printf("duplicate field \"%s\"", path));
}

const struct json *strict_once(struct strict *s, struct json_doc *d, const struct json *v)
{
    struct buf first = {0};
    bool twice = json_duplicate(v, &first);
    buf_release(&first);
    if (twice && s != NULL)
        json_duplicates(v, note_twice, s);
    return twice ? json_last_of_each(d, v, false) : v;
}

void strict_message(const struct strict *s, struct buf *out)
{
    for (size_t i = 0; i < s->count; i++)
        buf_printf(out, "%s%s", i == 0 ? "" : ", ", s->texts[i]);
}

bool schema_requires(const struct field *f)
{
    return (f->flags & (FIELD_REQUIRED | FIELD_ZERO)) && !(f->flags & FIELD_OPTIONAL);
}

/* As Go names a struct field: without indices and keys. */
static void plain_path(const struct place *p, struct buf *out)
{
    if (p->outer == NULL)
        return;
    plain_path(p->outer, out);
    if (p->type_name == NULL)
        return;
    if (out->size != 0)
        buf_append_char(out, '.');
    buf_append_slice(out, p->name);
}

static void whole_path(const struct place *p, struct buf *out)
{
    if (p->outer == NULL)
        return;
    whole_path(p->outer, out);
    if (p->name.data == NULL) {
        buf_printf(out, "[%zu]", p->index);
        return;
    }
    if (out->size != 0)
        buf_append_char(out, '.');
    buf_append_slice(out, p->name);
}

static void note(struct decoder *x, const char *what, const struct place *p)
{
    struct buf path = {0};
    if (x->strict == NULL)
        return;
    whole_path(p, &path);
    strict_note(x->strict, mem_printf("%s field \"%s\"", what, path.data));
    buf_release(&path);
}

static void note_duplicate(struct decoder *x, const struct place *p, const struct json *before,
                           const struct json *value)
{
    x->merges |= json_type(before) == JSON_OBJECT && json_type(value) == JSON_OBJECT;
    note(x, "duplicate", p);
}

/* ---- members of an object, by their fields ---- */

#define FIELDS_MAX 128 /* of one type with all that it inlines: twice what the largest has */

static size_t field_count(const struct type *t)
{
    size_t n = 0;
    for (const struct field *f = t->fields; f->name != NULL; f++)
        n += f->flags & FIELD_INLINE ? field_count(f->object) : 1;
    return n;
}

static bool is_named(const struct field *f, struct slice name)
{
    return name.size > 0 && f->name[0] == name.data[0] && strncmp(f->name, name.data, name.size) == 0 &&
           f->name[name.size] == '\0';
}

/* A search that goes on where the last one ended: members mostly come in the order of the table, or nearly so. */
struct finder {
    const struct type *type;
    const struct field *next; /* NULL: at the table's beginning */
    size_t slot;              /* of `next`: how many fields stand before it, what is inlined counted */
};

static const struct field *found(struct finder *w, const struct field *f, size_t slot, size_t *ret_slot)
{
    w->next = f + 1;
    w->slot = slot + 1;
    *ret_slot = slot;
    return f;
}

static const struct field *finder_find(struct finder *w, struct slice name, size_t *ret_slot)
{
    size_t slot = w->slot, inner = 0;
    for (const struct field *f = w->next; f != NULL && f->name != NULL && !(f->flags & FIELD_INLINE); f++, slot++)
        if (is_named(f, name))
            return found(w, f, slot, ret_slot);
    slot = 0;
    for (const struct field *f = w->type->fields; f->name != NULL; f++) {
        if (!(f->flags & FIELD_INLINE)) {
            if (is_named(f, name))
                return found(w, f, slot, ret_slot);
            slot++;
            continue;
        }
        struct finder inside = {.type = f->object};
        const struct field *inlined = finder_find(&inside, name, &inner);
        *ret_slot = slot + inner;
        if (inlined != NULL)
            return inlined;
        slot += field_count(f->object);
    }
    *ret_slot = 0;
    return NULL;
}

const struct field *schema_field(const struct type *t, struct slice name)
{
    size_t slot;
    return finder_find(&(struct finder){.type = t}, name, &slot);
}

static const char *go_type(const struct field *f)
{
    switch (f->type) {
    case FIELD_BOOL: return "bool";
    case FIELD_INT32: return "int32";
    case FIELD_INT64: return "int64";
    case FIELD_DOUBLE: return "float64";
    case FIELD_BYTES: return "[]uint8";
    case FIELD_OBJECT: return f->object->name;
    default: return "string";
    }
}

static const char *json_type_word(const struct json *v)
{
    switch (json_type(v)) {
    case JSON_BOOL: return "bool";
    case JSON_NUMBER: return "number";
    case JSON_STRING: return "string";
    case JSON_ARRAY: return "array";
    case JSON_OBJECT: return "object";
    default: return "null";
    }
}

static int wrong_type(struct decoder *x, const struct place *at, const struct field *f, const struct json *v,
                      const char *shape)
{
    struct buf number = {0}, path = {0};
    const struct place *of_field = at;
    while (of_field->type_name == NULL && of_field->outer != NULL)
        of_field = of_field->outer;
    bool numeric = f->type == FIELD_INT32 || f->type == FIELD_INT64 || f->type == FIELD_DOUBLE;
    if (json_type(v) == JSON_NUMBER && numeric && *shape == '\0')
        buf_printf(&number, " %.*s", SLICE_ARGS(json_number_text(v)));
    buf_append(&path, "", 0);
    plain_path(at, &path);
    int code = err_set(x->reterr, ERR_BAD_REQUEST,
                       "json: cannot unmarshal %s%s into Go struct field %s.%s of type %s%s", json_type_word(v),
                       number.size == 0 ? "" : number.data, of_field->type_name, path.data, shape, go_type(f));
    buf_release(&number);
    buf_release(&path);
    return code;
}

static int decode_object(struct decoder *x, const struct place *at, const struct type *t, const struct json *in,
                         struct json **ret);

/* "12", "-3": text that an integer is printed as. */
static bool plain_digits(struct slice s)
{
    size_t at = s.size > 1 && s.data[0] == '-' ? 1 : 0;
    if (s.size == 0 || s.size > 9 || (s.data[at] == '0' && s.size > 1))
        return false;
    for (; at < s.size; at++)
        if (s.data[at] < '0' || s.data[at] > '9')
            return false;
    return true;
}

static int decode_int(struct decoder *x, const struct place *at, const struct field *f, const struct json *in,
                      struct json **ret)
{
    int64_t v;
    if (plain_digits(json_number_text(in))) {
        *ret = json_share(x->d, in);
        return 0;
    }
    if (!json_int(in, &v) || (f->type == FIELD_INT32 && (v < INT32_MIN || v > INT32_MAX)))
        return wrong_type(x, at, f, in, "");
    *ret = json_new_int(x->d, v);
    return 0;
}

static int decode_quantity(struct decoder *x, const struct place *at, const struct field *f, const struct json *in,
                           struct json **ret)
{
    bool number = json_type(in) == JSON_NUMBER;
    if (!number && json_type(in) != JSON_STRING)
        return wrong_type(x, at, f, in, "");
    struct quantity q;
    int code = quantity_parse(number ? json_number_text(in) : json_string(in), &q, x->reterr);
    if (code != 0) {
        if (x->reterr != NULL)
            x->reterr->code = ERR_BAD_REQUEST;
        return ERR_BAD_REQUEST;
    }
    struct buf text = {0};
    quantity_print(q, &text);
    *ret = json_new_string(x->d, buf_slice(&text));
    buf_release(&text);
    return 0;
}

static int decode_time(struct decoder *x, const struct place *at, const struct field *f, const struct json *in,
                       struct json **ret)
{
    int64_t us;
    if (json_type(in) != JSON_STRING)
        return wrong_type(x, at, f, in, "");
    struct slice text = json_string(in);
    if (time_parse(text, &us) != 0)
        return err_set(x->reterr, ERR_BAD_REQUEST,
                       "parsing time \"%.*s\" as \"2006-01-02T15:04:05Z07:00\": cannot parse \"%.*s\" as \"2006\"",
                       SLICE_ARGS(text), SLICE_ARGS(text));
    char out[TIME_TEXT_MAX];
    time_format(us, f->type == FIELD_MICRO_TIME ? 6 : 0, out);
    *ret = json_new_str(x->d, out);
    return 0;
}

static bool base64_ok(struct slice s, size_t *ret_at)
{
    size_t pad = 0;
    for (size_t i = 0; i < s.size; i++) {
        char c = s.data[i];
        bool digit = (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '+' || c == '/';
        if (c == '=' ? (i + 2 < s.size) : (!digit || pad > 0)) {
            *ret_at = i;
            return false;
        }
        pad += c == '=' ? 1 : 0;
    }
    *ret_at = s.size & ~(size_t)3;
    return s.size % 4 == 0;
}

static int decode_bytes(struct decoder *x, const struct place *at, const struct field *f, const struct json *in,
                        struct json **ret)
{
    size_t wrong;
    if (json_type(in) != JSON_STRING)
        return wrong_type(x, at, f, in, "");
    if (!base64_ok(json_string(in), &wrong))
        return err_set(x->reterr, ERR_BAD_REQUEST, "illegal base64 data at input byte %zu", wrong);
    *ret = json_share(x->d, in);
    return 0;
}

/* One value that is not null. */
static int decode_value(struct decoder *x, const struct place *at, const struct field *f, const struct json *in,
                        struct json **ret)
{
    enum json_type type = json_type(in), wanted = JSON_STRING;
    switch (f->type) {
    case FIELD_OBJECT: return decode_object(x, at, f->object, in, ret);
    case FIELD_INT32:
    case FIELD_INT64: return decode_int(x, at, f, in, ret);
    case FIELD_QUANTITY: return decode_quantity(x, at, f, in, ret);
    case FIELD_TIME:
    case FIELD_MICRO_TIME: return decode_time(x, at, f, in, ret);
    case FIELD_BYTES: return decode_bytes(x, at, f, in, ret);
    case FIELD_INT_OR_STRING:
        if (type == JSON_NUMBER)
            return decode_int(x, at, &(struct field){.name = f->name, .type = FIELD_INT32}, in, ret);
        break;
    case FIELD_BOOL: wanted = JSON_BOOL; break;
    case FIELD_DOUBLE: wanted = JSON_NUMBER; break;
    case FIELD_RAW: wanted = type; break;
    default: break;
    }
    if (type != wanted)
        return wrong_type(x, at, f, in, "");
    *ret = json_share(x->d, in);
    return 0;
}

/* What Go makes of null inside a list or a map: the zero value. */
static struct json *zero_value(struct json_doc *d, const struct field *f)
{
    switch (f->type) {
    case FIELD_OBJECT: return json_new_object(d);
    case FIELD_BOOL: return json_new_bool(d, false);
    case FIELD_INT32:
    case FIELD_INT64:
    case FIELD_DOUBLE: return json_new_int(d, 0);
    case FIELD_QUANTITY: return json_new_str(d, "0");
    default: return json_new_str(d, "");
    }
}

static int decode_element(struct decoder *x, const struct place *at, const struct field *f, const struct json *in,
                          struct json **ret)
{
    if (json_type(in) == JSON_NULL) {
        *ret = zero_value(x->d, f);
        return 0;
    }
    return decode_value(x, at, f, in, ret);
}

static int decode_list(struct decoder *x, const struct place *at, const struct field *f, const struct json *in,
                       struct json **ret)
{
    if (json_type(in) != JSON_ARRAY)
        return wrong_type(x, at, f, in, "[]");
    struct json *list = json_new_array(x->d);
    struct json_iterator i = json_iterate(in);
    while (json_next(&i)) {
        struct json *value = NULL;
        const struct place p = {.outer = at, .index = i.position - 1};
        int code = decode_element(x, &p, f, i.value, &value);
        if (code != 0)
            return code;
        json_append(list, value);
    }
    *ret = list;
    return 0;
}

struct pair {
    struct slice key;
    size_t position;
    struct json *value;
};

static int pair_order(const void *a, const void *b)
{
    const struct pair *p = a, *q = b;
    int order = slice_compare(p->key, q->key);
    return order != 0 ? order : (p->position > q->position) - (p->position < q->position);
}

/* Of a key that stands twice the last value counts, as in Go. */
static void note_repeated(struct decoder *x, const struct place *at, const struct pair *pairs, size_t n)
{
    for (size_t k = 0; k + 1 < n; k++)
        if (slice_equal(pairs[k].key, pairs[k + 1].key))
            note_duplicate(x, &(struct place){.outer = at, .name = pairs[k].key}, pairs[k].value, pairs[k + 1].value);
}

static int decode_map(struct decoder *x, const struct place *at, const struct field *f, const struct json *in,
                      struct json **ret)
{
    if (json_type(in) != JSON_OBJECT)
        return wrong_type(x, at, f, in, "map[string]");
    struct pair few[8], *pairs = json_size(in) <= ARRAY_LEN(few) ? few : mem_alloc(json_size(in) * sizeof *pairs);
    struct json *map = json_new_object(x->d);
    struct json_iterator i = json_iterate(in);
    size_t n = 0;
    bool ordered = true;
    int code = 0;
    while (code == 0 && json_next(&i)) {
        const struct place p = {.outer = at, .name = i.key};
        pairs[n] = (struct pair){.key = i.key, .position = n};
        code = decode_element(x, &p, f, i.value, &pairs[n].value);
        ordered = ordered && (n == 0 || slice_compare(pairs[n - 1].key, i.key) < 0);
        n++;
    }
    if (code == 0 && !ordered) {
        qsort(pairs, n, sizeof *pairs, pair_order);
        note_repeated(x, at, pairs, n);
    }
    for (size_t k = 0; code == 0 && k < n; k++)
        if (k + 1 == n || !slice_equal(pairs[k].key, pairs[k + 1].key))
            json_add_slice(x->d, map, pairs[k].key, pairs[k].value);
    if (pairs != few)
        mem_free(pairs);
    if (code == 0)
        *ret = map;
    return code;
}

/* Go's omitempty: what disappears from canonical bytes. */
static bool is_empty(const struct field *f, const struct json *v)
{
    if (f->flags & (FIELD_POINTER | FIELD_ZERO | FIELD_REQUIRED))
        return false;
    int64_t n;
    switch (json_type(v)) {
    case JSON_STRING: return json_string(v).size == 0;
    case JSON_BOOL: return !json_bool(v, true);
    case JSON_NUMBER: return f->type != FIELD_INT_OR_STRING && json_int(v, &n) && n == 0;
    case JSON_ARRAY: return json_size(v) == 0;
    case JSON_OBJECT: return f->shape == FIELD_MAP && json_size(v) == 0;
    default: return true;
    }
}

/* The value of a field; nothing of null. */
static int decode_shape(struct decoder *x, const struct place *at, const struct field *f, const struct json *in,
                        struct json **ret)
{
    if (json_type(in) == JSON_NULL)
        return 0;
    switch (f->shape) {
    case FIELD_LIST: return decode_list(x, at, f, in, ret);
    case FIELD_MAP: return decode_map(x, at, f, in, ret);
    default: return decode_value(x, at, f, in, ret);
    }
}

/* In the order of the document, in which Go too meets what is wrong. */
static int decode_members(struct decoder *x, const struct place *at, const struct type *t, const struct json *in,
                          struct json **made)
{
    struct finder w = {.type = t};
    struct json_iterator i = json_iterate(in);
    bool seen[FIELDS_MAX] = {false};
    while (json_next(&i)) {
        size_t slot;
        const struct field *f = finder_find(&w, i.key, &slot);
        const struct place p = {.outer = at, .name = i.key, .type_name = t->name};
        if (f == NULL) {
            note(x, "unknown", &p);
            continue;
        }
        if (seen[slot])
            note_duplicate(x, &p, made[slot], i.value);
        if (json_type(i.value) == JSON_NULL && (f->shape != FIELD_ONE || (f->flags & FIELD_POINTER)))
            made[slot] = NULL; /* what Go sets to nil; all else a null leaves as it was */
        seen[slot] = true;
        int code = decode_shape(x, &p, f, i.value, &made[slot]);
        if (code != 0)
            return code;
    }
    return 0;
}

/* What was made, in the order of the table. */
static int emit(struct decoder *x, const struct place *at, const struct type *t, struct json **made, size_t *slot,
                struct json *out)
{
    for (const struct field *f = t->fields; f->name != NULL; f++) {
        int code = 0;
        if (f->flags & FIELD_INLINE) {
            code = emit(x, at, f->object, made, slot, out);
        } else {
            struct json *v = made[(*slot)++];
            if (v == NULL && (f->flags & FIELD_ALWAYS) && f->type == FIELD_OBJECT && f->shape == FIELD_ONE)
                code = decode_object(x, at, f->object, json_new_object(x->d), &v);
            else if (v == NULL && (f->flags & FIELD_ALWAYS))
                v = json_new_null(x->d);
            if (v != NULL && ((f->flags & FIELD_ALWAYS) || !is_empty(f, v)))
                json_add_named(x->d, out, f->name, strlen(f->name), v);
        }
        if (code != 0)
            return code;
    }
    return 0;
}

static int decode_object(struct decoder *x, const struct place *at, const struct type *t, const struct json *in,
                         struct json **ret)
{
    struct json *made[FIELDS_MAX];
    size_t slot = 0, n = field_count(t);
    ASSERT(n <= FIELDS_MAX); /* a table's own size */
    if (json_type(in) != JSON_OBJECT)
        return wrong_type(x, at, &(struct field){.name = "", .type = FIELD_OBJECT, .object = t}, in, "");
    memset(made, 0, n * sizeof made[0]);
    int code = decode_members(x, at, t, in, made);
    struct json *out = json_new_object(x->d);
    if (code == 0)
        code = emit(x, at, t, made, &slot, out);
    if (code == 0)
        *ret = out;
    return code;
}

int schema_decode(struct json_doc *d, const struct type *t, const struct json *in, struct strict *strict,
                  struct json **ret, struct err *reterr)
{
    struct decoder x = {.d = d, .strict = strict, .reterr = reterr};
    size_t noted = strict == NULL ? 0 : strict->count;
    const struct place root = {.outer = NULL, .type_name = t->name};
    int code = decode_object(&x, &root, t, in, ret);
    while (code != 0 && strict != NULL && strict->count > noted) /* a wrong type is told alone */
        mem_free(strict->texts[--strict->count]);
    if (code == 0 && x.merges) { /* Go decodes the second object into the first: what they say together */
        x.strict = NULL;
        code = decode_object(&x, &root, t, json_last_of_each(d, in, true), ret);
    }
    return code;
}

static void default_children(struct json_doc *d, const struct field *f, struct json *v)
{
    if (f->type != FIELD_OBJECT)
        return;
    if (f->shape == FIELD_ONE) {
        schema_default(d, f->object, v);
        return;
    }
    struct json_iterator i = json_iterate(v);
    while (json_next(&i))
        schema_default(d, f->object, i.value);
}

/* What is missing and has a default, or is always there. */
static void default_missing(struct json_doc *d, const struct field *f, struct json *v)
{
    bool always = (f->flags & FIELD_ALWAYS) && f->type == FIELD_OBJECT && f->shape == FIELD_ONE;
    if (f->fallback == NULL && !always)
        return;
    struct json *value = json_get(v, f->name), *made = NULL;
    if (f->fallback != NULL && (value == NULL || json_type(value) == JSON_NULL)) {
        int code = json_parse(d, slice_str(f->fallback), &made, NULL);
        ASSERT(code == 0); /* a table's own text */
    } else if (value == NULL && always) {
        made = json_new_object(d);
    }
    if (made != NULL)
        json_set(d, v, f->name, made);
}

static void default_all_missing(struct json_doc *d, const struct type *t, struct json *v)
{
    for (const struct field *f = t->fields; f->name != NULL; f++) {
        if (f->flags & FIELD_INLINE)
            default_all_missing(d, f->object, v);
        else
            default_missing(d, f, v);
    }
}

static void fill(struct json_doc *d, const struct type *t, struct json *v)
{
    for (const struct field *f = t->fields; f->name != NULL; f++)
        if (f->flags & FIELD_INLINE)
            fill(d, f->object, v);
    if (t->fill != NULL)
        t->fill(d, v);
}

/* Children first: a hook of the outer type sees them filled, and what is inlined. */
void schema_default(struct json_doc *d, const struct type *t, struct json *v)
{
    struct finder w = {.type = t};
    size_t slot;
    default_all_missing(d, t, v);
    struct json_iterator i = json_iterate(v);
    while (json_next(&i)) {
        const struct field *f = finder_find(&w, i.key, &slot);
        if (f != NULL && json_type(i.value) != JSON_NULL)
            default_children(d, f, i.value);
    }
    fill(d, t, v);
}

static bool is_missing(const struct json *v)
{
    switch (json_type(v)) {
    case JSON_STRING: return json_string(v).size == 0;
    case JSON_ARRAY: return json_size(v) == 0;
    case JSON_NONE:
    case JSON_NULL: return true;
    default: return false;
    }
}

static void check_one_of(struct check *c, const struct field *f, const struct json *v)
{
    if (f->one_of == NULL || json_type(v) != JSON_STRING || json_string(v).size == 0)
        return;
    for (size_t i = 0; f->one_of[i] != NULL; i++) {
        if (slice_is(json_string(v), f->one_of[i]))
            return;
    }
    check_fail_one_of(c, v, f->one_of);
}

static void check_members(struct check *c, const struct field *f, const struct json *v)
{
    if (f->type != FIELD_OBJECT)
        return;
    if (f->shape == FIELD_ONE) {
        schema_check(c, f->object, v);
        return;
    }
    struct json_iterator i = json_iterate(v);
    while (json_next(&i)) {
        size_t mark = f->shape == FIELD_LIST ? check_enter_index(c, i.position - 1) : check_enter_key(c, i.key);
        schema_check(c, f->object, i.value);
        check_leave(c, mark);
    }
}

/* The names of a list's elements so far. Few are looked through, many are found by their hash. */
struct names {
    struct slice few[16];
    size_t count;
    struct map many;
};

static bool names_add(struct names *n, struct slice name) /* false: it is there */
{
    if (n->many.size > 0)
        return map_put(&n->many, name, n) == NULL;
    for (size_t i = 0; i < n->count; i++)
        if (slice_equal(n->few[i], name))
            return false;
    if (n->count < ARRAY_LEN(n->few)) {
        n->few[n->count++] = name;
        return true;
    }
    for (size_t i = 0; i < n->count; i++)
        (void)map_put(&n->many, n->few[i], n); /* all differ */
    return map_put(&n->many, name, n) == NULL;
}

/* Two elements of a keyed list with one name: only where the name is the whole key, since Kubernetes tolerates the
 * others. */
static void check_duplicates(struct check *c, const struct field *f, const struct json *v)
{
    if (f->shape != FIELD_LIST || f->list != LIST_MAP || f->list_keys == NULL || strcmp(f->list_keys, "name") != 0)
        return;
    struct names seen = {.count = 0};
    struct json_iterator i = json_iterate(v);
    while (json_next(&i)) {
        const struct json *name = json_get(i.value, "name");
        if (json_string(name).size == 0 || names_add(&seen, json_string(name)))
            continue;
        size_t mark = check_enter_index(c, i.position - 1);
        check_fail_at(c, "name", CHECK_DUPLICATE, name, "%s", "");
        check_leave(c, mark);
    }
    map_release(&seen.many);
}

static void check_field(struct check *c, const struct field *f, const struct json *v)
{
    if (v == NULL && !(f->flags & FIELD_REQUIRED))
        return;
    size_t mark = check_enter(c, f->name);
    if ((f->flags & (FIELD_REQUIRED | FIELD_TOLD)) == FIELD_REQUIRED && is_missing(v)) {
        check_fail(c, CHECK_REQUIRED, NULL, "%s", f->required == NULL ? "" : f->required);
    } else if (v != NULL && json_type(v) != JSON_NULL) {
        check_one_of(c, f, v);
        if (f->check != NULL)
            f->check(c, v);
        check_members(c, f, v);
        check_duplicates(c, f, v);
    }
    check_leave(c, mark);
}

static void check_all(struct check *c, const struct type *t, struct json *const *members, size_t *slot,
                      const struct json *v)
{
    for (const struct field *f = t->fields; f->name != NULL; f++) {
        if (!(f->flags & FIELD_INLINE)) {
            check_field(c, f, members[(*slot)++]);
            continue;
        }
        check_all(c, f->object, members, slot, v);
        if (f->object->check != NULL)
            f->object->check(c, v);
    }
}

/* In the order of the table, in which Kubernetes too tells what is wrong. */
void schema_check(struct check *c, const struct type *t, const struct json *v)
{
    struct json *members[FIELDS_MAX];
    struct finder w = {.type = t};
    size_t slot, n = field_count(t);
    ASSERT(n <= FIELDS_MAX); /* as in decode_object */
    memset(members, 0, n * sizeof members[0]);
    struct json_iterator i = json_iterate(v);
    while (json_type(v) == JSON_OBJECT && json_next(&i))
        if (finder_find(&w, i.key, &slot) != NULL)
            members[slot] = i.value;
    slot = 0;
    check_all(c, t, members, &slot, v);
    if (t->check != NULL)
        t->check(c, v);
}

void schema_check_member(struct check *c, const struct type *t, const char *name, const struct json *v)
{
    const struct field *f = schema_field(t, slice_str(name));
    if (f != NULL)
        check_field(c, f, json_get(v, name));
}
