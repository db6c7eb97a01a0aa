/* Writing the log and reading it back; see wal.h. Driven by the driver and by completions of the disk seam. Invariants:
 * one write is under way at a time, batches follow each other without gaps, a block is written once, and an entry is
 * reported durable only after the sync of the batch that holds it. */
#include "common/base.h"

#include "raftstore/wal_parts.h"

#include "common/mem.h"

#define SEGMENT_BYTES_DEFAULT (64ull * 1024 * 1024)
#define CACHE_BYTES_DEFAULT (8ull * 1024 * 1024)
#define ZERO_BYTES (1024 * 1024) /* a spare segment is filled in such pieces, so that the log waits for one at most */
#define SEAL_AFTER_MS 10

static void kick(struct wal *w);

/* Entries in memory */

void wal_slot_push(struct wal *w, struct wal_slot slot)
{
    if (w->slot_begin + w->slot_count == w->slot_capacity) {
        if (w->slot_begin > w->slot_capacity / 2) {
            memmove(w->slots, w->slots + w->slot_begin, w->slot_count * sizeof *w->slots);
        } else {
            size_t capacity = MAX((size_t)256, w->slot_capacity * 2);
            struct wal_slot *slots = mem_alloc(capacity * sizeof *slots);
            if (w->slot_count > 0)
                memcpy(slots, w->slots + w->slot_begin, w->slot_count * sizeof *slots);
            mem_free(w->slots);
            w->slots = slots;
            w->slot_capacity = capacity;
        }
        w->slot_begin = 0;
    }
    w->slots[w->slot_begin + w->slot_count++] = slot;
    w->cached_bytes += slot.size;
}

static void slot_evict(struct wal *w, struct wal_slot *s)
{
    if (s->data == NULL)
        return;
    w->cached_bytes -= s->size;
    bytes_unref(s->data);
    s->data = NULL;
}

void wal_slots_truncate(struct wal *w, uint64_t index)
{
    ASSERT(index > w->base_index);
    while (w->base_index + w->slot_count >= index)
        slot_evict(w, &w->slots[w->slot_begin + --w->slot_count]);
    w->cached_from = MIN(w->cached_from, index);
    w->durable_index = MIN(w->durable_index, index - 1);
    w->pending_index = MIN(w->pending_index, index - 1);
}

/* Forgets entries up to `index`. */
static void slots_drop(struct wal *w, uint64_t index)
{
    while (w->base_index < index && w->slot_count > 0) {
        w->base_term = w->slots[w->slot_begin].term;
        slot_evict(w, &w->slots[w->slot_begin]);
        w->slot_begin++;
        w->slot_count--;
        w->base_index++;
    }
    w->cached_from = MAX(w->cached_from, w->base_index + 1);
}

/* Oldest first, never what is not on disk yet. */
void wal_cache_trim(struct wal *w)
{
    while (w->cached_bytes > w->options.cache_bytes && w->cached_from <= wal_last_index(w)) {
        struct wal_slot *s = wal_slot_at(w, w->cached_from);
        if (s->offset == WAL_NOT_WRITTEN || w->cached_from > w->durable_index)
            return;
        slot_evict(w, s);
        w->cached_from++;
    }
}

uint64_t wal_first_index(const struct wal *w) { return w->base_index + 1; }
uint64_t wal_last_index(const struct wal *w) { return w->base_index + w->slot_count; }
uint64_t wal_durable_index(const struct wal *w) { return w->durable_index; }
uint64_t wal_segment_count(const struct wal *w) { return w->segment_count; }

uint64_t wal_term_of(const struct wal *w, uint64_t index)
{
    if (index == w->base_index)
        return w->base_term;
    return index > w->base_index && index <= wal_last_index(w) ? wal_slot_at(w, index)->term : 0;
}

uint64_t wal_bytes_after(const struct wal *w, uint64_t index)
{
    uint64_t bytes = 0;
    for (uint64_t i = MAX(index, w->base_index) + 1; i <= wal_last_index(w); i++)
        bytes += wal_slot_at(w, i)->size + WAL_ENTRY_HEADER_BYTES;
    return bytes;
}

