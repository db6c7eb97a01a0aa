#include "common/base.h"
#include "nodeagent/oci_spec.h"

#include <stdio.h>
#include <stdlib.h>

#include "common/json.h"
#include "nodeagent/oci_seccomp.h"

#define CPU_PERIOD_US 100000
#define CAP_SYS_RESOURCE_BIT 24 /* places in capability_names */
#define PIDS_MAX 4096

static const char *const capability_names[] = {
    "CHOWN", "DAC_OVERRIDE", "DAC_READ_SEARCH", "FOWNER", "FSETID", "KILL", "SETGID", "SETUID", "SETPCAP",
    "LINUX_IMMUTABLE", "NET_BIND_SERVICE", "NET_BROADCAST", "NET_ADMIN", "NET_RAW", "IPC_LOCK", "IPC_OWNER",
    "SYS_MODULE", "SYS_RAWIO", "SYS_CHROOT", "SYS_PTRACE", "SYS_PACCT", "SYS_ADMIN", "SYS_BOOT", "SYS_NICE",
    "SYS_RESOURCE", "SYS_TIME", "SYS_TTY_CONFIG", "MKNOD", "LEASE", "AUDIT_WRITE", "AUDIT_CONTROL", "SETFCAP",
    "MAC_OVERRIDE", "MAC_ADMIN", "SYSLOG", "WAKE_ALARM", "BLOCK_SUSPEND", "AUDIT_READ", "PERFMON", "BPF",
    "CHECKPOINT_RESTORE",
};
static const char *const capabilities_default[] = {
    "CHOWN", "DAC_OVERRIDE", "FSETID", "FOWNER", "MKNOD", "NET_RAW", "SETGID", "SETUID",
    "SETFCAP", "SETPCAP", "NET_BIND_SERVICE", "SYS_CHROOT", "KILL", "AUDIT_WRITE", NULL,
};

int64_t oci_cpu_shares(int64_t milli) { return milli < 0 ? 2 : MIN(MAX(milli * 1024 / 1000, 2), 262144); }
int64_t oci_cpu_quota_us(int64_t milli) { return MAX(milli * CPU_PERIOD_US / 1000, 1000); }

static uint64_t capability_bit(const char *name)
{
    if (strncmp(name, "CAP_", 4) == 0)
        name += 4;
    for (size_t i = 0; i < ARRAY_LEN(capability_names); i++)
        if (strcmp(name, capability_names[i]) == 0)
            return (uint64_t)1 << i;
    return strcmp(name, "ALL") == 0 ? ~(uint64_t)0 : 0;
}

static uint64_t capability_set(const char *const *names)
{
    uint64_t set = 0;
    for (; names != NULL && *names != NULL; names++)
        set |= capability_bit(*names);
    return set;
}

static uint64_t capabilities_of(const struct oci_spec_options *o)
{
    const struct pod_container *c = o->container;
    if (c == NULL)
        return 0;
    uint64_t set = c->privileged ? ~(uint64_t)0 : capability_set(capabilities_default);
    set &= ~capability_set(c->capabilities_drop);
    set |= capability_set(c->capabilities_add);
    return set & o->capabilities;
}

static struct json *strings(struct json_doc *d, const char *const *texts)
{
    struct json *array = json_new_array(d);
    for (; texts != NULL && *texts != NULL; texts++)
        json_append(array, json_new_str(d, *texts));
    return array;
}

static void put_capabilities(struct json_doc *d, struct json *process, uint64_t set)
{
    static const char *const kinds[] = {"bounding", "effective", "permitted"};
    struct json *capabilities = json_ensure_object(d, process, "capabilities");
    for (size_t k = 0; k < ARRAY_LEN(kinds); k++) {
        struct json *names = json_new_array(d);
        for (size_t i = 0; i < ARRAY_LEN(capability_names); i++) {
            char name[64];
            (void)snprintf(name, sizeof name, "CAP_%s", capability_names[i]);
            if ((set >> i & 1) != 0)
                json_append(names, json_new_str(d, name));
        }
        json_set(d, capabilities, kinds[k], names);
    }
}

/* --- environment --- */

static struct json *environment_json(struct json_doc *d, struct environment *e)
{
    struct json *array = json_new_array(d);
    for (size_t i = 0; i < e->count; i++)
        json_append(array, json_new_str(d, arena_printf(&e->arena, "%s=%s", e->names[i], e->values[i])));
    return array;
}

/* --- process --- */

