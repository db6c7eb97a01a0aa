/* Consensus: libraft 0.22.1's raft_step() behind one interface, and the only file that includes <raft.h>.
 *
 * Pure: an event in, an update out; no I/O, clock or thread. It holds the driver rules (R1-R16, docs/architecture.md) that
 * the core needs: those about messages are applied here, those about the order of actions are asserted here and carried
 * out by driver.c. Entry bytes are opaque and shared by count. Thesis: D. Ongaro, "Consensus: Bridging Theory and
 * Practice", 2014. */
#ifndef RAFTSTORE_CONSENSUS_H
#define RAFTSTORE_CONSENSUS_H

#include "common/base.h"
#include "common/buf.h"
#include "common/err.h"
#include "raftstore/member.h"

struct consensus;

enum entry_kind { ENTRY_COMMAND = 1, ENTRY_BARRIER = 2, ENTRY_CHANGE = 3 }; /* barrier: the leader's own no-op */

struct entry {
    uint64_t term;
    enum entry_kind kind;
    struct bytes *data; /* referenced */
};

enum message_kind {
    MESSAGE_REQUEST_VOTE = 1, MESSAGE_REQUEST_VOTE_RESULT, MESSAGE_APPEND, MESSAGE_APPEND_RESULT,
    MESSAGE_INSTALL_SNAPSHOT, MESSAGE_TIMEOUT_NOW,
};

struct message {
    enum message_kind kind;
    uint64_t from, to; /* member ids */
    union {
        struct { uint64_t term, candidate, last_index, last_term; bool disrupt_leader, pre_vote; } request_vote;
        struct { uint64_t term; bool granted, pre_vote; uint16_t features; uint16_t capacity; } request_vote_result;
        struct { uint64_t term, prev_index, prev_term, leader_commit; } append;
        struct { uint64_t term, rejected, last_index; uint16_t features; uint16_t capacity; } append_result;
        struct { uint64_t term, last_index, last_term, configuration_index; } install_snapshot;
        struct { uint64_t term, last_index, last_term; } timeout_now;
    };
    struct entry *entries; /* of append; after a step: index range only, the driver fills them in */
    size_t entry_count;
};

enum role { ROLE_FOLLOWER, ROLE_CANDIDATE, ROLE_LEADER };

/* What a step asks for. Order owed by the driver: term and vote durable before any message of the same update leaves
 * (R5); entries may be written while messages to followers are under way; commit only after. Valid until the next step. */
struct consensus_update {
    bool hard_state;         /* term or vote changed: `term`, `vote` */
    uint64_t term, vote;
    struct entry *entries;   /* to append from `entries_index` on, truncating what stands there; references are the driver's,
                              * to be dropped before the next step */
    uint64_t entries_index;
    size_t entry_count;
    struct message *messages;
    size_t message_count;
    bool install;            /* take over the snapshot just received: `install_index`, `install_term` */
    uint64_t install_index, install_term;
    bool role_changed;
    bool commit_changed;     /* see consensus_commit_index */
    uint64_t next_timeout_ms; /* monotonic; feed consensus_tick then */
};

struct consensus_options {
    uint64_t id, random_seed;
    unsigned election_timeout_ms, heartbeat_ms;
};

/* What was found on disk. A founding member has a configuration and nothing else; one that joins has not even that and
 * waits for a leader to send it one. Entries that are changes have their data, others need none. */
struct consensus_start {
    uint64_t now_ms, term, vote;
    uint64_t snapshot_index, snapshot_term; /* 0: none */
    struct configuration configuration;     /* of the snapshot, or the bootstrap one */
    uint64_t configuration_index;
    uint64_t first_index;                   /* of `entries` */
    const struct entry *entries;
    size_t entry_count;
};

struct consensus *consensus_new(const struct consensus_options *o);
void consensus_free(struct consensus *c);

