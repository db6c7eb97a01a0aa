/* Upgraded connections of the server: struct tunnel in http_server_parts.h says how. */
#include "common/base.h"

#include "common/http_server_parts.h"
#include "common/mem.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

static struct loop *loop_of(struct front *f) { return f->server->loop; }

static void tunnel_tell_closed(struct deferred *d)
{
    struct tunnel *t = container_of(d, struct tunnel, closed);
    struct http_tunnel *core = t->core;
    t->core = NULL;
    if (core != NULL)
        core->callbacks->on_close(core);
}

/* Our part is over; the daemon sends the last bytes and completes the request, within the linger time. */
void http_front_tunnel_shut(struct front *f)
{
    struct tunnel *t = &f->tunnel;
    if (t->state == TUNNEL_SHUT)
        return;
    t->state = TUNNEL_SHUT;
    uv_fd_free(t->stream);
    t->stream = NULL;
    loop_undefer(loop_of(f), &t->resumed);
    loop_defer(loop_of(f), &t->closed);
    loop_timer_start(loop_of(f), &t->linger, HTTP_SERVER_LINGER_MS);
    if (t->handle != NULL)
        MHD_upgrade_action(t->handle, MHD_UPGRADE_ACTION_CLOSE);
    if (f->state == FRONT_TAKEN) {
        f->state = FRONT_GONE;
        http_front_resume(f); /* the daemon asks once more, hears no, and closes */
    }
}

static void tunnel_end(void *arg) { http_front_tunnel_shut(arg); }

static void tunnel_lingered(struct timer *timer)
{
    struct front *f = container_of(timer, struct front, tunnel.linger);
    uv_os_fd_t fd;
    if (f->hangup != NULL && uv_fileno((uv_handle_t *)f->hangup, &fd) == 0)
        (void)shutdown(fd, SHUT_RDWR); /* the client does not take what is left for it: the daemon gives up too */
}

/* While reading is paused nobody reads up to the end: the departure counts at once. */
void http_front_tunnel_hung_up(struct front *f)
{
    struct tunnel *t = &f->tunnel;
    t->hung_up = true;
    if (t->paused && (t->state == TUNNEL_OPEN || t->state == TUNNEL_FLUSHING))
        http_front_tunnel_shut(f);
}

void http_front_tunnel_drop(struct front *f)
{
    struct tunnel *t = &f->tunnel;
    if (t->state == TUNNEL_NONE)
        return;
    t->handle = NULL;
    http_front_tunnel_shut(f);
    loop_undefer(loop_of(f), &t->closed);
    loop_timer_stop(loop_of(f), &t->linger);
    tunnel_tell_closed(&t->closed);
    buf_release(&t->early);
    buf_release(&t->late);
    f->server->tunnel_count--;
    t->state = TUNNEL_NONE;
}

static void tunnel_pending(struct front *f)
{
    f->tunnel.core->pending_bytes =
        f->tunnel.late.size + (f->tunnel.stream == NULL ? 0 : uv_fd_pending(f->tunnel.stream));
}

static void tunnel_read(void *arg, struct slice bytes)
{
    struct front *f = arg;
    f->tunnel.core->callbacks->on_read(f->tunnel.core, bytes);
}

static void tunnel_drained(void *arg)
{
    struct front *f = arg;
    tunnel_pending(f);
    if (f->tunnel.core->callbacks->on_drain != NULL)
        f->tunnel.core->callbacks->on_drain(f->tunnel.core);
}

/* What came with the request goes to the core before anything else. */
static void tunnel_deliver_early(struct deferred *d)
{
    struct front *f = container_of(d, struct front, tunnel.resumed);
    struct tunnel *t = &f->tunnel;
    if (t->paused || t->state != TUNNEL_OPEN)
        return;
    struct buf early = t->early;
    t->early = (struct buf){0};
    if (early.size > 0)
        t->core->callbacks->on_read(t->core, buf_slice(&early));
    buf_release(&early);
    if (t->stream != NULL)
        uv_fd_pause(t->stream, t->paused);
}

