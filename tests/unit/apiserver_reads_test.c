/* Reads in their finer points: streaming lists, selections that objects enter and leave, pages of the past,
 * compression. */
#include "tests/unit/api_fixture.h"

#include "common/gzip.h"

#define CM "/api/v1/namespaces/default/configmaps"

static int64_t make(struct fixture *f, const char *name, const char *label, const char *value)
{
    struct json_doc *d = json_doc_new();
    struct json *v;
    char body[256];
    (void)snprintf(body, sizeof body,
                   "{\"metadata\":{\"name\":\"%s\",\"labels\":{\"app\":\"%s\"}},\"data\":{\"v\":\"%s\"}}", name, label,
                   value); /* short words */
    assert_int_equal(ask(f, "POST " CM, body, d, &v), 201);
    int64_t revision = strtoll(json_string_at(v, "metadata.resourceVersion").data, NULL, 10);
    json_doc_free(d);
    return revision;
}

/* The event in line `index` of a watch's answer so far, or NULL. */
static struct json *event(struct json_doc *d, const struct client *c, size_t index)
{
    struct slice rest = buf_slice(&c->answer), line = {NULL, 0};
    struct json *v = NULL;
    for (size_t i = 0; i <= index; i++) {
        if (rest.size == 0)
            return NULL;
        line = slice_cut(&rest, '\n');
    }
    assert_ok(json_parse(d, line, &v, NULL));
    return v;
}

static void assert_event(struct json_doc *d, const struct client *c, size_t index, const char *type, const char *name)
{
    struct json *v = event(d, c, index);
    if (v == NULL)
        fail_msg("no event %zu in %s", index, c->answer.data);
    assert_slice_equal(json_string_at(v, "type"), type);
    assert_true(slice_is(json_string_at(v, "object.metadata.name"), name == NULL ? "" : name));
}

static void leave(struct fixture *f, struct client *c)
{
    if (!c->ended)
        c->x.gone(&c->x);
    direct_run_ms(&f->d, 10);
    client_release(c);
}

static void test_streaming_list(void **state)
{
    struct fixture *f = *state;
    struct json_doc *d = json_doc_new();
    struct client c = {.status = 0}, partial = {.status = 0}, none = {.status = 0}, future = {.status = 0};
    make(f, "a", "x", "1");
    int64_t newest = make(f, "b", "x", "1");
    client_send(f, &c,
                "GET " CM "?watch=1&sendInitialEvents=true&resourceVersionMatch=NotOlderThan&allowWatchBookmarks=true",
                NULL, NULL, SLICE(""));
    assert_event(d, &c, 0, "ADDED", "a");
    assert_event(d, &c, 1, "ADDED", "b");
    assert_event(d, &c, 2, "BOOKMARK", NULL);
    struct json *mark = event(d, &c, 2), *notes = json_at(mark, "object.metadata.annotations");
    assert_slice_equal(json_string(json_get(notes, "k8s.io/initial-events-end")), "true");
    /* base64 of {"kind":"ConfigMapList","apiVersion":"v1","metadata":{},"items":[]} */
    assert_slice_equal(json_string(json_get(notes, "kubernetes.io/initial-events-list-blueprint")),
                       "eyJraW5kIjoiQ29uZmlnTWFwTGlzdCIsImFwaVZlcnNpb24iOiJ2MSIsIm1ldGFkYXRhIjp7fSwiaXRlbXMiOltdfQ==");
    assert_true(strtoll(json_string_at(mark, "object.metadata.resourceVersion").data, NULL, 10) >= newest);
    make(f, "c", "x", "1");
    assert_event(d, &c, 3, "ADDED", "c");
    client_send(f, &partial,
                "GET " CM "?watch=1&sendInitialEvents=true&resourceVersionMatch=NotOlderThan&allowWatchBookmarks=true",
                "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1", NULL, SLICE(""));
    assert_slice_equal(json_string_at(event(d, &partial, 3), "object.kind"), "PartialObjectMetadata");
    client_send(f, &none, "GET " CM "?watch=1&sendInitialEvents=false&resourceVersionMatch=NotOlderThan", NULL, NULL,
                SLICE(""));
    make(f, "d", "x", "1");
    assert_event(d, &none, 0, "ADDED", "d");
    client_send(f, &future,
                "GET " CM "?watch=1&sendInitialEvents=true&resourceVersionMatch=NotOlderThan&resourceVersion=999999",
                NULL, NULL, SLICE(""));
    direct_run_ms(&f->d, 4000);
    assert_int_equal(future.status, 504);
    leave(f, &c);
    leave(f, &partial);
    leave(f, &none);
    leave(f, &future);
    json_doc_free(d);
}

