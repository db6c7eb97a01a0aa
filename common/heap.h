/* Intrusive binary min-heap: nodes are embedded in the caller's structs, which it never owns. */
#ifndef COMMON_HEAP_H
#define COMMON_HEAP_H

#include "common/base.h"

struct heap_node {
    size_t index; /* 1-based position while inside a heap, else 0 */
};

struct heap {
    bool (*less)(const struct heap_node *a, const struct heap_node *b);
    struct heap_node **nodes;
    size_t size, capacity;
};

void heap_init(struct heap *heap, bool (*less)(const struct heap_node *a, const struct heap_node *b));
void heap_release(struct heap *heap); /* frees the array; the nodes are the caller's */
void heap_push(struct heap *heap, struct heap_node *node);
void heap_remove(struct heap *heap, struct heap_node *node); /* harmless when not inside */
static inline struct heap_node *heap_min(const struct heap *heap) { return heap->size == 0 ? NULL : heap->nodes[0]; }

#endif
