/* The randomness seam, and the seeded generator (xoshiro256**, Blackman and Vigna 2018) that simulations use. */
#ifndef COMMON_RANDOM_H
#define COMMON_RANDOM_H

#include "common/base.h"

struct random_ops {
    void (*fill)(void *impl, void *bytes, size_t size);
};

struct random {
    const struct random_ops *ops;
    void *impl;
};

static inline void random_fill(struct random *r, void *bytes, size_t size) { r->ops->fill(r->impl, bytes, size); }
static inline uint64_t random_u64(struct random *r)
{
    uint64_t v;
    random_fill(r, &v, sizeof v);
    return v;
}
/* Uniform in [0, bound); bound > 0. */
uint64_t random_below(struct random *r, uint64_t bound);

#define UUID_TEXT_SIZE 37
void random_uuid(struct random *r, char text[UUID_TEXT_SIZE]); /* version 4, RFC 9562 */

struct prng {
    uint64_t s[4];
};
void prng_seed(struct prng *p, uint64_t seed);
uint64_t prng_next(struct prng *p);
struct random prng_random(struct prng *p); /* a seam over `p`, which must outlive it */

#endif
