/* Which types the tables reach from the kinds, each once, and the names they are published under. Pure. */
#ifndef APISERVER_OPENAPI_NAMES_H
#define APISERVER_OPENAPI_NAMES_H

#include "apiserver/kind.h"
#include "common/buf.h"

#define OPENAPI_TYPES_MAX 1024
#define OPENAPI_NAME_MAX 160

struct published {
    const struct type *type;
    const struct kind
        *owner; /* the first kind that reaches it: its group names the type, where type.definition does not */
    const struct kind *kind; /* whose body it is; NULL: a part of others */
};

struct published_types {
    struct published list[OPENAPI_TYPES_MAX];
    size_t count;
};

/* All kinds, in their order: the core group's first, so that what groups share is the core group's. */
void published_collect(struct published_types *ret);
const struct published *published_find(const struct published_types *t, const struct type *type);

/* "io.k8s.api.apps.v1.DeploymentSpec" */
void published_name(const struct published *p, char name[OPENAPI_NAME_MAX]);

#endif
