/* StatefulSet, apps/v1. */
#include "common/base.h"

#include "apiserver/check.h"
#include "apiserver/columns.h"
#include "apiserver/kinds/types.h"

static const char *const retentions[] = {"Delete", "Retain", NULL};

static void check_management(struct check *c, const struct json *v)
{
    if (!slice_is(json_string(v), "OrderedReady") && !slice_is(json_string(v), "Parallel"))
        check_fail(c, CHECK_INVALID, v, "must be 'OrderedReady' or 'Parallel'");
}

static void fill_strategy(struct json_doc *d, struct json *v)
{
    if (!slice_is(json_string_at(v, "type"), "RollingUpdate"))
        return;
    struct json *rolling = json_ensure_object(d, v, "rollingUpdate");
    if (json_get(rolling, "partition") == NULL)
        json_set_int(d, rolling, "partition", 0);
}

static void check_strategy(struct check *c, const struct json *v)
{
    const struct json *type = json_get(v, "type"), *rolling = json_get(v, "rollingUpdate");
    if (slice_is(json_string(type), "OnDelete")) {
        if (rolling != NULL)
            check_fail_shown(c, "rollingUpdate", CHECK_INVALID, "apps.RollingUpdateStatefulSetStrategy{}",
                             "only allowed for updateStrategy 'RollingUpdate'");
    } else if (!slice_is(json_string(type), "RollingUpdate")) {
        check_fail(c, CHECK_INVALID, type, "must be 'RollingUpdate' or 'OnDelete'");
    }
    check_int_or_percent(c, "rollingUpdate.maxUnavailable", json_get(rolling, "maxUnavailable"));
    if (is_int_or_percent_zero(json_get(rolling, "maxUnavailable")))
        check_fail_int_or_string(c, "rollingUpdate.maxUnavailable", json_get(rolling, "maxUnavailable"), "cannot be 0");
}

static void check_spec(struct check *c, const struct json *v) { check_pods_spec(c, v, "statefulset", "StatefulSet"); }

static const struct field fields_stateful_set_ordinals[] = {
    {.name = "start",
     .type = FIELD_INT32,
     .proto = 1,
     .flags = FIELD_ZERO | FIELD_OPTIONAL,
     .fallback = "0",
     .check = check_not_negative,
     .doc = "Number of the first pod."},
    {.name = NULL},
};
static const struct type type_stateful_set_ordinals = {
    .name = "StatefulSetOrdinals", .doc = "How pods are numbered.", .fields = fields_stateful_set_ordinals};

static const struct field fields_stateful_set_persistent_volume_claim_retention_policy[] = {
    {.name = "whenDeleted",
     .type = FIELD_STRING,
     .proto = 1,
     .fallback = "\"Retain\"",
     .one_of = retentions,
     .doc = "When the set is deleted: Retain or Delete."},
    {.name = "whenScaled",
     .type = FIELD_STRING,
     .proto = 2,
     .fallback = "\"Retain\"",
     .one_of = retentions,
     .doc = "When the set becomes smaller: Retain or Delete."},
    {.name = NULL},
};
static const struct type type_stateful_set_persistent_volume_claim_retention_policy = {
    .name = "StatefulSetPersistentVolumeClaimRetentionPolicy",
    .doc = "What becomes of claims whose pods go.",
    .fields = fields_stateful_set_persistent_volume_claim_retention_policy};

static const struct field fields_rolling_update_stateful_set_strategy[] = {
    {.name = "partition",
     .type = FIELD_INT32,
     .proto = 1,
     .flags = FIELD_POINTER,
     .fallback = "0",
     .check = check_not_negative,
     .doc = "Pods below this number keep the old template."},
    {.name = "maxUnavailable", .type = FIELD_INT_OR_STRING, .proto = 2, .doc = "Pods that may be missing meanwhile."},
    {.name = NULL},
};
static const struct type type_rolling_update_stateful_set_strategy = {.name = "RollingUpdateStatefulSetStrategy",
                                                                      .doc = "How far a rolling update may go at once.",
                                                                      .fields =
                                                                          fields_rolling_update_stateful_set_strategy};

static const struct field fields_stateful_set_update_strategy[] = {
    {.name = "type",
     .type = FIELD_STRING,
     .proto = 1,
     .fallback = "\"RollingUpdate\"",
     .doc = "RollingUpdate or OnDelete."},
    {.name = "rollingUpdate",
     .type = FIELD_OBJECT,
     .object = &type_rolling_update_stateful_set_strategy,
     .proto = 2,
     .doc = "For RollingUpdate."},
    {.name = NULL},
};
static const struct type type_stateful_set_update_strategy = {.name = "StatefulSetUpdateStrategy",
                                                              .doc = "How pods get a new template.",
                                                              .fields = fields_stateful_set_update_strategy,
                                                              .fill = fill_strategy,
                                                              .check = check_strategy};

