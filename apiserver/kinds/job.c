/* Job, batch/v1. */
#include "common/base.h"

#include "apiserver/check.h"
#include "apiserver/columns.h"
#include "apiserver/kinds/types.h"
#include "common/clock.h"

#include <stdio.h>

#define LABEL_UID "batch.kubernetes.io/controller-uid"
#define LABEL_NAME "batch.kubernetes.io/job-name"
#define OLD_LABEL_UID "controller-uid"
#define OLD_LABEL_NAME "job-name"

static void set_default_int(struct json_doc *d, struct json *spec, const char *field, int64_t v)
{
    if (json_get(spec, field) == NULL)
        json_set_int(d, spec, field, v);
}

static void set_default_text(struct json_doc *d, struct json *spec, const char *field, const char *v)
{
    if (json_get(spec, field) == NULL)
        json_set_str(d, spec, field, v);
}

static void set_default_bool(struct json_doc *d, struct json *spec, const char *field)
{
    if (json_get(spec, field) == NULL)
        json_set_bool(d, spec, field, false);
}

/* Defaults of a Job are its own: a CronJob's template has none until a job is made of it. */
static void fill_job(struct json_doc *d, struct json *v)
{
    struct json *spec = json_get(v, "spec");
    if (json_get(spec, "completions") == NULL && json_get(spec, "parallelism") == NULL)
        json_set_int(d, spec, "completions", 1);
    set_default_int(d, spec, "parallelism", 1);
    set_default_int(d, spec, "backoffLimit", json_get(spec, "backoffLimitPerIndex") != NULL ? INT32_MAX : 6);
    set_default_text(d, spec, "completionMode", "NonIndexed");
    set_default_bool(d, spec, "suspend");
    set_default_bool(d, spec, "manualSelector");
    set_default_text(d, spec, "podReplacementPolicy",
                     json_get(spec, "podFailurePolicy") != NULL ? "Failed" : "TerminatingOrFailed");
    const struct json *labels = json_at(spec, "template.metadata.labels");
    if (json_size(json_at(v, "metadata.labels")) == 0 && json_size(labels) > 0)
        json_set(d, json_ensure_object(d, v, "metadata"), "labels", json_copy(d, labels));
}

static bool is_manual(const struct json *v) { return json_bool_at(v, "spec.manualSelector", false); }

/* A user's own labels of these names would make two jobs fight over pods. */
static void check_generated(struct check *c, const struct json *v)
{
    const struct json *labels = json_at(v, "spec.template.metadata.labels");
    struct slice uid = json_string_at(v, "metadata.uid"), name = json_string_at(v, "metadata.name");
    const struct {
        const char *label;
        struct slice wanted;
    } rules[] = {{LABEL_UID, uid}, {OLD_LABEL_UID, uid}, {LABEL_NAME, name}, {OLD_LABEL_NAME, name}};
    for (size_t i = 0; i < ARRAY_LEN(rules); i++) {
        const struct json *value = json_get(labels, rules[i].label);
        size_t mark = check_enter(c, "spec.template.metadata.labels");
        (void)check_enter_key(c, slice_str(rules[i].label));
        if (value == NULL)
            check_fail(c, CHECK_REQUIRED, NULL, "must be '%.*s'", SLICE_ARGS(rules[i].wanted));
        else if (!slice_equal(json_string(value), rules[i].wanted))
            check_fail(c, CHECK_INVALID, labels, "must be '%.*s'", SLICE_ARGS(rules[i].wanted));
        check_leave(c, mark);
    }
    const struct json *match = json_at(v, "spec.selector.matchLabels");
    if (slice_equal(json_string(json_get(match, LABEL_UID)), uid) ||
        slice_equal(json_string(json_get(match, OLD_LABEL_UID)), uid))
        return;
    struct buf shown = {0};
    label_selector_text(json_at(v, "spec.selector"), &shown);
    check_fail_shown(c, "spec.selector", CHECK_INVALID, shown.data, "`selector` not auto-generated");
    buf_release(&shown);
}

static void check_job(struct check *c, const struct json *v)
{
    const struct json *selector = json_at(v, "spec.selector");
    if (!is_manual(v) && json_string_at(v, "metadata.uid").size > 0)
        check_generated(c, v);
    if (selector == NULL)
        check_fail_at(c, "spec.selector", CHECK_REQUIRED, NULL, "%s", "");
    else
        check_selects_template(c, json_get(v, "spec"), "spec");
}

