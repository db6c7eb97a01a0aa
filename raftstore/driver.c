/* The driver; see driver.h. Every event ends in driver_carry_out, which keeps the order that the core is owed:
 * entries and hard state go to the log first, messages wait for a new term or vote (R5), a leader's appends may overlap its
 * own write, committed entries are applied in turns of bounded size. */
#include "common/base.h"

#include "raftstore/driver_parts.h"

#include "common/mem.h"

#define HEARTBEAT_MS 50
#define ELECTION_TIMEOUT_MS 300
#define INFLIGHT_BYTES (8ull * 1024 * 1024)
#define APPEND_BYTES (1024ull * 1024)
#define INFLIGHT_ENTRIES_MIN 16
#define INFLIGHT_ENTRIES_MAX 65536

uint64_t driver_now_ms(struct driver *d) { return clock_monotonic_ms(&d->env->clock); }

void driver_fail(struct driver *d, const struct err *why)
{
    if (d->failed || d->closing)
        return;
    d->failed = true;
    loop_timer_stop(&d->env->loop, &d->tick);
    log_error(d->env->log, "the log failed", "member=%016llx why=\"%s\"", (unsigned long long)d->options.member_id,
              why->message);
    d->options.failed(d->options.arg, why);
}

/* Sending */

bool driver_send(struct driver *d, uint64_t to, const struct peer_message *m, bool bulk)
{
    buf_reset(&d->out);
    peer_message_encode(m, &d->out);
    ASSERT(d->out.size <= PEER_MESSAGE_BYTES_MAX);
    if (d->transport.ops->window(d->transport.impl, to, bulk) < d->out.size)
        return false;
    d->transport.ops->send(d->transport.impl, to, buf_slice(&d->out), bulk);
    return true;
}

void driver_entries_reserve(struct driver *d, size_t n)
{
    if (n <= d->entry_capacity)
        return;
    d->entry_capacity = n;
    d->entries = mem_realloc(d->entries, n * sizeof *d->entries);
}

static void send_message(struct driver *d, const struct message *m)
{
    struct peer_message pm = {.kind = PEER_CONSENSUS, .consensus = *m};
    switch (m->kind) {
    case MESSAGE_APPEND:
        if (m->append.term == consensus_term(d->consensus) && consensus_role(d->consensus) == ROLE_LEADER)
            driver_append(d, m);
        return;
    case MESSAGE_INSTALL_SNAPSHOT: driver_snapshot_send(d, m); return;
    default: driver_send(d, m->to, &pm, false); return;
    }
}

static void hold(struct driver_write *w, const struct message *m)
{
    if (w->held_count == w->held_capacity) {
        w->held_capacity = MAX((size_t)8, w->held_capacity * 2);
        w->held = mem_realloc(w->held, w->held_capacity * sizeof *w->held);
    }
    w->held[w->held_count++] = *m;
}

/* Writing */

static void write_free(struct driver_write *w)
{
    list_remove(&w->link);
    mem_free(w->held);
    mem_free(w);
}

static void write_done(struct wal_append *a)
{
    struct driver_write *w = container_of(a, struct driver_write, append);
    struct driver *d = w->driver;
    if (d->barrier == w)
        d->barrier = NULL;
    for (size_t i = 0; i < w->held_count && !d->failed; i++)
        send_message(d, &w->held[i]);
    bool report = w->has_entries && a->last >= a->index && !d->failed;
    uint64_t last = a->last;
    write_free(w);
#ifndef PLANT_ACK_BEFORE_SYNC
    if (report) {
        struct consensus_update u;
        (void)consensus_persisted(d->consensus, driver_now_ms(d), last, &u); /* R6: it ignores what is stale */
        driver_carry_out(d, &u);
    }
#else
    (void)report, (void)last;
#endif
    driver_snapshot_consider(d);
}

