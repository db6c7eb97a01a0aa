/* pods/exec, pods/attach and pods/portforward: the request goes on to the node agent as it came, and when that agrees to change the protocol,
 * the two connections are spliced: bytes both ways, not looked at. So there is one implementation of each protocol, the
 * node's.
 *
 *   pod is read ──▶ node is asked ──(101)──▶ spliced ──(either side ends)──▶ over
 *                        └──(any other)──▶ its answer is the request's */
#include "common/base.h"

#include "apiserver/pod_target.h"
#include "apiserver/request.h"
#include "apiserver/splice.h"
#include "common/http_dial.h"
#include "common/mem.h"

#include <stdio.h>
#include <strings.h>

#define HEADERS_MAX 8
#define QUERY_BYTES_MAX (8 * 1024)

struct connection {
    struct apiserver *api;
    struct api_request *request; /* NULL: spliced, or gone */
    char container[POD_TARGET_NAME_MAX], address[POD_TARGET_ADDRESS_MAX];
    char node_name[POD_TARGET_NAME_MAX];
    struct buf target;
    struct http_header headers[HEADERS_MAX];
    size_t header_count;
    struct http_dial dial;
    bool dialing;
    struct splice splice;
    struct deferred over;
};

static void connection_over(struct deferred *d)
{
    struct connection *c = container_of(d, struct connection, over);
    struct apiserver *a = c->api;
    if (c->request != NULL)
        c->request->connection = NULL;
    a->ops_open--;
    buf_release(&c->target);
    mem_free(c);
    if (a->closing)
        loop_defer(&a->env->loop, &a->finish);
}

static void connection_check(struct connection *c)
{
    if (!c->dialing && !splice_is_open(&c->splice))
        loop_defer(&c->api->env->loop, &c->over);
}

/* The request goes: its client left, or it was answered. */
void connection_free(struct connection *c)
{
    if (c == NULL)
        return;
    c->request = NULL;
    if (c->dialing)
        http_dial_cancel(&c->dial);
    connection_check(c);
}

static void spliced_closed(struct splice *s) { connection_check(container_of(s, struct connection, splice)); }

/* --- the node's answer --- */

/* What describes the connection between us and the node, not the protocol that is agreed on, stays behind. */
static size_t answer_headers(const struct http_dial *d, struct http_header headers[HEADERS_MAX])
{
    static const char *const passed[] = {"Upgrade", "Sec-WebSocket-Accept", "Sec-WebSocket-Protocol", "X-Stream-Protocol-Version"};
    size_t n = 0;
    for (size_t i = 0; i < ARRAY_LEN(passed); i++) {
        struct slice value = http_header_get(d->answer, d->answer_count, passed[i]);
        if (value.size > 0)
            headers[n++] = (struct http_header){slice_str(passed[i]), value};
    }
    return n;
}

static void agreed(struct connection *c)
{
    struct api_request *r = c->request;
    struct http_header headers[HEADERS_MAX];
    size_t n = answer_headers(&c->dial, headers);
    int rv = r == NULL || r->x == NULL ? ERR_CANCELED : request_upgrade(r, headers, n, &c->splice.near.tunnel);
    splice_open(&c->splice.far);
    if (rv < 0) {
        splice_shut(&c->splice.far);
        if (r != NULL && r->x != NULL)
            request_fail_with(r, rv, "the connection cannot be upgraded: %s",
                              rv == ERR_BUSY ? "too many of its kind are open; try again later" : "HTTP/1.1 and an Upgrade are needed");
        return;
    }
    r->connection = NULL;
    c->request = NULL;
    splice_open(&c->splice.near);
}

static void on_answered(struct http_dial *d, int status, const struct err *why)
{
    struct connection *c = d->data;
    struct api_request *r = c->request;
    c->dialing = false;
    if (status == 0 && d->http_status == 101) {
        agreed(c);
        return;
    }
    if (r == NULL || r->x == NULL) {
        connection_check(c);
        return;
    }
    struct slice type = http_header_get(d->answer, d->answer_count, "Content-Type");
    if (status != 0) {
        request_fail_with(r, ERR_INTERNAL, "error dialing backend: node \"%s\" at %s: %s", c->node_name, c->address,
                          why->message);
    } else if (d->http_status < 400 || d->http_status > 599) {
        request_fail_with(r, ERR_INTERNAL, "node \"%s\" at %s answered %d to a request for an upgrade", c->node_name, c->address,
                          d->http_status);
    } else {
        char text[128];
        (void)snprintf(text, sizeof text, "%.*s", (int)MIN(type.size, sizeof text - 1), type.size == 0 ? "" : type.data);
        request_answer(r, d->http_status, type.size == 0 ? "text/plain; charset=utf-8" : text, d->body);
    }
    connection_check(c); /* the request is released later, and looks for us then */
}

/* --- the question to the node --- */

