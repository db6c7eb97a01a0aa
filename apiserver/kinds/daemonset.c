/* DaemonSet, apps/v1. */
#include "common/base.h"

#include "apiserver/check.h"
#include "apiserver/columns.h"
#include "apiserver/kinds/types.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

static void check_rolling(struct check *c, const struct json *v)
{
    const struct json *missing = json_get(v, "maxUnavailable"), *surge = json_get(v, "maxSurge");
    check_int_or_percent(c, "maxUnavailable", missing);
    check_int_or_percent(c, "maxSurge", surge);
    if (is_int_or_percent_zero(missing) && is_int_or_percent_zero(surge))
        check_fail_at(c, "maxUnavailable", CHECK_REQUIRED, NULL, "cannot be 0 when maxSurge is 0");
    else if (!is_int_or_percent_zero(missing) && !is_int_or_percent_zero(surge))
        check_fail_int_or_string(c, "maxSurge", surge, "may not be set when maxUnavailable is non-zero");
}

static void fill_strategy(struct json_doc *d, struct json *v)
{
    if (!slice_is(json_string_at(v, "type"), "RollingUpdate"))
        return;
    struct json *rolling = json_ensure_object(d, v, "rollingUpdate");
    if (json_get(rolling, "maxUnavailable") == NULL)
        json_set_int(d, rolling, "maxUnavailable", 1);
    if (json_get(rolling, "maxSurge") == NULL)
        json_set_int(d, rolling, "maxSurge", 0);
}

static void check_strategy(struct check *c, const struct json *v)
{
    static const char *const types[] = {"RollingUpdate", "OnDelete", NULL};
    const struct json *type = json_get(v, "type");
    if (!slice_is(json_string(type), types[0]) && !slice_is(json_string(type), types[1]))
        check_fail_one_of(c, type, types);
}

static void check_spec(struct check *c, const struct json *v) { check_pods_spec(c, v, "daemonset", "DaemonSet"); }

static const struct field fields_rolling_update_daemon_set[] = {
    {.name = "maxUnavailable",
     .type = FIELD_INT_OR_STRING,
     .proto = 1,
     .doc = "Pods that may be missing meanwhile: a number or a percentage of the nodes."},
    {.name = "maxSurge",
     .type = FIELD_INT_OR_STRING,
     .proto = 2,
     .doc = "Nodes that may have an old and a new pod meanwhile."},
    {.name = NULL},
};
static const struct type type_rolling_update_daemon_set = {.name = "RollingUpdateDaemonSet",
                                                           .doc = "How far a rolling update of daemons may go at once.",
                                                           .fields = fields_rolling_update_daemon_set,
                                                           .check = check_rolling};

static const struct field fields_daemon_set_update_strategy[] = {
    {.name = "type",
     .type = FIELD_STRING,
     .proto = 1,
     .fallback = "\"RollingUpdate\"",
     .doc = "RollingUpdate or OnDelete."},
    {.name = "rollingUpdate",
     .type = FIELD_OBJECT,
     .object = &type_rolling_update_daemon_set,
     .proto = 2,
     .doc = "For RollingUpdate."},
    {.name = NULL},
};
static const struct type type_daemon_set_update_strategy = {.name = "DaemonSetUpdateStrategy",
                                                            .doc = "How daemons get a new template.",
                                                            .fields = fields_daemon_set_update_strategy,
                                                            .fill = fill_strategy,
                                                            .check = check_strategy};

static const struct field fields_daemon_set_spec[] = {
    {.name = "selector",
     .type = FIELD_OBJECT,
     .object = &type_label_selector,
     .proto = 1,
     .flags = FIELD_REQUIRED,
     .doc = "Labels of the pods that belong to the object."},
    {.name = "template",
     .type = FIELD_OBJECT,
     .object = &type_pod_template_spec,
     .proto = 2,
     .flags = FIELD_ALWAYS | FIELD_ZERO,
     .doc = "The pods to be made."},
    {.name = "updateStrategy",
     .type = FIELD_OBJECT,
     .object = &type_daemon_set_update_strategy,
     .proto = 3,
     .flags = FIELD_ALWAYS,
     .doc = "How pods get a new template."},
    {.name = "minReadySeconds",
     .type = FIELD_INT32,
     .proto = 4,
     .check = check_not_negative,
     .doc = "Seconds a pod must stay ready before it counts as available."},
    {.name = "revisionHistoryLimit",
     .type = FIELD_INT32,
     .proto = 6,
     .flags = FIELD_POINTER,
     .fallback = "10",
     .check = check_not_negative,
     .doc = "Old revisions kept for a rollback."},
    {.name = NULL},
};
static const struct type type_daemon_set_spec = {.name = "DaemonSetSpec",
                                                 .doc = "Which pod to run on every node.",
                                                 .fields = fields_daemon_set_spec,
                                                 .check = check_spec};

