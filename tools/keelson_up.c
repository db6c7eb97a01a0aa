/* up: plan, certificates, network, processes, and the wait until every node is Ready. What fails on the way is told with
 * the last lines of the process concerned, and nothing is left half running. */
#include "common/base.h"
#include "tools/keelson.h"

#include <errno.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "common/flags.h"
#include "common/json.h"
#include "common/mem.h"
#include "common/pki.h"
#include "common/tls.h"
#include "common/uv_env.h"

#define READY_WAIT_MS 120000
#define PROBE_MS 250
#define PROBE_TIMEOUT_MS 3000
#define CERTIFICATE_DAYS 3650
#define LOG_LINES_SHOWN 5
#define PORT_BASE_FIRST 16400
#define PORTS_PER_MEMBER 10

/* --- plan --- */

static bool port_is_free(unsigned port)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port),
                                  .sin_addr = {htonl(INADDR_LOOPBACK)}};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), on = 1;
    (void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    bool free = fd >= 0 && bind(fd, (struct sockaddr *)&address, sizeof address) == 0;
    if (fd >= 0)
        (void)close(fd);
    return free;
}

/* Without root every member has its own run of ports on loopback. */
static int ports_choose(struct cluster *c, struct err *reterr)
{
    unsigned base = PORT_BASE_FIRST;
    for (size_t i = 0; i < c->member_count; i++) {
        unsigned taken = 1;
        while (taken > 0 && base < 60000) {
            taken = 0;
            for (unsigned p = 0; p < PORTS_PER_MEMBER; p++)
                taken += !port_is_free(base + p);
            if (taken > 0)
                base += PORTS_PER_MEMBER;
        }
        if (base >= 60000)
            return err_set(reterr, ERR_ADDRESS_IN_USE, "no free ports on 127.0.0.1");
        c->members[i].port_base = base;
        base += PORTS_PER_MEMBER;
    }
    return 0;
}

static int programs_find(struct cluster *c, struct err *reterr)
{
    static const char *const needed[] = {"raftstore", "apiserver", "controllers", "scheduler", "nodeagent", "netproxy"};
    ssize_t n = readlink("/proc/self/exe", c->programs, sizeof c->programs - 1);
    char *slash = n <= 0 ? NULL : memrchr(c->programs, '/', (size_t)n);
    if (slash == NULL)
        return err_set_errno(reterr, errno, "find the own program");
    *slash = '\0';
    for (size_t i = 0; i < ARRAY_LEN(needed); i++) {
        char path[600];
        (void)snprintf(path, sizeof path, "%s/%s", c->programs, needed[i]);
        if (access(path, X_OK) != 0)
            return err_set(reterr, ERR_NOT_FOUND, "program %s is missing: run make", path);
    }
    return 0;
}

/* build/release/bin → build/images, unless KEELSON_IMAGES says otherwise. */
static int images_find(struct cluster *c, struct err *reterr)
{
    const char *given = getenv("KEELSON_IMAGES");
    char path[700], index[800];
    if (given != NULL)
        (void)snprintf(path, sizeof path, "%s", given);
    else
        (void)snprintf(path, sizeof path, "%s/../../images", c->programs);
    char *absolute = realpath(path, NULL);
    (void)snprintf(index, sizeof index, "%s/index.json", absolute == NULL ? path : absolute);
    bool there = absolute != NULL && access(index, R_OK) == 0 && strlen(absolute) < sizeof c->images;
    if (there)
        (void)snprintf(c->images, sizeof c->images, "%s", absolute);
    free(absolute);
    return there ? 0 : err_set(reterr, ERR_NOT_FOUND, "demo images are missing in %s: run make images", path);
}

static int plan_make(struct cluster *c, unsigned masters, unsigned nodes, struct err *reterr)
{
    uint64_t ids[KEELSON_MASTERS_MAX + 2];
    struct buf routes = {0};
    c->networked = geteuid() == 0;
    if (!c->networked && nodes > 0)
        (void)printf("no root: masters only, on loopback ports\n");
    if (!c->networked)
        nodes = 0;
    plan_tag(c->folder, c->tag);
    if (getrandom(ids, sizeof ids, 0) != (ssize_t)sizeof ids)
        return err_set_errno(reterr, errno, "ask for random numbers");
    int rv = programs_find(c, reterr);
    if (rv == 0 && nodes > 0)
        rv = images_find(c, reterr);
    if (rv == 0 && c->networked) {
        rv = host_output(&routes, reterr, "ip", "-4", "-o", "addr", NULL);
        if (rv == 0)
            rv = host_output(&routes, reterr, "ip", "-4", "route", NULL);
        if (rv == 0)
            rv = plan_subnet(c->tag, buf_slice(&routes), &c->subnet, reterr);
        buf_release(&routes);
    }
    if (rv == 0)
        rv = plan_members(c, masters, nodes, ids, reterr);
    return rv == 0 && !c->networked ? ports_choose(c, reterr) : rv;
}

