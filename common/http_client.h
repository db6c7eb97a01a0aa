/* The HTTP client seam: request to response or stream. Real: libcurl's multi interface on the uv loop (http_client.c).
 * Simulated: a direct call of a request core. */
#ifndef COMMON_HTTP_CLIENT_H
#define COMMON_HTTP_CLIENT_H

#include "common/base.h"
#include "common/buf.h"
#include "common/err.h"
#include "common/http.h"

struct tls;

struct http_call {
    const char *method;      /* borrowed until done, like all that follows */
    const char *url;         /* "https://10.0.0.1:6443/api/v1/pods?watch=1"; the host is numeric */
    const struct http_header *headers;
    size_t header_count;
    struct slice body;
    struct tls *tls;         /* client certificate and CA; NULL for plain HTTP */
    bool unverified;         /* https to anyone, as probes of pods need it; without `tls` only */
    unsigned timeout_ms;     /* of the whole call; 0: none (streams) */
    unsigned silence_ms;     /* give up when nothing arrives for so long; 0: never */
    size_t body_bytes_max;   /* of a collected body; 0 means HTTP_BODY_MAX */
    /* A stream when set: called with each piece as it comes, status known; the body is then not collected. */
    void (*on_data)(struct http_call *c, struct slice bytes);
    void (*done)(struct http_call *c, int status, const struct err *why); /* once; status 0 means an HTTP answer came */
    void *data;              /* of the caller */

    int http_status;         /* 0 until known */
    struct buf response;     /* collected body; released by the caller */
    struct buf content_type; /* released by the caller */
    void *impl;              /* of the seam */
};

#define HTTP_BODY_MAX (64 * 1024 * 1024)

struct http_client_ops {
    void (*start)(void *impl, struct http_call *c);
    void (*cancel)(void *impl, struct http_call *c); /* done follows, later, with ERR_CANCELED */
};

struct http_client {
    const struct http_client_ops *ops;
    void *impl;
};

static inline void http_call_start(struct http_client *h, struct http_call *c) { h->ops->start(h->impl, c); }
static inline void http_call_cancel(struct http_client *h, struct http_call *c) { h->ops->cancel(h->impl, c); }

#endif
