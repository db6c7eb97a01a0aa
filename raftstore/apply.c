/* Entries to state. One entry holds many commands; each is judged by its client's session, executed at most once, and its
 * result kept until acknowledged. A snapshot is a head (index, time, sessions, leases), in as many pieces as it takes, and
 * then the store's own pieces. Leases live beside the store: which keys hang on them follows from its events. */
#include "common/base.h"

#include "raftstore/apply.h"

#include "raftstore/lease.h"
#include "raftstore/session.h"
#include "raftstore/store_errors.h"
#include "raftstore/store_limits.h"

#include <stdlib.h>

#define SNAPSHOT_PIECE_BYTES (768u * 1024)
#define COMPACT_VERSIONS_PER_ENTRY 512
#define HEAD_FORMAT 2u                          /* of a snapshot's sessions and leases */
#define HEAD_PREFIX_BYTES 9                     /* format, size of the head */
#define HEAD_BYTES_MAX (64u * 1024 * 1024)      /* LEASES_MAX and SESSION_BYTES_MAX allow about half of it */

enum scrubbing { SCRUB_KEYS, SCRUB_SESSIONS, SCRUB_LEASES, SCRUB_KINDS };

struct apply {
    struct apply_options options;
    struct mvcc *mvcc;
    struct sessions sessions;
    struct leases leases;
    uint64_t index, cluster_time_ms;
    enum scrubbing scrubbing; /* what is compared with its sum now */
    struct arena arena;  /* of the command at work */
    struct buf result;
    struct apply_restore *replaced; /* holds the state before the last restore until somebody takes it */
};

static void restore_free(struct apply_restore *r);

/* A key may hang only on a lease that is there. */
static bool lease_known(void *arg, int64_t lease) { return leases_find(&((struct apply *)arg)->leases, lease) != NULL; }

struct apply *apply_new(const struct apply_options *o)
{
    struct apply *a = NEW(struct apply);
    a->options = *o;
    a->mvcc = mvcc_new();
    sessions_init(&a->sessions);
    leases_init(&a->leases);
    mvcc_set_leases(a->mvcc, lease_known, a);
    return a;
}

void apply_free(struct apply *a)
{
    if (a == NULL)
        return;
    mvcc_free(a->mvcc);
    sessions_release(&a->sessions);
    leases_release(&a->leases);
    restore_free(a->replaced);
    arena_clear(&a->arena);
    buf_release(&a->result);
    mem_free(a);
}

struct mvcc *apply_mvcc(struct apply *a) { return a->mvcc; }
uint64_t apply_index(const struct apply *a) { return a->index; }
const struct leases *apply_leases(const struct apply *a) { return &a->leases; }
uint64_t apply_cluster_time_ms(const struct apply *a) { return a->cluster_time_ms; }

uint64_t apply_checkpoint(const struct apply *a)
{
    const uint64_t words[] = {mvcc_hash(a->mvcc), (uint64_t)mvcc_compact_revision(a->mvcc), a->cluster_time_ms, a->sessions.opened,
                              a->sessions.by_id.size, a->sessions.sum.sum, a->leases.by_id.size, a->leases.by_key.size,
                              a->leases.sum.sum, a->index};
    return hash_bytes(slice_of(words, sizeof words));
}

uint64_t apply_hash(const struct apply *a)
{
    const uint64_t words[] = {mvcc_hash(a->mvcc), (uint64_t)mvcc_compact_revision(a->mvcc), a->cluster_time_ms,
                              sessions_hash(&a->sessions), leases_hash(&a->leases), a->index};
    return hash_bytes(slice_of(words, sizeof words));
}

#define SCRUB_PART_COST 64 /* of a session or lease, as bytes */

int apply_scrub(struct apply *a, size_t bytes_max, bool *ret_whole, struct err *reterr)
{
    bool whole = false;
    size_t parts_max = bytes_max / SCRUB_PART_COST + 1;
    int status = a->scrubbing == SCRUB_KEYS       ? mvcc_scrub(a->mvcc, bytes_max, &whole, reterr)
                 : a->scrubbing == SCRUB_SESSIONS ? sessions_scrub(&a->sessions, parts_max, &whole, reterr)
                                                  : leases_scrub(&a->leases, parts_max, &whole, reterr);
    *ret_whole = status == 0 && whole && a->scrubbing == SCRUB_KINDS - 1;
    if (whole)
        a->scrubbing = (a->scrubbing + 1) % SCRUB_KINDS;
    return status;
}

