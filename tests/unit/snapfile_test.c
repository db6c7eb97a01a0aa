/* Snapshot files on the simulated disk. */
#include "common/base.h"

#include "common/mem.h"
#include "tests/sim/sim.h"
#include "tests/test.h"

#include <stdio.h>

struct fixture {
    struct sim *sim;
    struct sim_node *node;
    int status;
    bool done;
    struct snapfile_info info;
};

static void setup(struct fixture *f)
{
    struct sim_options o = {.seed = 5, .members = 3};
    *f = (struct fixture){.sim = mem_alloc(sizeof *f->sim)};
    sim_init(f->sim, &o);
    f->node = &f->sim->nodes[0];
}

static void written(void *arg, int status, const struct snapfile_info *info, const struct err *why)
{
    struct fixture *f = arg;
    (void)why;
    f->status = status;
    f->info = *info;
    f->done = true;
}

static void run(struct fixture *f)
{
    struct heap_node *h;
    for (sim_node_drain(f->node); (h = heap_min(&f->sim->events)) != NULL; sim_node_drain(f->node)) {
        struct sim_event *e = container_of(h, struct sim_event, heap);
        heap_remove(&f->sim->events, h);
        f->sim->now_us = MAX(f->sim->now_us, e->at_us);
        e->run(f->sim, e);
    }
}

static struct snapfile_writer *write_file(struct fixture *f)
{
    struct snapfile_info info = {.index = 42, .term = 7, .configuration_index = 3,
                                 .configuration = {.members = {{.id = 1, .voter = true}, {.id = 2, .voter = false}}, .count = 2}};
    memset(info.cluster_id, 0xc1, sizeof info.cluster_id);
    for (unsigned i = 0; i < REGISTERS; i++) {
        struct bytes *w = register_write(i, 1000 + i, 200);
        register_machine(&f->node->machine).ops->apply(&f->node->machine, 10 + i, 7, bytes_slice(w));
        bytes_unref(w);
    }
    return snapfile_write(&f->node->env, register_machine(&f->node->machine), &info, written, f);
}

/* 0 when the file is whole and the state in it equals the machine's. */
static int read_file(struct fixture *f, const char *name, struct err *e)
{
    struct register_machine copy = {0};
    struct machine m = register_machine(&copy);
    uint8_t cluster[16];
    struct snapfile_reader *r;
    struct slice piece;
    memset(cluster, 0xc1, sizeof cluster);
    int rv = snapfile_open(&f->node->env, name, cluster, &r, e);
    if (rv != 0)
        return rv;
    void *restore = m.ops->restore_begin(&copy);
    while ((rv = snapfile_next(r, &piece, e)) == 1 && (rv = m.ops->restore_piece(restore, piece, e)) == 0) {
    }
    m.ops->restore_end(&copy, restore, rv == 0, e);
    if (rv == 0) {
        assert_int_equal(snapfile_info(r)->index, 42);
        assert_int_equal(snapfile_info(r)->configuration.count, 2);
        assert_int_equal(snapfile_info(r)->hash, m.ops->hash(&copy));
    }
    snapfile_close(r);
    return rv;
}

static void teardown(struct fixture *f)
{
    sim_release(f->sim);
    mem_free(f->sim);
}

static void round_trip(void **state)
{
    struct fixture f;
    char name[SNAPFILE_NAME_MAX];
    uint64_t index, term;
    struct err e;
    (void)state;
    setup(&f);
    write_file(&f);
    assert_false(f.done);
    run(&f);
    assert_true(f.done);
    assert_ok(f.status);
    snapfile_name(42, 7, name);
    assert_ok(read_file(&f, name, &e));
    assert_true(snapfile_parse_name(name, &index, &term));
    assert_int_equal(index, 42);
    assert_int_equal(term, 7);
    assert_false(snapfile_parse_name("snap-", &index, &term));
    assert_int_equal(fake_disk_bytes(&f.node->disk, name)->size, f.info.file_bytes);
    teardown(&f);
}

/* Any changed byte, and any missing end, is refused. */
static void damage_is_refused(void **state)
{
    struct fixture f;
    char name[SNAPFILE_NAME_MAX];
    struct err e;
    (void)state;
    setup(&f);
    write_file(&f);
    run(&f);
    snapfile_name(42, 7, name);
    struct buf *bytes = fake_disk_bytes(&f.node->disk, name);
    for (size_t i = 0; i < bytes->size; i++) {
        bytes->data[i] ^= 0x10;
        assert_int_not_equal(read_file(&f, name, &e), 0);
        bytes->data[i] ^= 0x10;
    }
    size_t whole = bytes->size;
    for (size_t size = 0; size < whole; size += 13) {
        bytes->size = size;
        assert_int_equal(read_file(&f, name, &e), ERR_CORRUPT);
    }
    bytes->size = whole;
    assert_ok(read_file(&f, name, &e));
    teardown(&f);
}

static void canceled_leaves_nothing(void **state)
{
    struct fixture f;
    char name[SNAPFILE_NAME_MAX];
    (void)state;
    setup(&f);
    snapfile_cancel(write_file(&f));
    run(&f);
    assert_int_equal(f.status, ERR_CANCELED);
    snapfile_name(42, 7, name);
    assert_null(fake_disk_bytes(&f.node->disk, name));
    teardown(&f);
}

static void full_disk(void **state)
{
    struct fixture f;
    (void)state;
    setup(&f);
    f.node->disk.writes_until_full = 1;
    write_file(&f);
    run(&f);
    assert_int_equal(f.status, ERR_NO_SPACE);
    teardown(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(round_trip),
        cmocka_unit_test(damage_is_refused),
        cmocka_unit_test(canceled_leaves_nothing),
        cmocka_unit_test(full_disk),
    };
    return RUN_TESTS(tests);
}
