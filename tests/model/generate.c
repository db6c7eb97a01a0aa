#include "common/base.h"

#include "tests/model/generate.h"

#define NESTING_MAX 3

uint64_t below(struct generator *g, uint64_t n) { return prng_next(&g->prng) % n; }
bool one_in(struct generator *g, uint64_t n) { return below(g, n) == 0; }

static struct slice random_key(struct generator *g) { return g->model->words->keys[below(g, MODEL_KEYS)]; }
static struct slice random_value(struct generator *g) { return g->model->words->values[below(g, MODEL_VALUES)]; }

struct kv_span random_span(struct generator *g)
{
    struct slice zero = slice_of("\0", 1), key = random_key(g);
    switch (below(g, 8)) {
    case 0: return (struct kv_span){zero, zero};
    case 1: return (struct kv_span){key, zero};
    case 2:
    case 3:
    case 4: return (struct kv_span){key, random_key(g)}; /* half of them empty */
    default: return (struct kv_span){.key = key};
    }
}

int64_t random_revision(struct generator *g)
{
    const struct model *m = g->model;
    int64_t low = MAX((int64_t)1, MIN(m->compact - 2, m->revision - 40));
    return low + (int64_t)below(g, (uint64_t)(m->revision + 3 - low));
}

static int64_t maybe_bound(struct generator *g) { return one_in(g, 8) ? random_revision(g) : 0; }

struct kv_range random_range(struct generator *g)
{
    struct kv_range r = {.span = random_span(g)};
    r.revision = one_in(g, 2) ? 0 : one_in(g, 20) ? -1 : random_revision(g);
    r.limit = one_in(g, 2) ? (int64_t)below(g, 8) : one_in(g, 10) ? -3 : 0;
    r.order = (enum kv_sort_order)below(g, KV_ORDER_DESCEND + 1);
    r.sort = (enum kv_sort_target)below(g, KV_SORT_VALUE + 1);
    r.keys_only = one_in(g, 6);
    r.count_only = one_in(g, 8);
    r.min_mod_revision = maybe_bound(g);
    r.max_mod_revision = maybe_bound(g);
    r.min_create_revision = maybe_bound(g);
    r.max_create_revision = maybe_bound(g);
    return r;
}

static struct kv_put random_put(struct generator *g)
{
    struct kv_put p = {.key = random_key(g), .prev_kv = one_in(g, 2)};
    p.ignore_value = one_in(g, 12);
    p.ignore_lease = one_in(g, 12);
    if (!p.ignore_value)
        p.value = random_value(g);
    if (!p.ignore_lease && one_in(g, 4))
        p.lease = (int64_t)below(g, MODEL_LEASES + 1);
    return p;
}

static struct kv_compare random_compare(struct generator *g)
{
    struct kv_compare c = {.span = random_span(g)};
    c.target = (enum kv_compare_target)below(g, KV_COMPARE_LEASE + 1);
    c.result = (enum kv_compare_result)below(g, KV_NOT_EQUAL + 1);
    c.value = random_value(g);
    c.number = c.target == KV_COMPARE_VERSION ? (int64_t)below(g, 3)
               : c.target == KV_COMPARE_LEASE ? (int64_t)below(g, MODEL_LEASES + 1)
               : one_in(g, 4)                 ? 0
                                              : random_revision(g);
    return c;
}

static struct kv_op *random_ops(struct generator *g, struct arena *arena, unsigned depth, size_t n)
{
    struct kv_op *ops = arena_alloc(arena, n * sizeof ops[0]);
    for (size_t i = 0; i < n; i++) {
        ops[i] = (struct kv_op){.kind = KV_OP_PUT};
        uint64_t kind = below(g, depth < NESTING_MAX ? 10 : 9);
        if (kind < 5) {
            ops[i].put = random_put(g);
        } else if (kind < 7) {
            ops[i].kind = KV_OP_DELETE;
            ops[i].delete = (struct kv_delete){.span = one_in(g, 3) ? random_span(g) : (struct kv_span){.key = random_key(g)},
                                               .prev_kv = one_in(g, 2)};
        } else if (kind < 9) {
            ops[i].kind = KV_OP_RANGE;
            ops[i].range = random_range(g);
            if (!one_in(g, 6)) /* an unreadable revision refuses all of the transaction */
                ops[i].range.revision = 0;
        } else {
            ops[i].kind = KV_OP_TXN;
            ops[i].txn = random_txn(g, arena, depth + 1);
        }
    }
    return ops;
}

struct kv_txn random_txn(struct generator *g, struct arena *arena, unsigned depth)
{
    struct kv_txn t = {.compare_count = below(g, 3), .success_count = below(g, 4), .failure_count = below(g, 3)};
    struct kv_compare *compares = arena_alloc(arena, t.compare_count * sizeof compares[0]);
    for (size_t i = 0; i < t.compare_count; i++)
        compares[i] = random_compare(g);
    t.compares = compares;
    t.success = random_ops(g, arena, depth, t.success_count);
    t.failure = random_ops(g, arena, depth, t.failure_count);
    return t;
}
