#include "tests/test.h"

#include "common/http_server.h"
#include "common/mem.h"
#include "common/tls.h"
#include "common/uv_env.h"
#include "tests/support/pki_fixture.h"

#include <stdio.h>

/* A core with a few paths: /echo, /who, /later, /stream, /long, /forever, /never. */
struct fixture {
    struct uv_env *uv;
    struct env *env;
    struct pki_fixture pki;
    struct tls *server_tls, *client_tls;
    struct http_server *server;
    struct http_exchange *waiting;
    struct timer timer;
    size_t long_written, long_seen;
    unsigned ticks, gone, chunks_seen, calls_open;
    bool stopping;
    struct http_call call;
    int status;
    struct err why;
    char url[128];
};

static void closed(void *arg) { (void)arg; }

static void stop(struct fixture *f)
{
    if (f->stopping)
        return;
    f->stopping = true;
    loop_timer_stop(&f->env->loop, &f->timer);
    http_server_close(f->server, closed, f);
}

static void gone(struct http_exchange *x)
{
    struct fixture *f = x->data;
    f->gone++;
    f->waiting = NULL;
    uv_env_stop(f->uv);
}

static void tick(struct timer *t)
{
    struct fixture *f = container_of(t, struct fixture, timer);
    if (slice_is(f->waiting->request.path, "/later")) {
        http_respond(f->waiting, 200, NULL, 0, SLICE("late"), NULL);
        return;
    }
    /* The next piece is written only when the one before has been seen by the client. */
    if (f->chunks_seen == f->ticks) {
        if (++f->ticks == 4) {
            http_end(f->waiting, true);
            return;
        }
        struct bytes *piece = bytes_new(SLICE("piece\n"));
        http_write(f->waiting, piece);
        bytes_unref(piece);
    }
    loop_timer_start(&f->env->loop, &f->timer, 1);
}

#define LONG_BYTES (24u * 1024 * 1024)
#define LONG_WINDOW (1024 * 1024)

static char long_byte(size_t at) { return (char)('a' + at * 7 % 251 % 26); }

/* Pieces of one byte up to more than a write holds, each byte told by its place. */
static void write_long(struct http_exchange *x)
{
    static const size_t sizes[] = {1, 5300, 1, 16384, 16383, 70000, 3, 400000};
    struct fixture *f = x->data;
    for (size_t i = 0; f->long_written < LONG_BYTES && x->pending_bytes < LONG_WINDOW; i++) {
        size_t n = MIN(sizes[(f->long_written + i) % ARRAY_LEN(sizes)], LONG_BYTES - f->long_written);
        struct bytes *piece = bytes_alloc(n);
        for (size_t at = 0; at < n; at++)
            piece->data[at] = long_byte(f->long_written + at);
        http_write(x, piece);
        bytes_unref(piece);
        f->long_written += n;
    }
    if (f->long_written == LONG_BYTES)
        http_end(x, true);
}

static void on_request(void *core, struct http_exchange *x)
{
    struct fixture *f = core;
    struct slice path = x->request.path;
    x->data = f;
    x->gone = gone;
    f->waiting = x;
    struct http_header headers[] = {{SLICE("Content-Type"), SLICE("text/plain")}};
    struct buf text = {0};
    if (slice_is(path, "/echo")) {
        struct buf scratch = {0};
        struct slice value = {0};
        http_query_get(x->request.query, "q", &scratch, &value);
        struct slice header = http_header_get(x->request.headers, x->request.header_count, "X-Test");
        buf_printf(&text, "%.*s|%.*s|%.*s|", SLICE_ARGS(x->request.method), SLICE_ARGS(value), SLICE_ARGS(header));
        buf_append_slice(&text, x->request.body);
        http_respond(x, 201, headers, 1, buf_slice(&text), NULL);
        buf_release(&scratch);
    } else if (slice_is(path, "/who")) {
        buf_append_str(&text, x->request.peer == NULL ? "nobody" : x->request.peer->common_name);
        http_respond(x, 200, headers, 1, buf_slice(&text), NULL);
    } else if (slice_is(path, "/later")) {
        loop_timer_start(&f->env->loop, &f->timer, 20);
    } else if (slice_is(path, "/stream")) {
        http_begin(x, 200, headers, 1);
        loop_timer_start(&f->env->loop, &f->timer, 1);
    } else if (slice_is(path, "/long")) {
        f->long_written = f->long_seen = 0;
        x->drained = write_long;
        http_begin(x, 200, headers, 1);
        write_long(x);
    } else if (slice_is(path, "/forever")) {
        http_begin(x, 200, headers, 1);
    } else if (!slice_is(path, "/never")) {
        http_respond(x, 404, headers, 1, SLICE("no"), NULL);
    }
    buf_release(&text);
}

