/* Opening the log after a stop or a crash: which damage is repaired and which is fatal.
 *
 * Repaired: a last batch that a crash tore. It was never acknowledged: its sync had not returned. It is recognised by what
 * is missing behind it: a later batch, a seal or the header of a next segment is written only after that sync.
 * Fatal: everything else. Damage before such a proof is loss of acknowledged data; this member must not vote again.
 *
 * A recovered log never goes on in its last segment: the next batch begins a new one, whose header says where the old
 * one ends. So torn blocks are never written over and never looked at again. */
#include "common/base.h"

#include "raftstore/wal_parts.h"

#include "common/mem.h"

#include <stdlib.h>

#define PIECE_BYTES (1u << 20)

struct found {
    uint64_t number, size;
    struct wal_header header;
    int kind; /* of wal_header_decode: 1 begun, 0 blank, ERR_CORRUPT */
};

struct recovery {
    struct wal *wal;
    struct found *found;
    size_t count;
    bool overflow;
};

static void collect(void *arg, const char *name)
{
    struct recovery *r = arg;
    uint64_t number;
    if (!wal_segment_number(name, &number))
        return;
    if (r->count == WAL_SEGMENTS_MAX) {
        r->overflow = true;
        return;
    }
    if ((r->count & (r->count - 1)) == 0)
        r->found = mem_realloc(r->found, MAX((size_t)1, r->count * 2) * sizeof *r->found);
    r->found[r->count++] = (struct found){.number = number};
}

static int by_number(const void *a, const void *b)
{
    uint64_t x = ((const struct found *)a)->number, y = ((const struct found *)b)->number;
    return (x > y) - (x < y);
}

static bool blank_from(const char *bytes, uint64_t from, uint64_t size)
{
    if (from >= size)
        return true;
    return bytes[from] == 0 && memcmp(bytes + from, bytes + from + 1, (size_t)(size - from - 1)) == 0;
}

/* All of a segment in memory that reads as zero. Segments are allocated long before they are full: only pieces with something in
 * them are kept, so that the rest costs no memory and hardly any time: the cluster may be waiting. *ret_written: there are only
 * zeros from there on. */
static int read_whole(struct wal *w, const struct found *f, char **ret, uint64_t *ret_written, struct err *reterr)
{
    char name[WAL_NAME_MAX], *piece = mem_alloc(PIECE_BYTES), *bytes = mem_zalloc((size_t)f->size);
    uint64_t written = 0;
    int rv = 0;
    wal_segment_name(f->number, name);
    for (uint64_t at = 0; at < f->size && rv == 0; at += PIECE_BYTES) {
        size_t want = (size_t)MIN(f->size - at, (uint64_t)PIECE_BYTES), got;
        rv = disk_read(&w->env->disk, name, at, piece, want, &got, reterr);
        if (rv == 0 && got != want)
            rv = err_set(reterr, ERR_IO, "%s gave %llu of %llu bytes", name, (unsigned long long)(at + got),
                         (unsigned long long)f->size);
        if (rv != 0 || blank_from(piece, 0, want))
            continue;
        memcpy(bytes + at, piece, want);
        written = at + want;
    }
    mem_free(piece);
    if (rv != 0) {
        mem_free(bytes);
        return rv;
    }
    *ret = bytes;
    *ret_written = written;
    return 0;
}

static int read_header(struct wal *w, struct found *f, struct err *reterr)
{
    char name[WAL_NAME_MAX], block[WAL_BLOCK_BYTES];
    struct err e = {0};
    size_t got;
    wal_segment_name(f->number, name);
    int rv = disk_size(&w->env->disk, name, &f->size, reterr);
    if (rv == 0)
        rv = disk_read(&w->env->disk, name, 0, block, sizeof block, &got, reterr);
    if (rv != 0)
        return rv;
    memset(block + got, 0, sizeof block - got);
    f->kind = wal_header_decode(block, &f->header, &e);
    if (f->kind == ERR_FORMAT)
        return err_set(reterr, ERR_FORMAT, "%s: %s", name, e.message);
    if (f->kind == 1 && f->header.number != f->number)
        f->kind = ERR_CORRUPT;
    if (f->kind == 1 && memcmp(f->header.cluster_id, w->options.cluster_id, 16) != 0)
        return err_set(reterr, ERR_IDENTITY, "%s belongs to another cluster; give this member its own data folder", name);
    if (f->kind == 1 && f->header.member_id != w->options.member_id)
        return err_set(reterr, ERR_IDENTITY, "%s belongs to member %016llx; this is member %016llx", name,
                       (unsigned long long)f->header.member_id, (unsigned long long)w->options.member_id);
    return 0;
}

