/* Merge patch is four lines of RFC 7386. Strategic merge walks target and patch together along the type's table: a
 * field's row says whether a list is merged, by which key, and whether a map drops what the patch does not retain. */
#include "common/base.h"

#include "apiserver/patch.h"
#include "apiserver/schema.h"
#include "common/mem.h"

#include <stdlib.h>

struct json *patch_merge(struct json_doc *d, const struct json *target, const struct json *patch)
{
    if (json_type(patch) != JSON_OBJECT)
        return json_copy(d, patch);
    struct json *out = json_type(target) == JSON_OBJECT ? json_copy(d, target) : json_new_object(d);
    struct json_iterator i = json_iterate(patch);
    while (json_next(&i)) {
        if (json_type(i.value) == JSON_NULL)
            (void)json_remove_slice(out, i.key); /* absent is as good */
        else
            json_set_slice(d, out, i.key, patch_merge(d, json_get_slice(out, i.key), i.value));
    }
    return out;
}

struct merger {
    struct json_doc *d;
    struct err *reterr;
};

static int merge_object(struct merger *m, const struct type *t, const struct json *target, const struct json *patch,
                        struct json **ret);

static struct slice directive(const char *prefix, struct slice key)
{
    struct slice p = slice_str(prefix);
    return slice_has_prefix(key, p) ? slice_from(key, p.size) : (struct slice){NULL, 0};
}

static bool is_directive(struct slice key)
{
    return slice_is(key, "$patch") || slice_is(key, "$retainKeys") ||
           slice_has_prefix(key, SLICE("$setElementOrder/")) ||
           slice_has_prefix(key, SLICE("$deleteFromPrimitiveList/"));
}

/* `patch` with its directives taken out, all the way down: what an element that was not there becomes. */
static struct json *plain_copy(struct json_doc *d, const struct json *patch)
{
    if (json_type(patch) == JSON_OBJECT) {
        struct json *out = json_new_object(d);
        struct json_iterator i = json_iterate(patch);
        while (json_next(&i)) {
            if (json_type(i.value) != JSON_NULL && !is_directive(i.key))
                json_set_slice(d, out, i.key, plain_copy(d, i.value));
        }
        return out;
    }
    if (json_type(patch) != JSON_ARRAY)
        return json_copy(d, patch);
    struct json *out = json_new_array(d);
    struct json_iterator i = json_iterate(patch);
    while (json_next(&i)) {
        if (json_type(i.value) == JSON_OBJECT && json_string_at(i.value, "$patch").data != NULL)
            continue;
        json_append(out, plain_copy(d, i.value));
    }
    return out;
}

static size_t find_by_key(const struct json *list, const char *key, const struct json *value)
{
    struct json_iterator i = json_iterate(list);
    while (json_next(&i)) {
        const struct json *own = json_get(i.value, key);
        if (own != NULL && value != NULL && json_equal(own, value))
            return i.position - 1;
    }
    return SIZE_MAX;
}

static size_t find_value(const struct json *list, const struct json *value)
{
    struct json_iterator i = json_iterate(list);
    while (json_next(&i)) {
        if (json_equal(i.value, value))
            return i.position - 1;
    }
    return SIZE_MAX;
}

static bool list_has_replace(const struct json *patch)
{
    struct json_iterator i = json_iterate(patch);
    while (json_next(&i)) {
        if (json_type(i.value) == JSON_OBJECT && slice_is(json_string_at(i.value, "$patch"), "replace"))
            return true;
    }
    return false;
}

static int by_key(const void *a, const void *b) { return slice_compare(*(const struct slice *)a, *(const struct slice *)b); }

/* What Go's %v makes of a decoded value: map[a:1 b:[x y]]. */
static void go_text(const struct json *v, struct buf *out)
{
    struct json_iterator i = json_iterate(v);
    size_t n = json_size(v), at = 0;
    if (json_type(v) == JSON_STRING) {
        buf_append_slice(out, json_string(v));
        return;
    }
    if (json_type(v) != JSON_ARRAY && json_type(v) != JSON_OBJECT) {
        json_print(v, out);
        return;
    }
    struct slice *keys = mem_alloc((n + 1) * sizeof *keys);
    buf_append_str(out, json_type(v) == JSON_ARRAY ? "[" : "map[");
    while (json_type(v) == JSON_ARRAY && json_next(&i)) {
        buf_append_str(out, i.position > 1 ? " " : "");
        go_text(i.value, out);
    }
    while (json_type(v) == JSON_OBJECT && at < n && json_next(&i))
        keys[at++] = i.key;
    qsort(keys, at, sizeof *keys, by_key);
    for (size_t k = 0; k < at; k++) {
        buf_printf(out, "%s%.*s:", k > 0 ? " " : "", SLICE_ARGS(keys[k]));
        go_text(json_get_slice(v, keys[k]), out);
    }
    buf_append_char(out, ']');
    mem_free(keys);
}

