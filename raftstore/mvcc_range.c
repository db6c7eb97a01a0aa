/* Reading: spans, visibility at a revision, filters, order, limit. */
#include "common/base.h"

#include "raftstore/mvcc_internal.h"
#include "raftstore/store_errors.h"

#include <stdlib.h>

bool span_is_range(const struct kv_span *span) { return span->end.size != 0; }

/* An end of one zero byte means: no end. */
bool span_open_end(const struct kv_span *span) { return span->end.size == 1 && span->end.data[0] == '\0'; }

static bool before_end(const struct kv_span *span, struct slice key)
{
    if (!span_is_range(span))
        return slice_equal(key, span->key);
    return span_open_end(span) || slice_compare(key, span->end) < 0;
}

bool span_holds(const struct kv_span *span, struct slice key)
{
    return slice_compare(key, span->key) >= 0 && before_end(span, key);
}

int range_check(const struct kv_range *range, struct err *reterr)
{
    if (range->span.key.size == 0)
        return store_err(reterr, STORE_EMPTY_KEY, "range");
    if ((unsigned)range->order > KV_ORDER_DESCEND || (unsigned)range->sort > KV_SORT_VALUE)
        return store_err(reterr, STORE_SORT_INVALID, "order %d, target %d", (int)range->order, (int)range->sort);
    return 0;
}

int range_revision(const struct mvcc *m, int64_t revision, struct err *reterr)
{
    if (revision > m->revision)
        return store_err(reterr, STORE_FUTURE_REVISION, "%lld was asked for, and the newest is %lld",
                       (long long)revision, (long long)m->revision);
    if (revision > 0 && revision < m->compact_revision)
        return store_err(reterr, STORE_COMPACTED, "%lld was asked for, and the oldest readable is %lld",
                       (long long)revision, (long long)m->compact_revision);
    return 0;
}

static uint64_t live_count(const struct tree_node *root, const struct kv_span *span)
{
    if (!span_is_range(span)) {
        const struct version *v = tree_get(root, span->key);
        return v != NULL && version_live(v);
    }
    uint64_t end = span_open_end(span) ? tree_live(root) : tree_live_before(root, span->end);
    uint64_t begin = tree_live_before(root, span->key);
    return end > begin ? end - begin : 0;
}

static bool passes(const struct kv_range *r, const struct version *v)
{
    return (r->min_mod_revision == 0 || v->mod_revision >= r->min_mod_revision) &&
           (r->max_mod_revision == 0 || v->mod_revision <= r->max_mod_revision) &&
           (r->min_create_revision == 0 || version_create(v) >= r->min_create_revision) &&
           (r->max_create_revision == 0 || version_create(v) <= r->max_create_revision);
}

static bool filtered(const struct kv_range *r)
{
    return r->min_mod_revision != 0 || r->max_mod_revision != 0 || r->min_create_revision != 0 || r->max_create_revision != 0;
}

struct kv_vector {
    struct kv *kvs;
    size_t count, capacity;
};

static void vector_push(struct kv_vector *v, struct arena *arena, struct kv kv)
{
    if (v->count == v->capacity) {
        struct kv *old = v->kvs;
        v->capacity = v->capacity == 0 ? 4 : v->capacity * 2;
        v->kvs = arena_alloc(arena, v->capacity * sizeof v->kvs[0]);
        if (v->count != 0)
            memcpy(v->kvs, old, v->count * sizeof old[0]);
    }
    v->kvs[v->count++] = kv;
}

static int compare_numbers(int64_t a, int64_t b) { return (a > b) - (a < b); }

static int compare_kv(const void *left, const void *right, void *target)
{
    const struct kv *a = left, *b = right;
    int order = 0;
    switch (*(const enum kv_sort_target *)target) {
    case KV_SORT_KEY: break;
    case KV_SORT_VERSION: order = compare_numbers(a->version, b->version); break;
    case KV_SORT_CREATE: order = compare_numbers(a->create_revision, b->create_revision); break;
    case KV_SORT_MOD: order = compare_numbers(a->mod_revision, b->mod_revision); break;
    case KV_SORT_VALUE: order = slice_compare(a->value, b->value); break;
    }
    return order != 0 ? order : slice_compare(a->key, b->key);
}

