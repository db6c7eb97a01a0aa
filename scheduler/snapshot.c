#include "common/base.h"

#include "common/kube/quantity.h"
#include "common/mem.h"
#include "scheduler/snapshot.h"

#include <stdio.h>

static int64_t amount(const struct json *list, const char *name, bool milli)
{
    struct quantity q;
    struct json *v = json_get(list, name);
    struct slice text = json_type(v) == JSON_NUMBER ? json_number_text(v) : json_string(v);
    if (text.size == 0 || quantity_parse(text, &q, NULL) != 0)
        return 0;
    return milli ? quantity_milli(q) : quantity_value(q);
}

static struct resource_amounts amounts(const struct json *list)
{
    return (struct resource_amounts){
        .cpu_milli = amount(list, "cpu", true),
        .memory_bytes = amount(list, "memory", false),
        .ephemeral_bytes = amount(list, "ephemeral-storage", false),
        .pods = amount(list, "pods", false),
    };
}

static void add(struct resource_amounts *to, const struct resource_amounts *more, int sign)
{
    to->cpu_milli += sign * more->cpu_milli;
    to->memory_bytes += sign * more->memory_bytes;
    to->ephemeral_bytes += sign * more->ephemeral_bytes;
    to->pods += sign * more->pods;
}

static void raise(struct resource_amounts *to, const struct resource_amounts *least)
{
    to->cpu_milli = MAX(to->cpu_milli, least->cpu_milli);
    to->memory_bytes = MAX(to->memory_bytes, least->memory_bytes);
    to->ephemeral_bytes = MAX(to->ephemeral_bytes, least->ephemeral_bytes);
}

/* The sum of the containers, or the largest init container where that is more; and the overhead. */
static struct resource_amounts requests_of(const struct json *pod)
{
    struct resource_amounts total = {0};
    struct json_iterator i = json_iterate(json_at(pod, "spec.containers"));
    while (json_next(&i)) {
        struct resource_amounts one = amounts(json_at(i.value, "resources.requests"));
        add(&total, &one, 1);
    }
    i = json_iterate(json_at(pod, "spec.initContainers"));
    while (json_next(&i)) {
        struct resource_amounts one = amounts(json_at(i.value, "resources.requests"));
        raise(&total, &one);
    }
    struct resource_amounts overhead = amounts(json_at(pod, "spec.overhead"));
    add(&total, &overhead, 1);
    total.pods = 1;
    return total;
}

static struct node_info *node_of(struct snapshot *s, struct slice name)
{
    struct node_info *n = map_get(&s->nodes, name);
    if (n != NULL)
        return n;
    n = NEW(struct node_info);
    n->name = mem_slice_dup(name);
    list_init(&n->pods);
    map_put(&s->nodes, name, n);
    return n;
}

static void node_free(struct node_info *n)
{
    json_doc_free(n->doc);
    mem_free(n->name);
    mem_free(n);
}

static void drop_if_unused(struct snapshot *s, struct node_info *n)
{
    if (n->known || !list_empty(&n->pods))
        return;
    map_remove(&s->nodes, slice_str(n->name));
    node_free(n);
}

static const struct json *taint_reasons(struct json_doc *d, const struct json *node)
{
    struct json *reasons = json_new_array(d);
    struct json_iterator i = json_iterate(json_at(node, "spec.taints"));
    while (json_next(&i)) {
        char *text = mem_printf("node(s) had untolerated taint {%.*s: %.*s}", SLICE_ARGS(json_string_at(i.value, "key")),
                                SLICE_ARGS(json_string_at(i.value, "value")));
        json_append(reasons, json_new_str(d, text));
        mem_free(text);
    }
    return reasons;
}

static const struct json *cordon_taint(struct json_doc *d)
{
    struct json *taint = json_new_object(d);
    json_set_str(d, taint, "key", "node.kubernetes.io/unschedulable");
    json_set_str(d, taint, "effect", "NoSchedule");
    return taint;
}

static size_t read_ports(const struct json *container, struct host_port ports[HOST_PORTS_MAX], size_t n)
{
    struct json_iterator i = json_iterate(json_get(container, "ports"));
    while (json_next(&i) && n < HOST_PORTS_MAX) {
        struct slice protocol = json_string_at(i.value, "protocol"), ip = json_string_at(i.value, "hostIP");
        int64_t port = json_int_at(i.value, "hostPort", 0);
        if (port <= 0)
            continue;
        struct host_port *p = &ports[n++];
        p->port = port;
        (void)snprintf(p->protocol, sizeof p->protocol, "%.*s", SLICE_ARGS(protocol.size == 0 ? SLICE("TCP") : protocol));
        (void)snprintf(p->ip, sizeof p->ip, "%.*s", SLICE_ARGS(ip)); /* validated addresses fit */
    }
    return n;
}

