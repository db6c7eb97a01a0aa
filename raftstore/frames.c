#include "common/base.h"

#include "raftstore/frames.h"

#include "common/mem.h"
#include "common/wire/frame.h"
#include "raftstore/roles.h"
#include "raftstore/store_api.h"
#include "raftstore/store_limits.h"

struct frames {
    struct frames_options options;
    struct net_listener listener;
    struct list connections, dirty;
    size_t connection_count;
    struct deferred flush;
    struct frames_metrics metrics;
    bool closing, listener_closed;
};

struct connection {
    struct caller caller;
    struct net_conn net;
    struct frames *frames;
    struct buf in, out;     /* out: frames of this turn */
    struct list link;       /* in frames->connections */
    struct list dirty;      /* in frames->dirty while `out` holds something; awaited ones first */
    uint64_t heard_ms;
    size_t unsent_max;      /* above it the client counts as too slow; see too_slow */
    bool open, welcomed;
    bool awaited;           /* `out` holds more than events: an answer */
};

static struct connection *of_caller(struct caller *c) { return container_of(c, struct connection, caller); }
static uint64_t now_ms(const struct frames *f) { return clock_monotonic_ms(&f->options.env->clock); }

/* --- frames out --- */

static void conn_close(struct connection *c, bool flush)
{
    struct net *net = &c->frames->options.env->net;
    if (c->caller.closing)
        return;
    c->caller.closing = true;
    if (flush && c->out.size > 0) {
        struct slice part = buf_slice(&c->out);
        net_write(net, &c->net, &part, 1);
        buf_reset(&c->out);
    }
    net_close(net, &c->net, flush);
}

static size_t conn_frame(struct connection *c, enum store_frame type)
{
    size_t mark = frame_begin(&c->out);
    wire_begin(&c->out, type);
    if (type != STORE_EVENTS && !c->awaited) {
        c->awaited = true;
        list_remove(&c->dirty);
        list_push_front(&c->frames->dirty, &c->dirty);
    }
    return mark;
}

static void conn_frame_end(struct connection *c, size_t mark)
{
    struct frames *f = c->frames;
    frame_end(&c->out, mark);
    if (list_empty(&c->dirty))
        list_push_back(&f->dirty, &c->dirty);
    loop_defer(&f->options.env->loop, &f->flush);
}

static size_t conn_unsent(const struct connection *c) { return c->out.size + c->net.write_bytes_pending; }

/* Judged by what the client has not taken of earlier turns. What one turn has for it may be more than the bound by itself: the
 * events of a revision are never parted, and would be sent again and again to a client that is cut off for their size. */
static bool too_slow(struct connection *c)
{
    size_t bound = c->frames->options.pending_bytes_max;
    if (c->net.write_bytes_pending <= bound / 2)
        c->unsent_max = MAX(bound, conn_unsent(c) + bound / 2);
    return conn_unsent(c) > c->unsent_max;
}

static void conn_flush(struct connection *c)
{
    struct frames *f = c->frames;
    list_remove(&c->dirty);
    if (c->caller.closing)
        return;
    if (too_slow(c)) {
        f->metrics.slow_closed++;
        log_warn(f->options.env->log, "closed a client that does not read", "address=%s unsent_bytes=%zu", c->net.peer.address,
                 conn_unsent(c));
        conn_close(c, false);
        return;
    }
    struct slice part = buf_slice(&c->out);
    c->awaited = false;
    net_write(&f->options.env->net, &c->net, &part, 1);
    buf_reset(&c->out);
    if (c->out.capacity > STORE_PART_BYTES)
        buf_release(&c->out);
    if (c->net.write_bytes_pending == 0) /* then nothing will drain; and what stood in `out` may have made it full */
        caller_drained(&c->caller);
}

/* All that somebody waits for, which stands first, and a part of the rest: an event for thousands of watchers is spread over
 * turns, between which the next write is served. */
