/* Runs the table of controllers: caches, a queue per controller, plans carried out. Exists while this process leads. */
#ifndef CONTROLLERS_RUNTIME_H
#define CONTROLLERS_RUNTIME_H

#include "common/base.h"
#include "common/env.h"
#include "common/kube/client.h"

struct controller_runtime;

/* `root_ca` is borrowed for its life. */
struct controller_runtime *controller_runtime_new(struct env *env, struct kube_client *client, struct slice root_ca);
/* Starts nothing more, cancels what is under way, then calls `closed`. */
void controller_runtime_close(struct controller_runtime *r, void (*closed)(void *arg), void *arg);

#endif
