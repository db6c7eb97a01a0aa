/* See runtime_oci.h. A call is a short chain of steps; each step is a process, an image request or a network call, and
 * its completion starts the next. What runs is known by its shims: one watch per shim, and no polling. */
#include "common/base.h"
#include "nodeagent/runtime_oci.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

#include "common/mem.h"
#include "nodeagent/cgroup.h"
#include "nodeagent/host.h"
#include "nodeagent/oci_spec.h"
#include "nodeagent/pod_etc.h"
#include "nodeagent/runtime_oci_parts.h"
#include "nodeagent/volume_files.h"

#define STOP_TIMEOUT_MS 15000
#define EXEC_KILL_MS 5000 /* from the kill of a command to that of the runtime program that runs it */
#define ATTEMPTS_KEPT 2
#define BINDS_MAX 128

struct call {
    struct runtime_oci *rt;
    struct runtime_call *request;
    struct list link;
    struct deferred deferred;
    struct timer timer;
    struct image_request image;
    struct proc_run run;
    struct netns_call net;
    struct arena arena;
    const char *argv[24];
    char *folder, *id; /* in arena */
    int pid, status;
    bool canceled; /* an exec, by its time-out or its caller */
    struct err err;
};

static const struct pod_container *container_of_call(const struct call *c)
{
    return &c->request->pod->containers[c->request->index];
}

/* --- ends of calls --- */

static void on_finish(struct deferred *d)
{
    struct call *c = container_of(d, struct call, deferred);
    struct runtime_call *request = c->request;
    struct err err = c->err;
    int status = c->status;
    struct buf output = c->run.output; /* lent to `done` */
    list_remove(&c->link);
    loop_timer_stop(&c->rt->env->loop, &c->timer);
    buf_release(&c->image.layers);
    json_doc_free(c->image.doc);
    buf_release(&c->run.errors);
    arena_clear(&c->arena);
    mem_free(c);
    request->impl = NULL;
    request->done(request, status, status == 0 ? NULL : &err);
    buf_release(&output);
}

static void finish(struct call *c, int status)
{
    c->status = status;
    loop_defer(&c->rt->env->loop, &c->deferred);
}

static void finish_errno(struct call *c, int status, const struct err *why)
{
    if (why != NULL)
        c->err = *why;
    finish(c, status);
}

/* --- files --- */

static char *pod_folder(struct call *c, const char *below)
{
    return arena_printf(&c->arena, "%s/run/%s%s", c->rt->root, c->request->pod->uid, below);
}

static char *container_folder(struct call *c, unsigned attempt)
{
    return arena_printf(&c->arena, "%s/run/%s/containers/%s/%u", c->rt->root, c->request->pod->uid,
                        container_of_call(c)->name, attempt);
}

char *runtime_oci_log_folder(const char *root, const char *namespace, const char *name, const char *uid, const char *container)
{
    return mem_printf("%s/logs/pods/%s_%s_%s%s%s", root, namespace, name, uid, *container == '\0' ? "" : "/", container);
}

static int put_json(const char *path, struct json *object, struct err *reterr)
{
    struct buf text = {0};
    json_print(object, &text);
    int rv = host_write_file(path, buf_slice(&text), 0640, reterr);
    buf_release(&text);
    return rv;
}

static int pod_json_write(struct call *c, const char *address, struct err *reterr)
{
    struct json_doc *d = json_doc_new();
    struct json *object = json_new_object(d);
    const struct pod *p = c->request->pod;
    json_set_str(d, object, "namespace", p->namespace);
    json_set_str(d, object, "name", p->name);
    json_set_str(d, object, "uid", p->uid);
    json_set_int(d, object, "qos", (int64_t)p->qos);
    json_set_str(d, object, "address", address);
    int rv = put_json(pod_folder(c, "/pod.json"), object, reterr);
    json_doc_free(d);
    return rv;
}

