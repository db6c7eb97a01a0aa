/* Base64 (RFC 4648): the usual alphabet with padding, and the one for URLs without. */
#ifndef COMMON_BASE64_H
#define COMMON_BASE64_H

#include "common/base.h"
#include "common/buf.h"

void base64_append(struct buf *out, struct slice bytes);
void base64url_append(struct buf *out, struct slice bytes);
/* Either alphabet, padded or not; nothing else, white space included. ERR_BAD_REQUEST; `out` then holds a part. */
int base64_decode(struct slice text, struct buf *out);

#endif
