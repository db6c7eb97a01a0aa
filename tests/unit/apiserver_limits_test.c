/* Every row of API_LIMITS is met here: by what it is met, what the client is answered, and that /metrics counts it. The
 * last test names the rows for which none does. Those of the front (http_limits_test.c meets them) are counted by the
 * apiserver. */
#include "tests/unit/api_fixture.h"

#include "apiserver/limits.h"
#include "common/mem.h"

#define MAPS "/api/v1/namespaces/default/configmaps"
#define STRATEGIC "application/strategic-merge-patch+json"

static const char *const names[LIMIT_COUNT] = {
#define X(limit, name) [limit] = name,
    API_LIMITS(X)
#undef X
};
static bool asserted[LIMIT_COUNT]; /* by any test */

/* As a client sees it. */
static int64_t hits(struct fixture *f, enum limit which)
{
    struct client c = {.status = 0};
    char line[96];
    client_send(f, &c, "GET /metrics", NULL, NULL, SLICE(""));
    assert_int_equal(c.status, 200);
    (void)snprintf(line, sizeof line, "\napiserver_limit_hits_total{limit=\"%s\"} ",
                   names[which]); /* names are short */
    const char *found = strstr(c.answer.data, line);
    if (found == NULL)
        fail_msg("/metrics does not show %s", names[which]);
    int64_t n = strtoll(found + strlen(line), NULL, 10);
    client_release(&c);
    return n;
}

/* `times` since the start, and no other bound with it. */
static void assert_hits(struct fixture *f, enum limit which, int64_t times)
{
    for (enum limit i = LIMIT_NONE + 1; i < LIMIT_COUNT; i++) {
        if (hits(f, i) != (i == which ? times : 0))
            fail_msg("%s was counted %lld times", names[i], (long long)hits(f, i));
    }
    asserted[which] = true;
}

static void assert_status(const struct client *c, int code, const char *reason, const char *message)
{
    struct json_doc *d = json_doc_new();
    struct json *v;
    assert_true(c->answered);
    if (c->status != code)
        fail_msg("%d, not %d: %s", c->status, code, c->answer.data);
    assert_ok(json_parse(d, buf_slice(&c->answer), &v, NULL));
    assert_slice_equal(json_string_at(v, "kind"), "Status");
    assert_int_equal(json_int_at(v, "code", 0), code);
    assert_slice_equal(json_string_at(v, "reason"), reason);
    assert_string_equal(json_string_at(v, "message").data, message);
    json_doc_free(d);
}

static void refused(struct fixture *f, const char *line, const char *type, struct slice body, int code,
                    const char *reason, const char *message)
{
    struct client c = {.status = 0};
    client_send(f, &c, line, "application/json", type, body);
    direct_run_ms(&f->d, FRESH_WAIT_MS + 100); /* as long as anything here waits */
    assert_status(&c, code, reason, message);
    client_release(&c);
}

static void put_letters(struct fixture *f, const char *line, const char *name, size_t bytes, char letter, int expected)
{
    struct buf body = {0};
    buf_printf(&body, "{\"metadata\":{\"name\":\"%s\"},\"data\":{\"a\":\"", name);
    for (size_t i = 0; i < bytes; i++)
        buf_append_char(&body, letter);
    buf_append_str(&body, "\"}}");
    assert_int_equal(ask(f, line, body.data, NULL, NULL), expected);
    buf_release(&body);
}

static void put_map(struct fixture *f, const char *name, size_t bytes)
{
    put_letters(f, "POST " MAPS, name, bytes, 'a', 201);
}

static int setup_small(void **state)
{
    struct fixture *f = NEW(struct fixture);
    direct_init(&f->d);
    struct apiserver_options o = {.store = (struct store_client *)&f->d, .requests_max = 3, .delete_collection_max = 2};
    assert_ok(apiserver_new(&f->d.env, &o, &f->api, NULL));
    direct_run_ms(&f->d, 3000);
    assert_true(apiserver_ready(f->api));
    *state = f;
    return 0;
}

