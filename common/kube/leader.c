#include "common/base.h"

#include "common/kube/elect.h"
#include "common/kube/leader.h"
#include "common/mem.h"

/*  waiting ──▶ leading (a session) ──▶ ending ──▶ waiting, or leading again when the Lease came back meanwhile */
enum leader_state { LEADER_WAITING, LEADER_LEADING, LEADER_ENDING };

struct leader {
    struct leader_options options;
    struct elector *elector;
    void *session;
    enum leader_state state;
    bool closing;
    void (*closed)(void *arg);
    void *closed_arg;
};

static void finish(struct leader *l)
{
    void (*closed)(void *arg) = l->closed;
    void *arg = l->closed_arg;
    mem_free(l);
    closed(arg);
}

static void begin(struct leader *l)
{
    l->state = LEADER_LEADING;
    l->session = l->options.start(l->options.arg);
}

static void ended(void *arg)
{
    struct leader *l = arg;
    l->session = NULL;
    l->state = LEADER_WAITING;
    if (l->closing && l->elector == NULL)
        finish(l);
    else if (!l->closing && elector_leads(l->elector))
        begin(l);
}

static void won(void *arg)
{
    struct leader *l = arg;
    if (l->state == LEADER_WAITING)
        begin(l);
}

static void lost(void *arg)
{
    struct leader *l = arg;
    if (l->state != LEADER_LEADING)
        return;
    l->state = LEADER_ENDING;
    l->options.close(l->session, ended, l);
}

struct leader *leader_new(struct kube_client *client, const struct leader_options *o)
{
    struct leader *l = NEW(struct leader);
    l->options = *o;
    struct elector_options lease = {
        .namespace = "kube-system",
        .name = o->lease,
        .identity = o->identity,
        .lease_ms = o->lease_ms != 0 ? o->lease_ms : 5000,
        .renew_ms = o->lease_ms != 0 ? o->renew_ms : 3500,
        .retry_ms = o->lease_ms != 0 ? o->retry_ms : 1000,
        .started = won,
        .stopped = lost,
        .arg = l,
    };
    l->elector = elector_new(client, &lease);
    return l;
}

bool leader_leads(const struct leader *l) { return l->state == LEADER_LEADING; }

static void elector_closed(void *arg)
{
    struct leader *l = arg;
    l->elector = NULL;
    if (l->state == LEADER_WAITING)
        finish(l);
}

void leader_close(struct leader *l, void (*closed)(void *arg), void *arg)
{
    l->closing = true;
    l->closed = closed;
    l->closed_arg = arg;
    elector_close(l->elector, elector_closed, l);
}
