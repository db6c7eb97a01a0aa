/* REVISION '/' KEY, in hexadecimal: a key may end with a zero byte, and a token goes into a query. */
#include "common/base.h"

#include "apiserver/continue_token.h"
#include "apiserver/limits.h"

#include <ctype.h>
#include <inttypes.h>
#include <string.h>

#define REVISION_DIGITS_MAX 18

static const char hex_digits[] = "0123456789abcdef";

void continue_token_make(int64_t revision, struct slice key, struct buf *out)
{
    struct buf plain = {0};
    buf_printf(&plain, "%" PRId64 "/", revision);
    buf_append_slice(&plain, key);
    for (size_t i = 0; i < plain.size; i++) {
        buf_append_char(out, hex_digits[(uint8_t)plain.data[i] >> 4]);
        buf_append_char(out, hex_digits[(uint8_t)plain.data[i] & 15]);
    }
    buf_release(&plain);
}

static bool from_hexadecimal(struct slice token, struct buf *out)
{
    if (token.size % 2 != 0 || token.size > CONTINUE_TOKEN_BYTES_MAX)
        return false;
    for (size_t i = 0; i < token.size; i += 2) {
        const char *high = memchr(hex_digits, token.data[i], 16), *low = memchr(hex_digits, token.data[i + 1], 16);
        if (high == NULL || low == NULL)
            return false;
        buf_append_char(out, (char)((high - hex_digits) << 4 | (low - hex_digits)));
    }
    return true;
}

/* Cuts the revision and its slash off. */
static bool take_revision(struct slice *plain, int64_t *ret)
{
    size_t n = 0;
    *ret = 0;
    while (n < plain->size && plain->data[n] >= '0' && plain->data[n] <= '9' && n < REVISION_DIGITS_MAX)
        *ret = *ret * 10 + (plain->data[n++] - '0');
    bool good = n > 0 && (n == 1 || plain->data[0] != '0') && n < plain->size && plain->data[n] == '/';
    if (good)
        *plain = slice_from(*plain, n + 1);
    return good;
}

static int fail_token(struct slice token, struct failure *f)
{
    for (size_t i = 0; i < token.size; i++) {
        if (!isalnum((unsigned char)token.data[i]) && token.data[i] != '-' && token.data[i] != '_')
            return failure_set(
                f, ERR_BAD_REQUEST,
                "invalid continue token: continue key is not valid: illegal base64 data at input byte %zu", i);
    }
    return failure_set(f, ERR_BAD_REQUEST, "invalid continue token: continue key is not valid");
}

int continue_token_parse(struct slice token, int64_t *ret_revision, struct buf *ret_key, struct failure *f)
{
    struct buf plain = {0};
    bool good = from_hexadecimal(token, &plain);
    struct slice key = buf_slice(&plain);
    good = good && take_revision(&key, ret_revision) && key.size > 0;
    if (good)
        buf_append_slice(ret_key, key);
    buf_release(&plain);
    return good ? 0 : fail_token(token, f);
}
