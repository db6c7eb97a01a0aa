/*   loading ──page──▶ loading ──last page──▶ live ──store compacted past us──▶ loading
 *
 * Loading lists the prefix page by page at one revision; live follows the store's watch from the next one. Objects are
 * an array sorted by key. Events go into a ring; `sequence` numbers them, so a watcher is one number.
 *
 * Freshness: a linearizable read of the store tells revision R; the watch's progress tells that all events up to P were
 * delivered. The cache may answer when its revision is R or more; both are asked at once and the progress again if need
 * be. */
#include "common/base.h"

#include "apiserver/limits.h"
#include "apiserver/watch_cache.h"
#include "common/mem.h"

#include <inttypes.h>
#include <stdlib.h>

struct fetch {
    struct store_call call;
    struct watch_cache *cache;
    struct list link;
    struct deferred over; /* the library still owns the call's arena when done runs */
    bool is_fresh;        /* a freshness read, else a page of the initial list */
};

struct watch_cache {
    struct env *env;
    struct store_client *store;
    const struct kind *kind;
    char *prefix, *prefix_end; /* "/registry/pods/", "/registry/pods0" */
    bool live;                 /* the watch is on; objects are whole */
    bool watching;             /* on_closed is due */
    bool closing;
    int64_t revision; /* everything up to it is in */
    int64_t changed;  /* of the newest event, or of the initial list */
    struct cached **objects;
    size_t count, capacity;
    uint64_t changes;
    struct cache_event **ring;
    uint64_t head, tail; /* events are tail … head-1 */
    size_t ring_bytes;
    int64_t floor; /* events after it are in the ring */
    struct store_watch watch;
    struct timer retry, again; /* again: the progress asked for was older than what someone waits for */
    struct buf page_key;
    int64_t page_revision;
    struct list watchers, waiting, wanting; /* wanting: for the next freshness read */
    struct list reading;                    /* the freshness read in flight serves them */
    bool fresh_in_flight;
    struct list fetching;
    size_t fetches;
    void (*closed)(void *arg);
    void *closed_arg;
};

static void load(struct watch_cache *c);
static void ask_fresh(struct watch_cache *c);

bool watch_cache_asks(const struct watch_cache *c) { return c->fresh_in_flight; }
bool watch_cache_synced(const struct watch_cache *c) { return c->live; }
int64_t watch_cache_revision(const struct watch_cache *c) { return c->revision; }
int64_t watch_cache_changed(const struct watch_cache *c) { return c->changed; }
uint64_t watch_cache_changes(const struct watch_cache *c) { return c->changes; }
size_t watch_cache_count(const struct watch_cache *c) { return c->count; }

static size_t position(const struct watch_cache *c, struct slice key, bool *ret_found)
{
    size_t low = 0, high = c->count;
    if (high > 0 && slice_compare(cached_key(c->objects[high - 1]), key) < 0)
        low = high; /* a load comes in their order */
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        int order = slice_compare(cached_key(c->objects[middle]), key);
        if (order == 0) {
            *ret_found = true;
            return middle;
        }
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    *ret_found = false;
    return low;
}

struct cached *watch_cache_get(const struct watch_cache *c, struct slice key)
{
    bool found;
    size_t at = position(c, key, &found);
    return found ? c->objects[at] : NULL;
}

/* Takes the reference of `o`; returns the object replaced, or NULL, as a reference of the caller's. */
static struct cached *put_object(struct watch_cache *c, struct cached *o)
{
    bool found;
    size_t at = position(c, cached_key(o), &found);
    c->changes++;
    if (found) {
        struct cached *old = c->objects[at];
        c->objects[at] = o;
        return old;
    }
    if (c->count == c->capacity) {
        c->capacity = MAX(c->capacity * 2, (size_t)64);
        c->objects = mem_realloc(c->objects, c->capacity * sizeof(struct cached *));
    }
    memmove(c->objects + at + 1, c->objects + at, (c->count - at) * sizeof(struct cached *));
    c->objects[at] = o;
    c->count++;
    return NULL;
}

static struct cached *remove_object(struct watch_cache *c, struct slice key)
{
    bool found;
    size_t at = position(c, key, &found);
    if (!found)
        return NULL;
    struct cached *old = c->objects[at];
    c->changes++;
    memmove(c->objects + at, c->objects + at + 1, (c->count - at - 1) * sizeof(struct cached *));
    c->count--;
    return old;
}

static void event_free(struct cache_event *e)
{
    for (size_t t = 0; t < EVENT_TYPES; t++) {
        for (size_t f = 0; f < EVENT_FORMATS; f++)
            bytes_unref(e->frames[t][f]);
    }
    cached_unref(e->object);
    cached_unref(e->previous);
    mem_free(e);
}

