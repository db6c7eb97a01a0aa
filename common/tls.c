#include "common/base.h"

#include "common/mem.h"
#include "common/tls.h"

#include <arpa/inet.h>
#include <errno.h>
#include <sys/stat.h>
#include <unistd.h>

#include <openssl/evp.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

/* Which bytes a file held, as far as its inode tells. */
struct stamp {
    ino_t inode;
    off_t size;
    struct timespec modified;
};

struct stamps {
    struct stamp of[3]; /* certificate, key, authority; zero: no such file */
};

struct tls {
    unsigned references;
    SSL_CTX *context;
    struct tls_options files;    /* owned copies */
    struct stamps loaded, tried; /* tried: that could not be used */
};

struct tls_session {
    SSL *ssl;
    BIO *in, *out; /* owned by ssl */
    bool open;
};

static int openssl_error(struct err *reterr, const char *what, const char *file)
{
    char text[160] = "no reason given";
    unsigned long code = ERR_get_error();
    if (code != 0)
        ERR_error_string_n(code, text, sizeof text);
    ERR_clear_error();
    return err_set(reterr, ERR_TLS, "%s%s%s: %s", what, file == NULL ? "" : " ", file == NULL ? "" : file, text);
}

static int readable(const char *file, struct err *reterr)
{
    return access(file, R_OK) == 0 ? 0 : err_set_errno(reterr, errno, "cannot read %s", file);
}

static int load_own(SSL_CTX *context, const struct tls_options *o, struct err *reterr)
{
    int rv = readable(o->certificate_file, reterr);
    if (rv == 0)
        rv = readable(o->key_file, reterr);
    if (rv != 0)
        return rv;
    if (SSL_CTX_use_certificate_chain_file(context, o->certificate_file) != 1)
        return openssl_error(reterr, "no usable certificate in", o->certificate_file);
    if (SSL_CTX_use_PrivateKey_file(context, o->key_file, SSL_FILETYPE_PEM) != 1 ||
        SSL_CTX_check_private_key(context) != 1)
        return openssl_error(reterr, "no key that fits the certificate in", o->key_file);
    return 0;
}

static int load_ca(SSL_CTX *context, const char *file, struct err *reterr)
{
    int rv = readable(file, reterr);
    if (rv != 0)
        return rv;
    if (SSL_CTX_load_verify_locations(context, file, NULL) != 1)
        return openssl_error(reterr, "no usable certificate authority in", file);
    STACK_OF(X509_NAME) *names = SSL_load_client_CA_file(file);
    if (names == NULL)
        return openssl_error(reterr, "no usable certificate authority in", file);
    SSL_CTX_set_client_CA_list(context, names);
    return 0;
}

static int load(const struct tls_options *o, SSL_CTX **ret, struct err *reterr)
{
    SSL_CTX *context = SSL_CTX_new(TLS_method());
    if (context == NULL)
        return openssl_error(reterr, "cannot make a TLS context", NULL);
    SSL_CTX_set_min_proto_version(context, TLS1_2_VERSION);
    SSL_CTX_set_mode(context, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ENABLE_PARTIAL_WRITE);
    SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);
    SSL_CTX_set_num_tickets(context, 0);
    int rv = o->certificate_file == NULL ? 0 : load_own(context, o, reterr);
    if (rv == 0 && o->ca_file != NULL)
        rv = load_ca(context, o->ca_file, reterr);
    if (rv == 0)
        *ret = context;
    else
        SSL_CTX_free(context);
    return rv;
}

static struct stamps stamps_of(const struct tls_options *o)
{
    const char *const files[] = {o->certificate_file, o->key_file, o->ca_file};
    struct stamps s;
    struct stat found;
    memset(&s, 0, sizeof s); /* padding too: they are compared as bytes */
    for (size_t i = 0; i < ARRAY_LEN(files); i++)
        if (files[i] != NULL && stat(files[i], &found) == 0) {
            s.of[i].inode = found.st_ino;
            s.of[i].size = found.st_size;
            s.of[i].modified = found.st_mtim;
        }
    return s;
}

static bool same(const struct stamps *a, const struct stamps *b) { return memcmp(a, b, sizeof *a) == 0; }

int tls_new(const struct tls_options *o, struct tls **ret, struct err *reterr)
{
    ASSERT((o->certificate_file == NULL) == (o->key_file == NULL));
    SSL_CTX *context;
    struct stamps stamps = stamps_of(o); /* before they are read: what changes meanwhile is read again */
    int rv = load(o, &context, reterr);
    if (rv != 0)
        return rv;
    struct tls *t = NEW(struct tls);
    t->references = 1;
    t->context = context;
    t->loaded = stamps;
    t->files = (struct tls_options){
        .certificate_file = mem_strdup(o->certificate_file),
        .key_file = mem_strdup(o->key_file),
        .ca_file = mem_strdup(o->ca_file),
        .verify = o->verify,
    };
    *ret = t;
    return 0;
}

