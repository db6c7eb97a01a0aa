/* Directed histories for what random ones rarely reach.
 *
 * compacted_follower   R1: a leader that never compacted, and never heard an answer, probes a follower that has compacted
 * deposed_leader       R2: a leader that was cut off with thousands of entries comes back; bounded in virtual time
 * stale_read           reads at a leader that was cut off while the others went on
 * paused_leader        requests that reach a leader while it sleeps and the others go on; it reads them before its timers fire
 * power_loss           all members lose their power the moment a write is acknowledged (scenario_store.c)
 * lease_handover       a lease while leadership moves on and on, over the whole store (scenario_store.c)
 * lease_under_writes   a lease while others write without a pause
 * quick_snapshots      a snapshot as soon as the one before it is there, for members that come back to one after another
 * unsettled_change     R4: a new leader changes the membership while an older leader's change is about (Ongaro, July 2015) */
#include "common/base.h"

#include "tests/sim/sim.h"

#include "common/mem.h"

#include <stdio.h>

#define ELECT_MS 5000
#define BACKLOG 3000
#define BACKLOG_MS 1500 /* to converge: one round trip per entry would take many seconds */

void scenario_start(struct sim *s, uint64_t snapshot_log_bytes, uint64_t trailing_bytes)
{
    for (size_t i = 0; i < s->members; i++) {
        s->nodes[i].options.snapshot_log_bytes = snapshot_log_bytes;
        s->nodes[i].options.trailing_bytes = trailing_bytes;
        s->nodes[i].options.segment_bytes = 1024 * 1024;
        sim_node_start(&s->nodes[i]);
    }
}

struct sim_node *scenario_elect(struct sim *s)
{
    uint64_t end = s->now_us + ELECT_MS * MS;
    while (s->violation[0] == '\0' && s->now_us < end) {
        struct sim_node *n = sim_leader(s);
        if (n != NULL && driver_leads(n->driver))
            return n;
        sim_run_until(s, s->now_us + 10 * MS);
    }
    sim_violation(s, "no leader within %d ms", ELECT_MS);
    return NULL;
}

static void isolate(struct sim *s, size_t member, bool cut)
{
    for (size_t i = 0; i < s->members; i++)
        s->net.blocked[i][member] = s->net.blocked[member][i] = cut && i != member;
}

static void converge(struct sim *s, uint64_t within_ms)
{
    uint64_t end = s->now_us + within_ms * MS;
    while (s->violation[0] == '\0' && s->now_us < end && !sim_converged(s))
        sim_run_until(s, s->now_us + 10 * MS);
    if (s->violation[0] == '\0' && !sim_converged(s))
        sim_violation(s, "no convergence within %llu ms", (unsigned long long)within_ms);
    if (s->violation[0] == '\0')
        check_converged(s);
}

struct written {
    struct proposal proposal;
};

static void written(struct proposal *p, int status, uint64_t index)
{
    (void)status, (void)index;
    mem_free(container_of(p, struct written, proposal));
}

static void write_many(struct sim *s, struct sim_node *n, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        struct written *w = NEW(struct written);
        uint64_t value = ++s->next_value;
        w->proposal = (struct proposal){.data = register_write((unsigned)(value % REGISTERS), value, 20), .done = written};
        driver_propose(n->driver, &w->proposal);
        bytes_unref(w->proposal.data);
        if (i % 50 == 49)
            sim_node_drain(n);
    }
    sim_node_drain(n);
}

static void compacted_follower(struct sim *s)
{
    scenario_start(s, 1ull << 40, 1);
    struct sim_node *n = scenario_elect(s);
    if (n == NULL)
        return;
    struct sim_node *old = n, *next = &s->nodes[(n->index + 1) % 3], *follower = &s->nodes[(n->index + 2) % 3];
    follower->options.snapshot_log_bytes = follower->driver->options.snapshot_log_bytes = 1500;
    write_many(s, n, 10);
    sim_run_until(s, s->now_us + 500 * MS);
    /* The next leader never hears the follower, so it knows nothing of what that one has; the old leader votes for it. */
    s->net.blocked[follower->index][next->index] = true;
    s->net.blocked[old->index][follower->index] = s->net.blocked[follower->index][old->index] = true;
    for (int i = 0; i < 40 && s->violation[0] == '\0' && sim_leader(s) != next; i++) {
        if (old->up && sim_leader(s) != next) {
            sim_node_crash(old);
            sim_run_until(s, s->now_us + 700 * MS);
            sim_node_start(old);
            sim_run_until(s, s->now_us + 700 * MS);
        }
    }
    if (sim_leader(s) != next) {
        sim_violation(s, "the scenario did not come about");
        return;
    }
    for (int i = 0; i < 40 && s->violation[0] == '\0'; i++) {
        write_many(s, next, 5);
        sim_run_until(s, s->now_us + 100 * MS);
    }
    memset(s->net.blocked, 0, sizeof s->net.blocked);
    converge(s, 5000);
}

