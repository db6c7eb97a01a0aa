/* Claims: what a comparison of keys and Services finds, and which values a Service is given when few or none are left.
 */
#include "tests/support/json_text.h"

#include "apiserver/check.h"
#include "apiserver/claims.h"
#include "apiserver/kinds/kinds.h"
#include "common/mem.h"

#include <stdio.h>

#define FOUND_MAX 16

/* "fault object key key_revision rounds" a line, of two Services `a` and `b` and keys. */
static void compare(const char *a, const char *b, const struct claim_key *keys, size_t n, struct map *leaks,
                    struct buf *out)
{
    static const char *const faults[] = {"unheld", "twice", "unusable", "leaked"};
    struct json_doc *d = json_doc_new();
    struct claimer objects[2] = {{SLICE("default/a"), 7, parse(d, a)}, {SLICE("default/b"), 8, parse(d, b)}};
    struct claim_finding *found = mem_alloc(FOUND_MAX * sizeof *found);
    size_t count = claims_compare(&kind_service, objects, 2, keys, n, leaks, found, FOUND_MAX);
    buf_reset(out);
    buf_append_str(out, "");
    for (size_t i = 0; i < count; i++)
        buf_printf(out, "%s %s %s %d %zu\n", faults[found[i].fault],
                   found[i].object == SIZE_MAX ? "-"
                   : found[i].object == 0      ? "a"
                                               : "b",
                   found[i].claim.key, (int)found[i].key_revision, found[i].rounds);
    mem_free(found);
    json_doc_free(d);
}

#define NODE_PORT(IP, PORT)                                                                                            \
    "{\"spec\":{\"type\":\"NodePort\",\"clusterIP\":\"" IP "\",\"ports\":[{\"port\":80,\"nodePort\":" PORT "}]}}"
#define OWNER(NAME) SLICE("{\"owner\":\"default/" NAME "\"}")

static void test_compare(void **state)
{
    (void)state;
    struct map leaks = {.entries = NULL};
    struct buf out = {0};
    const struct claim_key whole[] = {{SLICE("servicenodeports/30001"), OWNER("a"), 3},
                                      {SLICE("servicenodeports/30002"), OWNER("b"), 3},
                                      {SLICE("serviceips/10.96.0.11"), OWNER("a"), 3},
                                      {SLICE("serviceips/10.96.0.12"), OWNER("b"), 3}};
    const char *a = NODE_PORT("10.96.0.11", "30001"), *b = NODE_PORT("10.96.0.12", "30002");
    compare(a, b, whole, 4, &leaks, &out);
    assert_string_equal(out.data, "");
    compare(a, b, whole, 3, &leaks, &out);
    assert_string_equal(out.data, "unheld b serviceips/10.96.0.12 0 0\n");
    /* Both claim what a holds; what b held is nobody's then. */
    compare(a, a, whole, 4, &leaks, &out);
    assert_string_equal(out.data, "twice b serviceips/10.96.0.11 0 0\ntwice b servicenodeports/30001 0 0\n"
                                  "leaked b servicenodeports/30002 3 1\nleaked b serviceips/10.96.0.12 3 1\n");
    /* Without keys the first in order gets them. */
    compare(a, a, NULL, 0, &leaks, &out);
    assert_string_equal(out.data, "unheld a serviceips/10.96.0.11 0 0\nunheld a servicenodeports/30001 0 0\n"
                                  "twice b serviceips/10.96.0.11 0 0\ntwice b servicenodeports/30001 0 0\n");
    /* A key whose owner does not claim it is no obstacle to who does. */
    const struct claim_key wrong[] = {{SLICE("serviceips/10.96.0.11"), OWNER("b"), 5}};
    compare(a, "{\"spec\":{\"clusterIP\":\"None\"}}", wrong, 1, &leaks, &out);
    assert_string_equal(out.data, "unheld a serviceips/10.96.0.11 5 0\nunheld a servicenodeports/30001 0 0\n");
    compare(NODE_PORT("10.97.0.1", "80"), NODE_PORT("where", "0"), NULL, 0, &leaks, &out);
    assert_string_equal(out.data, "unusable a serviceips/10.97.0.1 0 0\nunusable a servicenodeports/80 0 0\n"
                                  "unusable b serviceips/where 0 0\n");
    map_release(&leaks);
    buf_release(&out);
}

