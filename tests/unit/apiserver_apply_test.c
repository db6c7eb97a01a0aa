/* Sets of fields, who owns what, and server-side apply: by example, and over random objects of a real kind's table. */
#include "tests/support/json_text.h"

#include "apiserver/apply.h"
#include "apiserver/kinds/kinds.h"
#include "apiserver/schema.h"
#include "common/buf.h"
#include "common/random.h"

#include <stdio.h>

static void assert_json(const struct json *v, const char *text)
{
    struct buf out = {0};
    json_print(v, &out);
    assert_string_equal(out.data, text);
    buf_release(&out);
}

static const struct field_set *set_of(struct arena *a, const char *text)
{
    struct json_doc *d = json_doc_new();
    const struct field_set *s = NULL;
    struct err why;
    if (field_set_parse(a, parse(d, text), &s, &why) != 0)
        fail_msg("%s: %s", text, why.message);
    json_doc_free(d);
    return s;
}

static void assert_set(const struct field_set *s, const char *text)
{
    struct json_doc *d = json_doc_new();
    assert_json(field_set_json(d, s), text);
    json_doc_free(d);
}

static void test_set_texts(void **state)
{
    (void)state;
    static const struct {
        const char *in, *out;
    } cases[] = {
        {"{}", "{}"},
        {"{\"f:b\":{},\"f:a\":{\".\":{},\"f:c\":{}}}", "{\"f:a\":{\".\":{},\"f:c\":{}},\"f:b\":{}}"},
        {"{\"f:a\":{\".\":{}}}", "{\"f:a\":{}}"},
        {"{\"k:{\\\"b\\\":\\\"x\\\", \\\"a\\\":1.0}\":{}}", "{\"k:{\\\"a\\\":1,\\\"b\\\":\\\"x\\\"}\":{}}"},
        {"{\"v: \\\"x\\\"\":{},\"i:3\":{},\"f:z\":null}", "{\"f:z\":{},\"v:\\\"x\\\"\":{},\"i:3\":{}}"},
        {"{\"q:later\":{},\"f:a\":{}}", "{\"f:a\":{}}"},
    };
    struct arena a = {0};
    for (size_t i = 0; i < ARRAY_LEN(cases); i++)
        assert_set(set_of(&a, cases[i].in), cases[i].out);
    static const char *const bad[] = {"[]",           "{\"fa\":{}}",  "{\"k:[1]\":{}}", "{\"k:{}\":{}}",
                                      "{\"v:x\":{}}", "{\"i:x\":{}}", "{\"f:a\":1}"};
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        struct json_doc *d = json_doc_new();
        const struct field_set *s = NULL;
        assert_int_equal(field_set_parse(&a, parse(d, bad[i]), &s, NULL), ERR_BAD_REQUEST);
        json_doc_free(d);
    }
    arena_clear(&a);
}

static void test_set_operations(void **state)
{
    (void)state;
    struct arena a = {0};
    const struct field_set *x = set_of(&a, "{\"f:a\":{\".\":{},\"f:b\":{},\"f:c\":{}},\"f:d\":{}}");
    const struct field_set *y = set_of(&a, "{\"f:a\":{\"f:b\":{}},\"f:e\":{}}");
    const struct field_set *parent = set_of(&a, "{\"f:a\":{}}");
    assert_set(field_set_union(&a, x, y), "{\"f:a\":{\".\":{},\"f:b\":{},\"f:c\":{}},\"f:d\":{},\"f:e\":{}}");
    assert_set(field_set_intersection(&a, x, y), "{\"f:a\":{\"f:b\":{}}}");
    assert_set(field_set_difference(&a, x, y), "{\"f:a\":{\".\":{},\"f:c\":{}},\"f:d\":{}}");
    assert_set(field_set_difference(&a, x, parent), "{\"f:a\":{\"f:b\":{},\"f:c\":{}},\"f:d\":{}}");
    assert_set(field_set_without(&a, x, parent), "{\"f:d\":{}}");
    assert_null(field_set_difference(&a, x, x));
    assert_true(field_set_equal(field_set_path(&a, "f:a f:b"), set_of(&a, "{\"f:a\":{\"f:b\":{}}}")));
    arena_clear(&a);
}

