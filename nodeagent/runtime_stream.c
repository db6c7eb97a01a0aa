/* Flowing streams of the OCI runtime: `crun exec` as a session of the process seam, and attach as a connection to the
 * container's shim. */
#include "common/base.h"
#include "nodeagent/runtime_oci_parts.h"

#include <signal.h>
#include <stdio.h>

#include "common/mem.h"
#include "nodeagent/attach.h"

#define WORDS_MAX 2048 /* of the runtime program, when it fails */

struct stream {
    struct runtime_oci *rt;
    struct runtime_stream *request;
    struct list link;
    struct arena arena;
    char *folder; /* of an exec: its own; of attach: the attempt's */
    const char *argv[24];
    struct proc_session session;
    struct buf words; /* of the runtime program on its standard error, which is the command's once it runs; of attach: frames
                         that wait for the connection */
    bool started;
    struct net_conn conn;
    struct buf frames; /* from the shim, not whole yet */
    int socket_fd;     /* names the shim's folder while connecting */
    bool attached, open, paused, canceled;
    struct deferred finished;
    int status;
    struct err err;
};

static void stream_finished(struct deferred *d)
{
    struct stream *s = container_of(d, struct stream, finished);
    struct runtime_stream *request = s->request;
    struct err err = s->err;
    int status = s->status;
    list_remove(&s->link);
    buf_release(&s->words);
    buf_release(&s->frames);
    arena_clear(&s->arena);
    mem_free(s);
    request->impl = NULL;
    request->done(request, status, status == 0 ? NULL : &err);
}

static void finish(struct stream *s, int status)
{
    s->status = status;
    loop_defer(&s->rt->env->loop, &s->finished);
}

/* --- a command --- */

/* They were the command's own. */
static void words_pass(struct stream *s)
{
    struct buf words = s->words;
    s->words = (struct buf){0};
    s->started = true;
    if (words.size > 0)
        s->request->on_output(s->request, true, buf_slice(&words));
    buf_release(&words);
}

static void on_output(struct proc_session *session, bool is_error, struct slice bytes)
{
    struct stream *s = session->data;
    if (is_error && session->terminal) { /* the command writes to its terminal only */
        buf_append(&s->words, bytes.data, MIN(bytes.size, WORDS_MAX - MIN(s->words.size, (size_t)WORDS_MAX)));
        return;
    }
    if (is_error && !s->started) {
        s->started = runtime_oci_pid(s->folder, "pid") > 0;
        buf_append_slice(&s->words, bytes);
        if (s->started || s->words.size > WORDS_MAX)
            words_pass(s);
        return;
    }
    s->request->on_output(s->request, is_error, bytes);
}

static void on_drained(struct proc_session *session)
{
    struct stream *s = session->data;
    s->request->input_bytes_pending = 0;
    s->request->on_drained(s->request);
}

/* What the runtime program logged: it does so only when it could not start the command. */
static bool runtime_failed(struct stream *s)
{
    struct buf text = {0};
    char *path = arena_printf(&s->arena, "%s/log", s->folder);
    (void)host_read_file(path, 0, WORDS_MAX, &text, NULL); /* absent: it said nothing */
    if (text.size == 0)
        buf_append_slice(&text, buf_slice(&s->words));
    while (text.size > 0 && strchr("\n\r ", text.data[text.size - 1]) != NULL)
        text.size--;
    bool failed = text.size > 0 && runtime_oci_pid(s->folder, "pid") == 0;
    if (failed)
        s->status = err_set(&s->err, ERR_UNAVAILABLE, "%.*s", (int)MIN(text.size, (size_t)400), text.data);
    buf_release(&text);
    return failed;
}

static void on_session_done(struct proc_session *session, int status, const struct proc_exit *exit)
{
    struct stream *s = session->data;
    if (status < 0)
        s->err = session->err;
    s->status = status;
    s->request->exit_code = exit->signal != 0 ? 128 + exit->signal : exit->code;
    bool failed = status == 0 && s->request->exit_code != 0 && !s->canceled && runtime_failed(s); /* sets the status */
    if (!failed && !session->terminal && !s->canceled)
        words_pass(s);
    int pid = s->canceled ? runtime_oci_pid(s->folder, "pid") : 0;
    if (pid > 0)
        proc_kill(&s->rt->env->proc, pid, SIGKILL); /* it was started while it was being canceled */
    (void)host_remove_tree(s->folder, NULL); /* else it goes with the container's folder */
    finish(s, s->status);
}

