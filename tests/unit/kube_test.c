#include "tests/test.h"

#include "common/http_server.h"
#include "common/kube/elect.h"
#include "common/kube/informer.h"
#include "common/kube/workqueue.h"
#include "common/mem.h"
#include "common/uv_env.h"

#include <stdio.h>

/* A small apiserver: one collection of pods in two pages, its watch, and one Lease. */
struct fixture {
    struct uv_env *uv;
    struct env *env;
    struct http_server *server;
    struct kube_client *client;
    struct http_exchange *watch;
    unsigned lists, watches, changes, removals, synced;
    bool refuse_watch;     /* with 410 */
    char last_version[32]; /* of the last watch */
    char lease[1024];      /* the stored Lease, empty: none */
    unsigned lease_version, failures_left;
    struct informer *informer;
    struct elector *elector;
    unsigned started, stopped, open;
    struct timer limit;
    bool (*done)(struct fixture *f);
};

static void closed(void *arg)
{
    struct fixture *f = arg;
    f->open--;
    uv_env_stop(f->uv);
}

static void too_long(struct timer *t)
{
    (void)t;
    fail_msg("nothing happened for ten seconds");
}

/* Runs until `done`; every callback of the fixture looks. */
static void run_until(struct fixture *f, bool (*done)(struct fixture *f))
{
    loop_timer_start(&f->env->loop, &f->limit, 10000);
    f->done = done;
    while (!done(f))
        uv_env_run(f->uv, NULL, NULL);
    loop_timer_stop(&f->env->loop, &f->limit);
}

static void look(struct fixture *f)
{
    if (f->done != NULL && f->done(f))
        uv_env_stop(f->uv);
}

static void watch_gone(struct http_exchange *x) { ((struct fixture *)x->data)->watch = NULL; }

static void send_event(struct fixture *f, const char *type, const char *name, int version)
{
    char *text = mem_printf("{\"type\":\"%s\",\"object\":{\"kind\":\"Pod\",\"metadata\":{\"name\":\"%s\",\"namespace\":\"ns\",\"uid\":\"u-%s\","
                            "\"resourceVersion\":\"%d\",\"ownerReferences\":[{\"uid\":\"owner\",\"controller\":true}]}}}\n", type, name, name, version);
    struct bytes *b = bytes_new(slice_str(text));
    http_write(f->watch, b);
    bytes_unref(b);
    mem_free(text);
}

static void serve_list(struct fixture *f, struct http_exchange *x, bool second)
{
    f->lists++;
    const char *first_page = "{\"kind\":\"PodList\",\"metadata\":{\"resourceVersion\":\"10\",\"continue\":\"a b\"},\"items\":[{\"metadata\":{\"name\":\"p1\",\"namespace\":\"ns\",\"uid\":\"u-p1\",\"resourceVersion\":\"3\"}}]}";
    const char *second_page = "{\"kind\":\"PodList\",\"metadata\":{\"resourceVersion\":\"10\"},\"items\":[{\"metadata\":{\"name\":\"p2\",\"namespace\":\"ns\",\"uid\":\"u-p2\",\"resourceVersion\":\"4\"}}]}";
    http_respond(x, 200, NULL, 0, slice_str(second ? second_page : first_page), NULL);
}

static void serve_watch(struct fixture *f, struct http_exchange *x)
{
    struct buf scratch = {0};
    struct slice version = {0};
    http_query_get(x->request.query, "resourceVersion", &scratch, &version);
    snprintf(f->last_version, sizeof f->last_version, "%.*s", SLICE_ARGS(version));
    buf_release(&scratch);
    f->watches++;
    if (f->refuse_watch) {
        f->refuse_watch = false;
        http_respond(x, 410, NULL, 0, SLICE("{\"kind\":\"Status\",\"reason\":\"Expired\",\"message\":\"too old\",\"code\":410}"), NULL);
        return;
    }
    x->data = f;
    x->gone = watch_gone;
    http_begin(x, 200, NULL, 0);
    f->watch = x;
    look(f);
}

