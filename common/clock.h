/* The clock seam. Decisions about order and time-outs use the monotonic clock only. */
#ifndef COMMON_CLOCK_H
#define COMMON_CLOCK_H

#include "common/base.h"

struct clock_ops {
    uint64_t (*monotonic_ns)(void *impl); /* never goes back; origin unspecified */
    int64_t (*wall_ms)(void *impl);       /* since 1970-01-01 UTC; may jump */
};

struct clock {
    const struct clock_ops *ops;
    void *impl;
};

static inline uint64_t clock_monotonic_ns(struct clock *c) { return c->ops->monotonic_ns(c->impl); }
static inline uint64_t clock_monotonic_ms(struct clock *c) { return c->ops->monotonic_ns(c->impl) / 1000000; }
static inline int64_t clock_wall_ms(struct clock *c) { return c->ops->wall_ms(c->impl); }

/* RFC 3339 in UTC. `digits` of the second's fraction: 0 (metav1.Time), 3 or 6 (MicroTime). */
#define TIME_TEXT_MAX 40
void time_format(int64_t wall_us, int digits, char text[TIME_TEXT_MAX]);

/* Parses RFC 3339 with any offset and fraction; ERR_BAD_REQUEST otherwise. */
int time_parse(struct slice text, int64_t *ret_wall_us);

#endif
