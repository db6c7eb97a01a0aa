/* Eviction, policy/v1: answered, never stored. */
#include "common/base.h"

#include "apiserver/kinds/types.h"

static const struct field fields_eviction[] = {
    {.name = "kind", .type = FIELD_STRING},
    {.name = "apiVersion", .type = FIELD_STRING},
    {.name = "metadata", .type = FIELD_OBJECT, .object = &type_object_meta, .proto = 1, .flags = FIELD_ALWAYS},
    {.name = "deleteOptions", .type = FIELD_OBJECT, .object = &type_delete_options, .proto = 2},
    {.name = NULL},
};
static const struct type type_eviction = {.name = "Eviction", .fields = fields_eviction};

const struct kind kind_eviction = {
    .group = "policy",
    .version = "v1",
    .name = "Eviction",
    .plural = "",
    .singular = "",
    .namespaced = true,
    .verbs = "create",
    .type = &type_eviction,
    .never_stored = true,
    .no_generation = true,
};