/* What leaves a selection is told of as it last was inside, under the revision of the change. */
static void test_leaving_a_selection(void **state)
{
    struct fixture *f = *state;
    struct json_doc *d = json_doc_new();
    struct client c = {.status = 0};
    struct json *v;
    int64_t begin = make(f, "a", "x", "before");
    char line[128];
    (void)snprintf(line, sizeof line, "GET " CM "?watch=1&labelSelector=app%%3Dx&resourceVersion=%lld",
                   (long long)begin); /* fits */
    client_send(f, &c, line, NULL, NULL, SLICE(""));
    assert_int_equal(
        ask(f, "PATCH " CM "/a", "{\"metadata\":{\"labels\":{\"app\":\"y\"}},\"data\":{\"v\":\"after\"}}", d, &v), 200);
    struct slice changed = json_string_at(v, "metadata.resourceVersion");
    assert_event(d, &c, 0, "DELETED", "a");
    struct json *gone = event(d, &c, 0);
    assert_slice_equal(json_string_at(gone, "object.data.v"), "before");
    assert_slice_equal(json_string_at(gone, "object.metadata.labels.app"), "x");
    assert_true(slice_equal(json_string_at(gone, "object.metadata.resourceVersion"), changed));
    assert_int_equal(ask(f, "PATCH " CM "/a", "{\"metadata\":{\"labels\":{\"app\":\"x\"}}}", d, &v), 200);
    assert_event(d, &c, 1, "ADDED", "a");
    assert_int_equal(ask(f, "DELETE " CM "/a", "", d, &v), 200);
    assert_event(d, &c, 2, "DELETED", "a");
    assert_slice_equal(json_string_at(event(d, &c, 2), "object.data.v"), "after");
    leave(f, &c);
    json_doc_free(d);
}

/* Follows the tokens of a list from its first page; checks that all pages are of one revision. */
static size_t walk(struct fixture *f, const char *first, struct buf *names)
{
    struct json_doc *d = json_doc_new();
    struct json *v;
    struct buf line = {0};
    struct slice revision = {NULL, 0}, token;
    size_t pages = 0;
    buf_printf(&line, "GET %s", first);
    do {
        assert_int_equal(ask(f, line.data, "", d, &v), 200);
        struct json_iterator i = json_iterate(json_get(v, "items"));
        while (json_next(&i))
            buf_printf(names, "%.*s ", SLICE_ARGS(json_string_at(i.value, "metadata.name")));
        struct slice here = json_string_at(v, "metadata.resourceVersion");
        assert_true(revision.data == NULL || slice_equal(revision, here));
        revision = here;
        token = json_string_at(v, "metadata.continue");
        buf_reset(&line);
        buf_printf(&line, "GET %s&continue=%.*s", first, SLICE_ARGS(token));
        pages++;
        assert_true(pages < 100);
    } while (token.size > 0);
    buf_release(&line);
    json_doc_free(d);
    return pages;
}

static void test_pages_of_a_selection(void **state)
{
    struct fixture *f = *state;
    struct buf names = {0};
    struct json_doc *d = json_doc_new();
    struct json *v;
    char name[16], line[160];
    int64_t then = 0;
    for (int i = 0; i < 30; i++) {
        (void)snprintf(name, sizeof name, "c%02d", i); /* fits */
        then = make(f, name, i % 3 == 0 ? "x" : "y", "1");
    }
    assert_int_equal(walk(f, CM "?labelSelector=app%3Dx&limit=4", &names), 3);
    assert_string_equal(names.data, "c00 c03 c06 c09 c12 c15 c18 c21 c24 c27 ");
    buf_reset(&names);
    /* The same of the past: the cache has gone on, the store's history has not. */
    assert_int_equal(ask(f, "DELETE " CM "/c00", "", d, &v), 200);
    make(f, "c99", "x", "1");
    (void)snprintf(line, sizeof line,
                   CM "?labelSelector=app%%3Dx&limit=4&resourceVersion=%lld&resourceVersionMatch=Exact",
                   (long long)then); /* fits */
    struct client c = {.status = 0};
    struct buf first = {0};
    buf_printf(&first, "GET %s", line);
    client_send(f, &c, first.data, NULL, NULL, SLICE(""));
    assert_int_equal(c.status, 200);
    assert_ok(json_parse(d, buf_slice(&c.answer), &v, NULL));
    assert_int_equal(json_size(json_get(v, "items")), 4);
    buf_reset(&first);
    buf_printf(&first, "GET " CM "?labelSelector=app%%3Dx&limit=4&continue=%.*s",
               SLICE_ARGS(json_string_at(v, "metadata.continue")));
    assert_int_equal(ask(f, first.data, "", d, &v), 200);
    assert_slice_equal(json_string_at(json_element(json_get(v, "items"), 0), "metadata.name"), "c12");
    /* Everything of the past, in one answer of several pages. */
    (void)snprintf(line, sizeof line, "GET " CM "?resourceVersion=%lld&resourceVersionMatch=Exact", (long long)then);
    assert_int_equal(ask(f, line, "", d, &v), 200);
    assert_int_equal(json_size(json_get(v, "items")), 30);
    client_release(&c);
    buf_release(&first);
    buf_release(&names);
    json_doc_free(d);
}

