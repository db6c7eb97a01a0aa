/* HorizontalPodAutoscaler, autoscaling/v1: one percentage of processor time. What else the stored version says goes
 * through annotations, in the form that Kubernetes gives it there, so that nothing is lost by who reads and writes v1.
 */
#include "common/base.h"

#include "apiserver/columns.h"
#include "apiserver/convert.h"
#include "apiserver/kinds/kinds.h"
#include "apiserver/kinds/types.h"

#define PREFIX "autoscaling.alpha.kubernetes.io/"

static const struct field fields_cross_version_object_reference[] = {
    {.name = "kind", .type = FIELD_STRING, .proto = 1, .flags = FIELD_REQUIRED, .doc = "Kind of the object."},
    {.name = "name", .type = FIELD_STRING, .proto = 2, .flags = FIELD_REQUIRED, .doc = "Name of the object."},
    {.name = "apiVersion", .type = FIELD_STRING, .proto = 3, .doc = "Group and version of the kind."},
    {.name = NULL},
};
static const struct type type_cross_version_object_reference = {.name = "CrossVersionObjectReference",
                                                                .doc = "An object by kind and name.",
                                                                .fields = fields_cross_version_object_reference,
                                                                .atomic = true};

static const struct field fields_horizontal_pod_autoscaler_spec[] = {
    {.name = "scaleTargetRef",
     .type = FIELD_OBJECT,
     .object = &type_cross_version_object_reference,
     .proto = 1,
     .flags = FIELD_ALWAYS | FIELD_ZERO,
     .doc = "What to scale."},
    {.name = "minReplicas",
     .type = FIELD_INT32,
     .proto = 2,
     .flags = FIELD_POINTER,
     .fallback = "1",
     .doc = "Fewest pods."},
    {.name = "maxReplicas", .type = FIELD_INT32, .proto = 3, .flags = FIELD_ZERO, .doc = "Most pods."},
    {.name = "targetCPUUtilizationPercentage",
     .type = FIELD_INT32,
     .proto = 4,
     .flags = FIELD_POINTER,
     .doc = "Percent of the requested processor time that pods should use on average."},
    {.name = NULL},
};
static const struct type type_horizontal_pod_autoscaler_spec = {.name = "HorizontalPodAutoscalerSpec",
                                                                .doc = "What to scale, and by what.",
                                                                .fields = fields_horizontal_pod_autoscaler_spec};

static const struct field fields_horizontal_pod_autoscaler_status[] = {
    {.name = "observedGeneration",
     .type = FIELD_INT64,
     .proto = 1,
     .doc = "The generation of the spec that the controller has acted on."},
    {.name = "lastScaleTime", .type = FIELD_TIME, .proto = 2, .doc = "When the number of pods was last changed."},
    {.name = "currentReplicas",
     .type = FIELD_INT32,
     .proto = 3,
     .flags = FIELD_ZERO,
     .check = check_not_negative,
     .doc = "Pods there were."},
    {.name = "desiredReplicas",
     .type = FIELD_INT32,
     .proto = 4,
     .flags = FIELD_ZERO,
     .fallback = "0",
     .check = check_not_negative,
     .doc = "Pods there should be."},
    {.name = "currentCPUUtilizationPercentage",
     .type = FIELD_INT32,
     .proto = 5,
     .flags = FIELD_POINTER,
     .doc = "Percent of the requested processor time that pods use on average."},
    {.name = NULL},
};
static const struct type type_horizontal_pod_autoscaler_status = {.name = "HorizontalPodAutoscalerStatus",
                                                                  .doc = "State of an autoscaler.",
                                                                  .fields = fields_horizontal_pod_autoscaler_status};

static const struct field fields_horizontal_pod_autoscaler[] = {
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
     .object = &type_horizontal_pod_autoscaler_spec,
     .proto = 2,
     .flags = FIELD_ALWAYS,
     .doc = "What is wanted."},
    {.name = "status",
     .type = FIELD_OBJECT,
     .object = &type_horizontal_pod_autoscaler_status,
     .proto = 3,
     .flags = FIELD_ALWAYS,
     .doc = "What was found; written by controllers."},
    {.name = NULL},
};
static const struct type type_horizontal_pod_autoscaler = {
    .name = "HorizontalPodAutoscaler",
    .doc = "Changes the number of pods of a workload by what they are asked to do.",
    .fields = fields_horizontal_pod_autoscaler};

