#include "tests/test.h"

#include "common/err.h"
#include "netproxy/dns.h"
#include "netproxy/dns_wire.h"
#include "netproxy/dns_zone.h"

#include <stdio.h>

static const char services_text[] =
    "[{\"metadata\":{\"name\":\"web\",\"namespace\":\"ns\"},\"spec\":{\"clusterIP\":\"10.96.0.5\",\"ports\":[{\"name\":"
    "\"http\",\"port\":80}]}},"
    "{\"metadata\":{\"name\":\"db\",\"namespace\":\"ns\"},\"spec\":{\"clusterIP\":\"None\"}},"
    "{\"metadata\":{\"name\":\"out\",\"namespace\":\"ns\"},\"spec\":{\"type\":\"ExternalName\",\"externalName\":"
    "\"example.org.\"}},"
    "{\"metadata\":{\"name\":\"in\",\"namespace\":\"ns\"},\"spec\":{\"type\":\"ExternalName\",\"externalName\":\"web."
    "ns.svc.cluster.local\"}},"
    "{\"metadata\":{\"name\":\"Bad Name\",\"namespace\":\"ns\"},\"spec\":{\"clusterIP\":\"10.96.0.6\"}},5]";
static const char slices_text[] =
    "[{\"metadata\":{\"name\":\"db-1\",\"namespace\":\"ns\",\"labels\":{\"kubernetes.io/"
    "service-name\":\"db\"}},\"addressType\":\"IPv4\","
    "\"ports\":[{\"name\":\"sql\",\"port\":5432,\"protocol\":\"TCP\"}],\"endpoints\":["
    "{\"addresses\":[\"10.244.1.2\"],\"hostname\":\"db-0\"},{\"addresses\":[\"10.244.2.3\"]},"
    "{\"addresses\":[\"10.244.2.4\"],\"conditions\":{\"ready\":false}}]}]";

struct fixture {
    struct json_doc *doc;
    struct dns_zone zone;
    const struct dns_record *found[8];
    size_t count;
};

static size_t elements(const struct json *array, const struct json *ret[8])
{
    size_t n = 0;
    struct json_iterator i = json_iterate(array);
    while (json_next(&i))
        ret[n++] = i.value;
    return n;
}

static int setup(void **state)
{
    struct fixture *f = NEW(struct fixture);
    struct json *services, *slices;
    const struct json *service_list[8], *slice_list[8];
    f->doc = json_doc_new();
    assert_ok(json_parse(f->doc, slice_str(services_text), &services, NULL));
    assert_ok(json_parse(f->doc, slice_str(slices_text), &slices, NULL));
    size_t s = elements(services, service_list), e = elements(slices, slice_list);
    dns_zone_build("cluster.local", service_list, s, slice_list, e, &f->zone);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    dns_zone_release(&f->zone);
    json_doc_free(f->doc);
    mem_free(f);
    return 0;
}

static enum dns_outcome ask(struct fixture *f, const char *name, unsigned type)
{
    return dns_zone_find(&f->zone, name, type, f->found, ARRAY_LEN(f->found), &f->count);
}

static void cluster_addresses(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(ask(f, "web.ns.svc.cluster.local", DNS_A), DNS_FOUND);
    assert_int_equal(f->count, 1);
    assert_string_equal(f->found[0]->data, "10.96.0.5");
    assert_int_equal(ask(f, "web.ns.svc.cluster.local", DNS_AAAA), DNS_FOUND);
    assert_int_equal(f->count, 0);
    assert_int_equal(ask(f, "_http._tcp.web.ns.svc.cluster.local", DNS_SRV), DNS_FOUND);
    assert_string_equal(f->found[0]->data, "0 100 80 web.ns.svc.cluster.local");
    assert_int_equal(ask(f, "5.0.96.10.in-addr.arpa", DNS_PTR), DNS_FOUND);
    assert_string_equal(f->found[0]->data, "web.ns.svc.cluster.local");
}

static void headless(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(ask(f, "db.ns.svc.cluster.local", DNS_A), DNS_FOUND);
    assert_int_equal(f->count, 2);
    assert_int_equal(ask(f, "db-0.db.ns.svc.cluster.local", DNS_A), DNS_FOUND);
    assert_string_equal(f->found[0]->data, "10.244.1.2");
    assert_int_equal(ask(f, "10-244-2-3.db.ns.svc.cluster.local", DNS_A), DNS_FOUND);
    assert_int_equal(f->count, 1);
    assert_int_equal(ask(f, "_sql._tcp.db.ns.svc.cluster.local", DNS_SRV), DNS_FOUND);
    assert_int_equal(f->count, 2);
    assert_string_equal(f->found[0]->data, "0 100 5432 db-0.db.ns.svc.cluster.local");
}

static void what_is_not_there(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(ask(f, "nope.ns.svc.cluster.local", DNS_A), DNS_NO_NAME);
    assert_int_equal(ask(f, "web.ns.svc.cluster.local.ns.svc.cluster.local", DNS_A), DNS_NO_NAME);
    assert_int_equal(ask(f, "ns.svc.cluster.local", DNS_A), DNS_FOUND);
    assert_int_equal(f->count, 0);
    assert_int_equal(ask(f, "example.org", DNS_A), DNS_FOREIGN);
    assert_int_equal(ask(f, "notcluster.local", DNS_A), DNS_FOREIGN);
    assert_int_equal(ask(f, "4.3.2.1.in-addr.arpa", DNS_PTR), DNS_FOREIGN);
}

