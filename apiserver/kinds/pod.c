/* Pod, core/v1. */
#include "common/base.h"

#include "apiserver/check.h"
#include "apiserver/columns.h"
#include "apiserver/kinds/types.h"
#include "common/clock.h"

#include <stdio.h>

static const struct field fields_pod_condition[] = {
    {.name = "type", .type = FIELD_STRING, .proto = 1, .flags = FIELD_ZERO, .doc = "What the condition is about."},
    {.name = "status", .type = FIELD_STRING, .proto = 2, .flags = FIELD_ZERO, .doc = "True, False or Unknown."},
    {.name = "lastProbeTime",
     .type = FIELD_TIME,
     .proto = 3,
     .flags = FIELD_ALWAYS,
     .doc = "When it was last looked at."},
    {.name = "lastTransitionTime",
     .type = FIELD_TIME,
     .proto = 4,
     .flags = FIELD_ALWAYS,
     .doc = "When the status last changed."},
    {.name = "reason", .type = FIELD_STRING, .proto = 5, .doc = "One word, for machines, why it is so."},
    {.name = "message", .type = FIELD_STRING, .proto = 6, .doc = "What a person should know about it."},
    {.name = NULL},
};
static const struct type type_pod_condition = {
    .name = "PodCondition", .doc = "One thing that holds, or does not, of a pod.", .fields = fields_pod_condition};

static const struct field fields_container_state_waiting[] = {
    {.name = "reason", .type = FIELD_STRING, .proto = 1, .doc = "Why, in one word."},
    {.name = "message", .type = FIELD_STRING, .proto = 2, .doc = "Why, for people."},
    {.name = NULL},
};
static const struct type type_container_state_waiting = {
    .name = "ContainerStateWaiting",
    .doc = "A container that does not run yet.",
    .fields = fields_container_state_waiting,
};

static const struct field fields_container_state_running[] = {
    {.name = "startedAt", .type = FIELD_TIME, .proto = 1, .flags = FIELD_ALWAYS, .doc = "When it was started."},
    {.name = NULL},
};
static const struct type type_container_state_running = {
    .name = "ContainerStateRunning",
    .doc = "A container that runs.",
    .fields = fields_container_state_running,
};

static const struct field fields_container_state_terminated[] = {
    {.name = "exitCode", .type = FIELD_INT32, .proto = 1, .flags = FIELD_ZERO, .doc = "Exit code of its process."},
    {.name = "signal", .type = FIELD_INT32, .proto = 2, .doc = "Signal that ended it."},
    {.name = "reason", .type = FIELD_STRING, .proto = 3, .doc = "Why, in one word."},
    {.name = "message", .type = FIELD_STRING, .proto = 4, .doc = "What it left behind as its last words."},
    {.name = "startedAt", .type = FIELD_TIME, .proto = 5, .flags = FIELD_ALWAYS, .doc = "When it was started."},
    {.name = "finishedAt", .type = FIELD_TIME, .proto = 6, .flags = FIELD_ALWAYS, .doc = "When it ended."},
    {.name = "containerID", .type = FIELD_STRING, .proto = 7, .doc = "Id of the container."},
    {.name = NULL},
};
static const struct type type_container_state_terminated = {
    .name = "ContainerStateTerminated",
    .doc = "A container that has ended.",
    .fields = fields_container_state_terminated,
};

static const struct field fields_container_state[] = {
    {.name = "waiting",
     .type = FIELD_OBJECT,
     .object = &type_container_state_waiting,
     .proto = 1,
     .doc = "It does not run yet."},
    {.name = "running", .type = FIELD_OBJECT, .object = &type_container_state_running, .proto = 2, .doc = "It runs."},
    {.name = "terminated",
     .type = FIELD_OBJECT,
     .object = &type_container_state_terminated,
     .proto = 3,
     .doc = "It has ended."},
    {.name = NULL},
};
static const struct type type_container_state = {
    .name = "ContainerState", .doc = "State of a container: one of three.", .fields = fields_container_state};

