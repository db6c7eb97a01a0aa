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
