/* rsctl endpoint and member: about members rather than keys. */
#include "common/base.h"

#include "tools/rsctl.h"

#include "common/json.h"
#include "common/mem.h"
#include "common/uv_env.h"

#include <stdio.h>
#include <stdlib.h>

#define CHANGE_TIMEOUT_MS 10000 /* a change waits for the one before and for a round of the new members */

/* One endpoint and what it answered. */
struct endpoint {
    const char *address;
    struct rsctl_call call;
    struct store_client *client;
    bool closed;
    uint64_t began_ns, took_ns;
};

static void remember(struct rsctl *r, struct store_call *call)
{
    struct endpoint *e = container_of(container_of(call, struct rsctl_call, call), struct endpoint, call);
    e->took_ns = clock_monotonic_ns(&r->env->clock) - e->began_ns;
}

static void endpoint_closed(void *arg)
{
    struct endpoint *e = arg;
    e->closed = true;
    uv_env_stop(e->call.r->uv);
}

typedef void endpoint_ask(struct store_client *c, struct store_call *call, unsigned timeout_ms);

static void ask_health(struct store_client *c, struct store_call *call, unsigned timeout_ms)
{
    store_member_list(c, call, false, timeout_ms); /* a round as for any read, whatever keys the asker may read */
}

/* Asks all endpoints at once and waits for all. */
static void ask_all(struct rsctl *r, struct endpoint *all, endpoint_ask *ask)
{
    for (size_t i = 0; i < r->endpoint_count; i++) {
        struct endpoint *e = &all[i];
        e->address = r->endpoints[i];
        e->began_ns = clock_monotonic_ns(&r->env->clock);
        rsctl_call_init(&e->call, r, remember);
        e->client = store_client_new(r->env, &(struct store_client_options){
            .endpoints = &r->endpoints[i], .endpoint_count = 1, .pinned = true, .tls = r->tls});
        ask(e->client, &e->call.call, r->flags.timeout_ms);
    }
    for (size_t i = 0; i < r->endpoint_count; i++)
        rsctl_wait(&all[i].call);
    for (size_t i = 0; i < r->endpoint_count; i++)
        store_client_close(all[i].client, endpoint_closed, &all[i]);
    for (size_t i = 0; i < r->endpoint_count; i++)
        while (!all[i].closed)
            uv_env_run(r->uv, NULL, NULL);
}

static void print_rows(struct rsctl *r, struct print_table *t)
{
    if (r->format == RSCTL_TABLE) {
        print_table_out(&r->out, t);
        return;
    }
    for (size_t i = 0; i < t->row_count; i++)
        for (size_t j = 0; j < t->columns; j++)
            buf_printf(&r->out, "%s%s", t->rows[i][j], j + 1 < t->columns ? ", " : "\n");
}

/* Failures of single members: said, and the exit code of all. */
static int print_failures(struct rsctl *r, const struct endpoint *all)
{
    int code = RSCTL_OK;
    for (size_t i = 0; i < r->endpoint_count; i++)
        if (all[i].call.status != 0) {
            fprintf(stderr, "rsctl: %s: %s\n", all[i].address, all[i].call.why.message);
            code = rsctl_exit_of(all[i].call.status);
        }
    return code;
}

static void status_json(struct rsctl *r, const struct endpoint *e, bool first)
{
    const struct store_status_result *s = &e->call.call.status;
    buf_printf(&r->out, "%s{\"Endpoint\":\"%s\",\"Status\":{\"header\":", first ? "" : ",", e->address);
    print_header_json(&r->out, &e->call.call.header);
    buf_printf(&r->out, ",\"version\":\"%s\",\"dbSize\":%llu,\"leader\":%llu,\"raftIndex\":%llu,\"raftTerm\":%llu,"
                        "\"raftAppliedIndex\":%llu,\"compactRevision\":%lld,\"logSize\":%llu,\"isLearner\":%s}}",
               RSCTL_VERSION, (unsigned long long)s->state_bytes, (unsigned long long)s->leader, (unsigned long long)s->last_index,
               (unsigned long long)e->call.call.header.term, (unsigned long long)s->applied_index,
               (long long)s->compact_revision, (unsigned long long)s->log_bytes, s->learner ? "true" : "false");
}

