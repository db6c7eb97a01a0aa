/* The store's client library: the one header of this folder that apiserver and tools include.
 *
 * Keeps one connection, to one of the endpoints; fails over, resumes watches after the last revision seen, and sends a
 * write again only under the (client id, sequence) it first carried, so that it is executed once (DESIGN "Exactly once").
 * All callbacks run on the loop, never inside the call that started them. */
#ifndef RAFTSTORE_CLIENT_H
#define RAFTSTORE_CLIENT_H

#include "common/base.h"
#include "common/env.h"
#include "common/err.h"
#include "common/mem.h"
#include "raftstore/kv.h"
#include "raftstore/store_errors.h"

struct store_client;
struct tls;

#define STORE_ENDPOINTS_MAX 9

struct store_client_options {
    const char *const *endpoints; /* numeric "host:port"; tried in turn, from a random one on unless `pinned` */
    size_t endpoint_count;
    bool pinned;                  /* stay with the first one (rsctl endpoint status, tests) */
    struct tls *tls;              /* a reference is taken; NULL: plain TCP (tests) */
    size_t calls_max;             /* in flight; ERR_BUSY above; 0 means 4096 */
};

/* `env` must outlive it. */
struct store_client *store_client_new(struct env *env, const struct store_client_options *o);
/* Every open call ends with ERR_CANCELED and every watch closes, then `closed` is called and the memory is gone. */
void store_client_close(struct store_client *c, void (*closed)(void *arg), void *arg);

/* One member's view; the answers of store_status, store_hashkv and store_member_list. */
struct store_status_result {
    uint64_t leader, commit_index, applied_index, last_index, snapshot_index, log_bytes, state_bytes; /* leader 0: unknown */
    int64_t compact_revision;
    bool learner;
    uint64_t connections, watches, requests_total, disk_free_bytes; /* 0 from a member that does not tell yet */
    enum { STORE_FOLLOWER, STORE_CANDIDATE, STORE_LEADER } role;
};

struct store_hashkv_result {
    uint64_t hash;          /* of keys and events at header.revision: equal on all members at a revision */
    int64_t compact_revision;
    uint64_t applied_index, state_hash; /* of the whole replicated state: equal at an applied index */
};

struct store_member {
    uint64_t id;
    struct slice peer_address, client_address, name;
    bool voter, automatic; /* a learner that is promoted as soon as it is in sync */
    uint64_t replaces;
};

/* What may be asked about the membership; the leader carries it out, whoever is asked. */
struct store_member_request {
    enum { STORE_MEMBER_ADD = 1, STORE_MEMBER_PROMOTE, STORE_MEMBER_REMOVE, STORE_MEMBER_UPDATE, STORE_MEMBER_LEAD } verb;
    uint64_t id;           /* whom it is about; of a new member: random, never used before */
    uint64_t replaces;     /* add: its id before it lost its folder: that one goes once this one votes; 0 */
    bool automatic, force; /* add: promote when in sync; remove: also when too few voters that answer are left */
    const char *name, *peer_address, *client_address; /* add, update: NULL or "" for none */
};

struct store_members_result {
    struct store_member members[STORE_ENDPOINTS_MAX];
    size_t count;
};

struct store_lease {
    int64_t id, granted_s;
    uint64_t remaining_ms;
    struct slice *keys; /* attached, when asked for */
    size_t key_count;
};

struct store_leases_result {
    struct store_lease *leases; /* granted or renewed: those that are there */
    size_t count;
};

/* The next bytes of a snapshot file. */
struct store_snapshot_part {
    struct slice bytes;
    bool last;
};

/* A call in flight; embedded in the caller's struct, which stays until `done`. */
struct store_call {
    /* status: 0; ERR_TIMEOUT (a read: nothing happened; a write: see `why`), ERR_OUTCOME_UNKNOWN, ERR_UNAVAILABLE,
     * ERR_COMPACTED, ERR_FUTURE_REVISION, ERR_INVALID, ERR_TOO_LARGE, ERR_NO_SPACE, ERR_BUSY, ERR_CANCELED */
    void (*done)(struct store_call *call, int status, const struct err *why);
    void *data; /* of the caller */
    /* Of a range: takes the parts of a long answer as they come, borrowed for the call; `done` has the rest of it, and where no part
     * was told of, all. It is not asked for again on another connection then: ERR_UNAVAILABLE. NULL: they are collected. */
    void (*part)(struct store_call *call, const struct kv *kvs, size_t n);

