/* Service, core/v1. Its rules: hooks_service.c. What it holds of addresses and ports: hooks_service_ranges.c. */
#include "common/base.h"

#include "apiserver/check.h"
#include "apiserver/columns.h"
#include "apiserver/names.h"
#include "apiserver/kinds/types.h"

static const char *const protocols[] = {"SCTP", "TCP", "UDP", NULL};
static const char *const service_types[] = {"ClusterIP", "ExternalName", "LoadBalancer", "NodePort", NULL};
static const char *const affinities[] = {"ClientIP", "None", NULL};
static const char *const traffic[] = {"Cluster", "Local", NULL};
static const char *const family_policies[] = {"PreferDualStack", "RequireDualStack", "SingleStack", NULL};

static const struct field fields_client_ip_config[] = {
    {.name = "timeoutSeconds",
     .type = FIELD_INT32,
     .proto = 1,
     .flags = FIELD_POINTER,
     .check = check_affinity_timeout,
     .doc = "Seconds a client stays with its pod."},
    {.name = NULL},
};
static const struct type type_client_ip_config = {
    .name = "ClientIPConfig", .doc = "Settings of affinity by client.", .fields = fields_client_ip_config};

static const struct field fields_session_affinity_config[] = {
    {.name = "clientIP",
     .type = FIELD_OBJECT,
     .object = &type_client_ip_config,
     .proto = 1,
     .doc = "By address of the client."},
    {.name = NULL},
};
static const struct type type_session_affinity_config = {
    .name = "SessionAffinityConfig", .doc = "Settings of affinity.", .fields = fields_session_affinity_config};

static const struct field fields_service_port[] = {
    {.name = "name",
     .type = FIELD_STRING,
     .proto = 1,
     .check = check_dns_label,
     .doc = "Name of the port; may be left out when there is one only."},
    {.name = "protocol",
     .type = FIELD_STRING,
     .proto = 2,
     .fallback = "\"TCP\"",
     .one_of = protocols,
     .doc = "TCP, UDP or SCTP."},
    {.name = "port",
     .type = FIELD_INT32,
     .proto = 3,
     .flags = FIELD_ZERO,
     .check = check_port,
     .doc = "Number of the port."},
    {.name = "targetPort",
     .type = FIELD_INT_OR_STRING,
     .proto = 4,
     .doc = "Number or name of the pods' port; none: the same number."},
    {.name = "nodePort",
     .type = FIELD_INT32,
     .proto = 5,
     .check = check_not_negative,
     .doc = "Port at every node, of services with type NodePort or LoadBalancer."},
    {.name = "appProtocol", .type = FIELD_STRING, .proto = 6, .flags = FIELD_POINTER, .doc = "What is spoken at it."},
    {.name = NULL},
};
static const struct type type_service_port = {
    .name = "ServicePort", .doc = "A port of a service.", .fields = fields_service_port};

