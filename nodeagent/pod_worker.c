/* The driver of pod_sync.
 *
 *              action
 *   IDLE ──────────────▶ ACTING        one runtime or API call in flight
 *    │ ▲───────────────────┘ done
 *    │ POD_FORGET, close
 *    ▼
 *   OVER
 *
 * The status is written beside that, one call in flight, whenever what it would say has changed. */
#include "common/base.h"
#include "nodeagent/pod_worker.h"

#include <signal.h>
#include <stdio.h>

#include "common/mem.h"
#include "nodeagent/handler.h"
#include "nodeagent/pod_status.h"
#include "nodeagent/probes.h"

#define API_RETRY_MS 1000
#define POST_START_MAX_MS 600000 /* a postStart hook that takes longer has failed */
#define CONFIG_RETRY_MS 5000  /* a container that cannot be configured: whoever makes the missing object is waited for */
#define VOLUMES_RETRY_MS 3000
#define VOLUMES_REFRESH_MS 45000 /* how old files of ConfigMaps, Secrets and tokens get */
#define FOUND_MAX (POD_CONTAINERS_MAX * 2)
#define PULL_BACKOFF_SHOWN_MS 1000 /* ErrImagePull is seen before it turns into ImagePullBackOff */

enum worker_state { WORKER_IDLE, WORKER_ACTING, WORKER_OVER, WORKER_STATE_COUNT };

static const bool moves[WORKER_STATE_COUNT][WORKER_STATE_COUNT] = {
    [WORKER_IDLE] = {[WORKER_ACTING] = true, [WORKER_OVER] = true},
    [WORKER_ACTING] = {[WORKER_IDLE] = true},
};

struct found {
    char *container;
    struct pod_observed_container as;
};

/* The lifecycle hook of one container: preStop takes the place of a postStart that still runs. */
struct hook {
    struct pod_worker *worker;
    size_t index;
    bool stopping, pending; /* preStop, not postStart; pending: begins when the one before is through */
    struct handler handler;
};

struct pod_worker {
    const struct pod_worker_options *o;
    char *uid;
    enum worker_state state;
    struct pod *pod, *next; /* `next` replaces `pod` between two actions */
    bool gone, closing, told_unsupported;
    struct pod_observed observed;
    struct found *found; /* grows to FOUND_MAX */
    size_t found_count;
    bool found_sandbox, found_ready;
    enum pod_qos found_qos;
    char *found_namespace, *found_name;
    struct pod_action action;
    struct runtime_call call;
    struct kube_call confirm, write;
    bool writing;
    char *written; /* the status last accepted */
    struct buf sending;
    int64_t accepted_ms;
    struct pod_data *fetched; /* NULL before the first fetch */
    struct pod_fetch fetch;
    bool fetching;
    struct timer refresh_timer;
    struct probes *probes;
    struct hook *hooks; /* one for each container */
    struct timer timer, write_timer;
    struct deferred deferred;
    void (*closed)(void *arg);
    void *closed_arg;
};

static void step(struct pod_worker *w);
static void status_write(struct pod_worker *w);

static uint64_t now_ms(struct pod_worker *w) { return clock_monotonic_ms(&w->o->env->clock); }

static void move(struct pod_worker *w, enum worker_state to)
{
    ASSERT(moves[w->state][to]);
    w->state = to;
}

static void wake(struct pod_worker *w) { loop_defer(&w->o->env->loop, &w->deferred); }

/* --- events --- */

static struct events_subject subject_of(struct pod_worker *w, const char *container, char *path, size_t path_size)
{
    struct events_subject s = {"Pod", w->pod->namespace, w->pod->name, w->pod->uid, NULL};
    if (container != NULL) {
        bool init = false;
        for (size_t i = 0; i < w->pod->init_count; i++)
            init |= strcmp(w->pod->containers[i].name, container) == 0;
        (void)snprintf(path, path_size, "spec.%s{%s}", init ? "initContainers" : "containers", container);
        s.field_path = path;
    }
    return s;
}

#define tell(w, container, warning, reason, ...)                                                   \
    do {                                                                                           \
        char path_[320];                                                                           \
        struct events_subject subject_ = subject_of(w, container, path_, sizeof path_);            \
        if (!(w)->closing)                                                                         \
            events_post((w)->o->events, &subject_, warning, reason, __VA_ARGS__);                  \
    } while (0)

/* --- status --- */

static void on_write_timer(struct timer *t) { status_write(container_of(t, struct pod_worker, write_timer)); }

static bool handlers_idle(const struct pod_worker *w)
{
    for (size_t i = 0; w->hooks != NULL && i < w->pod->container_count; i++)
        if (w->hooks[i].handler.open)
            return false;
    return probes_idle(w->probes);
}

