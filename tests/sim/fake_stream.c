/* Byte streams between hosts: clients and members, and members that forward. Faults permitted: bytes arrive late and in other
 * pieces than they were written; while a direction is cut they wait; a connection breaks at any moment, at one side earlier
 * than at the other; a host that crashed may leave the other side in the dark until it writes; a connection attempt is refused
 * or never answered. Not permitted: changed, lost or doubled bytes within a connection that lives.
 *
 *   connect ──SYN──▶ accepted, open ──ANSWER──▶ open ──END or RESET, or its own close──▶ closed
 *
 * Each end has an inbox in order of arrival and one event that looks at its head. */
#include "common/base.h"

#include "tests/sim/sim.h"

#include "common/mem.h"

#include <stdio.h>
#include <stdlib.h>

#define CUT_POLL_US (10 * MS)
#define UNACKED_US (15000 * MS) /* then the sender's own side gives up, as uv_net does */
#define RETRANSMIT_US (200 * MS)

enum segment_kind { SEGMENT_SYN, SEGMENT_ANSWER, SEGMENT_DATA, SEGMENT_ACK, SEGMENT_END, SEGMENT_RESET };

struct segment {
    struct list link;
    enum segment_kind kind;
    uint64_t at_us, sent_us;
    size_t size; /* of an ACK */
    struct bytes *bytes;
};

struct stream_end {
    struct fake_stream *stream;
    struct sim_node *host;
    uint32_t generation;  /* of the host when it began */
    struct net_conn *net; /* NULL: not there yet, or closed */
    struct list inbox;
    uint64_t last_us;     /* arrival of the newest one in it */
    size_t unacked;
    bool closing;
    struct sim_event turn;
    struct deferred closed;
    struct timer timeout; /* of connecting */
};

struct fake_stream {
    struct list link; /* in sim->streams */
    struct sim *sim;
    size_t window;    /* what the kernel takes without being asked to wait */
    unsigned busy;    /* turns under way */
    struct stream_end ends[2]; /* who connects, who accepts */
};

static struct stream_end *other(struct stream_end *e) { return &e->stream->ends[e == &e->stream->ends[0]]; }
static bool gone(const struct stream_end *e) { return e->generation != e->host->generation || !e->host->up; }

static void segment_free(struct segment *g)
{
    list_remove(&g->link);
    bytes_unref(g->bytes);
    mem_free(g);
}

static void inbox_clear(struct stream_end *e)
{
    LIST_FOR_EACH(node, &e->inbox)
        segment_free(container_of(node, struct segment, link));
}

static void stream_settle(struct fake_stream *f)
{
    if (f->busy > 0 || f->ends[0].net != NULL || f->ends[1].net != NULL)
        return;
    for (size_t i = 0; i < 2; i++) {
        inbox_clear(&f->ends[i]);
        heap_remove(&f->sim->events, &f->ends[i].turn.heap);
    }
    list_remove(&f->link);
    mem_free(f);
}

static void arm(struct stream_end *e, uint64_t at_us)
{
    struct sim *s = e->stream->sim;
    heap_remove(&s->events, &e->turn.heap);
    sim_schedule(s, &e->turn, at_us > s->now_us ? at_us - s->now_us : 0);
}

/* On its way to `e`. */
static void post(struct stream_end *e, enum segment_kind kind, struct bytes *bytes, size_t size)
{
    struct sim *s = e->stream->sim;
    struct segment *g = NEW(struct segment);
    uint64_t delay = s->net.delay_min_us + sim_below(s, s->net.delay_max_us - s->net.delay_min_us + 1);
    if (kind == SEGMENT_RESET)
        inbox_clear(e);
    if (sim_chance(s, s->net.loss_permille))
        delay += RETRANSMIT_US;
    g->kind = kind;
    g->bytes = bytes;
    g->size = size;
    g->sent_us = s->now_us;
    g->at_us = e->last_us = MAX(e->last_us, s->now_us + delay);
    if (list_empty(&e->inbox))
        arm(e, g->at_us);
    list_push_back(&e->inbox, &g->link);
}

static void finish(struct stream_end *e, int code, const char *message)
{
    struct net_conn *net = e->net;
    struct err why;
    if (net == NULL)
        return;
    err_set(&why, code, "%s", message);
    loop_timer_stop(&e->host->env.loop, &e->timeout);
    loop_undefer(&e->host->env.loop, &e->closed);
    e->net = NULL;
    e->closing = true;
    net->callbacks->on_close(net, &why);
}

static void update_pending(struct stream_end *e)
{
    size_t before = e->net->write_bytes_pending;
    e->net->write_bytes_pending = e->unacked > e->stream->window ? e->unacked - e->stream->window : 0;
    if (before > 0 && e->net->write_bytes_pending == 0 && e->net->callbacks->on_drain != NULL)
        e->net->callbacks->on_drain(e->net);
}

