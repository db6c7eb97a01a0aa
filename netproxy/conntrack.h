/* The kernel's table of connections: UDP clients that keep on sending keep their entry, and with it an endpoint that
 * has left, for ever. After a change the proxy has such entries forgotten. (TCP clients notice by themselves.) */
#ifndef NETPROXY_CONNTRACK_H
#define NETPROXY_CONNTRACK_H

#include "common/base.h"
#include "common/err.h"

struct conntrack_flow {
    uint32_t service; /* IPv4 in host order; 0: any address of this machine (a node port) */
    uint32_t endpoint;
    uint16_t service_port, endpoint_port;
};

/* Forgets the UDP entries that lead from such a service to such an endpoint. One reading of the table, whatever `count`
 * is. */
int conntrack_forget_udp(const struct conntrack_flow *flows, size_t count, size_t *ret_forgotten, struct err *reterr);

#endif
