/* The rules about messages, each against the real core. Followers are driven by hand: member 1 of 1, 2, 3. */
#include "common/base.h"

#include "common/mem.h"
#include "raftstore/consensus.h"
#include "tests/test.h"

struct fixture {
    struct consensus *c;
    struct consensus_update u;
    struct bytes *data;
};

static void drop_entries(struct fixture *f)
{
    for (size_t i = 0; i < f->u.entry_count; i++)
        bytes_unref(f->u.entries[i].data);
    f->u.entry_count = 0;
}

static void fixture_start(struct fixture *f, struct consensus_start *start)
{
    struct consensus_options o = {.id = 1, .random_seed = 7, .election_timeout_ms = 300, .heartbeat_ms = 50};
    struct configuration three = {.members = {{.id = 1, .voter = true}, {.id = 2, .voter = true}, {.id = 3, .voter = true}}, .count = 3};
    f->c = consensus_new(&o);
    f->data = bytes_new(SLICE("data"));
    start->now_ms = 1000;
    if (start->configuration.count == 0)
        start->configuration = three;
    assert_ok(consensus_start(f->c, start, &f->u, NULL));
    drop_entries(f);
}

static void fixture_end(struct fixture *f)
{
    drop_entries(f);
    consensus_free(f->c);
    bytes_unref(f->data);
}

/* An append of `n` entries of `term` from member 2, all commands unless `change` names one. */
static int receive(struct fixture *f, uint64_t term, uint64_t prev_index, uint64_t prev_term, size_t n, uint64_t entry_term,
                   uint64_t commit, size_t change, struct bytes *change_data)
{
    struct entry entries[16];
    for (size_t i = 0; i < n; i++)
        entries[i] = (struct entry){entry_term, ENTRY_COMMAND, f->data};
    if (change > 0)
        entries[change - 1] = (struct entry){entry_term, ENTRY_CHANGE, change_data};
    struct message m = {.kind = MESSAGE_APPEND, .from = 2, .to = 1, .entries = entries, .entry_count = n};
    m.append.term = term;
    m.append.prev_index = prev_index;
    m.append.prev_term = prev_term;
    m.append.leader_commit = commit;
    drop_entries(f);
    return consensus_receive(f->c, 1010, &m, &f->u);
}

static void persist(struct fixture *f, uint64_t index)
{
    drop_entries(f);
    assert_ok(consensus_persisted(f->c, 1010, index, &f->u));
}

static const struct message *result_of(const struct fixture *f)
{
    for (size_t i = 0; i < f->u.message_count; i++)
        if (f->u.messages[i].kind == MESSAGE_APPEND_RESULT)
            return &f->u.messages[i];
    return NULL;
}

static void append_and_ack(void **state)
{
    struct fixture f;
    struct consensus_start start = {0};
    (void)state;
    fixture_start(&f, &start);
    assert_ok(receive(&f, 2, 0, 0, 3, 2, 1, 0, NULL));
    assert_true(f.u.hard_state);
    assert_int_equal(f.u.term, 2);
    assert_int_equal(f.u.entries_index, 1);
    assert_int_equal(f.u.entry_count, 3);
    assert_int_equal(consensus_commit_index(f.c), 1);
    persist(&f, 3);
    assert_non_null(result_of(&f));
    assert_int_equal(result_of(&f)->append_result.last_index, 3);
    persist(&f, 3); /* R6: said before */
    assert_null(result_of(&f));
    fixture_end(&f);
}

/* R1: an append that begins below the commit index brings nothing new below it. */
static void append_below_commit(void **state)
{
    struct fixture f;
    struct consensus_start start = {0};
    (void)state;
    fixture_start(&f, &start);
    assert_ok(receive(&f, 2, 0, 0, 6, 2, 6, 0, NULL));
    persist(&f, 6);
    drop_entries(&f);
    assert_ok(consensus_snapshot_taken(f.c, 1010, 6, 0, consensus_configuration(f.c, NULL), 0, &f.u));
    assert_ok(receive(&f, 2, 0, 0, 8, 2, 6, 0, NULL));
    assert_int_equal(f.u.entries_index, 7);
    assert_int_equal(f.u.entry_count, 2);
    fixture_end(&f);
}

