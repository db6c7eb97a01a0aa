/* Wires the parts: peers feed the driver, the driver feeds the state machine, whose results and events reach the front. */
#include "common/base.h"

#include "raftstore/raftstore.h"

#include "common/mem.h"
#include "common/tls.h"
#include "raftstore/begin.h"
#include "raftstore/http_keys.h"
#include "raftstore/introduce.h"
#include "raftstore/peer.h"

/*   joining ──added by a leader──▶ running ──raftstore_close──▶ closing
 *      ▲                             ▲
 *      └── folder empty or damaged ──┴── folder good ── raftstore_new */
struct raftstore {
    struct env *env;
    struct raftstore_options options;
    struct identity identity;    /* who this member is */
    struct configuration others; /* that it was told of when it joined; its own log says more as soon as it has one */
    struct rejoin *rejoin;       /* while it joins */
    struct file_save save;       /* of the members, for the day when the log can no longer be read */
    bool saving, save_again, removed;
    bool was_member;             /* a committed configuration held this member */
    struct apply *apply;
    struct peer *peer;
    struct driver *driver;
    struct server *server;
    struct introduction introduction;
    struct http_keys_options keys;
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
    if (member_id != NULL && !parse_id(slice_str(member_id), &o->member_id))
        return err_set(reterr, ERR_BAD_REQUEST, "--member-id must be 16 hexadecimal digits, not all zero");
    if (cluster_id == NULL || !parse_hex(cluster_id, strlen(cluster_id), o->cluster_id, STORE_ID_BYTES))
        return err_set(reterr, ERR_BAD_REQUEST, "--cluster-id must be 32 hexadecimal digits");
    return 0;
}

static struct member *find_member(struct raftstore_options *o, uint64_t id)
{
    for (size_t i = 0; i < o->members.count; i++)
        if (o->members.members[i].id == id)
            return &o->members.members[i];
    return NULL;
}

/* One "HEX16=HOST:PORT"; members are made by --members and only looked up by --clients. */
static int parse_member(struct raftstore_options *o, struct slice item, const char *flag, bool make, struct err *reterr)
{
    struct slice address = item, id_text = slice_cut(&address, '=');
    char text[MEMBER_TEXT_MAX];
    uint64_t id;
    if (!parse_id(id_text, &id) || slice_find(address, ':') == address.size || !member_text(text, address))
        return err_set(reterr, ERR_BAD_REQUEST, "%s: \"%.*s\" is not HEX16=HOST:PORT", flag, SLICE_ARGS(item));
    struct member *m = find_member(o, id);
    if (make && (m != NULL || o->members.count == CONSENSUS_MEMBERS_MAX))
        return err_set(reterr, ERR_BAD_REQUEST, m != NULL ? "%s: member %.*s stands there twice" : "%s: too many members at %.*s",
                       flag, SLICE_ARGS(id_text));
    if (make)
        m = &o->members.members[o->members.count++];
    if (m == NULL)
        return err_set(reterr, ERR_BAD_REQUEST, "%s: member %.*s is not in --members", flag, SLICE_ARGS(id_text));
    m->id = id;
    m->voter = true;
    memcpy(make ? m->peer_address : m->client_address, text, sizeof text);
    return 0;
}

static int parse_list(struct raftstore_options *o, const char *text, const char *flag, bool make, struct err *reterr)
{
    struct slice rest = slice_str(text == NULL ? "" : text);
    int status = rest.size > 0 ? 0 : err_set(reterr, ERR_BAD_REQUEST, "%s is wanted: HEX16=HOST:PORT,…", flag);
    while (status == 0 && rest.size > 0)
        status = parse_member(o, slice_cut(&rest, ','), flag, make, reterr);
    return status;
}