/* --- certificates --- */

struct certificate {
    const char *file, *common_name, *organization, *address;
    bool server, client, store;
};

static int issue(const struct cluster *c, const struct certificate *w, struct err *reterr)
{
    static const char *const api_names[] = {"kubernetes", "kubernetes.default", "kubernetes.default.svc",
                                            "kubernetes.default.svc.cluster.local", "localhost", NULL};
    const struct member *balance = plan_find(c, "balance");
    char paths[4][600];
    const char *ca = w->store ? "store-ca" : "ca";
    (void)snprintf(paths[0], sizeof paths[0], "%s/pki/%s.crt", c->folder, ca);
    (void)snprintf(paths[1], sizeof paths[1], "%s/pki/%s.key", c->folder, ca);
    (void)snprintf(paths[2], sizeof paths[2], "%s/pki/%s.crt", c->folder, w->file);
    (void)snprintf(paths[3], sizeof paths[3], "%s/pki/%s.key", c->folder, w->file);
    const char *organizations[] = {w->organization, NULL};
    const char *addresses[] = {"127.0.0.1", w->address, NULL, NULL, NULL};
    bool api = w->server && !w->store && strncmp(w->file, "apiserver", 9) == 0;
    if (api) {
        addresses[2] = balance->address;
        addresses[3] = "10.96.0.1";
    }
    struct timespec now;
    (void)clock_gettime(CLOCK_REALTIME, &now);
    struct pki_request r = {
        .ca_certificate_file = paths[0], .ca_key_file = paths[1], .common_name = w->common_name,
        .organizations = w->organization == NULL ? NULL : organizations,
        .dns_names = api ? api_names : NULL, .addresses = w->server ? addresses : NULL,
        .server = w->server, .client = w->client, .now_s = now.tv_sec, .days = CERTIFICATE_DAYS,
        .certificate_file = paths[2], .key_file = paths[3],
    };
    return pki_issue(&r, reterr);
}

static int issue_member(const struct cluster *c, const struct member *m, struct err *reterr)
{
    char file[64], name[64];
    if (m->kind == MEMBER_BALANCE)
        return 0;
    if (m->kind == MEMBER_MASTER) {
        (void)snprintf(file, sizeof file, "apiserver-%s", m->name);
        struct certificate api = {file, "kube-apiserver", NULL, m->address, true, false, false};
        int rv = issue(c, &api, reterr);
        (void)snprintf(file, sizeof file, "store-%s", m->name);
        struct certificate store = {file, m->name, "keelson:store-members", m->address, true, true, true};
        return rv == 0 ? issue(c, &store, reterr) : rv;
    }
    (void)snprintf(name, sizeof name, "system:node:%s", m->name);
    struct certificate client = {m->name, name, "system:nodes", NULL, false, true, false};
    int rv = issue(c, &client, reterr);
    (void)snprintf(file, sizeof file, "kubelet-%s", m->name);
    struct certificate server = {file, name, "system:nodes", m->address, true, false, false};
    return rv == 0 ? issue(c, &server, reterr) : rv;
}

static int make_ca(const struct cluster *c, const char *file, const char *name, struct err *reterr)
{
    struct timespec now;
    char certificate[600], key[600];
    (void)clock_gettime(CLOCK_REALTIME, &now);
    (void)snprintf(certificate, sizeof certificate, "%s/pki/%s.crt", c->folder, file);
    (void)snprintf(key, sizeof key, "%s/pki/%s.key", c->folder, file);
    return pki_make_ca(name, now.tv_sec, CERTIFICATE_DAYS, certificate, key, reterr);
}

