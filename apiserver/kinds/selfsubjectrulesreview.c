/* SelfSubjectRulesReview, authorization.k8s.io/v1: answered, never stored. */
#include "common/base.h"

#include "apiserver/kinds/types.h"

static const struct field fields_self_subject_rules_review_spec[] = {
    {.name = "namespace", .type = FIELD_STRING, .proto = 1, .doc = "The namespace."},
    {.name = NULL},
};
static const struct type type_self_subject_rules_review_spec = {
    .name = "SelfSubjectRulesReviewSpec", .doc = "Where.", .fields = fields_self_subject_rules_review_spec};

static const struct field fields_resource_rule[] = {
    {.name = "verbs",
     .type = FIELD_STRING,
     .shape = FIELD_LIST,
     .proto = 1,
     .flags = FIELD_ZERO,
     .doc = "What may be done; '*' for everything."},
    {.name = "apiGroups",
     .type = FIELD_STRING,
     .shape = FIELD_LIST,
     .proto = 2,
     .doc = "Groups of the resources; '*' for all."},
    {.name = "resources",
     .type = FIELD_STRING,
     .shape = FIELD_LIST,
     .proto = 3,
     .doc = "Names of the resources; '*' for all."},
    {.name = "resourceNames",
     .type = FIELD_STRING,
     .shape = FIELD_LIST,
     .proto = 4,
     .doc = "Names of the objects; none: all."},
    {.name = NULL},
};
static const struct type type_resource_rule = {
    .name = "ResourceRule", .doc = "What may be done with resources.", .fields = fields_resource_rule};

static const struct field fields_non_resource_rule[] = {
    {.name = "verbs",
     .type = FIELD_STRING,
     .shape = FIELD_LIST,
     .proto = 1,
     .flags = FIELD_ZERO,
     .doc = "HTTP methods in small letters; '*' for all."},
    {.name = "nonResourceURLs",
     .type = FIELD_STRING,
     .shape = FIELD_LIST,
     .proto = 2,
     .doc = "The paths; they may end with '*'."},
    {.name = NULL},
};
static const struct type type_non_resource_rule = {
    .name = "NonResourceRule", .doc = "Paths that may be asked for.", .fields = fields_non_resource_rule};

static const struct field fields_subject_rules_review_status[] = {
    {.name = "resourceRules",
     .type = FIELD_OBJECT,
     .shape = FIELD_LIST,
     .object = &type_resource_rule,
     .proto = 1,
     .flags = FIELD_ZERO,
     .doc = "With resources."},
    {.name = "nonResourceRules",
     .type = FIELD_OBJECT,
     .shape = FIELD_LIST,
     .object = &type_non_resource_rule,
     .proto = 2,
     .flags = FIELD_ZERO,
     .doc = "With paths."},
    {.name = "incomplete",
     .type = FIELD_BOOL,
     .proto = 3,
     .flags = FIELD_ZERO,
     .doc = "Whether something may be missing."},
    {.name = "evaluationError", .type = FIELD_STRING, .proto = 4, .doc = "What went wrong while it was found out."},
    {.name = NULL},
};
static const struct type type_subject_rules_review_status = {
    .name = "SubjectRulesReviewStatus", .doc = "What may be done.", .fields = fields_subject_rules_review_status};

static const struct field fields_self_subject_rules_review[] = {
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
     .object = &type_self_subject_rules_review_spec,
     .proto = 2,
     .flags = FIELD_ALWAYS | FIELD_ZERO,
     .doc = "What is wanted."},
    {.name = "status",
     .type = FIELD_OBJECT,
     .object = &type_subject_rules_review_status,
     .proto = 3,
     .flags = FIELD_ALWAYS,
     .doc = "What was last seen of it; written by controllers."},
    {.name = NULL},
};
static const struct type type_self_subject_rules_review = {.name = "SelfSubjectRulesReview",
                                                           .doc = "Asks what the caller may do in a namespace.",
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