static void append_texts(struct json_doc *d, struct json *array, const char *const *texts, struct environment *e)
{
    for (; texts != NULL && *texts != NULL; texts++)
        json_append(array, json_new_str(d, pod_expand(&e->arena, *texts, environment_get, e)));
}

static void append_json(struct json_doc *d, struct json *array, const struct json *from)
{
    struct json_iterator at = json_iterate(from);
    while (json_next(&at))
        json_append(array, json_copy(d, at.value));
}

/* command replaces the image's entrypoint and its arguments; args alone replaces only those. */
static int put_args(struct json_doc *d, struct json *process, const struct oci_spec_options *o, struct environment *e,
                    struct err *reterr)
{
    const struct pod_container *c = o->container;
    struct json *args = json_new_array(d);
    if (c != NULL && c->command != NULL)
        append_texts(d, args, c->command, e);
    else
        append_json(d, args, json_at(o->image, "config.Entrypoint"));
    if (c != NULL && c->args != NULL)
        append_texts(d, args, c->args, e);
    else if (c == NULL || c->command == NULL)
        append_json(d, args, json_at(o->image, "config.Cmd"));
    if (json_size(args) == 0)
        return err_set(reterr, ERR_INVALID, "no command specified: neither the container nor its image names one");
    json_set(d, process, "args", args);
    return 0;
}

/* "UID", "UID:GID" or root; other names would have to be looked up inside the image. */
static int put_user(struct json_doc *d, struct json *process, const struct oci_spec_options *o, struct err *reterr)
{
    struct slice user = json_string(json_at(o->image, "config.User"));
    int64_t uid = o->container == NULL ? -1 : o->container->run_as_user;
    int64_t gid = o->container == NULL ? -1 : o->container->run_as_group;
    struct slice rest = user, first = slice_cut(&rest, ':');
    char *end = NULL;
    int64_t image_uid = user.size == 0 ? 0 : strtoll(user.data, &end, 10);
    bool numeric = user.size == 0 || slice_is(first, "root") || (end == first.data + first.size && first.size > 0);
    if (uid < 0 && !numeric)
        return err_set(reterr, ERR_INVALID, "the image wants user %.*s by name: set securityContext.runAsUser to its number",
                       SLICE_ARGS(user));
    if (uid < 0)
        uid = image_uid;
    if (gid < 0)
        gid = rest.size > 0 ? strtoll(rest.data, NULL, 10) : 0;
    if (o->container != NULL && o->container->non_root && uid == 0)
        return err_set(reterr, ERR_INVALID, "container has runAsNonRoot and %s will run as root (pod: \"%s_%s(%s)\", container: %s)",
                       o->container->run_as_user == 0 ? "its user" : "image", o->pod->name, o->pod->namespace, o->pod->uid,
                       o->container->name);
    struct json *json = json_ensure_object(d, process, "user");
    struct json *groups = json_new_array(d);
    struct json_iterator at = json_iterate(o->container == NULL ? NULL : o->container->groups);
    while (json_next(&at))
        if (json_int_or(at.value, -1) >= 0)
            json_append(groups, json_new_int(d, json_int_or(at.value, 0)));
    if (o->container != NULL && o->pod->fs_group >= 0)
        json_append(groups, json_new_int(d, o->pod->fs_group));
    if (json_size(groups) > 0)
        json_set(d, json, "additionalGids", groups);
    json_set_int(d, json, "uid", uid);
    json_set_int(d, json, "gid", gid);
    return 0;
}

static int64_t oom_score(const struct oci_spec_options *o)
{
    bool may_lower = (o->capabilities >> CAP_SYS_RESOURCE_BIT & 1) != 0;
    int64_t score = -998;
    if (o->container != NULL && o->pod->qos == POD_QOS_GUARANTEED)
        score = -997;
    if (o->container != NULL && o->pod->qos == POD_QOS_BEST_EFFORT)
        score = 1000;
    if (o->container != NULL && o->pod->qos == POD_QOS_BURSTABLE) {
        int64_t request = MAX(o->container->memory_request_bytes, 0);
        int64_t share = o->memory_capacity_bytes == 0 ? 0 : request / (int64_t)MAX(o->memory_capacity_bytes / 1000, (uint64_t)1);
        score = MIN(MAX(1000 - share, 2), 999);
    }
    return may_lower ? score : MAX(score, 0);
}

