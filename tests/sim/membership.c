/* Changes of membership under faults: members are added, removed, lose their folder or find it damaged; leadership moves.
 *
 * A folder is lost only while the configuration is at rest, no change of it waits to be proposed and every voter of it still has
 * its own; and never that of a learner which the only voter is about to promote: more is beyond what
 * the cluster promises, for the one that is gone would then be half of two voters. A machine whose folder is gone or damaged comes
 * back in another slot of the simulation. With the whole store it does all by itself, as raftstore.c lets it: begin.c, rejoin.c and
 * the server of whoever leads; else, and where a member is new, the simulation asks in its place until it is a learner. What
 * follows the leader does by itself. */
#include "common/base.h"

#include "tests/sim/sim.h"

#include "common/mem.h"

#include <stdio.h>

#define ASK_AGAIN_US (200 * MS)
#define CONFIGURED_MAX 7

struct join {
    struct sim_event event;
    struct sim_node *node;
    uint64_t replaces;
};

static struct sim_node *leading(struct sim *s)
{
    struct sim_node *n = sim_leader(s);
    return n != NULL && n->paused_until_us <= s->now_us && driver_leads(n->driver) ? n : NULL;
}

static void proposed(struct proposal *p, int status, uint64_t index)
{
    (void)status, (void)index; /* who asked looks at the configuration */
    mem_free(p);
}

static void propose(struct sim_node *leader, const struct configuration *c)
{
    struct proposal *p = NEW(struct proposal);
    p->done = proposed;
    driver_propose_configuration(leader->driver, p, c);
    sim_node_drain(leader);
    check_node(leader);
}

static void join_drop(struct sim *s, struct sim_event *e)
{
    (void)s;
    mem_free(container_of(e, struct join, event));
}

static void join_run(struct sim *s, struct sim_event *e)
{
    struct join *j = container_of(e, struct join, event);
    struct sim_node *leader = leading(s);
    if (j->node->retired) { /* nobody asks any more */
        join_drop(s, e);
        return;
    }
    sim_schedule(s, e, ASK_AGAIN_US);
    if (leader == NULL)
        return;
    struct configuration c = *driver_newest(leader->driver, NULL);
    struct member m = {.id = j->node->id, .automatic = true, .replaces = j->replaces};
    snprintf(m.peer_address, sizeof m.peer_address, "sim:%llu", (unsigned long long)m.id);
    if (s->options.store)
        memcpy(m.client_address, m.peer_address, sizeof m.client_address);
    if (configuration_member(driver_configuration(leader->driver, NULL), m.id) != NULL) { /* asked and answered: it may be removed again */
        heap_remove(&s->events, &e->heap);
        join_drop(s, e);
    } else if (member_add(&c, &m, NULL) == 0) {
        propose(leader, &c);
    }
}

static void join(struct sim *s, struct sim_node *n, uint64_t replaces)
{
    struct join *j = NEW(struct join);
    j->node = n;
    j->replaces = replaces;
    j->event.run = join_run;
    j->event.drop = join_drop;
    sim_schedule(s, &j->event, 1 + sim_below(s, 100 * MS));
}

/* --join: those of the cluster as it is. */
static void name_members(struct sim_node *n, const struct configuration *c)
{
    for (size_t i = 0; i < c->count; i++)
        memcpy(n->begin.join[n->begin.join_count++], c->members[i].client_address, MEMBER_TEXT_MAX);
}

static void add(struct sim *s, const struct configuration *c)
{
    struct sim_node *n = c->count < CONFIGURED_MAX ? sim_node_add(s) : NULL;
    if (n == NULL)
        return;
    n->begin.named_id = 0;
    name_members(n, c);
    sim_node_start(n);
    if (!s->options.store) /* else it asks by itself */
        join(s, n, 0);
}

static bool change_waits(const struct sim_node *n)
{
    LIST_FOR_EACH(node, &n->driver->queue)
        if (container_of(node, struct proposal, link)->change)
            return true;
    return false;
}

/* Everybody who counts is there and has the leader's configuration, which is committed; nobody is about to change it. */
static bool at_rest(struct sim *s, struct sim_node *leader)
{
    uint64_t newest, committed;
    const struct configuration *c = driver_newest(leader->driver, &newest);
    (void)driver_configuration(leader->driver, &committed);
    if (newest != committed || s->lost != 0)
        return false;
    for (size_t i = 0; i < c->count; i++) {
        struct sim_node *n = sim_node_of(s, c->members[i].id);
        uint64_t index = 0;
        if (n == NULL || !n->up || n->driver == NULL)
            return false;
        (void)driver_newest(n->driver, &index);
        if (index != newest || change_waits(n))
            return false;
    }
    return true;
}

static struct sim_node *successor(struct sim *s, struct sim_node *old)
{
    struct sim_node *n = sim_node_add(s);
    ASSERT(n != NULL); /* looked at before */
    old->retired = true;
    s->lost = old->id;
    n->origin = old->origin;
    n->begin.named_id = old->begin.named_id;
    return n;
}

/* Is anybody but the member that lost its folder still where the command line of a founder says? */
static bool founders_left(const struct sim *s, const struct configuration *c, uint64_t lost)
{
    const struct configuration *founding = &s->nodes[0].options.bootstrap;
    for (size_t i = 0; i < c->count; i++)
        for (size_t k = 0; k < founding->count && c->members[i].id != lost; k++)
            if (strcmp(c->members[i].client_address, founding->members[k].client_address) == 0)
                return true;
    return false;
}

