/*   new ──caches whole──▶ bootstrap (system namespaces) ──▶ ready ──close──▶ draining ──nothing open──▶ closed */
#include "common/base.h"

#include "apiserver/request.h"
#include "common/mem.h"
#include "common/tls.h"

#define PROBE_MS 2000
#define GIVE_BACK_PROBES 10
#define STORE_SILENCE_MS 10000

bool apiserver_ready(const struct apiserver *a)
{
    uint64_t now = clock_monotonic_ms(&a->env->clock);
    for (size_t i = 0; i < KINDS_MAX; i++) {
        bool whole = a->caches[i] == NULL || watch_cache_synced(a->caches[i]);
        if (!whole && kinds_all()[i]->stored_as == NULL) /* other versions are not waited for */
            return false;
    }
    return !a->closing && a->bootstrapped && now - a->store_seen_ms < STORE_SILENCE_MS;
}

struct probe {
    struct store_call call;
    struct apiserver *api;
    struct deferred over;
    bool done;
};

static void probe_over(struct deferred *d)
{
    struct probe *p = container_of(d, struct probe, over);
    struct apiserver *a = p->api;
    a->ops_open--;
    a->probe_call = NULL;
    mem_free(p);
    if (a->closing)
        loop_defer(&a->env->loop, &a->finish);
}

static void probe_done(struct store_call *call, int status, const struct err *why)
{
    struct probe *p = container_of(call, struct probe, call);
    (void)why; /* silence is what counts: apiserver_ready */
    p->done = true;
    if (status == 0)
        p->api->store_seen_ms = clock_monotonic_ms(&p->api->env->clock);
    loop_defer(&p->api->env->loop, &p->over);
}

static void probe_fire(struct timer *t)
{
    struct apiserver *a = container_of(t, struct apiserver, probe);
    loop_timer_start(&a->env->loop, &a->probe, PROBE_MS);
    if (++a->probes % GIVE_BACK_PROBES == 0)
        mem_give_back(); /* watches and long lists leave much behind */
    if (a->probe_call != NULL)
        return;
    struct probe *p = NEW(struct probe);
    struct kv_range range = {.span = {SLICE("/registry/"), {NULL, 0}}, .count_only = true};
    p->api = a;
    p->call.done = probe_done;
    deferred_init(&p->over, probe_over);
    a->probe_call = p;
    a->ops_open++;
    store_range(a->store, &p->call, &range, PROBE_MS);
}

static void finish_close(struct deferred *d)
{
    struct apiserver *a = container_of(d, struct apiserver, finish);
    if (a->caches_open > 0 || a->ops_open > 0 || a->request_count > 0)
        return;
    bootstrap_free(a->bootstrap);
    masters_free(a->masters);
    flow_status_free(a->flow_status);
    claims_free(a->repair);
    rbac_free(a->rbac);
    openapi_cache_free(a->openapi);
    metrics_free(a->metrics);
    watch_frames_free(a);
    tls_unref(a->any_tls);
    void (*closed)(void *) = a->closed;
    void *arg = a->closed_arg;
    mem_pool_release(&a->blocks);
    mem_free(a);
    if (closed != NULL)
        closed(arg);
}

static void cache_closed(void *arg)
{
    struct apiserver *a = arg;
    a->caches_open--;
    loop_defer(&a->env->loop, &a->finish);
}

void api_front_limit(struct apiserver *a, enum http_server_limit which)
{
    static const enum limit limits[HTTP_LIMIT_COUNT] = {
        [HTTP_LIMIT_BODY_BYTES] = LIMIT_BODY_BYTES, [HTTP_LIMIT_HEADER_BYTES] = LIMIT_HEADER_BYTES,
        [HTTP_LIMIT_HEADERS] = LIMIT_HEADERS,       [HTTP_LIMIT_CONNECTIONS] = LIMIT_CONNECTIONS,
        [HTTP_LIMIT_TUNNELS] = LIMIT_TUNNELS,       [HTTP_LIMIT_SLOW_HEAD] = LIMIT_SLOW_HEAD,
        [HTTP_LIMIT_SLOW_BODY] = LIMIT_SLOW_BODY,   [HTTP_LIMIT_SLOW_READER] = LIMIT_SLOW_READER,
    };
    limit_hit(&a->count.limits, limits[which]);
}

