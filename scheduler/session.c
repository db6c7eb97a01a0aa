#include "common/base.h"

#include "common/kube/event.h"
#include "common/kube/informer.h"
#include "common/kube/workqueue.h"
#include "common/mem.h"
#include "scheduler/framework.h"
#include "scheduler/session.h"

#define SCHEDULER_BINDINGS_MAX 64      /* under way at once */
#define SCHEDULER_FLUSH_MS 30000       /* pods that fit nowhere are looked at again at least so often */
#define SCHEDULER_WAKE_MS 200          /* and so soon after something that may help them */

struct scheduler_session {
    struct env *env;
    struct kube_client *client;
    const char *name;
    struct snapshot snapshot;
    struct informer *pods, *nodes;
    struct workqueue *queue;
    struct map unschedulable; /* pod key → the last reason told, owned */
    struct list attempts, reports;
    struct timer flush;
    size_t unsynced, informers_open;
    bool closing;
    struct deferred closed_turn;
    void (*closed)(void *arg);
    void *closed_arg;
};

/* One pod's binding under way. */
struct attempt {
    struct scheduler_session *session;
    char *key, *node;
    struct object *pod;
    struct kube_call call;
    struct list link;
};

/* A request whose answer only matters to the log: an event, a condition. */
struct report {
    struct scheduler_session *session;
    struct kube_call call;
    struct list link;
};

static void end_if_closed(struct scheduler_session *s)
{
    if (s->closing && s->informers_open == 0 && list_empty(&s->attempts) && list_empty(&s->reports))
        loop_defer(&s->env->loop, &s->closed_turn);
}

static void reported(struct kube_call *call, int status, struct slice body, const struct err *why)
{
    (void)body;
    struct report *r = container_of(call, struct report, call);
    struct scheduler_session *s = r->session;
    if (status != 0 && status != ERR_CANCELED && status != ERR_NOT_FOUND)
        log_warn(s->env->log, "report was not written", "reason=\"%s\"", why->message);
    list_remove(&r->link);
    mem_free(r);
    end_if_closed(s);
}

static struct report *report_new(struct scheduler_session *s)
{
    struct report *r = NEW(struct report);
    r->session = s;
    r->call.done = reported;
    list_push_back(&s->reports, &r->link);
    return r;
}

static void record(struct scheduler_session *s, const struct object *pod, const char *type, const char *reason, const char *message)
{
    struct json_doc *d = json_doc_new();
    struct event_facts facts = {
        .component = "default-scheduler", .type = type, .reason = reason, .message = message,
        .wall_us = clock_wall_ms(&s->env->clock) * 1000, .salt = random_below(&s->env->random, 1000),
    };
    struct json *event = event_new(d, object_tree(pod, d), &facts);
    struct buf text = {0};
    json_print(event, &text);
    char *path = mem_printf("/api/v1/namespaces/%.*s/events", SLICE_ARGS(pod->namespace));
    kube_create(s->client, &report_new(s)->call, path, buf_slice(&text));
    mem_free(path);
    buf_release(&text);
    json_doc_free(d);
}

static void write_condition(struct scheduler_session *s, const struct object *pod, const char *message)
{
    struct json_doc *d = json_doc_new();
    char now[TIME_TEXT_MAX];
    time_format(clock_wall_ms(&s->env->clock) * 1000, 0, now);
    struct json *patch = json_new_object(d), *list = json_new_array(d), *condition = json_new_object(d);
    json_set(d, json_ensure_object(d, patch, "status"), "conditions", list);
    json_append(list, condition);
    json_set_str(d, condition, "type", "PodScheduled");
    json_set_str(d, condition, "status", "False");
    json_set_str(d, condition, "reason", "Unschedulable");
    json_set_str(d, condition, "message", message);
    json_set_str(d, condition, "lastTransitionTime", now);
    struct buf text = {0};
    json_print(patch, &text);
    char *path = mem_printf("/api/v1/namespaces/%.*s/pods/%.*s/status", SLICE_ARGS(pod->namespace), SLICE_ARGS(pod->name));
    kube_patch(s->client, &report_new(s)->call, path, KUBE_PATCH_STRATEGIC, buf_slice(&text));
    mem_free(path);
    buf_release(&text);
    json_doc_free(d);
}

static void forget_unschedulable(struct scheduler_session *s, struct slice key) { mem_free(map_remove(&s->unschedulable, key)); }

