/* Upgraded connections, from http_dial.c to http_server.c, plain and over TLS. */
#include "tests/test.h"

#include "common/http_dial.h"
#include "common/http_server.h"
#include "common/mem.h"
#include "common/tls.h"
#include "common/uv_env.h"
#include "tests/support/pki_fixture.h"

#include <stdio.h>

#define BIG_BYTES (64 * 1024 * 1024)
#define PIECE_BYTES (64 * 1024)
#define WINDOW_BYTES (256 * 1024)
#define PENDING_MAX (WINDOW_BYTES + 2 * PIECE_BYTES)

/* The server's side of one tunnel: echoes, with back-pressure. */
struct echo {
    struct fixture *fixture;
    struct http_tunnel tunnel;
    size_t pending_max;
};

struct fixture {
    struct uv_env *uv;
    struct env *env;
    struct pki_fixture pki;
    struct tls *server_tls, *client_tls;
    struct http_server *server;
    struct http_tunnel client;
    struct http_dial dial;
    struct http_header headers[2];
    char address[32];
    bool stopping, close_at_once, client_closed, answered, close_on_reply;
    unsigned server_closed, servers_open;
    struct echo *last;
    size_t pending_max, sent, received, pauses;
    uint64_t sum_sent, sum_received;
    struct buf got;
    struct timer slow;
    bool collect;
    struct net_conn raw;
    struct buf raw_got;
    int status;
    struct err why;
};

static void closed(void *arg) { (void)arg; }

static void stop(struct fixture *f)
{
    if (f->stopping)
        return;
    f->stopping = true;
    http_server_close(f->server, closed, f);
}

/* --- the server --- */

static void echo_read(struct http_tunnel *t, struct slice bytes)
{
    struct echo *e = t->data;
    if (slice_is(bytes, "bye")) {
        http_tunnel_close(t, false);
        return;
    }
    if (slice_is(bytes, "last")) {
        http_tunnel_write(t, SLICE("last words"));
        http_tunnel_close(t, true);
        return;
    }
    http_tunnel_write(t, bytes);
    e->pending_max = MAX(e->pending_max, t->pending_bytes);
    if (t->pending_bytes > WINDOW_BYTES)
        http_tunnel_pause(t, true);
}

static void echo_drained(struct http_tunnel *t) { http_tunnel_pause(t, false); }

static void echo_closed(struct http_tunnel *t)
{
    struct echo *e = t->data;
    struct fixture *f = e->fixture;
    f->server_closed++;
    f->servers_open--;
    f->pending_max = MAX(f->pending_max, e->pending_max);
    if (f->last == e)
        f->last = NULL;
    mem_free(e);
    uv_env_stop(f->uv);
}

static const struct http_tunnel_callbacks echo_callbacks = {echo_read, echo_drained, echo_closed};

static void on_request(void *core, struct http_exchange *x)
{
    struct fixture *f = core;
    struct http_header upgrade = {SLICE("Upgrade"), SLICE("echo")};
    if (!slice_is(x->request.path, "/echo")) {
        http_respond(x, 403, NULL, 0, SLICE("not here"), NULL);
        return;
    }
    struct echo *e = NEW(struct echo);
    e->fixture = f;
    e->tunnel.callbacks = &echo_callbacks;
    e->tunnel.data = e;
    int rv = http_upgrade(x, &upgrade, 1, &e->tunnel);
    if (rv != 0) {
        mem_free(e);
        http_respond(x, err_http(rv), NULL, 0, slice_str(err_text(rv)), NULL);
        return;
    }
    f->servers_open++;
    f->last = e;
    http_tunnel_write(&e->tunnel, SLICE("hello ")); /* before the 101 is out */
}

static int setup_with(void **state, bool tls)
{
    struct fixture *f = NEW(struct fixture);
    f->uv = uv_env_new("tunnel-test", LOG_WARN);
    f->env = uv_env_env(f->uv);
    pki_fixture_init(&f->pki);
    if (tls) {
        f->server_tls = pki_fixture_tls(&f->pki, "ca", "server", true);
        f->client_tls = pki_fixture_tls(&f->pki, "ca", "alice", false);
    }
    struct http_server_options o = {.address = "127.0.0.1:0", .tls = f->server_tls, .tunnels_max = 2, .on_request = on_request,
                                    .core = f};
    assert_ok(http_server_new(f->uv, &o, &f->server, &f->why));
    snprintf(f->address, sizeof f->address, "127.0.0.1:%d", http_server_port(f->server));
    *state = f;
    return 0;
}

