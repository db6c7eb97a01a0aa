#include "common/base.h"

#include "common/uv_fd.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/buf.h"
#include "common/mem.h"

#define READ_BYTES (64 * 1024)
#define READ_ROUNDS_MAX 16 /* before others get their turn */

struct uv_fd {
    uv_poll_t poll;
    int fd;
    const struct uv_fd_io *io;
    const struct uv_fd_callbacks *callbacks;
    void *arg;
    struct buf out;
    bool paused, write_only, ending, ended, freed;
    bool is_socket;
};

static void tell_end(struct uv_fd *f)
{
    if (f->ended || f->freed)
        return;
    f->ended = true;
    (void)uv_poll_stop(&f->poll); /* 0 on a live handle */
    f->callbacks->on_end(f->arg);
}

static void on_ready(uv_poll_t *poll, int status, int events);

static void rearm(struct uv_fd *f)
{
    int events = 0;
    if (f->freed || f->ended)
        return;
    if (!f->paused && !f->write_only && !f->ending)
        events |= UV_READABLE;
    if (f->out.size > 0 || f->ending)
        events |= UV_WRITABLE;
    /* A hang-up is always reported by the kernel: without an interest of ours it would wake us for ever. */
    if (events == 0)
        (void)uv_poll_stop(&f->poll);
    else if (uv_poll_start(&f->poll, events, on_ready) != 0)
        tell_end(f);
}

static ssize_t write_some(struct uv_fd *f, const char *bytes, size_t size)
{
    if (f->io != NULL)
        return f->io->write(f->arg, bytes, size);
    ssize_t n;
    do
        n = f->is_socket ? send(f->fd, bytes, size, MSG_NOSIGNAL) : write(f->fd, bytes, size);
    while (n < 0 && errno == EINTR);
    return n < 0 ? -errno : n;
}

static void write_out(struct uv_fd *f)
{
    size_t sent = 0;
    bool failed = false;
    while (sent < f->out.size) {
        ssize_t n = write_some(f, f->out.data + sent, f->out.size - sent);
        failed = n < 0 && n != -EAGAIN;
        if (n <= 0)
            break;
        sent += (size_t)n;
    }
    buf_consume(&f->out, sent);
    if (f->out.size == 0 && f->out.capacity > 4 * READ_BYTES)
        buf_release(&f->out);
    if (failed || (f->ending && f->out.size == 0))
        tell_end(f);
    else if (sent > 0 && f->out.size == 0 && f->callbacks->on_drain != NULL)
        f->callbacks->on_drain(f->arg);
}

/* Bytes read; 0: nothing there now; -1: the end. */
static ssize_t read_some(struct uv_fd *f)
{
    char bytes[READ_BYTES];
    ssize_t n;
    do
        n = f->io != NULL ? f->io->read(f->arg, bytes, sizeof bytes) : read(f->fd, bytes, sizeof bytes);
    while (f->io == NULL && n < 0 && errno == EINTR);
    if (f->io != NULL ? n == -EAGAIN : n < 0 && errno == EAGAIN)
        return 0;
    if (n <= 0) /* a terminal whose other side closed says EIO */
        return -1;
    f->callbacks->on_read(f->arg, slice_of(bytes, (size_t)n));
    return n;
}

static void on_ready(uv_poll_t *poll, int status, int events)
{
    struct uv_fd *f = poll->data;
    bool gone = status < 0;
    if (!gone && (events & UV_WRITABLE) != 0)
        write_out(f);
    if (!gone && !f->freed && !f->ended && !f->paused && !f->ending && !f->write_only && (events & UV_READABLE) != 0)
        gone = read_some(f) < 0;
    if (gone)
        tell_end(f);
    rearm(f);
}

struct uv_fd *uv_fd_new(uv_loop_t *loop, int fd, const struct uv_fd_io *io, const struct uv_fd_callbacks *callbacks, void *arg)
{
    struct uv_fd *f = NEW(struct uv_fd);
    int kind;
    socklen_t size = sizeof kind;
    f->fd = fd;
    f->io = io;
    f->callbacks = callbacks;
    f->arg = arg;
    f->is_socket = getsockopt(fd, SOL_SOCKET, SO_TYPE, &kind, &size) == 0;
    int flags = fcntl(fd, F_GETFL);
    if (flags < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) != 0 || uv_poll_init(loop, &f->poll, fd) != 0) {
        (void)close(fd); /* nothing was written to it */
        mem_free(f);
        return NULL;
    }
    f->poll.data = f;
    rearm(f);
    return f;
}

static void poll_closed(uv_handle_t *handle) { mem_free(handle->data); }

void uv_fd_free(struct uv_fd *f)
{
    if (f == NULL || f->freed)
        return;
    f->freed = true;
    (void)uv_poll_stop(&f->poll);
    (void)close(f->fd); /* what was accepted for writing is the kernel's */
    f->fd = -1;
    buf_release(&f->out);
    uv_close((uv_handle_t *)&f->poll, poll_closed);
}

void uv_fd_write(struct uv_fd *f, struct slice bytes)
{
    ASSERT(!f->freed);
    if (f->ended || f->ending)
        return; /* on_end tells */
    buf_append_slice(&f->out, bytes);
    rearm(f); /* written on the next turn, together with what else is written in this one */
}

size_t uv_fd_pending(const struct uv_fd *f) { return f->out.size; }

void uv_fd_pause(struct uv_fd *f, bool paused)
{
    if (f->paused == paused)
        return;
    f->paused = paused;
    rearm(f);
}

void uv_fd_write_only(struct uv_fd *f)
{
    f->write_only = true;
    rearm(f);
}

void uv_fd_end(struct uv_fd *f)
{
    f->ending = true;
    rearm(f);
}

bool uv_fd_read_rest(struct uv_fd *f)
{
    for (int round = 0; round < READ_ROUNDS_MAX && !f->freed && !f->ended && !f->paused; round++)
        if (read_some(f) <= 0)
            return true;
    return f->freed || f->ended;
}

int uv_fd_number(const struct uv_fd *f) { return f->fd; }
