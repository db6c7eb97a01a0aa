/* WebSocket framing, RFC 6455, as values: bytes in, messages out; no I/O. A peer's fragments are put together; control
 * frames come out between them. Extensions are never agreed on, so reserved bits are errors. */
#ifndef COMMON_WEBSOCKET_H
#define COMMON_WEBSOCKET_H

#include "common/base.h"
#include "common/buf.h"
#include "common/err.h"
#include "common/http.h"

enum websocket_opcode {
    WEBSOCKET_CONTINUATION = 0, /* never comes out of the decoder */
    WEBSOCKET_TEXT = 1,         /* not checked to be UTF-8: nothing here interprets it */
    WEBSOCKET_BINARY = 2,
    WEBSOCKET_CLOSE = 8,
    WEBSOCKET_PING = 9,
    WEBSOCKET_PONG = 10,
};

/* Close codes, section 7.4.1. */
enum { WEBSOCKET_NORMAL = 1000, WEBSOCKET_PROTOCOL_ERROR = 1002, WEBSOCKET_TOO_BIG = 1009, WEBSOCKET_SERVER_ERROR = 1011 };

#define WEBSOCKET_ACCEPT_SIZE 29 /* with the terminator */

/* Zeroed but for the first two members. */
struct websocket_decoder {
    size_t message_bytes_max;
    bool from_server; /* frames must not be masked; those of clients must be */
    struct buf frame, message;
    size_t consumed; /* of `frame`, by the message handed out last */
    bool fragmented;
    enum websocket_opcode opcode; /* of the fragmented message */
    int failure; /* the close code to send, once the decoder has failed */
};

struct websocket_message {
    enum websocket_opcode opcode;
    struct slice payload; /* valid until the next call */
    unsigned close_code;  /* of CLOSE; 1005 where it carries none */
};

/* Takes bytes; then websocket_next until it returns 0. */
void websocket_feed(struct websocket_decoder *d, struct slice bytes);
/* 1 and a message; 0: more bytes are needed; ERR_FORMAT or ERR_TOO_LARGE: `d->failure` says with what code to close, and
 * nothing follows. */
int websocket_next(struct websocket_decoder *d, struct websocket_message *ret, struct err *reterr);
void websocket_decoder_release(struct websocket_decoder *d);

/* Appends one unmasked frame, as servers send them. */
void websocket_frame(enum websocket_opcode opcode, struct slice head, struct slice payload, struct buf *out);
/* One masked frame, as clients send them. */
void websocket_frame_masked(enum websocket_opcode opcode, bool last, uint32_t mask, struct slice payload, struct buf *out);
void websocket_close_frame(unsigned code, const char *text, struct buf *out); /* text: cut at 123 bytes */

/* The server's proof that it read the request's Sec-WebSocket-Key, section 4.2.2; ERR_BAD_REQUEST: no valid key. */
int websocket_accept(struct slice key, char ret[WEBSOCKET_ACCEPT_SIZE]);
/* Is it a WebSocket handshake of version 13? ERR_BAD_REQUEST with the reason. */
int websocket_check(const struct http_request *r, struct err *reterr);

#endif
