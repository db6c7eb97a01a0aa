#include "tests/test.h"

#include "common/json.h"
#include "raftstore/http_keys.h"

static void put(struct mvcc *m, struct slice key, struct slice value)
{
    struct kv_op op = {.kind = KV_OP_PUT, .put = {.key = key, .value = value}};
    struct kv_txn_result result;
    struct arena arena = {0};
    const struct kv_event *events;
    size_t n;
    assert_ok(mvcc_apply(m, &(struct kv_txn){.success = &op, .success_count = 1}, &arena, &result, &events, &n, NULL));
    arena_clear(&arena);
}

static void check(struct mvcc *m, const char *path, bool recursive, int status, const char *wanted)
{
    struct buf out = {0};
    struct json_doc *d = json_doc_new();
    struct json *parsed;
    assert_int_equal(http_keys_render(m, slice_str(path), recursive, &out), status);
    assert_ok(json_parse(d, buf_slice(&out), &parsed, NULL));
    if (!slice_is(buf_slice(&out), wanted))
        fail_msg("%s: %.*s", path, SLICE_ARGS(buf_slice(&out)));
    json_doc_free(d);
    buf_release(&out);
}

static void tree(void **state UNUSED)
{
    struct mvcc *m = mvcc_new();
    check(m, "", false, 200, "{\"action\":\"get\",\"node\":{\"key\":\"/\",\"dir\":true,\"nodes\":[],\"modifiedIndex\":0,\"createdIndex\":0}}\n");
    put(m, SLICE("/a/b/c"), SLICE("1")); /* 2 */
    put(m, SLICE("/a/b/d"), SLICE("2")); /* 3 */
    put(m, SLICE("/a/b0"), SLICE("\"quoted\"")); /* 4 */
    put(m, SLICE("/a/b/c"), SLICE("3")); /* 5 */
    put(m, SLICE("plain"), SLICE("\xff"));
    check(m, "/a/b0", false, 200,
          "{\"action\":\"get\",\"node\":{\"key\":\"/a/b0\",\"value\":\"\\\"quoted\\\"\",\"modifiedIndex\":4,\"createdIndex\":4}}\n");
    check(m, "/a/", false, 200,
          "{\"action\":\"get\",\"node\":{\"key\":\"/a\",\"dir\":true,\"nodes\":["
          "{\"key\":\"/a/b\",\"dir\":true,\"modifiedIndex\":5,\"createdIndex\":2},"
          "{\"key\":\"/a/b0\",\"value\":\"\\\"quoted\\\"\",\"modifiedIndex\":4,\"createdIndex\":4}],\"modifiedIndex\":5,\"createdIndex\":2}}\n");
    check(m, "/a/b", true, 200,
          "{\"action\":\"get\",\"node\":{\"key\":\"/a/b\",\"dir\":true,\"nodes\":["
          "{\"key\":\"/a/b/c\",\"value\":\"3\",\"modifiedIndex\":5,\"createdIndex\":2},"
          "{\"key\":\"/a/b/d\",\"value\":\"2\",\"modifiedIndex\":3,\"createdIndex\":3}],\"modifiedIndex\":5,\"createdIndex\":2}}\n");
    check(m, "/plain", false, 200,
          "{\"action\":\"get\",\"node\":{\"key\":\"/plain\",\"value\":\"/w==\",\"encoding\":\"base64\",\"modifiedIndex\":6,\"createdIndex\":6}}\n");
    check(m, "/none", false, 404, "{\"errorCode\":100,\"message\":\"Key not found\",\"cause\":\"/none\",\"index\":6}\n");
    check(m, "/a/b/c/d", false, 404, "{\"errorCode\":100,\"message\":\"Key not found\",\"cause\":\"/a/b/c/d\",\"index\":6}\n");
    mvcc_free(m);
}

/* Bounds: more keys than an answer may have, more bytes, deeper than anybody reads. */
static void bounds(void **state UNUSED)
{
    struct mvcc *m = mvcc_new();
    struct buf out = {0}, key = {0};
    for (int i = 0; i <= HTTP_KEYS_MAX; i++) {
        buf_reset(&key);
        buf_printf(&key, "/many/%06d", i);
        put(m, buf_slice(&key), SLICE(""));
    }
    check(m, "/many", false, 413, "{\"errorCode\":400,\"message\":\"Too much below this path: ask for a longer one\",\"cause\":\"/many\",\"index\":20002}\n");
    char *value = mem_zalloc(1u << 20);
    memset(value, 'x', 1u << 20);
    for (int i = 0; i < 20; i++) {
        buf_reset(&key);
        buf_printf(&key, "/large/%06d", i);
        put(m, buf_slice(&key), slice_of(value, 1u << 20));
    }
    assert_int_equal(http_keys_render(m, SLICE("/large"), true, &out), 413);
    buf_reset(&key);
    for (int i = 0; i < 5000; i++)
        buf_append_str(&key, "/d");
    put(m, buf_slice(&key), SLICE("deep"));
    buf_reset(&out);
    assert_int_equal(http_keys_render(m, SLICE("/d"), true, &out), 200);
    assert_int_equal(http_keys_render(m, buf_slice(&key), true, &out), 200);
    mem_free(value);
    buf_release(&key);
    buf_release(&out);
    mvcc_free(m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(tree), cmocka_unit_test(bounds)};
    return RUN_TESTS(tests);
}
