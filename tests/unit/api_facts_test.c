/* Our tables beside the facts of the Kubernetes 1.32 API: from every kind down, each field with its name, type,
 * protobuf number, list type and keys, patch strategy and merge key, map type and whether it is required; each path
 * with its verbs. What is left out on purpose stands with its reason in api_facts_exempt.txt; an exemption that nothing
 * needs fails too.
 */
#include "tests/unit/api_facts.h"

#include "apiserver/kinds/kinds.h"
#include "apiserver/route.h"
#include "apiserver/schema.h"
#define FIXTURE_TOKENS true /* the issuer's documents */
#include "tests/unit/api_fixture.h"

#include <fnmatch.h>

#define EXEMPT_FILE "tests/unit/api_facts_exempt.txt"
#define DIFFERENCES_SHOWN 4000

struct exemption {
    char *pattern;
    size_t used;
};

struct look {
    struct facts facts;
    struct exemption exempt[512];
    size_t exempt_count;
    struct map seen; /* pairs of definition and table that have been compared */
    size_t differences, compared;
    bool fields_done, paths_done;
    struct buf message, text;
};

static void exemptions_load(struct look *l)
{
    char line[1024];
    FILE *f = fopen(EXEMPT_FILE, "r");
    if (f == NULL)
        fail_msg("%s is missing: run the test in the root of the repository", EXEMPT_FILE);
    while (fgets(line, sizeof line, f) != NULL) {
        char *reason = strchr(line, '\t');
        if (line[0] == '#' || line[0] == '\n')
            continue;
        if (reason == NULL || strlen(reason) < 10)
            fail_msg("%s: no reason: %s", EXEMPT_FILE, line);
        *reason = '\0';
        assert_true(l->exempt_count < ARRAY_LEN(l->exempt));
        l->exempt[l->exempt_count++].pattern = mem_strdup(line);
    }
    assert_ok(fclose(f));
}

static int look_setup(void **state)
{
    struct look *l = NEW(struct look);
    facts_load(&l->facts);
    exemptions_load(l);
    *state = l;
    return 0;
}

static int look_teardown(void **state)
{
    struct look *l = *state;
    for (size_t i = 0; i < l->exempt_count; i++)
        mem_free(l->exempt[i].pattern);
    map_release(&l->seen);
    buf_release(&l->message);
    buf_release(&l->text);
    facts_release(&l->facts);
    mem_free(l);
    return 0;
}

/* `name` is a group and version, a method and path, or a definition's field. */
static bool is_exempt(struct look *l, const char *name)
{
    bool found = false;
    for (size_t i = 0; i < l->exempt_count; i++) {
        if (fnmatch(l->exempt[i].pattern, name, 0) != 0)
            continue;
        l->exempt[i].used++;
        found = true;
    }
    return found;
}

static void differs(struct look *l, const char *name, const char *format, ...) PRINTF_ARGS(3, 4);
static void differs(struct look *l, const char *name, const char *format, ...)
{
    char text[512];
    va_list args;
    if (is_exempt(l, name))
        return;
    va_start(args, format);
    (void)vsnprintf(text, sizeof text, format, args); /* cut when longer */
    va_end(args);
    if (l->differences++ < DIFFERENCES_SHOWN)
        print_error("%s: %s\n", name, text);
}

/* --- fields --- */

/* Types that are one value in JSON though they are definitions of their own. */
static const struct {
    const char *definition;
    enum field_type type;
} values[] = {
    {"io.k8s.apimachinery.pkg.api.resource.Quantity", FIELD_QUANTITY},
    {"io.k8s.apimachinery.pkg.util.intstr.IntOrString", FIELD_INT_OR_STRING},
    {"io.k8s.apimachinery.pkg.apis.meta.v1.Time", FIELD_TIME},
    {"io.k8s.apimachinery.pkg.apis.meta.v1.MicroTime", FIELD_MICRO_TIME},
    {"io.k8s.apimachinery.pkg.apis.meta.v1.Duration", FIELD_DURATION},
};

