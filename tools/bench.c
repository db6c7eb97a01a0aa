/* bench: load on the store through the client library, and the raw disk underneath.
 *   bench put --clients 64 --total 100000 --value-bytes 256 --endpoints … --cacert … --cert … --key …
 * tests/bench/etcdload does the same to etcd and prints the same lines. */
#include "common/base.h"

#include "tools/bench.h"

#include "common/flags.h"
#include "common/mem.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

uint64_t bench_now_ns(const struct bench *b) { return clock_monotonic_ns(&b->env->clock); }

struct slice bench_key(const struct bench *b, int64_t i, char text[BENCH_KEY_BYTES])
{
    int n = snprintf(text, BENCH_KEY_BYTES, "bench/%010lld", (long long)(i % b->keys));
    return (struct slice){text, (size_t)n};
}

#define POOL_BYTES ((size_t)4 << 20) /* random: values are pieces of it, far enough apart that no compressor finds one in another */

static char *pool_new(size_t bytes)
{
    char *pool = mem_alloc(bytes);
    uint64_t state = 1;
    for (size_t i = 0; i < bytes; i++) {
        state = state * 6364136223846793005u + 1442695040888963407u;
        pool[i] = (char)(state >> 56);
    }
    return pool;
}

struct kv_op bench_put_op(struct bench *b, struct slice key)
{
    b->pool_at = (b->pool_at * 6364136223846793005u + 1442695040888963407u);
    struct slice value = {b->pool + (size_t)(b->pool_at >> 32) % POOL_BYTES, (size_t)b->value_bytes};
    return (struct kv_op){.kind = KV_OP_PUT, .put = {.key = key, .value = value}};
}

void bench_failed(struct bench *b, const struct err *why)
{
    if (b->failed++ == 0)
        b->first_error = *why;
}

