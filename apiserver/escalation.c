/* Nobody grants through a role or a binding what he does not hold himself, unless he may `escalate` or `bind`. */
#include "common/base.h"

#include "apiserver/request.h"

#define GRANTS_MAX 20000 /* single permissions looked at in one write */

struct grants {
    struct api_request *r;
    struct slice namespace;
    size_t looked_at;
};

static bool holds(const struct api_request *r, const struct attributes *a)
{
    return authz_system(&r->user, a) || rbac_allows(r->api->rbac, &r->user, a, NULL);
}

static bool held_path(struct grants *g, struct slice verb, struct slice path)
{
    struct attributes a = {.verb = verb, .path = path};
    return ++g->looked_at <= GRANTS_MAX && holds(g->r, &a);
}

static bool held_resource(struct grants *g, const struct json *rule, struct slice verb, struct slice group)
{
    const struct json *names = json_get(rule, "resourceNames");
    struct json_iterator i = json_iterate(json_get(rule, "resources"));
    while (json_next(&i)) {
        struct slice sub = json_string(i.value);
        struct attributes a = {.is_resource = true, .verb = verb, .group = group, .namespace = g->namespace};
        a.resource = slice_cut(&sub, '/');
        a.subresource = sub.data == NULL ? SLICE("") : sub;
        struct json_iterator n = json_iterate(names);
        bool any = json_size(names) == 0;
        while (any || json_next(&n)) {
            a.name = any ? SLICE("") : json_string(n.value);
            if (++g->looked_at > GRANTS_MAX || !holds(g->r, &a))
                return false;
            if (any)
                break;
        }
    }
    return true;
}

static bool held(struct grants *g, const struct json *rule)
{
    struct json_iterator v = json_iterate(json_get(rule, "verbs"));
    while (json_next(&v)) {
        struct json_iterator p = json_iterate(json_get(rule, "nonResourceURLs"));
        while (json_next(&p)) {
            if (!held_path(g, json_string(v.value), json_string(p.value)))
                return false;
        }
        struct json_iterator group = json_iterate(json_get(rule, "apiGroups"));
        while (json_next(&group)) {
            if (!held_resource(g, rule, json_string(v.value), json_string(group.value)))
                return false;
        }
    }
    return true;
}

static bool may_anyway(struct api_request *r, const char *verb, const char *resource, struct slice namespace,
                       struct slice name)
{
    struct attributes a = {.is_resource = true,
                           .verb = slice_str(verb),
                           .group = SLICE("rbac.authorization.k8s.io"),
                           .resource = slice_str(resource),
                           .namespace = namespace,
                           .name = name};
    return holds(r, &a);
}

static int escalation_refused(struct api_request *r, const struct json *object, const struct json *rule)
{
    struct buf text = {0}, resource = {0};
    static const char *const fields[] = {"apiGroups", "resources", "resourceNames", "nonResourceURLs", "verbs"};
    static const char *const names[] = {"APIGroups", "Resources", "ResourceNames", "NonResourceURLs", "Verbs"};
    for (size_t i = 0; i < ARRAY_LEN(fields); i++) {
        if (json_size(json_get(rule, fields[i])) == 0)
            continue;
        buf_printf(&text, "%s%s:", text.size == 0 ? "" : ", ", names[i]);
        json_print(json_get(rule, fields[i]), &text);
    }
    struct slice name = json_string_at(object, "metadata.name");
    struct buf groups = {0};
    buf_append(&groups, "", 0);
    for (size_t i = 0; i < r->user.group_count; i++) {
        buf_append_str(&groups, i > 0 ? "," : "");
        json_print_string(r->user.groups[i], &groups);
    }
    kind_resource_text(r->route.kind, &resource);
    failure_about(&r->failure, r->route.kind, name);
    int code = failure_set(
        &r->failure, ERR_FORBIDDEN,
        "%s \"%.*s\" is forbidden: user \"%.*s\" (groups=[%s]) is attempting to grant RBAC permissions not "
        "currently held:\n{%s}",
        resource.data, SLICE_ARGS(name), SLICE_ARGS(r->user.name), groups.data, text.size == 0 ? "" : text.data);
    buf_release(&text);
    buf_release(&groups);
    buf_release(&resource);
    return code;
}

/* What a write of metadata alone leaves as it was. */
static bool grants_same(const struct json *object, const struct json *old)
{
    static const char *const fields[] = {"rules", "aggregationRule", "roleRef", "subjects"};
    for (size_t i = 0; i < ARRAY_LEN(fields); i++) {
        const struct json *now = json_get(object, fields[i]), *was = json_get(old, fields[i]);
        if ((now == NULL) != (was == NULL) || (now != NULL && !json_equal(now, was)))
            return false;
    }
    return true;
}

static bool is_role(const struct kind *k) { return k == &kind_role || k == &kind_clusterrole; }

static bool escalation_concerns(const struct kind *k)
{
    return is_role(k) || k == &kind_rolebinding || k == &kind_clusterrolebinding;
}

int escalation_check(struct api_request *r, const struct json *object, const struct json *old)
{
    const struct kind *k = r->route.kind;
    bool role = is_role(k);
    struct slice namespace = k->namespaced ? r->route.namespace : SLICE("");
    if (!escalation_concerns(k) || (old != NULL && grants_same(object, old)))
        return 0;
    struct slice kind = json_string_at(object, "roleRef.kind"), ref = json_string_at(object, "roleRef.name");
    const char *resource = role ? k->plural : slice_is(kind, "Role") ? "roles" : "clusterroles";
    struct slice name = role ? json_string_at(object, "metadata.name") : ref;
    if (may_anyway(r, role ? "escalate" : "bind", resource, namespace, name))
        return 0;
    struct grants g = {.r = r, .namespace = namespace};
    const struct json *rules = role ? json_get(object, "rules") : rbac_role_rules(r->api->rbac, kind, namespace, ref);
    if (!role && rules == NULL)
        return failure_not_found(&r->failure, slice_is(kind, "Role") ? &kind_role : &kind_clusterrole, ref);
    struct json_iterator i = json_iterate(rules);
    while (json_next(&i)) {
        if (!held(&g, i.value))
            return escalation_refused(r, object, i.value);
    }
    return json_get(object, "aggregationRule") == NULL ? 0 : escalation_refused(r, object, NULL);
}
