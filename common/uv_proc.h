/* The real process seam over one libuv loop: posix_spawn, pidfds, pipes with bounds. Only uv_env.c knows this header. */
#ifndef COMMON_UV_PROC_H
#define COMMON_UV_PROC_H

#include "common/base.h"
#include "common/list.h"
#include "common/proc.h"

#include <uv.h>

struct uv_proc;

/* `loop` must outlive it. Always 0. Nothing is asked of the kernel before the first run or watch; the first watch makes
 * the process a subreaper (prctl(2)) and from then on reaps orphans nobody watches. */
int uv_proc_new(uv_loop_t *loop, struct proc *ret, struct uv_proc **ret_proc);

/* Kills what still runs; each of its `done` follows with ERR_CANCELED, watches are forgotten. The memory is released once
 * the loop has closed its handles, so the loop has to run on until nothing is left in it. NULL is fine. */
void uv_proc_close(struct uv_proc *p);

/* Shared with uv_session.c, which runs programs with flowing streams. */
struct uv_proc_spawn {
    const char *const *argv, *const *environment; /* as of proc_run */
    const char *folder;                           /* NULL: where we are */
    int fds[3];                                   /* the first one -1: /dev/null */
};
int uv_proc_spawn(const struct uv_proc_spawn *o, pid_t *ret_pid); /* 0 or an errno */
int uv_proc_pidfd(int pid);
/* The status of an ended process, reaping it where it is our child; code -1 where it is somebody else's. */
struct proc_exit uv_proc_reap(int pidfd);
/* A session is known to the seam, and keeps it, from hold to drop. */
uv_loop_t *uv_proc_hold(struct uv_proc *p, struct list *session);
void uv_proc_drop(struct uv_proc *p, struct list *session);

void uv_session_start(void *impl, struct proc_session *s);
void uv_session_write(struct proc_session *s, struct slice bytes);
void uv_session_input_end(struct proc_session *s);
void uv_session_pause(struct proc_session *s, bool paused);
void uv_session_resize(struct proc_session *s, unsigned width, unsigned height);
void uv_session_cancel(struct list *session); /* killed; `done` follows with ERR_CANCELED */

#endif
