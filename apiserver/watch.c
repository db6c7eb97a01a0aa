/*   waiting ──cache is new enough──▶ initial ──all current objects written──▶ live ──timeout, too old, client left──▶
 * over
 *
 * A watcher is a cursor over the cache's ring. It writes while the client takes what was written (STREAM_WINDOW_BYTES),
 * and goes on when the exchange has drained; one that falls off the ring gets 410 and ends. */
#include "common/base.h"

#include "apiserver/watch_socket.h"
#include "common/base64.h"
#include "common/mem.h"

#include <inttypes.h>
#include <stdlib.h>

struct watch_stream {
    struct api_request *request;
    struct cache_watcher watcher;
    struct selection selection;
    struct buf namespace;            /* of the selection, once the request's head is gone */
    bool live, bookmarks, described; /* described: a Table's columns were sent */
    bool from_now;                   /* begins at the newest revision, or at the one of the initial events */
    bool initial_events;             /* begins with what is there */
    bool tells_end;                  /* and tells, with a bookmark, when that was all (KEP-3157) */
    int64_t revision;                /* asked for, then the initial snapshot's */
    int64_t last_sent;               /* highest revision the client knows of */
    struct cached **initial;
    size_t initial_count, initial_next;
    struct timer timeout, bookmark;
    uint64_t timeout_ms;
};

void watch_free(struct watch_stream *w)
{
    if (w == NULL)
        return;
    struct loop *loop = &w->request->api->env->loop;
    loop_timer_stop(loop, &w->timeout);
    loop_timer_stop(loop, &w->bookmark);
    watch_cache_leave(&w->watcher);
    for (size_t i = w->initial_next; i < w->initial_count; i++)
        cached_unref(w->initial[i]);
    mem_free(w->initial);
    selection_release(&w->selection);
    buf_release(&w->namespace);
    metric_add(w->request->api->count.watches, -1);
    mem_free(w);
}

static const char *const type_names[] = {
    [EVENT_ADDED] = "ADDED", [EVENT_MODIFIED] = "MODIFIED", [EVENT_DELETED] = "DELETED"};

void watch_frames_make(struct apiserver *a)
{
    struct buf out = {0};
    for (size_t t = 0; t < EVENT_TYPES; t++) {
        buf_reset(&out);
        buf_printf(&out, "{\"type\":\"%s\",\"object\":", type_names[t]);
        a->event_heads[t] = bytes_new(buf_slice(&out));
    }
    a->event_end = bytes_new(SLICE("}\n"));
    buf_release(&out);
}

void watch_frames_free(struct apiserver *a)
{
    for (size_t t = 0; t < EVENT_TYPES; t++)
        bytes_unref(a->event_heads[t]);
    bytes_unref(a->event_end);
}

static struct bytes *frame_new(struct watch_stream *w, enum event_type type, struct slice json, bool columns)
{
    struct api_request *r = w->request;
    struct buf out = {0};
    buf_printf(&out, "{\"type\":\"%s\",\"object\":", type_names[type]);
    format_object(r->route.kind, r->accept.format, json, clock_wall_ms(&r->api->env->clock), columns, &out);
    buf_append_str(&out, "}\n");
    struct bytes *frame = bytes_new(buf_slice(&out));
    buf_release(&out);
    return frame;
}

static void send(struct watch_stream *w, struct bytes *frame)
{
    http_write(w->request->x, frame);
    metric_add(w->request->api->count.watch_events, 1);
}

/* An object's own bytes between two that all watches share. */
static void send_shared(struct watch_stream *w, enum event_type type, struct bytes *json)
{
    struct apiserver *a = w->request->api;
    struct bytes *const parts[] = {a->event_heads[type], json, a->event_end};
    http_write_all(w->request->x, parts, ARRAY_LEN(parts));
    metric_add(a->count.watch_events, 1);
}

/* What leaves a selection by a change is told of as it was when it still belonged there, under the change's revision.
 */
static struct bytes *event_frame(struct watch_stream *w, const struct cache_event *e, enum event_type type,
                                 bool columns)
{
    if (type != EVENT_DELETED || e->is_delete)
        return frame_new(w, type, bytes_slice(e->object->json), columns);
    struct buf last = {0};
    restamp_revision(bytes_slice(e->previous->json), e->revision, &last);
    struct bytes *frame = frame_new(w, type, buf_slice(&last), columns);
    buf_release(&last);
    return frame;
}

