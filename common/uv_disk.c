/* The real disk seam: one folder, locked, and two threads (lanes) that carry jobs out in order. Completions come back to the
 * loop through an async handle. The threads are not uv's shared pool: nothing else can hold up the log.
 *
 * Whole blocks are written with O_DIRECT where the file system can, those of the log with O_DSYNC as well: one system call instead of
 * two, no copy in the page cache, and nothing dirty that another file's sync would have to wait for. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE /* O_DIRECT */
#endif
#include "common/base.h"

#include "common/disk.h"
#include "common/mem.h"
#include "common/uv_env.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>
#include <uv.h>

#define OPEN_FILES 4 /* kept open between jobs */
#define LOCK_NAME "lock"
#define ZERO_BYTES (64 * 1024)

#define BLOCK_BYTES 4096            /* what O_DIRECT wants sizes, offsets and memory to be multiples of */
#define BOUNCE_BYTES (256 * 1024)
#define BULK_BOUNCE_BYTES (1024 * 1024) /* of the bulk thread: the more at a time, the faster */
#define BULK_DIRECT_BYTES (64 * 1024)   /* less than that is written through the page cache, where it is read again at once */
#define READ_AHEAD_FROM (64 * 1024)
#define READ_AHEAD_BYTES (4 * 1024 * 1024) /* the disk fetches what comes next while this is worked on */
#define BULK_NICE 10                /* the loop comes first on a busy machine */

struct open_file {
    char *name;
    int fd;
    int flags; /* O_DIRECT and so on, or 0 */
};

struct lane {
    struct uv_disk *disk;
    uv_thread_t thread;
    uv_mutex_t mutex;
    uv_cond_t cond;
    struct list queue;                  /* under the mutex */
    bool stop;                          /* under the mutex */
    bool started, bulk;
    struct open_file files[OPEN_FILES]; /* of its thread; most recent first */
    char *bounce;                       /* of its thread: aligned memory */
};

enum { LANE_LOG, LANE_BULK, LANES };

struct uv_disk {
    uv_loop_t *loop;
    uv_async_t async;
    struct lane lanes[LANES];
    uv_mutex_t mutex;
    struct list finished; /* under the mutex */
    size_t jobs;          /* of the loop thread: submitted and not completed */
    char *folder;
    int folder_fd, lock_fd;
};

/* The writer threads */

static void file_close(struct open_file *f)
{
    if (f->name == NULL)
        return;
    close(f->fd); /* what was written and mattered has been synced */
    mem_free(f->name);
    *f = (struct open_file){0};
}

static void file_forget(struct lane *l, const char *name)
{
    for (size_t i = 0; i < OPEN_FILES; i++)
        if (l->files[i].name != NULL && strcmp(l->files[i].name, name) == 0)
            file_close(&l->files[i]);
}

static int file_open(struct lane *l, const char *name, int flags)
{
    for (size_t i = 0; i < OPEN_FILES; i++) {
        struct open_file f = l->files[i];
        if (f.name == NULL || f.flags != flags || strcmp(f.name, name) != 0)
            continue;
        memmove(l->files + 1, l->files, i * sizeof f);
        l->files[0] = f;
        return f.fd;
    }
    int fd = openat(l->disk->folder_fd, name, O_WRONLY | O_CLOEXEC | flags);
    if (fd < 0)
        return -1;
    file_close(&l->files[OPEN_FILES - 1]);
    memmove(l->files + 1, l->files, (OPEN_FILES - 1) * sizeof l->files[0]);
    l->files[0] = (struct open_file){mem_strdup(name), fd, flags};
    return fd;
}

static int write_all(int fd, const char *bytes, size_t size, uint64_t offset)
{
    while (size > 0) {
        ssize_t n = pwrite(fd, bytes, size, (off_t)offset);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0) {
            errno = n == 0 ? EIO : errno;
            return -1;
        }
        bytes += n;
        size -= (size_t)n;
        offset += (size_t)n;
    }
    return 0;
}