/* What every container of the pod sees under /etc. A node without such files of its own adds nothing to them. */
static int etc_write(struct call *c, struct err *reterr)
{
    struct buf hosts = {0}, resolver = {0}, node_hosts = {0}, node_resolver = {0};
    char *hostname = arena_printf(&c->arena, "%s\n", c->request->pod->hostname);
    struct pod_etc_options o = {.pod = c->request->pod, .address = c->request->address, .cluster_dns = c->rt->cluster_dns,
                                .cluster_domain = c->rt->cluster_domain};
    (void)host_read_file("/etc/hosts", 0, RUNTIME_OCI_STATE_BYTES_MAX, &node_hosts, NULL);
    (void)host_read_file("/etc/resolv.conf", 0, RUNTIME_OCI_STATE_BYTES_MAX, &node_resolver, NULL);
    o.node_file = buf_slice(&node_hosts);
    pod_hosts_build(&o, &hosts);
    o.node_file = buf_slice(&node_resolver);
    c->request->notice = pod_resolver_build(&o, &resolver);
    int rv = host_mkdirs(pod_folder(c, "/etc"), 0755, reterr);
    if (rv == 0)
        rv = host_write_file(pod_folder(c, "/etc/hosts"), buf_slice(&hosts), 0644, reterr);
    if (rv == 0)
        rv = host_write_file(pod_folder(c, "/etc/hostname"), slice_str(hostname), 0644, reterr);
    if (rv == 0)
        rv = host_write_file(pod_folder(c, "/etc/resolv.conf"), buf_slice(&resolver), 0644, reterr);
    buf_release(&hosts);
    buf_release(&resolver);
    buf_release(&node_hosts);
    buf_release(&node_resolver);
    return rv;
}

/* --- starting a shim --- */

static struct slice trimmed(const struct buf *b)
{
    struct slice text = buf_slice(b);
    while (text.size > 0 && strchr(" \n", text.data[text.size - 1]) != NULL)
        text.size--;
    return text;
}

/* 0 and c->pid, or why the shim did not start its container. */
static int shim_answer(struct call *c, int status, const struct proc_exit *exit)
{
    if (status < 0) {
        c->err = c->run.err;
        return status;
    }
    if (exit->signal != 0)
        return err_set(&c->err, ERR_TIMEOUT, "%s did not start the container within %d s", c->rt->program,
                       RUNTIME_OCI_START_TIMEOUT_MS / 1000);
    struct slice words = trimmed(&c->run.errors);
    if (exit->code != 0 || c->run.output.size < 4)
        return err_set(&c->err, ERR_UNAVAILABLE, "%.*s",
                       (int)MIN(words.size, (size_t)400), words.data == NULL ? "" : words.data);
    c->pid = (int)strtol(c->run.output.data + strlen("ok "), NULL, 10);
    return 0;
}

static void shim_start(struct call *c, const char *log_file, const char *cgroup,
                       void (*done)(struct proc_run *run, int status, const struct proc_exit *exit))
{
    const char *argv[] = {c->rt->self, "shim", "--folder", c->folder, "--id", c->id, "--runtime", c->rt->program, "--state", c->rt->state,
                          "--layers-folder", image_store_layers(c->rt->images), "--layers", c->image.layers.data,
                          "--log", log_file, "--cgroup", cgroup};
    const struct pod_container *container = c->request->verb == RUNTIME_CONTAINER_START ? container_of_call(c) : NULL;
    _Static_assert(sizeof argv + 4 * sizeof argv[0] <= sizeof c->argv, "room for the shim's arguments");
    memcpy(c->argv, argv, sizeof argv);
    size_t n = ARRAY_LEN(argv);
    if (container != NULL && container->has_stdin)
        c->argv[n++] = container->stdin_once ? "--stdin=once" : "--stdin=always";
    if (container != NULL && container->tty)
        c->argv[n++] = "--tty";
    c->argv[n] = NULL;
    c->run = (struct proc_run){.argv = c->argv, .stdout_fd = -1, .stderr_fd = -1, .timeout_ms = RUNTIME_OCI_START_TIMEOUT_MS,
                               .done = done, .data = c};
    proc_run(&c->rt->env->proc, &c->run);
}

static struct environment_facts facts_of(const struct call *c)
{
    const struct host_facts *host = &c->rt->facts;
    return (struct environment_facts){.pod_ip = c->request->address, .host_ip = c->rt->node_ip,
                                      .cpu_milli = (int64_t)host->cpu_count * 1000, .memory_bytes = (int64_t)host->memory_bytes,
                                      .disk_bytes = (int64_t)host->disk_bytes};
}

static int spec_write(struct call *c, struct oci_spec_options *o, struct err *reterr)
{
    struct buf text = {0};
    o->pod = c->request->pod;
    o->image = c->image.config;
    o->data = c->request->fetched;
    o->facts = facts_of(c);
    o->ret_skipped = &c->request->skipped_variables;
    o->hostname = o->pod->hostname;
    o->capabilities = c->rt->facts.capabilities;
    o->open_files_max = c->rt->facts.open_files_max;
    o->memory_capacity_bytes = c->rt->facts.memory_bytes;
    int rv = oci_spec_build(o, &text, reterr);
    if (rv == 0)
        rv = host_write_file(arena_printf(&c->arena, "%s/config.json", c->folder), buf_slice(&text), 0600, reterr);
    buf_release(&text);
    return rv;
}

