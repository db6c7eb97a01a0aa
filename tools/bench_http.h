/* One HTTP/1.1 connection of a load: a request at a time, the answer in pieces as they come. Private to bench*.c. */
#ifndef TOOLS_BENCH_HTTP_H
#define TOOLS_BENCH_HTTP_H

#include "tools/bench.h"

#include "common/buf.h"

struct bench_http {
    struct net_conn conn;
    struct bench *b;
    const char *host; /* where it connects to, and its Host header; borrowed */
    void (*on_open)(struct bench_http *h);
    void (*on_body)(struct bench_http *h, struct slice piece); /* may be NULL */
    void (*on_end)(struct bench_http *h);                      /* the answer is whole; the next request may go */
    int status;
    size_t body_bytes; /* of this answer so far */
    struct buf in;     /* what is not understood yet */
    size_t left;       /* of the body, or of the chunk */
    enum { HTTP_HEAD, HTTP_BODY, HTTP_CHUNK_SIZE, HTTP_CHUNK, HTTP_CHUNK_END } at;
    bool open, closed;
};

void bench_http_open(struct bench_http *h); /* the callbacks are set; on_open follows */
void bench_http_send(struct bench_http *h, const char *method, struct slice path, struct slice body);
void bench_http_close(struct bench_http *h);

#endif
