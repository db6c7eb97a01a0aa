/* What the files mvcc*.c share: the store's state, and versions as values. Private to them. */
#ifndef RAFTSTORE_MVCC_INTERNAL_H
#define RAFTSTORE_MVCC_INTERNAL_H

#include "common/base.h"
#include "raftstore/mvcc.h"
#include "raftstore/mvcc_tree.h"

#define HISTORY_CHUNK_ITEMS 512

struct history_chunk {
    struct history_chunk *next;
    struct version *items[HISTORY_CHUNK_ITEMS];
};

/* Every version with mod_revision >= the compact revision (and older ones not stepped over yet), in order of (revision,
 * sub). Chunks are linked for a pin's reader and indexed by `chunks` for searches. Positions count from the first ever. */
struct history {
    struct history_chunk **chunks;
    size_t chunk_count, chunk_capacity;
    uint64_t first, end; /* positions; first is in chunks[0] */
};

/* See mvcc_scrub.c. */
struct mvcc_scrub {
    bool running;
    struct buf next; /* keys before it have been looked at */
    uint64_t sum;    /* of theirs, as they are now */
};

struct mvcc {
    struct tree tree;
    struct history history;
    int64_t revision, compact_revision;
    int64_t strip_revision; /* compacted while it was the newest: what it replaced goes too. 0: nothing left to do */
    uint64_t strip_at;      /* next position of the history for that */
    uint64_t live_sum, event_chain; /* see mvcc_hash.c */
    uint64_t version_bytes;
    struct kv_event *events; /* of the last transaction */
    size_t event_count, event_capacity;
    struct mvcc_hold *holds[MVCC_HOLDS_MAX];
    size_t hold_count;
    struct restore *restore; /* while pieces come in */
    struct mvcc_scrub scrub;
    bool (*lease_known)(void *arg, int64_t lease); /* NULL: all are */
    void *lease_arg;
};

/* mvcc_version.c */
struct slice version_value(const struct version *v);
struct version *version_older(const struct version *v); /* NULL: none, or compacted */
int64_t version_create(const struct version *v);
int64_t version_number(const struct version *v);
int64_t version_lease(const struct version *v);
struct kv version_kv(const struct version *v);
/* kv->version 0: a deletion. `older`: the newest one so far, deletions included; NULL: none. */
struct version *version_new(struct mvcc *m, const struct kv *kv, struct version *older);
void version_free(struct mvcc *m, struct version *v);
/* The newest version of the chain that is not newer than `revision`, if the key exists in it; else NULL. */
const struct version *version_at(const struct version *newest, int64_t revision);
void version_put(struct mvcc *m, struct version *v); /* makes it the newest version of its key and part of history and hash */
void version_cut(struct mvcc *m, struct version *v); /* frees what it replaced, if that is still there */

/* mvcc_compact.c */
void history_push(struct history *h, struct version *v);
struct version *history_at(const struct history *h, uint64_t position);
uint64_t history_find(const struct history *h, int64_t revision); /* position of the first version not older */
void history_free(struct history *h);

/* mvcc_range.c: spans, and reading a root. */
bool span_is_range(const struct kv_span *span);
bool span_holds(const struct kv_span *span, struct slice key);
bool span_open_end(const struct kv_span *span);
void range_read(const struct tree_node *root, const struct kv_range *range, int64_t revision, struct arena *arena,
                struct kv_range_result *ret); /* revision INT64_MAX: the newest */
int range_check(const struct kv_range *range, struct err *reterr);
int range_revision(const struct mvcc *m, int64_t revision, struct err *reterr);

/* mvcc_scrub.c */
void scrub_follow(struct mvcc *m, struct slice key, uint64_t change); /* live_sum has grown by so much for it */

/* mvcc_hash.c */
uint64_t hash_kv(const struct kv *kv);
uint64_t hash_chain(uint64_t chain, uint64_t event); /* event: hash_kv of the version it made */

#endif
