/* A byte stream over a descriptor that can be polled (socket, pipe, terminal) on the uv loop, with back-pressure in both
 * directions. Shared by the homes of seams: http_server.c (tunnels) and uv_session.c (streams of processes). */
#ifndef COMMON_UV_FD_H
#define COMMON_UV_FD_H

#include "common/base.h"

#include <uv.h>

struct uv_fd;

struct uv_fd_callbacks {
    void (*on_read)(void *arg, struct slice bytes); /* borrowed for the call */
    void (*on_drain)(void *arg);                    /* everything written was taken; may be NULL */
    void (*on_end)(void *arg); /* once: the other side is gone, or uv_fd_end has written the last byte. Then uv_fd_free */
};

/* How bytes get through the descriptor where that is not read(2) and write(2): TLS. Both return bytes or a negative errno,
 * -EAGAIN included; `read` returns 0 at the end. A `write` that said -EAGAIN is called again with the same bytes first. */
struct uv_fd_io {
    ssize_t (*read)(void *arg, char *bytes, size_t size);
    ssize_t (*write)(void *arg, const char *bytes, size_t size);
};

/* Takes `fd`, which becomes non-blocking; `io` may be NULL. NULL when it cannot be polled; it is closed then too. */
struct uv_fd *uv_fd_new(uv_loop_t *loop, int fd, const struct uv_fd_io *io, const struct uv_fd_callbacks *callbacks, void *arg);
void uv_fd_free(struct uv_fd *f); /* no callback after it; what is not written yet is lost. NULL is fine */

void uv_fd_write(struct uv_fd *f, struct slice bytes); /* copies what the kernel does not take at once */
size_t uv_fd_pending(const struct uv_fd *f);           /* bytes written and not yet taken */
void uv_fd_pause(struct uv_fd *f, bool paused);        /* of reading; it begins unpaused */
void uv_fd_write_only(struct uv_fd *f);                /* never reads: the writing end of a pipe */
void uv_fd_end(struct uv_fd *f); /* on_end, later, when everything is written; nothing is read any more */

/* Reads what is there now, some turns' share of it, unless paused meanwhile; true when that was the end of it or nothing is
 * left, so that nothing more can come from a process that has ended. */
bool uv_fd_read_rest(struct uv_fd *f);

int uv_fd_number(const struct uv_fd *f);

#endif
