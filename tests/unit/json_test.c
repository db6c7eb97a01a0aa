#include "tests/support/json_text.h"

static void assert_prints(const struct json *v, const char *text)
{
    struct buf out = {0};
    json_print(v, &out);
    assert_string_equal(out.data, text);
    buf_release(&out);
}

static void keeps_order_and_numbers(void **state)
{
    (void)state;
    struct json_doc *d = json_doc_new();
    assert_prints(parse(d, "{ \"b\": 1.50, \"a\": [1e3, -0, \"x\\u0041\"], \"c\": null }"),
                  "{\"b\":1.50,\"a\":[1e3,-0,\"xA\"],\"c\":null}");
    json_doc_free(d);
}

/* Values share the bytes they were parsed from, and copies the bytes of their first. */
static void shares_strings(void **state)
{
    static const char text[] = "{\"a\":[],\"b\":{},\"c\":[1,{\"d\":\"e\\n\",\"f\":[[true]]},\"\"],\"g\":-0.5}";
    struct mem_pool pool = {.free = NULL};
    struct json_doc *outer = json_doc_new_in(&pool), *inner = json_doc_new_in(&pool);
    struct json *v = NULL, *copy;
    (void)state;
    assert_ok(json_parse(outer, slice_str(text), &v, NULL));
    copy = json_share(inner, v);
    json_append(json_get(v, "a"), json_new_int(outer, 7)); /* two trees all the same */
    assert_prints(copy, text);
    assert_ptr_equal(json_string(json_get(json_element(json_get(copy, "c"), 1), "d")).data,
                     json_string(json_get(json_element(json_get(v, "c"), 1), "d")).data);
    struct json_iterator i = json_iterate(json_get(copy, "c"));
    assert_true(json_next(&i) && json_next(&i));
    json_iterator_remove(&i);
    json_append(json_get(copy, "c"), json_new_str(inner, "h"));
    json_add_named(inner, json_get(copy, "b"), "key", 3, json_new_null(inner));
    assert_prints(copy, "{\"a\":[],\"b\":{\"key\":null},\"c\":[1,\"\",\"h\"],\"g\":-0.5}");
    assert_prints(v, "{\"a\":[7],\"b\":{},\"c\":[1,{\"d\":\"e\\n\",\"f\":[[true]]},\"\"],\"g\":-0.5}");
    json_doc_free(inner);
    json_doc_free(outer);
    mem_pool_release(&pool);
}

/* Documents larger than a block, and many in a row out of one pool. */
static void documents_of_every_size(void **state)
{
    struct mem_pool pool = {.free = NULL};
    (void)state;
    for (size_t n = 1; n < 3 * MEM_BLOCK_BYTES; n = n * 3 + 1) {
        struct json_doc *of_pool = json_doc_new_in(&pool), *of_heap = json_doc_new();
        struct buf text = {0};
        struct json *v = NULL;
        buf_append_str(&text, "[\"");
        for (size_t i = 0; i < n; i++)
            buf_append_char(&text, 'x');
        buf_append_str(&text, "\"]");
        assert_ok(json_parse(of_pool, buf_slice(&text), &v, NULL));
        assert_int_equal(json_string(json_element(v, 0)).size, n);
        assert_prints(json_copy(of_heap, v), text.data);
        json_doc_free(of_pool);
        json_doc_free(of_heap);
        buf_release(&text);
    }
    mem_pool_release(&pool);
    assert_int_equal(pool.count, 0);
}

/* Empty containers do not nest, so many of them are not deep; the bound is exact however many there are. */
static void depth_is_bounded_exactly(void **state)
{
    (void)state;
    for (size_t depth = JSON_DEPTH_MAX - 1; depth <= JSON_DEPTH_MAX + 1; depth++) {
        struct buf text = {0};
        struct json_doc *d = json_doc_new();
        struct json *v = NULL;
        for (size_t i = 0; i + 1 < depth; i++)
            buf_append_str(&text, "[{},[],");
        buf_append_str(&text, "{}");
        for (size_t i = 0; i + 1 < depth; i++)
            buf_append_char(&text, ']');
        assert_int_equal(json_parse(d, buf_slice(&text), &v, NULL), depth > JSON_DEPTH_MAX ? ERR_BAD_REQUEST : 0);
        if (depth <= JSON_DEPTH_MAX)
            assert_int_equal(json_depth(v), depth);
        json_doc_free(d);
        buf_release(&text);
    }
}

