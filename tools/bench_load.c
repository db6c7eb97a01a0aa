/* Closed loops: each of the clients has one request under way, and sends the next when it is answered. */
#include "common/base.h"

#include "tools/bench.h"

#include "common/mem.h"

#include <stdio.h>

static void next_request(struct bench_worker *w)
{
    struct bench *b = w->b;
    w->began_ns = bench_now_ns(b);
    w->request->send(w, b->started++);
}

static void request_done(struct store_call *call, int status, const struct err *why)
{
    struct bench_worker *w = container_of(call, struct bench_worker, call);
    struct bench *b = w->b;
    uint64_t took_us = (bench_now_ns(b) - w->began_ns) / 1000;
    b->latencies_us[b->finished++] = (uint32_t)MIN(took_us, (uint64_t)UINT32_MAX);
    if (status != 0)
        bench_failed(b, why);
    else if (w->request->answered != NULL)
        w->request->answered(w);
    if (b->started < b->total)
        next_request(w);
    else if (b->finished == b->total)
        uv_env_stop(b->uv);
}

static void loop_over(struct bench *b, const struct bench_request *request)
{
    struct bench_worker *workers = mem_zalloc((size_t)b->clients * sizeof workers[0]);
    for (int64_t i = 0; i < b->clients && b->started < b->total; i++) {
        workers[i] = (struct bench_worker){.call = {.done = request_done}, .b = b, .request = request, .number = i,
                                           .store = b->stores[(size_t)i % b->store_count]};
        next_request(&workers[i]);
    }
    while (b->finished < b->total)
        uv_env_run(b->uv, NULL, NULL);
    mem_free(workers);
}

int bench_closed_loop(struct bench *b, const struct bench_load *load)
{
    bench_connect(b);
    uint64_t began = bench_now_ns(b);
    loop_over(b, load->request);
    bench_report(load->name, b->latencies_us, b->total, bench_now_ns(b) - began);
    bench_disconnect(b);
    return bench_verdict(b);
}

static void send_put(struct bench_worker *w, int64_t i)
{
    char key[BENCH_KEY_BYTES];
    struct kv_op op = bench_put_op(w->b, bench_key(w->b, i, key));
    store_txn(w->store, &w->call, &(struct kv_txn){.success = &op, .success_count = 1}, 0);
}

static void send_fill(struct bench_worker *w, int64_t i)
{
    char keys[KV_TXN_OPS_MAX][BENCH_KEY_BYTES];
    struct kv_op ops[KV_TXN_OPS_MAX];
    const int64_t n = w->b->per_txn;
    for (int64_t at = 0; at < n; at++)
        ops[at] = bench_put_op(w->b, bench_key(w->b, i * n + at, keys[at]));
    store_txn(w->store, &w->call, &(struct kv_txn){.success = ops, .success_count = (size_t)n}, 0);
}

static void send_cas(struct bench_worker *w, int64_t i)
{
    char text[BENCH_KEY_BYTES];
    (void)i;
    struct slice key = {text, (size_t)snprintf(text, sizeof text, "cas/%06lld", (long long)w->number)};
    struct kv_op put = bench_put_op(w->b, key);
    struct kv_op read = {.kind = KV_OP_RANGE, .range = {.span = {.key = key}}};
    struct kv_compare same = {.span = {.key = key}, .target = KV_COMPARE_MOD, .result = KV_EQUAL, .number = w->revision};
    store_txn(w->store, &w->call,
              &(struct kv_txn){.compares = &same, .compare_count = 1, .success = &put, .success_count = 1, .failure = &read,
                               .failure_count = 1}, 0);
}

static void cas_answered(struct bench_worker *w)
{
    const struct kv_txn_result *r = &w->call.txn;
    if (r->succeeded)
        w->revision = w->call.header.revision;
    else if (r->result_count == 1 && r->results[0].range.kv_count == 1)
        w->revision = r->results[0].range.kvs[0].mod_revision;
}

static void read_key(struct bench_worker *w, int64_t i, bool serializable)
{
    char key[BENCH_KEY_BYTES];
    store_range(w->store, &w->call, &(struct kv_range){.span = {.key = bench_key(w->b, i, key)}, .serializable = serializable}, 0);
}

static void send_get(struct bench_worker *w, int64_t i) { read_key(w, i, false); }
static void send_sget(struct bench_worker *w, int64_t i) { read_key(w, i, true); }

static void send_list(struct bench_worker *w, int64_t i)
{
    (void)i;
    store_range(w->store, &w->call, &(struct kv_range){.span = {.key = SLICE("bench/"), .end = SLICE("bench0")}}, 60000);
}

static void list_answered(struct bench_worker *w)
{
    if (w->call.range.kv_count > 0)
        return;
    bench_failed(w->b, &(struct err){.message = "an empty list"});
}

static void send_keepalive(struct bench_worker *w, int64_t i)
{
    store_lease_keepalive(w->store, &w->call, &w->b->leases[i % w->b->keys], 1, 0);
}

static void keepalive_answered(struct bench_worker *w)
{
    if (w->call.leases.count == 1)
        return;
    bench_failed(w->b, &(struct err){.message = "the lease is gone"});
}

static void send_grant(struct bench_worker *w, int64_t i)
{
    w->revision = i; /* which of them */
    store_lease_grant(w->store, &w->call, 0, 600, 0);
}

static void grant_answered(struct bench_worker *w) { w->b->leases[w->revision] = w->call.leases.leases[0].id; }

const struct bench_request bench_put = {send_put, NULL};
const struct bench_request bench_fill = {send_fill, NULL};
const struct bench_request bench_cas = {send_cas, cas_answered};
const struct bench_request bench_get = {send_get, NULL};
const struct bench_request bench_sget = {send_sget, NULL};
const struct bench_request bench_list = {send_list, list_answered};
const struct bench_request bench_keepalive = {send_keepalive, keepalive_answered};

int bench_keepalives(struct bench *b, const struct bench_load *load)
{
    static const struct bench_request grant = {send_grant, grant_answered};
    const int64_t total = b->total;
    uint32_t *latencies = b->latencies_us;
    b->leases = mem_zalloc((size_t)b->keys * sizeof b->leases[0]);
    bench_connect(b);
    b->total = b->keys;
    b->latencies_us = mem_zalloc((size_t)b->keys * sizeof b->latencies_us[0]);
    loop_over(b, &grant);
    mem_free(b->latencies_us);
    b->latencies_us = latencies;
    b->total = total;
    b->started = b->finished = 0;
    uint64_t began = bench_now_ns(b);
    loop_over(b, load->request);
    bench_report(load->name, b->latencies_us, b->total, bench_now_ns(b) - began);
    bench_disconnect(b);
    mem_free(b->leases);
    return bench_verdict(b);
}
