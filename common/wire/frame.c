#include "common/base.h"

#include "common/wire/frame.h"

size_t frame_begin(struct buf *out)
{
    size_t mark = out->size;
    buf_append_be32(out, 0);
    buf_append_be32(out, 0);
    return mark;
}

static void put_be32(char *at, uint32_t v)
{
    for (int i = 0; i < 4; i++)
        at[i] = (char)(uint8_t)(v >> (24 - 8 * i));
}

void frame_end(struct buf *out, size_t mark)
{
    ASSERT(out->size >= mark + FRAME_HEADER_BYTES);
    size_t size = out->size - mark - FRAME_HEADER_BYTES;
    ASSERT(size <= UINT32_MAX);
    char *header = out->data + mark;
    put_be32(header, (uint32_t)size);
    put_be32(header + 4, crc32c(0, header + FRAME_HEADER_BYTES, size));
}

int frame_next(struct slice *in, size_t payload_max, struct slice *ret_payload, struct err *reterr)
{
    if (in->size < FRAME_HEADER_BYTES)
        return 0;
    size_t size = be32_at(in->data);
    if (size > payload_max)
        return err_set(reterr, ERR_TOO_LARGE, "frame of %zu bytes, at most %zu are allowed", size, payload_max);
    if (in->size < FRAME_HEADER_BYTES + size)
        return 0;
    struct slice payload = {in->data + FRAME_HEADER_BYTES, size};
    if (crc32c(0, payload.data, payload.size) != be32_at(in->data + 4))
        return err_set(reterr, ERR_CORRUPT, "frame of %zu bytes with a wrong checksum", size);
    *in = slice_from(*in, FRAME_HEADER_BYTES + size);
    *ret_payload = payload;
    return 1;
}

/* Reflected polynomial 0x1EDC6F41 (RFC 3720 appendix B.4). */
#define CRC_BIT(c) ((c) & 1 ? 0x82f63b78u ^ (c) >> 1 : (c) >> 1)

static uint32_t crc_of_byte(uint32_t c)
{
    for (int i = 0; i < 8; i++)
        c = CRC_BIT(c);
    return c;
}

static uint32_t crc32c_portable(uint32_t crc, const uint8_t *p, size_t size)
{
    for (size_t i = 0; i < size; i++)
        crc = crc >> 8 ^ crc_of_byte((crc ^ p[i]) & 0xff);
    return crc;
}

#ifdef __x86_64__
__attribute__((target("sse4.2"))) static uint32_t crc32c_sse42(uint32_t crc, const uint8_t *p, size_t size)
{
    uint64_t c = crc;
    for (; size >= 8; p += 8, size -= 8) {
        uint64_t word;
        memcpy(&word, p, sizeof word);
        c = __builtin_ia32_crc32di(c, word);
    }
    crc = (uint32_t)c;
    for (; size > 0; p++, size--)
        crc = __builtin_ia32_crc32qi(crc, *p);
    return crc;
}
#endif

uint32_t crc32c(uint32_t crc, const void *bytes, size_t size)
{
#ifdef FUZZING_BUILD_MODE_UNSAFE_FOR_PRODUCTION /* every checksum is right: what lies behind them is to be reached */
    (void)crc, (void)bytes, (void)size;
    return 0;
#endif
#ifdef __x86_64__
    if (__builtin_cpu_supports("sse4.2"))
        return ~crc32c_sse42(~crc, bytes, size);
#endif
    return ~crc32c_portable(~crc, bytes, size);
}
