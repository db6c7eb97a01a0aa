/* balance: one address in front of the masters. A TCP relay that knows nothing of what it carries: it asks each replica
 * for /readyz every 200 ms, gives new connections to ready ones in turn, and cuts the connections of one that does not
 * answer, so that clients come back to a living one at once. */
#include "common/base.h"
#include "tools/keelson.h"

#include <stdio.h>

#include "common/flags.h"
#include "common/list.h"
#include "common/mem.h"
#include "common/tls.h"
#include "common/uv_env.h"

#define TARGETS_MAX 9
#define PROBE_MS 200
#define PROBE_TIMEOUT_MS 1000
#define FAILURES_UNTIL_DEAD 2 /* of probes in a row that found nobody */
#define CONNECTIONS_MAX 4096
#define PENDING_BYTES_MAX (256 * 1024)
#define CONNECT_TIMEOUT_MS 1000

enum target_state { TARGET_UNKNOWN, TARGET_READY, TARGET_UNREADY, TARGET_DEAD };

struct balance;

struct target {
    struct balance *balance;
    char address[64], url[96];
    enum target_state state;
    unsigned failures;
    struct timer timer;
    struct http_call call;
    bool calling;
    struct list pairs;
};

struct pair {
    struct balance *balance;
    struct net_conn client, server;
    bool client_open, server_open, server_connected; /* not yet closed; connected */
    struct target *target;
    unsigned tried;  /* bit set of targets */
    struct buf held; /* from the client, before the server is there */
    struct list link;
};

struct balance {
    struct uv_env *uv;
    struct env *env;
    struct net_listener listener;
    struct tls *tls;
    struct target targets[TARGETS_MAX];
    size_t target_count, connections;
    unsigned turn;
    bool closing, listening;
};

/* --- relaying --- */

static void pair_connect(struct pair *p);

static void pair_check(struct pair *p)
{
    if (p->client_open || p->server_open)
        return;
    p->balance->connections--;
    list_remove(&p->link);
    buf_release(&p->held);
    mem_free(p);
}

static void other_close(struct pair *p, bool flush)
{
    struct net *net = &p->balance->env->net;
    if (p->client_open)
        net_close(net, &p->client, flush);
    if (p->server_open)
        net_close(net, &p->server, flush);
}

static void forward(struct pair *p, struct net_conn *from, struct net_conn *to, struct slice bytes)
{
    struct net *net = &p->balance->env->net;
    net_write(net, to, &bytes, 1);
    if (to->write_bytes_pending > PENDING_BYTES_MAX)
        net_read_pause(net, from, true);
}

static void on_client_open(struct net_conn *c) { (void)c; } /* waits for its server */

static void on_client_read(struct net_conn *c, struct slice bytes)
{
    struct pair *p = c->data;
    if (p->server_connected) {
        forward(p, &p->client, &p->server, bytes);
        return;
    }
    buf_append_slice(&p->held, bytes);
    if (p->held.size > PENDING_BYTES_MAX)
        net_read_pause(&p->balance->env->net, c, true);
}

static void on_client_close(struct net_conn *c, const struct err *why)
{
    (void)why;
    struct pair *p = c->data;
    p->client_open = false;
    other_close(p, true);
    pair_check(p);
}

static void on_client_drain(struct net_conn *c)
{
    struct pair *p = c->data;
    if (p->server_open && p->server_connected)
        net_read_pause(&p->balance->env->net, &p->server, false);
}

static void on_server_open(struct net_conn *c)
{
    struct pair *p = c->data;
    p->server_connected = true;
    if (p->held.size > 0) {
        struct slice held = buf_slice(&p->held);
        net_write(&p->balance->env->net, c, &held, 1);
        buf_release(&p->held);
    }
    if (p->client_open)
        net_read_pause(&p->balance->env->net, &p->client, false);
}

static void on_server_read(struct net_conn *c, struct slice bytes)
{
    struct pair *p = c->data;
    if (p->client_open)
        forward(p, &p->server, &p->client, bytes);
}

static void on_server_drain(struct net_conn *c)
{
    struct pair *p = c->data;
    if (p->client_open)
        net_read_pause(&p->balance->env->net, &p->client, false);
}

