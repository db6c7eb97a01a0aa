/* The decision of the node agent: what a pod should be and what it is → the next thing to do. Pure; no I/O, no clock. */
#ifndef NODEAGENT_POD_SYNC_H
#define NODEAGENT_POD_SYNC_H

#include "common/base.h"
#include "nodeagent/pod_spec.h"
#include "nodeagent/runtime.h"

#define POD_NEVER UINT64_MAX
#define POD_BACKOFF_FIRST_MS 10000
#define POD_BACKOFF_MAX_MS 300000
#define POD_BACKOFF_RESET_MS 600000
#define POD_AFTER_HOOK_MS 2000 /* the least a container has between TERM and KILL after its preStop hook */
#define POD_SIDECAR_GRACE_MS 2000 /* the least a sidecar has, however long the others took */
#define POD_ORPHAN_GRACE_MS 2000 /* of a pod whose object is gone */

enum pod_sandbox_state { POD_SANDBOX_NONE, POD_SANDBOX_READY, POD_SANDBOX_ENDED };
enum pod_container_state { POD_CONTAINER_NEW, POD_CONTAINER_RUNNING, POD_CONTAINER_ENDED };

enum pod_hook_state { POD_HOOK_NONE, POD_HOOK_RUNNING, POD_HOOK_OVER };

/* Doubling delays with a memory: the first failure is retried at once where `first_ms` is 0. */
struct pod_backoff {
    uint64_t delay_ms;    /* before the next try but one */
    uint64_t retry_at_ms; /* monotonic; 0: now */
    uint64_t failed_at_ms;
};
/* After a failure at `now_ms`: the kubelet's 10 s doubling to 300 s. `at_once`: the first retry does not wait. */
void pod_backoff_failed(struct pod_backoff *b, uint64_t now_ms, bool at_once);

struct pod_observed_container {
    enum pod_container_state state;
    unsigned attempts; /* started so far; the current or last one is attempts - 1 */
    bool image_ready, fetched, term_sent, kill_sent; /* fetched: what its environment needs */
    bool post_starting;                      /* its postStart hook runs */
    bool initialized;                        /* of a sidecar: it has started once in this sandbox, those behind it may start */
    bool started, ready;                     /* as far as its probes say; both hold where it has none */
    char kill_reason[64];                    /* why it must end though the pod goes on; "" when it need not */
    int64_t kill_grace_ms;                   /* for that; -1: the pod's */
    enum pod_hook_state pre_stop;
    uint64_t stop_at_ms, term_at_ms;         /* monotonic: when its end began, when TERM was sent */
    uint64_t started_at_ms;                  /* monotonic, 0 when it was found running */
    struct pod_backoff start_backoff, image_backoff;
    char reason[64], message[ERR_MESSAGE_MAX]; /* why it waits; "" when nothing special */
    char container_id[160], image_id[80];
    int64_t started_ms; /* wall */
    struct runtime_exit exit;
    bool has_last; /* the attempt before the current one */
    struct {
        char container_id[160];
        int64_t started_ms;
        struct runtime_exit exit;
    } last;
};

struct pod_observed {
    enum pod_sandbox_state sandbox;
    struct pod_backoff sandbox_backoff;
    char address[46];
    bool removed; /* nothing of it is left on this node */
    bool terminal; /* the API says Succeeded or Failed: never started again */
    bool volumes_written;    /* files of volumes stand, for the sandbox to come */
    bool refresh_due;        /* and may be out of date */
    uint64_t volumes_retry_at_ms; /* after a failure */
    bool expired;  /* activeDeadlineSeconds are over */
    struct pod_observed_container *containers; /* one for each of the pod, in its order */
};

enum pod_action_kind {
    POD_WAIT,             /* until wait_ms from now, or an event */
    POD_WRITE_VOLUMES,    /* fetch, then write */
    POD_START_SANDBOX,
    POD_STOP_SANDBOX,
    POD_GET_IMAGE,        /* of container `index` */
    POD_FETCH,            /* what the environment of container `index` needs */
    POD_START_CONTAINER,
    POD_SIGNAL_CONTAINER, /* `signal` */
    POD_PRE_STOP,         /* begin the preStop hook of container `index`; its grace period runs from here */
    POD_REMOVE,           /* state, volumes and logs */
    POD_CONFIRM,          /* tell the API that it is gone */
    POD_FORGET,           /* gone here and there */
};

struct pod_action {
    enum pod_action_kind kind;
    size_t index;
    int signal;
    uint64_t wait_ms; /* POD_NEVER: only an event changes anything */
};

/* `gone`: the API has no such object (any more). */
struct pod_action pod_sync(const struct pod *p, bool gone, const struct pod_observed *o, uint64_t now_ms);

/* Changes of what is observed; the rest of it is set by the worker. */
void pod_observe_start(const struct pod_container *spec, struct pod_observed_container *c, const struct runtime_call *call,
                       uint64_t now_ms);
void pod_observe_end(struct pod_observed_container *c, const struct runtime_exit *exit, uint64_t now_ms);

void pod_observe_initialized(const struct pod *p, struct pod_observed *o); /* before each pod_sync */
void pod_observe_sandbox(const struct pod *p, struct pod_observed *o);     /* a new sandbox is initialised anew */

bool pod_init_done(const struct pod *p, const struct pod_observed *o);
bool pod_may_restart(const struct pod *p, size_t index, const struct pod_observed_container *c);
const char *pod_phase(const struct pod *p, const struct pod_observed *o);
bool pod_is_over(const struct pod *p, const struct pod_observed *o); /* Succeeded or Failed */

#endif
