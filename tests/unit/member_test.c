/* Configurations: bytes and back, noise, what changes are refused with; and the files that say who owns a folder. */
#include "common/base.h"

#include "common/mem.h"
#include "common/random.h"
#include "raftstore/identity.h"
#include "tests/sim/sim.h"
#include "tests/test.h"

#include <stdio.h>

static struct member member_of(uint64_t id, bool voter)
{
    struct member m = {.id = id, .voter = voter};
    snprintf(m.name, sizeof m.name, "m%llu", (unsigned long long)id);
    snprintf(m.peer_address, sizeof m.peer_address, "10.0.0.%llu:2380", (unsigned long long)id);
    snprintf(m.client_address, sizeof m.client_address, "10.0.0.%llu:2379", (unsigned long long)id);
    return m;
}

static struct configuration of(size_t voters)
{
    struct configuration c = {0};
    for (size_t i = 0; i < voters; i++)
        c.members[c.count++] = member_of(i + 1, true);
    return c;
}

static void bytes_and_back(void **state)
{
    struct configuration c = of(CONSENSUS_MEMBERS_MAX), back;
    struct buf b = {0};
    struct err e;
    (void)state;
    c.members[3].voter = false;
    c.members[3].automatic = true;
    c.members[3].replaces = 77;
    memset(c.members[4].name, 'x', MEMBER_TEXT_MAX - 1);
    configuration_encode(&c, &b);
    assert_true(b.size <= CONFIGURATION_BYTES_MAX);
    assert_ok(configuration_decode(buf_slice(&b), &back, &e));
    assert_int_equal(back.count, c.count);
    for (size_t i = 0; i < c.count; i++) {
        assert_int_equal(back.members[i].id, c.members[i].id);
        assert_int_equal(back.members[i].voter, c.members[i].voter);
        assert_int_equal(back.members[i].replaces, c.members[i].replaces);
        assert_string_equal(back.members[i].name, c.members[i].name);
        assert_string_equal(back.members[i].client_address, c.members[i].client_address);
    }
    for (size_t cut = 0; cut < b.size; cut++)
        assert_true(configuration_decode(slice_of(b.data, cut), &back, &e) < 0);
    b.data[0] = 9;
    assert_int_equal(configuration_decode(buf_slice(&b), &back, &e), ERR_FORMAT);
    buf_release(&b);
}

static void noise_is_refused(void **state)
{
    struct prng prng;
    prng_seed(&prng, 5);
    struct random r = prng_random(&prng);
    struct configuration c = of(3), back;
    struct buf b = {0};
    (void)state;
    configuration_encode(&c, &b);
    for (int i = 0; i < 20000; i++) {
        char copy[CONFIGURATION_BYTES_MAX];
        memcpy(copy, b.data, b.size);
        for (int j = 0; j < 3; j++)
            copy[random_below(&r, b.size)] = (char)random_below(&r, 256);
        if (configuration_decode(slice_of(copy, b.size), &back, NULL) == 0) /* then it makes sense */
            for (size_t j = 0; j < back.count; j++)
                assert_true(back.members[j].id != 0 && strlen(back.members[j].peer_address) < MEMBER_TEXT_MAX);
    }
    buf_release(&b);
}

static void refused(int status, const struct err *e, int wanted, const char *text)
{
    assert_int_equal(status, wanted);
    assert_non_null(strstr(e->message, text));
}

static void changes(void **state)
{
    struct configuration c = of(3);
    struct member four = member_of(4, true), taken = member_of(5, false), bad = member_of(6, false);
    struct err e;
    (void)state;
    assert_ok(member_add(&c, &four, &e));
    assert_false(c.members[3].voter); /* whatever it says of itself */
    assert_ok(member_add(&c, &four, &e));
    assert_int_equal(c.count, 4);
    memcpy(taken.peer_address, four.peer_address, sizeof four.peer_address);
    refused(member_add(&c, &taken, &e), &e, ERR_EXISTS, "Peer URLs already exists");
    taken.id = 4;
    memcpy(taken.peer_address, "10.0.0.9:1", 11);
    refused(member_add(&c, &taken, &e), &e, ERR_EXISTS, "member ID already exist");
    memcpy(bad.peer_address, "nowhere", 8);
    refused(member_add(&c, &bad, &e), &e, ERR_INVALID, "URLs are invalid");
    refused(member_promote(&c, 4, false, &e), &e, ERR_CONFLICT, "which is in sync with leader");
    refused(member_promote(&c, 1, true, &e), &e, ERR_INVALID, "can only promote a learner member");
    refused(member_promote(&c, 99, true, &e), &e, ERR_NOT_FOUND, "member not found");
    assert_ok(member_promote(&c, 4, true, &e));
    assert_int_equal(configuration_voters(&c), 4);
    refused(member_update(&c, 4, "10.0.0.1:2380", "", &e), &e, ERR_EXISTS, "Peer URLs already exists");
    refused(member_update(&c, 4, "", "", &e), &e, ERR_INVALID, "URLs are invalid");
    assert_ok(member_update(&c, 4, "10.0.0.44:2380", "", &e));
    assert_string_equal(c.members[3].peer_address, "10.0.0.44:2380");
    assert_string_equal(c.members[3].client_address, "10.0.0.4:2379");
    refused(member_remove(&c, 99, &e), &e, ERR_NOT_FOUND, "member not found");
    for (uint64_t id = 1; id < 4; id++)
        assert_ok(member_remove(&c, id, &e));
    refused(member_remove(&c, 4, &e), &e, ERR_CONFLICT, "the last voter");
}

