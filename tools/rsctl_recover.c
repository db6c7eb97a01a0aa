/* rsctl recover: from the folder of one member that is left, when the majority of a cluster is lost for good, a new cluster of that
 * member alone, with everything the folder holds.
 *
 *   checked ──▶ read ──▶ DIR.recovering written ──▶ DIR renamed to DIR.before-recovery ──▶ DIR.recovering renamed to DIR
 *
 * Nothing of the old folder is changed. An interrupted recovery is run again: before the first rename it begins anew, between
 * the two it only does the second. The new cluster has an id of its own, so that members of the old one that come back after all are
 * refused, not followed. */
#include "common/base.h"

#include "tools/rsctl.h"

#include "common/json.h"
#include "common/mem.h"
#include "common/uv_env.h"
#include "raftstore/raftstore.h"
#include "raftstore/snapfile.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#define LOOK_MS 2000 /* for a member's address to answer */

struct recovery {
    struct rsctl *r;
    struct raftstore_folder folder;
    struct raftstore_options options; /* of the new cluster */
    char *from, *to, *kept;           /* the folder, the new one beside it, what the old one is called afterwards */
    bool closed, written;
    int status;
    struct err why;
    struct uv_env *uv;
};

/* --- is it needed --- */

struct look {
    struct net_conn conn;
    struct rsctl *r;
    bool answers, over;
};

static void looked_open(struct net_conn *conn)
{
    struct look *l = container_of(conn, struct look, conn);
    l->answers = true;
    net_close(&l->r->env->net, conn, false);
}

static void looked_close(struct net_conn *conn, const struct err *why)
{
    struct look *l = container_of(conn, struct look, conn);
    (void)why; /* nobody answers: that is the answer */
    l->over = true;
    uv_env_stop(l->r->uv);
}

static void looked_read(struct net_conn *conn, struct slice bytes)
{
    (void)conn;
    (void)bytes;
}

/* Does anything listen there? */
static bool answers(struct rsctl *r, const char *address)
{
    static const struct net_conn_callbacks callbacks = {.on_open = looked_open, .on_read = looked_read, .on_close = looked_close};
    struct look l = {.conn = {.callbacks = &callbacks}, .r = r};
    if (address[0] == '\0')
        return false;
    net_connect(&r->env->net, &l.conn, &(struct net_connect_options){.address = address, .timeout_ms = LOOK_MS});
    while (!l.over)
        uv_env_run(r->uv, NULL, NULL);
    return l.answers;
}

/* As long as others run they may have a majority, or have more than this folder. */
static int look_for_others(struct recovery *y)
{
    char text[ERR_MESSAGE_MAX];
    const struct configuration *c = &y->folder.members;
    for (size_t i = 0; i < c->count; i++) {
        const struct member *m = &c->members[i];
        if (m->id == y->folder.member_id || (!answers(y->r, m->client_address) && !answers(y->r, m->peer_address)))
            continue;
        snprintf(text, sizeof text, "member %016llx answers at %s: while the majority runs, use member remove and member add; else stop "
                 "what is left, and recover from the folder with the most (rsctl recover --dry-run tells)", (unsigned long long)m->id,
                 m->client_address[0] != '\0' ? m->client_address : m->peer_address);
        return rsctl_complain(ERR_CONFLICT, text);
    }
    return RSCTL_OK;
}

/* --- reading --- */

static void folder_closed(void *arg)
{
    struct recovery *y = arg;
    y->closed = true;
    uv_env_stop(y->uv);
}

static int read_folder(struct recovery *y)
{
    struct err err;
    y->uv = uv_env_new("rsctl", LOG_ERROR);
    int status = uv_env_add_disk(y->uv, y->from, &err);
    if (status == 0) {
        status = raftstore_folder_read(uv_env_env(y->uv), &y->folder, folder_closed, y, &err);
        while (!y->closed)
            uv_env_run(y->uv, NULL, NULL);
    }
    uv_env_free(y->uv);
    return status == 0 ? RSCTL_OK : rsctl_complain(status, err.message);
}

static void print_id(struct buf *out, const uint8_t id[STORE_ID_BYTES])
{
    for (size_t i = 0; i < STORE_ID_BYTES; i++)
        buf_printf(out, "%02x", id[i]);
}