static int certificates_make(const struct cluster *c, struct err *reterr)
{
    static const struct certificate people[] = {
        {"admin", "kubernetes-admin", "system:masters", NULL, false, true, false},
        {"controller-manager", "system:kube-controller-manager", NULL, NULL, false, true, false},
        {"scheduler", "system:kube-scheduler", NULL, NULL, false, true, false},
        {"kube-proxy", "system:kube-proxy", "system:node-proxier", NULL, false, true, false},
        {"balance", "keelson-balance", NULL, NULL, false, true, false},
        {"apiserver-kubelet-client", "kube-apiserver-kubelet-client", "system:masters", NULL, false, true, false},
        {"store-client", "keelson-store-client", "keelson:store-clients", NULL, false, true, true},
    };
    int rv = make_ca(c, "ca", "keelson-ca", reterr);
    if (rv == 0)
        rv = make_ca(c, "store-ca", "keelson-store-ca", reterr);
    if (rv == 0) {
        char key[600];
        (void)snprintf(key, sizeof key, "%s/pki/service-account.key", c->folder);
        rv = pki_make_key(key, reterr);
    }
    for (size_t i = 0; rv == 0 && i < ARRAY_LEN(people); i++)
        rv = issue(c, &people[i], reterr);
    for (size_t i = 0; rv == 0 && i < c->member_count; i++)
        rv = issue_member(c, &c->members[i], reterr);
    return rv;
}

static int read_pki(const struct cluster *c, const char *name, struct buf *out, struct err *reterr)
{
    char *path = mem_printf("%s/pki/%s", c->folder, name);
    int rv = file_read(path, out, reterr);
    mem_free(path);
    return rv;
}

static int files_make(const struct cluster *c, struct err *reterr)
{
    struct buf ca = {0}, cert = {0}, key = {0}, text = {0};
    char path[600];
    int rv = read_pki(c, "ca.crt", &ca, reterr);
    if (rv == 0)
        rv = read_pki(c, "admin.crt", &cert, reterr);
    if (rv == 0)
        rv = read_pki(c, "admin.key", &key, reterr);
    if (rv == 0) {
        plan_kubeconfig(c, buf_slice(&ca), buf_slice(&cert), buf_slice(&key), &text);
        (void)snprintf(path, sizeof path, "%s/admin.kubeconfig", c->folder);
        rv = file_write(path, buf_slice(&text), 0600, reterr);
    }
    buf_reset(&text);
    plan_rsctl_env(c, &text);
    (void)snprintf(path, sizeof path, "%s/rsctl.env", c->folder);
    if (rv == 0)
        rv = file_write(path, buf_slice(&text), 0600, reterr);
    buf_reset(&text);
    plan_print(c, &text);
    (void)snprintf(path, sizeof path, "%s/cluster.json", c->folder);
    if (rv == 0)
        rv = file_write(path, buf_slice(&text), 0644, reterr);
    buf_release(&ca);
    buf_release(&cert);
    buf_release(&key);
    buf_release(&text);
    return rv;
}

static int folders_make(const struct cluster *c, struct err *reterr)
{
    static const char *const names[] = {"pki", "data", "pids", "logs"};
    int rv = 0;
    for (size_t i = 0; rv == 0 && i < ARRAY_LEN(names); i++) {
        char *path = mem_printf("%s/%s", c->folder, names[i]);
        rv = folder_make(path, i == 0 ? 0700 : 0755, reterr);
        mem_free(path);
    }
    return rv;
}

/* --- the wait --- */

/* What `kubectl cluster-info` lists, and what pods ask by its address. Its endpoints are no pods, so it has none. */
static const char dns_service[] =
    "{\"apiVersion\":\"v1\",\"kind\":\"Service\",\"metadata\":{\"name\":\"kube-dns\",\"namespace\":\"kube-system\",\"labels\":{"
    "\"k8s-app\":\"kube-dns\",\"kubernetes.io/cluster-service\":\"true\",\"kubernetes.io/name\":\"CoreDNS\"}},"
    "\"spec\":{\"clusterIP\":\"" KEELSON_DNS_ADDRESS "\",\"ports\":["
    "{\"name\":\"dns\",\"port\":53,\"protocol\":\"UDP\",\"targetPort\":53},"
    "{\"name\":\"dns-tcp\",\"port\":53,\"protocol\":\"TCP\",\"targetPort\":53},"
    "{\"name\":\"metrics\",\"port\":9153,\"protocol\":\"TCP\",\"targetPort\":9153}]}}";

