#include "common/base.h"

#include "tests/model/model.h"

#include "raftstore/store_limits.h"

#include <stdio.h>
#include <stdlib.h>

/* --- words --- */

static int by_bytes(const void *a, const void *b) { return slice_compare(*(const struct slice *)a, *(const struct slice *)b); }

/* "k" and up to two of four letters behind it, and three where the first is a zero byte: prefixes of each other, zero bytes and
 * the highest byte among them. */
void words_init(struct words *w)
{
    static const char letters[] = {'\0', '/', 'a', '\xff'};
    size_t n = 0;
    for (int length = 0; length <= 3; length++)
        for (int code = 0; code < 1 << 2 * length; code++) {
            char *text = w->key_bytes[n % MODEL_KEYS];
            if (length == 3 && (code & 3) != 0)
                continue;
            text[0] = 'k';
            for (int i = 0; i < length; i++)
                text[1 + i] = letters[code >> 2 * i & 3];
            w->keys[n] = slice_of(text, (size_t)length + 1);
            n++;
        }
    ASSERT(n == MODEL_KEYS);
    qsort(w->keys, MODEL_KEYS, sizeof w->keys[0], by_bytes);
    for (int i = 0; i < MODEL_VALUES; i++)
        w->values[i] = slice_of(w->value_bytes[i], (size_t)snprintf(w->value_bytes[i], MODEL_TEXT_MAX, "%.*d", i % 10, i));
}

void model_init(struct model *m, const struct words *words) { *m = (struct model){.words = words, .revision = 1}; }

void model_release(struct model *m)
{
    for (int i = 0; i < MODEL_KEYS; i++)
        mem_free(m->keys[i].versions);
    mem_free(m->events);
}

/* --- reading --- */

bool model_holds(const struct kv_span *span, struct slice key)
{
    if (span->end.size == 0)
        return slice_equal(span->key, key);
    if (slice_compare(key, span->key) < 0)
        return false;
    return (span->end.size == 1 && span->end.data[0] == '\0') || slice_compare(key, span->end) < 0;
}

/* What a reader at `revision` sees of a key; NULL: nothing. */
static const struct kv *seen_at(const struct model *m, int key, int64_t revision)
{
    const struct model_key *k = &m->keys[key];
    size_t n = k->count;
    while (n > 0 && k->versions[n - 1].kv.mod_revision > revision)
        n--;
    return n == 0 || k->versions[n - 1].kv.version == 0 ? NULL : &k->versions[n - 1].kv;
}

static bool within(int64_t number, int64_t min, int64_t max) { return (min == 0 || number >= min) && (max == 0 || number <= max); }

struct order {
    enum kv_sort_target target;
    bool down;
};

static int64_t sort_number(const struct kv *kv, enum kv_sort_target target)
{
    return target == KV_SORT_VERSION ? kv->version : target == KV_SORT_CREATE ? kv->create_revision
           : target == KV_SORT_MOD ? kv->mod_revision : 0;
}

static int by_order(const void *left, const void *right, void *arg)
{
    const struct kv *a = left, *b = right;
    const struct order *o = arg;
    int64_t x = sort_number(a, o->target), y = sort_number(b, o->target);
    int order = o->target == KV_SORT_VALUE ? slice_compare(a->value, b->value) : (x > y) - (x < y);
    order = order != 0 ? order : slice_compare(a->key, b->key); /* etcd leaves ties open; we do not */
    return o->down ? -order : order;
}

