/* The real process seam. */
#ifndef COMMON_UV_PROC_H
#define COMMON_UV_PROC_H

#include "common/base.h"
#include "common/proc.h"

#include <uv.h>

struct uv_proc;

void uv_proc_new(uv_loop_t *loop, struct proc *ret, struct uv_proc **ret_proc);
/* Closes its handles (run the loop once more) and frees it; children go on. */
void uv_proc_close(struct uv_proc *p);

#endif
