/* See peer.h. A link is what we dial to one member; a guest is who dialled us.
 *
 *   link:  waiting ──timer──▶ dialling ──open──▶ up ──close──▶ waiting …      (back-off 50 … 500 ms)
 *   guest: open ──hello──▶ known ──newer hello of the same member, error──▶ closing */
#include "common/base.h"

#include "raftstore/peer.h"

#include "common/buf.h"
#include "common/mem.h"
#include "common/tls.h"
#include "common/wire/frame.h"
#include "raftstore/peer_wire.h"

#define WINDOW_BYTES (16u * 1024 * 1024)
#define BULK_WINDOW_BYTES (4u * 1024 * 1024)
#define BACKOFF_MIN_MS 50
#define BACKOFF_MAX_MS 500
#define DIAL_TIMEOUT_MS 2000
#define GUESTS_MAX (CONSENSUS_MEMBERS_MAX * 4)
#define HELLO_BYTES 51
#define HELLO_KIND 'H'

enum link_state { LINK_WAITING, LINK_DIALLING, LINK_UP };

struct link {
    struct peer *peer;
    uint64_t member;
    char *address;
    bool bulk;
    enum link_state state;
    bool open; /* the struct belongs to the net seam */
    unsigned backoff_ms;
    struct net_conn conn;
    struct timer retry;
    struct buf out; /* of this turn */
    struct deferred flush;
};

struct guest {
    struct list link;
    struct peer *peer;
    uint64_t member, run, epoch; /* member 0: no hello yet */
    bool bulk, closing;
    struct net_conn conn;
    struct buf in;
};

struct peer {
    struct env *env;
    uint8_t cluster_id[16];
    uint64_t member_id, run, epoch;
    struct tls *tls;
    void (*on_message)(void *arg, uint64_t from, struct slice message);
    void (*on_lost)(void *arg, uint64_t member);
    void *arg;
    struct link *links;
    size_t link_count;
    struct list guests;
    size_t guest_count;
    struct net_listener listener;
    bool listening, closing;
    struct deferred close_turn;
    void (*closed)(void *arg);
    void *closed_arg;
};

static void settle(struct peer *p)
{
    if (!p->closing || p->listening || p->guest_count > 0)
        return;
    for (size_t i = 0; i < p->link_count; i++)
        if (p->links[i].open)
            return;
    loop_defer(&p->env->loop, &p->close_turn);
}

static void lost(struct peer *p, uint64_t member)
{
    if (!p->closing && p->on_lost != NULL && member != 0)
        p->on_lost(p->arg, member);
}

/* Dialling */

static void link_dial(struct timer *t);

static void put_hello(struct link *l)
{
    struct peer *p = l->peer;
    size_t mark = frame_begin(&l->out);
    buf_append_char(&l->out, PEER_FORMAT_1);
    buf_append_char(&l->out, HELLO_KIND);
    buf_append_char(&l->out, l->bulk ? 1 : 0);
    buf_append(&l->out, p->cluster_id, sizeof p->cluster_id);
    buf_append_be64(&l->out, p->member_id);
    buf_append_be64(&l->out, l->member);
    buf_append_be64(&l->out, p->run);
    buf_append_be64(&l->out, ++p->epoch);
    frame_end(&l->out, mark);
}

static void link_flush(struct deferred *d)
{
    struct link *l = container_of(d, struct link, flush);
    if (l->state == LINK_UP && l->out.size > 0) {
        struct slice bytes = buf_slice(&l->out);
        net_write(&l->peer->env->net, &l->conn, &bytes, 1);
    }
    buf_reset(&l->out);
}

static void link_on_open(struct net_conn *c)
{
    struct link *l = c->data;
    l->state = LINK_UP;
    l->backoff_ms = BACKOFF_MIN_MS;
    buf_reset(&l->out);
    put_hello(l);
    loop_defer(&l->peer->env->loop, &l->flush);
    log_info(l->peer->env->log, "connected to member", "member=%016llx address=%s bulk=%d", (unsigned long long)l->member,
             l->address, l->bulk);
}

/* Nobody speaks on a connection that we dialled. */
static void link_on_read(struct net_conn *c, struct slice bytes)
{
    struct link *l = c->data;
    (void)bytes;
    net_close(&l->peer->env->net, c, false);
}

static void link_on_close(struct net_conn *c, const struct err *why)
{
    struct link *l = c->data;
    struct peer *p = l->peer;
    bool was_up = l->state == LINK_UP;
    l->open = false;
    l->state = LINK_WAITING;
    buf_reset(&l->out);
    loop_undefer(&p->env->loop, &l->flush);
    if (p->closing) {
        settle(p);
        return;
    }
    if (was_up)
        log_info(p->env->log, "connection to member closed", "member=%016llx bulk=%d why=\"%s\"",
                 (unsigned long long)l->member, l->bulk, why->message);
    loop_timer_start(&p->env->loop, &l->retry, l->backoff_ms);
    l->backoff_ms = MIN(l->backoff_ms * 2, (unsigned)BACKOFF_MAX_MS);
    if (was_up && !l->bulk)
        lost(p, l->member);
}

