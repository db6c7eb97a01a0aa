/* The component: runs the table of controllers while it holds the Lease. Also what its controllers share. */
#ifndef CONTROLLERS_CONTROLLERS_H
#define CONTROLLERS_CONTROLLERS_H

#include "common/base.h"
#include "common/env.h"
#include "common/kube/client.h"
#include "controllers/controller.h"
#include "controllers/plan.h"

struct controllers;

struct controllers_options {
    struct kube_client *client; /* outlives it */
    const char *identity;       /* unique per process */
    struct slice root_ca;       /* PEM, copied; for kube-root-ca.crt; empty: none is published */
    unsigned lease_ms, renew_ms, retry_ms; /* of the leader's Lease; 0: 5000, 3500, 1000 */
};

struct controllers *controllers_new(struct env *env, const struct controllers_options *o);
bool controllers_leads(const struct controllers *c);
void controllers_close(struct controllers *c, void (*closed)(void *arg), void *arg);

extern const struct controller controller_deployment, controller_disruption, controller_endpoints, controller_endpointslice, controller_garbage,
    controller_namespace, controller_node_lifecycle, controller_pod_gc, controller_replicaset,
    controller_replication_controller, controller_root_ca, controller_service_account, controller_taint_eviction;

/* Adds "namespace/name" of the controller owner of `o` when it is of that kind. */
void controller_owner_key(struct object *o, const char *kind, void (*add)(void *arg, struct slice key), void *arg);

/* A list of one owner reference: `owner` is the controller, and blocks its foreground deletion. */
struct json *controller_reference(struct json_doc *d, const struct json *owner);

/* Sets a count that is absent when it is 0, as Kubernetes prints it. */
void set_count(struct json_doc *d, struct json *status, const char *name, int64_t count);

/* A count, or a percentage of `total` rounded up or down, as maxSurge, maxUnavailable and minAvailable are written. */
int64_t count_or_percent(const struct json *v, int64_t total, bool up);

/* Plans a status write of `object` unless it has that status already. */
void plan_status(struct plan *p, const char *resource, const struct json *object, struct json *status);

/* The condition of that type in `status`, or NULL. */
struct json *condition_find(const struct json *status, const char *type);
/* Sets one condition and returns it; its lastTransitionTime moves only when its status does. */
struct json *condition_set(struct json_doc *d, struct json *status, const char *type, const char *is, const char *reason,
                           const char *message, int64_t wall_us);

#endif
