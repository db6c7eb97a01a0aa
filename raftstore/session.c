#include "common/base.h"

#include "raftstore/session.h"

#include "common/mem.h"
#include "raftstore/mvcc.h"
#include "raftstore/store_limits.h"

struct result {
    uint64_t hash; /* of its sequence and bytes */
    uint32_t size;
    char bytes[];
};

/* Results stand in a ring: that of sequence n in slot n modulo the capacity. */
struct session {
    uint8_t id[STORE_ID_BYTES];
    uint64_t used_ms;          /* cluster time */
    uint64_t oldest, end;      /* sequences [oldest, end) may have results */
    struct result **results;
    uint32_t capacity;         /* a power of two, or 0 */
    size_t bytes;
    uint64_t results_sum;      /* of their hashes */
    struct list by_use;
    struct sum_part part;
};

static struct slice id_slice(const uint8_t id[STORE_ID_BYTES]) { return slice_of(id, STORE_ID_BYTES); }

/* What the sum of all sessions holds of one. */
static uint64_t hash_of(const struct session *session, uint64_t results_sum)
{
    const uint64_t words[] = {session->used_ms, session->oldest, session->end, session->bytes, results_sum};
    uint64_t h = mvcc_hash_bytes(id_slice(session->id), 0);
    for (size_t i = 0; i < ARRAY_LEN(words); i++)
        h = sum_mix(h, words[i]);
    return h;
}

static void changed(struct sessions *s, struct session *session)
{
    sum_set(&s->sum, &session->part, hash_of(session, session->results_sum));
}

static uint64_t result_hash(uint64_t sequence, struct slice bytes) { return mvcc_hash_bytes(bytes, sequence); }

void sessions_init(struct sessions *s)
{
    *s = (struct sessions){0};
    list_init(&s->by_use);
}

static struct result **slot(const struct session *session, uint64_t sequence)
{
    return &session->results[sequence & (session->capacity - 1)];
}

static void result_drop(struct sessions *s, struct session *session, struct result **at)
{
    if (*at == NULL)
        return;
    session->bytes -= (*at)->size;
    session->results_sum -= (*at)->hash;
    s->result_bytes -= (*at)->size;
    mem_free(*at);
    *at = NULL;
}

/* Forgets the results of sequences less than `oldest`. */
static void session_acknowledge(struct sessions *s, struct session *session, uint64_t oldest)
{
    for (; session->oldest < oldest && session->oldest < session->end; session->oldest++)
        result_drop(s, session, slot(session, session->oldest));
    session->oldest = MAX(session->oldest, oldest);
    session->end = MAX(session->end, session->oldest);
}

static void session_drop(struct sessions *s, struct session *session)
{
    session_acknowledge(s, session, session->end);
    ASSERT(session->bytes == 0);
    list_remove(&session->by_use);
    sum_remove(&s->sum, &session->part);
    (void)map_remove(&s->by_id, id_slice(session->id)); /* is the one being dropped */
    mem_free(session->results);
    mem_free(session);
}

void sessions_release(struct sessions *s)
{
    LIST_FOR_EACH(node, &s->by_use)
        session_drop(s, container_of(node, struct session, by_use));
    map_release(&s->by_id);
    sessions_init(s);
}

static struct session *session_add(struct sessions *s, const uint8_t id[STORE_ID_BYTES], uint64_t now_ms)
{
    struct session *session = NEW(struct session);
    memcpy(session->id, id, STORE_ID_BYTES);
    session->used_ms = now_ms;
    session->oldest = session->end = 1;
    list_push_back(&s->by_use, &session->by_use);
    map_put(&s->by_id, id_slice(session->id), session);
    sum_add(&s->sum, &session->part, hash_of(session, 0));
    return session;
}

