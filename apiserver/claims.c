/* Mends claims (claims.h): objects and the keys they hold are written together, so they differ only after a restore or
 * a hand in the store.
 *
 *   idle ──timer──▶ looking (all keys) ──findings──▶ mending (one conditional transaction) ──▶ telling (an event) ─┐
 *     ▲                                                ▲                                                           │
 *     └───────────────────── no more ──────────────────┴──────────────────────────── next ────────────────────────┘
 *
 * Every replica does so at its start and then now and then: a transaction has what was seen as its condition, so it is
 * safe beside writers and beside the other replicas. Who is told by an event hears of a thing that is so: that a key
 * was put, or that two objects of one state of the cache claim the same. */
#include "common/base.h"

#include "apiserver/claims.h"
#include "apiserver/request.h"
#include "common/clock.h"
#include "common/kube/event.h"
#include "common/mem.h"

#include <inttypes.h>

#define MENDS_MAX 1000 /* at one round; the next goes on */

/* A call of the store; outlives `repair` when the apiserver closes meanwhile. */
struct mend {
    struct store_call call;
    struct apiserver *api;
    struct deferred over;
};

struct repair {
    struct apiserver *api;
    struct timer timer;
    struct self_call call;
    struct mend *mend; /* under way, or NULL */
    struct map leaks;
    /* Of one round. */
    struct json_doc *doc;
    struct cached **list;
    struct claimer *objects;
    size_t object_count;
    struct claim_finding *findings;
    size_t finding_count, next;
};

static void round_release(struct repair *p)
{
    for (size_t i = 0; i < p->object_count; i++)
        cached_unref(p->list[i]);
    mem_free(p->list);
    mem_free(p->objects);
    mem_free(p->findings);
    json_doc_free(p->doc);
    p->list = NULL;
    p->objects = NULL;
    p->findings = NULL;
    p->doc = NULL;
    p->object_count = p->finding_count = p->next = 0;
}

static void round_over(struct repair *p)
{
    round_release(p);
    loop_timer_start(&p->api->env->loop, &p->timer, p->api->repair_ms);
}

static void mend_over(struct deferred *d)
{
    struct mend *m = container_of(d, struct mend, over);
    struct apiserver *a = m->api;
    a->ops_open--;
    mem_free(m);
    if (a->closing)
        loop_defer(&a->env->loop, &a->finish);
}

/* The call ended: false when nobody is there any more to hear of it. */
static bool mend_ended(struct store_call *call)
{
    struct mend *m = container_of(call, struct mend, call);
    loop_defer(&m->api->env->loop, &m->over);
    if (!m->api->closing)
        m->api->repair->mend = NULL;
    return !m->api->closing;
}

static struct store_call *mend_begin(struct repair *p, void (*done)(struct store_call *, int, const struct err *))
{
    struct mend *m = p->mend = NEW(struct mend);
    m->api = p->api;
    m->call.done = done;
    deferred_init(&m->over, mend_over);
    p->api->ops_open++;
    return &m->call;
}

static void finding_next(struct repair *p);

static void finding_done(struct repair *p)
{
    p->next++;
    finding_next(p);
}

static void repair_told(struct self_call *call, int status, struct slice body)
{
    struct repair *p = container_of(call, struct repair, call);
    if (status != 200 && status != 201)
        log_warn(p->api->env->log, "no event about a claim", "status=%d why=\"%.*s\"", status,
                 (int)MIN(body.size, (size_t)200), body.data);
    finding_done(p);
}

/* What reason, action and message say of a fault. */
static void describe(const struct claim_finding *f, struct buf *reason, struct buf *action, struct buf *message)
{
    const struct claim_range *range = f->claim.range;
    const char *value = f->claim.key + strlen(range->prefix);
    buf_printf(action, "%s%s", range->word, f->claim.state == CLAIM_NO_VALUE ? "Validation" : "Allocation");
    if (f->claim.state == CLAIM_NO_VALUE) {
        buf_printf(reason, "%sNotValid", range->word);
        buf_printf(message, "Cluster IP %s is not a valid IP; please recreate service", value);
    } else if (f->claim.state == CLAIM_OUTSIDE) {
        buf_printf(reason, "%sOutOfRange", range->word);
        buf_printf(message, "%s%s is not within %s; please recreate service", range->shown, value, range->outside);
    } else if (f->fault == CLAIM_TWICE) {
        buf_printf(reason, "%sAlreadyAllocated", range->word);
        buf_printf(message, "%s%s was assigned to multiple services; please recreate service", range->shown, value);
    } else {
        buf_printf(reason, "%sNotAllocated", range->word);
        buf_printf(message, "%s%s is not allocated; repairing", range->shown, value);
    }
}

