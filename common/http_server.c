#include "common/base.h"

#include "common/http_server_parts.h"
#include "common/mem.h"
#include "common/tls.h"
#include "common/tls_seal.h"
#include "common/uv_env.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

#include <gnutls/gnutls.h>
#include <microhttpd.h>
#include <uv.h>

#define HTTP_SERVER_BODY_MAX (3 * 1024 * 1024)
#define HTTP_SERVER_CONNECTIONS_MAX 16384
#define HTTP_SERVER_BACKLOG 1024
#define HTTP_SERVER_STREAM_BLOCK                                                                                       \
    (4 * 1024) /* of answers to HTTP/1.0 only: chunks are made in the connection's memory */
#define HTTP_SERVER_TUNNELS_MAX 1024
#define STREAM_PARTS 32
/* The cheapest cipher of those that the client offers; all three are as good as any. */
#define PRIORITIES                                                                                                     \
    "NORMAL:-VERS-ALL:+VERS-TLS1.3:+VERS-TLS1.2:-CIPHER-ALL:+AES-128-GCM:+AES-256-GCM:+CHACHA20-POLY1305:%SERVER_"     \
    "PRECEDENCE"
/* The daemon's. Into it go a head, the daemon's notes of its headers, and the head of the answer: as much as each may
 * have fits together, so that what is refused is told why; only of far larger heads the daemon says so in its own
 * words. Not more: the daemon clears all of it after each request and fills it with pieces of streams, 128 KB cost a
 * GET a tenth and a watch 45 KB. */
#define HTTP_SERVER_CONNECTION_MEMORY (2 * HTTP_SERVER_HEAD_BYTES_MAX)
#define HTTP_SERVER_LOOK_MS 1000 /* for deadlines that have passed, and for who waits */

void http_server_hit(const struct http_server *s, enum http_server_limit which)
{
    if (s->options.on_limit != NULL)
        s->options.on_limit(s->options.core, which);
}

static struct connection *connection_of(struct MHD_Connection *daemons)
{
    const union MHD_ConnectionInfo *info = MHD_get_connection_info(daemons, MHD_CONNECTION_INFO_SOCKET_CONTEXT);
    return info == NULL ? NULL : info->socket_context;
}

/* `ms` 0: nothing is expected of the client. */
static void expect_within(struct http_server *s, struct connection *c, unsigned ms, enum http_server_limit why)
{
    if (c == NULL)
        return;
    c->deadline_ms = ms == 0 ? 0 : uv_now(s->uv) + ms;
    c->why = why;
}

/* The daemon has no way to end a connection; it sees the end of its socket and does so itself. */
static void front_hung_up(uv_poll_t *poll, int status, int events);

static void hangup_closed(uv_handle_t *handle) { mem_free(handle); }

/* The loop looks at the connection's socket, too, so that its end is seen while the daemon is not looking. It stops
 * before the daemon closes it: a request is completed first. No descriptor of our own: idle watches would need twice as
 * many. */
void http_front_watch(struct front *f)
{
    if (f->hangup != NULL)
        return;
    const union MHD_ConnectionInfo *info = MHD_get_connection_info(f->connection, MHD_CONNECTION_INFO_CONNECTION_FD);
    if (info == NULL)
        return;
    uv_poll_t *poll = mem_zalloc(sizeof *poll);
    if (uv_poll_init(f->server->uv, poll, info->connect_fd) != 0) {
        mem_free(poll);
        return; /* the write will notice */
    }
    f->hangup = poll;
    poll->data = f;
    uv_poll_start(poll, UV_DISCONNECT, front_hung_up);
}

static void unwatch_hangup(struct front *f)
{
    if (f->hangup == NULL)
        return;
    uv_poll_stop(f->hangup);
    uv_close((uv_handle_t *)f->hangup, hangup_closed);
    f->hangup = NULL;
}

static void front_suspend(struct front *f)
{
    ASSERT(!f->suspended);
    f->suspended = true;
    MHD_suspend_connection(f->connection);
    if (f->stream)
        http_front_watch(f);
}

/* Most answers are made in less time than it takes to tell the kernel that we would like to know who leaves; those who
 * wait for longer are watched. */
static void watch_those_who_wait(struct http_server *s)
{
    LIST_FOR_EACH(node, &s->fronts)
    {
        struct front *f = container_of(node, struct front, link);
        if (f->suspended && f->hangup == NULL && f->looked_at++ > 0)
            http_front_watch(f);
    }
}

