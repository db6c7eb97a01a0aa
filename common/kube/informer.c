#include "common/base.h"

#include "common/kube/informer.h"
#include "common/mem.h"

#include <stdlib.h>

#define INFORMER_PAGE 500
#define INFORMER_RETRY_MIN_MS 100
#define INFORMER_RETRY_MAX_MS 5000

/*  listing ──▶ watching ──▶ pausing ──▶ watching (resume from the last version)
 *     ▲                        └──────▶ listing  (the version is too old) */
enum informer_state { INFORMER_LISTING, INFORMER_WATCHING, INFORMER_PAUSING, INFORMER_CLOSING };

/* The objects of one owner, in the order they were first seen. */
struct owned_set {
    struct object **objects;
    size_t count, capacity;
};

struct informer {
    struct kube_client *client;
    struct env *env;
    struct informer_options options;
    char *path, *selectors; /* selectors: "&fieldSelector=…", encoded */
    struct map objects;     /* key → struct object * */
    struct map owners;      /* controller uid → struct owned_set * */
    struct map listed;      /* keys seen by the list under way */
    enum informer_state state;
    bool synced, relist;
    char *version, *continuation;
    unsigned retry_ms;
    struct kube_call call;
    struct kube_stream stream;
    struct timer pause;
    struct deferred closed_turn;
    bool busy; /* a call or a stream is open */
    void (*closed)(void *arg);
    void *closed_arg;
};

static void owner_add(struct informer *i, struct object *o)
{
    if (o->controller_uid == NULL)
        return;
    struct slice uid = slice_str(o->controller_uid);
    struct owned_set *set = map_get(&i->owners, uid);
    if (set == NULL) {
        set = NEW(struct owned_set);
        map_put(&i->owners, uid, set);
    }
    if (set->count == set->capacity) {
        set->capacity = MAX((size_t)4, set->capacity * 2);
        set->objects = mem_realloc(set->objects, set->capacity * sizeof set->objects[0]);
    }
    set->objects[set->count++] = o;
}

static void owner_remove(struct informer *i, struct object *o)
{
    struct owned_set *set = o->controller_uid == NULL ? NULL : map_get(&i->owners, slice_str(o->controller_uid));
    if (set == NULL)
        return;
    for (size_t at = 0; at < set->count; at++) {
        if (set->objects[at] != o)
            continue;
        memmove(&set->objects[at], &set->objects[at + 1], (set->count - at - 1) * sizeof set->objects[0]);
        set->count--;
        break;
    }
    if (set->count == 0) {
        map_remove(&i->owners, slice_str(o->controller_uid));
        mem_free(set->objects);
        mem_free(set);
    }
}

static void remember_version(struct informer *i, struct slice version)
{
    if (version.size == 0)
        return;
    mem_free(i->version);
    i->version = mem_slice_dup(version);
}

static void report(struct informer *i, struct object *old, struct object *new)
{
    if (i->options.changed != NULL)
        i->options.changed(i->options.arg, old, new);
}

/* Takes the reference to `o`. */
static void upsert(struct informer *i, struct object *o)
{
    struct object *old = map_put(&i->objects, slice_str(o->key), o);
    bool same = old != NULL && strcmp(old->resource_version, o->resource_version) == 0;
    o->seen_us = same ? old->seen_us : clock_wall_ms(&kube_client_env(i->client)->clock) * 1000;
    if (old != NULL)
        owner_remove(i, old);
    owner_add(i, o);
    if (!same)
        report(i, old, o);
    object_unref(old);
}

static void remove_key(struct informer *i, struct slice key)
{
    struct object *old = map_remove(&i->objects, key);
    if (old == NULL)
        return;
    owner_remove(i, old);
    report(i, old, NULL);
    object_unref(old);
}

static void list_next(struct informer *i);
static void watch(struct informer *i);

static void pause_then(struct informer *i, bool relist)
{
    if (i->state == INFORMER_CLOSING)
        return;
    i->state = INFORMER_PAUSING;
    i->relist = relist;
    loop_timer_start(&i->env->loop, &i->pause, i->retry_ms);
    i->retry_ms = MIN(i->retry_ms * 2, (unsigned)INFORMER_RETRY_MAX_MS);
}

static void begin_list(struct informer *i)
{
    i->state = INFORMER_LISTING;
    mem_free(i->continuation);
    i->continuation = NULL;
    map_release(&i->listed);
    list_next(i);
}

