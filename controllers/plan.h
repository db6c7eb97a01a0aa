/* What a reconcile asks for, as values: the runtime carries it out in order, or learns from the first failure. */
#ifndef CONTROLLERS_PLAN_H
#define CONTROLLERS_PLAN_H

#include "common/base.h"
#include "common/json.h"
#include "common/mem.h"

#define PLAN_ACTIONS_MAX 1024

enum plan_kind {
    PLAN_CREATE,          /* POST `body` to the collection */
    PLAN_UPDATE,          /* PUT `body`, whose resourceVersion guards it */
    PLAN_PATCH,           /* merge patch */
    PLAN_DELETE,          /* with a uid precondition, background propagation */
    PLAN_DELETE_ORPHAN,   /* the same, if a look at the server shows that each of its owners is gone */
    PLAN_EVENT,           /* POST of an event: best effort, never a reason to fail */
};

struct plan_owner {
    const char *path, *uid;
};

/* The event that follows a create: its text ends with the name that the object got, or with the error. */
struct plan_told {
    const struct json *about;
    const char *component, *reason, *text, *failed_reason, *failed_text;
};

struct plan_action {
    enum plan_kind kind;
    const char *resource;   /* "pods", "replicasets.apps": whose cache must show the effect */
    const char *path;       /* the request's path */
    const char *key;        /* "namespace/name" of the object, NULL for creates */
    const char *uid;        /* precondition of deletes */
    const struct plan_owner *owners; /* of PLAN_DELETE_ORPHAN, in the plan's arena */
    size_t owner_count;
    struct json *body;
    const struct plan_told *told; /* of PLAN_CREATE; NULL: nothing is said */
    bool always;                  /* carried out even after another action failed */
};

struct plan {
    struct arena arena;
    struct json_doc *doc; /* bodies live here */
    struct plan_action actions[PLAN_ACTIONS_MAX];
    size_t count;
    bool cut;             /* more was wanted than fits: the key is reconciled again after these */
    uint64_t again_ms;    /* reconcile once more after so long; 0: no */
};

struct plan *plan_new(void);
void plan_free(struct plan *p);

/* The path of a collection or of an object of a resource the runtime knows (resource.h); in the plan's arena. */
void plan_create(struct plan *p, const char *resource, struct slice namespace, struct json *body);
void plan_create_told(struct plan *p, const char *resource, struct slice namespace, struct json *body,
                      const struct plan_told *told);
/* Appends the event of a create that has ended: `error` NULL, or why it failed. */
void plan_tell(struct plan *p, const struct plan_told *told, struct slice name, const char *error, int64_t wall_us);
void plan_update(struct plan *p, const char *resource, struct slice namespace, struct slice name, const char *subresource,
                 struct json *body);
void plan_patch(struct plan *p, const char *resource, struct slice namespace, struct slice name, struct json *body);
void plan_delete(struct plan *p, const char *resource, struct slice namespace, struct slice name, const char *uid);
void plan_delete_orphan(struct plan *p, const char *resource, struct slice namespace, struct slice name, const char *uid,
                        const struct plan_owner *owners, size_t owner_count);

/* An event about `object`. `type` "Normal" or "Warning". `wall_us`: now. */
void plan_event(struct plan *p, const struct json *object, const char *component, const char *type, const char *reason,
                const char *message, int64_t wall_us);

#endif
