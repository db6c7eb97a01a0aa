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
};

struct proc {
    const struct proc_ops *ops;
    void *impl;
};

static inline void proc_run(struct proc *p, struct proc_run *run) { p->ops->run(p->impl, run); }
static inline void proc_kill(struct proc *p, int pid, int signal) { p->ops->kill(p->impl, pid, signal); }
static inline void proc_watch(struct proc *p, struct proc_watch *w) { p->ops->watch(p->impl, w); }
static inline void proc_unwatch(struct proc *p, struct proc_watch *w) { p->ops->unwatch(p->impl, w); }

#endif
