/* disruption: how many of a budget's pods may be disturbed now. The apiserver takes one off `disruptionsAllowed` for
 * each eviction and notes the pod in `disruptedPods`; here the count is made anew from what the caches show. A noted
 * pod counts as unhealthy until it is seen going, or until it should long have gone. */
#include "common/base.h"

#include "common/clock.h"
#include "controllers/claim.h"
#include "controllers/controllers.h"

#define BUDGETS "poddisruptionbudgets.policy"
#define COMPONENT "controllermanager"
#define ALLOWED "DisruptionAllowed"
#define DELETION_TIMEOUT_US                                                                                            \
    (120 * INT64_C(1000000)) /* an eviction that came to nothing is forgotten, as Kubernetes does */

/* Who scales pods. A ReplicaSet that a Deployment has is scaled by it. */
static const struct {
    const char *api_version, *kind, *resource;
} scales[] = {
    {"apps/v1", "Deployment", "deployments.apps"},
    {"apps/v1", "ReplicaSet", "replicasets.apps"},
    {"apps/v1", "StatefulSet", "statefulsets.apps"},
    {"v1", "ReplicationController", "replicationcontrollers"},
};

static void pod_keys(const struct view *v, struct object *pod, void (*add)(void *arg, struct slice key), void *arg)
{
    claim_keys(v, BUDGETS, false, pod, add, arg);
}

static void workload_keys(const struct view *v, struct object *o, void (*add)(void *arg, struct slice key), void *arg)
{
    struct json_doc *d = json_doc_new();
    claim_keys_of_labels(v, BUDGETS, false, o->namespace, json_at(object_tree(o, d), "spec.template.metadata.labels"),
                         add, arg);
    json_doc_free(d);
}

static const struct controller_watch disruption_watches[] = {
    {.resource = BUDGETS},
    {.resource = "pods", .keys = pod_keys},
    {.resource = "deployments.apps", .keys = workload_keys},
    {.resource = "replicasets.apps", .keys = workload_keys},
    {.resource = "statefulsets.apps", .keys = workload_keys},
    {.resource = "replicationcontrollers", .keys = workload_keys},
    {0},
};

/* What is counted for one budget. */
struct counting {
    const struct view *view;
    struct plan *plan;
    struct object *object;
    const struct json *budget;
    struct selector selector;
    struct json *disrupted; /* those still waited for */
    int64_t pods, healthy, scale;
    bool scaled;              /* the expected count is the scale of the pods' controllers */
    struct json *controllers; /* uids whose scale is in `scale` */
    const char *error;        /* why the scale is not known; NULL: it is */
};

static const struct json *controller_of(const struct json *o)
{
    struct json_iterator i = json_iterate(json_at(o, "metadata.ownerReferences"));
    while (json_next(&i))
        if (json_bool_at(i.value, "controller", false))
            return i.value;
    return NULL;
}

/* The object that a reference names, in a doc of the caller; NULL: another of that name, or of a kind that has no
 * scale. */
static const struct json *scaled_object(struct counting *c, const struct json *reference, struct json_doc *d)
{
    struct slice kind = json_string_at(reference, "kind"), version = json_string_at(reference, "apiVersion");
    for (size_t i = 0; i < ARRAY_LEN(scales); i++) {
        if (!slice_is(kind, scales[i].kind) || !slice_is(version, scales[i].api_version))
            continue;
        char *key = arena_printf(&c->plan->arena, "%.*s/%.*s", SLICE_ARGS(c->object->namespace),
                                 SLICE_ARGS(json_string_at(reference, "name")));
        struct object *o = c->view->get(c->view, scales[i].resource, slice_str(key));
        return o != NULL && slice_is(json_string_at(reference, "uid"), o->uid) ? object_tree(o, d) : NULL;
    }
    return NULL;
}

static bool counted_before(struct counting *c, struct slice uid)
{
    if (json_get_slice(c->controllers, uid) != NULL)
        return true;
    json_set_slice(c->plan->doc, c->controllers, uid, json_new_str(c->plan->doc, "counted"));
    return false;
}

/* A pod without a controller adds nothing to what is expected. */
static void add_scale(struct counting *c, const struct json *pod)
{
    const struct json *reference = controller_of(pod);
    if (reference == NULL || c->error != NULL || counted_before(c, json_string_at(reference, "uid")))
        return;
    struct json_doc *d = json_doc_new();
    const struct json *owner = scaled_object(c, reference, d), *above = controller_of(owner);
    if (owner != NULL && slice_is(json_string_at(above, "kind"), "Deployment")) {
        owner = scaled_object(c, above, d);
        if (counted_before(c, json_string_at(above, "uid"))) {
            json_doc_free(d);
            return; /* through another of its sets */
        }
    }
    if (owner == NULL)
        c->error = arena_printf(&c->plan->arena, "found no controllers for pod \"%.*s\"",
                                SLICE_ARGS(json_string_at(pod, "metadata.name")));
    else
        c->scale += json_int_at(owner, "spec.replicas", 1);
    json_doc_free(d);
}

