/* Requests about the membership. The leader carries them out; every other member passes them on to it and the answer back.
 *
 *   waiting ──leader: proposed──▶ committed ──▶ answered        waiting ──other: sent to the leader──▶ answered by it
 *      ▲            │ refused for now, outcome unknown, link lost, leader changed
 *      └────────────┘ tried again at the next tick, until MEMBER_REQUEST_MS; then: unavailable, it may have happened
 *
 * To remove itself a leader hands over first; the request then goes to its successor. */
#include "common/base.h"

#include "common/mem.h"
#include "raftstore/server_internal.h"

#define MEMBER_REQUEST_MS 8000
#define MEMBER_REQUESTS_MAX 64

struct member_call {
    struct server *server;
    struct caller *caller;       /* NULL: nobody waits any more */
    struct list caller_link, link; /* link: in server->member_calls */
    uint64_t id, deadline_ms, link_id;
    unsigned attempts;           /* times proposed or passed on */
    bool sent;                   /* passed on, its answer is awaited */
    bool proposing;
    struct proposal proposal;
    struct member_request request; /* its texts stand in `member` */
    struct member member;
};

/* --- answering --- */

static void call_free(struct member_call *k)
{
    ASSERT(!k->proposing);
    list_remove(&k->caller_link);
    list_remove(&k->link);
    if (k->caller != NULL)
        k->caller->call_count--;
    k->server->member_call_count--;
    mem_free(k);
}

static void call_fail(struct member_call *k, int status, const char *message)
{
    if (k->caller != NULL)
        caller_error(k->caller, k->id, status, message);
    call_free(k);
}

/* `members`: after the change. */
static void call_answer(struct member_call *k, const struct configuration *members)
{
    struct kv_header h = server_header(k->server);
    if (k->caller != NULL)
        k->caller->front->members(k->caller, k->id, &h, members);
    call_free(k);
}

static void call_succeed(struct member_call *k) { call_answer(k, server_configuration(k->server, false)); }

/* Asked a second time because the first answer was lost: what it wanted may be so by now. */
static bool done_before(const struct member_call *k, int status)
{
    return k->attempts > 1 && ((k->request.verb == MEMBER_REMOVE && status == ERR_NOT_FOUND) ||
                               (k->request.verb == MEMBER_PROMOTE && status == ERR_INVALID));
}

static void call_refused(struct member_call *k, const struct err *why)
{
    if (done_before(k, why->code))
        call_succeed(k);
    else
        call_fail(k, why->code, why->message);
}

/* --- on the leader --- */

static void proposed(struct proposal *p, int status, uint64_t index)
{
    struct member_call *k = container_of(p, struct member_call, proposal);
    struct server *s = k->server;
    (void)index;
    k->proposing = false;
    s->proposals--;
    if (s->closing || k->caller == NULL)
        call_free(k);
    else if (status == 0)
        call_succeed(k);
    server_finish_close(s); /* any other status: the tick looks again at where things stand */
}

/* Whoever comes with the address of a member that is silent is that member, without its folder. What it says itself may be old:
 * after a folder was lost for the second time only the command line is left, and that names the first id. Of several at the
 * address the one added last is meant; the others wait to be replaced by it. */
static bool recognise(struct member_call *k, const struct configuration *c)
{
    const struct server_consensus *consensus = &k->server->options.consensus;
    uint64_t was = 0;
    for (size_t i = 0; i < c->count; i++) {
        const struct member *m = &c->members[i];
        bool said = m->id == k->request.replaces;
        if (m->id == k->member.id || strcmp(m->peer_address, k->member.peer_address) != 0 ||
            (!said && consensus->live(consensus->impl, m->id)))
            continue;
        if (!said && !consensus->settled(consensus->impl))
            return false;
        was = m->id;
    }
    k->member.replaces = was != 0 ? was : k->request.replaces;
    return true;
}

