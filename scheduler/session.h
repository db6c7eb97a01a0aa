/* Scheduling while this process leads: caches, the queue of pending pods, bindings under way. */
#ifndef SCHEDULER_SESSION_H
#define SCHEDULER_SESSION_H

#include "common/base.h"
#include "common/env.h"
#include "common/kube/client.h"

struct scheduler_session;

struct scheduler_session *scheduler_session_new(struct env *env, struct kube_client *client, const char *scheduler_name);
void scheduler_session_close(struct scheduler_session *s, void (*closed)(void *arg), void *arg);

#endif
