/* A founding member is known to the others by id and addresses: the command line that founds a cluster names no names. Once there is
 * a leader, it tells its own, so that lists for people show it. Others said theirs when they joined. */
#ifndef RAFTSTORE_INTRODUCE_H
#define RAFTSTORE_INTRODUCE_H

#include "common/base.h"
#include "common/env.h"
#include "raftstore/member.h"
#include "raftstore/store_api.h"

#define INTRODUCE_MS 1000 /* between two looks, and after a refusal */

struct introduction {
    struct env *env;
    struct caller caller;
    struct member self;
    struct timer timer;
    bool open, asked;
};

/* `self`: with its name; it is asked for until a configuration holds it. */
void introduction_begin(struct introduction *i, struct env *env, struct server *s, const struct member *self);
void introduction_end(struct introduction *i); /* before server_close; also when it never began */

#endif