static void status_fields(struct rsctl *r, const struct endpoint *e)
{
    const struct store_status_result *s = &e->call.call.status;
    print_header_fields(&r->out, &e->call.call.header);
    buf_printf(&r->out, "\"Version\" : \"%s\"\n\"DBSize\" : %llu\n\"Leader\" : %llu\n\"IsLearner\" : %s\n\"RaftIndex\" : %llu\n"
                        "\"RaftAppliedIndex\" : %llu\n\"Endpoint\" : \"%s\"\n\n",
               RSCTL_VERSION, (unsigned long long)s->state_bytes, (unsigned long long)s->leader,
               s->learner ? "true" : "false", (unsigned long long)s->last_index, (unsigned long long)s->applied_index, e->address);
}

static void status_row(struct print_table *t, const struct endpoint *e)
{
    const struct store_status_result *s = &e->call.call.status;
    const struct kv_header *h = &e->call.call.header;
    struct arena a = {0};
    const char *cells[] = {
        e->address, arena_printf(&a, "%llx", (unsigned long long)h->member_id), RSCTL_VERSION, print_size(&a, s->state_bytes),
        s->role == STORE_LEADER ? "true" : "false", s->learner ? "true" : "false", arena_printf(&a, "%llu", (unsigned long long)h->term),
        arena_printf(&a, "%llu", (unsigned long long)s->last_index), arena_printf(&a, "%llu", (unsigned long long)s->applied_index),
        arena_printf(&a, "%lld", (long long)h->revision), s->leader == 0 ? "no leader" : ""};
    print_table_add(t, cells);
    arena_clear(&a);
}

static int run_status(struct rsctl *r, struct endpoint *all)
{
    static const char *const names[] = {"ENDPOINT", "ID", "VERSION", "DB SIZE", "IS LEADER", "IS LEARNER", "RAFT TERM",
                                        "RAFT INDEX", "RAFT APPLIED INDEX", "REVISION", "ERRORS"};
    struct print_table t = {.columns = ARRAY_LEN(names), .names = names};
    bool first = true;
    ask_all(r, all, store_status);
    if (r->format == RSCTL_JSON)
        buf_append_char(&r->out, '[');
    for (size_t i = 0; i < r->endpoint_count; i++) {
        if (all[i].call.status != 0)
            continue;
        if (r->format == RSCTL_JSON)
            status_json(r, &all[i], first);
        else if (r->format == RSCTL_FIELDS)
            status_fields(r, &all[i]);
        else
            status_row(&t, &all[i]);
        first = false;
    }
    if (r->format == RSCTL_JSON)
        buf_append_str(&r->out, "]\n");
    else if (r->format != RSCTL_FIELDS)
        print_rows(r, &t);
    print_table_release(&t);
    return print_failures(r, all);
}

static int run_hashkv(struct rsctl *r, struct endpoint *all)
{
    static const char *const names[] = {"ENDPOINT", "HASH", "HASH REVISION", "APPLIED INDEX", "STATE HASH"};
    struct print_table t = {.columns = ARRAY_LEN(names), .names = names};
    ask_all(r, all, store_hashkv);
    for (size_t i = 0; i < r->endpoint_count; i++) {
        const struct store_call *call = &all[i].call.call;
        struct arena a = {0};
        if (all[i].call.status != 0)
            continue;
        if (r->format == RSCTL_JSON) {
            buf_printf(&r->out, "%s{\"Endpoint\":\"%s\",\"HashKV\":{\"header\":", t.row_count == 0 ? "[" : ",", all[i].address);
            print_header_json(&r->out, &call->header);
            buf_printf(&r->out, ",\"hash\":%llu,\"compact_revision\":%lld}}", (unsigned long long)call->hashkv.hash,
                       (long long)call->hashkv.compact_revision);
        }
        if (r->format == RSCTL_FIELDS) {
            print_header_fields(&r->out, &call->header);
            buf_printf(&r->out, "\"Endpoint\" : \"%s\"\n\"Hash\" : %llu\n\"CompactRevision\" : %lld\n\n", all[i].address,
                       (unsigned long long)call->hashkv.hash, (long long)call->hashkv.compact_revision);
        }
        const char *cells[] = {all[i].address, arena_printf(&a, "%016llx", (unsigned long long)call->hashkv.hash),
                               arena_printf(&a, "%lld", (long long)call->header.revision),
                               arena_printf(&a, "%llu", (unsigned long long)call->hashkv.applied_index),
                               arena_printf(&a, "%016llx", (unsigned long long)call->hashkv.state_hash)};
        print_table_add(&t, cells);
        arena_clear(&a);
    }
    if (r->format == RSCTL_JSON)
        buf_append_str(&r->out, t.row_count > 0 ? "]\n" : "[]\n");
    else if (r->format != RSCTL_FIELDS)
        print_rows(r, &t);
    print_table_release(&t);
    return print_failures(r, all);
}

