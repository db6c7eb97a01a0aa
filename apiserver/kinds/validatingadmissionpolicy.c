/* ValidatingAdmissionPolicy, admissionregistration.k8s.io/v1. Expressions are kept as they are; whether they compile is
 * not looked at. */
#include "common/base.h"

#include "apiserver/check.h"
#include "apiserver/columns.h"
#include "apiserver/kinds/types.h"

static const char *const reasons[] = {"Forbidden", "Invalid", "RequestEntityTooLarge", "Unauthorized", NULL};

static void check_param_version(struct check *c, const struct json *v);
static void check_validation(struct check *c, const struct json *v);
static void check_variable(struct check *c, const struct json *v);
static void check_audit_annotation(struct check *c, const struct json *v);
static void check_policy_spec(struct check *c, const struct json *v);

static const struct field fields_audit_annotation[] = {
    {.name = "key",
     .type = FIELD_STRING,
     .proto = 1,
     .flags = FIELD_REQUIRED,
     .doc = "Last part of the annotation's key; the policy's name stands before it."},
    {.name = "valueExpression",
     .type = FIELD_STRING,
     .proto = 2,
     .flags = FIELD_REQUIRED | FIELD_TOLD,
     .doc = "CEL expression of its value; null: no annotation."},
    {.name = NULL},
};
static const struct type type_audit_annotation = {
    .name = "AuditAnnotation",
    .doc = "An annotation that a policy puts on the audit event of a request.",
    .fields = fields_audit_annotation,
    .check = check_audit_annotation,
};

static const struct field fields_param_kind[] = {
    {.name = "apiVersion", .type = FIELD_STRING, .proto = 1, .doc = "Group and version of the kind."},
    {.name = "kind", .type = FIELD_STRING, .proto = 2, .doc = "The kind."},
    {.name = NULL},
};
static const struct type type_param_kind = {
    .name = "ParamKind",
    .doc = "Kind of the objects with a policy's parameters.",
    .atomic = true,
    .fields = fields_param_kind,
    .check = check_param_version,
};

static const struct field fields_validation[] = {
    {.name = "expression",
     .type = FIELD_STRING,
     .proto = 1,
     .flags = FIELD_REQUIRED | FIELD_TOLD,
     .doc = "CEL expression."},
    {.name = "message", .type = FIELD_STRING, .proto = 2, .doc = "What is told when it is not."},
    {.name = "reason",
     .type = FIELD_STRING,
     .proto = 3,
     .flags = FIELD_POINTER,
     .one_of = reasons,
     .doc = "Reason of the refusal, such as Forbidden or Invalid."},
    {.name = "messageExpression",
     .type = FIELD_STRING,
     .proto = 4,
     .doc = "CEL expression of what is told; goes before `message`."},
    {.name = NULL},
};
static const struct type type_validation = {
    .name = "Validation",
    .doc = "An expression that has to be true.",
    .fields = fields_validation,
    .check = check_validation,
};

static const struct field fields_variable[] = {
    {.name = "name",
     .type = FIELD_STRING,
     .proto = 1,
     .flags = FIELD_REQUIRED,
     .required = "name is not specified",
     .doc = "Name that others use it by, as variables.NAME."},
    {.name = "expression",
     .type = FIELD_STRING,
     .proto = 2,
     .flags = FIELD_REQUIRED | FIELD_TOLD,
     .doc = "CEL expression."},
    {.name = NULL},
};
static const struct type type_variable = {
    .name = "Variable",
    .doc = "An expression with a name.",
    .atomic = true,
    .fields = fields_variable,
    .check = check_variable,
};

