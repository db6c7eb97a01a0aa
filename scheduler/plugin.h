/* A scheduler plugin is a table row of pure functions over one cycle's snapshot. Semantics of the extension points:
 * Kubernetes scheduling framework (KEP-624). */
#ifndef SCHEDULER_PLUGIN_H
#define SCHEDULER_PLUGIN_H

#include "common/base.h"

struct pod_info;  /* snapshot.h: what scheduling needs of a pod */
struct node_info; /* snapshot.h: a node with what its pods already take */
struct snapshot;

struct plugin {
    const char *name; /* "NodeResourcesFit" */
    /* NULL when `pod` fits on `node`, else a reason ("Insufficient cpu") that lives as long as the node in `s`. */
    const char *(*filter)(const struct snapshot *s, const struct pod_info *pod, const struct node_info *node);
    /* 0..100, more is better; weighted by `weight`. */
    int64_t (*score)(const struct snapshot *s, const struct pod_info *pod, const struct node_info *node);
    int64_t weight;
    bool eviction_helps; /* its reasons would go away with pods of the node: what preemption asks */
};

#endif
