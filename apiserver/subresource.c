#include "common/base.h"

#include "apiserver/kinds/kinds.h"
#include "apiserver/managed.h"
#include "apiserver/subresource.h"
#include "common/clock.h"
#include "common/kube/selector.h"

#include <inttypes.h>
#include <stdio.h>

enum part_metadata {
    METADATA_NEW,  /* as on the object itself */
    METADATA_KEPT, /* owners and finalizers stay */
    METADATA_OLD,  /* all of it stays */
};

/* An endpoint that writes a part of the object. */
struct part {
    const char *subresource;
    const char *const *paths; /* what it writes; ends with NULL */
    enum part_metadata metadata;
    bool counts; /* metadata.generation */
    void (*take)(struct json_doc *d, struct json *to,
                 const struct json *from); /* what paths cannot say; NULL: nothing */
    void (*check)(struct check *c, const struct json *o, const struct json *old);
};

/* ---- resize ---- */

static const struct json *container_named(const struct json *list, struct slice name)
{
    struct json_iterator i = json_iterate(list);
    while (json_next(&i))
        if (slice_equal(json_string_at(i.value, "name"), name))
            return i.value;
    return NULL;
}

static void take_resources(struct json_doc *d, struct json *to, const struct json *from)
{
    struct json_iterator i = json_iterate(json_at(to, "spec.containers"));
    while (json_next(&i)) {
        static const char *const fields[] = {"resources", "resizePolicy"};
        const struct json *new = container_named(json_at(from, "spec.containers"), json_string_at(i.value, "name"));
        for (size_t k = 0; k < ARRAY_LEN(fields) && new != NULL; k++) {
            if (json_get(new, fields[k]) != NULL)
                json_set(d, i.value, fields[k], json_share(d, json_get(new, fields[k])));
            else
                (void)json_remove(i.value, fields[k]); /* absent is as good */
        }
    }
}

static bool only_compute_differs(const struct json *a, const struct json *b)
{
    struct json_iterator i = json_iterate(a);
    while (json_next(&i)) {
        bool compute = slice_is(i.key, "cpu") || slice_is(i.key, "memory");
        if (!compute && !json_equal(i.value, json_get_slice(b, i.key)))
            return false;
    }
    return true;
}

static void check_resize(struct check *c, const struct json *o, const struct json *old)
{
    struct json_iterator i = json_iterate(json_at(o, "spec.containers"));
    bool fine = true;
    while (json_next(&i)) {
        static const char *const fields[] = {"resources.limits", "resources.requests"};
        const struct json *was = container_named(json_at(old, "spec.containers"), json_string_at(i.value, "name"));
        for (size_t n = 0; n < ARRAY_LEN(fields); n++) {
            const struct json *a = json_at(was, fields[n]), *b = json_at(i.value, fields[n]);
            fine = fine && only_compute_differs(a, b) && only_compute_differs(b, a);
        }
    }
    if (!fine)
        check_fail_at(c, "spec", CHECK_FORBIDDEN, NULL, "only cpu and memory resources are mutable");
    const char *class = pod_qos_class(json_get(o, "spec"));
    struct slice before = json_string_at(old, "status.qosClass");
    if (before.size > 0 && !slice_is(before, class)) {
        size_t mark = check_enter(c, "spec");
        check_fail_text(c, CHECK_INVALID, slice_str(class), "Pod QOS Class may not change as a result of resizing");
        check_leave(c, mark);
    }
}

/* ---- ephemeral containers ---- */

static void check_ephemeral(struct check *c, const struct json *o, const struct json *old)
{
    struct json_iterator i = json_iterate(json_at(old, "spec.ephemeralContainers"));
    while (json_next(&i)) {
        struct slice name = json_string_at(i.value, "name");
        const struct json *now = container_named(json_at(o, "spec.ephemeralContainers"), name);
        if (now == NULL || !json_equal(now, i.value))
            check_fail_at(c, "spec.ephemeralContainers", CHECK_FORBIDDEN, NULL,
                          "existing ephemeral containers \"%.*s\" may not be %s\n", SLICE_ARGS(name),
                          now == NULL ? "removed" : "changed");
    }
}

/* ---- the table ---- */

static const char *const status_paths[] = {"status", NULL};
static const char *const spec_paths[] = {"spec", NULL};
static const char *const ephemeral_paths[] = {"spec.ephemeralContainers", NULL};
static const char *const no_paths[] = {NULL};

