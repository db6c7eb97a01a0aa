/* The node agent as a component: takes the pods bound to its node from the API, runs them, reports. */
#ifndef NODEAGENT_NODEAGENT_H
#define NODEAGENT_NODEAGENT_H

#include "common/base.h"
#include "common/env.h"
#include "common/err.h"
#include "common/http.h"

struct nodeagent;
struct tls;

struct nodeagent_options {
    const char *name, *node_ip;
    const char *const *endpoints; /* of the apiservers */
    size_t endpoint_count;
    struct tls *tls;              /* towards them; a reference is taken */
    const char *root;             /* absolute; made when missing */
    const char *pod_cidr, *images, *runtime, *cgroup_root, *pause_image, *cni_plugins, *self;
    const char *cluster_dns, *cluster_domain; /* NULL: none, "cluster.local" */
    bool insecure_registry;
    unsigned port;                /* where nodeagent_handle is served, for the Node object */
};

/* Texts are copied. ERR_PERMISSION, ERR_NOT_FOUND, ERR_CORRUPT, ERR_IO: about root or images; the message names it. */
int nodeagent_new(struct env *env, const struct nodeagent_options *o, struct nodeagent **ret, struct err *reterr);
/* Stops reporting and looking; containers run on. */
void nodeagent_close(struct nodeagent *a, void (*closed)(void *arg), void *arg);

/* GET /healthz /livez /readyz, and with a client certificate of the apiserver /pods and
 * /containerLogs/NAMESPACE/POD/CONTAINER. */
void nodeagent_handle(void *agent, struct http_exchange *x);

#endif