static const struct field fields_volume_mount_status[] = {
    {.name = "name", .type = FIELD_STRING, .proto = 1, .flags = FIELD_ZERO, .doc = "Name of the volume."},
    {.name = "mountPath", .type = FIELD_STRING, .proto = 2, .flags = FIELD_ZERO, .doc = "Where it is mounted."},
    {.name = "readOnly", .type = FIELD_BOOL, .proto = 3, .doc = "Whether it is read-only."},
    {.name = "recursiveReadOnly",
     .type = FIELD_STRING,
     .proto = 4,
     .flags = FIELD_POINTER,
     .doc = "Whether mounts below it are read-only too."},
    {.name = NULL},
};
static const struct type type_volume_mount_status = {
    .name = "VolumeMountStatus",
    .doc = "A mount of a container, as it is.",
    .fields = fields_volume_mount_status,
};

static const struct field fields_linux_container_user[] = {
    {.name = "uid", .type = FIELD_INT64, .proto = 1, .flags = FIELD_ZERO, .doc = "Id of the user."},
    {.name = "gid", .type = FIELD_INT64, .proto = 2, .flags = FIELD_ZERO, .doc = "Id of the main group."},
    {.name = "supplementalGroups",
     .type = FIELD_INT64,
     .shape = FIELD_LIST,
     .proto = 3,
     .doc = "Ids of further groups."},
    {.name = NULL},
};
static const struct type type_linux_container_user = {
    .name = "LinuxContainerUser",
    .doc = "User of a container's first process.",
    .fields = fields_linux_container_user,
};

static const struct field fields_container_user[] = {
    {.name = "linux", .type = FIELD_OBJECT, .object = &type_linux_container_user, .proto = 1, .doc = "On Linux."},
    {.name = NULL},
};
static const struct type type_container_user = {
    .name = "ContainerUser", .doc = "User of a container's first process.", .fields = fields_container_user};

static const struct field fields_resource_health[] = {
    {.name = "resourceID", .type = FIELD_STRING, .proto = 1, .flags = FIELD_ZERO, .doc = "Id of the device."},
    {.name = "health", .type = FIELD_STRING, .proto = 2, .doc = "Healthy, Unhealthy or Unknown."},
    {.name = NULL},
};
static const struct type type_resource_health = {
    .name = "ResourceHealth", .doc = "Health of a device.", .fields = fields_resource_health};

static const struct field fields_resource_status[] = {
    {.name = "name", .type = FIELD_STRING, .proto = 1, .flags = FIELD_ZERO, .doc = "Name of the resource."},
    {.name = "resources",
     .type = FIELD_OBJECT,
     .shape = FIELD_LIST,
     .object = &type_resource_health,
     .proto = 2,
     .list = LIST_MAP,
     .list_keys = "resourceID",
     .doc = "The devices."},
    {.name = NULL},
};
static const struct type type_resource_status = {
    .name = "ResourceStatus", .doc = "Devices of a resource that a container has.", .fields = fields_resource_status};

