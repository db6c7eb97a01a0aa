/* An open loop: puts at a steady rate, whether answered or not; what a fault or a snapshot costs those who write meanwhile. */
#include "common/base.h"

#include "tools/bench.h"

#include "common/mem.h"

#include <stdio.h>

struct pace {
    struct bench *b;
    struct timer tick;
    struct paced *requests;
    int64_t total;
    uint64_t began_ns, last_answer_ns, longest_gap_ns;
};

struct paced {
    struct store_call call;
    struct pace *pace;
    uint64_t due_ns;
};

static void paced_done(struct store_call *call, int status, const struct err *why)
{
    struct paced *r = container_of(call, struct paced, call);
    struct pace *p = r->pace;
    const uint64_t now = bench_now_ns(p->b);
    p->b->latencies_us[p->b->finished++] = (uint32_t)((now - r->due_ns) / 1000);
    if (status != 0) {
        bench_failed(p->b, why);
    } else {
        if (p->last_answer_ns != 0)
            p->longest_gap_ns = MAX(p->longest_gap_ns, now - p->last_answer_ns);
        p->last_answer_ns = now;
    }
    if (p->b->finished == p->total)
        uv_env_stop(p->b->uv);
}

static void send_due(struct timer *t)
{
    struct pace *p = container_of(t, struct pace, tick);
    struct bench *b = p->b;
    const uint64_t now = bench_now_ns(b);
    while (b->started < p->total) {
        uint64_t due = p->began_ns + (uint64_t)b->started * 1000000000u / (uint64_t)b->rate;
        if (due > now)
            break;
        char key[BENCH_KEY_BYTES];
        struct paced *r = &p->requests[b->started];
        struct kv_op op = bench_put_op(b, bench_key(b, b->started, key));
        *r = (struct paced){.call = {.done = paced_done}, .pace = p, .due_ns = due};
        store_txn(b->stores[(size_t)b->started % b->store_count], &r->call,
                  &(struct kv_txn){.success = &op, .success_count = 1}, 15000);
        b->started++;
    }
    if (b->started < p->total)
        loop_timer_start(&b->env->loop, t, 1);
}

int bench_pace(struct bench *b, const struct bench_load *load)
{
    struct pace p = {.b = b, .total = b->rate * b->seconds};
    p.requests = mem_zalloc((size_t)p.total * sizeof p.requests[0]);
    bench_connect(b);
    timer_init(&p.tick, send_due);
    p.began_ns = bench_now_ns(b);
    send_due(&p.tick);
    while (b->finished < p.total)
        uv_env_run(b->uv, NULL, NULL);
    bench_report(load->name, b->latencies_us, p.total, bench_now_ns(b) - p.began_ns);
    printf("%s: failed %lld, longest gap between answers %.1f ms\n", load->name, (long long)b->failed, (double)p.longest_gap_ns / 1e6);
    bench_disconnect(b);
    mem_free(p.requests);
    return bench_verdict(b);
}
