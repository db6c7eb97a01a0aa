/* What a job does: the spec that Jobs have and CronJobs hold a template of. */
#include "common/base.h"

#include "apiserver/check.h"
#include "apiserver/kinds/types.h"
#include "apiserver/names.h"

#include <stdlib.h>

#define RULES_MAX 20
#define EXIT_CODES_MAX 255
#define INDEXED_PARALLELISM_MAX 100000
#define INDEXED_COMPLETIONS_MAX 1000000000
#define MANAGED_BY_BYTES_MAX 63

static const char *const completion_modes[] = {"Indexed", "NonIndexed", NULL};
static const char *const replacement_policies[] = {"Failed", "TerminatingOrFailed", NULL};
static const char *const failure_actions[] = {"Count", "FailIndex", "FailJob", "Ignore", NULL};
static const char *const exit_operators[] = {"In", "NotIn", NULL};
static const char *const condition_states[] = {"False", "True", "Unknown", NULL};

static void check_exit_codes(struct check *c, const struct json *v)
{
    const struct json *values = json_get(v, "values");
    bool in = slice_is(json_string_at(v, "operator"), "In"), ordered = true;
    int64_t before = INT64_MIN;
    size_t mark = check_enter(c, "values");
    if (json_size(values) == 0)
        check_fail_shown(c, "", CHECK_INVALID, "[]int32{}", "at least one value is required");
    if (json_size(values) > EXIT_CODES_MAX)
        check_fail(c, CHECK_TOO_MANY, NULL, "%zu: must have at most %d items", json_size(values), EXIT_CODES_MAX);
    struct json_iterator i = json_iterate(values);
    while (json_next(&i)) {
        int64_t code = json_int_or(i.value, 0);
        size_t at = check_enter_index(c, i.position - 1);
        if (in && code == 0)
            check_fail(c, CHECK_INVALID, i.value, "must not be 0 for the In operator");
        if (code == before)
            check_fail(c, CHECK_DUPLICATE, i.value, "%s", "");
        check_leave(c, at);
        ordered &= code >= before;
        before = code;
    }
    if (!ordered)
        check_fail(c, CHECK_INVALID, values, "must be ordered");
    check_leave(c, mark);
}

static void check_failure_rule(struct check *c, const struct json *v)
{
    bool codes = json_get(v, "onExitCodes") != NULL, conditions = json_size(json_get(v, "onPodConditions")) > 0;
    if (codes && conditions)
        check_fail_shown(c, "", CHECK_INVALID, NULL,
                         "specifying both OnExitCodes and OnPodConditions is not supported");
    else if (!codes && !conditions)
        check_fail_shown(c, "", CHECK_INVALID, NULL, "specifying one of OnExitCodes and OnPodConditions is required");
    if (json_size(json_get(v, "onPodConditions")) > RULES_MAX)
        check_fail_at(c, "onPodConditions", CHECK_TOO_MANY, NULL, "%zu: must have at most %d items",
                      json_size(json_get(v, "onPodConditions")), RULES_MAX);
}

static void check_condition_pattern(struct check *c, const struct json *v)
{
    struct err why;
    struct slice type = json_string_at(v, "type");
    if (type.size > 0 && name_check_qualified(type, &why) != 0)
        check_fail_at(c, "type", CHECK_INVALID, json_get(v, "type"), "%s", why.message);
}

static void check_rule_count(struct check *c, const struct json *v)
{
    size_t n = json_size(json_get(v, "rules"));
    if (n > RULES_MAX)
        check_fail_at(c, "rules", CHECK_TOO_MANY, NULL, "%zu: must have at most %d items", n, RULES_MAX);
}

static void check_success_rule(struct check *c, const struct json *v)
{
    if (json_get(v, "succeededCount") == NULL && json_get(v, "succeededIndexes") == NULL)
        check_fail(c, CHECK_REQUIRED, NULL, "at least one of succeededCount or succeededIndexes must be specified");
}

static int index_of(struct slice text, long *ret, struct err *reterr)
{
    char number[16], *end;
    if (text.size == 0 || text.size >= sizeof number)
        return err_set(reterr, ERR_INVALID, "cannot convert string to integer for index: \"%.*s\"", SLICE_ARGS(text));
    memcpy(number, text.data, text.size);
    number[text.size] = '\0';
    *ret = strtol(number, &end, 10);
    if (*end != '\0')
        return err_set(reterr, ERR_INVALID, "cannot convert string to integer for index: \"%.*s\"", SLICE_ARGS(text));
    return 0;
}

