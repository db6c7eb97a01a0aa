/* Servers and clients in one process over real loopback sockets. Consensus is a list: what the leader proposes is
 * applied to every running member in the next turn. */
#include "tests/test.h"

#include "common/mem.h"
#include "common/uv_env.h"
#include "common/wire/frame.h"
#include "raftstore/client.h"
#include "raftstore/client_internal.h"
#include "raftstore/server.h"
#include "raftstore/store_limits.h"

#include <stdio.h>
#include <unistd.h>

#define NODES 3
#define FIRST_PORT (10000 + getpid() % 150 * 64) /* runs beside each other do not meet */

struct cluster;
struct node {
    struct cluster *cluster;
    struct apply *apply;
    struct machine machine;
    struct server *server; /* NULL: down */
    size_t applied;        /* entries */
};

struct cluster {
    struct configuration members;
    struct uv_env *uv;
    struct env *env;
    struct node nodes[NODES];
    int leader; /* -1: none */
    struct bytes *log[20000];
    size_t log_size;
    struct list proposals, reads;
    struct deferred work;
    struct timer patience;
    bool (*ready)(void *arg);
    void *ready_arg;
    struct deferred look;
    bool timed_out, drop_answers;
    uint64_t compact_age_ms, compact_bytes;
    int64_t compact_revisions;
    uint64_t scrub_every_ms;
    size_t pending_bytes_max;
    int closed;
};

static void on_events(void *arg, int64_t revision, const struct kv_event *events, size_t n)
{
    struct node *node = arg;
    if (node->server != NULL)
        server_events(node->server, revision, events, n);
}

static void on_result(void *arg, const struct store_command *c, struct slice result)
{
    struct node *node = arg;
    if (node->server != NULL && !node->cluster->drop_answers)
        server_result(node->server, c, result);
}

static void on_entry(void *arg, uint64_t index)
{
    struct node *node = arg;
    if (node->server != NULL)
        server_entry(node->server, index);
}

static void on_restored(void *arg)
{
    struct node *node = arg;
    if (node->server != NULL)
        server_restored(node->server);
}

static void apply_up(struct node *node)
{
    struct cluster *k = node->cluster;
    for (; node->applied < k->log_size; node->applied++)
        node->machine.ops->apply(node->machine.impl, node->applied + 1, 1, bytes_slice(k->log[node->applied]));
}

static void work(struct deferred *d)
{
    struct cluster *k = container_of(d, struct cluster, work);
    struct list proposals, reads;
    list_init(&proposals);
    list_init(&reads);
    list_splice(&proposals, &k->proposals);
    list_splice(&reads, &k->reads);
    LIST_FOR_EACH(node, &proposals)
    {
        struct proposal *p = container_of(node, struct proposal, link);
        list_remove(node);
        bool ok = k->leader >= 0 && k->log_size < ARRAY_LEN(k->log);
        if (ok)
            k->log[k->log_size++] = bytes_ref(p->data);
        for (int i = 0; i < NODES; i++)
            if (k->nodes[i].server != NULL)
                apply_up(&k->nodes[i]);
        p->done(p, ok ? 0 : ERR_NOT_LEADER, k->log_size);
    }
    LIST_FOR_EACH(read_node, &reads)
    {
        struct read_index *r = container_of(read_node, struct read_index, link);
        list_remove(read_node);
        r->done(r, k->leader >= 0 ? 0 : ERR_NOT_LEADER);
    }
}

static void propose(void *impl, struct proposal *p)
{
    struct node *node = impl;
    list_push_back(&node->cluster->proposals, &p->link);
    loop_defer(&node->cluster->env->loop, &node->cluster->work);
}

static void read_index(void *impl, struct read_index *r)
{
    struct node *node = impl;
    list_push_back(&node->cluster->reads, &r->link);
    loop_defer(&node->cluster->env->loop, &node->cluster->work);
}

static void status(void *impl, struct driver_status *ret)
{
    struct node *node = impl;
    int at = (int)(node - node->cluster->nodes);
    *ret = (struct driver_status){.member_id = (uint64_t)at + 1,
                                  .term = 7,
                                  .leader = (uint64_t)(node->cluster->leader + 1),
                                  .applied_index = node->applied};
    ret->role = node->cluster->leader == at ? ROLE_LEADER : ROLE_FOLLOWER;
}

static const struct configuration *configuration(void *impl, bool newest)
{
    (void)newest;
    return &((struct node *)impl)->cluster->members;
}

/* What servers say to each other arrives in the next turn. */
struct passed {
    struct deferred turn;
    struct cluster *cluster;
    uint64_t from, to;
    struct buf bytes;
};

static void arrive(struct deferred *d)
{
    struct passed *p = container_of(d, struct passed, turn);
    struct server *to = p->cluster->nodes[p->to - 1].server;
    if (to != NULL)
        server_passed(to, p->from, buf_slice(&p->bytes));
    buf_release(&p->bytes);
    mem_free(p);
}

static bool pass(void *impl, uint64_t to, struct slice bytes, bool bulk)
{
    struct node *node = impl;
    struct passed *p = NEW(struct passed);
    (void)bulk;
    p->cluster = node->cluster;
    p->from = (uint64_t)(node - node->cluster->nodes) + 1;
    p->to = to;
    buf_append_slice(&p->bytes, bytes);
    deferred_init(&p->turn, arrive);
    loop_defer(&node->cluster->env->loop, &p->turn);
    return true;
}

static void start_node(struct cluster *k, int at)
{
    struct node *node = &k->nodes[at];
    char address[64];
    snprintf(address, sizeof address, "127.0.0.1:%d", FIRST_PORT + at);
    struct server_options o = {.cluster_id = "test cluster 16",
                               .member_id = (uint64_t)at + 1,
                               .address = address,
                               .apply = node->apply,
                               .consensus = {.propose = propose,
                                             .read_index = read_index,
                                             .status = status,
                                             .configuration = configuration,
                                             .pass = pass,
                                             .impl = node}};
    k->members.count = NODES;
    for (int i = 0; i < NODES; i++) {
        struct member *m = &k->members.members[i];
        *m = (struct member){.id = (uint64_t)i + 1, .voter = true};
        snprintf(m->client_address, sizeof m->client_address, "127.0.0.1:%d", FIRST_PORT + i);
    }
    o.compact_age_ms = k->compact_age_ms;
    o.compact_bytes = k->compact_bytes;
    o.compact_revisions = k->compact_revisions;
    o.scrub_every_ms = k->scrub_every_ms;
    o.pending_bytes_max = k->pending_bytes_max;
    struct err err = {0};
    apply_up(node);
    if (server_new(k->env, &o, &node->server, &err) != 0)
        fail_msg("%s", err.message);
}

