#include "common/base.h"

#include "common/err.h"
#include "common/gzip.h"
#include "common/mem.h"

#include <zlib.h>

#define GZIP_WINDOW (15 + 16) /* the largest window, and gzip's header and trailer instead of zlib's */
#define GZIP_MEMORY 8
#define GZIP_STEP_BYTES (64 * 1024)

struct gzip {
    z_stream z;
};

struct gzip *gzip_new(void)
{
    struct gzip *g = NEW(struct gzip);
    int code = deflateInit2(&g->z, Z_BEST_SPEED, Z_DEFLATED, GZIP_WINDOW, GZIP_MEMORY, Z_DEFAULT_STRATEGY);
    ASSERT(code == Z_OK); /* only memory can be missing */
    return g;
}

void gzip_free(struct gzip *g)
{
    if (g == NULL)
        return;
    (void)deflateEnd(&g->z); /* says only whether something was left inside */
    mem_free(g);
}

void gzip_write(struct gzip *g, struct slice in, bool last, struct buf *out)
{
    int code;
    ASSERT(in.size <= UINT32_MAX);
    g->z.next_in = (Bytef *)(uintptr_t)in.data; /* zlib does not write to it */
    g->z.avail_in = (uInt)in.size;
    do {
        buf_reserve(out, GZIP_STEP_BYTES);
        g->z.next_out = (Bytef *)out->data + out->size;
        g->z.avail_out = GZIP_STEP_BYTES;
        code = deflate(&g->z, last ? Z_FINISH : Z_NO_FLUSH);
        ASSERT(code == Z_OK || code == Z_STREAM_END || code == Z_BUF_ERROR);
        out->size += GZIP_STEP_BYTES - g->z.avail_out;
        out->data[out->size] = '\0';
    } while (g->z.avail_out == 0);
    ASSERT(g->z.avail_in == 0);
}

int gzip_read(struct slice in, size_t bytes_max, struct buf *out)
{
    z_stream z = {.next_in = (Bytef *)(uintptr_t)in.data, .avail_in = (uInt)in.size};
    int code = inflateInit2(&z, GZIP_WINDOW);
    ASSERT(code == Z_OK);
    do {
        buf_reserve(out, GZIP_STEP_BYTES);
        z.next_out = (Bytef *)out->data + out->size;
        z.avail_out = GZIP_STEP_BYTES;
        code = inflate(&z, Z_NO_FLUSH);
        out->size += GZIP_STEP_BYTES - z.avail_out;
        out->data[out->size] = '\0';
    } while (code == Z_OK && out->size <= bytes_max && (z.avail_in > 0 || z.avail_out == 0));
    (void)inflateEnd(&z); /* as above */
    return code == Z_STREAM_END && out->size <= bytes_max ? 0 : ERR_BAD_REQUEST;
}
