/* The request layer without a wire: a front of this file's own, in the same process, that keeps what it is handed. Consensus is
 * one member that commits in the next turn. */
#include "tests/test.h"

#include "common/mem.h"
#include "common/uv_env.h"
#include "raftstore/server.h"
#include "raftstore/store_api.h"
#include "raftstore/store_limits.h"

#include <stdio.h>
#include <unistd.h>

struct member_alone {
    char folder[40];
    struct uv_env *uv;
    struct env *env;
    struct apply *apply;
    struct machine machine;
    struct server *server;
    struct configuration members;
    uint64_t index;
    struct list proposals, reads;
    struct deferred work, look;
    struct timer patience;
    bool holds_reads, leaderless, timed_out;
    const uint64_t *wanted;
    uint64_t at_least;
};

/* What the front was told, newest last; `text`: a word for each, and what it said. */
struct asker {
    struct caller caller;
    struct net_peer peer;
    struct buf text;
    uint64_t answers, told;
    int64_t revision;
    bool full;
    uint8_t session[STORE_ID_BYTES];
};

static struct asker *asker_of(struct caller *c) { return container_of(c, struct asker, caller); }

/* --- the front --- */

static struct asker *answered(struct caller *c, const struct kv_header *h)
{
    struct asker *a = asker_of(c);
    a->answers++;
    a->told++;
    a->revision = h->revision;
    assert_int_equal(h->member_id, 1);
    assert_int_equal(h->term, 7);
    return a;
}

static void on_error(struct caller *c, uint64_t id, const struct kv_header *h, int status, const char *message)
{
    buf_printf(&answered(c, h)->text, "[%llu error %s]", (unsigned long long)id, message);
    assert_int_not_equal(status, 0);
}

static void on_written(struct caller *c, uint64_t id, const struct kv_header *h, struct slice result)
{
    struct unpack u = unpack_of(result);
    struct store_result head;
    assert_true(result_decode(&u, &head));
    if (head.kind == RESULT_SESSION)
        memcpy(asker_of(c)->session, unpack_bytes(&u).data, STORE_ID_BYTES);
    buf_printf(&answered(c, h)->text, "[%llu written %lld%s]", (unsigned long long)id, (long long)head.revision,
               head.status == 0 ? "" : err_text(head.status));
}

static void put_kvs(struct buf *text, const struct kv *kvs, size_t n)
{
    for (size_t i = 0; i < n; i++)
        buf_printf(text, " %.*s=%.*s", SLICE_ARGS(kvs[i].key), SLICE_ARGS(kvs[i].value));
}

static void on_range(struct caller *c, uint64_t id, const struct kv_header *h, const struct kv_range_result *last)
{
    struct buf *text = &answered(c, h)->text;
    buf_printf(text, "[%llu range %lld", (unsigned long long)id, (long long)last->count);
    if (last->kv_count < 10)
        put_kvs(text, last->kvs, last->kv_count);
    buf_append_char(text, ']');
}

static void on_status(struct caller *c, uint64_t id, const struct kv_header *h, const struct member_status *m)
{
    buf_printf(&answered(c, h)->text, "[%llu status leader %llu learner %d]", (unsigned long long)id,
               (unsigned long long)m->consensus.leader, m->learner);
}

static void on_hash(struct caller *c, uint64_t id, const struct kv_header *h, const struct member_hash *m)
{
    buf_printf(&answered(c, h)->text, "[%llu hash %d %lld]", (unsigned long long)id, m->state != 0, (long long)m->compact_revision);
}

static void on_leases(struct caller *c, uint64_t id, const struct kv_header *h, const struct lease_list *l)
{
    struct buf *text = &answered(c, h)->text;
    buf_printf(text, "[%llu leases", (unsigned long long)id);
    for (size_t i = 0; i < l->count; i++)
        buf_printf(text, " %lld:%zu", (long long)l->leases[i]->id, l->with_keys ? l->leases[i]->keys.size : 0);
    buf_append_char(text, ']');
}

static void on_members(struct caller *c, uint64_t id, const struct kv_header *h, const struct configuration *members)
{
    buf_printf(&answered(c, h)->text, "[%llu members %zu %s]", (unsigned long long)id, members->count, members->members[0].name);
}