static void set_leader(struct cluster *k, int leader)
{
    k->leader = leader;
    for (int i = 0; i < NODES; i++)
        if (k->nodes[i].server != NULL)
            server_changed(k->nodes[i].server);
}

static int setup(void **state)
{
    struct cluster *k = NEW(struct cluster);
    k->uv = uv_env_new("store-test", LOG_ERROR);
    k->env = uv_env_env(k->uv);
    list_init(&k->proposals);
    list_init(&k->reads);
    deferred_init(&k->work, work);
    for (int i = 0; i < NODES; i++) {
        struct node *node = &k->nodes[i];
        node->cluster = k;
        node->apply = apply_new(&(struct apply_options){.on_events = on_events,
                                                        .on_result = on_result,
                                                        .on_entry = on_entry,
                                                        .on_restored = on_restored,
                                                        .arg = node});
        node->machine = apply_machine(node->apply);
        start_node(k, i);
    }
    set_leader(k, 0);
    *state = k;
    return 0;
}

/* --- waiting --- */

static void look(struct deferred *d)
{
    struct cluster *k = container_of(d, struct cluster, look);
    if (k->ready(k->ready_arg))
        uv_env_stop(k->uv);
    else
        loop_defer(&k->env->loop, &k->look);
}

static void out_of_patience(struct timer *t)
{
    struct cluster *k = container_of(t, struct cluster, patience);
    k->timed_out = true;
    uv_env_stop(k->uv);
}

static void wait_for(struct cluster *k, bool (*ready)(void *arg), void *arg)
{
    k->ready = ready;
    k->ready_arg = arg;
    deferred_init(&k->look, look);
    timer_init(&k->patience, out_of_patience);
    loop_timer_start(&k->env->loop, &k->patience, 20000);
    loop_defer(&k->env->loop, &k->look);
    uv_env_run(k->uv, NULL, NULL);
    loop_undefer(&k->env->loop, &k->look);
    loop_timer_stop(&k->env->loop, &k->patience);
    assert_false(k->timed_out);
}

static bool is_set(void *arg) { return *(int *)arg != 0; }
static void set(void *arg) { ++*(int *)arg; }

static void server_gone(void *arg) { ((struct node *)arg)->server = NULL; }
static bool is_down(void *arg) { return ((struct node *)arg)->server == NULL; }

static void stop_node(struct cluster *k, int at)
{
    server_close(k->nodes[at].server, server_gone, &k->nodes[at]);
    wait_for(k, is_down, &k->nodes[at]);
}

static int teardown(void **state)
{
    struct cluster *k = *state;
    for (int i = 0; i < NODES; i++) {
        if (k->nodes[i].server != NULL)
            stop_node(k, i);
        apply_free(k->nodes[i].apply);
    }
    for (size_t i = 0; i < k->log_size; i++)
        bytes_unref(k->log[i]);
    uv_env_free(k->uv);
    mem_free(k);
    return 0;
}

static struct store_client *client_of(struct cluster *k, int first, int n)
{
    char texts[NODES][32];
    const char *endpoints[NODES];
    for (int i = 0; i < n; i++) {
        snprintf(texts[i], sizeof texts[i], "127.0.0.1:%d", FIRST_PORT + first + i);
        endpoints[i] = texts[i];
    }
    return store_client_new(k->env,
                            &(struct store_client_options){.endpoints = endpoints, .endpoint_count = (size_t)n});
}

static void close_client(struct cluster *k, struct store_client *c)
{
    int done = 0;
    store_client_close(c, set, &done);
    wait_for(k, is_set, &done);
}

/* --- calls --- */

struct call {
    struct store_call call;
    int done, status;
    struct kv_header header;
    int64_t count;
    size_t kvs;
    bool succeeded, in_order;
    char value[64], message[ERR_MESSAGE_MAX];
};

static void finish(struct store_call *call, int rv, const struct err *why)
{
    struct call *c = container_of(call, struct call, call);
    c->done++;
    c->status = rv;
    c->header = call->header;
    if (why != NULL)
        snprintf(c->message, sizeof c->message, "%s", why->message);
}

static void finish_range(struct store_call *call, int rv, const struct err *why)
{
    struct call *c = container_of(call, struct call, call);
    finish(call, rv, why);
    if (rv != 0)
        return;
    c->count = call->range.count;
    c->kvs = call->range.kv_count;
    c->in_order = true;
    for (size_t i = 1; i < c->kvs; i++)
        c->in_order &= slice_compare(call->range.kvs[i - 1].key, call->range.kvs[i].key) < 0;
    if (c->kvs > 0)
        snprintf(c->value, sizeof c->value, "%.*s", SLICE_ARGS(call->range.kvs[0].value));
}

static void finish_txn(struct store_call *call, int rv, const struct err *why)
{
    finish(call, rv, why);
    container_of(call, struct call, call)->succeeded = rv == 0 && call->txn.succeeded;
}

static void start_put(struct store_client *c, struct call *call, const char *key, const char *value)
{
    struct kv_op op = {.kind = KV_OP_PUT, .put = {.key = slice_str(key), .value = slice_str(value)}};
    *call = (struct call){.call = {.done = finish_txn}};
    store_txn(c, &call->call, &(struct kv_txn){.success = &op, .success_count = 1}, 0);
}

static int64_t put(struct cluster *k, struct store_client *c, const char *key, const char *value)
{
    struct call call;
    start_put(c, &call, key, value);
    wait_for(k, is_set, &call.done);
    assert_int_equal(call.status, 0);
    return call.header.revision;
}

static struct call get(struct cluster *k, struct store_client *c, struct kv_range range)
{
    struct call call = {.call = {.done = finish_range}};
    store_range(c, &call.call, &range, 0);
    wait_for(k, is_set, &call.done);
    return call;
}

/* --- watches --- */

struct seen {
    struct store_watch watch;
    int events, synced, closed, status, revisions;
    int64_t last, progress, compact_revision;
    char key[64];
    struct call *write; /* must not be done before its event is seen */
};

