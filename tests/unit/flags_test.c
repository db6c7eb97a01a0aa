#include "tests/test.h"

#include "common/flags.h"

struct targets {
    const char *name;
    bool quick;
    int64_t limit;
    uint64_t bytes;
    unsigned wait_ms;
};

static int parse(struct targets *t, struct flags_result *r, struct err *err, char *(*lookup)(const char *), char **argv)
{
    const struct flag flags[] = {
        {"name", FLAG_TEXT, &t->name, "who", 'n', "TEST_NAME"}, {"quick", FLAG_BOOL, &t->quick, "hurry", 0, NULL},
        {"limit", FLAG_INT, &t->limit, "how many", 0, NULL},    {"bytes", FLAG_SIZE, &t->bytes, "room", 0, NULL},
        {"wait", FLAG_MS, &t->wait_ms, "patience", 0, NULL},    {0},
    };
    int argc = 0;
    while (argv[argc] != NULL)
        argc++;
    return flags_parse(flags, argc, argv, lookup, r, err);
}

#define ARGV(...) ((char *[]){(char *)"program", __VA_ARGS__, NULL})

static char *environment(const char *name) { return strcmp(name, "TEST_NAME") == 0 ? (char *)"from-environment" : NULL; }

static void values(void **state UNUSED)
{
    struct targets t = {.limit = 7};
    struct flags_result r;
    assert_ok(parse(&t, &r, NULL, environment,
                    ARGV("get", "-n", "a b", "--quick", "--limit=-3", "--bytes", "64k", "key", "--wait=250ms", "--", "--x")));
    assert_string_equal(t.name, "a b");
    assert_true(t.quick && t.limit == -3 && t.bytes == 65536 && t.wait_ms == 250 && !r.help);
    assert_int_equal(r.argument_count, 3);
    assert_string_equal(r.arguments[2], "--x");
    flags_release(&r);
    assert_ok(parse(&t, &r, NULL, environment, ARGV("--help", "--quick=false")));
    assert_true(r.help && !t.quick);
    assert_string_equal(t.name, "from-environment");
    flags_release(&r);
}

static void refusals(void **state UNUSED)
{
    struct targets t = {0};
    struct flags_result r;
    struct err err;
    char **bad[] = {ARGV("--nope"), ARGV("--limit"), ARGV("--limit", "4x"), ARGV("--bytes", "-1"), ARGV("--wait", "5y"),
                    ARGV("--quick=maybe"), ARGV("--bytes", "99999999999999g")};
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        err.message[0] = '\0';
        assert_int_equal(parse(&t, &r, &err, NULL, bad[i]), ERR_BAD_REQUEST);
        assert_non_null(strstr(err.message, "--"));
    }
}

static void help(void **state UNUSED)
{
    struct buf out = {0};
    int64_t limit = 5;
    flags_help((const struct flag[]){{"limit", FLAG_INT, &limit, "how many", 'l', NULL}, {0}}, "Usage: x", &out);
    assert_non_null(strstr(out.data, "-l, --limit N"));
    assert_non_null(strstr(out.data, "how many (default 5)"));
    buf_release(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(values), cmocka_unit_test(refusals), cmocka_unit_test(help)};
    return RUN_TESTS(tests);
}
