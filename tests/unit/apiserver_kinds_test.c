/* Kinds through the request core: one of the test's own, made by a row; several versions of one kind; what the kinds of
 * volumes, jobs, budgets and autoscalers fill in, refuse and show; how the control plane's parts are told. */
#include "tests/unit/api_fixture.h"

#include "apiserver/check.h"
#include "apiserver/columns.h"
#include "apiserver/kinds/kinds.h"
#include "common/kube/cron.h"

/* --- a kind of this test: the table of kinds takes it (kinds.c) --- */

static void check_size(struct check *c, const struct json *v)
{
    if (json_int_or(v, 0) > 9)
        check_fail(c, CHECK_INVALID, v, "must be at most 9");
}

static const struct field fields_meta[] = {
    {.name = "name", .type = FIELD_STRING, .proto = 1},
    {.name = "namespace", .type = FIELD_STRING, .proto = 3},
    {.name = "uid", .type = FIELD_STRING, .proto = 5},
    {.name = "resourceVersion", .type = FIELD_STRING, .proto = 6},
    {.name = "generation", .type = FIELD_INT64, .proto = 7},
    {.name = "creationTimestamp", .type = FIELD_TIME, .proto = 8, .flags = FIELD_ALWAYS},
    {.name = "labels", .type = FIELD_STRING, .shape = FIELD_MAP, .proto = 11},
    {.name = NULL},
};
static const struct type type_meta = {.name = "ObjectMeta", .fields = fields_meta};
static const struct field fields_spec[] = {
    {.name = "size", .type = FIELD_INT32, .proto = 1, .fallback = "3", .check = check_size, .doc = "How large it is."},
    {.name = NULL},
};
static const struct type type_spec = {.name = "WidgetSpec", .fields = fields_spec};
static const struct field fields_widget[] = {
    {.name = "kind", .type = FIELD_STRING},
    {.name = "apiVersion", .type = FIELD_STRING},
    {.name = "metadata", .type = FIELD_OBJECT, .object = &type_meta, .proto = 1, .flags = FIELD_ALWAYS},
    {.name = "spec", .type = FIELD_OBJECT, .object = &type_spec, .proto = 2, .flags = FIELD_ALWAYS},
    {.name = NULL},
};
static const struct type type_widget = {.name = "Widget", .doc = "Nothing in particular.", .fields = fields_widget};

extern const struct kind kind_added;
const struct kind kind_added = {
    .group = "example.com",
    .version = "v1",
    .name = "Widget",
    .plural = "widgets",
    .singular = "widget",
    .namespaced = true,
    .storage_prefix = "widgets",
    .verbs = "create,delete,deletecollection,get,list,patch,update,watch",
    .type = &type_widget,
};

/* --- helpers --- */

static void wants(const struct json *v, const char *path, const char *text)
{
    struct buf out = {0};
    const struct json *found = json_at(v, path);
    if (found == NULL)
        buf_append_str(&out, "(absent)");
    else
        json_print(found, &out);
    if (strcmp(out.data, text) != 0)
        fail_msg("%s: %s, not %s", path, out.data, text);
    buf_release(&out);
}

static struct json *make(struct fixture *f, struct json_doc *d, const char *path, const char *body)
{
    struct json *answer = NULL;
    char line[256];
    (void)snprintf(line, sizeof line, "POST %s", path); /* fits */
    if (ask(f, line, body, d, &answer) != 201)
        fail_msg("%s: %s", path, json_string_at(answer, "message").data);
    return answer;
}

static void refuses(struct fixture *f, const char *line, const char *body, int status, const char *message)
{
    struct json_doc *d = json_doc_new();
    struct json *answer = NULL;
    assert_int_equal(ask(f, line, body, d, &answer), status);
    assert_string_equal(json_string_at(answer, "message").data, message);
    json_doc_free(d);
}

/* The cells of an object's row as `kubectl get` asks for them. */
static void shows(struct fixture *f, const char *path, const char *cells)
{
    struct client c = {.status = 0};
    struct json_doc *d = json_doc_new();
    struct json *table = NULL;
    char line[256];
    (void)snprintf(line, sizeof line, "GET %s", path); /* fits */
    client_send(f, &c, line, "application/json;as=Table;v=v1;g=meta.k8s.io", NULL, SLICE(""));
    assert_int_equal(c.status, 200);
    assert_ok(json_parse(d, buf_slice(&c.answer), &table, NULL));
    wants(json_element(json_get(table, "rows"), 0), "cells", cells);
    assert_int_equal(json_size(json_get(json_element(json_get(table, "rows"), 0), "cells")),
                     json_size(json_get(table, "columnDefinitions")));
    client_release(&c);
    json_doc_free(d);
}

#define WIDGETS "/apis/example.com/v1/namespaces/default/widgets"

static void test_a_row_makes_a_kind(void **state)
{
    struct fixture *f = *state;
    struct json_doc *d = json_doc_new();
    struct json *o = make(f, d, WIDGETS, "{\"metadata\":{\"name\":\"a\"},\"spec\":{}}");
    wants(o, "spec", "{\"size\":3}");
    wants(o, "apiVersion", "\"example.com/v1\"");
    struct client watch = {.status = 0};
    client_send(f, &watch, "GET " WIDGETS "?watch=1", "application/json", NULL, SLICE(""));
    assert_non_null(strstr(watch.answer.data, "\"ADDED\""));
    assert_int_equal(ask(f, "PATCH " WIDGETS "/a", "{\"spec\":{\"size\":5}}", d, &o), 200);
    wants(o, "spec.size", "5");
    wants(o, "metadata.generation", "2");
    assert_non_null(strstr(watch.answer.data, "\"MODIFIED\""));
    watch.x.gone(&watch.x);
    assert_int_equal(ask(f, "GET " WIDGETS "/a", "", d, &o), 200);
    wants(o, "spec.size", "5");
    assert_int_equal(ask(f, "GET " WIDGETS, "", d, &o), 200);
    wants(o, "kind", "\"WidgetList\"");
    assert_int_equal(json_size(json_get(o, "items")), 1);
    refuses(f, "PATCH " WIDGETS "/a", "{\"spec\":{\"size\":12}}", 422,
            "Widget.example.com \"a\" is invalid: spec.size: Invalid value: 12: must be at most 9");
    assert_int_equal(ask(f, "GET /openapi/v3/apis/example.com/v1", "", d, &o), 200);
    struct buf schemas = {0};
    json_print(json_at(o, "components.schemas"), &schemas);
    assert_non_null(strstr(schemas.data, "How large it is."));
    buf_release(&schemas);
    assert_int_equal(ask(f, "GET /apis/example.com/v1", "", d, &o), 200);
    wants(json_element(json_get(o, "resources"), 0), "name", "\"widgets\"");
    struct client apply = {.status = 0};
    client_send(f, &apply, "PATCH " WIDGETS "/a?fieldManager=me&force=true", "application/json",
                "application/apply-patch+yaml",
                SLICE("{apiVersion: example.com/v1, kind: Widget, metadata: {name: a}, spec: {size: 7}}"));
    bool applies = apply.status != 415; /* where server-side apply is served */
    assert_int_equal(ask(f, "GET " WIDGETS "/a", "", d, &o), 200);
    wants(o, "spec.size", applies ? "7" : "5");
    client_release(&apply);
    assert_int_equal(ask(f, "DELETE " WIDGETS "/a", "", d, &o), 200);
    client_release(&watch);
    direct_run_ms(&f->d, 1);
    json_doc_free(d);
}

