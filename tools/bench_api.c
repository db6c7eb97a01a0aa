/* Loads on apiservers: pods of about 3 KB created, read, listed, their status written, watched by many. Every client
 * has a connection of its own with one request under way. */
#include "common/base.h"

#include "tools/bench_http.h"

#include "common/mem.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#define PODS "/api/v1/namespaces/bench/pods"

struct api_request {
    const char *method;
    bool named, collection, status; /* of the path */
    int expected;
    void (*body)(struct bench *b, int64_t i, struct buf *out); /* NULL: none */
};

struct api_worker {
    struct bench_http http;
    const struct api_request *request;
    uint64_t began_ns;
};

/* A pod as a Deployment would make it, with enough environment to weigh what pods weigh. */
static void pod_body(struct bench *b, int64_t i, struct buf *out)
{
    buf_printf(out,
               "{\"apiVersion\":\"v1\",\"kind\":\"Pod\",\"metadata\":{\"name\":\"bench-%07" PRId64
               "\",\"namespace\":\"bench\","
               "\"labels\":{\"app\":\"bench\",\"pod-template-hash\":\"7d4c9b6f55\",\"shard\":\"%" PRId64
               "\"}},\"spec\":{\"schedulerName\":\"bench\","
               "\"containers\":[{\"name\":\"main\",\"image\":\"registry.local/team/service:1.27.3\",\"ports\":[{"
               "\"containerPort\":8080,\"name\":\"http\"}],\"resources\":{\"requests\":{\"cpu\":\"100m\",\"memory\":"
               "\"128Mi\"},\"limits\":{\"memory\":\"256Mi\"}},\"env\":[",
               i, i % 100);
    for (int v = 0; v < 16; v++)
        buf_printf(out, "%s{\"name\":\"SETTING_%02d\",\"value\":\"a value of the length that values have %02d\"}",
                   v == 0 ? "" : ",", v, v);
    buf_append_str(out,
                   "],\"volumeMounts\":[{\"name\":\"data\",\"mountPath\":\"/data\"}],\"readinessProbe\":{\"httpGet\":{"
                   "\"path\":\"/ready\",\"port\":8080}}}],\"volumes\":[{\"name\":\"data\",\"emptyDir\":{}}]}}");
    (void)b;
}

/* The message holds the time of the write, for watchers that measure. */
static void status_body(struct bench *b, int64_t i, struct buf *out)
{
    buf_printf(out,
               "{\"apiVersion\":\"v1\",\"kind\":\"Pod\",\"metadata\":{\"name\":\"bench-%07" PRId64
               "\",\"namespace\":\"bench\"},"
               "\"status\":{\"phase\":\"Running\",\"message\":\"%020" PRIu64
               "\",\"conditions\":[{\"type\":\"Ready\",\"status\":"
               "\"True\",\"lastTransitionTime\":\"2026-01-01T00:00:00Z\"}],\"podIP\":\"10.1.2.3\"}}",
               i % b->keys, bench_now_ns(b));
}

static const struct api_request create = {"POST", false, false, false, 201, pod_body},
                                status = {"PUT", true, false, true, 200, status_body},
                                get = {"GET", true, false, false, 200, NULL},
                                list = {"GET", false, true, false, 200, NULL};

static void send_request(struct bench_http *h, const struct api_request *q, int64_t i)
{
    struct buf path = {0}, body = {0};
    buf_append_str(&path, PODS);
    if (q->named)
        buf_printf(&path, "/bench-%07" PRId64 "%s", i % h->b->keys, q->status ? "/status" : "");
    if (q->body != NULL)
        q->body(h->b, i, &body);
    bench_http_send(h, q->method, buf_slice(&path), buf_slice(&body));
    buf_release(&path);
    buf_release(&body);
}

static void next(struct api_worker *w)
{
    struct bench *b = w->http.b;
    w->began_ns = bench_now_ns(b);
    send_request(&w->http, w->request, b->first + b->started++);
}

static void answered(struct bench_http *h)
{
    struct api_worker *w = container_of(h, struct api_worker, http);
    struct bench *b = h->b;
    b->latencies_us[b->finished++] = (uint32_t)MIN((bench_now_ns(b) - w->began_ns) / 1000, (uint64_t)UINT32_MAX);
    b->bytes += (int64_t)h->body_bytes;
    if (h->status != w->request->expected) {
        struct err why;
        (void)err_set(&why, ERR_INTERNAL, "%s answered %d", w->request->method, h->status);
        bench_failed(b, &why);
    }
    if (b->started < b->total)
        next(w);
    else if (b->finished == b->total)
        uv_env_stop(b->uv);
}

/* The load begins when all are there: handshakes are not part of it. */
static void opened(struct bench_http *h)
{
    struct bench *b = h->b;
    if (++b->ready == b->clients)
        uv_env_stop(b->uv);
}

