/* The watch cache of one resource: all its objects as immutable encoded bytes, kept current by one store watch, and a
 * ring of recent events. LISTs copy the bytes, watchers are cursors over the ring, so a watcher costs no queue of its
 * own: one that falls off the ring's end is cut. */
#ifndef APISERVER_WATCH_CACHE_H
#define APISERVER_WATCH_CACHE_H

#include "apiserver/kind.h"
#include "common/base.h"
#include "common/buf.h"
#include "common/env.h"
#include "common/kube/selector.h"
#include "raftstore/client.h"

struct watch_cache;

/* An object as held: immutable, counted. One piece of memory beside its bytes, which are shared with answers. */
struct cached {
    uint32_t references;
    uint32_t label_count;
    struct bytes *json; /* with metadata.resourceVersion spliced in */
    char *key;          /* "namespace/name", or "name"; behind the struct */
    size_t key_size;
    int64_t revision;
    struct slice namespace, name; /* into key */
    bool deleting;                /* has a deletionTimestamp */
    struct label {
        struct slice key, value; /* into `json`, or `texts` */
    } * labels;                  /* behind the struct */
    struct slice
        *fields; /* values of the kind's selectable fields, in table order; behind the labels, as the labels are */
    struct json_doc *texts; /* of values that stand in `json` with escapes; NULL: there are none */
};
static inline struct slice cached_key(const struct cached *o) { return slice_of(o->key, o->key_size); }

struct cached *cached_ref(struct cached *o);
void cached_unref(struct cached *o);
/* From stored bytes (no resourceVersion), which become what `k` says when it is another version of what is stored.
 * ERR_CORRUPT when they are no object. One reference. */
int cached_new(const struct kind *k, struct slice key, struct slice value, int64_t revision, struct cached **ret,
               struct err *reterr);
/* From bytes that are an object of `k` already. */
int cached_new_converted(const struct kind *k, struct slice key, struct slice value, int64_t revision,
                         struct cached **ret, struct err *reterr);

/* Stored bytes with `"resourceVersion":"<revision>"` put in at the head of metadata. ERR_CORRUPT without metadata. */
int splice_revision(struct slice stored, int64_t revision, struct buf *out, struct err *reterr);

/* The bytes of a held object as they are stored, and under another revision. */
void unsplice_revision(struct slice json, struct buf *out);
void restamp_revision(struct slice json, int64_t revision, struct buf *out);

/* What a list or a watch asks for. */
struct selection {
    struct slice namespace; /* empty: all */
    struct selector labels, fields;
};
bool selection_matches(const struct selection *s, const struct kind *k, const struct cached *o);
/* Field labels that the kind does not have: ERR_BAD_REQUEST "field label not supported: x". */
int selection_check(const struct selection *s, const struct kind *k, struct err *reterr);

enum event_type { EVENT_ADDED, EVENT_MODIFIED, EVENT_DELETED, EVENT_TYPES };
enum event_format { EVENT_JSON, EVENT_TABLE, EVENT_TABLE_OBJECT, EVENT_TABLE_NONE, EVENT_PARTIAL, EVENT_FORMATS };

struct cache_event {
    int64_t revision;
    uint64_t seen_ms;        /* when it came here */
    struct cached *object;   /* after it; of a deletion: the last state with the deletion's revision */
    struct cached *previous; /* before it; NULL for an addition */
    bool is_delete;
    struct bytes *frames[EVENT_TYPES][EVENT_FORMATS]; /* framed once, on demand; owned */
};

/* The type of an event as a watcher with this selection sees it; false when it does not see it. */
bool event_type_for(const struct cache_event *e, const struct selection *s, const struct kind *k, enum event_type *ret);

struct cache_watcher {
    struct list link;
    uint64_t sequence;                                     /* next event to read */
    int64_t after;                                         /* the revision it joined behind */
    void (*wake)(struct cache_watcher *w);                 /* something came, or the revision moved */
    void (*lost)(struct cache_watcher *w, int64_t oldest); /* the cache was rebuilt: this watcher must end with 410 */
};

/* Waiting for a state: embedded; done runs once, never inside the call: 0, ERR_TIMEOUT (a revision that did not come),
 * ERR_UNAVAILABLE (the store does not answer), ERR_CANCELED. */
struct cache_wait {
    void (*done)(struct cache_wait *w, int status);
    struct list link;
    struct timer timer;
    struct deferred now;
    int64_t revision;
    int status;
    struct watch_cache *cache;
    void *data;
};

struct watch_cache *watch_cache_new(struct env *env, struct store_client *store, const struct kind *k);
void watch_cache_close(struct watch_cache *c, void (*closed)(void *arg), void *arg);
/* Is it being asked how fresh the cache is? Who waits now is served together with others. */
bool watch_cache_asks(const struct watch_cache *c);
bool watch_cache_synced(const struct watch_cache *c);
int64_t watch_cache_revision(const struct watch_cache *c);
uint64_t watch_cache_changes(const struct watch_cache *c); /* grows whenever an object comes, changes or goes */

/* Waits until the cache holds at least `revision` (0: until it is synced). */
void watch_cache_wait(struct watch_cache *c, struct cache_wait *w, int64_t revision, uint64_t timeout_ms);
/* Waits until the cache holds at least what the store had acknowledged when this was called. */
void watch_cache_wait_fresh(struct watch_cache *c, struct cache_wait *w);
void watch_cache_wait_cancel(struct cache_wait *w); /* no done after it */

struct cached *watch_cache_get(const struct watch_cache *c, struct slice key); /* borrowed; NULL */
/* The revision of the newest event, or of the initial list: the objects held now are those of every revision from here
 * to watch_cache_revision. */
int64_t watch_cache_changed(const struct watch_cache *c);

/* A run of selected objects in key order: references, and the array, are the caller's to give back. */
struct cache_page {
    struct cached **objects;
    size_t count;
    const struct cached *next; /* where the next page begins; borrowed; NULL: there is none */
    size_t rest;               /* objects from there on, whether selected or not */
};
/* From the key `start` on (empty: the first), at most `limit` (0: all). */
void watch_cache_page(const struct watch_cache *c, const struct selection *s, struct slice start, size_t limit,
                      struct cache_page *ret);
/* All of them; as above, without bounds. */
size_t watch_cache_list(const struct watch_cache *c, const struct selection *s, struct cached ***ret);
size_t watch_cache_count(const struct watch_cache *c);

/* Joins behind `revision`, which may lie ahead of the cache: another apiserver has told of it. ERR_EXPIRED with the
 * text of a 410 when events after it are gone. */
int watch_cache_join(struct watch_cache *c, struct cache_watcher *w, int64_t revision, struct err *reterr);
void watch_cache_leave(struct cache_watcher *w);
/* The next event of a watcher; NULL when it has seen all. *ret_lost: it fell behind the ring. */
struct cache_event *watch_cache_next(struct watch_cache *c, struct cache_watcher *w, bool *ret_lost);

#endif
