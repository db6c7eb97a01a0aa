#include "common/base.h"

#include "common/mem.h"
#include "common/tls.h"
#include "common/uv_env.h"

#include <stdio.h>

#include <curl/curl.h>
#include <uv.h>

#define HTTP_CONNECT_TIMEOUT_MS 3000
#define HTTP_CONNECTIONS_MAX 512
#define HTTP_IDLE_CONNECTIONS_MAX 32

struct uv_http {
    uv_loop_t *uv;
    struct env *env;
    CURLM *multi;
    uv_timer_t timer;
    struct list transfers;
    bool closing;
};

/* libcurl must not be entered from its own callbacks, so calls start and end from deferred turns. */
enum transfer_state { TRANSFER_STARTING, TRANSFER_RUNNING, TRANSFER_ENDING };

struct transfer {
    struct uv_http *http;
    struct http_call *call;
    CURL *easy;
    struct curl_slist *headers;
    enum transfer_state state;
    int status; /* of an ending one */
    struct err why;
    char reason[CURL_ERROR_SIZE];
    struct deferred turn;
    struct timer silence;
    struct list link;
};

/* A socket curl asked to watch. */
struct watched {
    struct uv_http *http;
    uv_poll_t poll;
    curl_socket_t fd;
};

static void collect_finished(struct uv_http *h);

static void socket_ready(uv_poll_t *poll, int status, int events)
{
    struct watched *w = poll->data;
    struct uv_http *h = w->http;
    int flags = status < 0 ? CURL_CSELECT_ERR : 0, running;
    if (events & UV_READABLE)
        flags |= CURL_CSELECT_IN;
    if (events & UV_WRITABLE)
        flags |= CURL_CSELECT_OUT;
    curl_multi_socket_action(h->multi, w->fd, flags, &running);
    collect_finished(h);
}

static void watched_freed(uv_handle_t *handle) { mem_free(handle->data); }

static int watch_socket(CURL *easy, curl_socket_t fd, int what, void *arg, void *per_socket)
{
    (void)easy;
    struct uv_http *h = arg;
    struct watched *w = per_socket;
    if (what == CURL_POLL_REMOVE) {
        if (w != NULL) {
            uv_poll_stop(&w->poll);
            uv_close((uv_handle_t *)&w->poll, watched_freed);
            curl_multi_assign(h->multi, fd, NULL);
        }
        return 0;
    }
    if (w == NULL) {
        w = NEW(struct watched);
        w->http = h;
        w->fd = fd;
        if (uv_poll_init_socket(h->uv, &w->poll, fd) != 0) {
            mem_free(w);
            return -1;
        }
        w->poll.data = w;
        curl_multi_assign(h->multi, fd, w);
    }
    int events = (what & CURL_POLL_IN ? UV_READABLE : 0) | (what & CURL_POLL_OUT ? UV_WRITABLE : 0);
    uv_poll_start(&w->poll, events, socket_ready);
    return 0;
}

static void timer_fired(uv_timer_t *timer)
{
    struct uv_http *h = timer->data;
    int running;
    curl_multi_socket_action(h->multi, CURL_SOCKET_TIMEOUT, 0, &running);
    collect_finished(h);
}

static int set_timer(CURLM *multi, long timeout_ms, void *arg)
{
    (void)multi;
    struct uv_http *h = arg;
    if (h->closing)
        return 0;
    if (timeout_ms < 0)
        uv_timer_stop(&h->timer);
    else
        uv_timer_start(&h->timer, timer_fired, (uint64_t)timeout_ms, 0);
    return 0;
}

static int code_of(CURLcode code)
{
    switch (code) {
    case CURLE_OK: return 0;
    case CURLE_COULDNT_CONNECT: return ERR_CONNECT;
    case CURLE_OPERATION_TIMEDOUT: return ERR_TIMEOUT;
    case CURLE_SSL_CONNECT_ERROR:
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_SSL_CERTPROBLEM:
    case CURLE_SSL_CACERT_BADFILE: return ERR_TLS;
    case CURLE_RECV_ERROR:
    case CURLE_SEND_ERROR:
    case CURLE_GOT_NOTHING:
    case CURLE_PARTIAL_FILE: return ERR_EOF;
    case CURLE_URL_MALFORMAT:
    case CURLE_UNSUPPORTED_PROTOCOL: return ERR_BAD_REQUEST;
    default: return ERR_IO;
    }
}

static void transfer_free(struct transfer *t)
{
    loop_undefer(&t->http->env->loop, &t->turn);
    loop_timer_stop(&t->http->env->loop, &t->silence);
    if (t->state != TRANSFER_STARTING)
        curl_multi_remove_handle(t->http->multi, t->easy);
    curl_easy_cleanup(t->easy);
    curl_slist_free_all(t->headers);
    list_remove(&t->link);
    if (list_empty(&t->http->transfers))
        uv_unref((uv_handle_t *)&t->http->timer);
    t->call->impl = NULL;
    mem_free(t);
}

