/*  a session:   speaking ──(the process ended)──▶ leaving (status and close are sent; the client's close is awaited) ──┐
 *                  └──────(the client left)──────▶ orphaned (the process is being ended) ──────────────────────────────┴▶ freed */
#include "common/base.h"
#include "nodeagent/streams.h"

#include <stdio.h>

#include "common/json.h"
#include "common/mem.h"
#include "common/websocket.h"

#define SESSIONS_MAX 256
#define MESSAGE_BYTES_MAX (1024 * 1024)
#define WINDOW_BYTES (256 * 1024) /* on its way in either direction before the sender is held back */
#define LEAVE_MS 5000             /* for the client's answer to our close */

enum channel { CHANNEL_STDIN, CHANNEL_STDOUT, CHANNEL_STDERR, CHANNEL_ERROR, CHANNEL_RESIZE, CHANNEL_CLOSE = 255 };

enum session_state { SESSION_SPEAKING, SESSION_LEAVING, SESSION_ORPHANED };

struct session {
    struct nodeagent *agent;
    struct list link;
    enum session_state state;
    struct http_tunnel tunnel;
    struct websocket_decoder decoder;
    struct runtime_stream stream;
    bool running, connected; /* the stream, the tunnel: each has its end still to come */
    bool attach, version5;
    bool wants_input, wants_output, wants_errors, input_ended, held; /* held: the client is, for the process's sake */
    struct timer timer;
};

/* What a request asks for, in its arena. */
struct wanted {
    struct arena arena;
    const char **command; /* NULL-terminated */
    size_t command_size;
    bool attach, input, output, errors, terminal;
};

/* --- the request --- */

static void answer(struct http_exchange *x, int status, const char *text)
{
    struct http_header type = {SLICE("Content-Type"), SLICE("text/plain; charset=utf-8")};
    http_respond(x, status, &type, 1, slice_str(text), NULL);
}

static void flag_set(struct wanted *w, struct slice key, struct slice value)
{
    bool on = slice_is(value, "1") || slice_is(value, "true");
    const struct {
        const char *name;
        bool *flag;
    } flags[] = {{"stdin", &w->input}, {"stdout", &w->output}, {"stderr", &w->errors}, {"tty", &w->terminal}};
    for (size_t i = 0; i < ARRAY_LEN(flags); i++)
        if (slice_is(key, flags[i].name))
            *flags[i].flag = on;
}

static int wanted_parse(struct slice query, struct wanted *w, struct err *reterr)
{
    struct buf text = {0};
    int rv = 0;
    w->command = arena_alloc(&w->arena, (STREAM_COMMANDS_MAX + 1) * sizeof *w->command);
    while (rv == 0 && query.size > 0) {
        struct slice value = slice_cut(&query, '&'), key = slice_cut(&value, '=');
        buf_reset(&text);
        rv = http_percent_decode(value, true, &text);
        if (rv < 0)
            err_set(reterr, rv, "malformed query");
        else if (!slice_is(key, "command"))
            flag_set(w, key, buf_slice(&text));
        else if (w->command_size == STREAM_COMMANDS_MAX)
            rv = err_set(reterr, ERR_BAD_REQUEST, "a command has at most %d words", STREAM_COMMANDS_MAX);
        else
            w->command[w->command_size++] = arena_strdup(&w->arena, buf_slice(&text));
    }
    buf_release(&text);
    if (rv == 0 && !w->attach && w->command_size == 0)
        rv = err_set(reterr, ERR_BAD_REQUEST, "you must specify at least 1 command");
    if (rv == 0 && !w->input && !w->output && !w->errors)
        rv = err_set(reterr, ERR_BAD_REQUEST, "you must specify at least 1 of stdin, stdout, stderr");
    if (w->terminal)
        w->errors = false; /* a terminal mixes both */
    return rv;
}

/* The newest of ours that the client offers; empty: none. */
static struct slice protocol_pick(const struct http_request *r)
{
    static const char *const ours[] = {"v5.channel.k8s.io", "v4.channel.k8s.io"};
    struct slice offered = http_header_get(r->headers, r->header_count, "Sec-WebSocket-Protocol");
    for (size_t i = 0; i < ARRAY_LEN(ours); i++)
        if (http_token_listed(offered, ours[i]))
            return slice_str(ours[i]);
    return (struct slice){0};
}

