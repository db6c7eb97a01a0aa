/* Watches beside writes: the first half of the processes write transactions of one to three puts and deletes, the others watch for a
 * second or three from now, from a revision long or not long ago, or one to come; process 0 compacts now and then. At its end a
 * watch asks how far it has come and waits for that. */
#include "common/base.h"

#include "jepsen/load.h"

#define KEYS 8
#define STEPS_MAX 3
#define CLOSE_MS 8000 /* how long the last answer is waited for */

struct watches {
    int64_t next_value, revision, compacted; /* the newest revision that anybody was told */
    bool final[LOAD_CONCURRENCY_MAX];
};

struct watcher {
    struct store_watch watch;
    int64_t from, to; /* from 0: not known yet */
    struct edn *log;
    size_t count, capacity;
    bool stopping;
};

static struct watches *shared(struct process *p) { return p->load->shared; }
static struct slice key_of(struct process *p, int64_t key) { return load_key(p, "jepsen/watch/%lld", (long long)key); }
static void saw_revision(struct process *p, int64_t revision) { shared(p)->revision = MAX(shared(p)->revision, revision); }

static void open(struct load *l)
{
    l->shared = NEW(struct watches);
    for (int64_t i = 0; i < l->options.concurrency; i++)
        l->processes[i].own = NEW(struct watcher);
}

static void close(struct load *l)
{
    for (int64_t i = 0; i < l->options.concurrency; i++) {
        struct watcher *w = l->processes[i].own;
        mem_free(w->log);
        mem_free(w);
    }
    mem_free(l->shared);
}

/* --- writes --- */

static struct edn steps_done(struct process *p, const struct store_call *call)
{
    struct edn asked = p->operation.value, *steps = arena_dup(&p->arena, asked.items, asked.count * sizeof steps[0]);
    for (uint32_t i = 0; i < asked.count; i++) {
        if (call->txn.results[i].kind != KV_OP_DELETE)
            continue;
        const struct edn step[] = {asked.items[i].items[0], asked.items[i].items[1], edn_int(call->txn.results[i].delete.deleted)};
        steps[i] = edn_vector(arena_dup(&p->arena, step, sizeof step), 3);
    }
    return edn_vector(steps, asked.count);
}

static void written(struct store_call *call, int status, const struct err *why)
{
    struct process *p = container_of(call, struct process, call);
    if (status != 0) {
        load_failed(p, true, status, why);
        return;
    }
    saw_revision(p, call->header.revision);
    const struct edn answer[] = {edn_keyword("revision"), edn_int(call->header.revision), edn_keyword("ops"), steps_done(p, call)};
    load_complete(p, OPERATION_OK, edn_map(answer, ARRAY_LEN(answer)), NULL);
}

static void begin_write(struct process *p)
{
    struct edn steps[STEPS_MAX];
    struct kv_op ops[STEPS_MAX];
    size_t n = 1 + load_below(p->load, STEPS_MAX);
    int64_t key = (int64_t)load_below(p->load, KEYS);
    for (size_t i = 0; i < n; i++, key = (key + 1) % KEYS) {
        struct slice name = key_of(p, key);
        bool is_delete = load_below(p->load, 5) == 0;
        const struct edn step[] = {edn_keyword(is_delete ? "delete" : "put"), edn_int(key), edn_int(is_delete ? 0 : ++shared(p)->next_value)};
        ops[i] = (struct kv_op){.kind = KV_OP_DELETE, .delete = {.span = {.key = name}}};
        if (!is_delete)
            ops[i] = (struct kv_op){.kind = KV_OP_PUT, .put = {.key = name, .value = load_key(p, "%lld", (long long)step[2].number)}};
        steps[i] = edn_vector(arena_dup(&p->arena, step, sizeof step), is_delete ? 2 : 3);
    }
    load_invoke(p, "write", edn_vector(arena_dup(&p->arena, steps, n * sizeof steps[0]), n));
    p->call.done = written;
    store_txn(p->client, &p->call, &(struct kv_txn){.success = ops, .success_count = n}, load_timeout_ms(p));
}

static void compacted(struct store_call *call, int status, const struct err *why)
{
    struct process *p = container_of(call, struct process, call);
    if (status != 0)
        load_failed(p, true, status, why);
    else
        load_complete(p, OPERATION_OK, p->operation.value, NULL);
}

static void begin_compact(struct process *p)
{
    int64_t at = shared(p)->revision - 50;
    shared(p)->compacted = at;
    load_invoke(p, "compact", edn_int(at));
    p->call.done = compacted;
    store_compact(p->client, &p->call, at, load_timeout_ms(p));
}

/* --- watches --- */

static struct edn value_at(const struct kv *kv) { return edn_int(load_number(kv->value)); }

