#include "common/base.h"

#include "common/mem.h"
#include "common/uv_env.h"
#include "common/uv_net.h"

#include <signal.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/time.h>
#include <unistd.h>

#define UV_ENV_ADDED_MAX 4

/* The turn under way: from the end of a wait to the next one. What is neither deferred nor timers is input and output. */
struct turn {
    uint64_t began_ms;
    struct rusage before;            /* of this thread */
    uint64_t deferred_ns, timers_ns; /* spent so far */
};

struct uv_env {
    struct env env;
    struct log log;
    uv_loop_t loop;
    struct heap timers;
    uint64_t timer_sequence;
    uv_timer_t timer;  /* armed for the first of `timers` */
    struct list queue; /* deferred */
    uv_prepare_t prepare; /* right before the poll phase: a turn has ended */
    uv_check_t check;  /* runs the queue right after the poll phase */
    uv_idle_t idle;    /* active while the queue is not empty: the poll must not wait */
    uv_signal_t terminate, interrupt;
    void (*on_signal)(void *arg);
    void *signal_arg;
    int signal_number; /* the latest */
    struct uv_net *net;
    struct loop_turns turns;
    struct turn turn;
    uint8_t supply[1024]; /* random bytes, of which the first `supply_left` are to be given */
    size_t supply_left;
    struct {
        void (*close)(void *seam);
        void *seam;
    } added[UV_ENV_ADDED_MAX];
    size_t added_count;
};

static bool earlier(const struct heap_node *a, const struct heap_node *b)
{
    const struct timer *x = container_of(a, struct timer, node), *y = container_of(b, struct timer, node);
    return x->deadline_ms != y->deadline_ms ? x->deadline_ms < y->deadline_ms : x->sequence < y->sequence;
}

static uint64_t monotonic_ns(void *impl)
{
    (void)impl;
    return uv_hrtime();
}

static int64_t wall_ms(void *impl)
{
    (void)impl;
    struct timeval now;
    gettimeofday(&now, NULL);
    return (int64_t)now.tv_sec * 1000 + now.tv_usec / 1000;
}

static void fire_due(uv_timer_t *handle);

static void arm(struct uv_env *uv)
{
    struct heap_node *first = heap_min(&uv->timers);
    if (first == NULL) {
        uv_timer_stop(&uv->timer);
        return;
    }
    uint64_t now = uv_now(&uv->loop), deadline = container_of(first, struct timer, node)->deadline_ms; /* of the same clock */
    uv_timer_start(&uv->timer, fire_due, deadline > now ? deadline - now : 0, 0);
}

/* Only what was due when it began, so that a timer that restarts itself with 0 cannot hold the loop. */
static void fire_due(uv_timer_t *handle)
{
    struct uv_env *uv = handle->data;
    uint64_t began_ns = monotonic_ns(uv), now = began_ns / 1000000, last = uv->timer_sequence;
    for (;;) {
        struct heap_node *first = heap_min(&uv->timers);
        if (first == NULL)
            break;
        struct timer *t = container_of(first, struct timer, node);
        if (t->deadline_ms > now || t->sequence > last)
            break;
        heap_remove(&uv->timers, first);
        t->fire(t);
    }
    arm(uv);
    uv->turn.timers_ns += monotonic_ns(uv) - began_ns;
}

static void timer_start(void *impl, struct timer *t, uint64_t delay_ms)
{
    struct uv_env *uv = impl;
    heap_remove(&uv->timers, &t->node);
    t->deadline_ms = monotonic_ns(uv) / 1000000 + delay_ms;
    t->sequence = ++uv->timer_sequence;
    heap_push(&uv->timers, &t->node);
    if (heap_min(&uv->timers) == &t->node)
        arm(uv);
}

static void timer_stop(void *impl, struct timer *t)
{
    struct uv_env *uv = impl;
    heap_remove(&uv->timers, &t->node);
    if (uv->timers.size == 0)
        arm(uv);
}

static void stay_awake(uv_idle_t *handle) { (void)handle; }

static void defer(void *impl, struct deferred *d)
{
    struct uv_env *uv = impl;
    if (!list_empty(&d->link))
        return;
    list_push_back(&uv->queue, &d->link);
    uv_idle_start(&uv->idle, stay_awake);
}

static void undefer(void *impl, struct deferred *d)
{
    (void)impl;
    list_remove(&d->link);
}

