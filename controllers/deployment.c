/* deployment: a ReplicaSet per template, and the pace at which pods move from the old ones to the new one. */
#include "common/base.h"

#include "common/map.h"
#include "controllers/controllers.h"

#include <stdio.h>
#include <stdlib.h>

#define DEPLOYMENT_HASH_LABEL "pod-template-hash"
#define REVISION_ANNOTATION "deployment.kubernetes.io/revision"

static void owner_key(const struct view *v, struct object *set, void (*add)(void *arg, struct slice key), void *arg)
{
    (void)v;
    controller_owner_key(set, "Deployment", add, arg);
}

static const struct controller_watch deployment_watches[] = {
    {"deployments.apps", NULL},
    {"replicasets.apps", owner_key},
    {0},
};

struct replica_set {
    struct object *object;
    struct json *tree;
    int64_t wanted, replicas, ready, available, revision, scale_to;
};

/* The state of one deployment: its sets, the one of the current template among them or NULL. */
struct rollout {
    struct plan *plan;
    const struct view *view;
    struct json *deployment;
    struct replica_set *sets;
    size_t count, capacity;
    struct replica_set *current;
    int64_t wanted, surge, unavailable;
};

static int64_t revision_of(const struct json *object)
{
    struct slice text = json_string(json_get(json_at(object, "metadata.annotations"), REVISION_ANNOTATION));
    return text.size == 0 ? 0 : strtoll(text.data, NULL, 10);
}

static void add_set(void *arg, struct object *o)
{
    struct rollout *r = arg;
    if (o->deleting)
        return;
    if (r->count == r->capacity) {
        r->capacity = MAX((size_t)8, r->capacity * 2);
        r->sets = mem_realloc(r->sets, r->capacity * sizeof r->sets[0]);
    }
    struct json *tree = object_tree(o, r->plan->doc);
    int64_t wanted = json_int_at(tree, "spec.replicas", 1);
    r->sets[r->count++] = (struct replica_set){
        .object = o,
        .tree = tree,
        .wanted = wanted,
        .scale_to = wanted,
        .replicas = json_int_at(tree, "status.replicas", 0),
        .ready = json_int_at(tree, "status.readyReplicas", 0),
        .available = json_int_at(tree, "status.availableReplicas", 0),
        .revision = revision_of(tree),
    };
}

/* A set's template without the label that only sets carry. */
static struct json *plain_template(struct json_doc *d, const struct json *set)
{
    struct json *template = json_copy(d, json_at(set, "spec.template"));
    json_remove(json_at(template, "metadata.labels"), DEPLOYMENT_HASH_LABEL);
    return template;
}

static void find_current(struct rollout *r)
{
    const struct json *template = json_at(r->deployment, "spec.template");
    for (size_t i = 0; i < r->count; i++) {
        struct replica_set *s = &r->sets[i];
        if (!json_equal(plain_template(r->plan->doc, s->tree), template))
            continue;
        if (r->current == NULL || strcmp(s->object->key, r->current->object->key) < 0)
            r->current = s;
    }
}

/* Ten characters without vowels, so that they never spell anything. */
static void template_hash(struct rollout *r, char text[11])
{
    static const char alphabet[] = "bcdfghjklmnpqrstvwxz2456789";
    struct buf printed = {0};
    json_print(json_at(r->deployment, "spec.template"), &printed);
    uint64_t hash = hash_bytes(buf_slice(&printed)) + (uint64_t)json_int_at(r->deployment, "status.collisionCount", 0);
    for (size_t i = 0; i < 10; i++, hash /= sizeof alphabet - 1)
        text[i] = alphabet[hash % (sizeof alphabet - 1)];
    text[10] = '\0';
    buf_release(&printed);
}

/* A count, or a percentage of `total`, as maxSurge (rounded up) and maxUnavailable (rounded down) are written. */
static int64_t scaled(const struct json *v, int64_t total, bool up)
{
    struct slice text = json_string(v);
    if (text.size < 2 || text.data[text.size - 1] != '%')
        return json_int_or(v, 0);
    int64_t percent = strtoll(text.data, NULL, 10);
    return (total * percent + (up ? 99 : 0)) / 100;
}

