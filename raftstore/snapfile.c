/* See snapfile.h; the home of LZ4. All numbers are big-endian. */
#include "common/base.h"

#include "raftstore/snapfile.h"

#include "common/buf.h"
#include "common/mem.h"
#include "common/wire/frame.h"

#include <inttypes.h>
#include <lz4.h>
#include <stdio.h>
#include <stdlib.h>

#define HEADER_MAGIC 0x4b534e4150534831ull /* "KSNAPSH1" */
#define PIECE_MAGIC 0x4b504345u            /* "KPCE" */
#define FOOTER_MAGIC 0x4b454e44u           /* "KEND" */
#define HEADER_BYTES 2048
#define CONFIGURATION_AT 64 /* its size, 4 bytes, then its bytes */
_Static_assert(CONFIGURATION_AT + 4 + CONFIGURATION_BYTES_MAX + 4 <= HEADER_BYTES, "the largest configuration fits");
#define PIECE_HEADER_BYTES 16
#define FOOTER_BYTES 40
#define WRITE_BYTES (2u * 1024 * 1024) /* made before they are written, and a piece more at most */
#define SAMPLE_BYTES (64u * 1024)      /* of a piece, which say whether the rest is worth compressing */
#define BLOCK_BYTES 4096u              /* what the disk takes without a copy is whole blocks */

void snapfile_name(uint64_t index, uint64_t term, char name[SNAPFILE_NAME_MAX])
{
    snprintf(name, SNAPFILE_NAME_MAX, "snap-%016" PRIx64 "-%016" PRIx64, index, term);
}

bool snapfile_parse_name(const char *name, uint64_t *ret_index, uint64_t *ret_term)
{
    char *end;
    if (strncmp(name, "snap-", 5) != 0 || strlen(name) != 38 || name[21] != '-')
        return false;
    *ret_index = strtoull(name + 5, &end, 16);
    if (end != name + 21)
        return false;
    *ret_term = strtoull(name + 22, &end, 16);
    return *end == '\0';
}

static void put_header(struct buf *out, const struct snapfile_info *info)
{
    size_t begin = out->size;
    buf_append_be64(out, HEADER_MAGIC);
    buf_append_char(out, SNAPFILE_FORMAT);
    buf_append(out, "\0\0\0\0\0\0", 7);
    buf_append(out, info->cluster_id, sizeof info->cluster_id);
    buf_append_be64(out, info->file_id);
    buf_append_be64(out, info->index);
    buf_append_be64(out, info->term);
    buf_append_be64(out, info->configuration_index);
    struct buf configuration = {0};
    configuration_encode(&info->configuration, &configuration);
    buf_append_be32(out, (uint32_t)configuration.size);
    buf_append_slice(out, buf_slice(&configuration));
    buf_release(&configuration);
    while (out->size - begin < HEADER_BYTES - 4)
        buf_append_char(out, 0);
    buf_append_be32(out, crc32c(0, out->data + begin, HEADER_BYTES - 4));
}

static int parse_header(const char at[HEADER_BYTES], struct snapfile_info *ret, struct err *reterr)
{
    if (be64_at(at) != HEADER_MAGIC || crc32c(0, at, HEADER_BYTES - 4) != be32_at(at + HEADER_BYTES - 4))
        return err_set(reterr, ERR_CORRUPT, "its header is damaged");
    if (at[8] != SNAPFILE_FORMAT)
        return err_set(reterr, ERR_FORMAT, "its format is %d; this program knows %d", (uint8_t)at[8], SNAPFILE_FORMAT);
    *ret = (struct snapfile_info){
        .file_id = be64_at(at + 32),
        .index = be64_at(at + 40),
        .term = be64_at(at + 48),
        .configuration_index = be64_at(at + 56),
    };
    memcpy(ret->cluster_id, at + 16, 16);
    uint32_t size = be32_at(at + CONFIGURATION_AT);
    if (ret->index == 0 || ret->term == 0 || size > CONFIGURATION_BYTES_MAX)
        return err_set(reterr, ERR_CORRUPT, "its header makes no sense");
    return configuration_decode(slice_of(at + CONFIGURATION_AT + 4, size), &ret->configuration, reterr);
}

/* Writing */

void snapfile_maker_begin(struct snapfile_maker *m, struct env *env, struct machine machine, const struct snapfile_info *info)
{
    *m = (struct snapfile_maker){.machine = machine, .info = *info};
    m->info.file_id = random_u64(&env->random);
    m->info.hash = machine.ops->hash(machine.impl);
    m->pin = machine.ops->pin(machine.impl);
}

