/* Sets: an element is a key of its own, made only when it is not there; a read lists the set's keys. */
#include "common/base.h"

#include "jepsen/load.h"

#define ELEMENTS_EACH 200

struct sets {
    int64_t adds;
};

static void open(struct load *l) { l->shared = NEW(struct sets); }
static void close(struct load *l) { mem_free(l->shared); }
static struct sets *shared(struct process *p) { return p->load->shared; }

static void added(struct store_call *call, int status, const struct err *why)
{
    struct process *p = container_of(call, struct process, call);
    if (status != 0)
        load_failed(p, true, status, why);
    else
        load_complete(p, OPERATION_OK, p->operation.value, NULL);
}

static void begin_add(struct process *p)
{
    int64_t element = shared(p)->adds++, set = element / ELEMENTS_EACH;
    struct kv_op put = {.kind = KV_OP_PUT,
                        .put = {.key = load_key(p, "jepsen/set/%08lld/%lld", (long long)set, (long long)element), .value = SLICE("x")}};
    load_invoke(p, "add", load_pair(p, edn_int(set), edn_int(element)));
    p->call.done = added;
    store_txn(p->client, &p->call, &(struct kv_txn){.success = &put, .success_count = 1}, load_timeout_ms(p));
}

static void listed(struct store_call *call, int status, const struct err *why)
{
    struct process *p = container_of(call, struct process, call);
    if (status != 0) {
        load_failed(p, false, status, why);
        return;
    }
    struct edn *items = arena_alloc(&p->arena, call->range.kv_count * sizeof items[0]);
    for (size_t i = 0; i < call->range.kv_count; i++) {
        struct slice element = call->range.kvs[i].key;
        for (int cuts = 0; cuts < 3; cuts++)
            (void)slice_cut(&element, '/');
        items[i] = edn_int(load_number(element));
    }
    load_complete(p, OPERATION_OK, load_pair(p, p->operation.value.items[0], edn_vector(items, call->range.kv_count)), NULL);
}

static void begin_read(struct process *p, int64_t set)
{
    struct kv_range all = {.span = {load_key(p, "jepsen/set/%08lld/", (long long)set), load_key(p, "jepsen/set/%08lld0", (long long)set)},
                           .keys_only = true};
    load_invoke(p, "read", load_pair(p, edn_int(set), (struct edn){0}));
    p->call.done = listed;
    store_range(p->client, &p->call, &all, load_timeout_ms(p));
}

static bool begin(struct process *p)
{
    int64_t set = shared(p)->adds / ELEMENTS_EACH - (int64_t)load_below(p->load, 2);
    if (load_below(p->load, 3) == 0)
        begin_read(p, MAX(set, (int64_t)0));
    else
        begin_add(p);
    return true;
}

static bool final(struct process *p, size_t index)
{
    if ((int64_t)index > shared(p)->adds / ELEMENTS_EACH)
        return false;
    begin_read(p, (int64_t)index);
    return true;
}

const struct workload workload_set = {.name = "set", .help = "unique inserts, and reads of all of them", .open = open, .close = close, .begin = begin, .final = final};
