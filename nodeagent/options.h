/* The agent's command line. */
#ifndef NODEAGENT_OPTIONS_H
#define NODEAGENT_OPTIONS_H

#include "common/base.h"
#include "common/err.h"
#include "common/kube/client.h"
#include "nodeagent/nodeagent.h"

struct options {
    const char *name, *node_ip, *apiservers, *ca, *cert, *key, *listen, *server_cert, *server_key, *root, *pod_cidr;
    const char *images, *runtime, *cgroup_root, *pause_image, *cni_plugins, *log_level, *cluster_dns, *cluster_domain;
    bool insecure_registry;
    enum log_level level;
    char *endpoints[KUBE_ENDPOINTS_MAX];
    size_t endpoint_count;
};

/* 0, 1 when help was asked for and printed, ERR_BAD_REQUEST naming the flag. */
int agent_options_parse(int argc, char **argv, char *(*lookup)(const char *name), struct options *ret, struct err *reterr);
struct nodeagent_options agent_options_component(const struct options *o, struct tls *tls, const char *self);
void agent_options_release(struct options *o);

#endif
