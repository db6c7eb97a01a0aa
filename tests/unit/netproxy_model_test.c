#include "tests/test.h"

#include "common/json.h"
#include "netproxy/model.h"

#include <stdio.h>

struct input {
    struct json_doc *doc;
    const struct json *services[8], *slices[8];
    size_t service_count, slice_count;
};

static const struct json *parsed(struct input *in, const char *text)
{
    struct json *v;
    assert_ok(json_parse(in->doc, slice_str(text), &v, NULL));
    return v;
}

static void service(struct input *in, const char *name, const char *spec)
{
    char text[1024];
    snprintf(text, sizeof text, "{\"metadata\":{\"name\":\"%s\",\"namespace\":\"ns\"},\"spec\":{%s}}", name, spec);
    in->services[in->service_count++] = parsed(in, text);
}

static void slice_for(struct input *in, const char *name, const char *ports, const char *endpoints)
{
    char text[2048];
    snprintf(
        text, sizeof text,
        "{\"metadata\":{\"name\":\"%s-x\",\"namespace\":\"ns\",\"labels\":{\"kubernetes.io/service-name\":\"%s\"}},"
        "\"addressType\":\"IPv4\",\"ports\":[%s],\"endpoints\":[%s]}",
        name, name, ports, endpoints);
    in->slices[in->slice_count++] = parsed(in, text);
}

static void begin(struct input *in) { *in = (struct input){.doc = json_doc_new()}; }

static void model(struct input *in, struct rules *r)
{
    struct model_input m = {in->services, in->service_count, in->slices, in->slice_count, "n1", "10.96.0.10"};
    model_rules(&m, r);
}

static void end(struct input *in, struct rules *r)
{
    rules_release(r);
    json_doc_free(in->doc);
}

#define WEB "\"clusterIP\":\"10.96.0.5\",\"ports\":[{\"name\":\"http\",\"port\":80,\"nodePort\":30080}]"
#define HTTP "{\"name\":\"http\",\"port\":8080,\"protocol\":\"TCP\"}"
#define TWO "{\"addresses\":[\"10.244.2.2\"],\"nodeName\":\"n2\"},{\"addresses\":[\"10.244.1.2\"],\"nodeName\":\"n1\"}"

static void cluster_address_and_node_port(void **state)
{
    (void)state;
    struct input in;
    struct rules r;
    begin(&in);
    service(&in, "web", WEB);
    slice_for(&in, "web", HTTP, TWO);
    model(&in, &r);
    assert_int_equal(r.count, 2);
    assert_string_equal(r.rules[0].address, "");
    assert_int_equal(r.rules[0].port, 30080);
    assert_true(r.rules[0].external);
    assert_string_equal(r.rules[1].address, "10.96.0.5");
    assert_int_equal(r.rules[1].endpoint_count, 2);
    assert_string_equal(r.rules[1].endpoints[0].address, "10.244.1.2");
    assert_true(r.rules[1].endpoints[0].local);
    assert_int_equal(r.rules[1].endpoints[1].port, 8080);
    assert_false(r.rules[1].endpoints[1].local);
    assert_string_equal(r.rules[1].comment, "ns/web:http");
    end(&in, &r);
}

static void nothing_serves(void **state)
{
    (void)state;
    struct input in;
    struct rules r;
    begin(&in);
    service(&in, "web", WEB);
    slice_for(&in, "web", HTTP, "{\"addresses\":[\"10.244.1.2\"],\"conditions\":{\"ready\":false}}");
    model(&in, &r);
    assert_int_equal(r.count, 2);
    assert_int_equal(r.rules[0].verdict, RULE_REJECT);
    assert_int_equal(r.rules[1].verdict, RULE_REJECT);
    end(&in, &r);
}

#define ENDING                                                                                                         \
    "{\"addresses\":[\"10.244.1.9\"],\"nodeName\":\"n1\",\"conditions\":{\"ready\":false,\"serving\":true,"            \
    "\"terminating\":true}}"

static void terminating_only_when_nothing_else(void **state)
{
    (void)state;
    struct input in;
    struct rules r;
    begin(&in);
    service(&in, "web", WEB);
    slice_for(&in, "web", HTTP, ENDING);
    model(&in, &r);
    assert_int_equal(r.rules[1].endpoint_count, 1);
    rules_release(&r);
    slice_for(&in, "web", HTTP, TWO);
    model(&in, &r);
    assert_int_equal(r.rules[1].endpoint_count, 2);
    end(&in, &r);
}

