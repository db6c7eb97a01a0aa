#include "common/base.h"
#include "nodeagent/pod_sync.h"

#include <signal.h>
#include <stdio.h>

void pod_backoff_failed(struct pod_backoff *b, uint64_t now_ms, bool at_once)
{
    if (b->delay_ms == 0 && !at_once)
        b->delay_ms = POD_BACKOFF_FIRST_MS;
    b->failed_at_ms = now_ms;
    b->retry_at_ms = now_ms + b->delay_ms;
    b->delay_ms = b->delay_ms == 0 ? POD_BACKOFF_FIRST_MS : MIN(b->delay_ms * 2, (uint64_t)POD_BACKOFF_MAX_MS);
}

void pod_observe_start(const struct pod_container *spec, struct pod_observed_container *c, const struct runtime_call *call,
                       uint64_t now_ms)
{
    c->state = POD_CONTAINER_RUNNING;
    c->attempts = call->attempt + 1;
    c->term_sent = c->kill_sent = false;
    c->started = spec->probes[POD_PROBE_STARTUP].handler.kind == POD_HANDLER_NONE;
    c->ready = spec->probes[POD_PROBE_READINESS].handler.kind == POD_HANDLER_NONE;
    c->kill_reason[0] = '\0';
    c->pre_stop = POD_HOOK_NONE;
    c->stop_at_ms = 0;
    c->started_at_ms = now_ms;
    c->started_ms = call->started_ms;
    c->reason[0] = c->message[0] = '\0';
    (void)snprintf(c->container_id, sizeof c->container_id, "%s", call->container_id);
    (void)snprintf(c->image_id, sizeof c->image_id, "%s", call->image_id);
}

void pod_observe_end(struct pod_observed_container *c, const struct runtime_exit *exit, uint64_t now_ms)
{
    c->state = POD_CONTAINER_ENDED;
    c->exit = *exit;
    c->image_ready = c->fetched = false;
    c->post_starting = c->started = c->ready = false;
    if (c->started_at_ms > 0 && now_ms - c->started_at_ms >= POD_BACKOFF_RESET_MS)
        c->start_backoff.delay_ms = 0;
    pod_backoff_failed(&c->start_backoff, now_ms, true);
}

bool pod_may_restart(const struct pod *p, size_t index, const struct pod_observed_container *c)
{
    bool failed = c->exit.code != 0;
    if (p->containers[index].sidecar)
        return true;
    if (p->containers[index].init)
        return failed && p->restart != POD_RESTART_NEVER;
    return p->restart == POD_RESTART_ALWAYS || (p->restart == POD_RESTART_ON_FAILURE && failed);
}

static bool is_complete(const struct pod_observed_container *c)
{
    return c->state == POD_CONTAINER_ENDED && c->exit.code == 0;
}

void pod_observe_initialized(const struct pod *p, struct pod_observed *o)
{
    for (size_t i = 0; i < p->init_count; i++) {
        struct pod_observed_container *c = &o->containers[i];
        c->initialized |= c->state == POD_CONTAINER_RUNNING && c->started && !c->post_starting;
    }
}

void pod_observe_sandbox(const struct pod *p, struct pod_observed *o)
{
    for (size_t i = 0; i < p->init_count; i++) {
        o->containers[i].initialized = false;
        if (o->containers[i].state == POD_CONTAINER_ENDED)
            o->containers[i].state = POD_CONTAINER_NEW;
    }
}

static bool is_initialized(const struct pod *p, const struct pod_observed *o, size_t i)
{
    return p->containers[i].sidecar ? o->containers[i].initialized : is_complete(&o->containers[i]);
}

bool pod_init_done(const struct pod *p, const struct pod_observed *o)
{
    for (size_t i = 0; i < p->init_count; i++)
        if (!is_initialized(p, o, i))
            return false;
    return true;
}

static bool init_failed(const struct pod *p, const struct pod_observed *o)
{
    for (size_t i = 0; i < p->init_count; i++)
        if (o->containers[i].state == POD_CONTAINER_ENDED && o->containers[i].exit.code != 0 &&
            !pod_may_restart(p, i, &o->containers[i]))
            return true;
    return false;
}

const char *pod_phase(const struct pod *p, const struct pod_observed *o)
{
    bool waiting = false, active = false, failed = false;
    if (o->expired || init_failed(p, o))
        return "Failed";
    if (!pod_init_done(p, o))
        return "Pending";
    for (size_t i = p->init_count; i < p->container_count; i++) {
        const struct pod_observed_container *c = &o->containers[i];
        waiting |= c->state == POD_CONTAINER_NEW && c->attempts == 0;
        active |= c->state != POD_CONTAINER_ENDED || (!p->deleting && pod_may_restart(p, i, c));
        failed |= c->exit.code != 0;
    }
    return waiting ? "Pending" : active ? "Running" : failed ? "Failed" : "Succeeded";
}

