#include "common/base.h"

#include "raftstore/introduce.h"

#include "raftstore/server_internal.h"

static void on_error(struct caller *c, uint64_t id, const struct kv_header *h, int status, const char *message)
{
    struct introduction *i = container_of(c, struct introduction, caller);
    (void)id, (void)h, (void)status;
    i->asked = false; /* the timer asks again */
    log_debug(i->env->log, "cannot tell this member's name yet", "why=\"%s\"", message);
}

static void on_members(struct caller *c, uint64_t id, const struct kv_header *h, const struct configuration *members)
{
    (void)id, (void)h, (void)members;
    container_of(c, struct introduction, caller)->asked = false;
}

static void on_refuse(struct caller *c, int status, const char *message)
{
    (void)c, (void)status, (void)message; /* quarantined: there is no connection to close */
}

/* As a caller of the membership alone it hears nothing else. */
static const struct caller_front front = {.error = on_error, .members = on_members, .refuse = on_refuse};

static void look(struct timer *t)
{
    struct introduction *i = container_of(t, struct introduction, timer);
    struct server *s = i->caller.server;
    const struct member *known = configuration_member(server_configuration(s, false), i->self.id);
    if (known != NULL && known->name[0] != '\0') {
        introduction_end(i);
        return;
    }
    loop_timer_start(&i->env->loop, &i->timer, INTRODUCE_MS);
    if (known == NULL || i->asked || server_status(s).leader == 0)
        return;
    i->asked = true;
    serve_member(&i->caller, 0, &(struct member_request){.verb = MEMBER_ADD, .id = i->self.id, .name = slice_str(i->self.name),
                                                         .peer_address = slice_str(known->peer_address),
                                                         .client_address = slice_str(known->client_address)});
}

void introduction_begin(struct introduction *i, struct env *env, struct server *s, const struct member *self)
{
    *i = (struct introduction){.env = env, .self = *self, .open = true};
    caller_begin(&i->caller, s, &front, NULL);
    timer_init(&i->timer, look);
    loop_timer_start(&env->loop, &i->timer, INTRODUCE_MS);
}

void introduction_end(struct introduction *i)
{
    if (!i->open)
        return;
    i->open = false;
    loop_timer_stop(&i->env->loop, &i->timer);
    caller_end(&i->caller);
}
