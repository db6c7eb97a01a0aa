/* `nodeagent shim`: the parent of one container, so that containers outlive the agent. One small process with blocking
 * calls and no loop library, because there is one for every container.
 *
 *   agent ─run─▶ shim (front)  waits for one line and exits with it
 *                  └▶ shim (keeper)  own session, subreaper, mount namespace of its own with the container's overlay
 *                       ├─ crun create, crun start     → "ok PID" to the front
 *                       ├─ copies the container's pipes, or terminal, into the log file, CRI format,
 *                       │  and to whoever is attached (host_linux_attach.h)
 *                       └─ at its end: exit status and OOM kills into FOLDER/exit, crun delete, mounts gone with it
 *
 * FOLDER holds config.json (the bundle) beside shim.pid, pid, started and exit. The file `exit` is written last: it
 * is there if and only if the container ended under a living shim. */
#include "common/base.h"
#include "nodeagent/host.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "common/flags.h"
#include "common/mem.h"
#include "nodeagent/host_linux_attach.h"
#include "nodeagent/logs.h"

#define RUNTIME_LOG_MAX 2048
#define CONSOLE_SOCKET "console"

struct shim {
    const char *folder, *id, *runtime, *state, *layers_folder, *layers, *log_file, *cgroup;
    int log_fd;
    uint64_t log_bytes;
    struct logs_framer framers[2];
    int pipes[2]; /* read ends: stdout (or the terminal), stderr; -1 once at their end */
    const char *stdin_mode; /* NULL: none; "once", "always" */
    bool tty;
    struct attach_server attach;
    pid_t pid;
    int pidfd, report_fd;
};

static void scratch_free(char **memory) { mem_free(*memory); }
#define SHIM_SCRATCH __attribute__((cleanup(scratch_free)))

static int64_t wall_ns(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_REALTIME, &now); /* fails for no valid clock */
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

/* --- log file --- */

static void log_open(struct shim *s)
{
    struct host_stat st;
    s->log_fd = open(s->log_file, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0640);
    s->log_bytes = host_stat(s->log_file, &st) == 0 ? st.size_bytes : 0;
}

static void log_rotate(struct shim *s)
{
    for (int i = LOGS_FILES_MAX - 1; i >= 1; i--) {
        char *from SHIM_SCRATCH = i == 1 ? mem_strdup(s->log_file) : mem_printf("%s.%d", s->log_file, i - 1);
        char *to SHIM_SCRATCH = mem_printf("%s.%d", s->log_file, i);
        (void)rename(from, to); /* absent at first */
    }
    (void)close(s->log_fd);
    log_open(s);
}

/* A log that cannot be written (disk full) must not stop the container: the lines are lost. */
static void log_append(struct shim *s, struct buf *lines)
{
    if (s->log_fd >= 0 && lines->size > 0 && write(s->log_fd, lines->data, lines->size) > 0)
        s->log_bytes += lines->size;
    if (s->log_bytes > LOGS_FILE_MAX)
        log_rotate(s);
    buf_release(lines);
}

/* Copies what is there; false at the end of the stream. */
static bool pipe_copy(struct shim *s, int which)
{
    char chunk[32768];
    struct buf lines = {0};
    ssize_t n = read(s->pipes[which], chunk, sizeof chunk);
    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return true;
    if (n > 0)
        logs_frame(&s->framers[which], slice_of(chunk, (size_t)n), wall_ns(), &lines);
    log_append(s, &lines);
    if (n > 0)
        attach_server_output(&s->attach, which == 0 ? ATTACH_STDOUT : ATTACH_STDERR, slice_of(chunk, (size_t)n));
    return n > 0;
}

static void pipes_finish(struct shim *s)
{
    for (int i = 0; i < 2; i++) {
        struct buf lines = {0};
        struct pollfd ready = {.fd = s->pipes[i], .events = POLLIN};
        while (s->pipes[i] >= 0 && poll(&ready, 1, 0) == 1 && pipe_copy(s, i))
            ;
        logs_frame_end(&s->framers[i], wall_ns(), &lines);
        log_append(s, &lines);
        logs_framer_release(&s->framers[i]);
    }
}

/* --- steps --- */

static int file_put(const struct shim *s, const char *name, const char *text)
{
    char *path SHIM_SCRATCH = mem_printf("%s/%s", s->folder, name);
    return host_write_file(path, slice_str(text), 0640, NULL);
}

