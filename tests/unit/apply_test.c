#include "tests/test.h"

#include "common/random.h"
#include "raftstore/apply.h"
#include "raftstore/lease.h"
#include "raftstore/store_limits.h"

#include <stdio.h>

struct fixture {
    struct apply *apply;
    struct machine machine;
    struct buf entry, result; /* result: of the last command */
    uint64_t index, now_ms;
    int event_calls;
    uint8_t client[STORE_ID_BYTES];
};

static void on_events(void *arg, int64_t revision, const struct kv_event *events, size_t n)
{
    struct fixture *f = arg;
    for (size_t i = 0; i < n; i++)
        assert_int_equal(events[i].kv.mod_revision, revision);
    f->event_calls++;
}

static void on_result(void *arg, const struct store_command *c UNUSED, struct slice result)
{
    struct fixture *f = arg;
    buf_reset(&f->result);
    buf_append_slice(&f->result, result);
}

static void commit(struct fixture *f)
{
    f->machine.ops->apply(f->machine.impl, ++f->index, 1, buf_slice(&f->entry));
    buf_reset(&f->entry);
}

static void add(struct fixture *f, const uint8_t *client, uint64_t sequence, uint64_t oldest, enum store_command_kind kind,
                struct slice body)
{
    struct store_command c = {.sequence = sequence, .oldest = oldest, .kind = kind, .body = body};
    memcpy(c.client, client, STORE_ID_BYTES);
    if (f->entry.size == 0)
        entry_begin(&f->entry, f->now_ms);
    command_encode(&f->entry, &c);
}

static struct store_result last(struct fixture *f, struct unpack *u)
{
    struct store_result r;
    *u = unpack_of(buf_slice(&f->result));
    assert_true(result_decode(u, &r));
    return r;
}

static int last_status(struct fixture *f)
{
    struct unpack u;
    return last(f, &u).status;
}

static void open_session(struct fixture *f)
{
    struct unpack u;
    add(f, (const uint8_t[STORE_ID_BYTES]){7, 7}, 0, 0, COMMAND_SESSION_OPEN, SLICE(""));
    commit(f);
    assert_int_equal(last(f, &u).kind, RESULT_SESSION);
    memcpy(f->client, unpack_bytes(&u).data, STORE_ID_BYTES);
}

static void start(struct fixture *f)
{
    *f = (struct fixture){.now_ms = 1000};
    f->apply = apply_new(&(struct apply_options){.on_events = on_events, .on_result = on_result, .arg = f});
    f->machine = apply_machine(f->apply);
    open_session(f);
}

static void stop(struct fixture *f)
{
    apply_free(f->apply);
    buf_release(&f->entry);
    buf_release(&f->result);
}

static void put(struct fixture *f, uint64_t sequence, uint64_t oldest, struct slice key, struct slice value, int64_t lease)
{
    struct kv_op op = {.kind = KV_OP_PUT, .put = {.key = key, .value = value, .lease = lease}};
    struct buf body = {0};
    txn_encode(&body, &(struct kv_txn){.success = &op, .success_count = 1});
    add(f, f->client, sequence, oldest, COMMAND_TXN, buf_slice(&body));
    commit(f);
    buf_release(&body);
}

static int64_t revision(struct fixture *f) { return mvcc_revision(apply_mvcc(f->apply)); }

static void once(void **state UNUSED)
{
    struct fixture f;
    struct unpack u;
    start(&f);
    put(&f, 1, 1, SLICE("a"), SLICE("1"), 0);
    assert_int_equal(last(&f, &u).revision, 2);
    put(&f, 3, 1, SLICE("c"), SLICE("3"), 0); /* out of order is fine */
    put(&f, 2, 1, SLICE("b"), SLICE("2"), 0);
    assert_int_equal(f.event_calls, 3);
    put(&f, 1, 1, SLICE("a"), SLICE("1"), 0); /* a repeat: the first result, no second execution */
    assert_int_equal(last(&f, &u).revision, 2);
    assert_int_equal(revision(&f), 4);
    put(&f, 4, 4, SLICE("d"), SLICE("4"), 0); /* acknowledges 1 to 3 */
    put(&f, 2, 1, SLICE("b"), SLICE("2"), 0);
    assert_int_equal(last_status(&f), ERR_OUTCOME_UNKNOWN);
    put(&f, 4 + SESSION_WINDOW_MAX, 4, SLICE("x"), SLICE(""), 0);
    assert_int_equal(last_status(&f), ERR_INVALID);
    assert_int_equal(revision(&f), 5);
    assert_int_equal(f.event_calls, 4);
    stop(&f);
}

