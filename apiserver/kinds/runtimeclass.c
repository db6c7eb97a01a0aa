/* RuntimeClass, node.k8s.io/v1. */
#include "common/base.h"

#include "apiserver/check.h"
#include "apiserver/columns.h"
#include "apiserver/kinds/types.h"

static const struct field fields_overhead[] = {
    {.name = "podFixed",
     .type = FIELD_QUANTITY,
     .shape = FIELD_MAP,
     .proto = 1,
     .check = check_container_resources,
     .doc = "Resources that every pod of the class takes."},
    {.name = NULL},
};
static const struct type type_overhead = {
    .name = "Overhead",
    .doc = "What a pod takes beside its containers.",
    .fields = fields_overhead,
};

static const struct field fields_scheduling[] = {
    {.name = "nodeSelector",
     .type = FIELD_STRING,
     .shape = FIELD_MAP,
     .proto = 1,
     .flags = FIELD_ATOMIC,
     .check = check_labels,
     .doc = "Labels of the nodes, added to those that the pod asks for."},
    {.name = "tolerations",
     .type = FIELD_OBJECT,
     .shape = FIELD_LIST,
     .object = &type_toleration,
     .proto = 2,
     .doc = "Taints that pods of the class tolerate."},
    {.name = NULL},
};
static const struct type type_scheduling = {
    .name = "Scheduling",
    .doc = "Where pods of a class can run.",
    .fields = fields_scheduling,
};

static const struct field fields_runtime_class[] = {
    {.name = "kind", .type = FIELD_STRING, .doc = "Kind of the object."},
    {.name = "apiVersion", .type = FIELD_STRING, .doc = "Group and version of the API that the object is written in."},
    {.name = "metadata",
     .type = FIELD_OBJECT,
     .object = &type_object_meta,
     .proto = 1,
     .flags = FIELD_ALWAYS,
     .doc = "Name, namespace, labels and what else every object carries."},
    {.name = "handler",
     .type = FIELD_STRING,
     .proto = 2,
     .flags = FIELD_REQUIRED,
     .check = check_dns_label,
     .doc = "Name of the runtime's configuration on nodes; never changes."},
    {.name = "overhead",
     .type = FIELD_OBJECT,
     .object = &type_overhead,
     .proto = 3,
     .doc = "What its pods take beside their containers."},
    {.name = "scheduling",
     .type = FIELD_OBJECT,
     .object = &type_scheduling,
     .proto = 4,
     .doc = "Nodes that have the runtime."},
    {.name = NULL},
};
static const struct type type_runtime_class = {
    .name = "RuntimeClass",
    .doc = "A way to run containers that pods choose by name.",
    .fields = fields_runtime_class,
};

static void check_update(struct check *c, const struct json *object, const struct json *old)
{
    const struct json *now = json_get(object, "handler");
    if (!json_equal(now, json_get(old, "handler")))
        check_fail_text_at(c, "handler", CHECK_INVALID, json_string(now), "field is immutable");
}

static const struct column columns[] = {
    {.name = "Name", .type = "string", .format = "name", .doc = "Name of the object, unique in the cluster."},
    {.name = "Handler", .type = "string", .doc = "What nodes know the runtime by."},
    {.name = "Age", .type = "string", .doc = "Time since the object was created."},
    {.name = NULL},
};

static void row(const struct json *o, const struct column_now *now, struct cells *out)
{
    cells_add(out, json_string_at(o, "metadata.name"));
    cells_add(out, json_string_at(o, "handler"));
    cells_age(out, json_string_at(o, "metadata.creationTimestamp"), now);
}

const struct kind kind_runtimeclass = {
    .group = "node.k8s.io",
    .version = "v1",
    .name = "RuntimeClass",
    .plural = "runtimeclasses",
    .singular = "runtimeclass",
    .storage_prefix = "runtimeclasses",
    .verbs = "create,delete,deletecollection,get,list,patch,update,watch",
    .type = &type_runtime_class,
    .columns = columns,
    .row = row,
    .check_update = check_update,
    .update_needs_version = true,
    .update_creates = true,
    .no_generation = true,
};