/* One object by its name, which every kind can be selected by. */
static void test_one_by_name(void **state)
{
    struct fixture *f = *state;
    struct json_doc *d = json_doc_new();
    struct json *v;
    make(f, "a", "x", "1");
    make(f, "ab", "x", "1");
    assert_int_equal(ask(f, "GET " CM "?fieldSelector=metadata.name%3Da", "", d, &v), 200);
    assert_int_equal(json_size(json_get(v, "items")), 1);
    assert_int_equal(ask(f, "GET /api/v1/configmaps?fieldSelector=metadata.name%3Dab", "", d, &v), 200);
    assert_int_equal(json_size(json_get(v, "items")), 1);
    assert_int_equal(ask(f, "GET " CM "?fieldSelector=metadata.name%3Db", "", d, &v), 200);
    assert_int_equal(json_size(json_get(v, "items")), 0);
    assert_int_equal(ask(f, "GET " CM "?fieldSelector=metadata.name%3Da&labelSelector=app%3Dy", "", d, &v), 200);
    assert_int_equal(json_size(json_get(v, "items")), 0);
    assert_int_equal(ask(f, "GET /api/v1/namespaces?fieldSelector=metadata.name%3Ddefault", "", d, &v), 200);
    assert_int_equal(json_size(json_get(v, "items")), 1);
    json_doc_free(d);
}

/* A watch from `after` on that ends by itself: whether it was told to list again. */
static bool expired(struct fixture *f, int64_t after)
{
    struct client c = {.status = 0};
    char line[128];
    (void)snprintf(line, sizeof line, "GET " CM "?watch=1&timeoutSeconds=1&resourceVersion=%lld",
                   (long long)after); /* fits */
    client_send(f, &c, line, NULL, NULL, SLICE(""));
    direct_run_ms(&f->d, 2000);
    assert_true(c.ended);
    bool is = strstr(c.answer.data, "\"code\":410") != NULL;
    client_release(&c);
    return is;
}

/* Events are kept for a while however many bytes they are, then only so many bytes of them. */
static void test_recent_events(void **state)
{
    struct fixture *f = *state;
    struct buf body = {0};
    char *big = mem_alloc(900 * 1024);
    memset(big, 'x', 900 * 1024 - 1);
    big[900 * 1024 - 1] = '\0';
    int64_t begin = make(f, "a", "x", "1");
    for (int i = 0; i < 12; i++) {
        buf_reset(&body);
        buf_printf(&body, "{\"data\":{\"v\":\"%d%s\"}}", i, big);
        assert_int_equal(ask(f, "PATCH " CM "/a", body.data, NULL, NULL), 200);
    }
    assert_false(expired(f, begin));
    direct_run_ms(&f->d, 100000);
    int64_t newest = make(f, "b", "x", "1");
    assert_true(expired(f, begin));
    assert_false(expired(f, newest));
    buf_release(&body);
    mem_free(big);
}

static void get_with(struct fixture *f, struct client *c, const char *line, const char *encoding)
{
    c->headers[c->header_count++] = (struct http_header){SLICE("Accept-Encoding"), slice_str(encoding)};
    client_send(f, c, line, "application/json", NULL, SLICE(""));
    assert_int_equal(c->status, 200);
}

