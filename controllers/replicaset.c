/* replicaset: as many pods of a template as asked for, chosen by a label selector. */
#include "common/base.h"

#include "controllers/controllers.h"
#include "controllers/replicas.h"

static const struct replicas_kind kind = {"replicasets.apps", "ReplicaSet", "replicaset-controller", false};

static void pod_keys(const struct view *v, struct object *pod, void (*add)(void *arg, struct slice key), void *arg)
{
    replicas_pod_keys(&kind, v, pod, add, arg);
}

static const struct controller_watch replicaset_watches[] = {
    {.resource = "replicasets.apps"},
    {.resource = "pods", .keys = pod_keys},
    {0},
};

static void replicaset_reconcile(const struct view *v, struct slice key, struct plan *plan)
{
    replicas_reconcile(&kind, v, key, plan);
}

const struct controller controller_replicaset = {
    .name = "replicaset",
    .watches = replicaset_watches,
    .reconcile = replicaset_reconcile,
};
