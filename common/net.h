/* The network seam: TLS or plain byte streams over TCP, and datagrams over UDP (struct net_datagram, below). One connection is one struct embedded in the caller's.
 *
 *   connect ──▶ opening ──▶ open ──▶ closing ──▶ closed (on_close, exactly once; then the memory is the caller's)
 *
 * Writes complete in order. Reading is on from the start and may be paused as back-pressure. */
#ifndef COMMON_NET_H
#define COMMON_NET_H

#include "common/base.h"
#include "common/err.h"
#include "common/list.h"

struct net_conn;
struct tls; /* common/tls.h: a certificate, its key and the CA that peers must chain to; NULL means plain TCP */

struct net_conn_callbacks {
    void (*on_open)(struct net_conn *c);                        /* connected and, with TLS, verified */
    void (*on_read)(struct net_conn *c, struct slice bytes);    /* borrowed for the call */
    void (*on_close)(struct net_conn *c, const struct err *why); /* why->code: ERR_EOF, ERR_CONNECT, ERR_TLS, ERR_CANCELED */
    void (*on_drain)(struct net_conn *c);                       /* write_bytes_pending fell to 0; may be NULL */
};

#define NET_PEER_NAME_MAX 256
#define NET_PEER_GROUPS_MAX 8

/* Who the other side's certificate says it is; empty without TLS. */
struct net_peer {
    char common_name[NET_PEER_NAME_MAX];
    char organizations[NET_PEER_GROUPS_MAX][NET_PEER_NAME_MAX];
    size_t organization_count;
    char address[64]; /* numeric host:port */
};

struct net_conn {
    const struct net_conn_callbacks *callbacks;
    void *impl; /* of the seam */
    void *data; /* of the caller */
    struct net_peer peer;
    size_t write_bytes_pending; /* accepted and not yet handed to the kernel: the caller's measure for back-pressure */
};

struct net_listener {
    /* A new connection: return the struct to use for it, callbacks set, or NULL to refuse. */
    struct net_conn *(*on_accept)(struct net_listener *l);
    void (*on_close)(struct net_listener *l);
    void *impl;
    void *data;
};

struct net_listen_options {
    const char *address; /* numeric "host:port"; port 0 picks one, see net_listener_port */
    struct tls *tls;     /* borrowed while listening; NULL for plain TCP */
    bool patient;        /* of accepted connections: as net_connect_options. One that is paused is closed when its peer
                            closes: nobody is left to hear an answer, and what it sent last is not read any more */
};

struct net_connect_options {
    const char *address;     /* numeric "host:port", or "unix:PATH" (PATH below 108 bytes; plain) */
    struct tls *tls;         /* borrowed until on_close; NULL for plain TCP */
    const char *server_name; /* name the certificate must carry; NULL: the host part of address */
    unsigned timeout_ms;     /* until on_open; 0 means 5000 */
    bool patient; /* the peer may leave bytes untaken for as long as it likes (people behind it read them); else a peer
                     that takes nothing for 15 s counts as gone */
    unsigned silence_ms; /* instead of those 15 s; 0: them */
};

#define NET_ADDRESS_MAX 64    /* "host:port", terminated */
#define NET_DATAGRAM_MAX 65535

/* One UDP socket. Datagrams may be lost, as on any network: a send that the kernel refuses counts as lost. */
struct net_datagram {
    void (*on_receive)(struct net_datagram *d, const char *from, struct slice bytes); /* borrowed for the call */
    void (*on_close)(struct net_datagram *d); /* exactly once after net_datagram_close; then the memory is the caller's */
    void *impl;
    void *data;
};

struct net_ops {
    int (*listen)(void *impl, struct net_listener *l, const struct net_listen_options *o, struct err *reterr);
    int (*port)(struct net_listener *l);
    void (*listener_close)(struct net_listener *l);
    void (*connect)(void *impl, struct net_conn *c, const struct net_connect_options *o);
    void (*write)(struct net_conn *c, const struct slice *parts, size_t n); /* copies what it cannot send at once */
    void (*read_pause)(struct net_conn *c, bool paused);
    void (*close)(struct net_conn *c, bool flush); /* flush: after what was written; on_close follows either way */
    int (*datagram_open)(void *impl, struct net_datagram *d, const char *address, struct err *reterr);
    void (*datagram_send)(struct net_datagram *d, const char *to, struct slice bytes);
    void (*datagram_close)(struct net_datagram *d);
};

struct net {
    const struct net_ops *ops;
    void *impl;
};

static inline int net_listen(struct net *n, struct net_listener *l, const struct net_listen_options *o, struct err *e)
{
    return n->ops->listen(n->impl, l, o, e);
}
static inline int net_listener_port(struct net *n, struct net_listener *l) { return n->ops->port(l); }
static inline void net_listener_close(struct net *n, struct net_listener *l) { n->ops->listener_close(l); }
static inline void net_connect(struct net *n, struct net_conn *c, const struct net_connect_options *o)
{
    n->ops->connect(n->impl, c, o);
}
static inline void net_write(struct net *n, struct net_conn *c, const struct slice *parts, size_t count)
{
    n->ops->write(c, parts, count);
}
static inline void net_read_pause(struct net *n, struct net_conn *c, bool paused) { n->ops->read_pause(c, paused); }
static inline void net_close(struct net *n, struct net_conn *c, bool flush) { n->ops->close(c, flush); }

/* `address`: numeric "host:port", port 0 picks one. No on_close after an error. */
static inline int net_datagram_open(struct net *n, struct net_datagram *d, const char *address, struct err *e)
{
    return n->ops->datagram_open(n->impl, d, address, e);
}
static inline void net_datagram_send(struct net *n, struct net_datagram *d, const char *to, struct slice bytes)
{
    n->ops->datagram_send(d, to, bytes);
}
static inline void net_datagram_close(struct net *n, struct net_datagram *d) { n->ops->datagram_close(d); }

#endif
