/* The apiserver's request core from request to answer, over an in-process store with virtual time. */
#include "tests/test.h"

#include "apiserver/apiserver.h"
#include "common/json.h"
#include "tests/unit/api_fixture.h"

#define CM "/api/v1/namespaces/default/configmaps"
#define POD                                                                                                            \
    "{\"apiVersion\":\"v1\",\"kind\":\"Pod\",\"metadata\":{\"name\":\"p\",\"labels\":{\"app\":\"x\"}},\"spec\":{"      \
    "\"containers\":[{\"name\":\"c\",\"image\":\"a:1\"}]}}"

static void test_configmap_life(void **state)
{
    struct fixture *f = *state;
    struct json_doc *d = json_doc_new();
    struct json *v;
    assert_int_equal(ask(f, "POST " CM,
                         "{\"apiVersion\":\"v1\",\"kind\":\"ConfigMap\",\"metadata\":{\"name\":\"a\"},\"data\":{\"z\":"
                         "\"1\",\"b\":\"2\"}}",
                         d, &v),
                     201);
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
    assert_slice_equal(json_string_at(v, "message"),
                       "Operation cannot be fulfilled on configmaps \"a\": the object has been modified; please apply "
                       "your changes to the latest version and try again");
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
    assert_slice_equal(json_string_at(json_element(json_at(v, "spec.containers"), 0), "imagePullPolicy"),
                       "IfNotPresent");
    assert_int_equal(ask(f, "POST /api/v1/namespaces/default/pods",
                         "{\"metadata\":{\"name\":\"q\"},\"spec\":{\"containers\":[{\"name\":\"Bad\"}],"
                         "\"restartPolicy\":\"Sometimes\"}}",
                         d, &v),
                     422);
    assert_slice_equal(json_string_at(v, "reason"), "Invalid");
    assert_slice_equal(json_string_at(v, "details.kind"), "Pod");
    assert_int_equal(json_size(json_at(v, "details.causes")), 3);
    assert_int_equal(ask(f, "POST /api/v1/namespaces/default/pods/p/binding",
                         "{\"metadata\":{\"name\":\"p\"},\"target\":{\"kind\":\"Node\",\"name\":\"n1\"}}", d, &v),
                     201);
    assert_int_equal(ask(f, "GET /api/v1/pods?fieldSelector=spec.nodeName%3Dn1", "", d, &v), 200);
    assert_int_equal(json_size(json_get(v, "items")), 1);
    assert_int_equal(
        ask(f, "DELETE /api/v1/namespaces/default/pods/p", "{\"propagationPolicy\":\"Background\"}", d, &v), 200);
    assert_int_equal(json_int_at(v, "metadata.deletionGracePeriodSeconds", 0), 30);
    assert_int_equal(ask(f, "DELETE /api/v1/namespaces/default/pods/p", "{\"gracePeriodSeconds\":0}", d, &v), 200);
    assert_slice_equal(json_string_at(v, "kind"), "Pod");
    assert_int_equal(ask(f, "GET /api/v1/namespaces/default/pods/p", "", d, &v), 404);
    json_doc_free(d);
}

static void make_configmap(struct fixture *f, const char *name, const char *label)
{
    char body[256];
    (void)snprintf(body, sizeof body,
                   "{\"metadata\":{\"name\":\"%s\",\"labels\":{\"l\":\"%s\"}},\"data\":{\"k\":\"v\"}}", name, label);
    assert_int_equal(ask(f, "POST " CM, body, NULL, NULL), 201);
}

static void watch(struct fixture *f, struct client *c, const char *line, const char *accept)
{
    client_send(f, c, line, accept, NULL, SLICE(""));
    assert_true(c->answered);
    assert_false(c->ended);
    assert_int_equal(c->status, 200);
}

/* The types and names of the events a watcher has got: "ADDED a;DELETED a;". */
static void assert_events(struct client *c, const char *wanted)
{
    struct buf seen = {0};
    struct slice rest = buf_slice(&c->answer);
    buf_append(&seen, "", 0);
    while (rest.size > 0) {
        struct json_doc *d = json_doc_new();
        struct json *e;
        assert_ok(json_parse(d, slice_cut(&rest, '\n'), &e, NULL));
        buf_printf(&seen, "%.*s %.*s;", SLICE_ARGS(json_string_at(e, "type")),
                   SLICE_ARGS(json_string_at(e, "object.metadata.name")));
        json_doc_free(d);
    }
    assert_string_equal(seen.data, wanted);
    buf_release(&seen);
}

