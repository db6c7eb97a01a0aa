#include "common/base.h"

#include "common/buf.h"
#include "common/mem.h"
#include "common/tls.h"
#include "common/uv_net.h"

#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <linux/sockios.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define NET_BACKLOG 1024
/* Of connections that we open, through which whole states are read. The window that the kernel finds by itself shuts again and
 * again while a long answer is worked on, and each time costs a probe. */
#define NET_RECEIVE_BYTES (2 * 1024 * 1024)
#define NET_READ_BYTES (64 * 1024)
#define NET_CONNECT_TIMEOUT_MS 5000
#define NET_HANDSHAKE_TIMEOUT_MS 10000
#define NET_FLUSH_TIMEOUT_MS 1000 /* of a closing connection: the peer may have vanished without a word */
#define NET_KEEPALIVE_S 15
#define NET_USER_TIMEOUT_MS 15000
#define LOCAL_PREFIX "unix:"

struct uv_net {
    uv_loop_t *uv;
    struct loop *loop;
    char read_buffer[NET_READ_BYTES];
};

struct uv_listener {
    struct uv_net *net;
    struct net_listener *listener;
    struct tls *tls;
    bool patient;
    uv_tcp_t tcp;
};

/* One connection. Bytes to send gather in `next` for a loop turn, then move to `sending` while the kernel takes them. */
struct uv_conn {
    struct uv_net *net;
    struct net_conn *conn;
    struct tls *tls;
    struct tls_session *session; /* NULL for plain TCP */
    union {
        uv_tcp_t tcp;
        uv_pipe_t local; /* of "unix:" addresses */
    };
    uv_connect_t connecting;
    uv_write_t writing;
    struct buf next, sending;
    struct deferred flush;
    struct timer opening; /* until on_open; of a closing connection: until it is flushed */
    bool open, closing, close_when_flushed, paused, is_local, patient, accepted, shut;
    unsigned silence_ms; /* 0: NET_USER_TIMEOUT_MS */
    uv_poll_t *hangup; /* on a duplicate of an accepted, patient connection's socket; started while it is paused */
    struct err why;
};

static int parse_address(const char *text, struct sockaddr_storage *ret, struct err *reterr)
{
    char host[64];
    const char *colon = strrchr(text, ':');
    if (colon == NULL || (size_t)(colon - text) >= sizeof host)
        return err_set(reterr, ERR_BAD_REQUEST, "address '%s' is not host:port", text);
    bool brackets = text[0] == '[' && colon[-1] == ']';
    size_t size = (size_t)(colon - text) - (brackets ? 2 : 0);
    memcpy(host, text + brackets, size);
    host[size] = '\0';
    char *end;
    unsigned long port = strtoul(colon + 1, &end, 10);
    if (end == colon + 1 || *end != '\0' || port > UINT16_MAX)
        return err_set(reterr, ERR_BAD_REQUEST, "address '%s' has no valid port", text);
    if (uv_ip4_addr(host, (int)port, (struct sockaddr_in *)ret) != 0 &&
        uv_ip6_addr(host, (int)port, (struct sockaddr_in6 *)ret) != 0)
        return err_set(reterr, ERR_BAD_REQUEST, "address '%s' is not numeric", text);
    return 0;
}

static void print_address(const struct sockaddr *address, char text[NET_ADDRESS_MAX])
{
    char host[48] = "";
    if (address->sa_family == AF_INET) {
        const struct sockaddr_in *v4 = (const struct sockaddr_in *)address;
        uv_ip4_name(v4, host, sizeof host);
        snprintf(text, NET_ADDRESS_MAX, "%s:%d", host, ntohs(v4->sin_port));
    } else {
        const struct sockaddr_in6 *v6 = (const struct sockaddr_in6 *)address;
        uv_ip6_name(v6, host, sizeof host);
        snprintf(text, NET_ADDRESS_MAX, "[%s]:%d", host, ntohs(v6->sin6_port));
    }
}

static void peer_address(uv_tcp_t *tcp, char text[NET_ADDRESS_MAX])
{
    struct sockaddr_storage address;
    int size = sizeof address;
    if (uv_tcp_getpeername(tcp, (struct sockaddr *)&address, &size) == 0)
        print_address((const struct sockaddr *)&address, text);
}

