/* Mends claims at start: objects and the keys they hold (kind.h) are written together, so they differ only after a
 * restore or a hand in the store. One range, then one conditional transaction for each difference: safe beside writers
 * and beside other replicas that do the same. */
#include "common/base.h"

#include "apiserver/request.h"
#include "common/map.h"
#include "common/mem.h"

#include <inttypes.h>

#define MENDS_MAX 1000 /* at one start */
#define RANGES "/registry/ranges/"

/* A call of the store. */
struct mend {
    struct store_call call;
    struct apiserver *api;
    struct deferred over;
    struct list link;
    bool is_range;
};

static void mend_over(struct deferred *d)
{
    struct mend *m = container_of(d, struct mend, over);
    struct apiserver *a = m->api;
    a->ops_open--;
    mem_free(m);
    if (a->closing)
        loop_defer(&a->env->loop, &a->finish);
}

static void compare_all(struct apiserver *a, const struct kv_range_result *keys);

static void mend_done(struct store_call *call, int status, const struct err *why)
{
    struct mend *m = container_of(call, struct mend, call);
    list_remove(&m->link);
    loop_defer(&m->api->env->loop, &m->over);
    if (m->api->closing)
        return;
    if (status != 0)
        log_warn(m->api->env->log, "claims were not compared with their objects", "why=\"%s\"",
                 why == NULL ? err_text(status) : why->message);
    else if (m->is_range)
        compare_all(m->api, &call->range);
}

static struct mend *mend_new(struct apiserver *a, bool is_range)
{
    struct mend *m = NEW(struct mend);
    m->api = a;
    m->is_range = is_range;
    m->call.done = mend_done;
    deferred_init(&m->over, mend_over);
    list_push_back(&a->mends, &m->link);
    a->ops_open++;
    return m;
}

/* Puts (or deletes) `claim` while object and claim are as they were seen: revision 0 is "absent". */
static void mend_send(struct apiserver *a, struct slice claim, int64_t claim_revision, struct slice object,
                      int64_t object_revision, struct slice value)
{
    struct kv_compare compares[2] = {
        {.span = {claim, {NULL, 0}}, .target = KV_COMPARE_MOD, .result = KV_EQUAL, .number = claim_revision},
        {.span = {object, {NULL, 0}}, .target = KV_COMPARE_MOD, .result = KV_EQUAL, .number = object_revision},
    };
    struct kv_op op = claim_revision == 0
                          ? (struct kv_op){.kind = KV_OP_PUT, .put = {.key = claim, .value = value}}
                          : (struct kv_op){.kind = KV_OP_DELETE, .delete = {.span = {claim, {NULL, 0}}}};
    struct kv_txn txn = {compares, &op, NULL, 2, 1, 0};
    log_warn(a->env->log, claim_revision == 0 ? "claim without its key" : "key of a claim without its object",
             "key=%.*s object=%.*s", SLICE_ARGS(claim), SLICE_ARGS(object));
    store_txn(a->store, &mend_new(a, false)->call, &txn, STORE_TIMEOUT_MS);
}

static void claims_without_key(struct apiserver *a, const struct kind *k, const struct map *keys, size_t *budget)
{
    struct selection everything = {.namespace = {NULL, 0}};
    struct cached **list;
    struct claims *claims = NEW(struct claims);
    size_t n = watch_cache_list(a->caches[kinds_index(k)], &everything, &list);
    for (size_t i = 0; i < n; i++) {
        struct json_doc *d = json_doc_new();
        struct json *tree = NULL;
        claims->count = 0;
        if (json_parse(d, bytes_slice(list[i]->json), &tree, NULL) == 0)
            k->claim(tree, claims);
        for (size_t c = 0; c<claims->count && * budget> 0; c++) {
            struct buf key = {0}, object = {0}, value = {0};
            if (map_get(keys, slice_str(claims->list[c].key)) != NULL)
                continue;
            (*budget)--;
            buf_printf(&key, RANGES "%s", claims->list[c].key);
            buf_printf(&object, "/registry/%s/%s", k->storage_prefix, list[i]->key);
            buf_printf(&value, "{\"owner\":\"%s\"}", list[i]->key); /* names need no escapes */
            mend_send(a, buf_slice(&key), 0, buf_slice(&object), list[i]->revision, buf_slice(&value));
            buf_release(&key);
            buf_release(&object);
            buf_release(&value);
        }
        json_doc_free(d);
        cached_unref(list[i]);
    }
    mem_free(list);
    mem_free(claims);
}

static void keys_without_object(struct apiserver *a, const struct kind *k, const struct kv_range_result *keys,
                                size_t *budget)
{
    for (size_t i = 0; i<keys->kv_count && * budget> 0; i++) {
        struct json_doc *d = json_doc_new();
        struct json *tree = NULL;
        struct buf object = {0};
        bool read = json_parse(d, keys->kvs[i].value, &tree, NULL) == 0;
        struct slice owner = read ? json_string_at(tree, "owner") : (struct slice){NULL, 0};
        if (owner.size == 0 || watch_cache_get(a->caches[kinds_index(k)], owner) == NULL) {
            (*budget)--;
            buf_printf(&object, "/registry/%s/%.*s", k->storage_prefix, SLICE_ARGS(owner));
            mend_send(a, keys->kvs[i].key, keys->kvs[i].mod_revision, buf_slice(&object), 0, SLICE(""));
        }
        buf_release(&object);
        json_doc_free(d);
    }
}

static void compare_all(struct apiserver *a, const struct kv_range_result *keys)
{
    struct map known = {.entries = NULL};
    size_t budget = MENDS_MAX;
    for (size_t i = 0; i < keys->kv_count; i++)
        (void)map_put(&known, slice_from(keys->kvs[i].key, strlen(RANGES)), a); /* keys are distinct */
    claims_without_key(a, &kind_service, &known, &budget);
    keys_without_object(a, &kind_service, keys, &budget);
    map_release(&known);
}

void claims_mend(struct apiserver *a)
{
    struct kv_range range = {.span = {SLICE(RANGES), SLICE("/registry/ranges0")}};
    store_range(a->store, &mend_new(a, true)->call, &range, STORE_TIMEOUT_MS);
}

void claims_stop(struct apiserver *a)
{
    LIST_FOR_EACH(node, &a->mends)
    store_cancel(a->store, &container_of(node, struct mend, link)->call);
}
