/* HorizontalPodAutoscaler, autoscaling/v2: the version that is stored. */
#include "common/base.h"

#include "apiserver/check.h"
#include "apiserver/columns.h"
#include "apiserver/kinds/types.h"
#include "apiserver/names.h"
#include "common/kube/quantity.h"

#define STABILIZATION_SECONDS_MAX 3600
#define PERIOD_SECONDS_MAX 1800
#define METRICS_SHOWN_MAX 2

static const char *const metric_types[] = {"ContainerResource", "External", "Object", "Pods", "Resource", NULL};
static const char *const policy_types[] = {"Percent", "Pods", NULL};
static const char *const select_policies[] = {"Disabled", "Max", "Min", NULL};

/* A number that is absent is Go's zero. */
static void fail_number(struct check *c, const char *field, const struct json *v, const char *text)
{
    if (v == NULL)
        check_fail_shown(c, field, CHECK_INVALID, "0", "%s", text);
    else
        check_fail_at(c, field, CHECK_INVALID, v, "%s", text);
}

static void check_policy(struct check *c, const struct json *v)
{
    const struct json *value = json_get(v, "value"), *period = json_get(v, "periodSeconds");
    if (json_string_at(v, "type").size == 0) {
        size_t mark = check_enter(c, "type");
        check_fail_text(c, CHECK_NOT_SUPPORTED, SLICE(""), "supported values: \"Percent\", \"Pods\"");
        check_leave(c, mark);
    }
    if (json_int_or(value, 0) <= 0)
        fail_number(c, "value", value, "must be greater than zero");
    if (json_int_or(period, 0) <= 0)
        fail_number(c, "periodSeconds", period, "must be greater than zero");
    else if (json_int_or(period, 0) > PERIOD_SECONDS_MAX)
        check_fail_at(c, "periodSeconds", CHECK_INVALID, period, "must be less than or equal to %d",
                      PERIOD_SECONDS_MAX);
}

static void check_rules(struct check *c, const struct json *v)
{
    const struct json *window = json_get(v, "stabilizationWindowSeconds");
    if (json_int_or(window, 0) < 0)
        check_fail_at(c, "stabilizationWindowSeconds", CHECK_INVALID, window, "must be greater than or equal to zero");
    if (json_int_or(window, 0) > STABILIZATION_SECONDS_MAX)
        check_fail_at(c, "stabilizationWindowSeconds", CHECK_INVALID, window, "must be less than or equal to %d",
                      STABILIZATION_SECONDS_MAX);
    if (json_size(json_get(v, "policies")) == 0)
        check_fail_at(c, "policies", CHECK_REQUIRED, NULL, "must specify at least one Policy");
}

static void check_positive_quantity(struct check *c, const struct json *v, const char *field)
{
    struct quantity q;
    const struct json *value = json_get(v, field);
    if (value != NULL && quantity_parse(json_string(value), &q, NULL) == 0 && q.nano <= 0)
        check_fail_at(c, field, CHECK_INVALID, value, "must be positive");
}

static void check_target(struct check *c, const struct json *v)
{
    const struct json *share = json_get(v, "averageUtilization");
    if (share != NULL && json_int_or(share, 0) < 1)
        check_fail_at(c, "averageUtilization", CHECK_INVALID, share, "must be greater than 0");
    struct slice type = json_string_at(v, "type");
    if (type.size > 0 && !slice_is(type, "Utilization") && !slice_is(type, "Value") && !slice_is(type, "AverageValue"))
        check_fail_at(c, "type", CHECK_INVALID, json_get(v, "type"),
                      "must be either Utilization, Value, or AverageValue");
    check_positive_quantity(c, v, "value");
    check_positive_quantity(c, v, "averageValue");
}

/* One member per type; what it aims at is checked by the type, too. */
static const struct {
    const char *type, *member;
} sources[] = {{"Object", "object"},
               {"Pods", "pods"},
               {"Resource", "resource"},
               {"External", "external"},
               {"ContainerResource", "containerResource"}};

