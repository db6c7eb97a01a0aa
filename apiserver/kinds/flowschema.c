/* FlowSchema, flowcontrol.apiserver.k8s.io/v1. */
#include "common/base.h"

#include "apiserver/check.h"
#include "apiserver/columns.h"
#include "apiserver/kinds/types.h"

#define PRECEDENCE_MAX 10000

static const char *const distinguishers[] = {"ByNamespace", "ByUser", NULL};
static const char *const subject_kinds[] = {"Group", "ServiceAccount", "User", NULL};

static void check_flow_subject(struct check *c, const struct json *v);
static void check_verbs(struct check *c, const struct json *v);
static void check_groups(struct check *c, const struct json *v);
static void check_flow_resources(struct check *c, const struct json *v);
static void check_namespaces(struct check *c, const struct json *v);
static void check_paths(struct check *c, const struct json *v);
static void check_resource_rule(struct check *c, const struct json *v);
static void check_flow_rules(struct check *c, const struct json *v);
static void check_flow_schema(struct check *c, const struct json *v);

static const struct field fields_flow_distinguisher_method[] = {
    {.name = "type",
     .type = FIELD_STRING,
     .proto = 1,
     .flags = FIELD_REQUIRED,
     .one_of = distinguishers,
     .doc = "ByUser or ByNamespace."},
    {.name = NULL},
};
static const struct type type_flow_distinguisher_method = {
    .name = "FlowDistinguisherMethod",
    .doc = "How the requests of a schema are parted into flows.",
    .fields = fields_flow_distinguisher_method,
};

static const struct field fields_priority_level_configuration_reference[] = {
    {.name = "name",
     .type = FIELD_STRING,
     .proto = 1,
     .flags = FIELD_REQUIRED,
     .required = "must reference a priority level",
     .check = check_dns_subdomain,
     .doc = "Name of the level."},
    {.name = NULL},
};
static const struct type type_priority_level_configuration_reference = {
    .name = "PriorityLevelConfigurationReference",
    .doc = "A priority level by name.",
    .fields = fields_priority_level_configuration_reference,
};

static const struct field fields_non_resource_policy_rule[] = {
    {.name = "verbs",
     .type = FIELD_STRING,
     .shape = FIELD_LIST,
     .proto = 1,
     .flags = FIELD_REQUIRED,
     .list = LIST_SET,
     .required = "verbs must contain at least one value",
     .check = check_verbs,
     .doc = "HTTP methods in small letters; '*' for all."},
    {.name = "nonResourceURLs",
     .type = FIELD_STRING,
     .shape = FIELD_LIST,
     .proto = 6,
     .flags = FIELD_REQUIRED,
     .list = LIST_SET,
     .required = "nonResourceURLs must contain at least one value",
     .check = check_paths,
     .doc = "Paths, which may end with '*'."},
    {.name = NULL},
};
static const struct type type_non_resource_policy_rule = {
    .name = "NonResourcePolicyRule",
    .doc = "Requests for paths that are no resources.",
    .fields = fields_non_resource_policy_rule,
};

static const struct field fields_resource_policy_rule[] = {
    {.name = "verbs",
     .type = FIELD_STRING,
     .shape = FIELD_LIST,
     .proto = 1,
     .flags = FIELD_REQUIRED,
     .list = LIST_SET,
     .required = "verbs must contain at least one value",
     .check = check_verbs,
     .doc = "What is done; '*' for everything."},
    {.name = "apiGroups",
     .type = FIELD_STRING,
     .shape = FIELD_LIST,
     .proto = 2,
     .flags = FIELD_REQUIRED,
     .list = LIST_SET,
     .required = "resource rules must supply at least one api group",
     .check = check_groups,
     .doc = "Groups of the resources; '*' for all."},
    {.name = "resources",
     .type = FIELD_STRING,
     .shape = FIELD_LIST,
     .proto = 3,
     .flags = FIELD_REQUIRED,
     .list = LIST_SET,
     .required = "resource rules must supply at least one resource",
     .check = check_flow_resources,
     .doc = "Names of the resources, such as pods or deployments/scale; '*' for all."},
    {.name = "clusterScope", .type = FIELD_BOOL, .proto = 4, .doc = "Whether requests without a namespace match."},
    {.name = "namespaces",
     .type = FIELD_STRING,
     .shape = FIELD_LIST,
     .proto = 5,
     .list = LIST_SET,
     .check = check_namespaces,
     .doc = "Namespaces of the requests; '*' for all."},
    {.name = NULL},
};
static const struct type type_resource_policy_rule = {
    .name = "ResourcePolicyRule",
    .doc = "Requests for resources.",
    .fields = fields_resource_policy_rule,
    .check = check_resource_rule,
};

