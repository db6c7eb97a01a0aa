/* Clients of the store, over the real client library: each runs a few operations at a time, two watches and now and then a
 * lease. Every answer is compared with the truth (store_truth.c).
 *
 * Linearizability: each answer carries its revision, which is its place in one order of all writes. The contents must be those
 * of that place; and no operation may be placed before what anybody had been told of when it began. That is stronger than
 * searching for an order (Wing and Gong), and cheap. An operation whose outcome is unknown may stand anywhere or nowhere. */
#include "common/base.h"

#include "tests/sim/store_sim.h"

#include "common/mem.h"
#include "raftstore/apply.h"
#include "raftstore/client.h"
#include "raftstore/lease.h"
#include "raftstore/store_limits.h"

#include <stdio.h>

#define LOAD_OPS 3
#define LOAD_WATCHES 2
#define LOAD_KEYS 6
#define FINAL_MS 20000  /* behind a member that is still sent a snapshot in small pieces nothing is answered for 3 s, and then elsewhere */
#define ANSWER_MS 25000 /* a call's time-out and its rest */
#define ENDPOINTS_MAX STORE_ENDPOINTS_MAX

enum op_kind { OP_PUT, OP_PUTS, OP_COMPARE, OP_DELETE, OP_READ, OP_READ_SERIALIZABLE, OP_READ_PAST, OP_COMPACT, OP_GRANT, OP_LEASE_PUT,
               OP_KEEPALIVE, OP_REVOKE, OP_FINAL };

struct load;
struct op {
    struct store_call call;
    struct load *load;
    struct timer next;
    enum op_kind kind;
    bool busy, answered;
    char key[STORE_TEXT_MAX], value[STORE_TEXT_MAX];
    struct kv_span span;
    int64_t floor, revision, compared, lease; /* floor: certain when it began */
    uint64_t asked_us;
};

struct watching {
    struct store_watch watch;
    struct load *load;
    struct timer again;
    struct kv_span span;
    char key[STORE_TEXT_MAX];
    int64_t from, next; /* told of everything up to it, -1: not known yet; where to begin again, 0: now */
    bool running;
};

struct load {
    struct store_sim *store;
    struct sim_node *host;
    struct store_client *client; /* NULL: between two */
    struct op ops[LOAD_OPS];
    struct watching watches[LOAD_WATCHES];
    int64_t lease, lease_ttl_s; /* 0: none */
};

struct store_sim {
    struct sim *sim;
    struct store_truth truth;
    struct load loads[SIM_CLIENTS_MAX];
    size_t count;
    uint64_t pause_us, next_value, next_lease;
    bool stopping, closing;
};

struct store_truth *store_sim_truth(struct sim *s) { return s->store == NULL ? NULL : &s->store->truth; }

static struct sim *sim_of(const struct load *l) { return l->store->sim; }
static struct store_truth *truth_of(const struct load *l) { return &l->store->truth; }
static void told(struct load *l, int64_t revision) { truth_of(l)->certain = MAX(truth_of(l)->certain, revision); }

/* --- operations --- */

static void op_later(struct op *o, uint64_t delay_us)
{
    if (!o->load->store->closing)
        loop_timer_start(&o->load->host->env.loop, &o->next, delay_us / MS);
}

/* It says that the lease is not there (any more). */
static void lease_missing(struct load *l, int64_t id)
{
    struct sim *s = sim_of(l);
    const struct truth_lease *t = truth_lease(truth_of(l), id);
    if (t->renewed_us != 0 && !t->revoked && s->now_us + 2 * MS < t->renewed_us + t->ttl_us)
        sim_violation(s, "lease %lld is not there %llu ms after it was renewed, its time is %llu ms", (long long)id,
                      (unsigned long long)((s->now_us - t->renewed_us) / MS), (unsigned long long)(t->ttl_us / MS));
    if (l->lease == id)
        l->lease = 0;
}

