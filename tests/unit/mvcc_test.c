/* The store against a model that keeps everything it was ever told in one ordered array, and against stated edges. */
#include "tests/test.h"

#include "common/random.h"
#include "raftstore/mvcc.h"
#include "raftstore/mvcc_internal.h"

#include <stdio.h>

#define MODEL_KEYS 48
#define MODEL_VERSIONS_MAX 60000

struct model_version {
    int key;
    int64_t mod, create, number, lease; /* number 0: deleted */
    int value;
};

struct model {
    struct model_version versions[MODEL_VERSIONS_MAX]; /* in order of (revision, sub) */
    size_t count;
    int64_t revision, compact;
    struct prng prng;
};

static char key_texts[MODEL_KEYS + 1][16]; /* sorted; filled once, constant afterwards */
static char value_texts[512][16];

static void fill_texts(void)
{
    for (int i = 0; i <= MODEL_KEYS; i++)
        snprintf(key_texts[i], sizeof key_texts[i], i % 3 == 0 ? "/k/%02d" : "/k/%02d/x", i);
    for (int i = 0; i < 512; i++)
        snprintf(value_texts[i], sizeof value_texts[i], "v%0*d", i % 9 + 1, i);
}

static struct slice key_of(int i) { return slice_str(key_texts[i]); }
static struct slice value_of(int i) { return slice_str(value_texts[i]); }
static uint64_t below(struct model *m, uint64_t n) { return prng_next(&m->prng) % n; }

/* What a reader at `revision` sees of `key`; NULL: nothing. `end` limits to the first versions of the array. */
static const struct model_version *model_get(const struct model *m, int key, int64_t revision, size_t end)
{
    for (size_t i = end; i-- > 0;)
        if (m->versions[i].key == key && m->versions[i].mod <= revision)
            return m->versions[i].number == 0 ? NULL : &m->versions[i];
    return NULL;
}

static bool same_kv(const struct kv *kv, const struct model_version *v)
{
    return slice_equal(kv->key, key_of(v->key)) && slice_equal(kv->value, value_of(v->value)) && kv->mod_revision == v->mod &&
           kv->create_revision == v->create && kv->version == v->number && kv->lease == v->lease;
}

/* A random span; [*first, *end) are the keys in it. */
static struct kv_span random_span(struct model *m, int *first, int *end)
{
    *first = (int)below(m, MODEL_KEYS);
    *end = *first + 1;
    if (below(m, 2) == 0)
        return (struct kv_span){.key = key_of(*first)};
    if (below(m, 4) == 0) {
        *end = MODEL_KEYS;
        return (struct kv_span){key_of(*first), slice_of("\0", 1)};
    }
    int to = (int)below(m, MODEL_KEYS + 1);
    *end = to;
    return (struct kv_span){key_of(*first), key_of(to)};
}

static int64_t random_revision(struct model *m)
{
    return below(m, 2) == 0 ? 0 : (int64_t)below(m, (uint64_t)m->revision + 3);
}

static void check_range(struct model *model, struct mvcc *m)
{
    int first, end;
    struct kv_range range = {.span = random_span(model, &first, &end), .revision = random_revision(model)};
    struct arena arena = {0};
    struct kv_range_result got;
    range.limit = below(model, 2) ? (int64_t)below(model, 6) : 0;
    range.order = below(model, 4) == 0 ? KV_ORDER_DESCEND : below(model, 4) == 0 ? KV_ORDER_ASCEND : KV_ORDER_NONE;
    range.min_mod_revision = below(model, 6) == 0 ? (int64_t)below(model, (uint64_t)model->revision) : 0;
    int status = mvcc_range(m, &range, &arena, &got, NULL);
    int64_t at = range.revision == 0 ? model->revision : range.revision;
    assert_int_equal(status, at > model->revision ? ERR_FUTURE_REVISION : at < model->compact ? ERR_COMPACTED : 0);
    const struct model_version *want[MODEL_KEYS];
    size_t n = 0, count = 0;
    for (int k = first; status == 0 && k < end; k++) {
        const struct model_version *v = model_get(model, k, at, model->count);
        count += v != NULL;
        if (v != NULL && v->mod >= range.min_mod_revision)
            want[n++] = v;
    }
    if (status == 0) {
        size_t limited = range.limit > 0 ? MIN(n, (size_t)range.limit) : n;
        assert_int_equal(got.count, count);
        assert_int_equal(got.kv_count, limited);
        assert_int_equal(got.more, n > limited);
        for (size_t i = 0; i < limited; i++)
            assert_true(same_kv(&got.kvs[i], want[range.order == KV_ORDER_DESCEND ? n - 1 - i : i]));
    }
    arena_clear(&arena);
}

