/*   open ──the watch ends, the client ends or breaks the protocol──▶ closing ──▶ closed, freed
 *
 * An exchange over a tunnel. The request lets go of it (`ended`) or is told that it is gone, whatever comes first; the
 * memory stays until the tunnel is closed. */
#include "common/base.h"

#include "apiserver/watch_socket.h"
#include "common/mem.h"
#include "common/websocket.h"

#include <strings.h>

#define BEARER_PREFIX "base64url.bearer.authorization.k8s.io."

struct watch_socket {
    struct http_exchange exchange; /* what the request goes on over */
    struct http_tunnel tunnel;
    struct websocket_decoder decoder;
    bool ended;   /* by the request */
    bool closing; /* nothing is written any more */
};

/* --- towards the client --- */

static void socket_close(struct watch_socket *s, unsigned code)
{
    struct buf frame = {0};
    if (s->closing)
        return;
    s->closing = true;
    websocket_close_frame(code, "", &frame);
    http_tunnel_write(&s->tunnel, buf_slice(&frame));
    http_tunnel_close(&s->tunnel, true);
    buf_release(&frame);
}

static void socket_send(struct watch_socket *s, enum websocket_opcode opcode, struct slice payload)
{
    struct buf frame = {0};
    if (s->closing)
        return;
    websocket_frame(opcode, SLICE(""), payload, &frame);
    http_tunnel_write(&s->tunnel, buf_slice(&frame));
    s->exchange.pending_bytes = s->tunnel.pending_bytes;
    buf_release(&frame);
}

static void socket_write(struct http_exchange *x, struct bytes *event)
{
    socket_send(container_of(x, struct watch_socket, exchange), WEBSOCKET_TEXT, bytes_slice(event));
}

static void socket_end(struct http_exchange *x, bool clean)
{
    struct watch_socket *s = container_of(x, struct watch_socket, exchange);
    s->ended = true;
    if (clean) {
        socket_close(s, WEBSOCKET_NORMAL);
    } else if (!s->closing) {
        s->closing = true;
        http_tunnel_close(&s->tunnel, false);
    }
}

static const struct http_exchange_ops socket_ops = {.write = socket_write, .end = socket_end};

/* --- from the client --- */

static void on_read(struct http_tunnel *t, struct slice bytes)
{
    struct watch_socket *s = t->data;
    struct websocket_message m;
    int rv = 0;
    websocket_feed(&s->decoder, bytes);
    while (!s->closing && (rv = websocket_next(&s->decoder, &m, NULL)) > 0) {
        if (m.opcode == WEBSOCKET_PING)
            socket_send(s, WEBSOCKET_PONG, m.payload);
        else if (m.opcode == WEBSOCKET_CLOSE)
            socket_close(s, WEBSOCKET_NORMAL);
    }
    if (rv < 0)
        socket_close(s, (unsigned)s->decoder.failure);
}

static void on_drain(struct http_tunnel *t)
{
    struct watch_socket *s = t->data;
    s->exchange.pending_bytes = 0;
    if (!s->ended && !s->closing && s->exchange.drained != NULL)
        s->exchange.drained(&s->exchange);
}

static void on_close(struct http_tunnel *t)
{
    struct watch_socket *s = t->data;
    if (!s->ended)
        s->exchange.gone(&s->exchange);
    websocket_decoder_release(&s->decoder);
    mem_free(s);
}

static const struct http_tunnel_callbacks callbacks = {on_read, on_drain, on_close};

/* --- the handshake --- */

bool watch_socket_wanted(const struct api_request *r)
{
    struct slice wanted = http_upgrade_wanted(&r->x->request);
    return wanted.size == strlen("websocket") && strncasecmp(wanted.data, "websocket", wanted.size) == 0;
}

/* The only one that is offered is agreed on, whatever its name, and of several binary.k8s.io: frames are the same under
 * each. What browsers carry a token in is none. False: there are several, none of which we know. */
static bool choose_protocol(struct slice offered, struct slice *ret)
{
    size_t count = 0;
    *ret = (struct slice){NULL, 0};
    while (offered.size > 0) {
        struct slice one = slice_trim(slice_cut(&offered, ','));
        if (one.size == 0 || slice_has_prefix(one, SLICE(BEARER_PREFIX)))
            continue;
        count++;
        if (count == 1 || slice_is(one, "binary.k8s.io"))
            *ret = one;
    }
    return count < 2 || slice_is(*ret, "binary.k8s.io");
}

static int refuse(struct api_request *r, struct watch_socket *s, int code)
{
    mem_free(s);
    return request_fail_with(r, code, "the connection cannot be upgraded: %s",
                             code == ERR_BUSY ? "too many of its kind are open; try again later"
                                              : "HTTP/1.1 and an Upgrade are needed");
}

bool watch_socket_begin(struct api_request *r)
{
    const struct http_request *q = &r->x->request;
    struct http_header headers[3] = {{SLICE("Upgrade"), SLICE("websocket")}};
    struct slice protocol;
    struct err why;
    char accept[WEBSOCKET_ACCEPT_SIZE];
    if (websocket_check(q, &why) != 0) {
        request_fail_with(r, ERR_BAD_REQUEST, "%s", why.message);
        return false;
    }
    if (!choose_protocol(http_header_get(q->headers, q->header_count, "Sec-WebSocket-Protocol"), &protocol)) {
        request_fail_with(r, ERR_BAD_REQUEST, "Sec-WebSocket-Protocol must offer binary.k8s.io, or one alone, or none");
        return false;
    }
    int rv = websocket_accept(http_header_get(q->headers, q->header_count, "Sec-WebSocket-Key"), accept);
    ASSERT(rv == 0); /* it was checked */
    headers[1] = (struct http_header){SLICE("Sec-WebSocket-Accept"), slice_str(accept)};
    headers[2] = (struct http_header){SLICE("Sec-WebSocket-Protocol"), protocol};
    struct watch_socket *s = NEW(struct watch_socket);
    s->exchange.ops = &socket_ops;
    s->decoder.message_bytes_max = WATCH_SOCKET_MESSAGE_MAX;
    s->tunnel.callbacks = &callbacks;
    s->tunnel.data = s;
    rv = request_upgrade_to(r, headers, protocol.size > 0 ? 3 : 2, &s->tunnel, &s->exchange);
    if (rv < 0)
        refuse(r, s, rv);
    return rv == 0;
}