#define CACHED_BYTES 512 /* of an object beside its text, about */

static size_t bytes_of(const struct cached *o) { return o->json->size + CACHED_BYTES; }

/* What only the ring holds: itself, and states that the objects are in no longer. */
static size_t held_by(const struct cache_event *e)
{
    return sizeof *e + (e->previous == NULL ? 0 : bytes_of(e->previous)) + (e->is_delete ? bytes_of(e->object) : 0);
}

static void drop_oldest(struct watch_cache *c)
{
    struct cache_event *e = c->ring[c->tail % RING_EVENTS_MAX];
    c->ring[c->tail % RING_EVENTS_MAX] = NULL;
    c->ring_bytes -= held_by(e);
    c->floor = e->revision;
    c->tail++;
    event_free(e);
}

static bool ring_is_over(const struct watch_cache *c, uint64_t now_ms)
{
    if (c->head == c->tail)
        return false;
    bool stale = c->ring[c->tail % RING_EVENTS_MAX]->seen_ms + RING_FRESH_MS < now_ms;
    return c->head - c->tail == RING_EVENTS_MAX || c->ring_bytes > (stale ? RING_BYTES_KEPT : RING_BYTES_MAX);
}

static void trim_ring(struct watch_cache *c)
{
    uint64_t now = clock_monotonic_ms(&c->env->clock);
    while (ring_is_over(c, now))
        drop_oldest(c);
}

static void push_event(struct watch_cache *c, struct cache_event *e)
{
    e->seen_ms = clock_monotonic_ms(&c->env->clock);
    trim_ring(c);
    c->ring[c->head++ % RING_EVENTS_MAX] = e;
    c->ring_bytes += held_by(e);
}

static void clear(struct watch_cache *c)
{
    for (size_t i = 0; i < c->count; i++)
        cached_unref(c->objects[i]);
    c->count = 0;
    c->changes++;
    while (c->tail < c->head)
        drop_oldest(c);
}

static struct slice key_of(const struct watch_cache *c, struct slice key)
{
    return slice_from(key, MIN(strlen(c->prefix), key.size));
}

/* A stored value that cannot be read must not stop the rest; it is logged and left out. */
static struct cached *ingest(struct watch_cache *c, const struct kv *kv)
{
    struct cached *o;
    struct err why;
    if (cached_new(c->kind, key_of(c, kv->key), kv->value, kv->mod_revision, &o, &why) == 0)
        return o;
    log_error(c->env->log, "unreadable object in the store", "key=%.*s why=\"%s\"", SLICE_ARGS(kv->key), why.message);
    return NULL;
}

static void wait_finish(struct cache_wait *w, int status)
{
    list_remove(&w->link);
    loop_timer_stop(&w->cache->env->loop, &w->timer);
    w->status = status;
    loop_defer(&w->cache->env->loop, &w->now);
}

static void release_waits(struct watch_cache *c)
{
    if (!c->live)
        return;
    LIST_FOR_EACH(node, &c->waiting)
    {
        struct cache_wait *w = container_of(node, struct cache_wait, link);
        if (w->revision <= c->revision)
            wait_finish(w, 0);
    }
}

static void moved(struct watch_cache *c)
{
    release_waits(c);
    LIST_FOR_EACH(node, &c->watchers)
    {
        struct cache_watcher *w = container_of(node, struct cache_watcher, link);
        w->wake(w);
    }
}

static struct cache_event *apply_event(struct watch_cache *c, const struct kv_event *e)
{
    struct cache_event *event = NULL;
    if (e->is_delete) {
        struct cached *old = remove_object(c, key_of(c, e->kv.key)), *last = NULL;
        if (old == NULL)
            return NULL;
        struct buf text = {0};
        /* The last state under the deletion's revision: the one place where a held object is made anew. */
        unsplice_revision(bytes_slice(old->json), &text);
        (void)cached_new_converted(c->kind, cached_key(old), buf_slice(&text), e->kv.mod_revision, &last,
                                   NULL); /* NULL: left out */
        buf_release(&text);
        event = NEW(struct cache_event);
        *event =
            (struct cache_event){.object = last == NULL ? cached_ref(old) : last, .previous = old, .is_delete = true};
    } else {
        struct cached *o = ingest(c, &e->kv);
        if (o == NULL)
            return NULL;
        event = NEW(struct cache_event);
        event->object = cached_ref(o);
        event->previous = put_object(c, o);
    }
    event->revision = e->kv.mod_revision;
    return event;
}

