/* Transactions that append to lists and read them. A list is one key's value, "1 2 3". As in Jepsen's test of etcd: all keys are read
 * in one transaction, and the appends are written in another one on condition that none of the keys has changed since; when one has,
 * all of it is tried again a few times and then failed. */
#include "common/base.h"

#include "jepsen/load.h"

#define ACTIVE 3
#define APPENDS_EACH 60
#define STEPS_MAX 4
#define TRIES 4

struct appending {
    size_t step_count, key_count, tries;
    struct {
        int64_t key, value; /* value 0: a read */
        size_t at;          /* among keys */
    } steps[STEPS_MAX];
    struct {
        int64_t key, mod_revision;
        struct buf list;
        bool written;
    } keys[STEPS_MAX];
};

struct lists {
    int64_t appends, next_value;
};

static struct lists *shared(struct process *p) { return p->load->shared; }
static struct slice key_of(struct process *p, int64_t key) { return load_key(p, "jepsen/append/%08lld", (long long)key); }

static void open(struct load *l)
{
    l->shared = NEW(struct lists);
    for (int64_t i = 0; i < l->options.concurrency; i++)
        l->processes[i].own = NEW(struct appending);
}

static void close(struct load *l)
{
    for (int64_t i = 0; i < l->options.concurrency; i++) {
        struct appending *a = l->processes[i].own;
        for (size_t k = 0; k < STEPS_MAX; k++)
            buf_release(&a->keys[k].list);
        mem_free(a);
    }
    mem_free(l->shared);
}

static struct edn edn_list(struct process *p, struct slice text)
{
    size_t n = 0;
    struct edn *items = arena_alloc(&p->arena, (text.size / 2 + 1) * sizeof items[0]);
    while (text.size != 0)
        items[n++] = edn_int(load_number(slice_cut(&text, ' ')));
    return edn_vector(items, n);
}

/* The steps; a read's list is what the key had, with what this transaction has appended before. */
static struct edn steps_value(struct process *p, bool answered)
{
    struct appending *a = p->own;
    struct edn *steps = arena_alloc(&p->arena, a->step_count * sizeof steps[0]);
    for (size_t k = 0; k < a->key_count && answered; k++)
        a->keys[k].written = false;
    for (size_t i = 0; i < a->step_count; i++) {
        struct buf *list = &a->keys[a->steps[i].at].list;
        bool read = a->steps[i].value == 0;
        struct edn what = read ? (struct edn){0} : edn_int(a->steps[i].value);
        if (answered && read)
            what = edn_list(p, buf_slice(list));
        else if (answered)
            buf_printf(list, "%s%lld", list->size == 0 ? "" : " ", (long long)a->steps[i].value);
        a->keys[a->steps[i].at].written |= !read;
        const struct edn step[] = {edn_keyword(read ? "r" : "append"), edn_int(a->steps[i].key), what};
        steps[i] = edn_vector(arena_dup(&p->arena, step, sizeof step), 3);
    }
    return edn_vector(steps, a->step_count);
}

static void begin_reading(struct process *p);

static void written(struct store_call *call, int status, const struct err *why)
{
    struct process *p = container_of(call, struct process, call);
    struct appending *a = p->own;
    if (status != 0)
        load_failed(p, true, status, why);
    else if (call->txn.succeeded)
        load_complete(p, OPERATION_OK, p->operation.value, NULL);
    else if (++a->tries < TRIES)
        begin_reading(p);
    else
        load_complete(p, OPERATION_FAIL, p->operation.value, "a list was changed meanwhile");
}

static void begin_writing(struct process *p)
{
    struct appending *a = p->own;
    struct kv_compare same[STEPS_MAX];
    struct kv_op puts[STEPS_MAX];
    size_t n = 0;
    p->operation.value = steps_value(p, true);
    for (size_t k = 0; k < a->key_count; k++) {
        struct slice key = key_of(p, a->keys[k].key);
        same[k] = (struct kv_compare){.span = {.key = key}, .target = KV_COMPARE_MOD, .result = KV_EQUAL, .number = a->keys[k].mod_revision};
        if (a->keys[k].written)
            puts[n++] = (struct kv_op){.kind = KV_OP_PUT, .put = {.key = key, .value = buf_slice(&a->keys[k].list)}};
    }
    if (n == 0) { /* only read, in one transaction: that was all */
        load_complete(p, OPERATION_OK, p->operation.value, NULL);
        return;
    }
    p->call.done = written;
    store_txn(p->client, &p->call, &(struct kv_txn){.compares = same, .compare_count = a->key_count, .success = puts, .success_count = n},
              load_timeout_ms(p));
}

static void lists_read(struct store_call *call, int status, const struct err *why)
{
    struct process *p = container_of(call, struct process, call);
    struct appending *a = p->own;
    if (status != 0) {
        load_complete(p, OPERATION_FAIL, p->operation.value, why->message); /* nothing was written yet */
        return;
    }
    for (size_t k = 0; k < a->key_count; k++) {
        const struct kv_range_result *r = &call->txn.results[k].range;
        buf_reset(&a->keys[k].list);
        if (r->kv_count == 1)
            buf_append_slice(&a->keys[k].list, r->kvs[0].value);
        a->keys[k].mod_revision = r->kv_count == 1 ? r->kvs[0].mod_revision : 0;
    }
    begin_writing(p);
}

static void begin_reading(struct process *p)
{
    struct appending *a = p->own;
    struct kv_op reads[STEPS_MAX];
    for (size_t k = 0; k < a->key_count; k++)
        reads[k] = (struct kv_op){.kind = KV_OP_RANGE, .range = {.span = {.key = key_of(p, a->keys[k].key)}}};
    p->call.done = lists_read;
    store_txn(p->client, &p->call, &(struct kv_txn){.success = reads, .success_count = a->key_count}, load_timeout_ms(p));
}

static void add_step(struct process *p, int64_t key, int64_t value)
{
    struct appending *a = p->own;
    size_t at = 0;
    while (at < a->key_count && a->keys[at].key != key)
        at++;
    if (at == a->key_count)
        a->keys[a->key_count++].key = key;
    a->steps[a->step_count].key = key;
    a->steps[a->step_count].value = value;
    a->steps[a->step_count++].at = at;
}

static void begin_txn(struct process *p)
{
    struct appending *a = p->own;
    a->tries = 0;
    for (size_t k = 0; k < a->key_count; k++)
        a->keys[k].written = false;
    load_invoke(p, "txn", steps_value(p, false));
    begin_reading(p);
}

static bool begin(struct process *p)
{
    struct lists *s = shared(p);
    struct appending *a = p->own;
    size_t n = 1 + load_below(p->load, STEPS_MAX);
    a->step_count = a->key_count = 0;
    for (size_t i = 0; i < n; i++) {
        bool append = load_below(p->load, 2) == 0;
        int64_t key = s->appends / APPENDS_EACH + (int64_t)load_below(p->load, ACTIVE);
        s->appends += append;
        add_step(p, key, append ? ++s->next_value : 0);
    }
    begin_txn(p);
    return true;
}

static bool final(struct process *p, size_t index)
{
    struct appending *a = p->own;
    if ((int64_t)index > shared(p)->appends / APPENDS_EACH + ACTIVE)
        return false;
    a->step_count = a->key_count = 0;
    add_step(p, (int64_t)index, 0);
    begin_txn(p);
    return true;
}

const struct workload workload_append = {.name = "append", .help = "transactions that append to lists and read them", .open = open, .close = close, .begin = begin, .final = final};
