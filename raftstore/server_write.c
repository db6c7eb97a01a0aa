/* Writes: kept until their result is applied here, batched into entries on the leader, forwarded to it from elsewhere.
 *
 *   waiting ──▶ sent (in a batch, or to the leader) ──▶ answered by server_result
 *      ▲            │ refused, link lost, leader changed, or WRITE_RETRY_MS without an answer
 *      └────────────┘   sending twice is safe: the state machine executes a (client, sequence) once
 *
 * After WRITE_PARKED_MS, or LEADERLESS_MS without any leader, the client hears ERR_UNAVAILABLE and may send again under the same sequence. */
#include "common/base.h"

#include "common/mem.h"
#include "raftstore/server_internal.h"

/* --- proposing --- */

struct entry_proposal {
    struct proposal proposal;
    struct server *server;
};

void writes_unsend(struct server *s)
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
    entry_begin(&s->scratch, server_clock_stamp(s));
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

/* --- the table of waiting writes --- */

static struct write *find_write(struct server *s, const uint8_t *client, uint64_t sequence)
{
    uint8_t key[STORE_ID_BYTES + 8];
    memcpy(key, client, STORE_ID_BYTES);
    memcpy(key + STORE_ID_BYTES, &sequence, sizeof sequence);
    return map_get(&s->writes_by_key, slice_of(key, sizeof key));
}

static void write_send(struct server *s, struct write *w)
{
    if (server_leads(s)) {
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
    list_remove(&w->caller_link);
    list_remove(&w->link);
    if (w->caller != NULL)
        w->caller->call_count--;
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
    w->caller->call_count--;
    w->caller = NULL;
    list_remove(&w->caller_link);
}

static void write_attach(struct write *w, struct caller *c, uint64_t id)
{
    if (w->caller != NULL)
        write_forget(w);
    w->caller = c;
    w->id = id;
    list_push_back(&c->writes, &w->caller_link);
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
    list_init(&w->caller_link);
    list_push_back(&s->writes, &w->link);
    map_put(&s->writes_by_key, slice_of(w->key, sizeof w->key), w);
    s->write_bytes += b->size;
    return w;
}

static int admit(struct server *s, const struct store_command *c, struct err *reterr)
{
    if (s->writes_by_key.size >= WRITES_MAX || s->write_bytes + c->body.size > WRITES_BYTES_MAX)
        return store_err(reterr, STORE_TOO_MANY_REQUESTS, "too many writes are waiting on this member");
    int status = apply_check(c, &s->arena, reterr);
    arena_clear(&s->arena);
    return status == 0 && server_leads(s) ? space_admit(s, c, reterr) : status;
}

/* Leases are for whoever may write anything; a malformed transaction is refused as such later. */
static bool may_write(struct caller *c, const struct store_command *command)
{
    struct server *s = c->server;
    struct kv_txn txn;
    struct unpack u = unpack_of(command->body);
    if (s->options.roles == NULL || c->peer == NULL || command->kind == COMMAND_SESSION_OPEN)
        return true;
    if (command->kind == COMMAND_COMPACT)
        return caller_may(c, ROLE_MAINTENANCE, NULL);
    if (command->kind != COMMAND_TXN)
        return caller_may(c, ROLE_WRITE, NULL);
    bool allowed = txn_decode(&u, &s->arena, &txn, NULL) != 0 || roles_allow_txn(s->options.roles, c->peer, &txn);
    arena_clear(&s->arena);
    return allowed;
}

static void ask_again(struct write *w, struct caller *c, uint64_t id)
{
    struct server *s = c->server;
    write_attach(w, c, id);
    w->deadline_ms = server_now_ms(s) + WRITE_PARKED_MS;
    list_remove(&w->link);
    list_push_back(&s->writes, &w->link);
}

void serve_write(struct caller *c, uint64_t id, const struct store_command *command)
{
    struct server *s = c->server;
    struct err err;
    if (!caller_admits(c, id, ROLES_ANY))
        return;
    if (!may_write(c, command)) {
        caller_refuse(c, id, STORE_PERMISSION_DENIED, "this certificate's roles do not allow the write");
        return;
    }
    struct write *w = find_write(s, command->client, command->sequence);
    if (w != NULL) { /* the client lost a connection and asks again */
        ask_again(w, c, id);
        return;
    }
    int status = admit(s, command, &err);
    if (status != 0) {
        caller_error(c, id, status, err.message);
        return;
    }
    w = write_new(s, command);
    write_attach(w, c, id);
    write_send(s, w);
}

int serve_forwarded(struct server *s, struct slice bytes)
{
    struct store_command command;
    struct unpack u = unpack_of(bytes);
    bool ok = command_decode(&u, &command) && apply_check(&command, &s->arena, NULL) == 0;
    arena_clear(&s->arena);
    int status = !ok                                  ? ERR_INVALID
                 : !server_leads(s)                   ? ERR_NOT_LEADER
                 : s->batch.size > WRITES_BYTES_MAX   ? ERR_BUSY
                                                      : space_admit(s, &command, NULL);
    if (status == 0)
        server_batch(s, bytes);
    return status;
}

void write_bounced(struct server *s, const uint8_t *client, uint64_t sequence, int status)
{
    struct write *w = find_write(s, client, sequence);
    if (w == NULL)
        return;
    w->sent_ms = 0;
    if (status != ERR_NO_SPACE || w->sends > 1)
        return; /* sent before: it may have been taken then, and what became of it is still to come */
    if (w->caller != NULL)
        caller_refuse(w->caller, w->id, STORE_NO_SPACE, "the leader has no room, or too many members have none");
    write_drop(s, w);
}

static void give_up(struct server *s, struct write *w, bool leaderless)
{
    if (w->caller != NULL && leaderless)
        caller_refuse(w->caller, w->id, STORE_NO_LEADER, "this member knows none, ask another; the write may still happen");
    else if (w->caller != NULL)
        caller_refuse(w->caller, w->id, STORE_TIMED_OUT, "no leader took the write in time; it may still happen");
    write_drop(s, w);
}

void writes_tick(struct server *s)
{
    uint64_t now = server_now_ms(s);
    bool leaderless = server_leaderless(s);
    LIST_FOR_EACH(node, &s->writes)
    {
        struct write *w = container_of(node, struct write, link);
        if (w->deadline_ms < now || leaderless) {
            give_up(s, w, leaderless);
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

static void written(struct write *w, struct slice result)
{
    struct kv_header h = server_header(w->caller->server);
    w->caller->front->written(w->caller, w->id, &h, result);
}

void server_result(struct server *s, const struct store_command *c, struct slice result)
{
    struct write *w = find_write(s, c->client, c->sequence);
    if (w == NULL)
        return;
    struct unpack u = unpack_of(result);
    struct store_result head;
    bool lost = w->doubtful && result_decode(&u, &head) && head.status == ERR_OUTCOME_UNKNOWN;
    if (w->caller != NULL && lost)
        caller_error(w->caller, w->id, ERR_UNAVAILABLE, "the outcome was skipped over with a snapshot: ask again");
    else if (w->caller != NULL)
        written(w, result);
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
    if (s->closing)
        return;
    server_clock_changed(s);
    server_note_leader(s);
    if (!server_leads(s))
        buf_reset(&s->batch); /* its writes are in the table here or of the member that forwarded them */
    writes_unsend(s);
    members_unsend(s);
    writes_tick(s);
    members_tick(s);
}
