/* Small texts of requests: FieldsV1, lists of managedFields, label and field selectors. The first byte says which. */
#include "tests/fuzz/fuzz.h"

#include "apiserver/managed.h"
#include "common/kube/selector.h"
#include "tests/fuzz/api.h"

/* What was read and printed is read as the same set. */
static void read_fields(struct slice text)
{
    struct json_doc *d = json_doc_new();
    struct arena a = {0};
    struct json *v = NULL;
    const struct field_set *s = NULL, *again = NULL;
    if (json_parse(d, text, &v, NULL) == 0 && field_set_parse(&a, v, &s, NULL) == 0) {
        ASSERT(field_set_parse(&a, field_set_json(d, s), &again, NULL) == 0);
        ASSERT(field_set_equal(s, again));
        ASSERT(field_set_difference(&a, s, again) == NULL);
        ASSERT(field_set_equal(field_set_intersection(&a, s, again), s));
        ASSERT(field_set_equal(field_set_union(&a, s, again), s));
        (void)typed_named(&a, kind_pod.type, s);
        (void)typed_without(d, kind_pod.type, v, s);
    }
    arena_clear(&a);
    json_doc_free(d);
}

static void read_managed(struct slice text)
{
    struct json_doc *d = json_doc_new();
    struct json *v = NULL;
    struct managed m = {.list = NULL};
    if (json_parse(d, text, &v, NULL) == 0 && managed_read(&m, v, NULL) == 0) {
        struct json *list = managed_json(&m, d);
        managed_release(&m);
        ASSERT(managed_read(&m, list, NULL) == 0);
        ASSERT(managed_same_but_times(list, managed_json(&m, d)));
    }
    managed_release(&m);
    json_doc_free(d);
}

static void read_selector(struct slice text, bool fields)
{
    struct selector s = {0}, t = {0};
    struct buf printed = {0};
    if ((fields ? selector_parse_fields(text, &s, NULL) : selector_parse_labels(text, &s, NULL)) == 0) {
        (void)selector_matches_json(&s, NULL);
        selector_print(&s, &printed);
        ASSERT(fields || selector_parse_labels(buf_slice(&printed), &t, NULL) == 0);
    }
    buf_release(&printed);
    selector_release(&s);
    selector_release(&t);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0)
        return 0;
    struct slice text = slice_of(data + 1, size - 1);
    switch (data[0] % 4) {
    case 0: read_fields(text); break;
    case 1: read_managed(text); break;
    case 2: read_selector(text, false); break;
    default: read_selector(text, true);
    }
    return 0;
}

void fuzz_seeds(void (*add)(void *arg, const char *name, struct slice input), void *arg)
{
    static const struct {
        const char *name, *text;
    } seeds[] = {
        {"fields", "\0{\"f:spec\":{\"f:ports\":{\".\":{},\"k:{\\\"port\\\":80,\\\"protocol\\\":\\\"TCP\\\"}\":{\".\":{}"
                   ",\"f:port\":{}}},\"f:x\":{\"v:\\\"a\\\"\":{},"
                   "\"i:1\":{}}}}"},
        {"managed", "\1[{\"manager\":\"m\",\"operation\":\"Apply\",\"apiVersion\":\"v1\",\"time\":\"2024-01-01T00:00:"
                    "00Z\",\"fieldsType\":\"FieldsV1\","
                    "\"fieldsV1\":{\"f:data\":{\"f:a\":{}}},\"subresource\":\"status\"}]"},
        {"labels", "\2a=b,c!=d,e in (f,g),h notin (i),!j,k"},
        {"names", "\3metadata.name=a,spec.nodeName!=b"},
    };
    for (size_t i = 0; i < ARRAY_LEN(seeds); i++) {
        struct buf b = {0};
        buf_append(&b, seeds[i].text, 1);
        buf_append_str(&b, seeds[i].text + 1);
        add(arg, seeds[i].name, buf_slice(&b));
        buf_release(&b);
    }
}
