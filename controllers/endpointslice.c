/* endpointslice: the pods behind a Service in slices of at most a hundred. An endpoint stays in the slice it is in, so that
 * one pod's change is one slice's change. */
#include "common/base.h"

#include "controllers/controllers.h"
#include "controllers/service_pods.h"

#define SLICE_ENDPOINTS_MAX 100
#define SLICES "endpointslices.discovery.k8s.io"
#define SERVICE_LABEL "kubernetes.io/service-name"
#define MANAGER_LABEL "endpointslice.kubernetes.io/managed-by"
#define MANAGER "endpointslice-controller.k8s.io"
#define HEADLESS_LABEL "service.kubernetes.io/headless"

static void slice_keys(const struct view *v, struct object *slice, void (*add)(void *arg, struct slice key), void *arg)
{
    (void)v;
    controller_owner_key(slice, "Service", add, arg);
}

static const struct controller_watch endpointslice_watches[] = {
    {.resource = "services"},
    {.resource = "pods", .keys = service_keys_of_pod},
    {.resource = SLICES, .keys = slice_keys},
    {0},
};

struct slicing {
    const struct view *view;
    struct plan *plan;
    struct object *object; /* the Service */
    const struct json *service;
    struct service_pods pods;
    struct json *labels;
    size_t kept; /* slices that exist after this */
};

static const char *family(const struct service_pod *p)
{
    return memchr(p->ip.data, ':', p->ip.size) != NULL ? "IPv6" : "IPv4";
}

static struct json *endpoint_of(struct slicing *s, const struct service_pod *p)
{
    struct json_doc *d = s->plan->doc;
    struct json *endpoint = json_new_object(d), *addresses = json_new_array(d), *conditions = json_new_object(d);
    bool publish = json_bool_at(s->service, "spec.publishNotReadyAddresses", false);
    json_append(addresses, json_new_string(d, p->ip));
    json_set(d, endpoint, "addresses", addresses);
    json_set_bool(d, conditions, "ready", publish || (p->serving && !p->terminating));
    json_set_bool(d, conditions, "serving", p->serving);
    json_set_bool(d, conditions, "terminating", p->terminating);
    json_set(d, endpoint, "conditions", conditions);
    if (p->hostname != NULL)
        json_set_str(d, endpoint, "hostname", p->hostname);
    if (p->node.size > 0)
        json_set_string(d, endpoint, "nodeName", p->node);
    json_set(d, endpoint, "targetRef", service_pod_reference(d, p));
    return endpoint;
}

static bool belongs(const struct service_pod *p, const char *type, const struct json *ports)
{
    return strcmp(family(p), type) == 0 && service_ports_equal(p->ports, ports);
}

static struct service_pod *pod_of(struct slicing *s, const struct json *endpoint)
{
    struct slice uid = json_string_at(endpoint, "targetRef.uid");
    for (size_t i = 0; i < s->pods.count; i++)
        if (slice_is(uid, s->pods.pods[i].object->uid))
            return &s->pods.pods[i];
    return NULL;
}

/* Appends pods that stand in no slice yet, as far as there is room. */
static void fill(struct slicing *s, struct json *endpoints, const char *type, const struct json *ports)
{
    for (size_t i = 0; i < s->pods.count && json_size(endpoints) < SLICE_ENDPOINTS_MAX; i++) {
        struct service_pod *p = &s->pods.pods[i];
        if (p->placed || !belongs(p, type, ports))
            continue;
        p->placed = true;
        json_append(endpoints, endpoint_of(s, p));
    }
}

static bool is_ours(const struct json *slice)
{
    return slice_is(json_string(json_get(json_at(slice, "metadata.labels"), MANAGER_LABEL)), MANAGER);
}

/* First pass: whoever has a place keeps it. */
static struct json *kept_endpoints(struct slicing *s, const struct json *slice, const char *type, const struct json *ports)
{
    struct json *endpoints = json_new_array(s->plan->doc);
    struct json_iterator i = json_iterate(json_get(slice, "endpoints"));
    while (json_next(&i)) {
        struct service_pod *p = pod_of(s, i.value);
        if (p == NULL || p->placed || !belongs(p, type, ports))
            continue;
        p->placed = true;
        json_append(endpoints, endpoint_of(s, p));
    }
    return endpoints;
}

struct existing {
    struct object *object;
    struct json *tree, *endpoints;
    const char *type;
};

struct found_slices {
    struct slicing *s;
    struct existing *rows;
    size_t count, capacity;
};