static void tunnel_write(struct http_tunnel *core, struct slice bytes)
{
    struct front *f = core->impl;
    struct tunnel *t = &f->tunnel;
    if (t->state == TUNNEL_PROMISED)
        buf_append_slice(&t->late, bytes);
    else if (t->state == TUNNEL_OPEN)
        uv_fd_write(t->stream, bytes);
    tunnel_pending(f);
}

static void tunnel_pause(struct http_tunnel *core, bool paused)
{
    struct front *f = core->impl;
    struct tunnel *t = &f->tunnel;
    t->paused = paused;
    if (t->state != TUNNEL_OPEN)
        return;
    if (paused && t->hung_up)
        http_front_tunnel_shut(f);
    else if (!paused && t->early.size > 0)
        loop_defer(loop_of(f), &t->resumed);
    else
        uv_fd_pause(t->stream, paused);
}

static void tunnel_close(struct http_tunnel *core, bool flush)
{
    struct front *f = core->impl;
    struct tunnel *t = &f->tunnel;
    if (t->state == TUNNEL_PROMISED && flush) {
        t->state = TUNNEL_FLUSHING; /* once it is open */
    } else if (t->state == TUNNEL_OPEN && flush && uv_fd_pending(t->stream) > 0) {
        t->state = TUNNEL_FLUSHING;
        loop_timer_start(loop_of(f), &t->linger, HTTP_SERVER_LINGER_MS);
        uv_fd_end(t->stream);
    } else if (t->state != TUNNEL_FLUSHING || !flush) {
        http_front_tunnel_shut(f);
    }
}

static void tunnel_keep_alive(struct front *f)
{
    int on = 1, idle_s = HTTP_SERVER_KEEPALIVE_S, interval_s = HTTP_SERVER_KEEPALIVE_S / 3;
    uv_os_fd_t fd;
    if (f->hangup == NULL || uv_fileno((uv_handle_t *)f->hangup, &fd) != 0)
        return;
    /* A machine that vanished without a word is noticed; where the options are refused, only later. */
    (void)setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof on);
    (void)setsockopt(fd, IPPROTO_TCP, TCP_KEEPIDLE, &idle_s, sizeof idle_s);
    (void)setsockopt(fd, IPPROTO_TCP, TCP_KEEPINTVL, &interval_s, sizeof interval_s);
    (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
}

static ssize_t session_read(void *arg, char *bytes, size_t size)
{
    struct front *f = arg;
    ssize_t n;
    do
        n = gnutls_record_recv(f->tunnel.session, bytes, size);
    while (n == GNUTLS_E_INTERRUPTED);
    return n >= 0 ? n : n == GNUTLS_E_AGAIN ? -EAGAIN : -ECONNRESET;
}

static ssize_t session_write(void *arg, const char *bytes, size_t size)
{
    struct front *f = arg;
    ssize_t n;
    do /* a record that was cut short is gone on with, with no bytes of ours (gnutls_record_send(3)) */
        n = f->tunnel.record_open ? gnutls_record_send(f->tunnel.session, NULL, 0)
                                  : gnutls_record_send(f->tunnel.session, bytes, size);
    while (n == GNUTLS_E_INTERRUPTED);
    f->tunnel.record_open = n == GNUTLS_E_AGAIN;
    return n >= 0 ? n : n == GNUTLS_E_AGAIN ? -EAGAIN : -ECONNRESET;
}

/* The bytes of `socket` are ours now. */
static void tunnel_open(struct front *f, MHD_socket socket)
{
    static const struct uv_fd_callbacks callbacks = {tunnel_read, tunnel_drained, tunnel_end};
    static const struct uv_fd_io session_io = {session_read, session_write};
    struct tunnel *t = &f->tunnel;
    bool flush_only = t->state == TUNNEL_FLUSHING;
    int fd = fcntl(socket, F_DUPFD_CLOEXEC, 0);
    http_front_watch(f);
    tunnel_keep_alive(f);
    if (t->state == TUNNEL_SHUT)
        t->state = TUNNEL_OPEN; /* it was closed before it was open */
    else if (fd >= 0)
        t->stream = uv_fd_new(f->server->uv, fd, t->session == NULL ? NULL : &session_io, &callbacks, f);
    if (t->stream == NULL) { /* so it was, or there are no descriptors left */
        http_front_tunnel_shut(f);
        return;
    }
    t->state = TUNNEL_OPEN;
    uv_fd_pause(t->stream, t->paused || t->early.size > 0);
    uv_fd_write(t->stream, buf_slice(&t->late));
    buf_release(&t->late);
    if (flush_only)
        tunnel_close(t->core, true);
    else if (t->early.size > 0)
        loop_defer(loop_of(f), &t->resumed);
}

