/* How a member gets into a cluster that exists: a new one, one whose folder is empty, one whose log is damaged.
 *
 *   identity ──saved──▶ aside ──renamed──▶ settled ──saved──▶ asking ──a leader added us──▶ done
 *
 * `identity`: the new member id is durable before anything else happens, so a crash anywhere goes on where it stood. `aside`:
 * the files of the member before are renamed, never removed. `asking`: the other members are asked to add this one as a
 * learner, until one of them says who belongs to the cluster. It has no log and no vote; its leader sends it everything and
 * promotes it (driver_member.c). */
#ifndef RAFTSTORE_REJOIN_H
#define RAFTSTORE_REJOIN_H

#include "common/base.h"
#include "common/env.h"
#include "raftstore/identity.h"

struct rejoin;
struct tls;

#define REJOIN_ENDPOINTS_MAX 32

struct rejoin_options {
    struct identity identity;   /* what this member is to be; saved first */
    bool automatic;             /* promote it when it is in sync */
    const char *name, *peer_address, *client_address;       /* of this member, as others reach it; borrowed until done */
    char endpoints[REJOIN_ENDPOINTS_MAX][MEMBER_TEXT_MAX];  /* client addresses of the others */
    size_t endpoint_count;
    struct tls *tls;            /* borrowed until done; NULL: plain TCP (tests) */
    /* 0: `members` are those of the cluster, this one among them. Else the disk failed: the process must stop. Called
     * once, in a turn of its own, and not after rejoin_close; the rejoin is gone then. */
    void (*done)(void *arg, int status, const struct configuration *members, const struct err *why);
    void *arg;
};
struct rejoin *rejoin_new(struct env *env, const struct rejoin_options *o);
void rejoin_close(struct rejoin *r, void (*closed)(void *arg), void *arg);

#endif
