/* The real process seam over one libuv loop: posix_spawn, pidfds, pipes with bounds. Only uv_env.c knows this header. */
#ifndef COMMON_UV_PROC_H
#define COMMON_UV_PROC_H

#include "common/base.h"
#include "common/proc.h"

#include <uv.h>

struct uv_proc;

/* `loop` must outlive it. Always 0. Nothing is asked of the kernel before the first run or watch; the first watch makes
 * the process a subreaper (prctl(2)) and from then on reaps orphans nobody watches. */
int uv_proc_new(uv_loop_t *loop, struct proc *ret, struct uv_proc **ret_proc);

/* Kills what still runs; each of its `done` follows with ERR_CANCELED, watches are forgotten. The memory is released once
 * the loop has closed its handles, so the loop has to run on until nothing is left in it. NULL is fine. */
void uv_proc_close(struct uv_proc *p);

#endif
