/* ControllerRevision, apps/v1. */
#include "common/base.h"

#include "apiserver/check.h"
#include "apiserver/columns.h"
#include "apiserver/kinds/types.h"

static const struct field fields_controller_revision[] = {
    {.name = "kind", .type = FIELD_STRING},
    {.name = "apiVersion", .type = FIELD_STRING},
    {.name = "metadata", .type = FIELD_OBJECT, .object = &type_object_meta, .proto = 1, .flags = FIELD_ALWAYS},
    {.name = "data", .type = FIELD_RAW, .proto = 2, .flags = FIELD_REQUIRED | FIELD_OPTIONAL, .required = "data is mandatory"},
    {.name = "revision", .type = FIELD_INT64, .proto = 3, .flags = FIELD_ZERO, .check = check_not_negative},
    {.name = NULL},
};
static const struct type type_controller_revision = {.name = "ControllerRevision",
                                                     .fields = fields_controller_revision};

static const struct column columns[] = {
    {.name = "Name", .type = "string", .format = "name", .doc = "Name of the object, unique within its namespace."},
    {.name = "Controller", .type = "string", .doc = "Who the revision belongs to."},
    {.name = "Revision", .type = "string", .doc = "Number of the revision."},
    {.name = "Age", .type = "string", .doc = "Time since the object was created."},
    {.name = NULL},
};

static void row(const struct json *o, const struct column_now *now, struct cells *out)
{
    cells_add(out, json_string_at(o, "metadata.name"));
    struct slice owner = {NULL, 0}, kind = {NULL, 0};
    struct json_iterator i = json_iterate(json_at(o, "metadata.ownerReferences"));
    while (json_next(&i)) {
        if (!json_bool_at(i.value, "controller", false))
            continue;
        owner = json_string_at(i.value, "name");
        kind = json_string_at(i.value, "kind");
    }
    if (owner.size > 0)
        cells_printf(out, "%.*s/%.*s", SLICE_ARGS(kind), SLICE_ARGS(owner));
    else
        cells_str(out, "<none>");
    cells_int(out, json_int_at(o, "revision", 0));
    cells_age(out, json_string_at(o, "metadata.creationTimestamp"), now);
}

static void check_update(struct check *c, const struct json *object, const struct json *old)
{
    const struct json *now = json_get(object, "data"), *was = json_get(old, "data");
    if ((now == NULL) != (was == NULL) || (now != NULL && !json_equal(now, was)))
        check_fail_at(c, "data", CHECK_INVALID, NULL, "field is immutable");
}

const struct kind kind_controllerrevision = {
    .group = "apps",
    .version = "v1",
    .name = "ControllerRevision",
    .plural = "controllerrevisions",
    .singular = "controllerrevision",
    .namespaced = true,
    .storage_prefix = "controllerrevisions",
    .verbs = "create,delete,deletecollection,get,list,patch,update,watch",
    .type = &type_controller_revision,
    .columns = columns,
    .row = row,
    .check_update = check_update,
    .no_generation = true,
};