static void unknown_sessions(void **state UNUSED)
{
    struct fixture f;
    start(&f);
    put(&f, 1, 1, SLICE("a"), SLICE("1"), 0);
    f.now_ms += SESSION_EXPIRY_MS + 1;
    put(&f, 1, 1, SLICE("a"), SLICE("1"), 0);
    assert_int_equal(last_status(&f), ERR_OUTCOME_UNKNOWN);
    assert_int_equal(revision(&f), 2);
    uint8_t before[STORE_ID_BYTES];
    memcpy(before, f.client, sizeof before);
    open_session(&f);
    assert_memory_not_equal(before, f.client, sizeof before);
    put(&f, 1, 1, SLICE("a"), SLICE("1"), 0);
    assert_int_equal(last_status(&f), 0);
    stop(&f);
}

static void refusals(void **state UNUSED)
{
    struct fixture f;
    start(&f);
    put(&f, 1, 1, SLICE("a"), SLICE("1"), 99);
    assert_int_equal(last_status(&f), ERR_NOT_FOUND); /* no such lease */
    add(&f, f.client, 2, 1, COMMAND_LEASE_GRANT, SLICE(""));
    add(&f, f.client, 3, 1, COMMAND_TXN, SLICE("garbage"));
    add(&f, f.client, 4, 1, (enum store_command_kind)200, SLICE(""));
    commit(&f);
    assert_int_equal(last_status(&f), ERR_INVALID);
    assert_int_equal(revision(&f), 1);
    struct buf body = {0};
    pack_int(&body, 7);
    add(&f, f.client, 5, 1, COMMAND_COMPACT, buf_slice(&body));
    commit(&f);
    assert_int_equal(last_status(&f), ERR_FUTURE_REVISION);
    buf_release(&body);
    stop(&f);
}

/* A result too long to keep: a repeat hears that it happened, or that nothing did; it is not executed again. */
static void long_results(void **state UNUSED)
{
    struct fixture f;
    struct buf value = {0}, body = {0};
    start(&f);
    for (size_t i = 0; i <= SESSION_RESULT_BYTES_MAX; i++)
        buf_append_char(&value, 'v');
    put(&f, 1, 1, SLICE("long"), buf_slice(&value), 0);
    struct kv_op ops[] = {{.kind = KV_OP_RANGE, .range = {.span = {.key = SLICE("long")}}},
                          {.kind = KV_OP_PUT, .put = {.key = SLICE("n")}}};
    for (uint64_t n = 1; n <= 2; n++) {
        buf_reset(&body);
        txn_encode(&body, &(struct kv_txn){.success = ops, .success_count = n});
        for (int repeat = 0; repeat < 2; repeat++) {
            add(&f, f.client, 1 + n, 1, COMMAND_TXN, buf_slice(&body));
            commit(&f);
            assert_int_equal(last_status(&f), repeat == 0 ? 0 : n == 1 ? ERR_EXPIRED : ERR_OUTCOME_UNKNOWN);
        }
    }
    assert_int_equal(revision(&f), 3);
    buf_release(&value);
    buf_release(&body);
    stop(&f);
}

