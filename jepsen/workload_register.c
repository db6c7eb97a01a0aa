/* Registers: linearizable reads, writes, compare-and-set by value. Values are used once, so that an unknown outcome stays
 * cheap to check; a register is left after some hundred operations for the next one. */
#include "common/base.h"

#include "jepsen/load.h"

#define ACTIVE 4            /* registers in use at a time */
#define OPERATIONS_EACH 300

struct registers {
    int64_t next_value, begun;
    int64_t seen[2 * ACTIVE]; /* a value that register number % (2 * ACTIVE) had not long ago; 0: none known */
};

static void open(struct load *l) { l->shared = NEW(struct registers); }
static void close(struct load *l) { mem_free(l->shared); }

static struct slice key_of(struct process *p, int64_t key) { return load_key(p, "jepsen/register/%08lld", (long long)key); }
static struct registers *shared(struct process *p) { return p->load->shared; }
static int64_t key_now(struct process *p) { return p->operation.value.items[0].number; }
static void note(struct process *p, int64_t value) { shared(p)->seen[key_now(p) % (2 * ACTIVE)] = value; }

static void read_done(struct store_call *call, int status, const struct err *why)
{
    struct process *p = container_of(call, struct process, call);
    struct edn value = {0};
    int64_t number = 0;
    if (status != 0) {
        load_failed(p, false, status, why);
        return;
    }
    if (call->range.kv_count == 1 && (number = load_number(call->range.kvs[0].value)) != 0)
        value = edn_int(number);
    note(p, number);
    load_complete(p, OPERATION_OK, load_pair(p, edn_int(key_now(p)), value), NULL);
}

static void begin_read(struct process *p, int64_t key)
{
    load_invoke(p, "read", load_pair(p, edn_int(key), (struct edn){0}));
    p->call.done = read_done;
    store_range(p->client, &p->call, &(struct kv_range){.span = {.key = key_of(p, key)}}, load_timeout_ms(p));
}

static void write_done(struct store_call *call, int status, const struct err *why)
{
    struct process *p = container_of(call, struct process, call);
    struct edn what = p->operation.value.items[1];
    if (status != 0)
        load_failed(p, true, status, why);
    else if (!call->txn.succeeded)
        load_complete(p, OPERATION_FAIL, p->operation.value, "the value is another one");
    else {
        note(p, what.kind == EDN_INT ? what.number : what.items[1].number);
        load_complete(p, OPERATION_OK, p->operation.value, NULL);
    }
}

static void begin_write(struct process *p, int64_t key, int64_t expected) /* 0: whatever it is */
{
    int64_t value = ++shared(p)->next_value;
    struct kv_op put = {.kind = KV_OP_PUT, .put = {.key = key_of(p, key), .value = load_key(p, "%lld", (long long)value)}};
    struct kv_compare same = {.span = {.key = put.put.key}, .target = KV_COMPARE_VALUE, .result = KV_EQUAL,
                              .value = load_key(p, "%lld", (long long)expected)};
    struct edn what = expected == 0 ? edn_int(value) : load_pair(p, edn_int(expected), edn_int(value));
    load_invoke(p, expected == 0 ? "write" : "cas", load_pair(p, edn_int(key), what));
    p->call.done = write_done;
    store_txn(p->client, &p->call,
              &(struct kv_txn){.compares = &same, .compare_count = expected != 0, .success = &put, .success_count = 1}, load_timeout_ms(p));
}

static bool begin(struct process *p)
{
    struct registers *s = shared(p);
    int64_t key = s->begun++ / OPERATIONS_EACH + (int64_t)load_below(p->load, ACTIVE), seen = s->seen[key % (2 * ACTIVE)];
    uint64_t what = load_below(p->load, 10);
    if (what < 4)
        begin_read(p, key);
    else
        begin_write(p, key, what < 7 ? 0 : seen);
    return true;
}

static bool final(struct process *p, size_t index)
{
    if ((int64_t)index > shared(p)->begun / OPERATIONS_EACH + ACTIVE)
        return false;
    begin_read(p, (int64_t)index);
    return true;
}

const struct workload workload_register = {.name = "register", .help = "reads, writes, compare-and-sets of registers", .open = open, .close = close, .begin = begin, .final = final};