struct waiting {
    const struct cluster *c;
    struct uv_env *uv;
    struct env *env;
    struct timer probe, deadline;
    struct http_call call;
    struct tls *tls;
    char url[128], services_url[160];
    bool calling, over, dns_made;
    size_t ready;
    int status;
    struct err err;
    struct err last; /* why the API does not answer yet */
};

static void finish(struct waiting *w, int status)
{
    w->status = status;
    w->over = true;
    loop_timer_stop(&w->env->loop, &w->probe);
    loop_timer_stop(&w->env->loop, &w->deadline);
    if (w->calling)
        http_call_cancel(&w->env->http, &w->call);
    else
        uv_env_stop(w->uv);
}

static int died_check(struct waiting *w)
{
    int rv = 0;
    for (size_t i = 0; i < w->c->member_count; i++) {
        struct process_plan plans[KEELSON_PROCESSES_MAX];
        const struct member *m = &w->c->members[i];
        size_t count = plan_processes(w->c, m, plans);
        for (size_t j = 0; j < count; j++) {
            if (rv == 0 && process_state(w->c, m, plans[j].name, NULL) == PROCESS_DIED) {
                struct buf tail = {0};
                log_tail(w->c, m, plans[j].name, LOG_LINES_SHOWN, &tail);
                rv = err_set(&w->err, ERR_UNAVAILABLE, "%s of %s has ended; its last words:\n%s", plans[j].name, m->name,
                             tail.size == 0 ? "(none)" : tail.data);
                buf_release(&tail);
            }
            plan_release(&plans[j]);
        }
    }
    return rv;
}

static size_t count_ready(struct slice body)
{
    struct json_doc *d = json_doc_new();
    struct json *list;
    size_t ready = 0;
    if (json_parse(d, body, &list, NULL) == 0) {
        struct json_iterator node = json_iterate(json_get(list, "items"));
        while (json_next(&node)) {
            struct json_iterator at = json_iterate(json_at(node.value, "status.conditions"));
            while (json_next(&at))
                ready += slice_is(json_string(json_get(at.value, "type")), "Ready") &&
                         slice_is(json_string(json_get(at.value, "status")), "True");
        }
    }
    json_doc_free(d);
    return ready;
}

/* There already: a cluster that was started again. Refused as busy: the probe brings us here again. */
static void on_dns_made(struct http_call *call, int status, const struct err *why)
{
    struct waiting *w = call->data;
    w->calling = false;
    w->dns_made = status == 0 && (call->http_status == 201 || call->http_status == 409);
    if (status < 0)
        w->last = *why;
    else if (!w->dns_made)
        (void)err_set(&w->last, ERR_UNAVAILABLE, "service kube-dns: the API answers %d: %.*s", call->http_status,
                      (int)MIN(call->response.size, (size_t)200), call->response.size == 0 ? "" : call->response.data);
    buf_release(&call->response);
    buf_release(&call->content_type);
    if (w->over)
        uv_env_stop(w->uv);
    else if (w->dns_made)
        finish(w, 0);
    else
        loop_timer_start(&w->env->loop, &w->probe, PROBE_MS);
}

static void make_dns_service(struct waiting *w)
{
    static const struct http_header headers[] = {{SLICE("Content-Type"), SLICE("application/json")}};
    w->calling = true;
    w->call = (struct http_call){.method = "POST", .url = w->services_url, .tls = w->tls, .timeout_ms = PROBE_TIMEOUT_MS,
                                 .headers = headers, .header_count = ARRAY_LEN(headers), .body = slice_str(dns_service),
                                 .done = on_dns_made, .data = w};
    http_call_start(&w->env->http, &w->call);
}

static void on_answer(struct http_call *call, int status, const struct err *why)
{
    struct waiting *w = call->data;
    w->calling = false;
    size_t before = w->ready;
    if (status == 0 && call->http_status == 200)
        w->ready = count_ready(buf_slice(&call->response));
    else if (status < 0)
        w->last = *why;
    else
        (void)err_set(&w->last, ERR_UNAVAILABLE, "the API answers %d", call->http_status);
    bool answered = status == 0 && call->http_status == 200;
    buf_release(&call->response);
    buf_release(&call->content_type);
    if (w->over) {
        uv_env_stop(w->uv);
        return;
    }
    if (w->ready != before)
        (void)printf("%zu of %u nodes Ready\n", w->ready, w->c->nodes);
    (void)fflush(stdout);
    if (answered && w->ready >= w->c->nodes && w->c->nodes > 0 && !w->dns_made)
        make_dns_service(w);
    else if (answered && w->ready >= w->c->nodes)
        finish(w, 0);
    else
        loop_timer_start(&w->env->loop, &w->probe, PROBE_MS);
}

