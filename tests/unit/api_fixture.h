/* An apiserver over an in-process store with virtual time, and clients that call its request core without a socket.
 * Included by the tests that use it. */
#ifndef TESTS_UNIT_API_FIXTURE_H
#define TESTS_UNIT_API_FIXTURE_H

#include "tests/test.h"

#include "apiserver/apiserver.h"
#include "common/json.h"
#include "tests/unit/direct_store.h"
#include "tests/unit/token_key.h"

struct client {
    struct http_exchange x;
    const struct http_exchange_ops *ops; /* NULL: the ones below */
    struct net_peer peer;
    struct buf path, query, body, answer, content_type, warnings, encoding, etag;
    struct http_header headers[8]; /* the test may have put some */
    size_t header_count;
    int status;
    size_t warning_count;
    bool answered, ended, clean;
};

struct fixture {
    struct direct d;
    struct apiserver *api;
    struct jwt_key *key;
    bool closed;
};

static void note_headers(struct client *c, const struct http_header *h, size_t n)
{
    buf_append_slice(&c->content_type, http_header_get(h, n, "Content-Type"));
    buf_append_slice(&c->encoding, http_header_get(h, n, "Content-Encoding"));
    buf_append_slice(&c->etag, http_header_get(h, n, "ETag"));
    for (size_t i = 0; i < n; i++)
        c->warning_count += http_header_is(&h[i], "Warning");
}

static void on_respond(struct http_exchange *x, int status, const struct http_header *h, size_t n, struct slice body,
                       struct bytes *shared)
{
    struct client *c = container_of(x, struct client, x);
    (void)shared;
    assert_false(c->answered);
    c->answered = c->ended = c->clean = true;
    c->status = status;
    buf_append(&c->answer, "", 0);
    buf_append_slice(&c->answer, body);
    note_headers(c, h, n);
    buf_append_slice(&c->warnings, http_header_get(h, n, "Warning"));
}

static void on_begin(struct http_exchange *x, int status, const struct http_header *h, size_t n)
{
    struct client *c = container_of(x, struct client, x);
    c->answered = true;
    c->status = status;
    buf_append(&c->answer, "", 0);
    note_headers(c, h, n);
}

static void on_write(struct http_exchange *x, struct bytes *chunk)
{
    buf_append_slice(&container_of(x, struct client, x)->answer, bytes_slice(chunk));
}

static void on_end(struct http_exchange *x, bool clean)
{
    struct client *c = container_of(x, struct client, x);
    c->ended = true;
    c->clean = clean;
}

static const struct http_exchange_ops client_ops = {.respond = on_respond, .begin = on_begin, .write = on_write, .end = on_end};

/* With tokens, pods have to wait for their accounts: who needs them says so before the include. */
#ifndef FIXTURE_TOKENS
#define FIXTURE_TOKENS false
#endif

static int setup(void **state)
{
    struct fixture *f = NEW(struct fixture);
    direct_init(&f->d);
    f->key = FIXTURE_TOKENS ? token_key_make() : NULL;
    struct apiserver_options o = {.store = (struct store_client *)&f->d, .token_key = f->key};
    assert_ok(apiserver_new(&f->d.env, &o, &f->api, NULL));
    direct_run_ms(&f->d, 100);
    assert_true(apiserver_ready(f->api));
    *state = f;
    return 0;
}

static void on_closed(void *arg) { *(bool *)arg = true; }

static int teardown(void **state)
{
    struct fixture *f = *state;
    apiserver_close(f->api, on_closed, &f->closed);
    direct_run_ms(&f->d, 100);
    assert_true(f->closed);
    direct_release(&f->d);
    jwt_key_free(f->key);
    mem_free(f);
    return 0;
}

static void client_release(struct client *c)
{
    buf_release(&c->path);
    buf_release(&c->query);
    buf_release(&c->body);
    buf_release(&c->answer);
    buf_release(&c->content_type);
    buf_release(&c->warnings);
    buf_release(&c->encoding);
    buf_release(&c->etag);
}

/* Hands over "METHOD /path?query" with a body, as a member of system:masters where the client says nothing else. */
static void client_hand(struct apiserver *api, struct client *c, const char *line, const char *accept, const char *type,
                        struct slice body)
{
    struct slice rest = slice_str(line);
    struct slice method = slice_cut(&rest, ' ');
    buf_append_slice(&c->path, slice_cut(&rest, '?'));
    buf_append_slice(&c->query, rest);
    buf_append_slice(&c->body, body);
    if (c->peer.common_name[0] == '\0') {
        memcpy(c->peer.common_name, "admin", 6);
        memcpy(c->peer.organizations[0], "system:masters", 15);
        c->peer.organization_count = 1;
    }
    size_t n = c->header_count;
    if (accept != NULL)
        c->headers[n++] = (struct http_header){SLICE("Accept"), slice_str(accept)};
    if (type != NULL)
        c->headers[n++] = (struct http_header){SLICE("Content-Type"), slice_str(type)};
    c->x.ops = c->ops == NULL ? &client_ops : c->ops;
    c->x.request = (struct http_request){.method = method,
                                         .path = buf_slice(&c->path),
                                         .query = buf_slice(&c->query),
                                         .headers = c->headers,
                                         .header_count = n,
                                         .body = buf_slice(&c->body),
                                         .peer = &c->peer};
    api_handle(api, &c->x);
}

static void client_send(struct fixture *f, struct client *c, const char *line, const char *accept, const char *type,
                        struct slice body)
{
    client_hand(f->api, c, line, accept, type, body);
    direct_run_ms(&f->d, 10);
}

static UNUSED int ask(struct fixture *f, const char *line, const char *body, struct json_doc *d, struct json **ret)
{
    struct client c = {.status = 0};
    struct err why;
    client_send(f, &c, line, "application/json", strncmp(line, "PATCH", 5) == 0 ? "application/merge-patch+json" : NULL,
                slice_str(body));
    assert_true(c.answered);
    if (ret != NULL && json_parse(d, buf_slice(&c.answer), ret, &why) != 0)
        fail_msg("%s: %s: %s", line, why.message, c.answer.data);
    int status = c.status;
    client_release(&c);
    return status;
}

#endif