static const struct field fields_container_status[] = {
    {.name = "name", .type = FIELD_STRING, .proto = 1, .flags = FIELD_ZERO, .doc = "Name of the container."},
    {.name = "state",
     .type = FIELD_OBJECT,
     .object = &type_container_state,
     .proto = 2,
     .flags = FIELD_ALWAYS,
     .doc = "State it is in."},
    {.name = "lastState",
     .type = FIELD_OBJECT,
     .object = &type_container_state,
     .proto = 3,
     .flags = FIELD_ALWAYS,
     .doc = "State it was in before it was last started again."},
    {.name = "ready", .type = FIELD_BOOL, .proto = 4, .flags = FIELD_ZERO, .doc = "Whether it is ready."},
    {.name = "restartCount",
     .type = FIELD_INT32,
     .proto = 5,
     .flags = FIELD_ZERO,
     .doc = "How often it was started again."},
    {.name = "image", .type = FIELD_STRING, .proto = 6, .flags = FIELD_ZERO, .doc = "Image that it runs."},
    {.name = "imageID", .type = FIELD_STRING, .proto = 7, .flags = FIELD_ZERO, .doc = "Id of that image."},
    {.name = "containerID", .type = FIELD_STRING, .proto = 8, .doc = "Id of the container: runtime, and number."},
    {.name = "started",
     .type = FIELD_BOOL,
     .proto = 9,
     .flags = FIELD_POINTER,
     .doc = "Whether its startup probe has succeeded."},
    {.name = "allocatedResources",
     .type = FIELD_QUANTITY,
     .shape = FIELD_MAP,
     .proto = 10,
     .doc = "Resources that the node has set aside for it."},
    {.name = "resources",
     .type = FIELD_OBJECT,
     .object = &type_resource_requirements,
     .proto = 11,
     .doc = "Resources that it has."},
    {.name = "volumeMounts",
     .type = FIELD_OBJECT,
     .shape = FIELD_LIST,
     .object = &type_volume_mount_status,
     .proto = 12,
     .list = LIST_MAP,
     .list_keys = "mountPath",
     .patch = PATCH_MERGE,
     .merge_key = "mountPath",
     .doc = "Its mounts, as they are."},
    {.name = "user", .type = FIELD_OBJECT, .object = &type_container_user, .proto = 13, .doc = "User it runs as."},
    {.name = "allocatedResourcesStatus",
     .type = FIELD_OBJECT,
     .shape = FIELD_LIST,
     .object = &type_resource_status,
     .proto = 14,
     .list = LIST_MAP,
     .list_keys = "name",
     .patch = PATCH_MERGE,
     .merge_key = "name",
     .doc = "Devices that it has."},
    {.name = NULL},
};
static const struct type type_container_status = {
    .name = "ContainerStatus", .doc = "State of a container of a pod.", .fields = fields_container_status};

static const struct field fields_pod_ip[] = {
    {.name = "ip", .type = FIELD_STRING, .proto = 1, .flags = FIELD_ZERO, .doc = "The address."},
    {.name = NULL},
};
static const struct type type_pod_ip = {.name = "PodIP", .doc = "An address of a pod.", .fields = fields_pod_ip};

static const struct field fields_pod_resource_claim_status[] = {
    {.name = "name", .type = FIELD_STRING, .proto = 1, .flags = FIELD_ZERO, .doc = "Name of the claim in the pod."},
    {.name = "resourceClaimName",
     .type = FIELD_STRING,
     .proto = 2,
     .flags = FIELD_POINTER,
     .doc = "Name of the claim's object."},
    {.name = NULL},
};
static const struct type type_pod_resource_claim_status = {
    .name = "PodResourceClaimStatus",
    .doc = "A claim for devices of a pod.",
    .fields = fields_pod_resource_claim_status,
};

static const struct field fields_host_ip[] = {
    {.name = "ip", .type = FIELD_STRING, .proto = 1, .flags = FIELD_ZERO, .doc = "The address."},
    {.name = NULL},
};
static const struct type type_host_ip = {
    .name = "HostIP", .doc = "An address of a pod's node.", .fields = fields_host_ip};

