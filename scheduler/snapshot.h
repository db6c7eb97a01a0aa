/* What scheduling knows: nodes with what their pods take. Kept up to date from the caches; a cycle reads it as it stands.
 * A pod that was just bound is assumed on its node until the cache shows it. */
#ifndef SCHEDULER_SNAPSHOT_H
#define SCHEDULER_SNAPSHOT_H

#include "common/base.h"
#include "common/json.h"
#include "common/kube/object.h"
#include "common/list.h"
#include "common/map.h"

struct resource_amounts {
    int64_t cpu_milli, memory_bytes, ephemeral_bytes, pods;
};

#define HOST_PORTS_MAX 64 /* of one pod; more are not looked at */

struct host_port {
    int64_t port;
    char protocol[8], ip[46];
};

/* The pod a cycle is about. */
struct pod_info {
    const struct json *tree;
    const char *key, *uid;
    const char *owner_uid; /* NULL: none */
    struct resource_amounts requests;
};

/* A pod that takes room on a node. */
struct placed_pod {
    char *key, *node_name;
    char *owner_uid; /* NULL: none */
    struct resource_amounts requests;
    struct host_port *ports;
    size_t port_count;
    bool assumed;
    struct list link; /* in node_info.pods */
};

struct node_info {
    char *name;
    bool known; /* the Node object exists; else only pods that name it were seen */
    bool unschedulable;
    struct json_doc *doc;
    const struct json *tree; /* of the Node, in doc */
    const struct json *taint_reasons; /* in doc: per taint, why a pod that does not tolerate it is not taken */
    const struct json *cordon; /* in doc: the taint that being unschedulable amounts to */
    struct resource_amounts allocatable, used;
    struct list pods;
};

struct snapshot {
    struct map nodes;  /* name → struct node_info * */
    struct map placed; /* pod key → struct placed_pod * */
};

void snapshot_release(struct snapshot *s);
void snapshot_set_node(struct snapshot *s, const struct object *node);
void snapshot_remove_node(struct snapshot *s, struct slice name);

/* Records where a pod is; one without a node, finished or gone takes no room. Overrides an assumption. */
void snapshot_set_pod(struct snapshot *s, const struct object *pod);
void snapshot_remove_pod(struct snapshot *s, struct slice key);
void snapshot_assume(struct snapshot *s, const struct pod_info *pod, const char *node_name);
void snapshot_forget(struct snapshot *s, struct slice key); /* drops an assumption, nothing else */

/* The host ports that a pod's containers ask for; their number. */
size_t host_ports_read(const struct json *pod, struct host_port ports[HOST_PORTS_MAX]);

/* `tree` must stay while `ret` is used. */
void pod_info_read(struct pod_info *ret, const struct object *pod, const struct json *tree);

#endif
