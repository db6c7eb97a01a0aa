/* EDN and histories: what is printed is read as it was; what is malformed is refused with its line. */
#include "tests/test.h"

#include "common/random.h"
#include "jepsen/history.h"
#include "jepsen/windows.h"

#include <stdio.h>

static int read_edn(const char *text, struct arena *arena, struct edn *ret)
{
    struct slice rest = slice_str(text);
    return edn_read(&rest, arena, ret, NULL, NULL);
}

static void prints_what_it_reads(void **state)
{
    static const char *const texts[][2] = {
        {"nil", "nil"}, {"true", "true"}, {"-42", "-42"}, {"+7N", "7"}, {":a/b-c", ":a/b-c"}, {"\"a\\n\\\"\\\\b\"", "\"a\\n\\\"\\\\b\""},
        {" [1 (2 3), #{4} []] ", "[1 [2 3] #{4} []]"}, {"{:a 1 :b {}}", "{:a 1, :b {}}"}, {"#_ [1] ; what\n 2", "2"},
        {"#jepsen.history.Op{:index 3}", "{:index 3}"}, {"9223372036854775799", "9223372036854775799"},
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
        struct arena arena = {0};
        struct buf out = {0};
        struct edn e;
        assert_int_equal(read_edn(texts[i][0], &arena, &e), 1);
        edn_print(&out, e);
        assert_string_equal(out.data, texts[i][1]);
        buf_release(&out);
        arena_clear(&arena);
    }
}

static void malformed_is_refused(void **state)
{
    static const char *const texts[] = {"[1", "{:a}", "\"x", "\"\\q\"", "foo", "1x", "99999999999999999999", "]", "#", "[1 #_]", "\\a", "-x", "\"\\",
                                        "[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]"};
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
        struct arena arena = {0};
        struct edn e;
        assert_int_equal(read_edn(texts[i], &arena, &e), ERR_BAD_REQUEST);
        arena_clear(&arena);
    }
}

/* Any bytes end in a value or an error, never outside the text. */
static void noise(void **state)
{
    static const char alphabet[] = "[]{}()#_:;,\"\\ab01- \n";
    struct prng prng;
    (void)state;
    prng_seed(&prng, 7);
    for (int round = 0; round < 20000; round++) {
        size_t size = prng_next(&prng) % 24;
        char *text = mem_alloc(size);
        struct arena arena = {0};
        struct slice rest = {text, size};
        struct edn e;
        for (size_t i = 0; i < size; i++)
            text[i] = alphabet[prng_next(&prng) % (sizeof alphabet - 1)];
        while (edn_read(&rest, &arena, &e, NULL, NULL) == 1)
            ;
        arena_clear(&arena);
        mem_free(text);
    }
}

static void round_trip(void **state)
{
    struct history h = {0}, again = {0};
    struct buf text = {0}, second = {0};
    const struct edn pair[] = {edn_int(3), edn_int(-9)};
    (void)state;
    for (int i = 0; i < 1000; i++) {
        history_add(&h, &(struct operation){.time_ns = i * 1000, .process = i % 7 == 6 ? PROCESS_NEMESIS : i % 7, .type = (enum operation_type)(i % 4),
                                            .f = SLICE("cas"), .value = i % 3 == 0 ? (struct edn){0} : edn_vector(pair, 2),
                                            .error = i % 4 == 3 ? SLICE("no answer \"in time\"") : SLICE("")});
        operation_print(&text, &h.operations[i]);
    }
    assert_ok(history_read(&again, buf_slice(&text), NULL));
    assert_int_equal(again.count, h.count);
    for (size_t i = 0; i < again.count; i++)
        operation_print(&second, &again.operations[i]);
    assert_string_equal(text.data, second.data);
    buf_release(&text);
    buf_release(&second);
    history_release(&h);
    history_release(&again);
}

static void bad_histories(void **state)
{
    static const struct {
        const char *text, *why;
    } cases[] = {
        {"7", "line 1: an operation is a map"},
        {"{:process 0 :type :invoke :f :read}\n{:process 0 :type :maybe :f :read}", "line 2: :type"},
        {"{:process 0 :type :invoke :f 3}", "line 1: :f"},
        {"{:process -1 :type :invoke :f :read}", "line 1: :process"},
        {"{:process 0 :type :invoke :f :read :time :now}", "line 1: :time"},
        {"{:index 1 :process 0 :type :invoke :f :read}", "line 1: :index must be 0"},
        {"\n\n{:process 0", "line 3: EDN"},
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct history h = {0};
        struct err err;
        assert_int_equal(history_read(&h, slice_str(cases[i].text), &err), ERR_BAD_REQUEST);
        assert_non_null(strstr(err.message, cases[i].why));
        history_release(&h);
    }
}