void snapfile_maker_end(struct snapfile_maker *m)
{
    m->machine.ops->unpin(m->machine.impl, m->pin);
    buf_release(&m->piece);
    buf_release(&m->packed);
}

struct snapfile_writer {
    struct env *env;
    struct snapfile_maker maker;
    struct buf out;      /* from `offset` of the file on; `written` bytes of it are written */
    size_t written;
    uint64_t offset;
    bool canceled;
    char name[SNAPFILE_NAME_MAX];
    uint64_t unsynced;
    struct disk_job job;
    void (*done)(void *arg, int status, const struct snapfile_info *info, const struct err *why);
    void *arg;
};

static void writer_finish(struct snapfile_writer *w, int status, const struct err *why)
{
    snapfile_maker_end(&w->maker);
    buf_release(&w->out);
    w->done(w->arg, status, &w->maker.info, why);
    mem_free(w);
}

static void writer_submit(struct snapfile_writer *w, struct disk_job job)
{
    w->job = job;
    w->job.bulk = true;
    disk_submit(&w->env->disk, &w->job);
}

static void renamed(struct disk_job *job, int status, const struct err *why)
{
    struct snapfile_writer *w = container_of(job, struct snapfile_writer, job);
    writer_finish(w, status, why);
}

static void write_next(struct snapfile_writer *w);

static void blocks_written(struct disk_job *job, int status, const struct err *why)
{
    struct snapfile_writer *w = container_of(job, struct snapfile_writer, job);
    if (status != 0 || w->canceled) {
        struct err canceled = {ERR_CANCELED, "snapshot canceled"};
        writer_finish(w, status != 0 ? status : ERR_CANCELED, status != 0 ? why : &canceled);
        return;
    }
    w->offset += job->bytes.size;
    w->written = job->bytes.size;
    w->unsynced = job->sync ? 0 : w->unsynced + job->bytes.size;
    if (!w->maker.last) {
        write_next(w);
        return;
    }
    w->maker.info.file_bytes = w->offset;
    snapfile_name(w->maker.info.index, w->maker.info.term, w->name);
    writer_submit(w, (struct disk_job){.kind = DISK_RENAME, .name = SNAPFILE_PART, .to = w->name, .done = renamed});
}

/* The first bytes of `piece` compressed into m->packed, which has room; 0: that does not make them less. */
static size_t pack(struct snapfile_maker *m, size_t size)
{
    int stored = LZ4_compress_default(m->piece.data, m->packed.data, (int)size, LZ4_compressBound((int)size));
    return stored > 0 && (size_t)stored < size ? (size_t)stored : 0;
}

/* Appends one piece, compressed where that helps: where it does not, a sample tells at a tenth of the time. */
static void put_piece(struct snapfile_maker *m, struct buf *out)
{
    buf_reset(&m->packed);
    buf_reserve(&m->packed, (size_t)LZ4_compressBound((int)m->piece.size));
    size_t stored = pack(m, MIN(m->piece.size, (size_t)SAMPLE_BYTES));
    if (stored > 0 && m->piece.size > SAMPLE_BYTES)
        stored = pack(m, m->piece.size);
    struct slice bytes = stored > 0 ? slice_of(m->packed.data, stored) : buf_slice(&m->piece);
    size_t at = out->size;
    buf_append_be32(out, PIECE_MAGIC);
    buf_append_be32(out, (uint32_t)m->piece.size);
    buf_append_be32(out, (uint32_t)bytes.size);
    buf_append_be32(out, crc32c(0, bytes.data, bytes.size));
    m->crc = crc32c(m->crc, out->data + at, PIECE_HEADER_BYTES);
    buf_append_slice(out, bytes);
    m->info.state_bytes += m->piece.size;
    m->pieces++;
}

static void put_footer(const struct snapfile_maker *m, struct buf *out)
{
    size_t at = out->size;
    buf_append_be32(out, FOOTER_MAGIC);
    buf_append_be32(out, m->crc);
    buf_append_be64(out, m->pieces);
    buf_append_be64(out, m->info.state_bytes);
    buf_append_be64(out, m->info.hash);
    buf_append_be32(out, 0);
    buf_append_be32(out, crc32c(0, out->data + at, FOOTER_BYTES - 4));
}