/* etcd fetches one key more than the limit when neither order nor filter is asked for, sorts what it has, then cuts. */
static void read_at(const struct model *m, const struct kv_range *r, int64_t revision, struct arena *arena, struct kv_range_result *ret)
{
    struct kv *kvs = arena_alloc(arena, MODEL_KEYS * sizeof kvs[0]);
    struct order order = {r->sort, r->order == KV_ORDER_DESCEND};
    bool all = r->order != KV_ORDER_NONE || r->min_mod_revision || r->max_mod_revision || r->min_create_revision || r->max_create_revision;
    size_t n = 0;
    *ret = (struct kv_range_result){.kvs = kvs};
    for (int i = 0; i < MODEL_KEYS; i++) {
        const struct kv *kv = model_holds(&r->span, m->words->keys[i]) ? seen_at(m, i, revision) : NULL;
        if (kv == NULL)
            continue;
        ret->count++;
        if (!r->count_only && (all || r->limit <= 0 || (int64_t)n <= r->limit) &&
            within(kv->mod_revision, r->min_mod_revision, r->max_mod_revision) &&
            within(kv->create_revision, r->min_create_revision, r->max_create_revision))
            kvs[n++] = *kv;
    }
    qsort_r(kvs, n, sizeof kvs[0], by_order, &order);
    ret->more = r->limit > 0 && (int64_t)n > r->limit;
    ret->kv_count = ret->more ? (size_t)r->limit : n;
    for (size_t i = 0; r->keys_only && i < ret->kv_count; i++)
        kvs[i].value = (struct slice){0};
}

static enum store_error revision_error(const struct model *m, int64_t revision)
{
    return revision > m->revision ? STORE_FUTURE_REVISION : revision > 0 && revision < m->compact ? STORE_COMPACTED : STORE_ERRORS;
}

enum store_error model_range(const struct model *m, const struct kv_range *r, struct arena *arena, struct kv_range_result *ret)
{
    enum store_error error = revision_error(m, r->revision);
    if (error == STORE_ERRORS)
        read_at(m, r, r->revision > 0 ? r->revision : INT64_MAX, arena, ret);
    return error;
}

struct kv_event model_event(const struct model *m, size_t i)
{
    const struct model_event *e = &m->events[i];
    const struct model_key *k = &m->keys[e->key];
    struct kv_event event = {.kv = k->versions[e->version].kv, .is_delete = k->versions[e->version].kv.version == 0};
    event.has_prev = e->version > 0 && k->versions[e->version - 1].kv.version > 0;
    if (event.has_prev)
        event.prev = k->versions[e->version - 1].kv;
    return event;
}

/* --- writing --- */

static void push(struct model *m, int key, struct kv kv)
{
    struct model_key *k = &m->keys[key];
    if (k->count == k->capacity) {
        k->capacity = MAX((size_t)16, k->capacity * 2);
        k->versions = mem_realloc(k->versions, k->capacity * sizeof k->versions[0]);
    }
    if (m->event_count == m->event_capacity) {
        m->event_capacity = MAX((size_t)64, m->event_capacity * 2);
        m->events = mem_realloc(m->events, m->event_capacity * sizeof m->events[0]);
    }
    kv.key = m->words->keys[key];
    m->events[m->event_count++] = (struct model_event){key, k->count};
    k->versions[k->count++].kv = kv;
}

static int key_index(const struct model *m, struct slice key)
{
    for (int i = 0; i < MODEL_KEYS; i++)
        if (slice_equal(m->words->keys[i], key))
            return i;
    PANIC("the model has no such key");
}

struct writes {
    uint64_t puts, deletes; /* a bit per key */
    bool conflict;
};

/* What a list of operations may write, whichever branches are taken; a conflict is two writes that can run together. */
static struct writes writes_of(const struct model *m, const struct kv_op *ops, size_t n)
{
    struct writes all = {0};
    for (size_t i = 0; i < n; i++) {
        struct writes one = {0};
        if (ops[i].kind == KV_OP_PUT)
            one.puts = 1ull << key_index(m, ops[i].put.key);
        for (int k = 0; ops[i].kind == KV_OP_DELETE && k < MODEL_KEYS; k++)
            one.deletes |= (uint64_t)model_holds(&ops[i].delete.span, m->words->keys[k]) << k;
        if (ops[i].kind == KV_OP_TXN) {
            struct writes yes = writes_of(m, ops[i].txn.success, ops[i].txn.success_count);
            struct writes no = writes_of(m, ops[i].txn.failure, ops[i].txn.failure_count);
            one = (struct writes){yes.puts | no.puts, yes.deletes | no.deletes, yes.conflict || no.conflict};
        }
        all.conflict |= one.conflict || (all.puts & (one.puts | one.deletes)) || (all.deletes & one.puts);
        all.puts |= one.puts;
        all.deletes |= one.deletes;
    }
    return all;
}

