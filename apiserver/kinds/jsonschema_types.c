/* JSONSchemaProps of apiextensions.k8s.io/v1: the schema of a custom resource, and when it is structural. It holds
 * itself, so a tree is as deep as JSON may be (JSON_DEPTH_MAX). Four of its members are one of two shapes in JSON;
 * those that are schemas are brought into canonical form by a hook, since a table has one shape per field. */
#include "common/base.h"

#include "apiserver/check.h"
#include "apiserver/kinds/types.h"
#include "apiserver/schema.h"

static const char *const schema_types[] = {"array", "boolean", "integer", "number", "object", "string", NULL};
static const char *const list_types[] = {"atomic", "map", "set", NULL};
static const char *const map_types[] = {"atomic", "granular", NULL};
static const char *const reasons[] = {"FieldValueRequired", "FieldValueForbidden", "FieldValueInvalid",
                                      "FieldValueDuplicate", NULL};

static void check_schema(struct check *c, const struct json *v);
static void check_rule(struct check *c, const struct json *v);
static void fill_schema(struct json_doc *d, struct json *v);

static const struct field fields_external_documentation[] = {
    {.name = "description", .type = FIELD_STRING, .proto = 1, .doc = "What is written there."},
    {.name = "url", .type = FIELD_STRING, .proto = 2, .doc = "Where it is."},
    {.name = NULL},
};
static const struct type type_external_documentation = {
    .name = "ExternalDocumentation",
    .doc = "Where more is written.",
    .definition = "io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1.ExternalDocumentation",
    .fields = fields_external_documentation,
};

static const struct field fields_validation_rule[] = {
    {.name = "rule",
     .type = FIELD_STRING,
     .proto = 1,
     .flags = FIELD_REQUIRED | FIELD_TOLD,
     .doc = "CEL expression that has to be true."},
    {.name = "message", .type = FIELD_STRING, .proto = 2, .doc = "What is told when the rule does not hold."},
    {.name = "messageExpression",
     .type = FIELD_STRING,
     .proto = 3,
     .doc = "CEL expression of what is told; goes before `message`."},
    {.name = "reason",
     .type = FIELD_STRING,
     .proto = 4,
     .flags = FIELD_POINTER,
     .one_of = reasons,
     .doc = "Reason of the error, such as FieldValueInvalid."},
    {.name = "fieldPath", .type = FIELD_STRING, .proto = 5, .doc = "Field, below this one, that an error is told at."},
    {.name = "optionalOldSelf",
     .type = FIELD_BOOL,
     .proto = 6,
     .flags = FIELD_POINTER,
     .doc = "Whether the rule is looked at when there is no old value."},
    {.name = NULL},
};
static const struct type type_validation_rule = {
    .name = "ValidationRule",
    .doc = "A CEL rule of a schema.",
    .definition = "io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1.ValidationRule",
    .fields = fields_validation_rule,
    .check = check_rule,
};

