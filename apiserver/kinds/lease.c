/* Lease, coordination.k8s.io/v1. */
#include "common/base.h"

#include "apiserver/columns.h"
#include "apiserver/kinds/types.h"

static const struct field fields_lease_spec[] = {
    {.name = "holderIdentity", .type = FIELD_STRING, .proto = 1, .flags = FIELD_POINTER},
    {.name = "leaseDurationSeconds", .type = FIELD_INT32, .proto = 2, .flags = FIELD_POINTER, .check = check_positive},
    {.name = "acquireTime", .type = FIELD_MICRO_TIME, .proto = 3},
    {.name = "renewTime", .type = FIELD_MICRO_TIME, .proto = 4},
    {.name = "leaseTransitions", .type = FIELD_INT32, .proto = 5, .flags = FIELD_POINTER, .check = check_not_negative},
    {.name = "strategy", .type = FIELD_STRING, .proto = 6, .flags = FIELD_POINTER},
    {.name = "preferredHolder", .type = FIELD_STRING, .proto = 7, .flags = FIELD_POINTER},
    {.name = NULL},
};
static const struct type type_lease_spec = {.name = "LeaseSpec", .fields = fields_lease_spec};

static const struct field fields_lease[] = {
    {.name = "kind", .type = FIELD_STRING},
    {.name = "apiVersion", .type = FIELD_STRING},
    {.name = "metadata", .type = FIELD_OBJECT, .object = &type_object_meta, .proto = 1, .flags = FIELD_ALWAYS},
    {.name = "spec", .type = FIELD_OBJECT, .object = &type_lease_spec, .proto = 2, .flags = FIELD_ALWAYS},
    {.name = NULL},
};
static const struct type type_lease = {.name = "Lease", .fields = fields_lease};

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
