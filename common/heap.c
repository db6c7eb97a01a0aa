#include "common/base.h"

#include "common/heap.h"
#include "common/mem.h"

void heap_init(struct heap *heap, bool (*less)(const struct heap_node *a, const struct heap_node *b))
{
    *heap = (struct heap){.less = less};
}

void heap_release(struct heap *heap)
{
    mem_free(heap->nodes);
    *heap = (struct heap){.less = heap->less};
}

static void place(struct heap *heap, size_t index, struct heap_node *node)
{
    heap->nodes[index] = node;
    node->index = index + 1;
}

static void sift_up(struct heap *heap, size_t index, struct heap_node *node)
{
    while (index > 0) {
        size_t parent = (index - 1) / 2;
        if (!heap->less(node, heap->nodes[parent]))
            break;
        place(heap, index, heap->nodes[parent]);
        index = parent;
    }
    place(heap, index, node);
}

static void sift_down(struct heap *heap, size_t index, struct heap_node *node)
{
    for (;;) {
        size_t child = index * 2 + 1;
        if (child >= heap->size)
            break;
        if (child + 1 < heap->size && heap->less(heap->nodes[child + 1], heap->nodes[child]))
            child++;
        if (!heap->less(heap->nodes[child], node))
            break;
        place(heap, index, heap->nodes[child]);
        index = child;
    }
    place(heap, index, node);
}

void heap_push(struct heap *heap, struct heap_node *node)
{
    ASSERT(node->index == 0);
    if (heap->size == heap->capacity) {
        heap->capacity = MAX((size_t)16, heap->capacity * 2);
        heap->nodes = mem_realloc(heap->nodes, heap->capacity * sizeof heap->nodes[0]);
    }
    sift_up(heap, heap->size++, node);
}

void heap_remove(struct heap *heap, struct heap_node *node)
{
    if (node->index == 0)
        return;
    size_t index = node->index - 1;
    ASSERT(index < heap->size && heap->nodes[index] == node);
    struct heap_node *last = heap->nodes[--heap->size];
    node->index = 0;
    if (last == node)
        return;
    sift_up(heap, index, last);
    sift_down(heap, last->index - 1, last);
}