static void on_events(struct store_watch *w, int64_t revision, const struct kv_event *events, size_t n)
{
    struct watch_cache *c = w->data;
    if (c->closing)
        return;
    for (size_t i = 0; i < n; i++) {
        struct cache_event *e = apply_event(c, &events[i]);
        if (e != NULL)
            push_event(c, e);
        c->changed = MAX(c->changed, events[i].kv.mod_revision);
    }
    c->revision = MAX(c->revision, revision);
    moved(c);
}

static void on_progress(struct store_watch *w, int64_t revision)
{
    struct watch_cache *c = w->data;
    if (c->closing)
        return;
    c->revision = MAX(c->revision, revision);
    trim_ring(c); /* also where nothing comes any more */
    moved(c);
    if (!list_empty(&c->waiting) && !timer_armed(&c->again))
        loop_timer_start(&c->env->loop, &c->again, PROGRESS_AGAIN_MS);
}

static void again_fire(struct timer *t)
{
    struct watch_cache *c = container_of(t, struct watch_cache, again);
    if (c->watching && !list_empty(&c->waiting))
        store_watch_progress(c->store, &c->watch);
}

static void lose_watchers(struct watch_cache *c)
{
    LIST_FOR_EACH(node, &c->watchers)
    {
        struct cache_watcher *w = container_of(node, struct cache_watcher, link);
        list_remove(&w->link);
        w->lost(w, c->revision);
    }
}

static void finish_close(struct watch_cache *c)
{
    if (!c->closing || c->watching || c->fetches > 0)
        return;
    clear(c);
    mem_free(c->ring);
    mem_free(c->objects);
    mem_free(c->prefix);
    mem_free(c->prefix_end);
    buf_release(&c->page_key);
    void (*closed)(void *) = c->closed;
    void *arg = c->closed_arg;
    mem_free(c);
    if (closed != NULL)
        closed(arg);
}

static void on_closed(struct store_watch *w, int status, int64_t compact_revision, const struct err *why)
{
    struct watch_cache *c = w->data;
    c->watching = false;
    c->live = false;
    if (c->closing) {
        finish_close(c);
        return;
    }
    log_warn(c->env->log, "watch of the store ended; listing again",
             "resource=%s code=%d compacted=%" PRId64 " why=\"%s\"", c->kind->plural, status, compact_revision,
             why == NULL ? "" : why->message);
    lose_watchers(c);
    load(c);
}

static void start_watch(struct watch_cache *c)
{
    c->watch =
        (struct store_watch){.on_events = on_events, .on_progress = on_progress, .on_closed = on_closed, .data = c};
    struct store_watch_options o = {
        .span = {slice_str(c->prefix), slice_str(c->prefix_end)},
        .start_revision = c->page_revision + 1,
        .progress_ms = STORE_PROGRESS_MS,
    };
    c->watching = true;
    c->live = true;
    c->revision = c->floor = c->changed = c->page_revision;
    store_watch_start(c->store, &c->watch, &o);
    log_info(c->env->log, "cache is whole", "resource=%s objects=%zu revision=%" PRId64, c->kind->plural, c->count,
             c->revision);
    moved(c);
    if (!list_empty(&c->waiting))
        store_watch_progress(c->store, &c->watch);
}

static void fetch_over(struct deferred *d)
{
    struct fetch *f = container_of(d, struct fetch, over);
    struct watch_cache *c = f->cache;
    mem_free(f);
    c->fetches--;
    finish_close(c);
}

static void fetch_page(struct watch_cache *c);

static void take(struct watch_cache *c, const struct kv *kvs, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        struct cached *o = ingest(c, &kvs[i]);
        if (o != NULL)
            cached_unref(put_object(c, o));
    }
}

static void page_done(struct watch_cache *c, struct store_call *call, int status, const struct err *why)
{
    if (status != 0) {
        log_warn(c->env->log, "cannot list the store yet", "resource=%s why=\"%s\"", c->kind->plural,
                 why == NULL ? "" : why->message);
        loop_timer_start(&c->env->loop, &c->retry, CACHE_RETRY_MS);
        return;
    }
    if (c->page_revision == 0)
        c->page_revision = call->header.revision;
    take(c, call->range.kvs, call->range.kv_count);
    if (!call->range.more || call->range.kv_count == 0) {
        start_watch(c);
        return;
    }
    buf_reset(&c->page_key);
    buf_append_slice(&c->page_key, call->range.kvs[call->range.kv_count - 1].key);
    buf_append_char(&c->page_key, '\0'); /* the smallest key behind it */
    fetch_page(c);
}