static int run_workers(struct bench *b, const char *name, const struct api_request *q, struct api_worker *workers)
{
    uv_env_run(b->uv, NULL, NULL); /* until all are open, or one is not */
    if (b->failed > 0)
        return bench_verdict(b);
    uint64_t began = bench_now_ns(b);
    for (int64_t i = 0; i < b->clients && b->started < b->total; i++) {
        workers[i].request = q;
        next(&workers[i]);
    }
    uv_env_run(b->uv, NULL, NULL);
    uint64_t took = bench_now_ns(b) - began;
    if (b->finished > 0)
        bench_report(name, b->latencies_us, b->finished, took);
    if (q == &list)
        printf("%s: %.0f MB/s, %.1f MB each\n", name, (double)b->bytes * 1e3 / (double)took,
               (double)b->bytes / 1e6 / (double)MAX(b->finished, (int64_t)1));
    return bench_verdict(b);
}

static void close_all(struct bench *b, struct api_worker *workers, int64_t n)
{
    for (int64_t i = 0; i < n; i++)
        bench_http_close(&workers[i].http);
    while (b->open > 0)
        uv_env_run(b->uv, NULL, NULL);
}

static int closed_loop(struct bench *b, const char *name, const struct api_request *q)
{
    const char *endpoints[STORE_ENDPOINTS_MAX];
    char *text = mem_strdup(b->endpoints);
    size_t count = bench_endpoints(text, endpoints);
    struct api_worker *workers = mem_zalloc((size_t)b->clients * sizeof workers[0]);
    for (int64_t i = 0; i < b->clients; i++) {
        workers[i].http =
            (struct bench_http){.b = b, .host = endpoints[(size_t)i % count], .on_open = opened, .on_end = answered};
        bench_http_open(&workers[i].http);
    }
    int code = run_workers(b, name, q, workers);
    close_all(b, workers, b->clients);
    mem_free(workers);
    mem_free(text);
    return code;
}

int bench_api_create(struct bench *b, const struct bench_load *load) { return closed_loop(b, load->name, &create); }
int bench_api_status(struct bench *b, const struct bench_load *load) { return closed_loop(b, load->name, &status); }
int bench_api_get(struct bench *b, const struct bench_load *load) { return closed_loop(b, load->name, &get); }
int bench_api_list(struct bench *b, const struct bench_load *load) { return closed_loop(b, load->name, &list); }

/* Watchers, and one writer of statuses at a steady rate. An event's delay is the time between the write's sending and
 * its arrival here, which the message tells; the clock is one. */
#define OPENED_AT_ONCE 100 /* watchers; each handshake takes the server a millisecond */

struct fan {
    struct bench *b;
    struct api_worker *watchers, writer;
    struct timer tick;
    const char **endpoints;
    size_t endpoint_count;
    int64_t opened; /* watchers: so many are on their way or there */
    int64_t written, answered, events;
    uint64_t began_ns;
    uint32_t *delays_us;
    int64_t delay_count, delay_max;
};

#define MARK "\"message\":\""
#define MARK_DIGITS 20

static void saw_events(struct bench_http *h, struct slice piece)
{
    struct fan *f = h->conn.data;
    uint64_t now = bench_now_ns(f->b);
    /* A mark that lies across two pieces is missed: the count of events by lines is not. */
    for (const char *at = piece.data; (at = memchr(at, '\n', piece.size - (size_t)(at - piece.data))) != NULL; at++)
        f->events++;
    for (struct slice rest = piece;;) {
        const char *at = memmem(rest.data, rest.size, MARK, strlen(MARK));
        if (at == NULL || (size_t)(at - rest.data) + strlen(MARK) + MARK_DIGITS > rest.size)
            break;
        uint64_t sent = strtoull(at + strlen(MARK), NULL, 10);
        if (f->delay_count < f->delay_max && sent >= f->began_ns)
            f->delays_us[f->delay_count++] = (uint32_t)((now - sent) / 1000);
        rest = slice_from(rest, (size_t)(at - rest.data) + strlen(MARK));
    }
    if (f->b->finished == f->b->total && f->events >= f->b->total * f->b->watchers)
        uv_env_stop(f->b->uv);
}

static void watch_ended(struct bench_http *h)
{
    bench_failed(h->b, &(struct err){.message = "a watch ended"});
    uv_env_stop(h->b->uv);
}

static void watch_opened(struct bench_http *h);

static void open_watcher(struct fan *f)
{
    struct bench *b = f->b;
    int64_t i = f->opened++;
    f->watchers[i].http = (struct bench_http){.b = b,
                                              .host = f->endpoints[(size_t)i % f->endpoint_count],
                                              .on_open = watch_opened,
                                              .on_body = saw_events,
                                              .on_end = watch_ended,
                                              .conn = {.data = f}};
    bench_http_open(&f->watchers[i].http);
}

