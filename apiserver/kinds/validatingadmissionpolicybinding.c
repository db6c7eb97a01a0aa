/* ValidatingAdmissionPolicyBinding, admissionregistration.k8s.io/v1. */
#include "common/base.h"

#include "apiserver/check.h"
#include "apiserver/columns.h"
#include "apiserver/kinds/types.h"

static const char *const not_found_actions[] = {"Allow", "Deny", NULL};
static const char *const actions[] = {"Audit", "Deny", "Warn", NULL};

static void check_param_ref(struct check *c, const struct json *v);
static void check_binding_spec(struct check *c, const struct json *v);
static void check_actions(struct check *c, const struct json *v);

static const struct field fields_param_ref[] = {
    {.name = "name",
     .type = FIELD_STRING,
     .proto = 1,
     .check = check_dns_subdomain,
     .doc = "Name of the object; not with `selector`."},
    {.name = "namespace",
     .type = FIELD_STRING,
     .proto = 2,
     .check = check_dns_label,
     .doc = "Its namespace; none: that of the request."},
    {.name = "selector",
     .type = FIELD_OBJECT,
     .object = &type_label_selector,
     .proto = 3,
     .doc = "All objects with these labels; not with `name`."},
    {.name = "parameterNotFoundAction",
     .type = FIELD_STRING,
     .proto = 4,
     .flags = FIELD_POINTER,
     .one_of = not_found_actions,
     .doc = "What follows when there is none: Allow or Deny."},
    {.name = NULL},
};
static const struct type type_param_ref = {
    .name = "ParamRef",
    .doc = "Objects with a policy's parameters.",
    .atomic = true,
    .fields = fields_param_ref,
    .check = check_param_ref,
};

static const struct field fields_validating_admission_policy_binding_spec[] = {
    {.name = "policyName",
     .type = FIELD_STRING,
     .proto = 1,
     .check = check_dns_subdomain,
     .doc = "Name of the policy."},
    {.name = "paramRef",
     .type = FIELD_OBJECT,
     .object = &type_param_ref,
     .proto = 2,
     .doc = "Objects with parameters."},
    {.name = "matchResources",
     .type = FIELD_OBJECT,
     .object = &type_match_resources,
     .proto = 3,
     .doc = "Requests it is about, beside what the policy says."},
    {.name = "validationActions",
     .type = FIELD_STRING,
     .shape = FIELD_LIST,
     .proto = 4,
     .list = LIST_SET,
     .check = check_actions,
     .doc = "What follows when a validation fails: Deny, Warn or Audit."},
    {.name = NULL},
};
static const struct type type_validating_admission_policy_binding_spec = {
    .name = "ValidatingAdmissionPolicyBindingSpec",
    .doc = "Which policy, with what, and to what end.",
    .fields = fields_validating_admission_policy_binding_spec,
    .check = check_binding_spec,
};

static const struct field fields_validating_admission_policy_binding[] = {
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
     .object = &type_validating_admission_policy_binding_spec,
     .proto = 2,
     .flags = FIELD_ALWAYS,
     .doc = "What is wanted."},
    {.name = NULL},
};
static const struct type type_validating_admission_policy_binding = {
    .name = "ValidatingAdmissionPolicyBinding",
    .doc = "Puts a policy to work, with parameters.",
    .fields = fields_validating_admission_policy_binding,
};

static void check_param_ref(struct check *c, const struct json *v)
{
    bool named = json_string_at(v, "name").size > 0, selects = json_get(v, "selector") != NULL;
    if (named && selects)
        check_fail_at(c, "name", CHECK_FORBIDDEN, NULL, "name and selector are mutually exclusive");
    if (!named && !selects)
        check_fail(c, CHECK_REQUIRED, NULL, "one of name or selector must be specified");
    if (json_string_at(v, "parameterNotFoundAction").size == 0)
        check_fail_at(c, "parameterNotFoundAction", CHECK_REQUIRED, NULL, "%s", "");
}

static void check_actions(struct check *c, const struct json *v)
{
    check_each_of(c, v, actions);
    check_each_once(c, v);
    if (list_has(v, "Deny") && list_has(v, "Warn"))
        check_fail(c, CHECK_INVALID, v,
                   "must not contain both Deny and Warn (repeating the same validation failure information in the API "
                   "response and headers serves no purpose)");
}

static void check_binding_spec(struct check *c, const struct json *v)
{
    if (json_string_at(v, "policyName").size == 0)
        check_fail_at(c, "policyName", CHECK_REQUIRED, NULL, "%s", "");
    if (json_size(json_get(v, "validationActions")) == 0)
        check_fail_at(c, "validationActions", CHECK_REQUIRED, NULL, "at least one validation action is required");
}

static const struct column columns[] = {
    {.name = "Name", .type = "string", .format = "name", .doc = "Name of the object, unique in the cluster."},
    {.name = "PolicyName", .type = "string", .doc = "The policy that it puts to work."},
    {.name = "ParamRef", .type = "string", .doc = "Where the policy's parameters stand."},
    {.name = "Age", .type = "string", .doc = "Time since the object was created."},
    {.name = NULL},
};

static void param_cell(const struct json *ref, struct cells *out)
{
    struct slice name = json_string_at(ref, "name"), namespace = json_string_at(ref, "namespace");
    struct buf text = {0};
    if (name.size > 0)
        buf_printf(&text, "%.*s/%.*s", SLICE_ARGS(namespace.size > 0 ? namespace : SLICE("*")), SLICE_ARGS(name));
    else if (json_get(ref, "selector") != NULL)
        selector_text(json_get(ref, "selector"), &text);
    cells_or(out, buf_slice(&text), "<unset>");
    buf_release(&text);
}

static void row(const struct json *o, const struct column_now *now, struct cells *out)
{
    cells_add(out, json_string_at(o, "metadata.name"));
    cells_add(out, json_string_at(o, "spec.policyName"));
    param_cell(json_at(o, "spec.paramRef"), out);
    cells_age(out, json_string_at(o, "metadata.creationTimestamp"), now);
}

const struct kind kind_validatingadmissionpolicybinding = {
    .group = "admissionregistration.k8s.io",
    .version = "v1",
    .name = "ValidatingAdmissionPolicyBinding",
    .plural = "validatingadmissionpolicybindings",
    .singular = "validatingadmissionpolicybinding",
    .categories = api_extensions,
    .storage_prefix = "validatingadmissionpolicybindings",
    .verbs = "create,delete,deletecollection,get,list,patch,update,watch",
    .type = &type_validating_admission_policy_binding,
    .columns = columns,
    .row = row,
    .update_needs_version = true,
};
