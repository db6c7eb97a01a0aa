#include "common/base.h"

#include "common/kube/elect.h"
#include "common/mem.h"

/*  looking ──▶ holding (renews every retry_ms) ──▶ looking, when renewals failed for renew_ms or another holds it */
struct elector {
    struct kube_client *client;
    struct env *env;
    struct elector_options options;
    char *path, *collection, *identity;
    bool leads, busy, closing;
    uint64_t observed_ms; /* monotonic: when the record last changed before our eyes */
    uint64_t sent_ms;
    char *seen;           /* resourceVersion of the record then */
    uint64_t seen_lease_ms;
    struct kube_call call;
    struct timer next, deadline; /* look or renew; lead no longer than this without a renewal */
    struct deferred closed_turn;
    void (*closed)(void *arg);
    void *closed_arg;
};

static void set_leading(struct elector *e, bool leads)
{
    if (e->leads == leads)
        return;
    e->leads = leads;
    log_info(e->env->log, leads ? "leading" : "no longer leading", "lease=%s/%s identity=%s", e->options.namespace,
             e->options.name, e->identity);
    if (leads)
        e->options.started(e->options.arg);
    else
        e->options.stopped(e->options.arg);
}

static void again(struct elector *e)
{
    if (e->closing)
        return;
    loop_timer_start(&e->env->loop, &e->next, e->options.retry_ms);
}

static void end_if_closing(struct elector *e)
{
    if (e->closing && !e->busy)
        loop_defer(&e->env->loop, &e->closed_turn);
}

/* Another one may take the lease soon: stop acting before it does, whatever a call under way is doing. */
static void too_late(struct timer *t) { set_leading(container_of(t, struct elector, deadline), false); }

static void written(struct kube_call *call, int status, struct slice body, const struct err *why)
{
    (void)body;
    struct elector *e = call->data;
    e->busy = false;
    if (e->closing) {
        end_if_closing(e);
        return;
    }
    if (status == 0) {
        uint64_t elapsed = clock_monotonic_ms(&e->env->clock) - e->sent_ms;
        loop_timer_start(&e->env->loop, &e->deadline, e->options.renew_ms - MIN(elapsed, (uint64_t)e->options.renew_ms));
        set_leading(e, true);
    } else {
        if (status != ERR_CONFLICT && status != ERR_EXISTS)
            log_warn(e->env->log, "lease was not written", "reason=\"%s\"", why->message);
    }
    again(e);
}

static void set_times(struct elector *e, struct json_doc *d, struct json *spec, bool acquired)
{
    char now[TIME_TEXT_MAX];
    time_format(clock_wall_ms(&e->env->clock) * 1000, 6, now);
    json_set_str(d, spec, "renewTime", now);
    if (acquired)
        json_set_str(d, spec, "acquireTime", now);
    json_set_str(d, spec, "holderIdentity", e->identity);
    json_set_int(d, spec, "leaseDurationSeconds", (int64_t)((e->options.lease_ms + 999) / 1000));
}

static void send(struct elector *e, const struct json *lease, bool create)
{
    struct buf text = {0};
    json_print(lease, &text);
    e->busy = true;
    e->sent_ms = clock_monotonic_ms(&e->env->clock);
    e->call = (struct kube_call){.done = written, .data = e};
    if (create)
        kube_create(e->client, &e->call, e->collection, buf_slice(&text));
    else
        kube_update(e->client, &e->call, e->path, buf_slice(&text));
    buf_release(&text);
}

static void create(struct elector *e)
{
    struct json_doc *d = json_doc_new();
    struct json *lease = json_new_object(d);
    json_set_str(d, lease, "apiVersion", "coordination.k8s.io/v1");
    json_set_str(d, lease, "kind", "Lease");
    struct json *metadata = json_ensure_object(d, lease, "metadata");
    json_set_str(d, metadata, "name", e->options.name);
    json_set_str(d, metadata, "namespace", e->options.namespace);
    struct json *spec = json_ensure_object(d, lease, "spec");
    set_times(e, d, spec, true);
    json_set_int(d, spec, "leaseTransitions", 0);
    send(e, lease, true);
    json_doc_free(d);
}

/* Whoever holds it has not renewed it for a whole lease, by our own monotonic clock. */
static bool expired(struct elector *e, const struct json *lease)
{
    struct slice version = json_string_at(lease, "metadata.resourceVersion");
    uint64_t now = clock_monotonic_ms(&e->env->clock);
    if (e->seen == NULL || !slice_is(version, e->seen)) {
        mem_free(e->seen);
        e->seen = mem_slice_dup(version);
        e->observed_ms = now;
        e->seen_lease_ms = (uint64_t)MAX(json_int_at(lease, "spec.leaseDurationSeconds", 1), (int64_t)1) * 1000;
    }
    return now - e->observed_ms > e->seen_lease_ms;
}