static void closed(uv_handle_t *handle)
{
    struct uv_conn *u = handle->data;
    struct net_conn *c = u->conn;
    struct err why = u->why;
    tls_session_free(u->session);
    buf_release(&u->next);
    buf_release(&u->sending);
    mem_free(u);
    c->impl = NULL;
    c->callbacks->on_close(c, &why);
}

static void hangup_freed(uv_handle_t *handle) { mem_free(handle); }

static void hangup_close(struct uv_conn *u)
{
    uv_os_fd_t fd;
    if (u->hangup == NULL)
        return;
    int rv = uv_fileno((uv_handle_t *)u->hangup, &fd);
    (void)uv_poll_stop(u->hangup); /* 0 on a live handle */
    uv_close((uv_handle_t *)u->hangup, hangup_freed);
    if (rv == 0)
        close(fd);
    u->hangup = NULL;
}

static void close_now(struct uv_conn *u, const struct err *why)
{
    if (u->closing)
        return;
    u->closing = true;
    hangup_close(u);
    u->why = *why;
    loop_undefer(u->net->loop, &u->flush);
    loop_timer_stop(u->net->loop, &u->opening);
    uv_close((uv_handle_t *)&u->tcp, closed);
}

static void fail(struct uv_conn *u, int uv_code, const char *what)
{
    struct err why = {0};
    if (uv_code == UV_EOF)
        err_set(&why, ERR_EOF, "%s: connection closed by the peer", what);
    else
        err_set_errno(&why, -uv_code, "%s", what);
    close_now(u, &why);
}

static void flush(struct uv_conn *u);

static void account(struct uv_conn *u)
{
    size_t before = u->conn->write_bytes_pending;
    u->conn->write_bytes_pending = u->next.size + u->sending.size;
    if (before > 0 && u->conn->write_bytes_pending == 0 && u->conn->callbacks->on_drain != NULL && u->open && !u->closing)
        u->conn->callbacks->on_drain(u->conn);
}

/* Bytes that the kernel holds for a peer that does not take them; the end stands behind them in line. */
static int kernel_pending(struct uv_conn *u)
{
    uv_os_fd_t fd;
    int bytes = 0;
    if (u->is_local || uv_fileno((uv_handle_t *)&u->tcp, &fd) != 0 || ioctl(fd, SIOCOUTQ, &bytes) != 0)
        return 0;
    return bytes;
}

static void finish_close(struct uv_conn *u)
{
    struct err why = {0};
    uv_os_fd_t fd;
    /* A patient connection's peer may never take them, and so never learn of the end: it gets a second, then a reset. */
    if (u->close_when_flushed && u->patient && kernel_pending(u) > 0) {
        if (!u->shut && uv_fileno((uv_handle_t *)&u->tcp, &fd) == 0)
            (void)shutdown(fd, SHUT_WR); /* the end, in time for a peer that reads; fails only when it is gone */
        u->shut = true;
        return;
    }
    err_set(&why, ERR_CANCELED, "closed");
    close_now(u, &why);
}

static void written(uv_write_t *request, int status)
{
    struct uv_conn *u = request->data;
    buf_reset(&u->sending);
    if (u->closing)
        return;
    if (status != 0) {
        fail(u, status, "write");
        return;
    }
    flush(u);
}

/* Hands `next` to the kernel: at once what it takes, the rest when it can. */
static void flush(struct uv_conn *u)
{
    if (u->closing || u->sending.size > 0)
        return;
    size_t sent = 0;
    if (u->next.size > 0) {
        uv_buf_t part = uv_buf_init(u->next.data, (unsigned)MIN(u->next.size, (size_t)INT32_MAX));
        int n = uv_try_write((uv_stream_t *)&u->tcp, &part, 1);
        if (n < 0 && n != UV_EAGAIN) {
            fail(u, n, "write");
            return;
        }
        sent = n > 0 ? (size_t)n : 0;
    }
    if (sent == u->next.size) {
        buf_reset(&u->next);
        if (u->next.capacity > 4 * NET_READ_BYTES)
            buf_release(&u->next);
        account(u);
        if (u->close_when_flushed && !u->closing)
            finish_close(u);
        return;
    }
    struct buf rest = u->sending;
    u->sending = u->next;
    u->next = rest;
    uv_buf_t part = uv_buf_init(u->sending.data + sent, (unsigned)MIN(u->sending.size - sent, (size_t)UINT32_MAX));
    u->writing.data = u;
    int rv = uv_write(&u->writing, (uv_stream_t *)&u->tcp, &part, 1, written);
    if (rv != 0)
        fail(u, rv, "write");
    else
        account(u);
}

