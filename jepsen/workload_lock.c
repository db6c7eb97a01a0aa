/* Locks and elections, as clients build them from leases and transactions.
 *   lock       one key for each lock, made by who finds none, under a lease of his own; the token is the revision it was made in. What
 *              the lock guards is a key that keeps the largest token it has seen and takes a write only with no smaller one.
 *   election   each candidate makes a key; who has the oldest one leads; the token is that key's revision.
 * Holders write, renew, now and then fall asleep for longer than their lease lasts and go on as if nothing had happened. */
#include "common/base.h"

#include "jepsen/load.h"

#define LOCKS 3
#define TTL_S 2
#define USES_MAX 20
#define CAMPAIGN_MS 2500  /* given up then */
#define LOOK_MS 40        /* between two looks at who leads */
#define AGAIN_MS 400      /* at most, before who did not get it tries again */

struct holder {
    bool holds;
    int64_t lock, token, lease, idle_until_ms, campaign_end_ms;
    uint64_t uses;
    const char *why; /* an acquire failed */
};

struct locks {
    int64_t next_value, leases, base;
    bool election;
};

static struct locks *shared(struct process *p) { return p->load->shared; }

static void open_both(struct load *l, bool election)
{
    struct locks *s = NEW(struct locks);
    s->base = (int64_t)(load_below(l, 1u << 30) << 32);
    s->election = election;
    l->shared = s;
    for (int64_t i = 0; i < l->options.concurrency; i++)
        l->processes[i].own = NEW(struct holder);
}
static void open_lock(struct load *l) { open_both(l, false); }
static void open_election(struct load *l) { open_both(l, true); }

static void close(struct load *l)
{
    for (int64_t i = 0; i < l->options.concurrency; i++)
        mem_free(l->processes[i].own);
    mem_free(l->shared);
}

static struct slice lock_key(struct process *p)
{
    const struct holder *h = p->own;
    if (shared(p)->election)
        return load_key(p, "jepsen/election/%lld/%lld", (long long)h->lock, (long long)h->lease);
    return load_key(p, "jepsen/lock/%lld", (long long)h->lock);
}

static struct slice token_text(struct process *p, int64_t token) { return load_key(p, "%020lld", (long long)token); }

static struct edn triple(struct process *p, struct edn a, struct edn b, struct edn c)
{
    const struct edn items[] = {a, b, c};
    return edn_vector(arena_dup(&p->arena, items, sizeof items), 3);
}

/* --- getting it --- */

static void given_up(struct store_call *call, int status, const struct err *why)
{
    struct process *p = container_of(call, struct process, call);
    struct holder *h = p->own;
    (void)status; /* it ends by itself soon */
    (void)why;
    load_complete(p, OPERATION_FAIL, p->operation.value, h->why);
}

static void give_up(struct process *p, const char *why)
{
    struct holder *h = p->own;
    h->why = why;
    h->idle_until_ms = load_now_ms(p->load) + (int64_t)load_below(p->load, AGAIN_MS);
    p->call.done = given_up;
    store_lease_revoke(p->client, &p->call, h->lease, load_timeout_ms(p));
}

static void got_it(struct process *p)
{
    struct holder *h = p->own;
    h->holds = true;
    h->uses = 1 + load_below(p->load, USES_MAX);
    h->idle_until_ms = 0;
    load_complete(p, OPERATION_OK, triple(p, edn_int(h->lock), edn_int(h->token), edn_int(TTL_S * 1000)), NULL);
}

static void look_who_leads(struct timer *t);

static void leader_read(struct store_call *call, int status, const struct err *why)
{
    struct process *p = container_of(call, struct process, call);
    struct holder *h = p->own;
    if (status == 0 && call->range.kv_count == 1 && call->range.kvs[0].create_revision == h->token) {
        got_it(p);
    } else if (load_now_ms(p->load) < h->campaign_end_ms) {
        timer_init(&p->wait, look_who_leads);
        loop_timer_start(&p->load->env->loop, &p->wait, LOOK_MS);
    } else {
        give_up(p, status == 0 ? "somebody else leads" : why->code == 0 ? "" : err_text(why->code));
    }
}

