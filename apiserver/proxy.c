/* pods/proxy, services/proxy and nodes/proxy: the request goes on to what the object stands for, and its answer comes
 * back as it is sent, each side read only as fast as the other takes it.
 *
 *   object is read ──(a service: its slices)──▶ target is asked ──(101)──▶ spliced ──(either side ends)──▶ over
 *                                                      └──(any other)──▶ relayed: head, content as it comes, end
 *
 * The request's content is whole before it comes here: the front bounds it. Pages' links and Location are rewritten to
 * the proxy's prefix (html_links.h). */
#include "common/base.h"

#include "apiserver/html_links.h"
#include "apiserver/pod_target.h"
#include "apiserver/proxy_headers.h"
#include "apiserver/proxy_target.h"
#include "apiserver/request.h"
#include "apiserver/splice.h"
#include "common/http_dial.h"
#include "common/mem.h"

#include <inttypes.h>
#include <stdio.h>

struct proxying {
    struct apiserver *api;
    struct api_request *request; /* NULL: spliced, or gone */
    struct proxy_name name;      /* of the route's name */
    struct slice service_port;   /* its port's name */
    char address[POD_TARGET_ADDRESS_MAX];
    struct tls *tls; /* NULL: plain */
    struct buf target, prefix, forwarded_for, forwarded_uri, location;
    char content_length[24], audit[UUID_TEXT_SIZE];
    struct http_header headers[PROXY_HEADERS_MAX];
    struct http_dial dial;
    bool dialing, begun, refused;
    struct html_links *links; /* of an answer that is a page */
    struct splice splice;
    struct deferred over;
};

static void proxying_over(struct deferred *d)
{
    struct proxying *p = container_of(d, struct proxying, over);
    struct apiserver *a = p->api;
    struct buf *const texts[] = {&p->target, &p->prefix, &p->forwarded_for, &p->forwarded_uri, &p->location};
    a->ops_open--;
    for (size_t i = 0; i < ARRAY_LEN(texts); i++)
        buf_release(texts[i]);
    if (p->links != NULL)
        html_links_release(p->links);
    mem_free(p->links);
    mem_free(p);
    if (a->closing)
        loop_defer(&a->env->loop, &a->finish);
}

static void proxying_check(struct proxying *p)
{
    if (p->request == NULL && !p->dialing && !splice_is_open(&p->splice))
        loop_defer(&p->api->env->loop, &p->over);
}

/* The request goes: its client left, or it was answered. */
void proxy_free(struct proxying *p)
{
    if (p == NULL)
        return;
    p->request = NULL;
    if (p->dialing)
        http_dial_cancel(&p->dial);
    proxying_check(p);
}

static void spliced_closed(struct splice *s) { proxying_check(container_of(s, struct proxying, splice)); }

/* --- the answer --- */

static bool is_page(const struct http_dial *d)
{
    struct slice type = http_header_get(d->answer, d->answer_count, "Content-Type");
    struct slice coding = http_header_get(d->answer, d->answer_count, "Content-Encoding");
    return http_token_listed(slice_trim(slice_cut(&type, ';')), "text/html") &&
           (coding.size == 0 || http_token_listed(coding, "identity")) && !d->framing.done;
}

static void links_make(struct proxying *p, struct html_links *ret)
{
    const struct http_request *q = &p->request->x->request;
    *ret = (struct html_links){.prefix = buf_slice(&p->prefix),
                               .hosts = {slice_str(p->address), http_header_get(q->headers, q->header_count, "Host")}};
}

/* What the answer says, with its length while it stays as it is. */
static size_t answer_headers(struct proxying *p, struct http_header headers[HTTP_DIAL_HEADERS_MAX + 2])
{
    const struct http_dial *d = &p->dial;
    struct slice length = http_header_get(d->answer, d->answer_count, "Content-Length");
    struct html_links links;
    size_t n = 0;
    links_make(p, &links);
    for (size_t i = 0; i < d->answer_count; i++) {
        const struct http_header *h = &d->answer[i];
        if (h->value.size == 0 || proxy_is_hop(h, d->answer, d->answer_count) || http_header_is(h, "Audit-Id"))
            continue;
        headers[n++] = *h;
        if (!http_header_is(h, "Location"))
            continue;
        buf_reset(&p->location);
        link_rewrite(&links, h->value, &p->location);
        headers[n - 1].value = buf_slice(&p->location);
    }
    if (length.size > 0 && p->links == NULL && d->framing.framing == HTTP_BODY_LENGTH && d->http_status != 204)
        headers[n++] = (struct http_header){SLICE("Content-Length"), length};
    random_uuid(&p->api->env->random, p->audit);
    headers[n++] = (struct http_header){SLICE("Audit-Id"), slice_str(p->audit)};
    return n;
}

