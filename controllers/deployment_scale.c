/* How many pods each set of a deployment shall have now. */
#include "common/base.h"

#include "controllers/deployment.h"

int64_t set_wanted(const struct replica_set *s) { return s->wanted; }
int64_t set_scale_to(const struct replica_set *s) { return s->scale_to; }
int64_t set_replicas(const struct replica_set *s) { return s->replicas; }
int64_t set_ready(const struct replica_set *s) { return s->ready; }
int64_t set_available(const struct replica_set *s) { return s->available; }

int64_t rollout_sum(const struct rollout *r, int64_t (*of)(const struct replica_set *s))
{
    int64_t total = 0;
    for (size_t i = 0; i < r->count; i++)
        total += of(&r->sets[i]);
    return total;
}

void rollout_read_strategy(struct rollout *r)
{
    r->wanted = json_int_at(r->deployment, "spec.replicas", 1);
    r->paused = json_bool_at(r->deployment, "spec.paused", false);
    r->recreate = slice_is(json_string_at(r->deployment, "spec.strategy.type"), "Recreate");
    if (r->recreate)
        return;
    const struct json *rolling = json_at(r->deployment, "spec.strategy.rollingUpdate");
    r->surge = count_or_percent(json_get(rolling, "maxSurge"), r->wanted, true);
    r->unavailable = MIN(count_or_percent(json_get(rolling, "maxUnavailable"), r->wanted, false), r->wanted);
    if (r->surge == 0 && r->unavailable == 0)
        r->unavailable = 1; /* or nothing could ever move */
}

/* Somebody changed spec.replicas since the sets that have pods were written. */
bool rollout_is_resized(const struct rollout *r)
{
    for (size_t i = 0; i < r->count; i++)
        if (r->sets[i].wanted > 0 && rollout_annotation(r->sets[i].tree, DEPLOYMENT_DESIRED, r->wanted) != r->wanted)
            return true;
    return false;
}

/* The one set that has pods; with none, the current or else the newest; NULL when several have pods. */
static struct replica_set *only_active(struct rollout *r)
{
    struct replica_set *active = NULL;
    for (size_t i = 0; i < r->count; i++) {
        if (r->sets[i].wanted > 0 && active != NULL)
            return NULL;
        if (r->sets[i].wanted > 0)
            active = &r->sets[i];
    }
    if (active == NULL)
        active = r->current != NULL ? r->current : r->count > 0 ? &r->sets[r->count - 1] : NULL;
    return active;
}

/* The current set has all the pods there shall be, and they are available. */
static bool saturated(const struct rollout *r)
{
    const struct replica_set *s = r->current;
    return s != NULL && s->wanted == r->wanted && s->available == r->wanted &&
           rollout_annotation(s->tree, DEPLOYMENT_DESIRED, -1) == r->wanted;
}

/* What a set's share of the new size is, against the size it was written for; rounded to the nearest. */
static int64_t share(const struct rollout *r, const struct replica_set *s)
{
    if (r->wanted == 0)
        return -s->wanted;
    int64_t before = rollout_annotation(s->tree, DEPLOYMENT_MAX, json_int_at(r->deployment, "status.replicas", 0));
    if (before <= 0)
        return 0;
    return (2 * s->wanted * (r->wanted + r->surge) + before) / (2 * before) - s->wanted;
}

/* Several sets have pods: the difference is spread in proportion, what rounding leaves goes to the largest. */
static void resize_in_proportion(struct rollout *r)
{
    int64_t allowed = r->wanted > 0 ? r->wanted + r->surge : 0;
    int64_t difference = allowed - rollout_sum(r, set_wanted), done = 0;
    struct replica_set *largest = NULL;
    /* Of sets of one size the newer ones grow first and the older ones shrink first. */
    for (size_t n = 0; n < r->count && difference != 0; n++) {
        struct replica_set *s = &r->sets[difference > 0 ? r->count - 1 - n : n];
        if (s->wanted == 0)
            continue;
        int64_t change = share(r, s), left = difference - done;
        change = difference > 0 ? MIN(change, left) : MAX(change, left);
        s->scale_to = s->wanted + change;
        done += change;
        largest = largest == NULL || s->wanted > largest->wanted ? s : largest;
    }
    if (largest != NULL)
        largest->scale_to = MAX(largest->scale_to + difference - done, (int64_t)0);
}

void rollout_resize(struct rollout *r)
{
    struct replica_set *only = only_active(r);
    if (only != NULL)
        only->scale_to = r->wanted;
    else if (saturated(r))
        for (size_t i = 0; i < r->count; i++)
            r->sets[i].scale_to = &r->sets[i] == r->current ? r->wanted : 0;
    else if (!r->recreate)
        resize_in_proportion(r);
}

static void pod_runs(void *arg, struct object *pod)
{
    bool *runs = arg;
    struct json_doc *d = json_doc_new();
    struct slice phase = json_string_at(object_tree(pod, d), "status.phase");
    *runs = *runs || (!slice_is(phase, "Succeeded") && !slice_is(phase, "Failed"));
    json_doc_free(d);
}

/* Pods being deleted count: strategy Recreate waits until they are gone. */
bool rollout_old_pods_run(const struct rollout *r)
{
    bool runs = false;
    for (size_t i = 0; i < r->count && !runs; i++)
        if (&r->sets[i] != r->current)
            r->view->owned(r->view, "pods", r->sets[i].object->uid, pod_runs, &runs);
    return runs;
}

/* How far the new set may grow now: never more pods than wanted + surge. */
int64_t rollout_new_size(const struct rollout *r, int64_t now, int64_t others)
{
    if (r->recreate || now > r->wanted)
        return r->wanted;
    int64_t room = r->wanted + r->surge - now - others;
    return MIN(r->wanted, now + MAX(room, (int64_t)0));
}

static int64_t take(struct replica_set *s, int64_t n)
{
    int64_t taken = MIN(s->scale_to, MAX(n, (int64_t)0));
    s->scale_to -= taken;
    return taken;
}

/* Old sets give up first what is not available anyway, then what may be unavailable. */
static void shrink_old(struct rollout *r)
{
    int64_t least = r->wanted - r->unavailable;
    int64_t grown = r->current->scale_to; /* by pods that this very plan asks for, and that are not available yet */
    int64_t new_unavailable = grown - MIN(r->current->available, grown);
    int64_t removable = rollout_sum(r, set_scale_to) - least - new_unavailable;
    for (size_t i = 0; i < r->count && removable > 0; i++)
        if (&r->sets[i] != r->current)
            removable -= take(&r->sets[i], MIN(removable, r->sets[i].wanted - MIN(r->sets[i].available, r->sets[i].wanted)));
    int64_t spare = MIN(removable, rollout_sum(r, set_available) - least);
    for (size_t i = 0; i < r->count && spare > 0; i++)
        if (&r->sets[i] != r->current)
            spare -= take(&r->sets[i], spare);
}

void rollout_move(struct rollout *r)
{
    struct replica_set *current = r->current;
    int64_t others = rollout_sum(r, set_wanted) - current->wanted;
    if (!r->recreate) {
        current->scale_to = rollout_new_size(r, current->wanted, others);
        shrink_old(r);
        return;
    }
    for (size_t i = 0; i < r->count; i++)
        r->sets[i].scale_to = &r->sets[i] == current ? current->wanted : 0;
    if (others == 0 && !rollout_old_pods_run(r))
        current->scale_to = r->wanted;
}
