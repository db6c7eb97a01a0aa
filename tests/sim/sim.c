/* The world: events in order of time, members with their loops, clients. */
#include "common/base.h"

#include "tests/sim/sim.h"

#include "common/mem.h"

#include <stdio.h>

#define OPERATION_PAD_MAX 200

/* Time, chance and trace */

static bool earlier(const struct heap_node *a, const struct heap_node *b)
{
    const struct sim_event *x = container_of(a, struct sim_event, heap), *y = container_of(b, struct sim_event, heap);
    return x->at_us != y->at_us ? x->at_us < y->at_us : x->sequence < y->sequence;
}

static bool timer_earlier(const struct heap_node *a, const struct heap_node *b)
{
    const struct timer *x = container_of(a, struct timer, node), *y = container_of(b, struct timer, node);
    return x->deadline_ms != y->deadline_ms ? x->deadline_ms < y->deadline_ms : x->sequence < y->sequence;
}

uint64_t sim_below(struct sim *s, uint64_t bound)
{
    struct random r = prng_random(&s->prng);
    return random_below(&r, bound);
}

bool sim_chance(struct sim *s, unsigned permille) { return sim_below(s, 1000) < permille; }

void sim_schedule(struct sim *s, struct sim_event *e, uint64_t delay_us)
{
    e->at_us = s->now_us + delay_us;
    e->sequence = ++s->sequence;
    heap_push(&s->events, &e->heap);
}

void sim_trace(struct sim *s, uint64_t a, uint64_t b, uint64_t c)
{
    const uint64_t values[] = {s->now_us, a, b, c};
    for (size_t i = 0; i < ARRAY_LEN(values); i++)
        s->trace = (s->trace ^ values[i]) * 0x100000001b3ull;
}

void sim_violation(struct sim *s, const char *format, ...)
{
    if (s->violation[0] != '\0')
        return;
    va_list args;
    va_start(args, format);
    vsnprintf(s->violation, sizeof s->violation, format, args);
    va_end(args);
}

/* The seams of a member */

static void timer_start(void *impl, struct timer *t, uint64_t delay_ms)
{
    struct sim_node *n = impl;
    heap_remove(&n->loop.timers, &t->node);
    t->deadline_ms = n->sim->now_us / MS + delay_ms;
    t->sequence = ++n->loop.sequence;
    heap_push(&n->loop.timers, &t->node);
}

static void timer_stop(void *impl, struct timer *t)
{
    struct sim_node *n = impl;
    heap_remove(&n->loop.timers, &t->node);
}

static void defer(void *impl, struct deferred *d)
{
    struct sim_node *n = impl;
    if (list_empty(&d->link))
        list_push_back(&n->loop.deferred, &d->link);
}

static void undefer(void *impl, struct deferred *d)
{
    (void)impl;
    list_remove(&d->link);
}

static const struct loop_ops loop_ops = {timer_start, timer_stop, defer, undefer};

static uint64_t monotonic_ns(void *impl) { return ((struct sim_node *)impl)->sim->now_us * 1000; }
static int64_t wall_ms(void *impl) { return (int64_t)(((struct sim_node *)impl)->sim->now_us / MS); }
static const struct clock_ops clock_ops = {monotonic_ns, wall_ms};

static void log_write(void *impl, const char *line, size_t size)
{
    struct sim_node *n = impl;
    if (n->sim->options.verbose)
        fprintf(stderr, "[%zu] %.*s", n->index, (int)size, line);
}

static void node_init(struct sim *s, struct sim_node *n, size_t index)
{
    n->sim = s;
    n->index = index;
    n->id = n->origin = 1000 + index * 7;
    n->begin.named_id = n->id;
    n->generation = 1;
    prng_seed(&n->prng, s->options.seed * 31 + index);
    heap_init(&n->loop.timers, timer_earlier);
    list_init(&n->loop.deferred);
    fake_disk_init(&n->disk, s, n);
    n->log = (struct log){"raftstore", LOG_DEBUG, wall_ms, log_write, n};
    n->env = (struct env){
        .loop = {&loop_ops, n, NULL},
        .clock = {&clock_ops, n},
        .random = prng_random(&n->prng),
        .disk = fake_disk_disk(&n->disk),
        .net = fake_stream_net(n),
        .log = &n->log,
    };
    n->options = (struct driver_options){.member_id = n->id, .heartbeat_ms = 50, .election_timeout_ms = 300};
    memset(n->options.cluster_id, 0xc1, sizeof n->options.cluster_id);
}