static void handlers_stop(struct pod_worker *w)
{
    probes_stop(w->probes);
    for (size_t i = 0; w->hooks != NULL && i < w->pod->container_count; i++) {
        w->hooks[i].pending = false;
        handler_cancel(&w->hooks[i].handler);
    }
}

static void check_closed(struct pod_worker *w)
{
    if (!w->closing || w->writing || w->state == WORKER_ACTING || w->closed == NULL || !handlers_idle(w))
        return;
    void (*closed)(void *arg) = w->closed;
    w->closed = NULL;
    closed(w->closed_arg);
}

static void on_written(struct kube_call *call, int status, struct slice body, const struct err *why)
{
    (void)body;
    struct pod_worker *w = call->data;
    w->writing = false;
    if (status == 0) {
        mem_free(w->written);
        w->written = mem_slice_dup(buf_slice(&w->sending));
        status_write(w);
    } else if (status != ERR_NOT_FOUND && status != ERR_CANCELED && status != ERR_CONFLICT) {
        log_warn(w->o->env->log, "status of a pod was not taken; again soon", "pod=%s/%s why=%s", w->pod->namespace,
                 w->pod->name, why->message);
        loop_timer_start(&w->o->env->loop, &w->write_timer, API_RETRY_MS);
    }
    if (w->state == WORKER_OVER && !w->closing)
        wake(w);
    check_closed(w);
}

/* Transition times must not move because a status is built again: what was written last is the base. */
static const struct json *previous_status(struct pod_worker *w, struct json_doc *d)
{
    struct json *body;
    if (w->written != NULL && json_parse(d, slice_str(w->written), &body, NULL) == 0)
        return json_get(body, "status");
    return json_at(w->pod->tree, "status");
}

static void status_build(struct pod_worker *w, struct buf *out)
{
    struct json_doc *d = json_doc_new();
    struct pod_status_options o = {
        .pod = w->pod,
        .observed = &w->observed,
        .host_ip = w->o->host_ip,
        .now_ms = clock_wall_ms(&w->o->env->clock),
        .accepted_ms = w->accepted_ms,
        .previous = previous_status(w, d),
    };
    struct json *body = json_new_object(d);
    json_set_str(d, json_ensure_object(d, body, "metadata"), "uid", w->uid);
    json_set(d, body, "status", pod_status_build(&o, d));
    json_print(body, out);
    json_doc_free(d);
}

static void status_write(struct pod_worker *w)
{
    if (w->writing || w->closing || w->gone || w->pod == NULL || w->observed.terminal || timer_armed(&w->write_timer))
        return;
    buf_reset(&w->sending);
    status_build(w, &w->sending);
    if (w->written != NULL && slice_is(buf_slice(&w->sending), w->written))
        return;
    char *path = mem_printf("/api/v1/namespaces/%s/pods/%s/status", w->pod->namespace, w->pod->name);
    w->writing = true;
    w->write = (struct kube_call){.done = on_written, .data = w};
    kube_patch(w->o->client, &w->write, path, KUBE_PATCH_MERGE, buf_slice(&w->sending));
    mem_free(path);
}

/* --- probes --- */

/* It is told once and ended by pod_sync. */
static void must_end(struct pod_worker *w, size_t index, const char *reason, int64_t grace_ms)
{
    struct pod_observed_container *c = &w->observed.containers[index];
    (void)snprintf(c->kill_reason, sizeof c->kill_reason, "%s", reason);
    c->kill_grace_ms = grace_ms;
}

static void on_probed(void *arg, size_t index, enum pod_probe_kind kind, enum probe_result result, const char *message)
{
    struct pod_worker *w = arg;
    struct pod_observed_container *c = &w->observed.containers[index];
    const struct pod_container *spec = &w->pod->containers[index];
    if (c->state != POD_CONTAINER_RUNNING) /* it ended meanwhile */
        return;
    if (message != NULL)
        tell(w, spec->name, true, "Unhealthy", "%s probe failed: %s", pod_probe_text(kind), message);
    if (result == PROBE_UNDECIDED)
        return;
    if (kind == POD_PROBE_READINESS)
        c->ready = result == PROBE_SUCCESS;
    else if (result == PROBE_FAILURE)
        must_end(w, index, kind == POD_PROBE_LIVENESS ? "liveness probe" : "startup probe", spec->probes[kind].grace_ms);
    else
        c->started = true;
    wake(w);
}

static void on_probes_idle(void *arg)
{
    struct pod_worker *w = arg;
    if (w->state == WORKER_OVER && !w->closing)
        wake(w);
    check_closed(w);
}

/* --- hooks --- */