static void on_snapshot(struct caller *c, uint64_t id, const struct kv_header *h, struct slice bytes, bool last)
{
    buf_printf(&answered(c, h)->text, "[%llu snapshot %d %d]", (unsigned long long)id, bytes.size > 0, last);
}

static void on_part(struct caller *c, uint64_t id, const struct kv *kvs, size_t n)
{
    (void)kvs;
    asker_of(c)->told++;
    assert_true(n > 0);
    buf_printf(&asker_of(c)->text, "[%llu part]", (unsigned long long)id);
}

/* This front's encoding of an event: words. */
static void word_encode(struct buf *out, const struct kv_event *e, bool with_prev)
{
    buf_printf(out, " %s%.*s", e->is_delete ? "-" : "+", SLICE_ARGS(e->kv.key));
    if (with_prev)
        buf_printf(out, "(was %.*s)", SLICE_ARGS(e->prev.value));
}

static void on_events(struct caller *c, uint64_t watch, int64_t revision, bool end, size_t n, struct slice events)
{
    asker_of(c)->told++;
    buf_printf(&asker_of(c)->text, "[%llu events %lld %d %zu%.*s]", (unsigned long long)watch, (long long)revision, end, n,
               SLICE_ARGS(events));
}

static void on_progress(struct caller *c, uint64_t watch, int64_t revision, bool asked)
{
    asker_of(c)->told++;
    buf_printf(&asker_of(c)->text, "[%llu progress %lld %d]", (unsigned long long)watch, (long long)revision, asked);
}

static void on_closed(struct caller *c, uint64_t watch, int status, int64_t compact_revision, const char *message)
{
    asker_of(c)->told++;
    buf_printf(&asker_of(c)->text, "[%llu closed %lld %s]", (unsigned long long)watch, (long long)compact_revision, message);
    assert_int_not_equal(status, 0);
}

static bool is_full(const struct caller *c) { return container_of(c, struct asker, caller)->full; }

static void on_refuse(struct caller *c, int status, const char *message)
{
    (void)message;
    buf_printf(&asker_of(c)->text, "[refused %s]", err_text(status));
}

static const struct caller_front words = {
    .error = on_error, .written = on_written, .range = on_range, .status = on_status, .hash = on_hash, .leases = on_leases,
    .members = on_members, .snapshot = on_snapshot, .part = on_part, .format = CALLER_FORMATS_END - 1, .event_encode = word_encode,
    .events = on_events, .progress = on_progress, .closed = on_closed, .full = is_full, .refuse = on_refuse};

/* --- one member's consensus --- */

static void work(struct deferred *d)
{
    struct member_alone *m = container_of(d, struct member_alone, work);
    struct list proposals, reads;
    list_init(&proposals);
    list_init(&reads);
    list_splice(&proposals, &m->proposals);
    if (!m->holds_reads)
        list_splice(&reads, &m->reads);
    LIST_FOR_EACH(node, &proposals)
    {
        struct proposal *p = container_of(node, struct proposal, link);
        list_remove(node);
        m->machine.ops->apply(m->machine.impl, ++m->index, 7, bytes_slice(p->data));
        p->done(p, 0, m->index);
    }
    LIST_FOR_EACH(read_node, &reads)
    {
        list_remove(read_node);
        struct read_index *r = container_of(read_node, struct read_index, link);
        r->done(r, m->leaderless ? ERR_NOT_LEADER : 0);
    }
}

static void propose(void *impl, struct proposal *p)
{
    struct member_alone *m = impl;
    list_push_back(&m->proposals, &p->link);
    loop_defer(&m->env->loop, &m->work);
}

static void read_index(void *impl, struct read_index *r)
{
    struct member_alone *m = impl;
    list_push_back(&m->reads, &r->link);
    loop_defer(&m->env->loop, &m->work);
}

static void status(void *impl, struct driver_status *ret)
{
    struct member_alone *m = impl;
    *ret = (struct driver_status){.member_id = 1, .term = 7, .applied_index = m->index};
    ret->leader = m->leaderless ? 0 : 1;
    ret->role = m->leaderless ? ROLE_FOLLOWER : ROLE_LEADER;
}

static const struct configuration *configuration(void *impl, bool newest)
{
    (void)newest;
    return &((struct member_alone *)impl)->members;
}