static const char *const type_words[] = {
    [FIELD_STRING] = "string",
    [FIELD_BOOL] = "bool",
    [FIELD_INT32] = "int32",
    [FIELD_INT64] = "int64",
    [FIELD_DOUBLE] = "double",
    [FIELD_BYTES] = "bytes",
    [FIELD_OBJECT] = "object",
    [FIELD_QUANTITY] = "quantity",
    [FIELD_INT_OR_STRING] = "int-or-string",
    [FIELD_TIME] = "time",
    [FIELD_MICRO_TIME] = "micro-time",
    [FIELD_DURATION] = "duration",
    [FIELD_RAW] = "any",
};

/* What a property should be in our table. */
struct wanted {
    enum field_type type;
    enum field_shape shape;
    struct slice definition; /* of FIELD_OBJECT */
};

static struct slice reference(const struct json *p)
{
    struct slice ref = json_string_at(p, "$ref"), prefix = SLICE("#/definitions/");
    return slice_has_prefix(ref, prefix) ? slice_from(ref, prefix.size) : (struct slice){NULL, 0};
}

static void wanted_value(const struct look *l, const struct json *p, struct wanted *w)
{
    struct slice ref = reference(p), type = json_string_at(p, "type"), format = json_string_at(p, "format");
    w->type = FIELD_RAW;
    for (size_t i = 0; i < ARRAY_LEN(values); i++) {
        if (slice_is(ref, values[i].definition)) {
            w->type = values[i].type;
            return;
        }
    }
    if (ref.size > 0 && json_get(json_get_slice(l->facts.definitions, ref), "properties") != NULL) {
        w->type = FIELD_OBJECT;
        w->definition = ref;
    } else if (slice_is(type, "string")) {
        w->type = slice_is(format, "byte") ? FIELD_BYTES : slice_is(format, "date-time") ? FIELD_TIME : FIELD_STRING;
    } else if (slice_is(type, "boolean")) {
        w->type = FIELD_BOOL;
    } else if (slice_is(type, "integer")) {
        w->type = slice_is(format, "int64") ? FIELD_INT64 : FIELD_INT32;
    } else if (slice_is(type, "number")) {
        w->type = FIELD_DOUBLE;
    }
}

static struct wanted wanted_field(const struct look *l, const struct json *p)
{
    struct wanted w = {.shape = FIELD_ONE};
    if (slice_is(json_string_at(p, "type"), "array")) {
        w.shape = FIELD_LIST;
        p = json_get(p, "items");
    } else if (slice_is(json_string_at(p, "type"), "object") && json_get(p, "additionalProperties") != NULL) {
        w.shape = FIELD_MAP;
        p = json_get(p, "additionalProperties");
    }
    wanted_value(l, p, &w);
    return w;
}

/* The way to a field on the wire as our table has it; empty when it has none. */
static bool own_number(const struct type *t, struct slice name, struct buf *out)
{
    for (const struct field *f = t->fields; f->name != NULL; f++) {
        size_t mark = out->size;
        bool nested = f->flags & FIELD_INLINE;
        if (f->proto != 0)
            buf_printf(out, "%s%u", mark > 0 ? "." : "", f->proto);
        if (nested ? own_number(f->object, name, out) : slice_is(name, f->name))
            return true;
        out->size = mark;
    }
    return false;
}

static void compare_number(struct look *l, const char *name, struct slice definition, const struct type *t,
                           struct slice field)
{
    struct buf theirs = {0}, ours = {0};
    facts_message_of(definition, &l->message);
    if (facts_message(&l->facts, buf_slice(&l->message)) && !slice_is(field, "kind") &&
        !slice_is(field, "apiVersion")) {
        (void)facts_number(&l->facts, buf_slice(&l->message), field, &theirs); /* empty: none */
        (void)own_number(t, field, &ours);
        if (!slice_equal(buf_slice(&theirs), buf_slice(&ours)))
            differs(l, name, "protobuf number %.*s, not %.*s", SLICE_ARGS(buf_slice(&ours)),
                    SLICE_ARGS(buf_slice(&theirs)));
    }
    buf_release(&theirs);
    buf_release(&ours);
}