static void front(void **state)
{
    static const enum limit limits[HTTP_LIMIT_COUNT] = {LIMIT_BODY_BYTES,  LIMIT_HEADER_BYTES, LIMIT_HEADERS,
                                                        LIMIT_CONNECTIONS, LIMIT_TUNNELS,      LIMIT_SLOW_HEAD,
                                                        LIMIT_SLOW_BODY,   LIMIT_SLOW_READER};
    struct fixture *f = *state;
    for (size_t i = 0; i < HTTP_LIMIT_COUNT; i++) {
        api_front_limit(f->api, (enum http_server_limit)i);
        for (size_t k = 0; k < HTTP_LIMIT_COUNT; k++)
            assert_int_equal(hits(f, limits[k]), k <= i);
        asserted[limits[i]] = true;
    }
}

/* Watches count like any other request; who is refused may come again. */
static void requests(void **state)
{
    struct fixture *f = *state;
    struct client watches[2] = {{.status = 0}, {.status = 0}}, third = {.status = 0}, fourth = {.status = 0};
    client_send(f, &watches[0], "GET " MAPS "?watch=1", NULL, NULL, SLICE(""));
    client_send(f, &watches[1], "GET " MAPS "?watch=1", NULL, NULL, SLICE(""));
    client_send(f, &third, "GET " MAPS "?watch=1", NULL, NULL, SLICE(""));
    client_send(f, &fourth, "GET " MAPS, NULL, NULL, SLICE(""));
    assert_status(&fourth, 429, "TooManyRequests", "Too many requests, please try again later.");
    assert_non_null(strstr(fourth.answer.data, "\"retryAfterSeconds\":1"));
    third.x.gone(&third.x);
    direct_run_ms(&f->d, 1);
    assert_hits(f, LIMIT_REQUESTS, 1);
    client_release(&watches[0]);
    client_release(&watches[1]);
    client_release(&third);
    client_release(&fourth);
}

static void object_bytes(void **state)
{
    struct fixture *f = *state;
    struct buf body = {0};
    buf_append_str(
        &body,
        "{\"metadata\":{\"name\":\"p\"},\"spec\":{\"containers\":[{\"name\":\"a\",\"image\":\"b:1\",\"args\":[\"");
    for (size_t i = 0; i < OBJECT_BYTES_MAX; i++)
        buf_append_char(&body, 'a');
    buf_append_str(&body, "\"]}]}}");
    struct client c = {.status = 0};
    client_send(f, &c, "POST /api/v1/namespaces/default/pods", NULL, NULL, buf_slice(&body));
    assert_int_equal(c.status, 413);
    assert_non_null(strstr(c.answer.data, "\"reason\":\"RequestEntityTooLarge\""));
    assert_non_null(strstr(c.answer.data, "at most 1572864 can be stored"));
    assert_hits(f, LIMIT_OBJECT_BYTES, 1);
    client_release(&c);
    buf_release(&body);
}

static void patch_operations(void **state)
{
    struct fixture *f = *state;
    struct buf body = {0};
    put_map(f, "m", 1);
    for (int i = 0; i <= PATCH_OPERATIONS_MAX; i++)
        buf_printf(&body, "%c{\"op\":\"test\",\"path\":\"/kind\",\"value\":\"ConfigMap\"}", i == 0 ? '[' : ',');
    buf_append_char(&body, ']');
    refused(f, "PATCH " MAPS "/m", "application/json-patch+json", buf_slice(&body), 413, "RequestEntityTooLarge",
            "Request entity too large: The allowed maximum operations in a JSON patch is 10000, got 10001");
    assert_hits(f, LIMIT_PATCH, 1);
    buf_release(&body);
}

static void selector_bytes(void **state)
{
    struct fixture *f = *state;
    struct buf line = {0};
    static const char *const parameters[] = {"labelSelector", "fieldSelector"};
    for (size_t i = 0; i < ARRAY_LEN(parameters); i++) {
        char message[64];
        buf_reset(&line);
        buf_printf(&line, "GET " MAPS "?%s=", parameters[i]);
        for (size_t k = 0; k <= SELECTOR_BYTES_MAX; k++)
            buf_append_char(&line, 'a');
        assert_true(line.size < HTTP_SERVER_HEAD_BYTES_MAX / 4 * 3); /* a client can send that */
        (void)snprintf(message, sizeof message, "%s is longer than 8192 bytes", parameters[i]); /* fits */
        refused(f, line.data, NULL, SLICE(""), 400, "BadRequest", message);
    }
    assert_hits(f, LIMIT_SELECTOR_BYTES, 2);
    buf_release(&line);
}

