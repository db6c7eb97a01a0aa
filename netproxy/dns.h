/* The node's DNS server: names of the cluster from a zone (dns_zone.h), everything else from the node's own servers.
 * UDP and TCP on one address. */
#ifndef NETPROXY_DNS_H
#define NETPROXY_DNS_H

#include "common/base.h"
#include "common/env.h"
#include "netproxy/dns_zone.h"

#define DNS_UPSTREAMS_MAX 3
#define DNS_UPSTREAM_WAIT_MS 1000 /* per server; each is asked once, so that all together fail before clients give up */
#define DNS_FORWARDS_MAX 1000     /* questions under way elsewhere; beyond it clients are told to try again */
#define DNS_CLIENTS_MAX 500       /* TCP connections */
#define DNS_CLIENT_IDLE_MS 10000

struct dns;

struct dns_options {
    const char *listen;                       /* "10.96.0.10:53" */
    const char *domain;                       /* "cluster.local"; outlives it */
    const char *upstreams[DNS_UPSTREAMS_MAX]; /* "10.0.0.2:53"; NULL: none */
};

int dns_new(struct env *env, const struct dns_options *o, struct dns **ret, struct err *reterr);
void dns_set_zone(struct dns *d,
                  struct dns_zone *zone); /* takes its content; before the first one names of the cluster fail */
void dns_metrics(const struct dns *d, struct buf *out);
void dns_close(struct dns *d, void (*closed)(void *arg), void *arg);

/* The "nameserver" lines of a resolv.conf, as "address:53", into `ret`: how many there are. */
size_t dns_upstreams_read(struct slice text, char ret[DNS_UPSTREAMS_MAX][64]);
/* "10.0.0.2,10.0.0.3:5353" into `ret`. ERR_BAD_REQUEST names what does not parse. */
int dns_upstreams_parse(struct slice list, char ret[DNS_UPSTREAMS_MAX][64], size_t *ret_count, struct err *reterr);

#endif