static void read_strategy(struct rollout *r)
{
    r->wanted = json_int_at(r->deployment, "spec.replicas", 1);
    if (slice_is(json_string_at(r->deployment, "spec.strategy.type"), "Recreate")) {
        r->unavailable = r->wanted;
        return;
    }
    const struct json *rolling = json_at(r->deployment, "spec.strategy.rollingUpdate");
    r->surge = scaled(json_get(rolling, "maxSurge"), r->wanted, true);
    r->unavailable = MIN(scaled(json_get(rolling, "maxUnavailable"), r->wanted, false), r->wanted);
    if (r->surge == 0 && r->unavailable == 0)
        r->unavailable = 1; /* or nothing could ever move */
}

static int64_t sum(const struct rollout *r, int64_t (*of)(const struct replica_set *s))
{
    int64_t total = 0;
    for (size_t i = 0; i < r->count; i++)
        total += of(&r->sets[i]);
    return total;
}

static int64_t of_wanted(const struct replica_set *s) { return s->wanted; }
static int64_t of_scale_to(const struct replica_set *s) { return s->scale_to; }
static int64_t of_replicas(const struct replica_set *s) { return s->replicas; }
static int64_t of_ready(const struct replica_set *s) { return s->ready; }
static int64_t of_available(const struct replica_set *s) { return s->available; }

/* How far the new set may grow now: never more pods than wanted + surge. */
static int64_t new_size(const struct rollout *r, int64_t now, int64_t others)
{
    bool recreate = slice_is(json_string_at(r->deployment, "spec.strategy.type"), "Recreate");
    if (recreate)
        return others > 0 ? now : r->wanted;
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
    int64_t new_unavailable = r->current->wanted - MIN(r->current->available, r->current->wanted);
    int64_t removable = sum(r, of_scale_to) - least - new_unavailable;
    for (size_t i = 0; i < r->count && removable > 0; i++)
        if (&r->sets[i] != r->current)
            removable -= take(&r->sets[i], MIN(removable, r->sets[i].wanted - MIN(r->sets[i].available, r->sets[i].wanted)));
    int64_t spare = MIN(removable, sum(r, of_available) - least);
    for (size_t i = 0; i < r->count && spare > 0; i++)
        if (&r->sets[i] != r->current)
            spare -= take(&r->sets[i], spare);
}

static void scale_set(struct rollout *r, struct replica_set *s)
{
    if (s->scale_to == s->wanted)
        return;
    struct json_doc *d = r->plan->doc;
    struct json *body = json_copy(d, s->tree);
    json_set_int(d, json_ensure_object(d, body, "spec"), "replicas", s->scale_to);
    plan_update(r->plan, "replicasets.apps", s->object->namespace, s->object->name, NULL, body);
    char *message = arena_printf(&r->plan->arena, "Scaled %s replica set %.*s from %lld to %lld",
                                 s->scale_to > s->wanted ? "up" : "down", SLICE_ARGS(s->object->name),
                                 (long long)s->wanted, (long long)s->scale_to);
    plan_event(r->plan, r->deployment, "deployment-controller", "Normal", "ScalingReplicaSet", message, r->view->wall_us);
}

static void move_pods(struct rollout *r)
{
    struct replica_set *current = r->current;
    int64_t others = sum(r, of_wanted) - current->wanted;
    bool recreate = slice_is(json_string_at(r->deployment, "spec.strategy.type"), "Recreate");
    if (others == 0) {
        current->scale_to = r->wanted;
    } else if (json_bool_at(r->deployment, "spec.paused", false)) {
        return;
    } else {
        current->scale_to = MIN(new_size(r, current->wanted, recreate ? sum(r, of_replicas) - current->replicas : others),
                                r->wanted);
        for (size_t i = 0; recreate && i < r->count; i++)
            if (&r->sets[i] != current)
                r->sets[i].scale_to = 0;
        if (!recreate)
            shrink_old(r);
    }
    for (size_t i = 0; i < r->count; i++)
        scale_set(r, &r->sets[i]);
}

