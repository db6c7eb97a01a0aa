/* JSON values over yyjson, its only home. A `struct json_doc` owns all values made in it; `struct json` is a value
 * inside one and is never freed by itself. Numbers keep the text they came with. Objects keep the order of their keys.
 */
#ifndef COMMON_JSON_H
#define COMMON_JSON_H

#include "common/base.h"
#include "common/buf.h"
#include "common/err.h"
#include "common/mem.h"

struct json_doc;
struct json;

enum json_type { JSON_NONE, JSON_NULL, JSON_BOOL, JSON_NUMBER, JSON_STRING, JSON_ARRAY, JSON_OBJECT };

#define JSON_DEPTH_MAX 128

struct json_doc *json_doc_new(void);
/* For a document that lives for a moment: its memory is of the pool, which outlives it. */
struct json_doc *json_doc_new_in(struct mem_pool *pool);
void json_doc_free(struct json_doc *d); /* NULL is fine */

/* Parses exactly one value of UTF-8 JSON (RFC 8259). ERR_BAD_REQUEST with position and reason; also on nesting deeper
 * than JSON_DEPTH_MAX. Duplicate keys are kept: see json_duplicate. `*ret` lives in `d`. */
int json_parse(struct json_doc *d, struct slice text, struct json **ret, struct err *reterr);

/* The same, but of an object only what stands at these paths ("metadata.labels"; of keys without dots) is made into a
 * tree: for those who keep the text and need to know little of what is in it. All of the text is parsed and judged
 * nevertheless. */
int json_parse_paths(struct json_doc *d, struct slice text, const char *const *paths, size_t n, struct json **ret,
                     struct err *reterr);

/* What json_parse would say of the text, without a tree. */
int json_check(struct slice text, struct err *reterr);

/* All readers accept NULL and the wrong type, and then answer JSON_NONE, NULL, 0, the empty slice or the fallback. */
enum json_type json_type(const struct json *v);
bool json_bool(const struct json *v, bool fallback);
struct slice json_string(const struct json *v);      /* bytes of a string, terminated; data NULL for anything else */
struct slice json_number_text(const struct json *v); /* as given */
bool json_int(const struct json *v, int64_t *ret);   /* true for integers within int64 (1, -2, 1e3, 2.0) */
int64_t json_int_or(const struct json *v, int64_t fallback);
size_t json_size(const struct json *v); /* members or elements */

/* Objects. `json_get` takes one key; `json_at` a path of keys separated by '.', for keys without dots
 * ("spec.nodeName"). */
struct json *json_get(const struct json *object, const char *key);
struct json *json_get_slice(const struct json *object, struct slice key);
struct json *json_at(const struct json *v, const char *path);
struct slice json_string_at(const struct json *v, const char *path);
int64_t json_int_at(const struct json *v, const char *path, int64_t fallback);
bool json_bool_at(const struct json *v, const char *path, bool fallback);

/* Iteration over arrays (key empty) and objects, in order:
 *   struct json_iterator i = json_iterate(v);
 *   while (json_next(&i)) use(i.key, i.value);
 * The value just returned may be removed through json_iterator_remove; anything else that changes the container ends
 * it. */
struct json_iterator {
    struct slice key;
    struct json *value;
    struct json *container;
    void *current, *previous;
    size_t position, limit; /* `position` is 1 at the first value */
};
struct json_iterator json_iterate(const struct json *v);
bool json_next(struct json_iterator *i);
void json_iterator_remove(struct json_iterator *i);
struct json *json_element(const struct json *array, size_t index); /* NULL past the end */

/* Builders; strings are copied into the doc. */
struct json *json_new_null(struct json_doc *d);
struct json *json_new_bool(struct json_doc *d, bool v);
struct json *json_new_int(struct json_doc *d, int64_t v);
struct json *json_new_number(struct json_doc *d, struct slice text); /* must be JSON number text */
struct json *json_new_string(struct json_doc *d, struct slice v);
struct json *json_new_str(struct json_doc *d, const char *v);
struct json *json_new_array(struct json_doc *d);
struct json *json_new_object(struct json_doc *d);
struct json *json_copy(struct json_doc *d, const struct json *v); /* deep, into `d`; NULL gives NULL */
/* The same, but strings stay where they are: the document of `v` is `d` or outlives it. */
struct json *json_share(struct json_doc *d, const struct json *v);

/* Sets or replaces in place (position kept), else appends. `value` must be fresh: a value stands in one place only. */
void json_set(struct json_doc *d, struct json *object, const char *key, struct json *value);
void json_set_slice(struct json_doc *d, struct json *object, struct slice key, struct json *value);
/* Appends a member whose key is known not to be there: nothing is looked up. */
void json_add_slice(struct json_doc *d, struct json *object, struct slice key, struct json *value);
/* The same for a key that outlives `d`, as those of tables do. */
void json_add_named(struct json_doc *d, struct json *object, const char *key, size_t size, struct json *value);
void json_set_str(struct json_doc *d, struct json *object, const char *key, const char *value);
void json_set_string(struct json_doc *d, struct json *object, const char *key, struct slice value);
void json_set_int(struct json_doc *d, struct json *object, const char *key, int64_t value);
void json_set_bool(struct json_doc *d, struct json *object, const char *key, bool value);
/* Returns the object at a path, making missing ones on the way ("metadata.labels"). Other types there are replaced. */
struct json *json_ensure_object(struct json_doc *d, struct json *object, const char *path);
bool json_remove(struct json *object, const char *key); /* true when it was there */
bool json_remove_slice(struct json *object, struct slice key);
void json_append(struct json *array, struct json *value);
void json_insert(struct json *array, size_t index, struct json *value); /* index at most the size */
void json_remove_element(struct json *array, size_t index);
void json_replace_element(struct json *array, size_t index, struct json *value);

size_t json_depth(const struct json *v); /* of nesting: 0 for a scalar, 1 for a list of scalars */
/* Equal as JSON: objects without regard to order, numbers by value when both are integers, else by text. */
bool json_equal(const struct json *a, const struct json *b);
/* First key that stands twice in one object of `v`, as a path ("spec.replicas"), or false. */
bool json_duplicate(const struct json *v, struct buf *ret_path);
/* Tells of all of them, each once, in the order in which they are read. */
void json_duplicates(const struct json *v, void (*tell)(void *arg, const char *path), void *arg);
/* A copy in which every key stands once in its object, where it stood first: the last value counts. `merges`: of
 * objects one after the other under one key the members count together, as when Go decodes into a struct. */
struct json *json_last_of_each(struct json_doc *d, const struct json *v, bool merges);

void json_print(const struct json *v, struct buf *out);        /* without white space */
void json_print_pretty(const struct json *v, struct buf *out); /* two spaces, as people read it */
bool json_utf8(struct slice s);                                /* is it well-formed UTF-8, which strings must be? */
void json_print_string(struct slice s, struct buf *out);       /* one quoted, escaped string */

#endif
