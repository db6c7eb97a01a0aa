#include "common/base.h"

#include "apiserver/request.h"

static void self_answered(struct http_exchange *x, int status, const struct http_header *headers, size_t n,
                          struct slice body, struct bytes *shared)
{
    struct self_call *c = container_of(x, struct self_call, exchange);
    (void)headers, (void)n, (void)shared;
    c->open = false;
    if (!c->api->closing)
        c->done(c, status, body);
}

static const struct http_exchange_ops self_ops = {.respond = self_answered};

void self_init(struct self_call *c, struct apiserver *a, void (*done)(struct self_call *, int, struct slice))
{
    static const char user[] = "system:apiserver", group[] = "system:masters";
    *c = (struct self_call){.api = a, .done = done};
    memcpy(c->peer.common_name, user, sizeof user);
    memcpy(c->peer.organizations[0], group, sizeof group);
    c->peer.organization_count = 1;
}

void self_send(struct self_call *c, const char *method)
{
    ASSERT(!c->open);
    c->open = true;
    c->headers[0] = (struct http_header){SLICE("User-Agent"), SLICE("keelson-apiserver")};
    c->headers[1] = (struct http_header){SLICE("Content-Type"), c->content_type == NULL ? SLICE("application/json")
                                                                                        : slice_str(c->content_type)};
    c->exchange = (struct http_exchange){
        .ops = &self_ops,
        .request = {.method = slice_str(method),
                    .path = buf_slice(&c->path),
                    .query = c->query == NULL ? SLICE("") : slice_str(c->query),
                    .headers = c->headers,
                    .header_count = ARRAY_LEN(c->headers),
                    .body = buf_slice(&c->body),
                    .peer = &c->peer},
    };
    api_handle(c->api, &c->exchange);
}

void self_release(struct self_call *c)
{
    buf_release(&c->path);
    buf_release(&c->body);
}
