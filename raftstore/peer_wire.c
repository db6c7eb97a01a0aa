/* See peer_wire.h. All numbers are big-endian. */
#include "common/base.h"

#include "raftstore/peer_wire.h"

#include "common/mem.h"

static void put_flag(struct buf *out, bool flag) { buf_append_char(out, flag ? 1 : 0); }

static void put_all(struct buf *out, const uint64_t *values, size_t n)
{
    for (size_t i = 0; i < n; i++)
        buf_append_be64(out, values[i]);
}
#define PUT(out, ...) put_all(out, (const uint64_t[]){__VA_ARGS__}, sizeof((const uint64_t[]){__VA_ARGS__}) / 8)

struct reader {
    struct slice rest;
    bool bad;
};

static struct slice take(struct reader *r, size_t n)
{
    if (r->bad || r->rest.size < n) {
        r->bad = true;
        return (struct slice){0};
    }
    struct slice s = slice_of(r->rest.data, n);
    r->rest = slice_from(r->rest, n);
    return s;
}

static uint64_t take_u64(struct reader *r)
{
    struct slice s = take(r, 8);
    return r->bad ? 0 : be64_at(s.data);
}

static uint32_t take_u32(struct reader *r)
{
    struct slice s = take(r, 4);
    return r->bad ? 0 : be32_at(s.data);
}

static uint8_t take_u8(struct reader *r)
{
    struct slice s = take(r, 1);
    return r->bad ? 0 : (uint8_t)s.data[0];
}

static bool take_flag(struct reader *r)
{
    uint8_t v = take_u8(r);
    r->bad |= v > 1;
    return v == 1;
}

static void put_entries(struct buf *out, const struct message *m)
{
    buf_append_be32(out, (uint32_t)m->entry_count);
    for (size_t i = 0; i < m->entry_count; i++) {
        const struct entry *e = &m->entries[i];
        buf_append_be64(out, e->term);
        buf_append_char(out, (char)e->kind);
        buf_append_be32(out, (uint32_t)e->data->size);
        buf_append_slice(out, bytes_slice(e->data));
    }
}

static void take_entries(struct reader *r, struct message *m)
{
    size_t n = take_u32(r);
    if (r->bad || n > PEER_ENTRIES_MAX || n > r->rest.size / 13) {
        r->bad = true;
        return;
    }
    m->entries = n == 0 ? NULL : mem_alloc(n * sizeof *m->entries);
    for (size_t i = 0; i < n; i++) {
        uint64_t term = take_u64(r);
        uint8_t kind = take_u8(r);
        struct slice data = take(r, take_u32(r));
        if (r->bad || kind < ENTRY_COMMAND || kind > ENTRY_CHANGE) {
            r->bad = true;
            return;
        }
        m->entries[m->entry_count++] = (struct entry){term, (enum entry_kind)kind, bytes_new(data)};
    }
}

static void put_consensus(struct buf *out, const struct message *m)
{
    buf_append_char(out, (char)m->kind);
    switch (m->kind) {
    case MESSAGE_REQUEST_VOTE:
        PUT(out, m->request_vote.term, m->request_vote.candidate, m->request_vote.last_index, m->request_vote.last_term);
        put_flag(out, m->request_vote.disrupt_leader);
        put_flag(out, m->request_vote.pre_vote);
        break;
    case MESSAGE_REQUEST_VOTE_RESULT:
        PUT(out, m->request_vote_result.term);
        put_flag(out, m->request_vote_result.granted);
        put_flag(out, m->request_vote_result.pre_vote);
        break;
    case MESSAGE_APPEND:
        PUT(out, m->append.term, m->append.prev_index, m->append.prev_term, m->append.leader_commit);
        put_entries(out, m);
        break;
    case MESSAGE_APPEND_RESULT:
        PUT(out, m->append_result.term, m->append_result.rejected, m->append_result.last_index);
        break;
    case MESSAGE_INSTALL_SNAPSHOT:
        PUT(out, m->install_snapshot.term, m->install_snapshot.last_index, m->install_snapshot.last_term,
            m->install_snapshot.configuration_index);
        break;
    case MESSAGE_TIMEOUT_NOW:
        PUT(out, m->timeout_now.term, m->timeout_now.last_index, m->timeout_now.last_term);
        break;
    }
}

