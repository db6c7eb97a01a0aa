/* The store as a component: driver, state machine, connections between members, client front. Many can run in one process. */
#ifndef RAFTSTORE_RAFTSTORE_H
#define RAFTSTORE_RAFTSTORE_H

#include "common/base.h"
#include "common/env.h"
#include "common/http.h"
#include "raftstore/server.h"

struct raftstore;
struct tls;

struct raftstore_options {
    uint8_t cluster_id[STORE_ID_BYTES];
    uint64_t member_id;
    struct server_member members[CONSENSUS_MEMBERS_MAX]; /* of a fresh cluster; this member among them */
    size_t member_count;
    const char *peer_address, *client_address; /* numeric "host:port" to listen on; borrowed */
    struct tls *tls;                           /* a reference is taken; NULL: plain TCP (tests) */
    uint64_t segment_bytes;                    /* of the log; 0: the driver's choice */
    void (*failed)(void *arg, const struct err *why); /* the log failed: the process must stop */
    void *arg;
};

/* Texts of the command line into options. ERR_BAD_REQUEST names what is wrong.
 * `members` and `clients`: "HEX16=HOST:PORT,…", peer and client addresses of the same ids. */
int raftstore_parse_ids(struct raftstore_options *o, const char *member_id, const char *cluster_id, struct err *reterr);
int raftstore_parse_members(struct raftstore_options *o, const char *members, const char *clients, struct err *reterr);

/* Opens the log in env's disk, restores the state, listens. Errors of wal_open and of listening. *ret is set in any case
 * and must be closed by raftstore_close. */
int raftstore_new(struct env *env, const struct raftstore_options *o, struct raftstore **ret, struct err *reterr);
void raftstore_close(struct raftstore *r, void (*closed)(void *arg), void *arg);

/* /healthz, /livez, /readyz, /health, /metrics, /debug/state. `core` is the struct raftstore. */
void raftstore_http(void *core, struct http_exchange *x);

#endif