bool sim_node_free(const struct sim *s) { return s->members < SIM_MEMBERS_MAX; }

struct sim_node *sim_node_add(struct sim *s)
{
    if (!sim_node_free(s))
        return NULL;
    struct sim_node *n = &s->nodes[s->members];
    node_init(s, n, s->members);
    s->members++;
    struct driver_options own = n->options;
    n->options = s->nodes[0].options; /* sizes and timers */
    n->options.member_id = own.member_id;
    n->options.bootstrap = (struct configuration){0};
    s->added++;
    return n;
}

struct sim_node *sim_host_add(struct sim *s)
{
    ASSERT(s->host_count < SIM_CLIENTS_MAX);
    struct sim_node *n = &s->hosts[s->host_count];
    node_init(s, n, SIM_MEMBERS_MAX + s->host_count++);
    n->up = true;
    return n;
}

struct sim_node *sim_node_of(struct sim *s, uint64_t id)
{
    for (size_t i = 0; i < s->members; i++)
        if (s->nodes[i].id == id)
            return &s->nodes[i];
    return NULL;
}

void sim_init(struct sim *s, const struct sim_options *o)
{
    *s = (struct sim){.options = *o, .trace = 0xcbf29ce484222325ull, .now_us = 1000 * MS};
    prng_seed(&s->prng, o->seed);
    heap_init(&s->events, earlier);
    list_init(&s->streams);
    s->kind = o->store ? &sim_kind_store : &sim_kind_registers;
    s->members = o->members != 0 ? o->members : sim_chance(s, 600) ? 3 : 5;
    for (size_t i = 0; i < s->members; i++)
        node_init(s, &s->nodes[i], i);
    struct configuration *c = &s->nodes[0].options.bootstrap;
    for (size_t i = 0; i < s->members; i++) {
        struct member *m = &c->members[c->count++];
        *m = (struct member){.id = s->nodes[i].id, .voter = true};
        if (o->store) {
            (void)snprintf(m->peer_address, sizeof m->peer_address, "sim:%llu", (unsigned long long)m->id);
            memcpy(m->client_address, m->peer_address, sizeof m->client_address);
        }
    }
    for (size_t i = 1; i < s->members; i++)
        s->nodes[i].options.bootstrap = *c;
    s->net.delay_min_us = 200;
    s->net.delay_max_us = 2 * MS;
}

/* Members */

void sim_node_drain(struct sim_node *n)
{
    while (!list_empty(&n->loop.deferred)) {
        struct list turn;
        list_init(&turn);
        list_splice(&turn, &n->loop.deferred);
        while (!list_empty(&turn)) {
            struct deferred *d = LIST_FIRST(&turn, struct deferred, link);
            list_remove(&d->link);
            d->run(d);
        }
    }
}

static struct machine registers_machine(struct sim_node *n)
{
    n->machine = (struct register_machine){.applied = check_applied, .arg = n};
    return register_machine(&n->machine);
}

static uint64_t registers_hash(struct sim_node *n) { return register_machine(&n->machine).ops->hash(&n->machine); }

const struct sim_kind sim_kind_registers = {.machine = registers_machine, .hash = registers_hash};

uint64_t sim_node_hash(struct sim_node *n) { return n->sim->kind->hash(n); }

void sim_node_failed(void *arg, const struct err *why)
{
    struct sim_node *n = arg;
    n->failed = true;
    if (n->disk_full && why->code == ERR_NO_SPACE)
        return; /* it stops, and acknowledges nothing more: whoever filled the disk starts it again */
    sim_violation(n->sim, "member %zu failed: %s", n->index, why->message);
}

int sim_node_open(struct sim_node *n, struct err *reterr)
{
    const struct sim_kind *kind = n->sim->kind;
    int rv = driver_new(&n->env, &n->options, kind->machine(n), fake_net_transport(n), &n->driver, reterr);
    if (rv == 0 && kind->front != NULL)
        rv = kind->front(n, reterr);
    return rv;
}

/* What opening had begun ends. */
static void open_failed(struct sim_node *n)
{
    n->driver = NULL;
    fake_disk_crash(&n->disk);
    n->generation++;
    sim_node_drain(n);
    if (n->sim->kind->release != NULL)
        n->sim->kind->release(n);
}

