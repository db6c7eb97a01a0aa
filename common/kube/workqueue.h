/* A queue of keys, each in it once however often it is added, with back-off per key: 5 ms doubling to 1000 s as
 * controller-manager has it. A key handed out is not handed out again until `done`. */
#ifndef COMMON_KUBE_WORKQUEUE_H
#define COMMON_KUBE_WORKQUEUE_H

#include "common/base.h"
#include "common/env.h"

struct workqueue;

struct workqueue *workqueue_new(struct env *env, unsigned concurrency, void (*work)(void *arg, struct slice key), void *arg);
void workqueue_add(struct workqueue *q, struct slice key);
void workqueue_add_after(struct workqueue *q, struct slice key, uint64_t delay_ms); /* the earlier of two wins */
void workqueue_done(struct workqueue *q, struct slice key, bool success); /* failure: again after its back-off */
void workqueue_pause(struct workqueue *q, bool paused); /* no `work` while paused */
size_t workqueue_length(const struct workqueue *q);
void workqueue_free(struct workqueue *q);

#endif
