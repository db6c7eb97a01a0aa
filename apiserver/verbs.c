#include "common/base.h"

#include "apiserver/admission.h"
#include "apiserver/apply.h"
#include "apiserver/convert.h"
#include "apiserver/kinds/kinds.h"
#include "apiserver/limits.h"
#include "apiserver/names.h"
#include "apiserver/patch.h"
#include "apiserver/subresource.h"
#include "apiserver/verbs.h"
#include "common/clock.h"
#include "common/mem.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#define GENERATED_BASE_MAX 58 /* 63 characters of a label less 5 random ones */

int decode_failure(struct failure *f, const struct kind *k, const struct err *why)
{
    return failure_set(f, ERR_BAD_REQUEST, "%s in version \"%s\" cannot be handled as a %s: %s", k->name, k->version,
                       k->name, why->message);
}

static const struct kind *stored_kind(const struct verb_facts *v) { return v->stored == NULL ? v->kind : v->stored; }

/* What came in another version is filled and judged as such before it becomes what is stored; all else happens to that.
 */
static int as_stored(const struct verb_facts *v, struct json_doc *d, struct json *o, struct failure *f)
{
    if (stored_kind(v) == v->kind)
        return 0;
    schema_default(d, v->kind->type, o);
    if (v->subresource == NULL)
        schema_check(&f->check, v->kind->type, o);
    convert_to_stored(v->kind, d, o);
    return f->check.count == 0 ? 0 : failure_invalid(f, v->kind, json_string_at(o, "metadata.name"));
}

/* Decodes what a person sent into canonical shape. */
static int decode(const struct verb_facts *v, struct json_doc *d, const struct json *body, struct json **ret,
                  struct failure *f)
{
    struct err why;
    int code = schema_decode(d, v->kind->type, body, v->strict, ret, &why);
    return code == 0 ? as_stored(v, d, *ret, f) : decode_failure(f, v->kind, &why);
}

static void set_type_meta(const struct verb_facts *v, struct json_doc *d, struct json *o)
{
    char version[128];
    json_set_str(d, o, "kind", stored_kind(v)->name);
    json_set_str(d, o, "apiVersion", kinds_api_version(stored_kind(v), version));
}

/* The stored bytes of a canonical tree. */
static int print_stored(const struct verb_facts *v, const struct json *canonical, struct buf *out, struct failure *f)
{
    json_print(canonical, out);
    if (out->size > OBJECT_BYTES_MAX) {
        failure_set(f, ERR_TOO_LARGE, "%s is %zu bytes large; at most %d can be stored", v->kind->name, out->size,
                    OBJECT_BYTES_MAX);
        return failure_limit(f, LIMIT_OBJECT_BYTES);
    }
    if (json_depth(canonical) > JSON_DEPTH_MAX)
        return failure_set(f, ERR_BAD_REQUEST, "%s is nested deeper than %d levels", v->kind->name, JSON_DEPTH_MAX);
    return 0;
}

static int finish(const struct verb_facts *v, struct json_doc *d, struct json *o, struct buf *out, struct failure *f)
{
    struct json *canonical;
    struct err why;
    int code = schema_decode(d, stored_kind(v)->type, o, NULL, &canonical, &why);
    return code == 0 ? print_stored(v, canonical, out, f) : decode_failure(f, v->kind, &why);
}

/* A base that ends with '-' becomes a name with what is appended. */
static int generated_base_check(int (*rule)(struct slice, struct err *), struct slice base, struct err *reterr)
{
    struct buf name = {0};
    buf_append_slice(&name, base);
    if (name.data[name.size - 1] == '-')
        name.data[name.size - 1] = 'a';
    int code = rule(buf_slice(&name), reterr);
    buf_release(&name);
    return code;
}

static void check_meta(const struct verb_facts *v, struct check *c, const struct json *o)
{
    struct slice name = json_string_at(o, "metadata.name");
    struct err why;
    int (*rule)(struct slice, struct err *) = v->kind->check_name == NULL ? name_check_subdomain : v->kind->check_name;
    struct slice base = json_string_at(o, "metadata.generateName");
    if (base.size > 0 && generated_base_check(rule, base, &why) != 0)
        check_fail_at(c, "metadata.generateName", CHECK_INVALID, json_at(o, "metadata.generateName"), "%s",
                      why.message);
    if (name.size == 0)
        check_fail_at(c, "metadata.name", CHECK_REQUIRED, NULL, "name or generateName is required");
    else if (rule(name, &why) != 0)
        check_fail_at(c, "metadata.name", CHECK_INVALID, json_at(o, "metadata.name"), "%s", why.message);
}

