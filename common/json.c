#include "common/base.h"

#include "common/json.h"
#include "common/map.h"
#include "common/mem.h"

#include <stdio.h>
#include <stdlib.h>

#include <yyjson.h>

#define BLOCK_FIRST 2048 /* of a document's memory; each further one is larger, up to BLOCK_MOST */
#define BLOCK_MOST 65536
#define BLOCK_ALIGN 16

struct block {
    struct block *next;
    size_t size;
    _Alignas(BLOCK_ALIGN) char bytes[];
};

/* `struct json` is yyjson's mutable value, never defined here; a document is yyjson's together with the memory that all
 * of it comes from, which is freed whole. Numbers are kept raw. */
struct json_doc {
    yyjson_mut_doc *values; /* NULL until the first is made */
    yyjson_alc memory;
    struct block *blocks;
    size_t used;           /* bytes of the first block */
    struct mem_pool *pool; /* of blocks of its size; NULL: blocks are the heap's, as large as it takes */
};

#define POOLED_BYTES (MEM_BLOCK_BYTES - offsetof(struct block, bytes))

static struct block *block_new(struct json_doc *d, size_t need)
{
    size_t next = d->blocks == NULL ? BLOCK_FIRST : MIN(d->blocks->size * 2, (size_t)BLOCK_MOST);
    bool pooled = d->pool != NULL && need <= POOLED_BYTES;
    size_t size = pooled ? POOLED_BYTES : d->pool != NULL ? need : MAX(next, need);
    struct block *b = pooled ? mem_pool_take(d->pool) : mem_alloc(sizeof *b + size);
    *b = (struct block){.next = d->blocks, .size = size};
    return b;
}

static void *take(void *context, size_t size)
{
    struct json_doc *d = context;
    size_t need = (size + BLOCK_ALIGN - 1) & ~(size_t)(BLOCK_ALIGN - 1);
    if (d->blocks == NULL || d->blocks->size - d->used < need) {
        d->blocks = block_new(d, need);
        d->used = 0;
    }
    void *memory = d->blocks->bytes + d->used;
    d->used += need;
    return memory;
}

static void *take_more(void *context, void *memory, size_t old_size, size_t size)
{
    void *moved = take(context, size);
    memcpy(moved, memory, MIN(old_size, size));
    return moved;
}

static void leave(void *context, void *memory) /* all of it goes with the document */
{
    (void)context;
    (void)memory;
}

static yyjson_mut_val *val(const struct json *v) { return (yyjson_mut_val *)(uintptr_t)v; }
static struct json *json(yyjson_mut_val *v) { return (struct json *)v; }

static yyjson_mut_doc *doc(struct json_doc *d)
{
    if (d->values == NULL)
        d->values = yyjson_mut_doc_new(&d->memory);
    if (d->values == NULL)
        PANIC("out of memory for a JSON document");
    return d->values;
}

static struct json *made(yyjson_mut_val *v)
{
    if (v == NULL)
        PANIC("out of memory for a JSON value");
    return json(v);
}

struct json_doc *json_doc_new(void)
{
    struct json_doc *d = NEW(struct json_doc);
    d->memory = (yyjson_alc){take, take_more, leave, d};
    return d;
}

void json_doc_free(struct json_doc *d)
{
    while (d != NULL && d->blocks != NULL) {
        struct block *next = d->blocks->next;
        if (d->pool != NULL && d->blocks->size == POOLED_BYTES)
            mem_pool_give(d->pool, d->blocks);
        else
            mem_free(d->blocks);
        d->blocks = next;
    }
    mem_free(d);
}

struct json_doc *json_doc_new_in(struct mem_pool *pool)
{
    struct json_doc *d = json_doc_new();
    d->pool = pool;
    return d;
}

/* Nesting is bounded, so that everything recursive over a value is bounded too. The parser itself does not recurse; its
 * values lie one behind the other, a container before what is in it. */
