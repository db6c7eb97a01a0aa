/* A disk with one writer. Faults permitted: jobs take any time; at a crash the job under way and every write without a
 * sync behind it is kept, lost, or kept in some of its 512-byte sectors; a creation, renaming or removal under way has
 * happened or not; a counted write may find the disk full. Not permitted: losing or changing what was synced (tests that
 * rot bits do it by hand). */
#include "common/base.h"

#include "tests/sim/sim.h"

#include "common/mem.h"

#include <stdlib.h>

#define SECTOR 512

struct unsynced {
    struct list link;
    uint64_t offset;
    struct buf bytes;
};

struct fake_file {
    struct buf live, durable; /* what reads see; what a crash cannot take */
    struct list unsynced;
};

struct completion {
    struct sim_event event;
    struct fake_disk *disk;
};

static void apply_bytes(struct buf *to, uint64_t offset, struct slice bytes)
{
    uint64_t end = offset + bytes.size;
    if (to->size < end) {
        buf_reserve(to, (size_t)(end - to->size));
        memset(to->data + to->size, 0, (size_t)(end - to->size));
        to->size = (size_t)end;
    }
    if (bytes.size > 0)
        memcpy(to->data + offset, bytes.data, bytes.size);
}

static void file_free(struct fake_file *f)
{
    while (!list_empty(&f->unsynced)) {
        struct unsynced *u = LIST_FIRST(&f->unsynced, struct unsynced, link);
        list_remove(&u->link);
        buf_release(&u->bytes);
        mem_free(u);
    }
    buf_release(&f->live);
    buf_release(&f->durable);
    mem_free(f);
}

static struct fake_file *file_get(struct fake_disk *d, const char *name) { return map_get(&d->files, slice_str(name)); }

static void file_create(struct fake_disk *d, const char *name, uint64_t size)
{
    struct fake_file *f = NEW(struct fake_file), *old = map_put(&d->files, slice_str(name), f);
    list_init(&f->unsynced);
    if (old != NULL)
        file_free(old);
    char *zeros = mem_zalloc((size_t)size);
    apply_bytes(&f->live, 0, slice_of(zeros, (size_t)size));
    apply_bytes(&f->durable, 0, slice_of(zeros, (size_t)size));
    mem_free(zeros);
}

static void file_sync(struct fake_file *f)
{
    while (!list_empty(&f->unsynced)) {
        struct unsynced *u = LIST_FIRST(&f->unsynced, struct unsynced, link);
        apply_bytes(&f->durable, u->offset, buf_slice(&u->bytes));
        list_remove(&u->link);
        buf_release(&u->bytes);
        mem_free(u);
    }
}

static void file_write(struct fake_file *f, const struct disk_job *job)
{
    struct unsynced *u = NEW(struct unsynced);
    apply_bytes(&f->live, job->offset, job->bytes);
    u->offset = job->offset;
    buf_append_slice(&u->bytes, job->bytes);
    list_push_back(&f->unsynced, &u->link);
    if (job->sync)
        file_sync(f);
}

static int carry_out(struct fake_disk *d, struct disk_job *job)
{
    struct fake_file *f = file_get(d, job->name);
    int status = job->prepare != NULL ? job->prepare(job) : 0;
    if (status != 0)
        return status;
    if (f == NULL && job->kind != DISK_CREATE && job->kind != DISK_WORK)
        return err_set(&job->err, ERR_NOT_FOUND, "%s: no such file", job->name);
    if (job->kind == DISK_WRITE && d->writes_until_full > 0 && --d->writes_until_full == 0)
        return err_set(&job->err, ERR_NO_SPACE, "%s: no space left", job->name);
    switch (job->kind) {
    case DISK_CREATE: file_create(d, job->name, job->size); break;
    case DISK_WRITE: file_write(f, job); break;
    case DISK_RENAME: {
        map_remove(&d->files, slice_str(job->name));
        struct fake_file *old = map_put(&d->files, slice_str(job->to), f);
        if (old != NULL)
            file_free(old);
        break;
    }
    case DISK_REMOVE:
        map_remove(&d->files, slice_str(job->name));
        file_free(f);
        break;
    case DISK_TRUNCATE:
        file_sync(f);
        f->live.size = MIN(f->live.size, (size_t)job->size);
        f->durable.size = MIN(f->durable.size, (size_t)job->size);
        break;
    case DISK_WORK: break;
    }
    return 0;
}