/* R2: one rejection skips the whole run of a term that differs. */
static void rejection_skips_run(void **state)
{
    struct fixture f;
    struct consensus_start start = {0};
    (void)state;
    fixture_start(&f, &start);
    assert_ok(receive(&f, 2, 0, 0, 2, 2, 1, 0, NULL));
    assert_ok(receive(&f, 3, 2, 2, 8, 3, 1, 0, NULL));
    persist(&f, 10);
    assert_ok(receive(&f, 5, 10, 4, 0, 0, 1, 0, NULL));
    assert_non_null(result_of(&f));
    assert_int_equal(result_of(&f)->append_result.rejected, 10);
    assert_int_equal(result_of(&f)->append_result.last_index, 2);
    fixture_end(&f);
}

/* R3: the change is known under its own index: committing it there makes it the committed configuration. */
static void change_in_the_middle(void **state)
{
    struct fixture f;
    struct consensus_start start = {0};
    struct configuration four = {.members = {{.id = 1, .voter = true}, {.id = 2, .voter = true}, {.id = 3, .voter = true}, {.id = 4, .voter = false}}, .count = 4};
    struct buf bytes = {0};
    uint64_t index;
    (void)state;
    fixture_start(&f, &start);
    configuration_encode(&four, &bytes);
    struct bytes *change = bytes_new(buf_slice(&bytes));
    buf_release(&bytes);
    assert_ok(receive(&f, 2, 0, 0, 4, 2, 0, 3, change));
    assert_int_equal(f.u.entries_index, 1);
    assert_int_equal(f.u.entry_count, 4);
    persist(&f, 4);
    (void)consensus_configuration(f.c, &index);
    assert_int_equal(index, 0);
    (void)consensus_newest(f.c, &index);
    assert_int_equal(index, 3);
    assert_ok(receive(&f, 2, 4, 2, 0, 0, 2, 0, NULL)); /* committed up to before it, then up to it */
    (void)consensus_configuration(f.c, &index);
    assert_int_equal(index, 0);
    assert_ok(receive(&f, 2, 4, 2, 0, 0, 3, 0, NULL));
    assert_int_equal(consensus_configuration(f.c, &index)->count, 4);
    assert_int_equal(index, 3);
    bytes_unref(change);
    fixture_end(&f);
}

static struct bytes *encoded(const struct configuration *c)
{
    struct buf b = {0};
    configuration_encode(c, &b);
    struct bytes *data = bytes_new(buf_slice(&b));
    buf_release(&b);
    return data;
}

static bool asks(const struct fixture *f, uint64_t member)
{
    for (size_t i = 0; i < f->u.message_count; i++)
        if (f->u.messages[i].kind == MESSAGE_REQUEST_VOTE && f->u.messages[i].to == member)
            return true;
    return false;
}

/* R17: of two uncommitted changes the later one is replaced: the earlier one counts, also for who is asked for votes. */
static void later_change_is_rolled_back(void **state)
{
    struct fixture f;
    struct consensus_start start = {0};
    struct configuration five = {.members = {{.id = 1, .voter = true}, {.id = 2, .voter = true}, {.id = 3, .voter = true},
                                             {.id = 4, .voter = true}, {.id = 5, .voter = true}}, .count = 5}, four = five;
    uint64_t index;
    (void)state;
    four.count = 4;
    fixture_start(&f, &start);
    struct bytes *to_four = encoded(&four), *to_five = encoded(&five);
    assert_ok(receive(&f, 2, 0, 0, 3, 2, 0, 3, to_four));
    assert_ok(receive(&f, 2, 3, 2, 3, 2, 0, 2, to_five));
    persist(&f, 6);
    (void)consensus_newest(f.c, &index);
    assert_int_equal(index, 5);
    assert_ok(receive(&f, 3, 4, 2, 2, 3, 0, 0, NULL));
    persist(&f, 6);
    (void)consensus_newest(f.c, &index);
    assert_int_equal(index, 3);
    drop_entries(&f);
    assert_ok(consensus_tick(f.c, 3000, &f.u));
    assert_int_equal(consensus_role(f.c), ROLE_CANDIDATE);
    assert_true(asks(&f, 4));
    assert_false(asks(&f, 5));
    bytes_unref(to_four);
    bytes_unref(to_five);
    fixture_end(&f);
}

