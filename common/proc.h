/* The process seam: run a program and learn how it ended. The caller is a subreaper, so processes that a child left
 * behind (a container's first process) can be watched as well. */
#ifndef COMMON_PROC_H
#define COMMON_PROC_H

#include "common/base.h"
#include "common/buf.h"
#include "common/err.h"

struct proc_exit {
    int code;   /* exit code, when signal is 0; -1: a watched process ended that is not ours to ask */
    int signal; /* the signal that ended it, or 0 */
};

struct proc_run {
    const char *const *argv;       /* argv[0] is looked up on PATH; NULL-terminated; borrowed until done */
    const char *const *environment; /* NULL: the caller's own */
    struct slice input;            /* written to its standard input; borrowed until done */
    int stdout_fd, stderr_fd;      /* inherited when >= 0 (0 is not a valid value here); -1 captures into output / errors */
    unsigned timeout_ms;           /* SIGKILL after it; 0 means none */
    void (*done)(struct proc_run *run, int status, const struct proc_exit *exit); /* status: 0 or why it did not start */
    void *data;                    /* of the caller */
    struct buf output, errors;     /* captured, each cut at PROC_OUTPUT_MAX; released by the caller */
    int pid;                       /* while running */
    struct err err;                /* why it did not start */
    void *impl;                    /* of the seam */
};

#define PROC_OUTPUT_MAX (1024 * 1024)

/* A program whose streams its caller handles as they flow. */
struct proc_session {
    const char *const *argv; /* as of proc_run; borrowed until done, like `folder` */
    const char *folder;      /* where it runs; NULL: where we do */
    bool input;              /* false: its standard input is /dev/null */
    /* The program opens a terminal and hands it over on the unix socket "console" in `folder`, as OCI runtimes do with
     * --console-socket: it is input and output then, and standard error stays a pipe, for the program's own words. */
    bool terminal;
    void (*on_output)(struct proc_session *s, bool is_error, struct slice bytes); /* borrowed; never while paused */
    void (*on_drained)(struct proc_session *s); /* input_bytes_pending fell to 0; may be NULL */
    /* Once, not inside a call: it ended, and everything it wrote until then was handed out. What a process that it left behind
     * writes later is not waited for. `status` as of proc_run. */
    void (*done)(struct proc_session *s, int status, const struct proc_exit *exit);
    void *data; /* of the caller */
    size_t input_bytes_pending;
    int pid; /* while running */
    struct err err;
    void *impl; /* of the seam */
};

struct proc_watch {
    int pid;
    void (*exited)(struct proc_watch *w, const struct proc_exit *exit); /* once */
    void *data;
    void *impl;
};

struct proc_ops {
    void (*run)(void *impl, struct proc_run *run);
    void (*kill)(void *impl, int pid, int signal); /* harmless when it is gone */
    void (*watch)(void *impl, struct proc_watch *w);   /* descendants, or any other (then code -1); fires also when it ended before the call */
    void (*unwatch)(void *impl, struct proc_watch *w);
    void (*session_start)(void *impl, struct proc_session *s);
    void (*session_write)(struct proc_session *s, struct slice bytes); /* copies; lost when nobody reads any more */
    void (*session_input_end)(struct proc_session *s); /* after what was written; a terminal has no such end: ignored */
    void (*session_pause)(struct proc_session *s, bool paused); /* of output */
    void (*session_resize)(struct proc_session *s, unsigned width, unsigned height); /* of its terminal, also before it is there */
};

struct proc {
    const struct proc_ops *ops;
    void *impl;
};

static inline void proc_run(struct proc *p, struct proc_run *run) { p->ops->run(p->impl, run); }
static inline void proc_kill(struct proc *p, int pid, int signal) { p->ops->kill(p->impl, pid, signal); }
static inline void proc_watch(struct proc *p, struct proc_watch *w) { p->ops->watch(p->impl, w); }
static inline void proc_unwatch(struct proc *p, struct proc_watch *w) { p->ops->unwatch(p->impl, w); }
static inline void proc_session_start(struct proc *p, struct proc_session *s) { p->ops->session_start(p->impl, s); }
/* These after the start and until `done`. */
static inline void proc_session_write(struct proc *p, struct proc_session *s, struct slice bytes)
{
    p->ops->session_write(s, bytes);
}
static inline void proc_session_input_end(struct proc *p, struct proc_session *s) { p->ops->session_input_end(s); }
static inline void proc_session_pause(struct proc *p, struct proc_session *s, bool paused) { p->ops->session_pause(s, paused); }
static inline void proc_session_resize(struct proc *p, struct proc_session *s, unsigned width, unsigned height)
{
    p->ops->session_resize(s, width, height);
}

#endif