static int decode_txn(const struct store_command *c, struct arena *arena, struct kv_txn *ret, struct err *reterr)
{
    struct unpack u = unpack_of(c->body);
    int status = txn_decode(&u, arena, ret, reterr);
    if (status == 0 && !unpack_done(&u))
        status = err_set(reterr, ERR_INVALID, "malformed transaction: bytes after its end");
    return status;
}

static int refuse_kind(const struct store_command *c, struct err *reterr)
{
    return err_set(reterr, ERR_INVALID, "unknown command %d", (int)c->kind);
}

/* Reads the count and the ids of a command about several leases; false: malformed. */
static bool decode_ids(const struct store_command *c, uint64_t max, struct unpack *ret, uint64_t *ret_count)
{
    *ret = unpack_of(c->body);
    *ret_count = unpack_uint(ret);
    struct unpack ids = *ret;
    for (uint64_t i = 0; i < *ret_count && *ret_count <= max && !ids.bad; i++)
        (void)unpack_int(&ids);
    return *ret_count <= max && unpack_done(&ids);
}

static int check_lease_command(const struct store_command *c, struct err *reterr)
{
    struct unpack u = unpack_of(c->body);
    uint64_t n;
    bool good;
    (void)unpack_int(&u);
    if (c->kind == COMMAND_LEASE_GRANT)
        (void)unpack_int(&u);
    good = c->kind == COMMAND_LEASE_KEEPALIVE ? decode_ids(c, LEASE_KEEPALIVES_PER_COMMAND, &u, &n)
           : c->kind == COMMAND_LEASE_EXPIRE  ? decode_ids(c, LEASE_EXPIRIES_PER_COMMAND, &u, &n)
                                              : unpack_done(&u);
    return good ? 0 : err_set(reterr, ERR_INVALID, "malformed request about leases");
}

int apply_check(const struct store_command *c, struct arena *arena, struct err *reterr)
{
    struct kv_txn txn;
    struct unpack u = unpack_of(c->body);
    switch (c->kind) {
    case COMMAND_TXN: {
        int status = decode_txn(c, arena, &txn, reterr);
        return status != 0 ? status : mvcc_check(&txn, reterr);
    }
    case COMMAND_COMPACT:
        (void)unpack_int(&u);
        return unpack_done(&u) ? 0 : err_set(reterr, ERR_INVALID, "malformed compaction request");
    case COMMAND_SESSION_OPEN: return 0;
    case COMMAND_LEASE_GRANT:
    case COMMAND_LEASE_REVOKE:
    case COMMAND_LEASE_KEEPALIVE: return check_lease_command(c, reterr);
    default: return refuse_kind(c, reterr); /* also of what is the leader's own */
    }
}

struct outcome {
    bool changed;
    const struct kv_event *events;
    size_t event_count;
};

static int execute_txn(struct apply *a, const struct store_command *c, struct outcome *ret, struct err *reterr)
{
    struct kv_txn txn;
    struct kv_txn_result result;
    int status = decode_txn(c, &a->arena, &txn, reterr);
    if (status == 0)
        status = mvcc_apply(a->mvcc, &txn, &a->arena, &result, &ret->events, &ret->event_count, reterr);
    if (status != 0)
        return status;
    ret->changed = ret->event_count > 0;
    result_begin(&a->result, mvcc_revision(a->mvcc), RESULT_TXN);
    txn_result_encode(&a->result, &result);
    if (a->result.size <= STORE_ANSWER_BYTES_MAX)
        return 0;
    return err_set(reterr, ERR_TOO_LARGE, "the transaction %s, but its answer of %zu bytes is too large to send",
                   ret->changed ? "was carried out" : "changed nothing", a->result.size);
}

static int execute_compact(struct apply *a, const struct store_command *c, struct outcome *ret, struct err *reterr)
{
    struct unpack u = unpack_of(c->body);
    int64_t revision = unpack_int(&u);
    int status = unpack_done(&u) ? mvcc_compact(a->mvcc, revision, reterr)
                                 : err_set(reterr, ERR_INVALID, "malformed compaction request");
    if (status != 0)
        return status;
    ret->changed = true;
    result_begin(&a->result, mvcc_revision(a->mvcc), RESULT_NONE);
    return 0;
}