static bool too_deep(yyjson_doc *parsed)
{
    size_t left[JSON_DEPTH_MAX], depth = 0, containers = 0; /* left: to come in each container that is open */
    const yyjson_val *first = yyjson_doc_get_root(parsed), *end = first + yyjson_doc_get_val_count(parsed);
    for (const yyjson_val *v = first; v < end; v++)
        containers +=
            unsafe_yyjson_is_ctn((void *)(uintptr_t)v) && unsafe_yyjson_get_len((void *)(uintptr_t)v) > 0 ? 1 : 0;
    if (containers < JSON_DEPTH_MAX) /* an empty one may stand in the innermost */
        return false;
    for (const yyjson_val *v = first; v < end; v++) {
        size_t inside = unsafe_yyjson_get_len((void *)(uintptr_t)v);
        if (depth > 0)
            left[depth - 1]--;
        if (unsafe_yyjson_is_ctn((void *)(uintptr_t)v)) {
            if (depth == JSON_DEPTH_MAX)
                return true;
            left[depth++] = unsafe_yyjson_is_obj((void *)(uintptr_t)v) ? inside * 2 : inside;
        }
        while (depth > 0 && left[depth - 1] == 0)
            depth--;
    }
    return false;
}

/* `text` may be written to and is followed by YYJSON_PADDING_SIZE zeros: the values' strings stay in it. */
static int read_text(struct json_doc *d, char *text, size_t size, yyjson_doc **ret, struct err *reterr)
{
    yyjson_read_err why;
    const yyjson_alc *memory =
        d->pool == NULL ? NULL : &d->memory; /* what lives long shall not keep what it read with */
    yyjson_doc *parsed = yyjson_read_opts(text, size, YYJSON_READ_NUMBER_AS_RAW | YYJSON_READ_INSITU, memory, &why);
    if (parsed == NULL)
        return err_set(reterr, ERR_BAD_REQUEST, "invalid JSON at byte %zu: %s", why.pos, why.msg);
    if (too_deep(parsed)) {
        yyjson_doc_free(parsed);
        return err_set(reterr, ERR_BAD_REQUEST, "JSON nested deeper than %d levels", JSON_DEPTH_MAX);
    }
    *ret = parsed;
    return 0;
}

static char *text_of_doc(struct json_doc *d, struct slice text)
{
    char *copy = take(d, text.size + YYJSON_PADDING_SIZE);
    if (text.size > 0)
        memcpy(copy, text.data, text.size);
    memset(copy + text.size, 0, YYJSON_PADDING_SIZE);
    return copy;
}

/* Members or elements of a container as the ring that a mutable one is made of; `from` and `to` are the same value in
 * both arrays, in which values lie in the order of the text. */
static void link_children(yyjson_val *from, yyjson_mut_val *to, size_t n, bool members)
{
    yyjson_val *v = from + 1;
    yyjson_mut_val *last = NULL, *first = to + 1;
    for (size_t i = 0; i < n; i++) {
        yyjson_mut_val *at = to + (v - from), *entry = at;
        if (members) {
            at->next = at + 1;
            entry = at + 1;
            v++;
        }
        if (last != NULL)
            (members ? last + 1 : last)->next = at;
        entry->next = first;
        last = at;
        v = unsafe_yyjson_get_next(v);
    }
    to->uni.ptr = last;
}

/* The parsed values as mutable ones of `d`, which share their strings. */
static struct json *adopt(struct json_doc *d, yyjson_doc *parsed)
{
    size_t n = yyjson_doc_get_val_count(parsed);
    yyjson_val *from = yyjson_doc_get_root(parsed);
    yyjson_mut_val *to = unsafe_yyjson_mut_val(doc(d), n);
    if (to == NULL)
        return made(NULL);
    for (size_t i = 0; i < n; i++) {
        to[i].tag = from[i].tag;
        to[i].uni = from[i].uni;
        if (unsafe_yyjson_is_ctn(&from[i]) && unsafe_yyjson_get_len(&from[i]) > 0)
            link_children(&from[i], &to[i], unsafe_yyjson_get_len(&from[i]), unsafe_yyjson_is_obj(&from[i]));
    }
    return json(to);
}

int json_parse(struct json_doc *d, struct slice text, struct json **ret, struct err *reterr)
{
    yyjson_doc *parsed = NULL;
    int code = read_text(d, text_of_doc(d, text), text.size, &parsed, reterr);
    if (code != 0)
        return code;
    *ret = adopt(d, parsed);
    yyjson_doc_free(parsed);
    return 0;
}

int json_check(struct slice text, struct err *reterr)
{
    struct json_doc *d = json_doc_new();
    yyjson_doc *parsed = NULL;
    int code = read_text(d, text_of_doc(d, text), text.size, &parsed, reterr);
    if (code == 0)
        yyjson_doc_free(parsed);
    json_doc_free(d);
    return code;
}

