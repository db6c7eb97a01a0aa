/* The classes that a new object may be given one of, from the cache. */
#include "common/base.h"

#include "apiserver/admission.h"
#include "apiserver/write_parts.h"
#include "common/mem.h"

void classes_find(struct api_request *r, struct verb_facts *v)
{
    const struct kind *k = admission_class_kind(r->route.kind);
    struct selection everything = {.namespace = {NULL, 0}};
    struct cached **list = NULL;
    if (k == NULL)
        return;
    size_t n = watch_cache_list(r->api->caches[kinds_index(k)], &everything, &list);
    const struct json **trees = mem_alloc((n + 1) * sizeof *trees);
    for (size_t i = 0; i < n; i++) {
        struct json *tree = NULL;
        int code = json_parse(r->doc, bytes_slice(list[i]->json), &tree, NULL);
        ASSERT(code == 0); /* ingest has read it */
        trees[i] = tree;
        cached_unref(list[i]);
    }
    mem_free(list);
    mem_free(r->write->classes);
    v->classes = r->write->classes = trees;
    v->class_count = n;
}
