#include "common/base.h"

#include "raftstore/store_wire.h"

#include "raftstore/store_limits.h"

#define DECODE_DEPTH_MAX 32 /* of nested transactions */

void wire_begin(struct buf *out, enum store_frame type)
{
    buf_append_char(out, STORE_WIRE_FORMAT);
    buf_append_char(out, (char)type);
}

/* --- commands and entries --- */

void command_encode(struct buf *out, const struct store_command *c)
{
    pack_bytes(out, slice_of(c->client, sizeof c->client));
    pack_uint(out, c->sequence);
    pack_uint(out, c->oldest);
    pack_uint(out, (uint64_t)c->kind);
    pack_bytes(out, c->body);
}

bool command_decode(struct unpack *u, struct store_command *ret)
{
    struct slice client = unpack_bytes(u);
    u->bad |= client.size != sizeof ret->client;
    if (u->bad)
        return false;
    memcpy(ret->client, client.data, client.size);
    ret->sequence = unpack_uint(u);
    ret->oldest = unpack_uint(u);
    ret->kind = (enum store_command_kind)unpack_below(u, 256);
    ret->body = unpack_bytes(u);
    return !u->bad;
}

void entry_begin(struct buf *out, uint64_t cluster_time_ms)
{
    buf_append_char(out, STORE_WIRE_FORMAT);
    pack_uint(out, cluster_time_ms);
}

bool entry_open(struct slice entry, uint64_t *ret_cluster_time_ms, struct unpack *ret_commands)
{
    if (entry.size == 0 || entry.data[0] != STORE_WIRE_FORMAT)
        return false;
    *ret_commands = unpack_of(slice_from(entry, 1));
    *ret_cluster_time_ms = unpack_uint(ret_commands);
    return !ret_commands->bad;
}

/* --- requests --- */

void span_encode(struct buf *out, const struct kv_span *span)
{
    pack_bytes(out, span->key);
    pack_bytes(out, span->end);
}

struct kv_span span_decode(struct unpack *u)
{
    struct kv_span span = {.key = unpack_bytes(u)};
    span.end = unpack_bytes(u);
    return span;
}

enum { RANGE_KEYS_ONLY = 1, RANGE_COUNT_ONLY = 2, RANGE_SERIALIZABLE = 4, RANGE_BOUNDS = 8, RANGE_FLAGS_END = 16 };

static bool has_bounds(const struct kv_range *r)
{
    return r->min_mod_revision != 0 || r->max_mod_revision != 0 || r->min_create_revision != 0 || r->max_create_revision != 0;
}

void range_encode(struct buf *out, const struct kv_range *r)
{
    span_encode(out, &r->span);
    pack_int(out, r->limit);
    pack_int(out, r->revision);
    pack_uint(out, (uint64_t)r->order);
    pack_uint(out, (uint64_t)r->sort);
    pack_uint(out, (r->keys_only ? RANGE_KEYS_ONLY : 0u) | (r->count_only ? RANGE_COUNT_ONLY : 0u) |
                       (r->serializable ? RANGE_SERIALIZABLE : 0u) | (has_bounds(r) ? RANGE_BOUNDS : 0u));
    if (!has_bounds(r))
        return;
    pack_int(out, r->min_mod_revision);
    pack_int(out, r->max_mod_revision);
    pack_int(out, r->min_create_revision);
    pack_int(out, r->max_create_revision);
}

bool range_decode(struct unpack *u, struct kv_range *ret)
{
    struct kv_range r = {.span = span_decode(u)};
    r.limit = unpack_int(u);
    r.revision = unpack_int(u);
    r.order = (enum kv_sort_order)unpack_below(u, KV_ORDER_DESCEND + 1);
    r.sort = (enum kv_sort_target)unpack_below(u, KV_SORT_VALUE + 1);
    uint64_t flags = unpack_below(u, RANGE_FLAGS_END);
    r.keys_only = flags & RANGE_KEYS_ONLY;
    r.count_only = flags & RANGE_COUNT_ONLY;
    r.serializable = flags & RANGE_SERIALIZABLE;
    if (flags & RANGE_BOUNDS) {
        r.min_mod_revision = unpack_int(u);
        r.max_mod_revision = unpack_int(u);
        r.min_create_revision = unpack_int(u);
        r.max_create_revision = unpack_int(u);
    }
    *ret = r;
    return !u->bad;
}

enum { PUT_PREV_KV = 1, PUT_IGNORE_VALUE = 2, PUT_IGNORE_LEASE = 4, PUT_FLAGS_END = 8 };

static void put_encode(struct buf *out, const struct kv_put *p)
{
    pack_bytes(out, p->key);
    pack_bytes(out, p->value);
    pack_int(out, p->lease);
    pack_uint(out, (p->prev_kv ? PUT_PREV_KV : 0u) | (p->ignore_value ? PUT_IGNORE_VALUE : 0u) |
                       (p->ignore_lease ? PUT_IGNORE_LEASE : 0u));
}