static const struct field fields_json_schema_props[] = {
    {.name = "id", .type = FIELD_STRING, .proto = 1, .doc = "Not allowed."},
    {.name = "$schema", .type = FIELD_STRING, .proto = 2, .doc = "Which JSON schema this is written in."},
    {.name = "$ref",
     .type = FIELD_STRING,
     .proto = 3,
     .flags = FIELD_POINTER,
     .doc = "Not allowed: a schema stands where it is used."},
    {.name = "description", .type = FIELD_STRING, .proto = 4, .doc = "What the value is about."},
    {.name = "type", .type = FIELD_STRING, .proto = 5, .doc = "object, array, string, integer, number or boolean."},
    {.name = "format",
     .type = FIELD_STRING,
     .proto = 6,
     .doc = "Format of the value within its type, such as date-time."},
    {.name = "title", .type = FIELD_STRING, .proto = 7, .doc = "Heading of the schema."},
    {.name = "default",
     .type = FIELD_RAW,
     .proto = 8,
     .flags = FIELD_POINTER,
     .doc = "Value that is filled in where none stands."},
    {.name = "maximum", .type = FIELD_DOUBLE, .proto = 9, .flags = FIELD_POINTER, .doc = "The largest number."},
    {.name = "exclusiveMaximum", .type = FIELD_BOOL, .proto = 10, .doc = "Whether the maximum itself is too large."},
    {.name = "minimum", .type = FIELD_DOUBLE, .proto = 11, .flags = FIELD_POINTER, .doc = "The smallest number."},
    {.name = "exclusiveMinimum", .type = FIELD_BOOL, .proto = 12, .doc = "Whether the minimum itself is too small."},
    {.name = "maxLength", .type = FIELD_INT64, .proto = 13, .flags = FIELD_POINTER, .doc = "How long a string may be."},
    {.name = "minLength",
     .type = FIELD_INT64,
     .proto = 14,
     .flags = FIELD_POINTER,
     .doc = "How long a string must be."},
    {.name = "pattern", .type = FIELD_STRING, .proto = 15, .doc = "Regular expression that a string matches."},
    {.name = "maxItems",
     .type = FIELD_INT64,
     .proto = 16,
     .flags = FIELD_POINTER,
     .doc = "How many elements a list may have."},
    {.name = "minItems",
     .type = FIELD_INT64,
     .proto = 17,
     .flags = FIELD_POINTER,
     .doc = "How many elements a list must have."},
    {.name = "uniqueItems",
     .type = FIELD_BOOL,
     .proto = 18,
     .doc = "Only false is allowed; a set is said by x-kubernetes-list-type."},
    {.name = "multipleOf",
     .type = FIELD_DOUBLE,
     .proto = 19,
     .flags = FIELD_POINTER,
     .doc = "Number that the value is a multiple of."},
    {.name = "enum", .type = FIELD_RAW, .shape = FIELD_LIST, .proto = 20, .doc = "All values that are allowed."},
    {.name = "maxProperties",
     .type = FIELD_INT64,
     .proto = 21,
     .flags = FIELD_POINTER,
     .doc = "How many members an object may have."},
    {.name = "minProperties",
     .type = FIELD_INT64,
     .proto = 22,
     .flags = FIELD_POINTER,
     .doc = "How many members an object must have."},
    {.name = "required",
     .type = FIELD_STRING,
     .shape = FIELD_LIST,
     .proto = 23,
     .doc = "Members that an object must have."},
    {.name = "items", .type = FIELD_RAW, .proto = 24, .doc = "Schema of the elements of a list."},
    {.name = "allOf",
     .type = FIELD_OBJECT,
     .shape = FIELD_LIST,
     .object = &type_json_schema_props,
     .proto = 25,
     .doc = "Schemas, all of which hold."},
    {.name = "oneOf",
     .type = FIELD_OBJECT,
     .shape = FIELD_LIST,
     .object = &type_json_schema_props,
     .proto = 26,
     .doc = "Schemas, exactly one of which holds."},
    {.name = "anyOf",
     .type = FIELD_OBJECT,
     .shape = FIELD_LIST,
     .object = &type_json_schema_props,
     .proto = 27,
     .doc = "Schemas, one of which holds at least."},
    {.name = "not",
     .type = FIELD_OBJECT,
     .object = &type_json_schema_props,
     .proto = 28,
     .doc = "Schema that does not hold."},
    {.name = "properties",
     .type = FIELD_OBJECT,
     .shape = FIELD_MAP,
     .object = &type_json_schema_props,
     .proto = 29,
     .doc = "Members of an object, each with its schema."},
    {.name = "additionalProperties",
     .type = FIELD_RAW,
     .proto = 30,
     .flags = FIELD_POINTER,
     .doc = "Schema of members that `properties` does not name, or true."},
    {.name = "patternProperties",
     .type = FIELD_OBJECT,
     .shape = FIELD_MAP,
     .object = &type_json_schema_props,
     .proto = 31,
     .doc = "Not allowed."},
    {.name = "dependencies", .type = FIELD_RAW, .shape = FIELD_MAP, .proto = 32, .doc = "Not allowed."},
    {.name = "additionalItems",
     .type = FIELD_RAW,
     .proto = 33,
     .flags = FIELD_POINTER,
     .doc = "Not used: lists have one schema for all."},
    {.name = "definitions",
     .type = FIELD_OBJECT,
     .shape = FIELD_MAP,
     .object = &type_json_schema_props,
     .proto = 34,
     .doc = "Not allowed: a schema stands where it is used."},
    {.name = "externalDocs",
     .type = FIELD_OBJECT,
     .object = &type_external_documentation,
     .proto = 35,
     .doc = "Where more is written."},
    {.name = "example", .type = FIELD_RAW, .proto = 36, .flags = FIELD_POINTER, .doc = "An example of a value."},
    {.name = "nullable", .type = FIELD_BOOL, .proto = 37, .doc = "Whether null is a value."},
    {.name = "x-kubernetes-preserve-unknown-fields",
     .type = FIELD_BOOL,
     .proto = 38,
     .flags = FIELD_POINTER,
     .doc = "Whether members that no schema names are kept."},
    {.name = "x-kubernetes-embedded-resource",
     .type = FIELD_BOOL,
     .proto = 39,
     .doc = "Whether the value is a whole object, with apiVersion, kind and metadata."},
    {.name = "x-kubernetes-int-or-string",
     .type = FIELD_BOOL,
     .proto = 40,
     .doc = "Whether the value is an integer or a string; then without a type."},
    {.name = "x-kubernetes-list-map-keys",
     .type = FIELD_STRING,
     .shape = FIELD_LIST,
     .proto = 41,
     .doc = "Members that tell the elements of a list of type map apart."},
    {.name = "x-kubernetes-list-type",
     .type = FIELD_STRING,
     .proto = 42,
     .flags = FIELD_POINTER,
     .one_of = list_types,
     .doc = "How lists are merged: atomic as a whole, set by value, map by keys."},
    {.name = "x-kubernetes-map-type",
     .type = FIELD_STRING,
     .proto = 43,
     .flags = FIELD_POINTER,
     .one_of = map_types,
     .doc = "How objects are merged: granular by member, atomic as a whole."},
    {.name = "x-kubernetes-validations",
     .type = FIELD_OBJECT,
     .shape = FIELD_LIST,
     .object = &type_validation_rule,
     .proto = 44,
     .list = LIST_MAP,
     .list_keys = "rule",
     .patch = PATCH_MERGE,
     .merge_key = "rule",
     .doc = "CEL rules that hold of the value."},
    {.name = NULL},
};
const struct type type_json_schema_props = {
    .name = "JSONSchemaProps",
    .doc = "A JSON schema, as far as custom resources may use it.",
    .definition = "io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1.JSONSchemaProps",
    .fields = fields_json_schema_props,
    .fill = fill_schema,
    .check = check_schema,
};