void oci_set_terminal(struct json_doc *d, struct json *process)
{
    struct json *environment = json_get(process, "env");
    struct json_iterator at = json_iterate(environment);
    json_set_bool(d, process, "terminal", true);
    while (json_next(&at))
        if (slice_has_prefix(json_string(at.value), SLICE("TERM=")))
            return;
    if (environment != NULL)
        json_append(environment, json_new_str(d, "TERM=xterm"));
}

static int put_process(struct json_doc *d, struct json *spec, const struct oci_spec_options *o, struct environment *e,
                       struct err *reterr)
{
    struct json *process = json_ensure_object(d, spec, "process");
    struct slice image_folder = json_string(json_at(o->image, "config.WorkingDir"));
    const char *folder = image_folder.size > 0 ? image_folder.data : "/";
    if (o->container != NULL && o->container->working_dir != NULL)
        folder = pod_expand(&e->arena, o->container->working_dir, environment_get, e);
    int rv = put_args(d, process, o, e, reterr);
    if (rv == 0)
        rv = put_user(d, process, o, reterr);
    if (rv < 0)
        return rv;
    json_set_str(d, process, "cwd", folder);
    json_set(d, process, "env", environment_json(d, e));
    if (o->container != NULL && o->container->tty)
        oci_set_terminal(d, process);
    put_capabilities(d, process, capabilities_of(o));
    json_set_int(d, process, "oomScoreAdj", oom_score(o));
    json_set_bool(d, process, "noNewPrivileges", o->container == NULL || o->container->no_new_privileges);
    struct json *limits = json_new_array(d), *files = json_new_object(d);
    json_set_str(d, files, "type", "RLIMIT_NOFILE");
    json_set_int(d, files, "hard", (int64_t)MIN(o->open_files_max, (uint64_t)1048576));
    json_set_int(d, files, "soft", (int64_t)MIN(o->open_files_max, (uint64_t)1048576));
    json_append(limits, files);
    json_set(d, process, "rlimits", limits);
    return 0;
}

/* --- mounts, namespaces, limits --- */

static void put_mount(struct json_doc *d, struct json *mounts, const char *type, const char *source, const char *target,
                      const char *options)
{
    struct json *mount = json_new_object(d), *list = json_new_array(d);
    json_set_str(d, mount, "destination", target);
    json_set_str(d, mount, "type", type);
    json_set_str(d, mount, "source", source);
    struct slice rest = slice_str(options);
    while (rest.size > 0)
        json_append(list, json_new_string(d, slice_cut(&rest, ',')));
    json_set(d, mount, "options", list);
    json_append(mounts, mount);
}

static void put_mounts(struct json_doc *d, struct json *spec, const struct oci_spec_options *o)
{
    struct json *mounts = json_new_array(d);
    bool writable = o->container != NULL && o->container->privileged;
    put_mount(d, mounts, "proc", "proc", "/proc", "nosuid,noexec,nodev");
    put_mount(d, mounts, "tmpfs", "tmpfs", "/dev", "nosuid,strictatime,mode=755,size=65536k");
    put_mount(d, mounts, "devpts", "devpts", "/dev/pts", "nosuid,noexec,newinstance,ptmxmode=0666,mode=0620,gid=5");
    put_mount(d, mounts, "tmpfs", "shm", "/dev/shm", "nosuid,noexec,nodev,mode=1777,size=65536k");
    put_mount(d, mounts, "mqueue", "mqueue", "/dev/mqueue", "nosuid,noexec,nodev");
    put_mount(d, mounts, "sysfs", "sysfs", "/sys", writable ? "nosuid,noexec,nodev" : "nosuid,noexec,nodev,ro");
    for (size_t i = 0; i < o->bind_count; i++)
        put_mount(d, mounts, "bind", o->binds[i].source, o->binds[i].target,
                  o->binds[i].read_only ? "rbind,rprivate,ro" : "rbind,rprivate,rw");
    json_set(d, spec, "mounts", mounts);
}

static void put_namespace(struct json_doc *d, struct json *namespaces, const char *type, int pid, const char *file)
{
    char path[64];
    struct json *namespace = json_new_object(d);
    json_set_str(d, namespace, "type", type);
    if (pid > 0) {
        (void)snprintf(path, sizeof path, "/proc/%d/ns/%s", pid, file);
        json_set_str(d, namespace, "path", path);
    }
    json_append(namespaces, namespace);
}

