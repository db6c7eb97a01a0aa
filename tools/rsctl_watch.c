/* rsctl watch: prints each change until it is interrupted. */
#include "common/base.h"

#include "tools/rsctl.h"

#include "common/clock.h"
#include "common/uv_env.h"
#include "tools/rsctl_changes.h"
#include "tools/rsctl_kinds.h"

#define PROGRESS_MS 10000

struct watcher {
    struct store_watch watch;
    struct rsctl *r;
    bool closed;
    int code;
};

static void print_events_json(struct rsctl *r, int64_t revision, const struct kv_event *events, size_t n)
{
    buf_printf(&r->out, "{\"header\":{\"revision\":%lld},\"events\":[", (long long)revision);
    for (size_t i = 0; i < n; i++) {
        buf_printf(&r->out, "%s{\"type\":\"%s\",\"kv\":", i > 0 ? "," : "", events[i].is_delete ? "DELETE" : "PUT");
        print_kv_json(&r->out, &events[i].kv);
        if (events[i].has_prev) {
            buf_append_str(&r->out, ",\"prev_kv\":");
            print_kv_json(&r->out, &events[i].prev);
        }
        buf_append_char(&r->out, '}');
    }
    buf_append_str(&r->out, "]}\n");
}

/* A line per event that a person can follow, when it came here, and one for each field that changed. */
static void print_lines(struct rsctl *r, int64_t revision, const struct kv_event *events, size_t n)
{
    char now[TIME_TEXT_MAX];
    time_format(clock_wall_ms(&r->env->clock) * 1000, 3, now);
    for (size_t i = 0; i < n; i++) {
        const struct kv_event *e = &events[i];
        buf_printf(&r->out, "%s  %lld  %-8s  ", now, (long long)revision, e->is_delete ? "DELETED" : e->kv.version == 1 ? "ADDED" : "MODIFIED");
        rsctl_key_name(&r->out, e->kv.key);
        buf_append_char(&r->out, '\n');
        if (!e->is_delete && e->has_prev)
            (void)changes_print(&r->out, e->prev.value, e->kv.value, false);
    }
}

static void on_events(struct store_watch *w, int64_t revision, const struct kv_event *events, size_t n)
{
    struct rsctl *r = container_of(w, struct watcher, watch)->r;
    if (r->format == RSCTL_JSON) {
        print_events_json(r, revision, events, n);
    } else if (r->format == RSCTL_FIELDS) {
        for (size_t i = 0; i < n; i++) {
            buf_printf(&r->out, "\"Type\" : \"%s\"\n", events[i].is_delete ? "DELETE" : "PUT");
            if (events[i].has_prev)
                print_kv_fields(&r->out, "Prev", &events[i].prev);
            print_kv_fields(&r->out, "", &events[i].kv);
        }
    } else if (r->format == RSCTL_LINES) {
        print_lines(r, revision, events, n);
    } else {
        for (size_t i = 0; i < n; i++) {
            buf_append_str(&r->out, events[i].is_delete ? "DELETE\n" : "PUT\n");
            if (events[i].has_prev && r->flags.prev_kv)
                print_kv(r, &events[i].prev);
            print_kv(r, &events[i].kv);
        }
    }
    rsctl_flush(r);
}

static void on_progress(struct store_watch *w, int64_t revision)
{
    struct rsctl *r = container_of(w, struct watcher, watch)->r;
    if (!r->flags.progress_notify)
        return;
    buf_printf(&r->out, "progress notify: %lld\n", (long long)revision);
    rsctl_flush(r);
}

static void on_closed(struct store_watch *w, int status, int64_t compact_revision, const struct err *why)
{
    struct watcher *watcher = container_of(w, struct watcher, watch);
    (void)compact_revision; /* the message names it */
    watcher->closed = true;
    if (status != ERR_CANCELED)
        watcher->code = rsctl_complain(status, why->message);
    uv_env_stop(watcher->r->uv);
}

static void on_signal(void *arg)
{
    struct watcher *w = arg;
    if (w->watch.impl != NULL)
        store_watch_stop(w->r->client, &w->watch);
}

int rsctl_watch(struct rsctl *r)
{
    struct watcher w = {.watch = {.on_events = on_events, .on_progress = on_progress, .on_closed = on_closed}, .r = r};
    struct store_watch_options o = {.start_revision = r->flags.rev, .prev_kv = r->flags.prev_kv || r->format == RSCTL_LINES,
                                    .progress_ms = r->flags.progress_notify ? PROGRESS_MS : 0};
    struct rsctl_target target = {0};
    int code = rsctl_target(&r->flags, r->arguments, r->argument_count, &target);
    o.span = target.span;
    if (code == RSCTL_OK)
        code = rsctl_reach(r);
    if (code == RSCTL_OK)
        store_watch_start(rsctl_client(r), &w.watch, &o);
    while (code == RSCTL_OK && !w.closed)
        uv_env_run(r->uv, on_signal, &w);
    rsctl_target_release(&target);
    return code != RSCTL_OK ? code : w.code;
}
