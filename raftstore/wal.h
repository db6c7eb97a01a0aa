/* The write-ahead log: entries, term and vote in preallocated, checksummed segments; an acknowledged block is never
 * rewritten. Layout in docs/formats.md, byte by byte. Asynchronous writes through the disk seam; opening is synchronous.
 * A failed write or sync is reported once through `failed` and the process must stop: nothing is retried. */
#ifndef RAFTSTORE_WAL_H
#define RAFTSTORE_WAL_H

#include "common/base.h"
#include "common/env.h"
#include "raftstore/consensus.h"

struct wal;

struct wal_options {
    uint8_t cluster_id[16];
    uint64_t member_id;
    uint64_t segment_bytes; /* 0 means 64 MiB */
    void (*failed)(void *arg, const struct err *why);
    void *arg;
};

/* What a recovery found. */
struct wal_state {
    uint64_t term, vote;
    uint64_t first_index;  /* of entries */
    struct entry *entries; /* owned by the caller from then on */
    size_t entry_count;
    bool tail_cut;         /* an unsealed, torn last batch was dropped */
};

/* ERR_CORRUPT (damage anywhere but in an unsealed last batch: do not vote, rejoin), ERR_IDENTITY (another cluster's or
 * member's folder), ERR_FORMAT (unknown format byte, named), ERR_IO. */
int wal_open(struct env *env, const struct wal_options *o, uint64_t snapshot_index, struct wal **ret, struct wal_state *ret_state,
             struct err *reterr);

struct wal_append {
    bool hard_state;
    uint64_t term, vote;
    uint64_t index;  /* of entries[0]; truncates what stands there */
    const struct entry *entries;
    size_t entry_count;
    void (*done)(struct wal_append *a); /* durable; in the order of the calls */
    struct list link;
};

void wal_append(struct wal *w, struct wal_append *a); /* everything queued while a sync runs goes into one batch */
/* Entries [index, index + n) from cache or disk; fewer when the byte budget ends. ERR_COMPACTED below the first index. */
int wal_entries(struct wal *w, uint64_t index, size_t n, size_t bytes_max, struct entry *ret, size_t *ret_count);
uint64_t wal_term_of(struct wal *w, uint64_t index); /* 0 when it is not there */
uint64_t wal_first_index(const struct wal *w);
uint64_t wal_last_index(const struct wal *w);
void wal_release(struct wal *w, uint64_t index);  /* entries up to `index` are no longer needed; whole segments go */
void wal_reset(struct wal *w, uint64_t index, uint64_t term, struct wal_append *done); /* after an installed snapshot */
void wal_close(struct wal *w, void (*closed)(void *arg), void *arg);

#endif