static void image_get(struct call *c, const char *image, enum pod_pull pull,
                      void (*done)(struct image_request *r, int status, const struct err *why))
{
    c->image = (struct image_request){.image = image, .pull = pull, .done = done, .data = c};
    image_ensure(c->rt->images, &c->image);
}

/* --- RUNTIME_SANDBOX_START --- */

static int sandbox_done(struct call *c)
{
    int rv = pod_json_write(c, c->request->address, &c->err);
    return rv == 0 ? etc_write(c, &c->err) : rv;
}

static void sandbox_abort(struct call *c, int status)
{
    char *cgroup = cgroup_path_of(c->rt->cgroup_root, c->request->pod, NULL);
    host_cgroup_kill(cgroup); /* the worker asks for SANDBOX_STOP before it tries again */
    mem_free(cgroup);
    finish(c, status);
}

static void on_address(struct netns_call *net, int status, const struct err *why)
{
    struct call *c = net->data;
    if (status == 0) {
        (void)snprintf(c->request->address, sizeof c->request->address, "%s", net->address);
        status = sandbox_done(c);
    } else {
        c->err = *why;
    }
    if (status < 0)
        sandbox_abort(c, status);
    else
        finish(c, 0);
}

static void on_sandbox_started(struct proc_run *run, int status, const struct proc_exit *exit)
{
    struct call *c = run->data;
    int rv = shim_answer(c, status, exit);
    if (rv < 0) {
        finish(c, rv);
        return;
    }
    runtime_oci_shim_watch(c->rt, runtime_oci_pid(c->folder, "shim.pid"), c->request->pod->uid, NULL, 0, c->id, c->folder);
    if (c->request->pod->host_network) {
        (void)snprintf(c->request->address, sizeof c->request->address, "%s", c->rt->node_ip);
        rv = sandbox_done(c);
        if (rv < 0)
            sandbox_abort(c, rv);
        else
            finish(c, 0);
        return;
    }
    c->net = (struct netns_call){.done = on_address, .data = c};
    netns_add(c->rt->env, &c->rt->network, c->id, c->pid, c->request->pod, &c->net);
}

static void on_pause_image(struct image_request *r, int status, const struct err *why)
{
    struct call *c = r->data;
    if (status < 0) {
        finish_errno(c, status, why);
        return;
    }
    char *cgroup = cgroup_path_of(c->rt->cgroup_root, c->request->pod, "sandbox");
    struct oci_spec_options o = {.cgroup = arena_printf(&c->arena, "/%s", cgroup)};
    mem_free(cgroup);
    int rv = spec_write(c, &o, &c->err);
    if (rv < 0) {
        finish(c, rv);
        return;
    }
    shim_start(c, arena_printf(&c->arena, "%s/log", c->folder), o.cgroup + 1, on_sandbox_started);
}

static void sandbox_start(struct call *c)
{
    c->folder = pod_folder(c, "/sandbox");
    c->id = arena_strdup(&c->arena, slice_str(c->request->pod->uid));
    int rv = host_remove_tree(c->folder, &c->err);
    if (rv == 0)
        rv = host_mkdirs(c->folder, 0700, &c->err);
    if (rv == 0)
        rv = pod_json_write(c, "", &c->err);
    if (rv == 0)
        rv = cgroup_pod_make(c->rt->cgroup_root, c->request->pod, &c->err);
    if (rv < 0)
        finish(c, rv);
    else
        image_get(c, c->rt->pause_image, POD_PULL_IF_NOT_PRESENT, on_pause_image);
}

/* --- RUNTIME_VOLUMES_WRITE --- */

static int volume_write(struct call *c, const struct pod_volume *v, const char *stamp)
{
    struct volume_files files = {0};
    struct environment_facts facts = facts_of(c);
    char *folder = arena_printf(&c->arena, "%s/%s", pod_folder(c, "/volumes"), v->name);
    int rv = volume_files_build(&files, c->request->pod, v, c->request->fetched, &facts, &c->err);
    if (rv == 0)
        rv = volume_files_write(&files, folder, stamp, &c->err);
    if (rv == 0 && c->request->pod->fs_group >= 0)
        rv = host_give_group(folder, c->request->pod->fs_group, true, &c->err);
    volume_files_release(&files);
    if (rv < 0)
        (void)err_wrap(&c->err, rv, "MountVolume.SetUp failed for volume \"%s\" ", v->name);
    return rv;
}

