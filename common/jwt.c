#include "common/base.h"

#include "common/base64.h"
#include "common/json.h"
#include "common/jwt.h"
#include "common/mem.h"

#include <errno.h>
#include <stdio.h>

#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/ecdsa.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>

#define ES256_HALF 32
#define SIGNATURE_MAX 1024 /* of an RSA key of 8192 bits */

struct jwt_key {
    EVP_PKEY *key;
    bool is_rsa;
    struct buf id; /* base64url of the SHA-256 of the public key */
};

static int key_inspect(struct jwt_key *k, const char *file, struct err *reterr)
{
    unsigned char *der = NULL, hash[32];
    unsigned hash_size = sizeof hash;
    int type = EVP_PKEY_get_base_id(k->key), n = i2d_PUBKEY(k->key, &der);
    k->is_rsa = type == EVP_PKEY_RSA;
    bool usable = (k->is_rsa && EVP_PKEY_get_size(k->key) <= SIGNATURE_MAX) ||
                  (type == EVP_PKEY_EC && EVP_PKEY_get_bits(k->key) == 256);
    if (n > 0 && EVP_Digest(der, (size_t)n, hash, &hash_size, EVP_sha256(), NULL) == 1)
        base64url_append(&k->id, slice_of((const char *)hash, hash_size));
    OPENSSL_free(der);
    return usable && k->id.size > 0
               ? 0
               : err_set(reterr, ERR_TLS, "%s: a key for tokens is an RSA key or one of P-256", file);
}

int jwt_key_load(const char *file, struct jwt_key **ret, struct err *reterr)
{
    FILE *f = fopen(file, "re");
    if (f == NULL)
        return err_set_errno(reterr, errno, "cannot read %s", file);
    struct jwt_key *k = NEW(struct jwt_key);
    k->key = PEM_read_PrivateKey(f, NULL, NULL, NULL);
    (void)fclose(f); /* only read from */
    int code = k->key == NULL ? err_set(reterr, ERR_TLS, "%s holds no PEM private key", file)
                              : key_inspect(k, file, reterr);
    if (code != 0) {
        jwt_key_free(k);
        return code;
    }
    *ret = k;
    return 0;
}

void jwt_key_free(struct jwt_key *k)
{
    if (k == NULL)
        return;
    EVP_PKEY_free(k->key);
    buf_release(&k->id);
    mem_free(k);
}

const char *jwt_key_algorithm(const struct jwt_key *k) { return k->is_rsa ? "RS256" : "ES256"; }

/* One number of the key, big-endian in base64url; `size` 0: as long as it is (RFC 7518 sections 6.2.1 and 6.3.1). */
static int append_number(const struct jwt_key *k, const char *parameter, const char *name, size_t size, struct buf *out)
{
    BIGNUM *n = NULL;
    unsigned char bytes[SIGNATURE_MAX];
    int rv = ERR_TLS;
    if (EVP_PKEY_get_bn_param(k->key, parameter, &n) == 1) {
        size = size == 0 ? (size_t)BN_num_bytes(n) : size;
        if (size <= sizeof bytes && BN_bn2binpad(n, bytes, (int)size) == (int)size) {
            buf_printf(out, ",\"%s\":\"", name);
            base64url_append(out, slice_of((const char *)bytes, size));
            buf_append_char(out, '"');
            rv = 0;
        }
    }
    BN_free(n);
    return rv;
}

int jwt_key_public(const struct jwt_key *k, struct buf *out, struct err *reterr)
{
    buf_printf(out, "{\"use\":\"sig\",\"kty\":\"%s\",\"kid\":\"%s\"", k->is_rsa ? "RSA" : "EC", k->id.data);
    int rv = 0;
    if (!k->is_rsa)
        buf_append_str(out, ",\"crv\":\"P-256\"");
    buf_printf(out, ",\"alg\":\"%s\"", jwt_key_algorithm(k));
    if (k->is_rsa) {
        rv = append_number(k, OSSL_PKEY_PARAM_RSA_N, "n", 0, out);
        rv = rv != 0 ? rv : append_number(k, OSSL_PKEY_PARAM_RSA_E, "e", 0, out);
    } else {
        rv = append_number(k, OSSL_PKEY_PARAM_EC_PUB_X, "x", ES256_HALF, out);
        rv = rv != 0 ? rv : append_number(k, OSSL_PKEY_PARAM_EC_PUB_Y, "y", ES256_HALF, out);
    }
    buf_append_char(out, '}');
    return rv == 0 ? 0 : err_set(reterr, rv, "the public key for tokens cannot be shown");
}

