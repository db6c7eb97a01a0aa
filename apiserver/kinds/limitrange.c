/* LimitRange, core/v1. */
#include "common/base.h"

#include "apiserver/check.h"
#include "apiserver/kinds/types.h"
#include "apiserver/names.h"
#include "common/kube/quantity.h"
#include "common/map.h"

/* Types without a prefix are Kubernetes' own. */
static void check_type(struct check *c, const struct json *v)
{
    struct err why;
    struct slice type = json_string(v);
    bool own = slice_find(type, '/') == type.size;
    if (type.size > 0 && name_check_qualified(type, &why) != 0)
        check_fail(c, CHECK_INVALID, v, "%s", why.message);
    else if (own && type.size > 0 && !slice_is(type, "Pod") && !slice_is(type, "Container") &&
             !slice_is(type, "PersistentVolumeClaim"))
        check_fail(c, CHECK_INVALID, v, "must be a standard limit type or fully qualified");
}

/* What `to` does not say is taken over from `from`. */
static void take_over(struct json_doc *d, struct json *item, const char *to, const char *from)
{
    struct json_iterator i = json_iterate(json_get(item, from));
    while (json_next(&i)) {
        struct json *target = json_ensure_object(d, item, to);
        if (json_get_slice(target, i.key) == NULL)
            json_set_slice(d, target, i.key, json_copy(d, i.value));
    }
}

static void fill_item(struct json_doc *d, struct json *v)
{
    if (!slice_is(json_string_at(v, "type"), "Container"))
        return;
    take_over(d, v, "default", "max");
    take_over(d, v, "defaultRequest", "default");
    take_over(d, v, "defaultRequest", "min");
}

/* The members that bound one resource of an item; NULL where it says nothing. */
struct bounds {
    const struct json *min, *max, *request, *limit, *ratio;
};

static bool more(const struct json *a, const struct json *b)
{
    struct quantity x, y;
    return a != NULL && b != NULL && quantity_parse(json_string(a), &x, NULL) == 0 &&
           quantity_parse(json_string(b), &y, NULL) == 0 && quantity_compare(x, y) > 0;
}

static void fail(struct check *c, const char *member, struct slice resource, const struct json *bad, const char *what,
                 const struct json *first, const char *relation, const struct json *second)
{
    size_t mark = check_enter(c, member);
    (void)check_enter_key(c, resource);
    check_fail(c, CHECK_INVALID, bad, "%s %.*s is %s %.*s", what, SLICE_ARGS(json_string(first)), relation,
               SLICE_ARGS(json_string(second)));
    check_leave(c, mark);
}

static void check_ratio(struct check *c, struct slice resource, const struct bounds *b)
{
    struct quantity ratio, min, max;
    if (b->ratio == NULL || quantity_parse(json_string(b->ratio), &ratio, NULL) != 0)
        return;
    size_t mark = check_enter(c, "maxLimitRequestRatio");
    (void)check_enter_key(c, resource);
    if (quantity_milli(ratio) < 1000)
        check_fail(c, CHECK_INVALID, b->ratio, "ratio %.*s is less than 1", SLICE_ARGS(json_string(b->ratio)));
    if (b->min != NULL && b->max != NULL && quantity_parse(json_string(b->min), &min, NULL) == 0 &&
        quantity_parse(json_string(b->max), &max, NULL) == 0 && quantity_milli(min) > 0) {
        double most = (double)quantity_milli(max) / (double)quantity_milli(min);
        if ((double)quantity_milli(ratio) / 1000 > most)
            check_fail(c, CHECK_INVALID, b->ratio, "ratio %.*s is greater than max/min = %f",
                       SLICE_ARGS(json_string(b->ratio)), most);
    }
    check_leave(c, mark);
}

static void check_bounds(struct check *c, struct slice resource, const struct bounds *b)
{
    if (more(b->min, b->max))
        fail(c, "min", resource, b->min, "min value", b->min, "greater than max value", b->max);
    if (more(b->min, b->request))
        fail(c, "defaultRequest", resource, b->request, "min value", b->min, "greater than default request value",
             b->request);
    if (more(b->request, b->max))
        fail(c, "defaultRequest", resource, b->request, "default request value", b->request, "greater than max value",
             b->max);
    if (more(b->request, b->limit))
        fail(c, "defaultRequest", resource, b->request, "default request value", b->request,
             "greater than default limit value", b->limit);
    if (more(b->min, b->limit))
        fail(c, "default", resource, b->min, "min value", b->min, "greater than default value", b->limit);
    if (more(b->limit, b->max))
        fail(c, "default", resource, b->max, "default value", b->limit, "greater than max value", b->max);
    check_ratio(c, resource, b);
}

static void check_names(struct check *c, const struct json *v, const char *member)
{
    struct json_iterator i = json_iterate(json_get(v, member));
    while (json_next(&i)) {
        struct err why;
        size_t mark = check_enter(c, member);
        (void)check_enter_key(c, i.key);
        if (name_check_qualified(i.key, &why) != 0)
            check_fail_text(c, CHECK_INVALID, i.key, "%s", why.message);
        check_leave(c, mark);
    }
}

