/* One question:
 *
 *   received ──▶ in the zone ────────────────▶ answered
 *        └─────▶ foreign, or an alias that leads out ──▶ forward: asked upstream ──▶ answered
 *                                                          │ no answer in time: the next server; none left: failed
 * A forward has a socket of its own, so that neither its port nor its number can be guessed from outside. Questions
 * over TCP are forwarded over TCP: their answers may be larger than a datagram. */
#include "common/base.h"

#include "common/mem.h"
#include "netproxy/dns.h"
#include "netproxy/dns_wire.h"
#include "netproxy/model.h"

#include <stdio.h>

#define QUESTION_BYTES_MAX 4096 /* of a client, over TCP as well */
#define ALIASES_MAX 8
#define SILENT_QUESTIONS 3 /* unanswered in a row: the server is silent, and nobody waits for it … */
#define SILENT_MS 5000     /* … but whoever asks first after this time */

struct client {
    struct dns *dns;
    struct net_conn conn;
    struct list link;
    struct timer idle;
    struct buf in;
    bool open;
};

struct forward {
    struct dns *dns;
    struct list link;
    struct net_datagram socket; /* a datagram's */
    struct net_conn conn;       /* a TCP client's */
    struct timer wait;
    struct buf asked;           /* what is sent, under our number */
    struct buf original;        /* what the client sent */
    struct buf in;              /* from the connection */
    char from[NET_ADDRESS_MAX]; /* a datagram's sender */
    struct client *client;      /* TCP; NULL once it has left */
    const struct dns_record *aliases[ALIASES_MAX];
    struct buf alias_text; /* owns what `aliases` borrow: the zone may change meanwhile */
    struct dns_record alias_copies[ALIASES_MAX];
    size_t alias_count;
    size_t answer_bytes;
    size_t upstream;
    bool tcp, socket_open, conn_open, done;
};

struct upstream {
    char address[NET_ADDRESS_MAX];
    unsigned unanswered; /* questions in a row */
    uint64_t asked_ms;
};

struct dns {
    struct env *env;
    struct net_datagram udp;
    struct net_listener tcp;
    struct list clients, forwards;
    size_t client_count, forward_count;
    struct upstream upstreams[DNS_UPSTREAMS_MAX];
    size_t upstream_count;
    const char *domain;
    struct dns_zone zone;
    bool has_zone, udp_open, tcp_open, closing;
    uint64_t questions, answered, missing, forwarded, failed;
    void (*closed)(void *arg);
    void *closed_arg;
};

static void end_if_closed(struct dns *d)
{
    if (!d->closing || d->udp_open || d->tcp_open || !list_empty(&d->clients) || !list_empty(&d->forwards))
        return;
    void (*closed)(void *arg) = d->closed;
    void *arg = d->closed_arg;
    if (d->has_zone)
        dns_zone_release(&d->zone);
    mem_free(d);
    if (closed != NULL)
        closed(arg);
}

/* --- answers --- */

static void send_tcp(struct dns *d, struct net_conn *c, struct slice message)
{
    char size[2] = {(char)(message.size >> 8), (char)message.size};
    const struct slice parts[] = {slice_of(size, sizeof size), message};
    net_write(&d->env->net, c, parts, ARRAY_LEN(parts));
}

/* `client` NULL: a datagram to `to`. */
static void reply(struct dns *d, struct client *client, const char *to, struct slice message)
{
    if (message.size == 0 || message.size > NET_DATAGRAM_MAX)
        return;
    if (client != NULL)
        send_tcp(d, &client->conn, message);
    else
        net_datagram_send(&d->env->net, &d->udp, to, message);
}

static void reply_code(struct dns *d, struct client *client, const char *to, struct slice packet, enum dns_code code)
{
    struct buf out = {0};
    if (dns_wire_answer(packet, code, NULL, 0, NULL, NET_DATAGRAM_MAX, &out) != 0)
        dns_wire_refuse(packet, code, &out);
    d->failed++;
    reply(d, client, to, buf_slice(&out));
    buf_release(&out);
}

/* --- forwards --- */

static void forward_free(struct forward *f)
{
    struct dns *d = f->dns;
    if (f->socket_open || f->conn_open)
        return;
    list_remove(&f->link);
    d->forward_count--;
    buf_release(&f->asked);
    buf_release(&f->original);
    buf_release(&f->alias_text);
    buf_release(&f->in);
    mem_free(f);
    end_if_closed(d);
}