static void append_path(void *arg, struct slice path) { buf_printf(arg, "%.*s\n", SLICE_ARGS(path)); }

static void test_set_paths(void **state)
{
    (void)state;
    struct arena a = {0};
    struct buf out = {0};
    field_set_each(
        set_of(
            &a,
            "{\"f:spec\":{\"f:ports\":{\"k:{\\\"port\\\":80,\\\"protocol\\\":\\\"TCP\\\"}\":{\".\":{},\"f:name\":{}}},"
            "\"f:finalizers\":{\"v:\\\"x\\\"\":{}}}}"),
        append_path, &out);
    assert_string_equal(out.data, ".spec.finalizers[=\"x\"]\n.spec.ports[port=80,protocol=\"TCP\"]\n"
                                  ".spec.ports[port=80,protocol=\"TCP\"].name\n");
    buf_release(&out);
    arena_clear(&a);
}

/* ---- one object and its writers ---- */

struct desk {
    struct json_doc *d;
    const struct kind *kind;
    struct json *live; /* NULL: none */
    struct failure f;
    int64_t now_us;
};

static void desk_free(struct desk *k)
{
    failure_release(&k->f);
    json_doc_free(k->d);
}

static struct json *canonical(struct desk *k, const struct json *v)
{
    struct json *out = NULL;
    struct err why;
    if (schema_decode(k->d, k->kind->type, v, NULL, &out, &why) != 0)
        fail_msg("%s", why.message);
    return out;
}

static int apply_tree(struct desk *k, const char *manager, const struct json *config, bool force)
{
    struct apply_options o = {.writer = {k->kind, k->kind, manager, NULL, k->now_us},
                              .namespace = SLICE("default"),
                              .name = SLICE("web"),
                              .force = force};
    struct json *made = NULL;
    failure_release(&k->f);
    int code = apply_config(&o, k->d, k->live, config, &made, &k->f);
    if (code == 0)
        k->live = canonical(k, made);
    return code;
}

static int apply_text(struct desk *k, const char *manager, const char *config, bool force)
{
    return apply_tree(k, manager, parse(k->d, config), force);
}

static void update_text(struct desk *k, const char *manager, const char *subresource, const char *object)
{
    struct managed_writer w = {k->kind, k->kind, manager, subresource, k->now_us};
    struct json *o = canonical(k, parse(k->d, object));
    managed_record(k->d, &w, k->live, o);
    k->live = canonical(k, o);
}

static const char *owned_by(struct desk *k, const char *manager, struct buf *out)
{
    struct json_iterator i = json_iterate(json_at(k->live, "metadata.managedFields"));
    buf_reset(out);
    buf_append(out, "", 0);
    while (json_next(&i))
        if (slice_is(json_string_at(i.value, "manager"), manager))
            json_print(json_get(i.value, "fieldsV1"), out);
    return out->data;
}

#define DESK(kind_)                                                                                                    \
    {                                                                                                                  \
        .d = json_doc_new(), .kind = &(kind_), .now_us = 1000000                                                       \
    }

