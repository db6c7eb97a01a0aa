/* The log on the simulated disk: round trips, crashes, damage. One round trip on the real disk. */
#include "common/base.h"

#include "common/mem.h"
#include "common/uv_env.h"
#include "raftstore/wal_segment.h"
#include "tests/sim/sim.h"
#include "tests/test.h"

#include <stdio.h>
#include <unistd.h>

struct fixture {
    struct sim *sim;
    struct sim_node *node;
    struct wal *wal;
    struct wal_state state;
    struct err err;
    unsigned done, failures;
    int failure;
    struct list writes; /* not done yet */
};

struct write {
    struct wal_append append;
    struct fixture *fixture;
    struct list link;
};

static void failed(void *arg, const struct err *why)
{
    struct fixture *f = arg;
    f->failures++;
    f->failure = why->code;
}

static void setup(struct fixture *f)
{
    struct sim_options o = {.seed = 3, .members = 3};
    *f = (struct fixture){.sim = mem_alloc(sizeof *f->sim)};
    list_init(&f->writes);
    sim_init(f->sim, &o);
    f->node = &f->sim->nodes[0];
}

static struct wal_options options(struct fixture *f)
{
    struct wal_options o = {.member_id = 77, .segment_bytes = 8 * WAL_BLOCK_BYTES, .failed = failed, .arg = f};
    memset(o.cluster_id, 0xaa, sizeof o.cluster_id);
    return o;
}

static int open_log(struct fixture *f, struct wal_options o, uint64_t index, uint64_t term)
{
    return wal_open(&f->node->env, &o, index, term, &f->wal, &f->state, &f->err);
}

/* Disk completions and timers of the member, without a driver. */
static void run(struct fixture *f, uint64_t ms)
{
    f->node->up = true;
    uint64_t end = f->sim->now_us + ms * MS;
    struct heap_node *h;
    for (;;) {
        sim_node_drain(f->node);
        h = heap_min(&f->sim->events);
        struct heap_node *t = heap_min(&f->node->loop.timers);
        struct sim_event *e = h == NULL ? NULL : container_of(h, struct sim_event, heap);
        struct timer *timer = t == NULL ? NULL : container_of(t, struct timer, node);
        uint64_t at_event = e == NULL ? UINT64_MAX : e->at_us, at_timer = timer == NULL ? UINT64_MAX : timer->deadline_ms * MS;
        if (MIN(at_event, at_timer) > end)
            break;
        f->sim->now_us = MAX(f->sim->now_us, MIN(at_event, at_timer));
        if (at_timer <= at_event) {
            heap_remove(&f->node->loop.timers, t);
            timer->fire(timer);
        } else {
            heap_remove(&f->sim->events, h);
            (e->generation == f->node->generation ? e->run : e->drop)(f->sim, e);
        }
    }
    f->sim->now_us = end;
    f->node->up = false;
}

static void closed(void *arg)
{
    struct fixture *f = arg;
    f->wal = NULL;
    while (!list_empty(&f->writes)) {
        struct write *w = LIST_FIRST(&f->writes, struct write, link);
        list_remove(&w->link);
        mem_free(w);
    }
}

static void close_log(struct fixture *f)
{
    wal_state_release(&f->state);
    wal_close(f->wal, closed, f);
    run(f, 50);
    assert_null(f->wal);
}

static void teardown(struct fixture *f)
{
    sim_release(f->sim);
    mem_free(f->sim);
}

static void write_done(struct wal_append *a)
{
    struct write *w = container_of(a, struct write, append);
    w->fixture->done++;
    list_remove(&w->link);
    mem_free(w);
}

