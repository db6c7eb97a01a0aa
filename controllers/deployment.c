/* deployment: a ReplicaSet per template, and the pace at which pods move from the old ones to the new one. */
#include "common/base.h"

#include "controllers/claim.h"
#include "controllers/deployment.h"

static void set_keys(const struct view *v, struct object *set, void (*add)(void *arg, struct slice key), void *arg)
{
    if (set->controller_uid != NULL)
        controller_owner_key(set, "Deployment", add, arg);
    else if (!set->deleting)
        claim_keys(v, "deployments.apps", false, set, add, arg);
}

struct through {
    const struct view *view;
    void (*add)(void *arg, struct slice key);
    void *arg;
};

static void add_deployment_of(void *arg, struct slice set_key)
{
    struct through *t = arg;
    struct object *set = t->view->get(t->view, "replicasets.apps", set_key);
    if (set != NULL)
        controller_owner_key(set, "Deployment", t->add, t->arg);
}

/* Only a pod that is gone matters: strategy Recreate waits for it. */
static void pod_keys(const struct view *v, struct object *pod, void (*add)(void *arg, struct slice key), void *arg)
{
    struct through t = {v, add, arg};
    if (v->get(v, "pods", slice_str(pod->key)) == NULL)
        controller_owner_key(pod, "ReplicaSet", add_deployment_of, &t);
}

static const struct controller_watch deployment_watches[] = {
    {.resource = "deployments.apps"},
    {.resource = "replicasets.apps", .keys = set_keys},
    {.resource = "pods", .keys = pod_keys},
    {0},
};

static void set_counts(struct rollout *r)
{
    struct json_doc *d = r->plan->doc;
    int64_t replicas = rollout_sum(r, set_replicas), available = rollout_sum(r, set_available);
    json_set_int(d, r->status, "observedGeneration", json_int_at(r->deployment, "metadata.generation", 0));
    set_count(d, r->status, "replicas", replicas);
    set_count(d, r->status, "updatedReplicas", r->current == NULL ? 0 : r->current->replicas);
    set_count(d, r->status, "readyReplicas", rollout_sum(r, set_ready));
    set_count(d, r->status, "availableReplicas", available);
    set_count(d, r->status, "unavailableReplicas", MAX(MAX(replicas, r->wanted) - available, (int64_t)0));
}

/* The deployment shows the revision of its current set. False when it does already. */
static bool plan_revision(struct rollout *r)
{
    if (r->current == NULL || r->current->revision == 0 || revision_of(r->deployment) == r->current->revision)
        return false;
    struct json_doc *d = r->plan->doc;
    struct json *patch = json_new_object(d);
    char *text = arena_printf(&r->plan->arena, "%lld", (long long)r->current->revision);
    json_set_str(d, json_ensure_object(d, patch, "metadata.annotations"), DEPLOYMENT_REVISION, text);
    plan_patch(r->plan, "deployments.apps", json_string_at(r->deployment, "metadata.namespace"),
               json_string_at(r->deployment, "metadata.name"), patch);
    return true;
}

static void act(struct rollout *r)
{
    if (r->paused || rollout_is_resized(r)) {
        rollout_resize(r);
    } else if (r->current == NULL) {
        bool waits = r->recreate && (rollout_sum(r, set_wanted) > 0 || rollout_old_pods_run(r));
        for (size_t i = 0; waits && i < r->count; i++)
            r->sets[i].scale_to = 0;
        if (!waits)
            rollout_create_set(r);
    } else {
        rollout_move(r);
    }
    rollout_write_sets(r);
    if (r->paused || rollout_complete(r))
        rollout_clean_up(r);
}

static void deployment_reconcile(const struct view *v, struct slice key, struct plan *plan)
{
    struct object *o = v->get(v, "deployments.apps", key);
    if (o == NULL || o->deleting)
        return;
    struct rollout r = {.plan = plan, .view = v, .deployment = object_tree(o, plan->doc)};
    rollout_read_strategy(&r);
    r.status = json_copy(plan->doc, json_get(r.deployment, "status"));
    if (r.status == NULL)
        r.status = json_new_object(plan->doc);
    if (rollout_collect(&r)) {
        set_counts(&r);
        act(&r);
        rollout_conditions(&r);
        if (!plan_revision(&r)) /* both write the deployment: the status follows when the cache shows the patch */
            plan_status(plan, "deployments.apps", r.deployment, r.status);
    }
    mem_free(r.sets);
}

const struct controller controller_deployment = {
    .name = "deployment",
    .watches = deployment_watches,
    .reconcile = deployment_reconcile,
};
