/* Who may only be one of two, and who may not at all: evictions at once through two apiservers, signers of
 * certificates. */
#include "tests/unit/api_fixture.h"

#define PODS "/api/v1/namespaces/default/pods"
#define PDBS "/apis/policy/v1/namespaces/default/poddisruptionbudgets"
#define CSRS "/apis/certificates.k8s.io/v1/certificatesigningrequests"
#define RBAC "/apis/rbac.authorization.k8s.io/v1"
#define INTERLEAVINGS 60 /* more than the steps of an eviction */

/* --- evictions --- */

static void ask_for(struct fixture *f, int status, const char *body, const char *format, ...) PRINTF_ARGS(4, 5);
static void ask_for(struct fixture *f, int status, const char *body, const char *format, ...)
{
    char line[256];
    va_list args;
    va_start(args, format);
    (void)vsnprintf(line, sizeof line, format, args); /* fits */
    va_end(args);
    int seen = ask(f, line, body, NULL, NULL);
    if (seen != status)
        fail_msg("%s: %d", line, seen);
}

static void ready_pod(struct fixture *f, const char *name, int group)
{
    char body[256];
    (void)snprintf(body, sizeof body,
                   "{\"metadata\":{\"name\":\"%s-%d\",\"labels\":{\"group\":\"%d\"}},\"spec\":{\"nodeName\":\"n\","
                   "\"containers\":[{"
                   "\"name\":\"a\",\"image\":\"b\"}]}}",
                   name, group, group); /* fits */
    ask_for(f, 201, body, "POST " PODS);
    ask_for(f, 200, "{\"status\":{\"phase\":\"Running\",\"conditions\":[{\"type\":\"Ready\",\"status\":\"True\"}]}}",
            "PATCH " PODS "/%s-%d/status", name, group);
}

/* Two pods, and a budget that lets one of them go. */
static void make_group(struct fixture *f, int group)
{
    char body[256];
    ready_pod(f, "a", group);
    ready_pod(f, "b", group);
    (void)snprintf(body, sizeof body,
                   "{\"metadata\":{\"name\":\"guard-%d\"},\"spec\":{\"minAvailable\":1,\"selector\":{\"matchLabels\":{"
                   "\"group\":\"%d\"}}}}",
                   group, group); /* fits */
    ask_for(f, 201, body, "POST " PDBS);
    ask_for(f, 200,
            "{\"status\":{\"observedGeneration\":1,\"disruptionsAllowed\":1,\"currentHealthy\":2,\"desiredHealthy\":1,"
            "\"expectedPods\":2}}",
            "PATCH " PDBS "/guard-%d/status", group);
}

static void begin_eviction(struct apiserver *api, struct client *c, const char *name, int group)
{
    char line[128], body[128];
    (void)snprintf(line, sizeof line, "POST " PODS "/%s-%d/eviction", name, group); /* fits */
    (void)snprintf(body, sizeof body,
                   "{\"apiVersion\":\"policy/v1\",\"kind\":\"Eviction\",\"metadata\":{\"name\":\"%s-%d\"}}", name,
                   group); /* fits */
    client_hand(api, c, line, "application/json", NULL, slice_str(body));
}

static bool is_going(struct fixture *f, const char *name, int group, struct json_doc *d)
{
    char line[128];
    struct json *v;
    (void)snprintf(line, sizeof line, "GET " PODS "/%s-%d", name, group); /* fits */
    assert_int_equal(ask(f, line, "", d, &v), 200);
    return json_at(v, "metadata.deletionTimestamp") != NULL;
}

/* The second begins so many steps after the first. Whoever comes second is refused with the budget's cause, and its pod
 * stays. */
static void race(struct fixture *f, struct apiserver *second, int steps)
{
    struct client x = {.status = 0}, y = {.status = 0};
    struct json_doc *d = json_doc_new();
    struct json *v;
    make_group(f, steps);
    direct_run_ms(&f->d, 100);
    begin_eviction(f->api, &x, "a", steps);
    for (int i = 0; i < steps && direct_step(&f->d, f->d.now_ms); i++) {
    }
    begin_eviction(second, &y, "b", steps);
    direct_run_ms(&f->d, 1000);
    assert_true(x.answered && y.answered);
    if (x.status + y.status != 201 + 429)
        fail_msg("%d steps apart: %d and %d, %s %s", steps, x.status, y.status, x.answer.data, y.answer.data);
    const struct client *refused = x.status == 429 ? &x : &y;
    assert_non_null(strstr(refused->answer.data, "\"reason\":\"DisruptionBudget\""));
    assert_non_null(strstr(refused->answer.data, "Cannot evict pod as it would violate the pod's disruption budget."));
    assert_int_equal(is_going(f, "a", steps, d), x.status == 201);
    assert_int_equal(is_going(f, "b", steps, d), y.status == 201);
    char line[128];
    (void)snprintf(line, sizeof line, "GET " PDBS "/guard-%d", steps); /* fits */
    assert_int_equal(ask(f, line, "", d, &v), 200);
    assert_int_equal(json_int_at(v, "status.disruptionsAllowed", -1), 0);
    assert_int_equal(json_size(json_at(v, "status.disruptedPods")), 1);
    client_release(&x);
    client_release(&y);
    json_doc_free(d);
}

static void two_evictions_at_once(void **state)
{
    struct fixture *f = *state;
    struct apiserver *second = NULL;
    bool closed = false;
    struct apiserver_options o = {.store = (struct store_client *)&f->d};
    assert_ok(apiserver_new(&f->d.env, &o, &second, NULL));
    direct_run_ms(&f->d, 1000);
    for (int steps = 0; steps < INTERLEAVINGS; steps++)
        race(f, second, steps);
    apiserver_close(second, on_closed, &closed);
    direct_run_ms(&f->d, 100);
    assert_true(closed);
}

