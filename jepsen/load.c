/* Phases: running → (load_finish) what is under way ends → final reads → connections close → over. Half of the processes stay with
 * one member each, so that there are clients at a member that is cut off; the others go wherever they get an answer. */
#include "common/base.h"

#include "jepsen/load.h"

#include <stdarg.h>
#include <stdio.h>

#define TICK_MS 1
#define REST_ONE_IN 100 /* operations after which a process rests: without those that come back in the midst of a fault nobody would */
#define REST_MS 2000    /* ask a leader that was cut off or asleep since before anything new happened */
#define FINAL_TIMEOUT_MS 20000

static const struct workload *const workloads[] = {
    &workload_register, &workload_append, &workload_set, &workload_watch, &workload_lease, &workload_lock, &workload_election,
    &workload_api, &workload_controllers, &workload_access, &workload_rbac,
};

const struct workload *workload_at(size_t i) { return i < ARRAY_LEN(workloads) ? workloads[i] : NULL; }

const struct workload *workload_find(const char *name)
{
    for (size_t i = 0; i < ARRAY_LEN(workloads); i++)
        if (strcmp(workloads[i]->name, name) == 0)
            return workloads[i];
    return NULL;
}

uint64_t load_below(struct load *l, uint64_t bound) { return random_below(&l->random, bound); }

static uint64_t now_ns(const struct load *l) { return clock_monotonic_ns(&l->env->clock) - l->began_ns; }
int64_t load_now_ms(const struct load *l) { return (int64_t)(now_ns(l) / 1000000); }
unsigned load_timeout_ms(const struct process *p) { return p->final ? FINAL_TIMEOUT_MS : p->load->options.timeout_ms; }

struct edn load_pair(struct process *p, struct edn a, struct edn b)
{
    const struct edn items[] = {a, b};
    return edn_vector(arena_dup(&p->arena, items, sizeof items), 2);
}

struct slice load_key(struct process *p, const char *format, ...)
{
    char text[128];
    va_list args;
    va_start(args, format);
    int n = vsnprintf(text, sizeof text, format, args);
    va_end(args);
    ASSERT(n >= 0 && (size_t)n < sizeof text);
    return arena_slice(&p->arena, (struct slice){text, (size_t)n});
}

int64_t load_number(struct slice text)
{
    int64_t n = 0;
    for (size_t i = 0; i < text.size; i++) {
        if (text.data[i] < '0' || text.data[i] > '9' || n > INT64_MAX / 10 - 1)
            return 0;
        n = n * 10 + (text.data[i] - '0');
    }
    return n;
}

/* --- the history --- */

static void write_line(struct load *l, struct operation *o)
{
    o->index = l->index++;
    o->time_ns = (int64_t)now_ns(l);
    buf_reset(&l->line);
    operation_print(&l->line, o);
    if (fwrite(l->line.data, 1, l->line.size, l->options.history) != l->line.size)
        PANIC("the history cannot be written: is the disk full?");
}

void load_invoke(struct process *p, const char *f, struct edn value)
{
    ASSERT(!p->busy);
    p->busy = true;
    p->load->busy++;
    p->operation = (struct operation){.process = p->number, .type = OPERATION_INVOKE, .f = slice_str(f), .value = value};
    write_line(p->load, &p->operation);
}

void load_complete(struct process *p, enum operation_type type, struct edn value, const char *error)
{
    struct load *l = p->load;
    ASSERT(p->busy);
    struct operation o = p->operation;
    o.type = type;
    o.value = value;
    o.error = slice_str(error);
    write_line(l, &o);
    p->busy = false;
    l->busy--;
    arena_clear(&p->arena);
    if (type == OPERATION_INFO)
        p->number = l->next_process++;
    if (!p->final)
        return;
    bool again = type != OPERATION_OK && ++p->final_tries < LOAD_FINAL_TRIES;
    l->failed_finals += type != OPERATION_OK && !again;
    if (!again)
        p->final_index = SIZE_MAX;
}

bool load_refused(const struct store_call *call, int status)
{
    static const int refusals[] = {ERR_INVALID, ERR_NOT_FOUND, ERR_EXISTS, ERR_COMPACTED, ERR_FUTURE_REVISION, ERR_NO_SPACE, ERR_TOO_LARGE, ERR_BUSY};
    if (!call->sent)
        return true;
    for (size_t i = 0; i < ARRAY_LEN(refusals); i++)
        if (status == refusals[i])
            return true;
    return false;
}

void load_failed(struct process *p, bool is_write, int status, const struct err *why)
{
    bool unknown = is_write && !load_refused(&p->call, status);
    load_complete(p, unknown ? OPERATION_INFO : OPERATION_FAIL, p->operation.value, why->message);
}

void load_denied(struct process *p, const struct err *why)
{
    char text[ERR_MESSAGE_MAX + 16];
    (void)snprintf(text, sizeof text, "denied: %s", why->message);
    load_complete(p, OPERATION_FAIL, p->operation.value, text);
}

/* --- phases --- */

static void client_closed(void *arg)
{
    struct load *l = arg;
    if (--l->open_clients > 0)
        return;
    if (l->workload->close != NULL)
        l->workload->close(l);
    l->over(l->over_arg);
}

