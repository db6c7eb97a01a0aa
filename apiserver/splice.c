#include "common/base.h"

#include "apiserver/splice.h"

#define SPLICE_WINDOW_BYTES                                                                                            \
    (256 * 1024) /* written to one side and not taken, before the other is not read any more                           \
                  */

static void on_read(struct http_tunnel *t, struct slice bytes)
{
    struct splice_side *from = t->data, *to = from->other;
    if (!to->open || to->closing)
        return;
    http_tunnel_write(&to->tunnel, bytes);
    if (to->tunnel.pending_bytes > SPLICE_WINDOW_BYTES)
        http_tunnel_pause(t, true);
}

static void on_drain(struct http_tunnel *t)
{
    struct splice_side *to = t->data, *from = to->other;
    if (from->open && !from->closing)
        http_tunnel_pause(&from->tunnel, false);
}

static void on_close(struct http_tunnel *t)
{
    struct splice_side *s = t->data, *other = s->other;
    s->open = false;
    if (other->open && !other->closing) {
        other->closing = true;
        http_tunnel_close(&other->tunnel, true);
    }
    if (!splice_is_open(s->splice))
        s->splice->closed(s->splice);
}

static void side_init(struct splice *s, struct splice_side *side, struct splice_side *other)
{
    static const struct http_tunnel_callbacks callbacks = {on_read, on_drain, on_close};
    *side = (struct splice_side){.tunnel = {.callbacks = &callbacks, .data = side}, .splice = s, .other = other};
}

void splice_init(struct splice *s, void (*closed)(struct splice *s))
{
    s->closed = closed;
    side_init(s, &s->near, &s->far);
    side_init(s, &s->far, &s->near);
}

void splice_open(struct splice_side *side) { side->open = true; }

void splice_shut(struct splice_side *side)
{
    side->closing = true;
    http_tunnel_close(&side->tunnel, false);
}

bool splice_is_open(const struct splice *s) { return s->near.open || s->far.open; }