static int parse_join(struct raftstore_options *o, const char *text, struct err *reterr)
{
    struct slice rest = slice_str(text);
    while (rest.size > 0) {
        struct slice item = slice_cut(&rest, ',');
        if (o->join_count == REJOIN_ENDPOINTS_MAX || slice_find(item, ':') == item.size || !member_text(o->join[o->join_count++], item))
            return err_set(reterr, ERR_BAD_REQUEST, "--join: \"%.*s\" is not HOST:PORT, or one too many", SLICE_ARGS(item));
    }
    return o->join_count > 0 ? 0 : err_set(reterr, ERR_BAD_REQUEST, "--join wants client addresses of members: HOST:PORT,…");
}

int raftstore_parse_members(struct raftstore_options *o, const char *members, const char *clients, const char *join,
                            struct err *reterr)
{
    int status = join == NULL ? 0 : parse_join(o, join, reterr);
    if (status != 0 || (join != NULL && members == NULL && clients == NULL))
        return status;
    status = parse_list(o, members, "--members", true, reterr);
    if (status == 0)
        status = parse_list(o, clients, "--clients", false, reterr);
    if (status == 0 && o->member_id == 0)
        status = err_set(reterr, ERR_BAD_REQUEST, "--member-id is wanted: 16 hexadecimal digits");
    if (status == 0 && find_member(o, o->member_id) == NULL)
        status = err_set(reterr, ERR_BAD_REQUEST, "--members does not hold this member's own id %016llx",
                         (unsigned long long)o->member_id);
    return status;
}

/* --- wires --- */

static void close_next(struct raftstore *r);

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

static void save_members(struct raftstore *r);

static void members_saved(struct file_save *s, int status, const struct err *why)
{
    struct raftstore *r = container_of(s, struct raftstore, save);
    r->saving = false;
    if (status != 0 && status != ERR_CANCELED) /* it is a hint for a bad day; the command line is another */
        log_warn(r->env->log, "cannot save the list of members", "why=\"%s\"", why->message);
    if (r->closing)
        close_next(r);
    else if (r->save_again)
        save_members(r);
}

static void save_members(struct raftstore *r)
{
    r->save_again = r->saving;
    if (r->saving)
        return;
    r->saving = true;
    r->save.done = members_saved;
    identity_members_save(&r->save, &r->env->disk, driver_configuration(r->driver, NULL));
}

static void removed(struct raftstore *r)
{
    struct err why;
    if (r->removed)
        return;
    r->removed = true;
    err_set(&why, ERR_IDENTITY, "this member (%016llx) was removed from the cluster; to use this machine for a member again, "
            "start it with an empty data folder and --join", (unsigned long long)r->identity.member_id);
    log_error(r->env->log, "removed from the cluster", "member=%016llx", (unsigned long long)r->identity.member_id);
    r->options.failed(r->options.arg, &why);
}

/* The members that peers must know: those of both configurations, and while there is none those who added us. */
static size_t peers_of(struct raftstore *r, struct peer_member out[2 * CONSENSUS_MEMBERS_MAX], uint64_t *ret_index)
{
    const struct configuration *all[] = {driver_newest(r->driver, ret_index), driver_configuration(r->driver, NULL)};
    size_t n = 0;
    if (all[0]->count == 0)
        all[0] = &r->others;
    for (size_t k = 0; k < ARRAY_LEN(all); k++)
        for (size_t i = 0; i < all[k]->count; i++)
            if (k == 0 || configuration_member(all[0], all[k]->members[i].id) == NULL)
                out[n++] = (struct peer_member){all[k]->members[i].id, all[k]->members[i].peer_address};
    return n;
}

static void on_configured(void *arg)
{
    struct raftstore *r = arg;
    struct peer_member members[2 * CONSENSUS_MEMBERS_MAX];
    uint64_t index;
    if (r->driver == NULL || r->closing)
        return;
    size_t n = peers_of(r, members, &index);
    if (r->peer != NULL)
        peer_configure(r->peer, members, n, index);
    save_members(r);
    /* A snapshot may be older than the change that added this member. */
    bool is_member = configuration_member(driver_configuration(r->driver, NULL), r->identity.member_id) != NULL;
    if (r->was_member && !is_member)
        removed(r);
    r->was_member |= is_member;
}

