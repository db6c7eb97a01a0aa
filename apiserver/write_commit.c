/* The one transaction of a write, and what becomes of it: the object as it was decided on, its claims, the budget of an
 * eviction. Who loses a race decides again, on what the store said. */
#include "common/base.h"

#include "apiserver/write_parts.h"
#include "common/mem.h"

static void txn_send(struct api_request *r, struct write_txn *t,
                     void (*done)(struct api_request *, struct store_call *, int, const struct err *))
{
    t->txn.compares = t->compares;
    t->txn.success = t->done;
    t->txn.failure = t->look;
    store_txn(r->api->store, &request_op(r, done)->call, &t->txn, STORE_TIMEOUT_MS);
    arena_clear(&t->memory);
}

/* The object's own operation, one beside it (its namespace, a budget), and those of the claims. */
static void txn_begin(const struct api_request *r, struct write_txn *t)
{
    const struct write_claims *c = r->write->claims;
    size_t claims = c == NULL ? 0 : c->fresh.count + c->gone.count;
    t->compares = arena_alloc(&t->memory, (2 + claims) * sizeof *t->compares);
    t->done = arena_alloc(&t->memory, (2 + claims) * sizeof *t->done);
}

static void create_again(struct api_request *r)
{
    struct write *w = r->write;
    bool generated = json_string_at(w->body, "metadata.name").size == 0;
    metric_add(r->api->count.conflicts, 1);
    if (w->kind != WRITE_CREATE) { /* someone else made it meanwhile */
        write_load_from_store(r);
    } else if (generated && ++w->attempts < GENERATE_ATTEMPTS_MAX) {
        write_decide(r, (struct slice){NULL, 0}, 0);
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

/* True when it is over: the store did not answer, or what was decided is done. A dry run shows what it was decided on. */
static bool settled(struct api_request *r, const struct store_call *call, int status, const struct err *why)
{
    bool over = status != 0 || call->txn.succeeded;
    if (status != 0)
        request_fail_store(r, status, why);
    else if (over)
        write_answer(r, r->write->dry_run ? r->write->revision : call->header.revision);
    return over;
}

static void create_done(struct api_request *r, struct store_call *call, int status, const struct err *why)
{
    struct write *w = r->write;
    bool raced = false;
    if (settled(r, call, status, why))
        return;
    if (call->txn.results[0].range.kv_count > 0) {
        create_again(r);
        return;
    }
    const struct claim *lost = claims_lost(r, call, &raced);
    if (lost != NULL)
        claims_fail(r, lost);
    else if (raced && ++w->attempts < UPDATE_ATTEMPTS_MAX)
        write_decide(r, (struct slice){NULL, 0}, 0);
    else
        write_fail_namespace(r, false);
}

void commit_new(struct api_request *r)
{
    struct write *w = r->write;
    struct buf namespace_key = {0};
    struct write_txn whole = {.done = NULL}, *t = &whole;
    struct slice key = buf_slice(&w->key);
    claims_update(r, NULL);
    txn_begin(r, t);
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
    txn_send(r, t, create_done);
    buf_release(&namespace_key);
}

static void change_done(struct api_request *r, struct store_call *call, int status, const struct err *why)
{
    struct write *w = r->write;
    bool raced = false;
    if (settled(r, call, status, why))
        return;
    metric_add(r->api->count.conflicts, 1);
    const struct kv_range_result *now = &call->txn.results[0].range;
    const struct claim *lost = claims_lost(r, call, &raced);
    w->from_cache = false;
    if (now->kv_count == 0) {
        write_decide(r, (struct slice){NULL, 0}, 0);
    } else if (lost != NULL && now->kvs[0].mod_revision == w->revision) {
        claims_fail(r, lost);
    } else if (++w->attempts == (w->kind == WRITE_PATCH ? PATCH_ATTEMPTS_MAX : UPDATE_ATTEMPTS_MAX)) {
        failure_limit(&r->failure, LIMIT_UPDATE_ATTEMPTS);
        failure_conflict(&r->failure, r->route.kind, buf_slice(&w->name));
        request_fail(r);
    } else if (w->budget.key.size > 0 && now->kvs[0].mod_revision == w->revision) {
        request_wait_fresh(r, evict_cache(r), write_load_fresh); /* someone else was paid for */
    } else {
        write_decide(r, now->kvs[0].value, now->kvs[0].mod_revision);
    }
}

/* The budget is as it was decided on, and is paid from together with the deletion. */
static void budget_join(struct api_request *r, struct write_txn *t)
{
    const struct spent_budget *b = &r->write->budget;
    if (b->key.size == 0)
        return;
    t->compares[t->txn.compare_count++] = (struct kv_compare){
        .span = {buf_slice(&b->key), {NULL, 0}}, .target = KV_COMPARE_MOD, .result = KV_EQUAL, .number = b->revision};
    t->done[t->txn.success_count++] =
        (struct kv_op){.kind = KV_OP_PUT, .put = {.key = buf_slice(&b->key), .value = buf_slice(&b->bytes)}};
}

void commit_change(struct api_request *r)
{
    struct write *w = r->write;
    struct slice key = buf_slice(&w->key);
    struct write_txn whole = {.done = NULL}, *t = &whole;
    txn_begin(r, t);
    t->compares[0] = (struct kv_compare){
        .span = {key, {NULL, 0}}, .target = KV_COMPARE_MOD, .result = KV_EQUAL, .number = w->revision};
    t->done[0] = w->result.action == VERB_DELETE
                     ? (struct kv_op){.kind = KV_OP_DELETE, .delete = {.span = {key, {NULL, 0}}}}
                     : (struct kv_op){.kind = KV_OP_PUT, .put = {.key = key, .value = buf_slice(&w->result.bytes)}};
    t->look[0] = (struct kv_op){.kind = KV_OP_RANGE, .range = {.span = {key, {NULL, 0}}}};
    /* A dry run asks the same questions and writes nothing. */
    t->txn = (struct kv_txn){.compare_count = 1, .success_count = w->dry_run ? 0 : 1, .failure_count = 1};
    budget_join(r, t);
    claims_join(r, t);
    txn_send(r, t, change_done);
}
