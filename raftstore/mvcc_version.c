/* Versions: how a value is kept, and how a new version joins tree, history and hash. */
#include "common/base.h"

#include "raftstore/mvcc_internal.h"

static size_t lease_bytes(const struct version *v) { return v->has_lease ? sizeof(int64_t) : 0; }

static size_t version_bytes(const struct version *v) { return sizeof *v + lease_bytes(v) + v->value_size; }

struct slice version_value(const struct version *v) { return (struct slice){v->bytes + lease_bytes(v), v->value_size}; }

int64_t version_lease(const struct version *v)
{
    int64_t lease = 0;
    memcpy(&lease, v->bytes, lease_bytes(v));
    return lease;
}

struct kv version_kv(const struct mvcc_key *key, const struct version *v)
{
    return (struct kv){
        .key = mvcc_key_slice(key),
        .value = version_value(v),
        .create_revision = v->create_revision,
        .mod_revision = v->mod_revision,
        .version = v->number,
        .lease = version_lease(v),
    };
}

_Static_assert(KV_REQUEST_BYTES_MAX < 1u << 24, "a value's size fits its 24 bits");

struct version *version_new(struct mvcc *m, const struct kv *kv)
{
    size_t lease_size = kv->lease != 0 ? sizeof kv->lease : 0;
    ASSERT(kv->value.size <= KV_REQUEST_BYTES_MAX);
    struct version *v = mem_alloc(sizeof *v + lease_size + kv->value.size);
    v->older = NULL;
    v->mod_revision = kv->mod_revision;
    v->create_revision = kv->create_revision;
    v->number = (uint64_t)kv->version & ((1ull << 39) - 1);
    v->has_lease = kv->lease != 0;
    v->value_size = (uint32_t)kv->value.size & 0xffffff;
    memcpy(v->bytes, &kv->lease, lease_size);
    if (kv->value.size != 0)
        memcpy(v->bytes + lease_size, kv->value.data, kv->value.size);
    m->version_bytes += version_bytes(v);
    return v;
}

void version_free(struct mvcc *m, struct version *v)
{
    m->version_bytes -= version_bytes(v);
    mem_free(v);
}

const struct version *version_at(const struct version *newest, int64_t revision)
{
    while (newest != NULL && newest->mod_revision > revision)
        newest = newest->older;
    return newest != NULL && version_live(newest) ? newest : NULL;
}

void version_put(struct mvcc *m, struct slice key, struct version *v)
{
    const struct tree_entry *entry = tree_get(m->tree.root, key);
    size_t keys_before = m->tree.key_count;
    uint64_t sum_before = m->live_sum;
    v->older = entry == NULL ? NULL : entry->newest;
    if (v->older != NULL && version_live(v->older)) {
        struct kv old = version_kv(entry->key, v->older);
        m->live_sum -= hash_kv(&old);
    }
    struct mvcc_key *object = tree_put(&m->tree, key, v);
    if (m->tree.key_count != keys_before)
        m->key_bytes += sizeof *object + object->size;
    struct kv now = version_kv(object, v);
    uint64_t hash = hash_kv(&now);
    if (version_live(v))
        m->live_sum += hash;
    scrub_follow(m, key, m->live_sum - sum_before);
    m->event_chain = hash_chain(m->event_chain, hash);
    history_push(&m->history, (struct history_item){object, v});
}
