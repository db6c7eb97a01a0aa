/* Messages between members. Faults permitted: a message may be lost, arrive late, twice or after later ones, and reach a
 * member that was restarted since; a direction may be cut for any time. Not permitted: changed bytes, a wrong sender. */
#include "common/base.h"

#include "tests/sim/sim.h"

#include "common/mem.h"

#include <stdio.h>

#define WINDOW_BYTES (8u * 1024 * 1024)

struct delivery {
    struct sim_event event;
    struct sim_node *from, *to;
    struct bytes *bytes;
};

static void delivery_drop(struct sim *s, struct sim_event *e)
{
    struct delivery *d = container_of(e, struct delivery, event);
    (void)s;
    bytes_unref(d->bytes);
    mem_free(d);
}

static void print(struct sim *s, const struct delivery *d)
{
    struct peer_message m;
    fprintf(stderr, "%llu us: %zu to %zu: ", (unsigned long long)s->now_us, d->from->index, d->to->index);
    if (peer_message_decode(bytes_slice(d->bytes), d->from->id, d->to->id, &m, NULL) != 0)
        return;
    if (m.kind != PEER_CONSENSUS)
        fprintf(stderr, "kind %d\n", (int)m.kind);
    else if (m.consensus.kind == MESSAGE_APPEND)
        fprintf(stderr, "append term %llu prev %llu/%llu entries %zu commit %llu\n",
                (unsigned long long)m.consensus.append.term, (unsigned long long)m.consensus.append.prev_index,
                (unsigned long long)m.consensus.append.prev_term, m.consensus.entry_count,
                (unsigned long long)m.consensus.append.leader_commit);
    else if (m.consensus.kind == MESSAGE_APPEND_RESULT)
        fprintf(stderr, "append result term %llu rejected %llu last %llu\n",
                (unsigned long long)m.consensus.append_result.term, (unsigned long long)m.consensus.append_result.rejected,
                (unsigned long long)m.consensus.append_result.last_index);
    else
        fprintf(stderr, "message %d\n", (int)m.consensus.kind);
    peer_message_release(&m);
}

static void deliver(struct sim *s, struct sim_event *e)
{
    struct delivery *d = container_of(e, struct delivery, event);
    struct err why;
    if (s->options.verbose)
        print(s, d);
    sim_trace(s, 5, d->from->index * 16 + d->to->index, hash_bytes(bytes_slice(d->bytes)));
    if (d->to->up && d->to->driver != NULL && driver_receive(d->to->driver, d->from->id, bytes_slice(d->bytes), &why) != 0)
        sim_violation(s, "member %zu refuses a message of %zu: %s", d->to->index, d->from->index, why.message);
    delivery_drop(s, e);
}

static void schedule(struct sim *s, struct sim_node *from, struct sim_node *to, struct bytes *bytes)
{
    struct delivery *d = NEW(struct delivery);
    d->event.node = to;
    d->event.run = deliver;
    d->event.drop = delivery_drop;
    d->from = from;
    d->to = to;
    d->bytes = bytes_ref(bytes);
    uint64_t spread = s->net.delay_max_us - s->net.delay_min_us + 1;
    sim_schedule(s, &d->event, s->net.delay_min_us + sim_below(s, spread));
}

static void send(void *impl, uint64_t to_id, struct slice message, bool bulk)
{
    struct sim_node *from = impl, *to = sim_node_of(from->sim, to_id);
    struct sim *s = from->sim;
    struct peer_message m;
    (void)bulk;
    ASSERT(to != NULL && to != from);
    if (peer_message_decode(message, from->id, to_id, &m, NULL) != 0) {
        sim_violation(s, "member %zu sends what does not parse", from->index);
        return;
    }
    if (m.kind == PEER_CONSENSUS && m.consensus.kind == MESSAGE_APPEND)
        check_append(s, &m.consensus);
    if (m.kind == PEER_CONSENSUS && m.consensus.kind == MESSAGE_REQUEST_VOTE_RESULT && m.consensus.request_vote_result.granted &&
        !m.consensus.request_vote_result.pre_vote)
        check_vote(from);
    peer_message_release(&m);
    if (s->net.blocked[from->index][to->index] || sim_chance(s, s->net.loss_permille))
        return;
    struct bytes *bytes = bytes_new(message);
    schedule(s, from, to, bytes);
    if (sim_chance(s, s->net.copy_permille))
        schedule(s, from, to, bytes);
    bytes_unref(bytes);
}

static size_t window(void *impl, uint64_t to, bool bulk)
{
    (void)impl, (void)to, (void)bulk;
    return WINDOW_BYTES;
}

static const struct transport_ops ops = {send, window};

struct transport fake_net_transport(struct sim_node *n) { return (struct transport){&ops, n}; }
