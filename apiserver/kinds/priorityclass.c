/* PriorityClass, scheduling.k8s.io/v1. */
#include "common/base.h"

#include "apiserver/check.h"
#include "apiserver/columns.h"
#include "apiserver/kinds/types.h"

#define USER_VALUE_MAX 1000000000

static const char *const preemption_policies[] = {"PreemptLowerPriority", "Never", NULL};

static const struct {
    const char *name;
    int64_t value;
} system_classes[] = {{"system-node-critical", 2000001000}, {"system-cluster-critical", 2000000000}};

static void check_priority_class(struct check *c, const struct json *v);

static const struct field fields_priority_class[] = {
    {.name = "kind", .type = FIELD_STRING, .doc = "Kind of the object."},
    {.name = "apiVersion", .type = FIELD_STRING, .doc = "Group and version of the API that the object is written in."},
    {.name = "metadata",
     .type = FIELD_OBJECT,
     .object = &type_object_meta,
     .proto = 1,
     .flags = FIELD_ALWAYS,
     .doc = "Name, namespace, labels and what else every object carries."},
    {.name = "value",
     .type = FIELD_INT32,
     .proto = 2,
     .flags = FIELD_REQUIRED,
     .fallback = "0",
     .doc = "The priority: pods with higher ones are placed first."},
    {.name = "globalDefault",
     .type = FIELD_BOOL,
     .proto = 3,
     .doc = "Whether it is the class of pods that name none; true of one class at most."},
    {.name = "description", .type = FIELD_STRING, .proto = 4, .doc = "What pods the class is for."},
    {.name = "preemptionPolicy",
     .type = FIELD_STRING,
     .proto = 5,
     .flags = FIELD_POINTER,
     .fallback = "\"PreemptLowerPriority\"",
     .one_of = preemption_policies,
     .doc = "Whether its pods may drive others out: PreemptLowerPriority or Never."},
    {.name = NULL},
};
static const struct type type_priority_class = {
    .name = "PriorityClass",
    .doc = "A name for a priority of pods.",
    .fields = fields_priority_class,
    .check = check_priority_class,
};

/* Names that begin with "system-" are Kubernetes' own, with their values. */
static void check_system_class(struct check *c, const struct json *v, struct slice name)
{
    size_t i = 0;
    while (i < ARRAY_LEN(system_classes) && !slice_is(name, system_classes[i].name))
        i++;
    bool known = i < ARRAY_LEN(system_classes);
    if (known && json_int_at(v, "value", 0) == system_classes[i].value && !json_bool_at(v, "globalDefault", false))
        return;
    struct buf why = {0};
    if (!known)
        buf_printf(&why, "%.*s is not a known system priority class", SLICE_ARGS(name));
    else if (json_int_at(v, "value", 0) != system_classes[i].value)
        buf_printf(&why, "value of %.*s PriorityClass must be %lld", SLICE_ARGS(name),
                   (long long)system_classes[i].value);
    else
        buf_printf(&why, "globalDefault of %.*s PriorityClass must be false", SLICE_ARGS(name));
    check_fail_at(c, "metadata.name", CHECK_FORBIDDEN, NULL,
                  "priority class names with 'system-' prefix are reserved for system use only. error: %s", why.data);
    buf_release(&why);
}

static void check_priority_class(struct check *c, const struct json *v)
{
    struct slice name = json_string_at(v, "metadata.name");
    if (slice_has_prefix(name, SLICE("system-")))
        check_system_class(c, v, name);
    else if (json_int_at(v, "value", 0) > USER_VALUE_MAX)
        check_fail_at(c, "value", CHECK_FORBIDDEN, NULL, "maximum allowed value of a user defined priority is %d",
                      USER_VALUE_MAX);
}

static void check_update(struct check *c, const struct json *object, const struct json *old)
{
    if (!json_equal(json_get(object, "value"), json_get(old, "value")))
        check_fail_at(c, "value", CHECK_FORBIDDEN, NULL, "may not be changed in an update.");
    if (!json_equal(json_get(object, "preemptionPolicy"), json_get(old, "preemptionPolicy")))
        check_fail_at(c, "preemptionPolicy", CHECK_INVALID, json_get(object, "preemptionPolicy"), "field is immutable");
}

static const struct column columns[] = {
    {.name = "Name", .type = "string", .format = "name", .doc = "Name of the object, unique in the cluster."},
    {.name = "Value", .type = "integer", .doc = "Priority of pods of this class; higher goes first."},
    {.name = "Global-Default", .type = "boolean", .doc = "Whether pods without a class are of this one."},
    {.name = "Age", .type = "string", .doc = "Time since the object was created."},
    {.name = NULL},
};

static void row(const struct json *o, const struct column_now *now, struct cells *out)
{
    cells_add(out, json_string_at(o, "metadata.name"));
    cells_int(out, json_int_at(o, "value", 0));
    cells_bool(out, json_bool_at(o, "globalDefault", false));
    cells_age(out, json_string_at(o, "metadata.creationTimestamp"), now);
}

static const char *const short_names[] = {"pc", NULL};

const struct kind kind_priorityclass = {
    .group = "scheduling.k8s.io",
    .version = "v1",
    .name = "PriorityClass",
    .plural = "priorityclasses",
    .singular = "priorityclass",
    .short_names = short_names,
    .storage_prefix = "priorityclasses",
    .verbs = "create,delete,deletecollection,get,list,patch,update,watch",
    .type = &type_priority_class,
    .columns = columns,
    .row = row,
    .check_update = check_update,
};
