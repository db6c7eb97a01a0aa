/* The replicated state machine as the driver sees it. The store's own (apply.h) is one; simulations may use a smaller one.
 * Deterministic: the same entries give the same state on every member. */
#ifndef RAFTSTORE_MACHINE_H
#define RAFTSTORE_MACHINE_H

#include "common/base.h"
#include "common/buf.h"
#include "common/err.h"

struct machine_ops {
    /* A committed command entry, in index order, each once (after a restore: from the snapshot's index on). */
    void (*apply)(void *machine, uint64_t index, uint64_t term, struct slice data);

    /* Snapshots. `pin` is O(1) on the loop thread; `read` may run on the snapshot thread while apply goes on, appends the
     * next piece (about 1 MiB at most) to `out` and says when it was the last; `unpin` is on the loop thread again. */
    void *(*pin)(void *machine);
    int (*read)(void *pin, struct buf *out, bool *ret_last, struct err *reterr);
    void (*unpin)(void *machine, void *pin);

    /* Replaces the whole state by the pieces of a snapshot, in order; nothing changes before `restore_end(commit)`. Pieces and
     * the seal behind the last one, which builds what follows from them, may be taken on another thread, so that the end is short. */
    void *(*restore_begin)(void *machine);
    int (*restore_piece)(void *restore, struct slice piece, struct err *reterr); /* ERR_CORRUPT, ERR_FORMAT */
    int (*restore_seal)(void *restore, struct err *reterr);                      /* ERR_CORRUPT; NULL: nothing to do */
    int (*restore_end)(void *machine, void *restore, bool commit, struct err *reterr);

    /* The state that was replaced, once: NULL when there is none. May be long to free, which any thread may do. Both NULL where
     * restore_end frees it. */
    void *(*replaced)(void *machine);
    void (*free_replaced)(void *replaced);

    uint64_t (*hash)(void *machine); /* of the state: equal on all members at equal applied index */
};

struct machine {
    const struct machine_ops *ops;
    void *impl;
};

#endif