static void hook_run(struct hook *h)
{
    struct pod_worker *w = h->worker;
    const struct pod_container *spec = &w->pod->containers[h->index];
    struct handler_options o = {
        .env = w->o->env,
        .runtime = w->o->runtime,
        .pod = w->pod,
        .index = h->index,
        .attempt = w->observed.containers[h->index].attempts - 1,
        .address = w->observed.address,
        .what = h->stopping ? &spec->pre_stop : &spec->post_start,
        .timeout_ms = h->stopping ? (unsigned)MIN(MAX(w->pod->grace_ms, 1000), POST_START_MAX_MS) : POST_START_MAX_MS,
    };
    h->pending = false;
    handler_start(&h->handler, &o);
}

static void on_hook(struct handler *handler, bool ok, const char *message)
{
    struct hook *h = handler->data;
    struct pod_worker *w = h->worker;
    const struct pod_container *spec = &w->pod->containers[h->index];
    struct pod_observed_container *c = &w->observed.containers[h->index];
    if (h->pending) {
        hook_run(h);
        return;
    }
    if (!ok && !handler->canceled)
        tell(w, spec->name, true, h->stopping ? "FailedPreStopHook" : "FailedPostStartHook", "%s failed: %s",
             h->stopping ? "PreStopHook" : "PostStartHook", message);
    if (h->stopping)
        c->pre_stop = POD_HOOK_OVER;
    else if (!ok && !handler->canceled && c->state == POD_CONTAINER_RUNNING)
        must_end(w, h->index, "PostStartHook", -1);
    c->post_starting = false;
    wake(w);
    check_closed(w);
}

static void hook_begin(struct pod_worker *w, size_t index, bool stopping)
{
    if (w->hooks == NULL)
        w->hooks = mem_zalloc(w->pod->container_count * sizeof *w->hooks);
    struct hook *h = &w->hooks[index];
    h->worker = w;
    h->index = index;
    h->stopping = stopping;
    h->handler.done = on_hook;
    h->handler.data = h;
    h->pending = h->handler.open;
    if (h->pending)
        handler_cancel(&h->handler);
    else
        hook_run(h);
}

/* --- results of actions --- */

static void wait_reason(struct pod_observed_container *c, const char *reason, const char *message)
{
    (void)snprintf(c->reason, sizeof c->reason, "%s", reason);
    (void)snprintf(c->message, sizeof c->message, "%s", message);
}

static void sandbox_started(struct pod_worker *w, int status, const struct err *why)
{
    if (status < 0) {
        pod_backoff_failed(&w->observed.sandbox_backoff, now_ms(w), false);
        w->observed.sandbox = POD_SANDBOX_ENDED; /* what stands of it is cleared away first */
        tell(w, NULL, true, "FailedCreatePodSandBox", "Failed to create pod sandbox: %s", why->message);
        return;
    }
    w->observed.sandbox = POD_SANDBOX_READY;
    w->observed.sandbox_backoff = (struct pod_backoff){0};
    if (w->call.notice != NULL)
        tell(w, NULL, true, "DNSConfigForming", "%s", w->call.notice);
    (void)snprintf(w->observed.address, sizeof w->observed.address, "%s", w->call.address);
    pod_observe_sandbox(w->pod, &w->observed);
}

static void sandbox_stopped(struct pod_worker *w, int status, const struct err *why)
{
    if (status < 0) {
        log_warn(w->o->env->log, "pod sandbox does not end; again later", "uid=%s why=%s", w->uid, why->message);
        pod_backoff_failed(&w->observed.sandbox_backoff, now_ms(w), false);
        return;
    }
    w->observed.sandbox = POD_SANDBOX_NONE;
    w->observed.volumes_written = false;
}

static void image_got(struct pod_worker *w, int status, const struct err *why)
{
    const struct pod_container *spec = &w->pod->containers[w->action.index];
    struct pod_observed_container *c = &w->observed.containers[w->action.index];
    if (status == 0) {
        c->image_ready = true;
        c->image_backoff = (struct pod_backoff){0};
        c->reason[0] = c->message[0] = '\0';
        tell(w, spec->name, false, "Pulled",
             w->call.pulled ? "Successfully pulled image \"%s\"" : "Container image \"%s\" already present on machine", spec->image);
        return;
    }
    const char *reason = status == ERR_INVALID                               ? "InvalidImageName"
                         : status == ERR_NOT_FOUND && spec->pull == POD_PULL_NEVER ? "ErrImageNeverPull"
                                                                             : "ErrImagePull";
    pod_backoff_failed(&c->image_backoff, now_ms(w), false);
    wait_reason(c, reason, why->message);
    bool pulling = strncmp(why->message, "failed to pull", 14) == 0; /* a sentence of its own */
    tell(w, spec->name, true, "Failed", "%s%s", pulling ? "F" : "Error: ", why->message + (pulling ? 1 : 0));
}