static void put_decode(struct unpack *u, struct kv_put *ret)
{
    ret->key = unpack_bytes(u);
    ret->value = unpack_bytes(u);
    ret->lease = unpack_int(u);
    uint64_t flags = unpack_below(u, PUT_FLAGS_END);
    ret->prev_kv = flags & PUT_PREV_KV;
    ret->ignore_value = flags & PUT_IGNORE_VALUE;
    ret->ignore_lease = flags & PUT_IGNORE_LEASE;
}

static void compare_encode(struct buf *out, const struct kv_compare *c)
{
    span_encode(out, &c->span);
    pack_uint(out, (uint64_t)c->target);
    pack_uint(out, (uint64_t)c->result);
    pack_int(out, c->number);
    pack_bytes(out, c->value);
}

static void compare_decode(struct unpack *u, struct kv_compare *ret)
{
    ret->span = span_decode(u);
    ret->target = (enum kv_compare_target)unpack_below(u, KV_COMPARE_LEASE + 1);
    ret->result = (enum kv_compare_result)unpack_below(u, KV_NOT_EQUAL + 1);
    ret->number = unpack_int(u);
    ret->value = unpack_bytes(u);
}

static void op_encode(struct buf *out, const struct kv_op *op)
{
    pack_uint(out, (uint64_t)op->kind);
    switch (op->kind) {
    case KV_OP_RANGE: range_encode(out, &op->range); break;
    case KV_OP_PUT: put_encode(out, &op->put); break;
    case KV_OP_DELETE:
        span_encode(out, &op->delete.span);
        pack_bool(out, op->delete.prev_kv);
        break;
    case KV_OP_TXN: txn_encode(out, &op->txn); break;
    }
}

static void ops_encode(struct buf *out, const struct kv_op *ops, size_t n)
{
    pack_uint(out, n);
    for (size_t i = 0; i < n; i++)
        op_encode(out, &ops[i]);
}

void txn_encode(struct buf *out, const struct kv_txn *txn)
{
    pack_uint(out, txn->compare_count);
    for (size_t i = 0; i < txn->compare_count; i++)
        compare_encode(out, &txn->compares[i]);
    ops_encode(out, txn->success, txn->success_count);
    ops_encode(out, txn->failure, txn->failure_count);
}

struct txn_decoder {
    struct unpack *u;
    struct arena *arena;
    size_t left;  /* operations and compares still allowed */
    unsigned depth;
    bool too_large;
};

static void txn_read(struct txn_decoder *d, struct kv_txn *ret);

/* A count of things that each take a byte at least and all count against what a transaction may hold. */
static size_t count_read(struct txn_decoder *d)
{
    uint64_t n = unpack_uint(d->u);
    if (!d->u->bad && n > d->left)
        d->too_large = d->u->bad = true;
    d->u->bad |= n > d->u->in.size;
    d->left -= d->u->bad ? 0 : (size_t)n;
    return d->u->bad ? 0 : (size_t)n;
}

static void op_read(struct txn_decoder *d, struct kv_op *ret)
{
    ret->kind = (enum kv_op_kind)unpack_below(d->u, KV_OP_TXN + 1);
    if (d->u->bad)
        return;
    switch (ret->kind) {
    case KV_OP_RANGE: (void)range_decode(d->u, &ret->range); break; /* failure stays in d->u */
    case KV_OP_PUT: put_decode(d->u, &ret->put); break;
    case KV_OP_DELETE:
        ret->delete.span = span_decode(d->u);
        ret->delete.prev_kv = unpack_bool(d->u);
        break;
    case KV_OP_TXN: txn_read(d, &ret->txn); break;
    }
}

static const struct kv_op *ops_read(struct txn_decoder *d, size_t *ret_count)
{
    size_t n = count_read(d);
    struct kv_op *ops = arena_alloc(d->arena, n * sizeof ops[0]);
    for (size_t i = 0; i < n && !d->u->bad; i++)
        op_read(d, &ops[i]);
    *ret_count = n;
    return ops;
}

static void txn_read(struct txn_decoder *d, struct kv_txn *ret)
{
    if (++d->depth > DECODE_DEPTH_MAX)
        d->too_large = d->u->bad = true;
    ret->compare_count = count_read(d);
    struct kv_compare *compares = arena_alloc(d->arena, ret->compare_count * sizeof compares[0]);
    for (size_t i = 0; i < ret->compare_count && !d->u->bad; i++)
        compare_decode(d->u, &compares[i]);
    ret->compares = compares;
    ret->success = ops_read(d, &ret->success_count);
    ret->failure = ops_read(d, &ret->failure_count);
    d->depth--;
}

