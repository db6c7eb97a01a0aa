/* Wires the parts: peers feed the driver, the driver feeds the state machine, whose results and events reach the front. */
#include "common/base.h"

#include "raftstore/raftstore.h"

#include "common/mem.h"
#include "common/tls.h"
#include "raftstore/peer.h"

struct raftstore {
    struct env *env;
    struct raftstore_options options;
    struct apply *apply;
    struct peer *peer;
    struct driver *driver;
    struct server *server;
    bool closing;
    void (*closed)(void *arg);
    void *closed_arg;
};

/* --- options --- */

static bool parse_hex(const char *text, size_t size, uint8_t *ret, size_t bytes)
{
    if (size != 2 * bytes)
        return false;
    for (size_t i = 0; i < size; i++) {
        char c = text[i];
        int v = c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
        if (v < 0)
            return false;
        ret[i / 2] = (uint8_t)(i % 2 == 0 ? v << 4 : ret[i / 2] | v);
    }
    return true;
}

static bool parse_id(struct slice text, uint64_t *ret)
{
    uint8_t bytes[8];
    if (!parse_hex(text.data, text.size, bytes, sizeof bytes))
        return false;
    *ret = be64_at(bytes);
    return *ret != 0;
}

int raftstore_parse_ids(struct raftstore_options *o, const char *member_id, const char *cluster_id, struct err *reterr)
{
    if (member_id == NULL || !parse_id(slice_str(member_id), &o->member_id))
        return err_set(reterr, ERR_BAD_REQUEST, "--member-id must be 16 hexadecimal digits, not all zero");
    if (cluster_id == NULL || !parse_hex(cluster_id, strlen(cluster_id), o->cluster_id, STORE_ID_BYTES))
        return err_set(reterr, ERR_BAD_REQUEST, "--cluster-id must be 32 hexadecimal digits");
    return 0;
}

static struct server_member *find_member(struct raftstore_options *o, uint64_t id)
{
    for (size_t i = 0; i < o->member_count; i++)
        if (o->members[i].id == id)
            return &o->members[i];
    return NULL;
}

/* One "HEX16=HOST:PORT"; members are made by --members and only looked up by --clients. */
static int parse_member(struct raftstore_options *o, struct slice item, const char *flag, bool make, struct err *reterr)
{
    struct slice address = item, id_text = slice_cut(&address, '=');
    uint64_t id;
    if (!parse_id(id_text, &id) || slice_find(address, ':') == address.size || address.size >= SERVER_ADDRESS_MAX)
        return err_set(reterr, ERR_BAD_REQUEST, "%s: \"%.*s\" is not HEX16=HOST:PORT", flag, SLICE_ARGS(item));
    struct server_member *m = find_member(o, id);
    if (make && (m != NULL || o->member_count == CONSENSUS_MEMBERS_MAX))
        return err_set(reterr, ERR_BAD_REQUEST, m != NULL ? "%s: member %.*s stands there twice" : "%s: too many members at %.*s",
                       flag, SLICE_ARGS(id_text));
    if (make)
        m = &o->members[o->member_count++];
    if (m == NULL)
        return err_set(reterr, ERR_BAD_REQUEST, "%s: member %.*s is not in --members", flag, SLICE_ARGS(id_text));
    m->id = id;
    char *into = make ? m->peer_address : m->client_address;
    memcpy(into, address.data, address.size);
    into[address.size] = '\0';
    return 0;
}

static int parse_list(struct raftstore_options *o, const char *text, const char *flag, bool make, struct err *reterr)
{
    struct slice rest = slice_str(text);
    int status = rest.size > 0 ? 0 : err_set(reterr, ERR_BAD_REQUEST, "%s is wanted: HEX16=HOST:PORT,…", flag);
    while (status == 0 && rest.size > 0)
        status = parse_member(o, slice_cut(&rest, ','), flag, make, reterr);
    return status;
}

int raftstore_parse_members(struct raftstore_options *o, const char *members, const char *clients, struct err *reterr)
{
    int status = parse_list(o, members, "--members", true, reterr);
    if (status == 0)
        status = parse_list(o, clients, "--clients", false, reterr);
    if (status == 0 && find_member(o, o->member_id) == NULL)
        status = err_set(reterr, ERR_BAD_REQUEST, "--members does not hold this member's own id %016llx",
                         (unsigned long long)o->member_id);
    return status;
}

/* --- wires --- */

static void on_message(void *arg, uint64_t from, struct slice message)
{
    struct raftstore *r = arg;
    struct err why;
    if (r->driver == NULL)
        return; /* starting or closing; the sender repeats what matters */
    if (driver_receive(r->driver, from, message, &why) != 0)
        log_warn(r->env->log, "refused a member's message", "member=%016llx why=\"%s\"", (unsigned long long)from, why.message);
}

