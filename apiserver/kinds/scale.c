/* Scale, autoscaling/v1: the body of the scale subresource; never stored. */
#include "common/base.h"

#include "apiserver/kinds/types.h"

static const struct field fields_scale_spec[] = {
    {.name = "replicas", .type = FIELD_INT32, .proto = 1, .check = check_not_negative, .doc = "How many."},
    {.name = NULL},
};
static const struct type type_scale_spec = {
    .name = "ScaleSpec", .doc = "How many pods there should be.", .fields = fields_scale_spec};

static const struct field fields_scale_status[] = {
    {.name = "replicas", .type = FIELD_INT32, .proto = 1, .flags = FIELD_ZERO, .doc = "How many."},
    {.name = "selector", .type = FIELD_STRING, .proto = 2, .doc = "Labels of the pods, as text."},
    {.name = NULL},
};
static const struct type type_scale_status = {
    .name = "ScaleStatus", .doc = "How many pods there are.", .fields = fields_scale_status};

static const struct field fields_scale[] = {
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
     .object = &type_scale_spec,
     .proto = 2,
     .flags = FIELD_ALWAYS,
     .doc = "What is wanted."},
    {.name = "status",
     .type = FIELD_OBJECT,
     .object = &type_scale_status,
     .proto = 3,
     .flags = FIELD_ALWAYS,
     .doc = "What was last seen of it; written by controllers."},
    {.name = NULL},
};
const struct type type_scale = {.name = "Scale", .doc = "The number of pods of a workload.", .fields = fields_scale};

const struct kind kind_scale = {
    .group = "autoscaling",
    .version = "v1",
    .name = "Scale",
    .plural = "",
    .singular = "",
    .namespaced = true,
    .verbs = "",
    .type = &type_scale,
    .never_stored = true,
    .no_generation = true,
};
