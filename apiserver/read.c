/* GET of one object and LISTs. Nothing here decodes an object: bytes of the store or the cache are copied out, long
 * answers in pieces that wait for the client. Only Tables look into objects, one row at a time. */
#include "common/base.h"

#include "apiserver/columns.h"
#include "apiserver/continue_token.h"
#include "apiserver/request.h"
#include "common/mem.h"

#include <inttypes.h>
#include <stdlib.h>

/* With so many operations of the store under way a GET waits for the next word on how fresh the cache is, which serves
 * all that wait for it, and is answered with the cache's bytes; alone, it is answered sooner by the store. */
#define GETS_TOGETHER 4

static void get_done(struct api_request *r, struct store_call *call, int status, const struct err *why)
{
    if (status != 0) {
        request_fail_store(r, status, why);
    } else if (call->range.kv_count == 0) {
        failure_not_found(&r->failure, r->route.kind, r->route.name);
        request_fail(r);
    } else if (r->route.sub != NULL && strcmp(r->route.sub->name, "scale") == 0) {
        struct json *tree, *scale;
        struct err bad;
        struct buf text = {0};
        const struct kv *kv = &call->range.kvs[0];
        if (json_parse(r->doc, kv->value, &tree, &bad) != 0) {
            failure_from(&r->failure, &bad);
            request_fail(r);
            return;
        }
        scale_of(tree, r->route.kind, kv->mod_revision, r->doc, &scale);
        json_print(scale, &text);
        request_answer(r, 200, "application/json", buf_slice(&text));
        buf_release(&text);
    } else {
        request_answer_object(r, 200, r->route.kind, call->range.kvs[0].value, call->range.kvs[0].mod_revision);
    }
}

static void get_from_store(struct api_request *r)
{
    struct buf key = {0};
    request_key(r, r->route.name, &key);
    struct kv_range range = {.span = {buf_slice(&key), {NULL, 0}}};
    store_range(r->api->store, &request_op(r, get_done)->call, &range, STORE_TIMEOUT_MS);
    buf_release(&key);
}

static void cache_key(const struct api_request *r, struct buf *out)
{
    buf_reset(out);
    if (r->route.kind->namespaced)
        buf_printf(out, "%.*s/", SLICE_ARGS(r->route.namespace));
    buf_append_slice(out, r->route.name);
}

static void get_cached(struct api_request *r, int status)
{
    struct buf key = {0};
    cache_key(r, &key);
    struct cached *o = status == 0 ? watch_cache_get(request_cache(r), buf_slice(&key)) : NULL;
    if (o == NULL) {
        get_from_store(r); /* the store knows better, also about what is not there */
    } else if (r->accept.format == EVENT_JSON) {
        request_answer_bytes(r, 200, o->json);
    } else {
        struct buf out = {0};
        format_object(r->route.kind, r->accept.format, bytes_slice(o->json), clock_wall_ms(&r->api->env->clock), true,
                      &out);
        request_answer(r, 200, "application/json", buf_slice(&out));
        buf_release(&out);
    }
    buf_release(&key);
}

void read_get(struct api_request *r)
{
    struct buf text = {0};
    int64_t revision = 0;
    bool asked = request_query(r, "resourceVersion", &text) && text.size > 0;
    buf_release(&text);
    if (asked && request_query_revision(r, false, &revision) != 0)
        request_fail(r);
    else if (asked && r->route.sub == NULL)
        request_wait(r, request_cache(r), revision, FUTURE_WAIT_MS, get_cached);
    else if (r->route.sub == NULL && watch_cache_synced(request_cache(r)) &&
             (r->api->ops_open >= GETS_TOGETHER || watch_cache_asks(request_cache(r))))
        request_wait_fresh(r, request_cache(r), get_cached); /* one read of the store for all who ask meanwhile */
    else
        get_from_store(r);
}

/* A list on its way out: references to its objects and how far it got. One of everything at an old revision comes from
 * the store's history page by page, as the client takes it. */
