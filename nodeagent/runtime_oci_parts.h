/* Shared by runtime_oci.c, runtime_oci_shims.c and runtime_stream.c. */
#ifndef NODEAGENT_RUNTIME_OCI_PARTS_H
#define NODEAGENT_RUNTIME_OCI_PARTS_H

#include "common/list.h"
#include "nodeagent/host.h"
#include "nodeagent/runtime_oci.h"

#define RUNTIME_OCI_START_TIMEOUT_MS 60000
#define RUNTIME_OCI_STATE_BYTES_MAX 65536 /* of a file in which we keep what we know */
#define RUNTIME_OCI_MESSAGE_FILE "termination-log" /* in a container's folder: its last words */

/* One running container, or the sandbox. */
struct shim_watch {
    struct runtime_oci *rt;
    struct proc_watch watch;
    struct list link;
    char *uid, *container; /* container NULL: the sandbox */
    char *id, *folder;
    unsigned attempt;
    struct proc_run cleanup;
    const char *argv[10];
};

struct runtime_oci {
    struct env *env;
    char *root, *state, *program, *self, *cgroup_root, *node_ip, *pause_image, *cluster_dns, *cluster_domain;
    struct netns_options network;
    struct image_store *images;
    struct runtime_events events;
    struct host_facts facts;
    struct list shims, calls, streams;
    uint64_t exec_count; /* names their folders */
};

/* The runtime program with its own options into `argv`; how many they are, at most 4. */
size_t runtime_oci_argv(const struct runtime_oci *rt, const char **argv);
/* The process id in FOLDER/NAME; 0: none there. */
int runtime_oci_pid(const char *folder, const char *name);
/* The number in FOLDER/NAME; 0: none there. */
int64_t runtime_oci_number(const char *folder, const char *name);
/* EXEC_FOLDER/process.json: the container's own process with other arguments; same user, environment, folder and rights. */
int runtime_oci_process_write(const char *container_folder, const char *exec_folder, const char *const *command, bool terminal,
                              struct err *reterr);

/* runtime_oci_shims.c: watches the shim `pid` until its container has ended; texts are copied. `container` NULL: the sandbox */
void runtime_oci_shim_watch(struct runtime_oci *rt, int pid, const char *uid, const char *container, unsigned attempt,
                            const char *id, const char *folder);
void runtime_oci_shims_free(struct runtime_oci *rt); /* forgets them; what runs goes on */
/* Of struct runtime_ops: what an earlier agent left, running or ended. */
int runtime_oci_recover(void *impl, void (*found)(void *arg, const struct runtime_found *f), void *arg, struct err *reterr);
/* runtime_oci.c: a shim of this pod has ended: whoever stops the pod may have waited for it. */
void runtime_oci_stop_waits_check(struct runtime_oci *rt, const char *uid);

/* runtime_stream.c */
void runtime_oci_stream_start(void *impl, struct runtime_stream *s);
void runtime_oci_stream_write(struct runtime_stream *s, struct slice bytes);
void runtime_oci_stream_input_end(struct runtime_stream *s);
void runtime_oci_stream_pause(struct runtime_stream *s, bool paused);
void runtime_oci_stream_resize(struct runtime_stream *s, unsigned width, unsigned height);
void runtime_oci_stream_cancel(struct runtime_stream *s);

#endif
