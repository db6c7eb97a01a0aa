/* Event, events.k8s.io/v1: the same objects as the core group's events, kept as those. */
#include "common/base.h"

#include "apiserver/check.h"
#include "apiserver/columns.h"
#include "apiserver/kinds/kinds.h"
#include "apiserver/kinds/types.h"

#define WORD_BYTES_MAX 128
#define NOTE_BYTES_MAX 1024

static const char *const event_types[] = {"Normal", "Warning", NULL};

static void check_new_event(struct check *c, const struct json *v);
static void check_series(struct check *c, const struct json *v);

static const struct field fields_event_series[] = {
    {.name = "count",
     .type = FIELD_INT32,
     .proto = 1,
     .flags = FIELD_REQUIRED,
     .fallback = "0",
     .doc = "How often it was observed."},
    {.name = "lastObservedTime",
     .type = FIELD_MICRO_TIME,
     .proto = 2,
     .flags = FIELD_REQUIRED | FIELD_ALWAYS,
     .doc = "When it was last observed."},
    {.name = NULL},
};
static const struct type type_event_series = {
    .name = "EventSeries",
    .doc = "An event that is observed again and again.",
    .fields = fields_event_series,
    .check = check_series,
};

static const struct field fields_event[] = {
    {.name = "kind", .type = FIELD_STRING, .doc = "Kind of the object."},
    {.name = "apiVersion", .type = FIELD_STRING, .doc = "Group and version of the API that the object is written in."},
    {.name = "metadata",
     .type = FIELD_OBJECT,
     .object = &type_object_meta,
     .proto = 1,
     .flags = FIELD_ALWAYS,
     .doc = "Name, namespace, labels and what else every object carries."},
    {.name = "eventTime",
     .type = FIELD_MICRO_TIME,
     .proto = 2,
     .flags = FIELD_REQUIRED | FIELD_ALWAYS,
     .doc = "When it was first observed."},
    {.name = "series",
     .type = FIELD_OBJECT,
     .object = &type_event_series,
     .proto = 3,
     .doc = "That it goes on; none: it happened once."},
    {.name = "reportingController", .type = FIELD_STRING, .proto = 4, .doc = "Name of the controller that reports it."},
    {.name = "reportingInstance", .type = FIELD_STRING, .proto = 5, .doc = "Which instance of the controller."},
    {.name = "action", .type = FIELD_STRING, .proto = 6, .doc = "What was done, or failed, in one word."},
    {.name = "reason", .type = FIELD_STRING, .proto = 7, .doc = "Why the action was taken, in one word."},
    {.name = "regarding",
     .type = FIELD_OBJECT,
     .object = &type_object_reference,
     .proto = 8,
     .flags = FIELD_ALWAYS,
     .doc = "The object it is about."},
    {.name = "related",
     .type = FIELD_OBJECT,
     .object = &type_object_reference,
     .proto = 9,
     .doc = "A second object that has a part in it."},
    {.name = "note", .type = FIELD_STRING, .proto = 10, .doc = "What happened, for people."},
    {.name = "type", .type = FIELD_STRING, .proto = 11, .doc = "Normal or Warning."},
    {.name = "deprecatedSource",
     .type = FIELD_OBJECT,
     .object = &type_event_source,
     .proto = 12,
     .flags = FIELD_ALWAYS,
     .doc = "Who reported it, from older reporters."},
    {.name = "deprecatedFirstTimestamp",
     .type = FIELD_TIME,
     .proto = 13,
     .flags = FIELD_ALWAYS,
     .doc = "Time of the first, from older reporters."},
    {.name = "deprecatedLastTimestamp",
     .type = FIELD_TIME,
     .proto = 14,
     .flags = FIELD_ALWAYS,
     .doc = "Time of the last, from older reporters."},
    {.name = "deprecatedCount", .type = FIELD_INT32, .proto = 15, .doc = "Number of times, from older reporters."},
    {.name = NULL},
};
static const struct type type_event = {
    .name = "Event",
    .doc = "Something that happened to an object, told for a while.",
    .fields = fields_event,
    .check = check_new_event,
};

static void check_series(struct check *c, const struct json *v)
{
    if (json_int_at(v, "count", 0) < 2)
        check_fail_text_at(c, "count", CHECK_INVALID, SLICE(""), "should be at least 2");
}

static void check_word(struct check *c, const struct json *v, const char *field)
{
    size_t size = json_string_at(v, field).size;
    if (size == 0)
        check_fail_at(c, field, CHECK_REQUIRED, NULL, "%s", "");
    if (size > WORD_BYTES_MAX)
        check_fail_text_at(c, field, CHECK_INVALID, SLICE(""), "can have at most %d characters", WORD_BYTES_MAX);
}

static void check_old_fields(struct check *c, const struct json *v)
{
    static const struct {
        const char *field, *told;
    } unset[] = {{"deprecatedFirstTimestamp", "firstTimestamp"},
                 {"deprecatedLastTimestamp", "lastTimestamp"},
                 {"deprecatedCount", "count"},
                 {"deprecatedSource", "source"}};
    for (size_t i = 0; i < ARRAY_LEN(unset); i++) {
        const struct json *value = json_get(v, unset[i].field);
        bool empty = json_type(value) == JSON_OBJECT ? json_size(value) == 0 : json_string(value).size == 0;
        if (json_type(value) == JSON_NUMBER ? json_int_or(value, 0) != 0 : !empty)
            check_fail_text_at(c, unset[i].told, CHECK_INVALID, SLICE(""), "needs to be unset");
    }
}