struct list_stream {
    struct cached **objects;
    size_t count, next; /* objects before next are written, and given back */
    size_t written;
    struct bytes
        *comma; /* not NULL: objects go out as the bytes that the cache holds, uncopied, with this between them */
    bool more, fetching; /* of the store's history; a page is under way */
    int64_t revision;
    struct buf continue_token;
    int64_t remaining; /* -1: not said */
    bool begun, headed;
    /* what was asked */
    struct selection selection;
    int64_t limit, wanted;
    bool has_revision, exact;
    struct buf start;    /* key to begin at, from the token */
    struct buf position; /* key to go on from, once a page of the history is there */
};

void list_free(struct list_stream *l)
{
    if (l == NULL)
        return;
    for (size_t i = l->next; i < l->count; i++)
        cached_unref(l->objects[i]);
    mem_free(l->objects);
    bytes_unref(l->comma);
    buf_release(&l->continue_token);
    buf_release(&l->start);
    buf_release(&l->position);
    selection_release(&l->selection);
    mem_free(l);
}

static bool is_table(const struct api_request *r) { return r->accept.table; }

static void list_head(struct api_request *r, struct buf *out)
{
    const struct list_stream *l = r->list;
    char version[128];
    if (is_table(r))
        buf_append_str(out, "{\"kind\":\"Table\",\"apiVersion\":\"meta.k8s.io/v1\"");
    else if (r->accept.format == EVENT_PARTIAL)
        buf_append_str(out, "{\"kind\":\"PartialObjectMetadataList\",\"apiVersion\":\"meta.k8s.io/v1\"");
    else
        buf_printf(out, "{\"kind\":\"%sList\",\"apiVersion\":\"%s\"", r->route.kind->name,
                   kinds_api_version(r->route.kind, version));
    buf_printf(out, ",\"metadata\":{\"resourceVersion\":\"%" PRId64 "\"", l->revision);
    if (l->continue_token.size > 0)
        buf_printf(out, ",\"continue\":\"%s\"", l->continue_token.data);
    if (l->remaining > 0)
        buf_printf(out, ",\"remainingItemCount\":%" PRId64, l->remaining);
    buf_append_char(out, '}');
    if (is_table(r)) {
        buf_append_str(out, ",\"columnDefinitions\":");
        columns_definitions(r->route.kind, out);
    }
    buf_append_str(out, is_table(r) ? ",\"rows\":[" : ",\"items\":[");
}

static void list_item(struct api_request *r, const struct cached *o, struct buf *out)
{
    if (is_table(r))
        format_row(r->route.kind, r->accept.format, bytes_slice(o->json), clock_wall_ms(&r->api->env->clock), out);
    else
        format_object(r->route.kind, r->accept.format, bytes_slice(o->json), 0, false, out);
}

/* Fills one piece with what is left; true when the list is through. */
static bool list_piece(struct api_request *r, struct buf *out)
{
    struct list_stream *l = r->list;
    if (!l->headed)
        list_head(r, out);
    l->headed = true;
    while (l->next < l->count && out->size < RESPONSE_CHUNK_BYTES) {
        struct cached *o = l->objects[l->next++];
        if (l->written++ > 0)
            buf_append_char(out, ',');
        list_item(r, o, out);
        cached_unref(o);
    }
    if (l->next < l->count || l->more)
        return false;
    buf_append_str(out, "]}\n");
    return true;
}

static void list_exact_more(struct api_request *r);

/* Is it more than fits into one piece? */
static bool list_is_long(const struct list_stream *l)
{
    size_t bytes = 0;
    for (size_t i = l->next; i < l->count && bytes < RESPONSE_CHUNK_BYTES; i++)
        bytes += l->objects[i]->json->size;
    return bytes >= RESPONSE_CHUNK_BYTES || l->more;
}

static void list_begin(struct api_request *r)
{
    struct list_stream *l = r->list;
    struct buf head = {0};
    l->begun = true;
    request_begin_long(r, "application/json");
    if (r->gzip == NULL && r->accept.format == EVENT_JSON && !l->headed) {
        l->comma = bytes_new(SLICE(","));
        l->headed = true;
        list_head(r, &head);
        request_write(r, buf_slice(&head), false);
    }
    buf_release(&head);
}