static const struct field fields_pod_status[] = {
    {.name = "phase",
     .type = FIELD_STRING,
     .proto = 1,
     .fallback = "\"Pending\"",
     .doc = "Pending, Running, Succeeded, Failed or Unknown."},
    {.name = "conditions",
     .type = FIELD_OBJECT,
     .shape = FIELD_LIST,
     .object = &type_pod_condition,
     .proto = 2,
     .list = LIST_MAP,
     .list_keys = "type",
     .patch = PATCH_MERGE,
     .merge_key = "type",
     .doc = "What holds of the object, one entry per type."},
    {.name = "message", .type = FIELD_STRING, .proto = 3, .doc = "Why it is in this state, for people."},
    {.name = "reason", .type = FIELD_STRING, .proto = 4, .doc = "Why it is in this state, in one word."},
    {.name = "hostIP", .type = FIELD_STRING, .proto = 5, .doc = "Address of its node."},
    {.name = "podIP", .type = FIELD_STRING, .proto = 6, .doc = "Address of the pod."},
    {.name = "startTime", .type = FIELD_TIME, .proto = 7, .doc = "When its node took it on."},
    {.name = "containerStatuses",
     .type = FIELD_OBJECT,
     .shape = FIELD_LIST,
     .object = &type_container_status,
     .proto = 8,
     .doc = "State of its containers."},
    {.name = "qosClass",
     .type = FIELD_STRING,
     .proto = 9,
     .doc = "Guaranteed, Burstable or BestEffort, by its requests and limits."},
    {.name = "initContainerStatuses",
     .type = FIELD_OBJECT,
     .shape = FIELD_LIST,
     .object = &type_container_status,
     .proto = 10,
     .doc = "State of its init containers."},
    {.name = "nominatedNodeName", .type = FIELD_STRING, .proto = 11, .doc = "Node that room is being made on for it."},
    {.name = "podIPs",
     .type = FIELD_OBJECT,
     .shape = FIELD_LIST,
     .object = &type_pod_ip,
     .proto = 12,
     .list = LIST_MAP,
     .list_keys = "ip",
     .patch = PATCH_MERGE,
     .merge_key = "ip",
     .doc = "Addresses of the pod, one per family."},
    {.name = "ephemeralContainerStatuses",
     .type = FIELD_OBJECT,
     .shape = FIELD_LIST,
     .object = &type_container_status,
     .proto = 13,
     .doc = "State of its ephemeral containers."},
    {.name = "resize", .type = FIELD_STRING, .proto = 14, .doc = "Whether a change of its resources is under way."},
    {.name = "resourceClaimStatuses",
     .type = FIELD_OBJECT,
     .shape = FIELD_LIST,
     .object = &type_pod_resource_claim_status,
     .proto = 15,
     .list = LIST_MAP,
     .list_keys = "name",
     .patch = PATCH_MERGE | PATCH_RETAIN_KEYS,
     .merge_key = "name",
     .doc = "Its claims for devices."},
    {.name = "hostIPs",
     .type = FIELD_OBJECT,
     .shape = FIELD_LIST,
     .object = &type_host_ip,
     .proto = 16,
     .patch = PATCH_MERGE,
     .merge_key = "ip",
     .doc = "Addresses of its node, one per family."},
    {.name = NULL},
};
static const struct type type_pod_status = {.name = "PodStatus", .doc = "State of a pod.", .fields = fields_pod_status};

static const struct field fields_pod[] = {
    {.name = "kind", .type = FIELD_STRING, .doc = "Kind of the object."},
    {.name = "apiVersion", .type = FIELD_STRING, .doc = "Group and version of the API that the object is written in."},
    {.name = "metadata",
     .type = FIELD_OBJECT,
     .object = &type_object_meta,
     .proto = 1,
     .flags = FIELD_ALWAYS,
     .doc = "Name, namespace, labels and what else every object carries."},
    {.name = "spec",
     .type = FIELD_OBJECT,
     .object = &type_pod_spec,
     .proto = 2,
     .flags = FIELD_ALWAYS,
     .doc = "What is wanted."},
    {.name = "status",
     .type = FIELD_OBJECT,
     .object = &type_pod_status,
     .proto = 3,
     .flags = FIELD_ALWAYS,
     .doc = "What was last seen of it; written by controllers."},
    {.name = NULL},
};
static const struct type type_pod = {
    .name = "Pod", .doc = "Containers that run together on one node.", .fields = fields_pod, .fill = fill_pod};