static void forward_end(struct forward *f)
{
    if (f->done)
        return;
    f->done = true;
    loop_timer_stop(&f->dns->env->loop, &f->wait);
    if (f->socket_open)
        net_datagram_close(&f->dns->env->net, &f->socket);
    else if (f->conn_open)
        net_close(&f->dns->env->net, &f->conn, false);
    else
        forward_free(f);
}

static void forward_fail(struct forward *f)
{
    if (!f->tcp || f->client != NULL)
        reply_code(f->dns, f->client, f->from, buf_slice(&f->original), DNS_SERVER_FAILED);
    forward_end(f);
}

/* Its answer, under the client's own number. */
static void forward_answer(struct forward *f, struct slice message)
{
    struct buf out = {0};
    f->dns->upstreams[f->upstream].unanswered = 0;
    if (f->alias_count > 0) {
        if (dns_wire_join(buf_slice(&f->original), f->aliases, f->alias_count, message, f->answer_bytes, &out) != 0) {
            buf_release(&out);
            forward_fail(f);
            return;
        }
    } else {
        buf_append_slice(&out, message);
        memcpy(out.data, f->original.data, 2);
    }
    if (!f->tcp || f->client != NULL)
        reply(f->dns, f->client, f->from, buf_slice(&out));
    buf_release(&out);
    forward_end(f);
}

static bool is_answer(const struct forward *f, struct slice message)
{
    return message.size >= DNS_HEADER_BYTES && memcmp(message.data, f->asked.data, 2) == 0 &&
           ((uint8_t)message.data[2] & 0x80) != 0;
}

static void on_datagram(struct net_datagram *socket, const char *from, struct slice bytes)
{
    struct forward *f = container_of(socket, struct forward, socket);
    if (!f->done && f->upstream < f->dns->upstream_count && strcmp(from, f->dns->upstreams[f->upstream].address) == 0 &&
        is_answer(f, bytes))
        forward_answer(f, bytes);
}

static void on_socket_closed(struct net_datagram *socket)
{
    struct forward *f = container_of(socket, struct forward, socket);
    f->socket_open = false;
    forward_free(f);
}

static void forward_ask(struct forward *f);

static void next_upstream(struct forward *f)
{
    f->dns->upstreams[f->upstream++].unanswered++;
    forward_ask(f);
}

static void upstream_opened(struct net_conn *c)
{
    struct forward *f = container_of(c, struct forward, conn);
    send_tcp(f->dns, c, buf_slice(&f->asked));
}

static void upstream_read(struct net_conn *c, struct slice bytes)
{
    struct forward *f = container_of(c, struct forward, conn);
    if (f->done)
        return;
    buf_append_slice(&f->in, bytes);
    if (f->in.size < 2 || f->in.size < 2 + (size_t)be16_at(f->in.data))
        return;
    struct slice message = slice_of(f->in.data + 2, be16_at(f->in.data));
    if (is_answer(f, message))
        forward_answer(f, message);
    else
        net_close(&f->dns->env->net, c, false); /* the next server, or the end */
}

static void upstream_closed(struct net_conn *c, const struct err *why)
{
    struct forward *f = container_of(c, struct forward, conn);
    (void)why;
    f->conn_open = false;
    if (f->done) {
        forward_free(f);
        return;
    }
    next_upstream(f);
}

static const struct net_conn_callbacks upstream_callbacks = {upstream_opened, upstream_read, upstream_closed, NULL};

/* Clients give up after five seconds: they are told of dead servers sooner, and at once when that is known already. */
static bool is_silent(const struct upstream *u, uint64_t now_ms)
{
    return u->unanswered >= SILENT_QUESTIONS && now_ms - u->asked_ms < SILENT_MS;
}

static void forward_ask(struct forward *f)
{
    struct dns *d = f->dns;
    uint64_t now_ms = clock_monotonic_ms(&d->env->clock);
    while (f->upstream < d->upstream_count && is_silent(&d->upstreams[f->upstream], now_ms))
        f->upstream++;
    if (f->upstream >= d->upstream_count || d->closing) {
        forward_fail(f);
        return;
    }
    struct upstream *u = &d->upstreams[f->upstream];
    u->asked_ms = now_ms;
    loop_timer_start(&d->env->loop, &f->wait, DNS_UPSTREAM_WAIT_MS);
    if (!f->tcp) {
        net_datagram_send(&d->env->net, &f->socket, u->address, buf_slice(&f->asked));
        return;
    }
    buf_reset(&f->in);
    f->conn = (struct net_conn){.callbacks = &upstream_callbacks};
    f->conn_open = true;
    struct net_connect_options o = {.address = u->address, .timeout_ms = DNS_UPSTREAM_WAIT_MS};
    net_connect(&d->env->net, &f->conn, &o);
}

