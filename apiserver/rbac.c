#include "common/base.h"

#include "apiserver/rbac.h"
#include "common/json.h"
#include "common/kube/selector.h"
#include "common/map.h"
#include "common/mem.h"

#define AGGREGATION_DEPTH_MAX 4

struct binding {
    const struct json *object;
    struct slice namespace; /* empty: cluster-wide */
};

struct rbac {
    struct rbac_caches caches;
    uint64_t seen; /* sum of the caches' changes that the index was made of; +1, so that 0 is never */
    struct json_doc *doc;
    struct map roles; /* "Role/ns/name", "ClusterRole/name" → array of rules */
    struct binding *bindings;
    size_t binding_count;
};

struct rbac *rbac_new(const struct rbac_caches *caches)
{
    struct rbac *r = NEW(struct rbac);
    r->caches = *caches;
    return r;
}

static void forget(struct rbac *r)
{
    map_release(&r->roles);
    r->roles = (struct map){.entries = NULL};
    json_doc_free(r->doc);
    mem_free(r->bindings);
    r->doc = NULL;
    r->bindings = NULL;
    r->binding_count = 0;
}

void rbac_free(struct rbac *r)
{
    if (r == NULL)
        return;
    forget(r);
    mem_free(r);
}

static struct json *parsed(struct rbac *r, const struct cached *o)
{
    struct json *tree = NULL;
    int code = json_parse(r->doc, bytes_slice(o->json), &tree, NULL);
    ASSERT(code == 0); /* the cache has read it */
    return tree;
}

static size_t all_of(const struct watch_cache *c, struct cached ***ret)
{
    struct selection everything = {.namespace = {NULL, 0}};
    return watch_cache_list(c, &everything, ret);
}

static void let_go(struct cached **list, size_t n)
{
    for (size_t i = 0; i < n; i++)
        cached_unref(list[i]);
    mem_free(list);
}

static void append_rules(struct rbac *r, struct json *to, const struct json *from)
{
    struct json_iterator i = json_iterate(from);
    while (json_next(&i))
        json_append(to, json_copy(r->doc, i.value));
}

/* An aggregated role holds the rules of all cluster roles that its selectors match, and those aggregate on. */
static void gather(struct rbac *r, struct json **trees, size_t n, const struct json *role, int depth, struct json *out)
{
    append_rules(r, out, json_get(role, "rules"));
    struct json_iterator i = json_iterate(json_at(role, "aggregationRule.clusterRoleSelectors"));
    while (depth < AGGREGATION_DEPTH_MAX && json_next(&i)) {
        struct selector s = {0};
        bool usable = selector_from_json(i.value, &s, NULL) == 0;
        for (size_t k = 0; usable && k < n; k++) {
            if (trees[k] != role && selector_matches_json(&s, json_at(trees[k], "metadata.labels")))
                gather(r, trees, n, trees[k], depth + 1, out);
        }
        selector_release(&s);
    }
}

static void add_cluster_roles(struct rbac *r)
{
    struct cached **list;
    size_t n = all_of(r->caches.cluster_roles, &list);
    struct json **trees = mem_alloc(MAX(n, (size_t)1) * sizeof(struct json *));
    for (size_t i = 0; i < n; i++)
        trees[i] = parsed(r, list[i]);
    for (size_t i = 0; i < n; i++) {
        struct json *rules = json_new_array(r->doc);
        struct buf key = {0};
        gather(r, trees, n, trees[i], 0, rules);
        buf_printf(&key, "ClusterRole/%s", list[i]->key);
        (void)map_put(&r->roles, buf_slice(&key), rules); /* keys are distinct */
        buf_release(&key);
    }
    mem_free(trees);
    let_go(list, n);
}

static void add_roles(struct rbac *r)
{
    struct cached **list;
    size_t n = all_of(r->caches.roles, &list);
    for (size_t i = 0; i < n; i++) {
        struct buf key = {0};
        struct json *rules = json_new_array(r->doc);
        append_rules(r, rules, json_get(parsed(r, list[i]), "rules"));
        buf_printf(&key, "Role/%s", list[i]->key);
        (void)map_put(&r->roles, buf_slice(&key), rules); /* keys are distinct */
        buf_release(&key);
    }
    let_go(list, n);
}

