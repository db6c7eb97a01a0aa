/* Reads: a round that proves leadership (unless serializable), then the answer, in parts when it is long.
 *
 *   waiting for the round ──▶ answering ──▶ done        (a failed round is asked again at the next tick until the deadline)
 *
 * A long answer holds its revision and goes on, a part per turn, while the connection takes it. */
#include "common/base.h"

#include "common/mem.h"
#include "raftstore/server_internal.h"

#define READ_PAGE_KEYS 1024

static void read_free(struct read *r)
{
    if (r->holding)
        mvcc_unhold(server_store(r->server), &r->hold);
    list_remove(&r->link);
    list_remove(&r->queue);
    if (r->conn != NULL)
        r->conn->call_count--;
    arena_clear(&r->arena);
    buf_release(&r->next_key);
    mem_free(r);
}

void read_forget(struct read *r)
{
    if (!r->waiting) {
        read_free(r);
        return;
    }
    r->conn->call_count--;
    r->conn = NULL;
    r->watch = NULL;
    list_remove(&r->link);
}

static void read_fail(struct read *r, int status, const char *message)
{
    if (!r->is_ask)
        conn_error(r->conn, r->id, status, message);
    read_free(r);
}

static void read_refuse(struct read *r, enum store_error cause, const char *detail)
{
    struct err why;
    int status = store_err(&why, cause, "%s", detail);
    read_fail(r, status, why.message);
}

/* --- answering --- */

static void read_finish(struct read *r, const struct kv_range_result *last)
{
    struct buf *b = &r->server->scratch;
    buf_reset(b);
    result_begin(b, r->revision, RESULT_RANGE);
    range_result_encode(b, last);
    conn_result(r->conn, r->id, buf_slice(b));
    read_free(r);
}

static size_t kv_bytes(const struct kv *kv) { return kv->key.size + kv->value.size + 64; }

/* How many of the first key-values make a part. */
static size_t part_count(const struct kv *kvs, size_t n)
{
    size_t bytes = 0, i = 0;
    while (i < n && (i == 0 || bytes + kv_bytes(&kvs[i]) <= STORE_PART_BYTES))
        bytes += kv_bytes(&kvs[i++]);
    return i;
}

static void send_part(struct read *r, const struct kv *kvs, size_t n)
{
    struct connection *c = r->conn;
    size_t mark = conn_frame(c, STORE_RANGE_PART);
    pack_uint(&c->out, r->id);
    pack_uint(&c->out, n);
    for (size_t i = 0; i < n; i++)
        kv_encode(&c->out, &kvs[i]);
    conn_frame_end(c, mark);
}

/* Sends all of an answer that is complete in memory. */
static void send_whole(struct read *r, struct kv_range_result result)
{
    size_t n;
    while ((n = part_count(result.kvs, result.kv_count)) < result.kv_count) {
        send_part(r, result.kvs, n);
        result.kvs += n;
        result.kv_count -= n;
    }
    read_finish(r, &result);
}

/* Order and filters need all keys at once; a count has none; one key is one part. */
static bool pageable(const struct kv_range *range)
{
    return range->order == KV_ORDER_NONE && range->sort == KV_SORT_KEY && !range->count_only && range->span.end.size != 0 &&
           range->min_mod_revision == 0 && range->max_mod_revision == 0 && range->min_create_revision == 0 &&
           range->max_create_revision == 0;
}

/* The next page of a held read: a part goes out; true when it was the last. */
static bool send_page(struct read *r)
{
    struct server *s = r->server;
    struct kv_range page = r->range;
    struct kv_range_result result;
    page.span.key = buf_slice(&r->next_key);
    page.limit = MIN(r->left, (int64_t)READ_PAGE_KEYS);
    int status = mvcc_range_held(server_store(s), &r->hold, &page, &s->arena, &result, NULL);
    ASSERT(status == 0); /* checked when it began */
    size_t n = part_count(result.kvs, result.kv_count);
    bool last = n == result.kv_count && (!result.more || r->left == (int64_t)n);
    r->left -= (int64_t)n;
    if (last) {
        result.count = r->count;
        read_finish(r, &result);
    } else {
        send_part(r, result.kvs, n);
        buf_reset(&r->next_key);
        buf_append_slice(&r->next_key, result.kvs[n - 1].key);
        buf_append_char(&r->next_key, '\0'); /* the least key after it */
    }
    arena_clear(&s->arena);
    return last;
}

