/* What the files client*.c share. Private to them. */
#ifndef RAFTSTORE_CLIENT_INTERNAL_H
#define RAFTSTORE_CLIENT_INTERNAL_H

#include "common/base.h"
#include "common/list.h"
#include "common/map.h"
#include "raftstore/client.h"
#include "raftstore/store_limits.h"
#include "raftstore/store_wire.h"

#define CLIENT_CALLS_MAX 4096
#define CLIENT_TIMEOUT_MS 10000
#define CLIENT_CONNECT_MS 800u /* twice as long each time all endpoints have been tried in vain: some are far away */
#define CLIENT_CONNECT_MAX_MS 6400u
#define CLIENT_PING_MS 500
#define CLIENT_SILENCE_MS 1500
#define CLIENT_RETRY_MS 100 /* before an endpoint is tried again, and before a busy store is */

struct client_call {
    struct store_client *client;
    struct store_call *call; /* NULL: the client's own (opening a session) */
    struct list link;        /* in client->calls, or client->ended */
    struct list write_link;  /* in client->writes: those with a sequence, in its order */
    uint64_t id;
    enum store_frame type;
    enum store_command_kind kind; /* of a write */
    enum member_verb verb;   /* of a change of membership */
    struct buf body;         /* of the frame or of the command */
    uint64_t sequence;       /* of a write; 0: has none yet */
    unsigned attempts;       /* times sent under this sequence */
    bool sent;               /* on this connection */
    bool parted;             /* a part went to call->part */
    struct timer deadline, again;
    struct kv *kvs;          /* of parts, in call->arena */
    size_t kv_count, kv_capacity;
    int status;              /* in client->ended */
    struct err why;
};

struct client_watch {
    struct store_client *client;
    struct store_watch *watch;
    struct list link;        /* in client->watches, or client->ended_watches */
    uint64_t id;
    struct kv_span span;     /* behind the struct */
    int64_t next;            /* first revision wanted; 0: from whatever comes next */
    bool prev_kv, no_put, no_delete, synced;
    unsigned progress_ms, asks;
    struct arena arena;      /* of a revision that comes in several frames */
    struct kv_event *events;
    size_t event_count, event_capacity;
};

enum client_state { CLIENT_WAITING, CLIENT_CONNECTING, CLIENT_GREETING, CLIENT_READY, CLIENT_HANGING_UP };
enum session_state { SESSION_NONE, SESSION_OPENING, SESSION_OPEN };

/* WAITING ─▶ CONNECTING ─▶ GREETING ─▶ READY ─▶ HANGING_UP ─▶ WAITING (at once or after CLIENT_RETRY_MS) */
struct store_client {
    struct env *env;
    char *endpoints[STORE_ENDPOINTS_MAX];
    size_t endpoint_count, endpoint, failures; /* failures: in a row, of connecting */
    bool pinned;
    struct tls *tls;
    size_t calls_max, call_count;
    enum client_state state;
    struct net_conn net;
    struct buf in, out;
    uint64_t heard_ms, pinged_ms, ping;
    struct timer retry, tick;
    struct deferred flush, end;
    struct list calls, writes, ended, watches, ended_watches;
    struct map calls_by_id;
    uint64_t next_id;
    enum session_state session;
    uint8_t session_id[STORE_ID_BYTES], nonce[STORE_ID_BYTES];
    uint64_t next_sequence;
    uint8_t cluster_id[STORE_ID_BYTES];
    uint64_t member_id;
    struct err last; /* why there is no connection */
    bool closing;
    void (*closed)(void *arg);
    void *closed_arg;
};

/* client.c */
void client_send(struct store_client *c, enum store_frame type, struct slice values, struct slice more);
void client_hang_up(struct store_client *c, int code, const char *why); /* and try the next endpoint */
void client_finish_close(struct store_client *c);

/* client_call.c */
void calls_ready(struct store_client *c); /* a connection is up: send everything */
void calls_lost(struct store_client *c);  /* it is gone */
void call_part(struct store_client *c, struct unpack *u, struct slice payload);
void call_result(struct store_client *c, struct unpack *u, struct slice payload);
void calls_cancel_all(struct store_client *c);
void calls_run_ended(struct store_client *c);

/* client_watch.c */
void watches_ready(struct store_client *c);
void watch_frame(struct store_client *c, enum store_frame type, struct unpack *u, struct slice payload);
void watches_cancel_all(struct store_client *c);
void watches_run_ended(struct store_client *c);

#endif