static int run_health(struct rsctl *r, struct endpoint *all)
{
    static const char *const names[] = {"ENDPOINT", "HEALTH", "TOOK", "ERROR"};
    struct print_table t = {.columns = ARRAY_LEN(names), .names = names};
    size_t sick = 0;
    ask_all(r, all, ask_health);
    for (size_t i = 0; i < r->endpoint_count; i++) {
        const struct endpoint *e = &all[i];
        struct arena a = {0};
        bool well = e->call.status == 0;
        const char *took = arena_printf(&a, "%.3fms", (double)(well ? e->took_ns : 0) / 1e6);
        const char *cells[] = {e->address, well ? "true" : "false", took, well ? "" : e->call.why.message};
        sick += !well;
        print_table_add(&t, cells);
        if (r->format == RSCTL_SIMPLE && well)
            buf_printf(&r->out, "%s is healthy: successfully committed proposal: took = %s\n", e->address, took);
        else if (r->format == RSCTL_SIMPLE)
            fprintf(stderr, "%s is unhealthy: failed to commit proposal: %s\n", e->address, e->call.why.message);
        else if (r->format == RSCTL_FIELDS)
            buf_printf(&r->out, "\"Endpoint\" : \"%s\"\n\"Health\" : %s\n\"Took\" : \"%s\"\n\"Error\" : \"%s\"\n\n", e->address,
                       well ? "true" : "false", took, cells[3]);
        else if (r->format == RSCTL_JSON) {
            buf_printf(&r->out, "%s{\"endpoint\":\"%s\",\"health\":%s,\"took\":\"%s\"", i == 0 ? "[" : ",", e->address,
                       well ? "true" : "false", took);
            if (!well) {
                buf_append_str(&r->out, ",\"error\":");
                json_print_string(slice_str(cells[3]), &r->out);
            }
            buf_append_char(&r->out, '}');
        }
        arena_clear(&a);
    }
    if (r->format == RSCTL_TABLE)
        print_table_out(&r->out, &t);
    else if (r->format == RSCTL_JSON)
        buf_append_str(&r->out, "]\n");
    print_table_release(&t);
    if (sick == 0)
        return RSCTL_OK;
    fprintf(stderr, "rsctl: unhealthy cluster: %zu of %zu endpoints\n", sick, r->endpoint_count);
    return RSCTL_UNHEALTHY;
}

/* What the store answered by reference, which is gone after done, is not needed here: statuses and hashes are numbers. */
int rsctl_endpoint(struct rsctl *r)
{
    static const struct {
        const char *name;
        int (*run)(struct rsctl *r, struct endpoint *all);
    } kinds[] = {{"status", run_status}, {"health", run_health}, {"hashkv", run_hashkv}};
    for (size_t i = 0; i < ARRAY_LEN(kinds) && r->argument_count == 1; i++) {
        if (strcmp(r->arguments[0], kinds[i].name) != 0)
            continue;
        struct endpoint *all = mem_zalloc(r->endpoint_count * sizeof all[0]);
        int code = kinds[i].run(r, all);
        mem_free(all);
        return code;
    }
    return rsctl_usage("endpoint wants one of status, health, hashkv");
}

static void members_json(struct rsctl *r, const struct store_call *call)
{
    buf_append_str(&r->out, "{\"header\":");
    print_header_json(&r->out, &call->header);
    buf_append_str(&r->out, ",\"members\":[");
    for (size_t i = 0; i < call->members.count; i++) {
        const struct store_member *m = &call->members.members[i];
        buf_printf(&r->out, "%s{\"ID\":%llu,\"name\":", i > 0 ? "," : "", (unsigned long long)m->id);
        json_print_string(m->name, &r->out);
        buf_append_str(&r->out, ",\"peerURLs\":[");
        json_print_string(m->peer_address, &r->out);
        buf_append_str(&r->out, "],\"clientURLs\":[");
        json_print_string(m->client_address, &r->out);
        buf_append_str(&r->out, m->voter ? "]}" : "],\"isLearner\":true}");
    }
    buf_append_str(&r->out, "]}\n");
}

