/*  idle ──▶ head ──▶ tunnel (101) ──────────▶ idle, after the tunnel's on_close
 *             └────▶ body (any other) ──────▶ idle, after `answered` */
#include "common/base.h"

#include "common/http_dial.h"

#include <stdio.h>
#include <stdlib.h>

#define DIAL_TIMEOUT_MS 30000

/* --- the answer's head --- */

static struct slice line_cut(struct slice *rest)
{
    struct slice line = slice_cut(rest, '\n');
    if (line.size > 0 && line.data[line.size - 1] == '\r')
        line.size--;
    return line;
}

static int status_parse(struct slice line, int *ret)
{
    /* "HTTP/1.1 101 Switching Protocols", RFC 9112 section 4 */
    if (!slice_has_prefix(line, SLICE("HTTP/1.")) || line.size < 12 || line.data[8] != ' ' ||
        (line.size > 12 && line.data[12] != ' '))
        return ERR_FORMAT;
    int status = 0;
    for (size_t i = 9; i < 12; i++) {
        if (line.data[i] < '0' || line.data[i] > '9')
            return ERR_FORMAT;
        status = status * 10 + (line.data[i] - '0');
    }
    *ret = status;
    return status >= 100 ? 0 : ERR_FORMAT;
}

int http_head_parse(struct slice bytes, int *ret_status, struct http_header *ret_headers, size_t headers_max, size_t *ret_count)
{
    struct slice rest = bytes;
    int status = 0;
    size_t count = 0;
    for (bool first = true;; first = false) {
        if (slice_find(rest, '\n') == rest.size)
            return bytes.size > HTTP_DIAL_HEAD_MAX ? ERR_FORMAT : 0;
        struct slice line = line_cut(&rest);
        if (first && status_parse(line, &status) < 0)
            return ERR_FORMAT;
        if (first)
            continue;
        if (line.size == 0)
            break;
        struct slice value = line, name = slice_cut(&value, ':');
        if (value.data == NULL || name.size == 0 || name.data[0] == ' ' || name.data[0] == '\t' || count == headers_max)
            return ERR_FORMAT; /* a folded line, no header, or too many */
        while (value.size > 0 && (value.data[0] == ' ' || value.data[0] == '\t'))
            value = slice_from(value, 1);
        while (value.size > 0 && (value.data[value.size - 1] == ' ' || value.data[value.size - 1] == '\t'))
            value.size--;
        ret_headers[count++] = (struct http_header){name, value};
    }
    *ret_status = status;
    *ret_count = count;
    /* slice_cut leaves no data pointer behind the last byte */
    return (int)(rest.data == NULL ? bytes.size : (size_t)(rest.data - bytes.data));
}

/* --- the tunnel --- */

static struct net *net_of(struct http_dial *d) { return &d->env->net; }

static void tunnel_write(struct http_tunnel *t, struct slice bytes)
{
    struct http_dial *d = t->impl;
    net_write(net_of(d), &d->conn, &bytes, 1);
    t->pending_bytes = d->conn.write_bytes_pending;
}

static void tunnel_pause(struct http_tunnel *t, bool paused)
{
    struct http_dial *d = t->impl;
    d->paused = paused;
    if (!paused && d->in.size > 0)
        loop_defer(&d->env->loop, &d->resumed);
    else
        net_read_pause(net_of(d), &d->conn, paused);
}

static void tunnel_close(struct http_tunnel *t, bool flush)
{
    struct http_dial *d = t->impl;
    d->closing = true;
    net_close(net_of(d), &d->conn, flush);
}

/* What came together with the head. */
static void deliver_early(struct deferred *deferred)
{
    struct http_dial *d = container_of(deferred, struct http_dial, resumed);
    if (d->paused || d->closing)
        return;
    struct buf early = d->in;
    d->in = (struct buf){0};
    if (early.size > 0)
        d->tunnel->callbacks->on_read(d->tunnel, buf_slice(&early));
    buf_release(&early);
    if (!d->closing)
        net_read_pause(net_of(d), &d->conn, d->paused);
}

static void tunnel_begin(struct http_dial *d)
{
    static const struct http_tunnel_ops ops = {tunnel_write, tunnel_pause, tunnel_close};
    d->state = HTTP_DIAL_TUNNEL;
    d->tunnel->ops = &ops;
    d->tunnel->impl = d;
    d->tunnel->pending_bytes = 0;
    loop_timer_stop(&d->env->loop, &d->timer);
    d->answered(d, 0, NULL);
    buf_consume(&d->in, d->head_size);
    if (d->in.size == 0 || d->closing)
        return;
    net_read_pause(net_of(d), &d->conn, true); /* until these are taken */
    loop_defer(&d->env->loop, &d->resumed);
}

/* --- the exchange --- */

static void finish(struct http_dial *d, int code, const char *text)
{
    if (d->closing)
        return;
    d->closing = true;
    if (code != 0)
        err_set(&d->why, code, "%s: %s", d->address, text);
    net_close(net_of(d), &d->conn, false);
}

