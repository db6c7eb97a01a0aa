/* Whether an eviction may delete a pod: disruption budgets (policy/v1 PodDisruptionBudget) that select it. Pure. */
#ifndef APISERVER_DISRUPTION_H
#define APISERVER_DISRUPTION_H

#include "apiserver/status.h"
#include "common/base.h"
#include "common/json.h"

#define DISRUPTED_PODS_MAX 2000 /* evictions that a budget's controller has not seen yet */

/* `budgets` are those of the pod's namespace. 0 with *ret_spent the index of the one that pays for this eviction,
 * changed in place and to be stored with it, or SIZE_MAX when none does: the pod has not begun, has ended, is going, is
 * not ready where its budget does not protect such, or nobody protects it. ERR_BUSY: the budget is spent;
 * ERR_UNEXPLAINED: two budgets select it. */
int disruption_decide(struct json_doc *d, const struct json *pod, struct json **budgets, size_t n, int64_t now_us,
                      size_t *ret_spent, struct failure *f);

#endif
