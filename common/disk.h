/* The disk seam of the store: one flat data folder, files named by the store, and two writer threads that each carry out
 * their jobs in the order they were queued: one for the log, one for bulk work (snapshots), so that a gigabyte on its way
 * to the disk never stands in front of a log batch. Opening, listing and reading at start-up is synchronous. */
#ifndef COMMON_DISK_H
#define COMMON_DISK_H

#include "common/base.h"
#include "common/err.h"
#include "common/list.h"

enum disk_job_kind {
    DISK_CREATE,   /* make `name`, `size` zero bytes, all synced, folder entry synced too */
    DISK_WRITE,    /* `bytes` at `offset` of `name`; durable when done if `sync` */
    DISK_RENAME,   /* `name` to `to`; the folder is synced */
    DISK_REMOVE,   /* `name`; the folder is synced */
    DISK_TRUNCATE, /* `name` to `size`, synced */
    DISK_WORK,     /* only `prepare`: work that is too long for the loop, in the order of its thread; no file */
};

struct disk_job {
    enum disk_job_kind kind;
    const char *name, *to;   /* borrowed until done */
    uint64_t offset, size;
    struct slice bytes;      /* borrowed until done */
    bool sync;
    bool bulk;               /* on the bulk thread; jobs of one file all go the same way */
    /* DISK_WRITE (may be NULL) and DISK_WORK: called on the writing thread before the write, to make what `bytes` is then set to; reads
     * only what nobody changes meanwhile. A status other than 0, with job->err set, ends the job. */
    int (*prepare)(struct disk_job *job);
    void (*done)(struct disk_job *job, int status, const struct err *why); /* on the loop, in the order of its thread's queue */
    struct list link;
    struct err err;          /* of the seam */
    int status;              /* of the seam */
};

struct disk_space {
    uint64_t total_bytes, free_bytes;
};

struct disk_ops {
    void (*submit)(void *impl, struct disk_job *job); /* the job is the seam's until done */
    /* Synchronous, for start-up and for the snapshot thread: reads at most `size` bytes; *ret_size less only at the end. */
    int (*read)(void *impl, const char *name, uint64_t offset, void *bytes, size_t size, size_t *ret_size, struct err *reterr);
    int (*size)(void *impl, const char *name, uint64_t *ret_size, struct err *reterr);
    /* Calls `each` with every file name, in byte order. */
    int (*list)(void *impl, void (*each)(void *arg, const char *name), void *arg, struct err *reterr);
    int (*space)(void *impl, struct disk_space *ret, struct err *reterr);
};

struct disk {
    const struct disk_ops *ops;
    void *impl;
};

static inline void disk_submit(struct disk *d, struct disk_job *job) { d->ops->submit(d->impl, job); }
static inline int disk_read(struct disk *d, const char *name, uint64_t offset, void *bytes, size_t size,
                            size_t *ret_size, struct err *reterr)
{
    return d->ops->read(d->impl, name, offset, bytes, size, ret_size, reterr);
}
static inline int disk_size(struct disk *d, const char *name, uint64_t *ret_size, struct err *reterr)
{
    return d->ops->size(d->impl, name, ret_size, reterr);
}
static inline int disk_list(struct disk *d, void (*each)(void *arg, const char *name), void *arg, struct err *reterr)
{
    return d->ops->list(d->impl, each, arg, reterr);
}
static inline int disk_space(struct disk *d, struct disk_space *ret, struct err *reterr)
{
    return d->ops->space(d->impl, ret, reterr);
}

#endif
