/* A Pod as this node needs it: decoded once per change from the API object, pure. What the agent does not carry out yet
 * is named in `unsupported` and answered with an event and a waiting reason, never ignored. */
#ifndef NODEAGENT_POD_SPEC_H
#define NODEAGENT_POD_SPEC_H

#include "common/base.h"
#include "common/err.h"
#include "common/json.h"
#include "common/mem.h"

#define POD_CONTAINERS_MAX 64 /* of one pod, init containers included */

enum pod_restart { POD_RESTART_ALWAYS, POD_RESTART_ON_FAILURE, POD_RESTART_NEVER };
enum pod_pull { POD_PULL_ALWAYS, POD_PULL_IF_NOT_PRESENT, POD_PULL_NEVER };
enum pod_qos { POD_QOS_GUARANTEED, POD_QOS_BURSTABLE, POD_QOS_BEST_EFFORT };
enum pod_volume_kind { POD_VOLUME_UNSUPPORTED, POD_VOLUME_EMPTY_DIR, POD_VOLUME_HOST_PATH, POD_VOLUME_FILES };

enum pod_handler_kind { POD_HANDLER_NONE, POD_HANDLER_EXEC, POD_HANDLER_HTTP, POD_HANDLER_TCP, POD_HANDLER_SLEEP };
enum pod_probe_kind { POD_PROBE_STARTUP, POD_PROBE_LIVENESS, POD_PROBE_READINESS, POD_PROBE_COUNT };

/* What a probe or a lifecycle hook does. */
struct pod_handler {
    enum pod_handler_kind kind;
    const char **command;     /* of exec, NULL-terminated */
    bool https;
    const char *host, *path;  /* host NULL: the pod's address */
    int port;                 /* 0: names no port of the container */
    const struct json *headers;
    unsigned sleep_s;
};

struct pod_probe {
    struct pod_handler handler;
    unsigned delay_s, period_s, timeout_s, success_threshold, failure_threshold;
    int64_t grace_ms; /* -1: the pod's */
};

enum pod_env_from { POD_ENV_VALUE, POD_ENV_FIELD, POD_ENV_RESOURCE, POD_ENV_CONFIG_MAP, POD_ENV_SECRET };

/* "limits.cpu" of a container, in units of `divisor`. */
struct pod_resource_field {
    const char *container, *resource; /* container NULL: the one that asks */
    struct slice divisor;
};

struct pod_env {
    const char *name;
    enum pod_env_from from;
    const char *value;        /* before expansion */
    const char *field;        /* "status.podIP" */
    struct pod_resource_field resource;
    const char *object, *key; /* of a ConfigMap or Secret */
    bool optional;
};

struct pod_env_all { /* one of envFrom */
    const char *prefix, *object;
    bool secret, optional;
};

enum pod_source_kind { POD_SOURCE_CONFIG_MAP, POD_SOURCE_SECRET, POD_SOURCE_DOWNWARD, POD_SOURCE_TOKEN };

/* Where files of a volume come from. */
struct pod_source {
    enum pod_source_kind kind;
    const char *object;        /* name of the ConfigMap or Secret */
    bool optional;
    const struct json *items;  /* as the API has them; NULL: every key */
    const char *path, *audience; /* of a token; audience NULL: the API's */
    int64_t expiration_s;
};

struct pod_volume {
    const char *name;
    enum pod_volume_kind kind;
    const char *path;      /* hostPath */
    const char *path_type; /* hostPath type, "" when none */
    bool in_memory;        /* emptyDir with medium Memory */
    int64_t size_limit_bytes; /* of an emptyDir in memory; -1: none */
    struct pod_source *sources;
    size_t source_count;
    unsigned default_mode;
    const char *what;      /* of an unsupported one: the key of its source */
};

struct pod_mount {
    const char *volume, *path, *sub_path;
    bool read_only, expand; /* expand: sub_path is a subPathExpr */
};

/* A port of the node that leads to one of the pod. */
struct pod_host_port {
    int host_port, container_port;
    const char *protocol, *host_ip; /* "tcp"; "" is every address */
};

struct pod_container {
    const char *name, *image;
    bool init, sidecar; /* sidecar: an init container that goes on beside the others */
    enum pod_pull pull;
    const char **command, **args; /* NULL-terminated; NULL when absent */
    const char *working_dir;
    const char *message_path; /* where it may leave its last words */
    struct pod_env *env;
    size_t env_count;
    struct pod_env_all *env_all;
    size_t env_all_count;
    struct pod_mount *mounts;
    size_t mount_count;
    int64_t cpu_request_milli, cpu_limit_milli;         /* -1: none */
    int64_t memory_request_bytes, memory_limit_bytes;   /* -1: none */
    int64_t run_as_user, run_as_group;                  /* -1: the image's */
    const struct json *groups;                          /* supplemental ones, an array; NULL: none */
    bool read_only_root, privileged, no_new_privileges;
    bool non_root;                                      /* must not run as user 0 */
    bool has_stdin, stdin_once, tty;
    bool seccomp;                                       /* the runtime's default profile */
    const char **capabilities_add, **capabilities_drop; /* NULL-terminated; NULL when absent */
    struct pod_probe probes[POD_PROBE_COUNT];
    struct pod_handler post_start, pre_stop;
};

struct pod {
    const char *namespace, *name, *uid, *hostname, *node_name, *service_account;
    enum pod_restart restart;
    enum pod_qos qos;
    int64_t grace_ms; /* from TERM to KILL: the deletion's where there is one, else the spec's */
    int64_t deadline_ms; /* activeDeadlineSeconds; -1: none */
    bool deleting, host_network, host_pid, host_ipc, share_pid, service_links;
    int64_t fs_group;              /* owns the pod's own volumes, and is a group of its processes; -1: none */
    const struct json *sysctls;    /* as the API has them */
    const struct json *gates;      /* readinessGates */
    struct pod_host_port *ports;
    size_t port_count;
    bool has_files; /* a volume whose files are made from API objects */
    struct pod_container *containers; /* init containers first */
    size_t container_count, init_count;
    struct pod_volume *volumes;
    size_t volume_count;
    const char *unsupported; /* why it cannot run here as asked, for people; NULL when it can */
    const char *unserved;    /* what it asks for and will run without; NULL when nothing */
    const struct json *tree; /* the whole object, in `doc` */
    struct json_doc *doc;
    struct arena arena;
};

/* ERR_INVALID names the field. Free with pod_free. */
int pod_parse(struct slice object_json, struct pod **ret, struct err *reterr);
void pod_free(struct pod *p); /* NULL is fine */

const char *pod_qos_text(enum pod_qos qos);
const char *pod_probe_text(enum pod_probe_kind kind); /* "Liveness" */

/* "$(NAME)" becomes its value where `lookup` knows it and stays as it is where not; "$$" becomes "$". */
char *pod_expand(struct arena *arena, const char *text, const char *(*lookup)(void *arg, struct slice name), void *arg);

/* Quantities as far as resources need them ("250m", "1", "0.5", "64Mi", "1e3"): in thousandths, rounded up. False when
 * it is none or out of range. */
bool pod_quantity_milli(struct slice text, int64_t *ret);

#endif