static void consider(struct elector *e, struct json_doc *d, struct json *lease)
{
    struct json *spec = json_ensure_object(d, lease, "spec");
    struct slice holder = json_string_at(spec, "holderIdentity");
    bool ours = slice_is(holder, e->identity);
    if (!ours && holder.size > 0 && !expired(e, lease)) {
        set_leading(e, false);
        again(e);
        return;
    }
    set_times(e, d, spec, !ours);
    if (!ours)
        json_set_int(d, spec, "leaseTransitions", json_int_at(spec, "leaseTransitions", 0) + 1);
    send(e, lease, false);
}

static void got(struct kube_call *call, int status, struct slice body, const struct err *why)
{
    struct elector *e = call->data;
    struct json_doc *d = json_doc_new();
    struct json *lease = NULL;
    e->busy = false;
    if (e->closing) {
        end_if_closing(e);
    } else if (status == ERR_NOT_FOUND) {
        create(e);
    } else if (status != 0 || json_parse(d, body, &lease, NULL) != 0) {
        log_warn(e->env->log, "lease was not read", "reason=\"%s\"", why == NULL ? "no JSON" : why->message);
        again(e);
    } else {
        consider(e, d, lease);
    }
    json_doc_free(d);
}

static void look(struct timer *t)
{
    struct elector *e = container_of(t, struct elector, next);
    e->busy = true;
    e->call = (struct kube_call){.done = got, .data = e};
    kube_get(e->client, &e->call, e->path);
}

#define ELECTOR_RELEASE_MS 1000 /* what the Lease's end would bring anyway is not worth waiting for longer */

static void give_up_release(struct timer *t)
{
    struct elector *e = container_of(t, struct elector, deadline);
    if (e->busy)
        kube_cancel(e->client, &e->call);
}

static void elector_free(struct deferred *d)
{
    struct elector *e = container_of(d, struct elector, closed_turn);
    void (*closed)(void *arg) = e->closed;
    void *arg = e->closed_arg;
    loop_timer_stop(&e->env->loop, &e->deadline);
    mem_free(e->path);
    mem_free(e->collection);
    mem_free(e->identity);
    mem_free(e->seen);
    mem_free(e);
    closed(arg);
}

struct elector *elector_new(struct kube_client *c, const struct elector_options *o)
{
    struct elector *e = NEW(struct elector);
    e->client = c;
    e->env = kube_client_env(c);
    e->options = *o;
    if (o->lease_ms == 0) {
        e->options.lease_ms = 15000;
        e->options.renew_ms = 10000;
        e->options.retry_ms = 2000;
    }
    e->identity = mem_strdup(o->identity);
    e->collection = mem_printf("/apis/coordination.k8s.io/v1/namespaces/%s/leases", o->namespace);
    e->path = mem_printf("%s/%s", e->collection, o->name);
    timer_init(&e->next, look);
    timer_init(&e->deadline, too_late);
    deferred_init(&e->closed_turn, elector_free);
    loop_timer_start(&e->env->loop, &e->next, 0);
    return e;
}

bool elector_leads(const struct elector *e) { return e->leads; }

/* Gives the lease back by a patch that only applies while we hold it: a test of holderIdentity comes first. */
static void release(struct elector *e)
{
    struct buf patch = {0};
    buf_append_str(&patch, "[{\"op\":\"test\",\"path\":\"/spec/holderIdentity\",\"value\":");
    json_print_string(slice_str(e->identity), &patch);
    buf_append_str(&patch, "},{\"op\":\"replace\",\"path\":\"/spec/holderIdentity\",\"value\":\"\"}]");
    e->busy = true;
    e->call = (struct kube_call){.done = written, .data = e};
    kube_patch(e->client, &e->call, e->path, KUBE_PATCH_JSON, buf_slice(&patch));
    buf_release(&patch);
}

void elector_close(struct elector *e, void (*closed)(void *arg), void *arg)
{
    bool led = e->leads;
    loop_timer_stop(&e->env->loop, &e->next);
    loop_timer_stop(&e->env->loop, &e->deadline);
    set_leading(e, false);
    e->closing = true;
    e->closed = closed;
    e->closed_arg = arg;
    if (led && !e->busy)
        release(e);
    timer_init(&e->deadline, give_up_release);
    loop_timer_start(&e->env->loop, &e->deadline, ELECTOR_RELEASE_MS);
    end_if_closing(e);
}
