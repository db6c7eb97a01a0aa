/* One request over a connection of its own, over the network seam. It may ask for another protocol: answer 101 makes the
 * connection a tunnel (http.h). Any other answer is an ordinary one, collected or passed on as it comes.
 *
 * Over net.h and not over libcurl: that hands out an upgraded connection only through blocking-style reads and writes
 * beside its multi interface, while net.h has the back-pressure and the simulation already; what is missing is to
 * print one request and to read one answer. */
#ifndef COMMON_HTTP_DIAL_H
#define COMMON_HTTP_DIAL_H

#include "common/base.h"
#include "common/buf.h"
#include "common/env.h"
#include "common/err.h"
#include "common/http.h"
#include "common/http_body.h"

#define HTTP_DIAL_HEAD_MAX (16 * 1024)
#define HTTP_DIAL_BODY_MAX (64 * 1024)
#define HTTP_DIAL_HEADERS_MAX 128

/* Embedded by the caller, zeroed but for what it sets. */
struct http_dial {
    struct env *env;
    const char *address; /* numeric "host:port"; borrowed until answered, like all that follows */
    struct tls *tls;     /* client certificate and CA; NULL for plain HTTP */
    const char *method;  /* "GET" */
    struct slice target; /* path and query as they go on the wire: encoded */
    const struct http_header *headers; /* sent as they are, Connection and Upgrade among them; Host is added */
    size_t header_count;
    struct slice content; /* of the request, after the headers: Content-Length is the caller's */
    struct slice host;    /* of the header Host; empty: the address */
    unsigned timeout_ms; /* until answered; 0 means 30 s */
    bool patient;        /* the time counts until the connection is there; an answer may take as long as it likes */
    /* Set, an answer other than 101 is not collected: on_head once, with http_status and the headers; on_body with each piece as
     * it comes, borrowed; then `answered`, with status 0 when it was whole. http_dial_pause holds the pieces back. */
    void (*on_head)(struct http_dial *d);
    void (*on_body)(struct http_dial *d, struct slice bytes);
    /* Once. Status 0: an answer came. With http_status 101 `tunnel` is open, its callbacks set before the return; the struct
     * stays in use until their on_close. Otherwise `body` holds what came (cut at HTTP_DIAL_BODY_MAX), and the struct is the
     * caller's again, as it is with an error: ERR_CONNECT, ERR_TLS, ERR_TIMEOUT, ERR_EOF, ERR_CANCELED, ERR_FORMAT (not HTTP). */
    void (*answered)(struct http_dial *d, int status, const struct err *why);
    void *data;

    int http_status;
    struct http_header answer[HTTP_DIAL_HEADERS_MAX]; /* valid inside `answered` */
    size_t answer_count;
    struct slice body; /* valid inside `answered` */
    struct http_tunnel *tunnel; /* set by the caller before the start: what the connection becomes */

    enum http_dial_state { HTTP_DIAL_IDLE, HTTP_DIAL_HEAD, HTTP_DIAL_BODY, HTTP_DIAL_TUNNEL } state; /* private from here */
    struct net_conn conn;
    struct buf in, collected;
    size_t head_size;
    struct http_body framing;
    bool paused, closing;
    struct timer timer;
    struct deferred resumed;
    struct err why;
};

void http_dial_start(struct http_dial *d);
void http_dial_cancel(struct http_dial *d); /* before `answered`; it follows, later, with ERR_CANCELED */

void http_dial_pause(struct http_dial *d, bool paused); /* of an answer that is passed on, after its head */

/* The head of an answer in `bytes`: its size with the empty line; 0: not all is there; ERR_FORMAT. The headers borrow. */
int http_head_parse(struct slice bytes, int *ret_status, struct http_header *ret_headers, size_t headers_max, size_t *ret_count);

#endif
