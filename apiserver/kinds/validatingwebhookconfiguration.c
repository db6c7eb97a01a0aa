/* ValidatingWebhookConfiguration, admissionregistration.k8s.io/v1. */
#include "common/base.h"

#include "apiserver/check.h"
#include "apiserver/kinds/types.h"
#include "apiserver/kinds/webhook_rows.h"

static const struct field fields_validating_webhook[] = {
    WEBHOOK_ROWS,
    WEBHOOK_CHOICE_ROWS(10, 11),
    {.name = NULL},
};
static const struct type type_validating_webhook = {
    .name = "ValidatingWebhook",
    .doc = "A server outside that may refuse objects on their way in.",
    .fields = fields_validating_webhook,
};

static const struct field fields_validating_webhook_configuration[] = {
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
     .object = &type_validating_webhook,
     .proto = 2,
     .list = LIST_MAP,
     .list_keys = "name",
     .patch = PATCH_MERGE,
     .merge_key = "name",
     .doc = "The webhooks, each of which has to agree."},
    {.name = NULL},
};
static const struct type type_validating_webhook_configuration = {
    .name = "ValidatingWebhookConfiguration",
    .doc = "Webhooks that may refuse objects.",
    .fields = fields_validating_webhook_configuration,
};

const struct kind kind_validatingwebhookconfiguration = {
    .group = "admissionregistration.k8s.io",
    .version = "v1",
    .name = "ValidatingWebhookConfiguration",
    .plural = "validatingwebhookconfigurations",
    .singular = "validatingwebhookconfiguration",
    .categories = api_extensions,
    .storage_prefix = "validatingwebhookconfigurations",
    .verbs = "create,delete,deletecollection,get,list,patch,update,watch",
    .type = &type_validating_webhook_configuration,
    .columns = webhook_columns,
    .row = webhook_row,
    .update_needs_version = true,
};