static void write_log(struct driver *d, struct consensus_update *u)
{
    struct driver_write *w = NEW(struct driver_write);
    w->driver = d;
    w->barrier = u->hard_state;
    w->has_entries = u->entry_count > 0;
    w->append = (struct wal_append){
        .hard_state = u->hard_state,
        .term = u->term,
        .vote = u->vote,
        .index = u->entries_index,
        .entries = u->entries,
        .entry_count = u->entry_count,
        .done = write_done,
    };
    list_push_back(&d->writes, &w->link);
    if (w->barrier)
        d->barrier = w;
    wal_append(d->wal, &w->append);
    for (size_t i = 0; i < u->entry_count; i++) {
        d->average_bytes = (d->average_bytes * 15 + u->entries[i].data->size + WAL_OVERHEAD_BYTES) / 16;
        bytes_unref(u->entries[i].data);
    }
    uint64_t budget = d->options.inflight_bytes / MAX(d->average_bytes, (uint64_t)1);
    consensus_set_inflight(d->consensus,
                           (unsigned)MIN(MAX(budget, (uint64_t)INFLIGHT_ENTRIES_MIN), (uint64_t)INFLIGHT_ENTRIES_MAX));
}

static void fail_proposals(struct list *list, int status)
{
    while (!list_empty(list)) {
        struct proposal *p = LIST_FIRST(list, struct proposal, link);
        list_remove(&p->link);
        bytes_unref(p->data);
        p->done(p, status, 0);
    }
}

/* What was submitted in a leadership that is over may or may not survive. */
static void check_leadership(struct driver *d)
{
    bool leads = consensus_role(d->consensus) == ROLE_LEADER;
    if (d->lead_term != 0 && (!leads || consensus_term(d->consensus) != d->lead_term)) {
        d->lead_term = 0;
        d->waiting_bytes = 0;
        fail_proposals(&d->waiting, ERR_OUTCOME_UNKNOWN);
        read_index_fail(d, ERR_NOT_LEADER);
        driver_snapshot_follow(d);
    }
    if (leads && d->lead_term == 0)
        d->lead_began_ms = driver_now_ms(d);
    if (leads)
        d->lead_term = consensus_term(d->consensus);
    enum role role = consensus_role(d->consensus);
    uint64_t leader = consensus_leader(d->consensus), term = consensus_term(d->consensus);
    if (role == d->last_role && leader == d->last_leader && term == d->last_term)
        return;
    if (leader != d->last_leader)
        read_index_fail(d, ERR_NOT_LEADER);
    if (role == ROLE_LEADER)
        driver_pulse_start(d); /* driver_keep */
    d->last_role = role;
    d->last_leader = leader;
    d->last_term = term;
    if (d->options.changed != NULL)
        d->options.changed(d->options.arg);
}

void driver_carry_out(struct driver *d, struct consensus_update *u)
{
    if (u->hard_state || u->entry_count > 0)
        write_log(d, u);
#ifdef PLANT_ACK_BEFORE_SYNC
    uint64_t early = u->entry_count > 0 ? u->entries_index + u->entry_count - 1 : 0;
#endif
    for (size_t i = 0; i < u->message_count && !d->failed; i++) {
        if (d->barrier != NULL)
            hold(d->barrier, &u->messages[i]);
        else
            send_message(d, &u->messages[i]);
    }
    if (u->install)
        driver_snapshot_install(d, u);
    check_leadership(d);
    if (d->closing || d->failed)
        return;
    driver_follow_configuration(d);
    if (d->transfer.to != 0)
        loop_defer(&d->env->loop, &d->turn);
    if (consensus_commit_index(d->consensus) > d->applied)
        loop_defer(&d->env->loop, &d->apply_turn);
    if (u->commit_changed && read_index_waiting(d))
        loop_defer(&d->env->loop, &d->turn);
    if (u->commit_changed && consensus_role(d->consensus) == ROLE_LEADER)
        loop_defer(&d->env->loop, &d->announce_turn);
    uint64_t now = driver_now_ms(d), next = consensus_next_timeout_ms(d->consensus);
    loop_timer_start(&d->env->loop, &d->tick, next > now ? next - now : 1);
#ifdef PLANT_ACK_BEFORE_SYNC
    if (early > 0) {
        struct consensus_update more;
        (void)consensus_persisted(d->consensus, now, early, &more);
        driver_carry_out(d, &more);
    }
#endif
}