static void tell_found(struct recovery *y)
{
    const struct raftstore_folder *f = &y->folder;
    struct buf *out = &y->r->out;
    if (y->r->format == RSCTL_JSON) {
        buf_printf(out, "{\"member\":\"%016llx\",\"cluster\":\"", (unsigned long long)f->member_id);
        print_id(out, f->cluster_id);
        buf_printf(out, "\",\"term\":%llu,\"index\":%llu,\"revision\":%lld,\"totalKey\":%lld", (unsigned long long)f->state.term,
                   (unsigned long long)f->last_index, (long long)f->state.revision, (long long)f->state.keys);
        return;
    }
    buf_printf(out, "Found: member %016llx, term %llu, entry %llu, revision %lld, %lld keys\n", (unsigned long long)f->member_id,
               (unsigned long long)f->state.term, (unsigned long long)f->last_index, (long long)f->state.revision,
               (long long)f->state.keys);
}

/* --- writing --- */

static void folder_written(void *arg, int status, const struct err *why)
{
    struct recovery *y = arg;
    y->written = true;
    y->status = status;
    if (status != 0)
        y->why = *why;
    uv_env_stop(y->uv);
}

/* What an interrupted recovery left: only files that we wrote, in no folder below. */
static int remove_left_over(const char *folder)
{
    DIR *d = opendir(folder);
    if (d == NULL)
        return errno == ENOENT ? 0 : -1;
    int rv = 0;
    for (struct dirent *e; rv == 0 && (e = readdir(d)) != NULL;)
        if (strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0)
            rv = unlinkat(dirfd(d), e->d_name, 0);
    closedir(d);
    return rv == 0 ? rmdir(folder) : rv;
}

static int write_folder(struct recovery *y)
{
    if (remove_left_over(y->to) != 0) {
        err_set(&y->why, ERR_IO, "%s is left of an interrupted recovery and cannot be removed: %s", y->to, strerror(errno));
        return rsctl_complain(ERR_IO, y->why.message);
    }
    y->uv = uv_env_new("rsctl", LOG_ERROR);
    int status = uv_env_add_disk(y->uv, y->to, &y->why);
    if (status == 0)
        status = raftstore_backup_restore(&y->folder.state, uv_env_env(y->uv), &y->options, y->r->flags.bump_revision,
                                          y->r->flags.mark_compacted, folder_written, y, &y->why);
    while (status == 0 && !y->written)
        uv_env_run(y->uv, NULL, NULL);
    uv_env_free(y->uv);
    status = status == 0 ? y->status : status;
    return status == 0 ? RSCTL_OK : rsctl_complain(status, y->why.message);
}

static int move(struct recovery *y, const char *from, const char *to)
{
    char *parent = mem_strdup(to);
    char *slash = strrchr(parent, '/');
    const char *folder = slash == NULL ? "." : slash == parent ? "/" : (*slash = '\0', parent);
    int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    int rv = fd < 0 || rename(from, to) != 0 || fsync(fd) != 0 ? -1 : 0;
    if (rv != 0)
        err_set(&y->why, ERR_IO, "%s cannot be renamed to %s: %s; do it by hand, or run the command again", from, to, strerror(errno));
    if (fd >= 0)
        close(fd);
    mem_free(parent);
    return rv == 0 ? RSCTL_OK : rsctl_complain(ERR_IO, y->why.message);
}

static void tell_how(struct recovery *y, const uint8_t cluster_id[STORE_ID_BYTES], int64_t revision)
{
    struct buf *out = &y->r->out;
    buf_printf(out, "Recovered: %s is now the folder of the only member of a new cluster; its revision goes on from %lld.\n"
                    "The folder as it was: %s\n\nStart this member as before, but with\n  --cluster-id ",
               y->from, (long long)revision, y->kept);
    print_id(out, cluster_id);
    buf_append_str(out, "\nand every other one with that and --existing, its data folder emptied. They come in one after the other by themselves.\n");
}

static void tell_done(struct recovery *y)
{
    struct buf *out = &y->r->out;
    if (y->r->format == RSCTL_JSON) {
        buf_append_str(out, ",\"newCluster\":\"");
        print_id(out, y->options.cluster_id);
        buf_printf(out, "\",\"newRevision\":%lld,\"kept\":", (long long)(y->folder.state.revision + y->r->flags.bump_revision));
        json_print_string(slice_str(y->kept), out);
        return;
    }
    tell_how(y, y->options.cluster_id, y->folder.state.revision + y->r->flags.bump_revision);
}

/* --- the command --- */