static void report(struct shim *s, const char *format, ...) PRINTF_ARGS(2, 3);
static void report(struct shim *s, const char *format, ...)
{
    char line[RUNTIME_LOG_MAX + 256];
    va_list arguments;
    va_start(arguments, format);
    int n = vsnprintf(line, sizeof line, format, arguments);
    va_end(arguments);
    if (n > 0 && s->report_fd >= 0)
        (void)!write(s->report_fd, line, MIN((size_t)n, sizeof line - 1)); /* the front may be gone: nobody to tell */
    if (s->report_fd >= 0)
        (void)close(s->report_fd);
    s->report_fd = -1;
}

/* Runs the runtime with the container's pipes as its streams, -1 and NULL: /dev/null; 0 or its exit code, -1 when it did
 * not start. */
static int runtime_run(struct shim *s, const char *const *arguments, const int streams[3])
{
    const char *argv[16] = {s->runtime, "--root", s->state, "--log", "runtime.log"};
    size_t count = 5;
    if (strcmp(s->runtime, "crun") == 0)
        argv[count++] = "--cgroup-manager=cgroupfs";
    for (; *arguments != NULL && count < ARRAY_LEN(argv) - 1; arguments++)
        argv[count++] = *arguments;
    pid_t pid = fork();
    if (pid == 0) {
        int null_fd = open("/dev/null", O_RDWR | O_CLOEXEC);
        sigset_t none;
        sigemptyset(&none);
        (void)sigprocmask(SIG_SETMASK, &none, NULL);
        for (int i = 0; i < 3; i++)
            (void)dup2(streams == NULL || streams[i] < 0 ? null_fd : streams[i], i);
        (void)execvp(argv[0], (char *const *)argv);
        _exit(127);
    }
    int status = 0;
    while (pid > 0 && waitpid(pid, &status, 0) < 0 && errno == EINTR)
        ;
    return pid < 0 ? -1 : WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

/* The runtime's own words, last line last, on one line. */
static char *runtime_words(void)
{
    struct buf text = {0};
    (void)host_read_file("runtime.log", 0, RUNTIME_LOG_MAX, &text, NULL); /* absent: it said nothing */
    while (text.size > 0 && (text.data[text.size - 1] == '\n' || text.data[text.size - 1] == ' '))
        text.data[--text.size] = '\0';
    for (size_t i = 0; i < text.size; i++)
        if (text.data[i] == '\n')
            text.data[i] = ' ';
    char *words = mem_strdup(text.size > 0 ? text.data : "no message");
    buf_release(&text);
    return words;
}

static int overlay_mount(struct shim *s)
{
    char *upper SHIM_SCRATCH = mem_printf("%s/upper", s->folder), *work SHIM_SCRATCH = mem_printf("%s/work", s->folder);
    char *root SHIM_SCRATCH = mem_printf("%s/rootfs", s->folder);
    if (host_mkdirs(upper, 0755, NULL) < 0 || host_mkdirs(work, 0755, NULL) < 0 || host_mkdirs(root, 0755, NULL) < 0)
        return -EIO;
    /* lower layers by names relative to their folder: the option's size is limited to a page */
    if (chdir(s->layers_folder) != 0)
        return -errno;
    char *options SHIM_SCRATCH = mem_printf("lowerdir=%s,upperdir=%s,workdir=%s", s->layers, upper, work);
    return mount("overlay", root, "overlay", 0, options) == 0 ? 0 : -errno;
}

static int namespace_enter(struct shim *s)
{
    struct err err;
    if (unshare(CLONE_NEWNS) != 0 || mount("none", "/", NULL, MS_REC | MS_SLAVE, NULL) != 0) {
        report(s, "cannot make a mount namespace: %s", strerror(errno));
        return -1;
    }
    if (host_cover_hybrid_cgroup(&err) < 0) {
        report(s, "%s", err.message);
        return -1;
    }
    int rv = overlay_mount(s);
    if (rv < 0)
        report(s, "cannot mount the root of %s: %s", s->id, strerror(-rv));
    if (rv == 0 && chdir(s->folder) != 0) {
        report(s, "cannot enter %s: %s", s->folder, strerror(errno));
        return -1;
    }
    return rv;
}

static int pid_read(struct shim *s)
{
    struct buf text = {0};
    char *path SHIM_SCRATCH = mem_printf("%s/pid", s->folder);
    int rv = host_read_file(path, 0, 32, &text, NULL);
    s->pid = rv == 0 && text.size > 0 ? (pid_t)strtol(text.data, NULL, 10) : 0;
    buf_release(&text);
    s->pidfd = s->pid > 0 ? (int)syscall(SYS_pidfd_open, s->pid, 0) : -1;
    return s->pidfd >= 0 ? 0 : -1;
}

struct container_io {
    int ours[3], theirs[3]; /* -1: none */
    int console;            /* listens for the terminal; -1: none */
};

static void io_close(int fds[3])
{
    for (int i = 0; i < 3; i++) {
        if (fds[i] >= 0)
            (void)close(fds[i]);
        fds[i] = -1;
    }
}

static int console_listen(void)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX, .sun_path = CONSOLE_SOCKET};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd >= 0 && bind(fd, (struct sockaddr *)&address, sizeof address) == 0 && listen(fd, 1) == 0)
        return fd;
    int number = errno;
    if (fd >= 0)
        (void)close(fd);
    return -number;
}