static int setup_with(void **state, bool tls)
{
    struct fixture *f = NEW(struct fixture);
    f->uv = uv_env_new("http-test", LOG_WARN);
    uv_env_add_http(f->uv);
    f->env = uv_env_env(f->uv);
    timer_init(&f->timer, tick);
    pki_fixture_init(&f->pki);
    if (tls) {
        f->server_tls = pki_fixture_tls(&f->pki, "ca", "server", true);
        f->client_tls = pki_fixture_anonymous(&f->pki);
    }
    struct http_server_options o = {.address = "127.0.0.1:0", .tls = f->server_tls, .body_bytes_max = 1000000, .on_request = on_request, .core = f};
    assert_ok(http_server_new(f->uv, &o, &f->server, &f->why));
    *state = f;
    return 0;
}

static int setup_plain(void **state) { return setup_with(state, false); }
static int setup_tls(void **state) { return setup_with(state, true); }

static int teardown(void **state)
{
    struct fixture *f = *state;
    if (!f->stopping) {
        stop(f);
        uv_env_run(f->uv, NULL, NULL);
    }
    uv_env_free(f->uv);
    tls_unref(f->server_tls);
    tls_unref(f->client_tls);
    buf_release(&f->call.response);
    buf_release(&f->call.content_type);
    pki_fixture_release(&f->pki);
    mem_free(f);
    return 0;
}

static void done(struct http_call *c, int status, const struct err *why)
{
    struct fixture *f = c->data;
    f->status = status;
    if (why != NULL)
        f->why = *why;
    f->calls_open--;
    uv_env_stop(f->uv);
}

/* Runs one call to its end. */
static void call(struct fixture *f, const char *method, const char *path, struct slice body)
{
    snprintf(f->url, sizeof f->url, "%s://127.0.0.1:%d%s", f->server_tls != NULL ? "https" : "http",
             http_server_port(f->server), path);
    buf_reset(&f->call.response);
    f->call.method = method;
    f->call.url = f->url;
    f->call.body = body;
    f->call.tls = f->client_tls;
    f->call.done = done;
    f->call.data = f;
    f->calls_open++;
    http_call_start(&f->env->http, &f->call);
    uv_env_run(f->uv, NULL, NULL);
}

static void echoes(void **state)
{
    struct fixture *f = *state;
    struct http_header headers[] = {{SLICE("X-Test"), SLICE("h")}};
    f->call.headers = headers;
    f->call.header_count = 1;
    call(f, "POST", "/echo?p=1&q=a%20b+c", SLICE("body"));
    assert_int_equal(f->status, 0);
    assert_int_equal(f->call.http_status, 201);
    assert_string_equal(f->call.response.data, "POST|a b c|h|body");
    assert_string_equal(f->call.content_type.data, "text/plain");
    call(f, "DELETE", "/echo", (struct slice){0});
    assert_string_equal(f->call.response.data, "DELETE||h|");
    call(f, "GET", "/missing", (struct slice){0});
    assert_int_equal(f->call.http_status, 404);
}

static void large_bodies_have_a_limit(void **state)
{
    struct fixture *f = *state;
    struct buf big = {0};
    buf_reserve(&big, 1000001);
    memset(big.data, 'x', 1000001);
    call(f, "PUT", "/echo", slice_of(big.data, 1000000));
    assert_int_equal(f->call.http_status, 201);
    assert_int_equal(f->call.response.size, 1000000 + strlen("PUT|||"));
    call(f, "PUT", "/echo", slice_of(big.data, 1000001));
    assert_int_equal(f->call.http_status, 413);
    f->call.body_bytes_max = 100;
    call(f, "PUT", "/echo", slice_of(big.data, 1000));
    assert_int_equal(f->status, ERR_TOO_LARGE);
    buf_release(&big);
}

static void answers_later(void **state)
{
    struct fixture *f = *state;
    call(f, "GET", "/later", (struct slice){0});
    assert_int_equal(f->status, 0);
    assert_string_equal(f->call.response.data, "late");
}

static void on_piece(struct http_call *c, struct slice bytes)
{
    struct fixture *f = c->data;
    assert_int_equal(c->http_status, 200);
    f->chunks_seen += (unsigned)(bytes.size / strlen("piece\n"));
}

static void streams_each_piece_at_once(void **state)
{
    struct fixture *f = *state;
    f->call.on_data = on_piece;
    call(f, "GET", "/stream", (struct slice){0});
    assert_int_equal(f->status, 0);
    assert_int_equal(f->chunks_seen, 3);
    assert_int_equal(f->gone, 0);
}

static void on_long_piece(struct http_call *c, struct slice bytes)
{
    struct fixture *f = c->data;
    for (size_t i = 0; i < bytes.size; i++) {
        if (bytes.data[i] != long_byte(f->long_seen + i))
            fail_msg("byte %zu is another", f->long_seen + i);
    }
    f->long_seen += bytes.size;
}