/* ES256 signatures are r and s as 32 bytes each (RFC 7518 section 3.4), OpenSSL's are DER. */
static bool der_to_raw(const unsigned char *der, size_t size, unsigned char raw[2 * ES256_HALF])
{
    ECDSA_SIG *s = d2i_ECDSA_SIG(NULL, &der, (long)size);
    bool good = s != NULL && BN_bn2binpad(ECDSA_SIG_get0_r(s), raw, ES256_HALF) == ES256_HALF &&
                BN_bn2binpad(ECDSA_SIG_get0_s(s), raw + ES256_HALF, ES256_HALF) == ES256_HALF;
    ECDSA_SIG_free(s);
    return good;
}

static size_t raw_to_der(struct slice raw, unsigned char *der)
{
    if (raw.size != 2 * ES256_HALF)
        return 0;
    ECDSA_SIG *s = ECDSA_SIG_new();
    BIGNUM *a = BN_bin2bn((const unsigned char *)raw.data, ES256_HALF, NULL);
    BIGNUM *b = BN_bin2bn((const unsigned char *)raw.data + ES256_HALF, ES256_HALF, NULL);
    int n = 0;
    if (s != NULL && a != NULL && b != NULL && ECDSA_SIG_set0(s, a, b) == 1) {
        a = b = NULL; /* owned by the signature now */
        n = i2d_ECDSA_SIG(s, &der);
    }
    BN_free(a);
    BN_free(b);
    ECDSA_SIG_free(s);
    return n > 0 ? (size_t)n : 0;
}

int jwt_sign(const struct jwt_key *k, struct slice claims, struct buf *out, struct err *reterr)
{
    struct buf head = {0};
    size_t begin = out->size, size = SIGNATURE_MAX;
    unsigned char signature[SIGNATURE_MAX], raw[2 * ES256_HALF];
    buf_printf(&head, "{\"alg\":\"%s\",\"kid\":\"%s\",\"typ\":\"JWT\"}", jwt_key_algorithm(k), k->id.data);
    base64url_append(out, buf_slice(&head));
    buf_append_char(out, '.');
    base64url_append(out, claims);
    buf_release(&head);
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    bool made = context != NULL && EVP_DigestSignInit(context, NULL, EVP_sha256(), NULL, k->key) == 1 &&
                EVP_DigestSign(context, signature, &size, (const unsigned char *)out->data + begin,
                               out->size - begin) == 1;
    EVP_MD_CTX_free(context);
    if (made && !k->is_rsa)
        made = der_to_raw(signature, size, raw);
    if (!made)
        return err_set(reterr, ERR_TLS, "cannot sign a token");
    buf_append_char(out, '.');
    base64url_append(out, k->is_rsa ? slice_of((const char *)signature, size) : slice_of((const char *)raw, sizeof raw));
    return 0;
}

static bool signature_fits(const struct jwt_key *k, struct slice text, struct slice signature)
{
    unsigned char der[SIGNATURE_MAX];
    size_t size = signature.size;
    if (size > SIGNATURE_MAX)
        return false;
    if (k->is_rsa)
        memcpy(der, signature.data, size);
    else
        size = raw_to_der(signature, der);
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    bool good = size > 0 && context != NULL && EVP_DigestVerifyInit(context, NULL, EVP_sha256(), NULL, k->key) == 1 &&
                EVP_DigestVerify(context, der, size, (const unsigned char *)text.data, text.size) == 1;
    EVP_MD_CTX_free(context);
    return good;
}

/* The algorithm is the key's, whatever the token would like (RFC 8725 section 3.1). */
static bool head_fits(const struct jwt_key *k, struct slice head)
{
    struct buf text = {0};
    struct json_doc *d = json_doc_new();
    struct json *tree = NULL;
    bool good = base64_decode(head, &text) == 0 && json_parse(d, buf_slice(&text), &tree, NULL) == 0 &&
                slice_is(json_string_at(tree, "alg"), jwt_key_algorithm(k));
    json_doc_free(d);
    buf_release(&text);
    return good;
}

int jwt_verify(const struct jwt_key *k, struct slice token, struct buf *ret_claims, struct err *reterr)
{
    struct slice rest = token;
    struct slice head = slice_cut(&rest, '.'), claims = slice_cut(&rest, '.');
    struct buf signature = {0};
    int code = 0;
    if (token.size > JWT_BYTES_MAX || claims.size == 0 || rest.size == 0 || base64_decode(rest, &signature) != 0 ||
        !head_fits(k, head))
        code = err_set(reterr, ERR_UNAUTHORIZED, "invalid bearer token: it is no token of this issuer");
    else if (!signature_fits(k, slice_of(token.data, head.size + 1 + claims.size), buf_slice(&signature)))
        code = err_set(reterr, ERR_UNAUTHORIZED, "invalid bearer token: its signature does not fit");
    else if (base64_decode(claims, ret_claims) != 0)
        code = err_set(reterr, ERR_UNAUTHORIZED, "invalid bearer token: its claims are damaged");
    buf_release(&signature);
    return code;
}
