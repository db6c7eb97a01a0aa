/* Connections: hello, frames in, frames out gathered per turn of the loop, limits, silence. */
#include "common/base.h"

#include "raftstore/server.h"

#include "common/mem.h"
#include "raftstore/server_internal.h"

uint64_t server_now_ms(struct server *s) { return clock_monotonic_ms(&s->env->clock); }
struct mvcc *server_store(struct server *s) { return apply_mvcc(s->options.apply); }

/* --- out --- */

static void conn_close(struct connection *c, bool flush)
{
    if (c->closing)
        return;
    c->closing = true;
    if (flush && c->out.size > 0) {
        struct slice part = buf_slice(&c->out);
        net_write(&c->server->env->net, &c->net, &part, 1);
        buf_reset(&c->out);
    }
    net_close(&c->server->env->net, &c->net, flush);
}

size_t conn_frame(struct connection *c, enum store_frame type)
{
    size_t mark = frame_begin(&c->out);
    wire_begin(&c->out, type);
    if (type != STORE_EVENTS && !c->awaited) {
        c->awaited = true;
        list_remove(&c->dirty);
        list_push_front(&c->server->dirty, &c->dirty);
    }
    return mark;
}

void conn_frame_end(struct connection *c, size_t mark)
{
    frame_end(&c->out, mark);
    if (list_empty(&c->dirty))
        list_push_back(&c->server->dirty, &c->dirty);
    loop_defer(&c->server->env->loop, &c->server->flush);
}

static size_t conn_unsent(const struct connection *c) { return c->out.size + c->net.write_bytes_pending; }
bool conn_full(const struct connection *c)
{
    return conn_unsent(c) > MIN((size_t)CONNECTION_PART_WINDOW, c->server->options.pending_bytes_max / 2);
}

/* A connection takes more again: whoever waits for that goes on. */
static void pump_again(struct server *s)
{
    if (!list_empty(&s->pumped) || !list_empty(&s->pumped_watches))
        loop_defer(&s->env->loop, &s->pump);
}

/* Judged by what the client has not taken of earlier turns. What one turn has for it may be more than the bound by itself: the
 * events of a revision are never parted, and would be sent again and again to a client that is cut off for their size. */
static bool too_slow(struct connection *c)
{
    size_t bound = c->server->options.pending_bytes_max;
    if (c->net.write_bytes_pending <= bound / 2)
        c->unsent_max = MAX(bound, conn_unsent(c) + bound / 2);
    return conn_unsent(c) > c->unsent_max;
}

static void conn_flush(struct connection *c)
{
    struct server *s = c->server;
    list_remove(&c->dirty);
    if (c->closing)
        return;
    if (too_slow(c)) {
        s->metrics.slow_closed++;
        log_warn(s->env->log, "closed a client that does not read", "address=%s unsent_bytes=%zu", c->net.peer.address,
                 conn_unsent(c));
        conn_close(c, false);
        return;
    }
    struct slice part = buf_slice(&c->out);
    c->awaited = false;
    net_write(&s->env->net, &c->net, &part, 1);
    buf_reset(&c->out);
    if (c->out.capacity > STORE_PART_BYTES)
        buf_release(&c->out);
    if (c->net.write_bytes_pending == 0) /* then nothing will drain; and what stood in `out` may have made it full */
        pump_again(s);
}

/* All that somebody waits for, which stands first, and a part of the rest: an event for thousands of watchers is spread over
 * turns, between which the next write is served. */
static void run_flush(struct deferred *d)
{
    struct server *s = container_of(d, struct server, flush);
    size_t events = 0;
    LIST_FOR_EACH(node, &s->dirty)
    {
        struct connection *c = container_of(node, struct connection, dirty);
        if (!c->awaited && events > FLUSH_TURN_BYTES) {
            loop_defer(&s->env->loop, &s->flush);
            return;
        }
        events += c->awaited ? 0 : c->out.size + FLUSH_CONNECTION_BYTES;
        conn_flush(c);
    }
}

static uint64_t current_term(struct server *s)
{
    struct driver_status status;
    s->options.consensus.status(s->options.consensus.impl, &status);
    return status.term;
}

