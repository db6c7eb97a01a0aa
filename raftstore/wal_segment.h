/* Byte layout and checksums of a log segment: pure, no I/O. Drawn in docs/formats.md. */
#ifndef RAFTSTORE_WAL_SEGMENT_H
#define RAFTSTORE_WAL_SEGMENT_H

#include "common/base.h"
#include "common/buf.h"
#include "common/err.h"
#include "raftstore/consensus.h"

#define WAL_BLOCK_BYTES 4096
#define WAL_FORMAT_1 1
#define WAL_BATCH_HEADER_BYTES 48
#define WAL_ENTRY_HEADER_BYTES 32
#define WAL_HARD_STATE_BYTES 24
#define WAL_NAME_MAX 32

/* The first block of a segment. A header stands for everything before it: that the previous segment ends at
 * `previous_end` with `previous_crc`, and that term, vote and the entries before `first_index` are as said. */
struct wal_header {
    uint8_t cluster_id[16];
    uint64_t member_id, nonce, number;
    uint64_t first_sequence;        /* of its first batch */
    uint64_t first_index, previous_term; /* next entry to come; term of the one before */
    uint64_t term, vote;
    uint64_t previous_end;
    uint32_t previous_crc;
    bool reset; /* the log before is void: begins behind a snapshot */
};

void wal_header_encode(const struct wal_header *h, char block[WAL_BLOCK_BYTES]);
/* 1: a header; 0: a blank block; ERR_CORRUPT, ERR_FORMAT. */
int wal_header_decode(const char block[WAL_BLOCK_BYTES], struct wal_header *ret, struct err *reterr);

void wal_segment_name(uint64_t number, char name[WAL_NAME_MAX]);
bool wal_segment_number(const char *name, uint64_t *ret); /* false: not a segment's name */

/* A batch: header, records, zeros up to a whole block. */
struct wal_batch {
    struct buf bytes;
};
void wal_batch_begin(struct wal_batch *b);
void wal_batch_hard_state(struct wal_batch *b, uint64_t term, uint64_t vote);
size_t wal_batch_entry(struct wal_batch *b, uint64_t index, const struct entry *e); /* offset of its data in the batch */
uint32_t wal_batch_end(struct wal_batch *b, uint64_t nonce, uint64_t sequence, uint32_t previous_crc, bool seal);

struct wal_batch_info {
    uint64_t sequence;
    uint32_t crc, previous_crc;
    bool seal;
    struct slice records;
    size_t padded_bytes;
};
/* The batch at the front of `s` if it is whole and belongs to `nonce`; false otherwise. */
bool wal_batch_decode(struct slice s, uint64_t nonce, struct wal_batch_info *ret);
/* Whether a batch header of `nonce` stands at the front of `s`, whatever became of the batch; its sequence. */
bool wal_batch_header_at(struct slice s, uint64_t nonce, uint64_t *ret_sequence);

struct wal_record {
    bool is_entry;
    uint64_t term, vote;  /* hard state */
    uint64_t index;
    enum entry_kind kind;
    struct slice data;
};
/* 1: a record, 0: no more, ERR_CORRUPT. */
int wal_record_next(struct slice *records, struct wal_record *ret);
bool wal_entry_intact(struct slice header_and_data, uint64_t index, uint64_t term);

#endif
