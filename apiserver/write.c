/*   load ──object──▶ decide (verbs.h, pure) ──transaction──▶ stored ──▶ answered
 *     ▲                 │ refused from a cached copy: load from the store     │ lost the race
 *     └─────────────────┴─────────────────────────────────────────────────────┘
 *
 * The first attempt uses the cache's copy; nothing is refused on the word of the cache alone. A transaction compares
 * the revision it was decided on and brings the newer object back when it lost. */
#include "common/base.h"

#include "apiserver/write_parts.h"
#include "common/mem.h"

void write_free(struct write *w)
{
    if (w == NULL)
        return;
    buf_release(&w->key);
    buf_release(&w->old);
    buf_release(&w->name);
    buf_release(&w->manager);
    buf_release(&w->start);
    buf_release(&w->next_page);
    buf_release(&w->budget.key);
    buf_release(&w->budget.bytes);
    buf_release(&w->result.bytes);
    if (w->claims != NULL)
        map_release(&w->claims->taken);
    mem_free(w->claims);
    mem_free(w->classes);
    for (size_t i = 0; i < w->target_count; i++)
        cached_unref(w->targets[i]);
    mem_free(w->targets);
    selection_release(&w->selection);
    mem_free(w);
}

static void facts_make(struct api_request *r, struct verb_facts *v)
{
    static const char alphabet[] = "bcdfghjklmnpqrstvwxz2456789";
    struct random *random = &r->api->env->random;
    char uid[UUID_TEXT_SIZE];
    random_uuid(random, uid);
    *v = (struct verb_facts){
        .kind = r->route.kind,
        .stored = kinds_stored(r->route.kind),
        .subresource = r->route.sub == NULL ? NULL : r->route.sub->name,
        .namespace = r->route.namespace,
        .name = r->write->kind == WRITE_CREATE ? r->route.name : buf_slice(&r->write->name),
        .manager = r->write->manager.data,
        .now_us = clock_wall_ms(&r->api->env->clock) * 1000,
        .strict = &r->strict,
        .user = &r->user,
    };
    if (r->write->claims != NULL) {
        r->write->allocator = (struct allocator){
            .seed = random_u64(random), .taken = claim_is_taken, .data = r->write, .asked = &r->write->claims->asked};
        r->write->claims->asked.count = 0;
        v->allocator = &r->write->allocator;
    }
    memcpy(v->uid, uid, sizeof uid);
    for (size_t i = 0; i < 5; i++)
        v->suffix[i] = alphabet[random_below(random, sizeof alphabet - 1)];
}

static void load_done(struct api_request *r, struct store_call *call, int status, const struct err *why)
{
    if (status != 0)
        request_fail_store(r, status, why);
    else if (call->range.kv_count == 0)
        write_decide(r, (struct slice){NULL, 0}, 0);
    else
        write_decide(r, call->range.kvs[0].value, call->range.kvs[0].mod_revision);
}

void write_load_from_store(struct api_request *r)
{
    struct kv_range range = {.span = {buf_slice(&r->write->key), {NULL, 0}}};
    r->write->from_cache = false;
    store_range(r->api->store, &request_op(r, load_done)->call, &range, STORE_TIMEOUT_MS);
}

void write_load_fresh(struct api_request *r, int status)
{
    if (status != 0)
        request_fail_wait(r, status);
    else
        write_load_from_store(r);
}

struct slice write_cache_key(const struct api_request *r)
{
    return slice_from(buf_slice(&r->write->key), strlen("/registry/") + strlen(r->route.kind->storage_prefix) + 1);
}

void write_load(struct api_request *r)
{
    struct watch_cache *c = stored_cache(r);
    struct cached *o = watch_cache_synced(c) ? watch_cache_get(c, write_cache_key(r)) : NULL;
    if (o == NULL) {
        write_load_from_store(r);
        return;
    }
    struct buf stored = {0};
    unsplice_revision(bytes_slice(o->json), &stored);
    r->write->from_cache = true;
    write_decide(r, buf_slice(&stored), o->revision);
    buf_release(&stored);
}

/* A decision against is final only when the store itself told the object's state. */
static void refuse(struct api_request *r)
{
    if (!r->write->from_cache) {
        request_fail(r);
        return;
    }
    failure_release(&r->failure);
    write_load_from_store(r);
}