/* JSON goes out as the cache holds it. Other forms are framed once per type and format for all watchers; a Table's
 * first event carries the columns and is one's own. */
static void send_event(struct watch_stream *w, struct cache_event *e, enum event_type type)
{
    enum event_format format = w->request->accept.format;
    if (w->request->accept.table && !w->described) {
        struct bytes *frame = event_frame(w, e, type, true);
        send(w, frame);
        bytes_unref(frame);
        w->described = true;
        return;
    }
    if (format == EVENT_JSON && (type != EVENT_DELETED || e->is_delete)) {
        send_shared(w, type, e->object->json);
        return;
    }
    if (e->frames[type][format] == NULL)
        e->frames[type][format] = event_frame(w, e, type, false);
    send(w, e->frames[type][format]);
}

static void send_error(struct watch_stream *w, int code, const char *text)
{
    struct failure f = {0};
    struct buf out = {0};
    failure_set(&f, code, "%s", text);
    buf_append_str(&out, "{\"type\":\"ERROR\",\"object\":");
    status_failure(&f, &out);
    out.size--; /* its newline */
    buf_append_str(&out, "}\n");
    struct bytes *frame = bytes_new(buf_slice(&out));
    http_write(w->request->x, frame);
    bytes_unref(frame);
    buf_release(&out);
    failure_release(&f);
}

static void finish(struct watch_stream *w)
{
    struct loop *loop = &w->request->api->env->loop;
    loop_timer_stop(loop, &w->timeout);
    loop_timer_stop(loop, &w->bookmark);
    watch_cache_leave(&w->watcher);
    request_end_stream(w->request, true);
}

/* An empty list of what is watched, for clients that build lists from watches without knowing the kind. */
static void append_blueprint(struct watch_stream *w, struct buf *out)
{
    const struct kind *k = w->request->route.kind;
    char version[128];
    struct buf list = {0};
    if (w->request->accept.format == EVENT_PARTIAL)
        buf_append_str(&list, "{\"kind\":\"PartialObjectMetadataList\",\"apiVersion\":\"meta.k8s.io/v1\"");
    else
        buf_printf(&list, "{\"kind\":\"%sList\",\"apiVersion\":\"%s\"", k->name, kinds_api_version(k, version));
    buf_append_str(&list, ",\"metadata\":{},\"items\":[]}");
    buf_append_str(out, ",\"annotations\":{\"k8s.io/initial-events-end\":\"true\","
                        "\"kubernetes.io/initial-events-list-blueprint\":\"");
    base64_append(out, buf_slice(&list));
    buf_append_str(out, "\"}");
    buf_release(&list);
}

static void send_bookmark(struct watch_stream *w, int64_t revision, bool ends_initial)
{
    struct buf out = {0};
    char version[128];
    const struct kind *k = w->request->route.kind;
    bool partial = w->request->accept.format == EVENT_PARTIAL;
    buf_printf(&out,
               "{\"type\":\"BOOKMARK\",\"object\":{\"kind\":\"%s\",\"apiVersion\":\"%s\",\"metadata\":{"
               "\"resourceVersion\":\"%" PRId64 "\"",
               partial ? "PartialObjectMetadata" : k->name, partial ? "meta.k8s.io/v1" : kinds_api_version(k, version),
               revision);
    if (ends_initial)
        append_blueprint(w, &out);
    buf_append_str(&out, "}}}\n");
    struct bytes *frame = bytes_new(buf_slice(&out));
    http_write(w->request->x, frame);
    bytes_unref(frame);
    buf_release(&out);
}

static void send_progress(struct watch_stream *w)
{
    send_bookmark(w, MAX(watch_cache_revision(request_cache(w->request)), w->last_sent), false);
}

static bool caught_up(struct watch_stream *w)
{
    bool lost;
    struct cache_watcher look = w->watcher;
    return w->live && watch_cache_next(request_cache(w->request), &look, &lost) == NULL && !lost;
}

static void cut(struct watch_stream *w, const char *text)
{
    metric_add(w->request->api->count.watch_cuts, 1);
    limit_hit(&w->request->api->count.limits, LIMIT_WATCH_RING);
    send_error(w, ERR_EXPIRED, text);
    finish(w);
}