static int remove_checked(const struct member_call *k, struct configuration *c, struct err *reterr)
{
    const struct server_consensus *consensus = &k->server->options.consensus;
    uint64_t id = k->request.id;
    if (configuration_member(c, id) == NULL || k->request.force || consensus->can_lose(consensus->impl, id))
        return member_remove(c, id, reterr);
    if (configuration_voters(c) > 1 && !consensus->settled(consensus->impl))
        return ERR_BUSY;
    return member_refuse(configuration_voters(c) == 1 ? MEMBER_LAST_VOTER : MEMBER_UNHEALTHY, reterr);
}

/* What the request makes of the newest configuration. ERR_BUSY: it cannot be said yet. */
static int change_for(struct member_call *k, struct configuration *c, struct err *reterr)
{
    const struct server_consensus *consensus = &k->server->options.consensus;
    const struct member_request *m = &k->request;
    switch (m->verb) {
    case MEMBER_ADD: return recognise(k, c) ? member_add(c, &k->member, reterr) : ERR_BUSY;
    case MEMBER_PROMOTE: return member_promote(c, m->id, consensus->in_sync(consensus->impl, m->id), reterr);
    case MEMBER_UPDATE: return member_update(c, m->id, k->member.peer_address, k->member.client_address, reterr);
    case MEMBER_REMOVE: return remove_checked(k, c, reterr);
    case MEMBER_LEAD: break;
    }
    return member_refuse(MEMBER_BAD_TRANSFEREE, reterr);
}

static void propose(struct member_call *k)
{
    struct server *s = k->server;
    struct configuration before = *server_configuration(s, true), c = before;
    struct err why;
    int rv = change_for(k, &c, &why);
    if (rv == ERR_BUSY)
        return; /* the tick asks again */
    if (rv != 0) {
        call_refused(k, &why);
        return;
    }
    if (memcmp(&c, &before, sizeof c) == 0) { /* a member that asks to be added again */
        call_succeed(k);
        return;
    }
    k->attempts++;
    k->proposing = true;
    s->proposals++;
    k->proposal = (struct proposal){.done = proposed};
    s->options.consensus.propose_configuration(s->options.consensus.impl, &k->proposal, &c);
}

static void hand_over(struct member_call *k, uint64_t to)
{
    const struct server_consensus *consensus = &k->server->options.consensus;
    struct err why;
    if (consensus->transferring(consensus->impl))
        return;
    if (k->request.verb == MEMBER_LEAD && k->attempts > 0) {
        call_fail(k, ERR_TIMEOUT, "etcdserver: request timed out, leader transfer took too long");
        return;
    }
    k->attempts++;
    int rv = consensus->transfer(consensus->impl, to, &why);
    if (rv == ERR_INVALID)
        call_refused(k, &why);
}

static void lead(struct member_call *k)
{
    struct server *s = k->server;
    uint64_t self = s->options.member_id;
    const struct configuration *c = server_configuration(s, true);
    const struct member *m = configuration_member(c, k->request.id);
    if (k->request.verb == MEMBER_LEAD && k->request.id == self)
        call_succeed(k);
    else if (k->request.verb == MEMBER_LEAD)
        hand_over(k, k->request.id);
    else if (k->request.verb == MEMBER_REMOVE && k->request.id == self && m != NULL && configuration_voters(c) > 1)
        hand_over(k, 0);
    else
        propose(k);
}

/* --- elsewhere --- */

static void pass_on(struct member_call *k)
{
    struct server *s = k->server;
    struct buf values = {0};
    pack_uint(&values, k->link_id);
    member_request_encode(&values, &k->request);
    if (link_request(s, STORE_MEMBER, buf_slice(&values))) {
        k->sent = true;
        k->attempts++;
    }
    buf_release(&values);
}

