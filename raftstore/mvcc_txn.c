/* Transactions: the check of a request's form, and its execution. All compares, nested ones too, are judged on the state
 * before the transaction; then the operations of the branches taken run in order and see each other's changes. */
#include "common/base.h"

#include "raftstore/mvcc_internal.h"
#include "raftstore/store_errors.h"

#include <stdlib.h>

#define KEY_ARGS(key) (int)MIN((key).size, (size_t)200), (key).data /* for "%.*s": what a message shows of it */

/* --- form --- */

/* Which branch of which transaction an operation stands in; operations of both branches of one never run together. */
struct branch {
    const struct branch *parent; /* NULL: the outermost transaction's branches */
    const struct kv_txn *txn;
    bool success;
};

struct write {
    struct kv_span span;
    const struct branch *branch;
    bool is_put;
};

struct check {
    struct write writes[KV_TXN_OPS_TOTAL_MAX];
    struct branch branches[2 * (KV_TXN_OPS_TOTAL_MAX + 1)];
    size_t write_count, branch_count, total, bytes;
};

static bool branches_exclusive(const struct branch *a, const struct branch *b)
{
    for (const struct branch *x = a; x != NULL; x = x->parent)
        for (const struct branch *y = b; y != NULL; y = y->parent)
            if (x->txn == y->txn && x->success != y->success)
                return true;
    return false;
}

static int check_put(const struct kv_put *put, struct err *reterr)
{
    if (put->key.size == 0)
        return store_err(reterr, STORE_EMPTY_KEY, "put");
    if (put->ignore_value && put->value.size != 0)
        return store_err(reterr, STORE_VALUE_PROVIDED, "with ignore_value, to the put of %.*s", KEY_ARGS(put->key));
    if (put->ignore_lease && put->lease != 0)
        return store_err(reterr, STORE_LEASE_PROVIDED, "with ignore_lease, to the put of %.*s", KEY_ARGS(put->key));
    return 0;
}

static int check_compare(const struct kv_compare *c, struct check *k, struct err *reterr)
{
    k->bytes += c->span.key.size + c->span.end.size + c->value.size;
    if (c->span.key.size == 0)
        return store_err(reterr, STORE_EMPTY_KEY, "compare");
    if ((unsigned)c->target > KV_COMPARE_LEASE || (unsigned)c->result > KV_NOT_EQUAL)
        return err_set(reterr, ERR_INVALID, "compare: unknown target %d or result %d", (int)c->target, (int)c->result);
    return 0;
}

static int check_txn(const struct kv_txn *txn, size_t ops_max, const struct branch *parent, struct check *k, struct err *reterr);

static void note_write(struct check *k, struct kv_span span, bool is_put, const struct branch *branch)
{
    k->writes[k->write_count++] = (struct write){span, branch, is_put};
}

static int check_op(const struct kv_op *op, size_t ops_max, const struct branch *branch, struct check *k, struct err *reterr)
{
    switch (op->kind) {
    case KV_OP_RANGE:
        k->bytes += op->range.span.key.size + op->range.span.end.size;
        return range_check(&op->range, reterr);
    case KV_OP_PUT:
        k->bytes += op->put.key.size + op->put.value.size;
        note_write(k, (struct kv_span){.key = op->put.key}, true, branch);
        return check_put(&op->put, reterr);
    case KV_OP_DELETE:
        k->bytes += op->delete.span.key.size + op->delete.span.end.size;
        note_write(k, op->delete.span, false, branch);
        return op->delete.span.key.size != 0 ? 0 : store_err(reterr, STORE_EMPTY_KEY, "delete");
    case KV_OP_TXN: return check_txn(&op->txn, ops_max, branch, k, reterr);
    }
    return err_set(reterr, ERR_INVALID, "unknown operation %d", (int)op->kind);
}

static int check_branch(const struct kv_txn *txn, bool success, size_t ops_max, const struct branch *parent, struct check *k,
                        struct err *reterr)
{
    struct branch *branch = &k->branches[k->branch_count++];
    *branch = (struct branch){parent, txn, success};
    const struct kv_op *ops = success ? txn->success : txn->failure;
    int status = 0;
    for (size_t i = 0; status == 0 && i < (success ? txn->success_count : txn->failure_count); i++)
        status = check_op(&ops[i], ops_max, branch, k, reterr);
    return status;
}

