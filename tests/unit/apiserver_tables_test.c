/* The table engine: quantities, selectors, decoding, defaults, validation, protobuf bodies, patches, storage keys. */
#include "tests/support/json_text.h"

#include "apiserver/columns.h"
#include "apiserver/kinds/kinds.h"
#include "apiserver/patch.h"
#include "apiserver/proto.h"
#include "apiserver/schema.h"
#include "apiserver/watch_cache.h"
#include "common/buf.h"
#include "common/kube/quantity.h"
#include "common/kube/selector.h"

static void assert_json(const struct json *v, const char *text)
{
    struct buf out = {0};
    json_print(v, &out);
    assert_string_equal(out.data, text);
    buf_release(&out);
}

static void test_quantity_canonical(void **state)
{
    (void)state;
    static const struct {
        const char *in, *out;
    } cases[] = {
        {"1000m", "1"},
        {"0.5", "500m"},
        {"1024Mi", "1Gi"},
        {"1e3", "1e3"},
        {"1500m", "1500m"},
        {"0", "0"},
        {"100Ki", "100Ki"},
        {"1.5Gi", "1536Mi"},
        {"2000", "2k"},
        {"0.1", "100m"},
        {"123456789", "123456789"},
        {"-1", "-1"},
        {"1E", "1E"},
        {"512Ki", "512Ki"},
        {"1000k", "1M"},
        {"0.001", "1m"},
        {"1u", "1u"},
        {"0.5Ki", "512"},
        {"+5", "5"},
        {".5", "500m"},
        {"12e6", "12e6"},
        {"1Ei", "1Ei"},
        {"0.0000000001", "1n"},
        {"110", "110"},
        {"3900Mi", "3900Mi"},
        {"250m", "250m"},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct quantity q;
        struct buf out = {0};
        assert_ok(quantity_parse(slice_str(cases[i].in), &q, NULL));
        quantity_print(q, &out);
        assert_string_equal(out.data, cases[i].out);
        buf_release(&out);
    }
    static const char *const bad[] = {"", "m", "1.2.3", "1x", "abc", "1 Gi", "--1", "1e", "Gi", "1ee3"};
    for (size_t i = 0; i < ARRAY_LEN(bad); i++)
        assert_int_equal(quantity_parse(slice_str(bad[i]), &(struct quantity){.nano = 0}, NULL), ERR_INVALID);
}

static void test_quantity_values(void **state)
{
    (void)state;
    struct quantity a, b;
    assert_ok(quantity_parse(SLICE("1Gi"), &a, NULL));
    assert_ok(quantity_parse(SLICE("1073741824"), &b, NULL));
    assert_int_equal(quantity_compare(a, b), 0);
    assert_int_equal(quantity_value(a), 1073741824);
    assert_ok(quantity_parse(SLICE("250m"), &a, NULL));
    assert_int_equal(quantity_milli(a), 250);
    assert_int_equal(quantity_value(a), 1);
    assert_ok(quantity_parse(SLICE("99999999999999999999E"), &a, NULL));
    assert_int_equal(quantity_value(a), INT64_MAX);
}

static void test_selectors(void **state)
{
    (void)state;
    static const struct {
        const char *text, *labels;
        bool matches;
    } cases[] = {
        {"a=b", "{\"a\":\"b\"}", true},
        {"a==b,c", "{\"a\":\"b\",\"c\":\"\"}", true},
        {"a!=b", "{}", true},
        {"a!=b", "{\"a\":\"b\"}", false},
        {"a in (x, y)", "{\"a\":\"y\"}", true},
        {"a notin (x,y)", "{\"a\":\"y\"}", false},
        {"a notin (x)", "{}", true},
        {"!a", "{}", true},
        {"!a", "{\"a\":\"1\"}", false},
        {"a", "{\"b\":\"1\"}", false},
        {"", "{}", true},
        {"a in (b),!c", "{\"a\":\"b\"}", true},
    };
    struct json_doc *d = json_doc_new();
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct selector s = {0};
        assert_ok(selector_parse_labels(slice_str(cases[i].text), &s, NULL));
        assert_int_equal(selector_matches_json(&s, parse(d, cases[i].labels)), cases[i].matches);
        selector_release(&s);
    }
    static const char *const bad[] = {"a in x", "=b", "a,,b", "a in (x", "a=b,", "(", "!"};
    for (size_t i = 0; i < ARRAY_LEN(bad); i++)
        assert_int_equal(selector_parse_labels(slice_str(bad[i]), &(struct selector){0}, NULL), ERR_BAD_REQUEST);
    struct selector s = {0};
    assert_ok(selector_parse_fields(SLICE("spec.nodeName=n1,status.phase!=Failed"), &s, NULL));
    assert_string_equal(selector_required(&s, "spec.nodeName"), "n1");
    selector_release(&s);
    json_doc_free(d);
}