int tls_refresh(struct tls *t, struct err *reterr)
{
    SSL_CTX *context;
    struct stamps now = stamps_of(&t->files);
    if (same(&now, &t->loaded) || same(&now, &t->tried))
        return 0;
    int rv = load(&t->files, &context, reterr);
    if (rv != 0) {
        t->tried = now;
        return rv;
    }
    SSL_CTX_free(t->context); /* sessions under way hold theirs */
    t->context = context;
    t->loaded = now;
    return 1;
}

struct tls *tls_ref(struct tls *t)
{
    t->references++;
    return t;
}

void tls_unref(struct tls *t)
{
    if (t == NULL || --t->references > 0)
        return;
    SSL_CTX_free(t->context);
    mem_free((char *)(uintptr_t)t->files.certificate_file);
    mem_free((char *)(uintptr_t)t->files.key_file);
    mem_free((char *)(uintptr_t)t->files.ca_file);
    mem_free(t);
}

const struct tls_options *tls_files(const struct tls *t) { return &t->files; }

static void expect_name(SSL *ssl, const char *name)
{
    unsigned char address[16];
    X509_VERIFY_PARAM *param = SSL_get0_param(ssl);
    if (inet_pton(AF_INET, name, address) == 1 || inet_pton(AF_INET6, name, address) == 1) {
        X509_VERIFY_PARAM_set1_ip_asc(param, name);
        return;
    }
    SSL_set_tlsext_host_name(ssl, name);
    X509_VERIFY_PARAM_set1_host(param, name, 0);
}

struct tls_session *tls_session_new(struct tls *t, bool server, const char *server_name)
{
    struct tls_session *s = NEW(struct tls_session);
    s->ssl = SSL_new(t->context);
    s->in = BIO_new(BIO_s_mem());
    s->out = BIO_new(BIO_s_mem());
    if (s->ssl == NULL || s->in == NULL || s->out == NULL)
        PANIC("out of memory for a TLS session");
    SSL_set_bio(s->ssl, s->in, s->out);
    int mode = SSL_VERIFY_PEER;
    if (server) {
        SSL_set_accept_state(s->ssl);
        if (t->files.verify == TLS_VERIFY_PEER)
            mode |= SSL_VERIFY_FAIL_IF_NO_PEER_CERT;
    } else {
        SSL_set_connect_state(s->ssl);
        if (t->files.verify == TLS_VERIFY_NONE)
            mode = SSL_VERIFY_NONE;
        else if (server_name != NULL)
            expect_name(s->ssl, server_name);
    }
    SSL_set_verify(s->ssl, mode, NULL);
    return s;
}

void tls_session_free(struct tls_session *s)
{
    if (s == NULL)
        return;
    SSL_free(s->ssl);
    mem_free(s);
}

static void drain(struct tls_session *s, struct buf *wire)
{
    size_t pending = BIO_ctrl_pending(s->out);
    if (pending == 0)
        return;
    buf_reserve(wire, pending);
    int n = BIO_read(s->out, wire->data + wire->size, (int)pending);
    ASSERT(n == (int)pending);
    wire->size += (size_t)n;
}

static int session_error(struct tls_session *s, struct err *reterr)
{
    long verify = SSL_get_verify_result(s->ssl);
    if (verify != X509_V_OK) {
        ERR_clear_error();
        return err_set(reterr, ERR_TLS, "the peer's certificate was refused: %s", X509_verify_cert_error_string(verify));
    }
    return openssl_error(reterr, "TLS", NULL);
}

static int handshake(struct tls_session *s, struct err *reterr)
{
    int n = SSL_do_handshake(s->ssl);
    if (n == 1) {
        s->open = true;
        return 0;
    }
    int why = SSL_get_error(s->ssl, n);
    return why == SSL_ERROR_WANT_READ || why == SSL_ERROR_WANT_WRITE ? 0 : session_error(s, reterr);
}

#define READ_STEP_BYTES (16 * 1024)

static int decrypt(struct tls_session *s, struct buf *plain, struct err *reterr)
{
    for (;;) {
        buf_reserve(plain, READ_STEP_BYTES);
        int n = SSL_read(s->ssl, plain->data + plain->size, READ_STEP_BYTES);
        if (n > 0) {
            plain->size += (size_t)n;
            continue;
        }
        int why = SSL_get_error(s->ssl, n);
        if (why == SSL_ERROR_WANT_READ || why == SSL_ERROR_WANT_WRITE)
            return 0;
        if (why == SSL_ERROR_ZERO_RETURN)
            return err_set(reterr, ERR_EOF, "the peer closed the connection");
        return session_error(s, reterr);
    }
}

int tls_session_start(struct tls_session *s, struct buf *wire, struct err *reterr)
{
    ERR_clear_error();
    int rv = handshake(s, reterr);
    drain(s, wire);
    return rv;
}

