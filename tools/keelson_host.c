/* What the launcher does to this machine: files, one bridge and one network namespace per member, processes with their
 * pid files, cgroups. Each process stands in a cgroup of its member, so that ending a member ends what it started too. */
#include "common/base.h"
#include "tools/keelson.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <glob.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "common/mem.h"

#define OUTPUT_MAX (1024 * 1024)
#define END_WAIT_MS 10000
#define PIDS_MAX 4096
#define CGROUP2_MAGIC 0x63677270

static uint64_t now_ms(void)
{
    struct timespec t;
    (void)clock_gettime(CLOCK_MONOTONIC, &t); /* always there */
    return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

int complain(const struct err *err)
{
    (void)fprintf(stderr, "keelson: %s\n", err->message);
    return 1;
}

/* --- commands --- */

static int run_argv(struct buf *out, struct err *reterr, char *const *argv)
{
    int fds[2];
    struct buf text = {0};
    if (pipe2(fds, O_CLOEXEC) != 0)
        return err_set_errno(reterr, errno, "make a pipe");
    pid_t pid = fork();
    if (pid == 0) {
        (void)dup2(fds[1], 1);
        (void)dup2(fds[1], 2);
        (void)execvp(argv[0], argv);
        _exit(127);
    }
    (void)close(fds[1]);
    ssize_t n;
    do {
        buf_reserve(&text, 65536);
        n = read(fds[0], text.data + text.size, 65536);
        text.size += n > 0 ? (size_t)n : 0;
    } while (n > 0 && text.size < OUTPUT_MAX);
    (void)close(fds[0]);
    int status = 0, rv = 0;
    if (pid < 0 || waitpid(pid, &status, 0) < 0)
        rv = err_set_errno(reterr, errno, "run %s", argv[0]);
    else if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
        rv = err_set(reterr, ERR_IO, "%s %s %s failed: %.*s", argv[0], argv[1] == NULL ? "" : argv[1],
                     argv[1] == NULL || argv[2] == NULL ? "" : argv[2], (int)MIN(text.size, (size_t)200), text.data);
    if (out != NULL && rv == 0)
        buf_append_slice(out, buf_slice(&text));
    buf_release(&text);
    return rv;
}

static int run_list(struct buf *out, struct err *reterr, const char *program, va_list arguments)
{
    char *argv[32] = {(char *)program};
    size_t n = 1;
    while (n < ARRAY_LEN(argv) - 1 && (argv[n] = va_arg(arguments, char *)) != NULL)
        n++;
    return run_argv(out, reterr, argv);
}

int host_run(struct err *reterr, const char *program, ...)
{
    va_list arguments;
    va_start(arguments, program);
    int rv = run_list(NULL, reterr, program, arguments);
    va_end(arguments);
    return rv;
}

int host_output(struct buf *out, struct err *reterr, const char *program, ...)
{
    va_list arguments;
    va_start(arguments, program);
    int rv = run_list(out, reterr, program, arguments);
    va_end(arguments);
    return rv;
}

/* --- files --- */

int file_write(const char *path, struct slice content, unsigned mode, struct err *reterr)
{
    char *temporary = mem_printf("%s.new", path);
    int fd = open(temporary, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, (mode_t)mode);
    int rv = 0;
    if (fd < 0 || write(fd, content.data, content.size) != (ssize_t)content.size || close(fd) != 0 ||
        rename(temporary, path) != 0)
        rv = err_set_errno(reterr, errno, "write %s", path);
    mem_free(temporary);
    return rv;
}

int file_read(const char *path, struct buf *out, struct err *reterr)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return err_set_errno(reterr, errno, "read %s", path);
    ssize_t n;
    do {
        buf_reserve(out, 65536);
        n = read(fd, out->data + out->size, 65536);
        out->size += n > 0 ? (size_t)n : 0;
    } while (n > 0 && out->size < OUTPUT_MAX);
    int number = errno;
    (void)close(fd);
    out->data[out->size] = '\0';
    return n < 0 ? err_set_errno(reterr, number, "read %s", path) : 0;
}

int folder_make(const char *path, unsigned mode, struct err *reterr)
{
    struct stat st;
    if (mkdir(path, (mode_t)mode) != 0 && (errno != EEXIST || stat(path, &st) != 0 || !S_ISDIR(st.st_mode)))
        return err_set_errno(reterr, errno == EEXIST ? ENOTDIR : errno, "make folder %s", path);
    return 0;
}