static void saw_events(struct store_watch *w, int64_t revision, const struct kv_event *events, size_t n)
{
    struct seen *s = container_of(w, struct seen, watch);
    assert_true(revision > s->last);
    s->last = revision;
    s->events += (int)n;
    s->revisions++;
    snprintf(s->key, sizeof s->key, "%.*s", SLICE_ARGS(events[n - 1].kv.key));
    if (s->write != NULL)
        assert_int_equal(s->write->done, 0);
}

static void saw_progress(struct store_watch *w, int64_t revision)
{
    struct seen *s = container_of(w, struct seen, watch);
    s->synced++;
    s->progress = revision;
}

static void saw_close(struct store_watch *w, int rv, int64_t compact_revision, const struct err *why UNUSED)
{
    struct seen *s = container_of(w, struct seen, watch);
    s->closed = 1;
    s->status = rv;
    s->compact_revision = compact_revision;
}

static void watch(struct store_client *c, struct seen *s, const char *key, const char *end, int64_t from)
{
    *s = (struct seen){.watch = {.on_events = saw_events, .on_progress = saw_progress, .on_closed = saw_close}};
    store_watch_start(c, &s->watch,
                      &(struct store_watch_options){
                          .span = {slice_str(key), slice_str(end)}, .start_revision = from, .prev_kv = true});
}

/* --- stories --- */

static void put_get(void **state)
{
    struct cluster *k = *state;
    for (int member = 0; member < 2; member++) { /* the leader, and one that forwards */
        struct store_client *c = client_of(k, member, 1);
        int64_t revision = put(k, c, "a", member == 0 ? "one" : "two");
        struct call r = get(k, c, (struct kv_range){.span = {.key = SLICE("a")}});
        assert_string_equal(r.value, member == 0 ? "one" : "two");
        assert_true(r.header.revision == revision && r.header.member_id == (uint64_t)member + 1 && r.header.term == 7);
        r = get(k, c, (struct kv_range){.span = {.key = SLICE("a")}, .revision = 99});
        assert_int_equal(r.status, ERR_FUTURE_REVISION);
        close_client(k, c);
    }
}

static void transactions(void **state)
{
    struct cluster *k = *state;
    struct store_client *c = client_of(k, 0, NODES);
    put(k, c, "a", "1");
    struct kv_compare compare = {.span = {.key = SLICE("a")}, .target = KV_COMPARE_VALUE, .value = SLICE("1")};
    struct kv_op op = {.kind = KV_OP_PUT, .put = {.key = SLICE("a"), .value = SLICE("2"), .prev_kv = true}};
    for (int i = 0; i < 2; i++) {
        struct call call = {.call = {.done = finish_txn}};
        store_txn(c, &call.call,
                  &(struct kv_txn){.compares = &compare, .compare_count = 1, .success = &op, .success_count = 1}, 0);
        wait_for(k, is_set, &call.done);
        assert_int_equal(call.succeeded, i == 0);
    }
    struct kv_op twice[] = {op, op};
    struct call call = {.call = {.done = finish_txn}};
    store_txn(c, &call.call, &(struct kv_txn){.success = twice, .success_count = 2}, 0);
    wait_for(k, is_set, &call.done);
    assert_int_equal(call.status, ERR_INVALID);
    assert_non_null(strstr(call.message, "duplicate key"));
    close_client(k, c);
}

struct parts {
    struct call call;
    size_t seen, parts;
    bool in_order;
    char last[32];
};

static void see_part(struct store_call *call, const struct kv *kvs, size_t n)
{
    struct parts *p = container_of(container_of(call, struct call, call), struct parts, call);
    p->parts++;
    for (size_t i = 0; i < n; i++) {
        p->in_order &= slice_compare(slice_str(p->last), kvs[i].key) < 0;
        snprintf(p->last, sizeof p->last, "%.*s", SLICE_ARGS(kvs[i].key));
    }
    p->seen += n;
}

static bool part_seen(void *arg) { return ((struct parts *)arg)->parts > 0; }

/* Parts as they come, the rest with the end; the same when the connection is lost between. */
static void parts_of_a_long_answer(struct cluster *k, struct store_client *c, const struct kv_range *range,
                                   size_t wanted)
{
    struct parts p = {.call.call = {.done = finish_range, .part = see_part}, .in_order = true};
    store_range(c, &p.call.call, range, 0);
    wait_for(k, is_set, &p.call.done);
    assert_true(p.call.status == 0 && p.parts > 2 && p.in_order && p.call.in_order);
    assert_int_equal(p.seen + p.call.kvs, wanted);
    struct parts cut = {.call.call = {.done = finish_range, .part = see_part}, .in_order = true};
    store_range(c, &cut.call.call, range, 0);
    wait_for(k, part_seen, &cut);
    client_hang_up(c, ERR_EOF, "cut by the test");
    wait_for(k, is_set, &cut.call.done);
    assert_int_equal(cut.call.status, ERR_UNAVAILABLE);
    assert_true(cut.seen < wanted);
}

/* An answer of many parts, then the same with a limit; and many writes at once. */
static void long_answers(void **state)
{
    struct cluster *k = *state;
    struct store_client *c = client_of(k, 1, 1);
    enum { MANY = 3000 };
    struct call *calls = mem_zalloc(MANY * sizeof calls[0]);
    char key[32], value[801];
    memset(value, 'v', 800);
    value[800] = '\0';
    for (int i = 0; i < MANY; i++) {
        snprintf(key, sizeof key, "/r/%05d", i);
        start_put(c, &calls[i], key, value);
    }
    for (int i = 0; i < MANY; i++) {
        wait_for(k, is_set, &calls[i].done);
        assert_int_equal(calls[i].status, 0);
    }
    struct kv_range range = {.span = {SLICE("/r/"), SLICE("/r0")}};
    struct call r = get(k, c, range);
    assert_true(r.status == 0 && r.kvs == MANY && r.count == MANY && r.in_order);
    parts_of_a_long_answer(k, c, &range, MANY);
    range.limit = 2500;
    r = get(k, c, range);
    assert_true(r.kvs == 2500 && r.count == MANY && r.in_order);
    range.order = KV_ORDER_DESCEND;
    r = get(k, c, range);
    assert_true(r.kvs == 2500 && r.count == MANY && !r.in_order);
    mem_free(calls);
    close_client(k, c);
}

static bool three_seen(void *arg) { return ((struct seen *)arg)->events >= 3; }
static bool progressed(void *arg) { return ((struct seen *)arg)->synced >= 2; }