/* What it wrote stands in the revision that the answer names, and nowhere else. */
static void check_written(struct op *o)
{
    struct sim *s = sim_of(o->load);
    int64_t stands = (int64_t)(intptr_t)map_get(&truth_of(o->load)->values, slice_str(o->value));
    s->acknowledged_writes++;
    if (stands != o->call.header.revision)
        sim_violation(s, "lost write: %s = %s was acknowledged in revision %lld, where it does not stand", o->key, o->value,
                      (long long)o->call.header.revision);
    if (o->call.header.revision <= o->floor)
        sim_violation(s, "linearizability: %s = %s was written in revision %lld, but %lld was known when it began", o->key, o->value,
                      (long long)o->call.header.revision, (long long)o->floor);
}

static void check_compared(struct op *o)
{
    struct sim *s = sim_of(o->load);
    bool done = o->call.txn.succeeded;
    int64_t at = o->call.header.revision - done;
    const struct truth_version *v = truth_at(truth_key(truth_of(o->load), slice_str(o->key)), at);
    if (((v == NULL ? 0 : v->mod) == o->compared) != done)
        sim_violation(s, "a transaction that compares %s with revision %lld %s at %lld, where it was %lld", o->key,
                      (long long)o->compared, done ? "succeeded" : "failed", (long long)at, v == NULL ? 0 : (long long)v->mod);
    if (done)
        check_written(o);
}

static void check_deleted(struct op *o)
{
    struct sim *s = sim_of(o->load);
    struct truth_key *k = truth_key(truth_of(o->load), slice_str(o->key));
    int64_t r = o->call.header.revision, deleted = o->call.txn.results[0].delete.deleted;
    bool fits = deleted == 0 ? truth_at(k, r) == NULL : truth_at(k, r) == NULL && truth_at(k, r - 1) != NULL;
    s->acknowledged_writes++;
    if (!fits)
        sim_violation(s, "a deletion of %s answers %lld at revision %lld, which does not fit", o->key, (long long)deleted, (long long)r);
}

static void check_read(struct op *o)
{
    struct sim *s = sim_of(o->load);
    int64_t at = o->kind == OP_READ_PAST ? o->revision : o->call.header.revision;
    s->reads++;
    check_range(s, &o->span, at, &o->call.range);
}

/* Those whose time the answer says has begun anew. */
static void check_lease(struct op *o)
{
    struct load *l = o->load;
    if (o->call.leases.count == 0) {
        lease_missing(l, o->lease);
        return;
    }
    if (o->call.leases.leases[0].id != o->lease)
        sim_violation(sim_of(l), "an answer about lease %lld, asked was %lld", (long long)o->call.leases.leases[0].id, (long long)o->lease);
    truth_lease_renewed(sim_of(l), o->lease, o->asked_us);
    if (o->kind == OP_GRANT)
        l->lease = o->lease;
}

static void op_succeeded(struct op *o)
{
    struct load *l = o->load;
    int64_t revision = o->call.header.revision;
    bool linearizable = o->kind != OP_READ_SERIALIZABLE;
    if (linearizable && revision < o->floor)
        sim_violation(sim_of(l), "linearizability: operation %d answers from revision %lld, but %lld was known when it began",
                      (int)o->kind, (long long)revision, (long long)o->floor);
    if (revision > truth_of(l)->newest)
        sim_violation(sim_of(l), "an answer of revision %lld, which nobody has made", (long long)revision);
    told(l, revision);
    switch (o->kind) {
    case OP_PUT:
    case OP_PUTS:
    case OP_LEASE_PUT: check_written(o); break;
    case OP_COMPARE: check_compared(o); break;
    case OP_DELETE: check_deleted(o); break;
    case OP_READ:
    case OP_READ_SERIALIZABLE:
    case OP_READ_PAST:
    case OP_FINAL: check_read(o); break;
    case OP_GRANT:
    case OP_KEEPALIVE: check_lease(o); break;
    case OP_REVOKE:
    case OP_COMPACT: break;
    }
}

/* An error that says that nothing was done: then it never is. */
static void op_refused(struct op *o, int status)
{
    struct load *l = o->load;
    struct store_truth *t = truth_of(l);
    bool past = status == ERR_COMPACTED && (o->kind == OP_COMPACT || (o->kind == OP_READ_PAST && o->revision < t->compacted));
    bool missing = status == ERR_NOT_FOUND && (o->kind == OP_LEASE_PUT || o->kind == OP_REVOKE);
    if (missing)
        lease_missing(l, o->lease);
    if (missing && o->kind == OP_LEASE_PUT && map_put(&t->values, slice_str(o->value), (void *)(intptr_t)-1) != NULL)
        sim_violation(sim_of(l), "%s was refused, and has happened", o->value);
    if (!past && !missing)
        sim_violation(sim_of(l), "operation %d was answered with \"%s\"", (int)o->kind, err_text(status));
}

