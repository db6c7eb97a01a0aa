/* Hash map from bytes to a pointer. Keys are copied; values are the caller's. The order of iteration is the
 * order of insertion, so it never depends on addresses or on a hash seed. Zero-initialised is empty. */
#ifndef COMMON_MAP_H
#define COMMON_MAP_H

#include "common/base.h"

struct map_entry {
    char *key; /* owned, terminated */
    size_t key_size;
    void *value;
    uint64_t hash;
};

struct map {
    struct map_entry *entries; /* in order of insertion; removed ones have a NULL key */
    uint32_t *slots;           /* index + 1 into entries, 0 when free */
    size_t size;               /* live entries */
    size_t used;               /* entries including removed ones */
    size_t capacity;           /* of entries; slots hold twice as many */
};

void *map_get(const struct map *m, struct slice key);             /* NULL when absent */
void *map_put(struct map *m, struct slice key, void *value);      /* returns the value replaced, or NULL */
void *map_remove(struct map *m, struct slice key);                /* returns the value removed, or NULL */
void map_release(struct map *m);

/* Iteration: `for (size_t i = 0; (e = map_next(m, &i)) != NULL;)`. Removing entries meanwhile is allowed, adding is not. */
struct map_entry *map_next(const struct map *m, size_t *at);

static inline struct slice map_key(const struct map_entry *e) { return (struct slice){e->key, e->key_size}; }

uint64_t hash_bytes(struct slice s); /* FNV-1a, 64 bits: stable across runs and machines */

#endif
