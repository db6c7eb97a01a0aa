/* ComponentStatus, core/v1: read-only and never stored; components.c asks the components when it is read. */
#include "common/base.h"

#include "apiserver/columns.h"
#include "apiserver/kinds/types.h"

static const struct field fields_component_condition[] = {
    {.name = "type", .type = FIELD_STRING, .proto = 1, .flags = FIELD_ZERO, .doc = "Healthy."},
    {.name = "status", .type = FIELD_STRING, .proto = 2, .flags = FIELD_ZERO, .doc = "True, False or Unknown."},
    {.name = "message", .type = FIELD_STRING, .proto = 3, .doc = "What it said."},
    {.name = "error", .type = FIELD_STRING, .proto = 4, .doc = "What was wrong."},
    {.name = NULL},
};
static const struct type type_component_condition = {
    .name = "ComponentCondition", .doc = "Whether a component is well.", .fields = fields_component_condition};

static const struct field fields_component_status[] = {
    {.name = "kind", .type = FIELD_STRING, .doc = "Kind of the object."},
    {.name = "apiVersion", .type = FIELD_STRING, .doc = "Group and version the object is written in."},
    {.name = "metadata",
     .type = FIELD_OBJECT,
     .object = &type_object_meta,
     .proto = 1,
     .flags = FIELD_ALWAYS,
     .doc = "Name, labels and what else every object has."},
    {.name = "conditions",
     .type = FIELD_OBJECT,
     .shape = FIELD_LIST,
     .object = &type_component_condition,
     .proto = 2,
     .list = LIST_MAP,
     .list_keys = "type",
     .patch = PATCH_MERGE,
     .merge_key = "type",
     .doc = "What was found."},
    {.name = NULL},
};
static const struct type type_component_status = {.name = "ComponentStatus",
                                                  .doc = "Health of a part of the control plane, asked for when read.",
                                                  .fields = fields_component_status};

static const struct column columns[] = {
    {.name = "Name", .type = "string", .format = "name", .doc = "Name of the component."},
    {.name = "Status", .type = "string", .doc = "Healthy, Unhealthy or Unknown."},
    {.name = "Message", .type = "string", .doc = "What it said."},
    {.name = "Error", .type = "string", .doc = "What was wrong."},
    {.name = NULL},
};

static void row(const struct json *o, const struct column_now *now, struct cells *out)
{
    const char *status = "Unknown";
    struct slice message = SLICE(""), error = SLICE("");
    struct json_iterator i = json_iterate(json_get(o, "conditions"));
    (void)now; /* what is read has no age */
    while (json_next(&i)) {
        if (!slice_is(json_string_at(i.value, "type"), "Healthy"))
            continue;
        status = slice_is(json_string_at(i.value, "status"), "True") ? "Healthy" : "Unhealthy";
        message = json_string_at(i.value, "message");
        error = json_string_at(i.value, "error");
    }
    cells_add(out, json_string_at(o, "metadata.name"));
    cells_str(out, status);
    cells_add(out, message);
    cells_add(out, error);
}

static const char *const short_names[] = {"cs", NULL};

const struct kind kind_componentstatus = {
    .group = "",
    .version = "v1",
    .name = "ComponentStatus",
    .plural = "componentstatuses",
    .singular = "componentstatus",
    .short_names = short_names,
    .namespaced = false,
    .deprecated = "v1 ComponentStatus is deprecated in v1.19+",
    .verbs = "get,list",
    .type = &type_component_status,
    .columns = columns,
    .row = row,
    .never_stored = true,
    .no_generation = true,
};
