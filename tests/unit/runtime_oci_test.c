/* The runtime layer on this very machine: real images, real containers, in a network namespace of the test's own. Needs
 * root, crun, umoci and the CNI plugins, and fails where they are missing. The test binary is its own shim. */
#include "tests/test.h"

#include <sched.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/mem.h"
#include "common/uv_env.h"
#include "nodeagent/host.h"
#include "nodeagent/image.h"
#include "nodeagent/runtime_oci.h"

#define IMAGES "build/images"

struct fixture {
    struct uv_env *uv;
    struct env *env;
    char root[64], cgroup[64], self[512];
    struct image_store *images;
    struct runtime runtime;
    struct runtime_oci *oci;
    struct pod *pod;
    int done, status;
    struct err err;
    int ended;
    char ended_container[64];
    struct runtime_exit exit;
    bool want_end;
};

static void on_ended(void *arg, const char *uid, const char *container, unsigned attempt, const struct runtime_exit *exit)
{
    (void)uid;
    (void)attempt;
    struct fixture *f = arg;
    f->ended++;
    (void)snprintf(f->ended_container, sizeof f->ended_container, "%s", container == NULL ? "" : container);
    f->exit = *exit;
    if (f->want_end)
        uv_env_stop(f->uv);
}

static void on_done(struct runtime_call *c, int status, const struct err *why)
{
    struct fixture *f = c->data;
    f->done++;
    f->status = status;
    if (why != NULL)
        f->err = *why;
    uv_env_stop(f->uv);
}

static int call_it(struct fixture *f, struct runtime_call *c)
{
    c->pod = f->pod;
    c->done = on_done;
    c->data = f;
    f->done = 0;
    runtime_call(&f->runtime, c);
    assert_int_equal(f->done, 0);
    while (f->done == 0)
        uv_env_run(f->uv, NULL, NULL);
    if (f->status != 0)
        print_message("call failed: %s\n", f->err.message);
    return f->status;
}

static void wait_end(struct fixture *f)
{
    f->want_end = true;
    while (f->ended == 0)
        uv_env_run(f->uv, NULL, NULL);
    f->want_end = false;
}

static void on_run_done(struct proc_run *run, int status, const struct proc_exit *exit)
{
    struct fixture *f = run->data;
    f->done++;
    f->status = status < 0 ? status : exit->code != 0 ? exit->code : -exit->signal;
    uv_env_stop(f->uv);
}

static int run_it(struct fixture *f, const char *const *argv, struct buf *out)
{
    struct proc_run run = {.argv = argv, .stdout_fd = -1, .stderr_fd = -1, .done = on_run_done, .data = f, .timeout_ms = 60000};
    f->done = 0;
    proc_run(&f->env->proc, &run);
    while (f->done == 0)
        uv_env_run(f->uv, NULL, NULL);
    if (f->status != 0)
        print_message("%s: %.*s\n", argv[0], (int)run.errors.size, run.errors.data == NULL ? "" : run.errors.data);
    if (out != NULL)
        buf_append_slice(out, buf_slice(&run.output));
    buf_release(&run.output);
    buf_release(&run.errors);
    return f->status;
}

static void runtime_open(struct fixture *f)
{
    struct err err;
    struct runtime_oci_options o = {
        .root = f->root,
        .program = getenv("KEELSON_RUNTIME") == NULL ? "crun" : getenv("KEELSON_RUNTIME"),
        .self = f->self,
        .cgroup_root = f->cgroup,
        .node_ip = "10.99.0.1",
        .pause_image = "keelson/pause:1",
        .network = {.pod_cidr = "10.99.7.0/24", .plugins = "/usr/lib/cni"},
        .images = f->images,
        .events = {on_ended, f},
    };
    if (runtime_oci_new(f->env, &o, &f->runtime, &f->oci, &err) < 0)
        fail_msg("%s", err.message);
}

