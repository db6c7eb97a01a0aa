/* sim --seed N | --seeds A-B [--members 1|3|5] [--scenario name] [--store] [--fixed] [--verbose] */
#include "common/base.h"

#include "tests/sim/sim.h"

#include "common/mem.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

static int usage(void)
{
    fputs("usage: sim --seed N | --seeds A-B [--members 1|3|5] [--scenario NAME] [--store] [--fixed] [--verbose]\n", stderr);
    return 2;
}

struct totals {
    uint64_t writes, reads, crashes, elections, events, added, promoted, removed, transfers, wiped, damaged, cut_off;
};

/* True when the history is clean. */
static bool run_one(const struct sim_options *o, struct totals *totals)
{
    struct sim *s = mem_alloc(sizeof *s);
    sim_init(s, o);
    if (o->scenario == NULL) {
        swarm_run(s);
    } else if (!scenario_run(s, o->scenario)) {
        fprintf(stderr, "sim: no scenario is called %s\n", o->scenario);
        exit(2);
    }
    bool clean = s->violation[0] == '\0';
    if (!o->quiet || !clean)
        printf("seed %" PRIu64 " members %zu hash %016" PRIx64 " events %" PRIu64 " writes %" PRIu64 " reads %" PRIu64
               " crashes %" PRIu64 " elections %" PRIu64 " virtual_ms %" PRIu64 "%s%s\n",
               o->seed, s->members, s->trace, s->events_run, s->acknowledged_writes, s->reads, s->crashes, s->elections,
               (uint64_t)(s->now_us / MS), clean ? " ok" : " VIOLATION ", s->violation);
    if (!clean)
        sim_dump(s);
    totals->writes += s->acknowledged_writes;
    totals->reads += s->reads;
    totals->crashes += s->crashes;
    totals->elections += s->elections;
    totals->events += s->events_run;
    totals->added += s->added;
    totals->promoted += s->promoted;
    totals->removed += s->removed;
    totals->transfers += s->transfers;
    totals->wiped += s->wiped;
    totals->damaged += s->damaged;
    sim_release(s);
    totals->cut_off += s->cut_off; /* counted as members end */
    mem_free(s);
    return clean;
}

int main(int argc, char **argv)
{
    struct sim_options o = {0};
    uint64_t from = 0, to = 0;
    for (int i = 1; i < argc; i++) {
        const char *value = i + 1 < argc ? argv[i + 1] : NULL;
        char *end = NULL;
        if (strcmp(argv[i], "--verbose") == 0) {
            o.verbose = true;
            continue;
        }
        if (strcmp(argv[i], "--store") == 0) {
            o.store = true;
            continue;
        }
        if (strcmp(argv[i], "--fixed") == 0) {
            o.fixed = true;
            continue;
        }
        if (value == NULL)
            return usage();
        i++;
        if (strcmp(argv[i - 1], "--seed") == 0) {
            from = to = strtoull(value, &end, 10);
        } else if (strcmp(argv[i - 1], "--seeds") == 0) {
            from = strtoull(value, &end, 10);
            if (*end != '-')
                return usage();
            to = strtoull(end + 1, &end, 10);
        } else if (strcmp(argv[i - 1], "--members") == 0) {
            o.members = strtoul(value, &end, 10);
            if (o.members != 1 && o.members != 3 && o.members != 5)
                return usage();
        } else if (strcmp(argv[i - 1], "--scenario") == 0) {
            o.scenario = value;
        } else {
            return usage();
        }
        if (end != NULL && (*end != '\0' || end == value))
            return usage();
    }
    if (to == 0 || from > to)
        return usage();
    struct totals totals = {0};
    uint64_t bad = 0;
    o.quiet = from != to;
    for (uint64_t seed = from; seed <= to; seed++) {
        o.seed = seed;
        bad += !run_one(&o, &totals);
    }
    if (o.quiet)
        printf("%" PRIu64 " seeds, %" PRIu64 " violations: %" PRIu64 " events, %" PRIu64 " writes, %" PRIu64 " reads, %" PRIu64
               " crashes, %" PRIu64 " elections; %" PRIu64 " members added, %" PRIu64 " promoted, %" PRIu64 " removed, %" PRIu64
               " transfers, %" PRIu64 " folders lost, %" PRIu64 " damaged, %" PRIu64 " slow clients cut off\n",
               to - from + 1, bad, totals.events, totals.writes, totals.reads, totals.crashes, totals.elections,
               totals.added, totals.promoted, totals.removed, totals.transfers, totals.wiped, totals.damaged, totals.cut_off);
    return bad == 0 ? 0 : 1;
}
