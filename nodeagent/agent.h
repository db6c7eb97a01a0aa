/* Shared by nodeagent.c and server.c. */
#ifndef NODEAGENT_AGENT_H
#define NODEAGENT_AGENT_H

#include "common/kube/informer.h"
#include "common/list.h"
#include "common/map.h"
#include "nodeagent/events.h"
#include "nodeagent/image.h"
#include "nodeagent/nodeagent.h"
#include "nodeagent/pod_worker.h"
#include "nodeagent/report.h"
#include "nodeagent/runtime_oci.h"

#define AGENT_WORKERS_MAX 512 /* pods on one node, leaving ones included */
#define AGENT_FOLLOWERS_MAX 256

struct nodeagent {
    struct env *env;
    char *name, *node_ip, *root, *pod_cidr, *runtime_program, *runtime_version;
    struct kube_client *client;
    struct events *events;
    struct image_store *images;
    struct runtime runtime;
    struct runtime_oci *oci;
    struct informer *pods;
    struct report *report;      /* NULL until the runtime has told its version */
    struct report_options report_options;
    struct proc_run version_run;
    const char *version_argv[3];
    struct pod_worker_options worker_options;
    struct map workers; /* uid → struct pod_worker */
    struct list log_streams;
    size_t log_stream_count;
    struct list sessions; /* of exec and attach, streams.c */
    size_t session_count;
    void (*sessions_closed)(struct nodeagent *a); /* once none is left; NULL: not closing */
    void (*closed)(void *arg);
    void *closed_arg;
    bool closing;
    size_t workers_closing;
};

struct pod_worker *agent_worker_named(struct nodeagent *a, struct slice namespace, struct slice name);
void agent_server_close(struct nodeagent *a); /* ends every log stream */

#endif
