/* json_scan.h against the parser: the same values, whatever lies before them and wherever blocks end. */
#include "tests/test.h"

#include "common/buf.h"
#include "common/json.h"
#include "common/json_scan.h"
#include "common/mem.h"

static const char *const paths[] = {"metadata.labels", "metadata.name", "spec.node.name",
                                    "status",          "count",         "absent.x"};
#define N ARRAY_LEN(paths)

static void check(struct slice text)
{
    struct slice picked[N];
    struct json_doc *d = json_doc_new();
    struct json *tree, *one;
    assert_int_equal(json_pick(text, paths, N, picked, NULL), 0);
    assert_int_equal(json_parse(d, text, &tree, NULL), 0);
    for (size_t i = 0; i < N; i++) {
        const struct json *wanted = json_at(tree, paths[i]);
        assert_true((picked[i].data != NULL) == (json_type(wanted) != JSON_NONE));
        if (picked[i].data == NULL)
            continue;
        assert_int_equal(json_parse(d, picked[i], &one, NULL), 0);
        assert_true(json_equal(one, wanted));
    }
    json_doc_free(d);
}

static const char *const fillers[] = {"\"x\"",     "12.5e3",       "null",
                                      "[]",        "{}",           "[[{\"}\":\"]\"}],\"{\"]",
                                      "\"\\\"}\"", "\"\\\\\\\\\"", "{\"a\\\\\":\"\\\\\\\"{[\"}"};

/* Every filler before the values, pushed over the ends of blocks byte by byte. */
static void finds_what_the_parser_finds(void **state)
{
    (void)state;
    for (size_t f = 0; f < ARRAY_LEN(fillers); f++) {
        for (size_t pad = 0; pad < 130; pad++) {
            struct buf text = {0};
            buf_printf(&text,
                       "{\"pad\":[\"%*s\",%s],\"metadata\":{\"f\":%s,\"labels\":{\"a\":\"b\",\"c/"
                       "d\":\"\"},\"name\":\"n\\\"1\"},",
                       (int)pad, "", fillers[f], fillers[f]);
            buf_printf(&text, "\"spec\" : {\"node\": {\"name\":\"m\"}, \"f\":%s} ,\"status\":%s,\"count\":-3.5}",
                       fillers[f], fillers[f]);
            check(buf_slice(&text));
            buf_release(&text);
        }
    }
}

static void refuses_what_does_not_end(void **state)
{
    (void)state;
    static const char text[] = "{\"metadata\":{\"labels\":{\"a\":\"b\\\"\"},\"name\":\"x\",\"more\":[1,{\"y\":\"a text "
                               "that is longer than a block of "
                               "sixty-four bytes, with } and { in it\"}]},\"count\":12}";
    struct slice picked[N];
    assert_int_equal(json_pick(SLICE(text), paths, N, picked, NULL), 0);
    assert_true(slice_is(picked[4], "12"));
    for (size_t cut = 0; cut < sizeof text - 1; cut++) {
        char *copy = mem_alloc(cut + 1); /* so that a sanitizer sees a read behind it */
        memcpy(copy, text, cut);
        assert_int_equal(json_pick(slice_of(copy, cut), paths, N, picked, NULL), ERR_CORRUPT);
        mem_free(copy);
    }
    static const char *const bad[] = {
        "", "[]", "x", "{\"a\":}", "{\"a\"}", "{a:1}", "{\"metadata\":{\"a\":1]}", "{}}", "{} x", "{\"a\":1 \"b\""};
    for (size_t i = 0; i < ARRAY_LEN(bad); i++)
        assert_int_equal(json_pick(slice_str(bad[i]), paths, N, picked, NULL), ERR_CORRUPT);
}

static void tells_members(void **state)
{
    (void)state;
    struct slice object = SLICE("{\"a\":\"1\", \"b\":{\"c\":2}}"), name, value;
    size_t at = 0;
    assert_true(json_pick_member(object, &at, &name, &value));
    assert_true(slice_is(name, "\"a\"") && slice_is(value, "\"1\""));
    assert_true(json_pick_member(object, &at, &name, &value));
    assert_true(slice_is(name, "\"b\"") && slice_is(value, "{\"c\":2}"));
    assert_false(json_pick_member(object, &at, &name, &value));
    at = 0;
    assert_false(json_pick_member(SLICE("[1]"), &at, &name, &value));
    assert_false(json_pick_member((struct slice){NULL, 0}, &at, &name, &value));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(finds_what_the_parser_finds),
        cmocka_unit_test(refuses_what_does_not_end),
        cmocka_unit_test(tells_members),
    };
    return RUN_TESTS(tests);
}
