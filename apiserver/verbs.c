/* Creating, replacing, patching and applying: the order in which an object is decoded, filled, admitted and judged. */
#include "common/base.h"

#include "apiserver/admission.h"
#include "apiserver/apply.h"
#include "apiserver/convert.h"
#include "apiserver/limits.h"
#include "apiserver/patch.h"
#include "apiserver/subresource.h"
#include "apiserver/verbs_parts.h"
#include "common/mem.h"

#include <inttypes.h>
#include <stdio.h>

int decode_failure(struct failure *f, const struct kind *k, const struct err *why)
{
    return failure_set(f, ERR_BAD_REQUEST, "%s in version \"%s\" cannot be handled as a %s: %s", k->name, k->version,
                       k->name, why->message);
}

/* What came in another version is filled and judged as such before it becomes what is stored; all else happens to that.
 */
static int as_stored(const struct verb_facts *v, struct json_doc *d, struct json *o, struct failure *f)
{
    if (verb_stored_kind(v) == v->kind)
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

/* What the version that was asked in, which is not the one that is stored, says of a change. */
static int validate_version(const struct verb_facts *v, const struct json *o, const struct json *old, struct failure *f)
{
    if (v->kind == verb_stored_kind(v) || v->kind->check_update == NULL || v->subresource != NULL)
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

static bool writes_status_alone(const struct verb_facts *v)
{
    return v->subresource != NULL && strcmp(v->subresource, "status") == 0 && verb_stored_kind(v)->keep == NULL;
}

static int validate(const struct verb_facts *v, const struct json *o, const struct json *old, struct failure *f)
{
    meta_check(v, &f->check, o);
    if (writes_status_alone(v)) { /* all else was judged when it was written */
        schema_check_member(&f->check, verb_stored_kind(v)->type, "metadata", o);
        schema_check_member(&f->check, verb_stored_kind(v)->type, "status", o);
    } else {
        schema_check(&f->check, verb_stored_kind(v)->type, o);
    }
    if (old != NULL && verb_stored_kind(v)->check_update != NULL &&
        (v->subresource == NULL || verb_stored_kind(v)->keep != NULL))
        verb_stored_kind(v)->check_update(&f->check, o, old);
    if (old != NULL)
        subresource_check(v, &f->check, o, old);
    int code = old == NULL ? 0 : validate_version(v, o, old, f);
    if (code != 0)
        return code;
    return f->check.count == 0 ? 0 : failure_invalid(f, v->kind, json_string_at(o, "metadata.name"));
}

static int allocate(const struct verb_facts *v, struct json_doc *d, struct json *o, const struct json *old,
                    struct failure *f)
{
    const struct kind *k = verb_stored_kind(v);
    struct err why;
    if (k->allocate == NULL || v->allocator == NULL)
        return 0;
    if (v->allocator->asked != NULL)
        k->claim(o, v->allocator->asked);
    if (k->allocate(d, o, old, v->allocator, &f->check, &why) != 0)
        return failure_set(f, ERR_INTERNAL, "Internal error occurred: %s", why.message);
    return f->check.count == 0 ? 0 : failure_invalid(f, v->kind, json_string_at(o, "metadata.name"));
}

static struct managed_writer writer_of(const struct verb_facts *v)
{
    return (struct managed_writer){v->kind, verb_stored_kind(v), v->manager, v->subresource, v->now_us};
}

static void record(const struct verb_facts *v, struct json_doc *d, const struct json *live, struct json *o)
{
    struct managed_writer w = writer_of(v);
    managed_record(d, &w, live, o);
}

static int admit(const struct verb_facts *v, struct json_doc *d, struct json *o, struct failure *f)
{
    admission_class(v, d, o);
    if (v->kind != &kind_pod)
        return 0;
    admission_tolerations(d, o);
    int code = admission_service_account(v, d, o, f);
    if (code == 0)
        schema_default(d, verb_stored_kind(v)->type, o); /* of what admission added */
    return code;
}

/* `o` is decoded; `applied`: its managedFields are done. What the server itself fills in afterwards is nobody's. */
static int create_object(const struct verb_facts *v, struct json_doc *d, struct json *o, bool applied,
                         struct verb_result *ret, struct failure *f)
{
    meta_set_type(v, d, o);
    struct json *meta = json_ensure_object(d, o, "metadata");
    if (json_string_at(meta, "resourceVersion").size > 0)
        return failure_set(f, ERR_UNEXPLAINED, "resourceVersion should not be set on objects to be created");
    int code = v->name.size > 0 ? meta_names_agree(v, d, o, f) : meta_namespace_agrees(v, d, o, f);
    if (code != 0)
        return code;
    meta_generate_name(v, d, meta);
    meta_stamp_new(v, d, meta);
    if (kinds_subresource(v->kind, SLICE("status")) != NULL && !v->kind->create_keeps_status)
        (void)json_remove(o, "status"); /* only its own subresource writes it */
    if (verb_stored_kind(v)->stamp_user != NULL && v->user != NULL)
        verb_stored_kind(v)->stamp_user(d, o, v->user);
    schema_default(d, verb_stored_kind(v)->type, o);
    if (!applied)
        record(v, d, NULL, o);
    if (verb_stored_kind(v)->prepare_create != NULL)
        verb_stored_kind(v)->prepare_create(d, o);
    code = admit(v, d, o, f);
    if (code == 0)
        code = validate(v, o, NULL, f);
    if (code == 0)
        code = allocate(v, d, o, NULL, f);
    if (code == 0)
        code = verb_store_new(v, d, o, ret, f);
    return code;
}

int verb_create(const struct verb_facts *v, struct json_doc *d, const struct json *body, struct verb_result *ret,
                struct failure *f)
{
    struct json *o = NULL;
    int code = decode(v, d, body, &o, f);
    return code == 0 ? create_object(v, d, o, false, ret, f) : code;
}

int verb_replace(const struct verb_facts *v, struct json_doc *d, const struct json *old, int64_t old_revision,
                 struct json *o, bool applied, struct verb_result *ret, struct failure *f)
{
    meta_set_type(v, d, o);
    int code = meta_names_agree(v, d, o, f);
    if (code == 0)
        code = verb_preconditions(v, old, old_revision, json_string_at(o, "metadata.uid"),
                                  json_string_at(o, "metadata.resourceVersion"), f);
    if (code != 0)
        return code;
    bool finalize = v->subresource != NULL && strcmp(v->subresource, "finalize") == 0;
    meta_keep(d, o, old);
    subresource_keep(v, d, o, old);
    code = meta_no_new_finalizers(v, o, old, f);
    if (code != 0)
        return code;
    schema_default(d, verb_stored_kind(v)->type, o);
    if (!applied)
        record(v, d, old, o);
    if (verb_stored_kind(v)->prepare_update != NULL && !finalize)
        verb_stored_kind(v)->prepare_update(d, o, old);
    code = validate(v, o, old, f);
    if (code == 0 && v->subresource == NULL)
        code = allocate(v, d, o, old, f);
    if (code != 0)
        return code;
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
    struct json *target = json_share(d, old), *patched = NULL, *o = NULL;
    struct err why;
    char revision[24];
    if (verb_stored_kind(v) != v->kind && convert_from_stored(v->kind, d, old, &target, &why) != 0)
        return failure_from(f, &why);
    (void)snprintf(revision, sizeof revision, "%" PRId64, old_revision); /* fits */
    json_set_str(d, json_ensure_object(d, target, "metadata"), "resourceVersion", revision);
    patch = strict_once(v->strict, d, patch);
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
    int code = apply_config(&options, d, old, strict_once(v->strict, d, config), &o, f);
    if (code != 0)
        return code;
    if (old == NULL && uid.size > 0)
        return failure_conflict_with(
            f, v->kind, v->name,
            ": uid mismatch: the provided object specified uid %.*s, and no existing object was found",
            SLICE_ARGS(uid));
    return old == NULL ? create_object(v, d, o, true, ret, f) : verb_replace(v, d, old, old_revision, o, true, ret, f);
}
