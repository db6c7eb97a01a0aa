/* The runtime configuration (OCI config.json) of one container or of a pod's sandbox: pure. */
#ifndef NODEAGENT_OCI_SPEC_H
#define NODEAGENT_OCI_SPEC_H

#include "common/base.h"
#include "common/buf.h"
#include "common/err.h"
#include "common/json.h"
#include "nodeagent/environment.h"
#include "nodeagent/pod_spec.h"

struct oci_bind {
    const char *source, *target;
    bool read_only;
};

struct oci_spec_options {
    const struct pod *pod;
    const struct pod_container *container; /* NULL: the sandbox */
    const struct json *image;              /* the image's configuration */
    const char *cgroup;                    /* "/keelson/kubepods/…" */
    const struct pod_data *data;
    struct environment_facts facts;
    size_t *ret_skipped;                   /* keys of envFrom that name no variable; NULL: nobody asks */
    const char *hostname;
    int sandbox_pid;                       /* whose namespaces a container joins */
    const struct oci_bind *binds;
    size_t bind_count;
    uint64_t capabilities;                 /* what the agent may hand on, as a bit set */
    uint64_t open_files_max;
    uint64_t memory_capacity_bytes;        /* of the node, for the OOM score */
};

/* Appends config.json. ERR_INVALID where the container cannot be configured; the message says why, for
 * CreateContainerConfigError. */
int oci_spec_build(const struct oci_spec_options *o, struct buf *out, struct err *reterr);

/* cpu.shares and cpu.cfs_quota_us of requests and limits, as the kubelet computes them. */
int64_t oci_cpu_shares(int64_t milli); /* -1 (no request): 2 */
int64_t oci_cpu_quota_us(int64_t milli); /* of a period of 100 000 */

/* Gives a process object a terminal: the flag, and TERM=xterm in its environment where that names none. */
void oci_set_terminal(struct json_doc *d, struct json *process);

#endif