static bool add_strict_failure(struct api_request *r)
{
    if (!r->write->strict || r->strict.count == 0)
        return false;
    struct buf text = {0};
    const struct kind *k = r->route.kind;
    strict_message(&r->strict, &text);
    if (r->write->kind == WRITE_PATCH) { /* what is unknown came with the patch, but is told of its result */
        struct buf whole = {0};
        buf_printf(&whole, "strict decoding error: %s", text.data);
        patch_failure(&r->failure, r->write->body, whole.data);
        buf_release(&whole);
        buf_release(&text);
        return true;
    }
    failure_set(&r->failure, ERR_BAD_REQUEST,
                "%s in version \"%s\" cannot be handled as a %s: strict decoding error: %s", k->name, k->version,
                k->name, text.data);
    buf_release(&text);
    return true;
}

/* What was wrong with decoding comes before what is wrong with the object. */
static bool refused(struct api_request *r, int code)
{
    if (r->write->strict && r->strict.count > 0)
        failure_release(&r->failure);
    return add_strict_failure(r) || code != 0;
}

static void answer_scale(struct api_request *r, int64_t revision)
{
    struct json *scale;
    struct buf text = {0};
    scale_of(r->write->result.object, r->route.kind, revision, r->doc, &scale);
    json_print(scale, &text);
    request_answer(r, 200, "application/json", buf_slice(&text));
    buf_release(&text);
}

void write_answer(struct api_request *r, int64_t revision)
{
    struct write *w = r->write;
    if (w->collection) {
        collection_next(r);
        return;
    }
    if (w->kind == WRITE_BIND || w->evicting) {
        request_answer(
            r, 201, "application/json",
            SLICE("{\"kind\":\"Status\",\"apiVersion\":\"v1\",\"metadata\":{},\"status\":\"Success\",\"code\":201}\n"));
    } else if (w->kind == WRITE_SCALE || w->kind == WRITE_SCALE_PATCH) {
        answer_scale(r, revision);
    } else if (w->kind == WRITE_DELETE && w->result.answer_status) {
        struct buf text = {0};
        status_deleted(r->route.kind, buf_slice(&w->name), slice_str(w->result.uid), &text);
        request_answer(r, 200, "application/json", buf_slice(&text));
        buf_release(&text);
    } else {
        bool pending = w->kind == WRITE_DELETE && w->options.cascades && w->result.action != VERB_DELETE;
        request_answer_object(r,
                              w->creating ? 201
                              : pending   ? 202
                                          : 200,
                              r->route.kind, buf_slice(&w->result.bytes), revision);
    }
}

void write_fail_namespace(struct api_request *r, bool terminating)
{
    if (!terminating) {
        failure_not_found(&r->failure, &kind_namespace, r->route.namespace);
    } else {
        struct buf resource = {0};
        kind_resource_text(r->route.kind, &resource);
        r->failure.cause_reason = "NamespaceTerminating";
        r->failure.cause_message = "namespace is being terminated";
        r->failure.cause_field = "metadata.namespace";
        failure_about(&r->failure, r->route.kind, buf_slice(&r->write->name));
        failure_set(
            &r->failure, ERR_FORBIDDEN,
            "%s \"%.*s\" is forbidden: unable to create new content in namespace %.*s because it is being terminated",
            resource.data, SLICE_ARGS(buf_slice(&r->write->name)), SLICE_ARGS(r->route.namespace));
        buf_release(&resource);
    }
    request_fail(r);
}

static int check_escalation(struct api_request *r, const struct json *old)
{
    const struct json *now = r->write->result.object;
    if (r->write->result.action != VERB_PUT)
        return 0;
    int code = escalation_check(r, now, old);
    return code == 0 ? signers_check(r, now, old) : code;
}

static bool namespace_is_going(const struct api_request *r)
{
    if (!r->route.kind->namespaced)
        return false;
    struct cached *namespace = watch_cache_get(r->api->caches[kinds_index(&kind_namespace)], r->route.namespace);
    return namespace != NULL && namespace->deleting;
}

static int decide_change(struct api_request *r, const struct verb_facts *v, const struct json *old, int64_t revision)
{
    struct write *w = r->write;
    switch (w->kind) {
    case WRITE_UPDATE: return verb_update(v, r->doc, old, revision, w->body, &w->result, &r->failure);
    case WRITE_PATCH:
        if (w->patch == PATCH_TYPE_APPLY)
            return verb_apply(v, r->doc, old, revision, w->body, w->force, &w->result, &r->failure);
        return verb_patch(v, r->doc, old, revision, w->patch, w->body, &w->result, &r->failure);
    case WRITE_DELETE:
        if (w->evicting && evict_decide(r, old) != 0)
            return r->failure.code;
        return verb_delete(v, r->doc, old, revision, &w->options, &w->result, &r->failure);
    case WRITE_BIND: return verb_bind(v, r->doc, old, w->body, &w->result, &r->failure);
    case WRITE_SCALE: return verb_scale(v, r->doc, old, revision, w->body, &w->result, &r->failure);
    default: return verb_scale_patch(v, r->doc, old, revision, w->patch, w->body, w->force, &w->result, &r->failure);
    }
}

