/* A member that runs the store: its state machine behind the driver, its server before it. As raftstore.c wires them, but for
 * the connections between members, which are fake_net's messages, and the saved list of members. */
#include "common/base.h"

#include "tests/sim/store_sim.h"

#include "common/mem.h"
#include "raftstore/apply.h"
#include "raftstore/server.h"

#include <stdio.h>

static void on_events(void *arg, int64_t revision, const struct kv_event *events, size_t n)
{
    struct sim_node *node = arg;
    truth_applied(node, revision, events, n);
    if (node->server != NULL)
        server_events(node->server, revision, events, n);
}

static void on_result(void *arg, const struct store_command *c, struct slice result)
{
    struct sim_node *node = arg;
    if (node->server != NULL)
        server_result(node->server, c, result);
}

static void on_entry(void *arg, uint64_t index)
{
    struct sim_node *node = arg;
    truth_compacted(node, mvcc_compact_revision(apply_mvcc(node->apply)), mvcc_revision(apply_mvcc(node->apply)));
    check_applied(node, index, wal_term_of(node->driver->wal, index), 0, apply_hash(node->apply));
    if (node->server == NULL)
        return;
    server_entry(node->server, index);
    if (server_quarantined(node->server))
        sim_violation(node->sim, "member %zu is quarantined at entry %llu", node->index, (unsigned long long)index);
}

static void on_restored(void *arg)
{
    struct sim_node *node = arg;
    if (node->server != NULL)
        server_restored(node->server);
}

static void on_changed(void *arg)
{
    struct sim_node *node = arg;
    if (node->server != NULL)
        server_changed(node->server);
}

static struct machine store_machine(struct sim_node *n)
{
    n->apply = apply_new(&(struct apply_options){
        .on_events = on_events, .on_result = on_result, .on_entry = on_entry, .on_restored = on_restored, .arg = n});
    return apply_machine(n->apply);
}

/* --- what the server needs of the driver --- */

static struct driver *driver_of(void *impl) { return ((struct sim_node *)impl)->driver; }
static void propose(void *impl, struct proposal *p) { driver_propose(driver_of(impl), p); }
static void read_round(void *impl, struct read_index *r) { driver_read_index(driver_of(impl), r); }
static void get_status(void *impl, struct driver_status *ret) { driver_status(driver_of(impl), ret); }
static const struct configuration *configuration(void *impl, bool newest)
{
    return newest ? driver_newest(driver_of(impl), NULL) : driver_configuration(driver_of(impl), NULL);
}
static void propose_configuration(void *impl, struct proposal *p, const struct configuration *c)
{
    driver_propose_configuration(driver_of(impl), p, c);
}
static bool in_sync(void *impl, uint64_t member) { return driver_in_sync(driver_of(impl), member); }
static bool can_lose(void *impl, uint64_t member) { return driver_can_lose(driver_of(impl), member); }
static bool live(void *impl, uint64_t member) { return driver_live(driver_of(impl), member); }
static bool settled(void *impl) { return driver_settled(driver_of(impl)); }
static int transfer(void *impl, uint64_t to, struct err *reterr) { return driver_transfer(driver_of(impl), to, reterr); }
static bool transferring(void *impl) { return driver_transferring(driver_of(impl)); }

/* --- how it begins: begin.c and rejoin.c, as raftstore.c uses them --- */

static void address_of(const struct sim_node *n, char address[STORE_TEXT_MAX])
{
    (void)snprintf(address, STORE_TEXT_MAX, "sim:%llu", (unsigned long long)n->origin);
}

static void take_identity(struct sim_node *n)
{
    n->id = n->options.member_id = n->begin.identity.member_id;
    sim_trace(n->sim, 9, n->index, n->id);
}

static void joined(void *arg, int status, const struct configuration *members, const struct err *why)
{
    struct sim_node *n = arg;
    struct err e;
    (void)members; /* fake_net finds them by itself */
    n->begin.rejoin = NULL;
    n->damaged = false; /* set aside: from now on it must start */
    if (status != 0)
        sim_node_failed(n, why);
    else if (sim_node_open(n, &e) != 0)
        sim_violation(n->sim, "member %zu does not open its log after it has joined: %s", n->index, e.message);
}

