/* libraft's core behind consensus.h. Owns the struct raft and every buffer handed to it; converts values in and out.
 *
 * Rules held here (numbers as in docs/architecture.md):
 *   R1  an append that begins below the commit index is cut to begin at it
 *   R2  a rejection names the end of the last run of terms that may still agree
 *   R3  a membership change is the first entry of the append that the core sees
 *   R4  a new leader submits a no-op; ready() only after it has committed
 *   R6  persisted() is passed on only when it says something new and true
 *   R7  the commit index stands still while a snapshot is installed
 *   R8  a snapshot lies within what is stored and committed
 *   R9  timers are at least a millisecond away
 *   R10 no tracer
 *   R12 time never goes back
 *   R14 one token from the core's allocator is the "batch" of a received append
 *   R17 the core knows one uncommitted change at a time; a follower's log may hold several. They are kept here, and the
 *       core's idea of the configuration is set right after every step
 *   R18 a learner that is asked for its vote gives it as a voter does: who asks counts it, by a promotion that has not reached
 *       it yet (thesis 4.1: requests are served without looking at one's own configuration); and it forgets a silent leader
 *   R19 a refused pre-vote tells the later term it was refused for
 *   R20 an append of an older term is answered here: a rejection, and of nothing we have
 *   R16 what the core only asserts in its own debug build is asserted here */
#include "common/base.h"

#include "raftstore/consensus.h"

#include "common/mem.h"

#include <raft.h>
#include <stdio.h>

#if RAFT_VERSION_NUMBER != 2201
#error "raftstore/consensus.c is written for libraft 0.22.1: ownership of event memory differs in other versions"
#endif

#define ADDRESS_MAX 24                    /* the core wants an address per member; ours is the id in decimal */
/* After it the core asks for the snapshot again. The driver takes that for a repetition while a transfer goes on; but the
 * core must ask: once a newer snapshot exists it takes no answer to the older one for one, and would wait forever. */
#define INSTALL_TIMEOUT_MS 2000
#define TIMER_MIN_MS 1                    /* R9 */
#define INDEX_MAX (UINT64_MAX / 4)        /* no log reaches it; sums stay in range */
#define VOTE_VERSION 2                    /* with the pre_vote flag in results */
#define APPEND_VERSION 1

/* A change of configuration in the log. */
struct change {
    uint64_t index;
    struct configuration configuration;
};

struct consensus {
    struct raft raft;
    uint64_t now_ms;            /* R12 */
    uint64_t term, vote;        /* as last reported */
    uint64_t commit;            /* as last reported; R7 */
    enum role role;             /* as last reported */
    uint64_t own_term_index;    /* R4: the no-op of this leadership */
    struct bytes *nothing;      /* data of every no-op */
    struct message *messages;   /* of the update */
    size_t message_capacity;
    struct entry *entries;      /* of the update */
    size_t entry_capacity;
    struct raft_entry *scratch; /* as the core sees them */
    size_t scratch_capacity;
    struct change *changes;     /* R17: the committed one first, then the uncommitted ones of our log, in order */
    size_t change_count, change_capacity;
    uint64_t changes_version;
    struct raft_buffer *encoded; /* configurations as the core reads them, of the step at work */
    size_t encoded_count, encoded_capacity;
};

static char *address_of(uint64_t id, char text[ADDRESS_MAX])
{
    snprintf(text, ADDRESS_MAX, "%llu", (unsigned long long)id);
    return text;
}

static void configuration_to_raft(const struct configuration *from, struct raft_configuration *to)
{
    char address[ADDRESS_MAX];
    raft_configuration_init(to);
    for (size_t i = 0; i < from->count; i++) {
        const struct member *m = &from->members[i];
        int rv = raft_configuration_add(to, m->id, address_of(m->id, address), m->voter ? RAFT_VOTER : RAFT_STANDBY);
        ASSERT(rv == 0); /* ids are checked to be non-zero and unique by the caller */
    }
}

static int configuration_check(const struct configuration *c, struct err *reterr)
{
    if (c->count > CONSENSUS_MEMBERS_MAX)
        return err_set(reterr, ERR_INVALID, "the configuration has %zu members; %d are possible", c->count,
                       CONSENSUS_MEMBERS_MAX);
    for (size_t i = 0; i < c->count; i++) {
        if (c->members[i].id == 0)
            return err_set(reterr, ERR_INVALID, "member %zu of the configuration has id 0", i + 1);
        if (configuration_member(c, c->members[i].id) != &c->members[i])
            return err_set(reterr, ERR_INVALID, "member id %llu stands twice in the configuration",
                           (unsigned long long)c->members[i].id);
    }
    return 0;
}

/* --- changes of configuration in the log (R17) --- */

static struct change *newest_change(const struct consensus *c) { return &c->changes[c->change_count - 1]; }

static void push_change(struct consensus *c, uint64_t index, const struct configuration *configuration)
{
    if (c->change_count == c->change_capacity) {
        c->change_capacity = MAX((size_t)4, c->change_capacity * 2);
        c->changes = mem_realloc(c->changes, c->change_capacity * sizeof *c->changes);
    }
    c->changes[c->change_count++] = (struct change){index, *configuration};
    c->changes_version++;
}

/* Entries from `index` on are being replaced. */
static void forget_changes(struct consensus *c, uint64_t index)
{
    for (; c->change_count > 1 && newest_change(c)->index >= index; c->change_count--)
        c->changes_version++;
    ASSERT(c->change_count == 1 || c->changes[0].index < index);
}

static void note_change(struct consensus *c, uint64_t index, const struct entry *e)
{
    struct configuration configuration;
    int rv = configuration_decode(bytes_slice(e->data), &configuration, NULL);
    ASSERT(rv == 0); /* checked when it came in */
    push_change(c, index, &configuration);
}

