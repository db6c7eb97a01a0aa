#include "common/base.h"

#include "common/http_server_parts.h"
#include "common/mem.h"

#define PIECES_MIN 4
#define PIECES_KEPT 64 /* of an empty ring; watches that are idle hold less */

void pieces_push(struct pieces *p, struct bytes *bytes)
{
    if (p->count == p->capacity) {
        size_t capacity = MAX(p->capacity * 2, (size_t)PIECES_MIN);
        struct bytes **ring = mem_alloc(capacity * sizeof(struct bytes *));
        for (size_t i = 0; i < p->count; i++)
            ring[i] = p->ring[(p->first + i) % p->capacity];
        mem_free(p->ring);
        p->ring = ring;
        p->first = 0;
        p->capacity = capacity;
    }
    p->ring[(p->first + p->count++) % p->capacity] = bytes_ref(bytes);
    p->bytes += bytes->size;
}

size_t pieces_gather(const struct pieces *p, size_t max, struct slice *parts, size_t parts_max)
{
    size_t n = 0, offset = p->offset;
    for (; n < p->count && n < parts_max && max > 0; n++) {
        parts[n] = slice_from(bytes_slice(p->ring[(p->first + n) % p->capacity]), offset);
        parts[n].size = MIN(parts[n].size, max);
        max -= parts[n].size;
        offset = 0;
    }
    return n;
}

static void drop_first(struct pieces *p)
{
    bytes_unref(p->ring[p->first]);
    p->first = (p->first + 1) % p->capacity;
    p->count--;
    p->offset = 0;
}

void pieces_take(struct pieces *p, size_t size)
{
    ASSERT(size <= p->bytes);
    p->bytes -= size;
    while (size > 0) {
        size_t left = p->ring[p->first]->size - p->offset, n = MIN(size, left);
        size -= n;
        p->offset += n;
        if (n == left)
            drop_first(p);
    }
    if (p->count == 0 && p->capacity > PIECES_KEPT)
        pieces_drop(p);
}

void pieces_drop(struct pieces *p)
{
    while (p->count > 0)
        drop_first(p);
    mem_free(p->ring);
    *p = (struct pieces){0};
}