int txn_decode(struct unpack *u, struct arena *arena, struct kv_txn *ret, struct err *reterr)
{
    struct txn_decoder d = {.u = u, .arena = arena, .left = KV_TXN_OPS_TOTAL_MAX};
    txn_read(&d, ret);
    if (d.too_large)
        return err_set(reterr, ERR_TOO_LARGE, "the transaction holds more than %d operations or is nested deeper than %d",
                       KV_TXN_OPS_TOTAL_MAX, DECODE_DEPTH_MAX);
    return u->bad ? err_set(reterr, ERR_INVALID, "malformed transaction") : 0;
}

/* --- answers --- */

void kv_encode(struct buf *out, const struct kv *kv)
{
    pack_bytes(out, kv->key);
    pack_bytes(out, kv->value);
    pack_int(out, kv->create_revision);
    pack_int(out, kv->mod_revision);
    pack_int(out, kv->version);
    pack_int(out, kv->lease);
}

void kv_decode(struct unpack *u, struct kv *ret)
{
    ret->key = unpack_bytes(u);
    ret->value = unpack_bytes(u);
    ret->create_revision = unpack_int(u);
    ret->mod_revision = unpack_int(u);
    ret->version = unpack_int(u);
    ret->lease = unpack_int(u);
}

enum { EVENT_DELETE = 1, EVENT_PREV = 2, EVENT_FLAGS_END = 4 };

void event_encode(struct buf *out, const struct kv_event *e, bool with_prev)
{
    with_prev &= e->has_prev;
    pack_uint(out, (e->is_delete ? EVENT_DELETE : 0u) | (with_prev ? EVENT_PREV : 0u));
    kv_encode(out, &e->kv);
    if (with_prev)
        kv_encode(out, &e->prev);
}

void event_decode(struct unpack *u, struct kv_event *ret)
{
    uint64_t flags = unpack_below(u, EVENT_FLAGS_END);
    *ret = (struct kv_event){.is_delete = flags & EVENT_DELETE, .has_prev = flags & EVENT_PREV};
    kv_decode(u, &ret->kv);
    if (ret->has_prev)
        kv_decode(u, &ret->prev);
}

void result_begin(struct buf *out, int64_t revision, enum store_result_kind kind)
{
    pack_int(out, 0);
    pack_int(out, revision);
    pack_uint(out, (uint64_t)kind);
}

void result_error(struct buf *out, int64_t revision, int status, const char *message)
{
    ASSERT(status < 0);
    pack_int(out, status);
    pack_int(out, revision);
    pack_bytes(out, slice_str(message));
}

static bool known_error(int64_t status)
{
    return status < 0 && status >= ERR_TLS; /* the last of the table */
}

bool result_decode(struct unpack *u, struct store_result *ret)
{
    int64_t status = unpack_int(u);
    *ret = (struct store_result){.revision = unpack_int(u)};
    u->bad |= status != 0 && !known_error(status);
    ret->status = u->bad ? ERR_CORRUPT : (int)status;
    if (ret->status == 0)
        ret->kind = (enum store_result_kind)unpack_below(u, RESULT_SNAPSHOT + 1);
    else
        ret->message = unpack_bytes(u);
    return !u->bad;
}

static void kvs_encode(struct buf *out, const struct kv *kvs, size_t n)
{
    pack_uint(out, n);
    for (size_t i = 0; i < n; i++)
        kv_encode(out, &kvs[i]);
}

static struct kv *kvs_decode(struct unpack *u, struct arena *arena, size_t *ret_count)
{
    size_t n = (size_t)unpack_below(u, u->in.size / 6 + 1); /* six values each, a byte at least */
    struct kv *kvs = arena_alloc(arena, n * sizeof kvs[0]);
    for (size_t i = 0; i < n && !u->bad; i++)
        kv_decode(u, &kvs[i]);
    *ret_count = u->bad ? 0 : n;
    return kvs;
}

void range_result_encode(struct buf *out, const struct kv_range_result *r)
{
    kvs_encode(out, r->kvs, r->kv_count);
    pack_int(out, r->count);
    pack_bool(out, r->more);
}

bool range_result_decode(struct unpack *u, struct arena *arena, struct kv_range_result *ret)
{
    ret->kvs = kvs_decode(u, arena, &ret->kv_count);
    ret->count = unpack_int(u);
    ret->more = unpack_bool(u);
    return !u->bad;
}