static void body_check(struct http_dial *d)
{
    size_t have = d->in.size - d->head_size;
    if (have < d->body_size && have < HTTP_DIAL_BODY_MAX)
        return;
    d->complete = true;
    finish(d, 0, NULL);
}

static void head_check(struct http_dial *d)
{
    int size = http_head_parse(buf_slice(&d->in), &d->http_status, d->answer, HTTP_DIAL_HEADERS_MAX, &d->answer_count);
    if (size < 0) {
        finish(d, ERR_FORMAT, "the answer is not HTTP/1.1");
        return;
    }
    if (size == 0)
        return;
    d->head_size = (size_t)size;
    if (d->http_status == 101) {
        tunnel_begin(d);
        return;
    }
    struct slice length = http_header_get(d->answer, d->answer_count, "Content-Length");
    d->body_size = SIZE_MAX; /* up to the end of the connection */
    if (length.size > 0 && length.size < 10)
        d->body_size = (size_t)strtoul(length.data, NULL, 10); /* ends at the line's end */
    d->state = HTTP_DIAL_BODY;
    body_check(d);
}

static void on_read(struct net_conn *c, struct slice bytes)
{
    struct http_dial *d = c->data;
    if (d->state == HTTP_DIAL_TUNNEL) {
        d->tunnel->callbacks->on_read(d->tunnel, bytes);
        return;
    }
    if (d->closing)
        return;
    buf_append_slice(&d->in, bytes);
    if (d->state == HTTP_DIAL_HEAD)
        head_check(d);
    else
        body_check(d);
}

static void on_open(struct net_conn *c)
{
    struct http_dial *d = c->data;
    struct buf head = {0};
    buf_printf(&head, "%s %.*s HTTP/1.1\r\nHost: %s\r\n", d->method, SLICE_ARGS(d->target), d->address);
    for (size_t i = 0; i < d->header_count; i++)
        buf_printf(&head, "%.*s: %.*s\r\n", SLICE_ARGS(d->headers[i].name), SLICE_ARGS(d->headers[i].value));
    buf_append_str(&head, "\r\n");
    struct slice bytes = buf_slice(&head);
    net_write(net_of(d), c, &bytes, 1);
    buf_release(&head);
}

static void on_drain(struct net_conn *c)
{
    struct http_dial *d = c->data;
    if (d->state != HTTP_DIAL_TUNNEL || d->closing)
        return;
    d->tunnel->pending_bytes = 0;
    if (d->tunnel->callbacks->on_drain != NULL)
        d->tunnel->callbacks->on_drain(d->tunnel);
}

static void answer(struct http_dial *d, const struct err *why)
{
    struct buf in = d->in;
    size_t size = in.size - MIN(in.size, d->head_size);
    bool whole = d->state == HTTP_DIAL_BODY && (d->complete || (d->body_size == SIZE_MAX && why->code == ERR_EOF));
    d->in = (struct buf){0};
    d->body = slice_of(in.data == NULL ? NULL : in.data + d->head_size, MIN(size, (size_t)HTTP_DIAL_BODY_MAX));
    d->state = HTTP_DIAL_IDLE;
    if (whole) {
        int status; /* once more: the bytes have moved since */
        (void)http_head_parse(buf_slice(&in), &status, d->answer, HTTP_DIAL_HEADERS_MAX, &d->answer_count);
        d->answered(d, 0, NULL);
    } else {
        d->answered(d, why->code, why);
    }
    buf_release(&in);
}

static void on_close(struct net_conn *c, const struct err *why)
{
    struct http_dial *d = c->data;
    loop_timer_stop(&d->env->loop, &d->timer);
    loop_undefer(&d->env->loop, &d->resumed);
    if (d->state != HTTP_DIAL_TUNNEL) {
        if (d->why.code == 0)
            err_set(&d->why, why->code, "%s: %s", d->address, why->message);
        answer(d, &d->why);
        return;
    }
    struct http_tunnel *t = d->tunnel;
    buf_release(&d->in);
    d->state = HTTP_DIAL_IDLE;
    t->callbacks->on_close(t);
}

static void on_timeout(struct timer *t)
{
    finish(container_of(t, struct http_dial, timer), ERR_TIMEOUT, "no answer within the time allowed");
}

void http_dial_start(struct http_dial *d)
{
    static const struct net_conn_callbacks callbacks = {on_open, on_read, on_close, on_drain};
    ASSERT(d->state == HTTP_DIAL_IDLE);
    d->state = HTTP_DIAL_HEAD;
    d->conn = (struct net_conn){.callbacks = &callbacks, .data = d};
    timer_init(&d->timer, on_timeout);
    deferred_init(&d->resumed, deliver_early);
    loop_timer_start(&d->env->loop, &d->timer, d->timeout_ms != 0 ? d->timeout_ms : DIAL_TIMEOUT_MS);
    struct net_connect_options o = {.address = d->address, .tls = d->tls, .patient = true};
    net_connect(net_of(d), &d->conn, &o);
}

void http_dial_cancel(struct http_dial *d)
{
    ASSERT(d->state == HTTP_DIAL_HEAD || d->state == HTTP_DIAL_BODY);
    finish(d, ERR_CANCELED, "canceled");
}
