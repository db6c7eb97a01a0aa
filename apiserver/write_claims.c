/* What an object holds beyond its name (kind.h), in the transaction that writes the object: a claimed key must not
 * exist and is put, one that is given up is deleted. No two objects hold one, whichever replica writes them. */
#include "common/base.h"

#include "apiserver/write_parts.h"
#include "common/mem.h"

bool claim_is_taken(const struct allocator *a, const char *key)
{
    const struct write *w = a->data;
    return map_get(&w->claims->taken, slice_str(key)) != NULL;
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

void claims_update(struct api_request *r, const struct json *old)
{
    struct write_claims *c = r->write->claims;
    if (c == NULL)
        return;
    struct claims *before = NEW(struct claims), *after = NEW(struct claims);
    if (r->write->result.action == VERB_PUT)
        r->route.kind->claim(r->write->result.object, after);
    if (old != NULL)
        r->route.kind->claim(old, before);
    claims_subtract(after, before, &c->fresh);
    claims_subtract(before, after, &c->gone);
    mem_free(before);
    mem_free(after);
}

static struct slice claim_key(struct write_txn *t, const struct claim *claim)
{
    return slice_str(arena_printf(&t->memory, "/registry/ranges/%s", claim->key));
}

static const struct kv_range all_claims = {.span = {SLICE("/registry/ranges/"), SLICE("/registry/ranges0")},
                                           .keys_only = true};

void claims_join(struct api_request *r, struct write_txn *t)
{
    struct write_claims *c = r->write->claims;
    struct slice object = write_cache_key(r);
    if (c == NULL || c->fresh.count + c->gone.count == 0)
        return;
    struct buf text = {0};
    buf_append_str(&text, "{\"owner\":");
    json_print_string(object, &text);
    buf_append_char(&text, '}');
    struct slice owner = arena_slice(&t->memory, buf_slice(&text));
    buf_release(&text);
    for (size_t i = 0; i < c->fresh.count; i++) {
        struct slice key = claim_key(t, &c->fresh.list[i]);
        t->compares[t->txn.compare_count++] =
            (struct kv_compare){.span = {key, {NULL, 0}}, .target = KV_COMPARE_CREATE, .result = KV_EQUAL, .number = 0};
        if (t->txn.success_count > 0)
            t->done[t->txn.success_count++] =
                (struct kv_op){.kind = KV_OP_PUT, .put = {.key = key, .value = owner}};
    }
    for (size_t i = 0; i < c->gone.count && t->txn.success_count > 0; i++)
        t->done[t->txn.success_count++] =
            (struct kv_op){.kind = KV_OP_DELETE, .delete = {.span = {claim_key(t, &c->gone.list[i]), {NULL, 0}}}};
    t->look[t->txn.failure_count++] = (struct kv_op){.kind = KV_OP_RANGE, .range = all_claims};
}

const struct claim *claims_lost(struct api_request *r, struct store_call *call, const struct json *asked, bool *ret_any)
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

void claims_fail(struct api_request *r, const struct claim *claim)
{
    struct json *bad = NULL;
    if (json_parse(r->doc, slice_str(claim->value), &bad, NULL) != 0)
        bad = NULL;
    check_fail_at(&r->failure.check, claim->field, CHECK_INVALID, bad, "%s", claim->taken);
    failure_invalid(&r->failure, r->route.kind, buf_slice(&r->write->name));
    request_fail(r);
}
