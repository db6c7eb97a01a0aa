/* PodDisruptionBudget, policy/v1. */
#include "common/base.h"

#include "apiserver/check.h"
#include "apiserver/columns.h"
#include "apiserver/kinds/types.h"

static const char *const eviction_policies[] = {"AlwaysAllow", "IfHealthyBudget", NULL};

static void check_share(struct check *c, const struct json *v) { check_int_or_percent(c, "", v); }

static void check_spec(struct check *c, const struct json *v)
{
    if (json_get(v, "minAvailable") != NULL && json_get(v, "maxUnavailable") != NULL)
        check_fail_shown(c, "", CHECK_INVALID, "policy.PodDisruptionBudgetSpec{}",
                         "minAvailable and maxUnavailable cannot be both set");
}

static const struct field fields_pod_disruption_budget_spec[] = {
    {.name = "minAvailable",
     .type = FIELD_INT_OR_STRING,
     .proto = 1,
     .check = check_share,
     .doc = "Pods that must stay: a number or a percentage."},
    {.name = "selector",
     .type = FIELD_OBJECT,
     .object = &type_label_selector,
     .proto = 2,
     .patch = PATCH_REPLACE,
     .doc = "Labels of the pods that belong to the object."},
    {.name = "maxUnavailable",
     .type = FIELD_INT_OR_STRING,
     .proto = 3,
     .check = check_share,
     .doc = "Pods that may be missing: a number or a percentage."},
    {.name = "unhealthyPodEvictionPolicy",
     .type = FIELD_STRING,
     .proto = 4,
     .flags = FIELD_POINTER,
     .one_of = eviction_policies,
     .doc = "Whether pods that are not ready may go: IfHealthyBudget or AlwaysAllow."},
    {.name = NULL},
};
static const struct type type_pod_disruption_budget_spec = {.name = "PodDisruptionBudgetSpec",
                                                            .doc = "How many pods may be taken away on purpose.",
                                                            .fields = fields_pod_disruption_budget_spec,
                                                            .check = check_spec};

static const struct field fields_pod_disruption_budget_status[] = {
    {.name = "observedGeneration",
     .type = FIELD_INT64,
     .proto = 1,
     .doc = "The generation of the spec that the controller has acted on."},
    {.name = "disruptedPods",
     .type = FIELD_TIME,
     .shape = FIELD_MAP,
     .proto = 2,
     .doc = "Pods that are about to go, and since when."},
    {.name = "disruptionsAllowed",
     .type = FIELD_INT32,
     .proto = 3,
     .flags = FIELD_ZERO,
     .fallback = "0",
     .check = check_not_negative,
     .doc = "Pods that may go now."},
    {.name = "currentHealthy",
     .type = FIELD_INT32,
     .proto = 4,
     .flags = FIELD_ZERO,
     .fallback = "0",
     .check = check_not_negative,
     .doc = "Healthy pods."},
    {.name = "desiredHealthy",
     .type = FIELD_INT32,
     .proto = 5,
     .flags = FIELD_ZERO,
     .fallback = "0",
     .check = check_not_negative,
     .doc = "Healthy pods there must be."},
    {.name = "expectedPods",
     .type = FIELD_INT32,
     .proto = 6,
     .flags = FIELD_ZERO,
     .fallback = "0",
     .check = check_not_negative,
     .doc = "Pods that count."},
    {.name = "conditions",
     .type = FIELD_OBJECT,
     .shape = FIELD_LIST,
     .object = &type_condition,
     .proto = 7,
     .list = LIST_MAP,
     .list_keys = "type",
     .patch = PATCH_MERGE,
     .merge_key = "type",
     .doc = "What holds of the object now, one entry per type."},
    {.name = NULL},
};
static const struct type type_pod_disruption_budget_status = {
    .name = "PodDisruptionBudgetStatus", .doc = "State of a budget.", .fields = fields_pod_disruption_budget_status};

static const struct field fields_pod_disruption_budget[] = {
    {.name = "kind", .type = FIELD_STRING, .doc = "Kind of the object."},
    {.name = "apiVersion", .type = FIELD_STRING, .doc = "Group and version the object is written in."},
    {.name = "metadata",
     .type = FIELD_OBJECT,
     .object = &type_object_meta,
     .proto = 1,
     .flags = FIELD_ALWAYS,
     .doc = "Name, labels and what else every object has."},
    {.name = "spec",
     .type = FIELD_OBJECT,
     .object = &type_pod_disruption_budget_spec,
     .proto = 2,
     .flags = FIELD_ALWAYS,
     .doc = "What is wanted."},
    {.name = "status",
     .type = FIELD_OBJECT,
     .object = &type_pod_disruption_budget_status,
     .proto = 3,
     .flags = FIELD_ALWAYS,
     .doc = "What was found; written by controllers."},
    {.name = NULL},
};
static const struct type type_pod_disruption_budget = {
    .name = "PodDisruptionBudget",
    .doc = "Keeps evictions from taking too many pods of a workload at once.",
    .fields = fields_pod_disruption_budget};

static const struct column columns[] = {
    {.name = "Name", .type = "string", .format = "name", .doc = "Name of the object, unique within its namespace."},
    {.name = "Min Available", .type = "string", .doc = "Pods that must stay."},
    {.name = "Max Unavailable", .type = "string", .doc = "Pods that may be missing."},
    {.name = "Allowed Disruptions", .type = "integer", .doc = "Pods that may go now."},
    {.name = "Age", .type = "string", .doc = "Time since the object was created."},
    {.name = NULL},
};

static void share_cell(const struct json *v, struct cells *out)
{
    if (json_type(v) == JSON_NUMBER)
        cells_add(out, json_number_text(v));
    else
        cells_or(out, json_string(v), "N/A");
}

static void row(const struct json *o, const struct column_now *now, struct cells *out)
{
    cells_add(out, json_string_at(o, "metadata.name"));
    share_cell(json_at(o, "spec.minAvailable"), out);
    share_cell(json_at(o, "spec.maxUnavailable"), out);
    cells_int(out, json_int_at(o, "status.disruptionsAllowed", 0));
    cells_age(out, json_string_at(o, "metadata.creationTimestamp"), now);
}

static const char *const short_names[] = {"pdb", NULL};
static const struct subresource subresources[] = {
    {"status", "policy", "v1", "PodDisruptionBudget", "get,patch,update", CONNECTS_NOT},
    {.name = NULL},
};

const struct kind kind_poddisruptionbudget = {
    .group = "policy",
    .version = "v1",
    .name = "PodDisruptionBudget",
    .plural = "poddisruptionbudgets",
    .singular = "poddisruptionbudget",
    .short_names = short_names,
    .namespaced = true,
    .storage_prefix = "poddisruptionbudgets",
    .verbs = "create,delete,deletecollection,get,list,patch,update,watch",
    .type = &type_pod_disruption_budget,
    .subresources = subresources,
    .columns = columns,
    .row = row,
    .update_needs_version = true,
};
