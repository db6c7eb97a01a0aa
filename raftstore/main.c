/* raftstore: one member of the store. */
#include "common/base.h"

#include "common/flags.h"
#include "common/http_server.h"
#include "common/tls.h"
#include "common/tls_watch.h"
#include "common/uv_env.h"
#include "raftstore/raftstore.h"

#include <stdio.h>
#include <stdlib.h>

struct program {
    struct raftstore_options options;
    const char *member_id, *cluster_id, *members, *clients, *join, *http_address, *data, *ca, *cert, *key, *peer_ca, *peer_cert,
        *peer_key, *roles, *level;
    struct roles *granted;
    struct uv_env *uv;
    struct raftstore *store;
    struct http_server *http;
    struct tls_watch credentials;
    bool closing, done;
};

static int complain(const struct err *why)
{
    fprintf(stderr, "raftstore: %s\n", why->message);
    return 1;
}

static void stopped(void *arg) { ((struct program *)arg)->done = true; }
static void http_stopped(void *arg) { raftstore_close(((struct program *)arg)->store, stopped, arg); }

static void stop(void *arg)
{
    struct program *p = arg;
    if (p->closing)
        return;
    p->closing = true;
    tls_watch_stop(&p->credentials);
    log_info(uv_env_env(p->uv)->log, "stopping", "member=%s", p->member_id);
    if (p->http != NULL)
        http_server_close(p->http, http_stopped, p);
    else
        http_stopped(p);
}

static void failed(void *arg, const struct err *why)
{
    (void)arg; /* nothing may be acknowledged any more: no clean end */
    fprintf(stderr, why->code == ERR_IDENTITY ? "raftstore: %s\n" : "raftstore: the log failed, this member stops: %s\n", why->message);
    _Exit(1);
}

static int start(struct program *p, struct err *err)
{
    struct tls_options files = {.certificate_file = p->cert, .key_file = p->key, .ca_file = p->ca};
    int status = uv_env_add_disk(p->uv, p->data, err);
    if (status == 0 && (p->cert != NULL || p->key != NULL || p->ca != NULL))
        status = tls_new(&files, &p->options.tls, err);
    files = (struct tls_options){.certificate_file = p->peer_cert, .key_file = p->peer_key, .ca_file = p->peer_ca};
    if (status == 0 && (p->peer_cert != NULL || p->peer_key != NULL || p->peer_ca != NULL))
        status = tls_new(&files, &p->options.peer_tls, err);
    if (status == 0) {
        tls_watch_start(&p->credentials, uv_env_env(p->uv));
        tls_watch_add(&p->credentials, p->options.tls);
        tls_watch_add(&p->credentials, p->options.peer_tls);
    }
    if (status == 0)
        status = raftstore_new(uv_env_env(p->uv), &p->options, &p->store, err);
    if (status == 0 && p->http_address != NULL)
        status = http_server_new(p->uv, &(struct http_server_options){
            .address = p->http_address, .tls = p->options.http_tls ? p->options.tls : NULL, .on_request = raftstore_http, .core = p->store}, &p->http, err);
    return status;
}

static bool on_loopback(const char *address)
{
    return address != NULL && (strncmp(address, "127.", 4) == 0 || strncmp(address, "[::1]:", 6) == 0);
}

static int run(struct program *p)
{
    struct err err = {0};
    enum log_level level;
    if (p->data == NULL || p->options.peer_address == NULL || p->options.client_address == NULL)
        return complain((err_set(&err, ERR_BAD_REQUEST, "--data, --listen-peer and --listen-client are wanted"), &err));
    if (log_level_parse(p->level, &level) != 0)
        return complain((err_set(&err, ERR_BAD_REQUEST, "--log-level must be debug, info, warn or error"), &err));
    if (p->roles != NULL && p->cert == NULL)
        return complain((err_set(&err, ERR_BAD_REQUEST, "--roles wants --ca, --cert and --key: roles go by certificates"), &err));
    if (p->roles != NULL && roles_parse(slice_str(p->roles), &p->granted, &err) != 0)
        return complain(&err);
    p->options.roles = p->granted;
    if (p->options.http_tls && p->cert == NULL)
        return complain((err_set(&err, ERR_BAD_REQUEST, "--http-tls wants --ca, --cert and --key"), &err));
    if (p->options.http_plain_keys && !on_loopback(p->http_address))
        return complain((err_set(&err, ERR_BAD_REQUEST, "--http-plain-keys wants --listen-http on 127.0.0.1 or [::1]: anyone who reaches "
                                                        "it can read every key"), &err));
    if (p->options.compact_revisions < 0)
        return complain((err_set(&err, ERR_BAD_REQUEST, "--auto-compaction-revisions must not be negative"), &err));
    if (raftstore_parse_ids(&p->options, p->member_id, p->cluster_id, &err) != 0 ||
        raftstore_parse_members(&p->options, p->members, p->clients, p->join, &err) != 0)
        return complain(&err);
    p->uv = uv_env_new("raftstore", level);
    int code = start(p, &err) == 0 ? 0 : complain(&err);
    if (code != 0 && p->store != NULL)
        stop(p);
    while (p->store != NULL && !p->done)
        uv_env_run(p->uv, stop, p);
    tls_watch_stop(&p->credentials); /* of one that did not start */
    tls_unref(p->options.tls);
    tls_unref(p->options.peer_tls);
    roles_free(p->granted);
    uv_env_free(p->uv);
    return code;
}