static int setup(void **state)
{
    struct fixture *f = NEW(struct fixture);
    struct err err;
    f->uv = uv_env_new("test", LOG_WARN);
    uv_env_add_proc(f->uv);
    f->env = uv_env_env(f->uv);
    (void)snprintf(f->root, sizeof f->root, "/tmp/kn4-runtime-XXXXXX");
    assert_non_null(mkdtemp(f->root));
    (void)snprintf(f->cgroup, sizeof f->cgroup, "kn4-test-%d", (int)getpid());
    assert_ok(host_self_program(f->self, sizeof f->self, &err));
    const char *make[] = {"tools/images.sh", IMAGES, NULL};
    assert_int_equal(run_it(f, make, NULL), 0);
    struct image_store_options images = {.root = f->root, .preloaded = IMAGES};
    if (image_store_new(f->env, &images, &f->images, &err) < 0)
        fail_msg("%s", err.message);
    runtime_open(f);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    struct err err;
    host_cgroup_kill(f->cgroup);
    runtime_oci_free(f->oci);
    image_store_free(f->images);
    uv_env_free(f->uv);
    host_cgroup_remove(f->cgroup);
    struct host_stat st;
    char path[128];
    (void)snprintf(path, sizeof path, "/sys/fs/cgroup/memory/%s", f->cgroup);
    assert_int_equal(host_stat(path, &st), ERR_NOT_FOUND);
    if (host_remove_tree(f->root, &err) < 0)
        fail_msg("%s", err.message);
    pod_free(f->pod);
    mem_free(f);
    return 0;
}

static void pod_use(struct fixture *f, const char *spec)
{
    struct err err;
    char *text = mem_printf("{\"metadata\":{\"namespace\":\"default\",\"name\":\"web-0\",\"uid\":"
                            "\"11111111-2222-3333-4444-%012d\"},\"spec\":%s}",
                            (int)getpid(), spec);
    if (pod_parse(slice_str(text), &f->pod, &err) < 0)
        fail_msg("%s", err.message);
    mem_free(text);
}

static void start(struct fixture *f, size_t index, unsigned attempt, const char *address)
{
    struct runtime_call image = {.verb = RUNTIME_IMAGE, .index = index};
    assert_ok(call_it(f, &image));
    struct runtime_call call = {.verb = RUNTIME_CONTAINER_START, .index = index, .attempt = attempt};
    (void)snprintf(call.address, sizeof call.address, "%s", address);
    assert_ok(call_it(f, &call));
    assert_true(call.started_ms > 0);
}

static void stop_and_remove(struct fixture *f)
{
    struct runtime_call stop = {.verb = RUNTIME_SANDBOX_STOP}, remove = {.verb = RUNTIME_POD_REMOVE};
    assert_ok(call_it(f, &stop));
    assert_ok(call_it(f, &remove));
}

/* A pod serves over its address, ends on TERM with its own code, and leaves nothing. */
static void pod_lives_and_ends(void **state)
{
    struct fixture *f = *state;
    pod_use(f, "{\"containers\":[{\"name\":\"web\",\"image\":\"keelson/demo:1\",\"env\":[{\"name\":\"WHO\",\"value\":\"$(HOSTNAME)\"}],"
               "\"resources\":{\"limits\":{\"memory\":\"64Mi\",\"cpu\":\"500m\"}}}]}");
    struct runtime_call sandbox = {.verb = RUNTIME_SANDBOX_START};
    assert_ok(call_it(f, &sandbox));
    assert_non_null(strstr(sandbox.address, "10.99.7."));
    start(f, 0, 0, sandbox.address);
    char url[128];
    struct buf out = {0};
    (void)snprintf(url, sizeof url, "http://%s:8080/", sandbox.address);
    const char *curl[] = {"curl", "-sS", "--retry", "20", "--retry-connrefused", "--retry-delay", "1", "-m", "20", url, NULL};
    assert_int_equal(run_it(f, curl, &out), 0);
    assert_slice_equal(buf_slice(&out), "keelson demo 1 on web-0\n");
    buf_release(&out);
    struct runtime_call term = {.verb = RUNTIME_CONTAINER_SIGNAL, .signal = 15};
    assert_ok(call_it(f, &term));
    wait_end(f);
    assert_string_equal(f->ended_container, "web");
    assert_int_equal(f->exit.code, 0);
    assert_false(f->exit.unknown);
    char *logs = runtime_oci_log_folder(f->root, "default", "web-0", f->pod->uid, "web"), path[512];
    (void)snprintf(path, sizeof path, "%s/0.log", logs);
    assert_ok(host_read_file(path, 0, 65536, &out, NULL));
    assert_non_null(strstr(out.data, " stdout F keelson demo 1 listens on 8080\n"));
    assert_non_null(strstr(out.data, "response:200"));
    buf_release(&out);
    mem_free(logs);
    stop_and_remove(f);
}