/* --- versions --- */

#define HPA(version) "/apis/autoscaling/" version "/namespaces/default/horizontalpodautoscalers"
#define MEMORY                                                                                                         \
    "{\"type\":\"Resource\",\"resource\":{\"name\":\"memory\",\"target\":{\"type\":\"AverageValue\",\"averageValue\":" \
    "\"1Gi\"}}}"
#define CPU                                                                                                            \
    "{\"type\":\"Resource\",\"resource\":{\"name\":\"cpu\",\"target\":{\"type\":\"Utilization\","                      \
    "\"averageUtilization\":50}}}"

static void test_a_version_reads_what_another_wrote(void **state)
{
    struct fixture *f = *state;
    struct json_doc *d = json_doc_new();
    struct json *o =
        make(f, d, HPA("v1"),
             "{\"metadata\":{\"name\":\"h\"},\"spec\":{\"scaleTargetRef\":{\"apiVersion\":\"apps/v1\",\"kind\":"
             "\"Deployment\",\"name\":\"web\"},\"maxReplicas\":4,\"targetCPUUtilizationPercentage\":50}}");
    wants(o, "apiVersion", "\"autoscaling/v1\"");
    wants(o, "spec.minReplicas", "1");
    wants(o, "spec.targetCPUUtilizationPercentage", "50");
    wants(o, "metadata.annotations", "(absent)");
    assert_int_equal(ask(f, "GET " HPA("v2") "/h", "", d, &o), 200);
    wants(o, "apiVersion", "\"autoscaling/v2\"");
    wants(o, "spec.metrics", "[" CPU "]");
    /* What v1 lacks goes through it unharmed. */
    assert_int_equal(ask(f, "PATCH " HPA("v2") "/h",
                         "{\"spec\":{\"metrics\":[" MEMORY "," CPU
                         "],\"behavior\":{\"scaleDown\":{\"selectPolicy\":\"Disabled\"}}}}",
                         d, &o),
                     200);
    wants(o, "spec.behavior.scaleUp.policies",
          "[{\"type\":\"Pods\",\"value\":4,\"periodSeconds\":15},{\"type\":\"Percent\",\"value\":100,\"periodSeconds\":"
          "15}]");
    assert_int_equal(ask(f, "GET " HPA("v1") "/h", "", d, &o), 200);
    wants(o, "spec.targetCPUUtilizationPercentage", "50");
    wants(o, "spec.metrics", "(absent)");
    assert_slice_equal(json_string(json_get_slice(json_at(o, "metadata.annotations"),
                                                  SLICE("autoscaling.alpha.kubernetes.io/metrics"))),
                       "[{\"type\":\"Resource\",\"resource\":{\"name\":\"memory\",\"targetAverageValue\":\"1Gi\"}}]");
    assert_int_equal(
        ask(f, "PATCH " HPA("v1") "/h", "{\"spec\":{\"maxReplicas\":7,\"targetCPUUtilizationPercentage\":60}}", d, &o),
        200);
    wants(o, "spec.maxReplicas", "7");
    wants(o, "apiVersion", "\"autoscaling/v1\"");
    assert_int_equal(ask(f, "GET " HPA("v2") "/h", "", d, &o), 200);
    wants(o, "spec.maxReplicas", "7");
    wants(json_element(json_at(o, "spec.metrics"), 0), "resource.name", "\"memory\"");
    wants(json_element(json_at(o, "spec.metrics"), 1), "resource.target.averageUtilization", "60");
    wants(o, "spec.behavior.scaleDown.selectPolicy", "\"Disabled\"");
    wants(o, "metadata.annotations", "(absent)");
    shows(f, HPA("v2"), "[\"h\",\"Deployment/web\",\"memory: <unknown>/1Gi, cpu: <unknown>/60%\",\"1\",7,0,\"0s\"]");
    shows(f, HPA("v1"), "[\"h\",\"Deployment/web\",\"memory: <unknown>/1Gi, cpu: <unknown>/60%\",\"1\",7,0,\"0s\"]");
    refuses(f, "PATCH " HPA("v1") "/h", "{\"spec\":{\"maxReplicas\":0}}", 422,
            "HorizontalPodAutoscaler.autoscaling \"h\" is invalid: [spec.maxReplicas: Invalid value: 0: must be "
            "greater than 0, "
            "spec.maxReplicas: Invalid value: 0: must be greater than or equal to `minReplicas`]");
    json_doc_free(d);
}

static void test_autoscalers(void **state)
{
    struct fixture *f = *state;
    static const struct {
        const char *spec, *message;
    } cases[] = {
        {"", "[spec.maxReplicas: Invalid value: 0: must be greater than 0, spec.maxReplicas: Invalid value: 0: must be "
             "greater than or equal to "
             "`minReplicas`]"},
        {"\"minReplicas\":5,\"maxReplicas\":4",
         "spec.maxReplicas: Invalid value: 4: must be greater than or equal to `minReplicas`"},
        {"\"maxReplicas\":4,\"metrics\":[{\"type\":\"Pods\",\"resource\":{\"name\":\"cpu\",\"target\":{\"type\":\"x\"}}"
         "}]",
         "[spec.metrics[0].resource.target.type: Invalid value: \"x\": must be either Utilization, Value, or "
         "AverageValue, "
         "spec.metrics[0].pods: Required value: must populate information for the given metric source, "
         "spec.metrics[0].resource: Forbidden: must "
         "populate the given metric source only]"},
        {"\"maxReplicas\":4,\"metrics\":[{\"type\":\"Resource\",\"resource\":{\"name\":\"cpu\",\"target\":{\"type\":"
         "\"Utilization\"}}}]",
         "spec.metrics[0].resource.target.averageUtilization: Required value: must set either a target raw value or a "
         "target utilization"},
        {"\"maxReplicas\":4,\"behavior\":{\"scaleUp\":{\"stabilizationWindowSeconds\":4000,\"policies\":[{\"type\":"
         "\"Pods\",\"value\":0}]}}",
         "[spec.behavior.scaleUp.policies[0].value: Invalid value: 0: must be greater than zero, "
         "spec.behavior.scaleUp.policies[0].periodSeconds: "
         "Invalid value: 0: must be greater than zero, spec.behavior.scaleUp.stabilizationWindowSeconds: Invalid "
         "value: 4000: must be less than or "
         "equal to 3600]"},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        char body[512], message[1024];
        (void)snprintf(body, sizeof body,
                       "{\"metadata\":{\"name\":\"h\"},\"spec\":{\"scaleTargetRef\":{\"kind\":\"Deployment\",\"name\":"
                       "\"web\"}%s%s}}",
                       *cases[i].spec == '\0' ? "" : ",", cases[i].spec); /* fits */
        (void)snprintf(message, sizeof message, "HorizontalPodAutoscaler.autoscaling \"h\" is invalid: %s",
                       cases[i].message); /* fits */
        refuses(f, "POST " HPA("v2"), body, 422, message);
    }
}