static void model_put(struct model *model, int key, int value, int64_t lease, int64_t revision)
{
    const struct model_version *old = model_get(model, key, INT64_MAX, model->count);
    struct model_version now = {key, revision, old ? old->create : revision, old ? old->number + 1 : 1, lease, value};
    assert_true(model->count < MODEL_VERSIONS_MAX);
    model->versions[model->count++] = now;
}

static size_t model_delete(struct model *model, int first, int end, int64_t revision)
{
    size_t n = 0, count = model->count;
    for (int k = first; k < end; k++) {
        if (model_get(model, k, INT64_MAX, count) == NULL)
            continue;
        model->versions[model->count++] = (struct model_version){.key = k, .mod = revision};
        n++;
    }
    return n;
}

static void check_event(const struct model *model, const struct kv_event *e, size_t i)
{
    const struct model_version *v = &model->versions[i], *before = model_get(model, v->key, INT64_MAX, i);
    assert_true(slice_equal(e->kv.key, key_of(v->key)));
    assert_int_equal(e->kv.mod_revision, v->mod);
    assert_int_equal(e->is_delete, v->number == 0);
    assert_true(v->number == 0 || same_kv(&e->kv, v));
    assert_int_equal(e->has_prev, before != NULL);
    assert_true(before == NULL || same_kv(&e->prev, before));
}

static bool compare_model(const struct kv_compare *c, const struct model_version *v)
{
    int64_t number = v == NULL ? 0 : c->target == KV_COMPARE_MOD ? v->mod : c->target == KV_COMPARE_CREATE ? v->create
                   : c->target == KV_COMPARE_LEASE ? v->lease : v->number;
    int order = c->target == KV_COMPARE_VALUE ? (v == NULL ? 0 : slice_compare(value_of(v->value), c->value))
                                              : (number > c->number) - (number < c->number);
    if (c->target == KV_COMPARE_VALUE && v == NULL)
        return false;
    return c->result == KV_EQUAL ? order == 0 : c->result == KV_NOT_EQUAL ? order != 0
         : c->result == KV_LESS ? order < 0 : order > 0;
}

static bool random_compare(struct model *model, struct kv_compare *c)
{
    int first, end;
    bool holds = true, any = false;
    *c = (struct kv_compare){.span = random_span(model, &first, &end), .target = (enum kv_compare_target)below(model, 5),
                             .result = (enum kv_compare_result)below(model, 4)};
    c->number = c->target == KV_COMPARE_VERSION ? (int64_t)below(model, 3) : (int64_t)below(model, (uint64_t)model->revision + 1);
    c->value = value_of((int)below(model, 512));
    for (int k = first; k < end; k++) {
        const struct model_version *v = model_get(model, k, INT64_MAX, model->count);
        any |= v != NULL;
        holds &= v == NULL || compare_model(c, v);
    }
    return any ? holds : compare_model(c, NULL);
}

