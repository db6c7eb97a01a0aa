/* Addresses of pods: CNI's bridge and host-local plugins, run in the agent's own network namespace (the node's). A pod's
 * namespace is named by its sandbox's first process, which keeps it open: when that process ends, the namespace and
 * both ends of its veth are gone, and nothing on the machine has to be cleaned up. */
#ifndef NODEAGENT_NETNS_H
#define NODEAGENT_NETNS_H

#include "common/base.h"
#include "common/env.h"
#include "common/err.h"

#define NETNS_ADDRESS_MAX 46
#define NETNS_TIMEOUT_MS 30000

struct netns_options {
    const char *root;     /* the node's own folder, for the address store */
    const char *pod_cidr; /* "10.244.1.0/24" */
    const char *plugins;  /* folder of the CNI plugins */
};

struct netns_call {
    void (*done)(struct netns_call *c, int status, const struct err *why);
    void *data;
    char address[NETNS_ADDRESS_MAX]; /* of an add */

    struct proc_run run; /* of this file, like all that follows */
    struct buf conf;
    const char *argv[2];
    char *environment[8], *program;
    struct err err;
    bool adding;
};

/* `id` names the sandbox; `pid` its first process. */
void netns_add(struct env *env, const struct netns_options *o, const char *id, int pid, struct netns_call *c);
/* Gives the address back. Harmless when there is none, or when the process is gone. */
void netns_remove(struct env *env, const struct netns_options *o, const char *id, int pid, struct netns_call *c);

#endif
