/* The store's client front: connections, reads, writes, watches. A write is proposed here when this member leads, else
 * forwarded to the leader; either way its answer comes from this member's own apply, so that on every connection the events
 * of a revision stand before any answer that names it. */
#ifndef RAFTSTORE_SERVER_H
#define RAFTSTORE_SERVER_H

#include "common/base.h"
#include "common/env.h"
#include "raftstore/apply.h"
#include "raftstore/consensus.h"
#include "raftstore/driver.h"
#include "raftstore/roles.h"

struct server;
struct tls;

/* What the server needs of the driver (driver.h); tests have a smaller one. */
struct server_consensus {
    void (*propose)(void *impl, struct proposal *p);
    void (*read_index)(void *impl, struct read_index *r);
    void (*status)(void *impl, struct driver_status *ret);
    const struct configuration *(*configuration)(void *impl, bool newest); /* valid until the next event */
    void (*propose_configuration)(void *impl, struct proposal *p, const struct configuration *c);
    bool (*in_sync)(void *impl, uint64_t member);
    bool (*can_lose)(void *impl, uint64_t member);
    bool (*live)(void *impl, uint64_t member);
    bool (*settled)(void *impl); /* it has led for so long that who is not live is silent */
    int (*transfer)(void *impl, uint64_t to, struct err *reterr);
    bool (*transferring)(void *impl);
    bool (*pass)(void *impl, uint64_t to, struct slice bytes, bool bulk); /* driver_pass */
    void *impl;
};

struct server_options {
    uint8_t cluster_id[STORE_ID_BYTES];
    uint64_t member_id;
    const char *address; /* numeric "host:port" to listen on */
    struct tls *tls;     /* for clients and for forwarding; borrowed; NULL: plain TCP (tests) */
    struct apply *apply; /* its callbacks call server_events, …_result, …_entry, …_restored; outlives the server */
    struct server_consensus consensus;
    const struct roles *roles;  /* borrowed; NULL: whoever connects may do everything (roles.h) */
    uint64_t space_floor_bytes; /* of the disk: with less free, what grows the state is refused; 0: server_space_floor */
    /* Compaction by itself, by whichever says most; 0: not by this. Age: of revisions, in cluster time. Number: of revisions
     * kept, an eighth more may gather. Size: of the state, above which half of the history goes at a time. */
    uint64_t compact_age_ms;
    int64_t compact_revisions;
    uint64_t compact_bytes;
    uint64_t quota_bytes;       /* of the state in memory, likewise; 0: none */
    size_t pending_bytes_max;   /* unsent on one connection, above which its client counts as too slow; 0: CONNECTION_PENDING_BYTES_MAX */
    uint64_t scrub_every_ms;    /* the state is compared with its hashes so often; 0: SCRUB_EVERY_MS */
    size_t scrub_step_bytes;    /* of it per tick; 0: SCRUB_STEP_BYTES */
};

/* The floor when none is asked for: 256 MiB or a hundredth of the disk, and never more than a quarter of it. */
uint64_t server_space_floor(uint64_t total_bytes);

/* ERR_ADDRESS_IN_USE, ERR_PERMISSION, ERR_BAD_REQUEST; the message names the address. */
int server_new(struct env *env, const struct server_options *o, struct server **ret, struct err *reterr);
/* Closes listener and connections; the driver must have ended all proposals and reads before `closed`. */
void server_close(struct server *s, void (*closed)(void *arg), void *arg);

void server_events(struct server *s, int64_t revision, const struct kv_event *events, size_t n);
void server_result(struct server *s, const struct store_command *c, struct slice result);
void server_entry(struct server *s, uint64_t index);
void server_restored(struct server *s);
void server_changed(struct server *s); /* role, leader or term changed */
void server_passed(struct server *s, uint64_t from, struct slice bytes); /* another member's server says it */
void server_peer_lost(struct server *s, uint64_t member); /* what was on its way to it may be lost */

struct server_metrics {
    uint64_t connections, watches, writes_waiting, requests_total, entries_proposed, events_sent, slow_closed, no_space_total, hash_mismatches_total, scrubs, scrub_failures;
    bool space_low, quarantined;
};
bool server_quarantined(const struct server *s); /* its state was found to differ from the others': it answers nobody */
void server_metrics(const struct server *s, struct server_metrics *ret);

#endif