/* The runs of terms that the core keeps: run i of `trail` ends at records[…].index. */
static unsigned trail_runs(const struct raft_trail *t)
{
    return t->front <= t->back ? t->back - t->front : t->size - t->front + t->back;
}

static uint64_t trail_run_end(const struct raft_trail *t, unsigned i)
{
    return t->records[(t->front + i) % t->size].index;
}

static uint64_t trail_last(const struct raft_trail *t)
{
    unsigned n = trail_runs(t);
    return n > 0 ? trail_run_end(t, n - 1) : t->snapshot.index;
}

/* Term of the entry at `index` and first index of its run; 0 when it is not there. */
static uint64_t trail_term(const struct raft_trail *t, uint64_t index, uint64_t *ret_run_start)
{
    unsigned n = trail_runs(t);
    *ret_run_start = index;
    if (index > t->offset && n > 0 && index <= trail_run_end(t, n - 1)) {
        while (n > 1 && index <= trail_run_end(t, n - 2))
            n--;
        *ret_run_start = n > 1 ? trail_run_end(t, n - 2) + 1 : t->offset + 1;
        return t->records[(t->front + n - 1) % t->size].term;
    }
    return index != 0 && index == t->snapshot.index ? t->snapshot.term : 0;
}

static uint64_t term_at(const struct consensus *c, uint64_t index)
{
    uint64_t run_start;
    return trail_term(&c->raft.trail, index, &run_start);
}

struct consensus *consensus_new(const struct consensus_options *o)
{
    ASSERT(o->id != 0);
    ASSERT(o->heartbeat_ms > 0 && o->heartbeat_ms < o->election_timeout_ms);
    char address[ADDRESS_MAX];
    struct consensus *c = NEW(struct consensus);
    int rv = raft_init(&c->raft, NULL, NULL, o->id, address_of(o->id, address));
    ASSERT(rv == 0);
    c->raft.tracer = NULL; /* R10: the default one formats every step, into a global buffer */
    raft_seed(&c->raft, (unsigned)o->random_seed);
    raft_set_election_timeout(&c->raft, o->election_timeout_ms);
    raft_set_heartbeat_timeout(&c->raft, o->heartbeat_ms);
    raft_set_install_snapshot_timeout(&c->raft, INSTALL_TIMEOUT_MS);
    raft_set_pre_vote(&c->raft, true);
    c->nothing = bytes_new(slice_of("", 0));
    return c;
}

void consensus_free(struct consensus *c)
{
    if (c == NULL)
        return;
    raft_close(&c->raft, NULL);
    bytes_unref(c->nothing);
    mem_free(c->messages);
    mem_free(c->entries);
    mem_free(c->scratch);
    mem_free(c->changes);
    mem_free(c->encoded);
    mem_free(c);
}

static void update_begin(struct consensus *c, uint64_t now_ms, struct consensus_update *u)
{
    c->now_ms = MAX(c->now_ms, now_ms);
    *u = (struct consensus_update){.entries = c->entries, .messages = c->messages};
}

static void push_entry(struct consensus *c, struct consensus_update *u, struct entry e)
{
    if (u->entry_count == c->entry_capacity) {
        c->entry_capacity = MAX((size_t)64, c->entry_capacity * 2);
        u->entries = c->entries = mem_realloc(c->entries, c->entry_capacity * sizeof *c->entries);
    }
    c->entries[u->entry_count++] = e;
}

/* R2: the core steps back by one index per round trip. Everything of our own term at the rejected index may be skipped:
 * where the terms differ, the whole run of ours can be in doubt; what is committed cannot. */
static uint64_t rejection_hint(const struct consensus *c, uint64_t rejected)
{
    uint64_t last = trail_last(&c->raft.trail);
    if (last < rejected)
        return last;
#ifdef PLANT_NO_R2
    return rejected - 1;
#else
    uint64_t run_start;
    if (trail_term(&c->raft.trail, rejected, &run_start) == 0)
        return rejected - 1;
    return MIN(rejected - 1, MAX(c->raft.commit_index, run_start - 1));
#endif
}

static bool message_of_raft(const struct consensus *c, const struct raft_message *from, struct message *to)
{
    *to = (struct message){.from = c->raft.id, .to = from->server_id};
    switch (from->type) {
    case RAFT_REQUEST_VOTE: {
        const struct raft_request_vote *v = &from->request_vote;
        to->kind = MESSAGE_REQUEST_VOTE;
        to->request_vote.term = v->term;
        to->request_vote.candidate = v->candidate_id;
        to->request_vote.last_index = v->last_log_index;
        to->request_vote.last_term = v->last_log_term;
        to->request_vote.disrupt_leader = v->disrupt_leader;
        to->request_vote.pre_vote = v->pre_vote;
        return true;
    }
    case RAFT_REQUEST_VOTE_RESULT: {
        const struct raft_request_vote_result *v = &from->request_vote_result;
        to->kind = MESSAGE_REQUEST_VOTE_RESULT;
        /* R19: the core repeats the candidate's term, who then never hears that it is behind. */
        to->request_vote_result.term = v->pre_vote && !v->vote_granted ? MAX(v->term, c->raft.current_term) : v->term;
        to->request_vote_result.granted = v->vote_granted;
        to->request_vote_result.pre_vote = v->pre_vote;
        return true;
    }
    case RAFT_APPEND_ENTRIES: {
        const struct raft_append_entries *a = &from->append_entries;
        to->kind = MESSAGE_APPEND;
        to->append.term = a->term;
        to->append.prev_index = a->prev_log_index;
        to->append.prev_term = a->prev_log_term;
        to->append.leader_commit = a->leader_commit;
        to->entry_count = a->n_entries;
        return true;
    }
    case RAFT_APPEND_ENTRIES_RESULT: {
        const struct raft_append_entries_result *a = &from->append_entries_result;
        to->kind = MESSAGE_APPEND_RESULT;
        to->append_result.term = a->term;
        to->append_result.rejected = a->rejected;
        to->append_result.last_index = a->rejected > 0 ? rejection_hint(c, a->rejected) : a->last_log_index;
        to->append_result.features = a->features;
        to->append_result.capacity = a->capacity;
        return true;
    }
    case RAFT_INSTALL_SNAPSHOT: {
        const struct raft_install_snapshot *s = &from->install_snapshot;
        to->kind = MESSAGE_INSTALL_SNAPSHOT;
        to->install_snapshot.term = s->term;
        to->install_snapshot.last_index = s->last_index;
        to->install_snapshot.last_term = s->last_term;
        to->install_snapshot.configuration_index = s->conf_index;
        return true;
    }
    case RAFT_TIMEOUT_NOW:
        to->kind = MESSAGE_TIMEOUT_NOW;
        to->timeout_now.term = from->timeout_now.term;
        to->timeout_now.last_index = from->timeout_now.last_log_index;
        to->timeout_now.last_term = from->timeout_now.last_log_term;
        return true;
    }
    return false;
}