static void watches(void **state)
{
    struct cluster *k = *state;
    struct store_client *c = client_of(k, 2, 1);
    struct seen past, live;
    struct call write;
    int64_t first = put(k, c, "w/1", "x");
    put(k, c, "other", "x");
    put(k, c, "w/2", "x");
    watch(c, &past, "w/", "w0", first);
    watch(c, &live, "w/", "w0", 0);
    wait_for(k, is_set, &past.synced);
    wait_for(k, is_set, &live.synced);
    assert_true(past.events == 2 && live.events == 0);
    start_put(c, &write, "w/3", "x");
    past.write = live.write = &write; /* on one connection the event comes before the answer */
    wait_for(k, is_set, &write.done);
    past.write = live.write = NULL;
    wait_for(k, three_seen, &past);
    assert_true(live.events == 1 && live.last == write.header.revision);
    int64_t newest = put(k, c, "elsewhere", "x");
    store_watch_progress(c, &live.watch);
    wait_for(k, progressed, &live);
    assert_true(live.progress >= newest);
    store_watch_stop(c, &live.watch);
    wait_for(k, is_set, &live.closed);
    assert_int_equal(live.status, ERR_CANCELED);
    close_client(k, c);
    assert_int_equal(past.status, ERR_CANCELED);
}

/* A revision of many events arrives as one, in several frames. */
static void big_revision(void **state)
{
    struct cluster *k = *state;
    struct store_client *c = client_of(k, 0, 1);
    struct seen live;
    struct kv_op ops[KV_TXN_OPS_MAX] = {0};
    char keys[KV_TXN_OPS_MAX][32];
    char *value = mem_zalloc(10001);
    memset(value, 'x', 10000);
    for (int i = 0; i < KV_TXN_OPS_MAX; i++) {
        snprintf(keys[i], sizeof keys[i], "%s/%03d", i % 2 ? "b" : "other", i);
        ops[i] = (struct kv_op){.kind = KV_OP_PUT, .put = {.key = slice_str(keys[i]), .value = slice_of(value, 10000)}};
    }
    watch(c, &live, "b/", "b0", 0);
    wait_for(k, is_set, &live.synced);
    struct call call = {.call = {.done = finish_txn}};
    store_txn(c, &call.call, &(struct kv_txn){.success = ops, .success_count = KV_TXN_OPS_MAX}, 0);
    wait_for(k, is_set, &call.done);
    assert_int_equal(call.status, 0);
    wait_for(k, is_set, &live.events);
    assert_true(live.events == KV_TXN_OPS_MAX / 2 && live.revisions == 1);
    mem_free(value);
    close_client(k, c);
}

static void compaction(void **state)
{
    struct cluster *k = *state;
    struct store_client *c = client_of(k, 1, 1);
    struct seen old;
    struct call call = {.call = {.done = finish}};
    int64_t first = put(k, c, "a", "1"), second = put(k, c, "a", "2");
    store_compact(c, &call.call, second, 0);
    wait_for(k, is_set, &call.done);
    assert_int_equal(call.status, 0);
    assert_int_equal(get(k, c, (struct kv_range){.span = {.key = SLICE("a")}, .revision = first}).status,
                     ERR_COMPACTED);
    watch(c, &old, "a", "", first);
    wait_for(k, is_set, &old.closed);
    assert_int_equal(old.status, ERR_COMPACTED);
    assert_int_equal(old.compact_revision, second);
    call = (struct call){.call = {.done = finish}};
    store_compact(c, &call.call, 99, 0);
    wait_for(k, is_set, &call.done);
    assert_int_equal(call.status, ERR_FUTURE_REVISION);
    close_client(k, c);
}

/* The member dies with the write executed and unanswered: the client asks another one and the write happened once. */
static void executed_once(void **state)
{
    struct cluster *k = *state;
    struct store_client *c = client_of(k, 0, NODES);
    struct call call;
    struct seen live;
    put(k, c, "n", "first");
    watch(c, &live, "n", "", 0);
    wait_for(k, is_set, &live.synced);
    k->drop_answers = true;
    start_put(c, &call, "n", "second");
    wait_for(k, is_set, &live.events);
    assert_int_equal(call.done, 0);
    k->drop_answers = false;
    struct call *waiting = &call;
    for (int i = 0; i < NODES && !waiting->done; i++) { /* whichever it was connected to */
        set_leader(k, (i + 1) % NODES);
        stop_node(k, i);
        start_node(k, i);
    }
    set_leader(k, 1);
    wait_for(k, is_set, &call.done);
    assert_int_equal(call.status, 0);
    int64_t next = put(k, c, "other", "x");
    assert_int_equal(next, call.header.revision + 1);
    assert_int_equal(live.events, 1);
    close_client(k, c);
}

static void del(struct cluster *k, struct store_client *c, const char *key)
{
    struct kv_op op = {.kind = KV_OP_DELETE, .delete = {.span = {.key = slice_str(key)}}};
    struct call call = {.call = {.done = finish_txn}};
    store_txn(c, &call.call, &(struct kv_txn){.success = &op, .success_count = 1}, 0);
    wait_for(k, is_set, &call.done);
    assert_int_equal(call.status, 0);
}

/* Filters leave kinds of events out, live and of the past; every watch gets its own. */
static void watch_filters(void **state)
{
    struct cluster *k = *state;
    struct store_client *c = client_of(k, 1, 1);
    struct seen seen[4] = {0};
    int64_t first = mvcc_revision(apply_mvcc(k->nodes[1].apply)) + 1;
    for (int i = 0; i < 4; i++) {
        if (i == 2) {
            put(k, c, "w", "1");
            del(k, c, "w");
        }
        seen[i].watch =
            (struct store_watch){.on_events = saw_events, .on_progress = saw_progress, .on_closed = saw_close};
        store_watch_start(c, &seen[i].watch,
                          &(struct store_watch_options){.span = {.key = SLICE("w")},
                                                        .start_revision = i < 2 ? 0 : first,
                                                        .no_put = i % 2 == 0,
                                                        .no_delete = i % 2 == 1});
        wait_for(k, is_set, &seen[i].synced);
    }
    put(k, c, "w", "2");
    for (int i = 0; i < 4; i++) {
        seen[i].synced = 1;
        store_watch_progress(c, &seen[i].watch);
        wait_for(k, progressed, &seen[i]);
        assert_int_equal(seen[i].events, i % 2 == 0 ? 1 : 2);
    }
    close_client(k, c);
}