static void begin_next(struct fake_disk *d);

static void completed(struct sim *s, struct sim_event *e)
{
    struct completion *c = container_of(e, struct completion, event);
    struct fake_disk *d = c->disk;
    struct disk_job *job = LIST_FIRST(&d->queue, struct disk_job, link);
    mem_free(c);
    list_remove(&job->link);
    d->busy = false;
    job->status = carry_out(d, job);
    sim_trace(s, 6, d->node->index * 16 + job->kind, job->offset + job->bytes.size);
    begin_next(d);
    job->done(job, job->status, job->status == 0 ? NULL : &job->err);
}

static void completion_drop(struct sim *s, struct sim_event *e)
{
    (void)s;
    mem_free(container_of(e, struct completion, event));
}

static void begin_next(struct fake_disk *d)
{
    if (d->busy || list_empty(&d->queue) || d->dead)
        return;
    struct completion *c = NEW(struct completion);
    c->event.node = d->node;
    c->event.generation = d->node->generation;
    c->event.run = completed;
    c->event.drop = completion_drop;
    c->disk = d;
    d->busy = true;
    sim_schedule(d->sim, &c->event, d->latency_min_us + sim_below(d->sim, d->latency_max_us - d->latency_min_us + 1));
}

/* A job of a member that has crashed: it never reaches the disk. */
struct cancellation {
    struct deferred deferred;
    struct disk_job *job;
};

static void cancel_run(struct deferred *deferred)
{
    struct cancellation *c = container_of(deferred, struct cancellation, deferred);
    struct disk_job *job = c->job;
    mem_free(c);
    err_set(&job->err, ERR_CANCELED, "crashed");
    job->done(job, ERR_CANCELED, &job->err);
}

static void cancel(struct fake_disk *d, struct disk_job *job)
{
    struct cancellation *c = NEW(struct cancellation);
    deferred_init(&c->deferred, cancel_run);
    c->job = job;
    loop_defer(&d->node->env.loop, &c->deferred);
}

static void submit(void *impl, struct disk_job *job)
{
    struct fake_disk *d = impl;
    list_init(&job->link);
    if (d->dead) {
        cancel(d, job);
        return;
    }
    list_push_back(&d->queue, &job->link);
    begin_next(d);
}

enum fate { FATE_LOST, FATE_KEPT, FATE_TORN };

static void tear(struct sim *s, struct fake_file *f, uint64_t offset, struct slice bytes, enum fate fate)
{
    if (fate == FATE_KEPT)
        apply_bytes(&f->durable, offset, bytes);
    for (size_t at = 0; fate == FATE_TORN && at < bytes.size; at += SECTOR)
        if (sim_chance(s, 500))
            apply_bytes(&f->durable, offset + at, slice_of(bytes.data + at, MIN((size_t)SECTOR, bytes.size - at)));
}

static void crash_job(struct fake_disk *d, struct disk_job *job, enum fate fate)
{
    struct fake_file *f = file_get(d, job->name);
    if (job->kind == DISK_WRITE && f != NULL)
        tear(d->sim, f, job->offset, job->bytes, fate);
    else if (fate == FATE_KEPT)
        (void)carry_out(d, job); /* nobody is left to be told */
}