static const struct column columns[] = {
    {.name = "Name", .type = "string", .format = "name", .doc = "Name of the object, unique within its namespace."},
    {.name = "Ready", .type = "string", .doc = "Ready containers of all."},
    {.name = "Status", .type = "string", .doc = "What the pod is doing."},
    {.name = "Restarts", .type = "string", .doc = "Restarts of all containers, and when the last was."},
    {.name = "Age", .type = "string", .doc = "Time since the object was created."},
    {.name = "IP", .type = "string", .doc = "Address of the pod.", .priority = 1},
    {.name = "Node", .type = "string", .doc = "Where it runs.", .priority = 1},
    {.name = "Nominated Node", .type = "string", .doc = "Where it may run once others are evicted.", .priority = 1},
    {.name = "Readiness Gates",
     .type = "string",
     .doc = "Further conditions of readiness that hold, of all.",
     .priority = 1},
    {.name = NULL},
};

/* What the Pod row shows, gathered from spec and status; the rules are those of kubectl's documented STATUS column. */
struct pod_view {
    struct buf reason;
    int64_t restarts;
    size_t ready, total;
    struct slice last_restart;
};

static bool has_condition(const struct json *o, const char *type, const char *status)
{
    struct json_iterator i = json_iterate(json_at(o, "status.conditions"));
    while (json_next(&i)) {
        if (slice_is(json_string_at(i.value, "type"), type) && slice_is(json_string_at(i.value, "status"), status))
            return true;
    }
    return false;
}

static void set_reason(struct pod_view *v, const char *format, ...) PRINTF_ARGS(2, 3);
static void set_reason(struct pod_view *v, const char *format, ...)
{
    char text[256];
    va_list args;
    va_start(args, format);
    (void)vsnprintf(text, sizeof text, format, args); /* a longer reason is cut */
    va_end(args);
    buf_reset(&v->reason);
    buf_append_str(&v->reason, text);
}

static void note_restart(struct pod_view *v, const struct json *status)
{
    struct slice finished = json_string_at(status, "lastState.terminated.finishedAt");
    v->restarts += json_int_at(status, "restartCount", 0);
    if (slice_compare(finished, v->last_restart) > 0)
        v->last_restart = finished; /* one format, so byte order is time order */
}

static void terminated_reason(struct pod_view *v, const struct json *terminated, const char *prefix)
{
    struct slice reason = json_string_at(terminated, "reason");
    int64_t signal = json_int_at(terminated, "signal", 0);
    if (reason.size > 0)
        set_reason(v, "%s%.*s", prefix, SLICE_ARGS(reason));
    else if (signal != 0)
        set_reason(v, "%sSignal:%lld", prefix, (long long)signal);
    else
        set_reason(v, "%sExitCode:%lld", prefix, (long long)json_int_at(terminated, "exitCode", 0));
}

static bool is_sidecar(const struct json *o, struct slice name)
{
    struct json_iterator i = json_iterate(json_at(o, "spec.initContainers"));
    while (json_next(&i)) {
        if (slice_equal(json_string_at(i.value, "name"), name))
            return slice_is(json_string_at(i.value, "restartPolicy"), "Always");
    }
    return false;
}

/* True while init containers are not through: then they say what the pod is doing. */
static bool view_init(const struct json *o, struct pod_view *v)
{
    size_t total = json_size(json_at(o, "spec.initContainers"));
    struct json_iterator i = json_iterate(json_at(o, "status.initContainerStatuses"));
    while (json_next(&i)) {
        const struct json *terminated = json_at(i.value, "state.terminated"),
                          *waiting = json_at(i.value, "state.waiting");
        bool sidecar = is_sidecar(o, json_string_at(i.value, "name"));
        note_restart(v, i.value);
        if (terminated != NULL && json_int_at(terminated, "exitCode", 0) == 0)
            continue;
        if (sidecar && json_bool_at(i.value, "started", false)) {
            v->total++;
            v->ready += json_bool_at(i.value, "ready", false) ? 1 : 0;
            continue;
        }
        struct slice why = json_string_at(waiting, "reason");
        if (terminated != NULL)
            terminated_reason(v, terminated, "Init:");
        else if (why.size > 0 && !slice_is(why, "PodInitializing"))
            set_reason(v, "Init:%.*s", SLICE_ARGS(why));
        else
            set_reason(v, "Init:%zu/%zu", i.position - 1, total);
        return true;
    }
    return false;
}

