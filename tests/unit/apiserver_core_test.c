/* The apiserver's request core from request to answer, over an in-process store with virtual time. */
#include "tests/test.h"

#include "apiserver/apiserver.h"
#include "common/json.h"
#include "tests/unit/direct_store.h"

struct client {
    struct http_exchange x;
    struct net_peer peer;
    struct buf path, query, body, answer, content_type, warnings;
    struct http_header headers[4];
    int status;
    bool answered, ended, clean;
};

struct fixture {
    struct direct d;
    struct apiserver *api;
    bool closed;
};

static void on_respond(struct http_exchange *x, int status, const struct http_header *h, size_t n, struct slice body, struct bytes *shared)
{
    struct client *c = container_of(x, struct client, x);
    (void)shared;
    assert_false(c->answered);
    c->answered = c->ended = c->clean = true;
    c->status = status;
    buf_append(&c->answer, "", 0);
    buf_append_slice(&c->answer, body);
    buf_append_slice(&c->content_type, http_header_get(h, n, "Content-Type"));
    buf_append_slice(&c->warnings, http_header_get(h, n, "Warning"));
}

static void on_begin(struct http_exchange *x, int status, const struct http_header *h, size_t n)
{
    struct client *c = container_of(x, struct client, x);
    c->answered = true;
    c->status = status;
    buf_append(&c->answer, "", 0);
    buf_append_slice(&c->content_type, http_header_get(h, n, "Content-Type"));
}

static void on_write(struct http_exchange *x, struct bytes *chunk)
{
    buf_append_slice(&container_of(x, struct client, x)->answer, bytes_slice(chunk));
}

static void on_end(struct http_exchange *x, bool clean)
{
    struct client *c = container_of(x, struct client, x);
    c->ended = true;
    c->clean = clean;
}

static const struct http_exchange_ops client_ops = {on_respond, on_begin, on_write, on_end};

static int setup(void **state)
{
    struct fixture *f = NEW(struct fixture);
    direct_init(&f->d);
    struct apiserver_options o = {.store = (struct store_client *)&f->d};
    assert_ok(apiserver_new(&f->d.env, &o, &f->api, NULL));
    direct_run_ms(&f->d, 100);
    assert_true(apiserver_ready(f->api));
    *state = f;
    return 0;
}

static void on_closed(void *arg) { *(bool *)arg = true; }

static int teardown(void **state)
{
    struct fixture *f = *state;
    apiserver_close(f->api, on_closed, &f->closed);
    direct_run_ms(&f->d, 100);
    assert_true(f->closed);
    direct_release(&f->d);
    mem_free(f);
    return 0;
}

static void client_release(struct client *c)
{
    buf_release(&c->path);
    buf_release(&c->query);
    buf_release(&c->body);
    buf_release(&c->answer);
    buf_release(&c->content_type);
    buf_release(&c->warnings);
}

/* Sends "METHOD /path?query" with a body, as a member of system:masters. */
static void client_send(struct fixture *f, struct client *c, const char *line, const char *accept, const char *type, struct slice body)
{
    struct slice rest = slice_str(line);
    struct slice method = slice_cut(&rest, ' ');
    buf_append_slice(&c->path, slice_cut(&rest, '?'));
    buf_append_slice(&c->query, rest);
    buf_append_slice(&c->body, body);
    if (c->peer.common_name[0] == '\0') {
        memcpy(c->peer.common_name, "admin", 6);
        memcpy(c->peer.organizations[0], "system:masters", 15);
        c->peer.organization_count = 1;
    }
    size_t n = 0;
    if (accept != NULL)
        c->headers[n++] = (struct http_header){SLICE("Accept"), slice_str(accept)};
    if (type != NULL)
        c->headers[n++] = (struct http_header){SLICE("Content-Type"), slice_str(type)};
    c->x.ops = &client_ops;
    c->x.request = (struct http_request){.method = method, .path = buf_slice(&c->path), .query = buf_slice(&c->query), .headers = c->headers,
                                         .header_count = n, .body = buf_slice(&c->body), .peer = &c->peer};
    api_handle(f->api, &c->x);
    direct_run_ms(&f->d, 10);
}

static int ask(struct fixture *f, const char *line, const char *body, struct json_doc *d, struct json **ret)
{
    struct client c = {.status = 0};
    struct err why;
    client_send(f, &c, line, "application/json", strncmp(line, "PATCH", 5) == 0 ? "application/merge-patch+json" : NULL, slice_str(body));
    assert_true(c.answered);
    if (ret != NULL && json_parse(d, buf_slice(&c.answer), ret, &why) != 0)
        fail_msg("%s: %s: %s", line, why.message, c.answer.data);
    int status = c.status;
    client_release(&c);
    return status;
}

#define CM "/api/v1/namespaces/default/configmaps"
#define POD "{\"apiVersion\":\"v1\",\"kind\":\"Pod\",\"metadata\":{\"name\":\"p\",\"labels\":{\"app\":\"x\"}},\"spec\":{\"containers\":[{\"name\":\"c\",\"image\":\"a:1\"}]}}"