static void relay_drained(struct http_exchange *x)
{
    struct api_request *r = x->data;
    if (r->proxy != NULL && r->proxy->dialing)
        http_dial_pause(&r->proxy->dial, false);
}

static void on_head(struct http_dial *d)
{
    struct proxying *p = d->data;
    struct api_request *r = p->request;
    struct http_header headers[HTTP_DIAL_HEADERS_MAX + 2];
    if (r == NULL || r->x == NULL)
        return;
    if (d->http_status > 599) {
        p->refused = true;
        http_dial_cancel(d);
        return;
    }
    if (is_page(d)) {
        p->links = NEW(struct html_links);
        links_make(p, p->links);
    }
    p->begun = true;
    size_t n = answer_headers(p, headers);
    request_begin_relay(r, d->http_status, headers, n);
    r->x->drained = relay_drained;
}

static void pass_on(struct proxying *p, struct slice bytes)
{
    if (bytes.size == 0)
        return;
    struct bytes *chunk = bytes_new(bytes);
    http_write(p->request->x, chunk);
    bytes_unref(chunk);
}

static void on_body(struct http_dial *d, struct slice bytes)
{
    struct proxying *p = d->data;
    struct api_request *r = p->request;
    struct buf page = {0};
    if (r == NULL || r->x == NULL)
        return;
    if (p->links != NULL) {
        html_links_write(p->links, bytes, &page);
        bytes = buf_slice(&page);
    }
    pass_on(p, bytes);
    buf_release(&page);
    if (r->x->pending_bytes > STREAM_WINDOW_BYTES)
        http_dial_pause(d, true);
}

static void relay_end(struct proxying *p, bool whole)
{
    struct buf rest = {0};
    if (p->links != NULL)
        html_links_end(p->links, &rest);
    pass_on(p, buf_slice(&rest));
    buf_release(&rest);
    request_end_stream(p->request, whole);
}

/* --- an upgrade --- */

static void agreed(struct proxying *p)
{
    struct api_request *r = p->request;
    struct http_header headers[HTTP_DIAL_HEADERS_MAX + 3];
    splice_open(&p->splice.far);
    if (r == NULL || r->x == NULL) {
        splice_shut(&p->splice.far);
        return;
    }
    size_t n = answer_headers(p, headers);
    headers[n++] =
        (struct http_header){SLICE("Upgrade"), http_header_get(p->dial.answer, p->dial.answer_count, "Upgrade")};
    int rv = headers[n - 1].value.size == 0 ? ERR_FORMAT : request_upgrade(r, headers, n, &p->splice.near.tunnel);
    if (rv == 0) {
        splice_open(&p->splice.near);
        r->proxy = NULL;
        p->request = NULL;
        return;
    }
    splice_shut(&p->splice.far);
    request_fail_with(r, rv == ERR_BUSY ? ERR_BUSY : ERR_UNAVAILABLE, "the connection cannot be upgraded: %s",
                      rv == ERR_BUSY ? "too many of its kind are open; try again later"
                                     : "nobody asked for it, or not by HTTP/1.1");
}

static void on_answered(struct http_dial *d, int status, const struct err *why)
{
    struct proxying *p = d->data;
    struct api_request *r = p->request;
    p->dialing = false;
    if (status == 0 && d->http_status == 101)
        agreed(p);
    else if (r != NULL && r->x != NULL && p->begun)
        relay_end(p, status == 0);
    else if (r != NULL && r->x != NULL && p->refused)
        request_fail_with(r, ERR_UNAVAILABLE, "error trying to reach service: it answered with the status %d",
                          d->http_status);
    else if (r != NULL && r->x != NULL)
        request_fail_with(r, ERR_UNAVAILABLE, "error trying to reach service: %s",
                          why == NULL ? err_text(status) : why->message);
    proxying_check(p); /* else the request is released later, and looks for us then */
}

/* --- the question --- */

/* "…/proxy" would make every relative link of a page wrong: clients that read are sent to "…/proxy/". */
static bool redirected(struct api_request *r)
{
    const struct http_request *q = &r->x->request;
    struct buf location = {0};
    if (r->route.behind.size > 0 || http_upgrade_wanted(q).size > 0 ||
        !(slice_is(q->method, "GET") || slice_is(q->method, "HEAD")))
        return false;
    proxy_encode_path(q->path, &location);
    buf_append_char(&location, '/');
    if (q->query.size > 0)
        buf_append_char(&location, '?');
    proxy_encode_query(q->query, &location);
    r->cache.location = location.data;
    request_answer(r, 301, "text/plain; charset=utf-8", SLICE(""));
    buf_release(&location);
    return true;
}