static int begin(struct sim_node *n, struct err *reterr)
{
    const struct sim_kind *kind = n->sim->kind;
    bool joins = false;
    int rv = kind->begin == NULL ? 0 : kind->begin(n, &joins, reterr);
    if (rv != 0 || joins)
        return rv;
    rv = sim_node_open(n, reterr);
    if (rv != 0)
        open_failed(n);
    if (rv != ERR_CORRUPT || !n->damaged || kind->damaged == NULL)
        return rv;
    struct err why = *reterr;
    fake_disk_restart(&n->disk);
    return kind->damaged(n, &why, reterr);
}

void sim_node_start(struct sim_node *n)
{
    struct err e;
    ASSERT(!n->up);
    const struct sim_kind *kind = n->sim->kind;
    n->options.failed = sim_node_failed;
    n->options.changed = kind->changed;
    n->options.arg = n;
    n->applied_seen = 0;
    n->failed = false;
    if (n->disk_full)
        n->disk.writes_until_full = 0;
    n->disk_full = false;
    n->term_seen = n->version_seen = 0;
    fake_disk_restart(&n->disk);
    sim_trace(n->sim, 1, n->index, n->generation);
    n->up = true; /* what it connects to looks at that */
    int rv = begin(n, &e);
    n->up = rv == 0;
    if (rv != 0) {
        if (!n->damaged || rv != ERR_CORRUPT)
            sim_violation(n->sim, "member %zu does not start: %s", n->index, e.message);
        return;
    }
    sim_node_drain(n);
    check_node(n);
}

static void node_closed(void *arg)
{
    struct sim_node *n = arg;
    n->driver = NULL;
}

/* The process is gone: its memory, what it had not synced, and what was on its way to it. */
void sim_node_crash(struct sim_node *n)
{
    ASSERT(n->up);
    sim_trace(n->sim, 2, n->index, n->generation);
    n->up = false;
    n->generation++;
    n->sim->crashes++;
    const struct sim_kind *kind = n->sim->kind;
    fake_disk_crash(&n->disk);
    if (kind->front_close != NULL)
        kind->front_close(n);
    if (n->driver != NULL)
        driver_close(n->driver, node_closed, n);
    while (n->driver != NULL || (kind->closed != NULL && !kind->closed(n))) {
        ASSERT(!list_empty(&n->loop.deferred));
        sim_node_drain(n);
    }
    if (kind->release != NULL)
        kind->release(n);
    ASSERT(heap_min(&n->loop.timers) == NULL);
}

struct sim_node *sim_leader(struct sim *s)
{
    struct sim_node *best = NULL;
    for (size_t i = 0; i < s->members; i++) {
        struct sim_node *n = &s->nodes[i];
        if (n->up && n->driver != NULL && consensus_role(n->driver->consensus) == ROLE_LEADER &&
            (best == NULL || consensus_term(n->driver->consensus) > consensus_term(best->driver->consensus)))
            best = n;
    }
    return best;
}

/* Running */

static uint64_t node_due_us(const struct sim_node *n)
{
    struct heap_node *h = heap_min(&n->loop.timers);
    if (!n->up || h == NULL)
        return UINT64_MAX;
    return MAX(container_of(h, struct timer, node)->deadline_ms * MS, n->paused_until_us);
}

static void run_timer(struct sim *s, struct sim_node *n)
{
    struct timer *t = container_of(heap_min(&n->loop.timers), struct timer, node);
    heap_remove(&n->loop.timers, &t->node);
    sim_trace(s, 3, n->index, 0);
    t->fire(t);
}

/* A paused member does nothing until it goes on; then everything comes at once. */
static bool postpone(struct sim *s, struct sim_event *e)
{
    if (e->node == NULL || e->node->paused_until_us <= s->now_us)
        return false;
    e->at_us = e->node->paused_until_us;
    heap_push(&s->events, &e->heap);
    return true;
}

static struct sim_node *run_event(struct sim *s, struct sim_event *e)
{
    struct sim_node *n = e->node;
    heap_remove(&s->events, &e->heap);
    if (n != NULL && e->generation != 0 && (e->generation != n->generation || !n->up)) {
        if (e->drop != NULL)
            e->drop(s, e);
        return NULL;
    }
    if (!postpone(s, e))
        e->run(s, e);
    return n;
}

