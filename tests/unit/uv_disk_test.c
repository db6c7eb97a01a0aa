/* The real disk seam, and a snapshot that its bulk thread takes while the store changes. */
#include "tests/test.h"

#include "common/buf.h"
#include "common/disk.h"
#include "common/mem.h"
#include "common/uv_env.h"
#include "raftstore/apply.h"
#include "raftstore/snapfile.h"

#include <semaphore.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

struct fixture {
    char folder[64];
    struct uv_env *uv;
    struct env *env;
    int left;          /* jobs */
    char order[32];    /* letters of the jobs, as they end */
    int status;
    sem_t told;
    struct timer turn;
};

static int setup(void **state)
{
    struct fixture *f = NEW(struct fixture);
    struct err err;
    snprintf(f->folder, sizeof f->folder, "/tmp/uv_disk_test.XXXXXX");
    assert_non_null(mkdtemp(f->folder));
    f->uv = uv_env_new("test", LOG_ERROR);
    f->env = uv_env_env(f->uv);
    assert_ok(uv_env_add_disk(f->uv, f->folder, &err));
    *state = f;
    return 0;
}

static void remove_one(void *arg, const char *name)
{
    struct fixture *f = arg;
    char path[256];
    snprintf(path, sizeof path, "%s/%s", f->folder, name);
    assert_ok(unlink(path));
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    struct err err;
    assert_ok(disk_list(&f->env->disk, remove_one, f, &err));
    remove_one(f, "lock");
    uv_env_free(f->uv);
    assert_ok(rmdir(f->folder));
    mem_free(f);
    return 0;
}

struct job {
    struct disk_job job;
    struct fixture *f;
    char letter;
    char *text;
};

static void done(struct disk_job *job, int status, const struct err *why)
{
    struct job *j = container_of(job, struct job, job);
    assert_true((status == 0) == (why == NULL));
    if (status != 0)
        j->f->status = status;
    j->f->order[strlen(j->f->order)] = j->letter;
    if (--j->f->left == 0)
        uv_env_stop(j->f->uv);
}

static void submit(struct fixture *f, struct job *j, char letter, struct disk_job job)
{
    job.done = done;
    *j = (struct job){.job = job, .f = f, .letter = letter, .text = j->text};
    f->left++;
    disk_submit(&f->env->disk, &j->job);
}

static void run_all(struct fixture *f)
{
    while (f->left > 0)
        uv_env_run(f->uv, NULL, NULL);
}

static void read_back(struct fixture *f, const char *name, uint64_t offset, struct slice want)
{
    struct err err;
    size_t got;
    char *bytes = mem_alloc(want.size + 1);
    assert_ok(disk_read(&f->env->disk, name, offset, bytes, want.size + 1, &got, &err));
    assert_true(got >= want.size);
    assert_memory_equal(bytes, want.data, want.size);
    mem_free(bytes);
}

static void keeps_the_order_of_a_lane(void **state)
{
    struct fixture *f = *state;
    struct job a = {0}, b = {0}, c = {0}, d = {0};
    submit(f, &a, 'a', (struct disk_job){.kind = DISK_CREATE, .name = "one", .size = 8192});
    submit(f, &b, 'b', (struct disk_job){.kind = DISK_WRITE, .name = "one", .bytes = SLICE("first"), .sync = true});
    submit(f, &c, 'c', (struct disk_job){.kind = DISK_WRITE, .name = "one", .bytes = SLICE("second"), .offset = 100});
    submit(f, &d, 'd', (struct disk_job){.kind = DISK_RENAME, .name = "one", .to = "two"});
    run_all(f);
    assert_string_equal(f->order, "abcd");
    assert_int_equal(f->status, 0);
    read_back(f, "two", 0, SLICE("first"));
    read_back(f, "two", 100, SLICE("second"));
}

