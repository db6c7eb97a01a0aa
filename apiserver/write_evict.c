/* POST pods/NAME/eviction: which disruption budget, of those in the cache, pays for the deletion. */
#include "common/base.h"

#include "apiserver/disruption.h"
#include "apiserver/write_parts.h"
#include "common/mem.h"

static const struct kind *budget_kind(void)
{
    const struct kind *k = kinds_find_name(SLICE("policy"), SLICE("v1"), SLICE("PodDisruptionBudget"));
    return k == NULL || k->never_stored ? NULL : k;
}

struct watch_cache *evict_cache(const struct api_request *r)
{
    const struct kind *k = budget_kind();
    return k == NULL ? NULL : r->api->caches[kinds_index(k)];
}

static struct json *budget_tree(struct api_request *r, const struct cached *o)
{
    struct json *tree = NULL;
    int code = json_parse(r->doc, bytes_slice(o->json), &tree, NULL);
    ASSERT(code == 0);                                                /* ingest has read it */
    (void)json_remove(json_get(tree, "metadata"), "resourceVersion"); /* spliced in, so it is there */
    return tree;
}

static int spend(struct api_request *r, const struct json *pod, struct cached **found, size_t n)
{
    struct write *w = r->write;
    struct json **trees = mem_alloc((n + 1) * sizeof(struct json *)), *canonical = NULL;
    size_t spent;
    struct err why;
    for (size_t i = 0; i < n; i++)
        trees[i] = budget_tree(r, found[i]);
    int code = disruption_decide(r->doc, pod, trees, n, clock_wall_ms(&r->api->env->clock) * 1000, &spent, &r->failure);
    if (code == 0 && spent != SIZE_MAX) {
        code = schema_decode(r->doc, budget_kind()->type, trees[spent], NULL, &canonical, &why);
        if (code != 0)
            code = failure_from(&r->failure, &why);
        else
            json_print(canonical, &w->budget.bytes);
        store_key(budget_kind(), found[spent]->namespace, found[spent]->name, &w->budget.key);
        w->budget.revision = found[spent]->revision;
    }
    mem_free(trees);
    return code;
}

int evict_decide(struct api_request *r, const struct json *pod)
{
    struct watch_cache *c = evict_cache(r);
    struct selection all = {.namespace = r->route.namespace};
    struct cached **found = NULL;
    buf_reset(&r->write->budget.key);
    buf_reset(&r->write->budget.bytes);
    if (c == NULL)
        return 0;
    size_t n = watch_cache_list(c, &all, &found);
    int code = spend(r, pod, found, n);
    for (size_t i = 0; i < n; i++)
        cached_unref(found[i]);
    mem_free(found);
    return code;
}
