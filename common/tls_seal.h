/* Makes application records of TLS 1.3 with AES-GCM (RFC 8446, section 5.2) for a connection whose keys another library
 * has agreed on: straight from where the bytes lie into a buffer that holds many records, for one write. */
#ifndef COMMON_TLS_SEAL_H
#define COMMON_TLS_SEAL_H

#include "common/base.h"
#include "common/buf.h"

#define TLS_SEAL_RECORD_MAX 16384 /* bytes of content in a record */
#define TLS_SEAL_NONCE 12

struct tls_seal;

struct tls_seal *tls_seal_new(void); /* NULL: the library here has no AES-GCM */
void tls_seal_free(struct tls_seal *s);

/* The connection whose records follow: a key of 16 or 32 bytes, the nonce's base, the number of the next record. */
void tls_seal_begin(struct tls_seal *s, struct slice key, const uint8_t nonce[TLS_SEAL_NONCE], uint64_t sequence);
uint64_t tls_seal_sequence(const struct tls_seal *s);

/* Appends one record whose content is these parts, TLS_SEAL_RECORD_MAX bytes at most together. */
void tls_seal_record(struct tls_seal *s, const struct slice *parts, size_t n, struct buf *out);

#endif
