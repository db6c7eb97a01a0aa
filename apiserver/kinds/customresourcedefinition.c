/* CustomResourceDefinition, apiextensions.k8s.io/v1. */
#include "common/base.h"

#include "apiserver/check.h"
#include "apiserver/kinds/types.h"
#include "apiserver/names.h"

#include <ctype.h>

static const char *const scopes[] = {"Cluster", "Namespaced", NULL};
static const char *const strategies[] = {"None", "Webhook", NULL};
static const char *const column_types[] = {"boolean", "date", "integer", "number", "string", NULL};

static void check_names(struct check *c, const struct json *v);
static void check_group(struct check *c, const struct json *v);
static void check_conversion(struct check *c, const struct json *v);
static void check_conversion_client(struct check *c, const struct json *v);
static void check_definition_version(struct check *c, const struct json *v);
static void check_versions(struct check *c, const struct json *v);
static void check_definition(struct check *c, const struct json *v);
static void fill_spec(struct json_doc *d, struct json *v);

static const struct field fields_service_reference[] = {
    {.name = "namespace",
     .type = FIELD_STRING,
     .proto = 1,
     .flags = FIELD_REQUIRED,
     .required = "service namespace is required",
     .doc = "Namespace of the service."},
    {.name = "name",
     .type = FIELD_STRING,
     .proto = 2,
     .flags = FIELD_REQUIRED,
     .required = "service name is required",
     .doc = "Name of the service."},
    {.name = "path", .type = FIELD_STRING, .proto = 3, .flags = FIELD_POINTER, .doc = "Path that requests go to."},
    {.name = "port",
     .type = FIELD_INT32,
     .proto = 4,
     .flags = FIELD_POINTER,
     .fallback = "443",
     .doc = "Port of the service, 443 by default."},
    {.name = NULL},
};
static const struct type type_service_reference = {
    .name = "ServiceReference",
    .doc = "A service that answers webhooks.",
    .definition = "io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1.ServiceReference",
    .fields = fields_service_reference,
    .check = check_webhook_service,
};

static const struct field fields_conversion_client_config[] = {
    {.name = "service",
     .type = FIELD_OBJECT,
     .object = &type_service_reference,
     .proto = 1,
     .doc = "A service in the cluster; not with `url`."},
    {.name = "caBundle",
     .type = FIELD_BYTES,
     .proto = 2,
     .doc = "Certificates, in PEM, that the webhook's own is checked against."},
    {.name = "url",
     .type = FIELD_STRING,
     .proto = 3,
     .flags = FIELD_POINTER,
     .check = check_webhook_url,
     .doc = "URL, https://host[:port]/path; not with `service`."},
    {.name = NULL},
};
static const struct type type_conversion_client_config = {
    .name = "WebhookClientConfig",
    .doc = "How a webhook is reached: by URL or as a service.",
    .definition = "io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1.WebhookClientConfig",
    .fields = fields_conversion_client_config,
    .check = check_conversion_client,
};

static const struct field fields_webhook_conversion[] = {
    {.name = "clientConfig",
     .type = FIELD_OBJECT,
     .object = &type_conversion_client_config,
     .proto = 2,
     .doc = "How it is reached."},
    {.name = "conversionReviewVersions",
     .type = FIELD_STRING,
     .shape = FIELD_LIST,
     .proto = 3,
     .flags = FIELD_REQUIRED,
     .required = "must specify one of v1, v1beta1",
     .check = check_review_versions,
     .doc = "Versions of ConversionReview that it understands, best first."},
    {.name = NULL},
};
static const struct type type_webhook_conversion = {
    .name = "WebhookConversion",
    .doc = "A webhook that converts.",
    .definition = "io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1.WebhookConversion",
    .fields = fields_webhook_conversion,
};

