/* The engine that reads the tables of kind.h: decoding with unknown-field detection, defaults, validation and the
 * canonical form. Pure: trees in, trees out. */
#ifndef APISERVER_SCHEMA_H
#define APISERVER_SCHEMA_H

#include "apiserver/check.h"
#include "apiserver/kind.h"
#include "common/base.h"
#include "common/err.h"
#include "common/json.h"

#define STRICT_ERRORS_MAX 32

/* What strict decoding objects to: `unknown field "spec.foo"`, `duplicate field "spec.bar"`. */
struct strict {
    char *texts[STRICT_ERRORS_MAX];
    size_t count;
    size_t dropped; /* further ones */
};
void strict_note(struct strict *s, char *text); /* whose owner it becomes */
void strict_release(struct strict *s);
void strict_message(const struct strict *s, struct buf *out); /* joined by ", " */

/* What a patch says when of members of one name the last counts, and in `strict` (may be NULL) which those are; `v`
 * itself when there are none. Decoding into a type sees to it by itself. */
const struct json *strict_once(struct strict *s, struct json_doc *d, const struct json *v);

/* A fresh tree in `d` in canonical form: fields in table order, map keys sorted, unset ones absent, quantities and
 * times canonical, unknown fields dropped (and noted in `strict`, may be NULL, as are those that stand twice).
 * ERR_BAD_REQUEST with Go's decoding text when a value has the wrong type. */
int schema_decode(struct json_doc *d, const struct type *t, const struct json *in, struct strict *strict,
                  struct json **ret, struct err *reterr);

void schema_default(struct json_doc *d, const struct type *t, struct json *v);
void schema_check(struct check *c, const struct type *t, const struct json *v);
/* Only what stands in one member. */
void schema_check_member(struct check *c, const struct type *t, const char *name, const struct json *v);

/* The row of a JSON field, looked up through inlined types; NULL when there is none. */
const struct field *schema_field(const struct type *t, struct slice name);

/* Is it among the fields that the published schema calls required: those that every object shows? */
bool schema_requires(const struct field *f);

#endif