/* Large answers are compressed for who takes that, in one piece and in several; small ones never. */
static void test_compression(void **state)
{
    struct fixture *f = *state;
    static const char *const taken[] = {"gzip", "deflate, gzip;q=0.5", "br, gzip"};
    static const char *const left[] = {"identity", "gzip;q=0", "gzip;q=0.0, identity", "deflate"};
    char *big = mem_alloc(200 * 1024 + 1);
    memset(big, 'x', 200 * 1024);
    big[200 * 1024] = '\0';
    make(f, "small", "x", "1");
    struct buf body = {0};
    for (int i = 0; i < 4; i++) {
        buf_reset(&body);
        buf_printf(&body, "{\"metadata\":{\"name\":\"big%d\"},\"data\":{\"v\":\"%s\"}}", i, big);
        assert_int_equal(ask(f, "POST " CM, body.data, NULL, NULL), 201);
    }
    static const char *const lines[] = {"GET " CM "/big0", "GET " CM};
    for (size_t l = 0; l < ARRAY_LEN(lines); l++) {
        struct client plain = {.status = 0};
        client_send(f, &plain, lines[l], "application/json", NULL, SLICE(""));
        for (size_t i = 0; i < ARRAY_LEN(taken); i++) {
            struct client c = {.status = 0};
            struct buf back = {0};
            get_with(f, &c, lines[l], taken[i]);
            assert_string_equal(c.encoding.data, "gzip");
            assert_true(c.answer.size < plain.answer.size / 10);
            assert_ok(gzip_read(buf_slice(&c.answer), 8 * 1024 * 1024, &back));
            assert_true(slice_equal(buf_slice(&back), buf_slice(&plain.answer)));
            buf_release(&back);
            client_release(&c);
        }
        for (size_t i = 0; i < ARRAY_LEN(left); i++) {
            struct client c = {.status = 0};
            get_with(f, &c, lines[l], left[i]);
            assert_int_equal(c.encoding.size, 0);
            assert_true(slice_equal(buf_slice(&c.answer), buf_slice(&plain.answer)));
            client_release(&c);
        }
        client_release(&plain);
    }
    struct client c = {.status = 0};
    get_with(f, &c, "GET " CM "/small", "gzip");
    assert_int_equal(c.encoding.size, 0);
    client_release(&c);
    buf_release(&body);
    mem_free(big);
}

/* A crowd of GETs is answered by a few reads of the store, and none of them with less than what was there when it came:
 * the write in front of each has happened by then. */
static void test_gets_together(void **state)
{
    struct fixture *f = *state;
    enum { CROWD = 64 };
    static struct client crowd[CROWD];
    static struct client writer;
    memset(crowd, 0, sizeof crowd);
    memset(&writer, 0, sizeof writer);
    make(f, "shared", "x", "0");
    size_t before = f->d.calls;
    for (size_t i = 0; i < CROWD; i++)
        client_hand(f->api, &crowd[i], i % 2 == 0 ? "GET " CM "/shared" : "GET " CM "/none", "application/json", NULL,
                    SLICE(""));
    client_hand(f->api, &writer, "PUT " CM "/shared", "application/json", "application/json",
                SLICE("{\"metadata\":{\"name\":\"shared\"},\"data\":{\"v\":\"1\"}}"));
    direct_run_ms(&f->d, 10);
    assert_int_equal(writer.status, 200);
    /* 4 by themselves, one question for all, and those of what the cache does not have */
    assert_true(f->d.calls - before < 4 + 4 + CROWD / 2 + 2);
    for (size_t i = 0; i < CROWD; i++) {
        assert_int_equal(crowd[i].status, i % 2 == 0 ? 200 : 404);
        client_release(&crowd[i]);
    }
    client_release(&writer);
    for (int round = 2; round < 6; round++) {
        char value[16];
        struct client late[8] = {{.status = 0}};
        (void)snprintf(value, sizeof value, "\"%d\"", round); /* fits */
        struct buf body = {0};
        buf_printf(&body, "{\"metadata\":{\"name\":\"shared\"},\"data\":{\"v\":%s}}", value);
        assert_int_equal(ask(f, "PUT " CM "/shared", body.data, NULL, NULL), 200);
        for (size_t i = 0; i < ARRAY_LEN(late); i++)
            client_hand(f->api, &late[i], "GET " CM "/shared", "application/json", NULL, SLICE(""));
        direct_run_ms(&f->d, 10);
        for (size_t i = 0; i < ARRAY_LEN(late); i++) {
            assert_int_equal(late[i].status, 200);
            assert_non_null(strstr(late[i].answer.data, value));
            client_release(&late[i]);
        }
        buf_release(&body);
    }
}

