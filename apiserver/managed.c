#include "common/base.h"

#include "apiserver/kinds/kinds.h"
#include "apiserver/managed.h"
#include "apiserver/schema.h"
#include "common/clock.h"

#include <stdlib.h>

void managed_release(struct managed *m)
{
    mem_free(m->list);
    arena_clear(&m->arena);
    *m = (struct managed){.list = NULL};
}

static struct managed_entry *append(struct managed *m, const struct managed_entry *e)
{
    if (m->count == m->capacity) {
        m->capacity = m->capacity == 0 ? 8 : m->capacity * 2;
        m->list = mem_realloc(m->list, m->capacity * sizeof *m->list);
    }
    m->list[m->count] = *e;
    return &m->list[m->count++];
}

/* An applier is one whatever version it speaks. */
static bool same_identity(const struct managed_entry *a, const struct managed_entry *b)
{
    return a->apply == b->apply && slice_equal(a->manager, b->manager) && slice_equal(a->subresource, b->subresource) &&
           (a->apply || slice_equal(a->api_version, b->api_version));
}

static size_t find_or_append(struct managed *m, const struct managed_entry *wanted)
{
    for (size_t i = 0; i < m->count; i++)
        if (same_identity(&m->list[i], wanted))
            return i;
    append(m, wanted);
    return m->count - 1;
}

static int read_entry(struct managed *m, const struct json *v, size_t index, bool lazily, struct err *reterr)
{
    struct slice operation = json_string_at(v, "operation"), type = json_string_at(v, "fieldsType");
    struct managed_entry e = {
        .manager = arena_slice(&m->arena, json_string_at(v, "manager")),
        .api_version = arena_slice(&m->arena, json_string_at(v, "apiVersion")),
        .time = arena_slice(&m->arena, json_string_at(v, "time")),
        .subresource = arena_slice(&m->arena, json_string_at(v, "subresource")),
        .apply = slice_is(operation, "Apply"),
    };
    if (!e.apply && !slice_is(operation, "Update"))
        return err_set(reterr, ERR_BAD_REQUEST, "operation must be `Apply` or `Update`");
    if (e.api_version.size == 0)
        return err_set(reterr, ERR_BAD_REQUEST, "apiVersion must not be empty");
    if (!slice_is(type, "FieldsV1"))
        return err_set(reterr, ERR_BAD_REQUEST,
                       type.size == 0 ? "missing fieldsType in managed fields entry %zu"
                                      : "invalid fieldsType in managed fields entry %zu",
                       index);
    const struct json *fields = json_get(v, "fieldsV1");
    if (lazily && json_size(fields) > 0)
        e.unread = fields;
    int code = fields == NULL || lazily ? 0 : field_set_parse(&m->arena, fields, &e.fields, reterr);
    if (code != 0)
        return code;
    size_t at = find_or_append(m, &e); /* of two of one identity the later counts */
    m->list[at] = e;
    return 0;
}

static int read_list(struct managed *m, const struct json *list, bool lazily, struct err *reterr)
{
    struct json_iterator i = json_iterate(list);
    while (json_type(list) == JSON_ARRAY && json_next(&i)) {
        int code = read_entry(m, i.value, i.position - 1, lazily, reterr);
        if (code != 0) {
            managed_release(m);
            return code;
        }
    }
    return 0;
}

int managed_read(struct managed *m, const struct json *list, struct err *reterr)
{
    return read_list(m, list, false, reterr);
}

int managed_read_stored(struct managed *m, const struct json *list, struct err *reterr)
{
    return read_list(m, list, true, reterr);
}

const struct field_set *managed_fields(struct managed *m, struct managed_entry *e)
{
    if (e->unread != NULL && field_set_parse(&m->arena, e->unread, &e->fields, NULL) != 0)
        e->fields = NULL;
    e->unread = NULL;
    return e->fields;
}

/* Takes from an entry; one that owns nothing of it is not even read. */
static void subtract(struct managed *m, struct managed_entry *e, const struct field_set *s)
{
    if (e->unread == NULL || field_set_touches(e->unread, s))
        e->fields = field_set_difference(&m->arena, managed_fields(m, e), s);
}

static int64_t seconds_of(struct slice time)
{
    int64_t us;
    return time.size > 0 && time_parse(time, &us) == 0 ? us / 1000000 : 0;
}

static int entry_order(const void *a, const void *b)
{
    const struct managed_entry *x = a, *y = b;
    int64_t p = seconds_of(x->time), q = seconds_of(y->time);
    int order = (x->apply ? 0 : 1) - (y->apply ? 0 : 1);
    if (order == 0)
        order = (p > q) - (p < q);
    if (order == 0)
        order = slice_compare(x->manager, y->manager);
    if (order == 0)
        order = slice_compare(x->api_version, y->api_version);
    return order != 0 ? order : slice_compare(x->subresource, y->subresource);
}

static void drop_empty(struct managed *m)
{
    size_t kept = 0;
    for (size_t i = 0; i < m->count; i++)
        if (m->list[i].fields != NULL || m->list[i].unread != NULL)
            m->list[kept++] = m->list[i];
    m->count = kept;
}