static const struct field fields_stateful_set_spec[] = {
    {.name = "replicas",
     .type = FIELD_INT32,
     .proto = 1,
     .flags = FIELD_POINTER,
     .fallback = "1",
     .check = check_not_negative,
     .doc = "Pods wanted."},
    {.name = "selector",
     .type = FIELD_OBJECT,
     .object = &type_label_selector,
     .proto = 2,
     .flags = FIELD_REQUIRED,
     .doc = "Labels of the pods that belong to the object."},
    {.name = "template",
     .type = FIELD_OBJECT,
     .object = &type_pod_template_spec,
     .proto = 3,
     .flags = FIELD_ALWAYS | FIELD_ZERO,
     .doc = "The pods to be made."},
    {.name = "volumeClaimTemplates",
     .type = FIELD_OBJECT,
     .shape = FIELD_LIST,
     .object = &type_claim_template,
     .proto = 4,
     .doc = "Claims that each pod gets for itself."},
    {.name = "serviceName",
     .type = FIELD_STRING,
     .proto = 5,
     .flags = FIELD_ZERO,
     .fallback = "\"\"",
     .doc = "Service that gives the pods their names."},
    {.name = "podManagementPolicy",
     .type = FIELD_STRING,
     .proto = 6,
     .fallback = "\"OrderedReady\"",
     .check = check_management,
     .doc = "OrderedReady: one after the other; Parallel: all at once."},
    {.name = "updateStrategy",
     .type = FIELD_OBJECT,
     .object = &type_stateful_set_update_strategy,
     .proto = 7,
     .flags = FIELD_ALWAYS,
     .doc = "How pods get a new template."},
    {.name = "revisionHistoryLimit",
     .type = FIELD_INT32,
     .proto = 8,
     .flags = FIELD_POINTER,
     .fallback = "10",
     .check = check_not_negative,
     .doc = "Old revisions kept for a rollback."},
    {.name = "minReadySeconds",
     .type = FIELD_INT32,
     .proto = 9,
     .check = check_not_negative,
     .doc = "Seconds a pod must stay ready before it counts as available."},
    {.name = "persistentVolumeClaimRetentionPolicy",
     .type = FIELD_OBJECT,
     .object = &type_stateful_set_persistent_volume_claim_retention_policy,
     .proto = 10,
     .fallback = "{}",
     .doc = "What becomes of claims whose pods go."},
    {.name = "ordinals",
     .type = FIELD_OBJECT,
     .object = &type_stateful_set_ordinals,
     .proto = 11,
     .doc = "How pods are numbered."},
    {.name = NULL},
};
static const struct type type_stateful_set_spec = {.name = "StatefulSetSpec",
                                                   .doc = "Pods that differ by number, and their storage.",
                                                   .fields = fields_stateful_set_spec,
                                                   .check = check_spec};

