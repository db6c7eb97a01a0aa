#include "common/base.h"

#include "common/kube/informer.h"
#include "common/kube/workqueue.h"
#include "common/list.h"
#include "controllers/controllers.h"
#include "controllers/resource.h"
#include "controllers/runtime.h"

#include <stdlib.h>

#define CONTROLLER_JOBS_MAX 64         /* reconciles of one controller under way at once */
#define CONTROLLER_CALLS_MAX 16        /* requests of one plan under way at once */
#define CONTROLLER_SETTLE_MS 10000     /* how long a key waits for the caches to show what was done */
#define CONTROLLER_LOOK_AGAIN_MS 500   /* at a namespace that still has content */
#define CONTROLLER_RESYNC_MS 600000
#define CONTROLLER_RESOURCES_MAX 128

/* The table: one row each. */
static const struct controller *const controllers_table[] = {
    &controller_deployment,
    &controller_disruption,
    &controller_endpoints,
    &controller_endpointslice,
    &controller_garbage,
    &controller_namespace,
    &controller_node_lifecycle,
    &controller_pod_gc,
    &controller_replicaset,
    &controller_replication_controller,
    &controller_root_ca,
    &controller_service_account,
    &controller_taint_eviction,
};

struct runner {
    struct controller_runtime *runtime;
    const struct controller *controller;
    struct workqueue *queue;
};

struct controller_runtime {
    struct env *env;
    struct kube_client *client;
    struct informer *informers[CONTROLLER_RESOURCES_MAX]; /* by index of resource_at; NULL: not cached */
    struct cache {
        struct controller_runtime *runtime;
        size_t index;
    } caches[CONTROLLER_RESOURCES_MAX];
    struct runner runners[ARRAY_LEN(controllers_table)];
    struct view view;
    struct list jobs;
    struct timer resync;
    size_t unsynced, informers_open;
    bool closing;
    struct deferred closed_turn;
    void (*closed)(void *arg);
    void *closed_arg;
};

/* One reconcile: its plan under way, then waiting until the caches show its effects. */
struct job {
    struct runner *runner;
    char *key;
    struct plan *plan;
    size_t next, in_flight;
    bool failed, settling;
    struct expectation *expectations;
    size_t expectation_count;
    struct timer settle;
    struct list link, calls;
};

/* What a cache must show: a version at least so new, or that an object is gone or going. */
struct expectation {
    size_t resource;
    uint64_t version;
    const char *key, *uid;
};

struct action_call {
    struct job *job;
    const struct plan_action *action;
    size_t owner; /* the next one to look at, of PLAN_DELETE_ORPHAN */
    struct kube_call call;
    struct list link;
};

static size_t index_of(const char *resource)
{
    for (size_t i = 0; i < resource_count(); i++)
        if (strcmp(resource_at(i)->name, resource) == 0)
            return i;
    PANIC("no resource '%s' in the table", resource);
}

static struct informer *cache_of(const struct view *v, const char *resource)
{
    struct controller_runtime *r = v->impl;
    return r->informers[index_of(resource)];
}

static struct object *view_get(const struct view *v, const char *resource, struct slice key)
{
    struct informer *cache = cache_of(v, resource);
    return cache == NULL ? NULL : informer_get(cache, key);
}

static void view_owned(const struct view *v, const char *resource, const char *owner_uid,
                       void (*each)(void *arg, struct object *o), void *arg)
{
    struct informer *cache = cache_of(v, resource);
    if (cache != NULL)
        informer_owned(cache, owner_uid, each, arg);
}

static void view_list(const struct view *v, const char *resource, void (*each)(void *arg, struct object *o), void *arg)
{
    struct informer *cache = cache_of(v, resource);
    struct map_entry *e;
    for (size_t at = 0; cache != NULL && (e = map_next(informer_objects(cache), &at)) != NULL;)
        each(arg, e->value);
}

static void add_to_queue(void *arg, struct slice key) { workqueue_add(arg, key); }

