/* Writes from request to store: evictions and their budgets, deletions, names, no-ops, patches that attack. */
#include "tests/test.h"

#include "apiserver/apiserver.h"
#include "common/clock.h"
#include "common/json.h"
#include "tests/unit/api_fixture.h"

#include <stdio.h>

#define NS "/api/v1/namespaces/default"
#define PODS NS "/pods"
#define MAPS NS "/configmaps"
#define PDBS "/apis/policy/v1/namespaces/default/poddisruptionbudgets"

static int send_as(struct fixture *f, const char *line, const char *type, const char *body, struct json_doc *d,
                   struct json **ret)
{
    struct client c = {.status = 0};
    struct err why;
    client_send(f, &c, line, "application/json", type, slice_str(body));
    assert_true(c.answered);
    if (ret != NULL && json_parse(d, buf_slice(&c.answer), ret, &why) != 0)
        fail_msg("%s: %s: %s", line, why.message, c.answer.data);
    int status = c.status;
    client_release(&c);
    return status;
}

static void make(struct fixture *f, const char *path, const char *body)
{
    struct json_doc *d = json_doc_new();
    struct json *v = NULL;
    char line[256];
    (void)snprintf(line, sizeof line, "POST %s", path);
    int status = ask(f, line, body, d, &v);
    if (status != 201)
        fail_msg("%s: %d %.*s", path, status, SLICE_ARGS(json_string_at(v, "message")));
    json_doc_free(d);
}

static void pod(struct fixture *f, const char *name, const char *ready)
{
    char text[512];
    (void)snprintf(text, sizeof text,
                   "{\"metadata\":{\"name\":\"%s\",\"labels\":{\"app\":\"web\"}},\"spec\":{\"nodeName\":\"n\","
                   "\"containers\":[{\"name\":\"a\","
                   "\"image\":\"b\"}]}}",
                   name);
    make(f, PODS, text);
    if (ready == NULL)
        return;
    char line[128];
    (void)snprintf(line, sizeof line, "PATCH " PODS "/%s/status", name);
    (void)snprintf(text, sizeof text,
                   "{\"status\":{\"phase\":\"Running\",\"conditions\":[{\"type\":\"Ready\",\"status\":\"%s\"}]}}",
                   ready);
    assert_int_equal(ask(f, line, text, NULL, NULL), 200);
}

static void budget(struct fixture *f, const char *name, const char *spec, const char *status)
{
    char text[512], line[160];
    (void)snprintf(text, sizeof text,
                   "{\"metadata\":{\"name\":\"%s\"},\"spec\":{\"selector\":{\"matchLabels\":{\"app\":\"web\"}}%s}}",
                   name, spec);
    make(f, PDBS, text);
    (void)snprintf(line, sizeof line, "PATCH " PDBS "/%s/status", name);
    (void)snprintf(text, sizeof text, "{\"status\":%s}", status);
    assert_int_equal(ask(f, line, text, NULL, NULL), 200);
}

static int evict(struct fixture *f, const char *name, const char *options, struct json_doc *d, struct json **ret)
{
    char line[160], text[256];
    (void)snprintf(line, sizeof line, "POST " PODS "/%s/eviction", name);
    (void)snprintf(text, sizeof text,
                   "{\"apiVersion\":\"policy/v1\",\"kind\":\"Eviction\",\"metadata\":{\"name\":\"%s\"}%s}", name,
                   options);
    int status = ask(f, line, text, d, ret);
    direct_run_ms(&f->d, 50);
    return status;
}

#define ONE_ALLOWED                                                                                                    \
    "{\"observedGeneration\":1,\"disruptionsAllowed\":1,\"currentHealthy\":3,\"desiredHealthy\":2,\"expectedPods\":3}"