static void run_flush(struct deferred *d) { flush(container_of(d, struct uv_conn, flush)); }

static void flush_soon(struct uv_conn *u)
{
    if (!u->closing && u->next.size > 0)
        loop_defer(u->net->loop, &u->flush);
}

static void opened(struct uv_conn *u)
{
    u->open = true;
    loop_timer_stop(u->net->loop, &u->opening);
    if (u->session != NULL)
        tls_session_peer(u->session, &u->conn->peer);
    u->conn->callbacks->on_open(u->conn);
}

static void receive_tls(struct uv_conn *u, struct slice bytes)
{
    struct buf plain = {0};
    struct err why = {0};
    bool open = false;
    int rv = tls_session_receive(u->session, bytes, &plain, &u->next, &open, &why);
    if (open && !u->open)
        opened(u);
    if (plain.size > 0 && u->open && !u->closing)
        u->conn->callbacks->on_read(u->conn, buf_slice(&plain));
    buf_release(&plain);
    if (u->closing)
        return;
    if (rv != 0) {
        if (u->next.size > 0) { /* an alert says why to the other side */
            uv_buf_t part = uv_buf_init(u->next.data, (unsigned)u->next.size);
            (void)uv_try_write((uv_stream_t *)&u->tcp, &part, 1); /* it is being closed for an error already */
        }
        close_now(u, &why);
        return;
    }
    u->conn->write_bytes_pending = u->next.size + u->sending.size;
    flush_soon(u);
}

static void offer_buffer(uv_handle_t *handle, size_t suggested, uv_buf_t *ret)
{
    (void)suggested;
    struct uv_conn *u = handle->data;
    *ret = uv_buf_init(u->net->read_buffer, sizeof u->net->read_buffer);
}

static void received(uv_stream_t *stream, ssize_t n, const uv_buf_t *buffer)
{
    struct uv_conn *u = stream->data;
    if (n < 0)
        fail(u, (int)n, "read");
    else if (n > 0 && u->session != NULL)
        receive_tls(u, slice_of(buffer->base, (size_t)n));
    else if (n > 0)
        u->conn->callbacks->on_read(u->conn, slice_of(buffer->base, (size_t)n));
}

static void opening_timed_out(struct timer *t)
{
    struct uv_conn *u = container_of(t, struct uv_conn, opening);
    struct err why = {0};
    uv_os_fd_t fd;
    struct linger reset = {.l_onoff = 1};
    if (u->close_when_flushed && u->patient && kernel_pending(u) > 0 && uv_fileno((uv_handle_t *)&u->tcp, &fd) == 0)
        (void)setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof reset); /* else it closes as any other does */
    if (u->close_when_flushed)
        err_set(&why, ERR_TIMEOUT, "closed before the peer took the last bytes");
    else
        err_set(&why, ERR_TIMEOUT, "no connection within the time allowed");
    close_now(u, &why);
}

static struct uv_conn *conn_new(struct uv_net *net, struct tls *tls, bool server, const char *server_name, bool is_local)
{
    struct uv_conn *u = NEW(struct uv_conn);
    u->net = net;
    u->tls = tls;
    if (tls != NULL)
        u->session = tls_session_new(tls, server, server_name);
    deferred_init(&u->flush, run_flush);
    timer_init(&u->opening, opening_timed_out);
    u->is_local = is_local;
    if (is_local)
        (void)uv_pipe_init(net->uv, &u->local, 0); /* cannot fail on a live loop */
    else
        uv_tcp_init(net->uv, &u->tcp);
    u->tcp.data = u; /* `data` is at the same place in every handle */
    return u;
}

static void tcp_options(struct uv_conn *u)
{
    int fd;
    unsigned timeout_ms = u->patient ? 0 : u->silence_ms != 0 ? u->silence_ms : NET_USER_TIMEOUT_MS; /* it counts a shut window as silence */
    (void)uv_tcp_nodelay(&u->tcp, 1);                    /* options that help but are not needed: */
    (void)uv_tcp_keepalive(&u->tcp, 1, NET_KEEPALIVE_S); /* a connection without them still works */
    if (uv_fileno((uv_handle_t *)&u->tcp, &fd) == 0)
        (void)setsockopt(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &timeout_ms, sizeof timeout_ms);
    if (!u->accepted && uv_fileno((uv_handle_t *)&u->tcp, &fd) == 0)
        (void)setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &(int){NET_RECEIVE_BYTES}, sizeof(int));
    peer_address(&u->tcp, u->conn->peer.address);
}