/* What an event of this version must say; what events have in common is checked as they are stored. One that came as
 * core/v1 may say less: only that version changes it. */
static void check_new_event(struct check *c, const struct json *v)
{
    static const char *const words[] = {"reportingInstance", "action", "reason"};
    const struct json *type = json_get(v, "type");
    if (json_string_at(v, "reportingController").size == 0)
        check_fail_at(c, "reportingController", CHECK_REQUIRED, NULL, "%s", "");
    size_t mark = check_enter(c, "reportingController");
    check_qualified(c, json_get(v, "reportingController"));
    check_leave(c, mark);
    for (size_t i = 0; i < ARRAY_LEN(words); i++)
        check_word(c, v, words[i]);
    if (!slice_is(json_string(type), event_types[0]) && !slice_is(json_string(type), event_types[1]))
        check_fail_text_at(c, "type", CHECK_INVALID, SLICE(""), "has invalid value: %.*s",
                           SLICE_ARGS(json_string(type)));
    if (json_string_at(v, "note").size > NOTE_BYTES_MAX)
        check_fail_text_at(c, "message", CHECK_INVALID, SLICE(""), "can have at most %d characters", NOTE_BYTES_MAX);
    check_old_fields(c, v);
}

/* --- the two shapes --- */

static const struct {
    const char *stored, *shown;
} renamed[] = {
    {"involvedObject", "regarding"},
    {"message", "note"},
    {"source", "deprecatedSource"},
    {"firstTimestamp", "deprecatedFirstTimestamp"},
    {"lastTimestamp", "deprecatedLastTimestamp"},
    {"count", "deprecatedCount"},
    {"reportingComponent", "reportingController"},
};

static void rename_member(struct json_doc *d, struct json *object, const char *from, const char *to)
{
    const struct json *value = json_get(object, from);
    if (value == NULL)
        return;
    json_set(d, object, to, json_copy(d, value));
    (void)json_remove(object, from); /* it is there */
}

static void from_stored(struct json_doc *d, struct json *object)
{
    for (size_t i = 0; i < ARRAY_LEN(renamed); i++)
        rename_member(d, object, renamed[i].stored, renamed[i].shown);
}

static void to_stored(struct json_doc *d, struct json *object)
{
    for (size_t i = 0; i < ARRAY_LEN(renamed); i++)
        rename_member(d, object, renamed[i].shown, renamed[i].stored);
}

/* Only the series of an event, and what it says of itself in metadata, goes on. */
static void check_update(struct check *c, const struct json *object, const struct json *old)
{
    static const struct {
        const char *field, *told;
    } fixed[] = {{"regarding", "involvedObject"},
                 {"reason", "reason"},
                 {"note", "message"},
                 {"deprecatedSource", "source"},
                 {"deprecatedFirstTimestamp", "firstTimestamp"},
                 {"deprecatedLastTimestamp", "lastTimestamp"},
                 {"deprecatedCount", "count"},
                 {"type", "type"},
                 {"eventTime", "eventTime"},
                 {"action", "action"},
                 {"related", "related"},
                 {"reportingController", "reportingController"},
                 {"reportingInstance", "reportingInstance"}};
    for (size_t i = 0; i < ARRAY_LEN(fixed); i++) {
        const struct json *now = json_get(object, fixed[i].field);
        if (!json_equal(now, json_get(old, fixed[i].field)))
            check_fail_at(c, fixed[i].told, CHECK_INVALID, now, "field is immutable");
    }
}

/* The row is that of the core group's. */
static void row(const struct json *o, const struct column_now *now, struct cells *out)
{
    struct json_doc *d = json_doc_new();
    struct json *stored = json_copy(d, o);
    to_stored(d, stored);
    kind_event.row(stored, now, out);
    json_doc_free(d);
}

static const char *const short_names[] = {"ev", NULL};
static const struct selectable selectable[] = {
    {.label = "reason"},
    {.label = "regarding.kind"},
    {.label = "regarding.namespace"},
    {.label = "regarding.name"},
    {.label = "regarding.uid"},
    {.label = "regarding.apiVersion"},
    {.label = "regarding.resourceVersion"},
    {.label = "regarding.fieldPath"},
    {.label = "reportingController"},
    {.label = "type"},
    {.label = NULL},
};

const struct kind kind_event_v1 = {
    .group = "events.k8s.io",
    .version = "v1",
    .name = "Event",
    .plural = "events",
    .singular = "event",
    .short_names = short_names,
    .namespaced = true,
    .storage_prefix = "events",
    .stored_as = &kind_event,
    .from_stored = from_stored,
    .to_stored = to_stored,
    .verbs = "create,delete,deletecollection,get,list,patch,update,watch",
    .type = &type_event,
    .selectable = selectable,
    .columns = event_columns,
    .row = row,
    .check_update = check_update,
    .update_creates = true,
    .no_generation = true,
};