static struct message *message_room(struct consensus *c, struct consensus_update *u)
{
    if (u->message_count == c->message_capacity) {
        c->message_capacity = MAX((size_t)16, c->message_capacity * 2);
        u->messages = c->messages = mem_realloc(c->messages, c->message_capacity * sizeof *c->messages);
    }
    return &c->messages[u->message_count];
}

static void push_message(struct consensus *c, struct consensus_update *u, const struct raft_message *m)
{
    if (message_of_raft(c, m, message_room(c, u)))
        u->message_count++;
}

/* Takes over the entries of one core step. `source` are ours that stand behind scratch[0 …). */
static void take_entries(struct consensus *c, struct consensus_update *u, struct raft_update *ru, const struct entry *source)
{
    ASSERT(ru->entries.index > c->raft.commit_index || ru->entries.index > c->commit);
    ASSERT(IMPLIES(u->entry_count > 0, ru->entries.index == u->entries_index + u->entry_count));
    if (u->entry_count == 0)
        u->entries_index = ru->entries.index;
    if (ru->entries.batch == &c->raft.barrier) {
        ASSERT(ru->entries.n == 1);
        forget_changes(c, ru->entries.index);
        push_entry(c, u, (struct entry){c->raft.barrier.term, ENTRY_BARRIER, bytes_ref(c->nothing)});
        raft_free(c->raft.barrier.batch);
        c->raft.barrier.batch = NULL;
        return;
    }
    ASSERT(ru->entries.batch >= c->scratch && ru->entries.batch < c->scratch + c->scratch_capacity);
    source += ru->entries.batch - c->scratch;
    forget_changes(c, ru->entries.index);
    for (unsigned i = 0; i < ru->entries.n; i++) {
        if (source[i].kind == ENTRY_CHANGE)
            note_change(c, ru->entries.index + i, &source[i]);
        push_entry(c, u, (struct entry){source[i].term, source[i].kind, bytes_ref(source[i].data)});
    }
}

static int code_of_raft(int rv)
{
    switch (rv) {
    case 0: return 0;
    case RAFT_NOTLEADER:
    case RAFT_LEADERSHIPLOST: return ERR_NOT_LEADER;
    case RAFT_CANTCHANGE:
    case RAFT_BUSY: return ERR_BUSY;
    case RAFT_NOSPACE: return ERR_NO_SPACE;
    case RAFT_MALFORMED: return ERR_CORRUPT;
    default: return ERR_INTERNAL; /* RAFT_SHUTDOWN: a committed entry would be replaced */
    }
}

/* One event into the core; what it asks for is added to `u`. *ret_entries tells whether it took entries over. */
static int step(struct consensus *c, struct raft_event *event, const struct entry *source, struct consensus_update *u,
                bool *ret_entries)
{
    struct raft_update ru = {0};
    event->time = c->now_ms;
    int rv = raft_step(&c->raft, event, &ru);
    while (c->encoded_count > 0)
        raft_free(c->encoded[--c->encoded_count].base);
    *ret_entries = rv == 0 && (ru.flags & (RAFT_UPDATE_ENTRIES)) != 0;
    if (*ret_entries)
        take_entries(c, u, &ru, source);
    for (unsigned i = 0; rv == 0 && i < ru.messages.n; i++)
        push_message(c, u, &ru.messages.batch[i]);
    if (rv == 0 && (ru.flags & (RAFT_UPDATE_SNAPSHOT)) != 0) {
        u->install = true;
        u->install_index = ru.snapshot.metadata.index;
        u->install_term = ru.snapshot.metadata.term;
        raft_configuration_close(&ru.snapshot.metadata.configuration);
    }
    return code_of_raft(rv);
}

static void scratch_reserve(struct consensus *c, size_t n)
{
    if (n <= c->scratch_capacity)
        return;
    c->scratch_capacity = MAX(n, c->scratch_capacity * 2);
    c->scratch = mem_realloc(c->scratch, c->scratch_capacity * sizeof *c->scratch);
}

static int raft_type(enum entry_kind kind)
{
    switch (kind) {
    case ENTRY_BARRIER: return RAFT_BARRIER;
    case ENTRY_CHANGE: return RAFT_CHANGE;
    case ENTRY_COMMAND: break;
    }
    return RAFT_COMMAND;
}

