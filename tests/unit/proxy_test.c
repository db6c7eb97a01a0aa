/* The pure parts of a proxy: whom its name means, what passes, where content ends, and pages' links. */
#include "tests/test.h"

#include "apiserver/html_links.h"
#include "apiserver/limits.h"
#include "apiserver/proxy_headers.h"
#include "apiserver/proxy_target.h"
#include "apiserver/route.h"
#include "common/http_body.h"
#include "common/mem.h"

static void names(void **state)
{
    (void)state;
    static const struct {
        const char *text, *name, *port;
        bool https;
    } good[] = {
        {"web", "web", "", false},       {"web:80", "web", "80", false},          {"http:web:80", "web", "80", false},
        {"https:web:", "web", "", true}, {"https:web:main", "web", "main", true}, {"http:web", "http", "web", false}};
    static const char *const bad[] = {"", ":80", "a:b:c", "https::80", "https:a:b:c"};
    struct proxy_name n;
    for (size_t i = 0; i < ARRAY_LEN(good); i++) {
        assert_true(proxy_name_parse(slice_str(good[i].text), &n));
        assert_true(slice_is(n.name, good[i].name) && slice_is(n.port, good[i].port) && n.https == good[i].https);
    }
    for (size_t i = 0; i < ARRAY_LEN(bad); i++)
        assert_false(proxy_name_parse(slice_str(bad[i]), &n));
    static const char *const ports[] = {"1", "80", "65535"}, *const none[] = {"", "0", "65536", "8x", "-1", "100000"};
    for (size_t i = 0; i < ARRAY_LEN(ports); i++)
        assert_true(proxy_is_port(slice_str(ports[i])));
    for (size_t i = 0; i < ARRAY_LEN(none); i++)
        assert_false(proxy_is_port(slice_str(none[i])));
}

static void addresses(void **state)
{
    (void)state;
    static const char *const good[] = {"10.0.0.1", "192.168.1.1", "fd00::1", "2001:db8::1", "::ffff:10.0.0.1"};
    static const char *const bad[] = {
        "",   "x",   "0.0.0.0", "127.0.0.1", "127.9.9.9",        "169.254.169.254", "224.0.0.1", "255.255.255.255",
        "::", "::1", "fe80::1", "ff02::1",   "::ffff:127.0.0.1", "10.0.0.1 "};
    for (size_t i = 0; i < ARRAY_LEN(good); i++)
        assert_true(proxy_is_address(slice_str(good[i])));
    for (size_t i = 0; i < ARRAY_LEN(bad); i++)
        assert_false(proxy_is_address(slice_str(bad[i])));
}

static void endpoints(void **state)
{
    (void)state;
    struct json_doc *d = json_doc_new();
    struct json *slice, *service;
    struct slice ip, name;
    struct err why;
    size_t at = 0, n = 0;
    int port;
    assert_ok(json_parse(
        d,
        SLICE("{\"ports\":[{\"name\":\"a\",\"port\":80},{\"name\":\"b\",\"port\":81}],\"endpoints\":["
              "{\"addresses\":[\"10.0.0.1\"],\"conditions\":{\"ready\":false}},"
              "{\"addresses\":[\"10.0.0.2\"],\"conditions\":{\"ready\":true}},{\"addresses\":[\"10.0.0.3\"]}]}"),
        &slice, NULL));
    for (; proxy_slice_next(slice, SLICE("b"), &at, &ip, &port); n++) {
        assert_true(slice_is(ip, n == 0 ? "10.0.0.2" : "10.0.0.3"));
        assert_int_equal(port, 81);
    }
    assert_int_equal(n, 2);
    at = 0;
    assert_false(proxy_slice_next(slice, SLICE("c"), &at, &ip, &port));
    assert_ok(json_parse(d,
                         SLICE("{\"metadata\":{\"name\":\"s\"},\"spec\":{\"ports\":[{\"name\":\"a\",\"port\":80}]}}"),
                         &service, NULL));
    assert_ok(proxy_service_port(service, SLICE("80"), &name, &why));
    assert_true(slice_is(name, "a"));
    assert_ok(proxy_service_port(service, SLICE("zz"), &name, &why));
    assert_true(slice_is(name, "zz"));
    assert_int_equal(proxy_service_port(service, SLICE("81"), &name, &why), ERR_UNAVAILABLE);
    assert_string_equal(why.message, "no service port 81 found for service \"s\"");
    json_doc_free(d);
}

