/* Walks of objects along their tables, with the elements of field_set.h: what an object has, how two differ, one merged
 * over another, one without some fields. An atomic value (FIELD_ATOMIC, struct type's atomic, LIST_ATOMIC, any scalar)
 * is one leaf. Semantics: structured-merge-diff v4, which Kubernetes uses for server-side apply (KEP-555). Pure. */
#ifndef APISERVER_TYPED_H
#define APISERVER_TYPED_H

#include "apiserver/field_set.h"
#include "apiserver/kind.h"
#include "common/buf.h"

/* What is wrong with an object that someone applies, one line each: `.spec.foo: field not declared in schema`. Unlike
 * what is decoded, it may not have unknown fields, nor two items of one key. Appends nothing when it is fine. */
void typed_complaints(const struct type *t, const struct json *v, struct buf *out);

/* Leaves, items of lists, keys of maps, and empty or null fields. */
const struct field_set *typed_fields(struct arena *a, const struct type *t, const struct json *v);

/* From `before` to `after`; whole containers that come or go are members too. */
struct typed_changes {
    const struct field_set *removed, *modified, *added;
};
/* `skip`: members of the root that do not count, as a set of fields; NULL: all count. */
void typed_compare(struct arena *a, const struct type *t, const struct field_set *skip, const struct json *before, const struct json *after,
                   struct typed_changes *ret);

/* `config` over `live`: keyed lists and sets are united, in the order of `config`, with the others' items at their
 * places. */
struct json *typed_merge(struct json_doc *d, const struct type *t, const struct json *live, const struct json *config);

/* `v` without the members of `s` and what is below them. What becomes empty by that is null. */
struct json *typed_without(struct json_doc *d, const struct type *t, const struct json *v, const struct field_set *s);

/* `s` with every field on the way to a member a member itself, where the field is a row of a table. */
const struct field_set *typed_named(struct arena *a, const struct type *t, const struct field_set *s);

#endif
