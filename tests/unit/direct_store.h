/* The store's client library over an in-process mvcc, and an env with virtual time, for tests of what stands on the
 * store. Included by one test; its functions take the place of raftstore/client.c in that binary. Faults:
 * `compact_watches` ends every watch with ERR_COMPACTED as a compaction would, `rivals` are writers that come first,
 * `mute` stops all watches. */
#ifndef TESTS_UNIT_DIRECT_STORE_H
#define TESTS_UNIT_DIRECT_STORE_H

#include "common/buf.h"
#include "common/env.h"
#include "common/heap.h"
#include "common/mem.h"
#include "raftstore/client.h"
#include "raftstore/mvcc.h"

#include <stdio.h>

struct direct {
    struct env env;
    uint64_t now_ms, sequence;
    struct heap timers;
    struct list deferred;
    struct prng prng;
    struct log log;
    struct mvcc *mvcc;
    struct list watches; /* of struct direct_watch */
    size_t calls;
    char dialled[64];    /* the endpoint of the newest client besides this one */
    const char *silent;  /* the member that does not answer; NULL: all do */
    size_t rivals;       /* so many transactions find that what they compare was written just before them */
    bool mute;           /* watches tell nothing any more, and never of what happens meanwhile */
    size_t member_count; /* at 10.0.0.1:2379, 10.0.0.2:2379, …; 0: the store does not tell */
};

struct direct_call {
    struct deferred run;
    struct direct *d;
    struct store_call *call;
    struct kv_range range;
    struct kv_txn txn;
    struct arena arena; /* of the request's copy */
    bool is_txn, canceled;
    bool is_members, is_status, fails;
};

struct direct_watch {
    struct store_watch *watch;
    struct direct *d;
    struct list link;
    struct kv_span span;
    struct arena arena;
    int64_t next; /* revision to deliver from */
    struct deferred start, progress, stop;
    int stop_status;
};

static bool direct_less(const struct heap_node *a, const struct heap_node *b)
{
    const struct timer *x = container_of(a, struct timer, node), *y = container_of(b, struct timer, node);
    return x->deadline_ms != y->deadline_ms ? x->deadline_ms < y->deadline_ms : x->sequence < y->sequence;
}

static void direct_timer_stop(void *impl, struct timer *t) { heap_remove(&((struct direct *)impl)->timers, &t->node); }
static void direct_timer_start(void *impl, struct timer *t, uint64_t delay_ms)
{
    struct direct *d = impl;
    direct_timer_stop(impl, t);
    t->deadline_ms = d->now_ms + delay_ms;
    t->sequence = d->sequence++;
    heap_push(&d->timers, &t->node);
}
static void direct_defer(void *impl, struct deferred *x)
{
    if (list_empty(&x->link))
        list_push_back(&((struct direct *)impl)->deferred, &x->link);
}
static void direct_undefer(void *impl, struct deferred *x)
{
    (void)impl;
    list_remove(&x->link);
}
static const struct loop_ops direct_loop = {direct_timer_start, direct_timer_stop, direct_defer, direct_undefer};

static uint64_t direct_monotonic(void *impl) { return ((struct direct *)impl)->now_ms * 1000000; }
static int64_t direct_wall(void *impl) { return 1763683200000 + (int64_t)((struct direct *)impl)->now_ms; }
static const struct clock_ops direct_clock = {direct_monotonic, direct_wall};

static void direct_log(void *impl, const char *line, size_t size)
{
    (void)impl;
    (void)fwrite(line, 1, size, stderr);
}

static void direct_init(struct direct *d)
{
    *d = (struct direct){.now_ms = 1000};
    heap_init(&d->timers, direct_less);
    list_init(&d->deferred);
    list_init(&d->watches);
    prng_seed(&d->prng, 7);
    d->log =
        (struct log){.component = "test", .level = LOG_WARN, .wall_ms = direct_wall, .write = direct_log, .impl = d};
    d->env.loop = (struct loop){&direct_loop, d, NULL};
    d->env.clock = (struct clock){&direct_clock, d};
    d->env.random = prng_random(&d->prng);
    d->env.log = &d->log;
    d->mvcc = mvcc_new();
}

