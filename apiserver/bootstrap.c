/* Makes what every cluster has from its first moment (bootstrap_objects.h), through the core itself; what is there already is left
 * alone. */
#include "common/base.h"

#include "apiserver/bootstrap_objects.h"
#include "apiserver/request.h"
#include "common/mem.h"

#include <stdlib.h>

#define PORT_UNTOLD 6443 /* when nothing is advertised: tests */

struct bootstrap {
    struct self_call call;
    struct apiserver *api;
    size_t next;
    struct timer retry;
};

void bootstrap_stop(struct apiserver *a)
{
    if (a->bootstrap != NULL)
        loop_timer_stop(&a->env->loop, &a->bootstrap->retry);
}

void bootstrap_free(struct bootstrap *b)
{
    if (b == NULL)
        return;
    bootstrap_stop(b->api);
    b->api->bootstrap = NULL;
    self_release(&b->call);
    mem_free(b);
}

static void bootstrap_answered(struct self_call *c, int status, struct slice body)
{
    struct bootstrap *b = container_of(c, struct bootstrap, call);
    bool there = status == 201 || status == 409;
    struct bootstrap_object o;
    if (there)
        b->next++;
    else if (bootstrap_object_at(b->next, &o))
        log_warn(b->api->env->log, "cannot make an object of every cluster yet", "kind=%s name=%s status=%d why=\"%.*s\"", o.kind,
                 o.name, status, (int)MIN(body.size, (size_t)200), body.data);
    loop_timer_start(&b->api->env->loop, &b->retry, there ? 0 : CACHE_RETRY_MS);
}

static bool is_there(const struct apiserver *a, const struct bootstrap_object *o)
{
    struct route route;
    struct buf key = {0};
    route_parse(&(struct http_request){.method = SLICE("GET"), .path = slice_str(o->path), .query = SLICE("")}, &route);
    ASSERT(route.kind != NULL); /* the table's own paths */
    if (route.kind->namespaced)
        buf_printf(&key, "%.*s/", SLICE_ARGS(route.namespace));
    buf_append_str(&key, o->name);
    const struct watch_cache *c = a->caches[kinds_index(route.kind)];
    bool there = watch_cache_synced(c) && watch_cache_get(c, buf_slice(&key)) != NULL;
    buf_release(&key);
    return there;
}

static unsigned port_of(const struct apiserver *a)
{
    const char *colon = a->advertise == NULL ? NULL : strrchr(a->advertise, ':');
    return colon == NULL ? PORT_UNTOLD : (unsigned)strtoul(colon + 1, NULL, 10);
}

static void finish(struct bootstrap *b)
{
    struct apiserver *a = b->api;
    if (!watch_cache_synced(a->caches[kinds_index(&kind_service)])) {
        loop_timer_start(&a->env->loop, &b->retry, CACHE_RETRY_MS);
        return;
    }
    a->bootstrapped = true;
    claims_mend(a);
    flow_status_start(a);
    log_info(a->env->log, "what every cluster has is there", "objects=%zu", b->next);
    bootstrap_free(b);
}

static void bootstrap_step(struct timer *t)
{
    struct bootstrap *b = container_of(t, struct bootstrap, retry);
    struct bootstrap_object o;
    bool more;
    while ((more = bootstrap_object_at(b->next, &o)) && is_there(b->api, &o))
        b->next++;
    if (!more) {
        finish(b);
        return;
    }
    buf_reset(&b->call.path);
    buf_append_str(&b->call.path, o.path);
    buf_reset(&b->call.body);
    bootstrap_object_print(b->next, port_of(b->api), &b->call.body);
    self_send(&b->call, "POST");
}

void bootstrap_start(struct apiserver *a)
{
    struct bootstrap *b = NEW(struct bootstrap);
    b->api = a;
    self_init(&b->call, a, bootstrap_answered);
    timer_init(&b->retry, bootstrap_step);
    a->bootstrap = b;
    loop_timer_start(&a->env->loop, &b->retry, 0);
}