static const struct net_conn_callbacks link_callbacks = {
    .on_open = link_on_open, .on_read = link_on_read, .on_close = link_on_close};

static void link_dial(struct timer *t)
{
    struct link *l = container_of(t, struct link, retry);
    struct net_connect_options o = {.address = l->address, .tls = l->peer->tls, .timeout_ms = DIAL_TIMEOUT_MS};
    l->conn = (struct net_conn){.callbacks = &link_callbacks, .data = l};
    l->state = LINK_DIALLING;
    l->open = true;
    net_connect(&l->peer->env->net, &l->conn, &o);
}

static struct link *link_to(const struct peer *p, uint64_t member, bool bulk)
{
    for (size_t i = 0; i < p->link_count; i++)
        if (p->links[i].member == member && p->links[i].bulk == bulk)
            return &p->links[i];
    return NULL;
}

static size_t window(void *impl, uint64_t to, bool bulk)
{
    struct link *l = link_to(impl, to, bulk);
    if (l == NULL || l->state != LINK_UP)
        return 0;
    size_t all = bulk ? BULK_WINDOW_BYTES : WINDOW_BYTES, used = l->conn.write_bytes_pending + l->out.size;
    return used + FRAME_HEADER_BYTES >= all ? 0 : all - used - FRAME_HEADER_BYTES;
}

static void send(void *impl, uint64_t to, struct slice message, bool bulk)
{
    struct link *l = link_to(impl, to, bulk);
    if (l == NULL || l->state != LINK_UP || window(impl, to, bulk) < message.size)
        return; /* the one who sends counts on nothing */
    size_t mark = frame_begin(&l->out);
    buf_append_slice(&l->out, message);
    frame_end(&l->out, mark);
    loop_defer(&l->peer->env->loop, &l->flush);
}

static const struct transport_ops transport_ops = {send, window};

struct transport peer_transport(struct peer *p) { return (struct transport){&transport_ops, p}; }

bool peer_connected(const struct peer *p, uint64_t member)
{
    struct link *l = link_to(p, member, false);
    return l != NULL && l->state == LINK_UP;
}

/* Guests */

static void guest_close(struct guest *g)
{
    if (g->closing)
        return;
    g->closing = true;
    net_close(&g->peer->env->net, &g->conn, false);
}

static void guest_refuse(struct guest *g, const char *why)
{
    log_warn(g->peer->env->log, "refused a peer connection", "from=%s member=%016llx why=\"%s\"", g->conn.peer.address,
             (unsigned long long)g->member, why);
    guest_close(g);
}

static struct guest *guest_of(struct peer *p, const struct guest *other)
{
    LIST_FOR_EACH(node, &p->guests) {
        struct guest *g = container_of(node, struct guest, link);
        if (g != other && !g->closing && g->member == other->member && g->bulk == other->bulk)
            return g;
    }
    return NULL;
}

static void guest_hello(struct guest *g, struct slice hello)
{
    struct peer *p = g->peer;
    if (hello.size != HELLO_BYTES || hello.data[1] != HELLO_KIND || (uint8_t)hello.data[2] > 1) {
        guest_refuse(g, "its first frame is no hello");
        return;
    }
    uint64_t member = be64_at(hello.data + 19);
    g->bulk = hello.data[2] == 1;
    g->run = be64_at(hello.data + 35);
    g->epoch = be64_at(hello.data + 43);
    if (memcmp(hello.data + 3, p->cluster_id, 16) != 0) {
        guest_refuse(g, "it belongs to another cluster: check the peers' addresses");
        return;
    }
    if (be64_at(hello.data + 27) != p->member_id) {
        guest_refuse(g, "it looks for another member at this address");
        return;
    }
    if (link_to(p, member, false) == NULL) {
        guest_refuse(g, "it is no member of this cluster");
        return;
    }
    g->member = member;
    struct guest *old = guest_of(p, g);
    if (old != NULL && old->run == g->run && old->epoch > g->epoch) {
        guest_close(g);
        return;
    }
    if (old != NULL)
        guest_close(old);
}

static int guest_frame(struct guest *g, struct slice frame)
{
    if (frame.size < 2 || frame.data[0] != PEER_FORMAT_1) {
        guest_refuse(g, "unknown format: run the same version on all members");
        return ERR_FORMAT;
    }
    if (g->member == 0)
        guest_hello(g, frame);
    else
        g->peer->on_message(g->peer->arg, g->member, frame);
    return 0;
}

static void guest_on_open(struct net_conn *c) { (void)c; }