/* Tells once per reason; the pod waits for something that may help. */
static void give_up_for_now(struct scheduler_session *s, const struct object *pod, const struct decision *d)
{
    struct buf text = {0};
    decision_text(d, &text);
    char *before = map_get(&s->unschedulable, slice_str(pod->key));
    if (before == NULL || strcmp(before, text.data) != 0) {
        mem_free(map_put(&s->unschedulable, slice_str(pod->key), mem_strdup(text.data)));
        record(s, pod, "Warning", "FailedScheduling", text.data);
        write_condition(s, pod, text.data);
    }
    buf_release(&text);
}

static void attempt_end(struct attempt *a, bool success)
{
    struct scheduler_session *s = a->session;
    workqueue_done(s->queue, slice_str(a->key), success);
    list_remove(&a->link);
    object_unref(a->pod);
    mem_free(a->key);
    mem_free(a->node);
    mem_free(a);
    end_if_closed(s);
}

static void bound(struct kube_call *call, int status, struct slice body, const struct err *why)
{
    (void)body;
    struct attempt *a = container_of(call, struct attempt, call);
    struct scheduler_session *s = a->session;
    if (status == 0) {
        char *message = mem_printf("Successfully assigned %s to %s", a->key, a->node);
        if (!s->closing)
            record(s, a->pod, "Normal", "Scheduled", message);
        mem_free(message);
    } else {
        snapshot_forget(&s->snapshot, slice_str(a->key));
        if (status != ERR_CANCELED && status != ERR_NOT_FOUND && status != ERR_CONFLICT)
            log_warn(s->env->log, "binding failed", "pod=%s node=%s reason=\"%s\"", a->key, a->node, why->message);
    }
    /* Gone or bound by somebody else: the cache will show it, there is nothing to try again. */
    attempt_end(a, status == 0 || status == ERR_NOT_FOUND || status == ERR_CONFLICT);
}

static void bind(struct attempt *a)
{
    struct json_doc *d = json_doc_new();
    struct json *binding = json_new_object(d);
    json_set_str(d, binding, "apiVersion", "v1");
    json_set_str(d, binding, "kind", "Binding");
    struct json *metadata = json_ensure_object(d, binding, "metadata");
    json_set_string(d, metadata, "name", a->pod->name);
    json_set_string(d, metadata, "namespace", a->pod->namespace);
    json_set_str(d, metadata, "uid", a->pod->uid);
    struct json *target = json_ensure_object(d, binding, "target");
    json_set_str(d, target, "kind", "Node");
    json_set_str(d, target, "name", a->node);
    struct buf text = {0};
    json_print(binding, &text);
    char *path = mem_printf("/api/v1/namespaces/%.*s/pods/%.*s/binding", SLICE_ARGS(a->pod->namespace), SLICE_ARGS(a->pod->name));
    a->call.done = bound;
    kube_create(a->session->client, &a->call, path, buf_slice(&text));
    mem_free(path);
    buf_release(&text);
    json_doc_free(d);
}

/* Is it ours to schedule? */
static bool pending(const struct scheduler_session *s, const struct object *pod, const struct json *tree)
{
    struct slice name = json_string_at(tree, "spec.schedulerName"), phase = json_string_at(tree, "status.phase");
    return !pod->deleting && json_string_at(tree, "spec.nodeName").size == 0 && slice_is(name, s->name) &&
           !slice_is(phase, "Succeeded") && !slice_is(phase, "Failed");
}

static void work(void *arg, struct slice key)
{
    struct scheduler_session *s = arg;
    struct object *pod = informer_get(s->pods, key);
    struct json_doc *d = json_doc_new();
    struct json *tree = pod == NULL ? NULL : object_tree(pod, d);
    const struct placed_pod *placed = map_get(&s->snapshot.placed, key);
    struct decision decision = {0};
    if (pod != NULL && placed == NULL && pending(s, pod, tree)) {
        struct pod_info info;
        pod_info_read(&info, pod, tree);
        schedule_cycle(&s->snapshot, &info, random_u64(&s->env->random), &decision);
        if (decision.node != NULL)
            snapshot_assume(&s->snapshot, &info, decision.node);
        else
            give_up_for_now(s, pod, &decision);
    }
    if (decision.node == NULL) {
        workqueue_done(s->queue, key, true);
    } else {
        forget_unschedulable(s, key);
        struct attempt *a = NEW(struct attempt);
        a->session = s;
        a->key = mem_slice_dup(key);
        a->node = mem_strdup(decision.node);
        a->pod = object_ref(pod);
        list_push_back(&s->attempts, &a->link);
        bind(a);
    }
    json_doc_free(d);
}