static struct begin_options begin_options(struct sim_node *n, const char *address)
{
    struct begin_options o = {.member_id = n->begin.named_id, .members = &n->sim->nodes[0].options.bootstrap,
                              .join = n->begin.join, .join_count = n->begin.join_count, .existing = n->begin.existing,
                              .client_address = address};
    memcpy(o.cluster_id, n->options.cluster_id, sizeof o.cluster_id);
    return o;
}

static void join(struct sim_node *n)
{
    char address[STORE_TEXT_MAX];
    address_of(n, address);
    struct begin_options begin = begin_options(n, address);
    struct rejoin_options *o = NEW(struct rejoin_options);
    take_identity(n);
    *o = (struct rejoin_options){.identity = n->begin.identity, .automatic = true, .peer_address = n->begin.address,
                                 .client_address = n->begin.address, .done = joined, .arg = n};
    (void)snprintf(n->begin.address, sizeof n->begin.address, "%s", address);
    begin_endpoints(&n->env.disk, &begin, &n->begin.identity, o);
    ASSERT(o->endpoint_count > 0); /* the scenario has seen to it */
    n->begin.rejoin = rejoin_new(&n->env, o);
    mem_free(o);
}

static int store_begin(struct sim_node *n, bool *ret_joins, struct err *reterr)
{
    char address[STORE_TEXT_MAX];
    enum begin_how how;
    address_of(n, address);
    struct begin_options o = begin_options(n, address);
    int status = begin_look(&n->env.disk, &o, &n->env.random, &n->begin.identity, &how, reterr);
    if (status != 0)
        return status;
    *ret_joins = how == BEGIN_JOIN;
    if (*ret_joins)
        join(n);
    else
        take_identity(n);
    n->options.bootstrap = how == BEGIN_FOUND ? *o.members : (struct configuration){0};
    return 0;
}

static int store_damaged(struct sim_node *n, const struct err *why, struct err *reterr)
{
    int status = begin_damaged(&n->begin.identity, &n->env.random, why, reterr);
    if (status == 0)
        join(n);
    return status;
}

static int store_front(struct sim_node *n, struct err *reterr)
{
    char address[STORE_TEXT_MAX];
    struct server_options o = {
        .member_id = n->id, .address = address, .apply = n->apply, .compact_revisions = n->sim->keep_revisions,
        .pending_bytes_max = n->sim->pending_bytes,
        .scrub_every_ms = 200, .scrub_step_bytes = 400, /* several passes, most of them while writing goes on */
        .consensus = {.propose = propose, .read_index = read_round, .status = get_status, .configuration = configuration,
                      .propose_configuration = propose_configuration, .in_sync = in_sync, .can_lose = can_lose, .live = live,
                      .settled = settled, .transfer = transfer, .transferring = transferring, .impl = n}};
    address_of(n, address);
    memcpy(o.cluster_id, n->options.cluster_id, sizeof o.cluster_id);
    return server_new(&n->env, &o, &n->server, reterr);
}

static void rejoin_closed(void *arg) { ((struct sim_node *)arg)->begin.rejoin = NULL; }
static void server_closed(void *arg) { ((struct sim_node *)arg)->server = NULL; }

static void store_front_close(struct sim_node *n)
{
    struct server_metrics m;
    fake_stream_crash(n);
    if (n->begin.rejoin != NULL)
        rejoin_close(n->begin.rejoin, rejoin_closed, n);
    if (n->server == NULL)
        return;
    server_metrics(n->server, &m);
    n->sim->cut_off += m.slow_closed;
    server_close(n->server, server_closed, n);
}

static bool store_closed(const struct sim_node *n) { return n->server == NULL && n->begin.rejoin == NULL; }

static void store_release(struct sim_node *n)
{
    apply_free(n->apply);
    n->apply = NULL;
}

static uint64_t store_hash(struct sim_node *n) { return apply_hash(n->apply); }

const struct sim_kind sim_kind_store = {
    .begin = store_begin, .damaged = store_damaged, .machine = store_machine, .front = store_front, .front_close = store_front_close, .closed = store_closed,
    .release = store_release, .changed = on_changed, .hash = store_hash};
