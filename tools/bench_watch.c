/* Fan-out: one writer, and many watchers that all get each of its events; or watchers alone, that follow what another
 * process writes, so that its puts are measured without their work. */
#include "common/base.h"

#include "tools/bench.h"

#include "common/mem.h"

#include <stdio.h>

struct fan {
    struct bench *b;
    bool follows; /* the writer is another process */
    struct store_watch *watches;
    struct store_call call;
    int64_t ready, events, wanted, closed;
    uint64_t began_ns, put_ns;
};

static void put_next(struct fan *f);

static void on_events(struct store_watch *w, int64_t revision, const struct kv_event *events, size_t n)
{
    struct fan *f = w->data;
    (void)revision;
    (void)events;
    f->events += (int64_t)n;
    if (f->events >= f->wanted && (f->follows || f->b->finished == f->b->total))
        uv_env_stop(f->b->uv);
}

static void on_progress(struct store_watch *w, int64_t revision)
{
    struct fan *f = w->data;
    (void)revision;
    if (++f->ready != f->b->watchers)
        return;
    f->began_ns = bench_now_ns(f->b);
    if (!f->follows)
        put_next(f);
    else if (printf("follow: %lld watchers are there\n", (long long)f->ready) > 0)
        fflush(stdout);
}

static void on_closed(struct store_watch *w, int status, int64_t compact_revision, const struct err *why)
{
    struct fan *f = w->data;
    (void)compact_revision;
    if (status != ERR_CANCELED)
        bench_failed(f->b, why);
    if (++f->closed == f->b->watchers)
        uv_env_stop(f->b->uv);
}

static void put_done(struct store_call *call, int status, const struct err *why)
{
    struct fan *f = container_of(call, struct fan, call);
    struct bench *b = f->b;
    b->latencies_us[b->finished++] = (uint32_t)((bench_now_ns(b) - f->put_ns) / 1000);
    if (status != 0)
        bench_failed(b, why);
    if (b->finished < b->total)
        put_next(f);
    else if (f->events >= f->wanted || b->failed > 0)
        uv_env_stop(b->uv);
}

static void put_next(struct fan *f)
{
    char key[BENCH_KEY_BYTES];
    int n = snprintf(key, sizeof key, "fan/%lld", (long long)(f->b->finished % 100));
    struct kv_op op = bench_put_op(f->b, (struct slice){key, (size_t)n});
    f->put_ns = bench_now_ns(f->b);
    store_txn(f->b->stores[0], &f->call, &(struct kv_txn){.success = &op, .success_count = 1}, 0);
}

int bench_watch(struct bench *b, const struct bench_load *load)
{
    struct fan f = {.b = b, .call = {.done = put_done}, .wanted = b->total * b->watchers, .follows = load->request == NULL};
    const struct kv_span span = f.follows ? (struct kv_span){SLICE("bench/"), SLICE("bench0")}
                                          : (struct kv_span){SLICE("fan/"), SLICE("fan0")};
    f.watches = mem_zalloc((size_t)b->watchers * sizeof f.watches[0]);
    b->clients = b->connections; /* all of them */
    bench_connect(b);
    for (int64_t i = 0; i < b->watchers; i++) {
        f.watches[i] = (struct store_watch){.on_events = on_events, .on_progress = on_progress, .on_closed = on_closed, .data = &f};
        store_watch_start(b->stores[(size_t)i % b->store_count], &f.watches[i],
                          &(struct store_watch_options){.span = span});
    }
    uv_env_run(b->uv, NULL, NULL);
    const uint64_t took = bench_now_ns(b) - f.began_ns;
    if (!f.follows)
        bench_report(load->name, b->latencies_us, b->finished, took);
    printf("%s: %lld events to %lld watchers, %.0f events/s\n", load->name, (long long)f.events, (long long)b->watchers,
           (double)f.events * 1e9 / (double)took);
    bench_disconnect(b); /* closes the watches */
    mem_free(f.watches);
    return bench_verdict(b);
}
