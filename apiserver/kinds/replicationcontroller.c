/* ReplicationController, core/v1. */
#include "common/base.h"

#include "apiserver/check.h"
#include "apiserver/columns.h"
#include "apiserver/kinds/types.h"

static const struct field fields_replication_controller_spec[] = {
    {.name = "replicas",
     .type = FIELD_INT32,
     .proto = 1,
     .flags = FIELD_POINTER,
     .fallback = "1",
     .check = check_not_negative,
     .doc = "How many."},
    {.name = "selector",
     .type = FIELD_STRING,
     .shape = FIELD_MAP,
     .proto = 2,
     .flags = FIELD_ATOMIC,
     .doc = "Labels by which its pods are found."},
    {.name = "template",
     .type = FIELD_OBJECT,
     .object = &type_pod_template_spec,
     .proto = 3,
     .doc = "What the pods look like."},
    {.name = "minReadySeconds",
     .type = FIELD_INT32,
     .proto = 4,
     .check = check_not_negative,
     .doc = "Seconds a pod has to be ready before it counts as available."},
    {.name = NULL},
};
/* The template's labels stand in for a selector that is not given. */
static void fill_spec(struct json_doc *d, struct json *v)
{
    const struct json *labels = json_at(v, "template.metadata.labels");
    if (json_size(json_get(v, "selector")) == 0 && json_size(labels) > 0)
        json_set(d, v, "selector", json_copy(d, labels));
}

static void check_spec(struct check *c, const struct json *v)
{
    const struct json *selector = json_get(v, "selector"), *template = json_get(v, "template");
    if (json_size(selector) == 0)
        check_fail_at(c, "selector", CHECK_REQUIRED, NULL, "%s", "");
    if (template == NULL) {
        check_fail_at(c, "template", CHECK_REQUIRED, NULL, "%s", "");
        return;
    }
    const struct json *labels = json_at(template, "metadata.labels");
    bool fits = true;
    struct json_iterator i = json_iterate(selector);
    while (json_next(&i))
        fits &= slice_equal(json_string(json_get_slice(labels, i.key)), json_string(i.value));
    if (!fits)
        check_fail_at(c, "template.metadata.labels", CHECK_INVALID, labels,
                      "`selector` does not match template `labels`");
    const struct json *policy = json_at(template, "spec.restartPolicy");
    static const char *const allowed[] = {"Always", NULL};
    size_t mark = check_enter(c, "template.spec.restartPolicy");
    if (json_string(policy).size > 0 && !slice_is(json_string(policy), "Always"))
        check_fail_one_of(c, policy, allowed);
    check_leave(c, mark);
}

static const struct type type_replication_controller_spec = {.name = "ReplicationControllerSpec",
                                                             .doc = "Which pods there should be.",
                                                             .fields = fields_replication_controller_spec,
                                                             .fill = fill_spec,
                                                             .check = check_spec};

static const struct field fields_replication_controller_condition[] = {
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
static const struct type type_replication_controller_condition = {
    .name = "ReplicationControllerCondition",
    .doc = "One thing that holds, or does not, of a replication controller.",
    .fields = fields_replication_controller_condition};

static const struct field fields_replication_controller_status[] = {
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
     .doc = "Generation of the controller that this is about."},
    {.name = "readyReplicas", .type = FIELD_INT32, .proto = 4, .doc = "Pods that are ready."},
    {.name = "availableReplicas", .type = FIELD_INT32, .proto = 5, .doc = "Pods that have been ready for long enough."},
    {.name = "conditions",
     .type = FIELD_OBJECT,
     .shape = FIELD_LIST,
     .object = &type_replication_controller_condition,
     .proto = 6,
     .list = LIST_MAP,
     .list_keys = "type",
     .patch = PATCH_MERGE,
     .merge_key = "type",
     .doc = "What holds of the object, one entry per type."},
    {.name = NULL},
};
static const struct type type_replication_controller_status = {.name = "ReplicationControllerStatus",
                                                               .doc = "Which pods there are.",
                                                               .fields = fields_replication_controller_status};

static const struct field fields_replication_controller[] = {
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
     .object = &type_replication_controller_spec,
     .proto = 2,
     .flags = FIELD_ALWAYS,
     .doc = "What is wanted."},
    {.name = "status",
     .type = FIELD_OBJECT,
     .object = &type_replication_controller_status,
     .proto = 3,
     .flags = FIELD_ALWAYS,
     .doc = "What was last seen of it; written by controllers."},
    {.name = NULL},
};
static void fill_labels(struct json_doc *d, struct json *v)
{
    const struct json *labels = json_at(v, "spec.template.metadata.labels");
    if (json_size(json_at(v, "metadata.labels")) == 0 && json_size(labels) > 0)
        json_set(d, json_ensure_object(d, v, "metadata"), "labels", json_copy(d, labels));
}

static const struct type type_replication_controller = {.name = "ReplicationController",
                                                        .doc = "The forerunner of replica sets.",
                                                        .fields = fields_replication_controller,
                                                        .fill = fill_labels};

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
    struct buf text = {0};
    workload_container_cells(o, out);
    struct json_iterator i = json_iterate(json_at(o, "spec.selector"));
    while (json_next(&i))
        buf_printf(&text, "%s%.*s=%.*s", text.size == 0 ? "" : ",", SLICE_ARGS(i.key),
                   SLICE_ARGS(json_string(i.value)));
    cells_or(out, buf_slice(&text), "<none>");
    buf_release(&text);
}

static const char *const short_names[] = {"rc", NULL};
static const char *const categories[] = {"all", NULL};
static const struct subresource subresources[] = {
    {"scale", "autoscaling", "v1", "Scale", "get,patch,update", CONNECTS_NOT},
    {"status", "", "v1", "ReplicationController", "get,patch,update", CONNECTS_NOT},
    {.name = NULL},
};
static const struct selectable selectable[] = {{.label = "status.replicas", .absent = "0"}, {.label = NULL}};

const struct kind kind_replicationcontroller = {
    .group = "",
    .version = "v1",
    .name = "ReplicationController",
    .plural = "replicationcontrollers",
    .singular = "replicationcontroller",
    .short_names = short_names,
    .categories = categories,
    .namespaced = true,
    .storage_prefix = "controllers",
    .verbs = "create,delete,deletecollection,get,list,patch,update,watch",
    .type = &type_replication_controller,
    .subresources = subresources,
    .selectable = selectable,
    .columns = columns,
    .row = row,
    .orphans_dependents = true,
};