static void add_bindings(struct rbac *r, const struct watch_cache *c)
{
    struct cached **list;
    size_t n = all_of(c, &list);
    r->bindings = mem_realloc(r->bindings, (r->binding_count + n + 1) * sizeof(struct binding));
    for (size_t i = 0; i < n; i++) {
        const struct json *tree = parsed(r, list[i]);
        r->bindings[r->binding_count++] = (struct binding){tree, json_string_at(tree, "metadata.namespace")};
    }
    let_go(list, n);
}

static void refresh(struct rbac *r)
{
    uint64_t now = 1 + watch_cache_changes(r->caches.roles) + watch_cache_changes(r->caches.cluster_roles) +
                   watch_cache_changes(r->caches.role_bindings) + watch_cache_changes(r->caches.cluster_role_bindings);
    if (now == r->seen)
        return;
    forget(r);
    r->seen = now;
    r->doc = json_doc_new();
    add_cluster_roles(r);
    add_roles(r);
    add_bindings(r, r->caches.cluster_role_bindings);
    add_bindings(r, r->caches.role_bindings);
}

static bool list_has(const struct json *list, struct slice value)
{
    struct json_iterator i = json_iterate(list);
    while (json_next(&i)) {
        if (slice_equal(json_string(i.value), value) || slice_is(json_string(i.value), "*"))
            return true;
    }
    return false;
}

/* "pods", "pods/log", "*", "*\/log". */
static bool resource_fits(const struct json *list, const struct attributes *a)
{
    struct json_iterator i = json_iterate(list);
    while (json_next(&i)) {
        struct slice sub = json_string(i.value);
        struct slice name = slice_cut(&sub, '/');
        bool any = slice_is(name, "*");
        if (any && sub.data == NULL)
            return true;
        if ((any || slice_equal(name, a->resource)) &&
            (sub.data == NULL ? a->subresource.size == 0 : slice_equal(sub, a->subresource)))
            return true;
    }
    return false;
}

static bool path_fits(const struct json *list, struct slice path)
{
    struct json_iterator i = json_iterate(list);
    while (json_next(&i)) {
        struct slice one = json_string(i.value);
        bool prefix = one.size > 0 && one.data[one.size - 1] == '*';
        if (prefix ? slice_has_prefix(path, slice_of(one.data, one.size - 1)) : slice_equal(one, path))
            return true;
    }
    return false;
}

static bool policy_fits(const struct json *rule, const struct attributes *a)
{
    if (!list_has(json_get(rule, "verbs"), a->verb))
        return false;
    if (!a->is_resource)
        return path_fits(json_get(rule, "nonResourceURLs"), a->path);
    const struct json *names = json_get(rule, "resourceNames");
    if (!list_has(json_get(rule, "apiGroups"), a->group) || !resource_fits(json_get(rule, "resources"), a))
        return false;
    struct json_iterator i = json_iterate(names);
    bool named = json_size(names) == 0;
    while (!named && json_next(&i))
        named = a->name.size > 0 && slice_equal(json_string(i.value), a->name);
    return named;
}

static bool subject_is(const struct json *s, const struct user *u, struct slice namespace)
{
    struct slice kind = json_string_at(s, "kind"), name = json_string_at(s, "name");
    if (slice_is(kind, "User"))
        return slice_equal(name, u->name) || slice_is(name, "*");
    if (slice_is(kind, "Group"))
        return user_in_group(u, name);
    struct slice rest = u->name, own = json_string_at(s, "namespace");
    if (!slice_is(kind, "ServiceAccount") || !slice_has_prefix(rest, SLICE("system:serviceaccount:")))
        return false;
    rest = slice_from(rest, strlen("system:serviceaccount:"));
    return slice_equal(slice_cut(&rest, ':'), own.size > 0 ? own : namespace) && slice_equal(rest, name);
}

static const struct json *binding_subject(const struct binding *b, const struct user *u)
{
    struct json_iterator i = json_iterate(json_get(b->object, "subjects"));
    while (json_next(&i)) {
        if (subject_is(i.value, u, b->namespace))
            return i.value;
    }
    return NULL;
}

