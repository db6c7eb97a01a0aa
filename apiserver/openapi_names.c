#include "common/base.h"

#include "apiserver/kinds/kinds.h"
#include "apiserver/openapi_names.h"

#include <stdio.h>

static size_t index_of(const struct published_types *t, const struct type *type)
{
    size_t i = 0;
    while (i < t->count && t->list[i].type != type)
        i++;
    return i;
}

const struct published *published_find(const struct published_types *t, const struct type *type)
{
    size_t i = index_of(t, type);
    return i == t->count ? NULL : &t->list[i];
}

static void add(struct published_types *t, const struct type *type, const struct kind *owner, const struct kind *kind)
{
    size_t at = index_of(t, type);
    if (at < t->count && t->list[at].kind == NULL)
        t->list[at].kind = kind;
    if (at < t->count)
        return;
    ASSERT(t->count < OPENAPI_TYPES_MAX);
    t->list[t->count++] = (struct published){type, owner, kind};
}

static void add_fields(struct published_types *t, const struct type *type, const struct kind *owner)
{
    for (const struct field *f = type->fields; f->name != NULL; f++) {
        if (f->type != FIELD_OBJECT)
            continue;
        if (f->flags & FIELD_INLINE)
            add_fields(t, f->object, owner);
        else
            add(t, f->object, owner, NULL);
    }
}

void published_collect(struct published_types *ret)
{
    size_t done = 0;
    ret->count = 0;
    for (const struct kind *const *k = kinds_all(); *k != NULL; k++) {
        add(ret, (*k)->type, *k, *k);
        for (; done < ret->count; done++) /* grows meanwhile */
            add_fields(ret, ret->list[done].type, ret->list[done].owner);
    }
}

/* Packages of types that do not follow their group's name. */
static const char *package_of(const char *group)
{
    static const struct {
        const char *group, *package;
    } known[] = {
        {"apiextensions.k8s.io", "io.k8s.apiextensions-apiserver.pkg.apis.apiextensions"},
        {"apiregistration.k8s.io", "io.k8s.kube-aggregator.pkg.apis.apiregistration"},
        {"metrics.k8s.io", "io.k8s.metrics.pkg.apis.metrics"},
    };
    for (size_t i = 0; i < ARRAY_LEN(known); i++) {
        if (strcmp(known[i].group, group) == 0)
            return known[i].package;
    }
    return NULL;
}

void published_name(const struct published *p, char name[OPENAPI_NAME_MAX])
{
    const struct kind *k = p->kind == NULL ? p->owner : p->kind;
    const char *package = package_of(k->group);
    struct slice rest = slice_str(*k->group == '\0' ? "core" : k->group), word = slice_cut(&rest, '.');
    int n;
    if (p->type->definition != NULL)
        n = snprintf(name, OPENAPI_NAME_MAX, "%s", p->type->definition);
    else if (package != NULL)
        n = snprintf(name, OPENAPI_NAME_MAX, "%s.%s.%s", package, k->version, p->type->name);
    else
        n = snprintf(name, OPENAPI_NAME_MAX, "io.k8s.api.%.*s.%s.%s", SLICE_ARGS(word), k->version,
                     p->type->name);
    ASSERT(n > 0 && n < OPENAPI_NAME_MAX);
}
