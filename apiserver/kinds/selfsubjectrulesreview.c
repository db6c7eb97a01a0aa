/* SelfSubjectRulesReview, authorization.k8s.io/v1: answered, never stored. */
#include "common/base.h"

#include "apiserver/kinds/types.h"

static const struct field fields_self_subject_rules_review_spec[] = {
    {.name = "namespace", .type = FIELD_STRING, .proto = 1},
    {.name = NULL},
};
static const struct type type_self_subject_rules_review_spec = {.name = "SelfSubjectRulesReviewSpec",
                                                                .fields = fields_self_subject_rules_review_spec};

static const struct field fields_resource_rule[] = {
    {.name = "verbs", .type = FIELD_STRING, .shape = FIELD_LIST, .proto = 1, .flags = FIELD_ZERO},
    {.name = "apiGroups", .type = FIELD_STRING, .shape = FIELD_LIST, .proto = 2},
    {.name = "resources", .type = FIELD_STRING, .shape = FIELD_LIST, .proto = 3},
    {.name = "resourceNames", .type = FIELD_STRING, .shape = FIELD_LIST, .proto = 4},
    {.name = NULL},
};
static const struct type type_resource_rule = {.name = "ResourceRule", .fields = fields_resource_rule};

static const struct field fields_non_resource_rule[] = {
    {.name = "verbs", .type = FIELD_STRING, .shape = FIELD_LIST, .proto = 1, .flags = FIELD_ZERO},
    {.name = "nonResourceURLs", .type = FIELD_STRING, .shape = FIELD_LIST, .proto = 2},
    {.name = NULL},
};
static const struct type type_non_resource_rule = {.name = "NonResourceRule", .fields = fields_non_resource_rule};

static const struct field fields_subject_rules_review_status[] = {
    {.name = "resourceRules",
     .type = FIELD_OBJECT,
     .shape = FIELD_LIST,
     .object = &type_resource_rule,
     .proto = 1,
     .flags = FIELD_ZERO},
    {.name = "nonResourceRules",
     .type = FIELD_OBJECT,
     .shape = FIELD_LIST,
     .object = &type_non_resource_rule,
     .proto = 2,
     .flags = FIELD_ZERO},
    {.name = "incomplete", .type = FIELD_BOOL, .proto = 3, .flags = FIELD_ZERO},
    {.name = "evaluationError", .type = FIELD_STRING, .proto = 4},
    {.name = NULL},
};
static const struct type type_subject_rules_review_status = {.name = "SubjectRulesReviewStatus",
                                                             .fields = fields_subject_rules_review_status};

static const struct field fields_self_subject_rules_review[] = {
    {.name = "kind", .type = FIELD_STRING},
    {.name = "apiVersion", .type = FIELD_STRING},
    {.name = "metadata", .type = FIELD_OBJECT, .object = &type_object_meta, .proto = 1, .flags = FIELD_ALWAYS},
    {.name = "spec",
     .type = FIELD_OBJECT,
     .object = &type_self_subject_rules_review_spec,
     .proto = 2,
     .flags = FIELD_ALWAYS | FIELD_ZERO},
    {.name = "status",
     .type = FIELD_OBJECT,
     .object = &type_subject_rules_review_status,
     .proto = 3,
     .flags = FIELD_ALWAYS},
    {.name = NULL},
};
static const struct type type_self_subject_rules_review = {.name = "SelfSubjectRulesReview",
                                                           .fields = fields_self_subject_rules_review};

const struct kind kind_selfsubjectrulesreview = {
    .group = "authorization.k8s.io",
    .version = "v1",
    .name = "SelfSubjectRulesReview",
    .plural = "selfsubjectrulesreviews",
    .singular = "selfsubjectrulesreview",
    .namespaced = false,
    .verbs = "create",
    .type = &type_self_subject_rules_review,
    .never_stored = true,
    .no_generation = true,
};
