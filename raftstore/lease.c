#include "common/base.h"

#include "raftstore/lease.h"

#include "common/mem.h"
#include "raftstore/store_errors.h"
#include "raftstore/store_limits.h"

static bool ends_earlier(const struct heap_node *a, const struct heap_node *b)
{
    const struct lease *x = container_of(a, struct lease, node), *y = container_of(b, struct lease, node);
    return x->expires_ms != y->expires_ms ? x->expires_ms < y->expires_ms : x->id < y->id;
}

void leases_init(struct leases *l)
{
    *l = (struct leases){0};
    heap_init(&l->by_expiry, ends_earlier);
}

/* What the sum of all leases holds of one. */
static uint64_t hash_of(const struct lease *lease, uint64_t keys_sum)
{
    const uint64_t words[] = {lease->ttl_ms, lease->expires_ms, keys_sum, lease->keys.size};
    uint64_t h = (uint64_t)lease->id;
    for (size_t i = 0; i < ARRAY_LEN(words); i++)
        h = sum_mix(h, words[i]);
    return h;
}

static void changed(struct leases *l, struct lease *lease) { sum_set(&l->sum, &lease->part, hash_of(lease, lease->keys_sum)); }

static uint64_t key_hash(struct slice key) { return mvcc_hash_bytes(key, 0); }

static struct slice id_key(const int64_t *id) { return slice_of(id, sizeof *id); }

static void lease_free(struct lease *lease)
{
    map_release(&lease->keys);
    mem_free(lease);
}

void leases_release(struct leases *l)
{
    struct map_entry *e;
    for (size_t at = 0; (e = map_next(&l->by_id, &at)) != NULL;)
        lease_free(e->value);
    map_release(&l->by_id);
    map_release(&l->by_key);
    heap_release(&l->by_expiry);
}

struct lease *leases_find(const struct leases *l, int64_t id) { return map_get(&l->by_id, id_key(&id)); }

static struct lease *add(struct leases *l, int64_t id, uint64_t ttl_ms, uint64_t expires_ms)
{
    struct lease *lease = NEW(struct lease);
    lease->id = id;
    lease->ttl_ms = ttl_ms;
    lease->expires_ms = expires_ms;
    map_put(&l->by_id, id_key(&lease->id), lease);
    heap_push(&l->by_expiry, &lease->node);
    sum_add(&l->sum, &lease->part, hash_of(lease, 0));
    return lease;
}

int leases_grant(struct leases *l, int64_t id, int64_t ttl_s, uint64_t now_ms, struct err *reterr)
{
    if (id <= 0)
        return err_set(reterr, ERR_INVALID, "lease id %lld is not positive", (long long)id);
    if (ttl_s < 1)
        return store_err(reterr, STORE_TTL_ZERO, "a lease lasts 1 second at least, not %lld", (long long)ttl_s);
    if (ttl_s > LEASE_TTL_MAX_S)
        return store_err(reterr, STORE_LEASE_TTL_TOO_LARGE, "at most %lld seconds, not %lld", LEASE_TTL_MAX_S, (long long)ttl_s);
    if (leases_find(l, id) != NULL)
        return store_err(reterr, STORE_LEASE_EXISTS, "%016llx", (unsigned long long)id);
    if (l->by_id.size >= LEASES_MAX)
        return store_err(reterr, STORE_TOO_MANY_REQUESTS, "there are %d leases already, and no more are allowed", LEASES_MAX);
    add(l, id, (uint64_t)ttl_s * 1000, now_ms + (uint64_t)ttl_s * 1000);
    return 0;
}

void leases_renew(struct leases *l, struct lease *lease, uint64_t now_ms)
{
    heap_remove(&l->by_expiry, &lease->node);
    lease->expires_ms = now_ms + lease->ttl_ms;
    heap_push(&l->by_expiry, &lease->node);
#ifndef PLANT_RENEWAL_NOT_SUMMED
    changed(l, lease);
#endif
}

static void detach(struct leases *l, struct slice key)
{
    struct lease *lease = map_remove(&l->by_key, key);
    if (lease == NULL)
        return;
    map_remove(&lease->keys, key);
    lease->keys_sum -= key_hash(key);
    changed(l, lease);
}

void leases_drop(struct leases *l, struct lease *lease)
{
    struct map_entry *e;
    for (size_t at = 0; (e = map_next(&lease->keys, &at)) != NULL;)
        map_remove(&l->by_key, map_key(e));
    map_remove(&l->by_id, id_key(&lease->id));
    heap_remove(&l->by_expiry, &lease->node);
    sum_remove(&l->sum, &lease->part);
    lease_free(lease);
}

static void attach(struct leases *l, struct slice key, int64_t id)
{
    struct lease *lease = leases_find(l, id);
    if (lease == NULL)
        return; /* checked before the put; history may name one that is gone */
    map_put(&l->by_key, key, lease);
    map_put(&lease->keys, key, lease);
    lease->keys_sum += key_hash(key);
    changed(l, lease);
}

