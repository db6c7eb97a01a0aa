#include "common/base.h"

#include "common/kube/elect.h"
#include "controllers/controllers.h"
#include "controllers/runtime.h"

/*  waiting ──▶ leading (a runtime) ──▶ ending ──▶ waiting, or leading again when the Lease came back meanwhile */
enum controllers_state { CONTROLLERS_WAITING, CONTROLLERS_LEADING, CONTROLLERS_ENDING };

struct controllers {
    struct env *env;
    struct kube_client *client;
    struct elector *elector;
    struct controller_runtime *runtime;
    enum controllers_state state;
    bool closing;
    void (*closed)(void *arg);
    void *closed_arg;
};

static void finish(struct controllers *c)
{
    void (*closed)(void *arg) = c->closed;
    void *arg = c->closed_arg;
    mem_free(c);
    closed(arg);
}

static void ended(void *arg)
{
    struct controllers *c = arg;
    c->runtime = NULL;
    c->state = CONTROLLERS_WAITING;
    if (c->closing && c->elector == NULL) {
        finish(c);
    } else if (!c->closing && elector_leads(c->elector)) {
        c->runtime = controller_runtime_new(c->env, c->client);
        c->state = CONTROLLERS_LEADING;
    }
}

static void started(void *arg)
{
    struct controllers *c = arg;
    if (c->state != CONTROLLERS_WAITING)
        return;
    c->runtime = controller_runtime_new(c->env, c->client);
    c->state = CONTROLLERS_LEADING;
}

static void stopped(void *arg)
{
    struct controllers *c = arg;
    if (c->state != CONTROLLERS_LEADING)
        return;
    c->state = CONTROLLERS_ENDING;
    controller_runtime_close(c->runtime, ended, c);
}

struct controllers *controllers_new(struct env *env, const struct controllers_options *o)
{
    struct controllers *c = NEW(struct controllers);
    c->env = env;
    c->client = o->client;
    struct elector_options lease = {
        .namespace = "kube-system",
        .name = "kube-controller-manager",
        .identity = o->identity,
        .lease_ms = o->lease_ms != 0 ? o->lease_ms : 5000,
        .renew_ms = o->lease_ms != 0 ? o->renew_ms : 3500,
        .retry_ms = o->lease_ms != 0 ? o->retry_ms : 1000,
        .started = started,
        .stopped = stopped,
        .arg = c,
    };
    c->elector = elector_new(c->client, &lease);
    return c;
}

bool controllers_leads(const struct controllers *c) { return c->state == CONTROLLERS_LEADING; }

static void elector_closed(void *arg)
{
    struct controllers *c = arg;
    c->elector = NULL;
    if (c->state == CONTROLLERS_WAITING)
        finish(c);
}

void controllers_close(struct controllers *c, void (*closed)(void *arg), void *arg)
{
    c->closing = true;
    c->closed = closed;
    c->closed_arg = arg;
    elector_close(c->elector, elector_closed, c);
}