void conn_result(struct connection *c, uint64_t id, struct slice result)
{
    size_t mark = conn_frame(c, STORE_RESULT);
    pack_uint(&c->out, id);
    pack_uint(&c->out, current_term(c->server));
    buf_append_slice(&c->out, result);
    conn_frame_end(c, mark);
}

void conn_error(struct connection *c, uint64_t id, int status, const char *message)
{
    struct buf result = {0};
    result_error(&result, mvcc_revision(server_store(c->server)), status, message);
    conn_result(c, id, buf_slice(&result));
    buf_release(&result);
}

void conn_store_error(struct connection *c, uint64_t id, enum store_error cause, const char *detail)
{
    struct err why;
    int status = store_err(&why, cause, "%s", detail);
    conn_error(c, id, status, why.message);
}

bool conn_may(const struct connection *c, unsigned right, const struct kv_span *span)
{
    return roles_allow(c->server->options.roles, &c->net.peer, right, span);
}

void conn_refuse(struct connection *c, int status, const char *message)
{
    if (c->closing)
        return;
    size_t mark = conn_frame(c, STORE_REFUSED);
    pack_int(&c->out, status);
    pack_bytes(&c->out, slice_str(message));
    conn_frame_end(c, mark);
    log_warn(c->server->env->log, "refused a client", "address=%s why=\"%s\"", c->net.peer.address, message);
    conn_close(c, true);
}

/* --- in --- */

static void serve_hello(struct connection *c, struct unpack *u)
{
    struct server *s = c->server;
    struct slice cluster = unpack_bytes(u);
    c->member_id = unpack_uint(u);
    if (u->bad || (cluster.size != 0 && cluster.size != STORE_ID_BYTES)) {
        conn_refuse(c, ERR_INVALID, "malformed hello");
        return;
    }
    if (cluster.size != 0 && memcmp(cluster.data, s->options.cluster_id, STORE_ID_BYTES) != 0) {
        conn_refuse(c, ERR_IDENTITY, "etcdserver: cluster ID mismatch: this member belongs to another cluster; check the endpoints");
        return;
    }
    if (c->member_id != 0 && !conn_may(c, ROLE_MEMBER, NULL)) {
        conn_refuse(c, ERR_PERMISSION, "etcdserver: permission denied: this certificate is none of a member's");
        return;
    }
    if (s->quarantined && c->member_id == 0) {
        quarantine_refuse(c);
        return;
    }
    size_t mark = conn_frame(c, STORE_WELCOME);
    pack_bytes(&c->out, slice_of(s->options.cluster_id, STORE_ID_BYTES));
    pack_uint(&c->out, s->options.member_id);
    pack_uint(&c->out, KV_REQUEST_BYTES_MAX);
    conn_frame_end(c, mark);
    c->welcomed = true;
}

static void serve_ping(struct connection *c, struct unpack *u)
{
    uint64_t number = unpack_uint(u);
    size_t mark = conn_frame(c, STORE_PONG);
    pack_uint(&c->out, number);
    conn_frame_end(c, mark);
}

/* What does not depend on keys; for the rest see who serves it. */
static bool may_call(const struct connection *c, enum store_frame type)
{
    if (type == STORE_MEMBER)
        return conn_may(c, ROLE_MAINTENANCE, NULL) || conn_may(c, ROLE_MEMBER, NULL); /* a member that joins, or passes one on */
    if (type == STORE_SNAPSHOT)
        return conn_may(c, ROLE_MAINTENANCE, NULL); /* it is every key there is */
    return type == STORE_RANGE || conn_may(c, ROLE_READ, NULL) || conn_may(c, ROLE_WRITE, NULL) || conn_may(c, ROLE_MAINTENANCE, NULL) ||
           conn_may(c, ROLE_MEMBER, NULL);
}

