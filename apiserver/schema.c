/* Walks a tree along its table. Decoding makes a new tree in table order, so that canonical bytes are a plain print. */
#include "common/base.h"

#include "apiserver/schema.h"
#include "common/clock.h"
#include "common/kube/quantity.h"
#include "common/map.h"
#include "common/mem.h"

#include <stdio.h>
#include <stdlib.h>

struct decoder {
    struct json_doc *d;
    struct buf plain;      /* path without indices, as Go names a struct field */
    const char *type_name; /* of the innermost object */
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

static void note_duplicate(void *strict, const char *path)
{
    strict_note(strict, mem_printf("duplicate field \"%s\"", path));
}

const struct json *strict_once(struct strict *s, struct json_doc *d, const struct json *v, bool merges)
{
    struct buf first = {0};
    bool twice = json_duplicate(v, &first);
    buf_release(&first);
    if (twice && s != NULL)
        json_duplicates(v, note_duplicate, s);
    return twice ? json_last_of_each(d, v, merges) : v;
}

void strict_message(const struct strict *s, struct buf *out)
{
    for (size_t i = 0; i < s->count; i++)
        buf_printf(out, "%s%s", i == 0 ? "" : ", ", s->texts[i]);
}

const struct field *schema_field(const struct type *t, struct slice name)
{
    for (const struct field *f = t->fields; f->name != NULL; f++) {
        if (f->flags & FIELD_INLINE) {
            const struct field *found = schema_field(f->object, name);
            if (found != NULL)
                return found;
        } else if (slice_is(name, f->name)) {
            return f;
        }
    }
    return NULL;
}

bool schema_requires(const struct field *f)
{
    return (f->flags & (FIELD_REQUIRED | FIELD_ZERO)) && !(f->flags & FIELD_OPTIONAL);
}

static void path_cut(struct buf *b, size_t mark)
{
    b->size = mark;
    if (b->data != NULL)
        b->data[mark] = '\0';
}

static void path_field(struct buf *b, struct slice name)
{
    if (b->size != 0)
        buf_append_char(b, '.');
    buf_append_slice(b, name);
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

static int wrong_type(struct decoder *x, const struct field *f, const struct json *v, const char *shape)
{
    struct buf number = {0};
    if (json_type(v) == JSON_NUMBER && f->type != FIELD_STRING && *shape == '\0')
        buf_printf(&number, " %.*s", SLICE_ARGS(json_number_text(v)));
    int code =
        err_set(x->reterr, ERR_BAD_REQUEST, "json: cannot unmarshal %s%s into Go struct field %s.%s of type %s%s",
                json_type_word(v), number.size == 0 ? "" : number.data, x->type_name, x->plain.data, shape, go_type(f));
    buf_release(&number);
    return code;
}

static int decode_object(struct decoder *x, const struct type *t, const struct json *in, struct json **ret);

static int decode_int(struct decoder *x, const struct field *f, const struct json *in, struct json **ret)
{
    int64_t v;
    if (!json_int(in, &v) || (f->type == FIELD_INT32 && (v < INT32_MIN || v > INT32_MAX)))
        return wrong_type(x, f, in, "");
    *ret = json_new_int(x->d, v);
    return 0;
}

static int decode_quantity(struct decoder *x, const struct field *f, const struct json *in, struct json **ret)
{
    bool number = json_type(in) == JSON_NUMBER;
    if (!number && json_type(in) != JSON_STRING)
        return wrong_type(x, f, in, "");
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

static int decode_time(struct decoder *x, const struct field *f, const struct json *in, struct json **ret)
{
    int64_t us;
    if (json_type(in) != JSON_STRING)
        return wrong_type(x, f, in, "");
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

static int decode_bytes(struct decoder *x, const struct field *f, const struct json *in, struct json **ret)
{
    size_t at;
    if (json_type(in) != JSON_STRING)
        return wrong_type(x, f, in, "");
    if (!base64_ok(json_string(in), &at))
        return err_set(x->reterr, ERR_BAD_REQUEST, "illegal base64 data at input byte %zu", at);
    *ret = json_copy(x->d, in);
    return 0;
}

/* One value that is not null. */
static int decode_value(struct decoder *x, const struct field *f, const struct json *in, struct json **ret)
{
    enum json_type type = json_type(in);
    switch (f->type) {
    case FIELD_OBJECT: return decode_object(x, f->object, in, ret);
    case FIELD_INT32:
    case FIELD_INT64: return decode_int(x, f, in, ret);
    case FIELD_QUANTITY: return decode_quantity(x, f, in, ret);
    case FIELD_TIME:
    case FIELD_MICRO_TIME: return decode_time(x, f, in, ret);
    case FIELD_BYTES: return decode_bytes(x, f, in, ret);
    case FIELD_INT_OR_STRING:
        if (type == JSON_NUMBER)
            return decode_int(x, &(struct field){.name = f->name, .type = FIELD_INT32}, in, ret);
        break;
    case FIELD_BOOL:
        if (type != JSON_BOOL)
            return wrong_type(x, f, in, "");
        *ret = json_copy(x->d, in);
        return 0;
    case FIELD_DOUBLE:
        if (type != JSON_NUMBER)
            return wrong_type(x, f, in, "");
        *ret = json_copy(x->d, in);
        return 0;
    case FIELD_RAW: *ret = json_copy(x->d, in); return 0;
    default: break;
    }
    if (type != JSON_STRING)
        return wrong_type(x, f, in, "");
    *ret = json_copy(x->d, in);
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

static int decode_element(struct decoder *x, const struct field *f, const struct json *in, struct json **ret)
{
    if (json_type(in) == JSON_NULL) {
        *ret = zero_value(x->d, f);
        return 0;
    }
    return decode_value(x, f, in, ret);
}

static int decode_list(struct decoder *x, const struct field *f, const struct json *in, struct json **ret)
{
    if (json_type(in) != JSON_ARRAY)
        return wrong_type(x, f, in, "[]");
    struct json *list = json_new_array(x->d);
    struct json_iterator i = json_iterate(in);
    while (json_next(&i)) {
        struct json *value = NULL;
        int code = decode_element(x, f, i.value, &value);
        if (code != 0)
            return code;
        json_append(list, value);
    }
    *ret = list;
    return 0;
}

struct pair {
    struct slice key;
    const struct json *value;
};

static int pair_order(const void *a, const void *b)
{
    return slice_compare(((const struct pair *)a)->key, ((const struct pair *)b)->key);
}

static int decode_pairs(struct decoder *x, const struct field *f, struct pair *pairs, size_t n, struct json *map)
{
    for (size_t k = 0; k < n; k++) {
        if (k + 1 < n && slice_equal(pairs[k].key, pairs[k + 1].key))
            continue; /* qsort is stable in glibc for what fits; either way one of the two stays, as in Go the last */
        struct json *value = NULL;
        int code = decode_element(x, f, pairs[k].value, &value);
        if (code != 0)
            return code;
        json_add_slice(x->d, map, pairs[k].key, value);
    }
    return 0;
}

static int decode_map(struct decoder *x, const struct field *f, const struct json *in, struct json **ret)
{
    if (json_type(in) != JSON_OBJECT)
        return wrong_type(x, f, in, "map[string]");
    size_t n = json_size(in), at = 0;
    struct pair *pairs = mem_alloc(MAX(n, (size_t)1) * sizeof *pairs);
    struct json_iterator i = json_iterate(in);
    while (json_next(&i) && at < n)
        pairs[at++] = (struct pair){i.key, i.value};
    qsort(pairs, at, sizeof *pairs, pair_order);
    struct json *map = json_new_object(x->d);
    int code = decode_pairs(x, f, pairs, at, map);
    mem_free(pairs);
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

static int decode_shape(struct decoder *x, const struct field *f, const struct json *in, struct json **ret)
{
    if (json_type(in) == JSON_NONE || json_type(in) == JSON_NULL) {
        bool object = f->type == FIELD_OBJECT && f->shape == FIELD_ONE;
        if (!(f->flags & FIELD_ALWAYS))
            return 0;
        if (!object) {
            *ret = json_new_null(x->d);
            return 0;
        }
        in = json_new_object(x->d);
    }
    switch (f->shape) {
    case FIELD_LIST: return decode_list(x, f, in, ret);
    case FIELD_MAP: return decode_map(x, f, in, ret);
    default: return decode_value(x, f, in, ret);
    }
}

/* Decodes the fields of `t` that stand in `in` into `out`. */
static int decode_fields(struct decoder *x, const struct type *t, const struct json *in, struct json *out)
{
    for (const struct field *f = t->fields; f->name != NULL; f++) {
        if (f->flags & FIELD_INLINE) {
            int code = decode_fields(x, f->object, in, out);
            if (code != 0)
                return code;
            continue;
        }
        const struct json *value = json_get(in, f->name);
        size_t plain = x->plain.size;
        path_field(&x->plain, slice_str(f->name));
        const char *outer = x->type_name;
        x->type_name = t->name;
        struct json *made = NULL;
        int code = decode_shape(x, f, value, &made);
        if (code != 0)
            return code;
        x->type_name = outer;
        if (made != NULL && ((f->flags & FIELD_ALWAYS) || !is_empty(f, made)))
            json_set(x->d, out, f->name, made);
        path_cut(&x->plain, plain);
    }
    return 0;
}

/* Unknown fields, in the order of the document, as the strict decoder of Go tells them. */
struct unknown {
    struct strict *strict;
    struct buf path;
};

static void note_unknown(struct unknown *u, const struct type *t, const struct json *in);

static void note_unknown_inside(struct unknown *u, const struct field *f, const struct json *in)
{
    if (f->type != FIELD_OBJECT)
        return;
    if (f->shape == FIELD_ONE) {
        note_unknown(u, f->object, in);
        return;
    }
    struct json_iterator i = json_iterate(in);
    while (json_next(&i)) {
        size_t mark = u->path.size;
        if (f->shape == FIELD_LIST)
            buf_printf(&u->path, "[%zu]", i.position - 1);
        else
            path_field(&u->path, i.key);
        note_unknown(u, f->object, i.value);
        path_cut(&u->path, mark);
    }
}

static void note_unknown(struct unknown *u, const struct type *t, const struct json *in)
{
    struct json_iterator i = json_iterate(in);
    while (json_type(in) == JSON_OBJECT && json_next(&i)) {
        size_t mark = u->path.size;
        const struct field *f = schema_field(t, i.key);
        path_field(&u->path, i.key);
        if (f != NULL)
            note_unknown_inside(u, f, i.value);
        else
            strict_note(u->strict, mem_printf("unknown field \"%s\"", u->path.data));
        path_cut(&u->path, mark);
    }
}

static int decode_object(struct decoder *x, const struct type *t, const struct json *in, struct json **ret)
{
    if (json_type(in) != JSON_OBJECT)
        return wrong_type(x, &(struct field){.name = "", .type = FIELD_OBJECT, .object = t}, in, "");
    struct json *out = json_new_object(x->d);
    int code = decode_fields(x, t, in, out);
    if (code == 0)
        *ret = out;
    return code;
}

int schema_decode(struct json_doc *d, const struct type *t, const struct json *in, struct strict *strict,
                  struct json **ret, struct err *reterr)
{
    struct decoder x = {.d = d, .type_name = t->name, .reterr = reterr};
    buf_append(&x.plain, "", 0);
    const struct json *once = strict == NULL ? in : strict_once(NULL, d, in, true);
    int code = decode_object(&x, t, once, ret);
    if (code == 0 && strict != NULL) {
        struct unknown u = {.strict = strict};
        note_unknown(&u, t, once);
        buf_release(&u.path);
    }
    if (code == 0 && once != in)
        json_duplicates(in, note_duplicate, strict);
    buf_release(&x.plain);
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

static void default_fields(struct json_doc *d, const struct type *t, struct json *v)
{
    for (const struct field *f = t->fields; f->name != NULL; f++) {
        if (f->flags & FIELD_INLINE) {
            default_fields(d, f->object, v);
            if (f->object->fill != NULL)
                f->object->fill(d, v);
            continue;
        }
        struct json *value = json_get(v, f->name);
        if (f->fallback != NULL && (value == NULL || json_type(value) == JSON_NULL)) {
            struct json *made = NULL;
            int code = json_parse(d, slice_str(f->fallback), &made, NULL);
            ASSERT(code == 0); /* a table's own text */
            json_set(d, v, f->name, made);
            value = json_get(v, f->name);
        }
        if (value == NULL && (f->flags & FIELD_ALWAYS) && f->type == FIELD_OBJECT && f->shape == FIELD_ONE) {
            json_set(d, v, f->name, json_new_object(d));
            value = json_get(v, f->name);
        }
        if (value != NULL && json_type(value) != JSON_NULL)
            default_children(d, f, value);
    }
}

/* Children first: a hook of the outer type sees them filled. */
void schema_default(struct json_doc *d, const struct type *t, struct json *v)
{
    default_fields(d, t, v);
    if (t->fill != NULL)
        t->fill(d, v);
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

/* Two elements of a keyed list with one name: only where the name is the whole key, since Kubernetes tolerates the
 * others. */
static void check_duplicates(struct check *c, const struct field *f, const struct json *v)
{
    if (f->shape != FIELD_LIST || f->list != LIST_MAP || f->list_keys == NULL || strcmp(f->list_keys, "name") != 0)
        return;
    struct map seen = {0};
    struct json_iterator i = json_iterate(v);
    while (json_next(&i)) {
        const struct json *name = json_get(i.value, "name");
        if (json_string(name).size == 0 || map_put(&seen, json_string(name), c) == NULL)
            continue;
        size_t mark = check_enter_index(c, i.position - 1);
        check_fail_at(c, "name", CHECK_DUPLICATE, name, "%s", "");
        check_leave(c, mark);
    }
    map_release(&seen);
}

static void check_field(struct check *c, const struct field *f, const struct json *v)
{
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

void schema_check(struct check *c, const struct type *t, const struct json *v)
{
    for (const struct field *f = t->fields; f->name != NULL; f++) {
        if (f->flags & FIELD_INLINE)
            schema_check(c, f->object, v);
        else
            check_field(c, f, json_get(v, f->name));
    }
    if (t->check != NULL)
        t->check(c, v);
}
