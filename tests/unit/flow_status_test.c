/* The condition Dangling of flow schemas: written by every apiserver, once. */
#include "tests/unit/api_fixture.h"

#define FLOW "/apis/flowcontrol.apiserver.k8s.io/v1"

static struct json *schema_get(struct fixture *f, const char *name, struct json_doc *d)
{
    char line[128];
    struct json *v;
    (void)snprintf(line, sizeof line, "GET " FLOW "/flowschemas/%s", name); /* fits */
    assert_int_equal(ask(f, line, "", d, &v), 200);
    return v;
}

static void assert_dangling(const struct json *schema, const char *status, const char *reason, const char *message)
{
    const struct json *list = json_at(schema, "status.conditions");
    assert_int_equal(json_size(list), 1);
    const struct json *c = json_element(list, 0);
    assert_slice_equal(json_string_at(c, "type"), "Dangling");
    assert_slice_equal(json_string_at(c, "status"), status);
    assert_slice_equal(json_string_at(c, "reason"), reason);
    assert_slice_equal(json_string_at(c, "message"), message);
    assert_true(json_string_at(c, "lastTransitionTime").size > 0);
}

static void assert_column(struct fixture *f, const char *name, const char *value)
{
    struct client c = {.status = 0};
    char line[128], end[16];
    (void)snprintf(line, sizeof line, "GET " FLOW "/flowschemas/%s", name); /* fits */
    (void)snprintf(end, sizeof end, "\"%s\"]", value);                      /* fits */
    client_send(f, &c, line, "application/json;as=Table;v=v1;g=meta.k8s.io", NULL, SLICE(""));
    assert_non_null(strstr(c.answer.data, end));
    client_release(&c);
}

static void those_of_every_cluster(void **state)
{
    struct fixture *f = *state;
    struct json_doc *d = json_doc_new();
    struct json *v;
    assert_int_equal(ask(f, "GET " FLOW "/flowschemas", "", d, &v), 200);
    assert_int_equal(json_size(json_get(v, "items")), 13);
    struct json_iterator i = json_iterate(json_get(v, "items"));
    while (json_next(&i))
        assert_slice_equal(json_string(json_at(json_element(json_at(i.value, "status.conditions"), 0), "status")),
                           "False");
    v = schema_get(f, "probes", d);
    assert_dangling(v, "False", "Found",
                    "This FlowSchema references the PriorityLevelConfiguration object named \"exempt\" and it exists");
    const struct json *entry = json_element(json_at(v, "metadata.managedFields"), 0);
    assert_slice_equal(json_string_at(entry, "manager"), "api-priority-and-fairness-config-consumer-v1");
    assert_slice_equal(json_string_at(entry, "operation"), "Apply");
    assert_slice_equal(json_string_at(entry, "subresource"), "status");
    assert_column(f, "probes", "False");
    json_doc_free(d);
}

static void levels_come_and_go(void **state)
{
    struct fixture *f = *state;
    struct json_doc *d = json_doc_new();
    struct json *v;
    static const char schema[] =
        "{\"metadata\":{\"name\":\"s\"},\"spec\":{\"priorityLevelConfiguration\":{\"name\":\"l\"}}}";
    static const char level[] = "{\"metadata\":{\"name\":\"l\"},\"spec\":{\"type\":\"Limited\",\"limited\":{"
                                "\"limitResponse\":{\"type\":\"Reject\"}}}}";
    assert_int_equal(ask(f, "POST " FLOW "/flowschemas", schema, NULL, NULL), 201);
    assert_dangling(
        v = schema_get(f, "s", d), "True", "NotFound",
        "This FlowSchema references the PriorityLevelConfiguration object named \"l\" but there is no such object");
    assert_column(f, "s", "True");
    struct slice since = json_string_at(json_element(json_at(v, "status.conditions"), 0), "lastTransitionTime");
    direct_run_ms(&f->d, 5000);
    assert_int_equal(ask(f, "PATCH " FLOW "/flowschemas/s",
                         "{\"spec\":{\"priorityLevelConfiguration\":{\"name\":\"k\"}}}", NULL, NULL),
                     200);
    v = schema_get(f, "s", d);
    assert_dangling(
        v, "True", "NotFound",
        "This FlowSchema references the PriorityLevelConfiguration object named \"k\" but there is no such object");
    assert_true(
        slice_equal(json_string_at(json_element(json_at(v, "status.conditions"), 0), "lastTransitionTime"), since));
    assert_int_equal(ask(f, "PATCH " FLOW "/flowschemas/s",
                         "{\"spec\":{\"priorityLevelConfiguration\":{\"name\":\"l\"}}}", NULL, NULL),
                     200);
    assert_int_equal(ask(f, "POST " FLOW "/prioritylevelconfigurations", level, NULL, NULL), 201);
    v = schema_get(f, "s", d);
    assert_dangling(v, "False", "Found",
                    "This FlowSchema references the PriorityLevelConfiguration object named \"l\" and it exists");
    assert_false(
        slice_equal(json_string_at(json_element(json_at(v, "status.conditions"), 0), "lastTransitionTime"), since));
    assert_int_equal(ask(f, "DELETE " FLOW "/prioritylevelconfigurations/l", "", NULL, NULL), 200);
    assert_column(f, "s", "True");
    /* Somebody else's word does not last. */
    assert_int_equal(ask(f, "PATCH " FLOW "/flowschemas/s/status", "{\"status\":{\"conditions\":null}}", NULL, NULL),
                     200);
    assert_column(f, "s", "True");
    json_doc_free(d);
}

/* Two replicas over one store: what one wrote the other finds as it should be. */
static void replicas_agree(void **state)
{
    struct fixture *f = *state;
    struct apiserver *second = NULL;
    bool closed = false;
    int64_t before = mvcc_revision(f->d.mvcc);
    struct apiserver_options o = {.store = (struct store_client *)&f->d};
    assert_ok(apiserver_new(&f->d.env, &o, &second, NULL));
    direct_run_ms(&f->d, 2000);
    assert_true(apiserver_ready(second));
    assert_int_equal(mvcc_revision(f->d.mvcc), before);
    assert_int_equal(ask(f, "POST " FLOW "/flowschemas",
                         "{\"metadata\":{\"name\":\"s\"},\"spec\":{\"priorityLevelConfiguration\":{\"name\":\"l\"}}}",
                         NULL, NULL),
                     201);
    direct_run_ms(&f->d, 5000);
    assert_int_equal(mvcc_revision(f->d.mvcc), before + 2); /* made, and its status once */
    apiserver_close(second, on_closed, &closed);
    direct_run_ms(&f->d, 100);
    assert_true(closed);
}

/* The caches are filled anew: what happened meanwhile is seen. */
static void after_a_compaction(void **state)
{
    struct fixture *f = *state;
    direct_compact_watches(&f->d);
    assert_int_equal(ask(f, "DELETE " FLOW "/prioritylevelconfigurations/workload-low", "", NULL, NULL), 200);
    direct_run_ms(&f->d, 5000);
    assert_column(f, "service-accounts", "True");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(those_of_every_cluster, setup, teardown),
        cmocka_unit_test_setup_teardown(levels_come_and_go, setup, teardown),
        cmocka_unit_test_setup_teardown(replicas_agree, setup, teardown),
        cmocka_unit_test_setup_teardown(after_a_compaction, setup, teardown),
    };
    return RUN_TESTS(tests);
}
