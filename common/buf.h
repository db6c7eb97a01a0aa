/* Bytes: `struct buf` owns and grows them, `struct bytes` shares them immutably by count. */
#ifndef COMMON_BUF_H
#define COMMON_BUF_H

#include "common/base.h"

/* Zero-initialised is empty and ready for use. The bytes are always terminated once anything was appended. */
struct buf {
    char *data;
    size_t size, capacity;
};

void buf_reserve(struct buf *b, size_t more); /* room for `more` bytes beyond size, and a terminator */
void buf_append(struct buf *b, const void *bytes, size_t size);
void buf_append_slice(struct buf *b, struct slice s);
void buf_append_str(struct buf *b, const char *text);
void buf_append_char(struct buf *b, char c);
void buf_printf(struct buf *b, const char *format, ...) PRINTF_ARGS(2, 3);
void buf_append_be32(struct buf *b, uint32_t v);
void buf_append_be64(struct buf *b, uint64_t v);
void buf_consume(struct buf *b, size_t size); /* drops the first `size` bytes; at most b->size */
void buf_reset(struct buf *b);                /* empty, memory kept */
void buf_release(struct buf *b);              /* empty, memory freed */
static inline struct slice buf_slice(const struct buf *b) { return (struct slice){b->data, b->size}; }

/* Immutable bytes with a reference count; not shared between threads. */
struct bytes {
    uint32_t references;
    size_t size;
    char data[]; /* `size` bytes and a terminator */
};

struct bytes *bytes_alloc(size_t size);         /* `data` is the caller's to fill before it shares them */
struct bytes *bytes_new(struct slice content);  /* a copy; one reference, the caller's */
struct bytes *bytes_ref(struct bytes *b);
void bytes_unref(struct bytes *b);              /* NULL is fine */
static inline struct slice bytes_slice(const struct bytes *b) { return (struct slice){b->data, b->size}; }

static inline uint16_t be16_at(const void *at) { const uint8_t *p = at; return (uint16_t)(p[0] << 8 | p[1]); }
static inline uint32_t be32_at(const void *at)
{
    const uint8_t *p = at;
    return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}
static inline uint64_t be64_at(const void *at)
{
    return (uint64_t)be32_at(at) << 32 | be32_at((const char *)at + 4);
}

#endif
