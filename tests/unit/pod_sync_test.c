#include "tests/test.h"

#include <signal.h>

#include "common/mem.h"
#include "nodeagent/pod_status.h"
#include "nodeagent/pod_sync.h"

struct fixture {
    struct pod *pod;
    struct pod_observed observed;
    uint64_t now_ms;
};

static struct fixture *open_pod(const char *meta, const char *spec)
{
    struct fixture *f = NEW(struct fixture);
    struct err err;
    char *text = mem_printf("{\"metadata\":{\"namespace\":\"default\",\"name\":\"p\",\"uid\":\"u1\"%s},\"spec\":%s}", meta, spec);
    if (pod_parse(slice_str(text), &f->pod, &err) < 0)
        fail_msg("%s", err.message);
    mem_free(text);
    f->observed.containers = mem_zalloc(f->pod->container_count * sizeof *f->observed.containers);
    f->now_ms = 1000000;
    return f;
}

static void close_pod(struct fixture *f)
{
    pod_free(f->pod);
    mem_free(f->observed.containers);
    mem_free(f);
}

static struct pod_action next(struct fixture *f, bool gone) { return pod_sync(f->pod, gone, &f->observed, f->now_ms); }

static void expect(struct fixture *f, enum pod_action_kind kind, size_t index)
{
    struct pod_action a = next(f, false);
    assert_int_equal(a.kind, kind);
    assert_int_equal(a.index, index);
}

static void started(struct fixture *f, size_t index)
{
    struct runtime_call call = {.attempt = f->observed.containers[index].attempts, .started_ms = 5};
    pod_observe_start(&f->pod->containers[index], &f->observed.containers[index], &call, f->now_ms);
}

static void ended(struct fixture *f, size_t index, int code)
{
    struct runtime_exit exit = {.code = code};
    pod_observe_end(&f->observed.containers[index], &exit, f->now_ms);
}

static void run_through(struct fixture *f, size_t index)
{
    expect(f, POD_GET_IMAGE, index);
    f->observed.containers[index].image_ready = true;
    expect(f, POD_FETCH, index);
    f->observed.containers[index].fetched = true;
    expect(f, POD_START_CONTAINER, index);
    started(f, index);
}

#define TWO "{\"initContainers\":[{\"name\":\"i\",\"image\":\"a:1\"}],\"containers\":[{\"name\":\"a\",\"image\":\"a:1\"}," \
            "{\"name\":\"b\",\"image\":\"b:1\"}]%s}"

static void init_then_all(void **state)
{
    (void)state;
    char *spec = mem_printf(TWO, "");
    struct fixture *f = open_pod("", spec);
    expect(f, POD_START_SANDBOX, 0);
    f->observed.sandbox = POD_SANDBOX_READY;
    run_through(f, 0);
    assert_int_equal(next(f, false).wait_ms, POD_NEVER);
    assert_string_equal(pod_phase(f->pod, &f->observed), "Pending");
    ended(f, 0, 0);
    run_through(f, 1);
    run_through(f, 2);
    expect(f, POD_WAIT, 0);
    assert_string_equal(pod_phase(f->pod, &f->observed), "Running");
    close_pod(f);
    mem_free(spec);
}

static void crash_loop_doubles_and_resets(void **state)
{
    (void)state;
    struct fixture *f = open_pod("", "{\"containers\":[{\"name\":\"a\",\"image\":\"a:1\"}]}");
    f->observed.sandbox = POD_SANDBOX_READY;
    static const uint64_t waits_ms[] = {0, 10000, 20000, 40000, 80000, 160000, 300000, 300000};
    for (size_t i = 0; i < ARRAY_LEN(waits_ms); i++) {
        run_through(f, 0);
        ended(f, 0, 1);
        if (waits_ms[i] > 0) {
            struct pod_action a = next(f, false);
            assert_int_equal(a.kind, POD_WAIT);
            assert_int_equal(a.wait_ms, waits_ms[i]);
            f->now_ms += waits_ms[i];
        }
    }
    run_through(f, 0);
    f->now_ms += POD_BACKOFF_RESET_MS;
    ended(f, 0, 1);
    expect(f, POD_GET_IMAGE, 0);
    close_pod(f);
}

static void never_and_on_failure(void **state)
{
    (void)state;
    struct fixture *f = open_pod("", "{\"restartPolicy\":\"Never\",\"containers\":[{\"name\":\"a\",\"image\":\"a:1\"}]}");
    f->observed.sandbox = POD_SANDBOX_READY;
    run_through(f, 0);
    ended(f, 0, 3);
    assert_string_equal(pod_phase(f->pod, &f->observed), "Failed");
    expect(f, POD_STOP_SANDBOX, 0);
    f->observed.sandbox = POD_SANDBOX_NONE;
    expect(f, POD_WAIT, 0);
    close_pod(f);
    f = open_pod("", "{\"restartPolicy\":\"OnFailure\",\"containers\":[{\"name\":\"a\",\"image\":\"a:1\"}]}");
    f->observed.sandbox = POD_SANDBOX_READY;
    run_through(f, 0);
    ended(f, 0, 3);
    run_through(f, 0);
    ended(f, 0, 0);
    assert_string_equal(pod_phase(f->pod, &f->observed), "Succeeded");
    close_pod(f);
}

