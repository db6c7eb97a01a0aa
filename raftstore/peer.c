/* See peer.h. A link is what we dial to one member; a guest is who dialled us.
 *
 *   link:  waiting ──timer──▶ dialling ──open──▶ up ──close──▶ waiting …      (back-off 50 … 500 ms)
 *          any ──no member any more──▶ leaving ──closed──▶ freed
 *   guest: open ──hello──▶ known ──newer hello of the same member, error──▶ closing */
#include "common/base.h"

#include "raftstore/peer.h"

#include "common/buf.h"
#include "common/mem.h"
#include "common/tls.h"
#include "common/wire/frame.h"
#include "raftstore/peer_wire.h"

#include <stdio.h>

#define WINDOW_BYTES (16u * 1024 * 1024)
#define BULK_WINDOW_BYTES (4u * 1024 * 1024)
#define BACKOFF_MIN_MS 50
#define BACKOFF_MAX_MS 500
#define DIAL_TIMEOUT_MS 2000
/* A network that was cut comes back seconds before TCP tries again: as long as it had been cut. A new connection is there at once. A
 * shut window counts as silence too, so not for snapshots, which a slow disk may keep waiting. */
#define SILENCE_MS 2000
#define GUESTS_MAX (CONSENSUS_MEMBERS_MAX * 4)
#define HELLO_BYTES 59 /* without the address */
#define HELLO_KIND 'M'
#define REFUSAL_BYTES 10 /* without the text */
#define REFUSAL_KIND 'R'
#define REFUSAL_BYTES_MAX 256

enum link_state { LINK_WAITING, LINK_DIALLING, LINK_UP, LINK_LEAVING };