/* One event for each object and thing that is wrong with it, counted: the rounds and replicas that find it name it
 * alike. */
static void count_event(struct repair *p, struct json_doc *d, struct json *event)
{
    struct json *meta = json_get(event, "metadata"), *before = NULL;
    struct buf name = {0}, key = {0};
    buf_printf(&name, "%.*s%.*s%.*s", SLICE_ARGS(json_string_at(event, "involvedObject.uid")),
               SLICE_ARGS(json_string_at(event, "reason")), SLICE_ARGS(json_string_at(event, "message")));
    uint64_t hash = hash_bytes(buf_slice(&name));
    buf_reset(&name);
    buf_printf(&name, "%.*s.%016" PRIx64, SLICE_ARGS(json_string_at(event, "involvedObject.name")), hash);
    json_set_string(d, meta, "name", buf_slice(&name));
    buf_printf(&key, "%.*s/%s", SLICE_ARGS(json_string_at(meta, "namespace")), name.data);
    const struct cached *o = watch_cache_get(p->api->caches[kinds_index(&kind_event)], buf_slice(&key));
    if (o != NULL && json_parse(d, bytes_slice(o->json), &before, NULL) == 0) {
        json_set_int(d, event, "count", json_int_at(before, "count", 0) + 1);
        json_set_string(d, event, "firstTimestamp", json_string_at(before, "firstTimestamp"));
    }
    buf_reset(&p->call.path);
    buf_printf(&p->call.path, "/api/v1/namespaces/%.*s/events/%s", SLICE_ARGS(json_string_at(meta, "namespace")),
               name.data);
    buf_release(&name);
    buf_release(&key);
}

static void tell(struct repair *p, const struct claim_finding *f)
{
    struct json_doc *d = json_doc_new();
    struct buf reason = {0}, action = {0}, message = {0};
    describe(f, &reason, &action, &message);
    log_warn(p->api->env->log, "claim of an object", "object=%.*s reason=%s message=\"%s\"",
             SLICE_ARGS(p->objects[f->object].key), reason.data, message.data);
    struct event_facts facts = {.component = f->claim.range->component,
                                .type = "Warning",
                                .reason = reason.data,
                                .message = message.data,
                                .wall_us = clock_wall_ms(&p->api->env->clock) * 1000};
    struct json *event = event_new(d, p->objects[f->object].tree, &facts);
    json_set_string(d, event, "action", buf_slice(&action));
    count_event(p, d, event);
    buf_reset(&p->call.body);
    json_print(event, &p->call.body);
    self_send(&p->call, "PUT");
    buf_release(&reason);
    buf_release(&action);
    buf_release(&message);
    json_doc_free(d);
}

static void mend_done(struct store_call *call, int status, const struct err *why)
{
    struct apiserver *a = container_of(call, struct mend, call)->api;
    if (!mend_ended(call))
        return;
    struct repair *p = a->repair;
    const struct claim_finding *f = &p->findings[p->next];
    if (status != 0) {
        log_warn(a->env->log, "claims were not mended", "why=\"%s\"", why == NULL ? err_text(status) : why->message);
        round_over(p);
        return;
    }
    if (!call->txn.succeeded) { /* it changed meanwhile */
        finding_done(p);
    } else if (f->fault == CLAIM_LEAKED) {
        log_warn(a->env->log, "the key of a claim that nobody makes was freed", "key=%s", f->claim.key);
        finding_done(p);
    } else {
        tell(p, f);
    }
}

