/* What the four kinds of rbac.authorization.k8s.io share. */
#include "common/base.h"

#include "apiserver/check.h"
#include "apiserver/columns.h"
#include "apiserver/kinds/types.h"

static const struct field fields_policy_rule[] = {
    {.name = "verbs", .type = FIELD_STRING, .shape = FIELD_LIST, .proto = 1, .flags = FIELD_REQUIRED, .required = "verbs must contain at least one value"},
    {.name = "apiGroups", .type = FIELD_STRING, .shape = FIELD_LIST, .proto = 2},
    {.name = "resources", .type = FIELD_STRING, .shape = FIELD_LIST, .proto = 3},
    {.name = "resourceNames", .type = FIELD_STRING, .shape = FIELD_LIST, .proto = 4},
    {.name = "nonResourceURLs", .type = FIELD_STRING, .shape = FIELD_LIST, .proto = 5},
    {.name = NULL},
};
const struct type type_policy_rule = {.name = "PolicyRule", .fields = fields_policy_rule};

static const struct field fields_role_ref[] = {
    {.name = "apiGroup",
     .type = FIELD_STRING,
     .proto = 1,
     .flags = FIELD_ZERO,
     .fallback = "\"rbac.authorization.k8s.io\""},
    {.name = "kind", .type = FIELD_STRING, .proto = 2, .flags = FIELD_ZERO},
    {.name = "name", .type = FIELD_STRING, .proto = 3, .flags = FIELD_REQUIRED},
    {.name = NULL},
};
const struct type type_role_ref = {.name = "RoleRef", .fields = fields_role_ref, .atomic = true};

static const struct field fields_subject[] = {
    {.name = "kind", .type = FIELD_STRING, .proto = 1, .flags = FIELD_REQUIRED},
    {.name = "apiGroup", .type = FIELD_STRING, .proto = 2},
    {.name = "name", .type = FIELD_STRING, .proto = 3, .flags = FIELD_REQUIRED},
    {.name = "namespace", .type = FIELD_STRING, .proto = 4},
    {.name = NULL},
};
static void fill_subject(struct json_doc *d, struct json *v)
{
    struct slice kind = json_string_at(v, "kind");
    if (json_string_at(v, "apiGroup").size == 0 && (slice_is(kind, "User") || slice_is(kind, "Group")))
        json_set_str(d, v, "apiGroup", "rbac.authorization.k8s.io");
}

static void check_subject(struct check *c, const struct json *v)
{
    static const char *const kinds[] = {"ServiceAccount", "User", "Group", NULL};
    const struct json *kind = json_get(v, "kind");
    bool known = false;
    for (size_t i = 0; kinds[i] != NULL; i++)
        known |= slice_is(json_string(kind), kinds[i]);
    size_t mark = check_enter(c, "kind");
    if (!known && json_string(kind).size > 0)
        check_fail_one_of(c, kind, kinds);
    check_leave(c, mark);
}

/* In a RoleBinding an account without a namespace is one of the binding's own. */
static void check_account_namespaces(struct check *c, const struct json *subjects)
{
    struct json_iterator i = json_iterate(subjects);
    while (json_next(&i)) {
        size_t mark = check_enter(c, "subjects");
        (void)check_enter_index(c, i.position - 1); /* left with `mark` */
        if (slice_is(json_string_at(i.value, "kind"), "ServiceAccount") && json_string_at(i.value, "namespace").size == 0)
            check_fail_at(c, "namespace", CHECK_REQUIRED, NULL, "%s", "");
        check_leave(c, mark);
    }
}

const struct type type_subject = {
    .name = "Subject", .fields = fields_subject, .atomic = true, .fill = fill_subject, .check = check_subject};

/* Rules, one by one; a Role's may not name paths. */
void check_policy_rules(struct check *c, const struct json *rules, bool namespaced)
{
    struct json_iterator i = json_iterate(rules);
    while (json_next(&i)) {
        size_t mark = check_enter(c, "rules"), paths = json_size(json_get(i.value, "nonResourceURLs"));
        (void)check_enter_index(c, i.position - 1); /* left with `mark` */
        bool resources = json_size(json_get(i.value, "apiGroups")) > 0 || json_size(json_get(i.value, "resources")) > 0 ||
                         json_size(json_get(i.value, "resourceNames")) > 0;
        if (paths > 0 && namespaced)
            check_fail_at(c, "nonResourceURLs", CHECK_INVALID, json_get(i.value, "nonResourceURLs"),
                          "namespaced rules cannot apply to non-resource URLs");
        if (paths > 0 && resources)
            check_fail_at(c, "nonResourceURLs", CHECK_INVALID, json_get(i.value, "nonResourceURLs"),
                          "rules cannot apply to both regular resources and non-resource URLs");
        if (paths == 0 && json_size(json_get(i.value, "apiGroups")) == 0)
            check_fail_at(c, "apiGroups", CHECK_REQUIRED, NULL, "resource rules must supply at least one api group");
        if (paths == 0 && json_size(json_get(i.value, "resources")) == 0)
            check_fail_at(c, "resources", CHECK_REQUIRED, NULL, "resource rules must supply at least one resource");
        check_leave(c, mark);
    }
}