int snapfile_make(struct snapfile_maker *m, struct buf *out, struct err *reterr)
{
    ASSERT(!m->last);
    if (!m->begun)
        put_header(out, &m->info);
    m->begun = true;
    buf_reset(&m->piece);
    int rv = m->machine.ops->read(m->pin, &m->piece, &m->last, reterr);
    if (rv != 0)
        return rv;
    ASSERT(m->piece.size <= SNAPFILE_PIECE_BYTES_MAX);
    if (m->piece.size > 0)
        put_piece(m, out);
    if (m->last)
        put_footer(m, out);
    return 0;
}

/* On the bulk thread: the next pieces, read from the pin and compressed; what is less than a block waits for more. */
static int make_blocks(struct disk_job *job)
{
    struct snapfile_writer *w = container_of(job, struct snapfile_writer, job);
    size_t enough = (size_t)MAX(MIN(w->offset, (uint64_t)WRITE_BYTES), (uint64_t)BLOCK_BYTES); /* small files in steps, too */
    int rv = 0;
    buf_consume(&w->out, w->written);
    w->written = 0;
    while (rv == 0 && !w->maker.last && w->out.size < enough)
        rv = snapfile_make(&w->maker, &w->out, &job->err);
    size_t whole = w->out.size - w->out.size % BLOCK_BYTES;
    job->bytes = slice_of(w->out.data, w->maker.last ? w->out.size : whole);
    job->sync = w->maker.last || w->unsynced >= SNAPFILE_SYNC_BYTES;
    return rv;
}

static void write_next(struct snapfile_writer *w)
{
    writer_submit(w, (struct disk_job){.kind = DISK_WRITE, .name = SNAPFILE_PART, .offset = w->offset, .prepare = make_blocks,
                                       .done = blocks_written});
}

static void created(struct disk_job *job, int status, const struct err *why)
{
    struct snapfile_writer *w = container_of(job, struct snapfile_writer, job);
    if (status != 0) {
        writer_finish(w, status, why);
        return;
    }
    write_next(w);
}

struct snapfile_writer *snapfile_write(struct env *env, struct machine machine, const struct snapfile_info *info,
                                       void (*done)(void *arg, int status, const struct snapfile_info *info,
                                                    const struct err *why),
                                       void *arg)
{
    struct snapfile_writer *w = NEW(struct snapfile_writer);
    w->env = env;
    snapfile_maker_begin(&w->maker, env, machine, info);
    w->done = done;
    w->arg = arg;
    writer_submit(w, (struct disk_job){.kind = DISK_CREATE, .name = SNAPFILE_PART, .size = 0, .done = created});
    return w;
}

void snapfile_cancel(struct snapfile_writer *w) { w->canceled = true; }

/* Reading */

struct snapfile_reader {
    struct env *env;
    char name[SNAPFILE_PATH_MAX];
    struct snapfile_info info;
    uint64_t offset, pieces;
    uint32_t crc;
    bool finished;
    struct buf stored, piece;
};

static int read_exact(struct snapfile_reader *r, uint64_t offset, void *bytes, size_t size, struct err *reterr)
{
    size_t got;
    int rv = disk_read(&r->env->disk, r->name, offset, bytes, size, &got, reterr);
    if (rv == 0 && got != size)
        rv = err_set(reterr, ERR_CORRUPT, "it ends at byte %llu", (unsigned long long)(offset + got));
    return rv;
}

int snapfile_open(struct env *env, const char *name, const uint8_t cluster_id[16], struct snapfile_reader **ret,
                  struct err *reterr)
{
    struct snapfile_reader *r = NEW(struct snapfile_reader);
    char header[HEADER_BYTES];
    uint64_t file_bytes = 0;
    r->env = env;
    snprintf(r->name, sizeof r->name, "%s", name);
    int rv = disk_size(&env->disk, name, &file_bytes, reterr);
    if (rv == 0)
        rv = read_exact(r, 0, header, sizeof header, reterr);
    if (rv == 0)
        rv = parse_header(header, &r->info, reterr);
    if (rv == 0 && cluster_id != NULL && memcmp(r->info.cluster_id, cluster_id, 16) != 0)
        rv = err_set(reterr, ERR_IDENTITY, "it belongs to another cluster");
    if (rv != 0) {
        snapfile_close(r);
        return err_wrap(reterr, rv, "snapshot %s", name);
    }
    r->info.file_bytes = file_bytes;
    r->offset = HEADER_BYTES;
    *ret = r;
    return 0;
}

