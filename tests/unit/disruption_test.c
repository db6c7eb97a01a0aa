/* What the disruption controller makes of budgets, pods and the scales of their controllers. */
#include "tests/test.h"

#include "common/mem.h"
#include "tests/support/fake_view.h"

#define BUDGETS "poddisruptionbudgets.policy"
#define KEY "ns/b"

static int setup(void **state)
{
    struct fake_view *v = NEW(struct fake_view);
    fake_view_init(v); /* at 2023-11-14T22:13:20Z */
    *state = v;
    return 0;
}

static int teardown(void **state)
{
    fake_view_release(*state);
    mem_free(*state);
    return 0;
}

static void add_budget(struct fake_view *v, const char *spec, const char *status)
{
    fake_view_add(
        v, BUDGETS,
        "{\"apiVersion\":\"policy/"
        "v1\",\"kind\":\"PodDisruptionBudget\",\"metadata\":{\"name\":\"b\",\"namespace\":\"ns\",\"uid\":\"b\","
        "\"resourceVersion\":\"5\",\"generation\":3},\"spec\":{\"selector\":{\"matchLabels\":{\"app\":\"web\"}},%s},"
        "\"status\":{%s}}",
        spec, status);
}

/* `owner`: "ReplicaSet set" or NULL. */
static void add_pod(struct fake_view *v, const char *name, const char *version, const char *kind, const char *owner,
                    bool ready)
{
    char *reference = kind == NULL ? mem_strdup("")
                                   : mem_printf("\"ownerReferences\":[{\"apiVersion\":\"%s\",\"kind\":\"%s\",\"name\":"
                                                "\"%s\",\"uid\":\"u-%s\",\"controller\":true}],",
                                                version, kind, owner, owner);
    fake_view_add(v, "pods",
                  "{\"apiVersion\":\"v1\",\"kind\":\"Pod\",\"metadata\":{\"name\":\"%s\",\"namespace\":\"ns\",\"uid\":"
                  "\"%s\",%s\"resourceVersion\":\"7\","
                  "\"labels\":{\"app\":\"web\"}},\"status\":{\"phase\":\"Running\",\"conditions\":[{\"type\":\"Ready\","
                  "\"status\":\"%s\"}]}}",
                  name, name, reference, ready ? "True" : "False");
    mem_free(reference);
}

static void add_workload(struct fake_view *v, const char *resource, const char *version, const char *kind,
                         const char *name, int replicas, const char *deployment)
{
    char *reference =
        deployment == NULL
            ? mem_strdup("")
            : mem_printf("\"ownerReferences\":[{\"apiVersion\":\"apps/v1\",\"kind\":\"Deployment\",\"name\":\"%s\","
                         "\"uid\":\"u-%s\",\"controller\":true}],",
                         deployment, deployment);
    fake_view_add(
        v, resource,
        "{\"apiVersion\":\"%s\",\"kind\":\"%s\",\"metadata\":{\"name\":\"%s\",\"namespace\":\"ns\",%s\"uid\":\"u-%s\","
        "\"resourceVersion\":\"6\"},\"spec\":{\"replicas\":%d}}",
        version, kind, name, reference, name, replicas);
    mem_free(reference);
}

/* Reconciles and compares allowed, healthy, desired, expected, and the condition's reason; NULL: nothing is written. */
static struct plan *counted(struct fake_view *v, int allowed, int healthy, int desired, int expected,
                            const char *reason)
{
    struct plan *p = fake_view_reconcile(v, &controller_disruption, KEY);
    const struct plan_action *a = fake_plan_find(p, PLAN_UPDATE, 0);
    if (reason == NULL) {
        assert_null(a);
        return p;
    }
    assert_non_null(a);
    assert_string_equal(a->path, "/apis/policy/v1/namespaces/ns/poddisruptionbudgets/b/status");
    assert_int_equal(json_int_at(a->body, "status.disruptionsAllowed", -1), allowed);
    assert_int_equal(json_int_at(a->body, "status.currentHealthy", -1), healthy);
    assert_int_equal(json_int_at(a->body, "status.desiredHealthy", -1), desired);
    assert_int_equal(json_int_at(a->body, "status.expectedPods", -1), expected);
    const struct json *is = condition_find(json_get(a->body, "status"), "DisruptionAllowed");
    assert_slice_equal(json_string_at(is, "reason"), reason);
    assert_slice_equal(json_string_at(is, "status"), allowed > 0 ? "True" : "False");
    return p;
}

static void expect_counts(struct fake_view *v, int allowed, int healthy, int desired, int expected, const char *reason)
{
    plan_free(counted(v, allowed, healthy, desired, expected, reason));
}