/* A configuration as the core reads it: ids and roles. Freed after the step. */
static struct raft_buffer encode_for_core(struct consensus *c, const struct bytes *data)
{
    struct configuration configuration;
    struct raft_configuration conf;
    int rv = configuration_decode(bytes_slice(data), &configuration, NULL);
    ASSERT(rv == 0); /* checked when it came in */
    if (c->encoded_count == c->encoded_capacity) {
        c->encoded_capacity = MAX((size_t)4, c->encoded_capacity * 2);
        c->encoded = mem_realloc(c->encoded, c->encoded_capacity * sizeof *c->encoded);
    }
    configuration_to_raft(&configuration, &conf);
    rv = raft_configuration_encode(&conf, &c->encoded[c->encoded_count]);
    ASSERT(rv == 0);
    raft_configuration_close(&conf);
    return c->encoded[c->encoded_count++];
}

/* The core reads data of changes only; bytes stay ours. `batch` is what it may free. */
static void scratch_fill(struct consensus *c, const struct entry *entries, size_t n, void *batch)
{
    scratch_reserve(c, n);
    for (size_t i = 0; i < n; i++) {
        struct bytes *data = entries[i].data;
        c->scratch[i] = (struct raft_entry){
            .term = entries[i].term,
            .type = (enum raft_entry_type)raft_type(entries[i].kind),
            .buf = {data == NULL ? NULL : data->data, data == NULL ? 0 : data->size},
            .batch = batch,
        };
        if (entries[i].kind == ENTRY_CHANGE)
            c->scratch[i].buf = encode_for_core(c, data);
    }
}

static int submit(struct consensus *c, const struct entry *entries, size_t n, struct consensus_update *u)
{
    bool taken;
    scratch_fill(c, entries, n, c); /* the core never frees the batch of a submission */
    struct raft_event event = {.type = RAFT_SUBMIT};
    event.submit.entries = c->scratch;
    event.submit.n = (unsigned)n;
    return step(c, &event, entries, u, &taken);
}

/* R4: the core only adds a no-op when something is uncommitted; we always want one, for reads and changes wait for it. */
static void lead(struct consensus *c, struct consensus_update *u)
{
    if (u->entry_count == 0) {
        struct entry noop = {raft_current_term(&c->raft), ENTRY_BARRIER, c->nothing};
        int rv = submit(c, &noop, 1, u);
        ASSERT(rv == 0);
    }
    c->own_term_index = u->entries_index;
}

static enum role role_of(const struct consensus *c)
{
    switch (c->raft.state) {
    case RAFT_LEADER: return ROLE_LEADER;
    case RAFT_CANDIDATE: return ROLE_CANDIDATE;
    default: return ROLE_FOLLOWER;
    }
}

static void core_configuration_set(struct raft_configuration *to, const struct configuration *from)
{
    raft_configuration_close(to);
    configuration_to_raft(from, to);
}

/* The oldest uncommitted change has been committed. */
static void commit_change(struct consensus *c, struct consensus_update *u)
{
    if (c->raft.configuration_uncommitted_index == c->changes[1].index) { /* what else the core does then: a leader that is gone steps down */
        struct raft_event event = {.type = RAFT_CONFIGURATION};
        bool taken;
        event.configuration.index = c->changes[1].index;
        configuration_to_raft(&c->changes[1].configuration, &event.configuration.conf);
        (void)step(c, &event, NULL, u, &taken); /* never fails */
    }
    c->change_count--;
    c->changes_version++;
    memmove(c->changes, c->changes + 1, c->change_count * sizeof *c->changes);
}

/* R17: what is committed is known as such, and the core holds the newest and the last committed configuration of our log. */
static void follow_changes(struct consensus *c, struct consensus_update *u)
{
    if (c->change_count == 0 || c->raft.snapshot.installing)
        return;
    while (c->change_count > 1 && c->changes[1].index <= c->raft.commit_index)
        commit_change(c, u);
#ifdef PLANT_NO_R17
    return;
#endif
    uint64_t uncommitted = c->change_count > 1 ? newest_change(c)->index : 0;
    if (c->raft.configuration_committed_index != c->changes[0].index) {
        core_configuration_set(&c->raft.configuration_committed, &c->changes[0].configuration);
        c->raft.configuration_committed_index = c->changes[0].index;
    }
    if (c->raft.configuration_uncommitted_index != uncommitted) {
        ASSERT(c->raft.state != RAFT_LEADER || c->raft.configuration.n == newest_change(c)->configuration.count);
        core_configuration_set(&c->raft.configuration, &newest_change(c)->configuration);
        c->raft.configuration_uncommitted_index = uncommitted;
    }
}

/* R16: what must hold after every step, whatever came in. */
static void check_core(const struct consensus *c)
{
    ASSERT(raft_current_term(&c->raft) >= c->term);
    ASSERT(IMPLIES(!c->raft.snapshot.installing, c->raft.commit_index >= c->commit));
    ASSERT(IMPLIES(!c->raft.snapshot.installing, c->raft.commit_index <= trail_last(&c->raft.trail)));
    ASSERT(IMPLIES(!c->raft.snapshot.installing, c->raft.last_stored <= trail_last(&c->raft.trail)));
}