static void receive_syn(struct stream_end *e)
{
    struct net_listener *l = e->host->up ? e->host->listener : NULL;
    struct net_conn *net = l == NULL ? NULL : l->on_accept(l);
    if (!e->host->up && sim_chance(e->stream->sim, 500))
        return; /* nobody answers */
    if (net == NULL) {
        post(other(e), SEGMENT_RESET, NULL, 0);
        return;
    }
    e->generation = e->host->generation;
    e->net = net;
    net->impl = e;
    (void)snprintf(net->peer.address, sizeof net->peer.address, "host:%zu", other(e)->host->index);
    post(other(e), SEGMENT_ANSWER, NULL, 0);
    if (net->callbacks->on_open != NULL)
        net->callbacks->on_open(net);
}

static void receive(struct stream_end *e, struct segment *g)
{
    switch (g->kind) {
    case SEGMENT_SYN: receive_syn(e); break;
    case SEGMENT_ANSWER:
        loop_timer_stop(&e->host->env.loop, &e->timeout);
        e->net->callbacks->on_open(e->net);
        break;
    case SEGMENT_DATA:
        post(other(e), SEGMENT_ACK, NULL, g->bytes->size);
        sim_trace(e->stream->sim, 8, e->host->index, hash_bytes(bytes_slice(g->bytes)));
        e->net->callbacks->on_read(e->net, bytes_slice(g->bytes));
        break;
    case SEGMENT_ACK:
        e->unacked -= MIN(e->unacked, g->size);
        update_pending(e);
        break;
    case SEGMENT_END: finish(e, ERR_EOF, "the other side closed the connection"); break;
    case SEGMENT_RESET: finish(e, ERR_EOF, "connection reset"); break;
    }
}

/* Nobody is there to take it: closed, or the host has crashed. */
static void receive_nobody(struct stream_end *e, struct segment *g)
{
    struct sim *s = e->stream->sim;
    bool data = g->kind == SEGMENT_DATA || g->kind == SEGMENT_ANSWER;
    bool late = s->now_us - g->sent_us > UNACKED_US;
    if (data && !e->host->up && !late) {
        arm(e, s->now_us + 5 * CUT_POLL_US); /* it is sent again and again */
        return;
    }
    inbox_clear(e);
    if (data)
        post(other(e), SEGMENT_RESET, NULL, 0);
}

/* The head of the inbox. True: it was dealt with, look at the next. */
static bool look(struct stream_end *e, struct segment *g)
{
    struct sim *s = e->stream->sim;
    bool cut = s->net.blocked[other(e)->host->index][e->host->index];
    if (cut && s->now_us - g->sent_us > UNACKED_US) {
        inbox_clear(e);
        finish(other(e), ERR_TIMEOUT, "the other side takes nothing");
    } else if (cut) {
        arm(e, s->now_us + CUT_POLL_US);
    } else if (g->kind != SEGMENT_SYN && (e->net == NULL || e->closing || gone(e))) {
        receive_nobody(e, g);
    } else if (e->host->up && e->host->paused_until_us > s->now_us) {
        arm(e, e->host->paused_until_us);
    } else {
        list_remove(&g->link);
        receive(e, g);
        segment_free(g);
        return true;
    }
    return false;
}

static void settle_hosts(struct fake_stream *f)
{
    for (size_t i = 0; i < 2; i++)
        if (f->ends[i].host->up && f->ends[i].host->paused_until_us <= f->sim->now_us) {
            sim_node_drain(f->ends[i].host);
            check_node(f->ends[i].host);
        }
}

static void turn(struct sim *s, struct sim_event *event)
{
    struct stream_end *e = container_of(event, struct stream_end, turn);
    struct fake_stream *f = e->stream;
    struct segment *g = LIST_FIRST(&e->inbox, struct segment, link);
    if (g == NULL)
        return;
    f->busy++;
    if (g->at_us > s->now_us) {
        arm(e, g->at_us);
    } else {
        if (look(e, g) && (g = LIST_FIRST(&e->inbox, struct segment, link)) != NULL)
            arm(e, g->at_us);
        settle_hosts(f);
    }
    f->busy--;
    stream_settle(f);
}

/* --- the seam --- */

static int net_listen_op(void *impl, struct net_listener *l, const struct net_listen_options *o, struct err *reterr)
{
    struct sim_node *n = impl;
    (void)o, (void)reterr;
    n->listener = l;
    l->impl = n;
    return 0;
}

static int net_port_op(struct net_listener *l) { return (int)((struct sim_node *)l->impl)->index; }

static void listener_closed(struct deferred *d)
{
    struct sim_node *n = container_of(d, struct sim_node, listener_closed);
    struct net_listener *l = n->listener;
    n->listener = NULL;
    l->on_close(l);
}

static void listener_close_op(struct net_listener *l)
{
    struct sim_node *n = l->impl;
    deferred_init(&n->listener_closed, listener_closed);
    loop_defer(&n->env.loop, &n->listener_closed);
}