/* Configurations follow each other by index, and an id is never used again: who was in one and is not in a later one is gone. */
static void on_refused(void *arg, uint64_t member, uint64_t configuration_index, const char *why)
{
    struct raftstore *r = arg;
    uint64_t index;
    if (r->driver == NULL || r->closing)
        return;
    const struct configuration *newest = driver_newest(r->driver, &index);
    if (configuration_index > index && configuration_member(newest, r->identity.member_id) != NULL)
        removed(r);
    else
        log_warn(r->env->log, "a member refuses our connection", "member=%016llx why=\"%s\"", (unsigned long long)member, why);
}

static const struct configuration *get_configuration(void *impl, bool newest)
{
    struct raftstore *r = impl;
    return newest ? driver_newest(r->driver, NULL) : driver_configuration(r->driver, NULL);
}

static void propose_configuration(void *impl, struct proposal *p, const struct configuration *c)
{
    driver_propose_configuration(((struct raftstore *)impl)->driver, p, c);
}

static bool in_sync(void *impl, uint64_t member) { return driver_in_sync(((struct raftstore *)impl)->driver, member); }
static bool can_lose(void *impl, uint64_t member) { return driver_can_lose(((struct raftstore *)impl)->driver, member); }
static bool live(void *impl, uint64_t member) { return driver_live(((struct raftstore *)impl)->driver, member); }
static bool settled(void *impl) { return driver_settled(((struct raftstore *)impl)->driver); }
static bool transferring(void *impl) { return driver_transferring(((struct raftstore *)impl)->driver); }
static int transfer(void *impl, uint64_t to, struct err *reterr) { return driver_transfer(((struct raftstore *)impl)->driver, to, reterr); }
static void propose(void *impl, struct proposal *p) { driver_propose(((struct raftstore *)impl)->driver, p); }
static void read_round(void *impl, struct read_index *r) { driver_read_index(((struct raftstore *)impl)->driver, r); }
static void get_status(void *impl, struct driver_status *ret) { driver_status(((struct raftstore *)impl)->driver, ret); }

static struct mvcc *http_store(void *arg) { return apply_mvcc(((struct raftstore *)arg)->apply); }
static void http_round(void *arg, struct read_index *round) { driver_read_index(((struct raftstore *)arg)->driver, round); }

/* --- life --- */

/* The driver speaks through this, for it is opened first: whether the log can be read decides who this member is. */
static void peer_send(void *impl, uint64_t to, struct slice message, bool bulk)
{
    struct raftstore *r = impl;
    struct transport t = r->peer == NULL ? (struct transport){0} : peer_transport(r->peer);
    if (t.ops != NULL)
        t.ops->send(t.impl, to, message, bulk);
}

static size_t peer_window(void *impl, uint64_t to, bool bulk)
{
    struct raftstore *r = impl;
    struct transport t = r->peer == NULL ? (struct transport){0} : peer_transport(r->peer);
    return t.ops == NULL ? 0 : t.ops->window(t.impl, to, bulk);
}

static const char *advertised_peer(const struct raftstore *r)
{
    return r->options.advertised_peer != NULL ? r->options.advertised_peer : r->options.peer_address;
}

static const char *advertised_client(const struct raftstore *r)
{
    return r->options.advertised_client != NULL ? r->options.advertised_client : r->options.client_address;
}