static void test_versions_share_lists_and_watches(void **state)
{
    struct fixture *f = *state;
    struct json_doc *d = json_doc_new();
    struct client watch = {.status = 0};
    struct json *o = NULL;
    static const char *const names[] = {"a", "b"};
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        char body[256];
        (void)snprintf(body, sizeof body,
                       "{\"metadata\":{\"name\":\"%s\"},\"spec\":{\"scaleTargetRef\":{\"kind\":\"Deployment\",\"name\":"
                       "\"web\"},\"maxReplicas\":4}}",
                       names[i]); /* fits */
        (void)make(f, d, HPA("v2"), body);
    }
    client_send(f, &watch, "GET " HPA("v1") "?watch=1", "application/json", NULL, SLICE(""));
    direct_run_ms(&f->d, 100);
    assert_non_null(strstr(watch.answer.data,
                           "{\"type\":\"ADDED\",\"object\":{\"kind\":\"HorizontalPodAutoscaler\",\"apiVersion\":"
                           "\"autoscaling/v1\""));
    assert_int_equal(ask(f, "GET " HPA("v1") "?limit=1", "", d, &o), 200);
    wants(o, "apiVersion", "\"autoscaling/v1\"");
    wants(json_element(json_get(o, "items"), 0), "spec.targetCPUUtilizationPercentage", "80");
    char line[512];
    (void)snprintf(line, sizeof line, "GET %s?limit=1&continue=%s", HPA("v1"),
                   json_string_at(o, "metadata.continue").data); /* fits */
    assert_int_equal(ask(f, line, "", d, &o), 200);
    wants(json_element(json_get(o, "items"), 0), "metadata.name", "\"b\"");
    wants(json_element(json_get(o, "items"), 0), "spec.targetCPUUtilizationPercentage", "80");
    (void)snprintf(line, sizeof line, "GET %s?resourceVersionMatch=Exact&resourceVersion=%s", HPA("v1"),
                   json_string_at(o, "metadata.resourceVersion").data); /* fits */
    assert_int_equal(ask(f, line, "", d, &o), 200);
    wants(json_element(json_get(o, "items"), 1), "apiVersion", "\"autoscaling/v1\"");
    assert_int_equal(ask(f, "GET " HPA("v1") "/a?resourceVersion=0", "", d, &o), 200);
    wants(o, "apiVersion", "\"autoscaling/v1\"");
    assert_int_equal(ask(f, "PATCH " HPA("v2") "/a", "{\"spec\":{\"maxReplicas\":9}}", d, &o), 200);
    assert_non_null(strstr(watch.answer.data,
                           "{\"type\":\"MODIFIED\",\"object\":{\"kind\":\"HorizontalPodAutoscaler\",\"apiVersion\":"
                           "\"autoscaling/v1\""));
    assert_int_equal(ask(f, "DELETE " HPA("v1") "/a", "", d, &o), 200);
    const char *gone = strstr(watch.answer.data, "{\"type\":\"DELETED\"");
    assert_non_null(gone);
    assert_non_null(strstr(gone, "\"maxReplicas\":9"));
    assert_non_null(strstr(gone, "\"targetCPUUtilizationPercentage\":80"));
    assert_int_equal(ask(f, "DELETE " HPA("v1"), "", d, &o), 200);
    wants(json_element(json_get(o, "items"), 0), "apiVersion", "\"autoscaling/v1\"");
    assert_int_equal(ask(f, "GET " HPA("v2") "/b", "", d, &o), 404);
    watch.x.gone(&watch.x);
    direct_run_ms(&f->d, 1);
    client_release(&watch);
    json_doc_free(d);
}

static void test_versions_in_discovery(void **state)
{
    struct fixture *f = *state;
    struct json_doc *d = json_doc_new();
    struct json *o = NULL;
    assert_int_equal(ask(f, "GET /apis/autoscaling", "", d, &o), 200);
    wants(o, "versions",
          "[{\"groupVersion\":\"autoscaling/v2\",\"version\":\"v2\"},{\"groupVersion\":\"autoscaling/"
          "v1\",\"version\":\"v1\"}]");
    wants(o, "preferredVersion.version", "\"v2\"");
    assert_int_equal(ask(f, "GET /apis/batch/v1beta1", "", d, &o), 200);
    wants(json_element(json_get(o, "resources"), 0), "name", "\"cronjobs\"");
    assert_int_equal(json_size(json_get(o, "resources")), 2); /* and its status */
    json_doc_free(d);
}

#define CRON "/apis/batch/v1/namespaces/default/cronjobs"
#define OLD_CRON "/apis/batch/v1beta1/namespaces/default/cronjobs"
#define POD_TEMPLATE(policy)                                                                                           \
    "{\"spec\":{\"restartPolicy\":\"" policy "\",\"containers\":[{\"name\":\"c\",\"image\":\"i:1\"}]}}"
#define CRON_BODY(schedule)                                                                                            \
    "{\"metadata\":{\"name\":\"c\"},\"spec\":{\"schedule\":\"" schedule                                                \
    "\",\"jobTemplate\":{\"spec\":{\"template\":" POD_TEMPLATE("Never") "}}}}"

static void test_a_deprecated_version_warns(void **state)
{
    struct fixture *f = *state;
    struct json_doc *d = json_doc_new();
    struct json *o = NULL;
    struct client c = {.status = 0};
    client_send(f, &c, "POST " OLD_CRON, "application/json", NULL, SLICE(CRON_BODY("*/5 * * * *")));
    assert_int_equal(c.status, 201);
    assert_string_equal(
        c.warnings.data,
        "299 - \"batch/v1beta1 CronJob is deprecated in v1.21+, unavailable in v1.25+; use batch/v1 CronJob\"");
    assert_int_equal(ask(f, "GET " CRON "/c", "", d, &o), 200);
    wants(o, "apiVersion", "\"batch/v1\"");
    wants(o, "spec.concurrencyPolicy", "\"Allow\"");
    wants(o, "spec.successfulJobsHistoryLimit", "3");
    wants(o, "spec.jobTemplate.spec.completions", "(absent)");
    assert_int_equal(ask(f, "PATCH " OLD_CRON "/c", "{\"spec\":{\"suspend\":true}}", d, &o), 200);
    wants(o, "apiVersion", "\"batch/v1beta1\"");
    wants(o, "metadata.generation", "2");
    shows(f, CRON, "[\"c\",\"*/5 * * * *\",\"<none>\",\"True\",0,\"<none>\",\"0s\",\"c\",\"i:1\",\"<none>\"]");
    client_release(&c);
    json_doc_free(d);
}

/* --- what kinds fill in and refuse --- */