/* --- signers --- */

static void grant(struct fixture *f, const char *user, const char *verb, const char *signer)
{
    char body[640];
    (void)snprintf(
        body, sizeof body,
        "{\"metadata\":{\"name\":\"%s\"},\"rules\":[{\"apiGroups\":[\"certificates.k8s.io\"],\"resources\":["
        "\"certificatesigningrequests/approval\",\"certificatesigningrequests/"
        "status\"],\"verbs\":[\"update\",\"patch\"]}"
        ",{\"apiGroups\":[\"certificates.k8s.io\"],\"resources\":[\"signers\"],\"resourceNames\":[\"%s\"],\"verbs\":["
        "\"%s\"]}]}",
        user, signer, verb); /* fits */
    ask_for(f, 201, body, "POST " RBAC "/clusterroles");
    (void)snprintf(body, sizeof body,
                   "{\"metadata\":{\"name\":\"%s\"},\"roleRef\":{\"apiGroup\":\"rbac.authorization.k8s.io\",\"kind\":"
                   "\"ClusterRole\","
                   "\"name\":\"%s\"},\"subjects\":[{\"apiGroup\":\"rbac.authorization.k8s.io\",\"kind\":\"User\","
                   "\"name\":\"%s\"}]}",
                   user, user, user); /* fits */
    ask_for(f, 201, body, "POST " RBAC "/clusterrolebindings");
}

static void as_user(struct fixture *f, const char *user, const char *line, const char *body, int status,
                    const char *text)
{
    struct client c = {.status = 0};
    (void)snprintf(c.peer.common_name, sizeof c.peer.common_name, "%s", user); /* fits */
    client_send(f, &c, line, "application/json", "application/merge-patch+json", slice_str(body));
    assert_true(c.answered);
    if (c.status != status)
        fail_msg("%s, %s: %d: %s", user, line, c.status, c.answer.data);
    assert_non_null(strstr(c.answer.data, text));
    client_release(&c);
}

static void signers(void **state)
{
    struct fixture *f = *state;
    static const char approve[] = "PATCH " CSRS "/c/approval", status[] = "PATCH " CSRS "/c/status";
    static const char approved[] =
        "{\"status\":{\"conditions\":[{\"type\":\"Approved\",\"status\":\"True\",\"reason\":\"r\"}]}}";
    static const char failed[] =
        "{\"status\":{\"conditions\":[{\"type\":\"Approved\",\"status\":\"True\",\"reason\":\"r\"},{\"type\":"
        "\"Failed\",\"status\":\"True\",\"reason\":\"r\"}]}}";
    static const char csr[] = /* of an EC key, for CN=x */
        "{\"metadata\":{\"name\":\"c\"},\"spec\":{\"signerName\":\"example.com/s\",\"usages\":[\"client "
        "auth\"],\"request\":"
        "\"LS0tLS1CRUdJTiBDRVJUSUZJQ0FURSBSRVFVRVNULS0tLS0KTUlIRk1HNENBUUF3RERFS01BZ0dBMVVFQXd3QmVEQlpNQk1HQnlx"
        "R1NNNDlBZ0VHQ0NxR1NNNDlBd0VIQTBJQQpCSVZYbTlDNXFKM0dmUi9iSWV2M0NrdE9vLzNIYjZpbXRjUWZQeVQ5T2tkdlluMmVa"
        "cWFxRi9FeXFtNVVFUldMCkJjVno1dklBaVVxSDBFWk9ZMkpHci8yZ0FEQUtCZ2dxaGtqT1BRUURBZ05IQURCRUFpQjZMOUdSTDdw"
        "NVhCZXUKR1hQTitLR0hFdXV3OUZxZ0NnRm5ISjRublZDbHhnSWdPT21MR3dVQ0d0Y0MzZnhnNnFDSkZkNyt0Z3FrdDd2eQpzYkov"
        "OFN1OS9qWT0KLS0tLS1FTkQgQ0VSVElGSUNBVEUgUkVRVUVTVC0tLS0tCg==\"}}";
    ask_for(f, 201, csr, "POST " CSRS);
    grant(f, "nobody", "approve", "example.com/other");
    grant(f, "approver", "approve", "example.com/s");
    grant(f, "signer", "sign", "example.com/*");
    static const char no_approval[] = "\"message\":\"certificatesigningrequests.certificates.k8s.io \\\"c\\\" is "
                                      "forbidden: user not permitted to approve requests "
                                      "with signerName \\\"example.com/s\\\"\",\"reason\":\"Forbidden\"";
    static const char no_signing[] = "\"message\":\"certificatesigningrequests.certificates.k8s.io \\\"c\\\" is "
                                     "forbidden: user not permitted to sign requests "
                                     "with signerName \\\"example.com/s\\\"\",\"reason\":\"Forbidden\"";
    as_user(f, "stranger", approve, approved, 403, "cannot patch resource \\\"certificatesigningrequests/approval\\\"");
    as_user(f, "nobody", approve, approved, 403, no_approval);
    as_user(f, "signer", approve, approved, 403, no_approval);
    as_user(f, "nobody", status, failed, 403, no_signing);
    as_user(f, "approver", approve, approved, 200, "\"type\":\"Approved\"");
    as_user(f, "approver", status, failed, 403, no_signing);
    as_user(f, "nobody", status, "{}", 200, "\"type\":\"Approved\""); /* which changes nothing */
    as_user(f, "signer", status, failed, 200, "\"type\":\"Failed\"");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(two_evictions_at_once, setup, teardown),
        cmocka_unit_test_setup_teardown(signers, setup, teardown),
    };
    return RUN_TESTS(tests);
}
