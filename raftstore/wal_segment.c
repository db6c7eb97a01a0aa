/* See wal_segment.h. All numbers are big-endian. */
#include "common/base.h"

#include "raftstore/wal_segment.h"

#include "common/mem.h"
#include "common/wire/frame.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#define SEGMENT_MAGIC 0x4b53454747313233ull /* "KSEGG123" */
#define BATCH_MAGIC 0x4b424154u             /* "KBAT" */
#define HEADER_BYTES 128                    /* used of the first block, checksum included */
#define FLAG_SEAL 1
#define FLAG_RESET 1

enum record_type { RECORD_HARD_STATE = 1, RECORD_ENTRY = 2 };

static void put_be32(char *at, uint32_t v)
{
    for (int i = 3; i >= 0; i--, v >>= 8)
        at[i] = (char)(uint8_t)v;
}

static void put_be64(char *at, uint64_t v)
{
    put_be32(at, (uint32_t)(v >> 32));
    put_be32(at + 4, (uint32_t)v);
}

void wal_header_encode(const struct wal_header *h, char block[WAL_BLOCK_BYTES])
{
    memset(block, 0, WAL_BLOCK_BYTES);
    put_be64(block, SEGMENT_MAGIC);
    block[8] = WAL_FORMAT_1;
    block[9] = h->reset ? FLAG_RESET : 0;
    memcpy(block + 16, h->cluster_id, 16);
    put_be64(block + 32, h->member_id);
    put_be64(block + 40, h->nonce);
    put_be64(block + 48, h->number);
    put_be64(block + 56, h->first_sequence);
    put_be64(block + 64, h->first_index);
    put_be64(block + 72, h->previous_term);
    put_be64(block + 80, h->term);
    put_be64(block + 88, h->vote);
    put_be64(block + 96, h->previous_end);
    put_be32(block + 104, h->previous_crc);
    put_be32(block + HEADER_BYTES - 4, crc32c(0, block, HEADER_BYTES - 4));
}

static bool blank(const char *bytes, size_t size)
{
    for (size_t i = 0; i < size; i++)
        if (bytes[i] != 0)
            return false;
    return true;
}

int wal_header_decode(const char block[WAL_BLOCK_BYTES], struct wal_header *ret, struct err *reterr)
{
    if (blank(block, WAL_BLOCK_BYTES))
        return 0;
    if (be64_at(block) != SEGMENT_MAGIC || be32_at(block + HEADER_BYTES - 4) != crc32c(0, block, HEADER_BYTES - 4))
        return err_set(reterr, ERR_CORRUPT, "its header is damaged");
    if (block[8] != WAL_FORMAT_1)
        return err_set(reterr, ERR_FORMAT, "its format is %d; this program knows %d", (uint8_t)block[8], WAL_FORMAT_1);
    *ret = (struct wal_header){
        .member_id = be64_at(block + 32),
        .nonce = be64_at(block + 40),
        .number = be64_at(block + 48),
        .first_sequence = be64_at(block + 56),
        .first_index = be64_at(block + 64),
        .previous_term = be64_at(block + 72),
        .term = be64_at(block + 80),
        .vote = be64_at(block + 88),
        .previous_end = be64_at(block + 96),
        .previous_crc = be32_at(block + 104),
        .reset = (block[9] & FLAG_RESET) != 0,
    };
    memcpy(ret->cluster_id, block + 16, 16);
    return 1;
}

void wal_segment_name(uint64_t number, char name[WAL_NAME_MAX])
{
    snprintf(name, WAL_NAME_MAX, "log-%016" PRIx64, number);
}

bool wal_segment_number(const char *name, uint64_t *ret)
{
    char *end;
    if (strncmp(name, "log-", 4) != 0 || strlen(name) != 20)
        return false;
    *ret = strtoull(name + 4, &end, 16);
    return *end == '\0';
}

void wal_batch_begin(struct wal_batch *b)
{
    buf_reset(&b->bytes);
    buf_reserve(&b->bytes, WAL_BLOCK_BYTES);
    memset(b->bytes.data, 0, WAL_BATCH_HEADER_BYTES);
    b->bytes.size = WAL_BATCH_HEADER_BYTES;
}

void wal_batch_hard_state(struct wal_batch *b, uint64_t term, uint64_t vote)
{
    char record[WAL_HARD_STATE_BYTES] = {RECORD_HARD_STATE};
    put_be64(record + 8, term);
    put_be64(record + 16, vote);
    buf_append(&b->bytes, record, sizeof record);
}

size_t wal_batch_entry(struct wal_batch *b, uint64_t index, const struct entry *e)
{
    char record[WAL_ENTRY_HEADER_BYTES] = {RECORD_ENTRY, (char)e->kind};
    put_be32(record + 4, (uint32_t)e->data->size);
    put_be64(record + 8, index);
    put_be64(record + 16, e->term);
    /* Of its own, so that an entry read back much later is checked without its batch. */
    uint32_t crc = crc32c(crc32c(0, record, 24), e->data->data, e->data->size);
    put_be32(record + 24, crc);
    buf_append(&b->bytes, record, sizeof record);
    size_t offset = b->bytes.size;
    buf_append(&b->bytes, e->data->data, e->data->size);
    return offset;
}

