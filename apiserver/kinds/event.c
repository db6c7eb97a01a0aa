/* Event, core/v1. */
#include "common/base.h"

#include "apiserver/columns.h"
#include "apiserver/kinds/types.h"

static const struct field fields_event_source[] = {
    {.name = "component", .type = FIELD_STRING, .proto = 1},
    {.name = "host", .type = FIELD_STRING, .proto = 2},
    {.name = NULL},
};
static const struct type type_event_source = {.name = "EventSource", .fields = fields_event_source};

static const struct field fields_event_series[] = {
    {.name = "count", .type = FIELD_INT32, .proto = 1},
    {.name = "lastObservedTime", .type = FIELD_MICRO_TIME, .proto = 2},
    {.name = NULL},
};
static const struct type type_event_series = {.name = "EventSeries", .fields = fields_event_series};

static const struct field fields_event[] = {
    {.name = "kind", .type = FIELD_STRING},
    {.name = "apiVersion", .type = FIELD_STRING},
    {.name = "metadata", .type = FIELD_OBJECT, .object = &type_object_meta, .proto = 1, .flags = FIELD_ALWAYS | FIELD_ZERO},
    {.name = "involvedObject",
     .type = FIELD_OBJECT,
     .object = &type_object_reference,
     .proto = 2,
     .flags = FIELD_ALWAYS | FIELD_ZERO},
    {.name = "reason", .type = FIELD_STRING, .proto = 3},
    {.name = "message", .type = FIELD_STRING, .proto = 4},
    {.name = "source", .type = FIELD_OBJECT, .object = &type_event_source, .proto = 5, .flags = FIELD_ALWAYS},
    {.name = "firstTimestamp", .type = FIELD_TIME, .proto = 6, .flags = FIELD_ALWAYS},
    {.name = "lastTimestamp", .type = FIELD_TIME, .proto = 7, .flags = FIELD_ALWAYS},
    {.name = "count", .type = FIELD_INT32, .proto = 8},
    {.name = "type", .type = FIELD_STRING, .proto = 9},
    {.name = "eventTime", .type = FIELD_MICRO_TIME, .proto = 10, .flags = FIELD_ALWAYS},
    {.name = "series", .type = FIELD_OBJECT, .object = &type_event_series, .proto = 11},
    {.name = "action", .type = FIELD_STRING, .proto = 12},
    {.name = "related", .type = FIELD_OBJECT, .object = &type_object_reference, .proto = 13},
    {.name = "reportingComponent", .type = FIELD_STRING, .proto = 14},
    {.name = "reportingInstance", .type = FIELD_STRING, .proto = 15},
    {.name = NULL},
};
static const struct type type_event = {.name = "Event", .fields = fields_event, .check = check_event};

static const struct column columns[] = {
    {.name = "Last Seen", .type = "string", .doc = "Time since it was last observed."},
    {.name = "Type", .type = "string", .doc = "Normal or Warning."},
    {.name = "Reason", .type = "string", .doc = "Short, machine-readable cause."},
    {.name = "Object", .type = "string", .doc = "What it is about."},
    {.name = "Subobject", .type = "string", .doc = "Part of that object.", .priority = 1},
    {.name = "Source", .type = "string", .doc = "Who reported it.", .priority = 1},
    {.name = "Message", .type = "string", .doc = "What happened."},
    {.name = "First Seen", .type = "string", .doc = "Time since it was first observed.", .priority = 1},
    {.name = "Count", .type = "string", .doc = "How often it was observed.", .priority = 1},
    {.name = "Name", .type = "string", .format = "name", .doc = "Name of the event.", .priority = 1},
    {.name = NULL},
};

static struct slice last_seen(const struct json *o)
{
    static const char *const times[] = {"series.lastObservedTime", "lastTimestamp", "eventTime"};
    for (size_t i = 0; i < ARRAY_LEN(times); i++) {
        if (json_string_at(o, times[i]).size > 0)
            return json_string_at(o, times[i]);
    }
    return (struct slice){NULL, 0};
}

static void object_text(const struct json *o, struct buf *out)
{
    struct slice kind = json_string_at(o, "involvedObject.kind");
    for (size_t i = 0; i < kind.size; i++)
        buf_append_char(out, kind.data[i] >= 'A' && kind.data[i] <= 'Z' ? (char)(kind.data[i] + 32) : kind.data[i]);
    buf_append_char(out, '/');
    buf_append_slice(out, json_string_at(o, "involvedObject.name"));
}

static void source_text(const struct json *o, struct buf *out)
{
    struct slice component = json_string_at(o, "source.component"), host = json_string_at(o, "source.host");
    if (component.size == 0) {
        component = json_string_at(o, "reportingComponent");
        host = json_string_at(o, "reportingInstance");
    }
    buf_append_slice(out, component);
    if (host.size > 0)
        buf_printf(out, ", %.*s", SLICE_ARGS(host));
}

static void row(const struct json *o, const struct column_now *now, struct cells *out)
{
    struct buf text = {0};
    struct slice first = json_string_at(o, "firstTimestamp");
    cells_age(out, last_seen(o), now);
    cells_add(out, json_string_at(o, "type"));
    cells_add(out, json_string_at(o, "reason"));
    object_text(o, &text);
    cells_add(out, buf_slice(&text));
    cells_add(out, json_string_at(o, "involvedObject.fieldPath"));
    buf_reset(&text);
    source_text(o, &text);
    cells_add(out, buf_slice(&text));
    buf_release(&text);
    cells_add(out, json_string_at(o, "message"));
    cells_age(out, first.size > 0 ? first : json_string_at(o, "eventTime"), now);
    cells_int(out, MAX(json_int_at(o, "series.count", json_int_at(o, "count", 1)), (int64_t)1));
    cells_add(out, json_string_at(o, "metadata.name"));
}

static const char *const short_names[] = {"ev", NULL};
static const struct selectable selectable[] = {
    {.label = "involvedObject.kind"},
    {.label = "involvedObject.namespace"},
    {.label = "involvedObject.name"},
    {.label = "involvedObject.uid"},
    {.label = "involvedObject.apiVersion"},
    {.label = "involvedObject.resourceVersion"},
    {.label = "involvedObject.fieldPath"},
    {.label = "reason"},
    {.label = "reportingComponent"},
    {.label = "source", .path = "source.component"},
    {.label = "type"},
    {.label = NULL},
};

const struct kind kind_event = {
    .group = "",
    .version = "v1",
    .name = "Event",
    .plural = "events",
    .singular = "event",
    .short_names = short_names,
    .namespaced = true,
    .storage_prefix = "events",
    .verbs = "create,delete,deletecollection,get,list,patch,update,watch",
    .type = &type_event,
    .selectable = selectable,
    .columns = columns,
    .row = row,
    .update_creates = true,
    .no_generation = true,
};