/* Whole blocks may go around the page cache; what is read must be what was written, whichever way each went. */
static void whole_blocks_and_parts_of_blocks(void **state)
{
    struct fixture *f = *state;
    struct job jobs[4] = {0};
    const size_t size = 3 * 1024 * 1024 + 4096; /* more than one bounce */
    char *blocks = mem_alloc(size);
    for (size_t i = 0; i < size; i++)
        blocks[i] = (char)(i * 7 + i / 4096);
    submit(f, &jobs[0], 'a', (struct disk_job){.kind = DISK_CREATE, .name = "log", .size = 4 * 1024 * 1024});
    submit(f, &jobs[1], 'b', (struct disk_job){.kind = DISK_WRITE, .name = "log", .bytes = slice_of(blocks, size), .offset = 4096, .sync = true});
    submit(f, &jobs[2], 'c', (struct disk_job){.kind = DISK_WRITE, .name = "log", .bytes = SLICE("part"), .offset = 4097, .sync = true});
    submit(f, &jobs[3], 'd', (struct disk_job){.kind = DISK_WRITE, .name = "log", .bytes = slice_of(blocks, 4096), .offset = 8192, .sync = true});
    run_all(f);
    assert_int_equal(f->status, 0);
    memcpy(blocks + 1, "part", 4);
    memcpy(blocks + 4096, blocks, 1);
    blocks[4096] = 0; /* first byte of the pattern, before "part" changed its second */
    read_back(f, "log", 4096, slice_of(blocks, 4096));
    read_back(f, "log", 12288, slice_of(blocks + 8192, size - 8192));
    mem_free(blocks);
}

/* A file as a snapshot's writer makes it: whole blocks, then the rest, each where the last one ended. */
static void bulk_blocks_and_the_rest(void **state)
{
    struct fixture *f = *state;
    struct job jobs[4] = {0};
    const size_t size = 2 * 1024 * 1024 + 4096, rest = 100 * 1000;
    char *bytes = mem_alloc(size + rest);
    for (size_t i = 0; i < size + rest; i++)
        bytes[i] = (char)(i * 11 + i / 4096);
    submit(f, &jobs[0], 'a', (struct disk_job){.kind = DISK_CREATE, .name = "bulk", .bulk = true});
    submit(f, &jobs[1], 'b', (struct disk_job){.kind = DISK_WRITE, .name = "bulk", .bytes = slice_of(bytes, 4096), .bulk = true});
    submit(f, &jobs[2], 'c', (struct disk_job){.kind = DISK_WRITE, .name = "bulk", .offset = 4096, .bytes = slice_of(bytes + 4096, size - 4096),
                                               .bulk = true, .sync = true});
    submit(f, &jobs[3], 'd', (struct disk_job){.kind = DISK_WRITE, .name = "bulk", .offset = size, .bytes = slice_of(bytes + size, rest),
                                               .bulk = true, .sync = true});
    run_all(f);
    assert_int_equal(f->status, 0);
    read_back(f, "bulk", 0, slice_of(bytes, size + rest));
    read_back(f, "bulk", 4000, slice_of(bytes + 4000, 200000));
    mem_free(bytes);
}

static void stop_loop(struct timer *t) { uv_env_stop(container_of(t, struct fixture, turn)->uv); }

static void busy_for_30_ms(struct timer *t)
{
    struct fixture *f = container_of(t, struct fixture, turn);
    for (uint64_t until = clock_monotonic_ms(&f->env->clock) + 30; clock_monotonic_ms(&f->env->clock) < until;)
        ;
    loop_timer_start(&f->env->loop, t, 20);
    t->fire = stop_loop;
}

/* The loop tells how long its longest turn was; waiting is no part of one. */
static void long_turns_are_counted(void **state)
{
    struct fixture *f = *state;
    const struct loop_turns *turns = f->env->loop.turns;
    assert_non_null(turns);
    timer_init(&f->turn, stop_loop);
    loop_timer_start(&f->env->loop, &f->turn, 60);
    uv_env_run(f->uv, NULL, NULL);
    uint64_t before = turns->long_count;
    timer_init(&f->turn, busy_for_30_ms);
    loop_timer_start(&f->env->loop, &f->turn, 1);
    uv_env_run(f->uv, NULL, NULL);
    assert_true(turns->longest_ms >= 29);
    assert_true(turns->long_count > before);
}

static int prepare_text(struct disk_job *job)
{
    struct job *j = container_of(job, struct job, job);
    job->bytes = slice_str(j->text);
    return 0;
}

