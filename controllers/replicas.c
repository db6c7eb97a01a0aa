/* As many pods of a template as asked for: what ReplicaSet and ReplicationController do alike. */
#include "common/base.h"

#include "controllers/claim.h"
#include "controllers/controllers.h"
#include "controllers/pods.h"
#include "controllers/replicas.h"

#define REPLICAS_BURST 500 /* pods made or removed in one plan, as Kubernetes limits it */

void replicas_pod_keys(const struct replicas_kind *k, const struct view *v, struct object *pod,
                       void (*add)(void *arg, struct slice key), void *arg)
{
    if (pod->controller_uid != NULL)
        controller_owner_key(pod, k->kind, add, arg);
    else if (!pod->deleting)
        claim_keys(v, k->resource, k->map, pod, add, arg);
}

static struct json *new_pod(struct plan *plan, const struct json *set)
{
    struct json_doc *d = plan->doc;
    const struct json *template = json_at(set, "spec.template");
    struct json *pod = json_new_object(d);
    json_set_str(d, pod, "apiVersion", "v1");
    json_set_str(d, pod, "kind", "Pod");
    struct json *metadata = json_ensure_object(d, pod, "metadata");
    char *prefix = arena_printf(&plan->arena, "%.*s-", SLICE_ARGS(json_string_at(set, "metadata.name")));
    json_set_str(d, metadata, "generateName", prefix);
    json_set_string(d, metadata, "namespace", json_string_at(set, "metadata.namespace"));
    static const char *const copied[] = {"labels", "annotations", "finalizers"};
    for (size_t i = 0; i < ARRAY_LEN(copied); i++) {
        struct json *value = json_copy(d, json_get(json_get(template, "metadata"), copied[i]));
        if (value != NULL)
            json_set(d, metadata, copied[i], value);
    }
    json_set(d, metadata, "ownerReferences", controller_reference(d, set));
    struct json *spec = json_copy(d, json_get(template, "spec"));
    json_set(d, pod, "spec", spec != NULL ? spec : json_new_object(d));
    return pod;
}

static void create_pods(const struct replicas_kind *k, struct plan *plan, const struct json *set, size_t n)
{
    const struct plan_told told = {
        set, k->component, "SuccessfulCreate", "Created pod: ", true, "FailedCreate", "Error creating: ",
    };
    for (size_t i = 0; i < MIN(n, (size_t)REPLICAS_BURST); i++) {
        plan_create(plan, "pods", json_string_at(set, "metadata.namespace"), new_pod(plan, set));
        plan_told(plan, &told);
    }
    plan->cut = plan->cut || n > REPLICAS_BURST;
}

static void delete_pods(const struct replicas_kind *k, struct plan *plan, const struct json *set, struct pod_list *pods, size_t n)
{
    pod_list_sort_for_deletion(pods);
    for (size_t i = 0; i < MIN(n, (size_t)REPLICAS_BURST); i++) {
        struct object *o = pods->pods[i].object;
        plan_delete(plan, "pods", o->namespace, o->name, o->uid);
        char *message = arena_printf(&plan->arena, "Deleted pod: %.*s", SLICE_ARGS(o->name));
        plan_told(plan, &(struct plan_told){set, k->component, "SuccessfulDelete", message, false, NULL, NULL});
    }
    plan->cut = plan->cut || n > REPLICAS_BURST;
}

/* Counts over the active pods, as the status shows them. */
static void write_status(const struct replicas_kind *k, struct plan *plan, const struct json *set, const struct pod_list *pods, int64_t wall_us)
{
    struct json_doc *d = plan->doc;
    int64_t min_ready_s = json_int_at(set, "spec.minReadySeconds", 0), ready = 0, available = 0, labeled = 0;
    for (size_t i = 0; i < pods->count; i++) {
        ready += pods->pods[i].ready;
        available += pod_available(&pods->pods[i], min_ready_s, wall_us, &plan->again_ms);
        labeled += pod_has_labels(&pods->pods[i], json_at(set, "spec.template.metadata.labels"));
    }
    struct json *status = json_copy(d, json_get(set, "status"));
    if (status == NULL)
        status = json_new_object(d);
    json_set_int(d, status, "replicas", (int64_t)pods->count);
    set_count(d, status, "fullyLabeledReplicas", labeled);
    set_count(d, status, "readyReplicas", ready);
    set_count(d, status, "availableReplicas", available);
    json_set_int(d, status, "observedGeneration", json_int_at(set, "metadata.generation", 0));
    plan_status(plan, k->resource, set, status);
}

void replicas_reconcile(const struct replicas_kind *k, const struct view *v, struct slice key, struct plan *plan)
{
    struct object *o = v->get(v, k->resource, key);
    if (o == NULL)
        return;
    struct json *set = object_tree(o, plan->doc);
    struct selector selector = {0};
    const struct json *text = json_at(set, "spec.selector");
    int code = k->map ? selector_from_map(text, &selector, NULL) : selector_from_json(text, &selector, NULL);
    if (code != 0 || selector.count == 0) {
        selector_release(&selector);
        return; /* it would select everything there is, or nothing; validation refuses both */
    }
    struct pod_list pods = {0};
    size_t claims = claim_owned(v, plan, "pods", set, &selector, pod_list_add, &pods);
    selector_release(&selector);
    if (claims > 0) {
        pod_list_release(&pods);
        return;
    }
    int64_t wanted = json_int_at(set, "spec.replicas", 1), have = (int64_t)pods.count;
    write_status(k, plan, set, &pods, v->wall_us);
    if (!o->deleting && have < wanted)
        create_pods(k, plan, set, (size_t)(wanted - have));
    else if (!o->deleting && have > wanted)
        delete_pods(k, plan, set, &pods, (size_t)(have - wanted));
    pod_list_release(&pods);
}
