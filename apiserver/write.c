/*   load ──object──▶ decide (verbs.c, pure) ──transaction──▶ stored ──▶ answered
 *     ▲                 │ refused from a cached copy: load from the store     │ lost the race
 *     └─────────────────┴─────────────────────────────────────────────────────┘
 *
 * The first attempt uses the cache's copy; nothing is refused on the word of the cache alone. A transaction compares
 * the revision it was decided on and brings the newer object back when it lost. */
#include "common/base.h"

#include "apiserver/admission.h"
#include "apiserver/continue_token.h"
#include "apiserver/write_parts.h"
#include "common/mem.h"

#include <stdio.h>

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
    for (size_t i = 0; i < w->target_count; i++)
        cached_unref(w->targets[i]);
    mem_free(w->targets);
    selection_release(&w->selection);
    mem_free(w);
}

static void decide(struct api_request *r, struct slice old, int64_t revision);
static void collection_next(struct api_request *r);

static bool claim_is_taken(const struct allocator *a, const char *key)
{
    const struct write *w = a->data;
    return map_get(&w->claims->taken, slice_str(key)) != NULL;
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
        r->write->allocator = (struct allocator){.seed = random_u64(random), .taken = claim_is_taken, .data = r->write};
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
        decide(r, (struct slice){NULL, 0}, 0);
    else
        decide(r, call->range.kvs[0].value, call->range.kvs[0].mod_revision);
}

static void load_from_store(struct api_request *r)
{
    struct kv_range range = {.span = {buf_slice(&r->write->key), {NULL, 0}}};
    r->write->from_cache = false;
    store_range(r->api->store, &request_op(r, load_done)->call, &range, STORE_TIMEOUT_MS);
}

static void load_fresh(struct api_request *r, int status)
{
    if (status != 0)
        request_fail_wait(r, status);
    else
        load_from_store(r);
}

static struct slice cache_key_of(const struct api_request *r)
{
    return slice_from(buf_slice(&r->write->key), strlen("/registry/") + strlen(r->route.kind->storage_prefix) + 1);
}

static void load(struct api_request *r)
{
    struct watch_cache *c = stored_cache(r);
    struct cached *o = watch_cache_synced(c) ? watch_cache_get(c, cache_key_of(r)) : NULL;
    if (o == NULL) {
        load_from_store(r);
        return;
    }
    struct buf stored = {0};
    unsplice_revision(bytes_slice(o->json), &stored);
    r->write->from_cache = true;
    decide(r, buf_slice(&stored), o->revision);
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
    load_from_store(r);
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
    struct json *tree, *scale;
    struct buf text = {0};
    int code = json_parse(r->doc, buf_slice(&r->write->result.bytes), &tree, NULL);
    ASSERT(code == 0); /* printed just now */
    scale_of(tree, r->route.kind, revision, r->doc, &scale);
    json_print(scale, &text);
    request_answer(r, 200, "application/json", buf_slice(&text));
    buf_release(&text);
}

static void answer_written(struct api_request *r, int64_t revision)
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

/* The namespace was not there when the object was to be made, or is going. */
static void fail_namespace(struct api_request *r, bool terminating)
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

static bool claims_hold(const struct claims *c, const char *key)
{
    for (size_t i = 0; i < c->count; i++) {
        if (strcmp(c->list[i].key, key) == 0)
            return true;
    }
    return false;
}

static void claims_subtract(const struct claims *a, const struct claims *b, struct claims *ret)
{
    ret->count = 0;
    for (size_t i = 0; i < a->count; i++) {
        if (!claims_hold(b, a->list[i].key))
            ret->list[ret->count++] = a->list[i];
    }
}

/* What the object will hold that `old` does not, and the other way round. */
static void claims_update(struct api_request *r, const struct json *old)
{
    struct write_claims *c = r->write->claims;
    struct json *now = NULL;
    if (c == NULL)
        return;
    struct claims *before = NEW(struct claims), *after = NEW(struct claims);
    if (r->write->result.action == VERB_PUT) {
        int code = json_parse(r->doc, buf_slice(&r->write->result.bytes), &now, NULL);
        ASSERT(code == 0); /* printed just now */
        r->route.kind->claim(now, after);
    }
    if (old != NULL)
        r->route.kind->claim(old, before);
    claims_subtract(after, before, &c->fresh);
    claims_subtract(before, after, &c->gone);
    mem_free(before);
    mem_free(after);
}

