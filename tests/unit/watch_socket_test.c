/* A watch by WebSocket over a tunnel that the test carries: the handshake, frames, back-pressure, and who ends it how.
 */
#include "tests/unit/api_fixture.h"

#include "apiserver/limits.h"
#include "common/mem.h"
#include "common/websocket.h"

#define MAPS "/api/v1/namespaces/default/configmaps"

/* A client whose connection became a tunnel; `peer` reads what the server wrote. */
struct viewer {
    struct client client;
    struct http_exchange_ops ops;
    struct http_tunnel *tunnel; /* NULL: not upgraded, or closed */
    struct websocket_decoder peer;
    struct buf accept, protocol;
    int refusal; /* of the front, in the place of an upgrade */
    bool holds;  /* takes nothing of what is written */
    bool closing, flushed;
};

static void tunnel_write(struct http_tunnel *t, struct slice bytes)
{
    struct viewer *v = t->impl;
    assert_false(v->closing);
    websocket_feed(&v->peer, bytes);
    if (v->holds)
        t->pending_bytes += bytes.size;
}

static void tunnel_pause(struct http_tunnel *t, bool paused) { (void)t, (void)paused; }

static void tunnel_close(struct http_tunnel *t, bool flush)
{
    struct viewer *v = t->impl;
    assert_false(v->closing);
    v->closing = true;
    v->flushed = flush;
}

static const struct http_tunnel_ops tunnel_ops = {tunnel_write, tunnel_pause, tunnel_close};

static int on_upgrade(struct http_exchange *x, const struct http_header *h, size_t n, struct http_tunnel *t)
{
    struct viewer *v = container_of(x, struct viewer, client.x);
    if (v->refusal != 0)
        return v->refusal;
    buf_append_slice(&v->accept, http_header_get(h, n, "Sec-WebSocket-Accept"));
    buf_append_slice(&v->protocol, http_header_get(h, n, "Sec-WebSocket-Protocol"));
    assert_slice_equal(http_header_get(h, n, "Upgrade"), "websocket");
    t->ops = &tunnel_ops;
    t->impl = v;
    v->tunnel = t;
    /* The head is the front's again. */
    memset(v->client.path.data, 'x', v->client.path.size);
    memset(v->client.query.data, 'x', v->client.query.size);
    return 0;
}

static void viewer_open(struct fixture *f, struct viewer *v, const char *line, const char *protocols)
{
    struct client *c = &v->client;
    v->peer = (struct websocket_decoder){.message_bytes_max = 1 << 20, .from_server = true};
    v->ops = client_ops;
    v->ops.upgrade = on_upgrade;
    c->ops = &v->ops;
    buf_append(&v->accept, "", 0);
    buf_append(&v->protocol, "", 0);
    c->headers[c->header_count++] = (struct http_header){SLICE("Connection"), SLICE("keep-alive, Upgrade")};
    c->headers[c->header_count++] = (struct http_header){SLICE("Upgrade"), SLICE("websocket")};
    c->headers[c->header_count++] = (struct http_header){SLICE("Sec-WebSocket-Version"), SLICE("13")};
    c->headers[c->header_count++] = (struct http_header){SLICE("Sec-WebSocket-Key"), SLICE("dGhlIHNhbXBsZSBub25jZQ==")};
    if (protocols != NULL)
        c->headers[c->header_count++] = (struct http_header){SLICE("Sec-WebSocket-Protocol"), slice_str(protocols)};
    client_send(f, c, line, NULL, NULL, SLICE(""));
}

/* The connection is over. */
static void viewer_gone(struct fixture *f, struct viewer *v)
{
    struct http_tunnel *t = v->tunnel;
    v->tunnel = NULL;
    t->callbacks->on_close(t);
    direct_run_ms(&f->d, 1);
}

static void viewer_release(struct viewer *v)
{
    assert_null(v->tunnel);
    websocket_decoder_release(&v->peer);
    buf_release(&v->accept);
    buf_release(&v->protocol);
    client_release(&v->client);
}

