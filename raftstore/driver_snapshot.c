/* Snapshots: when they are taken, how they travel, how they are taken over. See the diagram at struct incoming.
 *
 * A received file is renamed to its final name, synced, before the log is reset: a crash between the two leaves a snapshot
 * that the log does not continue, and opening the log then voids it (wal.h). */
#include "common/base.h"

#include "raftstore/driver_parts.h"

#include "common/mem.h"

#include <stdio.h>

#define SNAPSHOT_LOG_BYTES (64ull * 1024 * 1024)
#define TRAILING_BYTES (16ull * 1024 * 1024)
#define WORK_BYTES (4u * 1024 * 1024) /* read of an incoming snapshot per job */

/* Jobs on files whose result matters little */

struct file_job {
    struct disk_job job;
    struct driver *driver;
    char name[SNAPFILE_NAME_MAX];
};

static void file_removed(struct disk_job *job, int status, const struct err *why)
{
    struct file_job *f = container_of(job, struct file_job, job);
    struct driver *d = f->driver;
    /* An old file that stays takes space only; the next start tries again. */
    if (status != 0 && status != ERR_NOT_FOUND && status != ERR_CANCELED)
        log_warn(d->env->log, "cannot remove a snapshot file", "file=%s why=\"%s\"", f->name, why->message);
    d->jobs--;
    mem_free(f);
    driver_settle(d);
}

static void remove_file(struct driver *d, const char *name)
{
    struct file_job *f = NEW(struct file_job);
    f->driver = d;
    snprintf(f->name, sizeof f->name, "%s", name);
    f->job = (struct disk_job){.kind = DISK_REMOVE, .name = f->name, .bulk = true, .done = file_removed};
    d->jobs++;
    disk_submit(&d->env->disk, &f->job);
}

static void remove_snapshot(struct driver *d, uint64_t index, uint64_t term)
{
    char name[SNAPFILE_NAME_MAX];
    snapfile_name(index, term, name);
    LIST_FOR_EACH(node, &d->sends)
        if (strcmp(container_of(node, struct snapshot_send, link)->name, name) == 0)
            return; /* it goes when its last reader has gone */
    remove_file(d, name);
}

/* Start: the newest file is the state; others are left-overs */

struct listing {
    struct driver *driver;
    uint64_t index, term;
};

static void find_newest(void *arg, const char *name)
{
    struct listing *l = arg;
    uint64_t index, term;
    if (snapfile_parse_name(name, &index, &term) && index > l->index) {
        l->index = index;
        l->term = term;
    }
}

static void remove_others(void *arg, const char *name)
{
    struct listing *l = arg;
    uint64_t index, term;
    bool old = snapfile_parse_name(name, &index, &term) && index != l->index;
    if (old || strcmp(name, SNAPFILE_PART) == 0 || strcmp(name, SNAPFILE_INCOMING) == 0)
        remove_file(l->driver, name);
}

int driver_snapshot_load(struct driver *d, struct err *reterr)
{
    struct listing l = {.driver = d};
    char name[SNAPFILE_NAME_MAX];
    struct snapfile_reader *r;
    int rv = disk_list(&d->env->disk, find_newest, &l, reterr);
    if (rv != 0)
        return rv;
    if (l.index > 0) {
        snapfile_name(l.index, l.term, name);
        rv = snapfile_open(d->env, name, d->options.cluster_id, &r, reterr);
        if (rv != 0)
            return rv;
        rv = snapfile_restore(r, d->machine, reterr);
        if (rv == 0)
            d->snapshot = *snapfile_info(r);
        snapfile_close(r);
        if (rv == 0 && (d->snapshot.index != l.index || d->snapshot.term != l.term))
            rv = err_set(reterr, ERR_CORRUPT, "snapshot %s is not what its name says", name);
        if (rv != 0)
            return rv;
    }
    d->applied = d->snapshot.index;
    d->applied_term = d->snapshot.term;
    return disk_list(&d->env->disk, remove_others, &l, reterr);
}

