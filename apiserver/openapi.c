/* Schemas, the same for both versions of OpenAPI but for where references stand and how a choice of types is told. */
#include "common/base.h"

#include "apiserver/kinds/kinds.h"
#include "apiserver/openapi_parts.h"
#include "apiserver/version.h"
#include "common/mem.h"

#include <stdio.h>

#define META "io.k8s.apimachinery.pkg.apis.meta.v1."

struct json *openapi_reference_named(struct openapi *o, const char *name)
{
    char text[OPENAPI_NAME_MAX + 32];
    struct json *ref = json_new_object(o->d);
    (void)snprintf(text, sizeof text, "%s%s", o->v3 ? "#/components/schemas/" : "#/definitions/", name); /* fits */
    json_set_str(o->d, ref, "$ref", text);
    return ref;
}

struct json *openapi_gvk(struct openapi *o, const char *group, const char *version, const char *kind)
{
    struct json *gvk = json_new_object(o->d);
    json_set_str(o->d, gvk, "group", group);
    json_set_str(o->d, gvk, "kind", kind);
    json_set_str(o->d, gvk, "version", version);
    return gvk;
}

static struct json *plain(struct openapi *o, const char *type, const char *format)
{
    struct json *s = json_new_object(o->d);
    json_set_str(o->d, s, "type", type);
    if (format != NULL)
        json_set_str(o->d, s, "format", format);
    return s;
}

/* Scalars with a name of their own. A choice of types cannot be said in 2.0. */
static const struct scalar {
    enum field_type type;
    const char *name, *format, *doc;
    const char *either; /* the other type of a choice with string */
} scalars[] = {
    {FIELD_QUANTITY, "io.k8s.apimachinery.pkg.api.resource.Quantity", NULL,
     "An amount as a decimal number with an optional suffix: 250m, 1.5, 2k, 64Mi, 1e3.", "number"},
    {FIELD_INT_OR_STRING, "io.k8s.apimachinery.pkg.util.intstr.IntOrString", "int-or-string",
     "A whole number, or a string such as a name or a percentage.", "integer"},
    {FIELD_TIME, META "Time", "date-time", "A time to the second, as RFC 3339 writes it.", NULL},
    {FIELD_MICRO_TIME, META "MicroTime", "date-time", "A time to the microsecond, as RFC 3339 writes it.", NULL},
    {FIELD_DURATION, META "Duration", NULL, "A span of time such as 1h30m or 250ms.", NULL},
};

static struct json *scalar_schema(struct openapi *o, const struct scalar *s)
{
    struct json *schema = o->v3 && s->either != NULL ? json_new_object(o->d) : plain(o, "string", NULL);
    if (o->v3 && s->either != NULL) {
        struct json *choice = json_new_array(o->d);
        json_append(choice, plain(o, s->either, NULL));
        json_append(choice, plain(o, "string", NULL));
        json_set(o->d, schema, "oneOf", choice);
    }
    if (s->format != NULL)
        json_set_str(o->d, schema, "format", s->format);
    json_set_str(o->d, schema, "description", s->doc);
    return schema;
}

static struct json *base_schema(struct openapi *o, const struct field *f)
{
    static const struct {
        const char *type, *format;
    } words[] = {
        [FIELD_STRING] = {"string", NULL},     [FIELD_BOOL] = {"boolean", NULL},
        [FIELD_INT32] = {"integer", "int32"},  [FIELD_INT64] = {"integer", "int64"},
        [FIELD_DOUBLE] = {"number", "double"}, [FIELD_BYTES] = {"string", "byte"},
        [FIELD_RAW] = {"object", NULL},
    };
    if (f->type == FIELD_OBJECT)
        return openapi_reference(o, published_find(o->types, f->object));
    for (size_t i = 0; i < ARRAY_LEN(scalars); i++) {
        if (scalars[i].type != f->type)
            continue;
        if (json_get(o->schemas, scalars[i].name) == NULL)
            json_set(o->d, o->schemas, scalars[i].name, scalar_schema(o, &scalars[i]));
        return openapi_reference_named(o, scalars[i].name);
    }
    return plain(o, words[f->type].type, words[f->type].format);
}

static void set_default(struct openapi *o, const struct field *f, struct json *schema)
{
    struct json *value = NULL;
    if (f->fallback == NULL)
        return;
    int code = json_parse(o->d, slice_str(f->fallback), &value, NULL);
    ASSERT(code == 0); /* tables hold JSON */
    json_set(o->d, schema, "default", value);
}

static void set_merging(struct openapi *o, const struct field *f, struct json *schema)
{
    static const char *const strategies[] = {NULL, "merge", "retainKeys", "merge,retainKeys"};
    static const char *const kinds[] = {[LIST_ATOMIC] = "atomic", [LIST_SET] = "set", [LIST_MAP] = "map"};
    if (f->shape == FIELD_LIST)
        json_set_str(o->d, schema, "x-kubernetes-list-type", kinds[f->list]);
    if (f->list == LIST_MAP && f->list_keys != NULL) {
        struct json *keys = json_new_array(o->d);
        struct slice rest = slice_str(f->list_keys);
        while (rest.data != NULL)
            json_append(keys, json_new_string(o->d, slice_cut(&rest, ',')));
        json_set(o->d, schema, "x-kubernetes-list-map-keys", keys);
    }
    if (f->flags & FIELD_ATOMIC)
        json_set_str(o->d, schema, "x-kubernetes-map-type", "atomic");
    if (f->merge_key != NULL)
        json_set_str(o->d, schema, "x-kubernetes-patch-merge-key", f->merge_key);
    if (f->patch != 0 && f->patch < ARRAY_LEN(strategies))
        json_set_str(o->d, schema, "x-kubernetes-patch-strategy", strategies[f->patch]);
}