static int setup_plain(void **state) { return setup_with(state, false); }
static int setup_tls(void **state) { return setup_with(state, true); }

static int teardown(void **state)
{
    struct fixture *f = *state;
    stop(f);
    if (f->answered && f->dial.http_status == 101 && !f->client_closed)
        http_tunnel_close(&f->client, false);
    uv_env_run(f->uv, NULL, NULL);
    assert_int_equal(f->servers_open, 0);
    uv_env_free(f->uv);
    tls_unref(f->server_tls);
    tls_unref(f->client_tls);
    buf_release(&f->got);
    buf_release(&f->raw_got);
    pki_fixture_release(&f->pki);
    mem_free(f);
    return 0;
}

/* --- the client --- */

static uint64_t sum(uint64_t so_far, size_t offset, struct slice bytes)
{
    for (size_t i = 0; i < bytes.size; i++)
        so_far = so_far * 31 + (uint8_t)bytes.data[i] + (offset + i) % 7;
    return so_far;
}

static void resume(struct timer *t)
{
    struct fixture *f = container_of(t, struct fixture, slow);
    http_tunnel_pause(&f->client, false);
}

static void client_read(struct http_tunnel *t, struct slice bytes)
{
    struct fixture *f = t->data;
    if (f->collect)
        buf_append_slice(&f->got, bytes);
    f->sum_received = sum(f->sum_received, f->received, bytes);
    f->received += bytes.size;
    if (f->received % (8 * PIECE_BYTES) < bytes.size && !f->collect) {
        http_tunnel_pause(t, true); /* a slow reader */
        f->pauses++;
        loop_timer_start(&f->env->loop, &f->slow, 1);
    }
    uv_env_stop(f->uv);
}

static void send_more(struct fixture *f)
{
    char piece[PIECE_BYTES];
    while (f->sent < BIG_BYTES && f->client.pending_bytes < WINDOW_BYTES) {
        for (size_t i = 0; i < sizeof piece; i++)
            piece[i] = (char)((f->sent + i) * 2654435761U >> 7);
        f->sum_sent = sum(f->sum_sent, f->sent, slice_of(piece, sizeof piece));
        http_tunnel_write(&f->client, slice_of(piece, sizeof piece));
        f->pending_max = MAX(f->pending_max, f->client.pending_bytes);
        f->sent += sizeof piece;
    }
}

static void client_drained(struct http_tunnel *t)
{
    struct fixture *f = t->data;
    if (!f->collect)
        send_more(f);
}

static void client_closed(struct http_tunnel *t)
{
    struct fixture *f = t->data;
    f->client_closed = true;
    uv_env_stop(f->uv);
}

static const struct http_tunnel_callbacks client_callbacks = {client_read, client_drained, client_closed};

static void on_answered(struct http_dial *d, int status, const struct err *why)
{
    struct fixture *f = d->data;
    f->status = status;
    f->answered = true;
    if (why != NULL)
        f->why = *why;
    if (status == 0 && d->http_status != 101)
        buf_append_slice(&f->got, d->body);
    uv_env_stop(f->uv);
}

static void dial(struct fixture *f, const char *path)
{
    f->headers[0] = (struct http_header){SLICE("Connection"), SLICE("Upgrade")};
    f->headers[1] = (struct http_header){SLICE("Upgrade"), SLICE("echo")};
    f->client.callbacks = &client_callbacks;
    f->client.data = f;
    f->client_closed = f->answered = false;
    timer_init(&f->slow, resume);
    f->dial = (struct http_dial){.env = f->env, .address = f->address, .tls = f->client_tls, .method = "GET",
                                 .target = slice_str(path), .headers = f->headers, .header_count = 2,
                                 .answered = on_answered, .data = f, .tunnel = &f->client};
    http_dial_start(&f->dial);
    while (!f->answered)
        uv_env_run(f->uv, NULL, NULL);
}

static void until_received(struct fixture *f, size_t bytes)
{
    while (f->received < bytes && !f->client_closed)
        uv_env_run(f->uv, NULL, NULL);
}

static void speaks_both_ways(void **state)
{
    struct fixture *f = *state;
    f->collect = true;
    dial(f, "/echo");
    assert_int_equal(f->status, 0);
    assert_int_equal(f->dial.http_status, 101);
    http_tunnel_write(&f->client, SLICE("world"));
    until_received(f, strlen("hello world"));
    assert_string_equal(f->got.data, "hello world");
    http_tunnel_close(&f->client, true);
    while (!f->client_closed || f->server_closed == 0)
        uv_env_run(f->uv, NULL, NULL);
}

