/* rsctl is a program, not a library: its pure parts are compiled in here, and what they complain about is kept. */
#include "tests/test.h"

#include "apiserver/kinds/kinds.h"
#include "common/json.h"
#include "tools/rsctl_kinds.h"

#include <stdio.h>

static char complaint[ERR_MESSAGE_MAX];

int rsctl_usage(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    (void)vsnprintf(complaint, sizeof complaint, format, args);
    va_end(args);
    return RSCTL_USAGE;
}

#include "tools/rsctl_changes.c"
#include "tools/rsctl_check_judge.c"
#include "tools/rsctl_flags.c"
#include "tools/rsctl_kinds.c"
#include "tools/rsctl_print.c"
#include "tools/rsctl_top_view.c"

#define assert_says(words) assert_non_null(strstr(complaint, words))

static void assert_text(struct buf *b, const char *wanted)
{
    assert_string_equal(b->data == NULL ? "" : b->data, wanted);
    buf_release(b);
}

/* --- the command line --- */

static struct flag all[RSCTL_FLAGS_MAX];

/* Words between blanks; "_" is an empty one. */
static int split(char *line, char *words[32])
{
    int n = 0;
    char *save = NULL;
    words[n++] = (char *)"rsctl";
    for (char *w = strtok_r(line, " ", &save); w != NULL; w = strtok_r(NULL, " ", &save))
        words[n++] = strcmp(w, "_") == 0 ? w + 1 : w;
    return n;
}

static void the_command_is_found_among_flags(void **state)
{
    (void)state;
    static const struct {
        const char *line;
        size_t nth;
        const char *word; /* NULL: none */
    } cases[] = {
        {"get a", 0, "get"}, {"get a", 1, "a"}, {"get a", 2, NULL}, {"--hex get a", 0, "get"}, {"--hex=false get a", 0, "get"},
        {"--cert get put", 0, "put"}, {"--cert=x get", 0, "get"}, {"-w json get", 0, "get"}, {"-w get", 0, NULL}, {"-- --odd a", 0, "--odd"},
        {"--limit 3 get a", 0, "get"}, {"- get", 0, "-"}, {"--unknown get", 0, "get"}, {"lock -- a", 1, "a"},
    };
    struct rsctl_flags f = {0};
    rsctl_flag_table(&f, all);
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        char line[128], *words[32];
        (void)snprintf(line, sizeof line, "%s", cases[i].line);
        int n = split(line, words), at = rsctl_find_word(all, n, words, cases[i].nth);
        if (cases[i].word == NULL)
            assert_int_equal(at, n);
        else
            assert_string_equal(words[at], cases[i].word);
    }
}

static const struct rsctl_verb get_verb = {.name = "get", .flags = "limit prefix kind", .formats = "simple"};
static const struct rsctl_verb lock_verb = {.name = "lock", .flags = "ttl", .formats = "simple", .own_words = 2};
static const struct rsctl_verb check_verb = {.name = "check", .flags = "check:prefix", .formats = "simple"};

/* The arguments that are left, between blanks. */
static int parse(const struct rsctl_verb *verb, struct rsctl_flags *f, const char *text, struct buf *ret)
{
    static char line[128]; /* texts of flags are borrowed from it until the next call */
    char *words[32];
    struct flags_result parsed;
    (void)snprintf(line, sizeof line, "%s", text);
    int n = split(line, words);
    rsctl_flag_table(f, all);
    int code = rsctl_parse_command(verb, all, n, words, &parsed);
    if (code != RSCTL_OK)
        return code;
    for (size_t i = 0; i < parsed.argument_count; i++)
        buf_printf(ret, "%s%s", i > 0 ? " " : "", parsed.arguments[i]);
    flags_release(&parsed);
    return code;
}

static void flags_are_those_of_the_command(void **state)
{
    (void)state;
    struct rsctl_flags f = {0};
    struct buf b = {0};
    assert_int_equal(parse(&get_verb, &f, "get a --limit 7 --prefix", &b), RSCTL_OK);
    assert_true(f.limit == 7 && f.prefix);
    assert_text(&b, "get a");
    assert_int_equal(parse(&get_verb, &f, "get a --ttl 7", &b), RSCTL_USAGE);
    assert_says("get: unknown flag --ttl; \"rsctl help get\"");
    assert_int_equal(parse(&get_verb, &f, "get a --limit", &b), RSCTL_USAGE);
    assert_int_equal(parse(&get_verb, &f, "get a --limit x", &b), RSCTL_USAGE);
    assert_int_equal(parse(&check_verb, &f, "check perf --prefix /mine/", &b), RSCTL_OK);
    assert_string_equal(f.check_prefix, "/mine/");
    assert_text(&b, "check perf");
}