static void restore_from(struct cluster *k, int from, int to)
{
    struct node *source = &k->nodes[from], *target = &k->nodes[to];
    void *pin = source->machine.ops->pin(source->machine.impl);
    void *restore = target->machine.ops->restore_begin(target->machine.impl);
    bool last = false;
    while (!last) {
        struct buf piece = {0};
        assert_ok(source->machine.ops->read(pin, &piece, &last, NULL));
        assert_ok(target->machine.ops->restore_piece(restore, buf_slice(&piece), NULL));
        buf_release(&piece);
    }
    source->machine.ops->unpin(source->machine.impl, pin);
    assert_ok(target->machine.ops->restore_end(target->machine.impl, restore, true, NULL));
}

/* A watch that begins in the future hears nothing, no progress either, before its time; not after a snapshot either. */
static void watch_of_the_future(void **state)
{
    struct cluster *k = *state;
    struct store_client *c = client_of(k, 2, 1);
    struct seen future, now;
    int64_t newest = put(k, c, "w", "0");
    watch(c, &future, "w", "", newest + 4);
    store_watch_progress(c, &future.watch);
    watch(c, &now, "w", "", newest + 1);
    wait_for(k, is_set, &now.synced);
    put(k, c, "w", "1");
    assert_int_equal(future.synced + future.events, 0);
    restore_from(k, 0, 2);
    now.synced = 0;
    wait_for(k, is_set, &now.synced); /* joined anew */
    put(k, c, "w", "2");
    assert_int_equal(future.synced + future.events, 0);
    put(k, c, "w", "3"); /* everything before its beginning has happened: it joins, and the answer owed follows */
    wait_for(k, progressed, &future);
    assert_true(future.events == 0 && future.progress == newest + 3);
    put(k, c, "w", "4");
    wait_for(k, is_set, &future.events);
    assert_true(future.last == newest + 4 && future.events == 1);
    store_watch_progress(c, &now.watch);
    now.synced = 1;
    wait_for(k, progressed, &now);
    assert_int_equal(now.events, 4);
    close_client(k, c);
}

static int fake_space(void *impl, struct disk_space *ret, struct err *reterr UNUSED)
{
    *ret = *(struct disk_space *)impl;
    return 0;
}

static bool no_space(void *arg)
{
    struct server_metrics m;
    server_metrics(((struct node *)arg)->server, &m);
    return m.space_low;
}
static bool has_space(void *arg) { return !no_space(arg); }

static int write_status(struct cluster *k, struct store_client *c, const struct kv_op *op)
{
    struct call call = {.call = {.done = finish_txn}};
    store_txn(c, &call.call, &(struct kv_txn){.success = op, .success_count = 1}, 0);
    wait_for(k, is_set, &call.done);
    if (call.status != 0)
        assert_true(store_error_find(slice_str(call.message)) == store_error_row(STORE_NO_SPACE));
    return call.status;
}

/* Below the floor what grows is refused, at the leader and through others; what shrinks passes; room ends it. */
static void disk_floor(void **state)
{
    static const struct disk_ops ops = {.space = fake_space};
    struct cluster *k = *state;
    struct disk_space space = {100ull << 30, 10ull << 30};
    struct store_client *clients[] = {client_of(k, 0, 1), client_of(k, 1, 1)};
    struct kv_op write = {.kind = KV_OP_PUT, .put = {.key = SLICE("a")}},
                 erase = {.kind = KV_OP_DELETE, .delete = {.span = {.key = SLICE("a")}}};
    struct kv_op nested = {.kind = KV_OP_TXN, .txn = {.failure = &write, .failure_count = 1}};
    assert_int_equal(server_space_floor(space.total_bytes), (100ull << 30) / 100);
    assert_int_equal(server_space_floor(1ull << 30), 256ull << 20);
    assert_int_equal(server_space_floor(64ull << 20), 16ull << 20);
    k->env->disk = (struct disk){&ops, &space};
    for (int i = 0; i < 2; i++)
        put(k, clients[i], "a", "1");
    space.free_bytes = 1ull << 29;
    wait_for(k, no_space, &k->nodes[0]);
    for (int i = 0; i < 2; i++) {
        struct call grant = {.call = {.done = finish}}, compact = {.call = {.done = finish}};
        assert_int_equal(write_status(k, clients[i], &write), ERR_NO_SPACE);
        assert_int_equal(write_status(k, clients[i], &nested), ERR_NO_SPACE);
        assert_int_equal(write_status(k, clients[i], &erase), 0);
        store_lease_grant(clients[i], &grant.call, 0, 60, 0);
        store_compact(clients[i], &compact.call, 2 + i, 0);
        wait_for(k, is_set, &grant.done);
        wait_for(k, is_set, &compact.done);
        assert_true(grant.status == ERR_NO_SPACE && compact.status == 0);
    }
    space.free_bytes = 10ull << 30;
    wait_for(k, has_space, &k->nodes[0]);
    for (int i = 0; i < 2; i++) {
        put(k, clients[i], "a", "2");
        close_client(k, clients[i]);
    }
    k->env->disk = (struct disk){0};
}

static bool is_quarantined(void *arg) { return server_quarantined(((struct node *)arg)->server); }

/* Changes a member's state behind consensus, as a flipped bit or a bug would. */
static void damage(struct node *node)
{
    struct kv_op op = {.kind = KV_OP_PUT, .put = {.key = SLICE("damage")}};
    struct kv_txn_result result;
    struct arena arena = {0};
    const struct kv_event *events;
    size_t n;
    assert_ok(mvcc_apply(apply_mvcc(node->apply), &(struct kv_txn){.success = &op, .success_count = 1}, &arena, &result,
                         &events, &n, NULL));
    arena_clear(&arena);
}

/* The odd one out stops serving, be it a follower or the leader; clients go on with the others. */
static void odd_one_out(void **state)
{
    struct cluster *k = *state;
    for (int odd = 2; odd >= 0; odd -= 2) {
        struct store_client *c = client_of(k, 0, NODES), *own = client_of(k, odd, 1);
        struct call refused = {.call = {.done = finish_range}};
        put(k, c, "a", "1");
        for (int i = 0; i < NODES; i++)
            assert_false(is_quarantined(&k->nodes[i]));
        damage(&k->nodes[odd]);
        put(k, c, "a", "2");
        wait_for(k, is_quarantined, &k->nodes[odd]);
        put(k, c, "a", "3");
        store_range(own, &refused.call, &(struct kv_range){.span = {.key = SLICE("a")}}, 500);
        wait_for(k, is_set, &refused.done);
        assert_int_equal(refused.status, ERR_TIMEOUT);
        assert_non_null(strstr(refused.message, store_error_row(STORE_STATE_CORRUPT)->text));
        for (int i = 0; i < NODES; i++)
            assert_int_equal(is_quarantined(&k->nodes[i]), i == odd);
        close_client(k, c);
        close_client(k, own);
        if (odd == 0)
            break;
        stop_node(k, odd); /* comes back with the state of the others */
        restore_from(k, 0, odd);
        start_node(k, odd);
    }
}