static int namespace_agrees(const struct verb_facts *v, struct json_doc *d, struct json *o, struct failure *f)
{
    struct json *meta = json_ensure_object(d, o, "metadata");
    struct slice own = json_string_at(meta, "namespace");
    if (!v->kind->namespaced) {
        if (own.size > 0)
            return failure_set(f, ERR_BAD_REQUEST, "namespace is not allowed on this type");
        return 0;
    }
    if (own.size > 0 && !slice_equal(own, v->namespace))
        return failure_set(f, ERR_BAD_REQUEST,
                           "the namespace of the provided object does not match the namespace sent on the request");
    json_set_string(d, meta, "namespace", v->namespace);
    return 0;
}

/* What the version that was asked in, which is not the one that is stored, says of a change. */
static int validate_version(const struct verb_facts *v, const struct json *o, const struct json *old, struct failure *f)
{
    if (v->kind == stored_kind(v) || v->kind->check_update == NULL || v->subresource != NULL)
        return 0;
    struct json_doc *d = json_doc_new();
    struct json *now = NULL, *was = NULL;
    struct err why;
    int code = convert_from_stored(v->kind, d, o, &now, &why);
    if (code == 0)
        code = convert_from_stored(v->kind, d, old, &was, &why);
    if (code == 0)
        v->kind->check_update(&f->check, now, was);
    json_doc_free(d);
    return code == 0 ? 0 : decode_failure(f, v->kind, &why);
}

static int validate(const struct verb_facts *v, const struct json *o, const struct json *old, struct failure *f)
{
    check_meta(v, &f->check, o);
    schema_check(&f->check, stored_kind(v)->type, o);
    if (old != NULL && stored_kind(v)->check_update != NULL && (v->subresource == NULL || stored_kind(v)->keep != NULL))
        stored_kind(v)->check_update(&f->check, o, old);
    if (old != NULL)
        subresource_check(v, &f->check, o, old);
    int code = old == NULL ? 0 : validate_version(v, o, old, f);
    if (code != 0)
        return code;
    return f->check.count == 0 ? 0 : failure_invalid(f, v->kind, json_string_at(o, "metadata.name"));
}

static int allocate(const struct verb_facts *v, struct json_doc *d, struct json *o, struct failure *f)
{
    const struct kind *k = stored_kind(v);
    const char *why = k->allocate == NULL || v->allocator == NULL ? NULL : k->allocate(d, o, v->allocator);
    return why == NULL ? 0 : failure_set(f, ERR_INTERNAL, "Internal error occurred: failed to allocate: %s", why);
}

static void generate_name(const struct verb_facts *v, struct json_doc *d, struct json *meta)
{
    struct slice base = json_string_at(meta, "generateName");
    char name[GENERATED_BASE_MAX + 8];
    if (json_string_at(meta, "name").size > 0 || base.size == 0)
        return;
    (void)snprintf(name, sizeof name, "%.*s%.5s", (int)MIN(base.size, (size_t)GENERATED_BASE_MAX), base.data,
                   v->suffix); /* fits */
    json_set_str(d, meta, "name", name);
}

static void stamp_new(const struct verb_facts *v, struct json_doc *d, struct json *meta)
{
    static const char *const cleared[] = {"selfLink", "resourceVersion", "generation", "deletionTimestamp",
                                          "deletionGracePeriodSeconds"};
    char now[TIME_TEXT_MAX];
    for (size_t i = 0; i < ARRAY_LEN(cleared); i++)
        (void)json_remove(meta, cleared[i]); /* absent is as good */
    time_format(v->now_us, 0, now);
    json_set_str(d, meta, "uid", v->uid);
    json_set_str(d, meta, "creationTimestamp", now);
    if (!v->kind->no_generation)
        json_set_int(d, meta, "generation", 1);
}

