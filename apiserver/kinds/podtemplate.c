/* PodTemplate, core/v1. */
#include "common/base.h"

#include "apiserver/check.h"
#include "apiserver/columns.h"
#include "apiserver/kinds/types.h"

static const struct field fields_pod_template[] = {
    {.name = "kind", .type = FIELD_STRING, .doc = "Kind of the object."},
    {.name = "apiVersion", .type = FIELD_STRING, .doc = "Group and version of the API that the object is written in."},
    {.name = "metadata",
     .type = FIELD_OBJECT,
     .object = &type_object_meta,
     .proto = 1,
     .flags = FIELD_ALWAYS,
     .doc = "Name, namespace, labels and what else every object carries."},
    {.name = "template",
     .type = FIELD_OBJECT,
     .object = &type_pod_template_spec,
     .proto = 2,
     .flags = FIELD_ALWAYS,
     .doc = "What the pods look like."},
    {.name = NULL},
};
static const struct type type_pod_template = {
    .name = "PodTemplate", .doc = "A template of pods, kept as an object.", .fields = fields_pod_template};

static const struct column columns[] = {
    {.name = "Name", .type = "string", .format = "name", .doc = "Name of the object, unique within its namespace."},
    {.name = "Containers", .type = "string", .doc = "Names of the containers in the template."},
    {.name = "Images", .type = "string", .doc = "Images of the containers in the template."},
    {.name = "Pod Labels", .type = "string", .doc = "Labels of the template."},
    {.name = NULL},
};

static void row(const struct json *o, const struct column_now *now, struct cells *out)
{
    cells_add(out, json_string_at(o, "metadata.name"));
    static const char *const fields[] = {"name", "image"};
    struct buf text = {0};
    (void)now;
    for (size_t i = 0; i < ARRAY_LEN(fields); i++) {
        containers_text(json_at(o, "template.spec"), fields[i], &text);
        cells_add(out, buf_slice(&text));
        buf_reset(&text);
    }
    struct json_iterator i = json_iterate(json_at(o, "template.metadata.labels"));
    while (json_next(&i))
        buf_printf(&text, "%s%.*s=%.*s", text.size == 0 ? "" : ",", SLICE_ARGS(i.key),
                   SLICE_ARGS(json_string(i.value)));
    cells_or(out, buf_slice(&text), "<none>");
    buf_release(&text);
}

const struct kind kind_podtemplate = {
    .group = "",
    .version = "v1",
    .name = "PodTemplate",
    .plural = "podtemplates",
    .singular = "podtemplate",
    .namespaced = true,
    .storage_prefix = "podtemplates",
    .verbs = "create,delete,deletecollection,get,list,patch,update,watch",
    .type = &type_pod_template,
    .columns = columns,
    .row = row,
};