static void refuses_what_is_not_json(void **state)
{
    (void)state;
    static const char *const bad[] = {"", "{", "{\"a\":}", "[1,]", "01", "\"\xff\"", "{} x", "nul"};
    struct json_doc *d = json_doc_new();
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        struct json *v;
        struct err err;
        assert_int_equal(json_parse(d, slice_str(bad[i]), &v, &err), ERR_BAD_REQUEST);
        assert_non_null(strstr(err.message, "invalid JSON"));
    }
    char deep[2 * JSON_DEPTH_MAX + 3] = {0};
    memset(deep, '[', JSON_DEPTH_MAX + 1);
    memset(deep + JSON_DEPTH_MAX + 1, ']', JSON_DEPTH_MAX + 1);
    struct json *v;
    struct err err;
    assert_int_equal(json_parse(d, slice_str(deep), &v, &err), ERR_BAD_REQUEST);
    assert_non_null(strstr(err.message, "deeper"));
    json_doc_free(d);
}

static void reads_integers(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        bool is_int;
        int64_t value;
    } cases[] = {
        {"0", true, 0},           {"-1", true, -1},
        {"1e3", true, 1000},      {"2.0", true, 2},
        {"2.5", false, 0},        {"9223372036854775807", true, INT64_MAX},
        {"1e400", false, 0},      {"-9223372036854775808", true, INT64_MIN},
        {"1.5e1", true, 15},      {"9223372036854775808", false, 0},
        {"100e-2", true, 1},      {"1e99999999999999999999999999", false, 0},
        {"0e999999999", true, 0}, {"1e-999999999", false, 0},
    };
    struct json_doc *d = json_doc_new();
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        int64_t v = 0;
        assert_int_equal(json_int(parse(d, cases[i].text), &v), cases[i].is_int);
        assert_true(v == cases[i].value);
    }
    json_doc_free(d);
}

static void finds_by_path_and_forgives_wrong_types(void **state)
{
    (void)state;
    struct json_doc *d = json_doc_new();
    struct json *v = parse(d, "{\"spec\":{\"nodeName\":\"n1\",\"replicas\":3,\"on\":true}}");
    assert_slice_equal(json_string_at(v, "spec.nodeName"), "n1");
    assert_int_equal(json_int_at(v, "spec.replicas", -1), 3);
    assert_true(json_bool_at(v, "spec.on", false));
    assert_null(json_at(v, "spec.missing.deeper"));
    assert_null(json_string_at(v, "spec.replicas").data);
    assert_int_equal(json_int_at(NULL, "a.b", 7), 7);
    json_doc_free(d);
}

static void changes_in_place(void **state)
{
    (void)state;
    struct json_doc *d = json_doc_new();
    struct json *v = parse(d, "{\"a\":1,\"b\":2,\"l\":[1,2,3]}");
    json_set_str(d, v, "a", "x");
    json_set_int(d, v, "c", 5);
    assert_true(json_remove(v, "b"));
    assert_false(json_remove(v, "b"));
    struct json *l = json_get(v, "l");
    json_insert(l, 0, json_new_int(d, 0));
    json_remove_element(l, 2);
    json_replace_element(l, 0, json_new_str(d, "z"));
    json_set_str(d, json_ensure_object(d, v, "m.n"), "k", "v");
    assert_prints(v, "{\"a\":\"x\",\"l\":[\"z\",1,3],\"c\":5,\"m\":{\"n\":{\"k\":\"v\"}}}");
    json_doc_free(d);
}

static void iterates_and_removes(void **state)
{
    (void)state;
    struct json_doc *d = json_doc_new();
    struct json *v = parse(d, "{\"a\":1,\"b\":null,\"c\":null,\"d\":[null,1,null]}");
    struct json_iterator i = json_iterate(v);
    while (json_next(&i)) {
        if (json_type(i.value) == JSON_NULL)
            json_iterator_remove(&i);
        struct json_iterator j = json_iterate(json_type(i.value) == JSON_ARRAY ? i.value : NULL);
        while (json_next(&j))
            if (json_type(j.value) == JSON_NULL)
                json_iterator_remove(&j);
    }
    assert_prints(v, "{\"a\":1,\"d\":[1]}");
    json_doc_free(d);
}

static void note_path(void *out, const char *path) { buf_printf(out, "%s ", path); }

static void the_last_of_each_counts(void **state)
{
    (void)state;
    struct json_doc *d = json_doc_new();
    const struct json *v =
        parse(d, "{\"a\":1,\"o\":{\"x\":1,\"p\":{\"q\":1}},\"a\":[{\"b\":1,\"b\":2}],\"o\":{\"x\":2,\"y\":3,"
                 "\"p\":{\"r\":2}},\"n\":{\"x\":1},\"n\":null,\"n\":{\"y\":1}}");
    assert_prints(json_last_of_each(d, v, false),
                  "{\"a\":[{\"b\":2}],\"o\":{\"x\":2,\"y\":3,\"p\":{\"r\":2}},\"n\":{\"y\":1}}");
    assert_prints(json_last_of_each(d, v, true),
                  "{\"a\":[{\"b\":2}],\"o\":{\"x\":2,\"p\":{\"q\":1,\"r\":2},\"y\":3},\"n\":{\"y\":1}}");
    assert_prints(json_last_of_each(d, parse(d, "{}"), true), "{}");
    json_doc_free(d);
}

