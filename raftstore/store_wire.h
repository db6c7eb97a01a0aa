/* Bytes of the client protocol and of log entries (docs/formats.md "client protocol and entries"). Pure; flat runs of
 * msgpack values inside frames (common/wire/frame.h). Decoding checks everything, allocates from an arena within bounds,
 * and borrows keys and values from the input. */
#ifndef RAFTSTORE_STORE_WIRE_H
#define RAFTSTORE_STORE_WIRE_H

#include "common/base.h"
#include "common/buf.h"
#include "common/err.h"
#include "common/mem.h"
#include "common/wire/pack.h"
#include "raftstore/kv.h"
#include "raftstore/member.h"

#define STORE_WIRE_FORMAT 1
#define STORE_ID_BYTES 16

/* Frames: format byte, type byte, values. From clients below 64, from servers above. */
enum store_frame {
    STORE_HELLO = 1,       /* cluster id (or empty: any) */
    STORE_PING = 2,        /* number */
    STORE_RANGE = 3,       /* request id, range */
    STORE_WRITE = 4,       /* request id, command */
    STORE_STATUS = 5,      /* request id */
    STORE_HASHKV = 6,      /* request id */
    STORE_MEMBERS = 7,     /* request id, as this member knows them? */
    STORE_WATCH = 8,       /* watch id, span, start revision, prev_kv, progress ms, filters (WATCH_NO_*) */
    STORE_WATCH_STOP = 9,  /* watch id */
    STORE_WATCH_ASK = 10,  /* watch id: progress now */
    STORE_FORWARD = 11,    /* command; between members only: server_link.c */
    STORE_LEASES = 12,     /* request id, lease id (0: list them), with keys? */
    STORE_MEMBER = 13,     /* request id, member request */
    STORE_REPORT = 14,     /* disk low?, index, hash of the state there; between members */
    STORE_SNAPSHOT = 15,   /* request id, number: 0 begins to read a snapshot, then one part after the other */

    STORE_WELCOME = 64,    /* cluster id, member id, request bytes max */
    STORE_PONG = 65,       /* number */
    STORE_RANGE_PART = 66, /* request id, count, kvs: more follows */
    STORE_RESULT = 67,     /* request id, term, result */
    STORE_EVENTS = 68,     /* watch id, revision, end of revision?, count, events */
    STORE_PROGRESS = 69,   /* watch id, revision, answer to STORE_WATCH_ASK? */
    STORE_CLOSED = 70,     /* watch id, status, oldest readable revision, message */
    STORE_REFUSED = 71,    /* status, message: of the connection; it is closed */
    STORE_VERDICT = 73,    /* state differs?; between members, to one that reported */
    STORE_BOUNCED = 72,    /* client id, sequence, status: a write passed on was not taken; between members */
};

/* Filters of a watch: events it does not want. */
enum { WATCH_NO_PUT = 1, WATCH_NO_DELETE = 2, WATCH_FILTERS_END = 4 };

/* What a command asks for. Numbers stand in the log: never reused. */
enum store_command_kind {
    COMMAND_TXN = 1,             /* txn */
    COMMAND_COMPACT = 2,         /* revision */
    COMMAND_SESSION_OPEN = 3,    /* nothing; client: a nonce, sequence 0 */
    COMMAND_LEASE_GRANT = 4,     /* lease id, chosen by who asks; seconds */
    COMMAND_LEASE_REVOKE = 5,    /* lease id */
    COMMAND_LEASE_KEEPALIVE = 6, /* count, lease ids */
    COMMAND_COMPACT_OLD = 8,     /* revision: the leader's own; nothing when it is compacted already; no session */
    COMMAND_LEASE_EXPIRE = 7,    /* count, lease ids: the leader's own, judged again by the entry's time; no session */
};

/* A write under its exactly-once identity. */
struct store_command {
    uint8_t client[STORE_ID_BYTES];
    uint64_t sequence, oldest; /* oldest: the smallest sequence whose result the client still waits for */
    enum store_command_kind kind;
    struct slice body;
};

void command_encode(struct buf *out, const struct store_command *c);
bool command_decode(struct unpack *u, struct store_command *ret); /* false: malformed */

/* A log entry: format byte, cluster time, commands up to the end. */
void entry_begin(struct buf *out, uint64_t cluster_time_ms);
bool entry_open(struct slice entry, uint64_t *ret_cluster_time_ms, struct unpack *ret_commands);

/* What is asked about the membership. Numbers on the wire. */
enum member_verb { MEMBER_ADD = 1, MEMBER_PROMOTE, MEMBER_REMOVE, MEMBER_UPDATE, MEMBER_LEAD };

struct member_request {
    enum member_verb verb;
    uint64_t id;             /* whom it is about; of a new member: chosen by who asks, random */
    uint64_t replaces;       /* add: the id that this member had before; 0 */
    bool automatic, force;   /* add: promote when in sync; remove: also when too few voters that answer are left */
    struct slice name, peer_address, client_address; /* add, update; borrowed */
};
void member_request_encode(struct buf *out, const struct member_request *m);
bool member_request_decode(struct unpack *u, struct member_request *ret); /* false: malformed */

void members_encode(struct buf *out, const struct configuration *c); /* of a RESULT_MEMBERS */
bool members_decode(struct unpack *u, struct configuration *ret);    /* false: malformed */

void wire_begin(struct buf *out, enum store_frame type); /* format and type byte */

void range_encode(struct buf *out, const struct kv_range *range);
bool range_decode(struct unpack *u, struct kv_range *ret);
void txn_encode(struct buf *out, const struct kv_txn *txn);
/* ERR_INVALID: malformed; ERR_TOO_LARGE: more operations than any check allows. */
int txn_decode(struct unpack *u, struct arena *arena, struct kv_txn *ret, struct err *reterr);

void kv_encode(struct buf *out, const struct kv *kv);
void kv_decode(struct unpack *u, struct kv *ret);
void event_encode(struct buf *out, const struct kv_event *event, bool with_prev);
void event_decode(struct unpack *u, struct kv_event *ret);
void span_encode(struct buf *out, const struct kv_span *span);
struct kv_span span_decode(struct unpack *u);

/* Results: status and revision, then on success the body of the kind, else a message. */
enum store_result_kind { RESULT_NONE = 0, RESULT_TXN = 1, RESULT_RANGE = 2, RESULT_SESSION = 3, RESULT_STATUS = 4,
                         RESULT_HASHKV = 5, RESULT_MEMBERS = 6,
                         RESULT_LEASES = 7, /* count; id, granted s, remaining ms; count of keys, keys */
                         RESULT_SNAPSHOT = 8 }; /* bytes of the file, was that all? */
void result_begin(struct buf *out, int64_t revision, enum store_result_kind kind);
void result_error(struct buf *out, int64_t revision, int status, const char *message);
void range_result_encode(struct buf *out, const struct kv_range_result *r);
bool range_result_decode(struct unpack *u, struct arena *arena, struct kv_range_result *ret);
void txn_result_encode(struct buf *out, const struct kv_txn_result *r);
bool txn_result_decode(struct unpack *u, struct arena *arena, struct kv_txn_result *ret);

struct store_result {
    int status;
    int64_t revision;
    enum store_result_kind kind;
    struct slice message;
};
bool result_decode(struct unpack *u, struct store_result *ret); /* `u` then stands at the body */

#endif
