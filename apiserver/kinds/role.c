/* Role, rbac.authorization.k8s.io/v1. */
#include "common/base.h"

#include "apiserver/check.h"
#include "apiserver/columns.h"
#include "apiserver/names.h"
#include "apiserver/kinds/types.h"

static const struct field fields_role[] = {
    {.name = "kind", .type = FIELD_STRING},
    {.name = "apiVersion", .type = FIELD_STRING},
    {.name = "metadata", .type = FIELD_OBJECT, .object = &type_object_meta, .proto = 1, .flags = FIELD_ALWAYS},
    {.name = "rules",
     .type = FIELD_OBJECT,
     .shape = FIELD_LIST,
     .object = &type_policy_rule,
     .proto = 2,
     .flags = FIELD_ZERO | FIELD_OPTIONAL},
    {.name = NULL},
};
static void check_object(struct check *c, const struct json *v) { check_policy_rules(c, json_get(v, "rules"), true); }

static const struct type type_role = {.name = "Role", .fields = fields_role, .check = check_object};

const struct kind kind_role = {
    .group = "rbac.authorization.k8s.io",
    .version = "v1",
    .name = "Role",
    .plural = "roles",
    .singular = "role",
    .namespaced = true,
    .storage_prefix = "roles",
    .verbs = "create,delete,deletecollection,get,list,patch,update,watch",
    .type = &type_role,
    .check_name = name_check_path_segment,
    .no_generation = true,
    .update_creates = true,
    .columns = role_columns,
    .row = role_row,
};
