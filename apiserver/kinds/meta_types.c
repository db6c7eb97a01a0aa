/* Types that every kind shares: object metadata, label selectors, references. */
#include "common/base.h"

#include "apiserver/kinds/types.h"

static const struct field fields_owner_reference[] = {
    {.name = "kind",
     .type = FIELD_STRING,
     .proto = 1,
     .flags = FIELD_REQUIRED | FIELD_TOLD,
     .doc = "Kind of the owner."},
    {.name = "name",
     .type = FIELD_STRING,
     .proto = 3,
     .flags = FIELD_REQUIRED | FIELD_TOLD,
     .doc = "Name of the owner."},
    {.name = "uid",
     .type = FIELD_STRING,
     .proto = 4,
     .flags = FIELD_REQUIRED | FIELD_TOLD,
     .doc = "Unique id of the owner."},
    {.name = "apiVersion",
     .type = FIELD_STRING,
     .proto = 5,
     .flags = FIELD_REQUIRED | FIELD_TOLD,
     .doc = "Group and version of the owner."},
    {.name = "controller",
     .type = FIELD_BOOL,
     .proto = 6,
     .flags = FIELD_POINTER,
     .doc = "Whether the owner manages this object; at most one does."},
    {.name = "blockOwnerDeletion",
     .type = FIELD_BOOL,
     .proto = 7,
     .flags = FIELD_POINTER,
     .doc = "Whether a foreground deletion of the owner waits for this object."},
    {.name = NULL},
};
static const struct type type_owner_reference = {
    .name = "OwnerReference",
    .doc = "An object that this one belongs to.",
    .fields = fields_owner_reference,
    .atomic = true,
};

static const struct field fields_managed_fields_entry[] = {
    {.name = "manager", .type = FIELD_STRING, .proto = 1, .doc = "Who wrote them."},
    {.name = "operation", .type = FIELD_STRING, .proto = 2, .doc = "Apply or Update."},
    {.name = "apiVersion", .type = FIELD_STRING, .proto = 3, .doc = "Version that the fields are named in."},
    {.name = "time", .type = FIELD_TIME, .proto = 4, .doc = "When they were last written."},
    {.name = "fieldsType", .type = FIELD_STRING, .proto = 6, .doc = "Form of the set: FieldsV1."},
    {.name = "fieldsV1", .type = FIELD_RAW, .proto = 7, .doc = "The set of fields."},
    {.name = "subresource", .type = FIELD_STRING, .proto = 8, .doc = "Subresource that they were written through."},
    {.name = NULL},
};
static const struct type type_managed_fields_entry = {
    .name = "ManagedFieldsEntry",
    .doc = "Fields that somebody wrote.",
    .fields = fields_managed_fields_entry,
};

static const struct field fields_object_meta[] = {
    {.name = "name",
     .type = FIELD_STRING,
     .proto = 1,
     .doc = "Name of the object, unique in its namespace; never changes."},
    {.name = "generateName", .type = FIELD_STRING, .proto = 2, .doc = "Beginning of a name that the server completes."},
    {.name = "namespace", .type = FIELD_STRING, .proto = 3, .doc = "Namespace of the object; never changes."},
    {.name = "selfLink", .type = FIELD_STRING, .proto = 4, .doc = "No longer used."},
    {.name = "uid", .type = FIELD_STRING, .proto = 5, .doc = "Unique id, given by the server."},
    {.name = "resourceVersion",
     .type = FIELD_STRING,
     .proto = 6,
     .doc = "Version of the object, to be compared and nothing else."},
    {.name = "generation", .type = FIELD_INT64, .proto = 7, .doc = "Grows with each change of what is wanted."},
    {.name = "creationTimestamp",
     .type = FIELD_TIME,
     .proto = 8,
     .flags = FIELD_ALWAYS,
     .doc = "When the server first stored it."},
    {.name = "deletionTimestamp",
     .type = FIELD_TIME,
     .proto = 9,
     .doc = "When it will be gone, once its deletion was asked for."},
    {.name = "deletionGracePeriodSeconds",
     .type = FIELD_INT64,
     .proto = 10,
     .flags = FIELD_POINTER,
     .doc = "Seconds it has to end."},
    {.name = "labels",
     .type = FIELD_STRING,
     .shape = FIELD_MAP,
     .proto = 11,
     .check = check_labels,
     .doc = "Words by which objects are selected."},
    {.name = "annotations",
     .type = FIELD_STRING,
     .shape = FIELD_MAP,
     .proto = 12,
     .check = check_annotations,
     .doc = "Notes of people and tools, which nobody selects by."},
    {.name = "ownerReferences",
     .type = FIELD_OBJECT,
     .shape = FIELD_LIST,
     .object = &type_owner_reference,
     .proto = 13,
     .list = LIST_MAP,
     .list_keys = "uid",
     .patch = PATCH_MERGE,
     .merge_key = "uid",
     .doc = "Objects that it belongs to; when all are gone, it goes."},
    {.name = "finalizers",
     .type = FIELD_STRING,
     .shape = FIELD_LIST,
     .proto = 14,
     .check = check_finalizers,
     .list = LIST_SET,
     .patch = PATCH_MERGE,
     .doc = "What has to be done before it goes; each removes itself."},
    {.name = "managedFields",
     .type = FIELD_OBJECT,
     .shape = FIELD_LIST,
     .object = &type_managed_fields_entry,
     .proto = 17,
     .doc = "Who wrote which fields."},
    {.name = NULL},
};
const struct type type_object_meta = {.name = "ObjectMeta",
                                      .doc = "What every object carries beside its own content.",
                                      .fields = fields_object_meta,
                                      .check = check_object_meta};

