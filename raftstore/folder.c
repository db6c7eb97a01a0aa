/* What stands in the data folder of a member that does not run: see raftstore.h. */
#include "common/base.h"

#include "raftstore/raftstore.h"

#include "common/mem.h"
#include "raftstore/apply.h"
#include "raftstore/backup.h"
#include "raftstore/identity.h"
#include "raftstore/snapfile.h"
#include "raftstore/wal.h"
#include "raftstore/wal_segment.h"

#define ENTRIES_PER_READ 64
#define BYTES_PER_READ (16u * 1024 * 1024)

struct listing {
    uint64_t index, term; /* of the newest snapshot; 0: none */
    uint64_t segment;     /* the first one; UINT64_MAX: none */
};

static void see_file(void *arg, const char *name)
{
    struct listing *l = arg;
    uint64_t index, term, number;
    if (snapfile_parse_name(name, &index, &term) && index > l->index) {
        l->index = index;
        l->term = term;
    }
    if (wal_segment_number(name, &number))
        l->segment = MIN(l->segment, number);
}

/* The owner stands in the header of each segment. */
static int read_owner(struct env *env, uint64_t segment, struct raftstore_folder *f, struct err *reterr)
{
    char name[WAL_NAME_MAX], block[WAL_BLOCK_BYTES] = {0};
    struct wal_header h;
    struct err why;
    size_t got;
    wal_segment_name(segment, name);
    int rv = disk_read(&env->disk, name, 0, block, sizeof block, &got, reterr);
    if (rv != 0)
        return rv;
    rv = wal_header_decode(block, &h, &why);
    if (rv <= 0)
        return err_set(reterr, rv < 0 ? rv : ERR_CORRUPT, "%s: %s", name, rv < 0 ? why.message : "it was never begun");
    memcpy(f->cluster_id, h.cluster_id, STORE_ID_BYTES);
    f->member_id = h.member_id;
    return 0;
}

static int restore_snapshot(struct env *env, const struct listing *l, struct raftstore_folder *f, struct err *reterr)
{
    char name[SNAPFILE_NAME_MAX];
    struct snapfile_reader *r;
    snapfile_name(l->index, l->term, name);
    int rv = snapfile_open(env, name, f->cluster_id, &r, reterr);
    if (rv != 0)
        return rv;
    rv = snapfile_restore(r, apply_machine(f->state.apply), reterr);
    if (rv == 0) {
        f->state.index = snapfile_info(r)->index;
        f->state.term = snapfile_info(r)->term;
        f->members = snapfile_info(r)->configuration;
    }
    snapfile_close(r);
    return rv;
}

static int take_entry(struct raftstore_folder *f, const struct entry *e, struct err *reterr)
{
    struct machine m = apply_machine(f->state.apply);
    f->state.index++;
    f->state.term = e->term;
    if (e->kind == ENTRY_COMMAND)
        m.ops->apply(m.impl, f->state.index, e->term, bytes_slice(e->data));
    return e->kind == ENTRY_CHANGE ? configuration_decode(bytes_slice(e->data), &f->members, reterr) : 0;
}

static int take_log(struct wal *w, struct raftstore_folder *f, struct err *reterr)
{
    struct entry entries[ENTRIES_PER_READ];
    int rv = 0;
    while (rv == 0 && f->state.index < wal_last_index(w)) {
        size_t n = 0;
        rv = wal_entries(w, f->state.index + 1, ENTRIES_PER_READ, BYTES_PER_READ, entries, &n, reterr);
        for (size_t i = 0; i < n; i++) {
            if (rv == 0)
                rv = take_entry(f, &entries[i], reterr);
            bytes_unref(entries[i].data);
        }
    }
    return rv;
}

static void log_failed(void *arg, const struct err *why)
{
    (void)arg; /* nothing is appended to it */
    (void)why;
}

static int read_log(struct env *env, struct raftstore_folder *f, struct wal **ret, struct err *reterr)
{
    struct wal_options o = {.member_id = f->member_id, .failed = log_failed};
    struct wal_state state;
    memcpy(o.cluster_id, f->cluster_id, STORE_ID_BYTES);
    int rv = wal_open(env, &o, f->state.index, f->state.term, ret, &state, reterr);
    if (rv != 0)
        return rv;
    wal_state_release(&state);
    return take_log(*ret, f, reterr);
}

static int read_all(struct env *env, struct raftstore_folder *f, struct wal **ret_log, struct err *reterr)
{
    struct identity identity = {0};
    struct listing l = {.segment = UINT64_MAX};
    int rv = identity_load(&env->disk, &identity, reterr);
    if (rv >= 0)
        rv = disk_list(&env->disk, see_file, &l, reterr);
    if (rv != 0)
        return rv;
    if (identity.setting_aside)
        return err_set(reterr, ERR_CORRUPT, "this member's log was damaged, and it had begun to join anew: use the folder of another one");
    if (l.segment == UINT64_MAX)
        return err_set(reterr, ERR_NOT_FOUND, "there is no log in it: it is not the folder of a member that has run");
    identity_members_load(&env->disk, &f->members);
    rv = read_owner(env, l.segment, f, reterr);
    if (rv == 0 && l.index > 0)
        rv = restore_snapshot(env, &l, f, reterr);
    return rv != 0 ? rv : read_log(env, f, ret_log, reterr);
}

/* Nobody waits for what entries do. */
static void no_events(void *arg, int64_t revision, const struct kv_event *events, size_t n)
{
    (void)arg, (void)revision, (void)events, (void)n;
}

static void no_result(void *arg, const struct store_command *c, struct slice result) { (void)arg, (void)c, (void)result; }
static void no_entry(void *arg, uint64_t index) { (void)arg, (void)index; }
static void not_restored(void *arg) { (void)arg; }

int raftstore_folder_read(struct env *env, struct raftstore_folder *ret, void (*closed)(void *arg), void *arg, struct err *reterr)
{
    static const struct apply_options nobody = {.on_events = no_events, .on_result = no_result, .on_entry = no_entry, .on_restored = not_restored};
    struct raftstore_folder f = {.state = {.apply = apply_new(&nobody)}};
    struct wal *log = NULL;
    int rv = read_all(env, &f, &log, reterr);
    if (rv == 0 && configuration_member(&f.members, f.member_id) == NULL)
        rv = err_set(reterr, ERR_IDENTITY, "member %016llx, whose folder it is, was removed from the cluster, or had not joined yet",
                     (unsigned long long)f.member_id);
    f.last_index = f.state.index;
    f.state.index = apply_index(f.state.apply);
    if (rv == 0 && f.state.index == 0)
        rv = err_set(reterr, ERR_NOT_FOUND, "nothing was ever written to it: begin a new cluster instead");
    if (rv == 0) {
        memcpy(f.state.cluster_id, f.cluster_id, STORE_ID_BYTES);
        backup_describe(&f.state);
        *ret = f;
    } else {
        raftstore_backup_release(&f.state);
    }
    if (log != NULL)
        wal_close(log, closed, arg);
    else
        closed(arg);
    return rv;
}
