/* What is encoded comes back; what is cut, oversized or random is refused and never read out of bounds. */
#include "tests/test.h"

#include "common/random.h"
#include "raftstore/apply.h"
#include "raftstore/store_wire.h"

static void numbers(void **state UNUSED)
{
    const int64_t values[] = {0, 1, 127, 128, 255, 256, 65535, 65536, INT64_C(1) << 40, INT64_MAX, -1, -32, -33, -129, -40000, INT64_MIN};
    for (size_t i = 0; i < ARRAY_LEN(values); i++) {
        struct buf b = {0};
        pack_int(&b, values[i]);
        struct unpack u = unpack_of(buf_slice(&b));
        assert_int_equal(unpack_int(&u), values[i]);
        assert_true(unpack_done(&u));
        buf_release(&b);
    }
    struct buf b = {0};
    pack_uint(&b, UINT64_MAX);
    pack_bool(&b, true);
    pack_bytes(&b, SLICE("bytes"));
    struct unpack u = unpack_of(buf_slice(&b));
    assert_true(unpack_uint(&u) == UINT64_MAX && unpack_bool(&u));
    assert_slice_equal(unpack_bytes(&u), "bytes");
    assert_true(unpack_done(&u));
    (void)unpack_uint(&u);
    assert_true(u.bad);
    buf_release(&b);
}

static const struct kv_op some_ops[] = {
    {.kind = KV_OP_RANGE, .range = {.span = {{"a", 1}, {"z", 1}}, .limit = 5, .revision = 9, .order = KV_ORDER_DESCEND,
                                    .sort = KV_SORT_MOD, .keys_only = true, .max_mod_revision = 77}},
    {.kind = KV_OP_PUT, .put = {.key = {"k", 1}, .value = {"v", 1}, .lease = -5, .prev_kv = true, .ignore_lease = true}},
    {.kind = KV_OP_DELETE, .delete = {.span = {{"b", 1}, {"\0", 1}}, .prev_kv = true}},
};

static void sample(struct buf *out)
{
    const struct kv_compare compare = {.span = {.key = SLICE("c")}, .target = KV_COMPARE_VALUE, .result = KV_NOT_EQUAL,
                                       .value = SLICE("x")};
    const struct kv_op nested = {.kind = KV_OP_TXN, .txn = {.failure = some_ops, .failure_count = 3}};
    txn_encode(out, &(struct kv_txn){&compare, some_ops, &nested, 1, 3, 1});
}

static void transactions(void **state UNUSED)
{
    struct buf b = {0}, again = {0};
    struct arena arena = {0};
    struct kv_txn txn;
    sample(&b);
    struct unpack u = unpack_of(buf_slice(&b));
    assert_ok(txn_decode(&u, &arena, &txn, NULL));
    assert_true(unpack_done(&u));
    assert_true(txn.success[0].range.keys_only && txn.success[0].range.max_mod_revision == 77);
    assert_true(txn.success[1].put.lease == -5 && txn.success[1].put.ignore_lease && !txn.success[1].put.ignore_value);
    txn_encode(&again, &txn);
    assert_true(slice_equal(buf_slice(&b), buf_slice(&again)));
    arena_clear(&arena);
    buf_release(&b);
    buf_release(&again);
}

static void results(void **state UNUSED)
{
    struct kv kvs[] = {{SLICE("k"), SLICE("v"), 1, 2, 3, 4}};
    struct kv_op_result ops[] = {
        {.kind = KV_OP_RANGE, .range = {kvs, 1, 8, true}}, {.kind = KV_OP_PUT, .put = {true, kvs[0]}},
        {.kind = KV_OP_DELETE, .delete = {1, kvs, 1}},     {.kind = KV_OP_TXN, .txn = {.succeeded = true}}};
    struct kv_txn_result r = {true, ops, 4}, back;
    struct buf b = {0};
    struct arena arena = {0};
    struct store_result head;
    result_begin(&b, 42, RESULT_TXN);
    txn_result_encode(&b, &r);
    struct unpack u = unpack_of(buf_slice(&b));
    assert_true(result_decode(&u, &head) && txn_result_decode(&u, &arena, &back) && unpack_done(&u));
    assert_true(head.status == 0 && head.revision == 42 && head.kind == RESULT_TXN);
    assert_true(back.succeeded && back.result_count == 4 && back.results[0].range.more && back.results[3].txn.succeeded);
    assert_int_equal(back.results[2].delete.prevs[0].lease, 4);
    buf_reset(&b);
    result_error(&b, 7, ERR_COMPACTED, "gone");
    u = unpack_of(buf_slice(&b));
    assert_true(result_decode(&u, &head) && head.status == ERR_COMPACTED && slice_is(head.message, "gone"));
    buf_release(&b);
    arena_clear(&arena);
}