uint64_t wal_trailing(const struct wal *w, uint64_t index, uint64_t bytes_max)
{
    uint64_t bytes = 0, n = 0;
    for (uint64_t i = MIN(index, wal_last_index(w)); i > w->base_index; i--, n++) {
        bytes += wal_slot_at(w, i)->size + WAL_ENTRY_HEADER_BYTES;
        if (bytes > bytes_max)
            break;
    }
    return n;
}

/* Reads one entry back from its segment and checks it. */
static int slot_read(struct wal *w, uint64_t index, struct wal_slot *s, struct bytes **ret, struct err *reterr)
{
    char name[WAL_NAME_MAX];
    size_t want = WAL_ENTRY_HEADER_BYTES + s->size, got;
    wal_segment_name(s->segment, name);
    char *bytes = mem_alloc(want);
    int rv = disk_read(&w->env->disk, name, s->offset - WAL_ENTRY_HEADER_BYTES, bytes, want, &got, reterr);
    if (rv == 0 && (got != want || !wal_entry_intact(slice_of(bytes, want), index, s->term)))
        rv = err_set(reterr, ERR_CORRUPT, "entry %llu in %s is damaged", (unsigned long long)index, name);
    if (rv == 0)
        *ret = bytes_new(slice_of(bytes + WAL_ENTRY_HEADER_BYTES, s->size));
    mem_free(bytes);
    return rv;
}

int wal_entries(struct wal *w, uint64_t index, size_t n, size_t bytes_max, struct entry *ret, size_t *ret_count,
                struct err *reterr)
{
    size_t count = 0, bytes = 0;
    if (index <= w->base_index)
        return err_set(reterr, ERR_COMPACTED, "entry %llu is compacted; the log begins at %llu",
                       (unsigned long long)index, (unsigned long long)w->base_index + 1);
    if (index > wal_last_index(w))
        return err_set(reterr, ERR_NOT_FOUND, "entry %llu is not there; the log ends at %llu",
                       (unsigned long long)index, (unsigned long long)wal_last_index(w));
    for (; count < n && index + count <= wal_last_index(w); count++) {
        struct wal_slot *s = wal_slot_at(w, index + count);
        if (count > 0 && bytes + s->size > bytes_max)
            break;
        struct bytes *data;
        int rv = 0;
        if (s->data != NULL)
            data = bytes_ref(s->data);
        else
            rv = slot_read(w, index + count, s, &data, reterr);
        if (rv != 0) {
            while (count > 0)
                bytes_unref(ret[--count].data);
            return rv;
        }
        bytes += s->size;
        ret[count] = (struct entry){s->term, s->kind, data};
    }
    *ret_count = count;
    return 0;
}

/* Segments */

void wal_segment_push(struct wal *w, uint64_t number, uint64_t first_index)
{
    if (w->segment_count == w->segment_capacity) {
        w->segment_capacity = MAX((size_t)16, w->segment_capacity * 2);
        w->segments = mem_realloc(w->segments, w->segment_capacity * sizeof *w->segments);
    }
    w->segments[w->segment_count++] = (struct wal_segment){number, first_index};
}

static void settle(struct wal *w)
{
    if (w->writer == WAL_CLOSED && w->jobs == 0)
        loop_defer(&w->env->loop, &w->close_turn);
}

static void fail(struct wal *w, const struct err *why, const char *doing)
{
    if (w->writer == WAL_FAILED || w->writer == WAL_CLOSED)
        return;
    struct err e = *why;
    err_wrap(&e, e.code, "log: %s", doing);
    w->writer = WAL_FAILED;
    loop_timer_stop(&w->env->loop, &w->seal);
    w->options.failed(w->options.arg, &e);
}

static void submit(struct wal *w, struct disk_job *job)
{
    w->jobs++;
    disk_submit(&w->env->disk, job);
}

/* A job that nobody waits for, but whose failure counts. */
struct side_job {
    struct disk_job job;
    struct wal *wal;
    char name[WAL_NAME_MAX];
};

static void side_done(struct disk_job *job, int status, const struct err *why)
{
    struct side_job *s = container_of(job, struct side_job, job);
    struct wal *w = s->wal;
    w->jobs--;
    if (status != 0)
        fail(w, why, s->name);
    mem_free(s);
    settle(w);
}