bool sim_step(struct sim *s, uint64_t limit_us)
{
    struct heap_node *h = heap_min(&s->events);
    struct sim_event *e = h == NULL ? NULL : container_of(h, struct sim_event, heap);
    uint64_t at = e == NULL ? UINT64_MAX : e->at_us;
    struct sim_node *timer = NULL;
    for (size_t i = 0; i < s->members + s->host_count; i++) {
        struct sim_node *n = i < s->members ? &s->nodes[i] : &s->hosts[i - s->members];
        uint64_t due = node_due_us(n);
        if (due < at) {
            at = due;
            timer = n;
        }
    }
    if (at == UINT64_MAX || at > limit_us || s->violation[0] != '\0')
        return false;
    s->now_us = MAX(s->now_us, at);
    s->events_run++;
    struct sim_node *n = timer;
    if (timer != NULL)
        run_timer(s, timer);
    else
        n = run_event(s, e);
    if (n != NULL && n->up) {
        sim_node_drain(n);
        check_node(n);
    }
    return true;
}

void sim_run_until(struct sim *s, uint64_t at_us)
{
    while (sim_step(s, at_us)) {
    }
    if (s->violation[0] == '\0')
        s->now_us = MAX(s->now_us, at_us);
}

/* Nothing is left to do about the configuration, and everybody in it has the leader's log and state. */
bool sim_converged(struct sim *s)
{
    struct sim_node *leader = sim_leader(s);
    uint64_t newest, committed;
    if (leader == NULL)
        return false;
    const struct configuration *c = consensus_newest(leader->driver->consensus, &newest);
    (void)consensus_configuration(leader->driver->consensus, &committed);
    for (size_t i = 0; i < c->count; i++) {
        struct sim_node *n = sim_node_of(s, c->members[i].id);
        if (n == NULL || !n->up || n->driver == NULL || c->members[i].automatic || c->members[i].replaces != 0 || n->driver->applied != leader->driver->applied ||
            n->driver->applied < s->truth.acknowledged || wal_last_index(n->driver->wal) != n->driver->applied ||
            n->driver->incoming.state == INCOMING_INSTALL)
            return false;
    }
    return newest == committed && s->lost == 0;
}

void sim_dump(struct sim *s)
{
    for (size_t i = 0; i < s->members; i++) {
        struct sim_node *n = &s->nodes[i];
        struct driver_status st;
        if (!n->up) {
            fprintf(stderr, "  member %zu is down\n", i);
            continue;
        }
        if (n->driver == NULL) {
            fprintf(stderr, "  member %zu id %llu asks to be added\n", i, (unsigned long long)n->id);
            continue;
        }
        driver_status(n->driver, &st);
        fprintf(stderr, "  member %zu id %llu role %d term %llu leader %llu log %llu..%llu durable %llu commit %llu applied %llu "
                "snapshot %llu incoming %d sends %s installing %d\n", i, (unsigned long long)n->id, (int)st.role,
                (unsigned long long)st.term, (unsigned long long)st.leader, (unsigned long long)st.first_index,
                (unsigned long long)st.last_index, (unsigned long long)wal_durable_index(n->driver->wal),
                (unsigned long long)st.commit_index, (unsigned long long)st.applied_index,
                (unsigned long long)st.snapshot_index, (int)n->driver->incoming.state,
                list_empty(&n->driver->sends) ? "no" : "yes", consensus_installing(n->driver->consensus));
        uint64_t at;
        const struct configuration *c = consensus_newest(n->driver->consensus, &at);
        for (size_t j = 0; j < c->count; j++)
            fprintf(stderr, "    from %llu: %llu%s%s replaces %llu\n", (unsigned long long)at,
                    (unsigned long long)c->members[j].id, c->members[j].voter ? " voter" : "",
                    c->members[j].automatic ? " automatic" : "", (unsigned long long)c->members[j].replaces);
    }
}

/* Clients: each writes or reads one register at a time through some member, mostly the leader */

struct client_event {
    struct sim_event event;
    struct sim_client *client;
};

static void client_later(struct sim_client *c, uint64_t delay_us);

static void client_done(struct sim_client *c, int status)
{
    sim_trace(c->sim, 4, c->index, (uint64_t)(int64_t)status);
    c->busy = false;
    client_later(c, 1 + sim_below(c->sim, status == 0 ? c->sim->write_pause_us : 20 * MS));
}

