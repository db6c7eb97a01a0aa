/* What a leader knows of the other members (when it heard of them, how far they are, whether a learner keeps up), and how
 * it hands leadership over.
 *
 *   transfer: none ──driver_transfer──▶ waiting ──target has the whole log──▶ told ──a later term──▶ none
 *                                          └──── an election timeout has passed, leadership is lost ────▶ none
 *
 * From waiting on nothing is submitted: proposals stay in the queue, and go on here or are refused with ERR_NOT_LEADER. */
#include "common/base.h"

#include "raftstore/driver_parts.h"

/* --- contacts --- */

static bool is_member(const struct driver *d, uint64_t member)
{
    return configuration_member(consensus_newest(d->consensus, NULL), member) != NULL ||
           configuration_member(consensus_configuration(d->consensus, NULL), member) != NULL;
}

/* A slot that is free, or that is of one who is no member any more: they come and go within a term. */
static struct contact *free_contact(struct driver *d)
{
    for (size_t i = 0; i < ARRAY_LEN(d->contacts); i++)
        if (d->contacts[i].member == 0 || !is_member(d, d->contacts[i].member))
            return &d->contacts[i];
    return NULL;
}

struct contact *driver_contact(struct driver *d, uint64_t member)
{
    uint64_t term = consensus_term(d->consensus);
    if (d->contacts_term != term) { /* what was said in another term proves nothing in this one */
        memset(d->contacts, 0, sizeof d->contacts);
        d->contacts_term = term;
    }
    for (size_t i = 0; i < ARRAY_LEN(d->contacts); i++)
        if (d->contacts[i].member == member)
            return &d->contacts[i];
    struct contact *c = is_member(d, member) ? free_contact(d) : NULL;
    if (c != NULL)
        *c = (struct contact){.member = member};
    return c;
}

/* Rounds of replication to a learner (thesis 4.2.1): each ends when it has what stood in the log when it began. */
static void follow_round(struct driver *d, struct contact *c, uint64_t now_ms)
{
    if (c->round_began_ms != 0 && consensus_match(d->consensus, c->member) < c->round_index)
        return;
    c->in_sync = c->round_began_ms != 0 && now_ms - c->round_began_ms < d->options.election_timeout_ms;
    c->round_index = consensus_last_index(d->consensus);
    c->round_began_ms = now_ms;
}

void driver_heard(struct driver *d, uint64_t member)
{
    struct contact *c = consensus_role(d->consensus) == ROLE_LEADER ? driver_contact(d, member) : NULL;
    if (c == NULL)
        return;
    c->heard_ms = driver_now_ms(d);
    follow_round(d, c, c->heard_ms);
}

static const struct contact *contact_known(const struct driver *d, uint64_t member)
{
    for (size_t i = 0; i < ARRAY_LEN(d->contacts); i++)
        if (d->contacts[i].member == member && d->contacts_term == consensus_term(d->consensus))
            return &d->contacts[i];
    return NULL;
}

bool driver_live(struct driver *d, uint64_t member)
{
    const struct contact *c = contact_known(d, member);
    return member == d->options.member_id ||
           (c != NULL && c->heard_ms != 0 && driver_now_ms(d) - c->heard_ms < 2ull * d->options.election_timeout_ms);
}

bool driver_settled(const struct driver *d)
{
    return d->lead_term != 0 && clock_monotonic_ms(&d->env->clock) - d->lead_began_ms >= 2ull * d->options.election_timeout_ms;
}

bool driver_in_sync(struct driver *d, uint64_t member)
{
#ifdef PLANT_PROMOTE_EARLY
    return consensus_role(d->consensus) == ROLE_LEADER && member != 0;
#else
    const struct contact *c = contact_known(d, member);
    return consensus_role(d->consensus) == ROLE_LEADER && c != NULL && c->in_sync &&
           driver_now_ms(d) - c->round_began_ms < d->options.election_timeout_ms;
#endif
}

const struct configuration *driver_configuration(const struct driver *d, uint64_t *ret_index)
{
    return consensus_configuration(d->consensus, ret_index);
}

const struct configuration *driver_newest(const struct driver *d, uint64_t *ret_index)
{
    return consensus_newest(d->consensus, ret_index);
}

/* --- transfer --- */

static uint64_t best_successor(struct driver *d)
{
    const struct configuration *c = consensus_newest(d->consensus, NULL);
    uint64_t best = 0, best_match = 0;
    for (size_t i = 0; i < c->count; i++) {
        uint64_t id = c->members[i].id, match = consensus_match(d->consensus, id);
        if (!c->members[i].voter || id == d->options.member_id || !driver_live(d, id) || (best != 0 && match <= best_match))
            continue;
        best = id;
        best_match = match;
    }
    return best;
}