static void copy_state(struct fixture *from, struct fixture *to, bool commit_it)
{
    const struct machine_ops *ops = from->machine.ops;
    void *pin = ops->pin(from->machine.impl), *restore = to->machine.ops->restore_begin(to->machine.impl);
    bool last_piece = false;
    put(from, 900, 900, SLICE("after"), SLICE("the pin"), 0); /* is not part of it */
    while (!last_piece) {
        struct buf piece = {0};
        assert_ok(ops->read(pin, &piece, &last_piece, NULL));
        assert_ok(ops->restore_piece(restore, buf_slice(&piece), NULL));
        buf_release(&piece);
    }
    assert_ok(ops->restore_end(to->machine.impl, restore, commit_it, NULL));
    ops->unpin(from->machine.impl, pin);
}

static void snapshots(void **state UNUSED)
{
    struct fixture f, g;
    start(&f);
    start(&g);
    for (uint64_t i = 1; i <= 50; i++)
        put(&f, i, i > 10 ? i - 10 : 1, slice_of("abcdefg" + i % 7, 1), slice_of("0123456789" + i % 10, 1), 0);
    uint64_t hash = f.machine.ops->hash(f.machine.impl), empty = g.machine.ops->hash(g.machine.impl);
    copy_state(&f, &g, false);
    assert_true(g.machine.ops->hash(g.machine.impl) == empty);
    stop(&f);
    start(&f);
    for (uint64_t i = 1; i <= 50; i++)
        put(&f, i, i > 10 ? i - 10 : 1, slice_of("abcdefg" + i % 7, 1), slice_of("0123456789" + i % 10, 1), 0);
    assert_true(f.machine.ops->hash(f.machine.impl) == hash); /* the same entries, the same state */
    void *pin = g.machine.ops->pin(g.machine.impl);           /* held over the restore */
    copy_state(&f, &g, true);
    g.machine.ops->unpin(g.machine.impl, pin);
    assert_true(g.machine.ops->hash(g.machine.impl) == hash);
    memcpy(g.client, f.client, sizeof g.client);
    g.index = 51;
    put(&g, 45, 41, SLICE("x"), SLICE("again"), 0); /* the copy knows what was done */
    assert_int_equal(last_status(&g), 0);
    assert_int_equal(revision(&g), 51);
    stop(&f);
    stop(&g);
}

/* Who comes back in the middle of a compaction, from a snapshot or from the log alone, stands at the same revisions as who did
 * not end, and keeps and refuses the same. */
static void compaction_over_a_crash(void **state UNUSED)
{
    enum { PUTS = 3000, COMPACTED = 2500 };
    struct fixture f, from_snapshot, from_log, *all[] = {&f, &from_log, &from_snapshot};
    for (size_t i = 0; i < ARRAY_LEN(all); i++)
        start(all[i]);
    for (size_t i = 0; i < 2; i++) { /* the first two see the same entries */
        struct buf body = {0};
        for (uint64_t n = 1; n <= PUTS; n++)
            put(all[i], n, n > 10 ? n - 10 : 1, slice_of("abcdefg" + n % 7, 1), slice_of("0123456789" + n % 10, 1), 0);
        pack_int(&body, COMPACTED);
        add(all[i], all[i]->client, PUTS + 1, PUTS, COMMAND_COMPACT, buf_slice(&body));
        commit(all[i]);
        buf_release(&body);
        assert_int_equal(last_status(all[i]), 0);
    }
    assert_true(mvcc_compact_step(apply_mvcc(f.apply), 1)); /* there is much left to do: a step is a few hundred versions */
    copy_state(&f, &from_snapshot, true);
    put(&from_log, 900, 900, SLICE("after"), SLICE("the pin"), 0); /* as copy_state did with the first */
    memcpy(from_snapshot.client, f.client, sizeof f.client);
    from_snapshot.index = f.index - 1;
    put(&from_snapshot, 900, 900, SLICE("after"), SLICE("the pin"), 0);
    for (size_t i = 0; i < ARRAY_LEN(all); i++) {
        struct mvcc *m = apply_mvcc(all[i]->apply);
        struct arena arena = {0};
        struct kv_range_result result;
        struct kv_range range = {.span = {.key = SLICE("a")}, .revision = COMPACTED - 1};
        assert_int_equal(mvcc_revision(m), mvcc_revision(apply_mvcc(f.apply)));
        assert_int_equal(mvcc_compact_revision(m), COMPACTED);
        assert_int_equal(mvcc_range(m, &range, &arena, &result, NULL), ERR_COMPACTED);
        range.revision = COMPACTED;
        assert_ok(mvcc_range(m, &range, &arena, &result, NULL));
        assert_int_equal(result.kv_count, 1);
        assert_true(apply_checkpoint(all[i]->apply) == apply_checkpoint(f.apply));
        assert_true(apply_hash(all[i]->apply) == apply_hash(f.apply));
        arena_clear(&arena);
    }
    for (size_t i = 0; i < ARRAY_LEN(all); i++)
        stop(all[i]);
}