/* A transaction of up to four operations on distinct parts of the key space, the second half in a nested one. */
static void check_txn(struct model *model, struct mvcc *m)
{
    struct kv_compare compare;
    struct kv_op ops[4] = {0}, outer;
    struct arena arena = {0};
    struct kv_txn_result got;
    const struct kv_event *events;
    size_t event_count, n = 1 + below(model, 4), before = model->count;
    bool success = random_compare(model, &compare);
    int64_t revision = model->revision + 1;
    size_t deleted[4] = {0};
    for (size_t i = 0; i < n; i++) {
        int base = (int)(i * MODEL_KEYS / 4), key = base + (int)below(model, MODEL_KEYS / 4);
        if (below(model, 3) > 0) {
            int value = (int)below(model, 512);
            ops[i].kind = KV_OP_PUT;
            ops[i].put = (struct kv_put){.key = key_of(key), .value = value_of(value), .lease = (int64_t)below(model, 2) * 77,
                                         .prev_kv = true};
            model_put(model, key, value, ops[i].put.lease, revision);
        } else {
            int wide = (int)below(model, 4), end = MIN(key + wide, base + MODEL_KEYS / 4);
            ops[i].kind = KV_OP_DELETE;
            ops[i].delete = (struct kv_delete){.span = {key_of(key), key_of(end)}, .prev_kv = true};
            deleted[i] = model_delete(model, key, end, revision);
        }
    }
    struct kv_txn txn = {.compares = &compare, .compare_count = 1};
    if (success)
        txn.success = ops, txn.success_count = n;
    else
        txn.failure = ops, txn.failure_count = n;
    outer = (struct kv_op){.kind = KV_OP_TXN, .txn = txn};
    struct kv_txn nested = {.success = &outer, .success_count = 1};
    bool nest = below(model, 3) == 0;
    assert_ok(mvcc_apply(m, nest ? &nested : &txn, &arena, &got, &events, &event_count, NULL));
    const struct kv_txn_result *inner = nest ? &got.results[0].txn : &got;
    assert_int_equal(inner->succeeded, success);
    assert_int_equal(inner->result_count, n);
    for (size_t i = 0; i < n; i++)
        assert_true(ops[i].kind != KV_OP_DELETE || (size_t)inner->results[i].delete.deleted == deleted[i]);
    assert_int_equal(event_count, model->count - before);
    for (size_t i = 0; i < event_count; i++)
        check_event(model, &events[i], before + i);
    if (event_count > 0)
        model->revision = revision;
    assert_int_equal(mvcc_revision(m), model->revision);
    arena_clear(&arena);
}

static void check_events(struct model *model, struct mvcc *m)
{
    int first, end;
    struct kv_span span = random_span(model, &first, &end);
    int64_t from = (int64_t)below(model, (uint64_t)model->revision + 1), next;
    struct kv_event *events;
    size_t n, bytes = below(model, 2) ? 200 : 1u << 20;
    struct arena arena = {0};
    int status = mvcc_events(m, &span, from, model->revision, bytes, &arena, &events, &n, &next, NULL);
    assert_int_equal(status, from < model->compact ? ERR_COMPACTED : 0);
    size_t at = 0;
    for (size_t i = 0; status == 0 && i < model->count; i++) {
        const struct model_version *v = &model->versions[i];
        if (v->mod < from || v->mod >= next || v->key < first || v->key >= end)
            continue;
        assert_true(at < n);
        if (v->mod != model->compact || events[at].has_prev) /* else what it replaced may be gone */
            check_event(model, &events[at], i);
        at++;
    }
    if (status == 0)
        assert_int_equal(at, n);
    arena_clear(&arena);
}

static struct mvcc *copy_of(struct mvcc_pin *pin)
{
    struct mvcc *copy = mvcc_new();
    bool last = false;
    while (!last) {
        struct buf piece = {0};
        mvcc_pin_read(pin, 700, &piece, &last);
        assert_ok(mvcc_restore(copy, buf_slice(&piece), NULL));
        buf_release(&piece);
    }
    assert_ok(mvcc_restore_end(copy, NULL));
    return copy;
}

static void check_compact(struct model *model, struct mvcc *m)
{
    int64_t revision = (int64_t)below(model, (uint64_t)model->revision + 2);
    int status = mvcc_compact(m, revision, NULL);
    assert_int_equal(status, revision > model->revision ? ERR_FUTURE_REVISION : revision <= model->compact ? ERR_COMPACTED : 0);
    if (status == 0)
        model->compact = revision;
}