static bool one_holds(const struct kv_compare *c, const struct kv *kv)
{
    struct kv none = {0};
    if (c->target == KV_COMPARE_VALUE && kv == NULL)
        return false;
    kv = kv == NULL ? &none : kv;
    int64_t number = c->target == KV_COMPARE_VERSION  ? kv->version
                     : c->target == KV_COMPARE_CREATE ? kv->create_revision
                     : c->target == KV_COMPARE_MOD    ? kv->mod_revision
                                                      : kv->lease;
    int order = c->target == KV_COMPARE_VALUE ? slice_compare(kv->value, c->value) : (number > c->number) - (number < c->number);
    return c->result == KV_EQUAL ? order == 0 : c->result == KV_GREATER ? order > 0 : c->result == KV_LESS ? order < 0 : order != 0;
}

static bool compare_holds(const struct model *m, const struct kv_compare *c)
{
    bool any = false;
    for (int i = 0; i < MODEL_KEYS; i++) {
        const struct kv *kv = model_holds(&c->span, m->words->keys[i]) ? seen_at(m, i, INT64_MAX) : NULL;
        any |= kv != NULL;
        if (kv != NULL && !one_holds(c, kv))
            return false;
    }
    return any || one_holds(c, NULL);
}

/* Which way each transaction of the path goes, judged on the state before all of it, and whether all of the path can run. */
struct path {
    bool taken[KV_TXN_OPS_TOTAL_MAX];
    size_t count, at;
};

static enum store_error op_error(const struct model *m, const struct kv_op *op)
{
    if (op->kind == KV_OP_RANGE)
        return revision_error(m, op->range.revision);
    if (op->kind != KV_OP_PUT)
        return STORE_ERRORS;
    if (op->put.lease != 0 && (op->put.lease > MODEL_LEASES || !m->leases[op->put.lease].there))
        return STORE_LEASE_NOT_FOUND;
    bool old_wanted = op->put.ignore_value || op->put.ignore_lease;
    return old_wanted && seen_at(m, key_index(m, op->put.key), INT64_MAX) == NULL ? STORE_KEY_NOT_FOUND : STORE_ERRORS;
}

static enum store_error choose(const struct model *m, const struct kv_txn *t, struct path *path)
{
    bool yes = true;
    for (size_t i = 0; i < t->compare_count; i++)
        yes = yes && compare_holds(m, &t->compares[i]);
    path->taken[path->count++] = yes;
    enum store_error error = STORE_ERRORS;
    for (size_t i = 0; error == STORE_ERRORS && i < (yes ? t->success_count : t->failure_count); i++) {
        const struct kv_op *op = yes ? &t->success[i] : &t->failure[i];
        error = op->kind == KV_OP_TXN ? choose(m, &op->txn, path) : op_error(m, op);
    }
    return error;
}

static void do_put(struct model *m, const struct kv_put *put, struct kv_op_result *ret)
{
    int key = key_index(m, put->key);
    const struct kv *old = seen_at(m, key, INT64_MAX);
    ret->put.has_prev = put->prev_kv && old != NULL;
    if (ret->put.has_prev)
        ret->put.prev = *old;
    struct kv now = {.value = put->ignore_value ? old->value : put->value, .lease = put->ignore_lease ? old->lease : put->lease,
                     .mod_revision = m->revision + 1, .create_revision = old == NULL ? m->revision + 1 : old->create_revision,
                     .version = old == NULL ? 1 : old->version + 1};
    push(m, key, now);
}