static void what_a_lock_runs_is_left_as_it_is(void **state)
{
    (void)state;
    static const struct {
        const char *line, *arguments;
        int64_t ttl;
    } cases[] = {
        {"lock a", "lock a", 0}, {"lock a --ttl 5", "lock a", 5}, {"lock a ls -l --ttl 9", "lock a ls -l --ttl 9", 0}, {"lock --ttl 5 a ls -l", "lock a ls -l", 5},
        {"lock a -- ls -l", "lock a ls -l", 0}, {"lock -- a ls -l", "lock a ls -l", 0}, {"lock a ls -- -l", "lock a ls -- -l", 0},
        {"--ttl 5 lock a ls --help", "lock a ls --help", 5},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct rsctl_flags f = {0};
        struct buf b = {0};
        assert_int_equal(parse(&lock_verb, &f, cases[i].line, &b), RSCTL_OK);
        assert_int_equal(f.ttl, cases[i].ttl);
        assert_text(&b, cases[i].arguments);
    }
}

static void numbers_and_leases(void **state)
{
    (void)state;
    int64_t v;
    static const char *const no_numbers[] = {"", " 1", "+1", "1 ", "1x", "x", "99999999999999999999", "0x10", "-", "1.5"};
    static const char *const no_leases[] = {"", "0", "-7", "0x7", "xyz", "ffffffffffffffff", "8000000000000000", "10000000000000000", " 7", "7 "};
    for (size_t i = 0; i < ARRAY_LEN(no_numbers); i++)
        assert_false(rsctl_number(no_numbers[i], &v));
    for (size_t i = 0; i < ARRAY_LEN(no_leases); i++)
        assert_false(rsctl_lease_id(no_leases[i], &v));
    assert_true(rsctl_number("-9223372036854775808", &v) && v == INT64_MIN);
    assert_true(rsctl_lease_id("7FFFffffffffffff", &v) && v == INT64_MAX);
    assert_true(rsctl_lease_id("0000000000000077", &v) && v == 0x77);
}

static void keys_and_their_ends(void **state)
{
    (void)state;
    struct rsctl_flags plain = {0}, prefix = {.prefix = true}, from = {.from_key = true}, both = {.prefix = true, .from_key = true};
    struct buf end = {0};
    struct kv_span s;
    const char *a[] = {"a", "b", "c"}, *high[] = {"a\xff\xff"}, *highest[] = {"\xff"}, *empty[] = {""};
    assert_int_equal(rsctl_span(&plain, a, 1, &end, &s), RSCTL_OK);
    assert_true(slice_is(s.key, "a") && s.end.size == 0);
    assert_int_equal(rsctl_span(&plain, a, 2, &end, &s), RSCTL_OK);
    assert_true(slice_is(s.end, "b"));
    assert_int_equal(rsctl_span(&prefix, a, 1, &end, &s), RSCTL_OK);
    assert_true(slice_is(s.end, "b"));
    assert_int_equal(rsctl_span(&prefix, high, 1, &end, &s), RSCTL_OK);
    assert_true(slice_is(s.end, "b"));
    assert_int_equal(rsctl_span(&prefix, highest, 1, &end, &s), RSCTL_OK);
    assert_true(slice_equal(s.end, slice_of("\0", 1)));
    assert_int_equal(rsctl_span(&prefix, empty, 1, &end, &s), RSCTL_OK);
    assert_true(slice_equal(s.key, slice_of("\0", 1)) && slice_equal(s.end, slice_of("\0", 1)));
    assert_int_equal(rsctl_span(&from, a, 1, &end, &s), RSCTL_OK);
    assert_true(slice_is(s.key, "a") && slice_equal(s.end, slice_of("\0", 1)));
    assert_int_equal(rsctl_span(&both, a, 1, &end, &s), RSCTL_USAGE);
    assert_int_equal(rsctl_span(&prefix, a, 2, &end, &s), RSCTL_USAGE);
    assert_int_equal(rsctl_span(&plain, a, 3, &end, &s), RSCTL_USAGE);
    assert_int_equal(rsctl_span(&plain, a, 0, &end, &s), RSCTL_USAGE);
    assert_int_equal(rsctl_span(&plain, empty, 1, &end, &s), RSCTL_USAGE);
    buf_release(&end);
}

