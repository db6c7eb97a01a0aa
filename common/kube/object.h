/* An API object as caches keep it: immutable encoded bytes, reference-counted, with the few fields every reader needs at
 * hand. Decode with json_parse where more is wanted, and throw the tree away after. */
#ifndef COMMON_KUBE_OBJECT_H
#define COMMON_KUBE_OBJECT_H

#include "common/base.h"
#include "common/buf.h"
#include "common/err.h"
#include "common/json.h"

struct object {
    uint32_t references;
    struct bytes *json;           /* the whole object */
    char *key;                    /* "namespace/name", or "name" for cluster-scoped ones */
    struct slice namespace, name; /* into key */
    char *uid, *resource_version;
    uint64_t labels_hash;         /* differs when the labels do */
    char *controller_uid;         /* of the owner reference with controller: true; NULL when there is none */
    bool has_owners;              /* has an owner reference of any sort */
    int64_t seen_us;              /* when a cache got this version, by its own clock; 0: in no cache */
    bool deleting;                /* has a deletionTimestamp */
};

/* Takes the JSON text of one object. ERR_BAD_REQUEST when it is none. One reference, the caller's. */
int object_new(struct slice json, struct object **ret, struct err *reterr);
struct object *object_ref(struct object *o);
void object_unref(struct object *o); /* NULL is fine */

/* The tree of an object in a doc of its own; NULL doc never. Free the doc after. */
struct json *object_tree(const struct object *o, struct json_doc *d);

#endif
