/* The real seams over one libuv loop. Only main.c files, http_server.c and tests know this header.
 *
 * Loop, clock, randomness, streams and log are always there. Disk, processes and the HTTP client are added by the
 * components that need them, so that nobody carries the libraries of others. */
#ifndef COMMON_UV_ENV_H
#define COMMON_UV_ENV_H

#include "common/base.h"
#include "common/env.h"

struct uv_env;

/* `component` names it in log lines; borrowed for good. */
struct uv_env *uv_env_new(const char *component, enum log_level level);

/* Each sets one seam of the env, for its life. */
void uv_env_add_http(struct uv_env *uv); /* http_client.c */
void uv_env_add_proc(struct uv_env *uv); /* uv_proc.c */
/* uv_disk.c: the folder is made when missing and locked against a second process. ERR_CONFLICT when another process holds
 * it, ERR_PERMISSION, ERR_NO_SPACE, ERR_IO; the message names it. */
int uv_env_add_disk(struct uv_env *uv, const char *folder, struct err *reterr);
/* The same over a folder that is not ours alone, where a user's files are read and written: not made, not locked. */
int uv_env_add_files(struct uv_env *uv, const char *folder, struct err *reterr);

struct env *uv_env_env(struct uv_env *uv);
void *uv_env_loop(struct uv_env *uv); /* uv_loop_t *, for the homes of libraries that do their own I/O */

/* For those homes: `close(seam)` is called by uv_env_free, before the loop runs out. */
void uv_env_add(struct uv_env *uv, void (*close)(void *seam), void *seam);

/* Runs until nothing is left to do or uv_env_stop. `on_signal` is called for SIGTERM and SIGINT; NULL leaves them alone. */
void uv_env_run(struct uv_env *uv, void (*on_signal)(void *arg), void *arg);
void uv_env_stop(struct uv_env *uv);
int uv_env_signal(const struct uv_env *uv); /* the latest that came while a handler was there: SIGTERM or SIGINT; 0: none */
void uv_env_free(struct uv_env *uv); /* after every component has closed; NULL is fine */

#endif
