/* Tokens of service accounts, and who may what by roles and bindings: keys made here, the core over an in-process
 * store. */
#include "tests/test.h"

#include "apiserver/apiserver.h"
#include "apiserver/rbac.h"
#include "common/base64.h"
#include "common/json.h"
#include "common/jwt.h"
#include "common/pki.h"
#include "tests/unit/direct_store.h"
#include "tests/unit/token_key.h"

#include <stdio.h>
#include <unistd.h>

struct fixture {
    uint64_t patience_ms; /* how long a request is waited for, in simulated time */
    struct direct d;
    struct apiserver *api;
    struct jwt_key *key;
    struct http_exchange x;
    struct buf answer;
    int status;
    bool closed;
};

static void on_respond(struct http_exchange *x, int status, const struct http_header *h, size_t n, struct slice body,
                       struct bytes *shared)
{
    struct fixture *f = container_of(x, struct fixture, x);
    (void)h, (void)n, (void)shared;
    f->status = status;
    buf_reset(&f->answer);
    buf_append_slice(&f->answer, body);
}

static void on_begin(struct http_exchange *x, int status, const struct http_header *h, size_t n)
{
    struct fixture *f = container_of(x, struct fixture, x);
    (void)h, (void)n;
    f->status = status;
}

static void on_write(struct http_exchange *x, struct bytes *chunk)
{
    (void)x, (void)chunk; /* only statuses of streams matter here */
}

static void on_end(struct http_exchange *x, bool clean) { (void)x, (void)clean; }

static const struct http_exchange_ops ops = {
    .respond = on_respond, .begin = on_begin, .write = on_write, .end = on_end};

static int setup(void **state)
{
    struct fixture *f = NEW(struct fixture);
    direct_init(&f->d);
    f->key = token_key_make();
    f->patience_ms = 50;
    struct apiserver_options o = {.store = (struct store_client *)&f->d, .token_key = f->key};
    assert_ok(apiserver_new(&f->d.env, &o, &f->api, NULL));
    direct_run_ms(&f->d, 200);
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
    jwt_key_free(f->key);
    buf_release(&f->answer);
    mem_free(f);
    return 0;
}

/* As the admin, or as whom the bearer token says. */
static int ask(struct fixture *f, const char *method, const char *path, const char *body, const char *token)
{
    struct net_peer admin = {.common_name = "admin", .organizations = {"system:masters"}, .organization_count = 1};
    struct buf bearer = {0};
    struct http_header headers[1] = {{SLICE("Accept"), SLICE("application/json")}};
    if (token != NULL) {
        buf_printf(&bearer, "Bearer %s", token);
        headers[0] = (struct http_header){SLICE("Authorization"), buf_slice(&bearer)};
    }
    f->status = 0;
    f->x = (struct http_exchange){.ops = &ops,
                                  .request = {.method = slice_str(method),
                                              .path = slice_str(path),
                                              .query = SLICE(""),
                                              .headers = headers,
                                              .header_count = 1,
                                              .body = slice_str(body),
                                              .peer = token == NULL ? &admin : NULL}};
    api_handle(f->api, &f->x);
    direct_run_ms(&f->d, f->patience_ms);
    buf_release(&bearer);
    return f->status;
}

static char *answer_text(struct fixture *f, const char *path)
{
    struct json_doc *d = json_doc_new();
    struct json *v = NULL;
    assert_ok(json_parse(d, buf_slice(&f->answer), &v, NULL));
    char *text = mem_printf("%.*s", SLICE_ARGS(json_string_at(v, path)));
    json_doc_free(d);
    return text;
}