static void exit_code_and_oom(void **state)
{
    struct fixture *f = *state;
    pod_use(f, "{\"restartPolicy\":\"Never\",\"volumes\":[{\"name\":\"v\",\"emptyDir\":{}}],\"containers\":["
               "{\"name\":\"seven\",\"image\":\"keelson/demo:1\",\"command\":[\"sh\",\"-c\",\"echo $X >/v/f; exit 7\"],"
               "\"env\":[{\"name\":\"X\",\"value\":\"kept\"}],\"volumeMounts\":[{\"name\":\"v\",\"mountPath\":\"/v\"}]},"
               "{\"name\":\"eater\",\"image\":\"keelson/demo:1\",\"command\":[\"sh\",\"-c\",\"tail /dev/zero\"],"
               "\"resources\":{\"limits\":{\"memory\":\"32Mi\"}}},"
               "{\"name\":\"wrong\",\"image\":\"keelson/demo:1\",\"command\":[\"/no/such\"]}]}");
    struct runtime_call sandbox = {.verb = RUNTIME_SANDBOX_START};
    assert_ok(call_it(f, &sandbox));
    start(f, 0, 0, sandbox.address);
    wait_end(f);
    assert_int_equal(f->exit.code, 7);
    f->ended = 0;
    start(f, 1, 0, sandbox.address);
    wait_end(f);
    assert_true(f->exit.oom_killed);
    struct runtime_call wrong = {.verb = RUNTIME_CONTAINER_START, .index = 2};
    assert_int_not_equal(call_it(f, &wrong), 0);
    assert_non_null(strstr(f->err.message, "/no/such"));
    struct buf kept = {0};
    char path[256];
    (void)snprintf(path, sizeof path, "%s/run/%s/volumes/v/f", f->root, f->pod->uid);
    assert_ok(host_read_file(path, 0, 100, &kept, NULL));
    assert_slice_equal(buf_slice(&kept), "kept\n");
    buf_release(&kept);
    stop_and_remove(f);
}

struct counts {
    int sandboxes, running, ended;
};

static void on_found(void *arg, const struct runtime_found *found)
{
    struct counts *c = arg;
    c->sandboxes += found->container == NULL;
    c->running += found->running;
    c->ended += found->container != NULL && !found->running;
}

/* Containers run on without their agent, and another agent finds them and sees their end. */
static void containers_outlive_the_agent(void **state)
{
    struct fixture *f = *state;
    struct err err;
    pod_use(f, "{\"containers\":[{\"name\":\"web\",\"image\":\"keelson/demo:2\"}]}");
    struct runtime_call sandbox = {.verb = RUNTIME_SANDBOX_START};
    assert_ok(call_it(f, &sandbox));
    start(f, 0, 0, sandbox.address);
    runtime_oci_free(f->oci);
    runtime_open(f);
    struct counts counts = {0};
    assert_ok(runtime_recover(&f->runtime, on_found, &counts, &err));
    assert_int_equal(counts.sandboxes, 1);
    assert_int_equal(counts.running, 2);
    struct runtime_call stop = {.verb = RUNTIME_SANDBOX_STOP}, remove = {.verb = RUNTIME_POD_REMOVE};
    assert_ok(call_it(f, &stop));
    assert_int_equal(f->ended, 2);
    assert_ok(call_it(f, &remove));
}

int main(int argc, char **argv)
{
    if (argc > 1 && strcmp(argv[1], "shim") == 0)
        return host_shim_main(argc - 1, argv + 1);
    struct err err;
    if (unshare(CLONE_NEWNET) != 0 || host_private_mounts(&err) < 0) {
        printf("not ok 1 - runtime_oci needs root\n");
        return 1;
    }
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(pod_lives_and_ends, setup, teardown),
        cmocka_unit_test_setup_teardown(exit_code_and_oom, setup, teardown),
        cmocka_unit_test_setup_teardown(containers_outlive_the_agent, setup, teardown),
    };
    return RUN_TESTS(tests);
}