static void tunnel_handed_out(void *arg, struct MHD_Connection *connection, void *context, const char *extra,
                              size_t extra_size, MHD_socket socket, struct MHD_UpgradeResponseHandle *handle)
{
    (void)connection;
    (void)context;
    struct front *f = arg;
    f->tunnel.handle = handle;
    buf_append(&f->tunnel.early, extra, extra_size);
    tunnel_open(f, socket);
}

/* What the daemon has decrypted for nobody yet: no poll would tell of it. */
static void take_pending(struct front *f)
{
    size_t n = gnutls_record_check_pending(f->tunnel.session);
    buf_reserve(&f->tunnel.early, n);
    ssize_t got = n == 0 ? 0 : gnutls_record_recv(f->tunnel.session, f->tunnel.early.data, n);
    f->tunnel.early.size = got > 0 ? (size_t)got : 0;
}

static void print_head(const struct http_header *headers, size_t n, struct buf *out)
{
    buf_append_str(out, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\n");
    for (size_t i = 0; i < n; i++) {
        size_t start = out->size;
        buf_printf(out, "%.*s: %.*s", SLICE_ARGS(headers[i].name), SLICE_ARGS(headers[i].value));
        if (strcspn(out->data + start, "\r\n") != out->size - start)
            PANIC("header '%s' cannot be sent", out->data + start);
        buf_append_str(out, "\r\n");
    }
    buf_append_str(out, "\r\n");
}

static void tunnel_take(struct front *f, gnutls_session_t session, const struct http_header *headers, size_t n)
{
    const union MHD_ConnectionInfo *info = MHD_get_connection_info(f->connection, MHD_CONNECTION_INFO_CONNECTION_FD);
    f->tunnel.session = session;
    f->state = FRONT_TAKEN;
    print_head(n == 0 ? NULL : headers, n, &f->tunnel.late);
    take_pending(f);
    tunnel_open(f, info->connect_fd);
}

static const struct http_tunnel_ops tunnel_ops = {tunnel_write, tunnel_pause, tunnel_close};

int http_front_upgrade(struct http_exchange *x, const struct http_header *headers, size_t n, struct http_tunnel *core)
{
    struct front *f = container_of(x, struct front, x);
    struct tunnel *t = &f->tunnel;
    ASSERT(f->state == FRONT_HANDED);
    if (!f->http_1_1)
        return ERR_BAD_REQUEST;
    if (f->server->tunnel_count >= f->server->options.tunnels_max) {
        http_server_hit(f->server, HTTP_LIMIT_TUNNELS);
        return ERR_BUSY;
    }
    f->server->tunnel_count++;
    t->state = TUNNEL_PROMISED;
    t->core = core;
    deferred_init(&t->closed, tunnel_tell_closed);
    deferred_init(&t->resumed, tunnel_deliver_early);
    timer_init(&t->linger, tunnel_lingered);
    core->ops = &tunnel_ops;
    core->impl = f;
    core->pending_bytes = 0;
    const union MHD_ConnectionInfo *tls = MHD_get_connection_info(f->connection, MHD_CONNECTION_INFO_GNUTLS_SESSION);
    if (tls == NULL)
        http_front_answer(f, MHD_HTTP_SWITCHING_PROTOCOLS, MHD_create_response_for_upgrade(tunnel_handed_out, f),
                          headers, n);
    else
        tunnel_take(f, tls->tls_session, headers, n);
    return 0;
}