size_t host_ports_read(const struct json *pod, struct host_port ports[HOST_PORTS_MAX])
{
    size_t n = 0;
    struct json_iterator i = json_iterate(json_at(pod, "spec.containers"));
    while (json_next(&i))
        n = read_ports(i.value, ports, n);
    return n;
}

void snapshot_set_node(struct snapshot *s, const struct object *node)
{
    struct node_info *n = node_of(s, node->name);
    json_doc_free(n->doc);
    n->doc = json_doc_new();
    n->tree = object_tree(node, n->doc);
    n->known = true;
    n->cordon = cordon_taint(n->doc);
    n->taint_reasons = taint_reasons(n->doc, n->tree);
    n->unschedulable = json_bool_at(n->tree, "spec.unschedulable", false);
    n->allocatable = amounts(json_at(n->tree, "status.allocatable"));
}

void snapshot_remove_node(struct snapshot *s, struct slice name)
{
    struct node_info *n = map_get(&s->nodes, name);
    if (n == NULL)
        return;
    n->known = false;
    drop_if_unused(s, n);
}

static void placed_free(struct placed_pod *p)
{
    list_remove(&p->link);
    mem_free(p->key);
    mem_free(p->node_name);
    mem_free(p->owner_uid);
    mem_free(p->ports);
    mem_free(p);
}

static void place(struct snapshot *s, const struct pod_info *pod, struct slice node_name, bool assumed)
{
    struct node_info *n = node_of(s, node_name);
    struct placed_pod *p = NEW(struct placed_pod);
    p->key = mem_strdup(pod->key);
    p->node_name = mem_slice_dup(node_name);
    p->owner_uid = mem_strdup(pod->owner_uid);
    p->requests = pod->requests;
    p->assumed = assumed;
    struct host_port ports[HOST_PORTS_MAX];
    p->port_count = host_ports_read(pod->tree, ports);
    if (p->port_count > 0) {
        p->ports = mem_alloc(p->port_count * sizeof ports[0]);
        memcpy(p->ports, ports, p->port_count * sizeof ports[0]);
    }
    list_push_back(&n->pods, &p->link);
    add(&n->used, &p->requests, 1);
    map_put(&s->placed, slice_str(p->key), p);
}

void snapshot_remove_pod(struct snapshot *s, struct slice key)
{
    struct placed_pod *p = map_remove(&s->placed, key);
    if (p == NULL)
        return;
    struct node_info *n = map_get(&s->nodes, slice_str(p->node_name));
    add(&n->used, &p->requests, -1);
    placed_free(p);
    drop_if_unused(s, n);
}

void pod_info_read(struct pod_info *ret, const struct object *pod, const struct json *tree)
{
    *ret = (struct pod_info){
        .tree = tree,
        .key = pod->key,
        .uid = pod->uid,
        .owner_uid = pod->controller_uid,
        .requests = requests_of(tree),
    };
}

void snapshot_set_pod(struct snapshot *s, const struct object *pod)
{
    struct json_doc *d = json_doc_new();
    struct json *tree = object_tree(pod, d);
    struct slice node = json_string_at(tree, "spec.nodeName"), phase = json_string_at(tree, "status.phase");
    struct placed_pod *before = map_get(&s->placed, slice_str(pod->key));
    bool keep_assumption = node.size == 0 && before != NULL && before->assumed;
    if (!keep_assumption) {
        snapshot_remove_pod(s, slice_str(pod->key));
        if (node.size > 0 && !slice_is(phase, "Succeeded") && !slice_is(phase, "Failed")) {
            struct pod_info info;
            pod_info_read(&info, pod, tree);
            place(s, &info, node, false);
        }
    }
    json_doc_free(d);
}

void snapshot_assume(struct snapshot *s, const struct pod_info *pod, const char *node_name)
{
    snapshot_remove_pod(s, slice_str(pod->key));
    place(s, pod, slice_str(node_name), true);
}

void snapshot_forget(struct snapshot *s, struct slice key)
{
    struct placed_pod *p = map_get(&s->placed, key);
    if (p != NULL && p->assumed)
        snapshot_remove_pod(s, key);
}

void snapshot_release(struct snapshot *s)
{
    struct map_entry *e;
    for (size_t at = 0; (e = map_next(&s->placed, &at)) != NULL;)
        placed_free(e->value);
    for (size_t at = 0; (e = map_next(&s->nodes, &at)) != NULL;)
        node_free(e->value);
    map_release(&s->placed);
    map_release(&s->nodes);
}
