/* Where a request about a running pod goes: its container, and its node's agent. The failure of the request is set. */
#ifndef APISERVER_POD_TARGET_H
#define APISERVER_POD_TARGET_H

#include "apiserver/request.h"

#define POD_TARGET_NAME_MAX 256
#define POD_TARGET_ADDRESS_MAX 64 /* an address has 45 bytes at most, a port 5 */

/* The element of a list that has this name, or NULL. */
const struct json *pod_target_named(const struct json *list, struct slice name);
/* The container asked for, the only one, or the pod's default one. ERR_BAD_REQUEST. */
int pod_target_container(struct api_request *r, const struct json *pod, char ret_name[POD_TARGET_NAME_MAX]);
int pod_target_assigned(struct api_request *r, const struct json *pod); /* 0 or ERR_BAD_REQUEST */
/* "host:port" of the agent of the pod's node. ERR_INTERNAL names the node. */
int pod_target_node(struct api_request *r, const struct json *pod, char ret_address[POD_TARGET_ADDRESS_MAX]);
/* The same, of a node: its InternalIP, and its agent's port. ERR_INTERNAL names the node. */
int pod_target_node_ip(struct api_request *r, const struct json *node, struct slice *ret_ip, int *ret_agent_port);
void pod_target_join(struct slice ip, struct slice port, char ret_address[POD_TARGET_ADDRESS_MAX]);

#endif
