/* Names, addresses, ports and command lines of a cluster: pure. */
#include "common/base.h"
#include "tools/keelson.h"

#include <stdio.h>
#include <stdlib.h>

#include "common/json.h"
#include "common/map.h"
#include "common/mem.h"

#define PORTS_PER_MASTER 10

enum port { PORT_API, PORT_PEER, PORT_CLIENT, PORT_STORE_HTTP, PORT_CONTROLLERS, PORT_SCHEDULER };
static const unsigned ports[] = {6443, 2380, 2379, 2381, 10257, 10259};

void plan_tag(const char *folder, char tag[8])
{
    (void)snprintf(tag, 8, "%06llx", (unsigned long long)(hash_bytes(slice_str(folder)) & 0xffffff));
}

int plan_subnet(const char *tag, struct slice routes, unsigned *ret, struct err *reterr)
{
    unsigned first = (unsigned)(strtoul(tag, NULL, 16) % 254);
    for (unsigned i = 0; i < 254; i++) {
        char text[32];
        unsigned x = (first + i) % 254 + 1;
        (void)snprintf(text, sizeof text, "172.30.%u.", x);
        if (routes.size == 0 || memmem(routes.data, routes.size, text, strlen(text)) == NULL) {
            *ret = x;
            return 0;
        }
    }
    return err_set(reterr, ERR_NO_SPACE, "no free network: all of 172.30.1.0/24 to 172.30.254.0/24 are in use here");
}

static void member_add(struct cluster *c, enum member_kind kind, unsigned number, uint64_t id)
{
    static const char *const names[] = {"master", "node", "balance"};
    static const unsigned first[] = {10, 100, 254};
    struct member *m = &c->members[c->member_count++];
    m->kind = kind;
    m->number = number;
    if (kind == MEMBER_BALANCE)
        (void)snprintf(m->name, sizeof m->name, "%s", names[kind]);
    else
        (void)snprintf(m->name, sizeof m->name, "%s-%u", names[kind], number);
    if (c->networked)
        (void)snprintf(m->address, sizeof m->address, "172.30.%u.%u", c->subnet, first[kind] + number);
    else
        (void)snprintf(m->address, sizeof m->address, "127.0.0.1");
    if (kind == MEMBER_MASTER)
        (void)snprintf(m->store_id, sizeof m->store_id, "%016llx", (unsigned long long)id);
}

int plan_members(struct cluster *c, unsigned masters, unsigned nodes, const uint64_t *ids, struct err *reterr)
{
    if (masters != 1 && masters != 3 && masters != 5)
        return err_set(reterr, ERR_BAD_REQUEST, "--masters %u: 1, 3 or 5", masters);
    if (nodes > KEELSON_NODES_MAX)
        return err_set(reterr, ERR_BAD_REQUEST, "--nodes %u: at most %d", nodes, KEELSON_NODES_MAX);
    c->masters = masters;
    c->nodes = nodes;
    c->member_count = 0;
    for (unsigned i = 1; i <= masters; i++)
        member_add(c, MEMBER_MASTER, i, ids[i - 1]);
    for (unsigned i = 1; i <= nodes; i++)
        member_add(c, MEMBER_NODE, i, 0);
    member_add(c, MEMBER_BALANCE, 0, 0);
    (void)snprintf(c->id, sizeof c->id, "%016llx%016llx", (unsigned long long)ids[masters],
                   (unsigned long long)ids[masters + 1]);
    return 0;
}

const struct member *plan_find(const struct cluster *c, const char *name)
{
    for (size_t i = 0; i < c->member_count; i++)
        if (strcmp(c->members[i].name, name) == 0)
            return &c->members[i];
    return NULL;
}

/* --- names --- */

void plan_netns(const struct cluster *c, const struct member *m, char *text, size_t size)
{
    (void)snprintf(text, size, "kn%s-%s", c->tag, m->name);
}