static void copy_path(struct json_doc *d, yyjson_val *from, struct slice path, struct json *to)
{
    struct slice key = slice_cut(&path, '.');
    yyjson_val *v = yyjson_obj_getn(from, key.data, key.size);
    struct json *inner;
    if (v == NULL)
        return;
    if (path.data == NULL) {
        json_set_slice(d, to, key, made(yyjson_val_mut_copy(doc(d), v)));
        return;
    }
    inner = json_get_slice(to, key);
    if (inner == NULL) {
        inner = json_new_object(d);
        json_set_slice(d, to, key, inner);
    }
    copy_path(d, v, path, inner);
}

int json_parse_paths(struct json_doc *d, struct slice text, const char *const *paths, size_t n, struct json **ret,
                     struct err *reterr)
{
    yyjson_doc *parsed = NULL;
    int code = read_text(d, text_of_doc(d, text), text.size, &parsed, reterr);
    if (code != 0)
        return code;
    struct json *tree = json_new_object(d);
    for (size_t i = 0; i < n; i++)
        copy_path(d, yyjson_doc_get_root(parsed), slice_str(paths[i]), tree);
    yyjson_doc_free(parsed);
    *ret = tree;
    return 0;
}

enum json_type json_type(const struct json *v)
{
    switch (yyjson_mut_get_type(val(v))) {
    case YYJSON_TYPE_NULL: return JSON_NULL;
    case YYJSON_TYPE_BOOL: return JSON_BOOL;
    case YYJSON_TYPE_RAW:
    case YYJSON_TYPE_NUM: return JSON_NUMBER;
    case YYJSON_TYPE_STR: return JSON_STRING;
    case YYJSON_TYPE_ARR: return JSON_ARRAY;
    case YYJSON_TYPE_OBJ: return JSON_OBJECT;
    default: return JSON_NONE;
    }
}

bool json_bool(const struct json *v, bool fallback)
{
    return yyjson_mut_is_bool(val(v)) ? yyjson_mut_get_bool(val(v)) : fallback;
}

struct slice json_string(const struct json *v)
{
    if (!yyjson_mut_is_str(val(v)))
        return (struct slice){0};
    return slice_of(yyjson_mut_get_str(val(v)), yyjson_mut_get_len(val(v)));
}

struct slice json_number_text(const struct json *v)
{
    if (!yyjson_mut_is_raw(val(v)))
        return (struct slice){0};
    return slice_of(yyjson_mut_get_raw(val(v)), yyjson_mut_get_len(val(v)));
}

#define NUMBER_DIGITS_MAX 400

/* Shifts the decimal digits of number text by its exponent and reads them as an integer. */
static bool number_to_int(struct slice text, int64_t *ret)
{
    char digits[NUMBER_DIGITS_MAX];
    size_t count = 0, at = 0;
    bool negative = text.size > 0 && text.data[0] == '-';
    long point = -1, exponent = 0;
    for (at = negative; at < text.size && text.data[at] != 'e' && text.data[at] != 'E'; at++) {
        if (text.data[at] == '.')
            point = (long)count;
        else if (count == NUMBER_DIGITS_MAX)
            return false;
        else
            digits[count++] = text.data[at];
    }
    if (point < 0)
        point = (long)count;
    if (at < text.size) {
        char tail[24] = {0};
        if (text.size - at - 1 >= sizeof tail)
            return false;
        memcpy(tail, text.data + at + 1, text.size - at - 1);
        exponent = strtol(tail, NULL, 10);
    }
    bool zero = true;
    for (size_t i = 0; i < count; i++)
        zero = zero && digits[i] == '0';
    if (zero) {
        *ret = 0;
        return true;
    }
    if (exponent > NUMBER_DIGITS_MAX || exponent < -NUMBER_DIGITS_MAX)
        return false;
    point += exponent;
    int64_t v = 0;
    for (long i = 0; i < MAX(point, (long)count); i++) {
        int digit = i < (long)count ? digits[i] - '0' : 0;
        if (i >= point) {
            if (digit != 0)
                return false;
            continue;
        }
        if (__builtin_mul_overflow(v, 10, &v) || __builtin_sub_overflow(v, digit, &v))
            return false;
    }
    if (!negative && v == INT64_MIN)
        return false;
    *ret = negative ? v : -v;
    return true;
}

bool json_int(const struct json *v, int64_t *ret)
{
    struct slice text = json_number_text(v);
    return text.data != NULL && number_to_int(text, ret);
}

int64_t json_int_or(const struct json *v, int64_t fallback)
{
    int64_t i;
    return json_int(v, &i) ? i : fallback;
}

size_t json_size(const struct json *v)
{
    return json_type(v) == JSON_ARRAY    ? yyjson_mut_arr_size(val(v))
           : json_type(v) == JSON_OBJECT ? yyjson_mut_obj_size(val(v))
                                         : 0;
}