static void orders_and_consistency(void **state)
{
    (void)state;
    struct kv_range range;
    struct rsctl_flags f = {.sort_by = "modify", .limit = 3, .rev = 9};
    assert_int_equal(rsctl_range(&f, (struct kv_span){.key = SLICE("a")}, &range), RSCTL_OK);
    assert_true(range.sort == KV_SORT_MOD && range.order == KV_ORDER_ASCEND && range.limit == 3 && range.revision == 9 && !range.serializable);
    f = (struct rsctl_flags){.order = "Descend", .consistency = "s"};
    assert_int_equal(rsctl_range(&f, (struct kv_span){.key = SLICE("a")}, &range), RSCTL_OK);
    assert_true(range.sort == KV_SORT_KEY && range.order == KV_ORDER_DESCEND && range.serializable);
    const struct rsctl_flags bad[] = {{.order = "UP"}, {.sort_by = "SIZE"}, {.consistency = "x"}, {.keys_only = true, .count_only = true}};
    for (size_t i = 0; i < ARRAY_LEN(bad); i++)
        assert_int_equal(rsctl_range(&bad[i], (struct kv_span){.key = SLICE("a")}, &range), RSCTL_USAGE);
}

/* --- kinds --- */

/* Both ways: what the apiserver stores is known here, and the other way round. */
static void kinds_are_those_of_the_apiserver(void **state)
{
    (void)state;
    size_t stored = 0, known = 0;
    for (size_t i = 0; kinds_all()[i] != NULL; i++) {
        const struct kind *k = kinds_all()[i];
        const struct rsctl_kind *own;
        if (k->never_stored || k->stored_as != NULL) /* other versions have no keys of their own */
            continue;
        stored++;
        if (rsctl_kind_find(k->plural, &own, NULL) != 0)
            fail_msg("tools/rsctl_kinds.c lacks %s", k->plural);
        assert_string_equal(own->singular, k->singular);
        assert_string_equal(own->prefix, k->storage_prefix);
        assert_string_equal(own->group, k->group);
        assert_string_equal(own->short_name, k->short_names == NULL ? "" : k->short_names[0]);
        assert_int_equal(own->namespaced, k->namespaced);
    }
    for (const struct rsctl_kind *k = rsctl_kinds; k->plural != NULL; k++)
        known++;
    assert_int_equal(known, stored);
}

static void a_kind_has_several_names(void **state)
{
    (void)state;
    static const char *const names[] = {"deployments", "deployment", "deploy", "Deployment", "DEPLOY", "deployments.apps"};
    const struct rsctl_kind *k;
    struct err err;
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        assert_ok(rsctl_kind_find(names[i], &k, &err));
        assert_string_equal(k->plural, "deployments");
    }
    assert_int_equal(rsctl_kind_find("deployments.batch", &k, &err), ERR_NOT_FOUND);
    assert_int_equal(rsctl_kind_find("pdos", &k, &err), ERR_NOT_FOUND);
    assert_string_equal(err.message, "unknown kind \"pdos\"; near: pods");
    assert_int_equal(rsctl_kind_find("", &k, &err), ERR_NOT_FOUND);
    assert_non_null(strstr(err.message, "known: apiservices, "));
    char longest[4096];
    memset(longest, 'p', sizeof longest - 1);
    longest[sizeof longest - 1] = '\0';
    assert_int_equal(rsctl_kind_find(longest, &k, &err), ERR_NOT_FOUND);
}