int main(int argc, char **argv)
{
    struct program p = {.level = "info", .options = {.failed = failed}};
    const struct flag flags[] = {
        {"member-id", FLAG_TEXT, &p.member_id, "this member: 16 hexadecimal digits, never used before; with --join it may make its own", 0, NULL},
        {"cluster-id", FLAG_TEXT, &p.cluster_id, "the cluster: 32 hexadecimal digits, the same everywhere", 0, NULL},
        {"members", FLAG_TEXT, &p.members, "members at the cluster's start: HEX16=HOST:PORT,… (peer addresses)", 0, NULL},
        {"clients", FLAG_TEXT, &p.clients, "their client addresses: HEX16=HOST:PORT,…", 0, NULL},
        {"join", FLAG_TEXT, &p.join, "instead of these: client addresses of a cluster to join as a new member: HOST:PORT,…", 0, NULL},
        {"existing", FLAG_BOOL, &p.options.existing, "the cluster exists: an empty data folder was lost and joins as a new member", 0, NULL},
        {"learner", FLAG_BOOL, &p.options.learner, "a member that joins does not vote until it is promoted by hand", 0, NULL},
        {"name", FLAG_TEXT, &p.options.name, "of this member, for people", 0, NULL},
        {"advertise-peer", FLAG_TEXT, &p.options.advertised_peer, "HOST:PORT where other members reach it; else --listen-peer", 0, NULL},
        {"advertise-client", FLAG_TEXT, &p.options.advertised_client, "HOST:PORT where clients reach it; else --listen-client", 0, NULL},
        {"listen-peer", FLAG_TEXT, &p.options.peer_address, "HOST:PORT for other members", 0, NULL},
        {"listen-client", FLAG_TEXT, &p.options.client_address, "HOST:PORT for clients", 0, NULL},
        {"listen-http", FLAG_TEXT, &p.http_address, "HOST:PORT for health and metrics, plain: keep it on loopback", 0, NULL},
        {"http-tls", FLAG_BOOL, &p.options.http_tls, "serve --listen-http with --cert; /v2/keys then wants a client's certificate", 0, NULL},
        {"http-plain-keys", FLAG_BOOL, &p.options.http_plain_keys, "serve /v2/keys without TLS; loopback only", 0, NULL},
        {"data", FLAG_TEXT, &p.data, "folder of log and snapshots, made when missing", 0, NULL},
        {"ca", FLAG_TEXT, &p.ca, "authority that members and clients must have their certificates from", 0, NULL},
        {"cert", FLAG_TEXT, &p.cert, "this member's certificate, for serving and for dialling", 0, NULL},
        {"key", FLAG_TEXT, &p.key, "its key", 0, NULL},
        {"peer-ca", FLAG_TEXT, &p.peer_ca, "authority of members' certificates between each other; else --ca", 0, NULL},
        {"peer-cert", FLAG_TEXT, &p.peer_cert, "this member's certificate for that; else --cert", 0, NULL},
        {"peer-key", FLAG_TEXT, &p.peer_key, "its key", 0, NULL},
        {"peer-name", FLAG_TEXT, &p.options.peer_name, "common name or organization that a member's certificate must have; else any of the authority", 0, NULL},
        {"segment-bytes", FLAG_SIZE, &p.options.segment_bytes, "of one file of the log; 0: 64m", 0, NULL},
        {"snapshot-log-bytes", FLAG_SIZE, &p.options.snapshot_log_bytes, "of log behind the last snapshot before the next; 0: by the size of the state", 0, NULL},
        {"auto-compaction", FLAG_MS, &p.options.compact_age_ms, "age of revisions that are compacted by themselves, in cluster time, such as 1h; 0: none", 0, NULL},
        {"auto-compaction-revisions", FLAG_INT, &p.options.compact_revisions, "how many revisions are kept, and an eighth more; 0: by age only", 0, NULL},
        {"auto-compaction-bytes", FLAG_SIZE, &p.options.compact_bytes, "of state, above which half of the history is compacted at a time; 0: never", 0, NULL},
        {"roles", FLAG_TEXT, &p.roles, "who may do what: cn:NAME|o:NAME|*=read|write|readwrite[:PREFIX]|maintenance|member|all,…; none: everybody everything", 0, NULL},
        {"space-floor", FLAG_SIZE, &p.options.space_floor_bytes, "free bytes of the disk below which only what deletes is taken; 0: 256m, or a hundredth of the disk", 0, NULL},
        {"quota-bytes", FLAG_SIZE, &p.options.quota_bytes, "of state in memory, above which only what deletes is taken; 0: no quota", 0, NULL},
        {"log-level", FLAG_TEXT, &p.level, "debug, info, warn or error", 0, NULL},
        {0},
    };
    struct flags_result parsed;
    struct err err;
    if (flags_parse(flags, argc, argv, getenv, &parsed, &err) != 0)
        return complain(&err);
    struct buf help = {0};
    if (parsed.help)
        flags_help(flags, "Usage: raftstore --member-id … --cluster-id … --members … --clients … --data … [flags]", &help);
    fwrite(help.data == NULL ? "" : help.data, 1, help.size, stdout);
    int code = parsed.help ? 0 : parsed.argument_count == 0 ? run(&p) : 2;
    if (code == 2)
        fprintf(stderr, "raftstore: unexpected argument \"%s\"; --help lists the flags\n", parsed.arguments[0]);
    buf_release(&help);
    flags_release(&parsed);
    return code;
}