/* As many objects as the client's window takes; true when all that are here are written. */
static bool write_shared(struct api_request *r)
{
    struct list_stream *l = r->list;
    while (l->next < l->count && r->x->pending_bytes < STREAM_WINDOW_BYTES) {
        struct cached *o = l->objects[l->next++];
        if (l->written++ > 0)
            http_write(r->x, l->comma);
        http_write(r->x, o->json);
        cached_unref(o);
    }
    return l->next == l->count;
}

static void list_pump(struct api_request *r)
{
    struct buf piece = {0};
    struct list_stream *l = r->list;
    bool last = false;
    if (!l->begun && list_is_long(l))
        list_begin(r);
    while (r->x != NULL && !last && r->x->pending_bytes < STREAM_WINDOW_BYTES) {
        if (l->next == l->count && l->more) {
            list_exact_more(r);
            break;
        }
        if (l->comma != NULL && !write_shared(r))
            break;
        buf_reset(&piece);
        last = list_piece(r, &piece);
        if (!l->begun && last) {
            request_answer(r, 200, "application/json", buf_slice(&piece));
            break;
        }
        if (!l->begun) /* rows of a Table may be longer than their objects */
            list_begin(r);
        request_write(r, buf_slice(&piece), last);
        if (last)
            request_end_stream(r, true);
    }
    buf_release(&piece);
}

static void list_drained(struct http_exchange *x)
{
    struct api_request *r = x->data;
    if (r->list->begun)
        list_pump(r);
}

/* A page of what the cache holds, and the token for the next one. */
static void page_from_cache(struct api_request *r, int64_t revision, size_t limit)
{
    struct list_stream *l = r->list;
    struct cache_page page;
    watch_cache_page(request_cache(r), &l->selection, buf_slice(&l->start), limit, &page);
    l->revision = revision;
    l->objects = page.objects;
    l->count = page.count;
    if (page.next != NULL) {
        continue_token_make(l->revision, cached_key(page.next), &l->continue_token);
        if (l->selection.labels.count == 0 && l->selection.fields.count == 0)
            l->remaining = (int64_t)page.rest;
    }
    list_pump(r);
}

static void list_cached(struct api_request *r, int status)
{
    struct list_stream *l = r->list;
    struct watch_cache *c = request_cache(r);
    if (status == ERR_TIMEOUT && l->wanted > watch_cache_revision(c) && watch_cache_synced(c)) {
        request_fail_too_new(r, l->wanted, watch_cache_revision(c));
        return;
    }
    if (status != 0) {
        request_fail_wait(r, status);
        return;
    }
    /* RV=0 answers with everything */
    page_from_cache(r, watch_cache_revision(c), l->has_revision && l->wanted == 0 ? 0 : (size_t)l->limit);
}

static void page_end(const struct api_request *r, struct buf *out)
{
    buf_printf(out, "/registry/%s/", r->route.kind->storage_prefix);
    if (r->list->selection.namespace.size > 0)
        buf_printf(out, "%.*s/", SLICE_ARGS(r->list->selection.namespace));
    out->data[out->size - 1] = '0'; /* '0' follows '/' */
}

/* The token that comes along goes on from the same key with whatever is there by then. */
static void fail_expired(struct api_request *r)
{
    if (r->list->start.size == 0) {
        request_fail_with(r, ERR_EXPIRED, "The resourceVersion for the provided list is too old.");
        return;
    }
    continue_token_make(CONTINUE_LATEST, buf_slice(&r->list->start), &r->failure.continue_token);
    request_fail_with(
        r, ERR_EXPIRED,
        "The provided continue parameter is too old to display a consistent list result. You can start a new list "
        "without the continue parameter, or use the continue token in this response to retrieve the remainder of the "
        "results. Continuing with the provided token results in an inconsistent list - objects that were created, "
        "modified, or deleted between the time the first chunk was returned and now may show up in the list.");
}

static bool page_take(struct api_request *r, const struct kv_range_result *range);