static void read_page_on(struct read *r)
{
    struct server *s = r->server;
    list_push_back(&s->pumped, &r->queue);
    loop_defer(&s->env->loop, &s->pump);
}

/* The first page also counts; when more follows, the revision is held. */
static void read_answer(struct read *r)
{
    struct server *s = r->server;
    struct mvcc *m = server_store(s);
    struct kv_range first = r->range;
    struct kv_range_result result;
    struct err err;
    bool paged = pageable(&first) && (first.limit <= 0 || first.limit > READ_PAGE_KEYS);
    r->revision = mvcc_revision(m);
    if (paged)
        first.limit = READ_PAGE_KEYS;
    int status = mvcc_range(m, &first, &s->arena, &result, &err);
    int64_t at = first.revision > 0 ? first.revision : r->revision;
    if (status != 0) {
        read_fail(r, status, err.message);
    } else if (!paged || !result.more) {
        send_whole(r, result);
    } else if (!mvcc_hold(m, at, &r->hold)) {
        read_refuse(r, STORE_TOO_MANY_REQUESTS, "too many long answers under way on this member");
    } else {
        r->holding = true;
        r->count = result.count;
        r->left = r->range.limit > 0 ? r->range.limit : INT64_MAX;
        buf_append_slice(&r->next_key, r->range.span.key);
        read_page_on(r);
    }
    arena_clear(&s->arena);
}

bool reads_pump(struct server *s)
{
    bool again = false;
    LIST_FOR_EACH(node, &s->pumped)
    {
        struct read *r = container_of(node, struct read, queue);
        if (!conn_full(r->conn))
            again |= !send_page(r);
    }
    return again;
}

void reads_restored(struct server *s)
{
    LIST_FOR_EACH(node, &s->pumped)
    {
        struct read *r = container_of(node, struct read, queue);
        r->holding = false; /* the store that was held is gone */
        read_fail(r, ERR_UNAVAILABLE, "this member has just taken over a snapshot: ask again");
    }
}

/* --- rounds --- */

static void round_done(struct read_index *round, int status);

static void round_start(struct read *r)
{
    r->round = (struct read_index){.done = round_done};
    list_init(&r->round.link);
    r->waiting = true;
    r->server->reads_waiting++;
    r->server->options.consensus.read_index(r->server->options.consensus.impl, &r->round);
}

static void members_answer(struct connection *c, uint64_t id)
{
    struct buf *b = &c->server->scratch;
    buf_reset(b);
    result_begin(b, mvcc_revision(server_store(c->server)), RESULT_MEMBERS);
    members_encode(c->server, b);
    conn_result(c, id, buf_slice(b));
}

static void read_proved(struct read *r)
{
    if (r->is_members) {
        members_answer(r->conn, r->id);
        read_free(r);
        return;
    }
    if (!r->is_ask) {
        read_answer(r);
        return;
    }
    if (r->watch != NULL)
        watch_answer(r->watch);
    read_free(r);
}

static void round_done(struct read_index *round, int status)
{
    struct read *r = container_of(round, struct read, round);
    struct server *s = r->server;
    r->waiting = false;
    s->reads_waiting--;
    if (r->conn == NULL || r->conn->closing || s->closing) {
        if (r->conn == NULL)
            read_free(r);
    } else if (status == 0) {
        read_proved(r);
    } else {
        list_push_back(&s->retries, &r->queue);
    }
    server_finish_close(s);
}