static void header_add(struct proxying *p, const char *name, struct slice value)
{
    if (value.size > 0 && p->dial.header_count < PROXY_HEADERS_MAX)
        p->headers[p->dial.header_count++] = (struct http_header){slice_str(name), value};
}

static void forwarded(struct proxying *p, const struct http_request *q)
{
    struct slice before = http_header_get(q->headers, q->header_count, "X-Forwarded-For");
    struct slice remote = q->remote_address == NULL ? SLICE("") : slice_str(q->remote_address);
    size_t colon = remote.size;
    while (colon > 0 && remote.data[colon - 1] != ':')
        colon--;
    if (colon > 0)
        remote.size = colon - 1;
    if (remote.size > 2 && remote.data[0] == '[')
        remote = slice_of(remote.data + 1, remote.size - 2);
    buf_printf(&p->forwarded_for, "%.*s%s%.*s", SLICE_ARGS(before), before.size > 0 && remote.size > 0 ? ", " : "",
               SLICE_ARGS(remote));
    proxy_encode_path(q->path, &p->forwarded_uri);
    header_add(p, "X-Forwarded-For", buf_slice(&p->forwarded_for));
    header_add(p, "X-Forwarded-Host", http_header_get(q->headers, q->header_count, "Host"));
    header_add(p, "X-Forwarded-Proto", q->secure ? SLICE("https") : SLICE("http"));
    header_add(p, "X-Forwarded-Uri", buf_slice(&p->forwarded_uri));
}

static void set_headers(struct proxying *p, const struct http_request *q)
{
    struct slice upgrade = http_upgrade_wanted(q);
    p->dial.header_count = proxy_request_headers(q, p->headers, PROXY_HEADERS_MAX - 8);
    header_add(p, "Connection", upgrade.size > 0 ? SLICE("Upgrade") : SLICE("close"));
    header_add(p, "Upgrade", upgrade);
    if (q->body.size > 0 ||
        !(slice_is(q->method, "GET") || slice_is(q->method, "HEAD") || slice_is(q->method, "OPTIONS"))) {
        (void)snprintf(p->content_length, sizeof p->content_length, "%zu", q->body.size); /* fits */
        header_add(p, "Content-Length", slice_str(p->content_length));
    }
    forwarded(p, q);
}