static void check_aim(struct check *c, struct slice type, const struct json *target)
{
    bool share = json_get(target, "averageUtilization") != NULL, value = json_get(target, "value") != NULL,
         average = json_get(target, "averageValue") != NULL;
    bool resource = slice_is(type, "Resource") || slice_is(type, "ContainerResource");
    if (resource && !share && !average)
        check_fail_at(c, "target.averageUtilization", CHECK_REQUIRED, NULL,
                      "must set either a target raw value or a target utilization");
    if (resource && share && average)
        check_fail_at(c, "target.averageValue", CHECK_FORBIDDEN, NULL,
                      "may not set both a target raw value and a target utilization");
    if (slice_is(type, "Pods") && !average)
        check_fail_at(c, "target.averageValue", CHECK_REQUIRED, NULL, "must specify a positive target averageValue");
    if (slice_is(type, "Object") && !value && !average)
        check_fail_at(c, "target.averageValue", CHECK_REQUIRED, NULL, "must set either a target value or averageValue");
    if (slice_is(type, "External") && !value && !average)
        check_fail_at(c, "target.averageValue", CHECK_REQUIRED, NULL,
                      "must set either a target value for metric or a per-pod target");
    if (slice_is(type, "External") && value && average)
        check_fail_at(c, "target.value", CHECK_FORBIDDEN, NULL,
                      "may not set both a target value for metric and a per-pod target");
}

static void check_metric(struct check *c, const struct json *v)
{
    struct slice type = json_string_at(v, "type");
    for (size_t i = 0; i < ARRAY_LEN(sources); i++) {
        const struct json *source = json_get(v, sources[i].member);
        bool named = slice_is(type, sources[i].type);
        if (named && source == NULL) {
            check_fail_at(c, sources[i].member, CHECK_REQUIRED, NULL,
                          "must populate information for the given metric source");
        } else if (!named && source != NULL) {
            check_fail_at(c, sources[i].member, CHECK_FORBIDDEN, NULL, "must populate the given metric source only");
        } else if (named) {
            size_t mark = check_enter(c, sources[i].member);
            check_aim(c, type, json_get(source, "target"));
            check_leave(c, mark);
        }
    }
}

static void check_reference(struct check *c, const struct json *v)
{
    static const char *const parts[] = {"kind", "name"};
    for (size_t i = 0; i < ARRAY_LEN(parts); i++) {
        struct err why;
        struct slice text = json_string_at(v, parts[i]);
        if (text.size > 0 && name_check_path_segment(text, &why) != 0)
            check_fail_at(c, parts[i], CHECK_INVALID, json_get(v, parts[i]), "%s", why.message);
    }
}

static struct json *metric_of_cpu(struct json_doc *d, int64_t percent)
{
    struct json *metric = json_new_object(d);
    json_set_str(d, metric, "type", "Resource");
    struct json *resource = json_ensure_object(d, metric, "resource");
    json_set_str(d, resource, "name", "cpu");
    struct json *target = json_ensure_object(d, resource, "target");
    json_set_str(d, target, "type", "Utilization");
    json_set_int(d, target, "averageUtilization", percent);
    return metric;
}

/* Rules that are there get what they do not say: up by four pods or to the double each 15 s, down as far as need be. */
static void fill_rules(struct json_doc *d, struct json *behavior, const char *direction)
{
    bool up = strcmp(direction, "scaleUp") == 0;
    struct json *rules = json_ensure_object(d, behavior, direction);
    if (json_get(rules, "selectPolicy") == NULL)
        json_set_str(d, rules, "selectPolicy", "Max");
    if (up && json_get(rules, "stabilizationWindowSeconds") == NULL)
        json_set_int(d, rules, "stabilizationWindowSeconds", 0);
    if (json_size(json_get(rules, "policies")) > 0)
        return;
    struct json *policies = json_new_array(d);
    for (int i = up ? 0 : 1; i < 2; i++) {
        struct json *policy = json_new_object(d);
        json_set_str(d, policy, "type", i == 0 ? "Pods" : "Percent");
        json_set_int(d, policy, "value", i == 0 ? 4 : 100);
        json_set_int(d, policy, "periodSeconds", 15);
        json_append(policies, policy);
    }
    json_set(d, rules, "policies", policies);
}

