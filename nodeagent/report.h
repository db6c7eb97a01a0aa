/* What the node says about itself: its Node object, its status on change and every five minutes, its Lease every ten
 * seconds. Built by pure functions; sent one call at a time. */
#ifndef NODEAGENT_REPORT_H
#define NODEAGENT_REPORT_H

#include "common/base.h"
#include "common/kube/client.h"
#include "nodeagent/host.h"

#define REPORT_LEASE_MS 10000
#define REPORT_STATUS_MS 300000
#define REPORT_RETRY_MS 1000
#define REPORT_PODS_MAX 110
#define REPORT_IMAGES_MAX 50

struct report_facts {
    const char *name, *node_ip, *pod_cidr, *runtime_version, *agent_version;
    unsigned port; /* of the agent's own server */
    struct host_facts host;
    struct host_usage usage;
};

/* Fresh objects in `d`. `images` is taken; `previous` gives the transition times, NULL: none. */
struct json *report_node(struct json_doc *d, const struct report_facts *f);
struct json *report_status(struct json_doc *d, const struct report_facts *f, int64_t now_ms, struct json *images,
                           const struct json *previous);

struct report;

struct report_options {
    struct env *env;
    struct kube_client *client;
    struct report_facts facts; /* texts borrowed */
    const char *root;
    struct json *(*images)(void *arg, struct json_doc *d, size_t max);
    void *arg;
};

struct report *report_new(const struct report_options *o); /* begins at once */
void report_close(struct report *r, void (*closed)(void *arg), void *arg); /* and frees it */

#endif
