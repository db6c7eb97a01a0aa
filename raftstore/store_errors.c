#include "common/base.h"

#include "raftstore/store_errors.h"

#include <stdio.h>

static const struct store_error_row rows[] = {
#define X(cause, status, grpc, text) {status, grpc, text},
    STORE_ERROR_TABLE(X)
#undef X
};

_Static_assert(ARRAY_LEN(rows) == STORE_ERRORS, "a row per cause");

const struct store_error_row *store_error_row(enum store_error cause)
{
    ASSERT((unsigned)cause < STORE_ERRORS);
    return &rows[cause];
}

int store_err(struct err *reterr, enum store_error cause, const char *format, ...)
{
    const struct store_error_row *row = store_error_row(cause);
    char detail[ERR_MESSAGE_MAX];
    va_list args;
    va_start(args, format);
    int size = vsnprintf(detail, sizeof detail, format, args);
    va_end(args);
    return err_set(reterr, row->status, size > 0 ? "%s: %s" : "%s%s", row->text, detail);
}

const struct store_error_row *store_error_find(struct slice message)
{
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct slice text = slice_str(rows[i].text);
        if (!slice_has_prefix(message, text))
            continue;
        if (message.size == text.size || slice_has_prefix(slice_from(message, text.size), SLICE(": ")))
            return &rows[i];
    }
    return NULL;
}