static const struct field fields_custom_resource_conversion[] = {
    {.name = "strategy",
     .type = FIELD_STRING,
     .proto = 1,
     .flags = FIELD_REQUIRED,
     .one_of = strategies,
     .doc = "None: only the apiVersion changes; Webhook: a server outside converts."},
    {.name = "webhook",
     .type = FIELD_OBJECT,
     .object = &type_webhook_conversion,
     .proto = 2,
     .doc = "The server that converts; with strategy Webhook."},
    {.name = NULL},
};
static const struct type type_custom_resource_conversion = {
    .name = "CustomResourceConversion",
    .doc = "How objects get from one version to another.",
    .definition = "io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1.CustomResourceConversion",
    .fields = fields_custom_resource_conversion,
    .check = check_conversion,
};

static const struct field fields_custom_resource_definition_names[] = {
    {.name = "plural",
     .type = FIELD_STRING,
     .proto = 1,
     .flags = FIELD_REQUIRED | FIELD_TOLD,
     .fallback = "\"\"",
     .doc = "Name in paths, in the plural and in small letters."},
    {.name = "singular", .type = FIELD_STRING, .proto = 2, .doc = "Name of one; by default the kind in small letters."},
    {.name = "shortNames",
     .type = FIELD_STRING,
     .shape = FIELD_LIST,
     .proto = 3,
     .doc = "Short names for command lines."},
    {.name = "kind",
     .type = FIELD_STRING,
     .proto = 4,
     .flags = FIELD_REQUIRED | FIELD_TOLD,
     .fallback = "\"\"",
     .doc = "Kind of one object, in camel case."},
    {.name = "listKind",
     .type = FIELD_STRING,
     .proto = 5,
     .doc = "Kind of a list; by default the kind with \"List\" at its end."},
    {.name = "categories",
     .type = FIELD_STRING,
     .shape = FIELD_LIST,
     .proto = 6,
     .doc = "Groups of resources that it belongs to, such as \"all\"."},
    {.name = NULL},
};
static const struct type type_custom_resource_definition_names = {
    .name = "CustomResourceDefinitionNames",
    .doc = "What the resource is called.",
    .definition = "io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1.CustomResourceDefinitionNames",
    .fields = fields_custom_resource_definition_names,
};

static const struct field fields_custom_resource_column_definition[] = {
    {.name = "name", .type = FIELD_STRING, .proto = 1, .flags = FIELD_REQUIRED, .doc = "Heading of the column."},
    {.name = "type",
     .type = FIELD_STRING,
     .proto = 2,
     .flags = FIELD_REQUIRED,
     .one_of = column_types,
     .doc = "Type of the values: string, integer, number, boolean or date."},
    {.name = "format", .type = FIELD_STRING, .proto = 3, .doc = "Format of the values within their type."},
    {.name = "description", .type = FIELD_STRING, .proto = 4, .doc = "What the column is about."},
    {.name = "priority", .type = FIELD_INT32, .proto = 5, .doc = "0: always shown; more: in wide output only."},
    {.name = "jsonPath",
     .type = FIELD_STRING,
     .proto = 6,
     .flags = FIELD_REQUIRED,
     .doc = "Where the value stands in an object, as a JSON path."},
    {.name = NULL},
};
static const struct type type_custom_resource_column_definition = {
    .name = "CustomResourceColumnDefinition",
    .doc = "A column that lists of a custom resource show.",
    .definition = "io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1.CustomResourceColumnDefinition",
    .fields = fields_custom_resource_column_definition,
};

static const struct field fields_custom_resource_validation[] = {
    {.name = "openAPIV3Schema",
     .type = FIELD_OBJECT,
     .object = &type_json_schema_props,
     .proto = 1,
     .doc = "Schema of the objects."},
    {.name = NULL},
};
static const struct type type_custom_resource_validation = {
    .name = "CustomResourceValidation",
    .doc = "How objects are checked.",
    .definition = "io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1.CustomResourceValidation",
    .fields = fields_custom_resource_validation,
};

static const struct field fields_selectable_field[] = {
    {.name = "jsonPath",
     .type = FIELD_STRING,
     .proto = 1,
     .flags = FIELD_REQUIRED,
     .doc = "Where it stands, as a simple JSON path."},
    {.name = NULL},
};
static const struct type type_selectable_field = {
    .name = "SelectableField",
    .doc = "A field that field selectors may name.",
    .definition = "io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1.SelectableField",
    .fields = fields_selectable_field,
};

