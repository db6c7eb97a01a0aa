/* Whether the priority level that a flow schema names is there, as its condition Dangling. Every apiserver writes it,
 * as those that go by flow schemas do (KEP-1040), and only where it is not yet said: who comes second finds another
 * version and lets it be.
 *
 *   idle ──a schema or level changed──▶ looking ──one is not as it should be──▶ writing ──▶ looking …──▶ idle */
#include "common/base.h"

#include "apiserver/request.h"
#include "common/clock.h"
#include "common/mem.h"

#include <inttypes.h>
#include <stdio.h>

#define MANAGER "api-priority-and-fairness-config-consumer-v1" /* known to people from managedFields */
#define SCHEMAS_PATH "/apis/flowcontrol.apiserver.k8s.io/v1/flowschemas/"

struct flow_status {
    struct apiserver *api;
    struct cache_watcher schemas, levels;
    struct deferred look;
    struct timer retry;
    struct self_call call;
    uint64_t schemas_seen, levels_seen; /* watch_cache_changes when all was well */
};

static struct watch_cache *cache_of(const struct flow_status *s, const struct kind *k)
{
    return s->api->caches[kinds_index(k)];
}

static const struct json *dangling_of(const struct json *schema)
{
    struct json_iterator i = json_iterate(json_at(schema, "status.conditions"));
    while (json_next(&i)) {
        if (slice_is(json_string_at(i.value, "type"), "Dangling"))
            return i.value;
    }
    return NULL;
}

/* The condition as it should be, or NULL: it is. Its time changes with its status only. */
static struct json *condition_wanted(struct json_doc *d, const struct json *schema, bool there, int64_t wall_ms)
{
    struct slice level = json_string_at(schema, "spec.priorityLevelConfiguration.name");
    const struct json *was = dangling_of(schema);
    struct json *c = json_new_object(d);
    struct buf message = {0};
    char now[TIME_TEXT_MAX];
    const char *status = there ? "False" : "True";
    bool same = slice_is(json_string_at(was, "status"), status);
    buf_printf(&message, "This FlowSchema references the PriorityLevelConfiguration object named \"%.*s\" %s",
               SLICE_ARGS(level), there ? "and it exists" : "but there is no such object");
    time_format(wall_ms * 1000, 0, now);
    json_set_str(d, c, "type", "Dangling");
    json_set_str(d, c, "status", status);
    json_set_string(d, c, "lastTransitionTime", same ? json_string_at(was, "lastTransitionTime") : slice_str(now));
    json_set_str(d, c, "reason", there ? "Found" : "NotFound");
    json_set_string(d, c, "message", buf_slice(&message));
    buf_release(&message);
    return was != NULL && json_equal(was, c) ? NULL : c;
}

/* As a configuration of ours for one version of the object. */
static void print_config(struct json_doc *d, const struct cached *o, struct json *condition, struct buf *out)
{
    struct json *config = json_new_object(d), *list = json_new_array(d);
    char version[24];
    (void)snprintf(version, sizeof version, "%" PRId64, o->revision); /* fits */
    json_set_str(d, config, "apiVersion", "flowcontrol.apiserver.k8s.io/v1");
    json_set_str(d, config, "kind", "FlowSchema");
    json_set_string(d, json_ensure_object(d, config, "metadata"), "name", o->name);
    json_set_str(d, json_ensure_object(d, config, "metadata"), "resourceVersion", version);
    json_append(list, condition);
    json_set(d, json_ensure_object(d, config, "status"), "conditions", list);
    json_print(config, out);
}

/* Begins to write it where it is not as it should be. */
static bool mend(struct flow_status *s, const struct cached *o)
{
    struct json_doc *d = json_doc_new();
    struct json *schema = NULL, *condition = NULL;
    if (json_parse(d, bytes_slice(o->json), &schema, NULL) == 0) { /* else the cache has logged it */
        struct slice level = json_string_at(schema, "spec.priorityLevelConfiguration.name");
        bool there = watch_cache_get(cache_of(s, &kind_prioritylevelconfiguration), level) != NULL;
        condition = condition_wanted(d, schema, there, clock_wall_ms(&s->api->env->clock));
    }
    if (condition != NULL) {
        buf_reset(&s->call.path);
        buf_printf(&s->call.path, SCHEMAS_PATH "%.*s/status", SLICE_ARGS(o->name));
        buf_reset(&s->call.body);
        print_config(d, o, condition, &s->call.body);
        s->call.query = "fieldManager=" MANAGER "&force=true";
        s->call.content_type = "application/apply-patch+yaml";
        self_send(&s->call, "PATCH");
    }
    json_doc_free(d);
    return condition != NULL;
}

