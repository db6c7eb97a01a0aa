/* The index of mvcc.c: a B+tree from key to newest version, with counts of live keys per subtree. Private to mvcc*.c.
 *
 * A pinned root stays readable, by another thread too, while the tree changes: nodes that a pin can reach are copied
 * before a change and freed after the pin. Keys and versions are not copied; mvcc_compact.c frees none while a pin is held. */
#ifndef RAFTSTORE_MVCC_TREE_H
#define RAFTSTORE_MVCC_TREE_H

#include "common/base.h"

#define TREE_NODE_MAX 64
#define TREE_HEIGHT_MAX 16
#define TREE_PINS_MAX 8

struct mvcc_key {
    uint32_t size;
    char bytes[];
};

/* Immutable but for `older`, which only compaction cuts. The one way to the value is version_value(). */
struct version {
    struct version *older;
    int64_t mod_revision, create_revision;
    uint64_t number : 39, has_lease : 1, value_size : 24; /* number 0: the key was deleted */
    char bytes[];                                         /* the lease in 8 bytes when has_lease, then the value */
};

struct tree_entry {
    struct mvcc_key *key;
    struct version *newest;
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

static inline struct slice mvcc_key_slice(const struct mvcc_key *k) { return (struct slice){k->bytes, k->size}; }
static inline bool version_live(const struct version *v) { return v->number != 0; }

void tree_free(struct tree *t); /* nodes only */
/* Makes `version` the newest of `key`; returns the key's object. */
struct mvcc_key *tree_put(struct tree *t, struct slice key, struct version *version);
/* Takes the key out; its object is the caller's from then on. The key must be there and its newest version not live. */
struct mvcc_key *tree_remove(struct tree *t, struct slice key);

const struct tree_entry *tree_get(const struct tree_node *root, struct slice key); /* NULL when absent */
uint64_t tree_live(const struct tree_node *root);                                  /* live keys */
uint64_t tree_live_before(const struct tree_node *root, struct slice key);         /* live keys less than `key` */
/* Stands at the first key >= `key`; a cursor is good until the tree changes. */
void tree_seek(const struct tree_node *root, struct slice key, struct tree_cursor *c);
const struct tree_entry *tree_entry(const struct tree_cursor *c); /* NULL at the end */
void tree_next(struct tree_cursor *c);

const struct tree_node *tree_pin(struct tree *t, uint64_t *ret_pin); /* at most TREE_PINS_MAX at a time */
void tree_unpin(struct tree *t, uint64_t pin);
void tree_check(const struct tree *t); /* whole structure, for ASSERT_SLOW and tests */

#endif
