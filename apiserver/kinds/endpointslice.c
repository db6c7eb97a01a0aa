/* EndpointSlice, discovery.k8s.io/v1. */
#include "common/base.h"

#include "apiserver/check.h"
#include "apiserver/columns.h"
#include "apiserver/kinds/types.h"

static const char *const protocols[] = {"SCTP", "TCP", "UDP", NULL};
static const char *const address_types[] = {"FQDN", "IPv4", "IPv6", NULL};

static const struct field fields_for_zone[] = {
    {.name = "name", .type = FIELD_STRING, .proto = 1, .flags = FIELD_REQUIRED},
    {.name = NULL},
};
static const struct type type_for_zone = {.name = "ForZone", .fields = fields_for_zone};

static const struct field fields_endpoint_hints[] = {
    {.name = "forZones", .type = FIELD_OBJECT, .shape = FIELD_LIST, .object = &type_for_zone, .proto = 1},
    {.name = NULL},
};
static const struct type type_endpoint_hints = {.name = "EndpointHints", .fields = fields_endpoint_hints};

static const struct field fields_endpoint_conditions[] = {
    {.name = "ready", .type = FIELD_BOOL, .proto = 1, .flags = FIELD_POINTER},
    {.name = "serving", .type = FIELD_BOOL, .proto = 2, .flags = FIELD_POINTER},
    {.name = "terminating", .type = FIELD_BOOL, .proto = 3, .flags = FIELD_POINTER},
    {.name = NULL},
};
static const struct type type_endpoint_conditions = {.name = "EndpointConditions",
                                                     .fields = fields_endpoint_conditions};

static const struct field fields_endpoint[] = {
    {.name = "addresses",
     .type = FIELD_STRING,
     .shape = FIELD_LIST,
     .proto = 1,
     .flags = FIELD_REQUIRED,
     .list = LIST_SET},
    {.name = "conditions",
     .type = FIELD_OBJECT,
     .object = &type_endpoint_conditions,
     .proto = 2,
     .flags = FIELD_ALWAYS},
    {.name = "hostname", .type = FIELD_STRING, .proto = 3, .flags = FIELD_POINTER},
    {.name = "targetRef", .type = FIELD_OBJECT, .object = &type_object_reference, .proto = 4},
    {.name = "deprecatedTopology", .type = FIELD_STRING, .shape = FIELD_MAP, .proto = 5},
    {.name = "nodeName", .type = FIELD_STRING, .proto = 6, .flags = FIELD_POINTER},
    {.name = "zone", .type = FIELD_STRING, .proto = 7, .flags = FIELD_POINTER},
    {.name = "hints", .type = FIELD_OBJECT, .object = &type_endpoint_hints, .proto = 8},
    {.name = NULL},
};
static const struct type type_endpoint = {.name = "Endpoint", .fields = fields_endpoint};

static const struct field fields_endpoint_port[] = {
    {.name = "name", .type = FIELD_STRING, .proto = 1, .flags = FIELD_POINTER, .fallback = "\"\""},
    {.name = "protocol",
     .type = FIELD_STRING,
     .proto = 2,
     .flags = FIELD_POINTER,
     .fallback = "\"TCP\"",
     .one_of = protocols},
    {.name = "port", .type = FIELD_INT32, .proto = 3, .flags = FIELD_POINTER},
    {.name = "appProtocol", .type = FIELD_STRING, .proto = 4, .flags = FIELD_POINTER},
    {.name = NULL},
};
static const struct type type_endpoint_port = {.name = "EndpointPort", .fields = fields_endpoint_port, .atomic = true};

static const struct field fields_endpoint_slice[] = {
    {.name = "kind", .type = FIELD_STRING},
    {.name = "apiVersion", .type = FIELD_STRING},
    {.name = "metadata", .type = FIELD_OBJECT, .object = &type_object_meta, .proto = 1, .flags = FIELD_ALWAYS},
    {.name = "endpoints",
     .type = FIELD_OBJECT,
     .shape = FIELD_LIST,
     .object = &type_endpoint,
     .proto = 2,
     .flags = FIELD_ZERO},
    {.name = "ports",
     .type = FIELD_OBJECT,
     .shape = FIELD_LIST,
     .object = &type_endpoint_port,
     .proto = 3,
     .flags = FIELD_ZERO | FIELD_OPTIONAL},
    {.name = "addressType", .type = FIELD_STRING, .proto = 4, .flags = FIELD_REQUIRED, .one_of = address_types},
    {.name = NULL},
};
#define ENDPOINTS_MAX 1000
#define ENDPOINT_ADDRESSES_MAX 100
#define SLICE_PORTS_MAX 20000

/* Both lists are printed as null or [] even when nobody set them. */
static void fill_slice(struct json_doc *d, struct json *v)
{
    if (json_type(json_get(v, "endpoints")) != JSON_ARRAY)
        json_set(d, v, "endpoints", json_new_array(d));
    if (json_type(json_get(v, "ports")) != JSON_ARRAY)
        json_set(d, v, "ports", json_new_array(d));
}

