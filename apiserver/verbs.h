/* The pure half of every write: old object and request in, what to store out. No I/O, clock or randomness: the facts a
 * decision needs stand in struct verb_facts. */
#ifndef APISERVER_VERBS_H
#define APISERVER_VERBS_H

#include "apiserver/kind.h"
#include "apiserver/schema.h"
#include "apiserver/status.h"
#include "common/base.h"
#include "common/json.h"

struct verb_facts {
    const struct kind *kind;      /* as the request names it */
    const struct kind *stored;    /* as its objects are kept, which mostly is the same; NULL: it is */
    const char *subresource;      /* NULL: the object itself */
    struct slice namespace, name; /* of the URL */
    const char *manager;          /* of the fields that are written (managed.h); NULL: unknown */
    int64_t now_us;
    char uid[40];                      /* for a new object */
    char suffix[8];                    /* for generateName */
    struct strict *strict;             /* unknown fields are noted here */
    const struct json *account;        /* of a new pod: the ServiceAccount it asks for; NULL: there is none */
    bool mounts_tokens;                /* this apiserver makes tokens, and the namespace is there to have accounts */
    const struct json *const *classes; /* of a new object that may name one (admission_class_kind): all there are */
    size_t class_count;
    const struct user *user;           /* who asks; NULL: nobody is known */
    const struct allocator *allocator; /* for kinds that claim values; NULL: none are filled in */
};

enum verb_action { VERB_NOTHING, VERB_PUT, VERB_DELETE };

struct verb_result {
    enum verb_action action;
    struct buf bytes;          /* VERB_PUT: canonical, without resourceVersion. Else: what to answer with */
    const struct json *object; /* the tree of `bytes`, in the request's document */
    bool answer_status;        /* a deletion that answers with a Status */
    char uid[64];
};

/* Object metadata and canonical bytes of a new object. `body` is decoded JSON. */
int verb_create(const struct verb_facts *v, struct json_doc *d, const struct json *body, struct verb_result *ret,
                struct failure *f);

/* PUT: `body` takes the place of `old` (tree without resourceVersion, of revision `old_revision`). */
int verb_update(const struct verb_facts *v, struct json_doc *d, const struct json *old, int64_t old_revision,
                const struct json *body, struct verb_result *ret, struct failure *f);

enum patch_type { PATCH_TYPE_MERGE, PATCH_TYPE_STRATEGIC, PATCH_TYPE_JSON, PATCH_TYPE_APPLY };

/* Any but PATCH_TYPE_APPLY, on a tree of type `t`. The failure is set. */
int patch_tree(struct json_doc *d, enum patch_type type, const struct type *t, const struct json *target,
               const struct json *patch, struct json **ret, struct failure *f);
int verb_patch(const struct verb_facts *v, struct json_doc *d, const struct json *old, int64_t old_revision,
               enum patch_type type, const struct json *patch, struct verb_result *ret, struct failure *f);

/* Server-side apply; `old` NULL: there is none, and the object is made. */
int verb_apply(const struct verb_facts *v, struct json_doc *d, const struct json *old, int64_t old_revision,
               const struct json *config, bool force, struct verb_result *ret, struct failure *f);

struct delete_options {
    int64_t grace_seconds; /* -1: not said */
    struct slice uid, resource_version;
    bool cascades; /* orphanDependents was false: a deletion that is not over is answered 202 */
    enum { PROPAGATE_DEFAULT, PROPAGATE_BACKGROUND, PROPAGATE_FOREGROUND, PROPAGATE_ORPHAN } propagation;
};
int verb_delete(const struct verb_facts *v, struct json_doc *d, const struct json *old, int64_t old_revision,
                const struct delete_options *o, struct verb_result *ret, struct failure *f);

/* What subresources are made with, subresource.c. The whole of replacing: `o` is decoded and may carry resourceVersion
 * and uid as preconditions; `applied`: its managedFields are done. */
int verb_replace(const struct verb_facts *v, struct json_doc *d, const struct json *old, int64_t old_revision,
                 struct json *o, bool applied, struct verb_result *ret, struct failure *f);
int verb_preconditions(const struct verb_facts *v, const struct json *old, int64_t old_revision, struct slice uid,
                       struct slice revision, struct failure *f);
/* `o`, of `old`, as bytes to store; nothing to do when they are the same. */
int verb_store(const struct verb_facts *v, struct json_doc *d, struct json *o, const struct json *old,
               struct verb_result *ret, struct failure *f);

/* 422 ` "" is invalid: patch: Invalid value: "…": <text>`: what a patch made of an object cannot be read. */
int patch_failure(struct failure *f, const struct json *patched, const char *text);

/* "Pod in version "v1" cannot be handled as a Pod: …" */
int decode_failure(struct failure *f, const struct kind *k, const struct err *why);

#endif
