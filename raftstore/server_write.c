/* Writes: kept until their result is applied here, batched into entries on the leader, forwarded to it from elsewhere.
 *
 *   waiting ──▶ sent (in a batch, or to the leader) ──▶ answered by server_result
 *      ▲            │ refused, link lost, leader changed, or WRITE_RETRY_MS without an answer
 *      └────────────┘   sending twice is safe: the state machine executes a (client, sequence) once
 *
 * After WRITE_PARKED_MS the client hears ERR_UNAVAILABLE and may send again under the same sequence. */
#include "common/base.h"

#include "common/mem.h"
#include "raftstore/server_internal.h"

/* --- proposing --- */

struct entry_proposal {
    struct proposal proposal;
    struct server *server;
};

static void writes_unsend(struct server *s)
{
    LIST_FOR_EACH(node, &s->writes)
        container_of(node, struct write, link)->sent_ms = 0;
}

static void proposed(struct proposal *p, int status, uint64_t index)
{
    struct entry_proposal *e = container_of(p, struct entry_proposal, proposal);
    struct server *s = e->server;
    (void)index; /* results came through apply */
    s->proposals--;
    bytes_unref(p->data);
    mem_free(e);
    if (status != 0 && !s->closing)
        writes_unsend(s); /* whichever were in it: the tick sends them again */
    if (s->batch.size > 0 && !s->closing)
        loop_defer(&s->env->loop, &s->propose);
    server_finish_close(s);
}

/* --- cluster time ---
 *
 * It goes on from the newest stamp by our own clock. The stamp of another's entry counts from when we apply it: that is late, and
 * so never ahead of whoever made it. Our own need no such count, our clock goes on: else the time that each entry takes to commit
 * would be lost, and under steady writes the cluster's clock would nearly stand.
 * A new leader that has not applied all that others have stamped does not know how late they are. Its clock stands until then: it
 * could be ahead of theirs, and end early what they have renewed. */

static void clock_set(struct server *s, uint64_t cluster_ms)
{
    s->clock.cluster_ms = cluster_ms;
    s->clock.own_ms = server_now_ms(s);
}

static uint64_t clock_now(struct server *s) { return s->clock.cluster_ms + (server_now_ms(s) - s->clock.own_ms); }

void server_clock_changed(struct server *s)
{
    struct driver_status d;
    s->options.consensus.status(s->options.consensus.impl, &d);
#ifdef PLANT_LEASE_LONGER
    clock_set(s, apply_cluster_time_ms(s->options.apply));
#endif
    if (d.role != ROLE_LEADER) {
        s->clock.term = 0;
    } else if (s->clock.term != d.term) {
        s->clock.term = d.term;
        s->clock.after = d.last_index;
        s->clock.stood = false;
    }
}

void server_clock_follow(struct server *s, uint64_t index)
{
    uint64_t applied = apply_cluster_time_ms(s->options.apply);
    bool own = s->clock.term != 0 && index > s->clock.after;
#ifdef PLANT_CLOCK_LOSES_COMMIT_TIME
    own = false;
#endif
    if (!own || s->clock.stood || applied > clock_now(s))
        clock_set(s, applied);
    s->clock.stood &= !own;
}

static bool clock_stands(struct server *s)
{
    struct driver_status d;
    s->options.consensus.status(s->options.consensus.impl, &d);
    return d.role == ROLE_LEADER && (s->clock.term != d.term || d.applied_index < s->clock.after);
}

uint64_t server_cluster_time_ms(struct server *s)
{
    uint64_t applied = apply_cluster_time_ms(s->options.apply);
    if (clock_stands(s))
        return applied;
    if (s->clock.stood) { /* it must not jump over the time for which it stood: what was stamped meanwhile would be older at once */
        s->clock.stood = false;
        clock_set(s, applied);
    }
    return clock_now(s);
}