static void watch_opened(struct bench_http *h)
{
    struct fan *f = h->conn.data;
    if (f->opened < f->b->watchers)
        open_watcher(f);
    struct buf path = {0};
    buf_printf(&path, PODS "?watch=1&resourceVersion=%" PRId64, f->b->revision);
    bench_http_send(h, "GET", buf_slice(&path), (struct slice){NULL, 0});
    buf_release(&path);
    opened(h);
}

static void writer_answered(struct bench_http *h)
{
    struct fan *f = h->conn.data;
    struct bench *b = f->b;
    b->latencies_us[b->finished++] = (uint32_t)((bench_now_ns(b) - f->writer.began_ns) / 1000);
    if (h->status != 200)
        bench_failed(b, &(struct err){.message = "a status was refused"});
}

/* Writes that are due go one after the other: what is behind is caught up with at once. */
static void tick(struct timer *t)
{
    struct fan *f = container_of(t, struct fan, tick);
    struct bench *b = f->b;
    int64_t due = (int64_t)((bench_now_ns(b) - f->began_ns) * (uint64_t)b->rate / 1000000000u);
    if (f->written == b->finished && f->written < MIN(due, b->total)) {
        f->writer.began_ns = bench_now_ns(b);
        send_request(&f->writer.http, &status, f->written++);
    }
    if (b->finished < b->total)
        loop_timer_start(&b->env->loop, &f->tick, 1);
    else if (f->events >= b->total * b->watchers)
        uv_env_stop(b->uv);
}

/* The list's resourceVersion, which stands at its beginning. */
static void saw_list(struct bench_http *h, struct slice piece)
{
    static const char mark[] = "\"resourceVersion\":\"";
    const char *at = memmem(piece.data, piece.size, mark, strlen(mark));
    if (h->b->revision == 0 && at != NULL)
        h->b->revision = strtoll(at + strlen(mark), NULL, 10);
}

static void list_ended(struct bench_http *h) { uv_env_stop(h->b->uv); }

static void fan_connect(struct fan *f, const char **endpoints, size_t count)
{
    struct bench *b = f->b;
    f->writer.http = (struct bench_http){.b = b,
                                         .host = endpoints[0],
                                         .on_open = opened,
                                         .on_body = saw_list,
                                         .on_end = list_ended,
                                         .conn = {.data = f}};
    b->clients = 1;
    bench_http_open(&f->writer.http);
    uv_env_run(b->uv, NULL, NULL);
    bench_http_send(&f->writer.http, "GET", SLICE(PODS "?limit=1"), (struct slice){NULL, 0});
    uv_env_run(b->uv, NULL, NULL);
    f->writer.http.on_body = NULL;
    f->writer.http.on_end = writer_answered;
    b->clients = 1 + b->watchers;
    f->endpoints = endpoints;
    f->endpoint_count = count;
    while (f->opened < MIN(b->watchers, (int64_t)OPENED_AT_ONCE) && b->failed == 0)
        open_watcher(f);
    uv_env_run(b->uv, NULL, NULL);
}

int bench_api_watch(struct bench *b, const struct bench_load *load)
{
    const char *endpoints[STORE_ENDPOINTS_MAX];
    char *text = mem_strdup(b->endpoints);
    size_t count = bench_endpoints(text, endpoints);
    struct fan f = {.b = b, .watchers = mem_zalloc((size_t)b->watchers * sizeof f.watchers[0])};
    b->total = MIN(b->rate * b->seconds, b->total);
    f.delay_max = b->total * b->watchers;
    f.delays_us = mem_zalloc((size_t)f.delay_max * sizeof f.delays_us[0]);
    timer_init(&f.tick, tick);
    fan_connect(&f, endpoints, count);
    if (b->failed == 0) {
        f.began_ns = bench_now_ns(b);
        loop_timer_start(&b->env->loop, &f.tick, 0);
        uv_env_run(b->uv, NULL, NULL);
        uint64_t took = bench_now_ns(b) - f.began_ns;
        bench_report("writes", b->latencies_us, MAX(b->finished, (int64_t)1), took);
        if (f.delay_count > 0)
            bench_report("deliveries", f.delays_us, f.delay_count, took);
        printf("%s: %lld events to %lld watchers\n", load->name, (long long)f.events, (long long)b->watchers);
    }
    loop_timer_stop(&b->env->loop, &f.tick);
    for (int64_t i = 0; i < b->watchers; i++)
        if (f.watchers[i].http.b != NULL)
            bench_http_close(&f.watchers[i].http);
    close_all(b, &f.writer, 1);
    mem_free(f.delays_us);
    mem_free(f.watchers);
    mem_free(text);
    return bench_verdict(b);
}