static void look_for_deadlines(uv_timer_t *timer)
{
    struct http_server *s = timer->data;
    uint64_t now = uv_now(s->uv);
    LIST_FOR_EACH(node, &s->connections)
    {
        struct connection *c = container_of(node, struct connection, link);
        if (c->deadline_ms == 0 || c->deadline_ms > now)
            continue;
        c->deadline_ms = 0;
        http_server_hit(s, c->why);
        (void)shutdown(c->fd, SHUT_RDWR); /* it may have ended already */
    }
    watch_those_who_wait(s);
}

void http_front_resume(struct front *f)
{
    if (!f->suspended)
        return;
    f->suspended = false;
    MHD_resume_connection(f->connection);
}

void http_front_gone(struct front *f)
{
    if (f->state == FRONT_GONE || f->state == FRONT_READING || f->state == FRONT_TAKEN ||
        (f->state == FRONT_ANSWERED && (!f->stream || f->ended)))
        return;
    f->state = FRONT_GONE;
    if (f->x.gone != NULL)
        f->x.gone(&f->x);
}

static void front_hung_up(uv_poll_t *poll, int status, int events)
{
    struct front *f = poll->data;
    if (status == 0 && (events & UV_DISCONNECT) == 0) {
        http_front_wait_writable(f, false);
        http_front_flush_soon(f);
        return;
    }
    uv_poll_stop(poll);
    if (f->tunnel.state != TUNNEL_NONE) {
        http_front_tunnel_hung_up(f);
        return;
    }
    if (f->direct.on && f->ended) { /* its answer's end is on its way */
        f->direct.half_closed = true;
        http_front_flush_soon(f);
        return;
    }
    f->direct.on = false;
    http_front_gone(f);
    http_front_resume(f);
}

void http_front_wait_writable(struct front *f, bool wait)
{
    int events = (f->direct.half_closed ? 0 : UV_DISCONNECT) | (wait ? UV_WRITABLE : 0);
    if (f->hangup == NULL && wait) {
        f->direct.broken = true; /* nothing would tell */
        http_front_flush_soon(f);
    } else if (f->hangup == NULL) {
        return;
    } else if (events == 0) {
        uv_poll_stop(f->hangup);
    } else {
        uv_poll_start(f->hangup, events, front_hung_up);
    }
}

static void front_free(struct front *f)
{
    http_front_gone(f);
    http_front_tunnel_drop(f);
    unwatch_hangup(f);
    http_front_direct_release(f);
    pieces_drop(&f->pieces);
    if (f->response != NULL)
        MHD_destroy_response(f->response);
    mem_free(f->headers);
    buf_release(&f->uri);
    buf_release(&f->path);
    buf_release(&f->body);
    list_remove(&f->link);
    mem_free(f);
}

static void add_headers(struct MHD_Response *response, const struct http_header *headers, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (http_header_is(&headers[i], "Content-Length"))
            continue; /* the daemon knows, from begin_size */
        char *name = mem_slice_dup(headers[i].name), *value = mem_slice_dup(headers[i].value);
        if (MHD_add_response_header(response, name, value) != MHD_YES)
            PANIC("header '%s: %s' cannot be sent", name, value);
        mem_free(name);
        mem_free(value);
    }
}

static void unref_body(void *body) { bytes_unref(body); }

/* Bytes wait for the client: it has to take some of them soon. */
static void expect_taken(struct front *f)
{
    expect_within(f->server, connection_of(f->connection), f->server->options.stall_ms, HTTP_LIMIT_SLOW_READER);
}

static void expect_nothing(struct front *f)
{
    expect_within(f->server, connection_of(f->connection), 0, HTTP_LIMIT_SLOW_READER);
}

void http_front_answer(struct front *f, int status, struct MHD_Response *response, const struct http_header *headers,
                       size_t n)
{
    ASSERT(f->state == FRONT_HANDED);
    if (response == NULL)
        PANIC("out of memory for a response");
    add_headers(response, headers, n);
    f->response = response;
    f->status = (unsigned)status;
    f->state = FRONT_ANSWERED;
    if (!f->stream && status != MHD_HTTP_SWITCHING_PROTOCOLS)
        expect_taken(f);
    http_front_resume(f);
}

static void exchange_respond(struct http_exchange *x, int status, const struct http_header *headers, size_t n,
                             struct slice body, struct bytes *shared)
{
    struct front *f = container_of(x, struct front, x);
    struct MHD_Response *response =
        shared != NULL
            ? MHD_create_response_from_buffer_with_free_callback_cls(shared->size, shared->data, unref_body,
                                                                     bytes_ref(shared))
            : MHD_create_response_from_buffer(body.size, (void *)(uintptr_t)body.data, MHD_RESPMEM_MUST_COPY);
    http_front_answer(f, status, response, headers, n);
}