static void fill_spec(struct json_doc *d, struct json *v)
{
    struct json *behavior = json_get(v, "behavior");
    if (json_size(json_get(v, "metrics")) == 0) {
        struct json *metrics = json_new_array(d);
        json_append(metrics, metric_of_cpu(d, 80));
        json_set(d, v, "metrics", metrics);
    }
    if (behavior == NULL)
        return;
    fill_rules(d, behavior, "scaleUp");
    fill_rules(d, behavior, "scaleDown");
}

static void check_spec(struct check *c, const struct json *v)
{
    const struct json *least = json_get(v, "minReplicas"), *most = json_get(v, "maxReplicas");
    if (least != NULL && json_int_or(least, 0) < 1)
        check_fail_at(c, "minReplicas", CHECK_INVALID, least, "must be greater than or equal to 1");
    if (json_int_or(most, 0) < 1)
        fail_number(c, "maxReplicas", most, "must be greater than 0");
    if (least != NULL && json_int_or(most, 0) < json_int_or(least, 0))
        fail_number(c, "maxReplicas", most, "must be greater than or equal to `minReplicas`");
    size_t mark = check_enter(c, "scaleTargetRef");
    check_reference(c, json_get(v, "scaleTargetRef"));
    check_leave(c, mark);
}

static const struct field fields_hpa_scaling_policy[] = {
    {.name = "type",
     .type = FIELD_STRING,
     .proto = 1,
     .flags = FIELD_ZERO,
     .one_of = policy_types,
     .doc = "Pods, or Percent of what there is."},
    {.name = "value", .type = FIELD_INT32, .proto = 2, .flags = FIELD_ZERO, .doc = "How many of them."},
    {.name = "periodSeconds", .type = FIELD_INT32, .proto = 3, .flags = FIELD_ZERO, .doc = "Within how many seconds."},
    {.name = NULL},
};
static const struct type type_hpa_scaling_policy = {.name = "HPAScalingPolicy",
                                                    .doc = "How fast the number of pods may change.",
                                                    .fields = fields_hpa_scaling_policy,
                                                    .check = check_policy};

static const struct field fields_hpa_scaling_rules[] = {
    {.name = "selectPolicy",
     .type = FIELD_STRING,
     .proto = 1,
     .flags = FIELD_POINTER,
     .one_of = select_policies,
     .doc = "Which policy counts: Max, Min, or Disabled."},
    {.name = "policies",
     .type = FIELD_OBJECT,
     .shape = FIELD_LIST,
     .object = &type_hpa_scaling_policy,
     .proto = 2,
     .doc = "How fast it may change."},
    {.name = "stabilizationWindowSeconds",
     .type = FIELD_INT32,
     .proto = 3,
     .flags = FIELD_POINTER,
     .doc = "Seconds of past advice that are looked back on."},
    {.name = NULL},
};
static const struct type type_hpa_scaling_rules = {.name = "HPAScalingRules",
                                                   .doc = "How the number of pods moves in one direction.",
                                                   .fields = fields_hpa_scaling_rules,
                                                   .check = check_rules};

static const struct field fields_horizontal_pod_autoscaler_behavior[] = {
    {.name = "scaleUp", .type = FIELD_OBJECT, .object = &type_hpa_scaling_rules, .proto = 1, .doc = "Up."},
    {.name = "scaleDown", .type = FIELD_OBJECT, .object = &type_hpa_scaling_rules, .proto = 2, .doc = "Down."},
    {.name = NULL},
};
static const struct type type_horizontal_pod_autoscaler_behavior = {.name = "HorizontalPodAutoscalerBehavior",
                                                                    .doc = "How the number of pods moves.",
                                                                    .fields =
                                                                        fields_horizontal_pod_autoscaler_behavior};