static void forward_waited(struct timer *t)
{
    struct forward *f = container_of(t, struct forward, wait);
    if (f->conn_open) {
        net_close(&f->dns->env->net, &f->conn, false);
        return;
    }
    next_upstream(f);
}

static void keep_aliases(struct forward *f, const struct dns_record *const *aliases, size_t count)
{
    f->alias_count = MIN(count, ARRAY_LEN(f->alias_copies));
    for (size_t i = 0; i < f->alias_count; i++) {
        f->alias_copies[i] = *aliases[i];
        buf_append(&f->alias_text, aliases[i]->name, strlen(aliases[i]->name) + 1);
        buf_append(&f->alias_text, aliases[i]->data, strlen(aliases[i]->data) + 1);
    }
    const char *at = f->alias_text.data;
    for (size_t i = 0; i < f->alias_count; i++) {
        f->alias_copies[i].name = at;
        at += strlen(at) + 1;
        f->alias_copies[i].data = at;
        at += strlen(at) + 1;
        f->aliases[i] = &f->alias_copies[i];
    }
}

/* `aliases`: the question is for what the last of them points at. */
static void forward_start(struct dns *d, struct client *client, const char *from, struct slice packet,
                          const struct dns_question *q, const struct dns_record *const *aliases, size_t alias_count)
{
    if (d->forward_count >= DNS_FORWARDS_MAX || d->upstream_count == 0) {
        reply_code(d, client, from, packet, DNS_SERVER_FAILED);
        return;
    }
    struct forward *f = NEW(struct forward);
    f->dns = d;
    f->client = client;
    f->tcp = client != NULL;
    f->answer_bytes = client != NULL ? NET_DATAGRAM_MAX : q->answer_bytes;
    timer_init(&f->wait, forward_waited);
    list_push_back(&d->forwards, &f->link);
    d->forward_count++;
    d->forwarded++;
    buf_append_slice(&f->original, packet);
    if (from != NULL)
        (void)snprintf(f->from, sizeof f->from, "%s", from);
    keep_aliases(f, aliases, alias_count);
    int rv = 0;
    if (alias_count > 0)
        rv = dns_wire_follow(packet, aliases[alias_count - 1]->data, &f->asked);
    else
        buf_append_slice(&f->asked, packet);
    if (rv == 0) {
        random_fill(&d->env->random, f->asked.data, 2);
        f->socket = (struct net_datagram){.on_receive = on_datagram, .on_close = on_socket_closed};
        if (!f->tcp)
            rv = net_datagram_open(&d->env->net, &f->socket, "0.0.0.0:0", NULL);
        f->socket_open = !f->tcp && rv == 0;
    }
    if (rv == 0)
        forward_ask(f);
    else
        forward_fail(f);
}

/* --- questions --- */

static const struct dns_record *authority(const struct dns *d)
{
    const struct dns_record *found = NULL;
    size_t count = 0;
    (void)dns_zone_find(&d->zone, d->zone.domain, DNS_SOA, &found, 1, &count);
    return count == 1 ? found : NULL;
}

static bool leads_out(const struct dns *d, const struct dns_question *q, const struct dns_record *const *found,
                      size_t count)
{
    const struct dns_record *last = count == 0 ? NULL : found[count - 1];
    return last != NULL && last->type == DNS_CNAME && q->type != DNS_CNAME && q->type != DNS_ANY &&
           !dns_name_within(last->data, d->domain);
}