static void test_leaks_are_counted(void **state)
{
    (void)state;
    struct map leaks = {.entries = NULL};
    struct buf out = {0};
    const char *none = "{\"spec\":{\"clusterIP\":\"None\"}}";
    struct claim_key key[] = {{SLICE("serviceips/10.96.0.11"), SLICE("not even JSON"), 5}};
    compare(none, none, key, 1, &leaks, &out);
    compare(none, none, key, 1, &leaks, &out);
    assert_string_equal(out.data, "leaked - serviceips/10.96.0.11 5 2\n");
    key[0].revision = 6; /* another key by the same name */
    compare(none, none, key, 1, &leaks, &out);
    assert_string_equal(out.data, "leaked - serviceips/10.96.0.11 6 1\n");
    compare(NODE_PORT("10.96.0.11", "0"), none, (struct claim_key[]){{key[0].key, OWNER("a"), 6}}, 1, &leaks, &out);
    assert_string_equal(out.data, "");
    compare(none, none, key, 1, &leaks, &out);
    assert_string_equal(out.data, "leaked - serviceips/10.96.0.11 6 1\n"); /* it was not leaked in between */
    map_release(&leaks);
    buf_release(&out);
}

static bool all_but_one(const struct allocator *a, const char *key)
{
    return a->data == NULL || strcmp(key, a->data) != 0;
}

/* Everything is taken but `left` (NULL: nothing is left). */
static int allocate(const char *service, const char *left, struct buf *out, struct err *why)
{
    struct json_doc *d = json_doc_new();
    struct json *o = parse(d, service);
    struct check c = {.count = 0};
    char copy[CLAIM_KEY_MAX];
    (void)snprintf(copy, sizeof copy, "%s", left == NULL ? "" : left); /* fits */
    struct allocator a = {.seed = 4711, .taken = all_but_one, .data = left == NULL ? NULL : copy};
    int code = kind_service.allocate(d, o, NULL, &a, &c, why);
    buf_reset(out);
    json_print(json_get(o, "spec"), out);
    check_clear(&c);
    json_doc_free(d);
    return code;
}

static void test_full_ranges(void **state)
{
    (void)state;
    struct buf out = {0};
    struct err why;
    assert_int_equal(allocate("{\"spec\":{\"type\":\"ClusterIP\"}}", NULL, &out, &why), ERR_INTERNAL);
    assert_string_equal(why.message, "failed to allocate a serviceIP: range is full");
    assert_ok(allocate("{\"spec\":{\"type\":\"ClusterIP\"}}", "serviceips/10.96.255.254", &out, &why));
    assert_non_null(strstr(out.data, "\"clusterIP\":\"10.96.255.254\""));
    assert_ok(allocate("{\"spec\":{\"type\":\"ClusterIP\"}}", "serviceips/10.96.0.2", &out,
                       &why)); /* of those for who asks */
    static const char *const never[] = {"serviceips/10.96.0.0", "serviceips/10.96.0.1", "serviceips/10.96.255.255"};
    for (size_t i = 0; i < ARRAY_LEN(never); i++)
        assert_int_equal(allocate("{\"spec\":{\"type\":\"ClusterIP\"}}", never[i], &out, &why), ERR_INTERNAL);
    const char *port =
        "{\"spec\":{\"type\":\"NodePort\",\"clusterIP\":\"10.96.0.9\",\"ports\":[{\"port\":53,\"protocol\":"
        "\"UDP\"},{\"port\":53,\"protocol\":\"TCP\"}]}}";
    assert_int_equal(allocate(port, NULL, &out, &why), ERR_INTERNAL);
    assert_string_equal(why.message, "failed to allocate a nodePort: range is full");
    assert_ok(allocate(port, "servicenodeports/32767", &out, &why)); /* both protocols share it */
    assert_ok(allocate(port, "servicenodeports/30000", &out, &why));
    assert_int_equal(allocate(port, "servicenodeports/32768", &out, &why), ERR_INTERNAL);
    buf_release(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_compare),
        cmocka_unit_test(test_leaks_are_counted),
        cmocka_unit_test(test_full_ranges),
    };
    return RUN_TESTS(tests);
}
