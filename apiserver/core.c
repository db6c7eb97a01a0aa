/* The request core: route → who → may it → verb. Requests are structs that live until they are answered and nothing of
 * theirs is in flight. */
#include "common/base.h"

#include "apiserver/convert.h"
#include "apiserver/request.h"
#include "common/gzip.h"
#include "common/mem.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

/* That of another version of a stored kind begins when somebody asks for it. */
struct watch_cache *request_cache(const struct api_request *r)
{
    struct apiserver *a = r->api;
    size_t i = kinds_index(r->route.kind);
    if (a->caches[i] == NULL && r->route.kind->stored_as != NULL) {
        a->caches[i] = watch_cache_new(a->env, a->store, r->route.kind);
        a->caches_open++;
    }
    return a->caches[i];
}

struct watch_cache *stored_cache(const struct api_request *r)
{
    return r->api->caches[kinds_index(kinds_stored(r->route.kind))];
}

static void request_release(struct deferred *d)
{
    struct api_request *r = container_of(d, struct api_request, over);
    struct apiserver *a = r->api;
    list_remove(&r->link);
    a->request_count--;
    write_free(r->write);
    list_free(r->list);
    watch_free(r->watch);
    log_free(r->log);
    connection_free(r->connection);
    proxy_free(r->proxy);
    components_leave(r->components);
    gzip_free(r->gzip);
    failure_release(&r->failure);
    strict_release(&r->strict);
    json_doc_free(r->doc);
    mem_free(r);
    if (a->closing)
        loop_defer(&a->env->loop, &a->finish);
}

/* Freed a turn later, so that whoever answered may still look at it. */
static void settle(struct api_request *r)
{
    watch_cache_wait_cancel(&r->wait);
    if (r->x == NULL && r->ops == 0)
        loop_defer(&r->api->env->loop, &r->over);
}

static void observe(struct api_request *r, int status)
{
    char name[96];
    (void)snprintf(name, sizeof name, "apiserver_requests_total{verb=\"%s\",code=\"%d\"}", r->route.verb,
                   status); /* bounded words */
    metric_add(metrics_counter(r->api->metrics, name, "Requests answered."), 1);
    if (r->watch == NULL)
        metric_observe_ms(r->api->count.seconds, clock_monotonic_ms(&r->api->env->clock) - r->began_ms);
}

#define HEADERS_MAX (16 + WARNINGS_MAX)
_Static_assert(STRICT_ERRORS_MAX == WARNINGS_MAX, "what is noted is what can be told");

struct headers {
    struct http_header list[HEADERS_MAX];
    size_t count;
    char audit[UUID_TEXT_SIZE], retry[16];
    bool gzip;
    struct buf warnings[WARNINGS_MAX], deprecated;
};

static void header_add(struct headers *h, const char *name, struct slice value)
{
    if (h->count < HEADERS_MAX)
        h->list[h->count++] = (struct http_header){slice_str(name), value};
}

static void headers_make(struct api_request *r, const char *content_type, struct headers *h)
{
    struct slice audit = http_header_get(r->x->request.headers, r->x->request.header_count, "Audit-Id");
    random_uuid(&r->api->env->random, h->audit);
    header_add(h, "Audit-Id", audit.size > 0 ? audit : slice_str(h->audit));
    header_add(h, "Cache-Control", r->cache.control == NULL ? SLICE("no-cache, private") : slice_str(r->cache.control));
    if (r->cache.etag[0] != '\0') {
        header_add(h, "ETag", slice_str(r->cache.etag));
        header_add(h, "Vary", SLICE("Accept"));
    }
    if (r->cache.location != NULL)
        header_add(h, "Location", slice_str(r->cache.location));
    header_add(h, "Content-Type", slice_str(content_type));
    if (h->gzip) {
        header_add(h, "Content-Encoding", SLICE("gzip"));
        header_add(h, "Vary", SLICE("Accept-Encoding"));
    }
    header_add(h, "X-Kubernetes-Pf-Flowschema-Uid", SLICE("00000000-0000-0000-0000-000000000000"));
    header_add(h, "X-Kubernetes-Pf-Prioritylevel-Uid", SLICE("00000000-0000-0000-0000-000000000000"));
    if (r->route.kind != NULL && r->route.kind->deprecated != NULL) {
        buf_append_str(&h->deprecated, "299 - ");
        json_print_string(slice_str(r->route.kind->deprecated), &h->deprecated);
        header_add(h, "Warning", buf_slice(&h->deprecated));
    }
    if (r->warn && r->strict.dropped > 0)
        limit_hit(&r->api->count.limits, LIMIT_WARNINGS);
    for (size_t i = 0; r->warn && i < r->strict.count; i++) {
        buf_append_str(&h->warnings[i], "299 - ");
        json_print_string(slice_str(r->strict.texts[i]), &h->warnings[i]);
        header_add(h, "Warning", buf_slice(&h->warnings[i]));
    }
}