static void run_model(uint64_t seed, int steps)
{
    struct model *model = mem_zalloc(sizeof *model);
    struct mvcc *m = mvcc_new();
    struct mvcc_pin *pin = NULL;
    uint64_t pin_hash = 0;
    model->revision = 1;
    prng_seed(&model->prng, seed);
    fill_texts();
    for (int i = 0; i < steps; i++) {
        check_txn(model, m);
        check_range(model, m);
        if (below(model, 8) == 0)
            check_events(model, m);
        if (below(model, 60) == 0)
            check_compact(model, m);
        mvcc_compact_step(m, below(model, 5));
        if (pin == NULL && below(model, 40) == 0) {
            pin = mvcc_pin(m);
            pin_hash = mvcc_hash(m);
        } else if (pin != NULL && below(model, 20) == 0) {
            struct mvcc *copy = copy_of(pin);
            assert_true(mvcc_hash(copy) == pin_hash);
            mvcc_free(copy);
            mvcc_unpin(m, pin);
            pin = NULL;
        }
        if (i % 64 == 0)
            tree_check(&m->tree);
    }
    if (pin != NULL)
        mvcc_unpin(m, pin);
    pin = mvcc_pin(m);
    struct mvcc *copy = copy_of(pin);
    mvcc_unpin(m, pin);
    for (int i = 0; i < 200; i++) {
        check_range(model, copy);
        check_events(model, copy);
    }
    mvcc_free(copy);
    mvcc_free(m);
    mem_free(model);
}

static void model_seeds(void **state UNUSED)
{
    for (uint64_t seed = 1; seed <= 12; seed++)
        run_model(seed, 2500);
}

static struct slice number_key(char text[32], uint64_t i)
{
    return slice_of(text, (size_t)snprintf(text, 32, "/registry/pods/default/%06llu", (unsigned long long)i));
}

static void put_one(struct mvcc *m, struct slice key, struct slice value)
{
    struct kv_op op = {.kind = KV_OP_PUT, .put = {.key = key, .value = value}};
    struct kv_txn txn = {.success = &op, .success_count = 1};
    struct arena arena = {0};
    struct kv_txn_result result;
    const struct kv_event *events;
    size_t n;
    assert_ok(mvcc_apply(m, &txn, &arena, &result, &events, &n, NULL));
    arena_clear(&arena);
}

static void delete_span(struct mvcc *m, struct kv_span span)
{
    struct kv_op op = {.kind = KV_OP_DELETE, .delete = {.span = span}};
    struct kv_txn txn = {.success = &op, .success_count = 1};
    struct arena arena = {0};
    struct kv_txn_result result;
    const struct kv_event *events;
    size_t n;
    assert_ok(mvcc_apply(m, &txn, &arena, &result, &events, &n, NULL));
    arena_clear(&arena);
}

static int64_t count_all(struct mvcc *m)
{
    struct kv_range all = {.span = {slice_of("\0", 1), slice_of("\0", 1)}, .count_only = true};
    struct arena arena = {0};
    struct kv_range_result r;
    assert_ok(mvcc_range(m, &all, &arena, &r, NULL));
    assert_int_equal(r.kv_count, 0);
    arena_clear(&arena);
    return r.count;
}

/* Many keys in, all out again: the tree grows and shrinks to nothing, under a pin and without. */
static void grow_and_shrink(void **state UNUSED)
{
    for (int pinned = 0; pinned < 2; pinned++) {
        struct mvcc *m = mvcc_new();
        char text[32];
        for (uint64_t i = 0; i < 20000; i++) {
            uint64_t k = pinned ? i : i * 7919 % 20000;
            put_one(m, number_key(text, k), SLICE("0123456789"));
        }
        tree_check(&m->tree);
        assert_int_equal(count_all(m), 20000);
        struct mvcc_pin *pin = pinned ? mvcc_pin(m) : NULL;
        uint64_t hash = mvcc_hash(m);
        for (uint64_t i = 0; i < 20000; i += 1000) {
            char from[32], to[32];
            delete_span(m, (struct kv_span){number_key(from, i), number_key(to, i + 999)});
        }
        assert_int_equal(count_all(m), 20);
        assert_ok(mvcc_compact(m, mvcc_revision(m), NULL));
        if (pinned) {
            struct mvcc *copy = copy_of(pin);
            assert_false(mvcc_compact_step(m, 1000));
            assert_true(mvcc_hash(copy) == hash);
            mvcc_free(copy);
            mvcc_unpin(m, pin);
        }
        while (mvcc_compact_step(m, 100))
            ;
        tree_check(&m->tree);
        delete_span(m, (struct kv_span){slice_of("\0", 1), slice_of("\0", 1)});
        put_one(m, SLICE("last"), SLICE(""));
        assert_ok(mvcc_compact(m, mvcc_revision(m), NULL));
        while (mvcc_compact_step(m, 100))
            ;
        tree_check(&m->tree);
        assert_int_equal(m->tree.key_count, 1);
        assert_true(mvcc_bytes(m) < 40000);
        mvcc_free(m);
    }
}