static const struct field fields_label_selector_requirement[] = {
    {.name = "key", .type = FIELD_STRING, .proto = 1, .flags = FIELD_REQUIRED, .doc = "Key of the label."},
    {.name = "operator",
     .type = FIELD_STRING,
     .proto = 2,
     .flags = FIELD_REQUIRED,
     .doc = "In, NotIn, Exists or DoesNotExist."},
    {.name = "values", .type = FIELD_STRING, .shape = FIELD_LIST, .proto = 3, .doc = "Values, with In and NotIn."},
    {.name = NULL},
};
static const struct type type_label_selector_requirement = {
    .name = "LabelSelectorRequirement",
    .doc = "One term of a label selector.",
    .fields = fields_label_selector_requirement,
    .check = check_selector_requirement,
};

static const struct field fields_label_selector[] = {
    {.name = "matchLabels",
     .type = FIELD_STRING,
     .shape = FIELD_MAP,
     .proto = 1,
     .check = check_labels,
     .doc = "Labels with their values."},
    {.name = "matchExpressions",
     .type = FIELD_OBJECT,
     .shape = FIELD_LIST,
     .object = &type_label_selector_requirement,
     .proto = 2,
     .doc = "Terms."},
    {.name = NULL},
};
const struct type type_label_selector = {.name = "LabelSelector",
                                         .doc = "Selects objects by labels; all that is said has to hold.",
                                         .fields = fields_label_selector,
                                         .atomic = true};

static const struct field fields_object_reference[] = {
    {.name = "kind", .type = FIELD_STRING, .proto = 1, .doc = "Kind of the object."},
    {.name = "namespace", .type = FIELD_STRING, .proto = 2, .doc = "Namespace of the object."},
    {.name = "name", .type = FIELD_STRING, .proto = 3, .doc = "Name of the object."},
    {.name = "uid", .type = FIELD_STRING, .proto = 4, .doc = "Unique id of the object."},
    {.name = "apiVersion", .type = FIELD_STRING, .proto = 5, .doc = "Group and version of the object."},
    {.name = "resourceVersion", .type = FIELD_STRING, .proto = 6, .doc = "Version of the object that is meant."},
    {.name = "fieldPath", .type = FIELD_STRING, .proto = 7, .doc = "Part of the object, as a path."},
    {.name = NULL},
};
const struct type type_object_reference = {.name = "ObjectReference",
                                           .doc = "Points to an object, or a part of one.",
                                           .fields = fields_object_reference,
                                           .atomic = true};

static const struct field fields_local_object_reference[] = {
    {.name = "name", .type = FIELD_STRING, .proto = 1, .doc = "Name of the object."},
    {.name = NULL},
};
const struct type type_local_object_reference = {
    .name = "LocalObjectReference",
    .doc = "Points to an object in the same namespace.",
    .fields = fields_local_object_reference,
    .atomic = true,
};

static const struct field fields_typed_local_object_reference[] = {
    {.name = "apiGroup",
     .type = FIELD_STRING,
     .proto = 1,
     .flags = FIELD_POINTER,
     .doc = "Group of the object; none: the core group."},
    {.name = "kind", .type = FIELD_STRING, .proto = 2, .flags = FIELD_REQUIRED, .doc = "Kind of the object."},
    {.name = "name", .type = FIELD_STRING, .proto = 3, .flags = FIELD_REQUIRED, .doc = "Name of the object."},
    {.name = NULL},
};
const struct type type_typed_local_object_reference = {
    .name = "TypedLocalObjectReference",
    .doc = "Points to an object of a kind in the same namespace.",
    .fields = fields_typed_local_object_reference,
    .atomic = true,
};

static const struct field fields_typed_object_reference[] = {
    {.name = "apiGroup",
     .type = FIELD_STRING,
     .proto = 1,
     .flags = FIELD_POINTER,
     .doc = "Group of the object; none: the core group."},
    {.name = "kind", .type = FIELD_STRING, .proto = 2, .flags = FIELD_REQUIRED, .doc = "Kind of the object."},
    {.name = "name", .type = FIELD_STRING, .proto = 3, .flags = FIELD_REQUIRED, .doc = "Name of the object."},
    {.name = "namespace",
     .type = FIELD_STRING,
     .proto = 4,
     .flags = FIELD_POINTER,
     .doc = "Namespace of the object; none: the same."},
    {.name = NULL},
};
const struct type type_typed_object_reference = {
    .name = "TypedObjectReference",
    .doc = "Points to an object of a kind, in this or another namespace.",
    .fields = fields_typed_object_reference,
};

static const struct field fields_condition[] = {
    {.name = "type", .type = FIELD_STRING, .proto = 1, .flags = FIELD_REQUIRED, .doc = "What the condition is about."},
    {.name = "status", .type = FIELD_STRING, .proto = 2, .flags = FIELD_REQUIRED, .doc = "True, False or Unknown."},
    {.name = "observedGeneration",
     .type = FIELD_INT64,
     .proto = 3,
     .doc = "Generation of the object that it is about."},
    {.name = "lastTransitionTime",
     .type = FIELD_TIME,
     .proto = 4,
     .flags = FIELD_ALWAYS | FIELD_ZERO,
     .doc = "When the status last changed."},
    {.name = "reason",
     .type = FIELD_STRING,
     .proto = 5,
     .flags = FIELD_REQUIRED,
     .doc = "One word, for machines, why it is so."},
    {.name = "message",
     .type = FIELD_STRING,
     .proto = 6,
     .flags = FIELD_ZERO,
     .doc = "What a person should know about it."},
    {.name = NULL},
};
const struct type type_condition = {
    .name = "Condition", .doc = "One thing that holds, or does not, of an object.", .fields = fields_condition};
