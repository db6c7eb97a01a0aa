#include "common/base.h"

#include "tools/rsctl_session.h"

#include "common/mem.h"

#include <inttypes.h>
#include <stdio.h>

#define RETRY_MS 200 /* after a renewal that failed */

static uint64_t now_ms(const struct session *s) { return clock_monotonic_ms(&s->r->env->clock); }

static void changed(struct session *s)
{
    if (s->on_change != NULL)
        s->on_change(s);
    uv_env_stop(s->r->uv);
}

static void on_signal(void *arg)
{
    struct session *s = arg;
    s->signals++;
    changed(s);
}

void session_run(struct session *s) { uv_env_run(s->r->uv, on_signal, s); }
bool session_ended(const struct session *s) { return s->lost || s->signals > 0; }

int session_complain_lost(const struct session *s)
{
    fprintf(stderr, "rsctl: %s %s is lost: lease %016" PRIx64 " was not renewed within %" PRIu64 " s, or was revoked\n", s->what, s->name,
            (uint64_t)s->lease, s->ttl_ms / 1000);
    return RSCTL_ERROR;
}

/* --- the lease --- */

static void lose(struct session *s)
{
    s->lost = true;
    loop_timer_stop(&s->r->env->loop, &s->renew);
    loop_timer_stop(&s->r->env->loop, &s->expiry);
    changed(s);
}

/* The time to live counts from when the renewal was sent: here it ends before it does for the others, never after. */
static void renewed(struct session *s)
{
    uint64_t gone_ms = now_ms(s) - s->asked_ms;
    loop_timer_start(&s->r->env->loop, &s->expiry, s->ttl_ms > gone_ms ? s->ttl_ms - gone_ms : 0);
    loop_timer_start(&s->r->env->loop, &s->renew, s->ttl_ms / 3);
}

static void keepalive_done(struct store_call *call, int status, const struct err *why)
{
    struct session *s = container_of(call, struct session, keepalive);
    (void)why; /* tried again until the lease ends, which is said */
    s->renewing = false;
    uv_env_stop(s->r->uv);
    if (!s->opened || s->lost)
        return; /* closing */
    if (status == 0 && call->leases.count == 0)
        lose(s);
    else if (status == 0)
        renewed(s);
    else
        loop_timer_start(&s->r->env->loop, &s->renew, RETRY_MS);
}

static void on_renew(struct timer *t)
{
    struct session *s = container_of(t, struct session, renew);
    s->renewing = true;
    s->asked_ms = now_ms(s);
    s->keepalive = (struct store_call){.done = keepalive_done};
    store_lease_keepalive(rsctl_client(s->r), &s->keepalive, &s->lease, 1, (unsigned)s->ttl_ms);
}

static void on_expiry(struct timer *t) { lose(container_of(t, struct session, expiry)); }

/* A call that a signal or the loss of the lease gives up. */
static int finish(struct session *s, struct rsctl_call *c)
{
    bool canceled = false;
    while (!c->done) {
        session_run(s);
        if (!c->done && session_ended(s) && !canceled) {
            store_cancel(rsctl_client(s->r), &c->call);
            canceled = true;
        }
    }
    if (s->lost)
        return session_complain_lost(s);
    if (canceled) {
        fprintf(stderr, "rsctl: interrupted before %s %s was held\n", s->what, s->name);
        return RSCTL_ERROR;
    }
    return c->status == 0 ? RSCTL_OK : rsctl_complain(c->status, c->why.message);
}

static void granted(struct rsctl *r, struct store_call *call)
{
    struct session *s = r->verb_data;
    s->ttl_ms = (uint64_t)call->leases.leases[0].granted_s * 1000;
}

