/* CSIStorageCapacity, storage.k8s.io/v1. */
#include "common/base.h"

#include "apiserver/check.h"
#include "apiserver/columns.h"
#include "apiserver/kinds/types.h"
#include "common/kube/quantity.h"

static void check_amount(struct check *c, const struct json *v);

static const struct field fields_csi_storage_capacity[] = {
    {.name = "kind", .type = FIELD_STRING, .doc = "Kind of the object."},
    {.name = "apiVersion", .type = FIELD_STRING, .doc = "Group and version of the API that the object is written in."},
    {.name = "metadata",
     .type = FIELD_OBJECT,
     .object = &type_object_meta,
     .proto = 1,
     .flags = FIELD_ALWAYS,
     .doc = "Name, namespace, labels and what else every object carries."},
    {.name = "nodeTopology",
     .type = FIELD_OBJECT,
     .object = &type_label_selector,
     .proto = 2,
     .doc = "Nodes that can reach the storage; none: no node can."},
    {.name = "storageClassName",
     .type = FIELD_STRING,
     .proto = 3,
     .flags = FIELD_REQUIRED,
     .check = check_dns_subdomain,
     .doc = "Class of the volumes."},
    {.name = "capacity",
     .type = FIELD_QUANTITY,
     .proto = 4,
     .flags = FIELD_POINTER,
     .check = check_amount,
     .doc = "How much room there is."},
    {.name = "maximumVolumeSize",
     .type = FIELD_QUANTITY,
     .proto = 5,
     .flags = FIELD_POINTER,
     .check = check_amount,
     .doc = "How large one volume can be."},
    {.name = NULL},
};
static const struct type type_csi_storage_capacity = {
    .name = "CSIStorageCapacity",
    .doc = "How much room a driver has for volumes of one class in one part of the cluster.",
    .fields = fields_csi_storage_capacity,
};

static void check_amount(struct check *c, const struct json *v)
{
    struct quantity q;
    if (quantity_parse(json_string(v), &q, NULL) == 0 && q.nano < 0)
        check_fail(c, CHECK_INVALID, v, "must be greater than or equal to 0");
}

static void check_update(struct check *c, const struct json *object, const struct json *old)
{
    const struct json *class = json_get(object, "storageClassName"), *nodes = json_get(object, "nodeTopology");
    if (!json_equal(nodes, json_get(old, "nodeTopology"))) {
        struct buf shown = {0};
        label_selector_text(nodes, &shown);
        check_fail_shown(c, "nodeTopology", CHECK_INVALID, shown.data, "field is immutable");
        buf_release(&shown);
    }
    if (!json_equal(class, json_get(old, "storageClassName")))
        check_fail_text_at(c, "storageClassName", CHECK_INVALID, json_string(class), "field is immutable");
}

static const struct column columns[] = {
    {.name = "Name", .type = "string", .format = "name", .doc = "Name of the object, unique within its namespace."},
    {.name = "StorageClassName", .type = "string", .doc = "Class of the volumes that can be made."},
    {.name = "Capacity", .type = "string", .doc = "How much there is."},
    {.name = NULL},
};

static void row(const struct json *o, const struct column_now *now, struct cells *out)
{
    (void)now;
    cells_add(out, json_string_at(o, "metadata.name"));
    cells_add(out, json_string_at(o, "storageClassName"));
    cells_or(out, json_string_at(o, "capacity"), "<unset>");
}

const struct kind kind_csistoragecapacity = {
    .group = "storage.k8s.io",
    .version = "v1",
    .name = "CSIStorageCapacity",
    .plural = "csistoragecapacities",
    .singular = "csistoragecapacity",
    .namespaced = true,
    .storage_prefix = "csistoragecapacities",
    .verbs = "create,delete,deletecollection,get,list,patch,update,watch",
    .type = &type_csi_storage_capacity,
    .columns = columns,
    .row = row,
    .check_update = check_update,
    .update_needs_version = true,
    .no_generation = true,
};