static void test_cron_jobs(void **state)
{
    struct fixture *f = *state;
    refuses(
        f, "POST " CRON, CRON_BODY("x"), 422,
        "CronJob.batch \"c\" is invalid: spec.schedule: Invalid value: \"x\": expected exactly 5 fields, found 1: [x]");
    refuses(f, "POST " CRON, CRON_BODY("61 * * * *"), 422,
            "CronJob.batch \"c\" is invalid: spec.schedule: Invalid value: \"61 * * * *\": end of range (61) above "
            "maximum (59): 61");
    refuses(f, "POST " CRON,
            "{\"metadata\":{\"name\":\"c\"},\"spec\":{\"schedule\":\"@daily\",\"concurrencyPolicy\":\"Never\","
            "\"jobTemplate\":{\"spec\":{"
            "\"template\":" POD_TEMPLATE("Always") "}}}}",
            422,
            "CronJob.batch \"c\" is invalid: [spec.concurrencyPolicy: Unsupported value: \"Never\": supported values: "
            "\"Allow\", \"Forbid\", "
            "\"Replace\", spec.jobTemplate.spec.template.spec.restartPolicy: Required value: valid values: "
            "\"OnFailure\", \"Never\"]");
    refuses(f, "POST " CRON,
            "{\"metadata\":{\"name\":\"ccccccccccccccccccccccccccccccccccccccccccccccccccccc\"},\"spec\":{\"schedule\":"
            "\"@daily\","
            "\"jobTemplate\":{\"spec\":{\"template\":" POD_TEMPLATE("Never") "}}}}",
            422,
            "CronJob.batch \"ccccccccccccccccccccccccccccccccccccccccccccccccccccc\" is invalid: metadata.name: "
            "Invalid value: "
            "\"ccccccccccccccccccccccccccccccccccccccccccccccccccccc\": must be no more than 52 characters");
}

static void test_schedules(void **state)
{
    (void)state;
    struct cron c;
    struct err why;
    assert_ok(cron_parse(SLICE("*/15 0-6,22 1 JAN-mar mon"), &c, &why));
    assert_int_equal(c.minutes, (1ull << 0) | (1ull << 15) | (1ull << 30) | (1ull << 45));
    assert_int_equal(c.hours, 0x7f | 1 << 22);
    assert_int_equal(c.months, 0xe);
    assert_int_equal(c.weekdays, 2);
    assert_false(c.any_day);
    assert_ok(cron_parse(SLICE("5/20 * * * ?"), &c, &why));
    assert_int_equal(c.minutes, (1ull << 5) | (1ull << 25) | (1ull << 45));
    assert_true(c.any_day && c.any_weekday);
    assert_ok(cron_parse(SLICE("@every 1h30m"), &c, &why));
    assert_int_equal(c.every_seconds, 5400);
    static const struct {
        const char *text, *message;
    } bad[] = {{"", "empty spec string"},
               {"@soon", "unrecognized descriptor: @soon"},
               {"* * * * 7", "end of range (7) above maximum (6): 7"},
               {"* * 0 * *", "beginning of range (0) below minimum (1): 0"},
               {"9-3 * * * *", "beginning of range (9) beyond end of range (3): 9-3"},
               {"*/0 * * * *", "step of range should be a positive number: */0"},
               {"1-2-3 * * * *", "too many hyphens: 1-2-3"},
               {"1/2/3 * * * *", "too many slashes: 1/2/3"},
               {"a * * * *", "failed to parse int from a: strconv.Atoi: parsing \"a\": invalid syntax"}};
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        assert_int_equal(cron_parse(slice_str(bad[i].text), &c, &why), ERR_INVALID);
        assert_string_equal(why.message, bad[i].message);
    }
}

#define JOBS "/apis/batch/v1/namespaces/default/jobs"

static void test_jobs(void **state)
{
    struct fixture *f = *state;
    struct json_doc *d = json_doc_new();
    struct json *o =
        make(f, d, JOBS, "{\"metadata\":{\"name\":\"j\"},\"spec\":{\"template\":" POD_TEMPLATE("Never") "}}");
    const struct json *labels = json_at(o, "spec.template.metadata.labels"),
                      *match = json_at(o, "spec.selector.matchLabels");
    assert_slice_equal(json_string(json_get(labels, "batch.kubernetes.io/job-name")), "j");
    assert_slice_equal(json_string(json_get(labels, "job-name")), "j");
    assert_true(json_equal(json_get(match, "batch.kubernetes.io/controller-uid"), json_at(o, "metadata.uid")));
    assert_true(json_equal(json_get(labels, "controller-uid"), json_at(o, "metadata.uid")));
    static const char *const filled[][2] = {{"spec.completions", "1"},
                                            {"spec.parallelism", "1"},
                                            {"spec.backoffLimit", "6"},
                                            {"spec.completionMode", "\"NonIndexed\""},
                                            {"spec.suspend", "false"},
                                            {"spec.manualSelector", "false"},
                                            {"spec.podReplacementPolicy", "\"TerminatingOrFailed\""},
                                            {"status", "{}"}};
    for (size_t i = 0; i < ARRAY_LEN(filled); i++)
        wants(o, filled[i][0], filled[i][1]);
    refuses(f, "PATCH " JOBS "/j", "{\"spec\":{\"completions\":3}}", 422,
            "Job.batch \"j\" is invalid: spec.completions: Invalid value: 3: field is immutable");
    assert_int_equal(
        ask(f, "PATCH " JOBS "/j", "{\"spec\":{\"template\":{\"spec\":{\"activeDeadlineSeconds\":5}}}}", d, &o), 422);
    assert_non_null(strstr(json_string_at(o, "message").data, "spec.template: Invalid value: "));
    assert_int_equal(ask(f, "PATCH " JOBS "/j/status",
                         "{\"status\":{\"succeeded\":1,\"conditions\":[{\"type\":\"Complete\",\"status\":\"True\"}]}}",
                         d, &o),
                     200);
    assert_int_equal(ask(f, "GET " JOBS "?fieldSelector=status.successful%3D1", "", d, &o), 200);
    assert_int_equal(json_size(json_get(o, "items")), 1);
    struct client c = {.status = 0};
    client_send(f, &c, "GET " JOBS, "application/json;as=Table;v=v1;g=meta.k8s.io", NULL, SLICE(""));
    assert_non_null(strstr(
        c.answer.data,
        "\"cells\":[\"j\",\"Complete\",\"1/1\",\"\",\"0s\",\"c\",\"i:1\",\"batch.kubernetes.io/controller-uid="));
    client_release(&c);
    refuses(f, "POST " JOBS,
            "{\"metadata\":{\"name\":\"k\"},\"spec\":{\"completionMode\":\"Indexed\",\"template\":" POD_TEMPLATE(
                "OnFailure") ",\"parallelism\":2}}",
            422, "Job.batch \"k\" is invalid: spec.completions: Required value: when completion mode is Indexed");
    json_doc_free(d);
}