static void run_flush(struct deferred *d)
{
    struct frames *f = container_of(d, struct frames, flush);
    size_t events = 0;
    LIST_FOR_EACH(node, &f->dirty)
    {
        struct connection *c = container_of(node, struct connection, dirty);
        if (!c->awaited && events > FLUSH_TURN_BYTES) {
            loop_defer(&f->options.env->loop, &f->flush);
            return;
        }
        events += c->awaited ? 0 : c->out.size + FLUSH_CONNECTION_BYTES;
        conn_flush(c);
    }
}

/* --- answers --- */

static size_t result_frame(struct connection *c, uint64_t id, const struct kv_header *h)
{
    size_t mark = conn_frame(c, STORE_RESULT);
    pack_uint(&c->out, id);
    pack_uint(&c->out, h->term);
    return mark;
}

static size_t answer_begin(struct connection *c, uint64_t id, const struct kv_header *h, enum store_result_kind kind)
{
    size_t mark = result_frame(c, id, h);
    result_begin(&c->out, h->revision, kind);
    return mark;
}

static void put_error(struct caller *caller, uint64_t id, const struct kv_header *h, int status, const char *message)
{
    struct connection *c = of_caller(caller);
    size_t mark = result_frame(c, id, h);
    result_error(&c->out, h->revision, status, message);
    conn_frame_end(c, mark);
}

static void put_written(struct caller *caller, uint64_t id, const struct kv_header *h, struct slice result)
{
    struct connection *c = of_caller(caller);
    size_t mark = result_frame(c, id, h);
    buf_append_slice(&c->out, result); /* the protocol is the state machine's own encoding */
    conn_frame_end(c, mark);
}

static void put_range(struct caller *caller, uint64_t id, const struct kv_header *h, const struct kv_range_result *last)
{
    struct connection *c = of_caller(caller);
    size_t mark = answer_begin(c, id, h, RESULT_RANGE);
    range_result_encode(&c->out, last);
    conn_frame_end(c, mark);
}

static void put_status(struct caller *caller, uint64_t id, const struct kv_header *h, const struct member_status *m)
{
    struct connection *c = of_caller(caller);
    const struct driver_status *d = &m->consensus;
    const uint64_t numbers[] = {d->member_id,  d->leader,         d->term,      d->commit_index,
                                d->applied_index, d->last_index,  d->snapshot_index, d->log_bytes,
                                (uint64_t)m->compact_revision, m->state_bytes, (uint64_t)d->role, m->learner,
                                m->connections, m->watches, m->requests_total, m->disk_free_bytes};
    size_t mark = answer_begin(c, id, h, RESULT_STATUS);
    for (size_t i = 0; i < ARRAY_LEN(numbers); i++)
        pack_uint(&c->out, numbers[i]);
    conn_frame_end(c, mark);
}

static void put_hash(struct caller *caller, uint64_t id, const struct kv_header *h, const struct member_hash *m)
{
    struct connection *c = of_caller(caller);
    size_t mark = answer_begin(c, id, h, RESULT_HASHKV);
    pack_uint(&c->out, m->keys);
    pack_int(&c->out, m->compact_revision);
    pack_uint(&c->out, m->index);
    pack_uint(&c->out, m->state);
    conn_frame_end(c, mark);
}

static void put_leases(struct caller *caller, uint64_t id, const struct kv_header *h, const struct lease_list *l)
{
    struct connection *c = of_caller(caller);
    size_t mark = answer_begin(c, id, h, RESULT_LEASES);
    pack_uint(&c->out, l->count);
    for (size_t i = 0; i < l->count; i++)
        lease_encode(&c->out, l->leases[i], l->now_ms, l->with_keys);
    conn_frame_end(c, mark);
}

static void put_members(struct caller *caller, uint64_t id, const struct kv_header *h, const struct configuration *members)
{
    struct connection *c = of_caller(caller);
    size_t mark = answer_begin(c, id, h, RESULT_MEMBERS);
    members_encode(&c->out, members);
    conn_frame_end(c, mark);
}