static const struct field fields_group_subject[] = {
    {.name = "name",
     .type = FIELD_STRING,
     .proto = 1,
     .flags = FIELD_REQUIRED,
     .doc = "Name of the group; '*' for all."},
    {.name = NULL},
};
static const struct type type_group_subject = {
    .name = "GroupSubject",
    .doc = "All users of a group.",
    .fields = fields_group_subject,
};

static const struct field fields_service_account_subject[] = {
    {.name = "namespace", .type = FIELD_STRING, .proto = 1, .flags = FIELD_REQUIRED, .doc = "Its namespace."},
    {.name = "name",
     .type = FIELD_STRING,
     .proto = 2,
     .flags = FIELD_REQUIRED,
     .doc = "Its name; '*' for all of the namespace."},
    {.name = NULL},
};
static const struct type type_service_account_subject = {
    .name = "ServiceAccountSubject",
    .doc = "A service account.",
    .fields = fields_service_account_subject,
};

static const struct field fields_user_subject[] = {
    {.name = "name",
     .type = FIELD_STRING,
     .proto = 1,
     .flags = FIELD_REQUIRED,
     .doc = "Name of the user; '*' for all."},
    {.name = NULL},
};
static const struct type type_user_subject = {
    .name = "UserSubject",
    .doc = "A user.",
    .fields = fields_user_subject,
};

static const struct field fields_flow_subject[] = {
    {.name = "kind",
     .type = FIELD_STRING,
     .proto = 1,
     .flags = FIELD_REQUIRED,
     .one_of = subject_kinds,
     .doc = "User, Group or ServiceAccount."},
    {.name = "user",
     .type = FIELD_OBJECT,
     .object = &type_user_subject,
     .proto = 2,
     .doc = "The user; with kind User."},
    {.name = "group",
     .type = FIELD_OBJECT,
     .object = &type_group_subject,
     .proto = 3,
     .doc = "The group; with kind Group."},
    {.name = "serviceAccount",
     .type = FIELD_OBJECT,
     .object = &type_service_account_subject,
     .proto = 4,
     .doc = "The account; with kind ServiceAccount."},
    {.name = NULL},
};
static const struct type type_flow_subject = {
    .name = "Subject",
    .doc = "Whose requests: a user's, a group's or a service account's.",
    .fields = fields_flow_subject,
    .check = check_flow_subject,
};

static const struct field fields_policy_rules_with_subjects[] = {
    {.name = "subjects",
     .type = FIELD_OBJECT,
     .shape = FIELD_LIST,
     .object = &type_flow_subject,
     .proto = 1,
     .flags = FIELD_REQUIRED,
     .required = "subjects must contain at least one value",
     .doc = "Whose requests."},
    {.name = "resourceRules",
     .type = FIELD_OBJECT,
     .shape = FIELD_LIST,
     .object = &type_resource_policy_rule,
     .proto = 2,
     .doc = "Requests for resources."},
    {.name = "nonResourceRules",
     .type = FIELD_OBJECT,
     .shape = FIELD_LIST,
     .object = &type_non_resource_policy_rule,
     .proto = 3,
     .doc = "Requests for paths."},
    {.name = NULL},
};
static const struct type type_policy_rules_with_subjects = {
    .name = "PolicyRulesWithSubjects",
    .doc = "Requests of some users.",
    .fields = fields_policy_rules_with_subjects,
    .check = check_flow_rules,
};

