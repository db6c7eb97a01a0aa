/* What must hold, checked after every event. The truth is what was seen first: the entry that the first member applied at
 * an index, the first leader seen in a term, the first content seen at (index, term). */
#include "common/base.h"

#include "tests/sim/sim.h"

#include "common/mem.h"

static void truth_reserve(struct sim_truth *t, uint64_t index)
{
    if (index < t->capacity)
        return;
    size_t capacity = MAX((size_t)(index + 1), MAX((size_t)1024, t->capacity * 2));
    t->entries = mem_realloc(t->entries, capacity * sizeof *t->entries);
    memset(t->entries + t->capacity, 0, (capacity - t->capacity) * sizeof *t->entries);
    t->capacity = capacity;
}

/* State-machine safety: the same entry at the same index on every member, and the same state after it. */
void check_applied(void *arg, uint64_t index, uint64_t term, uint64_t value, uint64_t hash)
{
    struct sim_node *n = arg;
    struct sim_truth *t = &n->sim->truth;
    truth_reserve(t, index);
    if (t->entries[index].index == 0) {
        t->entries[index].index = index;
        t->entries[index].commit_term = consensus_term(n->driver->consensus);
        t->entries[index].term = term;
        t->entries[index].value = value;
        t->entries[index].hash = hash;
        t->entries[index].at_us = n->sim->now_us;
        t->count = MAX(t->count, (size_t)index);
    } else if (t->entries[index].term != term || t->entries[index].value != value) {
        sim_violation(n->sim, "state machine safety: member %zu applies term %llu value %llu at index %llu, before it was "
                      "term %llu value %llu", n->index, (unsigned long long)term, (unsigned long long)value,
                      (unsigned long long)index, (unsigned long long)t->entries[index].term,
                      (unsigned long long)t->entries[index].value);
    } else if (t->entries[index].hash != hash) {
        sim_violation(n->sim, "hashes: member %zu differs at applied index %llu", n->index, (unsigned long long)index);
    }
    t->hashes_checked++;
}

/* Leader completeness: everything that was applied in an earlier term stands in the log of a new leader. */
static void check_complete(struct sim_node *n)
{
    struct sim_truth *t = &n->sim->truth;
    struct wal *w = n->driver->wal;
    uint64_t term = consensus_term(n->driver->consensus);
    for (uint64_t i = wal_first_index(w); i <= t->count && i < t->capacity; i++)
        if (t->entries[i].index != 0 && t->entries[i].commit_term < term && wal_term_of(w, i) != t->entries[i].term) {
            if (i <= t->acknowledged)
                sim_violation(n->sim, "lost write: index %llu was acknowledged, and member %zu leads without it", (unsigned long long)i,
                              n->index);
            sim_violation(n->sim, "leader completeness: member %zu leads with term %llu at index %llu, committed was %llu",
                          n->index, (unsigned long long)wal_term_of(w, i), (unsigned long long)i,
                          (unsigned long long)t->entries[i].term);
        }
}

static void check_leader(struct sim_node *n)
{
    struct sim_truth *t = &n->sim->truth;
    uint64_t term = consensus_term(n->driver->consensus);
    for (size_t i = t->leader_count; i > 0; i--) {
        if (t->leaders[i - 1].term != term)
            continue;
        if (t->leaders[i - 1].id != n->id)
            sim_violation(n->sim, "two leaders in term %llu: %llu and %llu", (unsigned long long)term,
                          (unsigned long long)t->leaders[i - 1].id, (unsigned long long)n->id);
        return;
    }
    if (t->leader_count == t->leader_capacity) {
        t->leader_capacity = MAX((size_t)16, t->leader_capacity * 2);
        t->leaders = mem_realloc(t->leaders, t->leader_capacity * sizeof *t->leaders);
    }
    t->leaders[t->leader_count].term = term;
    t->leaders[t->leader_count++].id = n->id;
    n->sim->elections++;
    check_complete(n);
}

/* A learner is promoted when it has caught up: everything that was applied anywhere two election timeouts ago, it has. */
static void check_promoted(struct sim_node *leader, uint64_t id)
{
    struct sim *s = leader->sim;
    struct sim_node *n = sim_node_of(s, id);
    uint64_t index = s->truth.count, before = s->now_us - MIN(s->now_us, 2ull * 300 * MS);
    s->promoted++;
    if (n == NULL || !n->up || n->driver == NULL)
        return;
    while (index > 0 && (s->truth.entries[index].index == 0 || s->truth.entries[index].at_us > before))
        index--;
    if (MAX(wal_durable_index(n->driver->wal), n->driver->applied) < index)
        sim_violation(s, "member %zu is made a voter with %llu entries, %llu were applied two election timeouts ago", n->index,
                      (unsigned long long)wal_durable_index(n->driver->wal), (unsigned long long)index);
}

static void check_configuration(struct sim_node *n)
{
    const struct configuration *c = consensus_newest(n->driver->consensus, NULL);
    uint64_t term = consensus_term(n->driver->consensus), version = consensus_configuration_version(n->driver->consensus);
    if (n->term_seen == term && n->version_seen == version)
        return;
    if (n->term_seen == term && !configuration_adjacent(&n->newest_seen, c))
        sim_violation(n->sim, "member %zu changes more than one voter at once", n->index);
    for (size_t i = 0; i < c->count && n->term_seen == term; i++) {
        const struct member *before = configuration_member(&n->newest_seen, c->members[i].id);
        if (c->members[i].voter && before != NULL && !before->voter)
            check_promoted(n, c->members[i].id);
    }
    n->term_seen = term;
    n->version_seen = version;
    n->newest_seen = *c;
}