void plan_veth(const struct cluster *c, const struct member *m, char *text, size_t size)
{
    (void)snprintf(text, size, "kn%s%c%u", c->tag, m->kind == MEMBER_MASTER ? 'm' : 'n', m->number);
}

void plan_bridge(const struct cluster *c, char *text, size_t size) { (void)snprintf(text, size, "kn%sbr", c->tag); }

void plan_cgroup(const struct cluster *c, const struct member *m, char *text, size_t size)
{
    (void)snprintf(text, size, "keelson-%s%s%s", c->tag, m == NULL ? "" : "/", m == NULL ? "" : m->name);
}

static unsigned port_of(const struct member *m, enum port which)
{
    return m->port_base == 0 ? ports[which] : m->port_base + (unsigned)which;
}

void plan_endpoint(const struct cluster *c, char *text, size_t size)
{
    const struct member *m = plan_find(c, "balance");
    (void)snprintf(text, size, "%s:%u", m->address, port_of(m, PORT_API));
}

/* --- command lines --- */

static void arg(struct process_plan *p, const char *format, ...) PRINTF_ARGS(2, 3);
static void arg(struct process_plan *p, const char *format, ...)
{
    char text[4096];
    va_list arguments;
    va_start(arguments, format);
    int n = vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    ASSERT(n >= 0 && (size_t)n < sizeof text);
    ASSERT(p->argc < KEELSON_ARGS_MAX - 1);
    p->argv[p->argc++] = mem_strdup(text);
}

static void flag_file(struct process_plan *p, const char *flag, const struct cluster *c, const char *file)
{
    arg(p, "--%s", flag);
    arg(p, "%s/pki/%s", c->folder, file);
}

/* "https://a:6443,https://b:6443", or with ids before each: "id=a:2380,…" */
static void masters_list(const struct cluster *c, enum port which, bool ids, const char *scheme, struct buf *out)
{
    for (unsigned i = 0; i < c->masters; i++) {
        const struct member *m = &c->members[i];
        buf_printf(out, "%s%s%s%s%s:%u", i == 0 ? "" : ",", ids ? m->store_id : "", ids ? "=" : "", scheme, m->address,
                   port_of(m, which));
    }
}

static void flag_list(struct process_plan *p, const char *flag, const struct cluster *c, enum port which, bool ids,
                      const char *scheme)
{
    struct buf text = {0};
    masters_list(c, which, ids, scheme, &text);
    arg(p, "--%s", flag);
    arg(p, "%s", text.data);
    buf_release(&text);
}

static void flag_address(struct process_plan *p, const char *flag, const char *host, unsigned port)
{
    arg(p, "--%s", flag);
    arg(p, "%s:%u", host, port);
}

static void plan_raftstore(const struct cluster *c, const struct member *m, struct process_plan *p)
{
    char file[64];
    arg(p, "--member-id");
    arg(p, "%s", m->store_id);
    arg(p, "--cluster-id");
    arg(p, "%s", c->id);
    flag_list(p, "members", c, PORT_PEER, true, "");
    flag_list(p, "clients", c, PORT_CLIENT, true, "");
    flag_address(p, "listen-peer", m->address, port_of(m, PORT_PEER));
    flag_address(p, "listen-client", m->address, port_of(m, PORT_CLIENT));
    flag_address(p, "listen-http", "127.0.0.1", port_of(m, PORT_STORE_HTTP));
    arg(p, "--data");
    arg(p, "%s/data/%s/store", c->folder, m->name);
    flag_file(p, "ca", c, "store-ca.crt");
    (void)snprintf(file, sizeof file, "store-%s.crt", m->name);
    flag_file(p, "cert", c, file);
    (void)snprintf(file, sizeof file, "store-%s.key", m->name);
    flag_file(p, "key", c, file);
    arg(p, "--name");
    arg(p, "%s", m->name);
    arg(p, "--peer-name");
    arg(p, "keelson:store-members");
    arg(p, "--roles"); /* clients: the apiservers, and rsctl of who keeps the cluster */
    arg(p, "o:keelson:store-members=member,o:keelson:store-clients=readwrite,o:keelson:store-clients=maintenance%s%s",
        c->store_roles[0] == '\0' ? "" : ",", c->store_roles);
    if (c->exists)
        arg(p, "--existing");
    for (struct slice rest = slice_str(c->store_arguments); rest.size > 0 && p->argc < KEELSON_ARGS_MAX - 1;) {
        struct slice word = slice_cut(&rest, ' ');
        if (word.size > 0)
            arg(p, "%.*s", SLICE_ARGS(word));
    }
}