static const struct field fields_custom_resource_subresource_scale[] = {
    {.name = "specReplicasPath",
     .type = FIELD_STRING,
     .proto = 1,
     .flags = FIELD_REQUIRED,
     .doc = "JSON path of the wanted number, below spec."},
    {.name = "statusReplicasPath",
     .type = FIELD_STRING,
     .proto = 2,
     .flags = FIELD_REQUIRED,
     .doc = "JSON path of the number that is there, below status."},
    {.name = "labelSelectorPath",
     .type = FIELD_STRING,
     .proto = 3,
     .flags = FIELD_POINTER,
     .doc = "JSON path of the selector of its pods, as text, below status or spec."},
    {.name = NULL},
};
static const struct type type_custom_resource_subresource_scale = {
    .name = "CustomResourceSubresourceScale",
    .doc = "Where the scale of a custom resource stands.",
    .definition = "io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1.CustomResourceSubresourceScale",
    .fields = fields_custom_resource_subresource_scale,
};

static const struct field fields_custom_resource_subresources[] = {
    {.name = "status",
     .type = FIELD_RAW,
     .proto = 1,
     .flags = FIELD_POINTER,
     .doc = "Has a status subresource: the status is written by itself."},
    {.name = "scale",
     .type = FIELD_OBJECT,
     .object = &type_custom_resource_subresource_scale,
     .proto = 2,
     .doc = "Has a scale subresource, for kubectl scale and autoscalers."},
    {.name = NULL},
};
static const struct type type_custom_resource_subresources = {
    .name = "CustomResourceSubresources",
    .doc = "Subresources of a custom resource.",
    .definition = "io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1.CustomResourceSubresources",
    .fields = fields_custom_resource_subresources,
};

static const struct field fields_custom_resource_definition_version[] = {
    {.name = "name",
     .type = FIELD_STRING,
     .proto = 1,
     .flags = FIELD_REQUIRED,
     .doc = "Name of the version, such as v1 or v1beta1."},
    {.name = "served",
     .type = FIELD_BOOL,
     .proto = 2,
     .flags = FIELD_REQUIRED,
     .fallback = "false",
     .doc = "Whether the version can be used."},
    {.name = "storage",
     .type = FIELD_BOOL,
     .proto = 3,
     .flags = FIELD_REQUIRED,
     .fallback = "false",
     .doc = "Whether objects are stored in this version; true of exactly one."},
    {.name = "schema",
     .type = FIELD_OBJECT,
     .object = &type_custom_resource_validation,
     .proto = 4,
     .doc = "What objects of the version look like."},
    {.name = "subresources",
     .type = FIELD_OBJECT,
     .object = &type_custom_resource_subresources,
     .proto = 5,
     .doc = "Subresources that objects of the version have."},
    {.name = "additionalPrinterColumns",
     .type = FIELD_OBJECT,
     .shape = FIELD_LIST,
     .object = &type_custom_resource_column_definition,
     .proto = 6,
     .doc = "Columns that lists show; none: name and age."},
    {.name = "deprecated", .type = FIELD_BOOL, .proto = 7, .doc = "Whether answers carry a warning."},
    {.name = "deprecationWarning",
     .type = FIELD_STRING,
     .proto = 8,
     .flags = FIELD_POINTER,
     .doc = "The warning's text, of a deprecated version; none: a usual one."},
    {.name = "selectableFields",
     .type = FIELD_OBJECT,
     .shape = FIELD_LIST,
     .object = &type_selectable_field,
     .proto = 9,
     .doc = "Fields that field selectors may name."},
    {.name = NULL},
};
static const struct type type_custom_resource_definition_version = {
    .name = "CustomResourceDefinitionVersion",
    .doc = "One version of a custom resource.",
    .definition = "io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1.CustomResourceDefinitionVersion",
    .fields = fields_custom_resource_definition_version,
    .check = check_definition_version,
};

