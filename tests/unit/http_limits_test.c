/* The bounds of the HTTP server, met by a client of bare sockets in a thread of its own: what it is answered, and what
 * is counted. */
#include "tests/test.h"

#include "common/http_server.h"
#include "common/mem.h"
#include "common/uv_env.h"

#include <arpa/inet.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define PIECE_BYTES (1024 * 1024)

struct fixture {
    struct uv_env *uv;
    struct env *env;
    struct http_server *server;
    struct timer look;
    unsigned hits[HTTP_LIMIT_COUNT], gone, requests;
    struct http_tunnel tunnel; /* of the first who asked for one */
    /* of the client */
    int port;
    const char *text;
    bool reads;             /* until the server closes; otherwise it only waits for that */
    int others;             /* connections that it opens before, and closes after a while */
    const char *other_text; /* what each of them sends, and is answered */
    char answer[4096];
    atomic_bool done;
};

static void gone(struct http_exchange *x) { ((struct fixture *)x->data)->gone++; }

static void tunnel_read(struct http_tunnel *t, struct slice bytes) { (void)t, (void)bytes; }
static void tunnel_closed(struct http_tunnel *t) { (void)t; }
static const struct http_tunnel_callbacks tunnel_callbacks = {tunnel_read, NULL, tunnel_closed};

static void make_tunnel(struct fixture *f, struct http_exchange *x)
{
    static const struct http_header upgrade = {SLICE("Upgrade"), SLICE("x")};
    struct http_tunnel *t = f->tunnel.callbacks == NULL ? &f->tunnel : &(struct http_tunnel){.ops = NULL};
    t->callbacks = &tunnel_callbacks;
    int rv = http_upgrade(x, &upgrade, 1, t);
    if (rv != 0)
        http_respond(x, err_http(rv), NULL, 0, slice_str(err_text(rv)), NULL);
}

/* Answers with as many headers, and as long ones, as an apiserver ever has. */
static void answer_heads(struct http_exchange *x)
{
    static char value[201];
    struct http_header h[48];
    memset(value, 'w', sizeof value - 1);
    for (size_t i = 0; i < ARRAY_LEN(h); i++)
        h[i] = (struct http_header){SLICE("Warning"), slice_str(value)};
    http_respond(x, 200, h, ARRAY_LEN(h), SLICE("fine"), NULL);
}

/* /flood: more than any buffer between here and there holds. */
static void on_request(void *core, struct http_exchange *x)
{
    struct fixture *f = core;
    f->requests++;
    x->data = f;
    x->gone = gone;
    if (slice_is(x->request.path, "/tunnel")) {
        make_tunnel(f, x);
        return;
    }
    if (slice_is(x->request.path, "/heads")) {
        answer_heads(x);
        return;
    }
    if (!slice_is(x->request.path, "/flood")) {
        http_respond(x, 200, NULL, 0, SLICE("fine"), NULL);
        return;
    }
    char *zeros = mem_zalloc(PIECE_BYTES);
    struct bytes *piece = bytes_new(slice_of(zeros, PIECE_BYTES));
    http_begin(x, 200, NULL, 0);
    for (int i = 0; i < 24; i++)
        http_write(x, piece);
    bytes_unref(piece);
    mem_free(zeros);
}

static bool asserted[HTTP_LIMIT_COUNT]; /* by any test */

static void on_limit(void *core, enum http_server_limit which) { ((struct fixture *)core)->hits[which]++; }

static void assert_hit(const struct fixture *f, enum http_server_limit which)
{
    for (size_t i = 0; i < HTTP_LIMIT_COUNT; i++)
        assert_int_equal(f->hits[i], i == which);
    asserted[which] = true;
}

static void closed(void *arg) { (void)arg; }

static void look(struct timer *t)
{
    struct fixture *f = container_of(t, struct fixture, look);
    if (f->done) {
        http_server_close(f->server, closed, f);
        uv_env_stop(f->uv);
        return;
    }
    loop_timer_start(&f->env->loop, &f->look, 5);
}

