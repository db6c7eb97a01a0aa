/* What the agent serves: health, its pods, container logs, and (streams.c) exec and attach. A follower reads on where it stopped whenever the file has
 * grown, and ends when its container has ended and everything is told. */
#include "common/base.h"
#include "nodeagent/agent.h"

#include <stdio.h>

#include "common/mem.h"
#include "nodeagent/host.h"
#include "nodeagent/logs.h"
#include "nodeagent/streams.h"

#define READ_BYTES (256 * 1024)
#define TAIL_BYTES_MAX (4 * 1024 * 1024) /* how far back the last lines are looked for */
#define FOLLOW_MS 200
#define APISERVER_NAME "kube-apiserver-kubelet-client"

struct log_stream {
    struct nodeagent *agent;
    struct http_exchange *exchange;
    struct list link;
    struct timer timer;
    struct logs_options options;
    char *path, *uid, *container;
    unsigned attempt;
    uint64_t offset, inode;
    struct buf held; /* read and not yet a whole line */
    bool ending;
};

static void answer(struct http_exchange *x, int status, const char *text)
{
    struct http_header type = {SLICE("Content-Type"), SLICE("text/plain; charset=utf-8")};
    http_respond(x, status, &type, 1, slice_str(text), NULL);
}

/* Only the apiservers, and people with all rights: both come with certificates of the cluster's CA. */
static bool may_ask(const struct net_peer *peer)
{
    if (peer == NULL)
        return false;
    if (strcmp(peer->common_name, APISERVER_NAME) == 0)
        return true;
    for (size_t i = 0; i < peer->organization_count; i++)
        if (strcmp(peer->organizations[i], "system:masters") == 0)
            return true;
    return false;
}

/* --- log streams --- */

static void stream_free(struct log_stream *s)
{
    loop_timer_stop(&s->agent->env->loop, &s->timer);
    list_remove(&s->link);
    s->agent->log_stream_count--;
    mem_free(s->path);
    mem_free(s->uid);
    mem_free(s->container);
    buf_release(&s->held);
    mem_free(s);
}

static void on_gone(struct http_exchange *x) { stream_free(x->data); }

static bool still_runs(const struct log_stream *s)
{
    struct pod_worker *w = map_get(&s->agent->workers, slice_str(s->uid));
    return w != NULL && pod_worker_runs(w, s->container) && pod_worker_attempts(w, s->container) == s->attempt + 1;
}

/* Sends what is there, at most one piece; true when there may be more at once. */
static bool stream_pump(struct log_stream *s)
{
    struct host_stat st;
    size_t before = s->held.size;
    if (host_stat(s->path, &st) == 0 && (st.inode != s->inode || st.size_bytes < s->offset)) {
        s->inode = st.inode; /* rotated: on with the new file */
        s->offset = 0;
        buf_reset(&s->held);
        before = 0;
    }
    (void)host_read_file(s->path, s->offset, READ_BYTES, &s->held, NULL); /* gone with its pod: nothing more comes */
    size_t got = s->held.size - before;
    s->offset += got;
    struct buf out = {0};
    struct slice rest = buf_slice(&s->held);
    logs_render(&rest, &s->options, &out);
    buf_consume(&s->held, s->held.size - rest.size);
    if (out.size > 0) {
        struct bytes *chunk = bytes_new(buf_slice(&out));
        http_write(s->exchange, chunk);
        bytes_unref(chunk);
    }
    buf_release(&out);
    return got == READ_BYTES && s->options.limit_bytes != 0;
}

static void stream_run(struct log_stream *s)
{
    bool running = s->options.follow && still_runs(s); /* asked before reading: what it wrote until then is read */
    bool more = stream_pump(s);
    bool over = !more && (!running || s->options.limit_bytes == 0);
    if (over) {
        http_end(s->exchange, true);
        stream_free(s);
        return;
    }
    /* A slow client is waited for: its `drained` goes on. */
    if (s->exchange->pending_bytes < READ_BYTES)
        loop_timer_start(&s->agent->env->loop, &s->timer, more ? 0 : FOLLOW_MS);
}

static void on_stream_timer(struct timer *t) { stream_run(container_of(t, struct log_stream, timer)); }

static void on_drained(struct http_exchange *x)
{
    struct log_stream *s = x->data;
    if (!timer_armed(&s->timer))
        loop_timer_start(&s->agent->env->loop, &s->timer, 0);
}

/* Where the last lines begin, so that a long log is not sent whole. */
static void stream_seek(struct log_stream *s)
{
    struct host_stat st;
    struct buf tail = {0};
    if (host_stat(s->path, &st) != 0)
        return;
    s->inode = st.inode;
    if (s->options.tail_lines < 0)
        return;
    uint64_t from = st.size_bytes > TAIL_BYTES_MAX ? st.size_bytes - TAIL_BYTES_MAX : 0;
    if (host_read_file(s->path, from, TAIL_BYTES_MAX, &tail, NULL) == 0)
        s->offset = from + logs_tail_offset(buf_slice(&tail), s->options.tail_lines);
    buf_release(&tail);
}