static void metrics_make(struct apiserver *a)
{
    struct metrics *m = a->metrics = metrics_new();
    a->count = (struct api_metrics){
        .seconds = metrics_histogram(m, "apiserver_request_seconds", "Time from request to answer, watches left out."),
        .store_seconds = metrics_histogram(m, "apiserver_store_seconds", "Time of one call of the store."),
        .watches = metrics_gauge(m, "apiserver_watches", "Open watches."),
        .watch_events = metrics_counter(m, "apiserver_watch_events_total", "Events written to watchers."),
        .watch_cuts = metrics_counter(m, "apiserver_watch_cuts_total", "Watches ended because they fell behind."),
        .conflicts = metrics_counter(m, "apiserver_write_conflicts_total",
                                     "Transactions that lost a race and were decided again."),
    };
    limits_register(&a->count.limits, m);
}

int apiserver_new(struct env *env, const struct apiserver_options *o, struct apiserver **ret, struct err *reterr)
{
    int code = kinds_check(reterr);
    if (code != 0)
        return code;
    struct tls *any_tls;
    code = tls_new(&(struct tls_options){.verify = TLS_VERIFY_NONE}, &any_tls, reterr);
    if (code != 0)
        return code;
    struct apiserver *a = NEW(struct apiserver);
    a->env = env;
    a->any_tls = any_tls;
    a->store = o->store;
    a->store_tls = o->store_tls;
    a->kubelet_tls = o->kubelet_tls;
    a->advertise = o->advertise;
    a->token_key = o->token_key;
    a->issuer = o->issuer == NULL ? "https://kubernetes.default.svc.cluster.local" : o->issuer;
    a->bookmark_ms = o->bookmark_ms == 0 ? BOOKMARK_MS : o->bookmark_ms;
    a->requests_max = o->requests_max == 0 ? REQUESTS_MAX : o->requests_max;
    a->delete_collection_max = o->delete_collection_max == 0 ? DELETE_COLLECTION_MAX : o->delete_collection_max;
    a->repair_ms = o->repair_ms == 0 ? REPAIR_MS : o->repair_ms;
    list_init(&a->requests);
    list_init(&a->ops);
    deferred_init(&a->finish, finish_close);
    timer_init(&a->probe, probe_fire);
    metrics_make(a);
    watch_frames_make(a);
    for (const struct kind *const *k = kinds_all(); *k != NULL; k++) {
        if (!(*k)->never_stored && (*k)->stored_as == NULL) { /* other versions: request_cache */
            a->caches[kinds_index(*k)] = watch_cache_new(env, o->store, *k);
            a->caches_open++;
        }
    }
    struct rbac_caches rbac = {
        .roles = a->caches[kinds_index(&kind_role)],
        .cluster_roles = a->caches[kinds_index(&kind_clusterrole)],
        .role_bindings = a->caches[kinds_index(&kind_rolebinding)],
        .cluster_role_bindings = a->caches[kinds_index(&kind_clusterrolebinding)],
    };
    a->rbac = rbac_new(&rbac);
    a->openapi = openapi_cache_new(env);
    loop_timer_start(&env->loop, &a->probe, 0);
    bootstrap_start(a);
    if (a->advertise != NULL)
        masters_start(a);
    *ret = a;
    return 0;
}

static void end_request(struct api_request *r)
{
    if (r->x == NULL)
        return;
    if (r->streaming)
        request_end_stream(r, false);
    else
        request_fail_with(r, ERR_UNAVAILABLE, "the apiserver is shutting down");
}

void apiserver_close(struct apiserver *a, void (*closed)(void *arg), void *arg)
{
    ASSERT(!a->closing);
    a->closing = true;
    a->closed = closed;
    a->closed_arg = arg;
    loop_timer_stop(&a->env->loop, &a->probe);
    if (a->probe_call != NULL && !a->probe_call->done)
        store_cancel(a->store, &a->probe_call->call);
    bootstrap_stop(a);
    masters_stop(a);
    flow_status_stop(a);
    claims_stop(a);
    LIST_FOR_EACH(node, &a->requests)
    end_request(container_of(node, struct api_request, link));
    LIST_FOR_EACH(node, &a->ops)
    store_cancel(a->store, &container_of(node, struct store_op, link)->call);
    for (size_t i = 0; i < KINDS_MAX; i++) {
        if (a->caches[i] != NULL)
            watch_cache_close(a->caches[i], cache_closed, a);
    }
    loop_defer(&a->env->loop, &a->finish);
}