static void events(void *arg, int64_t revision, const struct kv_event *e, size_t n)
{
    server_events(((struct member_alone *)arg)->server, revision, e, n);
}

static void result(void *arg, const struct store_command *c, struct slice bytes)
{
    server_result(((struct member_alone *)arg)->server, c, bytes);
}

static void entry(void *arg, uint64_t index) { server_entry(((struct member_alone *)arg)->server, index); }
static void restored(void *arg) { server_restored(((struct member_alone *)arg)->server); }

static bool pass(void *impl, uint64_t to, struct slice bytes, bool bulk)
{
    (void)impl, (void)to, (void)bytes, (void)bulk;
    return false; /* it is alone */
}

/* `number`: of the case; each has a port of its own, so that one that fails does not take the next one's. */
static void up(struct member_alone *m, int number, const struct roles *roles)
{
    struct err err = {0};
    char address[64];
    m->uv = uv_env_new("store-api-test", LOG_ERROR);
    m->env = uv_env_env(m->uv);
    snprintf(m->folder, sizeof m->folder, "/tmp/store_api_test.XXXXXX");
    assert_non_null(mkdtemp(m->folder));
    assert_ok(uv_env_add_disk(m->uv, m->folder, &err));
    list_init(&m->proposals);
    list_init(&m->reads);
    deferred_init(&m->work, work);
    m->members = (struct configuration){.count = 1, .members = {{.id = 1, .voter = true, .name = "alone"}}};
    m->apply = apply_new(&(struct apply_options){.on_events = events, .on_result = result, .on_entry = entry, .on_restored = restored, .arg = m});
    m->machine = apply_machine(m->apply);
    snprintf(address, sizeof address, "127.0.0.1:%d", 20000 + getpid() % 500 * 8 + number);
    struct server_options o = {.cluster_id = "test cluster 16", .member_id = 1, .address = address, .apply = m->apply, .roles = roles,
                               .consensus = {.propose = propose, .read_index = read_index, .status = status,
                                             .configuration = configuration, .pass = pass, .impl = m}};
    if (server_new(m->env, &o, &m->server, &err) != 0)
        fail_msg("%s", err.message);
    server_changed(m->server);
}

static void look(struct deferred *d)
{
    struct member_alone *m = container_of(d, struct member_alone, look);
    if (*m->wanted >= m->at_least)
        uv_env_stop(m->uv);
    else
        loop_defer(&m->env->loop, &m->look);
}

static void out_of_patience(struct timer *t)
{
    struct member_alone *m = container_of(t, struct member_alone, patience);
    m->timed_out = true;
    uv_env_stop(m->uv);
}

static void await(struct member_alone *m, const uint64_t *number, uint64_t at_least)
{
    m->wanted = number;
    m->at_least = at_least;
    deferred_init(&m->look, look);
    timer_init(&m->patience, out_of_patience);
    loop_timer_start(&m->env->loop, &m->patience, 20000);
    loop_defer(&m->env->loop, &m->look);
    uv_env_run(m->uv, NULL, NULL);
    loop_undefer(&m->env->loop, &m->look);
    loop_timer_stop(&m->env->loop, &m->patience);
    assert_false(m->timed_out);
}

static void gone(void *arg) { ++*(uint64_t *)arg; }

static void down(struct member_alone *m)
{
    uint64_t closed = 0;
    server_close(m->server, gone, &closed);
    await(m, &closed, 1);
    apply_free(m->apply);
    uv_env_free(m->uv);
    char lock[64];
    snprintf(lock, sizeof lock, "%s/lock", m->folder);
    assert_ok(unlink(lock));
    assert_ok(rmdir(m->folder));
}

static void ask(struct asker *a, struct member_alone *m, const char *name)
{
    *a = (struct asker){0};
    snprintf(a->peer.common_name, sizeof a->peer.common_name, "%s", name);
    caller_begin(&a->caller, m->server, &words, &a->peer);
}

static void leave(struct asker *a)
{
    caller_end(&a->caller);
    buf_release(&a->text);
}

/* What was told since the last time is `wanted`. */
static void assert_told(struct asker *a, const char *wanted)
{
    buf_append_char(&a->text, '\0');
    assert_string_equal(a->text.data, wanted);
    buf_reset(&a->text);
}

static void write_command(struct asker *a, uint64_t id, struct store_command c)
{
    memcpy(c.client, a->session, STORE_ID_BYTES);
    serve_write(&a->caller, id, &c);
}