static void test_jwt(void **state)
{
    (void)state;
    struct jwt_key *key = token_key_make(), *other = token_key_make();
    struct buf token = {0}, claims = {0};
    struct err why;
    assert_ok(jwt_sign(key, SLICE("{\"sub\":\"x\"}"), &token, &why));
    assert_ok(jwt_verify(key, buf_slice(&token), &claims, &why));
    assert_string_equal(claims.data, "{\"sub\":\"x\"}");
    assert_int_equal(jwt_verify(other, buf_slice(&token), &claims, &why), ERR_UNAUTHORIZED);
    token.data[token.size / 2] ^= 1;
    assert_int_equal(jwt_verify(key, buf_slice(&token), &claims, &why), ERR_UNAUTHORIZED);
    static const char *const bad[] = {"", ".", "..", "a.b.c", "a.b", "eyJhbGciOiJub25lIn0.e30."};
    for (size_t i = 0; i < ARRAY_LEN(bad); i++)
        assert_int_equal(jwt_verify(key, slice_str(bad[i]), &claims, &why), ERR_UNAUTHORIZED);
    buf_release(&token);
    buf_release(&claims);
    jwt_key_free(key);
    jwt_key_free(other);
}

static void test_base64(void **state)
{
    (void)state;
    static const char *const texts[] = {"", "f", "fo", "foo", "foob", "\xff\xfe\xfd"};
    static const char *const encoded[] = {"", "Zg==", "Zm8=", "Zm9v", "Zm9vYg==", "//79"};
    for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
        struct buf out = {0}, back = {0};
        buf_append(&out, "", 0);
        base64_append(&out, slice_str(texts[i]));
        assert_string_equal(out.data, encoded[i]);
        assert_ok(base64_decode(buf_slice(&out), &back));
        assert_true(slice_is(buf_slice(&back), texts[i]));
        buf_release(&out);
        buf_release(&back);
    }
    struct buf scrap = {0};
    assert_int_equal(base64_decode(SLICE("a"), &scrap), ERR_BAD_REQUEST);
    assert_int_equal(base64_decode(SLICE("a b="), &scrap), ERR_BAD_REQUEST);
    buf_release(&scrap);
}

#define DEFAULT "/api/v1/namespaces/default"
#define ROLE_BINDING(name, role)                                                                                       \
    "{\"metadata\":{\"name\":\"" name "\"},\"roleRef\":{\"apiGroup\":\"rbac.authorization.k8s.io\",\"kind\":"          \
    "\"ClusterRole\",\"name\":\"" role "\"},\"subjects\":[{\"kind\":\"ServiceAccount\",\"name\":\"x\",\"namespace\":"  \
    "\"default\"}]}"
#define RBAC "/apis/rbac.authorization.k8s.io/v1"

/* A pod waits for the account `default`, in vain here; with the account it gets its token and the default tolerations.
 */
static void test_pod_waits_for_its_account(void **state)
{
    struct fixture *f = *state;
    static const char pod[] =
        "{\"metadata\":{\"name\":\"p\"},\"spec\":{\"containers\":[{\"name\":\"a\",\"image\":\"b:1\"}]}}";
    f->patience_ms = 3000;
    assert_int_equal(ask(f, "POST", DEFAULT "/pods", pod, NULL), 403);
    char *text = answer_text(f, "message");
    assert_string_equal(text,
                        "pods \"p\" is forbidden: error looking up service account default/default: serviceaccount "
                        "\"default\" not found");
    mem_free(text);
    f->patience_ms = 50;
    assert_int_equal(ask(f, "POST", DEFAULT "/serviceaccounts", "{\"metadata\":{\"name\":\"default\"}}", NULL), 201);
    assert_int_equal(ask(f, "POST", DEFAULT "/pods", pod, NULL), 201);
    assert_non_null(strstr(f->answer.data, "\"serviceAccountToken\""));
    assert_non_null(strstr(f->answer.data, "{\"key\":\"node.kubernetes.io/not-ready\",\"operator\":\"Exists\","
                                           "\"effect\":\"NoExecute\",\"tolerationSeconds\":300}"));
    assert_non_null(strstr(f->answer.data, "node.kubernetes.io/unreachable"));
    assert_int_equal(ask(f, "POST", "/api/v1/namespaces/nowhere/pods", pod, NULL), 404);
}

