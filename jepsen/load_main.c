/* jepsen-load: drives a store and writes the history.
 *   jepsen-load --workload register --time 60s --rate 200 --concurrency 10 --seed 7 --history history.edn
 * SIGTERM ends the operations and begins the final reads (jepsen/run sends it once everything is healed); a second one ends
 * those too. Exit codes: 0 done, 1 a final read failed or it was broken off, 2 wrong use. */
#include "common/base.h"

#include "jepsen/load.h"

#include "common/flags.h"
#include "common/tls.h"
#include "common/uv_env.h"

#include <errno.h>
#include <stdlib.h>

struct settings {
    const char *workload, *endpoints, *ca, *cert, *key, *history, *principals;
    struct load_options load;
    int64_t seed;
};

struct program {
    struct uv_env *uv;
    struct load load;
    bool over;
};

static void on_over(void *arg)
{
    struct program *p = arg;
    p->over = true;
    uv_env_stop(p->uv);
}

static void on_signal(void *arg)
{
    struct program *p = arg;
    load_finish(&p->load);
}

static size_t split(char *text, const char **ret)
{
    size_t n = 0;
    for (char *next; text != NULL && n < STORE_ENDPOINTS_MAX; text = next) {
        next = strchr(text, ',');
        if (next != NULL)
            *next++ = '\0';
        ret[n++] = text;
    }
    return n;
}

static int run(struct settings *s, const struct workload *w)
{
    struct program p = {0};
    const char *endpoints[STORE_ENDPOINTS_MAX];
    char *text = mem_strdup(s->endpoints);
    s->load.endpoints = endpoints;
    s->load.endpoint_count = split(text, endpoints);
    s->load.seed = (uint64_t)s->seed;
    p.uv = uv_env_new("jepsen-load", LOG_ERROR);
    if (w->kube)
        uv_env_add_http(p.uv);
    load_start(&p.load, uv_env_env(p.uv), &s->load, w, on_over, &p);
    /* When the history's time 0 was, for the plot beside the timeline of faults. */
    printf("began %.3f\n", (double)clock_wall_ms(&uv_env_env(p.uv)->clock) / 1000);
    (void)fflush(stdout); /* only told */
    while (!p.over)
        uv_env_run(p.uv, on_signal, &p);
    printf("operations %lld, final reads that failed %lld%s\n", (long long)p.load.index, (long long)p.load.failed_finals,
           p.load.abandoned ? ", broken off" : "");
    int code = p.load.failed_finals != 0 || p.load.abandoned;
    load_release(&p.load);
    uv_env_free(p.uv);
    mem_free(text);
    return code;
}

/* NUMBER.crt and NUMBER.key, from 1 on. */
static int open_principal(struct settings *s, size_t number, struct err *reterr)
{
    char *cert = mem_printf("%s/%zu.crt", s->principals, number), *key = mem_printf("%s/%zu.key", s->principals, number);
    const struct tls_options files = {.certificate_file = cert, .key_file = key, .ca_file = s->ca};
    int rv = tls_new(&files, &s->load.principals[number - 1], reterr);
    mem_free(cert);
    mem_free(key);
    return rv;
}

static int open_files(struct settings *s, const struct workload *w, struct err *reterr)
{
    const struct tls_options files = {.certificate_file = s->cert, .key_file = s->key, .ca_file = s->ca};
    int rv = s->cert == NULL ? 0 : tls_new(&files, &s->load.tls, reterr);
    if (rv == 0 && w->principals != 0 && s->principals == NULL)
        rv = err_set(reterr, ERR_BAD_REQUEST, "%s wants --principals with %zu certificates", w->name, w->principals);
    for (; rv == 0 && s->load.principal_count < w->principals; s->load.principal_count++)
        rv = open_principal(s, s->load.principal_count + 1, reterr);
    if (rv != 0)
        return rv;
    s->load.history = fopen(s->history, "we");
    return s->load.history != NULL ? 0 : err_set_errno(reterr, errno, "%s", s->history);
}