/* A metric's members in the annotations (flat) and in v2 (in `target` or `current`). */
struct pair {
    const char *flat, *nested;
};
struct shape {
    const char *type, *member;
    struct pair spec[5], status[5]; /* end with NULL */
};
static const struct shape shapes[] = {
    {"Resource",
     "resource",
     {{"name", "name"},
      {"targetAverageUtilization", "target.averageUtilization"},
      {"targetAverageValue", "target.averageValue"}},
     {{"name", "name"},
      {"currentAverageUtilization", "current.averageUtilization"},
      {"currentAverageValue", "current.averageValue"}}},
    {"ContainerResource",
     "containerResource",
     {{"name", "name"},
      {"container", "container"},
      {"targetAverageUtilization", "target.averageUtilization"},
      {"targetAverageValue", "target.averageValue"}},
     {{"name", "name"},
      {"container", "container"},
      {"currentAverageUtilization", "current.averageUtilization"},
      {"currentAverageValue", "current.averageValue"}}},
    {"Pods",
     "pods",
     {{"metricName", "metric.name"}, {"targetAverageValue", "target.averageValue"}, {"selector", "metric.selector"}},
     {{"metricName", "metric.name"}, {"currentAverageValue", "current.averageValue"}, {"selector", "metric.selector"}}},
    {"Object",
     "object",
     {{"target", "describedObject"},
      {"metricName", "metric.name"},
      {"targetValue", "target.value"},
      {"selector", "metric.selector"},
      {"averageValue", "target.averageValue"}},
     {{"target", "describedObject"},
      {"metricName", "metric.name"},
      {"currentValue", "current.value"},
      {"selector", "metric.selector"},
      {"averageValue", "current.averageValue"}}},
    {"External",
     "external",
     {{"metricName", "metric.name"},
      {"metricSelector", "metric.selector"},
      {"targetValue", "target.value"},
      {"targetAverageValue", "target.averageValue"}},
     {{"metricName", "metric.name"},
      {"metricSelector", "metric.selector"},
      {"currentValue", "current.value"},
      {"currentAverageValue", "current.averageValue"}}},
};

static const struct shape *shape_of(const struct json *metric)
{
    for (size_t i = 0; i < ARRAY_LEN(shapes); i++) {
        if (slice_is(json_string_at(metric, "type"), shapes[i].type))
            return &shapes[i];
    }
    return NULL;
}

static void set_at(struct json_doc *d, struct json *object, const char *path, const struct json *value)
{
    struct slice whole = slice_str(path), rest = whole;
    struct slice head = slice_cut(&rest, '.');
    char outer[32];
    if (rest.data == NULL) {
        json_set(d, object, path, json_copy(d, value));
        return;
    }
    ASSERT(head.size < sizeof outer); /* the table's own words */
    memcpy(outer, head.data, head.size);
    outer[head.size] = '\0';
    json_set(d, json_ensure_object(d, object, outer), path + head.size + 1, json_copy(d, value));
}

static const struct pair *pairs_of(const struct shape *s, bool status) { return status ? s->status : s->spec; }

static struct json *flatten(struct json_doc *d, const struct json *metric, bool status)
{
    const struct shape *s = shape_of(metric);
    struct json *flat = json_new_object(d);
    json_set(d, flat, "type", json_copy(d, json_get(metric, "type")));
    if (s == NULL)
        return flat;
    struct json *member = json_ensure_object(d, flat, s->member);
    const struct pair *p = pairs_of(s, status);
    for (size_t i = 0; i < ARRAY_LEN(s->spec) && p[i].flat != NULL; i++) {
        const struct json *value = json_at(json_get(metric, s->member), p[i].nested);
        if (value != NULL)
            json_set(d, member, p[i].flat, json_copy(d, value));
    }
    return flat;
}

