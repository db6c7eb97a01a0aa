/* A probe, per container and kind:
 *
 *   OFF ──probe_wanted──▶ ON: timer ──▶ handler ──▶ tally ──▶ timer …     off again as soon as it is not wanted
 *
 * Where it goes off and on while a handler is open, the old handler's outcome is dropped and the first run waits for it. */
#include "common/base.h"
#include "nodeagent/probes.h"

#include "common/mem.h"
#include "nodeagent/handler.h"

enum probe_result probe_tally_add(struct probe_tally *t, const struct pod_probe *p, bool ok)
{
    t->in_a_row = t->last_ok == ok ? t->in_a_row + 1 : 1;
    t->last_ok = ok;
    if (t->in_a_row < (ok ? p->success_threshold : p->failure_threshold))
        return PROBE_UNDECIDED;
    return ok ? PROBE_SUCCESS : PROBE_FAILURE;
}

bool probe_wanted(const struct pod *p, const struct pod_observed *o, size_t index, enum pod_probe_kind kind)
{
    const struct pod_observed_container *c = &o->containers[index];
    bool exists = p->containers[index].probes[kind].handler.kind != POD_HANDLER_NONE;
    bool waits = p->containers[index].init && !p->containers[index].sidecar;
    if (!exists || waits || c->state != POD_CONTAINER_RUNNING || c->post_starting)
        return false;
    if (kind == POD_PROBE_STARTUP)
        return !c->started && !p->deleting && c->kill_reason[0] == '\0';
    if (kind == POD_PROBE_LIVENESS)
        return c->started && !p->deleting && c->kill_reason[0] == '\0';
    return c->started; /* readiness counts until the end */
}

struct probe {
    struct probes *of;
    size_t index;
    enum pod_probe_kind kind;
    bool on, due; /* due: runs as soon as the handler before is through */
    unsigned attempts;
    uint64_t begun_ms;
    struct probe_tally tally;
    struct timer timer;
    struct handler handler;
};

struct probes {
    struct probes_options o;
    const struct pod *pod;
    const struct pod_observed *observed;
    struct probe *probes; /* POD_PROBE_COUNT for each container */
    size_t count;
    bool stopped;
};

static uint64_t now_ms(const struct probes *s) { return clock_monotonic_ms(&s->o.env->clock); }

static const struct pod_probe *spec_of(const struct probe *p) { return &p->of->pod->containers[p->index].probes[p->kind]; }

static void run(struct probe *p)
{
    struct probes *s = p->of;
    struct handler_options o = {.env = s->o.env, .runtime = s->o.runtime, .pod = s->pod, .index = p->index,
                                .attempt = p->attempts - 1, .address = s->observed->address, .what = &spec_of(p)->handler,
                                .timeout_ms = spec_of(p)->timeout_s * 1000};
    p->due = false;
    p->begun_ms = now_ms(s);
    handler_start(&p->handler, &o);
}

static void on_timer(struct timer *t)
{
    struct probe *p = container_of(t, struct probe, timer);
    if (p->handler.open)
        p->due = true;
    else
        run(p);
}

static void again(struct probe *p)
{
    uint64_t next_ms = p->begun_ms + (uint64_t)spec_of(p)->period_s * 1000, now = now_ms(p->of);
    loop_timer_start(&p->of->o.env->loop, &p->timer, next_ms > now ? next_ms - now : 0);
}

static void on_outcome(struct handler *h, bool ok, const char *message)
{
    struct probe *p = h->data;
    struct probes *s = p->of;
    if (h->canceled || !p->on) {
        if (p->on && p->due)
            run(p);
        if (s->stopped && probes_idle(s))
            s->o.idle(s->o.arg);
        return;
    }
    again(p);
    s->o.outcome(s->o.arg, p->index, p->kind, probe_tally_add(&p->tally, spec_of(p), ok), ok ? NULL : message);
}

static void turn_off(struct probe *p)
{
    p->on = p->due = false;
    loop_timer_stop(&p->of->o.env->loop, &p->timer);
    handler_cancel(&p->handler);
}

/* The delay counts from the container's start; one that was found running has no such moment and waits no more. */
static void turn_on(struct probe *p)
{
    const struct pod_observed_container *c = &p->of->observed->containers[p->index];
    uint64_t first_ms = c->started_at_ms == 0 ? 0 : c->started_at_ms + (uint64_t)spec_of(p)->delay_s * 1000, now = now_ms(p->of);
    p->on = true;
    p->attempts = c->attempts;
    p->tally = (struct probe_tally){0};
    loop_timer_start(&p->of->o.env->loop, &p->timer, first_ms > now ? first_ms - now : 0);
}

static void make(struct probes *s, size_t containers)
{
    s->count = containers * POD_PROBE_COUNT;
    s->probes = mem_zalloc(s->count * sizeof *s->probes);
    for (size_t i = 0; i < s->count; i++) {
        struct probe *p = &s->probes[i];
        p->of = s;
        p->index = i / POD_PROBE_COUNT;
        p->kind = (enum pod_probe_kind)(i % POD_PROBE_COUNT);
        p->handler.done = on_outcome;
        p->handler.data = p;
        timer_init(&p->timer, on_timer);
    }
}

void probes_sync(struct probes *s, const struct pod *pod, const struct pod_observed *o)
{
    if (s->stopped)
        return;
    s->pod = pod;
    s->observed = o;
    if (s->probes == NULL)
        make(s, pod->container_count);
    for (size_t i = 0; i < s->count; i++) {
        struct probe *p = &s->probes[i];
        bool wanted = probe_wanted(pod, o, p->index, p->kind);
        if (p->on && (!wanted || p->attempts != o->containers[p->index].attempts))
            turn_off(p);
        if (wanted && !p->on)
            turn_on(p);
    }
}

void probes_stop(struct probes *s)
{
    s->stopped = true;
    for (size_t i = 0; i < s->count; i++)
        turn_off(&s->probes[i]);
}

bool probes_idle(const struct probes *s)
{
    for (size_t i = 0; i < s->count; i++)
        if (s->probes[i].handler.open)
            return false;
    return true;
}

struct probes *probes_new(const struct probes_options *o)
{
    struct probes *s = NEW(struct probes);
    s->o = *o;
    return s;
}

void probes_free(struct probes *s)
{
    if (s == NULL)
        return;
    ASSERT(probes_idle(s));
    mem_free(s->probes);
    mem_free(s);
}