void fake_disk_crash(struct fake_disk *d)
{
    struct map_entry *e;
    enum fate fate = (enum fate)sim_below(d->sim, 3);
    for (size_t i = 0; (e = map_next(&d->files, &i)) != NULL;) {
        struct fake_file *f = e->value;
        while (!list_empty(&f->unsynced)) {
            struct unsynced *u = LIST_FIRST(&f->unsynced, struct unsynced, link);
            tear(d->sim, f, u->offset, buf_slice(&u->bytes), fate);
            list_remove(&u->link);
            buf_release(&u->bytes);
            mem_free(u);
        }
    }
    if (d->busy)
        crash_job(d, LIST_FIRST(&d->queue, struct disk_job, link), fate);
    d->dead = true;
    d->busy = false;
    while (!list_empty(&d->queue)) {
        struct disk_job *job = LIST_FIRST(&d->queue, struct disk_job, link);
        list_remove(&job->link);
        cancel(d, job);
    }
    for (size_t i = 0; (e = map_next(&d->files, &i)) != NULL;) {
        struct fake_file *f = e->value;
        buf_reset(&f->live);
        buf_append_slice(&f->live, buf_slice(&f->durable));
    }
}

void fake_disk_restart(struct fake_disk *d) { d->dead = false; }

void fake_disk_take(struct fake_disk *d, struct fake_disk *from)
{
    ASSERT(d->files.size == 0 && list_empty(&from->queue));
    map_release(&d->files);
    d->files = from->files;
    from->files = (struct map){0};
    struct map_entry *e;
    for (size_t i = 0; (e = map_next(&d->files, &i)) != NULL;) { /* damage done to them stays */
        struct fake_file *f = e->value;
        buf_reset(&f->durable);
        buf_append_slice(&f->durable, buf_slice(&f->live));
    }
}

static int read_file(void *impl, const char *name, uint64_t offset, void *bytes, size_t size, size_t *ret_size,
                     struct err *reterr)
{
    struct fake_file *f = file_get(impl, name);
    if (f == NULL)
        return err_set(reterr, ERR_NOT_FOUND, "%s: no such file", name);
    size_t n = offset >= f->live.size ? 0 : MIN(size, f->live.size - (size_t)offset);
    if (n > 0)
        memcpy(bytes, f->live.data + offset, n);
    *ret_size = n;
    return 0;
}

static int size_of(void *impl, const char *name, uint64_t *ret_size, struct err *reterr)
{
    struct fake_file *f = file_get(impl, name);
    if (f == NULL)
        return err_set(reterr, ERR_NOT_FOUND, "%s: no such file", name);
    *ret_size = f->live.size;
    return 0;
}

static int by_name(const void *a, const void *b) { return strcmp(*(const char *const *)a, *(const char *const *)b); }

static int list(void *impl, void (*each)(void *arg, const char *name), void *arg, struct err *reterr)
{
    struct fake_disk *d = impl;
    struct map_entry *e;
    size_t n = 0;
    (void)reterr;
    char **names = mem_alloc((d->files.size + 1) * sizeof *names);
    for (size_t i = 0; (e = map_next(&d->files, &i)) != NULL;)
        names[n++] = mem_strdup(e->key);
    qsort(names, n, sizeof *names, by_name);
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

static const struct disk_ops ops = {submit, read_file, size_of, list, space};

void fake_disk_init(struct fake_disk *d, struct sim *s, struct sim_node *n)
{
    *d = (struct fake_disk){.sim = s, .node = n, .latency_min_us = 100, .latency_max_us = 1500};
    list_init(&d->queue);
}

struct disk fake_disk_disk(struct fake_disk *d) { return (struct disk){&ops, d}; }

struct buf *fake_disk_bytes(struct fake_disk *d, const char *name)
{
    struct fake_file *f = file_get(d, name);
    return f == NULL ? NULL : &f->live;
}

struct buf *fake_disk_damageable(struct fake_disk *d)
{
    const struct map_entry *e;
    struct slice first = {0};
    struct fake_file *found = NULL;
    for (size_t i = 0; (e = map_next(&d->files, &i)) != NULL;) {
        struct slice name = map_key(e);
        if (name.size > 4 && memcmp(name.data, "log-", 4) == 0 && (found == NULL || slice_compare(name, first) < 0)) {
            first = name;
            found = e->value;
        }
    }
    return found == NULL ? NULL : &found->live;
}

void fake_disk_release(struct fake_disk *d)
{
    struct map_entry *e;
    for (size_t i = 0; (e = map_next(&d->files, &i)) != NULL;)
        file_free(e->value);
    map_release(&d->files);
}
