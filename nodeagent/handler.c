#include "common/base.h"
#include "nodeagent/handler.h"

#include <stdio.h>

#define USER_AGENT "kube-probe/1.32"

static void on_finished(struct deferred *d)
{
    struct handler *h = container_of(d, struct handler, deferred);
    char message[HANDLER_MESSAGE_MAX];
    memcpy(message, h->message, sizeof message);
    arena_clear(&h->arena);
    h->open = false;
    h->done(h, h->ok && !h->canceled, message);
}

static void finish(struct handler *h, bool ok)
{
    h->ok = ok;
    loop_timer_stop(&h->env->loop, &h->timer);
    loop_defer(&h->env->loop, &h->deferred);
}

/* --- a command --- */

static void on_exec(struct runtime_call *call, int status, const struct err *why)
{
    struct handler *h = call->data;
    if (status < 0)
        (void)snprintf(h->message, sizeof h->message, "%s", why->message);
    else
        (void)snprintf(h->message, sizeof h->message, "%.*s", SLICE_ARGS(call->output));
    finish(h, status == 0 && call->exit_code == 0);
}

static void exec_start(struct handler *h, const struct handler_options *o)
{
    h->exec = (struct runtime_call){.verb = RUNTIME_CONTAINER_EXEC, .pod = o->pod, .index = o->index, .attempt = o->attempt,
                                    .command = o->what->command, .timeout_ms = o->timeout_ms, .done = on_exec, .data = h};
    runtime_call(h->runtime, &h->exec);
}

/* --- an HTTP request --- */

static void on_body(struct http_call *call, struct slice bytes)
{
    (void)call; /* the status alone counts */
    (void)bytes;
}

static void on_answer(struct http_call *call, int status, const struct err *why)
{
    struct handler *h = call->data;
    buf_release(&call->response);
    buf_release(&call->content_type);
    if (status < 0 && call->http_status == 0)
        (void)snprintf(h->message, sizeof h->message, "Get \"%s\": %s", call->url, why->message);
    else if (call->http_status < 200 || call->http_status >= 400)
        (void)snprintf(h->message, sizeof h->message, "HTTP probe failed with statuscode: %d", call->http_status);
    finish(h, call->http_status >= 200 && call->http_status < 400);
}

static bool is_plain(struct slice text)
{
    for (size_t i = 0; i < text.size; i++)
        if ((unsigned char)text.data[i] < ' ' || text.data[i] == 127)
            return false;
    return true;
}

/* The asked-for headers stand before ours, which stand only where none of that name was asked for. */
static bool headers_fill(struct handler *h, const struct json *asked)
{
    static const struct http_header own[] = {
        {{"User-Agent", 10}, {USER_AGENT, sizeof USER_AGENT - 1}}, {{"Accept", 6}, {"*/*", 3}}, {{"Connection", 10}, {"close", 5}}};
    struct json_iterator at = json_iterate(asked);
    size_t n = 0;
    while (json_next(&at)) {
        struct slice name = json_string(json_get(at.value, "name")), value = json_string(json_get(at.value, "value"));
        if (n + ARRAY_LEN(own) == HANDLER_HEADERS_MAX || !is_plain(name) || !is_plain(value))
            return false;
        h->headers[n++] = (struct http_header){arena_slice(&h->arena, name), arena_slice(&h->arena, value)};
    }
    size_t asked_count = n;
    for (size_t i = 0; i < ARRAY_LEN(own); i++)
        if (http_header_get(h->headers, asked_count, own[i].name.data).data == NULL)
            h->headers[n++] = own[i];
    h->http.header_count = n;
    return true;
}

static void http_start(struct handler *h, const struct handler_options *o)
{
    const struct pod_handler *what = o->what;
    const char *host = what->host == NULL ? o->address : what->host;
    h->http = (struct http_call){.method = "GET", .headers = h->headers, .unverified = true, .timeout_ms = o->timeout_ms,
                                 .on_data = on_body, .done = on_answer, .data = h};
    h->http.url = arena_printf(&h->arena, "%s://%s:%d%s%s", what->https ? "https" : "http", host, what->port,
                               what->path[0] == '/' ? "" : "/", what->path);
    if (what->port == 0 || !is_plain(slice_str(h->http.url)) || !headers_fill(h, what->headers)) {
        (void)snprintf(h->message, sizeof h->message, "httpGet names no usable port, path or headers");
        finish(h, false);
        return;
    }
    http_call_start(&h->env->http, &h->http);
}

/* --- a connection --- */

static void on_open(struct net_conn *c)
{
    struct handler *h = c->data;
    h->ok = true;
    net_close(&h->env->net, c, false);
}

static void on_read(struct net_conn *c, struct slice bytes)
{
    (void)c;
    (void)bytes;
}

static void on_close(struct net_conn *c, const struct err *why)
{
    struct handler *h = c->data;
    if (!h->ok)
        (void)snprintf(h->message, sizeof h->message, "%s", why->message);
    finish(h, h->ok);
}

static void tcp_start(struct handler *h, const struct handler_options *o)
{
    static const struct net_conn_callbacks callbacks = {.on_open = on_open, .on_read = on_read, .on_close = on_close};
    struct net_connect_options to = {.timeout_ms = o->timeout_ms};
    if (o->what->port == 0) {
        (void)snprintf(h->message, sizeof h->message, "tcpSocket names no port of the container");
        finish(h, false);
        return;
    }
    to.address = arena_printf(&h->arena, "%s:%d", o->what->host == NULL ? o->address : o->what->host, o->what->port);
    h->conn = (struct net_conn){.callbacks = &callbacks, .data = h};
    net_connect(&h->env->net, &h->conn, &to);
}

static void on_slept(struct timer *t) { finish(container_of(t, struct handler, timer), true); }

void handler_start(struct handler *h, const struct handler_options *o)
{
    ASSERT(!h->open);
    h->open = true;
    h->ok = h->canceled = false;
    h->env = o->env;
    h->runtime = o->runtime;
    h->kind = o->what->kind;
    h->message[0] = '\0';
    timer_init(&h->timer, on_slept);
    deferred_init(&h->deferred, on_finished);
    switch (h->kind) {
    case POD_HANDLER_EXEC: exec_start(h, o); break;
    case POD_HANDLER_HTTP: http_start(h, o); break;
    case POD_HANDLER_TCP: tcp_start(h, o); break;
    case POD_HANDLER_SLEEP: loop_timer_start(&h->env->loop, &h->timer, (uint64_t)o->what->sleep_s * 1000); break;
    default: finish(h, true);
    }
}

void handler_cancel(struct handler *h)
{
    if (!h->open || h->canceled)
        return;
    h->canceled = true;
    if (!list_empty(&h->deferred.link))
        return; /* it is over: only `done` is left */
    switch (h->kind) {
    case POD_HANDLER_EXEC: runtime_cancel(h->runtime, &h->exec); break;
    case POD_HANDLER_HTTP: http_call_cancel(&h->env->http, &h->http); break;
    case POD_HANDLER_TCP:
        if (!h->ok)
            net_close(&h->env->net, &h->conn, false);
        break;
    default: finish(h, false);
    }
}