static int start_peer(struct raftstore *r, struct err *reterr)
{
    struct peer_member members[2 * CONSENSUS_MEMBERS_MAX];
    struct peer_options o = {.member_id = r->identity.member_id, .listen_address = r->options.peer_address, .members = members,
                             .advertised_address = advertised_peer(r), .certificate_name = r->options.peer_name,
                             .tls = r->options.peer_tls, .on_lost = on_lost, .on_refused = on_refused};
    memcpy(o.cluster_id, r->options.cluster_id, sizeof o.cluster_id);
    o.member_count = peers_of(r, members, &o.configuration_index);
    return peer_new(r->env, &o, on_message, r, &r->peer, reterr);
}

static int start_driver(struct raftstore *r, bool founder, struct err *reterr)
{
    static const struct transport_ops ops = {peer_send, peer_window};
    struct driver_options o = {.member_id = r->identity.member_id, .segment_bytes = r->options.segment_bytes,
                               .snapshot_log_bytes = r->options.snapshot_log_bytes,
                               .trailing_bytes = r->options.snapshot_log_bytes / 4, .failed = on_failed,
                               .changed = on_changed, .configured = on_configured, .arg = r};
    memcpy(o.cluster_id, r->options.cluster_id, sizeof o.cluster_id);
    if (founder)
        o.bootstrap = r->options.members;
    r->apply = apply_new(&(struct apply_options){
        .on_events = on_events, .on_result = on_result, .on_entry = on_entry, .on_restored = on_restored, .arg = r});
    int status = driver_new(r->env, &o, apply_machine(r->apply), (struct transport){&ops, r}, &r->driver, reterr);
    if (status != 0) {
        apply_free(r->apply);
        r->apply = NULL;
    }
    return status;
}

static int start_server(struct raftstore *r, struct err *reterr)
{
    struct server_options o = {.member_id = r->identity.member_id, .address = r->options.client_address, .tls = r->options.tls,
                               .apply = r->apply, .roles = r->options.roles, .space_floor_bytes = r->options.space_floor_bytes,
                               .quota_bytes = r->options.quota_bytes, .compact_age_ms = r->options.compact_age_ms,
                               .compact_revisions = r->options.compact_revisions, .compact_bytes = r->options.compact_bytes,
                               .consensus = {.propose = propose, .read_index = read_round, .status = get_status,
                                             .configuration = get_configuration, .propose_configuration = propose_configuration,
                                             .in_sync = in_sync, .can_lose = can_lose, .live = live, .settled = settled, .transfer = transfer,
                                             .transferring = transferring, .impl = r}};
    memcpy(o.cluster_id, r->options.cluster_id, sizeof o.cluster_id);
    return server_new(r->env, &o, &r->server, reterr);
}

/* Behind an open log. */
static int start_front(struct raftstore *r, struct err *reterr)
{
    int status = start_peer(r, reterr);
    if (status == 0)
        status = start_server(r, reterr);
    if (status != 0)
        return status;
    on_configured(r); /* what the driver said before there were peers */
    struct member self = {.id = r->identity.member_id};
    if (r->options.name != NULL && member_text(self.name, slice_str(r->options.name)))
        introduction_begin(&r->introduction, r->env, r->server, &self);
    return 0;
}

/* --- joining --- */

static struct begin_options begin_options(struct raftstore *r)
{
    struct begin_options o = {.member_id = r->options.member_id, .members = &r->options.members, .join = r->options.join,
                              .join_count = r->options.join_count, .existing = r->options.existing, .client_address = advertised_client(r)};
    memcpy(o.cluster_id, r->options.cluster_id, sizeof o.cluster_id);
    return o;
}

static void joined(void *arg, int status, const struct configuration *members, const struct err *why)
{
    struct raftstore *r = arg;
    struct err err = {0};
    r->rejoin = NULL;
    if (status == 0) {
        r->others = *members;
        status = start_driver(r, false, &err);
        why = &err;
    }
    if (status == 0)
        status = start_front(r, &err);
    if (status != 0)
        r->options.failed(r->options.arg, why);
}