/* The length of the commands that make the next entry: up to the target, and one in any case. */
static size_t next_entry_size(const struct server *s)
{
    struct unpack u = unpack_of(buf_slice(&s->batch));
    size_t size = 0;
    struct store_command c;
    while (u.in.size > 0) {
        bool ok = command_decode(&u, &c);
        ASSERT(ok); /* checked when it came in */
        size_t with = s->batch.size - u.in.size;
        if (size > 0 && with > ENTRY_BYTES_TARGET)
            break;
        size = with;
    }
    return size;
}

static void propose_one(struct server *s)
{
    size_t size = s->batch.size <= ENTRY_BYTES_TARGET ? s->batch.size : next_entry_size(s);
    struct entry_proposal *e = NEW(struct entry_proposal);
    buf_reset(&s->scratch);
    entry_begin(&s->scratch, server_cluster_time_ms(s));
    s->clock.stood |= clock_stands(s);
    buf_append(&s->scratch, s->batch.data, size);
    buf_consume(&s->batch, size);
    e->server = s;
    e->proposal.data = bytes_new(buf_slice(&s->scratch));
    e->proposal.done = proposed;
    list_init(&e->proposal.link);
    s->proposals++;
    s->metrics.entries_proposed++;
    s->options.consensus.propose(s->options.consensus.impl, &e->proposal);
}

void writes_propose(struct deferred *d)
{
    struct server *s = container_of(d, struct server, propose);
    while (s->batch.size > 0 && s->proposals < PROPOSALS_MAX && !s->closing)
        propose_one(s);
}

void server_batch(struct server *s, struct slice command)
{
    buf_append_slice(&s->batch, command);
    loop_defer(&s->env->loop, &s->propose);
}

/* --- forwarding --- */

static void link_send(struct forward_link *l, enum store_frame type, struct slice values)
{
    struct buf *out = &l->server->scratch;
    buf_reset(out);
    size_t mark = frame_begin(out);
    wire_begin(out, type);
    buf_append_slice(out, values);
    frame_end(out, mark);
    struct slice part = buf_slice(out);
    net_write(&l->server->env->net, &l->net, &part, 1);
}

static void link_open(struct net_conn *net)
{
    struct forward_link *l = container_of(net, struct forward_link, net);
    struct buf hello = {0};
    pack_bytes(&hello, slice_of(l->server->options.cluster_id, STORE_ID_BYTES));
    pack_uint(&hello, l->server->options.member_id);
    link_send(l, STORE_HELLO, buf_slice(&hello));
    buf_release(&hello);
}

static struct write *find_write(struct server *s, const uint8_t *client, uint64_t sequence)
{
    uint8_t key[STORE_ID_BYTES + 8];
    memcpy(key, client, STORE_ID_BYTES);
    memcpy(key + STORE_ID_BYTES, &sequence, sizeof sequence);
    return map_get(&s->writes_by_key, slice_of(key, sizeof key));
}

static void write_drop(struct server *s, struct write *w);

static void link_bounced(struct forward_link *l, struct unpack *u)
{
    struct slice client = unpack_bytes(u);
    uint64_t sequence = unpack_uint(u);
    struct write *w = u->bad || client.size != STORE_ID_BYTES ? NULL : find_write(l->server, (const uint8_t *)client.data, sequence);
    int64_t status = unpack_int(u);
    if (w == NULL || u->bad)
        return;
    w->sent_ms = 0;
    if (status != ERR_NO_SPACE || w->sends > 1)
        return; /* sent before: it may have been taken then, and what became of it is still to come */
    if (w->conn != NULL)
        conn_store_error(w->conn, w->id, STORE_NO_SPACE, "the leader has no room, or too many members have none");
    write_drop(l->server, w);
}

