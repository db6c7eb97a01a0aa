/* Endpoints, core/v1. */
#include "common/base.h"

#include "apiserver/check.h"
#include "apiserver/columns.h"
#include "apiserver/kinds/types.h"

static const char *const protocols[] = {"SCTP", "TCP", "UDP", NULL};

static const struct field fields_endpoint_address[] = {
    {.name = "ip", .type = FIELD_STRING, .proto = 1, .flags = FIELD_ZERO, .check = check_endpoint_ip},
    {.name = "targetRef", .type = FIELD_OBJECT, .object = &type_object_reference, .proto = 2},
    {.name = "hostname", .type = FIELD_STRING, .proto = 3},
    {.name = "nodeName", .type = FIELD_STRING, .proto = 4, .flags = FIELD_POINTER},
    {.name = NULL},
};
static const struct type type_endpoint_address = {.name = "EndpointAddress", .fields = fields_endpoint_address, .atomic = true};

static const struct field fields_endpoint_port[] = {
    {.name = "name", .type = FIELD_STRING, .proto = 1},
    {.name = "port", .type = FIELD_INT32, .proto = 2, .flags = FIELD_ZERO, .check = check_port},
    {.name = "protocol", .type = FIELD_STRING, .proto = 3, .fallback = "\"TCP\"", .one_of = protocols},
    {.name = "appProtocol", .type = FIELD_STRING, .proto = 4, .flags = FIELD_POINTER},
    {.name = NULL},
};
static const struct type type_endpoint_port = {.name = "EndpointPort", .fields = fields_endpoint_port, .atomic = true};

static const struct field fields_endpoint_subset[] = {
    {.name = "addresses", .type = FIELD_OBJECT, .shape = FIELD_LIST, .object = &type_endpoint_address, .proto = 1},
    {.name = "notReadyAddresses",
     .type = FIELD_OBJECT,
     .shape = FIELD_LIST,
     .object = &type_endpoint_address,
     .proto = 2},
    {.name = "ports", .type = FIELD_OBJECT, .shape = FIELD_LIST, .object = &type_endpoint_port, .proto = 3},
    {.name = NULL},
};
static const struct type type_endpoint_subset = {.name = "EndpointSubset", .fields = fields_endpoint_subset};

static const struct field fields_endpoints[] = {
    {.name = "kind", .type = FIELD_STRING},
    {.name = "apiVersion", .type = FIELD_STRING},
    {.name = "metadata", .type = FIELD_OBJECT, .object = &type_object_meta, .proto = 1, .flags = FIELD_ALWAYS},
    {.name = "subsets", .type = FIELD_OBJECT, .shape = FIELD_LIST, .object = &type_endpoint_subset, .proto = 2},
    {.name = NULL},
};
static const struct type type_endpoints = {.name = "Endpoints", .fields = fields_endpoints};

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