static void keys_text(const struct json *keys, struct buf *out)
{
    struct json_iterator i = json_iterate(keys);
    buf_reset(out);
    buf_append(out, "", 0);
    while (json_next(&i))
        buf_printf(out, "%s%.*s", i.position > 1 ? "," : "", SLICE_ARGS(json_string(i.value)));
}

static void compare_list(struct look *l, const char *name, const struct json *p, const struct field *f)
{
    struct slice type = json_string_at(p, "x-kubernetes-list-type");
    enum list_kind list = slice_is(type, "map") ? LIST_MAP : slice_is(type, "set") ? LIST_SET : LIST_ATOMIC;
    if (f->list != list)
        differs(l, name, "list type %d, not %.*s", (int)f->list, SLICE_ARGS(type));
    keys_text(json_get(p, "x-kubernetes-list-map-keys"), &l->text);
    if (strcmp(f->list_keys == NULL ? "" : f->list_keys, l->text.data) != 0)
        differs(l, name, "list keys %s, not %s", f->list_keys, l->text.data);
}

static void compare_patch(struct look *l, const char *name, const struct json *p, const struct field *f)
{
    struct slice strategy = json_string_at(p, "x-kubernetes-patch-strategy"), rest = strategy;
    struct slice key = json_string_at(p, "x-kubernetes-patch-merge-key");
    unsigned wanted = PATCH_REPLACE;
    while (rest.size > 0) {
        struct slice word = slice_cut(&rest, ',');
        wanted |= slice_is(word, "merge")        ? PATCH_MERGE
                  : slice_is(word, "retainKeys") ? PATCH_RETAIN_KEYS
                                                 : PATCH_REPLACE;
    }
    if (f->patch != wanted)
        differs(l, name, "patch strategy %u, not %.*s", f->patch, SLICE_ARGS(strategy));
    if (!slice_is(key, f->merge_key == NULL ? "" : f->merge_key))
        differs(l, name, "merge key %s, not %.*s", f->merge_key, SLICE_ARGS(key));
}

static bool is_required(const struct json *definition, struct slice field)
{
    struct json_iterator i = json_iterate(json_get(definition, "required"));
    while (json_next(&i)) {
        if (slice_equal(json_string(i.value), field))
            return true;
    }
    return false;
}

static bool is_atomic_map(const struct json *v)
{
    return slice_is(json_string_at(v, "x-kubernetes-map-type"), "atomic");
}

static void compare_type(struct look *l, struct slice name, const struct type *t);

static void compare_field(struct look *l, struct slice definition, const struct type *t, struct slice field,
                          const struct json *p)
{
    char name[256];
    (void)snprintf(name, sizeof name, "%.*s.%.*s", SLICE_ARGS(definition), SLICE_ARGS(field)); /* facts are shorter */
    const struct field *f = schema_field(t, field);
    struct wanted w = wanted_field(l, p);
    l->compared++;
    if (f == NULL) {
        differs(l, name, "is not in the table of %s", t->name);
        return;
    }
    if (f->type != w.type || f->shape != w.shape)
        differs(l, name, "%s of shape %d, not %s of shape %d", type_words[f->type], (int)f->shape, type_words[w.type],
                (int)w.shape);
    compare_number(l, name, definition, t, field);
    compare_list(l, name, p, f);
    compare_patch(l, name, p, f);
    if (((f->flags & FIELD_ATOMIC) != 0) != is_atomic_map(p))
        differs(l, name, "atomic map: %d", !is_atomic_map(p));
    bool required = is_required(json_get_slice(l->facts.definitions, definition), field);
    if (schema_requires(f) != required)
        differs(l, name, required ? "is required" : "is not required");
    if (f->type == FIELD_OBJECT && w.type == FIELD_OBJECT)
        compare_type(l, w.definition, f->object);
}