static void plan_apiserver(const struct cluster *c, const struct member *m, struct process_plan *p)
{
    char file[64];
    flag_address(p, "listen", m->address, port_of(m, PORT_API));
    flag_address(p, "advertise", m->address, port_of(m, PORT_API));
    flag_list(p, "store", c, PORT_CLIENT, false, "");
    flag_file(p, "store-ca", c, "store-ca.crt");
    flag_file(p, "store-cert", c, "store-client.crt");
    flag_file(p, "store-key", c, "store-client.key");
    (void)snprintf(file, sizeof file, "apiserver-%s.crt", m->name);
    flag_file(p, "tls-cert", c, file);
    (void)snprintf(file, sizeof file, "apiserver-%s.key", m->name);
    flag_file(p, "tls-key", c, file);
    flag_file(p, "client-ca", c, "ca.crt");
    flag_file(p, "service-account-key-file", c, "service-account.key");
    flag_file(p, "kubelet-ca", c, "ca.crt");
    flag_file(p, "kubelet-cert", c, "apiserver-kubelet-client.crt");
    flag_file(p, "kubelet-key", c, "apiserver-kubelet-client.key");
}

static void plan_client(const struct cluster *c, const struct member *m, struct process_plan *p, const char *user,
                        enum port health)
{
    char file[64];
    flag_list(p, "apiservers", c, PORT_API, false, "https://");
    flag_file(p, "ca", c, "ca.crt");
    (void)snprintf(file, sizeof file, "%s.crt", user);
    flag_file(p, "cert", c, file);
    (void)snprintf(file, sizeof file, "%s.key", user);
    flag_file(p, "key", c, file);
    flag_address(p, "listen-http", "127.0.0.1", port_of(m, health));
    arg(p, "--identity");
    arg(p, "%s", m->name);
}

static void plan_nodeagent(const struct cluster *c, const struct member *m, struct process_plan *p)
{
    char file[64], cgroup[64];
    plan_cgroup(c, m, cgroup, sizeof cgroup);
    arg(p, "--name");
    arg(p, "%s", m->name);
    arg(p, "--node-ip");
    arg(p, "%s", m->address);
    flag_list(p, "apiservers", c, PORT_API, false, "https://");
    flag_file(p, "ca", c, "ca.crt");
    (void)snprintf(file, sizeof file, "%s.crt", m->name);
    flag_file(p, "cert", c, file);
    (void)snprintf(file, sizeof file, "%s.key", m->name);
    flag_file(p, "key", c, file);
    flag_address(p, "listen", m->address, 10250);
    (void)snprintf(file, sizeof file, "kubelet-%s.crt", m->name);
    flag_file(p, "server-cert", c, file);
    (void)snprintf(file, sizeof file, "kubelet-%s.key", m->name);
    flag_file(p, "server-key", c, file);
    arg(p, "--root");
    arg(p, "%s/data/%s", c->folder, m->name);
    arg(p, "--pod-cidr");
    arg(p, "10.244.%u.0/24", m->number);
    arg(p, "--images");
    arg(p, "%s", c->images);
    arg(p, "--cgroup-root");
    arg(p, "%s", cgroup);
    arg(p, "--cluster-dns");
    arg(p, KEELSON_DNS_ADDRESS);
}