static void deletion_takes_term_then_kill(void **state)
{
    (void)state;
    struct fixture *f = open_pod(",\"deletionTimestamp\":\"2026-01-01T00:00:00Z\",\"deletionGracePeriodSeconds\":5",
                                 "{\"containers\":[{\"name\":\"a\",\"image\":\"a:1\"}]}");
    f->observed.sandbox = POD_SANDBOX_READY;
    started(f, 0);
    struct pod_action a = next(f, false);
    assert_int_equal(a.kind, POD_SIGNAL_CONTAINER);
    assert_int_equal(a.signal, SIGTERM);
    f->observed.containers[0].term_sent = true;
    f->observed.containers[0].stop_at_ms = f->observed.containers[0].term_at_ms = f->now_ms;
    a = next(f, false);
    assert_int_equal(a.kind, POD_WAIT);
    assert_int_equal(a.wait_ms, 5000);
    f->now_ms += 5000;
    a = next(f, false);
    assert_int_equal(a.signal, SIGKILL);
    ended(f, 0, 137);
    expect(f, POD_STOP_SANDBOX, 0);
    f->observed.sandbox = POD_SANDBOX_NONE;
    expect(f, POD_REMOVE, 0);
    f->observed.removed = true;
    expect(f, POD_CONFIRM, 0);
    assert_int_equal(next(f, true).kind, POD_FORGET);
    close_pod(f);
}

static void lost_sandbox_is_made_anew(void **state)
{
    (void)state;
    struct fixture *f = open_pod("", "{\"containers\":[{\"name\":\"a\",\"image\":\"a:1\"}]}");
    f->observed.sandbox = POD_SANDBOX_READY;
    run_through(f, 0);
    f->observed.sandbox = POD_SANDBOX_ENDED;
    expect(f, POD_STOP_SANDBOX, 0);
    ended(f, 0, 137);
    f->observed.sandbox = POD_SANDBOX_NONE;
    expect(f, POD_START_SANDBOX, 0);
    close_pod(f);
}

static void unsupported_is_said(void **state)
{
    (void)state;
    struct fixture *f = open_pod("", "{\"volumes\":[{\"name\":\"v\",\"nfs\":{\"server\":\"s\",\"path\":\"/\"}}],"
                                     "\"containers\":[{\"name\":\"a\",\"image\":\"a:1\"}]}");
    expect(f, POD_WAIT, 0);
    struct json_doc *d = json_doc_new();
    struct pod_status_options o = {.pod = f->pod, .observed = &f->observed, .host_ip = "1.2.3.4", .now_ms = 1, .accepted_ms = 1};
    struct json *status = pod_status_build(&o, d);
    struct json *waiting = json_at(json_element(json_get(status, "containerStatuses"), 0), "state.waiting");
    assert_slice_equal(json_string_at(waiting, "message"), "volume v of type nfs is not supported yet");
    json_doc_free(d);
    close_pod(f);
}

static void status_tells_it_all(void **state)
{
    (void)state;
    struct fixture *f = open_pod("", "{\"containers\":[{\"name\":\"a\",\"image\":\"a:1\",\"resources\":{\"requests\":{\"cpu\":\"100m\"}}}]}");
    f->observed.sandbox = POD_SANDBOX_READY;
    memcpy(f->observed.address, "10.0.0.5", 9);
    run_through(f, 0);
    struct json_doc *d = json_doc_new();
    struct pod_status_options o = {.pod = f->pod, .observed = &f->observed, .host_ip = "1.2.3.4",
                                   .now_ms = 1700000000000, .accepted_ms = 1600000000000};
    struct json *status = pod_status_build(&o, d);
    assert_slice_equal(json_string_at(status, "phase"), "Running");
    assert_slice_equal(json_string_at(status, "qosClass"), "Burstable");
    assert_slice_equal(json_string_at(status, "podIP"), "10.0.0.5");
    assert_slice_equal(json_string_at(status, "startTime"), "2020-09-13T12:26:40Z");
    o.previous = status;
    o.now_ms += 5000;
    struct json *again = pod_status_build(&o, d);
    assert_true(json_equal(status, again)); /* transition times stay */
    ended(f, 0, 2);
    f->observed.containers[0].reason[0] = 'C';
    again = pod_status_build(&o, d);
    struct json *c = json_element(json_get(again, "containerStatuses"), 0);
    assert_int_equal(json_int_at(c, "lastState.terminated.exitCode", -1), 2);
    assert_false(json_bool_at(c, "ready", true));
    struct json *ready = json_element(json_get(again, "conditions"), 2);
    assert_slice_equal(json_string_at(ready, "message"), "containers with unready status: [a]");
    json_doc_free(d);
    close_pod(f);
}

#define SIDECAR "{\"restartPolicy\":\"Never\",\"initContainers\":[{\"name\":\"s\",\"image\":\"a:1\",\"restartPolicy\":\"Always\"}," \
                "{\"name\":\"i\",\"image\":\"a:1\"}],\"containers\":[{\"name\":\"m\",\"image\":\"a:1\"}]}"

