/* The multi-version store as a whole: its life, its size, and events for watches that catch up. Reading is in
 * mvcc_range.c, writing in mvcc_txn.c, forgetting in mvcc_compact.c, snapshots in mvcc_pin.c. */
#include "common/base.h"

#include "raftstore/mvcc_internal.h"
#include "raftstore/store_errors.h"

#define EVENTS_SCAN_MAX 8192 /* history items looked at per call, so that no call holds the loop for long */

struct mvcc *mvcc_new(void)
{
    struct mvcc *m = NEW(struct mvcc);
    m->revision = 1;
    return m;
}

static void chain_free(struct version *v)
{
    while (v != NULL) {
        struct version *older = version_older(v);
        mem_free(v);
        v = older;
    }
}

void mvcc_free(struct mvcc *m)
{
    struct tree_cursor c;
    struct version *v;
    if (m == NULL)
        return;
    for (tree_seek(m->tree.root, SLICE(""), &c); (v = tree_at(&c)) != NULL;) {
        tree_next(&c);
        chain_free(v);
    }
    tree_free(&m->tree);
    history_free(&m->history);
    mem_free(m->events);
    mem_free(m->restore);
    buf_release(&m->scrub.next);
    mem_free(m);
}

int64_t mvcc_revision(const struct mvcc *m) { return m->revision; }
int64_t mvcc_compact_revision(const struct mvcc *m) { return m->compact_revision; }

uint64_t mvcc_bytes(const struct mvcc *m)
{
    return m->version_bytes + m->tree.node_bytes + m->history.chunk_count * sizeof(struct history_chunk);
}

static struct kv_event event_of(const struct version *v)
{
    const struct version *older = version_older(v);
    struct kv_event event = {.is_delete = !version_live(v), .kv = version_kv(v)};
    event.has_prev = older != NULL && version_live(older);
    if (event.has_prev)
        event.prev = version_kv(older);
    return event;
}

struct event_vector {
    struct kv_event *events;
    size_t count, capacity, bytes;
};

static void push_event(struct event_vector *v, struct arena *arena, struct kv_event event)
{
    if (v->count == v->capacity) {
        struct kv_event *old = v->events;
        v->capacity = MAX((size_t)16, v->capacity * 2);
        v->events = arena_alloc(arena, v->capacity * sizeof v->events[0]);
        if (v->count != 0)
            memcpy(v->events, old, v->count * sizeof old[0]);
    }
    v->bytes += event.kv.key.size + event.kv.value.size + event.prev.value.size;
    v->events[v->count++] = event;
}

int mvcc_events(struct mvcc *m, const struct kv_span *span, int64_t from, int64_t to, size_t bytes_max, struct arena *arena,
                struct kv_event **ret, size_t *ret_count, int64_t *ret_next, struct err *reterr)
{
    struct event_vector found = {0};
    int64_t next = to + 1;
    if (from < m->compact_revision)
        return store_err(reterr, STORE_COMPACTED, "%lld was asked for, and the oldest readable is %lld",
                       (long long)from, (long long)m->compact_revision);
    uint64_t at = history_find(&m->history, from), begin = at;
    for (; at < m->history.end; at++) {
        const struct version *v = history_at(&m->history, at);
        int64_t revision = v->mod_revision;
        bool whole = at == begin || history_at(&m->history, at - 1)->mod_revision != revision;
        if (revision > to)
            break;
        if (whole && at != begin && (found.bytes >= bytes_max || at - begin >= EVENTS_SCAN_MAX)) {
            next = revision;
            break;
        }
        if (span_holds(span, version_key(v)))
            push_event(&found, arena, event_of(v));
    }
    *ret = found.events;
    *ret_count = found.count;
    *ret_next = next;
    return 0;
}