static void put_namespaces(struct json_doc *d, struct json *platform, const struct oci_spec_options *o)
{
    struct json *namespaces = json_new_array(d);
    int shared = o->container == NULL ? 0 : o->sandbox_pid;
    put_namespace(d, namespaces, "mount", 0, "mnt");
    if (!o->pod->host_pid)
        put_namespace(d, namespaces, "pid", o->pod->share_pid ? shared : 0, "pid");
    if (!o->pod->host_ipc)
        put_namespace(d, namespaces, "ipc", shared, "ipc");
    put_namespace(d, namespaces, "uts", shared, "uts");
    if (!o->pod->host_network)
        put_namespace(d, namespaces, "network", shared, "net");
    json_set(d, platform, "namespaces", namespaces);
}

static void put_resources(struct json_doc *d, struct json *platform, const struct oci_spec_options *o)
{
    struct json *resources = json_ensure_object(d, platform, "resources");
    struct json *devices = json_new_array(d), *rule = json_new_object(d), *cpu = json_ensure_object(d, resources, "cpu");
    const struct pod_container *c = o->container;
    json_set_bool(d, rule, "allow", c != NULL && c->privileged);
    json_set_str(d, rule, "access", "rwm");
    json_append(devices, rule);
    json_set(d, resources, "devices", devices);
    json_set_int(d, json_ensure_object(d, resources, "pids"), "limit", PIDS_MAX);
    json_set_int(d, cpu, "shares", c == NULL ? 2 : oci_cpu_shares(c->cpu_request_milli < 0 ? c->cpu_limit_milli : c->cpu_request_milli));
    if (c != NULL && c->cpu_limit_milli > 0) {
        json_set_int(d, cpu, "quota", oci_cpu_quota_us(c->cpu_limit_milli));
        json_set_int(d, cpu, "period", CPU_PERIOD_US);
    }
    if (c != NULL && c->memory_limit_bytes > 0)
        json_set_int(d, json_ensure_object(d, resources, "memory"), "limit", c->memory_limit_bytes);
}

static void put_paths(struct json_doc *d, struct json *platform, const struct oci_spec_options *o)
{
    static const char *const masked[] = {"/proc/acpi", "/proc/asound", "/proc/kcore", "/proc/keys", "/proc/latency_stats",
                                         "/proc/timer_list", "/proc/sched_debug", "/proc/scsi", "/sys/firmware", NULL};
    static const char *const read_only[] = {"/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger", NULL};
    if (o->container != NULL && o->container->privileged)
        return;
    json_set(d, platform, "maskedPaths", strings(d, masked));
    json_set(d, platform, "readonlyPaths", strings(d, read_only));
}

/* They are of the namespaces that the sandbox makes and its containers join. */
static void put_sysctls(struct json_doc *d, struct json *platform, const struct oci_spec_options *o)
{
    struct json_iterator at = json_iterate(o->container == NULL ? o->pod->sysctls : NULL);
    while (json_next(&at))
        json_set_string(d, json_ensure_object(d, platform, "sysctl"), json_string(json_get(at.value, "name")).data,
                        json_string(json_get(at.value, "value")));
}

int oci_spec_build(const struct oci_spec_options *o, struct buf *out, struct err *reterr)
{
    struct environment e = {0};
    struct environment_options environment = {.pod = o->pod, .container = o->container, .image = o->image, .data = o->data,
                                              .hostname = o->hostname, .facts = o->facts};
    struct json_doc *d = json_doc_new();
    struct json *spec = json_new_object(d);
    json_set_str(d, spec, "ociVersion", "1.0.2");
    int rv = environment_build(&e, &environment, reterr);
    if (o->ret_skipped != NULL)
        *o->ret_skipped = e.skipped;
    if (rv == 0)
        rv = put_process(d, spec, o, &e, reterr);
    if (rv < 0)
        goto out;
    struct json *root = json_ensure_object(d, spec, "root");
    json_set_str(d, root, "path", "rootfs");
    json_set_bool(d, root, "readonly", o->container == NULL || o->container->read_only_root);
    if (o->container == NULL && !o->pod->host_network)
        json_set_str(d, spec, "hostname", o->hostname);
    put_mounts(d, spec, o);
    struct json *platform = json_ensure_object(d, spec, "linux");
    json_set_str(d, platform, "cgroupsPath", o->cgroup);
    put_namespaces(d, platform, o);
    put_resources(d, platform, o);
    put_paths(d, platform, o);
    put_sysctls(d, platform, o);
    if (o->container != NULL && o->container->seccomp)
        oci_seccomp_put(d, platform, capabilities_of(o));
    json_print(spec, out);
out:
    json_doc_free(d);
    environment_release(&e);
    return rv;
}