static const struct field fields_metric_target[] = {
    {.name = "type",
     .type = FIELD_STRING,
     .proto = 1,
     .flags = FIELD_REQUIRED,
     .required = "must specify a metric target type",
     .doc = "Utilization, Value or AverageValue."},
    {.name = "value", .type = FIELD_QUANTITY, .proto = 2, .doc = "The value."},
    {.name = "averageValue", .type = FIELD_QUANTITY, .proto = 3, .doc = "The value per pod."},
    {.name = "averageUtilization",
     .type = FIELD_INT32,
     .proto = 4,
     .flags = FIELD_POINTER,
     .doc = "Percent of what the pods request."},
    {.name = NULL},
};
static const struct type type_metric_target = {
    .name = "MetricTarget", .doc = "What a metric should be.", .fields = fields_metric_target, .check = check_target};

static const struct field fields_container_resource_metric_source[] = {
    {.name = "name",
     .type = FIELD_STRING,
     .proto = 1,
     .flags = FIELD_REQUIRED,
     .required = "must specify a resource name",
     .doc = "Name of the resource."},
    {.name = "target",
     .type = FIELD_OBJECT,
     .object = &type_metric_target,
     .proto = 2,
     .flags = FIELD_ALWAYS | FIELD_ZERO,
     .doc = "What it should be."},
    {.name = "container",
     .type = FIELD_STRING,
     .proto = 3,
     .flags = FIELD_REQUIRED,
     .required = "must specify a container",
     .doc = "Name of the container."},
    {.name = NULL},
};
static const struct type type_container_resource_metric_source = {.name = "ContainerResourceMetricSource",
                                                                  .doc =
                                                                      "A resource that one container of each pod uses.",
                                                                  .fields = fields_container_resource_metric_source};

static const struct field fields_metric_identifier[] = {
    {.name = "name",
     .type = FIELD_STRING,
     .proto = 1,
     .flags = FIELD_REQUIRED,
     .required = "must specify a metric name",
     .doc = "Its name."},
    {.name = "selector",
     .type = FIELD_OBJECT,
     .object = &type_label_selector,
     .proto = 2,
     .doc = "Labels it must carry."},
    {.name = NULL},
};
static const struct type type_metric_identifier = {
    .name = "MetricIdentifier", .doc = "A metric.", .fields = fields_metric_identifier};

static const struct field fields_external_metric_source[] = {
    {.name = "metric",
     .type = FIELD_OBJECT,
     .object = &type_metric_identifier,
     .proto = 1,
     .flags = FIELD_ALWAYS | FIELD_ZERO,
     .doc = "Which one."},
    {.name = "target",
     .type = FIELD_OBJECT,
     .object = &type_metric_target,
     .proto = 2,
     .flags = FIELD_ALWAYS | FIELD_ZERO,
     .doc = "What it should be."},
    {.name = NULL},
};
static const struct type type_external_metric_source = {.name = "ExternalMetricSource",
                                                        .doc = "A metric from outside the cluster.",
                                                        .fields = fields_external_metric_source};

static const struct field fields_cross_version_object_reference[] = {
    {.name = "kind", .type = FIELD_STRING, .proto = 1, .flags = FIELD_REQUIRED, .doc = "Kind of the object."},
    {.name = "name", .type = FIELD_STRING, .proto = 2, .flags = FIELD_REQUIRED, .doc = "Name of the object."},
    {.name = "apiVersion", .type = FIELD_STRING, .proto = 3, .doc = "Group and version of the kind."},
    {.name = NULL},
};
static const struct type type_cross_version_object_reference = {.name = "CrossVersionObjectReference",
                                                                .doc = "An object by kind and name.",
                                                                .fields = fields_cross_version_object_reference};

static const struct field fields_object_metric_source[] = {
    {.name = "describedObject",
     .type = FIELD_OBJECT,
     .object = &type_cross_version_object_reference,
     .proto = 1,
     .flags = FIELD_ALWAYS | FIELD_ZERO,
     .doc = "The object."},
    {.name = "target",
     .type = FIELD_OBJECT,
     .object = &type_metric_target,
     .proto = 2,
     .flags = FIELD_ALWAYS | FIELD_ZERO,
     .doc = "What it should be."},
    {.name = "metric",
     .type = FIELD_OBJECT,
     .object = &type_metric_identifier,
     .proto = 3,
     .flags = FIELD_ALWAYS | FIELD_ZERO,
     .doc = "Which one."},
    {.name = NULL},
};
static const struct type type_object_metric_source = {
    .name = "ObjectMetricSource", .doc = "A metric of one object.", .fields = fields_object_metric_source};

