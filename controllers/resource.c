#include "common/base.h"

#include "common/buf.h"
#include "controllers/resource.h"

static const struct resource resources[] = {
    {"deployments.apps", "/apis/apps/v1", "deployments", "apps/v1", "Deployment", true},
    {"pods", "/api/v1", "pods", "v1", "Pod", true},
    {"replicasets.apps", "/apis/apps/v1", "replicasets", "apps/v1", "ReplicaSet", true},
};

size_t resource_count(void) { return ARRAY_LEN(resources); }
const struct resource *resource_at(size_t index) { return &resources[index]; }

const struct resource *resource_find(const char *name)
{
    for (size_t i = 0; i < ARRAY_LEN(resources); i++)
        if (strcmp(resources[i].name, name) == 0)
            return &resources[i];
    return NULL;
}

const struct resource *resource_of_kind(struct slice api_version, struct slice kind)
{
    for (size_t i = 0; i < ARRAY_LEN(resources); i++)
        if (slice_is(api_version, resources[i].api_version) && slice_is(kind, resources[i].kind))
            return &resources[i];
    return NULL;
}

char *resource_path(struct arena *arena, const struct resource *r, struct slice namespace, struct slice name,
                    const char *subresource)
{
    struct buf path = {0};
    buf_append_str(&path, r->api);
    if (namespace.size > 0)
        buf_printf(&path, "/namespaces/%.*s", SLICE_ARGS(namespace));
    buf_printf(&path, "/%s", r->plural);
    if (name.size > 0)
        buf_printf(&path, "/%.*s", SLICE_ARGS(name));
    if (subresource != NULL)
        buf_printf(&path, "/%s", subresource);
    char *text = arena_strdup(arena, buf_slice(&path));
    buf_release(&path);
    return text;
}
