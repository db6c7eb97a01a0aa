/* List + watch → a cache of objects that is never silently stale: relists on 410, resumes after a cut, and is dropped
 * after 90 s of silence (bookmarks are asked for). */
#ifndef COMMON_KUBE_INFORMER_H
#define COMMON_KUBE_INFORMER_H

#include "common/base.h"
#include "common/kube/client.h"
#include "common/kube/object.h"
#include "common/map.h"

struct informer;

struct informer_options {
    const char *path;            /* "/api/v1/pods" */
    const char *field_selector;  /* "spec.nodeName=node-1"; NULL: none */
    const char *label_selector;
    bool newest;                 /* the first list, too, must be the newest state, not some replica's cache */
    /* After each change of the cache; `old` or `new` is NULL for an addition or a removal. Borrowed. */
    void (*changed)(void *arg, struct object *old, struct object *new);
    void (*synced)(void *arg);   /* once, after the first complete list */
    void *arg;
};

struct informer *informer_new(struct kube_client *c, const struct informer_options *o);
bool informer_synced(const struct informer *i);
struct object *informer_get(const struct informer *i, struct slice key); /* "namespace/name"; borrowed, NULL when absent */
/* Every change up to this resourceVersion has been seen; 0 before the first list. */
uint64_t informer_version(const struct informer *i);
const struct map *informer_objects(const struct informer *i);            /* key → struct object * */
/* Objects whose controller owner has that uid; calls `each` per object. */
void informer_owned(const struct informer *i, const char *uid, void (*each)(void *arg, struct object *o), void *arg);
void informer_close(struct informer *i, void (*closed)(void *arg), void *arg);

#endif