static void test_conflicts(void **state)
{
    (void)state;
    struct desk k = DESK(kind_configmap);
    struct buf out = {0};
    assert_ok(apply_text(
        &k, "a", "{\"metadata\":{\"name\":\"web\",\"labels\":{\"l\":\"1\"}},\"data\":{\"x\":\"1\",\"y\":\"1\"}}",
        false));
    assert_ok(apply_text(&k, "b", "{\"data\":{\"x\":\"1\",\"z\":\"1\"}}", false)); /* an equal value is shared */
    assert_string_equal(owned_by(&k, "a", &out),
                        "{\"f:data\":{\"f:x\":{},\"f:y\":{}},\"f:metadata\":{\"f:labels\":{\"f:l\":{}}}}");
    assert_string_equal(owned_by(&k, "b", &out), "{\"f:data\":{\"f:x\":{},\"f:z\":{}}}");
    assert_int_equal(apply_text(&k, "c", "{\"data\":{\"x\":\"2\"}}", false), ERR_CONFLICT);
    assert_string_equal(
        k.f.message.data,
        "Apply failed with 2 conflicts: conflicts with \"a\":\n- .data.x\nconflicts with \"b\":\n- .data.x");
    assert_int_equal(k.f.cause_count, 2);
    assert_string_equal(k.f.causes[0].reason, "FieldManagerConflict");
    assert_string_equal(k.f.causes[0].message, "conflict with \"a\"");
    assert_string_equal(k.f.causes[0].field, ".data.x");
    assert_ok(apply_text(&k, "c", "{\"data\":{\"x\":\"2\"}}", true));
    assert_string_equal(owned_by(&k, "a", &out),
                        "{\"f:data\":{\"f:y\":{}},\"f:metadata\":{\"f:labels\":{\"f:l\":{}}}}");
    assert_string_equal(owned_by(&k, "b", &out), "{\"f:data\":{\"f:z\":{}}}");
    assert_ok(apply_text(&k, "b", "{\"data\":{}}", false)); /* z was b's alone */
    assert_json(json_get(k.live, "data"), "{\"x\":\"2\",\"y\":\"1\"}");
    update_text(&k, "d", NULL, "{\"kind\":\"ConfigMap\",\"metadata\":{\"name\":\"web\"},\"data\":{\"x\":\"3\"}}");
    assert_int_equal(apply_text(&k, "c", "{\"data\":{\"x\":\"2\"}}", false), ERR_CONFLICT);
    assert_string_equal(k.f.message.data, "Apply failed with 1 conflict: conflict with \"d\" using v1: .data.x");
    assert_string_equal(owned_by(&k, "a", &out), ""); /* what it had is gone */
    buf_release(&out);
    desk_free(&k);
}

static void test_lists(void **state)
{
    (void)state;
    struct desk k = DESK(kind_service);
    struct buf out = {0};
    assert_ok(apply_text(
        &k, "a",
        "{\"spec\":{\"ports\":[{\"port\":80,\"name\":\"w\"},{\"port\":53,\"protocol\":\"UDP\",\"name\":\"d\"}]}}",
        false));
    assert_string_equal(owned_by(&k, "a", &out), "{\"f:spec\":{\"f:ports\":{\"k:{\\\"port\\\":53,\\\"protocol\\\":"
                                                 "\\\"UDP\\\"}\":{\".\":{},\"f:name\":{},\"f:port\":{},"
                                                 "\"f:protocol\":{}},\"k:{\\\"port\\\":80,\\\"protocol\\\":\\\"TCP\\\"}"
                                                 "\":{\".\":{},\"f:name\":{},\"f:port\":{}}}}}");
    assert_ok(apply_text(
        &k, "b",
        "{\"spec\":{\"ports\":[{\"port\":81,\"name\":\"x\"},{\"port\":80,\"protocol\":\"TCP\",\"targetPort\":8080}]}}",
        false));
    assert_json(json_at(k.live, "spec.ports"),
                "[{\"name\":\"x\",\"port\":81},{\"name\":\"w\",\"protocol\":\"TCP\",\"port\":80,\"targetPort\":8080},"
                "{\"name\":\"d\",\"protocol\":\"UDP\",\"port\":53}]");
    assert_ok(
        apply_text(&k, "a", "{\"spec\":{\"ports\":[{\"port\":80,\"name\":\"w\"}]}}", false)); /* 53 goes, b's stay */
    assert_json(json_at(k.live, "spec.ports"),
                "[{\"name\":\"x\",\"port\":81},{\"name\":\"w\",\"protocol\":\"TCP\",\"port\":80,\"targetPort\":8080}]");
    buf_release(&out);
    desk_free(&k);
}

