#include "common/base.h"

#include "common/mem.h"
#include "common/pki.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

static int tls_error(struct err *reterr, const char *what)
{
    char text[160];
    ERR_error_string_n(ERR_get_error(), text, sizeof text);
    return err_set(reterr, ERR_TLS, "%s: %s", what, text);
}

/* Opens for writing so that a key is never readable by others, not even for a moment. */
static int open_for(const char *name, mode_t mode, FILE **ret, struct err *reterr)
{
    if (unlink(name) != 0 && errno != ENOENT)
        return err_set_errno(reterr, errno, "cannot replace %s", name);
    int fd = open(name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode);
    if (fd < 0)
        return err_set_errno(reterr, errno, "cannot write %s", name);
    *ret = fdopen(fd, "w");
    ASSERT(*ret != NULL);
    return 0;
}

static int close_written(FILE *f, bool written, const char *name, struct err *reterr)
{
    int error = written ? 0 : errno != 0 ? errno : EIO;
    if (fflush(f) != 0 && error == 0)
        error = errno;
    if (fclose(f) != 0 && error == 0)
        error = errno;
    return error == 0 ? 0 : err_set_errno(reterr, error, "cannot write %s", name);
}

static int write_pair(X509 *certificate, EVP_PKEY *key, const char *certificate_file, const char *key_file, struct err *reterr)
{
    FILE *f;
    int rv = open_for(key_file, 0600, &f, reterr);
    if (rv == 0)
        rv = close_written(f, PEM_write_PrivateKey(f, key, NULL, NULL, 0, NULL, NULL) == 1, key_file, reterr);
    if (rv == 0)
        rv = open_for(certificate_file, 0644, &f, reterr);
    if (rv == 0)
        rv = close_written(f, PEM_write_X509(f, certificate) == 1, certificate_file, reterr);
    return rv;
}

static bool add_extension(X509 *certificate, X509 *issuer, int nid, const char *value)
{
    X509V3_CTX context;
    X509V3_set_ctx_nodb(&context);
    X509V3_set_ctx(&context, issuer, certificate, NULL, NULL, 0);
    X509_EXTENSION *extension = X509V3_EXT_conf_nid(NULL, &context, nid, value);
    if (extension == NULL)
        return false;
    bool added = X509_add_ext(certificate, extension, -1) == 1;
    X509_EXTENSION_free(extension);
    return added;
}

static bool add_name(X509_NAME *name, const char *field, const char *value)
{
    return X509_NAME_add_entry_by_txt(name, field, MBSTRING_UTF8, (const unsigned char *)value, -1, -1, 0) == 1;
}

static bool random_serial(X509 *certificate)
{
    unsigned char bytes[16];
    if (RAND_bytes(bytes, sizeof bytes) != 1)
        return false;
    bytes[0] &= 0x7f; /* positive, RFC 5280 section 4.1.2.2 */
    BIGNUM *number = BN_bin2bn(bytes, sizeof bytes, NULL);
    bool set = number != NULL && BN_to_ASN1_INTEGER(number, X509_get_serialNumber(certificate)) != NULL;
    BN_free(number);
    return set;
}

#define BACKDATED_S 300

/* A certificate with version, serial number, validity and public key; subject and extensions are the caller's. */
static X509 *begin_certificate(EVP_PKEY *key, int64_t now_s, unsigned days)
{
    X509 *c = X509_new();
    if (c == NULL)
        return NULL;
    time_t from = (time_t)(now_s - BACKDATED_S), until = (time_t)(now_s + (int64_t)days * 86400);
    if (X509_set_version(c, 2) == 1 && random_serial(c) && ASN1_TIME_set(X509_getm_notBefore(c), from) != NULL &&
        ASN1_TIME_set(X509_getm_notAfter(c), until) != NULL && X509_set_pubkey(c, key) == 1)
        return c;
    X509_free(c);
    return NULL;
}

int pki_make_ca(const char *common_name, int64_t now_s, unsigned days, const char *certificate_file, const char *key_file,
                struct err *reterr)
{
    EVP_PKEY *key = EVP_EC_gen("P-256");
    X509 *c = key == NULL ? NULL : begin_certificate(key, now_s, days);
    int rv;
    if (c != NULL && add_name(X509_get_subject_name(c), "CN", common_name) &&
        X509_set_issuer_name(c, X509_get_subject_name(c)) == 1 &&
        add_extension(c, c, NID_basic_constraints, "critical,CA:TRUE") &&
        add_extension(c, c, NID_key_usage, "critical,keyCertSign,cRLSign,digitalSignature") &&
        add_extension(c, c, NID_subject_key_identifier, "hash") && X509_sign(c, key, EVP_sha256()) > 0)
        rv = write_pair(c, key, certificate_file, key_file, reterr);
    else
        rv = tls_error(reterr, "cannot make an authority");
    X509_free(c);
    EVP_PKEY_free(key);
    return rv;
}

static FILE *open_to_read(const char *name, int *ret_code, struct err *reterr)
{
    FILE *f = fopen(name, "re");
    if (f == NULL)
        *ret_code = err_set_errno(reterr, errno, "cannot read %s", name);
    return f;
}