static int64_t newest_revision(const struct rollout *r)
{
    int64_t newest = 0;
    for (size_t i = 0; i < r->count; i++)
        newest = MAX(newest, r->sets[i].revision);
    return newest;
}

static void copy_labels(struct json_doc *d, struct json *owner, const char *path, const struct json *labels, const char *hash)
{
    struct json *copy = json_copy(d, labels);
    if (copy == NULL)
        copy = json_new_object(d);
    json_set_str(d, copy, DEPLOYMENT_HASH_LABEL, hash);
    json_set(d, owner, path, copy);
}

static struct json *new_set_body(struct rollout *r, const char *name, const char *hash, int64_t replicas)
{
    struct json_doc *d = r->plan->doc;
    const struct json *template = json_at(r->deployment, "spec.template");
    struct json *set = json_new_object(d);
    json_set_str(d, set, "apiVersion", "apps/v1");
    json_set_str(d, set, "kind", "ReplicaSet");
    struct json *metadata = json_ensure_object(d, set, "metadata");
    json_set_str(d, metadata, "name", name);
    json_set_string(d, metadata, "namespace", json_string_at(r->deployment, "metadata.namespace"));
    copy_labels(d, metadata, "labels", json_at(template, "metadata.labels"), hash);
    char *revision = arena_printf(&r->plan->arena, "%lld", (long long)newest_revision(r) + 1);
    json_set_str(d, json_ensure_object(d, metadata, "annotations"), REVISION_ANNOTATION, revision);
    json_set(d, metadata, "ownerReferences", controller_reference(d, r->deployment));
    struct json *spec = json_ensure_object(d, set, "spec");
    json_set_int(d, spec, "replicas", replicas);
    int64_t min_ready_s = json_int_at(r->deployment, "spec.minReadySeconds", 0);
    if (min_ready_s > 0)
        json_set_int(d, spec, "minReadySeconds", min_ready_s);
    struct json *selector = json_copy(d, json_at(r->deployment, "spec.selector"));
    json_set(d, spec, "selector", selector);
    copy_labels(d, selector, "matchLabels", json_get(selector, "matchLabels"), hash);
    json_set(d, spec, "template", json_copy(d, template));
    copy_labels(d, json_ensure_object(d, spec, "template.metadata"), "labels", json_at(template, "metadata.labels"), hash);
    return set;
}

static bool name_taken(const struct rollout *r, const char *name)
{
    char *key = arena_printf(&r->plan->arena, "%.*s/%s", SLICE_ARGS(json_string_at(r->deployment, "metadata.namespace")), name);
    return r->view->get(r->view, "replicasets.apps", slice_str(key)) != NULL;
}

static void create_set(struct rollout *r, struct json *status)
{
    char hash[11];
    template_hash(r, hash);
    char *name = arena_printf(&r->plan->arena, "%.*s-%s", SLICE_ARGS(json_string_at(r->deployment, "metadata.name")), hash);
    if (name_taken(r, name)) { /* another template, or another owner, has this name: count up and try once more */
        json_set_int(r->plan->doc, status, "collisionCount", json_int_at(status, "collisionCount", 0) + 1);
        return;
    }
    int64_t replicas = new_size(r, 0, sum(r, of_wanted));
    plan_create(r->plan, "replicasets.apps", json_string_at(r->deployment, "metadata.namespace"),
                new_set_body(r, name, hash, replicas));
    char *message = arena_printf(&r->plan->arena, "Scaled up replica set %s from 0 to %lld", name, (long long)replicas);
    plan_event(r->plan, r->deployment, "deployment-controller", "Normal", "ScalingReplicaSet", message, r->view->wall_us);
}