static void question(struct dns *d, struct client *client, const char *from, struct slice packet)
{
    const struct dns_record *found[DNS_ANSWERS_MAX];
    struct dns_question q;
    enum dns_code code;
    size_t count = 0;
    int rv = dns_wire_parse(packet, &q, &code);
    d->questions++;
    if (rv == ERR_INVALID)
        reply_code(d, client, from, packet, code);
    if (rv != 0)
        return;
    if (q.class != 1) {
        reply_code(d, client, from, packet, DNS_REFUSED);
        return;
    }
    bool ours = dns_name_within(q.name, d->domain);
    if (!d->has_zone && ours) { /* what there is is not known yet: a wrong "no such name" would be remembered */
        reply_code(d, client, from, packet, DNS_SERVER_FAILED);
        return;
    }
    enum dns_outcome outcome = DNS_FOREIGN;
    if (d->has_zone)
        outcome = dns_zone_find(&d->zone, q.name, q.type, found, ARRAY_LEN(found), &count);
    if (outcome == DNS_FOREIGN || (outcome == DNS_FOUND && leads_out(d, &q, found, count))) {
        forward_start(d, client, from, packet, &q, found, count);
        return;
    }
    struct buf out = {0};
    d->answered++;
    d->missing += outcome == DNS_NO_NAME;
    rv = dns_wire_answer(packet, outcome == DNS_NO_NAME ? DNS_NXDOMAIN : DNS_OK, found, count,
                         count == 0 ? authority(d) : NULL, client != NULL ? NET_DATAGRAM_MAX : q.answer_bytes, &out);
    if (rv == 0)
        reply(d, client, from, buf_slice(&out));
    else
        reply_code(d, client, from, packet, DNS_SERVER_FAILED);
    buf_release(&out);
}

static void on_question(struct net_datagram *socket, const char *from, struct slice bytes)
{
    struct dns *d = container_of(socket, struct dns, udp);
    if (!d->closing && bytes.size <= QUESTION_BYTES_MAX)
        question(d, NULL, from, bytes);
}

/* --- clients over TCP --- */

static void client_opened(struct net_conn *c) { (void)c; }

static void client_read(struct net_conn *conn, struct slice bytes)
{
    struct client *c = container_of(conn, struct client, conn);
    buf_append_slice(&c->in, bytes);
    loop_timer_start(&c->dns->env->loop, &c->idle, DNS_CLIENT_IDLE_MS);
    while (c->open && c->in.size >= 2) {
        size_t size = be16_at(c->in.data);
        if (size < DNS_HEADER_BYTES || size > QUESTION_BYTES_MAX) {
            c->open = false;
            net_close(&c->dns->env->net, conn, false);
            return;
        }
        if (c->in.size < 2 + size)
            return;
        question(c->dns, c, NULL, slice_of(c->in.data + 2, size));
        buf_consume(&c->in, 2 + size);
    }
}

static void client_closed(struct net_conn *conn, const struct err *why)
{
    struct client *c = container_of(conn, struct client, conn);
    struct dns *d = c->dns;
    (void)why;
    LIST_FOR_EACH(node, &d->forwards)
    {
        struct forward *f = container_of(node, struct forward, link);
        if (f->client == c)
            f->client = NULL;
    }
    loop_timer_stop(&d->env->loop, &c->idle);
    list_remove(&c->link);
    d->client_count--;
    buf_release(&c->in);
    mem_free(c);
    end_if_closed(d);
}

static void client_idle(struct timer *t)
{
    struct client *c = container_of(t, struct client, idle);
    c->open = false;
    net_close(&c->dns->env->net, &c->conn, false);
}

static const struct net_conn_callbacks client_callbacks = {client_opened, client_read, client_closed, NULL};

static struct net_conn *on_accept(struct net_listener *l)
{
    struct dns *d = container_of(l, struct dns, tcp);
    if (d->closing || d->client_count >= DNS_CLIENTS_MAX)
        return NULL;
    struct client *c = NEW(struct client);
    c->dns = d;
    c->open = true;
    c->conn.callbacks = &client_callbacks;
    timer_init(&c->idle, client_idle);
    list_push_back(&d->clients, &c->link);
    d->client_count++;
    loop_timer_start(&d->env->loop, &c->idle, DNS_CLIENT_IDLE_MS);
    return &c->conn;
}

/* --- the server --- */

static void udp_closed(struct net_datagram *socket)
{
    struct dns *d = container_of(socket, struct dns, udp);
    d->udp_open = false;
    end_if_closed(d);
}

static void tcp_closed(struct net_listener *l)
{
    struct dns *d = container_of(l, struct dns, tcp);
    d->tcp_open = false;
    end_if_closed(d);
}

int dns_new(struct env *env, const struct dns_options *o, struct dns **ret, struct err *reterr)
{
    struct dns *d = NEW(struct dns);
    d->env = env;
    d->domain = o->domain;
    list_init(&d->clients);
    list_init(&d->forwards);
    for (size_t i = 0; i < DNS_UPSTREAMS_MAX && o->upstreams[i] != NULL; i++)
        (void)snprintf(d->upstreams[d->upstream_count++].address, NET_ADDRESS_MAX, "%s", o->upstreams[i]);
    d->udp = (struct net_datagram){.on_receive = on_question, .on_close = udp_closed};
    d->tcp = (struct net_listener){.on_accept = on_accept, .on_close = tcp_closed};
    int rv = net_datagram_open(&env->net, &d->udp, o->listen, reterr);
    d->udp_open = rv == 0;
    if (rv == 0)
        rv = net_listen(&env->net, &d->tcp, &(struct net_listen_options){.address = o->listen}, reterr);
    d->tcp_open = d->udp_open && rv == 0;
    if (rv == 0)
        *ret = d;
    else
        dns_close(d, NULL, NULL);
    return rv;
}

