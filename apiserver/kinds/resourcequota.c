/* ResourceQuota, core/v1. */
#include "common/base.h"

#include "apiserver/check.h"
#include "apiserver/columns.h"
#include "apiserver/kinds/types.h"
#include "apiserver/names.h"
#include "common/kube/quantity.h"

#include <stdio.h>

static bool one_of(struct slice s, const char *const *list)
{
    for (; *list != NULL; list++) {
        if (slice_is(s, *list))
            return true;
    }
    return false;
}

/* What may be counted without a prefix: Kubernetes' own resources and kinds. */
static bool is_standard(struct slice name)
{
    static const char *const names[] = {"cpu",
                                        "memory",
                                        "ephemeral-storage",
                                        "requests.cpu",
                                        "requests.memory",
                                        "requests.storage",
                                        "requests.ephemeral-storage",
                                        "limits.cpu",
                                        "limits.memory",
                                        "limits.ephemeral-storage",
                                        "pods",
                                        "resourcequotas",
                                        "services",
                                        "replicationcontrollers",
                                        "secrets",
                                        "persistentvolumeclaims",
                                        "configmaps",
                                        "services.nodeports",
                                        "services.loadbalancers",
                                        NULL};
    return one_of(name, names) || slice_has_prefix(name, SLICE("hugepages-")) ||
           slice_has_prefix(name, SLICE("requests.hugepages-"));
}

/* Things are counted in wholes, all but these. */
static bool is_divisible(struct slice name)
{
    return slice_has_suffix(name, SLICE("cpu")) || slice_has_suffix(name, SLICE("memory")) ||
           slice_has_suffix(name, SLICE("storage"));
}

static void check_amount(struct check *c, struct slice name, const struct json *v)
{
    struct quantity q;
    if (quantity_parse(json_string(v), &q, NULL) != 0)
        return;
    if (q.nano < 0)
        check_fail(c, CHECK_INVALID, v, "must be greater than or equal to 0");
    if (!is_divisible(name) && q.nano % 1000000000 != 0)
        check_fail(c, CHECK_INVALID, v, "must be an integer");
}

static void check_hard(struct check *c, const struct json *v)
{
    struct json_iterator i = json_iterate(v);
    while (json_next(&i)) {
        struct err why;
        size_t mark = check_enter_key(c, i.key);
        if (name_check_qualified(i.key, &why) != 0)
            check_fail_text(c, CHECK_INVALID, i.key, "%s", why.message);
        else if (slice_find(i.key, '/') == i.key.size && !is_standard(i.key))
            check_fail_text(c, CHECK_INVALID, i.key, "must be a standard resource for quota");
        check_amount(c, i.key, i.value);
        check_leave(c, mark);
    }
}

static const char *const scopes[] = {
    "BestEffort", "CrossNamespacePodAffinity", "NotBestEffort", "NotTerminating", "PriorityClass", "Terminating", NULL};

static bool has(const struct json *list, const char *text)
{
    struct json_iterator i = json_iterate(list);
    while (json_next(&i)) {
        if (slice_is(json_string(i.value), text))
            return true;
    }
    return false;
}

static void check_scopes(struct check *c, const struct json *v)
{
    struct json_iterator i = json_iterate(v);
    while (json_next(&i)) {
        if (!one_of(json_string(i.value), scopes))
            check_fail(c, CHECK_INVALID, v, "unsupported scope");
    }
    if ((has(v, "BestEffort") && has(v, "NotBestEffort")) || (has(v, "Terminating") && has(v, "NotTerminating")))
        check_fail(c, CHECK_INVALID, v, "conflicting scopes");
}