static void volumes_write(struct call *c)
{
    char stamp[TIME_TEXT_MAX];
    const struct pod *p = c->request->pod;
    int rv = 0;
    time_format(clock_wall_ms(&c->rt->env->clock) * 1000, 6, stamp);
    for (char *at = stamp; *at != '\0'; at++)
        if (strchr("-:TZ", *at) != NULL)
            *at = '_';
    for (size_t i = 0; i < p->volume_count && rv == 0; i++)
        if (p->volumes[i].kind == POD_VOLUME_FILES)
            rv = volume_write(c, &p->volumes[i], stamp);
    finish(c, rv);
}

/* --- RUNTIME_SANDBOX_STOP --- */

static bool has_shims(const struct runtime_oci *rt, const char *uid)
{
    LIST_FOR_EACH (at, (struct list *)&rt->shims) {
        const struct shim_watch *w = container_of(at, struct shim_watch, link);
        if (w->uid != NULL && strcmp(w->uid, uid) == 0)
            return true;
    }
    return false;
}

static void on_address_returned(struct netns_call *net, int status, const struct err *why)
{
    struct call *c = net->data;
    char *cgroup = cgroup_path_of(c->rt->cgroup_root, c->request->pod, NULL);
    host_cgroup_remove(cgroup);
    mem_free(cgroup);
    finish_errno(c, status, why);
}

static void sandbox_stopped(struct call *c)
{
    loop_timer_stop(&c->rt->env->loop, &c->timer);
    c->net = (struct netns_call){.done = on_address_returned, .data = c};
    netns_remove(c->rt->env, &c->rt->network, c->id, &c->net);
}

void runtime_oci_stop_waits_check(struct runtime_oci *rt, const char *uid)
{
    if (has_shims(rt, uid))
        return;
    LIST_FOR_EACH (at, &rt->calls) {
        struct call *c = container_of(at, struct call, link);
        if (c->request->verb == RUNTIME_SANDBOX_STOP && timer_armed(&c->timer) && strcmp(c->request->pod->uid, uid) == 0)
            sandbox_stopped(c);
    }
}

static void on_stop_timeout(struct timer *t)
{
    struct call *c = container_of(t, struct call, timer);
    finish(c, err_set(&c->err, ERR_TIMEOUT, "containers of pod %s/%s did not end within %d s of SIGKILL",
                      c->request->pod->namespace, c->request->pod->name, STOP_TIMEOUT_MS / 1000));
}

static void sandbox_stop(struct call *c)
{
    char *cgroup = cgroup_path_of(c->rt->cgroup_root, c->request->pod, NULL);
    c->id = arena_strdup(&c->arena, slice_str(c->request->pod->uid));
    host_cgroup_kill(cgroup);
    mem_free(cgroup);
    if (has_shims(c->rt, c->request->pod->uid))
        loop_timer_start(&c->rt->env->loop, &c->timer, STOP_TIMEOUT_MS);
    else
        sandbox_stopped(c);
}

/* --- RUNTIME_POD_REMOVE, RUNTIME_IMAGE --- */

static void pod_remove(struct call *c)
{
    const struct pod *p = c->request->pod;
    char *logs = runtime_oci_log_folder(c->rt->root, p->namespace, p->name, p->uid, "");
    int rv = host_remove_tree(pod_folder(c, ""), &c->err);
    if (rv == 0)
        rv = host_remove_tree(logs, &c->err);
    mem_free(logs);
    finish(c, rv);
}

static void on_image(struct image_request *r, int status, const struct err *why)
{
    struct call *c = r->data;
    c->request->pulled = r->pulled;
    (void)snprintf(c->request->image_id, sizeof c->request->image_id, "%s", r->id);
    finish_errno(c, status, why);
}

/* --- RUNTIME_CONTAINER_START --- */

static const struct pod_volume *volume_named(const struct pod *p, const char *name)
{
    for (size_t i = 0; i < p->volume_count; i++)
        if (strcmp(p->volumes[i].name, name) == 0)
            return &p->volumes[i];
    return NULL;
}

/* The API's hostPath types: what must be there, and what is made when it is not. */
static int host_path_check(const struct pod_volume *v, struct err *reterr)
{
    struct host_stat st = {0};
    int there = host_stat(v->path, &st);
    if (strcmp(v->path_type, "DirectoryOrCreate") == 0 && there == ERR_NOT_FOUND)
        return host_mkdirs(v->path, 0755, reterr);
    if (strcmp(v->path_type, "FileOrCreate") == 0 && there == ERR_NOT_FOUND)
        return host_write_file(v->path, (struct slice){0}, 0644, reterr);
    if (*v->path_type == '\0' && there == ERR_NOT_FOUND)
        return host_mkdirs(v->path, 0755, reterr); /* as runtimes make missing bind sources */
    bool fits = strncmp(v->path_type, "Directory", 9) == 0 ? st.is_folder
                : strncmp(v->path_type, "File", 4) == 0    ? !st.is_folder && !st.is_socket && !st.is_block && !st.is_char
                : strcmp(v->path_type, "Socket") == 0      ? st.is_socket
                : strcmp(v->path_type, "CharDevice") == 0  ? st.is_char
                : strcmp(v->path_type, "BlockDevice") == 0 ? st.is_block
                                                           : true;
    if (there < 0 || !fits)
        return err_set(reterr, ERR_INVALID, "hostPath type check failed: %s is not a %s", v->path, v->path_type);
    return 0;
}