static void do_delete(struct model *m, const struct kv_delete *d, struct arena *arena, struct kv_op_result *ret)
{
    ret->delete.prevs = arena_alloc(arena, MODEL_KEYS * sizeof ret->delete.prevs[0]);
    ret->delete.prev_count = 0;
    ret->delete.deleted = 0;
    for (int i = 0; i < MODEL_KEYS; i++) {
        const struct kv *old = model_holds(&d->span, m->words->keys[i]) ? seen_at(m, i, INT64_MAX) : NULL;
        if (old == NULL)
            continue;
        if (d->prev_kv)
            ret->delete.prevs[ret->delete.prev_count++] = *old;
        ret->delete.deleted++;
        push(m, i, (struct kv){.mod_revision = m->revision + 1});
    }
}

static void run(struct model *m, const struct kv_txn *t, struct path *path, struct arena *arena, struct kv_txn_result *ret)
{
    ret->succeeded = path->taken[path->at++];
    ret->result_count = ret->succeeded ? t->success_count : t->failure_count;
    ret->results = arena_alloc(arena, ret->result_count * sizeof ret->results[0]);
    for (size_t i = 0; i < ret->result_count; i++) {
        const struct kv_op *op = ret->succeeded ? &t->success[i] : &t->failure[i];
        struct kv_op_result *r = &ret->results[i];
        *r = (struct kv_op_result){.kind = op->kind};
        switch (op->kind) {
        case KV_OP_RANGE: read_at(m, &op->range, op->range.revision > 0 ? op->range.revision : INT64_MAX, arena, &r->range); break;
        case KV_OP_PUT: do_put(m, &op->put, r); break;
        case KV_OP_DELETE: do_delete(m, &op->delete, arena, r); break;
        case KV_OP_TXN: run(m, &op->txn, path, arena, &r->txn); break;
        }
    }
}

enum store_error model_txn(struct model *m, const struct kv_txn *t, struct arena *arena, struct kv_txn_result *ret)
{
    struct kv_op whole = {.kind = KV_OP_TXN, .txn = *t};
    struct path path = {.count = 0};
    size_t before = m->event_count;
    if (writes_of(m, &whole, 1).conflict)
        return STORE_DUPLICATE_KEY;
    enum store_error error = choose(m, t, &path);
    if (error != STORE_ERRORS)
        return error;
    run(m, t, &path, arena, ret);
    m->revision += m->event_count > before;
    return STORE_ERRORS;
}

enum store_error model_compact(struct model *m, int64_t revision)
{
    if (revision > m->revision)
        return STORE_FUTURE_REVISION;
    if (revision <= m->compact)
        return STORE_COMPACTED;
    m->compact = revision;
    return STORE_ERRORS;
}

/* --- leases --- */

enum store_error model_grant(struct model *m, int64_t id, int64_t ttl_s)
{
    if (ttl_s < 1)
        return STORE_TTL_ZERO;
    if (ttl_s > LEASE_TTL_MAX_S)
        return STORE_LEASE_TTL_TOO_LARGE;
    if (m->leases[id].there)
        return STORE_LEASE_EXISTS;
    m->leases[id] = (struct model_lease){true, (uint64_t)ttl_s * 1000, m->now_ms + (uint64_t)ttl_s * 1000};
    return STORE_ERRORS;
}

enum store_error model_revoke(struct model *m, int64_t id)
{
    size_t before = m->event_count;
    if (!m->leases[id].there)
        return STORE_LEASE_NOT_FOUND;
    for (int i = 0; i < MODEL_KEYS; i++) {
        const struct kv *kv = seen_at(m, i, INT64_MAX);
        if (kv != NULL && kv->lease == id)
            push(m, i, (struct kv){.mod_revision = m->revision + 1});
    }
    m->revision += m->event_count > before;
    m->leases[id].there = false;
    return STORE_ERRORS;
}

void model_expire(struct model *m, int64_t id)
{
    if (m->leases[id].there && m->leases[id].expires_ms <= m->now_ms)
        (void)model_revoke(m, id); /* is there */
}

bool model_renew(struct model *m, int64_t id)
{
    if (m->leases[id].there)
        m->leases[id].expires_ms = m->now_ms + m->leases[id].ttl_ms;
    return m->leases[id].there;
}
