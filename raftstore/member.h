/* Who belongs to the cluster: members with their addresses, the encoding of a configuration in log entries and snapshots
 * (docs/formats.md "Configuration"), and the changes that may be made to one. Pure; the thesis's rules about when a change
 * may be proposed stand in consensus.c. */
#ifndef RAFTSTORE_MEMBER_H
#define RAFTSTORE_MEMBER_H

#include "common/base.h"
#include "common/buf.h"
#include "common/err.h"

#define CONSENSUS_MEMBERS_MAX 9
#define MEMBER_NEW_MAX 8      /* beyond it only who lost his folder comes in, for as long as his old id is there */
#define MEMBER_LEARNERS_MAX 3 /* at a time: each costs the leader a copy of everything */
#define MEMBER_TEXT_MAX 64    /* of a name or an address, terminated */
#define CONFIGURATION_FORMAT 1
#define CONFIGURATION_BYTES_MAX (2 + CONSENSUS_MEMBERS_MAX * (8 + 1 + 8 + 3 * MEMBER_TEXT_MAX))

struct member {
    uint64_t id;       /* random, never reused */
    bool voter;        /* else a learner: it replicates and never votes */
    bool automatic;    /* of a learner: the leader promotes it as soon as it is in sync */
    uint64_t replaces; /* the id that this member had before its folder was lost: it goes once this one votes; 0: none */
    char name[MEMBER_TEXT_MAX], peer_address[MEMBER_TEXT_MAX], client_address[MEMBER_TEXT_MAX]; /* "" when not known */
};

struct configuration {
    struct member members[CONSENSUS_MEMBERS_MAX];
    size_t count;
};

/* --- bytes --- */

void configuration_encode(const struct configuration *c, struct buf *out); /* appends */
/* The whole of `bytes`, checked: ids not zero and different, at most CONSENSUS_MEMBERS_MAX, texts that fit.
 * ERR_FORMAT: unknown format byte; ERR_CORRUPT. No member at all is possible: what a member that joins begins with. */
int configuration_decode(struct slice bytes, struct configuration *ret, struct err *reterr);

/* --- questions --- */

const struct member *configuration_member(const struct configuration *c, uint64_t id); /* NULL: not there */
size_t configuration_voters(const struct configuration *c);
/* At most one voter differs, so that every majority of one shares a member with every majority of the other (thesis 4.1). */
bool configuration_adjacent(const struct configuration *a, const struct configuration *b);

/* --- changes, in place; an error leaves `c` as it was --- */

/* What a change is refused with: one table of codes and texts, etcd's where it has one. */
#define MEMBER_REFUSALS(X)                                                                                               \
    X(MEMBER_NOT_FOUND, ERR_NOT_FOUND, "etcdserver: member not found")                                                   \
    X(MEMBER_ID_EXISTS, ERR_EXISTS, "etcdserver: member ID already exist")                                               \
    X(MEMBER_ADDRESS_EXISTS, ERR_EXISTS, "etcdserver: Peer URLs already exists")                                         \
    X(MEMBER_BAD_ADDRESS, ERR_INVALID, "etcdserver: given member URLs are invalid: HOST:PORT is wanted")                 \
    X(MEMBER_NOT_LEARNER, ERR_INVALID, "etcdserver: can only promote a learner member")                                  \
    X(MEMBER_NOT_IN_SYNC, ERR_CONFLICT, "etcdserver: can only promote a learner member which is in sync with leader")    \
    X(MEMBER_TOO_MANY_LEARNERS, ERR_CONFLICT, "etcdserver: too many learner members in cluster")                         \
    X(MEMBER_TOO_MANY, ERR_CONFLICT, "too many members in cluster: 8 are possible, and a ninth that replaces one")                                      \
    X(MEMBER_UNHEALTHY, ERR_CONFLICT,                                                                                    \
      "etcdserver: unhealthy cluster: too few voters would be left that answer; --force removes it all the same")        \
    X(MEMBER_LAST_VOTER, ERR_CONFLICT, "etcdserver: unhealthy cluster: the last voter cannot be removed")                \
    X(MEMBER_BAD_TRANSFEREE, ERR_INVALID, "etcdserver: bad leader transferee: it is no other voter of this cluster")     \
    X(MEMBER_CHANGE_PENDING, ERR_UNAVAILABLE, "another change of membership is under way")

enum member_refusal {
#define X(name, code, text) name,
    MEMBER_REFUSALS(X)
#undef X
};
int member_refuse(enum member_refusal why, struct err *reterr); /* the code */

/* A new learner. The same id at the same peer address again is no error: what it says of its name and client address is
 * taken over. Who replaces a learner takes its place: that one goes in the same change, and whom it was to replace is inherited. */
int member_add(struct configuration *c, const struct member *m, struct err *reterr);
int member_promote(struct configuration *c, uint64_t id, bool in_sync, struct err *reterr);
int member_remove(struct configuration *c, uint64_t id, struct err *reterr);
/* New addresses of a member; an empty one stays as it is. */
int member_update(struct configuration *c, uint64_t id, const char *peer_address, const char *client_address, struct err *reterr);

/* Copies `text` into one of a member's fields. False: it does not fit or holds control characters. */
bool member_text(char to[MEMBER_TEXT_MAX], struct slice text);

#endif