static int check_txn(const struct kv_txn *txn, size_t ops_max, const struct branch *parent, struct check *k, struct err *reterr)
{
    size_t longest = MAX(txn->compare_count, MAX(txn->success_count, txn->failure_count));
    if (longest > ops_max)
        return store_err(reterr, STORE_TOO_MANY_OPS, "at most %d", KV_TXN_OPS_MAX);
    k->total += txn->compare_count + txn->success_count + txn->failure_count;
    if (k->total > KV_TXN_OPS_TOTAL_MAX)
        return store_err(reterr, STORE_TOO_MANY_OPS, "at most %d with all that is nested", KV_TXN_OPS_TOTAL_MAX);
    int status = 0;
    for (size_t i = 0; status == 0 && i < txn->compare_count; i++)
        status = check_compare(&txn->compares[i], k, reterr);
    if (status == 0)
        status = check_branch(txn, true, ops_max - longest, parent, k, reterr);
    if (status == 0)
        status = check_branch(txn, false, ops_max - longest, parent, k, reterr);
    return status;
}

static int compare_writes(const void *left, const void *right)
{
    const struct write *a = left, *b = right;
    if (a->is_put != b->is_put)
        return b->is_put - a->is_put; /* puts first */
    int order = slice_compare(a->span.key, b->span.key);
    return order != 0 ? order : (a->branch > b->branch) - (a->branch < b->branch); /* one array: order of appearance */
}

static int refuse_twice(const struct write *put, struct err *reterr)
{
    return store_err(reterr, STORE_DUPLICATE_KEY, "%.*s", KEY_ARGS(put->span.key));
}

/* A key that is put is changed by nothing else that could run with it. */
static int check_conflicts(struct check *k, struct err *reterr)
{
    size_t puts = 0;
    if (k->write_count < 2)
        return 0;
    qsort(k->writes, k->write_count, sizeof k->writes[0], compare_writes);
    while (puts < k->write_count && k->writes[puts].is_put)
        puts++;
    for (size_t i = 0; i < puts; i++)
        for (size_t j = i + 1; j < puts && slice_equal(k->writes[i].span.key, k->writes[j].span.key); j++)
            if (!branches_exclusive(k->writes[i].branch, k->writes[j].branch))
                return refuse_twice(&k->writes[i], reterr);
    for (size_t d = puts; d < k->write_count; d++)
        for (size_t i = 0; i < puts; i++)
            if (span_holds(&k->writes[d].span, k->writes[i].span.key) &&
                !branches_exclusive(k->writes[d].branch, k->writes[i].branch))
                return refuse_twice(&k->writes[i], reterr);
    return 0;
}

int mvcc_check(const struct kv_txn *txn, struct err *reterr)
{
    struct check *k = mem_alloc(sizeof *k);
    k->write_count = k->branch_count = k->total = k->bytes = 0;
    int status = check_txn(txn, KV_TXN_OPS_MAX, NULL, k, reterr);
    if (status == 0)
        status = check_conflicts(k, reterr);
    if (status == 0 && k->bytes > KV_REQUEST_BYTES_MAX)
        status = store_err(reterr, STORE_REQUEST_TOO_LARGE, "%zu bytes of keys and values, but at most %u are allowed", k->bytes,
                           KV_REQUEST_BYTES_MAX);
    mem_free(k);
    return status;
}

/* --- execution --- */

struct run {
    struct mvcc *m;
    struct arena *arena;
    bool path[KV_TXN_OPS_TOTAL_MAX + 1]; /* branches taken, in the order of execution */
    size_t path_length, path_at;
    int64_t revision; /* of what is written */
};

static bool result_holds(enum kv_compare_result wanted, int order)
{
    switch (wanted) {
    case KV_EQUAL: return order == 0;
    case KV_GREATER: return order > 0;
    case KV_LESS: return order < 0;
    case KV_NOT_EQUAL: return order != 0;
    }
    return false;
}

static int64_t compare_target(const struct kv_compare *c, const struct version *v)
{
    if (v == NULL)
        return 0;
    switch (c->target) {
    case KV_COMPARE_VERSION: return version_number(v);
    case KV_COMPARE_CREATE: return version_create(v);
    case KV_COMPARE_MOD: return v->mod_revision;
    case KV_COMPARE_LEASE: return version_lease(v);
    case KV_COMPARE_VALUE: break;
    }
    return 0;
}