static struct edn event_value(struct process *p, const struct kv_event *e)
{
    struct slice name = e->kv.key;
    (void)slice_cut(&name, '/');
    (void)slice_cut(&name, '/');
    const struct edn prev = e->has_prev ? value_at(&e->prev) : (struct edn){0}, prev_revision = edn_int(e->has_prev ? e->prev.mod_revision : 0);
    const struct edn put[] = {edn_keyword("put"), edn_int(load_number(name)), value_at(&e->kv), edn_int(e->kv.version), prev, prev_revision};
    const struct edn delete[] = {edn_keyword("delete"), edn_int(load_number(name)), prev, prev_revision};
    return e->is_delete ? edn_vector(arena_dup(&p->arena, delete, sizeof delete), ARRAY_LEN(delete))
                        : edn_vector(arena_dup(&p->arena, put, sizeof put), ARRAY_LEN(put));
}

static void on_events(struct store_watch *watch, int64_t revision, const struct kv_event *events, size_t n)
{
    struct watcher *w = container_of(watch, struct watcher, watch);
    struct process *p = watch->data;
    struct edn *values = arena_alloc(&p->arena, n * sizeof values[0]);
    for (size_t i = 0; i < n; i++)
        values[i] = event_value(p, &events[i]);
    if (w->count == w->capacity) {
        w->capacity = MAX((size_t)64, w->capacity * 2);
        w->log = mem_realloc(w->log, w->capacity * sizeof w->log[0]);
    }
    w->log[w->count++] = load_pair(p, edn_int(revision), edn_vector(values, n));
    w->from = w->from == 0 ? revision : w->from;
    w->to = MAX(w->to, revision);
    saw_revision(p, revision);
}

static void on_progress(struct store_watch *watch, int64_t revision)
{
    struct watcher *w = container_of(watch, struct watcher, watch);
    struct process *p = watch->data;
    w->from = w->from == 0 ? revision + 1 : w->from;
    w->to = MAX(w->to, revision);
    saw_revision(p, revision);
    if (w->stopping)
        loop_timer_start(&p->load->env->loop, &p->wait, 0); /* it is told all it asked for */
}

static void on_closed(struct store_watch *watch, int status, int64_t compact_revision, const struct err *why)
{
    struct watcher *w = container_of(watch, struct watcher, watch);
    struct process *p = watch->data;
    (void)compact_revision;
    loop_timer_stop(&p->load->env->loop, &p->wait);
    if (w->from == 0 || w->to == 0) {
        load_complete(p, OPERATION_FAIL, p->operation.value, status == ERR_COMPACTED ? "compacted" : why->message);
        return;
    }
    const struct edn answer[] = {edn_keyword("from"), edn_int(w->from), edn_keyword("to"), edn_int(w->to), edn_keyword("log"), edn_vector(w->log, w->count)};
    load_complete(p, OPERATION_OK, edn_map(answer, ARRAY_LEN(answer)), NULL);
}

/* First: its time is over, how far has it come? Then: that was told, or will not be. */
static void watch_enough(struct timer *t)
{
    struct process *p = container_of(t, struct process, wait);
    struct watcher *w = p->own;
    if (w->stopping) {
        store_watch_stop(p->client, &w->watch);
        return;
    }
    w->stopping = true;
    loop_timer_start(&p->load->env->loop, t, CLOSE_MS);
    store_watch_progress(p->client, &w->watch);
}

static void begin_watch(struct process *p, int64_t from, uint64_t time_ms)
{
    struct watcher *w = p->own;
    const struct edn value[] = {edn_keyword("from"), edn_int(from)};
    w->watch = (struct store_watch){.on_events = on_events, .on_progress = on_progress, .on_closed = on_closed, .data = p};
    w->from = from;
    w->to = 0;
    w->count = 0;
    w->stopping = false;
    load_invoke(p, "watch", edn_map(arena_dup(&p->arena, value, sizeof value), ARRAY_LEN(value)));
    timer_init(&p->wait, watch_enough);
    loop_timer_start(&p->load->env->loop, &p->wait, time_ms);
    store_watch_start(p->client, &w->watch, &(struct store_watch_options){
        .span = {SLICE("jepsen/watch/"), SLICE("jepsen/watch0")}, .start_revision = from, .prev_kv = true, .progress_ms = 500});
}

static bool begin(struct process *p)
{
    struct watches *s = shared(p);
    int64_t from = s->revision + 20 - (int64_t)load_below(p->load, 120);
    if (p->slot == 0 && s->revision - s->compacted > 400)
        begin_compact(p);
    else if (p->slot <= (size_t)p->load->options.concurrency / 2)
        begin_write(p);
    else
        begin_watch(p, load_below(p->load, 4) == 0 ? 0 : MAX(from, (int64_t)1), 1000 + load_below(p->load, 2000));
    return true;
}

/* Everybody once more from what can still be read on, to the end. */
static bool final(struct process *p, size_t index)
{
    struct watches *s = shared(p);
    if (index >= (size_t)p->load->options.concurrency)
        return false;
    begin_watch(p, p->final_tries > 0 ? 0 : MAX(s->revision - 20, (int64_t)1), 0); /* somebody else may have compacted */
    return true;
}

const struct workload workload_watch = {.name = "watch", .help = "watches from many revisions beside writes", .open = open, .close = close, .begin = begin, .final = final};
