/* Deterministic simulation of a raftstore cluster in one process: the real driver, log, consensus and snapshot files over
 * a simulated clock, disk and network. Everything that happens is an event with a virtual time; the same seed gives the
 * same events, and so the same trace hash. */
#ifndef TESTS_SIM_SIM_H
#define TESTS_SIM_SIM_H

#include "common/base.h"
#include "common/env.h"
#include "common/map.h"
#include "raftstore/begin.h"
#include "raftstore/driver_parts.h"
#include "tests/sim/register_machine.h"

#define SIM_MEMBERS_MAX 16 /* that ever were; 5 at the beginning at most */
#define SIM_CLIENTS_MAX 8
#define SIM_HOSTS_MAX (SIM_MEMBERS_MAX + SIM_CLIENTS_MAX)
#define MS 1000ull /* virtual time is in microseconds */

struct sim;
struct sim_node;
struct store_sim;

struct sim_event {
    struct heap_node heap;
    uint64_t at_us, sequence;
    struct sim_node *node; /* whose turn it is; NULL: the world's */
    uint32_t generation;   /* of the node; another one: `drop` instead of `run`. 0: any */
    void (*run)(struct sim *s, struct sim_event *e);
    void (*drop)(struct sim *s, struct sim_event *e);
};

/* fake_disk.c */
struct fake_disk {
    struct sim *sim;
    struct sim_node *node;
    struct map files;      /* name → struct fake_file */
    struct list queue;     /* jobs accepted; the first is being carried out */
    bool busy, dead;
    uint64_t latency_min_us, latency_max_us;
    uint64_t writes_until_full; /* counted fault: 0 none */
};
void fake_disk_init(struct fake_disk *f, struct sim *s, struct sim_node *n);
void fake_disk_release(struct fake_disk *f);
struct disk fake_disk_disk(struct fake_disk *f);
void fake_disk_crash(struct fake_disk *f);  /* what was not synced is kept, lost or torn; jobs end with ERR_CANCELED */
void fake_disk_restart(struct fake_disk *f);
void fake_disk_take(struct fake_disk *f, struct fake_disk *from); /* all its files; it has none itself */
struct buf *fake_disk_damageable(struct fake_disk *f); /* the first segment of a log, as it will be read; NULL: none */
struct buf *fake_disk_bytes(struct fake_disk *f, const char *name); /* for tests that damage them; NULL: no such file */

/* fake_net.c */
struct fake_net {
    bool blocked[SIM_HOSTS_MAX][SIM_HOSTS_MAX]; /* from, to */
    unsigned loss_permille, copy_permille;
    uint64_t delay_min_us, delay_max_us;
};
struct transport fake_net_transport(struct sim_node *n);

/* fake_stream.c: connections of clients, and of members that forward. Addresses are "sim:ID". */
struct net fake_stream_net(struct sim_node *n);
void fake_stream_crash(struct sim_node *n); /* what the others see of it; its own ends close with its memory */
void fake_stream_break(struct sim *s);      /* one connection, at both sides sooner or later */

struct sim_loop {
    struct heap timers;
    struct list deferred;
    uint64_t sequence;
};

struct sim_node {
    struct sim *sim;
    size_t index;
    uint64_t id;
    uint64_t origin; /* the machine: of those that were it one after the other, the last has the address "sim:ORIGIN" */
    bool up, failed; /* up without a driver: it asks to be added */
    bool retired; /* its folder is gone: it comes back under another id, in another slot */
    bool was_voter; /* in some log */
    bool damaged; /* its folder is: it must not start */
    uint64_t member_index; /* the latest committed configuration that held it, by index, and one; 0: none yet */
    uint32_t generation;
    uint64_t paused_until_us;
    struct env env;
    struct sim_loop loop;
    struct prng prng;
    struct fake_disk disk;
    struct driver *driver; /* NULL: down, or a host of a client */
    struct register_machine machine;
    struct apply *apply;   /* of the store's kind, as what follows */
    struct server *server;
    struct net_listener *listener;
    struct deferred listener_closed;
    bool disk_full;
    struct sim_begin { /* of the store's kind: the command line, and what came of it */
        uint64_t named_id;
        bool existing;
        char join[CONSENSUS_MEMBERS_MAX][MEMBER_TEXT_MAX];
        size_t join_count;
        unsigned damaged; /* times, for the machine has a bound */
        struct identity identity;
        char address[MEMBER_TEXT_MAX]; /* that others are told */
        struct rejoin *rejoin; /* while it joins */
    } begin;
    struct driver_options options;
    struct log log;
    /* seen by check.c after the last event */
    uint64_t applied_seen, term_seen, version_seen;
    struct configuration newest_seen; /* as leader of term_seen */
};

/* One operation of a client at a time. */
struct sim_client {
    struct sim *sim;
    size_t index;
    bool busy, write;
    struct proposal proposal;
    struct read_index read;
    struct sim_node *node;
    unsigned key;
    uint64_t value, floor; /* floor: what was already certain about the register when the operation began */
};

/* What is known to be true; see check.c. */
struct sim_truth {
    struct { uint64_t index, term, commit_term, value, hash, at_us; } *entries; /* by index */
    size_t capacity, count;
    uint64_t hashes_checked;
    uint64_t floor[REGISTERS];    /* index of the newest write or value that a finished operation has seen */
    uint64_t acknowledged;        /* highest index of an acknowledged write */
    struct { uint64_t term, id; } *leaders;
    size_t leader_count, leader_capacity;
    struct map log;               /* (index, term) → what stands there, from appends on the wire */
};

