/* As many pods of a template as asked for: what ReplicaSet and ReplicationController do alike. */
#ifndef CONTROLLERS_REPLICAS_H
#define CONTROLLERS_REPLICAS_H

#include "common/base.h"
#include "controllers/controller.h"
#include "controllers/plan.h"

struct replicas_kind {
    const char *resource, *kind, *component;
    bool map; /* its selector is a plain map of labels */
};

void replicas_pod_keys(const struct replicas_kind *k, const struct view *v, struct object *pod,
                       void (*add)(void *arg, struct slice key), void *arg);
void replicas_reconcile(const struct replicas_kind *k, const struct view *v, struct slice key, struct plan *plan);

#endif