static void test_budget_pays(void **state)
{
    struct fixture *f = *state;
    struct json_doc *d = json_doc_new();
    struct json *v = NULL;
    pod(f, "a", "True");
    pod(f, "b", "True");
    pod(f, "waits", NULL);
    budget(f, "guard", ",\"minAvailable\":2", ONE_ALLOWED);
    assert_int_equal(evict(f, "a", ",\"deleteOptions\":{\"dryRun\":[\"All\"]}", d, &v), 201);
    assert_int_equal(ask(f, "POST " PODS "/a/eviction?dryRun=All", "{\"metadata\":{\"name\":\"a\"}}", d, &v), 201);
    assert_int_equal(ask(f, "GET " PDBS "/guard", "", d, &v), 200);
    assert_int_equal(json_int_at(v, "status.disruptionsAllowed", -1), 1);
    assert_int_equal(evict(f, "a", "", d, &v), 201);
    assert_int_equal(ask(f, "GET " PODS "/a", "", d, &v), 200);
    assert_int_equal(json_int_at(v, "metadata.deletionGracePeriodSeconds", -1), 30);
    assert_int_equal(ask(f, "GET " PDBS "/guard", "", d, &v), 200);
    assert_int_equal(json_int_at(v, "status.disruptionsAllowed", -1), 0);
    assert_int_equal(json_size(json_at(v, "status.disruptedPods")), 1);
    assert_non_null(json_get(json_at(v, "status.disruptedPods"), "a"));
    assert_string_equal(json_string_at(json_element(json_at(v, "status.conditions"), 0), "reason").data,
                        "InsufficientPods");
    assert_int_equal(evict(f, "b", "", d, &v), 429);
    assert_string_equal(json_string_at(v, "message").data,
                        "Cannot evict pod as it would violate the pod's disruption budget.");
    assert_string_equal(json_string_at(v, "reason").data, "TooManyRequests");
    const struct json *cause = json_element(json_at(v, "details.causes"), 0);
    assert_string_equal(json_string_at(cause, "reason").data, "DisruptionBudget");
    assert_string_equal(json_string_at(cause, "message").data,
                        "The disruption budget guard needs 2 healthy pods and has 3 currently");
    assert_int_equal(evict(f, "a", "", d, &v), 201);     /* on its way already */
    assert_int_equal(evict(f, "waits", "", d, &v), 201); /* never ran */
    assert_int_equal(evict(f, "ghost", "", d, &v), 404);
    json_doc_free(d);
}

static void test_budget_exceptions(void **state)
{
    struct fixture *f = *state;
    struct json_doc *d = json_doc_new();
    struct json *v = NULL;
    pod(f, "ready", "True");
    pod(f, "ill", "False");
    budget(f, "late", ",\"minAvailable\":2",
           "{\"observedGeneration\":0,\"disruptionsAllowed\":1,\"currentHealthy\":1,\"desiredHealthy\":2,"
           "\"expectedPods\":3}");
    assert_int_equal(evict(f, "ready", "", d, &v), 429);
    assert_int_equal(json_int_at(v, "details.retryAfterSeconds", 0), 10);
    assert_string_equal(json_string_at(json_element(json_at(v, "details.causes"), 0), "message").data,
                        "The disruption budget late is still being processed by the server.");
    assert_int_equal(evict(f, "ill", "", d, &v), 429); /* too few are healthy without it */
    assert_int_equal(
        ask(f, "PATCH " PDBS "/late", "{\"spec\":{\"unhealthyPodEvictionPolicy\":\"AlwaysAllow\"}}", d, &v), 200);
    direct_run_ms(&f->d, 50);
    assert_int_equal(evict(f, "ill", "", d, &v), 201);
    budget(f, "second", ",\"maxUnavailable\":1", ONE_ALLOWED);
    assert_int_equal(evict(f, "ready", "", d, &v), 500);
    assert_string_equal(
        json_string_at(v, "message").data,
        "This pod has more than one PodDisruptionBudget, which the eviction subresource does not support.");
    json_doc_free(d);
}

static void test_names(void **state)
{
    struct fixture *f = *state;
    struct json_doc *d = json_doc_new();
    struct json *v = NULL;
    char body[256];
    (void)snprintf(body, sizeof body, "{\"metadata\":{\"generateName\":\"%0*d-\"}}", 61, 0);
    assert_int_equal(ask(f, "POST " NS "/configmaps", body, d, &v), 201);
    assert_int_equal(json_string_at(v, "metadata.name").size, 63);
#define LEASE "/apis/coordination.k8s.io/v1/namespaces/default/leases/a"
    assert_int_equal(ask(f, "PUT " LEASE, "{\"metadata\":{\"name\":\"b\"},\"spec\":{}}", d, &v), 400);
    assert_string_equal(json_string_at(v, "message").data,
                        "the name of the object (b) does not match the name on the URL (a)");
    assert_int_equal(ask(f, "PUT " LEASE, "{\"metadata\":{\"name\":\"a\"},\"spec\":{}}", d, &v), 201);
    json_doc_free(d);
}

