/* rsctl check perf: is the cluster fast enough for its load? The loads and the limits are those of etcdctl's check of that name: so many clients, each
 * with a connection and one put under way, that together put at most `rate` times a second; keys of 256 bytes below a prefix, values of 1 KiB.
 *
 * looked (no keys below the prefix) ─▶ connected ─▶ loaded ─▶ drained ─▶ keys removed ─▶ judged */
#include "common/base.h"

#include "common/uv_env.h"
#include "tools/rsctl_check.h"

#include <stdio.h>
#include <sys/resource.h>
#include <unistd.h>

#define KEY_BYTES 256
#define VALUE_BYTES 1024
#define CONNECT_MS 30000
#define TICK_MS 1
#define DURATION_MIN_MS 1000
#define DURATION_MAX_MS 600000
#define REMOVE_STEP 1000 /* keys per request, so that no other client waits for long */
#define DESCRIPTORS 64   /* beside those of the clients */

/* --- the load --- */

struct check;
struct client {
    struct check *check;
    struct store_client *store;
    struct store_call call;
    uint64_t began_ns;
    bool busy;
};

struct check {
    struct rsctl *r;
    const struct check_load *load;
    struct kv_span span; /* of the prefix */
    struct buf end, value;
    struct client *clients;
    size_t busy, open, next; /* next: where to look for an idle client */
    struct timer tick;
    uint64_t began_ns, ticked_ns, end_ns, drained_ns;
    double tokens; /* puts that are due */
    bool loading;
    unsigned signals, second; /* second: of the load that was shown */
    struct check_figures figures;
    int64_t revision; /* of the state after the last removal */
    char first[KEY_BYTES + CHECK_PREFIX_MAX], last[KEY_BYTES + CHECK_PREFIX_MAX + 1];
    size_t first_size, last_size, found; /* of the keys that a read found */
};

static uint64_t now_ns(const struct check *c) { return clock_monotonic_ns(&c->r->env->clock); }

static void on_signal(void *arg)
{
    struct check *c = arg;
    c->signals++;
    c->loading = false;
    uv_env_stop(c->r->uv);
}

static void run(struct check *c) { uv_env_run(c->r->uv, on_signal, c); }

/* A call whose wait a signal may cut short when `stoppable`. */
static int finish(struct check *c, struct rsctl_call *call, bool stoppable)
{
    unsigned signals = c->signals;
    while (!call->done) {
        run(c);
        if (!call->done && stoppable && c->signals > signals)
            store_cancel(rsctl_client(c->r), &call->call);
        signals = c->signals;
    }
    return call->status == 0 ? RSCTL_OK : rsctl_complain(call->status, call->why.message);
}

static void put_done(struct store_call *call, int status, const struct err *why);

static void put_next(struct client *k)
{
    struct check *c = k->check;
    char key[KEY_BYTES + CHECK_PREFIX_MAX];
    int n = snprintf(key, sizeof key, "%.*s%016llx", SLICE_ARGS(c->span.key), (unsigned long long)random_u64(&c->r->env->random));
    ASSERT(n > 0 && (size_t)n < sizeof key);
    memset(key + n, '0', c->span.key.size + KEY_BYTES - (size_t)n);
    const struct kv_op op = {.kind = KV_OP_PUT, .put = {.key = {key, c->span.key.size + KEY_BYTES}, .value = buf_slice(&c->value)}};
    k->call = (struct store_call){.done = put_done};
    k->busy = true;
    k->began_ns = now_ns(c);
    c->busy++;
    store_txn(k->store, &k->call, &(struct kv_txn){.success = &op, .success_count = 1}, c->r->flags.timeout_ms);
}

/* Gives what is due to idle clients, in turn. */
static void put_due(struct check *c)
{
    for (size_t tried = 0; c->loading && c->tokens >= 1 && c->busy < c->load->clients && tried < c->load->clients; tried++) {
        struct client *k = &c->clients[c->next];
        c->next = (c->next + 1) % c->load->clients;
        if (k->busy)
            continue;
        c->tokens -= 1;
        put_next(k);
    }
}

static void put_done(struct store_call *call, int status, const struct err *why)
{
    struct client *k = container_of(call, struct client, call);
    struct check *c = k->check;
    k->busy = false;
    c->busy--;
    if (status == 0) {
        check_count(&c->figures, (double)(now_ns(c) - k->began_ns) / 1e9);
    } else {
        if (c->figures.failed++ == 0)
            c->figures.why = *why;
    }
    put_due(c);
    if (!c->loading && c->busy == 0)
        uv_env_stop(c->r->uv);
}