static void test_watch(void **state)
{
    struct fixture *f = *state;
    struct client all = {.status = 0}, some = {.status = 0}, later = {.status = 0}, ended = {.status = 0};
    struct json_doc *d = json_doc_new();
    struct json *first = NULL;
    struct buf from = {0};
    make_configmap(f, "a", "1");
    assert_int_equal(ask(f, "GET " CM "/a", "", d, &first), 200);
    buf_printf(&from, "GET " CM "?watch=1&resourceVersion=%.*s&timeoutSeconds=5&allowWatchBookmarks=true",
               SLICE_ARGS(json_string_at(first, "metadata.resourceVersion")));
    json_doc_free(d);
    watch(f, &all, "GET " CM "?watch=true", "application/json");
    watch(f, &some, "GET " CM "?watch=1&labelSelector=l%3D1&resourceVersion=0", "application/json");
    make_configmap(f, "b", "2");
    assert_int_equal(ask(f, "PATCH " CM "/b", "{\"metadata\":{\"labels\":{\"l\":\"1\"}}}", NULL, NULL), 200);
    assert_int_equal(ask(f, "PATCH " CM "/a", "{\"metadata\":{\"labels\":{\"l\":\"2\"}}}", NULL, NULL), 200);
    assert_int_equal(ask(f, "PATCH " CM "/a", "{\"metadata\":{\"labels\":{\"l\":\"2\"}}}", NULL, NULL),
                     200); /* changes nothing */
    assert_int_equal(ask(f, "DELETE " CM "/b", "", NULL, NULL), 200);
    assert_events(&all, "ADDED a;ADDED b;MODIFIED b;MODIFIED a;DELETED b;");
    assert_events(&some, "ADDED a;ADDED b;DELETED a;DELETED b;");
    watch(f, &later, from.data, "application/json");
    assert_events(&later, "ADDED b;MODIFIED b;MODIFIED a;DELETED b;");
    direct_run_ms(&f->d, 6000);
    assert_true(later.ended && later.clean);
    assert_events(&later, "ADDED b;MODIFIED b;MODIFIED a;DELETED b;BOOKMARK ;");
    direct_compact_watches(&f->d);
    direct_run_ms(&f->d, 100);
    assert_true(all.ended && some.ended);
    watch(f, &ended, "GET " CM "?watch=1", "application/json"); /* listed again, and goes on */
    assert_events(&ended, "ADDED a;");
    struct client old = {.status = 0};
    client_send(f, &old, "GET " CM "?watch=1&resourceVersion=1", "application/json", NULL, SLICE(""));
    assert_true(old.ended);
    assert_non_null(strstr(old.answer.data, "\"code\":410"));
    ended.x.gone(&ended.x);
    direct_run_ms(&f->d, 10);
    client_release(&all);
    client_release(&some);
    buf_release(&from);
    client_release(&later);
    client_release(&ended);
    client_release(&old);
}

/* From a version that another apiserver told of and this one has not come to: nothing up to it is told again. */
static void test_watch_from_ahead(void **state)
{
    struct fixture *f = *state;
    struct client ahead = {.status = 0};
    struct json_doc *d = json_doc_new();
    struct json *first = NULL;
    struct buf line = {0};
    make_configmap(f, "a", "1");
    assert_int_equal(ask(f, "GET " CM "/a", "", d, &first), 200);
    long revision = strtol(json_string_at(first, "metadata.resourceVersion").data, NULL, 10);
    json_doc_free(d);
    buf_printf(&line, "GET " CM "?watch=1&resourceVersion=%ld", revision + 2);
    watch(f, &ahead, line.data, "application/json");
    make_configmap(f, "b", "1");
    make_configmap(f, "c", "1");
    make_configmap(f, "d", "1");
    assert_events(&ahead, "ADDED d;");
    ahead.x.gone(&ahead.x);
    direct_run_ms(&f->d, 10);
    client_release(&ahead);
    buf_release(&line);
}