static void op_result_encode(struct buf *out, const struct kv_op_result *r)
{
    pack_uint(out, (uint64_t)r->kind);
    switch (r->kind) {
    case KV_OP_RANGE: range_result_encode(out, &r->range); break;
    case KV_OP_PUT:
        pack_bool(out, r->put.has_prev);
        if (r->put.has_prev)
            kv_encode(out, &r->put.prev);
        break;
    case KV_OP_DELETE:
        pack_int(out, r->delete.deleted);
        kvs_encode(out, r->delete.prevs, r->delete.prev_count);
        break;
    case KV_OP_TXN: txn_result_encode(out, &r->txn); break;
    }
}

void txn_result_encode(struct buf *out, const struct kv_txn_result *r)
{
    pack_bool(out, r->succeeded);
    pack_uint(out, r->result_count);
    for (size_t i = 0; i < r->result_count; i++)
        op_result_encode(out, &r->results[i]);
}

static bool txn_result_read(struct unpack *u, struct arena *arena, struct kv_txn_result *ret, unsigned depth);

static void op_result_read(struct unpack *u, struct arena *arena, struct kv_op_result *ret, unsigned depth)
{
    ret->kind = (enum kv_op_kind)unpack_below(u, KV_OP_TXN + 1);
    if (u->bad)
        return;
    switch (ret->kind) {
    case KV_OP_RANGE: (void)range_result_decode(u, arena, &ret->range); break; /* failure stays in u */
    case KV_OP_PUT:
        ret->put.has_prev = unpack_bool(u);
        if (ret->put.has_prev)
            kv_decode(u, &ret->put.prev);
        break;
    case KV_OP_DELETE:
        ret->delete.deleted = unpack_int(u);
        ret->delete.prevs = kvs_decode(u, arena, &ret->delete.prev_count);
        break;
    case KV_OP_TXN: (void)txn_result_read(u, arena, &ret->txn, depth + 1); break;
    }
}

static bool txn_result_read(struct unpack *u, struct arena *arena, struct kv_txn_result *ret, unsigned depth)
{
    ret->succeeded = unpack_bool(u);
    size_t n = (size_t)unpack_below(u, MIN(u->in.size, (size_t)KV_TXN_OPS_MAX) + 1);
    u->bad |= depth > DECODE_DEPTH_MAX;
    n = u->bad ? 0 : n;
    ret->results = arena_alloc(arena, n * sizeof ret->results[0]);
    for (size_t i = 0; i < n && !u->bad; i++)
        op_result_read(u, arena, &ret->results[i], depth);
    ret->result_count = u->bad ? 0 : n;
    return !u->bad;
}

bool txn_result_decode(struct unpack *u, struct arena *arena, struct kv_txn_result *ret)
{
    return txn_result_read(u, arena, ret, 0);
}

/* --- membership --- */

void member_request_encode(struct buf *out, const struct member_request *m)
{
    pack_uint(out, m->verb);
    pack_uint(out, m->id);
    pack_uint(out, m->replaces);
    pack_bool(out, m->automatic);
    pack_bool(out, m->force);
    pack_bytes(out, m->name);
    pack_bytes(out, m->peer_address);
    pack_bytes(out, m->client_address);
}

bool member_request_decode(struct unpack *u, struct member_request *ret)
{
    uint64_t verb = unpack_uint(u);
    *ret = (struct member_request){.id = unpack_uint(u)};
    ret->replaces = unpack_uint(u);
    ret->automatic = unpack_bool(u);
    ret->force = unpack_bool(u);
    ret->name = unpack_bytes(u);
    ret->peer_address = unpack_bytes(u);
    ret->client_address = unpack_bytes(u);
    if (u->bad || verb < MEMBER_ADD || verb > MEMBER_LEAD)
        return false;
    ret->verb = (enum member_verb)verb;
    return true;
}

void members_encode(struct buf *out, const struct configuration *c)
{
    pack_uint(out, c->count);
    for (size_t i = 0; i < c->count; i++) {
        const struct member *m = &c->members[i];
        pack_uint(out, m->id);
        pack_bytes(out, slice_str(m->peer_address));
        pack_bytes(out, slice_str(m->client_address));
        pack_bytes(out, slice_str(m->name));
        pack_bool(out, m->voter);
        pack_bool(out, m->automatic);
        pack_uint(out, m->replaces);
    }
}

bool members_decode(struct unpack *u, struct configuration *ret)
{
    *ret = (struct configuration){.count = (size_t)unpack_below(u, CONSENSUS_MEMBERS_MAX + 1)};
    for (size_t i = 0; i < ret->count && !u->bad; i++) {
        struct member *m = &ret->members[i];
        m->id = unpack_uint(u);
        if (!member_text(m->peer_address, unpack_bytes(u)) || !member_text(m->client_address, unpack_bytes(u)) ||
            !member_text(m->name, unpack_bytes(u)))
            return false;
        m->voter = unpack_bool(u);
        m->automatic = unpack_bool(u);
        m->replaces = unpack_uint(u);
    }
    return !u->bad;
}