/* Taking */

static void take_over(struct driver *d, const struct snapfile_info *info)
{
    uint64_t old_index = d->snapshot.index, old_term = d->snapshot.term;
    d->snapshot = *info;
    d->snapshot_retry_bytes = 0;
    if (old_index > 0)
        remove_snapshot(d, old_index, old_term);
}

static uint64_t threshold(const struct driver *d)
{
    uint64_t bytes = d->options.snapshot_log_bytes;
    if (bytes == 0)
        bytes = MAX((uint64_t)SNAPSHOT_LOG_BYTES, d->snapshot.state_bytes / 2);
    return bytes + d->snapshot_retry_bytes;
}

static void taken(void *arg, int status, const struct snapfile_info *info, const struct err *why)
{
    struct driver *d = arg;
    d->writer = NULL;
    d->jobs--;
    if (d->closing || d->failed) {
        driver_settle(d);
        return;
    }
    if (status != 0) {
        d->snapshot_retry_bytes += threshold(d) / 4; /* again when the log has grown by a quarter */
        if (status != ERR_CANCELED)
            log_warn(d->env->log, "snapshot failed", "index=%llu why=\"%s\"", (unsigned long long)info->index, why->message);
        return;
    }
    if (info->index <= d->snapshot.index || d->incoming.state == INCOMING_INSTALL) {
        remove_snapshot(d, info->index, info->term); /* overtaken by an installed one */
        return;
    }
    take_over(d, info);
    log_info(d->env->log, "snapshot taken", "index=%llu state_bytes=%llu file_bytes=%llu took_ms=%llu", (unsigned long long)info->index,
             (unsigned long long)info->state_bytes, (unsigned long long)info->file_bytes,
             (unsigned long long)(driver_now_ms(d) - d->writer_began_ms));
    d->bytes_since_snapshot = wal_bytes_after(d->wal, info->index);
    uint64_t bytes = d->options.trailing_bytes == 0 ? TRAILING_BYTES : d->options.trailing_bytes;
    uint64_t trailing = wal_trailing(d->wal, info->index, bytes);
    struct consensus_update u;
    int rv = consensus_snapshot_taken(d->consensus, driver_now_ms(d), info->index, trailing, &info->configuration,
                                      info->configuration_index, &u);
    ASSERT(rv == 0);
    wal_release(d->wal, info->index - trailing);
    driver_carry_out(d, &u);
}

void driver_snapshot_consider(struct driver *d)
{
    if (d->writer != NULL || d->closing || d->failed || d->incoming.state == INCOMING_INSTALL ||
        d->applied <= d->snapshot.index || d->bytes_since_snapshot < threshold(d) ||
        d->applied > wal_durable_index(d->wal)) /* R8 */
        return;
    struct snapfile_info info = {.index = d->applied, .term = d->applied_term};
    memcpy(info.cluster_id, d->options.cluster_id, sizeof info.cluster_id);
    info.configuration = *consensus_configuration(d->consensus, &info.configuration_index);
    if (info.configuration_index > d->applied) /* of a later entry: the next entry applied brings us here again */
        return;
    d->jobs++;
    d->writer_began_ms = driver_now_ms(d);
    d->writer = snapfile_write(d->env, d->machine, &info, taken, d);
}

/* Sending */

static struct snapshot_send *send_to(struct driver *d, uint64_t to)
{
    LIST_FOR_EACH(node, &d->sends) {
        struct snapshot_send *s = container_of(node, struct snapshot_send, link);
        if (s->to == to)
            return s;
    }
    return NULL;
}

static void send_free(struct snapshot_send *s)
{
    mem_free(s->piece);
    mem_free(s);
}

