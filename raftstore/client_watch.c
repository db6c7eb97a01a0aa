/* Watches of the client: started again on each connection after the last revision that was delivered whole. */
#include "common/base.h"

#include "raftstore/client_internal.h"

static void send_start(struct client_watch *w)
{
    struct buf b = {0};
    pack_uint(&b, w->id);
    span_encode(&b, &w->span);
#if defined(PLANT_WATCH_DROP)
    pack_int(&b, w->synced ? w->next + 1 : w->next);
#elif defined(PLANT_WATCH_REPEAT)
    pack_int(&b, w->synced ? w->next - 1 : w->next);
#else
    pack_int(&b, w->next);
#endif
    pack_bool(&b, w->prev_kv);
    pack_uint(&b, w->progress_ms);
    pack_uint(&b, (w->no_put ? WATCH_NO_PUT : 0u) | (w->no_delete ? WATCH_NO_DELETE : 0u));
    client_send(w->client, STORE_WATCH, buf_slice(&b), SLICE(""));
    buf_release(&b);
}

static void send_id(struct client_watch *w, enum store_frame type)
{
    struct buf b = {0};
    pack_uint(&b, w->id);
    client_send(w->client, type, buf_slice(&b), SLICE(""));
    buf_release(&b);
}

static void forget_parts(struct client_watch *w)
{
    arena_clear(&w->arena);
    w->events = NULL;
    w->event_count = w->event_capacity = 0;
}

void watches_ready(struct store_client *c)
{
    LIST_FOR_EACH(node, &c->watches)
    {
        struct client_watch *w = container_of(node, struct client_watch, link);
        forget_parts(w);
        w->id = c->next_id++;
        send_start(w);
        for (unsigned i = 0; i < w->asks; i++)
            send_id(w, STORE_WATCH_ASK);
    }
}

void store_watch_start(struct store_client *c, struct store_watch *watch, const struct store_watch_options *o)
{
    struct client_watch *w = mem_zalloc(sizeof *w + o->span.key.size + o->span.end.size);
    char *bytes = (char *)(w + 1);
    w->client = c;
    w->watch = watch;
    w->id = c->next_id++;
    w->span = (struct kv_span){{bytes, o->span.key.size}, {bytes + o->span.key.size, o->span.end.size}};
    if (o->span.key.size != 0)
        memcpy(bytes, o->span.key.data, o->span.key.size);
    if (o->span.end.size != 0)
        memcpy(bytes + o->span.key.size, o->span.end.data, o->span.end.size);
    w->next = o->start_revision;
    w->prev_kv = o->prev_kv;
    w->no_put = o->no_put;
    w->no_delete = o->no_delete;
    w->progress_ms = o->progress_ms;
    watch->impl = w;
    list_push_back(c->closing ? &c->ended_watches : &c->watches, &w->link);
    if (c->closing)
        loop_defer(&c->env->loop, &c->end);
    else if (c->state == CLIENT_READY)
        send_start(w);
}

static void watch_done(struct client_watch *w, int status, int64_t compact_revision, const char *message)
{
    struct store_watch *watch = w->watch;
    struct err why;
    err_set(&why, status, "%s", message);
    list_remove(&w->link);
    forget_parts(w);
    mem_free(w);
    watch->impl = NULL;
    watch->on_closed(watch, status, compact_revision, &why);
}

static void end_later(struct client_watch *w)
{
    list_remove(&w->link);
    list_push_back(&w->client->ended_watches, &w->link);
    loop_defer(&w->client->env->loop, &w->client->end);
}

void store_watch_stop(struct store_client *c, struct store_watch *watch)
{
    struct client_watch *w = watch->impl;
    ASSERT(w != NULL && w->client == c);
    if (c->state == CLIENT_READY)
        send_id(w, STORE_WATCH_STOP);
    end_later(w);
}

void store_watch_progress(struct store_client *c, struct store_watch *watch)
{
    struct client_watch *w = watch->impl;
    ASSERT(w != NULL && w->client == c);
    w->asks++;
    if (c->state == CLIENT_READY)
        send_id(w, STORE_WATCH_ASK);
}

