/* SubjectAccessReview, authorization.k8s.io/v1: answered, never stored. */
#include "common/base.h"

#include "apiserver/kinds/types.h"

static const struct field fields_subject_access_review[] = {
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
     .object = &type_subject_access_review_spec,
     .proto = 2,
     .flags = FIELD_ALWAYS | FIELD_ZERO,
     .doc = "What is wanted."},
    {.name = "status",
     .type = FIELD_OBJECT,
     .object = &type_subject_access_review_status,
     .proto = 3,
     .flags = FIELD_ALWAYS,
     .doc = "What was last seen of it; written by controllers."},
    {.name = NULL},
};
static const struct type type_subject_access_review = {.name = "SubjectAccessReview",
                                                       .doc = "Asks whether a user may do something.",
                                                       .fields = fields_subject_access_review};

const struct kind kind_subjectaccessreview = {
    .group = "authorization.k8s.io",
    .version = "v1",
    .name = "SubjectAccessReview",
    .plural = "subjectaccessreviews",
    .singular = "subjectaccessreview",
    .namespaced = false,
    .verbs = "create",
    .type = &type_subject_access_review,
    .never_stored = true,
    .no_generation = true,
};