static void test_deletions(void **state)
{
    struct fixture *f = *state;
    struct json_doc *d = json_doc_new();
    struct json *v = NULL;
    pod(f, "a", "True");
    assert_int_equal(ask(f, "DELETE " PODS "/a?gracePeriodSeconds=30", "", d, &v), 200);
    char first[64];
    (void)snprintf(first, sizeof first, "%s", json_string_at(v, "metadata.deletionTimestamp").data);
    direct_run_ms(&f->d, 3000);
    assert_int_equal(ask(f, "DELETE " PODS "/a?gracePeriodSeconds=60", "", d, &v), 200);
    assert_string_equal(json_string_at(v, "metadata.deletionTimestamp").data, first); /* never longer */
    assert_int_equal(ask(f, "DELETE " PODS "/a?gracePeriodSeconds=10", "", d, &v), 200);
    int64_t was, is;
    assert_ok(time_parse(slice_str(first), &was));
    assert_ok(time_parse(json_string_at(v, "metadata.deletionTimestamp"), &is));
    assert_int_equal(was - is, 20 * 1000000); /* counted from the first time */
#define CM NS "/configmaps"
    make(f, CM, "{\"metadata\":{\"name\":\"c\",\"finalizers\":[\"x.io/a\",\"orphan\"]}}");
    assert_int_equal(ask(f, "DELETE " CM "/c?propagationPolicy=Background", "", d, &v), 200);
    assert_int_equal(json_size(json_at(v, "metadata.finalizers")), 1);
    assert_int_equal(ask(f, "PATCH " CM "/c", "{\"metadata\":{\"finalizers\":[\"x.io/a\",\"x.io/b\"]}}", d, &v), 422);
    make(f, CM, "{\"metadata\":{\"name\":\"e\",\"finalizers\":[\"x.io/a\"]}}");
    assert_int_equal(ask(f, "DELETE " CM "/e?orphanDependents=false", "", d, &v), 202);
#define RC NS "/replicationcontrollers"
    make(f, RC,
         "{\"metadata\":{\"name\":\"r\"},\"spec\":{\"replicas\":0,\"selector\":{\"a\":\"b\"},\"template\":{"
         "\"metadata\":{\"labels\":{\"a\":\"b\"}},"
         "\"spec\":{\"containers\":[{\"name\":\"a\",\"image\":\"b\"}]}}}}");
    assert_int_equal(ask(f, "DELETE " RC "/r", "", d, &v), 200);
    assert_string_equal(json_string(json_element(json_at(v, "metadata.finalizers"), 0)).data,
                        "orphan"); /* its old default */
    json_doc_free(d);
}

static void test_nothing_changes(void **state)
{
    struct fixture *f = *state;
    struct json_doc *d = json_doc_new();
    struct json *v = NULL;
    make(f, CM, "{\"metadata\":{\"name\":\"c\"},\"data\":{\"a\":\"1\"}}");
    assert_int_equal(ask(f, "GET " CM "/c", "", d, &v), 200);
    char version[32];
    (void)snprintf(version, sizeof version, "%s", json_string_at(v, "metadata.resourceVersion").data);
    direct_run_ms(&f->d, 2000);
    static const char *const writes[][2] = {
        {"PUT " CM "/c?fieldManager=m", "{\"metadata\":{\"name\":\"c\"},\"data\":{\"a\":\"1\"}}"},
        {"PATCH " CM "/c", "{\"data\":{\"a\":\"1\"}}"},
        {"PATCH " CM "/c", "{}"},
    };
    for (size_t i = 0; i < ARRAY_LEN(writes); i++) {
        assert_int_equal(ask(f, writes[i][0], writes[i][1], d, &v), 200);
        assert_string_equal(json_string_at(v, "metadata.resourceVersion").data, version);
    }
    static const char apply[] =
        "{\"apiVersion\":\"v1\",\"kind\":\"ConfigMap\",\"metadata\":{\"name\":\"c\"},\"data\":{\"a\":\"1\"}}";
    assert_int_equal(send_as(f, "PATCH " CM "/c?fieldManager=m", "application/apply-patch+yaml", apply, d, &v), 200);
    (void)snprintf(version, sizeof version, "%s", json_string_at(v, "metadata.resourceVersion").data);
    direct_run_ms(&f->d, 2000);
    assert_int_equal(send_as(f, "PATCH " CM "/c?fieldManager=m", "application/apply-patch+yaml", apply, d, &v), 200);
    assert_string_equal(json_string_at(v, "metadata.resourceVersion").data, version);
    json_doc_free(d);
}

