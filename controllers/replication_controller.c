/* replicationcontroller: the older sibling of replicaset; its selector is a map of labels. */
#include "common/base.h"

#include "controllers/controllers.h"
#include "controllers/replicas.h"

static const struct replicas_kind kind = {"replicationcontrollers", "ReplicationController", "replication-controller", true};

static void pod_keys(const struct view *v, struct object *pod, void (*add)(void *arg, struct slice key), void *arg)
{
    replicas_pod_keys(&kind, v, pod, add, arg);
}

static const struct controller_watch replication_controller_watches[] = {
    {.resource = "replicationcontrollers"},
    {.resource = "pods", .keys = pod_keys},
    {0},
};

static void replication_controller_reconcile(const struct view *v, struct slice key, struct plan *plan)
{
    replicas_reconcile(&kind, v, key, plan);
}

const struct controller controller_replication_controller = {
    .name = "replicationcontroller",
    .watches = replication_controller_watches,
    .reconcile = replication_controller_reconcile,
};