static void side_submit(struct wal *w, enum disk_job_kind kind, uint64_t number, uint64_t size)
{
    struct side_job *s = NEW(struct side_job);
    s->wal = w;
    wal_segment_name(number, s->name);
    s->job = (struct disk_job){.kind = kind, .name = s->name, .size = size, .sync = true, .done = side_done};
    submit(w, &s->job);
}

static void segments_drop(struct wal *w, size_t n)
{
    for (size_t i = 0; i < n; i++)
        side_submit(w, DISK_REMOVE, w->segments[i].number, 0);
    w->segment_count -= n;
    memmove(w->segments, w->segments + n, w->segment_count * sizeof *w->segments);
}

void wal_release(struct wal *w, uint64_t index)
{
    ASSERT(index <= w->durable_index);
    size_t n = 0;
    slots_drop(w, index);
    while (w->current_open && n + 1 < w->segment_count && w->segments[n + 1].first_index <= index + 1)
        n++;
    segments_drop(w, n);
}

/* The spare segment: created and filled with zeros ahead of use */

static void spare_fill(struct wal *w);

static void spare_done(struct disk_job *job, int status, const struct err *why)
{
    struct wal *w = container_of(job, struct wal, spare.job);
    w->jobs--;
    w->spare.busy = false;
    if (status != 0) {
        fail(w, why, w->spare.name);
    } else if (w->writer != WAL_CLOSED) {
        w->spare.filled += job->kind == DISK_CREATE ? job->size : job->bytes.size;
        if (w->writer == WAL_WAITING)
            kick(w);
        if (w->writer != WAL_HEADER)
            spare_fill(w);
    }
    settle(w);
}

static void spare_fill(struct wal *w)
{
    struct wal_spare *s = &w->spare;
    if (s->busy || s->filled >= s->target || w->writer == WAL_FAILED)
        return;
    uint64_t n = MIN(s->target - s->filled, (uint64_t)ZERO_BYTES);
    if (s->filled == 0) {
        s->number = w->next_number++;
        wal_segment_name(s->number, s->name);
        s->job = (struct disk_job){.kind = DISK_CREATE, .name = s->name, .size = n, .sync = true, .done = spare_done};
    } else {
        s->job = (struct disk_job){.kind = DISK_WRITE, .name = s->name, .offset = s->filled, .sync = true,
                                   .bytes = slice_of(w->zeros, (size_t)n), .done = spare_done};
    }
    s->busy = true;
    submit(w, &s->job);
}

/* The first segment of a run is taken as short as the first piece of it, and later ones while they are twice as long as the one
 * before, until they are whole: a member that has just started waits for one piece until it can vote, not for 64 MiB of zeros on
 * a disk that other members may be starting from too. */
static bool spare_enough(const struct wal *w, uint64_t size)
{
    uint64_t least = w->current_open ? MIN(2 * w->current_size, w->spare.target) : 0;
    return !w->spare.busy && w->spare.filled >= MAX(size, least);
}

/* Makes sure that a spare is on its way; true when one of `size` bytes is there, and no piece of it is being written. */
static bool spare_ready(struct wal *w, uint64_t size)
{
    w->spare.target = MAX(w->spare.target, MAX(w->options.segment_bytes, size));
    if (!spare_enough(w, size))
        spare_fill(w);
    return spare_enough(w, size);
}

/* The writer */

static void header_done(struct disk_job *job, int status, const struct err *why)
{
    struct wal *w = container_of(job, struct wal, job);
    w->jobs--;
    if (status != 0)
        fail(w, why, w->name);
    if (w->writer != WAL_HEADER) {
        settle(w);
        return;
    }
    if (w->trim_previous && w->segment_count > 1)
        side_submit(w, DISK_TRUNCATE, w->segments[w->segment_count - 2].number, w->current_used);
    w->trim_previous = false;
    w->current_open = true;
    w->current_size = w->spare.filled;
    w->current_used = WAL_BLOCK_BYTES;
    w->seal_wanted = false; /* a header proves the last batch of the segment before it */
    w->spare = (struct wal_spare){0};
    if (w->reset_wanted)
        segments_drop(w, w->segment_count - 1);
    w->reset_wanted = false;
    struct wal_append *a = LIST_FIRST(&w->queue, struct wal_append, link);
    if (a != NULL && a->reset) {
        list_remove(&a->link);
        a->done(a);
    }
    if (w->writer == WAL_HEADER) {
        w->writer = WAL_IDLE;
        spare_ready(w, WAL_BLOCK_BYTES);
        kick(w);
    }
}