/* subPathExpr: with the variables of the container. */
static int sub_path_expand(struct call *c, const char *text, char **ret, struct err *reterr)
{
    struct environment e = {0};
    struct environment_options o = {.pod = c->request->pod, .container = container_of_call(c), .image = c->image.config,
                                    .data = c->request->fetched, .hostname = c->request->pod->hostname, .facts = facts_of(c)};
    int rv = environment_build(&e, &o, reterr);
    if (rv == 0)
        *ret = pod_expand(&c->arena, text, environment_get, &e);
    environment_release(&e);
    if (rv == 0 && ((*ret)[0] == '\0' || (*ret)[0] == '/' || strstr(*ret, "..") != NULL || strstr(*ret, "$(") != NULL))
        rv = err_set(reterr, ERR_INVALID, "subPathExpr %s gives '%.200s': it must be relative, without '..', of known variables",
                     text, *ret);
    return rv;
}

static int sub_path_of(struct call *c, const struct pod_mount *m, char **source, struct err *reterr)
{
    struct host_stat st;
    char *path = (char *)m->sub_path;
    int rv = m->expand ? sub_path_expand(c, m->sub_path, &path, reterr) : 0;
    if (rv == 0)
        *source = arena_printf(&c->arena, "%s/%s", *source, path);
    return rv == 0 && host_stat(*source, &st) == ERR_NOT_FOUND ? host_mkdirs(*source, 0777, reterr) : rv;
}

static int bind_volume(struct call *c, const struct pod_mount *m, struct oci_bind *ret, struct err *reterr)
{
    const struct pod_volume *v = volume_named(c->request->pod, m->volume);
    if (v == NULL || v->kind == POD_VOLUME_UNSUPPORTED)
        return err_set(reterr, ERR_INVALID, "volume %s cannot be mounted", m->volume);
    char *source = arena_strdup(&c->arena, slice_str(v->path == NULL ? "" : v->path));
    int rv = 0;
    if (v->kind == POD_VOLUME_HOST_PATH) {
        rv = host_path_check(v, reterr);
    } else {
        source = arena_printf(&c->arena, "%s/%s", pod_folder(c, "/volumes"), v->name);
        rv = host_mkdirs(source, v->kind == POD_VOLUME_FILES ? 0755 : 0777, reterr);
        if (rv == 0 && v->in_memory)
            rv = host_mount_memory(source, v->size_limit_bytes, reterr);
    }
    if (rv == 0 && v->kind == POD_VOLUME_EMPTY_DIR && c->request->pod->fs_group >= 0)
        rv = host_give_group(source, c->request->pod->fs_group, false, reterr);
    if (rv == 0 && m->sub_path != NULL)
        rv = sub_path_of(c, m, &source, reterr);
    *ret = (struct oci_bind){source, m->path, m->read_only || v->kind == POD_VOLUME_FILES};
    return rv;
}

static int binds_fill(struct call *c, struct oci_bind *binds, size_t *ret_count, struct err *reterr)
{
    static const char *const files[] = {"/etc/hosts", "/etc/hostname", "/etc/resolv.conf"};
    const struct pod_container *container = container_of_call(c);
    size_t n = 0;
    if (container->mount_count + ARRAY_LEN(files) + 1 > BINDS_MAX)
        return err_set(reterr, ERR_INVALID, "container %s has more than %d volume mounts", container->name,
                       BINDS_MAX - (int)ARRAY_LEN(files) - 1);
    for (size_t i = 0; i < ARRAY_LEN(files); i++) {
        bool mounted = false;
        for (size_t j = 0; j < container->mount_count; j++)
            mounted |= strcmp(container->mounts[j].path, files[i]) == 0 || strcmp(container->mounts[j].path, "/etc") == 0;
        if (!mounted)
            binds[n++] = (struct oci_bind){pod_folder(c, files[i]), files[i], false};
    }
    for (size_t i = 0; i < container->mount_count; i++) {
        int rv = bind_volume(c, &container->mounts[i], &binds[n++], reterr);
        if (rv < 0)
            return rv;
    }
    char *message = arena_printf(&c->arena, "%s/" RUNTIME_OCI_MESSAGE_FILE, c->folder);
    binds[n++] = (struct oci_bind){message, container->message_path, false};
    *ret_count = n;
    return host_write_file(message, (struct slice){0}, 0666, reterr);
}