/* And the connection is the daemon's again: the next request comes over it. */
static void a_long_stream_comes_whole(void **state)
{
    struct fixture *f = *state;
    for (int round = 0; round < 2; round++) {
        f->call.on_data = on_long_piece;
        call(f, "GET", "/long", (struct slice){0});
        assert_int_equal(f->status, 0);
        assert_int_equal(f->long_seen, LONG_BYTES);
        f->call.on_data = NULL;
        call(f, "GET", "/who", (struct slice){0});
        assert_int_equal(f->call.http_status, 200);
    }
    assert_int_equal(f->gone, 0);
}

static void silence_ends_a_stream_and_the_core_learns(void **state)
{
    struct fixture *f = *state;
    f->call.on_data = on_piece;
    f->call.silence_ms = 30;
    call(f, "GET", "/forever", (struct slice){0});
    assert_int_equal(f->status, ERR_TIMEOUT);
    if (f->gone == 0)
        uv_env_run(f->uv, NULL, NULL); /* ends when the core learns of it */
    assert_int_equal(f->gone, 1);
}

static void a_client_that_leaves_a_waiting_request_is_noticed(void **state)
{
    struct fixture *f = *state;
    f->call.timeout_ms = 30;
    call(f, "GET", "/never", (struct slice){0});
    assert_int_equal(f->status, ERR_TIMEOUT);
    if (f->gone == 0)
        uv_env_run(f->uv, NULL, NULL); /* ends when the core learns of it */
    assert_int_equal(f->gone, 1);
}

static void knows_who_asks(void **state)
{
    struct fixture *f = *state;
    call(f, "GET", "/who", (struct slice){0});
    assert_string_equal(f->call.response.data, "nobody");
    tls_unref(f->client_tls);
    f->client_tls = pki_fixture_tls(&f->pki, "ca", "alice", false);
    call(f, "GET", "/who", (struct slice){0});
    if (f->status != 0)
        fail_msg("%s", f->why.message);
    assert_string_equal(f->call.response.data, "alice");
    tls_unref(f->client_tls);
    f->client_tls = pki_fixture_tls(&f->pki, "other", "mallory", false);
    call(f, "GET", "/who", (struct slice){0});
    assert_int_equal(f->call.http_status, 401);
}

static void nobody_there(void **state)
{
    struct fixture *f = *state;
    int port = http_server_port(f->server);
    stop(f);
    uv_env_run(f->uv, NULL, NULL);
    snprintf(f->url, sizeof f->url, "http://127.0.0.1:%d/", port);
    f->call.method = "GET";
    f->call.url = f->url;
    f->call.done = done;
    f->call.data = f;
    f->calls_open++;
    http_call_start(&f->env->http, &f->call);
    uv_env_run(f->uv, NULL, NULL);
    assert_int_equal(f->status, ERR_CONNECT);
    assert_non_null(strstr(f->why.message, f->url));
}

static void a_taken_address_is_named(void **state)
{
    struct fixture *f = *state;
    char address[32];
    snprintf(address, sizeof address, "127.0.0.1:%d", http_server_port(f->server));
    struct http_server *second;
    struct http_server_options o = {.address = address, .on_request = on_request, .core = f};
    assert_int_equal(http_server_new(f->uv, &o, &second, &f->why), ERR_ADDRESS_IN_USE);
    assert_non_null(strstr(f->why.message, address));
    o.address = "localhost:1";
    assert_int_equal(http_server_new(f->uv, &o, &second, &f->why), ERR_BAD_REQUEST);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(echoes, setup_plain, teardown),
        cmocka_unit_test_setup_teardown(a_long_stream_comes_whole, setup_plain, teardown),
        cmocka_unit_test_setup_teardown(a_long_stream_comes_whole, setup_tls, teardown),
        cmocka_unit_test_setup_teardown(large_bodies_have_a_limit, setup_plain, teardown),
        cmocka_unit_test_setup_teardown(answers_later, setup_plain, teardown),
        cmocka_unit_test_setup_teardown(streams_each_piece_at_once, setup_tls, teardown),
        cmocka_unit_test_setup_teardown(streams_each_piece_at_once, setup_plain, teardown),
        cmocka_unit_test_setup_teardown(silence_ends_a_stream_and_the_core_learns, setup_plain, teardown),
        cmocka_unit_test_setup_teardown(a_client_that_leaves_a_waiting_request_is_noticed, setup_plain, teardown),
        cmocka_unit_test_setup_teardown(knows_who_asks, setup_tls, teardown),
        cmocka_unit_test_setup_teardown(nobody_there, setup_plain, teardown),
        cmocka_unit_test_setup_teardown(a_taken_address_is_named, setup_plain, teardown),
    };
    return RUN_TESTS(tests);
}