void watches_cancel_all(struct store_client *c)
{
    LIST_FOR_EACH(node, &c->watches)
        end_later(container_of(node, struct client_watch, link));
}

void watches_run_ended(struct store_client *c)
{
    struct client_watch *w;
    while ((w = LIST_FIRST(&c->ended_watches, struct client_watch, link)) != NULL)
        watch_done(w, ERR_CANCELED, 0, "stopped");
}

static struct client_watch *find_watch(struct store_client *c, uint64_t id)
{
    LIST_FOR_EACH(node, &c->watches)
    {
        struct client_watch *w = container_of(node, struct client_watch, link);
        if (w->id == id)
            return w;
    }
    return NULL; /* stopped meanwhile */
}

static void add_event(struct client_watch *w, struct kv_event event)
{
    if (w->event_count == w->event_capacity) {
        struct kv_event *old = w->events;
        w->event_capacity = MAX((size_t)4, w->event_capacity * 2);
        w->events = arena_alloc(&w->arena, w->event_capacity * sizeof w->events[0]);
        if (w->event_count != 0)
            memcpy(w->events, old, w->event_count * sizeof old[0]);
    }
    w->events[w->event_count++] = event;
}

static void deliver(struct client_watch *w, int64_t revision)
{
    struct arena arena = w->arena; /* the watch may be stopped in the callback */
    struct kv_event *events = w->events;
    size_t n = w->event_count;
    w->arena = (struct arena){0};
    forget_parts(w);
#ifdef PLANT_WATCH_REPEAT
    w->next = revision;
#endif
    if (revision >= w->next) { /* else it was delivered on an earlier connection */
        w->next = revision + 1;
        w->watch->on_events(w->watch, revision, events, n);
    }
    arena_clear(&arena);
}

static bool receive_events(struct client_watch *w, struct unpack *u)
{
    int64_t revision = unpack_int(u);
    bool end = unpack_bool(u);
    uint64_t n = unpack_uint(u);
    struct unpack own = unpack_of(end && w->event_count == 0 ? u->in : arena_slice(&w->arena, u->in));
    own.bad = u->bad || n > u->in.size;
    for (uint64_t i = 0; i < n && !own.bad; i++) {
        struct kv_event event;
        event_decode(&own, &event);
        add_event(w, event);
    }
    if (!unpack_done(&own))
        return false;
    if (end)
        deliver(w, revision);
    return true;
}

static bool receive_progress(struct client_watch *w, struct unpack *u)
{
    int64_t revision = unpack_int(u);
    bool answer = unpack_bool(u);
    if (!unpack_done(u))
        return false;
    bool first = !w->synced, news = revision >= w->next - 1; /* a member behind the one before has nothing to say */
    w->synced = true;
    w->next = MAX(w->next, revision + 1);
    if (answer && w->asks > 0)
        w->asks--;
    if (w->watch->on_progress != NULL && (first || answer || news))
        w->watch->on_progress(w->watch, revision);
    return true;
}

static bool receive_closed(struct client_watch *w, struct unpack *u)
{
    int64_t status = unpack_int(u), compact_revision = unpack_int(u);
    struct slice why = unpack_bytes(u);
    char text[256];
    if (!unpack_done(u) || status >= 0 || status < ERR_TLS)
        return false;
    size_t n = MIN(why.size, sizeof text - 1);
    if (n > 0)
        memcpy(text, why.data, n);
    text[n] = '\0';
    watch_done(w, (int)status, compact_revision, text);
    return true;
}

void watch_frame(struct store_client *c, enum store_frame type, struct unpack *u, struct slice payload)
{
    struct client_watch *w = find_watch(c, unpack_uint(u));
    bool ok = true;
    (void)payload;
    if (w != NULL && type == STORE_EVENTS)
        ok = receive_events(w, u);
    else if (w != NULL && type == STORE_PROGRESS)
        ok = receive_progress(w, u);
    else if (w != NULL)
        ok = receive_closed(w, u);
    if (!ok)
        client_hang_up(c, ERR_CORRUPT, "malformed watch frame");
}