/* Keeps the bounds, at the cost of the longest unused sessions; never of `keep`. */
static void sessions_bound(struct sessions *s, const struct session *keep)
{
    while (s->by_id.size > SESSIONS_MAX || s->result_bytes > SESSION_BYTES_MAX) {
        struct session *first = LIST_FIRST(&s->by_use, struct session, by_use);
        if (first == keep)
            return;
        session_drop(s, first);
    }
}

void sessions_open(struct sessions *s, const uint8_t nonce[STORE_ID_BYTES], uint64_t now_ms, uint8_t ret_id[STORE_ID_BYTES])
{
    memcpy(ret_id, nonce, STORE_ID_BYTES / 2);
    s->opened++;
    for (int i = 0; i < 8; i++)
        ret_id[8 + i] = (uint8_t)(s->opened >> (56 - 8 * i));
    sessions_bound(s, session_add(s, ret_id, now_ms));
}

void sessions_expire(struct sessions *s, uint64_t now_ms)
{
    struct session *first;
    while ((first = LIST_FIRST(&s->by_use, struct session, by_use)) != NULL && first->used_ms + SESSION_EXPIRY_MS < now_ms)
        session_drop(s, first);
}

static enum session_verdict judge(struct sessions *s, struct session *session, const struct store_command *c, struct slice *ret_result)
{
    if (c->oldest > c->sequence || c->sequence - c->oldest >= SESSION_WINDOW_MAX)
        return SESSION_WINDOW;
    session_acknowledge(s, session, c->oldest);
    if (c->sequence < session->oldest)
        return SESSION_UNKNOWN;
    if (c->sequence - session->oldest >= SESSION_WINDOW_MAX)
        return SESSION_WINDOW;
    struct result *known = c->sequence < session->end ? *slot(session, c->sequence) : NULL;
    if (known == NULL)
        return SESSION_EXECUTE;
    *ret_result = slice_of(known->bytes, known->size);
    return SESSION_REPEAT;
}

enum session_verdict sessions_judge(struct sessions *s, const struct store_command *c, uint64_t now_ms, struct session **ret,
                                    struct slice *ret_result)
{
    struct session *session = map_get(&s->by_id, id_slice(c->client));
    if (session == NULL)
        return SESSION_UNKNOWN;
    session->used_ms = now_ms;
    list_remove(&session->by_use);
    list_push_back(&s->by_use, &session->by_use);
    *ret = session;
    enum session_verdict verdict = judge(s, session, c, ret_result);
    changed(s, session);
    return verdict;
}

static void session_grow(struct session *session, uint64_t span)
{
    uint32_t capacity = MAX(session->capacity, 4u);
    while (capacity < span)
        capacity *= 2;
    if (capacity == session->capacity)
        return;
    struct result **results = mem_zalloc(capacity * sizeof results[0]);
    for (uint64_t n = session->oldest; n < session->end; n++)
        results[n & (capacity - 1)] = *slot(session, n);
    mem_free(session->results);
    session->results = results;
    session->capacity = capacity;
}

static void result_put(struct sessions *s, struct session *session, uint64_t sequence, struct slice bytes)
{
    struct result *r = mem_alloc(sizeof *r + bytes.size);
    session_grow(session, sequence - session->oldest + 1);
    r->hash = result_hash(sequence, bytes);
    r->size = (uint32_t)bytes.size;
    memcpy(r->bytes, bytes.data, bytes.size);
    session->end = MAX(session->end, sequence + 1);
    ASSERT(*slot(session, sequence) == NULL);
    *slot(session, sequence) = r;
    session->bytes += bytes.size;
    s->result_bytes += bytes.size;
    session->results_sum += r->hash;
    changed(s, session);
}

void session_store(struct sessions *s, struct session *session, uint64_t sequence, struct slice result, int64_t revision,
                   bool changed)
{
    struct buf stub = {0};
    if (result.size > SESSION_RESULT_BYTES_MAX) {
        if (changed)
            result_error(&stub, revision, ERR_OUTCOME_UNKNOWN, "the write has happened, but its answer was too long to keep");
        else
            result_error(&stub, revision, ERR_EXPIRED, "nothing was changed and the answer was too long to keep: ask anew");
        result = buf_slice(&stub);
    }
    result_put(s, session, sequence, result);
    buf_release(&stub);
    sessions_bound(s, session);
}