uint32_t wal_batch_end(struct wal_batch *b, uint64_t nonce, uint64_t sequence, uint32_t previous_crc, bool seal)
{
    size_t used = b->bytes.size, padded = (used + WAL_BLOCK_BYTES - 1) / WAL_BLOCK_BYTES * WAL_BLOCK_BYTES;
    char *at = b->bytes.data;
    put_be32(at, BATCH_MAGIC);
    at[4] = WAL_FORMAT_1;
    at[5] = seal ? FLAG_SEAL : 0;
    put_be64(at + 8, nonce);
    put_be64(at + 16, sequence);
    put_be32(at + 24, previous_crc);
    put_be32(at + 28, (uint32_t)(used - WAL_BATCH_HEADER_BYTES));
    uint32_t crc = crc32c(crc32c(0, at, 32), at + WAL_BATCH_HEADER_BYTES, used - WAL_BATCH_HEADER_BYTES);
    put_be32(at + 32, crc);
    put_be32(at + 36, crc32c(0, at, 36));
    buf_reserve(&b->bytes, padded - used);
    memset(b->bytes.data + used, 0, padded - used);
    b->bytes.size = padded;
    return crc;
}

bool wal_batch_header_at(struct slice s, uint64_t nonce, uint64_t *ret_sequence)
{
    if (s.size < WAL_BATCH_HEADER_BYTES || be32_at(s.data) != BATCH_MAGIC || be64_at(s.data + 8) != nonce ||
        be32_at(s.data + 36) != crc32c(0, s.data, 36))
        return false;
    *ret_sequence = be64_at(s.data + 16);
    return true;
}

bool wal_batch_decode(struct slice s, uint64_t nonce, struct wal_batch_info *ret)
{
    uint64_t sequence;
    if (!wal_batch_header_at(s, nonce, &sequence) || s.data[4] != WAL_FORMAT_1)
        return false;
    size_t bytes = be32_at(s.data + 28);
    if (bytes > s.size - WAL_BATCH_HEADER_BYTES)
        return false;
    uint32_t crc = crc32c(crc32c(0, s.data, 32), s.data + WAL_BATCH_HEADER_BYTES, bytes);
    if (crc != be32_at(s.data + 32))
        return false;
    *ret = (struct wal_batch_info){
        .sequence = sequence,
        .crc = crc,
        .previous_crc = be32_at(s.data + 24),
        .seal = (s.data[5] & FLAG_SEAL) != 0,
        .records = slice_of(s.data + WAL_BATCH_HEADER_BYTES, bytes),
        .padded_bytes = (WAL_BATCH_HEADER_BYTES + bytes + WAL_BLOCK_BYTES - 1) / WAL_BLOCK_BYTES * WAL_BLOCK_BYTES,
    };
    return ret->padded_bytes <= s.size;
}

bool wal_entry_intact(struct slice s, uint64_t index, uint64_t term)
{
    if (s.size < WAL_ENTRY_HEADER_BYTES || s.data[0] != RECORD_ENTRY || be64_at(s.data + 8) != index ||
        be64_at(s.data + 16) != term || be32_at(s.data + 4) != s.size - WAL_ENTRY_HEADER_BYTES)
        return false;
    uint32_t crc = crc32c(crc32c(0, s.data, 24), s.data + WAL_ENTRY_HEADER_BYTES, s.size - WAL_ENTRY_HEADER_BYTES);
    return crc == be32_at(s.data + 24);
}

int wal_record_next(struct slice *records, struct wal_record *ret)
{
    struct slice s = *records;
    if (s.size == 0)
        return 0;
    if (s.data[0] == RECORD_HARD_STATE && s.size >= WAL_HARD_STATE_BYTES) {
        *ret = (struct wal_record){.term = be64_at(s.data + 8), .vote = be64_at(s.data + 16)};
        *records = slice_from(s, WAL_HARD_STATE_BYTES);
        return 1;
    }
    if (s.data[0] != RECORD_ENTRY || s.size < WAL_ENTRY_HEADER_BYTES)
        return ERR_CORRUPT;
    size_t bytes = be32_at(s.data + 4);
    if (bytes > s.size - WAL_ENTRY_HEADER_BYTES || s.data[1] < ENTRY_COMMAND || s.data[1] > ENTRY_CHANGE)
        return ERR_CORRUPT;
    *ret = (struct wal_record){
        .is_entry = true,
        .index = be64_at(s.data + 8),
        .term = be64_at(s.data + 16),
        .kind = (enum entry_kind)s.data[1],
        .data = slice_of(s.data + WAL_ENTRY_HEADER_BYTES, bytes),
    };
    *records = slice_from(s, WAL_ENTRY_HEADER_BYTES + bytes);
    return ret->index > 0 && ret->term > 0 ? 1 : ERR_CORRUPT;
}
