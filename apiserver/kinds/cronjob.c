/* CronJob, batch/v1, and as batch/v1beta1, which had the same fields. */
#include "common/base.h"

#include "apiserver/check.h"
#include "apiserver/columns.h"
#include "apiserver/kinds/kinds.h"
#include "apiserver/kinds/types.h"
#include "apiserver/names.h"
#include "common/kube/cron.h"

#include <ctype.h>
#include <strings.h>

#define NAME_BYTES_MAX 52 /* 63 of a label less the 11 that a job's name adds */

static const char *const concurrency_policies[] = {"Allow", "Forbid", "Replace", NULL};

static void check_schedule(struct check *c, const struct json *v)
{
    struct cron cron;
    struct err why;
    struct slice text = json_string(v);
    if (cron_parse(text, &cron, &why) != 0)
        check_fail(c, CHECK_INVALID, v, "%s", why.message);
    if (memmem(text.data, text.size, "TZ", 2) != NULL)
        check_fail(c, CHECK_INVALID, v, "cannot use TZ or CRON_TZ in schedule, use timeZone field instead");
}

/* Whether a zone of that name is known is seen by the controller, which has the data. */
static void check_time_zone(struct check *c, const struct json *v)
{
    struct slice name = json_string(v);
    bool good = name.size > 0 && name.data[0] != '/' && name.data[name.size - 1] != '/';
    for (size_t i = 0; i < name.size; i++)
        good &= isalnum((unsigned char)name.data[i]) || strchr("_+-/", name.data[i]) != NULL;
    if (name.size == 0)
        check_fail(c, CHECK_INVALID, v, "timeZone must be nil or non-empty string");
    else if (name.size == 5 && strncasecmp(name.data, "Local", 5) == 0)
        check_fail(c, CHECK_INVALID, v,
                   "timeZone must be an explicit time zone as defined in https://www.iana.org/time-zones");
    else if (!good)
        check_fail(c, CHECK_INVALID, v, "unknown time zone %.*s", SLICE_ARGS(name));
}

/* The selector of a job that is still to be made cannot be known. */
static void check_spec(struct check *c, const struct json *v)
{
    const struct json *job = json_at(v, "jobTemplate.spec"), *manual = json_get(job, "manualSelector");
    if (json_get(job, "selector") != NULL) {
        struct buf shown = {0};
        label_selector_text(json_get(job, "selector"), &shown);
        check_fail_shown(c, "jobTemplate.spec.selector", CHECK_INVALID, shown.data,
                         "`selector` will be auto-generated");
        buf_release(&shown);
    }
    if (json_bool(manual, false)) {
        static const char *const allowed[] = {"nil", "false", NULL};
        size_t mark = check_enter(c, "jobTemplate.spec.manualSelector");
        check_fail_one_of(c, manual, allowed);
        check_leave(c, mark);
    }
}

static const struct field fields_job_template_spec[] = {
    {.name = "metadata",
     .type = FIELD_OBJECT,
     .object = &type_object_meta,
     .proto = 1,
     .flags = FIELD_ALWAYS,
     .doc = "Labels and annotations of the job."},
    {.name = "spec",
     .type = FIELD_OBJECT,
     .object = &type_job_spec,
     .proto = 2,
     .flags = FIELD_ALWAYS,
     .doc = "What the job should do."},
    {.name = NULL},
};
static const struct type type_job_template_spec = {
    .name = "JobTemplateSpec", .doc = "A job to be made.", .fields = fields_job_template_spec};

static const struct field fields_cron_job_spec[] = {
    {.name = "schedule",
     .type = FIELD_STRING,
     .proto = 1,
     .flags = FIELD_REQUIRED,
     .check = check_schedule,
     .doc = "When, as five fields of cron."},
    {.name = "startingDeadlineSeconds",
     .type = FIELD_INT64,
     .proto = 2,
     .flags = FIELD_POINTER,
     .check = check_not_negative,
     .doc = "Seconds a missed start may be made up for."},
    {.name = "concurrencyPolicy",
     .type = FIELD_STRING,
     .proto = 3,
     .fallback = "\"Allow\"",
     .one_of = concurrency_policies,
     .doc = "When the last job still runs: Allow, Forbid or Replace."},
    {.name = "suspend",
     .type = FIELD_BOOL,
     .proto = 4,
     .flags = FIELD_POINTER,
     .fallback = "false",
     .doc = "Start nothing for now."},
    {.name = "jobTemplate",
     .type = FIELD_OBJECT,
     .object = &type_job_template_spec,
     .proto = 5,
     .flags = FIELD_ALWAYS | FIELD_ZERO,
     .doc = "The job to start."},
    {.name = "successfulJobsHistoryLimit",
     .type = FIELD_INT32,
     .proto = 6,
     .flags = FIELD_POINTER,
     .fallback = "3",
     .check = check_not_negative,
     .doc = "Finished jobs kept."},
    {.name = "failedJobsHistoryLimit",
     .type = FIELD_INT32,
     .proto = 7,
     .flags = FIELD_POINTER,
     .fallback = "1",
     .check = check_not_negative,
     .doc = "Failed jobs kept."},
    {.name = "timeZone",
     .type = FIELD_STRING,
     .proto = 8,
     .flags = FIELD_POINTER,
     .check = check_time_zone,
     .doc = "Time zone of the schedule; the controller's own when absent."},
    {.name = NULL},
};
static const struct type type_cron_job_spec = {
    .name = "CronJobSpec", .doc = "A job and its times.", .fields = fields_cron_job_spec, .check = check_spec};