void http_front_consumed(struct front *f, size_t size)
{
    if (size == 0)
        return;
    f->x.pending_bytes -= size;
    if (f->x.pending_bytes == 0 && !f->ended)
        expect_nothing(f); /* what the daemon and the kernel hold is little, and bounded by HTTP_SERVER_IDLE_S */
    else
        expect_taken(f);
    if (f->x.pending_bytes == 0 && f->x.drained != NULL && f->state == FRONT_ANSWERED && !f->ended)
        f->x.drained(&f->x);
}

/* An answer that ends before it is whole: the socket is shut, so that the last chunk, which the daemon is let write,
 * goes nowhere. Told of an error by its reader, the daemon (0.9.75) closes the connection, but lets its descriptor go
 * only once every connection that has been silent for longer is gone, too. */
static ssize_t cut_stream(struct front *f)
{
    (void)shutdown(connection_of(f->connection)->fd, SHUT_RDWR); /* the client may have done so */
    return MHD_CONTENT_READER_END_OF_STREAM;
}

static ssize_t read_stream(void *arg, uint64_t position, char *out, size_t max)
{
    (void)position;
    struct front *f = arg;
    size_t size = 0;
    if (f->state == FRONT_GONE || f->direct.broken)
        return cut_stream(f);
    if (http_front_goes_direct(f)) {
        front_suspend(f);
        f->direct.fd = connection_of(f->connection)->fd;
        http_front_go_direct(f);
        return 0;
    }
    struct slice parts[STREAM_PARTS];
    size_t n = pieces_gather(&f->pieces, max, parts, STREAM_PARTS);
    for (size_t i = 0; i < n; i++) {
        memcpy(out + size, parts[i].data, parts[i].size);
        size += parts[i].size;
    }
    pieces_take(&f->pieces, size);
    if (size > 0) {
        http_front_consumed(f, size);
        return (ssize_t)size;
    }
    if (f->ended)
        return f->clean ? MHD_CONTENT_READER_END_OF_STREAM : cut_stream(f);
    front_suspend(f);
    return 0;
}

/* The length of a stream whose core knows it. */
static uint64_t begin_size(const struct http_header *headers, size_t n)
{
    struct slice text = http_header_get(headers, n, "Content-Length");
    uint64_t size = 0;
    for (size_t i = 0; i < text.size; i++) {
        ASSERT(text.data[i] >= '0' && text.data[i] <= '9' && text.size < 19);
        size = size * 10 + (uint64_t)(text.data[i] - '0');
    }
    return text.size > 0 ? size : MHD_SIZE_UNKNOWN;
}

static void exchange_begin(struct http_exchange *x, int status, const struct http_header *headers, size_t n)
{
    struct front *f = container_of(x, struct front, x);
    f->stream = true;
    f->sized = begin_size(headers, n) != MHD_SIZE_UNKNOWN;
    http_front_answer(
        f, status,
        MHD_create_response_from_callback(begin_size(headers, n), HTTP_SERVER_STREAM_BLOCK, read_stream, f, NULL),
        headers, n);
}

/* There is news for whoever writes: us, or the daemon. */
static void go_on(struct front *f)
{
    if (f->direct.on)
        http_front_flush_soon(f);
    else
        http_front_resume(f);
}

static void exchange_write_all(struct http_exchange *x, struct bytes *const *parts, size_t n)
{
    struct front *f = container_of(x, struct front, x);
    size_t before = f->pieces.bytes;
    ASSERT(f->state == FRONT_ANSWERED && f->stream && !f->ended);
    for (size_t i = 0; i < n; i++) {
        if (parts[i]->size > 0)
            pieces_push(&f->pieces, parts[i]);
    }
    size_t size = f->pieces.bytes - before;
    if (size == 0)
        return;
    if (x->pending_bytes == 0)
        expect_taken(f);
    x->pending_bytes += size;
    go_on(f);
}

static void exchange_write(struct http_exchange *x, struct bytes *bytes) { exchange_write_all(x, &bytes, 1); }

static void exchange_end(struct http_exchange *x, bool clean)
{
    struct front *f = container_of(x, struct front, x);
    ASSERT(f->state == FRONT_ANSWERED && f->stream && !f->ended);
    f->ended = true;
    f->clean = clean;
    expect_taken(f);
    if (!clean)
        http_front_direct_drop(f);
    go_on(f);
}