static void copy_query(struct connection *c, struct slice query)
{
    static const char *const passed[] = {"command", "stdin", "stdout", "stderr", "tty", "ports"};
    const char *separator = "?";
    while (query.size > 0) {
        struct slice pair = slice_cut(&query, '&'), rest = pair, key = slice_cut(&rest, '=');
        for (size_t i = 0; i < ARRAY_LEN(passed); i++) {
            if (!slice_is(key, passed[i]))
                continue;
            buf_printf(&c->target, "%s%.*s", separator, SLICE_ARGS(pair)); /* encoded as it came */
            separator = "&";
        }
    }
}

static void copy_headers(struct connection *c, const struct http_request *q)
{
    static const char *const passed[] = {"Upgrade", "Sec-WebSocket-Key", "Sec-WebSocket-Version", "Sec-WebSocket-Protocol",
                                         "X-Stream-Protocol-Version"};
    c->headers[c->header_count++] = (struct http_header){SLICE("Connection"), SLICE("Upgrade")};
    if (slice_is(q->method, "POST"))
        c->headers[c->header_count++] = (struct http_header){SLICE("Content-Length"), SLICE("0")};
    for (size_t i = 0; i < ARRAY_LEN(passed); i++) {
        struct slice value = http_header_get(q->headers, q->header_count, passed[i]);
        if (value.size > 0)
            c->headers[c->header_count++] = (struct http_header){slice_str(passed[i]), value};
    }
}

/* Ports are the whole pod's: it has no container. */
static bool is_forward(const struct api_request *r) { return slice_is(r->route.subresource, "portforward"); }

static void ask_node(struct connection *c)
{
    struct api_request *r = c->request;
    const struct http_request *q = &r->x->request;
    struct slice subresource = is_forward(r) ? SLICE("portForward") : r->route.subresource;
    struct slice parts[] = {subresource, r->route.namespace, r->route.name, slice_str(c->container)};
    for (size_t i = 0; i < ARRAY_LEN(parts) && parts[i].size > 0; i++) {
        buf_append_char(&c->target, '/');
        http_percent_encode(parts[i], &c->target);
    }
    copy_query(c, q->query);
    copy_headers(c, q);
    splice_init(&c->splice, spliced_closed);
    c->dial = (struct http_dial){.env = c->api->env, .address = c->address, .tls = c->api->kubelet_tls,
                                 .method = slice_is(q->method, "POST") ? "POST" : "GET", .target = buf_slice(&c->target),
                                 .headers = c->headers, .header_count = c->header_count, .answered = on_answered, .data = c,
                                 .tunnel = &c->splice.far.tunnel};
    c->dialing = true;
    http_dial_start(&c->dial);
}

static void pod_done(struct api_request *r, struct store_call *call, int status, const struct err *why)
{
    struct connection *c = r->connection;
    struct json *pod = NULL;
    struct err bad;
    if (status != 0) {
        request_fail_store(r, status, why);
    } else if (call->range.kv_count == 0) {
        failure_not_found(&r->failure, r->route.kind, r->route.name);
        request_fail(r);
    } else if (json_parse(r->doc, call->range.kvs[0].value, &pod, &bad) != 0) {
        failure_from(&r->failure, &bad);
        request_fail(r);
    } else if ((!is_forward(r) && pod_target_container(r, pod, c->container) != 0) || pod_target_assigned(r, pod) != 0 ||
               pod_target_node(r, pod, c->address) != 0) {
        request_fail(r);
    } else {
        struct slice node = json_string_at(pod, "spec.nodeName");
        (void)snprintf(c->node_name, sizeof c->node_name, "%.*s", SLICE_ARGS(node)); /* names are at most 253 long */
        ask_node(c);
    }
}

/* 0, or the failure is set. */
static int check_options(struct api_request *r)
{
    const struct http_request *q = &r->x->request;
    struct buf command = {0};
    bool exec = slice_is(r->route.subresource, "exec");
    bool any = request_query(r, "command", &command) && command.size > 0;
    buf_release(&command);
    if (exec && !any)
        return failure_set(&r->failure, ERR_BAD_REQUEST, "you must specify at least 1 command");
    if (q->query.size > QUERY_BYTES_MAX)
        return failure_set(&r->failure, ERR_BAD_REQUEST, "the query is longer than %d bytes", QUERY_BYTES_MAX);
    if (http_upgrade_wanted(q).size == 0)
        return failure_set(&r->failure, ERR_BAD_REQUEST, "Upgrade request required");
    return 0;
}

void connect_begin(struct api_request *r)
{
    struct buf key = {0};
    if (check_options(r) != 0) {
        request_fail(r);
        return;
    }
    struct connection *c = NEW(struct connection);
    c->api = r->api;
    c->request = r;
    c->api->ops_open++;
    deferred_init(&c->over, connection_over);
    r->connection = c;
    request_key(r, r->route.name, &key);
    struct kv_range range = {.span = {buf_slice(&key), {NULL, 0}}};
    store_range(r->api->store, &request_op(r, pod_done)->call, &range, STORE_TIMEOUT_MS);
    buf_release(&key);
}
