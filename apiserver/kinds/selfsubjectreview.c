/* SelfSubjectReview, authentication.k8s.io/v1: answered, never stored. */
#include "common/base.h"

#include "apiserver/kinds/types.h"

static const struct field fields_self_subject_review_status[] = {
    {.name = "userInfo", .type = FIELD_OBJECT, .object = &type_user_info, .proto = 1, .flags = FIELD_ALWAYS},
    {.name = NULL},
};
static const struct type type_self_subject_review_status = {.name = "SelfSubjectReviewStatus",
                                                            .fields = fields_self_subject_review_status};

static const struct field fields_self_subject_review[] = {
    {.name = "kind", .type = FIELD_STRING},
    {.name = "apiVersion", .type = FIELD_STRING},
    {.name = "metadata", .type = FIELD_OBJECT, .object = &type_object_meta, .proto = 1, .flags = FIELD_ALWAYS},
    {.name = "status",
     .type = FIELD_OBJECT,
     .object = &type_self_subject_review_status,
     .proto = 2,
     .flags = FIELD_ALWAYS},
    {.name = NULL},
};
static const struct type type_self_subject_review = {.name = "SelfSubjectReview", .fields = fields_self_subject_review};

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