static void deposed_leader(struct sim *s)
{
    scenario_start(s, 1ull << 40, 1);
    struct sim_node *old = scenario_elect(s);
    if (old == NULL)
        return;
    isolate(s, old->index, true);
    write_many(s, old, BACKLOG);
    sim_run_until(s, s->now_us + 100 * MS);
    struct sim_node *n = NULL;
    for (int i = 0; i < 500 && ((n = sim_leader(s)) == old || n == NULL); i++)
        sim_run_until(s, s->now_us + 10 * MS);
    sim_run_until(s, s->now_us + 500 * MS);
    if (n == NULL || n == old) {
        sim_violation(s, "nobody follows the leader that was cut off");
        return;
    }
    write_many(s, n, BACKLOG + 100);
    sim_run_until(s, s->now_us + 1000 * MS);
    /* Who is elected with the long log believes the old leader to have all of it. */
    sim_node_crash(n);
    sim_run_until(s, s->now_us + 200 * MS);
    sim_node_start(n);
    sim_run_until(s, s->now_us + 1000 * MS);
    isolate(s, old->index, false);
    converge(s, BACKLOG_MS);
}

static void stale_read(struct sim *s)
{
    scenario_start(s, 1ull << 40, 1);
    struct sim_node *n = scenario_elect(s);
    sim_clients_start(s, SIM_CLIENTS_MAX, 5 * MS);
    for (int i = 0; i < 12 && n != NULL && s->violation[0] == '\0'; i++) {
        isolate(s, n->index, true);
        sim_run_until(s, s->now_us + 1200 * MS);
        isolate(s, n->index, false);
        sim_run_until(s, s->now_us + 500 * MS);
        n = scenario_elect(s);
    }
    s->clients_stopped = true;
    converge(s, 5000);
}

static void paused_leader(struct sim *s)
{
    scenario_start(s, 1ull << 40, 1);
    struct sim_node *n = scenario_elect(s);
    sim_clients_start(s, SIM_CLIENTS_MAX, 5 * MS);
    for (int i = 0; i < 12 && n != NULL && s->violation[0] == '\0'; i++) {
        n->paused_until_us = s->now_us + 1200 * MS;
        sim_run_until(s, s->now_us + 1700 * MS);
        n = scenario_elect(s);
    }
    s->clients_stopped = true;
    converge(s, 5000);
}

/* Nothing is kept behind a snapshot: who was away for a moment is sent one, while the next two are made, and is sometimes killed
 * over it. */
static void quick_snapshots(struct sim *s)
{
    struct driver_status leader = {0};
    scenario_start(s, 1, 1);
    struct sim_node *n = scenario_elect(s);
    sim_clients_start(s, 4, 2 * MS);
    for (int i = 0; i < 15 && n != NULL && s->violation[0] == '\0'; i++) {
        struct sim_node *victim = &s->nodes[(n->index + 1 + (size_t)i % 2) % s->members];
        isolate(s, victim->index, true);
        sim_run_until(s, s->now_us + 150 * MS);
        isolate(s, victim->index, false);
        sim_run_until(s, s->now_us + sim_below(s, 150 * MS));
        if (i % 3 == 2 && s->violation[0] == '\0') {
            sim_node_crash(victim);
            sim_node_start(victim);
        }
        n = s->violation[0] == '\0' ? scenario_elect(s) : NULL;
        if (n != NULL)
            driver_status(n->driver, &leader);
    }
    if (s->violation[0] == '\0' && leader.snapshot_index + 20 < leader.applied_index)
        sim_violation(s, "the scenario did not come about: the last snapshot is of %llu, applied is %llu",
                      (unsigned long long)leader.snapshot_index, (unsigned long long)leader.applied_index);
    s->clients_stopped = true;
    converge(s, 5000);
}

/* --- unsettled_change --- */

static void configured(struct proposal *p, int status, uint64_t index)
{
    (void)status, (void)index;
    mem_free(p);
}

static void propose(struct sim_node *n, const struct configuration *c)
{
    struct proposal *p = NEW(struct proposal);
    p->done = configured;
    driver_propose_configuration(n->driver, p, c);
    sim_node_drain(n);
    check_node(n);
}

