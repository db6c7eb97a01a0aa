/* Watches. A live one gets each revision's events as they are applied; one that begins in the past catches up from history,
 * a bounded piece per turn, and joins when it has reached the newest revision:
 *
 *   catching up ──▶ live ──▶ joined          (STORE_PROGRESS: synced)
 *        ▲            │         │ a snapshot replaced the state
 *        └────────────┴─────────┘
 *
 * One that begins in the future is live at once and joins when everything before its beginning has happened: no progress is
 * told before, because a client may take a progress for where to resume.
 *
 * An event is encoded once per kind (with and without the previous value), however many watches get it. */
#include "common/base.h"

#include "common/mem.h"
#include "raftstore/mvcc_internal.h"
#include "raftstore/server_internal.h"

static void send_progress(struct watch *w, bool asked)
{
    struct server *s = w->caller->server;
    w->caller->front->progress(w->caller, w->id, mvcc_revision(server_store(s)), asked);
    w->quiet_since_ms = server_now_ms(s);
}

static void send_closed(struct caller *c, uint64_t id, int status, const char *message)
{
    c->front->closed(c, id, status, mvcc_compact_revision(server_store(c->server)), message);
}

void watch_free(struct watch *w)
{
    LIST_FOR_EACH(node, &w->caller->reads)
    {
        struct read *r = container_of(node, struct read, link);
        if (r->watch == w)
            r->watch = NULL;
    }
    list_remove(&w->caller_link);
    list_remove(&w->queue);
    w->caller->watch_count--;
    w->caller->server->metrics.watches--;
    mem_free(w);
}

static struct watch *find_watch(struct caller *c, uint64_t id)
{
    LIST_FOR_EACH(node, &c->watches)
    {
        struct watch *w = container_of(node, struct watch, caller_link);
        if (w->id == id)
            return w;
    }
    return NULL;
}

static void watch_join(struct watch *w)
{
    if (w->joined || w->next > mvcc_revision(server_store(w->caller->server)) + 1)
        return;
    w->joined = true;
    send_progress(w, false);
    for (; w->asks > 0; w->asks--)
        send_progress(w, true);
}

static void watch_go_live(struct watch *w)
{
    struct server *s = w->caller->server;
    list_remove(&w->queue);
    list_push_back(&s->live, &w->queue);
    w->live = true;
    watch_join(w);
}

static void watch_catch_up(struct watch *w)
{
    struct server *s = w->caller->server;
    w->live = w->joined = false;
    list_remove(&w->queue);
    list_push_back(&s->pumped_watches, &w->queue);
    loop_defer(&s->env->loop, &s->pump);
}

void watch_answer(struct watch *w)
{
    if (w->joined)
        send_progress(w, true);
    else
        w->asks++;
}

static struct watch *watch_new(struct caller *c, uint64_t id, const struct kv_span *span)
{
    struct watch *w = mem_zalloc(sizeof *w + span->key.size + span->end.size);
    char *bytes = (char *)(w + 1);
    w->caller = c;
    w->id = id;
    w->span = (struct kv_span){{bytes, span->key.size}, {bytes + span->key.size, span->end.size}};
    memcpy(bytes, span->key.data, span->key.size);
    if (span->end.size != 0)
        memcpy(bytes + span->key.size, span->end.data, span->end.size);
    list_init(&w->queue);
    list_push_back(&c->watches, &w->caller_link);
    c->watch_count++;
    c->server->metrics.watches++;
    return w;
}

static int watch_check(struct caller *c, uint64_t id, const struct kv_span *span, struct err *reterr)
{
    if (span->key.size == 0)
        return store_err(reterr, STORE_EMPTY_KEY, "watch");
    if (!caller_may(c, ROLE_READ, span))
        return store_err(reterr, STORE_PERMISSION_DENIED, "this certificate may not read all of these keys");
    if (find_watch(c, id) != NULL)
        return err_set(reterr, ERR_INVALID, "watch: the id %llu is in use on this connection", (unsigned long long)id);
    if (c->watch_count >= CONNECTION_WATCHES_MAX)
        return store_err(reterr, STORE_TOO_MANY_REQUESTS, "%d watches on this connection, and no more are allowed", CONNECTION_WATCHES_MAX);
    return 0;
}

void serve_watch(struct caller *c, const struct watch_request *request)
{
    int64_t newest = mvcc_revision(server_store(c->server));
    struct err err;
    int status = watch_check(c, request->id, &request->span, &err);
    if (status != 0) {
        send_closed(c, request->id, status, err.message);
        return;
    }
    struct watch *w = watch_new(c, request->id, &request->span);
    w->next = request->start_revision > 0 ? request->start_revision : newest + 1;
    w->prev_kv = request->prev_kv;
    w->no_put = request->filters & WATCH_NO_PUT;
    w->no_delete = request->filters & WATCH_NO_DELETE;
    w->progress_ms = request->progress_ms;
    if (w->next > newest)
        watch_go_live(w);
    else
        watch_catch_up(w);
}

void serve_watch_stop(struct caller *c, uint64_t id)
{
    struct watch *w = find_watch(c, id);
    if (w == NULL)
        return; /* it has closed meanwhile */
    send_closed(c, id, ERR_CANCELED, "stopped");
    watch_free(w);
}

void serve_watch_ask(struct caller *c, uint64_t id)
{
    struct watch *w = find_watch(c, id);
    if (w != NULL && c->call_count < CONNECTION_CALLS_MAX)
        read_ask(w);
}

/* --- events --- */

struct encoded {
    size_t at[CALLER_FORMATS_END][2], size[CALLER_FORMATS_END][2]; /* in server->event_bytes; without and with the previous value; size 0: not yet */
};

