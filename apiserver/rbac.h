/* RBAC over the watch caches of its four kinds: an index of roles and bindings, made again when one of the caches has
 * changed. Purely additive: whoever no binding allows is not allowed. */
#ifndef APISERVER_RBAC_H
#define APISERVER_RBAC_H

#include "apiserver/authz.h"
#include "apiserver/watch_cache.h"
#include "common/base.h"
#include "common/buf.h"

struct rbac;

struct rbac_caches {
    const struct watch_cache *roles, *cluster_roles, *role_bindings, *cluster_role_bindings; /* borrowed */
};

struct rbac *rbac_new(const struct rbac_caches *caches);
void rbac_free(struct rbac *r); /* NULL is fine */

/* `reason` (may be NULL) gets which binding allows it. */
bool rbac_allows(struct rbac *r, const struct user *u, const struct attributes *a, struct buf *reason);

/* The roles that bindings of this user name and that are not there: `: RBAC: role.rbac.authorization.k8s.io "x" not found`, or nothing. */
void rbac_dangling(struct rbac *r, const struct user *u, const struct attributes *a, struct buf *out);

/* Calls `rule` for every rule that holds for the user cluster-wide or in `namespace`. */
void rbac_rules(struct rbac *r, const struct user *u, struct slice namespace,
                void (*rule)(void *arg, const struct json *policy_rule), void *arg);

/* The rules of a role by its reference; an empty list when it does not exist. */
const struct json *rbac_role_rules(struct rbac *r, struct slice kind, struct slice namespace, struct slice name);

#endif
