/* The real store in the simulation: what is known to be true of it (store_truth.c), its members (store_node.c) and the load of
 * its clients (store_load.c). */
#ifndef TESTS_SIM_STORE_SIM_H
#define TESTS_SIM_STORE_SIM_H

#include "common/base.h"
#include "raftstore/kv.h"
#include "tests/sim/sim.h"

#define LEASE_TTL_MAX_SIM_S 3
#define STORE_TEXT_MAX 32 /* of a key and of a value, terminated */

/* One version of a key. */
struct truth_version {
    int64_t mod, create, version, lease; /* version 0: deleted */
    char value[STORE_TEXT_MAX];
};

struct truth_key {
    char key[STORE_TEXT_MAX];
    struct truth_version *versions; /* by mod */
    size_t count, capacity;
};

struct truth_event {
    struct truth_key *key;
    size_t at; /* in key->versions */
};

struct truth_revision {
    struct truth_event *events;
    size_t count;
};

struct truth_lease {
    uint64_t ttl_us;
    uint64_t renewed_us; /* a grant or keepalive that was asked for then has been answered: it was there; 0: none */
    uint64_t gone_us;    /* its key was first deleted then; 0: not yet */
    bool revoked;        /* somebody has asked to */
};

/* What the first member to apply an entry made of it; every other must do the same, and every answer and event must fit. */
struct store_truth {
    struct map keys;                  /* key → struct truth_key */
    struct map values;                /* value → revision in which it was written, as a pointer */
    struct map leases;                /* 8 bytes of the id → struct truth_lease */
    struct truth_revision *revisions; /* by revision */
    size_t capacity;
    int64_t newest;                   /* 1: the empty store */
    int64_t certain;                  /* the newest revision that any client has been told of */
    int64_t compacted;                /* the highest that anybody has asked to compact to, or a member has by itself */
};

void truth_init(struct store_truth *t);
void truth_release(struct store_truth *t);
/* A member stands at `revision` and reads back to `compact`: asked for, or as many revisions as are to be kept. */
void truth_compacted(struct sim_node *n, int64_t compact, int64_t revision);
/* A member has applied the events of a revision. */
void truth_applied(struct sim_node *n, int64_t revision, const struct kv_event *events, size_t count);
const struct truth_version *truth_at(const struct truth_key *k, int64_t revision); /* live then; NULL: not there */
struct truth_key *truth_key(struct store_truth *t, struct slice key);              /* NULL: never written */
struct truth_lease *truth_lease(struct store_truth *t, int64_t id);                /* made when new */
/* An answer says that the lease was there when asked for at `asked_us` or later. */
void truth_lease_renewed(struct sim *s, int64_t id, uint64_t asked_us);

/* All of a range's answer against what was there at `revision`. */
void check_range(struct sim *s, const struct kv_span *span, int64_t revision, const struct kv_range_result *r);
/* Events a watch is given, or with none a progress: all of the truth in (from, revision] within the span, no more, no less. */
void check_watch(struct sim *s, const struct kv_span *span, int64_t from, int64_t revision, const struct kv_event *events, size_t n);
bool check_span_holds(const struct kv_span *span, struct slice key);

struct store_sim;
struct store_truth *store_sim_truth(struct sim *s); /* NULL before the load began */

#endif