static const struct part parts[] = {
    {"status", status_paths, METADATA_KEPT, false, NULL, NULL},
    {"finalize", spec_paths, METADATA_NEW, false, NULL, NULL},
    {"ephemeralcontainers", ephemeral_paths, METADATA_OLD, true, NULL, check_ephemeral},
    {"resize", no_paths, METADATA_OLD, true, take_resources, check_resize},
};

static const struct part *part_of(const struct verb_facts *v)
{
    for (size_t i = 0; i < ARRAY_LEN(parts) && v->subresource != NULL; i++)
        if (strcmp(parts[i].subresource, v->subresource) == 0)
            return &parts[i];
    return NULL;
}

static void keep_field(struct json_doc *d, struct json *to, const struct json *from, const char *field)
{
    if (json_get(from, field) != NULL)
        json_set(d, to, field, json_share(d, json_get(from, field)));
    else
        (void)json_remove(to, field); /* absent is as good */
}

static void take_path(struct json_doc *d, struct json *to, const struct json *from, const char *path)
{
    const char *dot = strrchr(path, '.');
    char parent[64] = "";
    if (dot != NULL)
        (void)snprintf(parent, sizeof parent, "%.*s", (int)(dot - path), path); /* the table's are short */
    struct json *into = dot == NULL ? to : json_ensure_object(d, to, parent);
    keep_field(d, into, dot == NULL ? from : json_at(from, parent), dot == NULL ? path : dot + 1);
}

void subresource_keep(const struct verb_facts *v, struct json_doc *d, struct json *o, const struct json *old)
{
    const struct part *p = part_of(v);
    const struct kind *stored = v->stored == NULL ? v->kind : v->stored;
    if (v->subresource != NULL && stored->keep != NULL) { /* the kind knows better */
        char now[TIME_TEXT_MAX];
        time_format(v->now_us, 0, now);
        stored->keep(d, o, old, v->subresource, now);
        return;
    }
    if (p == NULL) {
        if (kinds_subresource(v->kind, SLICE("status")) != NULL)
            keep_field(d, o, old, "status");
        return;
    }
    struct json *made = json_share(d, old);
    for (size_t i = 0; p->paths[i] != NULL; i++)
        take_path(d, made, o, p->paths[i]);
    if (p->take != NULL)
        p->take(d, made, o);
    for (const struct field *f = stored->type->fields; f->name != NULL; f++)
        if (strcmp(f->name, "metadata") != 0)
            keep_field(d, o, made, f->name);
    if (p->metadata == METADATA_OLD)
        keep_field(d, o, old, "metadata");
    if (p->metadata == METADATA_KEPT) {
        keep_field(d, json_get(o, "metadata"), json_get(old, "metadata"), "ownerReferences");
        keep_field(d, json_get(o, "metadata"), json_get(old, "metadata"), "finalizers");
    }
}

void subresource_check(const struct verb_facts *v, struct check *c, const struct json *o, const struct json *old)
{
    const struct part *p = part_of(v);
    if (p != NULL && p->check != NULL)
        p->check(c, o, old);
}

bool subresource_counts(const struct verb_facts *v)
{
    const struct part *p = part_of(v);
    bool own = v->kind->keep != NULL && v->subresource != NULL && strcmp(v->subresource, "scale") != 0;
    return p == NULL ? !own : p->counts;
}

/* ---- binding ---- */

static void set_scheduled(const struct verb_facts *v, struct json_doc *d, struct json *o)
{
    struct json *status = json_ensure_object(d, o, "status"), *conditions = json_get(status, "conditions");
    char now[TIME_TEXT_MAX];
    time_format(v->now_us, 0, now);
    if (conditions == NULL) {
        json_set(d, status, "conditions", json_new_array(d));
        conditions = json_get(status, "conditions");
    }
    struct json *made = json_new_object(d);
    json_set_str(d, made, "type", "PodScheduled");
    json_set_str(d, made, "status", "True");
    json_set_str(d, made, "lastTransitionTime", now);
    struct json_iterator i = json_iterate(conditions);
    while (json_next(&i)) {
        if (slice_is(json_string_at(i.value, "type"), "PodScheduled")) {
            json_replace_element(conditions, i.position - 1, made);
            return;
        }
    }
    json_append(conditions, made);
}

