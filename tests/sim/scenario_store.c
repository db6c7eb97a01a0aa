/* Directed histories around what is acknowledged: writes and leases. */
#include "common/base.h"

#include "tests/sim/sim.h"

#define POWER_LOSSES 20
#define LEASE_S 2
#define LEASE_LATE_MS 1000 /* what the moves may cost it; each stops its clock for some ms only */

/* All lose their power at the first acknowledgement that they have given since they came up; what was not synced may be lost.
 * Who comes up must have what was acknowledged. */
void scenario_power_loss(struct sim *s)
{
    scenario_start(s, 1ull << 40, 1);
    sim_clients_start(s, 2, 5 * MS);
    for (int round = 0; round < POWER_LOSSES && s->violation[0] == '\0'; round++) {
        uint64_t before = s->acknowledged_writes, end = s->now_us + 5000 * MS;
        while (s->acknowledged_writes == before && sim_step(s, end)) {
        }
        if (s->acknowledged_writes == before)
            sim_violation(s, "no write is acknowledged any more");
        for (size_t i = 0; i < s->members && s->violation[0] == '\0'; i++)
            sim_node_crash(&s->nodes[i]);
        for (size_t i = 0; i < s->members && s->violation[0] == '\0'; i++)
            sim_node_start(&s->nodes[i]);
    }
    (void)scenario_elect(s);
    s->clients_stopped = true;
}

static int64_t lease_begin(struct sim *s, size_t clients)
{
    if (!s->options.store) {
        sim_violation(s, "this scenario needs --store");
        return 0;
    }
    scenario_start(s, 1ull << 40, 1);
    struct sim_node *leader = scenario_elect(s);
    store_load_start(s, clients, 1 * MS);
    store_load_quiet(s);
    int64_t lease = leader == NULL ? 0 : store_load_lease(s, LEASE_S);
    if (lease == 0)
        sim_violation(s, "the scenario did not come about: no lease");
    return lease;
}

static void move_leadership(struct sim *s)
{
    struct sim_node *leader = sim_leader(s);
    if (leader == NULL || !driver_leads(leader->driver) || driver_transfer(leader->driver, 0, NULL) != 0)
        return;
    s->transfers++;
    sim_node_drain(leader);
    check_node(leader);
}

/* Runs until the lease has ended, which must be soon after its time. */
static void lease_wait(struct sim *s, int64_t lease, bool moves)
{
    uint64_t end = s->now_us + (LEASE_S * 1000 + LEASE_LATE_MS) * MS;
    while (s->violation[0] == '\0' && s->now_us < end && !store_load_lease_ended(s, lease)) {
        if (moves)
            move_leadership(s);
        sim_run_until(s, s->now_us + 150 * MS);
    }
    if (!store_load_lease_ended(s, lease))
        sim_violation(s, "a lease of %d s is there %d ms after its time, over %llu writes and %llu moves of leadership", LEASE_S,
                      LEASE_LATE_MS, (unsigned long long)s->acknowledged_writes, (unsigned long long)s->transfers);
}

/* Nothing is written meanwhile: the lease's clock is carried from leader to leader by what they know alone. */
void scenario_lease_handover(struct sim *s)
{
    int64_t lease = lease_begin(s, 1);
    if (lease == 0)
        return;
    lease_wait(s, lease, true);
    if (s->transfers < 3)
        sim_violation(s, "the scenario did not come about: leadership did not move");
}

/* Writes without a pause, each of which takes its time to commit, must not hold up the clock. */
void scenario_lease_under_writes(struct sim *s)
{
    s->net.delay_min_us = s->net.delay_max_us = 20 * MS;
    int64_t lease = lease_begin(s, 1);
    if (lease == 0)
        return;
    store_load_loud(s);
    lease_wait(s, lease, false);
    store_load_quiet(s);
    if (s->acknowledged_writes < 12)
        sim_violation(s, "the scenario did not come about: hardly anything was written");
}
