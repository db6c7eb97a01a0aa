/* Processes as the components see them. Every child and every watched process is held by a pidfd in the loop, so no
 * SIGCHLD handler and no waitpid(-1) can take the status of another instance's child.
 *
 * A child of `run` leads its own process group, in this process's session: that is how a time-out ends all of what a
 * command started, and how the reaper of orphans tells other instances' children from orphans. */
#include "common/base.h"
#include "common/uv_proc.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/list.h"
#include "common/mem.h"
#include "common/uv_env.h"

#define ENDED_MAX 256      /* ends of orphans remembered for a watch that comes late */
#define CHILDREN_BYTES_MAX (64 * 1024)

struct ended {
    int pid;
    struct proc_exit exit;
};

struct uv_proc {
    uv_loop_t *loop;
    uv_signal_t child_signal;
    bool reaping, closing;
    unsigned references; /* one of the owner, one per handle group still open */
    struct list runs, watches, sessions;
    struct ended ended[ENDED_MAX];
    size_t ended_next;
};

enum { PIPE_IN, PIPE_OUT, PIPE_ERR, PIPE_COUNT };

struct run {
    struct uv_proc *owner;
    struct proc_run *request; /* NULL never: done runs once, last */
    struct list link;
    uv_poll_t exit_poll;
    uv_timer_t timer;
    uv_pipe_t pipes[PIPE_COUNT];
    bool pipe_open[PIPE_COUNT], poll_open;
    uv_write_t write;
    int pidfd;
    unsigned handles; /* still to close */
    int status;
    struct proc_exit exit;
    bool ending;
    char chunk[16384];
};

struct watch {
    struct uv_proc *owner;
    struct proc_watch *request; /* NULL once unwatched */
    struct list link;
    uv_poll_t poll;
    uv_timer_t timer; /* fires at once where the process is gone already */
    int pidfd;
    unsigned handles;
    struct proc_exit exit;
    bool ending;
};

extern char **environ;

static void uv_proc_unref(struct uv_proc *p)
{
    ASSERT(p->references > 0);
    if (--p->references == 0)
        mem_free(p);
}

static struct proc_exit exit_of(const siginfo_t *info)
{
    if (info->si_code == CLD_EXITED)
        return (struct proc_exit){.code = info->si_status};
    return (struct proc_exit){.signal = info->si_status};
}

struct proc_exit uv_proc_reap(int pidfd)
{
    siginfo_t info = {0};
    if (waitid(P_PIDFD, (id_t)pidfd, &info, WEXITED | WNOHANG) == 0 && info.si_pid != 0)
        return exit_of(&info);
    return (struct proc_exit){.code = -1};
}

int uv_proc_pidfd(int pid) { return (int)syscall(SYS_pidfd_open, pid, 0); }

uv_loop_t *uv_proc_hold(struct uv_proc *p, struct list *session)
{
    ASSERT(!p->closing);
    p->references++;
    list_push_back(&p->sessions, session);
    return p->loop;
}

void uv_proc_drop(struct uv_proc *p, struct list *session)
{
    list_remove(session);
    uv_proc_unref(p);
}

/* --- run --- */

static void run_handle_closed(uv_handle_t *handle)
{
    struct run *r = handle->data;
    ASSERT(r->handles > 0);
    if (--r->handles > 0)
        return;
    if (r->pidfd >= 0)
        (void)close(r->pidfd); /* a pidfd has nothing to lose */
    list_remove(&r->link);
    struct proc_run *request = r->request;
    struct uv_proc *owner = r->owner;
    int status = r->status;
    struct proc_exit exit = r->exit;
    mem_free(r);
    request->pid = 0;
    request->impl = NULL;
    request->done(request, status, &exit);
    uv_proc_unref(owner);
}

static void pipe_shut(struct run *r, int which)
{
    if (!r->pipe_open[which])
        return;
    r->pipe_open[which] = false;
    uv_close((uv_handle_t *)&r->pipes[which], run_handle_closed);
}