static int names_agree(const struct verb_facts *v, struct json_doc *d, struct json *o, struct failure *f)
{
    struct slice name = json_string_at(o, "metadata.name");
    if (name.size == 0)
        return failure_set(f, ERR_BAD_REQUEST,
                           "the name of the object (%.*s based on URL) was undeterminable: name must be provided",
                           SLICE_ARGS(v->name));
    if (!slice_equal(name, v->name))
        return failure_set(f, ERR_BAD_REQUEST,
                           "the name of the object (%.*s) does not match the name on the URL (%.*s)", SLICE_ARGS(name),
                           SLICE_ARGS(v->name));
    json_set_string(d, json_ensure_object(d, o, "metadata"), "name", v->name);
    return namespace_agrees(v, d, o, f);
}

static struct managed_writer writer_of(const struct verb_facts *v)
{
    return (struct managed_writer){v->kind, stored_kind(v), v->manager, v->subresource, v->now_us};
}

static void record(const struct verb_facts *v, struct json_doc *d, const struct json *live, struct json *o)
{
    struct managed_writer w = writer_of(v);
    managed_record(d, &w, live, o);
}

static int admit(const struct verb_facts *v, struct json_doc *d, struct json *o, struct failure *f)
{
    if (v->kind != &kind_pod)
        return 0;
    admission_tolerations(d, o);
    int code = admission_service_account(v, d, o, f);
    if (code == 0)
        schema_default(d, stored_kind(v)->type, o); /* of what admission added */
    return code;
}

/* `o` is decoded; `applied`: its managedFields are done. What the server itself fills in afterwards is nobody's. */
static int create_object(const struct verb_facts *v, struct json_doc *d, struct json *o, bool applied,
                         struct verb_result *ret, struct failure *f)
{
    set_type_meta(v, d, o);
    struct json *meta = json_ensure_object(d, o, "metadata");
    if (json_string_at(meta, "resourceVersion").size > 0)
        return failure_set(f, ERR_UNEXPLAINED, "resourceVersion should not be set on objects to be created");
    int code = v->name.size > 0 ? names_agree(v, d, o, f) : namespace_agrees(v, d, o, f);
    if (code != 0)
        return code;
    generate_name(v, d, meta);
    stamp_new(v, d, meta);
    if (kinds_subresource(v->kind, SLICE("status")) != NULL && !v->kind->create_keeps_status)
        (void)json_remove(o, "status"); /* only its own subresource writes it */
    if (stored_kind(v)->stamp_user != NULL && v->user != NULL)
        stored_kind(v)->stamp_user(d, o, v->user);
    schema_default(d, stored_kind(v)->type, o);
    if (!applied)
        record(v, d, NULL, o);
    if (stored_kind(v)->prepare_create != NULL)
        stored_kind(v)->prepare_create(d, o);
    code = admit(v, d, o, f);
    if (code == 0)
        code = validate(v, o, NULL, f);
    if (code == 0)
        code = allocate(v, d, o, f);
    if (code == 0)
        code = finish(v, d, o, &ret->bytes, f);
    ret->action = VERB_PUT;
    return code;
}

int verb_create(const struct verb_facts *v, struct json_doc *d, const struct json *body, struct verb_result *ret,
                struct failure *f)
{
    struct json *o = NULL;
    int code = decode(v, d, body, &o, f);
    return code == 0 ? create_object(v, d, o, false, ret, f) : code;
}

static void keep_field(struct json_doc *d, struct json *to, const struct json *from, const char *field)
{
    if (json_get(from, field) != NULL)
        json_set(d, to, field, json_copy(d, json_get(from, field)));
    else
        (void)json_remove(to, field); /* absent is as good */
}

/* What only the server writes in metadata stays as it was. */
static void keep_meta(struct json_doc *d, struct json *o, const struct json *old)
{
    static const char *const kept[] = {
        "uid", "creationTimestamp", "generation", "deletionTimestamp", "deletionGracePeriodSeconds", "generateName"};
    static const char *const cleared[] = {"selfLink", "resourceVersion"};
    struct json *meta = json_ensure_object(d, o, "metadata");
    for (size_t i = 0; i < ARRAY_LEN(kept); i++)
        keep_field(d, meta, json_get(old, "metadata"), kept[i]);
    for (size_t i = 0; i < ARRAY_LEN(cleared); i++)
        (void)json_remove(meta, cleared[i]); /* absent is as good */
}

