/* The driver: caches → model → backend and zone.
 *
 *   preparing ──▶ serving ──▶ closing
 *   (the machine's settings, one command after the other; a failed one is tried again)
 *
 * The cluster's DNS address is made a local address of every node, so a query never leaves the node, needs no rule, and
 * is answered also while the rules are being replaced. (A redirect to a local port would depend on the rules, and
 * answers to the node's own queries would carry a source address that the redirect cannot undo.) */
#include "common/base.h"

#include "common/kube/informer.h"
#include "common/mem.h"
#include "netproxy/backend.h"
#include "netproxy/dns.h"
#include "netproxy/model.h"
#include "netproxy/netproxy.h"

#include <stdio.h>

#define COMMAND_WAIT_MS 10000
#define COMMAND_WORDS_MAX 8

enum netproxy_state { NETPROXY_PREPARING, NETPROXY_SERVING, NETPROXY_CLOSING };

enum step { STEP_LOCALNET, STEP_BRIDGE, STEP_ADDRESS, STEP_COUNT };

struct netproxy {
    struct env *env;
    struct kube_client *client;
    char *node_name, *domain, *dns_address, *dns_listen;
    char upstreams[DNS_UPSTREAMS_MAX][64];
    size_t upstream_count;
    enum netproxy_state state;
    enum step step;
    struct proc_run command;
    const char *words[COMMAND_WORDS_MAX]; /* of the command */
    bool command_runs;
    struct timer settle, again; /* again: a failed preparation */
    struct informer *services, *slices;
    unsigned unsynced, open; /* open: informers and the server */
    struct backend *backend;
    struct dns *dns;
    bool applied;
    unsigned retry_ms;
    uint64_t syncs, synced_ms;
    size_t rules;
    void (*serving)(void *arg);
    void *serving_arg;
    void (*closed)(void *arg);
    void *closed_arg;
};

/* --- caches → rules and names --- */

struct trees {
    const struct json **list;
    size_t count;
};

static struct trees trees_read(const struct informer *i, struct json_doc *d)
{
    const struct map *objects = informer_objects(i);
    struct trees t = {.list = mem_alloc((objects->size + 1) * sizeof *t.list)};
    struct map_entry *e;
    for (size_t at = 0; (e = map_next(objects, &at)) != NULL;)
        t.list[t.count++] = object_tree(e->value, d);
    return t;
}

static void apply_rules(struct netproxy *n, const struct trees *services, const struct trees *slices)
{
    struct rules rules;
    struct err why;
    struct model_input in = {
        .services = services->list,
        .service_count = services->count,
        .slices = slices->list,
        .slice_count = slices->count,
        .node_name = n->node_name,
        .skip_address = n->dns_address[0] == '\0' ? NULL : n->dns_address,
    };
    model_rules(&in, &rules);
    n->rules = rules.count;
    int rv = backend_apply(n->backend, &rules, &why);
    rules_release(&rules);
    if (rv == 0) {
        n->applied = true;
        n->retry_ms = NETPROXY_RETRY_MIN_MS;
        return;
    }
    log_error(n->env->log, "rules were not applied", "reason=\"%s\" retry_ms=%u", why.message, n->retry_ms);
    n->applied = false;
    loop_timer_start(&n->env->loop, &n->settle, n->retry_ms);
    n->retry_ms = MIN(n->retry_ms * 2, (unsigned)NETPROXY_RETRY_MAX_MS);
}

static void sync_all(struct timer *t)
{
    struct netproxy *n = container_of(t, struct netproxy, settle);
    struct json_doc *d = json_doc_new();
    struct trees services = trees_read(n->services, d), slices = trees_read(n->slices, d);
    n->syncs++;
    n->synced_ms = clock_monotonic_ms(&n->env->clock);
    apply_rules(n, &services, &slices);
    if (n->dns != NULL) {
        struct dns_zone zone;
        dns_zone_build(n->domain, services.list, services.count, slices.list, slices.count, &zone);
        dns_set_zone(n->dns, &zone);
    }
    mem_free(services.list);
    mem_free(slices.list);
    json_doc_free(d);
}

static void changed(void *arg, struct object *old, struct object *new)
{
    struct netproxy *n = arg;
    (void)old;
    (void)new;
    if (n->unsynced > 0 || n->state != NETPROXY_SERVING || timer_armed(&n->settle))
        return;
    uint64_t since_ms =
        clock_monotonic_ms(&n->env->clock) - n->synced_ms; /* the first after a quiet time goes at once */
    loop_timer_start(&n->env->loop, &n->settle, since_ms >= NETPROXY_SETTLE_MS ? 0 : NETPROXY_SETTLE_MS - since_ms);
}