static const struct field fields_service_spec[] = {
    {.name = "ports",
     .type = FIELD_OBJECT,
     .shape = FIELD_LIST,
     .object = &type_service_port,
     .proto = 1,
     .list = LIST_MAP,
     .list_keys = "port,protocol",
     .patch = PATCH_MERGE,
     .merge_key = "port",
     .doc = "Ports of the service."},
    {.name = "selector",
     .type = FIELD_STRING,
     .shape = FIELD_MAP,
     .proto = 2,
     .check = check_labels,
     .flags = FIELD_ATOMIC,
     .doc = "Labels of the pods behind it; none: endpoints are made by others."},
    {.name = "clusterIP",
     .type = FIELD_STRING,
     .proto = 3,
     .doc = "Address in the cluster; None: it has none, and DNS names the pods."},
    {.name = "type",
     .type = FIELD_STRING,
     .proto = 4,
     .fallback = "\"ClusterIP\"",
     .one_of = service_types,
     .doc = "ClusterIP, NodePort, LoadBalancer or ExternalName."},
    {.name = "externalIPs",
     .type = FIELD_STRING,
     .shape = FIELD_LIST,
     .proto = 5,
     .doc = "Addresses of the nodes at which it is reached too."},
    {.name = "sessionAffinity",
     .type = FIELD_STRING,
     .proto = 7,
     .fallback = "\"None\"",
     .one_of = affinities,
     .doc = "ClientIP: a client stays with its pod; None: it does not."},
    {.name = "loadBalancerIP", .type = FIELD_STRING, .proto = 8, .doc = "Address that the load balancer should have."},
    {.name = "loadBalancerSourceRanges",
     .type = FIELD_STRING,
     .shape = FIELD_LIST,
     .proto = 9,
     .doc = "Addresses that the load balancer lets in."},
    {.name = "externalName",
     .type = FIELD_STRING,
     .proto = 10,
     .doc = "Name that DNS answers with; with type ExternalName."},
    {.name = "externalTrafficPolicy",
     .type = FIELD_STRING,
     .proto = 11,
     .one_of = traffic,
     .doc = "Traffic from outside goes to pods everywhere (Cluster) or of the same node (Local)."},
    {.name = "healthCheckNodePort",
     .type = FIELD_INT32,
     .proto = 12,
     .doc = "Port at which nodes tell whether they have pods; with policy Local."},
    {.name = "publishNotReadyAddresses",
     .type = FIELD_BOOL,
     .proto = 13,
     .doc = "Whether pods count that are not ready."},
    {.name = "sessionAffinityConfig",
     .type = FIELD_OBJECT,
     .object = &type_session_affinity_config,
     .proto = 14,
     .doc = "Settings of affinity."},
    {.name = "ipFamilyPolicy",
     .type = FIELD_STRING,
     .proto = 17,
     .flags = FIELD_POINTER,
     .one_of = family_policies,
     .doc = "SingleStack, PreferDualStack or RequireDualStack."},
    {.name = "clusterIPs",
     .type = FIELD_STRING,
     .shape = FIELD_LIST,
     .proto = 18,
     .doc = "Addresses in the cluster, one per family."},
    {.name = "ipFamilies",
     .type = FIELD_STRING,
     .shape = FIELD_LIST,
     .proto = 19,
     .doc = "Families of its addresses: IPv4, IPv6."},
    {.name = "allocateLoadBalancerNodePorts",
     .type = FIELD_BOOL,
     .proto = 20,
     .flags = FIELD_POINTER,
     .doc = "Whether a load balancer gets ports at the nodes."},
    {.name = "loadBalancerClass",
     .type = FIELD_STRING,
     .proto = 21,
     .flags = FIELD_POINTER,
     .doc = "Who makes the load balancer."},
    {.name = "internalTrafficPolicy",
     .type = FIELD_STRING,
     .proto = 22,
     .flags = FIELD_POINTER,
     .one_of = traffic,
     .doc = "Traffic from pods goes to pods everywhere (Cluster) or of the same node (Local)."},
    {.name = "trafficDistribution",
     .type = FIELD_STRING,
     .proto = 23,
     .flags = FIELD_POINTER,
     .doc = "Which pods are better, such as PreferClose."},
    {.name = NULL},
};
static const struct type type_service_spec = {.name = "ServiceSpec",
                                              .doc = "Pods, and where they are reached.",
                                              .fields = fields_service_spec,
                                              .fill = fill_service_spec,
                                              .check = check_service_spec};

static const struct field fields_port_status[] = {
    {.name = "port", .type = FIELD_INT32, .proto = 1, .flags = FIELD_ZERO, .doc = "Number of the port."},
    {.name = "protocol", .type = FIELD_STRING, .proto = 2, .flags = FIELD_ZERO, .doc = "TCP, UDP or SCTP."},
    {.name = "error",
     .type = FIELD_STRING,
     .proto = 3,
     .flags = FIELD_POINTER,
     .doc = "Why it could not be opened, in one word."},
    {.name = NULL},
};
static const struct type type_port_status = {
    .name = "PortStatus", .doc = "A port of a load balancer.", .fields = fields_port_status};