/* What kubectl 1.32 sends for: create deployment w --image=keelson/demo:1 */
static const unsigned char create_deployment[] = {
    0x6b, 0x38, 0x73, 0x00, 0x0a, 0x15, 0x0a, 0x07, 0x61, 0x70, 0x70, 0x73, 0x2f, 0x76, 0x31, 0x12, 0x0a, 0x44, 0x65,
    0x70, 0x6c, 0x6f, 0x79, 0x6d, 0x65, 0x6e, 0x74, 0x12, 0xab, 0x01, 0x0a, 0x1b, 0x0a, 0x01, 0x77, 0x12, 0x00, 0x1a,
    0x00, 0x22, 0x00, 0x2a, 0x00, 0x32, 0x00, 0x38, 0x00, 0x42, 0x00, 0x5a, 0x08, 0x0a, 0x03, 0x61, 0x70, 0x70, 0x12,
    0x01, 0x77, 0x12, 0x7e, 0x08, 0x01, 0x12, 0x0a, 0x0a, 0x08, 0x0a, 0x03, 0x61, 0x70, 0x70, 0x12, 0x01, 0x77, 0x1a,
    0x66, 0x0a, 0x1a, 0x0a, 0x00, 0x12, 0x00, 0x1a, 0x00, 0x22, 0x00, 0x2a, 0x00, 0x32, 0x00, 0x38, 0x00, 0x42, 0x00,
    0x5a, 0x08, 0x0a, 0x03, 0x61, 0x70, 0x70, 0x12, 0x01, 0x77, 0x12, 0x48, 0x12, 0x2a, 0x0a, 0x04, 0x64, 0x65, 0x6d,
    0x6f, 0x12, 0x0e, 0x6b, 0x65, 0x65, 0x6c, 0x73, 0x6f, 0x6e, 0x2f, 0x64, 0x65, 0x6d, 0x6f, 0x3a, 0x31, 0x2a, 0x00,
    0x42, 0x00, 0x6a, 0x00, 0x72, 0x00, 0x80, 0x01, 0x00, 0x88, 0x01, 0x00, 0x90, 0x01, 0x00, 0xa2, 0x01, 0x00, 0x1a,
    0x00, 0x32, 0x00, 0x42, 0x00, 0x4a, 0x00, 0x52, 0x00, 0x58, 0x00, 0x60, 0x00, 0x68, 0x00, 0x82, 0x01, 0x00, 0x8a,
    0x01, 0x00, 0x9a, 0x01, 0x00, 0xc2, 0x01, 0x00, 0x22, 0x02, 0x0a, 0x00, 0x28, 0x00, 0x38, 0x00, 0x1a, 0x0c, 0x08,
    0x00, 0x10, 0x00, 0x18, 0x00, 0x20, 0x00, 0x28, 0x00, 0x38, 0x00, 0x1a, 0x00, 0x22, 0x00,
};

static void test_protobuf_deployment(void **state)
{
    (void)state;
    struct proto_envelope e;
    struct json_doc *d = json_doc_new();
    struct json *raw, *clean;
    struct strict strict = {.count = 0};
    assert_ok(proto_open(slice_of(create_deployment, sizeof create_deployment), &e, NULL));
    assert_slice_equal(e.api_version, "apps/v1");
    assert_slice_equal(e.kind, "Deployment");
    assert_ok(proto_decode(d, kind_deployment.type, e.raw, &raw, NULL));
    assert_ok(schema_decode(d, kind_deployment.type, raw, &strict, &clean, NULL));
    assert_int_equal(strict.count, 0);
    assert_json(clean, "{\"metadata\":{\"name\":\"w\",\"creationTimestamp\":null,\"labels\":{\"app\":\"w\"}},"
                       "\"spec\":{\"replicas\":1,\"selector\":{\"matchLabels\":{\"app\":\"w\"}},\"template\":{"
                       "\"metadata\":{\"creationTimestamp\":null,"
                       "\"labels\":{\"app\":\"w\"}},\"spec\":{\"containers\":[{\"name\":\"demo\",\"image\":\"keelson/"
                       "demo:1\",\"resources\":{}}]}},"
                       "\"strategy\":{}},\"status\":{}}");
    json_doc_free(d);
}