/* "1,3-5": growing, below `completions`. *ret_count: how many they are. */
static int indexes_parse(struct slice text, long completions, long *ret_count, struct err *reterr)
{
    long before = -1;
    *ret_count = 0;
    while (text.size > 0) {
        struct slice interval = slice_cut(&text, ','), rest = interval, first = slice_cut(&rest, '-');
        long from = 0, to = 0;
        if (rest.data != NULL && slice_find(rest, '-') < rest.size)
            return err_set(reterr, ERR_INVALID,
                           "the fragment \"%.*s\" violates the requirement that an index interval can have at most two "
                           "parts separated by '-'",
                           SLICE_ARGS(interval));
        int code = index_of(first, &from, reterr);
        to = from;
        if (code == 0 && rest.data != NULL)
            code = index_of(rest, &to, reterr);
        if (code != 0)
            return code;
        if (from >= completions || to >= completions)
            return err_set(reterr, ERR_INVALID, "too large index: \"%.*s\"",
                           SLICE_ARGS(from >= completions ? first : rest));
        if (before >= from || (rest.data != NULL && from >= to))
            return err_set(reterr, ERR_INVALID, "non-increasing order, previous: %ld, current: %ld",
                           before >= from ? before : from, before >= from ? from : to);
        *ret_count += to - from + 1;
        before = to;
    }
    return 0;
}

static void check_success_rules(struct check *c, const struct json *v)
{
    long completions = (long)json_int_at(v, "completions", 0);
    struct json_iterator i = json_iterate(json_at(v, "successPolicy.rules"));
    while (json_next(&i)) {
        const struct json *indexes = json_get(i.value, "succeededIndexes"),
                          *count = json_get(i.value, "succeededCount");
        struct err why;
        long n = 0;
        size_t mark = check_enter(c, "successPolicy.rules");
        (void)check_enter_index(c, i.position - 1);
        if (indexes != NULL && indexes_parse(json_string(indexes), completions, &n, &why) != 0)
            check_fail_at(c, "succeededIndexes", CHECK_INVALID, indexes, "error parsing succeededIndexes: %s",
                          why.message);
        if (count != NULL && json_int_or(count, 0) > completions)
            check_fail_at(c, "succeededCount", CHECK_INVALID, count,
                          "must be less than or equal to %ld (the number of specified completions)", completions);
        else if (count != NULL && n > 0 && json_int_or(count, 0) > n)
            check_fail_at(
                c, "succeededCount", CHECK_INVALID, count,
                "must be less than or equal to %ld (the number of indexes in the specified succeededIndexes field)", n);
        check_leave(c, mark);
    }
}

static void check_indexed(struct check *c, const struct json *v)
{
    const struct json *completions = json_get(v, "completions"), *parallelism = json_get(v, "parallelism");
    if (completions == NULL) {
        check_fail_at(c, "completions", CHECK_REQUIRED, NULL, "when completion mode is Indexed");
    } else {
        if (json_int_or(parallelism, 0) > INDEXED_PARALLELISM_MAX)
            check_fail_at(c, "parallelism", CHECK_INVALID, parallelism,
                          "must be less than or equal to %d when completion mode is Indexed", INDEXED_PARALLELISM_MAX);
        if (json_int_or(completions, 0) > INDEXED_COMPLETIONS_MAX)
            check_fail_at(c, "completions", CHECK_INVALID, completions, "must be less than or equal to %d",
                          INDEXED_COMPLETIONS_MAX);
    }
    if (completions != NULL)
        check_success_rules(c, v);
    const struct json *failed = json_get(v, "maxFailedIndexes");
    if (failed != NULL && completions != NULL && json_int_or(failed, 0) > json_int_or(completions, 0))
        check_fail_at(c, "maxFailedIndexes", CHECK_INVALID, failed, "must be less than or equal to completions");
}

/* What only indexed jobs may ask for. */
static void check_only_indexed(struct check *c, const struct json *v)
{
    if (json_get(v, "backoffLimitPerIndex") != NULL)
        check_fail_at(c, "backoffLimitPerIndex", CHECK_INVALID, json_get(v, "backoffLimitPerIndex"),
                      "requires indexed completion mode");
    if (json_get(v, "successPolicy") != NULL)
        check_fail_shown(c, "successPolicy", CHECK_INVALID, "batch.SuccessPolicy{}",
                         "requires indexed completion mode");
}