static int update_end(struct consensus *c, int rv, struct consensus_update *u)
{
    enum role role = role_of(c);
    if (role == ROLE_LEADER && c->role != ROLE_LEADER)
        lead(c, u);
    follow_changes(c, u);
    role = role_of(c);
    check_core(c);
    u->term = raft_current_term(&c->raft);
    u->vote = raft_voted_for(&c->raft);
    u->hard_state = u->term != c->term || u->vote != c->vote;
    u->role_changed = role != c->role;
    u->commit_changed = !c->raft.snapshot.installing && c->raft.commit_index > c->commit;
    if (u->commit_changed)
        c->commit = c->raft.commit_index;
    c->term = u->term;
    c->vote = u->vote;
    c->role = role;
    u->next_timeout_ms = consensus_next_timeout_ms(c);
    return rv;
}

uint64_t consensus_next_timeout_ms(const struct consensus *c)
{
    return MAX(raft_timeout(&c->raft), c->now_ms + TIMER_MIN_MS);
}

/* The configurations that the log holds behind the snapshot's. */
static int start_changes(struct consensus *c, const struct consensus_start *s, struct err *reterr)
{
    int rv = configuration_check(&s->configuration, reterr);
    push_change(c, s->configuration_index, &s->configuration);
    for (size_t i = 0; i < s->entry_count && rv == 0; i++) {
        struct configuration configuration;
        if (s->entries[i].kind != ENTRY_CHANGE || s->first_index + i <= s->snapshot_index)
            continue;
        ASSERT(s->entries[i].data != NULL);
        rv = configuration_decode(bytes_slice(s->entries[i].data), &configuration, reterr);
        if (rv == 0)
            push_change(c, s->first_index + i, &configuration);
        else
            rv = err_wrap(reterr, rv, "entry %llu of the log", (unsigned long long)(s->first_index + i));
    }
    return rv;
}

/* Is this the only voter? */
static bool alone(const struct consensus *c)
{
    const struct configuration *newest = &newest_change(c)->configuration;
    const struct member *self = configuration_member(newest, c->raft.id);
    return self != NULL && self->voter && configuration_voters(newest) == 1;
}

int consensus_start(struct consensus *c, const struct consensus_start *s, struct consensus_update *ret, struct err *reterr)
{
    ASSERT(c->term == 0 && c->now_ms == 0);
    int rv = start_changes(c, s, reterr);
    if (rv != 0)
        return rv;
    ASSERT(s->entry_count == 0 || s->first_index <= s->snapshot_index + 1);
    ASSERT(s->entry_count == 0 || s->first_index + s->entry_count > s->snapshot_index);
    update_begin(c, s->now_ms, ret);
    struct raft_snapshot_metadata metadata = {
        .index = s->snapshot_index, .term = s->snapshot_term, .configuration_index = s->configuration_index};
    configuration_to_raft(&s->configuration, &metadata.configuration);
    struct raft_event event = {.type = RAFT_START};
    bool taken, only = alone(c);
    /* The core elects a single voter without a new term: after a cut log the same term and index could then stand for two
     * entries, so it begins in a fresh one. And term 0 means "no state at all" to it, which a configuration is not. */
    event.start.term = MAX(s->term, (uint64_t)1) + (only ? 1 : 0);
    event.start.voted_for = only ? 0 : s->vote;
    event.start.metadata = &metadata;
    event.start.start_index = s->entry_count == 0 ? s->snapshot_index + 1 : s->first_index;
    scratch_fill(c, s->entries, s->entry_count, NULL);
    event.start.entries = c->scratch;
    event.start.n_entries = (unsigned)s->entry_count;
    rv = step(c, &event, s->entries, ret, &taken);
    mem_free(c->scratch); /* as long as the whole log */
    c->scratch = NULL;
    c->scratch_capacity = 0;
    if (rv != 0)
        return err_set(reterr, rv, "consensus does not start from this log: %s", err_text(rv));
    c->term = only ? s->term : raft_current_term(&c->raft);
    c->vote = raft_voted_for(&c->raft);
    return update_end(c, 0, ret);
}

/* R18: the core does not let go of the leader of a follower that cannot stand itself. */
static void forget_silent_leader(struct consensus *c)
{
    const struct member *self = configuration_member(&newest_change(c)->configuration, c->raft.id);
    struct raft *r = &c->raft;
    if (role_of(c) != ROLE_FOLLOWER || (self != NULL && self->voter) || r->follower_state.current_leader.id == 0 ||
        c->now_ms - MIN(c->now_ms, (uint64_t)r->election_timer_start) < r->follower_state.randomized_election_timeout)
        return;
    raft_free(r->follower_state.current_leader.address);
    r->follower_state.current_leader.address = NULL;
    r->follower_state.current_leader.id = 0;
}

int consensus_tick(struct consensus *c, uint64_t now_ms, struct consensus_update *ret)
{
    bool taken;
    update_begin(c, now_ms, ret);
    forget_silent_leader(c);
    struct raft_event event = {.type = RAFT_TIMEOUT};
    return update_end(c, step(c, &event, NULL, ret, &taken), ret);
}

/* R1: the core takes an append that begins before its own compaction point for new entries, and one that begins before
 * the commit index needlessly compares what cannot differ. Both begin at the commit index instead: whoever leads in a
 * term not below ours has every entry that we know to be committed. */
static void append_normalise(const struct consensus *c, struct message *m)
{
#ifndef PLANT_NO_R1
    uint64_t commit = c->raft.commit_index;
    if (m->append.term < raft_current_term(&c->raft) || c->raft.snapshot.installing || m->append.prev_index >= commit)
        return;
    size_t drop = (size_t)MIN(commit - m->append.prev_index, (uint64_t)m->entry_count);
    m->entries += drop;
    m->entry_count -= drop;
    m->append.prev_index = commit;
    m->append.prev_term = term_at(c, commit);
    ASSERT(m->append.prev_term != 0);
#else
    (void)c, (void)m;
#endif
}

