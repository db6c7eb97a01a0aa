/* EDN, the notation Jepsen keeps histories in: values, a bounded reader and a printer. What histories hold is read: nil,
 * booleans, 64-bit integers, strings, keywords, vectors and lists (one kind), sets, maps; comments, commas and `#_` are passed
 * over, and of tagged values (`#jepsen.history.Op{…}`) the tag. Facts: the EDN specification. */
#ifndef JEPSEN_EDN_H
#define JEPSEN_EDN_H

#include "common/base.h"
#include "common/buf.h"
#include "common/err.h"
#include "common/mem.h"

#define EDN_DEPTH_MAX 32
#define EDN_COUNT_MAX (1u << 24) /* items of one collection, bytes of one string */

enum edn_kind { EDN_NIL, EDN_BOOL, EDN_INT, EDN_KEYWORD, EDN_STRING, EDN_VECTOR, EDN_SET, EDN_MAP };

/* Zero-initialised is nil. Memory is an arena's or the caller's. */
struct edn {
    enum edn_kind kind;
    uint32_t count;              /* items, or bytes of text; a map has two items for each pair */
    union {
        int64_t number;          /* INT; BOOL: 0 or 1 */
        const char *text;        /* KEYWORD (without its colon), STRING */
        const struct edn *items; /* VECTOR, SET; MAP: key, value, key, value … */
    };
};

static inline struct edn edn_int(int64_t n) { return (struct edn){.kind = EDN_INT, .number = n}; }
static inline struct edn edn_bool(bool b) { return (struct edn){.kind = EDN_BOOL, .number = b}; }
/* Borrow what they are given. */
static inline struct edn edn_keyword(const char *name)
{
    return (struct edn){.kind = EDN_KEYWORD, .count = (uint32_t)strlen(name), .text = name};
}
static inline struct edn edn_string(struct slice s)
{
    return (struct edn){.kind = EDN_STRING, .count = (uint32_t)s.size, .text = s.data};
}
static inline struct edn edn_vector(const struct edn *items, size_t count)
{
    return (struct edn){.kind = EDN_VECTOR, .count = (uint32_t)count, .items = items};
}
static inline struct edn edn_map(const struct edn *items, size_t count) /* count: of items, even */
{
    return (struct edn){.kind = EDN_MAP, .count = (uint32_t)count, .items = items};
}

static inline struct slice edn_text(struct edn e) { return (struct slice){e.text, e.count}; }
static inline bool edn_is_keyword(struct edn e, const char *name) { return e.kind == EDN_KEYWORD && slice_is(edn_text(e), name); }
bool edn_equal(struct edn a, struct edn b);              /* sets and maps in the order they were written in */
struct edn edn_get(struct edn map, const char *keyword); /* nil when it is no map or has no such key */

/* Reads the next value of `*rest` into memory of `arena` and moves `*rest` behind it. 1: a value; 0: nothing but space is
 * left; ERR_BAD_REQUEST: says what is wrong and near what. `line` (may be NULL) counts line ends passed. */
int edn_read(struct slice *rest, struct arena *arena, struct edn *ret, size_t *line, struct err *reterr);
void edn_print(struct buf *out, struct edn e); /* on one line, as edn_read takes it */

#endif