/* Every cut and every flipped byte is an error or a value, never a crash. */
static void test_protobuf_damage(void **state)
{
    (void)state;
    unsigned char bytes[sizeof create_deployment];
    for (size_t n = 0; n < sizeof bytes; n++) {
        for (unsigned flip = 0; flip < 256; flip += 51) {
            memcpy(bytes, create_deployment, sizeof bytes);
            bytes[n] ^= (unsigned char)flip;
            struct proto_envelope e;
            struct json_doc *d = json_doc_new();
            struct json *v, *clean;
            if (proto_open(slice_of(bytes, flip == 0 ? n : sizeof bytes), &e, NULL) == 0 &&
                proto_decode(d, kind_deployment.type, e.raw, &v, NULL) == 0)
                (void)schema_decode(d, kind_deployment.type, v, NULL, &clean, NULL); /* either way is fine */
            json_doc_free(d);
        }
    }
}

static void test_unknown_and_wrong_fields(void **state)
{
    (void)state;
    struct json_doc *d = json_doc_new();
    struct json *out;
    struct strict strict = {.count = 0};
    struct err why;
    assert_ok(schema_decode(d, kind_pod.type,
                            parse(d, "{\"spec\":{\"containers\":[{\"name\":\"a\",\"foo\":1}],\"bar\":2}}"), &strict,
                            &out, NULL));
    assert_int_equal(strict.count, 2);
    assert_string_equal(strict.texts[0], "unknown field \"spec.containers[0].foo\"");
    assert_string_equal(strict.texts[1], "unknown field \"spec.bar\"");
    strict_release(&strict);
    assert_int_equal(
        schema_decode(d, kind_deployment.type, parse(d, "{\"spec\":{\"replicas\":\"x\"}}"), NULL, &out, &why),
        ERR_BAD_REQUEST);
    assert_string_equal(
        why.message, "json: cannot unmarshal string into Go struct field DeploymentSpec.spec.replicas of type int32");
    json_doc_free(d);
}

/* In the order of the document; of two of one name the last counts, as in Go, where null is something for pointers,
 * lists and maps only, and objects are decoded one into the other; a wrong type is told alone. */
static void test_repeated_fields(void **state)
{
    static const char *const told[] = {
        "duplicate field \"metadata.labels.a\"", "unknown field \"metadata.x\"",
        "duplicate field \"spec.replicas\"",     "duplicate field \"spec.replicas\"",
        "duplicate field \"spec.paused\"",       "unknown field \"spec.template.spec.volumes[0].y\""};
    struct json_doc *d = json_doc_new();
    struct json *out = NULL;
    struct strict strict = {.count = 0};
    struct err why;
    (void)state;
    assert_ok(schema_decode(
        d, kind_deployment.type,
        parse(d, "{\"metadata\":{\"labels\":{\"a\":\"1\",\"b\":\"2\",\"a\":\"3\"},\"x\":{\"x\":1,\"x\":2}},"
                 "\"spec\":{\"replicas\":1,\"replicas\":2,\"replicas\":null,\"paused\":true,\"paused\":null,"
                 "\"template\":{\"spec\":{\"volumes\":["
                 "{\"secret\":{\"secretName\":\"s\"},\"y\":1,\"name\":\"v\"}]}}}}"),
        &strict, &out, NULL));
    assert_int_equal(strict.count, ARRAY_LEN(told));
    for (size_t i = 0; i < ARRAY_LEN(told); i++)
        assert_string_equal(strict.texts[i], told[i]);
    assert_null(json_at(out, "spec.replicas"));
    assert_true(json_bool_at(out, "spec.paused", false));
    assert_slice_equal(json_string_at(out, "metadata.labels.a"), "3");
    const struct json *volume = json_element(json_at(out, "spec.template.spec.volumes"), 0);
    assert_slice_equal(json_string_at(volume, "secret.secretName"), "s");
    strict_release(&strict);
    assert_int_equal(
        schema_decode(d, kind_deployment.type, parse(d, "{\"z\":1,\"spec\":{\"paused\":3}}"), &strict, &out, &why),
        ERR_BAD_REQUEST);
    assert_int_equal(strict.count, 0);
    assert_string_equal(why.message,
                        "json: cannot unmarshal number into Go struct field DeploymentSpec.spec.paused of type bool");
    json_doc_free(d);
}