static const struct field fields_job_condition[] = {
    {.name = "type", .type = FIELD_STRING, .proto = 1, .flags = FIELD_ZERO, .doc = "What it is about."},
    {.name = "status", .type = FIELD_STRING, .proto = 2, .flags = FIELD_ZERO, .doc = "True, False or Unknown."},
    {.name = "lastProbeTime",
     .type = FIELD_TIME,
     .proto = 3,
     .flags = FIELD_ALWAYS,
     .doc = "When the condition was last looked at."},
    {.name = "lastTransitionTime",
     .type = FIELD_TIME,
     .proto = 4,
     .flags = FIELD_ALWAYS,
     .doc = "When the condition last changed."},
    {.name = "reason", .type = FIELD_STRING, .proto = 5, .doc = "Why, as one word for programs."},
    {.name = "message", .type = FIELD_STRING, .proto = 6, .doc = "Why, in words for people."},
    {.name = NULL},
};
static const struct type type_job_condition = {
    .name = "JobCondition", .doc = "Something that holds of a job.", .fields = fields_job_condition};

static const struct field fields_uncounted_terminated_pods[] = {
    {.name = "succeeded",
     .type = FIELD_STRING,
     .shape = FIELD_LIST,
     .proto = 1,
     .list = LIST_SET,
     .doc = "Uids of those that succeeded."},
    {.name = "failed",
     .type = FIELD_STRING,
     .shape = FIELD_LIST,
     .proto = 2,
     .list = LIST_SET,
     .doc = "Uids of those that failed."},
    {.name = NULL},
};
static const struct type type_uncounted_terminated_pods = {.name = "UncountedTerminatedPods",
                                                           .doc = "Finished pods that are not in the counts yet.",
                                                           .fields = fields_uncounted_terminated_pods};

static const struct field fields_job_status[] = {
    {.name = "conditions",
     .type = FIELD_OBJECT,
     .shape = FIELD_LIST,
     .object = &type_job_condition,
     .proto = 1,
     .patch = PATCH_MERGE,
     .merge_key = "type",
     .doc = "What holds of the object now, one entry per type."},
    {.name = "startTime", .type = FIELD_TIME, .proto = 2, .doc = "When it began, or was last resumed."},
    {.name = "completionTime", .type = FIELD_TIME, .proto = 3, .doc = "When it was done."},
    {.name = "active",
     .type = FIELD_INT32,
     .proto = 4,
     .check = check_not_negative,
     .doc = "Pods that run or wait to."},
    {.name = "succeeded", .type = FIELD_INT32, .proto = 5, .check = check_not_negative, .doc = "Pods that succeeded."},
    {.name = "failed", .type = FIELD_INT32, .proto = 6, .check = check_not_negative, .doc = "Pods that failed."},
    {.name = "completedIndexes", .type = FIELD_STRING, .proto = 7, .doc = "Indexes that are done: \"1,3-5\"."},
    {.name = "uncountedTerminatedPods",
     .type = FIELD_OBJECT,
     .object = &type_uncounted_terminated_pods,
     .proto = 8,
     .doc = "Finished pods that are not in the counts yet."},
    {.name = "ready",
     .type = FIELD_INT32,
     .proto = 9,
     .flags = FIELD_POINTER,
     .check = check_not_negative,
     .doc = "Active pods that are ready."},
    {.name = "failedIndexes", .type = FIELD_STRING, .proto = 10, .flags = FIELD_POINTER, .doc = "Indexes that failed."},
    {.name = "terminating",
     .type = FIELD_INT32,
     .proto = 11,
     .flags = FIELD_POINTER,
     .check = check_not_negative,
     .doc = "Pods that are on their way out."},
    {.name = NULL},
};
static const struct type type_job_status = {.name = "JobStatus", .doc = "State of a job.", .fields = fields_job_status};