    bool sent;               /* valid in done: false: it never left this client, so a write that failed did not happen */
    struct kv_header header; /* valid in done, status 0 */
    union {
        struct kv_range_result range;
        struct kv_txn_result txn;
        struct store_status_result status;
        struct store_hashkv_result hashkv;
        struct store_members_result members;
        struct store_leases_result leases;
        struct store_snapshot_part snapshot;
    };                   /* valid in done, borrowed from `arena` */
    struct arena arena;  /* released by the library after done; copy what must stay */
    void *impl;          /* of the library */
};

/* Requests are copied. `timeout_ms` covers fail-over and waiting for a leader; 0 means 10 000. */
void store_range(struct store_client *c, struct store_call *call, const struct kv_range *range, unsigned timeout_ms);
void store_txn(struct store_client *c, struct store_call *call, const struct kv_txn *txn, unsigned timeout_ms);
void store_compact(struct store_client *c, struct store_call *call, int64_t revision, unsigned timeout_ms);
/* Of the member that the client is connected to (`pinned`: of that one). */
void store_status(struct store_client *c, struct store_call *call, unsigned timeout_ms);
void store_hashkv(struct store_client *c, struct store_call *call, unsigned timeout_ms);
/* `serializable`: as the member asked knows them, also when it sees no leader. */
void store_member_list(struct store_client *c, struct store_call *call, bool serializable, unsigned timeout_ms);
/* The answer holds the members after it; none when an earlier answer was lost and it was found to be done. Errors with etcd's texts (raftstore/member.h): ERR_NOT_FOUND, ERR_EXISTS, ERR_INVALID,
 * ERR_CONFLICT (not in sync, unhealthy cluster, too many), ERR_UNAVAILABLE (no leader in time: it may have happened). */
void store_member_change(struct store_client *c, struct store_call *call, const struct store_member_request *m, unsigned timeout_ms);
/* Leases, judged in cluster time: `ttl_s` 1 to 9 000 000 000; `id` 0 picks a random one. ERR_EXISTS, ERR_INVALID. */
void store_lease_grant(struct store_client *c, struct store_call *call, int64_t id, int64_t ttl_s, unsigned timeout_ms);
void store_lease_revoke(struct store_client *c, struct store_call *call, int64_t id, unsigned timeout_ms); /* ERR_NOT_FOUND */
/* Sets each back to its whole time; at most 4096 ids. The answer holds those that are still there. */
void store_lease_keepalive(struct store_client *c, struct store_call *call, const int64_t *ids, size_t n, unsigned timeout_ms);
/* One lease (none in the answer: it is gone), or with id 0 all of them, as the member we are connected to knows them. */
void store_lease_list(struct store_client *c, struct store_call *call, int64_t id, bool with_keys, unsigned timeout_ms);
/* Part `number` of a snapshot of the member that we are connected to, as it was when part 0 was asked for; one at a time, in
 * order, until the last one. ERR_NOT_FOUND: the connection was lost meanwhile; begin again with 0. */
void store_snapshot(struct store_client *c, struct store_call *call, uint64_t number, unsigned timeout_ms);
/* Gives up a call: done follows with ERR_CANCELED; a write may or may not have happened. */
void store_cancel(struct store_client *c, struct store_call *call);

struct store_watch_options {
    struct kv_span span;
    int64_t start_revision; /* first revision wanted; 0: from the next one on */
    bool prev_kv;
    bool no_put, no_delete; /* leaves such events out; a revision without any other is not delivered */
    unsigned progress_ms;   /* ask for `on_progress` at least so often when quiet; 0: never */
};

/* A watch; embedded, stays until on_closed. It survives reconnects: the library resumes it, no event is lost, repeated or
 * out of order. */
struct store_watch {
    /* All events of one revision, in order (sub order); borrowed for the call. */
    void (*on_events)(struct store_watch *w, int64_t revision, const struct kv_event *events, size_t n);
    /* Every event up to `revision` has been delivered. Called first when the watch has caught up. May be NULL. */
    void (*on_progress)(struct store_watch *w, int64_t revision);
    /* ERR_COMPACTED (with compact_revision: the oldest readable one), ERR_CANCELED. */
    void (*on_closed)(struct store_watch *w, int status, int64_t compact_revision, const struct err *why);
    void *data;
    void *impl;
};

void store_watch_start(struct store_client *c, struct store_watch *w, const struct store_watch_options *o);
void store_watch_stop(struct store_client *c, struct store_watch *w); /* on_closed follows with ERR_CANCELED */
/* Asks for on_progress now, with a revision not older than any state acknowledged before this call: one answer per call. */
void store_watch_progress(struct store_client *c, struct store_watch *w);

#endif