static void decode_everything(struct slice bytes)
{
    struct arena arena = {0};
    struct kv_txn txn;
    struct kv_txn_result txn_result;
    struct kv_range range;
    struct kv_range_result range_result;
    struct store_result result;
    struct store_command command;
    struct kv_event event;
    uint64_t stamp;
    struct unpack u = unpack_of(bytes), commands;
    if (txn_decode(&u, &arena, &txn, NULL) == 0)
        (void)mvcc_check(&txn, NULL);
    u = unpack_of(bytes);
    (void)txn_result_decode(&u, &arena, &txn_result);
    u = unpack_of(bytes);
    (void)range_decode(&u, &range);
    u = unpack_of(bytes);
    (void)range_result_decode(&u, &arena, &range_result);
    u = unpack_of(bytes);
    (void)result_decode(&u, &result);
    u = unpack_of(bytes);
    event_decode(&u, &event);
    if (entry_open(bytes, &stamp, &commands))
        while (command_decode(&commands, &command))
            (void)apply_check(&command, &arena, NULL);
    arena_clear(&arena);
}

static void garbage(void **state UNUSED)
{
    struct buf b = {0};
    struct prng prng;
    prng_seed(&prng, 11);
    sample(&b);
    for (int i = 0; i < 30000; i++) {
        struct buf bad = {0};
        size_t size = prng_next(&prng) % (b.size + 1);
        buf_append(&bad, b.data, size);
        for (uint64_t flips = prng_next(&prng) % 4; size > 0 && flips > 0; flips--)
            bad.data[prng_next(&prng) % size] = (char)prng_next(&prng);
        for (size_t j = 0; i % 3 == 0 && j < size; j++)
            bad.data[j] = (char)prng_next(&prng);
        char *exact = mem_dup(bad.data, size); /* so that the sanitizer sees one byte too far */
        decode_everything(slice_of(exact, size));
        mem_free(exact);
        buf_release(&bad);
    }
    for (size_t cut = 0; cut < b.size; cut++) {
        struct arena arena = {0};
        struct kv_txn txn;
        struct unpack u = unpack_of(slice_of(b.data, cut));
        assert_int_equal(txn_decode(&u, &arena, &txn, NULL), ERR_INVALID);
        arena_clear(&arena);
    }
    buf_release(&b);
}

/* Counts that claim more than is there, and nesting without end. */
static void bombs(void **state UNUSED)
{
    struct buf b = {0};
    struct arena arena = {0};
    struct kv_txn txn;
    struct kv_range_result range;
    pack_uint(&b, 0);
    pack_uint(&b, 1u << 30);
    struct unpack u = unpack_of(buf_slice(&b));
    assert_int_equal(txn_decode(&u, &arena, &txn, NULL), ERR_TOO_LARGE);
    buf_reset(&b);
    pack_uint(&b, UINT64_MAX);
    u = unpack_of(buf_slice(&b));
    assert_false(range_result_decode(&u, &arena, &range));
    buf_reset(&b);
    for (int i = 0; i < 100000; i++)
        buf_append(&b, "\0\1\3", 3);
    u = unpack_of(buf_slice(&b));
    assert_int_equal(txn_decode(&u, &arena, &txn, NULL), ERR_TOO_LARGE);
    arena_clear(&arena);
    buf_release(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(numbers), cmocka_unit_test(transactions), cmocka_unit_test(results),
        cmocka_unit_test(garbage), cmocka_unit_test(bombs),
    };
    return RUN_TESTS(tests);
}
