/* What wal.c and wal_recover.c share; private to them. */
#ifndef RAFTSTORE_WAL_PARTS_H
#define RAFTSTORE_WAL_PARTS_H

#include "raftstore/wal.h"
#include "raftstore/wal_segment.h"

#define WAL_BATCH_TARGET_BYTES (1024 * 1024) /* a batch ends with the entry that reaches it */
#define WAL_BATCH_BYTES_MAX (WAL_BATCH_TARGET_BYTES + WAL_ENTRY_BYTES_MAX + 2 * WAL_BLOCK_BYTES)
#define WAL_SEGMENTS_MAX 65536

#define WAL_NOT_WRITTEN UINT64_MAX

/* One entry of the log: where it stands on disk, and its bytes while they are cached. */
struct wal_slot {
    struct bytes *data; /* NULL: read it back */
    uint64_t term, segment;
    uint64_t offset;    /* of the data in the segment; WAL_NOT_WRITTEN */
    uint32_t size;
    enum entry_kind kind;
};

struct wal_segment {
    uint64_t number, first_index;
};

/*        append              no room              header synced
 *  IDLE ───────▶ WRITING     IDLE ──▶ HEADER ──────────────────▶ IDLE
 *    ▲  batch synced │         │ no spare segment yet  ▲
 *    └───────────────┘         └──────▶ WAITING ───────┘ spare filled
 *  every state ──▶ FAILED on an error of the disk; ──▶ CLOSED */
enum wal_writer { WAL_IDLE, WAL_WAITING, WAL_HEADER, WAL_WRITING, WAL_FAILED, WAL_CLOSED };

struct wal_spare {
    uint64_t number, filled, target; /* zeros written so far and wanted; ready when equal */
    bool busy;
    char name[WAL_NAME_MAX];
    struct disk_job job;
};

struct wal {
    struct env *env;
    struct wal_options options;

    uint64_t base_index, base_term; /* the entry before slots[0] */
    struct wal_slot *slots;
    size_t slot_begin, slot_count, slot_capacity;
    uint64_t cached_from;           /* entries below it have no data in memory */
    uint64_t cached_bytes;

    struct wal_segment *segments;   /* oldest first; the last is written to once `current_open` */
    size_t segment_count, segment_capacity;
    bool current_open;
    uint64_t current_nonce, current_size, current_used;
    bool reset_wanted;              /* the next header declares the log before it void */
    bool trim_previous;             /* found at opening: cut to its end once its successor exists */
    uint64_t next_number;
    uint64_t sequence;              /* of the next batch */
    uint32_t crc;                   /* of the last batch */
    uint64_t term, vote;            /* as on disk */
    uint64_t written_index, written_term; /* last entry in batches begun */
    uint64_t pending_index;         /* last entry of the batch under way that still stands */
    uint64_t durable_index;

    enum wal_writer writer;
    bool seal_wanted;
    struct list queue, writing;     /* struct wal_append */
    struct wal_batch batch;
    char header[WAL_BLOCK_BYTES];
    char name[WAL_NAME_MAX];
    struct disk_job job;
    struct wal_spare spare;
    char *zeros;
    struct timer seal;
    struct deferred close_turn;
    unsigned jobs;                  /* with the disk */
    void (*closed)(void *arg);
    void *closed_arg;
};

int wal_recover(struct wal *w, uint64_t snapshot_index, uint64_t snapshot_term, bool *ret_tail_cut, struct err *reterr);
void wal_slot_push(struct wal *w, struct wal_slot slot); /* takes the reference to its data */
void wal_slots_truncate(struct wal *w, uint64_t index);  /* entries from `index` on go */
void wal_cache_trim(struct wal *w);
void wal_segment_push(struct wal *w, uint64_t number, uint64_t first_index);

static inline struct wal_slot *wal_slot_at(const struct wal *w, uint64_t index)
{
    ASSERT(index > w->base_index && index <= w->base_index + w->slot_count);
    return &w->slots[w->slot_begin + (size_t)(index - w->base_index - 1)];
}

#endif
