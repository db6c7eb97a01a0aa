/* Leases, as part of the replicated state: pure, judged in cluster time only. A new leader goes on from the last stamp, so a
 * change of leader neither revives nor lengthens a lease. Semantics: etcd v3's, DESIGN "Cluster time". */
#ifndef RAFTSTORE_LEASE_H
#define RAFTSTORE_LEASE_H

#include "common/base.h"
#include "common/err.h"
#include "common/heap.h"
#include "common/map.h"
#include "common/wire/pack.h"
#include "raftstore/mvcc.h"
#include "raftstore/state_sum.h"

struct lease {
    int64_t id;
    uint64_t ttl_ms, expires_ms; /* expires_ms: cluster time */
    struct map keys;             /* attached; values unused */
    uint64_t keys_sum;           /* of their hashes */
    struct heap_node node;
    struct sum_part part;
};

struct leases {
    struct map by_id;  /* 8 bytes of the id → struct lease * */
    struct map by_key; /* key → struct lease * */
    struct heap by_expiry;
    struct state_sum sum; /* of all leases with what hangs on them; kept with every change */
};

void leases_init(struct leases *l);
void leases_release(struct leases *l);

/* ERR_EXISTS, ERR_INVALID (time to live out of bounds), ERR_BUSY (LEASES_MAX). */
int leases_grant(struct leases *l, int64_t id, int64_t ttl_s, uint64_t now_ms, struct err *reterr);
struct lease *leases_find(const struct leases *l, int64_t id); /* NULL: none */
void leases_renew(struct leases *l, struct lease *lease, uint64_t now_ms);
void leases_drop(struct leases *l, struct lease *lease); /* its keys are the caller's to delete first */

/* Follows a change of the store: which lease a key hangs on. */
void leases_follow(struct leases *l, const struct kv_event *events, size_t n);
/* Attachments anew, from the live keys of a store that was restored. */
void leases_attach_all(struct leases *l, struct mvcc *m);

/* Ids of leases that are over at `now_ms`, at most `max`. */
size_t leases_due(const struct leases *l, uint64_t now_ms, int64_t *ret, size_t max);

/* One lease of a RESULT_LEASES: id, granted seconds, remaining ms, its keys when wanted. */
void lease_encode(struct buf *out, const struct lease *lease, uint64_t now_ms, bool with_keys);

void leases_encode(const struct leases *l, struct buf *out); /* without attachments */
bool leases_decode(struct leases *l, struct unpack *u);      /* false: malformed */
uint64_t leases_hash(const struct leases *l);                /* the same whatever the order they came in */

/* Compares up to `max` more leases with the sum. ERR_CORRUPT; *ret_whole: all were compared, the next call begins again. Of a
 * lease with more than LEASE_SCRUB_KEYS_MAX keys, the keys are not hashed again. */
#define LEASE_SCRUB_KEYS_MAX 4096
int leases_scrub(struct leases *l, size_t max, bool *ret_whole, struct err *reterr);

#endif
