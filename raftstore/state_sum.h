/* The hash of a part of the state that is many small things (sessions, leases): a sum of one hash for each, kept as they change,
 * and a check of it that recomputes every hash from the data, a few at a time, while they go on changing.
 *
 *   idle ──sum_check──▶ looking ──the last part was looked at: seen == sum?──▶ idle
 *
 * `seen` is the sum over the parts looked at in this pass, as they are now: what changes a part that was looked at changes it too.
 * All zeros is an empty sum; the struct may be copied as a whole. */
#ifndef RAFTSTORE_STATE_SUM_H
#define RAFTSTORE_STATE_SUM_H

#include "common/base.h"

/* Embedded in each thing that counts. */
struct sum_part {
    struct sum_part *next, *before; /* in the order they came; no list head, so that the sum can be copied */
    uint64_t hash;
    uint32_t pass; /* in which it was looked at last */
};

struct state_sum {
    struct sum_part *first, *last;
    struct sum_part *look; /* the next to look at */
    uint64_t sum, seen;
    uint32_t pass;
    bool looking;
};

void sum_add(struct state_sum *s, struct sum_part *p, uint64_t hash);
void sum_set(struct state_sum *s, struct sum_part *p, uint64_t hash); /* it has changed */
void sum_remove(struct state_sum *s, struct sum_part *p);

/* Looks at up to `max` more parts, recomputing each hash by `hash_of`. False: one differs from what was kept, or at the end the
 * sum does. *ret_whole: that was the end, the next call begins again. */
bool sum_check(struct state_sum *s, size_t max, uint64_t (*hash_of)(const struct sum_part *p), bool *ret_whole);

/* Mixes a word into a hash, in order. */
static inline uint64_t sum_mix(uint64_t hash, uint64_t word)
{
    hash = (hash ^ word) * 0x9e3779b97f4a7c15u;
    return hash ^ hash >> 29;
}

#endif