/* The state that a restore replaces is handed out once, and may be freed by whoever took it. */
static void replaced_state(void **state UNUSED)
{
    struct fixture f, g;
    start(&f);
    start(&g);
    const struct machine_ops *ops = g.machine.ops;
    for (uint64_t i = 1; i <= 50; i++)
        put(&f, i, 1, slice_of("abcdefg" + i % 7, 1), SLICE("new"), 0);
    put(&g, 1, 1, SLICE("old"), SLICE("state"), 0);
    assert_null(ops->replaced(g.machine.impl));
    uint64_t hash = f.machine.ops->hash(f.machine.impl);
    copy_state(&f, &g, true);
    void *replaced = ops->replaced(g.machine.impl);
    assert_non_null(replaced);
    assert_null(ops->replaced(g.machine.impl));
    ops->free_replaced(replaced);
    assert_true(ops->hash(g.machine.impl) == hash);
    copy_state(&f, &g, true); /* nobody takes what this one replaces */
    copy_state(&f, &g, true);
    stop(&f);
    stop(&g);
}

static void bad_snapshots(void **state UNUSED)
{
    struct fixture f;
    struct prng prng;
    start(&f);
    prng_seed(&prng, 3);
    for (uint64_t i = 1; i <= 20; i++)
        put(&f, i, 1, SLICE("k"), SLICE("v"), 0);
    struct buf head = {0};
    bool last_piece;
    void *pin = f.machine.ops->pin(f.machine.impl);
    assert_ok(f.machine.ops->read(pin, &head, &last_piece, NULL));
    f.machine.ops->unpin(f.machine.impl, pin);
    for (int i = 0; i < 2000; i++) {
        struct buf bad = {0};
        size_t at = prng_next(&prng) % head.size;
        buf_append(&bad, head.data, i % 2 ? at : head.size);
        if (i % 2 == 0)
            bad.data[at] ^= (char)(1 << prng_next(&prng) % 8);
        void *restore = f.machine.ops->restore_begin(f.machine.impl);
        int status = f.machine.ops->restore_piece(restore, buf_slice(&bad), NULL);
        assert_true(status == ERR_CORRUPT || status == ERR_FORMAT || status == 0);
        bool commit = status == 0 && i % 2 == 1; /* a head that is cut: more is awaited, and its lack is seen at the end */
        assert_int_equal(f.machine.ops->restore_end(f.machine.impl, restore, commit, NULL), commit ? ERR_CORRUPT : 0);
        buf_release(&bad);
    }
    assert_int_equal(revision(&f), 21);
    buf_release(&head);
    stop(&f);
}

static void lease_command(struct fixture *f, uint64_t sequence, enum store_command_kind kind, int64_t a, int64_t b)
{
    struct buf body = {0};
    if (kind == COMMAND_LEASE_KEEPALIVE || kind == COMMAND_LEASE_EXPIRE)
        pack_uint(&body, 1);
    pack_int(&body, a);
    if (kind == COMMAND_LEASE_GRANT)
        pack_int(&body, b);
    add(f, f->client, sequence, 1, kind, buf_slice(&body));
    commit(f);
    buf_release(&body);
}