static void container_started(struct pod_worker *w, int status, const struct err *why)
{
    const struct pod_container *spec = &w->pod->containers[w->action.index];
    struct pod_observed_container *c = &w->observed.containers[w->action.index];
    if (status == 0) {
        if (c->attempts > 0) {
            c->has_last = true;
            memcpy(c->last.container_id, c->container_id, sizeof c->last.container_id);
            c->last.started_ms = c->started_ms;
            c->last.exit = c->exit;
        }
        pod_observe_start(spec, c, &w->call, now_ms(w));
        c->post_starting = spec->post_start.kind != POD_HANDLER_NONE;
        tell(w, spec->name, false, "Created", "Created container: %s", spec->name);
        tell(w, spec->name, false, "Started", "Started container %s", spec->name);
        if (w->call.skipped_variables > 0)
            tell(w, spec->name, true, "InvalidEnvironmentVariableNames",
                 "%zu keys from envFrom were skipped since they are considered invalid environment variable names",
                 w->call.skipped_variables);
        if (c->post_starting)
            hook_begin(w, w->action.index, false);
        return;
    }
    bool config = status == ERR_INVALID;
    c->fetched = false;
    if (config)
        c->start_backoff.retry_at_ms = now_ms(w) + CONFIG_RETRY_MS;
    else
        pod_backoff_failed(&c->start_backoff, now_ms(w), false);
    wait_reason(c, config ? "CreateContainerConfigError" : "RunContainerError", why->message);
    tell(w, spec->name, true, "Failed", "Error: %s", why->message);
}

static void signalled(struct pod_worker *w, int status, const struct err *why)
{
    struct pod_observed_container *c = &w->observed.containers[w->action.index];
    if (status < 0)
        log_warn(w->o->env->log, "signal was not delivered", "uid=%s why=%s", w->uid, why->message);
    c->kill_sent = w->action.signal == SIGKILL;
    if (!c->term_sent) {
        c->term_sent = true;
        c->term_at_ms = now_ms(w);
        if (c->stop_at_ms == 0)
            c->stop_at_ms = c->term_at_ms;
    }
}

/* Pods wait for their files; where they only are out of date, what stands is kept and tried again. */
static void volumes_written(struct pod_worker *w, int status, const struct err *why)
{
    w->observed.refresh_due = false;
    w->observed.volumes_written = status == 0 || w->observed.volumes_written;
    if (status < 0) {
        w->observed.volumes_retry_at_ms = now_ms(w) + VOLUMES_RETRY_MS;
        tell(w, NULL, true, "FailedMount", "%s", why->message);
    }
    loop_timer_start(&w->o->env->loop, &w->refresh_timer, VOLUMES_REFRESH_MS);
}

static void on_refresh(struct timer *t)
{
    struct pod_worker *w = container_of(t, struct pod_worker, refresh_timer);
    w->observed.refresh_due = w->pod->has_files;
    wake(w);
}

static void on_called(struct runtime_call *call, int status, const struct err *why)
{
    struct pod_worker *w = call->data;
    move(w, WORKER_IDLE);
    switch (w->action.kind) {
    case POD_WRITE_VOLUMES: volumes_written(w, status, why); break;
    case POD_START_SANDBOX: sandbox_started(w, status, why); break;
    case POD_STOP_SANDBOX: sandbox_stopped(w, status, why); break;
    case POD_GET_IMAGE: image_got(w, status, why); break;
    case POD_START_CONTAINER: container_started(w, status, why); break;
    case POD_SIGNAL_CONTAINER: signalled(w, status, why); break;
    default:
        if (status < 0)
            log_warn(w->o->env->log, "what a pod left could not be removed", "uid=%s why=%s", w->uid, why->message);
        w->observed.removed = true;
    }
    step(w);
    check_closed(w);
}

static void on_confirmed(struct kube_call *call, int status, struct slice body, const struct err *why)
{
    (void)body;
    struct pod_worker *w = call->data;
    move(w, WORKER_IDLE);
    if (status == 0 || status == ERR_NOT_FOUND || status == ERR_CONFLICT) {
        w->gone = true;
        wake(w);
    } else if (status != ERR_CANCELED) {
        log_warn(w->o->env->log, "deletion of a pod was not taken; again soon", "uid=%s why=%s", w->uid, why->message);
        loop_timer_start(&w->o->env->loop, &w->timer, API_RETRY_MS);
    }
    check_closed(w);
}

/* --- actions --- */

static void confirm(struct pod_worker *w)
{
    char *path = mem_printf("/api/v1/namespaces/%s/pods/%s", w->pod->namespace, w->pod->name);
    char *options = mem_printf("{\"kind\":\"DeleteOptions\",\"apiVersion\":\"v1\",\"gracePeriodSeconds\":0,"
                               "\"preconditions\":{\"uid\":\"%s\"}}", w->uid);
    w->confirm = (struct kube_call){.done = on_confirmed, .data = w};
    kube_delete(w->o->client, &w->confirm, path, slice_str(options));
    mem_free(path);
    mem_free(options);
}