static int check_escalation(struct api_request *r, const struct json *old)
{
    struct json *now = NULL;
    const struct kind *k = r->route.kind;
    if (r->write->result.action != VERB_PUT || (!escalation_concerns(k) && !signers_concern(k)))
        return 0;
    int code = json_parse(r->doc, buf_slice(&r->write->result.bytes), &now, NULL);
    ASSERT(code == 0); /* printed just now */
    code = escalation_check(r, now, old);
    return code == 0 ? signers_check(r, now, old) : code;
}

/* One transaction with its arrays: the object's own operation, and those of its claims. */
struct claim_txn {
    struct kv_compare compares[2 + CLAIMS_MAX];
    struct kv_op done[2 + 2 * CLAIMS_MAX], look[2];
    struct buf keys[2 * CLAIMS_MAX]; /* of the claims, in order */
    size_t key_count;
    struct buf owner;
    struct kv_txn txn;
};

static struct slice claim_key(struct claim_txn *t, const struct claim *claim)
{
    struct buf *key = &t->keys[t->key_count++];
    buf_printf(key, "/registry/ranges/%s", claim->key);
    return buf_slice(key);
}

static const struct kv_range all_claims = {.span = {SLICE("/registry/ranges/"), SLICE("/registry/ranges0")},
                                           .keys_only = true};

/* A claimed key must not exist and is put; one that is given up is deleted. What is taken is looked up when it failed.
 */
static void claims_join(struct api_request *r, struct claim_txn *t)
{
    struct write_claims *c = r->write->claims;
    struct slice object = cache_key_of(r);
    if (c == NULL || c->fresh.count + c->gone.count == 0)
        return;
    buf_append_str(&t->owner, "{\"owner\":");
    json_print_string(object, &t->owner);
    buf_append_char(&t->owner, '}');
    for (size_t i = 0; i < c->fresh.count; i++) {
        struct slice key = claim_key(t, &c->fresh.list[i]);
        t->compares[t->txn.compare_count++] =
            (struct kv_compare){.span = {key, {NULL, 0}}, .target = KV_COMPARE_CREATE, .result = KV_EQUAL, .number = 0};
        if (t->txn.success_count > 0)
            t->done[t->txn.success_count++] =
                (struct kv_op){.kind = KV_OP_PUT, .put = {.key = key, .value = buf_slice(&t->owner)}};
    }
    for (size_t i = 0; i < c->gone.count && t->txn.success_count > 0; i++)
        t->done[t->txn.success_count++] =
            (struct kv_op){.kind = KV_OP_DELETE, .delete = {.span = {claim_key(t, &c->gone.list[i]), {NULL, 0}}}};
    t->look[t->txn.failure_count++] = (struct kv_op){.kind = KV_OP_RANGE, .range = all_claims};
}

static void claim_txn_send(struct api_request *r, struct claim_txn *t,
                           void (*done)(struct api_request *, struct store_call *, int, const struct err *))
{
    t->txn.compares = t->compares;
    t->txn.success = t->done;
    t->txn.failure = t->look;
    store_txn(r->api->store, &request_op(r, done)->call, &t->txn, STORE_TIMEOUT_MS);
    for (size_t i = 0; i < t->key_count; i++)
        buf_release(&t->keys[i]);
    buf_release(&t->owner);
    mem_free(t);
}

static void fail_claim(struct api_request *r, const struct claim *claim)
{
    struct json *bad = NULL;
    if (json_parse(r->doc, slice_str(claim->value), &bad, NULL) != 0)
        bad = NULL;
    check_fail_at(&r->failure.check, claim->field, CHECK_INVALID, bad, "%s", claim->taken);
    failure_invalid(&r->failure, r->route.kind, buf_slice(&r->write->name));
    request_fail(r);
}

/* After a lost race: the claim that someone else holds and that `asked` the client for, or NULL. Notes all that are
 * taken, so that the next attempt chooses others. *ret_any: one of ours is among them. */
static const struct claim *claims_lost(struct api_request *r, struct store_call *call, const struct json *asked,
                                       bool *ret_any)
{
    struct write_claims *c = r->write->claims;
    *ret_any = false;
    if (c == NULL || call->txn.result_count < 2)
        return NULL;
    const struct kv_range_result *range = &call->txn.results[call->txn.result_count - 1].range;
    const struct claim *found = NULL;
    struct claims *wanted = NEW(struct claims);
    r->route.kind->claim(asked, wanted);
    map_release(&c->taken);
    c->taken = (struct map){.entries = NULL};
    for (size_t i = 0; i < range->kv_count; i++)
        (void)map_put(&c->taken, slice_from(range->kvs[i].key, strlen("/registry/ranges/")), r);
    for (size_t i = 0; i < c->fresh.count; i++) {
        bool lost = map_get(&c->taken, slice_str(c->fresh.list[i].key)) != NULL;
        *ret_any |= lost;
        if (lost && found == NULL && claims_hold(wanted, c->fresh.list[i].key))
            found = &c->fresh.list[i];
    }
    mem_free(wanted);
    return found;
}

