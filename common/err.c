#include "common/base.h"

#include "common/err.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

struct err_row {
    int code, http;
    const char *reason, *text;
};

static const struct err_row rows[] = {
#define X(code, number, http, reason, text) {code, http, reason, text},
    ERR_TABLE(X)
#undef X
};

static const struct err_row *row_of(int code)
{
    ASSERT(code < 0 && (size_t)-code <= ARRAY_LEN(rows));
    const struct err_row *row = &rows[-code - 1];
    ASSERT(row->code == code);
    return row;
}

const char *err_text(int code) { return code == 0 ? "ok" : row_of(code)->text; }
const char *err_reason(int code) { return code == 0 ? "" : row_of(code)->reason; }
int err_http(int code) { return code == 0 ? 200 : row_of(code)->http; }

int err_set(struct err *reterr, int code, const char *format, ...)
{
    (void)row_of(code);
    if (reterr == NULL)
        return code;
    va_list args;
    va_start(args, format);
    vsnprintf(reterr->message, sizeof reterr->message, format, args);
    va_end(args);
    reterr->code = code;
    return code;
}

/* Appends what fits; the rest is cut. */
static void append_cut(char *text, size_t size, size_t used, const char *more)
{
    size_t n = MIN(strlen(more), size - used - 1);
    memcpy(text + used, more, n);
    text[used + n] = '\0';
}

int err_wrap(struct err *reterr, int code, const char *format, ...)
{
    if (reterr == NULL)
        return code;
    char inner[ERR_MESSAGE_MAX];
    memcpy(inner, reterr->message, sizeof inner);
    va_list args;
    va_start(args, format);
    int n = vsnprintf(reterr->message, sizeof reterr->message, format, args);
    va_end(args);
    size_t used = MIN((size_t)MAX(n, 0), sizeof reterr->message - 1);
    append_cut(reterr->message, sizeof reterr->message, used, ": ");
    append_cut(reterr->message, sizeof reterr->message, strlen(reterr->message), inner);
    return reterr->code;
}

static int code_of_errno(int number)
{
    switch (number) {
    case ENOENT: return ERR_NOT_FOUND;
    case EEXIST: return ERR_EXISTS;
    case ENOSPC:
    case EDQUOT: return ERR_NO_SPACE;
    case EACCES:
    case EPERM:
    case EROFS: return ERR_PERMISSION;
    case EADDRINUSE: return ERR_ADDRESS_IN_USE;
    case ECONNREFUSED:
    case EHOSTUNREACH:
    case ENETUNREACH: return ERR_CONNECT;
    case ECONNRESET:
    case EPIPE: return ERR_EOF;
    case ETIMEDOUT: return ERR_TIMEOUT;
    default: return ERR_IO;
    }
}

int err_set_errno(struct err *reterr, int number, const char *format, ...)
{
    char context[ERR_MESSAGE_MAX / 2];
    va_list args;
    va_start(args, format);
    vsnprintf(context, sizeof context, format, args);
    va_end(args);
    return err_set(reterr, code_of_errno(number), "%s: %s", context, strerror(number));
}
