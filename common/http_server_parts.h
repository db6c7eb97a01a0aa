/* What the files http_server*.c share. Private to them. */
#ifndef COMMON_HTTP_SERVER_PARTS_H
#define COMMON_HTTP_SERVER_PARTS_H

#include "common/http_server.h"
#include "common/list.h"
#include "common/loop.h"
#include "common/uv_fd.h"

#include <gnutls/gnutls.h>
#include <microhttpd.h>
#include <uv.h>

#define HTTP_SERVER_HEADERS_STEP 16
#define HTTP_SERVER_LINGER_MS 5000 /* of a closed tunnel: for its last bytes */
#define HTTP_SERVER_KEEPALIVE_S 30

struct http_server {
    uv_loop_t *uv;
    struct loop *loop;
    struct MHD_Daemon *daemon;
    int listen_fd, port;
    /* The daemon's epoll descriptor is edge-triggered: it is run before every poll, and the poll waits on it. */
    uv_poll_t readable;
    uv_prepare_t prepare;
    uv_idle_t idle; /* active while the daemon has work that no descriptor announces */
    uv_timer_t timer;
    unsigned handles_open;
    struct http_server_options options;
    struct tls *tls;
    char *certificate, *key, *ca; /* PEM; the daemon reads them while it lives */
    struct list fronts;
    struct tls_seal *seal;   /* NULL: records are the TLS library's */
    struct buf sealed;       /* of one write: of nobody between two */
    size_t connection_count;
    struct list connections; /* struct connection: looked through each second for deadlines that have passed */
    uv_timer_t deadlines;
    size_t tunnel_count;
    struct deferred_close {
        void (*closed)(void *arg);
        void *arg;
    } close;
};

/* One connection. Its deadline is about the client only, never about the core's work:
 *
 *   head (accepted, or a request has begun) ─▶ body ─▶ none (the core works) ─▶ answer (bytes wait) ─▶ none, idle */
struct connection {
    struct MHD_Connection *daemons;
    int fd;
    bool checked, present; /* its certificate, once */
    int status;
    uint64_t deadline_ms; /* of the loop's clock; 0: none */
    enum http_server_limit why;
    struct list link;
    struct net_peer peer; /* large, last: its pages are untouched while nobody shows a certificate */
};

/*  reading ──▶ handed ──▶ answered (a whole response, a stream that has begun, or 101: see struct tunnel)
 *                 ├──────▶ taken (the daemon has no part in it any more: a tunnel over TLS) ──▶ gone
 *                 └──────▶ gone (the client left) */
enum front_state { FRONT_READING, FRONT_HANDED, FRONT_ANSWERED, FRONT_TAKEN, FRONT_GONE };

/* What a core has written of a stream and nobody has taken yet: a ring, in one piece of memory, none while it is empty. */
struct pieces {
    struct bytes **ring; /* references */
    size_t first, count, capacity;
    size_t offset; /* already taken of the first */
    size_t bytes;  /* not taken */
};

/* A stream whose bytes go past the daemon: http_server_stream.c. */
struct direct {
    bool on;          /* the daemon is suspended within its question for bytes */
    bool broken;      /* the socket takes no more */
    bool half_closed; /* the client has ended its side; only a stream whose end is on its way goes on */
    bool record_open; /* the TLS library has a record partly sent */
    int fd;
    gnutls_session_t session; /* NULL: plain */
    /* The HTTP chunk under way: what is left of its head, its content and its end. */
    char head[24];
    size_t head_at, head_left, content_left, end_left;
    struct buf unsent;        /* records that the kernel has not taken yet, from unsent_at on */
    size_t unsent_at, sealed_content;
    size_t room; /* of the next write */
    struct deferred flush;
};

