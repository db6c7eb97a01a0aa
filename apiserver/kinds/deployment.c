/* Deployment, apps/v1. */
#include "common/base.h"

#include "apiserver/check.h"
#include "apiserver/columns.h"
#include "apiserver/kinds/types.h"

static const struct field fields_rolling_update_deployment[] = {
    {.name = "maxUnavailable",
     .type = FIELD_INT_OR_STRING,
     .proto = 1,
     .fallback = "\"25%\"",
     .doc = "Pods that may be missing meanwhile: a number, or a percentage of those wanted."},
    {.name = "maxSurge",
     .type = FIELD_INT_OR_STRING,
     .proto = 2,
     .fallback = "\"25%\"",
     .doc = "Pods that may be there in excess meanwhile: a number, or a percentage of those wanted."},
    {.name = NULL},
};
static const struct type type_rolling_update_deployment = {
    .name = "RollingUpdateDeployment",
    .doc = "How far a rolling update may go.",
    .fields = fields_rolling_update_deployment,
};

static const char *const strategy_types[] = {"Recreate", "RollingUpdate", NULL};

static const struct field fields_deployment_strategy[] = {
    {.name = "type",
     .type = FIELD_STRING,
     .proto = 1,
     .fallback = "\"RollingUpdate\"",
     .one_of = strategy_types,
     .doc = "RollingUpdate: little by little; Recreate: all old ones go first."},
    {.name = "rollingUpdate",
     .type = FIELD_OBJECT,
     .object = &type_rolling_update_deployment,
     .proto = 2,
     .doc = "How far it may go; with type RollingUpdate."},
    {.name = NULL},
};
static const struct type type_deployment_strategy = {
    .name = "DeploymentStrategy",
    .doc = "How old pods are replaced by new ones.",
    .fields = fields_deployment_strategy,
    .fill = fill_deployment_strategy,
    .check = check_deployment_strategy,
};

static const struct field fields_deployment_spec[] = {
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
     .flags = FIELD_ALWAYS | FIELD_ZERO,
     .doc = "What the pods look like."},
    {.name = "strategy",
     .type = FIELD_OBJECT,
     .object = &type_deployment_strategy,
     .proto = 4,
     .flags = FIELD_ALWAYS,
     .patch = PATCH_RETAIN_KEYS,
     .doc = "How old pods are replaced by new ones."},
    {.name = "minReadySeconds",
     .type = FIELD_INT32,
     .proto = 5,
     .check = check_not_negative,
     .doc = "Seconds a pod has to be ready before it counts as available."},
    {.name = "revisionHistoryLimit",
     .type = FIELD_INT32,
     .proto = 6,
     .flags = FIELD_POINTER,
     .fallback = "10",
     .check = check_not_negative,
     .doc = "How many old replica sets are kept to go back to."},
    {.name = "paused", .type = FIELD_BOOL, .proto = 7, .doc = "Whether changes of the template wait."},
    {.name = "progressDeadlineSeconds",
     .type = FIELD_INT32,
     .proto = 9,
     .flags = FIELD_POINTER,
     .fallback = "600",
     .check = check_not_negative,
     .doc = "Seconds without progress after which the rollout counts as failed."},
    {.name = NULL},
};
static const struct type type_deployment_spec = {
    .name = "DeploymentSpec",
    .doc = "Which pods there should be.",
    .fields = fields_deployment_spec,
    .check = check_workload_spec,
};

static const struct field fields_deployment_condition[] = {
    {.name = "type", .type = FIELD_STRING, .proto = 1, .flags = FIELD_ZERO, .doc = "What the condition is about."},
    {.name = "status", .type = FIELD_STRING, .proto = 2, .flags = FIELD_ZERO, .doc = "True, False or Unknown."},
    {.name = "reason", .type = FIELD_STRING, .proto = 4, .doc = "One word, for machines, why it is so."},
    {.name = "message", .type = FIELD_STRING, .proto = 5, .doc = "What a person should know about it."},
    {.name = "lastUpdateTime",
     .type = FIELD_TIME,
     .proto = 6,
     .flags = FIELD_ALWAYS,
     .doc = "When the condition was last written."},
    {.name = "lastTransitionTime",
     .type = FIELD_TIME,
     .proto = 7,
     .flags = FIELD_ALWAYS,
     .doc = "When the status last changed."},
    {.name = NULL},
};
static const struct type type_deployment_condition = {
    .name = "DeploymentCondition",
    .doc = "One thing that holds, or does not, of a deployment.",
    .fields = fields_deployment_condition,
};