int cluster_load(const char *folder, struct cluster *ret, struct err *reterr)
{
    char absolute[4096];
    if (realpath(folder, absolute) == NULL)
        return err_set(reterr, ERR_NOT_FOUND, "there is no cluster in %s: start one with keelson up", folder);
    char *path = mem_printf("%s/cluster.json", absolute);
    struct buf text = {0};
    int rv = access(path, F_OK) != 0
                 ? err_set(reterr, ERR_NOT_FOUND, "there is no cluster in %s: start one with keelson up", folder)
                 : file_read(path, &text, reterr);
    if (rv == 0 && (rv = plan_parse(buf_slice(&text), ret, reterr)) < 0)
        (void)err_wrap(reterr, rv, "%s", path);
    if (rv == 0 && strcmp(ret->folder, absolute) != 0)
        rv = err_set(reterr, ERR_IDENTITY, "the cluster in %s was made in %s: move it back", absolute, ret->folder);
    buf_release(&text);
    mem_free(path);
    return rv;
}

int cluster_lock(const char *folder, struct err *reterr)
{
    char *path = mem_printf("%s/.lock", folder);
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600), rv = 0;
    if (fd < 0)
        rv = err_set_errno(reterr, errno, "open %s", path);
    else if (flock(fd, LOCK_EX | LOCK_NB) != 0)
        rv = err_set(reterr, ERR_BUSY, "another keelson works on the cluster in %s: wait for it", folder);
    mem_free(path);
    return rv; /* the descriptor stays open: the lock is held until this process ends */
}

/* --- network --- */

static int netns_make(const struct cluster *c, const struct member *m, struct err *reterr)
{
    char name[64], veth[16], bridge[16], address[64], gateway[32];
    plan_netns(c, m, name, sizeof name);
    plan_veth(c, m, veth, sizeof veth);
    plan_bridge(c, bridge, sizeof bridge);
    (void)snprintf(address, sizeof address, "%s/24", m->address);
    (void)snprintf(gateway, sizeof gateway, "172.30.%u.254", c->subnet);
    int rv = host_run(reterr, "ip", "netns", "add", name, NULL);
    if (rv == 0)
        rv = host_run(reterr, "ip", "link", "add", veth, "type", "veth", "peer", "name", "eth0", "netns", name, NULL);
    if (rv == 0)
        rv = host_run(reterr, "ip", "link", "set", veth, "master", bridge, "up", NULL);
    if (rv == 0)
        rv = host_run(reterr, "ip", "-n", name, "link", "set", "lo", "up", NULL);
    if (rv == 0)
        rv = host_run(reterr, "ip", "-n", name, "addr", "add", address, "dev", "eth0", NULL);
    if (rv == 0)
        rv = host_run(reterr, "ip", "-n", name, "link", "set", "eth0", "up", NULL);
    if (rv == 0)
        rv = host_run(reterr, "ip", "-n", name, "route", "add", "default", "via", gateway, NULL);
    if (rv == 0)
        rv = host_run(reterr, "ip", "netns", "exec", name, "sysctl", "-qw", "net.ipv4.ip_forward=1", NULL);
    for (size_t i = 0; rv == 0 && i < c->member_count; i++) {
        char cidr[32];
        if (c->members[i].kind != MEMBER_NODE || &c->members[i] == m)
            continue;
        (void)snprintf(cidr, sizeof cidr, "10.244.%u.0/24", c->members[i].number);
        rv = host_run(reterr, "ip", "-n", name, "route", "add", cidr, "via", c->members[i].address, NULL);
    }
    return rv;
}

int network_make(const struct cluster *c, struct err *reterr)
{
    char bridge[16], address[64];
    if (!c->networked)
        return 0;
    plan_bridge(c, bridge, sizeof bridge);
    (void)snprintf(address, sizeof address, "172.30.%u.254/24", c->subnet);
    int rv = host_run(reterr, "ip", "link", "add", bridge, "type", "bridge", NULL);
    if (rv == 0)
        rv = host_run(reterr, "ip", "addr", "add", address, "dev", bridge, NULL);
    if (rv == 0)
        rv = host_run(reterr, "ip", "link", "set", bridge, "up", NULL);
    for (size_t i = 0; rv == 0 && i < c->member_count; i++)
        if (c->members[i].kind != MEMBER_BALANCE)
            rv = netns_make(c, &c->members[i], reterr);
    return rv;
}