static void a_kind_and_a_name_are_a_key(void **state)
{
    (void)state;
    static const struct {
        struct rsctl_flags flags;
        const char *name, *key, *end; /* name, end NULL: none; key NULL: refused */
    } cases[] = {
        {{.kind = "po"}, "web", "/registry/pods/default/web", NULL},
        {{.kind = "po", .object_namespace = "x"}, NULL, "/registry/pods/x/", "/registry/pods/x0"},
        {{.kind = "po", .all_namespaces = true}, NULL, "/registry/pods/", "/registry/pods0"},
        {{.kind = "po", .prefix = true}, "web", "/registry/pods/default/web", "/registry/pods/default/wec"},
        {{.kind = "node"}, "n1", "/registry/minions/n1", NULL},
        {{.kind = "svc"}, NULL, "/registry/services/specs/default/", "/registry/services/specs/default0"},
        {{0}, "a", "a", NULL},
        {{.kind = "node", .object_namespace = "x"}, "n1", NULL, NULL},
        {{.kind = "po", .all_namespaces = true}, "web", NULL, NULL},
        {{.kind = "po"}, "x/web", NULL, NULL},
        {{.kind = "po"}, "", NULL, NULL},
        {{.kind = "po", .object_namespace = ""}, NULL, NULL, NULL},
        {{.kind = "po", .from_key = true}, NULL, NULL, NULL},
        {{.object_namespace = "x"}, "a", NULL, NULL},
        {{.kind = "nothing"}, "a", NULL, NULL},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct rsctl_target t = {0};
        int code = rsctl_target(&cases[i].flags, &cases[i].name, cases[i].name != NULL, &t);
        assert_int_equal(code, cases[i].key == NULL ? RSCTL_USAGE : RSCTL_OK);
        if (cases[i].key != NULL)
            assert_true(slice_is(t.span.key, cases[i].key) && slice_equal(t.span.end, slice_str(cases[i].end)));
        rsctl_target_release(&t);
    }
}

static void keys_read_as_names(void **state)
{
    (void)state;
    static const char *const cases[][2] = {
        {"/registry/pods/default/web", "pods default/web"}, {"/registry/minions/n1", "nodes n1"},
        {"/registry/services/specs/a/b", "services a/b"},   {"/registry/services/endpoints/a/b", "endpoints a/b"},
        {"/registry/ranges/x/1", "ranges x/1"},             {"/registry/podsx/1", "podsx 1"},
        {"/registry/", " "},                                {"plain", "plain"}, {"/registry/pods", "pods "}};
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct buf b = {0};
        rsctl_key_name(&b, slice_str(cases[i][0]));
        assert_text(&b, cases[i][1]);
    }
}

/* --- what is written --- */

static const struct kv one = {.key = {"/registry/minions/n1", 20}, .value = {"{\"a\":[1]}", 9}, .create_revision = 2, .mod_revision = 3, .version = 2, .lease = 16};

static void a_key_in_every_form(void **state)
{
    (void)state;
    const struct kv_header h = {.cluster_id = {0, 0, 0, 0, 0, 0, 1, 2}, .member_id = 7, .revision = 9, .term = 3};
    struct kv kv = one;
    const struct kv_range_result range = {.kvs = &kv, .kv_count = 1, .count = 4, .more = true};
    struct rsctl r = {0};
    print_range(&r, &h, &range);
    assert_text(&r.out, "/registry/minions/n1\n{\"a\":[1]}\n");
    r.flags.kind = "nodes";
    r.flags.pretty = true;
    print_range(&r, &h, &range);
    assert_text(&r.out, "nodes n1\n{\n  \"a\": [\n    1\n  ]\n}\n");
    r.flags.hex = true;
    r.flags.value_only = true;
    print_range(&r, &h, &range);
    assert_text(&r.out, "\\x7b\\x22\\x61\\x22\\x3a\\x5b\\x31\\x5d\\x7d\n");
    r = (struct rsctl){.format = RSCTL_JSON};
    print_range(&r, &h, &range);
    assert_text(&r.out, "{\"header\":{\"cluster_id\":258,\"member_id\":7,\"revision\":9,\"raft_term\":3},\"kvs\":[{\"key\":\"L3JlZ2lzdHJ5L21pbmlvbnMvbjE=\","
                        "\"create_revision\":2,\"mod_revision\":3,\"version\":2,\"value\":\"eyJhIjpbMV19\",\"lease\":16}],\"more\":true,\"count\":4}\n");
    r.format = RSCTL_FIELDS;
    print_range(&r, &h, &range);
    assert_text(&r.out, "\"ClusterID\" : 258\n\"MemberID\" : 7\n\"Revision\" : 9\n\"RaftTerm\" : 3\n\"Key\" : \"/registry/minions/n1\"\n\"CreateRevision\" : 2\n"
                        "\"ModRevision\" : 3\n\"Version\" : 2\n\"Value\" : \"{\\\"a\\\":[1]}\"\n\"Lease\" : 16\n\"More\" : true\n\"Count\" : 4\n");
    r.format = RSCTL_TABLE;
    print_range(&r, &h, &range);
    assert_text(&r.out, "+----------------------+---------+----------+---------+-------+-------+\n"
                        "|                  KEY | CREATED | MODIFIED | VERSION | LEASE | BYTES |\n"
                        "+----------------------+---------+----------+---------+-------+-------+\n"
                        "| /registry/minions/n1 |       2 |        3 |       2 |    10 |     9 |\n"
                        "+----------------------+---------+----------+---------+-------+-------+\n");
}

