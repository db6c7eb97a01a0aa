/* DELETE: preconditions, what becomes of the dependents, grace, and when an object is gone. */
#include "common/base.h"

#include "apiserver/verbs_parts.h"
#include "common/clock.h"

#include <inttypes.h>
#include <stdio.h>

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

static void drop_finalizer(struct json *meta, const char *name)
{
    struct json *list = json_get(meta, "finalizers");
    struct json_iterator i = json_iterate(list);
    while (json_next(&i))
        if (slice_is(json_string(i.value), name))
            json_iterator_remove(&i);
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
    struct json *gone = json_share(d, old);
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
    if (code == 0 && verb_deletion_is_due(v, gone)) {
        ret->action = VERB_DELETE;
        ret->answer_status = !v->kind->delete_answers_object;
    }
    return code;
}