int verb_preconditions(const struct verb_facts *v, const struct json *old, int64_t old_revision, struct slice uid,
                       struct slice revision, struct failure *f)
{
    struct slice name = json_string_at(old, "metadata.name"), own = json_string_at(old, "metadata.uid");
    char text[24];
    (void)snprintf(text, sizeof text, "%" PRId64, old_revision); /* fits */
    if (uid.size > 0 && !slice_equal(uid, own))
        return failure_conflict_with(
            f, v->kind, name,
            ": StorageError: invalid object, Code: 4, Key: /registry/%s/%.*s%s%.*s, ResourceVersion: 0, "
            "AdditionalErrorMsg: Precondition failed: UID in precondition: %.*s, UID in object meta: %.*s",
            v->kind->storage_prefix, SLICE_ARGS(v->kind->namespaced ? v->namespace : SLICE("")),
            v->kind->namespaced ? "/" : "", SLICE_ARGS(name), SLICE_ARGS(uid), SLICE_ARGS(own));
    if (revision.size > 0 && !slice_is(revision, text))
        return failure_conflict(f, v->kind, name);
    return 0;
}

/* Those of a deletion are told in words of their own, and name the kind. */
static int delete_preconditions(const struct verb_facts *v, const struct json *old, int64_t old_revision,
                                const struct delete_options *o, struct failure *f)
{
    struct slice own = json_string_at(old, "metadata.uid");
    char text[24];
    (void)snprintf(text, sizeof text, "%" PRId64, old_revision); /* fits */
    bool another = o->uid.size > 0 && !slice_equal(o->uid, own);
    if (!another && (o->resource_version.size == 0 || slice_is(o->resource_version, text)))
        return 0;
    failure_about(f, v->kind, v->name);
    return failure_set(
        f, ERR_CONFLICT,
        "Operation cannot be fulfilled on %s%s%s \"%.*s\": the %s in the precondition (%.*s) does not match "
        "the %s in record (%.*s). The object might have been %s",
        v->kind->name, *v->kind->group == '\0' ? "" : ".", v->kind->group, SLICE_ARGS(v->name),
        another ? "UID" : "ResourceVersion", SLICE_ARGS(another ? o->uid : o->resource_version),
        another ? "UID" : "ResourceVersion", SLICE_ARGS(another ? own : slice_str(text)),
        another ? "deleted and then recreated" : "modified");
}

static int no_new_finalizers(const struct verb_facts *v, const struct json *o, const struct json *old,
                             struct failure *f)
{
    if (json_at(old, "metadata.deletionTimestamp") == NULL)
        return 0;
    struct buf added = {0};
    struct json_iterator i = json_iterate(json_at(o, "metadata.finalizers"));
    while (json_next(&i)) {
        bool found = false;
        struct json_iterator k = json_iterate(json_at(old, "metadata.finalizers"));
        while (json_next(&k))
            found |= json_equal(i.value, k.value);
        if (found)
            continue;
        buf_append_str(&added, added.size == 0 ? "" : ", ");
        json_print_string(json_string(i.value), &added);
    }
    if (added.size > 0)
        check_fail_at(
            &f->check, "metadata.finalizers", CHECK_FORBIDDEN, NULL,
            "no new finalizers can be added if the object is being deleted, found new finalizers []string{%s}",
            added.data);
    buf_release(&added);
    return f->check.count == 0 ? 0 : failure_invalid(f, v->kind, v->name);
}

static bool same_but_status(struct json_doc *d, const struct json *a, const struct json *b)
{
    struct json *x = json_copy(d, a), *y = json_copy(d, b);
    static const char *const others[] = {"status", "metadata"};
    for (size_t i = 0; i < ARRAY_LEN(others); i++) {
        (void)json_remove(x, others[i]); /* absent is as good */
        (void)json_remove(y, others[i]);
    }
    return json_equal(x, y);
}

static bool deletion_is_due(const struct verb_facts *v, const struct json *o)
{
    return json_at(o, "metadata.deletionTimestamp") != NULL && json_size(json_at(o, "metadata.finalizers")) == 0 &&
           json_int_at(o, "metadata.deletionGracePeriodSeconds", 0) == 0 &&
           (strcmp(v->kind->plural, "namespaces") != 0 || json_size(json_at(o, "spec.finalizers")) == 0);
}

static bool same_content(const struct json *a, const struct json *b)
{
    struct json_iterator i = json_iterate(a);
    while (json_next(&i))
        if (!slice_is(i.key, "metadata") && !json_equal(i.value, json_get_slice(b, i.key)))
            return false;
    return json_size(a) == json_size(b);
}