static int protocol_check(const struct http_request *r, struct err *reterr)
{
    struct slice wanted = http_upgrade_wanted(r);
    if (wanted.size >= 4 && memcmp(wanted.data, "SPDY", 4) == 0)
        /* No ": " in it: an old kubectl would take the text for YAML, and print an empty Status. */
        return err_set(reterr, ERR_BAD_REQUEST,
                       "this cluster serves exec and attach over WebSocket (v5.channel.k8s.io) and not over SPDY, which "
                       "kubectl speaks from version 1.31 on");
    int rv = websocket_check(r, reterr);
    if (rv == 0 && protocol_pick(r).size == 0)
        rv = err_set(reterr, ERR_BAD_REQUEST, "Sec-WebSocket-Protocol must offer v5.channel.k8s.io or v4.channel.k8s.io");
    return rv;
}

/* Index of the container in the pod, or -1. */
static int container_index(const struct pod *p, struct slice name)
{
    for (size_t i = 0; p != NULL && i < p->container_count; i++)
        if (slice_is(name, p->containers[i].name))
            return (int)i;
    return -1;
}

/* --- the end --- */

static void session_check(struct session *s)
{
    struct nodeagent *a = s->agent;
    if (s->running || s->connected)
        return;
    loop_timer_stop(&a->env->loop, &s->timer);
    list_remove(&s->link);
    a->session_count--;
    websocket_decoder_release(&s->decoder);
    mem_free(s);
    if (a->session_count == 0 && a->sessions_closed != NULL)
        a->sessions_closed(a);
}

static void send_frame(struct session *s, enum websocket_opcode opcode, struct slice head, struct slice payload)
{
    struct buf out = {0};
    websocket_frame(opcode, head, payload, &out);
    http_tunnel_write(&s->tunnel, buf_slice(&out));
    buf_release(&out);
}

static void send_channel(struct session *s, enum channel channel, struct slice bytes)
{
    char head = (char)channel;
    send_frame(s, WEBSOCKET_BINARY, slice_of(&head, 1), bytes);
}

static void leave(struct session *s, unsigned close_code, const char *text)
{
    struct buf out = {0};
    if (s->state != SESSION_SPEAKING)
        return;
    s->state = SESSION_LEAVING;
    websocket_close_frame(close_code, text, &out);
    http_tunnel_write(&s->tunnel, buf_slice(&out));
    buf_release(&out);
    http_tunnel_pause(&s->tunnel, false); /* the client's close */
    loop_timer_start(&s->agent->env->loop, &s->timer, LEAVE_MS);
}

static void on_leave_timeout(struct timer *t)
{
    struct session *s = container_of(t, struct session, timer);
    if (s->connected)
        http_tunnel_close(&s->tunnel, true);
}

/* Status objects as the kubelet writes them: clients take the exit code from the cause. */
static void status_print(struct session *s, int status, const struct err *why, struct buf *out)
{
    struct json_doc *d = json_doc_new();
    struct json *object = json_new_object(d);
    (void)json_ensure_object(d, object, "metadata");
    json_set_str(d, object, "status", status == 0 && s->stream.exit_code == 0 ? "Success" : "Failure");
    char text[ERR_MESSAGE_MAX + 128], code[16];
    if (status < 0) {
        (void)snprintf(text, sizeof text, "%s: %s",
                       s->attach ? "error attaching to container" : "error executing command in container", why->message);
        json_set_str(d, object, "message", text);
        json_set_str(d, object, "reason", "InternalError");
        json_set_int(d, object, "code", 500);
    } else if (s->stream.exit_code != 0) {
        (void)snprintf(code, sizeof code, "%d", s->stream.exit_code);
        (void)snprintf(text, sizeof text, "command terminated with non-zero exit code: exit status %s", code);
        json_set_str(d, object, "message", text);
        json_set_str(d, object, "reason", "NonZeroExitCode");
        struct json *causes = json_new_array(d), *cause = json_new_object(d);
        json_set_str(d, cause, "reason", "ExitCode");
        json_set_str(d, cause, "message", code);
        json_append(causes, cause);
        json_set(d, json_ensure_object(d, object, "details"), "causes", causes);
    }
    json_print(object, out);
    json_doc_free(d);
}

static void on_stream_done(struct runtime_stream *stream, int status, const struct err *why)
{
    struct session *s = stream->data;
    s->running = false;
    if (s->state == SESSION_SPEAKING) {
        struct buf text = {0};
        status_print(s, status, why, &text);
        send_channel(s, CHANNEL_ERROR, buf_slice(&text));
        buf_release(&text);
        leave(s, WEBSOCKET_NORMAL, "");
    }
    session_check(s);
}

/* --- from the process to the client --- */