static void show(struct check *c, uint64_t now)
{
    unsigned second = (unsigned)((now - c->began_ns) / 1000000000);
    if (second == c->second || !isatty(STDERR_FILENO))
        return;
    c->second = second;
    fprintf(stderr, "\r%3u of %u s: %llu writes", second, (unsigned)((c->end_ns - c->began_ns) / 1000000000), (unsigned long long)c->figures.writes);
}

static void on_tick(struct timer *t)
{
    struct check *c = container_of(t, struct check, tick);
    uint64_t now = now_ns(c);
    double most = MAX(1.0, c->load->rate / 100.0); /* what a late timer may catch up with; what all clients were too busy for is lost */
    c->tokens = MIN(c->tokens + (double)(now - c->ticked_ns) * c->load->rate / 1e9, most);
    c->ticked_ns = now;
    if (now >= c->end_ns)
        c->loading = false;
    if (!c->loading) {
        uv_env_stop(c->r->uv);
        return;
    }
    show(c, now);
    put_due(c);
    loop_timer_start(&c->r->env->loop, t, TICK_MS);
}

static void load(struct check *c)
{
    timer_init(&c->tick, on_tick);
    c->began_ns = c->ticked_ns = now_ns(c);
    c->end_ns = c->began_ns + (uint64_t)c->r->flags.duration_ms * 1000000;
    c->loading = true;
    loop_timer_start(&c->r->env->loop, &c->tick, TICK_MS);
    while (c->loading || c->busy > 0)
        run(c);
    loop_timer_stop(&c->r->env->loop, &c->tick);
    c->figures.seconds = (double)(now_ns(c) - c->began_ns) / 1e9;
    if (c->second > 0)
        fprintf(stderr, "\r\033[K");
}

/* --- its clients --- */

static void greeted(struct store_call *call, int status, const struct err *why)
{
    struct client *k = container_of(call, struct client, call);
    struct check *c = k->check;
    if (status != 0 && c->figures.failed++ == 0)
        c->figures.why = *why;
    k->busy = false;
    if (--c->busy == 0)
        uv_env_stop(c->r->uv);
}

/* Each has its connection before the clock runs. */
static int connect_clients(struct check *c)
{
    struct rsctl *r = c->r;
    const struct store_client_options o = {.endpoints = r->endpoints, .endpoint_count = r->endpoint_count, .tls = r->tls};
    c->clients = mem_zalloc(c->load->clients * sizeof c->clients[0]);
    for (size_t i = 0; i < c->load->clients; i++) {
        struct client *k = &c->clients[i];
        *k = (struct client){.check = c, .store = store_client_new(r->env, &o), .busy = true};
        c->open++;
        c->busy++;
        k->call = (struct store_call){.done = greeted};
        store_range(k->store, &k->call, &(struct kv_range){.span = {.key = c->span.key}, .count_only = true, .serializable = true}, CONNECT_MS);
    }
    while (c->busy > 0) {
        run(c);
        for (size_t i = 0; i < c->load->clients && c->signals > 0; i++)
            if (c->clients[i].busy)
                store_cancel(c->clients[i].store, &c->clients[i].call);
    }
    if (c->figures.failed == 0 || c->signals > 0)
        return RSCTL_OK;
    return rsctl_complain(c->figures.why.code, c->figures.why.message);
}

static void client_closed(void *arg)
{
    struct check *c = arg;
    c->open--;
    uv_env_stop(c->r->uv);
}

static void disconnect_clients(struct check *c)
{
    for (size_t i = 0, n = c->open; i < n; i++)
        store_client_close(c->clients[i].store, client_closed, c);
    while (c->open > 0)
        run(c);
    mem_free(c->clients);
}

/* --- its keys --- */

static void keep_keys(struct rsctl *r, struct store_call *call)
{
    struct check *c = r->verb_data;
    const struct kv *kvs = call->range.kvs;
    c->found = call->range.kv_count;
    if (c->found == 0 || kvs[0].key.size > sizeof c->first || kvs[c->found - 1].key.size >= sizeof c->last)
        return;
    c->first_size = kvs[0].key.size;
    c->last_size = kvs[c->found - 1].key.size + 1;
    memcpy(c->first, kvs[0].key.data, c->first_size);
    memcpy(c->last, kvs[c->found - 1].key.data, c->last_size - 1);
    c->last[c->last_size - 1] = '\0'; /* the end of the range: right after that key */
}

static int find_keys(struct check *c, int64_t limit)
{
    struct rsctl_call call;
    c->first_size = c->last_size = 0;
    rsctl_call_init(&call, c->r, keep_keys);
    store_range(rsctl_client(c->r), &call.call, &(struct kv_range){.span = c->span, .limit = limit, .keys_only = true}, c->r->flags.timeout_ms);
    return finish(c, &call, true);
}

