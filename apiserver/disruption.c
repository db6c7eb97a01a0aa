#include "common/base.h"

#include "apiserver/disruption.h"
#include "common/clock.h"
#include "common/kube/selector.h"

#include <inttypes.h>

static bool unprotected(const struct json *pod)
{
    struct slice phase = json_string_at(pod, "status.phase");
    return slice_is(phase, "Pending") || slice_is(phase, "Succeeded") || slice_is(phase, "Failed") ||
           json_at(pod, "metadata.deletionTimestamp") != NULL;
}

static const struct json *condition(const struct json *o, const char *type)
{
    struct json_iterator i = json_iterate(json_at(o, "status.conditions"));
    while (json_next(&i))
        if (slice_is(json_string_at(i.value, "type"), type))
            return i.value;
    return NULL;
}

/* A budget without a selector selects nothing, one with an empty selector everything. */
static bool selects(const struct json *budget, const struct json *pod)
{
    const struct json *own = json_at(budget, "spec.selector");
    struct selector s = {0};
    bool is = own != NULL && selector_from_json(own, &s, NULL) == 0 &&
              selector_matches_json(&s, json_at(pod, "metadata.labels"));
    selector_release(&s);
    return is;
}

static int too_many(struct failure *f, int retry_seconds, const char *why)
{
    failure_cause(f, "DisruptionBudget", slice_str(why), (struct slice){NULL, 0});
    f->retry_after_seconds = retry_seconds;
    return failure_set(f, ERR_BUSY, "Cannot evict pod as it would violate the pod's disruption budget.");
}

static void say_insufficient(struct json_doc *d, struct json *budget, int64_t now_us)
{
    char now[TIME_TEXT_MAX];
    struct json *status = json_get(budget, "status"), *made = json_new_object(d);
    const struct json *old = condition(budget, "DisruptionAllowed");
    time_format(now_us, 0, now);
    json_set_str(d, made, "type", "DisruptionAllowed");
    json_set_str(d, made, "status", "False");
    json_set_int(d, made, "observedGeneration", json_int_at(budget, "status.observedGeneration", 0));
    if (slice_is(json_string_at(old, "status"), "False"))
        json_set(d, made, "lastTransitionTime", json_copy(d, json_get(old, "lastTransitionTime")));
    else
        json_set_str(d, made, "lastTransitionTime", now);
    json_set_str(d, made, "reason", "InsufficientPods");
    json_set_str(d, made, "message", "");
    struct json *list = json_get(status, "conditions");
    if (json_type(list) != JSON_ARRAY) {
        json_set(d, status, "conditions", json_new_array(d));
        list = json_get(status, "conditions");
    }
    struct json_iterator i = json_iterate(list);
    while (json_next(&i)) {
        if (i.value == old) {
            json_replace_element(list, i.position - 1, made);
            return;
        }
    }
    json_append(list, made);
}

static int spend(struct json_doc *d, struct json *budget, struct slice pod, int64_t now_us, struct failure *f)
{
    struct slice name = json_string_at(budget, "metadata.name");
    struct json *status = json_ensure_object(d, budget, "status");
    int64_t allowed = json_int_at(status, "disruptionsAllowed", 0);
    char now[TIME_TEXT_MAX];
    struct buf text = {0};
    int code = 0;
    if (json_int_at(status, "observedGeneration", 0) < json_int_at(budget, "metadata.generation", 0)) {
        buf_printf(&text, "The disruption budget %.*s is still being processed by the server.", SLICE_ARGS(name));
        code = too_many(f, 10, text.data);
    } else if (allowed < 0 || json_size(json_get(status, "disruptedPods")) > DISRUPTED_PODS_MAX) {
        code =
            failure_set(f, ERR_FORBIDDEN, "poddisruptionbudget.policy \"%.*s\" is forbidden: %s", SLICE_ARGS(name),
                        allowed < 0 ? "pdb disruptions allowed is negative"
                                    : "DisruptedPods map too big - too many evictions not confirmed by PDB controller");
    } else if (allowed == 0) {
        buf_printf(&text, "The disruption budget %.*s needs %" PRId64 " healthy pods and has %" PRId64 " currently",
                   SLICE_ARGS(name), json_int_at(status, "desiredHealthy", 0),
                   json_int_at(status, "currentHealthy", 0));
        code = too_many(f, 0, text.data);
    }
    buf_release(&text);
    if (code != 0)
        return code;
    time_format(now_us, 0, now);
    json_set_int(d, status, "disruptionsAllowed", allowed - 1);
    if (allowed == 1)
        say_insufficient(d, budget, now_us);
    json_set_slice(d, json_ensure_object(d, status, "disruptedPods"), pod, json_new_str(d, now));
    return 0;
}

/* A pod that is not ready counts for nothing: its budget lets it go where the others suffice, or always. */
static bool free_of_charge(const struct json *pod, const struct json *budget)
{
    if (slice_is(json_string_at(condition(pod, "Ready"), "status"), "True"))
        return false;
    if (slice_is(json_string_at(budget, "spec.unhealthyPodEvictionPolicy"), "AlwaysAllow"))
        return true;
    int64_t desired = json_int_at(budget, "status.desiredHealthy", 0);
    return desired > 0 && json_int_at(budget, "status.currentHealthy", 0) >= desired;
}

int disruption_decide(struct json_doc *d, const struct json *pod, struct json **budgets, size_t n, int64_t now_us,
                      size_t *ret_spent, struct failure *f)
{
    size_t found = SIZE_MAX;
    *ret_spent = SIZE_MAX;
    if (unprotected(pod) || json_size(json_at(pod, "metadata.labels")) == 0)
        return 0;
    for (size_t i = 0; i < n; i++) {
        if (!selects(budgets[i], pod))
            continue;
        if (found != SIZE_MAX)
            return failure_set(
                f, ERR_UNEXPLAINED,
                "This pod has more than one PodDisruptionBudget, which the eviction subresource does not support.");
        found = i;
    }
    if (found == SIZE_MAX || free_of_charge(pod, budgets[found]))
        return 0;
    int code = spend(d, budgets[found], json_string_at(pod, "metadata.name"), now_us, f);
    if (code == 0)
        *ret_spent = found;
    return code;
}