/* What the members run. */
struct sim_kind {
    /* Who it is, by its folder and command line, before the driver. *ret_joins: it asks to be added first, and sim_node_open
     * follows. NULL: it is what it was made as; so the others. */
    int (*begin)(struct sim_node *n, bool *ret_joins, struct err *reterr);
    int (*damaged)(struct sim_node *n, const struct err *why, struct err *reterr); /* its log is: it joins anew */
    struct machine (*machine)(struct sim_node *n); /* fresh, before the driver */
    int (*front)(struct sim_node *n, struct err *reterr); /* behind the driver */
    void (*front_close)(struct sim_node *n); /* before the driver closes */
    bool (*closed)(const struct sim_node *n);
    void (*release)(struct sim_node *n);
    void (*changed)(void *node);
    uint64_t (*hash)(struct sim_node *n);
};
extern const struct sim_kind sim_kind_registers, sim_kind_store;

struct sim_options {
    uint64_t seed;
    size_t members;   /* 0: by seed */
    bool quiet;
    const char *scenario; /* NULL: swarm */
    bool fixed;           /* no changes of membership: what seeds below 10000 were first found with */
    bool verbose;
    bool store;           /* the real store behind the driver, and real clients */
};

struct sim {
    struct sim_options options;
    const struct sim_kind *kind;
    struct prng prng;
    struct heap events;
    uint64_t now_us, sequence, trace;
    size_t members;
    struct sim_node nodes[SIM_MEMBERS_MAX];
    struct sim_node hosts[SIM_CLIENTS_MAX]; /* of the store's clients: nodes without a driver */
    size_t host_count;
    struct list streams;
    struct store_sim *store;
    int64_t keep_revisions; /* the store compacts by itself to so many; 0: it does not */
    size_t pending_bytes;   /* for a client that does not read, before it is cut off; 0: as in the real store */
    struct fake_net net;
    struct sim_client clients[SIM_CLIENTS_MAX];
    size_t client_count;
    bool clients_stopped;
    uint64_t next_value, write_pause_us;
    uint64_t lost; /* the id whose folder is gone, until the configuration no longer holds it */
    struct sim_truth truth;
    uint64_t events_run, acknowledged_writes, reads, installs, snapshots, crashes, elections;
    uint64_t added, removed, transfers, wiped, damaged, promoted, cut_off;
    char violation[512];
};

void sim_init(struct sim *s, const struct sim_options *o);
void sim_release(struct sim *s);
uint64_t sim_below(struct sim *s, uint64_t bound);
bool sim_chance(struct sim *s, unsigned permille);
void sim_schedule(struct sim *s, struct sim_event *e, uint64_t delay_us);
void sim_trace(struct sim *s, uint64_t a, uint64_t b, uint64_t c);
void sim_violation(struct sim *s, const char *format, ...) PRINTF_ARGS(2, 3); /* the first one is kept */
void sim_node_start(struct sim_node *n);
int sim_node_open(struct sim_node *n, struct err *reterr); /* its log, and what stands behind it */
void sim_node_failed(void *node, const struct err *why);
struct sim_node *sim_node_add(struct sim *s); /* one that joins, not started; NULL: no slot is left */
bool sim_node_free(const struct sim *s);
struct sim_node *sim_node_of(struct sim *s, uint64_t id);
void sim_node_crash(struct sim_node *n);
struct sim_node *sim_host_add(struct sim *s); /* a machine for a client, up */
uint64_t sim_node_hash(struct sim_node *n);
void sim_node_drain(struct sim_node *n); /* runs what was deferred */
void sim_run_until(struct sim *s, uint64_t at_us); /* or a violation */
bool sim_step(struct sim *s, uint64_t limit_us);
struct sim_node *sim_leader(struct sim *s); /* of the highest term that is up; NULL */
void sim_clients_start(struct sim *s, size_t count, uint64_t pause_us);
bool sim_converged(struct sim *s);
void sim_dump(struct sim *s); /* where every member stands, to standard error */

/* check.c */
void check_node(struct sim_node *n);
void check_applied(void *node, uint64_t index, uint64_t term, uint64_t value, uint64_t hash);
void check_vote(struct sim_node *n); /* it grants one */
void check_append(struct sim *s, const struct message *m);
void check_converged(struct sim *s);
void check_release(struct sim *s);
uint64_t check_floor(struct sim *s, unsigned key);
void check_write_done(struct sim *s, struct sim_client *c, uint64_t index);
void check_read_done(struct sim *s, struct sim_client *c, uint64_t value, uint64_t index);

/* membership.c */
void membership_fault(struct sim *s);
void membership_follow(struct sim *s);

/* store_load.c: clients of the store */
void store_load_start(struct sim *s, size_t clients, uint64_t pause_us);
void store_load_fault(struct sim *s);  /* those that only the store knows */
void store_load_finish(struct sim *s); /* after the faults: everything is answered, seen and expired; then the clients close */
void store_load_release(struct sim *s);
void store_load_quiet(struct sim *s);  /* no operations of their own from now on */
void store_load_loud(struct sim *s);   /* and again */
int64_t store_load_lease(struct sim *s, int64_t ttl_s); /* granted and with a key; 0: it did not come about */
bool store_load_lease_ended(struct sim *s, int64_t id); /* its key was deleted */

/* swarm.c and scenarios: run a whole history */
void swarm_run(struct sim *s);
void scenario_start(struct sim *s, uint64_t snapshot_log_bytes, uint64_t trailing_bytes);
struct sim_node *scenario_elect(struct sim *s); /* NULL: nobody, which is a violation */
void scenario_power_loss(struct sim *s);
void scenario_lease_handover(struct sim *s);
void scenario_lease_under_writes(struct sim *s);
bool scenario_run(struct sim *s, const char *name); /* false: no such scenario */

#endif