static struct json *entry_json(struct json_doc *d, const struct managed_entry *e)
{
    struct json *o = json_new_object(d);
    json_set_string(d, o, "manager", e->manager);
    json_set_str(d, o, "operation", e->apply ? "Apply" : "Update");
    json_set_string(d, o, "apiVersion", e->api_version);
    if (e->time.size > 0)
        json_set_string(d, o, "time", e->time);
    json_set_str(d, o, "fieldsType", "FieldsV1");
    json_set(d, o, "fieldsV1", e->unread != NULL ? json_share(d, e->unread) : field_set_json(d, e->fields));
    if (e->subresource.size > 0)
        json_set_string(d, o, "subresource", e->subresource);
    return o;
}

struct json *managed_json(struct managed *m, struct json_doc *d)
{
    drop_empty(m);
    if (m->count == 0)
        return NULL;
    qsort(m->list, m->count, sizeof *m->list, entry_order);
    struct json *list = json_new_array(d);
    for (size_t i = 0; i < m->count; i++)
        json_append(list, entry_json(d, &m->list[i]));
    return list;
}

static struct slice now_text(struct managed *m, const struct managed_writer *w)
{
    char text[TIME_TEXT_MAX];
    time_format(w->now_us, 0, text);
    return arena_slice(&m->arena, slice_str(text));
}

static size_t entry_for(struct managed *m, const struct managed_writer *w, const char *manager, const char *subresource,
                        bool apply)
{
    char version[128];
    struct managed_entry wanted = {
        .manager = arena_slice(&m->arena, slice_str(manager)),
        .api_version = arena_slice(&m->arena, slice_str(kinds_api_version(w->kind, version))),
        .subresource = arena_slice(&m->arena, slice_str(subresource)),
        .apply = apply,
    };
    size_t at = find_or_append(m, &wanted);
    m->list[at].api_version = wanted.api_version;
    m->list[at].time = now_text(m, w);
    return at;
}

size_t managed_entry_of(struct managed *m, const struct managed_writer *w, bool apply)
{
    bool named = w->manager != NULL && *w->manager != '\0';
    return entry_for(m, w, named ? w->manager : "unknown", w->subresource, apply);
}

size_t managed_entry_named(struct managed *m, const struct managed_writer *w, const char *manager)
{
    return entry_for(m, w, manager, NULL, false);
}

/* Never tracked: what the server alone writes, and what every object has. */
static const struct field_set *stripped(struct arena *a)
{
    static const char *const paths[] = {
        "f:apiVersion",
        "f:kind",
        "f:metadata",
        "f:metadata f:name",
        "f:metadata f:namespace",
        "f:metadata f:creationTimestamp",
        "f:metadata f:deletionTimestamp",
        "f:metadata f:deletionGracePeriodSeconds",
        "f:metadata f:selfLink",
        "f:metadata f:uid",
        "f:metadata f:generation",
        "f:metadata f:managedFields",
        "f:metadata f:resourceVersion",
    };
    const struct field_set *s = NULL;
    for (size_t i = 0; i < ARRAY_LEN(paths); i++)
        s = field_set_union(a, s, field_set_path(a, paths[i]));
    return s;
}

/* What the endpoint does not write: its half of an object that has a status of its own. */
static const struct field_set *not_written(struct arena *a, const struct managed_writer *w)
{
    struct field_nodes n = {0};
    bool has_status = kinds_subresource(w->kind, SLICE("status")) != NULL;
    bool writes_status = w->subresource != NULL && strcmp(w->subresource, "status") == 0;
    for (const struct field *f = w->stored->type->fields; has_status && f->name != NULL; f++) {
        bool is_status = strcmp(f->name, "status") == 0;
        if (strcmp(f->name, "metadata") != 0 && is_status != writes_status)
            field_nodes_add(&n, field_element_name(a, slice_str(f->name)), true, NULL);
    }
    return field_nodes_set(&n, a);
}

const struct field_set *managed_countable(struct managed *m, const struct managed_writer *w, const struct field_set *s)
{
    s = field_set_without(&m->arena, s, not_written(&m->arena, w));
    return field_set_difference(&m->arena, s, stripped(&m->arena));
}

void managed_changes(struct managed *m, const struct managed_writer *w, const struct json *before,
                     const struct json *after, struct typed_changes *ret)
{
    const struct field_set *others = not_written(&m->arena, w);
    typed_compare(&m->arena, w->stored->type, others, before, after, ret);
}

