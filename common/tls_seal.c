#include "common/base.h"

#include "common/mem.h"
#include "common/tls_seal.h"

#include <openssl/evp.h>

#define TAG_BYTES 16
#define HEADER_BYTES 5
#define APPLICATION_DATA 23

struct tls_seal {
    EVP_CIPHER *aes_128, *aes_256;
    EVP_CIPHER_CTX *context;
    uint8_t nonce[TLS_SEAL_NONCE];
    uint64_t sequence;
};

struct tls_seal *tls_seal_new(void)
{
    struct tls_seal *s = NEW(struct tls_seal);
    s->aes_128 = EVP_CIPHER_fetch(NULL, "AES-128-GCM", NULL);
    s->aes_256 = EVP_CIPHER_fetch(NULL, "AES-256-GCM", NULL);
    s->context = EVP_CIPHER_CTX_new();
    if (s->aes_128 != NULL && s->aes_256 != NULL && s->context != NULL)
        return s;
    tls_seal_free(s);
    return NULL;
}

void tls_seal_free(struct tls_seal *s)
{
    if (s == NULL)
        return;
    EVP_CIPHER_free(s->aes_128);
    EVP_CIPHER_free(s->aes_256);
    EVP_CIPHER_CTX_free(s->context);
    mem_free(s);
}

/* With good arguments the cipher fails for want of memory only. */
static void check(int result)
{
    if (result != 1)
        PANIC("AES-GCM failed");
}

void tls_seal_begin(struct tls_seal *s, struct slice key, const uint8_t nonce[TLS_SEAL_NONCE], uint64_t sequence)
{
    ASSERT(key.size == 16 || key.size == 32);
    memcpy(s->nonce, nonce, sizeof s->nonce);
    s->sequence = sequence;
    check(EVP_EncryptInit_ex2(s->context, key.size == 16 ? s->aes_128 : s->aes_256, (const unsigned char *)key.data,
                              NULL, NULL));
}

uint64_t tls_seal_sequence(const struct tls_seal *s) { return s->sequence; }

/* The base with the record's number in its last eight bytes (section 5.3). */
static void next_nonce(struct tls_seal *s, uint8_t nonce[TLS_SEAL_NONCE])
{
    uint64_t number = s->sequence++;
    memcpy(nonce, s->nonce, TLS_SEAL_NONCE);
    for (size_t i = TLS_SEAL_NONCE; number != 0; number >>= 8)
        nonce[--i] ^= (uint8_t)number;
}

static uint8_t *encrypt(struct tls_seal *s, const void *bytes, size_t size, uint8_t *to)
{
    int written = 0;
    check(EVP_EncryptUpdate(s->context, to, &written, bytes, (int)size));
    return to + written;
}

void tls_seal_record(struct tls_seal *s, const struct slice *parts, size_t n, struct buf *out)
{
    static const uint8_t type = APPLICATION_DATA; /* the real one, behind the content */
    uint8_t nonce[TLS_SEAL_NONCE];
    size_t content = 0;
    int ignored;
    for (size_t i = 0; i < n; i++)
        content += parts[i].size;
    ASSERT(content <= TLS_SEAL_RECORD_MAX);
    size_t size = content + 1 + TAG_BYTES;
    buf_reserve(out, HEADER_BYTES + size);
    uint8_t *header = (uint8_t *)out->data + out->size, *at = header + HEADER_BYTES;
    memcpy(header, (uint8_t[]){APPLICATION_DATA, 3, 3, (uint8_t)(size >> 8), (uint8_t)size}, HEADER_BYTES);
    next_nonce(s, nonce);
    check(EVP_EncryptInit_ex2(s->context, NULL, NULL, nonce, NULL));
    check(EVP_EncryptUpdate(s->context, NULL, &ignored, header, HEADER_BYTES));
    for (size_t i = 0; i < n; i++)
        at = encrypt(s, parts[i].data, parts[i].size, at);
    at = encrypt(s, &type, 1, at);
    check(EVP_EncryptFinal_ex(s->context, at, &ignored));
    check(EVP_CIPHER_CTX_ctrl(s->context, EVP_CTRL_AEAD_GET_TAG, TAG_BYTES, at));
    out->size += HEADER_BYTES + size;
}