static const struct field fields_stateful_set_condition[] = {
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
static const struct type type_stateful_set_condition = {.name = "StatefulSetCondition",
                                                        .doc = "Something that holds of a StatefulSet.",
                                                        .fields = fields_stateful_set_condition};

static const struct field fields_stateful_set_status[] = {
    {.name = "observedGeneration",
     .type = FIELD_INT64,
     .proto = 1,
     .doc = "The generation of the spec that the controller has acted on."},
    {.name = "replicas",
     .type = FIELD_INT32,
     .proto = 2,
     .flags = FIELD_ZERO,
     .fallback = "0",
     .check = check_not_negative,
     .doc = "Pods that exist."},
    {.name = "readyReplicas",
     .type = FIELD_INT32,
     .proto = 3,
     .check = check_not_negative,
     .doc = "Pods that are ready."},
    {.name = "currentReplicas",
     .type = FIELD_INT32,
     .proto = 4,
     .check = check_not_negative,
     .doc = "Pods of the current revision."},
    {.name = "updatedReplicas",
     .type = FIELD_INT32,
     .proto = 5,
     .check = check_not_negative,
     .doc = "Pods of the newest revision."},
    {.name = "currentRevision", .type = FIELD_STRING, .proto = 6, .doc = "Revision the pods had before the update."},
    {.name = "updateRevision", .type = FIELD_STRING, .proto = 7, .doc = "Revision the pods are getting."},
    {.name = "collisionCount",
     .type = FIELD_INT32,
     .proto = 9,
     .flags = FIELD_POINTER,
     .doc = "How often a name made from a hash was taken; part of the next hash."},
    {.name = "conditions",
     .type = FIELD_OBJECT,
     .shape = FIELD_LIST,
     .object = &type_stateful_set_condition,
     .proto = 10,
     .list = LIST_MAP,
     .list_keys = "type",
     .patch = PATCH_MERGE,
     .merge_key = "type",
     .doc = "What holds of the object now, one entry per type."},
    {.name = "availableReplicas",
     .type = FIELD_INT32,
     .proto = 11,
     .flags = FIELD_ZERO | FIELD_OPTIONAL,
     .fallback = "0",
     .check = check_not_negative,
     .doc = "Pods that have been ready for long enough."},
    {.name = NULL},
};
static const struct type type_stateful_set_status = {
    .name = "StatefulSetStatus", .doc = "State of a StatefulSet.", .fields = fields_stateful_set_status};

static const struct field fields_stateful_set[] = {
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
     .object = &type_stateful_set_spec,
     .proto = 2,
     .flags = FIELD_ALWAYS,
     .doc = "What is wanted."},
    {.name = "status",
     .type = FIELD_OBJECT,
     .object = &type_stateful_set_status,
     .proto = 3,
     .flags = FIELD_ALWAYS,
     .doc = "What was found; written by controllers."},
    {.name = NULL},
};
static const struct type type_stateful_set = {.name = "StatefulSet",
                                              .doc = "Pods with names and storage of their own that outlive them.",
                                              .fields = fields_stateful_set};

/* Everything but these parts of the spec stays as it was made. */
static void check_update(struct check *c, const struct json *object, const struct json *old)
{
    static const char *const changeable[] = {"replicas",
                                             "ordinals",
                                             "template",
                                             "updateStrategy",
                                             "revisionHistoryLimit",
                                             "persistentVolumeClaimRetentionPolicy",
                                             "minReadySeconds"};
    struct json_doc *d = json_doc_new();
    struct json *now = json_copy(d, json_get(object, "spec")), *was = json_copy(d, json_get(old, "spec"));
    for (size_t i = 0; i < ARRAY_LEN(changeable); i++) {
        (void)json_remove(now, changeable[i]); /* absent is as good */
        (void)json_remove(was, changeable[i]);
    }
    if (was != NULL && !json_equal(now, was))
        check_fail_at(c, "spec", CHECK_FORBIDDEN, NULL,
                      "updates to statefulset spec for fields other than 'replicas', 'ordinals', 'template', "
                      "'updateStrategy', 'revisionHistoryLimit', 'persistentVolumeClaimRetentionPolicy' and "
                      "'minReadySeconds' are forbidden");
    json_doc_free(d);
}

static const struct column columns[] = {
    {.name = "Name", .type = "string", .format = "name", .doc = "Name of the object, unique within its namespace."},
    {.name = "Ready", .type = "string", .doc = "Ready pods of those wanted."},
    {.name = "Age", .type = "string", .doc = "Time since the object was created."},
    {.name = "Containers", .type = "string", .doc = "Names of the containers in the template.", .priority = 1},
    {.name = "Images", .type = "string", .doc = "Images of the containers in the template.", .priority = 1},
    {.name = NULL},
};

static void row(const struct json *o, const struct column_now *now, struct cells *out)
{
    cells_add(out, json_string_at(o, "metadata.name"));
    cells_printf(out, "%lld/%lld", (long long)json_int_at(o, "status.readyReplicas", 0),
                 (long long)json_int_at(o, "spec.replicas", 0));
    cells_age(out, json_string_at(o, "metadata.creationTimestamp"), now);
    workload_container_cells(o, out);
}

static const char *const short_names[] = {"sts", NULL};
static const char *const categories[] = {"all", NULL};
static const struct subresource subresources[] = {
    {"scale", "autoscaling", "v1", "Scale", "get,patch,update", CONNECTS_NOT},
    {"status", "apps", "v1", "StatefulSet", "get,patch,update", CONNECTS_NOT},
    {.name = NULL},
};

const struct kind kind_statefulset = {
    .group = "apps",
    .version = "v1",
    .name = "StatefulSet",
    .plural = "statefulsets",
    .singular = "statefulset",
    .short_names = short_names,
    .categories = categories,
    .namespaced = true,
    .storage_prefix = "statefulsets",
    .verbs = "create,delete,deletecollection,get,list,patch,update,watch",
    .type = &type_stateful_set,
    .subresources = subresources,
    .columns = columns,
    .row = row,
    .check_update = check_update,
};