/* While there are too many updates, the two oldest of one version become one entry; it keeps the younger's time. */
static void cap_updates(struct managed *m)
{
    size_t updates = 0;
    drop_empty(m);
    for (size_t i = 0; i < m->count; i++)
        updates += m->list[i].apply ? 0 : 1;
    if (updates <= MANAGER_UPDATES_MAX)
        return;
    qsort(m->list, m->count, sizeof *m->list, entry_order);
    for (size_t i = 0; i < m->count && updates > MANAGER_UPDATES_MAX; i++) {
        struct managed_entry *e = &m->list[i];
        if (e->apply || managed_fields(m, e) == NULL)
            continue;
        for (size_t k = i + 1; k < m->count && updates > MANAGER_UPDATES_MAX; k++) {
            struct managed_entry *next = &m->list[k];
            if (next->apply || managed_fields(m, next) == NULL || !slice_equal(next->api_version, e->api_version))
                continue;
            e->manager = SLICE("ancient-changes");
            e->subresource = (struct slice){NULL, 0};
            e->time = next->time;
            e->fields = field_set_union(&m->arena, e->fields, next->fields);
            next->fields = NULL;
            updates--;
        }
    }
    drop_empty(m);
}

static bool is_reset(const struct json *list)
{
    return json_type(list) == JSON_ARRAY &&
           (json_size(list) == 0 || (json_size(list) == 1 && json_size(json_element(list, 0)) == 0));
}

/* The list to begin with: the request's, or the stored one. A damaged one counts as none. */
static void begin(struct managed *m, const struct managed_writer *w, const struct json *live, const struct json *given)
{
    const struct json *stored = json_at(live, "metadata.managedFields");
    if (w->subresource == NULL && is_reset(given))
        return;
    if (w->subresource == NULL && managed_read(m, given, NULL) == 0 && m->count > 0)
        return;
    if (managed_read_stored(m, stored, NULL) != 0)
        ASSERT(m->count == 0);
}

static void take(struct managed *m, const struct managed_writer *w, const struct json *live, const struct json *object)
{
    struct typed_changes c;
    managed_changes(m, w, live, object, &c);
    const struct field_set *set = field_set_union(&m->arena, c.modified, c.added);
    for (size_t i = 0; i < m->count; i++) {
        subtract(m, &m->list[i], set);
        subtract(m, &m->list[i], c.removed);
    }
    set = managed_countable(m, w, set);
    if (set != NULL) {
        size_t own = managed_entry_of(m, w, false);
        m->list[own].fields = field_set_union(&m->arena, managed_fields(m, &m->list[own]), set);
    }
    cap_updates(m);
}

void managed_record(struct json_doc *d, const struct managed_writer *w, const struct json *live, struct json *object)
{
    struct managed m = {.list = NULL};
    struct json *meta = json_ensure_object(d, object, "metadata"), *empty = NULL;
    begin(&m, w, live, json_get(meta, "managedFields"));
    (void)json_remove(meta, "managedFields"); /* absent is as good */
    if (live == NULL) {
        int code = schema_decode(d, w->stored->type, json_new_object(d), NULL, &empty, NULL);
        ASSERT(code == 0); /* an empty object has no wrong types */
    }
    /* An object that is not tracked stays so until someone applies. */
    if (live == NULL || m.count > 0)
        take(&m, w, live == NULL ? empty : live, object);
    struct json *list = managed_json(&m, d);
    if (list != NULL)
        json_set(d, meta, "managedFields", list);
    managed_release(&m);
}

bool managed_same_but_times(const struct json *a, const struct json *b)
{
    if (json_size(a) != json_size(b))
        return false;
    struct json_iterator i = json_iterate(a);
    while (json_next(&i)) {
        static const char *const fields[] = {"manager", "operation", "apiVersion", "subresource", "fieldsV1"};
        const struct json *other = json_element(b, i.position - 1);
        for (size_t k = 0; k < ARRAY_LEN(fields); k++)
            if (!json_equal(json_get(i.value, fields[k]), json_get(other, fields[k])))
                return false;
    }
    return true;
}

static bool holds(const struct field_set *s, const struct field_set *path)
{
    const struct field_node *n = path == NULL ? NULL : field_set_find(s, path->nodes[0].element);
    return n != NULL && (path->nodes[0].member ? n->member : holds(n->children, path->nodes[0].children));
}

struct json *managed_of_scale(struct json_doc *d, const struct json *list, const char *path)
{
    struct managed m = {.list = NULL};
    if (managed_read(&m, list, NULL) != 0) /* a damaged one counts as none */
        ASSERT(m.count == 0);
    const struct field_set *wanted = field_set_path(&m.arena, path),
                           *replicas = field_set_path(&m.arena, "f:spec f:replicas");
    for (size_t i = 0; i < m.count; i++) {
        m.list[i].fields = holds(m.list[i].fields, wanted) ? replicas : NULL;
        m.list[i].api_version = SLICE("autoscaling/v1");
    }
    struct json *made = managed_json(&m, d);
    managed_release(&m);
    return made;
}

void managed_name_of_agent(struct slice user_agent, struct buf *out)
{
    struct slice word = slice_cut(&user_agent, '/');
    buf_reset(out);
    buf_append(out, "", 0);
    for (size_t i = 0; i < word.size && out->size < MANAGER_NAME_MAX; i++)
        if ((unsigned char)word.data[i] >= ' ' && (unsigned char)word.data[i] < 127)
            buf_append_char(out, word.data[i]);
}
