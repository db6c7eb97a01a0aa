/* Which apiservers are alive, and with them the endpoints of the Service `kubernetes`, and the Service when it is
 * deleted.
 *
 *   idle ──timer──▶ beating (own key put, all keys read) ──▶ service ──▶ endpoints ──▶ slice ──▶ idle
 *
 * Each replica puts /registry/masterleases/ADDRESS every MASTER_BEAT_MS. One whose key has not changed for
 * MASTER_SILENCE_MS of this replica's own clock counts as gone, so no two clocks are compared. */
#include "common/base.h"

#include "apiserver/bootstrap_objects.h"
#include "apiserver/request.h"
#include "common/mem.h"

#include <inttypes.h>
#include <stdlib.h>

#define MASTERS_MAX 32
#define MASTER_BEAT_MS 3000
#define MASTER_SILENCE_MS 10000
#define MASTER_EARLY_MS 100 /* while what every cluster has is not there yet */
#define MASTER_ADDRESS_MAX 48
#define LEASE_PREFIX "/registry/masterleases/"

struct master {
    char address[MASTER_ADDRESS_MAX];
    int64_t revision; /* of its key when it last changed */
    uint64_t changed_ms;
    bool alive; /* one that fell silent is remembered: its old key must not look like news */
};

/* A call of the store; outlives masters when the apiserver closes meanwhile. */
struct beat {
    struct store_call call;
    struct apiserver *api;
    struct deferred over;
};

enum masters_step {
    MASTERS_IDLE,
    MASTERS_BEATING,
    MASTERS_SERVICE,
    MASTERS_ENDPOINTS,
    MASTERS_SLICE,
    MASTERS_SLICE_CREATE
};

struct masters {
    struct apiserver *api;
    enum masters_step step;
    struct timer timer;
    struct self_call call;
    struct beat *beat; /* under way, or NULL */
    struct master seen[MASTERS_MAX];
    size_t seen_count;
    uint64_t beats;
    char address[MASTER_ADDRESS_MAX];
    int port;
};

static void again(struct masters *m)
{
    m->step = MASTERS_IDLE;
    loop_timer_start(&m->api->env->loop, &m->timer, m->api->bootstrapped ? MASTER_BEAT_MS : MASTER_EARLY_MS);
}

void masters_stop(struct apiserver *a)
{
    if (a->masters == NULL)
        return;
    loop_timer_stop(&a->env->loop, &a->masters->timer);
    if (a->masters->beat != NULL)
        store_cancel(a->store, &a->masters->beat->call);
}

void masters_free(struct masters *m)
{
    if (m == NULL)
        return;
    self_release(&m->call);
    mem_free(m);
}

static int by_address(const void *a, const void *b)
{
    return strcmp(((const struct master *)a)->address, ((const struct master *)b)->address);
}

static void note(struct masters *m, struct slice address, int64_t revision, uint64_t now)
{
    for (size_t i = 0; i < m->seen_count; i++) {
        struct master *seen = &m->seen[i];
        if (!slice_is(address, seen->address))
            continue;
        if (seen->revision != revision)
            seen->changed_ms = now;
        seen->revision = revision;
        return;
    }
    if (m->seen_count == MASTERS_MAX || address.size >= MASTER_ADDRESS_MAX)
        return; /* more than the bound: the others are endpoints already */
    struct master *made = &m->seen[m->seen_count++];
    *made = (struct master){.revision = revision, .changed_ms = now};
    memcpy(made->address, address.data, address.size);
}

static void judge_silence(struct masters *m, uint64_t now)
{
    for (size_t i = 0; i < m->seen_count; i++) {
        struct master *seen = &m->seen[i];
        seen->alive = now - seen->changed_ms < MASTER_SILENCE_MS || strcmp(seen->address, m->address) == 0;
    }
    qsort(m->seen, m->seen_count, sizeof m->seen[0], by_address);
}

static const struct json *current(struct masters *m, const struct kind *k, struct json_doc *d)
{
    struct json *tree = NULL;
    const struct watch_cache *c = m->api->caches[kinds_index(k)];
    struct cached *o = watch_cache_get(c, SLICE("default/kubernetes"));
    if (o == NULL || json_parse(d, bytes_slice(o->json), &tree, NULL) != 0)
        return NULL;
    return tree;
}

