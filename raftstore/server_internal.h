/* What the files server*.c share. Private to them. */
#ifndef RAFTSTORE_SERVER_INTERNAL_H
#define RAFTSTORE_SERVER_INTERNAL_H

#include "common/base.h"
#include "common/list.h"
#include "common/map.h"
#include "raftstore/frames.h"
#include "raftstore/server.h"
#include "raftstore/store_api.h"
#include "raftstore/store_errors.h"
#include "raftstore/store_limits.h"

#define SERVER_TICK_MS 100

/* A read under way: waiting for its round, or being answered in parts. */
struct read {
    struct read_index round;
    struct server *server;
    struct caller *caller;      /* NULL: it has gone */
    struct list link;           /* in caller->reads */
    struct list queue;          /* in server->retries or server->pumped */
    uint64_t id, deadline_ms;
    struct watch *watch;        /* of a STORE_WATCH_ASK; NULL once the watch is gone */
    bool is_ask, is_members;    /* of a watch's; of a list of the members */
    bool waiting;               /* waiting: the round is the driver's */
    struct kv_range range;      /* borrowed from arena */
    struct arena arena;
    struct mvcc_hold hold;      /* while answering in parts */
    bool holding;
    int64_t left, count, revision; /* keys still wanted; count and header of the answer */
    int64_t page_keys;             /* looked up for the next part */
    struct buf next_key;
};

/* A write waiting for its result. */
struct write {
    uint8_t key[STORE_ID_BYTES + 8]; /* client, sequence */
    struct caller *caller;           /* NULL: nobody waits any more */
    struct list caller_link, link;   /* link: in server->writes, oldest first */
    uint64_t id, deadline_ms, sent_ms; /* sent_ms 0: not proposed or forwarded yet */
    unsigned sends;
    bool doubtful;
    struct slice command;            /* encoded, behind the struct */
};

struct watch {
    struct caller *caller;
    struct list caller_link;
    struct list queue;         /* in server->live or, catching up, in server->pumped_watches */
    uint64_t id, progress_ms, quiet_since_ms;
    struct kv_span span;       /* behind the struct */
    int64_t next;              /* first revision not sent yet */
    bool prev_kv, no_put, no_delete;
    bool live, joined;         /* joined: live, begun, and told so; a live one that begins in the future is not yet */
    unsigned asks;             /* answers owed once it has joined */
};

struct checkpoint {
    uint64_t index, hash; /* of the state behind entry `index`; index 0: none */
};

/* What a member last told its leader. */
struct member_report {
    uint64_t member;
    bool low, agrees;
    struct checkpoint at; /* compared with our own there */
};

struct retention_sample {
    uint64_t time_ms; /* cluster time */
    int64_t revision; /* the newest then */
};

struct retention {
    struct retention_sample samples[COMPACT_SAMPLES]; /* a ring */
    uint64_t count, looked_ms;                        /* count: ever noted */
};

struct server_space {
    bool low;
    uint64_t free_bytes, polled_ms, admitted_bytes; /* admitted_bytes: since it was polled */
};

struct server {
    struct env *env;
    struct server_options options;
    struct frames *frames;      /* NULL: closed */
    struct list callers;
    struct list retries;        /* reads whose round failed, until the next tick */
    struct list pumped;         /* reads answering in parts */
    struct list pumped_watches; /* watches catching up */
    struct list live;
    struct list member_calls;   /* requests about the membership */
    size_t member_call_count;
    uint64_t next_link_id;      /* of requests passed on to the leader */
    struct list snapshots;      /* read by clients */
    size_t snapshot_count;
    struct list writes;
    struct map writes_by_key;
    size_t write_bytes;
    struct buf batch;           /* commands of this turn, without the entry's head */
    size_t batch_count, proposals, reads_waiting;
    struct list passed_on;      /* of struct link_caller: members that pass on what their clients ask */
    struct {
        uint64_t cluster_ms, own_ms; /* it was this cluster time, then by our own clock */
        uint64_t term, after;        /* in which we lead, and the last entry that others may have stamped; term 0: none */
        bool stood;                  /* we have stamped while it stood */
    } clock;
    uint64_t leaderless_ms;     /* since when no leader is known; 0: one is */
    int64_t revision_seen;      /* after the last entry: live watches have been given everything up to it */
    struct deferred pump, propose;
    struct timer tick;
    struct buf scratch, event_bytes;
    struct arena arena;
    struct server_metrics metrics;
    struct server_space space;
    struct retention retention;
    struct checkpoint checkpoints[CHECKPOINTS];
    struct member_report reports[2 * CONSENSUS_MEMBERS_MAX];
    size_t report_count;
    uint64_t reported_ms;
    struct {
        bool running;
        uint64_t began_ms; /* 0: never */
    } scrub;
    bool quarantined;
    bool closing;
    void (*closed)(void *arg);
    void *closed_arg;
};

