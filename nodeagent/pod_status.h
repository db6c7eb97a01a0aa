/* The status of a pod as the API shows it: pure. */
#ifndef NODEAGENT_POD_STATUS_H
#define NODEAGENT_POD_STATUS_H

#include "common/base.h"
#include "common/json.h"
#include "nodeagent/pod_sync.h"

struct pod_status_options {
    const struct pod *pod;
    const struct pod_observed *observed;
    const char *host_ip;
    int64_t now_ms;              /* wall */
    int64_t accepted_ms;         /* wall: when this node first saw it */
    const struct json *previous; /* status before, for transition times and conditions of others; NULL: none */
};

/* A fresh object in `d`. */
struct json *pod_status_build(const struct pod_status_options *o, struct json_doc *d);

#endif
