/* Ingest of one object: splicing the revision in, indexing labels and selectable fields, and matching selections. */
#include "common/base.h"

#include "apiserver/convert.h"
#include "apiserver/names.h"
#include "apiserver/watch_cache.h"
#include "common/json_scan.h"
#include "common/mem.h"

#include <inttypes.h>
#include <stdio.h>

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
    json_doc_free(o->texts);
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

#define REVISION_HEAD "\"resourceVersion\":\""

/* What is put in, and where. */
static int revision_text(struct slice stored, int64_t revision, char text[64], size_t *ret_size, size_t *ret_at,
                         struct err *reterr)
{
    if (!find_metadata(stored, ret_at))
        return err_set(reterr, ERR_CORRUPT, "a stored object has no metadata");
    bool empty = *ret_at < stored.size && stored.data[*ret_at] == '}';
    *ret_size = (size_t)snprintf(text, 64, REVISION_HEAD "%" PRId64 "\"%s", revision, empty ? "" : ","); /* fits */
    return 0;
}

int splice_revision(struct slice stored, int64_t revision, struct buf *out, struct err *reterr)
{
    char text[64];
    size_t at, size;
    int code = revision_text(stored, revision, text, &size, &at, reterr);
    if (code != 0)
        return code;
    buf_reserve(out, stored.size + size);
    buf_append(out, stored.data, at);
    buf_append(out, text, size);
    buf_append_slice(out, slice_from(stored, at));
    return 0;
}

static int spliced_new(struct slice stored, int64_t revision, struct bytes **ret, struct err *reterr)
{
    char text[64];
    size_t at, size;
    int code = revision_text(stored, revision, text, &size, &at, reterr);
    if (code != 0)
        return code;
    struct bytes *b = *ret = bytes_alloc(stored.size + size);
    memcpy(b->data, stored.data, at);
    memcpy(b->data + at, text, size);
    memcpy(b->data + at + size, stored.data + at, stored.size - at);
    return 0;
}

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

/* A value as selectors compare it: strings without their quotes, read only when they have escapes. */
static struct slice text_of(struct cached *o, struct slice raw, const char *absent)
{
    struct json *read;
    if (raw.data == NULL || raw.data[0] == '{' || raw.data[0] == '[' || slice_is(raw, "null"))
        return slice_str(absent == NULL ? "" : absent);
    if (raw.data[0] != '"')
        return raw;
    if (memchr(raw.data, '\\', raw.size) == NULL)
        return slice_of(raw.data + 1, raw.size - 2);
    if (o->texts == NULL)
        o->texts = json_doc_new();
    return json_parse(o->texts, raw, &read, NULL) == 0 ? json_string(read) : SLICE("");
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
enum { PICK_LABELS, PICK_DELETED, PICK_FIELDS };

static int pick_index(const struct kind *k, size_t fields, struct slice json, struct slice *ret, struct err *reterr)
{
    const char *paths[PICK_FIELDS + SELECTABLE_MAX] = {"metadata.labels", "metadata.deletionTimestamp"};
    ASSERT(fields <= SELECTABLE_MAX);
    for (size_t i = 0; i < fields; i++)
        paths[PICK_FIELDS + i] = path_of(&k->selectable[i]);
    return json_pick(json, paths, PICK_FIELDS + fields, ret, reterr);
}

static uint32_t count_members(struct slice object)
{
    struct slice name, value;
    uint32_t n = 0;
    for (size_t at = 0; json_pick_member(object, &at, &name, &value);)
        n++;
    return n;
}

static void index_object(struct cached *o, const struct kind *k, size_t fields, const struct slice *picked)
{
    struct slice key, value;
    size_t at = 0;
    for (struct label *l = o->labels; json_pick_member(picked[PICK_LABELS], &at, &key, &value); l++)
        *l = (struct label){text_of(o, key, NULL), text_of(o, value, NULL)};
    for (size_t f = 0; f < fields; f++)
        o->fields[f] = text_of(o, picked[PICK_FIELDS + f], k->selectable[f].absent);
    o->deleting = text_of(o, picked[PICK_DELETED], NULL).size > 0;
}

static struct cached *cached_alloc(struct slice key, uint32_t labels, size_t fields)
{
    struct cached *o =
        mem_alloc(sizeof *o + labels * sizeof o->labels[0] + fields * sizeof o->fields[0] + key.size + 1);
    *o = (struct cached){.references = 1, .label_count = labels, .key_size = key.size};
    o->labels = (struct label *)(o + 1);
    o->fields = (struct slice *)(o->labels + labels);
    o->key = (char *)(o->fields + fields);
    memcpy(o->key, key.data, key.size);
    o->key[key.size] = '\0';
    return o;
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
    struct slice picked[PICK_FIELDS + SELECTABLE_MAX];
    struct bytes *json = NULL;
    size_t fields = selectable_count(k);
    /* Someone may have had a hand in the store, and whoever reads the cache relies on it. */
    int code = json_check(value, reterr);
    if (code == 0)
        code = spliced_new(value, revision, &json, reterr);
    if (code == 0)
        code = pick_index(k, fields, bytes_slice(json), picked, reterr);
    if (code != 0) {
        bytes_unref(json);
        return err_wrap(reterr, ERR_CORRUPT, "/registry/%s/%.*s", k->storage_prefix, SLICE_ARGS(key));
    }
    struct cached *o = cached_alloc(key, count_members(picked[PICK_LABELS]), fields);
    o->json = json;
    o->revision = revision;
    struct slice rest = cached_key(o);
    if (k->namespaced)
        o->namespace = slice_cut(&rest, '/');
    o->name = rest;
    index_object(o, k, fields, picked);
    *ret = o;
    return 0;
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

/* Where a value stands among all of its term once they are sorted, which is how the reference counts them. */
static size_t sorted_index(const struct selector_term *t, const char *value)
{
    size_t smaller = 0;
    for (size_t i = 0; i < t->value_count; i++)
        smaller += strcmp(t->values[i], value) < 0 ? 1 : 0;
    return smaller;
}

/* Keys and values are such as labels can have. */
static int check_labels(const struct selector *labels, struct err *reterr)
{
    struct err why;
    for (size_t i = 0; i < labels->count; i++) {
        const struct selector_term *t = &labels->terms[i];
        if (name_check_qualified(slice_str(t->key), &why) != 0)
            return err_set(reterr, ERR_BAD_REQUEST, "unable to parse requirement: <nil>: Invalid value: \"%s\": %s",
                           t->key, why.message);
        for (size_t v = 0; v < t->value_count; v++)
            if (name_check_label_value(slice_str(t->values[v]), &why) != 0)
                return err_set(reterr, ERR_BAD_REQUEST,
                               "unable to parse requirement: values[%zu][%s]: Invalid value: \"%s\": %s",
                               sorted_index(t, t->values[v]), t->key, t->values[v], why.message);
    }
    return 0;
}

int selection_check(const struct selection *s, const struct kind *k, struct err *reterr)
{
    int code = check_labels(&s->labels, reterr);
    if (code != 0)
        return code;
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