static void enqueue(struct controller_runtime *r, const char *resource, struct object *o)
{
    for (size_t i = 0; i < ARRAY_LEN(controllers_table); i++) {
        for (const struct controller_watch *w = controllers_table[i]->watches; w->resource != NULL; w++) {
            if (strcmp(w->resource, resource) != 0 && strcmp(w->resource, "*") != 0)
                continue;
            if (w->keys_of != NULL)
                w->keys_of(&r->view, resource, o, add_to_queue, r->runners[i].queue);
            else if (w->keys != NULL)
                w->keys(&r->view, o, add_to_queue, r->runners[i].queue);
            else
                workqueue_add(r->runners[i].queue, slice_str(o->key));
        }
    }
}

/* What an object was leads to other keys than what it is: another owner, other selectors. */
static bool same_owner(const struct object *a, const struct object *b)
{
    return a->controller_uid == NULL ? b->controller_uid == NULL
                                     : b->controller_uid != NULL && strcmp(a->controller_uid, b->controller_uid) == 0;
}

static void settle_jobs(struct controller_runtime *r);

static void changed(void *arg, struct object *old, struct object *new)
{
    struct cache *c = arg;
    const char *resource = resource_at(c->index)->name;
    if (c->runtime->closing)
        return;
    if (old != NULL && (new == NULL || !same_owner(old, new) || old->labels_hash != new->labels_hash))
        enqueue(c->runtime, resource, old);
    if (new != NULL)
        enqueue(c->runtime, resource, new);
    settle_jobs(c->runtime);
}

static void synced(void *arg)
{
    struct cache *c = arg;
    struct controller_runtime *r = c->runtime;
    if (--r->unsynced > 0)
        return;
    log_info(r->env->log, "caches are filled, controllers start", "controllers=%zu", ARRAY_LEN(controllers_table));
    for (size_t i = 0; i < ARRAY_LEN(controllers_table); i++)
        workqueue_pause(r->runners[i].queue, false);
}

static bool shown(struct controller_runtime *r, const struct expectation *e)
{
    struct informer *cache = r->informers[e->resource];
    if (e->uid == NULL)
        return informer_version(cache) >= e->version;
    struct object *o = informer_get(cache, slice_str(e->key));
    return o == NULL || o->deleting || strcmp(o->uid, e->uid) != 0;
}

static void job_free(struct job *job)
{
    loop_timer_stop(&job->runner->runtime->env->loop, &job->settle);
    list_remove(&job->link);
    plan_free(job->plan);
    mem_free(job->expectations);
    mem_free(job->key);
    mem_free(job);
}

static void end_if_closed(struct controller_runtime *r)
{
    if (r->closing && r->informers_open == 0 && list_empty(&r->jobs))
        loop_defer(&r->env->loop, &r->closed_turn);
}

static void job_end(struct job *job)
{
    struct runner *runner = job->runner;
    struct controller_runtime *r = runner->runtime;
    char *key = mem_strdup(job->key);
    uint64_t again_ms = job->plan->again_ms;
    bool failed = job->failed, cut = job->plan->cut;
    job_free(job);
    if (!r->closing && again_ms > 0 && !failed)
        workqueue_add_after(runner->queue, slice_str(key), again_ms);
    workqueue_done(runner->queue, slice_str(key), !failed);
    if (!r->closing && cut && !failed)
        workqueue_add(runner->queue, slice_str(key));
    mem_free(key);
    end_if_closed(r);
}

static bool settled(struct job *job)
{
    for (size_t i = 0; i < job->expectation_count; i++)
        if (!shown(job->runner->runtime, &job->expectations[i]))
            return false;
    return true;
}

static void settle_jobs(struct controller_runtime *r)
{
    LIST_FOR_EACH(node, &r->jobs) {
        struct job *job = container_of(node, struct job, link);
        if (job->settling && settled(job))
            job_end(job);
    }
}