static void direct_release(struct direct *d)
{
    heap_release(&d->timers);
    mvcc_free(d->mvcc);
}

/* One deferred call, or else the next timer; false when there is nothing to do before `until_ms`. */
static bool direct_step(struct direct *d, uint64_t until_ms)
{
    if (!list_empty(&d->deferred)) {
        struct deferred *x = container_of(d->deferred.next, struct deferred, link);
        list_remove(&x->link);
        x->run(x);
        return true;
    }
    struct heap_node *n = heap_min(&d->timers);
    if (n == NULL || container_of(n, struct timer, node)->deadline_ms > until_ms)
        return false;
    struct timer *t = container_of(n, struct timer, node);
    d->now_ms = MAX(d->now_ms, t->deadline_ms);
    heap_remove(&d->timers, n);
    t->fire(t);
    return true;
}

static void direct_run_ms(struct direct *d, uint64_t ms)
{
    uint64_t until = d->now_ms + ms;
    while (direct_step(d, until)) {
    }
    d->now_ms = until;
}

static bool direct_in_span(const struct kv_span *s, struct slice key)
{
    if (s->end.size == 0)
        return slice_equal(s->key, key);
    return slice_compare(key, s->key) >= 0 &&
           (slice_equal(s->end, slice_of("\0", 1)) || slice_compare(key, s->end) < 0);
}

static void direct_publish(struct direct *d, const struct kv_event *events, size_t n, int64_t revision)
{
    if (d->mute)
        return;
    struct kv_event *mine = mem_alloc(MAX(n, (size_t)1) * sizeof *mine);
    LIST_FOR_EACH(node, &d->watches)
    {
        struct direct_watch *w = container_of(node, struct direct_watch, link);
        size_t k = 0;
        for (size_t i = 0; i < n; i++) {
            if (direct_in_span(&w->span, events[i].kv.key) && revision >= w->next)
                mine[k++] = events[i];
        }
        if (k > 0)
            w->watch->on_events(w->watch, revision, mine, k);
    }
    mem_free(mine);
}

/* A hand in the store: nobody was asked. */
static UNUSED void direct_put(struct direct *d, struct slice key, struct slice value)
{
    struct arena a = {0};
    struct kv_txn_result result;
    const struct kv_event *events = NULL;
    size_t n = 0;
    const struct kv_op put = {.kind = KV_OP_PUT, .put = {.key = key, .value = value}};
    int status =
        mvcc_apply(d->mvcc, &(struct kv_txn){.success = &put, .success_count = 1}, &a, &result, &events, &n, NULL);
    ASSERT(status == 0);
    direct_publish(d, events, n, mvcc_revision(d->mvcc));
    arena_clear(&a);
}

/* Puts what the transaction's first comparison is about: as it is, or what it would put. */
static void direct_rival(struct direct *d, const struct kv_txn *txn)
{
    struct arena a = {0};
    struct kv_range_result was;
    struct slice key = txn->compares[0].span.key;
    d->rivals--;
    int status = mvcc_range(d->mvcc, &(struct kv_range){.span = {key, {NULL, 0}}}, &a, &was, NULL);
    ASSERT(status == 0);
    struct slice value = was.kv_count > 0 ? was.kvs[0].value : txn->success[0].put.value;
    direct_put(d, key, value);
    arena_clear(&a);
}