static void page_done(struct api_request *r, struct store_call *call, int status, const struct err *why)
{
    struct list_stream *l = r->list;
    l->fetching = false;
    if (status != 0 && l->begun) { /* the answer's beginning is out: all that is left is not to end it well */
        request_end_stream(r, false);
        return;
    }
    if (status == ERR_COMPACTED) {
        fail_expired(r);
        return;
    }
    if (status == ERR_FUTURE_REVISION) {
        request_fail_too_new(r, l->wanted, call->header.revision);
        return;
    }
    if (status != 0) {
        request_fail_store(r, status, why);
        return;
    }
    if (l->wanted == CONTINUE_LATEST)
        l->wanted = call->header.revision;
    l->revision = l->wanted;
    if (!page_take(r, &call->range)) {
        list_exact_more(r);
        return;
    }
    list_pump(r);
}

/* Adds what is selected of a range of the store. False: the page is not full, and there is more to look through. */
static bool page_take(struct api_request *r, const struct kv_range_result *range)
{
    struct list_stream *l = r->list;
    size_t prefix = strlen("/registry/") + strlen(r->route.kind->storage_prefix) + 1, i = 0;
    if (l->next == l->count)
        l->next = l->count = 0;
    l->objects = mem_realloc(l->objects, (l->count + range->kv_count + 1) * sizeof(struct cached *));
    for (; i < range->kv_count && (l->limit == 0 || l->count < (size_t)l->limit); i++) {
        const struct kv *kv = &range->kvs[i];
        struct cached *o;
        if (kv->key.size < prefix ||
            cached_new(r->route.kind, slice_from(kv->key, prefix), kv->value, kv->mod_revision, &o, NULL) != 0)
            continue; /* the cache has logged it */
        if (selection_matches(&l->selection, r->route.kind, o))
            l->objects[l->count++] = o;
        else
            cached_unref(o);
    }
    bool more = (range->more && range->kv_count > 0) || i < range->kv_count;
    l->more = more && l->limit == 0;
    if (!more)
        return true;
    buf_reset(&l->position);
    buf_append_slice(&l->position, slice_from(range->kvs[i - 1].key, prefix));
    buf_append_char(&l->position, '\0'); /* the smallest key behind it */
    if (l->limit == 0)
        return true;
    if (l->count < (size_t)l->limit)
        return false;
    continue_token_make(l->revision, buf_slice(&l->position), &l->continue_token);
    if (l->selection.labels.count == 0 && l->selection.fields.count == 0)
        l->remaining = range->count - (int64_t)i;
    return true;
}

/* The store's history of the resource at one revision, page by page until enough is selected. */
static void list_exact_more(struct api_request *r)
{
    struct list_stream *l = r->list;
    bool all = l->selection.labels.count + l->selection.fields.count == 0;
    struct buf from = {0}, to = {0};
    if (l->fetching)
        return;
    l->fetching = true;
    buf_printf(&from, "/registry/%s/", r->route.kind->storage_prefix);
    if (l->position.size > 0)
        buf_append_slice(&from, buf_slice(&l->position));
    else if (l->start.size > 0)
        buf_append_slice(&from, buf_slice(&l->start));
    else if (l->selection.namespace.size > 0)
        buf_printf(&from, "%.*s/", SLICE_ARGS(l->selection.namespace));
    page_end(r, &to);
    struct kv_range range = {.span = {buf_slice(&from), buf_slice(&to)},
                             .limit =
                                 all && l->limit > 0 ? MIN(l->limit, (int64_t)CACHE_PAGE_OBJECTS) : CACHE_PAGE_OBJECTS,
                             .revision = l->wanted};
    store_range(r->api->store, &request_op(r, page_done)->call, &range, STORE_TIMEOUT_MS);
    buf_release(&from);
    buf_release(&to);
}

/* What has not changed since that revision is in the cache as it was then. */
static void list_exact(struct api_request *r, int status)
{
    struct list_stream *l = r->list;
    struct watch_cache *c = request_cache(r);
    if (status == 0 && watch_cache_changed(c) <= l->wanted && l->wanted <= watch_cache_revision(c))
        page_from_cache(r, l->wanted, (size_t)l->limit);
    else
        list_exact_more(r); /* which also knows what is too old or too new */
}

