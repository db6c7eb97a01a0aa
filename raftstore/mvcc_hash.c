/* The state hash: a sum over live versions, which does not depend on any order, and a chain over events, which does.
 * Eight bytes at a time, read as little-endian numbers whatever the machine's order. */
#include "common/base.h"

#include "raftstore/mvcc_internal.h"

static uint64_t mix(uint64_t h, uint64_t word)
{
    h = (h ^ word) * 0x9e3779b97f4a7c15u;
    return h ^ h >> 29;
}

static uint64_t le64_at(const char *p, size_t n)
{
    uint64_t word = 0;
    for (size_t i = 0; i < n; i++)
        word |= (uint64_t)(uint8_t)p[i] << (8 * i);
    return word;
}

static uint64_t mix_slice(uint64_t h, struct slice s)
{
    size_t i = 0;
    for (; i + 8 <= s.size; i += 8)
        h = mix(h, le64_at(s.data + i, 8));
    return mix(mix(h, le64_at(s.data + i, s.size - i)), s.size);
}

uint64_t hash_kv(const struct kv *kv)
{
    uint64_t h = mix_slice(mix_slice(0x6b65656c736f6e31u, kv->key), kv->value);
    h = mix(mix(h, (uint64_t)kv->create_revision), (uint64_t)kv->mod_revision);
    return mix(mix(h, (uint64_t)kv->version), (uint64_t)kv->lease);
}

uint64_t hash_chain(uint64_t chain, const struct kv *kv) { return mix(chain, hash_kv(kv)); }

uint64_t mvcc_hash(const struct mvcc *m) { return mix(mix(m->event_chain, m->live_sum), (uint64_t)m->revision); }
