/* Framing of the store's connections, peers and clients alike: length, checksum, payload.
 *
 *    0        4        8
 *   +--------+--------+----------------···
 *   | length | crc32c | payload (msgpack)
 *   +--------+--------+----------------···      big-endian; length and crc32c cover the payload
 *
 * Pure: bytes in, payloads out. The first payload byte is the format version (DESIGN "Formats"). */
#ifndef COMMON_WIRE_FRAME_H
#define COMMON_WIRE_FRAME_H

#include "common/base.h"
#include "common/buf.h"
#include "common/err.h"

#define FRAME_HEADER_BYTES 8
#define FRAME_FORMAT_1 1

/* Begins a frame at the end of `out` and returns a mark; the payload is appended to `out`; `frame_end` fills the header in. */
size_t frame_begin(struct buf *out);
void frame_end(struct buf *out, size_t mark);

/* Takes the next whole frame from the front of `*in`: 1 and its payload (borrowed from `in`), 0 when more bytes are
 * needed, ERR_TOO_LARGE when its length is over `payload_max`, ERR_CORRUPT when the checksum is wrong. */
int frame_next(struct slice *in, size_t payload_max, struct slice *ret_payload, struct err *reterr);

/* CRC-32C (Castagnoli), with hardware help where the processor has it; `crc` chains, 0 to begin. */
uint32_t crc32c(uint32_t crc, const void *bytes, size_t size);

#endif
