#include "common/base.h"

#include "common/kube/leader.h"
#include "common/mem.h"
#include "scheduler/scheduler.h"
#include "scheduler/session.h"

struct scheduler {
    struct env *env;
    struct kube_client *client;
    char *name;
    struct leader *leader;
    void (*closed)(void *arg);
    void *closed_arg;
};

static void *start(void *arg)
{
    struct scheduler *s = arg;
    return scheduler_session_new(s->env, s->client, s->name);
}

static void close_session(void *session, void (*closed)(void *arg), void *arg)
{
    scheduler_session_close(session, closed, arg);
}

struct scheduler *scheduler_new(struct env *env, const struct scheduler_options *o)
{
    struct scheduler *s = NEW(struct scheduler);
    s->env = env;
    s->client = o->client;
    s->name = mem_strdup(o->name != NULL ? o->name : "default-scheduler");
    struct leader_options lease = {
        .lease = "kube-scheduler",
        .identity = o->identity,
        .lease_ms = o->lease_ms,
        .renew_ms = o->renew_ms,
        .retry_ms = o->retry_ms,
        .start = start,
        .close = close_session,
        .arg = s,
    };
    s->leader = leader_new(s->client, &lease);
    return s;
}

bool scheduler_leads(const struct scheduler *s) { return leader_leads(s->leader); }

static void leader_closed(void *arg)
{
    struct scheduler *s = arg;
    void (*closed)(void *arg) = s->closed;
    void *closed_arg = s->closed_arg;
    mem_free(s->name);
    mem_free(s);
    closed(closed_arg);
}

void scheduler_close(struct scheduler *s, void (*closed)(void *arg), void *arg)
{
    s->closed = closed;
    s->closed_arg = arg;
    leader_close(s->leader, leader_closed, s);
}