/* Space is allocated and every block written once, so that later writes change data only. */
static int create(struct lane *l, const struct disk_job *job)
{
    static const char zeros[ZERO_BYTES];
    file_forget(l, job->name);
    int fd = openat(l->disk->folder_fd, job->name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (fd < 0)
        return -1;
    int rv = 0;
    if (job->size > 0 && posix_fallocate(fd, 0, (off_t)job->size) == ENOSPC) {
        errno = ENOSPC;
        rv = -1;
    }
    for (uint64_t at = 0; rv == 0 && at < job->size; at += sizeof zeros)
        rv = write_all(fd, zeros, (size_t)MIN(job->size - at, (uint64_t)sizeof zeros), at);
    if (rv == 0)
        rv = fsync(fd);
    if (rv == 0)
        rv = fsync(l->disk->folder_fd);
    int error = errno;
    close(fd);
    errno = error;
    return rv;
}

static bool whole_blocks(const struct disk_job *job)
{
    return job->offset % BLOCK_BYTES == 0 && job->bytes.size % BLOCK_BYTES == 0 && job->bytes.size > 0;
}

/* 1: written, and durable when the log's; 0: this file system cannot; -1 with errno. */
static int write_direct(struct lane *l, const struct disk_job *job)
{
    size_t bounce_bytes = l->bulk ? BULK_BOUNCE_BYTES : BOUNCE_BYTES;
    if (l->bounce == NULL && posix_memalign((void **)&l->bounce, BLOCK_BYTES, bounce_bytes) != 0)
        return 0;
    int fd = file_open(l, job->name, O_DIRECT | (l->bulk ? 0 : O_DSYNC));
    if (fd < 0)
        return errno == EINVAL || errno == EOPNOTSUPP ? 0 : -1;
    for (size_t at = 0; at < job->bytes.size;) {
        size_t n = MIN(job->bytes.size - at, bounce_bytes);
        memcpy(l->bounce, job->bytes.data + at, n);
        if (write_all(fd, l->bounce, n, job->offset + at) != 0)
            return errno == EINVAL && at == 0 ? 0 : -1;
        at += n;
    }
    return 1;
}

/* The log's when they are to be durable; bulk when there are many of them. */
static bool wants_direct(const struct disk_job *job)
{
    return whole_blocks(job) && (job->bulk ? job->bytes.size >= BULK_DIRECT_BYTES : job->sync);
}

static int write_job(struct lane *l, const struct disk_job *job)
{
    int rv = wants_direct(job) ? write_direct(l, job) : 0;
    if (rv < 0)
        return -1;
    if (rv > 0 && (!job->bulk || !job->sync))
        return 0;
    int fd = file_open(l, job->name, 0);
    if (fd < 0 || (rv == 0 && write_all(fd, job->bytes.data, job->bytes.size, job->offset) != 0))
        return -1;
    return job->sync ? fdatasync(fd) : 0;
}

static int rename_job(struct lane *l, const struct disk_job *job)
{
    file_forget(l, job->name);
    file_forget(l, job->to);
    if (renameat(l->disk->folder_fd, job->name, l->disk->folder_fd, job->to) != 0)
        return -1;
    return fsync(l->disk->folder_fd);
}

static int remove_job(struct lane *l, const struct disk_job *job)
{
    file_forget(l, job->name);
    if (unlinkat(l->disk->folder_fd, job->name, 0) != 0)
        return -1;
    return fsync(l->disk->folder_fd);
}

static int truncate_job(struct lane *l, const struct disk_job *job)
{
    int fd = file_open(l, job->name, 0);
    if (fd < 0 || ftruncate(fd, (off_t)job->size) != 0)
        return -1;
    return fsync(fd);
}

static int run_job(struct lane *l, const struct disk_job *job)
{
    switch (job->kind) {
    case DISK_CREATE: return create(l, job);
    case DISK_WRITE: return write_job(l, job);
    case DISK_RENAME: return rename_job(l, job);
    case DISK_REMOVE: return remove_job(l, job);
    case DISK_TRUNCATE: return truncate_job(l, job);
    case DISK_WORK: return 0;
    }
    errno = EINVAL;
    return -1;
}

static const char *verb(enum disk_job_kind kind)
{
    switch (kind) {
    case DISK_CREATE: return "cannot create";
    case DISK_WRITE: return "cannot write";
    case DISK_RENAME: return "cannot rename";
    case DISK_REMOVE: return "cannot remove";
    case DISK_TRUNCATE: return "cannot cut";
    case DISK_WORK: return "cannot work on";
    }
    return "cannot use";
}

static void carry_out(struct lane *l, struct disk_job *job)
{
    job->status = job->prepare != NULL ? job->prepare(job) : 0;
    if (job->status == 0 && run_job(l, job) != 0)
        job->status = err_set_errno(&job->err, errno, "%s %s/%s", verb(job->kind), l->disk->folder, job->name);
}

static void work(void *arg)
{
    struct lane *l = arg;
    struct uv_disk *d = l->disk;
    if (l->bulk)
        (void)setpriority(PRIO_PROCESS, 0, BULK_NICE); /* of this thread only, on Linux; no right to is no harm */
    uv_mutex_lock(&l->mutex);
    for (;;) {
        while (list_empty(&l->queue) && !l->stop)
            uv_cond_wait(&l->cond, &l->mutex);
        if (list_empty(&l->queue))
            break;
        struct disk_job *job = LIST_FIRST(&l->queue, struct disk_job, link);
        list_remove(&job->link);
        uv_mutex_unlock(&l->mutex);
        carry_out(l, job);
        uv_mutex_lock(&d->mutex);
        list_push_back(&d->finished, &job->link);
        uv_async_send(&d->async);
        uv_mutex_unlock(&d->mutex);
        uv_mutex_lock(&l->mutex);
    }
    uv_mutex_unlock(&l->mutex);
}

/* The loop thread */

static void complete(struct uv_disk *d)
{
    struct list done;
    list_init(&done);
    uv_mutex_lock(&d->mutex);
    list_splice(&done, &d->finished);
    uv_mutex_unlock(&d->mutex);
    while (!list_empty(&done)) {
        struct disk_job *job = LIST_FIRST(&done, struct disk_job, link);
        list_remove(&job->link);
        if (--d->jobs == 0)
            uv_unref((uv_handle_t *)&d->async);
        job->done(job, job->status, job->status == 0 ? NULL : &job->err);
    }
}

static void woken(uv_async_t *async) { complete(async->data); }

static void submit(void *impl, struct disk_job *job)
{
    struct uv_disk *d = impl;
    struct lane *l = &d->lanes[job->bulk ? LANE_BULK : LANE_LOG];
    if (d->jobs++ == 0)
        uv_ref((uv_handle_t *)&d->async);
    list_init(&job->link);
    uv_mutex_lock(&l->mutex);
    list_push_back(&l->queue, &job->link);
    uv_cond_signal(&l->cond);
    uv_mutex_unlock(&l->mutex);
}

static int read_file(void *impl, const char *name, uint64_t offset, void *bytes, size_t size, size_t *ret_size,
                     struct err *reterr)
{
    struct uv_disk *d = impl;
    int fd = openat(d->folder_fd, name, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return err_set_errno(reterr, errno, "cannot open %s/%s", d->folder, name);
    if (size >= READ_AHEAD_FROM) /* who reads so much reads on; a hint that is not taken costs time only */
        (void)posix_fadvise(fd, (off_t)offset, (off_t)size + READ_AHEAD_BYTES, POSIX_FADV_WILLNEED);
    size_t done = 0;
    int rv = 0;
    while (done < size) {
        ssize_t n = pread(fd, (char *)bytes + done, size - done, (off_t)(offset + done));
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            rv = err_set_errno(reterr, errno, "cannot read %s/%s", d->folder, name);
        if (n <= 0)
            break;
        done += (size_t)n;
    }
    close(fd);
    if (rv == 0)
        *ret_size = done;
    return rv;
}

static int size_of(void *impl, const char *name, uint64_t *ret_size, struct err *reterr)
{
    struct uv_disk *d = impl;
    struct stat st;
    if (fstatat(d->folder_fd, name, &st, 0) != 0)
        return err_set_errno(reterr, errno, "cannot look at %s/%s", d->folder, name);
    *ret_size = (uint64_t)st.st_size;
    return 0;
}

static int list_files(void *impl, void (*each)(void *arg, const char *name), void *arg, struct err *reterr)
{
    struct uv_disk *d = impl;
    struct dirent **names;
    int n = scandir(d->folder, &names, NULL, alphasort);
    if (n < 0)
        return err_set_errno(reterr, errno, "cannot list %s", d->folder);
    for (int i = 0; i < n; i++) {
        if (names[i]->d_name[0] != '.' && strcmp(names[i]->d_name, LOCK_NAME) != 0)
            each(arg, names[i]->d_name);
        free(names[i]);
    }
    free(names);
    return 0;
}

static int space(void *impl, struct disk_space *ret, struct err *reterr)
{
    struct uv_disk *d = impl;
    struct statvfs st;
    if (fstatvfs(d->folder_fd, &st) != 0)
        return err_set_errno(reterr, errno, "cannot ask for the space of %s", d->folder);
    *ret = (struct disk_space){(uint64_t)st.f_blocks * st.f_frsize, (uint64_t)st.f_bavail * st.f_frsize};
    return 0;
}

static const struct disk_ops ops = {submit, read_file, size_of, list_files, space};

/* Opening and closing */

/* `own`: made when missing, and locked. */
static int open_folder(struct uv_disk *d, bool own, struct err *reterr)
{
    if (own && mkdir(d->folder, 0700) != 0 && errno != EEXIST)
        return err_set_errno(reterr, errno, "cannot make the data folder %s", d->folder);
    d->folder_fd = open(d->folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (d->folder_fd < 0)
        return err_set_errno(reterr, errno, "cannot open the data folder %s", d->folder);
    if (!own)
        return 0;
    d->lock_fd = openat(d->folder_fd, LOCK_NAME, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (d->lock_fd < 0)
        return err_set_errno(reterr, errno, "cannot open the lock of the data folder %s", d->folder);
    if (flock(d->lock_fd, LOCK_EX | LOCK_NB) == 0)
        return 0;
    if (errno == EWOULDBLOCK)
        return err_set(reterr, ERR_CONFLICT, "the data folder %s is in use by another process; stop that one first", d->folder);
    return err_set_errno(reterr, errno, "cannot lock the data folder %s", d->folder);
}

static void lane_release(struct lane *l)
{
    for (size_t i = 0; i < OPEN_FILES; i++)
        file_close(&l->files[i]);
    free(l->bounce);
    if (!l->started)
        return;
    uv_cond_destroy(&l->cond);
    uv_mutex_destroy(&l->mutex);
}

static void disk_free(struct uv_disk *d)
{
    for (size_t i = 0; i < LANES; i++)
        lane_release(&d->lanes[i]);
    if (d->lock_fd >= 0)
        close(d->lock_fd);
    if (d->folder_fd >= 0)
        close(d->folder_fd);
    mem_free(d->folder);
    mem_free(d);
}

static void async_closed(uv_handle_t *handle)
{
    struct uv_disk *d = handle->data;
    uv_mutex_destroy(&d->mutex);
    disk_free(d);
}

static void lane_stop(struct lane *l)
{
    if (!l->started)
        return;
    uv_mutex_lock(&l->mutex);
    l->stop = true;
    uv_cond_signal(&l->cond);
    uv_mutex_unlock(&l->mutex);
    uv_thread_join(&l->thread);
}

/* Jobs still under way are finished first: their owners wait for them. */
static void disk_close(void *seam)
{
    struct uv_disk *d = seam;
    for (size_t i = 0; i < LANES; i++)
        lane_stop(&d->lanes[i]);
    complete(d);
    uv_close((uv_handle_t *)&d->async, async_closed);
}

static int lane_start(struct lane *l, struct err *reterr)
{
    if (uv_mutex_init(&l->mutex) != 0)
        return err_set(reterr, ERR_INTERNAL, "no mutex for a disk thread");
    if (uv_cond_init(&l->cond) != 0) {
        uv_mutex_destroy(&l->mutex);
        return err_set(reterr, ERR_INTERNAL, "no condition for a disk thread");
    }
    l->started = uv_thread_create(&l->thread, work, l) == 0;
    if (l->started)
        return 0;
    uv_cond_destroy(&l->cond);
    uv_mutex_destroy(&l->mutex);
    return err_set(reterr, ERR_INTERNAL, "no thread for the disk");
}

static int add_disk(struct uv_env *uv, const char *folder, bool own, struct err *reterr)
{
    struct uv_disk *d = NEW(struct uv_disk);
    d->loop = uv_env_loop(uv);
    d->folder = mem_strdup(folder);
    d->folder_fd = d->lock_fd = -1;
    list_init(&d->finished);
    for (size_t i = 0; i < LANES; i++) {
        d->lanes[i].disk = d;
        d->lanes[i].bulk = i == LANE_BULK;
        list_init(&d->lanes[i].queue);
    }
    int rv = open_folder(d, own, reterr);
    if (rv == 0 && uv_mutex_init(&d->mutex) != 0)
        rv = err_set(reterr, ERR_INTERNAL, "no mutex for the disk threads");
    if (rv != 0) {
        disk_free(d);
        return rv;
    }
    if (uv_async_init(d->loop, &d->async, woken) != 0) {
        uv_mutex_destroy(&d->mutex);
        disk_free(d);
        return err_set(reterr, ERR_INTERNAL, "no wake-up for the disk threads");
    }
    d->async.data = d;
    uv_unref((uv_handle_t *)&d->async);
    for (size_t i = 0; i < LANES && rv == 0; i++)
        rv = lane_start(&d->lanes[i], reterr);
    if (rv != 0) {
        disk_close(d);
        uv_run(d->loop, UV_RUN_NOWAIT);
        return rv;
    }
    uv_env_env(uv)->disk = (struct disk){&ops, d};
    uv_env_add(uv, disk_close, d);
    return 0;
}

int uv_env_add_disk(struct uv_env *uv, const char *folder, struct err *reterr) { return add_disk(uv, folder, true, reterr); }
int uv_env_add_files(struct uv_env *uv, const char *folder, struct err *reterr) { return add_disk(uv, folder, false, reterr); }
