/* Who a caller is and what it may do: a fixed table for the system's own users, and RBAC (rbac.h) beside it. A request
 * is allowed when one of the two allows it. */
#ifndef APISERVER_AUTHZ_H
#define APISERVER_AUTHZ_H

#include "apiserver/route.h"
#include "apiserver/status.h"
#include "common/base.h"
#include "common/net.h"

#define USER_GROUPS_MAX 32

struct user {
    struct slice name, uid;
    struct slice groups[USER_GROUPS_MAX]; /* more are dropped */
    size_t group_count;
    const struct json *extra; /* an object of lists of strings; NULL: none */
};

/* A client certificate: its CN, and every O a group. Without one: system:anonymous. Borrows from `peer`. */
void user_from_peer(const struct net_peer *peer, struct user *ret);
void user_add_group(struct user *u, struct slice group);
bool user_in_group(const struct user *u, struct slice group);

/* What a caller wants to do. */
struct attributes {
    bool is_resource;
    struct slice verb, group, resource, subresource, namespace, name, path;
};
void attributes_of(const struct route *r, struct slice path, struct attributes *ret);
/* "pods/log" */
void attributes_resource(const struct attributes *a, struct buf *out);

/* The fixed table alone. */
bool authz_system(const struct user *u, const struct attributes *a);

struct rbac;
/* 0, or ERR_FORBIDDEN with Kubernetes' text. */
int authorize(struct rbac *rbac, const struct user *u, const struct route *r, struct slice path, struct failure *f);

#endif