static const struct field fields_job[] = {
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
     .object = &type_job_spec,
     .proto = 2,
     .flags = FIELD_ALWAYS,
     .doc = "What is wanted."},
    {.name = "status",
     .type = FIELD_OBJECT,
     .object = &type_job_status,
     .proto = 3,
     .flags = FIELD_ALWAYS,
     .doc = "What was found; written by controllers."},
    {.name = NULL},
};
static const struct type type_job = {.name = "Job",
                                     .doc = "Work that is done when enough pods have succeeded.",
                                     .fields = fields_job,
                                     .fill = fill_job,
                                     .check = check_job};

static void label(struct json_doc *d, struct json *labels, const char *name, struct slice value)
{
    json_set_string(d, labels, name, value);
}

/* Pods of a job are told by its uid. Labels that stand there already are left for validation to complain of. */
static void prepare_create(struct json_doc *d, struct json *o)
{
    struct slice uid = json_string_at(o, "metadata.uid"), name = json_string_at(o, "metadata.name");
    static const char *const own[] = {OLD_LABEL_NAME, LABEL_NAME, OLD_LABEL_UID, LABEL_UID};
    if (is_manual(o))
        return;
    struct json *labels = json_ensure_object(d, o, "spec.template.metadata.labels");
    for (size_t i = 0; i < ARRAY_LEN(own); i++) {
        if (json_get(labels, own[i]) != NULL)
            return;
    }
    for (size_t i = 0; i < ARRAY_LEN(own); i++)
        label(d, labels, own[i], i < 2 ? name : uid);
    struct json *match = json_ensure_object(d, o, "spec.selector.matchLabels");
    if (json_get(match, LABEL_UID) == NULL)
        label(d, match, LABEL_UID, uid);
}

static bool same(const struct json *a, const struct json *b)
{
    return a == NULL || b == NULL ? a == b : json_equal(a, b);
}

static void check_kept(struct check *c, const struct json *now, const struct json *was, const char *field,
                       const char *shown)
{
    const struct json *a = json_get(now, field), *b = json_get(was, field);
    char path[64];
    (void)snprintf(path, sizeof path, "spec.%s", field); /* fits */
    if (same(a, b))
        return;
    if (shown == NULL)
        check_fail_at(c, path, CHECK_INVALID, a, "field is immutable");
    else
        check_fail_shown(c, path, CHECK_INVALID, shown, "field is immutable");
}

/* While a job that never ran is suspended, where its pods may go can still be said. */
static void check_template(struct check *c, const struct json *object, const struct json *old)
{
    static const char *const placement[] = {"spec.nodeSelector",    "spec.affinity",        "spec.tolerations",
                                            "spec.schedulingGates", "metadata.annotations", "metadata.labels"};
    struct json_doc *d = json_doc_new();
    struct json *now = json_copy(d, json_at(object, "spec.template")),
                *was = json_copy(d, json_at(old, "spec.template"));
    bool movable = json_bool_at(old, "spec.suspend", false) && json_at(old, "status.startTime") == NULL;
    for (size_t i = 0; movable && i < ARRAY_LEN(placement); i++) {
        struct slice rest = slice_str(placement[i]);
        struct slice half = slice_cut(&rest, '.');
        (void)json_remove_slice(json_get_slice(now, half), rest); /* absent is as good */
        (void)json_remove_slice(json_get_slice(was, half), rest);
    }
    if (!same(now, was))
        check_fail_shown(c, "spec.template", CHECK_INVALID, "core.PodTemplateSpec{}", "field is immutable");
    json_doc_free(d);
}

/* An indexed job may change its size as long as all of it runs at once. */
static bool is_elastic(const struct json *now, const struct json *was)
{
    return slice_is(json_string_at(now, "completionMode"), "Indexed") &&
           same(json_get(now, "completions"), json_get(now, "parallelism")) &&
           same(json_get(was, "completions"), json_get(was, "parallelism"));
}

static void check_update(struct check *c, const struct json *object, const struct json *old)
{
    const struct json *now = json_get(object, "spec"), *was = json_get(old, "spec");
    if (!is_elastic(now, was))
        check_kept(c, now, was, "completions", NULL);
    check_workload_update(c, object, old);
    check_template(c, object, old);
    check_kept(c, now, was, "completionMode", NULL);
    check_kept(c, now, was, "podFailurePolicy", "batch.PodFailurePolicy{}");
    check_kept(c, now, was, "backoffLimitPerIndex", NULL);
    check_kept(c, now, was, "managedBy", NULL);
    check_kept(c, now, was, "successPolicy", "batch.SuccessPolicy{}");
}

