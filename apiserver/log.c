/* pods/log: spliced from the node agent's /containerLogs, byte by byte, after the pod was looked at. */
#include "common/base.h"

#include "apiserver/pod_target.h"
#include "apiserver/request.h"
#include "common/mem.h"

#include <stdio.h>

struct log_stream {
    struct http_call call;
    struct api_request *request; /* NULL once it is over; then only the call's end is awaited */
    struct apiserver *api;
    struct buf url, error;
    char container[POD_TARGET_NAME_MAX];
    bool begun, running, canceled;
    struct deferred over;
    struct list link;
};

static void stream_release(struct log_stream *l)
{
    buf_release(&l->url);
    buf_release(&l->error);
    buf_release(&l->call.response);
    buf_release(&l->call.content_type);
    mem_free(l);
}

static void stream_over(struct deferred *d)
{
    struct log_stream *l = container_of(d, struct log_stream, over);
    struct apiserver *a = l->api;
    a->ops_open--;
    stream_release(l);
    if (a->closing)
        loop_defer(&a->env->loop, &a->finish);
}

/* The request goes; a call under way is canceled and frees its struct when it has ended. */
void log_free(struct log_stream *l)
{
    if (l == NULL)
        return;
    l->request = NULL;
    if (!l->running) {
        stream_release(l);
        return;
    }
    if (!l->canceled)
        http_call_cancel(&l->api->env->http, &l->call);
    l->canceled = true;
}

static void on_data(struct http_call *c, struct slice bytes)
{
    struct log_stream *l = container_of(c, struct log_stream, call);
    struct api_request *r = l->request;
    if (r == NULL || r->x == NULL)
        return;
    if (c->http_status != 200) {
        if (l->error.size < 4096)
            buf_append_slice(&l->error, bytes);
        return;
    }
    if (!l->begun) {
        l->begun = true;
        request_begin_stream(r, "text/plain");
    }
    if (r->x->pending_bytes > 8 * STREAM_WINDOW_BYTES) {
        /* A reader slower than the log: ended rather than held in memory. */
        limit_hit(&r->api->count.limits, LIMIT_LOG_READER);
        request_end_stream(r, false);
        return;
    }
    struct bytes *chunk = bytes_new(bytes);
    http_write(r->x, chunk);
    bytes_unref(chunk);
}

static void fail_from_node(struct api_request *r, const struct log_stream *l)
{
    int http = l->call.http_status;
    int code = http == 400 ? ERR_BAD_REQUEST : http == 404 ? ERR_NOT_FOUND : ERR_INTERNAL;
    struct slice text = buf_slice(&l->error);
    while (text.size > 0 && text.data[text.size - 1] == '\n')
        text.size--;
    request_fail_with(r, code, "%.*s", (int)MIN(text.size, (size_t)900),
                      text.size == 0 ? "the node agent refused" : text.data);
}

static void on_done(struct http_call *c, int status, const struct err *why)
{
    struct log_stream *l = container_of(c, struct log_stream, call);
    struct api_request *r = l->request;
    l->running = false;
    if (r == NULL) {
        loop_defer(&l->api->env->loop, &l->over);
        return;
    }
    l->api->ops_open--;
    if (r->x == NULL)
        return;
    if (l->begun)
        request_end_stream(r, status == 0);
    else if (status != 0)
        request_fail_with(r, ERR_INTERNAL, "Get \"%s\": error dialing backend: %s", l->url.data,
                          why == NULL ? err_text(status) : why->message);
    else if (c->http_status != 200)
        fail_from_node(r, l);
    else
        request_answer(r, 200, "text/plain", SLICE(""));
}

/* A container that has not started has no log yet. */
static int check_started(struct api_request *r, const struct json *pod, const struct log_stream *l)
{
    static const char *const lists[] = {"containerStatuses", "initContainerStatuses", "ephemeralContainerStatuses"};
    struct slice reason = {NULL, 0};
    bool known = false;
    for (size_t i = 0; i < ARRAY_LEN(lists); i++) {
        const struct json *status = pod_target_named(json_get(json_get(pod, "status"), lists[i]), slice_str(l->container));
        if (status == NULL)
            continue;
        known = json_at(status, "state.waiting") == NULL || json_at(status, "lastState.terminated") != NULL;
        reason = json_string_at(status, "state.waiting.reason");
    }
    if (known)
        return 0;
    return failure_set(&r->failure, ERR_BAD_REQUEST, "container \"%s\" in pod \"%.*s\" is waiting to start: %.*s",
                       l->container, SLICE_ARGS(r->route.name), reason.size > 0 ? (int)reason.size : 17,
                       reason.size > 0 ? reason.data : "ContainerCreating");
}