static void pump_live(struct watch_stream *w)
{
    struct watch_cache *c = request_cache(w->request);
    while (w->request->x != NULL && w->request->x->pending_bytes < STREAM_WINDOW_BYTES) {
        bool lost;
        enum event_type type;
        struct cache_event *e = watch_cache_next(c, &w->watcher, &lost);
        if (lost) {
            cut(w, "too old resource version: this watch fell behind; list again");
            return;
        }
        if (e == NULL)
            return;
        if (event_type_for(e, &w->selection, w->request->route.kind, &type))
            send_event(w, e, type);
        w->last_sent = e->revision;
    }
}

static void go_live(struct watch_stream *w)
{
    struct err why;
    if (watch_cache_join(request_cache(w->request), &w->watcher, w->revision, &why) != 0) {
        cut(w, why.message);
        return;
    }
    w->live = true;
    w->last_sent = w->revision;
    if (w->tells_end)
        send_bookmark(w, w->revision, true);
    pump_live(w);
}

static void send_initial(struct watch_stream *w, const struct cached *o)
{
    if (w->request->accept.format == EVENT_JSON) {
        send_shared(w, EVENT_ADDED, o->json);
        return;
    }
    struct bytes *frame = frame_new(w, EVENT_ADDED, bytes_slice(o->json), w->request->accept.table && !w->described);
    w->described = true;
    send(w, frame);
    bytes_unref(frame);
}

static void pump(struct watch_stream *w)
{
    while (w->request->x != NULL && w->initial_next < w->initial_count &&
           w->request->x->pending_bytes < STREAM_WINDOW_BYTES) {
        struct cached *o = w->initial[w->initial_next++];
        send_initial(w, o);
        cached_unref(o);
    }
    if (w->request->x == NULL || w->initial_next < w->initial_count)
        return;
    if (w->live)
        pump_live(w);
    else
        go_live(w);
}

static void wake(struct cache_watcher *watcher)
{
    struct watch_stream *w = container_of(watcher, struct watch_stream, watcher);
    if (w->request->x != NULL)
        pump_live(w);
}

static void lost(struct cache_watcher *watcher, int64_t oldest)
{
    struct watch_stream *w = container_of(watcher, struct watch_stream, watcher);
    (void)oldest;
    if (w->request->x != NULL)
        cut(w, "too old resource version: the server's history was rebuilt; list again");
}

static void drained(struct http_exchange *x)
{
    struct api_request *r = x->data;
    if (r->watch != NULL)
        pump(r->watch);
}

static void on_timeout(struct timer *t)
{
    struct watch_stream *w = container_of(t, struct watch_stream, timeout);
    if (w->request->x == NULL)
        return;
    if (w->bookmarks && caught_up(w))
        send_progress(w);
    finish(w);
}

static void on_bookmark(struct timer *t)
{
    struct watch_stream *w = container_of(t, struct watch_stream, bookmark);
    if (w->request->x == NULL)
        return;
    if (caught_up(w))
        send_progress(w);
    loop_timer_start(&w->request->api->env->loop, &w->bookmark, w->request->api->bookmark_ms);
}

static bool begin_stream(struct watch_stream *w)
{
    struct api_request *r = w->request;
    if (!watch_socket_wanted(r)) {
        request_begin_stream(r, "application/json");
        return true;
    }
    buf_append_slice(&w->namespace, w->selection.namespace);
    w->selection.namespace = buf_slice(&w->namespace);
    return watch_socket_begin(r);
}

static void begin(struct api_request *r, int status)
{
    struct watch_stream *w = r->watch;
    struct watch_cache *c = request_cache(r);
    struct loop *loop = &r->api->env->loop;
    if (status == ERR_TIMEOUT && watch_cache_synced(c) && w->revision > watch_cache_revision(c)) {
        request_fail_too_new(r, w->revision, watch_cache_revision(c));
        return;
    }
    if (status != 0) {
        request_fail_wait(r, status);
        return;
    }
    if (w->from_now)
        w->revision = watch_cache_revision(c);
    if (w->initial_events)
        w->initial_count = watch_cache_list(c, &w->selection, &w->initial);
    if (!begin_stream(w) || r->x == NULL)
        return;
    loop_timer_start(loop, &w->timeout, w->timeout_ms);
    if (w->bookmarks)
        loop_timer_start(loop, &w->bookmark, r->api->bookmark_ms);
    pump(w);
}