static void pause_over(struct timer *t)
{
    struct informer *i = container_of(t, struct informer, pause);
    if (i->relist)
        begin_list(i);
    else
        watch(i);
}

/* What the list did not show is gone. */
static void drop_unlisted(struct informer *i)
{
    struct map_entry *e;
    for (size_t at = 0; (e = map_next(&i->objects, &at)) != NULL;) {
        if (map_get(&i->listed, map_key(e)) != NULL)
            continue;
        char *key = mem_slice_dup(map_key(e));
        remove_key(i, slice_str(key));
        mem_free(key);
    }
    map_release(&i->listed);
}

static void take_page(struct informer *i, const struct json *list)
{
    struct json_iterator items = json_iterate(json_get(list, "items"));
    struct buf text = {0};
    while (json_next(&items)) {
        struct object *o;
        buf_reset(&text);
        json_print(items.value, &text);
        if (object_new(buf_slice(&text), &o, NULL) != 0)
            continue; /* an unnamed item cannot be cached, and never came from an apiserver of ours */
        map_put(&i->listed, slice_str(o->key), i);
        upsert(i, o);
    }
    buf_release(&text);
}

static void finish_list(struct informer *i)
{
    drop_unlisted(i);
    i->retry_ms = INFORMER_RETRY_MIN_MS;
    if (!i->synced) {
        i->synced = true;
        if (i->options.synced != NULL)
            i->options.synced(i->options.arg);
    }
    if (i->state != INFORMER_CLOSING)
        watch(i);
}

static void end_if_closing(struct informer *i)
{
    if (i->state == INFORMER_CLOSING && !i->busy)
        loop_defer(&i->env->loop, &i->closed_turn);
}

static void listed(struct kube_call *call, int status, struct slice body, const struct err *why)
{
    struct informer *i = call->data;
    struct json_doc *d = json_doc_new();
    struct json *list = NULL;
    i->busy = false;
    if (i->state == INFORMER_CLOSING) {
        end_if_closing(i);
    } else if (status != 0 || json_parse(d, body, &list, NULL) != 0) {
        log_warn(i->env->log, "list failed", "path=%s reason=\"%s\"", i->path, why == NULL ? "no JSON" : why->message);
        mem_free(i->version);
        i->version = NULL;
        pause_then(i, true);
    } else {
        take_page(i, list);
        remember_version(i, json_string_at(list, "metadata.resourceVersion"));
        struct slice more = json_string_at(list, "metadata.continue");
        mem_free(i->continuation);
        i->continuation = more.size > 0 ? mem_slice_dup(more) : NULL;
        if (i->state == INFORMER_CLOSING)
            end_if_closing(i);
        else if (i->continuation != NULL)
            list_next(i);
        else
            finish_list(i);
    }
    json_doc_free(d);
}

/* The first list may come from any replica's cache; a list after that must be the newest, or time would go back. */
static void list_next(struct informer *i)
{
    struct buf path = {0};
    buf_printf(&path, "%s?limit=%d%s", i->path, INFORMER_PAGE, i->selectors);
    if (i->continuation != NULL) {
        buf_append_str(&path, "&continue=");
        http_percent_encode(slice_str(i->continuation), &path);
    } else if (!i->options.newest && !i->synced && i->version == NULL && i->retry_ms == INFORMER_RETRY_MIN_MS) {
        buf_append_str(&path, "&resourceVersion=0");
    }
    i->busy = true;
    i->call = (struct kube_call){.done = listed, .data = i};
    kube_get(i->client, &i->call, path.data);
    buf_release(&path);
}

static void take_object(struct informer *i, struct slice text)
{
    struct object *o;
    struct err why;
    if (object_new(text, &o, &why) != 0) {
        log_warn(i->env->log, "watch sent an unusable object", "path=%s reason=\"%s\"", i->path, why.message);
        return;
    }
    remember_version(i, slice_str(o->resource_version));
    upsert(i, o);
}

static void event(struct kube_stream *s, struct slice type, const struct json *object, struct slice text)
{
    struct informer *i = s->data;
    i->retry_ms = INFORMER_RETRY_MIN_MS;
    if (slice_is(type, "ADDED") || slice_is(type, "MODIFIED")) {
        take_object(i, text);
    } else if (slice_is(type, "DELETED")) {
        struct object *o;
        if (object_new(text, &o, NULL) != 0)
            return;
        remember_version(i, slice_str(o->resource_version));
        remove_key(i, slice_str(o->key));
        object_unref(o);
    } else if (slice_is(type, "BOOKMARK")) {
        remember_version(i, json_string_at(object, "metadata.resourceVersion"));
    } else if (slice_is(type, "ERROR")) {
        i->relist = json_int_at(object, "code", 0) == 410;
        kube_watch_stop(i->client, s);
    }
}

