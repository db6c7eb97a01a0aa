/* Files, mounts and cgroups of the node: see host.h. Nothing here decides anything. */
#include "common/base.h"
#include "nodeagent/host.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <fts.h>
#include <ftw.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/statvfs.h>
#include <sys/sysinfo.h>
#include <sys/sysmacros.h>
#include <sys/utsname.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "common/mem.h"

#define CGROUP_ROOT "/sys/fs/cgroup"
#define CGROUP_UNIFIED CGROUP_ROOT "/unified"
#define CGROUP2_MAGIC 0x63677270
#define TMPFS_MAGIC 0x01021994
#define TREE_FDS_MAX 32
#define PROCESSES_BYTES_MAX (1024 * 1024)

static void scratch_free(char **memory) { mem_free(*memory); }
#define HOST_SCRATCH __attribute__((cleanup(scratch_free)))

/* --- mounts --- */

int host_cover_hybrid_cgroup(struct err *reterr)
{
    struct statfs fs;
    if (statfs(CGROUP_UNIFIED, &fs) != 0 || fs.f_type != CGROUP2_MAGIC)
        return 0;
    if (mount("none", CGROUP_UNIFIED, "tmpfs", MS_NOSUID | MS_NODEV | MS_NOEXEC, "size=1m,mode=755") != 0)
        return err_set_errno(reterr, errno, "cover %s", CGROUP_UNIFIED);
    return 0;
}

int host_private_mounts(struct err *reterr)
{
    if (unshare(CLONE_NEWNS) != 0)
        return err_set_errno(reterr, errno, "cannot enter a mount namespace of our own (root is needed)");
    if (mount("none", "/", NULL, MS_REC | MS_SLAVE, NULL) != 0)
        return err_set_errno(reterr, errno, "cannot cut mount propagation to the machine");
    return host_cover_hybrid_cgroup(reterr);
}

/* --- files --- */

int host_mkdirs(const char *path, unsigned mode, struct err *reterr)
{
    char *copy HOST_SCRATCH = mem_strdup(path);
    for (char *at = copy + 1; *at != '\0'; at++) {
        if (*at != '/')
            continue;
        *at = '\0';
        if (mkdir(copy, 0755) != 0 && errno != EEXIST)
            return err_set_errno(reterr, errno, "create folder %s", copy);
        *at = '/';
    }
    struct stat st;
    if (mkdir(copy, (mode_t)mode) == 0) /* the umask has no say */
        return chmod(copy, (mode_t)mode) == 0 ? 0 : err_set_errno(reterr, errno, "set the mode of %s", copy);
    if (errno != EEXIST || stat(copy, &st) != 0 || !S_ISDIR(st.st_mode))
        return err_set_errno(reterr, errno == EEXIST ? ENOTDIR : errno, "create folder %s", copy);
    return 0;
}

static int write_all(int fd, struct slice content)
{
    while (content.size > 0) {
        ssize_t n = write(fd, content.data, content.size);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return errno;
        content = slice_from(content, (size_t)n);
    }
    return 0;
}

int host_write_file(const char *path, struct slice content, unsigned mode, struct err *reterr)
{
    char *temporary HOST_SCRATCH = mem_printf("%s.new", path);
    int fd = open(temporary, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, (mode_t)mode);
    if (fd < 0)
        return err_set_errno(reterr, errno, "create %s", temporary);
    int failure = fchmod(fd, (mode_t)mode) == 0 ? write_all(fd, content) : errno;
    if (close(fd) != 0 && failure == 0)
        failure = errno;
    if (failure == 0 && rename(temporary, path) != 0)
        failure = errno;
    if (failure != 0) {
        (void)unlink(temporary); /* best effort: the error that matters is the first one */
        return err_set_errno(reterr, failure, "write %s", path);
    }
    return 0;
}

int host_read_file(const char *path, uint64_t offset, size_t bytes_max, struct buf *out, struct err *reterr)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return err_set_errno(reterr, errno, "open %s", path);
    size_t end = out->size + bytes_max;
    while (out->size < end) {
        size_t want = MIN(end - out->size, (size_t)65536);
        buf_reserve(out, want);
        ssize_t n = pread(fd, out->data + out->size, want, (off_t)offset);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0) {
            int number = errno;
            (void)close(fd);
            return err_set_errno(reterr, number, "read %s", path);
        }
        if (n == 0)
            break;
        out->size += (size_t)n;
        offset += (uint64_t)n;
    }
    (void)close(fd);
    if (out->data != NULL)
        out->data[out->size] = '\0';
    return 0;
}