static void a_slow_reader_costs_no_memory(void **state)
{
    struct fixture *f = *state;
    dial(f, "/echo");
    until_received(f, strlen("hello "));
    f->received = 0;
    f->sum_received = 0;
    send_more(f);
    until_received(f, BIG_BYTES);
    assert_int_equal(f->received, BIG_BYTES);
    assert_true(f->sum_received == f->sum_sent);
    assert_true(f->pauses > 50);
    http_tunnel_close(&f->client, false);
    while (f->server_closed == 0)
        uv_env_run(f->uv, NULL, NULL);
    if (f->pending_max > PENDING_MAX)
        fail_msg("%zu bytes were pending", f->pending_max);
}

static void the_server_leaves(void **state)
{
    struct fixture *f = *state;
    f->collect = true;
    dial(f, "/echo");
    until_received(f, strlen("hello "));
    http_tunnel_write(&f->client, SLICE("bye"));
    while (!f->client_closed || f->server_closed == 0)
        uv_env_run(f->uv, NULL, NULL);
}

static void last_words_arrive(void **state)
{
    struct fixture *f = *state;
    f->collect = true;
    dial(f, "/echo");
    until_received(f, strlen("hello "));
    http_tunnel_write(&f->client, SLICE("last"));
    while (!f->client_closed || f->server_closed == 0)
        uv_env_run(f->uv, NULL, NULL);
    assert_string_equal(f->got.data, "hello last words");
}

static void a_client_that_leaves_a_paused_server_is_noticed(void **state)
{
    struct fixture *f = *state;
    f->collect = true;
    dial(f, "/echo");
    until_received(f, strlen("hello "));
    http_tunnel_pause(&f->last->tunnel, true);
    http_tunnel_close(&f->client, false);
    while (f->server_closed == 0)
        uv_env_run(f->uv, NULL, NULL);
}

static void an_ordinary_answer_is_one(void **state)
{
    struct fixture *f = *state;
    dial(f, "/other");
    assert_int_equal(f->status, 0);
    assert_int_equal(f->dial.http_status, 403);
    assert_string_equal(f->got.data, "not here");
}

static void there_are_only_so_many(void **state)
{
    struct fixture *f = *state, *one = NEW(struct fixture), *two = NEW(struct fixture);
    struct fixture *more[] = {one, two};
    f->collect = true;
    for (size_t i = 0; i < 2; i++) {
        more[i]->uv = f->uv;
        more[i]->env = f->env;
        more[i]->client_tls = f->client_tls;
        more[i]->collect = true;
        memcpy(more[i]->address, f->address, sizeof f->address);
        dial(more[i], "/echo");
        assert_int_equal(more[i]->dial.http_status, 101);
    }
    dial(f, "/echo");
    assert_int_equal(f->dial.http_status, 429);
    stop(f); /* with two tunnels open */
    while (!one->client_closed || !two->client_closed)
        uv_env_run(f->uv, NULL, NULL);
    assert_int_equal(f->server_closed, 2);
    buf_release(&one->got);
    buf_release(&two->got);
    mem_free(one);
    mem_free(two);
}

static void raw_open(struct net_conn *c)
{
    struct fixture *f = c->data;
    /* Two parts: over TLS two records, see struct tunnel. */
    struct slice parts[] = {SLICE("GET /echo HTTP/1.1\r\nHost: x\r\nConnection: keep-alive, Upgrade\r\nUpgrade: echo\r\n\r\n"),
                            SLICE("early")};
    net_write(&f->env->net, c, parts, ARRAY_LEN(parts));
}

static void raw_read(struct net_conn *c, struct slice bytes)
{
    struct fixture *f = c->data;
    buf_append_slice(&f->raw_got, bytes);
    uv_env_stop(f->uv);
}

static void raw_close(struct net_conn *c, const struct err *why)
{
    struct fixture *f = c->data;
    f->client_closed = true;
    (void)why;
    uv_env_stop(f->uv);
}