static size_t live(struct fixture *f, const char *key)
{
    struct arena arena = {0};
    struct kv_range_result result;
    assert_ok(mvcc_range(apply_mvcc(f->apply), &(struct kv_range){.span = {.key = slice_str(key)}}, &arena, &result, NULL));
    size_t n = result.kv_count;
    arena_clear(&arena);
    return n;
}

/* Time is the entries' own: a lease ends when an entry that says so is stamped late enough, and not before. */
static void leases_end_in_cluster_time(void **state UNUSED)
{
    struct fixture f;
    start(&f);
    lease_command(&f, 1, COMMAND_LEASE_GRANT, 7, 10);
    assert_int_equal(last_status(&f), 0);
    lease_command(&f, 2, COMMAND_LEASE_GRANT, 7, 10);
    assert_int_equal(last_status(&f), ERR_EXISTS);
    lease_command(&f, 3, COMMAND_LEASE_GRANT, 8, 0);
    assert_int_equal(last_status(&f), ERR_INVALID);
    put(&f, 4, 1, SLICE("a"), SLICE("1"), 7);
    put(&f, 5, 1, SLICE("b"), SLICE("1"), 7);
    put(&f, 6, 1, SLICE("c"), SLICE("1"), 0);
    f.now_ms += 9999;
    lease_command(&f, 0, COMMAND_LEASE_EXPIRE, 7, 0);
    assert_int_equal(live(&f, "a"), 1);
    lease_command(&f, 7, COMMAND_LEASE_KEEPALIVE, 7, 0);
    f.now_ms += 9999;
    lease_command(&f, 0, COMMAND_LEASE_EXPIRE, 7, 0);
    assert_int_equal(live(&f, "a"), 1);
    int64_t before = revision(&f);
    f.now_ms += 1;
    lease_command(&f, 0, COMMAND_LEASE_EXPIRE, 7, 0);
    assert_int_equal(revision(&f), before + 1); /* both keys in one revision */
    assert_int_equal(live(&f, "a") + live(&f, "b"), 0);
    assert_int_equal(live(&f, "c"), 1);
    lease_command(&f, 0, COMMAND_LEASE_EXPIRE, 7, 0);
    assert_int_equal(revision(&f), before + 1);
    lease_command(&f, 8, COMMAND_LEASE_REVOKE, 7, 0);
    assert_int_equal(last_status(&f), ERR_NOT_FOUND);
    stop(&f);
}

static void keys_move_between_leases(void **state UNUSED)
{
    struct fixture f, g;
    start(&f);
    start(&g);
    lease_command(&f, 1, COMMAND_LEASE_GRANT, 1, 100);
    lease_command(&f, 2, COMMAND_LEASE_GRANT, 2, 100);
    put(&f, 3, 1, SLICE("moved"), SLICE("1"), 1);
    put(&f, 4, 1, SLICE("freed"), SLICE("1"), 1);
    put(&f, 5, 1, SLICE("stays"), SLICE("1"), 1);
    put(&f, 6, 1, SLICE("moved"), SLICE("2"), 2);
    put(&f, 7, 1, SLICE("freed"), SLICE("2"), 0);
    uint64_t hash = f.machine.ops->hash(f.machine.impl);
    copy_state(&f, &g, true); /* attachments come with the keys */
    assert_true(g.machine.ops->hash(g.machine.impl) == hash);
    memcpy(g.client, f.client, sizeof g.client);
    g.index = f.index;
    struct fixture *both[] = {&f, &g};
    for (size_t i = 0; i < 2; i++) {
        lease_command(both[i], 901, COMMAND_LEASE_REVOKE, 1, 0);
        assert_int_equal(last_status(both[i]), 0);
        assert_int_equal(live(both[i], "stays"), 0);
        assert_int_equal(live(both[i], "moved") + live(both[i], "freed"), 2);
        lease_command(both[i], 902, COMMAND_LEASE_REVOKE, 2, 0);
        assert_int_equal(live(both[i], "moved"), 0);
    }
    stop(&f);
    stop(&g);
}

