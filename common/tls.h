/* TLS credentials as the seams take them: certificate chain, key and the CA that peers must chain to. OpenSSL's home
 * together with pki.c. TLS 1.2 at least. */
#ifndef COMMON_TLS_H
#define COMMON_TLS_H

#include "common/base.h"
#include "common/buf.h"
#include "common/err.h"
#include "common/net.h"

struct tls;

struct tls_options {
    const char *certificate_file, *key_file; /* PEM; both NULL: no own certificate (a client without one) */
    const char *ca_file;                     /* PEM; what peers must chain to */
    enum tls_verify {
        TLS_VERIFY_PEER,
        TLS_VERIFY_IF_GIVEN, /* servers: a client need not show a certificate */
        TLS_VERIFY_NONE,     /* clients: whoever answers is taken, as a proxy to strangers' pods must */
    } verify;
};

/* Reads and checks the files: ERR_NOT_FOUND, ERR_PERMISSION, ERR_TLS (no PEM, key does not match, expired); the message
 * names the file. One reference, the caller's. */
int tls_new(const struct tls_options *o, struct tls **ret, struct err *reterr);
struct tls *tls_ref(struct tls *t);
void tls_unref(struct tls *t); /* NULL is fine */
/* Reads the files again when one of them has changed. 1: sessions that begin from now on use what is there now; those under way stay
 * as they are. 0: nothing has changed, or nothing since the last error. An error as of tls_new, told once for each change: what
 * was in use stays so; files are written one after the other, and a key that does not fit its certificate yet may do so soon. */
int tls_refresh(struct tls *t, struct err *reterr);
const struct tls_options *tls_files(const struct tls *t); /* for libraries that read the files themselves */

/* One TLS session over memory: bytes in, bytes out, no socket. Used by uv_net.c. */
struct tls_session;
struct tls_session *tls_session_new(struct tls *t, bool server, const char *server_name);
void tls_session_free(struct tls_session *s);
/* Feeds received bytes; appends decrypted ones to `plain` and what must be sent to `wire`.
 * ERR_TLS with the reason; ERR_EOF on the peer's close. *ret_open turns true once the handshake is done. */
int tls_session_receive(struct tls_session *s, struct slice received, struct buf *plain, struct buf *wire, bool *ret_open,
                        struct err *reterr);
int tls_session_start(struct tls_session *s, struct buf *wire, struct err *reterr); /* client hello */
int tls_session_send(struct tls_session *s, struct slice plain, struct buf *wire, struct err *reterr);
void tls_session_close_notify(struct tls_session *s, struct buf *wire);
void tls_session_peer(struct tls_session *s, struct net_peer *ret); /* names of the verified certificate */

/* Verifies a client chain in DER, leaf first, against the CA of `t` (purpose: client) and fills in the names.
 * For front ends whose TLS is not OpenSSL's. ERR_TLS with the reason. */
int tls_verify_client(struct tls *t, const struct slice *der, size_t n, struct net_peer *ret, struct err *reterr);

#define TLS_SHA1_SIZE 20
/* SHA-1, for the protocols that ask for it (WebSocket's handshake); it protects nothing. */
void tls_sha1(struct slice bytes, uint8_t ret[TLS_SHA1_SIZE]);

#endif
