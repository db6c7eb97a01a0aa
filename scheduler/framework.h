/* One scheduling cycle: filters, then scores, over the table of plugins. Pure. */
#ifndef SCHEDULER_FRAMEWORK_H
#define SCHEDULER_FRAMEWORK_H

#include "common/base.h"
#include "common/buf.h"
#include "scheduler/plugin.h"
#include "scheduler/snapshot.h"

#define REASONS_MAX 32

/* Where a pod goes, or why it fits nowhere. */
struct decision {
    const char *node; /* borrowed from the snapshot; NULL: no node fits */
    size_t nodes;     /* looked at */
    struct {
        const char *text; /* "Insufficient cpu" */
        size_t nodes;
        bool eviction_helps;
    } reasons[REASONS_MAX];
    size_t reason_count;
};

/* `random` decides among equals. */
void schedule_cycle(const struct snapshot *s, const struct pod_info *pod, uint64_t random, struct decision *ret);

/* "0/3 nodes are available: 1 Insufficient cpu, 2 node(s) were unschedulable. preemption: …" */
void decision_text(const struct decision *d, struct buf *out);

/* The table; ends with NULL. */
const struct plugin *const *scheduler_plugins(void);

extern const struct plugin plugin_node_affinity, plugin_node_name, plugin_node_ports, plugin_node_unschedulable,
    plugin_resources_balance, plugin_resources_fit, plugin_spread, plugin_taint_toleration;

#endif