/* What the container reads and writes; 0 or -errno. */
static int io_open(const struct shim *s, struct container_io *io)
{
    bool want[3] = {s->stdin_mode != NULL && !s->tty, !s->tty, !s->tty};
    int rv = 0;
    for (int i = 0; i < 3; i++)
        io->ours[i] = io->theirs[i] = -1;
    io->console = s->tty ? console_listen() : -1;
    if (s->tty && io->console < 0)
        return io->console;
    for (int i = 0; i < 3 && rv == 0; i++) {
        int fds[2];
        if (!want[i])
            continue;
        if (pipe2(fds, O_CLOEXEC) != 0) {
            rv = -errno;
            break;
        }
        io->ours[i] = i == 0 ? fds[1] : fds[0];
        io->theirs[i] = i == 0 ? fds[0] : fds[1];
        (void)fcntl(io->ours[i], F_SETFL, O_NONBLOCK); /* only our side does not wait */
    }
    return rv;
}

/* The terminal that the runtime opened, from its message on the console socket; it was sent before `create` ended. */
static int console_take(int listener)
{
    union {
        struct cmsghdr header; /* for its alignment */
        char bytes[CMSG_SPACE(sizeof(int))];
    } control;
    char name[64];
    struct iovec part = {name, sizeof name};
    struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof control};
    int terminal = -1, fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
    if (fd >= 0 && recvmsg(fd, &message, MSG_CMSG_CLOEXEC | MSG_DONTWAIT) >= 0) {
        struct cmsghdr *c = CMSG_FIRSTHDR(&message);
        if (c != NULL && c->cmsg_level == SOL_SOCKET && c->cmsg_type == SCM_RIGHTS && c->cmsg_len == CMSG_LEN(sizeof(int)))
            memcpy(&terminal, CMSG_DATA(c), sizeof(int));
    }
    if (fd >= 0)
        (void)close(fd);
    if (terminal >= 0)
        (void)fcntl(terminal, F_SETFL, O_RDWR | O_NONBLOCK);
    return terminal;
}

/* After `create`: what is ours of the streams goes where it is used. */
static int io_take(struct shim *s, struct container_io *io)
{
    struct attach_server *a = &s->attach;
    io_close(io->theirs);
    a->input_once = s->stdin_mode != NULL && strcmp(s->stdin_mode, "once") == 0;
    if (s->tty) {
        int terminal = console_take(io->console);
        if (terminal < 0)
            return -1;
        s->pipes[0] = a->resize_fd = terminal;
        a->input_fd = s->stdin_mode != NULL ? fcntl(terminal, F_DUPFD_CLOEXEC, 0) : -1;
        return 0;
    }
    a->input_fd = io->ours[0];
    s->pipes[0] = io->ours[1];
    s->pipes[1] = io->ours[2];
    return 0;
}