static const struct http_exchange_ops exchange_ops = {exchange_respond, exchange_begin,     exchange_write,
                                                      exchange_end,     http_front_upgrade, exchange_write_all};

/* Called with the raw request line's URI, before anything else: the start of a request. */
static void *begin_request(void *arg, const char *uri, struct MHD_Connection *connection)
{
    struct front *f = NEW(struct front);
    f->server = arg;
    f->connection = connection;
    f->x.ops = &exchange_ops;
    http_front_direct_init(f);
    list_push_back(&f->server->fronts, &f->link);
    buf_append_str(&f->uri, uri);
    expect_within(f->server, connection_of(connection), f->server->options.head_ms, HTTP_LIMIT_SLOW_HEAD);
    return f;
}

static enum MHD_Result collect_header(void *arg, enum MHD_ValueKind kind, const char *name, const char *value)
{
    (void)kind;
    struct front *f = arg;
    f->too_many = f->header_count == HTTP_SERVER_HEADERS_MAX;
    if (f->too_many)
        return MHD_NO;
    if (f->header_count % HTTP_SERVER_HEADERS_STEP == 0)
        f->headers = mem_realloc(f->headers, (f->header_count + HTTP_SERVER_HEADERS_STEP) * sizeof f->headers[0]);
    f->headers[f->header_count++] = (struct http_header){slice_str(name), slice_str(value)};
    return MHD_YES;
}

static void check_certificate(struct http_server *s, struct connection *who)
{
    who->checked = true;
    const union MHD_ConnectionInfo *info = MHD_get_connection_info(who->daemons, MHD_CONNECTION_INFO_GNUTLS_SESSION);
    if (info == NULL)
        return;
    unsigned n = 0;
    const gnutls_datum_t *chain = gnutls_certificate_get_peers(info->tls_session, &n);
    if (chain == NULL || n == 0)
        return;
    struct slice der[8];
    for (unsigned i = 0; i < n && i < ARRAY_LEN(der); i++)
        der[i] = slice_of(chain[i].data, chain[i].size);
    who->present = true;
    who->status = tls_verify_client(s->tls, der, MIN((size_t)n, ARRAY_LEN(der)), &who->peer, NULL);
}

static struct connection *identity_of(struct http_server *s, struct MHD_Connection *daemons)
{
    struct connection *who = connection_of(daemons);
    if (s->tls == NULL || who == NULL)
        return NULL;
    if (!who->checked)
        check_certificate(s, who);
    return who->present ? who : NULL;
}

static void remote_address(struct MHD_Connection *connection, char text[64])
{
    const union MHD_ConnectionInfo *info = MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CLIENT_ADDRESS);
    char host[48] = "";
    if (info == NULL || info->client_addr == NULL)
        return;
    if (info->client_addr->sa_family == AF_INET) {
        const struct sockaddr_in *v4 = (const void *)info->client_addr;
        snprintf(text, 64, "%s:%d", inet_ntop(AF_INET, &v4->sin_addr, host, sizeof host), ntohs(v4->sin_port));
    } else if (info->client_addr->sa_family == AF_INET6) {
        const struct sockaddr_in6 *v6 = (const void *)info->client_addr;
        snprintf(text, 64, "[%s]:%d", inet_ntop(AF_INET6, &v6->sin6_addr, host, sizeof host), ntohs(v6->sin6_port));
    }
}

static enum MHD_Result refuse(struct MHD_Connection *connection, unsigned status, const char *text)
{
    struct MHD_Response *response =
        MHD_create_response_from_buffer(strlen(text), (void *)(uintptr_t)text, MHD_RESPMEM_MUST_COPY);
    if (response == NULL)
        return MHD_NO;
    MHD_add_response_header(response, "Content-Type", "application/json");
    enum MHD_Result rv = MHD_queue_response(connection, status, response);
    MHD_destroy_response(response);
    return rv;
}

#define STATUS_TEXT(code, reason, message)                                                                             \
    "{\"kind\":\"Status\",\"apiVersion\":\"v1\",\"metadata\":{},\"status\":\"Failure\",\"message\":\"" message         \
    "\",\"reason\":\"" reason "\",\"code\":" code "}\n"

static enum MHD_Result refuse_too_large(struct front *f)
{
    char text[256];
    http_server_hit(f->server, HTTP_LIMIT_BODY_BYTES);
    (void)snprintf(text, sizeof text,
                   STATUS_TEXT("413", "RequestEntityTooLarge", "Request entity too large: limit is %zu"),
                   f->server->options.body_bytes_max); /* fits */
    return refuse(f->connection, 413, text);
}