static const struct field fields_pods_metric_source[] = {
    {.name = "metric",
     .type = FIELD_OBJECT,
     .object = &type_metric_identifier,
     .proto = 1,
     .flags = FIELD_ALWAYS | FIELD_ZERO,
     .doc = "Which one."},
    {.name = "target",
     .type = FIELD_OBJECT,
     .object = &type_metric_target,
     .proto = 2,
     .flags = FIELD_ALWAYS | FIELD_ZERO,
     .doc = "What it should be on average."},
    {.name = NULL},
};
static const struct type type_pods_metric_source = {
    .name = "PodsMetricSource", .doc = "A metric of each pod.", .fields = fields_pods_metric_source};

static const struct field fields_resource_metric_source[] = {
    {.name = "name",
     .type = FIELD_STRING,
     .proto = 1,
     .flags = FIELD_REQUIRED,
     .required = "must specify a resource name",
     .doc = "Name of the resource."},
    {.name = "target",
     .type = FIELD_OBJECT,
     .object = &type_metric_target,
     .proto = 2,
     .flags = FIELD_ALWAYS | FIELD_ZERO,
     .doc = "What it should be."},
    {.name = NULL},
};
static const struct type type_resource_metric_source = {
    .name = "ResourceMetricSource", .doc = "A resource that the pods use.", .fields = fields_resource_metric_source};

static const struct field fields_metric_spec[] = {
    {.name = "type",
     .type = FIELD_STRING,
     .proto = 1,
     .flags = FIELD_REQUIRED,
     .required = "must specify a metric source type",
     .one_of = metric_types,
     .doc = "Which member is set: Object, Pods, Resource, ContainerResource or External."},
    {.name = "object",
     .type = FIELD_OBJECT,
     .object = &type_object_metric_source,
     .proto = 2,
     .doc = "A metric of one object."},
    {.name = "pods",
     .type = FIELD_OBJECT,
     .object = &type_pods_metric_source,
     .proto = 3,
     .doc = "A metric of each pod."},
    {.name = "resource",
     .type = FIELD_OBJECT,
     .object = &type_resource_metric_source,
     .proto = 4,
     .doc = "A resource that the pods use."},
    {.name = "external",
     .type = FIELD_OBJECT,
     .object = &type_external_metric_source,
     .proto = 5,
     .doc = "A metric from outside the cluster."},
    {.name = "containerResource",
     .type = FIELD_OBJECT,
     .object = &type_container_resource_metric_source,
     .proto = 7,
     .doc = "A resource that one container of each pod uses."},
    {.name = NULL},
};
static const struct type type_metric_spec = {
    .name = "MetricSpec", .doc = "One metric to scale by.", .fields = fields_metric_spec, .check = check_metric};

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
    {.name = "metrics",
     .type = FIELD_OBJECT,
     .shape = FIELD_LIST,
     .object = &type_metric_spec,
     .proto = 4,
     .doc = "What to scale by; the largest answer counts."},
    {.name = "behavior",
     .type = FIELD_OBJECT,
     .object = &type_horizontal_pod_autoscaler_behavior,
     .proto = 5,
     .doc = "How the number of pods moves."},
    {.name = NULL},
};
static const struct type type_horizontal_pod_autoscaler_spec = {.name = "HorizontalPodAutoscalerSpec",
                                                                .doc = "What to scale, and by what.",
                                                                .fields = fields_horizontal_pod_autoscaler_spec,
                                                                .fill = fill_spec,
                                                                .check = check_spec};

