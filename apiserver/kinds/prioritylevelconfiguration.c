/* PriorityLevelConfiguration, flowcontrol.apiserver.k8s.io/v1. */
#include "common/base.h"

#include "apiserver/check.h"
#include "apiserver/columns.h"
#include "apiserver/kinds/types.h"

#define QUEUES_MAX 10000000
#define ENTROPY_BITS_MAX 60

static const char *const level_types[] = {"Exempt", "Limited", NULL};
static const char *const response_types[] = {"Queue", "Reject", NULL};

static void check_shares(struct check *c, const struct json *v);
static void check_percent(struct check *c, const struct json *v);
static void check_borrowing(struct check *c, const struct json *v);
static void check_queuing(struct check *c, const struct json *v);
static void check_limit_response(struct check *c, const struct json *v);
static void check_level(struct check *c, const struct json *v);

static const struct field fields_exempt_priority_level_configuration[] = {
    {.name = "nominalConcurrencyShares",
     .type = FIELD_INT32,
     .proto = 1,
     .flags = FIELD_POINTER,
     .fallback = "0",
     .check = check_shares,
     .doc = "Its part of the server's seats beside the shares of all levels."},
    {.name = "lendablePercent",
     .type = FIELD_INT32,
     .proto = 2,
     .flags = FIELD_POINTER,
     .fallback = "0",
     .check = check_percent,
     .doc = "Part of its seats, in percent, that others may borrow."},
    {.name = NULL},
};
static const struct type type_exempt_priority_level_configuration = {
    .name = "ExemptPriorityLevelConfiguration",
    .doc = "Of the level whose requests never wait: what it lends to others.",
    .fields = fields_exempt_priority_level_configuration,
};

static const struct field fields_queuing_configuration[] = {
    {.name = "queues", .type = FIELD_INT32, .proto = 1, .fallback = "64", .doc = "Number of queues."},
    {.name = "handSize", .type = FIELD_INT32, .proto = 2, .fallback = "8", .doc = "How many queues one flow may use."},
    {.name = "queueLengthLimit",
     .type = FIELD_INT32,
     .proto = 3,
     .fallback = "50",
     .doc = "How many requests wait in a queue before more are refused."},
    {.name = NULL},
};
static const struct type type_queuing_configuration = {
    .name = "QueuingConfiguration",
    .doc = "How requests of a level wait.",
    .fields = fields_queuing_configuration,
    .check = check_queuing,
};

static const struct field fields_limit_response[] = {
    {.name = "type",
     .type = FIELD_STRING,
     .proto = 1,
     .flags = FIELD_REQUIRED,
     .one_of = response_types,
     .doc = "Queue: they wait; Reject: they are refused."},
    {.name = "queuing",
     .type = FIELD_OBJECT,
     .object = &type_queuing_configuration,
     .proto = 2,
     .doc = "How they wait; with type Queue."},
    {.name = NULL},
};
static const struct type type_limit_response = {
    .name = "LimitResponse",
    .doc = "What becomes of requests that find no seat.",
    .fields = fields_limit_response,
    .check = check_limit_response,
};

static const struct field fields_limited_priority_level_configuration[] = {
    {.name = "nominalConcurrencyShares",
     .type = FIELD_INT32,
     .proto = 1,
     .flags = FIELD_POINTER,
     .fallback = "30",
     .check = check_shares,
     .doc = "Its share of the server's seats, beside the shares of the other levels."},
    {.name = "limitResponse",
     .type = FIELD_OBJECT,
     .object = &type_limit_response,
     .proto = 2,
     .flags = FIELD_ALWAYS,
     .doc = "What becomes of requests that find no seat."},
    {.name = "lendablePercent",
     .type = FIELD_INT32,
     .proto = 3,
     .flags = FIELD_POINTER,
     .fallback = "0",
     .check = check_percent,
     .doc = "Part of its seats, in percent, that others may borrow."},
    {.name = "borrowingLimitPercent",
     .type = FIELD_INT32,
     .proto = 4,
     .flags = FIELD_POINTER,
     .check = check_borrowing,
     .doc = "How many seats it may borrow, in percent of its own; none: without limit."},
    {.name = NULL},
};
static const struct type type_limited_priority_level_configuration = {
    .name = "LimitedPriorityLevelConfiguration",
    .doc = "Seats of a level, and what becomes of requests beyond them.",
    .fields = fields_limited_priority_level_configuration,
};