static void direct_run(struct deferred *x)
{
    struct direct_call *c = container_of(x, struct direct_call, run);
    struct store_call *call = c->call;
    struct err why = {0};
    int status = 0;
    if (c->canceled) {
        status = err_set(&why, ERR_CANCELED, "canceled");
    } else if (c->is_members) {
        static const char *const addresses[] = {"10.0.0.1:2379", "10.0.0.2:2379", "10.0.0.3:2379"};
        for (size_t i = 0; i < MIN(c->d->member_count, ARRAY_LEN(addresses)); i++)
            call->members.members[call->members.count++] =
                (struct store_member){.id = i + 1, .client_address = slice_str(addresses[i]), .voter = true};
        if (call->members.count == 0)
            status = err_set(&why, ERR_UNAVAILABLE, "no member answers");
    } else if (c->is_status) {
        call->status.leader = 1;
        if (c->fails)
            status = err_set(&why, ERR_TIMEOUT, "connection refused");
    } else if (c->is_txn) {
        if (c->d->rivals > 0 && c->txn.compare_count > 0 && c->txn.success_count > 0)
            direct_rival(c->d, &c->txn);
        const struct kv_event *events = NULL;
        size_t n = 0;
        status = mvcc_check(&c->txn, &why);
        if (status == 0)
            status = mvcc_apply(c->d->mvcc, &c->txn, &call->arena, &call->txn, &events, &n, &why);
        if (status == 0 && n > 0)
            direct_publish(c->d, events, n, mvcc_revision(c->d->mvcc));
    } else {
        status = mvcc_range(c->d->mvcc, &c->range, &call->arena, &call->range, &why);
    }
    call->header.revision = mvcc_revision(c->d->mvcc);
    call->impl = NULL;
    call->done(call, status, status == 0 ? NULL : &why);
    arena_clear(&call->arena);
    arena_clear(&c->arena);
    mem_free(c);
}

static struct direct_call *direct_call_new(struct store_client *client, struct store_call *call)
{
    struct direct_call *c = NEW(struct direct_call);
    c->d = (struct direct *)client;
    c->call = call;
    call->impl = c;
    call->arena = (struct arena){0};
    deferred_init(&c->run, direct_run);
    loop_defer(&c->d->env.loop, &c->run);
    c->d->calls++;
    return c;
}

static struct kv_span direct_span(struct arena *a, struct kv_span s)
{
    return (struct kv_span){arena_slice(a, s.key), s.end.size == 0 ? s.end : arena_slice(a, s.end)};
}

static struct kv_op *direct_ops(struct arena *a, const struct kv_op *from, size_t n);

static struct kv_txn direct_txn(struct arena *a, const struct kv_txn *from)
{
    struct kv_txn txn = *from;
    struct kv_compare *compares = arena_dup(a, from->compares, from->compare_count * sizeof *compares);
    for (size_t i = 0; i < from->compare_count; i++) {
        compares[i].span = direct_span(a, compares[i].span);
        compares[i].value = arena_slice(a, compares[i].value);
    }
    txn.compares = compares;
    txn.success = direct_ops(a, from->success, from->success_count);
    txn.failure = direct_ops(a, from->failure, from->failure_count);
    return txn;
}

static struct kv_op *direct_ops(struct arena *a, const struct kv_op *from, size_t n)
{
    struct kv_op *ops = arena_dup(a, from, n * sizeof *ops);
    for (size_t i = 0; i < n; i++) {
        if (ops[i].kind == KV_OP_PUT) {
            ops[i].put.key = arena_slice(a, ops[i].put.key);
            ops[i].put.value = arena_slice(a, ops[i].put.value);
        } else if (ops[i].kind == KV_OP_DELETE) {
            ops[i].delete.span = direct_span(a, ops[i].delete.span);
        } else if (ops[i].kind == KV_OP_TXN) {
            ops[i].txn = direct_txn(a, &ops[i].txn);
        } else {
            ops[i].range.span = direct_span(a, ops[i].range.span);
        }
    }
    return ops;
}

void store_range(struct store_client *client, struct store_call *call, const struct kv_range *range,
                 unsigned timeout_ms)
{
    struct direct_call *c = direct_call_new(client, call);
    (void)timeout_ms;
    c->range = *range;
    c->range.span = direct_span(&c->arena, range->span);
}

void store_txn(struct store_client *client, struct store_call *call, const struct kv_txn *txn, unsigned timeout_ms)
{
    struct direct_call *c = direct_call_new(client, call);
    (void)timeout_ms;
    c->is_txn = true;
    c->txn = direct_txn(&c->arena, txn);
}

/* Further clients are this one, too; what they were made for is told by the endpoint. */
struct store_client *store_client_new(struct env *env, const struct store_client_options *o)
{
    struct direct *d = container_of(env, struct direct, env);
    (void)snprintf(d->dialled, sizeof d->dialled, "%s", o->endpoints[0]); /* fits */
    return (struct store_client *)d;
}