static const struct field fields_horizontal_pod_autoscaler_condition[] = {
    {.name = "type", .type = FIELD_STRING, .proto = 1, .flags = FIELD_ZERO, .doc = "What it is about."},
    {.name = "status", .type = FIELD_STRING, .proto = 2, .flags = FIELD_ZERO, .doc = "True, False or Unknown."},
    {.name = "lastTransitionTime",
     .type = FIELD_TIME,
     .proto = 3,
     .flags = FIELD_ALWAYS,
     .doc = "When the condition last changed."},
    {.name = "reason", .type = FIELD_STRING, .proto = 4, .doc = "Why, as one word for programs."},
    {.name = "message", .type = FIELD_STRING, .proto = 5, .doc = "Why, in words for people."},
    {.name = NULL},
};
static const struct type type_horizontal_pod_autoscaler_condition = {.name = "HorizontalPodAutoscalerCondition",
                                                                     .doc = "Something that holds of an autoscaler.",
                                                                     .fields =
                                                                         fields_horizontal_pod_autoscaler_condition};

static const struct field fields_metric_value_status[] = {
    {.name = "value", .type = FIELD_QUANTITY, .proto = 1, .doc = "The value."},
    {.name = "averageValue", .type = FIELD_QUANTITY, .proto = 2, .doc = "The value per pod."},
    {.name = "averageUtilization",
     .type = FIELD_INT32,
     .proto = 3,
     .flags = FIELD_POINTER,
     .doc = "Percent of what the pods request."},
    {.name = NULL},
};
static const struct type type_metric_value_status = {
    .name = "MetricValueStatus", .doc = "What a metric is.", .fields = fields_metric_value_status};

static const struct field fields_container_resource_metric_status[] = {
    {.name = "name", .type = FIELD_STRING, .proto = 1, .flags = FIELD_ZERO, .doc = "Name of the resource."},
    {.name = "current",
     .type = FIELD_OBJECT,
     .object = &type_metric_value_status,
     .proto = 2,
     .flags = FIELD_ALWAYS | FIELD_ZERO,
     .doc = "What it is."},
    {.name = "container", .type = FIELD_STRING, .proto = 3, .flags = FIELD_ZERO, .doc = "Name of the container."},
    {.name = NULL},
};
static const struct type type_container_resource_metric_status = {.name = "ContainerResourceMetricStatus",
                                                                  .doc = "What one container of each pod uses.",
                                                                  .fields = fields_container_resource_metric_status};

static const struct field fields_external_metric_status[] = {
    {.name = "metric",
     .type = FIELD_OBJECT,
     .object = &type_metric_identifier,
     .proto = 1,
     .flags = FIELD_ALWAYS | FIELD_ZERO,
     .doc = "Which one."},
    {.name = "current",
     .type = FIELD_OBJECT,
     .object = &type_metric_value_status,
     .proto = 2,
     .flags = FIELD_ALWAYS | FIELD_ZERO,
     .doc = "What it is."},
    {.name = NULL},
};
static const struct type type_external_metric_status = {.name = "ExternalMetricStatus",
                                                        .doc = "A metric from outside the cluster, as found.",
                                                        .fields = fields_external_metric_status};

static const struct field fields_object_metric_status[] = {
    {.name = "metric",
     .type = FIELD_OBJECT,
     .object = &type_metric_identifier,
     .proto = 1,
     .flags = FIELD_ALWAYS | FIELD_ZERO,
     .doc = "Which one."},
    {.name = "current",
     .type = FIELD_OBJECT,
     .object = &type_metric_value_status,
     .proto = 2,
     .flags = FIELD_ALWAYS | FIELD_ZERO,
     .doc = "What it is."},
    {.name = "describedObject",
     .type = FIELD_OBJECT,
     .object = &type_cross_version_object_reference,
     .proto = 3,
     .flags = FIELD_ALWAYS | FIELD_ZERO,
     .doc = "The object."},
    {.name = NULL},
};
static const struct type type_object_metric_status = {
    .name = "ObjectMetricStatus", .doc = "A metric of one object, as found.", .fields = fields_object_metric_status};

static const struct field fields_pods_metric_status[] = {
    {.name = "metric",
     .type = FIELD_OBJECT,
     .object = &type_metric_identifier,
     .proto = 1,
     .flags = FIELD_ALWAYS | FIELD_ZERO,
     .doc = "Which one."},
    {.name = "current",
     .type = FIELD_OBJECT,
     .object = &type_metric_value_status,
     .proto = 2,
     .flags = FIELD_ALWAYS | FIELD_ZERO,
     .doc = "What it is on average."},
    {.name = NULL},
};
static const struct type type_pods_metric_status = {
    .name = "PodsMetricStatus", .doc = "A metric of each pod, as found.", .fields = fields_pods_metric_status};

