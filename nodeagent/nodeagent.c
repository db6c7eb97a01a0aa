/* Wiring: informer → workers → runtime, and the order in which all of it closes. */
#include "common/base.h"
#include "nodeagent/nodeagent.h"

#include <stdio.h>

#include "common/mem.h"
#include "nodeagent/agent.h"
#include "nodeagent/streams.h"

#define AGENT_VERSION "v1.32.5-keelson"
#define VERSION_TIMEOUT_MS 10000

/* --- pods --- */

static struct pod_worker *worker_get(struct nodeagent *a, const char *uid)
{
    return map_get(&a->workers, slice_str(uid));
}

static struct pod_worker *worker_make(struct nodeagent *a, const char *uid)
{
    if (a->workers.size >= AGENT_WORKERS_MAX) {
        log_error(a->env->log, "too many pods on this node; one is not run", "uid=%s max=%d", uid, AGENT_WORKERS_MAX);
        return NULL;
    }
    struct pod_worker *w = pod_worker_new(&a->worker_options, uid);
    (void)map_put(&a->workers, slice_str(uid), w);
    return w;
}

static void on_forgotten(void *arg, struct pod_worker *w)
{
    struct nodeagent *a = arg;
    (void)map_remove(&a->workers, slice_str(pod_worker_uid(w)));
    pod_worker_free(w);
}

static void on_found(void *arg, const struct runtime_found *f)
{
    struct nodeagent *a = arg;
    struct pod_worker *w = worker_get(a, f->uid);
    if (w == NULL)
        w = worker_make(a, f->uid);
    if (w != NULL)
        pod_worker_found(w, f);
}

static void on_ended(void *arg, const char *uid, const char *container, unsigned attempt, const struct runtime_exit *exit)
{
    struct nodeagent *a = arg;
    struct pod_worker *w = worker_get(a, uid);
    log_info(a->env->log, "container ended", "uid=%s container=%s attempt=%u code=%d", uid,
             container == NULL ? "(sandbox)" : container, attempt, exit->code);
    if (w != NULL)
        pod_worker_ended(w, container, attempt, exit);
}

static void pod_refused(struct nodeagent *a, const struct object *o, const struct err *why)
{
    struct events_subject s = {"Pod", "", "", o->uid, NULL};
    char namespace[256], name[256];
    (void)snprintf(namespace, sizeof namespace, "%.*s", SLICE_ARGS(o->namespace));
    (void)snprintf(name, sizeof name, "%.*s", SLICE_ARGS(o->name));
    s.namespace = namespace;
    s.name = name;
    log_warn(a->env->log, "pod cannot be run", "pod=%s why=%s", o->key, why->message);
    events_post(a->events, &s, true, "Failed", "%s", why->message);
}

static void on_changed(void *arg, struct object *old, struct object *new)
{
    struct nodeagent *a = arg;
    struct pod *p;
    struct err err;
    if (old != NULL && (new == NULL || strcmp(old->uid, new->uid) != 0)) {
        struct pod_worker *w = worker_get(a, old->uid);
        if (w != NULL)
            pod_worker_gone(w);
    }
    if (new == NULL)
        return;
    if (pod_parse(bytes_slice(new->json), &p, &err) < 0) {
        pod_refused(a, new, &err);
        return;
    }
    struct pod_worker *w = worker_get(a, new->uid);
    if (w == NULL)
        w = worker_make(a, new->uid);
    if (w == NULL)
        pod_free(p);
    else
        pod_worker_update(w, p);
}

/* Now it is known which of the pods found on disk nobody wants any more. */
static void on_synced(void *arg)
{
    struct nodeagent *a = arg;
    struct map_entry *e;
    size_t orphans = 0;
    for (size_t i = 0; (e = map_next(&a->workers, &i)) != NULL;)
        if (pod_worker_pod(e->value) == NULL) {
            orphans++;
            pod_worker_gone(e->value);
        }
    log_info(a->env->log, "pods of this node are known", "pods=%zu orphans=%zu", a->workers.size - orphans, orphans);
}