static void read_leader(struct process *p, int64_t election)
{
    store_range(p->client, &p->call, &(struct kv_range){
        .span = {load_key(p, "jepsen/election/%lld/", (long long)election), load_key(p, "jepsen/election/%lld0", (long long)election)},
        .limit = 1, .order = KV_ORDER_ASCEND, .sort = KV_SORT_CREATE}, load_timeout_ms(p));
}

static void look_who_leads(struct timer *t)
{
    struct process *p = container_of(t, struct process, wait);
    const struct holder *h = p->own;
    p->call.done = leader_read;
    read_leader(p, h->lock);
}

static void made(struct store_call *call, int status, const struct err *why)
{
    struct process *p = container_of(call, struct process, call);
    struct holder *h = p->own;
    if (status != 0)
        load_failed(p, true, status, why);
    else if (!call->txn.succeeded)
        give_up(p, "somebody else holds it");
    else {
        h->token = call->header.revision;
        if (shared(p)->election)
            look_who_leads(&p->wait);
        else
            got_it(p);
    }
}

static void lease_granted(struct store_call *call, int status, const struct err *why)
{
    struct process *p = container_of(call, struct process, call);
    const struct holder *h = p->own;
    if (status != 0) {
        load_complete(p, OPERATION_FAIL, p->operation.value, why->message); /* a lease without a key locks nothing */
        return;
    }
    struct slice key = lock_key(p);
    struct kv_compare missing = {.span = {.key = key}, .target = KV_COMPARE_CREATE, .result = KV_EQUAL, .number = 0};
    struct kv_op put = {.kind = KV_OP_PUT, .put = {.key = key, .value = SLICE("0"), .lease = h->lease}};
    p->call.done = made;
    store_txn(p->client, &p->call, &(struct kv_txn){.compares = &missing, .compare_count = 1, .success = &put, .success_count = 1},
              load_timeout_ms(p));
}

static void begin_acquire(struct process *p)
{
    struct holder *h = p->own;
    h->lock = (int64_t)load_below(p->load, LOCKS);
    h->lease = shared(p)->base + ++shared(p)->leases;
    h->campaign_end_ms = load_now_ms(p->load) + CAMPAIGN_MS;
    load_invoke(p, shared(p)->election ? "campaign" : "acquire", load_pair(p, edn_int(h->lock), (struct edn){0}));
    p->call.done = lease_granted;
    store_lease_grant(p->client, &p->call, h->lease, TTL_S, load_timeout_ms(p));
}

/* --- having it --- */

static void used(struct store_call *call, int status, const struct err *why)
{
    struct process *p = container_of(call, struct process, call);
    struct holder *h = p->own;
    bool accepted = status == 0 && (call->txn.succeeded || (call->txn.result_count == 1 && call->txn.results[0].kind == KV_OP_TXN &&
                                                            call->txn.results[0].txn.succeeded));
    if (status != 0) {
        load_failed(p, true, status, why);
        return;
    }
    h->holds = h->holds && accepted;
    load_complete(p, accepted ? OPERATION_OK : OPERATION_FAIL, p->operation.value, accepted ? NULL : "refused: the token is an old one");
}

/* Takes the token when it is no smaller than the one that was seen last. */
static void begin_write(struct process *p)
{
    const struct holder *h = p->own;
    struct slice guarded = load_key(p, "jepsen/guarded/%lld", (long long)h->lock);
    struct kv_op put = {.kind = KV_OP_PUT, .put = {.key = guarded, .value = token_text(p, h->token)}};
    struct kv_compare first = {.span = {.key = guarded}, .target = KV_COMPARE_VERSION, .result = KV_EQUAL, .number = 0};
    struct kv_compare older = {.span = {.key = guarded}, .target = KV_COMPARE_VALUE, .result = KV_LESS, .value = token_text(p, h->token + 1)};
    struct kv_op judge = {.kind = KV_OP_TXN, .txn = {.compares = &older, .compare_count = 1, .success = &put, .success_count = 1}};
    load_invoke(p, "write", triple(p, edn_int(h->lock), edn_int(h->token), edn_int(++shared(p)->next_value)));
    p->call.done = used;
    store_txn(p->client, &p->call, &(struct kv_txn){.compares = &first, .compare_count = 1, .success = &put, .success_count = 1,
                                                    .failure = &judge, .failure_count = 1}, load_timeout_ms(p));
}