static const struct field fields_resource_metric_status[] = {
    {.name = "name", .type = FIELD_STRING, .proto = 1, .flags = FIELD_ZERO, .doc = "Name of the resource."},
    {.name = "current",
     .type = FIELD_OBJECT,
     .object = &type_metric_value_status,
     .proto = 2,
     .flags = FIELD_ALWAYS | FIELD_ZERO,
     .doc = "What it is."},
    {.name = NULL},
};
static const struct type type_resource_metric_status = {.name = "ResourceMetricStatus",
                                                        .doc = "A resource that the pods use, as found.",
                                                        .fields = fields_resource_metric_status};

static const struct field fields_metric_status[] = {
    {.name = "type", .type = FIELD_STRING, .proto = 1, .flags = FIELD_ZERO, .doc = "Which member is set."},
    {.name = "object",
     .type = FIELD_OBJECT,
     .object = &type_object_metric_status,
     .proto = 2,
     .doc = "A metric of one object."},
    {.name = "pods",
     .type = FIELD_OBJECT,
     .object = &type_pods_metric_status,
     .proto = 3,
     .doc = "A metric of each pod."},
    {.name = "resource",
     .type = FIELD_OBJECT,
     .object = &type_resource_metric_status,
     .proto = 4,
     .doc = "A resource that the pods use."},
    {.name = "external",
     .type = FIELD_OBJECT,
     .object = &type_external_metric_status,
     .proto = 5,
     .doc = "A metric from outside the cluster."},
    {.name = "containerResource",
     .type = FIELD_OBJECT,
     .object = &type_container_resource_metric_status,
     .proto = 7,
     .doc = "A resource that one container of each pod uses."},
    {.name = NULL},
};
static const struct type type_metric_status = {
    .name = "MetricStatus", .doc = "One metric as found.", .fields = fields_metric_status};

