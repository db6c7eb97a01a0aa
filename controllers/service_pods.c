#include "common/base.h"

#include "controllers/claim.h"
#include "controllers/controllers.h"
#include "controllers/service_pods.h"

#include <stdlib.h>

bool service_selects(const struct json *service)
{
    return json_size(json_at(service, "spec.selector")) > 0 &&
           !slice_is(json_string_at(service, "spec.type"), "ExternalName");
}

bool service_is_headless(const struct json *service)
{
    return slice_is(json_string_at(service, "spec.clusterIP"), "None");
}

static int64_t port_named(const struct json *pod, struct slice name, struct slice protocol)
{
    struct json_iterator c = json_iterate(json_at(pod, "spec.containers"));
    while (json_next(&c)) {
        struct json_iterator p = json_iterate(json_get(c.value, "ports"));
        while (json_next(&p)) {
            struct slice its = json_string_at(p.value, "protocol");
            if (slice_equal(json_string_at(p.value, "name"), name) && slice_equal(its.size == 0 ? SLICE("TCP") : its, protocol))
                return json_int_at(p.value, "containerPort", 0);
        }
    }
    return 0;
}

/* The ports of a Service on one pod; a named one that the pod does not have is left out. */
static struct json *resolve_ports(struct json_doc *d, const struct json *service, const struct json *pod)
{
    struct json *ports = json_new_array(d);
    struct json_iterator i = json_iterate(json_at(service, "spec.ports"));
    while (json_next(&i)) {
        struct slice protocol = json_string_at(i.value, "protocol"), name = json_string_at(i.value, "name");
        const struct json *target = json_get(i.value, "targetPort"), *application = json_get(i.value, "appProtocol");
        protocol = protocol.size == 0 ? SLICE("TCP") : protocol;
        int64_t number = json_int_or(target, 0);
        if (json_type(target) == JSON_STRING)
            number = port_named(pod, json_string(target), protocol);
        else if (number == 0)
            number = json_int_at(i.value, "port", 0);
        if (number <= 0)
            continue;
        struct json *port = json_new_object(d);
        json_set_string(d, port, "name", name.data == NULL ? SLICE("") : name);
        json_set_int(d, port, "port", number);
        json_set_string(d, port, "protocol", protocol);
        if (application != NULL)
            json_set(d, port, "appProtocol", json_copy(d, application));
        json_append(ports, port);
    }
    return ports;
}

struct gathering {
    struct service_pods *list;
    struct plan *plan;
    const struct json *service;
    struct slice namespace;
    struct selector selector;
    bool terminating;
};

static bool has_ended(const struct json *pod)
{
    struct slice phase = json_string_at(pod, "status.phase");
    return slice_is(phase, "Succeeded") || slice_is(phase, "Failed");
}

static const char *hostname_of(struct gathering *g, const struct json *pod)
{
    struct slice name = json_string_at(pod, "spec.hostname"), domain = json_string_at(pod, "spec.subdomain");
    bool ours = name.size > 0 && slice_equal(domain, json_string_at(g->service, "metadata.name"));
    return ours ? arena_strdup(&g->plan->arena, name) : NULL;
}

static void append_pod(struct gathering *g, struct object *o, struct json *pod)
{
    struct service_pods *l = g->list;
    if (l->count == l->capacity) {
        l->capacity = MAX((size_t)16, l->capacity * 2);
        l->pods = mem_realloc(l->pods, l->capacity * sizeof l->pods[0]);
    }
    l->pods[l->count++] = (struct service_pod){
        .object = o,
        .tree = pod,
        .ports = resolve_ports(g->plan->doc, g->service, pod),
        .ip = json_string_at(pod, "status.podIP"),
        .node = json_string_at(pod, "spec.nodeName"),
        .hostname = hostname_of(g, pod),
        .serving = slice_is(json_string_at(condition_find(json_get(pod, "status"), "Ready"), "status"), "True"),
        .terminating = o->deleting,
    };
}

static void gather(void *arg, struct object *o)
{
    struct gathering *g = arg;
    if (!slice_equal(o->namespace, g->namespace) || (o->deleting && !g->terminating) || g->list->count == SERVICE_PODS_MAX)
        return;
    struct json_doc *d = json_doc_new();
    const struct json *pod = object_tree(o, d);
    bool wanted = selector_matches_json(&g->selector, json_at(pod, "metadata.labels")) && !has_ended(pod) &&
                  json_string_at(pod, "status.podIP").size > 0;
    if (wanted)
        append_pod(g, o, object_tree(o, g->plan->doc));
    json_doc_free(d);
}

static int by_key(const void *x, const void *y)
{
    const struct service_pod *a = x, *b = y;
    return strcmp(a->object->key, b->object->key);
}

void service_pods_collect(struct service_pods *l, const struct view *v, struct plan *plan, const struct json *service,
                          bool terminating)
{
    struct gathering g = {.list = l, .plan = plan, .service = service, .terminating = terminating};
    g.namespace = json_string_at(service, "metadata.namespace");
    if (selector_from_map(json_at(service, "spec.selector"), &g.selector, NULL) == 0)
        v->list(v, "pods", gather, &g);
    selector_release(&g.selector);
    if (l->count > 1)
        qsort(l->pods, l->count, sizeof l->pods[0], by_key);
}

void service_pods_release(struct service_pods *l)
{
    mem_free(l->pods);
    *l = (struct service_pods){0};
}

struct json *service_pod_reference(struct json_doc *d, const struct service_pod *p)
{
    struct json *reference = json_new_object(d);
    json_set_str(d, reference, "kind", "Pod");
    json_set_string(d, reference, "namespace", p->object->namespace);
    json_set_string(d, reference, "name", p->object->name);
    json_set_str(d, reference, "uid", p->object->uid);
    return reference;
}

void service_keys_of_pod(const struct view *v, struct object *pod, void (*add)(void *arg, struct slice key), void *arg)
{
    claim_keys(v, "services", true, pod, add, arg);
}

static bool port_equal(const struct json *a, const struct json *b)
{
    static const char *const texts[] = {"name", "protocol", "appProtocol"};
    for (size_t i = 0; i < ARRAY_LEN(texts); i++)
        if (!slice_equal(json_string_at(a, texts[i]), json_string_at(b, texts[i])))
            return false;
    return json_int_at(a, "port", 0) == json_int_at(b, "port", 0);
}

bool service_ports_equal(const struct json *a, const struct json *b)
{
    if (json_size(a) != json_size(b))
        return false;
    for (size_t i = 0; i < json_size(a); i++)
        if (!port_equal(json_element(a, i), json_element(b, i)))
            return false;
    return true;
}
