/* Namespace, core/v1. */
#include "common/base.h"

#include "apiserver/columns.h"
#include "apiserver/names.h"
#include "apiserver/kinds/types.h"

static const struct field fields_namespace_spec[] = {
    {.name = "finalizers",
     .type = FIELD_STRING,
     .shape = FIELD_LIST,
     .proto = 1,
     .doc = "What has to be done before it goes."},
    {.name = NULL},
};
static const struct type type_namespace_spec = {
    .name = "NamespaceSpec", .doc = "What holds a namespace.", .fields = fields_namespace_spec};

static const struct field fields_namespace_condition[] = {
    {.name = "type", .type = FIELD_STRING, .proto = 1, .flags = FIELD_ZERO, .doc = "What the condition is about."},
    {.name = "status", .type = FIELD_STRING, .proto = 2, .flags = FIELD_ZERO, .doc = "True, False or Unknown."},
    {.name = "lastTransitionTime", .type = FIELD_TIME, .proto = 4, .doc = "When the status last changed."},
    {.name = "reason", .type = FIELD_STRING, .proto = 5, .doc = "One word, for machines, why it is so."},
    {.name = "message", .type = FIELD_STRING, .proto = 6, .doc = "What a person should know about it."},
    {.name = NULL},
};
static const struct type type_namespace_condition = {
    .name = "NamespaceCondition",
    .doc = "One thing that holds, or does not, of a namespace that ends.",
    .fields = fields_namespace_condition,
};

static const struct field fields_namespace_status[] = {
    {.name = "phase", .type = FIELD_STRING, .proto = 1, .fallback = "\"Active\"", .doc = "Active or Terminating."},
    {.name = "conditions",
     .type = FIELD_OBJECT,
     .shape = FIELD_LIST,
     .object = &type_namespace_condition,
     .proto = 2,
     .list = LIST_MAP,
     .list_keys = "type",
     .patch = PATCH_MERGE,
     .merge_key = "type",
     .doc = "What holds of the object, one entry per type."},
    {.name = NULL},
};
static const struct type type_namespace_status = {
    .name = "NamespaceStatus", .doc = "State of a namespace.", .fields = fields_namespace_status};

static const struct field fields_namespace[] = {
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
     .object = &type_namespace_spec,
     .proto = 2,
     .flags = FIELD_ALWAYS,
     .doc = "What is wanted."},
    {.name = "status",
     .type = FIELD_OBJECT,
     .object = &type_namespace_status,
     .proto = 3,
     .flags = FIELD_ALWAYS,
     .doc = "What was last seen of it; written by controllers."},
    {.name = NULL},
};
static const struct type type_namespace = {.name = "Namespace",
                                           .doc = "A room for names: objects in it go when it goes.",
                                           .fields = fields_namespace,
                                           .fill = fill_namespace};

static const struct column columns[] = {
    {.name = "Name", .type = "string", .format = "name", .doc = "Name of the object, unique within its namespace."},
    {.name = "Status", .type = "string", .doc = "Active or Terminating."},
    {.name = "Age", .type = "string", .doc = "Time since the object was created."},
    {.name = NULL},
};

static void row(const struct json *o, const struct column_now *now, struct cells *out)
{
    cells_add(out, json_string_at(o, "metadata.name"));
    cells_add(out, json_string_at(o, "status.phase"));
    cells_age(out, json_string_at(o, "metadata.creationTimestamp"), now);
}

/* Every namespace carries its name as a label, and is held by the namespace controller until its content is gone. */
void fill_namespace(struct json_doc *d, struct json *v)
{
    struct slice name = json_string_at(v, "metadata.name");
    if (name.size > 0)
        json_set_string(d, json_ensure_object(d, v, "metadata.labels"), "kubernetes.io/metadata.name", name);
}

static void prepare_create(struct json_doc *d, struct json *o)
{
    struct json *status = json_new_object(d), *finalizers = json_new_array(d);
    json_set_str(d, status, "phase", "Active");
    json_set(d, o, "status", status);
    json_append(finalizers, json_new_str(d, "kubernetes"));
    json_set(d, json_ensure_object(d, o, "spec"), "finalizers", finalizers);
}

/* Only the finalize subresource changes spec.finalizers. */
static void prepare_update(struct json_doc *d, struct json *o, const struct json *old)
{
    if (json_get(old, "spec") != NULL)
        json_set(d, o, "spec", json_copy(d, json_get(old, "spec")));
}

static const char *const short_names[] = {"ns", NULL};
static const struct subresource subresources[] = {
    {"finalize", "", "v1", "Namespace", "update", CONNECTS_NOT},
    {"status", "", "v1", "Namespace", "get,patch,update", CONNECTS_NOT},
    {.name = NULL},
};
static const struct selectable selectable[] = {
    {.label = "status.phase"},
    {.label = NULL},
};

const struct kind kind_namespace = {
    .group = "",
    .version = "v1",
    .name = "Namespace",
    .plural = "namespaces",
    .singular = "namespace",
    .short_names = short_names,
    .namespaced = false,
    .storage_prefix = "namespaces",
    .verbs = "create,delete,get,list,patch,update,watch",
    .type = &type_namespace,
    .subresources = subresources,
    .selectable = selectable,
    .columns = columns,
    .row = row,
    .check_name = name_check_label,
    .prepare_create = prepare_create,
    .prepare_update = prepare_update,
    .no_generation = true,
    .delete_answers_object = true,
};