static void check_scope_requirement(struct check *c, const struct json *v)
{
    static const char *const operators[] = {"In", "NotIn", "Exists", "DoesNotExist", NULL};
    struct slice name = json_string_at(v, "scopeName"), operator= json_string_at(v, "operator");
    bool values = json_size(json_get(v, "values")) > 0, lists = slice_is(operator, "In") || slice_is(operator, "NotIn");
    if (!one_of(name, scopes))
        check_fail_at(c, "scopeName", CHECK_INVALID, json_get(v, "scopeName"), "unsupported scope");
    if (!slice_is(name, "PriorityClass") && !slice_is(operator, "Exists"))
        check_fail_at(c, "operator", CHECK_INVALID, json_get(v, "operator"),
                      "must be 'Exist' when scope is any of ResourceQuotaScopeTerminating, "
                      "ResourceQuotaScopeNotTerminating, ResourceQuotaScopeBestEffort, "
                      "ResourceQuotaScopeNotBestEffort or ResourceQuotaScopeCrossNamespacePodAffinity");
    if (lists && !values)
        check_fail_at(c, "values", CHECK_REQUIRED, NULL,
                      "must be at least one value when `operator` is 'In' or 'NotIn' for scope selector");
    if (!lists && values)
        check_fail_at(c, "values", CHECK_INVALID, json_get(v, "values"),
                      "must be no value when `operator` is 'Exist' or 'DoesNotExist' for scope selector");
    if (!one_of(operator, operators))
        check_fail_at(c, "operator", CHECK_INVALID, json_get(v, "operator"), "not a valid selector operator");
}

/* A selector may contradict itself, too. */
static void check_spec(struct check *c, const struct json *v)
{
    bool best = false, not_best = false, ends = false, not_ends = false;
    struct json_iterator i = json_iterate(json_at(v, "scopeSelector.matchExpressions"));
    while (json_next(&i)) {
        struct slice name = json_string_at(i.value, "scopeName");
        best |= slice_is(name, "BestEffort");
        not_best |= slice_is(name, "NotBestEffort");
        ends |= slice_is(name, "Terminating");
        not_ends |= slice_is(name, "NotTerminating");
    }
    if ((best && not_best) || (ends && not_ends))
        check_fail_shown(c, "scopeSelector.matchExpressions", CHECK_INVALID,
                         "[]core.ScopedResourceSelectorRequirement{}", "conflicting scopes");
}

static const struct field fields_scoped_resource_selector_requirement[] = {
    {.name = "scopeName", .type = FIELD_STRING, .proto = 1, .flags = FIELD_ZERO, .doc = "Name of the scope."},
    {.name = "operator",
     .type = FIELD_STRING,
     .proto = 2,
     .flags = FIELD_ZERO,
     .doc = "In, NotIn, Exists or DoesNotExist."},
    {.name = "values", .type = FIELD_STRING, .shape = FIELD_LIST, .proto = 3, .doc = "For In and NotIn."},
    {.name = NULL},
};
static const struct type type_scoped_resource_selector_requirement = {.name = "ScopedResourceSelectorRequirement",
                                                                      .doc = "One condition on a scope.",
                                                                      .fields =
                                                                          fields_scoped_resource_selector_requirement,
                                                                      .check = check_scope_requirement};

static const struct field fields_scope_selector[] = {
    {.name = "matchExpressions",
     .type = FIELD_OBJECT,
     .shape = FIELD_LIST,
     .object = &type_scoped_resource_selector_requirement,
     .proto = 1,
     .doc = "The conditions."},
    {.name = NULL},
};
static const struct type type_scope_selector = {.name = "ScopeSelector",
                                                .doc = "Conditions on scopes, all of which must hold.",
                                                .fields = fields_scope_selector,
                                                .atomic = true};

static const struct field fields_resource_quota_spec[] = {
    {.name = "hard",
     .type = FIELD_QUANTITY,
     .shape = FIELD_MAP,
     .proto = 1,
     .check = check_hard,
     .doc = "Most of each resource."},
    {.name = "scopes",
     .type = FIELD_STRING,
     .shape = FIELD_LIST,
     .proto = 2,
     .check = check_scopes,
     .doc = "Only what matches all of these counts."},
    {.name = "scopeSelector",
     .type = FIELD_OBJECT,
     .object = &type_scope_selector,
     .proto = 3,
     .doc = "Only what matches this counts."},
    {.name = NULL},
};
static const struct type type_resource_quota_spec = {.name = "ResourceQuotaSpec",
                                                     .doc = "What a namespace may use.",
                                                     .fields = fields_resource_quota_spec,
                                                     .check = check_spec};

static const struct field fields_resource_quota_status[] = {
    {.name = "hard",
     .type = FIELD_QUANTITY,
     .shape = FIELD_MAP,
     .proto = 1,
     .check = check_hard,
     .doc = "Bounds in force."},
    {.name = "used",
     .type = FIELD_QUANTITY,
     .shape = FIELD_MAP,
     .proto = 2,
     .check = check_hard,
     .doc = "What is used of them."},
    {.name = NULL},
};
static const struct type type_resource_quota_status = {
    .name = "ResourceQuotaStatus", .doc = "What a namespace uses.", .fields = fields_resource_quota_status};