static bool has_container(const struct json *template, struct slice name)
{
    static const char *const lists[] = {"spec.containers", "spec.initContainers"};
    for (size_t l = 0; l < ARRAY_LEN(lists); l++) {
        struct json_iterator i = json_iterate(json_at(template, lists[l]));
        while (json_next(&i)) {
            if (slice_equal(json_string_at(i.value, "name"), name))
                return true;
        }
    }
    return false;
}

static void check_failure_policy(struct check *c, const struct json *v)
{
    struct json_iterator i = json_iterate(json_at(v, "podFailurePolicy.rules"));
    while (json_next(&i)) {
        size_t mark = check_enter(c, "podFailurePolicy.rules");
        (void)check_enter_index(c, i.position - 1);
        const struct json *container = json_at(i.value, "onExitCodes.containerName");
        if (container != NULL && !has_container(json_get(v, "template"), json_string(container)))
            check_fail_at(c, "onExitCodes.containerName", CHECK_INVALID, container,
                          "must be one of the container or initContainer names in the pod template");
        if (slice_is(json_string_at(i.value, "action"), "FailIndex") && json_get(v, "backoffLimitPerIndex") == NULL)
            check_fail_at(c, "action", CHECK_INVALID, json_get(i.value, "action"),
                          "requires the backoffLimitPerIndex to be set");
        check_leave(c, mark);
    }
}

/* Pods of a job end; only with a failure policy none of them is restarted in place. */
static void check_restarts(struct check *c, const struct json *v)
{
    static const char *const allowed[] = {"Never", "OnFailure", NULL};
    const struct json *policy = json_at(v, "template.spec.restartPolicy");
    bool never = slice_is(json_string(policy), "Never"), on_failure = slice_is(json_string(policy), "OnFailure");
    size_t mark = check_enter(c, "template.spec.restartPolicy");
    if (slice_is(json_string(policy), "Always"))
        check_fail(c, CHECK_REQUIRED, NULL, "valid values: \"OnFailure\", \"Never\"");
    else if (!never && !on_failure && policy != NULL)
        check_fail_one_of(c, policy, allowed);
    if (json_get(v, "podFailurePolicy") != NULL && !never)
        check_fail(c, CHECK_INVALID, policy, "only \"Never\" is supported when podFailurePolicy is specified");
    check_leave(c, mark);
}

void check_job_spec(struct check *c, const struct json *v)
{
    const struct json *manager = json_get(v, "managedBy");
    if (slice_is(json_string_at(v, "completionMode"), "Indexed"))
        check_indexed(c, v);
    else
        check_only_indexed(c, v);
    if (json_get(v, "maxFailedIndexes") != NULL && json_get(v, "backoffLimitPerIndex") == NULL)
        check_fail_at(c, "backoffLimitPerIndex", CHECK_REQUIRED, NULL, "when maxFailedIndexes is specified");
    check_failure_policy(c, v);
    if (json_get(v, "podFailurePolicy") != NULL &&
        slice_is(json_string_at(v, "podReplacementPolicy"), "TerminatingOrFailed")) {
        static const char *const failed[] = {"Failed", NULL};
        size_t mark = check_enter(c, "podReplacementPolicy");
        check_fail_one_of(c, json_get(v, "podReplacementPolicy"), failed);
        check_leave(c, mark);
    }
    if (json_get(v, "successPolicy") != NULL && json_size(json_at(v, "successPolicy.rules")) == 0)
        check_fail_at(c, "successPolicy.rules", CHECK_REQUIRED, NULL,
                      "at least one rules must be specified when the successPolicy is specified");
    if (manager != NULL && slice_find(json_string(manager), '/') == json_string(manager).size)
        check_fail_at(c, "managedBy", CHECK_INVALID, manager,
                      "must be a domain-prefixed path (such as \"acme.io/foo\")");
    if (json_string(manager).size > MANAGED_BY_BYTES_MAX)
        check_fail_at(c, "managedBy", CHECK_TOO_LONG, NULL, "may not be more than %d bytes", MANAGED_BY_BYTES_MAX);
    check_restarts(c, v);
}