/* So many leases that they do not fit into one piece. */
static void a_snapshot_of_many_leases(void **state UNUSED)
{
    struct fixture f, g;
    start(&f);
    start(&g);
    for (uint64_t i = 1; i <= 250000; i++) {
        struct buf body = {0};
        pack_int(&body, (int64_t)(i * 7919));
        pack_int(&body, 1000000);
        add(&f, f.client, i, i, COMMAND_LEASE_GRANT, buf_slice(&body));
        commit(&f);
        buf_release(&body);
    }
    uint64_t hash = f.machine.ops->hash(f.machine.impl);
    copy_state(&f, &g, true);
    assert_true(g.machine.ops->hash(g.machine.impl) == hash);
    assert_non_null(leases_find(apply_leases(g.apply), 250000ll * 7919));
    stop(&f);
    stop(&g);
}

/* A restored member attached the keys in another order than the one they were put in; the deletions and so the hash must not
 * depend on it. */
static void a_lease_ends_alike_after_a_restore(void **state UNUSED)
{
    struct fixture f, g;
    start(&f);
    start(&g);
    lease_command(&f, 1, COMMAND_LEASE_GRANT, 1, 100);
    for (uint64_t i = 0; i < 20; i++)
        put(&f, i + 2, 1, slice_of("tsrqponmlkjihgfedcba" + i, 1), SLICE("v"), 1);
    copy_state(&f, &g, true);
    memcpy(g.client, f.client, sizeof g.client);
    put(&g, 900, 900, SLICE("after"), SLICE("the pin"), 0); /* as copy_state did with the other */
    g.index = f.index;
    f.now_ms += 200000;
    g.now_ms = f.now_ms;
    struct fixture *both[] = {&f, &g};
    for (size_t i = 0; i < 2; i++)
        lease_command(both[i], 0, COMMAND_LEASE_EXPIRE, 1, 0);
    assert_int_equal(live(&f, "a") + live(&g, "a"), 0);
    assert_true(mvcc_hash(apply_mvcc(f.apply)) == mvcc_hash(apply_mvcc(g.apply)));
    stop(&f);
    stop(&g);
}

/* A lease is asked for only by the puts that run: the branch not taken may name any. */
static void leases_of_the_branch_taken(void **state UNUSED)
{
    struct fixture f;
    struct kv_compare exists = {.span = {.key = SLICE("k")}, .target = KV_COMPARE_VERSION, .result = KV_GREATER};
    struct kv_op leased = {.kind = KV_OP_PUT, .put = {.key = SLICE("k"), .lease = 99}}, plain = {.kind = KV_OP_PUT, .put = {.key = SLICE("k")}};
    struct kv_txn txn = {&exists, &leased, &plain, 1, 1, 1};
    struct buf body = {0};
    start(&f);
    txn_encode(&body, &txn);
    for (uint64_t n = 1; n <= 2; n++) {
        add(&f, f.client, n, 1, COMMAND_TXN, buf_slice(&body));
        commit(&f);
        assert_int_equal(last_status(&f), n == 1 ? 0 : ERR_NOT_FOUND);
    }
    assert_int_equal(revision(&f), 2);
    buf_release(&body);
    stop(&f);
}

/* More keys than a transaction may have still go in one revision. */
static void a_large_lease_ends_in_one_revision(void **state UNUSED)
{
    struct fixture f;
    start(&f);
    lease_command(&f, 1, COMMAND_LEASE_GRANT, 1, 100);
    for (uint64_t i = 0; i < 3 * KV_TXN_OPS_MAX; i++)
        put(&f, i + 2, i + 1, slice_of(&i, sizeof i), SLICE("v"), 1);
    int64_t before = revision(&f);
    struct buf body = {0};
    pack_int(&body, 1);
    add(&f, f.client, 3 * KV_TXN_OPS_MAX + 2, 3 * KV_TXN_OPS_MAX, COMMAND_LEASE_REVOKE, buf_slice(&body));
    commit(&f);
    buf_release(&body);
    assert_int_equal(last_status(&f), 0);
    assert_int_equal(revision(&f), before + 1);
    stop(&f);
}