static void result_leases(struct apply *a, const struct lease *const *leases, size_t n)
{
    result_begin(&a->result, mvcc_revision(a->mvcc), RESULT_LEASES);
    pack_uint(&a->result, n);
    for (size_t i = 0; i < n; i++)
        lease_encode(&a->result, leases[i], a->cluster_time_ms, false);
}

static int execute_grant(struct apply *a, const struct store_command *c, struct outcome *ret, struct err *reterr)
{
    struct unpack u = unpack_of(c->body);
    int64_t id = unpack_int(&u), ttl_s = unpack_int(&u);
    int status = unpack_done(&u) ? leases_grant(&a->leases, id, ttl_s, a->cluster_time_ms, reterr)
                                 : check_lease_command(c, reterr);
    if (status != 0)
        return status;
    const struct lease *lease = leases_find(&a->leases, id);
    ret->changed = true;
    result_leases(a, &lease, 1);
    return 0;
}

static int compare_keys(const void *a, const void *b) { return slice_compare(*(const struct slice *)a, *(const struct slice *)b); }

/* Ends a lease: all its keys go in one revision, sorted, because the order they were attached in is not part of the state: a
 * member that was restored from a snapshot has another one. */
static void end_lease(struct apply *a, struct lease *lease, struct outcome *ret)
{
    size_t n = 0;
    struct map_entry *e;
    struct slice *keys = arena_alloc(&a->arena, lease->keys.size * sizeof keys[0]);
    for (size_t at = 0; (e = map_next(&lease->keys, &at)) != NULL;)
        keys[n++] = arena_slice(&a->arena, map_key(e)); /* events show them after the lease is gone */
    if (n > 1)
        qsort(keys, n, sizeof keys[0], compare_keys);
    mvcc_delete_keys(a->mvcc, keys, n, &a->arena, &ret->events, &ret->event_count);
    ret->changed = true;
}

static int execute_revoke(struct apply *a, const struct store_command *c, struct outcome *ret, struct err *reterr)
{
    struct unpack u = unpack_of(c->body);
    int64_t id = unpack_int(&u);
    struct lease *lease = unpack_done(&u) ? leases_find(&a->leases, id) : NULL;
    if (lease == NULL)
        return store_err(reterr, STORE_LEASE_NOT_FOUND, "%016llx", (unsigned long long)id);
    end_lease(a, lease, ret);
    leases_drop(&a->leases, lease);
    result_leases(a, NULL, 0);
    return 0;
}

/* Answers with those that were there; one that is gone is left out, as it is for its holder. */
static int execute_keepalive(struct apply *a, const struct store_command *c, struct outcome *ret, struct err *reterr)
{
    struct unpack u;
    uint64_t n, found = 0;
    if (!decode_ids(c, LEASE_KEEPALIVES_PER_COMMAND, &u, &n))
        return check_lease_command(c, reterr);
    const struct lease **renewed = arena_alloc(&a->arena, (size_t)n * sizeof renewed[0]);
    for (uint64_t i = 0; i < n; i++) {
        struct lease *lease = leases_find(&a->leases, unpack_int(&u));
        if (lease == NULL)
            continue;
        leases_renew(&a->leases, lease, a->cluster_time_ms);
        renewed[found++] = lease;
    }
    ret->changed = true;
    result_leases(a, renewed, (size_t)found);
    return 0;
}

/* Leaves the encoded result in a->result. */
static void execute(struct apply *a, const struct store_command *c, struct outcome *ret)
{
    struct err err;
    int status;
    switch (c->kind) {
    case COMMAND_TXN: status = execute_txn(a, c, ret, &err); break;
    case COMMAND_COMPACT: status = execute_compact(a, c, ret, &err); break;
    case COMMAND_LEASE_GRANT: status = execute_grant(a, c, ret, &err); break;
    case COMMAND_LEASE_REVOKE: status = execute_revoke(a, c, ret, &err); break;
    case COMMAND_LEASE_KEEPALIVE: status = execute_keepalive(a, c, ret, &err); break;
    default: status = refuse_kind(c, &err); break;
    }
    if (status == 0)
        return;
    buf_reset(&a->result);
    result_error(&a->result, mvcc_revision(a->mvcc), status, err.message);
}