static void view_containers(const struct json *o, struct pod_view *v)
{
    const struct json *statuses = json_at(o, "status.containerStatuses");
    bool running = false;
    for (size_t i = json_size(statuses); i-- > 0;) {
        const struct json *s = json_element(statuses, i);
        struct slice waiting = json_string_at(s, "state.waiting.reason");
        const struct json *terminated = json_at(s, "state.terminated");
        note_restart(v, s);
        if (waiting.size > 0) {
            set_reason(v, "%.*s", SLICE_ARGS(waiting));
        } else if (terminated != NULL) {
            terminated_reason(v, terminated, "");
        } else if (json_bool_at(s, "ready", false) && json_at(s, "state.running") != NULL) {
            running = true;
            v->ready++;
        }
    }
    if (slice_is(buf_slice(&v->reason), "Completed") && running)
        set_reason(v, "%s", has_condition(o, "Ready", "True") ? "Running" : "NotReady");
}

static void view(const struct json *o, struct pod_view *v)
{
    struct slice reason = json_string_at(o, "status.reason");
    v->total = json_size(json_at(o, "spec.containers"));
    buf_append_slice(&v->reason, reason.size > 0 ? reason : json_string_at(o, "status.phase"));
    struct json_iterator i = json_iterate(json_at(o, "status.conditions"));
    while (json_next(&i)) {
        if (slice_is(json_string_at(i.value, "type"), "PodScheduled") &&
            slice_is(json_string_at(i.value, "reason"), "SchedulingGated"))
            set_reason(v, "SchedulingGated");
    }
    if (!view_init(o, v) || has_condition(o, "Initialized", "True"))
        view_containers(o, v);
    if (json_string_at(o, "metadata.deletionTimestamp").size > 0) {
        if (slice_is(reason, "NodeLost"))
            set_reason(v, "Unknown");
        else if (!slice_is(json_string_at(o, "status.phase"), "Succeeded") &&
                 !slice_is(json_string_at(o, "status.phase"), "Failed"))
            set_reason(v, "Terminating");
    }
}

static void restarts_cell(const struct pod_view *v, const struct column_now *now, struct cells *out)
{
    int64_t us;
    char age[AGE_TEXT_MAX];
    if (v->restarts == 0 || v->last_restart.size == 0 || time_parse(v->last_restart, &us) != 0) {
        cells_printf(out, "%lld", (long long)v->restarts);
        return;
    }
    age_text((now->wall_ms - us / 1000) / 1000, age);
    cells_printf(out, "%lld (%s ago)", (long long)v->restarts, age);
}

static void gates_cell(const struct json *o, struct cells *out)
{
    size_t total = 0, held = 0;
    struct json_iterator i = json_iterate(json_at(o, "spec.readinessGates"));
    while (json_next(&i)) {
        struct slice type = json_string_at(i.value, "conditionType");
        total++;
        held += type.size > 0 && has_condition(o, type.data, "True") ? 1 : 0;
    }
    if (total == 0)
        cells_str(out, "<none>");
    else
        cells_printf(out, "%zu/%zu", held, total);
}

