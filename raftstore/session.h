/* Client sessions of the replicated state: results of writes by (client, sequence), until acknowledged. Deterministic and
 * bounded; the longest unused go first. Private to apply.c and its tests. */
#ifndef RAFTSTORE_SESSION_H
#define RAFTSTORE_SESSION_H

#include "common/base.h"
#include "common/buf.h"
#include "common/err.h"
#include "common/list.h"
#include "common/map.h"
#include "raftstore/state_sum.h"
#include "raftstore/store_wire.h"

struct sessions {
    struct map by_id;
    struct list by_use;    /* longest unused first */
    uint64_t opened;       /* ever: part of new ids */
    size_t result_bytes;
    struct state_sum sum;  /* of all sessions with their results; kept with every change */
};

struct session;

void sessions_init(struct sessions *s);
void sessions_release(struct sessions *s);
/* Opens one: id = the nonce's first half and a number of its own. */
void sessions_open(struct sessions *s, const uint8_t nonce[STORE_ID_BYTES], uint64_t now_ms, uint8_t ret_id[STORE_ID_BYTES]);
void sessions_expire(struct sessions *s, uint64_t now_ms);

enum session_verdict {
    SESSION_EXECUTE, /* first time: execute, then session_store */
    SESSION_REPEAT,  /* done before: *ret_result */
    SESSION_UNKNOWN, /* no such session, or acknowledged already */
    SESSION_WINDOW,  /* sequences impossible or too far apart */
};
enum session_verdict sessions_judge(struct sessions *s, const struct store_command *c, uint64_t now_ms, struct session **ret,
                                    struct slice *ret_result);
/* `changed`: the command changed the store; decides what a repeat hears when the result is too long to keep. */
void session_store(struct sessions *s, struct session *session, uint64_t sequence, struct slice result, int64_t revision,
                   bool changed);

uint64_t sessions_hash(const struct sessions *s);
/* Compares up to `max` more sessions with the sum. ERR_CORRUPT; *ret_whole: all were compared, the next call begins again. */
int sessions_scrub(struct sessions *s, size_t max, bool *ret_whole, struct err *reterr);
void sessions_encode(const struct sessions *s, struct buf *out);
bool sessions_decode(struct sessions *s, struct unpack *u);

#endif