static void put_snapshot(struct caller *caller, uint64_t id, const struct kv_header *h, struct slice bytes, bool last)
{
    struct connection *c = of_caller(caller);
    size_t mark = answer_begin(c, id, h, RESULT_SNAPSHOT);
    pack_bytes(&c->out, bytes);
    pack_bool(&c->out, last);
    conn_frame_end(c, mark);
}

static void put_part(struct caller *caller, uint64_t id, const struct kv *kvs, size_t n)
{
    struct connection *c = of_caller(caller);
    size_t mark = conn_frame(c, STORE_RANGE_PART);
    pack_uint(&c->out, id);
    pack_uint(&c->out, n);
    for (size_t i = 0; i < n; i++)
        kv_encode(&c->out, &kvs[i]);
    conn_frame_end(c, mark);
}

/* --- watches --- */

static void put_events(struct caller *caller, uint64_t watch, int64_t revision, bool end, size_t n, struct slice events)
{
    struct connection *c = of_caller(caller);
    size_t mark = conn_frame(c, STORE_EVENTS);
    pack_uint(&c->out, watch);
    pack_int(&c->out, revision);
    pack_bool(&c->out, end);
    pack_uint(&c->out, n);
    buf_append_slice(&c->out, events);
    conn_frame_end(c, mark);
}

static void put_progress(struct caller *caller, uint64_t watch, int64_t revision, bool asked)
{
    struct connection *c = of_caller(caller);
    size_t mark = conn_frame(c, STORE_PROGRESS);
    pack_uint(&c->out, watch);
    pack_int(&c->out, revision);
    pack_bool(&c->out, asked);
    conn_frame_end(c, mark);
}

static void put_closed(struct caller *caller, uint64_t watch, int status, int64_t compact_revision, const char *message)
{
    struct connection *c = of_caller(caller);
    size_t mark = conn_frame(c, STORE_CLOSED);
    pack_uint(&c->out, watch);
    pack_int(&c->out, status);
    pack_int(&c->out, compact_revision);
    pack_bytes(&c->out, slice_str(message));
    conn_frame_end(c, mark);
}

static bool is_full(const struct caller *caller)
{
    const struct connection *c = container_of(caller, struct connection, caller);
    return conn_unsent(c) > MIN((size_t)CONNECTION_PART_WINDOW, c->frames->options.pending_bytes_max / 2);
}

static void refuse(struct caller *caller, int status, const char *message)
{
    struct connection *c = of_caller(caller);
    if (caller->closing)
        return;
    size_t mark = conn_frame(c, STORE_REFUSED);
    pack_int(&c->out, status);
    pack_bytes(&c->out, slice_str(message));
    conn_frame_end(c, mark);
    log_warn(c->frames->options.env->log, "refused a client", "address=%s why=\"%s\"", c->net.peer.address, message);
    conn_close(c, true);
}

static const struct caller_front front = {
    .error = put_error, .written = put_written, .range = put_range, .status = put_status, .hash = put_hash, .leases = put_leases,
    .members = put_members, .snapshot = put_snapshot, .part = put_part, .format = CALLER_FRAMES, .event_encode = event_encode,
    .events = put_events, .progress = put_progress, .closed = put_closed, .full = is_full, .refuse = refuse};

/* --- frames in: who it is --- */

static void on_hello(struct connection *c, struct unpack *u)
{
    const struct frames_options *o = &c->frames->options;
    struct slice cluster = unpack_bytes(u);
    struct err why;
    c->caller.member_id = unpack_uint(u);
    if (u->bad || (cluster.size != 0 && cluster.size != STORE_ID_BYTES)) {
        refuse(&c->caller, ERR_INVALID, "malformed hello");
        return;
    }
    if (cluster.size != 0 && memcmp(cluster.data, o->cluster_id, STORE_ID_BYTES) != 0) {
        refuse(&c->caller, ERR_IDENTITY, "etcdserver: cluster ID mismatch: this member belongs to another cluster; check the endpoints");
        return;
    }
    if (c->caller.member_id != 0 && !caller_may(&c->caller, ROLE_MEMBER, NULL)) {
        refuse(&c->caller, ERR_PERMISSION, "etcdserver: permission denied: this certificate is none of a member's");
        return;
    }
    int status = server_trusted(o->server, &why);
    if (status != 0 && c->caller.member_id == 0) {
        refuse(&c->caller, status, why.message);
        return;
    }
    size_t mark = conn_frame(c, STORE_WELCOME);
    pack_bytes(&c->out, slice_of(o->cluster_id, STORE_ID_BYTES));
    pack_uint(&c->out, o->member_id);
    pack_uint(&c->out, KV_REQUEST_BYTES_MAX);
    conn_frame_end(c, mark);
    c->welcomed = true;
}

