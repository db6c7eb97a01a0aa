/* What the files bench*.c share. Private to them. */
#ifndef TOOLS_BENCH_H
#define TOOLS_BENCH_H

#include "common/base.h"

#include "common/env.h"
#include "common/err.h"
#include "common/tls.h"
#include "common/uv_env.h"
#include "raftstore/client.h"

#define BENCH_CONNECTIONS_MAX 256
#define BENCH_KEY_BYTES 40

struct bench {
    const char *endpoints, *ca, *cert, *key, *data;
    int64_t clients, total, value_bytes, keys, connections, per_txn, rate, seconds, watchers, first;
    struct uv_env *uv;
    struct env *env;
    struct tls *tls;
    struct store_client *stores[BENCH_CONNECTIONS_MAX];
    size_t store_count, open;
    char *pool;       /* what values are pieces of */
    uint64_t pool_at; /* generator of where the next one is */
    const char *token;        /* of a service account, for apiservers without TLS */
    int64_t *leases;          /* keepalive: `keys` of them */
    uint32_t *latencies_us;   /* of `finished` requests */
    int64_t started, finished, failed, ready;
    int64_t bytes, revision; /* of answers; of the list that watches begin at */
    struct err first_error;
};

struct bench_load {
    const char *name, *help;
    int (*run)(struct bench *b, const struct bench_load *load); /* an exit code */
    const struct bench_request *request;                        /* of a closed loop; NULL: none */
};

/* bench_load.c: closed loops, each client with one request under way */
struct bench_worker {
    struct store_call call;
    struct bench *b;
    const struct bench_request *request;
    struct store_client *store;
    uint64_t began_ns;
    int64_t number, revision; /* revision: of the worker's own key (cas) */
};
struct bench_request {
    void (*send)(struct bench_worker *w, int64_t i);
    void (*answered)(struct bench_worker *w); /* looks at a good answer; may be NULL */
};
extern const struct bench_request bench_put, bench_fill, bench_cas, bench_get, bench_sget, bench_list, bench_keepalive;
int bench_closed_loop(struct bench *b, const struct bench_load *load);
int bench_keepalives(struct bench *b, const struct bench_load *load); /* grants first, then a closed loop */

/* bench_pace.c: puts at a steady rate, whether answered or not */
int bench_pace(struct bench *b, const struct bench_load *load);

/* bench_watch.c: one writer, many watchers of the same prefix; without a request: only watchers */
int bench_watch(struct bench *b, const struct bench_load *load);

/* bench_api.c: the apiserver's requests */
int bench_api_create(struct bench *b, const struct bench_load *load);
int bench_api_status(struct bench *b, const struct bench_load *load);
int bench_api_get(struct bench *b, const struct bench_load *load);
int bench_api_list(struct bench *b, const struct bench_load *load);
int bench_api_watch(struct bench *b, const struct bench_load *load);

/* bench.c */
size_t bench_endpoints(char *text, const char **ret); /* cuts a list at its commas */
void bench_connect(struct bench *b);    /* b->stores */
void bench_disconnect(struct bench *b);
void bench_report(const char *what, uint32_t *latencies_us, int64_t n, uint64_t took_ns); /* sorts */
int bench_verdict(const struct bench *b);                                                  /* prints what failed */
void bench_failed(struct bench *b, const struct err *why);
struct slice bench_key(const struct bench *b, int64_t i, char text[BENCH_KEY_BYTES]);
struct kv_op bench_put_op(struct bench *b, struct slice key);
uint64_t bench_now_ns(const struct bench *b);

#endif
