/* What comes over connections and out of entries: frames, requests, answers, peers' messages, configurations, commands. The
 * first byte says as what the rest is read. */
#include "tests/fuzz/fuzz.h"

#include "common/mem.h"
#include "common/wire/frame.h"
#include "raftstore/apply.h"
#include "raftstore/member.h"
#include "raftstore/peer_wire.h"
#include "raftstore/store_wire.h"

static void ignore_events(void *arg, int64_t revision, const struct kv_event *events, size_t n)
{
    (void)arg, (void)revision, (void)events, (void)n;
}
static void ignore_result(void *arg, const struct store_command *c, struct slice result) { (void)arg, (void)c, (void)result; }
static void ignore_entry(void *arg, uint64_t index) { (void)arg, (void)index; }
static void ignore_restored(void *arg) { (void)arg; }

/* Every decoder that a payload could reach, whatever its type byte says. */
static void decode_payload(struct slice payload)
{
    struct arena arena = {0};
    struct err err;
    struct kv_range range;
    struct kv_txn txn;
    struct store_command command;
    struct kv_range_result ranged;
    struct kv_txn_result done;
    struct store_result result;
    struct kv_event event;
    struct member_request member;
    struct unpack u = unpack_of(payload);
    if (range_decode(&u, &range) && range.limit < 0)
        range.limit = 0;
    u = unpack_of(payload);
    if (txn_decode(&u, &arena, &txn, &err) == 0)
        (void)mvcc_check(&txn, &err);
    u = unpack_of(payload);
    if (command_decode(&u, &command))
        (void)apply_check(&command, &arena, &err);
    u = unpack_of(payload);
    if (result_decode(&u, &result) && !range_result_decode(&u, &arena, &ranged))
        arena_clear(&arena);
    u = unpack_of(payload);
    (void)txn_result_decode(&u, &arena, &done);
    u = unpack_of(payload);
    event_decode(&u, &event);
    u = unpack_of(payload);
    (void)member_request_decode(&u, &member);
    arena_clear(&arena);
}

static void read_frames(struct slice in)
{
    struct slice payload;
    struct err err;
    while (frame_next(&in, 1u << 20, &payload, &err) == 1)
        decode_payload(payload.size > 2 ? slice_from(payload, 2) : payload);
}

static void read_peer_message(struct slice in)
{
    struct peer_message m;
    struct err err;
    struct buf again = {0};
    if (peer_message_decode(in, 1, 2, &m, &err) != 0)
        return;
    peer_message_encode(&m, &again);
    peer_message_release(&m);
    buf_release(&again);
}

static void read_configuration(struct slice in)
{
    struct configuration c, d;
    struct err err;
    struct buf again = {0};
    if (configuration_decode(in, &c, &err) != 0)
        return;
    configuration_encode(&c, &again);
    ASSERT(configuration_decode(buf_slice(&again), &d, &err) == 0 && d.count == c.count);
    buf_release(&again);
}

/* What can stand in a log: members let only whole commands in, and end on anything else rather than guess. */
static bool is_entry(struct slice entry)
{
    struct unpack u;
    struct store_command c;
    uint64_t stamp;
    bool good = entry_open(entry, &stamp, &u);
    while (good && u.in.size > 0)
        good = command_decode(&u, &c);
    return good;
}

