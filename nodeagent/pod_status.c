#include "common/base.h"
#include "nodeagent/pod_status.h"

#include <stdio.h>

#include "common/buf.h"
#include "common/clock.h"

struct builder {
    const struct pod_status_options *o;
    const struct pod *pod;
    const struct pod_observed *observed;
    struct json_doc *d;
};

static void put_time(struct json_doc *d, struct json *object, const char *key, int64_t wall_ms)
{
    char text[TIME_TEXT_MAX];
    if (wall_ms <= 0)
        return;
    time_format(wall_ms * 1000, 0, text);
    json_set_str(d, object, key, text);
}

/* --- containers --- */

static const char *end_reason(const struct runtime_exit *exit)
{
    return exit->unknown ? "ContainerStatusUnknown" : exit->oom_killed ? "OOMKilled" : exit->code == 0 ? "Completed" : "Error";
}

static void put_terminated(struct builder *b, struct json *state, const struct runtime_exit *exit, int64_t started_ms,
                           const char *container_id)
{
    struct json *terminated = json_ensure_object(b->d, state, "terminated");
    json_set_int(b->d, terminated, "exitCode", exit->code);
    json_set_str(b->d, terminated, "reason", end_reason(exit));
    if (exit->message[0] != '\0')
        json_set_str(b->d, terminated, "message", exit->message);
    put_time(b->d, terminated, "startedAt", started_ms);
    put_time(b->d, terminated, "finishedAt", exit->finished_ms);
    if (*container_id != '\0')
        json_set_str(b->d, terminated, "containerID", container_id);
}

static void put_waiting(struct builder *b, size_t index, struct json *state)
{
    const struct pod_observed_container *c = &b->observed->containers[index];
    struct json *waiting = json_ensure_object(b->d, state, "waiting");
    const char *reason = c->reason, *message = c->message;
    if (b->pod->unsupported != NULL) {
        reason = "Unsupported";
        message = b->pod->unsupported;
    }
    if (*reason == '\0')
        reason = b->pod->init_count > 0 && !pod_init_done(b->pod, b->observed) ? "PodInitializing" : "ContainerCreating";
    json_set_str(b->d, waiting, "reason", reason);
    if (*message != '\0')
        json_set_str(b->d, waiting, "message", message);
}

static bool is_waiting(const struct builder *b, size_t index)
{
    const struct pod_observed_container *c = &b->observed->containers[index];
    if (c->state == POD_CONTAINER_ENDED)
        return !b->pod->deleting && !b->observed->terminal && c->reason[0] != '\0' && pod_may_restart(b->pod, index, c);
    return c->state == POD_CONTAINER_NEW;
}

static bool is_ready(const struct builder *b, size_t index)
{
    const struct pod_observed_container *c = &b->observed->containers[index];
    if (b->pod->containers[index].init && !b->pod->containers[index].sidecar)
        return c->state == POD_CONTAINER_ENDED && c->exit.code == 0;
    return c->state == POD_CONTAINER_RUNNING && c->started && c->ready && !c->post_starting;
}

static struct json *container_status(struct builder *b, size_t index)
{
    const struct pod_observed_container *c = &b->observed->containers[index];
    struct json *status = json_new_object(b->d), *state = json_ensure_object(b->d, status, "state");
    struct json *last = json_ensure_object(b->d, status, "lastState");
    bool waiting = is_waiting(b, index);
    if (waiting)
        put_waiting(b, index, state);
    else if (c->state == POD_CONTAINER_RUNNING)
        put_time(b->d, json_ensure_object(b->d, state, "running"), "startedAt", c->started_ms);
    else
        put_terminated(b, state, &c->exit, c->started_ms, c->container_id);
    if (waiting && c->state == POD_CONTAINER_ENDED)
        put_terminated(b, last, &c->exit, c->started_ms, c->container_id);
    else if (c->has_last)
        put_terminated(b, last, &c->last.exit, c->last.started_ms, c->last.container_id);
    json_set_str(b->d, status, "name", b->pod->containers[index].name);
    json_set_bool(b->d, status, "ready", is_ready(b, index));
    json_set_bool(b->d, status, "started", c->state == POD_CONTAINER_RUNNING && c->started && !c->post_starting);
    json_set_int(b->d, status, "restartCount", c->attempts > 0 ? (int64_t)c->attempts - 1 : 0);
    json_set_str(b->d, status, "image", b->pod->containers[index].image);
    json_set_str(b->d, status, "imageID", c->image_id);
    if (c->container_id[0] != '\0')
        json_set_str(b->d, status, "containerID", c->container_id);
    return status;
}

