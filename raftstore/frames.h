/* The front that speaks our own frames (docs/formats.md "client protocol"): the listener and its connections, hello, frames in,
 * answers and events gathered per turn of the loop, limits, silence. It is the only place where the server's side of the protocol
 * is decoded and encoded. */
#ifndef RAFTSTORE_FRAMES_H
#define RAFTSTORE_FRAMES_H

#include "common/base.h"
#include "common/env.h"
#include "common/err.h"
#include "raftstore/store_wire.h"

struct frames;
struct server;
struct tls;

struct frames_options {
    struct env *env;
    struct server *server;
    uint8_t cluster_id[STORE_ID_BYTES];
    uint64_t member_id;
    const char *address; /* numeric "host:port" to listen on */
    struct tls *tls;     /* borrowed; NULL: plain TCP (tests) */
    size_t pending_bytes_max; /* unsent on one connection, above which its client counts as too slow; 0: CONNECTION_PENDING_BYTES_MAX */
    void (*closed)(void *arg); /* after frames_close: it is gone */
    void *arg;
};

/* ERR_ADDRESS_IN_USE, ERR_PERMISSION, ERR_BAD_REQUEST; the message names the address. */
int frames_new(const struct frames_options *o, struct frames **ret, struct err *reterr);
void frames_tick(struct frames *f); /* now and then: closes connections that have been silent for SERVER_SILENCE_MS */
void frames_close(struct frames *f);

struct frames_metrics {
    uint64_t connections, requests_total, slow_closed;
};
void frames_metrics(const struct frames *f, struct frames_metrics *ret);

#endif
