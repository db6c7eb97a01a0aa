/* Conditions of a deployment. Progressing carries the deadline: its lastUpdateTime is when something last moved. */
#include "common/base.h"

#include "controllers/deployment.h"

#define NEW_SET_AVAILABLE "NewReplicaSetAvailable"
#define DEADLINE_EXCEEDED "ProgressDeadlineExceeded"
#define NO_DEADLINE INT32_MAX

static int64_t deadline_s(const struct rollout *r)
{
    return json_int_at(r->deployment, "spec.progressDeadlineSeconds", NO_DEADLINE);
}

static bool has_reason(const struct json *condition, const char *reason)
{
    return slice_is(json_string_at(condition, "reason"), reason);
}

static void touch(struct rollout *r, struct json *condition)
{
    char now[TIME_TEXT_MAX];
    time_format(r->view->wall_us, 0, now);
    json_set_str(r->plan->doc, condition, "lastUpdateTime", now);
}

void rollout_progress(struct rollout *r, const char *is, const char *reason, const char *message)
{
    if (deadline_s(r) == NO_DEADLINE)
        return; /* without a deadline nobody asks for progress, as Kubernetes has it */
    touch(r, condition_set(r->plan->doc, r->status, "Progressing", is, reason, message, r->view->wall_us));
}

bool rollout_complete(const struct rollout *r)
{
    return r->current != NULL && r->current->replicas == r->wanted && rollout_sum(r, set_replicas) == r->wanted &&
           rollout_sum(r, set_available) == r->wanted &&
           json_int_at(r->status, "observedGeneration", 0) >= json_int_at(r->deployment, "metadata.generation", 0);
}

/* More of the new, fewer of the old, or more that are ready than the last status told. */
static bool moved(const struct rollout *r)
{
    const struct json *before = json_get(r->deployment, "status"), *now = r->status;
    int64_t updated = json_int_at(now, "updatedReplicas", 0), updated_before = json_int_at(before, "updatedReplicas", 0);
    int64_t old = json_int_at(now, "replicas", 0) - updated;
    int64_t old_before = json_int_at(before, "replicas", 0) - updated_before;
    return updated > updated_before || old < old_before ||
           json_int_at(now, "readyReplicas", 0) > json_int_at(before, "readyReplicas", 0) ||
           json_int_at(now, "availableReplicas", 0) > json_int_at(before, "availableReplicas", 0);
}

/* When the deadline has passed, 0; else how long is left, in µs. */
static int64_t time_left_us(const struct rollout *r, const struct json *condition)
{
    int64_t since;
    if (time_parse(json_string_at(condition, "lastUpdateTime"), &since) != 0)
        return 0;
    return MAX(since + deadline_s(r) * 1000000 - r->view->wall_us, (int64_t)0);
}

static void again_after(struct rollout *r, int64_t us)
{
    uint64_t ms = (uint64_t)us / 1000 + 1000; /* a second more: the times in objects are whole seconds */
    r->plan->again_ms = r->plan->again_ms == 0 ? ms : MIN(r->plan->again_ms, ms);
}

static const char *about_set(struct rollout *r, const char *what)
{
    if (r->current == NULL)
        return arena_printf(&r->plan->arena, "Deployment \"%.*s\" %s", SLICE_ARGS(json_string_at(r->deployment, "metadata.name")), what);
    return arena_printf(&r->plan->arena, "ReplicaSet \"%.*s\" %s", SLICE_ARGS(r->current->object->name), what);
}

/* A deadline missed by another set than the current one is history: an undo gets its own time. */
static bool about_current(struct rollout *r, const struct json *condition)
{
    return r->current == NULL ||
           slice_is(json_string_at(condition, "message"), about_set(r, "has timed out progressing."));
}

static void judge_progress(struct rollout *r)
{
    const struct json *condition = condition_find(r->status, "Progressing");
    bool was_done = has_reason(condition, NEW_SET_AVAILABLE) &&
                    json_int_at(r->status, "replicas", 0) == json_int_at(r->status, "updatedReplicas", 0);
    if (was_done || deadline_s(r) == NO_DEADLINE)
        return;
    if (rollout_complete(r))
        rollout_progress(r, "True", NEW_SET_AVAILABLE, about_set(r, "has successfully progressed."));
    else if (has_reason(condition, DEADLINE_EXCEEDED) && !about_current(r, condition))
        rollout_progress(r, "True", "FoundNewReplicaSet", about_set(r, "is the new one."));
    else if (condition == NULL || moved(r))
        rollout_progress(r, "True", "ReplicaSetUpdated", about_set(r, "is progressing."));
    else if (has_reason(condition, NEW_SET_AVAILABLE) || has_reason(condition, DEADLINE_EXCEEDED))
        return;
    else if (time_left_us(r, condition) == 0)
        rollout_progress(r, "False", DEADLINE_EXCEEDED, about_set(r, "has timed out progressing."));
    condition = condition_find(r->status, "Progressing");
    if (!has_reason(condition, NEW_SET_AVAILABLE) && !has_reason(condition, DEADLINE_EXCEEDED))
        again_after(r, time_left_us(r, condition));
}

/* A pause stops the clock; the end of one starts it anew. */
static bool judge_pause(struct rollout *r)
{
    const struct json *condition = condition_find(r->status, "Progressing");
    bool noted = has_reason(condition, "DeploymentPaused");
    if (has_reason(condition, DEADLINE_EXCEEDED))
        return r->paused;
    if (r->paused && !noted)
        rollout_progress(r, "Unknown", "DeploymentPaused", "Deployment is paused");
    else if (!r->paused && noted)
        rollout_progress(r, "Unknown", "DeploymentResumed", "Deployment is resumed");
    return r->paused;
}

void rollout_conditions(struct rollout *r)
{
    bool available = rollout_sum(r, set_available) >= r->wanted - r->unavailable;
    struct json *condition = condition_find(r->status, "Available");
    bool same = condition != NULL && slice_is(json_string_at(condition, "status"), available ? "True" : "False");
    if (!same)
        touch(r, condition_set(r->plan->doc, r->status, "Available", available ? "True" : "False",
                               available ? "MinimumReplicasAvailable" : "MinimumReplicasUnavailable",
                               available ? "Deployment has minimum availability."
                                         : "Deployment does not have minimum availability.",
                               r->view->wall_us));
    if (!judge_pause(r))
        judge_progress(r);
}