static void test_job_policies(void **state)
{
    struct fixture *f = *state;
    static const struct {
        const char *spec, *message;
    } cases[] = {
        {"\"podFailurePolicy\":{\"rules\":[{\"action\":\"FailJob\"}]}",
         "spec.podFailurePolicy.rules[0]: Invalid value: specifying one of OnExitCodes and OnPodConditions is "
         "required"},
        {"\"podFailurePolicy\":{\"rules\":[{\"action\":\"FailJob\",\"onExitCodes\":{\"operator\":\"In\",\"values\":[11,"
         "11]}}]}",
         "spec.podFailurePolicy.rules[0].onExitCodes.values[1]: Duplicate value: 11"},
        {"\"podFailurePolicy\":{\"rules\":[{\"action\":\"FailIndex\",\"onExitCodes\":{\"containerName\":\"x\","
         "\"operator\":\"In\","
         "\"values\":[1]}}]}",
         "[spec.podFailurePolicy.rules[0].onExitCodes.containerName: Invalid value: \"x\": must be one of the "
         "container or initContainer names "
         "in the pod template, spec.podFailurePolicy.rules[0].action: Invalid value: \"FailIndex\": requires the "
         "backoffLimitPerIndex to be "
         "set]"},
        {"\"backoffLimitPerIndex\":1", "spec.backoffLimitPerIndex: Invalid value: 1: requires indexed completion mode"},
        {"\"completionMode\":\"Indexed\",\"completions\":5,\"successPolicy\":{}",
         "spec.successPolicy.rules: Required value: at least one rules must be specified when the successPolicy is "
         "specified"},
        {"\"completionMode\":\"Indexed\",\"completions\":5,\"successPolicy\":{\"rules\":[{\"succeededIndexes\":\"0-2\","
         "\"succeededCount\":4}]}",
         "spec.successPolicy.rules[0].succeededCount: Invalid value: 4: must be less than or equal to 3 (the number of "
         "indexes in the specified "
         "succeededIndexes field)"},
        {"\"completionMode\":\"Indexed\",\"completions\":5,\"successPolicy\":{\"rules\":[{\"succeededIndexes\":\"a\"},{"
         "\"succeededIndexes\":"
         "\"3,5\"},{\"succeededIndexes\":\"3,1\"},{\"succeededIndexes\":\"1-2-3\"}]}",
         "[spec.successPolicy.rules[0].succeededIndexes: Invalid value: \"a\": error parsing succeededIndexes: cannot "
         "convert string to integer "
         "for index: \"a\", spec.successPolicy.rules[1].succeededIndexes: Invalid value: \"3,5\": error parsing "
         "succeededIndexes: too large "
         "index: \"5\", spec.successPolicy.rules[2].succeededIndexes: Invalid value: \"3,1\": error parsing "
         "succeededIndexes: non-increasing "
         "order, previous: 3, current: 1, spec.successPolicy.rules[3].succeededIndexes: Invalid value: \"1-2-3\": "
         "error parsing "
         "succeededIndexes: the fragment \"1-2-3\" violates the requirement that an index interval can have at most "
         "two parts separated by "
         "'-']"},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        char body[1024], message[1024];
        (void)snprintf(body, sizeof body, "{\"metadata\":{\"name\":\"p\"},\"spec\":{%s,\"template\":%s}}",
                       cases[i].spec, POD_TEMPLATE("Never"));                                        /* fits */
        (void)snprintf(message, sizeof message, "Job.batch \"p\" is invalid: %s", cases[i].message); /* fits */
        refuses(f, "POST " JOBS, body, 422, message);
    }
}

#define SETS "/apis/apps/v1/namespaces/default/statefulsets"
#define DAEMONS "/apis/apps/v1/namespaces/default/daemonsets"
#define WEB_TEMPLATE                                                                                                   \
    "{\"metadata\":{\"labels\":{\"app\":\"web\"}},\"spec\":{\"containers\":[{\"name\":\"c\",\"image\":\"i:1\"}]}}"
#define WEB_SELECTOR "\"selector\":{\"matchLabels\":{\"app\":\"web\"}},\"template\":" WEB_TEMPLATE

static void test_stateful_sets(void **state)
{
    struct fixture *f = *state;
    struct json_doc *d = json_doc_new();
    struct json *o = make(f, d, SETS,
                          "{\"metadata\":{\"name\":\"s\"},\"spec\":{" WEB_SELECTOR
                          ",\"volumeClaimTemplates\":[{\"metadata\":{\"name\":"
                          "\"data\"},\"spec\":{\"accessModes\":[\"ReadWriteOnce\"],\"resources\":{\"requests\":{"
                          "\"storage\":\"1024Mi\"}}}}]}}");
    wants(o, "spec.replicas", "1");
    wants(o, "spec.serviceName", "\"\"");
    wants(o, "spec.podManagementPolicy", "\"OrderedReady\"");
    wants(o, "spec.updateStrategy", "{\"type\":\"RollingUpdate\",\"rollingUpdate\":{\"partition\":0}}");
    wants(o, "spec.persistentVolumeClaimRetentionPolicy", "{\"whenDeleted\":\"Retain\",\"whenScaled\":\"Retain\"}");
    wants(o, "spec.volumeClaimTemplates",
          "[{\"kind\":\"PersistentVolumeClaim\",\"apiVersion\":\"v1\",\"metadata\":{\"name\":\"data\","
          "\"creationTimestamp\":null},\"spec\":{"
          "\"accessModes\":[\"ReadWriteOnce\"],\"resources\":{\"requests\":{\"storage\":\"1Gi\"}},\"volumeMode\":"
          "\"Filesystem\"},"
          "\"status\":{\"phase\":\"Pending\"}}]");
    wants(o, "status", "{\"replicas\":0,\"availableReplicas\":0}");
    refuses(f, "PATCH " SETS "/s", "{\"spec\":{\"serviceName\":\"x\"}}", 422,
            "StatefulSet.apps \"s\" is invalid: spec: Forbidden: updates to statefulset spec for fields other than "
            "'replicas', 'ordinals', "
            "'template', 'updateStrategy', 'revisionHistoryLimit', 'persistentVolumeClaimRetentionPolicy' and "
            "'minReadySeconds' are forbidden");
    assert_int_equal(ask(f, "PATCH " SETS "/s/scale", "{\"spec\":{\"replicas\":3}}", d, &o), 200);
    wants(o, "status.selector", "\"app=web\"");
    shows(f, SETS, "[\"s\",\"0/3\",\"0s\",\"c\",\"i:1\"]");
    refuses(f, "POST " SETS,
            "{\"metadata\":{\"name\":\"t\"},\"spec\":{\"selector\":{},\"podManagementPolicy\":\"x\","
            "\"template\":" WEB_TEMPLATE "}}",
            422,
            "StatefulSet.apps \"t\" is invalid: [spec.podManagementPolicy: Invalid value: \"x\": must be "
            "'OrderedReady' or 'Parallel', "
            "spec.selector: Invalid value: v1.LabelSelector{MatchLabels:map[string]string(nil), "
            "MatchExpressions:[]v1.LabelSelectorRequirement(nil)}: "
            "empty selector is invalid for statefulset]");
    json_doc_free(d);
}