/* 403, then 200 after a RoleBinding; nothing in other namespaces; 401 once the account is gone. */
static void test_account_token(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(ask(f, "POST", DEFAULT "/serviceaccounts", "{\"metadata\":{\"name\":\"x\"}}", NULL), 201);
    assert_int_equal(ask(f, "POST", DEFAULT "/serviceaccounts/x/token", "{\"spec\":{\"expirationSeconds\":60}}", NULL),
                     422);
    assert_int_equal(ask(f, "POST", DEFAULT "/serviceaccounts/nobody/token", "{\"spec\":{}}", NULL), 404);
    assert_int_equal(ask(f, "POST", DEFAULT "/serviceaccounts/x/token", "{\"spec\":{}}", NULL), 201);
    char *token = answer_text(f, "status.token");
    assert_int_equal(ask(f, "GET", DEFAULT "/pods", "", token), 403);
    assert_int_equal(
        ask(f, "POST", RBAC "/namespaces/default/rolebindings",
            "{\"metadata\":{\"name\":\"v\"},\"roleRef\":{\"apiGroup\":\"rbac.authorization.k8s.io\",\"kind\":"
            "\"ClusterRole\",\"name\":\"view\"},\"subjects\":[{\"kind\":\"ServiceAccount\",\"name\":\"x\","
            "\"namespace\":\"default\"}]}",
            NULL),
        201);
    assert_int_equal(ask(f, "GET", DEFAULT "/pods", "", token), 200);
    assert_int_equal(ask(f, "GET", DEFAULT "/secrets", "", token), 403);
    assert_int_equal(ask(f, "GET", "/api/v1/namespaces/kube-system/pods", "", token), 403);
    assert_int_equal(ask(f, "POST", "/apis/authentication.k8s.io/v1/selfsubjectreviews", "{}", token), 201);
    char *name = answer_text(f, "status.userInfo.username");
    assert_string_equal(name, "system:serviceaccount:default:x");
    mem_free(name);
    assert_int_equal(ask(f, "DELETE", DEFAULT "/serviceaccounts/x", "", NULL), 200);
    assert_int_equal(ask(f, "GET", DEFAULT "/pods", "", token), 401);
    mem_free(token);
}

/* Others prove our tokens with what the issuer publishes: the key that a token names is there. */
static void test_issuer(void **state)
{
    struct fixture *f = *state;
    struct buf head = {0};
    struct json_doc *d = json_doc_new();
    struct json *set, *named;
    assert_int_equal(ask(f, "POST", DEFAULT "/serviceaccounts", "{\"metadata\":{\"name\":\"y\"}}", NULL), 201);
    assert_int_equal(ask(f, "POST", DEFAULT "/serviceaccounts/y/token", "{\"spec\":{}}", NULL), 201);
    char *token = answer_text(f, "status.token");
    assert_ok(base64_decode(slice_of(token, strcspn(token, ".")), &head));
    assert_ok(json_parse(d, buf_slice(&head), &named, NULL));
    assert_int_equal(ask(f, "GET", "/.well-known/openid-configuration", "", token),
                     200); /* accounts may, by their role */
    char *issuer = answer_text(f, "issuer"), *keys = answer_text(f, "jwks_uri");
    assert_string_equal(issuer, "https://kubernetes.default.svc.cluster.local");
    assert_string_equal(keys, "https://kubernetes.default.svc.cluster.local/openid/v1/jwks");
    assert_int_equal(ask(f, "GET", "/openid/v1/jwks/", "", token), 200);
    assert_ok(json_parse(d, buf_slice(&f->answer), &set, NULL));
    const struct json *key = json_element(json_get(set, "keys"), 0);
    assert_true(slice_equal(json_string_at(key, "kid"), json_string_at(named, "kid")));
    assert_true(slice_equal(json_string_at(key, "alg"), json_string_at(named, "alg")));
    assert_true(slice_is(json_string_at(key, "kty"), "EC") && slice_is(json_string_at(key, "crv"), "P-256"));
    assert_int_equal(json_string_at(key, "x").size, 43); /* 32 bytes */
    assert_int_equal(json_string_at(key, "y").size, 43);
    assert_int_equal(ask(f, "POST", "/openid/v1/jwks", "", NULL), 404);
    json_doc_free(d);
    buf_release(&head);
    mem_free(token);
    mem_free(issuer);
    mem_free(keys);
}