static int container_start(struct shim *s)
{
    struct container_io io;
    char *pid_file SHIM_SCRATCH = mem_printf("%s/pid", s->folder);
    const char *create[] = {"create", "--bundle", s->folder, "--pid-file", pid_file, s->id, NULL};
    const char *create_tty[] = {"create", "--console-socket", CONSOLE_SOCKET, "--bundle", s->folder, "--pid-file", pid_file,
                                s->id, NULL};
    const char *start[] = {"start", s->id, NULL}, *cleanup[] = {"delete", "--force", s->id, NULL};
    int opened = io_open(s, &io);
    if (opened == 0)
        opened = attach_server_open(&s->attach);
    if (opened < 0) {
        report(s, "cannot make pipes and sockets in %s: %s", s->folder, strerror(-opened));
        return -1;
    }
    struct host_stat stale;
    char *state SHIM_SCRATCH = mem_printf("%s/%s", s->state, s->id);
    if (host_stat(state, &stale) == 0) /* of a container that ended together with its shim */
        (void)runtime_run(s, cleanup, NULL);
    int rv = runtime_run(s, s->tty ? create_tty : create, io.theirs);
    if (rv == 0 && (io_take(s, &io) < 0 || pid_read(s) < 0))
        rv = -1;
    if (io.console >= 0)
        (void)close(io.console);
    if (rv == 0)
        rv = runtime_run(s, start, NULL);
    if (rv != 0) {
        char *words SHIM_SCRATCH = runtime_words();
        (void)runtime_run(s, cleanup, NULL); /* nothing to delete is fine */
        report(s, rv == 127 ? "cannot run %s: is it installed? (%s)" : "%s: %s", s->runtime, words);
        return -1;
    }
    char *started SHIM_SCRATCH = mem_printf("%lld", (long long)(wall_ns() / 1000000));
    if (file_put(s, "started", started) < 0) {
        (void)runtime_run(s, cleanup, NULL);
        report(s, "cannot write below %s", s->folder);
        return -1;
    }
    report(s, "ok %d", (int)s->pid);
    return 0;
}

/* How many processes of the container the kernel killed for want of memory. */
static unsigned long oom_kills(const struct shim *s)
{
    bool v2 = host_cgroup_version() == 2;
    char *path SHIM_SCRATCH = mem_printf(v2 ? "/sys/fs/cgroup/%s/memory.events" : "/sys/fs/cgroup/memory/%s/memory.oom_control",
                                         s->cgroup);
    struct buf text = {0};
    unsigned long count = 0;
    if (host_read_file(path, 0, 4096, &text, NULL) == 0 && text.size > 0) {
        const char *at = strstr(text.data, "oom_kill ");
        count = at == NULL ? 0 : strtoul(at + strlen("oom_kill "), NULL, 10);
    }
    buf_release(&text);
    return count;
}

static void container_wait(struct shim *s, int signal_fd)
{
    bool ended = false;
    int status = 0;
    while (!ended) {
        bool read_output = !attach_server_holds_back(&s->attach);
        struct pollfd fds[4 + ATTACH_POLL_MAX] = {{.fd = read_output ? s->pipes[0] : -1, .events = POLLIN},
                                                  {.fd = read_output ? s->pipes[1] : -1, .events = POLLIN},
                                                  {.fd = s->pidfd, .events = POLLIN},
                                                  {.fd = signal_fd, .events = POLLIN}};
        int timeout_ms = attach_server_poll(&s->attach, fds + 4);
        int ready = poll(fds, ARRAY_LEN(fds), timeout_ms);
        if (ready < 0 && errno != EINTR)
            break;
        if (ready < 0)
            continue;
        for (int i = 0; i < 2; i++)
            if ((fds[i].revents & (POLLIN | POLLHUP | POLLERR)) != 0 && !pipe_copy(s, i)) {
                (void)close(s->pipes[i]);
                if (s->attach.resize_fd == s->pipes[i])
                    s->attach.resize_fd = -1;
                s->pipes[i] = -1;
            }
        attach_server_handle(&s->attach, fds + 4);
        struct signalfd_siginfo info;
        if ((fds[3].revents & POLLIN) != 0)
            (void)!read(signal_fd, &info, sizeof info); /* only to wake up: what ended is asked for below */
        int any;
        pid_t pid;
        while ((pid = waitpid(-1, &any, WNOHANG)) > 0)
            if (pid == s->pid) {
                status = any;
                ended = true;
            }
    }
    pipes_finish(s);
    attach_server_finish(&s->attach);
    unsigned long killed = oom_kills(s);
    int code = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
    char *text SHIM_SCRATCH = mem_printf("{\"exitCode\":%d,\"signal\":%d,\"oomKills\":%lu,\"finishedMs\":%lld}", code,
                                         WIFSIGNALED(status) ? WTERMSIG(status) : 0, killed,
                                         (long long)(wall_ns() / 1000000));
    const char *delete[] = {"delete", "--force", s->id, NULL};
    (void)runtime_run(s, delete, NULL); /* the agent deletes again when it removes the container */
    (void)file_put(s, "exit", text);    /* unwritable: the agent reports the status as unknown */
}