/* A bit flips in a follower's memory: no entry tells, and no other member could; it finds that by itself, and serves
 * nobody. */
static void flipped_bit(void **state)
{
    struct cluster *k = *state;
    struct store_client *c = client_of(k, 0, NODES);
    struct arena arena = {0};
    struct kv_range_result result;
    k->scrub_every_ms = 50;
    stop_node(k, 2);
    start_node(k, 2);
    put(k, c, "a", "value");
    assert_ok(mvcc_range(apply_mvcc(k->nodes[2].apply), &(struct kv_range){.span = {.key = SLICE("a")}}, &arena,
                         &result, NULL));
    ((char *)(uintptr_t)result.kvs[0].value.data)[3] ^= 32;
    arena_clear(&arena);
    wait_for(k, is_quarantined, &k->nodes[2]);
    struct server_metrics m;
    server_metrics(k->nodes[2].server, &m);
    assert_true(m.scrub_failures == 1 && m.quarantined);
    put(k, c, "a", "2");
    assert_false(is_quarantined(&k->nodes[0]) || is_quarantined(&k->nodes[1]));
    close_client(k, c);
}

/* --- a client that does not read --- */

struct relayed {
    struct net_conn conn;
    struct relay *relay;
    struct relayed *other; /* NULL: closed */
};

/* Between one client and member 0; with `stopped` it takes nothing from the member any more, as a client would whose
 * process stands still or whose connection is full of other things. */
struct relay {
    struct cluster *cluster;
    struct net_listener listener;
    struct relayed *to_member; /* the last one */
    size_t open, connections;
    int listener_gone;
};

static void relay_read(struct net_conn *c, struct slice bytes)
{
    struct relayed *from = container_of(c, struct relayed, conn);
    if (from->other != NULL)
        net_write(&from->relay->cluster->env->net, &from->other->conn, &bytes, 1);
}

static void relay_closed(struct net_conn *c, const struct err *why UNUSED)
{
    struct relayed *from = container_of(c, struct relayed, conn);
    struct relay *r = from->relay;
    if (from->other != NULL) {
        from->other->other = NULL;
        net_close(&r->cluster->env->net, &from->other->conn, false);
    }
    if (r->to_member == from)
        r->to_member = NULL;
    r->open--;
    mem_free(from);
}

static void relay_open(struct net_conn *c UNUSED) {}
static const struct net_conn_callbacks relay_callbacks = {
    .on_open = relay_open, .on_read = relay_read, .on_close = relay_closed};

static struct net_conn *relay_accept(struct net_listener *l)
{
    struct relay *r = container_of(l, struct relay, listener);
    char address[64];
    struct relayed *ends[2] = {NEW(struct relayed), NEW(struct relayed)};
    for (int i = 0; i < 2; i++) {
        ends[i]->conn.callbacks = &relay_callbacks;
        ends[i]->relay = r;
        ends[i]->other = ends[1 - i];
    }
    r->open += 2;
    r->connections++;
    r->to_member = ends[1];
    snprintf(address, sizeof address, "127.0.0.1:%d", FIRST_PORT);
    net_connect(&r->cluster->env->net, &ends[1]->conn, &(struct net_connect_options){.address = address});
    return &ends[0]->conn;
}

static void relay_gone(struct net_listener *l) { container_of(l, struct relay, listener)->listener_gone = 1; }
static bool relay_ended(void *arg) { return ((struct relay *)arg)->open == 0; }
static bool was_cut_off(void *arg)
{
    struct server_metrics m;
    server_metrics(((struct node *)arg)->server, &m);
    return m.slow_closed > 0;
}

struct all_seen {
    struct seen *seen;
    int events;
};
static bool all_seen(void *arg) { return ((struct all_seen *)arg)->seen->events >= ((struct all_seen *)arg)->events; }

/* A watch whose connection starves is cut off, once too much waits for it; it goes on where it was, without a gap and
 * without anything twice. Other watches of the member notice nothing. */
static void starved_stream(void **state)
{
    enum { PUTS = 400, BYTES = 100000 };
    struct cluster *k = *state;
    struct relay relay = {.cluster = k, .listener = {.on_accept = relay_accept, .on_close = relay_gone}};
    k->pending_bytes_max = 1 << 20;
    stop_node(k, 0);
    start_node(k, 0);
    assert_ok(net_listen(&k->env->net, &relay.listener, &(struct net_listen_options){.address = "127.0.0.1:0"}, NULL));
    char endpoint[32];
    snprintf(endpoint, sizeof endpoint, "127.0.0.1:%d", net_listener_port(&k->env->net, &relay.listener));
    struct store_client *slow = store_client_new(
        k->env, &(struct store_client_options){.endpoints = (const char *[]){endpoint}, .endpoint_count = 1});
    struct store_client *c = client_of(k, 0, 1);
    struct seen starved, fed;
    watch(slow, &starved, "s/", "s0", 0);
    watch(c, &fed, "s/", "s0", 0);
    wait_for(k, is_set, &starved.synced);
    wait_for(k, is_set, &fed.synced);
    net_read_pause(&k->env->net, &relay.to_member->conn, true);
    char *value = mem_zalloc(BYTES + 1), key[16];
    memset(value, 'v', BYTES);
    for (int i = 0; i < PUTS; i++) {
        snprintf(key, sizeof key, "s/%d", i % 7);
        put(k, c, key, value);
        assert_int_equal(fed.events, i + 1);
    }
    mem_free(value);
    assert_true(starved.events < PUTS);
    wait_for(k, was_cut_off, &k->nodes[0]);
    if (relay.to_member != NULL)
        net_read_pause(&k->env->net, &relay.to_member->conn, false); /* what was on its way comes, and the end of it */
    wait_for(k, all_seen, &(struct all_seen){&starved, PUTS});
    assert_true(starved.events == PUTS && starved.revisions == PUTS &&
                starved.last == fed.last); /* and each later than the one before */
    assert_true(relay.connections >= 2);
    close_client(k, slow);
    close_client(k, c);
    wait_for(k, relay_ended, &relay);
    net_listener_close(&k->env->net, &relay.listener);
    wait_for(k, is_set, &relay.listener_gone);
}