static void row(const struct json *o, const struct column_now *now, struct cells *out)
{
    struct pod_view v = {0};
    view(o, &v);
    cells_add(out, json_string_at(o, "metadata.name"));
    cells_printf(out, "%zu/%zu", v.ready, v.total);
    cells_add(out, buf_slice(&v.reason));
    restarts_cell(&v, now, out);
    cells_age(out, json_string_at(o, "metadata.creationTimestamp"), now);
    cells_or(out, json_string_at(o, "status.podIP"), "<none>");
    cells_or(out, json_string_at(o, "spec.nodeName"), "<none>");
    cells_or(out, json_string_at(o, "status.nominatedNodeName"), "<none>");
    gates_cell(o, out);
    buf_release(&v.reason);
}

static void prepare_create(struct json_doc *d, struct json *o)
{
    struct json *status = json_new_object(d);
    json_set_str(d, status, "phase", "Pending");
    json_set_string(d, status, "qosClass", json_string_at(o, "status.qosClass"));
    json_set(d, o, "status", status);
}

/* A pod that no node has taken, or that is over, goes at once; else the node agent ends it within its grace. */
static int64_t grace_seconds(const struct json *o, int64_t asked)
{
    struct slice phase = json_string_at(o, "status.phase");
    if (json_string_at(o, "spec.nodeName").size == 0 || slice_is(phase, "Succeeded") || slice_is(phase, "Failed"))
        return 0;
    return asked >= 0 ? asked : json_int_at(o, "spec.terminationGracePeriodSeconds", 30);
}

/* The spec with everything that may change made equal. */
static struct json *frozen_spec(struct json_doc *d, const struct json *o, const struct json *like)
{
    static const char *const lists[] = {"containers", "initContainers"};
    static const char *const free_fields[] = {"activeDeadlineSeconds", "tolerations", "terminationGracePeriodSeconds",
                                              "schedulingGates", "ephemeralContainers"};
    struct json *spec = json_copy(d, json_get(o, "spec"));
    for (size_t l = 0; l < ARRAY_LEN(lists); l++) {
        struct json_iterator i = json_iterate(json_get(spec, lists[l]));
        while (json_next(&i)) {
            const struct json *image =
                json_get(json_element(json_get(json_get(like, "spec"), lists[l]), i.position - 1), "image");
            if (image != NULL)
                json_set(d, i.value, "image", json_copy(d, image));
        }
    }
    for (size_t i = 0; i < ARRAY_LEN(free_fields); i++)
        (void)json_remove(spec, free_fields[i]); /* absent is as good */
    return spec;
}

static bool same_toleration(const struct json *a, const struct json *b)
{
    static const char *const fields[] = {"key", "operator", "value", "effect"};
    for (size_t i = 0; i < ARRAY_LEN(fields); i++)
        if (!slice_equal(json_string_at(a, fields[i]), json_string_at(b, fields[i])))
            return false;
    return true;
}

static bool keeps_tolerations(const struct json *object, const struct json *old)
{
    struct json_iterator i = json_iterate(json_at(old, "spec.tolerations"));
    while (json_next(&i)) {
        bool found = false;
        struct json_iterator k = json_iterate(json_at(object, "spec.tolerations"));
        while (json_next(&k))
            found |= same_toleration(i.value, k.value);
        if (!found)
            return false;
    }
    return true;
}

/* Both values of every field that changed, as a reader of a diff expects them. */
static void difference(const struct json *was, const struct json *now, struct buf *out)
{
    struct json_iterator i = json_iterate(was);
    while (json_next(&i)) {
        const struct json *other = json_get_slice(now, i.key);
        if (json_equal(i.value, other))
            continue;
        buf_printf(out, "\n- %.*s: ", SLICE_ARGS(i.key));
        json_print(i.value, out);
        if (other == NULL)
            continue;
        buf_printf(out, "\n+ %.*s: ", SLICE_ARGS(i.key));
        json_print(other, out);
    }
    i = json_iterate(now);
    while (json_next(&i)) {
        if (json_get_slice(was, i.key) != NULL)
            continue;
        buf_printf(out, "\n+ %.*s: ", SLICE_ARGS(i.key));
        json_print(i.value, out);
    }
}

