/* One member's server: those who ask, what stands open for them, and its life. */
#include "common/base.h"

#include "raftstore/server.h"

#include "common/mem.h"
#include "raftstore/server_internal.h"

uint64_t server_now_ms(struct server *s) { return clock_monotonic_ms(&s->env->clock); }
struct mvcc *server_store(struct server *s) { return apply_mvcc(s->options.apply); }

struct driver_status server_status(struct server *s)
{
    struct driver_status status;
    s->options.consensus.status(s->options.consensus.impl, &status);
    return status;
}

bool server_leads(struct server *s) { return server_status(s).role == ROLE_LEADER; }

void server_note_leader(struct server *s)
{
    if (server_status(s).leader != 0)
        s->leaderless_ms = 0;
    else if (s->leaderless_ms == 0)
        s->leaderless_ms = MAX(server_now_ms(s), (uint64_t)1);
}

bool server_leaderless(struct server *s)
{
    return s->leaderless_ms != 0 && server_now_ms(s) - s->leaderless_ms >= LEADERLESS_MS;
}

const struct configuration *server_configuration(struct server *s, bool newest)
{
    return s->options.consensus.configuration(s->options.consensus.impl, newest);
}

struct kv_header server_header(struct server *s)
{
    struct kv_header h = {.member_id = s->options.member_id, .revision = mvcc_revision(server_store(s)), .term = server_status(s).term};
    memcpy(h.cluster_id, s->options.cluster_id, STORE_ID_BYTES);
    return h;
}

/* --- callers --- */

void caller_begin(struct caller *c, struct server *s, const struct caller_front *front, const struct net_peer *peer)
{
    *c = (struct caller){.front = front, .server = s, .peer = peer};
    struct list *lists[] = {&c->reads, &c->writes, &c->watches, &c->member_calls};
    for (size_t i = 0; i < ARRAY_LEN(lists); i++)
        list_init(lists[i]);
    list_push_back(&s->callers, &c->link);
}

void caller_end(struct caller *c)
{
    c->closing = true;
    LIST_FOR_EACH(node, &c->reads)
        read_forget(container_of(node, struct read, link));
    LIST_FOR_EACH(write_node, &c->writes)
        write_forget(container_of(write_node, struct write, caller_link));
    LIST_FOR_EACH(watch_node, &c->watches)
        watch_free(container_of(watch_node, struct watch, caller_link));
    LIST_FOR_EACH(member_node, &c->member_calls)
        member_forget(member_call_of(member_node));
    snapshot_stream_forget(c->snapshot);
    list_remove(&c->link);
}

void caller_drained(struct caller *c)
{
    struct server *s = c->server;
    if (!list_empty(&s->pumped) || !list_empty(&s->pumped_watches))
        loop_defer(&s->env->loop, &s->pump);
}

bool caller_may(const struct caller *c, unsigned right, const struct kv_span *span)
{
    return c->peer == NULL || roles_allow(c->server->options.roles, c->peer, right, span);
}

void caller_error(struct caller *c, uint64_t id, int status, const char *message)
{
    struct kv_header h = server_header(c->server);
    c->front->error(c, id, &h, status, message);
}

void caller_refuse(struct caller *c, uint64_t id, enum store_error cause, const char *detail)
{
    struct err why;
    int status = store_err(&why, cause, "%s", detail);
    caller_error(c, id, status, why.message);
}

static bool may_any(const struct caller *c, unsigned rights)
{
    for (unsigned right = 1; right <= rights; right <<= 1)
        if ((rights & right) && caller_may(c, right, NULL))
            return true;
    return rights == 0;
}

bool caller_admits(struct caller *c, uint64_t id, unsigned rights)
{
    bool room = c->call_count < CONNECTION_CALLS_MAX, allowed = may_any(c, rights);
    if (!room)
        caller_refuse(c, id, STORE_TOO_MANY_REQUESTS, "too many under way on this connection");
    else if (!allowed)
        caller_refuse(c, id, STORE_PERMISSION_DENIED, "this certificate's roles do not allow it");
    return room && allowed;
}

