/* Shared by runtime_oci.c and runtime_stream.c. */
#ifndef NODEAGENT_RUNTIME_OCI_PARTS_H
#define NODEAGENT_RUNTIME_OCI_PARTS_H

#include "common/list.h"
#include "nodeagent/host.h"
#include "nodeagent/runtime_oci.h"

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
/* EXEC_FOLDER/process.json: the container's own process with other arguments; same user, environment, folder and rights. */
int runtime_oci_process_write(const char *container_folder, const char *exec_folder, const char *const *command, bool terminal,
                              struct err *reterr);

/* runtime_stream.c */
void runtime_oci_stream_start(void *impl, struct runtime_stream *s);
void runtime_oci_stream_write(struct runtime_stream *s, struct slice bytes);
void runtime_oci_stream_input_end(struct runtime_stream *s);
void runtime_oci_stream_pause(struct runtime_stream *s, bool paused);
void runtime_oci_stream_resize(struct runtime_stream *s, unsigned width, unsigned height);
void runtime_oci_stream_cancel(struct runtime_stream *s);

#endif
