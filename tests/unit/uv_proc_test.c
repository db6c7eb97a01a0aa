#include "tests/test.h"

#include "common/mem.h"
#include "common/uv_proc.h"

#include <stdio.h>
#include <unistd.h>

struct fixture {
    uv_loop_t loop;
    struct proc proc;
    struct uv_proc *uv;
    int done, status;
    struct proc_exit exit;
};

static int setup(void **state)
{
    struct fixture *f = NEW(struct fixture);
    assert_int_equal(uv_loop_init(&f->loop), 0);
    assert_ok(uv_proc_new(&f->loop, &f->proc, &f->uv));
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    uv_proc_close(f->uv);
    uv_run(&f->loop, UV_RUN_DEFAULT);
    assert_int_equal(uv_loop_close(&f->loop), 0);
    mem_free(f);
    return 0;
}

static void on_done(struct proc_run *run, int status, const struct proc_exit *exit)
{
    struct fixture *f = run->data;
    f->done++;
    f->status = status;
    f->exit = *exit;
}

static void run_it(struct fixture *f, struct proc_run *run)
{
    run->done = on_done;
    run->data = f;
    proc_run(&f->proc, run);
    assert_int_equal(f->done, 0);
    uv_run(&f->loop, UV_RUN_DEFAULT);
    assert_int_equal(f->done, 1);
}

static void captures_and_exit_code(void **state)
{
    const char *argv[] = {"sh", "-c", "cat; echo oops >&2; exit 7", NULL};
    struct proc_run run = {.argv = argv, .input = SLICE("hello"), .stdout_fd = -1, .stderr_fd = -1};
    struct fixture *f = *state;
    run_it(f, &run);
    assert_int_equal(f->status, 0);
    assert_int_equal(f->exit.code, 7);
    assert_slice_equal(buf_slice(&run.output), "hello");
    assert_slice_equal(buf_slice(&run.errors), "oops\n");
    buf_release(&run.output);
    buf_release(&run.errors);
}

static void missing_program(void **state)
{
    const char *argv[] = {"no-such-program-here", NULL};
    struct proc_run run = {.argv = argv, .stdout_fd = -1, .stderr_fd = -1};
    struct fixture *f = *state;
    run_it(f, &run);
    assert_int_equal(f->status, ERR_NOT_FOUND);
    assert_non_null(strstr(run.err.message, "no-such-program-here"));
}

static void timeout_kills_the_group(void **state)
{
    const char *argv[] = {"sh", "-c", "sleep 100 & wait", NULL};
    struct proc_run run = {.argv = argv, .stdout_fd = -1, .stderr_fd = -1, .timeout_ms = 50};
    struct fixture *f = *state;
    run_it(f, &run);
    assert_int_equal(f->exit.signal, 9);
}

static void output_is_bounded(void **state)
{
    const char *argv[] = {"sh", "-c", "head -c 3000000 /dev/zero", NULL};
    struct proc_run run = {.argv = argv, .stdout_fd = -1, .stderr_fd = -1};
    struct fixture *f = *state;
    run_it(f, &run);
    assert_int_equal(f->exit.code, 0);
    assert_int_equal(run.output.size, PROC_OUTPUT_MAX);
    buf_release(&run.output);
}

struct watched {
    struct proc_watch watch;
    struct fixture *fixture;
};

static void on_exited(struct proc_watch *w, const struct proc_exit *exit)
{
    struct fixture *f = w->data;
    f->done++;
    f->exit = *exit;
}

/* A grandchild whose parent ended becomes ours, and its status is told. */
static void watches_an_orphan(void **state)
{
    struct fixture *f = *state;
    struct proc_watch self = {.pid = (int)getpid(), .exited = on_exited, .data = f};
    proc_watch(&f->proc, &self); /* the first watch makes us a subreaper */
    proc_unwatch(&f->proc, &self);
    const char *argv[] = {"sh", "-c", "(sleep 0.2; exit 5) >/dev/null 2>&1 & echo $!", NULL};
    struct proc_run run = {.argv = argv, .stdout_fd = -1, .stderr_fd = -1};
    run_it(f, &run);
    f->done = 0;
    struct proc_watch watch = {.pid = (int)strtol(run.output.data, NULL, 10), .exited = on_exited, .data = f};
    proc_watch(&f->proc, &watch);
    uv_run(&f->loop, UV_RUN_DEFAULT);
    assert_int_equal(f->done, 1);
    assert_int_equal(f->exit.code, 5);
    buf_release(&run.output);
}

static void close_cancels(void **state)
{
    struct fixture *f = *state;
    const char *argv[] = {"sleep", "100", NULL};
    struct proc_run run = {.argv = argv, .stdout_fd = -1, .stderr_fd = -1, .done = on_done, .data = f};
    proc_run(&f->proc, &run);
    uv_proc_close(f->uv);
    uv_run(&f->loop, UV_RUN_DEFAULT);
    assert_int_equal(f->done, 1);
    assert_int_equal(f->status, ERR_CANCELED);
    assert_ok(uv_proc_new(&f->loop, &f->proc, &f->uv));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(captures_and_exit_code, setup, teardown),
        cmocka_unit_test_setup_teardown(missing_program, setup, teardown),
        cmocka_unit_test_setup_teardown(timeout_kills_the_group, setup, teardown),
        cmocka_unit_test_setup_teardown(output_is_bounded, setup, teardown),
        cmocka_unit_test_setup_teardown(watches_an_orphan, setup, teardown),
        cmocka_unit_test_setup_teardown(close_cancels, setup, teardown),
    };
    return RUN_TESTS(tests);
}
