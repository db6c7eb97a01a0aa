/* The index of mvcc.c: a B+tree over the newest version of each key, with counts of live keys per subtree. Private to mvcc*.c.
 *
 * A pinned root stays readable, by another thread too, while the tree changes: nodes that a pin can reach are copied
 * before a change and freed after the pin. Versions are not copied; mvcc_compact.c frees none while a pin is held. */
#ifndef RAFTSTORE_MVCC_TREE_H
#define RAFTSTORE_MVCC_TREE_H

#include "common/base.h"

#define TREE_NODE_MAX 64
#define TREE_HEIGHT_MAX 16
#define TREE_PINS_MAX 8

/* One value of a key, with the key, in one allocation. Most keys are written once, so what the first version of a key does not need
 * it does not have: it was created by its own revision, is number 1 and replaces nothing. Immutable but for version_past.older,
 * which only compaction cuts. The ways to its parts are below and in mvcc_version.c. */
struct version {
    int64_t mod_revision;
    uint64_t key_size : 22, value_size : 22, live : 1, has_past : 1, has_lease : 1, unused : 17; /* not live: the key was deleted */
    char bytes[]; /* aligned for it: a struct version_past when has_past; the lease in 8 bytes when has_lease; the key; the value */
};

struct version_past {
    struct version *older; /* NULL: none, or compacted */
    int64_t create_revision, number; /* 0 of a deletion */
};

struct tree_node;
struct tree {
    struct tree_node *root; /* NULL: empty */
    uint64_t epoch;         /* grows with each pin; a node of an epoch <= a held pin's is shared with it */
    uint64_t pins[TREE_PINS_MAX];
    size_t pin_count;
    struct tree_node **retired; /* replaced while shared */
    size_t retired_count, retired_capacity;
    size_t key_count; /* deleted ones not yet compacted included */
    size_t node_bytes;
};

struct tree_cursor {
    struct {
        const struct tree_node *node;
        unsigned at;
    } stack[TREE_HEIGHT_MAX];
    unsigned depth; /* 0: at the end */
};

_Static_assert(offsetof(struct version, bytes) % _Alignof(struct version_past) == 0, "a version's past is aligned");

static inline bool version_live(const struct version *v) { return v->live; }
static inline struct version_past *version_past(const struct version *v)
{
    return v->has_past ? (struct version_past *)(uintptr_t)v->bytes : NULL;
}
static inline size_t version_head_bytes(const struct version *v)
{
    return (v->has_past ? sizeof(struct version_past) : 0) + (v->has_lease ? sizeof(int64_t) : 0);
}
static inline struct slice version_key(const struct version *v)
{
    return (struct slice){v->bytes + version_head_bytes(v), v->key_size};
}

void tree_free(struct tree *t); /* nodes only */
/* Makes `v` the newest version of its key; the one before it, if there is one, is in the tree no more. */
void tree_put(struct tree *t, struct version *v);
/* Takes the key of `v` out. `v` must be its newest version and not live. */
void tree_remove(struct tree *t, const struct version *v);

struct version *tree_get(const struct tree_node *root, struct slice key);   /* newest version; NULL when absent */
uint64_t tree_live(const struct tree_node *root);                           /* live keys */
uint64_t tree_live_before(const struct tree_node *root, struct slice key);  /* live keys less than `key` */
/* Stands at the first key >= `key`; a cursor is good until the tree changes. */
void tree_seek(const struct tree_node *root, struct slice key, struct tree_cursor *c);
struct version *tree_at(const struct tree_cursor *c); /* newest version; NULL at the end */
void tree_next(struct tree_cursor *c);

const struct tree_node *tree_pin(struct tree *t, uint64_t *ret_pin); /* at most TREE_PINS_MAX at a time */
void tree_unpin(struct tree *t, uint64_t pin);
void tree_check(const struct tree *t); /* whole structure, for ASSERT_SLOW and tests */

#endif
