#include "tests/test.h"

#include "common/mem.h"
#include "common/uv_proc.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define BIG_BYTES (8 * 1024 * 1024)

struct fixture {
    uv_loop_t loop;
    struct proc proc;
    struct uv_proc *uv;
    struct proc_session session;
    struct buf out, err;
    uv_timer_t slow;
    size_t sent, received, pending_max, pauses;
    uint64_t sum_sent, sum_received;
    bool big;
    int done, status;
    struct proc_exit exit;
    char folder[256];
};

static int setup(void **state)
{
    struct fixture *f = NEW(struct fixture);
    assert_int_equal(uv_loop_init(&f->loop), 0);
    uv_timer_init(&f->loop, &f->slow);
    f->slow.data = f;
    assert_ok(uv_proc_new(&f->loop, &f->proc, &f->uv));
    /* longer than a socket's path may be */
    (void)snprintf(f->folder, sizeof f->folder, "/tmp/uv-session-test-XXXXXX");
    assert_non_null(mkdtemp(f->folder));
    (void)snprintf(f->folder + strlen(f->folder), sizeof f->folder - strlen(f->folder), "/%0150d", 0);
    *state = f;
    return mkdir(f->folder, 0700);
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    uv_proc_close(f->uv);
    uv_close((uv_handle_t *)&f->slow, NULL);
    uv_run(&f->loop, UV_RUN_DEFAULT);
    assert_int_equal(uv_loop_close(&f->loop), 0);
    char *command = mem_printf("rm -rf %.*s", (int)(strrchr(f->folder, '/') - f->folder), f->folder);
    FILE *p = popen(command, "r");
    assert_true(p != NULL && pclose(p) == 0);
    mem_free(command);
    buf_release(&f->out);
    buf_release(&f->err);
    mem_free(f);
    return 0;
}

static void resume(uv_timer_t *timer)
{
    struct fixture *f = timer->data;
    proc_session_pause(&f->proc, &f->session, false);
}

static uint64_t sum(uint64_t so_far, struct slice bytes)
{
    for (size_t i = 0; i < bytes.size; i++)
        so_far = so_far * 31 + (uint8_t)bytes.data[i];
    return so_far;
}

static void on_output(struct proc_session *s, bool is_error, struct slice bytes)
{
    struct fixture *f = s->data;
    f->received += bytes.size;
    if (!f->big) {
        buf_append_slice(is_error ? &f->err : &f->out, bytes);
        return;
    }
    f->sum_received = sum(f->sum_received, bytes);
    if (++f->pauses % 8 == 0) {
        proc_session_pause(&f->proc, s, true);
        uv_timer_start(&f->slow, resume, 1, 0);
    }
}

static void send_more(struct proc_session *s)
{
    struct fixture *f = s->data;
    char piece[32768];
    if (!f->big)
        return;
    while (f->sent < BIG_BYTES && s->input_bytes_pending < 2 * sizeof piece) {
        for (size_t i = 0; i < sizeof piece; i++)
            piece[i] = (char)((f->sent + i) * 2654435761U >> 9);
        f->sum_sent = sum(f->sum_sent, slice_of(piece, sizeof piece));
        proc_session_write(&f->proc, s, slice_of(piece, sizeof piece));
        f->pending_max = MAX(f->pending_max, s->input_bytes_pending);
        f->sent += sizeof piece;
    }
    if (f->sent == BIG_BYTES)
        proc_session_input_end(&f->proc, s);
}

static void on_done(struct proc_session *s, int status, const struct proc_exit *exit)
{
    struct fixture *f = s->data;
    f->done++;
    f->status = status;
    f->exit = *exit;
    uv_timer_stop(&f->slow);
}

static void start(struct fixture *f, const char *const *argv, bool input, bool terminal)
{
    f->session = (struct proc_session){.argv = argv, .folder = f->folder, .input = input, .terminal = terminal,
                                       .on_output = on_output, .on_drained = send_more, .done = on_done, .data = f};
    proc_session_start(&f->proc, &f->session);
    assert_int_equal(f->done, 0);
}

static void streams_stay_apart(void **state)
{
    struct fixture *f = *state;
    const char *argv[] = {"sh", "-c", "echo out; echo err >&2; pwd; exit 3", NULL};
    start(f, argv, false, false);
    uv_run(&f->loop, UV_RUN_DEFAULT);
    assert_int_equal(f->done, 1);
    assert_int_equal(f->exit.code, 3);
    assert_true(strncmp(f->out.data, "out\n/tmp/uv-session-test", 20) == 0);
    assert_string_equal(f->err.data, "err\n");
}

static void input_ends(void **state)
{
    struct fixture *f = *state;
    const char *argv[] = {"cat", NULL};
    start(f, argv, true, false);
    proc_session_write(&f->proc, &f->session, SLICE("to and fro"));
    proc_session_input_end(&f->proc, &f->session);
    uv_run(&f->loop, UV_RUN_DEFAULT);
    assert_int_equal(f->exit.code, 0);
    assert_string_equal(f->out.data, "to and fro");
}

static void much_both_ways_through_a_slow_reader(void **state)
{
    struct fixture *f = *state;
    const char *argv[] = {"cat", NULL};
    f->big = true;
    start(f, argv, true, false);
    send_more(&f->session);
    uv_run(&f->loop, UV_RUN_DEFAULT);
    assert_int_equal(f->received, BIG_BYTES);
    assert_true(f->sum_sent == f->sum_received);
    assert_true(f->pending_max <= 4 * 32768);
    assert_int_equal(f->done, 1);
}