/* Sets one condition; its transition time moves only when its status does, its update time when anything does. */
static void set_condition(struct rollout *r, struct json *status, const char *type, bool is, const char *reason, const char *message)
{
    struct json_doc *d = r->plan->doc;
    char now[TIME_TEXT_MAX];
    time_format(r->view->wall_us, 0, now);
    struct json *list = json_get(status, "conditions"), *condition = NULL;
    if (json_type(list) != JSON_ARRAY) {
        list = json_new_array(d);
        json_set(d, status, "conditions", list);
    }
    struct json_iterator i = json_iterate(list);
    while (json_next(&i))
        if (slice_is(json_string_at(i.value, "type"), type))
            condition = i.value;
    const char *text = is ? "True" : "False";
    if (condition == NULL) {
        condition = json_new_object(d);
        json_set_str(d, condition, "type", type);
        json_append(list, condition);
    }
    bool same = slice_is(json_string_at(condition, "status"), text);
    if (same && slice_is(json_string_at(condition, "reason"), reason) && slice_is(json_string_at(condition, "message"), message))
        return;
    json_set_str(d, condition, "status", text);
    json_set_str(d, condition, "lastUpdateTime", now);
    if (!same)
        json_set_str(d, condition, "lastTransitionTime", now);
    json_set_str(d, condition, "reason", reason);
    json_set_str(d, condition, "message", message);
}

static void set_conditions(struct rollout *r, struct json *status)
{
    bool available = sum(r, of_available) >= r->wanted - r->unavailable;
    set_condition(r, status, "Available", available,
                  available ? "MinimumReplicasAvailable" : "MinimumReplicasUnavailable",
                  available ? "Deployment has minimum availability." : "Deployment does not have minimum availability.");
    if (r->current == NULL)
        return;
    bool complete = r->current->replicas == r->wanted && r->current->available >= r->wanted &&
                    sum(r, of_replicas) == r->wanted;
    char *message = arena_printf(&r->plan->arena, "ReplicaSet \"%.*s\" %s", SLICE_ARGS(r->current->object->name),
                                 complete ? "has successfully progressed." : "is progressing.");
    set_condition(r, status, "Progressing", true, complete ? "NewReplicaSetAvailable" : "ReplicaSetUpdated", message);
}

static void set_counts(struct rollout *r, struct json *status)
{
    struct json_doc *d = r->plan->doc;
    int64_t replicas = sum(r, of_replicas), available = sum(r, of_available);
    json_set_int(d, status, "observedGeneration", json_int_at(r->deployment, "metadata.generation", 0));
    set_count(d, status, "replicas", replicas);
    set_count(d, status, "updatedReplicas", r->current == NULL ? 0 : r->current->replicas);
    set_count(d, status, "readyReplicas", sum(r, of_ready));
    set_count(d, status, "availableReplicas", available);
    set_count(d, status, "unavailableReplicas", MAX(MAX(replicas, r->wanted) - available, (int64_t)0));
}

/* The deployment shows the revision of its current set. False when it does already. */
static bool plan_revision(struct rollout *r)
{
    if (r->current == NULL || r->current->revision == 0 || revision_of(r->deployment) == r->current->revision)
        return false;
    struct json_doc *d = r->plan->doc;
    struct json *patch = json_new_object(d);
    char *text = arena_printf(&r->plan->arena, "%lld", (long long)r->current->revision);
    json_set_str(d, json_ensure_object(d, patch, "metadata.annotations"), REVISION_ANNOTATION, text);
    plan_patch(r->plan, "deployments.apps", json_string_at(r->deployment, "metadata.namespace"),
               json_string_at(r->deployment, "metadata.name"), patch);
    return true;
}

static void deployment_reconcile(const struct view *v, struct slice key, struct plan *plan)
{
    struct object *o = v->get(v, "deployments.apps", key);
    if (o == NULL || o->deleting)
        return;
    struct rollout r = {.plan = plan, .view = v, .deployment = object_tree(o, plan->doc)};
    v->owned(v, "replicasets.apps", o->uid, add_set, &r);
    find_current(&r);
    read_strategy(&r);
    struct json *status = json_copy(plan->doc, json_get(r.deployment, "status"));
    if (status == NULL)
        status = json_new_object(plan->doc);
    if (r.current == NULL)
        create_set(&r, status);
    else
        move_pods(&r);
    set_counts(&r, status);
    set_conditions(&r, status);
    if (!plan_revision(&r)) /* both write the deployment: the status follows when the cache shows the patch */
        plan_status(plan, "deployments.apps", r.deployment, status);
    mem_free(r.sets);
}

const struct controller controller_deployment = {
    .name = "deployment",
    .watches = deployment_watches,
    .reconcile = deployment_reconcile,
};