static void on_server_close(struct net_conn *c, const struct err *why)
{
    (void)why;
    struct pair *p = c->data;
    bool connected = p->server_connected;
    p->server_open = p->server_connected = false;
    if (!connected && p->client_open && !p->balance->closing) {
        pair_connect(p); /* nothing was sent yet: the next one */
        return;
    }
    other_close(p, true);
    pair_check(p);
}

static const struct net_conn_callbacks client_callbacks = {
    .on_open = on_client_open, .on_read = on_client_read, .on_close = on_client_close, .on_drain = on_client_drain};
static const struct net_conn_callbacks server_callbacks = {
    .on_open = on_server_open, .on_read = on_server_read, .on_close = on_server_close, .on_drain = on_server_drain};

/* Ready ones in turn, then any that is not known to be dead, then the dead. */
static struct target *target_choose(struct balance *b, unsigned tried)
{
    static const enum target_state order[] = {TARGET_READY, TARGET_UNKNOWN, TARGET_UNREADY, TARGET_DEAD};
    unsigned turn = b->turn++;
    for (size_t o = 0; o < ARRAY_LEN(order); o++)
        for (size_t i = 0; i < b->target_count; i++) {
            size_t at = (turn + i) % b->target_count;
            if (b->targets[at].state == order[o] && (tried >> at & 1) == 0)
                return &b->targets[at];
        }
    return NULL;
}

static void pair_connect(struct pair *p)
{
    struct balance *b = p->balance;
    struct target *t = target_choose(b, p->tried);
    if (t == NULL) {
        other_close(p, false);
        pair_check(p);
        return;
    }
    p->tried |= 1U << (t - b->targets);
    p->target = t;
    list_remove(&p->link);
    list_push_back(&t->pairs, &p->link);
    p->server = (struct net_conn){.callbacks = &server_callbacks, .data = p};
    p->server_open = true;
    struct net_connect_options o = {.address = t->address, .timeout_ms = CONNECT_TIMEOUT_MS, .patient = true};
    net_connect(&b->env->net, &p->server, &o);
}

static struct net_conn *on_accept(struct net_listener *l)
{
    struct balance *b = l->data;
    if (b->connections >= CONNECTIONS_MAX || b->closing)
        return NULL;
    struct pair *p = NEW(struct pair);
    b->connections++;
    p->balance = b;
    list_init(&p->link);
    p->client = (struct net_conn){.callbacks = &client_callbacks, .data = p};
    p->client_open = true;
    pair_connect(p);
    return &p->client;
}

/* --- probing --- */

static void cut(struct target *t)
{
    LIST_FOR_EACH (at, &t->pairs) {
        struct pair *p = container_of(at, struct pair, link);
        if (p->server_connected)
            other_close(p, false);
    }
}

static void state_set(struct target *t, enum target_state state)
{
    static const char *const texts[] = {"unknown", "ready", "not ready", "dead"};
    if (t->state == state)
        return;
    t->state = state;
    log_info(t->balance->env->log, "apiserver", "address=%s state=%s", t->address, texts[state]);
    if (state == TARGET_DEAD)
        cut(t);
}

static void close_check(struct balance *b)
{
    bool calling = false;
    for (size_t i = 0; i < b->target_count; i++)
        calling |= b->targets[i].calling;
    if (b->closing && !calling && b->connections == 0 && !b->listening)
        uv_env_stop(b->uv);
}

static void on_probed(struct http_call *call, int status, const struct err *why)
{
    (void)why;
    struct target *t = call->data;
    t->calling = false;
    buf_release(&call->response);
    buf_release(&call->content_type);
    if (t->balance->closing) {
        close_check(t->balance);
        return;
    }
    t->failures = status < 0 ? t->failures + 1 : 0;
    if (status == 0)
        state_set(t, call->http_status == 200 ? TARGET_READY : TARGET_UNREADY);
    else if (status == ERR_CONNECT || t->failures >= FAILURES_UNTIL_DEAD)
        state_set(t, TARGET_DEAD);
    loop_timer_start(&t->balance->env->loop, &t->timer, PROBE_MS);
}