static void op_done(struct store_call *call, int status, const struct err *why)
{
    struct op *o = container_of(call, struct op, call);
    struct sim *s = sim_of(o->load);
    (void)why;
    o->busy = false;
    o->answered = status == 0;
    sim_trace(s, 9, o->load->host->index * 16 + o->kind, (uint64_t)(int64_t)status);
    if (status == 0)
        op_succeeded(o);
    else if (status != ERR_TIMEOUT && status != ERR_OUTCOME_UNKNOWN && status != ERR_UNAVAILABLE && status != ERR_CANCELED &&
             status != ERR_BUSY)
        op_refused(o, status);
    if (!o->load->store->stopping)
        op_later(o, 1 + sim_below(s, o->load->store->pause_us));
}

/* Ends its own doing: what was sent may be done all the same. */
static void start_txn(struct op *o, const struct kv_compare *compare, const struct kv_op *ops, size_t n)
{
    store_txn(o->load->client, &o->call,
              &(struct kv_txn){.compares = compare, .compare_count = compare != NULL, .success = ops, .success_count = n}, 0);
}

static void pick_value(struct op *o)
{
    (void)snprintf(o->value, sizeof o->value, "v%llu", (unsigned long long)++o->load->store->next_value);
}

static void start_puts(struct op *o)
{
    struct sim *s = sim_of(o->load);
    char other[STORE_TEXT_MAX];
    unsigned first = (unsigned)sim_below(s, LOAD_KEYS);
    pick_value(o);
    (void)snprintf(o->key, sizeof o->key, "k%u", first);
    (void)snprintf(other, sizeof other, "k%u", (first + 1) % LOAD_KEYS);
    struct kv_put put = {.key = slice_str(o->key), .value = slice_str(o->value), .prev_kv = true};
    struct kv_op ops[] = {{.kind = KV_OP_PUT, .put = put}, {.kind = KV_OP_PUT, .put = put}};
    ops[1].put.key = slice_str(other);
    start_txn(o, NULL, ops, o->kind == OP_PUTS ? 2 : 1);
}

static void start_compare(struct op *o)
{
    const struct truth_version *v = truth_at(truth_key(truth_of(o->load), slice_str(o->key)), truth_of(o->load)->certain);
    pick_value(o);
    o->compared = v == NULL ? 0 : v->mod;
    struct kv_compare compare = {.span = {.key = slice_str(o->key)}, .target = KV_COMPARE_MOD, .number = o->compared};
    struct kv_op put = {.kind = KV_OP_PUT, .put = {.key = slice_str(o->key), .value = slice_str(o->value)}};
    start_txn(o, &compare, &put, 1);
}

static struct kv_span pick_span(struct sim *s, const char *key)
{
    switch (sim_below(s, 3)) {
    case 0: return (struct kv_span){slice_str(key), SLICE("")};
    case 1: return (struct kv_span){SLICE("k"), SLICE("l")};
    default: return (struct kv_span){SLICE("k"), SLICE("m")}; /* those of leases as well */
    }
}

static void start_read(struct op *o)
{
    struct sim *s = sim_of(o->load);
    int64_t certain = truth_of(o->load)->certain;
    o->span = pick_span(s, o->key);
    if (o->kind == OP_FINAL)
        o->span = (struct kv_span){SLICE("k"), SLICE("m")};
    if (o->kind == OP_READ_PAST) { /* often the oldest that can be read */
        int64_t oldest = MAX(truth_of(o->load)->compacted, 1);
        o->revision = sim_chance(s, 400) ? oldest : certain - (int64_t)sim_below(s, MIN((uint64_t)certain, (uint64_t)60));
    }
    store_range(o->load->client, &o->call,
                &(struct kv_range){.span = o->span, .revision = o->revision, .serializable = o->kind == OP_READ_SERIALIZABLE},
                o->kind == OP_FINAL ? FINAL_MS : 0);
}