static void a_number_counts_pods(void **state)
{
    struct fake_view *v = *state;
    add_budget(v, "\"minAvailable\":2", "");
    add_pod(v, "a", NULL, NULL, NULL, true);
    add_pod(v, "b", NULL, NULL, NULL, true);
    expect_counts(v, 0, 2, 2, 2, "InsufficientPods");
    add_pod(v, "c", NULL, NULL, NULL, false);
    expect_counts(v, 0, 2, 2, 3, "InsufficientPods");
    add_pod(v, "d", NULL, NULL, NULL, true);
    struct plan *p = counted(v, 1, 3, 2, 4, "SufficientPods");
    assert_int_equal(json_int_at(fake_plan_find(p, PLAN_UPDATE, 0)->body, "status.observedGeneration", -1), 3);
    plan_free(p);
}

static void a_percentage_is_of_the_scale(void **state)
{
    struct fake_view *v = *state;
    add_budget(v, "\"minAvailable\":\"50%\"", "");
    add_workload(v, "deployments.apps", "apps/v1", "Deployment", "web", 5, NULL);
    add_workload(v, "replicasets.apps", "apps/v1", "ReplicaSet", "web-1", 3, "web");
    add_workload(v, "replicasets.apps", "apps/v1", "ReplicaSet", "web-2", 3, "web");
    add_pod(v, "a", "apps/v1", "ReplicaSet", "web-1", true);
    add_pod(v, "b", "apps/v1", "ReplicaSet", "web-1", true);
    add_pod(v, "c", "apps/v1", "ReplicaSet", "web-2", true);
    add_pod(v, "alone", NULL, NULL, NULL, true); /* healthy, and expected by nobody */
    expect_counts(v, 1, 4, 3, 5, "SufficientPods");
}

static void what_may_be_missing(void **state)
{
    struct fake_view *v = *state;
    add_budget(v, "\"maxUnavailable\":\"30%\"", "");
    add_workload(v, "statefulsets.apps", "apps/v1", "StatefulSet", "db", 4, NULL);
    add_workload(v, "replicasets.apps", "apps/v1", "ReplicaSet", "bare", 2, NULL);
    add_workload(v, "replicationcontrollers", "v1", "ReplicationController", "old", 1, NULL);
    add_pod(v, "a", "apps/v1", "StatefulSet", "db", true);
    add_pod(v, "b", "apps/v1", "ReplicaSet", "bare", true);
    add_pod(v, "c", "v1", "ReplicationController", "old", true);
    add_pod(v, "d", "apps/v1", "StatefulSet", "db", true);
    /* of 7 may 2.1 be missing, rounded up: 4 must stay */
    expect_counts(v, 0, 4, 4, 7, "InsufficientPods");
    add_pod(v, "e", "apps/v1", "StatefulSet", "db", true);
    expect_counts(v, 1, 5, 4, 7, "SufficientPods");
}

static void more_than_there_are_may_be_missing(void **state)
{
    struct fake_view *v = *state;
    add_budget(v, "\"maxUnavailable\":9", "");
    add_workload(v, "replicasets.apps", "apps/v1", "ReplicaSet", "set", 2, NULL);
    add_pod(v, "a", "apps/v1", "ReplicaSet", "set", true);
    expect_counts(v, 1, 1, 0, 2, "SufficientPods");
}

static void an_unknown_controller_stops_everything(void **state)
{
    struct fake_view *v = *state;
    add_budget(v, "\"maxUnavailable\":1",
               "\"disruptionsAllowed\":1,\"observedGeneration\":2,\"currentHealthy\":1,\"desiredHealthy\":0,"
               "\"expectedPods\":1");
    add_pod(v, "a", "batch/v1", "Job", "j", true);
    struct plan *p = counted(v, 0, 1, 0, 1, "SyncFailed");
    const struct plan_action *a = fake_plan_find(p, PLAN_UPDATE, 0);
    assert_slice_equal(json_string_at(condition_find(json_get(a->body, "status"), "DisruptionAllowed"), "message"),
                       "found no controllers for pod \"a\"");
    assert_int_equal(json_int_at(a->body, "status.observedGeneration", -1), 2);
    assert_int_equal(fake_plan_count(p, PLAN_EVENT), 1);
    plan_free(p);
}

static void a_set_of_another_uid_is_another(void **state)
{
    struct fake_view *v = *state;
    add_budget(v, "\"maxUnavailable\":1", "");
    fake_view_add(
        v, "replicasets.apps",
        "{\"apiVersion\":\"apps/v1\",\"kind\":\"ReplicaSet\",\"metadata\":{\"name\":\"set\",\"namespace\":\"ns\","
        "\"uid\":\"later\",\"resourceVersion\":\"6\"},\"spec\":{\"replicas\":1}}");
    add_pod(v, "a", "apps/v1", "ReplicaSet", "set", true);
    struct plan *p = fake_view_reconcile(v, &controller_disruption, KEY);
    const struct json *status = json_get(fake_plan_find(p, PLAN_UPDATE, 0)->body, "status");
    assert_slice_equal(json_string_at(condition_find(status, "DisruptionAllowed"), "reason"), "SyncFailed");
    plan_free(p);
}

