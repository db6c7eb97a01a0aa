/* Bodies of every kind, as JSON, YAML or protobuf: decoded, created, and what is to be stored read again. The first
 * byte says in which form, the second of which kind. */
#include "tests/fuzz/fuzz.h"

#include "apiserver/proto.h"
#include "apiserver/typed.h"
#include "common/yaml.h"
#include "tests/fuzz/api.h"

#include <stdio.h>

static int read_body(struct json_doc *d, const struct kind *k, uint8_t form, struct slice body, struct json **ret)
{
    struct buf text = {0};
    struct proto_envelope e;
    int code;
    switch (form % 3) {
    case 0: return json_parse(d, body, ret, NULL);
    case 1:
        code = yaml_to_json(body, &text, NULL);
        if (code == 0)
            code = json_parse(d, buf_slice(&text), ret, NULL);
        buf_release(&text);
        return code;
    default:
        if (proto_open(body, &e, NULL) == 0)
            body = e.raw;
        return proto_decode(d, k->type, body, ret, NULL);
    }
}

/* An object has no differences from itself, and none of its fields is left when all of them are taken away. */
static void walk(const struct kind *k, const struct json *tree)
{
    struct arena a = {0};
    struct typed_changes c;
    struct json_doc *d = json_doc_new();
    struct json *canonical = NULL;
    struct buf text = {0};
    typed_complaints(k->type, tree, &text);
    if (schema_decode(d, k->type, tree, NULL, &canonical, NULL) == 0) {
        typed_compare(&a, k->type, NULL, canonical, canonical, &c);
        ASSERT(c.added == NULL && c.removed == NULL && c.modified == NULL);
        const struct field_set *all = typed_fields(&a, k->type, canonical);
        (void)typed_without(d, k->type, canonical, all);
        (void)typed_merge(d, k->type, canonical, tree);
    }
    buf_release(&text);
    json_doc_free(d);
    arena_clear(&a);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 2)
        return 0;
    const struct kind *k = fuzz_kind(data[1]);
    struct json_doc *d = json_doc_new();
    struct json *tree = NULL;
    struct strict strict = {0};
    struct verb_result made = {0};
    struct failure f = {0};
    struct verb_facts v = fuzz_facts(k, &strict);
    if (read_body(d, k, data[0], slice_of(data + 2, size - 2), &tree) == 0) {
        walk(k, tree);
        if (verb_create(&v, d, tree, &made, &f) == 0)
            fuzz_check_stored(k, buf_slice(&made.bytes));
    }
    buf_release(&made.bytes);
    failure_release(&f);
    strict_release(&strict);
    json_doc_free(d);
    return 0;
}

void fuzz_seeds(void (*add)(void *arg, const char *name, struct slice input), void *arg)
{
    static const struct {
        const char *name, *text;
        uint8_t form;
        const struct kind *kind;
    } seeds[] = {
        {"pod",
         "{\"metadata\":{\"name\":\"n\",\"labels\":{\"a\":\"b\"}},\"spec\":{\"containers\":[{\"name\":\"c\",\"image\":"
         "\"i\",\"ports\":[{"
         "\"containerPort\":80}],\"resources\":{\"limits\":{\"cpu\":\"1000m\"}},\"env\":[{\"name\":\"E\",\"value\":"
         "\"v\"}],"
         "\"volumeMounts\":[{\"name\":\"v\",\"mountPath\":\"/v\"}]}],\"volumes\":[{\"name\":\"v\",\"emptyDir\":{}}]}}",
         0, &kind_pod},
        {"deployment",
         "metadata: {name: n}\nspec:\n  replicas: 2\n  selector: {matchLabels: {a: b}}\n  template:\n    metadata: "
         "{labels: {a: b}}\n"
         "    spec: {containers: [{name: c, image: i}]}\n",
         1, &kind_deployment},
        {"service",
         "{\"metadata\":{\"name\":\"n\"},\"spec\":{\"selector\":{\"a\":\"b\"},\"ports\":[{\"port\":80,\"targetPort\":"
         "\"http\"}]}}",
         0, &kind_service},
        {"lease",
         "{\"metadata\":{\"name\":\"n\"},\"spec\":{\"renewTime\":\"2024-01-01T00:00:00.000001Z\","
         "\"leaseDurationSeconds\":1}}",
         0, &kind_lease},
        {"secret", "{\"metadata\":{\"name\":\"n\"},\"stringData\":{\"a\":\"b\"},\"data\":{\"c\":\"AAAA\"}}", 0,
         &kind_secret},
        {"role",
         "{\"metadata\":{\"name\":\"n\"},\"rules\":[{\"apiGroups\":[\"\"],\"resources\":[\"pods\"],\"verbs\":[\"get\"]}"
         "]}",
         0, &kind_role},
        {"owned",
         "{\"metadata\":{\"name\":\"n\",\"managedFields\":[{\"manager\":\"m\",\"operation\":\"Update\",\"apiVersion\":"
         "\"v1\",\"fieldsType\":"
         "\"FieldsV1\",\"fieldsV1\":{\"f:data\":{\".\":{},\"f:a\":{}}}}]},\"data\":{\"a\":\"1\"}}",
         0, &kind_configmap},
        {"configmap.pb", "k8s\0\n\x0f\n\x02v1\x12\tConfigMap\x12\x05\n\x03\n\x01n", 2, &kind_configmap},
    };
    for (size_t i = 0; i < ARRAY_LEN(seeds); i++) {
        struct buf b = {0};
        buf_append_char(&b, (char)seeds[i].form);
        buf_append_char(&b, (char)fuzz_kind_byte(seeds[i].kind));
        buf_append(&b, seeds[i].text, seeds[i].form == 2 ? 28 : strlen(seeds[i].text));
        add(arg, seeds[i].name, buf_slice(&b));
        buf_release(&b);
    }
    for (size_t i = 0; kinds_all()[i] != NULL; i++) { /* every kind, nearly empty */
        struct buf b = {0};
        char name[64];
        (void)snprintf(name, sizeof name, "kind-%zu", i); /* fits */
        buf_append_char(&b, 0);
        buf_append_char(&b, (char)i);
        buf_append_str(&b, "{\"metadata\":{\"name\":\"n\"},\"spec\":{},\"status\":{}}");
        add(arg, name, buf_slice(&b));
        buf_release(&b);
    }
}