static void on_lost(void *arg, uint64_t member)
{
    struct raftstore *r = arg;
    if (r->driver != NULL && !r->closing)
        driver_peer_lost(r->driver, member);
}

static void on_events(void *arg, int64_t revision, const struct kv_event *events, size_t n)
{
    struct raftstore *r = arg;
    if (r->server != NULL)
        server_events(r->server, revision, events, n);
}

static void on_result(void *arg, const struct store_command *c, struct slice result)
{
    struct raftstore *r = arg;
    if (r->server != NULL)
        server_result(r->server, c, result);
}

static void on_entry(void *arg, uint64_t index)
{
    struct raftstore *r = arg;
    if (r->server != NULL)
        server_entry(r->server, index);
}

static void on_restored(void *arg)
{
    struct raftstore *r = arg;
    if (r->server != NULL)
        server_restored(r->server);
}

static void on_changed(void *arg)
{
    struct raftstore *r = arg;
    struct driver_status s;
    if (r->driver == NULL || r->closing)
        return;
    driver_status(r->driver, &s);
    log_info(r->env->log, s.role == ROLE_LEADER ? "leads" : s.role == ROLE_CANDIDATE ? "asks for votes" : "follows",
             "term=%llu leader=%016llx", (unsigned long long)s.term, (unsigned long long)s.leader);
    if (r->server != NULL)
        server_changed(r->server);
}

static void on_failed(void *arg, const struct err *why)
{
    struct raftstore *r = arg;
    r->options.failed(r->options.arg, why);
}

static void propose(void *impl, struct proposal *p) { driver_propose(((struct raftstore *)impl)->driver, p); }
static void read_round(void *impl, struct read_index *r) { driver_read_index(((struct raftstore *)impl)->driver, r); }
static void get_status(void *impl, struct driver_status *ret) { driver_status(((struct raftstore *)impl)->driver, ret); }

/* --- life --- */

static int start_peer(struct raftstore *r, struct err *reterr)
{
    struct peer_member members[CONSENSUS_MEMBERS_MAX];
    struct peer_options o = {.member_id = r->options.member_id, .listen_address = r->options.peer_address, .members = members,
                             .member_count = r->options.member_count, .tls = r->options.tls, .on_lost = on_lost};
    memcpy(o.cluster_id, r->options.cluster_id, sizeof o.cluster_id);
    for (size_t i = 0; i < r->options.member_count; i++)
        members[i] = (struct peer_member){r->options.members[i].id, r->options.members[i].peer_address};
    return peer_new(r->env, &o, on_message, r, &r->peer, reterr);
}

static int start_driver(struct raftstore *r, struct err *reterr)
{
    struct driver_options o = {.member_id = r->options.member_id, .segment_bytes = r->options.segment_bytes, .failed = on_failed,
                               .changed = on_changed, .arg = r};
    memcpy(o.cluster_id, r->options.cluster_id, sizeof o.cluster_id);
    for (size_t i = 0; i < r->options.member_count; i++)
        o.bootstrap.members[o.bootstrap.count++] = (struct member){.id = r->options.members[i].id, .voter = true};
    return driver_new(r->env, &o, apply_machine(r->apply), peer_transport(r->peer), &r->driver, reterr);
}

static int start_server(struct raftstore *r, struct err *reterr)
{
    struct server_options o = {.member_id = r->options.member_id, .member_count = r->options.member_count,
                               .address = r->options.client_address, .tls = r->options.tls, .apply = r->apply,
                               .consensus = {propose, read_round, get_status, r}};
    memcpy(o.cluster_id, r->options.cluster_id, sizeof o.cluster_id);
    memcpy(o.members, r->options.members, sizeof o.members);
    return server_new(r->env, &o, &r->server, reterr);
}

int raftstore_new(struct env *env, const struct raftstore_options *o, struct raftstore **ret, struct err *reterr)
{
    struct raftstore *r = *ret = NEW(struct raftstore);
    r->env = env;
    r->options = *o;
    r->options.tls = o->tls == NULL ? NULL : tls_ref(o->tls);
    r->apply = apply_new(&(struct apply_options){
        .on_events = on_events, .on_result = on_result, .on_entry = on_entry, .on_restored = on_restored, .arg = r});
    int status = start_peer(r, reterr);
    if (status == 0)
        status = start_driver(r, reterr);
    if (status == 0)
        status = start_server(r, reterr);
    return status;
}

/* Front and driver first, because the front waits for what the driver owes it; then peers; then memory. */
static void close_next(struct raftstore *r);

static void peer_is_closed(void *arg)
{
    struct raftstore *r = arg;
    r->peer = NULL;
    close_next(r);
}

static void driver_is_closed(void *arg)
{
    struct raftstore *r = arg;
    r->driver = NULL;
    close_next(r);
}

static void server_is_closed(void *arg)
{
    struct raftstore *r = arg;
    r->server = NULL;
    close_next(r);
}

