/* One random history: which faults, how often and how strong is drawn from the seed. */
#include "common/base.h"

#include "tests/sim/sim.h"

#include "common/mem.h"

#define FAULTS_MS 6000
#define HEAL_MS 20000

struct fault_event {
    struct sim_event event;
    size_t member;
};

struct swarm {
    unsigned crash_permille, cut_permille, pause_permille, slow_permille, member_permille;
    uint64_t every_us;
};

static void restart_run(struct sim *s, struct sim_event *e)
{
    struct sim_node *n = &s->nodes[container_of(e, struct fault_event, event)->member];
    mem_free(container_of(e, struct fault_event, event));
    if (!n->up && !n->retired)
        sim_node_start(n);
}

static void fault_free(struct sim *s, struct sim_event *e)
{
    (void)s;
    mem_free(container_of(e, struct fault_event, event));
}

static void crash(struct sim *s)
{
    struct sim_node *n = &s->nodes[sim_below(s, s->members)];
    if (!n->up || n->paused_until_us > s->now_us)
        return;
    sim_node_crash(n);
    struct fault_event *e = NEW(struct fault_event);
    e->member = n->index;
    e->event.run = restart_run;
    e->event.drop = fault_free;
    sim_schedule(s, &e->event, sim_below(s, sim_chance(s, 500) ? 50 * MS : 1500 * MS));
}

static void cut(struct sim *s)
{
    size_t a = sim_below(s, s->members), b = sim_below(s, s->members);
    switch (sim_below(s, 4)) {
    case 0: memset(s->net.blocked, 0, sizeof s->net.blocked); break; /* heals */
    case 1: /* one member from all others */
        for (size_t i = 0; i < s->members; i++)
            s->net.blocked[a][i] = s->net.blocked[i][a] = i != a;
        break;
    case 2: s->net.blocked[a][b] = a != b; break; /* one way */
    default: /* one direction of one member */
        for (size_t i = 0; i < s->members; i++)
            s->net.blocked[i][a] = i != a;
    }
}

static void fault(struct sim *s, const struct swarm *w)
{
    if (sim_chance(s, w->crash_permille))
        crash(s);
    if (sim_chance(s, w->cut_permille))
        cut(s);
    if (sim_chance(s, w->pause_permille))
        s->nodes[sim_below(s, s->members)].paused_until_us = s->now_us + sim_below(s, 1500 * MS);
    if (sim_chance(s, w->slow_permille)) {
        struct fake_disk *d = &s->nodes[sim_below(s, s->members)].disk;
        d->latency_max_us = sim_chance(s, 500) ? 1500 : 1500 + sim_below(s, 200 * MS);
    }
    if (w->member_permille > 0) {
        membership_follow(s);
        if (sim_chance(s, w->member_permille))
            membership_fault(s);
    }
    if (s->options.store)
        store_load_fault(s);
}

static void calm(struct sim *s)
{
    s->net.loss_permille = s->net.copy_permille = 0;
    s->net.delay_max_us = MAX(s->net.delay_min_us, 2 * MS);
    memset(s->net.blocked, 0, sizeof s->net.blocked);
    for (size_t i = 0; i < s->members; i++) {
        struct sim_node *n = &s->nodes[i];
        n->disk.latency_max_us = 1500;
        n->paused_until_us = 0;
        if (n->disk_full && !n->failed)
            n->disk.writes_until_full = 0;
        if (!n->up && !n->retired)
            sim_node_start(n);
    }
}

static void calm_hosts(struct sim *s)
{
    for (size_t i = 0; i < s->host_count; i++)
        s->hosts[i].paused_until_us = 0;
}

static void configure(struct sim *s, struct swarm *w)
{
    *w = (struct swarm){
        .crash_permille = (unsigned)sim_below(s, 400),
        .cut_permille = (unsigned)sim_below(s, 500),
        .pause_permille = (unsigned)sim_below(s, 200),
        .slow_permille = (unsigned)sim_below(s, 200),
        .every_us = 20 * MS + sim_below(s, 400 * MS),
    };
    s->net.loss_permille = sim_chance(s, 500) ? 0 : (unsigned)sim_below(s, 250);
    s->net.copy_permille = sim_chance(s, 500) ? 0 : (unsigned)sim_below(s, 200);
    s->net.delay_min_us = 100 + sim_below(s, 2 * MS);
    s->net.delay_max_us = s->net.delay_min_us + sim_below(s, sim_chance(s, 700) ? 5 * MS : 80 * MS);
    static const uint64_t inflight[] = {1, 4096, 64 * 1024, 8 * 1024 * 1024};
    for (size_t i = 0; i < s->members; i++) {
        struct driver_options *o = &s->nodes[i].options;
        o->segment_bytes = (4 + sim_below(s, 28)) * 4096;
        o->cache_bytes = sim_chance(s, 300) ? 2000 : 0;
        o->snapshot_log_bytes = sim_chance(s, 300) ? 1 << 30 : 2000 + sim_below(s, 40000);
        o->trailing_bytes = 1 + sim_below(s, 20000);
        o->append_bytes = o->inflight_bytes = inflight[sim_below(s, ARRAY_LEN(inflight))];
        o->piece_bytes = 100 + sim_below(s, 2000);
    }
    if (!s->options.fixed && sim_chance(s, 700))
        w->member_permille = (unsigned)sim_below(s, 500);
}

void swarm_run(struct sim *s)
{
    struct swarm w;
    configure(s, &w);
    if (s->options.store && sim_chance(s, 300))
        s->keep_revisions = 20 + (int64_t)sim_below(s, 200);
    if (s->options.store && s->options.seed / 7 % 4 == 0) /* not drawn: the other histories stay as they are */
        s->pending_bytes = 64 + s->options.seed * 7919 % 2048;
    for (size_t i = 0; i < s->members; i++)
        sim_node_start(&s->nodes[i]);
    uint64_t pause_us = 1 + sim_below(s, 40 * MS);
    size_t clients = 1 + sim_below(s, SIM_CLIENTS_MAX);
    if (s->options.store)
        store_load_start(s, MIN(clients, (size_t)4), pause_us * 4);
    else
        sim_clients_start(s, clients, pause_us);
    uint64_t end = s->now_us + FAULTS_MS * MS;
    while (s->now_us < end && s->violation[0] == '\0') {
        sim_run_until(s, MIN(end, s->now_us + 1 + sim_below(s, 2 * w.every_us)));
        if (s->violation[0] == '\0')
            fault(s, &w);
    }
    if (s->violation[0] != '\0')
        return;
    calm(s);
    calm_hosts(s);
    if (s->violation[0] != '\0')
        return;
    sim_run_until(s, s->now_us + 1500 * MS);
    s->clients_stopped = true;
    if (s->options.store) {
        membership_follow(s);
        store_load_finish(s);
    }
    for (end = s->now_us + HEAL_MS * MS; s->now_us < end && s->violation[0] == '\0' && !sim_converged(s);) {
        sim_run_until(s, s->now_us + 50 * MS);
        if (s->violation[0] == '\0')
            membership_follow(s);
    }
    if (s->violation[0] == '\0' && !sim_converged(s))
        sim_violation(s, "no convergence within %d ms after the faults ended", HEAL_MS);
    if (s->violation[0] == '\0')
        check_converged(s);
}