static const struct field fields_priority_level_configuration_spec[] = {
    {.name = "type",
     .type = FIELD_STRING,
     .proto = 1,
     .flags = FIELD_REQUIRED,
     .one_of = level_types,
     .doc = "Exempt: its requests never wait; Limited: they share its seats."},
    {.name = "limited",
     .type = FIELD_OBJECT,
     .object = &type_limited_priority_level_configuration,
     .proto = 2,
     .doc = "Settings of a limited level; with type Limited."},
    {.name = "exempt",
     .type = FIELD_OBJECT,
     .object = &type_exempt_priority_level_configuration,
     .proto = 3,
     .doc = "Settings of the exempt level; with type Exempt."},
    {.name = NULL},
};
static const struct type type_priority_level_configuration_spec = {
    .name = "PriorityLevelConfigurationSpec",
    .doc = "How a priority level works.",
    .fields = fields_priority_level_configuration_spec,
};

static const struct field fields_priority_level_configuration_condition[] = {
    {.name = "type", .type = FIELD_STRING, .proto = 1, .doc = "What the condition is about."},
    {.name = "status", .type = FIELD_STRING, .proto = 2, .doc = "True, False or Unknown."},
    {.name = "lastTransitionTime",
     .type = FIELD_TIME,
     .proto = 3,
     .flags = FIELD_ALWAYS,
     .doc = "When the status last changed."},
    {.name = "reason", .type = FIELD_STRING, .proto = 4, .doc = "One word, for machines, why it is so."},
    {.name = "message", .type = FIELD_STRING, .proto = 5, .doc = "What a person should know about it."},
    {.name = NULL},
};
static const struct type type_priority_level_configuration_condition = {
    .name = "PriorityLevelConfigurationCondition",
    .doc = "One thing that holds, or does not, of a priority level.",
    .fields = fields_priority_level_configuration_condition,
};

static const struct field fields_priority_level_configuration_status[] = {
    {.name = "conditions",
     .type = FIELD_OBJECT,
     .shape = FIELD_LIST,
     .object = &type_priority_level_configuration_condition,
     .proto = 1,
     .list = LIST_MAP,
     .list_keys = "type",
     .patch = PATCH_MERGE,
     .merge_key = "type",
     .doc = "What holds of the object, one entry per type."},
    {.name = NULL},
};
static const struct type type_priority_level_configuration_status = {
    .name = "PriorityLevelConfigurationStatus",
    .doc = "What is known of a priority level.",
    .fields = fields_priority_level_configuration_status,
};

static const struct field fields_priority_level_configuration[] = {
    {.name = "kind", .type = FIELD_STRING, .doc = "Kind of the object."},
    {.name = "apiVersion", .type = FIELD_STRING, .doc = "Group and version of the API that the object is written in."},
    {.name = "metadata",
     .type = FIELD_OBJECT,
     .object = &type_object_meta,
     .proto = 1,
     .flags = FIELD_ALWAYS,
     .doc = "Name, namespace, labels and what else every object carries."},
    {.name = "spec",
     .type = FIELD_OBJECT,
     .object = &type_priority_level_configuration_spec,
     .proto = 2,
     .flags = FIELD_ALWAYS,
     .doc = "What is wanted."},
    {.name = "status",
     .type = FIELD_OBJECT,
     .object = &type_priority_level_configuration_status,
     .proto = 3,
     .flags = FIELD_ALWAYS,
     .doc = "What was last seen of it; written by controllers."},
    {.name = NULL},
};
static const struct type type_priority_level_configuration = {
    .name = "PriorityLevelConfiguration",
    .doc = "A priority level: its part of what the server does at once.",
    .fields = fields_priority_level_configuration,
    .check = check_level,
};

static void check_shares(struct check *c, const struct json *v)
{
    if (json_int_or(v, 0) < 0)
        check_fail(c, CHECK_INVALID, v, "must be a non-negative integer");
}

static void check_percent(struct check *c, const struct json *v)
{
    if (json_int_or(v, 0) < 0 || json_int_or(v, 0) > 100)
        check_fail(c, CHECK_INVALID, v, "must be between 0 and 100, inclusive");
}

static void check_borrowing(struct check *c, const struct json *v)
{
    if (json_int_or(v, 0) < 0)
        check_fail(c, CHECK_INVALID, v, "if specified, must be a non-negative integer");
}

/* Bits that choosing a hand from the deck takes: the logarithm of queues * (queues - 1) * …, rounded up. */
static int entropy_bits(int64_t queues, int64_t hand)
{
    double product = 1;
    int bits = 0;
    for (int64_t i = 0; i < hand && bits <= ENTROPY_BITS_MAX; i++) {
        product *= (double)(queues - i);
        for (; product >= 2; bits++)
            product /= 2;
    }
    return product > 1 ? bits + 1 : bits;
}

