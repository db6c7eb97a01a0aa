/* Three members over real loopback connections: messages arrive, a wrong cluster is refused, a member that goes away and
 * comes back is connected again; and peer messages survive encoding, truncation and noise. */
#include "common/base.h"

#include "common/mem.h"
#include "common/random.h"
#include "common/uv_env.h"
#include "raftstore/peer.h"
#include "raftstore/peer_wire.h"
#include "tests/test.h"

#include <stdio.h>
#include <unistd.h>

#define PORT (20000 + getpid() % 500 * 4) /* runs beside each other do not meet */

struct world {
    struct uv_env *uv;
    struct peer *peers[3];
    unsigned received, wanted, lost, closed, steps, refusals;
    uint64_t refused_index;
    struct timer poll;
    uint64_t last_from, until_ns;
    bool (*until)(struct world *w);
};

static void on_message(void *arg, uint64_t from, struct slice message)
{
    struct world *w = arg;
    w->received++;
    w->last_from = from;
    assert_true(message.size >= 2);
}

static void on_lost(void *arg, uint64_t member)
{
    (void)member;
    ((struct world *)arg)->lost++;
}

static void on_refused(void *arg, uint64_t member, uint64_t configuration_index, const char *why)
{
    struct world *w = arg;
    assert_int_equal(member, 1);
    assert_non_null(strstr(why, "no member"));
    w->refusals++;
    w->refused_index = configuration_index;
}

static int start_peer(struct world *w, size_t i, uint8_t cluster)
{
    static const struct peer_member members[] = {{1, "127.0.0.1:21100"}, {2, "127.0.0.1:21101"}, {3, "127.0.0.1:21102"}};
    struct peer_options o = {.member_id = i + 1, .listen_address = members[i].address, .members = members,
                             .member_count = 3, .on_lost = on_lost};
    struct err e;
    memset(o.cluster_id, cluster, sizeof o.cluster_id);
    return peer_new(uv_env_env(w->uv), &o, on_message, w, &w->peers[i], &e);
}

static void poll_due(struct timer *t)
{
    struct world *w = container_of(t, struct world, poll);
    assert_true(++w->steps < 2000);
    if (w->until(w))
        uv_env_stop(w->uv);
    else
        loop_timer_start(&uv_env_env(w->uv)->loop, t, 5);
}

static void wait_for(struct world *w, bool (*until)(struct world *w))
{
    w->until = until;
    w->steps = 0;
    timer_init(&w->poll, poll_due);
    loop_timer_start(&uv_env_env(w->uv)->loop, &w->poll, 0);
    uv_env_run(w->uv, NULL, NULL);
}

static bool first_two(struct world *w) { return peer_connected(w->peers[0], 2) && peer_connected(w->peers[1], 1); }
static bool got_wanted(struct world *w) { return w->received >= w->wanted; }
static bool was_lost(struct world *w) { return w->lost > 0 && !peer_connected(w->peers[0], 2); }
static bool no_open(struct world *w) { return w->closed >= w->wanted; }
static void peer_closed(void *arg) { ((struct world *)arg)->closed++; }

static void send_many(struct world *w, size_t from, uint64_t to, size_t n)
{
    struct transport t = peer_transport(w->peers[from]);
    for (size_t i = 0; i < n; i++) {
        struct buf b = {0};
        struct peer_message m = {.kind = PEER_PING, .ping = {.term = 1, .round = i}};
        peer_message_encode(&m, &b);
        assert_true(t.ops->window(t.impl, to, false) > b.size);
        t.ops->send(t.impl, to, buf_slice(&b), false);
        buf_release(&b);
    }
}

static void close_peer(struct world *w, size_t i)
{
    w->wanted = w->closed + 1;
    peer_close(w->peers[i], peer_closed, w);
    wait_for(w, no_open);
}

