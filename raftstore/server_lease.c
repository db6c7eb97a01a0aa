/* Leases at the front: the leader proposes the end of those whose time is over; everyone tells of them from its own state. */
#include "common/base.h"

#include "raftstore/lease.h"
#include "raftstore/server_internal.h"

/* Proposed again at the next tick while it is not applied: a lease that is gone is not ended twice. */
void leases_tick(struct server *s)
{
    struct driver_status status;
    int64_t due[LEASE_EXPIRIES_PER_COMMAND];
    s->options.consensus.status(s->options.consensus.impl, &status);
    if (status.role != ROLE_LEADER)
        return;
    size_t n = leases_due(apply_leases(s->options.apply), server_cluster_time_ms(s), due, ARRAY_LEN(due));
    if (n == 0)
        return;
    struct buf body = {0}, command = {0};
    pack_uint(&body, n);
    for (size_t i = 0; i < n; i++)
        pack_int(&body, due[i]);
    struct store_command c = {.kind = COMMAND_LEASE_EXPIRE, .body = buf_slice(&body)};
    command_encode(&command, &c);
    server_batch(s, buf_slice(&command));
    buf_release(&body);
    buf_release(&command);
}

void serve_leases(struct connection *c, uint64_t id, struct unpack *u)
{
    struct server *s = c->server;
    const struct leases *leases = apply_leases(s->options.apply);
    int64_t wanted = unpack_int(u);
    bool with_keys = unpack_bool(u);
    if (!unpack_done(u)) {
        conn_error(c, id, ERR_INVALID, "malformed request about leases");
        return;
    }
    const struct lease *one = wanted == 0 ? NULL : leases_find(leases, wanted);
    size_t n = wanted == 0 ? MIN(leases->by_id.size, (size_t)LEASE_LIST_MAX) : one != NULL;
    uint64_t now_ms = server_cluster_time_ms(s);
    buf_reset(&s->scratch);
    result_begin(&s->scratch, mvcc_revision(server_store(s)), RESULT_LEASES);
    pack_uint(&s->scratch, n);
    if (one != NULL)
        lease_encode(&s->scratch, one, now_ms, with_keys);
    struct map_entry *e;
    for (size_t at = 0; wanted == 0 && n > 0 && (e = map_next(&leases->by_id, &at)) != NULL; n--)
        lease_encode(&s->scratch, e->value, now_ms, false);
    conn_result(c, id, buf_slice(&s->scratch));
}