/* True when the cached object lacks nothing of what `field` should be. */
static bool agrees(struct masters *m, const struct kind *k, const char *field, struct slice wanted)
{
    struct json_doc *d = json_doc_new();
    const struct json *tree = current(m, k, d);
    struct json *want = NULL;
    int code = json_parse(d, wanted, &want, NULL);
    ASSERT(code == 0); /* written here */
    bool same = tree != NULL && json_equal(json_get(tree, field), want);
    json_doc_free(d);
    return same;
}

static void subsets_text(const struct masters *m, struct buf *out)
{
    const char *comma = "";
    buf_append_str(out, "[{\"addresses\":[");
    for (size_t i = 0; i < m->seen_count; i++) {
        if (!m->seen[i].alive)
            continue;
        buf_printf(out, "%s{\"ip\":\"%s\"}", comma, m->seen[i].address);
        comma = ",";
    }
    buf_printf(out, "],\"ports\":[{\"name\":\"https\",\"port\":%d,\"protocol\":\"TCP\"}]}]", m->port);
}

static void endpoints_list(const struct masters *m, struct buf *out)
{
    const char *comma = "";
    buf_append_char(out, '[');
    for (size_t i = 0; i < m->seen_count; i++) {
        if (!m->seen[i].alive)
            continue;
        buf_printf(out, "%s{\"addresses\":[\"%s\"],\"conditions\":{\"ready\":true}}", comma, m->seen[i].address);
        comma = ",";
    }
    buf_append_char(out, ']');
}

static void write_slice(struct masters *m, bool create)
{
    struct buf list = {0};
    endpoints_list(m, &list);
    bool there = !create && agrees(m, &kind_endpoint_slice, "endpoints", buf_slice(&list));
    if (there) {
        again(m);
    } else {
        m->step = create ? MASTERS_SLICE_CREATE : MASTERS_SLICE;
        buf_reset(&m->call.path);
        buf_printf(&m->call.path, "/apis/discovery.k8s.io/v1/namespaces/default/endpointslices%s",
                   create ? "" : "/kubernetes");
        buf_reset(&m->call.body);
        buf_printf(&m->call.body,
                   "{\"metadata\":{\"name\":\"kubernetes\",\"labels\":{\"kubernetes.io/service-name\":\"kubernetes\"}},"
                   "\"addressType\":\"IPv4\",\"endpoints\":%s,\"ports\":[{\"name\":\"https\",\"port\":%d,\"protocol\":"
                   "\"TCP\"}]}",
                   list.data, m->port);
        self_send(&m->call, create ? "POST" : "PUT");
    }
    buf_release(&list);
}

static void write_endpoints(struct masters *m)
{
    struct buf subsets = {0};
    subsets_text(m, &subsets);
    if (agrees(m, &kind_endpoints, "subsets", buf_slice(&subsets))) {
        write_slice(m, false);
    } else {
        m->step = MASTERS_ENDPOINTS;
        buf_reset(&m->call.path);
        buf_append_str(&m->call.path, "/api/v1/namespaces/default/endpoints/kubernetes");
        buf_reset(&m->call.body);
        buf_printf(&m->call.body,
                   "{\"metadata\":{\"name\":\"kubernetes\",\"labels\":{\"endpointslice.kubernetes.io/skip-mirror\":"
                   "\"true\"}},\"subsets\":%s}",
                   subsets.data);
        self_send(&m->call, "PUT");
    }
    buf_release(&subsets);
}

static void write_service(struct masters *m)
{
    const struct watch_cache *c = m->api->caches[kinds_index(&kind_service)];
    if (!watch_cache_synced(c) || watch_cache_get(c, SLICE("default/kubernetes")) != NULL) {
        write_endpoints(m);
        return;
    }
    m->step = MASTERS_SERVICE;
    buf_reset(&m->call.path);
    buf_append_str(&m->call.path, "/api/v1/namespaces/default/services");
    buf_reset(&m->call.body);
    bootstrap_service_print((unsigned)m->port, &m->call.body);
    self_send(&m->call, "POST");
}