static void headers_release(struct headers *h)
{
    for (size_t i = 0; i < WARNINGS_MAX; i++)
        buf_release(&h->warnings[i]);
    buf_release(&h->deprecated);
}

/* "q=0", "q=0.000": not wanted. */
static bool weighs_nothing(struct slice weight)
{
    bool zero = slice_has_prefix(weight, SLICE("q="));
    for (size_t i = 2; zero && i < weight.size; i++)
        zero = weight.data[i] == '0' || weight.data[i] == '.';
    return zero;
}

/* Does the client name gzip among what it takes (RFC 9110, section 12.5.3)? */
static bool takes_gzip(const struct api_request *r)
{
    struct slice rest = http_header_get(r->x->request.headers, r->x->request.header_count, "Accept-Encoding");
    while (rest.size > 0) {
        struct slice weight = slice_cut(&rest, ',');
        struct slice coding = slice_trim(slice_cut(&weight, ';'));
        if (slice_is(coding, "gzip"))
            return !weighs_nothing(slice_trim(weight));
    }
    return false;
}

static void answer(struct api_request *r, int status, const char *content_type, struct slice body, struct bytes *shared)
{
    struct headers h = {.count = 0};
    if (r->x == NULL)
        return;
    observe(r, status);
    struct buf small = {0};
    h.gzip = body.size >= GZIP_BYTES_MIN && takes_gzip(r);
    if (h.gzip) {
        struct gzip *g = gzip_new();
        gzip_write(g, body, true, &small);
        gzip_free(g);
        body = buf_slice(&small);
        shared = NULL;
    }
    headers_make(r, content_type, &h);
    if (r->failure.retry_after_seconds > 0) {
        (void)snprintf(h.retry, sizeof h.retry, "%d", r->failure.retry_after_seconds); /* fits */
        header_add(&h, "Retry-After", slice_str(h.retry));
    }
    struct http_exchange *x = r->x;
    r->x = NULL;
    http_respond(x, status, h.list, h.count, body, shared);
    headers_release(&h);
    buf_release(&small);
    settle(r);
}

void request_answer(struct api_request *r, int status, const char *content_type, struct slice body)
{
    answer(r, status, content_type, body, NULL);
}

/* If-None-Match: a list of tags, or "*"; weak ones count as well (RFC 9110, section 13.1.2). */
static bool has_etag(const struct api_request *r)
{
    struct slice rest = http_header_get(r->x->request.headers, r->x->request.header_count, "If-None-Match");
    while (rest.data != NULL) {
        struct slice tag = slice_cut(&rest, ',');
        while (tag.size > 0 && tag.data[0] == ' ')
            tag = slice_from(tag, 1);
        if (slice_has_prefix(tag, SLICE("W/")))
            tag = slice_from(tag, 2);
        if (slice_is(tag, "*") || slice_is(tag, r->cache.etag))
            return true;
    }
    return false;
}

void request_answer_tagged(struct api_request *r, const char *content_type, struct slice body, uint64_t hash)
{
    (void)snprintf(r->cache.etag, sizeof r->cache.etag, "\"%016" PRIX64 "\"", hash); /* fits */
    if (has_etag(r))
        request_answer(r, 304, content_type, SLICE(""));
    else
        request_answer(r, 200, content_type, body);
}

