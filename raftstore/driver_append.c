/* Appends to followers. One of the core names a range of entries, which may be the whole log; it is filled in here, in messages of
 * bounded size, and no more of them per turn than hold up the loop unnoticeably: what is left, or finds no room, follows in later turns.
 * A follower that catches up is so fed as fast as it takes it, and not a window per heartbeat.
 *
 * While something is left, appends of the core that begin later only lengthen it: the follower would refuse them for the gap. One
 * that begins earlier comes from the follower's own answer and begins anew. */
#include "common/base.h"

#include "raftstore/driver_parts.h"

/* Sends `part` with up to `left` entries behind its prev_index, as many as fit into a message. 1: sent, and part->append stands
 * behind them; 0: no room; ERR_COMPACTED, ERR_NOT_FOUND, or the driver has failed. */
static int send_part(struct driver *d, struct peer_message *pm, uint64_t left, size_t *ret_bytes)
{
    struct message *part = &pm->consensus;
    size_t n = 0;
    if (left > 0 && d->transport.ops->window(d->transport.impl, part->to, false) == 0)
        return 0; /* before anything is read for nothing */
    if (left > 0) {
        struct err e;
        size_t want = (size_t)MIN(left, (uint64_t)DRIVER_SUBMIT_ENTRIES_MAX);
        driver_entries_reserve(d, want);
        size_t bytes_max = (size_t)MIN(d->options.append_bytes, (uint64_t)PEER_APPEND_BYTES);
        int rv = wal_entries(d->wal, part->append.prev_index + 1, want, bytes_max, d->entries, &n, &e);
        if (rv != 0 && rv != ERR_COMPACTED && rv != ERR_NOT_FOUND)
            driver_fail(d, &e);
        if (rv != 0)
            return rv;
    }
    part->entries = d->entries;
    part->entry_count = n;
    bool sent = driver_send(d, part->to, pm, false);
    if (sent)
        announce_sent(d, part->to, part->append.leader_commit);
    if (sent && n > 0) {
        part->append.prev_index += n;
        part->append.prev_term = d->entries[n - 1].term;
    }
    for (size_t i = 0; i < n; i++) {
        *ret_bytes += d->entries[i].data->size;
        bytes_unref(d->entries[i].data);
    }
    return sent;
}

/* Sends what a turn allows of the entries up to `last`, one message at least; notes what is left. */
static void send_up_to(struct driver *d, struct contact *c, struct peer_message *pm, uint64_t last)
{
    size_t bytes = 0;
    int rv;
    do {
        rv = send_part(d, pm, last - pm->consensus.append.prev_index, &bytes);
    } while (rv == 1 && pm->consensus.append.prev_index < last && bytes < d->options.append_bytes);
    if (c == NULL)
        return; /* it is no member (any more): the core's next append is as good */
    c->rest_index = pm->consensus.append.prev_index;
    c->rest_last = rv < 0 ? c->rest_index : last;
    if (rv == 1 && c->rest_index < c->rest_last)
        loop_defer(&d->env->loop, &d->append_turn);
}

void driver_append(struct driver *d, const struct message *m)
{
    struct peer_message pm = {.kind = PEER_CONSENSUS, .consensus = *m};
    struct contact *c = driver_contact(d, m->to);
    uint64_t last = m->append.prev_index + m->entry_count;
    if (c != NULL && c->rest_index < c->rest_last && m->append.prev_index > c->rest_index) {
        c->rest_last = MAX(c->rest_last, last);
        loop_defer(&d->env->loop, &d->append_turn);
        return;
    }
    send_up_to(d, c, &pm, last);
}

static void send_rest(struct driver *d, struct contact *c)
{
    struct peer_message pm = {.kind = PEER_CONSENSUS};
    uint64_t term = wal_term_of(d->wal, c->rest_index);
    if (term == 0 && c->rest_index != 0) { /* compacted meanwhile: the core finds out by the follower's answer */
        c->rest_last = c->rest_index;
        return;
    }
    pm.consensus = (struct message){.kind = MESSAGE_APPEND, .from = d->options.member_id, .to = c->member};
    pm.consensus.append.term = consensus_term(d->consensus);
    pm.consensus.append.prev_index = c->rest_index;
    pm.consensus.append.prev_term = term;
    pm.consensus.append.leader_commit = consensus_commit_index(d->consensus);
    send_up_to(d, c, &pm, c->rest_last);
}

void driver_append_turn(struct deferred *deferred)
{
    struct driver *d = container_of(deferred, struct driver, append_turn);
    if (d->closing || d->failed || d->barrier != NULL || consensus_role(d->consensus) != ROLE_LEADER ||
        d->contacts_term != consensus_term(d->consensus))
        return;
    for (size_t i = 0; i < ARRAY_LEN(d->contacts) && !d->failed; i++)
        if (d->contacts[i].member != 0 && d->contacts[i].rest_index < d->contacts[i].rest_last)
            send_rest(d, &d->contacts[i]);
}