static const struct field fields_cron_job_status[] = {
    {.name = "active",
     .type = FIELD_OBJECT,
     .shape = FIELD_LIST,
     .object = &type_object_reference,
     .proto = 1,
     .doc = "Jobs that run."},
    {.name = "lastScheduleTime", .type = FIELD_TIME, .proto = 4, .doc = "When a job was last started."},
    {.name = "lastSuccessfulTime", .type = FIELD_TIME, .proto = 5, .doc = "When one last succeeded."},
    {.name = NULL},
};
static const struct type type_cron_job_status = {
    .name = "CronJobStatus", .doc = "State of a CronJob.", .fields = fields_cron_job_status};

static const struct field fields_cron_job[] = {
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
     .object = &type_cron_job_spec,
     .proto = 2,
     .flags = FIELD_ALWAYS,
     .doc = "What is wanted."},
    {.name = "status",
     .type = FIELD_OBJECT,
     .object = &type_cron_job_status,
     .proto = 3,
     .flags = FIELD_ALWAYS,
     .doc = "What was found; written by controllers."},
    {.name = NULL},
};
static const struct type type_cron_job = {
    .name = "CronJob", .doc = "A job that is started again and again by a schedule.", .fields = fields_cron_job};

static int check_name(struct slice name, struct err *reterr)
{
    if (name.size > NAME_BYTES_MAX)
        return err_set(reterr, ERR_INVALID, "must be no more than %d characters", NAME_BYTES_MAX);
    return name_check_subdomain(name, reterr);
}

static const struct column columns[] = {
    {.name = "Name", .type = "string", .format = "name", .doc = "Name of the object, unique within its namespace."},
    {.name = "Schedule", .type = "string", .doc = "When, as five fields of cron."},
    {.name = "Timezone", .type = "string", .doc = "Time zone of the schedule."},
    {.name = "Suspend", .type = "boolean", .doc = "Whether it starts nothing for now."},
    {.name = "Active", .type = "integer", .doc = "Jobs that run."},
    {.name = "Last Schedule", .type = "string", .doc = "Time since a job was last started."},
    {.name = "Age", .type = "string", .doc = "Time since the object was created."},
    {.name = "Containers", .type = "string", .doc = "Names of the containers in the template.", .priority = 1},
    {.name = "Images", .type = "string", .doc = "Images of the containers in the template.", .priority = 1},
    {.name = "Selector", .type = "string", .doc = "Selector of the pods.", .priority = 1},
    {.name = NULL},
};

static void row(const struct json *o, const struct column_now *now, struct cells *out)
{
    struct slice last = json_string_at(o, "status.lastScheduleTime");
    const struct json *job = json_at(o, "spec.jobTemplate"), *suspend = json_at(o, "spec.suspend");
    cells_add(out, json_string_at(o, "metadata.name"));
    cells_add(out, json_string_at(o, "spec.schedule"));
    cells_or(out, json_string_at(o, "spec.timeZone"), "<none>");
    cells_str(out, suspend == NULL ? "<unset>" : json_bool(suspend, false) ? "True" : "False");
    cells_int(out, (int64_t)json_size(json_at(o, "status.active")));
    if (last.size == 0)
        cells_str(out, "<none>");
    else
        cells_age(out, last, now);
    cells_age(out, json_string_at(o, "metadata.creationTimestamp"), now);
    workload_wide_cells(job, out);
}

static const char *const short_names[] = {"cj", NULL};
static const char *const categories[] = {"all", NULL};
static const struct subresource subresources[] = {
    {"status", "batch", "v1", "CronJob", "get,patch,update", CONNECTS_NOT},
    {.name = NULL},
};

const struct kind kind_cronjob = {
    .group = "batch",
    .version = "v1",
    .name = "CronJob",
    .plural = "cronjobs",
    .singular = "cronjob",
    .short_names = short_names,
    .categories = categories,
    .namespaced = true,
    .storage_prefix = "cronjobs",
    .verbs = "create,delete,deletecollection,get,list,patch,update,watch",
    .type = &type_cron_job,
    .subresources = subresources,
    .columns = columns,
    .row = row,
    .check_name = check_name,
};

static void convert_nothing(struct json_doc *d, struct json *object) { (void)d, (void)object; }

/* A type of its own, so that the published schema tells the two kinds apart. */
static const struct type type_cron_job_v1beta1 = {
    .name = "CronJob",
    .doc = "A job that is started again and again by a schedule.",
    .definition = "io.k8s.api.batch.v1beta1.CronJob",
    .fields = fields_cron_job,
};

static const struct subresource beta_subresources[] = {
    {"status", "batch", "v1beta1", "CronJob", "get,patch,update", CONNECTS_NOT},
    {.name = NULL},
};

const struct kind kind_cronjob_v1beta1 = {
    .group = "batch",
    .version = "v1beta1",
    .name = "CronJob",
    .plural = "cronjobs",
    .singular = "cronjob",
    .short_names = short_names,
    .categories = categories,
    .namespaced = true,
    .storage_prefix = "cronjobs",
    .stored_as = &kind_cronjob,
    .from_stored = convert_nothing,
    .to_stored = convert_nothing,
    .deprecated = "batch/v1beta1 CronJob is deprecated in v1.21+, unavailable in v1.25+; use batch/v1 CronJob",
    .verbs = "create,delete,deletecollection,get,list,patch,update,watch",
    .type = &type_cron_job_v1beta1,
    .subresources = beta_subresources,
    .columns = columns,
    .row = row,
    .check_name = check_name,
};