static int append_step(struct consensus *c, const struct message *m, const char *address, struct consensus_update *u)
{
    struct raft_message rm = {.type = RAFT_APPEND_ENTRIES, .server_id = m->from, .server_address = address};
    void *token = m->entry_count > 0 ? raft_malloc(1) : NULL; /* R14 */
    ASSERT(m->entry_count == 0 || token != NULL);
    scratch_fill(c, m->entries, m->entry_count, token);
    rm.append_entries = (struct raft_append_entries){
        .version = APPEND_VERSION,
        .term = m->append.term,
        .prev_log_index = m->append.prev_index,
        .prev_log_term = m->append.prev_term,
        .leader_commit = m->append.leader_commit,
        .entries = c->scratch,
        .n_entries = (unsigned)m->entry_count,
    };
    struct raft_event event = {.type = RAFT_RECEIVE};
    event.receive.message = &rm;
    bool taken;
    int rv = step(c, &event, m->entries, u, &taken);
    if (taken)
        raft_free(token); /* in every other case the core has freed it */
    return rv;
}

/* Entries up to the next change that is not the first one. */
static size_t append_piece(const struct message *m)
{
    size_t n = MIN(m->entry_count, (size_t)1);
#ifdef PLANT_NO_R3
    n = m->entry_count;
#endif
    while (n < m->entry_count && m->entries[n].kind != ENTRY_CHANGE)
        n++;
    return n;
}

static bool rejected(const struct consensus_update *u)
{
    for (size_t i = 0; i < u->message_count; i++)
        if (u->messages[i].kind == MESSAGE_APPEND_RESULT && u->messages[i].append_result.rejected > 0)
            return true;
    return false;
}

/* R3: the core gives a change that follows other entries the index of the first of them. */
static int append_receive(struct consensus *c, const struct message *m, const char *address, struct consensus_update *u)
{
    struct message piece = *m;
    append_normalise(c, &piece);
    for (;;) {
        size_t all = piece.entry_count, n = append_piece(&piece);
        piece.entry_count = n;
        int rv = append_step(c, &piece, address, u);
        if (rv != 0 || n == all || rejected(u))
            return rv;
        piece.append.prev_index += n;
        piece.append.prev_term = piece.entries[n - 1].term;
        piece.entries += n;
        piece.entry_count = all - n;
    }
}

/* A rejection must not lead the core below what the follower has already acknowledged: it counts entries in flight from
 * there, in unsigned arithmetic, and would never send one again. One of something acknowledged is late: the follower has
 * it by now. It is passed on as an answer that says nothing, for the contact counts. */
static struct raft_append_entries_result append_result(const struct consensus *c, const struct message *m)
{
    struct raft_append_entries_result r = {
        .version = APPEND_VERSION,
        .term = m->append_result.term,
        .rejected = m->append_result.rejected,
        .last_log_index = m->append_result.last_index,
        .features = m->append_result.features,
        .capacity = m->append_result.capacity,
    };
    raft_index match = 0;
    if (r.rejected == 0 || raft_match_index(&c->raft, m->from, &match) != 0)
        return r;
    if (r.rejected <= match)
        r.rejected = r.last_log_index = 0;
    else
        r.last_log_index = MIN(MAX(r.last_log_index, match), r.rejected - 1);
    return r;
}

static bool message_to_raft(const struct consensus *c, const struct message *m, struct raft_message *to)
{
    switch (m->kind) {
    case MESSAGE_REQUEST_VOTE:
        to->type = RAFT_REQUEST_VOTE;
        to->request_vote = (struct raft_request_vote){
            .version = VOTE_VERSION,
            .term = m->request_vote.term,
            .candidate_id = m->request_vote.candidate,
            .last_log_index = m->request_vote.last_index,
            .last_log_term = m->request_vote.last_term,
            .disrupt_leader = m->request_vote.disrupt_leader,
            .pre_vote = m->request_vote.pre_vote,
        };
        return m->request_vote.candidate == m->from;
    case MESSAGE_REQUEST_VOTE_RESULT:
        to->type = RAFT_REQUEST_VOTE_RESULT;
        to->request_vote_result = (struct raft_request_vote_result){
            .version = VOTE_VERSION,
            .term = m->request_vote_result.term,
            .vote_granted = m->request_vote_result.granted,
            .pre_vote = m->request_vote_result.pre_vote,
            .features = m->request_vote_result.features,
            .capacity = m->request_vote_result.capacity,
        };
        return true;
    case MESSAGE_APPEND_RESULT:
        to->type = RAFT_APPEND_ENTRIES_RESULT;
        to->append_entries_result = append_result(c, m);
        return true;
    case MESSAGE_INSTALL_SNAPSHOT:
        to->type = RAFT_INSTALL_SNAPSHOT;
        to->install_snapshot = (struct raft_install_snapshot){
            .version = APPEND_VERSION,
            .term = m->install_snapshot.term,
            .last_index = m->install_snapshot.last_index,
            .last_term = m->install_snapshot.last_term,
            .conf_index = m->install_snapshot.configuration_index,
        };
        return m->install_snapshot.last_index > 0 && m->install_snapshot.last_term > 0;
    case MESSAGE_TIMEOUT_NOW:
        to->type = RAFT_TIMEOUT_NOW;
        to->timeout_now = (struct raft_timeout_now){
            .version = APPEND_VERSION,
            .term = m->timeout_now.term,
            .last_log_index = m->timeout_now.last_index,
            .last_log_term = m->timeout_now.last_term,
        };
        return true;
    case MESSAGE_APPEND: break;
    }
    return false;
}

