/* Types that every kind shares: object metadata, label selectors, references. */
#include "common/base.h"

#include "apiserver/kinds/types.h"

static const struct field fields_owner_reference[] = {
    {.name = "kind", .type = FIELD_STRING, .proto = 1, .flags = FIELD_REQUIRED | FIELD_TOLD},
    {.name = "name", .type = FIELD_STRING, .proto = 3, .flags = FIELD_REQUIRED | FIELD_TOLD},
    {.name = "uid", .type = FIELD_STRING, .proto = 4, .flags = FIELD_REQUIRED | FIELD_TOLD},
    {.name = "apiVersion", .type = FIELD_STRING, .proto = 5, .flags = FIELD_REQUIRED | FIELD_TOLD},
    {.name = "controller", .type = FIELD_BOOL, .proto = 6, .flags = FIELD_POINTER},
    {.name = "blockOwnerDeletion", .type = FIELD_BOOL, .proto = 7, .flags = FIELD_POINTER},
    {.name = NULL},
};
static const struct type type_owner_reference = {
    .name = "OwnerReference",
    .fields = fields_owner_reference, .atomic = true,
};

static const struct field fields_managed_fields_entry[] = {
    {.name = "manager", .type = FIELD_STRING, .proto = 1},     {.name = "operation", .type = FIELD_STRING, .proto = 2},
    {.name = "apiVersion", .type = FIELD_STRING, .proto = 3},  {.name = "time", .type = FIELD_TIME, .proto = 4},
    {.name = "fieldsType", .type = FIELD_STRING, .proto = 6},  {.name = "fieldsV1", .type = FIELD_RAW, .proto = 7},
    {.name = "subresource", .type = FIELD_STRING, .proto = 8}, {.name = NULL},
};
static const struct type type_managed_fields_entry = {
    .name = "ManagedFieldsEntry",
    .fields = fields_managed_fields_entry,
};

static const struct field fields_object_meta[] = {
    {.name = "name", .type = FIELD_STRING, .proto = 1},
    {.name = "generateName", .type = FIELD_STRING, .proto = 2},
    {.name = "namespace", .type = FIELD_STRING, .proto = 3},
    {.name = "selfLink", .type = FIELD_STRING, .proto = 4},
    {.name = "uid", .type = FIELD_STRING, .proto = 5},
    {.name = "resourceVersion", .type = FIELD_STRING, .proto = 6},
    {.name = "generation", .type = FIELD_INT64, .proto = 7},
    {.name = "creationTimestamp", .type = FIELD_TIME, .proto = 8, .flags = FIELD_ALWAYS},
    {.name = "deletionTimestamp", .type = FIELD_TIME, .proto = 9},
    {.name = "deletionGracePeriodSeconds", .type = FIELD_INT64, .proto = 10, .flags = FIELD_POINTER},
    {.name = "labels", .type = FIELD_STRING, .shape = FIELD_MAP, .proto = 11, .check = check_labels},
    {.name = "annotations", .type = FIELD_STRING, .shape = FIELD_MAP, .proto = 12, .check = check_annotations},
    {.name = "ownerReferences",
     .type = FIELD_OBJECT,
     .shape = FIELD_LIST,
     .object = &type_owner_reference,
     .proto = 13,
     .list = LIST_MAP,
     .list_keys = "uid",
     .patch = PATCH_MERGE,
     .merge_key = "uid"},
    {.name = "finalizers",
     .type = FIELD_STRING,
     .shape = FIELD_LIST,
     .proto = 14,
     .check = check_finalizers,
     .list = LIST_SET,
     .patch = PATCH_MERGE},
    {.name = "managedFields",
     .type = FIELD_OBJECT,
     .shape = FIELD_LIST,
     .object = &type_managed_fields_entry,
     .proto = 17},
    {.name = NULL},
};
const struct type type_object_meta = {.name = "ObjectMeta", .fields = fields_object_meta, .check = check_object_meta};