/* A request with an id, which is answered by a result. */
static void serve_call(struct connection *c, enum store_frame type, struct unpack *u)
{
    uint64_t id = unpack_uint(u);
    if (u->bad)
        conn_refuse(c, ERR_INVALID, "malformed request");
    else if (c->call_count >= CONNECTION_CALLS_MAX)
        conn_store_error(c, id, STORE_TOO_MANY_REQUESTS, "too many under way on this connection");
    else if (!may_call(c, type))
        conn_store_error(c, id, STORE_PERMISSION_DENIED, "this certificate's roles do not allow it");
    else if (type == STORE_RANGE)
        serve_range(c, id, u);
    else if (type == STORE_WRITE)
        serve_write(c, id, u);
    else if (type == STORE_LEASES)
        serve_leases(c, id, u);
    else if (type == STORE_MEMBER)
        serve_member(c, id, u);
    else if (type == STORE_MEMBERS)
        serve_members(c, id, u);
    else if (type == STORE_SNAPSHOT)
        serve_snapshot(c, id, u);
    else
        serve_info(c, type, id);
}

static void serve_frame(struct connection *c, struct slice payload)
{
    if (payload.size < 2 || payload.data[0] != STORE_WIRE_FORMAT) {
        conn_refuse(c, ERR_FORMAT, "unknown format of a frame: this member speaks format 1");
        return;
    }
    enum store_frame type = (enum store_frame)(uint8_t)payload.data[1];
    struct unpack u = unpack_of(slice_from(payload, 2));
    c->server->metrics.requests_total++;
    if (!c->welcomed && type != STORE_HELLO) {
        conn_refuse(c, ERR_INVALID, "a hello must come first");
        return;
    }
    switch ((int)type) {
    case STORE_HELLO: serve_hello(c, &u); break;
    case STORE_PING: serve_ping(c, &u); break;
    case STORE_RANGE:
    case STORE_WRITE:
    case STORE_STATUS:
    case STORE_HASHKV:
    case STORE_LEASES:
    case STORE_MEMBER:
    case STORE_SNAPSHOT:
    case STORE_MEMBERS: serve_call(c, type, &u); break;
    case STORE_WATCH: serve_watch(c, &u); break;
    case STORE_WATCH_STOP: serve_watch_stop(c, &u); break;
    case STORE_WATCH_ASK: serve_watch_ask(c, &u); break;
    case STORE_FORWARD:
    case STORE_REPORT:
        if (c->member_id == 0)
            conn_refuse(c, ERR_PERMISSION, "etcdserver: permission denied: only members forward and report");
        else
            (type == STORE_FORWARD ? serve_forward : serve_report)(c, &u);
        break;
    default: conn_refuse(c, ERR_INVALID, "unknown type of a frame"); break;
    }
}

static void on_read(struct net_conn *net, struct slice bytes)
{
    struct connection *c = container_of(net, struct connection, net);
    struct err err;
    struct slice payload;
    int rv = 0;
    c->heard_ms = server_now_ms(c->server);
    buf_append_slice(&c->in, bytes);
    struct slice rest = buf_slice(&c->in);
    while (!c->closing && (rv = frame_next(&rest, STORE_FRAME_BYTES_MAX, &payload, &err)) == 1)
        serve_frame(c, payload);
    if (rv < 0)
        conn_refuse(c, rv, err.message);
    buf_consume(&c->in, c->in.size - rest.size);
    if (c->in.size == 0 && c->in.capacity > STORE_PART_BYTES)
        buf_release(&c->in);
}

static void on_open(struct net_conn *net)
{
    struct connection *c = container_of(net, struct connection, net);
    c->open = true;
    c->heard_ms = server_now_ms(c->server);
}

static void on_drain(struct net_conn *net) { pump_again(container_of(net, struct connection, net)->server); }

static void on_close(struct net_conn *net, const struct err *why)
{
    struct connection *c = container_of(net, struct connection, net);
    struct server *s = c->server;
    if (!c->open && why->code == ERR_TLS)
        log_warn(s->env->log, "refused a client's certificate", "address=%s why=\"%s\"", net->peer.address, why->message);
    c->closing = true;
    LIST_FOR_EACH(node, &c->reads)
        read_forget(container_of(node, struct read, link));
    LIST_FOR_EACH(write_node, &c->writes)
        write_forget(container_of(write_node, struct write, conn_link));
    LIST_FOR_EACH(watch_node, &c->watches)
        watch_free(container_of(watch_node, struct watch, conn_link));
    LIST_FOR_EACH(member_node, &c->member_calls)
        member_forget(member_call_of(member_node));
    snapshot_stream_forget(c->snapshot);
    list_remove(&c->dirty);
    list_remove(&c->link);
    s->connection_count--;
    buf_release(&c->in);
    buf_release(&c->out);
    mem_free(c);
    server_finish_close(s);
}