static void watch_closed(struct kube_stream *s, int status, const struct err *why)
{
    struct informer *i = s->data;
    i->busy = false;
    if (status != 0 && status != ERR_CANCELED && status != ERR_EOF)
        log_info(i->env->log, "watch ended", "path=%s reason=\"%s\"", i->path, why->message);
    if (i->state == INFORMER_CLOSING)
        end_if_closing(i);
    else
        pause_then(i, i->relist || status == ERR_EXPIRED);
}

static void watch(struct informer *i)
{
    struct buf path = {0};
    i->state = INFORMER_WATCHING;
    i->relist = false;
    buf_printf(&path, "%s?watch=true&allowWatchBookmarks=true&timeoutSeconds=%d&resourceVersion=%s%s", i->path,
               300 + (int)random_below(&i->env->random, 300), i->version == NULL ? "0" : i->version, i->selectors);
    i->busy = true;
    i->stream = (struct kube_stream){.on_event = event, .closed = watch_closed, .data = i};
    kube_watch(i->client, &i->stream, path.data);
    buf_release(&path);
}

static char *encode_selectors(const struct informer_options *o)
{
    struct buf text = {0};
    if (o->field_selector != NULL) {
        buf_append_str(&text, "&fieldSelector=");
        http_percent_encode(slice_str(o->field_selector), &text);
    }
    if (o->label_selector != NULL) {
        buf_append_str(&text, "&labelSelector=");
        http_percent_encode(slice_str(o->label_selector), &text);
    }
    char *selectors = mem_slice_dup(buf_slice(&text));
    buf_release(&text);
    return selectors;
}

static void informer_free(struct deferred *d)
{
    struct informer *i = container_of(d, struct informer, closed_turn);
    void (*closed)(void *arg) = i->closed;
    void *arg = i->closed_arg;
    struct map_entry *e;
    for (size_t at = 0; (e = map_next(&i->objects, &at)) != NULL;) {
        owner_remove(i, e->value);
        object_unref(e->value);
    }
    map_release(&i->objects);
    map_release(&i->owners);
    map_release(&i->listed);
    mem_free(i->path);
    mem_free(i->selectors);
    mem_free(i->version);
    mem_free(i->continuation);
    mem_free(i);
    closed(arg);
}

struct informer *informer_new(struct kube_client *c, const struct informer_options *o)
{
    struct informer *i = NEW(struct informer);
    i->client = c;
    i->env = kube_client_env(c);
    i->options = *o;
    i->path = mem_strdup(o->path);
    i->selectors = encode_selectors(o);
    i->retry_ms = INFORMER_RETRY_MIN_MS;
    timer_init(&i->pause, pause_over);
    deferred_init(&i->closed_turn, informer_free);
    begin_list(i);
    return i;
}

bool informer_synced(const struct informer *i) { return i->synced; }
struct object *informer_get(const struct informer *i, struct slice key) { return map_get(&i->objects, key); }

uint64_t informer_version(const struct informer *i)
{
    return i->version == NULL || !i->synced ? 0 : strtoull(i->version, NULL, 10);
}

const struct map *informer_objects(const struct informer *i) { return &i->objects; }

void informer_owned(const struct informer *i, const char *uid, void (*each)(void *arg, struct object *o), void *arg)
{
    struct owned_set *set = map_get(&i->owners, slice_str(uid));
    for (size_t at = 0; set != NULL && at < set->count; at++)
        each(arg, set->objects[at]);
}

void informer_close(struct informer *i, void (*closed)(void *arg), void *arg)
{
    enum informer_state was = i->state;
    i->state = INFORMER_CLOSING;
    i->closed = closed;
    i->closed_arg = arg;
    loop_timer_stop(&i->env->loop, &i->pause);
    if (was == INFORMER_LISTING && i->busy)
        kube_cancel(i->client, &i->call);
    else if (was == INFORMER_WATCHING && i->busy)
        kube_watch_stop(i->client, &i->stream);
    end_if_closing(i);
}