#define OP(process, type, f) "{:process " #process " :type :" type " :f :" f "}\n"
static void attempts(void **state)
{
    static const char *const wrong[] = {
        OP(0, "ok", "read"),
        OP(0, "invoke", "read") OP(0, "invoke", "read"),
        OP(0, "invoke", "read") OP(0, "info", "read") OP(0, "invoke", "read"),
    };
    struct history h = {0};
    struct attempt *a;
    size_t n;
    (void)state;
    assert_ok(history_read(&h, slice_str("[" OP(0, "invoke", "read") OP(:nemesis, "info", "kill") OP(1, "invoke", "write") OP(0, "ok", "read")
                                         OP(1, "info", "write") OP(2, "invoke", "cas") "]"), NULL));
    assert_ok(history_attempts(&h, &a, &n, NULL));
    assert_int_equal(n, 3);
    assert_true(attempt_ok(&a[0]) && attempt_end(&a[0]) == 3);
    assert_true(attempt_is(&a[1], "write") && attempt_end(&a[1]) == INT64_MAX);
    assert_null(a[2].done);
    mem_free(a);
    history_release(&h);
    for (size_t i = 0; i < ARRAY_LEN(wrong); i++) {
        assert_ok(history_read(&h, slice_str(wrong[i]), NULL));
        assert_int_equal(history_attempts(&h, &a, &n, NULL), ERR_BAD_REQUEST);
        history_release(&h);
    }
}

/* Faults come into the clients' history in the order of time, are read again as they were, and no checker sees them. */
static void faults_between_operations(void **state)
{
    static const char *const wanted[] = {":start-partition", ":invoke", ":start-partition", ":start-process", ":ok", ":start-process", ":invoke",
                                         ":stop-partition", ":stop-partition"};
    const struct slice lines = SLICE("1000.5 1001.5 1004 1005 partition one-way --direction in\n1002 1002.5 1002.5 1002.5 failed: process kill\n");
    struct history h = {0}, merged = {0}, again = {0};
    struct buf text = {0};
    struct window *windows;
    struct attempt *a;
    size_t count, n;
    (void)state;
    assert_ok(history_read(&h, SLICE("{:index 0 :time 1000000000 :process 0 :type :invoke :f :read}{:index 1 :time 2000000000 :process 0 :type :ok :f :read}"
                                     "{:index 2 :time 3000000000 :process 0 :type :invoke :f :read}"), NULL));
    assert_ok(windows_read(lines, 1000, &windows, &count, NULL));
    assert_int_equal(count, 2);
    windows_merge(&h, windows, count, &merged);
    assert_int_equal(merged.count, ARRAY_LEN(wanted));
    for (size_t i = 0; i < merged.count; i++)
        operation_print(&text, &merged.operations[i]);
    struct slice rest = buf_slice(&text);
    for (size_t i = 0; i < ARRAY_LEN(wanted); i++) {
        struct slice line = slice_cut(&rest, '\n');
        assert_non_null(memmem(line.data, line.size, wanted[i], strlen(wanted[i])));
    }
    assert_non_null(strstr(text.data, "{:index 0, :time 500000000, :process :nemesis, :type :info, :f :start-partition, :value \"one-way --direction in\"}\n"));
    assert_non_null(strstr(text.data, ":f :start-process, :value \"kill\", :error \"it could not be started\"}"));
    assert_ok(history_read(&again, buf_slice(&text), NULL));
    assert_int_equal(again.operations[0].process, PROCESS_NEMESIS);
    assert_ok(history_attempts(&again, &a, &n, NULL));
    assert_int_equal(n, 2);
    assert_true(attempt_ok(&a[0]) && attempt_end(&a[0]) == 4 && a[1].done == NULL);
    mem_free(a);
    mem_free(windows);
    assert_int_equal(windows_read(SLICE("1 2 x 4 partition one"), 0, &windows, &count, NULL), ERR_BAD_REQUEST);
    assert_int_equal(windows_read(SLICE("1 2 3"), 0, &windows, &count, NULL), ERR_BAD_REQUEST);
    buf_release(&text);
    history_release(&h);
    history_release(&merged);
    history_release(&again);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(prints_what_it_reads), cmocka_unit_test(malformed_is_refused), cmocka_unit_test(noise),
        cmocka_unit_test(round_trip), cmocka_unit_test(bad_histories), cmocka_unit_test(attempts),
        cmocka_unit_test(faults_between_operations),
    };
    return RUN_TESTS(tests);
}