static const struct field fields_flow_schema_spec[] = {
    {.name = "priorityLevelConfiguration",
     .type = FIELD_OBJECT,
     .object = &type_priority_level_configuration_reference,
     .proto = 1,
     .flags = FIELD_REQUIRED | FIELD_ALWAYS,
     .doc = "The level that its requests belong to."},
    {.name = "matchingPrecedence",
     .type = FIELD_INT32,
     .proto = 2,
     .fallback = "1000",
     .doc = "Of schemas that match a request the one with the smallest number counts; 1 to 10000."},
    {.name = "distinguisherMethod",
     .type = FIELD_OBJECT,
     .object = &type_flow_distinguisher_method,
     .proto = 3,
     .doc = "How requests are parted into flows; none: they are one flow."},
    {.name = "rules",
     .type = FIELD_OBJECT,
     .shape = FIELD_LIST,
     .object = &type_policy_rules_with_subjects,
     .proto = 4,
     .doc = "Requests that it is about: those that any rule matches."},
    {.name = NULL},
};
static const struct type type_flow_schema_spec = {
    .name = "FlowSchemaSpec",
    .doc = "Requests, and the level they belong to.",
    .fields = fields_flow_schema_spec,
};

static const struct field fields_flow_schema_condition[] = {
    {.name = "type", .type = FIELD_STRING, .proto = 1, .doc = "What the condition is about: Dangling."},
    {.name = "status", .type = FIELD_STRING, .proto = 2, .doc = "True, False or Unknown."},
    {.name = "lastTransitionTime",
     .type = FIELD_TIME,
     .proto = 3,
     .flags = FIELD_ALWAYS,
     .doc = "When the status last changed."},
    {.name = "reason", .type = FIELD_STRING, .proto = 4, .doc = "One word, for machines, why it is so."},
    {.name = "message", .type = FIELD_STRING, .proto = 5, .doc = "What a person should know about it."},
    {.name = NULL},
};
static const struct type type_flow_schema_condition = {
    .name = "FlowSchemaCondition",
    .doc = "One thing that holds, or does not, of a flow schema.",
    .fields = fields_flow_schema_condition,
};

static const struct field fields_flow_schema_status[] = {
    {.name = "conditions",
     .type = FIELD_OBJECT,
     .shape = FIELD_LIST,
     .object = &type_flow_schema_condition,
     .proto = 1,
     .list = LIST_MAP,
     .list_keys = "type",
     .patch = PATCH_MERGE,
     .merge_key = "type",
     .doc = "What holds of the object, one entry per type."},
    {.name = NULL},
};
static const struct type type_flow_schema_status = {
    .name = "FlowSchemaStatus",
    .doc = "What is known of a flow schema.",
    .fields = fields_flow_schema_status,
};

static const struct field fields_flow_schema[] = {
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
     .object = &type_flow_schema_spec,
     .proto = 2,
     .flags = FIELD_ALWAYS,
     .doc = "What is wanted."},
    {.name = "status",
     .type = FIELD_OBJECT,
     .object = &type_flow_schema_status,
     .proto = 3,
     .flags = FIELD_ALWAYS,
     .doc = "What was last seen of it; written by controllers."},
    {.name = NULL},
};
static const struct type type_flow_schema = {
    .name = "FlowSchema",
    .doc = "Says which requests belong to which priority level.",
    .fields = fields_flow_schema,
    .check = check_flow_schema,
};

/* The member that `kind` names, and no other. */
static void check_flow_subject(struct check *c, const struct json *v)
{
    static const struct {
        const char *kind, *member;
    } members[] = {{"ServiceAccount", "serviceAccount"}, {"User", "user"}, {"Group", "group"}};
    struct slice kind = json_string_at(v, "kind");
    bool known = false;
    for (size_t i = 0; i < ARRAY_LEN(members); i++)
        known |= slice_is(kind, members[i].kind);
    for (size_t i = 0; i < ARRAY_LEN(members) && known; i++) {
        bool there = json_get(v, members[i].member) != NULL, wanted = slice_is(kind, members[i].kind);
        if (wanted && !there)
            check_fail_at(c, members[i].member, CHECK_REQUIRED, NULL, "%s is required when subject kind is '%s'",
                          members[i].member, members[i].kind);
        if (!wanted && there)
            check_fail_at(c, members[i].member, CHECK_FORBIDDEN, NULL, "%s is forbidden when subject kind is not '%s'",
                          members[i].member, members[i].kind);
    }
}

