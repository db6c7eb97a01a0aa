/* The apiserver as a component: a request core over watch caches and the store. Knows no sockets: whoever has an
 * exchange (the HTTP front, a test, a simulated client) hands it to api_handle. */
#ifndef APISERVER_APISERVER_H
#define APISERVER_APISERVER_H

#include "apiserver/limits.h"
#include "common/base.h"
#include "common/env.h"
#include "common/err.h"
#include "common/http.h"
#include "common/http_server.h"

struct apiserver;
struct store_client;
struct tls;
struct jwt_key;

struct apiserver_options {
    struct store_client *store;      /* borrowed; outlives the apiserver */
    struct tls *store_tls;           /* how to reach each member of the store; NULL: plain TCP (tests); borrowed */
    struct tls *kubelet_tls;         /* how to reach node agents; NULL: plain HTTP (tests) */
    const struct jwt_key *token_key; /* signs and proves tokens of service accounts; NULL: none; borrowed */
    const char *issuer;              /* of tokens; NULL: https://kubernetes.default.svc.cluster.local; borrowed */
    const char *advertise;           /* "host:port" that others reach this replica by; NULL: unknown; borrowed */
    unsigned bookmark_ms;            /* 0: once a minute */
    size_t requests_max, delete_collection_max; /* other bounds than those of limits.h, for tests; 0: those */
};

/* ERR_INTERNAL: the table of kinds is broken (named). Begins to fill its caches at once. */
int apiserver_new(struct env *env, const struct apiserver_options *o, struct apiserver **ret, struct err *reterr);
/* Ends every open exchange, then calls `closed`; the memory is gone before it. */
void apiserver_close(struct apiserver *a, void (*closed)(void *arg), void *arg);

/* The request core: answers `x` once, now or later. */
void api_handle(struct apiserver *a, struct http_exchange *x);
void api_front_limit(struct apiserver *a, enum http_server_limit which); /* met before a request is whole: counts it */

/* All caches are whole, the system namespaces exist and the store has answered lately. */
bool apiserver_ready(const struct apiserver *a);

#endif