static void plan_netproxy(const struct cluster *c, const struct member *m, struct process_plan *p)
{
    arg(p, "--node-name");
    arg(p, "%s", m->name);
    flag_list(p, "apiservers", c, PORT_API, false, "https://");
    flag_file(p, "ca", c, "ca.crt");
    flag_file(p, "cert", c, "kube-proxy.crt");
    flag_file(p, "key", c, "kube-proxy.key");
    flag_address(p, "listen-http", m->address, 10256);
    arg(p, "--cluster-cidr");
    arg(p, "10.244.0.0/16");
    arg(p, "--dns-address");
    arg(p, KEELSON_DNS_ADDRESS);
}

static void plan_balance(const struct cluster *c, const struct member *m, struct process_plan *p)
{
    arg(p, "balance");
    flag_address(p, "listen", m->address, port_of(m, PORT_API));
    flag_list(p, "targets", c, PORT_API, false, "");
    flag_file(p, "ca", c, "ca.crt");
    flag_file(p, "cert", c, "balance.crt");
    flag_file(p, "key", c, "balance.key");
}

static struct process_plan *begin(const struct cluster *c, struct process_plan *all, size_t *count, const char *name,
                                  const char *program)
{
    struct process_plan *p = &all[(*count)++];
    *p = (struct process_plan){.name = name};
    arg(p, "%s/%s", c->programs, program);
    return p;
}

size_t plan_processes(const struct cluster *c, const struct member *m, struct process_plan ret[KEELSON_PROCESSES_MAX])
{
    size_t n = 0;
    if (m->kind == MEMBER_NODE) {
        plan_nodeagent(c, m, begin(c, ret, &n, "nodeagent", "nodeagent"));
        plan_netproxy(c, m, begin(c, ret, &n, "netproxy", "netproxy"));
    } else if (m->kind == MEMBER_BALANCE) {
        plan_balance(c, m, begin(c, ret, &n, "balance", "keelson"));
    } else {
        plan_raftstore(c, m, begin(c, ret, &n, "raftstore", "raftstore"));
        plan_apiserver(c, m, begin(c, ret, &n, "apiserver", "apiserver"));
        plan_client(c, m, begin(c, ret, &n, "controllers", "controllers"), "controller-manager", PORT_CONTROLLERS);
        plan_client(c, m, begin(c, ret, &n, "scheduler", "scheduler"), "scheduler", PORT_SCHEDULER);
    }
    return n;
}

void plan_release(struct process_plan *p)
{
    for (size_t i = 0; i < p->argc; i++)
        mem_free(p->argv[i]);
    p->argc = 0;
}

/* --- files --- */

void plan_print(const struct cluster *c, struct buf *out)
{
    struct json_doc *d = json_doc_new();
    struct json *object = json_new_object(d), *members = json_new_array(d);
    json_set_int(d, object, "format", 1);
    json_set_str(d, object, "folder", c->folder);
    json_set_str(d, object, "programs", c->programs);
    json_set_str(d, object, "images", c->images);
    json_set_str(d, object, "id", c->id);
    if (c->store_roles[0] != '\0')
        json_set_str(d, object, "storeRoles", c->store_roles);
    if (c->store_arguments[0] != '\0')
        json_set_str(d, object, "storeArguments", c->store_arguments);
    json_set_bool(d, object, "networked", c->networked);
    json_set_int(d, object, "subnet", c->subnet);
    json_set_int(d, object, "masters", c->masters);
    json_set_int(d, object, "nodes", c->nodes);
    for (size_t i = 0; i < c->member_count; i++) {
        struct json *m = json_new_object(d);
        json_set_str(d, m, "name", c->members[i].name);
        json_set_str(d, m, "address", c->members[i].address);
        json_set_str(d, m, "storeId", c->members[i].store_id);
        json_set_int(d, m, "portBase", c->members[i].port_base);
        json_append(members, m);
    }
    json_set(d, object, "members", members);
    json_print_pretty(object, out);
    json_doc_free(d);
}

static bool text_take(const struct json *object, const char *key, char *text, size_t size)
{
    struct slice s = json_string(json_get(object, key));
    if (s.data == NULL || s.size >= size)
        return false;
    memcpy(text, s.data, s.size + 1);
    return true;
}