/* A client may send before it has read the 101. */
static void bytes_behind_the_request_are_not_lost(void **state)
{
    static const struct net_conn_callbacks callbacks = {.on_open = raw_open, .on_read = raw_read, .on_close = raw_close};
    struct fixture *f = *state;
    f->raw = (struct net_conn){.callbacks = &callbacks, .data = f};
    struct net_connect_options o = {.address = f->address, .tls = f->client_tls};
    net_connect(&f->env->net, &f->raw, &o);
    while (f->raw_got.size == 0 || strstr(f->raw_got.data, "early") == NULL)
        uv_env_run(f->uv, NULL, NULL);
    assert_non_null(strstr(f->raw_got.data, "101 Switching Protocols"));
    assert_non_null(strstr(f->raw_got.data, "\r\n\r\nhello early"));
    net_close(&f->env->net, &f->raw, false);
    while (!f->client_closed || f->server_closed == 0)
        uv_env_run(f->uv, NULL, NULL);
}

static void nobody_listens(void **state)
{
    struct fixture *f = *state;
    stop(f);
    uv_env_run(f->uv, NULL, NULL);
    dial(f, "/echo");
    assert_int_equal(f->status, ERR_CONNECT);
    assert_non_null(strstr(f->why.message, f->address));
}

static void heads(void **state)
{
    (void)state;
    struct http_header headers[2];
    int status = 0;
    size_t count = 0;
    struct slice whole = SLICE("HTTP/1.1 101 Switching Protocols\r\nA: b \r\nC:\r\n\r\nrest");
    assert_int_equal(http_head_parse(whole, &status, headers, 2, &count), whole.size - strlen("rest"));
    assert_int_equal(status, 101);
    assert_int_equal(count, 2);
    assert_true(slice_is(headers[0].value, "b"));
    for (size_t n = 0; n < whole.size - strlen("rest"); n++)
        assert_int_equal(http_head_parse(slice_of(whole.data, n), &status, headers, 2, &count), 0);
    static const char *const bad[] = {"HTTP/2 200\r\n\r\n", "HTTP/1.1 1x1 a\r\n\r\n", "HTTP/1.1 200 a\r\nno colon\r\n\r\n",
                                      "HTTP/1.1 200 a\r\nA: b\r\n folded\r\n\r\n", "HTTP/1.1 200 a\r\n: b\r\n\r\n",
                                      "HTTP/1.1 200 a\r\nA: b\r\nB: c\r\nC: d\r\n\r\n", "\r\n\r\n", "HTTP/1.1 2000\r\n\r\n",
                                      "HTTP/1.1 200 a\r\nA: b\rc\r\n\r\n", "HTTP/1.1 200 a\r\nA b: c\r\n\r\n"};
    for (size_t i = 0; i < ARRAY_LEN(bad); i++)
        assert_int_equal(http_head_parse(slice_str(bad[i]), &status, headers, 2, &count), ERR_FORMAT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(speaks_both_ways, setup_plain, teardown),
        cmocka_unit_test_setup_teardown(speaks_both_ways, setup_tls, teardown),
        cmocka_unit_test_setup_teardown(a_slow_reader_costs_no_memory, setup_plain, teardown),
        cmocka_unit_test_setup_teardown(a_slow_reader_costs_no_memory, setup_tls, teardown),
        cmocka_unit_test_setup_teardown(the_server_leaves, setup_plain, teardown),
        cmocka_unit_test_setup_teardown(the_server_leaves, setup_tls, teardown),
        cmocka_unit_test_setup_teardown(last_words_arrive, setup_plain, teardown),
        cmocka_unit_test_setup_teardown(last_words_arrive, setup_tls, teardown),
        cmocka_unit_test_setup_teardown(a_client_that_leaves_a_paused_server_is_noticed, setup_plain, teardown),
        cmocka_unit_test_setup_teardown(a_client_that_leaves_a_paused_server_is_noticed, setup_tls, teardown),
        cmocka_unit_test_setup_teardown(an_ordinary_answer_is_one, setup_tls, teardown),
        cmocka_unit_test_setup_teardown(there_are_only_so_many, setup_plain, teardown),
        cmocka_unit_test_setup_teardown(there_are_only_so_many, setup_tls, teardown),
        cmocka_unit_test_setup_teardown(bytes_behind_the_request_are_not_lost, setup_plain, teardown),
        cmocka_unit_test_setup_teardown(bytes_behind_the_request_are_not_lost, setup_tls, teardown),
        cmocka_unit_test_setup_teardown(nobody_listens, setup_plain, teardown),
        cmocka_unit_test(heads),
    };
    return RUN_TESTS(tests);
}