/* The events of one revision are more than may wait for a client: one that reads gets them all the same, live and from
 * history. */
static void large_revision(void **state)
{
    enum { PUTS = 100, BYTES = 5000 };
    struct cluster *k = *state;
    struct server_metrics m;
    struct call txn = {.call = {.done = finish_txn}};
    struct kv_op ops[PUTS];
    char keys[PUTS][16], *value = mem_zalloc(BYTES);
    k->pending_bytes_max = 64 * 1024;
    stop_node(k, 0);
    start_node(k, 0);
    struct store_client *c = client_of(k, 0, 1);
    struct seen live, past;
    int64_t first = put(k, c, "before", "1");
    watch(c, &live, "b/", "b0", 0);
    wait_for(k, is_set, &live.synced);
    for (int i = 0; i < PUTS; i++) {
        snprintf(keys[i], sizeof keys[i], "b/%03d", i);
        ops[i] = (struct kv_op){.kind = KV_OP_PUT, .put = {.key = slice_str(keys[i]), .value = slice_of(value, BYTES)}};
    }
    store_txn(c, &txn.call, &(struct kv_txn){.success = ops, .success_count = PUTS}, 0);
    wait_for(k, all_seen, &(struct all_seen){&live, PUTS});
    watch(c, &past, "b/", "b0", first);
    wait_for(k, all_seen, &(struct all_seen){&past, PUTS});
    assert_true(live.revisions == 1 && past.revisions == 1 && live.events == PUTS && past.events == PUTS);
    server_metrics(k->nodes[0].server, &m);
    assert_int_equal(m.slow_closed, 0);
    mem_free(value);
    close_client(k, c);
}

static struct mvcc *store_of(struct cluster *k, int at) { return apply_mvcc(k->nodes[at].apply); }
struct compacted_to {
    struct cluster *cluster;
    int64_t revision;
};
static bool compacted(void *arg)
{
    struct compacted_to *to = arg;
    return mvcc_compact_revision(store_of(to->cluster, 0)) >= to->revision;
}

/* By number, by age and by size; the same on every member. */
static void compaction_by_itself(void **state)
{
    struct cluster *k = *state;
    struct store_client *c = client_of(k, 1, 2);
    for (int i = 0; i < 120; i++)
        put(k, c, "a", "1");
    for (int by = 0; by < 3; by++) {
        struct compacted_to to = {k, put(k, c, "a", "2")};
        to.revision -= by == 0 ? 21 : 0; /* the others go up to the newest, without any write */
        stop_node(k, 0);
        k->compact_revisions = by == 0 ? 21 : 0;
        k->compact_age_ms = by == 1 ? 300 : 0;
        k->compact_bytes = by == 2 ? 1 : 0;
        start_node(k, 0);
        wait_for(k, compacted, &to);
        assert_int_equal(mvcc_compact_revision(store_of(k, 0)), to.revision);
        assert_int_equal(mvcc_compact_revision(store_of(k, 0)), mvcc_compact_revision(store_of(k, 1)));
        assert_true(apply_hash(k->nodes[0].apply) == apply_hash(k->nodes[1].apply));
    }
    close_client(k, c);
}

/* Writes and watches go on over lost members and a time without a leader. */
static void failover(void **state)
{
    struct cluster *k = *state;
    struct store_client *c = client_of(k, 0, NODES);
    struct seen live;
    struct call call;
    watch(c, &live, "f/", "f0", 0);
    wait_for(k, is_set, &live.synced);
    put(k, c, "f/1", "x");
    stop_node(k, 0);
    set_leader(k, -1);
    start_put(c, &call, "f/2", "x");
    struct call read = {.call = {.done = finish_range}};
    store_range(c, &read.call, &(struct kv_range){.span = {.key = SLICE("f/2")}}, 0);
    stop_node(k, 1);
    start_node(k, 1);
    assert_int_equal(call.done + read.done, 0);
    set_leader(k, 2);
    wait_for(k, is_set, &call.done);
    wait_for(k, is_set, &read.done);
    assert_true(call.status == 0 && read.status == 0);
    put(k, c, "f/3", "x");
    wait_for(k, three_seen, &live);
    assert_int_equal(live.events, 3);
    assert_int_equal(live.revisions, 3);
    close_client(k, c);
}

static void time_outs(void **state)
{
    struct cluster *k = *state;
    struct store_client *c = client_of(k, 0, 1), *nobody = client_of(k, 50, 1);
    struct call call = {.call = {.done = finish_range}}, other = {.call = {.done = finish_range}};
    put(k, c, "a", "1");
    set_leader(k, -1);
    store_range(c, &call.call, &(struct kv_range){.span = {.key = SLICE("a")}}, 300);
    store_range(nobody, &other.call, &(struct kv_range){.span = {.key = SLICE("a")}}, 300);
    wait_for(k, is_set, &call.done);
    wait_for(k, is_set, &other.done);
    assert_true(call.status == ERR_TIMEOUT && other.status == ERR_TIMEOUT);
    char silent[32];
    snprintf(silent, sizeof silent, "127.0.0.1:%d", FIRST_PORT + 50);
    assert_non_null(strstr(other.message, silent));
    struct call stale = get(k, c, (struct kv_range){.span = {.key = SLICE("a")}, .serializable = true});
    assert_string_equal(stale.value, "1");
    call = (struct call){.call = {.done = finish_range}};
    store_range(c, &call.call, &(struct kv_range){.span = {.key = SLICE("a")}}, 0);
    store_cancel(c, &call.call);
    assert_int_equal(call.done, 0);
    wait_for(k, is_set, &call.done);
    assert_int_equal(call.status, ERR_CANCELED);
    close_client(k, c);
    close_client(k, nobody);
}

static void about_members(void **state)
{
    struct cluster *k = *state;
    struct store_client *c = client_of(k, 1, 1);
    put(k, c, "a", "1");
    for (int i = 0; i < 3; i++) {
        struct call call = {.call = {.done = finish}};
        if (i == 2)
            store_member_list(c, &call.call, false, 0);
        else
            (i == 0 ? store_status : store_hashkv)(c, &call.call, 0);
        wait_for(k, is_set, &call.done);
        assert_int_equal(call.status, 0);
        assert_int_equal(call.header.revision, 2);
    }
    assert_true(apply_hash(k->nodes[0].apply) == apply_hash(k->nodes[1].apply));
    close_client(k, c);
}

