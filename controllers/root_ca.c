/* root-ca: every namespace has the ConfigMap `kube-root-ca.crt`, by which pods know the apiservers. */
#include "common/base.h"

#include "controllers/controllers.h"

#define ROOT_CA "kube-root-ca.crt"

static void map_keys(const struct view *v, struct object *map, void (*add)(void *arg, struct slice key), void *arg)
{
    (void)v;
    if (slice_is(map->name, ROOT_CA))
        add(arg, map->namespace);
}

static const struct controller_watch root_ca_watches[] = {
    {.resource = "namespaces"},
    {.resource = "configmaps", .keys = map_keys},
    {0},
};

static void root_ca_reconcile(const struct view *v, struct slice key, struct plan *plan)
{
    struct object *namespace = v->get(v, "namespaces", key);
    if (namespace == NULL || namespace->deleting || v->root_ca.size == 0)
        return;
    struct json_doc *d = plan->doc;
    struct object *old = v->get(v, "configmaps", slice_str(arena_printf(&plan->arena, "%.*s/" ROOT_CA, SLICE_ARGS(key))));
    struct json *data = json_new_object(d);
    json_set_string(d, data, "ca.crt", v->root_ca);
    if (old != NULL) {
        struct json *body = object_tree(old, d);
        if (json_equal(json_get(body, "data"), data))
            return;
        json_set(d, body, "data", data);
        plan_update(plan, "configmaps", key, old->name, NULL, body);
        return;
    }
    struct json *body = json_new_object(d);
    json_set_str(d, body, "apiVersion", "v1");
    json_set_str(d, body, "kind", "ConfigMap");
    json_set_str(d, json_ensure_object(d, body, "metadata"), "name", ROOT_CA);
    json_set(d, body, "data", data);
    plan_create(plan, "configmaps", key, body);
}

const struct controller controller_root_ca = {
    .name = "root-ca",
    .watches = root_ca_watches,
    .reconcile = root_ca_reconcile,
};