static int meta_write(struct call *c, struct err *reterr)
{
    struct json_doc *d = json_doc_new();
    struct json *object = json_new_object(d);
    json_set_str(d, object, "id", c->id);
    json_set_str(d, object, "image", c->image.id);
    int rv = put_json(arena_printf(&c->arena, "%s/meta.json", c->folder), object, reterr);
    json_doc_free(d);
    return rv;
}

static void on_container_started(struct proc_run *run, int status, const struct proc_exit *exit)
{
    struct call *c = run->data;
    int rv = shim_answer(c, status, exit);
    if (rv < 0) {
        finish(c, rv);
        return;
    }
    c->request->started_ms = runtime_oci_number(c->folder, "started");
    (void)snprintf(c->request->container_id, sizeof c->request->container_id, "%s://%s", c->rt->program, c->id);
    (void)snprintf(c->request->image_id, sizeof c->request->image_id, "%s", c->image.id);
    runtime_oci_shim_watch(c->rt, runtime_oci_pid(c->folder, "shim.pid"), c->request->pod->uid, container_of_call(c)->name,
                     c->request->attempt, c->id, c->folder);
    finish(c, 0);
}

static int container_prepare(struct call *c, struct oci_spec_options *o, struct oci_bind *binds, char **ret_log)
{
    const struct pod *p = c->request->pod;
    const struct pod_container *container = container_of_call(c);
    unsigned attempt = c->request->attempt;
    int rv = 0;
    if (attempt >= ATTEMPTS_KEPT)
        rv = host_remove_tree(container_folder(c, attempt - ATTEMPTS_KEPT), &c->err);
    if (rv == 0)
        rv = host_remove_tree(c->folder, &c->err);
    if (rv == 0)
        rv = host_mkdirs(c->folder, 0700, &c->err);
    char *logs = runtime_oci_log_folder(c->rt->root, p->namespace, p->name, p->uid, container->name);
    if (rv == 0)
        rv = host_mkdirs(logs, 0755, &c->err);
    *ret_log = arena_printf(&c->arena, "%s/%u.log", logs, attempt);
    if (rv == 0 && attempt >= ATTEMPTS_KEPT)
        rv = host_remove_tree(arena_printf(&c->arena, "%s/%u.log", logs, attempt - ATTEMPTS_KEPT), &c->err);
    mem_free(logs);
    char *cgroup = cgroup_path_of(c->rt->cgroup_root, p, container->name);
    o->cgroup = arena_printf(&c->arena, "/%s", cgroup);
    mem_free(cgroup);
    o->container = container;
    o->sandbox_pid = runtime_oci_pid(pod_folder(c, "/sandbox"), "pid");
    o->binds = binds;
    if (rv == 0 && o->sandbox_pid == 0)
        rv = err_set(&c->err, ERR_UNAVAILABLE, "the pod's sandbox is gone");
    return rv == 0 ? binds_fill(c, binds, &o->bind_count, &c->err) : rv;
}

static void on_container_image(struct image_request *r, int status, const struct err *why)
{
    struct call *c = r->data;
    if (status < 0) {
        finish_errno(c, status, why);
        return;
    }
    struct oci_spec_options o = {0};
    struct oci_bind binds[BINDS_MAX];
    char *log_file;
    int rv = container_prepare(c, &o, binds, &log_file);
    if (rv == 0)
        rv = spec_write(c, &o, &c->err);
    if (rv == 0)
        rv = meta_write(c, &c->err);
    if (rv < 0)
        finish(c, rv);
    else
        shim_start(c, log_file, o.cgroup + 1, on_container_started);
}

static void container_start(struct call *c)
{
    c->folder = container_folder(c, c->request->attempt);
    c->id = arena_printf(&c->arena, "%s.%s.%u", c->request->pod->uid, container_of_call(c)->name, c->request->attempt);
    image_get(c, container_of_call(c)->image, POD_PULL_IF_NOT_PRESENT, on_container_image);
}

/* --- RUNTIME_CONTAINER_SIGNAL --- */

static void on_signalled(struct proc_run *run, int status, const struct proc_exit *exit)
{
    (void)exit; /* a container that ended meanwhile makes the runtime complain: its end is reported by its shim */
    struct call *c = run->data;
    finish_errno(c, status, status == 0 ? NULL : &run->err);
}