static void connect_and_reconnect(void **state)
{
    struct world w = {.uv = uv_env_new("test", LOG_ERROR)};
    (void)state;
    assert_ok(start_peer(&w, 0, 7));
    struct transport t = peer_transport(w.peers[0]);
    assert_int_equal(t.ops->window(t.impl, 2, false), 0); /* not connected: nothing can be sent */
    assert_ok(start_peer(&w, 1, 7));
    wait_for(&w, first_two);
    w.wanted = 300;
    send_many(&w, 0, 2, 300);
    wait_for(&w, got_wanted);
    assert_int_equal(w.last_from, 1);
    close_peer(&w, 1);
    wait_for(&w, was_lost);
    assert_ok(start_peer(&w, 1, 7));
    wait_for(&w, first_two);
    w.wanted = w.received + 1;
    send_many(&w, 1, 1, 1);
    wait_for(&w, got_wanted);
    close_peer(&w, 0);
    close_peer(&w, 1);
    uv_env_free(w.uv);
}

static bool back_from_second(struct world *w) { return peer_connected(w->peers[1], 1); }
static bool in_time(struct world *w) { return clock_monotonic_ns(&uv_env_env(w->uv)->clock) >= w->until_ns; }

static void sit_out(struct world *w, uint64_t ms)
{
    w->until_ns = clock_monotonic_ns(&uv_env_env(w->uv)->clock) + ms * 1000000;
    wait_for(w, in_time);
}

/* Who has waited for a member for long is connected as soon as that one is back and dials: not half a second later. Three times, so
 * that it is no chance: in three it would be three quarters of a second. */
static void dialled_back_at_once(void **state)
{
    struct world w = {.uv = uv_env_new("test", LOG_ERROR)};
    uint64_t waited_ns = 0;
    (void)state;
    assert_ok(start_peer(&w, 0, 7));
    for (int i = 0; i < 3; i++) {
        sit_out(&w, 900);
        assert_ok(start_peer(&w, 1, 7));
        wait_for(&w, back_from_second);
        uint64_t from_ns = clock_monotonic_ns(&uv_env_env(w.uv)->clock);
        wait_for(&w, first_two);
        waited_ns += clock_monotonic_ns(&uv_env_env(w.uv)->clock) - from_ns;
        w.lost = 0;
        close_peer(&w, 1);
        wait_for(&w, was_lost);
    }
    assert_true(waited_ns < 300000000);
    close_peer(&w, 0);
    uv_env_free(w.uv);
}

static bool third_lost(struct world *w) { return w->lost >= 3; }

static void another_cluster_is_refused(void **state)
{
    struct world w = {.uv = uv_env_new("test", LOG_ERROR + 1)};
    (void)state;
    assert_ok(start_peer(&w, 0, 7));
    assert_ok(start_peer(&w, 2, 8));
    wait_for(&w, third_lost); /* it connects, says hello, is refused, again and again */
    assert_int_equal(w.received, 0);
    close_peer(&w, 0);
    close_peer(&w, 2);
    uv_env_free(w.uv);
}

/* `count` members, this one and the first ones, known with the configuration at `index`. */
static void start_configured(struct world *w, size_t i, size_t count, uint64_t index)
{
    static const struct peer_member members[] = {{1, "127.0.0.1:21100"}, {2, "127.0.0.1:21101"}, {3, "127.0.0.1:21102"}};
    struct peer_options o = {.member_id = i + 1, .listen_address = members[i].address, .members = members, .member_count = count,
                             .configuration_index = index, .on_lost = on_lost, .on_refused = on_refused};
    struct err e;
    memset(o.cluster_id, 7, sizeof o.cluster_id);
    assert_ok(peer_new(uv_env_env(w->uv), &o, on_message, w, &w->peers[i], &e));
}

static bool refused_twice(struct world *w) { return w->refusals >= 2; }
static bool first_and_third(struct world *w) { return peer_connected(w->peers[0], 3) && peer_connected(w->peers[2], 1); }
static bool third_is_gone(struct world *w) { return !peer_connected(w->peers[0], 3) && w->refusals >= 2; }

/* A stranger that knows no more than we do is told so; one that knows a later configuration is let in and dialled back; a
 * member that is removed at run time is let go and told. */