static void sort_kvs(const struct kv_range *range, struct kv *kvs, size_t n)
{
    enum kv_sort_target target = range->sort;
    if (n < 2)
        return;
    if (target != KV_SORT_KEY)
        qsort_r(kvs, n, sizeof kvs[0], compare_kv, &target);
    for (size_t i = 0; range->order == KV_ORDER_DESCEND && i < n / 2; i++) {
        struct kv swap = kvs[i];
        kvs[i] = kvs[n - 1 - i];
        kvs[n - 1 - i] = swap;
    }
}

/* Collects up to `fetch` keys that pass and counts all of the span; at the newest revision the count costs nothing. */
static void collect(const struct tree_node *root, const struct kv_range *range, int64_t revision, uint64_t fetch, bool counted,
                    struct arena *arena, struct kv_vector *out, uint64_t *ret_count)
{
    bool newest = revision == INT64_MAX;
    struct tree_cursor c;
    const struct version *at;
    uint64_t seen = 0;
    for (tree_seek(root, range->span.key, &c); (at = tree_at(&c)) != NULL && before_end(&range->span, version_key(at)); tree_next(&c)) {
        if ((newest || !counted) && out->count == fetch)
            break;
        const struct version *v = version_at(at, revision);
        seen += v != NULL;
        if (v != NULL && out->count < fetch && passes(range, v))
            vector_push(out, arena, version_kv(v));
    }
    *ret_count = !counted ? 0 : newest ? live_count(root, &range->span) : seen;
}

static void read_root(const struct tree_node *root, const struct kv_range *range, int64_t revision, bool counted,
                      struct arena *arena, struct kv_range_result *ret)
{
    struct kv_vector found = {0};
    uint64_t limit = range->limit > 0 ? (uint64_t)range->limit : UINT64_MAX - 1, count;
    /* A limit counts after order and filters, so with those all keys are fetched; else one more than asked, to know `more`. */
    bool all = range->order != KV_ORDER_NONE || filtered(range);
    uint64_t fetch = range->count_only ? 0 : all ? UINT64_MAX : limit + 1;
    collect(root, range, revision, fetch, counted, arena, &found, &count);
    sort_kvs(range, found.kvs, found.count);
    *ret = (struct kv_range_result){.kvs = found.kvs, .count = (int64_t)count};
    ret->more = found.count > limit;
    ret->kv_count = (size_t)MIN((uint64_t)found.count, limit);
    for (size_t i = 0; range->keys_only && i < ret->kv_count; i++)
        ret->kvs[i].value = (struct slice){0};
}

void range_read(const struct tree_node *root, const struct kv_range *range, int64_t revision, struct arena *arena,
                struct kv_range_result *ret)
{
    read_root(root, range, revision, true, arena, ret);
}

int mvcc_range(struct mvcc *m, const struct kv_range *range, struct arena *arena, struct kv_range_result *ret, struct err *reterr)
{
    int status = range_check(range, reterr);
    if (status == 0)
        status = range_revision(m, range->revision, reterr);
    if (status != 0)
        return status;
    bool newest = range->revision <= 0 || range->revision == m->revision;
    range_read(m->tree.root, range, newest ? INT64_MAX : range->revision, arena, ret);
    return 0;
}

int mvcc_range_held(struct mvcc *m, const struct mvcc_hold *hold, const struct kv_range *range, struct arena *arena,
                    struct kv_range_result *ret, struct err *reterr)
{
    int status = range_check(range, reterr);
    if (status == 0)
        read_root(m->tree.root, range, hold->revision, false, arena, ret);
    return status;
}