/* It is up: options, reading, and the client's first TLS bytes. */
static void established(struct uv_conn *u, bool client)
{
    if (!u->is_local)
        tcp_options(u);
    int rv = u->paused ? 0 : uv_read_start((uv_stream_t *)&u->tcp, offer_buffer, received);
    if (rv != 0) {
        fail(u, rv, "read");
        return;
    }
    if (u->session == NULL) {
        opened(u);
        return;
    }
    struct err why;
    if (client && tls_session_start(u->session, &u->next, &why) != 0)
        close_now(u, &why);
    else
        flush_soon(u);
}

static void connected(uv_connect_t *request, int status)
{
    struct uv_conn *u = request->data;
    if (u->closing)
        return;
    if (status != 0)
        fail(u, status, "connect");
    else
        established(u, true);
}

static void connect_local(struct uv_conn *u, const char *path)
{
    struct err why;
    if (strlen(path) >= sizeof ((struct sockaddr_un *)NULL)->sun_path) { /* libuv would cut it */
        err_set(&why, ERR_BAD_REQUEST, "socket path %s is too long", path);
        close_now(u, &why);
        return;
    }
    uv_pipe_connect(&u->connecting, &u->local, path, connected);
}

static void net_connect_(void *impl, struct net_conn *c, const struct net_connect_options *o)
{
    struct uv_net *net = impl;
    char host[64] = "";
    size_t host_size = strcspn(o->address, ":");
    bool is_local = strncmp(o->address, LOCAL_PREFIX, strlen(LOCAL_PREFIX)) == 0;
    ASSERT(IMPLIES(is_local, o->tls == NULL));
    if (o->address[0] == '[')
        snprintf(host, sizeof host, "%.*s", (int)strcspn(o->address + 1, "]"), o->address + 1);
    else if (host_size < sizeof host)
        snprintf(host, sizeof host, "%.*s", (int)host_size, o->address);
    struct uv_conn *u = conn_new(net, o->tls, false, o->server_name != NULL ? o->server_name : host, is_local);
    u->patient = o->patient;
    u->silence_ms = o->silence_ms;
    u->conn = c;
    c->impl = u;
    c->write_bytes_pending = 0;
    memset(&c->peer, 0, sizeof c->peer);
    struct sockaddr_storage address;
    struct err why;
    u->connecting.data = u;
    if (is_local) {
        connect_local(u, o->address + strlen(LOCAL_PREFIX));
        return;
    }
    if (parse_address(o->address, &address, &why) != 0) {
        close_now(u, &why);
        return;
    }
    loop_timer_start(net->loop, &u->opening, o->timeout_ms != 0 ? o->timeout_ms : NET_CONNECT_TIMEOUT_MS);
    int rv = uv_tcp_connect(&u->connecting, &u->tcp, (struct sockaddr *)&address, connected);
    if (rv != 0)
        fail(u, rv, o->address);
}

static void refused(uv_handle_t *handle)
{
    struct uv_conn *u = handle->data;
    tls_session_free(u->session);
    mem_free(u);
}

static void accept_one(uv_stream_t *stream, int status)
{
    struct uv_listener *l = stream->data;
    if (status != 0)
        return; /* out of descriptors or aborted by the client: the next one may succeed */
    struct uv_conn *u = conn_new(l->net, l->tls, true, NULL, false);
    u->patient = l->patient;
    u->accepted = true;
    struct net_conn *c = uv_accept(stream, (uv_stream_t *)&u->tcp) == 0 ? l->listener->on_accept(l->listener) : NULL;
    if (c == NULL) {
        uv_close((uv_handle_t *)&u->tcp, refused);
        return;
    }
    u->conn = c;
    c->impl = u;
    c->write_bytes_pending = 0;
    memset(&c->peer, 0, sizeof c->peer);
    loop_timer_start(l->net->loop, &u->opening, NET_HANDSHAKE_TIMEOUT_MS);
    established(u, false);
}