void check_role_ref(struct check *c, const struct json *v, bool namespaced)
{
    static const char *const kinds[] = {"Role", "ClusterRole", NULL}, *const cluster[] = {"ClusterRole", NULL};
    static const char *const groups[] = {"rbac.authorization.k8s.io", NULL};
    const struct json *kind = json_at(v, "roleRef.kind"), *group = json_at(v, "roleRef.apiGroup");
    bool known = slice_is(json_string(kind), "ClusterRole") || (namespaced && slice_is(json_string(kind), "Role"));
    size_t mark = check_enter(c, "roleRef.kind");
    if (!known)
        check_fail_one_of(c, kind, namespaced ? kinds : cluster);
    check_leave(c, mark);
    if (!namespaced)
        check_account_namespaces(c, json_get(v, "subjects"));
    mark = check_enter(c, "roleRef.apiGroup");
    if (!slice_is(json_string(group), groups[0]))
        check_fail_one_of(c, group, groups);
    check_leave(c, mark);
}

void check_role_ref_update(struct check *c, const struct json *object, const struct json *old)
{
    const struct json *now = json_get(object, "roleRef");
    if (!json_equal(now, json_get(old, "roleRef"))) {
        struct buf shown = {0};
        buf_printf(&shown, "rbac.RoleRef{APIGroup:\"%.*s\", Kind:\"%.*s\", Name:\"%.*s\"}",
                   SLICE_ARGS(json_string_at(now, "apiGroup")), SLICE_ARGS(json_string_at(now, "kind")),
                   SLICE_ARGS(json_string_at(now, "name")));
        check_fail_shown(c, "roleRef", CHECK_INVALID, shown.data, "cannot change roleRef");
        buf_release(&shown);
    }
}

/* "ClusterRole/view", and by priority the subjects of a kind: "a, b". */
static void subjects_cell(const struct json *o, const char *kind, struct cells *out)
{
    struct buf text = {0};
    struct json_iterator i = json_iterate(json_get(o, "subjects"));
    while (json_next(&i)) {
        if (!slice_is(json_string_at(i.value, "kind"), kind))
            continue;
        buf_append_str(&text, text.size == 0 ? "" : ", ");
        if (strcmp(kind, "ServiceAccount") == 0)
            buf_printf(&text, "%.*s/", SLICE_ARGS(json_string_at(i.value, "namespace")));
        buf_append_slice(&text, json_string_at(i.value, "name"));
    }
    cells_add(out, buf_slice(&text));
    buf_release(&text);
}

void binding_row(const struct json *o, const struct column_now *now, struct cells *out)
{
    cells_add(out, json_string_at(o, "metadata.name"));
    cells_printf(out, "%.*s/%.*s", SLICE_ARGS(json_string_at(o, "roleRef.kind")),
                 SLICE_ARGS(json_string_at(o, "roleRef.name")));
    cells_age(out, json_string_at(o, "metadata.creationTimestamp"), now);
    subjects_cell(o, "User", out);
    subjects_cell(o, "Group", out);
    subjects_cell(o, "ServiceAccount", out);
}

void role_row(const struct json *o, const struct column_now *now, struct cells *out)
{
    (void)now;
    cells_add(out, json_string_at(o, "metadata.name"));
    cells_add(out, json_string_at(o, "metadata.creationTimestamp"));
}

const struct column role_columns[] = {
    {.name = "Name", .type = "string", .format = "name", .doc = "Name of the object, unique within its namespace."},
    {.name = "Created At", .type = "date", .doc = "When the server first stored the object."},
    {.name = NULL},
};
const struct column binding_columns[] = {
    {.name = "Name", .type = "string", .format = "name", .doc = "Name of the object, unique within its namespace."},
    {.name = "Role", .type = "string", .doc = "Whose rules are granted."},
    {.name = "Age", .type = "string", .doc = "Time since the object was created."},
    {.name = "Users", .type = "string", .doc = "Users it grants them to.", .priority = 1},
    {.name = "Groups", .type = "string", .doc = "Groups it grants them to.", .priority = 1},
    {.name = "ServiceAccounts", .type = "string", .doc = "Service accounts it grants them to.", .priority = 1},
    {.name = NULL},
};
