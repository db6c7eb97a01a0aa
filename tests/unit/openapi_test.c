/* OpenAPI documents: complete in themselves, and the two forms of version 2 alike. */
#include "tests/unit/api_fixture.h"

#include "apiserver/kinds/kinds.h"
#include "apiserver/openapi.h"
#include "apiserver/openapi_names.h"

/* Every "$ref" below `v` names a member of `schemas`. */
static size_t refs_resolve(const struct json *v, const struct json *schemas, const char *prefix)
{
    size_t count = 0;
    struct json_iterator i = json_iterate(v);
    while (json_next(&i)) {
        if (slice_is(i.key, "$ref") && json_type(i.value) == JSON_STRING) { /* a property may have that name */
            struct slice name = json_string(i.value);
            assert_true(slice_has_prefix(name, slice_str(prefix)));
            if (json_get_slice(schemas, slice_from(name, strlen(prefix))) == NULL)
                fail_msg("nothing defines %.*s", SLICE_ARGS(name));
            count++;
        }
        if (json_type(i.value) == JSON_OBJECT || json_type(i.value) == JSON_ARRAY)
            count += refs_resolve(i.value, schemas, prefix);
    }
    return count;
}

static struct json *document(struct json_doc *d, const char *group, const char *version)
{
    struct buf out = {0};
    struct json *v = NULL;
    openapi_document(group, version, &out);
    assert_ok(json_parse(d, buf_slice(&out), &v, NULL));
    buf_release(&out);
    return v;
}

static void test_v3_is_whole(void **state)
{
    (void)state;
    for (const struct kind *const *k = kinds_all(); *k != NULL; k++) {
        struct json_doc *d = json_doc_new();
        struct json *v = document(d, (*k)->group, (*k)->version);
        assert_true(refs_resolve(v, json_at(v, "components.schemas"), "#/components/schemas/") > 0);
        struct buf twice = {0};
        if (json_duplicate(v, &twice))
            fail_msg("%s stands twice", twice.data);
        buf_release(&twice);
        json_doc_free(d);
    }
}

/* By these clients leave validation to the server, and build patches. */
static void test_what_kubectl_looks_for(void **state)
{
    (void)state;
    struct json_doc *d = json_doc_new();
    struct json *v = document(d, "apps", "v1");
    struct json *patch =
        json_get(json_get(json_get(v, "paths"), "/apis/apps/v1/namespaces/{namespace}/deployments/{name}"), "patch");
    assert_slice_equal(json_string_at(patch, "x-kubernetes-group-version-kind.kind"), "Deployment");
    bool validation = false;
    struct json_iterator i = json_iterate(json_get(patch, "parameters"));
    while (json_next(&i))
        validation |= slice_is(json_string_at(i.value, "name"), "fieldValidation") &&
                      slice_is(json_string_at(i.value, "in"), "query");
    assert_true(validation);
    assert_non_null(json_get(json_at(patch, "requestBody.content"), "application/strategic-merge-patch+json"));
    struct json *spec = json_get(json_at(v, "components.schemas"), "io.k8s.api.core.v1.PodSpec");
    struct json *containers = json_at(spec, "properties.containers");
    assert_slice_equal(json_string_at(containers, "x-kubernetes-patch-merge-key"), "name");
    assert_slice_equal(json_string_at(containers, "x-kubernetes-list-type"), "map");
    struct json *scale =
        json_get(json_get(v, "paths"), "/apis/apps/v1/namespaces/{namespace}/deployments/{name}/scale");
    assert_slice_equal(json_string_at(json_get(scale, "put"), "operationId"), "replaceAppsV1NamespacedDeploymentScale");
    json_doc_free(d);
}

/* The names of ids are those of methods in generated clients: none may stand twice. */
static void test_ids_are_unique(void **state)
{
    (void)state;
    struct json_doc *d = json_doc_new();
    struct json *v = openapi_v2(d), *seen = json_new_object(d);
    assert_true(refs_resolve(v, json_get(v, "definitions"), "#/definitions/") > 500);
    struct json_iterator path = json_iterate(json_get(v, "paths"));
    while (json_next(&path)) {
        struct json_iterator op = json_iterate(path.value);
        while (json_next(&op)) {
            struct slice id = json_string_at(op.value, "operationId");
            if (id.size == 0)
                continue;
            if (json_get_slice(seen, id) != NULL)
                fail_msg("%.*s stands twice", SLICE_ARGS(id));
            json_set_slice(d, seen, id, json_new_bool(d, true));
        }
    }
    json_doc_free(d);
}

