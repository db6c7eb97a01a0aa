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
    PLAN_DELETE,          /* with a uid precondition; background propagation unless told */
    PLAN_DELETE_ORPHAN,   /* the same, if a look at the server shows that each of its owners is gone */
    PLAN_DELETE_COLLECTION, /* all objects of a resource in a namespace; fine when the cluster does not serve it */
    PLAN_FINALIZE,        /* PUT `body` to the finalize subresource, once a look at the server shows `empty` so */
    PLAN_EVENT,           /* POST of an event: best effort, never a reason to fail */
};

struct plan_owner {
    const char *path, *uid; /* uid NULL: whatever has that name */
};

/* The event that follows an action when it has ended. */
struct plan_told {
    const struct json *about;
    const char *component, *reason, *text;
    bool names;                              /* the text ends with the name that the new object got */
    const char *failed_reason, *failed_text; /* the text ends with the error; NULL: a failure is not told */
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
    const struct plan_told *told; /* NULL: nothing is said */
    const char *const *empty;     /* of PLAN_FINALIZE: paths of collections; ends with NULL */
    bool waits;                   /* not begun before all earlier ones have ended */
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
/* The action planned last has an event follow it; nothing when the plan was full. */
void plan_told(struct plan *p, const struct plan_told *told);
/* Appends the event of a create that has ended: `error` NULL, or why it failed. */
void plan_tell(struct plan *p, const struct plan_told *told, struct slice name, const char *error, int64_t wall_us);
/* The deletion planned last gives no grace. */
void plan_without_grace(struct plan *p);
void plan_update(struct plan *p, const char *resource, struct slice namespace, struct slice name, const char *subresource,
                 struct json *body);
void plan_patch(struct plan *p, const char *resource, struct slice namespace, struct slice name, struct json *body);
void plan_delete(struct plan *p, const char *resource, struct slice namespace, struct slice name, const char *uid);
void plan_delete_with(struct plan *p, const char *resource, struct slice namespace, struct slice name, const char *uid,
                      const char *propagation);
void plan_delete_collection(struct plan *p, const char *resource, struct slice namespace);
/* Takes the namespace controller's hold off: `body` is the namespace without it. */
void plan_finalize(struct plan *p, struct slice name, struct json *body, const char *const *empty);
void plan_delete_orphan(struct plan *p, const char *resource, struct slice namespace, struct slice name, const char *uid,
                        const struct plan_owner *owners, size_t owner_count);

/* An event about `object`. `type` "Normal" or "Warning". `wall_us`: now. */
void plan_event(struct plan *p, const struct json *object, const char *component, const char *type, const char *reason,
                const char *message, int64_t wall_us);

#endif
