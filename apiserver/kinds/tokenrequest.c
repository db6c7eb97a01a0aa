/* TokenRequest, authentication.k8s.io/v1: answered, never stored. */
#include "common/base.h"

#include "apiserver/kinds/types.h"

static const struct field fields_bound_object_reference[] = {
    {.name = "kind", .type = FIELD_STRING, .proto = 1},
    {.name = "apiVersion", .type = FIELD_STRING, .proto = 2},
    {.name = "name", .type = FIELD_STRING, .proto = 3},
    {.name = "uid", .type = FIELD_STRING, .proto = 4},
    {.name = NULL},
};
static const struct type type_bound_object_reference = {.name = "BoundObjectReference",
                                                        .fields = fields_bound_object_reference};

static const struct field fields_token_request_spec[] = {
    {.name = "audiences", .type = FIELD_STRING, .shape = FIELD_LIST, .proto = 1, .flags = FIELD_ZERO},
    {.name = "boundObjectRef", .type = FIELD_OBJECT, .object = &type_bound_object_reference, .proto = 3},
    {.name = "expirationSeconds", .type = FIELD_INT64, .proto = 4, .flags = FIELD_POINTER, .fallback = "3600"},
    {.name = NULL},
};
static const struct type type_token_request_spec = {.name = "TokenRequestSpec", .fields = fields_token_request_spec};

static const struct field fields_token_request_status[] = {
    {.name = "token", .type = FIELD_STRING, .proto = 1, .flags = FIELD_ZERO},
    {.name = "expirationTimestamp", .type = FIELD_TIME, .proto = 2, .flags = FIELD_ALWAYS | FIELD_ZERO},
    {.name = NULL},
};
static const struct type type_token_request_status = {.name = "TokenRequestStatus",
                                                      .fields = fields_token_request_status};

static const struct field fields_token_request[] = {
    {.name = "kind", .type = FIELD_STRING},
    {.name = "apiVersion", .type = FIELD_STRING},
    {.name = "metadata", .type = FIELD_OBJECT, .object = &type_object_meta, .proto = 1, .flags = FIELD_ALWAYS},
    {.name = "spec", .type = FIELD_OBJECT, .object = &type_token_request_spec, .proto = 2, .flags = FIELD_ALWAYS | FIELD_ZERO},
    {.name = "status", .type = FIELD_OBJECT, .object = &type_token_request_status, .proto = 3, .flags = FIELD_ALWAYS},
    {.name = NULL},
};
static const struct type type_token_request = {.name = "TokenRequest", .fields = fields_token_request};

const struct kind kind_tokenrequest = {
    .group = "authentication.k8s.io",
    .version = "v1",
    .name = "TokenRequest",
    .plural = "",
    .singular = "",
    .namespaced = true,
    .verbs = "create",
    .type = &type_token_request,
    .never_stored = true,
    .no_generation = true,
};
