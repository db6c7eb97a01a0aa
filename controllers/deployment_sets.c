/* The sets of a deployment: which is the current one, how one is made, kept up to date, and thrown away. */
#include "common/base.h"

#include "common/map.h"
#include "controllers/claim.h"
#include "controllers/deployment.h"

#include <stdlib.h>

#define HASH_LABEL "pod-template-hash"
#define HISTORY_BYTES_MAX 2000 /* of the annotation that lists a set's earlier revisions */

int64_t rollout_annotation(const struct json *object, const char *name, int64_t fallback)
{
    struct slice text = json_string(json_get(json_at(object, "metadata.annotations"), name));
    return text.size == 0 ? fallback : strtoll(text.data, NULL, 10);
}

int64_t revision_of(const struct json *object) { return rollout_annotation(object, DEPLOYMENT_REVISION, 0); }

static void add_set(void *arg, struct object *o, struct json *tree)
{
    struct rollout *r = arg;
    if (o->deleting)
        return;
    if (r->count == r->capacity) {
        r->capacity = MAX((size_t)8, r->capacity * 2);
        r->sets = mem_realloc(r->sets, r->capacity * sizeof r->sets[0]);
    }
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

/* RFC 3339 in UTC sorts as text. */
static int older(const void *x, const void *y)
{
    const struct replica_set *a = x, *b = y;
    struct slice ta = json_string_at(a->tree, "metadata.creationTimestamp");
    struct slice tb = json_string_at(b->tree, "metadata.creationTimestamp");
    int order = ta.size == 0 || tb.size == 0 ? 0 : strcmp(ta.data, tb.data);
    return order != 0 ? order : strcmp(a->object->key, b->object->key);
}

/* A set's template without the label that only sets carry. */
static struct json *plain_template(struct json_doc *d, const struct json *set)
{
    struct json *template = json_copy(d, json_at(set, "spec.template"));
    json_remove(json_at(template, "metadata.labels"), HASH_LABEL);
    return template;
}

/* The oldest of them, so that all who look choose the same. */
static void find_current(struct rollout *r)
{
    const struct json *template = json_at(r->deployment, "spec.template");
    for (size_t i = 0; i < r->count && r->current == NULL; i++)
        if (json_equal(plain_template(r->plan->doc, r->sets[i].tree), template))
            r->current = &r->sets[i];
}

bool rollout_collect(struct rollout *r)
{
    struct selector s = {0};
    if (selector_from_json(json_at(r->deployment, "spec.selector"), &s, NULL) != 0 || s.count == 0)
        return false; /* it would select everything there is, or nothing; validation refuses both */
    size_t claims = claim_owned(r->view, r->plan, "replicasets.apps", r->deployment, &s, add_set, r);
    selector_release(&s);
    if (r->count > 1)
        qsort(r->sets, r->count, sizeof r->sets[0], older);
    find_current(r);
    return claims == 0;
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

static int64_t newest_old_revision(const struct rollout *r)
{
    int64_t newest = 0;
    for (size_t i = 0; i < r->count; i++)
        if (&r->sets[i] != r->current)
            newest = MAX(newest, r->sets[i].revision);
    return newest;
}

static void set_number(struct rollout *r, struct json *annotations, const char *name, int64_t value)
{
    json_set_str(r->plan->doc, annotations, name, arena_printf(&r->plan->arena, "%lld", (long long)value));
}

/* The deployment's annotations go to its current set, for `rollout history` above all (kubernetes.io/change-cause);
 * what is about one object only stays. */
static void copy_annotations(struct rollout *r, struct json *annotations)
{
    static const char *const own[] = {
        DEPLOYMENT_REVISION, DEPLOYMENT_HISTORY, DEPLOYMENT_DESIRED, DEPLOYMENT_MAX,
        "kubectl.kubernetes.io/last-applied-configuration", "deprecated.deployment.rollback.to",
    };
    struct json_iterator i = json_iterate(json_at(r->deployment, "metadata.annotations"));
    while (json_next(&i)) {
        bool skip = false;
        for (size_t k = 0; k < ARRAY_LEN(own); k++)
            skip = skip || slice_is(i.key, own[k]);
        if (!skip)
            json_set_slice(r->plan->doc, annotations, i.key, json_copy(r->plan->doc, i.value));
    }
}

/* The current set always has the highest revision: an old template that comes back gets a new number, and remembers
 * the ones it had. */
static int64_t raise_revision(struct rollout *r, struct json *annotations, int64_t before)
{
    int64_t revision = newest_old_revision(r) + 1;
    if (before >= revision)
        return before;
    struct slice history = json_string(json_get(annotations, DEPLOYMENT_HISTORY));
    if (before > 0 && history.size < HISTORY_BYTES_MAX)
        json_set_str(r->plan->doc, annotations, DEPLOYMENT_HISTORY,
                     history.size == 0 ? arena_printf(&r->plan->arena, "%lld", (long long)before)
                                       : arena_printf(&r->plan->arena, "%.*s,%lld", SLICE_ARGS(history), (long long)before));
    set_number(r, annotations, DEPLOYMENT_REVISION, revision);
    return revision;
}

static void set_sizes(struct rollout *r, struct json *annotations)
{
    set_number(r, annotations, DEPLOYMENT_DESIRED, r->wanted);
    set_number(r, annotations, DEPLOYMENT_MAX, r->wanted + r->surge);
}

static void set_min_ready(struct rollout *r, struct json *set)
{
    int64_t seconds = json_int_at(r->deployment, "spec.minReadySeconds", 0);
    struct json *spec = json_ensure_object(r->plan->doc, set, "spec");
    if (seconds != json_int_at(spec, "minReadySeconds", 0))
        json_set_int(r->plan->doc, spec, "minReadySeconds", seconds);
}

/* What follows the write of a set that was planned last. */
static void tell_scaling(struct rollout *r, struct slice set, int64_t from, int64_t to)
{
    if (from == to)
        return;
    char *message = arena_printf(&r->plan->arena, "Scaled %s replica set %.*s from %lld to %lld", to > from ? "up" : "down",
                                 SLICE_ARGS(set), (long long)from, (long long)to);
    plan_told(r->plan, &(struct plan_told){r->deployment, "deployment-controller", "ScalingReplicaSet", message, false, NULL, NULL});
}

static void write_set(struct rollout *r, struct replica_set *s)
{
    struct json_doc *d = r->plan->doc;
    struct json *body = json_copy(d, s->tree), *spec = json_ensure_object(d, body, "spec");
    struct json *annotations = json_ensure_object(d, body, "metadata.annotations");
    if (s->scale_to != s->wanted)
        json_set_int(d, spec, "replicas", s->scale_to);
    if (s->scale_to > 0 || s->scale_to != s->wanted)
        set_sizes(r, annotations);
    if (s == r->current) {
        set_min_ready(r, body);
        copy_annotations(r, annotations);
        s->revision = raise_revision(r, annotations, s->revision);
    }
    if (json_size(annotations) == 0)
        json_remove(json_get(body, "metadata"), "annotations");
    if (json_equal(body, s->tree))
        return;
    plan_update(r->plan, "replicasets.apps", s->object->namespace, s->object->name, NULL, body);
    tell_scaling(r, s->object->name, s->wanted, s->scale_to);
}

void rollout_write_sets(struct rollout *r)
{
    for (size_t i = 0; i < r->count; i++)
        write_set(r, &r->sets[i]);
}

static void copy_labels(struct json_doc *d, struct json *owner, const char *key, const struct json *labels, const char *hash)
{
    struct json *copy = json_copy(d, labels);
    if (copy == NULL)
        copy = json_new_object(d);
    json_set_str(d, copy, HASH_LABEL, hash);
    json_set(d, owner, key, copy);
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
    struct json *annotations = json_ensure_object(d, metadata, "annotations");
    copy_annotations(r, annotations);
    raise_revision(r, annotations, 0);
    set_sizes(r, annotations);
    json_set(d, metadata, "ownerReferences", controller_reference(d, r->deployment));
    struct json *spec = json_ensure_object(d, set, "spec");
    json_set_int(d, spec, "replicas", replicas);
    set_min_ready(r, set);
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

void rollout_create_set(struct rollout *r)
{
    char hash[11];
    template_hash(r, hash);
    char *name = arena_printf(&r->plan->arena, "%.*s-%s", SLICE_ARGS(json_string_at(r->deployment, "metadata.name")), hash);
    if (name_taken(r, name)) { /* another template, or another owner, has this name: count up and try once more */
        json_set_int(r->plan->doc, r->status, "collisionCount", json_int_at(r->status, "collisionCount", 0) + 1);
        return;
    }
    int64_t replicas = rollout_new_size(r, 0, rollout_sum(r, set_wanted));
    plan_create(r->plan, "replicasets.apps", json_string_at(r->deployment, "metadata.namespace"),
                new_set_body(r, name, hash, replicas));
    tell_scaling(r, slice_str(name), 0, replicas);
    rollout_progress(r, "True", "NewReplicaSetCreated", arena_printf(&r->plan->arena, "Created new replica set \"%s\"", name));
}

static int lower_revision(const void *x, const void *y)
{
    const struct replica_set *const *a = x, *const *b = y;
    int64_t ra = (*a)->revision, rb = (*b)->revision;
    return (ra > rb) - (ra < rb);
}

/* Old sets beyond revisionHistoryLimit go, those of the lowest revisions first, and never one that has pods. */
void rollout_clean_up(struct rollout *r)
{
    int64_t limit = json_int_at(r->deployment, "spec.revisionHistoryLimit", INT64_MAX);
    struct replica_set **old = arena_alloc(&r->plan->arena, (r->count + 1) * sizeof(struct replica_set *));
    size_t n = 0;
    for (size_t i = 0; i < r->count; i++)
        if (&r->sets[i] != r->current)
            old[n++] = &r->sets[i];
    if (n > 1)
        qsort(old, n, sizeof(struct replica_set *), lower_revision);
    for (size_t i = 0; (int64_t)(n - i) > limit && i < n; i++) {
        const struct replica_set *s = old[i];
        bool observed = json_int_at(s->tree, "status.observedGeneration", 0) >= json_int_at(s->tree, "metadata.generation", 0);
        if (s->replicas == 0 && s->wanted == 0 && observed)
            plan_delete(r->plan, "replicasets.apps", s->object->namespace, s->object->name, s->object->uid);
    }
}