static int load_authority(const struct pki_request *r, X509 **ret_ca, EVP_PKEY **ret_key, struct err *reterr)
{
    int rv = 0;
    FILE *f = open_to_read(r->ca_certificate_file, &rv, reterr);
    if (f == NULL)
        return rv;
    *ret_ca = PEM_read_X509(f, NULL, NULL, NULL);
    (void)fclose(f); /* only read from */
    if (*ret_ca == NULL)
        return err_set(reterr, ERR_TLS, "%s holds no PEM certificate", r->ca_certificate_file);
    f = open_to_read(r->ca_key_file, &rv, reterr);
    if (f == NULL)
        return rv;
    *ret_key = PEM_read_PrivateKey(f, NULL, NULL, NULL);
    (void)fclose(f); /* only read from */
    if (*ret_key == NULL)
        return err_set(reterr, ERR_TLS, "%s holds no PEM key", r->ca_key_file);
    if (X509_check_private_key(*ret_ca, *ret_key) != 1)
        return err_set(reterr, ERR_TLS, "%s is not the key of %s", r->ca_key_file, r->ca_certificate_file);
    return 0;
}

static bool add_alternative_name(GENERAL_NAMES *names, int type, ASN1_STRING *value)
{
    GENERAL_NAME *name = GENERAL_NAME_new();
    if (name == NULL || value == NULL)
        return false;
    GENERAL_NAME_set0_value(name, type, value);
    return sk_GENERAL_NAME_push(names, name) > 0;
}

static int add_alternative_names(X509 *c, const struct pki_request *r, struct err *reterr)
{
    GENERAL_NAMES *names = sk_GENERAL_NAME_new_null();
    int rv = 0;
    for (size_t i = 0; rv == 0 && r->dns_names != NULL && r->dns_names[i] != NULL; i++) {
        ASN1_IA5STRING *text = ASN1_IA5STRING_new();
        if (ASN1_STRING_set(text, r->dns_names[i], -1) != 1 || !add_alternative_name(names, GEN_DNS, text))
            rv = tls_error(reterr, "cannot add a DNS name");
    }
    for (size_t i = 0; rv == 0 && r->addresses != NULL && r->addresses[i] != NULL; i++) {
        ASN1_OCTET_STRING *address = a2i_IPADDRESS(r->addresses[i]);
        if (address == NULL)
            rv = err_set(reterr, ERR_BAD_REQUEST, "'%s' is not a numeric address", r->addresses[i]);
        else if (!add_alternative_name(names, GEN_IPADD, address))
            rv = tls_error(reterr, "cannot add an address");
    }
    if (rv == 0 && sk_GENERAL_NAME_num(names) > 0 && X509_add1_ext_i2d(c, NID_subject_alt_name, names, 0, 0) != 1)
        rv = tls_error(reterr, "cannot add alternative names");
    sk_GENERAL_NAME_pop_free(names, GENERAL_NAME_free);
    return rv;
}

static bool add_subject(X509 *c, const struct pki_request *r)
{
    X509_NAME *subject = X509_get_subject_name(c);
    for (size_t i = 0; r->organizations != NULL && r->organizations[i] != NULL; i++)
        if (!add_name(subject, "O", r->organizations[i]))
            return false;
    return add_name(subject, "CN", r->common_name);
}

static const char *extended_usage(const struct pki_request *r)
{
    return r->server && r->client ? "serverAuth,clientAuth" : r->server ? "serverAuth" : "clientAuth";
}

static int issue_with(const struct pki_request *r, X509 *ca, EVP_PKEY *ca_key, EVP_PKEY *key, struct err *reterr)
{
    X509 *c = begin_certificate(key, r->now_s, r->days);
    int rv = 0;
    if (c == NULL || !add_subject(c, r) || X509_set_issuer_name(c, X509_get_subject_name(ca)) != 1 ||
        !add_extension(c, ca, NID_basic_constraints, "critical,CA:FALSE") ||
        !add_extension(c, ca, NID_key_usage, "critical,digitalSignature,keyEncipherment") ||
        !add_extension(c, ca, NID_ext_key_usage, extended_usage(r)) ||
        !add_extension(c, ca, NID_authority_key_identifier, "keyid"))
        rv = tls_error(reterr, "cannot make a certificate");
    if (rv == 0)
        rv = add_alternative_names(c, r, reterr);
    if (rv == 0 && X509_sign(c, ca_key, EVP_sha256()) <= 0)
        rv = tls_error(reterr, "cannot sign a certificate");
    if (rv == 0)
        rv = write_pair(c, key, r->certificate_file, r->key_file, reterr);
    X509_free(c);
    return rv;
}

int pki_issue(const struct pki_request *r, struct err *reterr)
{
    X509 *ca = NULL;
    EVP_PKEY *ca_key = NULL, *key = NULL;
    int rv = load_authority(r, &ca, &ca_key, reterr);
    if (rv == 0 && (key = EVP_EC_gen("P-256")) == NULL)
        rv = tls_error(reterr, "cannot make a key");
    if (rv == 0)
        rv = issue_with(r, ca, ca_key, key, reterr);
    EVP_PKEY_free(key);
    EVP_PKEY_free(ca_key);
    X509_free(ca);
    return rv;
}

int pki_make_key(const char *key_file, struct err *reterr)
{
    EVP_PKEY *key = EVP_EC_gen("P-256");
    FILE *f;
    int rv = key == NULL ? tls_error(reterr, "cannot make a key") : open_for(key_file, 0600, &f, reterr);
    if (rv == 0)
        rv = close_written(f, PEM_write_PrivateKey(f, key, NULL, NULL, 0, NULL, NULL) == 1, key_file, reterr);
    EVP_PKEY_free(key);
    return rv;
}
