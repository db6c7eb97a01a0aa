/* bench: load on the store through the client library, and the raw disk underneath.
 *   bench put --clients 64 --total 100000 --value-bytes 256 --endpoints … --cacert … --cert … --key …
 *   bench get …                  linearizable reads of the keys that put wrote
 *   bench disk --data FOLDER     4 KiB pwrite + fdatasync, one after the other
 * Closed loop: each of the clients has one request under way. */
#include "common/base.h"

#include "common/flags.h"
#include "common/mem.h"
#include "common/tls.h"
#include "common/uv_env.h"
#include "raftstore/client.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

#define CONNECTIONS_MAX 64

struct bench {
    const char *endpoints, *ca, *cert, *key, *data;
    int64_t clients, total, value_bytes, keys, connections;
    struct uv_env *uv;
    struct env *env;
    struct store_client *stores[CONNECTIONS_MAX];
    struct worker *workers;
    int64_t started, finished, failed, open;
    uint32_t *latencies_us;
    char *value;
    bool reads;
    struct err first_error;
};

struct worker {
    struct store_call call;
    struct bench *b;
    struct store_client *store;
    uint64_t began_ns;
};

static void next_request(struct worker *w);

static void request_done(struct store_call *call, int status, const struct err *why)
{
    struct worker *w = container_of(call, struct worker, call);
    struct bench *b = w->b;
    uint64_t took_us = (clock_monotonic_ns(&b->env->clock) - w->began_ns) / 1000;
    b->latencies_us[b->finished++] = (uint32_t)MIN(took_us, (uint64_t)UINT32_MAX);
    if (status != 0 && b->failed++ == 0)
        b->first_error = *why;
    if (b->started < b->total)
        next_request(w);
    else if (b->finished == b->total)
        uv_env_stop(b->uv);
}

static void next_request(struct worker *w)
{
    struct bench *b = w->b;
    char key[32];
    int n = snprintf(key, sizeof key, "bench/%010lld", (long long)(b->started++ % b->keys));
    w->began_ns = clock_monotonic_ns(&b->env->clock);
    if (b->reads) {
        store_range(w->store, &w->call, &(struct kv_range){.span = {.key = {key, (size_t)n}}}, 0);
        return;
    }
    struct kv_op op = {.kind = KV_OP_PUT, .put = {.key = {key, (size_t)n}, .value = {b->value, (size_t)b->value_bytes}}};
    store_txn(w->store, &w->call, &(struct kv_txn){.success = &op, .success_count = 1}, 0);
}

static int compare_u32(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return (x > y) - (x < y);
}

static double at_ms(const uint32_t *sorted, int64_t n, double part)
{
    return (double)sorted[(int64_t)((double)(n - 1) * part)] / 1000;
}