static void what_it_wrote_last_is_not_lost(void **state)
{
    struct fixture *f = *state;
    const char *argv[] = {"sh", "-c", "head -c 60000 /dev/zero", NULL};
    f->big = true; /* pauses */
    start(f, argv, false, false);
    uv_run(&f->loop, UV_RUN_DEFAULT);
    assert_int_equal(f->received, 60000);
}

static void a_left_behind_child_is_not_waited_for(void **state)
{
    struct fixture *f = *state;
    const char *argv[] = {"sh", "-c", "sleep 30 & echo $!", NULL};
    uint64_t before = uv_hrtime();
    start(f, argv, false, false);
    uv_run(&f->loop, UV_RUN_DEFAULT);
    assert_true(uv_hrtime() - before < 10 * UINT64_C(1000000000));
    assert_int_equal(kill((pid_t)strtol(f->out.data, NULL, 10), SIGKILL), 0);
}

static void nobody_reads_the_input(void **state)
{
    struct fixture *f = *state;
    const char *argv[] = {"sh", "-c", "exec <&-; exit 0", NULL};
    f->big = true;
    start(f, argv, true, false);
    send_more(&f->session);
    uv_run(&f->loop, UV_RUN_DEFAULT);
    assert_int_equal(f->done, 1);
}

static void no_such_program(void **state)
{
    struct fixture *f = *state;
    const char *argv[] = {"no-such-program-at-all", NULL};
    start(f, argv, true, false);
    uv_run(&f->loop, UV_RUN_DEFAULT);
    assert_int_equal(f->done, 1);
    assert_true(f->status < 0);
    assert_non_null(strstr(f->session.err.message, argv[0]));
}

static void the_seam_closes(void **state)
{
    struct fixture *f = *state;
    const char *argv[] = {"sleep", "1000", NULL};
    start(f, argv, true, false);
    uv_run(&f->loop, UV_RUN_NOWAIT);
    /* teardown closes the seam and runs the loop out */
}

/* What an OCI runtime does: opens a terminal, sends its master over, and runs something on it. */
static int hand_over(void)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX, .sun_path = "console"};
    int master = posix_openpt(O_RDWR | O_NOCTTY), s = socket(AF_UNIX, SOCK_STREAM, 0);
    union {
        struct cmsghdr header;
        char bytes[CMSG_SPACE(sizeof(int))];
    } control = {0};
    struct iovec part = {(void *)(uintptr_t)"pts", 3};
    struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof control};
    struct cmsghdr *c = CMSG_FIRSTHDR(&message);
    c->cmsg_level = SOL_SOCKET;
    c->cmsg_type = SCM_RIGHTS;
    c->cmsg_len = CMSG_LEN(sizeof(int));
    memcpy(CMSG_DATA(c), &master, sizeof master);
    if (master < 0 || grantpt(master) != 0 || unlockpt(master) != 0 ||
        connect(s, (struct sockaddr *)&address, sizeof address) != 0)
        return 20;
    int slave = open(ptsname(master), O_RDWR);
    if (slave < 0 || sendmsg(s, &message, 0) < 0)
        return 21;
    char line[64] = "";
    ssize_t n = read(slave, line, sizeof line - 1);
    struct winsize size = {0};
    (void)ioctl(slave, TIOCGWINSZ, &size);
    (void)dprintf(slave, "%dx%d %.*s", size.ws_col, size.ws_row, (int)n, line);
    return 5;
}

static void a_terminal_is_handed_over(void **state)
{
    struct fixture *f = *state;
    const char *argv[] = {"/proc/self/exe", "--terminal", NULL};
    char self[256];
    ssize_t n = readlink("/proc/self/exe", self, sizeof self - 1);
    assert_true(n > 0);
    self[n] = '\0';
    argv[0] = self;
    start(f, argv, true, true);
    proc_session_resize(&f->proc, &f->session, 90, 30); /* before it is there, like the input */
    proc_session_write(&f->proc, &f->session, SLICE("typed\n"));
    uv_run(&f->loop, UV_RUN_DEFAULT);
    assert_int_equal(f->exit.code, 5);
    assert_non_null(strstr(f->out.data, "90x30 typed"));
}

static void a_terminal_that_never_comes(void **state)
{
    struct fixture *f = *state;
    const char *argv[] = {"sh", "-c", "echo no terminal >&2; exit 9", NULL};
    start(f, argv, true, true);
    proc_session_write(&f->proc, &f->session, SLICE("typed\n"));
    uv_run(&f->loop, UV_RUN_DEFAULT);
    assert_int_equal(f->exit.code, 9);
    assert_string_equal(f->err.data, "no terminal\n");
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(streams_stay_apart, setup, teardown),
        cmocka_unit_test_setup_teardown(input_ends, setup, teardown),
        cmocka_unit_test_setup_teardown(much_both_ways_through_a_slow_reader, setup, teardown),
        cmocka_unit_test_setup_teardown(what_it_wrote_last_is_not_lost, setup, teardown),
        cmocka_unit_test_setup_teardown(a_left_behind_child_is_not_waited_for, setup, teardown),
        cmocka_unit_test_setup_teardown(nobody_reads_the_input, setup, teardown),
        cmocka_unit_test_setup_teardown(no_such_program, setup, teardown),
        cmocka_unit_test_setup_teardown(the_seam_closes, setup, teardown),
        cmocka_unit_test_setup_teardown(a_terminal_is_handed_over, setup, teardown),
        cmocka_unit_test_setup_teardown(a_terminal_that_never_comes, setup, teardown),
    };
    if (argc > 1 && strcmp(argv[1], "--terminal") == 0)
        return hand_over();
    return RUN_TESTS(tests);
}