static bool query_true(const struct api_request *r, const char *name)
{
    struct buf text = {0};
    bool is = request_query(r, name, &text) && (strcmp(text.data, "true") == 0 || strcmp(text.data, "1") == 0);
    buf_release(&text);
    return is;
}

/* sendInitialEvents and resourceVersionMatch, which go together only. */
static int initial_parameters(struct api_request *r, struct watch_stream *w, bool *ret_given, bool *ret_sends)
{
    struct buf text = {0};
    *ret_given = request_query(r, "sendInitialEvents", &text) && text.size > 0;
    *ret_sends = *ret_given && (strcmp(text.data, "true") == 0 || strcmp(text.data, "1") == 0);
    bool has_match = request_query(r, "resourceVersionMatch", &text) && text.size > 0;
    bool not_older = has_match && strcmp(text.data, "NotOlderThan") == 0;
    buf_release(&text);
    if (*ret_given && !not_older)
        return list_options_invalid(r, "resourceVersionMatch",
                                    "sendInitialEvents requires setting resourceVersionMatch to NotOlderThan");
    if (!*ret_given && has_match)
        return list_options_invalid(r, "resourceVersionMatch",
                                    "resourceVersionMatch is forbidden for watch unless sendInitialEvents is provided");
    w->tells_end = *ret_sends && query_true(r, "allowWatchBookmarks");
    return 0;
}

static int parameters(struct api_request *r, struct watch_stream *w)
{
    int64_t seconds = 0;
    bool given, sends;
    int code = initial_parameters(r, w, &given, &sends);
    if (code == 0)
        code = request_selection(r, &w->selection);
    if (code == 0)
        code = request_query_revision(r, true, &w->revision);
    if (code == 0)
        code = request_query_int(r, "timeoutSeconds", 0, &seconds);
    w->from_now = w->revision == 0 || sends;
    w->initial_events = given ? sends : w->revision == 0;
    w->bookmarks = query_true(r, "allowWatchBookmarks");
    w->timeout_ms = seconds > 0 ? (uint64_t)MIN(seconds, (int64_t)86400) * 1000
                                : WATCH_TIMEOUT_MIN_MS + random_below(&r->api->env->random, WATCH_TIMEOUT_SPREAD_MS);
    return code;
}

/* /api/v1/pods/x?watch=1 and /api/v1/watch/…/x: one object is a field selector. */
static int select_name(struct api_request *r, struct watch_stream *w)
{
    struct buf text = {0};
    struct selector one = {0};
    if (r->route.name.size == 0)
        return 0;
    selector_release(&w->selection.fields);
    buf_printf(&text, "metadata.name=%.*s", SLICE_ARGS(r->route.name));
    struct err why;
    int code = selector_parse_fields(buf_slice(&text), &one, &why);
    buf_release(&text);
    w->selection.fields = one;
    return code == 0 ? 0 : failure_from(&r->failure, &why);
}

void watch_begin(struct api_request *r)
{
    struct watch_stream *w = NEW(struct watch_stream);
    struct watch_cache *c = request_cache(r);
    struct buf text = {0};
    w->request = r;
    w->watcher.wake = wake;
    w->watcher.lost = lost;
    list_init(&w->watcher.link);
    timer_init(&w->timeout, on_timeout);
    timer_init(&w->bookmark, on_bookmark);
    r->watch = w;
    r->x->drained = drained;
    metric_add(r->api->count.watches, 1);
    bool any = request_query(r, "resourceVersion", &text) && strcmp(text.data, "0") == 0;
    buf_release(&text);
    if (parameters(r, w) != 0 || select_name(r, w) != 0)
        request_fail(r);
    else if (w->from_now && w->revision == 0 && !any)
        request_wait_fresh(r, c, begin);
    else if (w->from_now && w->revision > 0)
        request_wait(r, c, w->revision, FUTURE_WAIT_MS, begin);
    else
        request_wait(r, c, 0, FRESH_WAIT_MS, begin);
}