static void test_paging(void **state)
{
    struct fixture *f = *state;
    struct json_doc *d = json_doc_new();
    struct json *v;
    char name[16], line[256];
    for (int i = 0; i < 7; i++) {
        (void)snprintf(name, sizeof name, "c%d", i);
        make_configmap(f, name, "x");
    }
    assert_int_equal(ask(f, "GET " CM "?limit=3", "", d, &v), 200);
    assert_int_equal(json_size(json_get(v, "items")), 3);
    assert_int_equal(json_int_at(v, "metadata.remainingItemCount", 0), 4);
    struct slice revision = json_string_at(v, "metadata.resourceVersion");
    assert_int_equal(ask(f, "DELETE " CM "/c5", "", NULL, NULL), 200); /* the pages show one state */
    (void)snprintf(line, sizeof line, "GET " CM "?limit=3&continue=%s", json_string_at(v, "metadata.continue").data);
    assert_int_equal(ask(f, line, "", d, &v), 200);
    assert_int_equal(json_size(json_get(v, "items")), 3);
    assert_slice_equal(json_string_at(json_element(json_get(v, "items"), 2), "metadata.name"), "c5");
    assert_true(slice_equal(json_string_at(v, "metadata.resourceVersion"), revision));
    (void)snprintf(line, sizeof line, "GET " CM "?limit=3&continue=%s", json_string_at(v, "metadata.continue").data);
    assert_int_equal(ask(f, line, "", d, &v), 200);
    assert_int_equal(json_size(json_get(v, "items")), 1);
    assert_null(json_at(v, "metadata.continue"));
    assert_int_equal(ask(f, "GET " CM "?limit=3&resourceVersion=0", "", d, &v), 200);
    assert_int_equal(json_size(json_get(v, "items")), 6);
    assert_int_equal(ask(f, "GET " CM "?continue=zz", "", d, &v), 400);
    assert_int_equal(ask(f, "GET " CM "?limit=x", "", d, &v), 400);
    assert_int_equal(ask(f, "GET " CM "?resourceVersionMatch=Exact", "", d, &v), 422);
    json_doc_free(d);
}

struct refusal {
    const char *line, *body, *type;
    int status;
    const char *text;
};