static void removed(struct rsctl *r, struct store_call *call) { ((struct check *)r->verb_data)->revision = call->header.revision; }

static int remove_step(struct check *c)
{
    struct rsctl_call call;
    const struct kv_op op = {.kind = KV_OP_DELETE, .delete = {.span = {.key = {c->first, c->first_size}, .end = {c->last, c->last_size}}}};
    rsctl_call_init(&call, c->r, removed);
    store_txn(rsctl_client(c->r), &call.call, &(struct kv_txn){.success = &op, .success_count = 1}, c->r->flags.timeout_ms);
    return finish(c, &call, true);
}

static void compacted(struct rsctl *r, struct store_call *call)
{
    (void)r;
    (void)call;
}

static int remove_keys(struct check *c)
{
    struct rsctl_call call;
    int code = find_keys(c, REMOVE_STEP);
    while (code == RSCTL_OK && c->first_size > 0) {
        code = remove_step(c);
        if (code == RSCTL_OK)
            code = find_keys(c, REMOVE_STEP);
    }
    if (code != RSCTL_OK)
        fprintf(stderr, "rsctl: keys of the check are left: rsctl del --prefix %.*s\n", SLICE_ARGS(c->span.key));
    if (code != RSCTL_OK || !c->r->flags.auto_compact || c->revision == 0)
        return code;
    rsctl_call_init(&call, c->r, compacted);
    store_compact(rsctl_client(c->r), &call.call, c->revision, c->r->flags.timeout_ms);
    return finish(c, &call, true);
}

/* --- the verb --- */

static int look(struct check *c)
{
    int code = find_keys(c, 1);
    if (code == RSCTL_OK && c->found > 0)
        return rsctl_usage("there are keys below %.*s already: rsctl del --prefix %.*s, or another --prefix", SLICE_ARGS(c->span.key), SLICE_ARGS(c->span.key));
    return code;
}

static int allow_descriptors(const struct check_load *l)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur >= l->clients + DESCRIPTORS)
        return RSCTL_OK;
    limit.rlim_cur = MIN(limit.rlim_max, (rlim_t)l->clients + DESCRIPTORS);
    if (limit.rlim_cur < l->clients + DESCRIPTORS || setrlimit(RLIMIT_NOFILE, &limit) != 0)
        return rsctl_complain(ERR_NO_SPACE, "load wants more open files than this process may have: see ulimit -Hn");
    return RSCTL_OK;
}

static int run_check(struct check *c)
{
    int code = look(c);
    if (code == RSCTL_OK)
        code = connect_clients(c);
    if (code == RSCTL_OK && c->signals == 0) {
        load(c);
        code = remove_keys(c);
    }
    disconnect_clients(c);
    if (code != RSCTL_OK)
        return code;
    if (c->signals > 0) {
        fprintf(stderr, "rsctl: interrupted after %.1f s; the keys of the check are removed\n", c->figures.seconds);
        return RSCTL_ERROR;
    }
    return check_judge(c->load, &c->figures, c->r->format, &c->r->out) ? RSCTL_OK : RSCTL_ERROR;
}

int rsctl_check(struct rsctl *r)
{
    struct check c = {.r = r, .load = check_load_find(r->flags.load)};
    const struct rsctl_flags all = {.prefix = true};
    const char *prefix = r->flags.check_prefix;
    if (r->argument_count != 1 || strcmp(r->arguments[0], "perf") != 0)
        return rsctl_usage("check wants perf");
    if (c.load == NULL)
        return rsctl_usage("--load is \"%s\", but must be s, m, l or xl", r->flags.load);
    if (prefix[0] == '\0' || strlen(prefix) > CHECK_PREFIX_MAX)
        return rsctl_usage("--prefix must have 1 to %d bytes: all keys below it are removed in the end", CHECK_PREFIX_MAX);
    if (r->flags.duration_ms < DURATION_MIN_MS || r->flags.duration_ms > DURATION_MAX_MS)
        return rsctl_usage("--duration must be 1s to 10m");
    int code = allow_descriptors(c.load);
    if (code == RSCTL_OK)
        code = rsctl_span(&all, &prefix, 1, &c.end, &c.span);
    r->verb_data = &c;
    buf_reserve(&c.value, VALUE_BYTES);
    memset(c.value.data, 0, VALUE_BYTES);
    c.value.size = VALUE_BYTES;
    if (code == RSCTL_OK)
        code = run_check(&c);
    buf_release(&c.end);
    buf_release(&c.value);
    return code;
}