static bool varint(struct slice *in, uint64_t *ret)
{
    *ret = 0;
    for (unsigned shift = 0; shift < 64 && in->size > 0; shift += 7) {
        uint8_t byte = (uint8_t)in->data[0];
        *in = slice_from(*in, 1);
        *ret |= (uint64_t)(byte & 0x7f) << shift;
        if (byte < 0x80)
            return true;
    }
    return false;
}

/* The next member of a message: its number and, of a length-delimited one, its bytes. */
static bool member(struct slice *in, uint64_t *ret_number, struct slice *ret_bytes)
{
    uint64_t tag, n;
    if (in->size == 0)
        return false;
    assert_true(varint(in, &tag) && varint(in, &n));
    *ret_number = tag >> 3;
    *ret_bytes = (struct slice){NULL, 0};
    if ((tag & 7) == 2) {
        assert_true(n <= in->size);
        *ret_bytes = slice_of(in->data, n);
        *in = slice_from(*in, n);
    } else {
        assert_int_equal(tag & 7, 0);
    }
    return true;
}

static struct slice find(struct slice in, uint64_t wanted)
{
    uint64_t number;
    struct slice bytes;
    while (member(&in, &number, &bytes)) {
        if (number == wanted)
            return bytes;
    }
    fail_msg("no member %d", (int)wanted);
    return bytes;
}

static size_t count_named(struct slice in, uint64_t wanted, const struct json *names)
{
    size_t count = 0;
    uint64_t number;
    struct slice bytes;
    while (member(&in, &number, &bytes)) {
        if (number != wanted)
            continue;
        assert_non_null(json_get_slice(names, find(bytes, 1)));
        count++;
    }
    return count;
}

static void test_v2_protobuf(void **state)
{
    (void)state;
    struct json_doc *d = json_doc_new();
    struct buf out = {0};
    struct json *v = openapi_v2(d);
    openapi_v2_protobuf(v, &out);
    struct slice all = buf_slice(&out);
    assert_slice_equal(find(all, 1), "2.0");
    assert_int_equal(count_named(find(all, 8), 2, json_get(v, "paths")), json_size(json_get(v, "paths")));
    assert_int_equal(count_named(find(all, 9), 1, json_get(v, "definitions")), json_size(json_get(v, "definitions")));
    buf_release(&out);
    json_doc_free(d);
}

static void test_is_served(void **state)
{
    struct fixture *f = *state;
    struct json_doc *d = json_doc_new();
    struct json *v;
    struct client c = {.status = 0}, again = {.status = 0}, refused = {.status = 0};
    assert_int_equal(ask(f, "GET /openapi/v3", "", d, &v), 200);
    assert_non_null(json_get(json_get(v, "paths"), "apis/apps/v1"));
    client_send(f, &c, "GET /openapi/v2", "application/com.github.proto-openapi.spec.v2@v1.0+protobuf", NULL,
                SLICE(""));
    assert_int_equal(c.status, 200);
    assert_string_equal(c.content_type.data, "application/com.github.proto-openapi.spec.v2.v1.0+protobuf");
    again.headers[again.header_count++] = (struct http_header){SLICE("If-None-Match"), buf_slice(&c.etag)};
    client_send(f, &again, "GET /openapi/v2", "application/com.github.proto-openapi.spec.v2@v1.0+protobuf", NULL,
                SLICE(""));
    assert_int_equal(again.status, 304);
    client_send(f, &refused, "GET /openapi/v2", "text/html", NULL, SLICE(""));
    assert_int_equal(refused.status, 406);
    assert_int_equal(ask(f, "GET /openapi/v2", "", d, &v), 200);
    assert_slice_equal(json_string_at(v, "swagger"), "2.0");
    client_release(&c);
    client_release(&again);
    client_release(&refused);
    json_doc_free(d);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_v3_is_whole),
        cmocka_unit_test(test_what_kubectl_looks_for),
        cmocka_unit_test(test_ids_are_unique),
        cmocka_unit_test(test_v2_protobuf),
        cmocka_unit_test_setup_teardown(test_is_served, setup, teardown),
    };
    return RUN_TESTS(tests);
}