/* An eviction that the apiserver has let through and whose deletion is not seen yet. */
static bool awaited(struct counting *c, const struct json *pod)
{
    struct slice name = json_string_at(pod, "metadata.name");
    const struct json *when = json_get_slice(json_at(c->budget, "status.disruptedPods"), name);
    int64_t us;
    if (when == NULL || time_parse(json_string(when), &us) != 0)
        return false;
    int64_t left_us = us + DELETION_TIMEOUT_US - c->view->wall_us;
    if (left_us <= 0) {
        char *text =
            arena_printf(&c->plan->arena, "Pod was expected by PDB %s to be deleted but it wasn't", c->object->key);
        plan_event(c->plan, pod, COMPONENT, "Warning", "NotDeleted", text, c->view->wall_us);
        return false;
    }
    uint64_t left_ms = (uint64_t)left_us / 1000 + 1;
    c->plan->again_ms = c->plan->again_ms == 0 ? left_ms : MIN(c->plan->again_ms, left_ms);
    json_set_slice(c->plan->doc, c->disrupted, name, json_copy(c->plan->doc, when));
    return true;
}

static void count_pod(void *arg, struct object *o)
{
    struct counting *c = arg;
    if (!slice_equal(o->namespace, c->object->namespace))
        return;
    struct json_doc *d = json_doc_new();
    const struct json *pod = object_tree(o, d);
    if (selector_matches_json(&c->selector, json_at(pod, "metadata.labels"))) {
        bool ready = slice_is(json_string_at(condition_find(json_get(pod, "status"), "Ready"), "status"), "True");
        c->pods++;
        c->healthy += !o->deleting && !awaited(c, pod) && ready;
        if (c->scaled)
            add_scale(c, pod);
    }
    json_doc_free(d);
}

static int64_t desired(const struct counting *c, int64_t expected)
{
    const struct json *most = json_at(c->budget, "spec.maxUnavailable");
    if (most != NULL)
        return MAX(expected - count_or_percent(most, expected, true), INT64_C(0));
    return count_or_percent(json_at(c->budget, "spec.minAvailable"), expected, true);
}

static struct json *status_copy(struct counting *c)
{
    struct json *status = json_copy(c->plan->doc, json_get(c->budget, "status"));
    return status != NULL ? status : json_new_object(c->plan->doc);
}

/* Nothing may go while it is not known how much there should be. */
static void fail_safe(struct counting *c)
{
    struct json_doc *d = c->plan->doc;
    struct json *status = status_copy(c);
    const struct json *before = condition_find(status, ALLOWED);
    if (!slice_is(json_string_at(before, "message"), c->error)) {
        char *text = arena_printf(&c->plan->arena, "Failed to calculate the number of expected pods: %s", c->error);
        plan_event(c->plan, c->budget, COMPONENT, "Warning", "CalculateExpectedPodCountFailed", text, c->view->wall_us);
    }
    json_set_int(d, status, "disruptionsAllowed", 0);
    struct json *is = condition_set(d, status, ALLOWED, "False", "SyncFailed", c->error, c->view->wall_us);
    json_set_int(d, is, "observedGeneration", json_int_at(status, "observedGeneration", 0));
    plan_status(c->plan, BUDGETS, c->budget, status);
}

static void write_status(struct counting *c)
{
    struct json_doc *d = c->plan->doc;
    struct json *status = status_copy(c);
    int64_t expected = c->scaled ? c->scale : c->pods, generation = json_int_at(c->budget, "metadata.generation", 0);
    int64_t wanted = desired(c, expected), allowed = expected > 0 ? MAX(c->healthy - wanted, INT64_C(0)) : 0;
    bool news =
        json_int_at(status, "observedGeneration", 0) != generation || json_int_at(status, "expectedPods", 0) > 0;
    if (c->pods == 0 && news)
        plan_event(c->plan, c->budget, COMPONENT, "Normal", "NoPods", "No matching pods found", c->view->wall_us);
    json_set_int(d, status, "observedGeneration", generation);
    json_set_int(d, status, "disruptionsAllowed", allowed);
    json_set_int(d, status, "currentHealthy", c->healthy);
    json_set_int(d, status, "desiredHealthy", wanted);
    json_set_int(d, status, "expectedPods", expected);
    if (json_size(c->disrupted) > 0)
        json_set(d, status, "disruptedPods", c->disrupted);
    else
        json_remove(status, "disruptedPods");
    struct json *is = condition_set(d, status, ALLOWED, allowed > 0 ? "True" : "False",
                                    allowed > 0 ? "SufficientPods" : "InsufficientPods", "", c->view->wall_us);
    json_set_int(d, is, "observedGeneration", generation);
    plan_status(c->plan, BUDGETS, c->budget, status);
}

static void disruption_reconcile(const struct view *v, struct slice key, struct plan *plan)
{
    struct object *o = v->get(v, BUDGETS, key);
    if (o == NULL || o->deleting)
        return;
    struct counting c = {.view = v,
                         .plan = plan,
                         .object = o,
                         .budget = object_tree(o, plan->doc),
                         .disrupted = json_new_object(plan->doc),
                         .controllers = json_new_object(plan->doc)};
    const struct json *least = json_at(c.budget, "spec.minAvailable");
    c.scaled = json_at(c.budget, "spec.maxUnavailable") != NULL || json_type(least) == JSON_STRING;
    /* Without a selector it has no pods; an empty one has all of the namespace. */
    if (selector_from_json(json_at(c.budget, "spec.selector"), &c.selector, NULL) == 0)
        v->list(v, "pods", count_pod, &c);
    selector_release(&c.selector);
    if (c.error != NULL)
        fail_safe(&c);
    else
        write_status(&c);
}

const struct controller controller_disruption = {"disruption", disruption_watches, disruption_reconcile};