void request_answer_bytes(struct api_request *r, int status, struct bytes *json)
{
    answer(r, status, "application/json", bytes_slice(json), json);
}

void request_fail(struct api_request *r)
{
    struct buf body = {0};
    limit_hit(&r->api->count.limits, r->failure.limit);
    status_failure(&r->failure, &body);
    request_answer(r, err_http(r->failure.code), "application/json", buf_slice(&body));
    buf_release(&body);
}

int request_fail_with(struct api_request *r, int code, const char *format, ...)
{
    char text[1024];
    va_list args;
    va_start(args, format);
    (void)vsnprintf(text, sizeof text, format, args); /* cut when longer */
    va_end(args);
    failure_set(&r->failure, code, "%s", text);
    request_fail(r);
    return code;
}

/* A write whose outcome is unknown must not carry Retry-After: the client would repeat it. */
void request_fail_store(struct api_request *r, int status, const struct err *why)
{
    switch (status) {
    case ERR_COMPACTED: status = ERR_EXPIRED; break;
    case ERR_CANCELED: status = ERR_UNAVAILABLE; break;
    default: break;
    }
    failure_set(&r->failure, status, "the store did not carry it out: %s",
                why == NULL ? err_text(status) : why->message);
    request_fail(r);
}

void request_fail_wait(struct api_request *r, int status)
{
    if (status == ERR_TIMEOUT)
        failure_limit(&r->failure, LIMIT_FRESH_WAIT);
    request_fail_with(r, ERR_UNAVAILABLE, "the store does not answer: %s", err_text(status));
}

void request_fail_too_new(struct api_request *r, int64_t wanted, int64_t have)
{
    failure_limit(&r->failure, LIMIT_FRESH_WAIT);
    r->failure.cause_reason = "ResourceVersionTooLarge";
    r->failure.cause_message = "Too large resource version";
    r->failure.retry_after_seconds = 1;
    request_fail_with(r, ERR_TIMEOUT, "Timeout: Too large resource version: %" PRId64 ", current: %" PRId64, wanted,
                      have);
}

void request_answer_object(struct api_request *r, int status, const struct kind *k, struct slice stored,
                           int64_t revision)
{
    struct buf own = {0}, json = {0}, out = {0};
    struct err why;
    int code = k->stored_as == NULL ? 0 : convert_bytes(k, stored, &own, &why);
    if (k->stored_as != NULL)
        stored = buf_slice(&own);
    if (revision == 0)
        buf_append_slice(&json, stored); /* a dry run's new object has none */
    if (code == 0 && revision != 0)
        code = splice_revision(stored, revision, &json, &why);
    if (code != 0) {
        failure_from(&r->failure, &why);
        request_fail(r);
    } else {
        format_object(k, r->accept.format, buf_slice(&json), clock_wall_ms(&r->api->env->clock), true, &out);
        buf_append_char(&out, '\n');
        request_answer(r, status, "application/json", buf_slice(&out));
    }
    buf_release(&own);
    buf_release(&json);
    buf_release(&out);
}

void request_begin_stream(struct api_request *r, const char *content_type)
{
    struct headers h = {.count = 0, .gzip = r->gzip != NULL};
    observe(r, 200);
    headers_make(r, content_type, &h);
    r->streaming = true;
    http_begin(r->x, 200, h.list, h.count);
    headers_release(&h);
}

void request_begin_relay(struct api_request *r, int status, const struct http_header *headers, size_t n)
{
    observe(r, status);
    r->streaming = true;
    http_begin(r->x, status, headers, n);
}

void request_begin_long(struct api_request *r, const char *content_type)
{
    if (takes_gzip(r))
        r->gzip = gzip_new();
    request_begin_stream(r, content_type);
}

void request_write(struct api_request *r, struct slice piece, bool last)
{
    struct buf small = {0};
    if (r->gzip != NULL) {
        gzip_write(r->gzip, piece, last, &small);
        piece = buf_slice(&small);
    }
    if (piece.size > 0) {
        struct bytes *chunk = bytes_new(piece);
        http_write(r->x, chunk);
        bytes_unref(chunk);
    }
    buf_release(&small);
}