/* Something changed that may make room. */
static void wake_unschedulable(struct scheduler_session *s, uint64_t delay_ms)
{
    struct map_entry *e;
    for (size_t at = 0; (e = map_next(&s->unschedulable, &at)) != NULL;)
        workqueue_add_after(s->queue, map_key(e), delay_ms);
}

static void flush(struct timer *t)
{
    struct scheduler_session *s = container_of(t, struct scheduler_session, flush);
    wake_unschedulable(s, 0);
    loop_timer_start(&s->env->loop, &s->flush, SCHEDULER_FLUSH_MS);
}

static void pod_changed(void *arg, struct object *old, struct object *new)
{
    struct scheduler_session *s = arg;
    struct object *pod = new != NULL ? new : old;
    size_t taken = s->snapshot.placed.size;
    if (new == NULL) {
        snapshot_remove_pod(&s->snapshot, slice_str(pod->key));
        forget_unschedulable(s, slice_str(pod->key));
    } else {
        snapshot_set_pod(&s->snapshot, new);
    }
    if (s->snapshot.placed.size < taken)
        wake_unschedulable(s, SCHEDULER_WAKE_MS);
    if (new != NULL && map_get(&s->snapshot.placed, slice_str(new->key)) == NULL)
        workqueue_add(s->queue, slice_str(new->key));
}

static void node_changed(void *arg, struct object *old, struct object *new)
{
    struct scheduler_session *s = arg;
    if (new == NULL)
        snapshot_remove_node(&s->snapshot, old->name);
    else
        snapshot_set_node(&s->snapshot, new);
    wake_unschedulable(s, SCHEDULER_WAKE_MS);
}

static void synced(void *arg)
{
    struct scheduler_session *s = arg;
    if (--s->unsynced == 0)
        workqueue_pause(s->queue, false);
}

static void session_free(struct deferred *d)
{
    struct scheduler_session *s = container_of(d, struct scheduler_session, closed_turn);
    void (*closed)(void *arg) = s->closed;
    void *arg = s->closed_arg;
    struct map_entry *e;
    for (size_t at = 0; (e = map_next(&s->unschedulable, &at)) != NULL;)
        mem_free(e->value);
    map_release(&s->unschedulable);
    workqueue_free(s->queue);
    snapshot_release(&s->snapshot);
    mem_free(s);
    closed(arg);
}

struct scheduler_session *scheduler_session_new(struct env *env, struct kube_client *client, const char *scheduler_name)
{
    struct scheduler_session *s = NEW(struct scheduler_session);
    s->env = env;
    s->client = client;
    s->name = scheduler_name;
    list_init(&s->attempts);
    list_init(&s->reports);
    timer_init(&s->flush, flush);
    deferred_init(&s->closed_turn, session_free);
    s->queue = workqueue_new(env, SCHEDULER_BINDINGS_MAX, work, s);
    workqueue_pause(s->queue, true);
    s->unsynced = s->informers_open = 2;
    s->pods = informer_new(client, &(struct informer_options){
        .path = "/api/v1/pods", .newest = true, .changed = pod_changed, .synced = synced, .arg = s});
    s->nodes = informer_new(client, &(struct informer_options){
        .path = "/api/v1/nodes", .newest = true, .changed = node_changed, .synced = synced, .arg = s});
    loop_timer_start(&env->loop, &s->flush, SCHEDULER_FLUSH_MS);
    return s;
}

static void informer_closed(void *arg)
{
    struct scheduler_session *s = arg;
    s->informers_open--;
    end_if_closed(s);
}

void scheduler_session_close(struct scheduler_session *s, void (*closed)(void *arg), void *arg)
{
    s->closing = true;
    s->closed = closed;
    s->closed_arg = arg;
    loop_timer_stop(&s->env->loop, &s->flush);
    workqueue_pause(s->queue, true);
    LIST_FOR_EACH(node, &s->attempts)
        kube_cancel(s->client, &container_of(node, struct attempt, link)->call);
    LIST_FOR_EACH(node, &s->reports)
        kube_cancel(s->client, &container_of(node, struct report, link)->call);
    informer_close(s->pods, informer_closed, s);
    informer_close(s->nodes, informer_closed, s);
}