/* Segments prepared and never begun end the list; a torn first header counts as never begun when nothing follows it. */
static int count_begun(struct recovery *r, size_t *ret, struct err *reterr)
{
    size_t begun = 0;
    for (size_t i = 0; i < r->count; i++)
        if (r->found[i].kind == 1)
            begun = i + 1;
    for (size_t i = 0; i < r->count; i++) {
        struct found *f = &r->found[i];
        char name[WAL_NAME_MAX];
        wal_segment_name(f->number, name);
        if (i < begun && f->kind != 1)
            return err_set(reterr, ERR_CORRUPT, "%s is damaged or missing its header, and a later segment exists", name);
        if (i > 0 && i < begun && f->number != r->found[i - 1].number + 1)
            return err_set(reterr, ERR_CORRUPT, "the segment before %s is missing", name);
        if (i >= begun && f->size > 0) {
            char *bytes;
            uint64_t written;
            int rv = read_whole(r->wal, f, &bytes, &written, reterr);
            if (rv != 0)
                return rv;
            bool blank = blank_from(bytes, WAL_BLOCK_BYTES, written);
            mem_free(bytes);
            if (!blank)
                return err_set(reterr, ERR_CORRUPT, "the header of %s is damaged", name);
        }
    }
    *ret = begun;
    return 0;
}

static int replay_entry(struct wal *w, const struct found *f, const char *segment, const struct wal_record *record)
{
    uint64_t last = wal_last_index(w);
    if (record->index > last + 1)
        return ERR_CORRUPT;
    if (record->index <= w->base_index) { /* it replaced what a removed segment held */
        wal_slots_truncate(w, w->base_index + 1);
        w->base_index = record->index - 1;
        w->base_term = 0;
        w->cached_from = MIN(w->cached_from, record->index);
    } else if (record->index <= last) {
        wal_slots_truncate(w, record->index);
    }
    wal_slot_push(w, (struct wal_slot){bytes_new(record->data), record->term, f->number,
                                       (uint64_t)(record->data.data - segment), (uint32_t)record->data.size, record->kind});
    w->durable_index = w->written_index = record->index;
    w->written_term = record->term;
    wal_cache_trim(w);
    return 0;
}

static int replay_batch(struct wal *w, const struct found *f, const char *segment, const struct wal_batch_info *b)
{
    struct slice records = b->records;
    struct wal_record record;
    int rv;
    while ((rv = wal_record_next(&records, &record)) == 1) {
        if (record.is_entry) {
            rv = replay_entry(w, f, segment, &record);
            if (rv != 0)
                return rv;
        } else {
            w->term = record.term;
            w->vote = record.vote;
        }
    }
    return rv;
}

/* After the last whole batch of the last segment, at `end`: may what follows be one torn batch? There is nothing from `written` on. */
static bool torn_tail(const struct wal *w, const struct found *f, const char *bytes, uint64_t end, uint64_t written)
{
    for (uint64_t at = end; at + WAL_BLOCK_BYTES <= f->size && at < written; at += WAL_BLOCK_BYTES) {
        uint64_t sequence;
        if (wal_batch_header_at(slice_of(bytes + at, (size_t)(f->size - at)), f->header.nonce, &sequence) &&
            (sequence > w->sequence || at > end))
            return false;
    }
    return blank_from(bytes, end + WAL_BATCH_BYTES_MAX, written);
}

/* Replays one segment up to `*end` or, for the last one (*end == 0), as far as it is whole; *end is where it stopped. */
static int replay_segment(struct wal *w, const struct found *f, uint64_t *end, bool *ret_torn, struct err *reterr)
{
    char name[WAL_NAME_MAX], *bytes;
    uint64_t at = WAL_BLOCK_BYTES, limit = *end == 0 ? f->size : *end, written;
    wal_segment_name(f->number, name);
    if (limit > f->size)
        return err_set(reterr, ERR_CORRUPT, "%s has %llu bytes of %llu", name, (unsigned long long)f->size,
                       (unsigned long long)limit);
    int rv = read_whole(w, f, &bytes, &written, reterr);
    if (rv != 0)
        return rv;
    while (at < limit) {
        struct wal_batch_info b;
        if (!wal_batch_decode(slice_of(bytes + at, (size_t)(limit - at)), f->header.nonce, &b) ||
            b.sequence != w->sequence || b.previous_crc != w->crc)
            break;
        rv = replay_batch(w, f, bytes, &b);
        if (rv != 0)
            break;
        w->sequence++;
        w->crc = b.crc;
        at += b.padded_bytes;
    }
    bool last = *end == 0;
    if (rv != 0 || (!last && at != limit) || (last && !torn_tail(w, f, bytes, at, written)))
        rv = err_set(reterr, ERR_CORRUPT, "%s is damaged at byte %llu; this member must rejoin with an empty data folder",
                     name, (unsigned long long)at);
    *ret_torn = rv == 0 && last && !blank_from(bytes, at, written);
    *end = at;
    mem_free(bytes);
    return rv;
}

