/* ServiceAccount, core/v1. */
#include "common/base.h"

#include "apiserver/check.h"
#include "apiserver/columns.h"
#include "apiserver/kinds/types.h"

static const struct field fields_service_account[] = {
    {.name = "kind", .type = FIELD_STRING, .doc = "Kind of the object."},
    {.name = "apiVersion", .type = FIELD_STRING, .doc = "Group and version of the API that the object is written in."},
    {.name = "metadata",
     .type = FIELD_OBJECT,
     .object = &type_object_meta,
     .proto = 1,
     .flags = FIELD_ALWAYS,
     .doc = "Name, namespace, labels and what else every object carries."},
    {.name = "secrets",
     .type = FIELD_OBJECT,
     .shape = FIELD_LIST,
     .object = &type_object_reference,
     .proto = 2,
     .list = LIST_MAP,
     .list_keys = "name",
     .patch = PATCH_MERGE,
     .merge_key = "name",
     .doc = "Secrets that its pods may use."},
    {.name = "imagePullSecrets",
     .type = FIELD_OBJECT,
     .shape = FIELD_LIST,
     .object = &type_local_object_reference,
     .proto = 3,
     .doc = "Secrets that its pods pull images with."},
    {.name = "automountServiceAccountToken",
     .type = FIELD_BOOL,
     .proto = 4,
     .flags = FIELD_POINTER,
     .doc = "Whether its token is mounted into its pods."},
    {.name = NULL},
};
static const struct type type_service_account = {
    .name = "ServiceAccount", .doc = "Who pods are when they ask the server.", .fields = fields_service_account};

static const struct column columns[] = {
    {.name = "Name", .type = "string", .format = "name", .doc = "Name of the object, unique within its namespace."},
    {.name = "Secrets", .type = "string", .doc = "Number of secrets listed."},
    {.name = "Age", .type = "string", .doc = "Time since the object was created."},
    {.name = NULL},
};

static void row(const struct json *o, const struct column_now *now, struct cells *out)
{
    cells_add(out, json_string_at(o, "metadata.name"));
    cells_int(out, (int64_t)json_size(json_get(o, "secrets")));
    cells_age(out, json_string_at(o, "metadata.creationTimestamp"), now);
}

static const char *const short_names[] = {"sa", NULL};
static const struct subresource subresources[] = {
    {"token", "authentication.k8s.io", "v1", "TokenRequest", "create", CONNECTS_NOT},
    {.name = NULL},
};
const struct kind kind_serviceaccount = {
    .group = "",
    .version = "v1",
    .name = "ServiceAccount",
    .plural = "serviceaccounts",
    .singular = "serviceaccount",
    .short_names = short_names,
    .namespaced = true,
    .storage_prefix = "serviceaccounts",
    .verbs = "create,delete,deletecollection,get,list,patch,update,watch",
    .type = &type_service_account,
    .subresources = subresources,
    .columns = columns,
    .row = row,
    .no_generation = true,
    .delete_answers_object = true,
};
