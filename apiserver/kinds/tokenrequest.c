/* TokenRequest, authentication.k8s.io/v1: answered, never stored. */
#include "common/base.h"

#include "apiserver/kinds/types.h"

static const struct field fields_bound_object_reference[] = {
    {.name = "kind", .type = FIELD_STRING, .proto = 1, .doc = "Kind of the object: Pod, Secret or Node."},
    {.name = "apiVersion", .type = FIELD_STRING, .proto = 2, .doc = "Group and version of the object."},
    {.name = "name", .type = FIELD_STRING, .proto = 3, .doc = "Name of the object."},
    {.name = "uid", .type = FIELD_STRING, .proto = 4, .doc = "Unique id of the object."},
    {.name = NULL},
};
static const struct type type_bound_object_reference = {.name = "BoundObjectReference",
                                                        .doc = "An object that a token lives with.",
                                                        .fields = fields_bound_object_reference};

static const struct field fields_token_request_spec[] = {
    {.name = "audiences",
     .type = FIELD_STRING,
     .shape = FIELD_LIST,
     .proto = 1,
     .flags = FIELD_ZERO,
     .doc = "Who the token is for."},
    {.name = "boundObjectRef",
     .type = FIELD_OBJECT,
     .object = &type_bound_object_reference,
     .proto = 3,
     .doc = "An object that the token lives with."},
    {.name = "expirationSeconds",
     .type = FIELD_INT64,
     .proto = 4,
     .flags = FIELD_POINTER,
     .fallback = "3600",
     .doc = "Seconds it should hold."},
    {.name = NULL},
};
static const struct type type_token_request_spec = {
    .name = "TokenRequestSpec", .doc = "What token is asked for.", .fields = fields_token_request_spec};

static const struct field fields_token_request_status[] = {
    {.name = "token", .type = FIELD_STRING, .proto = 1, .flags = FIELD_ZERO, .doc = "The token itself."},
    {.name = "expirationTimestamp",
     .type = FIELD_TIME,
     .proto = 2,
     .flags = FIELD_ALWAYS | FIELD_ZERO,
     .doc = "When it ends."},
    {.name = NULL},
};
static const struct type type_token_request_status = {
    .name = "TokenRequestStatus", .doc = "The token.", .fields = fields_token_request_status};

static const struct field fields_token_request[] = {
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
     .object = &type_token_request_spec,
     .proto = 2,
     .flags = FIELD_ALWAYS | FIELD_ZERO,
     .doc = "What is wanted."},
    {.name = "status",
     .type = FIELD_OBJECT,
     .object = &type_token_request_status,
     .proto = 3,
     .flags = FIELD_ALWAYS,
     .doc = "What was last seen of it; written by controllers."},
    {.name = NULL},
};
static const struct type type_token_request = {
    .name = "TokenRequest", .doc = "Asks for a token of a service account.", .fields = fields_token_request};

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
