#include "common/base.h"

#include "tools/bench_http.h"

#include <stdlib.h>
#include <strings.h>

#define CONNECT_MS 60000 /* thousands of handshakes at once take their time */

static void on_open(struct net_conn *c)
{
    struct bench_http *h = container_of(c, struct bench_http, conn);
    h->open = true;
    h->on_open(h);
}

static void on_close(struct net_conn *c, const struct err *why)
{
    struct bench_http *h = container_of(c, struct bench_http, conn);
    h->closed = true;
    buf_release(&h->in);
    if (why->code != ERR_CANCELED) {
        bench_failed(h->b, why);
        uv_env_stop(h->b->uv); /* a load with fewer connections than asked for says nothing */
    }
    if (--h->b->open == 0)
        uv_env_stop(h->b->uv);
}

static bool header_is(struct slice line, const char *name, struct slice *ret)
{
    size_t n = strlen(name);
    if (line.size <= n || strncasecmp(line.data, name, n) != 0 || line.data[n] != ':')
        return false;
    *ret = slice_trim(slice_from(line, n + 1));
    return true;
}

/* The lines up to the empty one. */
static void read_head(struct bench_http *h, struct slice head)
{
    struct slice value, line = slice_cut(&head, '\n');
    h->status = line.size > 12 ? (int)strtol(line.data + 9, NULL, 10) : 0;
    h->left = 0;
    h->body_bytes = 0;
    h->at = HTTP_BODY;
    while (head.size > 0) {
        line = slice_cut(&head, '\n');
        if (line.size > 0)
            line.size--; /* the carriage return */
        if (header_is(line, "Content-Length", &value))
            h->left = strtoull(value.data, NULL, 10);
        else if (header_is(line, "Transfer-Encoding", &value))
            h->at = HTTP_CHUNK_SIZE;
    }
}

static void end(struct bench_http *h)
{
    h->at = HTTP_HEAD;
    h->on_end(h);
}

static size_t take_body(struct bench_http *h, struct slice in)
{
    size_t n = MIN(in.size, h->left);
    h->left -= n;
    h->body_bytes += n;
    if (n > 0 && h->on_body != NULL)
        h->on_body(h, slice_of(in.data, n));
    return n;
}

/* Consumes one thing; how many bytes it took, 0: it is not all there yet. */
static size_t step(struct bench_http *h, struct slice in, bool *ret_ended)
{
    size_t line = slice_find(in, '\n') + 1, taken;
    const char *found;
    switch (h->at) {
    case HTTP_HEAD:
        found = memmem(in.data, in.size, "\r\n\r\n", 4);
        if (found == NULL)
            return 0;
        taken = (size_t)(found - in.data) + 4;
        read_head(h, slice_of(in.data, taken - 2));
        *ret_ended = h->at == HTTP_BODY && h->left == 0;
        return taken;
    case HTTP_BODY:
        taken = take_body(h, in);
        *ret_ended = h->left == 0;
        return taken;
    case HTTP_CHUNK_SIZE:
        if (line > in.size)
            return 0;
        h->left = strtoull(in.data, NULL, 16);
        h->at = h->left == 0 ? HTTP_CHUNK_END : HTTP_CHUNK;
        return line;
    case HTTP_CHUNK:
        taken = take_body(h, in);
        if (h->left == 0) {
            h->at = HTTP_CHUNK_END;
            h->left = 1; /* it was not the last */
        }
        return taken;
    case HTTP_CHUNK_END:
        if (line > in.size)
            return 0;
        *ret_ended = h->left == 0;
        h->at = HTTP_CHUNK_SIZE;
        return line;
    }
    return 0;
}

static void on_read(struct net_conn *c, struct slice bytes)
{
    struct bench_http *h = container_of(c, struct bench_http, conn);
    struct slice in = bytes;
    bool kept = h->in.size > 0, ended = false;
    if (kept) {
        buf_append_slice(&h->in, bytes);
        in = buf_slice(&h->in);
    }
    const size_t all = in.size;
    for (size_t n = 1; in.size > 0 && n > 0 && !ended; in = slice_from(in, n))
        n = step(h, in, &ended);
    if (kept)
        buf_consume(&h->in, all - in.size);
    else if (in.size > 0)
        buf_append_slice(&h->in, in);
    if (ended)
        end(h); /* last: it may send the next request, and one answer at a time is on the way */
}

static const struct net_conn_callbacks callbacks = {on_open, on_read, on_close, NULL};

void bench_http_open(struct bench_http *h)
{
    h->conn.callbacks = &callbacks;
    h->b->open++;
    net_connect(&h->b->env->net, &h->conn,
                &(struct net_connect_options){.address = h->host, .tls = h->b->tls, .timeout_ms = CONNECT_MS});
}

void bench_http_send(struct bench_http *h, const char *method, struct slice path, struct slice body)
{
    struct buf head = {0};
    buf_printf(&head, "%s %.*s HTTP/1.1\r\nHost: %s\r\nAccept: application/json\r\nUser-Agent: bench/1\r\n", method,
               SLICE_ARGS(path), h->host);
    if (h->b->token != NULL)
        buf_printf(&head, "Authorization: Bearer %s\r\n", h->b->token);
    if (body.size > 0)
        buf_printf(&head, "Content-Type: application/json\r\nContent-Length: %zu\r\n", body.size);
    buf_append_str(&head, "\r\n");
    struct slice parts[] = {buf_slice(&head), body};
    net_write(&h->b->env->net, &h->conn, parts, body.size > 0 ? 2 : 1);
    buf_release(&head);
}

void bench_http_close(struct bench_http *h)
{
    if (!h->closed)
        net_close(&h->b->env->net, &h->conn, false);
}