static void run_deferred(uv_check_t *handle)
{
    struct uv_env *uv = handle->data;
    struct list now;
    uv->turn.began_ms = uv_now(&uv->loop); /* read by uv when the poll returned; nothing here updates it in between */
    if (list_empty(&uv->queue)) {
        uv_idle_stop(&uv->idle);
        return;
    }
    uint64_t began_ns = monotonic_ns(uv);
    list_init(&now);
    list_splice(&now, &uv->queue);
    while (!list_empty(&now)) {
        struct deferred *d = container_of(now.next, struct deferred, link);
        list_remove(&d->link);
        d->run(d);
    }
    if (list_empty(&uv->queue))
        uv_idle_stop(&uv->idle);
    uv->turn.deferred_ns += monotonic_ns(uv) - began_ns;
}

static struct rusage thread_usage(void)
{
    struct rusage u = {0};
    (void)getrusage(RUSAGE_THREAD, &u); /* the arguments are right */
    return u;
}

static uint64_t usage_cpu_ms(const struct rusage *u)
{
    return (uint64_t)(u->ru_utime.tv_sec + u->ru_stime.tv_sec) * 1000 + (uint64_t)(u->ru_utime.tv_usec + u->ru_stime.tv_usec) / 1000;
}

/* `cpu_ms` far below `took_ms`: it slept (for a disk or a lock) `sleeps` times, or others had the processor. */
static void turn_report(struct uv_env *uv, uint64_t took_ms)
{
    const struct turn *t = &uv->turn;
    const struct rusage now = thread_usage();
    uint64_t deferred_ms = t->deferred_ns / 1000000, timers_ms = t->timers_ns / 1000000;
    uv->turns.long_count++;
    log_line(&uv->log, took_ms >= LOOP_TURN_ODD_MS ? LOG_WARN : LOG_DEBUG, "the loop was busy for long",
             "took_ms=%llu cpu_ms=%llu io_ms=%llu deferred_ms=%llu timers_ms=%llu sleeps=%ld preempted=%ld faults=%ld", (unsigned long long)took_ms,
             (unsigned long long)(usage_cpu_ms(&now) - usage_cpu_ms(&t->before)),
             (unsigned long long)(took_ms - MIN(took_ms, deferred_ms + timers_ms)), (unsigned long long)deferred_ms,
             (unsigned long long)timers_ms, now.ru_nvcsw - t->before.ru_nvcsw, now.ru_nivcsw - t->before.ru_nivcsw,
             now.ru_minflt - t->before.ru_minflt);
}

/* The wait that is about to begin ends the turn. */
static void turn_ended(uv_prepare_t *handle)
{
    struct uv_env *uv = handle->data;
    uint64_t now_ms = monotonic_ns(uv) / 1000000;
    uint64_t took_ms = uv->turn.began_ms == 0 ? 0 : now_ms - MIN(now_ms, uv->turn.began_ms);
    uv->turns.longest_ms = MAX(uv->turns.longest_ms, took_ms);
    if (took_ms >= LOOP_TURN_LONG_MS)
        turn_report(uv, took_ms);
    uv->turn = (struct turn){.before = thread_usage()};
}

static void kernel_random(void *bytes, size_t size)
{
    for (size_t done = 0; done < size;) {
        ssize_t n = getrandom((char *)bytes + done, size - done, 0);
        if (n > 0)
            done += (size_t)n;
    }
}

/* Every request draws a few: they come from a supply, which forgets what it gave. */
static void random_bytes(void *impl, void *bytes, size_t size)
{
    struct uv_env *uv = impl;
    if (size > sizeof uv->supply / 4) {
        kernel_random(bytes, size);
        return;
    }
    if (uv->supply_left < size) {
        kernel_random(uv->supply, sizeof uv->supply);
        uv->supply_left = sizeof uv->supply;
    }
    uv->supply_left -= size;
    memcpy(bytes, uv->supply + uv->supply_left, size);
    explicit_bzero(uv->supply + uv->supply_left, size);
}

static void write_line(void *impl, const char *line, size_t size)
{
    (void)impl;
    (void)!write(STDERR_FILENO, line, size); /* a log that cannot be written has nowhere to complain */
}

static const struct loop_ops loop_ops = {timer_start, timer_stop, defer, undefer};
static const struct clock_ops clock_ops = {monotonic_ns, wall_ms};
static const struct random_ops random_ops = {random_bytes};