static const struct field fields_pod_failure_policy_on_exit_codes_requirement[] = {
    {.name = "containerName",
     .type = FIELD_STRING,
     .proto = 1,
     .flags = FIELD_POINTER,
     .doc = "Container to look at; any when absent."},
    {.name = "operator",
     .type = FIELD_STRING,
     .proto = 2,
     .flags = FIELD_REQUIRED,
     .one_of = exit_operators,
     .doc = "In or NotIn."},
    {.name = "values",
     .type = FIELD_INT32,
     .shape = FIELD_LIST,
     .proto = 3,
     .list = LIST_SET,
     .flags = FIELD_ZERO,
     .doc = "The codes."},
    {.name = NULL},
};
static const struct type type_pod_failure_policy_on_exit_codes_requirement = {
    .name = "PodFailurePolicyOnExitCodesRequirement",
    .doc = "Exit codes to look for.",
    .definition = "io.k8s.api.batch.v1.PodFailurePolicyOnExitCodesRequirement",
    .fields = fields_pod_failure_policy_on_exit_codes_requirement,
    .check = check_exit_codes};

static const struct field fields_pod_failure_policy_on_pod_conditions_pattern[] = {
    {.name = "type", .type = FIELD_STRING, .proto = 1, .flags = FIELD_REQUIRED, .doc = "What it is about."},
    {.name = "status",
     .type = FIELD_STRING,
     .proto = 2,
     .flags = FIELD_REQUIRED,
     .fallback = "\"True\"",
     .one_of = condition_states,
     .doc = "True, False or Unknown."},
    {.name = NULL},
};
static const struct type type_pod_failure_policy_on_pod_conditions_pattern = {
    .name = "PodFailurePolicyOnPodConditionsPattern",
    .doc = "A pod's condition to look for.",
    .definition = "io.k8s.api.batch.v1.PodFailurePolicyOnPodConditionsPattern",
    .fields = fields_pod_failure_policy_on_pod_conditions_pattern,
    .check = check_condition_pattern};

static const struct field fields_pod_failure_policy_rule[] = {
    {.name = "action",
     .type = FIELD_STRING,
     .proto = 1,
     .flags = FIELD_REQUIRED,
     .one_of = failure_actions,
     .doc = "FailJob, FailIndex, Ignore or Count."},
    {.name = "onExitCodes",
     .type = FIELD_OBJECT,
     .object = &type_pod_failure_policy_on_exit_codes_requirement,
     .proto = 2,
     .doc = "The way, by exit codes."},
    {.name = "onPodConditions",
     .type = FIELD_OBJECT,
     .shape = FIELD_LIST,
     .object = &type_pod_failure_policy_on_pod_conditions_pattern,
     .proto = 3,
     .doc = "The way, by conditions of the pod."},
    {.name = NULL},
};
static const struct type type_pod_failure_policy_rule = {.name = "PodFailurePolicyRule",
                                                         .doc = "What to do about pods that failed in one way.",
                                                         .definition = "io.k8s.api.batch.v1.PodFailurePolicyRule",
                                                         .fields = fields_pod_failure_policy_rule,
                                                         .check = check_failure_rule};

static const struct field fields_pod_failure_policy[] = {
    {.name = "rules",
     .type = FIELD_OBJECT,
     .shape = FIELD_LIST,
     .object = &type_pod_failure_policy_rule,
     .proto = 1,
     .flags = FIELD_ZERO,
     .doc = "In order; the first that fits counts."},
    {.name = NULL},
};
static const struct type type_pod_failure_policy = {.name = "PodFailurePolicy",
                                                    .doc = "What to do about pods that failed.",
                                                    .definition = "io.k8s.api.batch.v1.PodFailurePolicy",
                                                    .fields = fields_pod_failure_policy,
                                                    .check = check_rule_count};

static const struct field fields_success_policy_rule[] = {
    {.name = "succeededIndexes",
     .type = FIELD_STRING,
     .proto = 1,
     .flags = FIELD_POINTER,
     .doc = "Indexes that must have: \"1,3-5\"."},
    {.name = "succeededCount",
     .type = FIELD_INT32,
     .proto = 2,
     .flags = FIELD_POINTER,
     .check = check_not_negative,
     .doc = "How many of them must have."},
    {.name = NULL},
};
static const struct type type_success_policy_rule = {.name = "SuccessPolicyRule",
                                                     .doc = "When enough has succeeded.",
                                                     .definition = "io.k8s.api.batch.v1.SuccessPolicyRule",
                                                     .fields = fields_success_policy_rule,
                                                     .check = check_success_rule};