static void write_done(struct proposal *p, int status, uint64_t index)
{
    struct sim_client *c = container_of(p, struct sim_client, proposal);
    if (status == 0)
        check_write_done(c->sim, c, index);
    client_done(c, status);
}

static void read_done(struct read_index *r, int status)
{
    struct sim_client *c = container_of(r, struct sim_client, read);
    if (status == 0) {
        const struct register_value *v = &c->node->machine.registers[c->key];
        check_read_done(c->sim, c, v->value, v->index);
    }
    client_done(c, status);
}

/* What the client has sent arrives. */
static void client_issue(struct sim *s, struct sim_event *e)
{
    struct sim_client *c = container_of(e, struct client_event, event)->client;
    struct sim_node *n = c->node;
    mem_free(container_of(e, struct client_event, event));
    if (c->write) {
        c->value = ++s->next_value;
        c->proposal = (struct proposal){.data = register_write(c->key, c->value, sim_below(s, OPERATION_PAD_MAX)),
                                        .done = write_done};
        driver_propose(n->driver, &c->proposal);
        bytes_unref(c->proposal.data);
    } else {
        c->read = (struct read_index){.done = read_done};
        driver_read_index(n->driver, &c->read);
    }
    sim_node_drain(n);
    check_node(n);
}

/* The member that it was sent to has crashed. */
static void client_lost(struct sim *s, struct sim_event *e)
{
    struct sim_client *c = container_of(e, struct client_event, event)->client;
    mem_free(container_of(e, struct client_event, event));
    c->busy = false;
    if (!s->clients_stopped)
        client_later(c, 20 * MS);
}

static void client_run(struct sim *s, struct sim_event *e)
{
    struct sim_client *c = container_of(e, struct client_event, event)->client;
    mem_free(container_of(e, struct client_event, event));
    if (s->clients_stopped)
        return;
    struct sim_node *n = sim_leader(s);
    if (n == NULL || sim_chance(s, 150))
        n = &s->nodes[sim_below(s, s->members)];
    bool write = sim_chance(s, 600);
    if (!write && sim_chance(s, 500))
        n = &s->nodes[sim_below(s, s->members)];
    bool asleep = n->paused_until_us > s->now_us;
    if (!n->up || (asleep && (s->options.fixed || !sim_chance(s, 30)))) { /* else all of them would soon wait for it */
        client_later(c, 20 * MS);
        return;
    }
    c->busy = true;
    c->node = n;
    c->write = write;
    c->key = (unsigned)sim_below(s, REGISTERS);
    c->floor = check_floor(s, c->key);
    struct client_event *issue = NEW(struct client_event);
    issue->client = c;
    issue->event.run = client_issue;
    if (!asleep) {
        client_issue(s, &issue->event);
        return;
    }
    issue->event.node = n; /* its connections are open: it reads the request when it goes on, before its timers fire */
    issue->event.generation = n->generation;
    issue->event.drop = client_lost;
    sim_schedule(s, &issue->event, 0);
}

static void client_later(struct sim_client *c, uint64_t delay_us)
{
    struct client_event *e = NEW(struct client_event);
    e->client = c;
    e->event.run = client_run;
    sim_schedule(c->sim, &e->event, delay_us);
}

void sim_clients_start(struct sim *s, size_t count, uint64_t pause_us)
{
    s->client_count = count;
    s->write_pause_us = pause_us;
    for (size_t i = 0; i < count; i++) {
        s->clients[i].sim = s;
        s->clients[i].index = i;
        client_later(&s->clients[i], sim_below(s, pause_us));
    }
}

void sim_release(struct sim *s)
{
    s->clients_stopped = true;
    for (size_t i = 0; i < s->members; i++)
        if (s->nodes[i].up)
            sim_node_crash(&s->nodes[i]);
    if (s->store != NULL)
        store_load_release(s);
    struct heap_node *h;
    while ((h = heap_min(&s->events)) != NULL) {
        struct sim_event *e = container_of(h, struct sim_event, heap);
        heap_remove(&s->events, h);
        if (e->drop != NULL)
            e->drop(s, e);
        else if (e->run == client_run)
            mem_free(container_of(e, struct client_event, event));
    }
    for (size_t i = 0; i < s->members; i++) {
        fake_disk_release(&s->nodes[i].disk);
        heap_release(&s->nodes[i].loop.timers);
    }
    ASSERT(list_empty(&s->streams));
    heap_release(&s->events);
    check_release(s);
}