void reads_tick(struct server *s)
{
    uint64_t now = server_now_ms(s);
    struct list again;
    list_init(&again);
    list_splice(&again, &s->retries);
    LIST_FOR_EACH(node, &again)
    {
        struct read *r = container_of(node, struct read, queue);
        list_remove(&r->queue);
        if (r->is_ask && r->watch == NULL)
            read_free(r);
        else if (r->deadline_ms < now && !r->is_ask)
            read_refuse(r, STORE_TIMED_OUT, "no leader answered in time");
        else
            round_start(r);
    }
}

static struct read *read_new(struct connection *c, uint64_t id)
{
    struct read *r = NEW(struct read);
    r->server = c->server;
    r->conn = c;
    r->id = id;
    r->deadline_ms = server_now_ms(c->server) + WRITE_PARKED_MS;
    list_init(&r->queue);
    list_push_back(&c->reads, &r->link);
    c->call_count++;
    return r;
}

void serve_range(struct connection *c, uint64_t id, struct unpack *u)
{
    struct kv_range range;
    if (!range_decode(u, &range)) {
        conn_error(c, id, ERR_INVALID, "malformed range");
        return;
    }
    if (!conn_may(c, ROLE_READ, &range.span)) {
        conn_store_error(c, id, STORE_PERMISSION_DENIED, "this certificate may not read all of these keys");
        return;
    }
    struct read *r = read_new(c, id);
    r->range = range;
#ifdef PLANT_SERIALIZABLE
    range.serializable = true;
#endif
    if (range.serializable) { /* `range` borrows from the frame: read_answer keeps nothing but through the arena below */
        r->range.span.key = arena_slice(&r->arena, range.span.key);
        r->range.span.end = arena_slice(&r->arena, range.span.end);
        read_answer(r);
        return;
    }
    r->range.span.key = arena_slice(&r->arena, range.span.key);
    r->range.span.end = arena_slice(&r->arena, range.span.end);
    round_start(r);
}

void serve_ask(struct watch *w)
{
    struct read *r = read_new(w->conn, 0);
    r->is_ask = true;
    r->watch = w;
    round_start(r);
}

/* As the leader knows them, unless the client is content with what this member has heard. */
void serve_members(struct connection *c, uint64_t id, struct unpack *u)
{
    bool serializable = unpack_bool(u);
    if (u->bad) {
        conn_error(c, id, ERR_INVALID, "malformed request for the members");
        return;
    }
    if (serializable) {
        members_answer(c, id);
        return;
    }
    struct read *r = read_new(c, id);
    r->is_members = true;
    round_start(r);
}

/* --- about the member --- */

static void put_status(struct server *s, struct buf *out)
{
    struct driver_status d;
    struct mvcc *m = server_store(s);
    s->options.consensus.status(s->options.consensus.impl, &d);
    const struct member *self =
        configuration_member(s->options.consensus.configuration(s->options.consensus.impl, false), d.member_id);
    const uint64_t numbers[] = {d.member_id,   d.leader, d.term, d.commit_index, d.applied_index, d.last_index, d.snapshot_index,
                                d.log_bytes, (uint64_t)mvcc_compact_revision(m), mvcc_bytes(m), (uint64_t)d.role,
                                self == NULL || !self->voter};
    for (size_t i = 0; i < ARRAY_LEN(numbers); i++)
        pack_uint(out, numbers[i]);
}

static void put_hash(struct server *s, struct buf *out)
{
    struct mvcc *m = server_store(s);
    pack_uint(out, mvcc_hash(m));
    pack_int(out, mvcc_compact_revision(m));
    pack_uint(out, apply_index(s->options.apply));
    pack_uint(out, apply_hash(s->options.apply));
}

void serve_info(struct connection *c, enum store_frame type, uint64_t id)
{
    struct server *s = c->server;
    struct buf *b = &s->scratch;
    buf_reset(b);
    result_begin(b, mvcc_revision(server_store(s)),
                 type == STORE_STATUS ? RESULT_STATUS : RESULT_HASHKV);
    if (type == STORE_STATUS)
        put_status(s, b);
    else
        put_hash(s, b);
    conn_result(c, id, buf_slice(b));
}
