/* Errors: one table of codes with the HTTP status and Kubernetes reason each maps to, and a message that a
 * person can act on, in memory of the caller. Functions return 0 or a negative ERR_*. */
#ifndef COMMON_ERR_H
#define COMMON_ERR_H

#include "common/base.h"

/*      code                number  HTTP  Kubernetes reason          short text */
#define ERR_TABLE(X)                                                                      \
    X(ERR_CANCELED,           -1, 499, "Canceled",               "canceled")              \
    X(ERR_BAD_REQUEST,        -2, 400, "BadRequest",             "bad request")           \
    X(ERR_UNAUTHORIZED,       -3, 401, "Unauthorized",           "unauthorized")          \
    X(ERR_FORBIDDEN,          -4, 403, "Forbidden",              "forbidden")             \
    X(ERR_NOT_FOUND,          -5, 404, "NotFound",               "not found")             \
    X(ERR_METHOD,             -6, 405, "MethodNotAllowed",       "method not allowed")    \
    X(ERR_NOT_ACCEPTABLE,     -7, 406, "NotAcceptable",          "not acceptable")        \
    X(ERR_EXISTS,             -8, 409, "AlreadyExists",          "already exists")        \
    X(ERR_CONFLICT,           -9, 409, "Conflict",               "conflict")              \
    X(ERR_EXPIRED,           -10, 410, "Expired",                "expired")               \
    X(ERR_TOO_LARGE,         -11, 413, "RequestEntityTooLarge",  "too large")             \
    X(ERR_MEDIA_TYPE,        -12, 415, "UnsupportedMediaType",   "unsupported media type")\
    X(ERR_INVALID,           -13, 422, "Invalid",                "invalid")               \
    X(ERR_BUSY,              -14, 429, "TooManyRequests",        "too many requests")     \
    X(ERR_INTERNAL,          -15, 500, "InternalError",          "internal error")        \
    X(ERR_UNAVAILABLE,       -16, 503, "ServiceUnavailable",     "unavailable")           \
    X(ERR_TIMEOUT,           -17, 504, "Timeout",                "timed out")             \
    X(ERR_IO,                -18, 500, "InternalError",          "input/output error")    \
    X(ERR_NO_SPACE,          -19, 500, "InternalError",          "no space left")         \
    X(ERR_CORRUPT,           -20, 500, "InternalError",          "corrupt data")          \
    X(ERR_FORMAT,            -21, 500, "InternalError",          "unknown format")        \
    X(ERR_IDENTITY,          -22, 500, "InternalError",          "wrong identity")        \
    X(ERR_NOT_LEADER,        -23, 503, "ServiceUnavailable",     "not the leader")        \
    X(ERR_COMPACTED,         -24, 410, "Expired",                "compacted")             \
    X(ERR_FUTURE_REVISION,   -25, 504, "Timeout",                "future revision")       \
    X(ERR_OUTCOME_UNKNOWN,   -26, 500, "InternalError",          "outcome unknown")       \
    X(ERR_CONNECT,           -27, 503, "ServiceUnavailable",     "cannot connect")        \
    X(ERR_EOF,               -28, 503, "ServiceUnavailable",     "connection closed")     \
    X(ERR_ADDRESS_IN_USE,    -29, 500, "InternalError",          "address in use")        \
    X(ERR_PERMISSION,        -30, 500, "InternalError",          "permission denied")     \
    X(ERR_TLS,               -31, 500, "InternalError",          "TLS failure")           \
    X(ERR_UNEXPLAINED,       -32, 500, "",                       "error without a reason")

enum {
#define X(code, number, http, reason, text) code = number,
    ERR_TABLE(X)
#undef X
};

#define ERR_MESSAGE_MAX 512

/* Lives in the caller's memory. Untouched on success. */
struct err {
    int code;
    char message[ERR_MESSAGE_MAX]; /* terminated; cut when longer */
};

/* Sets code and message and returns `code`, so that `return err_set(reterr, ERR_X, …)` reads well.
 * `reterr` may be NULL. `code` must be in the table. */
int err_set(struct err *reterr, int code, const char *format, ...) PRINTF_ARGS(3, 4);

/* Puts context before the message: "<context>: <message>". Returns the code of `reterr`, or `code` where that is NULL. */
int err_wrap(struct err *reterr, int code, const char *format, ...) PRINTF_ARGS(3, 4);

/* The code for an errno value, with its text appended: "<context>: No space left on device". */
int err_set_errno(struct err *reterr, int number, const char *format, ...) PRINTF_ARGS(3, 4);

const char *err_text(int code);   /* short English text; 0 gives "ok" */
const char *err_reason(int code); /* Kubernetes Status reason */
int err_http(int code);           /* HTTP status; 0 gives 200 */

#endif