/* The byte of a key's value, as it stands in memory. */
static char *value_in_memory(struct fixture *f, const char *key)
{
    struct arena arena = {0};
    struct kv_range_result result;
    assert_ok(mvcc_range(apply_mvcc(f->apply), &(struct kv_range){.span = {.key = slice_str(key)}}, &arena, &result, NULL));
    assert_int_equal(result.kv_count, 1);
    char *byte = (char *)(uintptr_t)result.kvs[0].value.data;
    arena_clear(&arena);
    return byte;
}

static int scrub(struct fixture *f, size_t step)
{
    bool whole = false;
    int status = 0;
    struct err why = {0};
    for (int i = 0; i < 10000 && status == 0 && !whole; i++)
        status = apply_scrub(f->apply, step, &whole, &why);
    assert_true(status != 0 || whole);
    assert_true(status == 0 || strstr(why.message, "in memory") != NULL);
    return status;
}

/* The state is compared with its hashes in steps while it changes: nothing is wrong, until a bit is flipped. */
static void scrubbing(void **state UNUSED)
{
    struct fixture f;
    struct prng prng;
    size_t passes = 0;
    prng_seed(&prng, 11);
    struct random r = prng_random(&prng);
    start(&f);
    assert_ok(scrub(&f, 1));
    lease_command(&f, 1, COMMAND_LEASE_GRANT, 7, 1000);
    for (uint64_t i = 2; i < 6000; i++) {
        char key[16], value[32];
        bool whole;
        (void)snprintf(key, sizeof key, "k%u", (unsigned)random_below(&r, 300));
        (void)snprintf(value, sizeof value, "%u", (unsigned)random_below(&r, 1000000000));
        if (random_below(&r, 4) == 0) {
            struct kv_op op = {.kind = KV_OP_DELETE, .delete = {.span = {.key = slice_str(key)}}};
            struct buf body = {0};
            txn_encode(&body, &(struct kv_txn){.success = &op, .success_count = 1});
            add(&f, f.client, i, i > 5 ? i - 5 : 1, COMMAND_TXN, buf_slice(&body));
            commit(&f);
            buf_release(&body);
        } else {
            put(&f, i, i > 5 ? i - 5 : 1, slice_str(key), slice_str(value), random_below(&r, 3) == 0 ? 7 : 0);
        }
        assert_ok(apply_scrub(f.apply, 1 + random_below(&r, 2000), &whole, NULL));
        passes += whole;
    }
    assert_true(passes > 20);
    put(&f, 6000, 6000, SLICE("k5"), SLICE("value"), 0);
    assert_ok(scrub(&f, 100)); /* what is left of the pass under way */
    char *byte = value_in_memory(&f, "k5");
    for (int at = 0; at < 5; at++) {
        byte[at] ^= 16;
        assert_int_equal(scrub(&f, 100), ERR_CORRUPT);
        byte[at] ^= 16;
        assert_ok(scrub(&f, 100));
    }
    byte[1] ^= 1; /* written over before anybody has looked: the sum has lost what was never in it */
    put(&f, 6001, 6001, SLICE("k5"), SLICE("other"), 0);
    assert_int_equal(scrub(&f, 100), ERR_CORRUPT);
    stop(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(leases_end_in_cluster_time), cmocka_unit_test(keys_move_between_leases),
        cmocka_unit_test(a_large_lease_ends_in_one_revision), cmocka_unit_test(a_lease_ends_alike_after_a_restore),
        cmocka_unit_test(a_snapshot_of_many_leases),
        cmocka_unit_test(leases_of_the_branch_taken), cmocka_unit_test(scrubbing), cmocka_unit_test(compaction_over_a_crash),
        cmocka_unit_test(once),         cmocka_unit_test(unknown_sessions), cmocka_unit_test(refusals),
        cmocka_unit_test(long_results), cmocka_unit_test(snapshots), cmocka_unit_test(replaced_state),
        cmocka_unit_test(bad_snapshots),
    };
    return RUN_TESTS(tests);
}
