#include "common/base.h"

#include "common/buf.h"
#include "common/mem.h"

#include <stdio.h>

void buf_reserve(struct buf *b, size_t more)
{
    size_t need = b->size + more + 1;
    if (need <= b->capacity)
        return;
    b->capacity = MAX(need, MAX((size_t)64, b->capacity * 2));
    b->data = mem_realloc(b->data, b->capacity);
}

void buf_append(struct buf *b, const void *bytes, size_t size)
{
    buf_reserve(b, size);
    if (size != 0)
        memcpy(b->data + b->size, bytes, size);
    b->size += size;
    b->data[b->size] = '\0';
}

void buf_append_slice(struct buf *b, struct slice s) { buf_append(b, s.data, s.size); }
void buf_append_str(struct buf *b, const char *text) { buf_append(b, text, strlen(text)); }
void buf_append_char(struct buf *b, char c) { buf_append(b, &c, 1); }

void buf_printf(struct buf *b, const char *format, ...)
{
    va_list args, again;
    va_start(args, format);
    va_copy(again, args);
    int n = vsnprintf(NULL, 0, format, args);
    va_end(args);
    ASSERT(n >= 0);
    buf_reserve(b, (size_t)n);
    vsnprintf(b->data + b->size, (size_t)n + 1, format, again);
    va_end(again);
    b->size += (size_t)n;
}

static void append_be(struct buf *b, uint64_t v, int bytes)
{
    buf_reserve(b, (size_t)bytes);
    for (int i = bytes - 1; i >= 0; i--)
        b->data[b->size++] = (char)(uint8_t)(v >> (8 * i));
    b->data[b->size] = '\0';
}

void buf_append_be32(struct buf *b, uint32_t v) { append_be(b, v, 4); }
void buf_append_be64(struct buf *b, uint64_t v) { append_be(b, v, 8); }

void buf_consume(struct buf *b, size_t size)
{
    ASSERT(size <= b->size);
    if (size == 0)
        return;
    memmove(b->data, b->data + size, b->size - size);
    b->size -= size;
    b->data[b->size] = '\0';
}

void buf_reset(struct buf *b)
{
    b->size = 0;
    if (b->data != NULL)
        b->data[0] = '\0';
}

void buf_release(struct buf *b)
{
    mem_free(b->data);
    *b = (struct buf){0};
}

struct bytes *bytes_alloc(size_t size)
{
    struct bytes *b = mem_alloc(sizeof *b + size + 1);
    b->references = 1;
    b->size = size;
    b->data[size] = '\0';
    return b;
}

struct bytes *bytes_new(struct slice content)
{
    struct bytes *b = bytes_alloc(content.size);
    if (content.size != 0)
        memcpy(b->data, content.data, content.size);
    return b;
}

struct bytes *bytes_ref(struct bytes *b)
{
    ASSERT(b->references > 0);
    b->references++;
    return b;
}

void bytes_unref(struct bytes *b)
{
    if (b == NULL)
        return;
    ASSERT(b->references > 0);
    if (--b->references == 0)
        mem_free(b);
}
