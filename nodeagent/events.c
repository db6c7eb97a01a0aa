#include "common/base.h"
#include "nodeagent/events.h"

#include <stdio.h>

#include "common/list.h"
#include "common/map.h"
#include "common/mem.h"

struct remembered {
    char *namespace, *name; /* of the Event */
    int64_t count;
};

struct posting {
    struct events *events;
    struct list link;
    char *path;
    struct buf body;
    bool repeat;
};

struct events {
    struct env *env;
    struct kube_client *client;
    char *component, *host;
    struct map remembered; /* subject, reason and message → struct remembered */
    struct list queue;
    size_t queued;
    struct kube_call call;
    bool calling;
    uint64_t posted; /* events so far */
};

static void posting_free(struct posting *p)
{
    list_remove(&p->link);
    p->events->queued--;
    mem_free(p->path);
    buf_release(&p->body);
    mem_free(p);
}

static void send_next(struct events *e);

static void on_posted(struct kube_call *call, int status, struct slice body, const struct err *why)
{
    (void)body;
    struct events *e = call->data;
    struct posting *p = LIST_FIRST(&e->queue, struct posting, link);
    e->calling = false;
    if (status < 0 && status != ERR_CANCELED)
        log_debug(e->env->log, "event was not taken", "path=%s why=%s", p->path, why->message);
    posting_free(p);
    if (status != ERR_CANCELED)
        send_next(e);
}

static void send_next(struct events *e)
{
    struct posting *p = LIST_FIRST(&e->queue, struct posting, link);
    if (p == NULL || e->calling)
        return;
    e->calling = true;
    e->call = (struct kube_call){.done = on_posted, .data = e};
    if (p->repeat)
        kube_patch(e->client, &e->call, p->path, KUBE_PATCH_MERGE, buf_slice(&p->body));
    else
        kube_create(e->client, &e->call, p->path, buf_slice(&p->body));
}

static void remembered_free(struct remembered *r)
{
    if (r == NULL)
        return;
    mem_free(r->namespace);
    mem_free(r->name);
    mem_free(r);
}

/* Bounded: at the limit everything is forgotten, which only costs exact counts. */
static void forget_all(struct events *e)
{
    struct map_entry *entry;
    for (size_t i = 0; (entry = map_next(&e->remembered, &i)) != NULL;)
        remembered_free(entry->value);
    map_release(&e->remembered);
    e->remembered = (struct map){0};
}

static struct posting *posting_new(struct events *e, bool repeat)
{
    if (e->queued >= EVENTS_QUEUED_MAX) {
        log_warn(e->env->log, "too many events at once; one is lost", "queued=%zu", e->queued);
        return NULL;
    }
    struct posting *p = NEW(struct posting);
    p->events = e;
    p->repeat = repeat;
    list_push_back(&e->queue, &p->link);
    e->queued++;
    return p;
}

static void post_repeat(struct events *e, struct remembered *r, const char *now)
{
    struct posting *p = posting_new(e, true);
    if (p == NULL)
        return;
    r->count++;
    p->path = mem_printf("/api/v1/namespaces/%s/events/%s", r->namespace, r->name);
    buf_printf(&p->body, "{\"count\":%lld,\"lastTimestamp\":\"%s\"}", (long long)r->count, now);
}

static void put_subject(struct json_doc *d, struct json *event, const struct events_subject *s)
{
    struct json *object = json_ensure_object(d, event, "involvedObject");
    json_set_str(d, object, "kind", s->kind);
    json_set_str(d, object, "apiVersion", "v1");
    json_set_str(d, object, "name", s->name);
    json_set_str(d, object, "uid", s->uid);
    if (*s->namespace != '\0')
        json_set_str(d, object, "namespace", s->namespace);
    if (s->field_path != NULL)
        json_set_str(d, object, "fieldPath", s->field_path);
}

static void post_new(struct events *e, const struct events_subject *s, struct remembered *r, bool warning,
                     const char *reason, const char *message, const char *now)
{
    struct posting *p = posting_new(e, false);
    if (p == NULL)
        return;
    struct json_doc *d = json_doc_new();
    struct json *event = json_new_object(d), *meta = json_ensure_object(d, event, "metadata");
    json_set_str(d, event, "apiVersion", "v1");
    json_set_str(d, event, "kind", "Event");
    json_set_str(d, meta, "name", r->name);
    json_set_str(d, meta, "namespace", r->namespace);
    put_subject(d, event, s);
    json_set_str(d, event, "reason", reason);
    json_set_str(d, event, "message", message);
    struct json *source = json_ensure_object(d, event, "source");
    json_set_str(d, source, "component", e->component);
    json_set_str(d, source, "host", e->host);
    json_set_str(d, event, "firstTimestamp", now);
    json_set_str(d, event, "lastTimestamp", now);
    json_set_int(d, event, "count", 1);
    json_set_str(d, event, "type", warning ? "Warning" : "Normal");
    json_set_str(d, event, "reportingComponent", e->component);
    json_set_str(d, event, "reportingInstance", e->host);
    p->path = mem_printf("/api/v1/namespaces/%s/events", r->namespace);
    json_print(event, &p->body);
    json_doc_free(d);
}

void events_post(struct events *e, const struct events_subject *s, bool warning, const char *reason, const char *format, ...)
{
    char message[1024], now[TIME_TEXT_MAX];
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(message, sizeof message, format, arguments);
    va_end(arguments);
    time_format(clock_wall_ms(&e->env->clock) * 1000, 0, now);
    char *key = mem_printf("%s/%s/%s/%s", s->uid, s->field_path == NULL ? "" : s->field_path, reason, message);
    struct remembered *r = map_get(&e->remembered, slice_str(key));
    if (r != NULL) {
        post_repeat(e, r, now);
    } else {
        if (e->remembered.size >= EVENTS_REMEMBERED_MAX)
            forget_all(e);
        r = NEW(struct remembered);
        r->count = 1;
        r->namespace = mem_strdup(*s->namespace == '\0' ? "default" : s->namespace);
        /* As recorders name them: the time in nanoseconds, so that a list stands in the order of what happened. Within a
         * millisecond our own count keeps the order, and what is left of it keeps two agents apart. */
        r->name = mem_printf("%.200s.%llx", s->name,
                             (unsigned long long)clock_wall_ms(&e->env->clock) * 1000000 + e->posted++ % 1000 * 1000 +
                                 random_u64(&e->env->random) % 1000);
        (void)map_put(&e->remembered, slice_str(key), r);
        post_new(e, s, r, warning, reason, message, now);
    }
    mem_free(key);
    send_next(e);
}

struct events *events_new(struct env *env, struct kube_client *client, const char *component, const char *host)
{
    struct events *e = NEW(struct events);
    e->env = env;
    e->client = client;
    e->component = mem_strdup(component);
    e->host = mem_strdup(host);
    list_init(&e->queue);
    return e;
}

void events_free(struct events *e)
{
    if (e == NULL)
        return;
    ASSERT(!e->calling);
    while (!list_empty(&e->queue))
        posting_free(LIST_FIRST(&e->queue, struct posting, link));
    forget_all(e);
    mem_free(e->component);
    mem_free(e->host);
    mem_free(e);
}
