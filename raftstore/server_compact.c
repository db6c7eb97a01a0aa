/* Compaction without anybody asking: the leader proposes it, by age, by number of revisions or by size of the state, whichever
 * says more; what it does is in the log, so all members do the same.
 *
 * Ages are of cluster time. Every member notes (time, revision) now and then, so that a new leader goes on where the last one
 * was. A member that has just started knows no ages and so compacts late, never early. */
#include "common/base.h"

#include "raftstore/server_internal.h"

static void note_sample(struct server *s, uint64_t now_ms)
{
    struct retention *r = &s->retention;
    uint64_t interval_ms = MAX(s->options.compact_age_ms / COMPACT_SAMPLES * 2, (uint64_t)COMPACT_INTERVAL_MS);
    const struct retention_sample *last = &r->samples[(r->count + COMPACT_SAMPLES - 1) % COMPACT_SAMPLES];
    if (r->count > 0 && now_ms < last->time_ms + interval_ms)
        return;
    r->samples[r->count++ % COMPACT_SAMPLES] = (struct retention_sample){now_ms, mvcc_revision(server_store(s))};
}

/* The newest revision that was the newest `age_ms` ago already; 0: not known. */
static int64_t by_age(const struct server *s, uint64_t now_ms)
{
    const struct retention *r = &s->retention;
    int64_t found = 0;
    for (uint64_t i = r->count - MIN(r->count, (uint64_t)COMPACT_SAMPLES); i < r->count; i++)
        if (r->samples[i % COMPACT_SAMPLES].time_ms + s->options.compact_age_ms <= now_ms)
            found = r->samples[i % COMPACT_SAMPLES].revision;
    return found;
}

/* An eighth more than is to be kept may gather, so that it is not compacted at every write. */
static int64_t by_number(const struct server *s, int64_t newest, int64_t compacted)
{
    int64_t keep = s->options.compact_revisions;
    return newest - compacted > keep + keep / 8 ? newest - keep : 0;
}

/* Half of the history goes at a time, until the state is small enough or has none. */
static int64_t by_size(const struct server *s, const struct mvcc *m)
{
    int64_t newest = mvcc_revision(m), compacted = mvcc_compact_revision(m);
    return mvcc_bytes(m) > s->options.compact_bytes ? compacted + (newest - compacted + 1) / 2 : 0;
}

static void propose_compaction(struct server *s, int64_t revision)
{
    struct buf body = {0}, command = {0};
    pack_int(&body, revision);
    command_encode(&command, &(struct store_command){.kind = COMMAND_COMPACT_OLD, .body = buf_slice(&body)});
    server_batch(s, buf_slice(&command));
    buf_release(&body);
    buf_release(&command);
}

void compact_tick(struct server *s)
{
    const struct server_options *o = &s->options;
    struct mvcc *m = server_store(s);
    struct driver_status status;
    uint64_t own_ms = server_now_ms(s), now_ms = server_cluster_time_ms(s);
    int64_t target = 0;
    if ((o->compact_age_ms == 0 && o->compact_revisions == 0 && o->compact_bytes == 0) ||
        own_ms - s->retention.looked_ms < COMPACT_INTERVAL_MS)
        return;
    s->retention.looked_ms = own_ms;
    if (o->compact_age_ms != 0) {
        note_sample(s, now_ms);
        target = by_age(s, now_ms);
    }
    if (o->compact_revisions > 0)
        target = MAX(target, by_number(s, mvcc_revision(m), mvcc_compact_revision(m)));
    if (o->compact_bytes != 0)
        target = MAX(target, by_size(s, m));
    s->options.consensus.status(s->options.consensus.impl, &status);
    if (status.role == ROLE_LEADER && target > mvcc_compact_revision(m))
        propose_compaction(s, target);
}