/* Everything closes; `done` runs from the last close callback, so never inside the call that led here. */
static void run_end(struct run *r)
{
    if (r->ending)
        return;
    r->ending = true;
    for (int i = 0; i < PIPE_COUNT; i++)
        pipe_shut(r, i);
    if (r->poll_open)
        uv_close((uv_handle_t *)&r->exit_poll, run_handle_closed);
    uv_close((uv_handle_t *)&r->timer, run_handle_closed);
}

static struct buf *capture_of(struct run *r, int which)
{
    return which == PIPE_OUT ? &r->request->output : &r->request->errors;
}

static void capture(struct run *r, int which, const char *bytes, size_t size)
{
    struct buf *into = capture_of(r, which);
    buf_append(into, bytes, MIN(size, PROC_OUTPUT_MAX - MIN(into->size, (size_t)PROC_OUTPUT_MAX)));
}

static void on_alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *ret)
{
    (void)suggested;
    struct run *r = handle->data;
    *ret = uv_buf_init(r->chunk, sizeof r->chunk);
}

static void on_read(uv_stream_t *stream, ssize_t count, const uv_buf_t *bytes)
{
    struct run *r = stream->data;
    int which = (uv_pipe_t *)stream == &r->pipes[PIPE_OUT] ? PIPE_OUT : PIPE_ERR;
    if (count > 0)
        capture(r, which, bytes->base, (size_t)count);
    else if (count < 0)
        pipe_shut(r, which);
}

/* What the process wrote before it ended is in the pipe; what a left-behind child writes later is not waited for. */
static void drain(struct run *r, int which)
{
    uv_os_fd_t fd;
    if (!r->pipe_open[which] || uv_fileno((uv_handle_t *)&r->pipes[which], &fd) != 0)
        return;
    ssize_t count;
    while ((count = read(fd, r->chunk, sizeof r->chunk)) > 0)
        capture(r, which, r->chunk, (size_t)count);
}

static void on_exit_ready(uv_poll_t *poll, int status, int events)
{
    (void)status;
    (void)events;
    struct run *r = poll->data;
    r->exit = uv_proc_reap(r->pidfd);
    drain(r, PIPE_OUT);
    drain(r, PIPE_ERR);
    run_end(r);
}

static void on_timeout(uv_timer_t *timer)
{
    struct run *r = timer->data;
    (void)kill(-r->request->pid, SIGKILL); /* the group may be gone: its exit is on its way */
}

static void on_written(uv_write_t *write, int status)
{
    (void)status; /* a program may end without reading its input; its exit code says what matters */
    pipe_shut(write->data, PIPE_IN);
}

struct ends {
    int ours[PIPE_COUNT], theirs[PIPE_COUNT];
};

static void ends_close(int fds[PIPE_COUNT])
{
    for (int i = 0; i < PIPE_COUNT; i++)
        if (fds[i] >= 0)
            (void)close(fds[i]);
}

static int ends_open(const struct proc_run *request, struct ends *ends)
{
    bool want[PIPE_COUNT] = {request->input.size > 0, request->stdout_fd <= 0, request->stderr_fd <= 0};
    for (int i = 0; i < PIPE_COUNT; i++)
        ends->ours[i] = ends->theirs[i] = -1;
    for (int i = 0; i < PIPE_COUNT; i++) {
        int fds[2];
        if (!want[i])
            continue;
        if (pipe2(fds, O_CLOEXEC) != 0)
            return -errno;
        ends->ours[i] = i == PIPE_IN ? fds[1] : fds[0];
        ends->theirs[i] = i == PIPE_IN ? fds[0] : fds[1];
    }
    return 0;
}

