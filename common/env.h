/* The seams through which every component meets the world. Components include nothing of libuv, sockets, files or
 * clocks: they are handed a `struct env`, real (uv_env.h) or simulated (tests/sim). All calls and callbacks happen on
 * the one loop thread of the component. */
#ifndef COMMON_ENV_H
#define COMMON_ENV_H

#include "common/clock.h"
#include "common/disk.h"
#include "common/http_client.h"
#include "common/log.h"
#include "common/loop.h"
#include "common/net.h"
#include "common/proc.h"
#include "common/random.h"

struct env {
    struct loop loop;
    struct clock clock;
    struct random random;
    struct disk disk;
    struct net net;
    struct http_client http;
    struct proc proc;
    struct log *log;
};

#endif