static bool keeps_containers(struct check *c, const struct json *object, const struct json *old)
{
    static const char *const lists[] = {"containers", "initContainers"};
    bool kept = true;
    for (size_t l = 0; l < ARRAY_LEN(lists); l++) {
        size_t mark = check_enter(c, "spec");
        bool same = json_size(json_get(json_get(object, "spec"), lists[l])) ==
                    json_size(json_get(json_get(old, "spec"), lists[l]));
        if (!same)
            check_fail_at(c, lists[l], CHECK_FORBIDDEN, NULL, "pod updates may not add or remove containers");
        check_leave(c, mark);
        kept &= same;
    }
    return kept;
}

static void check_update(struct check *c, const struct json *object, const struct json *old)
{
    if (!keeps_containers(c, object, old))
        return;
    struct json_doc *d = json_doc_new();
    struct buf text = {0};
    if (!keeps_tolerations(object, old))
        check_fail_at(c, "spec.tolerations", CHECK_FORBIDDEN, NULL,
                      "existing toleration can not be modified except its tolerationSeconds");
    const struct json *now = frozen_spec(d, object, old), *was = frozen_spec(d, old, old);
    if (!json_equal(now, was)) {
        difference(was, now, &text);
        check_fail_at(
            c, "spec", CHECK_FORBIDDEN, NULL,
            "pod updates may not change fields other than `spec.containers[*].image`,`spec.initContainers[*].image`,"
            "`spec.activeDeadlineSeconds`,`spec.tolerations` (only additions to existing tolerations),"
            "`spec.terminationGracePeriodSeconds` (allow it to be set to 1 if it was previously negative)%s",
            text.data);
    }
    buf_release(&text);
    json_doc_free(d);
}

static const char *const short_names[] = {"po", NULL};
static const char *const categories[] = {"all", NULL};
static const struct subresource subresources[] = {
    {"attach", "", "v1", "PodAttachOptions", "create,get", CONNECTS_NODE},
    {"binding", "", "v1", "Binding", "create", CONNECTS_NOT},
    {"ephemeralcontainers", "", "v1", "Pod", "get,patch,update", CONNECTS_NOT},
    {"eviction", "policy", "v1", "Eviction", "create", CONNECTS_NOT},
    {"exec", "", "v1", "PodExecOptions", "create,get", CONNECTS_NODE},
    {"log", "", "v1", "Pod", "get", CONNECTS_NOT},
    {"portforward", "", "v1", "PodPortForwardOptions", "create,get", CONNECTS_NODE},
    {"proxy", "", "v1", "PodProxyOptions", PROXY_VERBS, CONNECTS_PROXY},
    {"resize", "", "v1", "Pod", "get,patch,update", CONNECTS_NOT},
    {"status", "", "v1", "Pod", "get,patch,update", CONNECTS_NOT},
    {.name = NULL},
};
static const struct selectable selectable[] = {
    {.label = "spec.nodeName"},
    {.label = "spec.restartPolicy"},
    {.label = "spec.schedulerName"},
    {.label = "spec.serviceAccountName"},
    {.label = "spec.hostNetwork", .absent = "false"},
    {.label = "status.phase"},
    {.label = "status.podIP"},
    {.label = "status.podIPs", .path = "status.podIP"},
    {.label = "status.nominatedNodeName"},
    {.label = NULL},
};

const struct kind kind_pod = {
    .group = "",
    .version = "v1",
    .name = "Pod",
    .plural = "pods",
    .singular = "pod",
    .short_names = short_names,
    .categories = categories,
    .namespaced = true,
    .storage_prefix = "pods",
    .verbs = "create,delete,deletecollection,get,list,patch,update,watch",
    .type = &type_pod,
    .subresources = subresources,
    .selectable = selectable,
    .columns = columns,
    .row = row,
    .prepare_create = prepare_create,
    .check_update = check_update,
    .grace_seconds = grace_seconds,
    .no_generation = true,
    .delete_answers_object = true,
};
