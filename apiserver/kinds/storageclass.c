/* StorageClass, storage.k8s.io/v1. */
#include "common/base.h"

#include "apiserver/check.h"
#include "apiserver/columns.h"
#include "apiserver/kinds/types.h"
#include "apiserver/names.h"

#include <ctype.h>

#define PARAMETERS_MAX 512
#define PARAMETERS_BYTES_MAX (256 * 1024)

static const char *const reclaim_policies[] = {"Delete", "Retain", NULL};
static const char *const binding_modes[] = {"Immediate", "WaitForFirstConsumer", NULL};

static void check_provisioner(struct check *c, const struct json *v);
static void check_parameters(struct check *c, const struct json *v);
static void check_topologies(struct check *c, const struct json *v);
static void check_topology_term(struct check *c, const struct json *v);

static const struct field fields_topology_selector_label_requirement[] = {
    {.name = "key",
     .type = FIELD_STRING,
     .proto = 1,
     .flags = FIELD_REQUIRED,
     .check = check_qualified,
     .doc = "Key of the label."},
    {.name = "values",
     .type = FIELD_STRING,
     .shape = FIELD_LIST,
     .proto = 2,
     .flags = FIELD_REQUIRED,
     .check = check_each_once,
     .doc = "Values, one of which the node has."},
    {.name = NULL},
};
static const struct type type_topology_selector_label_requirement = {
    .name = "TopologySelectorLabelRequirement",
    .doc = "Values of a node label.",
    .fields = fields_topology_selector_label_requirement,
};

static const struct field fields_topology_selector_term[] = {
    {.name = "matchLabelExpressions",
     .type = FIELD_OBJECT,
     .shape = FIELD_LIST,
     .object = &type_topology_selector_label_requirement,
     .proto = 1,
     .doc = "Labels, all of which hold."},
    {.name = NULL},
};
static const struct type type_topology_selector_term = {
    .name = "TopologySelectorTerm",
    .doc = "Labels of nodes.",
    .atomic = true,
    .fields = fields_topology_selector_term,
    .check = check_topology_term,
};

static const struct field fields_storage_class[] = {
    {.name = "kind", .type = FIELD_STRING, .doc = "Kind of the object."},
    {.name = "apiVersion", .type = FIELD_STRING, .doc = "Group and version of the API that the object is written in."},
    {.name = "metadata",
     .type = FIELD_OBJECT,
     .object = &type_object_meta,
     .proto = 1,
     .flags = FIELD_ALWAYS,
     .doc = "Name, namespace, labels and what else every object carries."},
    {.name = "provisioner",
     .type = FIELD_STRING,
     .proto = 2,
     .flags = FIELD_REQUIRED,
     .check = check_provisioner,
     .doc = "Who makes the volumes."},
    {.name = "parameters",
     .type = FIELD_STRING,
     .shape = FIELD_MAP,
     .proto = 3,
     .check = check_parameters,
     .doc = "Settings for who makes the volumes."},
    {.name = "reclaimPolicy",
     .type = FIELD_STRING,
     .proto = 4,
     .flags = FIELD_POINTER,
     .fallback = "\"Delete\"",
     .one_of = reclaim_policies,
     .doc = "What becomes of a volume when its claim is gone: Delete or Retain."},
    {.name = "mountOptions",
     .type = FIELD_STRING,
     .shape = FIELD_LIST,
     .proto = 5,
     .doc = "Options that volumes are mounted with."},
    {.name = "allowVolumeExpansion",
     .type = FIELD_BOOL,
     .proto = 6,
     .flags = FIELD_POINTER,
     .doc = "Whether claims may grow."},
    {.name = "volumeBindingMode",
     .type = FIELD_STRING,
     .proto = 7,
     .flags = FIELD_POINTER,
     .fallback = "\"Immediate\"",
     .one_of = binding_modes,
     .doc = "When claims get their volume: Immediate, or WaitForFirstConsumer for the first pod."},
    {.name = "allowedTopologies",
     .type = FIELD_OBJECT,
     .shape = FIELD_LIST,
     .object = &type_topology_selector_term,
     .proto = 8,
     .check = check_topologies,
     .doc = "Where volumes may be made; none: anywhere."},
    {.name = NULL},
};
static const struct type type_storage_class = {
    .name = "StorageClass",
    .doc = "A kind of storage that claims ask for by name.",
    .fields = fields_storage_class,
};

static void check_provisioner(struct check *c, const struct json *v)
{
    struct err why;
    struct buf lower = {0};
    struct slice name = json_string(v);
    for (size_t i = 0; i < name.size; i++)
        buf_append_char(&lower, (char)tolower((unsigned char)name.data[i]));
    if (name.size > 0 && name_check_qualified(buf_slice(&lower), &why) != 0)
        check_fail(c, CHECK_INVALID, v, "%s", why.message);
    buf_release(&lower);
}