void driver_snapshot_send_end(struct driver *d, struct snapshot_send *s)
{
    uint64_t index = s->info.index, term = s->info.term;
    list_remove(&s->link);
    s->ended = true;
    if (!s->reading)
        send_free(s);
    if (index != d->snapshot.index && !d->closing)
        remove_snapshot(d, index, term);
}

/* False: no room for it now. Without bytes it is an offer. */
static bool send_piece(struct driver *d, struct snapshot_send *s, struct slice bytes)
{
    struct peer_message m = {.kind = PEER_PIECE};
    m.piece.term = consensus_term(d->consensus);
    m.piece.index = s->info.index;
    m.piece.index_term = s->info.term;
    m.piece.configuration_index = s->info.configuration_index;
    m.piece.file_id = s->info.file_id;
    m.piece.file_bytes = s->info.file_bytes;
    m.piece.offset = s->sent;
    m.piece.bytes = bytes;
    return driver_send(d, s->to, &m, true);
}

/* On the bulk thread: the file may have to come from the disk. */
static int read_piece(struct disk_job *job)
{
    struct snapshot_send *s = container_of(job, struct snapshot_send, job);
    size_t got = 0;
    int rv = disk_read(&s->driver->env->disk, s->name, job->offset, s->piece, (size_t)job->size, &got, &job->err);
    return rv != 0 || got == job->size ? rv : err_set(&job->err, ERR_CORRUPT, "it is too short");
}

static void send_more(struct driver *d, struct snapshot_send *s);

static void piece_read(struct disk_job *job, int status, const struct err *why)
{
    struct snapshot_send *s = container_of(job, struct snapshot_send, job);
    struct driver *d = s->driver;
    const bool ended = s->ended;
    d->jobs--;
    s->reading = false;
    if (ended)
        send_free(s);
    if (d->closing || d->failed) {
        driver_settle(d);
    } else if (ended) {
        return;
    } else if (status != 0) { /* the pulse tries again, until it gives up */
        log_warn(d->env->log, "cannot read a snapshot file", "file=%s why=\"%s\"", s->name, why->message);
    } else if (job->offset != s->sent) { /* the follower has begun anew meanwhile */
        send_more(d, s);
    } else if (send_piece(d, s, slice_of(s->piece, (size_t)job->size))) { /* else no room: the pulse or the next answer goes on */
        s->sent += job->size;
        send_more(d, s);
    }
}

static void send_more(struct driver *d, struct snapshot_send *s)
{
    if (s->reading || s->sent >= s->info.file_bytes || s->sent >= s->acked + DRIVER_SEND_WINDOW * d->options.piece_bytes)
        return;
    uint64_t bytes = MIN(s->info.file_bytes - s->sent, (uint64_t)d->options.piece_bytes);
    s->reading = true;
    s->job = (struct disk_job){.kind = DISK_WORK, .name = s->name, .bulk = true, .offset = s->sent, .size = bytes,
                               .prepare = read_piece, .done = piece_read};
    d->jobs++;
    disk_submit(&d->env->disk, &s->job);
}

void driver_snapshot_send(struct driver *d, const struct message *m)
{
    struct snapshot_send *s = send_to(d, m->to);
    ASSERT(d->snapshot.index > 0);
    if (s != NULL)
        return; /* the core repeats itself; the transfer goes on */
    s = NEW(struct snapshot_send);
    s->to = m->to;
    s->driver = d;
    s->piece = mem_alloc(d->options.piece_bytes);
    s->info = d->snapshot;
    snapfile_name(s->info.index, s->info.term, s->name);
    s->progress_ms = driver_now_ms(d);
    list_push_back(&d->sends, &s->link);
    (void)send_piece(d, s, (struct slice){0}); /* the offer: its answer says where to begin */
    driver_pulse_start(d);
}