/* `v` NULL: no such key. */
static bool compare_one(const struct kv_compare *c, const struct version *v)
{
    if (c->target == KV_COMPARE_VALUE)
        return v != NULL && result_holds(c->result, slice_compare(version_value(v), c->value));
    int64_t number = compare_target(c, v);
    return result_holds(c->result, (number > c->number) - (number < c->number));
}

static bool compare_holds(const struct mvcc *m, const struct kv_compare *c)
{
    struct tree_cursor at;
    const struct version *v;
    bool any = false;
    if (!span_is_range(&c->span)) {
        v = tree_get(m->tree.root, c->span.key);
        return compare_one(c, v != NULL && version_live(v) ? v : NULL);
    }
    for (tree_seek(m->tree.root, c->span.key, &at); (v = tree_at(&at)) != NULL && span_holds(&c->span, version_key(v)); tree_next(&at)) {
        if (!version_live(v))
            continue;
        any = true;
        if (!compare_one(c, v))
            return false;
    }
    return any || compare_one(c, NULL);
}

/* An operation that would fail on the state as it is: then nothing of the transaction happens. */
static int op_possible(struct mvcc *m, const struct kv_op *op, struct err *reterr)
{
    if (op->kind == KV_OP_RANGE)
        return range_revision(m, op->range.revision, reterr);
    if (op->kind != KV_OP_PUT)
        return 0;
    if (op->put.lease != 0 && m->lease_known != NULL && !m->lease_known(m->lease_arg, op->put.lease))
        return store_err(reterr, STORE_LEASE_NOT_FOUND, "%016llx", (unsigned long long)op->put.lease);
    if (!op->put.ignore_value && !op->put.ignore_lease)
        return 0;
    const struct version *v = tree_get(m->tree.root, op->put.key);
    if (v != NULL && version_live(v))
        return 0;
    return store_err(reterr, STORE_KEY_NOT_FOUND, "%.*s", KEY_ARGS(op->put.key));
}

static int resolve_path(struct run *run, const struct kv_txn *txn, struct err *reterr)
{
    bool success = true;
    for (size_t i = 0; success && i < txn->compare_count; i++)
        success = compare_holds(run->m, &txn->compares[i]);
    run->path[run->path_length++] = success;
    const struct kv_op *ops = success ? txn->success : txn->failure;
    int status = 0;
    for (size_t i = 0; status == 0 && i < (success ? txn->success_count : txn->failure_count); i++)
        status = ops[i].kind == KV_OP_TXN ? resolve_path(run, &ops[i].txn, reterr) : op_possible(run->m, &ops[i], reterr);
    return status;
}

/* Writes `now` as the newest version of its key and notes the event. */
static void change(struct run *run, const struct kv *now, struct version *before)
{
    struct mvcc *m = run->m;
    struct version *v = version_new(m, now, before);
    struct kv_event event = {.is_delete = !version_live(v), .kv = version_kv(v)};
    event.has_prev = before != NULL && version_live(before);
    if (event.has_prev)
        event.prev = version_kv(before);
    version_put(m, v);
    if (m->event_count == m->event_capacity) {
        m->event_capacity = MAX((size_t)16, m->event_capacity * 2);
        m->events = mem_realloc(m->events, m->event_capacity * sizeof m->events[0]);
    }
    m->events[m->event_count++] = event;
}

static void run_put(struct run *run, const struct kv_put *put, struct kv_op_result *ret)
{
    struct version *before = tree_get(run->m->tree.root, put->key);
    bool exists = before != NULL && version_live(before);
    struct kv now = {
        .key = put->key,
        .value = put->ignore_value ? version_value(before) : put->value,
        .lease = put->ignore_lease ? version_lease(before) : put->lease,
        .mod_revision = run->revision,
        .create_revision = exists ? version_create(before) : run->revision,
        .version = exists ? version_number(before) + 1 : 1,
    };
    ret->put.has_prev = put->prev_kv && exists;
    if (ret->put.has_prev)
        ret->put.prev = version_kv(before);
    change(run, &now, before);
}