static void container_signal(struct call *c)
{
    c->id = arena_printf(&c->arena, "%s.%s.%u", c->request->pod->uid, container_of_call(c)->name, c->request->attempt);
    size_t n = runtime_oci_argv(c->rt, c->argv);
    c->argv[n++] = "kill";
    c->argv[n++] = c->id;
    c->argv[n++] = arena_printf(&c->arena, "%d", c->request->signal);
    c->argv[n] = NULL;
    c->run = (struct proc_run){.argv = c->argv, .stdout_fd = -1, .stderr_fd = -1, .timeout_ms = RUNTIME_OCI_START_TIMEOUT_MS,
                               .done = on_signalled, .data = c};
    proc_run(&c->rt->env->proc, &c->run);
}

/* --- RUNTIME_CONTAINER_EXEC --- */

static void on_exec_done(struct proc_run *run, int status, const struct proc_exit *exit)
{
    struct call *c = run->data;
    (void)host_remove_tree(c->folder, NULL); /* else it goes with the container's folder */
    loop_timer_stop(&c->rt->env->loop, &c->timer);
    if (status == 0 && c->canceled)
        status = err_set(&c->err, ERR_TIMEOUT, "command timed out");
    else if (status < 0)
        c->err = run->err;
    else
        c->request->exit_code = exit->signal != 0 ? 128 + exit->signal : exit->code;
    if (run->output.size + run->errors.size > 0)
        buf_append_slice(&run->output, buf_slice(&run->errors));
    c->request->output = slice_of(run->output.data, MIN(run->output.size, (size_t)RUNTIME_OUTPUT_MAX));
    finish(c, status);
}

/* The command is ended, not only the runtime program that waits for it; that one then ends by itself. */
static void exec_kill(struct call *c)
{
    int pid = runtime_oci_pid(c->folder, "pid");
    c->canceled = true;
    proc_kill(&c->rt->env->proc, pid > 0 ? pid : c->run.pid, SIGKILL);
}

static void on_exec_timeout(struct timer *t) { exec_kill(container_of(t, struct call, timer)); }

static void oci_cancel(void *impl, struct runtime_call *request)
{
    (void)impl;
    ASSERT(request->verb == RUNTIME_CONTAINER_EXEC);
    struct call *c = request->impl;
    if (c != NULL && timer_armed(&c->timer))
        exec_kill(c);
}

int runtime_oci_process_write(const char *container_folder_path, const char *exec_folder, const char *const *command,
                              bool terminal, struct err *reterr)
{
    struct buf text = {0};
    struct json *spec = NULL;
    struct json_doc *d = json_doc_new();
    char *config = mem_printf("%s/config.json", container_folder_path), *path = mem_printf("%s/process.json", exec_folder);
    int rv = host_read_file(config, 0, PROC_OUTPUT_MAX, &text, reterr);
    if (rv == 0)
        rv = json_parse(d, buf_slice(&text), &spec, reterr);
    if (rv == 0) {
        struct json *process = json_ensure_object(d, spec, "process"), *args = json_new_array(d);
        for (const char *const *at = command; *at != NULL; at++)
            json_append(args, json_new_str(d, *at));
        json_set(d, process, "args", args);
        json_set_bool(d, process, "terminal", false); /* the container's own may have one */
        if (terminal)
            oci_set_terminal(d, process);
        rv = put_json(path, process, reterr);
    }
    mem_free(config);
    mem_free(path);
    json_doc_free(d);
    buf_release(&text);
    return rv;
}

static void container_exec(struct call *c)
{
    char *container = container_folder(c, c->request->attempt);
    c->id = arena_printf(&c->arena, "%s.%s.%u", c->request->pod->uid, container_of_call(c)->name, c->request->attempt);
    c->folder = arena_printf(&c->arena, "%s/exec-%llu", container, (unsigned long long)c->rt->exec_count++);
    int rv = c->request->command == NULL ? err_set(&c->err, ERR_INVALID, "no command to run") : 0;
    if (rv == 0)
        rv = host_remove_tree(c->folder, &c->err); /* of an earlier agent: its pid file names some other process by now */
    if (rv == 0)
        rv = host_mkdirs(c->folder, 0700, &c->err);
    if (rv == 0)
        rv = runtime_oci_process_write(container, c->folder, c->request->command, false, &c->err);
    if (rv < 0) {
        finish(c, rv);
        return;
    }
    size_t n = runtime_oci_argv(c->rt, c->argv);
    c->argv[n++] = "exec";
    c->argv[n++] = "--process";
    c->argv[n++] = arena_printf(&c->arena, "%s/process.json", c->folder);
    c->argv[n++] = "--pid-file";
    c->argv[n++] = arena_printf(&c->arena, "%s/pid", c->folder);
    c->argv[n++] = c->id;
    c->argv[n] = NULL;
    timer_init(&c->timer, on_exec_timeout);
    loop_timer_start(&c->rt->env->loop, &c->timer, c->request->timeout_ms);
    c->run = (struct proc_run){.argv = c->argv, .stdout_fd = -1, .stderr_fd = -1,
                               .timeout_ms = c->request->timeout_ms + EXEC_KILL_MS, .done = on_exec_done, .data = c};
    proc_run(&c->rt->env->proc, &c->run);
}