static const struct field fields_daemon_set_condition[] = {
    {.name = "type", .type = FIELD_STRING, .proto = 1, .flags = FIELD_ZERO, .doc = "What it is about."},
    {.name = "status", .type = FIELD_STRING, .proto = 2, .flags = FIELD_ZERO, .doc = "True, False or Unknown."},
    {.name = "lastTransitionTime",
     .type = FIELD_TIME,
     .proto = 3,
     .flags = FIELD_ALWAYS,
     .doc = "When the condition last changed."},
    {.name = "reason", .type = FIELD_STRING, .proto = 4, .doc = "Why, as one word for programs."},
    {.name = "message", .type = FIELD_STRING, .proto = 5, .doc = "Why, in words for people."},
    {.name = NULL},
};
static const struct type type_daemon_set_condition = {
    .name = "DaemonSetCondition", .doc = "Something that holds of a DaemonSet.", .fields = fields_daemon_set_condition};

static const struct field fields_daemon_set_status[] = {
    {.name = "currentNumberScheduled",
     .type = FIELD_INT32,
     .proto = 1,
     .flags = FIELD_ZERO,
     .fallback = "0",
     .check = check_not_negative,
     .doc = "Nodes that run the pod and should."},
    {.name = "numberMisscheduled",
     .type = FIELD_INT32,
     .proto = 2,
     .flags = FIELD_ZERO,
     .fallback = "0",
     .check = check_not_negative,
     .doc = "Nodes that run the pod and should not."},
    {.name = "desiredNumberScheduled",
     .type = FIELD_INT32,
     .proto = 3,
     .flags = FIELD_ZERO,
     .fallback = "0",
     .check = check_not_negative,
     .doc = "Nodes that should run the pod."},
    {.name = "numberReady",
     .type = FIELD_INT32,
     .proto = 4,
     .flags = FIELD_ZERO,
     .fallback = "0",
     .check = check_not_negative,
     .doc = "Nodes whose pod is ready."},
    {.name = "observedGeneration",
     .type = FIELD_INT64,
     .proto = 5,
     .check = check_not_negative,
     .doc = "The generation of the spec that the controller has acted on."},
    {.name = "updatedNumberScheduled",
     .type = FIELD_INT32,
     .proto = 6,
     .check = check_not_negative,
     .doc = "Nodes whose pod is of the newest template."},
    {.name = "numberAvailable",
     .type = FIELD_INT32,
     .proto = 7,
     .check = check_not_negative,
     .doc = "Nodes whose pod has been ready for long enough."},
    {.name = "numberUnavailable",
     .type = FIELD_INT32,
     .proto = 8,
     .check = check_not_negative,
     .doc = "Nodes that should have an available pod and have none."},
    {.name = "collisionCount",
     .type = FIELD_INT32,
     .proto = 9,
     .flags = FIELD_POINTER,
     .doc = "How often a name made from a hash was taken; part of the next hash."},
    {.name = "conditions",
     .type = FIELD_OBJECT,
     .shape = FIELD_LIST,
     .object = &type_daemon_set_condition,
     .proto = 10,
     .list = LIST_MAP,
     .list_keys = "type",
     .patch = PATCH_MERGE,
     .merge_key = "type",
     .doc = "What holds of the object now, one entry per type."},
    {.name = NULL},
};
static const struct type type_daemon_set_status = {
    .name = "DaemonSetStatus", .doc = "State of a DaemonSet.", .fields = fields_daemon_set_status};