static void close_all(struct load *l)
{
    loop_timer_stop(&l->env->loop, &l->tick);
    for (int64_t i = 0; i < l->options.concurrency; i++) {
        loop_timer_stop(&l->env->loop, &l->processes[i].wait);
        if (l->workload->kube)
            kube_client_close(l->processes[i].kube, client_closed, l);
        else
            store_client_close(l->processes[i].client, client_closed, l);
    }
}

static void take_final(struct process *p)
{
    struct load *l = p->load;
    if (p->final_index == SIZE_MAX) {
        p->final_index = l->final_next++;
        p->final_tries = 0;
    }
    if (!l->workload->final(p, p->final_index))
        p->final_index = SIZE_MAX - 1; /* there are no more */
}

/* An operation from before the end: final reads wait for it. */
static bool before_under_way(const struct load *l)
{
    for (int64_t i = 0; i < l->options.concurrency; i++)
        if (l->processes[i].busy && !l->processes[i].final)
            return true;
    return false;
}

static void run_finals(struct load *l)
{
    bool more = before_under_way(l);
    for (int64_t i = 0; i < l->options.concurrency && !more; i++) {
        struct process *p = &l->processes[i];
        if (!p->final) {
            p->final = true;
            p->final_index = SIZE_MAX;
        }
    }
    for (int64_t i = 0; i < l->options.concurrency; i++) {
        struct process *p = &l->processes[i];
        if (!p->final)
            continue;
        if (!p->busy && p->final_index != SIZE_MAX - 1)
            take_final(p);
        more = more || p->busy;
    }
    if (!more)
        close_all(l);
    else
        loop_timer_start(&l->env->loop, &l->tick, TICK_MS);
}

static void begin_due(struct load *l)
{
    uint64_t due = now_ns(l) / 1000 * (uint64_t)l->options.rate / 1000000;
    size_t n = (size_t)l->options.concurrency, from = (size_t)load_below(l, n);
    size_t idle = 0;
    l->begun = MAX(l->begun, due - MIN(due, (uint64_t)l->options.rate / 10)); /* what could not begin for a while is not made up for */
    while (l->begun < due && idle < n) {
        struct process *p = &l->processes[from++ % n];
        if (!p->busy && load_now_ms(l) >= p->rests_until_ms && l->workload->begin(p)) {
            p->rests_until_ms = load_below(l, REST_ONE_IN) == 0 ? load_now_ms(l) + (int64_t)load_below(l, REST_MS) : 0;
            l->begun++;
            idle = 0;
        } else {
            idle++;
        }
    }
}

static void on_tick(struct timer *t)
{
    struct load *l = container_of(t, struct load, tick);
    if (l->options.time_ms != 0 && load_now_ms(l) >= (int64_t)l->options.time_ms)
        l->finishing = true;
    if (l->abandoned) {
        close_all(l);
    } else if (l->finishing) {
        run_finals(l);
    } else {
        begin_due(l);
        loop_timer_start(&l->env->loop, t, TICK_MS);
    }
}

void load_finish(struct load *l)
{
    l->abandoned = l->finishing;
    l->finishing = true;
}

static void open_process(struct load *l, size_t slot)
{
    struct process *p = &l->processes[slot];
    const char *endpoints[STORE_ENDPOINTS_MAX];
    const size_t n = l->options.endpoint_count;
    p->load = l;
    p->slot = slot;
    p->seat = l->workload->seat != NULL ? l->workload->seat(l, slot) : (struct seat){.endpoint = slot / 2 % n, .pinned = slot % 2 == 1};
    for (size_t i = 0; i < n; i++)
        endpoints[i] = l->options.endpoints[(i + p->seat.endpoint) % n];
    struct tls *tls = p->seat.principal == 0 ? l->options.tls : l->options.principals[p->seat.principal - 1];
    p->number = l->next_process++;
    l->open_clients++;
    if (l->workload->kube) {
        p->kube = kube_client_new(l->env, &(struct kube_client_options){
            .endpoints = endpoints, .endpoint_count = p->seat.pinned ? 1 : n, .tls = tls, .user_agent = "jepsen-load"});
        return;
    }
    p->client = store_client_new(l->env, &(struct store_client_options){
        .endpoints = endpoints, .endpoint_count = n, .pinned = p->seat.pinned, .tls = tls});
}

void load_start(struct load *l, struct env *env, const struct load_options *o, const struct workload *w, void (*over)(void *arg), void *arg)
{
    *l = (struct load){.env = env, .options = *o, .workload = w, .over = over, .over_arg = arg};
    prng_seed(&l->prng, o->seed);
    l->random = prng_random(&l->prng);
    l->began_ns = clock_monotonic_ns(&env->clock);
    l->processes = mem_zalloc((size_t)o->concurrency * sizeof l->processes[0]);
    for (size_t i = 0; i < (size_t)o->concurrency; i++)
        open_process(l, i);
    if (w->open != NULL)
        w->open(l);
    timer_init(&l->tick, on_tick);
    loop_timer_start(&env->loop, &l->tick, 0);
}

void load_release(struct load *l)
{
    for (int64_t i = 0; i < l->options.concurrency; i++)
        arena_clear(&l->processes[i].arena);
    mem_free(l->processes);
    buf_release(&l->line);
}
