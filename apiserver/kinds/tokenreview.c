/* TokenReview, authentication.k8s.io/v1: answered, never stored. */
#include "common/base.h"

#include "apiserver/kinds/types.h"

static const struct field fields_token_review_spec[] = {
    {.name = "token", .type = FIELD_STRING, .proto = 1, .doc = "The token."},
    {.name = "audiences", .type = FIELD_STRING, .shape = FIELD_LIST, .proto = 2, .doc = "Who it should be for."},
    {.name = NULL},
};
static const struct type type_token_review_spec = {
    .name = "TokenReviewSpec", .doc = "A token to be looked at.", .fields = fields_token_review_spec};

static const struct field fields_token_review_status[] = {
    {.name = "authenticated", .type = FIELD_BOOL, .proto = 1, .doc = "Whether it holds."},
    {.name = "user",
     .type = FIELD_OBJECT,
     .object = &type_user_info,
     .proto = 2,
     .flags = FIELD_ALWAYS,
     .doc = "Whose it is."},
    {.name = "error", .type = FIELD_STRING, .proto = 3, .doc = "Why it could not be looked at."},
    {.name = "audiences",
     .type = FIELD_STRING,
     .shape = FIELD_LIST,
     .proto = 4,
     .doc = "Audiences that are both asked for and in it."},
    {.name = NULL},
};
static const struct type type_token_review_status = {
    .name = "TokenReviewStatus", .doc = "What a token says.", .fields = fields_token_review_status};

static const struct field fields_token_review[] = {
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
     .object = &type_token_review_spec,
     .proto = 2,
     .flags = FIELD_ALWAYS | FIELD_ZERO,
     .doc = "What is wanted."},
    {.name = "status",
     .type = FIELD_OBJECT,
     .object = &type_token_review_status,
     .proto = 3,
     .flags = FIELD_ALWAYS,
     .doc = "What was last seen of it; written by controllers."},
    {.name = NULL},
};
static const struct type type_token_review = {
    .name = "TokenReview", .doc = "Asks whose a token is.", .fields = fields_token_review};

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