/* A schema that stands where the table says "any JSON": canonical, with its own defaults. */
static void fill_member(struct json_doc *d, struct json *parent, struct slice key)
{
    struct json *value = json_get_slice(parent, key), *made = NULL;
    if (json_type(value) != JSON_OBJECT || schema_decode(d, &type_json_schema_props, value, NULL, &made, NULL) != 0)
        return; /* of the other shape; wrong types inside are told by check_member */
    schema_default(d, &type_json_schema_props, made);
    json_set_slice(d, parent, key, made);
}

static void fill_schema(struct json_doc *d, struct json *v)
{
    static const char *const members[] = {"items", "additionalProperties", "additionalItems"};
    for (size_t i = 0; i < ARRAY_LEN(members); i++)
        fill_member(d, v, slice_str(members[i]));
}

static void check_rule(struct check *c, const struct json *v)
{
    struct slice message = json_string_at(v, "message");
    if (is_blank(json_string_at(v, "rule")))
        check_fail_at(c, "rule", CHECK_REQUIRED, NULL, "rule is not specified");
    if (message.size > 0 && is_blank(message))
        check_fail_at(c, "message", CHECK_INVALID, json_get(v, "message"), "message must be non-empty if specified");
    else if (slice_find(message, '\n') < message.size)
        check_fail_at(c, "message", CHECK_INVALID, json_get(v, "message"), "message must not contain line breaks");
}

static void check_forbidden(struct check *c, const struct json *v)
{
    static const struct {
        const char *field, *text;
    } never[] = {
        {"$ref", "$ref is not supported"},
        {"definitions", "definitions is not supported"},
        {"dependencies", "dependencies is not supported"},
        {"id", "id is not supported"},
        {"patternProperties", "patternProperties is not supported"},
    };
    for (size_t i = 0; i < ARRAY_LEN(never); i++)
        if (json_get(v, never[i].field) != NULL)
            check_fail_at(c, never[i].field, CHECK_FORBIDDEN, NULL, "%s", never[i].text);
    if (json_bool_at(v, "uniqueItems", false))
        check_fail_at(c, "uniqueItems", CHECK_FORBIDDEN, NULL,
                      "uniqueItems cannot be set to true since the runtime complexity becomes quadratic");
    const struct json *rest = json_get(v, "additionalProperties");
    if (json_type(rest) == JSON_BOOL && !json_bool(rest, true))
        check_fail_at(c, "additionalProperties", CHECK_FORBIDDEN, NULL, "additionalProperties cannot be set to false");
    else if (rest != NULL && json_size(json_get(v, "properties")) > 0)
        check_fail_at(c, "additionalProperties", CHECK_FORBIDDEN, NULL,
                      "additionalProperties and properties are mutual exclusive");
}