static void on_output(struct runtime_stream *stream, bool is_error, struct slice bytes)
{
    struct session *s = stream->data;
    if (s->state != SESSION_SPEAKING || !(is_error ? s->wants_errors : s->wants_output))
        return;
    send_channel(s, is_error ? CHANNEL_STDERR : CHANNEL_STDOUT, bytes);
    if (s->tunnel.pending_bytes > WINDOW_BYTES)
        runtime_stream_pause(&s->agent->runtime, stream, true);
}

static void on_tunnel_drain(struct http_tunnel *t)
{
    struct session *s = t->data;
    if (s->running)
        runtime_stream_pause(&s->agent->runtime, &s->stream, false);
}

/* --- from the client to the process --- */

static void on_input_drained(struct runtime_stream *stream)
{
    struct session *s = stream->data;
    if (s->held && s->state == SESSION_SPEAKING && s->connected)
        http_tunnel_pause(&s->tunnel, false);
    s->held = false;
}

static void input(struct session *s, struct slice bytes)
{
    if (!s->wants_input || s->input_ended || !s->running)
        return;
    runtime_stream_write(&s->agent->runtime, &s->stream, bytes);
    if (s->stream.input_bytes_pending > WINDOW_BYTES && !s->held) {
        s->held = true;
        http_tunnel_pause(&s->tunnel, true);
    }
}

static void resize(struct session *s, struct slice text)
{
    struct json_doc *d = json_doc_new();
    struct json *size = NULL;
    if (json_parse(d, text, &size, NULL) == 0) { /* a client's nonsense changes nothing */
        int64_t width = json_int_at(size, "Width", 0), height = json_int_at(size, "Height", 0);
        if (width > 0 && width <= UINT16_MAX && height > 0 && height <= UINT16_MAX && s->running)
            runtime_stream_resize(&s->agent->runtime, &s->stream, (unsigned)width, (unsigned)height);
    }
    json_doc_free(d);
}

static void input_end(struct session *s)
{
    if (!s->wants_input || s->input_ended || !s->running)
        return;
    s->input_ended = true;
    runtime_stream_input_end(&s->agent->runtime, &s->stream);
}

static void channel_message(struct session *s, struct slice message)
{
    if (message.size == 0 || s->state != SESSION_SPEAKING)
        return;
    struct slice bytes = slice_from(message, 1);
    switch ((uint8_t)message.data[0]) {
    case CHANNEL_STDIN: input(s, bytes); break;
    case CHANNEL_RESIZE: resize(s, bytes); break;
    case CHANNEL_CLOSE:
        if (s->version5 && bytes.size == 1 && bytes.data[0] == CHANNEL_STDIN)
            input_end(s);
        break;
    default: break; /* not a client's to write to */
    }
}

/* The client left, or says nothing that can be understood: the process goes too. */
static void abandon(struct session *s)
{
    s->state = SESSION_ORPHANED;
    if (s->running)
        runtime_stream_cancel(&s->agent->runtime, &s->stream);
}

static void on_message(struct session *s, const struct websocket_message *m)
{
    switch (m->opcode) {
    case WEBSOCKET_BINARY:
    case WEBSOCKET_TEXT: channel_message(s, m->payload); break;
    case WEBSOCKET_PING: send_frame(s, WEBSOCKET_PONG, (struct slice){0}, m->payload); break;
    case WEBSOCKET_CLOSE:
        leave(s, WEBSOCKET_NORMAL, ""); /* unless this answers ours */
        http_tunnel_close(&s->tunnel, true);
        abandon(s);
        break;
    default: break; /* a pong that nobody asked for */
    }
}

static void on_tunnel_read(struct http_tunnel *t, struct slice bytes)
{
    struct session *s = t->data;
    struct websocket_message m;
    struct err why;
    int rv = 1;
    if (s->state == SESSION_ORPHANED)
        return;
    websocket_feed(&s->decoder, bytes);
    while (s->state != SESSION_ORPHANED && (rv = websocket_next(&s->decoder, &m, &why)) == 1)
        on_message(s, &m);
    if (rv < 0) {
        leave(s, (unsigned)s->decoder.failure, why.message);
        http_tunnel_close(&s->tunnel, true);
        abandon(s);
    }
}

static void on_tunnel_close(struct http_tunnel *t)
{
    struct session *s = t->data;
    s->connected = false;
    abandon(s);
    session_check(s);
}

/* --- the start --- */

