#include "common/base.h"

#include "common/random.h"

#include <stdio.h>

uint64_t random_below(struct random *r, uint64_t bound)
{
    ASSERT(bound > 0);
    uint64_t limit = UINT64_MAX - UINT64_MAX % bound;
    uint64_t v;
    do
        v = random_u64(r);
    while (v >= limit);
    return v % bound;
}

void random_uuid(struct random *r, char text[UUID_TEXT_SIZE])
{
    uint8_t b[16];
    random_fill(r, b, sizeof b);
    b[6] = (uint8_t)((b[6] & 0x0f) | 0x40);
    b[8] = (uint8_t)((b[8] & 0x3f) | 0x80);
    for (size_t i = 0; i < sizeof b; i++) {
        if (i == 4 || i == 6 || i == 8 || i == 10)
            *text++ = '-';
        *text++ = "0123456789abcdef"[b[i] >> 4];
        *text++ = "0123456789abcdef"[b[i] & 0x0f];
    }
    *text = '\0';
}

static uint64_t splitmix(uint64_t *state)
{
    uint64_t z = (*state += 0x9e3779b97f4a7c15u);
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    return z ^ z >> 31;
}

void prng_seed(struct prng *p, uint64_t seed)
{
    for (size_t i = 0; i < ARRAY_LEN(p->s); i++)
        p->s[i] = splitmix(&seed);
}

static uint64_t rotate(uint64_t v, int by) { return v << by | v >> (64 - by); }

uint64_t prng_next(struct prng *p)
{
    uint64_t *s = p->s;
    uint64_t result = rotate(s[1] * 5, 7) * 9;
    uint64_t t = s[1] << 17;
    s[2] ^= s[0];
    s[3] ^= s[1];
    s[1] ^= s[2];
    s[0] ^= s[3];
    s[2] ^= t;
    s[3] = rotate(s[3], 45);
    return result;
}

static void prng_fill(void *impl, void *bytes, size_t size)
{
    char *at = bytes;
    while (size > 0) {
        uint64_t v = prng_next(impl);
        size_t n = MIN(size, sizeof v);
        memcpy(at, &v, n);
        at += n;
        size -= n;
    }
}

struct random prng_random(struct prng *p)
{
    static const struct random_ops ops = {.fill = prng_fill};
    return (struct random){&ops, p};
}
