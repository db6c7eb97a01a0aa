/* Calls. A read is sent again on every new connection. A write keeps its sequence over connections, so that the store
 * executes it once; it gets a new one only when it is certain that it had no effect:
 *   - its session was unknown the only time it was sent, or
 *   - the store says that it changed nothing and that the answer is gone (ERR_EXPIRED). */
#include "common/base.h"

#include "raftstore/client_internal.h"

static bool is_write(const struct client_call *k) { return k->type == STORE_WRITE; }

static void call_unlink(struct client_call *k)
{
    struct store_client *c = k->client;
    loop_timer_stop(&c->env->loop, &k->deadline);
    loop_timer_stop(&c->env->loop, &k->again);
    (void)map_remove(&c->calls_by_id, slice_of(&k->id, sizeof k->id)); /* is `k`, or nothing when it was refused at once */
    list_remove(&k->link);
    list_remove(&k->write_link);
}

static void call_free(struct client_call *k)
{
    call_unlink(k);
    buf_release(&k->body);
    mem_free(k);
}

/* Frees the call's own part, then tells its owner, whose memory it is from then on. */
static void call_done(struct client_call *k, int status, const struct err *why)
{
    struct store_call *call = k->call;
    call->sent = k->attempts > 0;
    k->client->call_count--;
    call_free(k);
    struct arena arena = call->arena; /* `call` may be started again in done */
    call->arena = (struct arena){0};
    call->impl = NULL;
    call->done(call, status, why);
    arena_clear(&arena);
}

/* Ends it in a turn of its own, never inside the call that started it. */
static void call_end_later(struct client_call *k, int status, const char *why)
{
    struct store_client *c = k->client;
    k->status = status;
    err_set(&k->why, status, "%s", why);
    call_unlink(k);
    list_push_back(&c->ended, &k->link);
    loop_defer(&c->env->loop, &c->end);
}

static void session_settle(struct store_client *c);

void calls_run_ended(struct store_client *c)
{
    struct client_call *k;
    while ((k = LIST_FIRST(&c->ended, struct client_call, link)) != NULL) {
        struct err why = k->why;
        call_done(k, k->status, &why);
    }
    session_settle(c);
}

/* --- sending --- */

static void send_write(struct client_call *k)
{
    struct store_client *c = k->client;
    struct client_call *first = LIST_FIRST(&c->writes, struct client_call, write_link);
    struct store_command command = {.kind = k->kind, .body = buf_slice(&k->body), .sequence = k->sequence};
    struct buf values = {0};
    command.oldest = k->sequence == 0 ? 0 : first->sequence;
    memcpy(command.client, k->sequence == 0 ? c->nonce : c->session_id, STORE_ID_BYTES);
    pack_uint(&values, k->id);
    command_encode(&values, &command);
    client_send(c, STORE_WRITE, buf_slice(&values), SLICE(""));
    buf_release(&values);
}

static void open_session(struct store_client *c);

static void call_send(struct client_call *k)
{
    struct store_client *c = k->client;
    if (c->state != CLIENT_READY || k->sent || timer_armed(&k->again))
        return;
    if (is_write(k) && k->kind != COMMAND_SESSION_OPEN && k->sequence == 0) {
        if (c->session != SESSION_OPEN) {
            open_session(c);
            return;
        }
        k->sequence = c->next_sequence++;
        k->attempts = 0;
        list_push_back(&c->writes, &k->write_link);
    }
    k->sent = true;
    k->attempts++;
    if (is_write(k)) {
        send_write(k);
        return;
    }
    struct buf id = {0};
    pack_uint(&id, k->id);
    client_send(c, k->type, buf_slice(&id), buf_slice(&k->body));
    buf_release(&id);
}

void calls_ready(struct store_client *c)
{
    LIST_FOR_EACH(node, &c->calls)
        call_send(container_of(node, struct client_call, link));
}

/* What parts have come of an answer are worth nothing without the rest. */
static void call_forget_parts(struct client_call *k)
{
    if (k->call != NULL)
        arena_clear(&k->call->arena);
    k->kvs = NULL;
    k->kv_count = k->kv_capacity = 0;
}

