/* Small core/v1 types that pods, volumes and nodes share. */
#include "common/base.h"

#include "apiserver/kinds/types.h"

static const struct field fields_node_selector_requirement[] = {
    {.name = "key", .type = FIELD_STRING, .proto = 1, .flags = FIELD_REQUIRED},
    {.name = "operator", .type = FIELD_STRING, .proto = 2, .flags = FIELD_REQUIRED},
    {.name = "values", .type = FIELD_STRING, .shape = FIELD_LIST, .proto = 3},
    {.name = NULL},
};
static const struct type type_node_selector_requirement = {
    .name = "NodeSelectorRequirement",
    .fields = fields_node_selector_requirement,
    .check = check_node_requirement,
};

static const struct field fields_node_selector_term[] = {
    {.name = "matchExpressions",
     .type = FIELD_OBJECT,
     .shape = FIELD_LIST,
     .object = &type_node_selector_requirement,
     .proto = 1},
    {.name = "matchFields",
     .type = FIELD_OBJECT,
     .shape = FIELD_LIST,
     .object = &type_node_selector_requirement,
     .proto = 2},
    {.name = NULL},
};
const struct type type_node_selector_term = {.name = "NodeSelectorTerm", .fields = fields_node_selector_term, .atomic = true};

static const struct field fields_node_selector[] = {
    {.name = "nodeSelectorTerms",
     .type = FIELD_OBJECT,
     .shape = FIELD_LIST,
     .object = &type_node_selector_term,
     .proto = 1,
     .flags = FIELD_REQUIRED},
    {.name = NULL},
};
const struct type type_node_selector = {.name = "NodeSelector", .fields = fields_node_selector, .atomic = true};

static const struct field fields_resource_claim[] = {
    {.name = "name", .type = FIELD_STRING, .proto = 1, .flags = FIELD_REQUIRED},
    {.name = "request", .type = FIELD_STRING, .proto = 2},
    {.name = NULL},
};
static const struct type type_resource_claim = {.name = "ResourceClaim", .fields = fields_resource_claim};

static const struct field fields_resource_requirements[] = {
    {.name = "limits", .type = FIELD_QUANTITY, .shape = FIELD_MAP, .proto = 1, .check = check_container_resources},
    {.name = "requests", .type = FIELD_QUANTITY, .shape = FIELD_MAP, .proto = 2, .check = check_container_resources},
    {.name = "claims",
     .type = FIELD_OBJECT,
     .shape = FIELD_LIST,
     .object = &type_resource_claim,
     .proto = 3,
     .list = LIST_MAP,
     .list_keys = "name"},
    {.name = NULL},
};
const struct type type_resource_requirements = {
    .name = "ResourceRequirements",
    .fields = fields_resource_requirements,
    .check = check_requests,
};

static const struct field fields_resource_field_selector[] = {
    {.name = "containerName", .type = FIELD_STRING, .proto = 1},
    {.name = "resource", .type = FIELD_STRING, .proto = 2, .flags = FIELD_REQUIRED},
    {.name = "divisor", .type = FIELD_QUANTITY, .proto = 3, .fallback = "\"0\""},
    {.name = NULL},
};
const struct type type_resource_field_selector = {
    .name = "ResourceFieldSelector",
    .fields = fields_resource_field_selector, .atomic = true,
};

static const struct field fields_object_field_selector[] = {
    {.name = "apiVersion", .type = FIELD_STRING, .proto = 1, .fallback = "\"v1\""},
    {.name = "fieldPath", .type = FIELD_STRING, .proto = 2, .flags = FIELD_REQUIRED, .check = check_field_path},
    {.name = NULL},
};
const struct type type_object_field_selector = {
    .name = "ObjectFieldSelector",
    .fields = fields_object_field_selector, .atomic = true,
};

static const char *const toleration_operators[] = {"Equal", "Exists", NULL};

static const struct field fields_toleration[] = {
    {.name = "key", .type = FIELD_STRING, .proto = 1},
    {.name = "operator", .type = FIELD_STRING, .proto = 2, .one_of = toleration_operators},
    {.name = "value", .type = FIELD_STRING, .proto = 3},
    {.name = "effect", .type = FIELD_STRING, .proto = 4},
    {.name = "tolerationSeconds", .type = FIELD_INT64, .proto = 5, .flags = FIELD_POINTER},
    {.name = NULL},
};
const struct type type_toleration = {.name = "Toleration", .fields = fields_toleration, .check = check_toleration};
