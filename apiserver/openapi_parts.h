/* What the files openapi*.c share. Private to them. */
#ifndef APISERVER_OPENAPI_PARTS_H
#define APISERVER_OPENAPI_PARTS_H

#include "apiserver/openapi.h"
#include "apiserver/openapi_names.h"

struct openapi {
    struct json_doc *d;
    const struct published_types *types;
    bool v3; /* else 2.0 */
    bool used[OPENAPI_TYPES_MAX];
    struct json *schemas;
};

/* {"$ref": …} of a type, whose schema and all that it needs is added to `schemas`. */
struct json *openapi_reference(struct openapi *o, const struct published *p);
struct json *openapi_reference_named(struct openapi *o, const char *name);
struct json *openapi_gvk(struct openapi *o, const char *group, const char *version, const char *kind);

/* openapi_paths.c: the paths of one kind into `paths`. */
struct kind;
void openapi_paths(struct openapi *o, const struct kind *k, struct json *paths);

#endif