static void test_complaints(void **state)
{
    (void)state;
    static const struct {
        const char *config, *why;
    } cases[] = {
        {"{\"spec\":{\"foo\":1}}", ".spec.foo: field not declared in schema"},
        {"{\"spec\":{\"replicas\":\"2\"}}", ".spec.replicas: expected numeric (int or float), got string"},
        {"{\"spec\":{\"paused\":1}}", ".spec.paused: expected boolean, got 1"},
        {"{\"spec\":[]}", ".spec: expected map, got []interface {}"},
        {"{\"spec\":{\"template\":{\"spec\":{\"containers\":[{\"name\":\"a\"},{\"name\":\"a\"}]}}}}",
         ".spec.template.spec.containers: duplicate entries for key [name=\"a\"]"},
        {"{\"spec\":{\"template\":{\"spec\":{\"containers\":[{\"image\":\"a\"}]}}}}",
         ".spec.template.spec.containers: element 0: associative list with keys has an element that omits key field "
         "\"name\" (and "
         "doesn't have default value)"},
        {"{\"bar\":1,\"spec\":{\"foo\":1}}",
         "errors:\n  .bar: field not declared in schema\n  .spec.foo: field not declared in schema"},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct desk k = DESK(kind_deployment);
        char *whole =
            mem_printf("failed to create typed patch object (default/web; apps/v1, Kind=Deployment): %s", cases[i].why);
        assert_int_equal(apply_text(&k, "a", cases[i].config, false), ERR_UNEXPLAINED);
        assert_string_equal(k.f.message.data, whole);
        mem_free(whole);
        desk_free(&k);
    }
}

/* Who uses kubectl's two ways of applying is one person: what the annotation says is no conflict, and follows. */
static void test_last_applied(void **state)
{
    (void)state;
    struct desk k = DESK(kind_configmap);
    update_text(&k, "kubectl-client-side-apply", NULL,
                "{\"kind\":\"ConfigMap\",\"metadata\":{\"name\":\"web\",\"uid\":\"u\",\"annotations\":{\"kubectl."
                "kubernetes.io/last-applied-"
                "configuration\":\"{\\\"data\\\":{\\\"x\\\":\\\"1\\\",\\\"y\\\":\\\"1\\\"}}\"}},\"data\":{\"x\":\"1\","
                "\"y\":\"2\"}}");
    assert_int_equal(apply_text(&k, "other", "{\"data\":{\"x\":\"5\"}}", false), ERR_CONFLICT);
    assert_ok(apply_text(&k, "kubectl", "{\"data\":{\"x\":\"5\"}}", false));
    assert_string_equal(json_string(json_get(json_at(k.live, "metadata.annotations"),
                                             "kubectl.kubernetes.io/last-applied-configuration"))
                            .data,
                        "{\"data\":{\"x\":\"5\"}}\n");
    assert_int_equal(apply_text(&k, "kubectl", "{\"data\":{\"y\":\"5\"}}", false),
                     ERR_CONFLICT); /* y had been changed since */
    desk_free(&k);
}

static void test_untracked_and_reset(void **state)
{
    (void)state;
    struct desk k = DESK(kind_configmap);
    struct buf out = {0};
    update_text(&k, "a", NULL, "{\"metadata\":{\"name\":\"web\",\"uid\":\"u\"},\"data\":{\"x\":\"1\"}}");
    assert_string_equal(owned_by(&k, "a", &out), "{\"f:data\":{\".\":{},\"f:x\":{}}}");
    update_text(&k, "b", NULL,
                "{\"metadata\":{\"name\":\"web\",\"uid\":\"u\"},\"data\":{\"x\":\"2\"}}"); /* absent keeps */
    assert_string_equal(owned_by(&k, "b", &out), "{\"f:data\":{\"f:x\":{}}}");
    assert_string_equal(owned_by(&k, "a", &out), "{\"f:data\":{}}");
    update_text(&k, "b", NULL,
                "{\"metadata\":{\"name\":\"web\",\"uid\":\"u\",\"managedFields\":[{}]},\"data\":{\"x\":\"2\"}}");
    assert_null(json_at(k.live, "metadata.managedFields"));
    update_text(&k, "b", NULL,
                "{\"metadata\":{\"name\":\"web\",\"uid\":\"u\"},\"data\":{\"x\":\"3\"}}"); /* not tracked again */
    assert_null(json_at(k.live, "metadata.managedFields"));
    assert_ok(apply_text(&k, "c", "{\"data\":{\"y\":\"1\"}}", false));
    assert_string_equal(owned_by(&k, "before-first-apply", &out), "{\"f:data\":{\".\":{},\"f:x\":{}}}");
    assert_string_equal(owned_by(&k, "c", &out), "{\"f:data\":{\"f:y\":{}}}");
    buf_release(&out);
    desk_free(&k);
}

