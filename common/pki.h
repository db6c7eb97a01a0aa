/* Certificates: authorities and what they sign. ECDSA P-256, PEM files, keys readable by their owner only. OpenSSL's
 * home together with tls.c. */
#ifndef COMMON_PKI_H
#define COMMON_PKI_H

#include "common/base.h"
#include "common/err.h"

#define PKI_NAMES_MAX 32

struct pki_request {
    const char *ca_certificate_file, *ca_key_file; /* who signs */
    const char *common_name;
    const char *const *organizations; /* NULL-terminated, or NULL */
    const char *const *dns_names;     /* subject alternative names; NULL-terminated, or NULL */
    const char *const *addresses;     /* numeric IPv4 or IPv6; NULL-terminated, or NULL */
    bool server, client;              /* extended key usages */
    int64_t now_s;                    /* wall clock; valid from five minutes before it */
    unsigned days;
    const char *certificate_file, *key_file; /* written, replacing what was there */
};

/* A new self-signed authority. ERR_PERMISSION, ERR_NO_SPACE, ERR_IO; the message names the file. */
int pki_make_ca(const char *common_name, int64_t now_s, unsigned days, const char *certificate_file, const char *key_file,
                struct err *reterr);

/* A key and a certificate for it. Also ERR_NOT_FOUND and ERR_TLS about the authority's files, ERR_BAD_REQUEST for a bad address. */
int pki_issue(const struct pki_request *r, struct err *reterr);

/* A new P-256 private key alone: what signs tokens. */
int pki_make_key(const char *key_file, struct err *reterr);

#endif