static int check_chain(const struct wal *w, const struct found *f, uint64_t end, struct err *reterr)
{
    const struct wal_header *h = &f->header;
    if (h->first_sequence != w->sequence || h->previous_crc != w->crc || h->previous_end != end ||
        (!h->reset && h->first_index != w->written_index + 1))
        return err_set(reterr, ERR_CORRUPT, "segment %llu does not continue the one before it; this member must rejoin "
                       "with an empty data folder", (unsigned long long)f->number);
    return 0;
}

static void begin_at(struct wal *w, const struct wal_header *h)
{
    wal_slots_truncate(w, w->base_index + 1);
    w->base_index = w->durable_index = w->written_index = h->first_index - 1;
    w->base_term = w->written_term = h->previous_term;
    w->cached_from = h->first_index;
}

static int replay(struct wal *w, struct recovery *r, size_t begun, bool *ret_torn, struct err *reterr)
{
    for (size_t i = 0; i < begun; i++) {
        const struct found *f = &r->found[i];
        int rv = i == 0 ? 0 : check_chain(w, f, w->current_used, reterr);
        if (rv != 0)
            return rv;
        if (i == 0) {
            w->sequence = f->header.first_sequence;
            w->crc = f->header.previous_crc;
        }
        if (i == 0 || f->header.reset)
            begin_at(w, &f->header);
        w->term = f->header.term;
        w->vote = f->header.vote;
        uint64_t end = i + 1 < begun ? r->found[i + 1].header.previous_end : 0;
        rv = replay_segment(w, f, &end, ret_torn, reterr);
        if (rv != 0)
            return rv;
        w->current_used = end;
        wal_segment_push(w, f->number, f->header.first_index);
    }
    return 0;
}

static void discard(struct disk_job *job, int status, const struct err *why)
{
    /* A blank segment that cannot be removed is emptied when its name is used next. */
    (void)status, (void)why;
    struct wal *w = *(struct wal **)(job + 1);
    w->jobs--;
    mem_free(job);
    if (w->writer == WAL_CLOSED && w->jobs == 0)
        loop_defer(&w->env->loop, &w->close_turn);
}

static void remove_blank(struct wal *w, uint64_t number)
{
    struct disk_job *job = mem_zalloc(sizeof *job + sizeof(struct wal *) + WAL_NAME_MAX);
    char *name = (char *)(job + 1) + sizeof(struct wal *);
    *(struct wal **)(job + 1) = w;
    wal_segment_name(number, name);
    *job = (struct disk_job){.kind = DISK_REMOVE, .name = name, .sync = true, .done = discard};
    w->jobs++;
    disk_submit(&w->env->disk, job);
}

/* The log continues the snapshot, or is void. */
static int reconcile(struct wal *w, uint64_t snapshot_index, uint64_t snapshot_term, struct err *reterr)
{
    if (w->base_index > snapshot_index)
        return err_set(reterr, ERR_CORRUPT, "it begins at entry %llu, but the snapshot ends at %llu",
                       (unsigned long long)w->base_index + 1, (unsigned long long)snapshot_index);
    if (snapshot_index == 0 || wal_term_of(w, snapshot_index) == snapshot_term)
        return 0;
    struct wal_header h = {.first_index = snapshot_index + 1, .previous_term = snapshot_term};
    begin_at(w, &h);
    w->reset_wanted = true;
    return 0;
}

int wal_recover(struct wal *w, uint64_t snapshot_index, uint64_t snapshot_term, bool *ret_tail_cut, struct err *reterr)
{
    struct recovery r = {.wal = w};
    size_t begun = 0;
    *ret_tail_cut = false;
    int rv = disk_list(&w->env->disk, collect, &r, reterr);
    if (rv == 0 && r.overflow)
        rv = err_set(reterr, ERR_CORRUPT, "more than %d segments", WAL_SEGMENTS_MAX);
    if (rv == 0 && r.count > 1)
        qsort(r.found, r.count, sizeof *r.found, by_number);
    for (size_t i = 0; rv == 0 && i < r.count; i++)
        rv = read_header(w, &r.found[i], reterr);
    if (rv == 0)
        rv = count_begun(&r, &begun, reterr);
    if (rv == 0)
        rv = replay(w, &r, begun, ret_tail_cut, reterr);
    if (rv == 0)
        rv = reconcile(w, snapshot_index, snapshot_term, reterr);
    for (size_t i = begun; rv == 0 && i < r.count; i++)
        remove_blank(w, r.found[i].number);
    if (rv == 0 && begun > 0) {
        w->next_number = r.found[begun - 1].number + 1;
        w->trim_previous = true;
    }
    mem_free(r.found);
    return rv;
}