static const struct field fields_deployment_status[] = {
    {.name = "observedGeneration",
     .type = FIELD_INT64,
     .proto = 1,
     .doc = "Generation of the deployment that this is about."},
    {.name = "replicas", .type = FIELD_INT32, .proto = 2, .doc = "Pods that are there."},
    {.name = "updatedReplicas", .type = FIELD_INT32, .proto = 3, .doc = "Pods of the newest template."},
    {.name = "availableReplicas", .type = FIELD_INT32, .proto = 4, .doc = "Pods that have been ready for long enough."},
    {.name = "unavailableReplicas", .type = FIELD_INT32, .proto = 5, .doc = "Pods that are missing to be available."},
    {.name = "conditions",
     .type = FIELD_OBJECT,
     .shape = FIELD_LIST,
     .object = &type_deployment_condition,
     .proto = 6,
     .list = LIST_MAP,
     .list_keys = "type",
     .patch = PATCH_MERGE,
     .merge_key = "type",
     .doc = "What holds of the object, one entry per type."},
    {.name = "readyReplicas", .type = FIELD_INT32, .proto = 7, .doc = "Pods that are ready."},
    {.name = "collisionCount",
     .type = FIELD_INT32,
     .proto = 8,
     .flags = FIELD_POINTER,
     .doc = "How often the name of a new replica set was taken."},
    {.name = NULL},
};
static const struct type type_deployment_status = {
    .name = "DeploymentStatus", .doc = "Which pods there are.", .fields = fields_deployment_status};

static const struct field fields_deployment[] = {
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
     .object = &type_deployment_spec,
     .proto = 2,
     .flags = FIELD_ALWAYS,
     .doc = "What is wanted."},
    {.name = "status",
     .type = FIELD_OBJECT,
     .object = &type_deployment_status,
     .proto = 3,
     .flags = FIELD_ALWAYS,
     .doc = "What was last seen of it; written by controllers."},
    {.name = NULL},
};
static const struct type type_deployment = {
    .name = "Deployment",
    .doc = "Keeps a number of pods running, and rolls out changes to them.",
    .fields = fields_deployment,
};

static const struct column columns[] = {
    {.name = "Name", .type = "string", .format = "name", .doc = "Name of the object, unique within its namespace."},
    {.name = "Ready", .type = "string", .doc = "Ready pods of those wanted."},
    {.name = "Up-to-date", .type = "string", .doc = "Pods of the newest template."},
    {.name = "Available", .type = "string", .doc = "Pods ready for long enough."},
    {.name = "Age", .type = "string", .doc = "Time since the object was created."},
    {.name = "Containers", .type = "string", .doc = "Names of the containers in the template.", .priority = 1},
    {.name = "Images", .type = "string", .doc = "Images of the containers in the template.", .priority = 1},
    {.name = "Selector", .type = "string", .doc = "Selector of the pods.", .priority = 1},
    {.name = NULL},
};

static void row(const struct json *o, const struct column_now *now, struct cells *out)
{
    cells_add(out, json_string_at(o, "metadata.name"));
    cells_printf(out, "%lld/%lld", (long long)json_int_at(o, "status.readyReplicas", 0),
                 (long long)json_int_at(o, "spec.replicas", 0));
    cells_int(out, json_int_at(o, "status.updatedReplicas", 0));
    cells_int(out, json_int_at(o, "status.availableReplicas", 0));
    cells_age(out, json_string_at(o, "metadata.creationTimestamp"), now);
    workload_wide_cells(o, out);
}

static const char *const short_names[] = {"deploy", NULL};
static const char *const categories[] = {"all", NULL};
static const struct subresource subresources[] = {
    {"scale", "autoscaling", "v1", "Scale", "get,patch,update", CONNECTS_NOT},
    {"status", "apps", "v1", "Deployment", "get,patch,update", CONNECTS_NOT},
    {.name = NULL},
};

const struct kind kind_deployment = {
    .group = "apps",
    .version = "v1",
    .name = "Deployment",
    .plural = "deployments",
    .singular = "deployment",
    .short_names = short_names,
    .categories = categories,
    .namespaced = true,
    .storage_prefix = "deployments",
    .verbs = "create,delete,deletecollection,get,list,patch,update,watch",
    .type = &type_deployment,
    .subresources = subresources,
    .columns = columns,
    .row = row,
    .check_update = check_workload_update,
};