static void put(struct asker *a, uint64_t id, uint64_t sequence, const char *key, const char *value, int64_t lease)
{
    struct kv_op op = {.kind = KV_OP_PUT, .put = {.key = slice_str(key), .value = slice_str(value), .lease = lease}};
    struct buf body = {0};
    txn_encode(&body, &(struct kv_txn){.success = &op, .success_count = 1});
    write_command(a, id, (struct store_command){.sequence = sequence, .oldest = sequence, .kind = COMMAND_TXN, .body = buf_slice(&body)});
    buf_release(&body);
}

static void open_session(struct member_alone *m, struct asker *a)
{
    memcpy(a->session, "a nonce, 16 long", STORE_ID_BYTES);
    write_command(a, 1, (struct store_command){.kind = COMMAND_SESSION_OPEN});
    await(m, &a->answers, 1);
    assert_told(a, "[1 written 1]");
}

/* --- cases --- */

static void requests_are_answered_as_values(void **state)
{
    struct member_alone m = {0};
    struct asker a;
    (void)state;
    up(&m, 0, NULL);
    ask(&a, &m, "root");
    open_session(&m, &a);
    put(&a, 2, 1, "a", "1", 0);
    await(&m, &a.answers, 2);
    assert_told(&a, "[2 written 2]");
    assert_int_equal(a.revision, 2);

    serve_range(&a.caller, 3, &(struct kv_range){.span = {SLICE("a"), SLICE("b")}, .serializable = true});
    assert_told(&a, "[3 range 1 a=1]"); /* within the call */
    serve_range(&a.caller, 4, &(struct kv_range){.span = {SLICE("a"), SLICE("")}});
    assert_told(&a, "");
    await(&m, &a.answers, 4);
    assert_told(&a, "[4 range 1 a=1]"); /* after a round */
    serve_range(&a.caller, 5, &(struct kv_range){.span = {SLICE("a"), SLICE("")}, .revision = 9, .serializable = true});
    assert_told(&a, "[5 error etcdserver: mvcc: required revision is a future revision: 9 was asked for, and the newest is 2]");

    serve_status(&a.caller, 6);
    serve_hash(&a.caller, 7);
    serve_members(&a.caller, 8, true);
    assert_told(&a, "[6 status leader 1 learner 0][7 hash 1 0][8 members 1 alone]");
    serve_members(&a.caller, 9, false);
    await(&m, &a.answers, 9);
    assert_told(&a, "[9 members 1 alone]");
    leave(&a);
    down(&m);
}

static void leases_and_snapshots(void **state)
{
    struct member_alone m = {0};
    struct asker a;
    struct buf body = {0};
    (void)state;
    up(&m, 1, NULL);
    ask(&a, &m, "root");
    open_session(&m, &a);
    pack_int(&body, 77);
    pack_int(&body, 60);
    write_command(&a, 2, (struct store_command){.sequence = 1, .oldest = 1, .kind = COMMAND_LEASE_GRANT, .body = buf_slice(&body)});
    put(&a, 3, 2, "held", "x", 77);
    await(&m, &a.answers, 3);
    assert_told(&a, "[2 written 1][3 written 2]");
    serve_leases(&a.caller, 4, 0, true);
    serve_leases(&a.caller, 5, 77, true);
    serve_leases(&a.caller, 6, 78, true);
    assert_told(&a, "[4 leases 77:0][5 leases 77:1][6 leases]");
    serve_snapshot(&a.caller, 7, 1);
    await(&m, &a.answers, 7);
    buf_reset(&a.text);
    serve_snapshot(&a.caller, 8, 0);
    await(&m, &a.answers, 8);
    assert_told(&a, "[8 snapshot 1 0]");
    buf_release(&body);
    leave(&a);
    down(&m);
}