static void tell_killing(struct pod_worker *w, size_t index)
{
    const struct pod_observed_container *c = &w->observed.containers[index];
    const char *name = w->pod->containers[index].name;
    if (c->kill_reason[0] == '\0')
        tell(w, name, false, "Killing", "Stopping container %s", name);
    else if (strcmp(c->kill_reason, "PostStartHook") == 0)
        tell(w, name, false, "Killing", "FailedPostStartHook");
    else
        tell(w, name, false, "Killing", "Container %s failed %s, will be restarted", name, c->kill_reason);
}

static void pre_stop(struct pod_worker *w, size_t index)
{
    struct pod_observed_container *c = &w->observed.containers[index];
    tell_killing(w, index);
    c->pre_stop = POD_HOOK_RUNNING;
    c->stop_at_ms = now_ms(w);
    hook_begin(w, index, true);
    wake(w);
}

static void act(struct pod_worker *w)
{
    static const enum runtime_verb verbs[] = {
        [POD_WRITE_VOLUMES] = RUNTIME_VOLUMES_WRITE,
        [POD_START_SANDBOX] = RUNTIME_SANDBOX_START,     [POD_STOP_SANDBOX] = RUNTIME_SANDBOX_STOP,
        [POD_GET_IMAGE] = RUNTIME_IMAGE,                 [POD_START_CONTAINER] = RUNTIME_CONTAINER_START,
        [POD_SIGNAL_CONTAINER] = RUNTIME_CONTAINER_SIGNAL, [POD_REMOVE] = RUNTIME_POD_REMOVE,
    };
    bool of_container = w->action.kind >= POD_GET_IMAGE && w->action.kind <= POD_SIGNAL_CONTAINER;
    const struct pod_container *spec = of_container ? &w->pod->containers[w->action.index] : NULL;
    struct pod_observed_container *c = of_container ? &w->observed.containers[w->action.index] : NULL;
    w->call = (struct runtime_call){.verb = verbs[w->action.kind], .pod = w->pod, .index = w->action.index,
                                    .signal = w->action.signal, .fetched = w->fetched, .done = on_called, .data = w};
    (void)snprintf(w->call.address, sizeof w->call.address, "%s", w->observed.address);
    if (c != NULL)
        w->call.attempt = w->action.kind == POD_START_CONTAINER ? c->attempts : c->attempts - MIN(c->attempts, 1U);
    if (w->action.kind == POD_SIGNAL_CONTAINER && !c->term_sent && c->pre_stop == POD_HOOK_NONE)
        tell_killing(w, w->action.index);
    if (w->action.kind == POD_GET_IMAGE && spec->pull == POD_PULL_ALWAYS)
        tell(w, spec->name, false, "Pulling", "Pulling image \"%s\"", spec->image);
    runtime_call(w->o->runtime, &w->call);
}

/* What the action needs of the API first: for volumes the files follow, for a container its start in the next step. */
static void on_fetched(struct pod_fetch *f)
{
    struct pod_worker *w = f->data;
    w->fetching = false;
    pod_data_free(w->fetched);
    w->fetched = f->result;
    if (w->action.kind == POD_WRITE_VOLUMES && !w->closing) {
        act(w);
        return;
    }
    move(w, WORKER_IDLE);
    if (w->action.kind == POD_FETCH)
        w->observed.containers[w->action.index].fetched = true;
    step(w);
    check_closed(w);
}

static void fetch(struct pod_worker *w)
{
    struct pod_data *wanted;
    struct err err;
    if (pod_data_new(w->pod, &wanted, &err) < 0) {
        move(w, WORKER_IDLE);
        if (w->action.kind == POD_WRITE_VOLUMES)
            volumes_written(w, err.code, &err);
        else
            container_started(w, ERR_INVALID, &err);
        wake(w);
        return;
    }
    w->fetching = true;
    w->fetch.done = on_fetched;
    w->fetch.data = w;
    pod_fetch_start(&w->fetch, w->o->env, w->o->client, w->pod, wanted, w->fetched);
}