static void start_lease(struct op *o)
{
    struct load *l = o->load;
    struct store_client *c = l->client;
    struct kv_op put = {.kind = KV_OP_PUT};
    o->lease = l->lease;
    switch (o->kind) {
    case OP_GRANT:
        o->lease = (int64_t)++l->store->next_lease;
        truth_lease(truth_of(l), o->lease)->ttl_us = (uint64_t)l->lease_ttl_s * 1000 * MS;
        store_lease_grant(c, &o->call, o->lease, l->lease_ttl_s, 0);
        break;
    case OP_KEEPALIVE: store_lease_keepalive(c, &o->call, &o->lease, 1, 0); break;
    case OP_REVOKE:
        l->lease = 0;
        truth_lease(truth_of(l), o->lease)->revoked = true;
        store_lease_revoke(c, &o->call, o->lease, 0);
        break;
    default:
        pick_value(o);
        (void)snprintf(o->key, sizeof o->key, "l/%lld", (long long)o->lease);
        put.put = (struct kv_put){.key = slice_str(o->key), .value = slice_str(o->value), .lease = o->lease};
        start_txn(o, NULL, &put, 1);
        break;
    }
}

static void start_compact(struct op *o)
{
    struct sim *s = sim_of(o->load);
    struct store_truth *t = truth_of(o->load);
    int64_t revision = MAX(t->certain - (int64_t)sim_below(s, 30), (int64_t)1);
    t->compacted = MAX(t->compacted, revision);
    store_compact(o->load->client, &o->call, revision, 0);
}

static void op_start(struct op *o, enum op_kind kind)
{
    struct load *l = o->load;
    struct sim *s = sim_of(l);
    o->call = (struct store_call){.done = op_done};
    o->kind = kind;
    o->busy = true;
    o->answered = false;
    o->floor = truth_of(l)->certain;
    o->revision = 0;
    o->asked_us = s->now_us;
    (void)snprintf(o->key, sizeof o->key, "k%llu", (unsigned long long)sim_below(s, LOAD_KEYS));
    sim_trace(s, 10, l->host->index, kind);
    switch (kind) {
    case OP_PUT:
    case OP_PUTS: start_puts(o); break;
    case OP_COMPARE: start_compare(o); break;
    case OP_DELETE: {
        struct kv_op delete = {.kind = KV_OP_DELETE, .delete = {.span = {.key = slice_str(o->key)}}};
        start_txn(o, NULL, &delete, 1);
        break;
    }
    case OP_READ:
    case OP_READ_SERIALIZABLE:
    case OP_READ_PAST:
    case OP_FINAL: start_read(o); break;
    case OP_COMPACT: start_compact(o); break;
    case OP_GRANT:
    case OP_LEASE_PUT:
    case OP_KEEPALIVE:
    case OP_REVOKE: start_lease(o); break;
    }
}

static enum op_kind pick_kind(struct load *l)
{
    struct sim *s = sim_of(l);
    static const enum op_kind usual[] = {OP_PUT, OP_PUT, OP_PUT, OP_PUTS, OP_COMPARE, OP_COMPARE, OP_DELETE, OP_READ, OP_READ, OP_READ,
                                         OP_READ_SERIALIZABLE, OP_READ_PAST, OP_READ_PAST};
    if (sim_chance(s, 30))
        return OP_COMPACT;
    if (sim_chance(s, 800))
        return usual[sim_below(s, ARRAY_LEN(usual))];
    if (l->lease == 0) {
        l->lease_ttl_s = 1 + (int64_t)sim_below(s, LEASE_TTL_MAX_SIM_S);
        return OP_GRANT;
    }
    if (sim_chance(s, 60))
        return OP_REVOKE;
    return sim_chance(s, 400) ? OP_LEASE_PUT : OP_KEEPALIVE;
}

static void op_next(struct timer *t)
{
    struct op *o = container_of(t, struct op, next);
    struct load *l = o->load;
    if (l->store->stopping || o->busy)
        return;
    if (l->client == NULL)
        op_later(o, 10 * MS);
    else
        op_start(o, pick_kind(l));
    if (sim_chance(sim_of(l), 20))
        l->lease = 0; /* it is left to expire */
}