static void check_verbs(struct check *c, const struct json *v) { check_star_alone(c, v, "verbs"); }
static void check_groups(struct check *c, const struct json *v) { check_star_alone(c, v, "api groups"); }
static void check_flow_resources(struct check *c, const struct json *v) { check_star_alone(c, v, "resources"); }
static void check_paths(struct check *c, const struct json *v) { check_star_alone(c, v, "non-resource URLs"); }

static void check_namespaces(struct check *c, const struct json *v)
{
    struct json_iterator i = json_iterate(v);
    check_star_alone(c, v, "namespaces");
    while (json_next(&i)) {
        size_t mark = check_enter_index(c, i.position - 1);
        if (!slice_is(json_string(i.value), "*"))
            check_dns_label(c, i.value);
        check_leave(c, mark);
    }
}

static void check_resource_rule(struct check *c, const struct json *v)
{
    if (json_size(json_get(v, "namespaces")) == 0 && !json_bool_at(v, "clusterScope", false))
        check_fail_at(c, "namespaces", CHECK_REQUIRED, NULL,
                      "resource rules that are not cluster scoped must supply at least one namespace");
}

static void check_flow_rules(struct check *c, const struct json *v)
{
    if (json_size(json_get(v, "resourceRules")) == 0 && json_size(json_get(v, "nonResourceRules")) == 0)
        check_fail(c, CHECK_REQUIRED, NULL, "at least one of resourceRules and nonResourceRules has to be non-empty");
}

static void check_flow_schema(struct check *c, const struct json *v)
{
    const struct json *precedence = json_at(v, "spec.matchingPrecedence");
    int64_t n = json_int_or(precedence, 1);
    if (n <= 0)
        check_fail_at(c, "spec.matchingPrecedence", CHECK_INVALID, precedence, "must be a positive value");
    if (n > PRECEDENCE_MAX)
        check_fail_at(c, "spec.matchingPrecedence", CHECK_INVALID, precedence, "must not be greater than %d",
                      PRECEDENCE_MAX);
    if (n == 1 && !slice_is(json_string_at(v, "metadata.name"), "exempt"))
        check_fail_at(c, "spec.matchingPrecedence", CHECK_INVALID, precedence,
                      "only the schema named 'exempt' may have matchingPrecedence 1");
}

static const struct column columns[] = {
    {.name = "Name", .type = "string", .format = "name", .doc = "Name of the object, unique in the cluster."},
    {.name = "PriorityLevel", .type = "string", .doc = "Priority level that takes the requests."},
    {.name = "MatchingPrecedence", .type = "string", .doc = "Which schema is asked first; smaller goes first."},
    {.name = "DistinguisherMethod", .type = "string", .doc = "How requests are parted into flows."},
    {.name = "Age", .type = "string", .doc = "Time since the object was created."},
    {.name = "MissingPL", .type = "string", .doc = "Whether its priority level is missing."},
    {.name = NULL},
};

static void missing_cell(const struct json *o, struct cells *out)
{
    struct slice status = SLICE("?");
    struct json_iterator i = json_iterate(json_at(o, "status.conditions"));
    while (json_next(&i))
        if (slice_is(json_string_at(i.value, "type"), "Dangling"))
            status = json_string_at(i.value, "status");
    cells_add(out, status);
}

static void row(const struct json *o, const struct column_now *now, struct cells *out)
{
    cells_add(out, json_string_at(o, "metadata.name"));
    cells_add(out, json_string_at(o, "spec.priorityLevelConfiguration.name"));
    cells_int(out, json_int_at(o, "spec.matchingPrecedence", 0));
    cells_or(out, json_string_at(o, "spec.distinguisherMethod.type"), "<none>");
    cells_age(out, json_string_at(o, "metadata.creationTimestamp"), now);
    missing_cell(o, out);
}

static const struct subresource subresources[] = {
    {"status", "flowcontrol.apiserver.k8s.io", "v1", "FlowSchema", "get,patch,update", CONNECTS_NOT},
    {.name = NULL},
};

const struct kind kind_flowschema = {
    .group = "flowcontrol.apiserver.k8s.io",
    .version = "v1",
    .name = "FlowSchema",
    .plural = "flowschemas",
    .singular = "flowschema",
    .storage_prefix = "flowschemas",
    .verbs = "create,delete,deletecollection,get,list,patch,update,watch",
    .type = &type_flow_schema,
    .subresources = subresources,
    .columns = columns,
    .row = row,
};
