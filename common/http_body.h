/* Where the content of an answer ends (RFC 9112 section 6.3), and what it is when it comes in chunks (section 7.1). A
 * pure reader over bytes as they come: it never holds any, and what it is given may be cut anywhere. */
#ifndef COMMON_HTTP_BODY_H
#define COMMON_HTTP_BODY_H

#include "common/base.h"
#include "common/buf.h"
#include "common/http.h"

#define HTTP_BODY_LINE_MAX 4096     /* a chunk's size with its extensions; a line of the trailer */
#define HTTP_BODY_TRAILER_MAX 16384 /* of which nothing is kept */

struct http_body {
    enum http_body_framing { HTTP_BODY_LENGTH, HTTP_BODY_CHUNKED, HTTP_BODY_TO_END } framing;
    bool done; /* all of it was taken; never of HTTP_BODY_TO_END, which the connection's end ends */

    enum http_body_place {
        HTTP_BODY_SIZE,
        HTTP_BODY_EXTENSION,
        HTTP_BODY_DATA,
        HTTP_BODY_AFTER,
        HTTP_BODY_TRAILER
    } place;       /* private from here */
    uint64_t left; /* of the content, or of this chunk */
    size_t line, trailer;
    bool digits;
};

/* Of the answer to `method` with this status and these headers. ERR_FORMAT: its length is no number, or it says two. */
int http_body_init(struct http_body *b, const char *method, int status, const struct http_header *headers,
                   size_t count);

/* Takes what it can from the front of *in; *ret is a piece of the content that lies in it. An empty piece: *in is used
 * up, or the content is done. ERR_FORMAT: no chunks. */
int http_body_take(struct http_body *b, struct slice *in, struct slice *ret);

#endif
