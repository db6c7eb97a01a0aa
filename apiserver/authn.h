/* Who a bearer token stands for, and the tokens of service accounts. */
#ifndef APISERVER_AUTHN_H
#define APISERVER_AUTHN_H

#include "apiserver/authz.h"
#include "common/base.h"
#include "common/err.h"
#include "common/json.h"

struct api_request;

/* The user of a token, borrowing from r->doc. `audiences` (may be NULL): it must be for one of them, else for this
 * apiserver. ERR_UNAUTHORIZED with the reason. */
int authn_token(struct api_request *r, struct slice token, const struct json *audiences, struct user *ret,
                struct err *reterr);

/* Fills r->user: the client certificate, else the Authorization header, else anonymous. ERR_UNAUTHORIZED is set in the
 * failure: a token that does not hold is never taken for none. */
int authn_request(struct api_request *r);

/* POST serviceaccounts/NAME/token */
void token_begin(struct api_request *r);

#endif