static void on_ping(struct connection *c, struct unpack *u)
{
    uint64_t number = unpack_uint(u);
    size_t mark = conn_frame(c, STORE_PONG);
    pack_uint(&c->out, number);
    conn_frame_end(c, mark);
}

/* --- frames in: requests with an id --- */

static void malformed(struct connection *c, uint64_t id, const char *what)
{
    caller_error(&c->caller, id, ERR_INVALID, what);
}

static void on_range(struct connection *c, uint64_t id, struct unpack *u)
{
    struct kv_range range;
    if (range_decode(u, &range))
        serve_range(&c->caller, id, &range);
    else
        malformed(c, id, "malformed range");
}

static void on_write(struct connection *c, uint64_t id, struct unpack *u)
{
    struct store_command command;
    if (command_decode(u, &command))
        serve_write(&c->caller, id, &command);
    else
        malformed(c, id, "malformed write");
}

static void on_status(struct connection *c, uint64_t id, struct unpack *u)
{
    (void)u;
    serve_status(&c->caller, id);
}

static void on_hash(struct connection *c, uint64_t id, struct unpack *u)
{
    (void)u;
    serve_hash(&c->caller, id);
}

static void on_leases(struct connection *c, uint64_t id, struct unpack *u)
{
    int64_t lease = unpack_int(u);
    bool with_keys = unpack_bool(u);
    if (unpack_done(u))
        serve_leases(&c->caller, id, lease, with_keys);
    else
        malformed(c, id, "malformed request about leases");
}

static void on_members(struct connection *c, uint64_t id, struct unpack *u)
{
    bool serializable = unpack_bool(u);
    if (!u->bad)
        serve_members(&c->caller, id, serializable);
    else
        malformed(c, id, "malformed request for the members");
}

static void on_member(struct connection *c, uint64_t id, struct unpack *u)
{
    struct member_request m;
    if (member_request_decode(u, &m))
        serve_member(&c->caller, id, &m);
    else
        malformed(c, id, "malformed request about members");
}

static void on_snapshot(struct connection *c, uint64_t id, struct unpack *u)
{
    uint64_t number = unpack_uint(u);
    if (!u->bad)
        serve_snapshot(&c->caller, id, number);
    else
        malformed(c, id, "malformed request for a snapshot");
}

/* --- frames in: watches --- */

static void on_watch(struct connection *c, struct unpack *u)
{
    struct watch_request w = {.id = unpack_uint(u), .span = span_decode(u)};
    w.start_revision = unpack_int(u);
    w.prev_kv = unpack_bool(u);
    w.progress_ms = unpack_below(u, UINT32_MAX);
    w.filters = (unsigned)unpack_below(u, WATCH_FILTERS_END);
    if (unpack_done(u))
        serve_watch(&c->caller, &w);
    else
        refuse(&c->caller, ERR_INVALID, "malformed watch");
}

static void on_watch_stop(struct connection *c, struct unpack *u) { serve_watch_stop(&c->caller, unpack_uint(u)); }
static void on_watch_ask(struct connection *c, struct unpack *u) { serve_watch_ask(&c->caller, unpack_uint(u)); }

/* --- frames in: from members --- */