static const struct field fields_custom_resource_definition_spec[] = {
    {.name = "group",
     .type = FIELD_STRING,
     .proto = 1,
     .flags = FIELD_REQUIRED,
     .check = check_group,
     .doc = "API group that it is served in."},
    {.name = "names",
     .type = FIELD_OBJECT,
     .object = &type_custom_resource_definition_names,
     .proto = 3,
     .flags = FIELD_REQUIRED | FIELD_ALWAYS,
     .check = check_names,
     .doc = "What the resource and its kind are called."},
    {.name = "scope",
     .type = FIELD_STRING,
     .proto = 4,
     .flags = FIELD_REQUIRED,
     .one_of = scopes,
     .doc = "Whether objects live in namespaces: Namespaced or Cluster."},
    {.name = "versions",
     .type = FIELD_OBJECT,
     .shape = FIELD_LIST,
     .object = &type_custom_resource_definition_version,
     .proto = 7,
     .flags = FIELD_REQUIRED | FIELD_ALWAYS,
     .check = check_versions,
     .doc = "All versions, one of which objects are stored in."},
    {.name = "conversion",
     .type = FIELD_OBJECT,
     .object = &type_custom_resource_conversion,
     .proto = 9,
     .fallback = "{\"strategy\":\"None\"}",
     .doc = "How objects get from one version to another."},
    {.name = "preserveUnknownFields",
     .type = FIELD_BOOL,
     .proto = 10,
     .doc = "Only false is allowed: fields that no schema names are dropped."},
    {.name = NULL},
};
static const struct type type_custom_resource_definition_spec = {
    .name = "CustomResourceDefinitionSpec",
    .doc = "Names and versions of a custom resource.",
    .definition = "io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1.CustomResourceDefinitionSpec",
    .fields = fields_custom_resource_definition_spec,
    .fill = fill_spec,
};

static const struct field fields_custom_resource_definition_condition[] = {
    {.name = "type",
     .type = FIELD_STRING,
     .proto = 1,
     .flags = FIELD_REQUIRED,
     .doc = "What the condition is about, such as Established or NamesAccepted."},
    {.name = "status", .type = FIELD_STRING, .proto = 2, .flags = FIELD_REQUIRED, .doc = "True, False or Unknown."},
    {.name = "lastTransitionTime",
     .type = FIELD_TIME,
     .proto = 3,
     .flags = FIELD_ALWAYS,
     .doc = "When the status last changed."},
    {.name = "reason", .type = FIELD_STRING, .proto = 4, .doc = "One word, for machines, why it is so."},
    {.name = "message", .type = FIELD_STRING, .proto = 5, .doc = "What a person should know about it."},
    {.name = NULL},
};
static const struct type type_custom_resource_definition_condition = {
    .name = "CustomResourceDefinitionCondition",
    .doc = "One thing that holds, or does not, of a definition.",
    .definition = "io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1.CustomResourceDefinitionCondition",
    .fields = fields_custom_resource_definition_condition,
};

static const struct field fields_custom_resource_definition_status[] = {
    {.name = "conditions",
     .type = FIELD_OBJECT,
     .shape = FIELD_LIST,
     .object = &type_custom_resource_definition_condition,
     .proto = 1,
     .flags = FIELD_ALWAYS,
     .list = LIST_MAP,
     .list_keys = "type",
     .doc = "What holds of the object, one entry per type."},
    {.name = "acceptedNames",
     .type = FIELD_OBJECT,
     .object = &type_custom_resource_definition_names,
     .proto = 2,
     .flags = FIELD_ALWAYS,
     .doc = "The names it is served under."},
    {.name = "storedVersions",
     .type = FIELD_STRING,
     .shape = FIELD_LIST,
     .proto = 3,
     .flags = FIELD_ALWAYS,
     .doc = "Versions that objects were ever stored in; they may not go from the list of versions."},
    {.name = NULL},
};
static const struct type type_custom_resource_definition_status = {
    .name = "CustomResourceDefinitionStatus",
    .doc = "What has become of a definition.",
    .definition = "io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1.CustomResourceDefinitionStatus",
    .fields = fields_custom_resource_definition_status,
};

