#include "common/base.h"

#include "common/base64.h"
#include "common/err.h"

static void append(struct buf *out, struct slice bytes, const char *digits, bool pad)
{
    for (size_t i = 0; i < bytes.size; i += 3) {
        uint32_t v = 0;
        size_t n = MIN(bytes.size - i, (size_t)3);
        for (size_t j = 0; j < 3; j++)
            v = v << 8 | (j < n ? (uint8_t)bytes.data[i + j] : 0);
        for (size_t j = 0; j < 4; j++) {
            if (j <= n)
                buf_append_char(out, digits[v >> (18 - 6 * j) & 63]);
            else if (pad)
                buf_append_char(out, '=');
        }
    }
}

void base64_append(struct buf *out, struct slice bytes)
{
    append(out, bytes, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/", true);
}

void base64url_append(struct buf *out, struct slice bytes)
{
    append(out, bytes, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_", false);
}

static int digit(char c)
{
    if (c >= 'A' && c <= 'Z')
        return c - 'A';
    if (c >= 'a' && c <= 'z')
        return c - 'a' + 26;
    if (c >= '0' && c <= '9')
        return c - '0' + 52;
    return c == '+' || c == '-' ? 62 : c == '/' || c == '_' ? 63 : -1;
}

int base64_decode(struct slice text, struct buf *out)
{
    uint32_t bits = 0;
    unsigned count = 0;
    for (unsigned pads = 0; text.size > 0 && text.data[text.size - 1] == '=' && pads < 2; pads++)
        text.size--;
    if (text.size % 4 == 1)
        return ERR_BAD_REQUEST;
    for (size_t i = 0; i < text.size; i++) {
        int v = digit(text.data[i]);
        if (v < 0)
            return ERR_BAD_REQUEST;
        bits = bits << 6 | (uint32_t)v;
        count += 6;
        if (count >= 8) {
            count -= 8;
            buf_append_char(out, (char)(bits >> count & 255));
        }
    }
    return 0;
}
