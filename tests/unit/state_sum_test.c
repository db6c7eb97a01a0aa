#include "tests/test.h"

#include "common/random.h"
#include "raftstore/lease.h"
#include "raftstore/session.h"
#include "raftstore/state_sum.h"

struct thing {
    struct sum_part part;
    uint64_t value;
    bool in;
};

static uint64_t hash_of(const struct sum_part *p) { return sum_mix(1, container_of(p, struct thing, part)->value); }

#define THINGS 50

/* Parts come, change and go between the steps of a check: whatever the order, it finds nothing wrong. */
static void changes_during_a_check(void **state UNUSED)
{
    struct thing things[THINGS] = {0};
    struct state_sum sum = {0};
    struct prng prng;
    prng_seed(&prng, 7);
    struct random r = prng_random(&prng);
    size_t passes = 0;
    for (int i = 0; i < 20000; i++) {
        struct thing *t = &things[random_below(&r, THINGS)];
        bool whole = false;
        bool remove = t->in && random_below(&r, 3) == 0;
        t->value += random_below(&r, 2);
        if (remove)
            sum_remove(&sum, &t->part);
        else if (t->in)
            sum_set(&sum, &t->part, hash_of(&t->part));
        else
            sum_add(&sum, &t->part, hash_of(&t->part));
        t->in = !remove;
        assert_true(sum_check(&sum, random_below(&r, 3), hash_of, &whole));
        passes += whole;
        if (i % 100 == 0) { /* it is copied as a whole */
            struct state_sum copy = sum;
            sum = (struct state_sum){0};
            sum = copy;
        }
    }
    assert_true(passes > 50);
    uint64_t all = 0;
    for (size_t i = 0; i < THINGS; i++)
        all += things[i].in ? hash_of(&things[i].part) : 0;
    assert_true(all == sum.sum);
    for (size_t i = 0; i < THINGS; i++)
        if (things[i].in)
            sum_remove(&sum, &things[i].part);
    assert_true(sum.sum == 0 && sum.first == NULL && sum.last == NULL);
}

static bool finds(struct state_sum *sum)
{
    for (int i = 0; i < 2 * THINGS; i++) {
        bool whole;
        if (!sum_check(sum, 1, hash_of, &whole))
            return true;
    }
    return false;
}

static void damage_is_found(void **state UNUSED)
{
    struct thing things[5] = {0};
    struct state_sum sum = {0};
    for (size_t i = 0; i < ARRAY_LEN(things); i++) {
        things[i].value = i;
        sum_add(&sum, &things[i].part, hash_of(&things[i].part));
    }
    assert_false(finds(&sum));
    things[3].value ^= 1; /* the data */
    assert_true(finds(&sum));
    things[3].value ^= 1;
    sum.looking = false; /* as a new process would begin */
    assert_false(finds(&sum));
    sum.sum ^= 1; /* the sum, as by a part that was forgotten in it */
    assert_true(finds(&sum));
    sum.sum ^= 1;
    sum.looking = false;
    assert_false(finds(&sum));
}

static int scrub_sessions(struct sessions *s)
{
    bool whole = false;
    int status = 0;
    for (int pass = 0; pass < 2; pass += whole)
        if ((status = sessions_scrub(s, 1, &whole, NULL)) != 0)
            return status;
    return status;
}

/* A kept result is part of the sum: the client that asks again gets it. */
static void a_flipped_result(void **state UNUSED)
{
    struct sessions s;
    struct session *session;
    struct slice result;
    struct store_command c = {.sequence = 1, .oldest = 1};
    sessions_init(&s);
    sessions_open(&s, (const uint8_t[STORE_ID_BYTES]){3}, 5, c.client);
    uint64_t empty = s.sum.sum;
    assert_int_equal(sessions_judge(&s, &c, 6, &session, &result), SESSION_EXECUTE);
    assert_true(s.sum.sum != empty); /* it was used */
    session_store(&s, session, 1, SLICE("done"), 2, true);
    assert_int_equal(sessions_judge(&s, &c, 6, &session, &result), SESSION_REPEAT);
    uint64_t kept = s.sum.sum;
    assert_ok(scrub_sessions(&s));
    char *byte = (char *)(uintptr_t)result.data;
    byte[2] ^= 4;
    assert_int_equal(scrub_sessions(&s), ERR_CORRUPT);
    byte[2] ^= 4;
    s.sum.looking = false;
    assert_ok(scrub_sessions(&s));
    c.sequence = c.oldest = 2; /* the first is acknowledged: its result goes, and with it its part of the sum */
    assert_int_equal(sessions_judge(&s, &c, 6, &session, &result), SESSION_EXECUTE);
    assert_true(s.sum.sum != kept);
    assert_ok(scrub_sessions(&s));
    sessions_release(&s);
    assert_true(s.sum.sum == 0);
}

static int scrub_leases(struct leases *l)
{
    bool whole = false;
    int status = 0;
    for (int pass = 0; pass < 2; pass += whole)
        if ((status = leases_scrub(l, 1, &whole, NULL)) != 0)
            return status;
    return status;
}

/* The sum is the same however a state came about, and another for each thing that is different. */
static void sums_of_leases(void **state UNUSED)
{
    struct leases a, b;
    struct kv_event events[2] = {{.kv = {.key = SLICE("x"), .lease = 1}}, {.kv = {.key = SLICE("y"), .lease = 2}}};
    leases_init(&a);
    leases_init(&b);
    assert_ok(leases_grant(&a, 1, 10, 1000, NULL));
    assert_ok(leases_grant(&a, 2, 20, 1000, NULL));
    assert_ok(leases_grant(&b, 2, 20, 500, NULL));
    assert_ok(leases_grant(&b, 1, 10, 1000, NULL));
    assert_true(a.sum.sum != b.sum.sum); /* the end of one */
    leases_renew(&b, leases_find(&b, 2), 1000);
    assert_true(a.sum.sum == b.sum.sum);
    leases_follow(&a, events, 2);
    assert_true(a.sum.sum != b.sum.sum);
    events[0].kv.lease = 2;
    leases_follow(&b, events, 2);
    assert_true(a.sum.sum != b.sum.sum); /* the same keys, on other leases */
    leases_follow(&a, events, 1);
    assert_true(a.sum.sum == b.sum.sum);
    assert_ok(scrub_leases(&a));
    struct lease *lease = leases_find(&a, 2);
    lease->ttl_ms ^= 1u << 9;
    assert_int_equal(scrub_leases(&a), ERR_CORRUPT);
    lease->ttl_ms ^= 1u << 9;
    a.sum.looking = false;
    assert_ok(scrub_leases(&a));
    leases_drop(&a, lease);
    leases_drop(&a, leases_find(&a, 1));
    assert_true(a.sum.sum == 0);
    leases_release(&a);
    leases_release(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(changes_during_a_check), cmocka_unit_test(damage_is_found),
        cmocka_unit_test(a_flipped_result),       cmocka_unit_test(sums_of_leases),
    };
    return RUN_TESTS(tests);
}