static void create_again(struct api_request *r)
{
    struct write *w = r->write;
    bool generated = json_string_at(w->body, "metadata.name").size == 0;
    metric_add(r->api->count.conflicts, 1);
    if (w->kind != WRITE_CREATE) { /* someone else made it meanwhile */
        load_from_store(r);
    } else if (generated && ++w->attempts < GENERATE_ATTEMPTS_MAX) {
        decide(r, (struct slice){NULL, 0}, 0);
    } else {
        if (generated) { /* unlucky, not wrong: the client may try again */
            struct buf resource = {0};
            kind_resource_text(r->route.kind, &resource);
            failure_about(&r->failure, r->route.kind, buf_slice(&w->name));
            r->failure.retry_after_seconds = 1;
            failure_limit(&r->failure, LIMIT_GENERATE_ATTEMPTS);
            failure_set(&r->failure, ERR_EXISTS,
                        "%s \"%.*s\" already exists, the server was not able to generate a unique name for the object",
                        resource.data, SLICE_ARGS(buf_slice(&w->name)));
            buf_release(&resource);
        }
        failure_exists(&r->failure, r->route.kind, buf_slice(&w->name));
        request_fail(r);
    }
}

static void create_done(struct api_request *r, struct store_call *call, int status, const struct err *why)
{
    struct write *w = r->write;
    bool raced = false;
    if (status != 0) {
        request_fail_store(r, status, why);
        return;
    }
    if (call->txn.succeeded) {
        answer_written(r, w->dry_run ? 0 : call->header.revision);
        return;
    }
    if (call->txn.results[0].range.kv_count > 0) {
        create_again(r);
        return;
    }
    const struct claim *lost = claims_lost(r, call, w->body, &raced);
    if (lost != NULL)
        fail_claim(r, lost);
    else if (raced && ++w->attempts < UPDATE_ATTEMPTS_MAX)
        decide(r, (struct slice){NULL, 0}, 0);
    else
        fail_namespace(r, false);
}

static void put_new(struct api_request *r)
{
    struct write *w = r->write;
    struct buf namespace_key = {0};
    struct claim_txn *t = NEW(struct claim_txn);
    struct slice key = buf_slice(&w->key);
    claims_update(r, NULL);
    t->compares[0] =
        (struct kv_compare){.span = {key, {NULL, 0}}, .target = KV_COMPARE_CREATE, .result = KV_EQUAL, .number = 0};
    t->done[0] = (struct kv_op){.kind = KV_OP_PUT, .put = {.key = key, .value = buf_slice(&w->result.bytes)}};
    t->look[0] = (struct kv_op){.kind = KV_OP_RANGE, .range = {.span = {key, {NULL, 0}}, .keys_only = true}};
    /* A dry run asks the same questions and writes nothing. */
    t->txn = (struct kv_txn){.compare_count = 1, .success_count = w->dry_run ? 0 : 1, .failure_count = 1};
    if (r->route.kind->namespaced) {
        store_key(&kind_namespace, (struct slice){NULL, 0}, r->route.namespace, &namespace_key);
        t->compares[t->txn.compare_count++] = (struct kv_compare){.span = {buf_slice(&namespace_key), {NULL, 0}},
                                                                  .target = KV_COMPARE_CREATE,
                                                                  .result = KV_GREATER,
                                                                  .number = 0};
    }
    claims_join(r, t);
    claim_txn_send(r, t, create_done);
    buf_release(&namespace_key);
}

