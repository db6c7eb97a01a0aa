/* OpenAPI documents as they are served: made from the tables once, one at a loop turn, and kept as shared bytes. A
 * document of version 3 stands under the hash of its content, so clients may keep it for good. Version 2 is made when
 * it is first asked for: only clients up to 1.28 and generators of clients do. */
#include "common/base.h"

#include "apiserver/openapi.h"
#include "apiserver/request.h"
#include "apiserver/route.h"
#include "common/map.h"
#include "common/mem.h"

#include <inttypes.h>
#include <stdio.h>

#define DOCUMENTS_MAX 128
#define WARM_DELAY_MS 1000 /* after the start, which is others' */
#define WARM_PAUSE_MS 10

struct document {
    const struct kind *first; /* of its group version */
    char path[128];           /* below /openapi/v3/: "apis/apps/v1" */
    struct bytes *bytes;      /* NULL: not made yet */
    uint64_t hash;
};

struct openapi_cache {
    struct env *env;
    struct timer warm;
    struct document documents[DOCUMENTS_MAX];
    size_t count;
    struct document v2_json, v2_protobuf;
};

static void document_make(struct document *d)
{
    struct buf out = {0};
    if (d->bytes != NULL)
        return;
    openapi_document(d->first->group, d->first->version, &out);
    d->bytes = bytes_new(buf_slice(&out));
    d->hash = hash_bytes(buf_slice(&out));
    buf_release(&out);
}

static void warm_fire(struct timer *t)
{
    struct openapi_cache *c = container_of(t, struct openapi_cache, warm);
    for (size_t i = 0; i < c->count; i++) {
        if (c->documents[i].bytes != NULL)
            continue;
        document_make(&c->documents[i]);
        loop_timer_start(&c->env->loop, &c->warm, WARM_PAUSE_MS);
        return;
    }
}

static void add_document(struct openapi_cache *c, const struct kind *k)
{
    struct document d = {.first = k};
    (void)snprintf(d.path, sizeof d.path, "%s%s/%s", *k->group == '\0' ? "api" : "apis/", k->group,
                   k->version); /* fits */
    for (size_t i = 0; i < c->count; i++) {
        if (strcmp(c->documents[i].path, d.path) == 0)
            return;
    }
    ASSERT(c->count < DOCUMENTS_MAX);
    c->documents[c->count++] = d;
}

struct openapi_cache *openapi_cache_new(struct env *env)
{
    struct openapi_cache *c = NEW(struct openapi_cache);
    c->env = env;
    timer_init(&c->warm, warm_fire);
    for (const struct kind *const *k = kinds_all(); *k != NULL; k++) {
        if (*(*k)->plural != '\0')
            add_document(c, *k);
    }
    loop_timer_start(&env->loop, &c->warm, WARM_DELAY_MS);
    return c;
}

void openapi_cache_free(struct openapi_cache *c)
{
    if (c == NULL)
        return;
    loop_timer_stop(&c->env->loop, &c->warm);
    for (size_t i = 0; i < c->count; i++)
        bytes_unref(c->documents[i].bytes);
    bytes_unref(c->v2_json.bytes);
    bytes_unref(c->v2_protobuf.bytes);
    mem_free(c);
}

static void make_v2(struct document *d, bool protobuf)
{
    struct json_doc *doc = json_doc_new();
    struct buf out = {0};
    if (protobuf)
        openapi_v2_protobuf(openapi_v2(doc), &out);
    else
        json_print(openapi_v2(doc), &out);
    d->bytes = bytes_new(buf_slice(&out));
    d->hash = hash_bytes(buf_slice(&out));
    buf_release(&out);
    json_doc_free(doc);
}

#define V2_PROTOBUF "application/com.github.proto-openapi.spec.v2.v1.0+protobuf"

/* Both spellings of the protobuf type are asked for; whoever accepts JSON, or says nothing, gets JSON. */
static void answer_v2(struct api_request *r)
{
    struct openapi_cache *c = r->api->openapi;
    struct slice accept = http_header_get(r->x->request.headers, r->x->request.header_count, "Accept");
    bool protobuf = accept_names(accept, V2_PROTOBUF) ||
                    accept_names(accept, "application/com.github.proto-openapi.spec.v2@v1.0+protobuf");
    struct document *d = protobuf ? &c->v2_protobuf : &c->v2_json;
    if (!protobuf && accept.size > 0 && !accept_names(accept, "application/json") && !accept_names(accept, "*/*") &&
        !accept_names(accept, "application/*")) {
        request_fail_with(r, ERR_NOT_ACCEPTABLE,
                          "only the following media types are accepted: application/json, " V2_PROTOBUF);
        return;
    }
    if (d->bytes == NULL)
        make_v2(d, protobuf);
    request_answer_tagged(r, protobuf ? V2_PROTOBUF : "application/json", bytes_slice(d->bytes), d->hash);
}

static void answer_index(struct api_request *r)
{
    struct openapi_cache *c = r->api->openapi;
    struct buf out = {0};
    buf_append_str(&out, "{\"paths\":{");
    for (size_t i = 0; i < c->count; i++) {
        struct document *d = &c->documents[i];
        document_make(d);
        buf_printf(&out, "%s\"%s\":{\"serverRelativeURL\":\"/openapi/v3/%s?hash=%016" PRIX64 "\"}", i == 0 ? "" : ",",
                   d->path, d->path, d->hash);
    }
    buf_append_str(&out, "}}\n");
    request_answer_tagged(r, "application/json", buf_slice(&out), hash_bytes(buf_slice(&out)));
    buf_release(&out);
}

/* A document under the hash of its content never changes: it may be kept for a year. Under another hash the client is
 * sent to the right one; without a hash it asks again each time. */
static void answer_document(struct api_request *r, struct slice path, struct document *d)
{
    char hash[17];
    struct buf asked = {0}, location = {0};
    document_make(d);
    (void)snprintf(hash, sizeof hash, "%016" PRIX64, d->hash); /* fits */
    bool given = request_query(r, "hash", &asked) && asked.size > 0;
    if (given && strcmp(asked.data, hash) != 0) {
        buf_printf(&location, "%.*s?hash=%s", SLICE_ARGS(path), hash);
        r->cache.location = location.data;
        request_answer(r, 301, "text/plain; charset=utf-8", SLICE(""));
    } else {
        r->cache.control = given ? "public, max-age=31536000, immutable" : NULL;
        request_answer_tagged(r, "application/json", bytes_slice(d->bytes), d->hash);
    }
    buf_release(&asked);
    buf_release(&location);
}

bool openapi_answer(struct api_request *r, struct slice path)
{
    struct openapi_cache *c = r->api->openapi;
    struct slice v3 = SLICE("/openapi/v3/");
    if (slice_is(path, "/openapi/v2")) {
        answer_v2(r);
        return true;
    }
    if (slice_is(path, "/openapi/v3")) {
        answer_index(r);
        return true;
    }
    for (size_t i = 0; i < c->count && slice_has_prefix(path, v3); i++) {
        if (!slice_is(slice_from(path, v3.size), c->documents[i].path))
            continue;
        answer_document(r, path, &c->documents[i]);
        return true;
    }
    return false;
}
