/* Drives consensus: feeds events in, carries updates out in the durable order (term and vote before messages, entries
 * before they count, commit before apply), batches proposals of a loop turn, applies committed entries to the machine,
 * takes and installs snapshots, and answers linearizable reads by read-index rounds (docs/architecture.md). */
#ifndef RAFTSTORE_DRIVER_H
#define RAFTSTORE_DRIVER_H

#include "common/base.h"
#include "common/env.h"
#include "raftstore/consensus.h"
#include "raftstore/machine.h"

struct driver;

/* How members reach each other. Real: peer.c, mTLS connections. Simulated: messages with faults. Messages may be lost,
 * late, doubled or out of order; `message` bytes are what peer_wire.h encodes. */
struct transport_ops {
    /* Best effort. `bulk`: snapshot pieces, which must not hold up the rest. */
    void (*send)(void *impl, uint64_t to, struct slice message, bool bulk);
    size_t (*window)(void *impl, uint64_t to, bool bulk); /* bytes that may be sent now; 0: not connected or full */
};

struct transport {
    const struct transport_ops *ops;
    void *impl;
};

struct driver_options {
    uint8_t cluster_id[16];
    uint64_t member_id;
    struct configuration bootstrap;  /* of a fresh cluster: all members. Empty: this member joins and waits to be sent one */
    unsigned heartbeat_ms, election_timeout_ms; /* 0: 50, 300 */
    uint64_t snapshot_log_bytes;     /* take one when the log since the last is longer; 0: max(64 MiB, half the state) */
    uint64_t trailing_bytes;         /* kept behind a snapshot for slow followers; 0: 16 MiB */
    uint64_t segment_bytes;          /* of the log; 0: 64 MiB */
    uint64_t cache_bytes;            /* of entries kept in memory; 0: 8 MiB */
    uint64_t inflight_bytes;         /* of entries under way to one follower; 0: 8 MiB */
    uint64_t append_bytes;           /* of entries sent to one follower in a turn, about; 0: 1 MiB */
    uint64_t piece_bytes;            /* of a snapshot on its way; 0: 256 KiB, which is also the most */
    void (*failed)(void *arg, const struct err *why); /* the log failed: stop the process, acknowledge nothing more */
    void (*changed)(void *arg);      /* role, leader or term changed */
    void (*configured)(void *arg);   /* the committed or the newest configuration changed. May be NULL */
    void *arg;
};

/* Opens the log, restores snapshot and state. Errors as wal_open. */
int driver_new(struct env *env, const struct driver_options *o, struct machine machine, struct transport transport,
               struct driver **ret, struct err *reterr);
void driver_close(struct driver *d, void (*closed)(void *arg), void *arg);

/* A message that arrived from a peer whose identity the transport has verified. Garbage is refused: ERR_CORRUPT, ERR_FORMAT. */
int driver_receive(struct driver *d, uint64_t from, struct slice message, struct err *reterr);

/* The connection to `member` was reset. When it was the leader, an election begins early: pre-vote keeps this harmless. */
void driver_peer_lost(struct driver *d, uint64_t member);

/* Proposes one entry; embedded in the caller's struct, which stays until done. Leader only: ERR_NOT_LEADER at once.
 * done(0, index): committed and applied here (its effect is in the machine). ERR_OUTCOME_UNKNOWN: leadership was lost; the
 * entry may or may not have happened. ERR_NOT_LEADER, ERR_BUSY (too much is waiting), ERR_TOO_LARGE: it was certainly not
 * appended. ERR_CANCELED: the driver closes; as ERR_OUTCOME_UNKNOWN. */
struct proposal {
    struct bytes *data; /* the driver takes a reference until done */
    bool change;        /* `data` is a configuration (member.h): consensus_submit says what may refuse it */
    void (*done)(struct proposal *p, int status, uint64_t index);
    void *data_of_caller;
    struct list link;
    uint64_t index, term; /* of the driver */
};
void driver_propose(struct driver *d, struct proposal *p);

/* Linearizable read: done(0) once a round proved leadership and the machine has applied the round's commit index. On a
 * follower the leader is asked. ERR_NOT_LEADER, ERR_TIMEOUT, ERR_BUSY, ERR_CANCELED: nothing was proved. */
struct read_index {
    void (*done)(struct read_index *r, int status);
    struct list link;
    uint64_t index, round, deadline_ms, from, id; /* of the driver */
    void *data;
};
void driver_read_index(struct driver *d, struct read_index *r);

struct driver_status {
    uint64_t member_id, leader, term, commit_index, applied_index, last_index, first_index, snapshot_index;
    enum role role;
    uint64_t log_bytes;
};
void driver_status(const struct driver *d, struct driver_status *ret);
bool driver_leads(const struct driver *d); /* and may read: its own term has committed */

/* Membership. Configurations are valid until the next event. A leader by itself promotes automatic learners that are in sync
 * and removes ids whose successor votes, see driver_member.c; everything else is proposed (`change`). */
const struct configuration *driver_configuration(const struct driver *d, uint64_t *ret_index); /* committed */
const struct configuration *driver_newest(const struct driver *d, uint64_t *ret_index);
bool driver_live(struct driver *d, uint64_t member);    /* leader: it has answered within two election timeouts */
bool driver_settled(const struct driver *d);            /* leader for two election timeouts: who is not live is silent */
bool driver_in_sync(struct driver *d, uint64_t member); /* leader: it has what was in the log an election timeout ago */
bool driver_can_lose(struct driver *d, uint64_t member); /* leader: without it the live voters are still a quorum of the rest */
/* Proposes a configuration: a driver_propose whose data is made here. */
void driver_propose_configuration(struct driver *d, struct proposal *p, const struct configuration *c);
/* Begins to hand leadership to `to` (0: the live voter that has most). Proposals wait meanwhile. It is over when
 * driver_transferring says so, after an election timeout or two at most; whether it came about, driver_status tells.
 * ERR_NOT_LEADER, ERR_BUSY (under way already), ERR_INVALID (no other voter). */
int driver_transfer(struct driver *d, uint64_t to, struct err *reterr);
bool driver_transferring(const struct driver *d);

#endif