static void members_come_and_go(void **state)
{
    static const struct peer_member two[] = {{1, "127.0.0.1:21100"}, {2, "127.0.0.1:21101"}};
    struct world w = {.uv = uv_env_new("test", LOG_ERROR + 1)};
    (void)state;
    start_configured(&w, 0, 1, 10);
    start_configured(&w, 2, 3, 10);
    wait_for(&w, refused_twice);
    assert_int_equal(w.refused_index, 10);
    assert_int_equal(w.received, 0);
    close_peer(&w, 2);
    start_configured(&w, 2, 3, 11);
    wait_for(&w, first_and_third);
    w.wanted = w.received + 1;
    send_many(&w, 0, 3, 1);
    wait_for(&w, got_wanted);
    w.refusals = 0;
    peer_configure(w.peers[0], two, 2, 12);
    wait_for(&w, third_is_gone);
    assert_int_equal(w.refused_index, 12);
    close_peer(&w, 0);
    close_peer(&w, 2);
    uv_env_free(w.uv);
}

static void address_in_use(void **state)
{
    struct world w = {.uv = uv_env_new("test", LOG_ERROR)};
    (void)state;
    assert_ok(start_peer(&w, 0, 7));
    struct peer *first = w.peers[0];
    assert_int_equal(start_peer(&w, 0, 7), ERR_ADDRESS_IN_USE);
    w.peers[0] = first;
    close_peer(&w, 0);
    uv_env_free(w.uv);
}

static void wire(void **state)
{
    struct bytes *data = bytes_new(SLICE("some data"));
    struct entry entries[2] = {{4, ENTRY_COMMAND, data}, {5, ENTRY_BARRIER, data}};
    struct peer_message m = {.kind = PEER_CONSENSUS}, back;
    struct buf b = {0};
    struct prng p;
    (void)state;
    m.consensus.kind = MESSAGE_APPEND;
    m.consensus.append.term = 6;
    m.consensus.append.prev_index = 41;
    m.consensus.entries = entries;
    m.consensus.entry_count = 2;
    peer_message_encode(&m, &b);
    assert_ok(peer_message_decode(buf_slice(&b), 9, 1, &back, NULL));
    assert_int_equal(back.consensus.from, 9);
    assert_int_equal(back.consensus.entry_count, 2);
    assert_slice_equal(bytes_slice(back.consensus.entries[1].data), "some data");
    peer_message_release(&back);
    for (size_t n = 0; n < b.size; n++)
        assert_int_not_equal(peer_message_decode(slice_of(b.data, n), 9, 1, &back, NULL), 0);
    prng_seed(&p, 11);
    for (int i = 0; i < 20000; i++) {
        struct buf noisy = {0};
        buf_append_slice(&noisy, buf_slice(&b));
        for (uint64_t k = prng_next(&p) % 4; k-- > 0;)
            noisy.data[prng_next(&p) % noisy.size] = (char)prng_next(&p);
        if (peer_message_decode(buf_slice(&noisy), 9, 1, &back, NULL) == 0)
            peer_message_release(&back);
        buf_release(&noisy);
    }
    b.data[0] = 2;
    assert_int_equal(peer_message_decode(buf_slice(&b), 9, 1, &back, NULL), ERR_FORMAT);
    buf_reset(&b);
    peer_message_encode(&(struct peer_message){.kind = PEER_STORE, .store = SLICE("what a server says")}, &b);
    assert_ok(peer_message_decode(buf_slice(&b), 9, 1, &back, NULL));
    assert_slice_equal(back.store, "what a server says");
    buf_release(&b);
    bytes_unref(data);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(connect_and_reconnect), cmocka_unit_test(dialled_back_at_once),
        cmocka_unit_test(another_cluster_is_refused), cmocka_unit_test(members_come_and_go),
        cmocka_unit_test(address_in_use),
        cmocka_unit_test(wire),
    };
    return RUN_TESTS(tests);
}
