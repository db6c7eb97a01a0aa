/* What every container of a pod finds in /etc/hosts and /etc/resolv.conf: pure. */
#ifndef NODEAGENT_POD_ETC_H
#define NODEAGENT_POD_ETC_H

#include "common/base.h"
#include "common/buf.h"
#include "nodeagent/pod_spec.h"

#define RESOLVER_SERVERS_MAX 3 /* resolv.conf(5) reads no more */
#define RESOLVER_SEARCHES_MAX 32
#define RESOLVER_SEARCH_BYTES_MAX 2048
#define RESOLVER_OPTIONS_MAX 32

struct pod_etc_options {
    const struct pod *pod;
    const char *address;                     /* of the pod */
    const char *cluster_dns, *cluster_domain; /* cluster_dns NULL or "": the cluster has no DNS */
    struct slice node_file;                  /* the node's own /etc/hosts or /etc/resolv.conf */
};

/* By dnsPolicy and dnsConfig. Returns what could not be done as asked, for an event (a literal), or NULL. */
const char *pod_resolver_build(const struct pod_etc_options *o, struct buf *out);
void pod_hosts_build(const struct pod_etc_options *o, struct buf *out);

#endif