static void on_probe(struct timer *t)
{
    struct waiting *w = container_of(t, struct waiting, probe);
    int rv = died_check(w);
    if (rv < 0) {
        finish(w, rv);
        return;
    }
    w->calling = true;
    w->call = (struct http_call){.method = "GET", .url = w->url, .tls = w->tls, .timeout_ms = PROBE_TIMEOUT_MS,
                                 .done = on_answer, .data = w};
    http_call_start(&w->env->http, &w->call);
}

static void on_deadline(struct timer *t)
{
    struct waiting *w = container_of(t, struct waiting, deadline);
    finish(w, err_set(&w->err, ERR_TIMEOUT, "%zu of %u nodes Ready after %d s (last answer: %.200s)", w->ready, w->c->nodes,
                      READY_WAIT_MS / 1000, w->last.message[0] == '\0' ? "fine" : w->last.message));
}

static void on_interrupt(void *arg)
{
    struct waiting *w = arg;
    if (!w->over)
        finish(w, err_set(&w->err, ERR_CANCELED, "interrupted: what was started is ended again"));
}

static int wait_ready(const struct cluster *c, struct err *reterr)
{
    char paths[3][600], endpoint[64];
    struct waiting w = {.c = c};
    static const char *const names[] = {"admin.crt", "admin.key", "ca.crt"};
    for (size_t i = 0; i < ARRAY_LEN(names); i++)
        (void)snprintf(paths[i], sizeof paths[i], "%s/pki/%s", c->folder, names[i]);
    struct tls_options files = {paths[0], paths[1], paths[2], TLS_VERIFY_PEER};
    int rv = tls_new(&files, &w.tls, reterr);
    if (rv < 0)
        return rv;
    w.uv = uv_env_new("keelson", LOG_WARN);
    uv_env_add_http(w.uv);
    w.env = uv_env_env(w.uv);
    plan_endpoint(c, endpoint, sizeof endpoint);
    (void)snprintf(w.url, sizeof w.url, "https://%s/api/v1/nodes", endpoint);
    (void)snprintf(w.services_url, sizeof w.services_url, "https://%s/api/v1/namespaces/kube-system/services", endpoint);
    timer_init(&w.probe, on_probe);
    timer_init(&w.deadline, on_deadline);
    loop_timer_start(&w.env->loop, &w.probe, 0);
    loop_timer_start(&w.env->loop, &w.deadline, READY_WAIT_MS);
    uv_env_run(w.uv, on_interrupt, &w);
    uv_env_free(w.uv);
    tls_unref(w.tls);
    if (w.status < 0 && reterr != NULL)
        *reterr = w.err;
    return w.status;
}

/* --- up --- */

static bool anything_runs(const struct cluster *c)
{
    for (size_t i = 0; i < c->member_count; i++) {
        struct process_plan plans[KEELSON_PROCESSES_MAX];
        size_t count = plan_processes(c, &c->members[i], plans);
        bool runs = false;
        for (size_t j = 0; j < count; j++) {
            runs |= process_state(c, &c->members[i], plans[j].name, NULL) == PROCESS_RUNNING;
            plan_release(&plans[j]);
        }
        if (runs)
            return true;
    }
    return false;
}

static int folder_take(const char *folder, struct cluster *c, struct err *reterr)
{
    int rv = folder_make(folder, 0755, reterr);
    if (rv < 0)
        return rv;
    char *absolute = realpath(folder, NULL);
    if (absolute == NULL)
        return err_set_errno(reterr, errno, "find %s", folder);
    bool fits = strlen(absolute) < sizeof c->folder - 64 && strpbrk(absolute, " ',\"\n") == NULL;
    if (fits)
        (void)snprintf(c->folder, sizeof c->folder, "%s", absolute);
    else
        rv = err_set(reterr, ERR_BAD_REQUEST, "folder %.200s: too long, or with spaces, quotes or commas: choose another --dir", absolute);
    free(absolute);
    return rv;
}