static void test_cap_and_order(void **state)
{
    (void)state;
    struct desk k = DESK(kind_configmap);
    struct buf out = {0}, text = {0};
    buf_append_str(&text, "{\"metadata\":{\"name\":\"web\"},\"data\":{");
    for (int i = 0; i < 13; i++) {
        char manager[16];
        (void)snprintf(manager, sizeof manager, "m%02d", i);
        buf_printf(&text, "%s\"k%02d\":\"1\"", i > 0 ? "," : "", i);
        struct buf object = {0};
        buf_append_slice(&object, buf_slice(&text));
        buf_append_str(&object, "}}");
        update_text(&k, manager, NULL, object.data);
        buf_release(&object);
        k.now_us += 1000000;
    }
    assert_ok(apply_text(&k, "z", "{\"data\":{\"zz\":\"1\"}}", false));
    const struct json *list = json_at(k.live, "metadata.managedFields");
    assert_int_equal(json_size(list), MANAGER_UPDATES_MAX + 1);
    assert_string_equal(json_string_at(json_element(list, 0), "manager").data, "z"); /* appliers first */
    assert_string_equal(json_string_at(json_element(list, 1), "manager").data, "ancient-changes");
    assert_string_equal(json_string_at(json_element(list, 2), "manager").data, "m04");
    assert_string_equal(owned_by(&k, "ancient-changes", &out),
                        "{\"f:data\":{\".\":{},\"f:k00\":{},\"f:k01\":{},\"f:k02\":{},\"f:k03\":{}}}");
    buf_release(&out);
    buf_release(&text);
    desk_free(&k);
}

static void test_subresources(void **state)
{
    (void)state;
    struct desk k = DESK(kind_deployment);
    struct buf out = {0};
    update_text(&k, "a", NULL,
                "{\"metadata\":{\"name\":\"web\"},\"spec\":{\"replicas\":1},\"status\":{\"replicas\":9}}");
    assert_string_equal(owned_by(&k, "a", &out),
                        "{\"f:spec\":{\"f:replicas\":{}}}"); /* not the status: another endpoint's */
    update_text(&k, "a", "status",
                "{\"metadata\":{\"name\":\"web\"},\"spec\":{\"replicas\":1},\"status\":{\"replicas\":3}}");
    const struct json *list = json_at(k.live, "metadata.managedFields");
    assert_int_equal(json_size(list), 2);
    assert_string_equal(json_string_at(json_element(list, 1), "subresource").data, "status");
    assert_json(json_get(json_element(list, 1), "fieldsV1"), "{\"f:status\":{\"f:replicas\":{}}}");
    struct json *scaled = managed_of_scale(k.d, list, "f:spec f:replicas");
    assert_int_equal(json_size(scaled), 1);
    assert_string_equal(json_string_at(json_element(scaled, 0), "apiVersion").data, "autoscaling/v1");
    buf_release(&out);
    desk_free(&k);
}

/* ---- random objects ---- */

#define RANDOM_DEPTH 7

static struct json *random_value(struct random *r, struct json_doc *d, const struct field *f, int depth);

static struct json *random_object(struct random *r, struct json_doc *d, const struct type *t, int depth)
{
    struct json *o = json_new_object(d);
    for (const struct field *f = t->fields; f->name != NULL; f++) {
        if (f->flags & FIELD_INLINE) {
            struct json_iterator i = json_iterate(random_object(r, d, f->object, depth));
            while (json_next(&i))
                json_set_slice(d, o, i.key, json_copy(d, i.value));
            continue;
        }
        static const char *const own[] = {"apiVersion", "kind", "managedFields", "status", "creationTimestamp", "name"};
        bool skip = false;
        for (size_t i = 0; i < ARRAY_LEN(own); i++)
            skip = skip || (strcmp(f->name, own[i]) == 0 && depth >= RANDOM_DEPTH - 1);
        if (!skip && depth > 0 && random_below(r, depth >= RANDOM_DEPTH - 3 ? 2 : 5) == 0)
            json_set(d, o, f->name, random_value(r, d, f, depth - 1));
    }
    return o;
}

