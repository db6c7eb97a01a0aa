/* Programs with flowing streams (struct proc_session): pipes, or a terminal that the program hands over.
 *
 *   running ──(it ended)──▶ draining (until what it wrote is handed out) ──▶ closing (handles) ──▶ done
 *      └──(it did not start, or the seam closes)──────────────────────────────▲ */
#include "common/base.h"
#include "common/uv_proc.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/buf.h"
#include "common/mem.h"
#include "common/uv_fd.h"

#define CONSOLE_NAME "console"

enum session_state { SESSION_RUNNING, SESSION_DRAINING, SESSION_CLOSING };

enum { STREAM_OUT, STREAM_ERR, STREAM_IN, STREAM_LISTENER, STREAM_HANDOVER, STREAM_COUNT };

struct session;

/* One descriptor of a session. With a terminal, STREAM_OUT is that, for both directions. */
struct stream {
    struct session *session;
    struct uv_fd *fd; /* NULL: not there, or at its end */
};

struct session {
    struct uv_proc *owner;
    struct proc_session *request;
    struct list link;
    uv_loop_t *loop;
    enum session_state state;
    struct stream streams[STREAM_COUNT];
    uv_poll_t exit_poll;
    uv_timer_t turn; /* goes on draining */
    int pidfd, received_fd;
    unsigned handles;
    bool paused, poll_open;
    struct winsize size; /* asked for; zero: never */
    struct buf held;     /* input before the terminal is there */
    struct proc_exit exit;
    int status;
};

/* --- the end --- */

static void handle_closed(uv_handle_t *handle)
{
    struct session *s = handle->data;
    if (--s->handles > 0)
        return;
    struct proc_session *request = s->request;
    struct uv_proc *owner = s->owner;
    int status = s->status;
    struct proc_exit exit = s->exit;
    if (s->pidfd >= 0)
        (void)close(s->pidfd); /* a pidfd has nothing to lose */
    buf_release(&s->held);
    list_remove(&s->link);
    struct list link;
    list_init(&link);
    mem_free(s);
    request->pid = 0;
    request->impl = NULL;
    request->done(request, status, &exit);
    uv_proc_drop(owner, &link);
}

static void stream_drop(struct stream *t)
{
    uv_fd_free(t->fd);
    t->fd = NULL;
}

static void session_end(struct session *s)
{
    if (s->state == SESSION_CLOSING)
        return;
    s->state = SESSION_CLOSING;
    for (size_t i = 0; i < STREAM_COUNT; i++)
        stream_drop(&s->streams[i]);
    if (s->poll_open)
        uv_close((uv_handle_t *)&s->exit_poll, handle_closed);
    uv_close((uv_handle_t *)&s->turn, handle_closed);
}

/* Hands out what is left of both outputs; the session is over when nothing is. */
static void drain(struct session *s)
{
    bool left = false;
    for (int i = STREAM_OUT; i <= STREAM_ERR && s->state == SESSION_DRAINING; i++) {
        if (s->streams[i].fd == NULL)
            continue;
        if (uv_fd_read_rest(s->streams[i].fd))
            stream_drop(&s->streams[i]);
        else
            left = true;
    }
    if (!left)
        session_end(s);
}

static void on_turn(uv_timer_t *timer)
{
    struct session *s = timer->data;
    drain(s);
    if (s->state == SESSION_DRAINING && !s->paused)
        (void)uv_timer_start(&s->turn, on_turn, 0, 0); /* cannot fail with a callback */
}

static void on_exit_ready(uv_poll_t *poll, int status, int events)
{
    (void)status;
    (void)events;
    struct session *s = poll->data;
    s->exit = uv_proc_reap(s->pidfd);
    (void)uv_poll_stop(poll);
    s->state = SESSION_DRAINING;
    /* A terminal may be on its way still: what was written to it counts. */
    if (s->streams[STREAM_LISTENER].fd != NULL)
        (void)uv_fd_read_rest(s->streams[STREAM_LISTENER].fd);
    if (s->streams[STREAM_HANDOVER].fd != NULL)
        (void)uv_fd_read_rest(s->streams[STREAM_HANDOVER].fd);
    on_turn(&s->turn);
}

/* --- streams --- */

static void input_account(struct session *s)
{
    struct stream *in = &s->streams[s->request->terminal ? STREAM_OUT : STREAM_IN];
    s->request->input_bytes_pending = s->held.size + (in->fd == NULL ? 0 : uv_fd_pending(in->fd));
}

static void on_output(void *arg, struct slice bytes)
{
    struct stream *t = arg;
    struct session *s = t->session;
    s->request->on_output(s->request, t == &s->streams[STREAM_ERR], bytes);
}

static void on_drained(void *arg)
{
    struct stream *t = arg;
    struct session *s = t->session;
    input_account(s);
    if (s->request->on_drained != NULL)
        s->request->on_drained(s->request);
}

static void on_stream_end(void *arg)
{
    struct stream *t = arg;
    stream_drop(t);
    input_account(t->session);
}