int session_open(struct session *s, struct rsctl *r, const char *what, const char *name, int64_t ttl_s)
{
    struct rsctl_call c;
    *s = (struct session){.r = r, .what = what, .name = name, .ttl_ms = (uint64_t)ttl_s * 1000};
    r->verb_data = s;
    timer_init(&s->renew, on_renew);
    timer_init(&s->expiry, on_expiry);
    while (s->lease == 0) /* chosen here: what was granted without our hearing of it can be given back */
        s->lease = (int64_t)(random_u64(&r->env->random) & INT64_MAX);
    buf_printf(&s->prefix, "%s/", name);
    buf_printf(&s->key, "%s/%" PRIx64, name, (uint64_t)s->lease);
    buf_printf(&s->end_bytes, "%s0", name); /* '0' follows '/' */
    s->prefix_end = buf_slice(&s->end_bytes);
    s->opened = true;
    s->asked_ms = now_ms(s);
    rsctl_call_init(&c, r, granted);
    store_lease_grant(rsctl_client(r), &c.call, s->lease, ttl_s, r->flags.timeout_ms);
    int code = finish(s, &c);
    if (code == RSCTL_OK)
        renewed(s);
    else if (s->signals == 0)
        s->opened = false; /* nothing to give back, or nobody to give it to */
    return code;
}

static void revoked(struct rsctl *r, struct store_call *call)
{
    (void)r;
    (void)call;
}

/* Bounded by the time-out of one request; one more signal ends the attempt. */
static int revoke(struct session *s)
{
    struct rsctl_call c;
    unsigned signals = s->signals;
    rsctl_call_init(&c, s->r, revoked);
    store_lease_revoke(rsctl_client(s->r), &c.call, s->lease, s->r->flags.timeout_ms);
    while (!c.done) {
        session_run(s);
        if (!c.done && s->signals > signals)
            store_cancel(rsctl_client(s->r), &c.call);
        signals = s->signals;
    }
    if (c.status == 0 || c.status == ERR_NOT_FOUND)
        return RSCTL_OK;
    char *text = mem_printf("%s %s could not be given back and ends by itself within %" PRIu64 " s: %s", s->what, s->name, s->ttl_ms / 1000,
                            c.status == ERR_CANCELED ? "interrupted" : c.why.message);
    int code = rsctl_complain(c.status, text);
    mem_free(text);
    return code;
}

int session_close(struct session *s)
{
    bool had = s->opened && !s->lost;
    s->opened = false;
    s->on_change = NULL;
    loop_timer_stop(&s->r->env->loop, &s->renew);
    loop_timer_stop(&s->r->env->loop, &s->expiry);
    if (s->renewing)
        store_cancel(rsctl_client(s->r), &s->keepalive);
    while (s->renewing)
        session_run(s);
    int code = had ? revoke(s) : RSCTL_OK;
    buf_release(&s->prefix);
    buf_release(&s->key);
    buf_release(&s->end_bytes);
    buf_release(&s->ahead);
    return code;
}

/* --- the queue --- */

static void queued(struct rsctl *r, struct store_call *call)
{
    struct session *s = r->verb_data;
    const struct kv_txn_result *t = &call->txn;
    const struct kv_op_result *own = &t->results[t->result_count - 1]; /* the last of either branch */
    if (t->result_count > 0 && own->kind == KV_OP_RANGE && own->range.kv_count == 1)
        s->create_revision = own->range.kvs[0].create_revision;
}

/* Puts our key unless it is there, as when the answer to an earlier try was lost. */
static int queue_up(struct session *s, struct slice value)
{
    const struct kv_span own = {.key = buf_slice(&s->key)};
    const struct kv_compare absent = {.span = own, .target = KV_COMPARE_CREATE, .result = KV_EQUAL, .number = 0};
    const struct kv_op read = {.kind = KV_OP_RANGE, .range = {.span = own}};
    const struct kv_op put[] = {{.kind = KV_OP_PUT, .put = {.key = own.key, .value = value, .lease = s->lease}}, read};
    struct rsctl_call c;
    rsctl_call_init(&c, s->r, queued);
    store_txn(rsctl_client(s->r), &c.call,
              &(struct kv_txn){.compares = &absent, .compare_count = 1, .success = put, .success_count = 2, .failure = &read, .failure_count = 1},
              s->r->flags.timeout_ms);
    return finish(s, &c);
}