static int merge_element(struct merger *m, const struct field *f, struct json *out, const struct json *element)
{
    const struct json *key = json_get(element, f->merge_key);
    if (json_type(element) != JSON_OBJECT || key == NULL) {
        struct buf text = {0};
        go_text(element, &text);
        int code = err_set(m->reterr, ERR_UNEXPLAINED, "map: %.*s does not contain declared merge key: %s",
                           (int)MIN(text.size, (size_t)200), text.data, f->merge_key);
        buf_release(&text);
        return code;
    }
    size_t at = find_by_key(out, f->merge_key, key);
    struct slice word = json_string_at(element, "$patch");
    if (slice_is(word, "delete")) {
        if (at != SIZE_MAX)
            json_remove_element(out, at);
        return 0;
    }
    if (at == SIZE_MAX || slice_is(word, "replace")) {
        if (at == SIZE_MAX)
            json_append(out, plain_copy(m->d, element));
        else
            json_replace_element(out, at, plain_copy(m->d, element));
        return 0;
    }
    struct json *merged = NULL;
    int code = merge_object(m, f->object, json_element(out, at), element, &merged);
    if (code == 0)
        json_replace_element(out, at, merged);
    return code;
}

static int merge_list(struct merger *m, const struct field *f, const struct json *target, const struct json *patch,
                      struct json **ret)
{
    struct json *out = json_type(target) == JSON_ARRAY ? json_copy(m->d, target) : json_new_array(m->d);
    *ret = out;
    if (f->type != FIELD_OBJECT) {
        struct json_iterator i = json_iterate(patch);
        while (json_next(&i)) {
            if (find_value(out, i.value) == SIZE_MAX)
                json_append(out, json_copy(m->d, i.value));
        }
        return 0;
    }
    if (list_has_replace(patch)) {
        *ret = plain_copy(m->d, patch);
        return 0;
    }
    struct json_iterator i = json_iterate(patch);
    while (json_next(&i)) {
        int code = merge_element(m, f, out, i.value);
        if (code != 0)
            return code;
    }
    return 0;
}

/* Position of an element in a $setElementOrder list, or SIZE_MAX. */
static size_t order_of(const struct field *f, const struct json *order, const struct json *element)
{
    return f->type == FIELD_OBJECT ? find_by_key(order, f->merge_key, json_get(element, f->merge_key))
                                   : find_value(order, element);
}

/* Elements of the order list stand in its order; those only the server has keep their place relative to their
 * neighbours: each is put out before the first listed element that followed it. */
static struct json *ordered(struct merger *m, const struct field *f, const struct json *list, const struct json *order)
{
    struct json *out = json_new_array(m->d);
    size_t next = 0, n = json_size(list), total = json_size(order);
    for (size_t i = 0; i < n; i++) {
        const struct json *e = json_element(list, i);
        if (order_of(f, order, e) == SIZE_MAX) {
            json_append(out, json_copy(m->d, e));
            continue;
        }
        /* A listed place: whoever is next in the order takes it. */
        for (; next < total; next++) {
            const struct json *wanted = json_element(order, next);
            size_t at = f->type == FIELD_OBJECT ? find_by_key(list, f->merge_key, json_get(wanted, f->merge_key))
                                                : find_value(list, wanted);
            if (at == SIZE_MAX)
                continue;
            json_append(out, json_copy(m->d, json_element(list, at)));
            next++;
            break;
        }
    }
    return out;
}

static int apply_order(struct merger *m, const struct type *t, struct slice name, const struct json *order,
                       struct json *out)
{
    const struct field *f = schema_field(t, name);
    const struct json *list = json_get_slice(out, name);
    if (json_type(order) != JSON_ARRAY)
        return err_set(m->reterr, ERR_BAD_REQUEST, "$setElementOrder/%.*s is not a list", SLICE_ARGS(name));
    if (f != NULL && json_type(list) == JSON_ARRAY && (f->type != FIELD_OBJECT || f->merge_key != NULL))
        json_set_slice(m->d, out, name, ordered(m, f, list, order));
    return 0;
}