static void put_containers(struct builder *b, struct json *status)
{
    struct json *inits = json_new_array(b->d), *others = json_new_array(b->d);
    for (size_t i = 0; i < b->pod->container_count; i++)
        json_append(b->pod->containers[i].init ? inits : others, container_status(b, i));
    if (b->pod->init_count > 0)
        json_set(b->d, status, "initContainerStatuses", inits);
    json_set(b->d, status, "containerStatuses", others);
}

/* --- conditions --- */

static const struct json *previous_condition(const struct builder *b, const char *type)
{
    struct json_iterator at = json_iterate(json_get(b->o->previous, "conditions"));
    while (json_next(&at))
        if (slice_is(json_string(json_get(at.value, "type")), type))
            return at.value;
    return NULL;
}

static void put_condition(struct builder *b, struct json *conditions, const char *type, bool holds, const char *reason,
                          const char *message)
{
    struct json *condition = json_new_object(b->d);
    const struct json *before = previous_condition(b, type);
    const char *status = holds ? "True" : "False";
    json_set_str(b->d, condition, "type", type);
    json_set_str(b->d, condition, "status", status);
    json_set(b->d, condition, "lastProbeTime", json_new_null(b->d));
    if (slice_is(json_string(json_get(before, "status")), status))
        json_set_string(b->d, condition, "lastTransitionTime", json_string(json_get(before, "lastTransitionTime")));
    else
        put_time(b->d, condition, "lastTransitionTime", b->o->now_ms);
    if (*reason != '\0')
        json_set_str(b->d, condition, "reason", reason);
    if (*message != '\0')
        json_set_str(b->d, condition, "message", message);
    json_append(conditions, condition);
}

/* "containers with <what> status: [a b]", or empty when all are fine. */
static void unready(const struct builder *b, bool init, const char *what, struct buf *out)
{
    for (size_t i = 0; i < b->pod->container_count; i++) {
        const struct pod_container *c = &b->pod->containers[i];
        bool counts = init ? c->init : !c->init || c->sidecar;
        bool done = init && c->sidecar ? b->observed->containers[i].initialized : is_ready(b, i);
        if (!counts || done)
            continue;
        if (out->size == 0)
            buf_printf(out, "containers with %s status: [%s", what, b->pod->containers[i].name);
        else
            buf_printf(out, " %s", b->pod->containers[i].name);
    }
    if (out->size > 0)
        buf_append_char(out, ']');
}

/* Conditions of others, as the API has them now. */
static const struct json *foreign_conditions(const struct builder *b) { return json_at(b->pod->tree, "status.conditions"); }

/* readinessGates: conditions that somebody else sets. */
static void unmet_gates(const struct builder *b, struct buf *out)
{
    struct json_iterator gate = json_iterate(b->pod->gates);
    while (json_next(&gate)) {
        struct slice type = json_string(json_get(gate.value, "conditionType")), status = {0};
        struct json_iterator at = json_iterate(foreign_conditions(b));
        while (json_next(&at))
            if (slice_equal(json_string(json_get(at.value, "type")), type))
                status = json_string(json_get(at.value, "status"));
        if (slice_is(status, "True"))
            continue;
        buf_printf(out, "%s%s of pod readiness gate \"%.*s\" %s", out->size > 0 ? ", " : "", "the status",
                   SLICE_ARGS(type), status.size == 0 ? "does not exist" : "is not \"True\"");
    }
}