static const struct field fields_label_selector_requirement[] = {
    {.name = "key", .type = FIELD_STRING, .proto = 1, .flags = FIELD_REQUIRED},
    {.name = "operator", .type = FIELD_STRING, .proto = 2, .flags = FIELD_REQUIRED},
    {.name = "values", .type = FIELD_STRING, .shape = FIELD_LIST, .proto = 3},
    {.name = NULL},
};
static const struct type type_label_selector_requirement = {
    .name = "LabelSelectorRequirement",
    .fields = fields_label_selector_requirement,
    .check = check_selector_requirement,
};

static const struct field fields_label_selector[] = {
    {.name = "matchLabels", .type = FIELD_STRING, .shape = FIELD_MAP, .proto = 1, .check = check_labels},
    {.name = "matchExpressions",
     .type = FIELD_OBJECT,
     .shape = FIELD_LIST,
     .object = &type_label_selector_requirement,
     .proto = 2},
    {.name = NULL},
};
const struct type type_label_selector = {.name = "LabelSelector", .fields = fields_label_selector, .atomic = true};

static const struct field fields_object_reference[] = {
    {.name = "kind", .type = FIELD_STRING, .proto = 1},
    {.name = "namespace", .type = FIELD_STRING, .proto = 2},
    {.name = "name", .type = FIELD_STRING, .proto = 3},
    {.name = "uid", .type = FIELD_STRING, .proto = 4},
    {.name = "apiVersion", .type = FIELD_STRING, .proto = 5},
    {.name = "resourceVersion", .type = FIELD_STRING, .proto = 6},
    {.name = "fieldPath", .type = FIELD_STRING, .proto = 7},
    {.name = NULL},
};
const struct type type_object_reference = {.name = "ObjectReference", .fields = fields_object_reference, .atomic = true};

static const struct field fields_local_object_reference[] = {
    {.name = "name", .type = FIELD_STRING, .proto = 1},
    {.name = NULL},
};
const struct type type_local_object_reference = {
    .name = "LocalObjectReference",
    .fields = fields_local_object_reference, .atomic = true,
};

static const struct field fields_typed_local_object_reference[] = {
    {.name = "apiGroup", .type = FIELD_STRING, .proto = 1, .flags = FIELD_POINTER},
    {.name = "kind", .type = FIELD_STRING, .proto = 2, .flags = FIELD_REQUIRED},
    {.name = "name", .type = FIELD_STRING, .proto = 3, .flags = FIELD_REQUIRED},
    {.name = NULL},
};
const struct type type_typed_local_object_reference = {
    .name = "TypedLocalObjectReference",
    .fields = fields_typed_local_object_reference, .atomic = true,
};

static const struct field fields_typed_object_reference[] = {
    {.name = "apiGroup", .type = FIELD_STRING, .proto = 1, .flags = FIELD_POINTER},
    {.name = "kind", .type = FIELD_STRING, .proto = 2, .flags = FIELD_REQUIRED},
    {.name = "name", .type = FIELD_STRING, .proto = 3, .flags = FIELD_REQUIRED},
    {.name = "namespace", .type = FIELD_STRING, .proto = 4, .flags = FIELD_POINTER},
    {.name = NULL},
};
const struct type type_typed_object_reference = {
    .name = "TypedObjectReference",
    .fields = fields_typed_object_reference,
};

static const struct field fields_condition[] = {
    {.name = "type", .type = FIELD_STRING, .proto = 1, .flags = FIELD_REQUIRED},
    {.name = "status", .type = FIELD_STRING, .proto = 2, .flags = FIELD_REQUIRED},
    {.name = "observedGeneration", .type = FIELD_INT64, .proto = 3},
    {.name = "lastTransitionTime", .type = FIELD_TIME, .proto = 4, .flags = FIELD_ALWAYS | FIELD_ZERO},
    {.name = "reason", .type = FIELD_STRING, .proto = 5, .flags = FIELD_REQUIRED},
    {.name = "message", .type = FIELD_STRING, .proto = 6, .flags = FIELD_ZERO},
    {.name = NULL},
};
const struct type type_condition = {.name = "Condition", .fields = fields_condition};
