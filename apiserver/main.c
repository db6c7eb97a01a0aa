#include "common/base.h"

#include "apiserver/apiserver.h"
#include "apiserver/command_line.h"
#include "common/http_server.h"
#include "common/jwt.h"
#include "common/tls.h"
#include "common/tls_watch.h"
#include "common/uv_env.h"

#include <stdio.h>

struct process {
    struct uv_env *uv;
    struct http_server *http;
    struct apiserver *api;
    struct store_client *store;
    struct tls *store_tls, *server_tls, *kubelet_tls;
    struct tls_watch credentials;
    struct jwt_key *token_key;
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

static void on_limit(void *core, enum http_server_limit which)
{
    api_front_limit(((struct process *)core)->api, which);
}

static int credentials(struct tls **ret, const char *cert, const char *key, const char *ca, enum tls_verify verify,
                       struct err *why)
{
    if (cert == NULL && ca == NULL)
        return 0; /* plain TCP: tests */
    return tls_new(&(struct tls_options){.certificate_file = cert, .key_file = key, .ca_file = ca, .verify = verify},
                   ret, why);
}

static int start(struct process *p, const struct command_line *o, struct err *why)
{
    int code;
    p->uv = uv_env_new("apiserver", o->level);
    uv_env_add_http(p->uv);
    if ((code = credentials(&p->store_tls, o->store_cert, o->store_key, o->store_ca, TLS_VERIFY_PEER, why)) != 0 ||
        (code = credentials(&p->server_tls, o->tls_cert, o->tls_key, o->client_ca, TLS_VERIFY_IF_GIVEN, why)) != 0 ||
        (code = credentials(&p->kubelet_tls, o->kubelet_cert, o->kubelet_key, o->kubelet_ca, TLS_VERIFY_PEER, why)) !=
            0)
        return code;
    if (o->service_account_key_file != NULL &&
        (code = jwt_key_load(o->service_account_key_file, &p->token_key, why)) != 0)
        return code;
    struct env *env = uv_env_env(p->uv);
    struct tls *const all[] = {p->store_tls, p->server_tls, p->kubelet_tls};
    tls_watch_start(&p->credentials, env);
    for (size_t i = 0; i < ARRAY_LEN(all); i++)
        tls_watch_add(&p->credentials,
                      all[i]); /* of the front only whom it trusts: what it shows is its library's, until a restart */
    struct store_client_options store = {
        .endpoints = o->endpoints, .endpoint_count = o->endpoint_count, .tls = p->store_tls};
    p->store = store_client_new(env, &store);
    struct apiserver_options api = {.store = p->store,
                                    .store_tls = p->store_tls,
                                    .kubelet_tls = p->kubelet_tls,
                                    .advertise = o->advertise,
                                    .token_key = p->token_key,
                                    .issuer = o->service_account_issuer};
    if ((code = apiserver_new(env, &api, &p->api, why)) != 0)
        return code;
    struct http_server_options http = {
        .address = o->listen, .tls = p->server_tls, .on_request = on_request, .core = p, .on_limit = on_limit};
    return http_server_new(p->uv, &http, &p->http, why);
}

int main(int argc, char **argv)
{
    struct process p = {.uv = NULL};
    struct command_line o;
    struct err why;
    bool help = false;
    int code = command_line_parse(argc, argv, &o, &help, &why);
    if (help) {
        command_line_help();
        return 0;
    }
    if (code == 0 && (code = start(&p, &o, &why)) == 0)
        uv_env_run(p.uv, on_signal, &p);
    if (code != 0) {
        fprintf(stderr, "apiserver: %s\n", why.message);
        return 1; /* nothing was served: the process's end releases what start made */
    }
    tls_watch_stop(&p.credentials);
    uv_env_free(p.uv);
    tls_unref(p.store_tls);
    tls_unref(p.server_tls);
    tls_unref(p.kubelet_tls);
    jwt_key_free(p.token_key);
    return 0;
}
