/* What the reviews of access and of tokens share. */
#include "common/base.h"

#include "apiserver/kinds/types.h"

static const struct field fields_field_selector_requirement[] = {
    {.name = "key", .type = FIELD_STRING, .proto = 1, .flags = FIELD_ZERO},
    {.name = "operator", .type = FIELD_STRING, .proto = 2, .flags = FIELD_ZERO},
    {.name = "values", .type = FIELD_STRING, .shape = FIELD_LIST, .proto = 3},
    {.name = NULL},
};
static const struct type type_field_selector_requirement = {.name = "FieldSelectorRequirement",
                                                            .fields = fields_field_selector_requirement};

static const struct field fields_label_requirement[] = {
    {.name = "key", .type = FIELD_STRING, .proto = 1, .flags = FIELD_ZERO},
    {.name = "operator", .type = FIELD_STRING, .proto = 2, .flags = FIELD_ZERO},
    {.name = "values", .type = FIELD_STRING, .shape = FIELD_LIST, .proto = 3},
    {.name = NULL},
};
static const struct type type_label_requirement = {.name = "LabelSelectorRequirement",
                                                   .fields = fields_label_requirement};

static const struct field fields_field_selector_attributes[] = {
    {.name = "rawSelector", .type = FIELD_STRING, .proto = 1},
    {.name = "requirements",
     .type = FIELD_OBJECT,
     .shape = FIELD_LIST,
     .object = &type_field_selector_requirement,
     .proto = 2},
    {.name = NULL},
};
static const struct type type_field_selector_attributes = {.name = "FieldSelectorAttributes",
                                                           .fields = fields_field_selector_attributes};

static const struct field fields_label_selector_attributes[] = {
    {.name = "rawSelector", .type = FIELD_STRING, .proto = 1},
    {.name = "requirements", .type = FIELD_OBJECT, .shape = FIELD_LIST, .object = &type_label_requirement, .proto = 2},
    {.name = NULL},
};
static const struct type type_label_selector_attributes = {.name = "LabelSelectorAttributes",
                                                           .fields = fields_label_selector_attributes};

static const struct field fields_resource_attributes[] = {
    {.name = "namespace", .type = FIELD_STRING, .proto = 1},
    {.name = "verb", .type = FIELD_STRING, .proto = 2},
    {.name = "group", .type = FIELD_STRING, .proto = 3},
    {.name = "version", .type = FIELD_STRING, .proto = 4},
    {.name = "resource", .type = FIELD_STRING, .proto = 5},
    {.name = "subresource", .type = FIELD_STRING, .proto = 6},
    {.name = "name", .type = FIELD_STRING, .proto = 7},
    {.name = "fieldSelector", .type = FIELD_OBJECT, .object = &type_field_selector_attributes, .proto = 8},
    {.name = "labelSelector", .type = FIELD_OBJECT, .object = &type_label_selector_attributes, .proto = 9},
    {.name = NULL},
};
const struct type type_resource_attributes = {.name = "ResourceAttributes", .fields = fields_resource_attributes};

static const struct field fields_non_resource_attributes[] = {
    {.name = "path", .type = FIELD_STRING, .proto = 1},
    {.name = "verb", .type = FIELD_STRING, .proto = 2},
    {.name = NULL},
};
const struct type type_non_resource_attributes = {.name = "NonResourceAttributes",
                                                  .fields = fields_non_resource_attributes};

static const struct field fields_subject_access_review_status[] = {
    {.name = "allowed", .type = FIELD_BOOL, .proto = 1, .flags = FIELD_ZERO},
    {.name = "reason", .type = FIELD_STRING, .proto = 2},
    {.name = "evaluationError", .type = FIELD_STRING, .proto = 3},
    {.name = "denied", .type = FIELD_BOOL, .proto = 4},
    {.name = NULL},
};
const struct type type_subject_access_review_status = {.name = "SubjectAccessReviewStatus",
                                                       .fields = fields_subject_access_review_status};

static const struct field fields_subject_access_review_spec[] = {
    {.name = "resourceAttributes", .type = FIELD_OBJECT, .object = &type_resource_attributes, .proto = 1},
    {.name = "nonResourceAttributes", .type = FIELD_OBJECT, .object = &type_non_resource_attributes, .proto = 2},
    {.name = "user", .type = FIELD_STRING, .proto = 3},
    {.name = "groups", .type = FIELD_STRING, .shape = FIELD_LIST, .proto = 4},
    {.name = "extra", .type = FIELD_RAW, .shape = FIELD_MAP, .proto = 5},
    {.name = "uid", .type = FIELD_STRING, .proto = 6},
    {.name = NULL},
};
const struct type type_subject_access_review_spec = {.name = "SubjectAccessReviewSpec",
                                                     .fields = fields_subject_access_review_spec};

static const struct field fields_user_info[] = {
    {.name = "username", .type = FIELD_STRING, .proto = 1},
    {.name = "uid", .type = FIELD_STRING, .proto = 2},
    {.name = "groups", .type = FIELD_STRING, .shape = FIELD_LIST, .proto = 3},
    {.name = "extra", .type = FIELD_RAW, .shape = FIELD_MAP, .proto = 4},
    {.name = NULL},
};
const struct type type_user_info = {.name = "UserInfo", .fields = fields_user_info};