static void test_refusals(void **state)
{
    struct fixture *f = *state;
    static const struct refusal cases[] = {
        {"GET /nowhere", "", NULL, 404, "404 page not found"},
        {"GET /api/v1/namespaces/default/widgets", "", NULL, 404, "the server could not find the requested resource"},
        {"PUT " CM, "{}", NULL, 405, "the server does not allow this method on the requested resource"},
        {"POST /api/v1/namespaces/nope/configmaps", "{\"metadata\":{\"name\":\"a\"}}", NULL, 404,
         "namespaces \\\"nope\\\" not found"},
        {"POST " CM, "{\"metadata\":{\"name\":\"a\"}", NULL, 400, "couldn't get version/kind; json parse error"},
        {"POST " CM, "[]", NULL, 400, "cannot be handled as a ConfigMap"},
        {"POST " CM, "a: b", "application/xml", 415, "the body of the request was in an unknown format"},
        {"POST " CM, "{\"kind\":\"Pod\",\"apiVersion\":\"v1\",\"metadata\":{\"name\":\"a\"}}", NULL, 400,
         "Pod in version"},
        {"POST " CM, "{\"apiVersion\":\"apps/v1\",\"metadata\":{\"name\":\"a\"}}", NULL, 400,
         "no kind \\\"ConfigMap\\\" is registered for version"},
        {"POST " CM, "{\"metadata\":{}}", NULL, 422,
         "ConfigMap \\\"\\\" is invalid: metadata.name: Required value: name or generateName is required"},
        {"POST " CM, "{\"metadata\":{\"name\":\"A_b\"}}", NULL, 422, "a lowercase RFC 1123 subdomain must consist of"},
        {"POST " CM, "{\"metadata\":{\"name\":\"a\",\"namespace\":\"x\"}}", NULL, 400,
         "the namespace of the provided object does not match the namespace sent on the request"},
        {"POST " CM, "{\"metadata\":{\"name\":\"a\",\"resourceVersion\":\"1\"}}", NULL, 500,
         "resourceVersion should not be set on objects to be created"},
        {"POST " CM, "{\"metadata\":{\"name\":\"a\",\"labels\":{\"-x\":\"y\"}}}", NULL, 422,
         "metadata.labels: Invalid value"},
        {"POST " CM "?fieldValidation=Strict", "{\"metadata\":{\"name\":\"a\"},\"foo\":1}", NULL, 400,
         "ConfigMap in version \\\"v1\\\" cannot be handled as a ConfigMap: strict decoding error: unknown field "
         "\\\"foo\\\""},
        {"POST " CM "?fieldValidation=Strict", "{\"metadata\":{\"name\":\"A_b\"},\"foo\":1}", NULL, 400,
         "strict decoding error: unknown field \\\"foo\\\""}, /* before what is wrong with the name */
        {"POST " CM "?dryRun=Some", "{\"metadata\":{\"name\":\"a\"}}", NULL, 422, "dryRun: Unsupported value"},
        {"PATCH " CM "/a", "{}", "application/apply-patch+yaml", 422, "is required for apply patch"},
        {"PATCH " CM "/a", "{}", "application/merge-patch+json", 404, "configmaps \\\"a\\\" not found"},
        {"DELETE /api/v1/namespaces/kube-system", "", NULL, 403, "this namespace may not be deleted"},
        {"GET /api/v1/pods?labelSelector=a%20in%20b", "", NULL, 400, "unable to parse requirement"},
        {"GET /api/v1/pods?fieldSelector=spec.foo%3Db", "", NULL, 400, "field label not supported: spec.foo"},
        {"GET /api/v1/pods?watch=1&sendInitialEvents=true&resourceVersionMatch=Exact", "", NULL, 422,
         "sendInitialEvents"},
        {"GET /api/v1/pods?resourceVersion=999999", "", NULL, 504, "ResourceVersionTooLarge"},
        {"GET /api/v1/namespaces/default/pods/x/log", "", NULL, 404, "pods \\\"x\\\" not found"},
        {"PUT /apis/coordination.k8s.io/v1/namespaces/default/leases/l", "{\"metadata\":{\"name\":\"m\"}}", NULL, 422,
         "l"},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases) - 1; i++) {
        struct client c = {.status = 0};
        client_send(f, &c, cases[i].line, NULL, cases[i].type, slice_str(cases[i].body));
        direct_run_ms(&f->d, 5000);
        assert_true(c.answered);
        if (c.status != cases[i].status || strstr(c.answer.data, cases[i].text) == NULL)
            fail_msg("%s %s: wanted %d \"%s\", got %d %s", cases[i].line, cases[i].body, cases[i].status, cases[i].text,
                     c.status, c.answer.data);
        client_release(&c);
    }
}

static void test_not_acceptable(void **state)
{
    struct fixture *f = *state;
    struct client c = {.status = 0}, table = {.status = 0}, partial = {.status = 0};
    client_send(f, &c, "GET /api/v1/pods", "application/cbor", NULL, SLICE(""));
    assert_int_equal(c.status, 406);
    make_configmap(f, "a", "x");
    client_send(f, &table, "GET " CM, "application/json;as=Table;v=v1;g=meta.k8s.io,application/json", NULL, SLICE(""));
    assert_non_null(strstr(table.answer.data, "\"kind\":\"Table\""));
    assert_non_null(strstr(table.answer.data, "\"cells\":[\"a\",1,\"0s\"]"));
    client_send(f, &partial, "GET " CM "/a", "application/json;as=PartialObjectMetadata;v=v1;g=meta.k8s.io", NULL,
                SLICE(""));
    assert_non_null(strstr(partial.answer.data, "\"kind\":\"PartialObjectMetadata\""));
    assert_null(strstr(partial.answer.data, "\"data\""));
    client_release(&c);
    client_release(&table);
    client_release(&partial);
}

