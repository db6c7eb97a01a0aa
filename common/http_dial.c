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

/* A header's name (RFC 9110 section 5.6.2). */
static bool is_token(struct slice s)
{
    for (size_t i = 0; i < s.size; i++) {
        unsigned char c = (unsigned char)s.data[i];
        if (c <= ' ' || c >= 127 || strchr("\"(),/:;<=>?@[\\]{}", c) != NULL)
            return false;
    }
    return s.size > 0;
}

/* A header's value: none of what could end it when it is passed on (RFC 9110 section 5.5). */
static bool is_text(struct slice s)
{
    for (size_t i = 0; i < s.size; i++)
        if (((unsigned char)s.data[i] < ' ' && s.data[i] != '\t') || s.data[i] == 127)
            return false;
    return true;
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
        if (value.data == NULL || !is_token(name) || !is_text(value) || count == headers_max)
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

static void body_take(struct http_dial *d, struct slice bytes)
{
    struct slice piece;
    int rv = 0;
    while (!d->closing && (rv = http_body_take(&d->framing, &bytes, &piece)) == 0 && piece.size > 0) {
        if (d->on_body != NULL)
            d->on_body(d, piece);
        else
            buf_append_slice(&d->collected, slice_of(piece.data, MIN(piece.size, HTTP_DIAL_BODY_MAX - d->collected.size)));
    }
    if (d->closing)
        return;
    if (rv != 0)
        finish(d, ERR_FORMAT, "the answer's content is not HTTP/1.1");
    else if (d->framing.done || d->collected.size == HTTP_DIAL_BODY_MAX)
        finish(d, 0, NULL);
}

static void head_check(struct http_dial *d)
{
    int size;
    /* What comes before the answer itself is of no interest to anybody (RFC 9110 section 15.2). */
    while ((size = http_head_parse(buf_slice(&d->in), &d->http_status, d->answer, HTTP_DIAL_HEADERS_MAX, &d->answer_count)) > 0 &&
           d->http_status < 200 && d->http_status != 101)
        buf_consume(&d->in, (size_t)size);
    if (size > 0 && d->http_status != 101)
        size = http_body_init(&d->framing, d->method, d->http_status, d->answer, d->answer_count) == 0 ? size : ERR_FORMAT;
    if (size < 0) {
        finish(d, ERR_FORMAT, "the answer is not HTTP/1.1");
        return;
    }
    if (size == 0)
        return;
    d->head_size = (size_t)size;
    for (size_t i = 0; i < d->head_size; i++) /* allowed as a space (RFC 9110 section 5.6.3), and not every front sends it on */
        d->in.data[i] = d->in.data[i] == '\t' ? ' ' : d->in.data[i];
    if (d->http_status == 101) {
        tunnel_begin(d);
        return;
    }
    d->state = HTTP_DIAL_BODY;
    if (d->on_head != NULL) {
        loop_timer_stop(&d->env->loop, &d->timer); /* the content may take as long as it likes */
        d->on_head(d);
    }
    body_take(d, slice_from(buf_slice(&d->in), d->head_size));
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
    if (d->state == HTTP_DIAL_BODY) { /* `in` stays as it is: the headers lie in it */
        body_take(d, bytes);
        return;
    }
    buf_append_slice(&d->in, bytes);
    head_check(d);
}

static void on_open(struct net_conn *c)
{
    struct http_dial *d = c->data;
    struct buf head = {0};
    struct slice host = d->host.size > 0 ? d->host : slice_str(d->address);
    if (d->patient)
        loop_timer_stop(&d->env->loop, &d->timer);
    buf_printf(&head, "%s %.*s HTTP/1.1\r\nHost: %.*s\r\n", d->method, SLICE_ARGS(d->target), SLICE_ARGS(host));
    for (size_t i = 0; i < d->header_count; i++)
        buf_printf(&head, "%.*s: %.*s\r\n", SLICE_ARGS(d->headers[i].name), SLICE_ARGS(d->headers[i].value));
    buf_append_str(&head, "\r\n");
    struct slice parts[] = {buf_slice(&head), d->content};
    net_write(net_of(d), c, parts, d->content.size > 0 ? 2 : 1);
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
    struct buf in = d->in, collected = d->collected;
    bool to_end = d->framing.framing == HTTP_BODY_TO_END && why->code == ERR_EOF;
    bool cut = collected.size == HTTP_DIAL_BODY_MAX;
    bool whole = d->state == HTTP_DIAL_BODY && (d->framing.done || to_end || cut);
    d->in = d->collected = (struct buf){0};
    d->body = buf_slice(&collected);
    d->state = HTTP_DIAL_IDLE;
    d->answered(d, whole ? 0 : why->code, whole ? NULL : why); /* may free `d` */
    buf_release(&in);
    buf_release(&collected);
}

static void on_close(struct net_conn *c, const struct err *why)
{
    struct http_dial *d = c->data;
    loop_timer_stop(&d->env->loop, &d->timer);
    loop_undefer(&d->env->loop, &d->resumed);
    if (d->state != HTTP_DIAL_TUNNEL) {
        if (d->why.code == 0)
            err_set(&d->why, why->code, "%s: %s", d->address, why->message); /* of no interest when it is whole */
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

void http_dial_pause(struct http_dial *d, bool paused)
{
    ASSERT(d->state == HTTP_DIAL_BODY && d->on_body != NULL);
    if (!d->closing)
        net_read_pause(net_of(d), &d->conn, paused);
}
