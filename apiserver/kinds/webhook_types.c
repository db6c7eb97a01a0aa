/* What the kinds of admissionregistration.k8s.io share: rules, match conditions, clients of webhooks. */
#include "common/base.h"

#include "apiserver/check.h"
#include "apiserver/columns.h"
#include "apiserver/kinds/types.h"
#include "apiserver/names.h"

#define MATCH_CONDITIONS_MAX 64

static const char *const operations[] = {"*", "CONNECT", "CREATE", "DELETE", "UPDATE", NULL};
static const char *const scopes[] = {"*", "Cluster", "Namespaced", NULL};
const char *const match_policies[] = {"Equivalent", "Exact", NULL};
const char *const side_effects[] = {"None", "NoneOnDryRun", NULL};

static void check_operations(struct check *c, const struct json *v);
static void check_groups(struct check *c, const struct json *v);
static void check_versions(struct check *c, const struct json *v);
static void check_rule_resources(struct check *c, const struct json *v);
static void check_client_config(struct check *c, const struct json *v);
static void check_rule(struct check *c, const struct json *v);
static void check_expression(struct check *c, const struct json *v);

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
    .fields = fields_service_reference,
    .check = check_webhook_service,
};

static const struct field fields_webhook_client_config[] = {
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
const struct type type_webhook_client_config = {
    .name = "WebhookClientConfig",
    .doc = "How a webhook is reached: by URL or as a service.",
    .fields = fields_webhook_client_config,
    .check = check_client_config,
};

static const struct field fields_match_condition[] = {
    {.name = "name",
     .type = FIELD_STRING,
     .proto = 1,
     .flags = FIELD_REQUIRED,
     .check = check_qualified,
     .doc = "Name of the condition, unique within its list."},
    {.name = "expression",
     .type = FIELD_STRING,
     .proto = 2,
     .flags = FIELD_REQUIRED | FIELD_TOLD,
     .doc = "CEL expression that yields true or false."},
    {.name = NULL},
};
const struct type type_match_condition = {
    .name = "MatchCondition",
    .doc = "A condition that a request has to meet.",
    .fields = fields_match_condition,
    .check = check_expression,
};

static const struct field fields_rule[] = {
    {.name = "apiGroups",
     .type = FIELD_STRING,
     .shape = FIELD_LIST,
     .proto = 1,
     .check = check_groups,
     .doc = "Groups of the resources; '*' for all."},
    {.name = "apiVersions",
     .type = FIELD_STRING,
     .shape = FIELD_LIST,
     .proto = 2,
     .check = check_versions,
     .doc = "Versions of the groups; '*' for all."},
    {.name = "resources",
     .type = FIELD_STRING,
     .shape = FIELD_LIST,
     .proto = 3,
     .check = check_rule_resources,
     .doc = "Names of the resources, with '/' and a name for subresources; '*' for all."},
    {.name = "scope",
     .type = FIELD_STRING,
     .proto = 4,
     .flags = FIELD_POINTER,
     .fallback = "\"*\"",
     .one_of = scopes,
     .doc = "Cluster, Namespaced, or '*' for both."},
    {.name = NULL},
};
static const struct type type_rule = {
    .name = "Rule",
    .doc = "Resources.",
    .fields = fields_rule,
};

static const struct field fields_rule_with_operations[] = {
    {.name = "operations",
     .type = FIELD_STRING,
     .shape = FIELD_LIST,
     .proto = 1,
     .check = check_operations,
     .doc = "CREATE, UPDATE, DELETE, CONNECT, or '*' for all."},
    {.name = "", .type = FIELD_OBJECT, .object = &type_rule, .proto = 2, .flags = FIELD_INLINE},
    {.name = NULL},
};
const struct type type_rule_with_operations = {
    .name = "RuleWithOperations",
    .doc = "Resources, and what is done with them.",
    .fields = fields_rule_with_operations,
    .check = check_rule,
};

static const struct field fields_named_rule_with_operations[] = {
    {.name = "resourceNames",
     .type = FIELD_STRING,
     .shape = FIELD_LIST,
     .proto = 1,
     .check = check_each_once,
     .doc = "Names of the objects it is about; none: all."},
    {.name = "", .type = FIELD_OBJECT, .object = &type_rule_with_operations, .proto = 2, .flags = FIELD_INLINE},
    {.name = NULL},
};
static const struct type type_named_rule_with_operations = {
    .name = "NamedRuleWithOperations",
    .doc = "Resources, operations, and names of objects.",
    .atomic = true,
    .fields = fields_named_rule_with_operations,
};

static const struct field fields_match_resources[] = {
    {.name = "namespaceSelector",
     .type = FIELD_OBJECT,
     .object = &type_label_selector,
     .proto = 1,
     .fallback = "{}",
     .doc = "Only objects in namespaces with these labels."},
    {.name = "objectSelector",
     .type = FIELD_OBJECT,
     .object = &type_label_selector,
     .proto = 2,
     .fallback = "{}",
     .doc = "Only objects with these labels."},
    {.name = "resourceRules",
     .type = FIELD_OBJECT,
     .shape = FIELD_LIST,
     .object = &type_named_rule_with_operations,
     .proto = 3,
     .doc = "Resources and operations it is about."},
    {.name = "excludeResourceRules",
     .type = FIELD_OBJECT,
     .shape = FIELD_LIST,
     .object = &type_named_rule_with_operations,
     .proto = 4,
     .doc = "Requests that are left out, whatever the rules say."},
    {.name = "matchPolicy",
     .type = FIELD_STRING,
     .proto = 7,
     .flags = FIELD_POINTER,
     .fallback = "\"Equivalent\"",
     .one_of = match_policies,
     .doc = "Equivalent: also requests for other versions of the same resource; Exact: only those that are named."},
    {.name = NULL},
};
const struct type type_match_resources = {
    .name = "MatchResources",
    .doc = "Requests that a policy is about.",
    .atomic = true,
    .fields = fields_match_resources,
};

static void check_operations(struct check *c, const struct json *v)
{
    check_star_alone(c, v, "operations");
    check_each_of(c, v, operations);
}

static void check_groups(struct check *c, const struct json *v) { check_star_alone(c, v, "API groups"); }

static void check_filled(struct check *c, const struct json *v)
{
    struct json_iterator i = json_iterate(v);
    while (json_next(&i)) {
        size_t mark = check_enter_index(c, i.position - 1);
        if (json_string(i.value).size == 0)
            check_fail(c, CHECK_REQUIRED, NULL, "%s", "");
        check_leave(c, mark);
    }
}

static void check_versions(struct check *c, const struct json *v)
{
    check_filled(c, v);
    check_star_alone(c, v, "API versions");
}

/* "*" stands for everything without subresources, "*" "/" "*" for all, "pods/" "*" for all of pods. */
static void check_rule_resources(struct check *c, const struct json *v)
{
    bool plain = false;
    struct json_iterator i = json_iterate(v);
    check_filled(c, v);
    while (json_next(&i)) {
        struct slice rest = json_string(i.value), resource = slice_cut(&rest, '/');
        struct buf whole = {0};
        buf_printf(&whole, "%.*s/*", SLICE_ARGS(resource));
        size_t mark = check_enter_index(c, i.position - 1);
        plain |= rest.data == NULL && !slice_is(resource, "*");
        if (rest.size > 0 && !slice_is(rest, "*") && list_has(v, whole.data))
            check_fail(c, CHECK_INVALID, i.value, "if '%s' is present, must not specify %.*s", whole.data,
                       SLICE_ARGS(json_string(i.value)));
        check_leave(c, mark);
        buf_release(&whole);
    }
    if (json_size(v) > 1 && list_has(v, "*/*"))
        check_fail(c, CHECK_INVALID, v, "if '*/*' is present, must not specify other resources");
    if (plain && list_has(v, "*"))
        check_fail(c, CHECK_INVALID, v, "if '*' is present, must not specify other resources without subresources");
}

static void check_rule(struct check *c, const struct json *v)
{
    static const char *const needed[] = {"operations", "apiGroups", "apiVersions", "resources"};
    for (size_t i = 0; i < ARRAY_LEN(needed); i++)
        if (json_size(json_get(v, needed[i])) == 0)
            check_fail_at(c, needed[i], CHECK_REQUIRED, NULL, "%s", "");
}

static void check_client_config(struct check *c, const struct json *v)
{
    if ((json_get(v, "url") != NULL) == (json_get(v, "service") != NULL))
        check_fail(c, CHECK_REQUIRED, NULL, "exactly one of url or service is required");
}

/* Whether it compiles is not looked at. */
static void check_expression(struct check *c, const struct json *v)
{
    if (is_blank(json_string_at(v, "expression")))
        check_fail_at(c, "expression", CHECK_REQUIRED, NULL, "%s", "");
}

void check_match_conditions(struct check *c, const struct json *v)
{
    if (json_size(v) > MATCH_CONDITIONS_MAX)
        check_fail(c, CHECK_TOO_MANY, NULL, "%zu: must have at most %d items", json_size(v), MATCH_CONDITIONS_MAX);
}

static void check_name(struct check *c, const struct json *v)
{
    struct err why;
    struct slice rest = json_string(v);
    size_t parts = 0;
    if (name_check_subdomain(rest, &why) != 0) {
        check_fail(c, CHECK_INVALID, v, "%s", why.message);
        return;
    }
    for (; rest.data != NULL; parts++)
        (void)slice_cut(&rest, '.');
    if (parts < 3)
        check_fail(c, CHECK_INVALID, v, "should be a domain with at least three segments separated by dots");
}

void check_webhook_name(struct check *c, const struct json *v)
{
    if (json_string(v).size > 0)
        check_name(c, v);
}

void check_webhook_timeout(struct check *c, const struct json *v)
{
    if (json_int_or(v, 0) < 1 || json_int_or(v, 0) > 30)
        check_fail(c, CHECK_INVALID, v, "the timeout value must be between 1 and 30 seconds");
}

/* Of AdmissionReview or ConversionReview: names of versions, one of which this server speaks. */
void check_review_versions(struct check *c, const struct json *v)
{
    struct json_iterator i = json_iterate(v);
    bool known = false;
    while (json_next(&i)) {
        bool before = false;
        for (size_t k = 0; k + 1 < i.position; k++)
            before |= json_equal(json_element(v, k), i.value);
        size_t mark = check_enter_index(c, i.position - 1);
        if (before)
            check_fail(c, CHECK_INVALID, i.value, "duplicate version");
        struct err why;
        if (name_check_label1035(json_string(i.value), &why) != 0)
            check_fail(c, CHECK_INVALID, i.value, "%s", why.message);
        check_leave(c, mark);
        known |= slice_is(json_string(i.value), "v1") || slice_is(json_string(i.value), "v1beta1");
    }
    if (!known && json_size(v) > 0)
        check_fail(c, CHECK_INVALID, v, "must include at least one of v1, v1beta1");
}

const struct column webhook_columns[] = {
    {.name = "Name", .type = "string", .format = "name", .doc = "Name of the object, unique in the cluster."},
    {.name = "Webhooks", .type = "integer", .doc = "How many webhooks it names."},
    {.name = "Age", .type = "string", .doc = "Time since the object was created."},
    {.name = NULL},
};

void webhook_row(const struct json *o, const struct column_now *now, struct cells *out)
{
    cells_add(out, json_string_at(o, "metadata.name"));
    cells_int(out, (int64_t)json_size(json_get(o, "webhooks")));
    cells_age(out, json_string_at(o, "metadata.creationTimestamp"), now);
}

const char *const failure_policies[] = {"Fail", "Ignore", NULL};
const char *const api_extensions[] = {"api-extensions", NULL};
