/* Room: requests that would grow the state are refused while the disk has less than the floor or the state more than the
 * quota, with nobody having to clear anything afterwards. Deletions, compactions and ends of leases pass, so that there is a
 * way back; the floor is what they and the snapshots of a full store need.
 *
 * (A snapshot that cannot be written would end the member; a log that cannot be cut behind it, later.)
 *
 * The leader judges, for it alone submits: when its own disk is low, when so many voters are low that the rest of those who are
 * there are no majority, or when the live state is above the quota. What the others have comes with their reports (server_report.c). */
#include "common/base.h"

#include "raftstore/server_internal.h"

/* The floor is what must be left when the next snapshot, as large as the state at most, stands beside the last one. Free
 * again only when there is clearly more, so that it does not flap. */
static uint64_t bytes_needed(struct server *s)
{
    uint64_t floor = s->options.space_floor_bytes;
    return floor + (s->space.low ? floor / 8 : 0) + mvcc_bytes(server_store(s));
}

uint64_t server_space_floor(uint64_t total_bytes)
{
    return MIN(MAX(SPACE_FLOOR_BYTES, total_bytes / 100), total_bytes / 4);
}

void space_tick(struct server *s)
{
    struct disk_space space;
    struct err why;
    uint64_t now = server_now_ms(s);
    bool due = s->space.polled_ms == 0 || now - s->space.polled_ms >= SPACE_POLL_MS ||
               s->space.admitted_bytes > s->options.space_floor_bytes / 32;
    if (s->env->disk.ops == NULL || !due)
        return;
    s->space.polled_ms = now;
    s->space.admitted_bytes = 0;
    int status = disk_space(&s->env->disk, &space, &why);
    if (status != 0) { /* what it was stays; a disk that is really gone ends the process at the next write */
        log_warn(s->env->log, "the disk does not say how full it is", "why=\"%s\"", why.message);
        return;
    }
    if (s->options.space_floor_bytes == 0)
        s->options.space_floor_bytes = server_space_floor(space.total_bytes);
    bool low = space.free_bytes < bytes_needed(s);
    if (low != s->space.low)
        log_warn(s->env->log, low ? "the disk is nearly full: writes are refused" : "the disk has room again: writes are taken",
                 "free_bytes=%llu floor_bytes=%llu", (unsigned long long)space.free_bytes,
                 (unsigned long long)s->options.space_floor_bytes);
    s->space.low = low;
    s->space.free_bytes = space.free_bytes;
}

static bool ops_grow(const struct kv_op *ops, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (ops[i].kind == KV_OP_PUT)
            return true;
        if (ops[i].kind == KV_OP_TXN && (ops_grow(ops[i].txn.success, ops[i].txn.success_count) ||
                                         ops_grow(ops[i].txn.failure, ops[i].txn.failure_count)))
            return true;
    }
    return false;
}

/* As etcd's quota: puts, whichever branch they stand in, and grants. */
static bool command_grows(const struct store_command *c, struct arena *arena)
{
    struct kv_txn txn;
    struct unpack u = unpack_of(c->body);
    if (c->kind == COMMAND_LEASE_GRANT)
        return true;
    return c->kind == COMMAND_TXN && txn_decode(&u, arena, &txn, NULL) == 0 &&
           (ops_grow(txn.success, txn.success_count) || ops_grow(txn.failure, txn.failure_count));
}

/* Why there is no room; 0: there is. */
static int room(struct server *s, struct err *reterr)
{
    uint64_t bytes = mvcc_bytes(server_store(s));
    size_t silent, voters, low = reports_low(s, &silent, &voters);
    if (s->space.low)
        return store_err(reterr, STORE_NO_SPACE, "the leader's disk has %llu bytes free, but a snapshot and the floor of %llu "
                         "need %llu: free some, or delete keys and compact", (unsigned long long)s->space.free_bytes,
                         (unsigned long long)s->options.space_floor_bytes, (unsigned long long)bytes_needed(s));
    if (low > 0 && voters - low - silent < voters / 2 + 1)
        return store_err(reterr, STORE_NO_SPACE, "the disks of %zu of %zu members are below their floor, and %zu are not there", low,
                         voters, silent);
    if (s->options.quota_bytes != 0 && bytes > s->options.quota_bytes)
        return store_err(reterr, STORE_NO_SPACE, "the state has %llu bytes, more than the quota of %llu: delete keys and compact",
                         (unsigned long long)bytes, (unsigned long long)s->options.quota_bytes);
    return 0;
}

int space_admit(struct server *s, const struct store_command *c, struct err *reterr)
{
    struct err why;
    s->space.admitted_bytes += c->body.size;
    space_tick(s); /* by bytes too: what is written in a second may be more than the floor */
    int status = room(s, &why);
    if (status == 0)
        return 0;
    bool grows = command_grows(c, &s->arena);
    arena_clear(&s->arena);
    if (!grows)
        return 0;
    s->metrics.no_space_total++;
    return err_set(reterr, status, "%s", why.message);
}