/* Fields of ours that nobody else has. */
static void compare_own(struct look *l, struct slice definition, const struct type *t, const struct json *properties)
{
    char name[256];
    for (const struct field *f = t->fields; f->name != NULL; f++) {
        (void)snprintf(name, sizeof name, "%.*s.%s", SLICE_ARGS(definition), f->name); /* fits */
        if (f->flags & FIELD_INLINE)
            compare_own(l, definition, f->object, properties);
        else if (json_get(properties, f->name) == NULL)
            differs(l, name, "is not in the API");
    }
}

static void compare_type(struct look *l, struct slice definition, const struct type *t)
{
    struct buf pair = {0};
    buf_printf(&pair, "%.*s %p", SLICE_ARGS(definition), (const void *)t);
    bool seen = map_put(&l->seen, buf_slice(&pair), l) != NULL;
    buf_release(&pair);
    if (seen)
        return;
    const struct json *known = json_get_slice(l->facts.definitions, definition),
                      *properties = json_get(known, "properties");
    struct json_iterator i = json_iterate(properties);
    while (json_next(&i))
        compare_field(l, definition, t, i.key, i.value);
    compare_own(l, definition, t, properties);
    if (t->atomic != is_atomic_map(known)) {
        char name[256];
        (void)snprintf(name, sizeof name, "%.*s", SLICE_ARGS(definition)); /* fits */
        differs(l, name, "atomic: %d", t->atomic);
    }
}

static bool out_of_scope(struct look *l, const struct json *gvk)
{
    char name[128];
    (void)snprintf(name, sizeof name, "%.*s/%.*s", SLICE_ARGS(json_string_at(gvk, "group")),
                   SLICE_ARGS(json_string_at(gvk, "version"))); /* fits */
    return is_exempt(l, name);
}

static void compare_kind(struct look *l, struct slice definition, const struct json *gvk)
{
    char name[256];
    if (out_of_scope(l, gvk))
        return;
    (void)snprintf(name, sizeof name, "%.*s", SLICE_ARGS(definition)); /* fits */
    struct slice group = json_string_at(gvk, "group"), kind = json_string_at(gvk, "kind");
    const struct kind *k = kinds_find_name(group, json_string_at(gvk, "version"), kind);
    if (k != NULL)
        compare_type(l, definition, k->type);
    else if (!slice_has_suffix(kind, SLICE("List")) || slice_is(kind, "List"))
        differs(l, name, "no kind %.*s of group \"%.*s\"", SLICE_ARGS(kind), SLICE_ARGS(group));
}

static void test_fields(void **state)
{
    struct look *l = *state;
    struct json_iterator i = json_iterate(l->facts.definitions);
    while (json_next(&i)) {
        struct json *gvks = json_get(i.value, "x-kubernetes-group-version-kind");
        /* Types of many groups (DeleteOptions, WatchEvent) are no kinds of one. */
        if (json_size(gvks) == 1)
            compare_kind(l, i.key, json_element(gvks, 0));
    }
    l->fields_done = true;
    print_message("%zu fields compared\n", l->compared);
    assert_true(l->compared > 1000);
    if (l->differences > 0)
        fail_msg("%zu differences", l->differences);
}

/* --- paths --- */

static const char *verb_of(struct slice action)
{
    static const struct {
        const char *action, *verb;
    } verbs[] = {{"get", "get"},     {"list", "list"},
                 {"watch", "watch"}, {"watchlist", "watch"},
                 {"post", "create"}, {"put", "update"},
                 {"patch", "patch"}, {"delete", "delete"},
                 {"connect", NULL},  {"deletecollection", "deletecollection"}};
    for (size_t i = 0; i < ARRAY_LEN(verbs); i++) {
        if (slice_is(action, verbs[i].action))
            return verbs[i].verb;
    }
    return NULL;
}

