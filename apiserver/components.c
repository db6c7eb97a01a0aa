/* ComponentStatuses: the parts of the control plane are asked when somebody reads.
 *
 *   members? (the store's list) ──▶ each member asked how it is, by a connection of its own ──all answered──▶ answer
 *
 * A member is well when it answers and knows a leader. Scheduler and controllers have no ports that every apiserver
 * could reach; they are well when the Lease that one of them must hold was renewed lately. What is under way outlives a
 * client that leaves, and holds the apiserver's close up for at most MEMBER_WAIT_MS. */
#include "common/base.h"

#include "apiserver/columns.h"
#include "apiserver/request.h"
#include "common/clock.h"
#include "common/mem.h"

#include <inttypes.h>
#include <stdio.h>

#define MEMBER_WAIT_MS 2000
#define LEASE_SLACK_S 5 /* beyond the lease's own duration: a new leader needs time, too */
#define COMPONENTS_MAX (STORE_ENDPOINTS_MAX + 2)

struct component {
    char name[32], message[48], error[ERR_MESSAGE_MAX];
    bool healthy;
};

struct member_probe {
    struct components *owner;
    struct component *component;
    struct store_client *client;
    struct store_call call;
    struct deferred over; /* the library owns the call's arena until done has returned */
};

struct components {
    struct apiserver *api;
    struct api_request *request; /* NULL: the client left */
    struct component list[COMPONENTS_MAX];
    struct member_probe probes[STORE_ENDPOINTS_MAX];
    size_t count, open; /* open: probes whose client is not closed yet */
};

void components_leave(struct components *c)
{
    if (c != NULL)
        c->request = NULL;
}

static struct component *add(struct components *c)
{
    ASSERT(c->count < COMPONENTS_MAX);
    return &c->list[c->count++];
}

static void print(const struct component *x, bool alone, struct buf *out)
{
    buf_printf(out,
               "{%s\"metadata\":{\"name\":\"%s\",\"creationTimestamp\":null},\"conditions\":[{\"type\":\"Healthy\","
               "\"status\":\"%s\"",
               alone ? "\"kind\":\"ComponentStatus\",\"apiVersion\":\"v1\"," : "", x->name,
               x->healthy ? "True" : "False");
    if (x->message[0] != '\0') {
        buf_append_str(out, ",\"message\":");
        json_print_string(slice_str(x->message), out);
    }
    if (x->error[0] != '\0') {
        buf_append_str(out, ",\"error\":");
        json_print_string(slice_str(x->error), out);
    }
    buf_append_str(out, "}]}");
}

static void answer_one(struct api_request *r, const struct components *c)
{
    for (size_t i = 0; i < c->count; i++) {
        struct buf json = {0}, out = {0};
        if (!slice_is(r->route.name, c->list[i].name))
            continue;
        print(&c->list[i], true, &json);
        format_object(r->route.kind, r->accept.format, buf_slice(&json), clock_wall_ms(&r->api->env->clock), true,
                      &out);
        request_answer(r, 200, "application/json", buf_slice(&out));
        buf_release(&json);
        buf_release(&out);
        return;
    }
    failure_not_found(&r->failure, r->route.kind, r->route.name);
    request_fail(r);
}

static void list_item(const struct api_request *r, const struct component *x, struct buf *out)
{
    struct buf json = {0};
    bool plain = r->accept.format == EVENT_JSON;
    print(x, !plain, &json);
    if (r->accept.table)
        format_row(r->route.kind, r->accept.format, buf_slice(&json), clock_wall_ms(&r->api->env->clock), out);
    else
        format_object(r->route.kind, r->accept.format, buf_slice(&json), 0, false, out);
    buf_release(&json);
}

static void answer_list(struct api_request *r, const struct components *c, const struct selection *s)
{
    const char *comma = "", *kind = r->accept.table                     ? "Table"
                                    : r->accept.format == EVENT_PARTIAL ? "PartialObjectMetadataList"
                                                                        : "ComponentStatusList";
    struct buf out = {0};
    buf_printf(&out, "{\"kind\":\"%s\",\"apiVersion\":\"%s\",\"metadata\":{}", kind,
               r->accept.format == EVENT_JSON ? "v1" : "meta.k8s.io/v1");
    if (r->accept.table) {
        buf_append_str(&out, ",\"columnDefinitions\":");
        columns_definitions(r->route.kind, &out);
    }
    buf_append_str(&out, r->accept.table ? ",\"rows\":[" : ",\"items\":[");
    for (size_t i = 0; i < c->count; i++) {
        const struct cached looked_at = {.name = slice_str(c->list[i].name)}; /* nothing else can be selected by */
        if (!selection_matches(s, r->route.kind, &looked_at))
            continue;
        buf_append_str(&out, comma);
        list_item(r, &c->list[i], &out);
        comma = ",";
    }
    buf_append_str(&out, "]}\n");
    request_answer(r, 200, "application/json", buf_slice(&out));
    buf_release(&out);
}

