/* Two tunnels as one connection: bytes both ways, not looked at, each side read only as fast as the other takes them,
 * either end closing both. */
#ifndef APISERVER_SPLICE_H
#define APISERVER_SPLICE_H

#include "common/base.h"
#include "common/http.h"

struct splice;

struct splice_side {
    struct http_tunnel tunnel;
    struct splice *splice;
    struct splice_side *other;
    bool open, closing;
};

/* Embedded; it stays where it is until both sides are closed. */
struct splice {
    struct splice_side near, far;     /* the client's, and that of whom we asked on its behalf */
    void (*closed)(struct splice *s); /* once, when neither is open any more */
};

/* Sets the tunnels' callbacks, before whoever carries them opens them. */
void splice_init(struct splice *s, void (*closed)(struct splice *s));
/* A side has become a tunnel. */
void splice_open(struct splice_side *side);
void splice_shut(struct splice_side *side); /* without what is pending */
bool splice_is_open(const struct splice *s);

#endif