static void synced(void *arg)
{
    struct netproxy *n = arg;
    if (--n->unsynced == 0 && n->state == NETPROXY_SERVING)
        loop_timer_start(&n->env->loop, &n->settle, 0);
}

static void watch_api(struct netproxy *n)
{
    n->unsynced = 2;
    n->open += 2;
    n->services = informer_new(
        n->client,
        &(struct informer_options){.path = "/api/v1/services", .changed = changed, .synced = synced, .arg = n});
    n->slices = informer_new(n->client, &(struct informer_options){.path = "/apis/discovery.k8s.io/v1/endpointslices",
                                                                   .changed = changed,
                                                                   .synced = synced,
                                                                   .arg = n});
}

/* --- preparing --- */

static void next_step(struct netproxy *n);
static void end_if_closed(struct netproxy *n);

static int serve_dns(struct netproxy *n, struct err *reterr)
{
    struct dns_options o = {.listen = n->dns_listen, .domain = n->domain};
    for (size_t i = 0; i < n->upstream_count; i++)
        o.upstreams[i] = n->upstreams[i];
    int rv = dns_new(n->env, &o, &n->dns, reterr);
    n->open += rv == 0;
    return rv;
}

static void try_again(struct netproxy *n, const char *what, const char *why)
{
    log_error(n->env->log, "preparing the machine failed", "step=\"%s\" reason=\"%.200s\" retry_ms=%d", what, why,
              NETPROXY_RETRY_MIN_MS);
    loop_timer_start(&n->env->loop, &n->again, NETPROXY_RETRY_MIN_MS);
}

static void commanded(struct proc_run *run, int status, const struct proc_exit *exit)
{
    struct netproxy *n = run->data;
    bool good = status == 0 && exit->code == 0 && exit->signal == 0;
    char why[256];
    (void)snprintf(why, sizeof why, "%.*s", (int)MIN(run->errors.size, (size_t)200),
                   run->errors.size == 0 ? "" : run->errors.data);
    buf_release(&run->output);
    buf_release(&run->errors);
    n->command_runs = false;
    if (n->state == NETPROXY_CLOSING) {
        end_if_closed(n);
    } else if (good ||
               n->step == STEP_BRIDGE) { /* a kernel without bridge filtering has no such setting, and needs none */
        n->step++;
        next_step(n);
    } else {
        try_again(n, run->argv[0], status != 0 ? run->err.message : why);
    }
}

static void next_step(struct netproxy *n)
{
    /* Node ports on 127.0.0.1; answers between pods of one bridge must pass the rules that changed their addresses. */
    static const char *const commands[STEP_COUNT][COMMAND_WORDS_MAX] = {
        [STEP_LOCALNET] = {"sysctl", "-qw", "net.ipv4.conf.all.route_localnet=1"},
        [STEP_BRIDGE] = {"sysctl", "-qw", "net.bridge.bridge-nf-call-iptables=1"},
        [STEP_ADDRESS] = {"ip", "addr", "replace", NULL, "dev", "lo"},
    };
    struct err why;
    if (n->step == STEP_COUNT || (n->step == STEP_ADDRESS && n->dns_address[0] == '\0')) {
        if (n->dns_address[0] != '\0' && serve_dns(n, &why) != 0) {
            try_again(n, "dns", why.message);
            return;
        }
        n->state = NETPROXY_SERVING;
        log_info(n->env->log, "serving", "dns=%s upstreams=%zu", n->dns_address[0] == '\0' ? "none" : n->dns_listen,
                 n->upstream_count);
        watch_api(n);
        if (n->serving != NULL)
            n->serving(n->serving_arg);
        return;
    }
    memcpy(n->words, commands[n->step], sizeof n->words);
    if (n->step == STEP_ADDRESS)
        n->words[3] = n->dns_address;
    n->command = (struct proc_run){.argv = n->words,
                                   .stdout_fd = -1,
                                   .stderr_fd = -1,
                                   .timeout_ms = COMMAND_WAIT_MS,
                                   .done = commanded,
                                   .data = n};
    n->command_runs = true;
    proc_run(&n->env->proc, &n->command);
}

static void prepare_again(struct timer *t) { next_step(container_of(t, struct netproxy, again)); }