void request_end_stream(struct api_request *r, bool clean)
{
    struct http_exchange *x = r->x;
    if (x == NULL)
        return;
    r->x = NULL;
    http_end(x, clean);
    settle(r);
}

int request_upgrade(struct api_request *r, const struct http_header *headers, size_t n, struct http_tunnel *t)
{
    int rv = http_upgrade(r->x, headers, n, t);
    if (rv < 0)
        return rv;
    observe(r, 101);
    r->x = NULL;
    settle(r);
    return 0;
}

int request_upgrade_to(struct api_request *r, const struct http_header *headers, size_t n, struct http_tunnel *t,
                       struct http_exchange *next)
{
    struct http_exchange *x = r->x;
    next->data = r;
    next->gone = x->gone;
    next->drained = x->drained;
    int rv = http_upgrade(x, headers, n, t);
    if (rv < 0)
        return rv;
    observe(r, 101);
    r->streaming = true;
    r->x = next;
    return 0;
}

bool request_query(const struct api_request *r, const char *name, struct buf *out)
{
    struct buf scratch = {0};
    struct slice value;
    bool found = http_query_get(r->x->request.query, name, &scratch, &value);
    buf_reset(out);
    buf_append(out, "", 0);
    if (found)
        buf_append_slice(out, value);
    buf_release(&scratch);
    return found;
}

int request_query_int(struct api_request *r, const char *name, int64_t fallback, int64_t *ret)
{
    struct buf text = {0};
    char *end = NULL;
    int code = 0;
    *ret = fallback;
    if (request_query(r, name, &text) && text.size > 0) {
        long long v = strtoll(text.data, &end, 10);
        if (*end != '\0' || text.size > 18)
            code = failure_set(&r->failure, ERR_BAD_REQUEST, "strconv.ParseInt: parsing \"%.100s\": invalid syntax",
                               text.data);
        else
            *ret = v;
    }
    buf_release(&text);
    return code;
}

int request_query_revision(struct api_request *r, bool watch, int64_t *ret)
{
    struct buf text = {0};
    char *end = NULL;
    int code = 0;
    *ret = 0;
    if (request_query(r, "resourceVersion", &text) && text.size > 0) {
        long long v = strtoll(text.data, &end, 10);
        struct json *bad = json_new_string(r->doc, buf_slice(&text));
        if (*end == '\0' && text.size <= 18 && text.data[0] >= '0' && text.data[0] <= '9') {
            *ret = v;
        } else if (watch) {
            check_fail_at(&r->failure.check, "resourceVersion", CHECK_INVALID, bad,
                          "strconv.ParseUint: parsing \"%.100s\": invalid syntax", text.data);
            code = failure_invalid_resource(&r->failure, r->route.kind, (struct slice){NULL, 0});
        } else {
            code =
                failure_set(&r->failure, ERR_BAD_REQUEST,
                            "invalid resource version: resourceVersion: Invalid value: \"%.100s\": strconv.ParseUint: "
                            "parsing \"%.100s\": invalid syntax",
                            text.data, text.data);
        }
    }
    buf_release(&text);
    return code;
}

static void op_over(struct deferred *d)
{
    struct store_op *op = container_of(d, struct store_op, over);
    struct apiserver *a = op->api;
    a->ops_open--;
    mem_free(op);
    if (a->closing)
        loop_defer(&a->env->loop, &a->finish);
}

static void op_done(struct store_call *call, int status, const struct err *why)
{
    struct store_op *op = container_of(call, struct store_op, call);
    struct apiserver *a = op->api;
    struct api_request *r = op->request;
    uint64_t now = clock_monotonic_ms(&a->env->clock);
    list_remove(&op->link);
    loop_defer(&a->env->loop, &op->over);
    metric_observe_ms(a->count.store_seconds, now - op->began_ms);
    if (status == 0)
        a->store_seen_ms = now;
    r->ops--;
    if (r->x != NULL)
        op->done(r, call, status, why);
    else
        settle(r);
}