int uv_proc_spawn(const struct uv_proc_spawn *o, pid_t *ret_pid)
{
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attributes;
    sigset_t all, none;
    sigfillset(&all);
    sigemptyset(&none);
    posix_spawn_file_actions_init(&actions);
    posix_spawnattr_init(&attributes);
    if (o->fds[0] >= 0)
        posix_spawn_file_actions_adddup2(&actions, o->fds[0], 0);
    else
        posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
    posix_spawn_file_actions_adddup2(&actions, o->fds[1], 1);
    posix_spawn_file_actions_adddup2(&actions, o->fds[2], 2);
    if (o->folder != NULL)
        posix_spawn_file_actions_addchdir_np(&actions, o->folder);
    posix_spawn_file_actions_addclosefrom_np(&actions, 3);
    posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSIGMASK);
    posix_spawnattr_setpgroup(&attributes, 0);
    posix_spawnattr_setsigdefault(&attributes, &all);
    posix_spawnattr_setsigmask(&attributes, &none);
    /* posix_spawn takes char *const[] and changes nothing of it */
    int rv = posix_spawnp(ret_pid, o->argv[0], &actions, &attributes, (char *const *)o->argv,
                          o->environment == NULL ? environ : (char *const *)o->environment);
    posix_spawn_file_actions_destroy(&actions);
    posix_spawnattr_destroy(&attributes);
    return rv;
}

static int spawn(const struct proc_run *request, const struct ends *ends, pid_t *ret_pid)
{
    struct uv_proc_spawn o = {.argv = request->argv, .environment = request->environment};
    o.fds[0] = ends->theirs[PIPE_IN];
    o.fds[1] = ends->theirs[PIPE_OUT] >= 0 ? ends->theirs[PIPE_OUT] : request->stdout_fd;
    o.fds[2] = ends->theirs[PIPE_ERR] >= 0 ? ends->theirs[PIPE_ERR] : request->stderr_fd;
    return uv_proc_spawn(&o, ret_pid);
}

static void pipe_take(struct run *r, int which, int *fd)
{
    if (*fd < 0)
        return;
    (void)uv_pipe_init(r->owner->loop, &r->pipes[which], 0); /* cannot fail on a live loop */
    r->pipes[which].data = r;
    r->pipe_open[which] = true;
    r->handles++;
    if (uv_pipe_open(&r->pipes[which], *fd) != 0) {
        pipe_shut(r, which);
        return;
    }
    *fd = -1;
    if (which != PIPE_IN)
        (void)uv_read_start((uv_stream_t *)&r->pipes[which], on_alloc, on_read);
}

static void run_failed(struct run *r, int number, const char *what)
{
    r->status = err_set_errno(&r->request->err, number, "%s %s", what, r->request->argv[0]);
    run_end(r);
}

static void run_started(struct run *r, struct ends *ends)
{
    struct proc_run *request = r->request;
    r->pidfd = uv_proc_pidfd(request->pid);
    if (r->pidfd < 0 || uv_poll_init(r->owner->loop, &r->exit_poll, r->pidfd) != 0) {
        (void)kill(-request->pid, SIGKILL);
        (void)waitpid(request->pid, NULL, 0);
        run_failed(r, r->pidfd < 0 ? EMFILE : EIO, "watch");
        return;
    }
    r->exit_poll.data = r;
    r->poll_open = true;
    r->handles++;
    (void)uv_poll_start(&r->exit_poll, UV_READABLE, on_exit_ready);
    for (int i = 0; i < PIPE_COUNT; i++)
        pipe_take(r, i, &ends->ours[i]);
    if (r->pipe_open[PIPE_IN]) {
        uv_buf_t bytes = uv_buf_init((char *)request->input.data, (unsigned)request->input.size);
        r->write.data = r;
        if (uv_write(&r->write, (uv_stream_t *)&r->pipes[PIPE_IN], &bytes, 1, on_written) != 0)
            pipe_shut(r, PIPE_IN);
    }
    if (request->timeout_ms > 0)
        (void)uv_timer_start(&r->timer, on_timeout, request->timeout_ms, 0);
}