static void copy_query(struct api_request *r, struct buf *url)
{
    static const char *const passed[] = {"follow",       "previous",  "tailLines",  "limitBytes",
                                         "sinceSeconds", "sinceTime", "timestamps", "stream"};
    const char *separator = "?";
    struct buf value = {0};
    for (size_t i = 0; i < ARRAY_LEN(passed); i++) {
        if (!request_query(r, passed[i], &value))
            continue;
        buf_printf(url, "%s%s=", separator, passed[i]);
        http_percent_encode(buf_slice(&value), url);
        separator = "&";
    }
    buf_release(&value);
}

static void start(struct api_request *r, const char *address)
{
    struct log_stream *l = r->log;
    buf_printf(&l->url, "%s://%s/containerLogs/%.*s/%.*s/%s", r->api->kubelet_tls == NULL ? "http" : "https", address,
               SLICE_ARGS(r->route.namespace), SLICE_ARGS(r->route.name), l->container);
    copy_query(r, &l->url);
    l->call.method = "GET";
    l->call.url = l->url.data;
    l->call.tls = r->api->kubelet_tls;
    l->call.on_data = on_data;
    l->call.done = on_done;
    l->running = true;
    r->api->ops_open++;
    http_call_start(&r->api->env->http, &l->call);
}

static void pod_done(struct api_request *r, struct store_call *call, int status, const struct err *why)
{
    struct json *pod = NULL;
    struct err bad;
    char address[POD_TARGET_ADDRESS_MAX];
    if (status != 0) {
        request_fail_store(r, status, why);
    } else if (call->range.kv_count == 0) {
        failure_not_found(&r->failure, r->route.kind, r->route.name);
        request_fail(r);
    } else if (json_parse(r->doc, call->range.kvs[0].value, &pod, &bad) != 0) {
        failure_from(&r->failure, &bad);
        request_fail(r);
    } else if (pod_target_container(r, pod, r->log->container) != 0) {
        request_fail(r);
    } else if (json_string_at(pod, "spec.nodeName").size == 0) {
        request_answer(r, 204, "text/plain", SLICE("")); /* nobody runs it yet: an empty log, not an error */
    } else if (check_started(r, pod, r->log) != 0 || pod_target_node(r, pod, address) != 0) {
        request_fail(r);
    } else {
        start(r, address);
    }
}

/* PodLogOptions that are numbers: not negative, or positive. */
static int check_options(struct api_request *r)
{
    static const struct {
        const char *name;
        int64_t least;
    } numbers[] = {{"tailLines", 0}, {"limitBytes", 1}, {"sinceSeconds", 1}};
    for (size_t i = 0; i < ARRAY_LEN(numbers); i++) {
        int64_t v;
        int code = request_query_int(r, numbers[i].name, numbers[i].least, &v);
        if (code != 0)
            return code;
        if (v < numbers[i].least)
            check_fail_at(&r->failure.check, numbers[i].name, CHECK_INVALID, json_new_int(r->doc, v),
                          numbers[i].least == 0 ? "must be greater than or equal to %d" : "must be greater than %d", 0);
    }
    if (r->failure.check.count == 0)
        return 0;
    r->failure.code = ERR_INVALID;
    buf_printf(&r->failure.message, "PodLogOptions \"%.*s\" is invalid: ", SLICE_ARGS(r->route.name));
    check_message(&r->failure.check, &r->failure.message);
    return ERR_INVALID;
}

void log_begin(struct api_request *r)
{
    struct buf key = {0};
    if (check_options(r) != 0) {
        request_fail(r);
        return;
    }
    struct log_stream *l = NEW(struct log_stream);
    l->api = r->api;
    l->request = r;
    deferred_init(&l->over, stream_over);
    r->log = l;
    request_key(r, r->route.name, &key);
    struct kv_range range = {.span = {buf_slice(&key), {NULL, 0}}};
    store_range(r->api->store, &request_op(r, pod_done)->call, &range, STORE_TIMEOUT_MS);
    buf_release(&key);
}
