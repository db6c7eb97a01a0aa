/* The real seams over one libuv loop. Only main.c files and http_server.c know this header. */
#ifndef COMMON_UV_ENV_H
#define COMMON_UV_ENV_H

#include "common/base.h"
#include "common/env.h"

struct uv_env;

struct uv_env_options {
    const char *component;       /* for log lines */
    const char *data_folder;     /* of the disk seam; NULL: none. Locked against a second process */
    enum log_level level;
};

/* ERR_PERMISSION, ERR_NOT_FOUND, ERR_NO_SPACE or ERR_IO about the data folder; the message names it. ERR_CONFLICT when
 * another process holds it. */
int uv_env_new(const struct uv_env_options *o, struct uv_env **ret, struct err *reterr);
struct env *uv_env_env(struct uv_env *uv);
void *uv_env_loop(struct uv_env *uv); /* uv_loop_t *, for the homes of libraries that do their own I/O */
/* Runs until nothing is left to do or uv_env_stop. `on_signal` is called for SIGTERM and SIGINT. */
void uv_env_run(struct uv_env *uv, void (*on_signal)(void *arg), void *arg);
void uv_env_stop(struct uv_env *uv);
void uv_env_free(struct uv_env *uv);

#endif