/* The type of a target was implied by the member that is set. */
static void set_target_type(struct json_doc *d, struct json *member)
{
    struct json *target = json_ensure_object(d, member, "target");
    const char *type = json_get(target, "averageUtilization") != NULL ? "Utilization"
                       : json_get(target, "averageValue") != NULL     ? "AverageValue"
                                                                      : "Value";
    json_set_str(d, target, "type", type);
}

static struct json *unflatten(struct json_doc *d, const struct json *flat, bool status)
{
    const struct shape *s = shape_of(flat);
    struct json *metric = json_new_object(d);
    const struct json *type = json_get(flat, "type");
    if (type != NULL)
        json_set(d, metric, "type", json_copy(d, type));
    if (s == NULL)
        return metric;
    struct json *member = json_ensure_object(d, metric, s->member);
    const struct pair *p = pairs_of(s, status);
    for (size_t i = 0; i < ARRAY_LEN(s->spec) && p[i].flat != NULL; i++) {
        const struct json *value = json_get(json_get(flat, s->member), p[i].flat);
        if (value != NULL)
            set_at(d, member, p[i].nested, value);
    }
    if (!status)
        set_target_type(d, member);
    return metric;
}

/* The behaviour stands in its annotation with Go's own names: "ScaleUp", "SelectPolicy". */
static struct json *recased(struct json_doc *d, const struct json *v, bool upper)
{
    if (json_type(v) == JSON_ARRAY) {
        struct json *list = json_new_array(d);
        struct json_iterator i = json_iterate(v);
        while (json_next(&i))
            json_append(list, recased(d, i.value, upper));
        return list;
    }
    if (json_type(v) != JSON_OBJECT)
        return json_copy(d, v);
    struct json *object = json_new_object(d);
    struct json_iterator i = json_iterate(v);
    while (json_next(&i)) {
        char key[64];
        if (i.key.size == 0 || i.key.size >= sizeof key || json_type(i.value) == JSON_NULL)
            continue;
        memcpy(key, i.key.data, i.key.size);
        key[i.key.size] = '\0';
        key[0] = (char)(upper ? key[0] & ~0x20 : key[0] | 0x20); /* letters, in what we print */
        json_set(d, object, key, recased(d, i.value, upper));
    }
    return object;
}

static void annotate(struct json_doc *d, struct json *object, const char *name, const struct json *value)
{
    struct buf text = {0};
    json_print(value, &text);
    json_set(d, json_ensure_object(d, json_ensure_object(d, object, "metadata"), "annotations"), name,
             json_new_string(d, buf_slice(&text)));
    buf_release(&text);
}

/* Takes an annotation off and reads it; NULL when it is not there or is no JSON (a person may have written anything).
 */
static struct json *take(struct json_doc *d, struct json *object, const char *name, enum json_type type)
{
    struct json *annotations = json_at(object, "metadata.annotations"), *value = NULL;
    const struct json *text = json_get(annotations, name);
    bool read = text != NULL && json_parse(d, json_string(text), &value, NULL) == 0 && json_type(value) == type;
    (void)json_remove(annotations, name); /* absent is as good */
    if (annotations != NULL && json_size(annotations) == 0)
        (void)json_remove(json_get(object, "metadata"), "annotations"); /* it is there */
    return read ? value : NULL;
}

static bool is_cpu_share(const struct json *metric, const char *path)
{
    return slice_is(json_string_at(metric, "type"), "Resource") &&
           slice_is(json_string_at(metric, "resource.name"), "cpu") &&
           json_at(json_get(metric, "resource"), path) != NULL;
}

static void from_stored(struct json_doc *d, struct json *object)
{
    struct json *others = json_new_array(d), *current = json_new_array(d);
    struct json *spec = json_ensure_object(d, object, "spec"), *status = json_ensure_object(d, object, "status");
    struct json_iterator i = json_iterate(json_get(spec, "metrics"));
    while (json_next(&i)) {
        if (is_cpu_share(i.value, "target.averageUtilization"))
            set_at(d, spec, "targetCPUUtilizationPercentage", json_at(i.value, "resource.target.averageUtilization"));
        else
            json_append(others, flatten(d, i.value, false));
    }
    i = json_iterate(json_get(status, "currentMetrics"));
    while (json_next(&i)) {
        if (is_cpu_share(i.value, "current.averageUtilization"))
            set_at(d, status, "currentCPUUtilizationPercentage",
                   json_at(i.value, "resource.current.averageUtilization"));
        json_append(current, flatten(d, i.value, true));
    }
    const struct json *conditions = json_get(status, "conditions"), *behavior = json_get(spec, "behavior");
    if (json_size(others) > 0)
        annotate(d, object, PREFIX "metrics", others);
    if (json_size(current) > 0)
        annotate(d, object, PREFIX "current-metrics", current);
    if (json_size(conditions) > 0)
        annotate(d, object, PREFIX "conditions", conditions);
    if (behavior != NULL)
        annotate(d, object, PREFIX "behavior", recased(d, behavior, true));
}