static void bytes_are_quoted(void **state)
{
    (void)state;
    struct buf b = {0};
    print_quoted(&b, SLICE("a\"\\\n\t\x80"));
    assert_text(&b, "\"a\\\"\\\\\\n\\x09\\x80\"");
    static const char *const cases[][2] = {{"", ""}, {"f", "Zg=="}, {"fo", "Zm8="}, {"foo", "Zm9v"}, {"foob", "Zm9vYg=="}}; /* RFC 4648 section 10 */
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        print_base64(&b, slice_str(cases[i][0]));
        assert_text(&b, cases[i][1]);
    }
}

static void a_load_is_judged(void **state)
{
    (void)state;
    const struct check_load *s = check_load_find("s");
    struct check_figures f = {.seconds = 1};
    struct buf b = {0};
    assert_ptr_equal(check_load_find("xLarge"), check_load_find("xl"));
    assert_null(check_load_find("tiny"));
    for (int i = 0; i < 140; i++)
        check_count(&f, i % 2 == 0 ? 0.010 : 0.030);
    assert_true(check_deviation(&f) > 0.01003 && check_deviation(&f) < 0.01004); /* 0.01 times the root of 140/139 */
    assert_true(check_judge(s, &f, RSCTL_SIMPLE, &b));
    assert_text(&b, "PASS: Throughput is 140 writes/s\nPASS: Slowest request took 0.030000s\nPASS: Stddev is 0.010036s\nPASS\n");
    f.seconds = 2;
    check_count(&f, 3);
    assert_false(check_judge(s, &f, RSCTL_SIMPLE, &b));
    assert_text(&b, "FAIL: Throughput too low: 70 writes/s\nFAIL: Slowest request took too long: 3.000000s\nFAIL: Stddev too high: 0.251160s\nFAIL\n");
    f = (struct check_figures){.writes = 1000, .failed = 2, .seconds = 1, .why = {.message = "no leader"}};
    assert_false(check_judge(s, &f, RSCTL_SIMPLE, &b));
    assert_int_equal(strncmp(b.data, "FAIL: 2 of 1002 writes failed: no leader\n", 41), 0);
    buf_release(&b);
    f = (struct check_figures){0};
    assert_false(check_judge(s, &f, RSCTL_JSON, &b));
    assert_text(&b, "{\"load\":\"s\",\"clients\":50,\"limit\":150,\"seconds\":0.000,\"writes\":0,\"errors\":0,\"writesPerSecond\":0.0,\"slowestSeconds\":0.000000,"
                    "\"stddevSeconds\":0.000000,\"pass\":false}\n");
}

static struct top_view view(int64_t wall_ms, int64_t revision)
{
    struct top_view v = {.wall_ms = wall_ms, .count = 3};
    v.members[0] = (struct top_member){.state = TOP_ANSWERS, .id = 0xa1, .name = "m\033[1", .address = "127.0.0.1:1", .read_s = 0.0012};
    v.members[0].header = (struct kv_header){.revision = revision, .term = 4};
    v.members[0].status = (struct store_status_result){.role = STORE_LEADER, .leader = 0xa1, .commit_index = 50, .applied_index = 50, .state_bytes = 2100000};
    v.members[1] = v.members[0];
    v.members[1].id = 0xa2;
    v.members[1].name[0] = '\0';
    v.members[1].status.role = STORE_FOLLOWER;
    v.members[1].status.applied_index = 40;
    v.members[1].read_s = -1;
    (void)snprintf(v.members[1].why, TOP_TEXT_MAX, "no leader");
    v.members[2] = (struct top_member){.state = TOP_SILENT, .id = 0xa3, .address = "127.0.0.1:3", .why = "refused"};
    return v;
}