static int start_all(const struct cluster *c, struct err *reterr)
{
    (void)printf("starting %u masters and %u nodes\n", c->masters, c->nodes);
    int rv = network_make(c, reterr);
    for (size_t i = 0; rv == 0 && i < c->member_count; i++)
        rv = member_start(c, &c->members[i], reterr);
    return rv == 0 ? wait_ready(c, reterr) : rv;
}

static void take_down(const struct cluster *c)
{
    for (size_t i = 0; i < c->member_count; i++)
        (void)member_end(c, &c->members[i], SIGKILL, true, NULL); /* what does not end is told by leftovers() */
    network_remove(c);
    cgroups_remove(c);
    struct buf left = {0};
    leftovers(c, &left);
    if (left.size > 0)
        (void)fprintf(stderr, "keelson: still there: %s", left.data);
    buf_release(&left);
}

static int up(struct cluster *c, unsigned masters, unsigned nodes, bool known, struct err *reterr)
{
    int rv = 0;
    if (!known) {
        rv = plan_make(c, masters, nodes, reterr);
        if (rv == 0)
            rv = folders_make(c, reterr);
        if (rv == 0)
            rv = certificates_make(c, reterr);
        if (rv == 0)
            rv = files_make(c, reterr);
        if (rv < 0)
            return rv;
    } else {
        (void)printf("the cluster in %s is there and stopped: starting it with its data\n", c->folder);
        take_down(c); /* what a reboot or a crash may have left */
    }
    rv = start_all(c, reterr);
    if (rv < 0)
        take_down(c);
    return rv;
}

int keelson_up(struct keelson_args a)
{
    const char *folder = ".cluster", *roles = "", *arguments = "";
    int64_t masters = 3, nodes = 2;
    const struct flag flags[] = {
        {.name = "masters", .type = FLAG_INT, .target = &masters, .help = "1, 3 or 5"},
        {.name = "nodes", .type = FLAG_INT, .target = &nodes, .help = "nodes that run pods"},
        {.name = "dir", .type = FLAG_TEXT, .target = &folder, .help = "folder of the cluster"},
        {.name = "store-roles", .type = FLAG_TEXT, .target = &roles, .help = "of a new cluster: more roles of its store, as raftstore --roles takes them"},
        {.name = "store-arguments", .type = FLAG_TEXT, .target = &arguments, .help = "of a new cluster: more words of its stores' command lines, such as \"--snapshot-log-bytes 1m\""},
        {0},
    };
    struct flags_result result;
    struct cluster c = {0}, old = {0};
    struct err err;
    char endpoint[64];
    if (flags_parse(flags, a.argc, a.argv, NULL, &result, &err) < 0)
        return complain(&err) + 1;
    bool stray = result.argument_count > 0;
    flags_release(&result);
    if (stray || strlen(roles) >= sizeof c.store_roles || strlen(arguments) >= sizeof c.store_arguments || masters < 1 || masters > KEELSON_MASTERS_MAX || nodes < 0 || nodes > KEELSON_NODES_MAX) {
        (void)fprintf(stderr, "keelson: usage: keelson up [--masters 1|3|5] [--nodes 0…%d] [--dir .cluster] [--store-roles ROLES] [--store-arguments WORDS]\n", KEELSON_NODES_MAX);
        return 2;
    }
    int rv = folder_take(folder, &c, &err);
    if (rv == 0)
        rv = cluster_lock(c.folder, &err);
    if (rv < 0)
        return complain(&err);
    rv = cluster_load(c.folder, &old, &err);
    if (rv == 0 && anything_runs(&old)) {
        (void)printf("the cluster in %s is running: nothing changed (keelson status shows it, keelson down ends it)\n", c.folder);
        return 0;
    }
    if (rv < 0 && rv != ERR_NOT_FOUND)
        return complain(&err);
    if (rv == 0)
        c = old;
    else {
        (void)snprintf(c.store_roles, sizeof c.store_roles, "%s", roles);
        (void)snprintf(c.store_arguments, sizeof c.store_arguments, "%s", arguments);
    }
    rv = up(&c, (unsigned)masters, (unsigned)nodes, rv == 0, &err);
    if (rv < 0)
        return complain(&err);
    plan_endpoint(&c, endpoint, sizeof endpoint);
    (void)printf("ready: https://%s\nexport KUBECONFIG=%s/admin.kubeconfig\n", endpoint, c.folder);
    return 0;
}