static void finish(struct components *c)
{
    struct apiserver *a = c->api;
    struct api_request *r = c->request;
    struct selection s = {0};
    if (r != NULL)
        r->components = NULL;
    if (r != NULL && r->x != NULL && strcmp(r->route.verb, "get") == 0) {
        answer_one(r, c);
    } else if (r != NULL && r->x != NULL && request_selection(r, &s) != 0) {
        request_fail(r);
    } else if (r != NULL && r->x != NULL) {
        answer_list(r, c, &s);
        selection_release(&s);
    }
    mem_free(c);
    a->ops_open--;
    if (a->closing)
        loop_defer(&a->env->loop, &a->finish);
}

static void probe_closed(void *arg)
{
    struct member_probe *p = arg;
    if (--p->owner->open == 0)
        finish(p->owner);
}

static void probe_over(struct deferred *d)
{
    struct member_probe *p = container_of(d, struct member_probe, over);
    store_client_close(p->client, probe_closed, p);
}

static void judge(struct component *x, int status, const struct err *why, uint64_t leader)
{
    x->healthy = status == 0 && leader != 0;
    if (x->healthy)
        (void)snprintf(x->message, sizeof x->message, "{\"health\":\"true\"}"); /* fits */
    else if (status == 0)
        (void)snprintf(x->error, sizeof x->error, "{\"health\":\"false\",\"reason\":\"RAFT NO LEADER\"}"); /* fits */
    else
        (void)snprintf(x->error, sizeof x->error, "%s", why == NULL ? err_text(status) : why->message); /* as large */
}

static void probe_done(struct store_call *call, int status, const struct err *why)
{
    struct member_probe *p = container_of(call, struct member_probe, call);
    judge(p->component, status, why, status == 0 ? call->status.leader : 0);
    loop_defer(&p->owner->api->env->loop, &p->over);
}

static void probe_start(struct components *c, struct component *x, struct slice address)
{
    struct member_probe *p = &c->probes[c->open++];
    char endpoint[128];
    const char *const endpoints[] = {endpoint};
    (void)snprintf(endpoint, sizeof endpoint, "%.*s", SLICE_ARGS(address)); /* host and port are shorter */
    p->owner = c;
    p->component = x;
    p->client = store_client_new(
        c->api->env, &(struct store_client_options){
                         .endpoints = endpoints, .endpoint_count = 1, .pinned = true, .tls = c->api->store_tls});
    p->call.done = probe_done;
    deferred_init(&p->over, probe_over);
    store_status(p->client, &p->call, MEMBER_WAIT_MS);
}

/* The Lease says how long it lasts and when its holder last said that it is there. */
static void add_leader(struct components *c, const char *component, const char *lease)
{
    struct json_doc *d = json_doc_new();
    struct json *tree = NULL;
    struct component *x = add(c);
    struct buf key = {0};
    int64_t renewed, now_us = clock_wall_ms(&c->api->env->clock) * 1000;
    (void)snprintf(x->name, sizeof x->name, "%s", component); /* fits */
    buf_printf(&key, "kube-system/%s", lease);
    struct cached *o = watch_cache_get(c->api->caches[kinds_index(&kind_lease)], buf_slice(&key));
    if (o != NULL && json_parse(d, bytes_slice(o->json), &tree, NULL) != 0)
        tree = NULL;
    if (json_string_at(tree, "spec.holderIdentity").size == 0 ||
        time_parse(json_string_at(tree, "spec.renewTime"), &renewed) != 0) {
        (void)snprintf(x->error, sizeof x->error, "nobody holds the lease %s", key.data); /* fits */
    } else {
        int64_t age = (now_us - renewed) / 1000000;
        x->healthy = age <= json_int_at(tree, "spec.leaseDurationSeconds", 0) + LEASE_SLACK_S;
        if (x->healthy)
            (void)snprintf(x->message, sizeof x->message, "ok"); /* fits */
        else
            (void)snprintf(x->error, sizeof x->error, "the lease %s was renewed %" PRId64 "s ago", key.data,
                           age); /* fits */
    }
    buf_release(&key);
    json_doc_free(d);
}

static void members_done(struct api_request *r, struct store_call *call, int status, const struct err *why)
{
    struct components *c = NEW(struct components);
    c->api = r->api;
    c->request = r;
    r->components = c;
    r->api->ops_open++;
    add_leader(c, "scheduler", "kube-scheduler");
    add_leader(c, "controller-manager", "kube-controller-manager");
    size_t first = c->count, n = status == 0 ? call->members.count : 1;
    for (size_t i = 0; i < n; i++)
        (void)snprintf(add(c)->name, sizeof c->list[0].name, "etcd-%zu", i); /* fits */
    if (status != 0)
        judge(&c->list[first], status, why, 0);
    for (size_t i = 0; status == 0 && i < n; i++) {
        struct slice address = call->members.members[i].client_address;
        if (address.size > 0)
            probe_start(c, &c->list[first + i], address);
        else
            judge(&c->list[first + i], ERR_UNAVAILABLE, NULL, 0);
    }
    if (c->open == 0)
        finish(c);
}

void components_begin(struct api_request *r)
{
    store_member_list(r->api->store, &request_op(r, members_done)->call, true, MEMBER_WAIT_MS);
}
