/* Patches: trees in, tree out. Pure. */
#ifndef APISERVER_PATCH_H
#define APISERVER_PATCH_H

#include "apiserver/kind.h"
#include "common/base.h"
#include "common/err.h"
#include "common/json.h"

/* RFC 7386. The result is a fresh tree in `d`. */
struct json *patch_merge(struct json_doc *d, const struct json *target, const struct json *patch);

/* Strategic merge by the strategies of `t`, with $patch, $setElementOrder, $deleteFromPrimitiveList and $retainKeys.
 * ERR_BAD_REQUEST: an item lacks its merge key, a directive is malformed. */
int patch_strategic(struct json_doc *d, const struct type *t, const struct json *target, const struct json *patch,
                    struct json **ret, struct err *reterr);

/* RFC 6902. ERR_BAD_REQUEST: malformed; ERR_INVALID: a test failed or a path is not there; ERR_TOO_LARGE: too many. */
int patch_json(struct json_doc *d, const struct json *target, const struct json *operations, struct json **ret,
               struct err *reterr);

/* ERR_BAD_REQUEST "error decoding patch: json: cannot unmarshal string into Go value of type …". */
int patch_wrong_type(const struct json *patch, const char *go_type, struct err *reterr);

#endif