/* The events of one revision, encoded when the first watch wants them. */
struct revision_events {
    const struct kv_event *events;
    struct encoded *encoded;
    size_t count;
    int64_t revision;
};

static struct slice event_bytes(const struct watch *w, struct revision_events *r, size_t i)
{
    const struct caller_front *front = w->caller->front;
    struct buf *all = &w->caller->server->event_bytes;
    bool kind = w->prev_kv && r->events[i].has_prev;
    size_t *at = &r->encoded[i].at[front->format][kind], *size = &r->encoded[i].size[front->format][kind];
    if (*size == 0) {
        *at = all->size;
        front->event_encode(all, &r->events[i], kind);
        *size = all->size - *at;
    }
    return slice_of(all->data + *at, *size);
}

static bool wants(const struct watch *w, const struct kv_event *e)
{
    return !(e->is_delete ? w->no_delete : w->no_put) && span_holds(&w->span, e->kv.key);
}

/* From `*at` on, the events of one piece: those that are wanted, up to a part's size. Returns their number. */
static size_t piece_of_events(struct watch *w, struct revision_events *r, size_t *at, struct buf *ret_bytes)
{
    size_t n = 0;
    for (; *at < r->count; (*at)++) {
        if (!wants(w, &r->events[*at]))
            continue;
        struct slice bytes = event_bytes(w, r, *at);
        if (n > 0 && ret_bytes->size + bytes.size > STORE_PART_BYTES)
            break;
        buf_append_slice(ret_bytes, bytes);
        n++;
    }
    return n;
}

static void send_events(struct watch *w, int64_t revision, bool end, size_t n, struct slice bytes)
{
    struct caller *c = w->caller;
    c->front->events(c, w->id, revision, end, n, bytes);
    c->server->metrics.events_sent += n;
}

static void send_revision(struct watch *w, struct revision_events *r)
{
    struct server *s = w->caller->server;
    size_t at = 0, n, sent = 0;
    buf_reset(&s->scratch);
    while ((n = piece_of_events(w, r, &at, &s->scratch)) > 0) {
        sent += n;
        send_events(w, r->revision, at == r->count, n, buf_slice(&s->scratch));
        if (at == r->count)
            break;
        buf_reset(&s->scratch);
    }
    if (n == 0 && sent > 0) /* what was left is not wanted: only the end mark is missing */
        send_events(w, r->revision, true, 0, SLICE(""));
    if (sent > 0)
        w->quiet_since_ms = server_now_ms(s);
    w->next = r->revision + 1;
}

void server_events(struct server *s, int64_t revision, const struct kv_event *events, size_t n)
{
    struct encoded one = {0}, *encoded = n == 1 ? &one : mem_zalloc(n * sizeof encoded[0]);
    struct revision_events r = {events, encoded, n, revision};
    buf_reset(&s->event_bytes);
    LIST_FOR_EACH(node, &s->live)
    {
        struct watch *w = container_of(node, struct watch, queue);
        if (w->caller->closing)
            continue;
        if (w->next <= revision)
            send_revision(w, &r);
        watch_join(w);
    }
    if (encoded != &one)
        mem_free(encoded);
    if (s->event_bytes.capacity > 4 * STORE_PART_BYTES)
        buf_release(&s->event_bytes);
}

/* One turn's piece of history for a watch; true when it wants another. */
static bool catch_up_turn(struct watch *w)
{
    struct server *s = w->caller->server;
    struct mvcc *m = server_store(s);
    struct kv_event *events;
    size_t n;
    int64_t next, newest = mvcc_revision(m);
    struct err err;
#ifndef PLANT_WATCH_SET_BACK
    if (w->next > newest) { /* it begins in the future, and the state was replaced meanwhile */
        watch_go_live(w);
        return false;
    }
#endif
    int status = mvcc_events(m, &w->span, w->next, newest, CATCH_UP_TURN_BYTES, &s->arena, &events, &n, &next, &err);
    if (status != 0) {
        send_closed(w->caller, w->id, status, err.message);
        watch_free(w);
        return false;
    }
    for (size_t i = 0, end; i < n; i = end) {
        for (end = i + 1; end < n && events[end].kv.mod_revision == events[i].kv.mod_revision;)
            end++;
        struct encoded *encoded = arena_alloc(&s->arena, (end - i) * sizeof encoded[0]);
        buf_reset(&s->event_bytes);
        send_revision(w, &(struct revision_events){events + i, encoded, end - i, events[i].kv.mod_revision});
    }
    arena_clear(&s->arena);
    w->next = next;
    if (next <= newest)
        return true;
    watch_go_live(w);
    return false;
}

bool watches_pump(struct server *s)
{
    bool again = false;
    LIST_FOR_EACH(node, &s->pumped_watches)
    {
        struct watch *w = container_of(node, struct watch, queue);
        if (!w->caller->closing && !w->caller->front->full(w->caller))
            again |= catch_up_turn(w);
    }
    return again;
}

void watches_tick(struct server *s)
{
    uint64_t now = server_now_ms(s);
    LIST_FOR_EACH(node, &s->live)
    {
        struct watch *w = container_of(node, struct watch, queue);
        if (w->joined && w->progress_ms > 0 && now - w->quiet_since_ms >= w->progress_ms && !w->caller->closing)
            send_progress(w, false);
    }
}

void server_restored(struct server *s)
{
    reports_restored(s);
    reads_restored(s);
    writes_restored(s);
    server_clock_follow(s, 0);
    LIST_FOR_EACH(node, &s->live)
    {
        struct watch *w = container_of(node, struct watch, queue);
        w->next = MAX(w->next, s->revision_seen + 1); /* nothing of it may have been for this one: then `next` stood still */
        watch_catch_up(w);
    }
    s->revision_seen = mvcc_revision(server_store(s));
}
