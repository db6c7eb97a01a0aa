/* The store's requests and answers as values, apart from how a client speaks them. A front (frames.h is one) keeps a caller per
 * connection, decodes what comes in and calls serve_…; answers, parts and events come back through the functions it gave, in the
 * order in which they are to be sent: the events of a revision stand before any answer that names it.
 *
 *   bytes ──▶ front ──serve_…(caller, id, values)──▶ server ──▶ round, log, state machine
 *   bytes ◀── front ◀──caller->front->…(caller, id, values)── server
 *
 * Everything runs on the loop. An answer may come within the call that asks for it. Ids are the front's: requests under way on one
 * caller have different ones, and so have its watches. Rights (roles.h), bounds (store_limits.h) and etcd's texts (store_errors.h)
 * are the server's matter: a front checks nothing but its own encoding. */
#ifndef RAFTSTORE_STORE_API_H
#define RAFTSTORE_STORE_API_H

#include "common/base.h"
#include "common/list.h"
#include "raftstore/driver.h"
#include "raftstore/kv.h"
#include "raftstore/lease.h"
#include "raftstore/store_wire.h"

struct caller;
struct server;
struct snapshot_stream;

/* A member about itself. */
struct member_status {
    struct driver_status consensus;
    uint64_t state_bytes;
    int64_t compact_revision;
    bool learner;
    uint64_t connections, watches, requests_total;
    uint64_t disk_free_bytes; /* as last polled; 0: not known */
};

/* Of its state as it is. */
struct member_hash {
    uint64_t keys;        /* of keys and events up to the header's revision: equal on all members at a revision */
    int64_t compact_revision;
    uint64_t index, state; /* of the whole replicated state behind entry `index` */
};

/* Leases at cluster time `now_ms`. */
struct lease_list {
    const struct lease *const *leases;
    size_t count;
    uint64_t now_ms;
    bool with_keys;
};

/* Formats of encoded events that a server keeps at a time: one per kind of front. */
enum caller_format { CALLER_FRAMES, CALLER_FORMATS_END = 2 };

/* What a front does with answers. All that is passed is borrowed for the call. None may end the caller. */
struct caller_front {
    /* Exactly one of these ends a request. */
    void (*error)(struct caller *c, uint64_t id, const struct kv_header *h, int status, const char *message);
    void (*written)(struct caller *c, uint64_t id, const struct kv_header *h, struct slice result); /* as the state machine encodes it: result_decode */
    void (*range)(struct caller *c, uint64_t id, const struct kv_header *h, const struct kv_range_result *last); /* after its parts */
    void (*status)(struct caller *c, uint64_t id, const struct kv_header *h, const struct member_status *m);
    void (*hash)(struct caller *c, uint64_t id, const struct kv_header *h, const struct member_hash *m);
    void (*leases)(struct caller *c, uint64_t id, const struct kv_header *h, const struct lease_list *l);
    void (*members)(struct caller *c, uint64_t id, const struct kv_header *h, const struct configuration *members);
    void (*snapshot)(struct caller *c, uint64_t id, const struct kv_header *h, struct slice bytes, bool last);

    /* Key-values of a range of which more follows. */
    void (*part)(struct caller *c, uint64_t id, const struct kv *kvs, size_t n);

    /* Watches. An event is encoded once for all callers of a format; `events` are n of them, one after the other, of one revision;
     * `end`: it has no more for this watch. */
    enum caller_format format;
    void (*event_encode)(struct buf *out, const struct kv_event *e, bool with_prev); /* appends */
    void (*events)(struct caller *c, uint64_t watch, int64_t revision, bool end, size_t n, struct slice events);
    /* Nothing up to `revision` is missing. First when the watch has caught up; `asked`: an answer to serve_watch_ask. */
    void (*progress)(struct caller *c, uint64_t watch, int64_t revision, bool asked);
    void (*closed)(struct caller *c, uint64_t watch, int status, int64_t compact_revision, const char *message);

    bool (*full)(const struct caller *c); /* so much is unsent that long answers and history wait for caller_drained */
    void (*refuse)(struct caller *c, int status, const char *message); /* nothing it asks will be answered any more: close it */
};

/* One who asks. Embedded in the front's connection; the fields are the server's but for `closing`. */
struct caller {
    const struct caller_front *front;
    struct server *server;
    const struct net_peer *peer; /* borrowed; NULL: this process itself, which may do everything */
    uint64_t member_id;          /* a member that passes on what others ask; 0: a client */
    bool closing;                /* the front sends no more */
    struct list link;            /* in server->callers */
    struct list reads, writes, watches, member_calls;
    size_t call_count, watch_count;
    struct snapshot_stream *snapshot; /* being read; NULL: none */
};

/* `peer` (for the roles) and `front` must outlive the caller. */
void caller_begin(struct caller *c, struct server *s, const struct caller_front *front, const struct net_peer *peer);
/* What it asked for is forgotten and answered no more; writes under way go on, and may be asked for again under their sequence. */
void caller_end(struct caller *c);
void caller_drained(struct caller *c); /* it is full no more */
bool caller_may(const struct caller *c, unsigned right, const struct kv_span *span); /* roles_allow */
void caller_error(struct caller *c, uint64_t id, int status, const char *message); /* answers through the front */

/* --- requests --- */

void serve_range(struct caller *c, uint64_t id, const struct kv_range *range);
/* Under its exactly-once identity; asked again under the same one, it takes the place of the first. */
void serve_write(struct caller *c, uint64_t id, const struct store_command *command);
void serve_status(struct caller *c, uint64_t id);
void serve_hash(struct caller *c, uint64_t id);
void serve_leases(struct caller *c, uint64_t id, int64_t lease, bool with_keys); /* lease 0: all of them, without keys */
void serve_members(struct caller *c, uint64_t id, bool serializable);            /* serializable: as this member has heard of them */
void serve_member(struct caller *c, uint64_t id, const struct member_request *m);
/* Part `number` of a snapshot's file, which begins with 0; the next one only after the answer to this one. */
void serve_snapshot(struct caller *c, uint64_t id, uint64_t number);

struct watch_request {
    uint64_t id;
    struct kv_span span;
    int64_t start_revision; /* 0: after the newest */
    bool prev_kv;
    unsigned filters;       /* WATCH_NO_* */
    uint64_t progress_ms;   /* progress when quiet for so long; 0: never */
};
void serve_watch(struct caller *c, const struct watch_request *w);
void serve_watch_stop(struct caller *c, uint64_t id); /* `closed` follows, unless it has closed before */
void serve_watch_ask(struct caller *c, uint64_t id);  /* `progress` follows, not older than anything acknowledged by now */

/* --- between members --- */

/* A write that another member has taken and passes on: 0 when this one leads and has taken it, else why not. */
int serve_forwarded(struct server *s, struct slice command);
/* What a member tells the leader each second. True: a majority has another state than it. */
bool serve_report(struct server *s, uint64_t member, bool low, uint64_t index, uint64_t hash);

/* 0, or STORE_STATE_CORRUPT: this member answers nobody. */
int server_trusted(const struct server *s, struct err *reterr);

#endif
