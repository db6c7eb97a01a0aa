/* endpoints: one Endpoints object per Service with a selector, of the same name: addresses in subsets of equal ports. */
#include "common/base.h"

#include "controllers/controllers.h"
#include "controllers/service_pods.h"

#define ENDPOINTS_MAX 1000 /* addresses in one object; EndpointSlices have them all */
#define HEADLESS_LABEL "service.kubernetes.io/headless"
#define OVER_CAPACITY "endpoints.kubernetes.io/over-capacity"

static const struct controller_watch endpoints_watches[] = {
    {.resource = "services"},
    {.resource = "pods", .keys = service_keys_of_pod},
    {.resource = "endpoints"},
    {0},
};

static struct json *address_of(struct json_doc *d, const struct service_pod *p)
{
    struct json *address = json_new_object(d);
    json_set_string(d, address, "ip", p->ip);
    if (p->hostname != NULL)
        json_set_str(d, address, "hostname", p->hostname);
    if (p->node.size > 0)
        json_set_string(d, address, "nodeName", p->node);
    json_set(d, address, "targetRef", service_pod_reference(d, p));
    return address;
}

/* Endpoints leave the name of a nameless port out. */
static struct json *ports_of(struct json_doc *d, const struct service_pod *p)
{
    struct json *ports = json_copy(d, p->ports);
    struct json_iterator i = json_iterate(ports);
    while (json_next(&i))
        if (json_string_at(i.value, "name").size == 0)
            json_remove(i.value, "name");
    return ports;
}

static void append_to(struct json_doc *d, struct json *subset, const char *list, struct json *address)
{
    if (json_get(subset, list) == NULL)
        json_set(d, subset, list, json_new_array(d));
    json_append(json_get(subset, list), address);
}

/* The subset of all pods from `first` on that have its ports. */
static struct json *subset_of(struct json_doc *d, struct service_pods *l, size_t first, bool publish_all, size_t *room)
{
    struct json *subset = json_new_object(d);
    const struct service_pod *model = &l->pods[first];
    for (size_t i = first; i < l->count && *room > 0; i++) {
        struct service_pod *p = &l->pods[i];
        if (p->placed || !service_ports_equal(p->ports, model->ports))
            continue;
        p->placed = true;
        (*room)--;
        append_to(d, subset, p->serving || publish_all ? "addresses" : "notReadyAddresses", address_of(d, p));
    }
    if (json_size(model->ports) > 0)
        json_set(d, subset, "ports", ports_of(d, model));
    return subset;
}

static struct json *subsets_of(struct json_doc *d, const struct json *service, struct service_pods *l)
{
    struct json *subsets = json_new_array(d);
    bool publish_all = json_bool_at(service, "spec.publishNotReadyAddresses", false);
    bool portless = service_is_headless(service) && json_size(json_at(service, "spec.ports")) == 0;
    size_t room = ENDPOINTS_MAX;
    for (size_t i = 0; i < l->count && room > 0; i++)
        if (!l->pods[i].placed && (portless || json_size(l->pods[i].ports) > 0))
            json_append(subsets, subset_of(d, l, i, publish_all, &room));
    return subsets;
}

static void write_endpoints(const struct view *v, struct plan *plan, struct object *o, const struct json *service,
                            struct service_pods *l)
{
    struct json_doc *d = plan->doc;
    struct object *old = v->get(v, "endpoints", slice_str(o->key));
    struct json *before = old == NULL ? NULL : object_tree(old, d);
    struct json *body = before == NULL ? json_new_object(d) : json_copy(d, before);
    json_set_str(d, body, "apiVersion", "v1");
    json_set_str(d, body, "kind", "Endpoints");
    struct json *metadata = json_ensure_object(d, body, "metadata");
    json_set_string(d, metadata, "name", o->name);
    json_set_string(d, metadata, "namespace", o->namespace);
    if (before == NULL)
        json_set(d, metadata, "ownerReferences", controller_reference(d, service));
    struct json *labels = json_copy(d, json_at(service, "metadata.labels"));
    labels = labels == NULL ? json_new_object(d) : labels;
    if (service_is_headless(service))
        json_set_str(d, labels, HEADLESS_LABEL, "");
    json_remove(metadata, "labels");
    if (json_size(labels) > 0)
        json_set(d, metadata, "labels", labels);
    struct json *subsets = subsets_of(d, service, l);
    json_remove(body, "subsets");
    if (json_size(subsets) > 0)
        json_set(d, body, "subsets", subsets);
    if (l->count > ENDPOINTS_MAX)
        json_set_str(d, json_ensure_object(d, metadata, "annotations"), OVER_CAPACITY, "truncated");
    else
        json_remove(json_get(metadata, "annotations"), OVER_CAPACITY);
    if (before == NULL)
        plan_create(plan, "endpoints", o->namespace, body);
    else if (!json_equal(body, before))
        plan_update(plan, "endpoints", o->namespace, o->name, NULL, body);
}

static void endpoints_reconcile(const struct view *v, struct slice key, struct plan *plan)
{
    struct object *o = v->get(v, "services", key), *old = v->get(v, "endpoints", key);
    struct service_pods pods = {0};
    if (o == NULL)
        return; /* its Endpoints belong to it and go with it */
    const struct json *service = object_tree(o, plan->doc);
    if (o->deleting || !service_selects(service) || (old != NULL && old->deleting))
        return;
    service_pods_collect(&pods, v, plan, service, json_bool_at(service, "spec.publishNotReadyAddresses", false));
    write_endpoints(v, plan, o, service, &pods);
    service_pods_release(&pods);
}

const struct controller controller_endpoints = {
    .name = "endpoints",
    .watches = endpoints_watches,
    .reconcile = endpoints_reconcile,
};