static void change_done(struct api_request *r, struct store_call *call, int status, const struct err *why)
{
    struct write *w = r->write;
    bool raced = false;
    if (status != 0) {
        request_fail_store(r, status, why);
        return;
    }
    if (call->txn.succeeded) {
        answer_written(r, call->header.revision);
        return;
    }
    metric_add(r->api->count.conflicts, 1);
    const struct kv_range_result *now = &call->txn.results[0].range;
    const struct claim *lost = claims_lost(r, call, w->body, &raced);
    w->from_cache = false;
    if (now->kv_count == 0) {
        decide(r, (struct slice){NULL, 0}, 0);
    } else if (lost != NULL && now->kvs[0].mod_revision == w->revision) {
        fail_claim(r, lost);
    } else if (++w->attempts == (w->kind == WRITE_PATCH ? PATCH_ATTEMPTS_MAX : UPDATE_ATTEMPTS_MAX)) {
        failure_limit(&r->failure, LIMIT_UPDATE_ATTEMPTS);
        failure_conflict(&r->failure, r->route.kind, buf_slice(&w->name));
        request_fail(r);
    } else if (w->budget.key.size > 0 && now->kvs[0].mod_revision == w->revision) {
        request_wait_fresh(r, evict_cache(r), load_fresh); /* someone else was paid for */
    } else {
        decide(r, now->kvs[0].value, now->kvs[0].mod_revision);
    }
}

/* The budget is as it was decided on, and is paid from together with the deletion. */
static void budget_join(struct api_request *r, struct claim_txn *t)
{
    const struct spent_budget *b = &r->write->budget;
    if (b->key.size == 0)
        return;
    t->compares[t->txn.compare_count++] = (struct kv_compare){
        .span = {buf_slice(&b->key), {NULL, 0}}, .target = KV_COMPARE_MOD, .result = KV_EQUAL, .number = b->revision};
    t->done[t->txn.success_count++] =
        (struct kv_op){.kind = KV_OP_PUT, .put = {.key = buf_slice(&b->key), .value = buf_slice(&b->bytes)}};
}

static void change(struct api_request *r)
{
    struct write *w = r->write;
    struct slice key = buf_slice(&w->key);
    struct claim_txn *t = NEW(struct claim_txn);
    t->compares[0] = (struct kv_compare){
        .span = {key, {NULL, 0}}, .target = KV_COMPARE_MOD, .result = KV_EQUAL, .number = w->revision};
    t->done[0] = w->result.action == VERB_DELETE
                     ? (struct kv_op){.kind = KV_OP_DELETE, .delete = {.span = {key, {NULL, 0}}}}
                     : (struct kv_op){.kind = KV_OP_PUT, .put = {.key = key, .value = buf_slice(&w->result.bytes)}};
    t->look[0] = (struct kv_op){.kind = KV_OP_RANGE, .range = {.span = {key, {NULL, 0}}}};
    t->txn = (struct kv_txn){.compare_count = 1, .success_count = 1, .failure_count = 1};
    budget_join(r, t);
    claims_join(r, t);
    claim_txn_send(r, t, change_done);
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
    struct json *tree = NULL;
    int code = json_parse(r->doc, buf_slice(&w->result.bytes), &tree, NULL);
    ASSERT(code == 0); /* printed just now */
    buf_reset(&w->name);
    buf_append_slice(&w->name, json_string_at(tree, "metadata.name"));
    request_key(r, buf_slice(&w->name), &w->key);
}

static struct cached *namespace_object(const struct api_request *r, const struct kind *k, struct slice name)
{
    struct buf key = {0};
    buf_printf(&key, "%.*s/%.*s", SLICE_ARGS(r->route.namespace), SLICE_ARGS(name));
    struct cached *o = watch_cache_get(r->api->caches[kinds_index(k)], buf_slice(&key));
    buf_release(&key);
    return o;
}

static bool namespace_lives(const struct api_request *r)
{
    struct cached *namespace = watch_cache_get(r->api->caches[kinds_index(&kind_namespace)], r->route.namespace);
    return namespace != NULL && !namespace->deleting;
}

/* The account that a new pod asks for, from the cache. */
static void find_account(struct api_request *r, struct verb_facts *v)
{
    struct json *tree = NULL;
    struct cached *o = namespace_object(r, &kind_serviceaccount, admission_account_name(r->write->body));
    if (o != NULL && json_parse(r->doc, bytes_slice(o->json), &tree, NULL) == 0)
        v->account = tree;
    v->mounts_tokens = r->api->token_key != NULL && namespace_lives(r);
}

static void account_again(struct api_request *r, int status)
{
    (void)status; /* whether the cache moved on or time is up, the account is looked for once more */
    decide(r, (struct slice){NULL, 0}, 0);
}

/* The controllers give a new namespace its account `default` a moment after it was made: a pod that comes before waits,
 * for ACCOUNT_WAIT_MS in all. Other accounts are not waited for. */