static void keep_ahead(struct rsctl *r, struct store_call *call)
{
    struct session *s = r->verb_data;
    buf_reset(&s->ahead);
    s->read_revision = call->header.revision;
    if (call->range.kv_count > 0)
        buf_append_slice(&s->ahead, call->range.kvs[0].key);
}

/* Who came right before us. */
static int look_ahead(struct session *s)
{
    struct rsctl_call c;
    rsctl_call_init(&c, s->r, keep_ahead);
    store_range(rsctl_client(s->r), &c.call,
                &(struct kv_range){.span = {.key = buf_slice(&s->prefix), .end = s->prefix_end}, .limit = 1, .keys_only = true,
                                   .max_create_revision = s->create_revision - 1, .order = KV_ORDER_DESCEND, .sort = KV_SORT_CREATE},
                s->r->flags.timeout_ms);
    return finish(s, &c);
}

struct deletion {
    struct store_watch watch;
    struct session *s;
    bool stopped, closed;
    int status;
    struct err why;
};

static void deletion_stop(struct deletion *d)
{
    if (!d->stopped && !d->closed)
        store_watch_stop(rsctl_client(d->s->r), &d->watch);
    d->stopped = true;
}

static void deletion_events(struct store_watch *w, int64_t revision, const struct kv_event *events, size_t n)
{
    struct deletion *d = container_of(w, struct deletion, watch);
    (void)revision;
    for (size_t i = 0; i < n; i++)
        if (events[i].is_delete)
            deletion_stop(d);
}

static void deletion_closed(struct store_watch *w, int status, int64_t compact_revision, const struct err *why)
{
    struct deletion *d = container_of(w, struct deletion, watch);
    (void)compact_revision; /* what was compacted away is read anew */
    d->closed = true;
    d->status = status;
    if (why != NULL)
        d->why = *why;
    uv_env_stop(d->s->r->uv);
}

static int await_deletion(struct session *s)
{
    struct deletion d = {.watch = {.on_events = deletion_events, .on_closed = deletion_closed}, .s = s};
    store_watch_start(rsctl_client(s->r), &d.watch,
                      &(struct store_watch_options){.span = {.key = buf_slice(&s->ahead)}, .start_revision = s->read_revision + 1});
    while (!d.closed) {
        session_run(s);
        if (session_ended(s))
            deletion_stop(&d);
    }
    if (s->lost)
        return session_complain_lost(s);
    if (s->signals > 0) {
        fprintf(stderr, "rsctl: interrupted while waiting for %s %s\n", s->what, s->name);
        return RSCTL_ERROR;
    }
    return d.status == ERR_CANCELED || d.status == ERR_COMPACTED ? RSCTL_OK : rsctl_complain(d.status, d.why.message);
}

static void keep_own(struct rsctl *r, struct store_call *call)
{
    struct session *s = r->verb_data;
    s->there = call->range.kv_count == 1 && call->range.kvs[0].create_revision == s->create_revision;
    if (s->there && s->print)
        print_range(r, &call->header, &call->range);
}

/* The lease may have ended elsewhere while we waited. */
static int check_own(struct session *s)
{
    struct rsctl_call c;
    rsctl_call_init(&c, s->r, keep_own);
    store_range(rsctl_client(s->r), &c.call, &(struct kv_range){.span = {.key = buf_slice(&s->key)}}, s->r->flags.timeout_ms);
    int code = finish(s, &c);
    rsctl_flush(s->r);
    return code != RSCTL_OK ? code : s->there ? RSCTL_OK : session_complain_lost(s);
}

int session_acquire(struct session *s, struct slice value, bool print)
{
    s->print = print;
    int code = queue_up(s, value);
    if (code == RSCTL_OK && s->create_revision == 0)
        return rsctl_complain(ERR_INTERNAL, "the store's answer lacks the key that was put");
    if (code == RSCTL_OK)
        code = look_ahead(s);
    while (code == RSCTL_OK && s->ahead.size > 0) {
        code = await_deletion(s);
        if (code == RSCTL_OK)
            code = look_ahead(s);
    }
    return code == RSCTL_OK ? check_own(s) : code;
}