bool pod_is_over(const struct pod *p, const struct pod_observed *o)
{
    const char *phase = pod_phase(p, o);
    return o->terminal || strcmp(phase, "Succeeded") == 0 || strcmp(phase, "Failed") == 0;
}

static struct pod_action wait_for(uint64_t wait_ms) { return (struct pod_action){.kind = POD_WAIT, .wait_ms = wait_ms}; }
static struct pod_action act(enum pod_action_kind kind, size_t index)
{
    return (struct pod_action){.kind = kind, .index = index};
}

static uint64_t left(uint64_t at_ms, uint64_t now_ms) { return at_ms > now_ms ? at_ms - now_ms : 0; }

/* preStop hook, then TERM, then KILL to one that outstays its grace period, which begins with the hook. */
static struct pod_action stop(const struct pod *p, size_t i, const struct pod_observed *o, uint64_t grace_ms, uint64_t now_ms)
{
    const struct pod_observed_container *c = &o->containers[i];
    if (c->kill_sent)
        return wait_for(POD_NEVER);
    bool hooked = p->containers[i].pre_stop.kind != POD_HANDLER_NONE && grace_ms > 0;
    uint64_t end_ms = c->stop_at_ms + grace_ms;
    if (hooked && c->pre_stop == POD_HOOK_NONE && !c->term_sent)
        return act(POD_PRE_STOP, i);
    if (hooked && c->pre_stop == POD_HOOK_RUNNING && now_ms < end_ms)
        return wait_for(left(end_ms, now_ms));
    if (hooked)
        end_ms = MAX(end_ms, c->term_at_ms + POD_AFTER_HOOK_MS);
    struct pod_action signal = act(POD_SIGNAL_CONTAINER, i);
    signal.signal = grace_ms == 0 || (c->term_sent && now_ms >= end_ms) ? SIGKILL : SIGTERM;
    return c->term_sent && signal.signal == SIGTERM ? wait_for(left(end_ms, now_ms)) : signal;
}

static bool stands(const struct pod_observed_container *c) { return c->state == POD_CONTAINER_RUNNING && !c->kill_sent; }

/* Sidecars serve the others to the end: they stop when those have stopped, the last one first. */
static bool is_still_needed(const struct pod *p, const struct pod_observed *o, size_t i)
{
    for (size_t j = 0; j < p->container_count && p->containers[i].sidecar; j++)
        if (stands(&o->containers[j]) && (!p->containers[j].sidecar || j > i))
            return true;
    return false;
}

/* What the others have left of the pod's grace period. */
static uint64_t grace_of(const struct pod *p, const struct pod_observed *o, size_t i, uint64_t grace_ms, uint64_t now_ms)
{
    uint64_t begun_ms = now_ms, own_ms = o->containers[i].stop_at_ms == 0 ? now_ms : o->containers[i].stop_at_ms;
    if (!p->containers[i].sidecar || grace_ms == 0)
        return grace_ms;
    for (size_t j = 0; j < p->container_count; j++)
        if (o->containers[j].stop_at_ms > 0)
            begun_ms = MIN(begun_ms, o->containers[j].stop_at_ms);
    return MAX(left(begun_ms + grace_ms, own_ms), (uint64_t)POD_SIDECAR_GRACE_MS);
}

/* All running containers side by side, sidecars behind them; ret_running says whether there are any. */
static struct pod_action stop_all(const struct pod *p, const struct pod_observed *o, uint64_t grace_ms, uint64_t now_ms,
                                  bool *ret_running)
{
    uint64_t wait_ms = POD_NEVER;
    *ret_running = false;
    for (size_t i = 0; i < p->container_count; i++) {
        if (!stands(&o->containers[i]))
            continue;
        *ret_running = true;
        if (is_still_needed(p, o, i))
            continue;
        struct pod_action a = stop(p, i, o, grace_of(p, o, i, grace_ms, now_ms), now_ms);
        if (a.kind != POD_WAIT)
            return a;
        wait_ms = MIN(wait_ms, a.wait_ms);
    }
    return wait_for(wait_ms);
}