/* A write that changes nothing but the times of managedFields changes nothing. */
static void keep_times(struct json_doc *d, struct json *o, const struct json *old)
{
    const struct json *before = json_at(old, "metadata.managedFields");
    struct json *meta = json_get(o, "metadata"), *now = json_get(meta, "managedFields");
    if (now == NULL || json_equal(now, before) || !managed_same_but_times(now, before) || !same_content(o, old))
        return;
    struct json *mine = json_copy(d, meta), *theirs = json_copy(d, json_get(old, "metadata"));
    (void)json_remove(mine, "managedFields"); /* both are there */
    (void)json_remove(theirs, "managedFields");
    if (json_equal(mine, theirs))
        json_set(d, meta, "managedFields", json_copy(d, before));
}

int verb_store(const struct verb_facts *v, struct json_doc *d, struct json *o, const struct json *old,
               struct verb_result *ret, struct failure *f)
{
    struct buf before = {0};
    struct json *canonical = NULL;
    struct err why;
    if (schema_decode(d, stored_kind(v)->type, o, NULL, &canonical, &why) != 0)
        return decode_failure(f, v->kind, &why);
    keep_times(d, canonical, old);
    int code = print_stored(v, canonical, &ret->bytes, f);
    json_print(old, &before);
    if (code == 0)
        ret->action = slice_equal(buf_slice(&before), buf_slice(&ret->bytes)) ? VERB_NOTHING : VERB_PUT;
    buf_release(&before);
    if (code == 0 && ret->action == VERB_PUT && deletion_is_due(v, o))
        ret->action = VERB_DELETE;
    return code;
}

static void count_generation(const struct verb_facts *v, struct json_doc *d, struct json *o, const struct json *old)
{
    struct json *was = NULL, *is = NULL;
    if (v->kind->no_generation || !subresource_counts(v))
        return;
    bool known = schema_decode(d, stored_kind(v)->type, old, NULL, &was, NULL) == 0 &&
                 schema_decode(d, stored_kind(v)->type, o, NULL, &is, NULL) == 0;
    if (known && !same_but_status(d, was, is))
        json_set_int(d, json_get(o, "metadata"), "generation", json_int_at(old, "metadata.generation", 0) + 1);
}

int verb_replace(const struct verb_facts *v, struct json_doc *d, const struct json *old, int64_t old_revision,
                 struct json *o, bool applied, struct verb_result *ret, struct failure *f)
{
    set_type_meta(v, d, o);
    int code = names_agree(v, d, o, f);
    if (code == 0)
        code = verb_preconditions(v, old, old_revision, json_string_at(o, "metadata.uid"),
                                  json_string_at(o, "metadata.resourceVersion"), f);
    if (code != 0)
        return code;
    bool finalize = v->subresource != NULL && strcmp(v->subresource, "finalize") == 0;
    keep_meta(d, o, old);
    subresource_keep(v, d, o, old);
    code = no_new_finalizers(v, o, old, f);
    if (code != 0)
        return code;
    schema_default(d, stored_kind(v)->type, o);
    if (!applied)
        record(v, d, old, o);
    if (stored_kind(v)->prepare_update != NULL && !finalize)
        stored_kind(v)->prepare_update(d, o, old);
    code = validate(v, o, old, f);
    if (code == 0 && v->subresource == NULL)
        code = allocate(v, d, o, f);
    if (code != 0)
        return code;
    count_generation(v, d, o, old);
    return verb_store(v, d, o, old, ret, f);
}

int verb_update(const struct verb_facts *v, struct json_doc *d, const struct json *old, int64_t old_revision,
                const struct json *body, struct verb_result *ret, struct failure *f)
{
    struct json *o = NULL;
    int code = decode(v, d, body, &o, f);
    if (code != 0)
        return code;
    if (v->kind->update_needs_version && json_string_at(o, "metadata.resourceVersion").size == 0) {
        check_fail_shown(&f->check, "metadata.resourceVersion", CHECK_INVALID, "0x0",
                         "must be specified for an update");
        return failure_invalid_resource(f, v->kind, v->name);
    }
    return verb_replace(v, d, old, old_revision, o, false, ret, f);
}