static void test_who_may(void **state)
{
    struct fixture *f = *state;
    static const struct {
        const char *user, *group, *line;
        int status;
        const char *text;
    } cases[] = {
        {"jane", "dev", "GET /api/v1/namespaces/default/pods", 403,
         "pods is forbidden: User \\\"jane\\\" cannot list resource \\\"pods\\\" in API group \\\"\\\" in the "
         "namespace \\\"default\\\""},
        {"jane", "dev", "GET /apis/apps/v1/deployments", 403,
         "deployments.apps is forbidden: User \\\"jane\\\" cannot list resource \\\"deployments\\\" in API group "
         "\\\"apps\\\" at the cluster scope"},
        {"jane", "dev", "GET /api/v1", 200, "APIResourceList"},
        {"system:node:n1", "system:nodes", "GET /api/v1/pods?fieldSelector=spec.nodeName%3Dn1", 200, "PodList"},
        {"system:node:n1", "dev", "GET /api/v1/pods", 403, "forbidden"},
        {"system:kube-scheduler", "x", "GET /api/v1/nodes", 200, "NodeList"},
        {"system:kube-scheduler", "x", "DELETE /api/v1/nodes/x", 403, "cannot delete resource"},
        {"system:kube-controller-manager", "x", "GET /apis/apps/v1/replicasets", 200, "ReplicaSetList"},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct client c = {.status = 0};
        memcpy(c.peer.common_name, cases[i].user, strlen(cases[i].user) + 1);
        memcpy(c.peer.organizations[0], cases[i].group, strlen(cases[i].group) + 1);
        c.peer.organization_count = 1;
        client_send(f, &c, cases[i].line, NULL, NULL, SLICE(""));
        if (c.status != cases[i].status || strstr(c.answer.data, cases[i].text) == NULL)
            fail_msg("%s %s: got %d %s", cases[i].user, cases[i].line, c.status, c.answer.data);
        client_release(&c);
    }
}

/* An impersonated account has the groups of its namespace, whatever its own name is like. */
static void test_impersonated_account(void **state)
{
    struct fixture *f = *state;
    struct json_doc *d = json_doc_new();
    struct json *v;
    struct client c = {.headers = {{SLICE("Impersonate-User"), SLICE("system:serviceaccount:one:a-longer-name")}},
                       .header_count = 1};
    client_send(f, &c, "POST /apis/authentication.k8s.io/v1/selfsubjectreviews", NULL, NULL, SLICE("{}"));
    assert_int_equal(c.status, 201);
    assert_ok(json_parse(d, buf_slice(&c.answer), &v, NULL));
    struct json *groups = json_at(v, "status.userInfo.groups");
    assert_slice_equal(json_string(json_element(groups, 0)), "system:serviceaccounts");
    assert_slice_equal(json_string(json_element(groups, 1)), "system:serviceaccounts:one");
    client_release(&c);
    json_doc_free(d);
}

static void test_finalizers(void **state)
{
    struct fixture *f = *state;
    struct json_doc *d = json_doc_new();
    struct json *v;
    assert_int_equal(ask(f, "POST " CM, "{\"metadata\":{\"name\":\"a\",\"finalizers\":[\"x.io/y\"]}}", d, &v), 201);
    assert_int_equal(ask(f, "DELETE " CM "/a", "{\"propagationPolicy\":\"Foreground\"}", d, &v), 200);
    assert_true(json_string_at(v, "metadata.deletionTimestamp").size > 0);
    assert_int_equal(json_size(json_at(v, "metadata.finalizers")), 2);
    assert_int_equal(ask(f, "PATCH " CM "/a", "{\"metadata\":{\"finalizers\":[\"x.io/z\"]}}", d, &v), 422);
    assert_int_equal(ask(f, "PATCH " CM "/a", "{\"metadata\":{\"finalizers\":[\"x.io/y\"]}}", d, &v), 200);
    assert_int_equal(ask(f, "GET " CM "/a", "", d, &v), 200);
    assert_int_equal(ask(f, "PATCH " CM "/a", "{\"metadata\":{\"finalizers\":null}}", d, &v), 200);
    assert_int_equal(ask(f, "GET " CM "/a", "", d, &v), 404);
    assert_int_equal(ask(f, "POST " CM, "{\"metadata\":{\"name\":\"a\"}}", d, &v), 201);
    assert_int_equal(ask(f, "DELETE " CM "/a", "{\"preconditions\":{\"uid\":\"other\"}}", d, &v), 409);
    assert_int_equal(ask(f, "DELETE " CM "/a", "{\"dryRun\":[\"All\"]}", d, &v), 200);
    assert_int_equal(ask(f, "GET " CM "/a", "", d, &v), 200);
    assert_int_equal(ask(f, "DELETE " CM "?labelSelector=none", "", d, &v), 200);
    assert_int_equal(ask(f, "GET " CM "/a", "", d, &v), 200);
    assert_int_equal(ask(f, "DELETE " CM, "", d, &v), 200);
    assert_int_equal(json_size(json_get(v, "items")), 1);
    assert_int_equal(ask(f, "GET " CM "/a", "", d, &v), 404);
    json_doc_free(d);
}

