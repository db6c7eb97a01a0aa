#include "common/base.h"

#include "apiserver/apply.h"
#include "apiserver/convert.h"
#include "apiserver/kinds/kinds.h"
#include "apiserver/schema.h"

#include <stdlib.h>

#define LAST_APPLIED "kubectl.kubernetes.io/last-applied-configuration"

/* One apply under way. */
struct applying {
    const struct apply_options *o;
    struct json_doc *d;
    const struct type *type;
    struct managed managed;
    size_t own; /* the applier's entry */
    const struct json *live, *config;
};

static const struct field_set *named_fields(struct applying *x, const struct json *v)
{
    return typed_named(&x->managed.arena, x->type, typed_fields(&x->managed.arena, x->type, v));
}

static int check_config(struct applying *x, struct failure *f)
{
    struct buf lines = {0}, text = {0};
    const struct kind *k = x->o->writer.kind;
    typed_complaints(k->type, x->config, &lines);
    if (lines.size == 0 && k != x->o->writer.stored) {
        struct json *own = json_copy(x->d, x->config);
        convert_to_stored(k, x->d, own);
        x->config = own;
    }
    if (lines.size == 0)
        return 0;
    struct slice rest = buf_slice(&lines);
    bool many = memchr(lines.data, '\n', lines.size) != NULL;
    if (many)
        buf_append_str(&text, "errors:");
    while (rest.data != NULL) {
        struct slice line = slice_cut(&rest, '\n');
        buf_printf(&text, "%s%.*s", many ? "\n  " : "", SLICE_ARGS(line));
    }
    int code =
        failure_set(f, ERR_UNEXPLAINED, "failed to create typed patch object (%.*s/%.*s; %s/%s, Kind=%s): %s",
                    SLICE_ARGS(x->o->namespace), SLICE_ARGS(x->o->name), k->group, k->version, k->name, text.data);
    buf_release(&lines);
    buf_release(&text);
    return code;
}

/* Who wrote an object that nobody tracked is not known. */
static void track_untracked(struct applying *x)
{
    struct typed_changes c;
    struct json *empty = NULL;
    int code = schema_decode(x->d, x->type, json_new_object(x->d), NULL, &empty, NULL);
    ASSERT(code == 0); /* an empty object has no wrong types */
    managed_changes(&x->managed, &x->o->writer, empty, x->live, &c);
    const struct field_set *all =
        managed_countable(&x->managed, &x->o->writer, field_set_union(&x->managed.arena, c.modified, c.added));
    size_t at = managed_entry_named(&x->managed, &x->o->writer, "before-first-apply");
    x->managed.list[at].fields = all;
}

/* What the applier had before, has no more and nobody else has goes away. An item or field stays while anything below
 * it is anybody's, and what nobody ever owned is not the applier's to take. */
static struct json *prune(struct applying *x, const struct json *merged, const struct field_set *before)
{
    struct arena *a = &x->managed.arena;
    const struct field_set *owned = NULL, *last = typed_named(a, x->type, before);
    if (before == NULL)
        return json_copy(x->d, merged);
    for (size_t i = 0; i < x->managed.count; i++)
        owned = field_set_union(a, owned, x->managed.list[i].fields);
    owned = typed_named(a, x->type, owned);
    const struct field_set *all = named_fields(x, merged);
    struct json *bare = typed_without(x->d, x->type, merged, last);
    const struct field_set *kept = field_set_union(a, named_fields(x, bare), owned);
    struct json *pruned = typed_without(x->d, x->type, merged, field_set_difference(a, all, kept));
    const struct field_set *gone = field_set_difference(a, all, named_fields(x, pruned));
    return typed_without(x->d, x->type, merged, field_set_intersection(a, gone, last));
}

/* ---- conflicts ---- */

struct conflict {
    const struct managed_entry *entry;
    const struct field_set *fields;
};

struct telling {
    struct failure *f;
    struct buf who, text;
    bool alone;
};

/* `"kubectl-edit" with subresource "scale" using apps/v1` */
static void who_text(const struct managed_entry *e, struct buf *out)
{
    buf_reset(out);
    json_print_string(e->manager, out);
    if (e->subresource.size > 0) {
        buf_append_str(out, " with subresource ");
        json_print_string(e->subresource, out);
    }
    if (!e->apply)
        buf_printf(out, " using %.*s", SLICE_ARGS(e->api_version));
}

static void tell_one(void *arg, struct slice path)
{
    struct telling *t = arg;
    struct buf message = {0};
    buf_printf(&message, "conflict with %s", t->who.data);
    failure_cause(t->f, "FieldManagerConflict", buf_slice(&message), path);
    buf_printf(&t->text, t->alone ? "%.*s" : "\n- %.*s", SLICE_ARGS(path));
    buf_release(&message);
}

static void count_one(void *arg, struct slice path)
{
    (void)path;
    ++*(size_t *)arg;
}

static int by_who(const void *a, const void *b)
{
    const struct managed_entry *x = ((const struct conflict *)a)->entry, *y = ((const struct conflict *)b)->entry;
    int order = slice_compare(x->manager, y->manager);
    return order != 0 ? order : slice_compare(x->subresource, y->subresource);
}