static void put_ready_conditions(struct builder *b, struct json *conditions, const char *phase)
{
    struct buf message = {0}, gates = {0};
    bool over = strcmp(phase, "Succeeded") == 0, failed = strcmp(phase, "Failed") == 0;
    unready(b, false, "unready", &message);
    bool ready = message.size == 0 && pod_init_done(b->pod, b->observed) && !failed && !over;
    const char *reason = ready ? "" : over ? "PodCompleted" : failed ? "PodFailed" : "ContainersNotReady";
    const char *text = ready || over || failed || message.data == NULL ? "" : message.data;
    if (ready)
        unmet_gates(b, &gates);
    bool gated = gates.size > 0;
    put_condition(b, conditions, "Ready", ready && !gated, gated ? "ReadinessGatesNotReady" : reason, gated ? gates.data : text);
    put_condition(b, conditions, "ContainersReady", ready, reason, text);
    buf_release(&message);
    buf_release(&gates);
}

static bool is_own(struct slice type)
{
    static const char *const own[] = {"PodReadyToStartContainers", "Initialized", "Ready", "ContainersReady", "PodScheduled"};
    for (size_t i = 0; i < ARRAY_LEN(own); i++)
        if (slice_is(type, own[i]))
            return true;
    return false;
}

static void put_conditions(struct builder *b, struct json *status, const char *phase)
{
    struct json *conditions = json_new_array(b->d);
    struct buf message = {0};
    bool initialized = pod_init_done(b->pod, b->observed), over = strcmp(phase, "Succeeded") == 0;
    put_condition(b, conditions, "PodReadyToStartContainers", b->observed->sandbox == POD_SANDBOX_READY, "", "");
    unready(b, true, "incomplete", &message);
    put_condition(b, conditions, "Initialized", initialized,
                  !initialized ? "ContainersNotInitialized" : over ? "PodCompleted" : "",
                  initialized || message.data == NULL ? "" : message.data);
    put_ready_conditions(b, conditions, phase);
    put_condition(b, conditions, "PodScheduled", true, "", "");
    struct json_iterator at = json_iterate(foreign_conditions(b));
    while (json_next(&at))
        if (!is_own(json_string(json_get(at.value, "type"))))
            json_append(conditions, json_copy(b->d, at.value));
    json_set(b->d, status, "conditions", conditions);
    buf_release(&message);
}

static void put_addresses(struct builder *b, struct json *status)
{
    struct json *host_ips = json_new_array(b->d), *host = json_new_object(b->d);
    json_set_str(b->d, status, "hostIP", b->o->host_ip);
    json_set_str(b->d, host, "ip", b->o->host_ip);
    json_append(host_ips, host);
    json_set(b->d, status, "hostIPs", host_ips);
    if (b->observed->address[0] == '\0')
        return;
    struct json *pod_ips = json_new_array(b->d), *pod = json_new_object(b->d);
    json_set_str(b->d, status, "podIP", b->observed->address);
    json_set_str(b->d, pod, "ip", b->observed->address);
    json_append(pod_ips, pod);
    json_set(b->d, status, "podIPs", pod_ips);
}

struct json *pod_status_build(const struct pod_status_options *o, struct json_doc *d)
{
    struct builder b = {o, o->pod, o->observed, d};
    struct json *status = json_new_object(d);
    const char *phase = pod_phase(o->pod, o->observed);
    json_set_str(d, status, "phase", phase);
    if (o->observed->expired) {
        json_set_str(d, status, "reason", "DeadlineExceeded");
        json_set_str(d, status, "message", "Pod was active on the node longer than the specified deadline");
    }
    put_conditions(&b, status, phase);
    put_addresses(&b, status);
    put_time(d, status, "startTime", o->accepted_ms);
    struct slice started = json_string(json_get(o->previous, "startTime"));
    if (started.size > 0)
        json_set_string(d, status, "startTime", started);
    put_containers(&b, status);
    json_set_str(d, status, "qosClass", pod_qos_text(o->pod->qos));
    return status;
}