/* A path with its parameters filled in. */
static void example(struct slice pattern, struct buf *out)
{
    buf_reset(out);
    while (pattern.size > 0) {
        const char *open = memchr(pattern.data, '{', pattern.size);
        size_t n = open == NULL ? pattern.size : (size_t)(open - pattern.data);
        buf_append(out, pattern.data, n);
        pattern = slice_from(pattern, n);
        if (pattern.size == 0)
            break;
        struct slice word = slice_cut(&pattern, '}');
        buf_append_str(out, slice_is(word, "{namespace}") ? "default" : "an-example");
    }
}

static void upper(struct slice method, char text[16])
{
    size_t n = MIN(method.size, (size_t)15);
    for (size_t i = 0; i < n; i++)
        text[i] = (char)(method.data[i] - ('a' - 'A'));
    text[n] = '\0';
}

/* Whether the core knows path and method: anything but the answers of an unknown path and of a method not served. */
static void compare_method(struct look *l, struct fixture *f, struct slice path, struct slice method,
                           const struct json *facts)
{
    char name[256], word[16];
    struct buf text = {0}, line = {0};
    upper(method, word);
    (void)snprintf(name, sizeof name, "%s %.*s", word, SLICE_ARGS(path)); /* fits */
    example(path, &text);
    buf_printf(&line, "%s %s?timeoutSeconds=1", word, text.data);
    struct client c = {.status = 0};
    client_send(f, &c, line.data, "application/json", NULL, SLICE(""));
    bool unknown =
        c.status == 404 && (strstr(c.answer.data, "the server could not find the requested resource") != NULL ||
                            strstr(c.answer.data, "404 page not found") != NULL);
    if (unknown || c.status == 405)
        differs(l, name, "is not served: %d", c.status);
    struct route r;
    route_parse(&c.x.request, &r);
    const char *verb = verb_of(json_string_at(facts, "action"));
    if (verb != NULL && !unknown && strcmp(r.verb, verb) != 0)
        differs(l, name, "is taken for the verb %s", r.verb);
    if (!c.ended)
        c.x.gone(&c.x); /* a stream, or a wait for a node */
    direct_run_ms(&f->d, 1);
    client_release(&c);
    buf_release(&text);
    buf_release(&line);
}

static void test_paths(void **state)
{
    struct look *l = *state;
    void *opaque = NULL;
    setup(&opaque);
    struct json_iterator i = json_iterate(l->facts.paths);
    l->differences = 0;
    while (json_next(&i)) {
        struct json_iterator m = json_iterate(i.value);
        while (json_next(&m)) {
            const struct json *gvk = json_get(m.value, "gvk");
            if (gvk == NULL || !out_of_scope(l, gvk))
                compare_method(l, opaque, i.key, m.key, m.value);
        }
    }
    teardown(&opaque);
    l->paths_done = true;
    if (l->differences > 0)
        fail_msg("%zu paths or methods are missing", l->differences);
}

static void test_exemptions_are_needed(void **state)
{
    struct look *l = *state;
    size_t idle = 0;
    if (!l->fields_done || !l->paths_done)
        skip(); /* a filter left them out */
    for (size_t i = 0; i < l->exempt_count; i++) {
        if (l->exempt[i].used > 0)
            continue;
        print_error("%s: nothing needs this exemption: %s\n", EXEMPT_FILE, l->exempt[i].pattern);
        idle++;
    }
    assert_int_equal(idle, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_fields),
        cmocka_unit_test(test_paths),
        cmocka_unit_test(test_exemptions_are_needed),
    };
    cmocka_set_test_filter(test_filter());
    return cmocka_run_group_tests_name(__FILE__, tests, look_setup, look_teardown);
}
