#include "common/base.h"

#include "common/map.h"
#include "netproxy/model.h"

#include <stdio.h>
#include <stdlib.h>

#define AFFINITY_DEFAULT_S 10800
#define SLICES_LABEL "kubernetes.io/service-name"

/* --- growing arrays in the arena --- */

struct candidates {
    struct rule_endpoint *items;
    size_t count, capacity;
};

struct work {
    const struct model_input *in;
    struct map by_service; /* "namespace/name" → struct slice_list *, in the arena */
    struct rules *out;
    size_t capacity;
};

struct slice_list {
    const struct json **slices;
    size_t count, capacity;
};

static void *grown(struct arena *arena, const void *old, size_t count, size_t *capacity, size_t size)
{
    if (count < *capacity)
        return (void *)old;
    size_t more = *capacity == 0 ? 8 : *capacity * 2;
    char *fresh = arena_alloc(arena, more * size);
    if (count > 0)
        memcpy(fresh, old, count * size);
    *capacity = more;
    return fresh;
}

/* --- reading --- */

bool model_ipv4(struct slice text)
{
    unsigned parts = 0;
    if (text.size < 7 || text.size > 15 || text.data[text.size - 1] == '.')
        return false;
    while (text.size > 0) {
        struct slice part = slice_cut(&text, '.');
        unsigned value = 0;
        if (part.size == 0 || part.size > 3 || (part.size > 1 && part.data[0] == '0'))
            return false;
        for (size_t i = 0; i < part.size; i++) {
            if (part.data[i] < '0' || part.data[i] > '9')
                return false;
            value = value * 10 + (unsigned)(part.data[i] - '0');
        }
        if (value > 255)
            return false;
        parts++;
    }
    return parts == 4;
}

static struct json *label(const struct json *object, const char *name)
{
    return json_get(json_at(object, "metadata.labels"), name);
}

bool model_service_ignored(const struct json *service)
{
    struct slice cluster_ip = json_string_at(service, "spec.clusterIP"), type = json_string_at(service, "spec.type");
    return cluster_ip.size == 0 || slice_is(cluster_ip, "None") || slice_is(type, "ExternalName") ||
           label(service, "service.kubernetes.io/service-proxy-name") != NULL;
}

static bool read_port(const struct json *v, uint16_t *ret)
{
    int64_t port = json_int_or(v, 0);
    if (port < 1 || port > UINT16_MAX)
        return false;
    *ret = (uint16_t)port;
    return true;
}

static bool read_protocol(struct slice text, enum rule_protocol *ret)
{
    if (text.size != 0 && !slice_is(text, "TCP") && !slice_is(text, "UDP"))
        return false;
    *ret = slice_is(text, "UDP") ? RULE_UDP : RULE_TCP;
    return true;
}

static void index_slices(struct work *w)
{
    struct arena *arena = &w->out->arena;
    for (size_t i = 0; i < w->in->slice_count; i++) {
        const struct json *slice = w->in->slices[i];
        struct slice service = json_string(label(slice, SLICES_LABEL)), type = json_string_at(slice, "addressType");
        if (service.size == 0 || (type.size > 0 && !slice_is(type, "IPv4")))
            continue;
        struct slice key = slice_str(arena_printf(
            arena, "%.*s/%.*s", SLICE_ARGS(json_string_at(slice, "metadata.namespace")), SLICE_ARGS(service)));
        struct slice_list *list = map_get(&w->by_service, key);
        if (list == NULL) {
            list = arena_alloc(arena, sizeof *list);
            map_put(&w->by_service, key, list);
        }
        list->slices = grown(arena, list->slices, list->count, &list->capacity, sizeof *list->slices);
        list->slices[list->count++] = slice;
    }
}

/* --- endpoints of one service port --- */

enum readiness { READY, SERVING_TERMINATING };

/* Absent conditions mean ready (discovery/v1: "nil should be interpreted as true"); serving falls back to ready. */
static bool endpoint_is(const struct json *endpoint, enum readiness which)
{
    const struct json *conditions = json_get(endpoint, "conditions");
    bool ready = json_bool_at(conditions, "ready", true), terminating = json_bool_at(conditions, "terminating", false);
    if (which == READY)
        return ready;
    return terminating && json_bool_at(conditions, "serving", ready);
}

static void take_endpoint(struct work *w, const struct json *endpoint, uint16_t port, struct candidates *ret)
{
    struct slice address = json_string(json_element(json_get(endpoint, "addresses"), 0));
    if (!model_ipv4(address) || ret->count >= MODEL_ENDPOINTS_MAX)
        return;
    ret->items = grown(&w->out->arena, ret->items, ret->count, &ret->capacity, sizeof *ret->items);
    struct rule_endpoint *e = &ret->items[ret->count++];
    *e = (struct rule_endpoint){.port = port};
    memcpy(e->address, address.data, address.size);
    e->local = slice_is(json_string_at(endpoint, "nodeName"), w->in->node_name);
}