static void test_growing_patches(void **state)
{
    struct fixture *f = *state;
    struct buf text = {0};
    make(f, CM, "{\"metadata\":{\"name\":\"c\"},\"data\":{\"a\":\"1\"}}");
    buf_append_str(&text, "[{\"op\":\"add\",\"path\":\"/data/x\",\"value\":[\"0123456789\"]}");
    for (int i = 0; i < 40; i++)
        buf_append_str(&text, ",{\"op\":\"copy\",\"from\":\"/data/x\",\"path\":\"/data/x/-\"}");
    buf_append_char(&text, ']');
    assert_int_equal(send_as(f, "PATCH " CM "/c", "application/json-patch+json", text.data, NULL, NULL), 422);
    buf_reset(&text);
    buf_append_str(&text, "[{\"op\":\"add\",\"path\":\"/n\",\"value\":{}}");
    for (int i = 0; i < 200; i++)
        buf_append_str(
            &text, ",{\"op\":\"move\",\"from\":\"/n\",\"path\":\"/m\"},{\"op\":\"add\",\"path\":\"/n\",\"value\":{}},"
                   "{\"op\":\"move\",\"from\":\"/m\",\"path\":\"/n/m\"}");
    buf_append_char(&text, ']');
    assert_int_equal(send_as(f, "PATCH " CM "/c", "application/json-patch+json", text.data, NULL, NULL), 422);
    /* Many members: all of it is looked through, and in no time that grows with their square. */
    buf_reset(&text);
    buf_append_str(&text, "{\"metadata\":{\"name\":\"many\"},\"data\":{");
    for (int i = 0; i < 60000; i++)
        buf_printf(&text, "%s\"k%d\":\"\"", i > 0 ? "," : "", i);
    buf_append_str(&text, "}}");
    struct json_doc *d = json_doc_new();
    struct json *v = NULL;
    assert_int_equal(ask(f, "POST " CM, text.data, d, &v), 201);
    json_doc_free(d);
    buf_release(&text);
}

/* Of members of one name the last counts; who asks for strictness is refused with all of them. */
static void test_members_twice(void **state)
{
    struct fixture *f = *state;
    struct json_doc *d = json_doc_new();
    struct json *v;
    static const char twice[] =
        "{\"metadata\":{\"name\":\"a\",\"name\":\"m\"},\"data\":{\"x\":\"1\",\"y\":\"1\"},\"data\":{\"x\":"
        "\"2\"},\"immutable\":true,\"immutable\":false}";
    static const char patch[] = "{\"data\":{\"x\":\"7\"},\"data\":{\"z\":\"8\",\"z\":\"9\"}}";
    assert_int_equal(ask(f, "POST " MAPS "?fieldValidation=Strict", twice, d, &v), 400);
    assert_slice_equal(
        json_string_at(v, "message"),
        "ConfigMap in version \"v1\" cannot be handled as a ConfigMap: strict decoding error: duplicate field "
        "\"metadata.name\", duplicate field \"data\", duplicate field \"immutable\"");
    struct client c = {.status = 0};
    client_send(f, &c, "POST " MAPS "?fieldValidation=Warn", NULL, NULL, slice_str(twice));
    assert_int_equal(c.status, 201);
    assert_int_equal(c.warning_count, 3);
    assert_string_equal(c.warnings.data, "299 - \"duplicate field \\\"metadata.name\\\"\"");
    client_release(&c);
    assert_int_equal(ask(f, "GET " MAPS "/m", "", d, &v), 200);
    assert_slice_equal(json_string_at(v, "data.x"), "2");
    assert_slice_equal(json_string_at(v, "data.y"), "1"); /* objects are decoded one into the other */
    assert_false(json_bool_at(v, "immutable", true));
    assert_int_equal(ask(f, "PATCH " MAPS "/m?fieldValidation=Strict", patch, d, &v), 422);
    assert_non_null(strstr(json_string_at(v, "message").data,
                           "strict decoding error: duplicate field \"data\", duplicate field \"data.z\""));
    assert_int_equal(ask(f, "PATCH " MAPS "/m", patch, d, &v), 200);
    assert_slice_equal(json_string_at(v, "data.x"), "2"); /* patches are not: the second stands alone */
    assert_slice_equal(json_string_at(v, "data.z"), "9");
    assert_int_equal(
        ask(f, "PUT " MAPS "/m", "{\"metadata\":{\"name\":\"m\"},\"data\":{\"x\":\"1\"},\"data\":null}", d, &v), 200);
    assert_null(json_get(v, "data"));
    json_doc_free(d);
}