int host_symlink(const char *to, const char *path, struct err *reterr)
{
    char *temporary HOST_SCRATCH = mem_printf("%s.new", path);
    (void)unlink(temporary); /* of an interrupted one */
    if (symlink(to, temporary) != 0 || rename(temporary, path) != 0)
        return err_set_errno(reterr, errno, "link %s to %s", path, to);
    return 0;
}

int host_read_link(const char *path, struct buf *out)
{
    char target[4096];
    ssize_t n = readlink(path, target, sizeof target);
    if (n < 0)
        return ERR_NOT_FOUND;
    buf_append(out, target, (size_t)n);
    return 0;
}

int host_mount_memory(const char *path, int64_t size_bytes, struct err *reterr)
{
    struct statfs fs;
    char options[64] = "mode=0777";
    if (statfs(path, &fs) == 0 && fs.f_type == TMPFS_MAGIC) {
        struct stat here, above;
        char *parent HOST_SCRATCH = mem_printf("%s/..", path);
        if (stat(path, &here) == 0 && stat(parent, &above) == 0 && here.st_dev != above.st_dev)
            return 0;
    }
    if (size_bytes >= 0)
        (void)snprintf(options, sizeof options, "mode=0777,size=%lld", (long long)size_bytes);
    if (mount("tmpfs", path, "tmpfs", MS_NOSUID | MS_NODEV, options) != 0)
        return err_set_errno(reterr, errno, "mount memory at %s", path);
    return 0;
}

int host_rename(const char *from, const char *to, struct err *reterr)
{
    return rename(from, to) == 0 ? 0 : err_set_errno(reterr, errno, "rename %s to %s", from, to);
}

static int remove_one(const char *path, const struct stat *st, int kind, struct FTW *at)
{
    (void)st;
    (void)at;
    int rv = kind == FTW_DP || kind == FTW_D || kind == FTW_DNR ? rmdir(path) : unlink(path);
    if (rv != 0 && errno == EBUSY && umount2(path, MNT_DETACH) == 0)
        rv = rmdir(path);
    return rv == 0 || errno == ENOENT ? 0 : errno;
}

int host_remove_tree(const char *path, struct err *reterr)
{
    int rv = nftw(path, remove_one, TREE_FDS_MAX, FTW_DEPTH | FTW_PHYS | FTW_MOUNT);
    if (rv == 0 || (rv < 0 && errno == ENOENT))
        return 0;
    return err_set_errno(reterr, rv > 0 ? rv : errno, "remove %s", path);
}

static int give_group(const char *path, int64_t gid, unsigned mode, struct err *reterr)
{
    struct stat st;
    int fd = open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    int rv = fd >= 0 && fstat(fd, &st) == 0 && fchown(fd, (uid_t)-1, (gid_t)gid) == 0 &&
                     fchmod(fd, (st.st_mode & 07777) | (mode_t)mode) == 0
                 ? 0
                 : err_set_errno(reterr, errno, "give %s to group %lld", path, (long long)gid);
    if (fd >= 0)
        (void)close(fd); /* nothing was written */
    return rv;
}

static int give_group_tree(const char *path, int64_t gid, struct err *reterr)
{
    char *roots[] = {(char *)path, NULL};
    int rv = 0;
    FTS *walk = fts_open(roots, FTS_PHYSICAL | FTS_NOCHDIR | FTS_XDEV, NULL);
    if (walk == NULL)
        return err_set_errno(reterr, errno, "walk %s", path);
    for (FTSENT *at; rv == 0 && (at = fts_read(walk)) != NULL;)
        if (at->fts_info == FTS_D || at->fts_info == FTS_F)
            rv = give_group(at->fts_path, gid, at->fts_info == FTS_D ? 02550 : 0440, reterr);
    (void)fts_close(walk);
    return rv;
}

int host_give_group(const char *path, int64_t gid, bool tree, struct err *reterr)
{
    return tree ? give_group_tree(path, gid, reterr) : give_group(path, gid, 02770, reterr);
}