static uint64_t part_hash(const struct sum_part *p)
{
    const struct session *session = container_of(p, struct session, part);
    uint64_t results_sum = 0;
    for (uint64_t n = session->oldest; n < session->end && n - session->oldest < session->capacity; n++) {
        const struct result *r = *slot(session, n);
        results_sum += r == NULL ? 0 : result_hash(n, slice_of(r->bytes, r->size));
    }
    return hash_of(session, results_sum);
}

int sessions_scrub(struct sessions *s, size_t max, bool *ret_whole, struct err *reterr)
{
    return sum_check(&s->sum, max, part_hash, ret_whole) ? 0 : err_set(reterr, ERR_CORRUPT, "a session in memory is not what it was written as");
}

uint64_t sessions_hash(const struct sessions *s)
{
    uint64_t h = s->opened;
    LIST_FOR_EACH(node, &s->by_use)
    {
        const struct session *session = container_of(node, struct session, by_use);
        const uint64_t words[] = {h, hash_bytes(id_slice(session->id)), session->used_ms, session->oldest, session->end,
                                  session->bytes};
        h = 0xcbf29ce484222325u;
        for (size_t i = 0; i < ARRAY_LEN(words); i++)
            h = (h ^ words[i]) * 0x9e3779b97f4a7c15u, h ^= h >> 31;
    }
    return h;
}

static void session_encode(const struct session *session, struct buf *out)
{
    uint64_t kept = 0;
    for (uint64_t n = session->oldest; n < session->end; n++)
        kept += *slot(session, n) != NULL;
    pack_bytes(out, id_slice(session->id));
    pack_uint(out, session->used_ms);
    pack_uint(out, session->oldest);
    pack_uint(out, session->end);
    pack_uint(out, kept);
    for (uint64_t n = session->oldest; n < session->end; n++) {
        const struct result *r = *slot(session, n);
        if (r == NULL)
            continue;
        pack_uint(out, n);
        pack_bytes(out, slice_of(r->bytes, r->size));
    }
}

void sessions_encode(const struct sessions *s, struct buf *out)
{
    pack_uint(out, s->opened);
    pack_uint(out, s->by_id.size);
    LIST_FOR_EACH(node, &s->by_use)
        session_encode(container_of(node, struct session, by_use), out);
}

static void session_decode(struct sessions *s, struct unpack *u)
{
    struct slice id = unpack_bytes(u);
    u->bad |= id.size != STORE_ID_BYTES || map_get(&s->by_id, id) != NULL;
    if (u->bad)
        return;
    struct session *session = session_add(s, (const uint8_t *)id.data, unpack_uint(u));
    uint64_t oldest = unpack_uint(u), end = unpack_uint(u), kept = unpack_uint(u), next = oldest;
    u->bad |= oldest == 0 || end < oldest || end - oldest > SESSION_WINDOW_MAX;
    if (u->bad)
        return;
    session->oldest = session->end = oldest;
    for (; kept > 0 && !u->bad; kept--) {
        uint64_t n = unpack_uint(u);
        struct slice bytes = unpack_bytes(u);
        u->bad |= n < next || n >= end || bytes.size > SESSION_RESULT_BYTES_MAX;
        if (!u->bad)
            result_put(s, session, n, bytes);
        next = n + 1;
    }
    if (!u->bad && end > session->oldest)
        session_grow(session, end - session->oldest);
    session->end = u->bad ? session->end : end;
    changed(s, session);
}

bool sessions_decode(struct sessions *s, struct unpack *u)
{
    s->opened = unpack_uint(u);
    uint64_t n = unpack_below(u, SESSIONS_MAX + 1);
    for (; n > 0 && !u->bad; n--)
        session_decode(s, u);
    return !u->bad;
}
