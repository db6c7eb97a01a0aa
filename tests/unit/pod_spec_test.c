#include "tests/test.h"

#include <stdio.h>

#include "nodeagent/image_ref.h"
#include "nodeagent/oci_spec.h"
#include "nodeagent/pod_etc.h"
#include "nodeagent/pod_spec.h"

static const char *lookup(void *arg, struct slice name)
{
    (void)arg;
    return slice_is(name, "A") ? "1" : NULL;
}

static void expands(void **state)
{
    (void)state;
    struct arena arena = {0};
    assert_string_equal(pod_expand(&arena, "x$(A)y", lookup, NULL), "x1y");
    assert_string_equal(pod_expand(&arena, "$$(A) $(B) $(", lookup, NULL), "$(A) $(B) $(");
    assert_string_equal(pod_expand(&arena, "$$$(A)", lookup, NULL), "$1");
    arena_clear(&arena);
}

static void quantities(void **state)
{
    (void)state;
    int64_t v;
    assert_true(pod_quantity_milli(SLICE("250m"), &v) && v == 250);
    assert_true(pod_quantity_milli(SLICE("1"), &v) && v == 1000);
    assert_true(pod_quantity_milli(SLICE("0.5"), &v) && v == 500);
    assert_true(pod_quantity_milli(SLICE("64Mi"), &v) && v == 64LL * 1024 * 1024 * 1000);
    assert_true(pod_quantity_milli(SLICE("1e3"), &v) && v == 1000000);
    assert_false(pod_quantity_milli(SLICE("-1"), &v));
    assert_false(pod_quantity_milli(SLICE("ten"), &v));
    assert_false(pod_quantity_milli(SLICE("0x10"), &v));
    assert_false(pod_quantity_milli(SLICE(""), &v));
    assert_false(pod_quantity_milli(SLICE("1Zi"), &v));
    assert_false(pod_quantity_milli(SLICE("99999999999999999999Ti"), &v));
}

static int parse(const char *text, struct pod **ret, struct err *err) { return pod_parse(slice_str(text), ret, err); }

#define META "\"metadata\":{\"namespace\":\"n\",\"name\":\"p\",\"uid\":\"u\"}"

static void bad_pods(void **state)
{
    (void)state;
    struct pod *p = NULL;
    struct err err;
    assert_true(parse("[]", &p, &err) < 0);
    assert_true(parse("{", &p, &err) < 0);
    assert_int_equal(parse("{" META ",\"spec\":{\"containers\":[]}}", &p, &err), ERR_INVALID);
    assert_int_equal(parse("{" META ",\"spec\":{\"containers\":[{\"name\":\"../x\",\"image\":\"i\"}]}}", &p, &err), ERR_INVALID);
    assert_int_equal(parse("{\"metadata\":{\"name\":\"..\",\"uid\":\"u\"},\"spec\":{\"containers\":[{\"name\":\"a\"}]}}", &p, &err),
                     ERR_INVALID);
    assert_null(p);
}

static enum pod_qos qos(const char *resources)
{
    char text[512];
    struct pod *p;
    struct err err;
    (void)snprintf(text, sizeof text, "{" META ",\"spec\":{\"containers\":[{\"name\":\"a\",\"image\":\"i\",\"resources\":%s}]}}", resources);
    assert_ok(parse(text, &p, &err));
    enum pod_qos class = p->qos;
    pod_free(p);
    return class;
}

static void qos_classes(void **state)
{
    (void)state;
    assert_int_equal(qos("{}"), POD_QOS_BEST_EFFORT);
    assert_int_equal(qos("{\"requests\":{\"cpu\":\"1\"}}"), POD_QOS_BURSTABLE);
    assert_int_equal(qos("{\"limits\":{\"cpu\":\"1\",\"memory\":\"1Gi\"}}"), POD_QOS_GUARANTEED);
    assert_int_equal(qos("{\"limits\":{\"cpu\":\"1\",\"memory\":\"1Gi\"},\"requests\":{\"cpu\":\"500m\"}}"), POD_QOS_BURSTABLE);
}