/* Every member is looked at once, however many stand under one key. */
static void many_under_one_key(void **state)
{
    (void)state;
    struct json_doc *d = json_doc_new();
    struct buf text = {0};
    const char *separator = "{\"a\":{";
    for (int i = 0; i < 100000; i++, separator = ",")
        buf_printf(&text, "%s\"k%d\":1", separator, i);
    buf_append_char(&text, '}');
    for (int i = 0; i < 100000; i++)
        buf_append_str(&text, ",\"a\":{\"k1\":2}");
    buf_append_char(&text, '}');
    const struct json *v = json_last_of_each(d, parse(d, text.data), true);
    assert_int_equal(json_size(v), 1);
    assert_int_equal(json_size(json_get(v, "a")), 100000);
    assert_int_equal(json_int_at(v, "a.k1", 0), 2);
    buf_release(&text);
    json_doc_free(d);
}

static void compares_and_finds_duplicates(void **state)
{
    (void)state;
    struct json_doc *d = json_doc_new();
    assert_true(json_equal(parse(d, "{\"a\":1,\"b\":[1.0,{}]}"), parse(d, "{\"b\":[1,{}],\"a\":1}")));
    assert_false(json_equal(parse(d, "{\"a\":1}"), parse(d, "{\"a\":\"1\"}")));
    struct buf path = {0};
    assert_false(json_duplicate(parse(d, "{\"a\":{\"b\":1},\"c\":{\"b\":1}}"), &path));
    assert_true(json_duplicate(parse(d, "{\"a\":[{\"x\":1},{\"b\":1,\"b\":2}]}"), &path));
    assert_string_equal(path.data, "a[1].b");
    buf_reset(&path);
    json_duplicates(parse(d, "{\"a\":[{\"x\":1},{\"b\":1,\"b\":{\"y\":0},\"b\":{\"y\":1,\"y\":2}}],\"c\":1,\"a\":0}"),
                    note_path, &path);
    assert_string_equal(path.data, "a[1].b a[1].b.y a ");
    buf_release(&path);
    json_doc_free(d);
}

static void parses_paths(void **state)
{
    (void)state;
    struct json_doc *d = json_doc_new();
    struct json *v;
    static const char *const paths[] = {"a.b", "a.c.d", "list", "gone.x", "text.x"};
    assert_ok(
        json_parse_paths(d, SLICE("{\"a\":{\"b\":1,\"c\":{\"d\":[2],\"e\":3},\"f\":4},\"list\":[{}],\"text\":\"t\"}"),
                         paths, ARRAY_LEN(paths), &v, NULL));
    assert_prints(v, "{\"a\":{\"b\":1,\"c\":{\"d\":[2]}},\"list\":[{}],\"text\":{}}");
    assert_int_equal(json_parse_paths(d, SLICE("{\"a\":{\"b\":1},}"), paths, 1, &v, NULL), ERR_BAD_REQUEST);
    assert_ok(json_parse_paths(d, SLICE("[1]"), paths, 1, &v, NULL));
    assert_prints(v, "{}");
    json_doc_free(d);
}

static void repairs_broken_utf8(void **state)
{
    (void)state;
    struct json_doc *d = json_doc_new();
    assert_prints(json_new_string(d, SLICE("a\xff\xc3\xa9")), "\"a\xef\xbf\xbd\xc3\xa9\"");
    struct buf out = {0};
    json_print_string(SLICE("q\"\\\n\x01"), &out);
    assert_string_equal(out.data, "\"q\\\"\\\\\\n\\u0001\"");
    buf_release(&out);
    json_doc_free(d);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(keeps_order_and_numbers),
        cmocka_unit_test(refuses_what_is_not_json),
        cmocka_unit_test(reads_integers),
        cmocka_unit_test(finds_by_path_and_forgives_wrong_types),
        cmocka_unit_test(changes_in_place),
        cmocka_unit_test(iterates_and_removes),
        cmocka_unit_test(compares_and_finds_duplicates),
        cmocka_unit_test(the_last_of_each_counts),
        cmocka_unit_test(many_under_one_key),
        cmocka_unit_test(parses_paths),
        cmocka_unit_test(shares_strings),
        cmocka_unit_test(documents_of_every_size),
        cmocka_unit_test(depth_is_bounded_exactly),
        cmocka_unit_test(repairs_broken_utf8),
    };
    return RUN_TESTS(tests);
}