static const struct uv_fd_callbacks stream_callbacks = {on_output, on_drained, on_stream_end};

/* Takes `fd`, -1 included. */
static void stream_open(struct session *s, int which, int fd, const struct uv_fd_io *io, const struct uv_fd_callbacks *callbacks)
{
    struct stream *t = &s->streams[which];
    t->session = s;
    if (fd < 0)
        return;
    t->fd = uv_fd_new(s->loop, fd, io, callbacks, t);
}

/* --- the terminal: a connection to our socket brings one descriptor --- */

static void terminal_resize(struct session *s)
{
    if (s->streams[STREAM_OUT].fd != NULL && s->size.ws_col != 0)
        (void)ioctl(uv_fd_number(s->streams[STREAM_OUT].fd), TIOCSWINSZ, &s->size); /* its program has gone: nobody looks */
}

static ssize_t handover_receive(void *arg, char *bytes, size_t size)
{
    struct stream *t = arg;
    union {
        struct cmsghdr header; /* for its alignment */
        char bytes[CMSG_SPACE(sizeof(int))];
    } control;
    struct iovec part = {bytes, size};
    struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof control};
    ssize_t n = recvmsg(uv_fd_number(t->fd), &message, MSG_CMSG_CLOEXEC);
    if (n < 0)
        return -errno;
    struct cmsghdr *c = CMSG_FIRSTHDR(&message);
    if (c != NULL && c->cmsg_level == SOL_SOCKET && c->cmsg_type == SCM_RIGHTS && c->cmsg_len == CMSG_LEN(sizeof(int)))
        memcpy(&t->session->received_fd, CMSG_DATA(c), sizeof(int));
    return n;
}

static void on_handed_over(void *arg, struct slice bytes)
{
    (void)bytes; /* the terminal's name */
    struct session *s = ((struct stream *)arg)->session;
    int fd = s->received_fd;
    s->received_fd = -1;
    if (fd < 0 || s->streams[STREAM_OUT].fd != NULL) {
        if (fd >= 0)
            (void)close(fd); /* a second one is nobody's */
        return;
    }
    stream_open(s, STREAM_OUT, fd, NULL, &stream_callbacks);
    stream_drop(&s->streams[STREAM_LISTENER]);
    stream_drop(&s->streams[STREAM_HANDOVER]);
    if (s->streams[STREAM_OUT].fd == NULL)
        return;
    terminal_resize(s);
    uv_fd_pause(s->streams[STREAM_OUT].fd, s->paused);
    uv_fd_write(s->streams[STREAM_OUT].fd, buf_slice(&s->held));
    buf_release(&s->held);
}

static void on_plumbing_end(void *arg) { stream_drop(arg); }

