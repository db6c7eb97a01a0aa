/* Linearizable reads without a log write. A round asks the voters for their term. When a majority, this leader included,
 * answers the leader's own term after the round began, none of them had voted in a later one by then; so no later leader
 * can have committed anything before the round began, and the commit index noted at its beginning covers every write
 * acknowledged before the read. No clock takes part. Thesis, section 6.4.
 *
 *   new ──round──▶ round ──majority──▶ proved ──applied──▶ done        (leader)
 *   new ──────────▶ forwarded ──answer──▶ proved ──applied──▶ done     (follower) */
#include "common/base.h"

#include "raftstore/driver_parts.h"

#include "common/mem.h"

void read_index_init(struct driver *d)
{
    list_init(&d->reads_new);
    list_init(&d->reads_round);
    list_init(&d->reads_proved);
    list_init(&d->reads_forwarded);
    d->forward_id = random_u64(&d->env->random) >> 1; /* an answer to an earlier run of this member must not fit */
}

bool read_index_waiting(const struct driver *d) { return d->read_count > 0; }

/* A read that a follower asked for: answered as soon as it is proved, applied there. */
static bool is_remote(const struct read_index *r) { return r->done == NULL; }

static void answer(struct driver *d, const struct read_index *r, bool ok)
{
    struct peer_message m = {.kind = PEER_READ_ANSWER, .read = {.id = r->id, .index = r->index, .ok = ok}};
    driver_send(d, r->from, &m, false);
}

static void finish(struct driver *d, struct read_index *r, int status)
{
    list_remove(&r->link);
    d->read_count--;
    if (!is_remote(r)) {
        r->done(r, status);
        return;
    }
    if (!d->closing)
        answer(d, r, status == 0);
    mem_free(r);
}

static void fail_list(struct driver *d, struct list *list, int status)
{
    struct list failed;
    list_init(&failed);
    list_splice(&failed, list);
    while (!list_empty(&failed))
        finish(d, LIST_FIRST(&failed, struct read_index, link), status);
}

void read_index_fail(struct driver *d, int status)
{
    fail_list(d, &d->reads_new, status);
    fail_list(d, &d->reads_round, status);
    fail_list(d, &d->reads_forwarded, status);
}

void read_index_close(struct driver *d)
{
    read_index_fail(d, ERR_CANCELED);
    fail_list(d, &d->reads_proved, ERR_CANCELED);
}

static void enter(struct driver *d, struct read_index *r)
{
    r->deadline_ms = driver_now_ms(d) + DRIVER_READ_TIMEOUT_MS;
    list_init(&r->link);
    list_push_back(&d->reads_new, &r->link);
    d->read_count++;
    loop_defer(&d->env->loop, &d->turn);
    driver_pulse_start(d);
}

void driver_read_index(struct driver *d, struct read_index *r)
{
    ASSERT(r->done != NULL);
    r->from = 0;
    enter(d, r);
}

static void proved(struct driver *d, struct read_index *r)
{
    if (is_remote(r) || r->index <= d->applied) {
        finish(d, r, 0);
        return;
    }
    list_remove(&r->link);
    list_push_back(&d->reads_proved, &r->link);
}

void read_index_applied(struct driver *d)
{
    LIST_FOR_EACH(node, &d->reads_proved) {
        struct read_index *r = container_of(node, struct read_index, link);
        if (r->index <= d->applied)
            finish(d, r, 0);
    }
}

static size_t voters(const struct driver *d, uint64_t ids[CONSENSUS_MEMBERS_MAX])
{
    /* The committed ones. A majority of them shares a member with every majority that can elect the next leader, also
     * while a change is under way: that one differs by a single voter. */
    const struct configuration *c = consensus_configuration(d->consensus, NULL);
    size_t n = 0;
    for (size_t i = 0; i < c->count; i++)
        if (c->members[i].voter)
            ids[n++] = c->members[i].id;
    return n;
}

static uint64_t answered_round(struct driver *d, uint64_t member)
{
    const struct contact *c = member == d->options.member_id ? NULL : driver_contact(d, member);
    return member == d->options.member_id ? d->round : c == NULL ? 0 : c->answered_round;
}

/* The newest round that a majority has answered in this term. */
static uint64_t confirmed_round(struct driver *d)
{
    uint64_t ids[CONSENSUS_MEMBERS_MAX], best = 0;
    size_t n = voters(d, ids);
    for (size_t i = 0; i < n; i++) {
        uint64_t round = answered_round(d, ids[i]);
        size_t at_least = 0;
        for (size_t j = 0; j < n; j++)
            at_least += answered_round(d, ids[j]) >= round;
        if (at_least > n / 2)
            best = MAX(best, round);
    }
    return best;
}

static void complete_rounds(struct driver *d)
{
    uint64_t confirmed = confirmed_round(d);
    while (!list_empty(&d->reads_round)) {
        struct read_index *r = LIST_FIRST(&d->reads_round, struct read_index, link);
        if (r->round > confirmed)
            return;
        proved(d, r);
    }
}

static void ping(struct driver *d)
{
    uint64_t ids[CONSENSUS_MEMBERS_MAX];
    size_t n = voters(d, ids);
    struct peer_message m = {.kind = PEER_PING, .ping = {.term = consensus_term(d->consensus), .round = d->round}};
    for (size_t i = 0; i < n; i++)
        if (ids[i] != d->options.member_id)
            driver_send(d, ids[i], &m, false);
}

