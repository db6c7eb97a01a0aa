/* What carries rules out. One backend exists: nftables, one table `ip kube-proxy` in the network namespace of the
 * process. Calls return when the kernel has taken the change, as one transaction: all of it or nothing. */
#ifndef NETPROXY_BACKEND_H
#define NETPROXY_BACKEND_H

#include "common/base.h"
#include "common/err.h"
#include "netproxy/model.h"

struct backend;

/* `cluster_cidr` ("10.244.0.0/16"): sources outside of it are masqueraded. Nothing is touched before the first apply.
 */
int backend_new(const char *cluster_cidr, struct backend **ret, struct err *reterr);
void backend_free(struct backend *b); /* the rules stay: traffic flows on while the proxy restarts */

/* The first apply replaces the table, later ones change only what differs from the rules applied before. After an error
 * the kernel holds what it held, and the next apply replaces everything. */
int backend_apply(struct backend *b, const struct rules *r, struct err *reterr);

struct backend_figures {
    uint64_t transactions, failures;
    uint64_t flows_forgotten; /* UDP entries of endpoints that left */
    size_t elements;          /* of all maps and sets */
    size_t last_changed;      /* elements added or removed by the last transaction */
};
struct backend_figures backend_figures(const struct backend *b);

#endif
