#include "common/base.h"

#include "common/kube/leader.h"
#include "controllers/controllers.h"
#include "controllers/runtime.h"

struct controllers {
    struct env *env;
    struct kube_client *client;
    struct leader *leader;
    struct buf root_ca;
    void (*closed)(void *arg);
    void *closed_arg;
};

static void *start(void *arg)
{
    struct controllers *c = arg;
    return controller_runtime_new(c->env, c->client, buf_slice(&c->root_ca));
}

static void close_runtime(void *session, void (*closed)(void *arg), void *arg)
{
    controller_runtime_close(session, closed, arg);
}

struct controllers *controllers_new(struct env *env, const struct controllers_options *o)
{
    struct controllers *c = NEW(struct controllers);
    c->env = env;
    c->client = o->client;
    buf_append_slice(&c->root_ca, o->root_ca);
    struct leader_options lease = {
        .lease = "kube-controller-manager",
        .identity = o->identity,
        .lease_ms = o->lease_ms,
        .renew_ms = o->renew_ms,
        .retry_ms = o->retry_ms,
        .start = start,
        .close = close_runtime,
        .arg = c,
    };
    c->leader = leader_new(c->client, &lease);
    return c;
}

bool controllers_leads(const struct controllers *c) { return leader_leads(c->leader); }

static void leader_closed(void *arg)
{
    struct controllers *c = arg;
    void (*closed)(void *arg) = c->closed;
    void *closed_arg = c->closed_arg;
    buf_release(&c->root_ca);
    mem_free(c);
    closed(closed_arg);
}

void controllers_close(struct controllers *c, void (*closed)(void *arg), void *arg)
{
    c->closed = closed;
    c->closed_arg = arg;
    leader_close(c->leader, leader_closed, c);
}