static int connected(int port)
{
    struct sockaddr_in to = {
        .sin_family = AF_INET, .sin_port = htons((uint16_t)port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    return fd >= 0 && connect(fd, (struct sockaddr *)&to, sizeof to) == 0 ? fd : -1;
}

/* The server has closed when a send fails, whoever reads or does not. */
static void await_close(int fd)
{
    for (int i = 0; i < 2000 && send(fd, "a", 1, MSG_NOSIGNAL | MSG_DONTWAIT) >= 0; i++)
        (void)poll(NULL, 0, 10);
}

static void *client(void *arg)
{
    struct fixture *f = arg;
    int others[8], fd;
    for (int i = 0; i < f->others; i++) {
        others[i] = connected(f->port);
        if (f->other_text != NULL && send(others[i], f->other_text, strlen(f->other_text), MSG_NOSIGNAL) > 0)
            (void)recv(others[i], f->answer, sizeof f->answer - 1, 0); /* what it is does not matter */
    }
    fd = connected(f->port);
    if (fd >= 0 && send(fd, f->text, strlen(f->text), MSG_NOSIGNAL) > 0) {
        size_t size = 0;
        ssize_t n = 0;
        (void)poll(NULL, 0, f->others > 0 ? 100 : 0);
        while (f->others > 0)
            close(others[--f->others]);
        while (f->reads && size < sizeof f->answer - 1 &&
               (n = recv(fd, f->answer + size, sizeof f->answer - 1 - size, 0)) > 0)
            size += (size_t)n;
        if (!f->reads)
            await_close(fd);
    }
    close(fd);
    f->done = true;
    return NULL;
}

static void ask(struct fixture *f, struct http_server_options o, const char *text, bool reads)
{
    pthread_t thread;
    o.address = "127.0.0.1:0";
    o.on_request = on_request;
    o.on_limit = on_limit;
    o.core = f;
    assert_ok(http_server_new(f->uv, &o, &f->server, NULL));
    f->port = http_server_port(f->server);
    f->text = text;
    f->reads = reads;
    assert_int_equal(pthread_create(&thread, NULL, client, f), 0);
    loop_timer_start(&f->env->loop, &f->look, 5);
    uv_env_run(f->uv, NULL, NULL);
    assert_int_equal(pthread_join(thread, NULL), 0);
}

static int setup(void **state)
{
    struct fixture *f = NEW(struct fixture);
    f->uv = uv_env_new("http-limits-test", LOG_WARN);
    f->env = uv_env_env(f->uv);
    timer_init(&f->look, look);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    uv_env_free(f->uv);
    mem_free(f);
    return 0;
}

static void expect_refused(struct fixture *f, const char *line, const char *text)
{
    assert_memory_equal(f->answer, line, strlen(line));
    assert_non_null(strstr(f->answer, text));
    assert_int_equal(f->requests, 0);
}

static void too_many_headers(void **state)
{
    struct fixture *f = *state;
    struct buf text = {0};
    buf_append_str(&text, "GET /x HTTP/1.1\r\nHost: x\r\nConnection: close\r\n");
    for (int i = 0; i < HTTP_SERVER_HEADERS_MAX; i++)
        buf_printf(&text, "X-%d: 1\r\n", i);
    buf_append_str(&text, "\r\n");
    buf_append(&text, "", 1);
    ask(f, (struct http_server_options){.tls = NULL}, text.data, true);
    expect_refused(f, "HTTP/1.1 431 ", "too many headers: limit is 128");
    assert_hit(f, HTTP_LIMIT_HEADERS);
    buf_release(&text);
}

/* GET with a head of exactly so many bytes, of which the path or a header is the larger part. */
static void ask_head(struct fixture *f, const char *path, bool in_path, size_t bytes)
{
    struct buf text = {0};
    static const char tail[] = " HTTP/1.1\r\nHost: x\r\nConnection: close\r\nX-Large: ";
    buf_printf(&text, "GET %s", path);
    size_t fill = bytes - text.size - strlen(tail) - strlen("\r\n");
    for (size_t i = 0; i < fill && in_path; i++)
        buf_append_char(&text, i == 0 ? '?' : 'a');
    buf_append_str(&text, tail);
    for (size_t i = 0; i < fill && !in_path; i++)
        buf_append_char(&text, 'a');
    buf_append_str(&text, "\r\n");
    assert_int_equal(text.size, bytes);
    buf_append_str(&text, "\r\n");
    ask(f, (struct http_server_options){.tls = NULL}, text.data, true);
    buf_release(&text);
}

/* And with it an answer with many headers: both have to fit. */
static void as_large_a_head_as_there_may_be(void **state)
{
    struct fixture *f = *state;
    ask_head(f, "/heads", true, HTTP_SERVER_HEAD_BYTES_MAX);
    assert_memory_equal(f->answer, "HTTP/1.1 200 ", 13);
    assert_int_equal(f->requests, 1);
}

static void the_same_in_a_header(void **state)
{
    struct fixture *f = *state;
    ask_head(f, "/heads", false, HTTP_SERVER_HEAD_BYTES_MAX);
    assert_memory_equal(f->answer, "HTTP/1.1 200 ", 13);
}

static void too_large_a_header(void **state)
{
    struct fixture *f = *state;
    ask_head(f, "/x", false, HTTP_SERVER_HEAD_BYTES_MAX + 1);
    expect_refused(f, "HTTP/1.1 431 ",
                   "\"message\":\"request header fields too large: limit is 65536 bytes\",\"reason\":\"BadRequest\","
                   "\"code\":431}");
    assert_hit(f, HTTP_LIMIT_HEADER_BYTES);
}

static void too_long_a_path(void **state)
{
    struct fixture *f = *state;
    ask_head(f, "/x", true, HTTP_SERVER_HEAD_BYTES_MAX + 1);
    expect_refused(f, "HTTP/1.1 414 ",
                   "\"message\":\"request URI too long: limit is 65536 bytes with the headers\",\"reason\":"
                   "\"BadRequest\",\"code\":414}");
    assert_hit(f, HTTP_LIMIT_HEADER_BYTES);
}

/* More than the server's library takes: it says so itself. */
static void far_too_large_a_header(void **state)
{
    struct fixture *f = *state;
    ask_head(f, "/x", false, 4 * HTTP_SERVER_HEAD_BYTES_MAX);
    assert_hit(f, HTTP_LIMIT_HEADER_BYTES);
    assert_int_equal(f->requests, 0);
}

static void too_many_tunnels(void **state)
{
    struct fixture *f = *state;
    static const char wants[] = "GET /tunnel HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\n";
    f->others = 1;
    f->other_text = wants;
    ask(f, (struct http_server_options){.tunnels_max = 1},
        "GET /tunnel HTTP/1.1\r\nHost: x\r\nConnection: close, Upgrade\r\nUpgrade: x\r\n\r\n", true);
    assert_memory_equal(f->answer, "HTTP/1.1 429 ", 13);
    assert_hit(f, HTTP_LIMIT_TUNNELS);
}

static void too_large_a_body_is_told_before_it_is_sent(void **state)
{
    struct fixture *f = *state;
    ask(f, (struct http_server_options){.body_bytes_max = 10},
        "POST /x HTTP/1.1\r\nHost: x\r\nContent-Length: 11\r\nExpect: 100-continue\r\n\r\n", true);
    expect_refused(f, "HTTP/1.1 413 ", "limit is 10");
    assert_hit(f, HTTP_LIMIT_BODY_BYTES);
}

static void two_lengths(void **state)
{
    ask(*state, (struct http_server_options){.tls = NULL},
        "POST /x HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab", true);
    expect_refused(*state, "HTTP/1.1 400 ", "framing");
}

static void a_length_and_chunks(void **state)
{
    ask(*state, (struct http_server_options){.tls = NULL},
        "POST /x HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nGET /y "
        "HTTP/1.1\r\nHost: x\r\n\r\n",
        true);
    expect_refused(*state, "HTTP/1.1 400 ", "framing");
}

static void no_host(void **state)
{
    ask(*state, (struct http_server_options){.tls = NULL}, "GET /x HTTP/1.1\r\nConnection: close\r\n\r\n", true);
    expect_refused(*state, "HTTP/1.1 400 ", "Host");
}

static void slow_head(void **state)
{
    struct fixture *f = *state;
    ask(f, (struct http_server_options){.head_ms = 50}, "GET /x HTTP/1.1\r\nX-Slow: ", false);
    assert_hit(f, HTTP_LIMIT_SLOW_HEAD);
    assert_int_equal(f->requests, 0);
}

static void slow_first_line(void **state)
{
    struct fixture *f = *state;
    ask(f, (struct http_server_options){.head_ms = 50}, "GET /", false);
    assert_hit(f, HTTP_LIMIT_SLOW_HEAD);
}

static void slow_body(void **state)
{
    struct fixture *f = *state;
    ask(f, (struct http_server_options){.body_ms = 50},
        "POST /x HTTP/1.1\r\nHost: x\r\nContent-Length: 100000\r\n\r\na", false);
    assert_hit(f, HTTP_LIMIT_SLOW_BODY);
    assert_int_equal(f->requests, 0);
}

static void who_never_reads(void **state)
{
    struct fixture *f = *state;
    ask(f, (struct http_server_options){.stall_ms = 50}, "GET /flood HTTP/1.1\r\nHost: x\r\n\r\n", false);
    assert_hit(f, HTTP_LIMIT_SLOW_READER);
    assert_int_equal(f->gone, 1);
}

static void who_reads_is_not_cut(void **state)
{
    struct fixture *f = *state;
    ask(f, (struct http_server_options){.head_ms = 5000}, "GET /x HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
        true);
    assert_memory_equal(f->answer, "HTTP/1.1 200 ", 13);
    assert_non_null(strstr(f->answer, "fine"));
    for (size_t i = 0; i < HTTP_LIMIT_COUNT; i++)
        assert_int_equal(f->hits[i], 0);
}

static void further_connections_wait(void **state)
{
    struct fixture *f = *state;
    f->others = 2;
    ask(f, (struct http_server_options){.connections_max = 2},
        "GET /x HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", true);
    assert_true(f->hits[HTTP_LIMIT_CONNECTIONS] >= 1);
    asserted[HTTP_LIMIT_CONNECTIONS] = true;
    assert_non_null(strstr(f->answer, "fine")); /* once one of the others had ended */
}

/* The last: a bound that no test above meets has no test. */
static void every_bound_is_met(void **state)
{
    (void)state;
    for (size_t i = 0; i < HTTP_LIMIT_COUNT; i++) {
        if (!asserted[i])
            fail_msg("no test asserts the bound number %zu of enum http_server_limit", i);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(too_many_headers, setup, teardown),
        cmocka_unit_test_setup_teardown(as_large_a_head_as_there_may_be, setup, teardown),
        cmocka_unit_test_setup_teardown(the_same_in_a_header, setup, teardown),
        cmocka_unit_test_setup_teardown(too_large_a_header, setup, teardown),
        cmocka_unit_test_setup_teardown(too_long_a_path, setup, teardown),
        cmocka_unit_test_setup_teardown(far_too_large_a_header, setup, teardown),
        cmocka_unit_test_setup_teardown(too_many_tunnels, setup, teardown),
        cmocka_unit_test_setup_teardown(too_large_a_body_is_told_before_it_is_sent, setup, teardown),
        cmocka_unit_test_setup_teardown(two_lengths, setup, teardown),
        cmocka_unit_test_setup_teardown(a_length_and_chunks, setup, teardown),
        cmocka_unit_test_setup_teardown(no_host, setup, teardown),
        cmocka_unit_test_setup_teardown(slow_head, setup, teardown),
        cmocka_unit_test_setup_teardown(slow_first_line, setup, teardown),
        cmocka_unit_test_setup_teardown(slow_body, setup, teardown),
        cmocka_unit_test_setup_teardown(who_never_reads, setup, teardown),
        cmocka_unit_test_setup_teardown(who_reads_is_not_cut, setup, teardown),
        cmocka_unit_test_setup_teardown(further_connections_wait, setup, teardown),
        cmocka_unit_test(every_bound_is_met),
    };
    return RUN_TESTS(tests);
}