static void close_next(struct raftstore *r)
{
    if (r->driver != NULL || r->server != NULL)
        return;
    if (r->peer != NULL) {
        peer_close(r->peer, peer_is_closed, r);
        return;
    }
    void (*closed)(void *arg) = r->closed;
    void *arg = r->closed_arg;
    apply_free(r->apply);
    tls_unref(r->options.tls);
    mem_free(r);
    closed(arg);
}

void raftstore_close(struct raftstore *r, void (*closed)(void *arg), void *arg)
{
    ASSERT(!r->closing);
    r->closing = true;
    r->closed = closed;
    r->closed_arg = arg;
    if (r->server != NULL)
        server_close(r->server, server_is_closed, r);
    if (r->driver != NULL)
        driver_close(r->driver, driver_is_closed, r);
    if (r->driver == NULL && r->server == NULL)
        close_next(r);
}

/* --- http --- */

static const char *role_name(enum role role)
{
    return role == ROLE_LEADER ? "leader" : role == ROLE_CANDIDATE ? "candidate" : "follower";
}

static void put_metrics(struct raftstore *r, const struct driver_status *d, struct buf *out)
{
    struct server_metrics m;
    struct mvcc *store = apply_mvcc(r->apply);
    server_metrics(r->server, &m);
    const struct {
        const char *name, *type;
        uint64_t value;
    } rows[] = {
        {"raftstore_is_leader", "gauge", d->role == ROLE_LEADER},
        {"raftstore_has_leader", "gauge", d->leader != 0},
        {"raftstore_term", "gauge", d->term},
        {"raftstore_commit_index", "gauge", d->commit_index},
        {"raftstore_applied_index", "gauge", d->applied_index},
        {"raftstore_log_bytes", "gauge", d->log_bytes},
        {"raftstore_revision", "gauge", (uint64_t)mvcc_revision(store)},
        {"raftstore_compact_revision", "gauge", (uint64_t)mvcc_compact_revision(store)},
        {"raftstore_state_bytes", "gauge", mvcc_bytes(store)},
        {"raftstore_connections", "gauge", m.connections},
        {"raftstore_watches", "gauge", m.watches},
        {"raftstore_writes_waiting", "gauge", m.writes_waiting},
        {"raftstore_requests_total", "counter", m.requests_total},
        {"raftstore_entries_proposed_total", "counter", m.entries_proposed},
        {"raftstore_watch_events_total", "counter", m.events_sent},
        {"raftstore_slow_clients_closed_total", "counter", m.slow_closed},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        buf_printf(out, "# TYPE %s %s\n%s %llu\n", rows[i].name, rows[i].type, rows[i].name, (unsigned long long)rows[i].value);
}

static void put_state(struct raftstore *r, const struct driver_status *d, struct buf *out)
{
    buf_printf(out, "member %016llx role %s leader %016llx term %llu commit %llu applied %llu last %llu first %llu snapshot %llu\n",
               (unsigned long long)d->member_id, role_name(d->role), (unsigned long long)d->leader, (unsigned long long)d->term,
               (unsigned long long)d->commit_index, (unsigned long long)d->applied_index, (unsigned long long)d->last_index,
               (unsigned long long)d->first_index, (unsigned long long)d->snapshot_index);
    for (size_t i = 0; i < r->options.member_count; i++)
        buf_printf(out, "peer %016llx %s connected %d\n", (unsigned long long)r->options.members[i].id,
                   r->options.members[i].peer_address, peer_connected(r->peer, r->options.members[i].id));
}

void raftstore_http(void *core, struct http_exchange *x)
{
    static const struct http_header text = {{"Content-Type", 12}, {"text/plain", 10}};
    struct raftstore *r = core;
    struct buf out = {0};
    struct driver_status d = {0};
    struct slice path = x->request.path;
    bool up = !r->closing && r->driver != NULL && r->server != NULL;
    int status = 200;
    if (up)
        driver_status(r->driver, &d);
    if (slice_is(path, "/healthz") || slice_is(path, "/livez")) {
        buf_append_str(&out, "ok\n");
    } else if (slice_is(path, "/readyz") || slice_is(path, "/health")) {
        bool ready = up && d.leader != 0;
        status = ready ? 200 : 503;
        buf_append_str(&out, slice_is(path, "/health") ? (ready ? "{\"health\":\"true\"}\n" : "{\"health\":\"false\"}\n")
                                                       : (ready ? "ok\n" : "no leader\n"));
    } else if (up && slice_is(path, "/metrics")) {
        put_metrics(r, &d, &out);
    } else if (up && slice_is(path, "/debug/state")) {
        put_state(r, &d, &out);
    } else {
        status = 404;
        buf_append_str(&out, "known: /healthz /livez /readyz /health /metrics /debug/state\n");
    }
    http_respond(x, status, &text, 1, buf_slice(&out), NULL);
    buf_release(&out);
}
