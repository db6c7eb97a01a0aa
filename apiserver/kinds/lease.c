/* Lease, coordination.k8s.io/v1. */
#include "common/base.h"

#include "apiserver/columns.h"
#include "apiserver/kinds/types.h"

static const struct field fields_lease_spec[] = {
    {.name = "holderIdentity", .type = FIELD_STRING, .proto = 1, .flags = FIELD_POINTER, .doc = "Who holds it."},
    {.name = "leaseDurationSeconds",
     .type = FIELD_INT32,
     .proto = 2,
     .flags = FIELD_POINTER,
     .check = check_positive,
     .doc = "Seconds without renewal after which others may take it."},
    {.name = "acquireTime", .type = FIELD_MICRO_TIME, .proto = 3, .doc = "When it was taken."},
    {.name = "renewTime", .type = FIELD_MICRO_TIME, .proto = 4, .doc = "When it was last renewed."},
    {.name = "leaseTransitions",
     .type = FIELD_INT32,
     .proto = 5,
     .flags = FIELD_POINTER,
     .check = check_not_negative,
     .doc = "How often it changed hands."},
    {.name = "strategy",
     .type = FIELD_STRING,
     .proto = 6,
     .flags = FIELD_POINTER,
     .doc = "How its holder is chosen, where that is coordinated."},
    {.name = "preferredHolder",
     .type = FIELD_STRING,
     .proto = 7,
     .flags = FIELD_POINTER,
     .doc = "Who should take it next."},
    {.name = NULL},
};
static const struct type type_lease_spec = {
    .name = "LeaseSpec", .doc = "Who holds a lease, and how long.", .fields = fields_lease_spec};

static const struct field fields_lease[] = {
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
     .object = &type_lease_spec,
     .proto = 2,
     .flags = FIELD_ALWAYS,
     .doc = "What is wanted."},
    {.name = NULL},
};
static const struct type type_lease = {
    .name = "Lease", .doc = "Something that one holds at a time, for a while.", .fields = fields_lease};

static const struct column columns[] = {
    {.name = "Name", .type = "string", .format = "name", .doc = "Name of the object, unique within its namespace."},
    {.name = "Holder", .type = "string", .doc = "Who holds the lease."},
    {.name = "Age", .type = "string", .doc = "Time since the object was created."},
    {.name = NULL},
};

static void row(const struct json *o, const struct column_now *now, struct cells *out)
{
    cells_add(out, json_string_at(o, "metadata.name"));
    cells_add(out, json_string_at(o, "spec.holderIdentity"));
    cells_age(out, json_string_at(o, "metadata.creationTimestamp"), now);
}

const struct kind kind_lease = {
    .group = "coordination.k8s.io",
    .version = "v1",
    .name = "Lease",
    .plural = "leases",
    .singular = "lease",
    .namespaced = true,
    .storage_prefix = "leases",
    .verbs = "create,delete,deletecollection,get,list,patch,update,watch",
    .type = &type_lease,
    .columns = columns,
    .row = row,
    .update_needs_version = true,
    .update_creates = true,
    .no_generation = true,
};