static void check_item(struct check *c, const struct json *v)
{
    static const char *const members[] = {"max", "min", "default", "defaultRequest", "maxLimitRequestRatio"};
    struct map seen = {0};
    struct slice type = json_string_at(v, "type");
    for (size_t m = 0; m < ARRAY_LEN(members); m++) {
        check_names(c, v, members[m]);
        struct json_iterator i = json_iterate(json_get(v, members[m]));
        bool forbidden = slice_is(type, "Pod") && (m == 2 || m == 3) && json_size(json_get(v, members[m])) > 0;
        if (forbidden)
            check_fail_at(c, members[m], CHECK_FORBIDDEN, NULL, "may not be specified when `type` is 'Pod'");
        while (!forbidden && json_next(&i)) {
            if (map_put(&seen, i.key, c) != NULL)
                continue;
            const struct bounds b = {
                json_get_slice(json_get(v, "min"), i.key), json_get_slice(json_get(v, "max"), i.key),
                json_get_slice(json_get(v, "defaultRequest"), i.key), json_get_slice(json_get(v, "default"), i.key),
                json_get_slice(json_get(v, "maxLimitRequestRatio"), i.key)};
            check_bounds(c, i.key, &b);
        }
    }
    map_release(&seen);
    if (slice_is(type, "PersistentVolumeClaim") && json_get(json_get(v, "min"), "storage") == NULL &&
        json_get(json_get(v, "max"), "storage") == NULL)
        check_fail_at(c, "limits", CHECK_REQUIRED, NULL,
                      "either minimum or maximum storage value is required, but neither was provided");
}

/* One item per type. */
static void check_spec(struct check *c, const struct json *v)
{
    struct map seen = {0};
    struct json_iterator i = json_iterate(json_get(v, "limits"));
    while (json_next(&i)) {
        struct slice type = json_string_at(i.value, "type");
        if (map_put(&seen, type, c) == NULL)
            continue;
        size_t mark = check_enter(c, "limits");
        (void)check_enter_index(c, i.position - 1);
        check_fail_at(c, "type", CHECK_DUPLICATE, json_get(i.value, "type"), "%s", "");
        check_leave(c, mark);
    }
    map_release(&seen);
}

static const struct field fields_limit_range_item[] = {
    {.name = "type",
     .type = FIELD_STRING,
     .proto = 1,
     .flags = FIELD_REQUIRED,
     .check = check_type,
     .doc = "What is bounded: Pod, Container or PersistentVolumeClaim."},
    {.name = "max",
     .type = FIELD_QUANTITY,
     .shape = FIELD_MAP,
     .proto = 2,
     .doc = "Most that may be asked for, by resource."},
    {.name = "min",
     .type = FIELD_QUANTITY,
     .shape = FIELD_MAP,
     .proto = 3,
     .doc = "Least that must be asked for, by resource."},
    {.name = "default",
     .type = FIELD_QUANTITY,
     .shape = FIELD_MAP,
     .proto = 4,
     .doc = "Limit of a container that names none."},
    {.name = "defaultRequest",
     .type = FIELD_QUANTITY,
     .shape = FIELD_MAP,
     .proto = 5,
     .doc = "Request of a container that names none."},
    {.name = "maxLimitRequestRatio",
     .type = FIELD_QUANTITY,
     .shape = FIELD_MAP,
     .proto = 6,
     .doc = "Most that a limit may be of its request."},
    {.name = NULL},
};
static const struct type type_limit_range_item = {.name = "LimitRangeItem",
                                                  .doc = "Bounds of one type of thing.",
                                                  .fields = fields_limit_range_item,
                                                  .fill = fill_item,
                                                  .check = check_item};

static const struct field fields_limit_range_spec[] = {
    {.name = "limits",
     .type = FIELD_OBJECT,
     .shape = FIELD_LIST,
     .object = &type_limit_range_item,
     .proto = 1,
     .flags = FIELD_ALWAYS | FIELD_ZERO,
     .doc = "The bounds, one entry per type."},
    {.name = NULL},
};
static const struct type type_limit_range_spec = {
    .name = "LimitRangeSpec", .doc = "Bounds of a namespace.", .fields = fields_limit_range_spec, .check = check_spec};

static const struct field fields_limit_range[] = {
    {.name = "kind", .type = FIELD_STRING, .doc = "Kind of the object."},
    {.name = "apiVersion", .type = FIELD_STRING, .doc = "Group and version the object is written in."},
    {.name = "metadata",
     .type = FIELD_OBJECT,
     .object = &type_object_meta,
     .proto = 1,
     .flags = FIELD_ALWAYS,
     .doc = "Name, labels and what else every object has."},
    {.name = "spec",
     .type = FIELD_OBJECT,
     .object = &type_limit_range_spec,
     .proto = 2,
     .flags = FIELD_ALWAYS,
     .doc = "What is wanted."},
    {.name = NULL},
};
static const struct type type_limit_range = {
    .name = "LimitRange",
    .doc = "Bounds and defaults of the resources that things in a namespace ask for.",
    .fields = fields_limit_range};

static const char *const short_names[] = {"limits", NULL};

const struct kind kind_limitrange = {
    .group = "",
    .version = "v1",
    .name = "LimitRange",
    .plural = "limitranges",
    .singular = "limitrange",
    .short_names = short_names,
    .namespaced = true,
    .storage_prefix = "limitranges",
    .verbs = "create,delete,deletecollection,get,list,patch,update,watch",
    .type = &type_limit_range,
    .no_generation = true,
    .update_creates = true,
};