static void take_slice(struct work *w, const struct json *slice, struct slice port_name, enum rule_protocol protocol,
                       enum readiness which, struct candidates *ret)
{
    struct json_iterator ports = json_iterate(json_get(slice, "ports"));
    while (json_next(&ports)) {
        enum rule_protocol its;
        uint16_t port;
        if (!slice_equal(json_string_at(ports.value, "name"), port_name) ||
            !read_port(json_get(ports.value, "port"), &port) ||
            !read_protocol(json_string_at(ports.value, "protocol"), &its) || its != protocol)
            continue;
        struct json_iterator at = json_iterate(json_get(slice, "endpoints"));
        while (json_next(&at))
            if (endpoint_is(at.value, which))
                take_endpoint(w, at.value, port, ret);
    }
}

static int endpoint_order(const void *a, const void *b)
{
    const struct rule_endpoint *x = a, *y = b;
    int order = strcmp(x->address, y->address);
    return order != 0 ? order : (x->port > y->port) - (x->port < y->port);
}

/* An endpoint may stand in two slices while a controller moves it. */
static void sort_endpoints(struct candidates *c)
{
    size_t kept = 0;
    if (c->count == 0)
        return;
    qsort(c->items, c->count, sizeof *c->items, endpoint_order);
    for (size_t i = 0; i < c->count; i++)
        if (kept == 0 || endpoint_order(&c->items[kept - 1], &c->items[i]) != 0)
            c->items[kept++] = c->items[i];
    c->count = kept;
}

static void endpoints_find(struct work *w, struct slice key, struct slice port_name, enum rule_protocol protocol,
                           enum readiness which, struct candidates *ret)
{
    struct slice_list *list = map_get(&w->by_service, key);
    for (size_t i = 0; list != NULL && i < list->count; i++)
        take_slice(w, list->slices[i], port_name, protocol, which, ret);
    sort_endpoints(ret);
}

static size_t count_local(const struct candidates *c)
{
    size_t n = 0;
    for (size_t i = 0; i < c->count; i++)
        n += c->items[i].local;
    return n;
}

static void keep_local(struct arena *arena, struct candidates *c)
{
    struct candidates local = {.items = arena_alloc(arena, MAX(c->count, (size_t)1) * sizeof *c->items)};
    for (size_t i = 0; i < c->count; i++)
        if (c->items[i].local)
            local.items[local.count++] = c->items[i];
    *c = local;
}

/* --- rules --- */

/* What all rules of one service port share. */
struct port_facts {
    struct candidates all;       /* ready; else serving while terminating */
    struct candidates for_local; /* the same, decided over this node's endpoints alone */
    uint16_t port;
    enum rule_protocol protocol;
    unsigned affinity_seconds;
    const char *comment;
};

static void add_rule(struct work *w, const struct port_facts *f, const struct rule *r)
{
    struct rules *out = w->out;
    out->rules = grown(&out->arena, out->rules, out->count, &w->capacity, sizeof *out->rules);
    struct rule *added = &out->rules[out->count++];
    *added = *r;
    added->protocol = f->protocol;
    added->affinity_seconds = f->affinity_seconds;
    added->comment = f->comment;
}

static void set_endpoints(struct rule *r, const struct candidates *c, bool others)
{
    r->endpoints = c->items;
    r->endpoint_count = c->count;
    r->verdict = c->count > 0 ? RULE_FORWARD : others ? RULE_DROP : RULE_REJECT;
}

static void cluster_rule(struct work *w, const struct port_facts *f, const struct json *service)
{
    struct slice address = json_string_at(service, "spec.clusterIP");
    struct rule r = {.port = f->port};
    if (!model_ipv4(address))
        return;
    memcpy(r.address, address.data, address.size);
    if (slice_is(json_string_at(service, "spec.internalTrafficPolicy"), "Local"))
        set_endpoints(&r, &f->for_local, f->all.count > 0);
    else
        set_endpoints(&r, &f->all, false);
    add_rule(w, f, &r);
}

static void external_rule(struct work *w, const struct port_facts *f, const struct json *service, struct slice address,
                          uint16_t port)
{
    struct rule r = {.port = port, .external = true};
    if (address.size > 0 && !model_ipv4(address))
        return;
    if (address.size > 0)
        memcpy(r.address, address.data, address.size);
    r.external_local = slice_is(json_string_at(service, "spec.externalTrafficPolicy"), "Local");
    set_endpoints(&r, &f->all, false);
    add_rule(w, f, &r);
}