static int join(struct raftstore *r, struct err *reterr)
{
    struct rejoin_options o = {.identity = r->identity, .automatic = !r->options.learner, .name = r->options.name,
                               .peer_address = advertised_peer(r), .client_address = advertised_client(r),
                               .tls = r->options.tls, .done = joined, .arg = r};
    struct begin_options begin = begin_options(r);
    begin_endpoints(&r->env->disk, &begin, &r->identity, &o);
    if (o.endpoint_count == 0)
        return err_set(reterr, ERR_IDENTITY, "no other member is known to join: name some with --join");
    log_info(r->env->log, "joins the cluster as a new member", "member=%016llx replaces=%016llx",
             (unsigned long long)r->identity.member_id, (unsigned long long)r->identity.replaces);
    r->rejoin = rejoin_new(r->env, &o);
    return 0;
}

/* With nobody to get everything from, a person must decide. */
static int rejoin_damaged(struct raftstore *r, struct err *reterr)
{
    struct err why = *reterr;
    uint64_t was = r->identity.member_id;
    int status = begin_damaged(&r->identity, &r->env->random, &why, reterr);
    if (status != 0)
        return status;
    log_error(r->env->log, "the log is damaged: this member sets it aside and joins anew", "member=%016llx why=\"%s\"",
              (unsigned long long)was, why.message);
    if (join(r, reterr) != 0)
        return err_set(reterr, why.code, "%s; no other member is known to get everything from: restore a snapshot", why.message);
    return 0;
}

static int begin(struct raftstore *r, struct err *reterr)
{
    struct begin_options o = begin_options(r);
    enum begin_how how;
    int status = begin_look(&r->env->disk, &o, &r->env->random, &r->identity, &how, reterr);
    if (status != 0)
        return status;
    if (how == BEGIN_JOIN)
        return join(r, reterr);
    status = start_driver(r, how == BEGIN_FOUND, reterr);
    if (status == ERR_CORRUPT)
        return rejoin_damaged(r, reterr);
    return status != 0 ? status : start_front(r, reterr);
}

int raftstore_new(struct env *env, const struct raftstore_options *o, struct raftstore **ret, struct err *reterr)
{
    struct raftstore *r = *ret = NEW(struct raftstore);
    r->env = env;
    r->keys = (struct http_keys_options){http_store, http_round, r};
    r->options = *o;
    r->options.tls = o->tls == NULL ? NULL : tls_ref(o->tls);
    r->options.peer_tls = o->peer_tls != NULL ? tls_ref(o->peer_tls) : o->tls == NULL ? NULL : tls_ref(o->tls);
    return begin(r, reterr);
}

/* Front and driver first, because the front waits for what the driver owes it; then peers; then memory. */
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

static void rejoin_is_closed(void *arg)
{
    struct raftstore *r = arg;
    r->rejoin = NULL;
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
    if (r->driver != NULL || r->server != NULL || r->rejoin != NULL || r->saving)
        return;
    if (r->peer != NULL) {
        peer_close(r->peer, peer_is_closed, r);
        return;
    }
    void (*closed)(void *arg) = r->closed;
    void *arg = r->closed_arg;
    apply_free(r->apply);
    tls_unref(r->options.tls);
    tls_unref(r->options.peer_tls);
    mem_free(r);
    closed(arg);
}