static void listener_freed(uv_handle_t *handle)
{
    struct uv_listener *l = handle->data;
    struct net_listener *listener = l->listener;
    mem_free(l);
    if (listener != NULL && listener->on_close != NULL)
        listener->on_close(listener);
}

static int net_listen_(void *impl, struct net_listener *listener, const struct net_listen_options *o, struct err *reterr)
{
    struct uv_net *net = impl;
    struct sockaddr_storage address;
    int rv = parse_address(o->address, &address, reterr);
    if (rv != 0)
        return rv;
    struct uv_listener *l = NEW(struct uv_listener);
    l->net = net;
    l->tls = o->tls;
    l->patient = o->patient;
    uv_tcp_init(net->uv, &l->tcp);
    l->tcp.data = l;
    rv = uv_tcp_bind(&l->tcp, (struct sockaddr *)&address, 0);
    if (rv == 0)
        rv = uv_listen((uv_stream_t *)&l->tcp, NET_BACKLOG, accept_one);
    if (rv != 0) {
        uv_close((uv_handle_t *)&l->tcp, listener_freed);
        return err_set_errno(reterr, -rv, "cannot listen on %s", o->address);
    }
    l->listener = listener;
    listener->impl = l;
    return 0;
}

static int net_port_(struct net_listener *listener)
{
    struct uv_listener *l = listener->impl;
    struct sockaddr_storage address;
    int size = sizeof address;
    if (uv_tcp_getsockname(&l->tcp, (struct sockaddr *)&address, &size) != 0)
        return 0;
    return ntohs(address.ss_family == AF_INET ? ((struct sockaddr_in *)&address)->sin_port
                                              : ((struct sockaddr_in6 *)&address)->sin6_port);
}

static void net_listener_close_(struct net_listener *listener)
{
    struct uv_listener *l = listener->impl;
    uv_close((uv_handle_t *)&l->tcp, listener_freed);
}

static void net_write_(struct net_conn *c, const struct slice *parts, size_t n)
{
    struct uv_conn *u = c->impl;
    if (u == NULL || u->closing || u->close_when_flushed)
        return; /* on_close tells */
    ASSERT(u->open);
    for (size_t i = 0; i < n; i++) {
        struct err why;
        if (u->session == NULL) {
            buf_append_slice(&u->next, parts[i]);
        } else if (tls_session_send(u->session, parts[i], &u->next, &why) != 0) {
            close_now(u, &why);
            return;
        }
    }
    c->write_bytes_pending = u->next.size + u->sending.size;
    flush_soon(u);
}

static void hung_up(uv_poll_t *poll, int status, int events)
{
    (void)status;
    (void)events;
    fail(poll->data, UV_EOF, "while paused");
}

/* libuv does not look at a stream that is not read. Out of descriptors, the end is noticed when reading goes on. */
static void hangup_watch(struct uv_conn *u, bool on)
{
    uv_os_fd_t socket;
    if (!u->accepted || !u->patient)
        return;
    if (u->hangup == NULL && on && uv_fileno((uv_handle_t *)&u->tcp, &socket) == 0) {
        int fd = fcntl(socket, F_DUPFD_CLOEXEC, 0);
        uv_poll_t *poll = fd < 0 ? NULL : NEW(uv_poll_t);
        if (poll != NULL && uv_poll_init(u->net->uv, poll, fd) != 0) {
            close(fd);
            mem_free(poll);
            poll = NULL;
        }
        if (poll != NULL)
            poll->data = u;
        u->hangup = poll;
    }
    if (u->hangup != NULL && on)
        (void)uv_poll_start(u->hangup, UV_DISCONNECT, hung_up); /* 0 on a live handle */
    else if (u->hangup != NULL)
        (void)uv_poll_stop(u->hangup);
}

static void net_read_pause_(struct net_conn *c, bool paused)
{
    struct uv_conn *u = c->impl;
    if (u == NULL || u->closing || u->paused == paused)
        return;
    u->paused = paused;
    if (!u->open)
        return;
    int rv = paused ? uv_read_stop((uv_stream_t *)&u->tcp) : uv_read_start((uv_stream_t *)&u->tcp, offer_buffer, received);
    if (rv != 0)
        fail(u, rv, "read");
    else
        hangup_watch(u, paused);
}