static void waited_too_long(struct timer *t)
{
    struct job *job = container_of(t, struct job, settle);
    log_warn(job->runner->runtime->env->log, "caches did not show what was done", "controller=%s key=%s",
             job->runner->controller->name, job->key);
    job_end(job);
}

static void finish_plan(struct job *job)
{
    struct controller_runtime *r = job->runner->runtime;
    job->settling = true;
    if (r->closing || settled(job))
        job_end(job);
    else
        loop_timer_start(&r->env->loop, &job->settle, CONTROLLER_SETTLE_MS);
}

static void expect(struct job *job, struct expectation e)
{
    job->expectations = mem_realloc(job->expectations, (job->expectation_count + 1) * sizeof e);
    job->expectations[job->expectation_count++] = e;
}

static int64_t wall_us(const struct job *job) { return clock_wall_ms(&job->runner->runtime->env->clock) * 1000; }

static void expect_effect(struct job *job, const struct plan_action *a, struct slice body)
{
    if (a->kind == PLAN_EVENT || a->kind == PLAN_DELETE_COLLECTION)
        return;
    struct expectation e = {.resource = index_of(a->resource)};
    if (a->kind == PLAN_DELETE || a->kind == PLAN_DELETE_ORPHAN) {
        e.key = a->key;
        e.uid = a->uid;
        expect(job, e);
        if (a->told != NULL)
            plan_tell(job->plan, a->told, (struct slice){0}, NULL, wall_us(job));
        return;
    }
    struct json_doc *d = json_doc_new();
    struct json *object = NULL;
    if (json_parse(d, body, &object, NULL) == 0) {
        struct slice version = json_string_at(object, "metadata.resourceVersion");
        e.version = version.size == 0 ? 0 : strtoull(version.data, NULL, 10);
        expect(job, e);
        if (a->told != NULL)
            plan_tell(job->plan, a->told, json_string_at(object, "metadata.name"), NULL, wall_us(job));
    }
    json_doc_free(d);
}

static void advance(struct job *job);

static bool is_gone(const struct plan_action *a, int status)
{
    switch (a->kind) {
    case PLAN_DELETE:
    case PLAN_DELETE_ORPHAN: return status == ERR_NOT_FOUND || status == ERR_CONFLICT;
    case PLAN_DELETE_COLLECTION:
    case PLAN_FINALIZE: return status == ERR_NOT_FOUND;
    default: return false;
    }
}

static void action_end(struct action_call *c, int status, struct slice body, const struct err *why)
{
    struct job *job = c->job;
    const struct plan_action *a = c->action;
    bool gone = is_gone(a, status);
    list_remove(&c->link);
    mem_free(c);
    job->in_flight--;
    if (status == 0 || gone) {
        expect_effect(job, a, body);
    } else if (a->kind != PLAN_EVENT) {
        job->failed = true;
        if (a->told != NULL && status != ERR_CANCELED)
            plan_tell(job->plan, a->told, (struct slice){0}, why->message, wall_us(job));
        if (status != ERR_CONFLICT && status != ERR_CANCELED)
            log_warn(job->runner->runtime->env->log, "action failed", "controller=%s key=%s reason=\"%s\"",
                     job->runner->controller->name, job->key, why->message);
    }
    advance(job);
}

static void action_done(struct kube_call *call, int status, struct slice body, const struct err *why)
{
    action_end(call->data, status, body, why);
}

static void look_at_owner(struct action_call *c);

static void owner_seen(struct kube_call *call, int status, struct slice body, const struct err *why)
{
    struct action_call *c = call->data;
    const struct plan_owner *owner = &c->action->owners[c->owner];
    struct object *o = NULL;
    if (status != 0 && status != ERR_NOT_FOUND) {
        action_end(c, status, body, why);
        return;
    }
    if (status == 0 && object_new(body, &o, NULL) == 0 && (owner->uid == NULL || strcmp(o->uid, owner->uid) == 0)) {
        object_unref(o);
        action_end(c, ERR_NOT_FOUND, body, NULL); /* the owner lives: nothing to delete */
        return;
    }
    object_unref(o);
    c->owner++;
    look_at_owner(c);
}