/* What the waiting containers say while their back-off runs. */
static uint64_t show_backoff(struct pod_worker *w)
{
    uint64_t soonest = POD_NEVER, now = now_ms(w);
    for (size_t i = 0; i < w->pod->container_count && !w->pod->deleting; i++) {
        struct pod_observed_container *c = &w->observed.containers[i];
        const struct pod_container *spec = &w->pod->containers[i];
        char text[ERR_MESSAGE_MAX];
        if (strcmp(c->reason, "ErrImagePull") == 0 && c->image_backoff.retry_at_ms > now) {
            uint64_t shown = c->image_backoff.failed_at_ms + PULL_BACKOFF_SHOWN_MS;
            if (now < shown) {
                soonest = MIN(soonest, shown - now);
                continue;
            }
            (void)snprintf(text, sizeof text, "Back-off pulling image \"%.200s\"", spec->image);
            wait_reason(c, "ImagePullBackOff", text);
            tell(w, spec->name, false, "BackOff", "%s", text);
        }
        if (c->state == POD_CONTAINER_ENDED && c->reason[0] == '\0' && pod_may_restart(w->pod, i, c) &&
            c->start_backoff.retry_at_ms > now) {
            (void)snprintf(text, sizeof text, "back-off %llus restarting failed container=%.63s pod=%.63s_%.63s(%s)",
                           (unsigned long long)((c->start_backoff.retry_at_ms - now + 999) / 1000), spec->name, w->pod->name,
                           w->pod->namespace, w->uid);
            wait_reason(c, "CrashLoopBackOff", text);
            tell(w, spec->name, true, "BackOff", "Back-off restarting failed container %s in pod %s_%s(%s)", spec->name,
                 w->pod->name, w->pod->namespace, w->uid);
        }
    }
    return soonest;
}

/* activeDeadlineSeconds run from the pod's startTime, by the wall. How long is left, POD_NEVER when it does not matter. */
static uint64_t deadline_check(struct pod_worker *w)
{
    int64_t begun_ms = w->accepted_ms, now = clock_wall_ms(&w->o->env->clock), begun_us;
    if (w->pod->deadline_ms < 0 || w->gone || w->pod->deleting || w->observed.expired || pod_is_over(w->pod, &w->observed))
        return POD_NEVER;
    if (time_parse(json_string_at(w->pod->tree, "status.startTime"), &begun_us) == 0)
        begun_ms = begun_us / 1000;
    if (now < begun_ms + w->pod->deadline_ms)
        return (uint64_t)(begun_ms + w->pod->deadline_ms - now);
    w->observed.expired = true;
    tell(w, NULL, false, "DeadlineExceeded", "Pod was active on the node longer than the specified deadline");
    return POD_NEVER;
}

/* What downward files show of a pod may change only there. */
static bool meta_differs(const struct pod *a, const struct pod *b)
{
    return !json_equal(json_at(a->tree, "metadata.labels"), json_at(b->tree, "metadata.labels")) ||
           !json_equal(json_at(a->tree, "metadata.annotations"), json_at(b->tree, "metadata.annotations"));
}

static void step(struct pod_worker *w)
{
    if (w->closing || w->state != WORKER_IDLE || w->pod == NULL)
        return;
    if (w->next != NULL) {
        w->observed.refresh_due |= w->next->has_files && meta_differs(w->pod, w->next);
        pod_free(w->pod);
        w->pod = w->next;
        w->next = NULL;
    }
    loop_timer_stop(&w->o->env->loop, &w->timer);
    uint64_t expires_ms = deadline_check(w);
    pod_observe_initialized(w->pod, &w->observed);
    probes_sync(w->probes, w->pod, &w->observed);
    w->action = pod_sync(w->pod, w->gone, &w->observed, now_ms(w));
    uint64_t shown_ms = MIN(expires_ms, w->gone ? POD_NEVER : show_backoff(w));
    status_write(w);
    switch (w->action.kind) {
    case POD_WAIT:
        if (MIN(w->action.wait_ms, shown_ms) != POD_NEVER)
            loop_timer_start(&w->o->env->loop, &w->timer, MIN(w->action.wait_ms, shown_ms) + 1);
        return;
    case POD_FORGET:
        move(w, WORKER_OVER);
        handlers_stop(w);
        wake(w);
        return;
    case POD_CONFIRM:
        move(w, WORKER_ACTING);
        confirm(w);
        return;
    case POD_FETCH:
    case POD_WRITE_VOLUMES:
        move(w, WORKER_ACTING);
        fetch(w);
        return;
    case POD_PRE_STOP: pre_stop(w, w->action.index); return;
    default:
        move(w, WORKER_ACTING);
        act(w);
    }
}

static void on_timer(struct timer *t) { step(container_of(t, struct pod_worker, timer)); }

static void on_wake(struct deferred *d)
{
    struct pod_worker *w = container_of(d, struct pod_worker, deferred);
    if (w->state != WORKER_OVER)
        step(w);
    else if (!w->writing && !w->closing && handlers_idle(w))
        w->o->forgotten(w->o->arg, w);
}

/* --- what comes in --- */

static struct pod_observed_container *observed_named(struct pod_worker *w, const char *name)
{
    for (size_t i = 0; w->pod != NULL && i < w->pod->container_count; i++)
        if (strcmp(w->pod->containers[i].name, name) == 0)
            return &w->observed.containers[i];
    return NULL;
}