static void test_daemon_sets(void **state)
{
    struct fixture *f = *state;
    struct json_doc *d = json_doc_new();
    struct json *o = make(f, d, DAEMONS, "{\"metadata\":{\"name\":\"d\"},\"spec\":{" WEB_SELECTOR "}}");
    wants(o, "spec.updateStrategy",
          "{\"type\":\"RollingUpdate\",\"rollingUpdate\":{\"maxUnavailable\":1,\"maxSurge\":0}}");
    wants(o, "spec.revisionHistoryLimit", "10");
    wants(o, "status",
          "{\"currentNumberScheduled\":0,\"numberMisscheduled\":0,\"desiredNumberScheduled\":0,\"numberReady\":0}");
    wants(o, "metadata.annotations", "{\"deprecated.daemonset.template.generation\":\"1\"}");
    assert_int_equal(ask(f, "PATCH " DAEMONS "/d",
                         "{\"spec\":{\"template\":{\"spec\":{\"nodeSelector\":{\"disk\":\"ssd\"}}}}}", d, &o),
                     200);
    wants(o, "metadata.annotations", "{\"deprecated.daemonset.template.generation\":\"2\"}");
    shows(f, DAEMONS, "[\"d\",0,0,0,0,0,\"disk=ssd\",\"0s\",\"c\",\"i:1\",\"app=web\"]");
    refuses(f, "PATCH " DAEMONS "/d", "{\"spec\":{\"updateStrategy\":{\"rollingUpdate\":{\"maxUnavailable\":0}}}}", 422,
            "DaemonSet.apps \"d\" is invalid: spec.updateStrategy.rollingUpdate.maxUnavailable: Required value: cannot "
            "be 0 when maxSurge is 0");
    refuses(f, "PATCH " DAEMONS "/d",
            "{\"spec\":{\"selector\":{\"matchLabels\":{\"app\":\"db\"}},\"template\":{\"metadata\":{\"labels\":{"
            "\"app\":\"db\"}}}}}",
            422,
            "DaemonSet.apps \"d\" is invalid: spec.selector: Invalid value: "
            "v1.LabelSelector{MatchLabels:map[string]string{\"app\":\"db\"}, "
            "MatchExpressions:[]v1.LabelSelectorRequirement(nil)}: field is immutable");
    json_doc_free(d);
}

#define VOLUMES "/api/v1/persistentvolumes"
#define CLAIMS "/api/v1/namespaces/default/persistentvolumeclaims"

static void test_volumes(void **state)
{
    struct fixture *f = *state;
    struct json_doc *d = json_doc_new();
    struct json *o = make(f, d, VOLUMES,
                          "{\"metadata\":{\"name\":\"v\"},\"spec\":{\"capacity\":{\"storage\":\"1Gi\"},\"accessModes\":"
                          "[\"ReadWriteOnce\","
                          "\"ReadOnlyMany\"],\"hostPath\":{\"path\":\"/x\"}}}");
    wants(o, "spec.persistentVolumeReclaimPolicy", "\"Retain\"");
    wants(o, "spec.volumeMode", "\"Filesystem\"");
    wants(o, "spec.hostPath", "{\"path\":\"/x\",\"type\":\"\"}");
    wants(o, "status", "{\"phase\":\"Pending\"}");
    wants(o, "metadata.generation", "(absent)");
    shows(f, VOLUMES,
          "[\"v\",\"1Gi\",\"RWO,ROX\",\"Retain\",\"Pending\",\"\",\"\",\"<unset>\",\"\",\"0s\",\"Filesystem\"]");
    refuses(f, "PATCH " VOLUMES "/v", "{\"spec\":{\"hostPath\":{\"path\":\"/y\"}}}", 422,
            "PersistentVolume \"v\" is invalid: spec.persistentvolumesource: Forbidden: spec.persistentvolumesource is "
            "immutable after creation");
    refuses(f, "POST " VOLUMES, "{\"metadata\":{\"name\":\"w\"},\"spec\":{}}", 422,
            "PersistentVolume \"w\" is invalid: [spec.accessModes: Required value, spec.capacity: Required value, "
            "spec.capacity: "
            "Unsupported value: core.ResourceList(nil): supported values: \"storage\", spec: Required value: must "
            "specify a volume type]");
    refuses(f, "POST " VOLUMES,
            "{\"metadata\":{\"name\":\"w\"},\"spec\":{\"capacity\":{\"storage\":\"0\"},\"accessModes\":[\"x\"],"
            "\"hostPath\":{\"path\":\"/\"},\"nfs\":{"
            "\"server\":\"s\",\"path\":\"/\"},\"persistentVolumeReclaimPolicy\":\"Keep\"}}",
            422,
            "PersistentVolume \"w\" is invalid: [spec.capacity[storage]: Invalid value: \"0\": must be greater than "
            "zero, spec.accessModes: "
            "Unsupported value: \"x\": supported values: \"ReadOnlyMany\", \"ReadWriteMany\", \"ReadWriteOnce\", "
            "\"ReadWriteOncePod\", "
            "spec.persistentVolumeReclaimPolicy: Unsupported value: \"Keep\": supported values: \"Delete\", "
            "\"Recycle\", \"Retain\", spec.nfs: "
            "Forbidden: may not specify more than 1 volume type]");
    o = make(
        f, d, "/api/v1/namespaces/default/pods",
        "{\"metadata\":{\"name\":\"disk\"},\"spec\":{\"containers\":[{\"name\":\"a\",\"image\":\"b\"}],\"volumes\":[{"
        "\"name\":\"v\",\"iscsi\":{\"targetPortal\":\"10.0.0.1\",\"iqn\":\"iqn.2026-01.x:y\"}}]}}");
    wants(o, "metadata.name", "\"disk\""); /* no lun is the first */
    json_doc_free(d);
}

/* The default class of claims and ingresses: the newest of several, of equally old ones the first by name. */
static void test_default_classes(void **state)
{
    struct fixture *f = *state;
    struct json_doc *d = json_doc_new();
    const char *storage = "/apis/storage.k8s.io/v1/storageclasses",
               *ingress = "/apis/networking.k8s.io/v1/ingressclasses";
    const char *ingresses = "/apis/networking.k8s.io/v1/namespaces/default/ingresses";
    const char *claim = "{\"metadata\":{\"name\":\"%s\"%s},\"spec\":{%s\"accessModes\":[\"ReadWriteOnce\"],"
                        "\"resources\":{\"requests\":{"
                        "\"storage\":\"1Gi\"}}}}";
    const char *rules =
        "{\"metadata\":{\"name\":\"%s\"%s},\"spec\":{%s\"defaultBackend\":{\"service\":{\"name\":\"a\",\"port\":{"
        "\"number\":80}}}}}";
    static const struct {
        const char *name, *meta;
        bool names; /* a class of its own */
        const char *storage, *ingress;
    } cases[] = {
        {"a", "", false, "\"m\"", "\"m\""},
        {"b", "", true, "\"other\"", "\"other\""},
        {"c",
         ",\"annotations\":{\"volume.beta.kubernetes.io/storage-class\":\"x\",\"kubernetes.io/ingress.class\":\"x\"}",
         false, "(absent)", "(absent)"},
    };
    char *early = mem_printf(claim, "early", "", "");
    wants(make(f, d, CLAIMS, early), "spec.storageClassName", "(absent)");
    mem_free(early);
    static const char *const names[] = {"z", "m", "plain"};
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        const char *mark = i == 2 ? "false" : "true";
        char *s = mem_printf("{\"metadata\":{\"name\":\"%s\",\"annotations\":{\"storageclass.%skubernetes.io/"
                             "is-default-class\":\"%s\"}},"
                             "\"provisioner\":\"x.y/z\"}",
                             names[i], i == 1 ? "beta." : "", mark);
        char *n = mem_printf(
            "{\"metadata\":{\"name\":\"%s\",\"annotations\":{\"ingressclass.kubernetes.io/is-default-class\":\"%s\"}},"
            "\"spec\":{\"controller\":\"x.y/z\"}}",
            names[i], mark);
        (void)make(f, d, storage, s); /* made, or the test has failed */
        (void)make(f, d, ingress, n);
        mem_free(s);
        mem_free(n);
    }
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        char *text =
            mem_printf(claim, cases[i].name, cases[i].meta, cases[i].names ? "\"storageClassName\":\"other\"," : "");
        wants(make(f, d, CLAIMS, text), "spec.storageClassName", cases[i].storage);
        mem_free(text);
        text = mem_printf(rules, cases[i].name, cases[i].meta, cases[i].names ? "\"ingressClassName\":\"other\"," : "");
        wants(make(f, d, ingresses, text), "spec.ingressClassName", cases[i].ingress);
        mem_free(text);
    }
    json_doc_free(d);
}