static void test_configmap_life(void **state)
{
    struct fixture *f = *state;
    struct json_doc *d = json_doc_new();
    struct json *v;
    assert_int_equal(ask(f, "POST " CM, "{\"apiVersion\":\"v1\",\"kind\":\"ConfigMap\",\"metadata\":{\"name\":\"a\"},\"data\":{\"z\":\"1\",\"b\":\"2\"}}", d, &v), 201);
    assert_slice_equal(json_string_at(v, "metadata.namespace"), "default");
    assert_true(json_string_at(v, "metadata.uid").size == 36);
    struct slice revision = json_string_at(v, "metadata.resourceVersion");
    assert_true(revision.size > 0);
    assert_int_equal(ask(f, "POST " CM, "{\"metadata\":{\"name\":\"a\"}}", d, &v), 409);
    assert_slice_equal(json_string_at(v, "message"), "configmaps \"a\" already exists");
    assert_int_equal(ask(f, "GET " CM "/a", "", d, &v), 200);
    assert_slice_equal(json_string_at(v, "data.z"), "1");
    assert_true(slice_equal(json_string_at(v, "metadata.resourceVersion"), revision));
    assert_int_equal(ask(f, "GET " CM "/a?resourceVersion=0", "", d, &v), 200);
    assert_slice_equal(json_string_at(v, "data.z"), "1");
    assert_int_equal(ask(f, "GET " CM, "", d, &v), 200);
    assert_slice_equal(json_string_at(v, "kind"), "ConfigMapList");
    assert_int_equal(json_size(json_get(v, "items")), 1);
    assert_int_equal(ask(f, "PATCH " CM "/a", "{\"data\":{\"b\":null,\"c\":\"3\"}}", d, &v), 200);
    assert_slice_equal(json_string_at(v, "data.c"), "3");
    assert_null(json_at(v, "data.b"));
    assert_int_equal(ask(f, "PUT " CM "/a", "{\"metadata\":{\"name\":\"a\",\"resourceVersion\":\"1\"}}", d, &v), 409);
    assert_slice_equal(json_string_at(v, "message"), "Operation cannot be fulfilled on configmaps \"a\": the object has been modified; please apply your changes to the latest version and try again");
    assert_int_equal(ask(f, "DELETE " CM "/a", "", d, &v), 200);
    assert_slice_equal(json_string_at(v, "status"), "Success");
    assert_int_equal(ask(f, "GET " CM "/a", "", d, &v), 404);
    assert_slice_equal(json_string_at(v, "message"), "configmaps \"a\" not found");
    json_doc_free(d);
}

static void test_pod_defaults(void **state)
{
    struct fixture *f = *state;
    struct json_doc *d = json_doc_new();
    struct json *v;
    assert_int_equal(ask(f, "POST /api/v1/namespaces/default/pods", POD, d, &v), 201);
    assert_slice_equal(json_string_at(v, "spec.restartPolicy"), "Always");
    assert_slice_equal(json_string_at(v, "spec.dnsPolicy"), "ClusterFirst");
    assert_slice_equal(json_string_at(v, "status.phase"), "Pending");
    assert_slice_equal(json_string_at(v, "status.qosClass"), "BestEffort");
    assert_slice_equal(json_string_at(json_element(json_at(v, "spec.containers"), 0), "imagePullPolicy"), "IfNotPresent");
    assert_int_equal(ask(f, "POST /api/v1/namespaces/default/pods", "{\"metadata\":{\"name\":\"q\"},\"spec\":{\"containers\":[{\"name\":\"Bad\"}],\"restartPolicy\":\"Sometimes\"}}", d, &v), 422);
    assert_slice_equal(json_string_at(v, "reason"), "Invalid");
    assert_slice_equal(json_string_at(v, "details.kind"), "Pod");
    assert_int_equal(json_size(json_at(v, "details.causes")), 3);
    assert_int_equal(ask(f, "POST /api/v1/namespaces/default/pods/p/binding", "{\"metadata\":{\"name\":\"p\"},\"target\":{\"kind\":\"Node\",\"name\":\"n1\"}}", d, &v), 201);
    assert_int_equal(ask(f, "GET /api/v1/pods?fieldSelector=spec.nodeName%3Dn1", "", d, &v), 200);
    assert_int_equal(json_size(json_get(v, "items")), 1);
    assert_int_equal(ask(f, "DELETE /api/v1/namespaces/default/pods/p", "{\"propagationPolicy\":\"Background\"}", d, &v), 200);
    assert_int_equal(json_int_at(v, "metadata.deletionGracePeriodSeconds", 0), 30);
    assert_int_equal(ask(f, "DELETE /api/v1/namespaces/default/pods/p", "{\"gracePeriodSeconds\":0}", d, &v), 200);
    assert_slice_equal(json_string_at(v, "kind"), "Pod");
    assert_int_equal(ask(f, "GET /api/v1/namespaces/default/pods/p", "", d, &v), 404);
    json_doc_free(d);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_configmap_life, setup, teardown),
        cmocka_unit_test_setup_teardown(test_pod_defaults, setup, teardown),
    };
    return RUN_TESTS(tests);
}