static int session_upgrade(struct session *s, struct http_exchange *x)
{
    static const struct http_tunnel_callbacks callbacks = {on_tunnel_read, on_tunnel_drain, on_tunnel_close};
    char accept[WEBSOCKET_ACCEPT_SIZE];
    struct slice protocol = protocol_pick(&x->request);
    (void)websocket_accept(http_header_get(x->request.headers, x->request.header_count, "Sec-WebSocket-Key"), accept); /* checked */
    struct http_header headers[] = {{SLICE("Upgrade"), SLICE("websocket")},
                                    {SLICE("Sec-WebSocket-Accept"), slice_str(accept)},
                                    {SLICE("Sec-WebSocket-Protocol"), protocol}};
    s->version5 = slice_is(protocol, "v5.channel.k8s.io");
    s->decoder.message_bytes_max = MESSAGE_BYTES_MAX;
    s->tunnel = (struct http_tunnel){.callbacks = &callbacks, .data = s};
    return http_upgrade(x, headers, ARRAY_LEN(headers), &s->tunnel);
}

static void session_begin(struct nodeagent *a, struct http_exchange *x, struct pod_worker *w, int index, const struct wanted *wanted)
{
    struct session *s = NEW(struct session);
    const struct pod *p = pod_worker_pod(w);
    s->agent = a;
    s->attach = wanted->attach;
    s->wants_input = wanted->input;
    s->wants_output = wanted->output;
    s->wants_errors = wanted->errors;
    timer_init(&s->timer, on_leave_timeout);
    int rv = session_upgrade(s, x);
    if (rv < 0) {
        mem_free(s);
        answer(x, err_http(rv), rv == ERR_BUSY ? "too many connections of this kind on this node; try again later"
                                               : "the connection cannot be upgraded");
        return;
    }
    list_push_back(&a->sessions, &s->link);
    a->session_count++;
    s->running = s->connected = true;
    s->stream = (struct runtime_stream){
        .pod = p,
        .index = (size_t)index,
        .attempt = pod_worker_attempts(w, p->containers[index].name) - 1,
        .command = wanted->attach ? NULL : wanted->command,
        .input = wanted->input,
        .terminal = wanted->terminal,
        .on_output = on_output,
        .on_drained = on_input_drained,
        .done = on_stream_done,
        .data = s,
    };
    runtime_stream_start(&a->runtime, &s->stream);
}

/* 0, or the HTTP status and why. */
static int session_check_target(struct nodeagent *a, struct slice rest, const struct wanted *wanted, struct pod_worker **ret_w,
                                int *ret_index, struct err *reterr)
{
    struct slice namespace = slice_cut(&rest, '/'), pod = slice_cut(&rest, '/'), container = slice_cut(&rest, '/');
    struct pod_worker *w = rest.data != NULL ? NULL : agent_worker_named(a, namespace, pod);
    int index = w == NULL ? -1 : container_index(pod_worker_pod(w), container);
    if (w == NULL || pod_worker_pod(w) == NULL) {
        err_set(reterr, ERR_NOT_FOUND, "pod does not exist");
        return 404;
    }
    /* The kubelet's words for one that is not there and for one that does not run. */
    if (index < 0 || !pod_worker_runs(w, pod_worker_pod(w)->containers[index].name)) {
        err_set(reterr, ERR_INTERNAL, "container not found (\"%.*s\")", SLICE_ARGS(container));
        return 500;
    }
    if (wanted->attach && wanted->terminal && !pod_worker_pod(w)->containers[index].tty) {
        err_set(reterr, ERR_BAD_REQUEST, "Unable to use a TTY - container %.*s did not allocate one", SLICE_ARGS(container));
        return 400;
    }
    if (a->session_count >= SESSIONS_MAX) {
        err_set(reterr, ERR_BUSY, "too many exec and attach sessions on this node; try again later");
        return 429;
    }
    *ret_w = w;
    *ret_index = index;
    return 0;
}

void streams_serve(struct nodeagent *a, struct http_exchange *x, struct slice rest, bool attach)
{
    struct wanted wanted = {.attach = attach};
    struct err why;
    struct pod_worker *w;
    int index = 0, status = wanted_parse(x->request.query, &wanted, &why) < 0 ? 400 : 0;
    if (status == 0)
        status = session_check_target(a, rest, &wanted, &w, &index, &why);
    if (status == 0 && protocol_check(&x->request, &why) < 0)
        status = 400;
    if (status != 0)
        answer(x, status, why.message);
    else
        session_begin(a, x, w, index, &wanted);
    arena_clear(&wanted.arena);
}

void streams_close(struct nodeagent *a, void (*closed)(struct nodeagent *a))
{
    a->sessions_closed = closed;
    LIST_FOR_EACH (at, &a->sessions) {
        struct session *s = container_of(at, struct session, link);
        leave(s, WEBSOCKET_SERVER_ERROR, "the node agent is stopping");
        if (s->connected)
            http_tunnel_close(&s->tunnel, true);
        abandon(s);
    }
}