static const struct field fields_load_balancer_ingress[] = {
    {.name = "ip", .type = FIELD_STRING, .proto = 1, .doc = "Its address."},
    {.name = "hostname", .type = FIELD_STRING, .proto = 2, .doc = "Its name."},
    {.name = "ipMode",
     .type = FIELD_STRING,
     .proto = 3,
     .flags = FIELD_POINTER,
     .doc = "VIP or Proxy: whether traffic for the address may go straight to pods."},
    {.name = "ports",
     .type = FIELD_OBJECT,
     .shape = FIELD_LIST,
     .object = &type_port_status,
     .proto = 4,
     .doc = "Ports of the load balancer."},
    {.name = NULL},
};
static const struct type type_load_balancer_ingress = {
    .name = "LoadBalancerIngress", .doc = "Where a load balancer is reached.", .fields = fields_load_balancer_ingress};

static const struct field fields_load_balancer_status[] = {
    {.name = "ingress",
     .type = FIELD_OBJECT,
     .shape = FIELD_LIST,
     .object = &type_load_balancer_ingress,
     .proto = 1,
     .doc = "Its addresses."},
    {.name = NULL},
};
static const struct type type_load_balancer_status = {
    .name = "LoadBalancerStatus", .doc = "Where a load balancer is reached.", .fields = fields_load_balancer_status};

static const struct field fields_service_status[] = {
    {.name = "loadBalancer",
     .type = FIELD_OBJECT,
     .object = &type_load_balancer_status,
     .proto = 1,
     .flags = FIELD_ALWAYS,
     .doc = "Its load balancer."},
    {.name = "conditions",
     .type = FIELD_OBJECT,
     .shape = FIELD_LIST,
     .object = &type_condition,
     .proto = 2,
     .list = LIST_MAP,
     .list_keys = "type",
     .patch = PATCH_MERGE,
     .merge_key = "type",
     .doc = "What holds of the object, one entry per type."},
    {.name = NULL},
};
static const struct type type_service_status = {
    .name = "ServiceStatus", .doc = "State of a service.", .fields = fields_service_status};

static const struct field fields_service[] = {
    {.name = "kind", .type = FIELD_STRING, .doc = "Kind of the object."},
    {.name = "apiVersion", .type = FIELD_STRING, .doc = "Group and version of the API that the object is written in."},
    {.name = "metadata",
     .type = FIELD_OBJECT,
     .object = &type_object_meta,
     .proto = 1,
     .flags = FIELD_ALWAYS,
     .doc = "Name, namespace, labels and what else every object carries."},
    {.name = "spec",
     .type = FIELD_OBJECT,
     .object = &type_service_spec,
     .proto = 2,
     .flags = FIELD_ALWAYS,
     .doc = "What is wanted."},
    {.name = "status",
     .type = FIELD_OBJECT,
     .object = &type_service_status,
     .proto = 3,
     .flags = FIELD_ALWAYS,
     .doc = "What was last seen of it; written by controllers."},
    {.name = NULL},
};
static const struct type type_service = {
    .name = "Service", .doc = "One address for a set of pods.", .fields = fields_service};

static const struct column columns[] = {
    {.name = "Name", .type = "string", .format = "name", .doc = "Name of the object, unique within its namespace."},
    {.name = "Type", .type = "string", .doc = "How the service is reached."},
    {.name = "Cluster-IP", .type = "string", .doc = "Virtual address of the service."},
    {.name = "External-IP", .type = "string", .doc = "Addresses from outside."},
    {.name = "Port(s)", .type = "string", .doc = "Ports, with node ports."},
    {.name = "Age", .type = "string", .doc = "Time since the object was created."},
    {.name = "Selector", .type = "string", .doc = "Labels of the pods behind it.", .priority = 1},
    {.name = NULL},
};

