/* Small core/v1 types that pods, volumes and nodes share. */
#include "common/base.h"

#include "apiserver/kinds/types.h"

static const struct field fields_node_selector_requirement[] = {
    {.name = "key",
     .type = FIELD_STRING,
     .proto = 1,
     .flags = FIELD_REQUIRED,
     .doc = "Key of the label, or name of the field."},
    {.name = "operator",
     .type = FIELD_STRING,
     .proto = 2,
     .flags = FIELD_REQUIRED,
     .doc = "In, NotIn, Exists, DoesNotExist, Gt or Lt."},
    {.name = "values",
     .type = FIELD_STRING,
     .shape = FIELD_LIST,
     .proto = 3,
     .doc = "Values; one integer with Gt and Lt."},
    {.name = NULL},
};
static const struct type type_node_selector_requirement = {
    .name = "NodeSelectorRequirement",
    .doc = "One term about a node.",
    .fields = fields_node_selector_requirement,
    .check = check_node_requirement,
};

static const struct field fields_node_selector_term[] = {
    {.name = "matchExpressions",
     .type = FIELD_OBJECT,
     .shape = FIELD_LIST,
     .object = &type_node_selector_requirement,
     .proto = 1,
     .doc = "Terms about labels."},
    {.name = "matchFields",
     .type = FIELD_OBJECT,
     .shape = FIELD_LIST,
     .object = &type_node_selector_requirement,
     .proto = 2,
     .doc = "Terms about fields."},
    {.name = NULL},
};
const struct type type_node_selector_term = {.name = "NodeSelectorTerm",
                                             .doc = "Nodes; all that is said has to hold.",
                                             .fields = fields_node_selector_term,
                                             .atomic = true};

static const struct field fields_node_selector[] = {
    {.name = "nodeSelectorTerms",
     .type = FIELD_OBJECT,
     .shape = FIELD_LIST,
     .object = &type_node_selector_term,
     .proto = 1,
     .flags = FIELD_REQUIRED,
     .doc = "The terms."},
    {.name = NULL},
};
const struct type type_node_selector = {.name = "NodeSelector",
                                        .doc = "Nodes; one of the terms has to hold.",
                                        .fields = fields_node_selector,
                                        .atomic = true};

static const struct field fields_resource_claim[] = {
    {.name = "name", .type = FIELD_STRING, .proto = 1, .flags = FIELD_REQUIRED, .doc = "Name of the claim in the pod."},
    {.name = "request", .type = FIELD_STRING, .proto = 2, .doc = "Part of the claim that is used; none: all of it."},
    {.name = NULL},
};
static const struct type type_resource_claim = {
    .name = "ResourceClaim", .doc = "A claim of the pod that a container uses.", .fields = fields_resource_claim};

static const struct field fields_resource_requirements[] = {
    {.name = "limits",
     .type = FIELD_QUANTITY,
     .shape = FIELD_MAP,
     .proto = 1,
     .check = check_container_resources,
     .doc = "The most it may use."},
    {.name = "requests",
     .type = FIELD_QUANTITY,
     .shape = FIELD_MAP,
     .proto = 2,
     .check = check_container_resources,
     .doc = "What is set aside for it; by default the limits."},
    {.name = "claims",
     .type = FIELD_OBJECT,
     .shape = FIELD_LIST,
     .object = &type_resource_claim,
     .proto = 3,
     .list = LIST_MAP,
     .list_keys = "name",
     .doc = "Claims for devices that it uses."},
    {.name = NULL},
};
const struct type type_resource_requirements = {
    .name = "ResourceRequirements",
    .doc = "Resources that are asked for, and limits.",
    .fields = fields_resource_requirements,
    .check = check_requests,
};

static const struct field fields_resource_field_selector[] = {
    {.name = "containerName", .type = FIELD_STRING, .proto = 1, .doc = "Name of the container; none: the same."},
    {.name = "resource",
     .type = FIELD_STRING,
     .proto = 2,
     .flags = FIELD_REQUIRED,
     .doc = "Which one, such as limits.cpu."},
    {.name = "divisor", .type = FIELD_QUANTITY, .proto = 3, .fallback = "\"0\"", .doc = "Unit that it is told in."},
    {.name = NULL},
};
const struct type type_resource_field_selector = {
    .name = "ResourceFieldSelector",
    .doc = "A request or limit of a container.",
    .fields = fields_resource_field_selector,
    .atomic = true,
};

static const struct field fields_object_field_selector[] = {
    {.name = "apiVersion",
     .type = FIELD_STRING,
     .proto = 1,
     .fallback = "\"v1\"",
     .doc = "Version that the path is of."},
    {.name = "fieldPath",
     .type = FIELD_STRING,
     .proto = 2,
     .flags = FIELD_REQUIRED,
     .check = check_field_path,
     .doc = "Path of the field."},
    {.name = NULL},
};
const struct type type_object_field_selector = {
    .name = "ObjectFieldSelector",
    .doc = "A field of an object.",
    .fields = fields_object_field_selector,
    .atomic = true,
};

static const char *const toleration_operators[] = {"Equal", "Exists", NULL};

static const struct field fields_toleration[] = {
    {.name = "key", .type = FIELD_STRING, .proto = 1, .doc = "Name of the taint; empty, with Exists: all."},
    {.name = "operator", .type = FIELD_STRING, .proto = 2, .one_of = toleration_operators, .doc = "Equal or Exists."},
    {.name = "value", .type = FIELD_STRING, .proto = 3, .doc = "Value of the taint; with Equal."},
    {.name = "effect", .type = FIELD_STRING, .proto = 4, .doc = "Effect of the taint; empty: all."},
    {.name = "tolerationSeconds",
     .type = FIELD_INT64,
     .proto = 5,
     .flags = FIELD_POINTER,
     .doc = "Seconds it is tolerated; with NoExecute; none: for ever."},
    {.name = NULL},
};
const struct type type_toleration = {.name = "Toleration",
                                     .doc = "Taints that a pod tolerates.",
                                     .fields = fields_toleration,
                                     .check = check_toleration};
