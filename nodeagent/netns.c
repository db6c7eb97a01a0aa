/*   add:     bridge ─▶ (ports) portmap ─▶ done          remove:   (ports) portmap ─▶ bridge ─▶ done
 * A host port that cannot be had fails the add; the caller's removal then clears both away. */
#include "common/base.h"
#include "nodeagent/netns.h"

#include <stdio.h>
#include <stdlib.h>

#include "common/json.h"
#include "common/mem.h"
#include "nodeagent/host.h"

#define PORTS_BYTES_MAX 65536

/* --- what the plugins read --- */

static void put_conf(const struct netns_options *o, struct buf *out)
{
    struct json_doc *d = json_doc_new();
    struct json *conf = json_new_object(d), *ranges = json_new_array(d), *range = json_new_array(d), *subnet = json_new_object(d);
    struct json *routes = json_new_array(d), *route = json_new_object(d);
    char *folder = mem_printf("%s/cni", o->root);
    json_set_str(d, conf, "cniVersion", "0.4.0");
    json_set_str(d, conf, "name", "keelson");
    json_set_str(d, conf, "type", "bridge");
    json_set_str(d, conf, "bridge", "cni0");
    json_set_bool(d, conf, "isGateway", true);
    json_set_bool(d, conf, "hairpinMode", true);
    json_set_bool(d, conf, "ipMasq", false);
    struct json *ipam = json_ensure_object(d, conf, "ipam");
    json_set_str(d, ipam, "type", "host-local");
    json_set_str(d, ipam, "dataDir", folder);
    json_set_str(d, subnet, "subnet", o->pod_cidr);
    json_append(range, subnet);
    json_append(ranges, range);
    json_set(d, ipam, "ranges", ranges);
    json_set_str(d, route, "dst", "0.0.0.0/0");
    json_append(routes, route);
    json_set(d, ipam, "routes", routes);
    json_print(conf, out);
    mem_free(folder);
    json_doc_free(d);
}

static void put_ports(const struct pod *p, struct buf *out)
{
    struct json_doc *d = json_doc_new();
    struct json *mappings = json_new_array(d);
    for (size_t i = 0; i < p->port_count; i++) {
        struct json *mapping = json_new_object(d);
        json_set_int(d, mapping, "hostPort", p->ports[i].host_port);
        json_set_int(d, mapping, "containerPort", p->ports[i].container_port);
        json_set_str(d, mapping, "protocol", p->ports[i].protocol);
        if (*p->ports[i].host_ip != '\0')
            json_set_str(d, mapping, "hostIP", p->ports[i].host_ip);
        json_append(mappings, mapping);
    }
    json_print(mappings, out);
    json_doc_free(d);
}

/* `result`: what bridge answered; empty where it is not known. */
static int put_portmap_conf(struct netns_call *c, struct slice result, struct buf *out)
{
    struct json_doc *d = json_doc_new();
    struct json *conf = json_new_object(d), *ports, *previous = NULL;
    json_set_str(d, conf, "cniVersion", "0.4.0");
    json_set_str(d, conf, "name", "keelson");
    json_set_str(d, conf, "type", "portmap");
    json_set_bool(d, json_ensure_object(d, conf, "capabilities"), "portMappings", true);
    int rv = json_parse(d, buf_slice(&c->ports), &ports, &c->err);
    if (rv == 0 && result.size > 0)
        rv = json_parse(d, result, &previous, &c->err);
    if (rv == 0) {
        json_set(d, json_ensure_object(d, conf, "runtimeConfig"), "portMappings", ports);
        if (previous != NULL)
            json_set(d, conf, "prevResult", previous);
        json_print(conf, out);
    }
    json_doc_free(d);
    return rv;
}

static char *ports_file(const struct netns_call *c) { return mem_printf("%s/cni/ports-%s", c->o->root, c->id); }

/* --- one plugin --- */

static void run_release(struct netns_call *c)
{
    for (size_t i = 0; i < ARRAY_LEN(c->environment); i++)
        mem_free(c->environment[i]);
    mem_free(c->program);
    buf_release(&c->conf);
    buf_release(&c->run.output);
    buf_release(&c->run.errors);
}

static void finish(struct netns_call *c, int status)
{
    buf_release(&c->ports);
    mem_free(c->id);
    c->done(c, status, status == 0 ? NULL : &c->err);
}