static void net_close_(struct net_conn *c, bool flush_first)
{
    struct uv_conn *u = c->impl;
    if (u == NULL || u->closing)
        return;
    if (u->open && u->session != NULL)
        tls_session_close_notify(u->session, &u->next);
    u->close_when_flushed = flush_first && u->open;
    if (u->close_when_flushed)
        loop_timer_start(u->net->loop, &u->opening, NET_FLUSH_TIMEOUT_MS);
    if (u->close_when_flushed && u->next.size + u->sending.size > 0)
        flush_soon(u);
    else
        finish_close(u);
}

/* --- datagrams --- */

struct uv_datagram {
    struct uv_net *net;
    struct net_datagram *datagram; /* NULL when opening failed */
    uv_udp_t udp;
};

static void datagram_freed(uv_handle_t *handle)
{
    struct uv_datagram *u = handle->data;
    struct net_datagram *d = u->datagram;
    mem_free(u);
    if (d != NULL)
        d->on_close(d);
}

static void datagram_buffer(uv_handle_t *handle, size_t suggested, uv_buf_t *ret)
{
    (void)suggested;
    struct uv_datagram *u = handle->data;
    *ret = uv_buf_init(u->net->read_buffer, sizeof u->net->read_buffer);
}

/* Errors are of single packets (a port unreachable): the socket goes on. */
static void datagram_received(uv_udp_t *udp, ssize_t n, const uv_buf_t *buffer, const struct sockaddr *from, unsigned flags)
{
    struct uv_datagram *u = udp->data;
    char text[NET_ADDRESS_MAX];
    if (n <= 0 || from == NULL || (flags & UV_UDP_PARTIAL) != 0 || uv_is_closing((uv_handle_t *)udp))
        return;
    print_address(from, text);
    u->datagram->on_receive(u->datagram, text, slice_of(buffer->base, (size_t)n));
}

static int net_datagram_open_(void *impl, struct net_datagram *d, const char *text, struct err *reterr)
{
    struct uv_net *net = impl;
    struct sockaddr_storage address;
    int rv = parse_address(text, &address, reterr);
    if (rv != 0)
        return rv;
    struct uv_datagram *u = NEW(struct uv_datagram);
    u->net = net;
    uv_udp_init(net->uv, &u->udp);
    u->udp.data = u;
    rv = uv_udp_bind(&u->udp, (struct sockaddr *)&address, 0);
    if (rv == 0)
        rv = uv_udp_recv_start(&u->udp, datagram_buffer, datagram_received);
    if (rv != 0) {
        uv_close((uv_handle_t *)&u->udp, datagram_freed);
        return err_set_errno(reterr, -rv, "cannot open UDP %s", text);
    }
    u->datagram = d;
    d->impl = u;
    return 0;
}

static void net_datagram_send_(struct net_datagram *d, const char *to, struct slice bytes)
{
    struct uv_datagram *u = d->impl;
    struct sockaddr_storage address;
    uv_buf_t part = uv_buf_init((char *)bytes.data, (unsigned)bytes.size);
    if (uv_is_closing((uv_handle_t *)&u->udp) || bytes.size > NET_DATAGRAM_MAX || parse_address(to, &address, NULL) != 0)
        return;
    (void)uv_udp_try_send(&u->udp, &part, 1, (struct sockaddr *)&address); /* not taken: lost, which senders must expect */
}

static void net_datagram_close_(struct net_datagram *d)
{
    struct uv_datagram *u = d->impl;
    if (!uv_is_closing((uv_handle_t *)&u->udp))
        uv_close((uv_handle_t *)&u->udp, datagram_freed);
}

struct uv_net *uv_net_new(uv_loop_t *uv, struct loop *loop, struct net *ret)
{
    static const struct net_ops ops = {
        .listen = net_listen_,
        .port = net_port_,
        .listener_close = net_listener_close_,
        .connect = net_connect_,
        .write = net_write_,
        .read_pause = net_read_pause_,
        .close = net_close_,
        .datagram_open = net_datagram_open_,
        .datagram_send = net_datagram_send_,
        .datagram_close = net_datagram_close_,
    };
    struct uv_net *n = NEW(struct uv_net);
    n->uv = uv;
    n->loop = loop;
    *ret = (struct net){&ops, n};
    return n;
}

void uv_net_free(struct uv_net *n) { mem_free(n); }