static void carry_out_checked(struct driver *d, int rv, struct consensus_update *u, const char *doing)
{
    driver_carry_out(d, u);
    if (rv == ERR_INTERNAL) {
        struct err e;
        err_set(&e, ERR_CORRUPT, "consensus refuses to go on (%s): a committed entry would be replaced", doing);
        driver_fail(d, &e);
    }
}

static void tick_due(struct timer *t)
{
    struct driver *d = container_of(t, struct driver, tick);
    struct consensus_update u;
    if (d->failed || d->closing)
        return;
    int rv = consensus_tick(d->consensus, driver_now_ms(d), &u);
    carry_out_checked(d, rv, &u, "tick");
}

static void pulse_due(struct timer *t)
{
    struct driver *d = container_of(t, struct driver, pulse);
    uint64_t now = driver_now_ms(d);
    if (d->failed || d->closing)
        return;
    read_index_pulse(d, now);
    driver_snapshot_pulse(d, now);
    driver_transfer_turn(d);
    bool keeping = driver_keep(d);
    if (read_index_waiting(d) || !list_empty(&d->sends) || d->transfer.to != 0 || keeping)
        driver_pulse_start(d);
}

void driver_pulse_start(struct driver *d)
{
    if (!timer_armed(&d->pulse) && !d->closing)
        loop_timer_start(&d->env->loop, &d->pulse, DRIVER_PULSE_MS);
}

/* Proposing */

void driver_propose(struct driver *d, struct proposal *p)
{
    bytes_ref(p->data);
    p->index = p->term = 0;
    list_init(&p->link);
    list_push_back(&d->queue, &p->link);
    d->queue_bytes += p->data->size;
    loop_defer(&d->env->loop, &d->turn);
}

/* Refuses what cannot be submitted, so that the queue stays bounded. */
static void refuse(struct driver *d, struct proposal *p, int status)
{
    list_remove(&p->link);
    d->queue_bytes -= p->data->size;
    bytes_unref(p->data);
    p->done(p, status, 0);
}

static size_t gather(struct driver *d)
{
    size_t n = 0, bytes = 0;
    driver_entries_reserve(d, DRIVER_SUBMIT_ENTRIES_MAX);
    LIST_FOR_EACH(node, &d->queue) {
        struct proposal *p = container_of(node, struct proposal, link);
        if (n == DRIVER_SUBMIT_ENTRIES_MAX || bytes >= DRIVER_SUBMIT_BYTES_MAX || (p->change && n > 0))
            break;
        bytes += p->data->size;
        d->entries[n++] = (struct entry){consensus_term(d->consensus), p->change ? ENTRY_CHANGE : ENTRY_COMMAND, p->data};
        if (p->change) /* alone (R3) */
            break;
    }
    return n;
}

static void submit_queue(struct driver *d)
{
    struct consensus_update u;
    size_t n = gather(d);
    int rv = consensus_submit(d->consensus, driver_now_ms(d), d->entries, n, &u);
    for (size_t i = 0; i < n; i++) {
        struct proposal *p = LIST_FIRST(&d->queue, struct proposal, link);
        if (rv != 0) {
            refuse(d, p, rv);
            continue;
        }
        p->index = u.entries_index + i;
        p->term = u.term;
        d->queue_bytes -= p->data->size;
        d->waiting_bytes += p->data->size;
        list_remove(&p->link);
        list_push_back(&d->waiting, &p->link);
    }
    driver_carry_out(d, &u);
}

static void bound_queue(struct driver *d)
{
    LIST_FOR_EACH(node, &d->queue) {
        struct proposal *p = container_of(node, struct proposal, link);
        if (p->data->size > WAL_ENTRY_BYTES_MAX)
            refuse(d, p, ERR_TOO_LARGE);
    }
    while (d->queue_bytes > DRIVER_QUEUE_BYTES_MAX)
        refuse(d, container_of(d->queue.prev, struct proposal, link), ERR_BUSY);
}

