/* The metadata of a write: what clients may say in it, what must agree with the URL, and what is the server's alone. */
#include "common/base.h"

#include "apiserver/names.h"
#include "apiserver/verbs_parts.h"
#include "common/clock.h"

#include <inttypes.h>
#include <stdio.h>

#define GENERATED_BASE_MAX 58 /* 63 characters of a label less 5 random ones */

void meta_set_type(const struct verb_facts *v, struct json_doc *d, struct json *o)
{
    char version[128];
    json_set_str(d, o, "kind", verb_stored_kind(v)->name);
    json_set_str(d, o, "apiVersion", kinds_api_version(verb_stored_kind(v), version));
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

void meta_check(const struct verb_facts *v, struct check *c, const struct json *o)
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

int meta_namespace_agrees(const struct verb_facts *v, struct json_doc *d, struct json *o, struct failure *f)
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

int meta_names_agree(const struct verb_facts *v, struct json_doc *d, struct json *o, struct failure *f)
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
    return meta_namespace_agrees(v, d, o, f);
}

void meta_generate_name(const struct verb_facts *v, struct json_doc *d, struct json *meta)
{
    struct slice base = json_string_at(meta, "generateName");
    char name[GENERATED_BASE_MAX + 8];
    if (json_string_at(meta, "name").size > 0 || base.size == 0)
        return;
    (void)snprintf(name, sizeof name, "%.*s%.5s", (int)MIN(base.size, (size_t)GENERATED_BASE_MAX), base.data,
                   v->suffix); /* fits */
    json_set_str(d, meta, "name", name);
}

void meta_stamp_new(const struct verb_facts *v, struct json_doc *d, struct json *meta)
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

static void keep_field(struct json_doc *d, struct json *to, const struct json *from, const char *field)
{
    if (json_get(from, field) != NULL)
        json_set(d, to, field, json_share(d, json_get(from, field)));
    else
        (void)json_remove(to, field); /* absent is as good */
}

/* What only the server writes in metadata stays as it was. */
void meta_keep(struct json_doc *d, struct json *o, const struct json *old)
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

int meta_no_new_finalizers(const struct verb_facts *v, const struct json *o, const struct json *old, struct failure *f)
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