static void link_frame(struct forward_link *l, struct slice payload)
{
    if (payload.size < 2 || payload.data[0] != STORE_WIRE_FORMAT)
        return; /* another version's: the writes are retried and in the end refused */
    struct unpack u = unpack_of(slice_from(payload, 2));
    switch (payload.data[1]) {
    case STORE_WELCOME:
        l->welcomed = true;
        writes_unsend(l->server);
        members_unsend(l->server);
        writes_tick(l->server);
        members_tick(l->server);
        break;
    case STORE_RESULT: member_link_result(l->server, &u); break;
    case STORE_BOUNCED: link_bounced(l, &u); break;
    case STORE_VERDICT: report_verdict(l->server, &u); break;
    case STORE_REFUSED:
        (void)unpack_int(&u);
        struct slice why = unpack_bytes(&u);
        log_warn(l->server->env->log, "the leader refused forwarded writes", "why=\"%.*s\"", SLICE_ARGS(why));
        break;
    default: break;
    }
}

static void link_read(struct net_conn *net, struct slice bytes)
{
    struct forward_link *l = container_of(net, struct forward_link, net);
    struct slice payload;
    int rv = 0;
    buf_append_slice(&l->in, bytes);
    struct slice rest = buf_slice(&l->in);
    while (!l->closing && (rv = frame_next(&rest, STORE_FRAME_BYTES_MAX, &payload, NULL)) == 1)
        link_frame(l, payload);
    buf_consume(&l->in, l->in.size - rest.size);
    if (rv < 0 && !l->closing) {
        l->closing = true;
        net_close(&l->server->env->net, net, false);
    }
}

static void link_closed(struct net_conn *net, const struct err *why)
{
    struct forward_link *l = container_of(net, struct forward_link, net);
    struct server *s = l->server;
    log_debug(s->env->log, "the connection to the leader ended", "why=\"%s\"", why->message);
    buf_release(&l->in);
    mem_free(l);
    s->link = NULL;
    if (!s->closing) {
        writes_unsend(s);
        members_unsend(s);
    }
    server_finish_close(s);
}

void link_close(struct server *s)
{
    if (s->link == NULL || s->link->closing)
        return;
    s->link->closing = true;
    net_close(&s->env->net, &s->link->net, false);
}

static void link_connect(struct server *s, uint64_t leader)
{
    static const struct net_conn_callbacks callbacks = {.on_open = link_open, .on_read = link_read, .on_close = link_closed};
    const struct member *m = configuration_member(s->options.consensus.configuration(s->options.consensus.impl, true), leader);
    if (m == NULL || m->client_address[0] == '\0')
        return; /* we have not heard of it yet, or it has not said */
    struct forward_link *l = s->link = NEW(struct forward_link);
    l->server = s;
    l->leader = leader;
    l->net.callbacks = &callbacks;
    net_connect(&s->env->net, &l->net, &(struct net_connect_options){.address = m->client_address, .tls = s->options.tls, .timeout_ms = 1000});
}

/* The open link to `leader`, or NULL while there is none; then one is on its way. */
static struct forward_link *link_to(struct server *s, uint64_t leader)
{
    if (s->link != NULL && s->link->leader != leader)
        link_close(s);
    if (s->link == NULL)
        link_connect(s, leader);
    return s->link != NULL && s->link->leader == leader && s->link->welcomed && !s->link->closing ? s->link : NULL;
}

bool link_request(struct server *s, enum store_frame type, struct slice values)
{
    struct driver_status status;
    s->options.consensus.status(s->options.consensus.impl, &status);
    struct forward_link *l = status.leader == 0 || status.leader == s->options.member_id ? NULL : link_to(s, status.leader);
    if (l == NULL || l->net.write_bytes_pending > WRITES_BYTES_MAX)
        return false;
    link_send(l, type, values);
    return true;
}

/* --- the table of waiting writes --- */

static void write_send(struct server *s, struct write *w)
{
    struct driver_status status;
    s->options.consensus.status(s->options.consensus.impl, &status);
    if (status.role == ROLE_LEADER) {
        server_batch(s, w->command);
        w->sent_ms = server_now_ms(s);
        w->sends++;
        return;
    }
    if (!link_request(s, STORE_FORWARD, w->command))
        return;
    w->sent_ms = server_now_ms(s);
    w->sends++;
}

