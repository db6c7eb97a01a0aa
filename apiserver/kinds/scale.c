/* Scale, autoscaling/v1: the body of the scale subresource; never stored. */
#include "common/base.h"

#include "apiserver/kinds/types.h"

static const struct field fields_scale_spec[] = {
    {.name = "replicas", .type = FIELD_INT32, .proto = 1, .check = check_not_negative},
    {.name = NULL},
};
static const struct type type_scale_spec = {.name = "ScaleSpec", .fields = fields_scale_spec};

static const struct field fields_scale_status[] = {
    {.name = "replicas", .type = FIELD_INT32, .proto = 1, .flags = FIELD_ZERO},
    {.name = "selector", .type = FIELD_STRING, .proto = 2},
    {.name = NULL},
};
static const struct type type_scale_status = {.name = "ScaleStatus", .fields = fields_scale_status};

static const struct field fields_scale[] = {
    {.name = "kind", .type = FIELD_STRING},
    {.name = "apiVersion", .type = FIELD_STRING},
    {.name = "metadata", .type = FIELD_OBJECT, .object = &type_object_meta, .proto = 1, .flags = FIELD_ALWAYS},
    {.name = "spec", .type = FIELD_OBJECT, .object = &type_scale_spec, .proto = 2, .flags = FIELD_ALWAYS},
    {.name = "status", .type = FIELD_OBJECT, .object = &type_scale_status, .proto = 3, .flags = FIELD_ALWAYS},
    {.name = NULL},
};
const struct type type_scale = {.name = "Scale", .fields = fields_scale};

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
