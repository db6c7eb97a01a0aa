/* A controller is a table row: what it watches, and one pure function from a view to a plan. `reconcile` is
 * level-triggered and idempotent; it reads `view`, writes `plan` and remembers nothing. */
#ifndef CONTROLLERS_CONTROLLER_H
#define CONTROLLERS_CONTROLLER_H

#include "common/base.h"
#include "common/json.h"
#include "common/kube/object.h"

/* The snapshot a reconcile sees: the caches of the kinds its controller watches, and the time. */
struct view {
    struct object *(*get)(const struct view *v, const char *resource, struct slice key); /* borrowed; NULL when absent */
    void (*owned)(const struct view *v, const char *resource, const char *owner_uid,
                  void (*each)(void *arg, struct object *o), void *arg);
    void (*list)(const struct view *v, const char *resource, void (*each)(void *arg, struct object *o), void *arg);
    int64_t wall_us;
    struct slice root_ca; /* PEM of the authority behind the apiservers; empty: not told */
    void *impl;
};

struct plan; /* plan.h: creates, updates, deletes, status writes and events a reconcile asks for */

struct controller_watch {
    const char *resource; /* "pods", "replicasets.apps", "*" */
    /* Appends the keys to reconcile when `o` changed; NULL: the object's own key. */
    void (*keys)(const struct view *v, struct object *o, void (*add)(void *arg, struct slice key), void *arg);
    /* The same for a row that watches every cached resource, "*": it needs to be told which. */
    void (*keys_of)(const struct view *v, const char *resource, struct object *o,
                    void (*add)(void *arg, struct slice key), void *arg);
};

struct controller {
    const char *name;                      /* metric and log label */
    const struct controller_watch *watches; /* ends with a NULL resource */
    void (*reconcile)(const struct view *v, struct slice key, struct plan *plan);
};

#endif
