/* Who belongs to a controller owner: what names it and fits its selector. What fits and has no controller is adopted,
 * what fits no longer is released (Kubernetes' ControllerRefManager). */
#ifndef CONTROLLERS_CLAIM_H
#define CONTROLLERS_CLAIM_H

#include "common/base.h"
#include "common/kube/selector.h"
#include "controllers/controller.h"
#include "controllers/plan.h"

/* Calls `each` for every object of `resource` that `owner` has and `s` matches, with its tree in the plan's doc. The
 * number of adoptions and releases it planned instead: after these the key is reconciled again. */
size_t claim_owned(const struct view *v, struct plan *p, const char *resource, const struct json *owner,
                   const struct selector *s, void (*each)(void *arg, struct object *o, struct json *tree), void *arg);

/* The keys of those in `resource` that select `orphan`: same namespace, selector matching, whether it is going or not. `map`: their selector is a
 * plain map of labels (ReplicationController), not a LabelSelector. */
void claim_keys(const struct view *v, const char *resource, bool map, struct object *orphan,
                void (*add)(void *arg, struct slice key), void *arg);

/* The same for the labels that something has, or will have. */
void claim_keys_of_labels(const struct view *v, const char *resource, bool map, struct slice namespace, const struct json *labels,
                          void (*add)(void *arg, struct slice key), void *arg);

/* A selector out of a plain map of labels. An empty one matches nothing: ERR_INVALID. */
int selector_from_map(const struct json *labels, struct selector *ret, struct err *reterr);

#endif