int driver_transfer(struct driver *d, uint64_t to, struct err *reterr)
{
    if (d->closing || d->failed || consensus_role(d->consensus) != ROLE_LEADER)
        return err_set(reterr, ERR_NOT_LEADER, "this member does not lead");
    if (d->transfer.to != 0)
        return err_set(reterr, ERR_BUSY, "leadership is being transferred already");
    uint64_t target = to != 0 ? to : best_successor(d);
    const struct member *m = configuration_member(consensus_newest(d->consensus, NULL), target);
    if (m == NULL || !m->voter || target == d->options.member_id)
        return member_refuse(MEMBER_BAD_TRANSFEREE, reterr);
    d->transfer = (struct driver_transfer){.to = target, .term = consensus_term(d->consensus),
                                           .deadline_ms = driver_now_ms(d) + d->options.election_timeout_ms};
    loop_defer(&d->env->loop, &d->turn);
    driver_pulse_start(d);
    return 0;
}

bool driver_transferring(const struct driver *d) { return d->transfer.to != 0; }

static void transfer_end(struct driver *d)
{
    d->transfer = (struct driver_transfer){0};
    if (!list_empty(&d->queue))
        loop_defer(&d->env->loop, &d->turn);
}

void driver_transfer_turn(struct driver *d)
{
    struct driver_transfer *t = &d->transfer;
    if (t->to == 0)
        return;
    if (consensus_role(d->consensus) != ROLE_LEADER || consensus_term(d->consensus) != t->term) {
        transfer_end(d);
    } else if (t->told) {
        if (consensus_transferee(d->consensus) == 0) /* the core has waited for an election timeout */
            transfer_end(d);
    } else if (driver_now_ms(d) >= t->deadline_ms) {
        transfer_end(d);
    } else if (consensus_match(d->consensus, t->to) == consensus_last_index(d->consensus)) {
        struct consensus_update u;
        t->told = consensus_transfer(d->consensus, driver_now_ms(d), t->to, &u) == 0;
        driver_carry_out(d, &u);
    }
}

/* --- what the leader does by itself --- */

bool driver_can_lose(struct driver *d, uint64_t member)
{
    const struct configuration *c = consensus_newest(d->consensus, NULL);
    const struct member *m = configuration_member(c, member);
    size_t voters = 0, live = 0;
    for (size_t i = 0; i < c->count; i++) {
        if (!c->members[i].voter || c->members[i].id == member)
            continue;
        voters++;
        live += driver_live(d, c->members[i].id);
    }
    return m == NULL || !m->voter || live > voters / 2;
}

/* The next step that nobody has to ask for: a learner that keeps up is promoted; an id whose folder was lost goes once its
 * successor votes and the rest is a live quorum. False: nothing to do now. *ret_wanted: there will be. */
static bool next_step(struct driver *d, struct configuration *c, bool *ret_wanted)
{
    *c = *consensus_newest(d->consensus, NULL);
    *ret_wanted = false;
    for (size_t i = 0; i < c->count; i++) {
        const struct member *m = &c->members[i];
        *ret_wanted |= m->automatic || m->replaces != 0;
        if (!m->voter && m->automatic && driver_in_sync(d, m->id))
            return member_promote(c, m->id, true, NULL) == 0;
        if (m->voter && m->replaces != 0 && m->replaces != d->options.member_id && driver_can_lose(d, m->replaces))
            return member_remove(c, m->replaces, NULL) == 0;
    }
    return false;
}

static void kept(struct proposal *p, int status, uint64_t index)
{
    struct driver *d = container_of(p, struct driver, keeping.proposal);
    (void)status, (void)index; /* what was not done is wanted still: the pulse tries again */
    d->keeping.busy = false;
}

void driver_propose_configuration(struct driver *d, struct proposal *p, const struct configuration *c)
{
    struct buf bytes = {0};
    configuration_encode(c, &bytes);
    p->change = true;
    p->data = bytes_new(buf_slice(&bytes));
    driver_propose(d, p);
    bytes_unref(p->data); /* the driver has its own reference */
    buf_release(&bytes);
}

bool driver_keep(struct driver *d)
{
    struct configuration c;
    uint64_t newest, committed;
    bool wanted;
    if (!consensus_ready(d->consensus))
        return consensus_role(d->consensus) == ROLE_LEADER;
    (void)consensus_newest(d->consensus, &newest);
    (void)consensus_configuration(d->consensus, &committed);
    if (!next_step(d, &c, &wanted) || d->keeping.busy || newest != committed || d->transfer.to != 0)
        return wanted;
    d->keeping.busy = true;
    d->keeping.proposal = (struct proposal){.done = kept};
    driver_propose_configuration(d, &d->keeping.proposal, &c);
    return true;
}

/* --- changes --- */

void driver_follow_configuration(struct driver *d)
{
    uint64_t version = consensus_configuration_version(d->consensus);
    if (version == d->configuration_version)
        return;
    d->configuration_version = version;
    driver_pulse_start(d);
    LIST_FOR_EACH(node, &d->sends) {
        struct snapshot_send *s = container_of(node, struct snapshot_send, link);
        if (!is_member(d, s->to))
            driver_snapshot_send_end(d, s);
    }
    if (d->options.configured != NULL)
        d->options.configured(d->options.arg);
}
