/* Snapshots as files of a user: see raftstore.h. A restored folder holds a snapshot and no log; the first start of the member
 * makes the log behind it. */
#include "common/base.h"

#include "raftstore/raftstore.h"

#include "common/mem.h"
#include "raftstore/apply.h"
#include "raftstore/backup.h"
#include "raftstore/snapfile.h"

static int64_t count_keys(struct apply *a)
{
    const struct kv_range all = {.span = {SLICE("\0"), SLICE("\0")}, .count_only = true};
    struct kv_range_result result;
    struct arena arena = {0};
    int64_t keys = mvcc_range(apply_mvcc(a), &all, &arena, &result, NULL) == 0 ? result.count : 0; /* the newest is always there */
    arena_clear(&arena);
    return keys;
}

void backup_describe(struct raftstore_backup *b)
{
    const struct mvcc *m = apply_mvcc(b->apply);
    b->revision = mvcc_revision(m);
    b->compact_revision = mvcc_compact_revision(m);
    b->keys = count_keys(b->apply);
}

static void describe_file(struct raftstore_backup *b, const struct snapfile_info *info)
{
    memcpy(b->cluster_id, info->cluster_id, STORE_ID_BYTES);
    b->index = info->index;
    b->term = info->term;
    b->hash = info->hash;
    b->file_bytes = info->file_bytes;
    backup_describe(b);
}

int raftstore_backup_open(struct env *env, const char *name, struct raftstore_backup *ret, struct err *reterr)
{
    struct snapfile_reader *r;
    int rv = snapfile_open(env, name, NULL, &r, reterr);
    if (rv != 0)
        return rv;
    struct raftstore_backup b = {.apply = apply_new(&(struct apply_options){0})};
    rv = snapfile_restore(r, apply_machine(b.apply), reterr);
    if (rv == 0 && apply_index(b.apply) != snapfile_info(r)->index)
        rv = err_set(reterr, ERR_CORRUPT, "snapshot %s: its header and its state name different entries", name);
    if (rv == 0) {
        describe_file(&b, snapfile_info(r));
        *ret = b;
    } else {
        raftstore_backup_release(&b);
    }
    snapfile_close(r);
    return rv;
}

void raftstore_backup_release(struct raftstore_backup *b)
{
    apply_free(b->apply);
    b->apply = NULL;
}

int raftstore_backup_check(struct env *env, const char *name, struct err *reterr)
{
    struct snapfile_reader *r;
    struct slice piece;
    int rv = snapfile_open(env, name, NULL, &r, reterr);
    if (rv != 0)
        return rv;
    while ((rv = snapfile_next(r, &piece, reterr)) == 1)
        ;
    snapfile_close(r);
    return rv;
}

struct restoring {
    void (*done)(void *arg, int status, const struct err *why);
    void *arg;
};

static void written(void *arg, int status, const struct snapfile_info *info, const struct err *why)
{
    struct restoring *w = arg;
    (void)info;
    w->done(w->arg, status, why);
    mem_free(w);
}

static void see_file(void *arg, const char *name)
{
    (void)name;
    *(bool *)arg = true;
}

int raftstore_backup_restore(struct raftstore_backup *b, struct env *env, const struct raftstore_options *o, int64_t bump,
                             bool compact, void (*done)(void *arg, int status, const struct err *why), void *arg,
                             struct err *reterr)
{
    bool taken = false;
    int rv = disk_list(&env->disk, see_file, &taken, reterr);
    if (rv != 0)
        return rv;
    if (taken)
        return err_set(reterr, ERR_CONFLICT, "the data folder is not empty: restore into a new one");
    if (bump < 0 || bump > INT64_MAX / 2 - b->revision)
        return err_set(reterr, ERR_INVALID, "revisions cannot be bumped by %lld", (long long)bump);
    mvcc_bump(apply_mvcc(b->apply), bump, compact);
    struct snapfile_info info = {.index = b->index, .term = b->term, .configuration_index = b->index, .configuration = o->members};
    memcpy(info.cluster_id, o->cluster_id, STORE_ID_BYTES);
    struct restoring *w = NEW(struct restoring);
    w->done = done;
    w->arg = arg;
    (void)snapfile_write(env, apply_machine(b->apply), &info, written, w); /* only to cancel it by */
    return 0;
}