/* Two callers of one format: each event is encoded once for both. Its previous value is another encoding. */
static void events_come_in_the_fronts_own_words(void **state)
{
    struct member_alone m = {0};
    struct asker a, b;
    (void)state;
    up(&m, 2, NULL);
    ask(&a, &m, "root");
    ask(&b, &m, "root");
    open_session(&m, &a);
    serve_watch(&a.caller, &(struct watch_request){.id = 1, .span = {SLICE("a"), SLICE("b")}});
    serve_watch(&b.caller, &(struct watch_request){.id = 9, .span = {SLICE("a"), SLICE("b")}, .prev_kv = true});
    assert_told(&a, "[1 progress 1 0]");
    assert_told(&b, "[9 progress 1 0]");
    put(&a, 2, 1, "a", "1", 0);
    put(&a, 3, 2, "a", "2", 0);
    put(&a, 4, 3, "z", "not watched", 0);
    await(&m, &a.answers, 4);
    assert_told(&a, "[1 events 2 1 1 +a][2 written 2][1 events 3 1 1 +a][3 written 3][4 written 4]");
    assert_told(&b, "[9 events 2 1 1 +a][9 events 3 1 1 +a(was 1)]");
    serve_watch_ask(&b.caller, 9);
    await(&m, &b.told, 4);
    assert_told(&b, "[9 progress 4 1]");
    serve_watch(&b.caller, &(struct watch_request){.id = 10, .span = {SLICE("a"), SLICE("b")}, .start_revision = 2});
    await(&m, &b.told, 7);
    assert_told(&b, "[10 events 2 1 1 +a][10 events 3 1 1 +a][10 progress 4 0]");
    serve_watch_stop(&b.caller, 9);
    serve_watch_stop(&b.caller, 9);
    assert_told(&b, "[9 closed 0 stopped]");
    leave(&a);
    leave(&b);
    down(&m);
}

/* A snapshot replaces the state while a watch waits for a revision to come: it goes on waiting for it, and is told of none before. */
static void a_watch_of_the_future_outlives_a_snapshot(void **state)
{
    struct member_alone m = {0};
    struct asker a;
    (void)state;
    up(&m, 7, NULL);
    ask(&a, &m, "root");
    open_session(&m, &a);
    serve_watch(&a.caller, &(struct watch_request){.id = 1, .span = {SLICE("a"), SLICE("b")}, .start_revision = 4});
    server_restored(m.server);
    put(&a, 2, 1, "a", "1", 0);
    put(&a, 3, 2, "a", "2", 0);
    await(&m, &a.answers, 3);
    assert_told(&a, "[2 written 2][1 progress 3 0][3 written 3]");
    put(&a, 4, 3, "a", "3", 0);
    await(&m, &a.answers, 4);
    assert_told(&a, "[1 events 4 1 1 +a][4 written 4]");
    leave(&a);
    down(&m);
}

/* A long answer waits while the front is full, goes on when it has drained, and stops when the caller goes. */
static void long_answers_wait_for_the_front(void **state)
{
    struct member_alone m = {0};
    struct asker a;
    static char value[3000];
    (void)state;
    memset(value, 'v', sizeof value - 1);
    up(&m, 3, NULL);
    ask(&a, &m, "root");
    open_session(&m, &a);
    for (int i = 0; i < 2000; i++) {
        char key[16];
        snprintf(key, sizeof key, "k%05d", i);
        put(&a, 2, (uint64_t)i + 1, key, value, 0);
    }
    await(&m, &a.answers, 2001);
    buf_reset(&a.text);
    a.full = true;
    serve_range(&a.caller, 3, &(struct kv_range){.span = {SLICE("k"), SLICE("l")}, .serializable = true});
    assert_told(&a, "");
    serve_status(&a.caller, 4);
    assert_told(&a, "[4 status leader 1 learner 0]");
    a.full = false;
    caller_drained(&a.caller);
    await(&m, &a.answers, 2003);
    buf_append_char(&a.text, '\0');
    assert_non_null(strstr(a.text.data, "[3 part][3 part]"));
    assert_non_null(strstr(a.text.data, "[3 range 2000"));
    a.full = true;
    serve_range(&a.caller, 5, &(struct kv_range){.span = {SLICE("k"), SLICE("l")}, .serializable = true});
    leave(&a); /* its held revision goes with it: down would find it */
    down(&m);
}

