/* The component, one per node: Services into packet rules, and the node's cluster DNS. */
#ifndef NETPROXY_NETPROXY_H
#define NETPROXY_NETPROXY_H

#include "common/base.h"
#include "common/env.h"
#include "common/kube/client.h"

struct netproxy;

#define NETPROXY_SETTLE_MS 50      /* at most one transaction in this time: changes that come together are one */
#define NETPROXY_RETRY_MIN_MS 1000 /* after the kernel refused */
#define NETPROXY_RETRY_MAX_MS 30000

struct netproxy_options {
    struct kube_client *client; /* outlives it */
    const char *node_name;
    const char *cluster_cidr;   /* "10.244.0.0/16" */
    const char *cluster_domain; /* "cluster.local" */
    const char *dns_address;    /* "10.96.0.10", made an address of this machine; "" : no DNS */
    unsigned dns_port;
    struct slice resolv_conf;   /* text of the node's own, borrowed for the call */
    struct slice dns_upstreams; /* "10.0.0.2,10.0.0.3:5353": asked instead of those; empty: none said */
    void (*serving)(void *arg); /* once: the DNS address is there and answers; NULL: nobody asks */
    void *arg;
};

/* Texts are copied. ERR_BAD_REQUEST for what does not parse. */
int netproxy_new(struct env *env, const struct netproxy_options *o, struct netproxy **ret, struct err *reterr);
bool netproxy_ready(const struct netproxy *n); /* the rules in the kernel are those of a complete list */
void netproxy_metrics(const struct netproxy *n, struct buf *out);
/* The rules stay in the kernel. */
void netproxy_close(struct netproxy *n, void (*closed)(void *arg), void *arg);

#endif