/* --- watches --- */

static void watch_begin(struct timer *t);

static void watch_events(struct store_watch *watch, int64_t revision, const struct kv_event *events, size_t n)
{
    struct watching *w = container_of(watch, struct watching, watch);
    struct load *l = w->load;
    check_watch(sim_of(l), &w->span, w->from < 0 ? revision - 1 : w->from, revision, events, n);
    sim_trace(sim_of(l), 11, l->host->index, (uint64_t)revision);
    w->from = revision;
    told(l, revision);
}

static void watch_progress(struct store_watch *watch, int64_t revision)
{
    struct watching *w = container_of(watch, struct watching, watch);
    if (w->from >= 0 && revision > w->from)
        check_watch(sim_of(w->load), &w->span, w->from, revision, NULL, 0);
    w->from = MAX(w->from, revision);
    told(w->load, revision);
}

static void watch_closed(struct store_watch *watch, int status, int64_t compact_revision, const struct err *why)
{
    struct watching *w = container_of(watch, struct watching, watch);
    struct load *l = w->load;
    struct sim *s = sim_of(l);
    (void)why;
    w->running = false;
    w->next = sim_chance(s, 500) ? 0 : MAX((int64_t)1, truth_of(l)->certain - (int64_t)sim_below(s, 40));
    if (status == ERR_COMPACTED) {
        if (compact_revision > truth_of(l)->compacted || (w->from >= 0 && w->from + 1 >= compact_revision))
            sim_violation(s, "a watch that has everything up to %lld ends for the compaction of %lld", (long long)w->from,
                          (long long)compact_revision);
        w->next = compact_revision;
    } else if (status != ERR_CANCELED) {
        sim_violation(s, "a watch ends with \"%s\"", err_text(status));
    }
    if (!l->store->closing)
        loop_timer_start(&l->host->env.loop, &w->again, sim_below(s, 50));
}

static void watch_begin(struct timer *t)
{
    struct watching *w = container_of(t, struct watching, again);
    struct load *l = w->load;
    struct sim *s = sim_of(l);
    if (l->client == NULL) {
        loop_timer_start(&l->host->env.loop, &w->again, 10);
        return;
    }
    (void)snprintf(w->key, sizeof w->key, "k%llu", (unsigned long long)sim_below(s, LOAD_KEYS));
    w->span = pick_span(s, w->key);
    w->from = w->next - 1;
    w->running = true;
    w->watch = (struct store_watch){.on_events = watch_events, .on_progress = watch_progress, .on_closed = watch_closed};
    store_watch_start(l->client, &w->watch, &(struct store_watch_options){
        .span = w->span, .start_revision = w->next, .prev_kv = true, .progress_ms = sim_chance(s, 500) ? 0 : 300});
}

/* --- clients --- */

static void client_begin(struct load *l)
{
    struct sim *s = sim_of(l);
    struct sim_node *leader = sim_leader(s);
    char texts[ENDPOINTS_MAX][STORE_TEXT_MAX];
    const char *endpoints[ENDPOINTS_MAX];
    const struct configuration *c = leader == NULL ? NULL : driver_configuration(leader->driver, NULL);
    size_t n = 0;
    if (c == NULL || c->count == 0)
        c = &s->nodes[0].options.bootstrap;
    for (size_t i = 0; i < c->count && n < ENDPOINTS_MAX; i++, n++) {
        (void)snprintf(texts[n], sizeof texts[n], "%.*s", STORE_TEXT_MAX - 1, c->members[i].client_address);
        endpoints[n] = texts[n];
    }
    l->client = store_client_new(&l->host->env, &(struct store_client_options){.endpoints = endpoints, .endpoint_count = n});
}

static void client_closed(void *arg)
{
    struct load *l = arg;
    l->client = NULL;
    if (!l->store->closing)
        client_begin(l);
}

/* As a process that ends and starts again: a new session, other members. */
static void client_restart(struct load *l)
{
    if (l->client == NULL)
        return;
    struct store_client *old = l->client;
    l->client = NULL;
    store_client_close(old, client_closed, l);
    sim_node_drain(l->host);
}