static void sent(struct fixture *f, size_t index)
{
    struct pod_observed_container *c = &f->observed.containers[index];
    c->term_sent = true;
    c->stop_at_ms = c->term_at_ms = f->now_ms;
}

static void sidecar_goes_on_beside_the_others(void **state)
{
    (void)state;
    struct fixture *f = open_pod("", SIDECAR);
    f->observed.sandbox = POD_SANDBOX_READY;
    run_through(f, 0);
    expect(f, POD_WAIT, 0); /* the next one waits until it has started */
    pod_observe_initialized(f->pod, &f->observed);
    run_through(f, 1);
    ended(f, 0, 0); /* a sidecar always comes back, also while another init container runs */
    run_through(f, 0);
    ended(f, 1, 0);
    assert_true(pod_init_done(f->pod, &f->observed));
    run_through(f, 2);
    assert_string_equal(pod_phase(f->pod, &f->observed), "Running");
    ended(f, 0, 3);
    assert_true(pod_init_done(f->pod, &f->observed));
    f->now_ms += POD_BACKOFF_MAX_MS;
    run_through(f, 0);
    ended(f, 2, 0); /* the work is done: the sidecar is ended gracefully, then the sandbox */
    assert_string_equal(pod_phase(f->pod, &f->observed), "Succeeded");
    struct pod_action a = next(f, false);
    assert_int_equal(a.kind, POD_SIGNAL_CONTAINER);
    assert_int_equal(a.signal, SIGTERM);
    sent(f, 0);
    expect(f, POD_WAIT, 0);
    ended(f, 0, 0);
    expect(f, POD_STOP_SANDBOX, 0);
    pod_observe_sandbox(f->pod, &f->observed);
    assert_false(pod_init_done(f->pod, &f->observed));
    close_pod(f);
}

static void sidecar_stops_last(void **state)
{
    (void)state;
    struct fixture *f = open_pod(",\"deletionTimestamp\":\"2026-01-01T00:00:00Z\",\"deletionGracePeriodSeconds\":5", SIDECAR);
    f->observed.sandbox = POD_SANDBOX_READY;
    started(f, 0);
    started(f, 2);
    struct pod_action a = next(f, false);
    assert_int_equal(a.kind, POD_SIGNAL_CONTAINER);
    assert_int_equal(a.index, 2);
    sent(f, 2);
    expect(f, POD_WAIT, 0);
    f->now_ms += 4000;
    ended(f, 2, 0);
    a = next(f, false);
    assert_int_equal(a.kind, POD_SIGNAL_CONTAINER);
    assert_int_equal(a.index, 0);
    sent(f, 0);
    a = next(f, false);
    assert_int_equal(a.kind, POD_WAIT);
    assert_int_equal(a.wait_ms, POD_SIDECAR_GRACE_MS); /* one second of the pod's is left: the least counts */
    f->now_ms += POD_SIDECAR_GRACE_MS;
    assert_int_equal(next(f, false).signal, SIGKILL);
    close_pod(f);
}

static void readiness_gates(void **state)
{
    (void)state;
    struct json_doc *d = json_doc_new();
    static const char *const statuses[] = {"False", "True"};
    for (size_t i = 0; i < 2; i++) {
        char *spec = mem_printf("{\"readinessGates\":[{\"conditionType\":\"x/y\"}],\"containers\":[{\"name\":\"a\",\"image\":\"a:1\"}]},"
                                "\"status\":{\"conditions\":[{\"type\":\"x/y\",\"status\":\"%s\"}]}", statuses[i]);
        struct fixture *f = open_pod("", spec);
        f->observed.sandbox = POD_SANDBOX_READY;
        run_through(f, 0);
        struct pod_status_options o = {.pod = f->pod, .observed = &f->observed, .host_ip = "1.2.3.4", .now_ms = 1, .accepted_ms = 1};
        struct json *conditions = json_get(pod_status_build(&o, d), "conditions");
        assert_slice_equal(json_string_at(json_element(conditions, 2), "type"), "Ready");
        assert_slice_equal(json_string_at(json_element(conditions, 2), "status"), statuses[i]);
        assert_slice_equal(json_string_at(json_element(conditions, 3), "status"), "True");
        assert_slice_equal(json_string_at(json_element(conditions, 5), "type"), "x/y");
        close_pod(f);
        mem_free(spec);
    }
    json_doc_free(d);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(init_then_all),
        cmocka_unit_test(crash_loop_doubles_and_resets),
        cmocka_unit_test(never_and_on_failure),
        cmocka_unit_test(deletion_takes_term_then_kill),
        cmocka_unit_test(lost_sandbox_is_made_anew),
        cmocka_unit_test(unsupported_is_said),
        cmocka_unit_test(status_tells_it_all),
        cmocka_unit_test(sidecar_goes_on_beside_the_others),
        cmocka_unit_test(sidecar_stops_last),
        cmocka_unit_test(readiness_gates),
    };
    return RUN_TESTS(tests);
}