static void open_session(struct apply *a, const struct store_command *c)
{
    uint8_t id[STORE_ID_BYTES];
    sessions_open(&a->sessions, c->client, a->cluster_time_ms, id);
    result_begin(&a->result, mvcc_revision(a->mvcc), RESULT_SESSION);
    pack_bytes(&a->result, slice_of(id, sizeof id));
}

static void publish(struct apply *a, const struct outcome *outcome)
{
    if (outcome->event_count == 0)
        return;
    leases_follow(&a->leases, outcome->events, outcome->event_count);
    a->options.on_events(a->options.arg, mvcc_revision(a->mvcc), outcome->events, outcome->event_count);
}

static void run_first_time(struct apply *a, const struct store_command *c, struct session *session)
{
    struct outcome outcome = {0};
    execute(a, c, &outcome);
#ifndef PLANT_NO_SESSION_RESULT
    session_store(&a->sessions, session, c->sequence, buf_slice(&a->result), mvcc_revision(a->mvcc), outcome.changed);
#else
    (void)session;
#endif
    publish(a, &outcome);
}

/* The leader says which leases are over; whether they are is judged by the entry's own time. Each is a revision. */
static void run_expiry(struct apply *a, const struct store_command *c)
{
    struct unpack u;
    uint64_t n;
    if (!decode_ids(c, LEASE_EXPIRIES_PER_COMMAND, &u, &n))
        return; /* only leaders make them; nothing is done on the word of a malformed one */
    for (uint64_t i = 0; i < n; i++) {
        struct outcome outcome = {0};
        struct lease *lease = leases_find(&a->leases, unpack_int(&u));
        if (lease == NULL || lease->expires_ms > a->cluster_time_ms)
            continue;
        end_lease(a, lease, &outcome);
        leases_drop(&a->leases, lease);
        publish(a, &outcome);
    }
}

/* By the leader's retention. Compacted meanwhile by somebody else: nothing is left to do. */
static void run_compact_old(struct apply *a, const struct store_command *c)
{
    struct unpack u = unpack_of(c->body);
    int64_t revision = unpack_int(&u);
    if (unpack_done(&u))
        (void)mvcc_compact(a->mvcc, revision, NULL);
}

static void run_command(struct apply *a, const struct store_command *c)
{
    struct session *session = NULL;
    struct slice known = {0};
    buf_reset(&a->result);
    if (c->kind == COMMAND_SESSION_OPEN) {
        open_session(a, c);
        a->options.on_result(a->options.arg, c, buf_slice(&a->result));
        return;
    }
    if (c->kind == COMMAND_LEASE_EXPIRE) {
        run_expiry(a, c);
        return;
    }
    if (c->kind == COMMAND_COMPACT_OLD) {
        run_compact_old(a, c);
        return;
    }
    switch (sessions_judge(&a->sessions, c, a->cluster_time_ms, &session, &known)) {
    case SESSION_EXECUTE: run_first_time(a, c, session); break;
    case SESSION_REPEAT: buf_append_slice(&a->result, known); break;
    case SESSION_UNKNOWN:
        result_error(&a->result, mvcc_revision(a->mvcc), ERR_OUTCOME_UNKNOWN, "the client's session is not known (any more)");
        break;
    case SESSION_WINDOW:
        result_error(&a->result, mvcc_revision(a->mvcc), ERR_INVALID, "too many writes of one client under way");
        break;
    }
    a->options.on_result(a->options.arg, c, buf_slice(&a->result));
}

