#include "tests/test.h"

#include <signal.h>
#include <stdio.h>

#include "common/mem.h"
#include "nodeagent/probes.h"

static struct pod *parse(const char *meta, const char *container)
{
    struct pod *p = NULL;
    struct err err;
    char *text = mem_printf("{\"metadata\":{\"namespace\":\"n\",\"name\":\"p\",\"uid\":\"u\"%s},\"spec\":{"
                            "\"terminationGracePeriodSeconds\":10,\"containers\":[{\"name\":\"a\",\"image\":\"i\"%s}]}}",
                            meta, container);
    if (pod_parse(slice_str(text), &p, &err) < 0)
        fail_msg("%s", err.message);
    mem_free(text);
    return p;
}

static void fields_and_defaults(void **state)
{
    (void)state;
    struct pod *p = parse("", ",\"ports\":[{\"name\":\"web\",\"containerPort\":81}],\"livenessProbe\":{\"httpGet\":{\"port\":\"web\"}},"
                              "\"readinessProbe\":{\"tcpSocket\":{\"port\":\"none\"},\"periodSeconds\":-4,\"timeoutSeconds\":7},"
                              "\"startupProbe\":{\"grpc\":{\"port\":1}}");
    const struct pod_probe *live = &p->containers[0].probes[POD_PROBE_LIVENESS];
    const struct pod_probe *ready = &p->containers[0].probes[POD_PROBE_READINESS];
    assert_int_equal(live->handler.kind, POD_HANDLER_HTTP);
    assert_int_equal(live->handler.port, 81);
    assert_string_equal(live->handler.path, "/");
    assert_int_equal(live->period_s, 10);
    assert_int_equal(live->failure_threshold, 3);
    assert_int_equal(ready->handler.port, 0);
    assert_int_equal(ready->period_s, 1);
    assert_int_equal(ready->timeout_s, 7);
    assert_int_equal(p->containers[0].probes[POD_PROBE_STARTUP].handler.kind, POD_HANDLER_NONE);
    assert_string_equal(p->unsupported, "startupProbe.grpc of container a is not supported");
    pod_free(p);
}

static void thresholds(void **state)
{
    (void)state;
    struct probe_tally t = {0};
    struct pod_probe p = {.success_threshold = 2, .failure_threshold = 3};
    assert_int_equal(probe_tally_add(&t, &p, true), PROBE_UNDECIDED);
    assert_int_equal(probe_tally_add(&t, &p, true), PROBE_SUCCESS);
    assert_int_equal(probe_tally_add(&t, &p, false), PROBE_UNDECIDED);
    assert_int_equal(probe_tally_add(&t, &p, false), PROBE_UNDECIDED);
    assert_int_equal(probe_tally_add(&t, &p, true), PROBE_UNDECIDED);
    for (int i = 0; i < 2; i++)
        assert_int_equal(probe_tally_add(&t, &p, false), PROBE_UNDECIDED);
    assert_int_equal(probe_tally_add(&t, &p, false), PROBE_FAILURE);
    assert_int_equal(probe_tally_add(&t, &p, false), PROBE_FAILURE);
}

#define ALL ",\"livenessProbe\":{\"tcpSocket\":{\"port\":1}},\"readinessProbe\":{\"tcpSocket\":{\"port\":1}}," \
            "\"startupProbe\":{\"tcpSocket\":{\"port\":1}}"

static void startup_suspends_the_others(void **state)
{
    (void)state;
    struct pod *p = parse("", ALL);
    struct pod_observed_container c = {.state = POD_CONTAINER_NEW};
    struct pod_observed o = {.containers = &c};
    struct runtime_call call = {0};
    assert_false(probe_wanted(p, &o, 0, POD_PROBE_STARTUP));
    pod_observe_start(&p->containers[0], &c, &call, 5);
    assert_false(c.started);
    assert_false(c.ready);
    assert_true(probe_wanted(p, &o, 0, POD_PROBE_STARTUP));
    assert_false(probe_wanted(p, &o, 0, POD_PROBE_LIVENESS));
    assert_false(probe_wanted(p, &o, 0, POD_PROBE_READINESS));
    c.started = true;
    assert_false(probe_wanted(p, &o, 0, POD_PROBE_STARTUP));
    assert_true(probe_wanted(p, &o, 0, POD_PROBE_LIVENESS));
    p->deleting = true;
    assert_false(probe_wanted(p, &o, 0, POD_PROBE_LIVENESS));
    assert_true(probe_wanted(p, &o, 0, POD_PROBE_READINESS));
    c.post_starting = true;
    assert_false(probe_wanted(p, &o, 0, POD_PROBE_READINESS));
    pod_free(p);
}

static void unhealthy_is_ended_in_order(void **state)
{
    (void)state;
    struct pod *p = parse("", ",\"lifecycle\":{\"preStop\":{\"exec\":{\"command\":[\"x\"]}}}");
    struct pod_observed_container c = {.image_ready = true};
    struct pod_observed o = {.containers = &c, .sandbox = POD_SANDBOX_READY};
    struct runtime_call call = {0};
    pod_observe_start(&p->containers[0], &c, &call, 1000);
    assert_int_equal(pod_sync(p, false, &o, 1000).kind, POD_WAIT);
    (void)snprintf(c.kill_reason, sizeof c.kill_reason, "liveness probe");
    c.kill_grace_ms = 4000;
    assert_int_equal(pod_sync(p, false, &o, 1000).kind, POD_PRE_STOP);
    c.pre_stop = POD_HOOK_RUNNING;
    c.stop_at_ms = 1000;
    assert_int_equal(pod_sync(p, false, &o, 2000).wait_ms, 3000);
    struct pod_action late = pod_sync(p, false, &o, 5000); /* the hook outstays the grace period */
    assert_int_equal(late.signal, SIGTERM);
    c.pre_stop = POD_HOOK_OVER;
    assert_int_equal(pod_sync(p, false, &o, 4500).signal, SIGTERM);
    c.term_sent = true;
    c.term_at_ms = 4500;
    assert_int_equal(pod_sync(p, false, &o, 5000).wait_ms, 1500); /* 2 s at least */
    assert_int_equal(pod_sync(p, false, &o, 6500).signal, SIGKILL);
    struct runtime_exit end = {.code = 137};
    pod_observe_end(&c, &end, 6600);
    assert_int_equal(pod_sync(p, false, &o, 6600).kind, POD_GET_IMAGE);
    pod_free(p);
}

static void a_deadline_ends_the_pod(void **state)
{
    (void)state;
    struct pod *p = parse("", "");
    struct pod_observed_container c = {0};
    struct pod_observed o = {.containers = &c, .sandbox = POD_SANDBOX_READY, .expired = true};
    struct runtime_call call = {0};
    pod_observe_start(&p->containers[0], &c, &call, 1000);
    assert_int_equal(pod_sync(p, false, &o, 1000).signal, SIGTERM);
    assert_string_equal(pod_phase(p, &o), "Failed");
    struct runtime_exit end = {.code = 0};
    pod_observe_end(&c, &end, 1100);
    assert_int_equal(pod_sync(p, false, &o, 1100).kind, POD_STOP_SANDBOX);
    o.sandbox = POD_SANDBOX_NONE;
    assert_int_equal(pod_sync(p, false, &o, 1100).wait_ms, POD_NEVER);
    pod_free(p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(fields_and_defaults),         cmocka_unit_test(thresholds),
        cmocka_unit_test(startup_suspends_the_others), cmocka_unit_test(unhealthy_is_ended_in_order),
        cmocka_unit_test(a_deadline_ends_the_pod),
    };
    return RUN_TESTS(tests);
}