/* The next frame is text: an event of that type about that object; NULL: any. */
static void sees(struct viewer *v, const char *type, const char *name)
{
    struct websocket_message m;
    struct json_doc *d = json_doc_new();
    struct json *event;
    assert_int_equal(websocket_next(&v->peer, &m, NULL), 1);
    assert_int_equal(m.opcode, WEBSOCKET_TEXT);
    assert_ok(json_parse(d, m.payload, &event, NULL));
    assert_slice_equal(json_string_at(event, "type"), type);
    if (name != NULL)
        assert_slice_equal(json_string_at(event, "object.metadata.name"), name);
    json_doc_free(d);
}

static void sees_nothing(struct viewer *v)
{
    struct websocket_message m;
    assert_int_equal(websocket_next(&v->peer, &m, NULL), 0);
}

static void sees_close(struct viewer *v, unsigned code)
{
    struct websocket_message m;
    assert_int_equal(websocket_next(&v->peer, &m, NULL), 1);
    assert_int_equal(m.opcode, WEBSOCKET_CLOSE);
    assert_int_equal(m.close_code, code);
    assert_true(v->closing && v->flushed);
    sees_nothing(v);
}

static void says(struct viewer *v, enum websocket_opcode opcode, struct slice payload)
{
    struct buf frame = {0};
    websocket_frame_masked(opcode, true, 0x01020304, payload, &frame);
    v->tunnel->callbacks->on_read(v->tunnel, buf_slice(&frame));
    buf_release(&frame);
}

static void make(struct fixture *f, const char *name)
{
    char body[96];
    (void)snprintf(body, sizeof body, "{\"metadata\":{\"name\":\"%s\"}}", name); /* fits */
    assert_int_equal(ask(f, "POST " MAPS, body, NULL, NULL), 201);
}