static void members_fields(struct rsctl *r, const struct store_call *call)
{
    print_header_fields(&r->out, &call->header);
    for (size_t i = 0; i < call->members.count; i++) {
        const struct store_member *m = &call->members.members[i];
        buf_printf(&r->out, "\"ID\" : %llu\n\"Name\" : ", (unsigned long long)m->id);
        print_quoted(&r->out, m->name);
        buf_append_str(&r->out, "\n\"PeerURL\" : ");
        print_quoted(&r->out, m->peer_address);
        buf_append_str(&r->out, "\n\"ClientURL\" : ");
        print_quoted(&r->out, m->client_address);
        buf_printf(&r->out, "\n\"IsLearner\" : %s\n\n", m->voter ? "false" : "true");
    }
}

static void print_members(struct rsctl *r, struct store_call *call)
{
    static const char *const names[] = {"ID", "STATUS", "NAME", "PEER ADDRS", "CLIENT ADDRS", "IS LEARNER"};
    struct print_table t = {.columns = ARRAY_LEN(names), .names = names};
    if (r->format == RSCTL_JSON || r->format == RSCTL_FIELDS) {
        (r->format == RSCTL_JSON ? members_json : members_fields)(r, call);
        return;
    }
    for (size_t i = 0; i < call->members.count; i++) {
        const struct store_member *m = &call->members.members[i];
        struct arena a = {0};
        const char *id = arena_printf(&a, "%016llx", (unsigned long long)m->id);
        /* Who was announced and not started yet has not said where clients reach it. */
        const char *name = m->name.size > 0 ? arena_strdup(&a, m->name) : id;
        const char *cells[] = {id, m->client_address.size > 0 ? "started" : "unstarted", name, arena_strdup(&a, m->peer_address), arena_strdup(&a, m->client_address), m->voter ? "false" : "true"};
        print_table_add(&t, cells);
        arena_clear(&a);
    }
    print_rows(r, &t);
    print_table_release(&t);
}

/* --- changes --- */

/* etcd speaks of URLs; ours are addresses. */
static const char *without_scheme(const char *url)
{
    const char *scheme = url == NULL ? NULL : strstr(url, "://");
    return scheme == NULL ? url : scheme + 3;
}

static bool parse_member_id(const char *text, uint64_t *ret)
{
    char *end;
    if (strspn(text, "0123456789abcdefABCDEF") != strlen(text) || strlen(text) > 16 || text[0] == '\0')
        return false;
    *ret = strtoull(text, &end, 16);
    return *ret != 0;
}

static void print_change(struct rsctl *r, struct store_call *call, const char *what)
{
    if (r->format != RSCTL_SIMPLE) {
        print_members(r, call);
        return;
    }
    buf_printf(&r->out, "Member %16llx %s cluster ", (unsigned long long)r->member.id, what);
    for (size_t i = 0; i < sizeof call->header.cluster_id; i++)
        buf_printf(&r->out, "%02x", call->header.cluster_id[i]);
    buf_append_char(&r->out, '\n');
}

/* And how the new process is to be started, for the id must be the one that was announced. */
static void print_added(struct rsctl *r, struct store_call *call)
{
    print_change(r, call, r->member.automatic ? "added as a learner, promoted when in sync, to" : "added as a learner to");
    if (r->format != RSCTL_SIMPLE)
        return;
    buf_printf(&r->out, "\nraftstore --member-id %016llx --cluster-id ", (unsigned long long)r->member.id);
    for (size_t i = 0; i < sizeof call->header.cluster_id; i++)
        buf_printf(&r->out, "%02x", call->header.cluster_id[i]);
    buf_append_str(&r->out, " --join ");
    bool first = true;
    for (size_t i = 0; i < call->members.count; i++) {
        const struct store_member *m = &call->members.members[i];
        if (m->id == r->member.id || m->client_address.size == 0)
            continue;
        buf_printf(&r->out, "%s%.*s", first ? "" : ",", SLICE_ARGS(m->client_address));
        first = false;
    }
    buf_printf(&r->out, " --name %s --listen-peer %s --listen-client HOST:PORT --data FOLDER …\n", r->member.name, r->member.peer_address);
}