static void end(struct transfer *t)
{
    struct http_call *c = t->call;
    long http_status = 0;
    char *type = NULL;
    curl_easy_getinfo(t->easy, CURLINFO_RESPONSE_CODE, &http_status);
    curl_easy_getinfo(t->easy, CURLINFO_CONTENT_TYPE, &type);
    c->http_status = (int)http_status;
    buf_reset(&c->content_type);
    if (type != NULL)
        buf_append_str(&c->content_type, type);
    int status = t->status;
    struct err why = t->why;
    transfer_free(t);
    c->done(c, status, status == 0 ? NULL : &why);
}

static void end_later(struct transfer *t, int status)
{
    if (t->state == TRANSFER_ENDING)
        return;
    if (t->state == TRANSFER_STARTING)
        curl_multi_add_handle(t->http->multi, t->easy); /* so that every ending one is removed alike */
    t->state = TRANSFER_ENDING;
    t->status = status;
    loop_defer(&t->http->env->loop, &t->turn);
}

static void collect_finished(struct uv_http *h)
{
    CURLMsg *message;
    int left;
    while ((message = curl_multi_info_read(h->multi, &left)) != NULL) {
        struct transfer *t = NULL;
        if (message->msg != CURLMSG_DONE)
            continue;
        CURLcode result = message->data.result;
        curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, (char **)&t);
        if (t->state == TRANSFER_ENDING)
            continue;
        if (result != CURLE_OK)
            err_set(&t->why, code_of(result), "%s %s: %s", t->call->method, t->call->url,
                    t->reason[0] != '\0' ? t->reason : curl_easy_strerror(result));
        end_later(t, code_of(result));
    }
}

static void too_silent(struct timer *timer)
{
    struct transfer *t = container_of(timer, struct transfer, silence);
    err_set(&t->why, ERR_TIMEOUT, "%s %s: nothing received for %u ms", t->call->method, t->call->url, t->call->silence_ms);
    end_later(t, ERR_TIMEOUT);
}

static size_t receive(char *data, size_t one, size_t size, void *arg)
{
    (void)one;
    struct transfer *t = arg;
    struct http_call *c = t->call;
    if (t->state != TRANSFER_RUNNING)
        return size; /* ending: what still comes is nobody's */
    if (c->silence_ms != 0)
        loop_timer_start(&t->http->env->loop, &t->silence, c->silence_ms);
    long http_status = 0;
    curl_easy_getinfo(t->easy, CURLINFO_RESPONSE_CODE, &http_status);
    c->http_status = (int)http_status;
    if (c->on_data != NULL) {
        c->on_data(c, slice_of(data, size));
        return size;
    }
    if (c->response.size + size > (c->body_bytes_max != 0 ? c->body_bytes_max : HTTP_BODY_MAX)) {
        err_set(&t->why, ERR_TOO_LARGE, "%s %s: the answer is too large", c->method, c->url);
        end_later(t, ERR_TOO_LARGE);
        return size;
    }
    buf_append(&c->response, data, size);
    return size;
}

static void add_header(struct transfer *t, const char *line)
{
    struct curl_slist *longer = curl_slist_append(t->headers, line);
    if (longer == NULL)
        PANIC("out of memory for an HTTP header");
    t->headers = longer;
}

static void set_headers(struct transfer *t)
{
    struct buf line = {0};
    for (size_t i = 0; i < t->call->header_count; i++) {
        const struct http_header *h = &t->call->headers[i];
        buf_reset(&line);
        buf_printf(&line, "%.*s: %.*s", SLICE_ARGS(h->name), SLICE_ARGS(h->value));
        add_header(t, line.data);
    }
    add_header(t, "Expect:"); /* no 100-continue round trip */
    buf_release(&line);
    curl_easy_setopt(t->easy, CURLOPT_HTTPHEADER, t->headers);
}

