/* The loop seam: timers and calls deferred to the next turn. Both are embedded in the caller's structs. */
#ifndef COMMON_LOOP_H
#define COMMON_LOOP_H

#include "common/base.h"
#include "common/heap.h"
#include "common/list.h"

struct timer {
    void (*fire)(struct timer *t); /* disarmed before the call; may start itself again */
    struct heap_node node;
    uint64_t deadline_ms; /* monotonic */
    uint64_t sequence;    /* equal deadlines fire in the order of their starts */
};

struct deferred {
    void (*run)(struct deferred *d);
    struct list link; /* self-linked while not queued */
};

struct loop_ops {
    void (*timer_start)(void *impl, struct timer *t, uint64_t delay_ms); /* a started one is moved */
    void (*timer_stop)(void *impl, struct timer *t);
    void (*defer)(void *impl, struct deferred *d);   /* once per turn; harmless when queued already */
    void (*undefer)(void *impl, struct deferred *d); /* after it `run` is not called */
};

/* How long the loop was busy between two waits, for whoever watches it. */
#define LOOP_TURN_LONG_MS 20
#define LOOP_TURN_ODD_MS 100 /* such a one is logged */
struct loop_turns {
    uint64_t longest_ms;
    uint64_t long_count; /* of LOOP_TURN_LONG_MS and more */
};

struct loop {
    const struct loop_ops *ops;
    void *impl;
    const struct loop_turns *turns; /* NULL where time is not real */
};

static inline void timer_init(struct timer *t, void (*fire)(struct timer *t)) { *t = (struct timer){.fire = fire}; }
static inline bool timer_armed(const struct timer *t) { return t->node.index != 0; }

static inline void deferred_init(struct deferred *d, void (*run)(struct deferred *d))
{
    d->run = run;
    list_init(&d->link);
}

static inline void loop_timer_start(struct loop *l, struct timer *t, uint64_t delay_ms)
{
    l->ops->timer_start(l->impl, t, delay_ms);
}
static inline void loop_timer_stop(struct loop *l, struct timer *t) { l->ops->timer_stop(l->impl, t); }
static inline void loop_defer(struct loop *l, struct deferred *d) { l->ops->defer(l->impl, d); }
static inline void loop_undefer(struct loop *l, struct deferred *d) { l->ops->undefer(l->impl, d); }

#endif