static void send_body(struct action_call *c, struct kube_client *client)
{
    struct buf text = {0};
    const struct plan_action *a = c->action;
    json_print(a->body, &text);
    struct slice body = buf_slice(&text);
    c->call = (struct kube_call){.done = action_done, .data = c};
    switch (a->kind) {
    case PLAN_CREATE:
    case PLAN_EVENT: kube_create(client, &c->call, a->path, body); break;
    case PLAN_FINALIZE:
    case PLAN_UPDATE: kube_update(client, &c->call, a->path, body); break;
    case PLAN_PATCH: kube_patch(client, &c->call, a->path, KUBE_PATCH_MERGE, body); break;
    case PLAN_DELETE:
    case PLAN_DELETE_COLLECTION:
    case PLAN_DELETE_ORPHAN: kube_delete(client, &c->call, a->path, body); break;
    }
    buf_release(&text);
}

/* A namespace is let go only when the server itself, no cache, shows nothing in it. */
static void collection_seen(struct kube_call *call, int status, struct slice body, const struct err *why)
{
    struct action_call *c = call->data;
    struct json_doc *d = json_doc_new();
    struct json *list = NULL;
    if (status == 0)
        status = json_parse(d, body, &list, NULL);
    bool empty = status == ERR_NOT_FOUND || (status == 0 && json_size(json_get(list, "items")) == 0);
    json_doc_free(d);
    if (empty) {
        c->owner++;
        look_at_owner(c);
    } else if (status == 0) {
        c->job->plan->again_ms = CONTROLLER_LOOK_AGAIN_MS;
        action_end(c, ERR_NOT_FOUND, (struct slice){0}, NULL);
    } else {
        action_end(c, status, body, why);
    }
}

static void look_at_collection(struct action_call *c)
{
    struct kube_client *client = c->job->runner->runtime->client;
    const char *path = c->action->empty[c->owner];
    if (path == NULL) {
        send_body(c, client);
        return;
    }
    char *limited = mem_printf("%s?limit=1", path);
    c->call = (struct kube_call){.done = collection_seen, .data = c};
    kube_get(client, &c->call, limited);
    mem_free(limited);
}

static void look_at_owner(struct action_call *c)
{
    struct kube_client *client = c->job->runner->runtime->client;
    if (c->action->empty != NULL) {
        look_at_collection(c);
        return;
    }
    if (c->owner == c->action->owner_count) {
        send_body(c, client);
        return;
    }
    c->call = (struct kube_call){.done = owner_seen, .data = c};
    kube_get(client, &c->call, c->action->owners[c->owner].path);
}

/* Starts what may be started; ends the plan when all of it is done, or its rest when something failed. */
static void advance(struct job *job)
{
    struct controller_runtime *r = job->runner->runtime;
    while (!r->closing && job->next < job->plan->count && job->in_flight < CONTROLLER_CALLS_MAX) {
        const struct plan_action *a = &job->plan->actions[job->next];
        if (a->waits && job->in_flight > 0)
            return;
        job->next++;
        if (job->failed && !a->always)
            continue;
        struct action_call *c = NEW(struct action_call);
        c->job = job;
        c->action = a;
        list_push_back(&job->calls, &c->link);
        job->in_flight++;
        look_at_owner(c);
    }
    if (job->in_flight == 0)
        finish_plan(job);
}

static void work(void *arg, struct slice key)
{
    struct runner *runner = arg;
    struct controller_runtime *r = runner->runtime;
    struct job *job = NEW(struct job);
    job->runner = runner;
    job->key = mem_slice_dup(key);
    job->plan = plan_new();
    list_init(&job->calls);
    timer_init(&job->settle, waited_too_long);
    list_push_back(&r->jobs, &job->link);
    r->view.wall_us = clock_wall_ms(&r->env->clock) * 1000;
    runner->controller->reconcile(&r->view, slice_str(job->key), job->plan);
    advance(job);
}

