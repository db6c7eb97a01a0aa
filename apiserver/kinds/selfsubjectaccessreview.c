/* SelfSubjectAccessReview, authorization.k8s.io/v1: answered, never stored. */
#include "common/base.h"

#include "apiserver/kinds/types.h"

static const struct field fields_self_subject_access_review_spec[] = {
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
    {.name = NULL},
};
static const struct type type_self_subject_access_review_spec = {.name = "SelfSubjectAccessReviewSpec",
                                                                 .doc = "What the caller wants to do.",
                                                                 .fields = fields_self_subject_access_review_spec};

static const struct field fields_self_subject_access_review[] = {
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
     .object = &type_self_subject_access_review_spec,
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
static const struct type type_self_subject_access_review = {.name = "SelfSubjectAccessReview",
                                                            .doc = "Asks whether the caller may do something.",
                                                            .fields = fields_self_subject_access_review};

const struct kind kind_selfsubjectaccessreview = {
    .group = "authorization.k8s.io",
    .version = "v1",
    .name = "SelfSubjectAccessReview",
    .plural = "selfsubjectaccessreviews",
    .singular = "selfsubjectaccessreview",
    .namespaced = false,
    .verbs = "create",
    .type = &type_self_subject_access_review,
    .never_stored = true,
    .no_generation = true,
};