static bool waits_for_account(struct api_request *r, const struct verb_facts *v)
{
    struct write *w = r->write;
    struct watch_cache *c = r->api->caches[kinds_index(&kind_serviceaccount)];
    uint64_t now = clock_monotonic_ms(&r->api->env->clock);
    if (v->account != NULL || !v->mounts_tokens || !slice_is(admission_account_name(w->body), "default"))
        return false;
    if (w->account_deadline_ms == 0)
        w->account_deadline_ms = now + ACCOUNT_WAIT_MS;
    if (now >= w->account_deadline_ms)
        return false;
    request_wait(r, c, watch_cache_revision(c) + 1, MIN(w->account_deadline_ms - now, (uint64_t)ACCOUNT_TRY_MS),
                 account_again);
    return true;
}

static void decide_create(struct api_request *r, struct verb_facts *v)
{
    struct write *w = r->write;
    w->creating = true;
    if (r->route.kind == &kind_pod)
        find_account(r, v);
    if (r->route.kind == &kind_pod && waits_for_account(r, v))
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
        fail_namespace(r, true);
    else
        put_new(r);
}

static void decide(struct api_request *r, struct slice old, int64_t revision)
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
        load_from_store(r); /* a no-op must not answer with yesterday's object */
    } else if (w->result.action == VERB_NOTHING || w->dry_run) {
        answer_written(r, revision);
    } else {
        claims_update(r, tree);
        change(r);
    }
}

/* The next object of a deletecollection, one after the other; the answer is the list as it was. */
static void collection_next(struct api_request *r)
{
    struct write *w = r->write;
    if (w->target_next < w->target_count) {
        struct cached *o = w->targets[w->target_next++];
        buf_reset(&w->name);
        buf_append_slice(&w->name, o->name);
        store_key(r->route.kind, o->namespace, o->name, &w->key);
        w->attempts = 0;
        load(r);
        return;
    }
    struct buf out = {0};
    char version[128];
    buf_printf(&out, "{\"kind\":\"%sList\",\"apiVersion\":\"%s\",\"metadata\":{\"resourceVersion\":\"%lld\"",
               r->route.kind->name, kinds_api_version(r->route.kind, version), (long long)w->list_revision);
    if (w->next_page.size > 0)
        buf_printf(&out, ",\"continue\":\"%s\"", w->next_page.data);
    if (w->remaining > 0)
        buf_printf(&out, ",\"remainingItemCount\":%lld", (long long)w->remaining);
    buf_append_str(&out, "},\"items\":[");
    for (size_t i = 0; i < w->target_count; i++) {
        if (i > 0)
            buf_append_char(&out, ',');
        buf_append_slice(&out, bytes_slice(w->targets[i]->json));
    }
    buf_append_str(&out, "]}\n");
    request_answer(r, 200, "application/json", buf_slice(&out));
    buf_release(&out);
}

/* With a limit a deletecollection ends after one page of its list, and its answer says how to go on. Of a page that is
 * asked for by its token, what is there now counts: what has gone since need not be deleted. */
static void collection_page(struct write *w, struct watch_cache *c)
{
    struct cache_page page;
    watch_cache_page(c, &w->selection, buf_slice(&w->start), (size_t)w->limit, &page);
    w->targets = page.objects;
    w->target_count = page.count;
    if (page.next == NULL)
        return;
    continue_token_make(w->list_revision, slice_str(page.next->key), &w->next_page);
    if (w->selection.labels.count + w->selection.fields.count == 0)
        w->remaining = (int64_t)page.rest;
}

static void collection_begin(struct api_request *r, int status)
{
    struct write *w = r->write;
    struct watch_cache *c = request_cache(r);
    if (status != 0) {
        request_fail_wait(r, status);
        return;
    }
    w->list_revision = watch_cache_revision(c);
    collection_page(w, c);
    if (w->target_count <= r->api->delete_collection_max) {
        collection_next(r);
        return;
    }
    failure_limit(&r->failure, LIMIT_DELETE_COLLECTION);
    request_fail_with(r, ERR_TOO_LARGE, "a deletecollection deletes at most %zu objects at once; select fewer",
                      r->api->delete_collection_max);
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
        decide(r, (struct slice){NULL, 0}, 0);
        return;
    }
    request_key(r, buf_slice(&w->name), &w->key);
    if (w->evicting && evict_cache(r) != NULL)
        request_wait_fresh(r, evict_cache(r), load_fresh);
    else
        load(r);
}