static void test_canonical_form(void **state)
{
    (void)state;
    struct json_doc *d = json_doc_new();
    struct json *out;
    assert_ok(schema_decode(
        d, kind_configmap.type,
        parse(d, "{\"data\":{\"b\":\"1\",\"a\":\"\"},\"metadata\":{\"labels\":{},\"name\":\"x\",\"uid\":\"\","
                 "\"creationTimestamp\":\"2026-01-02T03:04:05+01:00\"},\"apiVersion\":\"v1\",\"kind\":\"ConfigMap\"}"),
        NULL, &out, NULL));
    assert_json(out, "{\"kind\":\"ConfigMap\",\"apiVersion\":\"v1\",\"metadata\":{\"name\":\"x\",\"creationTimestamp\":"
                     "\"2026-01-02T02:04:05Z\"},"
                     "\"data\":{\"a\":\"\",\"b\":\"1\"}}");
    json_doc_free(d);
}

static void test_workload_texts(void **state)
{
    (void)state;
    struct json_doc *d = json_doc_new();
    struct json *v;
    struct check c = {.count = 0};
    struct buf text = {0};
    assert_ok(schema_decode(
        d, kind_deployment.type,
        parse(d, "{\"metadata\":{\"name\":\"w\"},\"spec\":{\"replicas\":-1,\"selector\":{\"matchLabels\":{\"app\":"
                 "\"a\"}},\"template\":"
                 "{\"metadata\":{\"labels\":{\"app\":\"b\"}},\"spec\":{\"containers\":[{\"image\":\"\"}]}}}}"),
        NULL, &v, NULL));
    schema_default(d, kind_deployment.type, v);
    schema_check(&c, kind_deployment.type, v);
    check_message(&c, &text);
    assert_string_equal(text.data, "[spec.replicas: Invalid value: -1: must be greater than or equal to 0, "
                                   "spec.template.spec.containers[0].name: Required value, "
                                   "spec.template.spec.containers[0].image: Required value, "
                                   "spec.template.metadata.labels: Invalid value: map[string]string{\"app\":\"b\"}: "
                                   "`selector` does not match template `labels`]");
    buf_release(&text);
    check_clear(&c);
    json_doc_free(d);
}

static void strategic(const char *target, const char *patch, const char *wanted)
{
    struct json_doc *d = json_doc_new();
    struct json *out;
    struct err why;
    if (patch_strategic(d, kind_pod.type, parse(d, target), parse(d, patch), &out, &why) != 0)
        fail_msg("%s: %s", patch, why.message);
    assert_json(out, wanted);
    json_doc_free(d);
}

