/* Versions of a kind: objects of what is stored become objects of another version of it and back (kind.h, stored_as). Pure. */
#ifndef APISERVER_CONVERT_H
#define APISERVER_CONVERT_H

#include "apiserver/kind.h"
#include "common/base.h"
#include "common/buf.h"
#include "common/err.h"
#include "common/json.h"

/* `stored` as an object of `k`, in canonical form, in `d`. `k` is stored as another. ERR_BAD_REQUEST when what the
 * conversion made does not fit the table, which is a damaged object or a mistake in the hook. */
int convert_from_stored(const struct kind *k, struct json_doc *d, const struct json *stored, struct json **ret,
                        struct err *reterr);

/* The same on bytes, which may or may not carry a resourceVersion. ERR_CORRUPT when they are no JSON. */
int convert_bytes(const struct kind *k, struct slice stored, struct buf *out, struct err *reterr);

/* Turns `object`, decoded as `k` has it, into what is stored. Its defaults are filled and it is put into canonical form
 * by whoever writes it. */
void convert_to_stored(const struct kind *k, struct json_doc *d, struct json *object);

#endif