void driver_snapshot_ack(struct driver *d, uint64_t from, const struct peer_message *m)
{
    struct snapshot_send *s = send_to(d, from);
    if (s == NULL || s->info.file_id != m->ack.file_id || m->ack.next > s->info.file_bytes)
        return;
    if (m->ack.refused || m->ack.next == s->info.file_bytes) {
        driver_snapshot_send_end(d, s);
        return;
    }
    if (m->ack.next > s->acked || s->sent == 0) {
        s->acked = m->ack.next;
        s->sent = MAX(s->sent, s->acked);
        s->progress_ms = driver_now_ms(d);
    } else if (m->ack.next < s->acked) { /* it began anew */
        s->acked = s->sent = m->ack.next;
    }
    send_more(d, s);
}

void driver_snapshot_pulse(struct driver *d, uint64_t now_ms)
{
    LIST_FOR_EACH(node, &d->sends) {
        struct snapshot_send *s = container_of(node, struct snapshot_send, link);
        uint64_t quiet_ms = now_ms - s->progress_ms;
        if (quiet_ms >= DRIVER_SEND_GIVE_UP_MS) {
            driver_snapshot_send_end(d, s);
        } else if (quiet_ms / DRIVER_SEND_REPEAT_MS != (quiet_ms - MIN(quiet_ms, (uint64_t)DRIVER_PULSE_MS)) / DRIVER_SEND_REPEAT_MS) {
            s->sent = s->acked;
            (void)send_piece(d, s, (struct slice){0});
        } else {
            send_more(d, s);
        }
    }
}

void driver_snapshot_follow(struct driver *d)
{
    while (!list_empty(&d->sends))
        driver_snapshot_send_end(d, LIST_FIRST(&d->sends, struct snapshot_send, link));
}

/* Receiving */

static void ack(struct driver *d, uint64_t to, uint64_t index, uint64_t file_id, uint64_t next, bool refused)
{
    struct peer_message m = {.kind = PEER_PIECE_ACK,
                             .ack = {.index = index, .file_id = file_id, .next = next, .refused = refused}};
    driver_send(d, to, &m, true);
}

struct piece_job {
    struct disk_job job;
    struct driver *driver;
    uint64_t epoch;
    char bytes[];
};

static void incoming_drop(struct driver *d)
{
    struct incoming *in = &d->incoming;
    snapfile_close(in->reader);
    in->reader = NULL;
    in->state = INCOMING_IDLE;
    in->file_id = 0;
    in->epoch++;
}

/* The next WORK_BYTES or so of what has come in, on the bulk thread; then `done`. */
static void work_submit(struct driver *d, int (*prepare)(struct disk_job *job),
                        void (*done)(struct disk_job *job, int status, const struct err *why))
{
    struct incoming *in = &d->incoming;
    in->work = (struct disk_job){.kind = DISK_WORK, .name = in->name, .bulk = true, .prepare = prepare, .done = done};
    in->work_over = false;
    d->jobs++;
    disk_submit(&d->env->disk, &in->work);
}

static int verify_work(struct disk_job *job);
static void verify_done(struct disk_job *job, int status, const struct err *why);

static void piece_written(struct disk_job *job, int status, const struct err *why)
{
    struct piece_job *p = container_of(job, struct piece_job, job);
    struct driver *d = p->driver;
    struct incoming *in = &d->incoming;
    bool current = p->epoch == in->epoch && in->state == INCOMING_STAGING;
    uint64_t end = job->kind == DISK_WRITE ? job->offset + job->bytes.size : 0;
    d->jobs--;
    in->jobs--;
    mem_free(p);
    if (d->closing || d->failed) {
        driver_settle(d);
        return;
    }
    if (!current)
        return;
    if (status != 0) { /* a full disk, perhaps: the leader offers it again */
        log_warn(d->env->log, "cannot store an incoming snapshot", "index=%llu why=\"%s\"", (unsigned long long)in->index,
                 why->message);
        incoming_drop(d);
        return;
    }
    in->written = end;
    ack(d, in->from, in->index, in->file_id, in->written == in->file_bytes ? in->written - 1 : in->written, false);
    if (in->written == in->file_bytes) {
        in->state = INCOMING_VERIFY;
        work_submit(d, verify_work, verify_done);
    }
}

