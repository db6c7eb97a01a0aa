#include "common/base.h"
#include "nodeagent/options.h"

#include <stdio.h>
#include <stdlib.h>

#include "common/buf.h"
#include "common/flags.h"
#include "common/mem.h"

static int check(const struct options *o, struct err *reterr)
{
    const struct {
        const char *name, *value;
    } needed[] = {
        {"name", o->name},     {"node-ip", o->node_ip},         {"apiservers", o->apiservers},
        {"ca", o->ca},         {"cert", o->cert},               {"key", o->key},
        {"root", o->root},     {"server-cert", o->server_cert}, {"server-key", o->server_key},
        {"pod-cidr", o->pod_cidr},
    };
    for (size_t i = 0; i < ARRAY_LEN(needed); i++)
        if (needed[i].value == NULL || *needed[i].value == '\0')
            return err_set(reterr, ERR_BAD_REQUEST, "--%s is missing: see --help", needed[i].name);
    if (o->root[0] != '/')
        return err_set(reterr, ERR_BAD_REQUEST, "--root %s must begin with /", o->root);
    if (strcmp(o->runtime, "crun") != 0 && strcmp(o->runtime, "runc") != 0)
        return err_set(reterr, ERR_BAD_REQUEST, "--runtime %s: crun or runc", o->runtime);
    if (strchr(o->listen, ':') == NULL)
        return err_set(reterr, ERR_BAD_REQUEST, "--listen %s: HOST:PORT is needed", o->listen);
    return 0;
}

static int endpoints_split(struct options *o, struct err *reterr)
{
    struct slice rest = slice_str(o->apiservers);
    while (rest.size > 0) {
        if (o->endpoint_count == KUBE_ENDPOINTS_MAX)
            return err_set(reterr, ERR_BAD_REQUEST, "--apiservers: at most %d", KUBE_ENDPOINTS_MAX);
        o->endpoints[o->endpoint_count++] = mem_slice_dup(slice_cut(&rest, ','));
    }
    return 0;
}

int agent_options_parse(int argc, char **argv, char *(*lookup)(const char *name), struct options *ret, struct err *reterr)
{
    *ret = (struct options){.listen = "0.0.0.0:10250", .runtime = "crun", .cgroup_root = "keelson", .log_level = "info",
                            .pause_image = "keelson/pause:1", .cni_plugins = "/usr/lib/cni",
                            .cluster_domain = "cluster.local"};
    const struct flag flags[] = {
        {.name = "name", .type = FLAG_TEXT, .target = &ret->name, .help = "name of the Node"},
        {.name = "node-ip", .type = FLAG_TEXT, .target = &ret->node_ip, .help = "its address"},
        {.name = "apiservers", .type = FLAG_TEXT, .target = &ret->apiservers, .help = "https://HOST:PORT, several with ','"},
        {.name = "ca", .type = FLAG_TEXT, .target = &ret->ca, .help = "CA of the cluster (PEM)"},
        {.name = "cert", .type = FLAG_TEXT, .target = &ret->cert, .help = "client certificate system:node:NAME (PEM)"},
        {.name = "key", .type = FLAG_TEXT, .target = &ret->key, .help = "its key"},
        {.name = "listen", .type = FLAG_TEXT, .target = &ret->listen, .help = "HTTPS for logs and health"},
        {.name = "server-cert", .type = FLAG_TEXT, .target = &ret->server_cert, .help = "certificate for it"},
        {.name = "server-key", .type = FLAG_TEXT, .target = &ret->server_key, .help = "its key"},
        {.name = "root", .type = FLAG_TEXT, .target = &ret->root, .help = "folder of the agent: state, layers, logs"},
        {.name = "pod-cidr", .type = FLAG_TEXT, .target = &ret->pod_cidr, .help = "addresses of this node's pods"},
        {.name = "images", .type = FLAG_TEXT, .target = &ret->images, .help = "OCI layout with preloaded images"},
        {.name = "runtime", .type = FLAG_TEXT, .target = &ret->runtime, .help = "crun or runc"},
        {.name = "cgroup-root", .type = FLAG_TEXT, .target = &ret->cgroup_root, .help = "cgroup below which pods' cgroups are made"},
        {.name = "pause-image", .type = FLAG_TEXT, .target = &ret->pause_image, .help = "image of pod sandboxes"},
        {.name = "cni-plugins", .type = FLAG_TEXT, .target = &ret->cni_plugins, .help = "folder of the CNI plugins"},
        {.name = "cluster-dns", .type = FLAG_TEXT, .target = &ret->cluster_dns, .help = "address of the cluster's DNS; none: pods ask the node's"},
        {.name = "cluster-domain", .type = FLAG_TEXT, .target = &ret->cluster_domain, .help = "domain of services"},
        {.name = "insecure-registry", .type = FLAG_BOOL, .target = &ret->insecure_registry, .help = "pull without checking certificates, or over HTTP"},
        {.name = "log-level", .type = FLAG_TEXT, .target = &ret->log_level, .help = "debug, info, warn, error"},
        {0},
    };
    struct flags_result result;
    int rv = flags_parse(flags, argc, argv, lookup, &result, reterr);
    if (rv < 0)
        return rv;
    bool stray = result.argument_count > 0;
    if (stray)
        rv = err_set(reterr, ERR_BAD_REQUEST, "%s is no flag: see --help", result.arguments[0]);
    if (result.help) {
        struct buf text = {0};
        flags_help(flags, "nodeagent: runs the pods of one node\nusage: nodeagent --name NAME --apiservers URL,… [flags]\n", &text);
        (void)fwrite(text.data, 1, text.size, stdout);
        buf_release(&text);
        rv = 1;
    }
    flags_release(&result);
    if (rv != 0)
        return rv;
    rv = check(ret, reterr);
    if (rv == 0 && log_level_parse(ret->log_level, &ret->level) < 0)
        rv = err_set(reterr, ERR_BAD_REQUEST, "--log-level %s: debug, info, warn or error", ret->log_level);
    return rv == 0 ? endpoints_split(ret, reterr) : rv;
}

struct nodeagent_options agent_options_component(const struct options *o, struct tls *tls, const char *self)
{
    return (struct nodeagent_options){
        .name = o->name,
        .node_ip = o->node_ip,
        .endpoints = (const char *const *)o->endpoints,
        .endpoint_count = o->endpoint_count,
        .tls = tls,
        .root = o->root,
        .pod_cidr = o->pod_cidr,
        .images = o->images,
        .runtime = o->runtime,
        .cgroup_root = o->cgroup_root,
        .pause_image = o->pause_image,
        .cni_plugins = o->cni_plugins,
        .cluster_dns = o->cluster_dns,
        .cluster_domain = o->cluster_domain,
        .self = self,
        .insecure_registry = o->insecure_registry,
        .port = (unsigned)strtoul(strrchr(o->listen, ':') + 1, NULL, 10),
    };
}

void agent_options_release(struct options *o)
{
    for (size_t i = 0; i < o->endpoint_count; i++)
        mem_free(o->endpoints[i]);
    o->endpoint_count = 0;
}
