/* Who a member is when its process begins, and how it begins: decided from its data folder and its command line alone.
 *
 *   folder empty:  named among the founding members ──▶ founds      the cluster exists, or --join ──▶ joins
 *   folder known:  log or snapshot ──▶ goes on                      an identity without them, or not all set aside ──▶ joins
 *   log damaged, as opening it tells ──begin_damaged──▶ joins, under another id */
#ifndef RAFTSTORE_BEGIN_H
#define RAFTSTORE_BEGIN_H

#include "common/base.h"
#include "common/disk.h"
#include "common/random.h"
#include "raftstore/identity.h"
#include "raftstore/rejoin.h"

/* What the command line says. */
struct begin_options {
    uint8_t cluster_id[16];
    uint64_t member_id;                   /* 0: none is named */
    const struct configuration *members;  /* the founding ones; borrowed; count 0: none */
    const char (*join)[MEMBER_TEXT_MAX];  /* client addresses of members to join; borrowed */
    size_t join_count;
    bool existing;                        /* the cluster exists: an empty folder was lost */
    const char *client_address;           /* of this member, as others reach it; borrowed */
};

enum begin_how { BEGIN_FOUND, BEGIN_ON, BEGIN_JOIN };

/* ERR_IDENTITY: the folder is another member's, or another cluster's; ERR_CORRUPT, ERR_FORMAT, ERR_IO. */
int begin_look(struct disk *disk, const struct begin_options *o, struct random *random, struct identity *ret, enum begin_how *ret_how,
               struct err *reterr);
/* The log or the snapshot cannot be trusted: *identity becomes that of a new member which sets them aside and replaces this one.
 * The code of `why` when the folder has had that too often. */
int begin_damaged(struct identity *identity, struct random *random, const struct err *why, struct err *reterr);
/* Whom to ask to be added, into ret->endpoints: who is named to join, the last members seen, the founding ones; not itself. */
void begin_endpoints(struct disk *disk, const struct begin_options *o, const struct identity *identity, struct rejoin_options *ret);

#endif