static void write_free(struct server *s, struct write *w)
{
    list_remove(&w->conn_link);
    list_remove(&w->link);
    if (w->conn != NULL)
        w->conn->call_count--;
    s->write_bytes -= w->command.size;
    mem_free(w);
}

static void write_drop(struct server *s, struct write *w)
{
    (void)map_remove(&s->writes_by_key, slice_of(w->key, sizeof w->key)); /* is `w` */
    write_free(s, w);
}

/* The client has gone. The write goes on: it may come back and ask under the same sequence. */
void write_forget(struct write *w)
{
    w->conn->call_count--;
    w->conn = NULL;
    list_remove(&w->conn_link);
}

static void write_attach(struct write *w, struct connection *c, uint64_t id)
{
    if (w->conn != NULL)
        write_forget(w);
    w->conn = c;
    w->id = id;
    list_push_back(&c->writes, &w->conn_link);
    c->call_count++;
}

static struct write *write_new(struct server *s, const struct store_command *command)
{
    struct buf *b = &s->scratch;
    buf_reset(b);
    command_encode(b, command);
    struct write *w = mem_alloc(sizeof *w + b->size);
    *w = (struct write){.deadline_ms = server_now_ms(s) + WRITE_PARKED_MS, .command = {(char *)(w + 1), b->size}};
    memcpy(w + 1, b->data, b->size);
    memcpy(w->key, command->client, STORE_ID_BYTES);
    memcpy(w->key + STORE_ID_BYTES, &command->sequence, 8);
    list_init(&w->conn_link);
    list_push_back(&s->writes, &w->link);
    map_put(&s->writes_by_key, slice_of(w->key, sizeof w->key), w);
    s->write_bytes += b->size;
    return w;
}

static bool leads(struct server *s)
{
    struct driver_status status;
    s->options.consensus.status(s->options.consensus.impl, &status);
    return status.role == ROLE_LEADER;
}

static int admit(struct server *s, const struct store_command *c, struct err *reterr)
{
    if (s->writes_by_key.size >= WRITES_MAX || s->write_bytes + c->body.size > WRITES_BYTES_MAX)
        return store_err(reterr, STORE_TOO_MANY_REQUESTS, "too many writes are waiting on this member");
    int status = apply_check(c, &s->arena, reterr);
    arena_clear(&s->arena);
    return status == 0 && leads(s) ? space_admit(s, c, reterr) : status;
}

/* Leases are for whoever may write anything; a malformed transaction is refused as such later. */
static bool may_write(struct connection *c, const struct store_command *command)
{
    struct server *s = c->server;
    struct kv_txn txn;
    struct unpack u = unpack_of(command->body);
    if (s->options.roles == NULL || command->kind == COMMAND_SESSION_OPEN)
        return true;
    if (command->kind == COMMAND_COMPACT)
        return conn_may(c, ROLE_MAINTENANCE, NULL);
    if (command->kind != COMMAND_TXN)
        return conn_may(c, ROLE_WRITE, NULL);
    bool allowed = txn_decode(&u, &s->arena, &txn, NULL) != 0 || roles_allow_txn(s->options.roles, &c->net.peer, &txn);
    arena_clear(&s->arena);
    return allowed;
}

void serve_write(struct connection *c, uint64_t id, struct unpack *u)
{
    struct server *s = c->server;
    struct store_command command;
    struct err err;
    if (!command_decode(u, &command)) {
        conn_error(c, id, ERR_INVALID, "malformed write");
        return;
    }
    if (!may_write(c, &command)) {
        conn_store_error(c, id, STORE_PERMISSION_DENIED, "this certificate's roles do not allow the write");
        return;
    }
    struct write *w = find_write(s, command.client, command.sequence);
    if (w != NULL) { /* the client lost a connection and asks again */
        write_attach(w, c, id);
        w->deadline_ms = server_now_ms(s) + WRITE_PARKED_MS;
        list_remove(&w->link);
        list_push_back(&s->writes, &w->link);
        return;
    }
    int status = admit(s, &command, &err);
    if (status != 0) {
        conn_error(c, id, status, err.message);
        return;
    }
    w = write_new(s, &command);
    write_attach(w, c, id);
    write_send(s, w);
}

