/* What the pod workers ask of a container runtime. The real one is runtime_oci.c; tests put their own in its place.
 *
 * A call is embedded in the caller's memory; `done` runs exactly once, never inside the call. The `pod` must stay as it
 * is until then. One call per pod at a time; EXEC alone may run beside others, and needs `pod` only during the call. */
#ifndef NODEAGENT_RUNTIME_H
#define NODEAGENT_RUNTIME_H

#include "common/base.h"
#include "common/err.h"
#include "nodeagent/pod_data.h"
#include "nodeagent/pod_spec.h"

#define RUNTIME_MESSAGE_MAX 4096 /* bytes of a container's last words that are kept */

struct runtime_exit {
    int code, signal;
    bool oom_killed; /* the kernel killed one of its processes for want of memory */
    bool unknown;    /* its shim was gone: the code is made up (137) */
    int64_t finished_ms;
    char message[RUNTIME_MESSAGE_MAX + 1]; /* what it left at terminationMessagePath, as UTF-8; "": nothing */
};

enum runtime_verb {
    RUNTIME_SANDBOX_START,   /* → address */
    RUNTIME_VOLUMES_WRITE,   /* the files of the pod's volumes, from `data`; running containers see the change */
    RUNTIME_SANDBOX_STOP,    /* everything in it is killed; address and cgroup are given back; logs and exits stay */
    RUNTIME_POD_REMOVE,      /* after SANDBOX_STOP: state, volumes and logs */
    RUNTIME_IMAGE,           /* → image_id, pulled; status as image.h */
    RUNTIME_CONTAINER_START, /* attempt `attempt` of container `index` → container_id, started_ms */
    RUNTIME_CONTAINER_SIGNAL, /* `signal` to its first process; gone already is fine */
    RUNTIME_CONTAINER_EXEC,   /* `command` beside it → exit_code, output; ERR_TIMEOUT: it was killed after timeout_ms */
};

#define RUNTIME_OUTPUT_MAX 10240

struct runtime_call {
    enum runtime_verb verb;
    const struct pod *pod;
    size_t index;      /* of the container in pod->containers */
    unsigned attempt;  /* from 0 */
    int signal;
    const struct pod_data *fetched; /* of VOLUMES_WRITE and CONTAINER_START */
    const char *const *command; /* of EXEC; needed during the call only */
    unsigned timeout_ms;        /* of EXEC */
    void (*done)(struct runtime_call *c, int status, const struct err *why);
    void *data;        /* of the caller */

    char address[46];
    char container_id[160], image_id[80];
    int64_t started_ms;
    bool pulled;
    const char *notice;       /* of SANDBOX_START: what of its DNS settings could not be done, a literal; or NULL */
    size_t skipped_variables; /* of CONTAINER_START: keys of envFrom that cannot be names */
    int exit_code;
    struct slice output; /* both its streams, at most RUNTIME_OUTPUT_MAX; valid inside `done` */
    void *impl;        /* of the runtime */
};

/* The streams of a process in a running container while they flow: of a command run beside it, or (attach) its own. */
struct runtime_stream {
    const struct pod *pod; /* needed during the start only, like `command` */
    size_t index;
    unsigned attempt;
    const char *const *command; /* NULL: attach */
    bool input;                 /* its standard input is written to; of attach: where the container has one */
    bool terminal;              /* of a command: it gets one. Attach gets what the container has */
    void (*on_output)(struct runtime_stream *s, bool is_error, struct slice bytes); /* borrowed; never while paused */
    void (*on_drained)(struct runtime_stream *s); /* input_bytes_pending fell to 0 */
    /* Once, not inside a call: the command ended with exit_code, or what was attached to ended (exit_code 0). ERR_UNAVAILABLE:
     * it could not be started, or attached to; the message is the runtime's. ERR_CANCELED. */
    void (*done)(struct runtime_stream *s, int status, const struct err *why);
    void *data; /* of the caller */
    size_t input_bytes_pending;
    int exit_code;
    void *impl; /* of the runtime */
};

/* What was found on disk of an earlier agent. `container` NULL: the sandbox. */
struct runtime_found {
    const char *namespace, *name, *uid;
    enum pod_qos qos;
    const char *address;   /* of the sandbox */
    const char *container, *container_id, *image_id;
    unsigned attempt;
    bool running;
    int64_t started_ms;
    struct runtime_exit exit; /* when not running */
};

struct runtime_events {
    /* A container, or with NULL the sandbox, ended. Never inside a call. */
    void (*ended)(void *arg, const char *uid, const char *container, unsigned attempt, const struct runtime_exit *exit);
    void *arg;
};

struct runtime_ops {
    void (*call)(void *impl, struct runtime_call *c);
    void (*cancel)(void *impl, struct runtime_call *c); /* of an open EXEC: it is killed now; `done` follows */
    void (*stream_start)(void *impl, struct runtime_stream *s);
    void (*stream_write)(struct runtime_stream *s, struct slice bytes); /* copies; lost when nobody reads any more */
    void (*stream_input_end)(struct runtime_stream *s);
    void (*stream_pause)(struct runtime_stream *s, bool paused); /* of output */
    void (*stream_resize)(struct runtime_stream *s, unsigned width, unsigned height);
    void (*stream_cancel)(struct runtime_stream *s); /* its client left: the command is killed, the container is let go of */
    /* Once, before any call: tells what an earlier agent left and goes on watching what runs. Pod by pod, sandbox first,
     * attempts in rising order. */
    int (*recover)(void *impl, void (*found)(void *arg, const struct runtime_found *f), void *arg, struct err *reterr);
};

struct runtime {
    const struct runtime_ops *ops;
    void *impl;
};

static inline void runtime_call(struct runtime *r, struct runtime_call *c) { r->ops->call(r->impl, c); }
static inline void runtime_cancel(struct runtime *r, struct runtime_call *c) { r->ops->cancel(r->impl, c); }
static inline void runtime_stream_start(struct runtime *r, struct runtime_stream *s) { r->ops->stream_start(r->impl, s); }
/* These after the start and until `done`. */
static inline void runtime_stream_write(struct runtime *r, struct runtime_stream *s, struct slice bytes)
{
    r->ops->stream_write(s, bytes);
}
static inline void runtime_stream_input_end(struct runtime *r, struct runtime_stream *s) { r->ops->stream_input_end(s); }
static inline void runtime_stream_pause(struct runtime *r, struct runtime_stream *s, bool paused)
{
    r->ops->stream_pause(s, paused);
}
static inline void runtime_stream_resize(struct runtime *r, struct runtime_stream *s, unsigned width, unsigned height)
{
    r->ops->stream_resize(s, width, height);
}
static inline void runtime_stream_cancel(struct runtime *r, struct runtime_stream *s) { r->ops->stream_cancel(s); }
static inline int runtime_recover(struct runtime *r, void (*found)(void *arg, const struct runtime_found *f), void *arg,
                                  struct err *reterr)
{
    return r->ops->recover(r->impl, found, arg, reterr);
}

#endif