static void take_consensus(struct reader *r, struct message *m)
{
    m->kind = (enum message_kind)take_u8(r);
    switch (m->kind) {
    case MESSAGE_REQUEST_VOTE:
        m->request_vote.term = take_u64(r);
        m->request_vote.candidate = take_u64(r);
        m->request_vote.last_index = take_u64(r);
        m->request_vote.last_term = take_u64(r);
        m->request_vote.disrupt_leader = take_flag(r);
        m->request_vote.pre_vote = take_flag(r);
        return;
    case MESSAGE_REQUEST_VOTE_RESULT:
        m->request_vote_result.term = take_u64(r);
        m->request_vote_result.granted = take_flag(r);
        m->request_vote_result.pre_vote = take_flag(r);
        return;
    case MESSAGE_APPEND:
        m->append.term = take_u64(r);
        m->append.prev_index = take_u64(r);
        m->append.prev_term = take_u64(r);
        m->append.leader_commit = take_u64(r);
        take_entries(r, m);
        return;
    case MESSAGE_APPEND_RESULT:
        m->append_result.term = take_u64(r);
        m->append_result.rejected = take_u64(r);
        m->append_result.last_index = take_u64(r);
        return;
    case MESSAGE_INSTALL_SNAPSHOT:
        m->install_snapshot.term = take_u64(r);
        m->install_snapshot.last_index = take_u64(r);
        m->install_snapshot.last_term = take_u64(r);
        m->install_snapshot.configuration_index = take_u64(r);
        return;
    case MESSAGE_TIMEOUT_NOW:
        m->timeout_now.term = take_u64(r);
        m->timeout_now.last_index = take_u64(r);
        m->timeout_now.last_term = take_u64(r);
        return;
    }
    r->bad = true;
}

void peer_message_encode(const struct peer_message *m, struct buf *out)
{
    buf_append_char(out, PEER_FORMAT_1);
    buf_append_char(out, (char)m->kind);
    switch (m->kind) {
    case PEER_CONSENSUS: put_consensus(out, &m->consensus); break;
    case PEER_PING:
    case PEER_PONG: PUT(out, m->ping.term, m->ping.round); break;
    case PEER_READ:
    case PEER_READ_ANSWER:
        PUT(out, m->read.id, m->read.index);
        put_flag(out, m->read.ok);
        break;
    case PEER_PIECE:
        PUT(out, m->piece.term, m->piece.index, m->piece.index_term, m->piece.configuration_index, m->piece.file_id,
            m->piece.file_bytes, m->piece.offset);
        buf_append_slice(out, m->piece.bytes);
        break;
    case PEER_PIECE_ACK:
        PUT(out, m->ack.index, m->ack.file_id, m->ack.next);
        put_flag(out, m->ack.refused);
        break;
    case PEER_STORE: buf_append_slice(out, m->store); break;
    }
}

static bool take_message(struct reader *r, struct peer_message *m)
{
    switch (m->kind) {
    case PEER_CONSENSUS: take_consensus(r, &m->consensus); return true;
    case PEER_PING:
    case PEER_PONG:
        m->ping.term = take_u64(r);
        m->ping.round = take_u64(r);
        return true;
    case PEER_READ:
    case PEER_READ_ANSWER:
        m->read.id = take_u64(r);
        m->read.index = take_u64(r);
        m->read.ok = take_flag(r);
        return true;
    case PEER_PIECE:
        m->piece.term = take_u64(r);
        m->piece.index = take_u64(r);
        m->piece.index_term = take_u64(r);
        m->piece.configuration_index = take_u64(r);
        m->piece.file_id = take_u64(r);
        m->piece.file_bytes = take_u64(r);
        m->piece.offset = take_u64(r);
        m->piece.bytes = take(r, r->rest.size);
        return true;
    case PEER_PIECE_ACK:
        m->ack.index = take_u64(r);
        m->ack.file_id = take_u64(r);
        m->ack.next = take_u64(r);
        m->ack.refused = take_flag(r);
        return true;
    case PEER_STORE: m->store = take(r, r->rest.size); return true;
    }
    return false;
}

int peer_message_decode(struct slice bytes, uint64_t from, uint64_t to, struct peer_message *ret, struct err *reterr)
{
    struct reader r = {.rest = bytes};
    struct peer_message m = {0};
    uint8_t format = take_u8(&r), kind = take_u8(&r);
    if (r.bad)
        return err_set(reterr, ERR_CORRUPT, "a message of %zu bytes from member %016llx", bytes.size, (unsigned long long)from);
    if (format != PEER_FORMAT_1)
        return err_set(reterr, ERR_FORMAT, "member %016llx sent format %u; this program knows %d", (unsigned long long)from,
                       format, PEER_FORMAT_1);
    m.kind = (enum peer_kind)kind;
    bool known = take_message(&r, &m);
    if (m.kind == PEER_CONSENSUS) {
        m.consensus.from = from;
        m.consensus.to = to;
    }
    if (!known || r.bad || r.rest.size != 0) {
        peer_message_release(&m);
        return err_set(reterr, known ? ERR_CORRUPT : ERR_FORMAT, "member %016llx sent a message of kind %u that does not parse",
                       (unsigned long long)from, kind);
    }
    *ret = m;
    return 0;
}

void peer_message_release(struct peer_message *m)
{
    if (m->kind != PEER_CONSENSUS || m->consensus.kind != MESSAGE_APPEND)
        return;
    for (size_t i = 0; i < m->consensus.entry_count; i++)
        bytes_unref(m->consensus.entries[i].data);
    mem_free(m->consensus.entries);
    m->consensus.entries = NULL;
    m->consensus.entry_count = 0;
}