int verb_bind(const struct verb_facts *v, struct json_doc *d, const struct json *old, const struct json *body,
              struct verb_result *ret, struct failure *f)
{
    struct json *binding = NULL;
    struct err why;
    if (schema_decode(d, kind_binding.type, body, v->strict, &binding, &why) != 0)
        return decode_failure(f, &kind_binding, &why);
    schema_check(&f->check, kind_binding.type, binding);
    if (f->check.count > 0)
        return failure_invalid(f, &kind_binding, v->name);
    struct slice node = json_string_at(binding, "target.name"), bound = json_string_at(old, "spec.nodeName");
    struct slice uid = json_string_at(binding, "metadata.uid");
    if (uid.size > 0 && !slice_equal(uid, json_string_at(old, "metadata.uid")))
        return failure_conflict_with(f, v->kind, v->name,
                                     ": Precondition failed: UID in precondition: %.*s, UID in object meta: %.*s",
                                     SLICE_ARGS(uid), SLICE_ARGS(json_string_at(old, "metadata.uid")));
    if (json_at(old, "metadata.deletionTimestamp") != NULL)
        return failure_conflict_with(f, v->kind, v->name, ": pod %.*s is being deleted, cannot be assigned to a host",
                                     SLICE_ARGS(v->name));
    if (bound.size > 0) {
        failure_about(f, v->kind, v->name);
        return failure_set(
            f, ERR_CONFLICT,
            "Operation cannot be fulfilled on pods/binding \"%.*s\": pod %.*s is already assigned to node "
            "\"%.*s\"",
            SLICE_ARGS(v->name), SLICE_ARGS(v->name), SLICE_ARGS(bound));
    }
    struct json *o = json_share(d, old);
    json_set_string(d, json_ensure_object(d, o, "spec"), "nodeName", node);
    struct json_iterator i = json_iterate(json_at(binding, "metadata.annotations"));
    while (json_next(&i))
        json_set_slice(d, json_ensure_object(d, o, "metadata.annotations"), i.key, json_share(d, i.value));
    set_scheduled(v, d, o);
    return verb_store(v, d, o, old, ret, f);
}

/* ---- scale ---- */

static const struct scale_paths usual_paths = {"spec.replicas", "status.replicas", "spec.selector"};
static const struct scale_paths *paths_of(const struct kind *k) { return k->scale == NULL ? &usual_paths : k->scale; }

/* A selector is a text, a bare map of labels (its row says so) or a label selector. */
static void selector_of(const struct json *object, const struct kind *k, struct json_doc *d, struct buf *out)
{
    const char *path = paths_of(k)->selector;
    const struct json *own = path == NULL ? NULL : json_at(object, path);
    const struct type *t = k->type;
    const struct field *f = NULL;
    struct selector parsed = {0};
    if (json_type(own) == JSON_STRING) {
        buf_append_slice(out, json_string(own));
        return;
    }
    for (struct slice rest = slice_str(path); rest.data != NULL && t != NULL;) {
        f = schema_field(t, slice_cut(&rest, '.'));
        t = f == NULL ? NULL : f->object;
    }
    struct json *wrapped = json_share(d, own);
    if (own != NULL && f != NULL && f->shape == FIELD_MAP) {
        wrapped = json_new_object(d);
        json_set(d, wrapped, "matchLabels", json_share(d, own));
    }
    if (selector_from_json(wrapped, &parsed, NULL) == 0)
        selector_print(&parsed, out);
    selector_release(&parsed);
}

/* "spec.replicas" as a path of fields: "f:spec f:replicas". */
static void field_path(const char *path, struct buf *out)
{
    for (struct slice rest = slice_str(path); rest.data != NULL;) {
        struct slice name = slice_cut(&rest, '.');
        buf_printf(out, "%sf:%.*s", out->size > 0 ? " " : "", SLICE_ARGS(name));
    }
}

