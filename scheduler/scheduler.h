/* The component: gives every pending pod a node while it holds the Lease kube-system/kube-scheduler. */
#ifndef SCHEDULER_SCHEDULER_H
#define SCHEDULER_SCHEDULER_H

#include "common/base.h"
#include "common/env.h"
#include "common/kube/client.h"

struct scheduler;

struct scheduler_options {
    struct kube_client *client; /* outlives it */
    const char *identity;       /* unique per process */
    const char *name;           /* the schedulerName it serves; NULL: default-scheduler */
    unsigned lease_ms, renew_ms, retry_ms; /* of the leader's Lease; 0: 5000, 3500, 1000 */
};

struct scheduler *scheduler_new(struct env *env, const struct scheduler_options *o);
bool scheduler_leads(const struct scheduler *s);
void scheduler_close(struct scheduler *s, void (*closed)(void *arg), void *arg);

#endif