static void collection_page_is(struct fixture *f, const char *query, const char *names, int64_t remaining,
                               struct buf *token)
{
    struct json_doc *d = json_doc_new();
    struct json *v;
    struct buf line = {0}, seen = {0};
    buf_printf(&line, "DELETE " MAPS "?%s%s", query, token->size > 0 ? token->data : "");
    assert_int_equal(ask(f, line.data, "", d, &v), 200);
    assert_slice_equal(json_string_at(v, "kind"), "ConfigMapList");
    struct json_iterator i = json_iterate(json_get(v, "items"));
    while (json_next(&i))
        buf_printf(&seen, "%.*s ", SLICE_ARGS(json_string_at(i.value, "metadata.name")));
    assert_string_equal(seen.data, names);
    assert_int_equal(json_int_at(v, "metadata.remainingItemCount", 0), remaining);
    buf_reset(token);
    buf_append_slice(token, json_string_at(v, "metadata.continue"));
    buf_release(&line);
    buf_release(&seen);
    json_doc_free(d);
}

/* With a limit only a page is deleted, and the answer is that page. */
static void test_collection_pages(void **state)
{
    struct fixture *f = *state;
    struct buf token = {0};
    static const char *const names[] = {"a", "b", "c", "d", "e"};
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        char body[96];
        (void)snprintf(body, sizeof body, "{\"metadata\":{\"name\":\"%s\",\"labels\":{\"even\":\"%d\"}}}", names[i],
                       i % 2 == 0); /* fits */
        make(f, MAPS, body);
    }
    collection_page_is(f, "limit=1&labelSelector=even%3D1", "a ", 0, &token); /* of a selection it is not known */
    assert_true(token.size > 0);
    buf_reset(&token);
    collection_page_is(f, "limit=2", "b c ", 2, &token);
    assert_int_equal(ask(f, "GET " MAPS "/c", "", NULL, NULL), 404);
    assert_int_equal(ask(f, "GET " MAPS "/d", "", NULL, NULL), 200);
    collection_page_is(f, "limit=1&continue=", "d ", 1, &token);
    collection_page_is(f, "continue=", "e ", 0, &token); /* without a limit: all that is left */
    assert_int_equal(token.size, 0);
    assert_int_equal(ask(f, "DELETE " MAPS "?continue=nonsense", "", NULL, NULL), 400);
    buf_release(&token);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_members_twice, setup, teardown),
        cmocka_unit_test_setup_teardown(test_collection_pages, setup, teardown),
        cmocka_unit_test_setup_teardown(test_budget_pays, setup, teardown),
        cmocka_unit_test_setup_teardown(test_budget_exceptions, setup, teardown),
        cmocka_unit_test_setup_teardown(test_names, setup, teardown),
        cmocka_unit_test_setup_teardown(test_deletions, setup, teardown),
        cmocka_unit_test_setup_teardown(test_nothing_changes, setup, teardown),
        cmocka_unit_test_setup_teardown(test_growing_patches, setup, teardown),
    };
    return RUN_TESTS(tests);
}