static void test_strategic_merge(void **state)
{
    (void)state;
    strategic("{\"spec\":{\"containers\":[{\"name\":\"a\",\"image\":\"1\"},{\"name\":\"b\"}]}}",
              "{\"spec\":{\"containers\":[{\"name\":\"a\",\"image\":\"2\"},{\"name\":\"c\"}]}}",
              "{\"spec\":{\"containers\":[{\"name\":\"a\",\"image\":\"2\"},{\"name\":\"b\"},{\"name\":\"c\"}]}}");
    strategic("{\"spec\":{\"containers\":[{\"name\":\"a\"},{\"name\":\"b\"}]}}",
              "{\"spec\":{\"containers\":[{\"name\":\"a\",\"$patch\":\"delete\"}]}}",
              "{\"spec\":{\"containers\":[{\"name\":\"b\"}]}}");
    strategic("{\"spec\":{\"containers\":[{\"name\":\"a\"},{\"name\":\"b\"}]}}",
              "{\"spec\":{\"$setElementOrder/"
              "containers\":[{\"name\":\"b\"},{\"name\":\"a\"}],\"containers\":[{\"name\":\"b\",\"image\":\"x\"}]}}",
              "{\"spec\":{\"containers\":[{\"name\":\"b\",\"image\":\"x\"},{\"name\":\"a\"}]}}");
    strategic("{\"metadata\":{\"finalizers\":[\"a\",\"b\"]}}",
              "{\"metadata\":{\"$deleteFromPrimitiveList/finalizers\":[\"a\"],\"finalizers\":[\"c\"]}}",
              "{\"metadata\":{\"finalizers\":[\"b\",\"c\"]}}");
    strategic("{\"spec\":{\"tolerations\":[{\"key\":\"a\"}],\"nodeSelector\":{\"x\":\"y\"}}}",
              "{\"spec\":{\"tolerations\":null,\"nodeSelector\":{\"$patch\":\"replace\",\"z\":\"1\"}}}",
              "{\"spec\":{\"nodeSelector\":{\"z\":\"1\"}}}");
    strategic("{\"spec\":{\"volumes\":[{\"name\":\"v\",\"emptyDir\":{}}]}}",
              "{\"spec\":{\"volumes\":[{\"name\":\"v\",\"$retainKeys\":[\"name\",\"hostPath\"],\"hostPath\":{\"path\":"
              "\"/x\"}}]}}",
              "{\"spec\":{\"volumes\":[{\"name\":\"v\",\"hostPath\":{\"path\":\"/x\"}}]}}");
    struct json_doc *d = json_doc_new();
    struct json *out;
    struct err why;
    assert_int_equal(patch_strategic(d, kind_pod.type, parse(d, "{}"),
                                     parse(d, "{\"spec\":{\"containers\":[{\"image\":\"x\"}]}}"), &out, &why),
                     0);
    assert_int_equal(patch_strategic(d, kind_pod.type, parse(d, "{\"spec\":{\"containers\":[{\"name\":\"a\"}]}}"),
                                     parse(d, "{\"spec\":{\"containers\":[{\"image\":\"x\"}]}}"), &out, &why),
                     ERR_UNEXPLAINED);
    assert_string_equal(why.message, "map: map[image:x] does not contain declared merge key: name");
    json_doc_free(d);
}

static void test_json_patch(void **state)
{
    (void)state;
    struct json_doc *d = json_doc_new();
    struct json *out;
    const struct json *target = parse(d, "{\"a\":[1,2],\"b\":{\"c/d\":1}}");
    assert_ok(patch_json(
        d, target,
        parse(d,
              "[{\"op\":\"add\",\"path\":\"/a/1\",\"value\":9},{\"op\":\"remove\",\"path\":\"/b/c~1d\"},"
              "{\"op\":\"copy\",\"from\":\"/a/0\",\"path\":\"/a/-\"},{\"op\":\"test\",\"path\":\"/a/1\",\"value\":9},"
              "{\"op\":\"move\",\"from\":\"/b\",\"path\":\"/z\"}]"),
        &out, NULL));
    assert_json(out, "{\"a\":[1,9,2,1],\"z\":{}}");
    assert_int_equal(patch_json(d, target, parse(d, "[{\"op\":\"test\",\"path\":\"/a/0\",\"value\":2}]"), &out, NULL),
                     ERR_INVALID);
    assert_int_equal(patch_json(d, target, parse(d, "[{\"op\":\"remove\",\"path\":\"/x/y\"}]"), &out, NULL),
                     ERR_INVALID);
    assert_int_equal(patch_json(d, target, parse(d, "{\"op\":\"remove\"}"), &out, NULL), ERR_BAD_REQUEST);
    json_doc_free(d);
}

static void test_merge_patch(void **state)
{
    (void)state;
    struct json_doc *d = json_doc_new();
    assert_json(patch_merge(d, parse(d, "{\"a\":{\"b\":1,\"c\":2},\"l\":[1]}"),
                            parse(d, "{\"a\":{\"b\":null,\"d\":{\"e\":null}},\"l\":[2]}")),
                "{\"a\":{\"c\":2,\"d\":{}},\"l\":[2]}");
    json_doc_free(d);
}