static const struct field fields_validating_admission_policy_spec[] = {
    {.name = "paramKind",
     .type = FIELD_OBJECT,
     .object = &type_param_kind,
     .proto = 1,
     .doc = "Kind of the objects with its parameters; none: it has none."},
    {.name = "matchConstraints",
     .type = FIELD_OBJECT,
     .object = &type_match_resources,
     .proto = 2,
     .doc = "Requests it is about."},
    {.name = "validations",
     .type = FIELD_OBJECT,
     .shape = FIELD_LIST,
     .object = &type_validation,
     .proto = 3,
     .doc = "Expressions that have to be true."},
    {.name = "failurePolicy",
     .type = FIELD_STRING,
     .proto = 4,
     .flags = FIELD_POINTER,
     .fallback = "\"Fail\"",
     .one_of = failure_policies,
     .doc = "What follows when the policy itself fails: Fail or Ignore."},
    {.name = "auditAnnotations",
     .type = FIELD_OBJECT,
     .shape = FIELD_LIST,
     .object = &type_audit_annotation,
     .proto = 5,
     .doc = "Annotations for the audit log."},
    {.name = "matchConditions",
     .type = FIELD_OBJECT,
     .shape = FIELD_LIST,
     .object = &type_match_condition,
     .proto = 6,
     .list = LIST_MAP,
     .list_keys = "name",
     .patch = PATCH_MERGE,
     .merge_key = "name",
     .check = check_match_conditions,
     .doc = "Conditions that a request has to meet for the policy to count."},
    {.name = "variables",
     .type = FIELD_OBJECT,
     .shape = FIELD_LIST,
     .object = &type_variable,
     .proto = 7,
     .list = LIST_MAP,
     .list_keys = "name",
     .patch = PATCH_MERGE,
     .merge_key = "name",
     .doc = "Expressions with names, which others use."},
    {.name = NULL},
};
static const struct type type_validating_admission_policy_spec = {
    .name = "ValidatingAdmissionPolicySpec",
    .doc = "Rules, and the requests they hold for.",
    .fields = fields_validating_admission_policy_spec,
    .check = check_policy_spec,
};

static const struct field fields_expression_warning[] = {
    {.name = "fieldRef",
     .type = FIELD_STRING,
     .proto = 2,
     .flags = FIELD_REQUIRED | FIELD_TOLD,
     .doc = "Path of the field that holds the expression."},
    {.name = "warning",
     .type = FIELD_STRING,
     .proto = 3,
     .flags = FIELD_REQUIRED | FIELD_TOLD,
     .doc = "What is wrong."},
    {.name = NULL},
};
static const struct type type_expression_warning = {
    .name = "ExpressionWarning",
    .doc = "What type checking found wrong with an expression.",
    .fields = fields_expression_warning,
};

static const struct field fields_type_checking[] = {
    {.name = "expressionWarnings",
     .type = FIELD_OBJECT,
     .shape = FIELD_LIST,
     .object = &type_expression_warning,
     .proto = 1,
     .doc = "Expressions with errors."},
    {.name = NULL},
};
static const struct type type_type_checking = {
    .name = "TypeChecking",
    .doc = "What type checking found.",
    .fields = fields_type_checking,
};

static const struct field fields_validating_admission_policy_status[] = {
    {.name = "observedGeneration",
     .type = FIELD_INT64,
     .proto = 1,
     .doc = "Generation of the object that the status is about."},
    {.name = "typeChecking",
     .type = FIELD_OBJECT,
     .object = &type_type_checking,
     .proto = 2,
     .doc = "What type checking of the expressions found."},
    {.name = "conditions",
     .type = FIELD_OBJECT,
     .shape = FIELD_LIST,
     .object = &type_condition,
     .proto = 3,
     .list = LIST_MAP,
     .list_keys = "type",
     .doc = "What holds of the object, one entry per type."},
    {.name = NULL},
};
static const struct type type_validating_admission_policy_status = {
    .name = "ValidatingAdmissionPolicyStatus",
    .doc = "What is known of a policy.",
    .fields = fields_validating_admission_policy_status,
};

static const struct field fields_validating_admission_policy[] = {
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
     .object = &type_validating_admission_policy_spec,
     .proto = 2,
     .flags = FIELD_ALWAYS,
     .doc = "What is wanted."},
    {.name = "status",
     .type = FIELD_OBJECT,
     .object = &type_validating_admission_policy_status,
     .proto = 3,
     .flags = FIELD_ALWAYS,
     .doc = "What was last seen of it; written by controllers."},
    {.name = NULL},
};
static const struct type type_validating_admission_policy = {
    .name = "ValidatingAdmissionPolicy",
    .doc = "Rules, in CEL, that objects have to meet on their way in.",
    .fields = fields_validating_admission_policy,
};

static void check_param_version(struct check *c, const struct json *v)
{
    struct slice version = json_string_at(v, "apiVersion"), kind = json_string_at(v, "kind");
    if (version.size == 0)
        check_fail_at(c, "apiVersion", CHECK_REQUIRED, NULL, "%s", "");
    if (kind.size == 0)
        check_fail_at(c, "kind", CHECK_REQUIRED, NULL, "%s", "");
}

