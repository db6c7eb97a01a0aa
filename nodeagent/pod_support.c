#include "common/base.h"
#include "nodeagent/pod_support.h"

enum allowed {
    ABSENT,  /* or empty */
    NO,      /* or false */
    YES,     /* or true */
    ONE_OF,  /* or absent */
};

struct setting {
    const char *path;
    enum allowed allowed;
    const char *values; /* of ONE_OF, with ',' */
    bool told;          /* only told: the pod runs without */
};

#define SECCOMP "RuntimeDefault,Unconfined"

static const struct setting of_pod[] = {
    {.path = "runtimeClassName"},
    {.path = "resourceClaims"},
    {.path = "resources"},
    {.path = "hostnameOverride"},
    {"hostUsers", YES, NULL, false},
    {"setHostnameAsFQDN", NO, NULL, false},
    {"os.name", ONE_OF, "linux", false},
    {.path = "securityContext.seLinuxOptions"},
    {.path = "securityContext.windowsOptions"},
    {"securityContext.seccompProfile.type", ONE_OF, SECCOMP, false},
    {"securityContext.appArmorProfile.type", ONE_OF, "Unconfined", false},
    {.path = "ephemeralContainers", .told = true},
};
static const struct setting of_container[] = {
    {.path = "volumeDevices"},
    {.path = "resources.claims"},
    {.path = "restartPolicyRules"},
    {.path = "lifecycle.stopSignal"},
    {.path = "startupProbe.grpc"},
    {.path = "livenessProbe.grpc"},
    {.path = "readinessProbe.grpc"},
    {.path = "securityContext.seLinuxOptions"},
    {.path = "securityContext.windowsOptions"},
    {"securityContext.seccompProfile.type", ONE_OF, SECCOMP, false},
    {"securityContext.appArmorProfile.type", ONE_OF, "Unconfined", false},
    {"securityContext.procMount", ONE_OF, "Default", false},
    {"terminationMessagePolicy", ONE_OF, "File", true},
};
static const struct setting of_mount[] = {
    {"mountPropagation", ONE_OF, "None", false},
    {"recursiveReadOnly", ONE_OF, "Disabled,IfPossible", false},
};
static const struct setting of_volume[] = {
    {"emptyDir.medium", ONE_OF, "Memory", false},
};

static bool is_listed(const char *list, struct slice value)
{
    struct slice rest = slice_str(list);
    while (rest.size > 0)
        if (slice_equal(slice_cut(&rest, ','), value))
            return true;
    return false;
}

static bool is_empty(const struct json *v)
{
    enum json_type type = json_type(v);
    bool holds = type == JSON_OBJECT || type == JSON_ARRAY;
    return v == NULL || type == JSON_NULL || (holds ? json_size(v) == 0 : type == JSON_STRING && json_string(v).size == 0);
}

static bool is_allowed(const struct setting *s, const struct json *v)
{
    switch (s->allowed) {
    case NO: return !json_bool(v, false);
    case YES: return json_bool(v, true);
    case ONE_OF: return is_empty(v) || is_listed(s->values, json_string(v));
    default: return is_empty(v);
    }
}

/* `what` and `name` say whose setting it is: "container main". */
static void check(struct pod *p, const struct setting *settings, size_t count, const struct json *object, const char *what,
                  const char *name)
{
    for (size_t i = 0; i < count; i++) {
        const struct setting *s = &settings[i];
        const struct json *v = json_at(object, s->path);
        const char **target = s->told ? &p->unserved : &p->unsupported;
        if (*target != NULL || is_allowed(s, v))
            continue;
        struct slice value = json_string(v);
        *target = arena_printf(&p->arena, "%s%s%s of %s%s%.200s is not supported%s", s->path, value.size > 0 ? " " : "",
                               value.size > 0 ? arena_strdup(&p->arena, value) : "", what, *name == '\0' ? "" : " ", name,
                               s->told ? ": it runs without" : "");
    }
}

static const char *name_of(struct pod *p, const struct json *object)
{
    struct slice name = json_string(json_get(object, "name"));
    return name.data == NULL ? "" : arena_strdup(&p->arena, name);
}

static void check_each(struct pod *p, const struct setting *settings, size_t count, const struct json *array, const char *what)
{
    struct json_iterator at = json_iterate(array);
    while (json_next(&at))
        check(p, settings, count, at.value, what, name_of(p, at.value));
}

static void check_containers(struct pod *p, const struct json *containers, const char *restart_policy)
{
    const struct setting policy = {"restartPolicy", ONE_OF, restart_policy, false};
    struct json_iterator at = json_iterate(containers);
    while (json_next(&at)) {
        check(p, of_container, ARRAY_LEN(of_container), at.value, "container", name_of(p, at.value));
        check(p, &policy, 1, at.value, "container", name_of(p, at.value));
        check_each(p, of_mount, ARRAY_LEN(of_mount), json_get(at.value, "volumeMounts"), "volume mount");
    }
}

bool pod_sysctl_is_safe(struct slice name)
{
    return is_listed("kernel.shm_rmid_forced,net.ipv4.ip_local_port_range,net.ipv4.tcp_syncookies,net.ipv4.ping_group_range,"
                     "net.ipv4.ip_unprivileged_port_start,net.ipv4.ip_local_reserved_ports,net.ipv4.tcp_keepalive_time,"
                     "net.ipv4.tcp_fin_timeout,net.ipv4.tcp_keepalive_intvl,net.ipv4.tcp_keepalive_probes",
                     name);
}

static void check_sysctls(struct pod *p, const struct json *sysctls)
{
    struct json_iterator at = json_iterate(sysctls);
    while (json_next(&at)) {
        struct slice name = json_string(json_get(at.value, "name"));
        bool fits = pod_sysctl_is_safe(name) && !(p->host_network && slice_has_prefix(name, SLICE("net."))) &&
                    !(p->host_ipc && slice_has_prefix(name, SLICE("kernel.shm")));
        if (!fits && p->unsupported == NULL)
            p->unsupported = arena_printf(&p->arena, "securityContext.sysctls %.*s is not supported: forbidden sysctl",
                                          (int)MIN(name.size, (size_t)200), name.data == NULL ? "" : name.data);
    }
}

void pod_support_check(struct pod *p)
{
    const struct json *spec = json_get(p->tree, "spec");
    check(p, of_pod, ARRAY_LEN(of_pod), spec, "the pod", "");
    check_containers(p, json_get(spec, "initContainers"), "Always");
    check_containers(p, json_get(spec, "containers"), "");
    check_each(p, of_volume, ARRAY_LEN(of_volume), json_get(spec, "volumes"), "volume");
    check_sysctls(p, json_at(spec, "securityContext.sysctls"));
}
