/* ClusterRole, rbac.authorization.k8s.io/v1. */
#include "common/base.h"

#include "apiserver/check.h"
#include "apiserver/columns.h"
#include "apiserver/names.h"
#include "apiserver/kinds/types.h"

static const struct field fields_aggregation_rule[] = {
    {.name = "clusterRoleSelectors",
     .type = FIELD_OBJECT,
     .shape = FIELD_LIST,
     .object = &type_label_selector,
     .proto = 1},
    {.name = NULL},
};
static const struct type type_aggregation_rule = {.name = "AggregationRule", .fields = fields_aggregation_rule};

static const struct field fields_cluster_role[] = {
    {.name = "kind", .type = FIELD_STRING},
    {.name = "apiVersion", .type = FIELD_STRING},
    {.name = "metadata", .type = FIELD_OBJECT, .object = &type_object_meta, .proto = 1, .flags = FIELD_ALWAYS},
    {.name = "rules",
     .type = FIELD_OBJECT,
     .shape = FIELD_LIST,
     .object = &type_policy_rule,
     .proto = 2,
     .flags = FIELD_ZERO | FIELD_OPTIONAL},
    {.name = "aggregationRule", .type = FIELD_OBJECT, .object = &type_aggregation_rule, .proto = 3},
    {.name = NULL},
};
static void check_object(struct check *c, const struct json *v) { check_policy_rules(c, json_get(v, "rules"), false); }

static const struct type type_cluster_role = {
    .name = "ClusterRole", .fields = fields_cluster_role, .check = check_object};

const struct kind kind_clusterrole = {
    .group = "rbac.authorization.k8s.io",
    .version = "v1",
    .name = "ClusterRole",
    .plural = "clusterroles",
    .singular = "clusterrole",
    .namespaced = false,
    .storage_prefix = "clusterroles",
    .verbs = "create,delete,deletecollection,get,list,patch,update,watch",
    .type = &type_cluster_role,
    .check_name = name_check_path_segment,
    .no_generation = true,
    .update_creates = true,
    .columns = role_columns,
    .row = role_row,
};
