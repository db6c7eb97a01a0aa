/* msgpack: values appended to a buffer, and read back one after the other. The home of msgpack-c, which does the packing.
 *
 * Reading is our own: msgpack-c's unpacker builds a tree of objects whose size the sender claims, while everything here
 * is a flat run of values whose reader knows what comes next. The reader checks each against what is left, borrows bytes
 * from the input, and keeps the first failure: after one every value reads as zero, so that a decoder asks once at its end. */
#ifndef COMMON_WIRE_PACK_H
#define COMMON_WIRE_PACK_H

#include "common/base.h"
#include "common/buf.h"

void pack_uint(struct buf *out, uint64_t v);
void pack_int(struct buf *out, int64_t v);
void pack_bool(struct buf *out, bool v);
void pack_bytes(struct buf *out, struct slice v);

struct unpack {
    struct slice in; /* what is left */
    bool bad;        /* a value was cut, of another type or out of bounds */
};

static inline struct unpack unpack_of(struct slice in) { return (struct unpack){in, false}; }
uint64_t unpack_uint(struct unpack *u);
int64_t unpack_int(struct unpack *u);
bool unpack_bool(struct unpack *u);
struct slice unpack_bytes(struct unpack *u);                 /* borrowed */
uint64_t unpack_below(struct unpack *u, uint64_t bound);     /* an unsigned one less than `bound`, else bad */
static inline bool unpack_done(const struct unpack *u) { return !u->bad && u->in.size == 0; } /* all read, none left */

#endif