struct pod_worker *agent_worker_named(struct nodeagent *a, struct slice namespace, struct slice name)
{
    struct map_entry *e;
    for (size_t i = 0; (e = map_next(&a->workers, &i)) != NULL;) {
        const struct pod *p = pod_worker_pod(e->value);
        if (p != NULL && slice_is(namespace, p->namespace) && slice_is(name, p->name))
            return e->value;
    }
    return NULL;
}

/* --- life --- */

static struct json *images_of(void *arg, struct json_doc *d, size_t max)
{
    return image_store_list(((struct nodeagent *)arg)->images, d, max);
}

static int parts_open(struct nodeagent *a, const struct nodeagent_options *o, struct err *reterr)
{
    struct image_store_options images = {.root = a->root, .preloaded = o->images, .insecure_registry = o->insecure_registry};
    int rv = host_mkdirs(a->root, 0755, reterr);
    if (rv == 0)
        rv = image_store_new(a->env, &images, &a->images, reterr);
    if (rv < 0)
        return rv;
    struct runtime_oci_options oci = {
        .root = a->root,
        .program = o->runtime,
        .self = o->self,
        .cgroup_root = o->cgroup_root,
        .node_ip = o->node_ip,
        .pause_image = o->pause_image,
        .cluster_dns = o->cluster_dns,
        .cluster_domain = o->cluster_domain,
        .network = {.pod_cidr = o->pod_cidr, .plugins = o->cni_plugins},
        .images = a->images,
        .events = {on_ended, a},
    };
    return runtime_oci_new(a->env, &oci, &a->runtime, &a->oci, reterr);
}

static void client_open(struct nodeagent *a, const struct nodeagent_options *o)
{
    struct kube_client_options client = {.endpoints = o->endpoints, .endpoint_count = o->endpoint_count, .tls = o->tls,
                                         .user_agent = "keelson-nodeagent"};
    a->client = kube_client_new(a->env, &client);
    a->events = events_new(a->env, a->client, "kubelet", a->name);
    a->worker_options = (struct pod_worker_options){.env = a->env, .runtime = &a->runtime, .client = a->client,
                                                    .events = a->events, .host_ip = a->node_ip,
                                                    .forgotten = on_forgotten, .arg = a};
}

static void on_report_closed(void *arg);

/* "crun version 1.8.1\n…" → "crun://1.8.1". A node without its runtime is not registered. */
static void on_version(struct proc_run *run, int status, const struct proc_exit *exit)
{
    struct nodeagent *a = run->data;
    struct slice rest = buf_slice(&run->output), line = slice_cut(&rest, '\n');
    (void)slice_cut(&line, ' ');
    (void)slice_cut(&line, ' ');
    bool runs = status == 0 && exit->code == 0 && exit->signal == 0;
    if (runs && !a->closing) {
        a->runtime_version = mem_printf("%s://%.*s", a->runtime_program, SLICE_ARGS(line));
        a->report_options.facts.runtime_version = a->runtime_version;
        a->report = report_new(&a->report_options);
    } else if (!a->closing) {
        log_error(a->env->log, "the runtime does not run: install it; this node stays unregistered", "runtime=%s why=%s",
                  a->runtime_program, status < 0 ? run->err.message : "it ended with an error");
    }
    a->version_argv[0] = NULL;
    buf_release(&run->output);
    buf_release(&run->errors);
    if (a->closing)
        on_report_closed(a);
}

static void version_ask(struct nodeagent *a)
{
    a->version_argv[0] = a->runtime_program;
    a->version_argv[1] = "--version";
    a->version_run = (struct proc_run){.argv = a->version_argv, .stdout_fd = -1, .stderr_fd = -1,
                                       .timeout_ms = VERSION_TIMEOUT_MS, .done = on_version, .data = a};
    proc_run(&a->env->proc, &a->version_run);
}

