/* One worker per pod uid: feeds pod_sync with what is wanted and what is, and carries its actions out one at a time. */
#ifndef NODEAGENT_POD_WORKER_H
#define NODEAGENT_POD_WORKER_H

#include "common/base.h"
#include "common/env.h"
#include "common/kube/client.h"
#include "nodeagent/events.h"
#include "nodeagent/pod_sync.h"
#include "nodeagent/runtime.h"

struct pod_worker;

struct pod_worker_options {
    struct env *env;
    struct runtime *runtime;
    struct kube_client *client;
    struct events *events;
    const char *host_ip;
    void (*forgotten)(void *arg, struct pod_worker *w); /* nothing is left: free it, in this call or later */
    void *arg;
}; /* must outlive the workers */

struct pod_worker *pod_worker_new(const struct pod_worker_options *o, const char *uid);
const char *pod_worker_uid(const struct pod_worker *w);

void pod_worker_found(struct pod_worker *w, const struct runtime_found *f); /* before the first update or gone */
void pod_worker_update(struct pod_worker *w, struct pod *p);                /* takes `p` */
void pod_worker_gone(struct pod_worker *w);                                 /* the API has no such pod */
void pod_worker_ended(struct pod_worker *w, const char *container, unsigned attempt, const struct runtime_exit *exit);

/* Does nothing new from now on; `closed` when no call of it is open. Containers run on. */
void pod_worker_close(struct pod_worker *w, void (*closed)(void *arg), void *arg);
void pod_worker_free(struct pod_worker *w); /* forgotten or closed */

/* For the log server: the current pod, NULL before the first update; attempts of a container, 0 when unknown. */
const struct pod *pod_worker_pod(const struct pod_worker *w);
unsigned pod_worker_attempts(const struct pod_worker *w, const char *container);
bool pod_worker_runs(const struct pod_worker *w, const char *container);

#endif
