#include "common/base.h"

#include "common/health.h"
#include "common/http_server.h"
#include "common/mem.h"

#include <stdio.h>
#include <sys/resource.h>
#include <unistd.h>

struct health {
    struct health_options options;
    struct http_server *server;
    void (*closed)(void *arg);
    void *closed_arg;
};

static int64_t resident_bytes(void)
{
    FILE *f = fopen("/proc/self/statm", "re");
    long total = 0, resident = 0;
    if (f == NULL)
        return 0;
    if (fscanf(f, "%ld %ld", &total, &resident) != 2)
        resident = 0;
    (void)fclose(f); /* only read from */
    return (int64_t)resident * sysconf(_SC_PAGESIZE);
}

void health_process_metrics(struct buf *out)
{
    struct rusage used;
    if (getrusage(RUSAGE_SELF, &used) == 0)
        buf_printf(out, "# TYPE process_cpu_seconds_total counter\nprocess_cpu_seconds_total %.6f\n",
                   (double)(used.ru_utime.tv_sec + used.ru_stime.tv_sec) +
                       (double)(used.ru_utime.tv_usec + used.ru_stime.tv_usec) / 1e6);
    buf_printf(out, "# TYPE process_resident_memory_bytes gauge\nprocess_resident_memory_bytes %lld\n",
               (long long)resident_bytes());
}

static void serve_metrics(struct health *h, struct http_exchange *x)
{
    struct http_header headers[] = {{SLICE("Content-Type"), SLICE("text/plain; version=0.0.4")}};
    struct buf text = {0};
    health_process_metrics(&text);
    if (h->options.metrics != NULL)
        h->options.metrics(h->options.arg, &text);
    http_respond(x, 200, headers, 1, buf_slice(&text), NULL);
    buf_release(&text);
}

static void on_request(void *core, struct http_exchange *x)
{
    struct health *h = core;
    struct slice path = x->request.path;
    if (slice_is(path, "/metrics"))
        serve_metrics(h, x);
    else if (slice_is(path, "/healthz") || slice_is(path, "/livez"))
        http_respond(x, 200, NULL, 0, SLICE("ok"), NULL);
    else if (slice_is(path, "/readyz") && h->options.ready(h->options.arg))
        http_respond(x, 200, NULL, 0, SLICE("ok"), NULL);
    else if (slice_is(path, "/readyz"))
        http_respond(x, 503, NULL, 0, SLICE("not ready"), NULL);
    else
        http_respond(x, 404, NULL, 0, SLICE("404 page not found\n"), NULL);
}

int health_new(struct uv_env *uv, const struct health_options *o, struct health **ret, struct err *reterr)
{
    struct health *h = NEW(struct health);
    h->options = *o;
    struct http_server_options server = {.address = o->address, .connections_max = 64, .on_request = on_request, .core = h};
    int rv = http_server_new(uv, &server, &h->server, reterr);
    if (rv != 0) {
        mem_free(h);
        return rv;
    }
    *ret = h;
    return 0;
}

static void server_closed(void *arg)
{
    struct health *h = arg;
    void (*closed)(void *arg) = h->closed;
    void *closed_arg = h->closed_arg;
    mem_free(h);
    closed(closed_arg);
}

void health_close(struct health *h, void (*closed)(void *arg), void *arg)
{
    h->closed = closed;
    h->closed_arg = arg;
    http_server_close(h->server, server_closed, h);
}
