/* Tokens of lists that go on: where a page ended, and of which revision the list is. Opaque to clients, who may send
 * anything. */
#ifndef APISERVER_CONTINUE_TOKEN_H
#define APISERVER_CONTINUE_TOKEN_H

#include "apiserver/status.h"
#include "common/base.h"
#include "common/buf.h"

#define CONTINUE_LATEST 0 /* in the revision's place: whatever is newest when the token is used */

/* Appends; `key` is the next one of the list, without its prefix, and not empty. */
void continue_token_make(int64_t revision, struct slice key, struct buf *out);
/* Takes what the above makes and nothing else; `ret_key` is appended to. ERR_BAD_REQUEST with the failure set, and then
 * nothing was appended. */
int continue_token_parse(struct slice token, int64_t *ret_revision, struct buf *ret_key, struct failure *f);

#endif