/* Refused as a whole: nothing is deleted. */
static void delete_collection(void **state)
{
    struct fixture *f = *state;
    put_map(f, "a", 1);
    put_map(f, "b", 1);
    put_map(f, "c", 1);
    refused(f, "DELETE " MAPS, NULL, SLICE(""), 413, "RequestEntityTooLarge",
            "a deletecollection deletes at most 2 objects at once; select fewer");
    assert_int_equal(ask(f, "GET " MAPS "/a", "", NULL, NULL), 200);
    assert_int_equal(ask(f, "DELETE " MAPS "?fieldSelector=metadata.name!=c", "", NULL, NULL), 200);
    assert_int_equal(ask(f, "GET " MAPS "/a", "", NULL, NULL), 404);
    assert_hits(f, LIMIT_DELETE_COLLECTION, 1);
}

/* A reader that takes nothing falls off the ring; who asks for what is no longer in it is told the same at once. */
static void watch_ring(void **state)
{
    struct fixture *f = *state;
    struct client slow = {.status = 0}, late = {.status = 0};
    struct json_doc *d = json_doc_new();
    struct json *v;
    assert_int_equal(ask(f, "GET " MAPS, "", d, &v), 200);
    char line[96];
    (void)snprintf(line, sizeof line, "GET " MAPS "?watch=1&resourceVersion=%s",
                   json_string_at(v, "metadata.resourceVersion").data); /* fits */
    client_send(f, &slow, line, NULL, NULL, SLICE(""));
    slow.x.pending_bytes = STREAM_WINDOW_BYTES;
    put_map(f, "m", 1);
    for (int i = 0; i <= RING_BYTES_KEPT / 1000000 + 1; i++) /* states that no object is in any more */
        put_letters(f, "PUT " MAPS "/m", "m", 1000000, (char)('a' + i), 200);
    direct_run_ms(&f->d, RING_FRESH_MS + 1000);
    put_map(f, "last", 1);
    put_map(f, "really-last", 1);
    assert_int_equal(slow.answer.size, 0);
    slow.x.pending_bytes = 0;
    slow.x.drained(&slow.x);
    assert_true(slow.ended && slow.clean);
    assert_non_null(strstr(slow.answer.data, "{\"type\":\"ERROR\",\"object\":{\"kind\":\"Status\""));
    assert_non_null(strstr(slow.answer.data, "\"message\":\"too old resource version: this watch fell behind; list "
                                             "again\",\"reason\":\"Expired\",\"code\":410}"));
    client_send(f, &late, line, NULL, NULL, SLICE(""));
    assert_true(late.ended && late.clean);
    assert_int_equal(late.status, 200);
    assert_non_null(strstr(late.answer.data, "\"message\":\"too old resource version: "));
    assert_non_null(strstr(late.answer.data, "\"reason\":\"Expired\",\"code\":410}"));
    assert_hits(f, LIMIT_WATCH_RING, 2);
    client_release(&slow);
    client_release(&late);
    json_doc_free(d);
}

/* Somebody else is always faster. */
static void update_attempts(void **state)
{
    static const char conflict[] =
        "Operation cannot be fulfilled on configmaps \"m\": the object has been modified; please "
        "apply your changes to the latest version and try again";
    struct fixture *f = *state;
    put_map(f, "m", 1);
    f->d.rivals = UPDATE_ATTEMPTS_MAX;
    refused(f, "PUT " MAPS "/m", NULL, SLICE("{\"metadata\":{\"name\":\"m\"},\"data\":{\"a\":\"b\"}}"), 409, "Conflict",
            conflict);
    assert_int_equal(f->d.rivals, 0);
    f->d.rivals = PATCH_ATTEMPTS_MAX;
    refused(f, "PATCH " MAPS "/m", STRATEGIC, SLICE("{\"data\":{\"a\":\"b\"}}"), 409, "Conflict", conflict);
    assert_int_equal(f->d.rivals, 0);
    assert_hits(f, LIMIT_UPDATE_ATTEMPTS, 2);
    f->d.rivals = PATCH_ATTEMPTS_MAX - 1; /* the last attempt counts */
    assert_int_equal(ask(f, "PATCH " MAPS "/m", "{\"data\":{\"a\":\"b\"}}", NULL, NULL), 200);
}

