/* ConfigMap, core/v1. */
#include "common/base.h"

#include "apiserver/check.h"
#include "apiserver/columns.h"
#include "apiserver/kinds/types.h"

static const struct field fields_config_map[] = {
    {.name = "kind", .type = FIELD_STRING, .doc = "Kind of the object."},
    {.name = "apiVersion", .type = FIELD_STRING, .doc = "Group and version of the API that the object is written in."},
    {.name = "metadata",
     .type = FIELD_OBJECT,
     .object = &type_object_meta,
     .proto = 1,
     .flags = FIELD_ALWAYS,
     .doc = "Name, namespace, labels and what else every object carries."},
    {.name = "data",
     .type = FIELD_STRING,
     .shape = FIELD_MAP,
     .proto = 2,
     .check = check_config_keys,
     .doc = "Values that are text, by key."},
    {.name = "binaryData",
     .type = FIELD_BYTES,
     .shape = FIELD_MAP,
     .proto = 3,
     .check = check_config_keys,
     .doc = "Values that are not text, by key."},
    {.name = "immutable",
     .type = FIELD_BOOL,
     .proto = 4,
     .flags = FIELD_POINTER,
     .doc = "Whether the values never change any more."},
    {.name = NULL},
};
static const struct type type_config_map = {
    .name = "ConfigMap",
    .doc = "Settings for pods.",
    .fields = fields_config_map,
    .check = check_config_map,
};

static const struct column columns[] = {
    {.name = "Name", .type = "string", .format = "name", .doc = "Name of the object, unique within its namespace."},
    {.name = "Data", .type = "string", .doc = "Number of keys."},
    {.name = "Age", .type = "string", .doc = "Time since the object was created."},
    {.name = NULL},
};

static void row(const struct json *o, const struct column_now *now, struct cells *out)
{
    cells_add(out, json_string_at(o, "metadata.name"));
    cells_int(out, (int64_t)(json_size(json_get(o, "data")) + json_size(json_get(o, "binaryData"))));
    cells_age(out, json_string_at(o, "metadata.creationTimestamp"), now);
}

static void check_update(struct check *c, const struct json *object, const struct json *old)
{
    if (!json_bool_at(old, "immutable", false))
        return;
    static const char *const frozen[] = {"data", "binaryData"};
    if (!json_bool_at(object, "immutable", false))
        check_fail_at(c, "immutable", CHECK_FORBIDDEN, NULL, "field is immutable when `immutable` is set");
    for (size_t i = 0; i < ARRAY_LEN(frozen); i++) {
        const struct json *a = json_get(object, frozen[i]), *b = json_get(old, frozen[i]);
        if ((a == NULL) != (b == NULL) || (a != NULL && !json_equal(a, b)))
            check_fail_at(c, frozen[i], CHECK_FORBIDDEN, NULL, "field is immutable when `immutable` is set");
    }
}

static const char *const short_names[] = {"cm", NULL};

const struct kind kind_configmap = {
    .group = "",
    .version = "v1",
    .name = "ConfigMap",
    .plural = "configmaps",
    .singular = "configmap",
    .short_names = short_names,
    .namespaced = true,
    .storage_prefix = "configmaps",
    .verbs = "create,delete,deletecollection,get,list,patch,update,watch",
    .type = &type_config_map,
    .columns = columns,
    .row = row,
    .check_update = check_update,
    .no_generation = true,
};