static int exec_prepare(struct stream *s, const char *container_folder)
{
    int rv = host_remove_tree(s->folder, &s->err); /* of an earlier agent */
    if (rv == 0)
        rv = host_mkdirs(s->folder, 0700, &s->err);
    if (rv == 0)
        rv = runtime_oci_process_write(container_folder, s->folder, s->request->command, s->request->terminal, &s->err);
    return rv;
}

static void exec_start(struct stream *s, const char *container_folder, const char *id)
{
    size_t n = runtime_oci_argv(s->rt, s->argv);
    s->folder = arena_printf(&s->arena, "%s/exec-%llu", container_folder, (unsigned long long)s->rt->exec_count++);
    int rv = exec_prepare(s, container_folder);
    if (rv < 0) {
        finish(s, rv);
        return;
    }
    s->argv[n++] = "--log";
    s->argv[n++] = arena_printf(&s->arena, "%s/log", s->folder);
    s->argv[n++] = "exec";
    s->argv[n++] = "--process";
    s->argv[n++] = arena_printf(&s->arena, "%s/process.json", s->folder);
    s->argv[n++] = "--pid-file";
    s->argv[n++] = arena_printf(&s->arena, "%s/pid", s->folder);
    if (s->request->terminal) {
        s->argv[n++] = "--console-socket";
        s->argv[n++] = "console"; /* in its folder; see proc.h */
    }
    s->argv[n++] = id;
    s->argv[n] = NULL;
    ASSERT(n < ARRAY_LEN(s->argv));
    s->session = (struct proc_session){.argv = s->argv, .folder = s->folder, .input = s->request->input,
                                       .terminal = s->request->terminal, .on_output = on_output, .on_drained = on_drained,
                                       .done = on_session_done, .data = s};
    proc_session_start(&s->rt->env->proc, &s->session);
}

/* --- attach --- */

static struct net *net_of(struct stream *s) { return &s->rt->env->net; }

static void on_attach_open(struct net_conn *c)
{
    struct stream *s = c->data;
    s->open = true;
    host_socket_path_close(s->socket_fd);
    s->socket_fd = -1;
    struct slice frames = buf_slice(&s->words); /* what was said before it was open */
    net_write(net_of(s), c, &frames, 1);
    buf_release(&s->words);
}

/* Hands whole frames out, as long as they are wanted. */
static void attach_deliver(struct stream *s)
{
    enum attach_type type;
    struct slice payload;
    size_t used = 0;
    int rv = 0;
    while (!s->paused && !s->canceled && (rv = attach_parse(slice_from(buf_slice(&s->frames), used), &type, &payload)) == 1) {
        used += ATTACH_HEAD_SIZE + payload.size;
        if (type == ATTACH_STDOUT || type == ATTACH_STDERR)
            s->request->on_output(s->request, type == ATTACH_STDERR, payload);
    }
    buf_consume(&s->frames, used);
    if (rv < 0)
        net_close(net_of(s), &s->conn, false);
}

static void on_attach_read(struct net_conn *c, struct slice bytes)
{
    struct stream *s = c->data;
    buf_append_slice(&s->frames, bytes);
    attach_deliver(s);
}

static void on_attach_drain(struct net_conn *c)
{
    struct stream *s = c->data;
    s->request->input_bytes_pending = 0;
    s->request->on_drained(s->request);
}

static void on_attach_close(struct net_conn *c, const struct err *why)
{
    struct stream *s = c->data;
    host_socket_path_close(s->socket_fd);
    if (s->canceled)
        finish(s, err_set(&s->err, ERR_CANCELED, "canceled"));
    else if (s->open)
        finish(s, 0); /* the container ended */
    else
        finish(s, err_set(&s->err, ERR_UNAVAILABLE, "its shim cannot be reached: %s", why->message));
}

static void attach_send(struct stream *s, enum attach_type type, struct slice bytes)
{
    struct buf frames = {0};
    do {
        struct slice piece = slice_of(bytes.data, MIN(bytes.size, (size_t)ATTACH_PAYLOAD_MAX));
        attach_frame(type, piece, &frames);
        bytes = slice_from(bytes, piece.size);
    } while (bytes.size > 0);
    struct slice all = buf_slice(&frames);
    if (s->open)
        net_write(net_of(s), &s->conn, &all, 1);
    else
        buf_append_slice(&s->words, all);
    s->request->input_bytes_pending = s->words.size + s->conn.write_bytes_pending;
    buf_release(&frames);
}