/* One key per kind: what stands in the store, and what rsctl users type. */
static void test_storage_keys(void **state)
{
    (void)state;
    static const struct {
        const struct kind *kind;
        const char *prefix;
    } keys[] = {
        {&kind_configmap, "configmaps"},
        {&kind_event, "events"},
        {&kind_namespace, "namespaces"},
        {&kind_node, "minions"},
        {&kind_pod, "pods"},
        {&kind_deployment, "deployments"},
        {&kind_replicaset, "replicasets"},
        {&kind_lease, "leases"},
        {&kind_service, "services/specs"},
        {&kind_endpoints, "services/endpoints"},
        {&kind_endpoint_slice, "endpointslices"},
        {&kind_secret, "secrets"},
        {&kind_serviceaccount, "serviceaccounts"},
        {&kind_replicationcontroller, "controllers"},
        {&kind_podtemplate, "podtemplates"},
        {&kind_controllerrevision, "controllerrevisions"},
        {&kind_role, "roles"},
        {&kind_clusterrole, "clusterroles"},
        {&kind_limitrange, "limitranges"},
        {&kind_persistentvolume, "persistentvolumes"},
        {&kind_persistentvolumeclaim, "persistentvolumeclaims"},
        {&kind_resourcequota, "resourcequotas"},
        {&kind_daemonset, "daemonsets"},
        {&kind_statefulset, "statefulsets"},
        {&kind_job, "jobs"},
        {&kind_cronjob, "cronjobs"},
        {&kind_horizontalpodautoscaler, "horizontalpodautoscalers"},
        {&kind_poddisruptionbudget, "poddisruptionbudgets"},
        {&kind_ingress, "ingress"},
        {&kind_ingressclass, "ingressclasses"},
        {&kind_networkpolicy, "networkpolicies"},
        {&kind_csidriver, "csidrivers"},
        {&kind_csinode, "csinodes"},
        {&kind_csistoragecapacity, "csistoragecapacities"},
        {&kind_storageclass, "storageclasses"},
        {&kind_volumeattachment, "volumeattachments"},
        {&kind_priorityclass, "priorityclasses"},
        {&kind_runtimeclass, "runtimeclasses"},
        {&kind_certificatesigningrequest, "certificatesigningrequests"},
        {&kind_validatingadmissionpolicy, "validatingadmissionpolicies"},
        {&kind_validatingadmissionpolicybinding, "validatingadmissionpolicybindings"},
        {&kind_mutatingwebhookconfiguration, "mutatingwebhookconfigurations"},
        {&kind_validatingwebhookconfiguration, "validatingwebhookconfigurations"},
        {&kind_customresourcedefinition, "apiextensions.k8s.io/customresourcedefinitions"},
        {&kind_apiservice, "apiregistration.k8s.io/apiservices"},
        {&kind_flowschema, "flowschemas"},
        {&kind_prioritylevelconfiguration, "prioritylevelconfigurations"},
        {&kind_rolebinding, "rolebindings"},
        {&kind_clusterrolebinding, "clusterrolebindings"},
    };
    assert_ok(kinds_check(NULL));
    size_t stored = 0;
    for (const struct kind *const *k = kinds_all(); *k != NULL; k++)
        stored += (*k)->never_stored || (*k)->stored_as != NULL ? 0 : 1;
    assert_int_equal(stored, ARRAY_LEN(keys));
    for (size_t i = 0; i < ARRAY_LEN(keys); i++)
        assert_string_equal(keys[i].kind->storage_prefix, keys[i].prefix);
}

static void test_splice(void **state)
{
    (void)state;
    struct buf out = {0};
    assert_ok(splice_revision(SLICE("{\"kind\":\"a\\\"metadata\",\"metadata\":{\"name\":\"x\"}}"), 7, &out, NULL));
    assert_string_equal(out.data,
                        "{\"kind\":\"a\\\"metadata\",\"metadata\":{\"resourceVersion\":\"7\",\"name\":\"x\"}}");
    buf_reset(&out);
    assert_ok(splice_revision(SLICE("{\"metadata\":{}}"), 7, &out, NULL));
    assert_string_equal(out.data, "{\"metadata\":{\"resourceVersion\":\"7\"}}");
    assert_int_equal(splice_revision(SLICE("{\"spec\":{\"metadata\":{}}}"), 7, &out, NULL), ERR_CORRUPT);
    buf_release(&out);
}

static void test_ages(void **state)
{
    (void)state;
    static const struct {
        int64_t seconds;
        const char *text;
    } cases[] = {{0, "0s"},       {119, "119s"},   {120, "2m"},      {125, "2m5s"},    {599, "9m59s"},
                 {600, "10m"},    {10799, "179m"}, {10800, "3h"},    {12600, "3h30m"}, {28800, "8h"},
                 {172799, "47h"}, {172800, "2d"},  {180000, "2d2h"}, {700000, "8d"},   {63072000, "2y"}};
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        char text[AGE_TEXT_MAX];
        age_text(cases[i].seconds, text);
        assert_string_equal(text, cases[i].text);
    }
}