/* Puts or deletes the key while it and the object are as they were seen: revision 0 is "absent". */
static void mend(struct repair *p, const struct claim_finding *f)
{
    struct apiserver *a = p->api;
    struct buf key = {0}, object = {0}, value = {0};
    bool leaked = f->fault == CLAIM_LEAKED, owned = f->object != SIZE_MAX;
    buf_printf(&key, CLAIM_KEYS "%s", f->claim.key);
    if (owned) {
        buf_printf(&object, "/registry/%s/%.*s", kind_service.storage_prefix, SLICE_ARGS(p->objects[f->object].key));
        claim_owner(p->objects[f->object].key, &value);
    }
    struct kv_compare compares[2] = {
        {.span = {buf_slice(&key), {NULL, 0}}, .target = KV_COMPARE_MOD, .result = KV_EQUAL, .number = f->key_revision},
        {.span = {buf_slice(&object), {NULL, 0}},
         .target = KV_COMPARE_MOD,
         .result = KV_EQUAL,
         .number = owned ? p->objects[f->object].revision : 0},
    };
    struct kv_op op =
        leaked ? (struct kv_op){.kind = KV_OP_DELETE, .delete = {.span = {buf_slice(&key), {NULL, 0}}}}
               : (struct kv_op){.kind = KV_OP_PUT, .put = {.key = buf_slice(&key), .value = buf_slice(&value)}};
    struct kv_txn txn = {compares, &op, NULL, owned ? 2 : 1, 1, 0};
    store_txn(a->store, mend_begin(p, mend_done), &txn, STORE_TIMEOUT_MS);
    buf_release(&key);
    buf_release(&object);
    buf_release(&value);
}

static void finding_next(struct repair *p)
{
    while (p->next < p->finding_count) {
        const struct claim_finding *f = &p->findings[p->next];
        if (f->fault == CLAIM_LEAKED && f->rounds < CLAIM_LEAK_ROUNDS) {
            log_warn(p->api->env->log, "key of a claim that nobody makes", "key=%s rounds=%zu", f->claim.key,
                     f->rounds);
            p->next++;
            continue;
        }
        if (f->fault == CLAIM_UNHELD || f->fault == CLAIM_LEAKED)
            mend(p, f);
        else
            tell(p, f);
        return;
    }
    round_over(p);
}

static void compare(struct repair *p, const struct kv_range_result *range)
{
    struct selection everything = {.namespace = {NULL, 0}};
    const struct kind *k = &kind_service;
    struct claim_key *keys = mem_alloc((range->kv_count + 1) * sizeof *keys);
    p->doc = json_doc_new();
    p->object_count = watch_cache_list(p->api->caches[kinds_index(k)], &everything, &p->list);
    p->objects = mem_alloc((p->object_count + 1) * sizeof *p->objects);
    for (size_t i = 0; i < p->object_count; i++) {
        struct json *tree = NULL;
        int code = json_parse(p->doc, bytes_slice(p->list[i]->json), &tree, NULL);
        ASSERT(code == 0); /* ingest has read it */
        p->objects[i] = (struct claimer){slice_str(p->list[i]->key), p->list[i]->revision, tree};
    }
    for (size_t i = 0; i < range->kv_count; i++)
        keys[i] = (struct claim_key){.key = slice_from(range->kvs[i].key, strlen(CLAIM_KEYS)),
                                     .value = range->kvs[i].value,
                                     .revision = range->kvs[i].mod_revision};
    p->findings = mem_alloc(MENDS_MAX * sizeof *p->findings);
    p->finding_count =
        claims_compare(k, p->objects, p->object_count, keys, range->kv_count, &p->leaks, p->findings, MENDS_MAX);
    mem_free(keys);
    finding_next(p);
}

static void look_done(struct store_call *call, int status, const struct err *why)
{
    struct apiserver *a = container_of(call, struct mend, call)->api;
    if (!mend_ended(call))
        return;
    if (status != 0) {
        log_warn(a->env->log, "claims were not compared with their objects", "why=\"%s\"",
                 why == NULL ? err_text(status) : why->message);
        round_over(a->repair);
    } else {
        compare(a->repair, &call->range);
    }
}

static void look(struct timer *t)
{
    struct repair *p = container_of(t, struct repair, timer);
    struct kv_range range = {.span = {SLICE(CLAIM_KEYS), SLICE(CLAIM_KEYS_END)}};
    store_range(p->api->store, mend_begin(p, look_done), &range, STORE_TIMEOUT_MS);
}

void claims_start(struct apiserver *a)
{
    struct repair *p = a->repair = NEW(struct repair);
    p->api = a;
    self_init(&p->call, a, repair_told);
    timer_init(&p->timer, look);
    loop_timer_start(&a->env->loop, &p->timer, 0);
}

void claims_stop(struct apiserver *a)
{
    if (a->repair == NULL)
        return;
    loop_timer_stop(&a->env->loop, &a->repair->timer);
    if (a->repair->mend != NULL)
        store_cancel(a->store, &a->repair->mend->call);
}

void claims_free(struct repair *p)
{
    if (p == NULL)
        return;
    round_release(p);
    map_release(&p->leaks);
    self_release(&p->call);
    mem_free(p);
}