/* A watcher is only told that something came; what it was does not matter. */
static void join(struct flow_status *s, const struct kind *k, struct cache_watcher *w)
{
    struct watch_cache *c = cache_of(s, k);
    if (list_empty(&w->link) && watch_cache_join(c, w, watch_cache_revision(c), NULL) != 0)
        loop_timer_start(&s->api->env->loop, &s->retry, CACHE_RETRY_MS); /* it is being filled anew */
}

static void look(struct deferred *deferred)
{
    struct flow_status *s = container_of(deferred, struct flow_status, look);
    struct selection all = {.namespace = {NULL, 0}};
    struct cached **list;
    bool writing = false;
    if (s->call.open || !s->api->bootstrapped)
        return;
    join(s, &kind_flowschema, &s->schemas);
    join(s, &kind_prioritylevelconfiguration, &s->levels);
    uint64_t schemas = watch_cache_changes(cache_of(s, &kind_flowschema));
    uint64_t levels = watch_cache_changes(cache_of(s, &kind_prioritylevelconfiguration));
    if (schemas == s->schemas_seen && levels == s->levels_seen)
        return;
    size_t n = watch_cache_list(cache_of(s, &kind_flowschema), &all, &list);
    for (size_t i = 0; i < n; i++) {
        writing = writing || mend(s, list[i]);
        cached_unref(list[i]);
    }
    mem_free(list);
    if (writing)
        return;
    s->schemas_seen = schemas;
    s->levels_seen = levels;
}

static void written(struct self_call *call, int http_status, struct slice body)
{
    struct flow_status *s = container_of(call, struct flow_status, call);
    if (http_status == 200 || http_status == 404) {
        loop_defer(&s->api->env->loop, &s->look);
        return;
    }
    if (http_status != 409) /* another apiserver was first */
        log_warn(s->api->env->log, "the status of a flow schema was not written", "path=%.*s code=%d why=%.*s",
                 SLICE_ARGS(buf_slice(&s->call.path)), http_status, (int)MIN(body.size, (size_t)200), body.data);
    loop_timer_start(&s->api->env->loop, &s->retry, CACHE_RETRY_MS);
}

static void retry(struct timer *t)
{
    struct flow_status *s = container_of(t, struct flow_status, retry);
    loop_defer(&s->api->env->loop, &s->look);
}

static void schemas_wake(struct cache_watcher *w)
{
    struct flow_status *s = container_of(w, struct flow_status, schemas);
    loop_defer(&s->api->env->loop, &s->look);
}

static void levels_wake(struct cache_watcher *w)
{
    struct flow_status *s = container_of(w, struct flow_status, levels);
    loop_defer(&s->api->env->loop, &s->look);
}

static void schemas_lost(struct cache_watcher *w, int64_t oldest)
{
    (void)oldest;
    watch_cache_leave(w);
    schemas_wake(w);
}

static void levels_lost(struct cache_watcher *w, int64_t oldest)
{
    (void)oldest;
    watch_cache_leave(w);
    levels_wake(w);
}

void flow_status_start(struct apiserver *a)
{
    struct flow_status *s = NEW(struct flow_status);
    s->api = a;
    s->schemas = (struct cache_watcher){.wake = schemas_wake, .lost = schemas_lost};
    s->levels = (struct cache_watcher){.wake = levels_wake, .lost = levels_lost};
    s->schemas_seen = s->levels_seen = UINT64_MAX;
    list_init(&s->schemas.link);
    list_init(&s->levels.link);
    deferred_init(&s->look, look);
    timer_init(&s->retry, retry);
    self_init(&s->call, a, written);
    a->flow_status = s;
    loop_defer(&a->env->loop, &s->look);
}

void flow_status_stop(struct apiserver *a)
{
    struct flow_status *s = a->flow_status;
    if (s == NULL)
        return;
    loop_undefer(&a->env->loop, &s->look);
    loop_timer_stop(&a->env->loop, &s->retry);
    watch_cache_leave(&s->schemas);
    watch_cache_leave(&s->levels);
}

void flow_status_free(struct flow_status *s)
{
    if (s == NULL)
        return;
    self_release(&s->call);
    mem_free(s);
}