static const struct field fields_horizontal_pod_autoscaler_status[] = {
    {.name = "observedGeneration",
     .type = FIELD_INT64,
     .proto = 1,
     .doc = "The generation of the spec that the controller has acted on."},
    {.name = "lastScaleTime", .type = FIELD_TIME, .proto = 2, .doc = "When the number of pods was last changed."},
    {.name = "currentReplicas",
     .type = FIELD_INT32,
     .proto = 3,
     .check = check_not_negative,
     .doc = "Pods there were."},
    {.name = "desiredReplicas",
     .type = FIELD_INT32,
     .proto = 4,
     .flags = FIELD_ZERO,
     .fallback = "0",
     .check = check_not_negative,
     .doc = "Pods there should be."},
    {.name = "currentMetrics",
     .type = FIELD_OBJECT,
     .shape = FIELD_LIST,
     .object = &type_metric_status,
     .proto = 5,
     .flags = FIELD_ALWAYS,
     .doc = "The metrics as last found."},
    {.name = "conditions",
     .type = FIELD_OBJECT,
     .shape = FIELD_LIST,
     .object = &type_horizontal_pod_autoscaler_condition,
     .proto = 6,
     .list = LIST_MAP,
     .list_keys = "type",
     .patch = PATCH_MERGE,
     .merge_key = "type",
     .doc = "What holds of the object now, one entry per type."},
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

const struct column hpa_columns[] = {
    {.name = "Name", .type = "string", .format = "name", .doc = "Name of the object, unique within its namespace."},
    {.name = "Reference", .type = "string", .doc = "What is scaled."},
    {.name = "Targets", .type = "string", .doc = "Each metric: what it is, and what it should be."},
    {.name = "MinPods", .type = "string", .doc = "Fewest pods."},
    {.name = "MaxPods", .type = "string", .doc = "Most pods."},
    {.name = "Replicas", .type = "string", .doc = "Pods there were when it last looked."},
    {.name = "Age", .type = "string", .doc = "Time since the object was created."},
    {.name = NULL},
};

static const struct json *source_in(const struct json *metric)
{
    for (size_t i = 0; i < ARRAY_LEN(sources); i++) {
        if (slice_is(json_string_at(metric, "type"), sources[i].type))
            return json_get(metric, sources[i].member);
    }
    return NULL;
}

/* The value of a target or of what was found, in the unit that the target has; "<unknown>" where there is none. */
static void value_text(const struct json *target, const struct json *values, struct buf *out)
{
    bool average = json_get(target, "averageValue") != NULL,
         share = !average && json_get(target, "averageUtilization") != NULL;
    const struct json *v = json_get(values, average ? "averageValue" : share ? "averageUtilization" : "value");
    if (v == NULL)
        buf_append_str(out, "<unknown>");
    else if (share)
        buf_printf(out, "%lld%%", (long long)json_int_or(v, 0));
    else
        buf_append_slice(out, json_string(v));
}

static void metric_text(const struct json *spec, const struct json *found, struct buf *out)
{
    struct slice type = json_string_at(spec, "type");
    const struct json *source = source_in(spec), *target = json_get(source, "target");
    const struct json *current = json_get(source_in(found), "current");
    if (slice_is(type, "Resource") || slice_is(type, "ContainerResource"))
        buf_printf(out, "%.*s: ", SLICE_ARGS(json_string_at(source, "name")));
    value_text(target, current, out);
    buf_append_char(out, '/');
    value_text(target, target, out);
    if ((slice_is(type, "External") || slice_is(type, "Object")) && json_get(target, "averageValue") != NULL)
        buf_append_str(out, " (avg)");
}

static void targets_cell(const struct json *o, struct cells *out)
{
    const struct json *found = json_at(o, "status.currentMetrics");
    struct buf text = {0};
    size_t n = json_size(json_at(o, "spec.metrics"));
    struct json_iterator i = json_iterate(json_at(o, "spec.metrics"));
    while (json_next(&i) && i.position <= METRICS_SHOWN_MAX) {
        buf_append_str(&text, i.position > 1 ? ", " : "");
        metric_text(i.value, json_element(found, i.position - 1), &text);
    }
    if (n > METRICS_SHOWN_MAX)
        buf_printf(&text, " + %zu more...", n - METRICS_SHOWN_MAX);
    cells_or(out, buf_slice(&text), "<none>");
    buf_release(&text);
}

void hpa_row(const struct json *o, const struct column_now *now, struct cells *out)
{
    const struct json *least = json_at(o, "spec.minReplicas");
    cells_add(out, json_string_at(o, "metadata.name"));
    cells_printf(out, "%.*s/%.*s", SLICE_ARGS(json_string_at(o, "spec.scaleTargetRef.kind")),
                 SLICE_ARGS(json_string_at(o, "spec.scaleTargetRef.name")));
    targets_cell(o, out);
    if (least == NULL)
        cells_str(out, "<unset>");
    else
        cells_add(out, json_number_text(least));
    cells_int(out, json_int_at(o, "spec.maxReplicas", 0));
    cells_int(out, json_int_at(o, "status.currentReplicas", 0));
    cells_age(out, json_string_at(o, "metadata.creationTimestamp"), now);
}

static const char *const short_names[] = {"hpa", NULL};
static const char *const categories[] = {"all", NULL};
static const struct subresource subresources[] = {
    {"status", "autoscaling", "v2", "HorizontalPodAutoscaler", "get,patch,update", CONNECTS_NOT},
    {.name = NULL},
};

const struct kind kind_horizontalpodautoscaler = {
    .group = "autoscaling",
    .version = "v2",
    .name = "HorizontalPodAutoscaler",
    .plural = "horizontalpodautoscalers",
    .singular = "horizontalpodautoscaler",
    .short_names = short_names,
    .categories = categories,
    .namespaced = true,
    .storage_prefix = "horizontalpodautoscalers",
    .verbs = "create,delete,deletecollection,get,list,patch,update,watch",
    .type = &type_horizontal_pod_autoscaler,
    .subresources = subresources,
    .columns = hpa_columns,
    .row = hpa_row,
    .no_generation = true,
};
