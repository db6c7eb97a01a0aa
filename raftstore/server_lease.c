/* Leases at the front: the leader proposes the end of those whose time is over; everyone tells of them from its own state. */
#include "common/base.h"

#include "raftstore/lease.h"
#include "raftstore/server_internal.h"

/* Proposed again at the next tick while it is not applied: a lease that is gone is not ended twice. */
void leases_tick(struct server *s)
{
    int64_t due[LEASE_EXPIRIES_PER_COMMAND];
    if (!server_leads(s))
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

void serve_leases(struct caller *c, uint64_t id, int64_t wanted, bool with_keys)
{
    struct server *s = c->server;
    const struct leases *leases = apply_leases(s->options.apply);
    if (!caller_admits(c, id, ROLES_ANY))
        return;
    const struct lease *one = wanted == 0 ? NULL : leases_find(leases, wanted);
    size_t n = wanted == 0 ? MIN(leases->by_id.size, (size_t)LEASE_LIST_MAX) : one != NULL, filled = 0, at = 0;
    const struct lease **list = arena_alloc(&s->arena, n * sizeof list[0]);
    if (one != NULL)
        list[filled++] = one;
    while (filled < n)
        list[filled++] = map_next(&leases->by_id, &at)->value; /* it holds as many at least */
    struct kv_header h = server_header(s);
    c->front->leases(c, id, &h, &(struct lease_list){list, n, server_cluster_time_ms(s), wanted != 0 && with_keys});
    arena_clear(&s->arena);
}