static void check_validation(struct check *c, const struct json *v)
{
    struct slice expression = json_string_at(v, "expression"), message = json_string_at(v, "message");
    bool has_message = message.size > 0, has_other = json_string_at(v, "messageExpression").size > 0;
    if (is_blank(expression))
        check_fail_at(c, "expression", CHECK_REQUIRED, NULL, "expression is not specified");
    if (has_other && is_blank(json_string_at(v, "messageExpression")))
        check_fail_at(c, "messageExpression", CHECK_INVALID, json_get(v, "messageExpression"),
                      "must be non-empty if specified");
    if (has_message && is_blank(message))
        check_fail_at(c, "message", CHECK_INVALID, json_get(v, "message"), "message must be non-empty if specified");
    else if (slice_find(message, '\n') < message.size)
        check_fail_at(c, "message", CHECK_INVALID, json_get(v, "message"), "message must not contain line breaks");
    else if (!has_message && slice_find(expression, '\n') < expression.size)
        check_fail_at(c, "message", CHECK_REQUIRED, NULL,
                      "message must be specified if expression contains line breaks");
}

static bool is_identifier(struct slice s)
{
    for (size_t i = 0; i < s.size; i++) {
        char ch = s.data[i];
        bool letter = (ch >= 'a' && ch <= 'z') || (ch >= 'A' && ch <= 'Z') || ch == '_';
        if (!letter && (i == 0 || ch < '0' || ch > '9'))
            return false;
    }
    return s.size > 0;
}

static void check_variable(struct check *c, const struct json *v)
{
    struct slice name = json_string_at(v, "name");
    if (name.size > 0 && !is_identifier(name))
        check_fail_at(c, "name", CHECK_INVALID, json_get(v, "name"), "name is not a valid CEL identifier");
    if (is_blank(json_string_at(v, "expression")))
        check_fail_at(c, "expression", CHECK_REQUIRED, NULL, "expression is not specified");
}

static void check_audit_annotation(struct check *c, const struct json *v)
{
    if (is_blank(json_string_at(v, "valueExpression")))
        check_fail_at(c, "valueExpression", CHECK_REQUIRED, NULL, "valueExpression is not specified");
}

static void check_policy_spec(struct check *c, const struct json *v)
{
    static const char *const either[] = {"validations", "auditAnnotations"};
    bool any = false;
    if (json_get(v, "matchConstraints") == NULL)
        check_fail_at(c, "matchConstraints", CHECK_REQUIRED, NULL, "%s", "");
    else if (json_size(json_at(v, "matchConstraints.resourceRules")) == 0)
        check_fail_at(c, "matchConstraints.resourceRules", CHECK_REQUIRED, NULL, "%s", "");
    for (size_t i = 0; i < ARRAY_LEN(either); i++)
        any |= json_size(json_get(v, either[i])) > 0;
    for (size_t i = 0; i < ARRAY_LEN(either) && !any; i++)
        check_fail_at(c, either[i], CHECK_REQUIRED, NULL, "validations or auditAnnotations must be non-empty");
}

static const struct column columns[] = {
    {.name = "Name", .type = "string", .format = "name", .doc = "Name of the object, unique in the cluster."},
    {.name = "Validations", .type = "integer", .doc = "How many validations it has."},
    {.name = "ParamKind", .type = "string", .doc = "Kind of the objects that hold its parameters."},
    {.name = "Age", .type = "string", .doc = "Time since the object was created."},
    {.name = NULL},
};

static void row(const struct json *o, const struct column_now *now, struct cells *out)
{
    const struct json *kind = json_at(o, "spec.paramKind");
    cells_add(out, json_string_at(o, "metadata.name"));
    cells_int(out, (int64_t)json_size(json_at(o, "spec.validations")));
    if (kind == NULL)
        cells_str(out, "<unset>");
    else
        cells_printf(out, "%.*s/%.*s", SLICE_ARGS(json_string_at(kind, "apiVersion")),
                     SLICE_ARGS(json_string_at(kind, "kind")));
    cells_age(out, json_string_at(o, "metadata.creationTimestamp"), now);
}

static const struct subresource subresources[] = {
    {"status", "admissionregistration.k8s.io", "v1", "ValidatingAdmissionPolicy", "get,patch,update", CONNECTS_NOT},
    {.name = NULL},
};

const struct kind kind_validatingadmissionpolicy = {
    .group = "admissionregistration.k8s.io",
    .version = "v1",
    .name = "ValidatingAdmissionPolicy",
    .plural = "validatingadmissionpolicies",
    .singular = "validatingadmissionpolicy",
    .categories = api_extensions,
    .storage_prefix = "validatingadmissionpolicies",
    .verbs = "create,delete,deletecollection,get,list,patch,update,watch",
    .type = &type_validating_admission_policy,
    .subresources = subresources,
    .columns = columns,
    .row = row,
    .update_needs_version = true,
};
