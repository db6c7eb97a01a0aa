/* MutatingWebhookConfiguration, admissionregistration.k8s.io/v1. */
#include "common/base.h"

#include "apiserver/check.h"
#include "apiserver/kinds/types.h"
#include "apiserver/kinds/webhook_rows.h"

static const char *const reinvocation_policies[] = {"IfNeeded", "Never", NULL};

static const struct field fields_mutating_webhook[] = {
    WEBHOOK_ROWS,
    {.name = "reinvocationPolicy",
     .type = FIELD_STRING,
     .proto = 10,
     .flags = FIELD_POINTER,
     .fallback = "\"Never\"",
     .one_of = reinvocation_policies,
     .doc = "Whether it is asked again when others changed the object: Never or IfNeeded."},
    WEBHOOK_CHOICE_ROWS(11, 12),
    {.name = NULL},
};
static const struct type type_mutating_webhook = {
    .name = "MutatingWebhook",
    .doc = "A server outside that may change objects on their way in.",
    .fields = fields_mutating_webhook,
};

static const struct field fields_mutating_webhook_configuration[] = {
    {.name = "kind", .type = FIELD_STRING, .doc = "Kind of the object."},
    {.name = "apiVersion", .type = FIELD_STRING, .doc = "Group and version of the API that the object is written in."},
    {.name = "metadata",
     .type = FIELD_OBJECT,
     .object = &type_object_meta,
     .proto = 1,
     .flags = FIELD_ALWAYS,
     .doc = "Name, namespace, labels and what else every object carries."},
    {.name = "webhooks",
     .type = FIELD_OBJECT,
     .shape = FIELD_LIST,
     .object = &type_mutating_webhook,
     .proto = 2,
     .list = LIST_MAP,
     .list_keys = "name",
     .patch = PATCH_MERGE,
     .merge_key = "name",
     .doc = "The webhooks, asked one after the other."},
    {.name = NULL},
};
static const struct type type_mutating_webhook_configuration = {
    .name = "MutatingWebhookConfiguration",
    .doc = "Webhooks that may change objects.",
    .fields = fields_mutating_webhook_configuration,
};

const struct kind kind_mutatingwebhookconfiguration = {
    .group = "admissionregistration.k8s.io",
    .version = "v1",
    .name = "MutatingWebhookConfiguration",
    .plural = "mutatingwebhookconfigurations",
    .singular = "mutatingwebhookconfiguration",
    .categories = api_extensions,
    .storage_prefix = "mutatingwebhookconfigurations",
    .verbs = "create,delete,deletecollection,get,list,patch,update,watch",
    .type = &type_mutating_webhook_configuration,
    .columns = webhook_columns,
    .row = webhook_row,
    .update_needs_version = true,
};