void calls_lost(struct store_client *c)
{
    LIST_FOR_EACH(node, &c->calls)
    {
        struct client_call *k = container_of(node, struct client_call, link);
        k->sent = false;
        if (k->parted)
            call_end_later(k, ERR_UNAVAILABLE, "the connection was lost within an answer");
        else
            call_forget_parts(k);
    }
}

/* --- starting --- */

static void deadline_passed(struct timer *t)
{
    struct client_call *k = container_of(t, struct client_call, deadline);
    struct store_client *c = k->client;
    struct err why = {0};
    const char *effect = !is_write(k) ? "" : k->attempts == 0 ? "; the write was not sent" : "; the write may have happened";
    if (c->state == CLIENT_READY)
        err_set(&why, ERR_TIMEOUT, "no answer from %s in time%s", c->endpoints[c->endpoint], effect);
    else
        err_set(&why, ERR_TIMEOUT, "no connection to the store (%s)%s", c->last.code == 0 ? "connecting" : c->last.message, effect);
    call_done(k, ERR_TIMEOUT, &why);
    session_settle(c);
}

static void try_again(struct timer *t)
{
    call_send(container_of(t, struct client_call, again));
}

static struct client_call *call_new(struct store_client *c, struct store_call *call, enum store_frame type)
{
    struct client_call *k = NEW(struct client_call);
    k->client = c;
    k->call = call;
    k->type = type;
    k->id = c->next_id++;
    list_init(&k->link);
    list_init(&k->write_link);
    timer_init(&k->deadline, deadline_passed);
    timer_init(&k->again, try_again);
    return k;
}

static void call_enter(struct client_call *k)
{
    struct store_client *c = k->client;
    map_put(&c->calls_by_id, slice_of(&k->id, sizeof k->id), k);
    list_push_back(&c->calls, &k->link);
}

/* Takes a call whose body is encoded. */
static void call_start(struct client_call *k, unsigned timeout_ms)
{
    struct store_client *c = k->client;
    k->call->impl = k;
    k->call->arena = (struct arena){0};
    if (++c->call_count > c->calls_max) {
        call_end_later(k, ERR_BUSY, "too many calls of this client under way");
        return;
    }
    if (c->closing) {
        call_end_later(k, ERR_CANCELED, "the client is closing");
        return;
    }
    if (k->body.size > STORE_FRAME_BYTES_MAX - 256) {
        call_end_later(k, ERR_TOO_LARGE, "the request is larger than the store takes");
        return;
    }
    call_enter(k);
    loop_timer_start(&c->env->loop, &k->deadline, timeout_ms != 0 ? timeout_ms : CLIENT_TIMEOUT_MS);
    call_send(k);
}

void store_range(struct store_client *c, struct store_call *call, const struct kv_range *range, unsigned timeout_ms)
{
    struct client_call *k = call_new(c, call, STORE_RANGE);
    range_encode(&k->body, range);
    call_start(k, timeout_ms);
}

void store_txn(struct store_client *c, struct store_call *call, const struct kv_txn *txn, unsigned timeout_ms)
{
    struct client_call *k = call_new(c, call, STORE_WRITE);
    k->kind = COMMAND_TXN;
    txn_encode(&k->body, txn);
    call_start(k, timeout_ms);
}

void store_compact(struct store_client *c, struct store_call *call, int64_t revision, unsigned timeout_ms)
{
    struct client_call *k = call_new(c, call, STORE_WRITE);
    k->kind = COMMAND_COMPACT;
    pack_int(&k->body, revision);
    call_start(k, timeout_ms);
}

static struct client_call *lease_write(struct store_client *c, struct store_call *call, enum store_command_kind kind)
{
    struct client_call *k = call_new(c, call, STORE_WRITE);
    k->kind = kind;
    return k;
}

void store_lease_grant(struct store_client *c, struct store_call *call, int64_t id, int64_t ttl_s, unsigned timeout_ms)
{
    struct client_call *k = lease_write(c, call, COMMAND_LEASE_GRANT);
    while (id == 0)
        id = (int64_t)(random_u64(&c->env->random) & INT64_MAX);
    pack_int(&k->body, id);
    pack_int(&k->body, ttl_s);
    call_start(k, timeout_ms);
}

