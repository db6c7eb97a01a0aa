/* Versions: how a key and its value are kept, and how a new version joins tree, history and hash. */
#include "common/base.h"

#include "raftstore/mvcc_internal.h"

_Static_assert(KV_REQUEST_BYTES_MAX < 1u << 22, "the sizes of a key and of a value fit their 22 bits");

static size_t version_bytes(const struct version *v)
{
    return sizeof *v + version_head_bytes(v) + v->key_size + v->value_size;
}

struct slice version_value(const struct version *v)
{
    return (struct slice){v->bytes + version_head_bytes(v) + v->key_size, v->value_size};
}

struct version *version_older(const struct version *v)
{
    const struct version_past *past = version_past(v);
    return past == NULL ? NULL : past->older;
}

int64_t version_create(const struct version *v)
{
    const struct version_past *past = version_past(v);
    return past == NULL ? v->mod_revision : past->create_revision;
}

int64_t version_number(const struct version *v)
{
    const struct version_past *past = version_past(v);
    return past == NULL ? 1 : past->number;
}

int64_t version_lease(const struct version *v)
{
    int64_t lease = 0;
    if (v->has_lease)
        memcpy(&lease, v->bytes + version_head_bytes(v) - sizeof lease, sizeof lease);
    return lease;
}

struct kv version_kv(const struct version *v)
{
    return (struct kv){
        .key = version_key(v),
        .value = version_value(v),
        .create_revision = version_create(v),
        .mod_revision = v->mod_revision,
        .version = version_number(v),
        .lease = version_lease(v),
    };
}

struct version *version_new(struct mvcc *m, const struct kv *kv, struct version *older)
{
    const bool has_past = older != NULL || kv->version != 1 || kv->create_revision != kv->mod_revision;
    const size_t past_size = has_past ? sizeof(struct version_past) : 0, lease_size = kv->lease != 0 ? sizeof kv->lease : 0;
    ASSERT(kv->key.size <= KV_REQUEST_BYTES_MAX);
    ASSERT(kv->value.size <= KV_REQUEST_BYTES_MAX);
    struct version *v = mem_alloc(sizeof *v + past_size + lease_size + kv->key.size + kv->value.size);
    *v = (struct version){
        .mod_revision = kv->mod_revision,
        .key_size = kv->key.size & 0x3fffff,
        .value_size = kv->value.size & 0x3fffff,
        .live = kv->version != 0,
        .has_past = has_past,
        .has_lease = kv->lease != 0,
    };
    if (has_past)
        *version_past(v) = (struct version_past){older, kv->create_revision, kv->version};
    memcpy(v->bytes + past_size, &kv->lease, lease_size);
    memcpy(v->bytes + past_size + lease_size, kv->key.data, kv->key.size);
    if (kv->value.size != 0)
        memcpy(v->bytes + past_size + lease_size + kv->key.size, kv->value.data, kv->value.size);
    m->version_bytes += version_bytes(v);
    return v;
}

void version_free(struct mvcc *m, struct version *v)
{
    m->version_bytes -= version_bytes(v);
    mem_free(v);
}

void version_cut(struct mvcc *m, struct version *v)
{
    struct version *older = version_older(v);
    if (older == NULL)
        return;
    version_past(v)->older = NULL;
    version_free(m, older);
}

const struct version *version_at(const struct version *newest, int64_t revision)
{
    while (newest != NULL && newest->mod_revision > revision)
        newest = version_older(newest);
    return newest != NULL && version_live(newest) ? newest : NULL;
}

void version_put(struct mvcc *m, struct version *v)
{
    const struct version *older = version_older(v);
    const uint64_t sum_before = m->live_sum;
    if (older != NULL && version_live(older)) {
        struct kv old = version_kv(older);
        m->live_sum -= hash_kv(&old);
    }
    tree_put(&m->tree, v);
    struct kv now = version_kv(v);
    uint64_t hash = hash_kv(&now);
    if (version_live(v))
        m->live_sum += hash;
    scrub_follow(m, version_key(v), m->live_sum - sum_before);
    m->event_chain = hash_chain(m->event_chain, hash);
    history_push(&m->history, v);
}