static void what_passes(void **state)
{
    (void)state;
    const struct http_header all[] = {{SLICE("Host"), SLICE("h")},
                                      {SLICE("Connection"), SLICE("keep-alive, X-Mine")},
                                      {SLICE("x-mine"), SLICE("1")},
                                      {SLICE("Authorization"), SLICE("Bearer t")},
                                      {SLICE("Impersonate-User"), SLICE("u")},
                                      {SLICE("Cookie"), SLICE("c")},
                                      {SLICE("Accept"), SLICE("text/html")},
                                      {SLICE("Accept-Encoding"), SLICE("gzip")},
                                      {SLICE("X-Bad"), SLICE("a\rb")},
                                      {SLICE("Transfer-Encoding"), SLICE("chunked")}};
    struct http_request q = {.headers = all, .header_count = ARRAY_LEN(all)};
    struct http_header got[ARRAY_LEN(all)];
    assert_int_equal(proxy_request_headers(&q, got, ARRAY_LEN(got)), 2);
    assert_true(slice_is(got[0].name, "Cookie") && slice_is(got[1].name, "Accept"));
    assert_int_equal(proxy_request_headers(&q, got, 1), 1);
    struct buf text = {0};
    proxy_encode_path(SLICE("/a b/\r\n?#%:x@y"), &text);
    assert_string_equal(text.data, "/a%20b/%0D%0A%3F%23%25:x@y");
    buf_reset(&text);
    proxy_encode_query(SLICE("a=%20&b=c d\n"), &text);
    assert_string_equal(text.data, "a=%20&b=c%20d%0A");
    buf_release(&text);
}

static void routes(void **state)
{
    (void)state;
    static const struct {
        const char *path, *subresource, *behind;
        bool known;
    } cases[] = {{"/api/v1/namespaces/a/pods/p:80/proxy", "proxy", "", true},
                 {"/api/v1/namespaces/a/services/p/proxy/", "proxy", "/", true},
                 {"/api/v1/nodes/n/proxy/x//y/", "proxy", "/x//y/", true},
                 {"/api/v1/namespaces/a/configmaps/p/proxy/x", "proxy/x", "", false},
                 {"/api/v1/namespaces/a/pods/p/status/x", "status/x", "", false}};
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct http_request q = {.method = SLICE("OPTIONS"), .path = slice_str(cases[i].path)};
        struct route r;
        route_parse(&q, &r);
        assert_true(slice_is(r.subresource, cases[i].subresource) && slice_is(r.behind, cases[i].behind));
        assert_int_equal(r.sub != NULL, cases[i].known);
        assert_string_equal(r.verb, "options");
    }
}

/* --- content --- */

static int take_all(struct http_body *b, struct slice bytes, size_t step, struct buf *out)
{
    while (bytes.size > 0 && !b->done) {
        struct slice in = slice_of(bytes.data, MIN(step, bytes.size)), piece;
        size_t size = in.size;
        do {
            int code = http_body_take(b, &in, &piece);
            if (code != 0)
                return code;
            buf_append_slice(out, piece);
        } while (piece.size > 0);
        bytes = slice_from(bytes, size - in.size);
    }
    return 0;
}

static void content(void **state)
{
    (void)state;
    const struct http_header chunked = {SLICE("transfer-encoding"), SLICE("gzip, Chunked")},
                             five = {SLICE("Content-Length"), SLICE("5")};
    struct slice text = SLICE("3;ext=1\r\nabc\r\n0a\r\n0123456789\r\n0\r\nTrailer: x\r\n\r\nnext");
    struct http_body b;
    for (size_t step = 1; step <= text.size; step++) {
        struct buf out = {0};
        assert_ok(http_body_init(&b, "GET", 200, &chunked, 1));
        assert_ok(take_all(&b, text, step, &out));
        assert_true(b.done);
        assert_string_equal(out.data, "abc0123456789");
        buf_release(&out);
    }
    struct buf out = {0};
    assert_ok(http_body_init(&b, "GET", 200, &five, 1));
    assert_ok(take_all(&b, SLICE("1234567"), 3, &out));
    assert_true(b.done);
    assert_string_equal(out.data, "12345");
    assert_ok(http_body_init(&b, "HEAD", 200, &five, 1));
    assert_true(b.done);
    assert_ok(http_body_init(&b, "GET", 304, &five, 1));
    assert_true(b.done);
    assert_ok(http_body_init(&b, "GET", 200, NULL, 0));
    assert_int_equal(b.framing, HTTP_BODY_TO_END);
    const struct http_header two[] = {five, {SLICE("Content-Length"), SLICE("6")}},
                             word = {SLICE("Content-Length"), SLICE("5x")};
    assert_int_equal(http_body_init(&b, "GET", 200, two, 2), ERR_FORMAT);
    assert_int_equal(http_body_init(&b, "GET", 200, &word, 1), ERR_FORMAT);
    static const char *const bad[] = {"x\r\n", "\r\n", "3\r\nabcd\r\n", "fffffffffffffffff\r\n", "-1\r\n", ";a\r\n"};
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        assert_ok(http_body_init(&b, "GET", 200, &chunked, 1));
        assert_int_equal(take_all(&b, slice_str(bad[i]), 64, &out), ERR_FORMAT);
    }
    buf_release(&out);
}