static int prepare_nothing(struct disk_job *job) { return err_set(&job->err, ERR_CANCELED, "changed its mind"); }

static void prepares_on_its_thread(void **state)
{
    struct fixture *f = *state;
    char text[] = "made late";
    struct job a = {0}, b = {.text = text}, c = {0};
    submit(f, &a, 'a', (struct disk_job){.kind = DISK_CREATE, .name = "bulk", .bulk = true});
    submit(f, &b, 'b', (struct disk_job){.kind = DISK_WRITE, .name = "bulk", .bulk = true, .prepare = prepare_text});
    run_all(f);
    assert_int_equal(f->status, 0);
    read_back(f, "bulk", 0, SLICE("made late"));
    submit(f, &c, 'c', (struct disk_job){.kind = DISK_WRITE, .name = "bulk", .bulk = true, .prepare = prepare_nothing});
    run_all(f);
    assert_int_equal(f->status, ERR_CANCELED);
    read_back(f, "bulk", 0, SLICE("made late"));
}

/* A log write never waits for what the bulk thread has in hand. */
static int prepare_until_told(struct disk_job *job)
{
    struct job *j = container_of(job, struct job, job);
    while (sem_wait(&j->f->told) != 0)
        ; /* a signal */
    job->bytes = SLICE("told");
    return 0;
}

static void tell(struct disk_job *job, int status, const struct err *why)
{
    struct job *j = container_of(job, struct job, job);
    done(job, status, why);
    (void)sem_post(&j->f->told);
}

static void the_log_does_not_wait_for_bulk(void **state)
{
    struct fixture *f = *state;
    struct job a = {0}, b = {0}, c = {0}, d = {0};
    submit(f, &a, 'a', (struct disk_job){.kind = DISK_CREATE, .name = "log", .size = 8192});
    submit(f, &b, 'b', (struct disk_job){.kind = DISK_CREATE, .name = "bulk", .bulk = true});
    run_all(f);
    assert_ok(sem_init(&f->told, 0, 0));
    submit(f, &c, 'c', (struct disk_job){.kind = DISK_WRITE, .name = "bulk", .bulk = true, .prepare = prepare_until_told});
    d = (struct job){.f = f, .letter = 'd', .job = {.kind = DISK_WRITE, .name = "log", .bytes = SLICE("x"), .sync = true, .done = tell}};
    f->left++;
    disk_submit(&f->env->disk, &d.job);
    run_all(f);
    assert_string_equal(f->order + 2, "dc");
    sem_destroy(&f->told);
}

/* Applies puts while the bulk thread reads the pin; the file must restore to the state at the pin. The thread sanitizer
 * watches in the long checks. */
struct taking {
    struct fixture *f;
    bool done;
    struct snapfile_info info;
};

static void taken(void *arg, int status, const struct snapfile_info *info, const struct err *why)
{
    struct taking *t = arg;
    assert_true(status == 0 && why == NULL);
    t->info = *info;
    t->done = true;
    uv_env_stop(t->f->uv);
}

static void apply_command(struct machine m, struct buf *entry, uint64_t index, const struct store_command *c)
{
    buf_reset(entry);
    entry_begin(entry, index);
    command_encode(entry, c);
    m.ops->apply(m.impl, index, 1, buf_slice(entry));
}

static void apply_one(struct machine m, struct buf *entry, const uint8_t client[STORE_ID_BYTES], uint64_t index, int key, int64_t compact)
{
    struct buf body = {0};
    char name[32], value[400];
    memset(value, 'a' + (int)(index % 26), sizeof value);
    snprintf(name, sizeof name, "key/%06d", key);
    struct kv_op op = {.kind = KV_OP_PUT, .put = {.key = slice_str(name), .value = slice_of(value, sizeof value)}};
    if (compact > 0)
        pack_int(&body, compact);
    else
        txn_encode(&body, &(struct kv_txn){.success = &op, .success_count = 1});
    struct store_command c = {.kind = compact > 0 ? COMMAND_COMPACT : COMMAND_TXN, .body = buf_slice(&body), .sequence = index,
                              .oldest = index};
    memcpy(c.client, client, sizeof c.client);
    apply_command(m, entry, index, &c);
    buf_release(&body);
}