static int work_begin(struct nodeagent *a, const struct nodeagent_options *o, struct err *reterr)
{
    struct report_options *report = &a->report_options;
    *report = (struct report_options){.env = a->env, .client = a->client, .root = a->root, .images = images_of, .arg = a};
    report->facts = (struct report_facts){.name = a->name, .node_ip = a->node_ip, .pod_cidr = a->pod_cidr,
                                          .agent_version = AGENT_VERSION, .port = o->port};
    int rv = host_facts(a->root, &report->facts.host, reterr);
    if (rv == 0)
        rv = runtime_recover(&a->runtime, on_found, a, reterr);
    if (rv < 0)
        return rv;
    char *selector = mem_printf("spec.nodeName=%s", a->name);
    struct informer_options pods = {.path = "/api/v1/pods", .field_selector = selector, .changed = on_changed,
                                    .synced = on_synced, .arg = a};
    a->pods = informer_new(a->client, &pods);
    mem_free(selector);
    version_ask(a);
    return 0;
}

static void agent_free(struct nodeagent *a)
{
    struct map_entry *e;
    for (size_t i = 0; (e = map_next(&a->workers, &i)) != NULL;)
        pod_worker_free(e->value);
    map_release(&a->workers);
    events_free(a->events);
    runtime_oci_free(a->oci);
    image_store_free(a->images);
    mem_free(a->name);
    mem_free(a->node_ip);
    mem_free(a->root);
    mem_free(a->pod_cidr);
    mem_free(a->runtime_program);
    mem_free(a->runtime_version);
    mem_free(a);
}

int nodeagent_new(struct env *env, const struct nodeagent_options *o, struct nodeagent **ret, struct err *reterr)
{
    struct nodeagent *a = NEW(struct nodeagent);
    a->env = env;
    a->name = mem_strdup(o->name);
    a->node_ip = mem_strdup(o->node_ip);
    a->root = mem_strdup(o->root);
    a->pod_cidr = mem_strdup(o->pod_cidr);
    a->runtime_program = mem_strdup(o->runtime);
    list_init(&a->log_streams);
    list_init(&a->sessions);
    int rv = parts_open(a, o, reterr);
    if (rv < 0) {
        agent_free(a);
        return rv;
    }
    client_open(a, o);
    rv = work_begin(a, o, reterr);
    if (rv < 0)
        return rv; /* the process ends with this: the client's connections are not waited for */
    *ret = a;
    return 0;
}

/* --- closing: streams and sessions, informer, report, workers, client, memory --- */

static void on_client_closed(void *arg)
{
    struct nodeagent *a = arg;
    void (*closed)(void *arg) = a->closed;
    void *closed_arg = a->closed_arg;
    a->client = NULL;
    agent_free(a);
    closed(closed_arg);
}

static void on_worker_closed(void *arg)
{
    struct nodeagent *a = arg;
    ASSERT(a->workers_closing > 0);
    if (--a->workers_closing == 0)
        kube_client_close(a->client, on_client_closed, a);
}

static void on_report_closed(void *arg)
{
    struct nodeagent *a = arg;
    struct map_entry *e;
    a->workers_closing = a->workers.size + 1;
    for (size_t i = 0; (e = map_next(&a->workers, &i)) != NULL;)
        pod_worker_close(e->value, on_worker_closed, a);
    on_worker_closed(a);
}

static void on_informer_closed(void *arg)
{
    struct nodeagent *a = arg;
    if (a->report != NULL)
        report_close(a->report, on_report_closed, a);
    else if (a->version_argv[0] == NULL)
        on_report_closed(a);
    /* else on_version goes on */
}

static void on_sessions_closed(struct nodeagent *a)
{
    a->sessions_closed = NULL;
    informer_close(a->pods, on_informer_closed, a);
}

void nodeagent_close(struct nodeagent *a, void (*closed)(void *arg), void *arg)
{
    ASSERT(!a->closing);
    a->closing = true;
    a->closed = closed;
    a->closed_arg = arg;
    agent_server_close(a);
    streams_close(a, on_sessions_closed);
    if (a->session_count == 0)
        on_sessions_closed(a);
}
