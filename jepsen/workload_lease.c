/* Leases: each process is granted one, attaches a key, renews it some times, then leaves it alone (or revokes it) and looks how long
 * its key is there; then the next one. */
#include "common/base.h"

#include "jepsen/load.h"

#define RENEWALS_MAX 5
#define WATCHED_MS 30000 /* how long a key that does not go is looked at */
#define FINAL_KEYS 200

struct leasing {
    enum { LEASE_NONE, LEASE_GRANTED, LEASE_RENEWED, LEASE_LEFT } stage;
    int64_t number, ttl_ms, next_ms, left_ms;
    uint64_t renewals;
};

struct leases {
    int64_t base, granted; /* base: leases of other runs on the same store have other ids */
};

static struct leases *shared(struct process *p) { return p->load->shared; }
static int64_t id_of(struct process *p, int64_t number) { return shared(p)->base + number; }
static struct slice key_of(struct process *p, int64_t number) { return load_key(p, "jepsen/lease/%lld", (long long)number); }

static void open(struct load *l)
{
    struct leases *s = NEW(struct leases);
    s->base = (int64_t)(load_below(l, 1u << 30) << 32);
    l->shared = s;
    for (int64_t i = 0; i < l->options.concurrency; i++)
        l->processes[i].own = NEW(struct leasing);
}

static void close(struct load *l)
{
    for (int64_t i = 0; i < l->options.concurrency; i++)
        mem_free(l->processes[i].own);
    mem_free(l->shared);
}

/* After an error nobody knows what became of the lease: another one. */
static bool failed(struct process *p, int status, const struct err *why)
{
    struct leasing *own = p->own;
    if (status == 0)
        return false;
    own->stage = LEASE_NONE;
    load_failed(p, true, status, why);
    return true;
}

static void granted(struct store_call *call, int status, const struct err *why)
{
    struct process *p = container_of(call, struct process, call);
    struct leasing *own = p->own;
    if (failed(p, status, why))
        return;
    own->stage = LEASE_GRANTED;
    load_complete(p, OPERATION_OK, p->operation.value, NULL);
}

static void begin_grant(struct process *p)
{
    struct leasing *own = p->own;
    own->number = ++shared(p)->granted;
    own->ttl_ms = 1000 * (int64_t)(2 + load_below(p->load, 3));
    own->renewals = load_below(p->load, RENEWALS_MAX);
    load_invoke(p, "grant", load_pair(p, edn_int(id_of(p, own->number)), edn_int(own->ttl_ms)));
    p->call.done = granted;
    store_lease_grant(p->client, &p->call, id_of(p, own->number), own->ttl_ms / 1000, load_timeout_ms(p));
}

static void attached(struct store_call *call, int status, const struct err *why)
{
    struct process *p = container_of(call, struct process, call);
    struct leasing *own = p->own;
    if (failed(p, status, why))
        return;
    own->stage = LEASE_RENEWED;
    load_complete(p, OPERATION_OK, p->operation.value, NULL);
}

static void begin_attach(struct process *p)
{
    struct leasing *own = p->own;
    struct kv_op put = {.kind = KV_OP_PUT, .put = {.key = key_of(p, own->number), .value = SLICE("x"), .lease = id_of(p, own->number)}};
    load_invoke(p, "attach", load_pair(p, edn_int(id_of(p, own->number)), edn_int(own->number)));
    p->call.done = attached;
    store_txn(p->client, &p->call, &(struct kv_txn){.success = &put, .success_count = 1}, load_timeout_ms(p));
}

static void renewed(struct store_call *call, int status, const struct err *why)
{
    struct process *p = container_of(call, struct process, call);
    struct leasing *own = p->own;
    if (failed(p, status, why))
        return;
    if (call->leases.count == 0)
        own->stage = LEASE_LEFT;
    load_complete(p, OPERATION_OK, load_pair(p, p->operation.value.items[0], edn_bool(call->leases.count != 0)), NULL);
}

static void begin_renewal(struct process *p)
{
    struct leasing *own = p->own;
    int64_t id = id_of(p, own->number);
    own->renewals--;
    own->next_ms = load_now_ms(p->load) + 200 + (int64_t)load_below(p->load, (uint64_t)own->ttl_ms / 2);
    load_invoke(p, "keepalive", load_pair(p, edn_int(id), (struct edn){0}));
    p->call.done = renewed;
    store_lease_keepalive(p->client, &p->call, &id, 1, load_timeout_ms(p));
}

static void revoked(struct store_call *call, int status, const struct err *why)
{
    struct process *p = container_of(call, struct process, call);
    if (!failed(p, status, why))
        load_complete(p, OPERATION_OK, p->operation.value, NULL);
}

static void begin_revoke(struct process *p)
{
    struct leasing *own = p->own;
    struct edn id = edn_int(id_of(p, own->number));
    load_invoke(p, "revoke", edn_vector(arena_dup(&p->arena, &id, sizeof id), 1));
    p->call.done = revoked;
    store_lease_revoke(p->client, &p->call, id.number, load_timeout_ms(p));
}

static void key_read(struct store_call *call, int status, const struct err *why)
{
    struct process *p = container_of(call, struct process, call);
    struct leasing *own = p->own;
    bool there = status == 0 && call->range.kv_count != 0;
    if (status != 0) {
        load_failed(p, false, status, why);
        return;
    }
    if (!p->final && (!there || (own->stage == LEASE_LEFT && load_now_ms(p->load) > own->left_ms + WATCHED_MS)))
        own->stage = LEASE_NONE;
    load_complete(p, OPERATION_OK, load_pair(p, p->operation.value.items[0], edn_bool(there)), NULL);
}

static void begin_read(struct process *p, int64_t number)
{
    load_invoke(p, "read", load_pair(p, edn_int(number), (struct edn){0}));
    p->call.done = key_read;
    store_range(p->client, &p->call, &(struct kv_range){.span = {.key = key_of(p, number)}, .keys_only = true}, load_timeout_ms(p));
}

static bool begin(struct process *p)
{
    struct leasing *own = p->own;
    int64_t now_ms = load_now_ms(p->load);
    if (own->stage == LEASE_NONE || own->stage == LEASE_GRANTED) {
        own->next_ms = 0;
        own->stage == LEASE_NONE ? begin_grant(p) : begin_attach(p);
        return true;
    }
    if (now_ms < own->next_ms)
        return false;
    if (own->stage == LEASE_RENEWED && own->renewals > 0) {
        begin_renewal(p);
        return true;
    }
    if (own->stage == LEASE_RENEWED) {
        own->stage = LEASE_LEFT;
        own->left_ms = now_ms;
        if (load_below(p->load, 8) == 0) {
            begin_revoke(p);
            return true;
        }
    }
    own->next_ms = now_ms + 50;
    begin_read(p, own->number);
    return true;
}

static bool final(struct process *p, size_t index)
{
    int64_t number = shared(p)->granted - (int64_t)index;
    if (number <= 0 || index >= FINAL_KEYS)
        return false;
    begin_read(p, number);
    return true;
}

const struct workload workload_lease = {.name = "lease", .help = "leases granted, renewed, left alone, revoked", .open = open, .close = close, .begin = begin, .final = final};
