/* ClusterRoleBinding, rbac.authorization.k8s.io/v1. */
#include "common/base.h"

#include "apiserver/check.h"
#include "apiserver/columns.h"
#include "apiserver/names.h"
#include "apiserver/kinds/types.h"

static const struct field fields_cluster_role_binding[] = {
    {.name = "kind", .type = FIELD_STRING},
    {.name = "apiVersion", .type = FIELD_STRING},
    {.name = "metadata", .type = FIELD_OBJECT, .object = &type_object_meta, .proto = 1, .flags = FIELD_ALWAYS},
    {.name = "subjects", .type = FIELD_OBJECT, .shape = FIELD_LIST, .object = &type_subject, .proto = 2},
    {.name = "roleRef", .type = FIELD_OBJECT, .object = &type_role_ref, .proto = 3, .flags = FIELD_ALWAYS | FIELD_ZERO},
    {.name = NULL},
};
static void check_object(struct check *c, const struct json *v) { check_role_ref(c, v, false); }

static const struct type type_cluster_role_binding = {
    .name = "ClusterRoleBinding", .fields = fields_cluster_role_binding, .check = check_object};

const struct kind kind_clusterrolebinding = {
    .group = "rbac.authorization.k8s.io",
    .version = "v1",
    .name = "ClusterRoleBinding",
    .plural = "clusterrolebindings",
    .singular = "clusterrolebinding",
    .namespaced = false,
    .storage_prefix = "clusterrolebindings",
    .verbs = "create,delete,deletecollection,get,list,patch,update,watch",
    .type = &type_cluster_role_binding,
    .check_name = name_check_path_segment,
    .no_generation = true,
    .update_creates = true,
    .columns = binding_columns,
    .row = binding_row,
    .check_update = check_role_ref_update,
};