static struct json *random_leaf(struct random *r, struct json_doc *d, const struct field *f)
{
    static const char *const words[] = {"a", "b", "c"};
    const char *word = words[random_below(r, 3)];
    switch (f->type) {
    case FIELD_BOOL: return json_new_bool(d, random_below(r, 2) == 1);
    case FIELD_INT32:
    case FIELD_INT64:
    case FIELD_DOUBLE: return json_new_int(d, (int64_t)random_below(r, 3));
    case FIELD_BYTES: return json_new_str(d, "AAAA");
    case FIELD_QUANTITY: return json_new_str(d, random_below(r, 2) == 0 ? "1" : "2");
    case FIELD_TIME:
    case FIELD_MICRO_TIME:
        return json_new_str(d, random_below(r, 2) == 0 ? "2024-01-01T00:00:00Z" : "2025-01-01T00:00:00Z");
    case FIELD_INT_OR_STRING: return random_below(r, 2) == 0 ? json_new_int(d, 5) : json_new_str(d, word);
    default: return json_new_str(d, word);
    }
}

static struct json *random_list(struct random *r, struct json_doc *d, const struct field *f, int depth)
{
    struct json *list = json_new_array(d);
    struct field one = *f;
    one.shape = FIELD_ONE;
    size_t n = (size_t)random_below(r, 4);
    for (size_t i = 0; i < n; i++) {
        struct json *item = random_value(r, d, &one, depth);
        for (struct slice rest = slice_str(f->list == LIST_MAP ? f->list_keys : NULL); rest.data != NULL;) {
            const struct field *key = schema_field(f->object, slice_cut(&rest, ','));
            char name[64];
            (void)snprintf(name, sizeof name, "%s", key->name);
            if (json_get(item, name) == NULL)
                json_set(d, item, name, random_leaf(r, d, key));
        }
        bool twice = false;
        for (size_t k = 0; k < json_size(list) && f->list != LIST_ATOMIC; k++) {
            bool same = f->list == LIST_SET ? json_equal(json_element(list, k), item) : true;
            for (struct slice rest = slice_str(f->list == LIST_MAP ? f->list_keys : NULL); rest.data != NULL;) {
                struct slice key = slice_cut(&rest, ',');
                same = same && json_equal(json_get_slice(json_element(list, k), key), json_get_slice(item, key));
            }
            twice = twice || same;
        }
        if (!twice)
            json_append(list, item);
    }
    return list;
}

static struct json *random_value(struct random *r, struct json_doc *d, const struct field *f, int depth)
{
    if (f->shape == FIELD_LIST)
        return random_list(r, d, f, depth);
    if (f->shape == FIELD_MAP) {
        struct field one = *f;
        struct json *map = json_new_object(d);
        one.shape = FIELD_ONE;
        static const char *const keys[] = {"x", "y", "z.example.com/k"};
        for (size_t i = 0; i < ARRAY_LEN(keys); i++)
            if (random_below(r, 2) == 0)
                json_set(d, map, keys[i], random_value(r, d, &one, depth));
        return map;
    }
    return f->type == FIELD_OBJECT ? random_object(r, d, f->object, depth) : random_leaf(r, d, f);
}

static const struct field_set *entry_fields(struct arena *a, const struct json *object, const char *manager)
{
    struct managed m = {.list = NULL};
    const struct field_set *s = NULL;
    assert_ok(managed_read(&m, json_at(object, "metadata.managedFields"), NULL));
    for (size_t i = 0; i < m.count; i++)
        if (slice_is(m.list[i].manager, manager)) {
            struct json_doc *d = json_doc_new();
            assert_ok(field_set_parse(a, field_set_json(d, m.list[i].fields), &s, NULL));
            json_doc_free(d);
        }
    managed_release(&m);
    return s;
}

static void assert_subset(struct arena *a, const struct field_set *x, const struct field_set *y, uint64_t seed,
                          const char *what)
{
    const struct field_set *more = field_set_difference(a, x, y);
    struct buf out = {0};
    field_set_each(more, append_path, &out);
    if (more != NULL)
        fail_msg("seed %llu: %s: %s", (unsigned long long)seed, what, out.data);
    buf_release(&out);
}

