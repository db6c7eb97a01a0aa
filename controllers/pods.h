/* The pods of one owner as workload controllers judge them. */
#ifndef CONTROLLERS_PODS_H
#define CONTROLLERS_PODS_H

#include "common/base.h"
#include "common/kube/object.h"
#include "controllers/controller.h"

struct pod_fact {
    struct object *object; /* borrowed from the view */
    struct json *tree;     /* in the plan's doc */
    bool assigned, running, ready;
    int64_t ready_since_us, created_us;
    int64_t deletion_cost;
    int64_t restarts;
};

struct pod_list {
    struct pod_fact *pods;
    size_t count, capacity;
};

/* Appends an active one, as claim_owned calls it: neither finished nor being deleted. `list` is a struct pod_list. */
void pod_list_add(void *list, struct object *o, struct json *tree);
void pod_list_release(struct pod_list *l);

/* Ready for at least `min_ready_s`; when not yet, *again_ms is lowered to the time left. */
bool pod_available(const struct pod_fact *p, int64_t min_ready_s, int64_t wall_us, uint64_t *again_ms);
bool pod_has_labels(const struct pod_fact *p, const struct json *labels);

/* Whom it costs least to lose comes first: unassigned, pending, unready, cheap, ready for the shortest time, restarting,
 * youngest (the order of Kubernetes' ActivePodsWithRanks). */
void pod_list_sort_for_deletion(struct pod_list *l);

#endif