/* --- life --- */

static void run_pump(struct deferred *d)
{
    struct server *s = container_of(d, struct server, pump);
    bool reads = reads_pump(s), watches = watches_pump(s);
    if (reads || watches)
        loop_defer(&s->env->loop, &s->pump);
}

static void run_tick(struct timer *t)
{
    struct server *s = container_of(t, struct server, tick);
    loop_timer_start(&s->env->loop, &s->tick, SERVER_TICK_MS);
    frames_tick(s->frames);
    space_tick(s);
    reports_tick(s);
    scrub_tick(s);
    writes_tick(s);
    members_tick(s);
    leases_tick(s);
    snapshot_streams_tick(s);
    compact_tick(s);
    reads_tick(s);
    watches_tick(s);
    (void)mvcc_compact_step(server_store(s), 4096); /* what entries left over; the rest at the next tick */
}

static void frames_closed(void *arg)
{
    struct server *s = arg;
    s->frames = NULL;
    server_finish_close(s);
}

static int listen(struct server *s, struct err *reterr)
{
    struct frames_options o = {.env = s->env, .server = s, .member_id = s->options.member_id, .address = s->options.address,
                               .tls = s->options.tls, .pending_bytes_max = s->options.pending_bytes_max, .closed = frames_closed, .arg = s};
    memcpy(o.cluster_id, s->options.cluster_id, STORE_ID_BYTES);
    return frames_new(&o, &s->frames, reterr);
}

int server_new(struct env *env, const struct server_options *o, struct server **ret, struct err *reterr)
{
    struct server *s = NEW(struct server);
    struct list *lists[] = {&s->callers, &s->retries, &s->pumped, &s->pumped_watches, &s->live, &s->writes,
                            &s->member_calls, &s->snapshots};
    for (size_t i = 0; i < ARRAY_LEN(lists); i++)
        list_init(lists[i]);
    s->env = env;
    s->options = *o;
    server_clock_follow(s, 0);
    server_clock_changed(s);
    server_note_leader(s);
    s->revision_seen = mvcc_revision(server_store(s));
    deferred_init(&s->pump, run_pump);
    deferred_init(&s->propose, writes_propose);
    timer_init(&s->tick, run_tick);
    int status = listen(s, reterr);
    if (status != 0) {
        mem_free(s);
        return status;
    }
    loop_timer_start(&env->loop, &s->tick, SERVER_TICK_MS);
    *ret = s;
    return 0;
}

void server_finish_close(struct server *s)
{
    if (!s->closing || s->frames != NULL || s->link != NULL || s->proposals > 0 || s->reads_waiting > 0 || s->snapshot_count > 0)
        return;
    void (*closed)(void *arg) = s->closed;
    void *arg = s->closed_arg;
    writes_release(s);
    loop_undefer(&s->env->loop, &s->pump);
    loop_undefer(&s->env->loop, &s->propose);
    buf_release(&s->batch);
    buf_release(&s->scratch);
    buf_release(&s->event_bytes);
    arena_clear(&s->arena);
    mem_free(s);
    closed(arg);
}

void server_close(struct server *s, void (*closed)(void *arg), void *arg)
{
    ASSERT(!s->closing);
    s->closing = true;
    s->closed = closed;
    s->closed_arg = arg;
    loop_timer_stop(&s->env->loop, &s->tick);
    link_close(s);
    frames_close(s->frames);
}

bool server_quarantined(const struct server *s) { return s->quarantined; }

void server_metrics(const struct server *s, struct server_metrics *ret)
{
    struct frames_metrics frames = {0};
    if (s->frames != NULL)
        frames_metrics(s->frames, &frames);
    *ret = s->metrics;
    ret->connections = frames.connections;
    ret->requests_total = frames.requests_total;
    ret->slow_closed = frames.slow_closed;
    ret->writes_waiting = s->writes_by_key.size;
    ret->space_low = s->space.low;
    ret->quarantined = s->quarantined;
}