static void a_caller_may_go_with_everything_open(void **state)
{
    struct member_alone m = {.holds_reads = true};
    struct asker a, b;
    uint64_t turns = 0;
    (void)state;
    up(&m, 4, NULL);
    ask(&a, &m, "root");
    ask(&b, &m, "root");
    memcpy(a.session, "a nonce, 16 long", STORE_ID_BYTES);
    write_command(&a, 1, (struct store_command){.kind = COMMAND_SESSION_OPEN});
    serve_range(&a.caller, 2, &(struct kv_range){.span = {SLICE("a"), SLICE("")}});
    serve_watch(&a.caller, &(struct watch_request){.id = 1, .span = {SLICE("a"), SLICE("b")}});
    serve_watch_ask(&a.caller, 1);
    serve_snapshot(&a.caller, 3, 0);
    leave(&a);
    m.holds_reads = false;
    open_session(&m, &b); /* the write went on: under the same identity it is answered */
    loop_defer(&m.env->loop, &m.work);
    await(&m, &turns, 0);
    leave(&b);
    down(&m);
}

/* Nobody waits at a member that knows no leader: another may have one. */
static void without_a_leader_callers_are_sent_elsewhere(void **state)
{
    struct member_alone m = {0};
    struct asker a;
    (void)state;
    up(&m, 5, NULL);
    ask(&a, &m, "root");
    open_session(&m, &a);
    m.leaderless = true;
    server_changed(m.server);
    uint64_t began = clock_monotonic_ms(&m.env->clock);
    put(&a, 2, 1, "a", "1", 0);
    serve_range(&a.caller, 3, &(struct kv_range){.span = {SLICE("a"), SLICE("")}});
    await(&m, &a.answers, 3);
    uint64_t waited = clock_monotonic_ms(&m.env->clock) - began;
    assert_true(waited >= LEADERLESS_MS); /* an election may end first */
    assert_told(&a, "[2 error etcdserver: no leader: this member knows none, ask another; the write may still happen]"
                    "[3 error etcdserver: no leader: this member knows none, ask another]");
    serve_range(&a.caller, 4, &(struct kv_range){.span = {SLICE("a"), SLICE("")}, .serializable = true});
    assert_told(&a, "[4 range 0]");
    m.leaderless = false;
    server_changed(m.server);
    put(&a, 5, 1, "a", "1", 0); /* the same sequence: it happens once, now */
    await(&m, &a.answers, 5);
    assert_told(&a, "[5 written 2]");
    leave(&a);
    down(&m);
}

static void rights_are_the_servers_matter(void **state)
{
    struct member_alone m = {0};
    struct asker a;
    struct roles *roles = NULL;
    struct err err;
    (void)state;
    assert_ok(roles_parse(SLICE("cn:reader=read:/a/"), &roles, &err));
    up(&m, 6, roles);
    ask(&a, &m, "reader");
    serve_range(&a.caller, 1, &(struct kv_range){.span = {SLICE("/a/x"), SLICE("")}, .serializable = true});
    assert_told(&a, "[1 range 0]");
    serve_range(&a.caller, 2, &(struct kv_range){.span = {SLICE("/b"), SLICE("")}, .serializable = true});
    assert_told(&a, "[2 error etcdserver: permission denied: this certificate may not read all of these keys]");
    serve_snapshot(&a.caller, 3, 0);
    assert_told(&a, "[3 error etcdserver: permission denied: this certificate's roles do not allow it]");
    put(&a, 4, 1, "/a/x", "1", 0);
    assert_told(&a, "[4 error etcdserver: permission denied: this certificate's roles do not allow the write]");
    serve_watch(&a.caller, &(struct watch_request){.id = 5, .span = {SLICE("/b"), SLICE("")}});
    assert_told(&a, "[5 closed 0 etcdserver: permission denied: this certificate may not read all of these keys]");
    leave(&a);
    ask(&a, &m, "nobody");
    serve_status(&a.caller, 6);
    assert_told(&a, "[6 error etcdserver: permission denied: this certificate's roles do not allow it]");
    leave(&a);
    down(&m);
    roles_free(roles);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(requests_are_answered_as_values),     cmocka_unit_test(leases_and_snapshots),
        cmocka_unit_test(events_come_in_the_fronts_own_words), cmocka_unit_test(long_answers_wait_for_the_front),
        cmocka_unit_test(a_watch_of_the_future_outlives_a_snapshot),
        cmocka_unit_test(a_caller_may_go_with_everything_open), cmocka_unit_test(without_a_leader_callers_are_sent_elsewhere),
        cmocka_unit_test(rights_are_the_servers_matter),
    };
    return RUN_TESTS(tests);
}
