/* ReplicaSet, apps/v1. */
#include "common/base.h"

#include "apiserver/check.h"
#include "apiserver/columns.h"
#include "apiserver/kinds/types.h"

static const struct field fields_replica_set_spec[] = {
    {.name = "replicas",
     .type = FIELD_INT32,
     .proto = 1,
     .flags = FIELD_POINTER,
     .fallback = "1",
     .check = check_not_negative,
     .doc = "How many."},
    {.name = "selector",
     .type = FIELD_OBJECT,
     .object = &type_label_selector,
     .proto = 2,
     .flags = FIELD_REQUIRED,
     .doc = "Labels by which its pods are found; never changes."},
    {.name = "template",
     .type = FIELD_OBJECT,
     .object = &type_pod_template_spec,
     .proto = 3,
     .flags = FIELD_ALWAYS,
     .doc = "What the pods look like."},
    {.name = "minReadySeconds",
     .type = FIELD_INT32,
     .proto = 4,
     .check = check_not_negative,
     .doc = "Seconds a pod has to be ready before it counts as available."},
    {.name = NULL},
};
static const struct type type_replica_set_spec = {
    .name = "ReplicaSetSpec",
    .doc = "Which pods there should be.",
    .fields = fields_replica_set_spec,
    .check = check_workload_spec,
};

static const struct field fields_replica_set_condition[] = {
    {.name = "type", .type = FIELD_STRING, .proto = 1, .flags = FIELD_ZERO, .doc = "What the condition is about."},
    {.name = "status", .type = FIELD_STRING, .proto = 2, .flags = FIELD_ZERO, .doc = "True, False or Unknown."},
    {.name = "lastTransitionTime",
     .type = FIELD_TIME,
     .proto = 3,
     .flags = FIELD_ALWAYS,
     .doc = "When the status last changed."},
    {.name = "reason", .type = FIELD_STRING, .proto = 4, .doc = "One word, for machines, why it is so."},
    {.name = "message", .type = FIELD_STRING, .proto = 5, .doc = "What a person should know about it."},
    {.name = NULL},
};
static const struct type type_replica_set_condition = {
    .name = "ReplicaSetCondition",
    .doc = "One thing that holds, or does not, of a replica set.",
    .fields = fields_replica_set_condition,
};

static const struct field fields_replica_set_status[] = {
    {.name = "replicas",
     .type = FIELD_INT32,
     .proto = 1,
     .flags = FIELD_ZERO,
     .fallback = "0",
     .doc = "Pods that are there."},
    {.name = "fullyLabeledReplicas",
     .type = FIELD_INT32,
     .proto = 2,
     .doc = "Pods that have all labels of the template."},
    {.name = "observedGeneration",
     .type = FIELD_INT64,
     .proto = 3,
     .doc = "Generation of the replica set that this is about."},
    {.name = "readyReplicas", .type = FIELD_INT32, .proto = 4, .doc = "Pods that are ready."},
    {.name = "availableReplicas", .type = FIELD_INT32, .proto = 5, .doc = "Pods that have been ready for long enough."},
    {.name = "conditions",
     .type = FIELD_OBJECT,
     .shape = FIELD_LIST,
     .object = &type_replica_set_condition,
     .proto = 6,
     .list = LIST_MAP,
     .list_keys = "type",
     .patch = PATCH_MERGE,
     .merge_key = "type",
     .doc = "What holds of the object, one entry per type."},
    {.name = NULL},
};
static const struct type type_replica_set_status = {
    .name = "ReplicaSetStatus", .doc = "Which pods there are.", .fields = fields_replica_set_status};

static const struct field fields_replica_set[] = {
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
     .object = &type_replica_set_spec,
     .proto = 2,
     .flags = FIELD_ALWAYS,
     .doc = "What is wanted."},
    {.name = "status",
     .type = FIELD_OBJECT,
     .object = &type_replica_set_status,
     .proto = 3,
     .flags = FIELD_ALWAYS,
     .doc = "What was last seen of it; written by controllers."},
    {.name = NULL},
};
static const struct type type_replica_set = {
    .name = "ReplicaSet",
    .doc = "Keeps a number of equal pods running.",
    .fields = fields_replica_set,
};

static const struct column columns[] = {
    {.name = "Name", .type = "string", .format = "name", .doc = "Name of the object, unique within its namespace."},
    {.name = "Desired", .type = "integer", .doc = "Pods wanted."},
    {.name = "Current", .type = "integer", .doc = "Pods that exist."},
    {.name = "Ready", .type = "integer", .doc = "Pods that are ready."},
    {.name = "Age", .type = "string", .doc = "Time since the object was created."},
    {.name = "Containers", .type = "string", .doc = "Names of the containers in the template.", .priority = 1},
    {.name = "Images", .type = "string", .doc = "Images of the containers in the template.", .priority = 1},
    {.name = "Selector", .type = "string", .doc = "Selector of the pods.", .priority = 1},
    {.name = NULL},
};

static void row(const struct json *o, const struct column_now *now, struct cells *out)
{
    cells_add(out, json_string_at(o, "metadata.name"));
    cells_int(out, json_int_at(o, "spec.replicas", 0));
    cells_int(out, json_int_at(o, "status.replicas", 0));
    cells_int(out, json_int_at(o, "status.readyReplicas", 0));
    cells_age(out, json_string_at(o, "metadata.creationTimestamp"), now);
    workload_wide_cells(o, out);
}

static const char *const short_names[] = {"rs", NULL};
static const char *const categories[] = {"all", NULL};
static const struct subresource subresources[] = {
    {"scale", "autoscaling", "v1", "Scale", "get,patch,update", CONNECTS_NOT},
    {"status", "apps", "v1", "ReplicaSet", "get,patch,update", CONNECTS_NOT},
    {.name = NULL},
};
static const struct selectable selectable[] = {
    {.label = "status.replicas", .absent = "0"},
    {.label = NULL},
};

const struct kind kind_replicaset = {
    .group = "apps",
    .version = "v1",
    .name = "ReplicaSet",
    .plural = "replicasets",
    .singular = "replicaset",
    .short_names = short_names,
    .categories = categories,
    .namespaced = true,
    .storage_prefix = "replicasets",
    .verbs = "create,delete,deletecollection,get,list,patch,update,watch",
    .type = &type_replica_set,
    .subresources = subresources,
    .selectable = selectable,
    .columns = columns,
    .row = row,
    .check_update = check_workload_update,
};