void raftstore_close(struct raftstore *r, void (*closed)(void *arg), void *arg)
{
    ASSERT(!r->closing);
    r->closing = true;
    r->closed = closed;
    r->closed_arg = arg;
    introduction_end(&r->introduction);
    if (r->server != NULL)
        server_close(r->server, server_is_closed, r);
    if (r->driver != NULL)
        driver_close(r->driver, driver_is_closed, r);
    if (r->rejoin != NULL)
        rejoin_close(r->rejoin, rejoin_is_closed, r);
    if (r->driver == NULL && r->server == NULL && r->rejoin == NULL)
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
    const struct loop_turns turns = r->env->loop.turns == NULL ? (struct loop_turns){0} : *r->env->loop.turns;
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
        {"raftstore_disk_low", "gauge", m.space_low},
        {"raftstore_no_space_refusals_total", "counter", m.no_space_total},
        {"raftstore_hash_mismatches_total", "counter", m.hash_mismatches_total},
        {"raftstore_scrubs_total", "counter", m.scrubs},
        {"raftstore_scrub_failures_total", "counter", m.scrub_failures},
        {"raftstore_quarantined", "gauge", m.quarantined},
        {"raftstore_loop_longest_turn_milliseconds", "gauge", turns.longest_ms},
        {"raftstore_loop_long_turns_total", "counter", turns.long_count},
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
    const struct configuration *c = driver_newest(r->driver, NULL);
    for (size_t i = 0; i < c->count; i++)
        buf_printf(out, "peer %016llx %s %s connected %d\n", (unsigned long long)c->members[i].id, c->members[i].peer_address,
                   c->members[i].voter ? "voter" : "learner", peer_connected(r->peer, c->members[i].id));
}

/* Keys are for whoever may be a client; over a plain connection nobody can tell, so a flag has to say so. */
static void serve_keys(struct raftstore *r, bool up, struct http_exchange *x)
{
    static const struct http_header json = {{"Content-Type", 12}, {"application/json", 16}};
    struct buf out = {0};
    int status = 0;
    if (!up)
        status = http_keys_error(&out, 503, 300, "Raft Internal Error", SLICE("the member is starting or ending"), 0);
    else if (server_quarantined(r->server))
        status = http_keys_error(&out, 503, 300, "Raft Internal Error", SLICE("this member is quarantined: ask another one"), 0);
    else if (r->options.http_tls && x->request.peer == NULL)
        status = http_keys_error(&out, 401, 110, "The request requires user authentication", SLICE("a client certificate is wanted"), 0);
    else if (!r->options.http_tls && !r->options.http_plain_keys)
        status = http_keys_error(&out, 401, 110, "The request requires user authentication",
                                 SLICE("this listener is plain: --http-tls, or on loopback --http-plain-keys"), 0);
    else if (r->options.http_tls && !roles_allow(r->options.roles, x->request.peer, ROLE_READ, &(struct kv_span){SLICE("\0"), SLICE("\0")}))
        status = http_keys_error(&out, 401, 110, "The request requires user authentication",
                                 SLICE("this certificate may not read all keys, as this view does"), 0);
    if (status == 0)
        http_keys(&r->keys, x);
    else
        http_respond(x, status, &json, 1, buf_slice(&out), NULL);
    buf_release(&out);
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
    if (http_keys_path(path)) {
        serve_keys(r, up, x);
        return;
    }
    if (slice_is(path, "/healthz") || slice_is(path, "/livez")) {
        buf_append_str(&out, "ok\n");
    } else if (slice_is(path, "/readyz") || slice_is(path, "/health")) {
        bool quarantined = up && server_quarantined(r->server), ready = up && d.leader != 0 && !quarantined;
        status = ready ? 200 : 503;
        buf_append_str(&out, slice_is(path, "/health") ? (ready ? "{\"health\":\"true\"}\n" : "{\"health\":\"false\"}\n")
                                                       : (ready ? "ok\n" : r->rejoin != NULL ? "joining the cluster\n"
                                                                   : quarantined ? "quarantined: the state is damaged or differs from the others'; restart\n" : "no leader\n"));
    } else if (up && slice_is(path, "/metrics")) {
        put_metrics(r, &d, &out);
    } else if (up && slice_is(path, "/debug/state")) {
        put_state(r, &d, &out);
    } else {
        status = 404;
        buf_append_str(&out, "known: /healthz /livez /readyz /health /metrics /debug/state /v2/keys\n");
    }
    http_respond(x, status, &text, 1, buf_slice(&out), NULL);
    buf_release(&out);
}