static void check_list_type(struct check *c, const struct json *v)
{
    struct slice kind = json_string_at(v, "x-kubernetes-list-type"), type = json_string_at(v, "type");
    bool keyed = json_size(json_get(v, "x-kubernetes-list-map-keys")) > 0;
    if (kind.size > 0 && !slice_is(type, "array"))
        check_fail_text_at(c, "type", CHECK_INVALID, type, "must be array if x-kubernetes-list-type is specified");
    if (slice_is(kind, "map") && !keyed)
        check_fail_at(c, "x-kubernetes-list-map-keys", CHECK_REQUIRED, NULL,
                      "must not be empty if x-kubernetes-list-type is map");
    if (keyed && !slice_is(kind, "map"))
        check_fail_text_at(c, "x-kubernetes-list-type", CHECK_INVALID, kind,
                           "must be map if x-kubernetes-list-map-keys is non-empty");
}

/* One of two shapes: a schema that could not be read stands here as it came. */
static void check_member(struct check *c, const struct json *v)
{
    if (json_type(v) != JSON_OBJECT)
        return;
    struct json_doc *d = json_doc_new();
    struct json *made = NULL;
    struct err why;
    if (schema_decode(d, &type_json_schema_props, v, NULL, &made, &why) != 0)
        check_fail(c, CHECK_INVALID, NULL, "%s", why.message);
    else
        schema_check(c, &type_json_schema_props, v);
    json_doc_free(d);
}

/* Of a schema as such, wherever it stands; that it has a type is asked of the structural ones alone (check_structural).
 */
static void check_schema(struct check *c, const struct json *v)
{
    struct slice type = json_string_at(v, "type");
    bool known = type.size == 0;
    for (size_t i = 0; schema_types[i] != NULL; i++)
        known |= slice_is(type, schema_types[i]);
    if (!known)
        check_fail_one_of_at(c, "type", json_get(v, "type"), schema_types);
    check_forbidden(c, v);
    check_list_type(c, v);
    if (json_type(json_get(v, "items")) == JSON_ARRAY)
        check_fail_at(c, "items", CHECK_FORBIDDEN, NULL, "items must be a schema object and not an array");
    static const char *const members[] = {"items", "additionalProperties", "additionalItems"};
    for (size_t i = 0; i < ARRAY_LEN(members); i++) {
        size_t mark = check_enter(c, members[i]);
        check_member(c, json_get(v, members[i]));
        check_leave(c, mark);
    }
}

/* Every value has a type, but those that say they are an integer or a string, or keep what nobody knows. */
void check_structural(struct check *c, const struct json *v, const char *place)
{
    struct slice type = json_string_at(v, "type");
    bool free = json_bool_at(v, "x-kubernetes-int-or-string", false) ||
                json_bool_at(v, "x-kubernetes-preserve-unknown-fields", false);
    if (type.size == 0 && !free)
        check_fail_at(c, "type", CHECK_REQUIRED, NULL, "must not be empty %s", place);
    if (slice_is(type, "array") && json_get(v, "items") == NULL)
        check_fail_at(c, "items", CHECK_REQUIRED, NULL, "must be specified");
    size_t mark = check_enter(c, "properties");
    struct json_iterator i = json_iterate(json_get(v, "properties"));
    while (json_next(&i)) {
        size_t at = check_enter_key(c, i.key);
        check_structural(c, i.value, "for specified object fields");
        check_leave(c, at);
    }
    check_leave(c, mark);
    if (json_type(json_get(v, "items")) == JSON_OBJECT) {
        mark = check_enter(c, "items");
        check_structural(c, json_get(v, "items"), "for specified array items");
        check_leave(c, mark);
    }
    if (json_type(json_get(v, "additionalProperties")) == JSON_OBJECT) {
        mark = check_enter(c, "additionalProperties");
        check_structural(c, json_get(v, "additionalProperties"), "for specified object fields");
        check_leave(c, mark);
    }
}