/* From a member that does not lead. Its own apply answers the client; only a refusal goes back. */
void serve_forward(struct connection *c, struct unpack *u)
{
    struct server *s = c->server;
    struct store_command command;
    struct slice bytes = u->in;
    if (!command_decode(u, &command) || apply_check(&command, &s->arena, NULL) != 0) {
        arena_clear(&s->arena);
        conn_refuse(c, ERR_INVALID, "malformed forwarded write");
        return;
    }
    arena_clear(&s->arena);
    int status = !leads(s) ? ERR_NOT_LEADER : s->batch.size > WRITES_BYTES_MAX ? ERR_BUSY : space_admit(s, &command, NULL);
    if (status == 0) {
        server_batch(s, slice_of(bytes.data, bytes.size - u->in.size));
        return;
    }
    size_t mark = conn_frame(c, STORE_BOUNCED);
    pack_bytes(&c->out, slice_of(command.client, STORE_ID_BYTES));
    pack_uint(&c->out, command.sequence);
    pack_int(&c->out, status);
    conn_frame_end(c, mark);
}

void writes_tick(struct server *s)
{
    uint64_t now = server_now_ms(s);
    LIST_FOR_EACH(node, &s->writes)
    {
        struct write *w = container_of(node, struct write, link);
        if (w->deadline_ms < now) {
            if (w->conn != NULL)
                conn_store_error(w->conn, w->id, STORE_TIMED_OUT, "no leader took the write in time; it may still happen");
            write_drop(s, w);
        } else if (w->sent_ms == 0 || w->sent_ms + WRITE_RETRY_MS < now) {
            write_send(s, w);
        }
    }
}

void writes_release(struct server *s)
{
    LIST_FOR_EACH(node, &s->writes)
        write_free(s, container_of(node, struct write, link));
    map_release(&s->writes_by_key);
}

/* --- from the state machine and the driver --- */

void server_result(struct server *s, const struct store_command *c, struct slice result)
{
    struct write *w = find_write(s, c->client, c->sequence);
    if (w == NULL)
        return;
    struct unpack u = unpack_of(result);
    struct store_result head;
    bool lost = w->doubtful && result_decode(&u, &head) && head.status == ERR_OUTCOME_UNKNOWN;
    if (w->conn != NULL && lost)
        conn_error(w->conn, w->id, ERR_UNAVAILABLE, "the outcome was skipped over with a snapshot: ask again");
    else if (w->conn != NULL)
        conn_result(w->conn, w->id, result);
    write_drop(s, w);
}

/* A write may have been executed in an entry that the snapshot stands for. Its session may be forgotten by the time it is
 * sent again, and "unknown" must then not be taken for "never executed". */
void writes_restored(struct server *s)
{
    LIST_FOR_EACH(node, &s->writes)
        container_of(node, struct write, link)->doubtful = true;
    writes_unsend(s);
}

void server_entry(struct server *s, uint64_t index)
{
    server_clock_follow(s, index);
    s->revision_seen = mvcc_revision(server_store(s));
    report_entry(s, index);
}

void server_changed(struct server *s)
{
    struct driver_status status;
    if (s->closing)
        return;
    s->options.consensus.status(s->options.consensus.impl, &status);
    server_clock_changed(s);
    if (status.role != ROLE_LEADER)
        buf_reset(&s->batch); /* its writes are in the table here or of the member that forwarded them */
    writes_unsend(s);
    members_unsend(s);
    writes_tick(s);
    members_tick(s);
}
