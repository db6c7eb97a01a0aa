/* Ingest of one object: splicing the revision in, indexing labels and selectable fields, and matching selections. */
#include "common/base.h"

#include "apiserver/convert.h"
#include "apiserver/watch_cache.h"
#include "common/mem.h"

#include <inttypes.h>

struct cached *cached_ref(struct cached *o)
{
    o->references++;
    return o;
}

void cached_unref(struct cached *o)
{
    if (o == NULL || --o->references > 0)
        return;
    bytes_unref(o->json);
    mem_free(o->key);
    mem_free(o->labels);
    mem_free(o->fields);
    mem_free(o->text);
    mem_free(o);
}

/* Past the string that begins at `at` (its opening quote). */
static size_t skip_string(struct slice s, size_t at)
{
    for (at++; at < s.size && s.data[at] != '"'; at++)
        at += s.data[at] == '\\' ? 1 : 0;
    return at + 1;
}

/* Offset just behind `"metadata":{` of the outermost object. */
static bool find_metadata(struct slice s, size_t *ret)
{
    struct slice wanted = SLICE("\"metadata\":{");
    int depth = 0;
    for (size_t at = 0; at < s.size;) {
        char c = s.data[at];
        if (c == '"') {
            if (depth == 1 && slice_has_prefix(slice_from(s, at), wanted)) {
                *ret = at + wanted.size;
                return true;
            }
            at = skip_string(s, at);
            continue;
        }
        depth += c == '{' || c == '[' ? 1 : c == '}' || c == ']' ? -1 : 0;
        at++;
    }
    return false;
}

int splice_revision(struct slice stored, int64_t revision, struct buf *out, struct err *reterr)
{
    size_t at;
    if (!find_metadata(stored, &at))
        return err_set(reterr, ERR_CORRUPT, "a stored object has no metadata");
    buf_reserve(out, stored.size + 64);
    buf_append(out, stored.data, at);
    bool empty = at < stored.size && stored.data[at] == '}';
    buf_printf(out, "\"resourceVersion\":\"%" PRId64 "\"%s", revision, empty ? "" : ",");
    buf_append_slice(out, slice_from(stored, at));
    return 0;
}

#define REVISION_HEAD "\"resourceVersion\":\""

/* Where the revision's digits stand in bytes that splice_revision made. */
static struct slice revision_digits(struct slice json)
{
    size_t at;
    bool found = find_metadata(json, &at);
    ASSERT(found && slice_has_prefix(slice_from(json, at), SLICE(REVISION_HEAD)));
    at += strlen(REVISION_HEAD);
    return slice_of(json.data + at, slice_find(slice_from(json, at), '"'));
}

void unsplice_revision(struct slice json, struct buf *out)
{
    struct slice digits = revision_digits(json);
    size_t from = (size_t)(digits.data - json.data) - strlen(REVISION_HEAD);
    struct slice rest = slice_from(json, from + strlen(REVISION_HEAD) + digits.size + 1);
    if (rest.data[0] == ',')
        rest = slice_from(rest, 1);
    buf_reserve(out, json.size);
    buf_append(out, json.data, from);
    buf_append_slice(out, rest);
}

void restamp_revision(struct slice json, int64_t revision, struct buf *out)
{
    struct slice digits = revision_digits(json);
    size_t from = (size_t)(digits.data - json.data);
    buf_reserve(out, json.size + 16);
    buf_append(out, json.data, from);
    buf_printf(out, "%" PRId64, revision);
    buf_append_slice(out, slice_from(json, from + digits.size));
}

/* Appends a value's text and remembers its place as an offset until the buffer stands still. */
static struct slice keep(struct buf *out, struct slice value)
{
    size_t at = out->size;
    buf_append_slice(out, value);
    buf_append_char(out, '\0');
    return (struct slice){(const char *)(uintptr_t)at, value.size};
}

static void settle(struct slice *s, const char *text) { s->data = text + (uintptr_t)s->data; }

static struct slice scalar_text(const struct json *v, const char *absent)
{
    switch (json_type(v)) {
    case JSON_STRING: return json_string(v);
    case JSON_NUMBER: return json_number_text(v);
    case JSON_BOOL: return json_bool(v, false) ? SLICE("true") : SLICE("false");
    default: return slice_str(absent == NULL ? "" : absent);
    }
}

static size_t selectable_count(const struct kind *k)
{
    size_t n = 0;
    while (k->selectable != NULL && k->selectable[n].label != NULL)
        n++;
    return n;
}

#define SELECTABLE_MAX 32

static const char *path_of(const struct selectable *s) { return s->path == NULL ? s->label : s->path; }

/* Of an object only what it can be selected by is looked at. */
static int parse_index(const struct kind *k, struct json_doc *d, struct slice value, struct json **ret,
                       struct err *reterr)
{
    const char *paths[2 + SELECTABLE_MAX] = {"metadata.labels", "metadata.deletionTimestamp"};
    size_t n = selectable_count(k);
    ASSERT(n <= SELECTABLE_MAX);
    for (size_t i = 0; i < n; i++)
        paths[2 + i] = path_of(&k->selectable[i]);
    return json_parse_paths(d, value, paths, 2 + n, ret, reterr);
}

