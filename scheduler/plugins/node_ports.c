/* NodePorts: the host ports that a pod asks for must be free on the node. */
#include "common/base.h"

#include "scheduler/framework.h"

static bool anywhere(struct slice ip) { return ip.size == 0 || slice_is(ip, "0.0.0.0"); }

static bool collide(const struct host_port *a, const struct host_port *b)
{
    struct slice ip_a = slice_str(a->ip), ip_b = slice_str(b->ip);
    return a->port == b->port && strcmp(a->protocol, b->protocol) == 0 &&
           (anywhere(ip_a) || anywhere(ip_b) || slice_equal(ip_a, ip_b));
}

static bool taken(const struct host_port *wanted, const struct node_info *node)
{
    LIST_FOR_EACH(at, &node->pods) {
        const struct placed_pod *p = container_of(at, struct placed_pod, link);
        for (size_t i = 0; i < p->port_count; i++)
            if (collide(wanted, &p->ports[i]))
                return true;
    }
    return false;
}

static const char *filter(const struct snapshot *s, const struct pod_info *pod, const struct node_info *node)
{
    (void)s;
    struct host_port ports[HOST_PORTS_MAX];
    size_t n = host_ports_read(pod->tree, ports);
    for (size_t i = 0; i < n; i++)
        if (taken(&ports[i], node))
            return "node(s) didn't have free ports for the requested pod ports";
    return NULL;
}

const struct plugin plugin_node_ports = {.name = "NodePorts", .filter = filter, .eviction_helps = true};
