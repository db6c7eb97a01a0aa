/* The store's state machine: committed entries in, changes of the multi-version store and results out. Deterministic: reads
 * no clock, randomness or address order; time is the cluster time that leaders stamp into entries.
 *
 * Exactly once: a client's session remembers the result of each sequence until the client says it has it. A command whose
 * session is not there (never opened, expired, pushed out) is refused with ERR_OUTCOME_UNKNOWN and never executed. */
#ifndef RAFTSTORE_APPLY_H
#define RAFTSTORE_APPLY_H

#include "common/base.h"
#include "raftstore/machine.h"
#include "raftstore/mvcc.h"
#include "raftstore/store_wire.h"

struct apply;
struct leases;

/* Called during apply, in this order for each command: its events, then its result. */
struct apply_options {
    /* All events of one revision; borrowed for the call. */
    void (*on_events)(void *arg, int64_t revision, const struct kv_event *events, size_t n);
    /* `result`: encoded as in store_wire.h; borrowed. Also for repeats. */
    void (*on_result)(void *arg, const struct store_command *c, struct slice result);
    void (*on_entry)(void *arg, uint64_t index); /* after an entry's last command */
    void (*on_restored)(void *arg);              /* a snapshot replaced the state */
    void *arg;
};

struct apply *apply_new(const struct apply_options *o);
void apply_free(struct apply *a);
struct machine apply_machine(struct apply *a);
struct mvcc *apply_mvcc(struct apply *a);         /* read it; it changes with each entry, and is another after a restore */
uint64_t apply_index(const struct apply *a);      /* of the last entry applied */
uint64_t apply_cluster_time_ms(const struct apply *a);
const struct leases *apply_leases(const struct apply *a);
uint64_t apply_checkpoint(const struct apply *a); /* of all state, in constant time: from the sums that are kept as it changes */
uint64_t apply_hash(const struct apply *a);       /* of all state: equal on all members at an index */
/* Compares the sums with the data they stand for, about `bytes_max` more of it: keys, then sessions, then leases. ERR_CORRUPT: this
 * member's memory is not what was written to it. *ret_whole: everything was compared, the next call begins again. */
int apply_scrub(struct apply *a, size_t bytes_max, bool *ret_whole, struct err *reterr);

/* What execution would refuse in any state; before SUBMIT. `arena` is scratch. */
int apply_check(const struct store_command *c, struct arena *arena, struct err *reterr);

#endif