static void turn(struct deferred *deferred)
{
    struct driver *d = container_of(deferred, struct driver, turn);
    if (d->closing)
        return;
    bound_queue(d);
    if (!d->failed)
        driver_transfer_turn(d);
    bool leads = consensus_role(d->consensus) == ROLE_LEADER && !d->failed;
    if (!leads && !list_empty(&d->queue)) {
        struct list refused;
        list_init(&refused);
        list_splice(&refused, &d->queue);
        d->queue_bytes = 0;
        fail_proposals(&refused, ERR_NOT_LEADER);
    }
    if (leads && d->transfer.to == 0 && !list_empty(&d->queue) && d->waiting_bytes < DRIVER_UNCOMMITTED_BYTES_MAX) {
        submit_queue(d);
        if (!list_empty(&d->queue))
            loop_defer(&d->env->loop, &d->turn);
    }
    if (!d->failed)
        read_index_turn(d);
}

/* Applying */

static void apply_entry(struct driver *d, const struct entry *e)
{
    if (e->kind == ENTRY_COMMAND)
        d->machine.ops->apply(d->machine.impl, d->applied + 1, e->term, bytes_slice(e->data));
    d->applied++;
    d->applied_term = e->term;
    d->bytes_since_snapshot += e->data->size + WAL_OVERHEAD_BYTES;
}

static void complete_waiting(struct driver *d)
{
    while (!list_empty(&d->waiting)) {
        struct proposal *p = LIST_FIRST(&d->waiting, struct proposal, link);
        if (p->index > d->applied)
            return;
        list_remove(&p->link);
        d->waiting_bytes -= p->data->size;
        bytes_unref(p->data);
        p->done(p, 0, p->index);
    }
}

static void apply_turn(struct deferred *deferred)
{
    struct driver *d = container_of(deferred, struct driver, apply_turn);
    uint64_t commit = consensus_commit_index(d->consensus);
    if (d->closing || d->failed || d->incoming.state == INCOMING_INSTALL || d->applied >= commit)
        return;
    struct entry entries[DRIVER_APPLY_ENTRIES_MAX];
    struct err e;
    size_t n;
    int rv = wal_entries(d->wal, d->applied + 1, (size_t)MIN(commit - d->applied, (uint64_t)DRIVER_APPLY_ENTRIES_MAX),
                         DRIVER_APPLY_BYTES_MAX, entries, &n, &e);
    if (rv != 0) {
        driver_fail(d, &e);
        return;
    }
    for (size_t i = 0; i < n; i++) {
        apply_entry(d, &entries[i]);
        bytes_unref(entries[i].data);
        complete_waiting(d);
    }
    if (d->closing)
        return;
    read_index_applied(d);
    driver_snapshot_consider(d);
    if (d->applied < consensus_commit_index(d->consensus))
        loop_defer(&d->env->loop, &d->apply_turn);
    if (!list_empty(&d->queue))
        loop_defer(&d->env->loop, &d->turn);
}

/* Receiving */

int driver_receive(struct driver *d, uint64_t from, struct slice message, struct err *reterr)
{
    struct peer_message m;
    if (d->closing || d->failed)
        return 0;
    int rv = peer_message_decode(message, from, d->options.member_id, &m, reterr);
    if (rv != 0)
        return rv;
    switch (m.kind) {
    case PEER_CONSENSUS: {
        struct consensus_update u;
        if (m.consensus.kind == MESSAGE_INSTALL_SNAPSHOT)
            rv = ERR_CORRUPT; /* goes by pieces; never as it is */
        else
            rv = consensus_receive(d->consensus, driver_now_ms(d), &m.consensus, &u);
        if (m.consensus.kind != MESSAGE_INSTALL_SNAPSHOT)
            carry_out_checked(d, rv, &u, "message");
        if (m.consensus.kind == MESSAGE_APPEND_RESULT)
            driver_heard(d, from);
        if (m.consensus.kind == MESSAGE_APPEND_RESULT) { /* who acknowledges after the commit has not heard of it yet; and has room */
            loop_defer(&d->env->loop, &d->announce_turn);
            loop_defer(&d->env->loop, &d->append_turn);
        }
        if (rv == ERR_CORRUPT)
            err_set(reterr, rv, "member %016llx sent a message that cannot be true", (unsigned long long)from);
        break;
    }
    case PEER_PIECE: driver_snapshot_piece(d, from, &m); break;
    case PEER_PIECE_ACK: driver_snapshot_ack(d, from, &m); break;
    default: read_index_message(d, from, &m); break;
    }
    peer_message_release(&m);
    return rv == ERR_INTERNAL ? 0 : rv;
}