/* `n` entries of `size` bytes from `index` on, whose bytes tell index and term. */
static void append(struct fixture *f, uint64_t index, uint64_t term, size_t n, size_t size)
{
    struct entry entries[64];
    struct write *w = NEW(struct write);
    assert_true(n <= ARRAY_LEN(entries));
    for (size_t i = 0; i < n; i++) {
        char *text = mem_zalloc(size + 32);
        snprintf(text, 32, "%llu/%llu", (unsigned long long)(index + i), (unsigned long long)term);
        entries[i] = (struct entry){term, ENTRY_COMMAND, bytes_new(slice_of(text, size))};
        mem_free(text);
    }
    w->fixture = f;
    list_push_back(&f->writes, &w->link);
    w->append = (struct wal_append){.index = index, .entries = entries, .entry_count = n, .done = write_done};
    list_init(&w->append.link);
    wal_append(f->wal, &w->append);
    for (size_t i = 0; i < n; i++)
        bytes_unref(entries[i].data);
}

static void hard_state(struct fixture *f, uint64_t term, uint64_t vote)
{
    struct write *w = NEW(struct write);
    w->fixture = f;
    list_push_back(&f->writes, &w->link);
    w->append = (struct wal_append){.hard_state = true, .term = term, .vote = vote, .done = write_done};
    list_init(&w->append.link);
    wal_append(f->wal, &w->append);
}

static void check_entry(struct fixture *f, uint64_t index, uint64_t term)
{
    struct entry e;
    size_t n;
    char text[32];
    assert_ok(wal_entries(f->wal, index, 1, 1, &e, &n, &f->err));
    snprintf(text, sizeof text, "%llu/%llu", (unsigned long long)index, (unsigned long long)term);
    assert_int_equal(e.term, term);
    assert_memory_equal(e.data->data, text, strlen(text));
    bytes_unref(e.data);
}

static void crash(struct fixture *f)
{
    fake_disk_crash(&f->node->disk);
    f->node->generation++;
    wal_state_release(&f->state);
    wal_close(f->wal, closed, f);
    run(f, 1);
    assert_null(f->wal);
    fake_disk_restart(&f->node->disk);
}

static void round_trip(void **state)
{
    struct fixture f;
    (void)state;
    setup(&f);
    assert_ok(open_log(&f, options(&f), 0, 0));
    assert_int_equal(f.state.entry_count, 0);
    hard_state(&f, 3, 9);
    for (uint64_t i = 0; i < 20; i++)
        append(&f, 1 + i * 10, 3, 10, 300);
    run(&f, 500);
    assert_int_equal(f.done, 21);
    assert_true(wal_segment_count(f.wal) > 1);
    assert_int_equal(wal_durable_index(f.wal), 200);
    close_log(&f);
    assert_ok(open_log(&f, options(&f), 0, 0));
    assert_int_equal(f.state.term, 3);
    assert_int_equal(f.state.vote, 9);
    assert_int_equal(f.state.entry_count, 200);
    assert_false(f.state.tail_cut);
    check_entry(&f, 1, 3);
    check_entry(&f, 200, 3);
    close_log(&f);
    teardown(&f);
}

static void truncation(void **state)
{
    struct fixture f;
    (void)state;
    setup(&f);
    assert_ok(open_log(&f, options(&f), 0, 0));
    append(&f, 1, 1, 20, 100);
    append(&f, 11, 2, 3, 100); /* replaces 11… before the first batch is written */
    run(&f, 100);
    append(&f, 5, 4, 2, 100);
    run(&f, 100);
    close_log(&f);
    assert_ok(open_log(&f, options(&f), 0, 0));
    assert_int_equal(f.state.entry_count, 6);
    check_entry(&f, 4, 1);
    check_entry(&f, 6, 4);
    assert_int_equal(wal_term_of(f.wal, 7), 0);
    close_log(&f);
    teardown(&f);
}

static void cache_reads_from_disk(void **state)
{
    struct fixture f;
    (void)state;
    setup(&f);
    struct wal_options o = options(&f);
    o.cache_bytes = 1000;
    assert_ok(open_log(&f, o, 0, 0));
    append(&f, 1, 1, 50, 200);
    run(&f, 100);
    for (uint64_t i = 1; i <= 50; i++)
        check_entry(&f, i, 1);
    struct entry e;
    size_t n;
    assert_int_equal(wal_entries(f.wal, 51, 1, 1, &e, &n, &f.err), ERR_NOT_FOUND);
    close_log(&f);
    assert_ok(open_log(&f, o, 0, 0));
    check_entry(&f, 1, 1);
    wal_release(f.wal, 10);
    assert_int_equal(wal_entries(f.wal, 10, 1, 1, &e, &n, &f.err), ERR_COMPACTED);
    close_log(&f);
    teardown(&f);
}

