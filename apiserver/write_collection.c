/* DELETE of a collection: the objects that are there when it begins, one after the other, each a deletion like any
 * other. */
#include "common/base.h"

#include "apiserver/write_parts.h"
#include "common/mem.h"

/* The next object of a deletecollection, one after the other; the answer is the list as it was. */
void collection_next(struct api_request *r)
{
    struct write *w = r->write;
    if (w->target_next < w->target_count) {
        struct cached *o = w->targets[w->target_next++];
        buf_reset(&w->name);
        buf_append_slice(&w->name, o->name);
        store_key(r->route.kind, o->namespace, o->name, &w->key);
        w->attempts = 0;
        write_load(r);
        return;
    }
    struct buf out = {0};
    char version[128];
    buf_printf(&out,
               "{\"kind\":\"%sList\",\"apiVersion\":\"%s\",\"metadata\":{\"resourceVersion\":\"%lld\"},\"items\":[",
               r->route.kind->name, kinds_api_version(r->route.kind, version), (long long)w->list_revision);
    for (size_t i = 0; i < w->target_count; i++) {
        if (i > 0)
            buf_append_char(&out, ',');
        buf_append_slice(&out, bytes_slice(w->targets[i]->json));
    }
    buf_append_str(&out, "]}\n");
    request_answer(r, 200, "application/json", buf_slice(&out));
    buf_release(&out);
}

void collection_begin(struct api_request *r, int status)
{
    struct write *w = r->write;
    struct watch_cache *c = request_cache(r);
    if (status != 0) {
        request_fail_with(r, ERR_UNAVAILABLE, "the store does not answer: %s", err_text(status));
        return;
    }
    w->list_revision = watch_cache_revision(c);
    w->target_count = watch_cache_list(c, &w->selection, &w->targets);
    while (w->limit > 0 && w->target_count > (size_t)w->limit)
        cached_unref(w->targets[--w->target_count]);
    if (w->target_count > DELETE_COLLECTION_MAX)
        failure_limit(&r->failure, LIMIT_DELETE_COLLECTION);
    if (w->target_count > DELETE_COLLECTION_MAX)
        request_fail_with(r, ERR_TOO_LARGE, "a deletecollection deletes at most %d objects at once; select fewer",
                          DELETE_COLLECTION_MAX);
    else
        collection_next(r);
}