static int refuse(struct conflict *conflicts, size_t n, struct failure *f)
{
    struct telling t = {.f = f};
    size_t count = 0;
    qsort(conflicts, n, sizeof *conflicts, by_who);
    for (size_t i = 0; i < n; i++)
        field_set_each(conflicts[i].fields, count_one, &count);
    t.alone = count == 1;
    buf_printf(&t.text, "Apply failed with %zu conflict%s: ", count, t.alone ? "" : "s");
    for (size_t i = 0; i < n; i++) {
        who_text(conflicts[i].entry, &t.who);
        buf_printf(&t.text, "%s%s %s:%s", i > 0 ? "\n" : "", t.alone ? "conflict with" : "conflicts with", t.who.data,
                   t.alone ? " " : "");
        field_set_each(conflicts[i].fields, tell_one, &t);
    }
    failure_set_text(f, ERR_CONFLICT, buf_slice(&t.text));
    buf_release(&t.who);
    buf_release(&t.text);
    return ERR_CONFLICT;
}

/* What kubectl applied on the client's side is kubectl's: fields that still have the values of its annotation. */
static const struct field_set *own_by_annotation(struct applying *x)
{
    struct arena *a = &x->managed.arena;
    struct slice text = json_string(json_get(json_at(x->live, "metadata.annotations"), LAST_APPLIED));
    struct json *last = NULL;
    struct typed_changes c;
    if (!slice_is(slice_str(x->o->writer.manager), "kubectl") || text.size == 0 ||
        json_parse(x->d, text, &last, NULL) != 0 || json_type(last) != JSON_OBJECT)
        return NULL;
    typed_compare(a, x->type, NULL, last, x->live, &c);
    const struct field_set *s = typed_fields(a, x->type, last);
    s = field_set_difference(a, s, c.modified);
    s = field_set_difference(a, s, c.added);
    return field_set_difference(a, s, c.removed);
}

/* The others lose what changes or goes; without force that is refused, unless it is the same client's. */
static int take_over(struct applying *x, const struct json *object, struct failure *f)
{
    struct arena *a = &x->managed.arena;
    struct typed_changes c;
    managed_changes(&x->managed, &x->o->writer, x->live, object, &c);
    const struct field_set *set = field_set_union(a, c.modified, c.added);
    const struct field_set *allowed = x->o->force ? NULL : own_by_annotation(x);
    struct conflict *conflicts = mem_alloc((x->managed.count + 1) * sizeof *conflicts);
    size_t n = 0;
    for (size_t i = 0; i < x->managed.count; i++) {
        struct managed_entry *e = &x->managed.list[i];
        if (i == x->own)
            continue;
        const struct field_set *both = field_set_intersection(a, e->fields, set);
        const struct field_set *real = field_set_difference(a, both, allowed);
        if (real != NULL && !x->o->force)
            conflicts[n++] = (struct conflict){e, real};
    }
    int code = n == 0 ? 0 : refuse(conflicts, n, f);
    mem_free(conflicts);
    for (size_t i = 0; i < x->managed.count && code == 0; i++) {
        struct managed_entry *e = &x->managed.list[i];
        if (i != x->own)
            e->fields = field_set_difference(a, e->fields, field_set_union(a, set, c.removed));
    }
    return code;
}

/* The annotation of client-side apply, where it is used, stays in step with what kubectl applies on this side. */
static void follow_annotation(struct applying *x, struct json *object)
{
    struct json *annotations = json_at(object, "metadata.annotations");
    struct json *config = json_copy(x->d, x->config);
    struct buf text = {0};
    if (!slice_is(slice_str(x->o->writer.manager), "kubectl") ||
        json_string(json_get(annotations, LAST_APPLIED)).size == 0)
        return;
    (void)json_remove(json_at(config, "metadata.annotations"), LAST_APPLIED); /* absent is as good */
    field_value_print(config, &text);
    buf_append_char(&text, '\n');
    json_set_string(x->d, annotations, LAST_APPLIED, buf_slice(&text));
    buf_release(&text);
}

static int merge(struct applying *x, struct json **ret, struct failure *f)
{
    struct err why;
    struct json *live = json_share(x->d, x->live), *object = NULL;
    (void)json_remove(json_get(live, "metadata"), "managedFields"); /* absent is as good */
    x->live = live;
    struct json *merged = typed_merge(x->d, x->type, live, x->config);
    const struct field_set *before = x->managed.list[x->own].fields;
    x->managed.list[x->own].fields =
        managed_countable(&x->managed, &x->o->writer, typed_fields(&x->managed.arena, x->type, x->config));
    merged = prune(x, merged, before);
    if (schema_decode(x->d, x->type, merged, NULL, &object, &why) != 0)
        return failure_set(f, ERR_BAD_REQUEST, "%s", why.message);
    int code = take_over(x, object, f);
    if (code != 0)
        return code;
    follow_annotation(x, object);
    struct json *list = managed_json(&x->managed, x->d);
    if (list != NULL)
        json_set(x->d, json_ensure_object(x->d, object, "metadata"), "managedFields", list);
    *ret = object;
    return 0;
}

int apply_config(const struct apply_options *o, struct json_doc *d, const struct json *live, const struct json *config,
                 struct json **ret, struct failure *f)
{
    struct applying x = {.o = o, .d = d, .type = o->writer.stored->type, .live = live, .config = config};
    struct json *empty = NULL;
    struct err why;
    int code = check_config(&x, f);
    if (code == 0 && managed_read(&x.managed, json_at(live, "metadata.managedFields"), &why) != 0)
        code = failure_set(f, ERR_UNEXPLAINED, "failed to decode managed fields: %s", why.message);
    if (code == 0 && live == NULL) {
        code = schema_decode(d, x.type, json_new_object(d), NULL, &empty, &why);
        ASSERT(code == 0); /* an empty object has no wrong types */
        x.live = empty;
    } else if (code == 0 && x.managed.count == 0) {
        track_untracked(&x);
    }
    if (code == 0) {
        x.own = managed_entry_of(&x.managed, &o->writer, true);
        code = merge(&x, ret, f);
    }
    managed_release(&x.managed);
    return code;
}