#define DEPLOY "/apis/apps/v1/namespaces/default/deployments"

static void test_scale_status_generation(void **state)
{
    struct fixture *f = *state;
    struct json_doc *d = json_doc_new();
    struct json *v;
    assert_int_equal(ask(f, "POST " DEPLOY,
                         "{\"metadata\":{\"name\":\"w\"},\"spec\":{\"selector\":{\"matchLabels\":{\"a\":\"b\"}},"
                         "\"template\":{\"metadata\":{\"labels\":{\"a\":\"b\"}},"
                         "\"spec\":{\"containers\":[{\"name\":\"c\",\"image\":\"i\"}]}}},\"status\":{\"replicas\":9}}",
                         d, &v),
                     201);
    assert_int_equal(json_int_at(v, "metadata.generation", 0), 1);
    assert_int_equal(json_int_at(v, "status.replicas", -1), -1);
    assert_int_equal(ask(f, "PATCH " DEPLOY "/w/scale", "{\"spec\":{\"replicas\":4}}", d, &v), 200);
    assert_slice_equal(json_string_at(v, "kind"), "Scale");
    assert_slice_equal(json_string_at(v, "status.selector"), "a=b");
    assert_int_equal(
        ask(f, "PATCH " DEPLOY "/w/status", "{\"status\":{\"replicas\":2},\"spec\":{\"replicas\":7}}", d, &v), 200);
    assert_int_equal(json_int_at(v, "status.replicas", 0), 2);
    assert_int_equal(json_int_at(v, "spec.replicas", 0), 4);
    assert_int_equal(json_int_at(v, "metadata.generation", 0), 2);
    assert_int_equal(ask(f, "PATCH " DEPLOY "/w", "{\"metadata\":{\"labels\":{\"x\":\"y\"}}}", d, &v), 200);
    assert_int_equal(json_int_at(v, "metadata.generation", 0), 2);
    assert_int_equal(json_int_at(v, "status.replicas", 0), 2);
    assert_int_equal(ask(f, "PATCH " DEPLOY "/w", "{\"spec\":{\"selector\":{\"matchLabels\":{\"a\":\"c\"}}}}", d, &v),
                     422);
    assert_int_equal(ask(f, "GET " DEPLOY "/w/scale", "", d, &v), 200);
    assert_int_equal(json_int_at(v, "spec.replicas", 0), 4);
    json_doc_free(d);
}

static void test_discovery(void **state)
{
    struct fixture *f = *state;
    struct json_doc *d = json_doc_new();
    struct json *v;
    static const char *const paths[] = {"GET /api",
                                        "GET /apis",
                                        "GET /api/v1",
                                        "GET /apis/apps",
                                        "GET /apis/apps/v1",
                                        "GET /version",
                                        "GET /openapi/v3",
                                        "GET /openapi/v3/api/v1",
                                        "GET /",
                                        "GET /apis/coordination.k8s.io/v1"};
    for (size_t i = 0; i < ARRAY_LEN(paths); i++)
        assert_int_equal(ask(f, paths[i], "", d, &v), 200);
    struct client c = {.status = 0};
    client_send(f, &c, "GET /apis",
                "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList,application/json", NULL,
                SLICE(""));
    assert_non_null(strstr(c.content_type.data, "as=APIGroupDiscoveryList"));
    assert_ok(json_parse(d, buf_slice(&c.answer), &v, NULL));
    bool apps = false;
    struct json_iterator i = json_iterate(json_get(v, "items"));
    while (json_next(&i))
        apps |= slice_is(json_string_at(i.value, "metadata.name"), "apps");
    assert_true(apps);
    client_release(&c);
    json_doc_free(d);
}

/* A node agent that is asked once: what it was asked, and what it answers when the test says so. */
struct fake_node {
    struct http_call *call;
    struct buf url;
    bool canceled;
};

static void fake_start(void *impl, struct http_call *c)
{
    struct fake_node *n = impl;
    n->call = c;
    buf_reset(&n->url);
    buf_append_str(&n->url, c->url);
}

static void fake_cancel(void *impl, struct http_call *c)
{
    struct fake_node *n = impl;
    n->canceled = true;
    c->done(c, ERR_CANCELED, NULL); /* the real one answers a turn later; the core calls this from a turn of its own */
}

static const struct http_client_ops fake_ops = {fake_start, fake_cancel};