static void load_begin(struct store_sim *st, struct load *l)
{
    struct sim *s = st->sim;
    l->store = st;
    l->host = sim_host_add(s);
    client_begin(l);
    for (size_t i = 0; i < LOAD_OPS; i++) {
        l->ops[i].load = l;
        timer_init(&l->ops[i].next, op_next);
        op_later(&l->ops[i], sim_below(s, st->pause_us + 100 * MS));
    }
    for (size_t i = 0; i < LOAD_WATCHES; i++) {
        l->watches[i].load = l;
        l->watches[i].next = (int64_t)sim_below(s, 2);
        timer_init(&l->watches[i].again, watch_begin);
        loop_timer_start(&l->host->env.loop, &l->watches[i].again, sim_below(s, 500));
    }
}

void store_load_start(struct sim *s, size_t clients, uint64_t pause_us)
{
    struct store_sim *st = s->store = NEW(struct store_sim);
    st->sim = s;
    st->pause_us = pause_us;
    truth_init(&st->truth);
    for (size_t i = 0; i < clients; i++)
        load_begin(st, &st->loads[st->count++]);
}

static bool all_idle(const struct store_sim *st)
{
    for (size_t i = 0; i < st->count; i++)
        for (size_t k = 0; k < LOAD_OPS; k++)
            if (st->loads[i].ops[k].busy)
                return false;
    return true;
}

static bool wait_idle(struct sim *s, uint64_t within_ms)
{
    for (uint64_t end = s->now_us + within_ms * MS; s->now_us < end && s->violation[0] == '\0' && !all_idle(s->store);)
        sim_run_until(s, s->now_us + 20 * MS);
    return s->violation[0] == '\0' && all_idle(s->store);
}

void store_load_quiet(struct sim *s) { s->store->stopping = true; }

void store_load_loud(struct sim *s)
{
    struct store_sim *st = s->store;
    st->stopping = false;
    for (size_t i = 0; i < st->count; i++) {
        st->loads[i].lease = 0;
        for (size_t k = 0; k < LOAD_OPS; k++)
            op_later(&st->loads[i].ops[k], 0);
    }
}

int64_t store_load_lease(struct sim *s, int64_t ttl_s)
{
    struct load *l = &s->store->loads[0];
    l->lease_ttl_s = ttl_s;
    op_start(&l->ops[0], OP_GRANT);
    sim_node_drain(l->host);
    if (!wait_idle(s, ANSWER_MS) || l->lease == 0)
        return 0;
    op_start(&l->ops[0], OP_LEASE_PUT);
    sim_node_drain(l->host);
    return wait_idle(s, ANSWER_MS) && l->ops[0].answered ? l->lease : 0;
}

bool store_load_lease_ended(struct sim *s, int64_t id) { return truth_lease(&s->store->truth, id)->gone_us != 0; }

/* --- faults --- */

static void cut_client(struct sim *s)
{
    size_t host = SIM_MEMBERS_MAX + sim_below(s, s->host_count), member = sim_below(s, s->members);
    s->net.blocked[host][member] = true;
    s->net.blocked[member][host] = sim_chance(s, 500);
}

static void fill_disk(struct sim *s)
{
    struct sim_node *n = &s->nodes[sim_below(s, s->members)];
    if (!n->up || n->failed)
        return;
    n->disk_full = true;
    n->disk.writes_until_full = 1 + sim_below(s, 20);
}

/* Its disk was full, it has stopped; now there is space again. */
static void restart_failed(struct sim *s)
{
    for (size_t i = 0; i < s->members; i++) {
        struct sim_node *n = &s->nodes[i];
        if (n->up && n->failed && n->paused_until_us <= s->now_us) {
            sim_node_crash(n);
            sim_node_start(n);
        }
    }
}

void store_load_fault(struct sim *s)
{
    struct store_sim *st = s->store;
    restart_failed(s);
    if (sim_chance(s, 250))
        fake_stream_break(s);
    if (sim_chance(s, 100))
        s->hosts[sim_below(s, s->host_count)].paused_until_us = s->now_us + sim_below(s, 4000 * MS);
    if (sim_chance(s, 100))
        cut_client(s);
    if (sim_chance(s, 60))
        client_restart(&st->loads[sim_below(s, st->count)]);
    if (sim_chance(s, 30))
        fill_disk(s);
}