int host_list(const char *path, void (*each)(void *arg, const char *name), void *arg, struct err *reterr)
{
    struct dirent **entries;
    int count = scandir(path, &entries, NULL, alphasort);
    if (count < 0)
        return err_set_errno(reterr, errno, "list %s", path);
    for (int i = 0; i < count; i++) {
        if (strcmp(entries[i]->d_name, ".") != 0 && strcmp(entries[i]->d_name, "..") != 0)
            each(arg, entries[i]->d_name);
        free(entries[i]);
    }
    free(entries);
    return 0;
}

int host_socket_path(const char *folder, const char *name, char ret_path[108], int *ret_fd, struct err *reterr)
{
    int fd = open(folder, O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return err_set_errno(reterr, errno, "%s", folder);
    *ret_fd = fd;
    (void)snprintf(ret_path, 108, "/proc/self/fd/%d/%s", fd, name); /* names are short */
    return 0;
}

void host_socket_path_close(int fd)
{
    if (fd >= 0)
        (void)close(fd); /* it only named a folder */
}

int host_stat(const char *path, struct host_stat *ret)
{
    struct stat st;
    if (stat(path, &st) != 0)
        return errno == ENOENT || errno == ENOTDIR ? ERR_NOT_FOUND : errno == EACCES ? ERR_PERMISSION : ERR_IO;
    *ret = (struct host_stat){
        .size_bytes = (uint64_t)st.st_size,
        .inode = (uint64_t)st.st_ino,
        .is_folder = S_ISDIR(st.st_mode),
        .is_socket = S_ISSOCK(st.st_mode),
        .is_block = S_ISBLK(st.st_mode),
        .is_char = S_ISCHR(st.st_mode),
    };
    return 0;
}

static int layer_mark(const char *path, const struct stat *st, int kind, struct FTW *at)
{
    (void)st;
    const char *name = path + at->base;
    if (kind == FTW_D || strncmp(name, ".wh.", 4) != 0)
        return 0;
    char folder[4096], hidden[4096];
    if (snprintf(folder, sizeof folder, "%.*s", at->base, path) >= (int)sizeof folder ||
        snprintf(hidden, sizeof hidden, "%s%s", folder, name + 4) >= (int)sizeof hidden)
        return ENAMETOOLONG;
    if (unlink(path) != 0)
        return errno;
    if (strcmp(name, ".wh..wh..opq") == 0)
        return setxattr(folder, "trusted.overlay.opaque", "y", 1, 0) == 0 ? 0 : errno;
    return mknod(hidden, S_IFCHR, makedev(0, 0)) == 0 || errno == EEXIST ? 0 : errno;
}

int host_layer_marks(const char *path, struct err *reterr)
{
    int rv = nftw(path, layer_mark, TREE_FDS_MAX, FTW_PHYS | FTW_MOUNT);
    return rv == 0 ? 0 : err_set_errno(reterr, rv > 0 ? rv : errno, "mark what the layer %s deletes", path);
}

/* --- processes --- */

static bool is_zombie(int pid)
{
    char path[64];
    struct buf text = {0};
    (void)snprintf(path, sizeof path, "/proc/%d/stat", pid);
    bool gone = host_read_file(path, 0, 1024, &text, NULL) != 0;
    const char *after = gone ? NULL : strrchr(text.data == NULL ? "" : text.data, ')');
    bool zombie = gone || after == NULL || after[1] == '\0' || after[2] == 'Z' || after[2] == 'X';
    buf_release(&text);
    return zombie;
}

bool host_process_is(int pid, const char *marker)
{
    char path[64];
    struct buf text = {0};
    if (pid <= 1 || is_zombie(pid))
        return false;
    (void)snprintf(path, sizeof path, "/proc/%d/cmdline", pid);
    bool found = host_read_file(path, 0, 65536, &text, NULL) == 0 && text.size > 0 &&
                 memmem(text.data, text.size, marker, strlen(marker)) != NULL;
    buf_release(&text);
    return found;
}

/* --- cgroups --- */

static const char *const controllers[] = {"cpu", "memory", "pids"};

int host_cgroup_version(void)
{
    struct statfs fs;
    return statfs(CGROUP_ROOT, &fs) == 0 && fs.f_type == CGROUP2_MAGIC ? 2 : 1;
}

static char *cgroup_path(const char *controller, const char *path, const char *file)
{
    if (host_cgroup_version() == 2)
        return mem_printf(CGROUP_ROOT "/%s%s%s", path, *file == '\0' ? "" : "/", file);
    return mem_printf(CGROUP_ROOT "/%s/%s%s%s", controller, path, *file == '\0' ? "" : "/", file);
}

static int write_plain(const char *path, const char *value, struct err *reterr)
{
    int fd = open(path, O_WRONLY | O_CLOEXEC);
    int failure = fd < 0 ? errno : write_all(fd, slice_str(value));
    if (fd >= 0)
        (void)close(fd); /* cgroup files report at write */
    return failure == 0 ? 0 : err_set_errno(reterr, failure, "write %s to %s", value, path);
}

/* Version 2 hands controllers down level by level. */
static int enable_controllers(const char *path, struct err *reterr)
{
    char *copy HOST_SCRATCH = mem_strdup(path);
    int root = write_plain(CGROUP_ROOT "/cgroup.subtree_control", "+cpu +memory +pids", reterr);
    if (root < 0)
        return root;
    for (char *at = copy;; at++) {
        if (*at != '/' && *at != '\0')
            continue;
        bool last = *at == '\0';
        *at = '\0';
        char *file HOST_SCRATCH = cgroup_path("", copy, "cgroup.subtree_control");
        int rv = last ? 0 : write_plain(file, "+cpu +memory +pids", reterr);
        if (rv < 0)
            return rv;
        if (last)
            return 0;
        *at = '/';
    }
}

int host_cgroup_make(const char *path, struct err *reterr)
{
    size_t count = host_cgroup_version() == 2 ? 1 : ARRAY_LEN(controllers);
    for (size_t i = 0; i < count; i++) {
        char *folder HOST_SCRATCH = cgroup_path(controllers[i], path, "");
        int rv = host_mkdirs(folder, 0755, reterr);
        if (rv < 0)
            return rv;
    }
    return host_cgroup_version() == 2 ? enable_controllers(path, reterr) : 0;
}

int host_cgroup_write(const char *controller, const char *path, const char *file, const char *value, struct err *reterr)
{
    char *at HOST_SCRATCH = cgroup_path(controller, path, file);
    return write_plain(at, value, reterr);
}

static int cgroup_rmdir(const char *path, const struct stat *st, int kind, struct FTW *at)
{
    (void)st;
    (void)at;
    if (kind == FTW_DP)
        (void)rmdir(path); /* busy ones stay; the caller tries again at its next start */
    return 0;
}

/* The runtime makes the leaves in every controller, not only in those the agent writes to. */
static void remove_in(void *arg, const char *controller)
{
    char *folder HOST_SCRATCH = mem_printf(CGROUP_ROOT "/%s/%s", controller, (const char *)arg);
    (void)nftw(folder, cgroup_rmdir, TREE_FDS_MAX, FTW_DEPTH | FTW_PHYS | FTW_MOUNT);
}

void host_cgroup_remove(const char *path)
{
    if (host_cgroup_version() == 2)
        remove_in((void *)path, ".");
    else
        (void)host_list(CGROUP_ROOT, remove_in, (void *)path, NULL); /* absent: nothing to remove */
}

static int cgroup_kill_one(const char *path, const struct stat *st, int kind, struct FTW *at)
{
    (void)st;
    if (kind != FTW_F || strcmp(path + at->base, "cgroup.procs") != 0)
        return 0;
    struct buf text = {0};
    if (host_read_file(path, 0, PROCESSES_BYTES_MAX, &text, NULL) == 0 && text.size > 0) {
        for (char *next = text.data, *end; *next != '\0'; next = end + (*end == '\n')) {
            long pid = strtol(next, &end, 10);
            if (end == next)
                break;
            if (pid > 1 && pid != (long)getpid())
                (void)kill((pid_t)pid, SIGKILL);
        }
    }
    buf_release(&text);
    return 0;
}

void host_cgroup_kill(const char *path)
{
    char *folder HOST_SCRATCH = cgroup_path("pids", path, "");
    (void)nftw(folder, cgroup_kill_one, TREE_FDS_MAX, FTW_PHYS | FTW_MOUNT);
}

/* --- facts --- */

static void read_line(const char *path, char *text, size_t size)
{
    struct buf content = {0};
    if (host_read_file(path, 0, size - 1, &content, NULL) == 0 && content.size > 0)
        (void)snprintf(text, size, "%.*s", (int)slice_find(buf_slice(&content), '\n'), content.data);
    buf_release(&content);
}

/* The value after `name` on a line of its own ("CapPrm:\t…", "PRETTY_NAME=…"), without quotes and spaces around. */
static bool line_value(const char *path, const char *name, char *text, size_t size)
{
    struct buf content = {0};
    bool found = false;
    if (host_read_file(path, 0, 65536, &content, NULL) == 0) {
        struct slice rest = buf_slice(&content);
        while (rest.size > 0 && !found) {
            struct slice line = slice_cut(&rest, '\n');
            if (!slice_has_prefix(line, slice_str(name)))
                continue;
            line = slice_from(line, strlen(name));
            while (line.size > 0 && strchr(" \t\"=", line.data[0]) != NULL)
                line = slice_from(line, 1);
            while (line.size > 0 && strchr(" \t\"", line.data[line.size - 1]) != NULL)
                line.size--;
            (void)snprintf(text, size, "%.*s", SLICE_ARGS(line));
            found = true;
        }
    }
    buf_release(&content);
    return found;
}

static uint64_t capabilities_of_self(void)
{
    char permitted[32] = "0", bounding[32] = "0";
    (void)line_value("/proc/self/status", "CapPrm:", permitted, sizeof permitted);
    (void)line_value("/proc/self/status", "CapBnd:", bounding, sizeof bounding);
    return strtoull(permitted, NULL, 16) & strtoull(bounding, NULL, 16);
}

int host_facts(const char *folder, struct host_facts *ret, struct err *reterr)
{
    struct host_facts facts = {.os_image = "Linux"};
    struct utsname name;
    struct sysinfo info;
    struct rlimit files;
    struct statvfs fs;
    if (uname(&name) != 0 || sysinfo(&info) != 0 || getrlimit(RLIMIT_NOFILE, &files) != 0)
        return err_set_errno(reterr, errno, "ask the kernel about this machine");
    if (statvfs(folder, &fs) != 0)
        return err_set_errno(reterr, errno, "ask for the size of %s", folder);
    long cpus = sysconf(_SC_NPROCESSORS_ONLN);
    facts.cpu_count = cpus > 0 ? (unsigned)cpus : 1;
    facts.memory_bytes = (uint64_t)info.totalram * info.mem_unit;
    facts.disk_bytes = (uint64_t)fs.f_blocks * fs.f_frsize;
    facts.open_files_max = files.rlim_max;
    facts.capabilities = capabilities_of_self();
    (void)snprintf(facts.kernel, sizeof facts.kernel, "%.63s", name.release);
    (void)snprintf(facts.architecture, sizeof facts.architecture, "%s",
                   strcmp(name.machine, "x86_64") == 0 ? "amd64" : strcmp(name.machine, "aarch64") == 0 ? "arm64" : "");
    if (facts.architecture[0] == '\0')
        (void)snprintf(facts.architecture, sizeof facts.architecture, "%.31s", name.machine);
    (void)line_value("/etc/os-release", "PRETTY_NAME", facts.os_image, sizeof facts.os_image);
    read_line("/etc/machine-id", facts.machine_id, sizeof facts.machine_id);
    read_line("/proc/sys/kernel/random/boot_id", facts.boot_id, sizeof facts.boot_id);
    read_line("/sys/class/dmi/id/product_uuid", facts.system_uuid, sizeof facts.system_uuid);
    if (facts.system_uuid[0] == '\0')
        (void)snprintf(facts.system_uuid, sizeof facts.system_uuid, "%s", facts.machine_id);
    *ret = facts;
    return 0;
}

int host_usage(const char *folder, struct host_usage *ret, struct err *reterr)
{
    struct statvfs fs;
    char available[64];
    if (statvfs(folder, &fs) != 0)
        return err_set_errno(reterr, errno, "ask for the space under %s", folder);
    if (!line_value("/proc/meminfo", "MemAvailable:", available, sizeof available))
        return err_set(reterr, ERR_IO, "/proc/meminfo does not tell MemAvailable");
    *ret = (struct host_usage){
        .memory_available_bytes = strtoull(available, NULL, 10) * 1024,
        .disk_free_bytes = (uint64_t)fs.f_bavail * fs.f_frsize,
        .disk_total_bytes = (uint64_t)fs.f_blocks * fs.f_frsize,
    };
    return 0;
}

int host_self_program(char *path, size_t size, struct err *reterr)
{
    ssize_t n = readlink("/proc/self/exe", path, size - 1);
    if (n < 0)
        return err_set_errno(reterr, errno, "find the own program");
    path[n] = '\0';
    return 0;
}
