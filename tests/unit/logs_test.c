#include "tests/test.h"

#include "common/err.h"
#include "common/mem.h"
#include "nodeagent/logs.h"

static void frames_lines(void **state)
{
    (void)state;
    struct logs_framer f = {.stream = "stdout"};
    struct buf out = {0};
    logs_frame(&f, SLICE("one\ntw"), 1700000000123456789, &out);
    logs_frame(&f, SLICE("o\n\nthree"), 1700000000123456789, &out);
    logs_frame_end(&f, 1700000000123456789, &out);
    assert_slice_equal(buf_slice(&out), "2023-11-14T22:13:20.123456789Z stdout F one\n"
                                        "2023-11-14T22:13:20.123456789Z stdout F two\n"
                                        "2023-11-14T22:13:20.123456789Z stdout F \n"
                                        "2023-11-14T22:13:20.123456789Z stdout F three\n");
    buf_release(&out);
    logs_framer_release(&f);
}

static void long_lines_come_whole(void **state)
{
    (void)state;
    struct logs_framer f = {.stream = "stderr"};
    struct buf out = {0}, shown = {0};
    char *line = mem_alloc(LOGS_LINE_MAX * 2 + 11);
    memset(line, 'x', LOGS_LINE_MAX * 2 + 10);
    line[LOGS_LINE_MAX * 2 + 10] = '\n';
    logs_frame(&f, slice_of(line, LOGS_LINE_MAX * 2 + 11), 1, &out);
    struct slice rest = buf_slice(&out);
    struct logs_options o = {.tail_lines = -1, .limit_bytes = -1};
    logs_render(&rest, &o, &shown);
    assert_int_equal(shown.size, LOGS_LINE_MAX * 2 + 11);
    assert_int_equal(rest.size, 0);
    mem_free(line);
    buf_release(&out);
    buf_release(&shown);
    logs_framer_release(&f);
}

#define FILE "2026-01-01T00:00:00.000000000Z stdout F one\n"  \
             "2026-01-01T00:00:10.000000000Z stderr F two\n"  \
             "garbage\n"                                       \
             "2026-01-01T00:00:20.000000000Z stdout F three\n" \
             "2026-01-01T00:00:30.000000000Z stdout F unfini"

static void render(const char *query, const char *want)
{
    struct logs_options o;
    struct err err;
    struct buf out = {0};
    int64_t now_us = 1767225630000000; /* 2026-01-01T00:00:30Z */
    assert_ok(logs_options_parse(slice_str(query), now_us, &o, &err));
    struct slice file = SLICE(FILE);
    struct slice rest = slice_from(file, logs_tail_offset(file, o.tail_lines));
    buf_append_str(&out, "");
    logs_render(&rest, &o, &out);
    assert_slice_equal(buf_slice(&out), want);
    buf_release(&out);
}

static void renders(void **state)
{
    (void)state;
    render("", "one\ntwo\nthree\n");
    render("tailLines=1", "three\n");
    render("tailLines=0", "");
    render("tailLines=100", "one\ntwo\nthree\n");
    render("timestamps=true&tailLines=1", "2026-01-01T00:00:20.000000000Z three\n");
    render("sinceSeconds=15", "three\n");
    render("sinceTime=2026-01-01T00:00:10Z", "two\nthree\n");
    render("limitBytes=5", "one\nt");
    render("stream=Stderr", "two\n");
}

static void refuses_bad_queries(void **state)
{
    (void)state;
    struct logs_options o;
    struct err err;
    static const char *const bad[] = {"tailLines=x", "tailLines=-1", "limitBytes=", "sinceSeconds=1e9", "sinceTime=yesterday", "stream=both"};
    for (size_t i = 0; i < ARRAY_LEN(bad); i++)
        assert_int_equal(logs_options_parse(slice_str(bad[i]), 0, &o, &err), ERR_BAD_REQUEST);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(frames_lines),
        cmocka_unit_test(long_lines_come_whole),
        cmocka_unit_test(renders),
        cmocka_unit_test(refuses_bad_queries),
    };
    return RUN_TESTS(tests);
}