/* "80/TCP,443:30443/TCP"; "<none>" */
static void ports_text(const struct json *o, struct buf *out)
{
    struct json_iterator i = json_iterate(json_at(o, "spec.ports"));
    while (json_next(&i)) {
        int64_t node = json_int_at(i.value, "nodePort", 0);
        buf_printf(out, "%s%d", out->size == 0 ? "" : ",", (int)json_int_at(i.value, "port", 0));
        if (node > 0)
            buf_printf(out, ":%d", (int)node);
        buf_printf(out, "/%.*s", SLICE_ARGS(json_string_at(i.value, "protocol")));
    }
    if (out->size == 0)
        buf_append_str(out, "<none>");
}

static void append_listed(struct buf *out, struct slice text)
{
    if (text.size == 0)
        return;
    if (out->size > 0)
        buf_append_char(out, ',');
    buf_append_slice(out, text);
}

static void external_text(const struct json *o, struct buf *out)
{
    struct slice type = json_string_at(o, "spec.type");
    struct json_iterator i = json_iterate(json_at(o, "status.loadBalancer.ingress"));
    while (slice_is(type, "LoadBalancer") && json_next(&i)) {
        struct slice ip = json_string_at(i.value, "ip");
        append_listed(out, ip.size > 0 ? ip : json_string_at(i.value, "hostname"));
    }
    i = json_iterate(json_at(o, "spec.externalIPs"));
    while (json_next(&i))
        append_listed(out, json_string(i.value));
    if (slice_is(type, "ExternalName"))
        append_listed(out, json_string_at(o, "spec.externalName"));
    if (out->size == 0)
        buf_append_str(out, slice_is(type, "LoadBalancer") ? "<pending>" : "<none>");
}

static void map_text(const struct json *map, struct buf *out)
{
    struct json_iterator i = json_iterate(map);
    while (json_next(&i))
        buf_printf(out, "%s%.*s=%.*s", out->size == 0 ? "" : ",", SLICE_ARGS(i.key), SLICE_ARGS(json_string(i.value)));
    if (out->size == 0)
        buf_append_str(out, "<none>");
}

static void row(const struct json *o, const struct column_now *now, struct cells *out)
{
    cells_add(out, json_string_at(o, "metadata.name"));
    cells_add(out, json_string_at(o, "spec.type"));
    cells_or(out, json_string_at(o, "spec.clusterIP"), "<none>");
    struct buf text = {0};
    external_text(o, &text);
    cells_add(out, buf_slice(&text));
    buf_reset(&text);
    ports_text(o, &text);
    cells_add(out, buf_slice(&text));
    cells_age(out, json_string_at(o, "metadata.creationTimestamp"), now);
    buf_reset(&text);
    map_text(json_at(o, "spec.selector"), &text);
    cells_add(out, buf_slice(&text));
    buf_release(&text);
}

static const char *const short_names[] = {"svc", NULL};
static const char *const categories[] = {"all", NULL};
static const struct subresource subresources[] = {
    {"proxy", "", "v1", "ServiceProxyOptions", PROXY_VERBS, CONNECTS_PROXY},
    {"status", "", "v1", "Service", "get,patch,update", CONNECTS_NOT},
    {.name = NULL},
};
static const struct selectable selectable[] = {{.label = "spec.clusterIP"}, {.label = "spec.type"}, {.label = NULL}};

const struct kind kind_service = {
    .group = "",
    .version = "v1",
    .name = "Service",
    .plural = "services",
    .singular = "service",
    .short_names = short_names,
    .categories = categories,
    .namespaced = true,
    .storage_prefix = "services/specs",
    .verbs = "create,delete,deletecollection,get,list,patch,update,watch",
    .type = &type_service,
    .subresources = subresources,
    .selectable = selectable,
    .columns = columns,
    .row = row,
    .check_name = name_check_label1035,
    .prepare_create = prepare_service_create,
    .prepare_update = prepare_service_update,
    .allocate = allocate_service,
    .claim = claim_service,
    .check_update = check_service_update,
    .no_generation = true,
    .update_creates = true,
};