/* Whatever a crash leaves of the batch under way, everything acknowledged is there and the log goes on. */
static void torn_tails(uint64_t segment_bytes)
{
    struct fixture f;
    setup(&f);
    struct wal_options o = options(&f);
    uint64_t acknowledged = 0, next = 1;
    o.segment_bytes = segment_bytes;
    assert_ok(open_log(&f, o, 0, 0));
    for (int i = 0; i < 60; i++) {
        append(&f, next, 1, 30, 150);
        run(&f, 100);
        acknowledged = next + 29;
        append(&f, acknowledged + 1, 1, 30, 150);
        run(&f, sim_below(f.sim, 2));
        crash(&f);
        assert_ok(open_log(&f, o, 0, 0));
        assert_true(wal_last_index(f.wal) >= acknowledged);
        check_entry(&f, acknowledged, 1);
        next = wal_last_index(f.wal) + 1;
    }
    close_log(&f);
    teardown(&f);
}

/* Also with segments that are begun while they are being filled. */
static void torn_tail(void **state)
{
    (void)state;
    torn_tails(8 * WAL_BLOCK_BYTES);
    torn_tails(5 * 1024 * 1024);
}

static void first_name(void *arg, const char *name)
{
    char *first = arg;
    if (first[0] == '\0' && strncmp(name, "log-", 4) == 0)
        snprintf(first, 64, "%s", name);
}

/* A flipped bit in anything acknowledged is refused by name; the test flips one in every block in turn. */
static void bit_flip(void **state)
{
    struct fixture f;
    (void)state;
    setup(&f);
    assert_ok(open_log(&f, options(&f), 0, 0));
    for (uint64_t i = 0; i < 4; i++) {
        append(&f, 1 + i * 10, 1, 10, 100);
        run(&f, 100);
    }
    close_log(&f);
    char name[64] = "";
    assert_ok(disk_list(&f.node->env.disk, first_name, name, NULL));
    struct buf *bytes = fake_disk_bytes(&f.node->disk, name);
    assert_non_null(bytes);
    for (size_t block = 0; block < 5; block++) {
        bytes->data[block * WAL_BLOCK_BYTES + 20] ^= 4;
        assert_int_equal(open_log(&f, options(&f), 0, 0), ERR_CORRUPT);
        assert_non_null(strstr(f.err.message, name));
        bytes->data[block * WAL_BLOCK_BYTES + 20] ^= 4;
        run(&f, 10);
    }
    assert_ok(open_log(&f, options(&f), 0, 0));
    assert_int_equal(f.state.entry_count, 40);
    close_log(&f);
    teardown(&f);
}

/* A segment is read in pieces, and those without content are passed over: an entry of zeros that goes on through such pieces is whole
 * all the same, and something far behind the end, after many of them, is damage. */
static void long_zeros(void **state)
{
    struct fixture f;
    (void)state;
    setup(&f);
    struct wal_options o = options(&f);
    o.segment_bytes = 16 * 1024 * 1024;
    assert_ok(open_log(&f, o, 0, 0));
    append(&f, 1, 1, 1, 3500000);
    append(&f, 2, 1, 3, 100);
    run(&f, 1000);
    assert_int_equal(f.done, 2);
    crash(&f);
    char name[64] = "";
    assert_ok(disk_list(&f.node->env.disk, first_name, name, NULL));
    struct buf *bytes = fake_disk_bytes(&f.node->disk, name);
    size_t size = bytes->size;
    buf_reserve(bytes, o.segment_bytes - size); /* one that was whole */
    memset(bytes->data + size, 0, o.segment_bytes - size);
    bytes->size = o.segment_bytes;
    bytes->data[12 * 1024 * 1024 + 5] = 1;
    assert_int_equal(open_log(&f, o, 0, 0), ERR_CORRUPT);
    bytes->data[12 * 1024 * 1024 + 5] = 0;
    run(&f, 10);
    assert_ok(open_log(&f, o, 0, 0));
    assert_int_equal(f.state.entry_count, 4);
    assert_false(f.state.tail_cut);
    check_entry(&f, 1, 1);
    check_entry(&f, 4, 1);
    close_log(&f);
    teardown(&f);
}