void pod_worker_found(struct pod_worker *w, const struct runtime_found *f)
{
    if (f->container == NULL) {
        w->found_sandbox = true;
        w->found_ready = f->running;
        w->found_qos = f->qos;
        w->found_namespace = mem_strdup(f->namespace);
        w->found_name = mem_strdup(f->name);
        (void)snprintf(w->observed.address, sizeof w->observed.address, "%s", f->address == NULL ? "" : f->address);
        return;
    }
    if (w->found_count == FOUND_MAX)
        return; /* more than two attempts per container are not kept on disk */
    w->found = mem_realloc(w->found, (w->found_count + 1) * sizeof *w->found);
    struct found *found = &w->found[w->found_count++];
    *found = (struct found){0};
    found->container = mem_strdup(f->container);
    struct pod_observed_container *c = &found->as;
    c->state = f->running ? POD_CONTAINER_RUNNING : POD_CONTAINER_ENDED;
    c->attempts = f->attempt + 1;
    c->started_ms = f->started_ms;
    c->exit = f->exit;
    (void)snprintf(c->container_id, sizeof c->container_id, "%s", f->container_id);
    (void)snprintf(c->image_id, sizeof c->image_id, "%s", f->image_id);
}

/* What its probes had found is what the API was told last; a ready container does not go unready because we restarted. */
static void adopt_probes(struct pod_worker *w, const char *name, struct pod_observed_container *c)
{
    const struct pod_container *spec = NULL;
    for (size_t i = 0; i < w->pod->container_count; i++)
        if (strcmp(w->pod->containers[i].name, name) == 0)
            spec = &w->pod->containers[i];
    c->started = spec->probes[POD_PROBE_STARTUP].handler.kind == POD_HANDLER_NONE;
    c->ready = spec->probes[POD_PROBE_READINESS].handler.kind == POD_HANDLER_NONE;
    struct json_iterator at = json_iterate(json_at(w->pod->tree, "status.containerStatuses"));
    while (json_next(&at))
        if (slice_is(json_string(json_get(at.value, "name")), name) &&
            slice_is(json_string(json_get(at.value, "containerID")), c->container_id)) {
            c->started |= json_bool(json_get(at.value, "started"), false);
            c->ready |= json_bool(json_get(at.value, "ready"), false);
        }
}

/* Attempts come in rising order: the last one is the current one, the one before it the last. */
static void adopt_found(struct pod_worker *w)
{
    if (w->found_sandbox)
        w->observed.sandbox = w->found_ready && w->observed.address[0] != '\0' ? POD_SANDBOX_READY : POD_SANDBOX_ENDED;
    for (size_t i = 0; i < w->found_count; i++) {
        struct pod_observed_container *c = observed_named(w, w->found[i].container);
        if (c == NULL)
            continue;
        struct pod_observed_container before = *c;
        *c = w->found[i].as;
        adopt_probes(w, w->found[i].container, c);
        if (before.attempts > 0) {
            c->has_last = true;
            memcpy(c->last.container_id, before.container_id, sizeof c->last.container_id);
            c->last.started_ms = before.started_ms;
            c->last.exit = before.exit;
        }
    }
}

static void first_pod(struct pod_worker *w, struct pod *p)
{
    w->pod = p;
    w->accepted_ms = clock_wall_ms(&w->o->env->clock);
    w->observed.containers = mem_zalloc(p->container_count * sizeof *w->observed.containers);
    struct slice phase = json_string_at(p->tree, "status.phase");
    adopt_found(w);
    w->observed.refresh_due = p->has_files && w->observed.sandbox == POD_SANDBOX_READY;
    w->observed.terminal = slice_is(phase, "Succeeded") || slice_is(phase, "Failed");
}

void pod_worker_update(struct pod_worker *w, struct pod *p)
{
    bool fits = w->pod == NULL || w->pod->container_count == p->container_count;
    if (!fits) { /* the API forbids it */
        log_error(w->o->env->log, "containers of a pod changed; the change is not followed", "uid=%s", w->uid);
        pod_free(p);
        return;
    }
    if (w->pod == NULL) {
        first_pod(w, p);
    } else {
        pod_free(w->next);
        w->next = p;
    }
    if (!w->told_unsupported && (p->unsupported != NULL || p->unserved != NULL)) {
        w->told_unsupported = true;
        tell(w, NULL, true, "Unsupported", "%s", p->unsupported != NULL ? p->unsupported : p->unserved);
    }
    wake(w);
}