static void on_signal(uv_signal_t *handle, int number)
{
    struct uv_env *uv = handle->data;
    uv->signal_number = number;
    if (uv->on_signal != NULL)
        uv->on_signal(uv->signal_arg);
    else
        uv_stop(&uv->loop);
}

static void init_handles(struct uv_env *uv)
{
    uv_loop_init(&uv->loop);
    uv->loop.data = uv;
    uv_timer_init(&uv->loop, &uv->timer);
    uv_prepare_init(&uv->loop, &uv->prepare);
    uv_check_init(&uv->loop, &uv->check);
    uv_idle_init(&uv->loop, &uv->idle);
    uv_signal_init(&uv->loop, &uv->terminate);
    uv_signal_init(&uv->loop, &uv->interrupt);
    uv->timer.data = uv->prepare.data = uv->check.data = uv->idle.data = uv->terminate.data = uv->interrupt.data = uv;
    uv_prepare_start(&uv->prepare, turn_ended);
    uv_unref((uv_handle_t *)&uv->prepare);
    uv_check_start(&uv->check, run_deferred);
    uv_unref((uv_handle_t *)&uv->check);
    uv_unref((uv_handle_t *)&uv->terminate);
    uv_unref((uv_handle_t *)&uv->interrupt);
}

struct uv_env *uv_env_new(const char *component, enum log_level level)
{
    struct uv_env *uv = NEW(struct uv_env);
    heap_init(&uv->timers, earlier);
    list_init(&uv->queue);
    init_handles(uv);
    (void)signal(SIGPIPE, SIG_IGN); /* a peer that left is an error of the write, not a signal */
    uv->log = (struct log){component, level, wall_ms, write_line, uv};
    uv->env.log = &uv->log;
    uv->env.loop = (struct loop){&loop_ops, uv, &uv->turns};
    uv->env.clock = (struct clock){&clock_ops, uv};
    uv->env.random = (struct random){&random_ops, uv};
    uv->net = uv_net_new(&uv->loop, &uv->env.loop, &uv->env.net);
    return uv;
}

void uv_env_add(struct uv_env *uv, void (*close)(void *seam), void *seam)
{
    ASSERT(uv->added_count < UV_ENV_ADDED_MAX);
    uv->added[uv->added_count].close = close;
    uv->added[uv->added_count++].seam = seam;
}

struct env *uv_env_env(struct uv_env *uv) { return &uv->env; }
void *uv_env_loop(struct uv_env *uv) { return &uv->loop; }

void uv_env_run(struct uv_env *uv, void (*handler)(void *arg), void *arg)
{
    uv->on_signal = handler;
    uv->signal_arg = arg;
    if (handler != NULL) {
        uv_signal_start(&uv->terminate, on_signal, SIGTERM);
        uv_signal_start(&uv->interrupt, on_signal, SIGINT);
    } else {
        uv_signal_stop(&uv->terminate);
        uv_signal_stop(&uv->interrupt);
    }
    uv_run(&uv->loop, UV_RUN_DEFAULT);
}

void uv_env_stop(struct uv_env *uv) { uv_stop(&uv->loop); }
int uv_env_signal(const struct uv_env *uv) { return uv->signal_number; }

void uv_env_free(struct uv_env *uv)
{
    if (uv == NULL)
        return;
    while (uv->added_count > 0) {
        uv->added_count--;
        uv->added[uv->added_count].close(uv->added[uv->added_count].seam);
    }
    uv_close((uv_handle_t *)&uv->timer, NULL);
    uv_close((uv_handle_t *)&uv->prepare, NULL);
    uv_close((uv_handle_t *)&uv->check, NULL);
    uv_close((uv_handle_t *)&uv->idle, NULL);
    uv_close((uv_handle_t *)&uv->terminate, NULL);
    uv_close((uv_handle_t *)&uv->interrupt, NULL);
    if (uv_run(&uv->loop, UV_RUN_DEFAULT) != 0) /* stopped before it ran */
        uv_run(&uv->loop, UV_RUN_DEFAULT);
    if (uv_loop_close(&uv->loop) != 0)
        PANIC("the loop of %s still has open handles", uv->log.component);
    uv_net_free(uv->net);
    heap_release(&uv->timers);
    mem_free(uv);
}