static void serve_lease(struct fixture *f, struct http_exchange *x)
{
    struct json_doc *d = json_doc_new();
    struct json *lease = NULL;
    bool get = slice_is(x->request.method, "GET");
    if (get && f->lease[0] == '\0') {
        http_respond(x, 404, NULL, 0, SLICE("{\"kind\":\"Status\",\"reason\":\"NotFound\",\"code\":404}"), NULL);
    } else if (get) {
        http_respond(x, 200, NULL, 0, slice_str(f->lease), NULL);
    } else if (f->failures_left > 0) {
        f->failures_left--;
        http_respond(x, 500, NULL, 0, SLICE("{\"kind\":\"Status\",\"reason\":\"InternalError\",\"code\":500}"), NULL);
    } else {
        char version[16];
        snprintf(version, sizeof version, "%u", ++f->lease_version);
        assert_ok(json_parse(d, x->request.body, &lease, NULL));
        if (json_type(lease) == JSON_OBJECT) {
            json_set_str(d, json_ensure_object(d, lease, "metadata"), "resourceVersion", version);
            struct buf text = {0};
            json_print(lease, &text);
            assert_true(text.size < sizeof f->lease);
            memcpy(f->lease, text.data, text.size + 1);
            buf_release(&text);
        }
        http_respond(x, 200, NULL, 0, slice_str(f->lease), NULL);
    }
    json_doc_free(d);
}

static void on_request(void *core, struct http_exchange *x)
{
    struct fixture *f = core;
    struct buf scratch = {0};
    struct slice value;
    bool watch = http_query_get(x->request.query, "watch", &scratch, &value);
    bool more = http_query_get(x->request.query, "continue", &scratch, &value);
    if (slice_has_prefix(x->request.path, SLICE("/apis/coordination")))
        serve_lease(f, x);
    else if (slice_is(x->request.path, "/flaky") && f->failures_left > 0) {
        f->failures_left--;
        http_respond(x, 503, NULL, 0, SLICE("{}"), NULL);
    } else if (slice_is(x->request.path, "/flaky"))
        http_respond(x, 200, NULL, 0, SLICE("fine"), NULL);
    else if (!slice_is(x->request.path, "/api/v1/pods"))
        http_respond(x, 404, NULL, 0, SLICE("{\"kind\":\"Status\",\"reason\":\"NotFound\",\"message\":\"pods \\\"x\\\" not found\",\"code\":404}"), NULL);
    else if (watch)
        serve_watch(f, x);
    else
        serve_list(f, x, more);
    buf_release(&scratch);
}

static int setup(void **state)
{
    struct fixture *f = NEW(struct fixture);
    f->uv = uv_env_new("kube-test", LOG_ERROR);
    uv_env_add_http(f->uv);
    f->env = uv_env_env(f->uv);
    timer_init(&f->limit, too_long);
    assert_ok(http_server_new(f->uv, &(struct http_server_options){.address = "127.0.0.1:0", .on_request = on_request, .core = f}, &f->server, NULL));
    char url[64], nobody[64] = "http://127.0.0.1:1";
    snprintf(url, sizeof url, "http://127.0.0.1:%d", http_server_port(f->server));
    const char *const endpoints[] = {nobody, url}; /* the first one is dead: every test fails over */
    f->client = kube_client_new(f->env, &(struct kube_client_options){.endpoints = endpoints, .endpoint_count = 2, .user_agent = "test"});
    *state = f;
    return 0;
}

static bool nothing_open(struct fixture *f) { return f->open == 0; }

static int teardown(void **state)
{
    struct fixture *f = *state;
    f->done = NULL;
    if (f->informer != NULL) {
        f->open++;
        informer_close(f->informer, closed, f);
    }
    if (f->elector != NULL) {
        f->open++;
        elector_close(f->elector, closed, f);
    }
    run_until(f, nothing_open);
    f->open++;
    kube_client_close(f->client, closed, f);
    run_until(f, nothing_open);
    f->open++;
    http_server_close(f->server, closed, f);
    run_until(f, nothing_open);
    uv_env_free(f->uv);
    mem_free(f);
    return 0;
}

static void changed(void *arg, struct object *old, struct object *new)
{
    struct fixture *f = arg;
    (void)old;
    f->changes++;
    f->removals += new == NULL;
    look(f);
}

