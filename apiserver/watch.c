/*   waiting ──cache is new enough──▶ initial ──all current objects written──▶ live ──timeout, too old, client left──▶
 * over
 *
 * A watcher is a cursor over the cache's ring. It writes while the client takes what was written (STREAM_WINDOW_BYTES),
 * and goes on when the exchange has drained; one that falls off the ring gets 410 and ends. */
#include "common/base.h"

#include "apiserver/request.h"
#include "common/mem.h"

#include <inttypes.h>
#include <stdlib.h>

struct watch_stream {
    struct api_request *request;
    struct cache_watcher watcher;
    struct selection selection;
    bool live, from_now, bookmarks, described; /* described: a Table's columns were sent */
    int64_t revision;                          /* asked for, then the initial snapshot's */
    int64_t last_sent;                         /* highest revision the client knows of */
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
    metric_add(w->request->api->count.watches, -1);
    mem_free(w);
}

static const char *const type_names[] = {
    [EVENT_ADDED] = "ADDED", [EVENT_MODIFIED] = "MODIFIED", [EVENT_DELETED] = "DELETED"};

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

/* Framed once per type and format for all watchers; a Table's first event carries the columns and is one's own. */
static void send_event(struct watch_stream *w, struct cache_event *e, enum event_type type)
{
    enum event_format format = w->request->accept.format;
    struct slice json = bytes_slice(e->object->json);
    if (w->request->accept.table && !w->described) {
        struct bytes *frame = frame_new(w, type, json, true);
        send(w, frame);
        bytes_unref(frame);
        w->described = true;
        return;
    }
    if (e->frames[type][format] == NULL)
        e->frames[type][format] = frame_new(w, type, json, false);
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

static void send_bookmark(struct watch_stream *w)
{
    struct buf out = {0};
    char version[128];
    int64_t revision = watch_cache_revision(request_cache(w->request));
    const struct kind *k = w->request->route.kind;
    buf_printf(&out,
               "{\"type\":\"BOOKMARK\",\"object\":{\"kind\":\"%s\",\"apiVersion\":\"%s\",\"metadata\":{"
               "\"resourceVersion\":\"%" PRId64 "\"}}}\n",
               k->name, kinds_api_version(k, version), MAX(revision, w->last_sent));
    struct bytes *frame = bytes_new(buf_slice(&out));
    http_write(w->request->x, frame);
    bytes_unref(frame);
    buf_release(&out);
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
    pump_live(w);
}

static void pump(struct watch_stream *w)
{
    while (w->request->x != NULL && w->initial_next < w->initial_count &&
           w->request->x->pending_bytes < STREAM_WINDOW_BYTES) {
        struct cached *o = w->initial[w->initial_next++];
        struct bytes *frame =
            frame_new(w, EVENT_ADDED, bytes_slice(o->json), w->request->accept.table && !w->described);
        w->described = true;
        send(w, frame);
        bytes_unref(frame);
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
        send_bookmark(w);
    finish(w);
}

static void on_bookmark(struct timer *t)
{
    struct watch_stream *w = container_of(t, struct watch_stream, bookmark);
    if (w->request->x == NULL)
        return;
    if (caught_up(w))
        send_bookmark(w);
    loop_timer_start(&w->request->api->env->loop, &w->bookmark, w->request->api->bookmark_ms);
}

static void begin(struct api_request *r, int status)
{
    struct watch_stream *w = r->watch;
    struct watch_cache *c = request_cache(r);
    struct loop *loop = &r->api->env->loop;
    if (status != 0) {
        request_fail_with(r, ERR_UNAVAILABLE, "the store does not answer: %s", err_text(status));
        return;
    }
    if (w->from_now) {
        w->revision = watch_cache_revision(c);
        w->initial_count = watch_cache_list(c, &w->selection, &w->initial);
    }
    request_begin_stream(r, "application/json");
    if (r->x == NULL)
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

static int parameters(struct api_request *r, struct watch_stream *w)
{
    struct buf text = {0};
    int64_t seconds = 0;
    bool has_initial = request_query(r, "sendInitialEvents", &text) && text.size > 0;
    bool has_match = request_query(r, "resourceVersionMatch", &text) && text.size > 0;
    bool not_older = has_match && strcmp(text.data, "NotOlderThan") == 0;
    buf_release(&text);
    if (has_initial && !not_older)
        return list_options_invalid(r, "resourceVersionMatch",
                                    "sendInitialEvents requires setting resourceVersionMatch to NotOlderThan");
    /* Streaming lists are not served: clients fall back to list and watch when they are told so. */
    if (has_initial)
        return list_options_invalid(r, "sendInitialEvents",
                                    "sendInitialEvents is forbidden for watch unless the WatchList feature gate is enabled");
    if (has_match)
        return list_options_invalid(r, "resourceVersionMatch",
                                    "resourceVersionMatch is forbidden for watch unless sendInitialEvents is provided");
    int code = request_selection(r, &w->selection);
    if (code == 0)
        code = request_query_revision(r, true, &w->revision);
    if (code == 0)
        code = request_query_int(r, "timeoutSeconds", 0, &seconds);
    w->from_now = w->revision == 0;
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
    else if (w->from_now && !any)
        request_wait_fresh(r, c, begin);
    else
        request_wait(r, c, 0, FRESH_WAIT_MS, begin);
}