static void guest_on_read(struct net_conn *c, struct slice bytes)
{
    struct guest *g = c->data;
    struct err e;
    struct slice frame;
    buf_append_slice(&g->in, bytes);
    struct slice rest = buf_slice(&g->in);
    int rv = 0;
    while (!g->closing && (rv = frame_next(&rest, PEER_MESSAGE_BYTES_MAX, &frame, &e)) == 1)
        if (guest_frame(g, frame) != 0)
            break;
    if (rv < 0 && !g->closing)
        guest_refuse(g, e.message);
    buf_consume(&g->in, g->in.size - rest.size);
}

static void guest_on_close(struct net_conn *c, const struct err *why)
{
    struct guest *g = c->data;
    struct peer *p = g->peer;
    bool newest = g->member != 0 && !g->bulk && guest_of(p, g) == NULL && !g->closing;
    uint64_t member = g->member;
    (void)why; /* the dialler logs it */
    list_remove(&g->link);
    p->guest_count--;
    buf_release(&g->in);
    mem_free(g);
    if (newest)
        lost(p, member);
    settle(p);
}

static const struct net_conn_callbacks guest_callbacks = {
    .on_open = guest_on_open, .on_read = guest_on_read, .on_close = guest_on_close};

static struct net_conn *on_accept(struct net_listener *listener)
{
    struct peer *p = listener->data;
    if (p->closing || p->guest_count >= GUESTS_MAX)
        return NULL;
    struct guest *g = NEW(struct guest);
    g->peer = p;
    g->conn = (struct net_conn){.callbacks = &guest_callbacks, .data = g};
    list_push_back(&p->guests, &g->link);
    p->guest_count++;
    return &g->conn;
}

/* Life */

static void peer_free(struct peer *p)
{
    for (size_t i = 0; i < p->link_count; i++) {
        buf_release(&p->links[i].out);
        mem_free(p->links[i].address);
    }
    mem_free(p->links);
    tls_unref(p->tls);
    mem_free(p);
}

static void close_turn(struct deferred *d)
{
    struct peer *p = container_of(d, struct peer, close_turn);
    void (*closed)(void *) = p->closed;
    void *arg = p->closed_arg;
    peer_free(p);
    closed(arg);
}

static void listener_closed(struct net_listener *l)
{
    struct peer *p = l->data;
    p->listening = false;
    settle(p);
}

static void link_init(struct peer *p, const struct peer_member *m, bool bulk)
{
    struct link *l = &p->links[p->link_count++];
    *l = (struct link){.peer = p, .member = m->id, .address = mem_strdup(m->address), .bulk = bulk,
                       .backoff_ms = BACKOFF_MIN_MS};
    timer_init(&l->retry, link_dial);
    deferred_init(&l->flush, link_flush);
}

int peer_new(struct env *env, const struct peer_options *o, void (*on_message)(void *arg, uint64_t from, struct slice message),
             void *arg, struct peer **ret, struct err *reterr)
{
    struct peer *p = NEW(struct peer);
    p->env = env;
    memcpy(p->cluster_id, o->cluster_id, sizeof p->cluster_id);
    p->member_id = o->member_id;
    p->run = random_u64(&env->random);
    p->tls = o->tls == NULL ? NULL : tls_ref(o->tls);
    p->on_message = on_message;
    p->on_lost = o->on_lost;
    p->arg = arg;
    list_init(&p->guests);
    deferred_init(&p->close_turn, close_turn);
    p->listener = (struct net_listener){.on_accept = on_accept, .on_close = listener_closed, .data = p};
    struct net_listen_options lo = {.address = o->listen_address, .tls = o->tls};
    p->links = mem_zalloc(2 * o->member_count * sizeof *p->links);
    int rv = net_listen(&env->net, &p->listener, &lo, reterr);
    if (rv != 0) {
        peer_free(p);
        return err_wrap(reterr, rv, "peers");
    }
    p->listening = true;
    for (size_t i = 0; i < o->member_count; i++) {
        if (o->members[i].id == o->member_id)
            continue;
        link_init(p, &o->members[i], false);
        link_init(p, &o->members[i], true);
    }
    for (size_t i = 0; i < p->link_count; i++)
        loop_timer_start(&env->loop, &p->links[i].retry, 0);
    *ret = p;
    return 0;
}


void peer_close(struct peer *p, void (*closed)(void *arg), void *arg)
{
    ASSERT(!p->closing);
    p->closing = true;
    p->closed = closed;
    p->closed_arg = arg;
    for (size_t i = 0; i < p->link_count; i++) {
        struct link *l = &p->links[i];
        loop_timer_stop(&p->env->loop, &l->retry);
        loop_undefer(&p->env->loop, &l->flush);
        if (l->open)
            net_close(&p->env->net, &l->conn, false);
    }
    LIST_FOR_EACH(node, &p->guests)
        guest_close(container_of(node, struct guest, link));
    if (p->listening)
        net_listener_close(&p->env->net, &p->listener);
    settle(p);
}