void store_lease_revoke(struct store_client *c, struct store_call *call, int64_t id, unsigned timeout_ms)
{
    struct client_call *k = lease_write(c, call, COMMAND_LEASE_REVOKE);
    pack_int(&k->body, id);
    call_start(k, timeout_ms);
}

void store_lease_keepalive(struct store_client *c, struct store_call *call, const int64_t *ids, size_t n, unsigned timeout_ms)
{
    struct client_call *k = lease_write(c, call, COMMAND_LEASE_KEEPALIVE);
    pack_uint(&k->body, n);
    for (size_t i = 0; i < n; i++)
        pack_int(&k->body, ids[i]);
    call_start(k, timeout_ms);
}

void store_lease_list(struct store_client *c, struct store_call *call, int64_t id, bool with_keys, unsigned timeout_ms)
{
    struct client_call *k = call_new(c, call, STORE_LEASES);
    pack_int(&k->body, id);
    pack_bool(&k->body, with_keys);
    call_start(k, timeout_ms);
}

void store_status(struct store_client *c, struct store_call *call, unsigned timeout_ms)
{
    call_start(call_new(c, call, STORE_STATUS), timeout_ms);
}

void store_hashkv(struct store_client *c, struct store_call *call, unsigned timeout_ms)
{
    call_start(call_new(c, call, STORE_HASHKV), timeout_ms);
}

void store_snapshot(struct store_client *c, struct store_call *call, uint64_t number, unsigned timeout_ms)
{
    struct client_call *k = call_new(c, call, STORE_SNAPSHOT);
    pack_uint(&k->body, number);
    call_start(k, timeout_ms);
}

void store_member_list(struct store_client *c, struct store_call *call, bool serializable, unsigned timeout_ms)
{
    struct client_call *k = call_new(c, call, STORE_MEMBERS);
    pack_bool(&k->body, serializable);
    call_start(k, timeout_ms);
}

static struct slice text_or_none(const char *text) { return slice_str(text == NULL ? "" : text); }

void store_member_change(struct store_client *c, struct store_call *call, const struct store_member_request *m, unsigned timeout_ms)
{
    struct client_call *k = call_new(c, call, STORE_MEMBER);
    k->verb = (enum member_verb)m->verb;
    member_request_encode(&k->body, &(struct member_request){
        .verb = (enum member_verb)m->verb, .id = m->id, .replaces = m->replaces, .automatic = m->automatic, .force = m->force,
        .name = text_or_none(m->name), .peer_address = text_or_none(m->peer_address),
        .client_address = text_or_none(m->client_address)});
    call_start(k, timeout_ms);
}

void store_cancel(struct store_client *c, struct store_call *call)
{
    struct client_call *k = call->impl;
    ASSERT(k->client == c);
    if (k->status == 0)
        call_end_later(k, ERR_CANCELED, "canceled");
}

void calls_cancel_all(struct store_client *c)
{
    LIST_FOR_EACH(node, &c->calls)
    {
        struct client_call *k = container_of(node, struct client_call, link);
        if (k->call == NULL)
            call_free(k);
        else
            call_end_later(k, ERR_CANCELED, "the client is closing");
    }
}

/* --- sessions --- */

/* One call of the client's own; writes wait for it. A duplicate opens a session that nobody uses and that expires. */
static void open_session(struct store_client *c)
{
    if (c->session != SESSION_NONE)
        return;
    c->session = SESSION_OPENING;
    random_fill(&c->env->random, c->nonce, sizeof c->nonce);
    struct client_call *k = call_new(c, NULL, STORE_WRITE);
    k->kind = COMMAND_SESSION_OPEN;
    call_enter(k);
    call_send(k);
}