static void synced(void *arg)
{
    struct fixture *f = arg;
    f->synced++;
    look(f);
}

static void start_informer(struct fixture *f)
{
    f->informer = informer_new(f->client, &(struct informer_options){.path = "/api/v1/pods", .changed = changed, .synced = synced, .arg = f});
}

static bool watching(struct fixture *f) { return f->synced == 1 && f->watch != NULL; }
static bool three_changes(struct fixture *f) { return f->changes == 3; }
static bool one_removal(struct fixture *f) { return f->removals == 1; }
static bool second_watch(struct fixture *f) { return f->watches == 2 && f->watch != NULL; }
static bool third_watch(struct fixture *f) { return f->watches == 3 && f->watch != NULL; }

static void count_owned(void *arg, struct object *o)
{
    (void)o;
    ++*(unsigned *)arg;
}

static void informer_lists_pages_and_follows(void **state)
{
    struct fixture *f = *state;
    start_informer(f);
    run_until(f, watching);
    assert_int_equal(f->lists, 2);
    assert_int_equal(informer_objects(f->informer)->size, 2);
    assert_string_equal(f->last_version, "10");
    send_event(f, "ADDED", "p3", 11);
    run_until(f, three_changes);
    assert_int_equal(informer_version(f->informer), 11);
    unsigned owned = 0;
    informer_owned(f->informer, "owner", count_owned, &owned);
    assert_int_equal(owned, 1);
    send_event(f, "DELETED", "p3", 12);
    run_until(f, one_removal);
    assert_null(informer_get(f->informer, SLICE("ns/p3")));
    owned = 0;
    informer_owned(f->informer, "owner", count_owned, &owned);
    assert_int_equal(owned, 0);
}

static void informer_resumes_after_a_cut(void **state)
{
    struct fixture *f = *state;
    start_informer(f);
    run_until(f, watching);
    send_event(f, "BOOKMARK", "x", 15);
    send_event(f, "MODIFIED", "p1", 16);
    run_until(f, three_changes);
    struct http_exchange *x = f->watch;
    f->watch = NULL;
    http_end(x, false);
    run_until(f, second_watch);
    assert_string_equal(f->last_version, "16");
    assert_int_equal(f->lists, 2);
}

static void informer_lists_again_after_410(void **state)
{
    struct fixture *f = *state;
    start_informer(f);
    run_until(f, watching);
    send_event(f, "ADDED", "p3", 11);
    run_until(f, three_changes);
    f->refuse_watch = true;
    struct http_exchange *x = f->watch;
    f->watch = NULL;
    http_end(x, true);
    run_until(f, third_watch);
    assert_int_equal(f->lists, 4);
    assert_int_equal(f->removals, 1); /* p3 is not in the new list */
    assert_int_equal(f->synced, 1);
}

struct waiting_call {
    struct kube_call call;
    struct fixture *f;
    int status;
    char text[256];
    bool ended;
};

static void call_done(struct kube_call *call, int status, struct slice body, const struct err *why)
{
    struct waiting_call *w = container_of(call, struct waiting_call, call);
    w->status = status;
    w->ended = true;
    snprintf(w->text, sizeof w->text, "%.*s", SLICE_ARGS(status == 0 ? body : slice_str(why->message)));
    uv_env_stop(w->f->uv);
}

static void run_call(struct waiting_call *w)
{
    while (!w->ended)
        uv_env_run(w->f->uv, NULL, NULL);
}

static void errors_carry_the_status_message(void **state)
{
    struct fixture *f = *state;
    struct waiting_call w = {.f = f, .call = {.done = call_done}};
    kube_get(f->client, &w.call, "/api/v1/namespaces/ns/pods/x");
    run_call(&w);
    assert_int_equal(w.status, ERR_NOT_FOUND);
    assert_non_null(strstr(w.text, "pods \"x\" not found"));
}

static void reads_are_tried_again_writes_are_not(void **state)
{
    struct fixture *f = *state;
    f->failures_left = 2;
    struct waiting_call read = {.f = f, .call = {.done = call_done}};
    kube_get(f->client, &read.call, "/flaky");
    run_call(&read);
    assert_int_equal(read.status, 0);
    assert_string_equal(read.text, "fine");
    f->failures_left = 2;
    struct waiting_call write = {.f = f, .call = {.done = call_done}};
    kube_create(f->client, &write.call, "/flaky", SLICE("{}"));
    run_call(&write);
    assert_int_not_equal(write.status, 0);
    assert_int_equal(f->failures_left, 1);
}

