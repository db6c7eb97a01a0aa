/* The shims: one watch for each, what they left when their container ended, and which of them are there when an agent starts. */
#include "common/base.h"

#include <stdio.h>
#include <stdlib.h>

#include "common/mem.h"
#include "nodeagent/runtime_oci_parts.h"

/* --- watching shims --- */

static void shim_free(struct shim_watch *w)
{
    list_remove(&w->link);
    mem_free(w->uid);
    mem_free(w->container);
    mem_free(w->id);
    mem_free(w->folder);
    buf_release(&w->cleanup.output);
    buf_release(&w->cleanup.errors);
    mem_free(w);
}

/* How long the UTF-8 character at `at` is; 0 when it is none. */
static size_t character_bytes(const char *at, const char *end)
{
    unsigned char c = (unsigned char)*at;
    size_t size = c < 0x80 ? 1 : c >= 0xc2 && c < 0xe0 ? 2 : c >= 0xe0 && c < 0xf0 ? 3 : c >= 0xf0 && c < 0xf5 ? 4 : 0;
    if (c == 0 || size > (size_t)(end - at))
        return 0;
    for (size_t i = 1; i < size; i++)
        if (((unsigned char)at[i] & 0xc0) != 0x80)
            return 0;
    bool overlong = (c == 0xe0 && (unsigned char)at[1] < 0xa0) || (c == 0xf0 && (unsigned char)at[1] < 0x90);
    bool outside = (c == 0xed && (unsigned char)at[1] >= 0xa0) || (c == 0xf4 && (unsigned char)at[1] >= 0x90);
    return overlong || outside ? 0 : size;
}

/* What a container left may be any bytes, and may have been cut; the API takes text. */
static void message_read(const char *folder, char message[RUNTIME_MESSAGE_MAX + 1])
{
    struct buf text = {0};
    char *path = mem_printf("%s/" RUNTIME_OCI_MESSAGE_FILE, folder);
    size_t n = 0;
    if (host_read_file(path, 0, RUNTIME_MESSAGE_MAX, &text, NULL) == 0 && text.size > 0) { /* the sandbox has none */
        n = text.size;
        memcpy(message, text.data, n);
    }
    message[n] = '\0';
    for (size_t i = 0; i < n;) {
        size_t size = character_bytes(message + i, message + n);
        if (size == 0)
            message[i] = '?';
        i += MAX(size, (size_t)1);
    }
    buf_release(&text);
    mem_free(path);
}

/* False where the shim left none. */
static bool exit_read(const char *folder, struct runtime_exit *ret)
{
    struct buf text = {0};
    struct json_doc *d = json_doc_new();
    struct json *object = NULL;
    char *path = mem_printf("%s/exit", folder);
    bool there = host_read_file(path, 0, RUNTIME_OCI_STATE_BYTES_MAX, &text, NULL) == 0 && json_parse(d, buf_slice(&text), &object, NULL) == 0;
    if (there)
        *ret = (struct runtime_exit){
            .code = (int)json_int_at(object, "exitCode", 0),
            .signal = (int)json_int_at(object, "signal", 0),
            .oom_killed = json_int_at(object, "oomKills", 0) > 0,
            .finished_ms = json_int_at(object, "finishedMs", 0),
        };
    if (there)
        message_read(folder, ret->message);
    mem_free(path);
    json_doc_free(d);
    buf_release(&text);
    return there;
}

static void shim_report(struct shim_watch *w, const struct runtime_exit *exit)
{
    struct runtime_oci *rt = w->rt;
    char *uid = w->uid, *container = w->container;
    unsigned attempt = w->attempt;
    w->uid = w->container = NULL;
    shim_free(w);
    rt->events.ended(rt->events.arg, uid, container, attempt, exit);
    runtime_oci_stop_waits_check(rt, uid);
    mem_free(uid);
    mem_free(container);
}

static void on_cleaned_up(struct proc_run *run, int status, const struct proc_exit *exit)
{
    (void)exit;
    struct shim_watch *w = run->data;
    if (status == ERR_CANCELED) {
        shim_free(w);
        return;
    }
    struct runtime_exit unknown = {.code = 137, .unknown = true, .finished_ms = clock_wall_ms(&w->rt->env->clock)};
    shim_report(w, &unknown);
}

