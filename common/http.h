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
};

/* Value of the first header of that name (case-insensitive); empty slice with NULL data when absent. */
struct slice http_header_get(const struct http_header *headers, size_t count, const char *name);

/* Value of the first query parameter `name`, percent- and plus-decoded into `scratch`; false when absent. */
bool http_query_get(struct slice query, const char *name, struct buf *scratch, struct slice *ret);

/* Percent-decodes `s` into `out` (appended). ERR_BAD_REQUEST on a bad escape or an encoded NUL. */
int http_percent_decode(struct slice s, bool plus_is_space, struct buf *out);
void http_percent_encode(struct slice s, struct buf *out); /* everything but unreserved characters, RFC 3986 section 2.3 */

/* One exchange as the core sees it. The front (http_server.c, or a direct call in tests) embeds it and supplies ops.
 * A core answers each exchange exactly once: `respond`, or `begin` + `write`* + `end`. After `respond` or `end`, or
 * after `gone` was called, the exchange is the front's again and must not be touched. */
struct http_exchange;

struct http_exchange_ops {
    /* A whole response. Headers and body are borrowed for the call; `shared`, when not NULL, is sent without copying. */
    void (*respond)(struct http_exchange *x, int status, const struct http_header *headers, size_t n, struct slice body,
                    struct bytes *shared);
    void (*begin)(struct http_exchange *x, int status, const struct http_header *headers, size_t n); /* sent at once */
    void (*write)(struct http_exchange *x, struct bytes *chunk); /* takes a reference of its own; flushed at once */
    void (*end)(struct http_exchange *x, bool clean); /* clean=false cuts the connection instead of a final chunk */
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
static inline void http_end(struct http_exchange *x, bool clean) { x->ops->end(x, clean); }

#endif
