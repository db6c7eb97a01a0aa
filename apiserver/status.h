/* Failures of a request, and the Status objects that tell of them. */
#ifndef APISERVER_STATUS_H
#define APISERVER_STATUS_H

#include "apiserver/check.h"
#include "apiserver/kind.h"
#include "apiserver/limits.h"
#include "common/base.h"
#include "common/buf.h"
#include "common/err.h"

struct failure_cause {
    char *reason, *message, *field;
};
#define FAILURE_CAUSES_MAX 256

/* What went wrong. Zero-initialised is "nothing"; release after use. */
struct failure {
    int code; /* ERR_*; 0: nothing */
    struct buf message;
    const struct kind *kind;                                /* for details; NULL: none */
    char *name;                                             /* of the object; NULL: none */
    struct check check;                                     /* causes of a 422 */
    const char *cause_reason, *cause_message, *cause_field; /* one further cause: "NamespaceTerminating"; static text */
    struct failure_cause *causes;                           /* further ones: FieldManagerConflict */
    size_t cause_count;
    const char *options;       /* details of a refused CreateOptions, ListOptions …; NULL: none */
    bool bare_details;         /* an answer that is about no object carries an empty details */
    bool names_resource;       /* a 422 of the storage names the resource instead of the kind */
    struct buf continue_token; /* of an expired list; empty: none */
    int retry_after_seconds;
    enum limit limit; /* the bound that was met; counted when this is answered */
};

void failure_release(struct failure *f);
/* All return the code. The first failure stays: a second one is ignored. */
int failure_set(struct failure *f, int code, const char *format, ...) PRINTF_ARGS(3, 4);
int failure_set_text(struct failure *f, int code, struct slice text); /* however long */
/* One more cause; those beyond FAILURE_CAUSES_MAX are dropped. */
void failure_cause(struct failure *f, const char *reason, struct slice message, struct slice field);
int failure_from(struct failure *f, const struct err *why);
int failure_limit(struct failure *f, enum limit which); /* the failure that was set is about this bound */
void failure_about(struct failure *f, const struct kind *k, struct slice name);
int failure_not_found(struct failure *f, const struct kind *k, struct slice name); /* `pods "x" not found` */
int failure_exists(struct failure *f, const struct kind *k, struct slice name);
int failure_conflict(struct failure *f, const struct kind *k, struct slice name); /* "the object has been modified" */
int failure_conflict_with(struct failure *f, const struct kind *k, struct slice name, const char *format, ...)
    PRINTF_ARGS(4, 5);
/* 422 `Kind.group "name" is invalid: …` from f->check. */
int failure_invalid(struct failure *f, const struct kind *k, struct slice name);

/* The same with the resource in the kind's place: `leases.coordination.k8s.io "name" is invalid: …`, what the storage
 * layer says. */
int failure_invalid_resource(struct failure *f, const struct kind *k, struct slice name);
/* 422 `CreateOptions.meta.k8s.io "" is invalid: …` from f->check. */
int failure_options(struct failure *f, const char *options);
/* The fixed texts of answers about no object: ERR_METHOD, ERR_NOT_FOUND, ERR_INVALID. */
int failure_generic(struct failure *f, int code);

void kind_resource_text(const struct kind *k, struct buf *out); /* "deployments.apps" */

void status_failure(const struct failure *f, struct buf *out); /* the Status object */
void status_deleted(const struct kind *k, struct slice name, struct slice uid, struct buf *out);

#endif
