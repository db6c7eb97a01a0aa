#include "common/base.h"

#include "common/kube/client.h"
#include "common/list.h"
#include "common/mem.h"
#include "common/tls.h"

#include <stdio.h>

#define KUBE_CALL_TIMEOUT_MS 10000
#define KUBE_RETRY_MS 100
#define KUBE_ATTEMPTS_MAX 20
#define KUBE_WATCH_SILENCE_MS 90000
#define KUBE_WATCH_LINE_MAX (16 * 1024 * 1024)

struct kube_client {
    struct env *env;
    char *endpoints[KUBE_ENDPOINTS_MAX];
    size_t endpoint_count, current;
    struct tls *tls;
    char *user_agent;
    struct list requests;
    bool closing;
    struct deferred closed_turn;
    void (*closed)(void *arg);
    void *closed_arg;
};

/* What a call and a watch stream have in common: one HTTP request at a time, to the current endpoint. */
struct request {
    struct kube_client *client;
    struct list link;
    struct http_call http;
    struct http_header headers[3];
    const char *method, *content_type;
    char *path, *url;
    struct buf body;
    size_t endpoint;
    unsigned attempts;
    bool idempotent, canceled;
    struct timer retry;
    struct kube_call *call;     /* of a call */
    struct kube_stream *stream; /* of a watch */
    struct buf line;            /* what has come of the current line, or of an error's body */
};

struct kube_client *kube_client_new(struct env *env, const struct kube_client_options *o)
{
    ASSERT(o->endpoint_count > 0 && o->endpoint_count <= KUBE_ENDPOINTS_MAX);
    struct kube_client *c = NEW(struct kube_client);
    c->env = env;
    for (size_t i = 0; i < o->endpoint_count; i++)
        c->endpoints[i] = mem_strdup(o->endpoints[i]);
    c->endpoint_count = o->endpoint_count;
    c->tls = o->tls == NULL ? NULL : tls_ref(o->tls);
    c->user_agent = mem_strdup(o->user_agent);
    list_init(&c->requests);
    return c;
}

struct env *kube_client_env(struct kube_client *c) { return c->env; }

static void client_free(struct deferred *d)
{
    struct kube_client *c = container_of(d, struct kube_client, closed_turn);
    void (*closed)(void *arg) = c->closed;
    void *arg = c->closed_arg;
    for (size_t i = 0; i < c->endpoint_count; i++)
        mem_free(c->endpoints[i]);
    tls_unref(c->tls);
    mem_free(c->user_agent);
    mem_free(c);
    closed(arg);
}

static void request_free(struct request *r)
{
    struct kube_client *c = r->client;
    loop_timer_stop(&c->env->loop, &r->retry);
    list_remove(&r->link);
    buf_release(&r->http.response);
    buf_release(&r->http.content_type);
    buf_release(&r->body);
    buf_release(&r->line);
    mem_free(r->path);
    mem_free(r->url);
    mem_free(r);
    if (c->closing && list_empty(&c->requests))
        loop_defer(&c->env->loop, &c->closed_turn);
}

static int code_of_reason(struct slice reason, int http_status)
{
#define X(code, number, http, text, words) \
    if (slice_is(reason, text))            \
        return code;
    ERR_TABLE(X)
#undef X
    if (slice_is(reason, "Gone"))
        return ERR_EXPIRED;
    if (slice_is(reason, "ServerTimeout"))
        return ERR_TIMEOUT;
    return http_status == 404 ? ERR_NOT_FOUND : http_status == 401 ? ERR_UNAUTHORIZED : ERR_INTERNAL;
}

/* The error of an answer that is not 2xx, with the Status message where there is one. */
static int status_of(struct request *r, struct slice body, struct err *ret)
{
    struct json_doc *d = json_doc_new();
    struct json *status = NULL;
    if (json_parse(d, body, &status, NULL) != 0)
        status = NULL;
    int code = code_of_reason(json_string_at(status, "reason"), r->http.http_status);
    struct slice message = json_string_at(status, "message");
    if (message.size == 0)
        message = body;
    err_set(ret, code, "%s %s: %d: %.*s", r->method, r->path, r->http.http_status, (int)MIN(message.size, (size_t)300),
            message.data == NULL ? "" : message.data);
    json_doc_free(d);
    return code;
}