static const struct field fields_custom_resource_definition[] = {
    {.name = "kind", .type = FIELD_STRING, .doc = "Kind of the object."},
    {.name = "apiVersion", .type = FIELD_STRING, .doc = "Group and version of the API that the object is written in."},
    {.name = "metadata",
     .type = FIELD_OBJECT,
     .object = &type_object_meta,
     .proto = 1,
     .flags = FIELD_ALWAYS,
     .doc = "Name, namespace, labels and what else every object carries."},
    {.name = "spec",
     .type = FIELD_OBJECT,
     .object = &type_custom_resource_definition_spec,
     .proto = 2,
     .flags = FIELD_REQUIRED | FIELD_ALWAYS,
     .doc = "What is wanted."},
    {.name = "status",
     .type = FIELD_OBJECT,
     .object = &type_custom_resource_definition_status,
     .proto = 3,
     .flags = FIELD_ALWAYS,
     .doc = "What was last seen of it; written by controllers."},
    {.name = NULL},
};
static const struct type type_custom_resource_definition = {
    .name = "CustomResourceDefinition",
    .doc = "A kind of resource that is served beside the built-in ones.",
    .definition = "io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1.CustomResourceDefinition",
    .fields = fields_custom_resource_definition,
    .check = check_definition,
};

static void append_lower(struct buf *out, struct slice text)
{
    for (size_t i = 0; i < text.size; i++)
        buf_append_char(out, (char)tolower((unsigned char)text.data[i]));
}

/* The singular is the kind in small letters, the list's kind ends with "List". */
static void fill_spec(struct json_doc *d, struct json *v)
{
    struct json *names = json_get(v, "names");
    struct slice kind = json_string_at(names, "kind");
    struct buf text = {0};
    append_lower(&text, kind);
    if (kind.size > 0 && json_string_at(names, "singular").size == 0)
        json_set_string(d, names, "singular", buf_slice(&text));
    buf_reset(&text);
    buf_printf(&text, "%.*sList", SLICE_ARGS(kind));
    if (kind.size > 0 && json_string_at(names, "listKind").size == 0)
        json_set_string(d, names, "listKind", buf_slice(&text));
    buf_release(&text);
}

static void check_group(struct check *c, const struct json *v)
{
    struct slice group = json_string(v);
    check_dns_subdomain(c, v);
    if (group.size > 0 && slice_find(group, '.') == group.size)
        check_fail(c, CHECK_INVALID, v, "should be a domain with at least one dot");
}

static void check_word(struct check *c, const struct json *names, const char *field, bool mixed_case)
{
    struct slice word = json_string_at(names, field);
    struct buf lower = {0};
    struct err why;
    append_lower(&lower, word);
    if (word.size == 0)
        check_fail_at(c, field, CHECK_REQUIRED, NULL, "%s", "");
    else if (name_check_label1035(mixed_case ? buf_slice(&lower) : word, &why) != 0)
        check_fail_at(c, field, CHECK_INVALID, json_get(names, field), "%s%s",
                      mixed_case ? "may have mixed case, but should otherwise match: " : "", why.message);
    buf_release(&lower);
}

static void check_names(struct check *c, const struct json *v)
{
    static const char *const lists[] = {"shortNames", "categories"};
    struct slice kind = json_string_at(v, "kind");
    check_word(c, v, "plural", false);
    check_word(c, v, "singular", false);
    check_word(c, v, "kind", true);
    check_word(c, v, "listKind", true);
    if (kind.size > 0 && slice_equal(kind, json_string_at(v, "listKind")))
        check_fail_at(c, "listKind", CHECK_INVALID, json_get(v, "listKind"), "kind and listKind may not be the same");
    for (size_t l = 0; l < ARRAY_LEN(lists); l++) {
        size_t mark = check_enter(c, lists[l]);
        struct json_iterator i = json_iterate(json_get(v, lists[l]));
        while (json_next(&i)) {
            size_t at = check_enter_index(c, i.position - 1);
            check_label1035(c, i.value);
            check_leave(c, at);
        }
        check_leave(c, mark);
    }
}