static const struct message *vote_result(const struct fixture *f)
{
    for (size_t i = 0; i < f->u.message_count; i++)
        if (f->u.messages[i].kind == MESSAGE_REQUEST_VOTE_RESULT)
            return &f->u.messages[i];
    return NULL;
}

static void ask_vote(struct fixture *f, uint64_t now_ms, uint64_t term, bool pre_vote)
{
    struct message m = {.kind = MESSAGE_REQUEST_VOTE, .from = 2, .to = 1};
    m.request_vote.term = term;
    m.request_vote.candidate = 2;
    m.request_vote.last_index = 50;
    m.request_vote.last_term = term - 1;
    m.request_vote.pre_vote = pre_vote;
    drop_entries(f);
    assert_ok(consensus_receive(f->c, now_ms, &m, &f->u));
}

/* R18: a learner never stands; it votes when it is asked, but not while it hears of a leader. */
static void learner_votes_when_asked(void **state)
{
    struct fixture f;
    struct consensus_start start = {.configuration = {.members = {{.id = 1}, {.id = 2, .voter = true}, {.id = 3, .voter = true}}, .count = 3}};
    (void)state;
    fixture_start(&f, &start);
    assert_ok(receive(&f, 2, 0, 0, 2, 2, 0, 0, NULL));
    persist(&f, 2);
    ask_vote(&f, 1020, 3, false);
    assert_false(vote_result(&f)->request_vote_result.granted);
    drop_entries(&f);
    assert_ok(consensus_tick(f.c, 3000, &f.u));
    assert_int_equal(consensus_role(f.c), ROLE_FOLLOWER);
    assert_int_equal(consensus_leader(f.c), 0);
    ask_vote(&f, 3010, 3, false);
    assert_true(vote_result(&f)->request_vote_result.granted);
    assert_int_equal(f.u.vote, 2);
    fixture_end(&f);
}

/* R19: who is refused because it is behind in term hears so. */
static void refused_pre_vote_tells_the_term(void **state)
{
    struct fixture f;
    struct consensus_start start = {.term = 9};
    (void)state;
    fixture_start(&f, &start);
    ask_vote(&f, 1500, 5, true);
    assert_false(vote_result(&f)->request_vote_result.granted);
    assert_int_equal(vote_result(&f)->request_vote_result.term, 9);
    fixture_end(&f);
}

/* R20: an append of an older term is no acknowledgement of anything, also one from the beginning of the log. */
static void old_append_is_rejected(void **state)
{
    struct fixture f;
    struct consensus_start start = {.term = 9};
    (void)state;
    fixture_start(&f, &start);
    assert_ok(receive(&f, 3, 0, 0, 0, 0, 0, 0, NULL));
    assert_non_null(result_of(&f));
    assert_int_equal(result_of(&f)->append_result.term, 9);
    assert_true(result_of(&f)->append_result.rejected > 0);
    assert_int_equal(result_of(&f)->append_result.last_index, 0);
    fixture_end(&f);
}

/* Changes: only by one voter, never the leader itself, one at a time, and after the leader's own no-op (R4). */
static void changes_are_checked(void **state)
{
    struct fixture f;
    struct consensus_start start = {.configuration = {.members = {{.id = 1, .voter = true}}, .count = 1}, .term = 4, .vote = 1};
    struct configuration two = {.members = {{.id = 1, .voter = true}, {.id = 2, .voter = true}}, .count = 2},
                         three = {.members = {{.id = 1, .voter = true}, {.id = 2, .voter = true}, {.id = 3, .voter = true}}, .count = 3},
                         other = {.members = {{.id = 2, .voter = true}}, .count = 1};
    struct bytes *to_two = encoded(&two), *to_three = encoded(&three), *to_other = encoded(&other);
    (void)state;
    fixture_start(&f, &start);
    drop_entries(&f);
    assert_int_equal(consensus_submit(f.c, 1010, &(struct entry){5, ENTRY_CHANGE, to_two}, 1, &f.u), ERR_BUSY);
    persist(&f, 1);
    drop_entries(&f);
    assert_int_equal(consensus_submit(f.c, 1010, &(struct entry){5, ENTRY_CHANGE, to_three}, 1, &f.u), ERR_INVALID);
    assert_int_equal(consensus_submit(f.c, 1010, &(struct entry){5, ENTRY_CHANGE, to_other}, 1, &f.u), ERR_INVALID);
    assert_int_equal(consensus_submit(f.c, 1010, &(struct entry){5, ENTRY_CHANGE, f.data}, 1, &f.u), ERR_INVALID);
    assert_ok(consensus_submit(f.c, 1010, &(struct entry){5, ENTRY_CHANGE, to_two}, 1, &f.u));
    drop_entries(&f);
    assert_int_equal(consensus_submit(f.c, 1010, &(struct entry){5, ENTRY_CHANGE, to_three}, 1, &f.u), ERR_BUSY);
    assert_int_equal(consensus_configuration(f.c, NULL)->count, 1);
    assert_int_equal(consensus_newest(f.c, NULL)->count, 2);
    assert_int_equal(consensus_transfer(f.c, 1010, 2, &f.u), ERR_BUSY); /* it has nothing yet */
    assert_int_equal(consensus_transfer(f.c, 1010, 1, &f.u), ERR_INVALID);
    bytes_unref(to_two);
    bytes_unref(to_three);
    bytes_unref(to_other);
    fixture_end(&f);
}