/* The first segment of a run is as short as one piece, so that a member that starts can vote soon; the next ones are longer and longer. */
static void short_first_segment(void **state)
{
    struct fixture f;
    uint64_t sizes[4] = {0};
    char name[64];
    (void)state;
    setup(&f);
    struct wal_options o = options(&f);
    o.segment_bytes = 8 * 1024 * 1024;
    assert_ok(open_log(&f, o, 0, 0));
    hard_state(&f, 1, 1);
    for (int i = 0; i < 300; i++) {
        append(&f, 1 + (uint64_t)i, 1, 1, 60000);
        run(&f, 20);
    }
    assert_int_equal(f.done, 301);
    for (size_t i = 0; i < ARRAY_LEN(sizes); i++) {
        wal_segment_name(1 + i, name);
        assert_ok(disk_size(&f.node->env.disk, name, &sizes[i], NULL));
    }
    assert_int_equal(sizes[0], 1024 * 1024);
    for (size_t i = 1; i < ARRAY_LEN(sizes); i++)
        assert_true(sizes[i] >= MIN(2 * sizes[i - 1], o.segment_bytes));
    close_log(&f);
    assert_ok(open_log(&f, o, 0, 0));
    assert_int_equal(f.state.entry_count, 300);
    check_entry(&f, 300, 1);
    close_log(&f);
    teardown(&f);
}

static void wrong_identity(void **state)
{
    struct fixture f;
    (void)state;
    setup(&f);
    assert_ok(open_log(&f, options(&f), 0, 0));
    append(&f, 1, 1, 1, 10);
    run(&f, 100);
    close_log(&f);
    struct wal_options o = options(&f);
    o.member_id = 78;
    assert_int_equal(open_log(&f, o, 0, 0), ERR_IDENTITY);
    o = options(&f);
    o.cluster_id[0] = 1;
    assert_int_equal(open_log(&f, o, 0, 0), ERR_IDENTITY);
    run(&f, 10);
    teardown(&f);
}

static void unknown_format(void **state)
{
    struct fixture f;
    char name[64] = "";
    (void)state;
    setup(&f);
    assert_ok(open_log(&f, options(&f), 0, 0));
    append(&f, 1, 1, 1, 10);
    run(&f, 100);
    close_log(&f);
    assert_ok(disk_list(&f.node->env.disk, first_name, name, NULL));
    struct buf *bytes = fake_disk_bytes(&f.node->disk, name);
    struct wal_header h;
    char block[WAL_BLOCK_BYTES];
    memcpy(block, bytes->data, sizeof block);
    assert_int_equal(wal_header_decode(block, &h, NULL), 1);
    bytes->data[8] = 9; /* the checksum covers it: damage, not a format */
    assert_int_equal(open_log(&f, options(&f), 0, 0), ERR_CORRUPT);
    run(&f, 10);
    teardown(&f);
}

static void full_disk(void **state)
{
    struct fixture f;
    (void)state;
    setup(&f);
    assert_ok(open_log(&f, options(&f), 0, 0));
    append(&f, 1, 1, 1, 10);
    run(&f, 100);
    f.node->disk.writes_until_full = 1;
    append(&f, 2, 1, 1, 10);
    append(&f, 3, 1, 1, 10);
    run(&f, 100);
    assert_int_equal(f.failures, 1);
    assert_int_equal(f.failure, ERR_NO_SPACE);
    assert_int_equal(f.done, 1); /* nothing after the failure is acknowledged */
    f.node->disk.writes_until_full = 0;
    wal_state_release(&f.state);
    wal_close(f.wal, closed, &f);
    run(&f, 50);
    teardown(&f);
}