static void uv_proc_run(void *impl, struct proc_run *request)
{
    struct uv_proc *p = impl;
    ASSERT(request->argv != NULL && request->argv[0] != NULL);
    ASSERT(!p->closing);
    struct run *r = NEW(struct run);
    r->owner = p;
    r->request = request;
    r->pidfd = -1;
    p->references++;
    request->impl = r;
    list_push_back(&p->runs, &r->link);
    (void)uv_timer_init(p->loop, &r->timer); /* cannot fail */
    r->timer.data = r;
    r->handles = 1;
    struct ends ends;
    int rv = ends_open(request, &ends);
    pid_t pid = 0;
    if (rv < 0) {
        run_failed(r, -rv, "make pipes for");
    } else if ((rv = spawn(request, &ends, &pid)) != 0) {
        run_failed(r, rv, "run");
    } else {
        request->pid = pid;
        run_started(r, &ends);
    }
    ends_close(ends.theirs);
    ends_close(ends.ours);
}

static void uv_proc_kill(void *impl, int pid, int signal)
{
    (void)impl;
    ASSERT(pid > 0);
    (void)kill(pid, signal); /* gone already is as good */
}

/* --- watch --- */

static void watch_handle_closed(uv_handle_t *handle)
{
    struct watch *w = handle->data;
    if (--w->handles > 0)
        return;
    if (w->pidfd >= 0)
        (void)close(w->pidfd);
    list_remove(&w->link);
    struct proc_watch *request = w->request;
    struct proc_exit exit = w->exit;
    struct uv_proc *owner = w->owner;
    mem_free(w);
    if (request != NULL) {
        request->impl = NULL;
        request->exited(request, &exit);
    }
    uv_proc_unref(owner);
}

static void watch_end(struct watch *w)
{
    if (w->ending)
        return;
    w->ending = true;
    if (w->handles == 2)
        uv_close((uv_handle_t *)&w->poll, watch_handle_closed);
    uv_close((uv_handle_t *)&w->timer, watch_handle_closed);
}

static void on_watched_exit(uv_poll_t *poll, int status, int events)
{
    (void)status;
    (void)events;
    struct watch *w = poll->data;
    w->exit = uv_proc_reap(w->pidfd);
    watch_end(w);
}

static bool is_known(const struct uv_proc *p, int pid)
{
    LIST_FOR_EACH (at, (struct list *)&p->watches)
        if (container_of(at, struct watch, link)->request != NULL &&
            container_of(at, struct watch, link)->request->pid == pid)
            return true;
    return false;
}

/* An orphan, as against a child that some instance in this process runs: see the head of the file. */
static bool is_orphan(int pid) { return getpgid(pid) != pid || getsid(pid) != getsid(0); }

static void reap_orphan(struct uv_proc *p, int pid)
{
    siginfo_t info = {0};
    if (is_known(p, pid) || !is_orphan(pid))
        return;
    if (waitid(P_PID, (id_t)pid, &info, WEXITED | WNOHANG) != 0 || info.si_pid == 0)
        return;
    p->ended[p->ended_next++ % ENDED_MAX] = (struct ended){pid, exit_of(&info)};
}

static void on_child_signal(uv_signal_t *handle, int number)
{
    (void)number;
    struct uv_proc *p = handle->data;
    char path[64], text[CHILDREN_BYTES_MAX];
    (void)snprintf(path, sizeof path, "/proc/self/task/%d/children", (int)getpid());
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return; /* a kernel without the list: orphans stay zombies until this process ends */
    ssize_t size = read(fd, text, sizeof text - 1);
    (void)close(fd);
    text[size > 0 ? size : 0] = '\0';
    for (char *at = text, *end; *at != '\0'; at = end) {
        long pid = strtol(at, &end, 10);
        if (end == at)
            break;
        if (pid > 1)
            reap_orphan(p, (int)pid);
        while (*end == ' ')
            end++;
    }
}

static void reaping_start(struct uv_proc *p)
{
    if (p->reaping)
        return;
    p->reaping = true;
    (void)prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0); /* fails on no kernel since 3.4 */
    (void)uv_signal_init(p->loop, &p->child_signal);
    p->child_signal.data = p;
    (void)uv_signal_start(&p->child_signal, on_child_signal, SIGCHLD);
    uv_unref((uv_handle_t *)&p->child_signal);
}