static void image_references(void **state)
{
    (void)state;
    struct image_ref r;
    assert_ok(image_ref_parse("nginx", &r, NULL));
    assert_string_equal(r.name, "nginx:latest");
    assert_ok(image_ref_parse("docker.io/library/nginx:1.2", &r, NULL));
    assert_string_equal(r.short_name, "nginx:1.2");
    assert_ok(image_ref_parse("localhost:5000/a/b", &r, NULL));
    assert_string_equal(r.name, "localhost:5000/a/b:latest");
    assert_ok(image_ref_parse("10.0.0.1:5000/a:v1", &r, NULL));
    static const char *const bad[] = {"", ":", "a b", "UPPER", "a:", "a//b", "-a", "a@sha256:12", "a:$(x)", "../../etc/passwd", "a:../b"};
    for (size_t i = 0; i < ARRAY_LEN(bad); i++)
        assert_int_equal(image_ref_parse(bad[i], &r, NULL), ERR_INVALID);
}

static void runtime_configuration(void **state)
{
    (void)state;
    struct pod *p;
    struct err err;
    assert_ok(parse("{" META ",\"spec\":{\"hostNetwork\":true,\"containers\":[{\"name\":\"a\",\"image\":\"i\",\"args\":[\"$(X)\",\"$(Y)\"],"
                    "\"env\":[{\"name\":\"X\",\"value\":\"1\"},{\"name\":\"IP\",\"valueFrom\":{\"fieldRef\":{\"fieldPath\":\"status.podIP\"}}}],"
                    "\"resources\":{\"limits\":{\"cpu\":\"250m\",\"memory\":\"64Mi\"}}}]}}", &p, &err));
    struct json_doc *d = json_doc_new();
    struct json *image, *spec;
    assert_ok(json_parse(d, SLICE("{\"config\":{\"Entrypoint\":[\"/run\"],\"Cmd\":[\"ignored\"],\"User\":\"1000:1001\",\"Env\":[\"P=/b\"]}}"), &image, NULL));
    struct oci_spec_options o = {.pod = p, .container = &p->containers[0], .image = image, .cgroup = "/x", .facts = {.pod_ip = "9.9.9.9"},
                                 .hostname = "p", .sandbox_pid = 7, .capabilities = 0xffffffff, .open_files_max = 20000};
    struct buf out = {0};
    assert_ok(oci_spec_build(&o, &out, &err));
    assert_ok(json_parse(d, buf_slice(&out), &spec, NULL));
    assert_slice_equal(json_string(json_element(json_at(spec, "process.args"), 0)), "/run");
    assert_slice_equal(json_string(json_element(json_at(spec, "process.args"), 1)), "1");
    assert_slice_equal(json_string(json_element(json_at(spec, "process.args"), 2)), "$(Y)");
    assert_int_equal(json_size(json_at(spec, "process.args")), 3);
    assert_int_equal(json_int_at(spec, "process.user.uid", 0), 1000);
    assert_int_equal(json_int_at(spec, "linux.resources.cpu.quota", 0), 25000);
    assert_int_equal(json_int_at(spec, "linux.resources.memory.limit", 0), 64 << 20);
    assert_int_equal(json_size(json_at(spec, "linux.namespaces")), 4); /* the node's network */
    assert_non_null(strstr(out.data, "\"IP=9.9.9.9\""));
    buf_release(&out);
    p->containers[0].non_root = true;
    assert_ok(oci_spec_build(&o, &out, &err));
    buf_release(&out);
    p->containers[0].run_as_user = 0;
    assert_int_equal(oci_spec_build(&o, &out, &err), ERR_INVALID);
    assert_non_null(strstr(err.message, "runAsNonRoot"));
    p->containers[0].non_root = false;
    assert_ok(json_parse(d, SLICE("{\"config\":{}}"), &image, NULL));
    p->containers[0].args = NULL;
    o.image = image;
    assert_int_equal(oci_spec_build(&o, &out, &err), ERR_INVALID);
    json_doc_free(d);
    pod_free(p);
}

