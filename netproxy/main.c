/* netproxy: flags, the real env, run. */
#include "common/base.h"

#include "common/health.h"
#include "common/kube/process.h"
#include "common/mem.h"
#include "common/uv_env.h"
#include "netproxy/netproxy.h"

#include <errno.h>
#include <stdio.h>

#define RESOLV_CONF_BYTES_MAX 65536

struct process {
    struct netproxy *proxy;
    const char *node_name, *cluster_cidr, *cluster_domain, *dns_address, *resolv_conf, *dns_upstream;
    int64_t dns_port, dns_metrics_port;
    struct kube_process *process;
    struct health *dns_health; /* the port "metrics" of the Service kube-dns */
    void (*closed)(void *arg);
    void *closed_arg;
};

static bool ready(void *component) { return netproxy_ready(((struct process *)component)->proxy); }
static void metrics(void *component, struct buf *out) { netproxy_metrics(((struct process *)component)->proxy, out); }

/* Only now, because before it the address is not this machine's. */
static void serving(void *arg)
{
    struct process *me = arg;
    char address[64];
    struct err err;
    (void)snprintf(address, sizeof address, "%s:%u", me->dns_address, (unsigned)me->dns_metrics_port);
    struct health_options o = {.address = address, .ready = ready, .metrics = metrics, .arg = me};
    if (me->dns_address[0] != '\0' && me->dns_metrics_port > 0 &&
        health_new(me->process->uv, &o, &me->dns_health, &err) != 0)
        log_error(me->process->env->log, "no metrics beside DNS", "reason=\"%s\"", err.message);
}

static int read_resolv_conf(const char *path, struct buf *out, struct err *reterr)
{
    FILE *file = fopen(path, "re");
    if (file == NULL)
        return err_set_errno(reterr, errno, "--resolv-conf %s", path);
    buf_reserve(out, RESOLV_CONF_BYTES_MAX);
    out->size = fread(out->data, 1, RESOLV_CONF_BYTES_MAX, file);
    int rv = ferror(file) != 0 ? err_set(reterr, ERR_IO, "--resolv-conf %s cannot be read", path) : 0;
    (void)fclose(file); /* it was only read */
    return rv;
}

static int start(void *component, struct kube_process *p, struct err *reterr)
{
    struct process *me = component;
    struct buf resolv_conf = {0};
    if (me->node_name == NULL)
        return err_set(reterr, ERR_BAD_REQUEST, "--node-name is needed: which endpoints are of this node");
    me->process = p;
    if (me->dns_metrics_port < 0 || me->dns_metrics_port > UINT16_MAX)
        return err_set(reterr, ERR_BAD_REQUEST, "--dns-metrics-port: 0 to 65535");
    if (me->dns_port < 1 || me->dns_port > UINT16_MAX)
        return err_set(reterr, ERR_BAD_REQUEST, "--dns-port: 1 to 65535");
    uv_env_add_proc(p->uv);
    int rv = me->resolv_conf[0] == '\0' ? 0 : read_resolv_conf(me->resolv_conf, &resolv_conf, reterr);
    struct netproxy_options o = {
        .client = p->client,
        .node_name = me->node_name,
        .cluster_cidr = me->cluster_cidr,
        .cluster_domain = me->cluster_domain,
        .dns_address = me->dns_address,
        .dns_port = (unsigned)me->dns_port,
        .resolv_conf = buf_slice(&resolv_conf),
        .dns_upstreams = slice_str(me->dns_upstream),
        .serving = serving,
        .arg = me,
    };
    if (rv == 0)
        rv = netproxy_new(p->env, &o, &me->proxy, reterr);
    buf_release(&resolv_conf);
    return rv;
}

static void health_closed(void *arg)
{
    struct process *me = arg;
    netproxy_close(me->proxy, me->closed, me->closed_arg);
}

static void close_proxy(void *component, void (*closed)(void *arg), void *arg)
{
    struct process *me = component;
    me->closed = closed;
    me->closed_arg = arg;
    if (me->dns_health != NULL)
        health_close(me->dns_health, health_closed, me);
    else
        health_closed(me);
}

int main(int argc, char **argv)
{
    struct process me = {
        .cluster_cidr = "10.244.0.0/16",
        .cluster_domain = "cluster.local",
        .dns_address = "10.96.0.10",
        .dns_port = 53,
        .dns_metrics_port = 9153,
        .resolv_conf = "/etc/resolv.conf",
        .dns_upstream = "",
    };
    const struct flag flags[] = {
        {"node-name", FLAG_TEXT, &me.node_name, "name of this node", 0, NULL},
        {"cluster-cidr", FLAG_TEXT, &me.cluster_cidr, "network of all pods; other sources are masqueraded", 0, NULL},
        {"cluster-domain", FLAG_TEXT, &me.cluster_domain, "domain of the names of services", 0, NULL},
        {"dns-address", FLAG_TEXT, &me.dns_address, "address of the cluster's DNS, answered on this node; empty: none",
         0, NULL},
        {"dns-port", FLAG_INT, &me.dns_port, "its port", 0, NULL},
        {"dns-metrics-port", FLAG_INT, &me.dns_metrics_port, "port of /metrics beside DNS; 0: none", 0, NULL},
        {"resolv-conf", FLAG_TEXT, &me.resolv_conf, "whose servers are asked for other names; empty: nobody", 0, NULL},
        {"dns-upstream", FLAG_TEXT, &me.dns_upstream, "asked instead of those: ADDRESS[:PORT], several with ','", 0,
         "KEELSON_DNS_UPSTREAM"},
        {0},
    };
    const struct kube_process_spec spec = {
        .component = "netproxy",
        .usage = "netproxy: services into packet rules, and cluster DNS, on one node\n"
                 "usage: netproxy --node-name NAME --apiservers URL,URL --ca FILE --cert FILE --key FILE",
        .listen_http = "0.0.0.0:10256",
        .flags = flags,
        .start = start,
        .ready = ready,
        .metrics = metrics,
        .close = close_proxy,
    };
    return kube_process_main(&spec, &me, argc, argv);
}
