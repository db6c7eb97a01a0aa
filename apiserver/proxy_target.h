/* Whom a proxy's name means, and whether it may. Pure. */
#ifndef APISERVER_PROXY_TARGET_H
#define APISERVER_PROXY_TARGET_H

#include "common/base.h"
#include "common/buf.h"
#include "common/json.h"

/* "name", "name:port", "http:name:port" or "https:name:port"; the port may be empty. */
struct proxy_name {
    struct slice name, port; /* borrowed; the port is empty when there is none */
    bool https;
};
bool proxy_name_parse(struct slice text, struct proxy_name *ret); /* false: none of these */

bool proxy_is_port(struct slice text); /* a decimal from 1 to 65535 */
/* An address of somebody in the network: not this machine's own, nor a link's, nor a group's. */
bool proxy_is_address(struct slice ip);

/* The first port that a container of the pod declares; 0: none does. */
int proxy_pod_port(const struct json *pod);

/* The port's name in the Service: what `port` is, or the name of the port of that number. ERR_UNAVAILABLE with its
 * text. */
int proxy_service_port(const struct json *service, struct slice port, struct slice *ret_name, struct err *reterr);

/* The ready endpoints of a slice that have a port of this name, one after the other: *at begins with 0. False: no more.
 */
bool proxy_slice_next(const struct json *slice, struct slice port_name, size_t *at, struct slice *ret_ip,
                      int *ret_port);

#endif