static void check_conversion(struct check *c, const struct json *v)
{
    bool webhook = json_get(v, "webhook") != NULL;
    if (!slice_is(json_string_at(v, "strategy"), "Webhook")) {
        if (webhook)
            check_fail_at(c, "webhook", CHECK_FORBIDDEN, NULL, "should not be set when strategy is not set to Webhook");
    } else if (json_at(v, "webhook.clientConfig") == NULL) {
        check_fail_at(c, "webhook.clientConfig", CHECK_REQUIRED, NULL, "required when strategy is set to Webhook");
    }
}

static void check_conversion_client(struct check *c, const struct json *v)
{
    if ((json_get(v, "url") != NULL) == (json_get(v, "service") != NULL))
        check_fail(c, CHECK_REQUIRED, NULL, "exactly one of url or service is required");
}

static void check_definition_version(struct check *c, const struct json *v)
{
    const struct json *schema = json_at(v, "schema.openAPIV3Schema"), *warning = json_get(v, "deprecationWarning");
    struct err why;
    if (json_string_at(v, "name").size > 0 && name_check_label1035(json_string_at(v, "name"), &why) != 0)
        check_fail_at(c, "name", CHECK_INVALID, json_get(v, "name"), "%s", why.message);
    if (warning != NULL && !json_bool_at(v, "deprecated", false))
        check_fail_at(c, "deprecationWarning", CHECK_INVALID, warning, "can only be set for deprecated versions");
    size_t mark = check_enter(c, "schema.openAPIV3Schema");
    struct slice type = json_string_at(schema, "type");
    if (schema == NULL)
        check_fail(c, CHECK_REQUIRED, NULL, "schemas are required");
    else if (type.size > 0 && !slice_is(type, "object"))
        check_fail_text_at(c, "type", CHECK_INVALID, type, "must be object at the root");
    if (schema != NULL)
        check_structural(c, schema, "at the root");
    check_leave(c, mark);
}

/* What %#v makes of the list is long and holds addresses; its names are what people look for. */
static void show_versions(const struct json *v, struct buf *out)
{
    struct json_iterator i = json_iterate(v);
    buf_append_str(out, "[]apiextensions.CustomResourceDefinitionVersion{");
    while (json_next(&i))
        buf_printf(out, "%sapiextensions.CustomResourceDefinitionVersion{Name:\"%.*s\", Served:%s, Storage:%s}",
                   i.position > 1 ? ", " : "", SLICE_ARGS(json_string_at(i.value, "name")),
                   json_bool_at(i.value, "served", false) ? "true" : "false",
                   json_bool_at(i.value, "storage", false) ? "true" : "false");
    buf_append_char(out, '}');
}

static void check_versions(struct check *c, const struct json *v)
{
    size_t stored = 0;
    bool unique = true;
    struct buf shown = {0};
    struct json_iterator i = json_iterate(v);
    while (json_next(&i)) {
        stored += json_bool_at(i.value, "storage", false) ? 1 : 0;
        for (size_t k = 0; k + 1 < i.position; k++)
            unique &= !slice_equal(json_string_at(json_element(v, k), "name"), json_string_at(i.value, "name"));
    }
    show_versions(v, &shown);
    if (!unique)
        check_fail_shown(c, "", CHECK_INVALID, shown.data, "must contain unique version names");
    if (stored != 1 && json_size(v) > 0)
        check_fail_shown(c, "", CHECK_INVALID, shown.data, "must have exactly one version marked as storage version");
    buf_release(&shown);
}

static const struct json *version_named(const struct json *definition, struct slice name)
{
    struct json_iterator i = json_iterate(json_at(definition, "spec.versions"));
    while (json_next(&i))
        if (slice_equal(json_string_at(i.value, "name"), name))
            return i.value;
    return NULL;
}