/* The connection behind an upgrade; we work on a duplicate of its socket.
 *
 * Plain: the daemon sends 101 and hands socket and bytes that came too early over, and keeps the connection until it is
 * told to close. TLS: the daemon's own pump moves four bytes at a time (0.9.75: the head has used its memory up) and does
 * not pass the client's close on, so the connection stays suspended for good and we speak through its TLS session: 101
 * first. Bytes that a client sent too early, and in one TLS record with its request, the daemon keeps to itself
 * (RFC 6455 section 4.1 lets no client do so).
 *
 *   promised ──(101 is sent)──▶ open ──▶ flushing ──▶ shut (on_close was called; the daemon closes the connection)
 *       └─────────────────────────┴────────────────────▲ */
enum tunnel_state { TUNNEL_NONE, TUNNEL_PROMISED, TUNNEL_OPEN, TUNNEL_FLUSHING, TUNNEL_SHUT };

struct tunnel {
    enum tunnel_state state;
    struct http_tunnel *core; /* NULL once on_close was called */
    struct MHD_UpgradeResponseHandle *handle;
    struct uv_fd *stream;
    gnutls_session_t session; /* NULL: plain */
    bool record_open;         /* a TLS record is partly sent */
    struct buf early, late; /* came with the request; written before the tunnel was open */
    bool paused, hung_up;
    struct deferred closed, resumed;
    struct timer linger;
};

/* One request at the front; the core sees its exchange. */
struct front {
    struct http_exchange x;
    struct http_server *server;
    struct MHD_Connection *connection;
    enum front_state state;
    bool suspended, in_handler, too_large, too_many, stream, ended, clean;
    struct buf uri, path, body;
    struct http_header *headers; /* grows by HTTP_SERVER_HEADERS_STEP: idle watches are many, and hold theirs */
    size_t header_count;
    struct MHD_Response *response;
    unsigned status;
    struct pieces pieces;
    bool sized; /* a stream whose length was told ahead */
    struct direct direct;
    size_t discarded;    /* of a body that is too large */
    uv_poll_t *hangup;   /* of who streams or waits for long while suspended: the daemon does not look then */
    unsigned looked_at;  /* how often it was found waiting */
    struct tunnel tunnel;
    bool http_1_1;
    struct list link;
    char remote[64];
};

/* http_server.c */
void http_server_hit(const struct http_server *s, enum http_server_limit which);
void http_front_watch(struct front *f); /* the client's departure is seen from now on, whether the daemon looks or not */
void http_front_resume(struct front *f);
void http_front_answer(struct front *f, int status, struct MHD_Response *response, const struct http_header *headers, size_t n);
void http_front_gone(struct front *f);                     /* tells the core, once, that nobody waits for this answer any more */
void http_front_consumed(struct front *f, size_t size);    /* so much of what the core wrote is the kernel's */
void http_front_wait_writable(struct front *f, bool wait); /* then a flush follows when the socket takes bytes again */

/* http_server_pieces.c */
void pieces_push(struct pieces *p, struct bytes *bytes); /* takes a reference of its own */
size_t pieces_gather(const struct pieces *p, size_t max, struct slice *parts, size_t parts_max); /* the first `max` bytes; borrowed */
void pieces_take(struct pieces *p, size_t size);
void pieces_drop(struct pieces *p);

/* http_server_stream.c */
bool http_front_goes_direct(const struct front *f); /* asked where the daemon wants bytes of a stream */
void http_front_go_direct(struct front *f);         /* it is suspended there */
void http_front_flush_soon(struct front *f);
void http_front_direct_drop(struct front *f);
void http_front_direct_init(struct front *f);
void http_front_direct_release(struct front *f);

/* http_server_tunnel.c */
int http_front_upgrade(struct http_exchange *x, const struct http_header *headers, size_t n, struct http_tunnel *core);
void http_front_tunnel_hung_up(struct front *f);
void http_front_tunnel_shut(struct front *f); /* ours is over: the last bytes go, then on_close */
void http_front_tunnel_drop(struct front *f); /* the daemon lets go of the connection */

#endif
