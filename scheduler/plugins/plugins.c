/* The table: one row each, in the order filters run (cheap ones first). */
#include "common/base.h"

#include "scheduler/framework.h"

static const struct plugin *const plugins[] = {
    &plugin_node_unschedulable,
    &plugin_node_name,
    &plugin_taint_toleration,
    &plugin_node_affinity,
    &plugin_node_ports,
    &plugin_resources_fit,
    &plugin_resources_balance,
    &plugin_spread,
    NULL,
};

const struct plugin *const *scheduler_plugins(void) { return plugins; }
