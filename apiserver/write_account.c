/* The service account of a new pod: it is found in the cache, and `default`, which the controllers give to a new
 * namespace, is waited for a while. */
#include "common/base.h"

#include "apiserver/admission.h"
#include "apiserver/write_parts.h"
#include "common/mem.h"

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
void account_find(struct api_request *r, struct verb_facts *v)
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
    write_decide(r, (struct slice){NULL, 0}, 0);
}

/* The controllers give a new namespace its account `default` a moment after it was made: a pod that comes before waits,
 * for ACCOUNT_WAIT_MS in all. Other accounts are not waited for. */
bool account_waits(struct api_request *r, const struct verb_facts *v)
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