/* The containers, then the sandbox, then what is on disk, then the object. */
static struct pod_action terminate(const struct pod *p, bool gone, const struct pod_observed *o, uint64_t now_ms)
{
    uint64_t grace_ms = gone ? MIN((uint64_t)p->grace_ms, (uint64_t)POD_ORPHAN_GRACE_MS) : (uint64_t)p->grace_ms;
    bool running;
    struct pod_action stopping = stop_all(p, o, grace_ms, now_ms, &running);
    if (running)
        return stopping;
    if (o->sandbox != POD_SANDBOX_NONE) /* ends what a KILL has not ended yet, too */
        return now_ms < o->sandbox_backoff.retry_at_ms ? wait_for(left(o->sandbox_backoff.retry_at_ms, now_ms))
                                                       : act(POD_STOP_SANDBOX, 0);
    if (!o->removed)
        return act(POD_REMOVE, 0);
    return act(gone ? POD_FORGET : POD_CONFIRM, 0);
}

/* What a container that should run needs next; POD_WAIT with POD_NEVER when it needs nothing. */
static struct pod_action advance(const struct pod *p, size_t i, const struct pod_observed *o, uint64_t now_ms)
{
    const struct pod_observed_container *c = &o->containers[i];
    if (c->state == POD_CONTAINER_RUNNING && c->kill_reason[0] != '\0')
        return stop(p, i, o, (uint64_t)(c->kill_grace_ms < 0 ? p->grace_ms : c->kill_grace_ms), now_ms);
    if (c->state == POD_CONTAINER_RUNNING || (c->state == POD_CONTAINER_ENDED && !pod_may_restart(p, i, c)))
        return wait_for(POD_NEVER);
    uint64_t at_ms = MAX(c->start_backoff.retry_at_ms, c->image_ready ? 0 : c->image_backoff.retry_at_ms);
    if (now_ms < at_ms)
        return wait_for(left(at_ms, now_ms));
    if (o->sandbox == POD_SANDBOX_NONE && p->has_files && !o->volumes_written)
        return now_ms < o->volumes_retry_at_ms ? wait_for(left(o->volumes_retry_at_ms, now_ms)) : act(POD_WRITE_VOLUMES, 0);
    if (o->sandbox == POD_SANDBOX_NONE)
        return now_ms < o->sandbox_backoff.retry_at_ms ? wait_for(left(o->sandbox_backoff.retry_at_ms, now_ms))
                                                       : act(POD_START_SANDBOX, 0);
    if (!c->image_ready)
        return act(POD_GET_IMAGE, i);
    return act(c->fetched ? POD_START_CONTAINER : POD_FETCH, i);
}

/* Init containers one after the other, sidecars among them going on beside what follows; then all others side by side. */
static struct pod_action run(const struct pod *p, const struct pod_observed *o, uint64_t now_ms)
{
    uint64_t wait_ms = POD_NEVER;
    for (size_t i = 0; i < p->init_count; i++) {
        bool done = is_initialized(p, o, i);
        struct pod_action a = done && !p->containers[i].sidecar ? wait_for(POD_NEVER) : advance(p, i, o, now_ms);
        if (a.kind != POD_WAIT)
            return a;
        wait_ms = MIN(wait_ms, a.wait_ms);
        if (!done)
            return wait_for(wait_ms);
    }
    for (size_t i = p->init_count; i < p->container_count; i++) {
        struct pod_action a = advance(p, i, o, now_ms);
        if (a.kind != POD_WAIT)
            return a;
        wait_ms = MIN(wait_ms, a.wait_ms);
        if (o->containers[i].post_starting) /* the next one starts when the hook is through */
            break;
    }
    return wait_for(wait_ms);
}

struct pod_action pod_sync(const struct pod *p, bool gone, const struct pod_observed *o, uint64_t now_ms)
{
    if (gone || p->deleting)
        return terminate(p, gone, o, now_ms);
    if (o->expired || (o->sandbox == POD_SANDBOX_READY && pod_is_over(p, o))) { /* sidecars have outlived the others */
        bool running;
        struct pod_action stopping = stop_all(p, o, (uint64_t)p->grace_ms, now_ms, &running);
        if (running)
            return stopping;
    }
    if (o->sandbox == POD_SANDBOX_ENDED || (o->sandbox == POD_SANDBOX_READY && pod_is_over(p, o)))
        return now_ms < o->sandbox_backoff.retry_at_ms ? wait_for(left(o->sandbox_backoff.retry_at_ms, now_ms))
                                                       : act(POD_STOP_SANDBOX, 0);
    if (p->unsupported != NULL || pod_is_over(p, o))
        return wait_for(POD_NEVER);
    struct pod_action a = run(p, o, now_ms);
    if (a.kind == POD_WAIT && o->sandbox == POD_SANDBOX_READY && o->refresh_due)
        return act(POD_WRITE_VOLUMES, 0);
    return a;
}
