/* A member that runs the store: its state machine behind the driver, its server before it. As raftstore.c wires them, but for
 * the connections between members, which are fake_net's messages. */
#include "common/base.h"

#include "tests/sim/store_sim.h"

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
    (void)snprintf(address, sizeof address, "sim:%llu", (unsigned long long)n->id);
    memcpy(o.cluster_id, n->options.cluster_id, sizeof o.cluster_id);
    return server_new(&n->env, &o, &n->server, reterr);
}

static void server_closed(void *arg) { ((struct sim_node *)arg)->server = NULL; }

static void store_front_close(struct sim_node *n)
{
    struct server_metrics m;
    server_metrics(n->server, &m);
    n->sim->cut_off += m.slow_closed;
    fake_stream_crash(n);
    server_close(n->server, server_closed, n);
}

static bool store_closed(const struct sim_node *n) { return n->server == NULL; }

static void store_release(struct sim_node *n)
{
    apply_free(n->apply);
    n->apply = NULL;
}

static uint64_t store_hash(struct sim_node *n) { return apply_hash(n->apply); }

const struct sim_kind sim_kind_store = {
    .machine = store_machine, .front = store_front, .front_close = store_front_close, .closed = store_closed,
    .release = store_release, .changed = on_changed, .hash = store_hash};