static void session_opened(struct client_call *k, struct unpack *u)
{
    struct store_client *c = k->client;
    struct slice id = unpack_bytes(u);
    call_free(k);
    if (u->bad || id.size != STORE_ID_BYTES) {
        c->session = SESSION_NONE;
        client_hang_up(c, ERR_CORRUPT, "malformed session");
        return;
    }
    memcpy(c->session_id, id.data, STORE_ID_BYTES);
    c->session = SESSION_OPEN;
    c->next_sequence = 1;
    calls_ready(c);
}

/* Who may do nothing at all may not open a session either: those that wait for one hear it. */
static void session_refused(struct client_call *k, const struct err *why)
{
    struct store_client *c = k->client;
    call_free(k);
    c->session = SESSION_NONE;
    LIST_FOR_EACH(node, &c->calls) {
        struct client_call *waiting = container_of(node, struct client_call, link);
        if (is_write(waiting) && waiting->sequence == 0 && !waiting->sent)
            call_end_later(waiting, why->code, why->message);
    }
}

/* The session is gone. What was sent once under it was not executed and goes under a new one; about what was sent more
 * often nothing is known. Others under way hear the same themselves. */
static void session_lost(struct client_call *k)
{
    struct store_client *c = k->client;
    list_remove(&k->write_link);
    k->sequence = 0;
    k->sent = false;
    /* Until the old session's writes have all heard, no new one is opened: sequences of two sessions would mix. */
    c->session = list_empty(&c->writes) ? SESSION_NONE : SESSION_OPENING;
    if (c->session == SESSION_NONE)
        calls_ready(c);
}

/* --- answers --- */

static struct client_call *find_call(struct store_client *c, uint64_t id)
{
    return map_get(&c->calls_by_id, slice_of(&id, sizeof id)); /* NULL: timed out or canceled meanwhile */
}

static void add_kvs(struct client_call *k, const struct kv *kvs, size_t n)
{
    struct arena *arena = &k->call->arena;
    if (k->kv_count + n > k->kv_capacity) {
        struct kv *old = k->kvs;
        k->kv_capacity = MAX(k->kv_count + n, k->kv_capacity * 2);
        k->kvs = arena_alloc(arena, k->kv_capacity * sizeof k->kvs[0]);
        if (k->kv_count != 0)
            memcpy(k->kvs, old, k->kv_count * sizeof old[0]);
    }
    if (n != 0)
        memcpy(k->kvs + k->kv_count, kvs, n * sizeof kvs[0]);
    k->kv_count += n;
}

/* The rest of a frame, in the call's own memory. */
static struct unpack keep_rest(struct client_call *k, const struct unpack *u)
{
    return unpack_of(arena_slice(&k->call->arena, u->in));
}

/* Straight from what was received. */
static void give_part(struct client_call *k, struct unpack *u)
{
    size_t n = (size_t)unpack_below(u, u->in.size / 6 + 1);
    struct kv *kvs = mem_alloc(n * sizeof kvs[0]);
    for (size_t i = 0; i < n && !u->bad; i++)
        kv_decode(u, &kvs[i]);
    k->parted = true;
    if (!u->bad)
        k->call->part(k->call, kvs, n);
    mem_free(kvs);
}

void call_part(struct store_client *c, struct unpack *u, struct slice payload)
{
    struct client_call *k = find_call(c, unpack_uint(u));
    (void)payload;
    if (k == NULL || k->type != STORE_RANGE || !k->sent)
        return;
    if (k->call->part != NULL) {
        give_part(k, u);
    } else {
        struct unpack own = keep_rest(k, u);
        size_t n = (size_t)unpack_below(&own, own.in.size / 6 + 1);
        for (size_t i = 0; i < n && !own.bad; i++) {
            struct kv kv;
            kv_decode(&own, &kv);
            add_kvs(k, &kv, 1);
        }
        *u = own;
    }
    if (!unpack_done(u))
        client_hang_up(c, ERR_CORRUPT, "malformed part of an answer");
}

static bool decode_range(struct client_call *k, struct unpack *u)
{
    struct kv_range_result *r = &k->call->range;
    if (!range_result_decode(u, &k->call->arena, r))
        return false;
    if (k->kv_count == 0)
        return true;
    add_kvs(k, r->kvs, r->kv_count);
    r->kvs = k->kvs;
    r->kv_count = k->kv_count;
    return true;
}

