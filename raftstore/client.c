/* The client's connection: which endpoint, hello, pings, frames in and out. Calls and watches outlive connections; they
 * are in client_call.c and client_watch.c. */
#include "common/base.h"

#include "raftstore/client.h"

#include "common/tls.h"
#include "common/wire/frame.h"
#include "raftstore/client_internal.h"

static uint64_t now_ms(struct store_client *c) { return clock_monotonic_ms(&c->env->clock); }

static void append_frame(struct store_client *c, enum store_frame type, struct slice values, struct slice more)
{
    size_t mark = frame_begin(&c->out);
    wire_begin(&c->out, type);
    buf_append_slice(&c->out, values);
    buf_append_slice(&c->out, more);
    frame_end(&c->out, mark);
    loop_defer(&c->env->loop, &c->flush);
}

void client_send(struct store_client *c, enum store_frame type, struct slice values, struct slice more)
{
    ASSERT(c->state == CLIENT_READY);
    append_frame(c, type, values, more);
}

static void run_flush(struct deferred *d)
{
    struct store_client *c = container_of(d, struct store_client, flush);
    if ((c->state != CLIENT_READY && c->state != CLIENT_GREETING) || c->out.size == 0)
        return;
    struct slice part = buf_slice(&c->out);
    net_write(&c->env->net, &c->net, &part, 1);
    buf_reset(&c->out);
    if (c->out.capacity > 4 * STORE_PART_BYTES)
        buf_release(&c->out);
}

static void run_end(struct deferred *d)
{
    struct store_client *c = container_of(d, struct store_client, end);
    calls_run_ended(c);
    watches_run_ended(c);
    client_finish_close(c);
}

void client_hang_up(struct store_client *c, int code, const char *why)
{
    if (c->state != CLIENT_CONNECTING && c->state != CLIENT_GREETING && c->state != CLIENT_READY)
        return;
    err_set(&c->last, code, "%s: %s", c->endpoints[c->endpoint], why);
    c->state = CLIENT_HANGING_UP;
    net_close(&c->env->net, &c->net, false);
}

static void send_hello(struct net_conn *net)
{
    struct store_client *c = container_of(net, struct store_client, net);
    struct buf hello = {0};
    static const uint8_t unknown[STORE_ID_BYTES];
    bool known = memcmp(c->cluster_id, unknown, STORE_ID_BYTES) != 0;
    c->state = CLIENT_GREETING;
    c->heard_ms = now_ms(c);
    pack_bytes(&hello, slice_of(c->cluster_id, known ? STORE_ID_BYTES : 0));
    pack_uint(&hello, 0);
    append_frame(c, STORE_HELLO, buf_slice(&hello), SLICE(""));
    buf_release(&hello);
}

static void receive_welcome(struct store_client *c, struct unpack *u)
{
    struct slice cluster = unpack_bytes(u);
    uint64_t member = unpack_uint(u);
    (void)unpack_uint(u); /* its limit on requests: the same constant in this version */
    if (u->bad || cluster.size != STORE_ID_BYTES || c->state != CLIENT_GREETING) {
        client_hang_up(c, ERR_CORRUPT, "malformed welcome");
        return;
    }
    memcpy(c->cluster_id, cluster.data, STORE_ID_BYTES);
    c->member_id = member;
    c->state = CLIENT_READY;
    c->failures = 0;
    calls_ready(c);
    watches_ready(c);
}

static void receive_refusal(struct store_client *c, struct unpack *u)
{
    int64_t code = unpack_int(u);
    struct slice why = unpack_bytes(u);
    char text[256];
    size_t n = MIN(why.size, sizeof text - 1);
    if (n > 0)
        memcpy(text, why.data, n);
    text[n] = '\0';
    client_hang_up(c, u->bad || code >= 0 || code < ERR_TLS ? ERR_CORRUPT : (int)code, text);
}

static void receive_frame(struct store_client *c, struct slice payload)
{
    if (payload.size < 2 || payload.data[0] != STORE_WIRE_FORMAT) {
        client_hang_up(c, ERR_FORMAT, "unknown format of a frame: this client speaks format 1");
        return;
    }
    enum store_frame type = (enum store_frame)(uint8_t)payload.data[1];
    struct unpack u = unpack_of(slice_from(payload, 2));
    if (c->state == CLIENT_GREETING && type != STORE_WELCOME && type != STORE_REFUSED) {
        client_hang_up(c, ERR_CORRUPT, "an answer before the welcome");
        return;
    }
    switch ((int)type) {
    case STORE_WELCOME: receive_welcome(c, &u); break;
    case STORE_REFUSED: receive_refusal(c, &u); break;
    case STORE_PONG: break; /* was heard */
    case STORE_RANGE_PART: call_part(c, &u, payload); break;
    case STORE_RESULT: call_result(c, &u, payload); break;
    case STORE_EVENTS:
    case STORE_PROGRESS:
    case STORE_CLOSED: watch_frame(c, type, &u, payload); break;
    default: client_hang_up(c, ERR_CORRUPT, "unknown type of a frame"); break;
    }
}

static bool connected(const struct store_client *c) { return c->state == CLIENT_GREETING || c->state == CLIENT_READY; }