void driver_peer_lost(struct driver *d, uint64_t member)
{
    if (d->closing || d->failed || member != consensus_leader(d->consensus))
        return;
    /* Spread over half a timeout, so that those who lost the same leader do not stand against each other. */
    unsigned delay = (unsigned)random_below(&d->env->random, d->options.election_timeout_ms / 2 + 1);
    consensus_hurry(d->consensus, driver_now_ms(d), delay);
    uint64_t now = driver_now_ms(d), next = consensus_next_timeout_ms(d->consensus);
    loop_timer_start(&d->env->loop, &d->tick, next > now ? next - now : 1);
}

/* Opening and closing */

static void wal_failed(void *arg, const struct err *why) { driver_fail(arg, why); }

static void driver_free(struct driver *d)
{
    consensus_free(d->consensus);
    driver_snapshot_release(d);
    mem_free(d->entries);
    buf_release(&d->out);
    mem_free(d);
}

static void close_turn(struct deferred *deferred)
{
    struct driver *d = container_of(deferred, struct driver, close_turn);
    void (*closed)(void *) = d->closed;
    void *arg = d->closed_arg;
    driver_free(d);
    if (closed != NULL)
        closed(arg);
}

void driver_settle(struct driver *d)
{
    if (d->closing && d->wal == NULL && d->jobs == 0)
        loop_defer(&d->env->loop, &d->close_turn);
}

static void wal_closed(void *arg)
{
    struct driver *d = arg;
    d->wal = NULL;
    while (!list_empty(&d->writes))
        write_free(LIST_FIRST(&d->writes, struct driver_write, link));
    driver_settle(d);
}

static int start_consensus(struct driver *d, const struct wal_state *s, struct err *reterr)
{
    struct consensus_options o = {
        .id = d->options.member_id,
        .random_seed = random_u64(&d->env->random),
        .election_timeout_ms = d->options.election_timeout_ms,
        .heartbeat_ms = d->options.heartbeat_ms,
    };
    struct consensus_start start = {
        .now_ms = driver_now_ms(d),
        .term = s->term,
        .vote = s->vote,
        .snapshot_index = d->snapshot.index,
        .snapshot_term = d->snapshot.term,
        .configuration = d->snapshot.index > 0 ? d->snapshot.configuration : d->options.bootstrap,
        .configuration_index = d->snapshot.index > 0 ? d->snapshot.configuration_index : 0,
        .first_index = s->first_index,
        .entries = s->entries,
        .entry_count = s->entry_count,
    };
    struct consensus_update u;
    d->consensus = consensus_new(&o);
    int rv = consensus_start(d->consensus, &start, &u, reterr);
    if (rv != 0)
        return rv;
    d->last_role = consensus_role(d->consensus);
    d->last_term = consensus_term(d->consensus);
    driver_carry_out(d, &u);
    return 0;
}

/* Opening failed: what it had begun with the disk must be over before the memory goes. */
static void abandon(struct driver *d)
{
    d->closing = true;
    loop_timer_stop(&d->env->loop, &d->tick);
    loop_undefer(&d->env->loop, &d->turn);
    loop_undefer(&d->env->loop, &d->apply_turn);
    loop_undefer(&d->env->loop, &d->announce_turn);
    loop_undefer(&d->env->loop, &d->append_turn);
    if (d->wal != NULL)
        wal_close(d->wal, wal_closed, d);
    else
        driver_settle(d);
}

