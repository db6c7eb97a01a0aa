/* Failures of a request, and the Status objects that tell of them. */
#ifndef APISERVER_STATUS_H
#define APISERVER_STATUS_H

#include "apiserver/check.h"
#include "apiserver/kind.h"
#include "common/base.h"
#include "common/buf.h"
#include "common/err.h"

/* What went wrong. Zero-initialised is "nothing"; release after use. */
struct failure {
    int code; /* ERR_*; 0: nothing */
    struct buf message;
    const struct kind *kind;                  /* for details; NULL: none */
    char *name;                               /* of the object; NULL: none */
    struct check check;                       /* causes of a 422 */
    const char *cause_reason, *cause_message; /* one further cause: "NamespaceTerminating"; static text */
    int retry_after_seconds;
};

void failure_release(struct failure *f);
/* All return the code. The first failure stays: a second one is ignored. */
int failure_set(struct failure *f, int code, const char *format, ...) PRINTF_ARGS(3, 4);
int failure_from(struct failure *f, const struct err *why);
void failure_about(struct failure *f, const struct kind *k, struct slice name);
int failure_not_found(struct failure *f, const struct kind *k, struct slice name); /* `pods "x" not found` */
int failure_exists(struct failure *f, const struct kind *k, struct slice name);
int failure_conflict(struct failure *f, const struct kind *k, struct slice name); /* "the object has been modified" */
int failure_conflict_with(struct failure *f, const struct kind *k, struct slice name, const char *format, ...)
    PRINTF_ARGS(4, 5);
/* 422 `Kind.group "name" is invalid: …` from f->check. */
int failure_invalid(struct failure *f, const struct kind *k, struct slice name);

void kind_resource_text(const struct kind *k, struct buf *out); /* "deployments.apps" */

void status_failure(const struct failure *f, struct buf *out); /* the Status object */
void status_deleted(const struct kind *k, struct slice name, struct slice uid, struct buf *out);

#endif