int patch_failure(struct failure *f, const struct json *patched, const char *text)
{
    struct buf whole = {0}, shown = {0};
    json_print(patched, &whole);
    json_print_string(buf_slice(&whole), &shown);
    check_fail_shown(&f->check, "patch", CHECK_INVALID, shown.data, "%s", text);
    buf_release(&whole);
    buf_release(&shown);
    f->code = ERR_INVALID;
    f->bare_details = true;
    buf_reset(&f->message);
    buf_append_str(&f->message, " \"\" is invalid: "); /* of no kind and no name */
    check_message(&f->check, &f->message);
    return f->code;
}

static int decode_patched(const struct verb_facts *v, struct json_doc *d, struct json *patched, struct json **ret,
                          struct failure *f)
{
    struct err why;
    int code = schema_decode(d, v->kind->type, patched, v->strict, ret, &why);
    return code == 0 ? as_stored(v, d, *ret, f) : patch_failure(f, patched, why.message);
}

int patch_tree(struct json_doc *d, enum patch_type type, const struct type *t, const struct json *target,
               const struct json *patch, struct json **ret, struct failure *f)
{
    struct err why;
    int code = 0;
    if (type == PATCH_TYPE_JSON)
        code = patch_json(d, target, patch, ret, &why);
    else if (type == PATCH_TYPE_STRATEGIC)
        code = patch_strategic(d, t, target, patch, ret, &why);
    else if (json_type(patch) == JSON_OBJECT)
        *ret = patch_merge(d, target, patch);
    else
        code = patch_wrong_type(patch, "map[string]interface {}", &why);
    if (code == ERR_INVALID)
        return failure_generic(f, ERR_INVALID);
    if (code == ERR_TOO_LARGE)
        failure_limit(f, LIMIT_PATCH);
    return code == 0 ? 0 : failure_set(f, code, "%s", why.message);
}

int verb_patch(const struct verb_facts *v, struct json_doc *d, const struct json *old, int64_t old_revision,
               enum patch_type type, const struct json *patch, struct verb_result *ret, struct failure *f)
{
    struct json *target = json_copy(d, old), *patched = NULL, *o = NULL;
    struct err why;
    char revision[24];
    if (stored_kind(v) != v->kind && convert_from_stored(v->kind, d, old, &target, &why) != 0)
        return failure_from(f, &why);
    (void)snprintf(revision, sizeof revision, "%" PRId64, old_revision); /* fits */
    json_set_str(d, json_ensure_object(d, target, "metadata"), "resourceVersion", revision);
    patch = strict_once(v->strict, d, patch, false);
    int code = patch_tree(d, type, v->kind->type, target, patch, &patched, f);
    if (code == 0)
        code = decode_patched(v, d, patched, &o, f);
    return code != 0 ? code : verb_replace(v, d, old, old_revision, o, false, ret, f);
}

int verb_apply(const struct verb_facts *v, struct json_doc *d, const struct json *old, int64_t old_revision,
               const struct json *config, bool force, struct verb_result *ret, struct failure *f)
{
    struct apply_options options = {.writer = writer_of(v), .namespace = v->namespace, .name = v->name, .force = force};
    struct slice uid = json_string_at(config, "metadata.uid");
    struct json *o = NULL;
    int code = apply_config(&options, d, old, strict_once(v->strict, d, config, false), &o, f);
    if (code != 0)
        return code;
    if (old == NULL && uid.size > 0)
        return failure_conflict_with(
            f, v->kind, v->name,
            ": uid mismatch: the provided object specified uid %.*s, and no existing object was found",
            SLICE_ARGS(uid));
    return old == NULL ? create_object(v, d, o, true, ret, f) : verb_replace(v, d, old, old_revision, o, true, ret, f);
}

static bool has_finalizer(const struct json *meta, const char *name)
{
    struct json_iterator i = json_iterate(json_get(meta, "finalizers"));
    while (json_next(&i))
        if (slice_is(json_string(i.value), name))
            return true;
    return false;
}

static void add_finalizer(struct json_doc *d, struct json *meta, const char *name)
{
    if (has_finalizer(meta, name))
        return;
    if (json_get(meta, "finalizers") == NULL)
        json_set(d, meta, "finalizers", json_new_array(d));
    json_append(json_get(meta, "finalizers"), json_new_str(d, name));
}

