/* The store's part of a snapshot: a pin is read as pieces, and pieces build a store again.
 *
 * A piece is a run of records, big-endian, each beginning with its kind:
 *   'H' revision 8, compact revision 8, live sum 8, event chain 8, count of 'V' records 8, count of 'E' records 8: first
 *   'V' a version older than the compact revision that is still seen, in order of keys
 *   'E' a version of the retained history, deletions included, in order of (revision, sub)
 *   'V' and 'E' go on: key size 4, value size 4, mod 8, create 8, number 8, lease 8, key, value
 * The hash that restoring arrives at must be the one in the header. */
#include "common/base.h"

#include "raftstore/mvcc_internal.h"

#define HEADER_BYTES (1 + 6 * 8)
#define RECORD_BYTES (1 + 2 * 4 + 4 * 8)

struct mvcc_pin {
    uint64_t pin;
    const struct tree_node *root;
    struct tree_cursor cursor;
    struct history_chunk *chunk; /* the next item's */
    unsigned chunk_at;
    uint64_t history_left, base_left;
    int64_t revision, compact_revision;
    uint64_t live_sum, event_chain;
    bool header_read, base_read;
};

struct mvcc_pin *mvcc_pin(struct mvcc *m)
{
    struct mvcc_pin *p = NEW(struct mvcc_pin);
    struct history *h = &m->history;
    uint64_t first = history_find(h, m->compact_revision);
    p->root = tree_pin(&m->tree, &p->pin);
    p->history_left = h->end - first;
    if (p->history_left > 0)
        p->chunk = h->chunks[first / HISTORY_CHUNK_ITEMS - h->first / HISTORY_CHUNK_ITEMS];
    p->chunk_at = (unsigned)(first % HISTORY_CHUNK_ITEMS);
    p->revision = m->revision;
    p->compact_revision = m->compact_revision;
    p->live_sum = m->live_sum;
    p->event_chain = m->event_chain;
    return p;
}

void mvcc_unpin(struct mvcc *m, struct mvcc_pin *pin)
{
    tree_unpin(&m->tree, pin->pin);
    mem_free(pin);
}

bool mvcc_pinned(const struct mvcc *m) { return m->tree.pin_count > 0; }

/* The version that a reader at the compact revision sees and that is no part of the retained history. */
static const struct version *base_version(const struct mvcc_pin *p, const struct version *newest)
{
    return version_at(newest, p->compact_revision - 1);
}

static void put_record(struct buf *out, char kind, const struct kv *kv)
{
    buf_append_char(out, kind);
    buf_append_be32(out, (uint32_t)kv->key.size);
    buf_append_be32(out, (uint32_t)kv->value.size);
    buf_append_be64(out, (uint64_t)kv->mod_revision);
    buf_append_be64(out, (uint64_t)kv->create_revision);
    buf_append_be64(out, (uint64_t)kv->version);
    buf_append_be64(out, (uint64_t)kv->lease);
    buf_append_slice(out, kv->key);
    buf_append_slice(out, kv->value);
}

static uint64_t count_base(const struct mvcc_pin *p)
{
    struct tree_cursor c;
    const struct version *v;
    uint64_t n = 0;
    for (tree_seek(p->root, SLICE(""), &c); (v = tree_at(&c)) != NULL; tree_next(&c))
        n += base_version(p, v) != NULL;
    return n;
}

static void read_header(struct mvcc_pin *p, struct buf *out)
{
    p->base_left = count_base(p);
    buf_append_char(out, 'H');
    const uint64_t fields[] = {(uint64_t)p->revision, (uint64_t)p->compact_revision, p->live_sum, p->event_chain,
                               p->base_left, p->history_left};
    for (size_t i = 0; i < ARRAY_LEN(fields); i++)
        buf_append_be64(out, fields[i]);
    p->header_read = true;
    tree_seek(p->root, SLICE(""), &p->cursor);
}

static void read_base(struct mvcc_pin *p, size_t end, struct buf *out)
{
    const struct version *newest;
    while (out->size < end && (newest = tree_at(&p->cursor)) != NULL) {
        const struct version *v = base_version(p, newest);
        if (v != NULL) {
            struct kv kv = version_kv(v);
            put_record(out, 'V', &kv);
        }
        tree_next(&p->cursor);
    }
    p->base_read = tree_at(&p->cursor) == NULL;
}

static void read_history(struct mvcc_pin *p, size_t end, struct buf *out)
{
    while (out->size < end && p->history_left > 0) {
        if (p->chunk_at == HISTORY_CHUNK_ITEMS) {
            p->chunk = p->chunk->next;
            p->chunk_at = 0;
        }
        struct kv kv = version_kv(p->chunk->items[p->chunk_at++]);
        put_record(out, 'E', &kv);
        p->history_left--;
    }
}

