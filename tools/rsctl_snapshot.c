/* rsctl snapshot: save from a running member, status and verify of a file, restore into the folder of a new cluster's member.
 * A file has its name only when it is whole, checked and synced; until then it is FILE.part, removed when saving fails. */
#include "common/base.h"

#include "tools/rsctl.h"

#include "common/mem.h"
#include "common/uv_env.h"
#include "raftstore/raftstore.h"

#include <stdio.h>
#include <unistd.h>

#define SYNC_BYTES (8u * 1024 * 1024)
#define NAME_BYTES_MAX 200 /* of the file, without its folder */

/* Where a file of the user is. */
struct place {
    char *folder;
    const char *name;
};

/* Opens the file's folder as the disk of r->env. */
static int place_open(struct rsctl *r, const char *path, struct place *ret)
{
    struct err err;
    const char *slash = strrchr(path, '/');
    const char *name = slash == NULL ? path : slash + 1;
    if (name[0] == '\0' || strlen(name) > NAME_BYTES_MAX)
        return rsctl_usage("\"%s\" names no file: a name of 1 to %d bytes is wanted", path, NAME_BYTES_MAX);
    ret->name = name;
    ret->folder = slash == NULL ? mem_strdup(".") : mem_strdup(slash == path ? "/" : path);
    if (slash != NULL && slash != path)
        ret->folder[slash - path] = '\0';
    return uv_env_add_files(r->uv, ret->folder, &err) == 0 ? RSCTL_OK : rsctl_complain(err.code, err.message);
}

/* --- save --- */

struct save {
    struct rsctl *r;
    struct place place;
    char *part;
    struct rsctl_call call;
    struct disk_job job;
    bool job_done, interrupted, last;
    struct buf bytes;
    uint64_t offset, unsynced;
    int status;
    struct err why;
};

static void job_done(struct disk_job *job, int status, const struct err *why)
{
    struct save *s = container_of(job, struct save, job);
    s->job_done = true;
    s->status = status;
    if (status != 0)
        s->why = *why;
    uv_env_stop(s->r->uv);
}

static void on_signal(void *arg)
{
    struct save *s = arg;
    s->interrupted = true;
    if (s->call.call.impl != NULL)
        store_cancel(s->r->client, &s->call.call);
}

static int run_job(struct save *s, struct disk_job job)
{
    s->job = job;
    s->job.bulk = true;
    s->job.done = job_done;
    s->job_done = false;
    disk_submit(&s->r->env->disk, &s->job);
    while (!s->job_done)
        uv_env_run(s->r->uv, on_signal, s);
    return s->status == 0 ? RSCTL_OK : rsctl_complain(s->status, s->why.message);
}

static void take_part(struct rsctl *r, struct store_call *call)
{
    struct save *s = container_of(container_of(call, struct rsctl_call, call), struct save, call);
    (void)r;
    buf_reset(&s->bytes);
    buf_append_slice(&s->bytes, call->snapshot.bytes);
    s->last = call->snapshot.last;
}

static int fetch(struct save *s, uint64_t number)
{
    rsctl_call_init(&s->call, s->r, take_part);
    store_snapshot(rsctl_client(s->r), &s->call.call, number, s->r->flags.timeout_ms);
    while (!s->call.done)
        uv_env_run(s->r->uv, on_signal, s);
    if (s->interrupted)
        return rsctl_complain(ERR_CANCELED, "interrupted: nothing was saved");
    return rsctl_finish(&s->call);
}

static int write_part(struct save *s)
{
    s->unsynced += s->bytes.size;
    bool sync = s->last || s->unsynced >= SYNC_BYTES;
    int code = run_job(s, (struct disk_job){.kind = DISK_WRITE, .name = s->part, .offset = s->offset, .bytes = buf_slice(&s->bytes),
                                            .sync = sync});
    s->offset += s->bytes.size;
    s->unsynced = sync ? 0 : s->unsynced;
    return code;
}