static void piece_submit(struct driver *d, enum disk_job_kind kind, uint64_t offset, struct slice bytes, bool sync)
{
    struct piece_job *p = mem_zalloc(sizeof *p + bytes.size);
    if (bytes.size > 0)
        memcpy(p->bytes, bytes.data, bytes.size);
    p->driver = d;
    p->epoch = d->incoming.epoch;
    p->job = (struct disk_job){.kind = kind, .name = SNAPFILE_INCOMING, .offset = offset, .sync = sync, .bulk = true,
                               .bytes = slice_of(p->bytes, bytes.size), .done = piece_written};
    d->jobs++;
    d->incoming.jobs++;
    disk_submit(&d->env->disk, &p->job);
}

static void incoming_begin(struct driver *d, uint64_t from, const struct peer_message *m)
{
    struct incoming *in = &d->incoming;
    incoming_drop(d);
    in->state = INCOMING_STAGING;
    in->from = from;
    in->index = m->piece.index;
    in->index_term = m->piece.index_term;
    in->configuration_index = m->piece.configuration_index;
    in->file_id = m->piece.file_id;
    in->file_bytes = m->piece.file_bytes;
    in->next = in->written = 0;
    piece_submit(d, DISK_CREATE, 0, (struct slice){0}, false);
}

void driver_snapshot_piece(struct driver *d, uint64_t from, const struct peer_message *m)
{
    struct incoming *in = &d->incoming;
    if (m->piece.term < consensus_term(d->consensus) || m->piece.index == 0 || m->piece.index_term == 0 ||
        m->piece.file_bytes == 0 || m->piece.bytes.size > m->piece.file_bytes ||
        m->piece.offset > m->piece.file_bytes - m->piece.bytes.size)
        return;
    if (m->piece.index <= d->applied) {
        ack(d, from, m->piece.index, m->piece.file_id, 0, true);
        return;
    }
    if (in->state == INCOMING_VERIFY || in->state == INCOMING_INSTALL)
        return;
    if (in->state == INCOMING_IDLE || in->file_id != m->piece.file_id || in->file_bytes != m->piece.file_bytes) {
        if (in->jobs == 0) /* else the jobs of the transfer before it are still under way: it will be offered again */
            incoming_begin(d, from, m);
        return;
    }
    in->from = from;
    in->term = m->piece.term;
    if (m->piece.offset == in->next && m->piece.bytes.size > 0 && in->jobs < DRIVER_INCOMING_JOBS_MAX) {
        in->next += m->piece.bytes.size;
        bool sync = in->next == in->file_bytes || in->next / SNAPFILE_SYNC_BYTES != m->piece.offset / SNAPFILE_SYNC_BYTES;
        piece_submit(d, DISK_WRITE, m->piece.offset, m->piece.bytes, sync);
    } else if (in->jobs == 0) {
        ack(d, from, in->index, in->file_id, in->next, false);
    }
}

/* Taking over */

static void verified(struct driver *d)
{
    struct incoming *in = &d->incoming;
    const struct snapfile_info *info = snapfile_info(in->reader);
    struct message m = {.kind = MESSAGE_INSTALL_SNAPSHOT, .from = in->from, .to = d->options.member_id};
    struct consensus_update u;
    bool as_offered = info->index == in->index && info->term == in->index_term && info->file_id == in->file_id;
    snapfile_close(in->reader);
    in->reader = NULL;
    if (!as_offered || in->index <= d->applied) {
        incoming_drop(d);
        return;
    }
    m.install_snapshot.term = in->term;
    m.install_snapshot.last_index = in->index;
    m.install_snapshot.last_term = in->index_term;
    m.install_snapshot.configuration_index = in->configuration_index;
    ack(d, in->from, in->index, in->file_id, in->file_bytes, false);
    (void)consensus_receive(d->consensus, driver_now_ms(d), &m, &u); /* a refusal shows in u.install */
    if (!u.install)
        incoming_drop(d);
    driver_carry_out(d, &u);
}