static void masters_answered(struct self_call *c, int status, struct slice body)
{
    struct masters *m = container_of(c, struct masters, call);
    bool good = status == 200 || status == 201;
    if (m->step == MASTERS_SERVICE && (good || status == 409)) {
        write_endpoints(m);
    } else if (good && m->step == MASTERS_ENDPOINTS) {
        write_slice(m, false);
    } else if (status == 404 && m->step == MASTERS_SLICE) {
        write_slice(m, true);
    } else {
        if (!good && status != 409) /* 409: another replica wrote the same */
            log_warn(m->api->env->log, "cannot write the Service kubernetes or its endpoints", "status=%d why=\"%.*s\"",
                     status, (int)MIN(body.size, (size_t)200), body.data);
        again(m);
    }
}

static void beat_over(struct deferred *d)
{
    struct beat *b = container_of(d, struct beat, over);
    struct apiserver *a = b->api;
    a->ops_open--;
    mem_free(b);
    if (a->closing)
        loop_defer(&a->env->loop, &a->finish);
}

static void beat_done(struct store_call *call, int status, const struct err *why)
{
    struct beat *b = container_of(call, struct beat, call);
    struct apiserver *a = b->api;
    struct masters *m = a->masters;
    uint64_t now = clock_monotonic_ms(&a->env->clock);
    loop_defer(&a->env->loop, &b->over);
    m->beat = NULL;
    if (a->closing)
        return;
    if (status != 0) {
        log_warn(a->env->log, "cannot tell the store that this apiserver lives", "why=\"%s\"",
                 why == NULL ? err_text(status) : why->message);
        again(m);
        return;
    }
    const struct kv_range_result *all = &call->txn.results[1].range;
    for (size_t i = 0; i < all->kv_count; i++)
        note(m, slice_from(all->kvs[i].key, strlen(LEASE_PREFIX)), all->kvs[i].mod_revision, now);
    judge_silence(m, now);
    if (a->bootstrapped)
        write_service(m);
    else
        again(m);
}

static void masters_beat(struct timer *t)
{
    struct masters *m = container_of(t, struct masters, timer);
    struct apiserver *a = m->api;
    struct beat *b = m->beat = NEW(struct beat);
    struct buf key = {0}, value = {0};
    b->api = a;
    b->call.done = beat_done;
    deferred_init(&b->over, beat_over);
    a->ops_open++;
    m->step = MASTERS_BEATING;
    buf_printf(&key, LEASE_PREFIX "%s", m->address);
    buf_printf(&value, "{\"address\":\"%s\",\"port\":%d,\"beat\":%" PRIu64 "}", m->address, m->port, ++m->beats);
    struct kv_op ops[2] = {
        {.kind = KV_OP_PUT, .put = {.key = buf_slice(&key), .value = buf_slice(&value)}},
        {.kind = KV_OP_RANGE,
         .range = {.span = {SLICE(LEASE_PREFIX), SLICE("/registry/masterleases0")}, .keys_only = true, .limit = 128}},
    };
    struct kv_txn txn = {.success = ops, .success_count = 2};
    store_txn(a->store, &b->call, &txn, STORE_TIMEOUT_MS);
    buf_release(&key);
    buf_release(&value);
}

void masters_start(struct apiserver *a)
{
    const char *colon = strrchr(a->advertise, ':');
    size_t size = colon == NULL ? 0 : (size_t)(colon - a->advertise);
    if (size == 0 || size >= MASTER_ADDRESS_MAX || memchr(a->advertise, ':', size) != NULL) {
        log_warn(a->env->log, "no endpoints of the Service kubernetes: --advertise is no IPv4 HOST:PORT",
                 "advertise=%s", a->advertise);
        return;
    }
    struct masters *m = NEW(struct masters);
    m->api = a;
    memcpy(m->address, a->advertise, size);
    m->port = (int)strtol(colon + 1, NULL, 10);
    self_init(&m->call, a, masters_answered);
    timer_init(&m->timer, masters_beat);
    a->masters = m;
    loop_timer_start(&a->env->loop, &m->timer, 0);
}