static void test_claims(void **state)
{
    struct fixture *f = *state;
    struct json_doc *d = json_doc_new();
    struct json *o = make(f, d, CLAIMS,
                          "{\"metadata\":{\"name\":\"c\"},\"spec\":{\"accessModes\":[\"ReadWriteOnce\"],\"resources\":{"
                          "\"requests\":{\"storage\":"
                          "\"1Gi\"}},\"dataSource\":{\"kind\":\"PersistentVolumeClaim\",\"name\":\"b\"}}}");
    wants(o, "spec.dataSourceRef", "{\"kind\":\"PersistentVolumeClaim\",\"name\":\"b\"}");
    wants(o, "status.phase", "\"Pending\"");
    refuses(f, "POST " CLAIMS, "{\"metadata\":{\"name\":\"e\"},\"spec\":{}}", 422,
            "PersistentVolumeClaim \"e\" is invalid: [spec.accessModes: Required value: at least 1 access mode is "
            "required, "
            "spec.resources[storage]: Required value]");
    refuses(f, "PATCH " CLAIMS "/c", "{\"spec\":{\"resources\":{\"requests\":{\"storage\":\"2Gi\"}}}}", 422,
            "PersistentVolumeClaim \"c\" is invalid: spec: Forbidden: spec is immutable after creation except "
            "resources.requests and "
            "volumeAttributesClassName for bound claims");
    assert_int_equal(
        ask(f, "PATCH " CLAIMS "/c", "{\"spec\":{\"volumeName\":\"v\",\"storageClassName\":\"fast\"}}", d, &o), 200);
    assert_int_equal(
        ask(f, "PATCH " CLAIMS "/c/status",
            "{\"status\":{\"phase\":\"Bound\",\"accessModes\":[\"ReadWriteOnce\"],\"capacity\":{\"storage\":\"1Gi\"}}}",
            d, &o),
        200);
    assert_int_equal(
        ask(f, "PATCH " CLAIMS "/c", "{\"spec\":{\"resources\":{\"requests\":{\"storage\":\"2Gi\"}}}}", d, &o), 200);
    refuses(f, "PATCH " CLAIMS "/c", "{\"spec\":{\"resources\":{\"requests\":{\"storage\":\"512Mi\"}}}}", 422,
            "PersistentVolumeClaim \"c\" is invalid: spec.resources.requests.storage: Forbidden: field can not be less "
            "than status.capacity");
    shows(f, CLAIMS, "[\"c\",\"Bound\",\"v\",\"1Gi\",\"RWO\",\"fast\",\"<unset>\",\"0s\",\"Filesystem\"]");
    json_doc_free(d);
}

#define LIMITS "/api/v1/namespaces/default/limitranges"
#define QUOTAS "/api/v1/namespaces/default/resourcequotas"
#define BUDGETS "/apis/policy/v1/namespaces/default/poddisruptionbudgets"

static void test_limits_and_quotas(void **state)
{
    struct fixture *f = *state;
    struct json_doc *d = json_doc_new();
    struct json *o = make(f, d, LIMITS,
                          "{\"metadata\":{\"name\":\"l\"},\"spec\":{\"limits\":[{\"type\":\"Container\",\"max\":{"
                          "\"cpu\":\"2\"},\"min\":{\"memory\":"
                          "\"1Mi\"}}]}}");
    wants(json_element(json_at(o, "spec.limits"), 0), "default", "{\"cpu\":\"2\"}");
    wants(json_element(json_at(o, "spec.limits"), 0), "defaultRequest", "{\"cpu\":\"2\",\"memory\":\"1Mi\"}");
    refuses(f, "POST " LIMITS,
            "{\"metadata\":{\"name\":\"m\"},\"spec\":{\"limits\":[{\"type\":\"Pod\",\"max\":{\"cpu\":\"1\"},\"min\":{"
            "\"cpu\":\"2\"}},{\"type\":\"Pod\"},"
            "{\"type\":\"Node\"}]}}",
            422,
            "LimitRange \"m\" is invalid: [spec.limits[0].min[cpu]: Invalid value: \"2\": min value 2 is greater than "
            "max value 1, "
            "spec.limits[2].type: Invalid value: \"Node\": must be a standard limit type or fully qualified, "
            "spec.limits[1].type: Duplicate value: "
            "\"Pod\"]");
    o = make(f, d, QUOTAS,
             "{\"metadata\":{\"name\":\"q\"},\"spec\":{\"hard\":{\"pods\":\"10\",\"limits.cpu\":\"4\"}}}");
    assert_int_equal(ask(f, "PATCH " QUOTAS "/q/status",
                         "{\"status\":{\"hard\":{\"pods\":\"10\",\"limits.cpu\":\"4\"},\"used\":{\"pods\":\"1\"}}}", d,
                         &o),
                     200);
    shows(f, QUOTAS, "[\"q\",\"0s\",\"pods: 1/10\",\"limits.cpu: 0/4\"]");
    refuses(
        f, "POST " QUOTAS,
        "{\"metadata\":{\"name\":\"r\"},\"spec\":{\"hard\":{\"pods\":\"100m\",\"bananas\":\"1\"},\"scopes\":[\"x\"]}}",
        422,
        "ResourceQuota \"r\" is invalid: [spec.hard[bananas]: Invalid value: \"bananas\": must be a standard resource "
        "for quota, "
        "spec.hard[pods]: Invalid value: \"100m\": must be an integer, spec.scopes: Invalid value: []string{\"x\"}: "
        "unsupported scope]");
    json_doc_free(d);
}