static ssize_t listener_accept(void *arg, char *bytes, size_t size)
{
    static const struct uv_fd_io io = {handover_receive, NULL};
    static const struct uv_fd_callbacks callbacks = {on_handed_over, NULL, on_plumbing_end};
    (void)bytes;
    (void)size;
    struct stream *t = arg;
    struct session *s = t->session;
    int fd = accept4(uv_fd_number(t->fd), NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
    if (fd >= 0 && s->streams[STREAM_HANDOVER].fd != NULL)
        (void)close(fd);
    else if (fd >= 0)
        stream_open(s, STREAM_HANDOVER, fd, &io, &callbacks);
    return -EAGAIN;
}

static void on_nothing(void *arg, struct slice bytes)
{
    (void)arg;
    (void)bytes;
}

/* Listens on FOLDER/console, however long that path is: sun_path holds 108 bytes. 0 or -errno. */
static int console_listen(struct session *s)
{
    static const struct uv_fd_io io = {listener_accept, NULL};
    static const struct uv_fd_callbacks callbacks = {on_nothing, NULL, on_plumbing_end};
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int rv = 0, folder = open(s->request->folder, O_PATH | O_DIRECTORY | O_CLOEXEC);
    int fd = folder < 0 ? -1 : socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    (void)snprintf(address.sun_path, sizeof address.sun_path, "/proc/self/fd/%d/" CONSOLE_NAME, folder); /* fits */
    if (fd < 0 || bind(fd, (struct sockaddr *)&address, sizeof address) != 0 || listen(fd, 1) != 0)
        rv = -errno;
    if (folder >= 0)
        (void)close(folder);
    if (rv < 0) {
        if (fd >= 0)
            (void)close(fd);
        return rv;
    }
    stream_open(s, STREAM_LISTENER, fd, &io, &callbacks);
    return 0;
}

/* --- the start --- */

struct pipes {
    int ours[3], theirs[3];
};

static void pipes_close(int fds[3])
{
    for (int i = 0; i < 3; i++)
        if (fds[i] >= 0)
            (void)close(fds[i]);
}

static int pipes_open(const struct proc_session *request, struct pipes *p)
{
    bool want[3] = {request->input && !request->terminal, !request->terminal, true};
    for (int i = 0; i < 3; i++)
        p->ours[i] = p->theirs[i] = -1;
    for (int i = 0; i < 3; i++) {
        int fds[2];
        if (!want[i])
            continue;
        if (pipe2(fds, O_CLOEXEC) != 0)
            return -errno;
        p->ours[i] = i == 0 ? fds[1] : fds[0];
        p->theirs[i] = i == 0 ? fds[0] : fds[1];
    }
    return 0;
}

static void session_failed(struct session *s, int number, const char *what)
{
    s->status = err_set_errno(&s->request->err, number, "%s %s", what, s->request->argv[0]);
    session_end(s);
}

static void session_started(struct session *s, struct pipes *p)
{
    static const int streams[3] = {STREAM_IN, STREAM_OUT, STREAM_ERR};
    struct proc_session *request = s->request;
    s->pidfd = uv_proc_pidfd(request->pid);
    if (s->pidfd < 0 || uv_poll_init(s->loop, &s->exit_poll, s->pidfd) != 0) {
        (void)kill(-request->pid, SIGKILL);
        (void)waitpid(request->pid, NULL, 0);
        session_failed(s, s->pidfd < 0 ? EMFILE : EIO, "watch");
        return;
    }
    s->exit_poll.data = s;
    s->poll_open = true;
    s->handles++;
    (void)uv_poll_start(&s->exit_poll, UV_READABLE, on_exit_ready);
    for (int i = 0; i < 3; i++) {
        stream_open(s, streams[i], p->ours[i], NULL, &stream_callbacks);
        p->ours[i] = -1;
    }
    if (s->streams[STREAM_IN].fd != NULL)
        uv_fd_write_only(s->streams[STREAM_IN].fd);
}

void uv_session_start(void *impl, struct proc_session *request)
{
    ASSERT(request->argv != NULL && request->argv[0] != NULL);
    ASSERT(IMPLIES(request->terminal, request->folder != NULL));
    struct session *s = NEW(struct session);
    s->owner = impl;
    s->request = request;
    s->pidfd = s->received_fd = -1;
    s->loop = uv_proc_hold(s->owner, &s->link);
    for (size_t i = 0; i < STREAM_COUNT; i++)
        s->streams[i].session = s;
    request->impl = s;
    request->input_bytes_pending = 0;
    (void)uv_timer_init(s->loop, &s->turn); /* cannot fail */
    s->turn.data = s;
    s->handles = 1;
    struct pipes p;
    pid_t pid = 0;
    int rv = pipes_open(request, &p);
    if (rv == 0 && request->terminal)
        rv = console_listen(s);
    if (rv == 0) {
        struct uv_proc_spawn o = {.argv = request->argv, .folder = request->folder,
                                  .fds = {p.theirs[0], request->terminal ? p.theirs[2] : p.theirs[1], p.theirs[2]}};
        rv = -uv_proc_spawn(&o, &pid);
    }
    if (rv < 0) {
        session_failed(s, -rv, "run");
    } else {
        request->pid = pid;
        session_started(s, &p);
    }
    pipes_close(p.theirs);
    pipes_close(p.ours);
}

/* --- what its caller asks --- */

void uv_session_write(struct proc_session *request, struct slice bytes)
{
    struct session *s = request->impl;
    struct stream *in = &s->streams[request->terminal ? STREAM_OUT : STREAM_IN];
    if (s->state != SESSION_RUNNING)
        return;
    if (in->fd != NULL)
        uv_fd_write(in->fd, bytes);
    else if (request->terminal && s->streams[STREAM_LISTENER].fd != NULL)
        buf_append_slice(&s->held, bytes);
    input_account(s);
}

void uv_session_input_end(struct proc_session *request)
{
    struct session *s = request->impl;
    if (!request->terminal && s->streams[STREAM_IN].fd != NULL)
        uv_fd_end(s->streams[STREAM_IN].fd);
}

void uv_session_pause(struct proc_session *request, bool paused)
{
    struct session *s = request->impl;
    s->paused = paused;
    for (int i = STREAM_OUT; i <= STREAM_ERR; i++)
        if (s->streams[i].fd != NULL)
            uv_fd_pause(s->streams[i].fd, paused);
    if (!paused && s->state == SESSION_DRAINING)
        (void)uv_timer_start(&s->turn, on_turn, 0, 0); /* cannot fail with a callback */
}

void uv_session_resize(struct proc_session *request, unsigned width, unsigned height)
{
    struct session *s = request->impl;
    s->size = (struct winsize){.ws_col = (unsigned short)MIN(width, 65535U), .ws_row = (unsigned short)MIN(height, 65535U)};
    if (request->terminal)
        terminal_resize(s);
}

void uv_session_cancel(struct list *link)
{
    struct session *s = container_of(link, struct session, link);
    if (s->state == SESSION_CLOSING)
        return;
    if (s->state == SESSION_RUNNING) {
        (void)kill(-s->request->pid, SIGKILL);
        (void)waitpid(s->request->pid, NULL, 0); /* SIGKILL does not wait for anything but the kernel */
    }
    s->status = err_set(&s->request->err, ERR_CANCELED, "%s was ended with this process", s->request->argv[0]);
    session_end(s);
}
