/* What the reviews of access and of tokens share. */
#include "common/base.h"

#include "apiserver/kinds/types.h"

static const struct field fields_field_selector_requirement[] = {
    {.name = "key", .type = FIELD_STRING, .proto = 1, .flags = FIELD_ZERO, .doc = "Path of the field."},
    {.name = "operator",
     .type = FIELD_STRING,
     .proto = 2,
     .flags = FIELD_ZERO,
     .doc = "In, NotIn, Exists or DoesNotExist."},
    {.name = "values", .type = FIELD_STRING, .shape = FIELD_LIST, .proto = 3, .doc = "Values, with In and NotIn."},
    {.name = NULL},
};
static const struct type type_field_selector_requirement = {.name = "FieldSelectorRequirement", .definition = META_V1 "FieldSelectorRequirement",
                                                            .doc = "One term of a field selector.",
                                                            .fields = fields_field_selector_requirement};

static const struct field fields_label_requirement[] = {
    {.name = "key", .type = FIELD_STRING, .proto = 1, .flags = FIELD_ZERO, .doc = "Key of the label."},
    {.name = "operator",
     .type = FIELD_STRING,
     .proto = 2,
     .flags = FIELD_ZERO,
     .doc = "In, NotIn, Exists or DoesNotExist."},
    {.name = "values", .type = FIELD_STRING, .shape = FIELD_LIST, .proto = 3, .doc = "Values, with In and NotIn."},
    {.name = NULL},
};
static const struct type type_label_requirement = {
    .name = "LabelSelectorRequirement", .definition = META_V1 "LabelSelectorRequirement", .doc = "One term of a label selector.", .fields = fields_label_requirement};

static const struct field fields_field_selector_attributes[] = {
    {.name = "rawSelector",
     .type = FIELD_STRING,
     .proto = 1,
     .doc = "The selector as text, as it stands in the query."},
    {.name = "requirements",
     .type = FIELD_OBJECT,
     .shape = FIELD_LIST,
     .object = &type_field_selector_requirement,
     .proto = 2,
     .doc = "The selector's terms, all of which hold."},
    {.name = NULL},
};
static const struct type type_field_selector_attributes = {.name = "FieldSelectorAttributes",
                                                           .doc = "The field selector of a request.",
                                                           .fields = fields_field_selector_attributes};

static const struct field fields_label_selector_attributes[] = {
    {.name = "rawSelector",
     .type = FIELD_STRING,
     .proto = 1,
     .doc = "The selector as text, as it stands in the query."},
    {.name = "requirements",
     .type = FIELD_OBJECT,
     .shape = FIELD_LIST,
     .object = &type_label_requirement,
     .proto = 2,
     .doc = "The selector's terms, all of which hold."},
    {.name = NULL},
};
static const struct type type_label_selector_attributes = {.name = "LabelSelectorAttributes",
                                                           .doc = "The label selector of a request.",
                                                           .fields = fields_label_selector_attributes};

static const struct field fields_resource_attributes[] = {
    {.name = "namespace",
     .type = FIELD_STRING,
     .proto = 1,
     .doc = "Namespace of the request; empty: all, or an object of the cluster."},
    {.name = "verb",
     .type = FIELD_STRING,
     .proto = 2,
     .doc = "What is done: get, list, watch, create, update, patch, delete and so on; '*' for all."},
    {.name = "group", .type = FIELD_STRING, .proto = 3, .doc = "Group of the resource; '*' for all."},
    {.name = "version", .type = FIELD_STRING, .proto = 4, .doc = "Version of the group; '*' for all."},
    {.name = "resource", .type = FIELD_STRING, .proto = 5, .doc = "Name of the resource; '*' for all."},
    {.name = "subresource", .type = FIELD_STRING, .proto = 6, .doc = "Name of the subresource; empty: none."},
    {.name = "name", .type = FIELD_STRING, .proto = 7, .doc = "Name of the object; empty: all."},
    {.name = "fieldSelector",
     .type = FIELD_OBJECT,
     .object = &type_field_selector_attributes,
     .proto = 8,
     .doc = "Field selector that limits the request."},
    {.name = "labelSelector",
     .type = FIELD_OBJECT,
     .object = &type_label_selector_attributes,
     .proto = 9,
     .doc = "Label selector that limits the request."},
    {.name = NULL},
};
const struct type type_resource_attributes = {
    .name = "ResourceAttributes", .doc = "A request for a resource.", .fields = fields_resource_attributes};

static const struct field fields_non_resource_attributes[] = {
    {.name = "path", .type = FIELD_STRING, .proto = 1, .doc = "Path of the URL."},
    {.name = "verb", .type = FIELD_STRING, .proto = 2, .doc = "HTTP method in small letters."},
    {.name = NULL},
};
const struct type type_non_resource_attributes = {.name = "NonResourceAttributes",
                                                  .doc = "A request for a path that is no resource.",
                                                  .fields = fields_non_resource_attributes};

static const struct field fields_subject_access_review_status[] = {
    {.name = "allowed", .type = FIELD_BOOL, .proto = 1, .flags = FIELD_ZERO, .doc = "Whether it is allowed."},
    {.name = "reason", .type = FIELD_STRING, .proto = 2, .doc = "Why, where that can be told."},
    {.name = "evaluationError", .type = FIELD_STRING, .proto = 3, .doc = "What went wrong while it was found out."},
    {.name = "denied",
     .type = FIELD_BOOL,
     .proto = 4,
     .doc = "Whether it is refused outright, so that nobody else is asked."},
    {.name = NULL},
};
const struct type type_subject_access_review_status = {.name = "SubjectAccessReviewStatus",
                                                       .doc = "Whether something is allowed.",
                                                       .fields = fields_subject_access_review_status};

static const struct field fields_subject_access_review_spec[] = {
    {.name = "resourceAttributes",
     .type = FIELD_OBJECT,
     .object = &type_resource_attributes,
     .proto = 1,
     .doc = "A request for a resource; not with nonResourceAttributes."},
    {.name = "nonResourceAttributes",
     .type = FIELD_OBJECT,
     .object = &type_non_resource_attributes,
     .proto = 2,
     .doc = "A request for a path; not with resourceAttributes."},
    {.name = "user", .type = FIELD_STRING, .proto = 3, .doc = "Name of the user."},
    {.name = "groups", .type = FIELD_STRING, .shape = FIELD_LIST, .proto = 4, .doc = "Groups of the user."},
    {.name = "extra", .type = FIELD_RAW, .shape = FIELD_MAP, .proto = 5, .doc = "Further attributes of the user."},
    {.name = "uid", .type = FIELD_STRING, .proto = 6, .doc = "Unique id of the user."},
    {.name = NULL},
};
const struct type type_subject_access_review_spec = {
    .name = "SubjectAccessReviewSpec", .doc = "Who wants to do what.", .fields = fields_subject_access_review_spec};

static const struct field fields_user_info[] = {
    {.name = "username", .type = FIELD_STRING, .proto = 1, .doc = "Name of the user."},
    {.name = "uid",
     .type = FIELD_STRING,
     .proto = 2,
     .doc = "Unique id, which tells users of one name at different times apart."},
    {.name = "groups", .type = FIELD_STRING, .shape = FIELD_LIST, .proto = 3, .doc = "Groups of the user."},
    {.name = "extra", .type = FIELD_RAW, .shape = FIELD_MAP, .proto = 4, .doc = "Further attributes."},
    {.name = NULL},
};
const struct type type_user_info = {
    .name = "UserInfo", .doc = "A user, as authentication finds them.", .fields = fields_user_info};
