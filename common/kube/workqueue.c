#include "common/base.h"

#include "common/kube/workqueue.h"
#include "common/list.h"
#include "common/map.h"
#include "common/mem.h"

#define BACKOFF_MIN_MS 5
#define BACKOFF_MAX_MS 1000000

struct item {
    struct workqueue *queue;
    char *key;
    struct list ready;   /* in the queue's ready list, or self-linked */
    struct timer later;
    bool active, again;  /* handed out; added meanwhile */
    unsigned failures;
};

struct workqueue {
    struct env *env;
    unsigned concurrency, active;
    bool paused;
    void (*work)(void *arg, struct slice key);
    void *arg;
    struct map items; /* key → struct item *: everything queued, delayed, active or with failures to remember */
    struct list ready;
    struct deferred turn;
};

static void schedule(struct workqueue *q)
{
    if (!q->paused && !list_empty(&q->ready) && q->active < q->concurrency)
        loop_defer(&q->env->loop, &q->turn);
}

static void hand_out(struct deferred *d)
{
    struct workqueue *q = container_of(d, struct workqueue, turn);
    while (!q->paused && !list_empty(&q->ready) && q->active < q->concurrency) {
        struct item *item = container_of(q->ready.next, struct item, ready);
        list_remove(&item->ready);
        item->active = true;
        q->active++;
        q->work(q->arg, slice_str(item->key));
    }
}

static void make_ready(struct item *item)
{
    loop_timer_stop(&item->queue->env->loop, &item->later);
    if (item->active)
        item->again = true;
    else if (list_empty(&item->ready))
        list_push_back(&item->queue->ready, &item->ready);
    schedule(item->queue);
}

static void delay_over(struct timer *t) { make_ready(container_of(t, struct item, later)); }

static struct item *item_of(struct workqueue *q, struct slice key)
{
    struct item *item = map_get(&q->items, key);
    if (item != NULL)
        return item;
    item = NEW(struct item);
    item->queue = q;
    item->key = mem_slice_dup(key);
    list_init(&item->ready);
    timer_init(&item->later, delay_over);
    map_put(&q->items, key, item);
    return item;
}

static void item_free(struct item *item)
{
    loop_timer_stop(&item->queue->env->loop, &item->later);
    list_remove(&item->ready);
    mem_free(item->key);
    mem_free(item);
}

struct workqueue *workqueue_new(struct env *env, unsigned concurrency, void (*work)(void *arg, struct slice key), void *arg)
{
    ASSERT(concurrency > 0);
    struct workqueue *q = NEW(struct workqueue);
    q->env = env;
    q->concurrency = concurrency;
    q->work = work;
    q->arg = arg;
    list_init(&q->ready);
    deferred_init(&q->turn, hand_out);
    return q;
}

void workqueue_add(struct workqueue *q, struct slice key) { make_ready(item_of(q, key)); }

void workqueue_add_after(struct workqueue *q, struct slice key, uint64_t delay_ms)
{
    struct item *item = item_of(q, key);
    if (!list_empty(&item->ready))
        return;
    uint64_t deadline = clock_monotonic_ms(&q->env->clock) + delay_ms;
    if (!timer_armed(&item->later) || item->later.deadline_ms > deadline)
        loop_timer_start(&q->env->loop, &item->later, delay_ms);
}

static uint64_t backoff_ms(unsigned failures)
{
    return failures > 18 ? BACKOFF_MAX_MS : MIN((uint64_t)BACKOFF_MIN_MS << (failures - 1), (uint64_t)BACKOFF_MAX_MS);
}

void workqueue_done(struct workqueue *q, struct slice key, bool success)
{
    struct item *item = map_get(&q->items, key);
    ASSERT(item != NULL && item->active);
    item->active = false;
    q->active--;
    item->failures = success ? 0 : item->failures + 1;
    if (item->again) {
        item->again = false;
        make_ready(item);
    } else if (!success) {
        workqueue_add_after(q, key, backoff_ms(item->failures));
    } else if (!timer_armed(&item->later)) {
        map_remove(&q->items, slice_str(item->key));
        item_free(item);
    }
    schedule(q);
}

void workqueue_pause(struct workqueue *q, bool paused)
{
    q->paused = paused;
    schedule(q);
}

size_t workqueue_length(const struct workqueue *q) { return q->items.size; }

void workqueue_free(struct workqueue *q)
{
    struct map_entry *e;
    if (q == NULL)
        return;
    for (size_t at = 0; (e = map_next(&q->items, &at)) != NULL;)
        item_free(e->value);
    map_release(&q->items);
    loop_undefer(&q->env->loop, &q->turn);
    mem_free(q);
}