void store_client_close(struct store_client *c, void (*closed)(void *arg), void *arg)
{
    (void)c;
    closed(arg);
}

void store_member_list(struct store_client *client, struct store_call *call, bool serializable, unsigned timeout_ms)
{
    (void)serializable, (void)timeout_ms;
    direct_call_new(client, call)->is_members = true;
}

void store_status(struct store_client *client, struct store_call *call, unsigned timeout_ms)
{
    struct direct_call *c = direct_call_new(client, call);
    (void)timeout_ms;
    c->is_status = true;
    c->fails = c->d->silent != NULL && strcmp(c->d->silent, c->d->dialled) == 0;
}

void store_cancel(struct store_client *client, struct store_call *call)
{
    (void)client;
    if (call->impl != NULL)
        ((struct direct_call *)call->impl)->canceled = true;
}

static void direct_watch_stop(struct deferred *x)
{
    struct direct_watch *w = container_of(x, struct direct_watch, stop);
    struct store_watch *watch = w->watch;
    struct err why = {.code = w->stop_status};
    int status = w->stop_status;
    loop_undefer(&w->d->env.loop, &w->start);
    loop_undefer(&w->d->env.loop, &w->progress);
    list_remove(&w->link);
    arena_clear(&w->arena);
    mem_free(w);
    watch->on_closed(watch, status, 1, &why);
}

static void direct_watch_progress(struct deferred *x)
{
    struct direct_watch *w = container_of(x, struct direct_watch, progress);
    w->watch->on_progress(w->watch, mvcc_revision(w->d->mvcc));
}

/* Delivers what happened since the start revision, then live. */
static void direct_watch_begin(struct deferred *x)
{
    struct direct_watch *w = container_of(x, struct direct_watch, start);
    struct arena arena = {0};
    struct kv_event *events = NULL;
    size_t n = 0;
    int64_t next = 0, now = mvcc_revision(w->d->mvcc);
    if (w->next <= now &&
        mvcc_events(w->d->mvcc, &w->span, w->next, now, SIZE_MAX, &arena, &events, &n, &next, NULL) == 0) {
        for (size_t i = 0; i < n;) {
            size_t k = i;
            while (k < n && events[k].kv.mod_revision == events[i].kv.mod_revision)
                k++;
            w->watch->on_events(w->watch, events[i].kv.mod_revision, events + i, k - i);
            i = k;
        }
    }
    arena_clear(&arena);
    w->next = now + 1;
    list_push_back(&w->d->watches, &w->link);
    w->watch->on_progress(w->watch, now);
}

void store_watch_start(struct store_client *client, struct store_watch *watch, const struct store_watch_options *o)
{
    struct direct_watch *w = NEW(struct direct_watch);
    w->d = (struct direct *)client;
    w->watch = watch;
    watch->impl = w;
    w->span = direct_span(&w->arena, o->span);
    w->next = o->start_revision;
    list_init(&w->link);
    deferred_init(&w->start, direct_watch_begin);
    deferred_init(&w->progress, direct_watch_progress);
    deferred_init(&w->stop, direct_watch_stop);
    loop_defer(&w->d->env.loop, &w->start);
}

void store_watch_stop(struct store_client *client, struct store_watch *watch)
{
    struct direct_watch *w = watch->impl;
    (void)client;
    w->stop_status = ERR_CANCELED;
    loop_defer(&w->d->env.loop, &w->stop);
}

void store_watch_progress(struct store_client *client, struct store_watch *watch)
{
    struct direct_watch *w = watch->impl;
    (void)client;
    if (!list_empty(&w->link) && !w->d->mute)
        loop_defer(&w->d->env.loop, &w->progress);
}

UNUSED static void direct_compact_watches(struct direct *d)
{
    LIST_FOR_EACH(node, &d->watches)
    {
        struct direct_watch *w = container_of(node, struct direct_watch, link);
        w->stop_status = ERR_COMPACTED;
        loop_defer(&d->env.loop, &w->stop);
    }
}

#endif