static void check_queuing(struct check *c, const struct json *v)
{
    static const char *const fields[] = {"queueLengthLimit", "queues", "handSize"};
    int64_t queues = json_int_at(v, "queues", 0), hand = json_int_at(v, "handSize", 0);
    for (size_t i = 0; i < ARRAY_LEN(fields); i++)
        if (json_int_at(v, fields[i], 0) <= 0)
            check_fail_at(c, fields[i], CHECK_INVALID, json_get(v, fields[i]), "must be positive");
    if (queues > QUEUES_MAX)
        check_fail_at(c, "queues", CHECK_INVALID, json_get(v, "queues"), "must not be greater than %d", QUEUES_MAX);
    else if (queues > 0 && hand > queues)
        check_fail_at(c, "handSize", CHECK_INVALID, json_get(v, "handSize"), "should not be greater than queues (%lld)",
                      (long long)queues);
    else if (queues > 0 && hand > 0 && entropy_bits(queues, hand) > ENTROPY_BITS_MAX)
        check_fail_at(c, "handSize", CHECK_INVALID, json_get(v, "handSize"),
                      "required entropy bits of deckSize %lld and handSize %lld should not be greater than %d",
                      (long long)queues, (long long)hand, ENTROPY_BITS_MAX);
}

static void check_limit_response(struct check *c, const struct json *v)
{
    struct slice type = json_string_at(v, "type");
    bool queuing = json_get(v, "queuing") != NULL;
    if (slice_is(type, "Reject") && queuing)
        check_fail_at(c, "queuing", CHECK_FORBIDDEN, NULL, "must be nil if limited.limitResponse.type is not Limited");
    if (slice_is(type, "Queue") && !queuing)
        check_fail_at(c, "queuing", CHECK_REQUIRED, NULL, "must not be empty if limited.limitResponse.type is Limited");
}

static void check_level(struct check *c, const struct json *v)
{
    const struct json *type = json_at(v, "spec.type");
    bool exempt = slice_is(json_string(type), "Exempt"), limited = slice_is(json_string(type), "Limited");
    if ((exempt || limited) && exempt != slice_is(json_string_at(v, "metadata.name"), "exempt"))
        check_fail_at(c, "spec.type", CHECK_INVALID, type, "type must be 'Exempt' if and only if name is 'exempt'");
    if (exempt && json_at(v, "spec.limited") != NULL)
        check_fail_at(c, "spec.limited", CHECK_FORBIDDEN, NULL, "must be nil if the type is not Limited");
    if (limited && json_at(v, "spec.limited") == NULL)
        check_fail_at(c, "spec.limited", CHECK_REQUIRED, NULL, "must not be empty when type is Limited");
    if (limited && json_at(v, "spec.exempt") != NULL)
        check_fail_at(c, "spec.exempt", CHECK_FORBIDDEN, NULL, "must be nil if the type is Limited");
}

static const struct column columns[] = {
    {.name = "Name", .type = "string", .format = "name", .doc = "Name of the object, unique in the cluster."},
    {.name = "Type", .type = "string", .doc = "Exempt or Limited."},
    {.name = "NominalConcurrencyShares", .type = "string", .doc = "Its part of what the server does at once."},
    {.name = "Queues", .type = "string", .doc = "How many queues requests wait in."},
    {.name = "HandSize", .type = "string", .doc = "How many queues a flow may wait in."},
    {.name = "QueueLengthLimit", .type = "string", .doc = "How many requests wait in one queue."},
    {.name = "Age", .type = "string", .doc = "Time since the object was created."},
    {.name = NULL},
};

static void int_cell(const struct json *v, struct cells *out)
{
    if (v == NULL)
        cells_str(out, "<none>");
    else
        cells_int(out, json_int_or(v, 0));
}

static void row(const struct json *o, const struct column_now *now, struct cells *out)
{
    const struct json *queuing = json_at(o, "spec.limited.limitResponse.queuing");
    cells_add(out, json_string_at(o, "metadata.name"));
    cells_add(out, json_string_at(o, "spec.type"));
    int_cell(json_at(o, "spec.limited.nominalConcurrencyShares"), out);
    int_cell(json_get(queuing, "queues"), out);
    int_cell(json_get(queuing, "handSize"), out);
    int_cell(json_get(queuing, "queueLengthLimit"), out);
    cells_age(out, json_string_at(o, "metadata.creationTimestamp"), now);
}

static const struct subresource subresources[] = {
    {"status", "flowcontrol.apiserver.k8s.io", "v1", "PriorityLevelConfiguration", "get,patch,update", CONNECTS_NOT},
    {.name = NULL},
};

const struct kind kind_prioritylevelconfiguration = {
    .group = "flowcontrol.apiserver.k8s.io",
    .version = "v1",
    .name = "PriorityLevelConfiguration",
    .plural = "prioritylevelconfigurations",
    .singular = "prioritylevelconfiguration",
    .storage_prefix = "prioritylevelconfigurations",
    .verbs = "create,delete,deletecollection,get,list,patch,update,watch",
    .type = &type_priority_level_configuration,
    .subresources = subresources,
    .columns = columns,
    .row = row,
};
