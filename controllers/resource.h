/* The resources controllers work with: one row each. */
#ifndef CONTROLLERS_RESOURCE_H
#define CONTROLLERS_RESOURCE_H

#include "common/base.h"
#include "common/mem.h"

struct resource {
    const char *name;        /* "deployments.apps" */
    const char *api;         /* "/apis/apps/v1" */
    const char *plural;
    const char *api_version, *kind;
    bool namespaced;
    bool cached; /* controllers see its objects in their view; else only namespace deletion knows it */
};

const struct resource *resource_find(const char *name);                             /* NULL: unknown */
const struct resource *resource_of_kind(struct slice api_version, struct slice kind); /* NULL: unknown */
size_t resource_count(void);
const struct resource *resource_at(size_t index);

/* "/apis/apps/v1/namespaces/NS/deployments[/NAME[/SUBRESOURCE]]"; name and subresource may be empty or NULL. */
char *resource_path(struct arena *arena, const struct resource *r, struct slice namespace, struct slice name,
                    const char *subresource);

#endif