int list_options_invalid(struct api_request *r, const char *field, const char *detail)
{
    check_fail_at(&r->failure.check, field, CHECK_FORBIDDEN, NULL, "%s", detail);
    return failure_options(&r->failure, "ListOptions");
}

static int match_unknown(struct api_request *r, struct slice match)
{
    static const char *const allowed[] = {"Exact", "NotOlderThan", "", NULL};
    size_t mark = check_enter(&r->failure.check, "resourceVersionMatch");
    check_fail_one_of(&r->failure.check, json_new_string(r->doc, match), allowed);
    check_leave(&r->failure.check, mark);
    return failure_options(&r->failure, "ListOptions");
}

static int match_parameter(struct api_request *r, struct list_stream *l)
{
    struct buf match = {0};
    int code = 0;
    if (request_query(r, "resourceVersionMatch", &match) && match.size > 0) {
        bool exact = strcmp(match.data, "Exact") == 0;
        if (!exact && strcmp(match.data, "NotOlderThan") != 0)
            code = match_unknown(r, buf_slice(&match));
        else if (!l->has_revision)
            code = list_options_invalid(r, "resourceVersionMatch",
                                        "resourceVersionMatch is forbidden unless resourceVersion is provided");
        else if (l->start.size > 0)
            code = list_options_invalid(r, "resourceVersionMatch",
                                        "resourceVersionMatch is forbidden when continue is provided");
        else if (exact && l->wanted == 0)
            code = list_options_invalid(r, "resourceVersionMatch",
                                        "resourceVersionMatch \"exact\" is forbidden for resourceVersion \"0\"");
        l->exact = exact;
    } else {
        l->exact = l->limit > 0 && l->wanted > 0;
    }
    buf_release(&match);
    return code;
}

static int list_parameters(struct api_request *r, struct list_stream *l)
{
    struct buf text = {0};
    int code = request_selection(r, &l->selection);
    if (code == 0 && request_query(r, "sendInitialEvents", &text) && text.size > 0)
        code = list_options_invalid(r, "sendInitialEvents", "sendInitialEvents is forbidden for list");
    if (code == 0)
        code = request_query_int(r, "limit", 0, &l->limit);
    l->limit = MAX(l->limit, (int64_t)0); /* a negative limit is none */
    int64_t ignored;
    if (code == 0)
        code = request_query_int(r, "timeoutSeconds", 0, &ignored);
    l->has_revision = request_query(r, "resourceVersion", &text) && text.size > 0;
    if (code == 0)
        code = request_query_revision(r, false, &l->wanted);
    if (code == 0 && request_query(r, "continue", &text) && text.size > 0) {
        if (l->has_revision && l->wanted != 0)
            code = failure_set(&r->failure, ERR_BAD_REQUEST,
                               "specifying resource version is not allowed when using continue");
        l->has_revision = false;
        if (code == 0)
            code = continue_token_parse(buf_slice(&text), &l->wanted, &l->start, &r->failure);
    }
    if (code == 0)
        code = match_parameter(r, l);
    if (l->start.size > 0)
        l->exact = true;
    buf_release(&text);
    return code;
}

void read_list(struct api_request *r)
{
    struct list_stream *l = NEW(struct list_stream);
    l->remaining = -1;
    r->list = l;
    r->x->drained = list_drained;
    /* A namespaced list's key range ends with the namespace; one over all ends with the resource. */
    if (list_parameters(r, l) != 0)
        request_fail(r);
    else if (l->exact && l->wanted == CONTINUE_LATEST)
        list_exact_more(r);
    else if (l->exact)
        request_wait(r, request_cache(r), l->wanted, FUTURE_WAIT_MS, list_exact);
    else if (l->has_revision)
        request_wait(r, request_cache(r), l->wanted, FUTURE_WAIT_MS, list_cached);
    else
        request_wait_fresh(r, request_cache(r), list_cached);
}
