/* The connection to the leader, which carries what this member passes on: writes, requests about the membership, reports. It is
 * made when it is needed. Once it is open, or lost, what went before may be lost: that is sent again by whoever keeps it. */
#include "common/base.h"

#include "common/mem.h"
#include "common/wire/frame.h"
#include "raftstore/server_internal.h"

struct forward_link {
    struct net_conn net;
    struct server *server;
    struct buf in;
    uint64_t leader;
    bool welcomed, closing;
};

static void link_send(struct forward_link *l, enum store_frame type, struct slice values)
{
    struct buf *out = &l->server->scratch;
    buf_reset(out);
    size_t mark = frame_begin(out);
    wire_begin(out, type);
    buf_append_slice(out, values);
    frame_end(out, mark);
    struct slice part = buf_slice(out);
    net_write(&l->server->env->net, &l->net, &part, 1);
}

static void link_open(struct net_conn *net)
{
    struct forward_link *l = container_of(net, struct forward_link, net);
    struct buf hello = {0};
    pack_bytes(&hello, slice_of(l->server->options.cluster_id, STORE_ID_BYTES));
    pack_uint(&hello, l->server->options.member_id);
    link_send(l, STORE_HELLO, buf_slice(&hello));
    buf_release(&hello);
}

static void link_bounced(struct forward_link *l, struct unpack *u)
{
    struct slice client = unpack_bytes(u);
    uint64_t sequence = unpack_uint(u);
    int64_t status = unpack_int(u);
    if (!u->bad && client.size == STORE_ID_BYTES)
        write_bounced(l->server, (const uint8_t *)client.data, sequence, (int)status);
}

static void link_verdict(struct forward_link *l, struct unpack *u)
{
    bool guilty = unpack_bool(u);
    if (unpack_done(u) && guilty)
        server_quarantine(l->server, "the leader and a majority have another state");
}

static void link_frame(struct forward_link *l, struct slice payload)
{
    if (payload.size < 2 || payload.data[0] != STORE_WIRE_FORMAT)
        return; /* another version's: the writes are retried and in the end refused */
    struct unpack u = unpack_of(slice_from(payload, 2));
    switch (payload.data[1]) {
    case STORE_WELCOME:
        l->welcomed = true;
        writes_unsend(l->server);
        members_unsend(l->server);
        writes_tick(l->server);
        members_tick(l->server);
        break;
    case STORE_RESULT: member_link_result(l->server, &u); break;
    case STORE_BOUNCED: link_bounced(l, &u); break;
    case STORE_VERDICT: link_verdict(l, &u); break;
    case STORE_REFUSED:
        (void)unpack_int(&u);
        struct slice why = unpack_bytes(&u);
        log_warn(l->server->env->log, "the leader refused forwarded writes", "why=\"%.*s\"", SLICE_ARGS(why));
        break;
    default: break;
    }
}

static void link_read(struct net_conn *net, struct slice bytes)
{
    struct forward_link *l = container_of(net, struct forward_link, net);
    struct slice payload;
    int rv = 0;
    buf_append_slice(&l->in, bytes);
    struct slice rest = buf_slice(&l->in);
    while (!l->closing && (rv = frame_next(&rest, STORE_FRAME_BYTES_MAX, &payload, NULL)) == 1)
        link_frame(l, payload);
    buf_consume(&l->in, l->in.size - rest.size);
    if (rv < 0 && !l->closing) {
        l->closing = true;
        net_close(&l->server->env->net, net, false);
    }
}

static void link_closed(struct net_conn *net, const struct err *why)
{
    struct forward_link *l = container_of(net, struct forward_link, net);
    struct server *s = l->server;
    log_debug(s->env->log, "the connection to the leader ended", "why=\"%s\"", why->message);
    buf_release(&l->in);
    mem_free(l);
    s->link = NULL;
    if (!s->closing) {
        writes_unsend(s);
        members_unsend(s);
    }
    server_finish_close(s);
}

void link_close(struct server *s)
{
    if (s->link == NULL || s->link->closing)
        return;
    s->link->closing = true;
    net_close(&s->env->net, &s->link->net, false);
}

static void link_connect(struct server *s, uint64_t leader)
{
    static const struct net_conn_callbacks callbacks = {.on_open = link_open, .on_read = link_read, .on_close = link_closed};
    const struct member *m = configuration_member(server_configuration(s, true), leader);
    if (m == NULL || m->client_address[0] == '\0')
        return; /* we have not heard of it yet, or it has not said */
    struct forward_link *l = s->link = NEW(struct forward_link);
    l->server = s;
    l->leader = leader;
    l->net.callbacks = &callbacks;
    net_connect(&s->env->net, &l->net, &(struct net_connect_options){.address = m->client_address, .tls = s->options.tls, .timeout_ms = 1000});
}

/* The open link to `leader`, or NULL while there is none; then one is on its way. */
static struct forward_link *link_to(struct server *s, uint64_t leader)
{
    if (s->link != NULL && s->link->leader != leader)
        link_close(s);
    if (s->link == NULL)
        link_connect(s, leader);
    return s->link != NULL && s->link->leader == leader && s->link->welcomed && !s->link->closing ? s->link : NULL;
}

bool link_request(struct server *s, enum store_frame type, struct slice values)
{
    struct driver_status status = server_status(s);
    struct forward_link *l = status.leader == 0 || status.leader == s->options.member_id ? NULL : link_to(s, status.leader);
    if (l == NULL || l->net.write_bytes_pending > WRITES_BYTES_MAX)
        return false;
    link_send(l, type, values);
    return true;
}