/* Does `op` while the holder's key is the one he made. */
static void begin_guarded(struct process *p, const char *f, struct edn value, const struct kv_op *op)
{
    const struct holder *h = p->own;
    struct kv_compare mine = {.span = {.key = lock_key(p)}, .target = KV_COMPARE_CREATE, .result = KV_EQUAL, .number = h->token};
    load_invoke(p, f, value);
    p->call.done = used;
    store_txn(p->client, &p->call, &(struct kv_txn){.compares = &mine, .compare_count = 1, .success = op, .success_count = 1}, load_timeout_ms(p));
}

static void begin_proclaim(struct process *p)
{
    const struct holder *h = p->own;
    int64_t value = ++shared(p)->next_value;
    struct kv_op put = {.kind = KV_OP_PUT, .put = {.key = lock_key(p), .value = load_key(p, "%lld", (long long)value), .lease = h->lease}};
    begin_guarded(p, "proclaim", triple(p, edn_int(h->lock), edn_int(h->token), edn_int(value)), &put);
}

static void begin_release(struct process *p)
{
    struct holder *h = p->own;
    struct kv_op delete = {.kind = KV_OP_DELETE, .delete = {.span = {.key = lock_key(p)}}};
    begin_guarded(p, shared(p)->election ? "resign" : "release", load_pair(p, edn_int(h->lock), edn_int(h->token)), &delete);
    h->holds = false;
}

static void renewed(struct store_call *call, int status, const struct err *why)
{
    struct process *p = container_of(call, struct process, call);
    struct holder *h = p->own;
    if (status != 0) {
        load_failed(p, true, status, why);
        return;
    }
    h->holds = call->leases.count != 0;
    load_complete(p, h->holds ? OPERATION_OK : OPERATION_FAIL, p->operation.value, h->holds ? NULL : "the lease is gone");
}

static void begin_renewal(struct process *p)
{
    const struct holder *h = p->own;
    load_invoke(p, "renew", load_pair(p, edn_int(h->lock), edn_int(h->token)));
    p->call.done = renewed;
    store_lease_keepalive(p->client, &p->call, &h->lease, 1, load_timeout_ms(p));
}

static void observed(struct store_call *call, int status, const struct err *why)
{
    struct process *p = container_of(call, struct process, call);
    struct edn election = p->operation.value.items[0], token = {0}, value = {0};
    if (status != 0) {
        load_failed(p, false, status, why);
        return;
    }
    if (call->range.kv_count == 1) {
        token = edn_int(call->range.kvs[0].create_revision);
        value = edn_int(load_number(call->range.kvs[0].value));
    }
    load_complete(p, OPERATION_OK, triple(p, election, token, value), NULL);
}

static void begin_observe(struct process *p, int64_t election)
{
    load_invoke(p, "observe", load_pair(p, edn_int(election), (struct edn){0}));
    p->call.done = observed;
    read_leader(p, election);
}

static bool begin(struct process *p)
{
    struct holder *h = p->own;
    int64_t now_ms = load_now_ms(p->load);
    if (shared(p)->election && load_below(p->load, 3) == 0) {
        begin_observe(p, (int64_t)load_below(p->load, LOCKS));
        return true;
    }
    if (now_ms < h->idle_until_ms)
        return false;
    if (!h->holds) {
        begin_acquire(p);
        return true;
    }
    uint64_t what = load_below(p->load, 20);
    if (h->uses-- == 0) {
        begin_release(p);
    } else if (what == 0) {
        h->idle_until_ms = now_ms + TTL_S * 1500;
        return false;
    } else if (what < 8) {
        begin_renewal(p);
    } else {
        shared(p)->election ? begin_proclaim(p) : begin_write(p);
    }
    return true;
}

/* Who leads, once more. */
static bool final(struct process *p, size_t index)
{
    if (!shared(p)->election || index >= LOCKS)
        return false;
    begin_observe(p, (int64_t)index);
    return true;
}

const struct workload workload_lock = {.name = "lock", .help = "locks with fencing tokens, their holders asleep at times", .open = open_lock, .close = close, .begin = begin, .final = final};
const struct workload workload_election = {.name = "election", .help = "elections: campaign, proclaim, observe, resign", .open = open_election, .close = close, .begin = begin, .final = final};