struct json *json_get_slice(const struct json *object, struct slice key)
{
    return json(yyjson_mut_obj_getn(val(object), key.data, key.size));
}

struct json *json_get(const struct json *object, const char *key) { return json_get_slice(object, slice_str(key)); }

struct json *json_at(const struct json *v, const char *path)
{
    struct slice rest = slice_str(path);
    const struct json *at = v;
    while (rest.data != NULL && at != NULL)
        at = json_get_slice(at, slice_cut(&rest, '.'));
    return json(val(at));
}

struct slice json_string_at(const struct json *v, const char *path) { return json_string(json_at(v, path)); }
int64_t json_int_at(const struct json *v, const char *path, int64_t fallback)
{
    return json_int_or(json_at(v, path), fallback);
}
bool json_bool_at(const struct json *v, const char *path, bool fallback)
{
    return json_bool(json_at(v, path), fallback);
}

struct json_iterator json_iterate(const struct json *v)
{
    struct json_iterator i = {.container = json(val(v)), .limit = json_size(v)};
    if (i.limit > 0)
        i.current = val(v)->uni.ptr;
    return i;
}

bool json_next(struct json_iterator *i)
{
    if (i->position >= i->limit)
        return false;
    i->position++;
    if (json_type(i->container) == JSON_ARRAY) {
        yyjson_mut_arr_iter it = {i->position - 1, i->limit, i->current, i->previous, val(i->container)};
        i->value = json(yyjson_mut_arr_iter_next(&it));
        i->current = it.cur;
        i->previous = it.pre;
        return true;
    }
    yyjson_mut_obj_iter it = {i->position - 1, i->limit, i->current, i->previous, val(i->container)};
    yyjson_mut_val *key = yyjson_mut_obj_iter_next(&it);
    i->current = it.cur;
    i->previous = it.pre;
    i->key = slice_of(yyjson_mut_get_str(key), yyjson_mut_get_len(key));
    i->value = json(yyjson_mut_obj_iter_get_val(key));
    return true;
}

void json_iterator_remove(struct json_iterator *i)
{
    ASSERT(i->position > 0);
    if (json_type(i->container) == JSON_ARRAY) {
        yyjson_mut_arr_iter it = {i->position, i->limit, i->current, i->previous, val(i->container)};
        yyjson_mut_arr_iter_remove(&it);
        i->current = it.cur;
        i->previous = it.pre;
        i->limit = it.max;
        i->position = it.idx;
        return;
    }
    yyjson_mut_obj_iter it = {i->position, i->limit, i->current, i->previous, val(i->container)};
    yyjson_mut_obj_iter_remove(&it);
    i->current = it.cur;
    i->previous = it.pre;
    i->limit = it.max;
    i->position = it.idx;
}

struct json *json_element(const struct json *array, size_t index)
{
    return json(yyjson_mut_arr_get(val(array), index));
}

struct json *json_new_null(struct json_doc *d) { return made(yyjson_mut_null(doc(d))); }
struct json *json_new_bool(struct json_doc *d, bool v) { return made(yyjson_mut_bool(doc(d), v)); }
struct json *json_new_array(struct json_doc *d) { return made(yyjson_mut_arr(doc(d))); }
struct json *json_new_object(struct json_doc *d) { return made(yyjson_mut_obj(doc(d))); }

struct json *json_new_number(struct json_doc *d, struct slice text)
{
    return made(yyjson_mut_rawncpy(doc(d), text.data, text.size));
}

struct json *json_new_int(struct json_doc *d, int64_t v)
{
    char text[24];
    int n = snprintf(text, sizeof text, "%lld", (long long)v);
    return json_new_number(d, slice_of(text, (size_t)n));
}

/* Length of the UTF-8 sequence at the front of `s`, 0 when it is none (RFC 3629: no overlong forms, no surrogates). */
static size_t utf8_length(struct slice s)
{
    const uint8_t *p = (const uint8_t *)s.data;
    if (p[0] < 0x80)
        return 1;
    size_t n = p[0] >= 0xc2 && p[0] <= 0xdf   ? 2
               : p[0] >= 0xe0 && p[0] <= 0xef ? 3
               : p[0] >= 0xf0 && p[0] <= 0xf4 ? 4
                                              : 0;
    if (n == 0 || s.size < n)
        return 0;
    for (size_t i = 1; i < n; i++)
        if ((p[i] & 0xc0) != 0x80)
            return 0;
    if ((p[0] == 0xe0 && p[1] < 0xa0) || (p[0] == 0xed && p[1] > 0x9f) || (p[0] == 0xf0 && p[1] < 0x90) ||
        (p[0] == 0xf4 && p[1] > 0x8f))
        return 0;
    return n;
}

