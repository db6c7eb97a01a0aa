/* RoleBinding, rbac.authorization.k8s.io/v1. */
#include "common/base.h"

#include "apiserver/check.h"
#include "apiserver/columns.h"
#include "apiserver/names.h"
#include "apiserver/kinds/types.h"

static const struct field fields_role_binding[] = {
    {.name = "kind", .type = FIELD_STRING},
    {.name = "apiVersion", .type = FIELD_STRING},
    {.name = "metadata", .type = FIELD_OBJECT, .object = &type_object_meta, .proto = 1, .flags = FIELD_ALWAYS},
    {.name = "subjects", .type = FIELD_OBJECT, .shape = FIELD_LIST, .object = &type_subject, .proto = 2},
    {.name = "roleRef", .type = FIELD_OBJECT, .object = &type_role_ref, .proto = 3, .flags = FIELD_ALWAYS | FIELD_ZERO},
    {.name = NULL},
};
static void check_object(struct check *c, const struct json *v) { check_role_ref(c, v, true); }

static const struct type type_role_binding = {
    .name = "RoleBinding", .fields = fields_role_binding, .check = check_object};

const struct kind kind_rolebinding = {
    .group = "rbac.authorization.k8s.io",
    .version = "v1",
    .name = "RoleBinding",
    .plural = "rolebindings",
    .singular = "rolebinding",
    .namespaced = true,
    .storage_prefix = "rolebindings",
    .verbs = "create,delete,deletecollection,get,list,patch,update,watch",
    .type = &type_role_binding,
    .check_name = name_check_path_segment,
    .no_generation = true,
    .update_creates = true,
    .columns = binding_columns,
    .row = binding_row,
    .check_update = check_role_ref_update,
};