/* Terms and indexes that could not have come from a correct peer, refused before the core relies on them. */
static bool append_plausible(const struct message *m)
{
    if (m->append.prev_index > INDEX_MAX || m->append.leader_commit > INDEX_MAX || m->append.term == 0 || (m->append.prev_index == 0) != (m->append.prev_term == 0))
        return false;
    uint64_t term = m->append.prev_term;
    for (size_t i = 0; i < m->entry_count; i++) {
        if (m->entries[i].term < term || m->entries[i].term == 0 || m->entries[i].term > m->append.term)
            return false;
        if (m->entries[i].kind == ENTRY_CHANGE && configuration_decode(bytes_slice(m->entries[i].data), &(struct configuration){0}, NULL) != 0)
            return false;
        term = m->entries[i].term;
    }
    return true;
}

/* R20: the core answers an append of an older term with what it finds on its stack as our last index, and when that append
 * began at the log's beginning with no rejection either. A leader of old that leads again takes that for an acknowledgement
 * of entries we never had. */
static void refuse_old_append(struct consensus *c, const struct message *m, struct consensus_update *u)
{
    struct message *answer = message_room(c, u);
    *answer = (struct message){.kind = MESSAGE_APPEND_RESULT, .from = c->raft.id, .to = m->from};
    answer->append_result.term = raft_current_term(&c->raft);
    answer->append_result.rejected = MAX(m->append.prev_index, (uint64_t)1);
    u->message_count++;
}

/* Only one member can send appends in a term: when we lead in it, or another one is known to, the sender lies. */
static bool append_from_leader(const struct consensus *c, uint64_t term)
{
    return term != raft_current_term(&c->raft) || role_of(c) != ROLE_LEADER;
}

/* This member as a learner in the core's configuration; NULL: it is none. */
static struct raft_server *own_learner(struct consensus *c)
{
    for (unsigned i = 0; i < c->raft.configuration.n; i++)
        if (c->raft.configuration.servers[i].id == c->raft.id && c->raft.configuration.servers[i].role == RAFT_STANDBY)
            return &c->raft.configuration.servers[i];
    return NULL;
}

static int receive_step(struct consensus *c, struct raft_message *rm, struct consensus_update *u)
{
    struct raft_event event = {.type = RAFT_RECEIVE};
    struct raft_server *learner = rm->type == RAFT_REQUEST_VOTE ? own_learner(c) : NULL;
    bool taken;
    event.receive.message = rm;
    if (learner != NULL)
        learner->role = RAFT_VOTER; /* R18; a request for a vote changes no configuration */
    int rv = step(c, &event, NULL, u, &taken);
    if (learner != NULL)
        learner->role = RAFT_STANDBY;
    return rv;
}

int consensus_receive(struct consensus *c, uint64_t now_ms, const struct message *m, struct consensus_update *ret)
{
    char address[ADDRESS_MAX];
    update_begin(c, now_ms, ret);
    address_of(m->from, address);
    if (m->kind == MESSAGE_APPEND) {
        if (!append_plausible(m) || !append_from_leader(c, m->append.term))
            return update_end(c, ERR_CORRUPT, ret);
#ifndef PLANT_NO_R20
        if (m->append.term < raft_current_term(&c->raft)) {
            refuse_old_append(c, m, ret);
            return update_end(c, 0, ret);
        }
#endif
        return update_end(c, append_receive(c, m, address, ret), ret);
    }
    struct raft_message rm = {.server_id = m->from, .server_address = address};
    if (!message_to_raft(c, m, &rm) ||
        (m->kind == MESSAGE_INSTALL_SNAPSHOT && !append_from_leader(c, m->install_snapshot.term)))
        return update_end(c, ERR_CORRUPT, ret);
    return update_end(c, receive_step(c, &rm, ret), ret);
}

static int change_check(const struct consensus *c, const struct entry *e)
{
    struct configuration configuration;
    if (configuration_decode(bytes_slice(e->data), &configuration, NULL) != 0)
        return ERR_INVALID;
    const struct member *self = configuration_member(&configuration, c->raft.id);
    if (self == NULL || !self->voter || !configuration_adjacent(&newest_change(c)->configuration, &configuration))
        return ERR_INVALID;
#ifndef PLANT_CHANGE_BEFORE_NOOP
    if (!consensus_ready(c)) /* R4: Ongaro's mail of July 2015: else two leaders' changes may not overlap */
        return ERR_BUSY;
#endif
    return c->change_count > 1 ? ERR_BUSY : 0;
}

int consensus_submit(struct consensus *c, uint64_t now_ms, const struct entry *entries, size_t n, struct consensus_update *ret)
{
    ASSERT(n > 0);
    update_begin(c, now_ms, ret);
    if (role_of(c) != ROLE_LEADER)
        return update_end(c, ERR_NOT_LEADER, ret);
    if (raft_transferee(&c->raft) != 0)
        return update_end(c, ERR_BUSY, ret);
    for (size_t i = 0; i < n; i++) {
        ASSERT(entries[i].term == raft_current_term(&c->raft));
        ASSERT(IMPLIES(entries[i].kind == ENTRY_CHANGE, n == 1)); /* R3, for those who receive it */
        int rv = entries[i].kind == ENTRY_CHANGE ? change_check(c, &entries[i]) : 0;
        if (rv != 0)
            return update_end(c, rv, ret);
    }
    return update_end(c, submit(c, entries, n, ret), ret);
}

int consensus_persisted(struct consensus *c, uint64_t now_ms, uint64_t index, struct consensus_update *ret)
{
    update_begin(c, now_ms, ret);
    /* R6: the core would take a stale or unknown index at its word. */
    if (c->raft.snapshot.installing || index <= c->raft.last_stored || index > trail_last(&c->raft.trail))
        return update_end(c, 0, ret);
    struct raft_event event = {.type = RAFT_PERSISTED_ENTRIES};
    event.persisted_entries.index = index;
    bool taken;
    return update_end(c, step(c, &event, NULL, ret, &taken), ret);
}