static void events_are_frames(void **state)
{
    struct fixture *f = *state;
    struct viewer v = {.tunnel = NULL};
    make(f, "a");
    viewer_open(f, &v, "GET " MAPS "?watch=1", NULL);
    assert_non_null(v.tunnel);
    assert_string_equal(v.accept.data, "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
    assert_int_equal(v.protocol.size, 0);
    sees(&v, "ADDED", "a");
    make(f, "b");
    assert_int_equal(ask(f, "DELETE " MAPS "/a", "", NULL, NULL), 200);
    sees(&v, "ADDED", "b");
    sees(&v, "DELETED", "a");
    says(&v, WEBSOCKET_TEXT, SLICE("whatever"));
    says(&v, WEBSOCKET_PING, SLICE("there?"));
    struct websocket_message m;
    assert_int_equal(websocket_next(&v.peer, &m, NULL), 1);
    assert_int_equal(m.opcode, WEBSOCKET_PONG);
    assert_slice_equal(m.payload, "there?");
    says(&v, WEBSOCKET_CLOSE, SLICE("\x03\xe8"));
    sees_close(&v, WEBSOCKET_NORMAL);
    make(f, "c"); /* nobody is told */
    viewer_gone(f, &v);
    viewer_release(&v);
}

/* The request ends first: by its time, by the apiserver's end (teardown), or for what is too old. */
static void the_server_ends_it(void **state)
{
    struct fixture *f = *state;
    struct viewer v = {.tunnel = NULL}, old = {.tunnel = NULL};
    viewer_open(f, &v, "GET " MAPS "?watch=1&timeoutSeconds=5", "binary.k8s.io");
    assert_string_equal(v.protocol.data, "binary.k8s.io");
    sees_nothing(&v);
    direct_run_ms(&f->d, 6000);
    sees_close(&v, WEBSOCKET_NORMAL);
    viewer_gone(f, &v);
    viewer_release(&v);
    direct_compact_watches(&f->d);
    direct_run_ms(&f->d, 2000);
    viewer_open(f, &old, "GET " MAPS "?watch=1&resourceVersion=1", "one.of.a.kind");
    assert_string_equal(old.protocol.data, "one.of.a.kind");
    sees(&old, "ERROR", NULL);
    sees_close(&old, WEBSOCKET_NORMAL);
    viewer_gone(f, &old);
    viewer_release(&old);
}

static void a_slow_reader_waits(void **state)
{
    struct fixture *f = *state;
    struct viewer v = {.tunnel = NULL};
    viewer_open(f, &v, "GET " MAPS "?watch=1&fieldSelector=metadata.namespace%3Ddefault", NULL);
    v.holds = true;
    v.tunnel->pending_bytes = STREAM_WINDOW_BYTES;
    make(f, "a"); /* written, for the window was empty when it was last looked at */
    make(f, "b");
    make(f, "c");
    sees(&v, "ADDED", "a");
    sees_nothing(&v);
    v.tunnel->pending_bytes = 0;
    v.holds = false;
    v.tunnel->callbacks->on_drain(v.tunnel);
    sees(&v, "ADDED", "b");
    sees(&v, "ADDED", "c");
    viewer_gone(f, &v); /* without a word */
    make(f, "d");
    viewer_release(&v);
}

static void bad_frames_end_it(void **state)
{
    struct fixture *f = *state;
    struct viewer v = {.tunnel = NULL}, large = {.tunnel = NULL};
    viewer_open(f, &v, "GET " MAPS "?watch=1", NULL);
    v.tunnel->callbacks->on_read(v.tunnel, SLICE("\x81\x01x")); /* not masked */
    sees_close(&v, WEBSOCKET_PROTOCOL_ERROR);
    viewer_gone(f, &v);
    viewer_release(&v);
    viewer_open(f, &large, "GET " MAPS "?watch=1", NULL);
    char *text = mem_zalloc(WATCH_SOCKET_MESSAGE_MAX + 1);
    says(&large, WEBSOCKET_BINARY, slice_of(text, WATCH_SOCKET_MESSAGE_MAX));
    sees_nothing(&large);
    says(&large, WEBSOCKET_BINARY, slice_of(text, WATCH_SOCKET_MESSAGE_MAX + 1));
    sees_close(&large, WEBSOCKET_TOO_BIG);
    viewer_gone(f, &large);
    viewer_release(&large);
    mem_free(text);
}

static void refused(struct fixture *f, struct viewer *v, int status, const char *text)
{
    assert_null(v->tunnel);
    assert_int_equal(v->client.status, status);
    assert_non_null(strstr(v->client.answer.data, text));
    (void)f;
    viewer_release(v);
}

static void handshakes_refused(void **state)
{
    struct fixture *f = *state;
    struct viewer several = {.tunnel = NULL}, token = {.tunnel = NULL}, busy = {.refusal = ERR_BUSY},
                  old = {.tunnel = NULL}, stranger = {.tunnel = NULL}, future = {.tunnel = NULL};
    viewer_open(f, &several, "GET " MAPS "?watch=1", "v5.channel.k8s.io, v4.channel.k8s.io");
    refused(f, &several, 400, "Sec-WebSocket-Protocol must offer binary.k8s.io");
    viewer_open(f, &token, "GET " MAPS "?watch=1", "base64url.bearer.authorization.k8s.io.YQ, x, binary.k8s.io");
    assert_string_equal(token.protocol.data, "binary.k8s.io");
    viewer_gone(f, &token);
    viewer_release(&token);
    viewer_open(f, &busy, "GET " MAPS "?watch=1", NULL);
    refused(f, &busy, 429, "too many of its kind are open; try again later");
    old.client.headers[old.client.header_count++] = (struct http_header){SLICE("Sec-WebSocket-Version"), SLICE("8")};
    viewer_open(f, &old, "GET " MAPS "?watch=1", NULL);
    refused(f, &old, 400, "Sec-WebSocket-Version must be 13");
    memcpy(stranger.client.peer.common_name, "lee", 4);
    viewer_open(f, &stranger, "GET " MAPS "?watch=1", NULL);
    refused(f, &stranger, 403, "cannot watch resource");
    viewer_open(f, &future, "GET " MAPS "?watch=1&timeoutSeconds=x", NULL);
    refused(f, &future, 400, "ParseInt");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(events_are_frames, setup, teardown),
        cmocka_unit_test_setup_teardown(the_server_ends_it, setup, teardown),
        cmocka_unit_test_setup_teardown(a_slow_reader_waits, setup, teardown),
        cmocka_unit_test_setup_teardown(bad_frames_end_it, setup, teardown),
        cmocka_unit_test_setup_teardown(handshakes_refused, setup, teardown),
    };
    return RUN_TESTS(tests);
}
