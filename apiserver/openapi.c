#include "common/base.h"

#include "apiserver/kinds/kinds.h"
#include "apiserver/openapi.h"
#include "common/json.h"

#define OPENAPI_TYPES_MAX 512
#define SERVER_GIT_VERSION "v1.32.5-keelson"

/* Types in the order they were met, each once. */
struct types {
    const struct type *list[OPENAPI_TYPES_MAX]; /* more are left out: their fields are then plain objects */
    const struct kind *kinds[OPENAPI_TYPES_MAX];
    size_t count;
};

static size_t type_index(const struct types *t, const struct type *type)
{
    size_t i = 0;
    while (i < t->count && t->list[i] != type)
        i++;
    return i;
}

static void types_add(struct types *t, const struct type *type, const struct kind *k)
{
    if (type_index(t, type) < t->count || t->count == OPENAPI_TYPES_MAX)
        return;
    t->kinds[t->count] = k;
    t->list[t->count++] = type;
}

static void add_fields(struct types *t, const struct type *type)
{
    for (const struct field *f = type->fields; f->name != NULL; f++) {
        if (f->type != FIELD_OBJECT)
            continue;
        if (f->flags & FIELD_INLINE)
            add_fields(t, f->object);
        else
            types_add(t, f->object, NULL);
    }
}

static bool is_of(const struct kind *k, const char *group, const char *version)
{
    return strcmp(k->group, group) == 0 && strcmp(k->version, version) == 0;
}

static void collect(struct types *t, const char *group, const char *version)
{
    for (const struct kind *const *k = kinds_all(); *k != NULL; k++) {
        if (is_of(*k, group, version))
            types_add(t, (*k)->type, *k);
    }
    for (size_t i = 0; i < t->count; i++) /* grows meanwhile */
        add_fields(t, t->list[i]);
}

/* Two tables of one name in a document are told apart by their place. */
static void schema_name(const struct types *t, size_t index, const char *group, const char *version, struct buf *out)
{
    bool twice = false;
    for (size_t i = 0; i < index; i++)
        twice |= strcmp(t->list[i]->name, t->list[index]->name) == 0;
    struct slice rest = slice_str(*group == '\0' ? "core" : group);
    buf_printf(out, "io.k8s.api.%.*s.%s.", SLICE_ARGS(slice_cut(&rest, '.')), version);
    if (twice)
        buf_printf(out, "v%zu.", index);
    buf_append_str(out, t->list[index]->name);
}

struct printer {
    const struct types *types;
    const char *group, *version;
    struct buf *out;
};

static void print_base(struct printer *p, const struct field *f)
{
    static const char *const words[] = {
        [FIELD_STRING] = "\"type\":\"string\"",
        [FIELD_BOOL] = "\"type\":\"boolean\"",
        [FIELD_INT32] = "\"type\":\"integer\",\"format\":\"int32\"",
        [FIELD_INT64] = "\"type\":\"integer\",\"format\":\"int64\"",
        [FIELD_DOUBLE] = "\"type\":\"number\",\"format\":\"double\"",
        [FIELD_BYTES] = "\"type\":\"string\",\"format\":\"byte\"",
        [FIELD_QUANTITY] = "\"oneOf\":[{\"type\":\"string\"},{\"type\":\"number\"}]",
        [FIELD_INT_OR_STRING] = "\"oneOf\":[{\"type\":\"integer\"},{\"type\":\"string\"}],\"format\":\"int-or-string\"",
        [FIELD_TIME] = "\"type\":\"string\",\"format\":\"date-time\"",
        [FIELD_MICRO_TIME] = "\"type\":\"string\",\"format\":\"date-time\"",
        [FIELD_DURATION] = "\"type\":\"string\"",
        [FIELD_RAW] = "\"type\":\"object\"",
    };
    size_t index = f->type == FIELD_OBJECT ? type_index(p->types, f->object) : p->types->count;
    if (f->type != FIELD_OBJECT) {
        buf_append_str(p->out, words[f->type]);
    } else if (index == p->types->count) {
        buf_append_str(p->out, "\"type\":\"object\"");
    } else {
        buf_append_str(p->out, "\"allOf\":[{\"$ref\":\"#/components/schemas/");
        schema_name(p->types, index, p->group, p->version, p->out);
        buf_append_str(p->out, "\"}]");
    }
}

static void print_keys(const char *keys, struct buf *out)
{
    struct slice rest = slice_str(keys);
    const char *comma = "";
    buf_append_str(out, ",\"x-kubernetes-list-map-keys\":[");
    while (rest.data != NULL) {
        buf_append_str(out, comma);
        json_print_string(slice_cut(&rest, ','), out);
        comma = ",";
    }
    buf_append_char(out, ']');
}

static void print_merging(const struct field *f, struct buf *out)
{
    static const char *const strategies[] = {NULL, "merge", "retainKeys", "merge,retainKeys"};
    if (f->shape == FIELD_LIST)
        buf_printf(out, ",\"x-kubernetes-list-type\":\"%s\"",
                   f->list == LIST_MAP   ? "map"
                   : f->list == LIST_SET ? "set"
                                         : "atomic");
    if (f->list == LIST_MAP && f->list_keys != NULL)
        print_keys(f->list_keys, out);
    if (f->merge_key != NULL)
        buf_printf(out, ",\"x-kubernetes-patch-merge-key\":\"%s\"", f->merge_key);
    if (f->patch != 0 && f->patch < ARRAY_LEN(strategies))
        buf_printf(out, ",\"x-kubernetes-patch-strategy\":\"%s\"", strategies[f->patch]);
}