static void apply_entry(void *machine, uint64_t index, uint64_t term, struct slice data)
{
    struct apply *a = machine;
    struct unpack u;
    uint64_t stamp;
    (void)term;
    /* Committed by a quorum, so it cannot be refused; and what it does must not be guessed. */
    if (!entry_open(data, &stamp, &u))
        PANIC("log entry %llu has format %u, but this version knows only %u: run a newer one on this member",
              (unsigned long long)index, data.size == 0 ? 0u : (unsigned)(uint8_t)data.data[0], STORE_WIRE_FORMAT);
    a->cluster_time_ms = MAX(a->cluster_time_ms, stamp);
    sessions_expire(&a->sessions, a->cluster_time_ms);
    while (u.in.size > 0) {
        struct store_command c;
        if (!command_decode(&u, &c))
            PANIC("log entry %llu is malformed %zu bytes before its end", (unsigned long long)index, u.in.size);
        run_command(a, &c);
        arena_clear(&a->arena);
    }
    a->index = index;
    if (a->result.capacity > STORE_FRAME_BYTES_MAX)
        buf_release(&a->result);
    (void)mvcc_compact_step(a->mvcc, COMPACT_VERSIONS_PER_ENTRY); /* what is left goes with the next entries */
    if (a->options.on_entry != NULL)
        a->options.on_entry(a->options.arg, index);
}

/* --- snapshots --- */

struct apply_pin {
    struct mvcc *store; /* freed with its last pin when a restore has replaced it meanwhile */
    struct mvcc_pin *mvcc;
    struct buf head;  /* sessions and leases; may be more than a piece */
    size_t head_read; /* bytes of it */
};

static void *apply_pin(void *machine)
{
    struct apply *a = machine;
    struct apply_pin *p = NEW(struct apply_pin);
    p->store = a->mvcc;
    p->mvcc = mvcc_pin(a->mvcc);
    struct buf body = {0};
    pack_uint(&body, a->index);
    pack_uint(&body, a->cluster_time_ms);
    sessions_encode(&a->sessions, &body);
#ifndef PLANT_SNAPSHOT_WITHOUT_LEASES
    leases_encode(&a->leases, &body);
#else
    leases_encode(&(struct leases){0}, &body);
#endif
    buf_append_char(&p->head, HEAD_FORMAT);
    buf_append_be64(&p->head, HEAD_PREFIX_BYTES + body.size);
    buf_append_slice(&p->head, buf_slice(&body));
    buf_release(&body);
    return p;
}

static int apply_read(void *pin, struct buf *out, bool *ret_last, struct err *reterr)
{
    struct apply_pin *p = pin;
    (void)reterr; /* memory cannot fail to be read */
    size_t left = p->head.size - p->head_read, n = MIN(left, (size_t)SNAPSHOT_PIECE_BYTES);
    if (left > 0) {
        buf_append(out, p->head.data + p->head_read, n);
        p->head_read += n;
        *ret_last = false;
        return 0;
    }
    mvcc_pin_read(p->mvcc, SNAPSHOT_PIECE_BYTES, out, ret_last);
    return 0;
}

static void apply_unpin(void *machine, void *pin)
{
    struct apply *a = machine;
    struct apply_pin *p = pin;
    mvcc_unpin(p->store, p->mvcc);
    if (p->store != a->mvcc && !mvcc_pinned(p->store))
        mvcc_free(p->store);
    buf_release(&p->head);
    mem_free(p);
}

struct apply_restore {
    struct mvcc *mvcc;
    struct sessions sessions;
    struct leases leases;
    uint64_t index, cluster_time_ms;
    struct buf head; /* as far as it has come */
    bool head_read, sealed;
};

static void *apply_restore_begin(void *machine)
{
    struct apply_restore *r = NEW(struct apply_restore);
    (void)machine; /* untouched until the end */
    r->mvcc = mvcc_new();
    sessions_init(&r->sessions);
    leases_init(&r->leases);
    return r;
}

/* Sessions and leases: one piece as a rule, more when there are very many. */
static int restore_head(struct apply_restore *r, struct slice piece, struct err *reterr)
{
    if (r->head.size == 0 && (piece.size < HEAD_PREFIX_BYTES || piece.data[0] != HEAD_FORMAT))
        return err_set(reterr, ERR_FORMAT, "snapshot of the store has format %u, but this version knows only %u",
                       piece.size == 0 ? 0u : (unsigned)(uint8_t)piece.data[0], HEAD_FORMAT);
    buf_append_slice(&r->head, piece);
    uint64_t size = be64_at(r->head.data + 1);
    if (size > HEAD_BYTES_MAX || r->head.size > size)
        return err_set(reterr, ERR_CORRUPT, "snapshot of the store: sessions and leases of %llu bytes", (unsigned long long)size);
    if (r->head.size < size)
        return 0;
    struct unpack u = unpack_of(slice_from(buf_slice(&r->head), HEAD_PREFIX_BYTES));
    r->index = unpack_uint(&u);
    r->cluster_time_ms = unpack_uint(&u);
    if (!sessions_decode(&r->sessions, &u) || !leases_decode(&r->leases, &u) || !unpack_done(&u))
        return err_set(reterr, ERR_CORRUPT, "snapshot of the store: malformed sessions or leases");
    buf_release(&r->head);
    r->head_read = true;
    return 0;
}