static void generate_attempts(void **state)
{
    struct fixture *f = *state;
    struct client c = {.status = 0};
    f->d.rivals = GENERATE_ATTEMPTS_MAX;
    client_send(f, &c, "POST " MAPS, NULL, NULL, SLICE("{\"metadata\":{\"generateName\":\"m-\"}}"));
    assert_int_equal(c.status, 409);
    assert_int_equal(f->d.rivals, 0);
    assert_non_null(strstr(c.answer.data, "\"message\":\"configmaps \\\"m-"));
    assert_non_null(strstr(c.answer.data, " already exists, the server was not able to generate a unique name for the "
                                          "object\",\"reason\":\"AlreadyExists\""));
    assert_non_null(strstr(c.answer.data, "\"retryAfterSeconds\":1"));
    assert_hits(f, LIMIT_GENERATE_ATTEMPTS, 1);
    f->d.rivals = GENERATE_ATTEMPTS_MAX - 1;
    assert_int_equal(ask(f, "POST " MAPS, "{\"metadata\":{\"generateName\":\"m-\"}}", NULL, NULL), 201);
    client_release(&c);
}

/* What lies in the future does not come; and without news from the store no cache becomes as new as the store is. */
static void fresh_wait(void **state)
{
    struct fixture *f = *state;
    char message[96];
    (void)snprintf(message, sizeof message, "Timeout: Too large resource version: 999999, current: %lld",
                   (long long)mvcc_revision(f->d.mvcc)); /* fits */
    refused(f, "GET " MAPS "?resourceVersion=999999", NULL, SLICE(""), 504, "Timeout", message);
    refused(f, "GET " MAPS "?watch=1&resourceVersion=999999&sendInitialEvents=true&resourceVersionMatch=NotOlderThan",
            NULL, SLICE(""), 504, "Timeout", message);
    assert_hits(f, LIMIT_FRESH_WAIT, 2);
    f->d.mute = true;
    put_map(f, "unheard-of", 1);
    refused(f, "GET " MAPS, NULL, SLICE(""), 503, "ServiceUnavailable", "the store does not answer: timed out");
    refused(f, "GET " MAPS "?watch=1", NULL, SLICE(""), 503, "ServiceUnavailable",
            "the store does not answer: timed out");
    f->d.mute = false;
    assert_hits(f, LIMIT_FRESH_WAIT, 4);
}

static void warnings(void **state)
{
    struct fixture *f = *state;
    for (int n = WARNINGS_MAX; n <= WARNINGS_MAX + 1; n++) {
        struct client c = {.status = 0};
        struct buf body = {0};
        buf_printf(&body, "{\"metadata\":{\"name\":\"m%d\"}", n);
        for (int i = 0; i < n; i++)
            buf_printf(&body, ",\"x%d\":1", i);
        buf_append_char(&body, '}');
        client_send(f, &c, "POST " MAPS "?fieldValidation=Warn", NULL, NULL, buf_slice(&body));
        assert_int_equal(c.status, 201);
        assert_int_equal(c.warning_count, WARNINGS_MAX);
        assert_string_equal(c.warnings.data, "299 - \"unknown field \\\"x0\\\"\"");
        if (n == WARNINGS_MAX)
            assert_int_equal(hits(f, LIMIT_WARNINGS), 0);
        client_release(&c);
        buf_release(&body);
    }
    assert_hits(f, LIMIT_WARNINGS, 1);
}

/* However long the names of unknown fields are: the answer's head has a bound, too. */
static void long_warnings(void **state)
{
    struct fixture *f = *state;
    struct buf body = {0};
    struct client c = {.status = 0};
    buf_append_str(&body, "{\"metadata\":{\"name\":\"m\"}");
    for (int i = 0; i < WARNINGS_MAX; i++) {
        buf_printf(&body, ",\"%c%d", i == 0 ? 'a' : 'x', i);
        for (int k = 0; k < 5000; k++)
            buf_append_str(&body, "ä");
        buf_append_str(&body, "\":1");
    }
    buf_append_char(&body, '}');
    client_send(f, &c, "POST " MAPS "?fieldValidation=Warn", NULL, NULL, buf_slice(&body));
    assert_int_equal(c.status, 201);
    assert_int_equal(c.warning_count, WARNINGS_BYTES_MAX / WARNING_CUT_BYTES + 1);
    assert_true(slice_has_prefix(buf_slice(&c.warnings), SLICE("299 - \"unknown field \\\"a0ä")));
    assert_true(c.warnings.size < WARNING_CUT_BYTES + 16 && json_utf8(buf_slice(&c.warnings)));
    assert_int_equal(hits(f, LIMIT_WARNINGS), 1);
    client_release(&c);
    buf_release(&body);
}