static void external_rules(struct work *w, const struct port_facts *f, const struct json *service,
                           const struct json *port)
{
    uint16_t node_port;
    if (read_port(json_get(port, "nodePort"), &node_port))
        external_rule(w, f, service, (struct slice){NULL, 0}, node_port);
    struct json_iterator at = json_iterate(json_at(service, "spec.externalIPs"));
    while (json_next(&at))
        if (json_string(at.value).size > 0)
            external_rule(w, f, service, json_string(at.value), f->port);
    at = json_iterate(json_at(service, "status.loadBalancer.ingress"));
    while (json_next(&at))
        if (json_string_at(at.value, "ip").size > 0 && !slice_is(json_string_at(at.value, "ipMode"), "Proxy"))
            external_rule(w, f, service, json_string_at(at.value, "ip"), f->port);
}

static unsigned affinity(const struct json *service)
{
    if (!slice_is(json_string_at(service, "spec.sessionAffinity"), "ClientIP"))
        return 0;
    int64_t seconds = json_int_at(service, "spec.sessionAffinityConfig.clientIP.timeoutSeconds", AFFINITY_DEFAULT_S);
    return seconds < 1 || seconds > 86400 ? AFFINITY_DEFAULT_S : (unsigned)seconds;
}

static void service_port(struct work *w, const struct json *service, struct slice key, const struct json *port)
{
    struct port_facts f = {.affinity_seconds = affinity(service)};
    struct slice name = json_string_at(port, "name");
    if (!read_port(json_get(port, "port"), &f.port) || !read_protocol(json_string_at(port, "protocol"), &f.protocol))
        return;
    f.comment = arena_printf(&w->out->arena, "%.*s%s%.*s", SLICE_ARGS(key), name.size > 0 ? ":" : "", (int)name.size,
                             name.size > 0 ? name.data : "");
    struct candidates terminating = {0};
    endpoints_find(w, key, name, f.protocol, READY, &f.all);
    endpoints_find(w, key, name, f.protocol, SERVING_TERMINATING, &terminating);
    f.for_local = count_local(&f.all) > 0 ? f.all : terminating;
    keep_local(&w->out->arena, &f.for_local);
    if (f.all.count == 0)
        f.all = terminating;
    cluster_rule(w, &f, service);
    external_rules(w, &f, service, port);
}

static void service_rules(struct work *w, const struct json *service)
{
    struct slice name = json_string_at(service, "metadata.name"), address = json_string_at(service, "spec.clusterIP");
    if (name.size == 0 || model_service_ignored(service) ||
        (w->in->skip_address != NULL && slice_is(address, w->in->skip_address)))
        return;
    struct slice key = slice_str(arena_printf(
        &w->out->arena, "%.*s/%.*s", SLICE_ARGS(json_string_at(service, "metadata.namespace")), SLICE_ARGS(name)));
    struct json_iterator at = json_iterate(json_at(service, "spec.ports"));
    while (json_next(&at))
        service_port(w, service, key, at.value);
}

static int triple_order(const struct rule *x, const struct rule *y)
{
    if (x->protocol != y->protocol)
        return x->protocol < y->protocol ? -1 : 1;
    int order = strcmp(x->address, y->address);
    return order != 0 ? order : (x->port > y->port) - (x->port < y->port);
}

static int rule_order(const void *a, const void *b)
{
    int order = triple_order(a, b);
    return order != 0 ? order : strcmp(((const struct rule *)a)->comment, ((const struct rule *)b)->comment);
}

/* Two services may claim one external IP and port: the first by name has it. */
static void sort_rules(struct rules *r)
{
    size_t kept = 0;
    if (r->count == 0)
        return;
    qsort(r->rules, r->count, sizeof *r->rules, rule_order);
    for (size_t i = 0; i < r->count; i++)
        if (kept == 0 || triple_order(&r->rules[kept - 1], &r->rules[i]) != 0)
            r->rules[kept++] = r->rules[i];
    r->count = kept;
}

void model_rules(const struct model_input *in, struct rules *ret)
{
    struct work w = {.in = in, .out = ret};
    *ret = (struct rules){0};
    index_slices(&w);
    for (size_t i = 0; i < in->service_count; i++)
        service_rules(&w, in->services[i]);
    sort_rules(ret);
    map_release(&w.by_service);
}

void rules_release(struct rules *r)
{
    if (r == NULL)
        return;
    arena_clear(&r->arena);
    *r = (struct rules){0};
}
