#include "common/base.h"

#include "common/map.h"
#include "common/mem.h"

uint64_t hash_bytes(struct slice s)
{
    uint64_t hash = 0xcbf29ce484222325u;
    for (size_t i = 0; i < s.size; i++)
        hash = (hash ^ (uint8_t)s.data[i]) * 0x100000001b3u;
    return hash;
}

static size_t slot_count(const struct map *m) { return m->capacity * 2; }

/* The slot that holds `key`, or the free one where it would go. */
static size_t find_slot(const struct map *m, struct slice key, uint64_t hash)
{
    size_t mask = slot_count(m) - 1;
    for (size_t at = (size_t)(hash ^ hash >> 32) & mask;; at = (at + 1) & mask) {
        uint32_t slot = m->slots[at];
        if (slot == 0)
            return at;
        const struct map_entry *e = &m->entries[slot - 1];
        if (e->key != NULL && e->hash == hash && slice_equal(map_key(e), key))
            return at;
    }
}

static void rebuild(struct map *m, size_t capacity)
{
    struct map_entry *old = m->entries;
    size_t used = m->used;
    m->entries = mem_zalloc(capacity * sizeof m->entries[0]);
    mem_free(m->slots);
    m->slots = mem_zalloc(capacity * 2 * sizeof m->slots[0]);
    m->capacity = capacity;
    m->used = 0;
    for (size_t i = 0; i < used; i++) {
        if (old[i].key == NULL)
            continue;
        m->entries[m->used] = old[i];
        m->slots[find_slot(m, map_key(&old[i]), old[i].hash)] = (uint32_t)++m->used;
    }
    ASSERT(m->used == m->size);
    mem_free(old);
}

void *map_get(const struct map *m, struct slice key)
{
    if (m->size == 0)
        return NULL;
    uint32_t slot = m->slots[find_slot(m, key, hash_bytes(key))];
    return slot == 0 ? NULL : m->entries[slot - 1].value;
}

void *map_put(struct map *m, struct slice key, void *value)
{
    uint64_t hash = hash_bytes(key);
    if (m->capacity != 0) {
        uint32_t slot = m->slots[find_slot(m, key, hash)];
        if (slot != 0) {
            void *old = m->entries[slot - 1].value;
            m->entries[slot - 1].value = value;
            return old;
        }
    }
    if (m->used == m->capacity)
        rebuild(m, m->capacity == 0 ? 8 : m->size * 2 > m->capacity ? m->capacity * 2 : m->capacity);
    size_t at = find_slot(m, key, hash);
    m->entries[m->used] = (struct map_entry){mem_slice_dup(key), key.size, value, hash};
    m->slots[at] = (uint32_t)++m->used;
    m->size++;
    return NULL;
}

void *map_remove(struct map *m, struct slice key)
{
    if (m->size == 0)
        return NULL;
    uint32_t slot = m->slots[find_slot(m, key, hash_bytes(key))];
    if (slot == 0)
        return NULL;
    struct map_entry *e = &m->entries[slot - 1];
    void *value = e->value;
    mem_free(e->key);
    *e = (struct map_entry){0};
    m->size--;
    return value;
}

void map_release(struct map *m)
{
    for (size_t i = 0; i < m->used; i++)
        mem_free(m->entries[i].key);
    mem_free(m->entries);
    mem_free(m->slots);
    *m = (struct map){0};
}

struct map_entry *map_next(const struct map *m, size_t *at)
{
    while (*at < m->used) {
        struct map_entry *e = &m->entries[(*at)++];
        if (e->key != NULL)
            return e;
    }
    return NULL;
}