static void set_tls(struct transfer *t)
{
    if (t->call->tls == NULL)
        return;
    const struct tls_options *files = tls_files(t->call->tls);
    curl_easy_setopt(t->easy, CURLOPT_CAINFO, files->ca_file);
    curl_easy_setopt(t->easy, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
    if (files->certificate_file != NULL) {
        curl_easy_setopt(t->easy, CURLOPT_SSLCERT, files->certificate_file);
        curl_easy_setopt(t->easy, CURLOPT_SSLKEY, files->key_file);
    }
}

static void set_options(struct transfer *t)
{
    struct http_call *c = t->call;
    CURL *e = t->easy;
    curl_easy_setopt(e, CURLOPT_PRIVATE, t);
    curl_easy_setopt(e, CURLOPT_URL, c->url);
    curl_easy_setopt(e, CURLOPT_ERRORBUFFER, t->reason);
    curl_easy_setopt(e, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(e, CURLOPT_PROXY, ""); /* the environment has no say in where the cluster is */
    curl_easy_setopt(e, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
    curl_easy_setopt(e, CURLOPT_CONNECTTIMEOUT_MS, (long)HTTP_CONNECT_TIMEOUT_MS);
    curl_easy_setopt(e, CURLOPT_TIMEOUT_MS, (long)c->timeout_ms);
    curl_easy_setopt(e, CURLOPT_TCP_KEEPALIVE, 1L);
    curl_easy_setopt(e, CURLOPT_WRITEFUNCTION, receive);
    curl_easy_setopt(e, CURLOPT_WRITEDATA, t);
    if (c->body.size > 0 || (strcmp(c->method, "GET") != 0 && strcmp(c->method, "DELETE") != 0)) {
        curl_easy_setopt(e, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)c->body.size);
        curl_easy_setopt(e, CURLOPT_POSTFIELDS, c->body.size == 0 ? "" : c->body.data);
    }
    curl_easy_setopt(e, CURLOPT_CUSTOMREQUEST, c->method);
    set_tls(t);
    if (c->unverified && c->tls == NULL) {
        curl_easy_setopt(e, CURLOPT_SSL_VERIFYPEER, 0L);
        curl_easy_setopt(e, CURLOPT_SSL_VERIFYHOST, 0L);
    }
    set_headers(t);
}

static void take_turn(struct deferred *d)
{
    struct transfer *t = container_of(d, struct transfer, turn);
    if (t->state == TRANSFER_ENDING) {
        end(t);
        return;
    }
    t->state = TRANSFER_RUNNING;
    if (t->call->silence_ms != 0)
        loop_timer_start(&t->http->env->loop, &t->silence, t->call->silence_ms);
    if (curl_multi_add_handle(t->http->multi, t->easy) != CURLM_OK)
        PANIC("out of memory for an HTTP request");
}

static void start(void *impl, struct http_call *c)
{
    struct uv_http *h = impl;
    struct transfer *t = NEW(struct transfer);
    t->http = h;
    t->call = c;
    t->easy = curl_easy_init();
    if (t->easy == NULL)
        PANIC("out of memory for an HTTP request");
    deferred_init(&t->turn, take_turn);
    timer_init(&t->silence, too_silent);
    uv_ref((uv_handle_t *)&h->timer); /* an open call keeps the loop alive */
    list_push_back(&h->transfers, &t->link);
    c->impl = t;
    c->http_status = 0;
    set_options(t);
    loop_defer(&h->env->loop, &t->turn);
}

static void cancel(void *impl, struct http_call *c)
{
    (void)impl;
    struct transfer *t = c->impl;
    if (t == NULL || t->state == TRANSFER_ENDING)
        return;
    err_set(&t->why, ERR_CANCELED, "%s %s: canceled", c->method, c->url);
    end_later(t, ERR_CANCELED);
}

static void timer_closed(uv_handle_t *handle) { mem_free(handle->data); }

static void http_close(void *seam)
{
    struct uv_http *h = seam;
    h->closing = true;
    LIST_FOR_EACH(node, &h->transfers)
        transfer_free(container_of(node, struct transfer, link));
    curl_multi_cleanup(h->multi);
    curl_global_cleanup();
    uv_close((uv_handle_t *)&h->timer, timer_closed);
}

void uv_env_add_http(struct uv_env *uv)
{
    static const struct http_client_ops ops = {start, cancel};
    struct uv_http *h = NEW(struct uv_http);
    h->uv = uv_env_loop(uv);
    h->env = uv_env_env(uv);
    list_init(&h->transfers);
    uv_timer_init(h->uv, &h->timer);
    uv_unref((uv_handle_t *)&h->timer);
    h->timer.data = h;
    h->env->http = (struct http_client){&ops, h};
    if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK || (h->multi = curl_multi_init()) == NULL)
        PANIC("libcurl does not start");
    curl_multi_setopt(h->multi, CURLMOPT_SOCKETFUNCTION, watch_socket);
    curl_multi_setopt(h->multi, CURLMOPT_SOCKETDATA, h);
    curl_multi_setopt(h->multi, CURLMOPT_TIMERFUNCTION, set_timer);
    curl_multi_setopt(h->multi, CURLMOPT_TIMERDATA, h);
    curl_multi_setopt(h->multi, CURLMOPT_MAX_TOTAL_CONNECTIONS, (long)HTTP_CONNECTIONS_MAX);
    curl_multi_setopt(h->multi, CURLMOPT_MAXCONNECTS, (long)HTTP_IDLE_CONNECTIONS_MAX);
    uv_env_add(uv, http_close, h);
}