/* server.c */
uint64_t server_now_ms(struct server *s);
struct mvcc *server_store(struct server *s);
struct driver_status server_status(struct server *s);
bool server_leads(struct server *s);
void server_note_leader(struct server *s); /* role, leader or term changed, or it begins */
bool server_leaderless(struct server *s); /* for LEADERLESS_MS: nobody should wait here */
const struct configuration *server_configuration(struct server *s, bool newest); /* valid until the next event */
struct kv_header server_header(struct server *s);
/* With etcd's text before `detail`. */
void caller_refuse(struct caller *c, uint64_t id, enum store_error cause, const char *detail);
/* Whether a request may begin: too many under way, or none of `rights` anywhere, and it has been answered. */
bool caller_admits(struct caller *c, uint64_t id, unsigned rights);
void server_finish_close(struct server *s); /* calls closed once nothing is left */

/* server_kv.c */
void read_ask(struct watch *w);       /* a round, then watch_answer */
void read_forget(struct read *r);     /* its caller goes */
void reads_tick(struct server *s);
bool reads_pump(struct server *s);    /* true when another turn is wanted */
void reads_restored(struct server *s);

/* server_write.c */
void write_forget(struct write *w);
void writes_tick(struct server *s);
void writes_propose(struct deferred *d);
void server_batch(struct server *s, struct slice command); /* leader: into the next entry */
void writes_restored(struct server *s);
void writes_release(struct server *s);
void writes_unsend(struct server *s); /* what was proposed or passed on may be lost: the tick sends it again */
void write_bounced(struct server *s, const uint8_t *client, uint64_t sequence, int status); /* the leader did not take it */

/* server_link.c */
bool link_request(struct server *s, enum store_frame type, struct slice values); /* to the leader; false: not now */
void links_forget(struct server *s); /* it closes */

/* server_clock.c */
uint64_t server_cluster_time_ms(struct server *s);          /* what the next entry would be stamped with here */
uint64_t server_clock_stamp(struct server *s);              /* the same, of an entry that is proposed now */
void server_clock_changed(struct server *s);                /* role or term, or it begins */
void server_clock_follow(struct server *s, uint64_t index); /* the entry was applied; 0: a snapshot, or the beginning */

/* server_space.c */
void space_tick(struct server *s);
int space_admit(struct server *s, const struct store_command *c, struct err *reterr); /* leader; ERR_NO_SPACE */

/* server_compact.c */
void compact_tick(struct server *s);

/* server_report.c */
void report_entry(struct server *s, uint64_t index);
void reports_restored(struct server *s);
void reports_tick(struct server *s);
/* Leader: voters whose disk is low; *ret_silent: others that are not there to take anything. */
size_t reports_low(struct server *s, size_t *ret_silent, size_t *ret_voters);
void server_quarantine(struct server *s, const char *why);
void scrub_tick(struct server *s);

/* server_member.c */
struct member_call;
void members_tick(struct server *s);
void members_unsend(struct server *s); /* what was passed on may be lost */
void member_link_result(struct server *s, struct unpack *u);
struct member_call *member_call_of(struct list *caller_link);
void member_forget(struct member_call *k);

/* server_watch.c */
void watch_free(struct watch *w);
void watch_answer(struct watch *w); /* progress, as an answer to an ask */
void watches_tick(struct server *s);
bool watches_pump(struct server *s);

/* server_snapshot.c */
void snapshot_stream_forget(struct snapshot_stream *t); /* its caller goes; NULL is fine */
void snapshot_streams_tick(struct server *s);

/* server_lease.c */
void leases_tick(struct server *s);

#endif