/* Left out, one of them might have been the one that says who asks. */
static enum MHD_Result refuse_too_many(struct front *f)
{
    char text[256];
    http_server_hit(f->server, HTTP_LIMIT_HEADERS);
    (void)snprintf(text, sizeof text, STATUS_TEXT("431", "BadRequest", "too many headers: limit is %d"),
                   HTTP_SERVER_HEADERS_MAX); /* fits */
    return refuse(f->connection, 431, text);
}

/* The whole request is here: hands it to the core. */
static enum MHD_Result hand_over(struct front *f, const char *method)
{
    struct http_request *r = &f->x.request;
    struct slice query = buf_slice(&f->uri), raw_path = slice_cut(&query, '?');
    struct connection *who = identity_of(f->server, f->connection);
    expect_taken(f);
    if (f->too_large)
        return refuse_too_large(f);
    if (who != NULL && who->status != 0)
        return refuse(f->connection, 401, STATUS_TEXT("401", "Unauthorized", "Unauthorized"));
    if (raw_path.size == 0 || raw_path.data[0] != '/' || http_percent_decode(raw_path, false, &f->path) != 0)
        return refuse(f->connection, 400, STATUS_TEXT("400", "BadRequest", "malformed request path"));
    MHD_get_connection_values(f->connection, MHD_HEADER_KIND, collect_header, f);
    if (f->too_many)
        return refuse_too_many(f);
    remote_address(f->connection, f->remote);
    *r = (struct http_request){
        .method = slice_str(method),
        .path = buf_slice(&f->path),
        .query = query,
        .headers = f->headers,
        .header_count = f->header_count,
        .body = buf_slice(&f->body),
        .peer = who == NULL ? NULL : &who->peer,
        .remote_address = f->remote,
        .secure = f->server->tls != NULL,
    };
    f->state = FRONT_HANDED;
    expect_nothing(f);
    f->server->options.on_request(f->server->options.core, &f->x);
    if (f->state == FRONT_ANSWERED)
        return MHD_queue_response(f->connection, f->status, f->response);
    front_suspend(f);
    return MHD_YES;
}

struct head {
    size_t bytes; /* of the headers, each with its colon and line end */
    unsigned lengths, codings;
    bool other_coding;
};

static enum MHD_Result look_at_header(void *arg, enum MHD_ValueKind kind, const char *name, const char *value)
{
    (void)kind;
    struct head *x = arg;
    x->bytes += strlen(name) + strlen(": ") + strlen(value) + strlen("\r\n");
    x->lengths += strcasecmp(name, "Content-Length") == 0;
    if (strcasecmp(name, "Transfer-Encoding") == 0) {
        x->codings++;
        x->other_coding |= strcasecmp(value, "chunked") != 0;
    }
    return MHD_YES;
}

/* Two ways to tell where a body ends: whoever stands before us may have taken the other one, and what follows for a
 * request of somebody else (RFC 9112, section 6.3). */
static bool ambiguous(const struct head *h) { return h->lengths + h->codings > 1 || h->other_coding; }

static enum MHD_Result refuse_head(struct front *f, bool line)
{
    char text[256];
    http_server_hit(f->server, HTTP_LIMIT_HEADER_BYTES);
    (void)snprintf(text, sizeof text,
                   line ? STATUS_TEXT("414", "BadRequest", "request URI too long: limit is %d bytes with the headers")
                        : STATUS_TEXT("431", "BadRequest", "request header fields too large: limit is %d bytes"),
                   HTTP_SERVER_HEAD_BYTES_MAX); /* fits */
    return refuse(f->connection, line ? 414 : 431, text);
}

/* Who asks before it sends a body that is too large is told at once (RFC 9110, section 10.1.1). Others have begun to
 * send it, and would not see an answer that comes before they are done. */
static bool refused_ahead(struct front *f)
{
    const char *length = MHD_lookup_connection_value(f->connection, MHD_HEADER_KIND, "Content-Length");
    return MHD_lookup_connection_value(f->connection, MHD_HEADER_KIND, "Expect") != NULL && length != NULL &&
           strtoull(length, NULL, 10) > f->server->options.body_bytes_max;
}

