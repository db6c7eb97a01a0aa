/* gzip (RFC 1952) of a stream of bytes, at the speed that answers on a local network need (level 1). The home of zlib. */
#ifndef COMMON_GZIP_H
#define COMMON_GZIP_H

#include "common/base.h"
#include "common/buf.h"

struct gzip;
struct gzip *gzip_new(void);
void gzip_free(struct gzip *g); /* NULL is fine */

/* Appends to `out` what `in` compresses to so far; `last` ends the stream, after which only gzip_free may follow. */
void gzip_write(struct gzip *g, struct slice in, bool last, struct buf *out);

/* For tests and clients: ERR_BAD_REQUEST when `in` is no gzip stream, or would grow beyond `bytes_max`. */
int gzip_read(struct slice in, size_t bytes_max, struct buf *out);

#endif