static void finish(struct request *r, int status, struct slice body, const struct err *why)
{
    struct kube_call *call = r->call;
    struct kube_stream *stream = r->stream;
    if (call != NULL) {
        call->impl = NULL;
        call->done(call, status, body, why);
    } else {
        stream->impl = NULL;
        stream->closed(stream, status, why);
    }
    request_free(r);
}

static void finish_canceled(struct request *r)
{
    struct err err;
    err_set(&err, ERR_CANCELED, "%s %s: canceled", r->method, r->path);
    finish(r, ERR_CANCELED, (struct slice){0}, &err);
}

/* Was it certainly not carried out, or is it harmless to do it again? */
static bool may_retry(const struct request *r, int status)
{
    if (r->canceled || r->attempts >= KUBE_ATTEMPTS_MAX || r->stream != NULL)
        return false;
    if (status == 0)
        return r->http.http_status == 429 || (r->http.http_status == 503 && r->idempotent);
    if (status == ERR_CONNECT)
        return true;
    return r->idempotent && (status == ERR_EOF || status == ERR_TIMEOUT);
}

static void next_endpoint(struct request *r)
{
    struct kube_client *c = r->client;
    if (c->current == r->endpoint)
        c->current = (c->current + 1) % c->endpoint_count;
}

static void answered(struct http_call *http, int status, const struct err *why)
{
    struct request *r = http->data;
    struct err err = {0};
    if (r->canceled) {
        finish_canceled(r);
        return;
    }
    if (status != 0 || http->http_status == 503)
        next_endpoint(r);
    if (may_retry(r, status)) {
        loop_timer_start(&r->client->env->loop, &r->retry, KUBE_RETRY_MS);
        return;
    }
    struct slice body = buf_slice(r->stream != NULL ? &r->line : &http->response);
    if (status != 0)
        finish(r, status, (struct slice){0}, why);
    else if (http->http_status >= 200 && http->http_status < 300)
        finish(r, 0, body, NULL);
    else
        finish(r, status_of(r, body, &err), body, &err);
}

static void send(struct request *r)
{
    struct kube_client *c = r->client;
    r->attempts++;
    r->endpoint = c->current;
    mem_free(r->url);
    r->url = mem_printf("%s%s", c->endpoints[r->endpoint], r->path);
    r->headers[0] = (struct http_header){SLICE("Accept"), SLICE("application/json")};
    r->headers[1] = (struct http_header){SLICE("User-Agent"), slice_str(c->user_agent)};
    r->headers[2] = (struct http_header){SLICE("Content-Type"), slice_str(r->content_type)};
    buf_reset(&r->http.response);
    r->http.method = r->method;
    r->http.url = r->url;
    r->http.headers = r->headers;
    r->http.header_count = r->body.size > 0 ? 3 : 2;
    r->http.body = buf_slice(&r->body);
    r->http.tls = c->tls;
    r->http.done = answered;
    r->http.data = r;
    http_call_start(&c->env->http, &r->http);
}

static void retry_now(struct timer *t)
{
    struct request *r = container_of(t, struct request, retry);
    if (r->canceled)
        finish_canceled(r);
    else
        send(r);
}

static struct request *request_new(struct kube_client *c, const char *method, const char *path)
{
    ASSERT(!c->closing);
    struct request *r = NEW(struct request);
    r->client = c;
    r->method = method;
    r->path = mem_strdup(path);
    r->content_type = "application/json";
    timer_init(&r->retry, retry_now);
    list_push_back(&c->requests, &r->link);
    return r;
}

static void start_call(struct kube_client *c, struct kube_call *call, const char *method, const char *path,
                       const char *content_type, struct slice body, bool idempotent)
{
    struct request *r = request_new(c, method, path);
    r->call = call;
    r->content_type = content_type;
    r->idempotent = idempotent;
    r->http.timeout_ms = KUBE_CALL_TIMEOUT_MS;
    buf_append_slice(&r->body, body);
    call->impl = r;
    send(r);
}

void kube_get(struct kube_client *c, struct kube_call *call, const char *path)
{
    start_call(c, call, "GET", path, "application/json", (struct slice){0}, true);
}

