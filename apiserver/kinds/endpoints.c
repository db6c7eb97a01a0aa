/* Endpoints, core/v1. */
#include "common/base.h"

#include "apiserver/check.h"
#include "apiserver/columns.h"
#include "apiserver/kinds/types.h"

static const char *const protocols[] = {"SCTP", "TCP", "UDP", NULL};

static const struct field fields_endpoint_address[] = {
    {.name = "ip",
     .type = FIELD_STRING,
     .proto = 1,
     .flags = FIELD_ZERO,
     .check = check_endpoint_ip,
     .doc = "The address."},
    {.name = "targetRef",
     .type = FIELD_OBJECT,
     .object = &type_object_reference,
     .proto = 2,
     .doc = "What is behind it, mostly a pod."},
    {.name = "hostname", .type = FIELD_STRING, .proto = 3, .doc = "Name of the host, for DNS."},
    {.name = "nodeName", .type = FIELD_STRING, .proto = 4, .flags = FIELD_POINTER, .doc = "Node it is on."},
    {.name = NULL},
};
static const struct type type_endpoint_address = {
    .name = "EndpointAddress", .doc = "An address that serves.", .fields = fields_endpoint_address, .atomic = true};

static const struct field fields_endpoint_port[] = {
    {.name = "name", .type = FIELD_STRING, .proto = 1, .doc = "Name of the port, as the service has it."},
    {.name = "port",
     .type = FIELD_INT32,
     .proto = 2,
     .flags = FIELD_ZERO,
     .check = check_port,
     .doc = "Number of the port."},
    {.name = "protocol",
     .type = FIELD_STRING,
     .proto = 3,
     .fallback = "\"TCP\"",
     .one_of = protocols,
     .doc = "TCP, UDP or SCTP."},
    {.name = "appProtocol", .type = FIELD_STRING, .proto = 4, .flags = FIELD_POINTER, .doc = "What is spoken at it."},
    {.name = NULL},
};
static const struct type type_endpoint_port = {
    .name = "EndpointPort", .doc = "A port that serves.", .fields = fields_endpoint_port, .atomic = true};

static const struct field fields_endpoint_subset[] = {
    {.name = "addresses",
     .type = FIELD_OBJECT,
     .shape = FIELD_LIST,
     .object = &type_endpoint_address,
     .proto = 1,
     .doc = "Addresses that are ready."},
    {.name = "notReadyAddresses",
     .type = FIELD_OBJECT,
     .shape = FIELD_LIST,
     .object = &type_endpoint_address,
     .proto = 2,
     .doc = "Addresses that are not ready."},
    {.name = "ports",
     .type = FIELD_OBJECT,
     .shape = FIELD_LIST,
     .object = &type_endpoint_port,
     .proto = 3,
     .doc = "Ports that they serve."},
    {.name = NULL},
};
static const struct type type_endpoint_subset = {
    .name = "EndpointSubset", .doc = "Addresses that serve the same ports.", .fields = fields_endpoint_subset};

static const struct field fields_endpoints[] = {
    {.name = "kind", .type = FIELD_STRING, .doc = "Kind of the object."},
    {.name = "apiVersion", .type = FIELD_STRING, .doc = "Group and version of the API that the object is written in."},
    {.name = "metadata",
     .type = FIELD_OBJECT,
     .object = &type_object_meta,
     .proto = 1,
     .flags = FIELD_ALWAYS,
     .doc = "Name, namespace, labels and what else every object carries."},
    {.name = "subsets",
     .type = FIELD_OBJECT,
     .shape = FIELD_LIST,
     .object = &type_endpoint_subset,
     .proto = 2,
     .doc = "Addresses and their ports."},
    {.name = NULL},
};
static const struct type type_endpoints = {
    .name = "Endpoints", .doc = "Addresses behind a service, all in one object.", .fields = fields_endpoints};

static const struct column columns[] = {
    {.name = "Name", .type = "string", .format = "name", .doc = "Name of the object, unique within its namespace."},
    {.name = "Endpoints", .type = "string", .doc = "Addresses with ports that are ready."},
    {.name = "Age", .type = "string", .doc = "Time since the object was created."},
    {.name = NULL},
};

#define ENDPOINTS_SHOWN 3

/* "10.0.0.1:80,10.0.0.2:80 + 3 more..."; "<none>" */
static void endpoints_text(const struct json *o, struct buf *out)
{
    size_t all = 0;
    struct json_iterator s = json_iterate(json_get(o, "subsets"));
    while (json_next(&s)) {
        struct json_iterator a = json_iterate(json_get(s.value, "addresses"));
        while (json_next(&a)) {
            struct json_iterator p = json_iterate(json_get(s.value, "ports"));
            bool bare = json_size(json_get(s.value, "ports")) == 0;
            while (bare || json_next(&p)) {
                if (all++ < ENDPOINTS_SHOWN) {
                    buf_printf(out, "%s%.*s", out->size == 0 ? "" : ",", SLICE_ARGS(json_string_at(a.value, "ip")));
                    if (!bare)
                        buf_printf(out, ":%d", (int)json_int_at(p.value, "port", 0));
                }
                if (bare)
                    break;
            }
        }
    }
    if (all > ENDPOINTS_SHOWN)
        buf_printf(out, " + %zu more...", all - ENDPOINTS_SHOWN);
    if (all == 0)
        buf_append_str(out, "<none>");
}

static void row(const struct json *o, const struct column_now *now, struct cells *out)
{
    cells_add(out, json_string_at(o, "metadata.name"));
    struct buf text = {0};
    endpoints_text(o, &text);
    cells_add(out, buf_slice(&text));
    buf_release(&text);
    cells_age(out, json_string_at(o, "metadata.creationTimestamp"), now);
}

static const char *const short_names[] = {"ep", NULL};
const struct kind kind_endpoints = {
    .group = "",
    .version = "v1",
    .name = "Endpoints",
    .plural = "endpoints",
    .singular = "endpoints",
    .short_names = short_names,
    .namespaced = true,
    .storage_prefix = "services/endpoints",
    .verbs = "create,delete,deletecollection,get,list,patch,update,watch",
    .type = &type_endpoints,
    .columns = columns,
    .row = row,
    .no_generation = true,
    .update_creates = true,
};
