/* The first include of every source file: fixed types, borrowed bytes and the few macros used everywhere. */
#ifndef COMMON_BASE_H
#define COMMON_BASE_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/types.h>

#include "common/assert.h"

#define ARRAY_LEN(array) (sizeof(array) / sizeof((array)[0]))
#define IMPLIES(a, b) (!(a) || (b))
/* Each argument is evaluated once, so that calls may stand in them. */
#define MAX_OF_(a, b, x, y) ({ __auto_type x = (a); __auto_type y = (b); x > y ? x : y; })
#define MIN_OF_(a, b, x, y) ({ __auto_type x = (a); __auto_type y = (b); x < y ? x : y; })
#define UNIQUE__(name, n) name##n
#define UNIQUE_(name, n) UNIQUE__(name, n)
#define MAX(a, b) MAX_OF_(a, b, UNIQUE_(left_, __COUNTER__), UNIQUE_(right_, __COUNTER__))
#define MIN(a, b) MIN_OF_(a, b, UNIQUE_(left_, __COUNTER__), UNIQUE_(right_, __COUNTER__))
#define PRINTF_ARGS(text, first) __attribute__((format(printf, text, first)))
#define MUST_USE __attribute__((warn_unused_result))
#define UNUSED __attribute__((unused))

/* The struct of `type` whose member `member` is at `pointer`. */
#define container_of(pointer, type, member) ((type *)((char *)(pointer)-offsetof(type, member)))

/* Borrowed bytes. `data` may be NULL only when `size` is 0. Not terminated. */
struct slice {
    const char *data;
    size_t size;
};

#define SLICE(literal) ((struct slice){(literal), sizeof(literal) - 1})
#define SLICE_ARGS(s) (int)(s).size, (s).data /* for "%.*s" */

static inline struct slice slice_of(const void *data, size_t size)
{
    return (struct slice){data, size};
}

/* The bytes of a terminated string, without its terminator; NULL gives the empty slice. */
static inline struct slice slice_str(const char *text)
{
    return (struct slice){text, text == NULL ? 0 : strlen(text)};
}

static inline bool slice_equal(struct slice a, struct slice b)
{
    return a.size == b.size && (a.size == 0 || memcmp(a.data, b.data, a.size) == 0);
}

static inline bool slice_is(struct slice a, const char *text)
{
    return slice_equal(a, slice_str(text));
}

/* Byte order; a proper prefix sorts first. */
static inline int slice_compare(struct slice a, struct slice b)
{
    size_t n = MIN(a.size, b.size);
    int order = n == 0 ? 0 : memcmp(a.data, b.data, n);
    return order != 0 ? order : (a.size > b.size) - (a.size < b.size);
}

static inline bool slice_has_prefix(struct slice a, struct slice prefix)
{
    return a.size >= prefix.size && (prefix.size == 0 || memcmp(a.data, prefix.data, prefix.size) == 0);
}

static inline bool slice_has_suffix(struct slice a, struct slice suffix)
{
    return a.size >= suffix.size &&
           (suffix.size == 0 || memcmp(a.data + a.size - suffix.size, suffix.data, suffix.size) == 0);
}

/* The bytes of `a` from `offset` on; `offset` at most `a.size`. */
static inline struct slice slice_from(struct slice a, size_t offset)
{
    ASSERT(offset <= a.size);
    return (struct slice){a.data == NULL ? NULL : a.data + offset, a.size - offset};
}

/* Index of the first `c` in `a`, or a.size when there is none. */
/* Without blanks and tabs at both ends. */
static inline struct slice slice_trim(struct slice s)
{
    while (s.size > 0 && (s.data[0] == ' ' || s.data[0] == '\t'))
        s = slice_from(s, 1);
    while (s.size > 0 && (s.data[s.size - 1] == ' ' || s.data[s.size - 1] == '\t'))
        s.size--;
    return s;
}
static inline size_t slice_find(struct slice a, char c)
{
    const char *found = a.size == 0 ? NULL : memchr(a.data, c, a.size);
    return found == NULL ? a.size : (size_t)(found - a.data);
}

/* Cuts `*rest` at its first `separator`: returns what stands before it and leaves what stands after it.
 * Without a separator all of it is returned and `*rest` becomes {NULL, 0}. */
static inline struct slice slice_cut(struct slice *rest, char separator)
{
    size_t at = slice_find(*rest, separator);
    struct slice head = {rest->data, at};
    *rest = at == rest->size ? (struct slice){NULL, 0} : slice_from(*rest, at + 1);
    return head;
}

#endif