/* A cluster of its member alone, under the same id and addresses. */
static int plan(struct recovery *y)
{
    struct err err;
    const char *cluster = y->r->flags.cluster_id;
    struct member self = *configuration_member(&y->folder.members, y->folder.member_id);
    self.voter = true;
    self.automatic = false;
    self.replaces = 0;
    y->options.members = (struct configuration){.count = 1, .members = {self}};
    if (cluster != NULL) {
        char member[17];
        snprintf(member, sizeof member, "%016llx", (unsigned long long)self.id);
        if (raftstore_parse_ids(&y->options, member, cluster, &err) != 0)
            return rsctl_usage("%s", err.message);
    } else {
        for (size_t i = 0; i < STORE_ID_BYTES; i += 8) {
            uint64_t bits = random_u64(&y->r->env->random);
            memcpy(y->options.cluster_id + i, &bits, sizeof bits);
        }
    }
    if (memcmp(y->options.cluster_id, y->folder.cluster_id, STORE_ID_BYTES) == 0)
        return rsctl_usage("--cluster-id is the one it has: the new cluster needs its own, or old members could join it");
    return RSCTL_OK;
}

static int recover(struct recovery *y)
{
    int code = read_folder(y);
    if (code != RSCTL_OK)
        return code;
    tell_found(y);
    if (!y->r->flags.dry_run) {
        code = look_for_others(y);
        if (code == RSCTL_OK)
            code = plan(y);
        if (code == RSCTL_OK)
            code = write_folder(y);
        if (code == RSCTL_OK)
            code = move(y, y->from, y->kept);
        if (code == RSCTL_OK)
            code = move(y, y->to, y->from);
        if (code == RSCTL_OK)
            tell_done(y);
    }
    if (y->r->format == RSCTL_JSON)
        buf_append_str(&y->r->out, "}\n");
    raftstore_backup_release(&y->folder.state);
    return code;
}

static char *with_suffix(const char *path, const char *suffix)
{
    struct buf b = {0};
    size_t size = strlen(path);
    while (size > 1 && path[size - 1] == '/')
        size--;
    buf_append(&b, path, size);
    buf_append_str(&b, suffix);
    buf_append_char(&b, '\0');
    return b.data;
}

static void see_snapshot(void *arg, const char *name)
{
    uint64_t index, term;
    if (snapfile_parse_name(name, &index, &term))
        snprintf(arg, SNAPFILE_NAME_MAX, "%s", name);
}

/* Interrupted between the two renames. What was made is looked at before it takes the folder's name. */
static int finish(struct recovery *y)
{
    char name[SNAPFILE_NAME_MAX] = "";
    struct raftstore_backup b;
    struct err err;
    y->uv = uv_env_new("rsctl", LOG_ERROR);
    int status = uv_env_add_files(y->uv, y->to, &err);
    if (status == 0)
        status = disk_list(&uv_env_env(y->uv)->disk, see_snapshot, name, &err);
    if (status == 0 && name[0] == '\0')
        status = err_set(&err, ERR_CORRUPT, "%s holds no snapshot, though an interrupted recovery had made it: rename %s back to %s, and "
                         "begin anew", y->to, y->kept, y->from);
    if (status == 0)
        status = raftstore_backup_open(uv_env_env(y->uv), name, &b, &err);
    uv_env_free(y->uv);
    if (status != 0)
        return rsctl_complain(status, err.message);
    int code = move(y, y->to, y->from);
    if (code == RSCTL_OK)
        tell_how(y, b.cluster_id, b.revision);
    raftstore_backup_release(&b);
    return code;
}

static int run(struct recovery *y)
{
    bool there = access(y->from, F_OK) == 0, kept = access(y->kept, F_OK) == 0, made = access(y->to, F_OK) == 0;
    char text[ERR_MESSAGE_MAX];
    if (!there && kept && made)
        return finish(y);
    if (!there)
        return rsctl_complain(ERR_NOT_FOUND, "the folder of --data-dir is not there");
    if (!kept || y->r->flags.dry_run)
        return recover(y);
    snprintf(text, sizeof text, "%s is there already, from an earlier recovery: move it away first", y->kept);
    return rsctl_complain(ERR_EXISTS, text);
}

int rsctl_recover(struct rsctl *r)
{
    if (r->flags.data_dir == NULL || r->flags.data_dir[0] == '\0' || r->argument_count > 0)
        return rsctl_usage("recover wants --data-dir, the folder of a member that does not run, and no arguments");
    struct recovery y = {.r = r, .from = with_suffix(r->flags.data_dir, ""), .to = with_suffix(r->flags.data_dir, ".recovering"),
                         .kept = with_suffix(r->flags.data_dir, ".before-recovery")};
    int code = run(&y);
    mem_free(y.from);
    mem_free(y.to);
    mem_free(y.kept);
    return code;
}