static void page_part(struct store_call *call, const struct kv *kvs, size_t n)
{
    struct watch_cache *c = container_of(call, struct fetch, call)->cache;
    if (!c->closing)
        take(c, kvs, n);
}

static void fresh_done(struct watch_cache *c, struct store_call *call, int status)
{
    c->fresh_in_flight = false;
    LIST_FOR_EACH(node, &c->reading)
    {
        struct cache_wait *w = container_of(node, struct cache_wait, link);
        if (status != 0) {
            wait_finish(w, status == ERR_CANCELED ? ERR_CANCELED : ERR_UNAVAILABLE);
            continue;
        }
        w->revision = call->header.revision;
        list_remove(&w->link);
        list_push_back(&c->waiting, &w->link);
    }
    release_waits(c);
    if (!list_empty(&c->waiting) && c->watching)
        store_watch_progress(c->store, &c->watch);
    if (!list_empty(&c->wanting))
        ask_fresh(c);
}

static void fetch_done(struct store_call *call, int status, const struct err *why)
{
    struct fetch *f = container_of(call, struct fetch, call);
    struct watch_cache *c = f->cache;
    list_remove(&f->link);
    loop_defer(&c->env->loop, &f->over);
    if (c->closing)
        return;
    if (f->is_fresh)
        fresh_done(c, call, status);
    else
        page_done(c, call, status, why);
}

static struct fetch *fetch_new(struct watch_cache *c, bool is_fresh)
{
    struct fetch *f = NEW(struct fetch);
    f->cache = c;
    f->is_fresh = is_fresh;
    f->call.done = fetch_done;
    deferred_init(&f->over, fetch_over);
    list_push_back(&c->fetching, &f->link);
    c->fetches++;
    return f;
}

static void fetch_page(struct watch_cache *c)
{
    struct kv_range range = {
        .span = {buf_slice(&c->page_key), slice_str(c->prefix_end)},
        .limit = CACHE_PAGE_OBJECTS,
        .revision = c->page_revision,
    };
    struct fetch *f = fetch_new(c, false);
    f->call.part = page_part; /* read in while the store sends the next ones */
    store_range(c->store, &f->call, &range, CACHE_LOAD_MS);
}

static void load(struct watch_cache *c)
{
    clear(c);
    c->page_revision = 0;
    buf_reset(&c->page_key);
    buf_append_str(&c->page_key, c->prefix);
    fetch_page(c);
}

static void retry_fire(struct timer *t) { load(container_of(t, struct watch_cache, retry)); }

struct watch_cache *watch_cache_new(struct env *env, struct store_client *store, const struct kind *k)
{
    struct watch_cache *c = NEW(struct watch_cache);
    c->env = env;
    c->store = store;
    c->kind = k;
    c->prefix = mem_printf("/registry/%s/", k->storage_prefix);
    c->prefix_end = mem_printf("/registry/%s0", k->storage_prefix); /* '0' follows '/' */
    c->ring = mem_zalloc(RING_EVENTS_MAX * sizeof(struct cache_event *));
    list_init(&c->watchers);
    list_init(&c->waiting);
    list_init(&c->wanting);
    list_init(&c->reading);
    list_init(&c->fetching);
    timer_init(&c->retry, retry_fire);
    timer_init(&c->again, again_fire);
    load(c);
    return c;
}

void watch_cache_close(struct watch_cache *c, void (*closed)(void *arg), void *arg)
{
    ASSERT(!c->closing);
    c->closing = true;
    c->closed = closed;
    c->closed_arg = arg;
    lose_watchers(c);
    loop_timer_stop(&c->env->loop, &c->retry);
    loop_timer_stop(&c->env->loop, &c->again);
    LIST_FOR_EACH(node, &c->fetching)
    store_cancel(c->store, &container_of(node, struct fetch, link)->call);
    if (c->watching)
        store_watch_stop(c->store, &c->watch);
    finish_close(c);
}

static void wait_timeout(struct timer *t) { wait_finish(container_of(t, struct cache_wait, timer), ERR_TIMEOUT); }

static void wait_now(struct deferred *d)
{
    struct cache_wait *w = container_of(d, struct cache_wait, now);
    w->done(w, w->status);
}

static void wait_init(struct watch_cache *c, struct cache_wait *w, uint64_t timeout_ms)
{
    w->cache = c;
    list_init(&w->link);
    timer_init(&w->timer, wait_timeout);
    deferred_init(&w->now, wait_now);
    loop_timer_start(&c->env->loop, &w->timer, timeout_ms);
}

void watch_cache_wait(struct watch_cache *c, struct cache_wait *w, int64_t revision, uint64_t timeout_ms)
{
    wait_init(c, w, timeout_ms);
    w->revision = revision;
    list_push_back(&c->waiting, &w->link);
    release_waits(c);
    if (!list_empty(&w->link) && c->watching)
        store_watch_progress(c->store, &c->watch);
}

