/* DELETE of a collection: the objects that are there when it begins, one after the other, each a deletion like any
 * other. */
#include "common/base.h"

#include "apiserver/continue_token.h"
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

void collection_begin(struct api_request *r, int status)
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