void leases_follow(struct leases *l, const struct kv_event *events, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        const struct kv *kv = &events[i].kv;
        if (l->by_key.size > 0)
            detach(l, kv->key);
        if (!events[i].is_delete && kv->lease != 0)
            attach(l, kv->key, kv->lease);
    }
}

#define ATTACH_PAGE 1024

void leases_attach_all(struct leases *l, struct mvcc *m)
{
    struct buf from = {0};
    struct kv_range_result page = {.more = l->by_id.size > 0};
    buf_append_char(&from, '\0');
    while (page.more) {
        struct arena arena = {0};
        struct kv_range range = {.span = {buf_slice(&from), SLICE("\0")}, .limit = ATTACH_PAGE};
        int status = mvcc_range(m, &range, &arena, &page, NULL);
        ASSERT(status == 0); /* the newest revision can always be read */
        for (size_t i = 0; i < page.kv_count; i++)
            if (page.kvs[i].lease != 0)
                attach(l, page.kvs[i].key, page.kvs[i].lease);
        if (page.kv_count > 0) {
            buf_reset(&from);
            buf_append_slice(&from, page.kvs[page.kv_count - 1].key);
            buf_append_char(&from, '\0');
        }
        arena_clear(&arena);
    }
    buf_release(&from);
}

/* In the order of a heap's array, which is not sorted: a parent is never later than its children. */
static size_t collect_due(const struct heap *heap, size_t at, uint64_t now_ms, int64_t *ret, size_t count, size_t max)
{
    if (at >= heap->size || count == max)
        return count;
    const struct lease *lease = container_of(heap->nodes[at], struct lease, node);
    if (lease->expires_ms > now_ms)
        return count;
    ret[count++] = lease->id;
    count = collect_due(heap, at * 2 + 1, now_ms, ret, count, max);
    return collect_due(heap, at * 2 + 2, now_ms, ret, count, max);
}

size_t leases_due(const struct leases *l, uint64_t now_ms, int64_t *ret, size_t max)
{
    return collect_due(&l->by_expiry, 0, now_ms, ret, 0, max);
}

void lease_encode(struct buf *out, const struct lease *lease, uint64_t now_ms, bool with_keys)
{
    struct map_entry *e;
    pack_int(out, lease->id);
    pack_int(out, (int64_t)(lease->ttl_ms / 1000));
    pack_uint(out, lease->expires_ms > now_ms ? lease->expires_ms - now_ms : 0);
    pack_uint(out, with_keys ? lease->keys.size : 0);
    for (size_t at = 0; with_keys && (e = map_next(&lease->keys, &at)) != NULL;)
        pack_bytes(out, map_key(e));
}

void leases_encode(const struct leases *l, struct buf *out)
{
    struct map_entry *e;
    pack_uint(out, l->by_id.size);
    for (size_t at = 0; (e = map_next(&l->by_id, &at)) != NULL;) {
        const struct lease *lease = e->value;
        pack_int(out, lease->id);
        pack_uint(out, lease->ttl_ms);
        pack_uint(out, lease->expires_ms);
    }
}

bool leases_decode(struct leases *l, struct unpack *u)
{
    uint64_t n = unpack_uint(u);
    if (u->bad || n > LEASES_MAX)
        return false;
    for (uint64_t i = 0; i < n && !u->bad; i++) {
        int64_t id = unpack_int(u);
        uint64_t ttl_ms = unpack_uint(u), expires_ms = unpack_uint(u);
        if (u->bad || id <= 0 || leases_find(l, id) != NULL)
            return false;
        add(l, id, ttl_ms, expires_ms);
    }
    return !u->bad;
}

static uint64_t part_hash(const struct sum_part *p)
{
    const struct lease *lease = container_of(p, struct lease, part);
    uint64_t keys_sum = 0;
    struct map_entry *e;
    if (lease->keys.size > LEASE_SCRUB_KEYS_MAX)
        return hash_of(lease, lease->keys_sum);
    for (size_t at = 0; (e = map_next(&lease->keys, &at)) != NULL;)
        keys_sum += key_hash(map_key(e));
    return hash_of(lease, keys_sum);
}

int leases_scrub(struct leases *l, size_t max, bool *ret_whole, struct err *reterr)
{
    return sum_check(&l->sum, max, part_hash, ret_whole) ? 0 : err_set(reterr, ERR_CORRUPT, "a lease in memory is not what it was written as");
}

uint64_t leases_hash(const struct leases *l)
{
    uint64_t sum = 0;
    struct map_entry *e;
    for (size_t at = 0; (e = map_next(&l->by_id, &at)) != NULL;) {
        const struct lease *lease = e->value;
        const uint64_t words[] = {(uint64_t)lease->id, lease->ttl_ms, lease->expires_ms, lease->keys.size};
        sum += hash_bytes(slice_of(words, sizeof words));
    }
    return sum;
}
