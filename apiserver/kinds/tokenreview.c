/* TokenReview, authentication.k8s.io/v1: answered, never stored. */
#include "common/base.h"

#include "apiserver/kinds/types.h"

static const struct field fields_token_review_spec[] = {
    {.name = "token", .type = FIELD_STRING, .proto = 1},
    {.name = "audiences", .type = FIELD_STRING, .shape = FIELD_LIST, .proto = 2},
    {.name = NULL},
};
static const struct type type_token_review_spec = {.name = "TokenReviewSpec", .fields = fields_token_review_spec};

static const struct field fields_token_review_status[] = {
    {.name = "authenticated", .type = FIELD_BOOL, .proto = 1},
    {.name = "user", .type = FIELD_OBJECT, .object = &type_user_info, .proto = 2, .flags = FIELD_ALWAYS},
    {.name = "error", .type = FIELD_STRING, .proto = 3},
    {.name = "audiences", .type = FIELD_STRING, .shape = FIELD_LIST, .proto = 4},
    {.name = NULL},
};
static const struct type type_token_review_status = {.name = "TokenReviewStatus", .fields = fields_token_review_status};

static const struct field fields_token_review[] = {
    {.name = "kind", .type = FIELD_STRING},
    {.name = "apiVersion", .type = FIELD_STRING},
    {.name = "metadata", .type = FIELD_OBJECT, .object = &type_object_meta, .proto = 1, .flags = FIELD_ALWAYS},
    {.name = "spec", .type = FIELD_OBJECT, .object = &type_token_review_spec, .proto = 2, .flags = FIELD_ALWAYS | FIELD_ZERO},
    {.name = "status", .type = FIELD_OBJECT, .object = &type_token_review_status, .proto = 3, .flags = FIELD_ALWAYS},
    {.name = NULL},
};
static const struct type type_token_review = {.name = "TokenReview", .fields = fields_token_review};

const struct kind kind_tokenreview = {
    .group = "authentication.k8s.io",
    .version = "v1",
    .name = "TokenReview",
    .plural = "tokenreviews",
    .singular = "tokenreview",
    .namespaced = false,
    .verbs = "create",
    .type = &type_token_review,
    .never_stored = true,
    .no_generation = true,
};