/* "widgets.example.com"; and no version may go that objects may still be stored as. */
static void check_definition(struct check *c, const struct json *v)
{
    struct buf wanted = {0};
    struct slice name = json_string_at(v, "metadata.name");
    buf_printf(&wanted, "%.*s.%.*s", SLICE_ARGS(json_string_at(v, "spec.names.plural")),
               SLICE_ARGS(json_string_at(v, "spec.group")));
    if (name.size > 0 && !slice_is(name, wanted.data))
        check_fail_text_at(c, "metadata.name", CHECK_INVALID, name, "must be spec.names.plural+\".\"+spec.group");
    buf_release(&wanted);
    if (json_bool_at(v, "spec.preserveUnknownFields", false))
        check_fail_at(c, "spec.preserveUnknownFields", CHECK_INVALID, json_at(v, "spec.preserveUnknownFields"),
                      "must be false");
    struct json_iterator i = json_iterate(json_at(v, "status.storedVersions"));
    size_t mark = check_enter(c, "status.storedVersions");
    while (json_next(&i)) {
        size_t at = check_enter_index(c, i.position - 1);
        if (version_named(v, json_string(i.value)) == NULL)
            check_fail(
                c, CHECK_INVALID, i.value,
                "missing from spec.versions; %.*s was previously a storage version, and must remain in spec.versions "
                "until a storage migration ensures no data remains persisted in %.*s and removes %.*s from "
                "status.storedVersions",
                SLICE_ARGS(json_string(i.value)), SLICE_ARGS(json_string(i.value)), SLICE_ARGS(json_string(i.value)));
        check_leave(c, at);
    }
    check_leave(c, mark);
}

static void store_version(struct json_doc *d, struct json *o)
{
    struct json_iterator i = json_iterate(json_at(o, "spec.versions"));
    while (json_next(&i)) {
        struct slice name = json_string_at(i.value, "name");
        struct json *status = json_ensure_object(d, o, "status"), *list = json_get(status, "storedVersions");
        if (!json_bool_at(i.value, "storage", false) || list_has(list, name.data))
            continue;
        if (json_type(list) != JSON_ARRAY) {
            json_set(d, status, "storedVersions", json_new_array(d));
            list = json_get(status, "storedVersions");
        }
        json_append(list, json_new_string(d, name));
    }
}

static void prepare_create(struct json_doc *d, struct json *o) { store_version(d, o); }

static void prepare_update(struct json_doc *d, struct json *o, const struct json *old)
{
    (void)old;
    store_version(d, o);
}

static bool is_established(const struct json *o)
{
    struct json_iterator i = json_iterate(json_at(o, "status.conditions"));
    while (json_next(&i))
        if (slice_is(json_string_at(i.value, "type"), "Established") &&
            slice_is(json_string_at(i.value, "status"), "True"))
            return true;
    return false;
}

static void check_update(struct check *c, const struct json *object, const struct json *old)
{
    static const struct {
        const char *field;
        bool always; /* else once it is served */
    } fixed[] = {{"spec.group", true}, {"spec.names.plural", true}, {"spec.scope", false}, {"spec.names.kind", false}};
    for (size_t i = 0; i < ARRAY_LEN(fixed); i++) {
        const struct json *now = json_at(object, fixed[i].field);
        if ((fixed[i].always || is_established(old)) && !json_equal(now, json_at(old, fixed[i].field)))
            check_fail_at(c, fixed[i].field, CHECK_INVALID, now, "field is immutable");
    }
}

static const char *const short_names[] = {"crd", "crds", NULL};
static const struct subresource subresources[] = {
    {"status", "apiextensions.k8s.io", "v1", "CustomResourceDefinition", "get,patch,update", CONNECTS_NOT},
    {.name = NULL},
};

const struct kind kind_customresourcedefinition = {
    .group = "apiextensions.k8s.io",
    .version = "v1",
    .name = "CustomResourceDefinition",
    .plural = "customresourcedefinitions",
    .singular = "customresourcedefinition",
    .short_names = short_names,
    .categories = api_extensions,
    .storage_prefix = "apiextensions.k8s.io/customresourcedefinitions",
    .verbs = "create,delete,deletecollection,get,list,patch,update,watch",
    .type = &type_custom_resource_definition,
    .subresources = subresources,
    .prepare_create = prepare_create,
    .prepare_update = prepare_update,
    .check_update = check_update,
    .update_needs_version = true,
};