int tls_session_receive(struct tls_session *s, struct slice received, struct buf *plain, struct buf *wire, bool *ret_open,
                        struct err *reterr)
{
    ERR_clear_error();
    ASSERT(received.size <= INT32_MAX);
    if (received.size > 0 && BIO_write(s->in, received.data, (int)received.size) != (int)received.size)
        PANIC("out of memory for received TLS bytes");
    int rv = s->open ? 0 : handshake(s, reterr);
    if (rv == 0 && s->open)
        rv = decrypt(s, plain, reterr);
    drain(s, wire);
    *ret_open = s->open;
    return rv;
}

int tls_session_send(struct tls_session *s, struct slice plain, struct buf *wire, struct err *reterr)
{
    ERR_clear_error();
    while (plain.size > 0) {
        int n = SSL_write(s->ssl, plain.data, (int)MIN(plain.size, (size_t)1 << 20));
        if (n <= 0)
            return session_error(s, reterr);
        plain = slice_from(plain, (size_t)n);
        drain(s, wire);
    }
    return 0;
}

void tls_session_close_notify(struct tls_session *s, struct buf *wire)
{
    ERR_clear_error();
    if (s->open)
        (void)SSL_shutdown(s->ssl); /* one-way: the socket is closed after it whatever the peer answers */
    drain(s, wire);
}

static void copy_entry(X509_NAME *subject, int at, char text[NET_PEER_NAME_MAX])
{
    ASN1_STRING *value = X509_NAME_ENTRY_get_data(X509_NAME_get_entry(subject, at));
    unsigned char *utf8 = NULL;
    int n = ASN1_STRING_to_UTF8(&utf8, value);
    text[0] = '\0';
    /* A name that is too long or holds a NUL would be cut to another name: it is nobody's instead. */
    if (n > 0 && n < NET_PEER_NAME_MAX && memchr(utf8, '\0', (size_t)n) == NULL) {
        memcpy(text, utf8, (size_t)n);
        text[n] = '\0';
    }
    OPENSSL_free(utf8);
}

static void names_of(X509 *certificate, struct net_peer *ret)
{
    X509_NAME *subject = X509_get_subject_name(certificate);
    int at = X509_NAME_get_index_by_NID(subject, NID_commonName, -1);
    if (at >= 0)
        copy_entry(subject, at, ret->common_name);
    ret->organization_count = 0;
    for (at = -1; (at = X509_NAME_get_index_by_NID(subject, NID_organizationName, at)) >= 0;)
        if (ret->organization_count < NET_PEER_GROUPS_MAX)
            copy_entry(subject, at, ret->organizations[ret->organization_count++]);
}

void tls_session_peer(struct tls_session *s, struct net_peer *ret)
{
    X509 *certificate = SSL_get0_peer_certificate(s->ssl);
    if (certificate != NULL)
        names_of(certificate, ret);
}

static int verify_chain(struct tls *t, X509 *leaf, STACK_OF(X509) *others, struct err *reterr)
{
    X509_STORE_CTX *context = X509_STORE_CTX_new();
    if (context == NULL || X509_STORE_CTX_init(context, SSL_CTX_get_cert_store(t->context), leaf, others) != 1)
        PANIC("out of memory for a certificate check");
    X509_STORE_CTX_set_default(context, "ssl_client");
    int rv = 0;
    if (X509_verify_cert(context) != 1)
        rv = err_set(reterr, ERR_TLS, "the client's certificate was refused: %s",
                     X509_verify_cert_error_string(X509_STORE_CTX_get_error(context)));
    X509_STORE_CTX_free(context);
    return rv;
}

int tls_verify_client(struct tls *t, const struct slice *der, size_t n, struct net_peer *ret, struct err *reterr)
{
    STACK_OF(X509) *others = sk_X509_new_null();
    X509 *leaf = NULL;
    int rv = n == 0 ? err_set(reterr, ERR_TLS, "no client certificate") : 0;
    for (size_t i = 0; rv == 0 && i < n; i++) {
        const unsigned char *at = (const unsigned char *)der[i].data;
        X509 *c = d2i_X509(NULL, &at, (long)der[i].size);
        if (c == NULL)
            rv = openssl_error(reterr, "unreadable client certificate", NULL);
        else if (i == 0)
            leaf = c;
        else if (sk_X509_push(others, c) <= 0)
            PANIC("out of memory for a certificate chain");
    }
    if (rv == 0)
        rv = verify_chain(t, leaf, others, reterr);
    if (rv == 0)
        names_of(leaf, ret);
    X509_free(leaf);
    sk_X509_pop_free(others, X509_free);
    ERR_clear_error();
    return rv;
}

void tls_sha1(struct slice bytes, uint8_t ret[TLS_SHA1_SIZE])
{
    unsigned size = 0;
    if (EVP_Digest(bytes.data, bytes.size, ret, &size, EVP_sha1(), NULL) != 1 || size != TLS_SHA1_SIZE)
        PANIC("OpenSSL has no SHA-1");
}