/* `words`: size of the request line but for its URI. */
static enum MHD_Result judge_head(struct front *f, size_t words)
{
    struct head h = {0};
    expect_within(f->server, connection_of(f->connection), f->server->options.body_ms, HTTP_LIMIT_SLOW_BODY);
    MHD_get_connection_values(f->connection, MHD_HEADER_KIND, look_at_header, &h);
    size_t line = words + f->uri.size + strlen("  \r\n");
    if (line + h.bytes > HTTP_SERVER_HEAD_BYTES_MAX)
        return refuse_head(f, line > h.bytes);
    if (f->http_1_1 && MHD_lookup_connection_value(f->connection, MHD_HEADER_KIND, "Host") == NULL)
        return refuse(f->connection, 400, STATUS_TEXT("400", "BadRequest", "missing required Host header"));
    if (ambiguous(&h))
        return refuse(f->connection, 400,
                      STATUS_TEXT("400", "BadRequest", "ambiguous or unknown framing of the request's body"));
    return refused_ahead(f) ? refuse_too_large(f) : MHD_YES;
}

static enum MHD_Result handle(void *arg, struct MHD_Connection *connection, const char *url, const char *method,
                              const char *version, const char *upload, size_t *upload_size, void **context)
{
    (void)arg;
    (void)url;
    (void)connection;
    struct front *f = *context;
    f->http_1_1 = strcmp(version, "HTTP/1.1") == 0;
    switch (f->state) {
    case FRONT_ANSWERED: return MHD_queue_response(f->connection, f->status, f->response);
    case FRONT_TAKEN:
    case FRONT_HANDED: /* woken for nothing */ front_suspend(f); return MHD_YES;
    case FRONT_GONE: return MHD_NO;
    case FRONT_READING: break;
    }
    if (!f->in_handler) { /* first call: headers only, the body follows */
        f->in_handler = true;
        return judge_head(f, strlen(method) + strlen(version));
    }
    if (*upload_size == 0)
        return hand_over(f, method);
    if (f->body.size + *upload_size > f->server->options.body_bytes_max)
        f->too_large = true;
    else
        buf_append(&f->body, upload, *upload_size);
    if (f->too_large)
        buf_release(&f->body);
    f->discarded += f->too_large ? *upload_size : 0;
    *upload_size = 0;
    return f->discarded > HTTP_SERVER_DISCARD_BYTES ? MHD_NO : MHD_YES;
}

static void completed(void *arg, struct MHD_Connection *connection, void **context, enum MHD_RequestTerminationCode why)
{
    (void)why;
    struct front *f = *context;
    *context = NULL;
    expect_within(arg, connection_of(connection), 0, HTTP_LIMIT_SLOW_HEAD);
    if (f != NULL)
        front_free(f);
}

static void connection_changed(void *arg, struct MHD_Connection *connection, void **context,
                               enum MHD_ConnectionNotificationCode what)
{
    struct http_server *s = arg;
    struct connection *c = *context;
    if (what == MHD_CONNECTION_NOTIFY_STARTED) {
        const union MHD_ConnectionInfo *info = MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD);
        *context = c = NEW(struct connection);
        c->daemons = connection;
        c->fd = info->connect_fd;
        list_push_back(&s->connections, &c->link);
        if (++s->connection_count == s->options.connections_max)
            http_server_hit(s, HTTP_LIMIT_CONNECTIONS); /* the daemon accepts no further one until one has ended */
        expect_within(s, c, s->options.head_ms, HTTP_LIMIT_SLOW_HEAD);
    } else {
        list_remove(&c->link);
        s->connection_count--;
        mem_free(c);
        *context = NULL;
    }
}

static void stay_awake(uv_idle_t *idle) { (void)idle; }
static void woken(uv_poll_t *poll, int status, int events)
{
    (void)poll;
    (void)status;
    (void)events; /* the prepare handle runs the daemon before the next poll */
}
static void timed_out(uv_timer_t *timer) { (void)timer; }

static void run_daemon(uv_prepare_t *prepare)
{
    struct http_server *s = prepare->data;
    MHD_run(s->daemon);
    MHD_UNSIGNED_LONG_LONG timeout_ms;
    if (MHD_get_timeout(s->daemon, &timeout_ms) != MHD_YES) {
        uv_idle_stop(&s->idle);
        uv_timer_stop(&s->timer);
    } else if (timeout_ms == 0) {
        uv_idle_start(&s->idle, stay_awake);
    } else {
        uv_idle_stop(&s->idle);
        uv_timer_start(&s->timer, timed_out, timeout_ms, 0);
    }
}

static int read_file(const char *name, char **ret, struct err *reterr)
{
    FILE *f = fopen(name, "re");
    if (f == NULL)
        return err_set_errno(reterr, errno, "cannot read %s", name);
    struct buf text = {0};
    char block[4096];
    size_t n;
    while ((n = fread(block, 1, sizeof block, f)) > 0)
        buf_append(&text, block, n);
    bool failed = ferror(f) != 0;
    (void)fclose(f); /* only read from */
    if (failed) {
        buf_release(&text);
        return err_set(reterr, ERR_IO, "cannot read %s", name);
    }
    buf_append(&text, "", 0);
    *ret = text.data;
    return 0;
}

