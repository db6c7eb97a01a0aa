/* The state hash: a sum over live versions, which does not depend on any order, and a chain over events, which does. Bytes go
 * through XXH3 (the only home of libxxhash; its 64-bit values are the same in every version since 0.8 and on every machine). */
#include "common/base.h"

#include "raftstore/mvcc_internal.h"

#include <xxhash.h>

static uint64_t mix(uint64_t h, uint64_t word)
{
    h = (h ^ word) * 0x9e3779b97f4a7c15u;
    return h ^ h >> 29;
}

uint64_t hash_kv(const struct kv *kv)
{
    uint64_t h = XXH3_64bits_withSeed(kv->key.data, kv->key.size, 0x6b65656c736f6e31u);
    h = XXH3_64bits_withSeed(kv->value.data, kv->value.size, h);
    h = mix(mix(h, (uint64_t)kv->create_revision), (uint64_t)kv->mod_revision);
    return mix(mix(h, (uint64_t)kv->version), (uint64_t)kv->lease);
}

uint64_t mvcc_hash_bytes(struct slice bytes, uint64_t seed) { return XXH3_64bits_withSeed(bytes.data, bytes.size, seed); }

uint64_t hash_chain(uint64_t chain, uint64_t event) { return mix(chain, event); }

uint64_t mvcc_hash(const struct mvcc *m) { return mix(mix(m->event_chain, m->live_sum), (uint64_t)m->revision); }