static const struct field fields_daemon_set[] = {
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
     .object = &type_daemon_set_spec,
     .proto = 2,
     .flags = FIELD_ALWAYS,
     .doc = "What is wanted."},
    {.name = "status",
     .type = FIELD_OBJECT,
     .object = &type_daemon_set_status,
     .proto = 3,
     .flags = FIELD_ALWAYS,
     .doc = "What was found; written by controllers."},
    {.name = NULL},
};
static const struct type type_daemon_set = {
    .name = "DaemonSet", .doc = "One pod on every node, or on every node that fits.", .fields = fields_daemon_set};

/* apps/v1 has no field for how often the template has changed; an annotation tells. */
#define TEMPLATE_GENERATION "deprecated.daemonset.template.generation"

static void set_template_generation(struct json_doc *d, struct json *o, int64_t generation)
{
    char text[24];
    (void)snprintf(text, sizeof text, "%" PRId64, generation); /* fits */
    json_set_slice(d, json_ensure_object(d, o, "metadata.annotations"), SLICE(TEMPLATE_GENERATION),
                   json_new_str(d, text));
}

static void prepare_create(struct json_doc *d, struct json *o) { set_template_generation(d, o, 1); }

static void prepare_update(struct json_doc *d, struct json *o, const struct json *old)
{
    const struct json *now = json_at(o, "spec.template"), *was = json_at(old, "spec.template");
    struct slice text = json_string(json_get_slice(json_at(old, "metadata.annotations"), SLICE(TEMPLATE_GENERATION)));
    int64_t generation = text.size == 0 ? 1 : strtoll(text.data, NULL, 10);
    set_template_generation(d, o, generation + (now != NULL && was != NULL && !json_equal(now, was) ? 1 : 0));
}

static const struct column columns[] = {
    {.name = "Name", .type = "string", .format = "name", .doc = "Name of the object, unique within its namespace."},
    {.name = "Desired", .type = "integer", .doc = "Nodes that should run the pod."},
    {.name = "Current", .type = "integer", .doc = "Nodes that run it."},
    {.name = "Ready", .type = "integer", .doc = "Nodes whose pod is ready."},
    {.name = "Up-to-date", .type = "integer", .doc = "Nodes whose pod is of the newest template."},
    {.name = "Available", .type = "integer", .doc = "Nodes whose pod has been ready for long enough."},
    {.name = "Node Selector", .type = "string", .doc = "Labels of the nodes."},
    {.name = "Age", .type = "string", .doc = "Time since the object was created."},
    {.name = "Containers", .type = "string", .doc = "Names of the containers in the template.", .priority = 1},
    {.name = "Images", .type = "string", .doc = "Images of the containers in the template.", .priority = 1},
    {.name = "Selector", .type = "string", .doc = "Selector of the pods.", .priority = 1},
    {.name = NULL},
};

static void row(const struct json *o, const struct column_now *now, struct cells *out)
{
    static const char *const counts[] = {"status.desiredNumberScheduled", "status.currentNumberScheduled",
                                         "status.numberReady", "status.updatedNumberScheduled",
                                         "status.numberAvailable"};
    struct buf nodes = {0};
    cells_add(out, json_string_at(o, "metadata.name"));
    for (size_t i = 0; i < ARRAY_LEN(counts); i++)
        cells_int(out, json_int_at(o, counts[i], 0));
    labels_text(json_at(o, "spec.template.spec.nodeSelector"), &nodes);
    cells_or(out, buf_slice(&nodes), "<none>");
    cells_age(out, json_string_at(o, "metadata.creationTimestamp"), now);
    workload_wide_cells(o, out);
    buf_release(&nodes);
}

static const char *const short_names[] = {"ds", NULL};
static const char *const categories[] = {"all", NULL};
static const struct subresource subresources[] = {
    {"status", "apps", "v1", "DaemonSet", "get,patch,update", CONNECTS_NOT},
    {.name = NULL},
};

const struct kind kind_daemonset = {
    .group = "apps",
    .version = "v1",
    .name = "DaemonSet",
    .plural = "daemonsets",
    .singular = "daemonset",
    .short_names = short_names,
    .categories = categories,
    .namespaced = true,
    .storage_prefix = "daemonsets",
    .verbs = "create,delete,deletecollection,get,list,patch,update,watch",
    .type = &type_daemon_set,
    .subresources = subresources,
    .columns = columns,
    .row = row,
    .prepare_create = prepare_create,
    .prepare_update = prepare_update,
    .check_update = check_workload_update,
};