int scale_of(const struct json *object, const struct kind *k, int64_t revision, struct json_doc *d, struct json **ret)
{
    static const char *const copied[] = {"name", "namespace", "uid", "creationTimestamp"};
    const struct scale_paths *paths = paths_of(k);
    struct json *s = json_new_object(d);
    char text[24];
    struct buf selector = {0}, path = {0};
    json_set_str(d, s, "kind", "Scale");
    json_set_str(d, s, "apiVersion", "autoscaling/v1");
    struct json *meta = json_ensure_object(d, s, "metadata");
    for (size_t i = 0; i < ARRAY_LEN(copied); i++)
        keep_field(d, meta, json_get(object, "metadata"), copied[i]);
    (void)snprintf(text, sizeof text, "%" PRId64, revision); /* fits */
    json_set_str(d, meta, "resourceVersion", text);
    field_path(paths->replicas, &path);
    struct json *managed = managed_of_scale(d, json_at(object, "metadata.managedFields"), path.data);
    if (managed != NULL)
        json_set(d, meta, "managedFields", managed);
    json_set_int(d, json_ensure_object(d, s, "spec"), "replicas",
                 json_int_at(object, paths->replicas, k->scale == NULL ? 1 : 0));
    json_set_int(d, json_ensure_object(d, s, "status"), "replicas", json_int_at(object, paths->status_replicas, 0));
    selector_of(object, k, d, &selector);
    if (selector.size > 0)
        json_set_string(d, json_ensure_object(d, s, "status"), "selector", buf_slice(&selector));
    buf_release(&selector);
    buf_release(&path);
    *ret = s;
    return 0;
}

static void set_replicas(struct json_doc *d, struct json *o, const struct kind *k, int64_t replicas)
{
    const char *path = paths_of(k)->replicas, *dot = strrchr(path, '.');
    char parent[256] = "";
    if (dot != NULL)
        (void)snprintf(parent, sizeof parent, "%.*s", (int)(dot - path), path); /* a longer path is no table's */
    json_set_int(d, dot == NULL ? o : json_ensure_object(d, o, parent), dot == NULL ? path : dot + 1, replicas);
}

static int read_scale(const struct verb_facts *v, struct json_doc *d, const struct json *scale, struct json **ret,
                      struct failure *f)
{
    struct err why;
    if (schema_decode(d, kind_scale.type, scale, v->strict, ret, &why) != 0)
        return decode_failure(f, &kind_scale, &why);
    schema_check(&f->check, kind_scale.type, *ret);
    if (f->check.count > 0)
        return failure_invalid(f, &kind_scale, v->name);
    struct slice name = json_string_at(*ret, "metadata.name");
    if (name.size > 0 && !slice_equal(name, v->name))
        return failure_set(f, ERR_BAD_REQUEST,
                           "the name of the object (%.*s) does not match the name on the URL (%.*s)", SLICE_ARGS(name),
                           SLICE_ARGS(v->name));
    return 0;
}

int verb_scale(const struct verb_facts *v, struct json_doc *d, const struct json *old, int64_t old_revision,
               const struct json *scale, struct verb_result *ret, struct failure *f)
{
    struct json *s = NULL;
    int code = read_scale(v, d, scale, &s, f);
    if (code == 0)
        code = verb_preconditions(v, old, old_revision, json_string_at(s, "metadata.uid"),
                                  json_string_at(s, "metadata.resourceVersion"), f);
    if (code != 0)
        return code;
    struct json *o = json_share(d, old);
    set_replicas(d, o, v->kind, json_int_at(s, "spec.replicas", 0));
    return verb_replace(v, d, old, old_revision, o, false, ret, f);
}

/* To apply a Scale is to apply that one field of the object. */
static int apply_scale(const struct verb_facts *v, struct json_doc *d, const struct json *old, int64_t old_revision,
                       const struct json *config, bool force, struct verb_result *ret, struct failure *f)
{
    struct json *s = NULL, *own = json_new_object(d);
    char version[128];
    int code = read_scale(v, d, config, &s, f);
    if (code != 0)
        return code;
    json_set_str(d, own, "apiVersion", kinds_api_version(v->kind, version));
    json_set_str(d, own, "kind", v->kind->name);
    json_set_string(d, json_ensure_object(d, own, "metadata"), "name", v->name);
    if (json_at(s, "spec.replicas") != NULL)
        set_replicas(d, own, v->kind, json_int_at(s, "spec.replicas", 0));
    return verb_apply(v, d, old, old_revision, own, force, ret, f);
}

int verb_scale_patch(const struct verb_facts *v, struct json_doc *d, const struct json *old, int64_t old_revision,
                     enum patch_type type, const struct json *patch, bool force, struct verb_result *ret,
                     struct failure *f)
{
    struct json *scale = NULL, *patched = NULL;
    if (type == PATCH_TYPE_APPLY)
        return apply_scale(v, d, old, old_revision, patch, force, ret, f);
    int code = scale_of(old, v->kind, old_revision, d, &scale);
    if (code == 0)
        code = patch_tree(d, type, kind_scale.type, scale, strict_once(v->strict, d, patch), &patched, f);
    return code != 0 ? code : verb_scale(v, d, old, old_revision, patched, ret, f);
}
