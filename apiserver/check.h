/* Validation errors as Kubernetes reports them: where (a field path), what kind, the bad value and why. A struct check
 * collects them while the engine and the kinds' hooks walk an object; status.h turns them into a 422 Status. */
#ifndef APISERVER_CHECK_H
#define APISERVER_CHECK_H

#include "common/base.h"
#include "common/buf.h"
#include "common/json.h"

#define CHECK_ERRORS_MAX 64

enum check_kind {
    CHECK_REQUIRED,
    CHECK_INVALID,
    CHECK_NOT_SUPPORTED,
    CHECK_DUPLICATE,
    CHECK_FORBIDDEN,
    CHECK_TOO_LONG,
    CHECK_TOO_MANY,
    CHECK_TYPE,
    CHECK_NOT_FOUND,
};

struct check_error {
    enum check_kind kind;
    char *path, *body; /* "spec.replicas", "Invalid value: -1: must be greater than or equal to 0" */
};

struct check {
    struct buf path; /* where the walk stands */
    struct check_error errors[CHECK_ERRORS_MAX];
    size_t count; /* errors beyond the bound are dropped */
};

void check_clear(struct check *c);

/* Moves the walk down; returns what check_leave takes to come back. */
size_t check_enter(struct check *c, const char *field);    /* "spec" or "spec.template"; "" stays */
size_t check_enter_index(struct check *c, size_t index);   /* [0] */
size_t check_enter_key(struct check *c, struct slice key); /* [cpu] */
void check_leave(struct check *c, size_t mark);

/* Reports at the walk's place, or at `field` below it. `bad` is the value at fault (NULL: none shown). */
void check_fail(struct check *c, enum check_kind kind, const struct json *bad, const char *format, ...)
    PRINTF_ARGS(4, 5);
void check_fail_at(struct check *c, const char *field, enum check_kind kind, const struct json *bad, const char *format,
                   ...) PRINTF_ARGS(5, 6);
void check_fail_text(struct check *c, enum check_kind kind, struct slice bad, const char *format, ...)
    PRINTF_ARGS(4, 5);
/* At `field` below the walk's place; `shown` is printed for the value as it is: a Go value of a named type; NULL: none is. */
void check_fail_shown(struct check *c, const char *field, enum check_kind kind, const char *shown, const char *format, ...)
    PRINTF_ARGS(5, 6);
/* At `field` below the walk's place, about a string; data NULL is shown as "". */
void check_fail_text_at(struct check *c, const char *field, enum check_kind kind, struct slice bad, const char *format, ...)
    PRINTF_ARGS(5, 6);
/* "Unsupported value: "x": supported values: "a", "b"" */
void check_fail_one_of(struct check *c, const struct json *bad, const char *const *allowed);
void check_fail_one_of_at(struct check *c, const char *field, const struct json *bad, const char *const *allowed);

const char *check_reason(enum check_kind kind); /* FieldValueRequired, … */

/* A 422's whole message body: "spec.a: …" or "[spec.a: …, spec.b: …]". */
void check_message(const struct check *c, struct buf *out);

#endif