static int receive(struct save *s)
{
    bool terminal = isatty(STDERR_FILENO) == 1;
    int code = RSCTL_OK;
    for (uint64_t number = 0; code == RSCTL_OK && !s->last; number++) {
        code = fetch(s, number);
        if (code == RSCTL_OK)
            code = write_part(s);
        if (code == RSCTL_OK && terminal)
            fprintf(stderr, "\r%llu kB", (unsigned long long)(s->offset / 1000));
    }
    if (terminal)
        fprintf(stderr, "\n");
    return code;
}

static int check_part(struct save *s)
{
    struct err err;
    int status = raftstore_backup_check(s->r->env, s->part, &err);
    return status == 0 ? RSCTL_OK : rsctl_complain(status, err.message);
}

static int save_into(struct save *s)
{
    int code = run_job(s, (struct disk_job){.kind = DISK_CREATE, .name = s->part});
    if (code != RSCTL_OK)
        return code;
    code = receive(s);
    if (code == RSCTL_OK)
        code = check_part(s);
    if (code == RSCTL_OK)
        return run_job(s, (struct disk_job){.kind = DISK_RENAME, .name = s->part, .to = s->place.name});
    (void)run_job(s, (struct disk_job){.kind = DISK_REMOVE, .name = s->part}); /* it complains itself */
    return code;
}

static int run_save(struct rsctl *r)
{
    struct save s = {.r = r};
    struct buf part = {0};
    int code = place_open(r, r->arguments[1], &s.place);
    if (code == RSCTL_OK) {
        buf_printf(&part, "%s.part", s.place.name);
        s.part = part.data;
        code = save_into(&s);
    }
    if (code == RSCTL_OK && r->format == RSCTL_JSON)
        buf_printf(&r->out, "{\"size\":%llu}\n", (unsigned long long)s.offset);
    else if (code == RSCTL_OK)
        buf_printf(&r->out, "Snapshot saved at %s\n", r->arguments[1]);
    buf_release(&part);
    buf_release(&s.bytes);
    mem_free(s.place.folder);
    return code;
}

/* --- status, verify --- */

static void print_status(struct rsctl *r, const struct raftstore_backup *b)
{
    static const char *const names[] = {"HASH", "REVISION", "TOTAL KEYS", "TOTAL SIZE"};
    struct arena a = {0};
    const char *cells[] = {arena_printf(&a, "%016llx", (unsigned long long)b->hash), arena_printf(&a, "%lld", (long long)b->revision),
                           arena_printf(&a, "%lld", (long long)b->keys), arena_printf(&a, "%llu B", (unsigned long long)b->file_bytes)};
    struct print_table t = {.columns = ARRAY_LEN(names), .names = names};
    switch (r->format) {
    case RSCTL_LINES: /* watch's own */
    case RSCTL_SIMPLE: buf_printf(&r->out, "%s, %s, %s, %s\n", cells[0], cells[1], cells[2], cells[3]); break;
    case RSCTL_JSON:
        buf_printf(&r->out, "{\"hash\":\"%s\",\"revision\":%lld,\"totalKey\":%lld,\"totalSize\":%llu,\"compactRevision\":%lld}\n",
                   cells[0], (long long)b->revision, (long long)b->keys, (unsigned long long)b->file_bytes, (long long)b->compact_revision);
        break;
    case RSCTL_FIELDS:
        buf_printf(&r->out, "\"Hash\" : \"%s\"\n\"Revision\" : %lld\n\"Keys\" : %lld\n\"Size\" : %llu\n\"CompactRevision\" : %lld\n",
                   cells[0], (long long)b->revision, (long long)b->keys, (unsigned long long)b->file_bytes, (long long)b->compact_revision);
        break;
    case RSCTL_TABLE:
        print_table_add(&t, cells);
        print_table_out(&r->out, &t);
        print_table_release(&t);
        break;
    }
    arena_clear(&a);
}

/* Reads the file of the arguments whole; `place` says where, also on an error. */
static int load(struct rsctl *r, struct place *place, struct raftstore_backup *ret)
{
    struct err err;
    int code = place_open(r, r->arguments[1], place);
    if (code == RSCTL_OK && raftstore_backup_open(r->env, place->name, ret, &err) != 0)
        code = rsctl_complain(err.code, err.message);
    return code;
}

static int run_status(struct rsctl *r)
{
    struct place place = {0};
    struct raftstore_backup b;
    int code = load(r, &place, &b);
    if (code == RSCTL_OK) {
        print_status(r, &b);
        raftstore_backup_release(&b);
    }
    mem_free(place.folder);
    return code;
}