static int keeper_main(struct shim *s)
{
    sigset_t set;
    sigfillset(&set);
    (void)sigprocmask(SIG_BLOCK, &set, NULL); /* ended by its container only, or by KILL */
    sigemptyset(&set);
    sigaddset(&set, SIGCHLD);
    int signal_fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
    (void)prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0);
    char *self SHIM_SCRATCH = mem_printf("%d", (int)getpid());
    log_open(s);
    if (signal_fd < 0 || s->log_fd < 0) {
        report(s, "cannot open the log %s: %s", s->log_file, strerror(errno));
        return 1;
    }
    if (file_put(s, "shim.pid", self) < 0) {
        report(s, "cannot write below %s", s->folder);
        return 1;
    }
    if (namespace_enter(s) < 0 || container_start(s) < 0)
        return 1;
    container_wait(s, signal_fd);
    return 0;
}

/* The front: passes the keeper's one line on. */
static int front_main(int report_fd)
{
    char line[RUNTIME_LOG_MAX + 256];
    size_t size = 0;
    ssize_t n;
    while (size < sizeof line - 1 && (n = read(report_fd, line + size, sizeof line - 1 - size)) != 0) {
        if (n < 0 && errno != EINTR)
            break;
        size += n > 0 ? (size_t)n : 0;
    }
    line[size] = '\0';
    bool ok = strncmp(line, "ok ", 3) == 0;
    (void)fprintf(ok ? stdout : stderr, "%s\n", size > 0 ? line : "the shim ended without a word");
    return ok ? 0 : 1;
}

static int keeper_detach(struct shim *s, const int report_pipe[2])
{
    (void)close(report_pipe[0]);
    s->report_fd = report_pipe[1];
    (void)setsid();
    int null_fd = open("/dev/null", O_RDWR | O_CLOEXEC);
    for (int fd = 0; fd < 3 && null_fd >= 0; fd++)
        (void)dup2(null_fd, fd);
    return keeper_main(s);
}

int host_shim_main(int argc, char **argv)
{
    struct shim s = {.runtime = "crun", .pipes = {-1, -1}, .pidfd = -1, .report_fd = -1, .log_fd = -1};
    attach_server_init(&s.attach);
    s.framers[0].stream = "stdout";
    s.framers[1].stream = "stderr";
    const struct flag flags[] = {
        {.name = "folder", .type = FLAG_TEXT, .target = &s.folder, .help = "bundle and state of the container"},
        {.name = "id", .type = FLAG_TEXT, .target = &s.id, .help = "container id for the runtime"},
        {.name = "runtime", .type = FLAG_TEXT, .target = &s.runtime, .help = "crun or runc"},
        {.name = "state", .type = FLAG_TEXT, .target = &s.state, .help = "folder of the runtime's own state"},
        {.name = "layers-folder", .type = FLAG_TEXT, .target = &s.layers_folder, .help = "where layers are unpacked"},
        {.name = "layers", .type = FLAG_TEXT, .target = &s.layers, .help = "their names, topmost first, with ':'"},
        {.name = "log", .type = FLAG_TEXT, .target = &s.log_file, .help = "log file"},
        {.name = "cgroup", .type = FLAG_TEXT, .target = &s.cgroup, .help = "cgroup of the container"},
        {.name = "stdin", .type = FLAG_TEXT, .target = &s.stdin_mode, .help = "the container has an input: once, always"},
        {.name = "tty", .type = FLAG_BOOL, .target = &s.tty, .help = "the container has a terminal"},
        {0},
    };
    struct flags_result result;
    struct err err;
    if (flags_parse(flags, argc, argv, NULL, &result, &err) < 0) {
        (void)fprintf(stderr, "shim: %s\n", err.message);
        return 2;
    }
    flags_release(&result);
    if (s.folder == NULL || s.id == NULL || s.state == NULL || s.layers_folder == NULL || s.layers == NULL || s.log_file == NULL ||
        s.cgroup == NULL) {
        (void)fprintf(stderr, "shim: started by the node agent only; a flag is missing\n");
        return 2;
    }
    int report_pipe[2];
    if (pipe2(report_pipe, O_CLOEXEC) != 0) {
        (void)fprintf(stderr, "shim: cannot make a pipe: %s\n", strerror(errno));
        return 1;
    }
    pid_t pid = fork();
    if (pid < 0) {
        (void)fprintf(stderr, "shim: cannot fork: %s\n", strerror(errno));
        return 1;
    }
    if (pid == 0)
        return keeper_detach(&s, report_pipe);
    (void)close(report_pipe[1]);
    return front_main(report_pipe[0]);
}
