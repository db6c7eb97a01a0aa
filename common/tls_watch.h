/* Follows the files of credentials, so that they can be exchanged without a restart: looks every second, as a stat of each costs
 * nothing and works on every file system. */
#ifndef COMMON_TLS_WATCH_H
#define COMMON_TLS_WATCH_H

#include "common/base.h"
#include "common/env.h"

struct tls;

#define TLS_WATCH_MS 1000
#define TLS_WATCH_MAX 4

struct tls_watch {
    struct env *env;
    struct tls *all[TLS_WATCH_MAX];
    size_t count;
    struct timer timer;
};

void tls_watch_start(struct tls_watch *w, struct env *env);
void tls_watch_add(struct tls_watch *w, struct tls *t); /* borrowed until tls_watch_stop; NULL is fine */
void tls_watch_stop(struct tls_watch *w);

#endif