static void stream_begin(struct nodeagent *a, struct http_exchange *x, const struct pod *p, const char *container,
                         unsigned attempt, const struct logs_options *options)
{
    struct log_stream *s = NEW(struct log_stream);
    struct http_header type = {SLICE("Content-Type"), SLICE("text/plain")};
    char *folder = runtime_oci_log_folder(a->root, p->namespace, p->name, p->uid, container);
    s->agent = a;
    s->exchange = x;
    s->options = *options;
    s->path = mem_printf("%s/%u.log", folder, attempt);
    s->uid = mem_strdup(p->uid);
    s->container = mem_strdup(container);
    s->attempt = attempt;
    mem_free(folder);
    timer_init(&s->timer, on_stream_timer);
    list_push_back(&a->log_streams, &s->link);
    a->log_stream_count++;
    x->data = s;
    x->gone = on_gone;
    x->drained = on_drained;
    stream_seek(s);
    http_begin(x, 200, &type, 1);
    stream_run(s);
}

void agent_server_close(struct nodeagent *a)
{
    while (!list_empty(&a->log_streams)) {
        struct log_stream *s = LIST_FIRST(&a->log_streams, struct log_stream, link);
        http_end(s->exchange, true);
        stream_free(s);
    }
}

static void serve_logs(struct nodeagent *a, struct http_exchange *x, struct slice rest)
{
    struct slice namespace = slice_cut(&rest, '/'), pod = slice_cut(&rest, '/'), container = slice_cut(&rest, '/');
    struct logs_options options;
    struct err err;
    char name[256], text[ERR_MESSAGE_MAX];
    (void)snprintf(name, sizeof name, "%.*s", SLICE_ARGS(container));
    struct pod_worker *w = agent_worker_named(a, namespace, pod);
    if (w == NULL || rest.data != NULL) {
        (void)snprintf(text, sizeof text, "pod \"%.*s/%.*s\" is not on this node\n", SLICE_ARGS(namespace), SLICE_ARGS(pod));
        answer(x, 404, text);
        return;
    }
    if (logs_options_parse(x->request.query, clock_wall_ms(&a->env->clock) * 1000, &options, &err) < 0) {
        answer(x, 400, err.message);
        return;
    }
    unsigned attempts = pod_worker_attempts(w, name);
    if (attempts < (options.previous ? 2U : 1U)) {
        (void)snprintf(text, sizeof text,
                       options.previous ? "previous terminated container \"%.200s\" in pod \"%.*s\" not found"
                                        : "container \"%.200s\" in pod \"%.*s\" is waiting to start: ContainerCreating",
                       name, SLICE_ARGS(pod));
        answer(x, 400, text);
        return;
    }
    if (a->log_stream_count >= AGENT_FOLLOWERS_MAX) {
        answer(x, 429, "too many log streams on this node; try again later");
        return;
    }
    stream_begin(a, x, pod_worker_pod(w), name, attempts - (options.previous ? 2 : 1), &options);
}

static void serve_pods(struct nodeagent *a, struct http_exchange *x)
{
    struct buf out = {0};
    struct map_entry *e;
    bool first = true;
    struct http_header type = {SLICE("Content-Type"), SLICE("application/json")};
    buf_append_str(&out, "{\"kind\":\"PodList\",\"apiVersion\":\"v1\",\"metadata\":{},\"items\":[");
    for (size_t i = 0; (e = map_next(&a->workers, &i)) != NULL;) {
        const struct pod *p = pod_worker_pod(e->value);
        if (p == NULL)
            continue;
        buf_append_str(&out, first ? "" : ",");
        first = false;
        json_print(p->tree, &out);
    }
    buf_append_str(&out, "]}");
    http_respond(x, 200, &type, 1, buf_slice(&out), NULL);
    buf_release(&out);
}

void nodeagent_handle(void *agent, struct http_exchange *x)
{
    struct nodeagent *a = agent;
    struct slice path = x->request.path, logs = SLICE("/containerLogs/"), exec = SLICE("/exec/"), attach = SLICE("/attach/");
    bool streams = slice_has_prefix(path, exec) || slice_has_prefix(path, attach);
    if (!slice_is(x->request.method, "GET") && !(streams && slice_is(x->request.method, "POST")))
        answer(x, 405, "only GET is served here\n");
    else if (slice_is(path, "/healthz") || slice_is(path, "/livez"))
        answer(x, 200, "ok");
    else if (slice_is(path, "/readyz"))
        answer(x, informer_synced(a->pods) ? 200 : 503, informer_synced(a->pods) ? "ok" : "pods of this node are not known yet");
    else if (!may_ask(x->request.peer))
        answer(x, 401, "Unauthorized");
    else if (slice_is(path, "/pods"))
        serve_pods(a, x);
    else if (slice_has_prefix(path, logs) && !a->closing)
        serve_logs(a, x, slice_from(path, logs.size));
    else if (streams && !a->closing)
        streams_serve(a, x, slice_from(path, slice_has_prefix(path, attach) ? attach.size : exec.size), slice_has_prefix(path, attach));
    else
        answer(x, 404, "404 page not found\n");
}