static const char *wrong(const struct settings *s)
{
    if (s->load.concurrency < 1 || s->load.concurrency > LOAD_CONCURRENCY_MAX)
        return "--concurrency must be 1 to 64";
    if (s->load.rate < 1 || s->load.rate > LOAD_RATE_MAX)
        return "--rate must be 1 to 100000";
    return s->seed < 0 || s->load.timeout_ms == 0 ? "--seed must not be negative, --timeout not 0" : NULL;
}

static int usage(const struct flag *flags, bool asked)
{
    struct buf text = {0}, head = {0};
    const struct workload *w;
    buf_append_str(&head, "Usage: jepsen-load --workload NAME [flags]\n\nWorkloads:\n");
    for (size_t i = 0; (w = workload_at(i)) != NULL; i++)
        buf_printf(&head, "  %-12s%s\n", w->name, w->help);
    head.data[--head.size] = '\0';
    flags_help(flags, head.data, &text);
    fwrite(text.data, 1, text.size, asked ? stdout : stderr);
    buf_release(&text);
    buf_release(&head);
    return asked ? 0 : 2;
}

int main(int argc, char **argv)
{
    struct settings s = {.workload = "", .endpoints = "127.0.0.1:2379", .history = "history.edn", .seed = 1,
                         .load = {.concurrency = 10, .rate = 100, .timeout_ms = 3000}};
    const struct flag flags[] = {
        {"workload", FLAG_TEXT, &s.workload, "what the processes do", 'w', NULL},
        {"endpoints", FLAG_TEXT, &s.endpoints, "members' client addresses; api: apiservers, https://…", 0, "RSCTL_ENDPOINTS"},
        {"cacert", FLAG_TEXT, &s.ca, "certificate authority", 0, "RSCTL_CACERT"},
        {"cert", FLAG_TEXT, &s.cert, "own certificate", 0, "RSCTL_CERT"},
        {"key", FLAG_TEXT, &s.key, "its key", 0, "RSCTL_KEY"},
        {"principals", FLAG_TEXT, &s.principals, "access, rbac: folder of 1.crt, 1.key, 2.crt, …", 0, NULL},
        {"history", FLAG_TEXT, &s.history, "file to write", 0, NULL},
        {"concurrency", FLAG_INT, &s.load.concurrency, "processes", 0, NULL},
        {"rate", FLAG_INT, &s.load.rate, "operations begun each second, at most", 0, NULL},
        {"seed", FLAG_INT, &s.seed, "of all choices", 0, NULL},
        {"time", FLAG_MS, &s.load.time_ms, "before the final reads; 0: until SIGTERM", 0, NULL},
        {"timeout", FLAG_MS, &s.load.timeout_ms, "of an operation", 0, NULL},
        {0},
    };
    struct flags_result parsed;
    struct err err;
    if (flags_parse(flags, argc, argv, getenv, &parsed, &err) != 0) {
        fprintf(stderr, "jepsen-load: %s\n", err.message);
        return 2;
    }
    const struct workload *w = workload_find(s.workload);
    int code = 2;
    if (parsed.help || parsed.argument_count != 0 || w == NULL)
        code = usage(flags, parsed.help);
    else if (wrong(&s) != NULL)
        fprintf(stderr, "jepsen-load: %s\n", wrong(&s));
    else if (open_files(&s, w, &err) != 0)
        fprintf(stderr, "jepsen-load: %s\n", err.message), code = 1;
    else
        code = run(&s, w);
    if (s.load.history != NULL && fclose(s.load.history) != 0) {
        fprintf(stderr, "jepsen-load: %s: %s\n", s.history, strerror(errno));
        code = 1;
    }
    tls_unref(s.load.tls);
    for (size_t i = 0; i < LOAD_PRINCIPALS_MAX; i++)
        tls_unref(s.load.principals[i]);
    flags_release(&parsed);
    return code;
}