/* The member that forwards answers its client from its own apply; only a refusal goes back. */
static void on_forward(struct connection *c, struct unpack *u)
{
    struct slice bytes = u->in;
    struct store_command command;
    bool ok = command_decode(u, &command);
    int status = ok ? serve_forwarded(c->frames->options.server, slice_of(bytes.data, bytes.size - u->in.size)) : ERR_INVALID;
    if (status == ERR_INVALID) {
        refuse(&c->caller, status, "malformed forwarded write");
    } else if (status != 0) {
        size_t mark = conn_frame(c, STORE_BOUNCED);
        pack_bytes(&c->out, slice_of(command.client, STORE_ID_BYTES));
        pack_uint(&c->out, command.sequence);
        pack_int(&c->out, status);
        conn_frame_end(c, mark);
    }
}

static void on_report(struct connection *c, struct unpack *u)
{
    bool low = unpack_bool(u);
    uint64_t index = unpack_uint(u), hash = unpack_uint(u);
    if (!unpack_done(u)) {
        refuse(&c->caller, ERR_INVALID, "malformed report");
    } else if (serve_report(c->frames->options.server, c->caller.member_id, low, index, hash)) {
        size_t mark = conn_frame(c, STORE_VERDICT);
        pack_bool(&c->out, true);
        conn_frame_end(c, mark);
    }
}

/* --- frames in --- */

struct frame_row {
    void (*call)(struct connection *c, uint64_t id, struct unpack *u); /* a request: its id comes first; or */
    void (*serve)(struct connection *c, struct unpack *u);
    bool from_members; /* only */
};

static const struct frame_row rows[] = {
    [STORE_HELLO] = {.serve = on_hello},           [STORE_PING] = {.serve = on_ping},
    [STORE_RANGE] = {.call = on_range},            [STORE_WRITE] = {.call = on_write},
    [STORE_STATUS] = {.call = on_status},          [STORE_HASHKV] = {.call = on_hash},
    [STORE_LEASES] = {.call = on_leases},          [STORE_MEMBERS] = {.call = on_members},
    [STORE_MEMBER] = {.call = on_member},          [STORE_SNAPSHOT] = {.call = on_snapshot},
    [STORE_WATCH] = {.serve = on_watch},           [STORE_WATCH_STOP] = {.serve = on_watch_stop},
    [STORE_WATCH_ASK] = {.serve = on_watch_ask},   [STORE_FORWARD] = {.serve = on_forward, .from_members = true},
    [STORE_REPORT] = {.serve = on_report, .from_members = true},
};

static void on_call(struct connection *c, const struct frame_row *row, struct unpack *u)
{
    uint64_t id = unpack_uint(u);
    if (u->bad)
        refuse(&c->caller, ERR_INVALID, "malformed request");
    else
        row->call(c, id, u);
}

static void on_frame(struct connection *c, struct slice payload)
{
    if (payload.size < 2 || payload.data[0] != STORE_WIRE_FORMAT) {
        refuse(&c->caller, ERR_FORMAT, "unknown format of a frame: this member speaks format 1");
        return;
    }
    uint8_t type = (uint8_t)payload.data[1];
    const struct frame_row *row = type < ARRAY_LEN(rows) ? &rows[type] : NULL;
    struct unpack u = unpack_of(slice_from(payload, 2));
    c->frames->metrics.requests_total++;
    if (!c->welcomed && type != STORE_HELLO)
        refuse(&c->caller, ERR_INVALID, "a hello must come first");
    else if (row == NULL || (row->call == NULL && row->serve == NULL))
        refuse(&c->caller, ERR_INVALID, "unknown type of a frame");
    else if (row->from_members && c->caller.member_id == 0)
        refuse(&c->caller, ERR_PERMISSION, "etcdserver: permission denied: only members forward and report");
    else if (row->call != NULL)
        on_call(c, row, &u);
    else
        row->serve(c, &u);
}

static void on_read(struct net_conn *net, struct slice bytes)
{
    struct connection *c = container_of(net, struct connection, net);
    struct err err;
    struct slice payload;
    int rv = 0;
    c->heard_ms = now_ms(c->frames);
    buf_append_slice(&c->in, bytes);
    struct slice rest = buf_slice(&c->in);
    while (!c->caller.closing && (rv = frame_next(&rest, STORE_FRAME_BYTES_MAX, &payload, &err)) == 1)
        on_frame(c, payload);
    if (rv < 0)
        refuse(&c->caller, rv, err.message);
    buf_consume(&c->in, c->in.size - rest.size);
    if (c->in.size == 0 && c->in.capacity > STORE_PART_BYTES)
        buf_release(&c->in);
}