int consensus_start(struct consensus *c, const struct consensus_start *s, struct consensus_update *ret, struct err *reterr);
int consensus_tick(struct consensus *c, uint64_t now_ms, struct consensus_update *ret);
int consensus_receive(struct consensus *c, uint64_t now_ms, const struct message *m, struct consensus_update *ret);
/* ERR_NOT_LEADER; ERR_BUSY while leadership is being transferred. Takes a reference to each entry's data.
 * An ENTRY_CHANGE stands alone, holds configuration_encode()'s bytes, differs from the newest configuration by one voter at
 * most and keeps this leader a voter (ERR_INVALID: it must transfer first). ERR_BUSY before a no-op of the leader's own term
 * has committed (R4) and while another change is uncommitted. */
int consensus_submit(struct consensus *c, uint64_t now_ms, const struct entry *entries, size_t n, struct consensus_update *ret);
/* Entries up to `index` are durable. Ignored while installing and when they have been replaced meanwhile (R6). */
int consensus_persisted(struct consensus *c, uint64_t now_ms, uint64_t index, struct consensus_update *ret);
/* The snapshot of update.install is durable and the machine has taken it over; its configuration comes from its file. */
int consensus_installed(struct consensus *c, uint64_t now_ms, uint64_t index, uint64_t term,
                        const struct configuration *configuration, uint64_t configuration_index,
                        struct consensus_update *ret);
/* Hands leadership to the voter `to`, which must share the whole log (consensus_match): it is told to stand at once.
 * ERR_NOT_LEADER; ERR_BUSY: it lacks entries, or another transfer is under way; ERR_INVALID: no other voter. Until the
 * transfer ends, by a new leader or after an election timeout, nothing can be submitted. */
int consensus_transfer(struct consensus *c, uint64_t now_ms, uint64_t to, struct consensus_update *ret);
/* A snapshot of this member at `index` <= applied <= last stored exists (R8); entries up to index - trailing may go. The
 * configuration is the one in the snapshot: a newer one may have been committed since it was begun. */
int consensus_snapshot_taken(struct consensus *c, uint64_t now_ms, uint64_t index, uint64_t trailing,
                             const struct configuration *configuration, uint64_t configuration_index,
                             struct consensus_update *ret);
/* The leader's connection broke: stand for (pre-)election after `delay_ms` unless it is heard of before. Only ever shortens
 * the wait; harmless for a leader or candidate. */
void consensus_hurry(struct consensus *c, uint64_t now_ms, unsigned delay_ms);
/* Entries that may be under way to one follower (R11); the driver derives it from a byte budget. */
void consensus_set_inflight(struct consensus *c, unsigned entries);

enum role consensus_role(const struct consensus *c);
uint64_t consensus_leader(const struct consensus *c); /* 0: unknown */
uint64_t consensus_term(const struct consensus *c);
uint64_t consensus_vote(const struct consensus *c); /* in this term; 0: none */
uint64_t consensus_commit_index(const struct consensus *c);
uint64_t consensus_last_index(const struct consensus *c);
/* Leader only: the last entry that a member is known to share with us; 0 when unknown. */
uint64_t consensus_match(const struct consensus *c, uint64_t member);
/* True once an entry of the leader's own term is committed (R4): before it no reads and no membership change. */
bool consensus_ready(const struct consensus *c);
bool consensus_installing(const struct consensus *c);
uint64_t consensus_next_timeout_ms(const struct consensus *c);
uint64_t consensus_transferee(const struct consensus *c); /* 0: no transfer is under way */
/* The last committed configuration, valid until the next event, and its index; `ret_index` may be NULL. A snapshot may carry
 * it when everything up to that index has been applied. */
const struct configuration *consensus_configuration(const struct consensus *c, uint64_t *ret_index);
/* Differs whenever one of the two may have changed. */
uint64_t consensus_configuration_version(const struct consensus *c);
/* The newest one in the log, committed or not: the one that counts for elections and commits (thesis 4.1). */
const struct configuration *consensus_newest(const struct consensus *c, uint64_t *ret_index);

#endif