/* A node that says more than a reader takes. */
struct fake_node {
    struct http_call *call;
    bool canceled;
};

static void fake_start(void *impl, struct http_call *c) { ((struct fake_node *)impl)->call = c; }

static void fake_cancel(void *impl, struct http_call *c)
{
    ((struct fake_node *)impl)->canceled = true;
    c->done(c, ERR_CANCELED, NULL); /* the real one answers a turn later; the core calls this from a turn of its own */
}

static const struct http_client_ops fake_ops = {fake_start, fake_cancel};

static void make_running_pod(struct fixture *f)
{
    assert_int_equal(ask(f, "POST /api/v1/nodes",
                         "{\"metadata\":{\"name\":\"n1\"},\"status\":{\"addresses\":[{\"type\":\"InternalIP\","
                         "\"address\":\"10.0.0.9\"}],"
                         "\"daemonEndpoints\":{\"kubeletEndpoint\":{\"Port\":10250}}}}",
                         NULL, NULL),
                     201);
    assert_int_equal(ask(f, "POST /api/v1/namespaces/default/pods",
                         "{\"metadata\":{\"name\":\"p\"},\"spec\":{\"nodeName\":\"n1\",\"containers\":[{\"name\":\"c\","
                         "\"image\":\"i:1\"}]}}",
                         NULL, NULL),
                     201);
    assert_int_equal(ask(f, "PATCH /api/v1/namespaces/default/pods/p/status",
                         "{\"status\":{\"containerStatuses\":[{\"name\":\"c\",\"state\":{\"running\":{\"startedAt\":"
                         "\"2026-01-01T00:00:00Z\"}}}]}}",
                         NULL, NULL),
                     200);
}

static void log_reader(void **state)
{
    struct fixture *f = *state;
    struct fake_node node = {.call = NULL};
    struct client c = {.status = 0};
    f->d.env.http = (struct http_client){&fake_ops, &node};
    make_running_pod(f);
    client_send(f, &c, "GET /api/v1/namespaces/default/pods/p/log?follow=true", NULL, NULL, SLICE(""));
    node.call->http_status = 200;
    node.call->on_data(node.call, SLICE("line\n"));
    c.x.pending_bytes = 8 * STREAM_WINDOW_BYTES;
    node.call->on_data(node.call, SLICE("just so\n"));
    assert_false(c.ended);
    c.x.pending_bytes++;
    node.call->on_data(node.call, SLICE("too much\n"));
    assert_true(c.ended && !c.clean);
    assert_string_equal(c.answer.data, "line\njust so\n");
    direct_run_ms(&f->d, 10);
    assert_true(node.canceled);
    assert_hits(f, LIMIT_LOG_READER, 1);
    client_release(&c);
}

/* The last. */
static void every_row_is_met(void **state)
{
    (void)state;
    for (enum limit i = LIMIT_NONE + 1; i < LIMIT_COUNT; i++) {
        if (!asserted[i])
            fail_msg("no test asserts the row %s of API_LIMITS", names[i]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(front, setup, teardown),
        cmocka_unit_test_setup_teardown(requests, setup_small, teardown),
        cmocka_unit_test_setup_teardown(object_bytes, setup, teardown),
        cmocka_unit_test_setup_teardown(patch_operations, setup, teardown),
        cmocka_unit_test_setup_teardown(selector_bytes, setup, teardown),
        cmocka_unit_test_setup_teardown(delete_collection, setup_small, teardown),
        cmocka_unit_test_setup_teardown(watch_ring, setup, teardown),
        cmocka_unit_test_setup_teardown(update_attempts, setup, teardown),
        cmocka_unit_test_setup_teardown(generate_attempts, setup, teardown),
        cmocka_unit_test_setup_teardown(fresh_wait, setup, teardown),
        cmocka_unit_test_setup_teardown(warnings, setup, teardown),
        cmocka_unit_test_setup_teardown(long_warnings, setup, teardown),
        cmocka_unit_test_setup_teardown(log_reader, setup, teardown),
        cmocka_unit_test(every_row_is_met),
    };
    return RUN_TESTS(tests);
}