/* A pod that only this node knows: enough of a pod to take it down by. */
static struct pod *stub_of(struct pod_worker *w)
{
    struct pod *p = NULL;
    struct err err;
    char *text = mem_printf("{\"metadata\":{\"namespace\":\"%s\",\"name\":\"%s\",\"uid\":\"%s\"},\"spec\":{"
                            "\"terminationGracePeriodSeconds\":0,\"containers\":[{\"name\":\"unknown\"}]}}",
                            w->found_namespace, w->found_name, w->uid);
    if (pod_parse(slice_str(text), &p, &err) < 0)
        log_error(w->o->env->log, "left-over pod cannot be taken down", "uid=%s why=%s", w->uid, err.message);
    else
        p->qos = w->found_qos;
    mem_free(text);
    return p;
}

void pod_worker_gone(struct pod_worker *w)
{
    if (w->pod == NULL && w->found_sandbox) {
        struct pod *stub = stub_of(w);
        if (stub != NULL)
            first_pod(w, stub);
    }
    w->gone = true;
    if (w->pod == NULL && w->state == WORKER_IDLE)
        move(w, WORKER_OVER);
    wake(w);
}

void pod_worker_ended(struct pod_worker *w, const char *container, unsigned attempt, const struct runtime_exit *exit)
{
    if (container == NULL) {
        if (w->observed.sandbox == POD_SANDBOX_READY)
            w->observed.sandbox = POD_SANDBOX_ENDED;
        w->found_ready = false;
    } else {
        struct pod_observed_container *c = observed_named(w, container);
        if (c != NULL && c->state == POD_CONTAINER_RUNNING && c->attempts == attempt + 1)
            pod_observe_end(c, exit, now_ms(w));
        for (size_t i = 0; i < w->found_count; i++)
            if (strcmp(w->found[i].container, container) == 0 && w->found[i].as.attempts == attempt + 1) {
                w->found[i].as.state = POD_CONTAINER_ENDED;
                w->found[i].as.exit = *exit;
            }
    }
    wake(w);
}

/* --- life --- */

struct pod_worker *pod_worker_new(const struct pod_worker_options *o, const char *uid)
{
    struct pod_worker *w = NEW(struct pod_worker);
    w->o = o;
    w->uid = mem_strdup(uid);
    struct probes_options probes = {.env = o->env, .runtime = o->runtime, .outcome = on_probed, .idle = on_probes_idle, .arg = w};
    w->probes = probes_new(&probes);
    timer_init(&w->timer, on_timer);
    timer_init(&w->write_timer, on_write_timer);
    timer_init(&w->refresh_timer, on_refresh);
    deferred_init(&w->deferred, on_wake);
    return w;
}

void pod_worker_close(struct pod_worker *w, void (*closed)(void *arg), void *arg)
{
    w->closing = true;
    w->closed = closed;
    w->closed_arg = arg;
    loop_timer_stop(&w->o->env->loop, &w->timer);
    loop_timer_stop(&w->o->env->loop, &w->write_timer);
    loop_timer_stop(&w->o->env->loop, &w->refresh_timer);
    loop_undefer(&w->o->env->loop, &w->deferred);
    if (w->writing)
        kube_cancel(w->o->client, &w->write);
    if (w->fetching)
        pod_fetch_cancel(&w->fetch);
    handlers_stop(w);
    check_closed(w);
}

void pod_worker_free(struct pod_worker *w)
{
    if (w == NULL)
        return;
    ASSERT(!w->writing);
    ASSERT(w->state != WORKER_ACTING);
    loop_timer_stop(&w->o->env->loop, &w->timer);
    loop_timer_stop(&w->o->env->loop, &w->write_timer);
    loop_timer_stop(&w->o->env->loop, &w->refresh_timer);
    loop_undefer(&w->o->env->loop, &w->deferred);
    for (size_t i = 0; i < w->found_count; i++)
        mem_free(w->found[i].container);
    mem_free(w->found);
    probes_free(w->probes);
    mem_free(w->hooks);
    pod_data_free(w->fetched);
    pod_free(w->pod);
    pod_free(w->next);
    mem_free(w->observed.containers);
    mem_free(w->found_namespace);
    mem_free(w->found_name);
    mem_free(w->written);
    buf_release(&w->sending);
    mem_free(w->uid);
    mem_free(w);
}

const char *pod_worker_uid(const struct pod_worker *w) { return w->uid; }
const struct pod *pod_worker_pod(const struct pod_worker *w) { return w->pod; }

unsigned pod_worker_attempts(const struct pod_worker *w, const char *container)
{
    struct pod_observed_container *c = observed_named((struct pod_worker *)w, container);
    return c == NULL ? 0 : c->attempts;
}

bool pod_worker_runs(const struct pod_worker *w, const char *container)
{
    struct pod_observed_container *c = observed_named((struct pod_worker *)w, container);
    return c != NULL && c->state == POD_CONTAINER_RUNNING;
}