static void check_parameters(struct check *c, const struct json *v)
{
    size_t bytes = 0;
    if (json_size(v) > PARAMETERS_MAX)
        check_fail(c, CHECK_TOO_LONG, NULL, "may not be more than %d bytes", PARAMETERS_MAX);
    struct json_iterator i = json_iterate(v);
    while (json_next(&i)) {
        if (i.key.size == 0)
            check_fail_text(c, CHECK_INVALID, i.key, "field can not be empty.");
        bytes += i.key.size + json_string(i.value).size;
    }
    if (bytes > PARAMETERS_BYTES_MAX)
        check_fail(c, CHECK_TOO_LONG, NULL, "may not be more than %d bytes", PARAMETERS_BYTES_MAX);
}

static void check_topologies(struct check *c, const struct json *v)
{
    struct json_iterator i = json_iterate(v);
    while (json_next(&i)) {
        size_t mark = check_enter_index(c, i.position - 1);
        for (size_t k = 0; k + 1 < i.position; k++)
            if (json_equal(json_element(v, k), i.value))
                check_fail_text_at(c, "matchLabelExpressions", CHECK_DUPLICATE, SLICE(""), "%s", "");
        check_leave(c, mark);
    }
}

/* Keys stand once in a term. */
static void check_topology_term(struct check *c, const struct json *v)
{
    const struct json *list = json_get(v, "matchLabelExpressions");
    struct json_iterator i = json_iterate(list);
    size_t mark = check_enter(c, "matchLabelExpressions");
    while (json_next(&i)) {
        size_t at = check_enter_index(c, i.position - 1);
        for (size_t k = 0; k + 1 < i.position; k++)
            if (slice_equal(json_string_at(json_element(list, k), "key"), json_string_at(i.value, "key")))
                check_fail_at(c, "key", CHECK_DUPLICATE, json_get(i.value, "key"), "%s", "");
        check_leave(c, at);
    }
    check_leave(c, mark);
}

static void check_update(struct check *c, const struct json *object, const struct json *old)
{
    static const char *const fixed[] = {"parameters", "provisioner", "reclaimPolicy"};
    for (size_t i = 0; i < ARRAY_LEN(fixed); i++)
        if (!json_equal(json_get(object, fixed[i]), json_get(old, fixed[i])))
            check_fail_at(c, fixed[i], CHECK_FORBIDDEN, NULL, "updates to %s are forbidden.", fixed[i]);
    if (!json_equal(json_get(object, "volumeBindingMode"), json_get(old, "volumeBindingMode")))
        check_fail_at(c, "volumeBindingMode", CHECK_INVALID, json_get(object, "volumeBindingMode"),
                      "field is immutable");
}

static const struct column columns[] = {
    {.name = "Name", .type = "string", .format = "name", .doc = "Name of the object, unique in the cluster."},
    {.name = "Provisioner", .type = "string", .doc = "Who makes volumes of this class."},
    {.name = "ReclaimPolicy", .type = "string", .doc = "What becomes of a volume when its claim is gone."},
    {.name = "VolumeBindingMode", .type = "string", .doc = "When claims are bound."},
    {.name = "AllowVolumeExpansion", .type = "string", .doc = "Whether claims of this class may grow."},
    {.name = "Age", .type = "string", .doc = "Time since the object was created."},
    {.name = NULL},
};

static bool is_default(const struct json *o)
{
    static const char *const keys[] = {"storageclass.kubernetes.io/is-default-class",
                                       "storageclass.beta.kubernetes.io/is-default-class"};
    for (size_t i = 0; i < ARRAY_LEN(keys); i++)
        if (slice_is(json_string(json_get(json_at(o, "metadata.annotations"), keys[i])), "true"))
            return true;
    return false;
}

static void row(const struct json *o, const struct column_now *now, struct cells *out)
{
    cells_printf(out, "%.*s%s", SLICE_ARGS(json_string_at(o, "metadata.name")), is_default(o) ? " (default)" : "");
    cells_add(out, json_string_at(o, "provisioner"));
    cells_or(out, json_string_at(o, "reclaimPolicy"), "Delete");
    cells_or(out, json_string_at(o, "volumeBindingMode"), "Immediate");
    cells_bool(out, json_bool_at(o, "allowVolumeExpansion", false));
    cells_age(out, json_string_at(o, "metadata.creationTimestamp"), now);
}

static const char *const short_names[] = {"sc", NULL};

const struct kind kind_storageclass = {
    .group = "storage.k8s.io",
    .version = "v1",
    .name = "StorageClass",
    .plural = "storageclasses",
    .singular = "storageclass",
    .short_names = short_names,
    .storage_prefix = "storageclasses",
    .verbs = "create,delete,deletecollection,get,list,patch,update,watch",
    .type = &type_storage_class,
    .columns = columns,
    .row = row,
    .check_update = check_update,
    .no_generation = true,
    .delete_answers_object = true,
};