static const char *method_of(const struct http_request *q)
{
    static const char *const methods[] = {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"};
    for (size_t i = 0; i < ARRAY_LEN(methods); i++)
        if (slice_is(q->method, methods[i]))
            return methods[i];
    PANIC("a method that is no verb of a proxy");
}

static void ask(struct proxying *p)
{
    struct api_request *r = p->request;
    const struct http_request *q = &r->x->request;
    struct slice behind = r->route.behind;
    if (redirected(r))
        return;
    proxy_encode_path(slice_of(q->path.data, q->path.size - behind.size), &p->prefix);
    proxy_encode_path(behind.size > 0 ? behind : SLICE("/"), &p->target);
    if (q->query.size > 0)
        buf_append_char(&p->target, '?');
    proxy_encode_query(q->query, &p->target);
    if (p->target.size > PROXY_TARGET_BYTES_MAX) {
        request_fail_with(r, ERR_BAD_REQUEST, "path and query are longer than %d bytes", PROXY_TARGET_BYTES_MAX);
        return;
    }
    splice_init(&p->splice, spliced_closed);
    p->dial = (struct http_dial){.env = p->api->env,
                                 .address = p->address,
                                 .tls = p->tls,
                                 .method = method_of(q),
                                 .target = buf_slice(&p->target),
                                 .headers = p->headers,
                                 .content = q->body,
                                 .host = http_header_get(q->headers, q->header_count, "Host"),
                                 .patient = true,
                                 .on_head = on_head,
                                 .on_body = on_body,
                                 .answered = on_answered,
                                 .data = p,
                                 .tunnel = &p->splice.far.tunnel};
    set_headers(p, q);
    p->dialing = true;
    http_dial_start(&p->dial);
}

static void ask_at(struct proxying *p, struct slice ip, int port)
{
    char text[16];
    if (!proxy_is_address(ip)) {
        request_fail_with(p->request, ERR_BAD_REQUEST, "address not allowed");
        return;
    }
    (void)snprintf(text, sizeof text, "%d", port); /* fits */
    pod_target_join(ip, slice_str(text), p->address);
    ask(p);
}

/* --- whom --- */

static int port_number(struct slice port)
{
    int v = 0;
    for (size_t i = 0; i < port.size; i++)
        v = v * 10 + (port.data[i] - '0');
    return v;
}

static void ask_pod(struct proxying *p, const struct json *pod)
{
    int port = p->name.port.size > 0 ? port_number(p->name.port) : proxy_pod_port(pod);
    ask_at(p, json_string_at(pod, "status.podIP"), port != 0 ? port : p->name.https ? 443 : 80);
}

static void ask_node(struct proxying *p, const struct json *node)
{
    struct slice ip;
    int agent_port, port = port_number(p->name.port);
    if (pod_target_node_ip(p->request, node, &ip, &agent_port) != 0) {
        request_fail(p->request);
        return;
    }
    if (port == 0 || port == agent_port) {
        port = agent_port;
        p->tls = p->api->kubelet_tls;
    }
    ask_at(p, ip, port);
}

/* One of the ready endpoints, each as likely as any other, whatever slice it stands in. */
static size_t choose(struct proxying *p, struct cached *const *slices, size_t n, struct slice *ret_ip, int *ret_port)
{
    size_t seen = 0;
    for (size_t i = 0; i < n; i++) {
        struct json *tree = NULL;
        struct slice ip;
        size_t at = 0;
        int port;
        if (json_parse(p->request->doc, bytes_slice(slices[i]->json), &tree, NULL) != 0)
            continue; /* it was checked when it was stored */
        while (proxy_slice_next(tree, p->service_port, &at, &ip, &port)) {
            if (random_below(&p->api->env->random, ++seen) != 0)
                continue;
            *ret_ip = ip; /* in the request's document */
            *ret_port = port;
        }
    }
    return seen;
}

static void slices_ready(struct api_request *r, int status)
{
    struct proxying *p = r->proxy;
    struct selection s = {.namespace = r->route.namespace};
    struct buf label = {0};
    struct cached **slices = NULL;
    struct slice ip;
    int port = 0;
    if (status != 0) {
        request_fail_with(r, ERR_UNAVAILABLE, "the endpoints of service \"%.*s\" are not known: %s",
                          SLICE_ARGS(p->name.name), err_text(status));
        return;
    }
    buf_printf(&label, "kubernetes.io/service-name=%.*s", SLICE_ARGS(p->name.name));
    size_t n = 0, ready = 0;
    if (selector_parse_labels(buf_slice(&label), &s.labels, NULL) == 0) /* else no slice can name it */
        n = watch_cache_list(r->api->caches[kinds_index(&kind_endpoint_slice)], &s, &slices);
    ready = choose(p, slices, n, &ip, &port);
    for (size_t i = 0; i < n; i++)
        cached_unref(slices[i]);
    mem_free(slices);
    if (ready > 0)
        ask_at(p, ip, port);
    else
        request_fail_with(r, ERR_UNAVAILABLE, "no endpoints available for service \"%.*s\"", SLICE_ARGS(r->route.name));
    selection_release(&s);
    buf_release(&label);
}

static void ask_service(struct proxying *p, const struct json *service)
{
    struct api_request *r = p->request;
    struct err why;
    if (proxy_service_port(service, p->name.port, &p->service_port, &why) != 0) {
        request_fail_with(r, why.code, "%s", why.message);
        return;
    }
    request_wait_fresh(r, r->api->caches[kinds_index(&kind_endpoint_slice)], slices_ready);
}

static void object_done(struct api_request *r, struct store_call *call, int status, const struct err *why)
{
    struct proxying *p = r->proxy;
    struct json *object = NULL;
    struct err bad;
    if (status != 0) {
        request_fail_store(r, status, why);
    } else if (call->range.kv_count == 0) {
        failure_not_found(&r->failure, r->route.kind, p->name.name);
        request_fail(r);
    } else if (json_parse(r->doc, call->range.kvs[0].value, &object, &bad) != 0) {
        failure_from(&r->failure, &bad);
        request_fail(r);
    } else if (r->route.kind == &kind_pod) {
        ask_pod(p, object);
    } else if (r->route.kind == &kind_node) {
        ask_node(p, object);
    } else {
        ask_service(p, object);
    }
}

void proxy_begin(struct api_request *r)
{
    struct proxy_name name;
    struct buf key = {0};
    bool by_number = r->route.kind != &kind_service; /* only a service's ports have names here */
    if (!proxy_name_parse(r->route.name, &name) || (by_number && name.port.size > 0 && !proxy_is_port(name.port))) {
        request_fail_with(r, ERR_BAD_REQUEST, "invalid %s request \"%.*s\"", r->route.kind->singular,
                          SLICE_ARGS(r->route.name));
        return;
    }
    struct proxying *p = NEW(struct proxying);
    p->api = r->api;
    p->request = r;
    p->name = name;
    p->tls = name.https ? r->api->any_tls : NULL;
    p->api->ops_open++;
    deferred_init(&p->over, proxying_over);
    r->proxy = p;
    request_key(r, name.name, &key);
    struct kv_range range = {.span = {buf_slice(&key), {NULL, 0}}};
    store_range(r->api->store, &request_op(r, object_done)->call, &range, STORE_TIMEOUT_MS);
    buf_release(&key);
}