bool json_utf8(struct slice s)
{
    for (size_t n; s.size > 0; s = slice_from(s, n))
        if ((n = utf8_length(s)) == 0)
            return false;
    return true;
}

/* How many bytes at the front are ASCII for sure. */
static size_t ascii_length(struct slice s)
{
    size_t at = 0;
    for (uint64_t word; s.size - at >= sizeof word; at += sizeof word) {
        memcpy(&word, s.data + at, sizeof word);
        if ((word & 0x8080808080808080u) != 0)
            break;
    }
    return at;
}

/* Appends `s` with every invalid byte replaced by U+FFFD; false (and nothing appended) when it is valid as it is. */
static bool utf8_repair(struct slice s, struct buf *out)
{
    size_t at = ascii_length(s), n;
    while (at < s.size && (n = utf8_length(slice_from(s, at))) != 0)
        at += n;
    if (at >= s.size)
        return false;
    buf_append(out, s.data, at);
    while (at < s.size) {
        n = utf8_length(slice_from(s, at));
        if (n == 0)
            buf_append_str(out, "\xef\xbf\xbd");
        else
            buf_append(out, s.data + at, n);
        at += MAX(n, (size_t)1);
    }
    return true;
}

struct json *json_new_string(struct json_doc *d, struct slice v)
{
    struct buf repaired = {0};
    if (v.size > 0 && utf8_repair(v, &repaired))
        v = buf_slice(&repaired);
    struct json *made_string = made(yyjson_mut_strncpy(doc(d), v.size == 0 ? "" : v.data, v.size));
    buf_release(&repaired);
    return made_string;
}

struct json *json_new_str(struct json_doc *d, const char *v) { return json_new_string(d, slice_str(v)); }

struct json *json_copy(struct json_doc *d, const struct json *v)
{
    return v == NULL ? NULL : made(yyjson_mut_val_mut_copy(doc(d), val(v)));
}

static yyjson_mut_val *share(struct json_doc *d, yyjson_mut_val *v)
{
    yyjson_mut_val *copy = unsafe_yyjson_mut_val(doc(d), 1);
    if (copy == NULL)
        return val(made(NULL));
    copy->tag = v->tag;
    copy->uni = v->uni;
    if (!unsafe_yyjson_is_ctn(v) || unsafe_yyjson_get_len(v) == 0)
        return copy;
    /* A ring that `uni.ptr` ends: of keys and values in an object. */
    size_t n = unsafe_yyjson_get_len(v) * (unsafe_yyjson_is_obj(v) ? 2 : 1);
    yyjson_mut_val *last = v->uni.ptr, *end = unsafe_yyjson_is_obj(v) ? last->next : last, *made_last = NULL;
    yyjson_mut_val *at = end->next, *first = NULL, *made_key = NULL;
    for (size_t i = 0; i < n; i++, at = at->next) {
        yyjson_mut_val *one = share(d, at);
        if (first == NULL)
            first = one;
        else
            made_last->next = one;
        if (i % 2 == 0)
            made_key = one;
        made_last = one;
    }
    made_last->next = first;
    copy->uni.ptr = unsafe_yyjson_is_obj(v) ? made_key : made_last;
    return copy;
}

struct json *json_share(struct json_doc *d, const struct json *v) { return v == NULL ? NULL : json(share(d, val(v))); }

void json_set_slice(struct json_doc *d, struct json *object, struct slice key, struct json *value)
{
    ASSERT(json_type(object) == JSON_OBJECT);
    ASSERT(value != NULL);
    yyjson_mut_val *name = val(json_new_string(d, key));
    if (json_get_slice(object, key) != NULL)
        yyjson_mut_obj_replace(val(object), name, val(value));
    else
        yyjson_mut_obj_add(val(object), name, val(value));
}

void json_add_slice(struct json_doc *d, struct json *object, struct slice key, struct json *value)
{
    ASSERT(json_type(object) == JSON_OBJECT);
    ASSERT(value != NULL);
    yyjson_mut_obj_add(val(object), val(json_new_string(d, key)), val(value));
}

void json_set(struct json_doc *d, struct json *object, const char *key, struct json *value)
{
    json_set_slice(d, object, slice_str(key), value);
}

