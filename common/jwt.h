/* JSON Web Tokens as Kubernetes uses them (RFC 7515, RFC 7519): compact form, ES256 with a P-256 key or RS256 with an RSA
 * key. Signs and checks signatures; what the claims mean is the caller's. OpenSSL's home together with tls.c and pki.c. */
#ifndef COMMON_JWT_H
#define COMMON_JWT_H

#include "common/base.h"
#include "common/buf.h"
#include "common/err.h"

struct jwt_key;

#define JWT_BYTES_MAX (64 * 1024)

/* A private key in PEM. ERR_NOT_FOUND, ERR_PERMISSION, ERR_TLS (no key, or neither P-256 nor RSA); the message names
 * the file. */
int jwt_key_load(const char *file, struct jwt_key **ret, struct err *reterr);
void jwt_key_free(struct jwt_key *k); /* NULL is fine */

/* `claims` is JSON text; appends the token. */
int jwt_sign(const struct jwt_key *k, struct slice claims, struct buf *out, struct err *reterr);
/* Appends the claims' JSON text of a token that this key signed. ERR_UNAUTHORIZED with the reason. */
int jwt_verify(const struct jwt_key *k, struct slice token, struct buf *ret_claims, struct err *reterr);

/* The public half as a JSON Web Key (RFC 7517), printed to `out`, under the kid that tokens name; and the algorithm of its tokens. */
int jwt_key_public(const struct jwt_key *k, struct buf *out, struct err *reterr);
const char *jwt_key_algorithm(const struct jwt_key *k); /* "ES256" or "RS256" */

#endif