static void won(void *arg)
{
    struct fixture *f = arg;
    f->started++;
    look(f);
}

static void lost(void *arg)
{
    struct fixture *f = arg;
    f->stopped++;
    look(f);
}

static void start_elector(struct fixture *f)
{
    f->elector = elector_new(f->client, &(struct elector_options){
        .namespace = "ns", .name = "l", .identity = "me", .lease_ms = 1000, .renew_ms = 300, .retry_ms = 20,
        .started = won, .stopped = lost, .arg = f});
}

static bool leads(struct fixture *f) { return f->started == 1; }
static bool lost_once(struct fixture *f) { return f->stopped == 1; }

static void elector_takes_a_free_lease_and_loses_it_when_it_cannot_renew(void **state)
{
    struct fixture *f = *state;
    start_elector(f);
    run_until(f, leads);
    assert_non_null(strstr(f->lease, "\"holderIdentity\":\"me\""));
    f->failures_left = 1000;
    run_until(f, lost_once);
    assert_false(elector_leads(f->elector));
    f->failures_left = 0;
}

static void elector_waits_for_another_ones_lease_to_run_out(void **state)
{
    struct fixture *f = *state;
    snprintf(f->lease, sizeof f->lease, "{\"metadata\":{\"name\":\"l\",\"resourceVersion\":\"77\"},\"spec\":{\"holderIdentity\":\"other\","
                                        "\"leaseDurationSeconds\":1,\"leaseTransitions\":4}}");
    uint64_t began = clock_monotonic_ms(&f->env->clock);
    start_elector(f);
    run_until(f, leads);
    assert_true(clock_monotonic_ms(&f->env->clock) - began >= 1000);
    assert_non_null(strstr(f->lease, "\"leaseTransitions\":5"));
}

struct queue_fixture {
    struct fixture *f;
    struct workqueue *queue;
    char order[64];
    unsigned failures, active;
};

static void work(void *arg, struct slice key)
{
    struct queue_fixture *q = arg;
    size_t used = strlen(q->order);
    assert_int_equal(q->active++, 0);
    snprintf(q->order + used, sizeof q->order - used, "%.*s ", SLICE_ARGS(key));
    if (slice_is(key, "a") && used == 0)
        workqueue_add(q->queue, SLICE("a")); /* while it is active: once more, after */
    bool failed = slice_is(key, "bad") && q->failures++ < 2;
    q->active--;
    workqueue_done(q->queue, key, !failed);
    if (workqueue_length(q->queue) == 0)
        uv_env_stop(q->f->uv);
}

static void queue_hands_out_each_key_once(void **state)
{
    struct fixture *f = *state;
    struct queue_fixture q = {.f = f};
    q.queue = workqueue_new(f->env, 1, work, &q);
    workqueue_pause(q.queue, true);
    workqueue_add(q.queue, SLICE("a"));
    workqueue_add(q.queue, SLICE("b"));
    workqueue_add(q.queue, SLICE("a"));
    workqueue_add_after(q.queue, SLICE("late"), 1000); /* well after the two retries of `bad`, on any machine */
    workqueue_add(q.queue, SLICE("bad"));
    workqueue_pause(q.queue, false);
    uv_env_run(f->uv, NULL, NULL);
    assert_string_equal(q.order, "a b bad a bad bad late ");
    workqueue_free(q.queue);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(informer_lists_pages_and_follows),
        CASE(informer_resumes_after_a_cut),
        CASE(informer_lists_again_after_410),
        CASE(errors_carry_the_status_message),
        CASE(reads_are_tried_again_writes_are_not),
        CASE(elector_takes_a_free_lease_and_loses_it_when_it_cannot_renew),
        CASE(elector_waits_for_another_ones_lease_to_run_out),
        CASE(queue_hands_out_each_key_once),
    };
    return RUN_TESTS(tests);
}