static bool is_protected(const struct verb_facts *v)
{
    static const char *const names[] = {"default", "kube-system", "kube-public"};
    for (size_t i = 0; i < ARRAY_LEN(names) && strcmp(v->kind->plural, "namespaces") == 0; i++) {
        if (slice_is(v->name, names[i]))
            return true;
    }
    return false;
}

static void drop_finalizer(struct json *meta, const char *name)
{
    struct json *list = json_get(meta, "finalizers");
    struct json_iterator i = json_iterate(list);
    while (json_next(&i))
        if (slice_is(json_string(i.value), name))
            json_iterator_remove(&i);
}

/* The finalizers that tell the garbage collector what becomes of the dependents. Who says nothing leaves what stands
 * there. */
static void propagate(const struct verb_facts *v, struct json_doc *d, struct json *meta, const struct delete_options *o)
{
    static const char orphan[] = "orphan", foreground[] = "foregroundDeletion";
    int how = (int)o->propagation;
    if (how == PROPAGATE_DEFAULT && v->kind->orphans_dependents && !has_finalizer(meta, orphan) &&
        !has_finalizer(meta, foreground))
        how = PROPAGATE_ORPHAN;
    if (how == PROPAGATE_DEFAULT)
        return;
    if (how != PROPAGATE_ORPHAN)
        drop_finalizer(meta, orphan);
    if (how != PROPAGATE_FOREGROUND)
        drop_finalizer(meta, foreground);
    if (how != PROPAGATE_BACKGROUND)
        add_finalizer(d, meta, how == PROPAGATE_ORPHAN ? orphan : foreground);
}

/* Marks `o` as going: deletionTimestamp and grace, which may only become shorter, counted from the first time. */
static void mark_deleting(const struct verb_facts *v, struct json_doc *d, struct json *o, int64_t grace)
{
    struct json *meta = json_get(o, "metadata");
    struct slice end = json_string_at(meta, "deletionTimestamp");
    int64_t left = json_int_at(meta, "deletionGracePeriodSeconds", 0), begin_us = v->now_us;
    if (end.size > 0 && grace >= left)
        return;
    if (end.size > 0 && time_parse(end, &begin_us) == 0)
        begin_us -= left * 1000000;
    char when[TIME_TEXT_MAX];
    time_format(begin_us + grace * 1000000, 0, when);
    bool marked = end.size > 0;
    json_set_str(d, meta, "deletionTimestamp", when);
    json_set_int(d, meta, "deletionGracePeriodSeconds", grace);
    if (!marked && json_get(meta, "generation") != NULL)
        json_set_int(d, meta, "generation", json_int_at(meta, "generation", 0) + 1);
}

int verb_delete(const struct verb_facts *v, struct json_doc *d, const struct json *old, int64_t old_revision,
                const struct delete_options *o, struct verb_result *ret, struct failure *f)
{
    struct buf resource = {0};
    if (is_protected(v)) {
        kind_resource_text(v->kind, &resource);
        failure_about(f, v->kind, v->name);
        int code = failure_set(f, ERR_FORBIDDEN, "%s \"%.*s\" is forbidden: this namespace may not be deleted",
                               resource.data, SLICE_ARGS(v->name));
        buf_release(&resource);
        return code;
    }
    int code = delete_preconditions(v, old, old_revision, o, f);
    if (code != 0)
        return code;
    struct json *gone = json_copy(d, old);
    struct json *meta = json_ensure_object(d, gone, "metadata");
    (void)snprintf(ret->uid, sizeof ret->uid, "%.*s",
                   SLICE_ARGS(json_string_at(meta, "uid"))); /* a longer one is cut */
    propagate(v, d, meta, o);
    int64_t grace = v->kind->grace_seconds == NULL ? 0 : v->kind->grace_seconds(old, o->grace_seconds);
    bool again = json_get(meta, "deletionTimestamp") != NULL;
    if (again && o->grace_seconds < 0)
        grace = json_int_at(meta, "deletionGracePeriodSeconds", 0); /* asks for nothing new */
    bool namespace = strcmp(v->kind->plural, "namespaces") == 0;
    mark_deleting(v, d, gone, grace);
    if (namespace)
        json_set_str(d, json_ensure_object(d, gone, "status"), "phase", "Terminating");
    code = verb_store(v, d, gone, old, ret, f);
    if (code == 0 && deletion_is_due(v, gone)) {
        ret->action = VERB_DELETE;
        ret->answer_status = !v->kind->delete_answers_object;
    }
    return code;
}
