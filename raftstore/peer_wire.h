/* Encoding of what members say to each other: consensus messages, read-index rounds, snapshot pieces. Pure. Layout in
 * docs/formats.md; the framing around it is the transport's. */
#ifndef RAFTSTORE_PEER_WIRE_H
#define RAFTSTORE_PEER_WIRE_H

#include "common/base.h"
#include "common/buf.h"
#include "common/err.h"
#include "raftstore/consensus.h"

#define PEER_FORMAT_1 1
#define PEER_APPEND_BYTES (512u * 1024)              /* entries of one append message, about */
#define PEER_PIECE_BYTES (256u * 1024)               /* of a snapshot */
#define PEER_MESSAGE_BYTES_MAX (6u * 1024 * 1024)    /* one largest entry and some */
#define PEER_ENTRIES_MAX 65536

enum peer_kind {
    PEER_CONSENSUS = 1,
    PEER_PING,        /* leader → voters: what is your term? (read-index round) */
    PEER_PONG,
    PEER_READ,        /* follower → leader: a read index, please */
    PEER_READ_ANSWER,
    PEER_PIECE,       /* leader → follower: bytes of a snapshot file; none: just an offer */
    PEER_PIECE_ACK,   /* follower → leader: how far it has them */
    PEER_STORE,       /* what one member's server says to another's: server_link.c */
};

struct peer_message {
    enum peer_kind kind;
    union {
        struct message consensus; /* decoded entries are owned: peer_message_release */
        struct { uint64_t term, round; } ping; /* and pong */
        struct { uint64_t id, index; bool ok; } read; /* and answer */
        struct {
            uint64_t term, index, index_term, configuration_index;
            uint64_t file_id, file_bytes, offset;
            struct slice bytes; /* borrowed */
        } piece;
        struct {
            uint64_t index, file_id, next; /* the first byte it lacks */
            bool refused;                  /* it has or wants no such snapshot: stop */
        } ack;
        struct slice store; /* borrowed */
    };
};

/* Appends the bytes of `m` to `out`. */
void peer_message_encode(const struct peer_message *m, struct buf *out);
/* ERR_FORMAT for an unknown format or kind, ERR_CORRUPT for anything that does not parse to its end. */
int peer_message_decode(struct slice bytes, uint64_t from, uint64_t to, struct peer_message *ret, struct err *reterr);
void peer_message_release(struct peer_message *m);

#endif