static struct net_conn *on_accept(struct net_listener *listener)
{
    static const struct net_conn_callbacks callbacks = {
        .on_open = on_open, .on_read = on_read, .on_drain = on_drain, .on_close = on_close};
    struct server *s = container_of(listener, struct server, listener);
    if (s->closing || s->connection_count >= SERVER_CONNECTIONS_MAX)
        return NULL;
    struct connection *c = NEW(struct connection);
    c->net.callbacks = &callbacks;
    c->server = s;
    c->heard_ms = server_now_ms(s);
    list_init(&c->dirty);
    list_init(&c->reads);
    list_init(&c->writes);
    list_init(&c->watches);
    list_init(&c->member_calls);
    list_push_back(&s->connections, &c->link);
    s->connection_count++;
    return &c->net;
}

/* --- life --- */

static void run_pump(struct deferred *d)
{
    struct server *s = container_of(d, struct server, pump);
    bool reads = reads_pump(s), watches = watches_pump(s);
    if (reads || watches)
        loop_defer(&s->env->loop, &s->pump);
}

static void close_silent(struct server *s)
{
    uint64_t now = server_now_ms(s);
    LIST_FOR_EACH(node, &s->connections)
    {
        struct connection *c = container_of(node, struct connection, link);
        if (c->open && c->heard_ms + SERVER_SILENCE_MS < now)
            conn_close(c, false);
    }
}

static void run_tick(struct timer *t)
{
    struct server *s = container_of(t, struct server, tick);
    loop_timer_start(&s->env->loop, &s->tick, SERVER_TICK_MS);
    close_silent(s);
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

static void on_listener_close(struct net_listener *listener)
{
    struct server *s = container_of(listener, struct server, listener);
    s->listener_closed = true;
    server_finish_close(s);
}

int server_new(struct env *env, const struct server_options *o, struct server **ret, struct err *reterr)
{
    struct server *s = NEW(struct server);
    struct list *lists[] = {&s->connections, &s->dirty, &s->retries, &s->pumped, &s->pumped_watches, &s->live, &s->writes,
                            &s->member_calls, &s->snapshots};
    for (size_t i = 0; i < ARRAY_LEN(lists); i++)
        list_init(lists[i]);
    s->env = env;
    s->options = *o;
    if (o->pending_bytes_max == 0)
        s->options.pending_bytes_max = CONNECTION_PENDING_BYTES_MAX;
    s->listener = (struct net_listener){.on_accept = on_accept, .on_close = on_listener_close};
    server_clock_follow(s, 0);
    server_clock_changed(s);
    s->revision_seen = mvcc_revision(server_store(s));
    deferred_init(&s->flush, run_flush);
    deferred_init(&s->pump, run_pump);
    deferred_init(&s->propose, writes_propose);
    timer_init(&s->tick, run_tick);
    int status = net_listen(&env->net, &s->listener, &(struct net_listen_options){.address = o->address, .tls = o->tls}, reterr);
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
    if (!s->closing || !s->listener_closed || s->connection_count > 0 || s->link != NULL || s->proposals > 0 ||
        s->reads_waiting > 0 || s->snapshot_count > 0)
        return;
    void (*closed)(void *arg) = s->closed;
    void *arg = s->closed_arg;
    writes_release(s);
    loop_undefer(&s->env->loop, &s->flush);
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
    net_listener_close(&s->env->net, &s->listener);
    link_close(s);
    LIST_FOR_EACH(node, &s->connections)
        conn_close(container_of(node, struct connection, link), true);
}

bool server_quarantined(const struct server *s) { return s->quarantined; }

void server_metrics(const struct server *s, struct server_metrics *ret)
{
    *ret = s->metrics;
    ret->connections = s->connection_count;
    ret->writes_waiting = s->writes_by_key.size;
    ret->space_low = s->space.low;
    ret->quarantined = s->quarantined;
}