static const struct column columns[] = {
    {.name = "Name", .type = "string", .format = "name", .doc = "Name of the object, unique within its namespace."},
    {.name = "Status", .type = "string", .doc = "What the job is doing."},
    {.name = "Completions", .type = "string", .doc = "Pods that succeeded of those that must."},
    {.name = "Duration", .type = "string", .doc = "How long it took, or has been running."},
    {.name = "Age", .type = "string", .doc = "Time since the object was created."},
    {.name = "Containers", .type = "string", .doc = "Names of the containers in the template.", .priority = 1},
    {.name = "Images", .type = "string", .doc = "Images of the containers in the template.", .priority = 1},
    {.name = "Selector", .type = "string", .doc = "Selector of the pods.", .priority = 1},
    {.name = NULL},
};

static const struct json *condition(const struct json *o, const char *type)
{
    struct json_iterator i = json_iterate(json_at(o, "status.conditions"));
    while (json_next(&i)) {
        if (slice_is(json_string_at(i.value, "type"), type) && slice_is(json_string_at(i.value, "status"), "True"))
            return i.value;
    }
    return NULL;
}

static const char *status_text(const struct json *o)
{
    static const char *const later[] = {"Suspended", "FailureTarget", "SuccessCriteriaMet"};
    if (condition(o, "Complete") != NULL)
        return "Complete";
    if (condition(o, "Failed") != NULL)
        return "Failed";
    if (json_at(o, "metadata.deletionTimestamp") != NULL)
        return "Terminating";
    for (size_t i = 0; i < ARRAY_LEN(later); i++) {
        if (condition(o, later[i]) != NULL)
            return later[i];
    }
    return "Running";
}

static void completions_cell(const struct json *o, struct cells *out)
{
    long long done = json_int_at(o, "status.succeeded", 0), parallel = json_int_at(o, "spec.parallelism", 0);
    if (json_at(o, "spec.completions") != NULL)
        cells_printf(out, "%lld/%lld", done, (long long)json_int_at(o, "spec.completions", 0));
    else if (parallel > 1)
        cells_printf(out, "%lld/1 of %lld", done, parallel);
    else
        cells_printf(out, "%lld/1", done);
}

/* From the start until it was done, failed, or now. */
static void duration_cell(const struct json *o, const struct column_now *now, struct cells *out)
{
    struct slice end = json_string_at(o, "status.completionTime");
    int64_t from, to = now->wall_ms * 1000;
    char text[AGE_TEXT_MAX] = "";
    if (end.size == 0)
        end = json_string_at(condition(o, "Failed"), "lastTransitionTime");
    if (time_parse(json_string_at(o, "status.startTime"), &from) == 0) {
        if (end.size > 0 && time_parse(end, &to) != 0)
            to = from;
        age_text((to - from) / 1000000, text);
    }
    cells_str(out, text);
}

static void row(const struct json *o, const struct column_now *now, struct cells *out)
{
    cells_add(out, json_string_at(o, "metadata.name"));
    cells_str(out, status_text(o));
    completions_cell(o, out);
    duration_cell(o, now, out);
    cells_age(out, json_string_at(o, "metadata.creationTimestamp"), now);
    workload_wide_cells(o, out);
}

static const char *const categories[] = {"all", NULL};
static const struct subresource subresources[] = {
    {"status", "batch", "v1", "Job", "get,patch,update", CONNECTS_NOT},
    {.name = NULL},
};
static const struct selectable selectable[] = {
    {.label = "status.successful", .path = "status.succeeded", .absent = "0"},
    {.label = NULL},
};

const struct kind kind_job = {
    .group = "batch",
    .version = "v1",
    .name = "Job",
    .plural = "jobs",
    .singular = "job",
    .categories = categories,
    .namespaced = true,
    .storage_prefix = "jobs",
    .verbs = "create,delete,deletecollection,get,list,patch,update,watch",
    .type = &type_job,
    .subresources = subresources,
    .selectable = selectable,
    .columns = columns,
    .row = row,
    .prepare_create = prepare_create,
    .check_update = check_update,
    .orphans_dependents = true,
};
