/* Addresses of pods: CNI's bridge and host-local plugins, run in the agent's own network namespace (the node's), and its
 * portmap plugin for pods with host ports; which ports those are is kept beside the addresses until the pod is gone. A pod's
 * namespace is named by its sandbox's first process, which keeps it open: when that process ends, the namespace and
 * both ends of its veth are gone, and nothing on the machine has to be cleaned up. */
#ifndef NODEAGENT_NETNS_H
#define NODEAGENT_NETNS_H

#include "common/base.h"
#include "common/env.h"
#include "common/err.h"
#include "nodeagent/pod_spec.h"

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

    struct env *env; /* of this file, like all that follows */
    const struct netns_options *o;
    struct proc_run run;
    struct buf conf, ports; /* ports: the plugin's portMappings; empty: none */
    const char *argv[2];
    char *environment[8], *program, *id;
    int pid;
    struct err err;
    bool adding, mapping; /* mapping: portmap runs, not bridge */
};

/* `id` names the sandbox; `pid` its first process; `p` is needed during the call only. */
void netns_add(struct env *env, const struct netns_options *o, const char *id, int pid, const struct pod *p, struct netns_call *c);
/* Gives address and ports back. Harmless when there are none. */
void netns_remove(struct env *env, const struct netns_options *o, const char *id, struct netns_call *c);

#endif