void network_remove(const struct cluster *c)
{
    char name[64];
    if (!c->networked)
        return;
    for (size_t i = 0; i < c->member_count; i++) {
        plan_netns(c, &c->members[i], name, sizeof name);
        (void)host_run(NULL, "ip", "netns", "del", name, NULL); /* absent is as good; leftovers() tells what is not */
        if (c->members[i].kind != MEMBER_BALANCE) {
            plan_veth(c, &c->members[i], name, sizeof name);
            (void)host_run(NULL, "ip", "link", "del", name, NULL);
        }
    }
    plan_bridge(c, name, sizeof name);
    (void)host_run(NULL, "ip", "link", "del", name, NULL);
}

/* --- cgroups --- */

static bool unified(void)
{
    struct statfs fs;
    return statfs("/sys/fs/cgroup", &fs) == 0 && (unsigned long)fs.f_type == CGROUP2_MAGIC;
}

static char *cgroup_folder(const struct cluster *c, const struct member *m)
{
    char name[64];
    plan_cgroup(c, m, name, sizeof name);
    return mem_printf("/sys/fs/cgroup/%s%s", unified() ? "" : "pids/", name);
}

static int rmdir_one(const char *path, const struct stat *st, int kind, struct FTW *at)
{
    (void)st;
    (void)at;
    if (kind == FTW_DP)
        (void)rmdir(path);
    return 0;
}

void cgroups_remove(const struct cluster *c)
{
    char name[64], pattern[128];
    glob_t found;
    plan_cgroup(c, NULL, name, sizeof name);
    (void)snprintf(pattern, sizeof pattern, unified() ? "/sys/fs/cgroup/%s" : "/sys/fs/cgroup/*/%s", name);
    if (glob(pattern, 0, NULL, &found) != 0)
        return;
    for (size_t i = 0; i < found.gl_pathc; i++)
        (void)nftw(found.gl_pathv[i], rmdir_one, 16, FTW_DEPTH | FTW_PHYS | FTW_MOUNT);
    globfree(&found);
}

/* The child moves itself, before it becomes the program. */
static int cgroup_enter(const struct cluster *c, const struct member *m)
{
    char *all = cgroup_folder(c, NULL), *member = cgroup_folder(c, m), *leaf = mem_printf("%s/agent", member);
    char *file = mem_printf("%s/cgroup.procs", leaf);
    (void)mkdir(all, 0755);
    (void)mkdir(member, 0755);
    (void)mkdir(leaf, 0755);
    int fd = open(file, O_WRONLY | O_CLOEXEC);
    int rv = fd >= 0 && write(fd, "0", 1) == 1 ? 0 : -1;
    if (fd >= 0)
        (void)close(fd);
    mem_free(all);
    mem_free(member);
    mem_free(leaf);
    mem_free(file);
    return rv;
}

struct pids {
    int list[PIDS_MAX];
    size_t count;
};

static void pids_read(const char *file, struct pids *ret)
{
    struct buf text = {0};
    if (file_read(file, &text, NULL) == 0) {
        for (char *at = text.data, *end; *at != '\0'; at = end + (*end == '\n')) {
            long pid = strtol(at, &end, 10);
            if (end == at)
                break;
            if (pid > 1 && pid != (long)getpid() && ret->count < PIDS_MAX)
                ret->list[ret->count++] = (int)pid;
        }
    }
    buf_release(&text);
}

/* The cgroup tree of pods is at most six levels deep below the member's. */
static void cgroup_pids(const struct cluster *c, const struct member *m, struct pids *ret)
{
    char *pattern = cgroup_folder(c, m);
    for (int depth = 0; depth < 7; depth++) {
        glob_t found;
        char *files = mem_printf("%s/cgroup.procs", pattern), *deeper = mem_printf("%s/*", pattern);
        if (glob(files, 0, NULL, &found) == 0) {
            for (size_t i = 0; i < found.gl_pathc; i++)
                pids_read(found.gl_pathv[i], ret);
            globfree(&found);
        }
        mem_free(files);
        mem_free(pattern);
        pattern = deeper;
    }
    mem_free(pattern);
}

/* --- processes --- */

static char *pid_file(const struct cluster *c, const struct member *m, const char *process)
{
    return mem_printf("%s/pids/%s.%s", c->folder, m->name, process);
}

/* Start time in clock ticks since boot: tells a process from a later one with the same number. 0: no such process. */
static unsigned long long start_time(int pid)
{
    char path[64];
    struct buf text = {0};
    unsigned long long ticks = 0;
    (void)snprintf(path, sizeof path, "/proc/%d/stat", pid);
    if (file_read(path, &text, NULL) == 0) {
        const char *at = strrchr(text.data, ')');
        if (at != NULL && at[1] == ' ' && at[2] != 'Z' && at[2] != 'X') {
            for (int field = 2; field < 22 && at != NULL; field++)
                at = strchr(at + 1, ' ');
            ticks = at == NULL ? 0 : strtoull(at + 1, NULL, 10);
        }
    }
    buf_release(&text);
    return ticks;
}