static void resync(struct timer *t)
{
    struct controller_runtime *r = container_of(t, struct controller_runtime, resync);
    struct map_entry *e;
    for (size_t i = 0; i < resource_count(); i++)
        for (size_t at = 0; r->informers[i] != NULL && (e = map_next(informer_objects(r->informers[i]), &at)) != NULL;)
            enqueue(r, resource_at(i)->name, e->value);
    loop_timer_start(&r->env->loop, &r->resync, CONTROLLER_RESYNC_MS);
}

static void start_informers(struct controller_runtime *r)
{
    struct arena arena = {0};
    for (size_t i = 0; i < resource_count(); i++) {
        r->caches[i] = (struct cache){r, i};
        struct informer_options o = {
            .path = resource_path(&arena, resource_at(i), (struct slice){0}, (struct slice){0}, NULL),
            .newest = true, /* what the leader before us did must be in it */
            .changed = changed,
            .synced = synced,
            .arg = &r->caches[i],
        };
        if (resource_at(i)->cached) {
            r->unsynced++;
            r->informers_open++;
            r->informers[i] = informer_new(r->client, &o);
        }
    }
    arena_clear(&arena);
}

static void runtime_free(struct deferred *d)
{
    struct controller_runtime *r = container_of(d, struct controller_runtime, closed_turn);
    void (*closed)(void *arg) = r->closed;
    void *arg = r->closed_arg;
    for (size_t i = 0; i < ARRAY_LEN(controllers_table); i++)
        workqueue_free(r->runners[i].queue);
    mem_free(r);
    closed(arg);
}

struct controller_runtime *controller_runtime_new(struct env *env, struct kube_client *client, struct slice root_ca)
{
    ASSERT(resource_count() <= CONTROLLER_RESOURCES_MAX);
    struct controller_runtime *r = NEW(struct controller_runtime);
    r->env = env;
    r->client = client;
    r->view = (struct view){.get = view_get, .owned = view_owned, .list = view_list, .root_ca = root_ca, .impl = r};
    list_init(&r->jobs);
    timer_init(&r->resync, resync);
    deferred_init(&r->closed_turn, runtime_free);
    for (size_t i = 0; i < ARRAY_LEN(controllers_table); i++) {
        r->runners[i] = (struct runner){.runtime = r, .controller = controllers_table[i]};
        r->runners[i].queue = workqueue_new(env, CONTROLLER_JOBS_MAX, work, &r->runners[i]);
        workqueue_pause(r->runners[i].queue, true);
    }
    start_informers(r);
    loop_timer_start(&env->loop, &r->resync, CONTROLLER_RESYNC_MS);
    return r;
}

static void informer_closed(void *arg)
{
    struct controller_runtime *r = arg;
    r->informers_open--;
    end_if_closed(r);
}

void controller_runtime_close(struct controller_runtime *r, void (*closed)(void *arg), void *arg)
{
    r->closing = true;
    r->closed = closed;
    r->closed_arg = arg;
    loop_timer_stop(&r->env->loop, &r->resync);
    for (size_t i = 0; i < ARRAY_LEN(controllers_table); i++)
        workqueue_pause(r->runners[i].queue, true);
    LIST_FOR_EACH(node, &r->jobs) {
        struct job *job = container_of(node, struct job, link);
        LIST_FOR_EACH(call, &job->calls)
            kube_cancel(r->client, &container_of(call, struct action_call, link)->call);
        if (job->settling)
            job_end(job);
    }
    for (size_t i = 0; i < resource_count(); i++)
        if (r->informers[i] != NULL)
            informer_close(r->informers[i], informer_closed, r);
    end_if_closed(r);
}