static struct member_call *find_sent(struct server *s, uint64_t link_id)
{
    LIST_FOR_EACH(node, &s->member_calls)
    {
        struct member_call *k = container_of(node, struct member_call, link);
        if (k->link_id == link_id && k->sent)
            return k;
    }
    return NULL;
}

/* What cannot be read is asked again, and in the end given up. */
void member_link_result(struct server *s, struct unpack *u)
{
    struct member_call *k = find_sent(s, unpack_uint(u));
    (void)unpack_uint(u); /* term */
    struct store_result head;
    struct configuration members;
    struct err why;
    if (k == NULL || !result_decode(u, &head))
        return;
    k->sent = false;
    if (head.status == 0 && head.kind == RESULT_MEMBERS && members_decode(u, &members)) {
        call_answer(k, &members);
    } else if (head.status != 0 && head.status != ERR_NOT_LEADER && head.status != ERR_UNAVAILABLE && head.status != ERR_BUSY) {
        err_set(&why, head.status, "%.*s", SLICE_ARGS(head.message));
        call_refused(k, &why);
    }
}

void members_unsend(struct server *s)
{
    LIST_FOR_EACH(node, &s->member_calls)
        container_of(node, struct member_call, link)->sent = false;
}

/* --- the list --- */

static void drive(struct member_call *k)
{
    struct server *s = k->server;
    if (k->proposing)
        return;
    if (k->deadline_ms < server_now_ms(s)) {
        call_fail(k, ERR_UNAVAILABLE, "no leader took the change of membership in time; list the members to see whether it happened");
        return;
    }
    if (server_leads(s))
        lead(k);
    else if (k->caller->member_id != 0) /* who passed it to us knows the leader, or will */
        call_fail(k, ERR_NOT_LEADER, "this member does not lead");
    else if (!k->sent)
        pass_on(k);
}

void members_tick(struct server *s)
{
    LIST_FOR_EACH(node, &s->member_calls)
        drive(container_of(node, struct member_call, link));
}

void member_forget(struct member_call *k)
{
    k->caller->call_count--;
    k->caller = NULL;
    list_remove(&k->caller_link);
    if (!k->proposing)
        call_free(k);
}

struct member_call *member_call_of(struct list *caller_link) { return container_of(caller_link, struct member_call, caller_link); }

static bool take_texts(struct member_call *k)
{
    struct member_request *m = &k->request;
    struct member *to = &k->member;
    *to = (struct member){.id = m->id, .automatic = m->automatic, .replaces = m->replaces};
    if (!member_text(to->name, m->name) || !member_text(to->peer_address, m->peer_address) ||
        !member_text(to->client_address, m->client_address))
        return false;
    m->name = slice_str(to->name);
    m->peer_address = slice_str(to->peer_address);
    m->client_address = slice_str(to->client_address);
    return true;
}

static struct member_call *call_new(struct caller *c, uint64_t id, const struct member_request *m)
{
    struct server *s = c->server;
    struct member_call *k = NEW(struct member_call);
    k->server = s;
    k->caller = c;
    k->id = id;
    k->request = *m;
    k->link_id = ++s->next_link_id;
    k->deadline_ms = server_now_ms(s) + MEMBER_REQUEST_MS;
    list_push_back(&c->member_calls, &k->caller_link);
    list_push_back(&s->member_calls, &k->link);
    c->call_count++;
    s->member_call_count++;
    return k;
}

void serve_member(struct caller *c, uint64_t id, const struct member_request *m)
{
    struct err why;
    if (!caller_admits(c, id, ROLE_MAINTENANCE | ROLE_MEMBER)) /* a member that joins, or passes one on */
        return;
    struct member_call *k = call_new(c, id, m);
    if (c->server->member_call_count > MEMBER_REQUESTS_MAX)
        call_fail(k, ERR_BUSY, "too many changes of membership are waiting on this member");
    else if (!take_texts(k))
        call_fail(k, (member_refuse(MEMBER_BAD_ADDRESS, &why)), why.message);
    else
        drive(k);
}