/* A reference beside which something else is said stands in an allOf of its own: 3.0 ignores the neighbours of a $ref.
 */
static struct json *wrap(struct openapi *o, struct json *base)
{
    if (!o->v3 || json_get(base, "$ref") == NULL)
        return base;
    struct json *schema = json_new_object(o->d), *all = json_new_array(o->d);
    json_append(all, base);
    json_set(o->d, schema, "allOf", all);
    return schema;
}

static void set_one_of(struct openapi *o, const struct field *f, struct json *schema)
{
    if (f->one_of == NULL || f->shape != FIELD_ONE)
        return;
    struct json *values = json_new_array(o->d);
    for (const char *const *v = f->one_of; *v != NULL; v++)
        json_append(values, json_new_str(o->d, *v));
    json_set(o->d, schema, "enum", values);
}

static struct json *field_schema(struct openapi *o, const struct field *f)
{
    struct json *schema;
    if (f->shape == FIELD_ONE) {
        schema = wrap(o, base_schema(o, f));
    } else {
        schema = plain(o, f->shape == FIELD_LIST ? "array" : "object", NULL);
        json_set(o->d, schema, f->shape == FIELD_LIST ? "items" : "additionalProperties", wrap(o, base_schema(o, f)));
    }
    if (f->doc != NULL)
        json_set_str(o->d, schema, "description", f->doc);
    set_default(o, f, schema);
    set_one_of(o, f, schema);
    set_merging(o, f, schema);
    return schema;
}

static void add_properties(struct openapi *o, const struct type *t, struct json *properties, struct json *required)
{
    for (const struct field *f = t->fields; f->name != NULL; f++) {
        if (f->flags & FIELD_INLINE) {
            add_properties(o, f->object, properties, required);
            continue;
        }
        json_set(o->d, properties, f->name, field_schema(o, f));
        if (f->flags & FIELD_REQUIRED)
            json_append(required, json_new_str(o->d, f->name));
    }
}

static struct json *type_schema(struct openapi *o, const struct published *p)
{
    struct json *schema = plain(o, "object", NULL), *properties = json_new_object(o->d),
                *required = json_new_array(o->d);
    if (p->type->doc != NULL)
        json_set_str(o->d, schema, "description", p->type->doc);
    add_properties(o, p->type, properties, required);
    json_set(o->d, schema, "properties", properties);
    if (json_size(required) > 0)
        json_set(o->d, schema, "required", required);
    if (p->type->atomic)
        json_set_str(o->d, schema, "x-kubernetes-map-type", "atomic");
    if (p->kind != NULL) {
        struct json *list = json_new_array(o->d);
        json_append(list, openapi_gvk(o, p->kind->group, p->kind->version, p->kind->name));
        json_set(o->d, schema, "x-kubernetes-group-version-kind", list);
    }
    return schema;
}

struct json *openapi_reference(struct openapi *o, const struct published *p)
{
    char name[OPENAPI_NAME_MAX];
    ASSERT(p != NULL);
    size_t at = (size_t)(p - o->types->list);
    published_name(p, name);
    if (!o->used[at]) {
        o->used[at] = true; /* before its fields: types may hold themselves */
        json_set(o->d, o->schemas, name, type_schema(o, p));
    }
    return openapi_reference_named(o, name);
}

static void set_info(struct openapi *o, struct json *document)
{
    struct json *info = json_new_object(o->d);
    json_set_str(o->d, info, "title", "Kubernetes");
    json_set_str(o->d, info, "version", SERVER_VERSION);
    json_set(o->d, document, "info", info);
}

void openapi_document(const char *group, const char *version, struct buf *out)
{
    struct json_doc *d = json_doc_new();
    struct published_types *types = NEW(struct published_types);
    struct openapi o = {.d = d, .types = types, .v3 = true, .schemas = json_new_object(d)};
    struct json *document = json_new_object(d), *paths = json_new_object(d), *components = json_new_object(d);
    published_collect(types);
    json_set_str(d, document, "openapi", "3.0.0");
    set_info(&o, document);
    for (const struct kind *const *k = kinds_all(); *k != NULL; k++) {
        if (strcmp((*k)->group, group) != 0 || strcmp((*k)->version, version) != 0)
            continue;
        (void)openapi_reference(&o, published_find(types, (*k)->type)); /* also of bodies that no path has */
        openapi_paths(&o, *k, paths);
    }
    json_set(d, document, "paths", paths);
    json_set(d, components, "schemas", o.schemas);
    json_set(d, document, "components", components);
    json_print(document, out);
    buf_append_char(out, '\n');
    mem_free(types);
    json_doc_free(d);
}

struct json *openapi_v2(struct json_doc *d)
{
    struct published_types *types = NEW(struct published_types);
    struct openapi o = {.d = d, .types = types, .v3 = false, .schemas = json_new_object(d)};
    struct json *document = json_new_object(d), *paths = json_new_object(d);
    published_collect(types);
    json_set_str(d, document, "swagger", "2.0");
    set_info(&o, document);
    for (const struct kind *const *k = kinds_all(); *k != NULL; k++) {
        (void)openapi_reference(&o, published_find(types, (*k)->type)); /* as above */
        openapi_paths(&o, *k, paths);
    }
    json_set(d, document, "paths", paths);
    json_set(d, document, "definitions", o.schemas);
    mem_free(types);
    return document;
}