void json_add_named(struct json_doc *d, struct json *object, const char *key, size_t size, struct json *value)
{
    ASSERT(json_type(object) == JSON_OBJECT);
    ASSERT(value != NULL);
    yyjson_mut_obj_add(val(object), val(made(yyjson_mut_strn(doc(d), key, size))), val(value));
}

void json_set_str(struct json_doc *d, struct json *object, const char *key, const char *value)
{
    json_set(d, object, key, json_new_str(d, value));
}

void json_set_string(struct json_doc *d, struct json *object, const char *key, struct slice value)
{
    json_set(d, object, key, json_new_string(d, value));
}

void json_set_int(struct json_doc *d, struct json *object, const char *key, int64_t value)
{
    json_set(d, object, key, json_new_int(d, value));
}

void json_set_bool(struct json_doc *d, struct json *object, const char *key, bool value)
{
    json_set(d, object, key, json_new_bool(d, value));
}

struct json *json_ensure_object(struct json_doc *d, struct json *object, const char *path)
{
    struct slice rest = slice_str(path);
    struct json *at = object;
    while (rest.data != NULL) {
        struct slice key = slice_cut(&rest, '.');
        struct json *next = json_get_slice(at, key);
        if (json_type(next) != JSON_OBJECT) {
            next = json_new_object(d);
            json_set_slice(d, at, key, next);
        }
        at = next;
    }
    return at;
}

bool json_remove_slice(struct json *object, struct slice key)
{
    return yyjson_mut_obj_remove_keyn(val(object), key.data, key.size) != NULL;
}

bool json_remove(struct json *object, const char *key) { return json_remove_slice(object, slice_str(key)); }

void json_append(struct json *array, struct json *value)
{
    ASSERT(json_type(array) == JSON_ARRAY);
    ASSERT(value != NULL);
    yyjson_mut_arr_append(val(array), val(value));
}

void json_insert(struct json *array, size_t index, struct json *value)
{
    ASSERT(index <= json_size(array));
    yyjson_mut_arr_insert(val(array), val(value), index);
}

void json_remove_element(struct json *array, size_t index) { (void)yyjson_mut_arr_remove(val(array), index); }

void json_replace_element(struct json *array, size_t index, struct json *value)
{
    ASSERT(index < json_size(array));
    (void)yyjson_mut_arr_replace(val(array), index, val(value));
}

static bool numbers_equal(const struct json *a, const struct json *b)
{
    int64_t x, y;
    if (json_int(a, &x) && json_int(b, &y))
        return x == y;
    return slice_equal(json_number_text(a), json_number_text(b));
}

static bool arrays_equal(const struct json *a, const struct json *b)
{
    struct json_iterator i = json_iterate(a), j = json_iterate(b);
    while (json_next(&i) && json_next(&j))
        if (!json_equal(i.value, j.value))
            return false;
    return true;
}

#define LINEAR_MEMBERS_MAX 32 /* of more, an index is made before many are looked up */

/* The first value of every key. */
static void index_members(const struct json *object, struct map *ret)
{
    struct json_iterator i = json_iterate(object);
    while (json_next(&i))
        if (map_get(ret, i.key) == NULL)
            (void)map_put(ret, i.key, i.value);
}

static bool objects_equal(const struct json *a, const struct json *b)
{
    struct json_iterator i = json_iterate(a), j = json_iterate(b);
    struct map members = {0};
    bool level = true, equal = true; /* level: in one order so far, so nothing has to be looked up */
    while (equal && json_next(&i)) {
        bool was = level;
        level = level && json_next(&j) && slice_equal(i.key, j.key);
        if (was && !level && json_size(b) > LINEAR_MEMBERS_MAX)
            index_members(b, &members);
        const struct json *other = level              ? j.value
                                   : members.size > 0 ? map_get(&members, i.key)
                                                      : json_get_slice(b, i.key);
        equal = other != NULL && json_equal(i.value, other);
    }
    map_release(&members);
    return equal;
}

static size_t depth(const yyjson_mut_val *v)
{
    size_t deepest = 0,
           n = unsafe_yyjson_is_ctn((void *)(uintptr_t)v) ? unsafe_yyjson_get_len((void *)(uintptr_t)v) : 0;
    bool members = unsafe_yyjson_is_obj((void *)(uintptr_t)v);
    const yyjson_mut_val *at =
        n == 0 ? NULL : v->uni.ptr; /* the last key or element; the rings' order does not matter */
    for (size_t i = 0; i < n; i++, at = at->next) {
        if (members)
            at = at->next;
        size_t below = depth(at);
        deepest = MAX(deepest, below);
    }
    return unsafe_yyjson_is_ctn((void *)(uintptr_t)v) ? deepest + 1 : 0;
}