struct store_op *request_op(struct api_request *r,
                            void (*done)(struct api_request *, struct store_call *, int, const struct err *))
{
    struct store_op *op = NEW(struct store_op);
    op->api = r->api;
    op->request = r;
    op->done = done;
    op->call.done = op_done;
    op->began_ms = clock_monotonic_ms(&r->api->env->clock);
    deferred_init(&op->over, op_over);
    list_push_back(&r->api->ops, &op->link);
    r->api->ops_open++;
    r->ops++;
    return op;
}

static void wait_done(struct cache_wait *w, int status)
{
    struct api_request *r = w->data;
    if (r->x != NULL)
        r->after_wait(r, status);
}

void request_wait(struct api_request *r, struct watch_cache *c, int64_t revision, uint64_t timeout_ms,
                  void (*after)(struct api_request *, int))
{
    r->after_wait = after;
    r->wait.done = wait_done;
    r->wait.data = r;
    watch_cache_wait(c, &r->wait, revision, timeout_ms);
}

void request_wait_fresh(struct api_request *r, struct watch_cache *c, void (*after)(struct api_request *, int))
{
    r->after_wait = after;
    r->wait.done = wait_done;
    r->wait.data = r;
    watch_cache_wait_fresh(c, &r->wait);
}

void store_key(const struct kind *k, struct slice namespace, struct slice name, struct buf *out)
{
    buf_reset(out);
    buf_printf(out, "/registry/%s/", k->storage_prefix);
    if (k->namespaced)
        buf_printf(out, "%.*s/", SLICE_ARGS(namespace));
    buf_append_slice(out, name);
}

void request_key(const struct api_request *r, struct slice name, struct buf *out)
{
    store_key(r->route.kind, r->route.namespace, name, out);
}

static int selector_too_long(struct api_request *r, const char *name, struct err *reterr)
{
    failure_limit(&r->failure, LIMIT_SELECTOR_BYTES);
    return err_set(reterr, ERR_BAD_REQUEST, "%s is longer than %d bytes", name, SELECTOR_BYTES_MAX);
}

int request_selection(struct api_request *r, struct selection *ret)
{
    struct selection s = {0};
    struct buf text = {0};
    struct err why;
    int code = 0;
    if (r->route.kind->namespaced)
        s.namespace = r->route.namespace;
    if (request_query(r, "labelSelector", &text) && text.size > SELECTOR_BYTES_MAX)
        code = selector_too_long(r, "labelSelector", &why);
    else
        code = selector_parse_labels(buf_slice(&text), &s.labels, &why);
    if (code == 0 && request_query(r, "fieldSelector", &text)) {
        code = text.size > SELECTOR_BYTES_MAX ? selector_too_long(r, "fieldSelector", &why)
                                              : selector_parse_fields(buf_slice(&text), &s.fields, &why);
    }
    if (code == 0)
        code = selection_check(&s, r->route.kind, &why);
    buf_release(&text);
    if (code != 0) {
        selection_release(&s);
        return failure_from(&r->failure, &why);
    }
    *ret = s;
    return 0;
}

void selection_release(struct selection *s)
{
    selector_release(&s->labels);
    selector_release(&s->fields);
}

static void on_gone(struct http_exchange *x)
{
    struct api_request *r = x->data;
    r->x = NULL;
    settle(r);
}

static void not_found_path(struct api_request *r)
{
    request_answer(r, 404, "text/plain; charset=utf-8", SLICE("404 page not found\n"));
}

static bool verb_allowed(const struct route *r)
{
    if (r->sub != NULL && r->sub->connects == CONNECTS_PROXY && strcmp(r->verb, "options") == 0)
        return true;
    if (r->subresource.size > 0)
        return r->sub != NULL && kinds_has_verb(r->sub->verbs, r->verb);
    return kinds_has_verb(r->kind->verbs, r->verb);
}

/* POST to a name and the like: the path exists, the verb does not. */
static bool shape_fits(const struct route *r)
{
    bool named = r->name.size > 0;
    if (strcmp(r->verb, "create") == 0)
        return named == (r->subresource.size > 0);
    if (strcmp(r->verb, "update") == 0 || strcmp(r->verb, "patch") == 0)
        return named;
    return true;
}