struct link {
    struct list list; /* in peer->links */
    struct peer *peer;
    uint64_t member;
    uint64_t heard_index; /* of a configuration that the member itself told of, ours being older; 0: it is in ours */
    char address[MEMBER_TEXT_MAX];
    bool bulk;
    enum link_state state;
    bool open; /* the struct belongs to the net seam */
    unsigned backoff_ms;
    struct net_conn conn;
    struct timer retry;
    struct buf in, out; /* out: of this turn */
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
    uint64_t member_id, run, epoch, configuration_index;
    char advertised_address[MEMBER_TEXT_MAX], certificate_name[NET_PEER_NAME_MAX];
    struct tls *tls;
    void (*on_message)(void *arg, uint64_t from, struct slice message);
    void (*on_lost)(void *arg, uint64_t member);
    void (*on_refused)(void *arg, uint64_t member, uint64_t configuration_index, const char *why);
    void *arg;
    struct list links;
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
    LIST_FOR_EACH(node, &p->links)
        if (container_of(node, struct link, list)->open)
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
    buf_append_be64(&l->out, p->configuration_index);
    buf_append_str(&l->out, p->advertised_address);
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

/* The certificate's authority has been verified; is it one of a member? */
static bool good_name(const struct peer *p, const struct net_conn *c)
{
    bool good = p->certificate_name[0] == '\0' || strcmp(c->peer.common_name, p->certificate_name) == 0;
    for (size_t i = 0; i < c->peer.organization_count && !good; i++)
        good = strcmp(c->peer.organizations[i], p->certificate_name) == 0;
    return good;
}

static void link_on_open(struct net_conn *c)
{
    struct link *l = c->data;
    if (!good_name(l->peer, c)) {
        log_warn(l->peer->env->log, "refused a peer's certificate", "member=%016llx address=%s name=%s wanted=%s",
                 (unsigned long long)l->member, l->address, c->peer.common_name, l->peer->certificate_name);
        net_close(&l->peer->env->net, c, false);
        return;
    }
    l->state = LINK_UP;
    l->backoff_ms = BACKOFF_MIN_MS;
    buf_reset(&l->out);
    put_hello(l);
    loop_defer(&l->peer->env->loop, &l->flush);
    log_info(l->peer->env->log, "connected to member", "member=%016llx address=%s bulk=%d", (unsigned long long)l->member,
             l->address, l->bulk);
}

static void link_free(struct link *l)
{
    loop_timer_stop(&l->peer->env->loop, &l->retry);
    loop_undefer(&l->peer->env->loop, &l->flush);
    list_remove(&l->list);
    buf_release(&l->in);
    buf_release(&l->out);
    mem_free(l);
}

/* All that is ever said on a connection that we dialled is why it is refused. */
static void link_on_read(struct net_conn *c, struct slice bytes)
{
    struct link *l = c->data;
    struct slice frame, rest;
    char why[REFUSAL_BYTES_MAX + 1];
    buf_append_slice(&l->in, bytes);
    rest = buf_slice(&l->in);
    int rv = frame_next(&rest, REFUSAL_BYTES_MAX, &frame, NULL);
    if (rv == 0)
        return; /* not whole yet */
    net_close(&l->peer->env->net, c, false);
    if (rv != 1 || frame.size < REFUSAL_BYTES || frame.data[0] != PEER_FORMAT_1 || frame.data[1] != REFUSAL_KIND)
        return;
    struct slice text = slice_from(frame, REFUSAL_BYTES);
    memcpy(why, text.data, text.size);
    why[text.size] = '\0';
    if (l->peer->on_refused != NULL && !l->peer->closing)
        l->peer->on_refused(l->peer->arg, l->member, be64_at(frame.data + 2), why);
}

static void link_on_close(struct net_conn *c, const struct err *why)
{
    struct link *l = c->data;
    struct peer *p = l->peer;
    bool was_up = l->state == LINK_UP;
    l->open = false;
    buf_reset(&l->in);
    buf_reset(&l->out);
    loop_undefer(&p->env->loop, &l->flush);
    if (l->state == LINK_LEAVING) {
        link_free(l);
        settle(p);
        return;
    }
    l->state = LINK_WAITING;
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
    struct net_connect_options o = {.address = l->address, .tls = l->peer->tls, .timeout_ms = DIAL_TIMEOUT_MS,
                                    .silence_ms = l->bulk ? 0 : SILENCE_MS};
    l->conn = (struct net_conn){.callbacks = &link_callbacks, .data = l};
    l->state = LINK_DIALLING;
    l->open = true;
    net_connect(&l->peer->env->net, &l->conn, &o);
}

static struct link *link_to(const struct peer *p, uint64_t member, bool bulk)
{
    LIST_FOR_EACH(node, &p->links) {
        struct link *l = container_of(node, struct link, list);
        if (l->member == member && l->bulk == bulk && l->state != LINK_LEAVING)
            return l;
    }
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

/* And tells it why: it may have been removed. */
static void guest_dismiss(struct guest *g, uint64_t member)
{
    struct buf out = {0};
    size_t mark = frame_begin(&out);
    buf_append_char(&out, PEER_FORMAT_1);
    buf_append_char(&out, REFUSAL_KIND);
    buf_append_be64(&out, g->peer->configuration_index);
    buf_append_str(&out, "it is no member of this cluster");
    frame_end(&out, mark);
    struct slice bytes = buf_slice(&out);
    net_write(&g->peer->env->net, &g->conn, &bytes, 1);
    buf_release(&out);
    log_warn(g->peer->env->log, "refused a peer connection", "from=%s member=%016llx why=\"it is no member of this cluster\"",
             g->conn.peer.address, (unsigned long long)member);
    g->closing = true;
    net_close(&g->peer->env->net, &g->conn, true);
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

static void link_new(struct peer *p, uint64_t member, const char *address, bool bulk, uint64_t heard_index);

/* One that we do not know and that knows more: it is dialled where it says, until our own configuration has caught up. */
static void meet(struct peer *p, uint64_t member, const char *address, uint64_t heard_index)
{
    for (int bulk = 0; bulk < 2; bulk++)
        if (link_to(p, member, bulk == 1) == NULL)
            link_new(p, member, address, bulk == 1, heard_index);
}

/* Who dials us is there: we need not wait until it is our turn to try again. After a restart of all that is half a second. */
static void dial_back(struct peer *p, uint64_t member)
{
    for (int bulk = 0; bulk < 2; bulk++) {
        struct link *l = link_to(p, member, bulk == 1);
        if (l == NULL || l->state != LINK_WAITING)
            continue;
        l->backoff_ms = BACKOFF_MIN_MS;
        loop_timer_start(&p->env->loop, &l->retry, 0);
    }
}

static void guest_hello(struct guest *g, struct slice hello)
{
    struct peer *p = g->peer;
    char address[MEMBER_TEXT_MAX];
    if (hello.size < HELLO_BYTES || hello.data[1] != HELLO_KIND || (uint8_t)hello.data[2] > 1 ||
        !member_text(address, slice_from(hello, HELLO_BYTES))) {
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
    struct link *known = link_to(p, member, false);
    uint64_t index = be64_at(hello.data + 51);
    bool knows_more = index > p->configuration_index && member != p->member_id && address[0] != '\0';
    if (known == NULL && !knows_more) {
        guest_dismiss(g, member);
        return;
    }
    if (known == NULL)
        meet(p, member, address, index);
    g->member = member;
    struct guest *old = guest_of(p, g);
    if (old != NULL && old->run == g->run && old->epoch > g->epoch) {
        guest_close(g);
        return;
    }
    if (old != NULL)
        guest_close(old);
    dial_back(p, member);
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

static void guest_on_open(struct net_conn *c)
{
    struct guest *g = c->data;
    if (!good_name(g->peer, c))
        guest_refuse(g, "its certificate is of the authority, but not one of a member");
}

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
    LIST_FOR_EACH(node, &p->links)
        link_free(container_of(node, struct link, list));
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

static void link_new(struct peer *p, uint64_t member, const char *address, bool bulk, uint64_t heard_index)
{
    struct link *l = NEW(struct link);
    l->peer = p;
    l->member = member;
    l->bulk = bulk;
    l->heard_index = heard_index;
    l->backoff_ms = BACKOFF_MIN_MS;
    (void)member_text(l->address, slice_str(address)); /* one that does not fit cannot be dialled, and is not listed */
    list_push_back(&p->links, &l->list);
    timer_init(&l->retry, link_dial);
    deferred_init(&l->flush, link_flush);
    loop_timer_start(&p->env->loop, &l->retry, 0);
}

static void link_leave(struct link *l)
{
    struct peer *p = l->peer;
    if (l->state == LINK_LEAVING)
        return;
    bool open = l->open;
    loop_timer_stop(&p->env->loop, &l->retry);
    loop_undefer(&p->env->loop, &l->flush);
    l->state = LINK_LEAVING;
    if (open)
        net_close(&p->env->net, &l->conn, false); /* freed when that is done */
    else
        link_free(l);
}

static const struct peer_member *member_in(const struct peer_member *members, size_t n, uint64_t id)
{
    for (size_t i = 0; i < n; i++)
        if (members[i].id == id && members[i].address[0] != '\0')
            return &members[i];
    return NULL;
}

static void keep_or_leave(struct link *l, const struct peer_member *m)
{
    if (m == NULL && l->heard_index > l->peer->configuration_index)
        return;
    if (m == NULL || strcmp(m->address, l->address) != 0)
        link_leave(l);
    else
        l->heard_index = 0;
}

void peer_configure(struct peer *p, const struct peer_member *members, size_t n, uint64_t configuration_index)
{
    p->configuration_index = configuration_index;
    LIST_FOR_EACH(node, &p->links) {
        struct link *l = container_of(node, struct link, list);
        keep_or_leave(l, member_in(members, n, l->member));
    }
    for (size_t i = 0; i < n; i++)
        for (int bulk = 0; bulk < 2; bulk++)
            if (members[i].id != p->member_id && members[i].address[0] != '\0' && link_to(p, members[i].id, bulk == 1) == NULL)
                link_new(p, members[i].id, members[i].address, bulk == 1, 0);
    LIST_FOR_EACH(guest_node, &p->guests) {
        struct guest *g = container_of(guest_node, struct guest, link);
        if (!g->closing && g->member != 0 && link_to(p, g->member, false) == NULL)
            guest_dismiss(g, g->member);
    }
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
    p->on_refused = o->on_refused;
    (void)member_text(p->advertised_address, slice_str(o->advertised_address != NULL ? o->advertised_address : o->listen_address));
    (void)snprintf(p->certificate_name, sizeof p->certificate_name, "%s", o->certificate_name == NULL ? "" : o->certificate_name);
    p->arg = arg;
    list_init(&p->links);
    list_init(&p->guests);
    deferred_init(&p->close_turn, close_turn);
    p->listener = (struct net_listener){.on_accept = on_accept, .on_close = listener_closed, .data = p};
    struct net_listen_options lo = {.address = o->listen_address, .tls = o->tls};
    int rv = net_listen(&env->net, &p->listener, &lo, reterr);
    if (rv != 0) {
        peer_free(p);
        return err_wrap(reterr, rv, "peers");
    }
    p->listening = true;
    peer_configure(p, o->members, o->member_count, o->configuration_index);
    *ret = p;
    return 0;
}

void peer_close(struct peer *p, void (*closed)(void *arg), void *arg)
{
    ASSERT(!p->closing);
    p->closing = true;
    p->closed = closed;
    p->closed_arg = arg;
    LIST_FOR_EACH(link_node, &p->links) {
        struct link *l = container_of(link_node, struct link, list);
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