/* A plugin answers with {"ips": [{"address": "10.244.1.2/24"}]}, or {"msg": …} and an exit code. */
static int answer_read(struct netns_call *c, const struct proc_exit *exit)
{
    struct json_doc *d = json_doc_new();
    struct json *answer = NULL;
    int rv = c->run.output.size == 0 ? 0 : json_parse(d, buf_slice(&c->run.output), &answer, NULL);
    if (exit->signal != 0) {
        rv = err_set(&c->err, ERR_TIMEOUT, "network plugin gave no answer within %d s", NETNS_TIMEOUT_MS / 1000);
    } else if (exit->code != 0) {
        struct slice message = json_string(json_get(answer, "msg"));
        rv = err_set(&c->err, ERR_UNAVAILABLE, "network plugin: %.*s", (int)MIN(message.size, (size_t)300),
                     message.data == NULL ? "no message" : message.data);
    } else if (c->adding && !c->mapping) {
        struct slice address = json_string(json_get(json_element(json_get(answer, "ips"), 0), "address"));
        address.size = slice_find(address, '/');
        if (rv < 0 || address.size == 0 || address.size >= sizeof c->address)
            rv = err_set(&c->err, ERR_UNAVAILABLE, "network plugin gave no address");
        else
            (void)snprintf(c->address, sizeof c->address, "%.*s", SLICE_ARGS(address));
    } else {
        rv = 0;
    }
    json_doc_free(d);
    return rv;
}

static void on_done(struct proc_run *run, int status, const struct proc_exit *exit);

static void run_plugin(struct netns_call *c)
{
    struct host_stat st;
    char namespace[64];
    (void)snprintf(namespace, sizeof namespace, "/proc/%d/ns/net", c->pid);
    bool alive = c->pid > 0 && host_stat(namespace, &st) == 0;
    c->environment[0] = mem_printf("CNI_COMMAND=%s", c->adding ? "ADD" : "DEL");
    c->environment[1] = mem_printf("CNI_CONTAINERID=%s", c->id);
    c->environment[2] = mem_printf("CNI_NETNS=%s", alive ? namespace : "");
    c->environment[3] = mem_strdup("CNI_IFNAME=eth0");
    c->environment[4] = mem_printf("CNI_PATH=%s", c->o->plugins);
    c->environment[5] = mem_strdup("PATH=/usr/sbin:/usr/bin:/sbin:/bin");
    c->environment[6] = c->environment[7] = NULL;
    c->program = mem_printf("%s/%s", c->o->plugins, c->mapping ? "portmap" : "bridge");
    c->argv[0] = c->program;
    c->argv[1] = NULL;
    c->run = (struct proc_run){.argv = c->argv, .environment = (const char *const *)c->environment,
                               .input = buf_slice(&c->conf), .stdout_fd = -1, .stderr_fd = -1,
                               .timeout_ms = NETNS_TIMEOUT_MS, .done = on_done, .data = c};
    proc_run(&c->env->proc, &c->run);
}

static void run_bridge(struct netns_call *c)
{
    c->mapping = false;
    c->conf = (struct buf){0};
    put_conf(c->o, &c->conf);
    run_plugin(c);
}

/* Kept on disk before the first rule is made, so that also a later agent can take it away. */
static int run_portmap(struct netns_call *c, struct slice result)
{
    char *file = ports_file(c);
    struct buf conf = {0};
    int rv = put_portmap_conf(c, result, &conf);
    if (rv == 0 && c->adding)
        rv = host_write_file(file, buf_slice(&c->ports), 0600, &c->err);
    mem_free(file);
    if (rv < 0) {
        buf_release(&conf);
        return rv;
    }
    run_release(c);
    c->conf = conf;
    c->mapping = true;
    run_plugin(c);
    return 0;
}

static void on_done(struct proc_run *run, int status, const struct proc_exit *exit)
{
    struct netns_call *c = run->data;
    if (status < 0)
        c->err = run->err;
    else
        status = answer_read(c, exit);
    if (status == 0 && c->adding && !c->mapping && c->ports.size > 0) {
        status = run_portmap(c, buf_slice(&run->output));
        if (status == 0)
            return;
    }
    run_release(c);
    if (status == 0 && !c->adding && c->mapping) {
        char *file = ports_file(c);
        status = host_remove_tree(file, &c->err);
        mem_free(file);
        if (status == 0) {
            run_bridge(c);
            return;
        }
    }
    finish(c, status);
}

static void begin(struct env *env, const struct netns_options *o, const char *id, struct netns_call *c)
{
    c->env = env;
    c->o = o;
    c->id = mem_strdup(id);
    c->ports = c->conf = (struct buf){0};
    c->pid = 0;
    c->run = (struct proc_run){0};
    c->program = NULL;
    memset(c->environment, 0, sizeof c->environment);
}

void netns_add(struct env *env, const struct netns_options *o, const char *id, int pid, const struct pod *p, struct netns_call *c)
{
    begin(env, o, id, c);
    c->adding = true;
    c->pid = pid;
    if (p->port_count > 0)
        put_ports(p, &c->ports);
    run_bridge(c);
}

void netns_remove(struct env *env, const struct netns_options *o, const char *id, struct netns_call *c)
{
    begin(env, o, id, c);
    c->adding = false;
    char *file = ports_file(c);
    bool mapped = host_read_file(file, 0, PORTS_BYTES_MAX, &c->ports, NULL) == 0 && c->ports.size > 0; /* absent: none */
    mem_free(file);
    if (!mapped || run_portmap(c, (struct slice){0}) < 0)
        run_bridge(c); /* what does not parse is nothing of ours */
}
