/* model --seed N --operations N: random requests to two replicas of the store's state machine and to the reference, comparing
 * every answer, error and event. Requests and answers go through their wire encoding; now and then one replica is rebuilt from
 * a snapshot of the other, and their hashes must stay equal. Every ROUND_OPERATIONS both begin anew. */
#include "common/base.h"

#include "raftstore/apply.h"
#include "raftstore/lease.h"
#include "tests/model/generate.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#define ROUND_OPERATIONS 20000
#define REPLICAS 2

struct run;
struct replica {
    struct run *run;
    struct apply *apply;
    struct machine machine;
    struct buf result;    /* of the last command */
    size_t events_seen;   /* of the model's */
    struct mvcc_hold hold;
    bool holding;
};

struct run {
    struct words words;
    struct model model;
    struct generator generator;
    struct replica replicas[REPLICAS];
    struct arena arena;
    uint8_t client[STORE_ID_BYTES];
    uint64_t seed, index, sequence, stamp_ms, operation;
    uint64_t refused, events, watched, compactions, restores, expired;
};

#define CHECK(run, condition)                                                                                              \
    do {                                                                                                                   \
        if (!(condition)) {                                                                                                \
            fprintf(stderr, "model: seed %" PRIu64 " operation %" PRIu64 ": %s:%d: %s\n", (run)->seed, (run)->operation,   \
                    __FILE__, __LINE__, #condition);                                                                       \
            abort();                                                                                                       \
        }                                                                                                                  \
    } while (0)

/* --- comparing --- */

static bool same_kv(const struct kv *a, const struct kv *b)
{
    return slice_equal(a->key, b->key) && slice_equal(a->value, b->value) && a->create_revision == b->create_revision &&
           a->mod_revision == b->mod_revision && a->version == b->version && a->lease == b->lease;
}

static bool same_kvs(const struct kv *a, const struct kv *b, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (!same_kv(&a[i], &b[i]))
            return false;
    return true;
}

static bool same_range(const struct kv_range_result *a, const struct kv_range_result *b)
{
    return a->count == b->count && a->more == b->more && a->kv_count == b->kv_count && same_kvs(a->kvs, b->kvs, a->kv_count);
}

static bool same_txn(const struct kv_txn_result *a, const struct kv_txn_result *b);

static bool same_op(const struct kv_op_result *a, const struct kv_op_result *b)
{
    if (a->kind != b->kind)
        return false;
    switch (a->kind) {
    case KV_OP_RANGE: return same_range(&a->range, &b->range);
    case KV_OP_PUT: return a->put.has_prev == b->put.has_prev && (!a->put.has_prev || same_kv(&a->put.prev, &b->put.prev));
    case KV_OP_DELETE:
        return a->delete.deleted == b->delete.deleted && a->delete.prev_count == b->delete.prev_count &&
               same_kvs(a->delete.prevs, b->delete.prevs, a->delete.prev_count);
    case KV_OP_TXN: return same_txn(&a->txn, &b->txn);
    }
    return false;
}

static bool same_txn(const struct kv_txn_result *a, const struct kv_txn_result *b)
{
    bool same = a->succeeded == b->succeeded && a->result_count == b->result_count;
    for (size_t i = 0; same && i < a->result_count; i++)
        same = same_op(&a->results[i], &b->results[i]);
    return same;
}

/* At a revision that was compacted as the newest, the store may have let go of what it replaced. */
static void forgive(const struct run *run, const struct kv_event *got, struct kv_event *wanted)
{
    if (wanted->kv.mod_revision == run->model.compact && !got->has_prev)
        wanted->has_prev = false;
}

static bool same_event(const struct kv_event *a, const struct kv_event *b)
{
    if (a->is_delete != b->is_delete || a->has_prev != b->has_prev || (a->has_prev && !same_kv(&a->prev, &b->prev)))
        return false;
    return a->is_delete ? slice_equal(a->kv.key, b->kv.key) && a->kv.mod_revision == b->kv.mod_revision : same_kv(&a->kv, &b->kv);
}

/* --- replicas --- */

static void on_events(void *arg, int64_t revision, const struct kv_event *events, size_t n)
{
    struct replica *r = arg;
    for (size_t i = 0; i < n; i++) {
        CHECK(r->run, r->events_seen < r->run->model.event_count);
        struct kv_event wanted = model_event(&r->run->model, r->events_seen++);
        CHECK(r->run, events[i].kv.mod_revision == revision && same_event(&events[i], &wanted));
    }
    r->run->events += n;
}

static void on_result(void *arg, const struct store_command *c, struct slice result)
{
    struct replica *r = arg;
    (void)c;
    buf_reset(&r->result);
    buf_append_slice(&r->result, result);
}

static void replica_init(struct run *run, struct replica *r)
{
    r->run = run;
    r->apply = apply_new(&(struct apply_options){.on_events = on_events, .on_result = on_result, .arg = r});
    r->machine = apply_machine(r->apply);
}

/* One command to both replicas, after the model has done it; *ret_result is what the first one answers. */
static struct store_result submit(struct run *run, const struct store_command *c, struct unpack *ret_body)
{
    struct buf entry = {0};
    struct store_result head;
    entry_begin(&entry, run->stamp_ms);
    command_encode(&entry, c);
    run->index++;
    for (size_t i = 0; i < REPLICAS; i++) {
        struct replica *r = &run->replicas[i];
        r->machine.ops->apply(r->machine.impl, run->index, 1, buf_slice(&entry));
        CHECK(run, r->events_seen == run->model.event_count);
        CHECK(run, mvcc_revision(apply_mvcc(r->apply)) == run->model.revision);
        if (one_in(&run->generator, 2))
            (void)mvcc_compact_step(apply_mvcc(r->apply), below(&run->generator, 9)); /* done when it can be */
    }
    CHECK(run, slice_equal(buf_slice(&run->replicas[0].result), buf_slice(&run->replicas[1].result)));
    CHECK(run, apply_hash(run->replicas[0].apply) == apply_hash(run->replicas[1].apply));
    buf_release(&entry);
    *ret_body = unpack_of(buf_slice(&run->replicas[0].result));
    bool ok = c->kind == COMMAND_LEASE_EXPIRE || result_decode(ret_body, &head);
    CHECK(run, ok);
    return c->kind == COMMAND_LEASE_EXPIRE ? (struct store_result){0} : head;
}

static struct store_command command_of(struct run *run, enum store_command_kind kind, const struct buf *body)
{
    struct store_command c = {.kind = kind, .body = buf_slice(body), .sequence = ++run->sequence, .oldest = run->sequence};
    memcpy(c.client, run->client, STORE_ID_BYTES);
    return c;
}

/* The answer must name the cause that the model names, or be a success at the model's revision. */
static bool expect(struct run *run, const struct store_result *head, enum store_error error)
{
    const struct store_error_row *row = error == STORE_ERRORS ? NULL : store_error_row(error);
    CHECK(run, head->status == (row == NULL ? 0 : row->status));
    CHECK(run, row == NULL || store_error_find(head->message) == row);
    CHECK(run, head->revision == run->model.revision);
    run->refused += row != NULL;
    return row == NULL;
}

/* --- operations --- */

/* The same write again: the first answer again, and nothing happens. */
static void repeat(struct run *run, const struct store_command *c)
{
    struct unpack body;
    struct buf before = {0};
    buf_append_slice(&before, buf_slice(&run->replicas[0].result));
    (void)submit(run, c, &body);
    CHECK(run, slice_equal(buf_slice(&before), buf_slice(&run->replicas[0].result)));
    buf_release(&before);
}

static void do_txn(struct run *run)
{
    struct kv_txn txn = random_txn(&run->generator, &run->arena, 0);
    struct kv_txn_result wanted, got;
    struct buf encoded = {0};
    struct unpack body;
    struct err err;
    txn_encode(&encoded, &txn);
    enum store_error error = model_txn(&run->model, &txn, &run->arena, &wanted);
    struct store_command c = command_of(run, COMMAND_TXN, &encoded);
    int status = apply_check(&c, &run->arena, &err);
    CHECK(run, status == (error == STORE_DUPLICATE_KEY ? ERR_INVALID : 0));
    struct store_result head = submit(run, &c, &body);
    if (expect(run, &head, error)) {
        bool ok = txn_result_decode(&body, &run->arena, &got);
        CHECK(run, ok && same_txn(&got, &wanted));
    }
    if (one_in(&run->generator, 16))
        repeat(run, &c);
    buf_release(&encoded);
}

static void do_range(struct run *run)
{
    struct kv_range asked = random_range(&run->generator), range;
    struct kv_range_result wanted, got, decoded;
    struct buf bytes = {0}, answer = {0};
    struct err err;
    range_encode(&bytes, &asked);
    struct unpack u = unpack_of(buf_slice(&bytes)), v;
    bool ok = range_decode(&u, &range);
    CHECK(run, ok && unpack_done(&u));
    enum store_error error = model_range(&run->model, &asked, &run->arena, &wanted);
    for (size_t i = 0; i < REPLICAS; i++) {
        int status = mvcc_range(apply_mvcc(run->replicas[i].apply), &range, &run->arena, &got, &err);
        CHECK(run, status == (error == STORE_ERRORS ? 0 : store_error_row(error)->status));
        CHECK(run, status == 0 || store_error_find(slice_str(err.message)) == store_error_row(error));
        if (status != 0)
            continue;
        buf_reset(&answer);
        range_result_encode(&answer, &got);
        v = unpack_of(buf_slice(&answer));
        ok = range_result_decode(&v, &run->arena, &decoded);
        CHECK(run, ok && same_range(&decoded, &wanted));
    }
    run->refused += error != STORE_ERRORS;
    buf_release(&bytes);
    buf_release(&answer);
}

static void do_compact(struct run *run)
{
    struct buf bytes = {0};
    struct unpack body;
    int64_t revision = random_revision(&run->generator);
    pack_int(&bytes, revision);
    enum store_error error = model_compact(&run->model, revision);
    struct store_command c = command_of(run, COMMAND_COMPACT, &bytes);
    struct store_result head = submit(run, &c, &body);
    run->compactions += expect(run, &head, error);
    buf_release(&bytes);
}

static int64_t random_ttl_s(struct generator *g) { return one_in(g, 20) ? 0 : one_in(g, 20) ? 9000000001 : 1 + (int64_t)below(g, 30); }

static void do_grant(struct run *run)
{
    struct buf bytes = {0};
    struct unpack body;
    int64_t id = 1 + (int64_t)below(&run->generator, MODEL_LEASES), ttl_s = random_ttl_s(&run->generator);
    pack_int(&bytes, id);
    pack_int(&bytes, ttl_s);
    enum store_error error = model_grant(&run->model, id, ttl_s);
    struct store_command c = command_of(run, COMMAND_LEASE_GRANT, &bytes);
    struct store_result head = submit(run, &c, &body);
    (void)expect(run, &head, error); /* a success says nothing more */
    buf_release(&bytes);
}

static void do_revoke(struct run *run)
{
    struct buf bytes = {0};
    struct unpack body;
    int64_t id = 1 + (int64_t)below(&run->generator, MODEL_LEASES);
    pack_int(&bytes, id);
    enum store_error error = model_revoke(&run->model, id);
    struct store_command c = command_of(run, COMMAND_LEASE_REVOKE, &bytes);
    struct store_result head = submit(run, &c, &body);
    (void)expect(run, &head, error);
    buf_release(&bytes);
}

static void do_keepalive(struct run *run)
{
    struct buf bytes = {0};
    struct unpack body;
    int64_t id = 1 + (int64_t)below(&run->generator, MODEL_LEASES);
    pack_uint(&bytes, 1);
    pack_int(&bytes, id);
    bool there = model_renew(&run->model, id);
    struct store_command c = command_of(run, COMMAND_LEASE_KEEPALIVE, &bytes);
    struct store_result head = submit(run, &c, &body);
    (void)expect(run, &head, STORE_ERRORS);
    CHECK(run, unpack_uint(&body) == (there ? 1 : 0));
    buf_release(&bytes);
}

/* What a leader proposes, rightly or too early; the entry's time decides. */
static void do_expire(struct run *run)
{
    struct buf bytes = {0};
    struct unpack body;
    int64_t due[MODEL_LEASES];
    size_t n = leases_due(apply_leases(run->replicas[0].apply), run->model.now_ms, due, MODEL_LEASES);
    if (n == 0 || one_in(&run->generator, 4))
        due[0] = 1 + (int64_t)below(&run->generator, MODEL_LEASES), n = 1;
    pack_uint(&bytes, n);
    for (size_t i = 0; i < n; i++) {
        pack_int(&bytes, due[i]);
        run->expired += run->model.leases[due[i]].there;
        model_expire(&run->model, due[i]);
    }
    struct store_command c = {.kind = COMMAND_LEASE_EXPIRE, .body = buf_slice(&bytes)};
    (void)submit(run, &c, &body);
    buf_release(&bytes);
}

/* A watch from some revision: all pages of history, then it would be live. */
static void do_watch(struct run *run)
{
    struct kv_span span = random_span(&run->generator);
    int64_t from = random_revision(&run->generator), newest = run->model.revision;
    struct mvcc *m = apply_mvcc(run->replicas[below(&run->generator, REPLICAS)].apply);
    size_t at = 0, bytes_max = one_in(&run->generator, 2) ? 30 : 100000;
    struct kv_event *events;
    size_t n;
    struct err err;
    for (int64_t next = from; next <= newest;) {
        int status = mvcc_events(m, &span, next, newest, bytes_max, &run->arena, &events, &n, &next, &err);
        CHECK(run, status == (from < run->model.compact ? ERR_COMPACTED : 0));
        if (status != 0)
            return;
        for (size_t i = 0; i < n; i++, at++) {
            struct kv_event wanted;
            do {
                CHECK(run, at < run->model.event_count);
                wanted = model_event(&run->model, at);
            } while ((wanted.kv.mod_revision < from || !model_holds(&span, wanted.kv.key)) && ++at);
            forgive(run, &events[i], &wanted);
            CHECK(run, same_event(&events[i], &wanted));
        }
        run->watched += n;
    }
    for (; from <= newest && at < run->model.event_count; at++) {
        struct kv_event left = model_event(&run->model, at);
        CHECK(run, left.kv.mod_revision < from || !model_holds(&span, left.kv.key));
    }
}

static void drop_hold(struct replica *r)
{
    if (r->holding)
        mvcc_unhold(apply_mvcc(r->apply), &r->hold);
    r->holding = false;
}

/* An answer in parts: its revision stays readable for it while others compact. */
static void do_hold(struct run *run, struct replica *r)
{
    struct kv_range range = random_range(&run->generator);
    struct kv_range_result wanted, got;
    struct mvcc *m = apply_mvcc(r->apply);
    int64_t revision = random_revision(&run->generator);
    if (!r->holding) {
        r->holding = revision >= run->model.compact && revision <= run->model.revision && mvcc_hold(m, revision, &r->hold);
        return;
    }
    range.revision = r->hold.revision;
    int64_t compact = run->model.compact;
    run->model.compact = 0; /* the model keeps everything */
    enum store_error error = model_range(&run->model, &range, &run->arena, &wanted);
    run->model.compact = compact;
    int status = mvcc_range_held(m, &r->hold, &range, &run->arena, &got, NULL);
    got.count = wanted.count; /* is not counted */
    CHECK(run, error == STORE_ERRORS && status == 0 && same_range(&got, &wanted));
    if (one_in(&run->generator, 4))
        drop_hold(r);
}

/* One replica becomes a copy of the other. */
static void do_restore(struct run *run)
{
    struct replica *from = &run->replicas[below(&run->generator, REPLICAS)];
    struct replica *to = from == &run->replicas[0] ? &run->replicas[1] : &run->replicas[0];
    drop_hold(to);
    void *pin = from->machine.ops->pin(from->machine.impl), *restore = to->machine.ops->restore_begin(to->machine.impl);
    int status = 0;
    for (bool last = false; !last && status == 0;) {
        struct buf piece = {0};
        status = from->machine.ops->read(pin, &piece, &last, NULL);
        if (status == 0)
            status = to->machine.ops->restore_piece(restore, buf_slice(&piece), NULL);
        buf_release(&piece);
    }
    from->machine.ops->unpin(from->machine.impl, pin);
    CHECK(run, status == 0);
    status = to->machine.ops->restore_end(to->machine.impl, restore, true, NULL);
    CHECK(run, status == 0);
    CHECK(run, apply_hash(from->apply) == apply_hash(to->apply));
    run->restores++;
}

static void one_operation(struct run *run)
{
    struct generator *g = &run->generator;
    uint64_t kind = below(g, 1000);
    if (one_in(g, 4))
        run->stamp_ms += below(g, 1500);
    uint64_t stamp = run->stamp_ms, back = below(g, 3000);
    if (one_in(g, 30))
        run->stamp_ms -= MIN(run->stamp_ms, back); /* a new leader's clock: time never goes back for it */
    bool submits = kind < 420 || (kind >= 800 && kind < 950);
    if (submits) /* time is that of entries */
        run->model.now_ms = MAX(run->model.now_ms, run->stamp_ms);
    if (kind < 420)
        do_txn(run);
    else if (kind < 720)
        do_range(run);
    else if (kind < 800)
        do_watch(run);
    else if (kind < 850)
        do_grant(run);
    else if (kind < 870)
        do_revoke(run);
    else if (kind < 900)
        do_keepalive(run);
    else if (kind < 930)
        do_expire(run);
    else if (kind < 950)
        do_compact(run);
    else if (kind < 998)
        do_hold(run, &run->replicas[below(g, REPLICAS)]);
    else
        do_restore(run);
    run->stamp_ms = MAX(stamp, run->stamp_ms);
    arena_clear(&run->arena);
}

static void open_session(struct run *run)
{
    struct unpack body;
    struct store_command c = {.kind = COMMAND_SESSION_OPEN, .client = "the model's own"};
    struct store_result head = submit(run, &c, &body);
    struct slice id = unpack_bytes(&body);
    CHECK(run, head.kind == RESULT_SESSION && id.size == STORE_ID_BYTES);
    memcpy(run->client, id.data, STORE_ID_BYTES);
    run->sequence = 0;
}

static void run_round(struct run *run, uint64_t operations)
{
    model_init(&run->model, &run->words);
    run->generator.model = &run->model;
    run->index = 0;
    run->stamp_ms = run->model.now_ms = 1000;
    for (size_t i = 0; i < REPLICAS; i++) {
        run->replicas[i] = (struct replica){0};
        replica_init(run, &run->replicas[i]);
    }
    open_session(run);
    for (; operations > 0; operations--, run->operation++)
        one_operation(run);
    for (size_t i = 0; i < REPLICAS; i++) {
        apply_free(run->replicas[i].apply);
        buf_release(&run->replicas[i].result);
    }
    model_release(&run->model);
}

static int usage(void)
{
    fputs("usage: model [--seed N] [--operations N]\n", stderr);
    return 2;
}

int main(int argc, char **argv)
{
    uint64_t seed = 1, operations = 100000;
    for (int i = 1; i + 1 < argc; i += 2) {
        char *end;
        uint64_t value = strtoull(argv[i + 1], &end, 10);
        uint64_t *into = strcmp(argv[i], "--seed") == 0 ? &seed : strcmp(argv[i], "--operations") == 0 ? &operations : NULL;
        if (into == NULL || *end != '\0' || end == argv[i + 1])
            return usage();
        *into = value;
    }
    if (argc % 2 == 0)
        return usage();
    struct run *run = NEW(struct run);
    run->seed = seed;
    words_init(&run->words);
    prng_seed(&run->generator.prng, seed);
    for (uint64_t left = operations; left > 0; left -= MIN(left, (uint64_t)ROUND_OPERATIONS))
        run_round(run, MIN(left, (uint64_t)ROUND_OPERATIONS));
    printf("seed %" PRIu64 ": %" PRIu64 " operations, %" PRIu64 " refused, %" PRIu64 " events, %" PRIu64 " of history watched, %" PRIu64
           " compactions, %" PRIu64 " leases ended by time, %" PRIu64 " restores: all as the model\n",
           seed, operations, run->refused, run->events, run->watched, run->compactions, run->expired, run->restores);
    mem_free(run);
    return 0;
}