static int check_ops(const struct kv_op *ops, size_t n)
{
    struct kv_txn txn = {.success = ops, .success_count = n};
    struct err err;
    return mvcc_check(&txn, &err);
}

static struct kv_op put_op(const char *key) { return (struct kv_op){.kind = KV_OP_PUT, .put = {.key = slice_str(key)}}; }

static void refusals(void **state UNUSED)
{
    struct kv_op twice[] = {put_op("a"), put_op("a")}, apart[] = {put_op("a"), put_op("b")};
    struct kv_op covered[] = {put_op("b"), {.kind = KV_OP_DELETE, .delete = {.span = {SLICE("a"), SLICE("c")}}}};
    struct kv_op deletes[] = {covered[1], covered[1]}, empty[] = {put_op("")}, many[KV_TXN_OPS_MAX + 1] = {0};
    struct kv_op nested = {.kind = KV_OP_TXN, .txn = {.success = twice, .success_count = 1, .failure = twice + 1, .failure_count = 1}};
    struct kv_op around[] = {nested, put_op("a")};
    assert_int_equal(check_ops(twice, 2), ERR_INVALID);
    assert_ok(check_ops(apart, 2));
    assert_int_equal(check_ops(covered, 2), ERR_INVALID);
    assert_ok(check_ops(deletes, 2));
    assert_int_equal(check_ops(empty, 1), ERR_INVALID);
    assert_ok(check_ops(&nested, 1)); /* the two branches never run together */
    assert_int_equal(check_ops(around, 2), ERR_INVALID);
    assert_int_equal(check_ops(many, ARRAY_LEN(many)), ERR_INVALID);
    struct kv_op value = put_op("a"), lease = put_op("a");
    value.put.ignore_value = lease.put.ignore_lease = true;
    value.put.value = SLICE("x");
    lease.put.lease = 1;
    assert_int_equal(check_ops(&value, 1), ERR_INVALID);
    assert_int_equal(check_ops(&lease, 1), ERR_INVALID);
}

/* A transaction that cannot run whole changes nothing; ignore_value needs the key. */
static void all_or_nothing(void **state UNUSED)
{
    struct mvcc *m = mvcc_new();
    struct kv_op ops[] = {put_op("a"), put_op("b")};
    struct arena arena = {0};
    struct kv_txn_result result;
    const struct kv_event *events;
    size_t n;
    struct err err;
    ops[1].put.ignore_value = true;
    struct kv_txn txn = {.success = ops, .success_count = 2};
    assert_int_equal(mvcc_apply(m, &txn, &arena, &result, &events, &n, &err), ERR_NOT_FOUND);
    ops[1] = (struct kv_op){.kind = KV_OP_RANGE, .range = {.span = {.key = SLICE("a")}, .revision = 99}};
    assert_int_equal(mvcc_apply(m, &txn, &arena, &result, &events, &n, &err), ERR_FUTURE_REVISION);
    assert_int_equal(mvcc_revision(m), 1);
    assert_int_equal(count_all(m), 0);
    ops[0].put.value = SLICE("1");
    ops[0].put.lease = 5;
    ops[1].range.revision = 0;
    assert_ok(mvcc_apply(m, &txn, &arena, &result, &events, &n, NULL));
    assert_int_equal(result.results[1].range.kv_count, 1); /* the range sees the put before it */
    assert_int_equal(mvcc_revision(m), 2);
    ops[0].put = (struct kv_put){.key = SLICE("a"), .ignore_value = true, .prev_kv = true};
    assert_ok(mvcc_apply(m, &txn, &arena, &result, &events, &n, NULL));
    assert_true(result.results[0].put.has_prev && result.results[0].put.prev.lease == 5);
    assert_slice_equal(result.results[1].range.kvs[0].value, "1");
    assert_int_equal(result.results[1].range.kvs[0].lease, 0);
    assert_int_equal(result.results[1].range.kvs[0].version, 2);
    arena_clear(&arena);
    mvcc_free(m);
}

