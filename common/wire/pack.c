#include "common/base.h"

#include "common/wire/pack.h"

#include <msgpack/pack.h>

static int append(void *out, const char *bytes, size_t size)
{
    buf_append(out, bytes, size);
    return 0;
}

static msgpack_packer packer_of(struct buf *out) { return (msgpack_packer){.data = out, .callback = append}; }

/* Small numbers are most numbers, and one byte. */
void pack_uint(struct buf *out, uint64_t v)
{
    if (v < 128) {
        buf_append_char(out, (char)v);
        return;
    }
    msgpack_packer p = packer_of(out);
    (void)msgpack_pack_uint64(&p, v); /* cannot fail: append does not */
}

void pack_int(struct buf *out, int64_t v)
{
    if (v >= 0) {
        pack_uint(out, (uint64_t)v);
        return;
    }
    msgpack_packer p = packer_of(out);
    (void)msgpack_pack_int64(&p, v);
}

void pack_bool(struct buf *out, bool v)
{
    msgpack_packer p = packer_of(out);
    (void)(v ? msgpack_pack_true(&p) : msgpack_pack_false(&p));
}

void pack_bytes(struct buf *out, struct slice v)
{
    msgpack_packer p = packer_of(out);
    (void)msgpack_pack_bin(&p, v.size);
    buf_append_slice(out, v);
}

static uint8_t take_byte(struct unpack *u)
{
    if (u->bad || u->in.size == 0) {
        u->bad = true;
        return 0;
    }
    uint8_t b = (uint8_t)u->in.data[0];
    u->in = slice_from(u->in, 1);
    return b;
}

static uint64_t take_be(struct unpack *u, size_t bytes)
{
    uint64_t v = 0;
    for (size_t i = 0; i < bytes; i++)
        v = v << 8 | take_byte(u);
    return v;
}

uint64_t unpack_uint(struct unpack *u)
{
    uint8_t b = take_byte(u);
    if (b < 0x80)
        return b;
    if (b >= 0xcc && b <= 0xcf)
        return take_be(u, (size_t)1 << (b - 0xcc));
    u->bad = true;
    return 0;
}

int64_t unpack_int(struct unpack *u)
{
    uint8_t b = u->bad || u->in.size == 0 ? 0 : (uint8_t)u->in.data[0];
    if (b < 0x80 || (b >= 0xcc && b <= 0xcf)) {
        uint64_t v = unpack_uint(u);
        u->bad |= v > INT64_MAX;
        return u->bad ? 0 : (int64_t)v;
    }
    (void)take_byte(u);
    if (b >= 0xe0)
        return (int8_t)b;
    switch (b) {
    case 0xd0: return (int8_t)take_be(u, 1);
    case 0xd1: return (int16_t)take_be(u, 2);
    case 0xd2: return (int32_t)take_be(u, 4);
    case 0xd3: return (int64_t)take_be(u, 8);
    default: u->bad = true; return 0;
    }
}

bool unpack_bool(struct unpack *u)
{
    uint8_t b = take_byte(u);
    u->bad |= b != 0xc2 && b != 0xc3;
    return !u->bad && b == 0xc3;
}

struct slice unpack_bytes(struct unpack *u)
{
    uint8_t b = take_byte(u);
    u->bad |= b < 0xc4 || b > 0xc6;
    uint64_t size = u->bad ? 0 : take_be(u, (size_t)1 << (b - 0xc4));
    u->bad |= size > u->in.size;
    if (u->bad)
        return (struct slice){0};
    struct slice v = {u->in.data, (size_t)size};
    u->in = slice_from(u->in, (size_t)size);
    return v;
}

uint64_t unpack_below(struct unpack *u, uint64_t bound)
{
    uint64_t v = unpack_uint(u);
    u->bad |= v >= bound;
    return u->bad ? 0 : v;
}