static void local_policies(void **state)
{
    (void)state;
    struct input in;
    struct rules r;
    begin(&in);
    service(&in, "a", "\"clusterIP\":\"10.96.0.5\",\"internalTrafficPolicy\":\"Local\",\"ports\":[{\"port\":80}]");
    service(&in, "b", "\"clusterIP\":\"10.96.0.6\",\"internalTrafficPolicy\":\"Local\",\"ports\":[{\"port\":80}]");
    service(&in, "c",
            "\"clusterIP\":\"10.96.0.7\",\"externalTrafficPolicy\":\"Local\",\"externalIPs\":[\"1.2.3.4\"],\"ports\":[{"
            "\"port\":80}]");
    slice_for(&in, "a", "{\"port\":8080}", TWO);
    slice_for(&in, "b", "{\"port\":8080}", "{\"addresses\":[\"10.244.2.2\"],\"nodeName\":\"n2\"}");
    slice_for(&in, "c", "{\"port\":8080}", TWO);
    model(&in, &r);
    assert_int_equal(r.count, 4);
    assert_string_equal(r.rules[0].address, "1.2.3.4");
    assert_true(r.rules[0].external_local);
    assert_int_equal(r.rules[0].endpoint_count, 2);
    assert_int_equal(r.rules[1].endpoint_count, 1);
    assert_int_equal(r.rules[2].verdict, RULE_DROP);
    assert_false(r.rules[3].external_local);
    end(&in, &r);
}

static void ignored_and_malformed(void **state)
{
    (void)state;
    struct input in;
    struct rules r;
    begin(&in);
    service(&in, "headless", "\"clusterIP\":\"None\",\"ports\":[{\"port\":80}]");
    service(&in, "name", "\"type\":\"ExternalName\",\"ports\":[{\"port\":80}]");
    service(&in, "dns", "\"clusterIP\":\"10.96.0.10\",\"ports\":[{\"port\":53,\"protocol\":\"UDP\"}]");
    service(&in, "odd", "\"clusterIP\":\"10.96.0.9; flush\",\"ports\":[{\"port\":80},{\"port\":70000},7]");
    service(&in, "sctp", "\"clusterIP\":\"10.96.0.8\",\"ports\":[{\"port\":80,\"protocol\":\"SCTP\"}]");
    in.services[in.service_count++] = parsed(&in, "7");
    slice_for(&in, "headless", "3", "4");
    model(&in, &r);
    assert_int_equal(r.count, 0);
    end(&in, &r);
}

static void affinity_and_claims(void **state)
{
    (void)state;
    struct input in;
    struct rules r;
    begin(&in);
    service(&in, "b", "\"clusterIP\":\"10.96.0.6\",\"externalIPs\":[\"1.2.3.4\"],\"ports\":[{\"port\":80}]");
    service(&in, "a",
            "\"clusterIP\":\"10.96.0.5\",\"externalIPs\":[\"1.2.3.4\"],\"sessionAffinity\":\"ClientIP\",\"ports\":[{"
            "\"port\":80}]");
    model(&in, &r);
    assert_int_equal(r.count, 3);
    assert_string_equal(r.rules[0].comment, "ns/a");
    assert_int_equal(r.rules[0].affinity_seconds, 10800);
    assert_int_equal(r.rules[2].affinity_seconds, 0);
    end(&in, &r);
}

static void addresses(void **state)
{
    (void)state;
    assert_true(model_ipv4(SLICE("10.0.255.1")));
    assert_false(model_ipv4(SLICE("10.0.256.1")));
    assert_false(model_ipv4(SLICE("10.0.1")));
    assert_false(model_ipv4(SLICE("10.0.0.1.")));
    assert_false(model_ipv4(SLICE("10.0.0.01")));
    assert_false(model_ipv4(SLICE("fd00::1")));
    assert_false(model_ipv4(SLICE("1.1.1.1 }")));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(cluster_address_and_node_port),
        cmocka_unit_test(nothing_serves),
        cmocka_unit_test(terminating_only_when_nothing_else),
        cmocka_unit_test(local_policies),
        cmocka_unit_test(ignored_and_malformed),
        cmocka_unit_test(affinity_and_claims),
        cmocka_unit_test(addresses),
    };
    return RUN_TESTS(tests);
}