/* Whoever has `admin` in a namespace may hand out what he holds there, and no more. */
static void test_escalation(void **state)
{
    struct fixture *f = *state;
    const char *bindings = RBAC "/namespaces/default/rolebindings", *roles = RBAC "/namespaces/default/roles";
    assert_int_equal(ask(f, "POST", DEFAULT "/serviceaccounts", "{\"metadata\":{\"name\":\"x\"}}", NULL), 201);
    assert_int_equal(ask(f, "POST", DEFAULT "/serviceaccounts/x/token", "{\"spec\":{}}", NULL), 201);
    char *token = answer_text(f, "status.token");
    assert_int_equal(ask(f, "POST", bindings, ROLE_BINDING("a", "admin"), NULL), 201);
    assert_int_equal(ask(f, "POST", bindings, ROLE_BINDING("b", "view"), token), 201);
    assert_int_equal(ask(f, "POST", bindings, ROLE_BINDING("c", "cluster-admin"), token), 403);
    assert_non_null(strstr(f->answer.data, "is attempting to grant RBAC permissions not currently held"));
    assert_int_equal(ask(f, "POST", roles,
                         "{\"metadata\":{\"name\":\"r\"},\"rules\":[{\"apiGroups\":[\"\"],\"resources\":[\"pods\"],"
                         "\"verbs\":[\"get\"]}]}",
                         token),
                     201);
    assert_int_equal(ask(f, "POST", roles,
                         "{\"metadata\":{\"name\":\"s\"},\"rules\":[{\"apiGroups\":[\"*\"],\"resources\":[\"*\"],"
                         "\"verbs\":[\"*\"]}]}",
                         token),
                     403);
    mem_free(token);
}

static void test_claims_of_services(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(ask(f, "GET", DEFAULT "/services/kubernetes", "", NULL), 200);
    char *address = answer_text(f, "spec.clusterIP");
    assert_string_equal(address, "10.96.0.1");
    mem_free(address);
    const char *one = "{\"metadata\":{\"name\":\"a\"},\"spec\":{\"type\":\"NodePort\",\"clusterIP\":\"10.96.0.10\","
                      "\"ports\":[{\"port\":80,\"nodePort\":30080}]}}";
    const char *same_port = "{\"metadata\":{\"name\":\"b\"},\"spec\":{\"type\":\"NodePort\",\"ports\":[{\"port\":80,"
                            "\"nodePort\":30080}]}}";
    const char *same_ip = "{\"metadata\":{\"name\":\"b\"},\"spec\":{\"clusterIP\":\"10.96.0.10\",\"ports\":[{\"port\":"
                          "80}]}}";
    assert_int_equal(ask(f, "POST", DEFAULT "/services", one, NULL), 201);
    assert_int_equal(ask(f, "POST", DEFAULT "/services", one, NULL), 409);
    assert_int_equal(ask(f, "POST", DEFAULT "/services", same_port, NULL), 422);
    assert_non_null(strstr(f->answer.data, "spec.ports[0].nodePort: Invalid value: 30080: provided port is already "
                                           "allocated"));
    assert_int_equal(ask(f, "POST", DEFAULT "/services", same_ip, NULL), 422);
    assert_int_equal(ask(f, "DELETE", DEFAULT "/services/a", "", NULL), 200);
    assert_int_equal(ask(f, "POST", DEFAULT "/services", same_port, NULL), 201);
    assert_int_equal(ask(f, "DELETE", DEFAULT "/services/b", "", NULL), 200);
    assert_int_equal(ask(f, "POST", DEFAULT "/services", same_ip, NULL), 201);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_jwt),
        cmocka_unit_test(test_base64),
        cmocka_unit_test_setup_teardown(test_account_token, setup, teardown),
        cmocka_unit_test_setup_teardown(test_pod_waits_for_its_account, setup, teardown),
        cmocka_unit_test_setup_teardown(test_issuer, setup, teardown),
        cmocka_unit_test_setup_teardown(test_escalation, setup, teardown),
        cmocka_unit_test_setup_teardown(test_claims_of_services, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