void dns_set_zone(struct dns *d, struct dns_zone *zone)
{
    if (d->has_zone)
        dns_zone_release(&d->zone);
    d->zone = *zone;
    d->has_zone = true;
    *zone = (struct dns_zone){0};
}

void dns_metrics(const struct dns *d, struct buf *out)
{
    buf_printf(out,
               "# TYPE keelson_dns_questions_total counter\nkeelson_dns_questions_total %llu\n"
               "# TYPE keelson_dns_answers_total counter\nkeelson_dns_answers_total{from=\"cluster\"} %llu\n"
               "keelson_dns_answers_total{from=\"upstream\"} %llu\n"
               "# TYPE keelson_dns_missing_total counter\nkeelson_dns_missing_total %llu\n"
               "# TYPE keelson_dns_failed_total counter\nkeelson_dns_failed_total %llu\n",
               (unsigned long long)d->questions, (unsigned long long)d->answered, (unsigned long long)d->forwarded,
               (unsigned long long)d->missing, (unsigned long long)d->failed);
}

void dns_close(struct dns *d, void (*closed)(void *arg), void *arg)
{
    d->closing = true;
    d->closed = closed;
    d->closed_arg = arg;
    LIST_FOR_EACH(node, &d->forwards)
    forward_end(container_of(node, struct forward, link));
    LIST_FOR_EACH(node, &d->clients)
    net_close(&d->env->net, &container_of(node, struct client, link)->conn, false);
    if (d->udp_open)
        net_datagram_close(&d->env->net, &d->udp);
    if (d->tcp_open)
        net_listener_close(&d->env->net, &d->tcp);
    end_if_closed(d);
}

size_t dns_upstreams_read(struct slice text, char ret[DNS_UPSTREAMS_MAX][64])
{
    size_t count = 0;
    while (text.size > 0 && count < DNS_UPSTREAMS_MAX) {
        struct slice line = slice_cut(&text, '\n');
        if (!slice_has_prefix(line, SLICE("nameserver")))
            continue;
        line = slice_from(line, strlen("nameserver"));
        while (line.size > 0 && (line.data[0] == ' ' || line.data[0] == '\t'))
            line = slice_from(line, 1);
        line.size = MIN(slice_find(line, ' '), MIN(slice_find(line, '\t'), slice_find(line, '\r')));
        if (model_ipv4(line))
            (void)snprintf(ret[count++], 64, "%.*s:53", SLICE_ARGS(line));
    }
    return count;
}

static int upstream_read_one(struct slice one, char ret[64], struct err *reterr)
{
    struct slice port = one, address = slice_cut(&port, ':');
    unsigned number = port.size == 0 ? 53 : 0;
    for (size_t i = 0; i < port.size && port.size <= 5; i++)
        number = port.data[i] >= '0' && port.data[i] <= '9' ? number * 10 + (unsigned)(port.data[i] - '0') : UINT16_MAX + 1;
    if (!model_ipv4(address) || number < 1 || number > UINT16_MAX)
        return err_set(reterr, ERR_BAD_REQUEST, "--dns-upstream: '%.*s' is no IPv4 address such as 10.0.0.2 or 10.0.0.2:5353",
                       SLICE_ARGS(one));
    (void)snprintf(ret, 64, "%.*s:%u", SLICE_ARGS(address), number);
    return 0;
}

int dns_upstreams_parse(struct slice list, char ret[DNS_UPSTREAMS_MAX][64], size_t *ret_count, struct err *reterr)
{
    size_t count = 0;
    while (list.size > 0) {
        if (count == DNS_UPSTREAMS_MAX)
            return err_set(reterr, ERR_BAD_REQUEST, "--dns-upstream: at most %d servers", DNS_UPSTREAMS_MAX);
        int rv = upstream_read_one(slice_cut(&list, ','), ret[count++], reterr);
        if (rv != 0)
            return rv;
    }
    *ret_count = count;
    return 0;
}
