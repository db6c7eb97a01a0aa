#include "common/base.h"

#include "common/base64.h"
#include "common/tls.h"
#include "common/websocket.h"

#include <stdio.h>
#include <strings.h>

#define CONTROL_BYTES_MAX 125 /* section 5.5 */
#define HANDSHAKE_GUID "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
#define KEY_BYTES 16

/* One frame's head, section 5.2. */
struct head {
    bool last, masked;
    unsigned reserved, opcode;
    uint64_t size;
    size_t head_size; /* with length and mask */
    uint8_t mask[4];
};

static bool is_control(unsigned opcode) { return (opcode & 8) != 0; }

/* False: more bytes are needed. */
static bool head_read(struct slice in, struct head *ret)
{
    const uint8_t *p = (const uint8_t *)in.data;
    if (in.size < 2)
        return false;
    struct head h = {.last = (p[0] & 0x80) != 0, .reserved = p[0] & 0x70, .opcode = p[0] & 0x0f, .masked = (p[1] & 0x80) != 0};
    unsigned length = p[1] & 0x7f;
    size_t extra = length == 126 ? 2 : length == 127 ? 8 : 0;
    h.head_size = 2 + extra + (h.masked ? 4 : 0);
    if (in.size < h.head_size)
        return false;
    h.size = extra == 0 ? length : extra == 2 ? be16_at(p + 2) : be64_at(p + 2);
    if (h.masked)
        memcpy(h.mask, p + 2 + extra, sizeof h.mask);
    *ret = h;
    return true;
}

static int fail(struct websocket_decoder *d, int code, int close_code, struct err *reterr, const char *text)
{
    d->failure = close_code;
    return err_set(reterr, code, "WebSocket: %s", text);
}

static bool minimal(const struct head *h)
{
    size_t extra = h->head_size - 2 - (h->masked ? 4 : 0);
    return extra == 0 || (extra == 2 && h->size > 125) || (extra == 8 && h->size > UINT16_MAX);
}

static int head_check(struct websocket_decoder *d, const struct head *h, struct err *reterr)
{
    const char *wrong = NULL;
    bool known = h->opcode <= WEBSOCKET_BINARY || (h->opcode >= WEBSOCKET_CLOSE && h->opcode <= WEBSOCKET_PONG);
    if (h->reserved != 0)
        wrong = "reserved bits are set";
    else if (!known)
        wrong = "unknown opcode";
    else if (h->masked == d->from_server)
        wrong = d->from_server ? "a server's frame is masked" : "a client's frame is not masked";
    else if (!minimal(h) || h->size > INT64_MAX)
        wrong = "a length is not written in the shortest way";
    else if (is_control(h->opcode) && (!h->last || h->size > CONTROL_BYTES_MAX))
        wrong = "a control frame is fragmented or too long";
    else if (!is_control(h->opcode) && (h->opcode == WEBSOCKET_CONTINUATION) != d->fragmented)
        wrong = d->fragmented ? "a message begins inside another" : "a continuation of nothing";
    if (wrong != NULL)
        return fail(d, ERR_FORMAT, WEBSOCKET_PROTOCOL_ERROR, reterr, wrong);
    if (!is_control(h->opcode) && h->size > d->message_bytes_max - d->message.size)
        return fail(d, ERR_TOO_LARGE, WEBSOCKET_TOO_BIG, reterr, "a message is too large");
    return 0;
}

static void unmask(char *bytes, size_t size, const uint8_t mask[4])
{
    for (size_t i = 0; i < size; i++)
        bytes[i] = (char)((uint8_t)bytes[i] ^ mask[i % 4]);
}

/* Codes that may stand in a frame, section 7.4. */
static bool close_code_valid(unsigned code)
{
    return (code >= 1000 && code <= 1014 && (code < 1004 || code > 1006)) || (code >= 3000 && code <= 4999);
}

static int control_message(struct websocket_decoder *d, const struct head *h, struct slice payload,
                           struct websocket_message *ret, struct err *reterr)
{
    *ret = (struct websocket_message){.opcode = (enum websocket_opcode)h->opcode, .payload = payload};
    if (h->opcode != WEBSOCKET_CLOSE)
        return 1;
    ret->close_code = payload.size == 0 ? 1005 : payload.size == 1 ? 0 : be16_at(payload.data);
    if (payload.size > 0 && !close_code_valid(ret->close_code))
        return fail(d, ERR_FORMAT, WEBSOCKET_PROTOCOL_ERROR, reterr, "a close code is not valid");
    return 1;
}

void websocket_feed(struct websocket_decoder *d, struct slice bytes)
{
    if (d->failure == 0)
        buf_append_slice(&d->frame, bytes);
}