/* The cache's watch has stopped to tell: who waits for its word is answered by the store all the same. */
static void test_gets_of_a_stale_cache(void **state)
{
    struct fixture *f = *state;
    struct client crowd[8] = {{.status = 0}};
    make(f, "old", "x", "1");
    f->d.mute = true;
    assert_int_equal(ask(f, "PUT " CM "/old", "{\"metadata\":{\"name\":\"old\"},\"data\":{\"v\":\"2\"}}", NULL, NULL),
                     200);
    for (size_t i = 0; i < ARRAY_LEN(crowd); i++)
        client_hand(f->api, &crowd[i], "GET " CM "/old", "application/json", NULL, SLICE(""));
    direct_run_ms(&f->d, 60000);
    for (size_t i = 0; i < ARRAY_LEN(crowd); i++) {
        assert_int_equal(crowd[i].status, 200);
        assert_non_null(strstr(crowd[i].answer.data, "\"v\":\"2\""));
        client_release(&crowd[i]);
    }
    f->d.mute = false;
}

/* What a hand in the store left is not JSON: its object is not served from the cache, its neighbours are, in every
 * form, and nothing that reads kinds by itself (rights, classes, budgets) takes harm. */
static void test_a_hand_in_the_store(void **state)
{
    static const char *const keys[] = {"configmaps/default/bad", "clusterroles/bad", "clusterrolebindings/bad",
                                       "storageclasses/bad", "poddisruptionbudgets/default/bad"};
    static const char *const values[] = {
        "{\"metadata\":{\"name\":\"bad\"},\"data\":{oops}}",
        "{\"metadata\":{\"name\":\"bad\"},\"rules\":[,]}",
        "{\"metadata\":{\"name\":\"bad\"},\"subjects\":[tru]}",
        "{\"metadata\":{\"name\":\"bad\",\"annotations\":{\"a\" \"b\"}}}",
        "{\"metadata\":{\"name\":\"bad\"},\"spec\":{\"minAvailable\":01}}",
    };
    static const char *const forms[] = {"application/json", "application/json;as=Table;g=meta.k8s.io;v=v1",
                                        "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1"};
    struct fixture *f = *state;
    make(f, "good", "x", "1");
    for (size_t i = 0; i < ARRAY_LEN(keys); i++) {
        struct buf key = {0};
        buf_printf(&key, "/registry/%s", keys[i]);
        direct_put(&f->d, buf_slice(&key), slice_str(values[i]));
        buf_release(&key);
    }
    direct_run_ms(&f->d, 100);
    for (size_t i = 0; i < ARRAY_LEN(forms); i++) {
        struct client c = {.status = 0};
        struct json_doc *d = json_doc_new();
        struct json *v = NULL;
        client_send(f, &c, "GET " CM, forms[i], NULL, SLICE(""));
        assert_int_equal(c.status, 200);
        assert_ok(json_parse(d, buf_slice(&c.answer), &v, NULL));
        assert_non_null(strstr(c.answer.data, "\"good\""));
        assert_null(strstr(c.answer.data, "\"bad\""));
        client_release(&c);
        json_doc_free(d);
    }
    struct client other = {.status = 0};
    memcpy(other.peer.common_name, "jane", 5);
    client_send(f, &other, "GET " CM, "application/json", NULL, SLICE(""));
    assert_int_equal(other.status, 403);
    client_release(&other);
    assert_int_equal(ask(f, "POST /api/v1/namespaces/default/persistentvolumeclaims",
                         "{\"metadata\":{\"name\":\"c\"},\"spec\":{\"accessModes\":[\"ReadWriteOnce\"],\"resources\":{"
                         "\"requests\":{\"storage\":\"1Gi\"}}}}",
                         NULL, NULL),
                     201);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_streaming_list, setup, teardown),
        cmocka_unit_test_setup_teardown(test_leaving_a_selection, setup, teardown),
        cmocka_unit_test_setup_teardown(test_pages_of_a_selection, setup, teardown),
        cmocka_unit_test_setup_teardown(test_one_by_name, setup, teardown),
        cmocka_unit_test_setup_teardown(test_recent_events, setup, teardown),
        cmocka_unit_test_setup_teardown(test_compression, setup, teardown),
        cmocka_unit_test_setup_teardown(test_gets_together, setup, teardown),
        cmocka_unit_test_setup_teardown(test_gets_of_a_stale_cache, setup, teardown),
        cmocka_unit_test_setup_teardown(test_a_hand_in_the_store, setup, teardown),
    };
    return RUN_TESTS(tests);
}