size_t runtime_oci_argv(const struct runtime_oci *rt, const char **argv)
{
    size_t n = 0;
    argv[n++] = rt->program;
    argv[n++] = "--root";
    argv[n++] = rt->state;
    if (strcmp(rt->program, "crun") == 0)
        argv[n++] = "--cgroup-manager=cgroupfs";
    return n;
}

static void on_shim_ended(struct proc_watch *watch, const struct proc_exit *exit)
{
    (void)exit;
    struct shim_watch *w = watch->data;
    struct runtime_exit ended;
    if (exit_read(w->folder, &ended)) {
        shim_report(w, &ended);
        return;
    }
    /* The shim itself was killed: the container may still run, but nobody reads its output or would see its end. */
    log_warn(w->rt->env->log, "shim ended without a status", "id=%s", w->id);
    size_t n = runtime_oci_argv(w->rt, w->argv);
    w->argv[n++] = "delete";
    w->argv[n++] = "--force";
    w->argv[n++] = w->id;
    w->argv[n] = NULL;
    w->cleanup = (struct proc_run){.argv = w->argv, .stdout_fd = -1, .stderr_fd = -1, .timeout_ms = RUNTIME_OCI_START_TIMEOUT_MS,
                                   .done = on_cleaned_up, .data = w};
    proc_run(&w->rt->env->proc, &w->cleanup);
}

void runtime_oci_shim_watch(struct runtime_oci *rt, int pid, const char *uid, const char *container, unsigned attempt,
                            const char *id, const char *folder)
{
    struct shim_watch *w = NEW(struct shim_watch);
    w->rt = rt;
    w->uid = mem_strdup(uid);
    w->container = mem_strdup(container);
    w->id = mem_strdup(id);
    w->folder = mem_strdup(folder);
    w->attempt = attempt;
    w->watch = (struct proc_watch){.pid = pid, .exited = on_shim_ended, .data = w};
    list_push_back(&rt->shims, &w->link);
    proc_watch(&rt->env->proc, &w->watch);
}

int runtime_oci_pid(const char *folder, const char *name)
{
    struct buf text = {0};
    char *path = mem_printf("%s/%s", folder, name);
    long pid = host_read_file(path, 0, 32, &text, NULL) == 0 && text.size > 0 ? strtol(text.data, NULL, 10) : 0;
    buf_release(&text);
    mem_free(path);
    return pid > 1 && pid < INT32_MAX ? (int)pid : 0;
}

int64_t runtime_oci_number(const char *folder, const char *name)
{
    struct buf text = {0};
    char *path = mem_printf("%s/%s", folder, name);
    int64_t value = host_read_file(path, 0, 32, &text, NULL) == 0 && text.size > 0 ? strtoll(text.data, NULL, 10) : 0;
    buf_release(&text);
    mem_free(path);
    return value;
}

void runtime_oci_shims_free(struct runtime_oci *rt)
{
    LIST_FOR_EACH (at, &rt->shims) {
        struct shim_watch *w = container_of(at, struct shim_watch, link);
        if (w->cleanup.impl != NULL)
            continue; /* its own completion frees it */
        proc_unwatch(&rt->env->proc, &w->watch);
        shim_free(w);
    }
}

/* --- recovery --- */

struct recovery {
    struct runtime_oci *rt;
    void (*found)(void *arg, const struct runtime_found *f);
    void *arg;
    struct runtime_found pod;
    const char *container, *containers_folder;
    unsigned attempts[64];
    size_t attempt_count;
};

static void recover_one(struct recovery *r, struct runtime_found *f, const char *folder, const char *id)
{
    int pid = runtime_oci_pid(folder, "shim.pid");
    f->started_ms = runtime_oci_number(folder, "started");
    f->running = pid > 0 && host_process_is(pid, folder);
    if (f->running)
        runtime_oci_shim_watch(r->rt, pid, f->uid, f->container, f->attempt, id, folder);
    else if (!exit_read(folder, &f->exit))
        f->exit = (struct runtime_exit){.code = 137, .unknown = true, .finished_ms = clock_wall_ms(&r->rt->env->clock)};
    if (f->running || f->started_ms > 0 || f->container == NULL)
        r->found(r->arg, f);
}