void mvcc_pin_read(struct mvcc_pin *p, size_t bytes_max, struct buf *out, bool *ret_last)
{
    size_t end = out->size + bytes_max;
    if (!p->header_read)
        read_header(p, out);
    if (!p->base_read)
        read_base(p, end, out);
    if (p->base_read)
        read_history(p, end, out);
    *ret_last = p->base_read && p->history_left == 0;
}

/* --- restoring --- */

struct restore {
    uint64_t live_sum, event_chain, base_left, history_left;
    int64_t revision;
};

static int corrupt(struct err *reterr, const char *what)
{
    return err_set(reterr, ERR_CORRUPT, "snapshot of the store: %s", what);
}

static int restore_header(struct mvcc *m, struct slice *in, struct err *reterr)
{
    if (in->size < HEADER_BYTES || in->data[0] != 'H')
        return corrupt(reterr, "no header");
    struct restore *r = m->restore = NEW(struct restore);
    r->revision = (int64_t)be64_at(in->data + 1);
    m->compact_revision = (int64_t)be64_at(in->data + 9);
    r->live_sum = be64_at(in->data + 17);
    r->event_chain = be64_at(in->data + 25);
    r->base_left = be64_at(in->data + 33);
    r->history_left = be64_at(in->data + 41);
    *in = slice_from(*in, HEADER_BYTES);
    if (r->revision < 1 || m->compact_revision < 0 || m->compact_revision > r->revision)
        return corrupt(reterr, "impossible revisions");
    return 0;
}

static int parse_record(struct slice *in, struct kv *ret, struct err *reterr)
{
    if (in->size < RECORD_BYTES)
        return corrupt(reterr, "a cut record");
    const char *p = in->data;
    size_t key_size = be32_at(p + 1), value_size = be32_at(p + 5);
    if (key_size == 0 || key_size > KV_REQUEST_BYTES_MAX || value_size > KV_REQUEST_BYTES_MAX ||
        in->size - RECORD_BYTES < key_size + value_size)
        return corrupt(reterr, "a record with impossible sizes");
    *ret = (struct kv){
        .key = {p + RECORD_BYTES, key_size},
        .value = {p + RECORD_BYTES + key_size, value_size},
        .mod_revision = (int64_t)be64_at(p + 9),
        .create_revision = (int64_t)be64_at(p + 17),
        .version = (int64_t)be64_at(p + 25),
        .lease = (int64_t)be64_at(p + 33),
    };
    *in = slice_from(*in, RECORD_BYTES + key_size + value_size);
    return 0;
}

static int restore_record(struct mvcc *m, char kind, const struct kv *kv, struct err *reterr)
{
    struct restore *r = m->restore;
    bool base = kind == 'V';
    uint64_t *left = base ? &r->base_left : &r->history_left;
    struct version *older = tree_get(m->tree.root, kv->key);
    int64_t last = m->history.end == m->history.first ? 0 : history_at(&m->history, m->history.end - 1)->mod_revision;
    if ((!base && kind != 'E') || *left == 0 || (!base && r->base_left != 0))
        return corrupt(reterr, "a record of an unknown kind or out of place");
    if (kv->version < 0 || kv->version >= (int64_t)1 << 39 || (base && (kv->version == 0 || older != NULL)) ||
        (base ? kv->mod_revision >= m->compact_revision || kv->mod_revision < 1
              : kv->mod_revision < MAX(last, m->compact_revision) || kv->mod_revision > r->revision) ||
        (older != NULL && older->mod_revision >= kv->mod_revision))
        return corrupt(reterr, "a record out of order");
    (*left)--;
    version_put(m, version_new(m, kv, older));
    return 0;
}

int mvcc_restore(struct mvcc *m, struct slice in, struct err *reterr)
{
    int status = m->restore == NULL ? restore_header(m, &in, reterr) : 0;
    while (status == 0 && in.size > 0) {
        struct kv kv;
        char kind = in.data[0];
        status = parse_record(&in, &kv, reterr);
        if (status == 0)
            status = restore_record(m, kind, &kv, reterr);
    }
    return status;
}

int mvcc_restore_end(struct mvcc *m, struct err *reterr)
{
    struct restore *r = m->restore;
    if (r == NULL || r->base_left != 0 || r->history_left != 0)
        return corrupt(reterr, "pieces are missing");
    if (r->live_sum != m->live_sum)
        return corrupt(reterr, "the hash of the restored state differs from the one it was written with");
    m->revision = r->revision;
    m->event_chain = r->event_chain;
    m->restore = NULL;
    mem_free(r);
    /* Base versions came in through the history: take them out of it again, they are older than all that is readable. */
    while (mvcc_compact_step(m, 4096))
        ;
    return 0;
}