int websocket_next(struct websocket_decoder *d, struct websocket_message *ret, struct err *reterr)
{
    struct head h;
    if (d->failure != 0)
        return err_set(reterr, ERR_FORMAT, "WebSocket: the connection has failed");
    if (!d->fragmented)
        buf_reset(&d->message);
    for (;;) {
        buf_consume(&d->frame, d->consumed);
        d->consumed = 0;
        if (!head_read(buf_slice(&d->frame), &h))
            return 0;
        int rv = head_check(d, &h, reterr);
        if (rv < 0)
            return rv;
        if (d->frame.size - h.head_size < h.size)
            return 0;
        struct slice payload = slice_of(d->frame.data + h.head_size, (size_t)h.size);
        if (h.masked)
            unmask(d->frame.data + h.head_size, payload.size, h.mask);
        d->consumed = h.head_size + payload.size;
        if (is_control(h.opcode))
            return control_message(d, &h, payload, ret, reterr);
        if (!d->fragmented)
            d->opcode = (enum websocket_opcode)h.opcode;
        if (h.last && !d->fragmented) { /* the usual case: nothing to put together */
            *ret = (struct websocket_message){.opcode = d->opcode, .payload = payload};
            return 1;
        }
        buf_append_slice(&d->message, payload);
        d->fragmented = !h.last;
        if (h.last) {
            *ret = (struct websocket_message){.opcode = d->opcode, .payload = buf_slice(&d->message)};
            return 1;
        }
    }
}

void websocket_decoder_release(struct websocket_decoder *d)
{
    buf_release(&d->frame);
    buf_release(&d->message);
}

static void head_append(unsigned first, bool masked, uint64_t size, struct buf *out)
{
    unsigned flag = masked ? 0x80 : 0;
    buf_append_char(out, (char)(uint8_t)first);
    if (size <= 125) {
        buf_append_char(out, (char)(uint8_t)(flag | size));
    } else if (size <= UINT16_MAX) {
        buf_append_char(out, (char)(uint8_t)(flag | 126));
        buf_append_char(out, (char)(uint8_t)(size >> 8));
        buf_append_char(out, (char)(uint8_t)size);
    } else {
        buf_append_char(out, (char)(uint8_t)(flag | 127));
        buf_append_be64(out, size);
    }
}

void websocket_frame(enum websocket_opcode opcode, struct slice head, struct slice payload, struct buf *out)
{
    head_append(0x80U | opcode, false, head.size + payload.size, out);
    buf_append_slice(out, head);
    buf_append_slice(out, payload);
}

void websocket_frame_masked(enum websocket_opcode opcode, bool last, uint32_t mask, struct slice payload, struct buf *out)
{
    head_append((last ? 0x80U : 0) | opcode, true, payload.size, out);
    buf_append_be32(out, mask);
    size_t start = out->size;
    buf_append_slice(out, payload);
    uint8_t key[4];
    memcpy(key, out->data + start - sizeof key, sizeof key);
    unmask(out->data + start, payload.size, key);
}

void websocket_close_frame(unsigned code, const char *text, struct buf *out)
{
    char number[2] = {(char)(uint8_t)(code >> 8), (char)(uint8_t)code};
    struct slice reason = slice_str(text);
    reason.size = MIN(reason.size, (size_t)CONTROL_BYTES_MAX - sizeof number);
    websocket_frame(WEBSOCKET_CLOSE, slice_of(number, sizeof number), reason, out);
}

int websocket_accept(struct slice key, char ret[WEBSOCKET_ACCEPT_SIZE])
{
    struct buf scratch = {0};
    uint8_t hash[TLS_SHA1_SIZE];
    bool valid = key.size == 24 && base64_decode(key, &scratch) == 0 && scratch.size == KEY_BYTES;
    buf_reset(&scratch);
    buf_append_slice(&scratch, key);
    buf_append_str(&scratch, HANDSHAKE_GUID);
    tls_sha1(buf_slice(&scratch), hash);
    buf_reset(&scratch);
    base64_append(&scratch, slice_of(hash, sizeof hash));
    ASSERT(scratch.size == WEBSOCKET_ACCEPT_SIZE - 1);
    memcpy(ret, scratch.data, WEBSOCKET_ACCEPT_SIZE);
    buf_release(&scratch);
    return valid ? 0 : ERR_BAD_REQUEST;
}

int websocket_check(const struct http_request *r, struct err *reterr)
{
    struct slice wanted = http_upgrade_wanted(r);
    char unused[WEBSOCKET_ACCEPT_SIZE];
    if (wanted.size != strlen("websocket") || strncasecmp(wanted.data, "websocket", wanted.size) != 0)
        return err_set(reterr, ERR_BAD_REQUEST, "the request does not ask for an upgrade to websocket");
    if (!slice_is(r->method, "GET"))
        return err_set(reterr, ERR_BAD_REQUEST, "a WebSocket handshake is a GET");
    if (!slice_is(http_header_get(r->headers, r->header_count, "Sec-WebSocket-Version"), "13"))
        return err_set(reterr, ERR_BAD_REQUEST, "Sec-WebSocket-Version must be 13");
    if (websocket_accept(http_header_get(r->headers, r->header_count, "Sec-WebSocket-Key"), unused) < 0)
        return err_set(reterr, ERR_BAD_REQUEST, "Sec-WebSocket-Key must be 16 bytes in base64");
    return 0;
}