static const struct json *role_rules(struct rbac *r, struct slice kind, struct slice namespace, struct slice name)
{
    struct buf key = {0};
    buf_printf(&key, "%.*s/", SLICE_ARGS(kind));
    if (slice_is(kind, "Role"))
        buf_printf(&key, "%.*s/", SLICE_ARGS(namespace));
    buf_append_slice(&key, name);
    const struct json *rules = map_get(&r->roles, buf_slice(&key));
    buf_release(&key);
    return rules;
}

const struct json *rbac_role_rules(struct rbac *r, struct slice kind, struct slice namespace, struct slice name)
{
    refresh(r);
    return role_rules(r, kind, namespace, name);
}

static const struct json *binding_rules(struct rbac *r, const struct binding *b)
{
    return role_rules(r, json_string_at(b->object, "roleRef.kind"), b->namespace,
                      json_string_at(b->object, "roleRef.name"));
}

static void explain(const struct binding *b, const struct json *subject, struct buf *out)
{
    bool cluster = b->namespace.size == 0;
    buf_printf(out, "RBAC: allowed by %sRoleBinding \"%.*s", cluster ? "Cluster" : "",
               SLICE_ARGS(json_string_at(b->object, "metadata.name")));
    if (!cluster)
        buf_printf(out, "/%.*s", SLICE_ARGS(b->namespace));
    buf_printf(out, "\" of %.*s \"%.*s\" to %.*s \"%.*s", SLICE_ARGS(json_string_at(b->object, "roleRef.kind")),
               SLICE_ARGS(json_string_at(b->object, "roleRef.name")), SLICE_ARGS(json_string_at(subject, "kind")),
               SLICE_ARGS(json_string_at(subject, "name")));
    if (json_string_at(subject, "namespace").size > 0)
        buf_printf(out, "/%.*s", SLICE_ARGS(json_string_at(subject, "namespace")));
    buf_append_char(out, '"');
}

bool rbac_allows(struct rbac *r, const struct user *u, const struct attributes *a, struct buf *reason)
{
    refresh(r);
    for (size_t k = 0; k < r->binding_count; k++) {
        const struct binding *b = &r->bindings[k];
        if (b->namespace.size > 0 && (!a->is_resource || !slice_equal(b->namespace, a->namespace)))
            continue;
        const struct json *subject = binding_subject(b, u);
        struct json_iterator i = json_iterate(subject == NULL ? NULL : binding_rules(r, b));
        while (json_next(&i)) {
            if (!policy_fits(i.value, a))
                continue;
            if (reason != NULL)
                explain(b, subject, reason);
            return true;
        }
    }
    return false;
}

void rbac_dangling(struct rbac *r, const struct user *u, const struct attributes *a, struct buf *out)
{
    refresh(r);
    for (size_t k = 0; k < r->binding_count; k++) {
        const struct binding *b = &r->bindings[k];
        bool elsewhere = b->namespace.size > 0 && (!a->is_resource || !slice_equal(b->namespace, a->namespace));
        if (elsewhere || binding_subject(b, u) == NULL || binding_rules(r, b) != NULL)
            continue;
        bool role = slice_is(json_string_at(b->object, "roleRef.kind"), "Role");
        buf_printf(out, "%s%s.rbac.authorization.k8s.io \"%.*s\" not found", out->size == 0 ? ": RBAC: " : ", ",
                   role ? "role" : "clusterrole", SLICE_ARGS(json_string_at(b->object, "roleRef.name")));
    }
}

void rbac_rules(struct rbac *r, const struct user *u, struct slice namespace,
                void (*rule)(void *arg, const struct json *policy_rule), void *arg)
{
    refresh(r);
    for (size_t k = 0; k < r->binding_count; k++) {
        const struct binding *b = &r->bindings[k];
        if ((b->namespace.size > 0 && !slice_equal(b->namespace, namespace)) || binding_subject(b, u) == NULL)
            continue;
        struct json_iterator i = json_iterate(binding_rules(r, b));
        while (json_next(&i))
            rule(arg, i.value);
    }
}