/* --- the end --- */

static void final_reads(struct sim *s)
{
    struct store_sim *st = s->store;
    for (size_t i = 0; i < st->count; i++) {
        op_start(&st->loads[i].ops[0], OP_FINAL);
        sim_node_drain(st->loads[i].host);
    }
    if (!wait_idle(s, ANSWER_MS))
        sim_violation(s, "a call does not end");
    for (size_t i = 0; i < st->count; i++)
        if (!st->loads[i].ops[0].answered)
            sim_violation(s, "client %zu gets no answer within %d ms after the faults ended", i, FINAL_MS);
}

/* A renewal of a client that has gone waits at its member for as long as any write, and may happen at the end of that. */
#define EXPIRED_MS (WRITE_PARKED_MS + (LEASE_TTL_MAX_SIM_S + 1) * 1000)

/* Nothing of a lease is left when nobody has renewed it for longer than its time. */
static void check_expired(struct sim *s)
{
    struct sim_node *leader = sim_leader(s);
    size_t left = leader == NULL ? 0 : apply_leases(leader->apply)->by_id.size;
    if (left > 0)
        sim_violation(s, "%zu leases are there %d ms after anybody wanted them", left, EXPIRED_MS);
}

static const struct watching *watch_behind(const struct store_sim *st)
{
    for (size_t i = 0; i < st->count; i++)
        for (size_t k = 0; k < LOAD_WATCHES; k++)
            if (st->loads[i].watches[k].from < st->truth.newest)
                return &st->loads[i].watches[k];
    return NULL;
}

static void final_watches(struct sim *s)
{
    struct store_sim *st = s->store;
    for (size_t i = 0; i < st->count; i++)
        for (size_t k = 0; k < LOAD_WATCHES; k++)
            if (st->loads[i].watches[k].running)
                store_watch_progress(st->loads[i].client, &st->loads[i].watches[k].watch);
    for (size_t i = 0; i < st->count; i++)
        sim_node_drain(st->loads[i].host);
    for (uint64_t end = s->now_us + FINAL_MS * MS; s->now_us < end && s->violation[0] == '\0' && watch_behind(st) != NULL;)
        sim_run_until(s, s->now_us + 20 * MS);
    const struct watching *w = watch_behind(st);
    if (s->violation[0] == '\0' && w != NULL)
        sim_violation(s, "a watch of client %zu stands at revision %lld, the newest is %lld", (size_t)(w->load - st->loads),
                      (long long)w->from, (long long)st->truth.newest);
}

void store_load_finish(struct sim *s)
{
    struct store_sim *st = s->store;
    st->stopping = true;
    restart_failed(s);
    for (size_t i = 0; i < st->count; i++)
        client_restart(&st->loads[i]); /* members may have come and gone */
    if (!wait_idle(s, ANSWER_MS))
        sim_violation(s, "a call does not end");
    if (s->violation[0] == '\0')
        sim_run_until(s, s->now_us + EXPIRED_MS * MS);
    if (s->violation[0] == '\0')
        check_expired(s);
    if (s->violation[0] == '\0')
        final_reads(s);
    if (s->violation[0] == '\0')
        final_watches(s);
}

void store_load_release(struct sim *s)
{
    struct store_sim *st = s->store;
    st->stopping = st->closing = true;
    for (size_t i = 0; i < st->count; i++) {
        struct load *l = &st->loads[i];
        for (size_t k = 0; k < LOAD_OPS; k++)
            loop_timer_stop(&l->host->env.loop, &l->ops[k].next);
        for (size_t k = 0; k < LOAD_WATCHES; k++)
            loop_timer_stop(&l->host->env.loop, &l->watches[k].again);
        if (l->client != NULL)
            store_client_close(l->client, client_closed, l);
        sim_node_drain(l->host);
        ASSERT(heap_min(&l->host->loop.timers) == NULL);
        fake_disk_release(&l->host->disk);
        heap_release(&l->host->loop.timers);
    }
    truth_release(&st->truth);
    mem_free(st);
    s->store = NULL;
}