static void run_closed(struct deferred *d)
{
    struct stream_end *e = container_of(d, struct stream_end, closed);
    finish(e, ERR_CANCELED, "closed");
    stream_settle(e->stream);
}

static void run_timeout(struct timer *t)
{
    struct stream_end *e = container_of(t, struct stream_end, timeout);
    finish(e, ERR_TIMEOUT, "no answer to the connection in time");
    stream_settle(e->stream);
}

static struct sim_node *host_of(struct sim *s, const char *address)
{
    const char *colon = strchr(address, ':');
    uint64_t origin = colon == NULL ? 0 : strtoull(colon + 1, NULL, 10);
    for (size_t i = s->members; i > 0; i--)
        if (s->nodes[i - 1].origin == origin)
            return &s->nodes[i - 1];
    return NULL;
}

static void end_init(struct fake_stream *f, size_t i, struct sim_node *host)
{
    struct stream_end *e = &f->ends[i];
    e->stream = f;
    e->host = host;
    e->generation = host->generation;
    e->turn.run = turn;
    list_init(&e->inbox);
    deferred_init(&e->closed, run_closed);
    timer_init(&e->timeout, run_timeout);
}

static void connect_op(void *impl, struct net_conn *c, const struct net_connect_options *o)
{
    struct sim_node *from = impl, *to = host_of(from->sim, o->address);
    struct sim *s = from->sim;
    struct fake_stream *f = NEW(struct fake_stream);
    ASSERT(to != NULL);
    f->sim = s;
    f->window = 1024 + sim_below(s, 64 * 1024);
    if (s->pending_bytes != 0)
        f->window /= 64; /* else pauses are too short for a client to fall behind */
    list_push_back(&s->streams, &f->link);
    end_init(f, 0, from);
    end_init(f, 1, to);
    f->ends[0].net = c;
    c->impl = &f->ends[0];
    loop_timer_start(&from->env.loop, &f->ends[0].timeout, o->timeout_ms != 0 ? o->timeout_ms : 5000);
    if (from->up)
        post(&f->ends[1], SEGMENT_SYN, NULL, 0);
}

/* As one piece or two: what was written together need not arrive together. */
static void write_op(struct net_conn *c, const struct slice *parts, size_t n)
{
    struct stream_end *e = c->impl;
    struct buf all = {0};
    if (e->closing || !e->host->up)
        return;
    for (size_t i = 0; i < n; i++)
        buf_append_slice(&all, parts[i]);
    size_t first = all.size > 1 && sim_chance(e->stream->sim, 150) ? 1 + sim_below(e->stream->sim, all.size - 1) : all.size;
    if (first > 0)
        post(other(e), SEGMENT_DATA, bytes_new(slice_of(all.data, first)), 0);
    if (first < all.size)
        post(other(e), SEGMENT_DATA, bytes_new(slice_of(all.data + first, all.size - first)), 0);
    e->unacked += all.size;
    update_pending(e);
    buf_release(&all);
}

static void read_pause_op(struct net_conn *c, bool paused)
{
    (void)c, (void)paused;
    PANIC("the store's front has begun to pause reading: teach it to the simulated streams");
}

static void close_op(struct net_conn *c, bool flush)
{
    struct stream_end *e = c->impl;
    if (e->closing)
        return;
    e->closing = true;
    if (e->host->up)
        post(other(e), flush || sim_chance(e->stream->sim, 500) ? SEGMENT_END : SEGMENT_RESET, NULL, 0);
    loop_defer(&e->host->env.loop, &e->closed);
}

static const struct net_ops ops = {
    .listen = net_listen_op, .port = net_port_op, .listener_close = listener_close_op, .connect = connect_op,
    .write = write_op, .read_pause = read_pause_op, .close = close_op};

struct net fake_stream_net(struct sim_node *n) { return (struct net){&ops, n}; }

/* --- faults --- */

void fake_stream_crash(struct sim_node *n)
{
    struct sim *s = n->sim;
    bool told = sim_chance(s, 500); /* the kernel lives on and closes; else the machine is gone */
    LIST_FOR_EACH(node, &s->streams)
    {
        struct fake_stream *f = container_of(node, struct fake_stream, link);
        for (size_t i = 0; i < 2; i++) {
            struct stream_end *e = &f->ends[i];
            if (e->host != n || e->net == NULL)
                continue;
            inbox_clear(e);
            if (told && !e->closing)
                post(other(e), SEGMENT_END, NULL, 0);
        }
    }
}

void fake_stream_break(struct sim *s)
{
    size_t count = 0;
    LIST_FOR_EACH(node, &s->streams)
        count++;
    if (count == 0)
        return;
    size_t pick = sim_below(s, count);
    LIST_FOR_EACH(chosen, &s->streams)
    {
        if (pick-- > 0)
            continue;
        struct fake_stream *f = container_of(chosen, struct fake_stream, link);
        for (size_t i = 0; i < 2; i++)
            post(&f->ends[i], SEGMENT_RESET, NULL, 0);
        return;
    }
}