static void sorting(void **state UNUSED)
{
    struct mvcc *m = mvcc_new();
    struct arena arena = {0};
    struct kv_range_result r;
    put_one(m, SLICE("a"), SLICE("3"));
    put_one(m, SLICE("b"), SLICE("1"));
    put_one(m, SLICE("c"), SLICE("2"));
    put_one(m, SLICE("a"), SLICE("3"));
    struct kv_range range = {.span = {SLICE("a"), SLICE("z")}, .order = KV_ORDER_DESCEND, .sort = KV_SORT_VALUE, .limit = 2};
    assert_ok(mvcc_range(m, &range, &arena, &r, NULL));
    assert_true(r.kv_count == 2 && r.more && r.count == 3);
    assert_slice_equal(r.kvs[0].key, "a");
    assert_slice_equal(r.kvs[1].key, "c");
    range.sort = KV_SORT_MOD;
    range.order = KV_ORDER_ASCEND;
    range.keys_only = true;
    assert_ok(mvcc_range(m, &range, &arena, &r, NULL));
    assert_slice_equal(r.kvs[0].key, "b");
    assert_int_equal(r.kvs[0].value.size, 0);
    range.sort = (enum kv_sort_target)9;
    assert_int_equal(mvcc_range(m, &range, &arena, &r, NULL), ERR_INVALID);
    arena_clear(&arena);
    mvcc_free(m);
}

/* A held revision stays readable over a compaction; memory goes after the hold. */
static void holds(void **state UNUSED)
{
    struct mvcc *m = mvcc_new();
    struct mvcc_hold hold;
    struct arena arena = {0};
    struct kv_range_result r;
    struct kv_range range = {.span = {.key = SLICE("a")}};
    put_one(m, SLICE("a"), SLICE("old"));
    assert_true(mvcc_hold(m, mvcc_revision(m), &hold));
    put_one(m, SLICE("a"), SLICE("new"));
    put_one(m, SLICE("a"), SLICE("newest"));
    assert_ok(mvcc_compact(m, mvcc_revision(m), NULL));
    assert_false(mvcc_compact_step(m, 100));
    assert_ok(mvcc_range_held(m, &hold, &range, &arena, &r, NULL));
    assert_slice_equal(r.kvs[0].value, "old");
    range.revision = hold.revision;
    assert_int_equal(mvcc_range(m, &range, &arena, &r, NULL), ERR_COMPACTED);
    uint64_t bytes = mvcc_bytes(m);
    mvcc_unhold(m, &hold);
    mvcc_compact_step(m, 100);
    assert_true(mvcc_bytes(m) < bytes);
    arena_clear(&arena);
    mvcc_free(m);
}

/* Emptied in one revision that is then compacted, the store is empty: nothing waits for a revision that may never come. */
static void emptied_in_one_revision(void **state UNUSED)
{
    struct mvcc *m = mvcc_new();
    struct kv_event *events;
    struct arena arena = {0};
    struct kv_span all = {slice_of("\0", 1), slice_of("\0", 1)};
    size_t n;
    int64_t next;
    char text[32], *value = mem_zalloc(100000);
    for (uint64_t i = 0; i < 20; i++)
        put_one(m, number_key(text, i ^ 5), slice_of(value, 100000));
    delete_span(m, all);
    assert_ok(mvcc_compact(m, mvcc_revision(m), NULL));
    while (mvcc_compact_step(m, 3))
        ;
    assert_true(mvcc_bytes(m) < 50000);
    assert_ok(mvcc_events(m, &all, mvcc_revision(m), mvcc_revision(m), 1000, &arena, &events, &n, &next, NULL));
    assert_int_equal(n, 20); /* the deletions themselves can still be watched */
    assert_true(events[0].is_delete && !events[0].has_prev);
    struct mvcc_pin *pin = mvcc_pin(m);
    struct mvcc *copy = copy_of(pin);
    mvcc_unpin(m, pin);
    assert_true(mvcc_hash(copy) == mvcc_hash(m));
    put_one(m, number_key(text, 3), SLICE("again"));
    assert_ok(mvcc_compact(m, mvcc_revision(m), NULL));
    while (mvcc_compact_step(m, 3))
        ;
    assert_int_equal(m->tree.key_count, 1);
    tree_check(&m->tree);
    mem_free(value);
    arena_clear(&arena);
    mvcc_free(copy);
    mvcc_free(m);
}