static void on_events(void *arg, int64_t revision, const struct kv_event *events, size_t n)
{
    (void)arg, (void)revision, (void)events, (void)n;
}

static void on_result(void *arg, const struct store_command *c, struct slice result)
{
    struct unpack u = unpack_of(result);
    struct store_result r;
    assert_true(result_decode(&u, &r));
    assert_int_equal(r.status, 0);
    if (c->kind == COMMAND_SESSION_OPEN)
        memcpy(arg, unpack_bytes(&u).data, STORE_ID_BYTES);
}
static void on_entry(void *arg, uint64_t index) { (void)arg, (void)index; }
static void on_restored(void *arg) { (void)arg; }

static void stop(struct timer *t) { uv_env_stop(container_of(t, struct fixture, turn)->uv); }

/* One turn of the loop: what has completed is told. */
static void look(struct fixture *f)
{
    timer_init(&f->turn, stop);
    loop_timer_start(&f->env->loop, &f->turn, 0);
    uv_env_run(f->uv, NULL, NULL);
    loop_timer_stop(&f->env->loop, &f->turn);
}

static void a_snapshot_is_taken_while_the_store_changes(void **state)
{
    struct fixture *f = *state;
    uint8_t client[STORE_ID_BYTES];
    struct apply_options options = {on_events, on_result, on_entry, on_restored, client};
    struct apply *a = apply_new(&options), *b = apply_new(&options);
    struct machine m = apply_machine(a), other = apply_machine(b);
    struct buf entry = {0};
    struct taking t = {.f = f};
    struct err err;
    apply_command(m, &entry, 1, &(struct store_command){.kind = COMMAND_SESSION_OPEN, .client = {1}});
    for (uint64_t i = 2; i <= 20000; i++)
        apply_one(m, &entry, client, i, (int)(i * 7919 % 5000), 0);
    struct snapfile_info info = {.index = 20000, .term = 1, .configuration = {.count = 1, .members = {{7, true}}}};
    uint64_t hash = m.ops->hash(m.impl);
    snapfile_write(f->env, m, &info, taken, &t);
    for (uint64_t i = 20001; !t.done; i++) {
        apply_one(m, &entry, client, i, (int)(i * 104729 % 9000), i % 1000 == 0 ? (int64_t)i / 2 : 0);
        if (i % 64 == 0)
            look(f);
    }
    assert_true(mvcc_revision(apply_mvcc(a)) > 20000 && mvcc_compact_revision(apply_mvcc(a)) > 0);
    struct snapfile_reader *r;
    struct slice piece;
    char name[SNAPFILE_NAME_MAX];
    int rv;
    snapfile_name(20000, 1, name);
    assert_ok(snapfile_open(f->env, name, info.cluster_id, &r, &err));
    void *restore = other.ops->restore_begin(other.impl);
    while ((rv = snapfile_next(r, &piece, &err)) == 1)
        assert_ok(other.ops->restore_piece(restore, piece, &err));
    assert_int_equal(rv, 0);
    assert_ok(other.ops->restore_end(other.impl, restore, true, &err));
    assert_true(other.ops->hash(other.impl) == hash);
    assert_true(snapfile_info(r)->hash == hash);
    snapfile_close(r);
    buf_release(&entry);
    apply_free(a);
    apply_free(b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(keeps_the_order_of_a_lane, setup, teardown),
        cmocka_unit_test_setup_teardown(whole_blocks_and_parts_of_blocks, setup, teardown),
        cmocka_unit_test_setup_teardown(bulk_blocks_and_the_rest, setup, teardown),
        cmocka_unit_test_setup_teardown(long_turns_are_counted, setup, teardown),
        cmocka_unit_test_setup_teardown(prepares_on_its_thread, setup, teardown),
        cmocka_unit_test_setup_teardown(the_log_does_not_wait_for_bulk, setup, teardown),
        cmocka_unit_test_setup_teardown(a_snapshot_is_taken_while_the_store_changes, setup, teardown),
    };
    return RUN_TESTS(tests);
}
