/* SelfSubjectReview, authentication.k8s.io/v1: answered, never stored. */
#include "common/base.h"

#include "apiserver/kinds/types.h"

static const struct field fields_self_subject_review_status[] = {
    {.name = "userInfo",
     .type = FIELD_OBJECT,
     .object = &type_user_info,
     .proto = 1,
     .flags = FIELD_ALWAYS,
     .doc = "The caller, as authentication found them."},
    {.name = NULL},
};
static const struct type type_self_subject_review_status = {
    .name = "SelfSubjectReviewStatus", .doc = "Who the caller is.", .fields = fields_self_subject_review_status};

static const struct field fields_self_subject_review[] = {
    {.name = "kind", .type = FIELD_STRING, .doc = "Kind of the object."},
    {.name = "apiVersion", .type = FIELD_STRING, .doc = "Group and version of the API that the object is written in."},
    {.name = "metadata",
     .type = FIELD_OBJECT,
     .object = &type_object_meta,
     .proto = 1,
     .flags = FIELD_ALWAYS,
     .doc = "Name, namespace, labels and what else every object carries."},
    {.name = "status",
     .type = FIELD_OBJECT,
     .object = &type_self_subject_review_status,
     .proto = 2,
     .flags = FIELD_ALWAYS,
     .doc = "What was last seen of it; written by controllers."},
    {.name = NULL},
};
static const struct type type_self_subject_review = {
    .name = "SelfSubjectReview", .doc = "Asks who the caller is.", .fields = fields_self_subject_review};

const struct kind kind_selfsubjectreview = {
    .group = "authentication.k8s.io",
    .version = "v1",
    .name = "SelfSubjectReview",
    .plural = "selfsubjectreviews",
    .singular = "selfsubjectreview",
    .namespaced = false,
    .verbs = "create",
    .type = &type_self_subject_review,
    .never_stored = true,
    .no_generation = true,
};