/* An eviction is counted until its pod is seen going, or for two minutes; a name nobody has is forgotten at once. */
static void evictions_are_awaited(void **state)
{
    struct fake_view *v = *state;
    add_budget(v, "\"minAvailable\":1",
               "\"disruptedPods\":{\"a\":\"2023-11-14T22:13:00Z\",\"b\":\"2023-11-14T22:11:00Z\",\"gone\":\"2023-11-"
               "14T22:13:00Z\"}");
    add_pod(v, "a", NULL, NULL, NULL, true);
    add_pod(v, "b", NULL, NULL, NULL, true);
    add_pod(v, "c", NULL, NULL, NULL, true);
    struct plan *p = counted(v, 1, 2, 1, 3, "SufficientPods");
    const struct json *left = json_at(fake_plan_find(p, PLAN_UPDATE, 0)->body, "status.disruptedPods");
    assert_int_equal(json_size(left), 1);
    assert_slice_equal(json_string(json_get(left, "a")), "2023-11-14T22:13:00Z");
    assert_in_range(p->again_ms, 100000, 100001); /* 20 s of 120 have passed */
    const struct plan_action *event = fake_plan_find(p, PLAN_EVENT, 0);
    assert_slice_equal(json_string_at(event->body, "reason"), "NotDeleted");
    plan_free(p);
}

static void a_pod_that_goes_is_unhealthy(void **state)
{
    struct fake_view *v = *state;
    add_budget(v, "\"minAvailable\":1", "\"disruptedPods\":{\"a\":\"2023-11-14T22:13:00Z\"}");
    fake_view_add(v, "pods",
                  "{\"apiVersion\":\"v1\",\"kind\":\"Pod\",\"metadata\":{\"name\":\"a\",\"namespace\":\"ns\",\"uid\":"
                  "\"a\",\"resourceVersion\":\"7\","
                  "\"deletionTimestamp\":\"2023-11-14T22:13:10Z\",\"labels\":{\"app\":\"web\"}},\"status\":{"
                  "\"conditions\":[{\"type\":\"Ready\","
                  "\"status\":\"True\"}]}}");
    add_pod(v, "b", NULL, NULL, NULL, true);
    struct plan *p = counted(v, 0, 1, 1, 2, "InsufficientPods");
    assert_null(json_at(fake_plan_find(p, PLAN_UPDATE, 0)->body, "status.disruptedPods"));
    plan_free(p);
}

static void at_rest_nothing_is_written(void **state)
{
    struct fake_view *v = *state;
    add_budget(v, "\"minAvailable\":1",
               "\"disruptionsAllowed\":1,\"currentHealthy\":2,\"desiredHealthy\":1,\"expectedPods\":2,"
               "\"observedGeneration\":3,\"conditions\":[{"
               "\"type\":\"DisruptionAllowed\",\"status\":\"True\",\"lastTransitionTime\":\"2023-11-14T22:00:00Z\","
               "\"reason\":\"SufficientPods\","
               "\"message\":\"\",\"observedGeneration\":3}]");
    add_pod(v, "a", NULL, NULL, NULL, true);
    add_pod(v, "b", NULL, NULL, NULL, true);
    expect_counts(v, 0, 0, 0, 0, NULL);
}

static void without_pods(void **state)
{
    struct fake_view *v = *state;
    add_budget(v, "\"minAvailable\":1", "");
    struct plan *p = counted(v, 0, 0, 1, 0, "InsufficientPods");
    assert_slice_equal(json_string_at(fake_plan_find(p, PLAN_EVENT, 0)->body, "reason"), "NoPods");
    plan_free(p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_number_counts_pods, setup, teardown),
        cmocka_unit_test_setup_teardown(a_percentage_is_of_the_scale, setup, teardown),
        cmocka_unit_test_setup_teardown(what_may_be_missing, setup, teardown),
        cmocka_unit_test_setup_teardown(more_than_there_are_may_be_missing, setup, teardown),
        cmocka_unit_test_setup_teardown(an_unknown_controller_stops_everything, setup, teardown),
        cmocka_unit_test_setup_teardown(a_set_of_another_uid_is_another, setup, teardown),
        cmocka_unit_test_setup_teardown(evictions_are_awaited, setup, teardown),
        cmocka_unit_test_setup_teardown(a_pod_that_goes_is_unhealthy, setup, teardown),
        cmocka_unit_test_setup_teardown(at_rest_nothing_is_written, setup, teardown),
        cmocka_unit_test_setup_teardown(without_pods, setup, teardown),
    };
    cmocka_set_test_filter(test_filter());
    return cmocka_run_group_tests_name(__FILE__, tests, NULL, NULL);
}