static void rotate(struct wal *w)
{
    struct wal_header h = {
        .member_id = w->options.member_id,
        .nonce = random_u64(&w->env->random),
        .number = w->spare.number,
        .first_sequence = w->sequence,
        .first_index = w->written_index + 1,
        .previous_term = w->written_term,
        .term = w->term,
        .vote = w->vote,
        .previous_end = w->segment_count > 0 ? w->current_used : 0,
        .previous_crc = w->crc,
        .reset = w->reset_wanted,
    };
    memcpy(h.cluster_id, w->options.cluster_id, sizeof h.cluster_id);
    wal_header_encode(&h, w->header);
    wal_segment_name(h.number, w->name);
    wal_segment_push(w, h.number, h.first_index);
    w->current_nonce = h.nonce;
    w->writer = WAL_HEADER;
    w->job = (struct disk_job){.kind = DISK_WRITE, .name = w->name, .bytes = slice_of(w->header, WAL_BLOCK_BYTES),
                               .sync = true, .done = header_done};
    submit(w, &w->job);
}

/* How much of `a` fits: entries from a->next on until the batch has its size. */
static size_t append_bytes(const struct wal *w, const struct wal_append *a, size_t bytes, uint64_t *ret_next)
{
    uint64_t i = a->next;
    for (; i <= a->last && bytes < WAL_BATCH_TARGET_BYTES; i++)
        bytes += WAL_ENTRY_HEADER_BYTES + wal_slot_at(w, i)->size;
    *ret_next = i;
    return bytes;
}

static size_t batch_bytes(const struct wal *w)
{
    size_t bytes = WAL_BATCH_HEADER_BYTES;
    LIST_FOR_EACH(node, &w->queue) {
        struct wal_append *a = container_of(node, struct wal_append, link);
        uint64_t next;
        if (a->reset || bytes >= WAL_BATCH_TARGET_BYTES)
            break;
        bytes = append_bytes(w, a, bytes + WAL_HARD_STATE_BYTES, &next);
    }
    return (bytes + WAL_BLOCK_BYTES - 1) / WAL_BLOCK_BYTES * WAL_BLOCK_BYTES;
}

/* Moves what goes into this batch from the queue; an append that does not fit whole stays in front. */
static void batch_fill(struct wal *w)
{
    LIST_FOR_EACH(node, &w->queue) {
        struct wal_append *a = container_of(node, struct wal_append, link);
        uint64_t next;
        if (a->reset || w->batch.bytes.size >= WAL_BATCH_TARGET_BYTES)
            return;
        if (a->hard_state) {
            wal_batch_hard_state(&w->batch, a->term, a->vote);
            w->term = a->term;
            w->vote = a->vote;
            a->hard_state = false;
        }
        append_bytes(w, a, w->batch.bytes.size, &next);
        for (; a->next < next; a->next++) {
            struct wal_slot *s = wal_slot_at(w, a->next);
            struct entry e = {s->term, s->kind, s->data};
            s->offset = w->current_used + wal_batch_entry(&w->batch, a->next, &e);
            s->segment = w->segments[w->segment_count - 1].number;
            w->written_index = w->pending_index = a->next;
            w->written_term = s->term;
        }
        if (a->next <= a->last)
            return;
        list_remove(&a->link);
        list_push_back(&w->writing, &a->link);
    }
}