static int open_incoming(struct driver *d, const char *name, struct err *reterr)
{
    struct incoming *in = &d->incoming;
    return in->reader != NULL ? 0 : snapfile_open(d->env, name, d->options.cluster_id, &in->reader, reterr);
}

static int verify_work(struct disk_job *job)
{
    struct driver *d = container_of(job, struct driver, incoming.work);
    struct slice piece;
    int rv = open_incoming(d, SNAPFILE_INCOMING, &job->err);
    for (size_t bytes = 0; rv == 0 && bytes < WORK_BYTES && !d->incoming.work_over; bytes += piece.size) {
        piece = (struct slice){0};
        rv = snapfile_next(d->incoming.reader, &piece, &job->err);
        d->incoming.work_over = rv == 0;
        rv = MIN(rv, 0);
    }
    return rv;
}

static void verify_done(struct disk_job *job, int status, const struct err *why)
{
    struct driver *d = container_of(job, struct driver, incoming.work);
    struct incoming *in = &d->incoming;
    d->jobs--;
    if (d->closing || d->failed) {
        driver_settle(d);
    } else if (status != 0) {
        log_warn(d->env->log, "a received snapshot is damaged", "from=%016llx why=\"%s\"", (unsigned long long)in->from, why->message);
        incoming_drop(d);
    } else if (in->work_over) {
        verified(d);
    } else {
        work_submit(d, verify_work, verify_done);
    }
}

static void install_failed(struct driver *d, struct err *e)
{
    err_wrap(e, e->code, "cannot take over the snapshot at %llu", (unsigned long long)d->incoming.index);
    driver_fail(d, e);
}

static void installed(struct driver *d)
{
    struct incoming *in = &d->incoming;
    struct consensus_update u;
    take_over(d, snapfile_info(in->reader));
    d->applied = in->index;
    d->applied_term = in->index_term;
    d->bytes_since_snapshot = 0;
    incoming_drop(d);
    int rv = consensus_installed(d->consensus, driver_now_ms(d), d->applied, d->applied_term, &d->snapshot.configuration,
                                 d->snapshot.configuration_index, &u);
    ASSERT(rv == 0);
    driver_carry_out(d, &u);
    read_index_applied(d);
}

/* What the snapshot has replaced is freed where it holds up nobody. */
struct free_job {
    struct disk_job job;
    struct driver *driver;
    void *replaced;
};

static int free_work(struct disk_job *job)
{
    struct free_job *f = container_of(job, struct free_job, job);
    f->driver->machine.ops->free_replaced(f->replaced);
    f->replaced = NULL;
    return 0;
}

static void freed(struct disk_job *job, int status, const struct err *why)
{
    struct free_job *f = container_of(job, struct free_job, job);
    struct driver *d = f->driver;
    (void)status, (void)why; /* it can only have been canceled */
    if (f->replaced != NULL)
        d->machine.ops->free_replaced(f->replaced);
    mem_free(f);
    d->jobs--;
    driver_settle(d);
}

static void free_replaced(struct driver *d)
{
    void *replaced = d->machine.ops->replaced == NULL ? NULL : d->machine.ops->replaced(d->machine.impl);
    if (replaced == NULL)
        return;
    struct free_job *f = NEW(struct free_job);
    f->driver = d;
    f->replaced = replaced;
    f->job = (struct disk_job){.kind = DISK_WORK, .name = "", .bulk = true, .prepare = free_work, .done = freed};
    d->jobs++;
    disk_submit(&d->env->disk, &f->job);
}