static void top_sums_up(void **state)
{
    (void)state;
    struct top_view before = view(1000, 10), v = view(3000, 30);
    top_sum(&before, NULL);
    assert_true(before.writes_per_s < 0 && before.members[0].writes_per_s < 0 && before.revision == 10 && before.commit_index == 50);
    top_sum(&v, &before);
    assert_true(v.writes_per_s > 9.99 && v.writes_per_s < 10.01 && v.members[1].writes_per_s > 9.99 && v.members[2].writes_per_s < 0);
    top_sum(&before, &v); /* a clock or a store that went back has no rate */
    assert_true(before.writes_per_s < 0 && before.members[0].writes_per_s < 0);
}

static void top_fits_its_screen(void **state)
{
    (void)state;
    struct top_view v = view(0, 30);
    struct buf b = {0};
    top_sum(&v, NULL);
    top_print(&v, &(struct top_screen){0}, &b);
    assert_non_null(strstr(b.data, "2 of 3 members answer, m[1 leads\n"));
    assert_null(strchr(b.data, '\033')); /* nobody's name steers the terminal */
    assert_non_null(strstr(b.data, "127.0.0.1:3 (refused)\n"));
    assert_non_null(strstr(b.data, "  fails  "));
    buf_release(&b);
    for (unsigned width = 1; width < 200; width += 13)
        for (unsigned height = 1; height < 9; height++) {
            unsigned lines = 0;
            top_print(&v, &(struct top_screen){.width = width, .height = height}, &b);
            for (struct slice rest = buf_slice(&b); rest.size > 0; lines++)
                assert_true(slice_cut(&rest, '\n').size <= width);
            assert_true(lines <= MAX(height, 2u));
            buf_release(&b);
        }
    top_print_json(&v, &b);
    struct json_doc *d = json_doc_new();
    struct json *json;
    assert_ok(json_parse(d, (struct slice){b.data, b.size - 1}, &json, NULL));
    assert_int_equal(json_size(json_get(json, "members")), 3);
    assert_int_equal(json_int_at(json_element(json_get(json, "members"), 1), "lag", -1), 10);
    assert_int_equal(json_type(json_get(json_element(json_get(json, "members"), 1), "readSeconds")), JSON_NULL);
    json_doc_free(d);
    buf_release(&b);
}

static void changes_are_told_field_by_field(void **state)
{
    (void)state;
    struct buf b = {0};
    assert_int_equal(changes_print(&b, SLICE("{\"a\":1,\"b\":[1],\"c\":\"x\"}"), SLICE("{\"a\":2,\"b\":[1,2],\"d\":{}}"), false), 4);
    assert_text(&b, "    a: 1 → 2\n    b[1]: (none) → 2\n    c: \"x\" → (none)\n    d: (none) → {}\n");
    assert_int_equal(changes_print(&b, SLICE("{\"a\":1}"), SLICE("{\"a\":1}"), false), 0);
    assert_int_equal(changes_print(&b, SLICE("old"), SLICE("newer"), true), 1);
    assert_text(&b, "{\"path\":\"\",\"oldBytes\":3,\"newBytes\":5}");
    assert_int_equal(changes_print(&b, SLICE("{\"metadata\":{\"managedFields\":[1]}}"), SLICE("{\"metadata\":{\"managedFields\":[2]}}"), false), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_command_is_found_among_flags), cmocka_unit_test(flags_are_those_of_the_command),
        cmocka_unit_test(what_a_lock_runs_is_left_as_it_is), cmocka_unit_test(numbers_and_leases), cmocka_unit_test(keys_and_their_ends),
        cmocka_unit_test(orders_and_consistency), cmocka_unit_test(kinds_are_those_of_the_apiserver), cmocka_unit_test(a_kind_has_several_names),
        cmocka_unit_test(a_kind_and_a_name_are_a_key), cmocka_unit_test(keys_read_as_names), cmocka_unit_test(a_key_in_every_form),
        cmocka_unit_test(bytes_are_quoted), cmocka_unit_test(a_load_is_judged), cmocka_unit_test(top_sums_up),
        cmocka_unit_test(top_fits_its_screen), cmocka_unit_test(changes_are_told_field_by_field),
    };
    return RUN_TESTS(tests);
}