/* Who was never made a voter never votes: also not with a folder that was lost and an identity that is new. */
void check_vote(struct sim_node *n)
{
    if (!n->was_voter)
        sim_violation(n->sim, "member %zu votes and has never been made a voter", n->index);
}

static void note_voters(struct sim_node *n)
{
    const struct configuration *c = consensus_newest(n->driver->consensus, NULL);
    for (size_t i = 0; i < c->count; i++)
        sim_node_of(n->sim, c->members[i].id)->was_voter |= c->members[i].voter;
}

void check_node(struct sim_node *n)
{
    struct driver *d = n->driver;
    if (!n->up || d == NULL || n->failed)
        return;
    if (consensus_role(d->consensus) == ROLE_LEADER)
        check_leader(n);
    note_voters(n);
    if (consensus_role(d->consensus) == ROLE_LEADER)
        check_configuration(n);
    if (d->applied > consensus_commit_index(d->consensus) && !consensus_installing(d->consensus))
        sim_violation(n->sim, "member %zu applied %llu, committed is %llu", n->index, (unsigned long long)d->applied,
                      (unsigned long long)consensus_commit_index(d->consensus));
    if (d->applied != n->applied_seen && d->applied < n->sim->truth.capacity) {
        uint64_t hash = sim_node_hash(n);
        if (n->sim->truth.entries[d->applied].index != 0 && n->sim->truth.entries[d->applied].hash != hash)
            sim_violation(n->sim, "hashes: member %zu differs at applied index %llu", n->index,
                          (unsigned long long)d->applied);
        n->applied_seen = d->applied;
    }
}

/* Log matching: the same content and the same predecessor wherever index and term are the same. Every entry that reaches a
 * second log travels in an append. */
void check_append(struct sim *s, const struct message *m)
{
    uint64_t previous = m->append.prev_term;
    for (size_t i = 0; i < m->entry_count; i++) {
        const struct entry *e = &m->entries[i];
        const uint64_t key[] = {m->append.prev_index + 1 + i, e->term};
        uint64_t seen = (hash_bytes(bytes_slice(e->data)) * 31 + previous * 7 + (uint64_t)e->kind) | 1;
        struct slice k = slice_of(key, sizeof key);
        uint64_t known = (uint64_t)(uintptr_t)map_get(&s->truth.log, k);
        if (known == 0)
            map_put(&s->truth.log, k, (void *)(uintptr_t)seen);
        else if (known != seen)
            sim_violation(s, "log matching: two entries at index %llu in term %llu", (unsigned long long)key[0],
                          (unsigned long long)key[1]);
        previous = e->term;
    }
}

uint64_t check_floor(struct sim *s, unsigned key) { return s->truth.floor[key]; }

/* Linearizability of one register, with the log as the order of its writes: whatever had finished before an operation
 * began must come before it. */
void check_write_done(struct sim *s, struct sim_client *c, uint64_t index)
{
    struct sim_truth *t = &s->truth;
    s->acknowledged_writes++;
    if (index >= t->capacity || t->entries[index].index == 0 || t->entries[index].value != c->value)
        sim_violation(s, "write %llu was acknowledged at index %llu, where it does not stand", (unsigned long long)c->value,
                      (unsigned long long)index);
    if (index <= c->floor)
        sim_violation(s, "linearizability: write %llu at index %llu, but %llu was already seen when it began",
                      (unsigned long long)c->value, (unsigned long long)index, (unsigned long long)c->floor);
    t->floor[c->key] = MAX(t->floor[c->key], index);
    t->acknowledged = MAX(t->acknowledged, index);
}

void check_read_done(struct sim *s, struct sim_client *c, uint64_t value, uint64_t index)
{
    s->reads++;
    if (index < c->floor)
        sim_violation(s, "linearizability: a read of register %u gave value %llu of index %llu, but index %llu was already "
                      "seen when it began", c->key, (unsigned long long)value, (unsigned long long)index,
                      (unsigned long long)c->floor);
    s->truth.floor[c->key] = MAX(s->truth.floor[c->key], index);
}

/* At the end: all logs the same where they overlap, all states equal, nothing acknowledged lost. */
void check_converged(struct sim *s)
{
    struct sim_node *leader = sim_leader(s);
    const struct configuration *c = consensus_configuration(leader->driver->consensus, NULL);
    uint64_t hash = sim_node_hash(leader);
    for (size_t i = 0; i < c->count; i++) {
        struct sim_node *n = sim_node_of(s, c->members[i].id);
        if (sim_node_hash(n) != hash)
            sim_violation(s, "hashes: member %zu differs at the end", n->index);
        for (uint64_t j = wal_first_index(n->driver->wal); j <= wal_last_index(n->driver->wal); j++) {
            uint64_t other = wal_term_of(leader->driver->wal, j);
            if (other != 0 && other != wal_term_of(n->driver->wal, j))
                sim_violation(s, "logs: members %zu and %zu differ at index %llu", leader->index, n->index, (unsigned long long)j);
        }
    }
}

void check_release(struct sim *s)
{
    mem_free(s->truth.entries);
    mem_free(s->truth.leaders);
    map_release(&s->truth.log);
}
