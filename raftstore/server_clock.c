/* The cluster's clock: what entries are stamped with and leases are judged by.
 *
 * It goes on from the newest stamp by our own clock. The stamp of another's entry counts from when we apply it: that is late, and
 * so never ahead of whoever made it. Our own need no such count, our clock goes on: else the time that each entry takes to commit
 * would be lost, and under steady writes the cluster's clock would nearly stand.
 * A new leader that has not applied all that others have stamped does not know how late they are. Its clock stands until then: it
 * could be ahead of theirs, and end early what they have renewed. */
#include "common/base.h"

#include "raftstore/server_internal.h"

static void clock_set(struct server *s, uint64_t cluster_ms)
{
    s->clock.cluster_ms = cluster_ms;
    s->clock.own_ms = server_now_ms(s);
}

static uint64_t clock_now(struct server *s) { return s->clock.cluster_ms + (server_now_ms(s) - s->clock.own_ms); }

void server_clock_changed(struct server *s)
{
    struct driver_status d = server_status(s);
#ifdef PLANT_LEASE_LONGER
    clock_set(s, apply_cluster_time_ms(s->options.apply));
#endif
    if (d.role != ROLE_LEADER) {
        s->clock.term = 0;
    } else if (s->clock.term != d.term) {
        s->clock.term = d.term;
        s->clock.after = d.last_index;
        s->clock.stood = false;
    }
}

void server_clock_follow(struct server *s, uint64_t index)
{
    uint64_t applied = apply_cluster_time_ms(s->options.apply);
    bool own = s->clock.term != 0 && index > s->clock.after;
#ifdef PLANT_CLOCK_LOSES_COMMIT_TIME
    own = false;
#endif
    if (!own || s->clock.stood || applied > clock_now(s))
        clock_set(s, applied);
    s->clock.stood &= !own;
}

static bool clock_stands(struct server *s)
{
    struct driver_status d = server_status(s);
    return d.role == ROLE_LEADER && (s->clock.term != d.term || d.applied_index < s->clock.after);
}

uint64_t server_cluster_time_ms(struct server *s)
{
    uint64_t applied = apply_cluster_time_ms(s->options.apply);
    if (clock_stands(s))
        return applied;
    if (s->clock.stood) { /* it must not jump over the time for which it stood: what was stamped meanwhile would be older at once */
        s->clock.stood = false;
        clock_set(s, applied);
    }
    return clock_now(s);
}

uint64_t server_clock_stamp(struct server *s)
{
    uint64_t now = server_cluster_time_ms(s);
    s->clock.stood |= clock_stands(s);
    return now;
}
