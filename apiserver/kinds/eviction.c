/* Eviction, policy/v1: answered, never stored. */
#include "common/base.h"

#include "apiserver/kinds/types.h"

static const struct field fields_eviction[] = {
    {.name = "kind", .type = FIELD_STRING, .doc = "Kind of the object."},
    {.name = "apiVersion", .type = FIELD_STRING, .doc = "Group and version of the API that the object is written in."},
    {.name = "metadata",
     .type = FIELD_OBJECT,
     .object = &type_object_meta,
     .proto = 1,
     .flags = FIELD_ALWAYS,
     .doc = "Name, namespace, labels and what else every object carries."},
    {.name = "deleteOptions",
     .type = FIELD_OBJECT,
     .object = &type_delete_options,
     .proto = 2,
     .doc = "How the pod is deleted."},
    {.name = NULL},
};
static const struct type type_eviction = {.name = "Eviction",
                                          .doc = "Asks that a pod leave its node, if disruption budgets allow it.",
                                          .fields = fields_eviction};

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