static void implausible_is_refused(void **state)
{
    struct fixture f;
    struct consensus_start start = {0};
    (void)state;
    fixture_start(&f, &start);
    assert_int_equal(receive(&f, 2, 0, 1, 0, 0, 0, 0, NULL), ERR_CORRUPT);
    assert_int_equal(receive(&f, 2, 0, 0, 1, 3, 0, 0, NULL), ERR_CORRUPT);
    assert_int_equal(receive(&f, 0, 0, 0, 0, 0, 0, 0, NULL), ERR_CORRUPT);
    fixture_end(&f);
}

/* A single voter leads at once, in a new term, and is ready when its own no-op is on its disk (R4). */
static void single_voter(void **state)
{
    struct fixture f;
    struct consensus_start start = {.configuration = {.members = {{.id = 1, .voter = true}}, .count = 1}, .term = 4, .vote = 1};
    (void)state;
    fixture_start(&f, &start);
    assert_int_equal(consensus_role(f.c), ROLE_LEADER);
    assert_int_equal(consensus_term(f.c), 5);
    assert_false(consensus_ready(f.c));
    persist(&f, 1);
    assert_true(consensus_ready(f.c));
    struct entry e = {5, ENTRY_COMMAND, f.data};
    drop_entries(&f);
    assert_ok(consensus_submit(f.c, 1010, &e, 1, &f.u));
    assert_int_equal(f.u.entries_index, 2);
    persist(&f, 2);
    assert_int_equal(consensus_commit_index(f.c), 2);
    fixture_end(&f);
}

static void not_leader(void **state)
{
    struct fixture f;
    struct consensus_start start = {0};
    (void)state;
    fixture_start(&f, &start);
    struct entry e = {1, ENTRY_COMMAND, f.data};
    assert_int_equal(consensus_submit(f.c, 1010, &e, 1, &f.u), ERR_NOT_LEADER);
    assert_true(f.u.next_timeout_ms > 1010);
    fixture_end(&f);
}

static void bad_configurations(void **state)
{
    struct consensus_options o = {.id = 1, .election_timeout_ms = 300, .heartbeat_ms = 50};
    struct consensus_start twice = {.now_ms = 1, .configuration = {.members = {{.id = 1, .voter = true}, {.id = 1, .voter = true}}, .count = 2}};
    struct consensus_update u;
    struct err e;
    (void)state;
    struct consensus *c = consensus_new(&o);
    assert_int_equal(consensus_start(c, &twice, &u, &e), ERR_INVALID);
    consensus_free(c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(append_and_ack),       cmocka_unit_test(append_below_commit),
        cmocka_unit_test(rejection_skips_run),  cmocka_unit_test(change_in_the_middle),
        cmocka_unit_test(implausible_is_refused), cmocka_unit_test(single_voter),
        cmocka_unit_test(later_change_is_rolled_back), cmocka_unit_test(learner_votes_when_asked),
        cmocka_unit_test(refused_pre_vote_tells_the_term), cmocka_unit_test(changes_are_checked),
        cmocka_unit_test(old_append_is_rejected),
        cmocka_unit_test(not_leader),           cmocka_unit_test(bad_configurations),
    };
    return RUN_TESTS(tests);
}