/* The machine comes back, empty: by the command line it had, as the cluster exists, or as a new one that is told whom to join. */
static void begin_empty(struct sim *s, struct sim_node *old, const struct configuration *c)
{
    struct sim_node *n = successor(s, old);
    n->begin.existing = n->begin.named_id != 0 && founders_left(s, c, old->id) && sim_chance(s, 600);
    if (!n->begin.existing) {
        n->begin.named_id = 0;
        name_members(n, c);
    }
    sim_node_start(n);
    if (!s->options.store)
        join(s, n, old->id);
}

/* The same folder, of which a byte has changed: it finds out, sets everything aside and comes back as another. */
static void begin_damaged_store(struct sim *s, struct sim_node *old, const struct configuration *c)
{
    struct sim_node *n = successor(s, old);
    n->begin.damaged = old->begin.damaged + 1;
    n->damaged = true;
    name_members(n, c);
    fake_disk_take(&n->disk, &old->disk);
    sim_node_start(n);
    if (n->driver != NULL)
        sim_violation(s, "member %zu starts with a damaged log", n->index);
}

static void begin_damaged_registers(struct sim *s, struct sim_node *old)
{
    old->damaged = true;
    sim_node_start(old);
    if (old->up) {
        sim_violation(s, "member %zu starts with a damaged log", old->index);
    } else if (s->violation[0] == '\0') {
        struct sim_node *n = successor(s, old);
        sim_node_start(n);
        join(s, n, old->id);
    }
}

/* A byte of a batch that others stand behind: nobody may take it for the torn end of the log. */
static bool damage(struct sim *s, struct sim_node *n)
{
    struct buf *b = fake_disk_damageable(&n->disk);
    size_t first = 4096, last = 0;
    for (size_t at = 4096; b != NULL && at + 4 <= b->size; at += 4096)
        if (memcmp(b->data + at, "KBAT", 4) == 0)
            last = at;
    if (last <= first)
        return false;
    b->data[first + sim_below(s, 40)] ^= (char)(1 << sim_below(s, 8));
    return true;
}

/* Voters that are left can go on without it, now and after it was promoted. */
static bool can_lose(const struct configuration *c, const struct member *m)
{
    size_t voters = configuration_voters(c) + (!m->voter && m->automatic);
    return (!m->voter && !m->automatic) || voters > 2;
}

static void lose_folder(struct sim *s, struct sim_node *leader, bool all)
{
    const struct configuration *c = driver_newest(leader->driver, NULL);
    struct sim_node *n = sim_node_of(s, c->members[sim_below(s, c->count)].id);
    if (!at_rest(s, leader) || !sim_node_free(s) || !can_lose(c, configuration_member(c, n->id)) || n->paused_until_us > s->now_us)
        return;
    struct configuration now = *c; /* it may be the leader's own */
    sim_node_crash(n);
    s->wiped += all;
    if (all) {
        begin_empty(s, n, &now);
    } else if (n->begin.damaged < DAMAGED_MAX && damage(s, n)) {
        s->damaged++;
        if (s->options.store)
            begin_damaged_store(s, n, &now);
        else
            begin_damaged_registers(s, n);
    } else {
        sim_node_start(n);
    }
}

static void remove_one(struct sim *s, struct sim_node *leader)
{
    struct configuration c = *driver_newest(leader->driver, NULL);
    uint64_t id = c.members[sim_below(s, c.count)].id;
    if (s->lost != 0)
        return;
    if (id == leader->id) { /* a leader hands over first */
        (void)driver_transfer(leader->driver, 0, NULL);
        sim_node_drain(leader);
        check_node(leader);
    } else if (driver_can_lose(leader->driver, id) && member_remove(&c, id, NULL) == 0) {
        s->removed++;
        propose(leader, &c);
    }
}

static void transfer(struct sim *s, struct sim_node *leader)
{
    const struct configuration *c = driver_newest(leader->driver, NULL);
    uint64_t to = sim_chance(s, 500) ? 0 : c->members[sim_below(s, c->count)].id;
    s->transfers += driver_transfer(leader->driver, to, NULL) == 0;
    sim_node_drain(leader);
    check_node(leader);
}

/* The process of a member that was removed stops; the others tell it, which is not simulated. Who leads may be one of an earlier
 * term that knows only earlier configurations: those say nothing about who came later. */
static void stop_removed(struct sim *s, struct sim_node *leader)
{
    uint64_t index;
    const struct configuration *c = driver_configuration(leader->driver, &index), *newest = driver_newest(leader->driver, NULL);
    for (size_t i = 0; i < s->members; i++) {
        struct sim_node *n = &s->nodes[i];
        if (configuration_member(c, n->id) != NULL)
            n->member_index = MAX(n->member_index, index + 1);
        else if (n->member_index != 0 && n->member_index <= index && configuration_member(newest, n->id) == NULL &&
                 n->begin.rejoin == NULL) /* one that still asks is not told, and asks again */
            n->retired = true;
        if (n->retired && n->up && n != leader)
            sim_node_crash(n);
    }
}

void membership_follow(struct sim *s)
{
    struct sim_node *leader = leading(s);
    if (leader != NULL && s->options.store)
        stop_removed(s, leader);
    if (leader != NULL && s->lost != 0 && configuration_member(driver_configuration(leader->driver, NULL), s->lost) == NULL)
        s->lost = 0;
}

void membership_fault(struct sim *s)
{
    struct sim_node *leader = leading(s);
    if (leader == NULL)
        return;
    switch (sim_below(s, 6)) {
    case 0: add(s, driver_newest(leader->driver, NULL)); break;
    case 1: remove_one(s, leader); break;
    case 2:
    case 3: transfer(s, leader); break;
    case 4: lose_folder(s, leader, true); break;
    default: lose_folder(s, leader, false); break;
    }
}