static struct driver *driver_make(struct env *env, const struct driver_options *o, struct machine machine,
                                  struct transport transport)
{
    struct driver *d = NEW(struct driver);
    d->env = env;
    d->options = *o;
    d->machine = machine;
    d->transport = transport;
    if (o->heartbeat_ms == 0)
        d->options.heartbeat_ms = HEARTBEAT_MS;
    if (o->election_timeout_ms == 0)
        d->options.election_timeout_ms = ELECTION_TIMEOUT_MS;
    if (o->piece_bytes == 0 || o->piece_bytes > PEER_PIECE_BYTES)
        d->options.piece_bytes = PEER_PIECE_BYTES;
    if (o->inflight_bytes == 0)
        d->options.inflight_bytes = INFLIGHT_BYTES;
    if (o->append_bytes == 0)
        d->options.append_bytes = APPEND_BYTES;
    d->average_bytes = 256;
    list_init(&d->writes);
    list_init(&d->queue);
    list_init(&d->waiting);
    list_init(&d->sends);
    deferred_init(&d->turn, turn);
    deferred_init(&d->apply_turn, apply_turn);
    deferred_init(&d->announce_turn, announce_commit);
    deferred_init(&d->append_turn, driver_append_turn);
    deferred_init(&d->close_turn, close_turn);
    timer_init(&d->tick, tick_due);
    timer_init(&d->pulse, pulse_due);
    read_index_init(d);
    return d;
}

int driver_new(struct env *env, const struct driver_options *o, struct machine machine, struct transport transport,
               struct driver **ret, struct err *reterr)
{
    struct driver *d = driver_make(env, o, machine, transport);
    struct wal_options wo = {
        .member_id = o->member_id,
        .segment_bytes = o->segment_bytes,
        .cache_bytes = o->cache_bytes,
        .failed = wal_failed,
        .arg = d,
    };
    struct wal_state state;
    memcpy(wo.cluster_id, o->cluster_id, sizeof wo.cluster_id);
    int rv = driver_snapshot_load(d, reterr);
    if (rv == 0)
        rv = wal_open(env, &wo, d->snapshot.index, d->snapshot.term, &d->wal, &state, reterr);
    if (rv != 0) {
        abandon(d);
        return rv;
    }
    if (state.tail_cut)
        log_warn(env->log, "cut an unfinished batch from the log", "member=%016llx", (unsigned long long)o->member_id);
    d->bytes_since_snapshot = 0; /* counted as entries are applied again */
    rv = start_consensus(d, &state, reterr);
    wal_state_release(&state);
    if (rv != 0) {
        abandon(d);
        return rv;
    }
    *ret = d;
    return 0;
}

void driver_close(struct driver *d, void (*closed)(void *arg), void *arg)
{
    ASSERT(!d->closing);
    d->closing = true;
    d->closed = closed;
    d->closed_arg = arg;
    loop_timer_stop(&d->env->loop, &d->tick);
    loop_timer_stop(&d->env->loop, &d->pulse);
    loop_undefer(&d->env->loop, &d->turn);
    loop_undefer(&d->env->loop, &d->apply_turn);
    loop_undefer(&d->env->loop, &d->announce_turn);
    loop_undefer(&d->env->loop, &d->append_turn);
    fail_proposals(&d->waiting, ERR_CANCELED);
    fail_proposals(&d->queue, ERR_CANCELED);
    read_index_close(d);
    driver_snapshot_close(d);
    wal_close(d->wal, wal_closed, d);
}

void driver_status(const struct driver *d, struct driver_status *ret)
{
    *ret = (struct driver_status){
        .member_id = d->options.member_id,
        .leader = consensus_leader(d->consensus),
        .term = consensus_term(d->consensus),
        .commit_index = consensus_commit_index(d->consensus),
        .applied_index = d->applied,
        .last_index = d->wal == NULL ? 0 : wal_last_index(d->wal),
        .first_index = d->wal == NULL ? 0 : wal_first_index(d->wal),
        .snapshot_index = d->snapshot.index,
        .role = consensus_role(d->consensus),
        .log_bytes = d->bytes_since_snapshot,
    };
}

bool driver_leads(const struct driver *d) { return !d->failed && !d->closing && consensus_ready(d->consensus); }
