/* The HTTP/1.1 server over libmicrohttpd, its only home. Hands each complete request (body within the limit) to a core
 * as a `struct http_exchange` (http.h). An HTTP/2 front can join it behind the same header. */
#ifndef COMMON_HTTP_SERVER_H
#define COMMON_HTTP_SERVER_H

#include "common/base.h"
#include "common/err.h"
#include "common/http.h"

struct http_server;
struct uv_env;
struct tls;

/* Bounds that callers can meet. What is refused gets a Status object, except where the request cannot be read at all.
 */
#define HTTP_SERVER_HEADERS_MAX 128            /* 431 */
#define HTTP_SERVER_HEAD_BYTES_MAX (64 * 1024) /* request line and headers: 431, 414 when it is the path and query */
#define HTTP_SERVER_IDLE_S 120                 /* nothing moves on a connection: closed; no bound that is counted */
#define HTTP_SERVER_HEAD_S 32                  /* from its first line to the end of a request's headers: cut */
#define HTTP_SERVER_BODY_S 60                  /* from there to the end of its body: cut */
#define HTTP_SERVER_STALL_S 60                 /* a client takes nothing of what waits for it: cut */
#define HTTP_SERVER_DISCARD_BYTES                                                                                      \
    (64 * 1024 * 1024) /* of a body that is too large, read so that the answer is seen; then cut */

enum http_server_limit {
    HTTP_LIMIT_BODY_BYTES,
    HTTP_LIMIT_HEADER_BYTES,
    HTTP_LIMIT_HEADERS,
    HTTP_LIMIT_CONNECTIONS,
    HTTP_LIMIT_TUNNELS,
    HTTP_LIMIT_SLOW_HEAD,
    HTTP_LIMIT_SLOW_BODY,
    HTTP_LIMIT_SLOW_READER,
    HTTP_LIMIT_COUNT
};

struct http_server_options {
    const char *address;    /* numeric "host:port"; port 0 picks one */
    struct tls *tls;        /* server certificate; client certificates are asked for and verified against its CA,
                               a caller without one arrives with peer == NULL, one with a bad one is refused with 401.
                               NULL serves plain HTTP */
    size_t body_bytes_max;  /* 413 above; 0 means 3 MiB */
    size_t connections_max; /* 0 means 16384 */
    size_t tunnels_max;     /* upgraded connections among them; 0 means 1024 */
    void (*on_request)(void *core, struct http_exchange *x); /* must answer it, now or later */
    void *core;
    void (*on_limit)(void *core, enum http_server_limit which); /* a bound was met, for counting; may be NULL */
    unsigned head_ms, body_ms, stall_ms;                        /* other times than the above, for tests; 0: those */
};

/* ERR_ADDRESS_IN_USE, ERR_PERMISSION, ERR_TLS; the message names the address. */
int http_server_new(struct uv_env *uv, const struct http_server_options *o, struct http_server **ret,
                    struct err *reterr);
int http_server_port(const struct http_server *s);
/* Stops accepting, calls `gone` of every open exchange and on_close of every tunnel, then `closed`; the server is freed
 * before it. */
void http_server_close(struct http_server *s, void (*closed)(void *arg), void *arg);

#endif