int bench_verdict(const struct bench *b)
{
    if (b->failed == 0)
        return 0;
    fprintf(stderr, "bench: %lld requests failed, the first with: %s\n", (long long)b->failed, b->first_error.message);
    return 1;
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

void bench_report(const char *what, uint32_t *latencies_us, int64_t n, uint64_t took_ns)
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

size_t bench_endpoints(char *text, const char **ret)
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

void bench_connect(struct bench *b)
{
    const char *endpoints[STORE_ENDPOINTS_MAX];
    char *text = mem_strdup(b->endpoints);
    size_t endpoint_count = bench_endpoints(text, endpoints);
    b->store_count = b->open = (size_t)MIN(MIN(b->connections, b->clients), (int64_t)BENCH_CONNECTIONS_MAX);
    for (size_t i = 0; i < b->store_count; i++)
        b->stores[i] = store_client_new(b->env, &(struct store_client_options){
            .endpoints = endpoints, .endpoint_count = endpoint_count, .tls = b->tls, .calls_max = 1u << 20});
    mem_free(text);
}

static void store_closed(void *arg)
{
    struct bench *b = arg;
    if (--b->open == 0)
        uv_env_stop(b->uv);
}

void bench_disconnect(struct bench *b)
{
    for (size_t i = 0; i < b->store_count; i++)
        store_client_close(b->stores[i], store_closed, b);
    while (b->open > 0)
        uv_env_run(b->uv, NULL, NULL);
}

static int bench_disk(struct bench *b, const struct bench_load *load)
{
    char *name = mem_printf("%s/bench-disk.%d", b->data, (int)getpid());
    char *block = mem_zalloc(4096);
    int fd = open(name, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600), rv = fd < 0 ? -1 : 0;
    if (rv == 0)
        rv = posix_fallocate(fd, 0, b->total * 4096);
    uint64_t began = bench_now_ns(b);
    for (int64_t i = 0; rv == 0 && i < b->total; i++) {
        uint64_t start = bench_now_ns(b);
        rv = pwrite(fd, block, 4096, i * 4096) == 4096 ? fdatasync(fd) : -1;
        b->latencies_us[i] = (uint32_t)((bench_now_ns(b) - start) / 1000);
    }
    if (rv != 0)
        fprintf(stderr, "bench: %s: %s\n", name, strerror(rv > 0 ? rv : errno));
    else
        bench_report(load->name, b->latencies_us, b->total, bench_now_ns(b) - began);
    if (fd >= 0)
        close(fd);
    (void)unlink(name); /* was never made, or is no use any more */
    mem_free(block);
    mem_free(name);
    return rv != 0;
}

static const struct bench_load loads[] = {
    {"put", "one key, --value-bytes", bench_closed_loop, &bench_put},
    {"fill", "transactions of --per-txn puts", bench_closed_loop, &bench_fill},
    {"cas", "Kubernetes' write: put if the revision is the one last seen, else read", bench_closed_loop, &bench_cas},
    {"get", "linearizable reads of keys that put wrote", bench_closed_loop, &bench_get},
    {"sget", "the same, serializable", bench_closed_loop, &bench_sget},
    {"list", "linearizable ranges of all keys that put wrote", bench_closed_loop, &bench_list},
    {"keepalive", "of --keys leases", bench_keepalives, &bench_keepalive},
    {"pace", "--rate puts a second for --seconds, whether answered or not", bench_pace, NULL},
    {"watch", "--total puts by one writer, --watchers of their prefix", bench_watch, &bench_put},
    {"follow", "--watchers of what others put, until each has had --total events", bench_watch, NULL},
    {"api-create", "apiserver: pods of 3 KB, one after the other", bench_api_create, NULL},
    {"api-status", "apiserver: PUT of the status of one of --keys pods", bench_api_status, NULL},
    {"api-get", "apiserver: one of --keys pods", bench_api_get, NULL},
    {"api-list", "apiserver: all pods", bench_api_list, NULL},
    {"api-watch", "apiserver: --watchers, and --rate statuses a second for --seconds", bench_api_watch, NULL},
    {"disk", "4 KiB write and sync, one after the other, in --data", bench_disk, NULL},
};

static const struct bench_load *find_load(const char *name)
{
    for (size_t i = 0; i < ARRAY_LEN(loads); i++)
        if (strcmp(loads[i].name, name) == 0)
            return &loads[i];
    return NULL;
}

static bool within(int64_t n, int64_t least, int64_t most) { return n >= least && n <= most; }

static const char *check(const struct bench *b)
{
    if (!within(b->clients, 1, 100000) || !within(b->connections, 1, BENCH_CONNECTIONS_MAX))
        return "--clients must be 1 to 100000, --connections 1 to 256";
    if (!within(b->total, 1, 100000000) || !within(b->keys, 1, 100000000))
        return "--total and --keys must be 1 to 100000000";
    if (!within(b->value_bytes, 0, 1024 * 1024) || !within(b->per_txn, 1, KV_TXN_OPS_MAX))
        return "--value-bytes must be at most 1048576, --per-txn 1 to 128";
    if (!within(b->rate, 1, 100000) || !within(b->seconds, 1, 3600) || !within(b->watchers, 1, 1000000))
        return "--rate must be 1 to 100000, --seconds 1 to 3600, --watchers 1 to 1000000";
    return NULL;
}

static int run(struct bench *b, const struct bench_load *load)
{
    struct err err;
    const struct tls_options files = {.certificate_file = b->cert, .key_file = b->key, .ca_file = b->ca};
    if (b->cert != NULL && tls_new(&files, &b->tls, &err) != 0) {
        fprintf(stderr, "bench: %s\n", err.message);
        return 1;
    }
    b->pool = pool_new(POOL_BYTES + (size_t)b->value_bytes);
    b->uv = uv_env_new("bench", LOG_ERROR);
    b->env = uv_env_env(b->uv);
    b->latencies_us = mem_zalloc((size_t)MAX(b->total, b->rate * b->seconds) * sizeof b->latencies_us[0]);
    int code = load->run(b, load);
    mem_free(b->latencies_us);
    uv_env_free(b->uv);
    tls_unref(b->tls);
    mem_free(b->pool);
    return code;
}

static int usage(const struct flag *flags, bool asked)
{
    struct buf text = {0}, head = {0};
    buf_append_str(&head, "Usage: bench LOAD [flags]\n\nLoads:\n");
    for (size_t i = 0; i < ARRAY_LEN(loads); i++)
        buf_printf(&head, "  %-10s%s\n", loads[i].name, loads[i].help);
    head.data[--head.size] = '\0';
    flags_help(flags, head.data, &text);
    fwrite(text.data, 1, text.size, asked ? stdout : stderr);
    buf_release(&text);
    buf_release(&head);
    return asked ? 0 : 2;
}

int main(int argc, char **argv)
{
    struct bench b = {.endpoints = "127.0.0.1:2379", .data = ".", .clients = 64, .total = 10000, .value_bytes = 256, .keys = 10000,
                      .connections = 8, .per_txn = 1, .rate = 300, .seconds = 10, .watchers = 1000};
    const struct flag flags[] = {
        {"endpoints", FLAG_TEXT, &b.endpoints, "members' client addresses", 0, "RSCTL_ENDPOINTS"},
        {"cacert", FLAG_TEXT, &b.ca, "certificate authority", 0, "RSCTL_CACERT"},
        {"cert", FLAG_TEXT, &b.cert, "own certificate", 0, "RSCTL_CERT"},
        {"key", FLAG_TEXT, &b.key, "its key", 0, "RSCTL_KEY"},
        {"clients", FLAG_INT, &b.clients, "requests under way at a time", 0, NULL},
        {"connections", FLAG_INT, &b.connections, "connections they share", 0, NULL},
        {"total", FLAG_INT, &b.total, "requests in all", 0, NULL},
        {"value-bytes", FLAG_INT, &b.value_bytes, "size of a value", 0, NULL},
        {"keys", FLAG_INT, &b.keys, "different keys, or leases", 0, NULL},
        {"per-txn", FLAG_INT, &b.per_txn, "fill: puts of one transaction", 0, NULL},
        {"rate", FLAG_INT, &b.rate, "pace: puts a second", 0, NULL},
        {"seconds", FLAG_INT, &b.seconds, "pace: how long", 0, NULL},
        {"first", FLAG_INT, &b.first, "api-create: number in the first name", 0, NULL},
        {"token", FLAG_TEXT, &b.token, "api-*: bearer token, for plain HTTP", 0, NULL},
        {"watchers", FLAG_INT, &b.watchers, "watch: how many, over the connections", 0, NULL},
        {"data", FLAG_TEXT, &b.data, "disk: folder to write in", 0, NULL},
        {0},
    };
    struct flags_result parsed;
    struct err err;
    if (flags_parse(flags, argc, argv, getenv, &parsed, &err) != 0) {
        fprintf(stderr, "bench: %s\n", err.message);
        return 2;
    }
    const struct bench_load *load = parsed.argument_count == 1 ? find_load(parsed.arguments[0]) : NULL;
    const char *wrong = check(&b);
    int code = 2;
    if (parsed.help || load == NULL)
        code = usage(flags, parsed.help);
    else if (wrong != NULL)
        fprintf(stderr, "bench: %s\n", wrong);
    else
        code = run(&b, load);
    flags_release(&parsed);
    return code;
}