static void check_slice(struct check *c, const struct json *v)
{
    const struct json *endpoints = json_get(v, "endpoints");
    if (json_size(endpoints) > ENDPOINTS_MAX)
        check_fail_at(c, "endpoints", CHECK_TOO_MANY, NULL, "must have at most %d items", ENDPOINTS_MAX);
    if (json_size(json_get(v, "ports")) > SLICE_PORTS_MAX)
        check_fail_at(c, "ports", CHECK_TOO_MANY, NULL, "must have at most %d items", SLICE_PORTS_MAX);
    struct json_iterator i = json_iterate(endpoints);
    while (json_next(&i)) {
        size_t mark = check_enter(c, "endpoints"), item = check_enter_index(c, i.position - 1);
        struct json_iterator a = json_iterate(json_get(i.value, "addresses"));
        if (json_size(json_get(i.value, "addresses")) > ENDPOINT_ADDRESSES_MAX)
            check_fail_at(c, "addresses", CHECK_TOO_MANY, NULL, "must have at most %d items", ENDPOINT_ADDRESSES_MAX);
        while (json_next(&a)) {
            size_t inner = check_enter(c, "addresses");
            (void)check_enter_index(c, a.position - 1); /* check_leave(inner) comes back from both */
            if (!slice_is(json_string_at(v, "addressType"), "FQDN"))
                check_ip(c, a.value);
            check_leave(c, inner);
        }
        check_leave(c, item);
        check_leave(c, mark);
    }
}

static const struct type type_endpoint_slice = {
    .name = "EndpointSlice", .fields = fields_endpoint_slice, .fill = fill_slice, .check = check_slice};

static const struct column columns[] = {
    {.name = "Name", .type = "string", .format = "name", .doc = "Name of the object, unique within its namespace."},
    {.name = "AddressType", .type = "string", .doc = "Family of the addresses."},
    {.name = "Ports", .type = "string", .doc = "Ports of the endpoints."},
    {.name = "Endpoints", .type = "string", .doc = "Addresses."},
    {.name = "Age", .type = "string", .doc = "Time since the object was created."},
    {.name = NULL},
};

#define SHOWN 3

static void ports_text(const struct json *o, struct buf *out)
{
    size_t all = 0;
    struct json_iterator i = json_iterate(json_get(o, "ports"));
    while (json_next(&i)) {
        int64_t port = json_int_at(i.value, "port", 0);
        if (all++ >= SHOWN)
            continue;
        if (out->size > 0)
            buf_append_char(out, ',');
        if (port > 0)
            buf_printf(out, "%d", (int)port);
        else
            buf_append_char(out, '*');
    }
    if (all > SHOWN)
        buf_printf(out, " + %zu more...", all - SHOWN);
    if (all == 0)
        buf_append_str(out, "<unset>");
}

static void addresses_text(const struct json *o, struct buf *out)
{
    size_t all = 0;
    struct json_iterator i = json_iterate(json_get(o, "endpoints"));
    while (json_next(&i)) {
        struct json_iterator a = json_iterate(json_get(i.value, "addresses"));
        while (json_next(&a)) {
            if (all++ < SHOWN)
                buf_printf(out, "%s%.*s", out->size == 0 ? "" : ",", SLICE_ARGS(json_string(a.value)));
        }
    }
    if (all > SHOWN)
        buf_printf(out, " + %zu more...", all - SHOWN);
    if (all == 0)
        buf_append_str(out, "<unset>");
}

static void row(const struct json *o, const struct column_now *now, struct cells *out)
{
    cells_add(out, json_string_at(o, "metadata.name"));
    struct buf text = {0};
    cells_add(out, json_string_at(o, "addressType"));
    ports_text(o, &text);
    cells_add(out, buf_slice(&text));
    buf_reset(&text);
    addresses_text(o, &text);
    cells_add(out, buf_slice(&text));
    buf_release(&text);
    cells_age(out, json_string_at(o, "metadata.creationTimestamp"), now);
}

static void check_update(struct check *c, const struct json *object, const struct json *old)
{
    const struct json *now = json_get(object, "addressType");
    if (now != NULL && !json_equal(now, json_get(old, "addressType")))
        check_fail_at(c, "addressType", CHECK_INVALID, now, "field is immutable");
}

const struct kind kind_endpoint_slice = {
    .group = "discovery.k8s.io",
    .version = "v1",
    .name = "EndpointSlice",
    .plural = "endpointslices",
    .singular = "endpointslice",
    .namespaced = true,
    .storage_prefix = "endpointslices",
    .verbs = "create,delete,deletecollection,get,list,patch,update,watch",
    .type = &type_endpoint_slice,
    .columns = columns,
    .row = row,
    .check_update = check_update,
};