static bool members_take(const struct json *list, struct cluster *c)
{
    struct json_iterator at = json_iterate(list);
    for (size_t i = 0; json_next(&at); i++) {
        if (i >= c->member_count || !slice_is(json_string(json_get(at.value, "name")), c->members[i].name) ||
            !text_take(at.value, "address", c->members[i].address, sizeof c->members[i].address) ||
            !text_take(at.value, "storeId", c->members[i].store_id, sizeof c->members[i].store_id))
            return false;
        c->members[i].port_base = (unsigned)json_int_at(at.value, "portBase", 0);
    }
    return json_size(list) == c->member_count;
}

int plan_parse(struct slice text, struct cluster *c, struct err *reterr)
{
    struct json_doc *d = json_doc_new();
    struct json *object;
    uint64_t ids[KEELSON_MASTERS_MAX + 2] = {0};
    int rv = json_parse(d, text, &object, reterr);
    if (rv == 0 && json_int_at(object, "format", 0) != 1)
        rv = err_set(reterr, ERR_FORMAT, "unknown format");
    if (rv == 0) {
        c->networked = json_bool_at(object, "networked", false);
        c->subnet = (unsigned)json_int_at(object, "subnet", 0);
        rv = plan_members(c, (unsigned)json_int_at(object, "masters", 0), (unsigned)json_int_at(object, "nodes", 0), ids, reterr);
    }
    if (rv == 0 && (!text_take(object, "folder", c->folder, sizeof c->folder) || !text_take(object, "id", c->id, sizeof c->id) ||
                    !text_take(object, "programs", c->programs, sizeof c->programs) ||
                    !text_take(object, "images", c->images, sizeof c->images) ||
                    (json_get(object, "storeRoles") != NULL &&
                     !text_take(object, "storeRoles", c->store_roles, sizeof c->store_roles)) ||
                    (json_get(object, "storeArguments") != NULL &&
                     !text_take(object, "storeArguments", c->store_arguments, sizeof c->store_arguments)) ||
                    !members_take(json_get(object, "members"), c)))
        rv = err_set(reterr, ERR_CORRUPT, "a field is missing or wrong");
    if (rv == 0)
        plan_tag(c->folder, c->tag);
    else
        rv = err_wrap(reterr, ERR_CORRUPT, "cluster.json is damaged (remove the folder after ending what runs)");
    json_doc_free(d);
    return rv;
}

static void put_base64(struct buf *out, const char *key, struct slice bytes)
{
    buf_printf(out, "    %s: ", key);
    base64_append(out, bytes);
    buf_append_char(out, '\n');
}

void plan_kubeconfig(const struct cluster *c, struct slice ca, struct slice cert, struct slice key, struct buf *out)
{
    char endpoint[64];
    plan_endpoint(c, endpoint, sizeof endpoint);
    buf_printf(out, "apiVersion: v1\nkind: Config\ncurrent-context: keelson\nclusters:\n- name: keelson\n  cluster:\n"
                    "    server: https://%s\n", endpoint);
    put_base64(out, "certificate-authority-data", ca);
    buf_append_str(out, "users:\n- name: admin\n  user:\n");
    put_base64(out, "client-certificate-data", cert);
    put_base64(out, "client-key-data", key);
    buf_append_str(out, "contexts:\n- name: keelson\n  context:\n    cluster: keelson\n    user: admin\n");
}

void plan_rsctl_env(const struct cluster *c, struct buf *out)
{
    buf_append_str(out, "export RSCTL_ENDPOINTS=");
    masters_list(c, PORT_CLIENT, false, "", out);
    buf_printf(out, "\nexport RSCTL_CACERT='%s/pki/store-ca.crt'\nexport RSCTL_CERT='%s/pki/store-client.crt'\n"
                    "export RSCTL_KEY='%s/pki/store-client.key'\n", c->folder, c->folder, c->folder);
}