static int delete_primitives(struct merger *m, struct slice name, const struct json *values, struct json *out)
{
    struct json *list = json_get_slice(out, name);
    if (json_type(values) != JSON_ARRAY)
        return err_set(m->reterr, ERR_BAD_REQUEST, "$deleteFromPrimitiveList/%.*s is not a list", SLICE_ARGS(name));
    struct json_iterator i = json_iterate(values);
    while (json_next(&i)) {
        for (size_t at; (at = find_value(list, i.value)) != SIZE_MAX;)
            json_remove_element(list, at);
    }
    return 0;
}

static int retain(struct merger *m, const struct json *keys, const struct json *patch, struct json *out)
{
    if (json_type(keys) != JSON_ARRAY)
        return err_set(m->reterr, ERR_BAD_REQUEST, "$retainKeys is not a list");
    struct json_iterator i = json_iterate(patch);
    while (json_next(&i)) {
        if (!is_directive(i.key) && json_type(i.value) != JSON_NULL &&
            find_value(keys, json_new_string(m->d, i.key)) == SIZE_MAX)
            return err_set(m->reterr, ERR_BAD_REQUEST, "$retainKeys must contain all keys that the patch sets: %.*s",
                           SLICE_ARGS(i.key));
    }
    i = json_iterate(out);
    while (json_next(&i)) {
        if (find_value(keys, json_new_string(m->d, i.key)) == SIZE_MAX)
            json_iterator_remove(&i);
    }
    return 0;
}

static int merge_field(struct merger *m, const struct type *t, struct slice key, const struct json *patch,
                       struct json *out)
{
    const struct field *f = t == NULL ? NULL : schema_field(t, key);
    const struct json *target = json_get_slice(out, key);
    struct json *made = NULL;
    int code = 0;
    if (json_type(patch) == JSON_OBJECT) {
        bool object = f != NULL && f->type == FIELD_OBJECT && f->shape == FIELD_ONE;
        code = merge_object(m, object ? f->object : NULL, target, patch, &made);
    } else if (json_type(patch) == JSON_ARRAY && json_type(target) == JSON_ARRAY && f != NULL &&
               (f->patch & PATCH_MERGE)) {
        code = merge_list(m, f, target, patch, &made);
    } else {
        made = plain_copy(m->d, patch);
    }
    if (code == 0)
        json_set_slice(m->d, out, key, made);
    return code;
}

static int merge_directive(struct merger *m, const struct type *t, struct slice key, const struct json *value,
                           const struct json *patch, struct json *out)
{
    struct slice name = directive("$setElementOrder/", key);
    if (name.size > 0)
        return t == NULL ? 0 : apply_order(m, t, name, value, out);
    name = directive("$deleteFromPrimitiveList/", key);
    if (name.size > 0)
        return delete_primitives(m, name, value, out);
    return slice_is(key, "$retainKeys") ? retain(m, value, patch, out) : 0;
}

static int merge_object(struct merger *m, const struct type *t, const struct json *target, const struct json *patch,
                        struct json **ret)
{
    struct slice word = json_string_at(patch, "$patch");
    if (slice_is(word, "replace") || slice_is(word, "delete")) {
        *ret = slice_is(word, "replace") ? plain_copy(m->d, patch) : json_new_object(m->d);
        return 0;
    }
    if (word.data != NULL && !slice_is(word, "merge")) {
        struct buf text = {0};
        go_text(patch, &text);
        int code = err_set(m->reterr, ERR_UNEXPLAINED, "unknown patch type: %.*s in map: %.*s", SLICE_ARGS(word),
                           (int)MIN(text.size, (size_t)200), text.data);
        buf_release(&text);
        return code;
    }
    struct json *out = json_type(target) == JSON_OBJECT ? json_copy(m->d, target) : json_new_object(m->d);
    struct json_iterator i = json_iterate(patch);
    while (json_next(&i)) {
        int code = 0;
        if (is_directive(i.key))
            continue;
        if (json_type(i.value) == JSON_NULL)
            (void)json_remove_slice(out, i.key); /* absent is as good */
        else
            code = merge_field(m, t, i.key, i.value, out);
        if (code != 0)
            return code;
    }
    /* Directives about lists work on the merged lists. */
    i = json_iterate(patch);
    while (json_next(&i)) {
        int code = is_directive(i.key) ? merge_directive(m, t, i.key, i.value, patch, out) : 0;
        if (code != 0)
            return code;
    }
    *ret = out;
    return 0;
}

int patch_strategic(struct json_doc *d, const struct type *t, const struct json *target, const struct json *patch,
                    struct json **ret, struct err *reterr)
{
    struct merger m = {d, reterr};
    if (json_type(patch) != JSON_OBJECT)
        return patch_wrong_type(patch, "map[string]interface {}", reterr);
    return merge_object(&m, t, target, patch, ret);
}