static void test_log(void **state)
{
    struct fixture *f = *state;
    struct fake_node node = {.call = NULL};
    struct client c = {.status = 0}, follow = {.status = 0};
    struct json_doc *d = json_doc_new();
    struct json *v;
    f->d.env.http = (struct http_client){&fake_ops, &node};
    assert_int_equal(ask(f, "POST /api/v1/nodes",
                         "{\"metadata\":{\"name\":\"n1\"},\"status\":{\"addresses\":[{\"type\":\"InternalIP\","
                         "\"address\":\"10.0.0.9\"}],"
                         "\"daemonEndpoints\":{\"kubeletEndpoint\":{\"Port\":10250}}}}",
                         NULL, NULL),
                     201);
    assert_int_equal(ask(f, "POST /api/v1/namespaces/default/pods", POD, NULL, NULL), 201);
    assert_int_equal(ask(f, "GET /api/v1/namespaces/default/pods/p/log", "", NULL, NULL), 204); /* nobody runs it yet */
    assert_int_equal(ask(f, "POST /api/v1/namespaces/default/pods/p/binding",
                         "{\"metadata\":{\"name\":\"p\"},\"target\":{\"kind\":\"Node\",\"name\":\"n1\"}}", NULL, NULL),
                     201);
    assert_int_equal(ask(f, "GET /api/v1/namespaces/default/pods/p/log", "", d, &v), 400);
    assert_slice_equal(json_string_at(v, "message"),
                       "container \"c\" in pod \"p\" is waiting to start: ContainerCreating");
    assert_int_equal(ask(f, "PATCH /api/v1/namespaces/default/pods/p/status",
                         "{\"status\":{\"containerStatuses\":[{\"name\":\"c\",\"state\":{\"running\":{\"startedAt\":"
                         "\"2026-01-01T00:00:00Z\"}}}]}}",
                         NULL, NULL),
                     200);
    assert_int_equal(ask(f, "GET /api/v1/namespaces/default/pods/p/log?container=x", "", d, &v), 400);
    assert_slice_equal(json_string_at(v, "message"), "container x is not valid for pod p");
    client_send(f, &c, "GET /api/v1/namespaces/default/pods/p/log?tailLines=5", NULL, NULL, SLICE(""));
    assert_string_equal(node.url.data, "http://10.0.0.9:10250/containerLogs/default/p/c?tailLines=5");
    node.call->http_status = 200;
    node.call->on_data(node.call, SLICE("hello\n"));
    node.call->done(node.call, 0, NULL);
    direct_run_ms(&f->d, 10);
    assert_true(c.ended && c.clean);
    assert_string_equal(c.answer.data, "hello\n");
    client_send(f, &follow, "GET /api/v1/namespaces/default/pods/p/log?follow=true", NULL, NULL, SLICE(""));
    node.call->http_status = 200;
    node.call->on_data(node.call, SLICE("line\n"));
    assert_string_equal(follow.answer.data, "line\n");
    follow.x.gone(&follow.x); /* the client leaves: the node must hear of it */
    direct_run_ms(&f->d, 10);
    assert_true(node.canceled);
    client_release(&c);
    client_release(&follow);
    buf_release(&node.url);
    json_doc_free(d);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_configmap_life, setup, teardown),
        cmocka_unit_test_setup_teardown(test_pod_defaults, setup, teardown),
        cmocka_unit_test_setup_teardown(test_watch, setup, teardown),
        cmocka_unit_test_setup_teardown(test_watch_from_ahead, setup, teardown),
        cmocka_unit_test_setup_teardown(test_paging, setup, teardown),
        cmocka_unit_test_setup_teardown(test_refusals, setup, teardown),
        cmocka_unit_test_setup_teardown(test_not_acceptable, setup, teardown),
        cmocka_unit_test_setup_teardown(test_who_may, setup, teardown),
        cmocka_unit_test_setup_teardown(test_impersonated_account, setup, teardown),
        cmocka_unit_test_setup_teardown(test_finalizers, setup, teardown),
        cmocka_unit_test_setup_teardown(test_scale_status_generation, setup, teardown),
        cmocka_unit_test_setup_teardown(test_discovery, setup, teardown),
        cmocka_unit_test_setup_teardown(test_log, setup, teardown),
    };
    return RUN_TESTS(tests);
}