static void report(const char *what, uint32_t *latencies_us, int64_t n, uint64_t took_ns)
{
    struct rusage usage;
    qsort(latencies_us, (size_t)n, sizeof latencies_us[0], compare_u32);
    printf("%s: %.0f/s  p50 %.2f ms  p99 %.2f ms  max %.2f ms  total %lld in %.2f s", what,
           (double)n * 1e9 / (double)took_ns, at_ms(latencies_us, n, 0.5), at_ms(latencies_us, n, 0.99),
           at_ms(latencies_us, n, 1), (long long)n, (double)took_ns / 1e9);
    if (getrusage(RUSAGE_SELF, &usage) == 0)
        printf("  own cpu %.2f s", (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
                                       (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6);
    printf("\n");
}

static void store_closed(void *arg)
{
    struct bench *b = arg;
    if (--b->open == 0)
        uv_env_stop(b->uv);
}

static size_t split_endpoints(char *text, const char **ret)
{
    size_t n = 0;
    for (char *next; text != NULL && n < STORE_ENDPOINTS_MAX; text = next) {
        next = strchr(text, ',');
        if (next != NULL)
            *next++ = '\0';
        ret[n++] = text;
    }
    return n;
}

static void run_load(struct bench *b, struct tls *tls)
{
    const char *endpoints[STORE_ENDPOINTS_MAX];
    char *text = mem_strdup(b->endpoints);
    size_t endpoint_count = split_endpoints(text, endpoints);
    b->open = MIN(MIN(b->connections, b->clients), (int64_t)CONNECTIONS_MAX);
    for (int64_t i = 0; i < b->open; i++)
        b->stores[i] = store_client_new(b->env, &(struct store_client_options){
            .endpoints = endpoints, .endpoint_count = endpoint_count, .tls = tls, .calls_max = (size_t)b->clients});
    b->workers = mem_zalloc((size_t)b->clients * sizeof b->workers[0]);
    uint64_t began = clock_monotonic_ns(&b->env->clock);
    for (int64_t i = 0; i < b->clients && b->started < b->total; i++) {
        b->workers[i] = (struct worker){.call = {.done = request_done}, .b = b, .store = b->stores[i % b->open]};
        next_request(&b->workers[i]);
    }
    while (b->finished < b->total)
        uv_env_run(b->uv, NULL, NULL);
    report(b->reads ? "get" : "put", b->latencies_us, b->total, clock_monotonic_ns(&b->env->clock) - began);
    for (int64_t i = b->open; i-- > 0;)
        store_client_close(b->stores[i], store_closed, b);
    while (b->open > 0)
        uv_env_run(b->uv, NULL, NULL);
    mem_free(b->workers);
    mem_free(text);
}

static int bench_load(struct bench *b)
{
    struct tls *tls = NULL;
    struct err err;
    const struct tls_options files = {.certificate_file = b->cert, .key_file = b->key, .ca_file = b->ca};
    if (b->cert != NULL && tls_new(&files, &tls, &err) != 0) {
        fprintf(stderr, "bench: %s\n", err.message);
        return 1;
    }
    b->value = mem_alloc((size_t)b->value_bytes);
    memset(b->value, 'v', (size_t)b->value_bytes);
    run_load(b, tls);
    tls_unref(tls);
    mem_free(b->value);
    if (b->failed == 0)
        return 0;
    fprintf(stderr, "bench: %lld requests failed, the first with: %s\n", (long long)b->failed, b->first_error.message);
    return 1;
}

static int bench_disk(struct bench *b)
{
    char *name = mem_printf("%s/bench-disk.%d", b->data, (int)getpid());
    char *block = mem_zalloc(4096);
    int fd = open(name, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600), rv = fd < 0 ? -1 : 0;
    if (rv == 0)
        rv = posix_fallocate(fd, 0, b->total * 4096);
    uint64_t began = clock_monotonic_ns(&b->env->clock);
    for (int64_t i = 0; rv == 0 && i < b->total; i++) {
        uint64_t start = clock_monotonic_ns(&b->env->clock);
        rv = pwrite(fd, block, 4096, i * 4096) == 4096 ? fdatasync(fd) : -1;
        b->latencies_us[i] = (uint32_t)((clock_monotonic_ns(&b->env->clock) - start) / 1000);
    }
    if (rv != 0)
        fprintf(stderr, "bench: %s: %s\n", name, strerror(rv > 0 ? rv : errno));
    else
        report("disk 4 KiB write+sync", b->latencies_us, b->total, clock_monotonic_ns(&b->env->clock) - began);
    if (fd >= 0)
        close(fd);
    (void)unlink(name); /* was never made, or is no use any more */
    mem_free(block);
    mem_free(name);
    return rv != 0;
}

static int run_bench(struct bench *b, const char *kind)
{
    bool disk = strcmp(kind, "disk") == 0;
    b->reads = strcmp(kind, "get") == 0;
    if (!disk && !b->reads && strcmp(kind, "put") != 0) {
        fprintf(stderr, "bench: \"%s\" is not put, get or disk\n", kind);
        return 2;
    }
    if (b->clients < 1 || b->total < 1 || b->total > 100000000 || b->clients > 100000 || b->value_bytes < 0 ||
        b->value_bytes > 1024 * 1024 || b->keys < 1 || b->connections < 1) {
        fprintf(stderr, "bench: --clients, --total, --keys and --connections must be positive, --value-bytes at most 1048576\n");
        return 2;
    }
    b->uv = uv_env_new("bench", LOG_ERROR);
    b->env = uv_env_env(b->uv);
    b->latencies_us = mem_zalloc((size_t)b->total * sizeof b->latencies_us[0]);
    int code = disk ? bench_disk(b) : bench_load(b);
    mem_free(b->latencies_us);
    uv_env_free(b->uv);
    return code;
}

int main(int argc, char **argv)
{
    struct bench b = {.endpoints = "127.0.0.1:2379", .data = ".", .clients = 64, .total = 10000, .value_bytes = 256, .keys = 10000,
                      .connections = 1};
    const struct flag flags[] = {
        {"endpoints", FLAG_TEXT, &b.endpoints, "members' client addresses", 0, "RSCTL_ENDPOINTS"},
        {"cacert", FLAG_TEXT, &b.ca, "certificate authority", 0, "RSCTL_CACERT"},
        {"cert", FLAG_TEXT, &b.cert, "own certificate", 0, "RSCTL_CERT"},
        {"key", FLAG_TEXT, &b.key, "its key", 0, "RSCTL_KEY"},
        {"clients", FLAG_INT, &b.clients, "requests under way at a time", 0, NULL},
        {"connections", FLAG_INT, &b.connections, "connections they share", 0, NULL},
        {"total", FLAG_INT, &b.total, "requests in all", 0, NULL},
        {"value-bytes", FLAG_INT, &b.value_bytes, "size of a value", 0, NULL},
        {"keys", FLAG_INT, &b.keys, "different keys", 0, NULL},
        {"data", FLAG_TEXT, &b.data, "disk: folder to write in", 0, NULL},
        {0},
    };
    struct flags_result parsed;
    struct err err;
    if (flags_parse(flags, argc, argv, getenv, &parsed, &err) != 0) {
        fprintf(stderr, "bench: %s\n", err.message);
        return 2;
    }
    int code = 0;
    if (parsed.help || parsed.argument_count != 1) {
        struct buf text = {0};
        flags_help(flags, "Usage: bench put|get|disk [flags]", &text);
        fwrite(text.data, 1, text.size, parsed.help ? stdout : stderr);
        buf_release(&text);
        code = parsed.help ? 0 : 2;
    } else {
        code = run_bench(&b, parsed.arguments[0]);
    }
    flags_release(&parsed);
    return code;
}