enum process_state process_state(const struct cluster *c, const struct member *m, const char *process, int *ret_pid)
{
    struct buf text = {0};
    char *path = pid_file(c, m, process), *end = NULL;
    enum process_state state = PROCESS_STOPPED;
    if (access(path, F_OK) == 0 && file_read(path, &text, NULL) == 0) {
        int pid = (int)strtol(text.data, &end, 10);
        unsigned long long ticks = strtoull(end, NULL, 10);
        state = pid > 1 && ticks > 0 && start_time(pid) == ticks ? PROCESS_RUNNING : PROCESS_DIED;
        if (ret_pid != NULL)
            *ret_pid = pid;
    }
    buf_release(&text);
    mem_free(path);
    return state;
}

void process_forget(const struct cluster *c, const struct member *m, const char *process)
{
    char *path = pid_file(c, m, process);
    (void)unlink(path); /* absent is as good */
    mem_free(path);
}

static void child_fail(const char *what) __attribute__((noreturn));
static void child_fail(const char *what)
{
    (void)fprintf(stderr, "keelson: %s: %s\n", what, strerror(errno));
    _exit(126);
}

static void child_main(const struct cluster *c, const struct member *m, const struct process_plan *p)
{
    char path[128], name[64];
    char *log = mem_printf("%s/logs/%s.%s.log", c->folder, m->name, p->name);
    int fd = open(log, O_WRONLY | O_CREAT | O_APPEND, 0644), null_fd = open("/dev/null", O_RDONLY);
    if (fd < 0 || null_fd < 0)
        child_fail(log);
    (void)setsid();
    (void)dup2(null_fd, 0);
    (void)dup2(fd, 1);
    (void)dup2(fd, 2);
    if (c->networked && cgroup_enter(c, m) < 0)
        child_fail("enter the member's cgroup");
    if (c->networked && m->kind != MEMBER_BALANCE) {
        plan_netns(c, m, name, sizeof name);
        (void)snprintf(path, sizeof path, "/run/netns/%s", name);
        int ns = open(path, O_RDONLY | O_CLOEXEC);
        if (ns < 0 || setns(ns, CLONE_NEWNET) != 0)
            child_fail(path);
    }
    if (chdir(c->folder) != 0)
        child_fail(c->folder);
    (void)syscall(SYS_close_range, 3U, ~0U, 0U); /* all of ours are close-on-exec already */
    (void)execv(p->argv[0], p->argv);
    child_fail(p->argv[0]);
}

int process_start(const struct cluster *c, const struct member *m, const struct process_plan *p, struct err *reterr)
{
    if (access(p->argv[0], X_OK) != 0)
        return err_set(reterr, ERR_NOT_FOUND, "program %s is missing: run make", p->argv[0]);
    (void)fflush(stdout);
    pid_t pid = fork();
    if (pid < 0)
        return err_set_errno(reterr, errno, "start %s", p->name);
    if (pid == 0)
        child_main(c, m, p);
    char *path = pid_file(c, m, p->name), *text = mem_printf("%d %llu\n", (int)pid, start_time((int)pid));
    int rv = file_write(path, slice_str(text), 0644, reterr);
    mem_free(path);
    mem_free(text);
    return rv;
}

int member_start(const struct cluster *c, const struct member *m, struct err *reterr)
{
    struct process_plan plans[KEELSON_PROCESSES_MAX];
    size_t count = plan_processes(c, m, plans);
    char *data = mem_printf("%s/data/%s", c->folder, m->name);
    int rv = folder_make(data, 0755, reterr);
    mem_free(data);
    for (size_t i = 0; i < count; i++) {
        if (rv == 0 && process_state(c, m, plans[i].name, NULL) != PROCESS_RUNNING)
            rv = process_start(c, m, &plans[i], reterr);
        plan_release(&plans[i]);
    }
    return rv;
}

static void member_pids(const struct cluster *c, const struct member *m, bool all, struct pids *ret)
{
    struct process_plan plans[KEELSON_PROCESSES_MAX];
    size_t count = plan_processes(c, m, plans);
    ret->count = 0;
    for (size_t i = 0; i < count; i++) {
        int pid;
        if (process_state(c, m, plans[i].name, &pid) == PROCESS_RUNNING)
            ret->list[ret->count++] = pid;
        plan_release(&plans[i]);
    }
    if (all && c->networked)
        cgroup_pids(c, m, ret);
}