/* A further member, as a learner or a voter. */
static struct sim_node *enlarge(struct sim *s, bool voter)
{
    struct sim_node *leader = scenario_elect(s), *n = sim_node_add(s);
    if (leader == NULL)
        return NULL;
    sim_node_start(n);
    for (int i = 0; i < 200 && s->violation[0] == '\0'; i++) {
        struct configuration c = *driver_newest(leader->driver, NULL);
        const struct member *known = configuration_member(&c, n->id);
        struct member m = {.id = n->id, .automatic = voter};
        (void)snprintf(m.peer_address, sizeof m.peer_address, "sim:%llu", (unsigned long long)n->id);
        if (known != NULL && known->voter == voter && n->driver->applied == leader->driver->applied)
            return n;
        if (known == NULL && member_add(&c, &m, NULL) == 0)
            propose(leader, &c);
        sim_run_until(s, s->now_us + 50 * MS);
    }
    sim_violation(s, "the scenario did not come about: no further member");
    return NULL;
}

static void cut_pair(struct sim *s, const struct sim_node *a, const struct sim_node *b, bool cut)
{
    s->net.blocked[a->index][b->index] = s->net.blocked[b->index][a->index] = cut;
}

/* Runs until one of the others leads in a term in which `fourth` has voted for it, and hears nothing of it since. NULL: the
 * fourth was faster; then it is an ordinary history. */
static struct sim_node *elect_unheard(struct sim *s, const struct sim_node *old, struct sim_node *fourth)
{
    for (int i = 0; i < 200000 && sim_step(s, UINT64_MAX); i++) {
        for (size_t j = 0; j < 4; j++) {
            struct sim_node *n = &s->nodes[j];
            const struct consensus *c = n->driver->consensus;
            if (n == old || n == fourth || consensus_term(c) <= consensus_term(old->driver->consensus))
                continue;
            if (consensus_vote(fourth->driver->consensus) == n->id && consensus_term(fourth->driver->consensus) == consensus_term(c))
                s->net.blocked[n->index][fourth->index] = true;
            if (consensus_role(c) == ROLE_LEADER)
                return n;
        }
        if (consensus_role(fourth->driver->consensus) == ROLE_LEADER)
            return NULL;
    }
    return NULL;
}

static void unsettled_change(struct sim *s)
{
    scenario_start(s, 1ull << 40, 1ull << 30);
    struct sim_node *fourth_added = enlarge(s, true), *fifth = fourth_added == NULL ? NULL : enlarge(s, false);
    struct sim_node *old = fifth == NULL ? NULL : scenario_elect(s);
    if (old == NULL)
        return;
    struct sim_node *fourth = old == fourth_added ? &s->nodes[0] : fourth_added;
    for (size_t i = 0; i < 4; i++)
        if (&s->nodes[i] != old)
            cut_pair(s, old, &s->nodes[i], true);
    for (size_t i = 0; i < 4; i++) /* the fourth does not stand itself: it is heard by nobody, but for its votes */
        s->net.blocked[i][fifth->index] |= &s->nodes[i] != old;
    struct configuration c = *driver_newest(old->driver, NULL);
    (void)member_promote(&c, fifth->id, true, NULL);
    propose(old, &c); /* five voters, known to the old leader and the fifth */
    struct sim_node *next = elect_unheard(s, old, fourth);
    if (next != NULL) { /* three voters, of which two are a majority; refused until the no-op has committed */
        c = *driver_newest(next->driver, NULL);
        (void)member_remove(&c, old->id, NULL);
        propose(next, &c);
        sim_run_until(s, s->now_us + 100 * MS);
        write_many(s, next, 5);
    }
    sim_run_until(s, s->now_us + 100 * MS);
    memset(s->net.blocked, 0, sizeof s->net.blocked);
    for (size_t i = 0; i < 4; i++)
        for (size_t j = 0; j < 5; j++)
            if (&s->nodes[i] != old && &s->nodes[i] != fourth && (&s->nodes[j] == old || &s->nodes[j] == fourth || &s->nodes[j] == fifth))
                cut_pair(s, &s->nodes[i], &s->nodes[j], true);
    sim_run_until(s, s->now_us + 4000 * MS); /* the old leader with the fourth and the fifth */
    memset(s->net.blocked, 0, sizeof s->net.blocked);
    converge(s, 8000);
}

bool scenario_run(struct sim *s, const char *name)
{
    static const struct { const char *name; void (*run)(struct sim *s); } scenarios[] = {
        {"compacted_follower", compacted_follower},
        {"deposed_leader", deposed_leader},
        {"stale_read", stale_read},
        {"paused_leader", paused_leader},
        {"quick_snapshots", quick_snapshots},
        {"unsettled_change", unsettled_change},
        {"power_loss", scenario_power_loss},
        {"lease_handover", scenario_lease_handover},
        {"lease_under_writes", scenario_lease_under_writes},
    };
    for (size_t i = 0; i < ARRAY_LEN(scenarios); i++) {
        if (strcmp(scenarios[i].name, name) == 0) {
            scenarios[i].run(s);
            return true;
        }
    }
    return false;
}