size_t json_depth(const struct json *v) { return v == NULL ? 0 : depth(val(v)); }

bool json_equal(const struct json *a, const struct json *b)
{
    enum json_type type = json_type(a);
    if (type != json_type(b) || json_size(a) != json_size(b))
        return false;
    switch (type) {
    case JSON_BOOL: return json_bool(a, false) == json_bool(b, false);
    case JSON_NUMBER: return numbers_equal(a, b);
    case JSON_STRING: return slice_equal(json_string(a), json_string(b));
    case JSON_ARRAY: return arrays_equal(a, b);
    case JSON_OBJECT: return objects_equal(a, b);
    default: return true;
    }
}

/* The first key that stood before. */
static bool repeated_key(const struct json *object, struct slice *ret)
{
    struct json_iterator i = json_iterate(object);
    struct map seen = {0};
    bool indexed = json_size(object) > LINEAR_MEMBERS_MAX, found = false;
    while (!found && json_next(&i)) {
        found = indexed ? map_put(&seen, i.key, i.value) != NULL : json_get_slice(object, i.key) != i.value;
        *ret = i.key;
    }
    map_release(&seen);
    return found;
}

/* The path is written on the way back, from its end: nearly always there is none to write. */
static bool find_duplicate(const struct json *v, struct buf *ret_path)
{
    bool array = json_type(v) == JSON_ARRAY;
    struct slice key;
    struct buf step = {0};
    if (!array && json_type(v) != JSON_OBJECT)
        return false;
    bool found = !array && repeated_key(v, &key);
    if (found)
        buf_printf(&step, ".%.*s", SLICE_ARGS(key));
    struct json_iterator i = json_iterate(v);
    while (!found && json_next(&i)) {
        found = find_duplicate(i.value, ret_path);
        if (found && array)
            buf_printf(&step, "[%zu]", i.position - 1);
        else if (found)
            buf_printf(&step, ".%.*s", SLICE_ARGS(i.key));
    }
    if (found) {
        buf_append_slice(&step, buf_slice(ret_path));
        buf_reset(ret_path);
        buf_append_slice(ret_path, buf_slice(&step));
    }
    buf_release(&step);
    return found;
}

bool json_duplicate(const struct json *v, struct buf *ret_path)
{
    bool found = find_duplicate(v, ret_path);
    if (found && ret_path->data[0] == '.')
        buf_consume(ret_path, 1);
    return found;
}

struct telling {
    void (*tell)(void *arg, const char *path);
    void *arg;
    struct buf path;
};

static void tell_duplicates(struct telling *t, const struct json *v)
{
    bool array = json_type(v) == JSON_ARRAY;
    struct map seen = {0};
    struct slice key;
    if (!array && json_type(v) != JSON_OBJECT)
        return;
    bool repeats = !array && repeated_key(v, &key);
    struct json_iterator i = json_iterate(v);
    while (json_next(&i)) {
        size_t mark = t->path.size;
        if (array)
            buf_printf(&t->path, "[%zu]", i.position - 1);
        else
            buf_printf(&t->path, "%s%.*s", mark == 0 ? "" : ".", SLICE_ARGS(i.key));
        if (repeats && map_put(&seen, i.key, map_get(&seen, i.key) == NULL ? (void *)&seen : t) == &seen)
            t->tell(t->arg, t->path.data);
        tell_duplicates(t, i.value);
        t->path.size = mark;
        t->path.data[mark] = '\0';
    }
    map_release(&seen);
}

void json_duplicates(const struct json *v, void (*tell)(void *arg, const char *path), void *arg)
{
    struct telling t = {tell, arg, {0}};
    buf_append(&t.path, "", 0);
    tell_duplicates(&t, v);
    buf_release(&t.path);
}

/* A value, and the ones before it under the same key whose members it adds to. */
struct joined {
    const struct json *value;
    struct joined *before;
};

static struct json *join_one(struct json_doc *d, const struct joined *j, bool merges);