static void print_field(struct printer *p, const struct field *f)
{
    struct buf *out = p->out;
    json_print_string(slice_str(f->name), out);
    buf_append_str(out, ":{");
    if (f->doc != NULL) {
        buf_append_str(out, "\"description\":");
        json_print_string(slice_str(f->doc), out);
        buf_append_char(out, ',');
    }
    if (f->shape != FIELD_ONE)
        buf_append_str(out, f->shape == FIELD_LIST ? "\"type\":\"array\",\"items\":{"
                                                   : "\"type\":\"object\",\"additionalProperties\":{");
    print_base(p, f);
    if (f->shape != FIELD_ONE)
        buf_append_char(out, '}');
    if (f->fallback != NULL)
        buf_printf(out, ",\"default\":%s", f->fallback);
    print_merging(f, out);
    buf_append_char(out, '}');
}

static const char *print_fields(struct printer *p, const struct type *t, const char *comma)
{
    for (const struct field *f = t->fields; f->name != NULL; f++) {
        if (f->flags & FIELD_INLINE) {
            comma = print_fields(p, f->object, comma);
            continue;
        }
        buf_append_str(p->out, comma);
        print_field(p, f);
        comma = ",";
    }
    return comma;
}

static void print_required(const struct type *t, struct buf *out)
{
    const char *comma = "";
    for (const struct field *f = t->fields; f->name != NULL; f++) {
        if (!(f->flags & FIELD_REQUIRED))
            continue;
        buf_append_str(out, *comma == '\0' ? ",\"required\":[" : comma);
        json_print_string(slice_str(f->name), out);
        comma = ",";
    }
    if (*comma != '\0')
        buf_append_char(out, ']');
}

static void print_gvk(const struct kind *k, struct buf *out)
{
    buf_printf(out, "{\"group\":\"%s\",\"version\":\"%s\",\"kind\":\"%s\"}", k->group, k->version, k->name);
}

static void print_schemas(struct printer *p)
{
    for (size_t i = 0; i < p->types->count; i++) {
        buf_append_str(p->out, i == 0 ? "\"" : ",\"");
        schema_name(p->types, i, p->group, p->version, p->out);
        buf_append_str(p->out, "\":{\"type\":\"object\",\"properties\":{");
        (void)print_fields(p, p->types->list[i], ""); /* where the commas stand does not matter further on */
        buf_append_char(p->out, '}');
        print_required(p->types->list[i], p->out);
        if (p->types->kinds[i] != NULL) {
            buf_append_str(p->out, ",\"x-kubernetes-group-version-kind\":[");
            print_gvk(p->types->kinds[i], p->out);
            buf_append_char(p->out, ']');
        }
        buf_append_char(p->out, '}');
    }
}

/* What clients need to leave validation to the server: the fieldValidation parameter and the media types of a patch. */
static void print_path(const struct kind *k, struct buf *out)
{
    const char *scope = k->namespaced ? "/namespaces/{namespace}" : "";
    buf_printf(out, "\"%s%s/%s%s/%s%s\":{", *k->group == '\0' ? "/api" : "/apis/", k->group, k->version, scope,
               k->plural, k->never_stored ? "" : "/{name}");
    buf_printf(out, "\"%s\":{\"responses\":{\"200\":{\"description\":\"OK\"}},\"x-kubernetes-group-version-kind\":",
               k->never_stored ? "post" : "get");
    print_gvk(k, out);
    buf_append_char(out, '}');
    if (!k->never_stored) {
        buf_append_str(
            out,
            ",\"patch\":{\"parameters\":[{\"name\":\"dryRun\",\"in\":\"query\",\"schema\":{\"type\":\"string\"}},"
            "{\"name\":\"fieldValidation\",\"in\":\"query\",\"schema\":{\"type\":\"string\"}}],\"requestBody\":{"
            "\"content\":{\"application/json-patch+json\":{\"schema\":{}},\"application/merge-patch+json\":{\"schema\":"
            "{}},\"application/strategic-merge-patch+json\":{\"schema\":{}}}},\"responses\":{\"200\":{\"description\":"
            "\"OK\"}},\"x-kubernetes-action\":\"patch\",\"x-kubernetes-group-version-kind\":");
        print_gvk(k, out);
        buf_append_char(out, '}');
    }
    buf_append_char(out, '}');
}

void openapi_document(const char *group, const char *version, struct buf *out)
{
    struct types types = {.count = 0};
    struct printer p = {&types, group, version, out};
    const char *comma = "";
    collect(&types, group, version);
    buf_append_str(out, "{\"openapi\":\"3.0.0\",\"info\":{\"title\":\"Kubernetes\",\"version\":\"" SERVER_GIT_VERSION
                        "\"},\"paths\":{");
    for (const struct kind *const *k = kinds_all(); *k != NULL; k++) {
        if (*(*k)->plural == '\0' || !is_of(*k, group, version))
            continue;
        buf_append_str(out, comma);
        print_path(*k, out);
        comma = ",";
    }
    buf_append_str(out, "},\"components\":{\"schemas\":{");
    print_schemas(&p);
    buf_append_str(out, "}}}\n");
}
