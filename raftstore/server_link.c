/* What members' servers say to each other, as messages between the messages of consensus: a member passes on to the leader the writes
 * and requests about the membership that its clients ask for, and reports on itself; the leader answers what cannot be told
 * through the log. So clients need to reach one member only, and members each other only where consensus does.
 *
 *   format 1 | type | values            types and values as in store_wire.h
 *
 * Messages may be lost. Writes and requests are sent again by whoever keeps them; an answer that is lost means that they are asked again. */
#include "common/base.h"

#include "common/mem.h"
#include "raftstore/server_internal.h"

static bool say(struct server *s, uint64_t to, enum store_frame type, struct slice values, bool bulk)
{
    struct buf out = {0};
    wire_begin(&out, type);
    buf_append_slice(&out, values);
    bool sent = s->options.consensus.pass(s->options.consensus.impl, to, buf_slice(&out), bulk);
    buf_release(&out);
    return sent;
}

bool link_request(struct server *s, enum store_frame type, struct slice values)
{
    uint64_t leader = server_status(s).leader;
    return leader != 0 && leader != s->options.member_id && say(s, leader, type, values, true);
}

/* --- on the leader: a member's requests about the membership are a caller's --- */

struct link_caller {
    struct caller caller;
    struct list link; /* in server->passed_on */
};

static void put_error(struct caller *c, uint64_t id, const struct kv_header *h, int status, const char *message)
{
    struct buf values = {0};
    pack_uint(&values, id);
    pack_uint(&values, h->term);
    result_error(&values, h->revision, status, message);
    (void)say(c->server, c->member_id, STORE_RESULT, buf_slice(&values), false); /* lost: asked again */
    buf_release(&values);
}

static void put_members(struct caller *c, uint64_t id, const struct kv_header *h, const struct configuration *members)
{
    struct buf values = {0};
    pack_uint(&values, id);
    pack_uint(&values, h->term);
    result_begin(&values, h->revision, RESULT_MEMBERS);
    members_encode(&values, members);
    (void)say(c->server, c->member_id, STORE_RESULT, buf_slice(&values), false);
    buf_release(&values);
}

static void refuse(struct caller *c, int status, const char *message)
{
    (void)c, (void)status, (void)message; /* of clients only */
}

static const struct caller_front front = {.error = put_error, .members = put_members, .refuse = refuse};

static struct caller *caller_of(struct server *s, uint64_t member)
{
    size_t n = 0;
    LIST_FOR_EACH(node, &s->passed_on)
    {
        struct link_caller *l = container_of(node, struct link_caller, link);
        n++;
        if (l->caller.member_id == member)
            return &l->caller;
    }
    if (n >= 2 * CONSENSUS_MEMBERS_MAX) /* of members that have gone since: their requests are long over */
        links_forget(s);
    struct link_caller *l = NEW(struct link_caller);
    caller_begin(&l->caller, s, &front, NULL);
    l->caller.member_id = member;
    list_push_back(&s->passed_on, &l->link);
    return &l->caller;
}

void links_forget(struct server *s)
{
    LIST_FOR_EACH(node, &s->passed_on)
    {
        struct link_caller *l = container_of(node, struct link_caller, link);
        list_remove(node);
        caller_end(&l->caller);
        mem_free(l);
    }
}

static void on_member(struct server *s, uint64_t from, struct unpack *u)
{
    uint64_t id = unpack_uint(u);
    struct member_request m;
    struct caller *c = caller_of(s, from);
    if (!u->bad && member_request_decode(u, &m))
        serve_member(c, id, &m);
    else
        caller_error(c, id, ERR_INVALID, "malformed request about members");
}

/* The member that passed it on answers its client from its own apply; only a refusal goes back. */
static void on_forward(struct server *s, uint64_t from, struct unpack *u)
{
    struct slice bytes = u->in;
    struct store_command command;
    if (!command_decode(u, &command)) {
        log_warn(s->env->log, "a member passed on a malformed write", "member=%016llx", (unsigned long long)from);
        return;
    }
    int status = serve_forwarded(s, slice_of(bytes.data, bytes.size - u->in.size));
    if (status == 0)
        return;
    struct buf values = {0};
    pack_bytes(&values, slice_of(command.client, STORE_ID_BYTES));
    pack_uint(&values, command.sequence);
    pack_int(&values, status);
    (void)say(s, from, STORE_BOUNCED, buf_slice(&values), false);
    buf_release(&values);
}

static void on_report(struct server *s, uint64_t from, struct unpack *u)
{
    bool low = unpack_bool(u);
    uint64_t index = unpack_uint(u), hash = unpack_uint(u);
    struct buf values = {0};
    if (!unpack_done(u) || !serve_report(s, from, low, index, hash))
        return;
    pack_bool(&values, true);
    (void)say(s, from, STORE_VERDICT, buf_slice(&values), false); /* lost: the next report says the same */
    buf_release(&values);
}

/* --- elsewhere: the leader's answers --- */

static void on_bounced(struct server *s, uint64_t from, struct unpack *u)
{
    struct slice client = unpack_bytes(u);
    uint64_t sequence = unpack_uint(u);
    int64_t status = unpack_int(u);
    (void)from;
    if (!u->bad && client.size == STORE_ID_BYTES)
        write_bounced(s, (const uint8_t *)client.data, sequence, (int)status);
}

static void on_result(struct server *s, uint64_t from, struct unpack *u)
{
    (void)from;
    member_link_result(s, u);
}

static void on_verdict(struct server *s, uint64_t from, struct unpack *u)
{
    bool guilty = unpack_bool(u);
    (void)from;
    if (unpack_done(u) && guilty)
        server_quarantine(s, "the leader and a majority have another state");
}

void server_passed(struct server *s, uint64_t from, struct slice bytes)
{
    static void (*const rows[])(struct server *s, uint64_t from, struct unpack *u) = {
        [STORE_FORWARD] = on_forward, [STORE_REPORT] = on_report, [STORE_MEMBER] = on_member,
        [STORE_BOUNCED] = on_bounced, [STORE_RESULT] = on_result, [STORE_VERDICT] = on_verdict,
    };
    uint8_t type = bytes.size < 2 || bytes.data[0] != STORE_WIRE_FORMAT ? 0 : (uint8_t)bytes.data[1];
    struct unpack u = unpack_of(slice_from(bytes, MIN(bytes.size, (size_t)2)));
    if (s->closing)
        return;
    if (type < ARRAY_LEN(rows) && rows[type] != NULL)
        rows[type](s, from, &u);
    else /* another version's: writes are sent again and in the end refused */
        log_warn(s->env->log, "a member says what this program does not know", "member=%016llx", (unsigned long long)from);
}

void server_peer_lost(struct server *s, uint64_t member)
{
    if (s->closing || member != server_status(s).leader)
        return;
    writes_unsend(s);
    members_unsend(s);
}