/* --- pages --- */

static void rewritten(const char *page, const char *wanted)
{
    for (size_t step = 1; step <= strlen(page); step++) {
        struct html_links h = {.prefix = SLICE("/p/proxy"), .hosts = {SLICE("10.0.0.1:80"), SLICE("front:6443")}};
        struct buf out = {0};
        for (size_t at = 0; at < strlen(page); at += step)
            html_links_write(&h, slice_of(page + at, MIN(step, strlen(page) - at)), &out);
        html_links_end(&h, &out);
        html_links_release(&h);
        if (strcmp(out.data, wanted) != 0)
            fail_msg("%s\nbecame %s\nwanted %s", page, out.data, wanted);
        buf_release(&out);
    }
}

static void pages(void **state)
{
    (void)state;
    static const char *const cases[][2] = {
        {"<a href=\"/x\">", "<a href=\"/p/proxy/x\">"},
        {"<A class=b HREF = '/x?y=/z'>t</A>", "<A class=b HREF = '/p/proxy/x?y=/z'>t</A>"},
        {"<img src=/x/y.png><img src=y.png>", "<img src=/p/proxy/x/y.png><img src=y.png>"},
        {"<a href=/>", "<a href=/p/proxy/>"},
        {"<a href=\"/p/proxy/x\"><a href=/p/proxy><a href=/p/proxyx>",
         "<a href=\"/p/proxy/x\"><a href=/p/proxy><a href=/p/proxy/p/proxyx>"},
        {"<a href=http://10.0.0.1/x><a href='//front:6443'>", "<a href=/p/proxy/x><a href='/p/proxy/'>"},
        {"<a href=http://other/x><a href='#top'><a href=mailto:x>",
         "<a href=http://other/x><a href='#top'><a href=mailto:x>"},
        {"<a title=\"a>b\" href=\"/x\" hidden/>", "<a title=\"a>b\" href=\"/p/proxy/x\" hidden/>"},
        {"<script src=\"/s\">var a = \"<a href='/x'>\";</SCRIPT ><a href=/y>",
         "<script src=\"/p/proxy/s\">var a = \"<a href='/x'>\";</SCRIPT ><a href=/p/proxy/y>"},
        {"<!-- <a href=/x> -- > --><a href=/y>", "<!-- <a href=/x> -- > --><a href=/p/proxy/y>"},
        {"1 < 2 <<b>", "1 < 2 <<b>"},
        {"<a data-href=/x href>", "<a data-href=/x href>"},
        {"<a href=\"/x", "<a href=\"/x"},
        {"<", "<"},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++)
        rewritten(cases[i][0], cases[i][1]);
}

/* No more than a tag is held, however long the page goes on without ending it. */
static void long_tag(void **state)
{
    (void)state;
    struct html_links h = {.prefix = SLICE("/p"), .hosts = {SLICE("")}};
    struct buf out = {0}, page = {0};
    buf_append_str(&page, "<a title=\"");
    while (page.size < 3 * HTML_TAG_BYTES_MAX)
        buf_append_char(&page, 'x');
    buf_append_str(&page, "\"><a href=/y>");
    html_links_write(&h, buf_slice(&page), &out);
    assert_int_equal(h.tag.size, 0);
    html_links_end(&h, &out);
    assert_true(slice_equal(buf_slice(&out), buf_slice(&page)));
    html_links_release(&h);
    buf_release(&out);
    buf_release(&page);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names),       cmocka_unit_test(addresses), cmocka_unit_test(endpoints),
        cmocka_unit_test(what_passes), cmocka_unit_test(routes),    cmocka_unit_test(content),
        cmocka_unit_test(pages),       cmocka_unit_test(long_tag),
    };
    cmocka_set_test_filter(test_filter());
    return cmocka_run_group_tests_name(__FILE__, tests, NULL, NULL);
}