static struct json *cpu_share(struct json_doc *d, const char *part, const struct json *percent)
{
    struct json *metric = json_new_object(d);
    json_set_str(d, metric, "type", "Resource");
    struct json *resource = json_ensure_object(d, metric, "resource");
    json_set_str(d, resource, "name", "cpu");
    struct json *values = json_ensure_object(d, resource, part);
    if (strcmp(part, "target") == 0)
        json_set_str(d, values, "type", "Utilization");
    json_set(d, values, "averageUtilization", json_copy(d, percent));
    return metric;
}

static struct json *metrics_of(struct json_doc *d, const struct json *flat, bool status)
{
    struct json *list = json_new_array(d);
    struct json_iterator i = json_iterate(flat);
    while (json_next(&i))
        json_append(list, unflatten(d, i.value, status));
    return list;
}

static void to_stored(struct json_doc *d, struct json *object)
{
    struct json *spec = json_ensure_object(d, object, "spec"), *status = json_ensure_object(d, object, "status");
    const struct json *target = json_get(spec, "targetCPUUtilizationPercentage"),
                      *found = json_get(status, "currentCPUUtilizationPercentage");
    const struct json *current = take(d, object, PREFIX "current-metrics", JSON_ARRAY);
    struct json *metrics = metrics_of(d, take(d, object, PREFIX "metrics", JSON_ARRAY), false);
    struct json *statuses = metrics_of(d, current, true);
    if (target != NULL)
        json_append(metrics, cpu_share(d, "target", target));
    if (found != NULL && current == NULL)
        json_append(statuses, cpu_share(d, "current", found));
    if (json_size(metrics) > 0)
        json_set(d, spec, "metrics", metrics);
    if (json_size(statuses) > 0)
        json_set(d, status, "currentMetrics", statuses);
    const struct json *conditions = take(d, object, PREFIX "conditions", JSON_ARRAY);
    if (conditions != NULL)
        json_set(d, status, "conditions", json_copy(d, conditions));
    const struct json *behavior = take(d, object, PREFIX "behavior", JSON_OBJECT);
    if (behavior != NULL)
        json_set(d, spec, "behavior", recased(d, behavior, false));
}

static void row(const struct json *o, const struct column_now *now, struct cells *out)
{
    struct json_doc *d = json_doc_new();
    struct json *stored = json_copy(d, o);
    to_stored(d, stored); /* both versions show the same columns */
    hpa_row(stored, now, out);
    json_doc_free(d);
}

static const char *const short_names[] = {"hpa", NULL};
static const char *const categories[] = {"all", NULL};
static const struct subresource subresources[] = {
    {"status", "autoscaling", "v1", "HorizontalPodAutoscaler", "get,patch,update", CONNECTS_NOT},
    {.name = NULL},
};

const struct kind kind_horizontalpodautoscaler_v1 = {
    .group = "autoscaling",
    .version = "v1",
    .name = "HorizontalPodAutoscaler",
    .plural = "horizontalpodautoscalers",
    .singular = "horizontalpodautoscaler",
    .short_names = short_names,
    .categories = categories,
    .namespaced = true,
    .storage_prefix = "horizontalpodautoscalers",
    .stored_as = &kind_horizontalpodautoscaler,
    .from_stored = from_stored,
    .to_stored = to_stored,
    .verbs = "create,delete,deletecollection,get,list,patch,update,watch",
    .type = &type_horizontal_pod_autoscaler,
    .subresources = subresources,
    .columns = hpa_columns,
    .row = row,
    .no_generation = true,
};
