/* The runtime over an OCI runtime program (crun, runc), one shim per container, overlayfs and CNI.
 *
 *   ROOT/run/UID/pod.json                    what the sandbox is: namespace, name, uid, qos, address
 *   ROOT/run/UID/sandbox/                    bundle and state of the sandbox's container
 *   ROOT/run/UID/containers/NAME/ATTEMPT/    bundle and state of a container
 *   ROOT/run/UID/volumes/NAME/               emptyDir volumes
 *   ROOT/runtime/                            the runtime program's own state
 *   ROOT/logs/pods/NS_POD_UID/NAME/ATTEMPT.log
 */
#ifndef NODEAGENT_RUNTIME_OCI_H
#define NODEAGENT_RUNTIME_OCI_H

#include "common/base.h"
#include "common/env.h"
#include "nodeagent/image.h"
#include "nodeagent/netns.h"
#include "nodeagent/runtime.h"

struct runtime_oci;

struct runtime_oci_options {
    const char *root;        /* absolute */
    const char *program;     /* "crun" or "runc" */
    const char *self;        /* this program, for shims */
    const char *cgroup_root; /* "keelson-1a2b/node-1" */
    const char *node_ip;
    const char *pause_image;
    const char *cluster_dns, *cluster_domain; /* NULL: none, "cluster.local" */
    struct netns_options network;
    struct image_store *images;
    struct runtime_events events;
};

/* Texts are copied; `env` and `images` outlive it. */
int runtime_oci_new(struct env *env, const struct runtime_oci_options *o, struct runtime *ret, struct runtime_oci **ret_oci,
                    struct err *reterr);
void runtime_oci_free(struct runtime_oci *r); /* no call may be open; containers run on */

/* ROOT/logs/pods/NS_POD_UID/NAME, terminated, of the caller. */
char *runtime_oci_log_folder(const char *root, const char *namespace, const char *name, const char *uid, const char *container);

#endif