static int open_listener(const char *address, int *ret_fd, int *ret_port, struct err *reterr)
{
    const char *colon = strrchr(address, ':');
    char host[64] = "", *end = NULL;
    unsigned long port = colon == NULL ? 65536 : strtoul(colon + 1, &end, 10);
    struct sockaddr_in v4 = {.sin_family = AF_INET};
    if (colon != NULL && (size_t)(colon - address) < sizeof host)
        memcpy(host, address, (size_t)(colon - address));
    if (port > UINT16_MAX || end == colon + 1 || *end != '\0' || inet_pton(AF_INET, host, &v4.sin_addr) != 1)
        return err_set(reterr, ERR_BAD_REQUEST, "address '%s' is not a numeric host:port", address);
    v4.sin_port = htons((uint16_t)port);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0), one = 1;
    socklen_t size = sizeof v4;
    if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one) != 0 ||
        bind(fd, (struct sockaddr *)&v4, sizeof v4) != 0 || listen(fd, HTTP_SERVER_BACKLOG) != 0 ||
        getsockname(fd, (struct sockaddr *)&v4, &size) != 0) {
        int number = errno;
        if (fd >= 0)
            close(fd);
        return err_set_errno(reterr, number, "cannot listen on %s", address);
    }
    *ret_fd = fd;
    *ret_port = ntohs(v4.sin_port);
    return 0;
}

static int load_credentials(struct http_server *s, struct err *reterr)
{
    if (s->options.tls == NULL)
        return 0;
    const struct tls_options *files = tls_files(s->options.tls);
    int rv = read_file(files->certificate_file, &s->certificate, reterr);
    if (rv == 0)
        rv = read_file(files->key_file, &s->key, reterr);
    if (rv == 0 && files->ca_file != NULL)
        rv = read_file(files->ca_file, &s->ca, reterr);
    if (rv == 0)
        s->tls = tls_ref(s->options.tls);
    return rv;
}

/* The daemon answers by itself what it cannot read, and tells of it in its log only. */
static void daemon_says(void *arg, const char *format, va_list args)
{
    struct http_server *s = arg;
    char text[512];
    (void)vsnprintf(text, sizeof text, format, args); /* cut when longer */
    const char *code = strstr(text, "response code is ");
    unsigned long number = code == NULL ? 0 : strtoul(code + strlen("response code is "), NULL, 10);
    if (number == 413 || number == 414 || number == 431)
        http_server_hit(s, HTTP_LIMIT_HEADER_BYTES);
}

static struct MHD_Daemon *start_daemon(struct http_server *s)
{
    struct MHD_OptionItem tls[] = {
        {MHD_OPTION_HTTPS_MEM_CERT, 0, s->certificate},
        {MHD_OPTION_HTTPS_MEM_KEY, 0, s->key},
        {MHD_OPTION_HTTPS_PRIORITIES, 0, (void *)(uintptr_t)PRIORITIES},
        {s->ca == NULL ? MHD_OPTION_END : MHD_OPTION_HTTPS_MEM_TRUST, 0, s->ca},
        {MHD_OPTION_END, 0, NULL},
    };
    struct MHD_OptionItem none[] = {{MHD_OPTION_END, 0, NULL}};
    unsigned flags = MHD_USE_EPOLL | MHD_USE_ERROR_LOG | MHD_ALLOW_SUSPEND_RESUME | MHD_ALLOW_UPGRADE |
                     (s->tls != NULL ? MHD_USE_TLS : 0);
    return MHD_start_daemon(flags, 0, NULL, NULL, handle, s, MHD_OPTION_EXTERNAL_LOGGER, daemon_says, s,
                            MHD_OPTION_LISTEN_SOCKET, s->listen_fd, MHD_OPTION_ARRAY, s->tls != NULL ? tls : none,
                            MHD_OPTION_NOTIFY_COMPLETED, completed, s, MHD_OPTION_NOTIFY_CONNECTION, connection_changed,
                            s, MHD_OPTION_URI_LOG_CALLBACK, begin_request, s, MHD_OPTION_CONNECTION_LIMIT,
                            (unsigned)s->options.connections_max, MHD_OPTION_CONNECTION_TIMEOUT,
                            (unsigned)HTTP_SERVER_IDLE_S, MHD_OPTION_CONNECTION_MEMORY_LIMIT,
                            (size_t)HTTP_SERVER_CONNECTION_MEMORY, MHD_OPTION_END);
}

