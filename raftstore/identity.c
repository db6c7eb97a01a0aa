/* See identity.h. */
#include "common/base.h"

#include "raftstore/identity.h"

#include "common/mem.h"
#include "common/wire/frame.h"

#define FORMAT 1
#define IDENTITY_BYTES 56
#define MEMBERS_BYTES_MAX (8 + CONFIGURATION_BYTES_MAX + 4)
#define IDENTITY_MAGIC "KIDENT1"
#define MEMBERS_MAGIC "KMEMBR1"

/* --- files of a magic word of 8 bytes, the rest, and a checksum over both --- */

static void close_file(struct buf *b) { buf_append_be32(b, crc32c(0, b->data, b->size)); }

/* 1: intact, *ret is what stands between magic and checksum; 0: no such file. */
static int load_file(struct disk *disk, const char *name, const char magic[8], char *bytes, size_t size, struct slice *ret,
                     struct err *reterr)
{
    size_t got = 0;
    struct err why;
    int rv = disk_read(disk, name, 0, bytes, size, &got, &why);
    if (rv == ERR_NOT_FOUND)
        return 0;
    if (rv != 0)
        return err_set(reterr, rv, "%s", why.message);
    if (got < 12 || memcmp(bytes, magic, 8) != 0 || crc32c(0, bytes, got - 4) != be32_at(bytes + got - 4))
        return err_set(reterr, ERR_CORRUPT, "the file %s of the data folder is damaged: remove it and the log, and start with --existing or --join", name);
    *ret = slice_of(bytes + 8, got - 12);
    return 1;
}

int identity_load(struct disk *disk, struct identity *ret, struct err *reterr)
{
    char bytes[IDENTITY_BYTES + 1];
    struct slice body;
    int rv = load_file(disk, IDENTITY_NAME, IDENTITY_MAGIC, bytes, sizeof bytes, &body, reterr);
    if (rv != 1)
        return rv;
    if (body.size != IDENTITY_BYTES - 12)
        return err_set(reterr, ERR_CORRUPT, "the file " IDENTITY_NAME " of the data folder has %zu bytes", body.size);
    if (body.data[0] != FORMAT)
        return err_set(reterr, ERR_FORMAT, "the file " IDENTITY_NAME " has format %d; this program knows %d",
                       (uint8_t)body.data[0], FORMAT);
    *ret = (struct identity){.damaged = (uint8_t)body.data[1], .setting_aside = body.data[2] == 1,
                             .member_id = be64_at(body.data + 20), .replaces = be64_at(body.data + 28),
                             .named_id = be64_at(body.data + 36)};
    memcpy(ret->cluster_id, body.data + 4, 16);
    return ret->member_id != 0 ? 1 : err_set(reterr, ERR_CORRUPT, "the file " IDENTITY_NAME " names no member");
}

void identity_members_load(struct disk *disk, struct configuration *ret)
{
    char bytes[MEMBERS_BYTES_MAX + 1];
    struct slice body;
    *ret = (struct configuration){0};
    if (load_file(disk, MEMBERS_NAME, MEMBERS_MAGIC, bytes, sizeof bytes, &body, NULL) == 1)
        (void)configuration_decode(body, ret, NULL); /* untouched on errors */
}

static void see_state(void *arg, const char *name)
{
    if (strncmp(name, "log-", 4) == 0 || strncmp(name, "snap-", 5) == 0)
        *(bool *)arg = true;
}

int identity_has_state(struct disk *disk, bool *ret, struct err *reterr)
{
    *ret = false;
    return disk_list(disk, see_state, ret, reterr);
}

/* --- saving --- */

static void save_end(struct file_save *s, int status, const struct err *why)
{
    buf_release(&s->bytes);
    s->done(s, status, why);
}

static void save_renamed(struct disk_job *job, int status, const struct err *why)
{
    save_end(container_of(job, struct file_save, job), status, why);
}

static void save_written(struct disk_job *job, int status, const struct err *why)
{
    struct file_save *s = container_of(job, struct file_save, job);
    if (status != 0) {
        save_end(s, status, why);
        return;
    }
    s->job = (struct disk_job){.kind = DISK_RENAME, .name = s->part, .to = s->name, .done = save_renamed};
    disk_submit(s->disk, &s->job);
}

static void save_created(struct disk_job *job, int status, const struct err *why)
{
    struct file_save *s = container_of(job, struct file_save, job);
    if (status != 0) {
        save_end(s, status, why);
        return;
    }
    s->job = (struct disk_job){.kind = DISK_WRITE, .name = s->part, .bytes = buf_slice(&s->bytes), .sync = true, .done = save_written};
    disk_submit(s->disk, &s->job);
}

static void save(struct file_save *s, struct disk *disk, const char *name, const char *part)
{
    close_file(&s->bytes);
    s->disk = disk;
    s->name = name;
    s->part = part;
    s->job = (struct disk_job){.kind = DISK_CREATE, .name = part, .done = save_created};
    disk_submit(disk, &s->job);
}

void identity_save(struct file_save *s, struct disk *disk, const struct identity *identity)
{
    struct buf *b = &s->bytes;
    *b = (struct buf){0};
    buf_append(b, IDENTITY_MAGIC, 8);
    buf_append_char(b, FORMAT);
    buf_append_char(b, (char)identity->damaged);
    buf_append_char(b, identity->setting_aside ? 1 : 0);
    buf_append_char(b, 0);
    buf_append(b, identity->cluster_id, sizeof identity->cluster_id);
    buf_append_be64(b, identity->member_id);
    buf_append_be64(b, identity->replaces);
    buf_append_be64(b, identity->named_id);
    ASSERT(b->size == IDENTITY_BYTES - 4);
    save(s, disk, IDENTITY_NAME, IDENTITY_PART);
}

void identity_members_save(struct file_save *s, struct disk *disk, const struct configuration *c)
{
    s->bytes = (struct buf){0};
    buf_append(&s->bytes, MEMBERS_MAGIC, 8);
    configuration_encode(c, &s->bytes);
    save(s, disk, MEMBERS_NAME, MEMBERS_PART);
}