/* Every member of the objects in turn, the oldest first, grouped by key: each is looked at once. */
static struct json *join_objects(struct json_doc *d, const struct joined *j, bool merges)
{
    size_t objects = 0, members = 0, at = 0;
    for (const struct joined *x = j; x != NULL; x = x->before) {
        objects++;
        members += json_size(x->value);
    }
    const struct json **order = mem_alloc(objects * sizeof *order);
    struct joined *list = mem_alloc(MAX(members, (size_t)1) * sizeof *list);
    struct map by_key = {0};
    for (const struct joined *x = j; x != NULL; x = x->before)
        order[--objects] = x->value;
    for (; at < members; objects++) {
        struct json_iterator i = json_iterate(order[objects]);
        while (json_next(&i)) {
            struct joined *m = &list[at++], *before = map_put(&by_key, i.key, m);
            bool adds = merges && before != NULL && json_type(before->value) == JSON_OBJECT &&
                        json_type(i.value) == JSON_OBJECT;
            *m = (struct joined){i.value, adds ? before : NULL};
        }
    }
    struct json *out = json_new_object(d);
    struct map_entry *e;
    for (size_t i = 0; (e = map_next(&by_key, &i)) != NULL;)
        json_add_slice(d, out, map_key(e), join_one(d, e->value, merges));
    map_release(&by_key);
    mem_free(list);
    mem_free(order);
    return out;
}

static struct json *join_one(struct json_doc *d, const struct joined *j, bool merges)
{
    if (json_type(j->value) == JSON_OBJECT)
        return join_objects(d, j, merges);
    if (json_type(j->value) != JSON_ARRAY)
        return json_copy(d, j->value);
    struct json *out = json_new_array(d);
    struct json_iterator i = json_iterate(j->value);
    while (json_next(&i))
        json_append(out, join_one(d, &(struct joined){i.value, NULL}, merges));
    return out;
}

struct json *json_last_of_each(struct json_doc *d, const struct json *v, bool merges)
{
    return join_one(d, &(struct joined){v, NULL}, merges);
}

/* The writer's memory is the room behind what the buffer holds, so that what it writes is in its place. */
static void *room(void *out, size_t size)
{
    struct buf *b = out;
    buf_reserve(b, size);
    return b->data + b->size;
}

/* Reallocation keeps all of the old memory, what was not appended yet included. */
static void *more_room(void *out, void *was, size_t old_size, size_t size)
{
    (void)was; /* where `room` said */
    (void)old_size;
    return room(out, size);
}

static void no_free(void *out, void *memory)
{
    (void)out;
    (void)memory;
}

void json_print(const struct json *v, struct buf *out)
{
    size_t size;
    yyjson_write_err why;
    const yyjson_alc in_place = {room, more_room, no_free, out};
    if (yyjson_mut_val_write_opts(val(v), YYJSON_WRITE_NOFLAG, &in_place, &size, &why) == NULL)
        PANIC("cannot print a JSON value: %s", why.msg);
    out->size += size;
    out->data[out->size] = '\0';
}

static void new_line(struct buf *out, unsigned depth) { buf_printf(out, "\n%*s", (int)(2 * depth), ""); }

/* Not the library's own: that leaves numbers in arrays, which keep their text, without indentation. The depth is the
 * parser's. */
static void print_deep(const struct json *v, unsigned depth, struct buf *out)
{
    bool object = json_type(v) == JSON_OBJECT;
    if ((!object && json_type(v) != JSON_ARRAY) || json_size(v) == 0) {
        json_print(v, out);
        return;
    }
    buf_append_char(out, object ? '{' : '[');
    struct json_iterator i = json_iterate(v);
    for (bool first = true; json_next(&i); first = false) {
        if (!first)
            buf_append_char(out, ',');
        new_line(out, depth + 1);
        if (object) {
            json_print_string(i.key, out);
            buf_append_str(out, ": ");
        }
        print_deep(i.value, depth + 1, out);
    }
    new_line(out, depth);
    buf_append_char(out, object ? '}' : ']');
}

void json_print_pretty(const struct json *v, struct buf *out) { print_deep(v, 0, out); }

void json_print_string(struct slice s, struct buf *out)
{
    struct buf repaired = {0};
    if (s.size > 0 && utf8_repair(s, &repaired))
        s = buf_slice(&repaired);
    buf_append_char(out, '"');
    for (size_t i = 0; i < s.size; i++) {
        unsigned char c = (unsigned char)s.data[i];
        if (c == '"' || c == '\\')
            buf_printf(out, "\\%c", c);
        else if (c == '\n')
            buf_append_str(out, "\\n");
        else if (c < 0x20)
            buf_printf(out, "\\u%04x", c);
        else
            buf_append_char(out, (char)c);
    }
    buf_append_char(out, '"');
    buf_release(&repaired);
}
