/* Connections between members: the real transport. Every member dials every other one twice, for messages and for bulk;
 * a connection carries frames (common/wire/frame.h) one way, from the one who dialled, after a hello:
 *
 *   format 1 | 'M' | bulk 1 | cluster id 16 | from 8 | to 8 | run 8 | epoch 8 | configuration index 8 | own address, the rest
 *
 * A newer connection of a member replaces its older one: frames of older epochs are dropped (R13). Nothing is queued for a
 * member that is not connected.
 *
 * Members come and go: peer_configure. Who is not in our configuration is let in when it knows a later one (it was added and
 * we have not heard; its hello says where to answer), and is refused otherwise, in a frame before the close:
 *
 *   format 1 | 'R' | configuration index 8 | text, the rest
 *
 * by which a member that was removed learns so (on_refused). */
#ifndef RAFTSTORE_PEER_H
#define RAFTSTORE_PEER_H

#include "common/base.h"
#include "common/env.h"
#include "raftstore/driver.h"

struct peer;
struct tls;

struct peer_member {
    uint64_t id;
    const char *address; /* numeric "host:port" */
};

struct peer_options {
    uint8_t cluster_id[16];
    uint64_t member_id;
    const char *listen_address;        /* numeric "host:port" */
    const struct peer_member *members; /* all of them; this one is skipped. Copied */
    size_t member_count;
    uint64_t configuration_index;      /* of `members` */
    const char *advertised_address;    /* where others reach this member; NULL: listen_address */
    const char *certificate_name;      /* common name or organization of every member's certificate; NULL: any of the authority's */
    struct tls *tls;                   /* certificates of both sides, of one CA; NULL: plain TCP (tests). A reference is taken */
    /* The connection from `member` broke and no newer one has replaced it: see driver_peer_lost. May be NULL. */
    void (*on_lost)(void *arg, uint64_t member);
    /* `member` says that we are in none of its configurations, the newest being of `configuration_index`. May be NULL. */
    void (*on_refused)(void *arg, uint64_t member, uint64_t configuration_index, const char *why);
};

/* ERR_ADDRESS_IN_USE and other errors of net_listen; the message names the address. */
int peer_new(struct env *env, const struct peer_options *o, void (*on_message)(void *arg, uint64_t from, struct slice message),
             void *arg, struct peer **ret, struct err *reterr);
/* The members from now on: new ones and new addresses are dialled, others are let go. */
void peer_configure(struct peer *p, const struct peer_member *members, size_t n, uint64_t configuration_index);
struct transport peer_transport(struct peer *p);
bool peer_connected(const struct peer *p, uint64_t member); /* to send */
void peer_close(struct peer *p, void (*closed)(void *arg), void *arg);

#endif
