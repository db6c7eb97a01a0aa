#include "common/base.h"

#include "apiserver/apiserver.h"
#include "common/flags.h"
#include "common/http_server.h"
#include "common/tls.h"
#include "common/uv_env.h"
#include "raftstore/client.h"

#include <stdio.h>

struct process {
    struct uv_env *uv;
    struct http_server *http;
    struct apiserver *api;
    struct store_client *store;
    struct tls *store_tls, *server_tls, *kubelet_tls;
    const char *listen, *advertise, *store_list, *store_ca, *store_cert, *store_key, *tls_cert, *tls_key, *client_ca, *kubelet_ca,
        *kubelet_cert, *kubelet_key, *log_level;
    const char *endpoints[STORE_ENDPOINTS_MAX];
    char list_copy[1024];
    bool stopping;
};

static void store_closed(void *arg) { uv_env_stop(((struct process *)arg)->uv); }
static void api_closed(void *arg) { store_client_close(((struct process *)arg)->store, store_closed, arg); }
static void http_closed(void *arg) { apiserver_close(((struct process *)arg)->api, api_closed, arg); }

static void on_signal(void *arg)
{
    struct process *p = arg;
    if (!p->stopping)
        http_server_close(p->http, http_closed, p);
    p->stopping = true;
}

static void on_request(void *core, struct http_exchange *x) { api_handle(((struct process *)core)->api, x); }

static int credentials(struct tls **ret, const char *cert, const char *key, const char *ca, enum tls_verify verify, struct err *why)
{
    if (cert == NULL && ca == NULL)
        return 0; /* plain TCP: tests */
    return tls_new(&(struct tls_options){.certificate_file = cert, .key_file = key, .ca_file = ca, .verify = verify}, ret, why);
}

static int endpoints(struct process *p, size_t *ret_count, struct err *why)
{
    size_t n = 0;
    if (p->store_list == NULL || strlen(p->store_list) >= sizeof p->list_copy)
        return err_set(why, ERR_BAD_REQUEST, "--store wants the store's endpoints: HOST:PORT,HOST:PORT,…");
    memcpy(p->list_copy, p->store_list, strlen(p->store_list) + 1);
    for (char *rest = p->list_copy, *one; (one = strsep(&rest, ",")) != NULL;) {
        if (n == STORE_ENDPOINTS_MAX || *one == '\0')
            return err_set(why, ERR_BAD_REQUEST, "--store: 1 to %d endpoints, none of them empty", STORE_ENDPOINTS_MAX);
        p->endpoints[n++] = one;
    }
    *ret_count = n;
    return 0;
}

static int start(struct process *p, struct err *why)
{
    enum log_level level;
    size_t count = 0;
    int code = log_level_parse(p->log_level, &level);
    if (code != 0)
        return err_set(why, code, "--log-level: debug, info, warn or error");
    p->uv = uv_env_new("apiserver", level);
    uv_env_add_http(p->uv);
    if ((code = endpoints(p, &count, why)) != 0 ||
        (code = credentials(&p->store_tls, p->store_cert, p->store_key, p->store_ca, TLS_VERIFY_PEER, why)) != 0 ||
        (code = credentials(&p->server_tls, p->tls_cert, p->tls_key, p->client_ca, TLS_VERIFY_IF_GIVEN, why)) != 0 ||
        (code = credentials(&p->kubelet_tls, p->kubelet_cert, p->kubelet_key, p->kubelet_ca, TLS_VERIFY_PEER, why)) != 0)
        return code;
    struct env *env = uv_env_env(p->uv);
    struct store_client_options store = {.endpoints = p->endpoints, .endpoint_count = count, .tls = p->store_tls};
    p->store = store_client_new(env, &store);
    struct apiserver_options api = {.store = p->store, .kubelet_tls = p->kubelet_tls, .advertise = p->advertise};
    if ((code = apiserver_new(env, &api, &p->api, why)) != 0)
        return code;
    struct http_server_options http = {.address = p->listen, .tls = p->server_tls, .on_request = on_request, .core = p};
    return http_server_new(p->uv, &http, &p->http, why);
}

int main(int argc, char **argv)
{
    struct process p = {.listen = "127.0.0.1:6443", .log_level = "info"};
    const struct flag flags[] = {
        {.name = "listen", .type = FLAG_TEXT, .target = &p.listen, .help = "numeric HOST:PORT to serve on"},
        {.name = "advertise", .type = FLAG_TEXT, .target = &p.advertise, .help = "HOST:PORT that others reach this replica by"},
        {.name = "store", .type = FLAG_TEXT, .target = &p.store_list, .help = "endpoints of the store, HOST:PORT,…"},
        {.name = "store-ca", .type = FLAG_TEXT, .target = &p.store_ca, .help = "CA of the store (PEM); none: plain TCP"},
        {.name = "store-cert", .type = FLAG_TEXT, .target = &p.store_cert, .help = "client certificate for the store"},
        {.name = "store-key", .type = FLAG_TEXT, .target = &p.store_key, .help = "its key"},
        {.name = "tls-cert", .type = FLAG_TEXT, .target = &p.tls_cert, .help = "serving certificate; none: plain HTTP"},
        {.name = "tls-key", .type = FLAG_TEXT, .target = &p.tls_key, .help = "its key"},
        {.name = "client-ca", .type = FLAG_TEXT, .target = &p.client_ca, .help = "CA that client certificates chain to"},
        {.name = "kubelet-ca", .type = FLAG_TEXT, .target = &p.kubelet_ca, .help = "CA of the node agents; none: plain HTTP"},
        {.name = "kubelet-cert", .type = FLAG_TEXT, .target = &p.kubelet_cert, .help = "client certificate for node agents"},
        {.name = "kubelet-key", .type = FLAG_TEXT, .target = &p.kubelet_key, .help = "its key"},
        {.name = "log-level", .type = FLAG_TEXT, .target = &p.log_level, .help = "debug, info, warn or error"},
        {.name = NULL},
    };
    struct flags_result given = {0};
    struct buf help = {0};
    struct err why;
    int code = flags_parse(flags, argc, argv, NULL, &given, &why);
    if (code == 0 && given.help) {
        flags_help(flags, "apiserver: the Kubernetes API over the store\nusage: apiserver --listen HOST:PORT --store HOST:PORT,…", &help);
        (void)fwrite(help.data, 1, help.size, stdout);
        return 0;
    }
    if (code == 0 && (code = start(&p, &why)) == 0)
        uv_env_run(p.uv, on_signal, &p);
    if (code != 0) {
        fprintf(stderr, "apiserver: %s\n", why.message);
        return 1; /* nothing was served: the process's end releases what start made */
    }
    uv_env_free(p.uv);
    tls_unref(p.store_tls);
    tls_unref(p.server_tls);
    tls_unref(p.kubelet_tls);
    flags_release(&given);
    return 0;
}