static void print_promoted(struct rsctl *r, struct store_call *call) { print_change(r, call, "promoted in"); }
static void print_removed(struct rsctl *r, struct store_call *call) { print_change(r, call, "removed from"); }
static void print_updated(struct rsctl *r, struct store_call *call) { print_change(r, call, "updated in"); }

static void print_led(struct rsctl *r, struct store_call *call)
{
    if (r->format == RSCTL_JSON)
        members_json(r, call);
    else
        buf_printf(&r->out, "Leadership transferred to %llx\n", (unsigned long long)r->member.id);
}

static int change(struct rsctl *r, void (*print)(struct rsctl *r, struct store_call *call))
{
    struct rsctl_call call;
    rsctl_call_init(&call, r, print);
    unsigned timeout_ms = r->flags.timeout_ms == RSCTL_TIMEOUT_MS ? CHANGE_TIMEOUT_MS : r->flags.timeout_ms; /* unless asked for another */
    store_member_change(rsctl_client(r), &call.call, &r->member, timeout_ms);
    return rsctl_finish(&call);
}

static int run_list(struct rsctl *r)
{
    struct rsctl_call call;
    bool serializable;
    int code = rsctl_serializable(&r->flags, &serializable);
    if (code != RSCTL_OK)
        return code;
    rsctl_call_init(&call, r, print_members);
    store_member_list(rsctl_client(r), &call.call, serializable, r->flags.timeout_ms);
    return rsctl_finish(&call);
}

static int run_add(struct rsctl *r)
{
    r->member = (struct store_member_request){.verb = STORE_MEMBER_ADD, .automatic = !r->flags.learner, .name = r->arguments[1],
                                              .peer_address = without_scheme(r->flags.peer_urls),
                                              .client_address = without_scheme(r->flags.client_urls)};
    if (r->member.peer_address == NULL)
        return rsctl_usage("member add wants --peer-urls HOST:PORT, where the others will reach it");
    while (r->member.id == 0)
        r->member.id = random_u64(&r->env->random);
    return change(r, print_added);
}

static int run_promote(struct rsctl *r)
{
    r->member.verb = STORE_MEMBER_PROMOTE;
    return change(r, print_promoted);
}

static int run_remove(struct rsctl *r)
{
    r->member.verb = STORE_MEMBER_REMOVE;
    r->member.force = r->flags.force;
    return change(r, print_removed);
}

static int run_update(struct rsctl *r)
{
    r->member.verb = STORE_MEMBER_UPDATE;
    r->member.peer_address = without_scheme(r->flags.peer_urls);
    r->member.client_address = without_scheme(r->flags.client_urls);
    if (r->member.peer_address == NULL && r->member.client_address == NULL)
        return rsctl_usage("member update wants --peer-urls or --client-urls HOST:PORT");
    return change(r, print_updated);
}

int rsctl_member(struct rsctl *r)
{
    static const struct {
        const char *name;
        size_t arguments;
        bool id; /* the argument is one */
        int (*run)(struct rsctl *r);
    } verbs[] = {{"list", 1, false, run_list},      {"add", 2, false, run_add},      {"promote", 2, true, run_promote},
                 {"remove", 2, true, run_remove},   {"update", 2, true, run_update}};
    for (size_t i = 0; i < ARRAY_LEN(verbs); i++) {
        if (r->argument_count != verbs[i].arguments || strcmp(r->arguments[0], verbs[i].name) != 0)
            continue;
        if (verbs[i].id && !parse_member_id(r->arguments[1], &r->member.id))
            return rsctl_usage("bad member ID arg (\"%s\"), expecting ID in Hex", r->arguments[1]);
        return verbs[i].run(r);
    }
    return rsctl_usage("member wants one of list, add NAME --peer-urls HOST:PORT, promote ID, remove ID, update ID --peer-urls HOST:PORT");
}

int rsctl_move_leader(struct rsctl *r)
{
    if (r->argument_count != 1 || !parse_member_id(r->arguments[0], &r->member.id))
        return rsctl_usage("move-leader wants the ID of a member, in hexadecimal");
    r->member.verb = STORE_MEMBER_LEAD;
    return change(r, print_led);
}
