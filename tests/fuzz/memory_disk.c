#include "tests/fuzz/memory_disk.h"

#include "common/mem.h"

#include <stdlib.h>
#include <string.h>

struct telling {
    struct deferred deferred;
    struct disk_job *job;
};

static void tell(struct deferred *deferred)
{
    struct telling *t = container_of(deferred, struct telling, deferred);
    struct disk_job *job = t->job;
    mem_free(t);
    job->done(job, job->status, job->status == 0 ? NULL : &job->err);
}

static void file_drop(struct memory_disk *d, const char *name)
{
    struct buf *old = map_remove(&d->files, slice_str(name));
    if (old != NULL)
        buf_release(old);
    mem_free(old);
}

static void file_resize(struct buf *f, size_t size)
{
    if (size > f->size) {
        buf_reserve(f, size - f->size);
        memset(f->data + f->size, 0, size - f->size);
    }
    f->size = size;
}

struct buf *memory_disk_get(struct memory_disk *d, const char *name) { return map_get(&d->files, slice_str(name)); }

void memory_disk_put(struct memory_disk *d, const char *name, struct slice bytes)
{
    file_drop(d, name);
    struct buf *f = NEW(struct buf);
    buf_append_slice(f, bytes);
    (void)map_put(&d->files, slice_str(name), f);
}

static int carry_out(struct memory_disk *d, struct disk_job *job)
{
    struct buf *f = memory_disk_get(d, job->name);
    int status = job->prepare != NULL ? job->prepare(job) : 0;
    if (status != 0)
        return status;
    if (f == NULL && job->kind != DISK_CREATE && job->kind != DISK_WORK)
        return err_set(&job->err, ERR_NOT_FOUND, "%s: no such file", job->name);
    switch (job->kind) {
    case DISK_CREATE:
        memory_disk_put(d, job->name, SLICE(""));
        file_resize(memory_disk_get(d, job->name), (size_t)job->size);
        break;
    case DISK_WRITE:
        file_resize(f, MAX(f->size, (size_t)job->offset + job->bytes.size));
        if (job->bytes.size > 0)
            memcpy(f->data + job->offset, job->bytes.data, job->bytes.size);
        break;
    case DISK_RENAME:
        (void)map_remove(&d->files, slice_str(job->name));
        file_drop(d, job->to);
        (void)map_put(&d->files, slice_str(job->to), f);
        break;
    case DISK_REMOVE: file_drop(d, job->name); break;
    case DISK_TRUNCATE: file_resize(f, (size_t)job->size); break;
    case DISK_WORK: break; /* prepare was all */
    }
    return 0;
}

static void submit(void *impl, struct disk_job *job)
{
    struct memory_disk *d = impl;
    struct telling *t = NEW(struct telling);
    job->status = carry_out(d, job);
    deferred_init(&t->deferred, tell);
    t->job = job;
    loop_defer(&d->env->loop, &t->deferred);
}

static int read_file(void *impl, const char *name, uint64_t offset, void *bytes, size_t size, size_t *ret_size, struct err *reterr)
{
    struct buf *f = memory_disk_get(impl, name);
    if (f == NULL)
        return err_set(reterr, ERR_NOT_FOUND, "%s: no such file", name);
    *ret_size = offset >= f->size ? 0 : MIN(size, f->size - (size_t)offset);
    if (*ret_size > 0)
        memcpy(bytes, f->data + offset, *ret_size);
    return 0;
}

static int size_of(void *impl, const char *name, uint64_t *ret_size, struct err *reterr)
{
    struct buf *f = memory_disk_get(impl, name);
    if (f == NULL)
        return err_set(reterr, ERR_NOT_FOUND, "%s: no such file", name);
    *ret_size = f->size;
    return 0;
}

static int by_name(const void *a, const void *b) { return strcmp(*(char *const *)a, *(char *const *)b); }

static int list(void *impl, void (*each)(void *arg, const char *name), void *arg, struct err *reterr)
{
    struct memory_disk *d = impl;
    struct map_entry *e;
    size_t n = 0;
    (void)reterr;
    char **names = mem_alloc((d->files.size + 1) * sizeof names[0]);
    for (size_t i = 0; (e = map_next(&d->files, &i)) != NULL;)
        names[n++] = mem_strdup(e->key);
    qsort(names, n, sizeof names[0], by_name);
    for (size_t i = 0; i < n; i++) {
        each(arg, names[i]);
        mem_free(names[i]);
    }
    mem_free(names);
    return 0;
}

static int space(void *impl, struct disk_space *ret, struct err *reterr)
{
    (void)impl, (void)reterr;
    *ret = (struct disk_space){1ull << 40, 1ull << 39};
    return 0;
}

void memory_disk_init(struct memory_disk *d, struct env *env)
{
    static const struct disk_ops ops = {submit, read_file, size_of, list, space};
    *d = (struct memory_disk){.env = env};
    env->disk = (struct disk){&ops, d};
}

void memory_disk_clear(struct memory_disk *d)
{
    struct map_entry *e;
    for (size_t i = 0; (e = map_next(&d->files, &i)) != NULL;) {
        buf_release(e->value);
        mem_free(e->value);
    }
    map_release(&d->files);
    d->files = (struct map){0};
}
