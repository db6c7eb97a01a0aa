/* LocalSubjectAccessReview, authorization.k8s.io/v1: answered, never stored. */
#include "common/base.h"

#include "apiserver/kinds/types.h"

static const struct field fields_local_subject_access_review[] = {
    {.name = "kind", .type = FIELD_STRING},
    {.name = "apiVersion", .type = FIELD_STRING},
    {.name = "metadata", .type = FIELD_OBJECT, .object = &type_object_meta, .proto = 1, .flags = FIELD_ALWAYS},
    {.name = "spec",
     .type = FIELD_OBJECT,
     .object = &type_subject_access_review_spec,
     .proto = 2,
     .flags = FIELD_ALWAYS | FIELD_ZERO},
    {.name = "status",
     .type = FIELD_OBJECT,
     .object = &type_subject_access_review_status,
     .proto = 3,
     .flags = FIELD_ALWAYS},
    {.name = NULL},
};
static const struct type type_local_subject_access_review = {.name = "LocalSubjectAccessReview",
                                                             .fields = fields_local_subject_access_review};

const struct kind kind_localsubjectaccessreview = {
    .group = "authorization.k8s.io",
    .version = "v1",
    .name = "LocalSubjectAccessReview",
    .plural = "localsubjectaccessreviews",
    .singular = "localsubjectaccessreview",
    .namespaced = true,
    .verbs = "create",
    .type = &type_local_subject_access_review,
    .never_stored = true,
    .no_generation = true,
};