/* An entry that was committed is applied, whatever its commands ask for, and every member does the same with it. */
static void apply_entries(struct slice in)
{
    static const struct apply_options options = {ignore_events, ignore_result, ignore_entry, ignore_restored, NULL};
    struct apply *a = apply_new(&options), *b = apply_new(&options);
    struct machine m = apply_machine(a), n = apply_machine(b);
    struct buf open = {0};
    entry_begin(&open, 1);
    command_encode(&open, &(struct store_command){.kind = COMMAND_SESSION_OPEN, .client = {1}});
    m.ops->apply(m.impl, 1, 1, buf_slice(&open));
    n.ops->apply(n.impl, 1, 1, buf_slice(&open));
    for (uint64_t index = 2; in.size > 0; index++) {
        struct slice entry = slice_of(in.data, MIN(in.size, (size_t)512));
        if (is_entry(entry)) {
            m.ops->apply(m.impl, index, 1, entry);
            n.ops->apply(n.impl, index, 1, entry);
        }
        in = slice_from(in, entry.size);
    }
    ASSERT(m.ops->hash(m.impl) == n.ops->hash(n.impl));
    apply_free(a);
    apply_free(b);
    buf_release(&open);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0)
        return 0;
    struct slice rest = slice_of((const char *)data + 1, size - 1);
    switch (data[0] % 5) {
    case 0: read_frames(rest); break;
    case 1: decode_payload(rest); break;
    case 2: read_peer_message(rest); break;
    case 3: read_configuration(rest); break;
    default: apply_entries(rest); break;
    }
    return 0;
}

static void seed(void (*add)(void *arg, const char *name, struct slice input), void *arg, const char *name, char kind, const struct buf *b)
{
    struct buf input = {0};
    buf_append_char(&input, kind);
    buf_append_slice(&input, buf_slice(b));
    add(arg, name, buf_slice(&input));
    buf_release(&input);
}

void fuzz_seeds(void (*add)(void *arg, const char *name, struct slice input), void *arg)
{
    struct buf b = {0}, body = {0};
    struct kv_op ops[3] = {
        {.kind = KV_OP_PUT, .put = {.key = SLICE("k"), .value = SLICE("v"), .prev_kv = true}},
        {.kind = KV_OP_RANGE, .range = {.span = {SLICE("a"), SLICE("z")}, .limit = 3, .order = KV_ORDER_DESCEND, .sort = KV_SORT_MOD}},
        {.kind = KV_OP_DELETE, .delete = {.span = {SLICE("d"), SLICE("e")}}},
    };
    struct kv_compare compare = {.span = {.key = SLICE("k")}, .target = KV_COMPARE_MOD, .result = KV_EQUAL, .number = 0};
    txn_encode(&body, &(struct kv_txn){.compares = &compare, .compare_count = 1, .success = ops, .success_count = 3});
    size_t mark = frame_begin(&b);
    wire_begin(&b, STORE_WRITE);
    buf_append_slice(&b, buf_slice(&body));
    frame_end(&b, mark);
    seed(add, arg, "frame", 0, &b);
    seed(add, arg, "txn", 1, &body);

    buf_reset(&b);
    entry_begin(&b, 5);
    command_encode(&b, &(struct store_command){.kind = COMMAND_TXN, .client = {1}, .sequence = 1, .oldest = 1, .body = buf_slice(&body)});
    seed(add, arg, "entry", 4, &b);
    buf_reset(&body);
    pack_int(&body, 7);
    pack_int(&body, 60);
    command_encode(&b, &(struct store_command){.kind = COMMAND_LEASE_GRANT, .client = {1}, .sequence = 2, .oldest = 1, .body = buf_slice(&body)});
    seed(add, arg, "lease", 4, &b);

    struct configuration c = {.count = 2, .members = {{.id = 1, .voter = true, .name = "a", .peer_address = "h:1"}, {.id = 2}}};
    buf_reset(&b);
    configuration_encode(&c, &b);
    seed(add, arg, "configuration", 3, &b);
    buf_reset(&b);
    struct entry entry = {1, ENTRY_COMMAND, bytes_new(SLICE("data"))};
    peer_message_encode(&(struct peer_message){.kind = PEER_CONSENSUS, .consensus = {.kind = MESSAGE_APPEND, .from = 1, .to = 2,
                                                                                      .append = {1, 2, 1, 2}, .entries = &entry, .entry_count = 1}}, &b);
    seed(add, arg, "append", 2, &b);
    buf_reset(&b);
    peer_message_encode(&(struct peer_message){.kind = PEER_STORE, .store = SLICE("\1\13what a server says")}, &b);
    seed(add, arg, "store", 2, &b);
    bytes_unref(entry.data);
    buf_release(&b);
    buf_release(&body);
}