/* --- snapshots --- */

#define BULK_KEYS 6
#define BULK_BYTES (1024 * 1024)

struct reader {
    struct store_call call;
    int done, status;
    uint64_t bytes;
    bool last;
};

static void part_read(struct store_call *call, int rv, const struct err *why UNUSED)
{
    struct reader *r = container_of(call, struct reader, call);
    r->done++;
    r->status = rv;
    if (rv != 0)
        return;
    r->bytes += call->snapshot.bytes.size;
    r->last = call->snapshot.last;
}

static void start_read(struct store_client *c, struct reader *r, uint64_t number, unsigned timeout_ms)
{
    r->call = (struct store_call){.done = part_read};
    r->done = 0;
    store_snapshot(c, &r->call, number, timeout_ms);
}

static int read_part(struct cluster *k, struct store_client *c, struct reader *r, uint64_t number, unsigned timeout_ms)
{
    start_read(c, r, number, timeout_ms);
    wait_for(k, is_set, &r->done);
    return r->status;
}

/* Several parts, of bytes that do not compress. */
static void fill(struct cluster *k, struct store_client *c)
{
    char *value = mem_alloc(BULK_BYTES + 1), key[32];
    for (int i = 0; i < BULK_KEYS; i++) {
        random_fill(&k->env->random, value, BULK_BYTES);
        for (size_t at = 0; at < BULK_BYTES; at++)
            value[at] = (char)('0' + (uint8_t)value[at] % 64);
        value[BULK_BYTES] = '\0';
        snprintf(key, sizeof key, "bulk/%d", i);
        put(k, c, key, value);
    }
    mem_free(value);
}

static void snapshots(void **state)
{
    struct cluster *k = *state;
    struct reader r = {0}, other = {0}, third = {0};
    struct err err;
    assert_int_equal(uv_env_add_files(k->uv, ".", &err), 0); /* for its threads: nothing is written */
    struct store_client *a = client_of(k, 1, 1), *b = client_of(k, 1, 1), *c = client_of(k, 1, 1);
    uint64_t number = 0;
    fill(k, a);
    for (; !r.last; number++) { /* what is put meanwhile is no part of it */
        assert_int_equal(read_part(k, a, &r, number, 5000), 0);
        put(k, a, "meanwhile", "written");
    }
    assert_true(number >= BULK_KEYS && r.bytes > BULK_KEYS * BULK_BYTES);
    assert_int_equal(read_part(k, a, &r, number, 5000), ERR_NOT_FOUND); /* there is nothing behind the last */

    assert_int_equal(read_part(k, a, &r, 0, 5000), 0);
    assert_int_equal(read_part(k, a, &r, 2, 5000), ERR_NOT_FOUND); /* part 1 is the next */
    assert_int_equal(read_part(k, b, &other, 0, 5000), 0);
    assert_int_equal(read_part(k, c, &third, 0, 300),
                     ERR_TIMEOUT); /* one more than is allowed: busy until its time is over */
    close_client(k, b);            /* who goes lets go */
    assert_int_equal(read_part(k, c, &third, 0, 5000), 0);
    assert_int_equal(read_part(k, a, &r, 0, 5000), 0); /* begun again: its first one makes room for itself */

    start_read(c, &third, 1, 5000); /* the member goes while a part is made */
    stop_node(k, 1);
    close_client(k, c);
    assert_int_equal(third.done, 1);
    start_node(k, 1);
    assert_int_equal(read_part(k, a, &r, 1, 5000), ERR_NOT_FOUND); /* nothing of before is gone on with */
    assert_int_equal(read_part(k, a, &r, 0, 5000), 0);
    close_client(k, a);
}

/* --- what is not a client --- */

struct stranger {
    struct net_conn net;
    struct cluster *cluster;
    struct slice say;
    int closed;
    struct buf heard;
};

static void stranger_open(struct net_conn *net)
{
    struct stranger *s = container_of(net, struct stranger, net);
    net_write(&s->cluster->env->net, net, &s->say, 1);
}
static void stranger_read(struct net_conn *net, struct slice bytes)
{
    buf_append_slice(&container_of(net, struct stranger, net)->heard, bytes);
}
static void stranger_close(struct net_conn *net, const struct err *why UNUSED)
{
    container_of(net, struct stranger, net)->closed = 1;
}

static void garbage(void **state)
{
    static const struct net_conn_callbacks callbacks = {
        .on_open = stranger_open, .on_read = stranger_read, .on_close = stranger_close};
    struct cluster *k = *state;
    struct buf frame = {0};
    size_t mark = frame_begin(&frame);
    wire_begin(&frame, STORE_HELLO);
    pack_bytes(&frame, SLICE("another cluster!"));
    frame_end(&frame, mark);
    struct slice said[] = {SLICE("GET / HTTP/1.1\r\nHost: x\r\n\r\n"), SLICE("\xff\xff\xff\xff\xff\xff\xff\xff"),
                           SLICE("\0\0\0\2\0\0\0\0ab"), buf_slice(&frame)};
    char address[32];
    snprintf(address, sizeof address, "127.0.0.1:%d", FIRST_PORT);
    for (size_t i = 0; i < ARRAY_LEN(said); i++) {
        struct stranger s = {.net = {.callbacks = &callbacks}, .cluster = k, .say = said[i]};
        net_connect(&k->env->net, &s.net, &(struct net_connect_options){.address = address});
        wait_for(k, is_set, &s.closed);
        assert_true(s.heard.size > 0); /* it is told why */
        buf_release(&s.heard);
    }
    buf_release(&frame);
}

int main(void)
{
#define STORY(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        STORY(put_get),       STORY(transactions),        STORY(long_answers),   STORY(watches),
        STORY(big_revision),  STORY(compaction),          STORY(executed_once),  STORY(failover),
        STORY(time_outs),     STORY(about_members),       STORY(garbage),        STORY(snapshots),
        STORY(watch_filters), STORY(watch_of_the_future), STORY(disk_floor),     STORY(odd_one_out),
        STORY(flipped_bit),   STORY(starved_stream),      STORY(large_revision), STORY(compaction_by_itself),
    };
    return RUN_TESTS(tests);
}