static const struct field fields_resource_quota[] = {
    {.name = "kind", .type = FIELD_STRING, .doc = "Kind of the object."},
    {.name = "apiVersion", .type = FIELD_STRING, .doc = "Group and version the object is written in."},
    {.name = "metadata",
     .type = FIELD_OBJECT,
     .object = &type_object_meta,
     .proto = 1,
     .flags = FIELD_ALWAYS,
     .doc = "Name, labels and what else every object has."},
    {.name = "spec",
     .type = FIELD_OBJECT,
     .object = &type_resource_quota_spec,
     .proto = 2,
     .flags = FIELD_ALWAYS,
     .doc = "What is wanted."},
    {.name = "status",
     .type = FIELD_OBJECT,
     .object = &type_resource_quota_status,
     .proto = 3,
     .flags = FIELD_ALWAYS,
     .doc = "What was found; written by controllers."},
    {.name = NULL},
};
static const struct type type_resource_quota = {.name = "ResourceQuota",
                                                .doc = "A bound on what everything in a namespace uses together.",
                                                .fields = fields_resource_quota};

static void check_update(struct check *c, const struct json *object, const struct json *old)
{
    const struct json *now = json_at(object, "spec.scopes"), *was = json_at(old, "spec.scopes");
    for (int turn = 0; turn < 2; turn++, now = json_at(old, "spec.scopes"), was = json_at(object, "spec.scopes")) {
        struct json_iterator i = json_iterate(now);
        while (json_next(&i)) {
            char scope[64];
            (void)snprintf(scope, sizeof scope, "%.*s", SLICE_ARGS(json_string(i.value))); /* known ones are shorter */
            if (has(was, scope))
                continue;
            check_fail_at(c, "spec.scopes", CHECK_INVALID, json_at(object, "spec.scopes"), "field is immutable");
            return;
        }
    }
}

static const struct column columns[] = {
    {.name = "Name", .type = "string", .format = "name", .doc = "Name of the object, unique within its namespace."},
    {.name = "Age", .type = "string", .doc = "Time since the object was created."},
    {.name = "Request", .type = "string", .doc = "Used and most of what pods request, and of what is counted."},
    {.name = "Limit", .type = "string", .doc = "Used and most of what pods may use."},
    {.name = NULL},
};

/* "pods: 1/10, requests.cpu: 100m/1": those about limits, or the others. */
static void amounts(const struct json *o, bool limits, struct cells *out)
{
    struct buf text = {0};
    struct json_iterator i = json_iterate(json_at(o, "spec.hard"));
    while (json_next(&i)) {
        if (slice_has_prefix(i.key, SLICE("limits.")) != limits)
            continue;
        struct slice used = json_string(json_get_slice(json_at(o, "status.used"), i.key));
        struct slice hard = json_string(json_get_slice(json_at(o, "status.hard"), i.key));
        buf_printf(&text, "%s%.*s: %.*s/%.*s", text.size == 0 ? "" : ", ", SLICE_ARGS(i.key),
                   SLICE_ARGS(used.size == 0 ? SLICE("0") : used), SLICE_ARGS(hard.size == 0 ? SLICE("0") : hard));
    }
    cells_add(out, buf_slice(&text));
    buf_release(&text);
}

static void row(const struct json *o, const struct column_now *now, struct cells *out)
{
    cells_add(out, json_string_at(o, "metadata.name"));
    cells_age(out, json_string_at(o, "metadata.creationTimestamp"), now);
    amounts(o, false, out);
    amounts(o, true, out);
}

static const char *const short_names[] = {"quota", NULL};
static const struct subresource subresources[] = {
    {"status", "", "v1", "ResourceQuota", "get,patch,update", CONNECTS_NOT},
    {.name = NULL},
};

const struct kind kind_resourcequota = {
    .group = "",
    .version = "v1",
    .name = "ResourceQuota",
    .plural = "resourcequotas",
    .singular = "resourcequota",
    .short_names = short_names,
    .namespaced = true,
    .storage_prefix = "resourcequotas",
    .verbs = "create,delete,deletecollection,get,list,patch,update,watch",
    .type = &type_resource_quota,
    .subresources = subresources,
    .columns = columns,
    .row = row,
    .check_update = check_update,
    .no_generation = true,
    .delete_answers_object = true,
};