static bool decode_status(struct store_call *call, struct unpack *u)
{
    struct store_status_result *s = &call->status;
    call->header.member_id = unpack_uint(u);
    s->leader = unpack_uint(u);
    call->header.term = unpack_uint(u);
    s->commit_index = unpack_uint(u);
    s->applied_index = unpack_uint(u);
    s->last_index = unpack_uint(u);
    s->snapshot_index = unpack_uint(u);
    s->log_bytes = unpack_uint(u);
    s->compact_revision = unpack_int(u);
    s->state_bytes = unpack_uint(u);
    uint64_t role = unpack_below(u, STORE_LEADER + 1);
    s->role = role == 2 ? STORE_LEADER : role == 1 ? STORE_CANDIDATE : STORE_FOLLOWER;
    s->learner = unpack_below(u, 2) == 1;
    if (u->bad || u->in.size == 0)
        return !u->bad; /* an older member */
    s->connections = unpack_uint(u);
    s->watches = unpack_uint(u);
    s->requests_total = unpack_uint(u);
    s->disk_free_bytes = unpack_uint(u);
    return !u->bad;
}

static bool decode_hashkv(struct store_call *call, struct unpack *u)
{
    call->hashkv.hash = unpack_uint(u);
    call->hashkv.compact_revision = unpack_int(u);
    call->hashkv.applied_index = unpack_uint(u);
    call->hashkv.state_hash = unpack_uint(u);
    return !u->bad;
}

static bool decode_members(struct store_call *call, struct unpack *u)
{
    call->members.count = (size_t)unpack_below(u, STORE_ENDPOINTS_MAX + 1);
    for (size_t i = 0; i < call->members.count && !u->bad; i++) {
        struct store_member *m = &call->members.members[i];
        m->id = unpack_uint(u);
        m->peer_address = unpack_bytes(u);
        m->client_address = unpack_bytes(u);
        m->name = unpack_bytes(u);
        m->voter = unpack_bool(u);
        m->automatic = unpack_bool(u);
        m->replaces = unpack_uint(u);
    }
    return !u->bad;
}

static bool decode_leases(struct store_call *call, struct unpack *u)
{
    size_t n = (size_t)unpack_below(u, u->in.size / 4 + 1);
    struct store_lease *leases = arena_alloc(&call->arena, n * sizeof leases[0]);
    for (size_t i = 0; i < n && !u->bad; i++) {
        struct store_lease *l = &leases[i];
        l->id = unpack_int(u);
        l->granted_s = unpack_int(u);
        l->remaining_ms = unpack_uint(u);
        l->key_count = (size_t)unpack_below(u, u->in.size + 1);
        l->keys = arena_alloc(&call->arena, l->key_count * sizeof l->keys[0]);
        for (size_t key = 0; key < l->key_count && !u->bad; key++)
            l->keys[key] = unpack_bytes(u);
    }
    call->leases = (struct store_leases_result){leases, n};
    return !u->bad;
}

static bool decode_snapshot(struct store_call *call, struct unpack *u)
{
    call->snapshot.bytes = unpack_bytes(u);
    call->snapshot.last = unpack_bool(u);
    return !u->bad;
}

static bool decode_body(struct client_call *k, enum store_result_kind kind, struct unpack *u)
{
    switch (kind) {
    case RESULT_NONE: return is_write(k);
    case RESULT_TXN: return is_write(k) && txn_result_decode(u, &k->call->arena, &k->call->txn);
    case RESULT_RANGE: return k->type == STORE_RANGE && decode_range(k, u);
    case RESULT_STATUS: return k->type == STORE_STATUS && decode_status(k->call, u);
    case RESULT_HASHKV: return k->type == STORE_HASHKV && decode_hashkv(k->call, u);
    case RESULT_MEMBERS: return (k->type == STORE_MEMBERS || k->type == STORE_MEMBER) && decode_members(k->call, u);
    case RESULT_LEASES: return (is_write(k) || k->type == STORE_LEASES) && decode_leases(k->call, u);
    case RESULT_SNAPSHOT: return k->type == STORE_SNAPSHOT && decode_snapshot(k->call, u);
    case RESULT_SESSION: return false;
    }
    return false;
}