static int apply_restore_piece(void *restore, struct slice piece, struct err *reterr)
{
    struct apply_restore *r = restore;
    return r->head_read ? mvcc_restore(r->mvcc, piece, reterr) : restore_head(r, piece, reterr);
}

static void restore_free(struct apply_restore *r)
{
    if (r == NULL)
        return;
    mvcc_free(r->mvcc);
    sessions_release(&r->sessions);
    leases_release(&r->leases);
    buf_release(&r->head);
    mem_free(r);
}

static int apply_restore_seal(void *restore, struct err *reterr)
{
    struct apply_restore *r = restore;
    int status = r->sealed ? 0 : mvcc_restore_end(r->mvcc, reterr);
    if (status == 0 && !r->sealed)
        leases_attach_all(&r->leases, r->mvcc);
    r->sealed = status == 0;
    return status;
}

/* The lists' heads are part of the structs, so moving sessions means splicing. */
static void swap_sessions(struct sessions *x, struct sessions *y)
{
    struct list by_use;
    list_init(&by_use);
    list_splice(&by_use, &x->by_use);
    list_splice(&x->by_use, &y->by_use);
    list_splice(&y->by_use, &by_use);
    struct sessions was = *x;
    x->by_id = y->by_id;
    x->opened = y->opened;
    x->result_bytes = y->result_bytes;
    x->sum = y->sum;
    y->by_id = was.by_id;
    y->opened = was.opened;
    y->result_bytes = was.result_bytes;
    y->sum = was.sum;
}

/* What was the machine's is the restore's from now on, and the other way round. */
static void swap_state(struct apply *a, struct apply_restore *r)
{
    struct mvcc *store = a->mvcc;
    struct leases leases = a->leases; /* its nodes are on the heap: moving the struct moves nothing they point to */
    a->mvcc = r->mvcc;
    a->leases = r->leases;
    r->mvcc = mvcc_pinned(store) ? NULL : store; /* else it goes with its last pin */
    r->leases = leases;
    swap_sessions(&a->sessions, &r->sessions);
    mvcc_set_leases(a->mvcc, lease_known, a);
    a->scrubbing = SCRUB_KEYS;
    a->index = r->index;
    a->cluster_time_ms = r->cluster_time_ms;
}

static int apply_restore_end(void *machine, void *restore, bool commit, struct err *reterr)
{
    struct apply *a = machine;
    struct apply_restore *r = restore;
    int status = commit ? apply_restore_seal(r, reterr) : 0;
    if (!commit || status != 0) {
        restore_free(r);
        return status;
    }
    swap_state(a, r);
    restore_free(a->replaced);
    a->replaced = r;
    if (a->options.on_restored != NULL)
        a->options.on_restored(a->options.arg);
    return 0;
}

static void *apply_replaced(void *machine)
{
    struct apply *a = machine;
    void *replaced = a->replaced;
    a->replaced = NULL;
    return replaced;
}

static void apply_free_replaced(void *replaced) { restore_free(replaced); }

static uint64_t machine_hash(void *machine) { return apply_hash(machine); }

static const struct machine_ops apply_ops = {
    .apply = apply_entry,
    .pin = apply_pin,
    .read = apply_read,
    .unpin = apply_unpin,
    .restore_begin = apply_restore_begin,
    .restore_piece = apply_restore_piece,
    .restore_seal = apply_restore_seal,
    .restore_end = apply_restore_end,
    .replaced = apply_replaced,
    .free_replaced = apply_free_replaced,
    .hash = machine_hash,
};

struct machine apply_machine(struct apply *a) { return (struct machine){&apply_ops, a}; }