static void row_is(const char *pod, const char *wanted)
{
    struct json_doc *d = json_doc_new();
    struct buf out = {0};
    columns_row(&kind_pod, parse(d, pod), &(struct column_now){1767323045000}, &out);
    assert_string_equal(out.data, wanted);
    buf_release(&out);
    json_doc_free(d);
}

static void test_pod_rows(void **state)
{
    (void)state;
    row_is("{\"metadata\":{\"name\":\"p\",\"creationTimestamp\":\"2026-01-02T03:00:00Z\"},\"spec\":{\"nodeName\":\"n\","
           "\"containers\":[{}]},\"status\":{\"phase\":\"Running\","
           "\"podIP\":\"10.0.0.1\",\"conditions\":[{\"type\":\"Initialized\",\"status\":\"True\"}],"
           "\"containerStatuses\":[{\"ready\":true,\"restartCount\":1,\"state\":{\"running\":{}},"
           "\"lastState\":{\"terminated\":{\"finishedAt\":\"2026-01-02T03:02:05Z\"}}}]}}",
           "[\"p\",\"1/1\",\"Running\",\"1 (2m ago)\",\"4m5s\",\"10.0.0.1\",\"n\",\"<none>\",\"<none>\"]");
    row_is("{\"metadata\":{\"name\":\"p\"},\"spec\":{\"containers\":[{},{}]},\"status\":{\"phase\":\"Pending\","
           "\"containerStatuses\":[{\"state\":{\"waiting\":{\"reason\":\"ContainerCreating\"}}}]}}",
           "[\"p\",\"0/2\",\"ContainerCreating\",\"0\",\"<unknown>\",\"<none>\",\"<none>\",\"<none>\",\"<none>\"]");
    row_is("{\"metadata\":{\"name\":\"p\"},\"spec\":{\"containers\":[{}],\"initContainers\":[{},{}]},\"status\":{"
           "\"phase\":\"Pending\",\"initContainerStatuses\":["
           "{\"state\":{\"terminated\":{\"exitCode\":0}}},{\"state\":{\"running\":{}}}]}}",
           "[\"p\",\"0/1\",\"Init:1/2\",\"0\",\"<unknown>\",\"<none>\",\"<none>\",\"<none>\",\"<none>\"]");
    row_is("{\"metadata\":{\"name\":\"p\",\"deletionTimestamp\":\"2026-01-02T03:00:00Z\"},\"spec\":{\"containers\":[{}]"
           "},\"status\":{\"phase\":\"Running\"}}",
           "[\"p\",\"0/1\",\"Terminating\",\"0\",\"<unknown>\",\"<none>\",\"<none>\",\"<none>\",\"<none>\"]");
    row_is("{\"metadata\":{\"name\":\"p\"},\"spec\":{\"containers\":[{}]},\"status\":{\"phase\":\"Failed\","
           "\"containerStatuses\":[{\"restartCount\":0,\"state\":{\"terminated\":{\"exitCode\":3,\"reason\":\"Error\"}}"
           "}]}}",
           "[\"p\",\"0/1\",\"Error\",\"0\",\"<unknown>\",\"<none>\",\"<none>\",\"<none>\",\"<none>\"]");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_quantity_canonical),
        cmocka_unit_test(test_quantity_values),
        cmocka_unit_test(test_selectors),
        cmocka_unit_test(test_protobuf_deployment),
        cmocka_unit_test(test_protobuf_damage),
        cmocka_unit_test(test_unknown_and_wrong_fields),
        cmocka_unit_test(test_repeated_fields),
        cmocka_unit_test(test_canonical_form),
        cmocka_unit_test(test_workload_texts),
        cmocka_unit_test(test_strategic_merge),
        cmocka_unit_test(test_json_patch),
        cmocka_unit_test(test_merge_patch),
        cmocka_unit_test(test_storage_keys),
        cmocka_unit_test(test_splice),
        cmocka_unit_test(test_ages),
        cmocka_unit_test(test_pod_rows),
    };
    return RUN_TESTS(tests);
}