static void attach_start(struct stream *s, const char *container_folder)
{
    static const struct net_conn_callbacks callbacks = {on_attach_open, on_attach_read, on_attach_close, on_attach_drain};
    char path[108], address[120];
    int rv = host_socket_path(container_folder, ATTACH_SOCKET, path, &s->socket_fd, &s->err);
    if (rv < 0) {
        finish(s, rv);
        return;
    }
    (void)snprintf(address, sizeof address, "unix:%s", path);
    s->conn = (struct net_conn){.callbacks = &callbacks, .data = s};
    struct net_connect_options o = {.address = address};
    net_connect(net_of(s), &s->conn, &o);
    if (s->request->input)
        attach_send(s, ATTACH_INPUT, (struct slice){0}); /* says that this one has the input, and so can end it */
}

/* --- the interface --- */

void runtime_oci_stream_start(void *impl, struct runtime_stream *request)
{
    struct runtime_oci *rt = impl;
    struct stream *s = NEW(struct stream);
    const char *name = request->pod->containers[request->index].name;
    char *folder = arena_printf(&s->arena, "%s/run/%s/containers/%s/%u", rt->root, request->pod->uid, name, request->attempt);
    s->rt = rt;
    s->request = request;
    s->socket_fd = -1;
    s->attached = request->command == NULL;
    request->impl = s;
    request->input_bytes_pending = 0;
    deferred_init(&s->finished, stream_finished);
    list_push_back(&rt->streams, &s->link);
    if (s->attached)
        attach_start(s, folder);
    else
        exec_start(s, folder, arena_printf(&s->arena, "%s.%s.%u", request->pod->uid, name, request->attempt));
}

/* Not after its end, which is on its way to the caller. */
static bool is_over(const struct stream *s) { return !list_empty(&s->finished.link) || s->canceled; }

void runtime_oci_stream_write(struct runtime_stream *request, struct slice bytes)
{
    struct stream *s = request->impl;
    if (is_over(s) || bytes.size == 0)
        return;
    if (s->attached) {
        attach_send(s, ATTACH_INPUT, bytes);
        return;
    }
    proc_session_write(&s->rt->env->proc, &s->session, bytes);
    request->input_bytes_pending = s->session.input_bytes_pending;
}

void runtime_oci_stream_input_end(struct runtime_stream *request)
{
    struct stream *s = request->impl;
    if (is_over(s))
        return;
    if (s->attached)
        attach_send(s, ATTACH_INPUT_END, (struct slice){0});
    else
        proc_session_input_end(&s->rt->env->proc, &s->session);
}

void runtime_oci_stream_pause(struct runtime_stream *request, bool paused)
{
    struct stream *s = request->impl;
    s->paused = paused;
    if (is_over(s))
        return;
    if (!s->attached) {
        proc_session_pause(&s->rt->env->proc, &s->session, paused);
        return;
    }
    if (!paused)
        attach_deliver(s);
    if (!is_over(s))
        net_read_pause(net_of(s), &s->conn, s->paused);
}

void runtime_oci_stream_resize(struct runtime_stream *request, unsigned width, unsigned height)
{
    struct stream *s = request->impl;
    char size[4] = {(char)(uint8_t)(width >> 8), (char)(uint8_t)width, (char)(uint8_t)(height >> 8), (char)(uint8_t)height};
    if (is_over(s))
        return;
    if (s->attached)
        attach_send(s, ATTACH_RESIZE, slice_of(size, sizeof size));
    else
        proc_session_resize(&s->rt->env->proc, &s->session, width, height);
}

void runtime_oci_stream_cancel(struct runtime_stream *request)
{
    struct stream *s = request->impl;
    if (is_over(s))
        return;
    s->canceled = true;
    if (s->attached) {
        net_close(net_of(s), &s->conn, false);
        return;
    }
    /* The command is ended, not only the runtime program that waits for it; that one then ends by itself. */
    int pid = runtime_oci_pid(s->folder, "pid");
    if (pid > 0 || s->session.pid > 0)
        proc_kill(&s->rt->env->proc, pid > 0 ? pid : s->session.pid, SIGKILL);
    proc_session_pause(&s->rt->env->proc, &s->session, false); /* so that its end is reached */
}
