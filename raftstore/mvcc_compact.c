/* History in order of revisions, and compaction: what no readable revision can see is freed, a bounded number of versions
 * per step.
 *
 * Stepping over a version of the history frees its predecessor in the key's chain: every readable revision sees at least
 * this version. A deletion that is a key's newest version goes with its key. Versions of the compact revision itself stay
 * in the history, so that a watch can begin there and still gets prev_kv: but when the newest revision is compacted, what it
 * replaced goes too. Else a store that was emptied in one revision could not let go of anything before the next one, which it
 * may have no room for. */
#include "common/base.h"

#include "raftstore/mvcc_internal.h"
#include "raftstore/store_errors.h"

void history_push(struct history *h, struct version *v)
{
    uint64_t base = h->first / HISTORY_CHUNK_ITEMS;
    size_t at = (size_t)(h->end / HISTORY_CHUNK_ITEMS - base);
    if (at == h->chunk_count) {
        if (h->chunk_count == h->chunk_capacity) {
            h->chunk_capacity = MAX((size_t)16, h->chunk_capacity * 2);
            h->chunks = mem_realloc(h->chunks, h->chunk_capacity * sizeof h->chunks[0]);
        }
        struct history_chunk *chunk = mem_alloc(sizeof *chunk);
        chunk->next = NULL;
        if (at > 0)
            h->chunks[at - 1]->next = chunk;
        h->chunks[h->chunk_count++] = chunk;
    }
    h->chunks[at]->items[h->end++ % HISTORY_CHUNK_ITEMS] = v;
}

struct version *history_at(const struct history *h, uint64_t position)
{
    ASSERT(position >= h->first && position < h->end);
    size_t at = (size_t)(position / HISTORY_CHUNK_ITEMS - h->first / HISTORY_CHUNK_ITEMS);
    return h->chunks[at]->items[position % HISTORY_CHUNK_ITEMS];
}

uint64_t history_find(const struct history *h, int64_t revision)
{
    uint64_t low = h->first, high = h->end;
    while (low < high) {
        uint64_t mid = low + (high - low) / 2;
        if (history_at(h, mid)->mod_revision < revision)
            low = mid + 1;
        else
            high = mid;
    }
    return low;
}

void history_free(struct history *h)
{
    for (size_t i = 0; i < h->chunk_count; i++)
        mem_free(h->chunks[i]);
    mem_free(h->chunks);
    *h = (struct history){0};
}

/* Drops the first item; its chunk goes with the last one in it. */
static void history_pop(struct history *h)
{
    h->first++;
    if (h->first % HISTORY_CHUNK_ITEMS != 0)
        return;
    mem_free(h->chunks[0]);
    h->chunk_count--;
    memmove(h->chunks, h->chunks + 1, h->chunk_count * sizeof h->chunks[0]);
}

int mvcc_compact(struct mvcc *m, int64_t revision, struct err *reterr)
{
    if (revision > m->revision)
        return store_err(reterr, STORE_FUTURE_REVISION, "%lld was asked for, and the newest is %lld",
                       (long long)revision, (long long)m->revision);
    if (revision <= m->compact_revision)
        return store_err(reterr, STORE_COMPACTED, "%lld was asked for, and the oldest readable is %lld",
                       (long long)revision, (long long)m->compact_revision);
    m->compact_revision = revision;
    m->strip_revision = revision == m->revision ? revision : 0;
    m->strip_at = m->strip_revision == 0 ? 0 : history_find(&m->history, revision);
    return 0;
}

static void step_over(struct mvcc *m, struct version *v)
{
    version_cut(m, v);
    if (version_live(v) || tree_get(m->tree.root, version_key(v)) != v)
        return;
    tree_remove(&m->tree, v);
    version_free(m, v);
}

/* Versions older than this may go. */
static int64_t compact_floor(const struct mvcc *m)
{
    int64_t floor = m->compact_revision;
#ifdef PLANT_COMPACT_TOO_MUCH
    floor += 2;
#endif
    for (size_t i = 0; i < m->hold_count; i++)
        floor = MIN(floor, m->holds[i]->revision);
    return floor;
}

/* Frees what the versions of strip_revision replaced; everything older has been stepped over. True: there is more. */
static bool strip_step(struct mvcc *m, size_t versions_max)
{
    struct history *h = &m->history;
    for (size_t n = 0; m->strip_revision != 0; n++) {
        if (m->strip_at == h->end || history_at(h, m->strip_at)->mod_revision != m->strip_revision) {
            m->strip_revision = 0;
            return false;
        }
        if (n == versions_max)
            return true;
        version_cut(m, history_at(h, m->strip_at++));
    }
    return false;
}

bool mvcc_compact_step(struct mvcc *m, size_t versions_max)
{
    struct history *h = &m->history;
    int64_t floor = compact_floor(m);
    size_t n = 0;
    if (m->tree.pin_count > 0)
        return false;
    for (; h->first < h->end; n++) {
        struct version *v = history_at(h, h->first);
        if (v->mod_revision >= floor)
            break;
        if (n == versions_max)
            return true;
        history_pop(h);
        step_over(m, v);
    }
    return floor == m->compact_revision && strip_step(m, versions_max - n);
}

void mvcc_bump(struct mvcc *m, int64_t by, bool compact)
{
    ASSERT(by >= 0 && by <= INT64_MAX - m->revision);
    m->revision += by;
    if (!compact)
        return;
    m->compact_revision = m->revision;
    while (mvcc_compact_step(m, 4096))
        ;
}

bool mvcc_hold(struct mvcc *m, int64_t revision, struct mvcc_hold *hold)
{
    ASSERT(revision >= m->compact_revision && revision <= m->revision);
    if (m->hold_count == MVCC_HOLDS_MAX)
        return false;
    hold->revision = revision;
    m->holds[m->hold_count++] = hold;
    return true;
}

void mvcc_unhold(struct mvcc *m, struct mvcc_hold *hold)
{
    for (size_t i = 0; i < m->hold_count; i++)
        if (m->holds[i] == hold) {
            m->holds[i] = m->holds[--m->hold_count];
            return;
        }
    PANIC("a hold is released that is not held");
}
