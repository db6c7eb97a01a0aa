/* The sum over live versions, recomputed from the data while writing goes on. Keys are looked at in order; a key that was looked
 * at and changes later changes the sum of what was seen by as much as the sum that is kept. When the last key was looked at both
 * must be equal: else a version, a key, the order of the tree or the kept sum is not what it was written as. */
#include "common/base.h"

#include "raftstore/mvcc_internal.h"

#define ENTRY_COST 64 /* of a key beside its bytes, as bytes */

void scrub_follow(struct mvcc *m, struct slice key, uint64_t change)
{
    struct mvcc_scrub *s = &m->scrub;
    if (s->running && slice_compare(key, buf_slice(&s->next)) < 0)
        s->sum += change;
}

static int differs(struct mvcc *m, const char *what, struct err *reterr)
{
    m->scrub.running = false;
    return err_set(reterr, ERR_CORRUPT, "the keys in memory are not what they were written as: %s", what);
}

int mvcc_scrub(struct mvcc *m, size_t bytes_max, bool *ret_whole, struct err *reterr)
{
    struct mvcc_scrub *s = &m->scrub;
    struct tree_cursor c;
    const struct version *v;
    struct slice last = {0};
    if (!s->running) {
        buf_reset(&s->next);
        *s = (struct mvcc_scrub){.running = true, .next = s->next};
    }
    tree_seek(m->tree.root, buf_slice(&s->next), &c);
    for (size_t bytes = 0; bytes < bytes_max && (v = tree_at(&c)) != NULL; tree_next(&c)) {
        struct kv kv = version_kv(v);
        if (last.data == NULL ? slice_compare(kv.key, buf_slice(&s->next)) < 0 : slice_compare(kv.key, last) <= 0)
            return differs(m, "their order", reterr);
        if (version_live(v))
            s->sum += hash_kv(&kv);
        bytes += kv.key.size + kv.value.size + ENTRY_COST;
        last = kv.key;
    }
    if (last.data != NULL) {
        buf_reset(&s->next);
        buf_append_slice(&s->next, last);
        buf_append_char(&s->next, '\0');
    }
    *ret_whole = tree_at(&c) == NULL;
    s->running = !*ret_whole;
    return s->running || s->sum == m->live_sum ? 0 : differs(m, "their hash", reterr);
}