/* Empty objects and nulls may be of the canonical form, which nobody wrote. */
static void drop_empty(struct json *v)
{
    struct json_iterator i = json_iterate(v);
    while (json_next(&i)) {
        drop_empty(i.value);
        bool nothing = json_type(i.value) == JSON_NULL || (json_type(i.value) == JSON_OBJECT && json_size(i.value) == 0);
        if (nothing && json_type(v) == JSON_OBJECT)
            json_iterator_remove(&i);
    }
}

/* One pair of configurations over one kind. */
static void apply_pair(const struct kind *kind, uint64_t seed)
{
    struct prng prng;
    struct arena a = {0};
    struct desk k = {.d = json_doc_new(), .kind = kind, .now_us = 1000000};
    prng_seed(&prng, seed);
    struct random r = prng_random(&prng);
    struct managed m = {.list = NULL};
    struct managed_writer w = {kind, kind, "a", NULL, 0};
    const struct json *first = random_object(&r, k.d, kind->type, RANDOM_DEPTH),
                      *second = random_object(&r, k.d, kind->type, RANDOM_DEPTH);
    const struct field_set *of_first = managed_countable(&m, &w, typed_fields(&a, kind->type, first));
    const struct field_set *of_second = managed_countable(&m, &w, typed_fields(&a, kind->type, second));
    if (apply_tree(&k, "a", first, false) != 0)
        fail_msg("seed %llu: %s", (unsigned long long)seed, k.f.message.data);
    const struct json *once = k.live;
    assert_ok(apply_tree(&k, "a", first, false));
    if (!json_equal(once, k.live))
        fail_msg("seed %llu: applied twice is not the same as once", (unsigned long long)seed);
    assert_true(field_set_equal(entry_fields(&a, k.live, "a"), of_first));

    assert_ok(apply_tree(&k, "b", second, true));
    assert_true(field_set_equal(entry_fields(&a, k.live, "b"), of_second));
    struct json *merged = canonical(&k, typed_merge(k.d, kind->type, k.live, second));
    if (!json_equal(merged, k.live))
        fail_msg("seed %llu: the object has not what was forced upon it", (unsigned long long)seed);
    struct typed_changes c;
    typed_compare(&a, kind->type, NULL, once, k.live, &c);
    const struct field_set *taken = field_set_intersection(&a, entry_fields(&a, k.live, "a"), c.modified);
    assert_subset(&a, taken, NULL, seed, "lost, and still owned");
    struct json *shown = canonical(&k, k.live);
    (void)json_remove(json_get(shown, "metadata"), "managedFields");
    drop_empty(shown);
    const struct field_set *all = typed_fields(&a, kind->type, shown);
    all = managed_countable(&m, &w, all);
    const struct field_set *owners = field_set_union(&a, of_first, of_second);
    assert_subset(&a, typed_named(&a, kind->type, all), typed_named(&a, kind->type, owners), seed,
                  "in the object, and nobody's");

    if (apply_tree(&k, "b", json_new_object(k.d), false) != 0)
        fail_msg("seed %llu: %s", (unsigned long long)seed, k.f.message.data);
    assert_null(entry_fields(&a, k.live, "b"));
    managed_release(&m);
    arena_clear(&a);
    desk_free(&k);
}

static void test_random_pairs(void **state)
{
    (void)state;
    static const struct kind *const kinds[] = {&kind_deployment, &kind_service, &kind_pod, &kind_configmap};
    for (uint64_t seed = 1; seed <= 600; seed++)
        apply_pair(kinds[seed % ARRAY_LEN(kinds)], seed);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_set_texts),     cmocka_unit_test(test_set_operations),
        cmocka_unit_test(test_set_paths),     cmocka_unit_test(test_conflicts),
        cmocka_unit_test(test_lists),         cmocka_unit_test(test_complaints),
        cmocka_unit_test(test_last_applied),  cmocka_unit_test(test_untracked_and_reset),
        cmocka_unit_test(test_cap_and_order), cmocka_unit_test(test_subresources),
        cmocka_unit_test(test_random_pairs),
    };
    return RUN_TESTS(tests);
}