static void index_object(struct cached *o, const struct kind *k, const struct json *tree)
{
    struct buf text = {0};
    const struct json *labels = json_at(tree, "metadata.labels");
    size_t n = selectable_count(k);
    o->labels = mem_zalloc(json_size(labels) * sizeof *o->labels);
    o->fields = mem_zalloc(n * sizeof *o->fields);
    buf_append_char(&text, '\0');
    struct json_iterator i = json_iterate(labels);
    while (json_next(&i)) {
        struct label *l = &o->labels[o->label_count++];
        l->key = keep(&text, i.key);
        l->value = keep(&text, json_string(i.value));
    }
    for (size_t f = 0; f < n; f++) {
        const struct selectable *s = &k->selectable[f];
        o->fields[f] = keep(&text, scalar_text(json_at(tree, path_of(s)), s->absent));
    }
    for (size_t l = 0; l < o->label_count; l++) {
        settle(&o->labels[l].key, text.data);
        settle(&o->labels[l].value, text.data);
    }
    for (size_t f = 0; f < n; f++)
        settle(&o->fields[f], text.data);
    o->text = text.data;
    o->deleting = json_string_at(tree, "metadata.deletionTimestamp").size > 0;
}

int cached_new(const struct kind *k, struct slice key, struct slice value, int64_t revision, struct cached **ret,
               struct err *reterr)
{
    struct buf converted = {0};
    if (k->stored_as == NULL)
        return cached_new_converted(k, key, value, revision, ret, reterr);
    int code = convert_bytes(k, value, &converted, reterr);
    if (code == 0)
        code = cached_new_converted(k, key, buf_slice(&converted), revision, ret, reterr);
    else
        code = err_wrap(reterr, ERR_CORRUPT, "/registry/%s/%.*s", k->storage_prefix, SLICE_ARGS(key));
    buf_release(&converted);
    return code;
}

int cached_new_converted(const struct kind *k, struct slice key, struct slice value, int64_t revision,
                         struct cached **ret, struct err *reterr)
{
    struct json_doc *d = json_doc_new();
    struct json *tree;
    struct buf spliced = {0};
    int code = parse_index(k, d, value, &tree, reterr);
    if (code == 0)
        code = splice_revision(value, revision, &spliced, reterr);
    if (code == 0) {
        struct cached *o = NEW(struct cached);
        o->references = 1;
        o->json = bytes_new(buf_slice(&spliced));
        o->key = mem_slice_dup(key);
        o->revision = revision;
        struct slice rest = slice_of(o->key, key.size);
        if (k->namespaced)
            o->namespace = slice_cut(&rest, '/');
        o->name = rest;
        index_object(o, k, tree);
        *ret = o;
    } else {
        code = err_wrap(reterr, ERR_CORRUPT, "/registry/%s/%.*s", k->storage_prefix, SLICE_ARGS(key));
    }
    buf_release(&spliced);
    json_doc_free(d);
    return code;
}

static struct slice get_label(void *arg, struct slice key)
{
    const struct cached *o = arg;
    for (size_t i = 0; i < o->label_count; i++) {
        if (slice_equal(o->labels[i].key, key))
            return o->labels[i].value;
    }
    return (struct slice){NULL, 0};
}

struct field_reader {
    const struct kind *kind;
    const struct cached *object;
};

static struct slice get_field(void *arg, struct slice key)
{
    const struct field_reader *r = arg;
    if (slice_is(key, "metadata.name"))
        return r->object->name;
    if (slice_is(key, "metadata.namespace"))
        return r->object->namespace.data == NULL ? SLICE("") : r->object->namespace;
    for (size_t i = 0; r->kind->selectable != NULL && r->kind->selectable[i].label != NULL; i++) {
        if (slice_is(key, r->kind->selectable[i].label))
            return r->object->fields[i];
    }
    return (struct slice){NULL, 0};
}

bool selection_matches(const struct selection *s, const struct kind *k, const struct cached *o)
{
    if (s->namespace.size > 0 && !slice_equal(s->namespace, o->namespace))
        return false;
    struct field_reader reader = {k, o};
    return selector_matches(&s->fields, get_field, &reader) &&
           selector_matches(&s->labels, get_label, (void *)(uintptr_t)o);
}

static bool is_selectable(const struct kind *k, const char *label)
{
    if (strcmp(label, "metadata.name") == 0 || (strcmp(label, "metadata.namespace") == 0))
        return true;
    for (const struct selectable *s = k->selectable; s != NULL && s->label != NULL; s++) {
        if (strcmp(s->label, label) == 0)
            return true;
    }
    return false;
}

int selection_check(const struct selection *s, const struct kind *k, struct err *reterr)
{
    for (size_t i = 0; i < s->fields.count; i++) {
        if (is_selectable(k, s->fields.terms[i].key))
            continue;
        /* Kinds with field labels of their own say it in other words than those without. */
        return k->selectable == NULL
                   ? err_set(reterr, ERR_BAD_REQUEST,
                             "\"%s\" is not a known field selector: only \"metadata.name\", \"metadata.namespace\"",
                             s->fields.terms[i].key)
                   : err_set(reterr, ERR_BAD_REQUEST, "field label not supported: %s", s->fields.terms[i].key);
    }
    return 0;
}

bool event_type_for(const struct cache_event *e, const struct selection *s, const struct kind *k, enum event_type *ret)
{
    bool was = e->previous != NULL && selection_matches(s, k, e->previous);
    bool is = !e->is_delete && selection_matches(s, k, e->object);
    if (!was && !is)
        return false;
    *ret = !is ? EVENT_DELETED : was ? EVENT_MODIFIED : EVENT_ADDED;
    return true;
}
