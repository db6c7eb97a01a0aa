/* The store as a component: driver, state machine, connections between members, client front. Many can run in one process. */
#ifndef RAFTSTORE_RAFTSTORE_H
#define RAFTSTORE_RAFTSTORE_H

#include "common/base.h"
#include "common/env.h"
#include "common/http.h"
#include "raftstore/rejoin.h"
#include "raftstore/roles.h"
#include "raftstore/server.h"

struct raftstore;
struct tls;

struct raftstore_options {
    uint8_t cluster_id[STORE_ID_BYTES];
    uint64_t member_id;           /* 0: only with `join`; this member makes its own */
    struct configuration members; /* of a fresh cluster; this member among them. None: `join` */
    char join[REJOIN_ENDPOINTS_MAX][MEMBER_TEXT_MAX]; /* client addresses of members of the cluster to join */
    size_t join_count;
    /* The cluster exists already: an empty folder is one that was lost, and comes back as a new member. Otherwise an empty
     * folder founds the cluster together with the others of `members`. */
    bool existing;
    bool learner;                 /* a member that joins stays a learner until somebody promotes it */
    const char *name;             /* of this member, for people; may be NULL */
    const char *peer_address, *client_address; /* numeric "host:port" to listen on; borrowed */
    const char *advertised_peer, *advertised_client; /* where others reach this member; NULL: the same */
    const char *peer_name;        /* common name or organization that certificates of members must have; NULL: any */
    struct tls *tls;              /* for clients. A reference is taken; NULL: plain TCP (tests) */
    struct tls *peer_tls;         /* between members; NULL: `tls` */
    uint64_t segment_bytes;       /* of the log; 0: the driver's choice */
    uint64_t snapshot_log_bytes;  /* a snapshot is taken when the log is longer, a quarter is kept behind it; 0: the driver's choice */
    const struct roles *roles;    /* of clients; borrowed; NULL: no restriction (roles.h) */
    uint64_t space_floor_bytes, quota_bytes, compact_bytes; /* see server.h */
    unsigned compact_age_ms;
    bool http_tls;                /* raftstore_http is served over mutual TLS */
    bool http_plain_keys;         /* it is not, and shows keys all the same: loopback only */
    int64_t compact_revisions;
    /* The process must stop and acknowledge nothing more: the log failed, or (ERR_IDENTITY) this member was removed. */
    void (*failed)(void *arg, const struct err *why);
    void *arg;
};

/* Texts of the command line into options. ERR_BAD_REQUEST names what is wrong.
 * `members` and `clients`: "HEX16=HOST:PORT,…", peer and client addresses of the same ids. `join`: "HOST:PORT,…"; with it
 * member id, members and clients may be NULL. */
int raftstore_parse_ids(struct raftstore_options *o, const char *member_id, const char *cluster_id, struct err *reterr);
int raftstore_parse_members(struct raftstore_options *o, const char *members, const char *clients, const char *join,
                            struct err *reterr);

/* Opens the log in env's disk, restores the state, listens. Errors of wal_open and of listening; ERR_IDENTITY: the folder is
 * another member's. A member that joins, or whose log is damaged while others are there to get everything from, first asks
 * them to add it and opens afterwards (rejoin.h); until then it is not ready. *ret is set in any case
 * and must be closed by raftstore_close. */
int raftstore_new(struct env *env, const struct raftstore_options *o, struct raftstore **ret, struct err *reterr);
void raftstore_close(struct raftstore *r, void (*closed)(void *arg), void *arg);

/* A saved snapshot (rsctl snapshot save), read whole from the file `name` of env's disk and checked: every checksum, and the
 * hash of the state. Needs as much memory as the store it came from. */
struct raftstore_backup {
    uint8_t cluster_id[STORE_ID_BYTES]; /* where it was saved */
    uint64_t index, term, hash, file_bytes;
    int64_t revision, compact_revision, keys;
    struct apply *apply;
};
/* ERR_CORRUPT, ERR_FORMAT, ERR_NOT_FOUND, ERR_IO; the message names the file. Then there is nothing to release. */
int raftstore_backup_open(struct env *env, const char *name, struct raftstore_backup *ret, struct err *reterr);
void raftstore_backup_release(struct raftstore_backup *b);
/* Only the checksums, without building the state. */
int raftstore_backup_check(struct env *env, const char *name, struct err *reterr);

/* Makes the empty folder of env's disk one that a member of a new cluster starts with: the state of the backup, the cluster
 * id and members of `o`. Revisions go on `bump` later, and those before are forgotten if `compact`. Done for each member, the
 * same way. ERR_CONFLICT: the folder is not empty; then `done` is not called. The backup stays until `done`, and is used up. */
int raftstore_backup_restore(struct raftstore_backup *b, struct env *env, const struct raftstore_options *o, int64_t bump,
                             bool compact, void (*done)(void *arg, int status, const struct err *why), void *arg,
                             struct err *reterr);

/* What the data folder of a member that does not run holds: its newest snapshot and every entry of the log behind it, whether a
 * majority had it or not. Nothing that was acknowledged and that this member has is left out. */
struct raftstore_folder {
    uint8_t cluster_id[STORE_ID_BYTES];
    uint64_t member_id;           /* whose it is */
    uint64_t last_index;          /* of its log; the member with the greatest (state.term, last_index) has most */
    struct configuration members; /* the newest one in it */
    struct raftstore_backup state; /* as of the last entry */
};
/* Reads env's disk. ERR_CORRUPT, ERR_FORMAT, ERR_IO; ERR_NOT_FOUND: nothing is there; ERR_IDENTITY: it is no member's any more.
 * `closed` follows in any case, perhaps within the call, and then the disk may go. ret->state is to be released, unless there was
 * an error. */
int raftstore_folder_read(struct env *env, struct raftstore_folder *ret, void (*closed)(void *arg), void *arg, struct err *reterr);

/* /healthz, /livez, /readyz, /health, /metrics, /debug/state, and /v2/keys (http_keys.h) for whoever has a certificate. `core` is the struct raftstore. */
void raftstore_http(void *core, struct http_exchange *x);

#endif
