#include "common/base.h"

#include "common/health.h"
#include "common/kube/process.h"
#include "common/mem.h"
#include "common/tls.h"
#include "common/uv_env.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

struct running {
    const struct kube_process_spec *spec;
    void *component;
    struct kube_process process;
    struct health *health;
    char identity[128];
    bool stopping;
};

static bool is_ready(void *arg)
{
    struct running *r = arg;
    return !r->stopping && r->spec->ready(r->component);
}

static void write_metrics(void *arg, struct buf *out)
{
    struct running *r = arg;
    if (r->spec->metrics != NULL)
        r->spec->metrics(r->component, out);
}

static void all_closed(void *arg) { uv_env_stop(((struct running *)arg)->process.uv); }

static void health_closed(void *arg)
{
    struct running *r = arg;
    kube_client_close(r->process.client, all_closed, r);
}

static void component_closed(void *arg)
{
    struct running *r = arg;
    health_close(r->health, health_closed, r);
}

static void on_signal(void *arg)
{
    struct running *r = arg;
    if (r->stopping)
        return;
    r->stopping = true;
    log_info(r->process.env->log, "stopping", "signal=TERM");
    r->spec->close(r->component, component_closed, r);
}

/* Splits "a,b,c" into `urls`; the text is cut up in place. */
static size_t split(char *text, const char *urls[KUBE_ENDPOINTS_MAX])
{
    size_t n = 0;
    for (char *rest = text, *one; (one = strsep(&rest, ",")) != NULL;)
        if (one[0] != '\0' && n < KUBE_ENDPOINTS_MAX)
            urls[n++] = one;
    return n;
}

static int connect(struct running *r, struct err *reterr)
{
    struct kube_process *p = &r->process;
    struct tls_options files = {.certificate_file = p->certificate, .key_file = p->key, .ca_file = p->ca};
    if (p->apiservers == NULL)
        return err_set(reterr, ERR_BAD_REQUEST, "--apiservers is needed: the URLs of the apiservers, separated by commas");
    if ((p->certificate == NULL) != (p->key == NULL))
        return err_set(reterr, ERR_BAD_REQUEST, "--cert and --key go together");
    struct tls *tls = NULL;
    int rv = p->ca == NULL ? 0 : tls_new(&files, &tls, reterr);
    if (rv != 0)
        return rv;
    char *text = mem_strdup(p->apiservers), *agent = mem_printf("keelson-%s", r->spec->component);
    const char *urls[KUBE_ENDPOINTS_MAX];
    struct kube_client_options o = {.endpoints = urls, .endpoint_count = split(text, urls), .tls = tls, .user_agent = agent};
    if (o.endpoint_count == 0)
        rv = err_set(reterr, ERR_BAD_REQUEST, "--apiservers '%s' names no apiserver", p->apiservers);
    else
        p->client = kube_client_new(p->env, &o);
    mem_free(text);
    mem_free(agent);
    tls_unref(tls);
    return rv;
}

static void make_identity(struct running *r)
{
    char host[64] = "localhost";
    (void)gethostname(host, sizeof host - 1); /* the random part alone would do */
    snprintf(r->identity, sizeof r->identity, "%s_%016llx", host, (unsigned long long)random_u64(&r->process.env->random));
    if (r->process.identity == NULL)
        r->process.identity = r->identity;
}

static int start(struct running *r, struct err *reterr)
{
    struct kube_process *p = &r->process;
    enum log_level level;
    if (log_level_parse(p->log_level, &level) != 0)
        return err_set(reterr, ERR_BAD_REQUEST, "--log-level is debug, info, warn or error, not '%s'", p->log_level);
    p->uv = uv_env_new(r->spec->component, level);
    uv_env_add_http(p->uv);
    p->env = uv_env_env(p->uv);
    make_identity(r);
    int rv = connect(r, reterr);
    if (rv != 0)
        return rv;
    struct health_options o = {.address = p->listen_http, .ready = is_ready, .metrics = write_metrics, .arg = r};
    rv = health_new(p->uv, &o, &r->health, reterr);
    return rv != 0 ? rv : r->spec->start(r->component, p, reterr);
}

static size_t count_flags(const struct flag *flags)
{
    size_t n = 0;
    while (flags != NULL && flags[n].name != NULL)
        n++;
    return n;
}

/* 0 to go on, else the exit code plus one. */
static int parse(struct running *r, int argc, char **argv)
{
    struct kube_process *p = &r->process;
    p->listen_http = r->spec->listen_http;
    p->log_level = "info";
    const struct flag base[] = {
        {"apiservers", FLAG_TEXT, &p->apiservers, "URLs of the apiservers, separated by commas", 0, NULL},
        {"ca", FLAG_TEXT, &p->ca, "PEM file of the authority that apiservers chain to", 0, NULL},
        {"cert", FLAG_TEXT, &p->certificate, "PEM file of the client certificate", 0, NULL},
        {"key", FLAG_TEXT, &p->key, "PEM file of its key", 0, NULL},
        {"identity", FLAG_TEXT, &p->identity, "name in leader election; default: the host's name and a random part", 0, NULL},
        {"listen-http", FLAG_TEXT, &p->listen_http, "address of /healthz, /readyz and /metrics", 0, NULL},
        {"log-level", FLAG_TEXT, &p->log_level, "debug, info, warn or error", 0, NULL},
    };
    struct flag all[KUBE_PROCESS_FLAGS_MAX] = {{0}};
    size_t own = count_flags(r->spec->flags);
    ASSERT(own + ARRAY_LEN(base) < KUBE_PROCESS_FLAGS_MAX);
    memcpy(all, base, sizeof base);
    if (own > 0)
        memcpy(all + ARRAY_LEN(base), r->spec->flags, own * sizeof all[0]);
    struct flags_result result = {0};
    struct err err;
    int rv = 0;
    if (flags_parse(all, argc, argv, getenv, &result, &err) != 0) {
        fprintf(stderr, "%s: %s\n", r->spec->component, err.message);
        rv = 3;
    } else if (result.help) {
        struct buf text = {0};
        flags_help(all, r->spec->usage, &text);
        fputs(text.data, stdout);
        buf_release(&text);
        rv = 1;
    } else if (result.argument_count > 0) {
        fprintf(stderr, "%s: unexpected argument '%s'; see --help\n", r->spec->component, result.arguments[0]);
        rv = 3;
    }
    flags_release(&result);
    return rv;
}

int kube_process_main(const struct kube_process_spec *spec, void *component, int argc, char **argv)
{
    struct running r = {.spec = spec, .component = component};
    struct err err;
    int rv = parse(&r, argc, argv);
    if (rv != 0)
        return rv - 1;
    if (start(&r, &err) != 0) {
        fprintf(stderr, "%s: %s\n", spec->component, err.message);
        return 1; /* nothing has been acted on yet: the process ends as it stands */
    }
    log_info(r.process.env->log, "started", "identity=%s health=%s", r.process.identity, r.process.listen_http);
    uv_env_run(r.process.uv, on_signal, &r);
    uv_env_free(r.process.uv);
    return 0;
}