static void resource_request(struct api_request *r)
{
    struct route *route = &r->route;
    bool known =
        route->kind != NULL && *route->kind->plural != '\0' && (route->subresource.size == 0 || route->sub != NULL) &&
        (route->namespace.size == 0 || route->kind->namespaced || strcmp(route->kind->plural, "namespaces") == 0) &&
        (route->name.size == 0 || route->namespace.size > 0 || !route->kind->namespaced);
    if (!known && !kinds_serve(route->group, route->version)) {
        not_found_path(r);
        return;
    }
    if (!known) {
        failure_generic(&r->failure, ERR_NOT_FOUND);
        request_fail(r);
        return;
    }
    if (!verb_allowed(route) || !shape_fits(route) ||
        (route->kind->namespaced && route->namespace.size == 0 && strcmp(route->verb, "list") != 0 &&
         strcmp(route->verb, "watch") != 0)) {
        failure_generic(&r->failure, ERR_METHOD);
        request_fail(r);
        return;
    }
    bool reads =
        strcmp(route->verb, "get") == 0 || strcmp(route->verb, "list") == 0 || strcmp(route->verb, "watch") == 0;
    if (route->sub != NULL && strcmp(route->sub->name, "log") == 0)
        log_begin(r);
    else if (route->sub != NULL && route->sub->connects == CONNECTS_PROXY)
        proxy_begin(r);
    else if (route->sub != NULL && route->sub->connects == CONNECTS_NODE)
        connect_begin(r);
    else if (route->sub != NULL && strcmp(route->sub->name, "token") == 0)
        token_begin(r);
    else if (route->kind == &kind_componentstatus)
        components_begin(r);
    else if (!reads && (route->kind->never_stored && route->kind != &kind_binding))
        review_begin(r);
    else if (!reads)
        write_begin(r);
    else if (strcmp(route->verb, "get") == 0)
        read_get(r);
    else if (strcmp(route->verb, "list") == 0)
        read_list(r);
    else
        watch_begin(r);
}

static int negotiate(struct api_request *r)
{
    const struct http_request *q = &r->x->request;
    struct buf include = {0};
    (void)request_query(r, "includeObject", &include); /* absent is empty */
    /* Logs are text whatever the client would like, and a connection is no document. */
    bool any = r->route.sub != NULL && (r->route.sub->connects || strcmp(r->route.sub->name, "log") == 0);
    int code = any || !r->route.is_resource ? 0
                                            : accept_parse(http_header_get(q->headers, q->header_count, "Accept"),
                                                           buf_slice(&include), &r->accept, &r->failure);
    buf_release(&include);
    return code;
}

/* Nothing was done yet, so the client may ask the same again. */
static void fail_crowded(struct api_request *r)
{
    failure_limit(&r->failure, LIMIT_REQUESTS);
    r->failure.retry_after_seconds = 1;
    request_fail_with(r, ERR_BUSY, "Too many requests, please try again later.");
}

void api_handle(struct apiserver *a, struct http_exchange *x)
{
    struct api_request *r = NEW(struct api_request);
    r->api = a;
    r->x = x;
    r->doc = json_doc_new_in(&a->blocks);
    r->began_ms = clock_monotonic_ms(&a->env->clock);
    deferred_init(&r->over, request_release);
    list_push_back(&a->requests, &r->link);
    a->request_count++;
    x->data = r;
    x->gone = on_gone;
    route_parse(&x->request, &r->route);
    if (a->closing)
        request_fail_with(r, ERR_UNAVAILABLE, "the apiserver is shutting down");
    else if (a->request_count > a->requests_max)
        fail_crowded(r);
    else if (authn_request(r) != 0 || authorize(a->rbac, &r->user, &r->route, x->request.path, &r->failure) != 0 ||
             negotiate(r) != 0)
        request_fail(r);
    else if (r->route.is_resource)
        resource_request(r);
    else if (!discovery_answer(r))
        not_found_path(r);
}
