#include "common/base.h"

#include "common/clock.h"
#include "common/kube/event.h"
#include "common/mem.h"

static void copy_field(struct json_doc *d, struct json *to, const struct json *from, const char *path, const char *name)
{
    struct slice value = json_string_at(from, path);
    if (value.size > 0)
        json_set_string(d, to, name, value);
}

static void describe_object(struct json_doc *d, struct json *event, const struct json *object, const char *field_path)
{
    struct json *about = json_ensure_object(d, event, "involvedObject");
    copy_field(d, about, object, "kind", "kind");
    copy_field(d, about, object, "metadata.namespace", "namespace");
    copy_field(d, about, object, "metadata.name", "name");
    copy_field(d, about, object, "metadata.uid", "uid");
    copy_field(d, about, object, "apiVersion", "apiVersion");
    copy_field(d, about, object, "metadata.resourceVersion", "resourceVersion");
    if (field_path != NULL)
        json_set_str(d, about, "fieldPath", field_path);
}

/* The name Kubernetes' recorders use: the object's, and the time in hexadecimal nanoseconds. */
static void name_event(struct json_doc *d, struct json *event, const struct json *object, const struct event_facts *facts)
{
    struct json *metadata = json_ensure_object(d, event, "metadata");
    struct slice namespace = json_string_at(object, "metadata.namespace");
    char *name = mem_printf("%.*s.%llx", SLICE_ARGS(json_string_at(object, "metadata.name")),
                            (unsigned long long)facts->wall_us * 1000 + facts->salt % 1000);
    json_set_str(d, metadata, "name", name);
    json_set_string(d, metadata, "namespace", namespace.size > 0 ? namespace : SLICE("default"));
    mem_free(name);
}

struct json *event_new(struct json_doc *d, const struct json *object, const struct event_facts *facts)
{
    char now[TIME_TEXT_MAX];
    time_format(facts->wall_us, 0, now);
    struct json *event = json_new_object(d);
    json_set_str(d, event, "apiVersion", "v1");
    json_set_str(d, event, "kind", "Event");
    name_event(d, event, object, facts);
    describe_object(d, event, object, facts->field_path);
    json_set_str(d, event, "reason", facts->reason);
    json_set_str(d, event, "message", facts->message);
    struct json *source = json_ensure_object(d, event, "source");
    json_set_str(d, source, "component", facts->component);
    if (facts->host != NULL)
        json_set_str(d, source, "host", facts->host);
    json_set_str(d, event, "firstTimestamp", now);
    json_set_str(d, event, "lastTimestamp", now);
    json_set_int(d, event, "count", 1);
    json_set_str(d, event, "type", facts->type);
    json_set_str(d, event, "reportingComponent", facts->component);
    json_set_str(d, event, "reportingInstance", facts->host == NULL ? "" : facts->host);
    return event;
}
