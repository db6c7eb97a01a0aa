/* Who may do what, by the name in a client's certificate. A flag's text:
 *
 *   WHO=RIGHT[:PREFIX],…     WHO: cn:NAME (common name), o:NAME (organization), or * (anybody of the authority)
 *                            RIGHT: read, write, readwrite: of keys with PREFIX (none: of all); maintenance: compaction,
 *                            membership; member: asking to join; all
 *
 * What somebody may do is the union of his lines. A range is allowed when all of it lies within one prefix. Without roles
 * (NULL) everybody whom the authority certifies may do everything. Pure. */
#ifndef RAFTSTORE_ROLES_H
#define RAFTSTORE_ROLES_H

#include "common/base.h"
#include "common/err.h"
#include "common/net.h"
#include "raftstore/kv.h"

struct roles;

enum { ROLE_READ = 1, ROLE_WRITE = 2, ROLE_MAINTENANCE = 4, ROLE_MEMBER = 8, ROLES_ANY = 15 };

#define ROLES_MAX 256

int roles_parse(struct slice text, struct roles **ret, struct err *reterr); /* ERR_BAD_REQUEST, naming the item */
void roles_free(struct roles *r);

/* `span`: the keys it is about; NULL: any (somewhere). `peer` NULL or without a name: nobody. */
bool roles_allow(const struct roles *r, const struct net_peer *peer, unsigned right, const struct kv_span *span);
/* Reading for compares, ranges and previous values, writing for puts and deletions, in both branches. */
bool roles_allow_txn(const struct roles *r, const struct net_peer *peer, const struct kv_txn *txn);

#endif