static void ask_fresh(struct watch_cache *c)
{
    struct kv_range range = {.span = {slice_str(c->prefix), {NULL, 0}}, .count_only = true};
    list_splice(&c->reading, &c->wanting);
    c->fresh_in_flight = true;
    store_range(c->store, &fetch_new(c, true)->call, &range, STORE_TIMEOUT_MS);
}

/* One read serves all who came before it was sent; who comes later waits for the next. */
void watch_cache_wait_fresh(struct watch_cache *c, struct cache_wait *w)
{
    wait_init(c, w, FRESH_WAIT_MS);
    list_push_back(&c->wanting, &w->link);
    if (!c->fresh_in_flight)
        ask_fresh(c);
}

void watch_cache_wait_cancel(struct cache_wait *w)
{
    if (w->cache == NULL)
        return;
    list_remove(&w->link);
    loop_timer_stop(&w->cache->env->loop, &w->timer);
    loop_undefer(&w->cache->env->loop, &w->now);
}

/* Where the objects lie that can be selected: keys of one namespace stand together ("ns/" up to "ns0"), and one that is
 * asked for by name is found at once. */
static void span_of(const struct watch_cache *c, const struct selection *s, size_t *ret_from, size_t *ret_to)
{
    struct buf bound = {0};
    bool found;
    const char *name = selector_required(&s->fields, "metadata.name");
    *ret_from = 0;
    *ret_to = c->count;
    if (s->namespace.size > 0) {
        buf_append_slice(&bound, s->namespace);
        buf_append_char(&bound, '/');
    }
    if (name != NULL && (s->namespace.size > 0 || !c->kind->namespaced)) {
        buf_append_str(&bound, name);
        *ret_from = position(c, buf_slice(&bound), &found);
        *ret_to = *ret_from + (found ? 1 : 0);
    } else if (s->namespace.size > 0) {
        *ret_from = position(c, buf_slice(&bound), &found);
        bound.data[bound.size - 1] = '0'; /* '0' follows '/' */
        *ret_to = position(c, buf_slice(&bound), &found);
    }
    buf_release(&bound);
}

void watch_cache_page(const struct watch_cache *c, const struct selection *s, struct slice start, size_t limit,
                      struct cache_page *ret)
{
    size_t from, to, at;
    bool found;
    span_of(c, s, &from, &to);
    if (start.size > 0)
        from = MAX(from, position(c, start, &found));
    size_t most = to > from ? to - from : 0;
    *ret = (struct cache_page){.objects = mem_alloc((limit > 0 ? MIN(limit, most) : most) * sizeof(struct cached *))};
    for (at = from; at < to && ret->next == NULL; at++) {
        struct cached *o = c->objects[at];
        if (!selection_matches(s, c->kind, o))
            continue;
        if (limit > 0 && ret->count == limit) {
            ret->next = o;
            ret->rest = to - at;
        } else {
            ret->objects[ret->count++] = cached_ref(o);
        }
    }
}

size_t watch_cache_list(const struct watch_cache *c, const struct selection *s, struct cached ***ret)
{
    struct cache_page page;
    watch_cache_page(c, s, (struct slice){NULL, 0}, 0, &page);
    *ret = page.objects;
    return page.count;
}

int watch_cache_join(struct watch_cache *c, struct cache_watcher *w, int64_t revision, struct err *reterr)
{
    list_init(&w->link);
    if (!c->live || revision < c->floor)
        return err_set(reterr, ERR_EXPIRED, "too old resource version: %" PRId64 " (%" PRId64 ")", revision, c->floor);
    uint64_t low = c->tail, high = c->head;
    while (low < high) {
        uint64_t middle = low + (high - low) / 2;
        if (c->ring[middle % RING_EVENTS_MAX]->revision <= revision)
            low = middle + 1;
        else
            high = middle;
    }
    w->sequence = low;
    w->after = revision; /* may be one that this cache has not come to yet */
    list_push_back(&c->watchers, &w->link);
    return 0;
}

void watch_cache_leave(struct cache_watcher *w) { list_remove(&w->link); }

struct cache_event *watch_cache_next(struct watch_cache *c, struct cache_watcher *w, bool *ret_lost)
{
    *ret_lost = w->sequence < c->tail;
    while (!*ret_lost && w->sequence != c->head) {
        struct cache_event *e = c->ring[w->sequence++ % RING_EVENTS_MAX];
        if (e->revision > w->after)
            return e;
    }
    return NULL;
}