static void call_succeeded(struct client_call *k, const struct store_result *head, uint64_t term, struct unpack *u)
{
    struct store_client *c = k->client;
    struct store_call *call = k->call;
    struct unpack own = keep_rest(k, u);
    call->header = (struct kv_header){.member_id = c->member_id, .revision = head->revision, .term = term};
    memcpy(call->header.cluster_id, c->cluster_id, STORE_ID_BYTES);
    if (!decode_body(k, head->kind, &own) || !unpack_done(&own))
        client_hang_up(c, ERR_CORRUPT, "malformed answer");
    else
        call_done(k, 0, NULL);
}

static void send_later(struct client_call *k)
{
    k->sent = false;
    call_forget_parts(k);
    loop_timer_start(&k->client->env->loop, &k->again, CLIENT_RETRY_MS);
}

/* Asked again because the first answer was lost, perhaps with the member that was removed: it is as it was to be. */
static bool changed_before(const struct client_call *k, int status)
{
    return k->type == STORE_MEMBER && k->attempts > 1 &&
           ((k->verb == MEMBER_REMOVE && status == ERR_NOT_FOUND) || (k->verb == MEMBER_PROMOTE && status == ERR_INVALID));
}

static void call_failed(struct client_call *k, const struct store_result *head)
{
    struct store_client *c = k->client;
    struct err why;
    if (changed_before(k, head->status)) {
        k->call->header = (struct kv_header){.member_id = c->member_id, .revision = head->revision};
        memcpy(k->call->header.cluster_id, c->cluster_id, STORE_ID_BYTES);
        k->call->members.count = 0;
        call_done(k, 0, NULL);
        return;
    }
    err_set(&why, head->status, "%.*s", (int)MIN(head->message.size, (size_t)400), head->message.data);
    if (k->call == NULL && head->status == ERR_PERMISSION) {
        session_refused(k, &why);
    } else if (k->parted) {
        call_done(k, head->status, &why); /* what was told of cannot be taken back */
    } else if (head->status == ERR_UNAVAILABLE || head->status == ERR_NOT_LEADER) {
        send_later(k); /* until the deadline; perhaps another member sees a leader */
        if (!c->pinned && c->endpoint_count > 1)
            client_hang_up(c, head->status, why.message);
    } else if (head->status == ERR_BUSY || k->call == NULL || (head->status == ERR_NO_SPACE && is_write(k) && k->attempts > 1)) {
        /* No room is said of this attempt only; an earlier one may have been executed. */
        send_later(k);
    } else if (is_write(k) && head->status == ERR_OUTCOME_UNKNOWN && k->attempts == 1) {
        session_lost(k);
    } else if (is_write(k) && head->status == ERR_EXPIRED) {
        list_remove(&k->write_link);
        k->sequence = 0;
        k->sent = false;
        call_send(k);
    } else {
        call_done(k, head->status, &why);
    }
}

/* After the last answer under a lost session a new one may be opened. */
static void session_settle(struct store_client *c)
{
    bool opening = false;
    if (c->session != SESSION_OPENING)
        return;
    LIST_FOR_EACH(node, &c->calls)
        opening |= container_of(node, struct client_call, link)->call == NULL;
    if (c->closing || opening || !list_empty(&c->writes))
        return;
    c->session = SESSION_NONE;
    if (c->state == CLIENT_READY)
        calls_ready(c);
}

void call_result(struct store_client *c, struct unpack *u, struct slice payload)
{
    uint64_t id = unpack_uint(u), term = unpack_uint(u);
    struct store_result head;
    (void)payload;
    if (!result_decode(u, &head)) {
        client_hang_up(c, ERR_CORRUPT, "malformed answer");
        return;
    }
    struct client_call *k = find_call(c, id);
    if (k == NULL || !k->sent)
        return;
    if (head.status != 0)
        call_failed(k, &head);
    else if (k->call == NULL)
        session_opened(k, u);
    else
        call_succeeded(k, &head, term, u);
    session_settle(c);
}
