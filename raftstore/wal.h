/* The write-ahead log: entries, term and vote in preallocated, checksummed segments; an acknowledged block is never
 * rewritten. Layout in docs/formats.md, byte by byte. Asynchronous writes through the disk seam; opening is synchronous.
 * A failed write or sync is reported once through `failed` and the process must stop: nothing is retried. */
#ifndef RAFTSTORE_WAL_H
#define RAFTSTORE_WAL_H

#include "common/base.h"
#include "common/env.h"
#include "raftstore/consensus.h"

#define WAL_ENTRY_BYTES_MAX (4u * 1024 * 1024) /* data of one entry */

struct wal;

struct wal_options {
    uint8_t cluster_id[16];
    uint64_t member_id;
    uint64_t segment_bytes; /* 0 means 64 MiB */
    uint64_t cache_bytes;   /* of entries kept in memory; 0 means 8 MiB */
    void (*failed)(void *arg, const struct err *why);
    void *arg;
};

/* What a recovery found, as far as it continues the snapshot it was opened with. */
struct wal_state {
    uint64_t term, vote;
    uint64_t first_index;  /* of entries */
    struct entry *entries; /* owned by the caller: wal_state_release; `data` is NULL where the cache did not hold it */
    size_t entry_count;
    bool tail_cut;         /* an unsealed, torn last batch was dropped */
};

/* `snapshot_index`, `snapshot_term`: of the newest snapshot, 0 for none; a log that does not contain that entry is dropped.
 * ERR_CORRUPT (damage anywhere but in an unsealed last batch: do not vote, rejoin), ERR_IDENTITY (another cluster's or
 * member's folder), ERR_FORMAT (unknown format byte, named), ERR_IO. */
int wal_open(struct env *env, const struct wal_options *o, uint64_t snapshot_index, uint64_t snapshot_term,
             struct wal **ret, struct wal_state *ret_state, struct err *reterr);
void wal_state_release(struct wal_state *s);

/* One request to write; embedded in the caller's struct, which stays until done. */
struct wal_append {
    bool hard_state;
    uint64_t term, vote;
    uint64_t index; /* of entries[0]; truncates what stands there */
    const struct entry *entries; /* borrowed for the call; the log takes references */
    size_t entry_count;
    /* Durable; in the order of the calls; never inside the call. `last` tells how far: a later append may have replaced
     * the end of this one, or all of it (then it is below `index`). Not called after wal_close or a failure. */
    void (*done)(struct wal_append *a);
    uint64_t last;
    /* of the log */
    uint64_t next, reset_term;
    bool reset;
    struct list link;
};

void wal_append(struct wal *w, struct wal_append *a); /* everything queued while a sync runs goes into one batch */
/* Entries [index, index + n) from cache or disk, each with a reference for the caller; fewer when the byte budget ends, but
 * at least one. ERR_COMPACTED below the first index; ERR_NOT_FOUND behind the last; ERR_IO, ERR_CORRUPT from the disk. */
int wal_entries(struct wal *w, uint64_t index, size_t n, size_t bytes_max, struct entry *ret, size_t *ret_count,
                struct err *reterr);
uint64_t wal_term_of(const struct wal *w, uint64_t index); /* 0 when it is not there; known for first index - 1 too */
uint64_t wal_first_index(const struct wal *w);
uint64_t wal_last_index(const struct wal *w);
uint64_t wal_durable_index(const struct wal *w); /* up to here a crash keeps it */
uint64_t wal_bytes_after(const struct wal *w, uint64_t index); /* of the entries behind `index` */
/* The number of entries up to `index` that together have at most `bytes`. */
uint64_t wal_trailing(const struct wal *w, uint64_t index, uint64_t bytes);
uint64_t wal_segment_count(const struct wal *w);
void wal_release(struct wal *w, uint64_t index);  /* entries up to `index` are no longer needed; whole segments go */
/* After an installed snapshot: the log is empty and begins behind `index`. done->done once that is durable. */
void wal_reset(struct wal *w, uint64_t index, uint64_t term, struct wal_append *done);
void wal_close(struct wal *w, void (*closed)(void *arg), void *arg);

#endif