/* A log that does not contain the snapshot's entry is void, and stays so. */
static void snapshot_voids(void **state)
{
    struct fixture f;
    (void)state;
    setup(&f);
    assert_ok(open_log(&f, options(&f), 0, 0));
    append(&f, 1, 1, 10, 10);
    run(&f, 100);
    close_log(&f);
    assert_ok(open_log(&f, options(&f), 5, 1));
    assert_int_equal(f.state.entry_count, 10);
    close_log(&f);
    assert_ok(open_log(&f, options(&f), 8, 2));
    assert_int_equal(f.state.entry_count, 0);
    assert_int_equal(f.state.first_index, 9);
    append(&f, 9, 2, 2, 10);
    run(&f, 100);
    close_log(&f);
    assert_ok(open_log(&f, options(&f), 8, 2));
    assert_int_equal(f.state.entry_count, 2);
    assert_int_equal(wal_term_of(f.wal, 8), 2);
    close_log(&f);
    teardown(&f);
}

struct real {
    struct uv_env *uv;
    struct wal *wal;
    struct wal_append append;
    unsigned done;
};

static void real_closed(void *arg) { uv_env_stop(((struct real *)arg)->uv); }
static void real_failed(void *arg, const struct err *why)
{
    (void)arg;
    fail_msg("%s", why->message);
}
static void real_done(struct wal_append *a)
{
    struct real *r = container_of(a, struct real, append);
    r->done++;
    wal_close(r->wal, real_closed, r);
}

static void real_disk(void **state)
{
    char folder[] = "/tmp/keelson-wal-XXXXXX", command[128];
    (void)state;
    assert_non_null(mkdtemp(folder));
    for (int run_number = 0; run_number < 2; run_number++) {
        struct real r = {.uv = uv_env_new("test", LOG_ERROR)};
        struct wal_options o = {.member_id = 5, .segment_bytes = 64 * 1024, .failed = real_failed, .arg = &r};
        struct wal_state s;
        struct err e;
        assert_ok(uv_env_add_disk(r.uv, folder, &e));
        struct uv_env *second = uv_env_new("test", LOG_ERROR);
        assert_int_equal(uv_env_add_disk(second, folder, &e), ERR_CONFLICT);
        uv_env_free(second);
        assert_ok(wal_open(uv_env_env(r.uv), &o, 0, 0, &r.wal, &s, &e));
        assert_int_equal(s.entry_count, run_number * 3);
        wal_state_release(&s);
        struct bytes *data = bytes_new(SLICE("real"));
        struct entry entries[3] = {{1, ENTRY_COMMAND, data}, {1, ENTRY_COMMAND, data}, {1, ENTRY_COMMAND, data}};
        r.append = (struct wal_append){.hard_state = true, .term = 1, .vote = 5, .entries = entries, .entry_count = 3,
                                       .index = (uint64_t)run_number * 3 + 1, .done = real_done};
        list_init(&r.append.link);
        wal_append(r.wal, &r.append);
        bytes_unref(data);
        uv_env_run(r.uv, NULL, NULL);
        assert_int_equal(r.done, 1);
        uv_env_free(r.uv);
    }
    snprintf(command, sizeof command, "%s/lock", folder);
    unlink(command);
    for (unsigned i = 1; i < 9; i++) {
        snprintf(command, sizeof command, "%s/log-%016x", folder, i);
        unlink(command);
    }
    assert_ok(rmdir(folder));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(round_trip),     cmocka_unit_test(truncation),     cmocka_unit_test(cache_reads_from_disk),
        cmocka_unit_test(torn_tail),      cmocka_unit_test(bit_flip),       cmocka_unit_test(long_zeros),     cmocka_unit_test(short_first_segment),
        cmocka_unit_test(wrong_identity),
        cmocka_unit_test(unknown_format), cmocka_unit_test(full_disk),      cmocka_unit_test(snapshot_voids),
        cmocka_unit_test(real_disk),
    };
    return RUN_TESTS(tests);
}