int consensus_installed(struct consensus *c, uint64_t now_ms, uint64_t index, uint64_t term,
                        const struct configuration *configuration, uint64_t configuration_index,
                        struct consensus_update *ret)
{
    ASSERT(c->raft.snapshot.installing);
    ASSERT(c->raft.trail.snapshot.index == index && c->raft.trail.snapshot.term == term);
    update_begin(c, now_ms, ret);
    struct raft_event event = {.type = RAFT_PERSISTED_SNAPSHOT};
    event.persisted_snapshot.metadata = (struct raft_snapshot_metadata){
        .index = index, .term = term, .configuration_index = configuration_index};
    configuration_to_raft(configuration, &event.persisted_snapshot.metadata.configuration);
    c->change_count = 0;
    push_change(c, configuration_index, configuration);
    event.persisted_snapshot.last = true;
    bool taken;
    return update_end(c, step(c, &event, NULL, ret, &taken), ret);
}

int consensus_transfer(struct consensus *c, uint64_t now_ms, uint64_t to, struct consensus_update *ret)
{
    update_begin(c, now_ms, ret);
    const struct member *m = configuration_member(&newest_change(c)->configuration, to);
    if (role_of(c) != ROLE_LEADER)
        return update_end(c, ERR_NOT_LEADER, ret);
    if (m == NULL || !m->voter || to == c->raft.id)
        return update_end(c, ERR_INVALID, ret);
    /* The core would wait for the entries, and then go by what it has sent rather than by what has arrived. */
    if (raft_transferee(&c->raft) != 0 || consensus_match(c, to) != trail_last(&c->raft.trail))
        return update_end(c, ERR_BUSY, ret);
    struct raft_event event = {.type = RAFT_TRANSFER};
    event.transfer.server_id = to;
    bool taken;
    return update_end(c, step(c, &event, NULL, ret, &taken), ret);
}

int consensus_snapshot_taken(struct consensus *c, uint64_t now_ms, uint64_t index, uint64_t trailing,
                             const struct configuration *configuration, uint64_t configuration_index,
                             struct consensus_update *ret)
{
    ASSERT(!c->raft.snapshot.installing);
    ASSERT(index <= c->raft.commit_index && index <= c->raft.last_stored); /* R8 */
    ASSERT(index > c->raft.trail.snapshot.index);
    ASSERT(configuration_index <= index && configuration_index <= c->changes[0].index);
    update_begin(c, now_ms, ret);
    struct raft_event event = {.type = RAFT_SNAPSHOT};
    event.snapshot.metadata = (struct raft_snapshot_metadata){
        .index = index, .term = term_at(c, index), .configuration_index = configuration_index};
    configuration_to_raft(configuration, &event.snapshot.metadata.configuration);
    event.snapshot.trailing = (unsigned)MIN(trailing, (uint64_t)UINT32_MAX);
    bool taken;
    return update_end(c, step(c, &event, NULL, ret, &taken), ret);
}

void consensus_hurry(struct consensus *c, uint64_t now_ms, unsigned delay_ms)
{
    c->now_ms = MAX(c->now_ms, now_ms);
    if (role_of(c) != ROLE_FOLLOWER)
        return;
    uint64_t timeout = c->raft.follower_state.randomized_election_timeout;
    uint64_t wanted = c->now_ms + MIN((uint64_t)delay_ms, timeout);
    if (wanted >= timeout && wanted < c->raft.election_timer_start + timeout)
        c->raft.election_timer_start = wanted - timeout;
}

void consensus_set_inflight(struct consensus *c, unsigned entries)
{
    ASSERT(entries > 0);
    c->raft.max_inflight_entries = entries;
}

enum role consensus_role(const struct consensus *c) { return c->role; }
uint64_t consensus_term(const struct consensus *c) { return c->term; }
uint64_t consensus_vote(const struct consensus *c) { return c->vote; }
uint64_t consensus_commit_index(const struct consensus *c) { return c->commit; }
uint64_t consensus_last_index(const struct consensus *c) { return trail_last(&c->raft.trail); }

uint64_t consensus_match(const struct consensus *c, uint64_t member)
{
    raft_index match = 0;
    return c->role == ROLE_LEADER && raft_match_index(&c->raft, member, &match) == 0 ? match : 0;
}

bool consensus_installing(const struct consensus *c) { return c->raft.snapshot.installing; }

uint64_t consensus_leader(const struct consensus *c)
{
    switch (c->role) {
    case ROLE_LEADER: return c->raft.id;
    case ROLE_FOLLOWER: return c->raft.follower_state.current_leader.id;
    case ROLE_CANDIDATE: break;
    }
    return 0;
}

bool consensus_ready(const struct consensus *c) { return c->role == ROLE_LEADER && c->commit >= c->own_term_index; }

uint64_t consensus_transferee(const struct consensus *c)
{
    return c->role == ROLE_LEADER ? raft_transferee(&c->raft) : 0;
}

static const struct configuration *change_out(const struct change *change, uint64_t *ret_index)
{
    if (ret_index != NULL)
        *ret_index = change->index;
    return &change->configuration;
}

const struct configuration *consensus_configuration(const struct consensus *c, uint64_t *ret_index)
{
    return change_out(&c->changes[0], ret_index);
}

const struct configuration *consensus_newest(const struct consensus *c, uint64_t *ret_index)
{
    return change_out(newest_change(c), ret_index);
}

uint64_t consensus_configuration_version(const struct consensus *c) { return c->changes_version; }