static void bounds(void **state)
{
    struct configuration c = of(1), full = of(MEMBER_NEW_MAX);
    struct member m, back = member_of(20, false);
    struct err e;
    (void)state;
    for (uint64_t id = 10; id < 10 + MEMBER_LEARNERS_MAX; id++) {
        m = member_of(id, false);
        assert_ok(member_add(&c, &m, &e));
    }
    m = member_of(30, false);
    refused(member_add(&c, &m, &e), &e, ERR_CONFLICT, "too many learner members");
    refused(member_add(&full, &m, &e), &e, ERR_CONFLICT, "too many members");
    back.replaces = 2; /* who lost his folder finds a place, at his old address too */
    memcpy(back.peer_address, full.members[1].peer_address, sizeof back.peer_address);
    assert_ok(member_add(&full, &back, &e));
    assert_int_equal(full.members[MEMBER_NEW_MAX].replaces, 2);
    assert_ok(member_remove(&full, 2, &e));
    assert_int_equal(full.members[MEMBER_NEW_MAX - 1].replaces, 0);
}

/* A folder is lost, and lost again: before the new id votes, and after. */
static void lost_twice(void **state)
{
    struct configuration c = of(3), before;
    struct member again = member_of(21, false), third = member_of(22, false), elsewhere = member_of(23, false);
    struct err e;
    (void)state;
    again.automatic = third.automatic = true;
    again.replaces = 2;
    memcpy(again.peer_address, c.members[1].peer_address, sizeof again.peer_address);
    assert_ok(member_add(&c, &again, &e));
    third.replaces = 21;
    memcpy(third.peer_address, again.peer_address, sizeof third.peer_address);
    before = c;
    memcpy(elsewhere.peer_address, again.peer_address, sizeof elsewhere.peer_address);
    refused(member_add(&c, &elsewhere, &e), &e, ERR_EXISTS, "Peer URLs already exists");
    elsewhere.replaces = 21;
    memcpy(elsewhere.peer_address, c.members[0].peer_address, sizeof elsewhere.peer_address);
    refused(member_add(&c, &elsewhere, &e), &e, ERR_EXISTS, "Peer URLs already exists");
    assert_memory_equal(&c, &before, sizeof c); /* a refusal leaves the learner where it was */
    assert_ok(member_add(&c, &third, &e));
    assert_null(configuration_member(&c, 21));
    assert_int_equal(configuration_member(&c, 22)->replaces, 2);
    assert_true(configuration_adjacent(&before, &c));
    assert_ok(member_promote(&c, 22, true, &e));
    assert_ok(member_remove(&c, 2, &e));
    assert_int_equal(configuration_member(&c, 22)->replaces, 0);
    again.replaces = 22;
    assert_ok(member_add(&c, &again, &e));
    assert_int_equal(configuration_member(&c, 21)->replaces, 22);
    assert_int_equal(c.count, 4);
}

static void adjacency(void **state)
{
    struct configuration three = of(3), four = of(4), five = of(5), other = of(3);
    (void)state;
    assert_true(configuration_adjacent(&three, &three));
    assert_true(configuration_adjacent(&three, &four));
    assert_true(configuration_adjacent(&four, &three));
    assert_false(configuration_adjacent(&three, &five));
    other.members[2].id = 9; /* one out and one in */
    assert_false(configuration_adjacent(&three, &other));
    five.members[4].voter = false;
    assert_true(configuration_adjacent(&three, &four) && configuration_adjacent(&four, &five));
}

/* --- files --- */

struct saving {
    struct file_save save;
    bool done;
    int status;
};

static void saved(struct file_save *s, int status, const struct err *why)
{
    struct saving *w = container_of(s, struct saving, save);
    (void)why;
    w->done = true;
    w->status = status;
}

static void files(void **state)
{
    struct sim *s = mem_alloc(sizeof *s);
    struct saving w = {.save.done = saved};
    struct identity identity = {.member_id = 5, .replaces = 4, .named_id = 3, .damaged = 2, .setting_aside = true}, back;
    struct configuration c = of(3), members;
    struct err e;
    (void)state;
    sim_init(s, &(struct sim_options){.seed = 1, .members = 3});
    struct sim_node *n = &s->nodes[0];
    n->up = true;
    assert_int_equal(identity_load(&n->env.disk, &back, &e), 0);
    memset(identity.cluster_id, 0x3c, sizeof identity.cluster_id);
    identity_save(&w.save, &n->env.disk, &identity);
    for (int i = 0; i < 100 && !w.done; i++)
        sim_step(s, UINT64_MAX);
    assert_true(w.done && w.status == 0);
    assert_int_equal(identity_load(&n->env.disk, &back, &e), 1);
    assert_memory_equal(&back, &identity, sizeof back);
    w.done = false;
    identity_members_save(&w.save, &n->env.disk, &c);
    for (int i = 0; i < 100 && !w.done; i++)
        sim_step(s, UINT64_MAX);
    identity_members_load(&n->env.disk, &members);
    assert_int_equal(members.count, 3);
    struct buf *bytes = fake_disk_bytes(&n->disk, IDENTITY_NAME);
    for (size_t at = 0; at < bytes->size; at++) {
        bytes->data[at] ^= 1;
        assert_int_equal(identity_load(&n->env.disk, &back, &e), ERR_CORRUPT);
        bytes->data[at] ^= 1;
    }
    fake_disk_bytes(&n->disk, MEMBERS_NAME)->data[12] ^= 1; /* a hint that is damaged is none */
    identity_members_load(&n->env.disk, &members);
    assert_int_equal(members.count, 0);
    n->up = false;
    sim_release(s);
    mem_free(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bytes_and_back), cmocka_unit_test(noise_is_refused), cmocka_unit_test(changes),
        cmocka_unit_test(bounds), cmocka_unit_test(lost_twice),         cmocka_unit_test(adjacency),        cmocka_unit_test(files),
    };
    return RUN_TESTS(tests);
}