static void batch_done(struct disk_job *job, int status, const struct err *why)
{
    struct wal *w = container_of(job, struct wal, job);
    w->jobs--;
    if (status != 0)
        fail(w, why, w->name);
    if (w->writer != WAL_WRITING) {
        settle(w);
        return;
    }
    w->current_used += job->bytes.size;
    w->durable_index = MAX(w->durable_index, w->pending_index);
    w->pending_index = 0;
    wal_cache_trim(w);
    /* What the callbacks add goes into the next batch together. */
    while (w->writer == WAL_WRITING && !list_empty(&w->writing)) {
        struct wal_append *a = LIST_FIRST(&w->writing, struct wal_append, link);
        list_remove(&a->link);
        a->done(a);
    }
    if (w->writer == WAL_WRITING) {
        w->writer = WAL_IDLE;
        kick(w);
    }
}

static void batch_write(struct wal *w, bool seal)
{
    wal_batch_begin(&w->batch);
    if (!seal)
        batch_fill(w);
    w->crc = wal_batch_end(&w->batch, w->current_nonce, w->sequence++, w->crc, seal);
    ASSERT(w->batch.bytes.size <= WAL_BATCH_BYTES_MAX);
    ASSERT(w->current_used + w->batch.bytes.size <= w->current_size);
    w->seal_wanted = false;
    w->writer = WAL_WRITING;
    w->job = (struct disk_job){.kind = DISK_WRITE, .name = w->name, .offset = w->current_used,
                               .bytes = buf_slice(&w->batch.bytes), .sync = true, .done = batch_done};
    loop_timer_stop(&w->env->loop, &w->seal);
    submit(w, &w->job);
    if (!seal)
        loop_timer_start(&w->env->loop, &w->seal, SEAL_AFTER_MS);
}

static void kick(struct wal *w)
{
    if (w->writer != WAL_IDLE && w->writer != WAL_WAITING)
        return;
    struct wal_append *first = LIST_FIRST(&w->queue, struct wal_append, link);
    if (first == NULL && !w->seal_wanted)
        return;
    w->writer = WAL_IDLE;
    bool reset = first != NULL && first->reset;
    size_t bytes = first == NULL || reset ? WAL_BLOCK_BYTES : batch_bytes(w);
    if (reset) {
        w->reset_wanted = true;
        w->written_index = first->index;
        w->written_term = first->reset_term;
    }
    if (!reset && w->current_open && w->current_used + bytes <= w->current_size) {
        batch_write(w, first == NULL);
        return;
    }
    w->writer = WAL_WAITING;
    if (spare_ready(w, WAL_BLOCK_BYTES + bytes))
        rotate(w);
}

static void seal_due(struct timer *t)
{
    struct wal *w = container_of(t, struct wal, seal);
    w->seal_wanted = true;
    if (w->writer == WAL_IDLE)
        kick(w);
}

/* A later request replaces what earlier ones were to write from `index` on. */
static void cap(struct list *appends, uint64_t index)
{
    LIST_FOR_EACH(node, appends) {
        struct wal_append *a = container_of(node, struct wal_append, link);
        if (!a->reset)
            a->last = MIN(a->last, index - 1);
    }
}

void wal_append(struct wal *w, struct wal_append *a)
{
    ASSERT(w->writer != WAL_CLOSED);
    ASSERT(a->hard_state || a->entry_count > 0);
    a->reset = false;
    a->next = a->index;
    a->last = a->entry_count == 0 ? 0 : a->index + a->entry_count - 1;
    if (a->entry_count == 0)
        a->next = 1;
    else
        ASSERT(a->index > w->base_index && a->index <= wal_last_index(w) + 1);
    if (a->entry_count > 0 && a->index <= wal_last_index(w)) {
        cap(&w->queue, a->index);
        cap(&w->writing, a->index);
        wal_slots_truncate(w, a->index);
    }
    for (size_t i = 0; i < a->entry_count; i++) {
        const struct entry *e = &a->entries[i];
        ASSERT(e->data->size <= WAL_ENTRY_BYTES_MAX);
        wal_slot_push(w, (struct wal_slot){bytes_ref(e->data), e->term, 0, WAL_NOT_WRITTEN, (uint32_t)e->data->size, e->kind});
    }
    a->entries = NULL;
    list_push_back(&w->queue, &a->link);
    kick(w);
}

