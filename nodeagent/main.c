/* nodeagent: flags, the real env, run. `nodeagent shim …` is the parent of one container, see host_linux_shim.c. */
#include "common/base.h"
#include "nodeagent/nodeagent.h"

#include <stdio.h>
#include <stdlib.h>

#include "common/flags.h"
#include "common/http_server.h"
#include "common/mem.h"
#include "common/tls.h"
#include "common/uv_env.h"
#include "nodeagent/host.h"
#include "nodeagent/options.h"

struct process {
    struct uv_env *uv;
    struct nodeagent *agent;
    struct http_server *server;
    bool closing;
};

static void on_closed(void *arg) { uv_env_stop(((struct process *)arg)->uv); }
static void on_server_closed(void *arg) { nodeagent_close(((struct process *)arg)->agent, on_closed, arg); }

static void on_signal(void *arg)
{
    struct process *p = arg;
    if (!p->closing)
        http_server_close(p->server, on_server_closed, p);
    p->closing = true;
}

static int open_all(struct process *p, const struct options *o, struct err *reterr)
{
    struct tls *client = NULL, *server = NULL;
    char self[4096];
    struct tls_options files = {o->cert, o->key, o->ca, TLS_VERIFY_PEER};
    struct tls_options server_files = {o->server_cert, o->server_key, o->ca, TLS_VERIFY_IF_GIVEN};
    int rv = host_private_mounts(reterr);
    if (rv == 0)
        rv = host_self_program(self, sizeof self, reterr);
    if (rv == 0)
        rv = tls_new(&files, &client, reterr);
    if (rv == 0)
        rv = tls_new(&server_files, &server, reterr);
    if (rv < 0)
        goto out;
    p->uv = uv_env_new("nodeagent", o->level);
    uv_env_add_http(p->uv);
    uv_env_add_proc(p->uv);
    struct nodeagent_options agent = agent_options_component(o, client, self);
    rv = nodeagent_new(uv_env_env(p->uv), &agent, &p->agent, reterr);
    if (rv < 0)
        goto out;
    struct http_server_options http = {.address = o->listen, .tls = server, .on_request = nodeagent_handle, .core = p->agent};
    rv = http_server_new(p->uv, &http, &p->server, reterr);
out:
    tls_unref(client);
    tls_unref(server);
    return rv;
}

int main(int argc, char **argv)
{
    struct process p = {0};
    struct options o;
    struct err err;
    if (argc > 1 && strcmp(argv[1], "shim") == 0)
        return host_shim_main(argc - 1, argv + 1);
    int rv = agent_options_parse(argc, argv, getenv, &o, &err);
    if (rv > 0)
        return 0;
    if (rv == 0)
        rv = open_all(&p, &o, &err);
    if (rv < 0) {
        (void)fprintf(stderr, "nodeagent: %s\n", err.message);
        agent_options_release(&o);
        return rv == ERR_BAD_REQUEST ? 2 : 1;
    }
    uv_env_run(p.uv, on_signal, &p);
    uv_env_free(p.uv);
    agent_options_release(&o);
    return 0;
}
