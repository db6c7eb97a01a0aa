/* Memory: an allocator that aborts instead of failing (limits keep that unreachable), and arenas for memory
 * that lives as long as one request or one step and is freed whole. */
#ifndef COMMON_MEM_H
#define COMMON_MEM_H

#include "common/base.h"

void *mem_alloc(size_t size);                  /* uninitialised; never NULL; size 0 is allowed */
void *mem_zalloc(size_t size);                 /* zeroed */
void *mem_realloc(void *memory, size_t size);
void *mem_dup(const void *bytes, size_t size);
char *mem_strdup(const char *text);            /* NULL stays NULL */
char *mem_slice_dup(struct slice s);           /* a terminated copy */
char *mem_printf(const char *format, ...) PRINTF_ARGS(1, 2); /* terminated; free with mem_free */
void mem_free(void *memory);                   /* NULL is fine */
void mem_give_back(void); /* the system gets what was freed and holds nothing, when that is much: takes milliseconds then */

#define NEW(type) ((type *)mem_zalloc(sizeof(type)))

/* Blocks of MEM_BLOCK_BYTES for those who need a few for a moment, again and again: some that came back are kept for the
 * next. Zero-initialised is empty; where slow checks are on none is kept, so that sanitizers see each use. */
#define MEM_BLOCK_BYTES 32768
struct mem_pool {
    void *free; /* the first word of a free block is the next */
    size_t count;
};
void *mem_pool_take(struct mem_pool *pool); /* uninitialised, 16-byte aligned */
void mem_pool_give(struct mem_pool *pool, void *block);
void mem_pool_release(struct mem_pool *pool); /* what is kept; ready for use again */

/* An arena hands out zeroed, 16-byte aligned memory and frees all of it at once. Zero-initialised is ready for use. */
struct arena_block;
struct arena {
    struct arena_block *blocks;
    size_t used;  /* bytes used of the first block */
    size_t total; /* bytes handed out since the last clear */
};

void *arena_alloc(struct arena *arena, size_t size);
void *arena_dup(struct arena *arena, const void *bytes, size_t size);
char *arena_strdup(struct arena *arena, struct slice s);      /* terminated */
struct slice arena_slice(struct arena *arena, struct slice s); /* a copy, terminated as well */
char *arena_printf(struct arena *arena, const char *format, ...) PRINTF_ARGS(2, 3);
void arena_clear(struct arena *arena); /* frees everything; ready for use again */

#endif