static struct proc_exit ended_find(const struct uv_proc *p, int pid)
{
    for (size_t back = 1; back <= MIN(p->ended_next, (size_t)ENDED_MAX); back++) {
        const struct ended *e = &p->ended[(p->ended_next - back) % ENDED_MAX];
        if (e->pid == pid)
            return e->exit;
    }
    return (struct proc_exit){.code = -1};
}

static void uv_proc_watch(void *impl, struct proc_watch *request)
{
    struct uv_proc *p = impl;
    ASSERT(request->pid > 0);
    ASSERT(!p->closing);
    reaping_start(p);
    struct watch *w = NEW(struct watch);
    w->owner = p;
    w->request = request;
    request->impl = w;
    p->references++;
    list_push_back(&p->watches, &w->link);
    (void)uv_timer_init(p->loop, &w->timer);
    w->timer.data = w;
    w->handles = 1;
    w->pidfd = uv_proc_pidfd(request->pid);
    if (w->pidfd < 0 || uv_poll_init(p->loop, &w->poll, w->pidfd) != 0) {
        w->exit = ended_find(p, request->pid);
        watch_end(w);
        return;
    }
    w->poll.data = w;
    w->handles = 2;
    (void)uv_poll_start(&w->poll, UV_READABLE, on_watched_exit);
}

static void uv_proc_unwatch(void *impl, struct proc_watch *request)
{
    (void)impl;
    struct watch *w = request->impl;
    if (w == NULL)
        return;
    request->impl = NULL;
    w->request = NULL;
    watch_end(w);
}

static const struct proc_ops uv_proc_ops = {
    .run = uv_proc_run,
    .kill = uv_proc_kill,
    .watch = uv_proc_watch,
    .unwatch = uv_proc_unwatch,
    .session_start = uv_session_start,
    .session_write = uv_session_write,
    .session_input_end = uv_session_input_end,
    .session_pause = uv_session_pause,
    .session_resize = uv_session_resize,
};

int uv_proc_new(uv_loop_t *loop, struct proc *ret, struct uv_proc **ret_proc)
{
    struct uv_proc *p = NEW(struct uv_proc);
    p->loop = loop;
    p->references = 1;
    list_init(&p->runs);
    list_init(&p->watches);
    list_init(&p->sessions);
    *ret = (struct proc){&uv_proc_ops, p};
    *ret_proc = p;
    return 0;
}

static void on_signal_closed(uv_handle_t *handle) { uv_proc_unref(handle->data); }

void uv_proc_close(struct uv_proc *p)
{
    if (p == NULL)
        return;
    ASSERT(!p->closing);
    p->closing = true;
    LIST_FOR_EACH (at, &p->runs) {
        struct run *r = container_of(at, struct run, link);
        if (r->ending)
            continue;
        (void)kill(-r->request->pid, SIGKILL);
        (void)waitpid(r->request->pid, NULL, 0); /* SIGKILL does not wait for anything but the kernel */
        r->status = err_set(&r->request->err, ERR_CANCELED, "%s was ended with this process", r->request->argv[0]);
        run_end(r);
    }
    LIST_FOR_EACH (at, &p->watches) {
        struct watch *w = container_of(at, struct watch, link);
        w->request = NULL;
        watch_end(w);
    }
    LIST_FOR_EACH (at, &p->sessions)
        uv_session_cancel(at);
    if (p->reaping)
        uv_close((uv_handle_t *)&p->child_signal, on_signal_closed);
    else
        uv_proc_unref(p);
}

static void close_seam(void *seam) { uv_proc_close(seam); }

void uv_env_add_proc(struct uv_env *uv)
{
    struct uv_proc *p;
    (void)uv_proc_new(uv_env_loop(uv), &uv_env_env(uv)->proc, &p); /* always 0 */
    uv_env_add(uv, close_seam, p);
}