static void resolver_is(const char *spec, const char *dns, const char *wanted, bool cut)
{
    char text[4096];
    struct pod *p;
    struct err err;
    struct buf out = {0};
    (void)snprintf(text, sizeof text, "{" META ",\"spec\":{%s\"containers\":[{\"name\":\"a\",\"image\":\"i\"}]}}", spec);
    assert_ok(parse(text, &p, &err));
    struct pod_etc_options o = {.pod = p, .address = "1.1.1.1", .cluster_dns = dns, .cluster_domain = "d.l",
                                .node_file = SLICE("# node\nsearch  home\tlan\nnameserver 9.9.9.9\noptions ndots:2 rotate\n")};
    assert_int_equal(pod_resolver_build(&o, &out) != NULL, cut);
    assert_slice_equal(buf_slice(&out), wanted);
    buf_release(&out);
    pod_free(p);
}

static void resolvers(void **state)
{
    (void)state;
    resolver_is("", "10.96.0.10", "nameserver 10.96.0.10\nsearch n.svc.d.l svc.d.l d.l home lan\noptions ndots:5\n", false);
    static const char node[] = "nameserver 9.9.9.9\nsearch home lan\noptions ndots:2 rotate\n";
    resolver_is("", NULL, node, false);
    resolver_is("\"dnsPolicy\":\"Default\",", "10.96.0.10", node, false);
    resolver_is("\"hostNetwork\":true,\"dnsPolicy\":\"ClusterFirst\",", "10.96.0.10", node, false);
    resolver_is("\"dnsPolicy\":\"None\",\"dnsConfig\":{\"nameservers\":[\"1.1.1.1\",\"2.2.2.2\",\"3.3.3.3\",\"4.4.4.4\"],"
                "\"searches\":[\"a.b\",\"evil\\nnameserver\"],\"options\":[{\"name\":\"ndots\",\"value\":\"3\"},{\"name\":\"edns0\"}]},",
                "10.96.0.10", "nameserver 1.1.1.1\nnameserver 2.2.2.2\nnameserver 3.3.3.3\nsearch a.b\noptions ndots:3 edns0\n", true);
    resolver_is("\"dnsConfig\":{\"options\":[{\"name\":\"ndots\",\"value\":\"1\"}]},", NULL,
                "nameserver 9.9.9.9\nsearch home lan\noptions ndots:1 rotate\n", false);
}

static void hosts(void **state)
{
    (void)state;
    struct pod *p;
    struct err err;
    struct buf out = {0};
    assert_ok(parse("{" META ",\"spec\":{\"subdomain\":\"sub\",\"hostAliases\":[{\"ip\":\"7.7.7.7\",\"hostnames\":[\"x\",\"y\"]},{\"hostnames\":[\"z\"]}],"
                    "\"containers\":[{\"name\":\"a\",\"image\":\"i\"}]}}", &p, &err));
    struct pod_etc_options o = {.pod = p, .address = "1.1.1.1", .cluster_domain = "d.l"};
    pod_hosts_build(&o, &out);
    assert_non_null(strstr(out.data, "\n1.1.1.1\tp.sub.n.svc.d.l\tp\n"));
    assert_non_null(strstr(out.data, "\n7.7.7.7\tx\ty\n"));
    assert_null(strstr(out.data, "z"));
    buf_release(&out);
    pod_free(p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(expands),     cmocka_unit_test(quantities),       cmocka_unit_test(bad_pods),
        cmocka_unit_test(qos_classes), cmocka_unit_test(image_references), cmocka_unit_test(runtime_configuration),
        cmocka_unit_test(resolvers),   cmocka_unit_test(hosts),
    };
    return RUN_TESTS(tests);
}