static void call_pod_image(struct call *c)
{
    const struct pod_container *container = container_of_call(c);
    image_get(c, container->image, container->pull, on_image);
}

static void oci_call(void *impl, struct runtime_call *request)
{
    static void (*const verbs[])(struct call *c) = {
        [RUNTIME_SANDBOX_START] = sandbox_start,     [RUNTIME_SANDBOX_STOP] = sandbox_stop,
        [RUNTIME_POD_REMOVE] = pod_remove,           [RUNTIME_IMAGE] = call_pod_image,
        [RUNTIME_CONTAINER_START] = container_start, [RUNTIME_CONTAINER_SIGNAL] = container_signal,
        [RUNTIME_CONTAINER_EXEC] = container_exec,
        [RUNTIME_VOLUMES_WRITE] = volumes_write,
    };
    struct runtime_oci *rt = impl;
    ASSERT(request->verb < ARRAY_LEN(verbs));
    ASSERT(request->pod != NULL);
    struct call *c = NEW(struct call);
    c->rt = rt;
    c->request = request;
    request->impl = c;
    deferred_init(&c->deferred, on_finish);
    timer_init(&c->timer, on_stop_timeout);
    list_push_back(&rt->calls, &c->link);
    verbs[request->verb](c);
}

static const struct runtime_ops oci_ops = {
    .call = oci_call,
    .cancel = oci_cancel,
    .stream_start = runtime_oci_stream_start,
    .stream_write = runtime_oci_stream_write,
    .stream_input_end = runtime_oci_stream_input_end,
    .stream_pause = runtime_oci_stream_pause,
    .stream_resize = runtime_oci_stream_resize,
    .stream_cancel = runtime_oci_stream_cancel,
    .recover = runtime_oci_recover,
};

int runtime_oci_new(struct env *env, const struct runtime_oci_options *o, struct runtime *ret, struct runtime_oci **ret_oci,
                    struct err *reterr)
{
    struct runtime_oci *rt = NEW(struct runtime_oci);
    rt->env = env;
    rt->images = o->images;
    rt->events = o->events;
    list_init(&rt->shims);
    list_init(&rt->calls);
    list_init(&rt->streams);
    rt->root = mem_strdup(o->root);
    rt->state = mem_printf("%s/runtime", o->root); /* not below /run: it goes with the node's folder */
    rt->program = mem_strdup(o->program);
    rt->self = mem_strdup(o->self);
    rt->cgroup_root = mem_strdup(o->cgroup_root);
    rt->node_ip = mem_strdup(o->node_ip);
    rt->pause_image = mem_strdup(o->pause_image);
    rt->cluster_dns = mem_strdup(o->cluster_dns);
    rt->cluster_domain = mem_strdup(o->cluster_domain == NULL ? "cluster.local" : o->cluster_domain);
    rt->network = (struct netns_options){rt->root, mem_strdup(o->network.pod_cidr), mem_strdup(o->network.plugins)};
    int rv = host_mkdirs(rt->state, 0700, reterr);
    if (rv == 0)
        rv = host_facts(rt->root, &rt->facts, reterr);
    if (rv < 0) {
        runtime_oci_free(rt);
        return rv;
    }
    *ret = (struct runtime){&oci_ops, rt};
    *ret_oci = rt;
    return 0;
}

void runtime_oci_free(struct runtime_oci *rt)
{
    if (rt == NULL)
        return;
    ASSERT(list_empty(&rt->calls));
    ASSERT(list_empty(&rt->streams));
    runtime_oci_shims_free(rt);
    mem_free(rt->root);
    mem_free(rt->state);
    mem_free(rt->program);
    mem_free(rt->self);
    mem_free(rt->cgroup_root);
    mem_free(rt->node_ip);
    mem_free(rt->pause_image);
    mem_free(rt->cluster_dns);
    mem_free(rt->cluster_domain);
    mem_free((char *)rt->network.pod_cidr);
    mem_free((char *)rt->network.plugins);
    mem_free(rt);
}