static void on_read(struct net_conn *net, struct slice bytes)
{
    struct store_client *c = container_of(net, struct store_client, net);
    struct slice payload;
    struct err err;
    int rv = 0;
    c->heard_ms = now_ms(c);
    buf_append_slice(&c->in, bytes);
    struct slice rest = buf_slice(&c->in);
    while (connected(c) && (rv = frame_next(&rest, STORE_ANSWER_BYTES_MAX + STORE_PART_BYTES, &payload, &err)) == 1)
        receive_frame(c, payload);
    if (rv < 0)
        client_hang_up(c, rv, err.message);
    buf_consume(&c->in, c->in.size - rest.size);
    if (c->in.size == 0 && c->in.capacity > 4 * STORE_PART_BYTES)
        buf_release(&c->in);
}

static void on_close(struct net_conn *net, const struct err *why)
{
    struct store_client *c = container_of(net, struct store_client, net);
    if (c->state != CLIENT_HANGING_UP)
        err_set(&c->last, why->code, "%s: %s", c->endpoints[c->endpoint], why->message);
    bool was_ready = c->failures == 0 && c->state != CLIENT_CONNECTING;
    c->state = CLIENT_WAITING;
    c->failures += !was_ready || c->pinned;
    buf_reset(&c->in);
    buf_reset(&c->out);
    calls_lost(c);
    if (c->closing) {
        client_finish_close(c);
        return;
    }
    c->failures = MAX(c->failures, (size_t)1);
    if (!c->pinned)
        c->endpoint = (c->endpoint + 1) % c->endpoint_count;
    bool all_tried = c->failures % c->endpoint_count == 0;
    loop_timer_start(&c->env->loop, &c->retry, all_tried ? CLIENT_RETRY_MS : 0);
}

static unsigned connect_timeout_ms(const struct store_client *c)
{
    size_t rounds = MIN(c->failures / c->endpoint_count, (size_t)3);
    return MIN(CLIENT_CONNECT_MS << rounds, CLIENT_CONNECT_MAX_MS);
}

static void start_connecting(struct timer *t)
{
    static const struct net_conn_callbacks callbacks = {.on_open = send_hello, .on_read = on_read, .on_close = on_close};
    struct store_client *c = container_of(t, struct store_client, retry);
    c->state = CLIENT_CONNECTING;
    c->net = (struct net_conn){.callbacks = &callbacks};
    net_connect(&c->env->net, &c->net, &(struct net_connect_options){.address = c->endpoints[c->endpoint], .tls = c->tls,
                                                                     .timeout_ms = connect_timeout_ms(c)});
}

static void run_tick(struct timer *t)
{
    struct store_client *c = container_of(t, struct store_client, tick);
    loop_timer_start(&c->env->loop, &c->tick, CLIENT_PING_MS);
    if (!connected(c))
        return;
    if (now_ms(c) - c->heard_ms >= CLIENT_SILENCE_MS) {
        client_hang_up(c, ERR_TIMEOUT, "no answer for a second and a half");
        return;
    }
    if (c->state != CLIENT_READY)
        return;
    struct buf number = {0};
    pack_uint(&number, ++c->ping);
    client_send(c, STORE_PING, buf_slice(&number), SLICE(""));
    buf_release(&number);
}

struct store_client *store_client_new(struct env *env, const struct store_client_options *o)
{
    ASSERT(o->endpoint_count > 0 && o->endpoint_count <= STORE_ENDPOINTS_MAX);
    struct store_client *c = NEW(struct store_client);
    struct list *lists[] = {&c->calls, &c->writes, &c->ended, &c->watches, &c->ended_watches};
    for (size_t i = 0; i < ARRAY_LEN(lists); i++)
        list_init(lists[i]);
    c->env = env;
    for (size_t i = 0; i < o->endpoint_count; i++)
        c->endpoints[i] = mem_strdup(o->endpoints[i]);
    c->pinned = o->pinned;
    c->endpoint_count = o->pinned ? 1 : o->endpoint_count;
    for (size_t i = c->endpoint_count; i < o->endpoint_count; i++)
        mem_free(c->endpoints[i]);
    c->endpoint = (size_t)random_below(&env->random, c->endpoint_count);
    c->tls = o->tls == NULL ? NULL : tls_ref(o->tls);
    c->calls_max = o->calls_max != 0 ? o->calls_max : CLIENT_CALLS_MAX;
    c->next_id = c->next_sequence = 1;
    timer_init(&c->retry, start_connecting);
    timer_init(&c->tick, run_tick);
    deferred_init(&c->flush, run_flush);
    deferred_init(&c->end, run_end);
    loop_timer_start(&env->loop, &c->retry, 0);
    loop_timer_start(&env->loop, &c->tick, CLIENT_PING_MS);
    return c;
}

void client_finish_close(struct store_client *c)
{
    if (!c->closing || c->state != CLIENT_WAITING || !list_empty(&c->ended) || !list_empty(&c->ended_watches))
        return;
    void (*closed)(void *arg) = c->closed;
    void *arg = c->closed_arg;
    loop_undefer(&c->env->loop, &c->flush);
    loop_undefer(&c->env->loop, &c->end);
    for (size_t i = 0; i < c->endpoint_count; i++)
        mem_free(c->endpoints[i]);
    tls_unref(c->tls);
    buf_release(&c->in);
    buf_release(&c->out);
    map_release(&c->calls_by_id);
    mem_free(c);
    closed(arg);
}

void store_client_close(struct store_client *c, void (*closed)(void *arg), void *arg)
{
    ASSERT(!c->closing);
    c->closing = true;
    c->closed = closed;
    c->closed_arg = arg;
    loop_timer_stop(&c->env->loop, &c->retry);
    loop_timer_stop(&c->env->loop, &c->tick);
    calls_cancel_all(c);
    watches_cancel_all(c);
    client_hang_up(c, ERR_CANCELED, "closed");
    loop_defer(&c->env->loop, &c->end);
}
