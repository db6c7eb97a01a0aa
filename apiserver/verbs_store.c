/* From a tree to what is stored: canonical, bounded, and nothing at all where nothing changed. */
#include "common/base.h"

#include "apiserver/limits.h"
#include "apiserver/managed.h"
#include "apiserver/subresource.h"
#include "apiserver/verbs_parts.h"

#define PRINT_RESERVE 8192 /* most objects are printed without growing, and copied, on the way */

/* The stored bytes of a canonical tree. */
static int print_stored(const struct verb_facts *v, const struct json *canonical, struct buf *out, struct failure *f)
{
    buf_reserve(out, PRINT_RESERVE);
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

int verb_store_new(const struct verb_facts *v, struct json_doc *d, struct json *o, struct verb_result *ret,
                   struct failure *f)
{
    struct json *canonical;
    struct err why;
    if (schema_decode(d, verb_stored_kind(v)->type, o, NULL, &canonical, &why) != 0)
        return decode_failure(f, v->kind, &why);
    ret->action = VERB_PUT;
    ret->object = canonical;
    return print_stored(v, canonical, &ret->bytes, f);
}

/* Are all members but metadata and status the same? Both are canonical. */
static bool same_spec(const struct json *a, const struct json *b)
{
    struct json_iterator i = json_iterate(a);
    size_t n = 0;
    while (json_next(&i)) {
        if (slice_is(i.key, "metadata") || slice_is(i.key, "status"))
            continue;
        n++;
        if (!json_equal(i.value, json_get_slice(b, i.key)))
            return false;
    }
    return n == json_size(b) - (json_get(b, "metadata") != NULL ? 1u : 0u) - (json_get(b, "status") != NULL ? 1u : 0u);
}

/* A write that changes nothing but the times of managedFields changes nothing. */
static void keep_times(struct json_doc *d, struct json *o, const struct json *old)
{
    const struct json *before = json_at(old, "metadata.managedFields");
    struct json *meta = json_get(o, "metadata"), *now = json_get(meta, "managedFields");
    if (now == NULL || json_equal(now, before) || !managed_same_but_times(now, before) || !same_spec(o, old) ||
        !json_equal(json_get(o, "status"), json_get(old, "status")))
        return;
    struct json *mine = json_share(d, meta), *theirs = json_share(d, json_get(old, "metadata"));
    (void)json_remove(mine, "managedFields"); /* both are there */
    (void)json_remove(theirs, "managedFields");
    if (json_equal(mine, theirs))
        json_set(d, meta, "managedFields", json_share(d, before));
}

bool verb_deletion_is_due(const struct verb_facts *v, const struct json *o)
{
    return json_at(o, "metadata.deletionTimestamp") != NULL && json_size(json_at(o, "metadata.finalizers")) == 0 &&
           json_int_at(o, "metadata.deletionGracePeriodSeconds", 0) == 0 &&
           (strcmp(v->kind->plural, "namespaces") != 0 || json_size(json_at(o, "spec.finalizers")) == 0);
}

/* A change of what is asked for makes a new generation. `ret` stays canonical. */
static int count_generation(const struct verb_facts *v, struct json_doc *d, struct json *canonical,
                            const struct json *old, struct json **ret, struct err *reterr)
{
    struct json *meta = json_get(canonical, "metadata");
    *ret = canonical;
    if (v->kind->no_generation || !subresource_counts(v) || same_spec(canonical, old))
        return 0;
    bool had = json_get(meta, "generation") != NULL;
    json_set_int(d, meta, "generation", json_int_at(old, "metadata.generation", 0) + 1);
    return had ? 0 : schema_decode(d, verb_stored_kind(v)->type, canonical, NULL, ret, reterr);
}

int verb_store(const struct verb_facts *v, struct json_doc *d, struct json *o, const struct json *old,
               struct verb_result *ret, struct failure *f)
{
    struct json *canonical = NULL;
    struct err why;
    if (schema_decode(d, verb_stored_kind(v)->type, o, NULL, &canonical, &why) != 0 ||
        count_generation(v, d, canonical, old, &canonical, &why) != 0)
        return decode_failure(f, v->kind, &why);
    keep_times(d, canonical, old);
    ret->object = canonical;
    int code = print_stored(v, canonical, &ret->bytes, f);
    if (code == 0)
        ret->action = json_equal(canonical, old) ? VERB_NOTHING : VERB_PUT;
    if (code == 0 && ret->action == VERB_PUT && verb_deletion_is_due(v, o))
        ret->action = VERB_DELETE;
    return code;
}
