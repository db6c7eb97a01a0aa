#include "common/base.h"

#include "common/mem.h"

#include <stdio.h>
#include <malloc.h>
#include <stdlib.h>

#define ARENA_BLOCK_FIRST 960 /* what the allocator hands out fastest; each further one is larger */
#define ARENA_BLOCK_BYTES 8192
#define ARENA_ALIGN 16

struct arena_block {
    struct arena_block *next;
    size_t size;
    _Alignas(ARENA_ALIGN) char bytes[];
};

static void *checked(void *memory, size_t size)
{
    if (memory == NULL && size != 0)
        PANIC("out of memory: %zu bytes wanted", size);
    return memory;
}

void *mem_alloc(size_t size) { return checked(malloc(size == 0 ? 1 : size), 1); }
void *mem_zalloc(size_t size) { return checked(calloc(1, size == 0 ? 1 : size), 1); }
void *mem_realloc(void *memory, size_t size) { return checked(realloc(memory, size == 0 ? 1 : size), 1); }
void mem_free(void *memory) { free(memory); }

void *mem_dup(const void *bytes, size_t size)
{
    void *copy = mem_alloc(size);
    if (size != 0)
        memcpy(copy, bytes, size);
    return copy;
}

char *mem_strdup(const char *text) { return text == NULL ? NULL : mem_dup(text, strlen(text) + 1); }

char *mem_slice_dup(struct slice s)
{
    char *copy = mem_alloc(s.size + 1);
    if (s.size != 0)
        memcpy(copy, s.data, s.size);
    copy[s.size] = '\0';
    return copy;
}

char *mem_printf(const char *format, ...)
{
    va_list args;
    char *text = NULL;
    va_start(args, format);
    int n = vasprintf(&text, format, args);
    va_end(args);
    return checked(n < 0 ? NULL : text, 1);
}

#define POOL_KEPT 64

static bool pool_keeps(const struct mem_pool *pool)
{
#ifdef KEELSON_SLOW_CHECKS
    (void)pool;
    return false;
#else
    return pool->count < POOL_KEPT;
#endif
}

void *mem_pool_take(struct mem_pool *pool)
{
    void *block = pool->free;
    if (block == NULL)
        return mem_alloc(MEM_BLOCK_BYTES);
    memcpy(&pool->free, block, sizeof pool->free);
    pool->count--;
    return block;
}

void mem_pool_give(struct mem_pool *pool, void *block)
{
    if (!pool_keeps(pool)) {
        mem_free(block);
        return;
    }
    memcpy(block, &pool->free, sizeof pool->free);
    pool->free = block;
    pool->count++;
}

void mem_pool_release(struct mem_pool *pool)
{
    while (pool->free != NULL)
        mem_free(mem_pool_take(pool));
}

void *arena_alloc(struct arena *arena, size_t size)
{
    size_t need = (MAX(size, (size_t)1) + ARENA_ALIGN - 1) & ~(size_t)(ARENA_ALIGN - 1);
    if (arena->blocks == NULL || arena->blocks->size - arena->used < need) {
        size_t next = arena->blocks == NULL ? ARENA_BLOCK_FIRST : MIN(arena->total * 2, (size_t)ARENA_BLOCK_BYTES);
        size_t block_size = MAX(need, MAX(next, (size_t)ARENA_BLOCK_FIRST));
        struct arena_block *block = mem_alloc(sizeof *block + block_size);
        block->next = arena->blocks;
        block->size = block_size;
        arena->blocks = block;
        arena->used = 0;
    }
    void *memory = arena->blocks->bytes + arena->used;
    arena->used += need;
    arena->total += need;
    memset(memory, 0, need);
    return memory;
}

void *arena_dup(struct arena *arena, const void *bytes, size_t size)
{
    void *copy = arena_alloc(arena, size);
    if (size != 0)
        memcpy(copy, bytes, size);
    return copy;
}

char *arena_strdup(struct arena *arena, struct slice s)
{
    char *copy = arena_alloc(arena, s.size + 1);
    if (s.size != 0)
        memcpy(copy, s.data, s.size);
    return copy;
}

struct slice arena_slice(struct arena *arena, struct slice s) { return (struct slice){arena_strdup(arena, s), s.size}; }

char *arena_printf(struct arena *arena, const char *format, ...)
{
    va_list args, again;
    va_start(args, format);
    va_copy(again, args);
    int n = vsnprintf(NULL, 0, format, args);
    va_end(args);
    ASSERT(n >= 0);
    char *text = arena_alloc(arena, (size_t)n + 1);
    vsnprintf(text, (size_t)n + 1, format, again);
    va_end(again);
    return text;
}

void arena_clear(struct arena *arena)
{
    while (arena->blocks != NULL) {
        struct arena_block *next = arena->blocks->next;
        mem_free(arena->blocks);
        arena->blocks = next;
    }
    *arena = (struct arena){0};
}

#define GIVE_BACK_BYTES (16 * 1024 * 1024) /* free within the heap: less is kept for what comes next */

void mem_give_back(void)
{
    struct mallinfo2 heap = mallinfo2();
    if (heap.fordblks > GIVE_BACK_BYTES)
        (void)malloc_trim(0); /* whether there was any */
}