void kube_create(struct kube_client *c, struct kube_call *call, const char *path, struct slice body)
{
    start_call(c, call, "POST", path, "application/json", body, false);
}

void kube_update(struct kube_client *c, struct kube_call *call, const char *path, struct slice body)
{
    start_call(c, call, "PUT", path, "application/json", body, false);
}

void kube_patch(struct kube_client *c, struct kube_call *call, const char *path, enum kube_patch type, struct slice body)
{
    static const char *const types[] = {
        [KUBE_PATCH_MERGE] = "application/merge-patch+json",
        [KUBE_PATCH_STRATEGIC] = "application/strategic-merge-patch+json",
        [KUBE_PATCH_JSON] = "application/json-patch+json",
    };
    start_call(c, call, "PATCH", path, types[type], body, false);
}

void kube_delete(struct kube_client *c, struct kube_call *call, const char *path, struct slice options)
{
    start_call(c, call, "DELETE", path, "application/json", options, true);
}

static void cancel(struct request *r)
{
    if (r == NULL || r->canceled)
        return;
    r->canceled = true;
    if (timer_armed(&r->retry)) /* between two attempts: end in a turn of its own */
        loop_timer_start(&r->client->env->loop, &r->retry, 0);
    else
        http_call_cancel(&r->client->env->http, &r->http);
}

void kube_cancel(struct kube_client *c, struct kube_call *call)
{
    (void)c;
    cancel(call->impl);
}

/* The object's own bytes where the line has the usual shape, so that they need not be printed again. */
static void deliver_line(struct request *r, struct slice line)
{
    struct json_doc *d = json_doc_new();
    struct json *event = NULL;
    struct err why;
    if (json_parse(d, line, &event, &why) != 0) {
        log_warn(r->client->env->log, "watch sent a line that is no JSON", "path=%s reason=\"%s\"", r->path, why.message);
        json_doc_free(d);
        return;
    }
    struct slice type = json_string_at(event, "type");
    struct json *object = json_get(event, "object");
    struct buf printed = {0};
    struct slice prefix = SLICE("{\"type\":\""), middle = SLICE("\",\"object\":");
    size_t at = prefix.size + type.size + middle.size;
    struct slice text = {0};
    if (line.size > at && slice_has_prefix(line, prefix) &&
        slice_has_prefix(slice_from(line, prefix.size + type.size), middle)) {
        text = slice_of(line.data + at, line.size - at - 1);
    } else {
        json_print(object, &printed);
        text = buf_slice(&printed);
    }
    r->stream->on_event(r->stream, type, object, text);
    buf_release(&printed);
    json_doc_free(d);
}

static void stream_data(struct http_call *http, struct slice bytes)
{
    struct request *r = http->data;
    buf_append_slice(&r->line, bytes);
    if (http->http_status != 200)
        return; /* an error's body, read at the end */
    struct slice rest = buf_slice(&r->line);
    size_t end;
    while (!r->canceled && (end = slice_find(rest, '\n')) < rest.size) {
        if (end > 0)
            deliver_line(r, slice_of(rest.data, end));
        rest = slice_from(rest, end + 1);
    }
    buf_consume(&r->line, r->line.size - rest.size);
    if (r->line.size > KUBE_WATCH_LINE_MAX)
        http_call_cancel(&r->client->env->http, http);
}

void kube_watch(struct kube_client *c, struct kube_stream *s, const char *path)
{
    struct request *r = request_new(c, "GET", path);
    r->stream = s;
    r->http.on_data = stream_data;
    r->http.silence_ms = KUBE_WATCH_SILENCE_MS;
    s->impl = r;
    send(r);
}

void kube_watch_stop(struct kube_client *c, struct kube_stream *s)
{
    (void)c;
    cancel(s->impl);
}

void kube_client_close(struct kube_client *c, void (*closed)(void *arg), void *arg)
{
    c->closing = true;
    c->closed = closed;
    c->closed_arg = arg;
    deferred_init(&c->closed_turn, client_free);
    LIST_FOR_EACH(node, &c->requests)
        cancel(container_of(node, struct request, link));
    if (list_empty(&c->requests))
        loop_defer(&c->env->loop, &c->closed_turn);
}
