/* The real network seam: TCP and UDP over libuv, TLS by memory sessions (tls.h). */
#ifndef COMMON_UV_NET_H
#define COMMON_UV_NET_H

#include "common/base.h"
#include "common/loop.h"
#include "common/net.h"

#include <uv.h>

struct uv_net;

struct uv_net *uv_net_new(uv_loop_t *uv, struct loop *loop, struct net *ret);
void uv_net_free(struct uv_net *n); /* after every connection and listener has closed */

#endif