/* The live keys of the span, copied because the deletions change the tree under a cursor. */
static struct version **collect_doomed(struct run *run, const struct kv_span *span, size_t *ret_count)
{
    struct version **doomed = NULL, *v;
    size_t count = 0, capacity = 0;
    struct tree_cursor at;
    for (tree_seek(run->m->tree.root, span->key, &at); (v = tree_at(&at)) != NULL && span_holds(span, version_key(v)); tree_next(&at)) {
        if (!version_live(v))
            continue;
        if (count == capacity) {
            capacity = MAX((size_t)8, capacity * 2);
            doomed = mem_realloc(doomed, capacity * sizeof doomed[0]);
        }
        doomed[count++] = v;
    }
    *ret_count = count;
    return doomed;
}

static void run_delete(struct run *run, const struct kv_delete *d, struct kv_op_result *ret)
{
    size_t count;
    struct version **doomed = collect_doomed(run, &d->span, &count);
    ret->delete.deleted = (int64_t)count;
    if (d->prev_kv && count > 0) {
        ret->delete.prevs = arena_alloc(run->arena, count * sizeof ret->delete.prevs[0]);
        ret->delete.prev_count = count;
    }
    for (size_t i = 0; i < count; i++) {
        if (d->prev_kv)
            ret->delete.prevs[i] = version_kv(doomed[i]);
        struct kv gone = {.key = version_key(doomed[i]), .mod_revision = run->revision};
        change(run, &gone, doomed[i]);
    }
    mem_free(doomed);
}

static void run_txn(struct run *run, const struct kv_txn *txn, struct kv_txn_result *ret);

/* Within a transaction that has written already, "the newest" is what it wrote. */
static void run_range(struct run *run, const struct kv_range *range, struct kv_op_result *ret)
{
    bool newest = range->revision <= 0;
    range_read(run->m->tree.root, range, newest ? INT64_MAX : range->revision, run->arena, &ret->range);
}

static void run_op(struct run *run, const struct kv_op *op, struct kv_op_result *ret)
{
    ret->kind = op->kind;
    switch (op->kind) {
    case KV_OP_RANGE: run_range(run, &op->range, ret); break;
    case KV_OP_PUT: run_put(run, &op->put, ret); break;
    case KV_OP_DELETE: run_delete(run, &op->delete, ret); break;
    case KV_OP_TXN: run_txn(run, &op->txn, &ret->txn); break;
    }
}

static void run_txn(struct run *run, const struct kv_txn *txn, struct kv_txn_result *ret)
{
    ASSERT(run->path_at < run->path_length);
    ret->succeeded = run->path[run->path_at++];
    const struct kv_op *ops = ret->succeeded ? txn->success : txn->failure;
    ret->result_count = ret->succeeded ? txn->success_count : txn->failure_count;
    ret->results = arena_alloc(run->arena, ret->result_count * sizeof ret->results[0]);
    for (size_t i = 0; i < ret->result_count; i++)
        run_op(run, &ops[i], &ret->results[i]);
}

void mvcc_set_leases(struct mvcc *m, bool (*lease_known)(void *arg, int64_t lease), void *arg)
{
    m->lease_known = lease_known;
    m->lease_arg = arg;
}

int mvcc_apply(struct mvcc *m, const struct kv_txn *txn, struct arena *arena, struct kv_txn_result *ret,
               const struct kv_event **ret_events, size_t *ret_event_count, struct err *reterr)
{
    struct run run;
    run.m = m;
    run.arena = arena;
    run.path_length = run.path_at = 0;
    run.revision = m->revision + 1;
    m->event_count = 0;
    int status = mvcc_check(txn, reterr);
    if (status == 0)
        status = resolve_path(&run, txn, reterr);
    if (status != 0)
        return status;
    run_txn(&run, txn, ret);
    if (m->event_count > 0)
        m->revision = run.revision;
    *ret_events = m->events;
    *ret_event_count = m->event_count;
    return 0;
}

void mvcc_delete_keys(struct mvcc *m, const struct slice *keys, size_t n, struct arena *arena, const struct kv_event **ret_events,
                      size_t *ret_event_count)
{
    struct run run = {.m = m, .arena = arena, .revision = m->revision + 1};
    m->event_count = 0;
    for (size_t i = 0; i < n; i++) {
        struct kv_op op = {.kind = KV_OP_DELETE, .delete = {.span = {.key = keys[i]}}};
        struct kv_op_result result;
        run_op(&run, &op, &result);
    }
    if (m->event_count > 0)
        m->revision = run.revision;
    *ret_events = m->events;
    *ret_event_count = m->event_count;
}
