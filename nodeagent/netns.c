#include "common/base.h"
#include "nodeagent/netns.h"

#include <stdio.h>
#include <stdlib.h>

#include "common/json.h"
#include "common/mem.h"
#include "nodeagent/host.h"

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

static void release(struct netns_call *c)
{
    for (size_t i = 0; i < ARRAY_LEN(c->environment); i++)
        mem_free(c->environment[i]);
    mem_free(c->program);
    buf_release(&c->conf);
    buf_release(&c->run.output);
    buf_release(&c->run.errors);
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
    } else if (c->adding) {
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

static void on_done(struct proc_run *run, int status, const struct proc_exit *exit)
{
    struct netns_call *c = run->data;
    if (status < 0)
        c->err = run->err;
    else
        status = answer_read(c, exit);
    release(c);
    c->done(c, status, status == 0 ? NULL : &c->err);
}

static void run_plugin(struct env *env, const struct netns_options *o, const char *id, int pid, struct netns_call *c)
{
    struct host_stat st;
    char namespace[64];
    (void)snprintf(namespace, sizeof namespace, "/proc/%d/ns/net", pid);
    bool alive = pid > 0 && host_stat(namespace, &st) == 0;
    c->conf = (struct buf){0};
    put_conf(o, &c->conf);
    c->environment[0] = mem_printf("CNI_COMMAND=%s", c->adding ? "ADD" : "DEL");
    c->environment[1] = mem_printf("CNI_CONTAINERID=%s", id);
    c->environment[2] = mem_printf("CNI_NETNS=%s", alive ? namespace : "");
    c->environment[3] = mem_strdup("CNI_IFNAME=eth0");
    c->environment[4] = mem_printf("CNI_PATH=%s", o->plugins);
    c->environment[5] = mem_strdup("PATH=/usr/sbin:/usr/bin:/sbin:/bin");
    c->environment[6] = c->environment[7] = NULL;
    c->program = mem_printf("%s/bridge", o->plugins);
    c->argv[0] = c->program;
    c->argv[1] = NULL;
    c->run = (struct proc_run){.argv = c->argv, .environment = (const char *const *)c->environment,
                               .input = buf_slice(&c->conf), .stdout_fd = -1, .stderr_fd = -1,
                               .timeout_ms = NETNS_TIMEOUT_MS, .done = on_done, .data = c};
    proc_run(&env->proc, &c->run);
}

void netns_add(struct env *env, const struct netns_options *o, const char *id, int pid, struct netns_call *c)
{
    c->adding = true;
    run_plugin(env, o, id, pid, c);
}

void netns_remove(struct env *env, const struct netns_options *o, const char *id, int pid, struct netns_call *c)
{
    c->adding = false;
    run_plugin(env, o, id, pid, c);
}