static void on_attempt(void *arg, const char *name)
{
    struct recovery *r = arg;
    char *end;
    unsigned long n = strtoul(name, &end, 10);
    if (*name != '\0' && *end == '\0' && n < 1000000 && r->attempt_count < ARRAY_LEN(r->attempts))
        r->attempts[r->attempt_count++] = (unsigned)n;
}

static int order_attempts(const void *a, const void *b)
{
    unsigned x = *(const unsigned *)a, y = *(const unsigned *)b;
    return (x > y) - (x < y);
}

static void on_container(void *arg, const char *name)
{
    struct recovery *r = arg;
    char *folder = mem_printf("%s/%s", r->containers_folder, name);
    r->attempt_count = 0;
    (void)host_list(folder, on_attempt, r, NULL); /* vanished: no attempts */
    qsort(r->attempts, r->attempt_count, sizeof r->attempts[0], order_attempts);
    for (size_t i = 0; i < r->attempt_count; i++) {
        struct json_doc *d = json_doc_new();
        struct json *meta = NULL;
        struct buf text = {0};
        char *at = mem_printf("%s/%u", folder, r->attempts[i]), *path = mem_printf("%s/meta.json", at);
        if (host_read_file(path, 0, RUNTIME_OCI_STATE_BYTES_MAX, &text, NULL) == 0 && json_parse(d, buf_slice(&text), &meta, NULL) == 0) {
            struct runtime_found f = r->pod;
            struct slice id = json_string_at(meta, "id"), image = json_string_at(meta, "image");
            char *container_id = mem_printf("%s://%s", r->rt->program, id.data == NULL ? "" : id.data);
            f.container = name;
            f.container_id = container_id;
            f.image_id = image.data == NULL ? "" : image.data;
            f.attempt = r->attempts[i];
            recover_one(r, &f, at, id.data == NULL ? "" : id.data);
            mem_free(container_id);
        }
        mem_free(at);
        mem_free(path);
        buf_release(&text);
        json_doc_free(d);
    }
    mem_free(folder);
}

static void on_pod(void *arg, const char *uid)
{
    struct recovery *r = arg;
    struct json_doc *d = json_doc_new();
    struct json *pod = NULL;
    struct buf text = {0};
    char *folder = mem_printf("%s/run/%s", r->rt->root, uid), *path = mem_printf("%s/pod.json", folder);
    char *sandbox = mem_printf("%s/sandbox", folder), *containers = mem_printf("%s/containers", folder);
    if (host_read_file(path, 0, RUNTIME_OCI_STATE_BYTES_MAX, &text, NULL) == 0 && json_parse(d, buf_slice(&text), &pod, NULL) == 0 &&
        slice_is(json_string_at(pod, "uid"), uid)) {
        int64_t qos = json_int_at(pod, "qos", POD_QOS_BEST_EFFORT);
        r->pod = (struct runtime_found){
            .namespace = json_string_at(pod, "namespace").data,
            .name = json_string_at(pod, "name").data,
            .uid = uid,
            .qos = qos >= 0 && qos <= POD_QOS_BEST_EFFORT ? (enum pod_qos)qos : POD_QOS_BEST_EFFORT,
            .address = json_string_at(pod, "address").data,
        };
        r->containers_folder = containers;
        struct runtime_found f = r->pod;
        recover_one(r, &f, sandbox, uid);
        (void)host_list(containers, on_container, r, NULL); /* none started yet */
    } else {
        log_warn(r->rt->env->log, "left-over folder is no pod's", "folder=%s", folder);
    }
    mem_free(folder);
    mem_free(path);
    mem_free(sandbox);
    mem_free(containers);
    buf_release(&text);
    json_doc_free(d);
}

int runtime_oci_recover(void *impl, void (*found)(void *arg, const struct runtime_found *f), void *arg, struct err *reterr)
{
    struct runtime_oci *rt = impl;
    struct recovery r = {.rt = rt, .found = found, .arg = arg};
    char *folder = mem_printf("%s/run", rt->root);
    int rv = host_mkdirs(folder, 0700, reterr);
    if (rv == 0)
        rv = host_list(folder, on_pod, &r, reterr);
    mem_free(folder);
    return rv;
}
