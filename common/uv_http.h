/* The real HTTP client seam over libcurl's multi interface; http_client.c is curl's home. */
#ifndef COMMON_UV_HTTP_H
#define COMMON_UV_HTTP_H

#include "common/base.h"
#include "common/env.h"

#include <uv.h>

struct uv_http;

struct uv_http *uv_http_new(uv_loop_t *uv, struct env *env, struct http_client *ret);
/* Ends open calls without calling back, closes its handles (run the loop once more) and frees it. */
void uv_http_close(struct uv_http *h);

#endif
