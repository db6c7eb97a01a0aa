/* The multi-version store: a copy-on-write B+tree of the newest version of each key with subtree counts, and per-key
 * version chains behind it. Pure and deterministic: reads no clock, no randomness, no address order.
 *
 * Revisions begin at 1 (the empty store) and grow by one per transaction that changed something. A root can be pinned in
 * O(1) and read while writing goes on; only the owner's thread changes or releases nodes. */
#ifndef RAFTSTORE_MVCC_H
#define RAFTSTORE_MVCC_H

#include "common/base.h"
#include "common/buf.h"
#include "common/err.h"
#include "common/mem.h"
#include "raftstore/kv.h"

struct mvcc;

struct mvcc *mvcc_new(void);
void mvcc_free(struct mvcc *m);

int64_t mvcc_revision(const struct mvcc *m);
int64_t mvcc_compact_revision(const struct mvcc *m); /* the oldest readable one; 0 before any compaction */
uint64_t mvcc_bytes(const struct mvcc *m);           /* live data and retained history */

/* ERR_COMPACTED, ERR_FUTURE_REVISION, ERR_INVALID. The result borrows from the store until its next change, and from `arena`. */
int mvcc_range(struct mvcc *m, const struct kv_range *range, struct arena *arena, struct kv_range_result *ret, struct err *reterr);

/* Checks a request without touching the store: too many operations, one key put twice, empty keys, sort and revision
 * bounds. ERR_INVALID, ERR_TOO_LARGE. Called before SUBMIT and again at apply. */
int mvcc_check(const struct kv_txn *txn, struct err *reterr);

/* Who knows which leases there are. A put under any other is refused, in the branches that are taken only. NULL: all are. */
void mvcc_set_leases(struct mvcc *m, bool (*lease_known)(void *arg, int64_t lease), void *arg);

/* Applies one transaction; *ret_events are its changes, borrowed until the next one. On an error nothing has changed. */
int mvcc_apply(struct mvcc *m, const struct kv_txn *txn, struct arena *arena, struct kv_txn_result *ret,
               const struct kv_event **ret_events, size_t *ret_event_count, struct err *reterr);

/* Deletes those of the keys that are there, in one revision, however many they are: a lease's end. Events as mvcc_apply's. */
void mvcc_delete_keys(struct mvcc *m, const struct slice *keys, size_t n, struct arena *arena, const struct kv_event **ret_events,
                      size_t *ret_event_count);

/* ERR_COMPACTED, ERR_FUTURE_REVISION. A watch can begin at the compact revision; its events there have no prev_kv when that was
 * the newest revision, as all of etcd's have none. Marks at once; the memory goes in bounded steps. */
int mvcc_compact(struct mvcc *m, int64_t revision, struct err *reterr);
bool mvcc_compact_step(struct mvcc *m, size_t versions_max); /* false when nothing can be done now (see mvcc_hold, mvcc_pin) */

/* A revision held readable across compactions, for an answer that is made piece by piece. At most MVCC_HOLDS_MAX at a
 * time: false above. mvcc_range_held reads at the held revision, whatever range->revision says, and does not
 * count (count 0). */
#define MVCC_HOLDS_MAX 256
struct mvcc_hold {
    int64_t revision;
};
bool mvcc_hold(struct mvcc *m, int64_t revision, struct mvcc_hold *hold); /* `revision` must be readable */
void mvcc_unhold(struct mvcc *m, struct mvcc_hold *hold);
int mvcc_range_held(struct mvcc *m, const struct mvcc_hold *hold, const struct kv_range *range, struct arena *arena,
                    struct kv_range_result *ret, struct err *reterr);

/* Events of [from, to] within `span`, oldest first, at whole revisions, at most about `bytes_max` and after a bounded number
 * of steps; *ret_next is where to go on. For watches that catch up. ERR_COMPACTED when `from` is older than the oldest
 * readable revision. */
int mvcc_events(struct mvcc *m, const struct kv_span *span, int64_t from, int64_t to, size_t bytes_max, struct arena *arena,
                struct kv_event **ret, size_t *ret_count, int64_t *ret_next, struct err *reterr);

/* Snapshots. A pin takes the whole state in O(1); mvcc_pin_read may run on another thread while the store changes, and
 * appends the next piece, about `bytes_max` or one version. No memory of compacted versions is released while a pin is held. */
struct mvcc_pin;
struct mvcc_pin *mvcc_pin(struct mvcc *m);
void mvcc_pin_read(struct mvcc_pin *pin, size_t bytes_max, struct buf *out, bool *ret_last);
void mvcc_unpin(struct mvcc *m, struct mvcc_pin *pin); 
bool mvcc_pinned(const struct mvcc *m);
/* Builds a store from the pieces of a pin, in order. ERR_CORRUPT; then the store is to be freed. */
int mvcc_restore(struct mvcc *m, struct slice piece, struct err *reterr);
int mvcc_restore_end(struct mvcc *m, struct err *reterr); /* ERR_CORRUPT when pieces are missing or the hash is wrong */

/* A restored store goes on `by` revisions later, so that no revision of its old life is given out again. `compact`: all before
 * are forgotten, and whoever knows one hears ERR_COMPACTED. No pin may be held. */
void mvcc_bump(struct mvcc *m, int64_t by, bool compact);

/* Order-independent sum over live versions plus a chain over events, kept at apply: equal on all members at a revision. */
uint64_t mvcc_hash(const struct mvcc *m);
uint64_t mvcc_hash_bytes(struct slice bytes, uint64_t seed); /* the hash that the state's sums are made of */

/* Compares the sum over live versions with the data: looks at about `bytes_max` more, in order of keys, while writing goes on.
 * ERR_CORRUPT: they differ, so a bit was flipped in memory or the sum is wrong. *ret_whole: everything was compared, and the next
 * call begins again. Versions that are only history are not looked at. */
int mvcc_scrub(struct mvcc *m, size_t bytes_max, bool *ret_whole, struct err *reterr);

#endif