/* --- the component --- */

static void free_all(struct netproxy *n)
{
    backend_free(n->backend);
    mem_free(n->node_name);
    mem_free(n->domain);
    mem_free(n->dns_address);
    mem_free(n->dns_listen);
    mem_free(n);
}

static void end_if_closed(struct netproxy *n)
{
    if (n->state != NETPROXY_CLOSING || n->command_runs || n->open > 0)
        return;
    void (*closed)(void *arg) = n->closed;
    void *arg = n->closed_arg;
    free_all(n);
    closed(arg);
}

int netproxy_new(struct env *env, const struct netproxy_options *o, struct netproxy **ret, struct err *reterr)
{
    if (o->dns_address[0] != '\0' && !model_ipv4(slice_str(o->dns_address)))
        return err_set(reterr, ERR_BAD_REQUEST, "--dns-address '%s' is no IPv4 address", o->dns_address);
    struct backend *backend;
    char upstreams[DNS_UPSTREAMS_MAX][64];
    size_t upstream_count;
    int rv = dns_upstreams_parse(o->dns_upstreams, upstreams, &upstream_count, reterr);
    if (rv == 0)
        rv = backend_new(o->cluster_cidr, &backend, reterr);
    if (rv != 0)
        return rv;
    struct netproxy *n = NEW(struct netproxy);
    n->env = env;
    n->client = o->client;
    n->backend = backend;
    n->serving = o->serving;
    n->serving_arg = o->arg;
    n->node_name = mem_strdup(o->node_name);
    n->domain = mem_strdup(o->cluster_domain);
    n->dns_address = mem_strdup(o->dns_address);
    n->dns_listen = mem_printf("%s:%u", o->dns_address, o->dns_port);
    n->upstream_count = upstream_count;
    memcpy(n->upstreams, upstreams, sizeof upstreams);
    if (upstream_count == 0)
        n->upstream_count = dns_upstreams_read(o->resolv_conf, n->upstreams);
    n->retry_ms = NETPROXY_RETRY_MIN_MS;
    timer_init(&n->settle, sync_all);
    timer_init(&n->again, prepare_again);
    next_step(n);
    *ret = n;
    return 0;
}

bool netproxy_ready(const struct netproxy *n) { return n->applied; }

void netproxy_metrics(const struct netproxy *n, struct buf *out)
{
    struct backend_figures f = backend_figures(n->backend);
    buf_printf(
        out,
        "# TYPE keelson_netproxy_rules gauge\nkeelson_netproxy_rules %zu\n"
        "# TYPE keelson_netproxy_elements gauge\nkeelson_netproxy_elements %zu\n"
        "# TYPE keelson_netproxy_last_changed gauge\nkeelson_netproxy_last_changed %zu\n"
        "# TYPE keelson_netproxy_syncs_total counter\nkeelson_netproxy_syncs_total %llu\n"
        "# TYPE keelson_netproxy_transactions_total counter\nkeelson_netproxy_transactions_total %llu\n"
        "# TYPE keelson_netproxy_failures_total counter\nkeelson_netproxy_failures_total %llu\n"
        "# TYPE keelson_netproxy_udp_flows_forgotten_total counter\nkeelson_netproxy_udp_flows_forgotten_total %llu\n",
        n->rules, f.elements, f.last_changed, (unsigned long long)n->syncs, (unsigned long long)f.transactions,
        (unsigned long long)f.failures, (unsigned long long)f.flows_forgotten);
    if (n->dns != NULL)
        dns_metrics(n->dns, out);
}

static void part_closed(void *arg)
{
    struct netproxy *n = arg;
    n->open--;
    end_if_closed(n);
}

void netproxy_close(struct netproxy *n, void (*closed)(void *arg), void *arg)
{
    bool command_runs = n->command_runs;
    n->closed = closed;
    n->closed_arg = arg;
    n->state = NETPROXY_CLOSING;
    loop_timer_stop(&n->env->loop, &n->settle);
    loop_timer_stop(&n->env->loop, &n->again);
    if (n->services != NULL) {
        informer_close(n->services, part_closed, n);
        informer_close(n->slices, part_closed, n);
    }
    if (n->dns != NULL) {
        dns_close(n->dns, part_closed, n);
        n->dns = NULL;
    }
    if (command_runs)
        proc_kill(&n->env->proc, n->command.pid, 9);
    else if (n->open == 0)
        end_if_closed(n);
}