/* The name that a create ends up with is known only now. */
static void take_created_name(struct api_request *r)
{
    struct write *w = r->write;
    buf_reset(&w->name);
    buf_append_slice(&w->name, json_string_at(w->result.object, "metadata.name"));
    request_key(r, buf_slice(&w->name), &w->key);
}

static void decide_create(struct api_request *r, struct verb_facts *v)
{
    struct write *w = r->write;
    w->creating = true;
    classes_find(r, v);
    if (r->route.kind == &kind_pod)
        account_find(r, v);
    if (r->route.kind == &kind_pod && account_waits(r, v))
        return;
    int code = w->kind == WRITE_PATCH ? verb_apply(v, r->doc, NULL, 0, w->body, w->force, &w->result, &r->failure)
                                      : verb_create(v, r->doc, w->body, &w->result, &r->failure);
    if (refused(r, code) || check_escalation(r, NULL) != 0) {
        w->from_cache = false;
        request_fail(r);
        return;
    }
    take_created_name(r);
    if (namespace_is_going(r))
        write_fail_namespace(r, true);
    else
        commit_new(r);
}

void write_decide(struct api_request *r, struct slice old, int64_t revision)
{
    struct write *w = r->write;
    struct verb_facts v;
    struct json *tree = NULL;
    struct err why;
    facts_make(r, &v);
    strict_release(&r->strict);
    buf_reset(&w->result.bytes);
    w->result.answer_status = false;
    w->revision = revision;
    w->creating = false;
    if (old.data == NULL) {
        bool makes = w->kind == WRITE_CREATE ||
                     (r->route.sub == NULL && w->kind == WRITE_UPDATE && r->route.kind->update_creates) ||
                     (r->route.sub == NULL && w->kind == WRITE_PATCH && w->patch == PATCH_TYPE_APPLY);
        if (makes) {
            decide_create(r, &v);
        } else if (w->collection) {
            collection_next(r); /* gone already */
        } else {
            failure_not_found(&r->failure, r->route.kind, buf_slice(&w->name));
            refuse(r);
        }
        return;
    }
    if (json_parse(r->doc, old, &tree, &why) != 0) {
        request_fail_with(r, ERR_CORRUPT, "the stored object %.*s is damaged: %s", SLICE_ARGS(buf_slice(&w->key)),
                          why.message);
        return;
    }
    if (refused(r, decide_change(r, &v, tree, revision)) || check_escalation(r, tree) != 0) {
        refuse(r);
    } else if (w->result.action == VERB_NOTHING && w->from_cache) {
        write_load_from_store(r); /* a no-op must not answer with yesterday's object */
    } else if (w->result.action == VERB_NOTHING || (w->dry_run && w->claims == NULL)) {
        write_answer(r, revision);
    } else {
        claims_update(r, tree);
        commit_change(r);
    }
}

/* POST /bindings is the older spelling of POST /pods/NAME/binding. */
static void redirect_binding(struct api_request *r)
{
    r->route.kind = &kind_pod;
    r->route.sub = kinds_subresource(&kind_pod, SLICE("binding"));
    r->write->kind = WRITE_BIND;
    buf_append_slice(&r->write->name, json_string_at(r->write->body, "metadata.name"));
}

void write_begin(struct api_request *r)
{
    struct write *w = NEW(struct write);
    r->write = w;
    if (r->route.kind->claim != NULL)
        w->claims = NEW(struct write_claims);
    if (write_parse(r) != 0) {
        request_fail(r);
        return;
    }
    buf_append_slice(&w->name, r->route.name);
    if (r->route.kind == &kind_binding)
        redirect_binding(r);
    if (w->collection) {
        request_wait_fresh(r, request_cache(r), collection_begin);
        return;
    }
    if (w->kind == WRITE_CREATE) {
        write_decide(r, (struct slice){NULL, 0}, 0);
        return;
    }
    request_key(r, buf_slice(&w->name), &w->key);
    if (w->evicting && evict_cache(r) != NULL)
        request_wait_fresh(r, evict_cache(r), write_load_fresh);
    else
        write_load(r);
}