/* Until it has ended, or `deadline`. A child of this process is reaped. */
static void wait_end(int pid, uint64_t deadline)
{
    int fd = (int)syscall(SYS_pidfd_open, pid, 0);
    if (fd < 0)
        return;
    struct pollfd ready = {.fd = fd, .events = POLLIN};
    uint64_t now = now_ms();
    (void)poll(&ready, 1, deadline > now ? (int)(deadline - now) : 0);
    siginfo_t info;
    (void)waitid(P_PIDFD, (id_t)fd, &info, WEXITED | WNOHANG); /* somebody else's child is not ours to reap */
    (void)close(fd);
}

/* Signals until nothing is left: what is killed may have been about to start something. */
static bool end_round(const struct cluster *c, const struct member *m, int signal, bool all, uint64_t deadline)
{
    struct pids pids;
    for (;;) {
        member_pids(c, m, all, &pids);
        if (pids.count == 0)
            return true;
        if (now_ms() >= deadline)
            return false;
        for (size_t i = 0; i < pids.count; i++)
            (void)kill(pids.list[i], signal);
        for (size_t i = 0; i < pids.count; i++)
            wait_end(pids.list[i], deadline);
    }
}

int member_end(const struct cluster *c, const struct member *m, int signal, bool all, struct err *reterr)
{
    struct process_plan plans[KEELSON_PROCESSES_MAX];
    bool ended = end_round(c, m, signal, all && signal == SIGKILL, now_ms() + END_WAIT_MS);
    if (!ended || all)
        ended = end_round(c, m, SIGKILL, all, now_ms() + END_WAIT_MS);
    size_t count = plan_processes(c, m, plans);
    for (size_t i = 0; i < count; i++) {
        if (ended)
            process_forget(c, m, plans[i].name);
        plan_release(&plans[i]);
    }
    if (!ended)
        return err_set(reterr, ERR_TIMEOUT, "processes of %s do not end: see keelson status", m->name);
    return 0;
}

/* --- looking --- */

static void leftover_links(const struct cluster *c, struct buf *out)
{
    char prefix[16];
    struct buf text = {0};
    (void)snprintf(prefix, sizeof prefix, "kn%s", c->tag);
    (void)host_output(&text, NULL, "ip", "-o", "link", NULL); /* without ip there are no links of ours */
    if (text.size > 0 && memmem(text.data, text.size, prefix, strlen(prefix)) != NULL)
        buf_printf(out, "network devices %s*\n", prefix);
    buf_reset(&text);
    (void)host_output(&text, NULL, "ip", "netns", "list", NULL);
    if (text.size > 0 && memmem(text.data, text.size, prefix, strlen(prefix)) != NULL)
        buf_printf(out, "network namespaces %s*\n", prefix);
    buf_release(&text);
}

void leftovers(const struct cluster *c, struct buf *out)
{
    char name[64], pattern[128];
    glob_t found;
    struct buf mounts = {0};
    for (size_t i = 0; i < c->member_count; i++) {
        struct pids pids;
        member_pids(c, &c->members[i], true, &pids);
        for (size_t j = 0; j < pids.count; j++)
            buf_printf(out, "process %d of %s\n", pids.list[j], c->members[i].name);
    }
    if (!c->networked)
        return;
    leftover_links(c, out);
    plan_cgroup(c, NULL, name, sizeof name);
    (void)snprintf(pattern, sizeof pattern, unified() ? "/sys/fs/cgroup/%s" : "/sys/fs/cgroup/*/%s", name);
    if (glob(pattern, 0, NULL, &found) == 0) {
        for (size_t i = 0; i < found.gl_pathc; i++)
            buf_printf(out, "cgroup %s\n", found.gl_pathv[i]);
        globfree(&found);
    }
    if (file_read("/proc/self/mountinfo", &mounts, NULL) == 0 &&
        memmem(mounts.data, mounts.size, c->folder, strlen(c->folder)) != NULL)
        buf_printf(out, "mounts below %s\n", c->folder);
    buf_release(&mounts);
}

void log_tail(const struct cluster *c, const struct member *m, const char *process, unsigned lines, struct buf *out)
{
    struct buf text = {0};
    char *path = mem_printf("%s/logs/%s.%s.log", c->folder, m->name, process);
    if (file_read(path, &text, NULL) == 0 && text.size > 0) {
        size_t at = text.size - 1;
        while (at > 0 && (text.data[at - 1] != '\n' || --lines > 0))
            at--;
        buf_append_slice(out, slice_from(buf_slice(&text), at));
    }
    buf_release(&text);
    mem_free(path);
}
