/* Binding, core/v1: written, never stored; names the node of a pod. */
#include "common/base.h"

#include "apiserver/kinds/types.h"

static const struct field fields_binding[] = {
    {.name = "kind", .type = FIELD_STRING},
    {.name = "apiVersion", .type = FIELD_STRING},
    {.name = "metadata", .type = FIELD_OBJECT, .object = &type_object_meta, .proto = 1, .flags = FIELD_ALWAYS},
    {.name = "target", .type = FIELD_OBJECT, .object = &type_object_reference, .proto = 2, .flags = FIELD_ALWAYS | FIELD_ZERO},
    {.name = NULL},
};
static const struct type type_binding = {.name = "Binding", .fields = fields_binding, .check = check_binding};

const struct kind kind_binding = {
    .group = "",
    .version = "v1",
    .name = "Binding",
    .plural = "bindings",
    .singular = "binding",
    .namespaced = true,
    .verbs = "create",
    .type = &type_binding,
    .never_stored = true,
    .no_generation = true,
};