/* --- connections --- */

static void on_open(struct net_conn *net)
{
    struct connection *c = container_of(net, struct connection, net);
    c->open = true;
    c->heard_ms = now_ms(c->frames);
}

static void on_drain(struct net_conn *net) { caller_drained(&container_of(net, struct connection, net)->caller); }

/* `closed` may end the server, which the caller must have left by then. */
static void finish_close(struct frames *f)
{
    if (!f->closing || !f->listener_closed || f->connection_count > 0)
        return;
    void (*closed)(void *arg) = f->options.closed;
    void *arg = f->options.arg;
    loop_undefer(&f->options.env->loop, &f->flush);
    mem_free(f);
    closed(arg);
}

static void on_close(struct net_conn *net, const struct err *why)
{
    struct connection *c = container_of(net, struct connection, net);
    struct frames *f = c->frames;
    if (!c->open && why->code == ERR_TLS)
        log_warn(f->options.env->log, "refused a client's certificate", "address=%s why=\"%s\"", net->peer.address, why->message);
    c->caller.closing = true;
    caller_end(&c->caller);
    list_remove(&c->dirty);
    list_remove(&c->link);
    f->connection_count--;
    buf_release(&c->in);
    buf_release(&c->out);
    mem_free(c);
    finish_close(f);
}

static struct net_conn *on_accept(struct net_listener *listener)
{
    static const struct net_conn_callbacks callbacks = {
        .on_open = on_open, .on_read = on_read, .on_drain = on_drain, .on_close = on_close};
    struct frames *f = container_of(listener, struct frames, listener);
    if (f->closing || f->connection_count >= SERVER_CONNECTIONS_MAX)
        return NULL;
    struct connection *c = NEW(struct connection);
    c->net.callbacks = &callbacks;
    c->frames = f;
    c->heard_ms = now_ms(f);
    caller_begin(&c->caller, f->options.server, &front, &c->net.peer);
    list_init(&c->dirty);
    list_push_back(&f->connections, &c->link);
    f->connection_count++;
    return &c->net;
}

/* --- life --- */

static void on_listener_close(struct net_listener *listener)
{
    struct frames *f = container_of(listener, struct frames, listener);
    f->listener_closed = true;
    finish_close(f);
}

int frames_new(const struct frames_options *o, struct frames **ret, struct err *reterr)
{
    struct frames *f = NEW(struct frames);
    f->options = *o;
    if (o->pending_bytes_max == 0)
        f->options.pending_bytes_max = CONNECTION_PENDING_BYTES_MAX;
    list_init(&f->connections);
    list_init(&f->dirty);
    deferred_init(&f->flush, run_flush);
    f->listener = (struct net_listener){.on_accept = on_accept, .on_close = on_listener_close};
    int status = net_listen(&o->env->net, &f->listener, &(struct net_listen_options){.address = o->address, .tls = o->tls}, reterr);
    if (status != 0) {
        mem_free(f);
        return status;
    }
    *ret = f;
    return 0;
}

void frames_tick(struct frames *f)
{
    uint64_t now = now_ms(f);
    LIST_FOR_EACH(node, &f->connections)
    {
        struct connection *c = container_of(node, struct connection, link);
        if (c->open && c->heard_ms + SERVER_SILENCE_MS < now)
            conn_close(c, false);
    }
}

void frames_close(struct frames *f)
{
    f->closing = true;
    net_listener_close(&f->options.env->net, &f->listener);
    LIST_FOR_EACH(node, &f->connections)
        conn_close(container_of(node, struct connection, link), true);
}

void frames_metrics(const struct frames *f, struct frames_metrics *ret)
{
    *ret = f->metrics;
    ret->connections = f->connection_count;
}
