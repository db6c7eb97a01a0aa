/* CSINode, storage.k8s.io/v1. */
#include "common/base.h"

#include "apiserver/check.h"
#include "apiserver/columns.h"
#include "apiserver/kinds/types.h"
#include "apiserver/names.h"

#define NODE_ID_MAX 192

static void check_node_id(struct check *c, const struct json *v);
static void check_node_driver(struct check *c, const struct json *v);

static const struct field fields_volume_node_resources[] = {
    {.name = "count",
     .type = FIELD_INT32,
     .proto = 1,
     .flags = FIELD_POINTER,
     .check = check_not_negative,
     .doc = "Number of volumes; none: without limit."},
    {.name = NULL},
};
static const struct type type_volume_node_resources = {
    .name = "VolumeNodeResources",
    .doc = "How many volumes a node takes.",
    .fields = fields_volume_node_resources,
};

static const struct field fields_csi_node_driver[] = {
    {.name = "name",
     .type = FIELD_STRING,
     .proto = 1,
     .flags = FIELD_REQUIRED | FIELD_TOLD,
     .doc = "Name of the driver, as its CSIDriver has it."},
    {.name = "nodeID",
     .type = FIELD_STRING,
     .proto = 2,
     .flags = FIELD_REQUIRED,
     .check = check_node_id,
     .doc = "What the driver calls the node."},
    {.name = "topologyKeys",
     .type = FIELD_STRING,
     .shape = FIELD_LIST,
     .proto = 3,
     .doc = "Keys of node labels by which the driver tells nodes apart."},
    {.name = "allocatable",
     .type = FIELD_OBJECT,
     .object = &type_volume_node_resources,
     .proto = 4,
     .doc = "How many volumes of the driver the node takes."},
    {.name = NULL},
};
static const struct type type_csi_node_driver = {
    .name = "CSINodeDriver",
    .doc = "A storage driver on a node.",
    .fields = fields_csi_node_driver,
    .check = check_node_driver,
};

static const struct field fields_csi_node_spec[] = {
    {.name = "drivers",
     .type = FIELD_OBJECT,
     .shape = FIELD_LIST,
     .object = &type_csi_node_driver,
     .proto = 1,
     .flags = FIELD_REQUIRED | FIELD_TOLD | FIELD_ALWAYS,
     .list = LIST_MAP,
     .list_keys = "name",
     .patch = PATCH_MERGE,
     .merge_key = "name",
     .doc = "Storage drivers that are installed."},
    {.name = NULL},
};
static const struct type type_csi_node_spec = {
    .name = "CSINodeSpec",
    .doc = "Drivers of a node.",
    .fields = fields_csi_node_spec,
};

static const struct field fields_csi_node[] = {
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
     .object = &type_csi_node_spec,
     .proto = 2,
     .flags = FIELD_REQUIRED | FIELD_ALWAYS,
     .doc = "What is wanted."},
    {.name = NULL},
};
static const struct type type_csi_node = {
    .name = "CSINode",
    .doc = "Which storage drivers are installed on a node.",
    .fields = fields_csi_node,
};

static void check_node_id(struct check *c, const struct json *v)
{
    if (json_string(v).size > NODE_ID_MAX)
        check_fail(c, CHECK_INVALID, v, "must be %d characters or less", NODE_ID_MAX);
}

static void check_node_driver(struct check *c, const struct json *v)
{
    const struct json *keys = json_get(v, "topologyKeys");
    struct err why;
    check_driver_name(c, "name", json_get(v, "name"));
    struct json_iterator i = json_iterate(keys);
    while (json_next(&i)) {
        struct slice key = json_string(i.value);
        for (size_t k = 0; k + 1 < i.position; k++)
            if (slice_equal(json_string(json_element(keys, k)), key))
                check_fail_text_at(c, "topologyKeys", CHECK_DUPLICATE, key, "%s", "");
        if (key.size == 0)
            check_fail_at(c, "topologyKeys", CHECK_REQUIRED, NULL, "%s", "");
        else if (name_check_qualified(key, &why) != 0)
            check_fail_text_at(c, "topologyKeys", CHECK_INVALID, key, "%s", why.message);
    }
}

/* Drivers come and go; one that stays is what it was. */
static void check_update(struct check *c, const struct json *object, const struct json *old)
{
    struct json_iterator i = json_iterate(json_at(old, "spec.drivers"));
    while (json_next(&i)) {
        struct json_iterator k = json_iterate(json_at(object, "spec.drivers"));
        while (json_next(&k))
            if (slice_equal(json_string_at(i.value, "name"), json_string_at(k.value, "name")) &&
                !json_equal(i.value, k.value))
                check_fail_text_at(c, "CSINode", CHECK_INVALID, json_string_at(object, "metadata.name"),
                                   "field is immutable");
    }
}

static const struct column columns[] = {
    {.name = "Name", .type = "string", .format = "name", .doc = "Name of the node."},
    {.name = "Drivers", .type = "integer", .doc = "How many drivers are installed on it."},
    {.name = "Age", .type = "string", .doc = "Time since the object was created."},
    {.name = NULL},
};

static void row(const struct json *o, const struct column_now *now, struct cells *out)
{
    cells_add(out, json_string_at(o, "metadata.name"));
    cells_int(out, (int64_t)json_size(json_at(o, "spec.drivers")));
    cells_age(out, json_string_at(o, "metadata.creationTimestamp"), now);
}

const struct kind kind_csinode = {
    .group = "storage.k8s.io",
    .version = "v1",
    .name = "CSINode",
    .plural = "csinodes",
    .singular = "csinode",
    .storage_prefix = "csinodes",
    .verbs = "create,delete,deletecollection,get,list,patch,update,watch",
    .type = &type_csi_node,
    .columns = columns,
    .row = row,
    .check_update = check_update,
    .update_needs_version = true,
    .no_generation = true,
    .delete_answers_object = true,
};