static const struct field fields_success_policy[] = {
    {.name = "rules",
     .type = FIELD_OBJECT,
     .shape = FIELD_LIST,
     .object = &type_success_policy_rule,
     .proto = 1,
     .flags = FIELD_ZERO,
     .doc = "In order; the first that fits counts."},
    {.name = NULL},
};
static const struct type type_success_policy = {.name = "SuccessPolicy",
                                                .doc = "When a job counts as done before all of it is.",
                                                .definition = "io.k8s.api.batch.v1.SuccessPolicy",
                                                .fields = fields_success_policy,
                                                .check = check_rule_count};

static const struct field fields_job_spec[] = {
    {.name = "parallelism",
     .type = FIELD_INT32,
     .proto = 1,
     .flags = FIELD_POINTER,
     .check = check_not_negative,
     .doc = "Pods that may run at once."},
    {.name = "completions",
     .type = FIELD_INT32,
     .proto = 2,
     .flags = FIELD_POINTER,
     .check = check_not_negative,
     .doc = "Pods that must succeed."},
    {.name = "activeDeadlineSeconds",
     .type = FIELD_INT64,
     .proto = 3,
     .flags = FIELD_POINTER,
     .check = check_not_negative,
     .doc = "Seconds after which the job is ended."},
    {.name = "selector",
     .type = FIELD_OBJECT,
     .object = &type_label_selector,
     .proto = 4,
     .doc = "Labels of the pods that belong to the object."},
    {.name = "manualSelector",
     .type = FIELD_BOOL,
     .proto = 5,
     .flags = FIELD_POINTER,
     .doc = "The selector is the user's own and not made up."},
    {.name = "template",
     .type = FIELD_OBJECT,
     .object = &type_pod_template_spec,
     .proto = 6,
     .flags = FIELD_ALWAYS | FIELD_ZERO,
     .doc = "The pods to be made."},
    {.name = "backoffLimit",
     .type = FIELD_INT32,
     .proto = 7,
     .flags = FIELD_POINTER,
     .check = check_not_negative,
     .doc = "Failures before the job fails."},
    {.name = "ttlSecondsAfterFinished",
     .type = FIELD_INT32,
     .proto = 8,
     .flags = FIELD_POINTER,
     .check = check_not_negative,
     .doc = "Seconds after which a finished job is deleted."},
    {.name = "completionMode",
     .type = FIELD_STRING,
     .proto = 9,
     .flags = FIELD_POINTER,
     .one_of = completion_modes,
     .doc = "NonIndexed, or Indexed: each pod has a number."},
    {.name = "suspend", .type = FIELD_BOOL, .proto = 10, .flags = FIELD_POINTER, .doc = "Run no pods for now."},
    {.name = "podFailurePolicy",
     .type = FIELD_OBJECT,
     .object = &type_pod_failure_policy,
     .proto = 11,
     .doc = "What to do about pods that failed."},
    {.name = "backoffLimitPerIndex",
     .type = FIELD_INT32,
     .proto = 12,
     .flags = FIELD_POINTER,
     .check = check_not_negative,
     .doc = "Failures of one index before it fails."},
    {.name = "maxFailedIndexes",
     .type = FIELD_INT32,
     .proto = 13,
     .flags = FIELD_POINTER,
     .check = check_not_negative,
     .doc = "Indexes that may fail before the job does."},
    {.name = "podReplacementPolicy",
     .type = FIELD_STRING,
     .proto = 14,
     .flags = FIELD_POINTER,
     .one_of = replacement_policies,
     .doc = "When a pod is replaced: TerminatingOrFailed, or only Failed."},
    {.name = "managedBy",
     .type = FIELD_STRING,
     .proto = 15,
     .flags = FIELD_POINTER,
     .doc = "The controller that takes care of the job, when it is not the usual one."},
    {.name = "successPolicy",
     .type = FIELD_OBJECT,
     .object = &type_success_policy,
     .proto = 16,
     .doc = "When the job counts as done before all of it is."},
    {.name = NULL},
};
const struct type type_job_spec = {.name = "JobSpec",
                                   .doc = "Pods to run until enough of them succeed.",
                                   .definition = "io.k8s.api.batch.v1.JobSpec",
                                   .fields = fields_job_spec,
                                   .check = check_job_spec};