static int run_verify(struct rsctl *r)
{
    struct place place = {0};
    struct raftstore_backup b;
    int code = load(r, &place, &b);
    if (code == RSCTL_OK) {
        if (r->format == RSCTL_SIMPLE)
            buf_printf(&r->out, "%s is whole\n", r->arguments[1]);
        else
            print_status(r, &b);
        raftstore_backup_release(&b);
    }
    mem_free(place.folder);
    return code;
}

/* --- restore --- */

struct restore {
    struct uv_env *uv; /* of the new folder */
    bool done;
    int status;
    struct err why;
};

static void restored(void *arg, int status, const struct err *why)
{
    struct restore *t = arg;
    t->done = true;
    t->status = status;
    if (status != 0)
        t->why = *why;
    uv_env_stop(t->uv);
}

static int parse_restore(const struct rsctl_flags *f, struct raftstore_options *o)
{
    struct err err;
    if (f->data_dir == NULL || f->member_id == NULL || f->cluster_id == NULL || f->members == NULL || f->clients == NULL)
        return rsctl_usage("snapshot restore wants --data-dir, --member-id, --cluster-id, --members and --clients");
    if (access(f->data_dir, F_OK) == 0)
        return rsctl_complain(ERR_EXISTS, "the folder of --data-dir is there already: restore into a new one");
    int status = raftstore_parse_ids(o, f->member_id, f->cluster_id, &err);
    if (status == 0)
        status = raftstore_parse_members(o, f->members, f->clients, NULL, &err);
    return status == 0 ? RSCTL_OK : rsctl_usage("%s", err.message);
}

static int write_folder(struct rsctl *r, struct raftstore_backup *b, const struct raftstore_options *o)
{
    struct restore t = {.uv = uv_env_new("rsctl", LOG_ERROR)};
    int status = uv_env_add_disk(t.uv, r->flags.data_dir, &t.why);
    if (status == 0)
        status = raftstore_backup_restore(b, uv_env_env(t.uv), o, r->flags.bump_revision, r->flags.mark_compacted, restored, &t, &t.why);
    while (status == 0 && !t.done)
        uv_env_run(t.uv, NULL, NULL);
    uv_env_free(t.uv);
    if (status == 0)
        status = t.status;
    return status == 0 ? RSCTL_OK : rsctl_complain(status, t.why.message);
}

static int run_restore(struct rsctl *r)
{
    struct place place = {0};
    struct raftstore_backup b = {0};
    struct raftstore_options o = {0};
    int code = parse_restore(&r->flags, &o);
    if (code != RSCTL_OK)
        return code;
    if (memcmp(o.cluster_id, (const uint8_t[STORE_ID_BYTES]){0}, STORE_ID_BYTES) == 0)
        return rsctl_usage("--cluster-id must not be all zero");
    code = load(r, &place, &b);
    if (code == RSCTL_OK && memcmp(b.cluster_id, o.cluster_id, STORE_ID_BYTES) == 0)
        code = rsctl_usage("--cluster-id is that of the cluster that was saved: the new one needs its own, or old members could join it");
    else if (code == RSCTL_OK)
        code = write_folder(r, &b, &o);
    if (code == RSCTL_OK)
        buf_printf(&r->out, "Restored %lld keys to %s; the revision goes on from %lld\n", (long long)b.keys, r->flags.data_dir,
                   (long long)(b.revision + r->flags.bump_revision));
    raftstore_backup_release(&b);
    mem_free(place.folder);
    return code;
}

int rsctl_snapshot(struct rsctl *r)
{
    static const struct {
        const char *name;
        int (*run)(struct rsctl *r);
    } verbs[] = {{"save", run_save}, {"status", run_status}, {"verify", run_verify}, {"restore", run_restore}};
    for (size_t i = 0; i < ARRAY_LEN(verbs); i++)
        if (r->argument_count == 2 && strcmp(r->arguments[0], verbs[i].name) == 0)
            return verbs[i].run(r);
    return rsctl_usage("snapshot wants save FILE, status FILE, verify FILE or restore FILE");
}