static int restore_work(struct disk_job *job)
{
    struct driver *d = container_of(job, struct driver, incoming.work);
    struct incoming *in = &d->incoming;
    const struct machine_ops *ops = d->machine.ops;
    struct slice piece;
    int rv = open_incoming(d, in->name, &job->err);
    for (size_t bytes = 0; rv == 0 && bytes < WORK_BYTES && !in->work_over; bytes += piece.size) {
        piece = (struct slice){0};
        rv = snapfile_next(in->reader, &piece, &job->err);
        in->work_over = rv == 0;
        if (rv == 1)
            rv = ops->restore_piece(in->restore, piece, &job->err);
        else if (rv == 0 && ops->restore_seal != NULL)
            rv = ops->restore_seal(in->restore, &job->err);
    }
    return rv;
}

static int restore_end(struct driver *d, struct err *reterr)
{
    void *restore = d->incoming.restore;
    d->incoming.restore = NULL;
    int rv = d->machine.ops->restore_end(d->machine.impl, restore, true, reterr);
    return rv != 0 ? rv : snapfile_check_state(d->incoming.reader, d->machine, reterr);
}

static void restore_done(struct disk_job *job, int status, const struct err *why)
{
    struct driver *d = container_of(job, struct driver, incoming.work);
    struct err e = {0};
    d->jobs--;
    if (d->closing || d->failed) {
        driver_settle(d);
        return;
    }
    if (status == 0 && !d->incoming.work_over) {
        work_submit(d, restore_work, restore_done);
        return;
    }
    if (status != 0)
        e = *why;
    else
        status = restore_end(d, &e);
    if (status != 0) {
        install_failed(d, &e);
        return;
    }
    free_replaced(d);
    installed(d);
}

static void log_reset(struct wal_append *a)
{
    struct driver *d = container_of(a, struct driver, incoming.reset);
    if (d->closing || d->failed)
        return;
    d->incoming.restore = d->machine.ops->restore_begin(d->machine.impl);
    work_submit(d, restore_work, restore_done);
}

static void incoming_renamed(struct disk_job *job, int status, const struct err *why)
{
    struct file_job *f = container_of(job, struct file_job, job);
    struct driver *d = f->driver;
    struct incoming *in = &d->incoming;
    d->jobs--;
    mem_free(f);
    if (d->closing || d->failed) {
        driver_settle(d);
        return;
    }
    if (status != 0) {
        struct err e = *why;
        install_failed(d, &e);
        return;
    }
    in->reset = (struct wal_append){.done = log_reset};
    list_init(&in->reset.link);
    wal_reset(d->wal, in->index, in->index_term, &in->reset);
}

void driver_snapshot_install(struct driver *d, const struct consensus_update *u)
{
    struct incoming *in = &d->incoming;
    ASSERT(in->state == INCOMING_VERIFY && in->index == u->install_index && in->index_term == u->install_term);
    in->state = INCOMING_INSTALL;
    if (d->writer != NULL)
        snapfile_cancel(d->writer);
    snapfile_name(in->index, in->index_term, in->name);
    struct file_job *f = NEW(struct file_job);
    f->driver = d;
    f->job = (struct disk_job){.kind = DISK_RENAME, .name = SNAPFILE_INCOMING, .to = in->name, .bulk = true,
                              .done = incoming_renamed};
    d->jobs++;
    disk_submit(&d->env->disk, &f->job);
}

void driver_snapshot_close(struct driver *d)
{
    if (d->writer != NULL)
        snapfile_cancel(d->writer);
}

void driver_snapshot_release(struct driver *d)
{
    while (!list_empty(&d->sends)) {
        struct snapshot_send *s = LIST_FIRST(&d->sends, struct snapshot_send, link);
        list_remove(&s->link);
        send_free(s);
    }
    if (d->incoming.restore != NULL) /* closed in the middle: the machine keeps what it had */
        (void)d->machine.ops->restore_end(d->machine.impl, d->incoming.restore, false, NULL);
    snapfile_close(d->incoming.reader);
}