static int read_footer(struct snapfile_reader *r, const char at[FOOTER_BYTES], struct err *reterr)
{
    if (crc32c(0, at, FOOTER_BYTES - 4) != be32_at(at + FOOTER_BYTES - 4) || be32_at(at + 4) != r->crc ||
        be64_at(at + 8) != r->pieces || be64_at(at + 16) != r->info.state_bytes ||
        r->offset + FOOTER_BYTES != r->info.file_bytes)
        return err_set(reterr, ERR_CORRUPT, "its footer does not fit what stands before it");
    r->info.hash = be64_at(at + 24);
    r->finished = true;
    return 0;
}

static int read_piece(struct snapfile_reader *r, const char at[PIECE_HEADER_BYTES], struct err *reterr)
{
    uint32_t raw = be32_at(at + 4), stored = be32_at(at + 8);
    if (be32_at(at) != PIECE_MAGIC || raw > SNAPFILE_PIECE_BYTES_MAX || stored > raw || stored == 0)
        return err_set(reterr, ERR_CORRUPT, "piece %llu is damaged", (unsigned long long)r->pieces + 1);
    buf_reset(&r->stored);
    buf_reserve(&r->stored, stored);
    int rv = read_exact(r, r->offset + PIECE_HEADER_BYTES, r->stored.data, stored, reterr);
    if (rv != 0)
        return rv;
    if (crc32c(0, r->stored.data, stored) != be32_at(at + 12))
        return err_set(reterr, ERR_CORRUPT, "the checksum of piece %llu is wrong", (unsigned long long)r->pieces + 1);
    buf_reset(&r->piece);
    buf_reserve(&r->piece, raw);
    if (stored == raw)
        memcpy(r->piece.data, r->stored.data, raw);
    else if (LZ4_decompress_safe(r->stored.data, r->piece.data, (int)stored, (int)raw) != (int)raw)
        return err_set(reterr, ERR_CORRUPT, "piece %llu does not decompress", (unsigned long long)r->pieces + 1);
    r->piece.size = raw;
    r->crc = crc32c(r->crc, at, PIECE_HEADER_BYTES);
    r->offset += PIECE_HEADER_BYTES + stored;
    r->info.state_bytes += raw;
    r->pieces++;
    return 0;
}

int snapfile_next(struct snapfile_reader *r, struct slice *ret_piece, struct err *reterr)
{
    char at[FOOTER_BYTES];
    if (r->finished)
        return 0;
    int rv = read_exact(r, r->offset, at, PIECE_HEADER_BYTES, reterr);
    if (rv == 0 && be32_at(at) == FOOTER_MAGIC) {
        rv = read_exact(r, r->offset, at, FOOTER_BYTES, reterr);
        if (rv == 0)
            rv = read_footer(r, at, reterr);
    } else if (rv == 0) {
        rv = read_piece(r, at, reterr);
        if (rv == 0) {
            *ret_piece = buf_slice(&r->piece);
            return 1;
        }
    }
    return rv == 0 ? 0 : err_wrap(reterr, rv, "snapshot %s", r->name);
}

int snapfile_check_state(const struct snapfile_reader *r, struct machine machine, struct err *reterr)
{
    if (machine.ops->hash(machine.impl) == r->info.hash)
        return 0;
    return err_set(reterr, ERR_CORRUPT, "snapshot %s: the state restored from it has another hash than the one saved; "
                   "a member must rejoin with an empty data folder", r->name);
}

int snapfile_restore(struct snapfile_reader *r, struct machine machine, struct err *reterr)
{
    void *restore = machine.ops->restore_begin(machine.impl);
    struct slice piece;
    int rv;
    while ((rv = snapfile_next(r, &piece, reterr)) == 1) {
        rv = machine.ops->restore_piece(restore, piece, reterr);
        if (rv != 0)
            break;
    }
    int ended = machine.ops->restore_end(machine.impl, restore, rv == 0, reterr);
    return rv != 0 ? rv : ended != 0 ? ended : snapfile_check_state(r, machine, reterr);
}

const struct snapfile_info *snapfile_info(const struct snapfile_reader *r) { return &r->info; }

void snapfile_close(struct snapfile_reader *r)
{
    if (r == NULL)
        return;
    buf_release(&r->stored);
    buf_release(&r->piece);
    mem_free(r);
}
