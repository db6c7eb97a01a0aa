/* Binding, core/v1: written, never stored; names the node of a pod. */
#include "common/base.h"

#include "apiserver/kinds/types.h"

static const struct field fields_binding[] = {
    {.name = "kind", .type = FIELD_STRING, .doc = "Kind of the object."},
    {.name = "apiVersion", .type = FIELD_STRING, .doc = "Group and version of the API that the object is written in."},
    {.name = "metadata",
     .type = FIELD_OBJECT,
     .object = &type_object_meta,
     .proto = 1,
     .flags = FIELD_ALWAYS,
     .doc = "Name, namespace, labels and what else every object carries."},
    {.name = "target",
     .type = FIELD_OBJECT,
     .object = &type_object_reference,
     .proto = 2,
     .flags = FIELD_ALWAYS | FIELD_ZERO,
     .doc = "The node."},
    {.name = NULL},
};
static const struct type type_binding = {
    .name = "Binding", .doc = "Puts a pod on a node.", .fields = fields_binding, .check = check_binding};

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
