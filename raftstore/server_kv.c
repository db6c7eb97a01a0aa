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
    if (r->caller != NULL)
        r->caller->call_count--;
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
    r->caller->call_count--;
    r->caller = NULL;
    r->watch = NULL;
    list_remove(&r->link);
}

static void read_fail(struct read *r, int status, const char *message)
{
    if (!r->is_ask)
        caller_error(r->caller, r->id, status, message);
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
    struct kv_header h = server_header(r->server);
    h.revision = r->revision;
    r->caller->front->range(r->caller, r->id, &h, last);
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

static void send_part(struct read *r, const struct kv *kvs, size_t n) { r->caller->front->part(r->caller, r->id, kvs, n); }

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
    page.limit = MIN(r->left, r->page_keys);
    int status = mvcc_range_held(server_store(s), &r->hold, &page, &s->arena, &result, NULL);
    ASSERT(status == 0); /* checked when it began */
    size_t n = part_count(result.kvs, result.kv_count);
    bool last = n == result.kv_count && (!result.more || r->left == (int64_t)n);
    r->left -= (int64_t)n;
    r->page_keys = MIN((int64_t)n * 2, (int64_t)READ_PAGE_KEYS); /* keys that no part has room for are looked up in vain */
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
        r->page_keys = READ_PAGE_KEYS;
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
        if (!r->caller->front->full(r->caller))
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

static void members_answer(struct caller *c, uint64_t id)
{
    struct kv_header h = server_header(c->server);
    c->front->members(c, id, &h, server_configuration(c->server, false));
}

static void read_proved(struct read *r)
{
    if (r->is_members) {
        members_answer(r->caller, r->id);
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
    if (r->caller == NULL || r->caller->closing || s->closing) {
        if (r->caller == NULL)
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
    bool leaderless = server_leaderless(s);
    struct list again;
    list_init(&again);
    list_splice(&again, &s->retries);
    LIST_FOR_EACH(node, &again)
    {
        struct read *r = container_of(node, struct read, queue);
        list_remove(&r->queue);
        if (r->is_ask && r->watch == NULL)
            read_free(r);
        else if (leaderless && !r->is_ask)
            read_refuse(r, STORE_NO_LEADER, "this member knows none, ask another");
        else if (r->deadline_ms < now && !r->is_ask)
            read_refuse(r, STORE_TIMED_OUT, "no leader answered in time");
        else
            round_start(r);
    }
}

static struct read *read_new(struct caller *c, uint64_t id)
{
    struct read *r = NEW(struct read);
    r->server = c->server;
    r->caller = c;
    r->id = id;
    r->deadline_ms = server_now_ms(c->server) + WRITE_PARKED_MS;
    list_init(&r->queue);
    list_push_back(&c->reads, &r->link);
    c->call_count++;
    return r;
}

void serve_range(struct caller *c, uint64_t id, const struct kv_range *range)
{
    if (!caller_admits(c, id, 0))
        return;
    if (!caller_may(c, ROLE_READ, &range->span)) {
        caller_refuse(c, id, STORE_PERMISSION_DENIED, "this certificate may not read all of these keys");
        return;
    }
    struct read *r = read_new(c, id);
    r->range = *range;
    r->range.span.key = arena_slice(&r->arena, range->span.key);
    r->range.span.end = arena_slice(&r->arena, range->span.end);
#ifdef PLANT_SERIALIZABLE
    r->range.serializable = true;
#endif
    if (r->range.serializable)
        read_answer(r);
    else
        round_start(r);
}

void read_ask(struct watch *w)
{
    struct read *r = read_new(w->caller, 0);
    r->is_ask = true;
    r->watch = w;
    round_start(r);
}

/* As the leader knows them, unless the client is content with what this member has heard. */
void serve_members(struct caller *c, uint64_t id, bool serializable)
{
    if (!caller_admits(c, id, ROLES_ANY))
        return;
    if (serializable) {
        members_answer(c, id);
        return;
    }
    struct read *r = read_new(c, id);
    r->is_members = true;
    round_start(r);
}

/* --- about the member --- */

void serve_status(struct caller *c, uint64_t id)
{
    struct server *s = c->server;
    struct mvcc *m = server_store(s);
    if (!caller_admits(c, id, ROLES_ANY))
        return;
    struct member_status status = {.consensus = server_status(s), .state_bytes = mvcc_bytes(m), .compact_revision = mvcc_compact_revision(m)};
    const struct member *self = configuration_member(server_configuration(s, false), status.consensus.member_id);
    struct server_metrics load;
    server_metrics(s, &load);
    status.connections = load.connections;
    status.watches = load.watches;
    status.requests_total = load.requests_total;
    status.disk_free_bytes = s->space.free_bytes;
    status.learner = self == NULL || !self->voter;
    struct kv_header h = server_header(s);
    c->front->status(c, id, &h, &status);
}

void serve_hash(struct caller *c, uint64_t id)
{
    struct server *s = c->server;
    struct mvcc *m = server_store(s);
    if (!caller_admits(c, id, ROLES_ANY))
        return;
    struct member_hash hash = {.keys = mvcc_hash(m), .compact_revision = mvcc_compact_revision(m), .index = apply_index(s->options.apply),
                               .state = apply_hash(s->options.apply)};
    struct kv_header h = server_header(s);
    c->front->hash(c, id, &h, &hash);
}
