/* Who a caller is and what it may do: a small fixed table until RBAC takes its place behind the same two functions. */
#ifndef APISERVER_AUTHZ_H
#define APISERVER_AUTHZ_H

#include "apiserver/route.h"
#include "apiserver/status.h"
#include "common/base.h"
#include "common/net.h"

struct user {
    struct slice name;
    const struct net_peer *peer; /* its organizations are the groups; NULL: anonymous */
};

/* A client certificate: its CN, and every O a group. Without one: system:anonymous. */
void user_from_peer(const struct net_peer *peer, struct user *ret);
bool user_in_group(const struct user *u, const char *group);

/* 0, or ERR_FORBIDDEN with Kubernetes' text. */
int authorize(const struct user *u, const struct route *r, struct slice path, struct failure *f);

#endif
