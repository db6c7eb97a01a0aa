/* HTTP messages as values, shared by servers (http_server.h), clients (http_client.h) and cores that are plain functions
 * from a request to a response (the apiserver's request core, the nodeagent's endpoints). */
#ifndef COMMON_HTTP_H
#define COMMON_HTTP_H

#include "common/base.h"
#include "common/buf.h"
#include "common/net.h"

struct http_header {
    struct slice name, value;
};

struct http_request {
    struct slice method; /* "GET" */
    struct slice path;   /* decoded once, begins with '/', without the query */
    struct slice query;  /* raw, without '?' */
    const struct http_header *headers;
    size_t header_count;
    struct slice body;
    const struct net_peer *peer; /* who asks; NULL on plain connections */
    const char *remote_address;
    bool secure; /* came over TLS */
};

bool http_header_is(const struct http_header *h, const char *name); /* in any case */

/* Value of the first header of that name (case-insensitive); empty slice with NULL data when absent. */
struct slice http_header_get(const struct http_header *headers, size_t count, const char *name);

/* Value of the first query parameter `name`, percent- and plus-decoded into `scratch`; false when absent. */
bool http_query_get(struct slice query, const char *name, struct buf *scratch, struct slice *ret);

/* Percent-decodes `s` into `out` (appended). ERR_BAD_REQUEST on a bad escape or an encoded NUL. */
int http_percent_decode(struct slice s, bool plus_is_space, struct buf *out);
void http_percent_encode(struct slice s, struct buf *out); /* everything but unreserved characters, RFC 3986 section 2.3 */

/* A connection after an upgrade (RFC 9110 section 7.8): bytes both ways, until either side ends it. Embedded by the core,
 * which sets `callbacks` and `data`; the rest belongs to whoever carries it (http_server.c, http_dial.c, a test).
 *
 * Reading is on from the start and may be paused as back-pressure; writes are kept until the other side takes them, and
 * `pending_bytes` says how much waits. A tunnel has no half-close: TLS and WebSocket have none either. */
struct http_tunnel;

struct http_tunnel_callbacks {
    void (*on_read)(struct http_tunnel *t, struct slice bytes); /* borrowed for the call; never while paused */
    void (*on_drain)(struct http_tunnel *t);                    /* pending_bytes fell to 0; may be NULL */
    void (*on_close)(struct http_tunnel *t);                    /* exactly once; then the memory is the core's again */
};

struct http_tunnel_ops {
    void (*write)(struct http_tunnel *t, struct slice bytes); /* copies; lost when the other side has left */
    void (*pause)(struct http_tunnel *t, bool paused);
    void (*close)(struct http_tunnel *t, bool flush); /* flush: what is pending goes first; on_close follows, later */
};

struct http_tunnel {
    const struct http_tunnel_ops *ops;
    const struct http_tunnel_callbacks *callbacks;
    size_t pending_bytes;
    void *impl; /* of the carrier */
    void *data; /* of the core */
};

static inline void http_tunnel_write(struct http_tunnel *t, struct slice bytes) { t->ops->write(t, bytes); }
static inline void http_tunnel_pause(struct http_tunnel *t, bool paused) { t->ops->pause(t, paused); }
static inline void http_tunnel_close(struct http_tunnel *t, bool flush) { t->ops->close(t, flush); }

/* One exchange as the core sees it. The front (http_server.c, or a direct call in tests) embeds it and supplies ops.
 * A core answers each exchange exactly once: `respond`, or `begin` + `write`* + `end`, or `upgrade`. After `respond`, `end`
 * or an `upgrade` that returned 0, or after `gone` was called, the exchange is the front's again and must not be touched. */
struct http_exchange;

struct http_exchange_ops {
    /* A whole response. Headers and body are borrowed for the call; `shared`, when not NULL, is sent without copying. */
    void (*respond)(struct http_exchange *x, int status, const struct http_header *headers, size_t n, struct slice body,
                    struct bytes *shared);
    /* Sent at once. A Content-Length among the headers, decimal and at most 18 digits, is kept: so much has to be written, but to
     * a HEAD, which may end without. */
    void (*begin)(struct http_exchange *x, int status, const struct http_header *headers, size_t n);
    void (*write)(struct http_exchange *x, struct bytes *chunk); /* takes a reference of its own; flushed at once */
    void (*end)(struct http_exchange *x, bool clean); /* clean=false cuts the connection instead of a final chunk */
    /* Answers 101 with these headers (Upgrade among them; the front adds Connection) and makes the connection a tunnel,
     * which may be written to at once. 0, or the exchange still waits for its answer: ERR_BUSY, too many tunnels;
     * ERR_BAD_REQUEST, the client did not ask for it or cannot (HTTP/1.0). NULL where the front has no such thing. */
    int (*upgrade)(struct http_exchange *x, const struct http_header *headers, size_t n, struct http_tunnel *t);
    /* `write` of several that belong together. NULL where the front has no such thing: then `write` gets them as one. */
    void (*write_all)(struct http_exchange *x, struct bytes *const *parts, size_t n);
};

struct http_exchange {
    const struct http_exchange_ops *ops;
    struct http_request request;  /* valid until answered; of streams: until end */
    size_t pending_bytes;         /* written and not yet taken by the client: streams cut slow readers by it */
    void (*gone)(struct http_exchange *x);    /* the client left a stream or a waiting request; may be NULL */
    void (*drained)(struct http_exchange *x); /* pending_bytes fell to 0; may be NULL */
    void *data;                   /* of the core */
};

static inline void http_respond(struct http_exchange *x, int status, const struct http_header *headers, size_t n,
                                struct slice body, struct bytes *shared)
{
    x->ops->respond(x, status, headers, n, body, shared);
}
static inline void http_begin(struct http_exchange *x, int status, const struct http_header *headers, size_t n)
{
    x->ops->begin(x, status, headers, n);
}
static inline void http_write(struct http_exchange *x, struct bytes *chunk) { x->ops->write(x, chunk); }
void http_write_all(struct http_exchange *x, struct bytes *const *parts, size_t n);
static inline void http_end(struct http_exchange *x, bool clean) { x->ops->end(x, clean); }
int http_upgrade(struct http_exchange *x, const struct http_header *headers, size_t n, struct http_tunnel *t);

/* The protocol that a request asks to change to ("websocket"); empty when it asks for none. */
struct slice http_upgrade_wanted(const struct http_request *r);
/* Is `token` among the comma-separated words of a header's value, in any case? */
bool http_token_listed(struct slice list, const char *token);

#endif