static void begin_round(struct driver *d)
{
    d->round++;
    while (!list_empty(&d->reads_new)) {
        struct read_index *r = LIST_FIRST(&d->reads_new, struct read_index, link);
        r->index = consensus_commit_index(d->consensus);
        r->round = d->round;
        list_remove(&r->link);
        list_push_back(&d->reads_round, &r->link);
    }
    ping(d);
    complete_rounds(d);
}

/* All reads of this turn share one question to the leader. */
static void forward(struct driver *d, uint64_t leader)
{
    struct peer_message m = {.kind = PEER_READ, .read = {.id = ++d->forward_id}};
    while (!list_empty(&d->reads_new)) {
        struct read_index *r = LIST_FIRST(&d->reads_new, struct read_index, link);
        if (is_remote(r)) { /* it was for us as leader, which we are no longer */
            finish(d, r, ERR_NOT_LEADER);
            continue;
        }
        r->id = d->forward_id;
        list_remove(&r->link);
        list_push_back(&d->reads_forwarded, &r->link);
    }
    driver_send(d, leader, &m, false);
}

void read_index_turn(struct driver *d)
{
    while (d->read_count > DRIVER_READS_MAX && !list_empty(&d->reads_new))
        finish(d, container_of(d->reads_new.prev, struct read_index, link), ERR_BUSY);
    if (list_empty(&d->reads_new))
        return;
#ifdef PLANT_READS_WITHOUT_ROUND
    while (consensus_role(d->consensus) == ROLE_LEADER && !list_empty(&d->reads_new)) {
        struct read_index *r = LIST_FIRST(&d->reads_new, struct read_index, link);
        r->index = consensus_commit_index(d->consensus);
        proved(d, r);
    }
#endif
    uint64_t leader = consensus_leader(d->consensus);
    if (consensus_ready(d->consensus))
        begin_round(d);
    else if (leader == 0)
        fail_list(d, &d->reads_new, ERR_NOT_LEADER);
    else if (leader != d->options.member_id)
        forward(d, leader);
    /* A leader whose term has not committed yet (R4) keeps them until it has: the turn after that commit comes back. */
}

static void remote_read(struct driver *d, uint64_t from, uint64_t id)
{
    struct read_index *r = NEW(struct read_index);
    if (consensus_role(d->consensus) != ROLE_LEADER || d->read_count >= DRIVER_READS_MAX) {
        r->from = from;
        r->id = id;
        answer(d, r, false);
        mem_free(r);
        return;
    }
    r->from = from;
    r->id = id;
    enter(d, r);
}

static void answered_read(struct driver *d, const struct peer_message *m)
{
    LIST_FOR_EACH(node, &d->reads_forwarded) {
        struct read_index *r = container_of(node, struct read_index, link);
        if (r->id != m->read.id)
            continue;
        r->index = m->read.index;
        if (m->read.ok)
            proved(d, r);
        else
            finish(d, r, ERR_NOT_LEADER);
    }
}

static void pong(struct driver *d, uint64_t from, const struct peer_message *m)
{
    uint64_t term = consensus_term(d->consensus);
    struct contact *c = consensus_role(d->consensus) == ROLE_LEADER ? driver_contact(d, from) : NULL;
    if (c == NULL || m->ping.round > d->round)
        return;
    if (m->ping.term > term) { /* a later term exists: this leadership can prove nothing more */
        read_index_fail(d, ERR_NOT_LEADER);
        return;
    }
    if (m->ping.term != term)
        return;
    c->answered_round = MAX(c->answered_round, m->ping.round);
    complete_rounds(d);
}

void read_index_message(struct driver *d, uint64_t from, const struct peer_message *m)
{
    switch (m->kind) {
    case PEER_PING: {
        /* The term in memory, durable or not: a vote leaves only after its term is on disk. */
        struct peer_message reply = {.kind = PEER_PONG,
                                     .ping = {.term = consensus_term(d->consensus), .round = m->ping.round}};
        driver_send(d, from, &reply, false);
        return;
    }
    case PEER_PONG: pong(d, from, m); return;
    case PEER_READ: remote_read(d, from, m->read.id); return;
    case PEER_READ_ANSWER:
        if (from == consensus_leader(d->consensus))
            answered_read(d, m);
        return;
    default: return;
    }
}

static void expire(struct driver *d, struct list *list, uint64_t now_ms)
{
    LIST_FOR_EACH(node, list) {
        struct read_index *r = container_of(node, struct read_index, link);
        if (r->deadline_ms <= now_ms)
            finish(d, r, ERR_TIMEOUT);
    }
}

/* Lost questions are asked again. */
void read_index_pulse(struct driver *d, uint64_t now_ms)
{
    expire(d, &d->reads_new, now_ms);
    expire(d, &d->reads_round, now_ms);
    expire(d, &d->reads_forwarded, now_ms);
    expire(d, &d->reads_proved, now_ms);
    if (!list_empty(&d->reads_round) && consensus_role(d->consensus) == ROLE_LEADER)
        ping(d);
    uint64_t leader = consensus_leader(d->consensus), last = 0;
    LIST_FOR_EACH(node, &d->reads_forwarded) {
        struct read_index *r = container_of(node, struct read_index, link);
        struct peer_message m = {.kind = PEER_READ, .read = {.id = r->id}};
        if (r->id != last && leader != 0 && leader != d->options.member_id)
            driver_send(d, leader, &m, false);
        last = r->id;
    }
    if (!list_empty(&d->reads_new))
        loop_defer(&d->env->loop, &d->turn);
}