/* Pieces that were cut, turned or doubled are refused, never believed. */
static void bad_snapshots(void **state UNUSED)
{
    struct mvcc *m = mvcc_new();
    char text[32];
    struct prng prng;
    struct buf whole = {0};
    bool last = false;
    prng_seed(&prng, 5);
    for (uint64_t i = 0; i < 30; i++)
        put_one(m, number_key(text, i % 20), SLICE("some value"));
    assert_ok(mvcc_compact(m, 12, NULL));
    struct mvcc_pin *pin = mvcc_pin(m);
    while (!last)
        mvcc_pin_read(pin, 4096, &whole, &last);
    mvcc_unpin(m, pin);
    for (int i = 0; i < 3000; i++) {
        struct mvcc *copy = mvcc_new();
        struct buf bad = {0};
        size_t at = prng_next(&prng) % whole.size;
        buf_append(&bad, whole.data, i % 2 ? at : whole.size);
        if (i % 2 == 0)
            bad.data[at] ^= (char)(1 << prng_next(&prng) % 8);
        int status = mvcc_restore(copy, buf_slice(&bad), NULL);
        if (status == 0)
            status = mvcc_restore_end(copy, NULL);
        /* Event chain and history have no checksum here: snapfile.c gives every piece one. */
        assert_true(status == ERR_CORRUPT || i % 2 == 0);
        buf_release(&bad);
        mvcc_free(copy);
    }
    buf_release(&whole);
    mvcc_free(m);
}

/* A restored store goes on later; its old revisions are readable only when that was wanted, and its own pin holds it. */
static void bump(void **state UNUSED)
{
    for (int compact = 0; compact < 2; compact++) {
        struct mvcc *m = mvcc_new();
        struct kv_range range = {.span = {SLICE("a"), SLICE("")}, .revision = 2};
        struct kv_range_result r;
        struct arena arena = {0};
        put_one(m, SLICE("a"), SLICE("one"));
        put_one(m, SLICE("a"), SLICE("two"));
        mvcc_bump(m, 1000, compact == 1);
        assert_int_equal(mvcc_revision(m), 1003);
        assert_int_equal(mvcc_compact_revision(m), compact ? 1003 : 0);
        assert_int_equal(mvcc_range(m, &range, &arena, &r, NULL), compact ? ERR_COMPACTED : 0);
        range.revision = 1003;
        assert_ok(mvcc_range(m, &range, &arena, &r, NULL));
        assert_slice_equal(r.kvs[0].value, "two");
        assert_int_equal(r.kvs[0].mod_revision, 3);
        struct mvcc_pin *pin = mvcc_pin(m);
        struct mvcc *copy = copy_of(pin);
        mvcc_unpin(m, pin);
        assert_true(mvcc_hash(copy) == mvcc_hash(m));
        put_one(copy, SLICE("a"), SLICE("three"));
        assert_int_equal(mvcc_revision(copy), 1004);
        arena_clear(&arena);
        mvcc_free(copy);
        mvcc_free(m);
    }
}

/* What a small key costs beside its bytes: 16 of the version, a pointer each of tree and history, and the tree's room to grow. */
static void small_keys_are_small(void **state UNUSED)
{
    struct mvcc *m = mvcc_new();
    char text[32], value[100] = {0};
    const uint64_t n = 20000;
    for (uint64_t i = 0; i < n; i++) /* in order but for neighbours, as many writers at once fill a range */
        put_one(m, number_key(text, i ^ 5), slice_of(value, sizeof value));
    const uint64_t bytes = n * (number_key(text, 1).size + sizeof value);
    assert_true(mvcc_bytes(m) - bytes < n * 36);
    assert_ok(mvcc_compact(m, mvcc_revision(m), NULL));
    while (mvcc_compact_step(m, 4096))
        ;
    assert_true(mvcc_bytes(m) - bytes < n * 27);
    mvcc_free(m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(model_seeds), cmocka_unit_test(grow_and_shrink), cmocka_unit_test(refusals),
        cmocka_unit_test(all_or_nothing), cmocka_unit_test(sorting), cmocka_unit_test(holds), cmocka_unit_test(bad_snapshots),
        cmocka_unit_test(bump), cmocka_unit_test(small_keys_are_small),
        cmocka_unit_test(emptied_in_one_revision),
    };
    return RUN_TESTS(tests);
}