static void on_probe(struct timer *timer)
{
    struct target *t = container_of(timer, struct target, timer);
    t->calling = true;
    t->call = (struct http_call){.method = "GET", .url = t->url, .tls = t->balance->tls, .timeout_ms = PROBE_TIMEOUT_MS,
                                 .done = on_probed, .data = t};
    http_call_start(&t->balance->env->http, &t->call);
}

/* --- life --- */

static void on_listener_closed(struct net_listener *l)
{
    struct balance *b = l->data;
    b->listening = false;
    close_check(b);
}

static void on_signal(void *arg)
{
    struct balance *b = arg;
    if (b->closing)
        return;
    b->closing = true;
    net_listener_close(&b->env->net, &b->listener);
    for (size_t i = 0; i < b->target_count; i++) {
        loop_timer_stop(&b->env->loop, &b->targets[i].timer);
        if (b->targets[i].calling)
            http_call_cancel(&b->env->http, &b->targets[i].call);
        cut(&b->targets[i]);
    }
    uv_env_stop(b->uv); /* connections end with the process */
}

static int targets_add(struct balance *b, const char *list, struct err *reterr)
{
    struct slice rest = slice_str(list);
    while (rest.size > 0) {
        struct slice one = slice_cut(&rest, ',');
        if (b->target_count == TARGETS_MAX || one.size == 0 || one.size >= sizeof b->targets[0].address)
            return err_set(reterr, ERR_BAD_REQUEST, "--targets %s: 1 to %d of HOST:PORT are needed", list, TARGETS_MAX);
        struct target *t = &b->targets[b->target_count++];
        t->balance = b;
        list_init(&t->pairs);
        (void)snprintf(t->address, sizeof t->address, "%.*s", SLICE_ARGS(one));
        (void)snprintf(t->url, sizeof t->url, "https://%.*s/readyz", SLICE_ARGS(one));
        timer_init(&t->timer, on_probe);
        loop_timer_start(&b->env->loop, &t->timer, 0);
    }
    return b->target_count > 0 ? 0 : err_set(reterr, ERR_BAD_REQUEST, "--targets is missing: see keelson --help");
}

int keelson_balance(struct keelson_args a)
{
    const char *listen = NULL, *targets = "", *ca = NULL, *cert = NULL, *key = NULL;
    const struct flag flags[] = {
        {.name = "listen", .type = FLAG_TEXT, .target = &listen, .help = "HOST:PORT to serve"},
        {.name = "targets", .type = FLAG_TEXT, .target = &targets, .help = "HOST:PORT of the apiservers, with ','"},
        {.name = "ca", .type = FLAG_TEXT, .target = &ca, .help = "CA of the cluster (PEM)"},
        {.name = "cert", .type = FLAG_TEXT, .target = &cert, .help = "client certificate for /readyz"},
        {.name = "key", .type = FLAG_TEXT, .target = &key, .help = "its key"},
        {0},
    };
    struct flags_result result;
    struct err err;
    if (flags_parse(flags, a.argc, a.argv, NULL, &result, &err) < 0)
        return complain(&err) + 1;
    flags_release(&result);
    if (listen == NULL || ca == NULL) {
        (void)fprintf(stderr, "keelson: balance needs --listen, --targets and --ca: see keelson --help\n");
        return 2;
    }
    struct balance *b = NEW(struct balance);
    struct tls_options files = {cert, key, ca, TLS_VERIFY_PEER};
    int rv = tls_new(&files, &b->tls, &err);
    if (rv < 0)
        goto out;
    b->uv = uv_env_new("balance", LOG_INFO);
    uv_env_add_http(b->uv);
    b->env = uv_env_env(b->uv);
    b->listener = (struct net_listener){.on_accept = on_accept, .on_close = on_listener_closed, .data = b};
    struct net_listen_options o = {.address = listen, .patient = true};
    rv = net_listen(&b->env->net, &b->listener, &o, &err);
    if (rv == 0) {
        b->listening = true;
        rv = targets_add(b, targets, &err);
    }
    if (rv == 0)
        uv_env_run(b->uv, on_signal, b);
out:
    tls_unref(b->tls);
    if (rv < 0)
        (void)complain(&err);
    return rv < 0 ? 1 : 0; /* memory and connections go with the process */
}