static void server_free(struct http_server *s)
{
    tls_unref(s->tls);
    tls_seal_free(s->seal);
    buf_release(&s->sealed);
    mem_free(s->certificate);
    mem_free(s->key);
    mem_free(s->ca);
    mem_free(s);
}

static void attach_to_loop(struct http_server *s)
{
    const union MHD_DaemonInfo *info = MHD_get_daemon_info(s->daemon, MHD_DAEMON_INFO_EPOLL_FD);
    uv_poll_init(s->uv, &s->readable, info->epoll_fd);
    uv_prepare_init(s->uv, &s->prepare);
    uv_idle_init(s->uv, &s->idle);
    uv_timer_init(s->uv, &s->timer);
    uv_timer_init(s->uv, &s->deadlines);
    s->deadlines.data = s;
    const unsigned shortest = MIN(s->options.head_ms, MIN(s->options.body_ms, s->options.stall_ms));
    const unsigned look_ms = MIN(shortest, (unsigned)HTTP_SERVER_LOOK_MS);
    uv_timer_start(&s->deadlines, look_for_deadlines, look_ms, look_ms);
    s->readable.data = s->prepare.data = s->idle.data = s->timer.data = s;
    s->handles_open = 5;
    uv_poll_start(&s->readable, UV_READABLE, woken);
    uv_prepare_start(&s->prepare, run_daemon);
}

int http_server_new(struct uv_env *uv, const struct http_server_options *o, struct http_server **ret,
                    struct err *reterr)
{
    struct http_server *s = NEW(struct http_server);
    s->uv = uv_env_loop(uv);
    s->loop = &uv_env_env(uv)->loop;
    s->options = *o;
    if (s->options.body_bytes_max == 0)
        s->options.body_bytes_max = HTTP_SERVER_BODY_MAX;
    if (s->options.connections_max == 0)
        s->options.connections_max = HTTP_SERVER_CONNECTIONS_MAX;
    if (s->options.tunnels_max == 0)
        s->options.tunnels_max = HTTP_SERVER_TUNNELS_MAX;
    s->options.head_ms = o->head_ms == 0 ? HTTP_SERVER_HEAD_S * 1000 : o->head_ms;
    s->options.body_ms = o->body_ms == 0 ? HTTP_SERVER_BODY_S * 1000 : o->body_ms;
    s->options.stall_ms = o->stall_ms == 0 ? HTTP_SERVER_STALL_S * 1000 : o->stall_ms;
    s->seal = o->tls == NULL ? NULL : tls_seal_new();
    list_init(&s->fronts);
    list_init(&s->connections);
    int rv = load_credentials(s, reterr);
    if (rv == 0)
        rv = open_listener(o->address, &s->listen_fd, &s->port, reterr);
    if (rv != 0) {
        server_free(s);
        return rv;
    }
    s->daemon = start_daemon(s);
    if (s->daemon == NULL) {
        close(s->listen_fd);
        server_free(s);
        return err_set(reterr, ERR_TLS, "cannot serve on %s: the certificate or key is not usable", o->address);
    }
    attach_to_loop(s);
    *ret = s;
    return 0;
}

int http_server_port(const struct http_server *s) { return s->port; }

static void handle_closed(uv_handle_t *handle)
{
    struct http_server *s = handle->data;
    if (--s->handles_open > 0)
        return;
    struct deferred_close after = s->close;
    server_free(s);
    after.closed(after.arg);
}

void http_server_close(struct http_server *s, void (*closed)(void *arg), void *arg)
{
    s->close.closed = closed;
    s->close.arg = arg;
    LIST_FOR_EACH(node, &s->fronts)
    {
        struct front *f = container_of(node, struct front, link);
        http_front_gone(f);
        http_front_resume(f); /* the daemon must not be stopped with suspended connections */
        if (f->tunnel.state != TUNNEL_NONE)
            http_front_tunnel_shut(f);
    }
    uv_poll_stop(&s->readable);
    MHD_stop_daemon(s->daemon); /* closes the listening socket and completes every request */
    ASSERT(list_empty(&s->fronts));
    uv_close((uv_handle_t *)&s->readable, handle_closed);
    uv_close((uv_handle_t *)&s->prepare, handle_closed);
    uv_close((uv_handle_t *)&s->idle, handle_closed);
    uv_close((uv_handle_t *)&s->timer, handle_closed);
    uv_close((uv_handle_t *)&s->deadlines, handle_closed);
}