static void aliases(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(ask(f, "out.ns.svc.cluster.local", DNS_A), DNS_FOUND);
    assert_int_equal(f->count, 1);
    assert_int_equal(f->found[0]->type, DNS_CNAME);
    assert_string_equal(f->found[0]->data, "example.org");
    assert_int_equal(ask(f, "in.ns.svc.cluster.local", DNS_A), DNS_FOUND);
    assert_int_equal(f->count, 2);
    assert_string_equal(f->found[1]->data, "10.96.0.5");
}

/* --- messages --- */

#define QUERY                                                                                                          \
    "\x12\x34\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00\x03"                                                             \
    "wEb\x02"                                                                                                          \
    "ns\x00\x00\x01\x00\x01"

static void messages(void **state)
{
    (void)state;
    struct dns_question q;
    enum dns_code code;
    struct buf out = {0};
    const struct dns_record one = {"web.ns", DNS_A, "10.96.0.5"};
    const struct dns_record *many[64];
    struct slice query = SLICE(QUERY);
    assert_ok(dns_wire_parse(query, &q, &code));
    assert_string_equal(q.name, "web.ns");
    assert_int_equal(q.type, DNS_A);
    assert_int_equal(q.answer_bytes, 512);
    many[0] = &one;
    assert_ok(dns_wire_answer(query, DNS_OK, many, 1, NULL, 512, &out));
    assert_memory_equal(out.data, "\x12\x34\x85\x80\x00\x01\x00\x01", 8);
    assert_memory_equal(out.data + 13, "wEb", 3);
    assert_memory_equal(out.data + out.size - 4, "\x0a\x60\x00\x05", 4);
    for (size_t i = 0; i < ARRAY_LEN(many); i++)
        many[i] = &one;
    assert_ok(dns_wire_answer(query, DNS_OK, many, ARRAY_LEN(many), NULL, 512, &out));
    assert_true(out.size <= 512);
    assert_memory_equal(out.data + 2, "\x87\x80\x00\x01\x00\x00", 6);
    buf_release(&out);
}

static void damaged_messages(void **state)
{
    (void)state;
    struct dns_question q;
    enum dns_code code;
    struct buf out = {0};
    char text[sizeof QUERY];
    for (size_t n = 0; n < sizeof QUERY - 1; n++)
        assert_int_not_equal(dns_wire_parse(slice_of(QUERY, n), &q, &code), 0);
    for (size_t at = 0; at < sizeof QUERY - 1; at++)
        for (unsigned bit = 0; bit < 8; bit++) {
            memcpy(text, QUERY, sizeof text);
            text[at] = (char)(text[at] ^ (1 << bit));
            int rv = dns_wire_parse(slice_of(text, sizeof QUERY - 1), &q, &code);
            if (rv == 0)
                assert_ok(dns_wire_answer(slice_of(text, sizeof QUERY - 1), DNS_NXDOMAIN, NULL, 0, NULL, 512, &out));
            else if (rv == ERR_INVALID)
                dns_wire_refuse(slice_of(text, sizeof QUERY - 1), code, &out);
        }
    text[2] = (char)0x81;
    assert_int_equal(dns_wire_parse(slice_of(text, sizeof QUERY - 1), &q, &code), ERR_BAD_REQUEST);
    buf_release(&out);
}

static void resolv_conf(void **state)
{
    (void)state;
    char found[DNS_UPSTREAMS_MAX][64];
    assert_int_equal(
        dns_upstreams_read(
            SLICE("search x\nnameserver 10.0.0.2\nnameserver\tfe80::1\n#nameserver 1.1.1.1\nnameserver 10.0.0.3 # x"),
            found),
        2);
    assert_string_equal(found[0], "10.0.0.2:53");
    assert_string_equal(found[1], "10.0.0.3:53");
}

static void upstream_flag(void **state)
{
    (void)state;
    char found[DNS_UPSTREAMS_MAX][64];
    size_t count = 9;
    struct err err;
    static const char *const wrong[] = {"x", "10.0.0.2:0", "10.0.0.2:65536", "10.0.0.2:5a", "10.0.0.2:999999", "::1", "10.0.0.1,10.0.0.2,10.0.0.3,10.0.0.4", ","};
    assert_ok(dns_upstreams_parse(SLICE(""), found, &count, &err));
    assert_int_equal(count, 0);
    assert_ok(dns_upstreams_parse(SLICE("10.0.0.2,10.0.0.3:5353"), found, &count, &err));
    assert_int_equal(count, 2);
    assert_string_equal(found[0], "10.0.0.2:53");
    assert_string_equal(found[1], "10.0.0.3:5353");
    for (size_t i = 0; i < ARRAY_LEN(wrong); i++)
        assert_int_equal(dns_upstreams_parse(slice_str(wrong[i]), found, &count, &err), ERR_BAD_REQUEST);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(cluster_addresses, setup, teardown),
        cmocka_unit_test_setup_teardown(headless, setup, teardown),
        cmocka_unit_test_setup_teardown(what_is_not_there, setup, teardown),
        cmocka_unit_test_setup_teardown(aliases, setup, teardown),
        cmocka_unit_test(messages),
        cmocka_unit_test(damaged_messages),
        cmocka_unit_test(resolv_conf),
        cmocka_unit_test(upstream_flag),
    };
    return RUN_TESTS(tests);
}