static void test_budgets(void **state)
{
    struct fixture *f = *state;
    struct json_doc *d = json_doc_new();
    struct json *o =
        make(f, d, BUDGETS, "{\"metadata\":{\"name\":\"b\"},\"spec\":{\"minAvailable\":\"50%\",\"selector\":{}}}");
    wants(o, "status", "{\"disruptionsAllowed\":0,\"currentHealthy\":0,\"desiredHealthy\":0,\"expectedPods\":0}");
    shows(f, BUDGETS, "[\"b\",\"50%\",\"N/A\",0,\"0s\"]");
    refuses(f, "POST " BUDGETS,
            "{\"metadata\":{\"name\":\"c\"},\"spec\":{\"minAvailable\":-1,\"maxUnavailable\":\"x\","
            "\"unhealthyPodEvictionPolicy\":\"y\"}}",
            422,
            "PodDisruptionBudget.policy \"c\" is invalid: [spec.minAvailable: Invalid value: "
            "intstr.IntOrString{Type:0, IntVal:-1, StrVal:\"\"}: must be "
            "greater than or equal to 0, spec.maxUnavailable: Invalid value: intstr.IntOrString{Type:1, IntVal:0, "
            "StrVal:\"x\"}: a valid percent string "
            "must be a numeric string followed by an ending '%' (e.g. '1%',  or '93%', regex used for validation is "
            "'[0-9]+%'), "
            "spec.unhealthyPodEvictionPolicy: Unsupported value: \"y\": supported values: \"AlwaysAllow\", "
            "\"IfHealthyBudget\", spec: Invalid value: "
            "policy.PodDisruptionBudgetSpec{}: minAvailable and maxUnavailable cannot be both set]");
    assert_int_equal(
        ask(f, "PUT " BUDGETS "/b", "{\"metadata\":{\"name\":\"b\"},\"spec\":{\"maxUnavailable\":1}}", d, &o), 422);
    assert_non_null(strstr(json_string_at(o, "message").data, "must be specified for an update"));
    json_doc_free(d);
}

/* --- ComponentStatus --- */

static void put_lease(struct fixture *f, const char *name, const char *renewed)
{
    struct json_doc *d = json_doc_new();
    char body[256];
    (void)snprintf(body, sizeof body,
                   "{\"metadata\":{\"name\":\"%s\"},\"spec\":{\"holderIdentity\":\"x\",\"leaseDurationSeconds\":5,"
                   "\"renewTime\":\"%s\"}}",
                   name, renewed); /* fits */
    (void)make(f, d, "/apis/coordination.k8s.io/v1/namespaces/kube-system/leases", body);
    json_doc_free(d);
}

static void test_component_statuses(void **state)
{
    struct fixture *f = *state;
    struct json_doc *d = json_doc_new();
    struct json *o = NULL;
    struct client c = {.status = 0};
    char now[TIME_TEXT_MAX];
    f->d.member_count = 3;
    f->d.silent = "10.0.0.2:2379";
    time_format(clock_wall_ms(&f->d.env.clock) * 1000, 6, now);
    put_lease(f, "kube-scheduler", now);
    client_send(f, &c, "GET /api/v1/componentstatuses", "application/json;as=Table;v=v1;g=meta.k8s.io", NULL,
                SLICE(""));
    assert_string_equal(c.warnings.data, "299 - \"v1 ComponentStatus is deprecated in v1.19+\"");
    assert_ok(json_parse(d, buf_slice(&c.answer), &o, NULL));
    static const char *const rows[] = {
        "[\"scheduler\",\"Healthy\",\"ok\",\"\"]",
        "[\"controller-manager\",\"Unhealthy\",\"\",\"nobody holds the lease kube-system/kube-controller-manager\"]",
        "[\"etcd-0\",\"Healthy\",\"{\\\"health\\\":\\\"true\\\"}\",\"\"]",
        "[\"etcd-1\",\"Unhealthy\",\"\",\"connection refused\"]",
        "[\"etcd-2\",\"Healthy\",\"{\\\"health\\\":\\\"true\\\"}\",\"\"]"};
    assert_int_equal(json_size(json_get(o, "rows")), ARRAY_LEN(rows));
    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        wants(json_element(json_get(o, "rows"), i), "cells", rows[i]);
    assert_int_equal(ask(f, "GET /api/v1/componentstatuses?fieldSelector=metadata.name%3Detcd-1", "", d, &o), 200);
    wants(o, "kind", "\"ComponentStatusList\"");
    wants(o, "items",
          "[{\"metadata\":{\"name\":\"etcd-1\",\"creationTimestamp\":null},\"conditions\":[{\"type\":\"Healthy\","
          "\"status\":\"False\","
          "\"error\":\"connection refused\"}]}]");
    assert_int_equal(ask(f, "GET /api/v1/componentstatuses/etcd-0", "", d, &o), 200);
    wants(o, "kind", "\"ComponentStatus\"");
    refuses(f, "GET /api/v1/componentstatuses/etcd-7", "", 404, "componentstatuses \"etcd-7\" not found");
    f->d.member_count = 0; /* the store is away */
    assert_int_equal(ask(f, "GET /api/v1/componentstatuses/etcd-0", "", d, &o), 200);
    wants(json_element(json_get(o, "conditions"), 0), "error", "\"no member answers\"");
    client_release(&c);
    json_doc_free(d);
}

/* One that leaves while members are asked, and a close meanwhile. */
static void test_component_statuses_of_a_client_that_left(void **state)
{
    struct fixture *f = *state;
    struct client c = {.status = 0};
    struct net_peer peer = {.common_name = "admin", .organizations = {"system:masters"}, .organization_count = 1};
    f->d.member_count = 3;
    c.x.ops = &client_ops;
    c.x.request =
        (struct http_request){.method = SLICE("GET"), .path = SLICE("/api/v1/componentstatuses"), .peer = &peer};
    api_handle(f->api, &c.x);
    assert_false(c.answered);
    direct_step(&f->d, f->d.now_ms); /* the list of members */
    c.x.gone(&c.x);
    direct_run_ms(&f->d, 10);
    assert_false(c.answered);
    client_release(&c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_a_row_makes_a_kind, setup, teardown),
        cmocka_unit_test_setup_teardown(test_a_version_reads_what_another_wrote, setup, teardown),
        cmocka_unit_test_setup_teardown(test_autoscalers, setup, teardown),
        cmocka_unit_test_setup_teardown(test_versions_share_lists_and_watches, setup, teardown),
        cmocka_unit_test_setup_teardown(test_versions_in_discovery, setup, teardown),
        cmocka_unit_test_setup_teardown(test_a_deprecated_version_warns, setup, teardown),
        cmocka_unit_test_setup_teardown(test_cron_jobs, setup, teardown),
        cmocka_unit_test(test_schedules),
        cmocka_unit_test_setup_teardown(test_jobs, setup, teardown),
        cmocka_unit_test_setup_teardown(test_job_policies, setup, teardown),
        cmocka_unit_test_setup_teardown(test_stateful_sets, setup, teardown),
        cmocka_unit_test_setup_teardown(test_daemon_sets, setup, teardown),
        cmocka_unit_test_setup_teardown(test_volumes, setup, teardown),
        cmocka_unit_test_setup_teardown(test_claims, setup, teardown),
        cmocka_unit_test_setup_teardown(test_default_classes, setup, teardown),
        cmocka_unit_test_setup_teardown(test_limits_and_quotas, setup, teardown),
        cmocka_unit_test_setup_teardown(test_budgets, setup, teardown),
        cmocka_unit_test_setup_teardown(test_component_statuses, setup, teardown),
        cmocka_unit_test_setup_teardown(test_component_statuses_of_a_client_that_left, setup, teardown),
    };
    return RUN_TESTS(tests);
}
