#include "common/base.h"

#include "common/http_body.h"

/* Digits only, and no more than a length can have. */
static int length_parse(struct slice text, uint64_t *ret)
{
    uint64_t v = 0;
    if (text.size == 0 || text.size > 18)
        return ERR_FORMAT;
    for (size_t i = 0; i < text.size; i++) {
        if (text.data[i] < '0' || text.data[i] > '9')
            return ERR_FORMAT;
        v = v * 10 + (uint64_t)(text.data[i] - '0');
    }
    *ret = v;
    return 0;
}

/* The one length that all Content-Length headers agree on; *ret_found: there is one. */
static int length_of(const struct http_header *headers, size_t count, bool *ret_found, uint64_t *ret)
{
    *ret_found = false;
    for (size_t i = 0; i < count; i++) {
        uint64_t v;
        if (!http_header_is(&headers[i], "Content-Length"))
            continue;
        if (length_parse(headers[i].value, &v) != 0 || (*ret_found && v != *ret))
            return ERR_FORMAT;
        *ret_found = true;
        *ret = v;
    }
    return 0;
}

int http_body_init(struct http_body *b, const char *method, int status, const struct http_header *headers, size_t count)
{
    struct slice coding = http_header_get(headers, count, "Transfer-Encoding");
    bool found;
    *b = (struct http_body){.framing = HTTP_BODY_LENGTH};
    int code = length_of(headers, count, &found, &b->left);
    if (code != 0)
        return code;
    if (strcmp(method, "HEAD") == 0 || status < 200 || status == 204 || status == 304)
        b->left = 0;
    else if (http_token_listed(coding, "chunked"))
        b->framing = HTTP_BODY_CHUNKED;
    else if (coding.size > 0 || !found)
        b->framing = HTTP_BODY_TO_END;
    b->done = b->framing == HTTP_BODY_LENGTH && b->left == 0;
    return 0;
}

static void take_data(struct http_body *b, struct slice *in, struct slice *ret)
{
    size_t n = (size_t)MIN(b->left, (uint64_t)in->size);
    *ret = slice_of(in->data, n);
    *in = slice_from(*in, n);
    b->left -= n;
}

static int hex_of(char c)
{
    return c >= '0' && c <= '9'   ? c - '0'
           : c >= 'a' && c <= 'f' ? c - 'a' + 10
           : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                  : -1;
}

/* The line of a chunk's size has ended. */
static int size_read(struct http_body *b)
{
    if (!b->digits)
        return ERR_FORMAT;
    b->place = b->left == 0 ? HTTP_BODY_TRAILER : HTTP_BODY_DATA;
    b->digits = false;
    b->line = 0;
    return 0;
}

/* One byte of what is not content. */
static int take_framing(struct http_body *b, char c)
{
    int digit = hex_of(c);
    if (++b->line > HTTP_BODY_LINE_MAX)
        return ERR_FORMAT;
    switch (b->place) {
    case HTTP_BODY_SIZE:
        if (c == '\n')
            return size_read(b);
        if (digit < 0) {
            b->place = HTTP_BODY_EXTENSION;
            return c == '\r' || c == ';' || c == ' ' || c == '\t' ? 0 : ERR_FORMAT;
        }
        if (b->left >> 58 != 0)
            return ERR_FORMAT;
        b->left = b->left * 16 + (uint64_t)digit;
        b->digits = true;
        return 0;
    case HTTP_BODY_EXTENSION: return c == '\n' ? size_read(b) : 0;
    case HTTP_BODY_AFTER:
        if (c == '\n') {
            b->place = HTTP_BODY_SIZE;
            b->line = 0;
        }
        return c == '\n' || (c == '\r' && b->line == 1) ? 0 : ERR_FORMAT;
    case HTTP_BODY_TRAILER:
        if (++b->trailer > HTTP_BODY_TRAILER_MAX)
            return ERR_FORMAT;
        if (c == '\n') {
            b->done = !b->digits;
            b->digits = false;
            b->line = 0;
        } else if (c != '\r') {
            b->digits = true; /* this line says something */
        }
        return 0;
    case HTTP_BODY_DATA: break;
    }
    PANIC("a chunk's content is not framing");
}

int http_body_take(struct http_body *b, struct slice *in, struct slice *ret)
{
    *ret = (struct slice){NULL, 0};
    while (!b->done && in->size > 0) {
        if (b->framing == HTTP_BODY_TO_END) {
            *ret = *in;
            *in = slice_from(*in, in->size);
            return 0;
        }
        if (b->framing == HTTP_BODY_LENGTH || b->place == HTTP_BODY_DATA) {
            take_data(b, in, ret);
            if (b->left == 0 && b->framing == HTTP_BODY_CHUNKED)
                b->place = HTTP_BODY_AFTER;
            b->done = b->left == 0 && b->framing == HTTP_BODY_LENGTH;
            return 0;
        }
        int code = take_framing(b, in->data[0]);
        if (code != 0)
            return code;
        *in = slice_from(*in, 1);
    }
    return 0;
}