void wal_reset(struct wal *w, uint64_t index, uint64_t term, struct wal_append *a)
{
    ASSERT(w->writer != WAL_CLOSED);
    cap(&w->queue, 1);
    cap(&w->writing, 1);
    wal_slots_truncate(w, w->base_index + 1);
    w->base_index = w->durable_index = index;
    w->pending_index = 0;
    w->base_term = term;
    w->cached_from = index + 1;
    a->reset = true;
    a->index = index;
    a->reset_term = term;
    list_push_back(&w->queue, &a->link);
    kick(w);
}

static void wal_free(struct wal *w)
{
    while (w->slot_count > 0)
        slot_evict(w, &w->slots[w->slot_begin + --w->slot_count]);
    mem_free(w->slots);
    mem_free(w->segments);
    mem_free(w->zeros);
    buf_release(&w->batch.bytes);
    mem_free(w);
}

static void close_turn(struct deferred *d)
{
    struct wal *w = container_of(d, struct wal, close_turn);
    void (*closed)(void *) = w->closed;
    void *arg = w->closed_arg;
    wal_free(w);
    closed(arg);
}

void wal_close(struct wal *w, void (*closed)(void *arg), void *arg)
{
    ASSERT(w->writer != WAL_CLOSED);
    loop_timer_stop(&w->env->loop, &w->seal);
    w->writer = WAL_CLOSED;
    w->closed = closed;
    w->closed_arg = arg;
    settle(w);
}

void wal_state_release(struct wal_state *s)
{
    for (size_t i = 0; i < s->entry_count; i++)
        bytes_unref(s->entries[i].data);
    mem_free(s->entries);
    *s = (struct wal_state){0};
}

/* Consensus reads the data of changes of configuration; of other entries it needs to know the terms only. */
static int state_of(struct wal *w, bool tail_cut, struct wal_state *ret, struct err *reterr)
{
    int rv = 0;
    *ret = (struct wal_state){.term = w->term, .vote = w->vote, .first_index = w->base_index + 1,
                              .entry_count = w->slot_count, .tail_cut = tail_cut};
    ret->entries = mem_alloc(w->slot_count * sizeof *ret->entries);
    for (size_t i = 0; i < w->slot_count; i++) {
        struct wal_slot *s = &w->slots[w->slot_begin + i];
        struct bytes *data = s->data == NULL ? NULL : bytes_ref(s->data);
        if (data == NULL && s->kind == ENTRY_CHANGE && rv == 0)
            rv = slot_read(w, w->base_index + 1 + i, s, &data, reterr);
        ret->entries[i] = (struct entry){s->term, s->kind, data};
    }
    if (rv != 0)
        wal_state_release(ret);
    return rv;
}

int wal_open(struct env *env, const struct wal_options *o, uint64_t snapshot_index, uint64_t snapshot_term,
             struct wal **ret, struct wal_state *ret_state, struct err *reterr)
{
    struct wal *w = NEW(struct wal);
    bool tail_cut;
    w->env = env;
    w->options = *o;
    if (w->options.segment_bytes == 0)
        w->options.segment_bytes = SEGMENT_BYTES_DEFAULT;
    if (w->options.cache_bytes == 0)
        w->options.cache_bytes = CACHE_BYTES_DEFAULT;
    w->options.segment_bytes = (w->options.segment_bytes + WAL_BLOCK_BYTES - 1) / WAL_BLOCK_BYTES * WAL_BLOCK_BYTES;
    w->options.segment_bytes = MAX(w->options.segment_bytes, 4ull * WAL_BLOCK_BYTES);
    w->cached_from = 1;
    w->next_number = 1;
    w->sequence = 1;
    list_init(&w->queue);
    list_init(&w->writing);
    timer_init(&w->seal, seal_due);
    deferred_init(&w->close_turn, close_turn);
    w->zeros = mem_zalloc(ZERO_BYTES);
    int rv = wal_recover(w, snapshot_index, snapshot_term, &tail_cut, reterr);
    if (rv == 0)
        rv = state_of(w, tail_cut, ret_state, reterr);
    if (rv != 0) {
        wal_free(w);
        return err_wrap(reterr, rv, "log");
    }
    spare_ready(w, WAL_BLOCK_BYTES);
    *ret = w;
    return 0;
}