static void add_existing(void *arg, struct object *o)
{
    struct found_slices *f = arg;
    struct json *tree = object_tree(o, f->s->plan->doc);
    if (o->deleting || !is_ours(tree))
        return;
    if (f->count == f->capacity) {
        f->capacity = MAX((size_t)4, f->capacity * 2);
        f->rows = mem_realloc(f->rows, f->capacity * sizeof f->rows[0]);
    }
    const char *type = slice_is(json_string_at(tree, "addressType"), "IPv6") ? "IPv6" : "IPv4";
    f->rows[f->count++] = (struct existing){o, tree, kept_endpoints(f->s, tree, type, json_get(tree, "ports")), type};
}

static struct json *labels_of(struct slicing *s)
{
    struct json_doc *d = s->plan->doc;
    struct json *labels = json_copy(d, json_at(s->service, "metadata.labels"));
    if (labels == NULL)
        labels = json_new_object(d);
    json_set_string(d, labels, SERVICE_LABEL, s->object->name);
    json_set_str(d, labels, MANAGER_LABEL, MANAGER);
    if (service_is_headless(s->service))
        json_set_str(d, labels, HEADLESS_LABEL, "");
    return labels;
}

static void write_existing(struct slicing *s, struct existing *e)
{
    struct json_doc *d = s->plan->doc;
    fill(s, e->endpoints, e->type, json_get(e->tree, "ports"));
    if (json_size(e->endpoints) == 0 && (s->pods.count > 0 || s->kept > 0)) {
        plan_delete(s->plan, SLICES, e->object->namespace, e->object->name, e->object->uid);
        return;
    }
    s->kept++;
    struct json *body = json_copy(d, e->tree);
    json_set(d, json_get(body, "metadata"), "labels", json_copy(d, s->labels));
    bool same = json_equal(json_get(e->tree, "endpoints"), e->endpoints) ||
                json_size(json_get(e->tree, "endpoints")) + json_size(e->endpoints) == 0;
    if (!same)
        json_set(d, body, "endpoints", e->endpoints);
    if (!json_equal(body, e->tree))
        plan_update(s->plan, SLICES, e->object->namespace, e->object->name, NULL, body);
}

static void create_slice(struct slicing *s, const char *type, const struct json *ports)
{
    struct json_doc *d = s->plan->doc;
    struct json *body = json_new_object(d), *endpoints = json_new_array(d);
    json_set_str(d, body, "apiVersion", "discovery.k8s.io/v1");
    json_set_str(d, body, "kind", "EndpointSlice");
    struct json *metadata = json_ensure_object(d, body, "metadata");
    json_set_str(d, metadata, "generateName", arena_printf(&s->plan->arena, "%.*s-", SLICE_ARGS(s->object->name)));
    json_set_string(d, metadata, "namespace", s->object->namespace);
    json_set(d, metadata, "labels", json_copy(d, s->labels));
    json_set(d, metadata, "ownerReferences", controller_reference(d, s->service));
    json_set_str(d, body, "addressType", type);
    if (json_size(ports) > 0)
        json_set(d, body, "ports", json_copy(d, ports));
    fill(s, endpoints, type, ports);
    json_set(d, body, "endpoints", endpoints);
    plan_create(s->plan, SLICES, s->object->namespace, body);
    s->kept++;
}

static void write_slices(struct slicing *s)
{
    struct found_slices found = {.s = s};
    s->labels = labels_of(s);
    s->view->owned(s->view, SLICES, s->object->uid, add_existing, &found);
    for (size_t i = 0; i < found.count; i++)
        write_existing(s, &found.rows[i]);
    for (size_t i = 0; i < s->pods.count && !s->plan->cut; i++)
        if (!s->pods.pods[i].placed)
            create_slice(s, family(&s->pods.pods[i]), s->pods.pods[i].ports);
    if (s->kept == 0) /* an empty one says that nobody is behind the Service */
        create_slice(s, "IPv4", NULL);
    mem_free(found.rows);
}

static void endpointslice_reconcile(const struct view *v, struct slice key, struct plan *plan)
{
    struct object *o = v->get(v, "services", key);
    if (o == NULL || o->deleting)
        return; /* its slices go with it */
    struct slicing s = {.view = v, .plan = plan, .object = o, .service = object_tree(o, plan->doc)};
    if (!service_selects(s.service))
        return;
    service_pods_collect(&s.pods, v, plan, s.service, true);
    write_slices(&s);
    service_pods_release(&s.pods);
}

const struct controller controller_endpointslice = {
    .name = "endpointslice",
    .watches = endpointslice_watches,
    .reconcile = endpointslice_reconcile,
};
