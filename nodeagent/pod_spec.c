#include "common/base.h"
#include "nodeagent/pod_spec.h"

#include <stdio.h>
#include <stdlib.h>

#include "common/buf.h"
#include "nodeagent/pod_support.h"

#define GRACE_DEFAULT_MS 30000
#define SECONDS_MAX 1000000 /* of every setting in seconds */
#define TOKEN_DEFAULT_S 3600
#define TOKEN_LEAST_S 600
#define FILE_MODE_DEFAULT 0644
#define POD_HOST_PORTS_MAX 64
#define EXPANDED_MAX (1024 * 1024)

/* --- quantities --- */

struct suffix {
    const char *text;
    int64_t factor_milli;
};

static const struct suffix suffixes[] = {
    {"", 1000},
    {"m", 1},
    {"k", 1000LL * 1000},
    {"M", 1000LL * 1000 * 1000},
    {"G", 1000LL * 1000 * 1000 * 1000},
    {"T", 1000LL * 1000 * 1000 * 1000 * 1000},
    {"Ki", 1000LL << 10},
    {"Mi", 1000LL << 20},
    {"Gi", 1000LL << 30},
    {"Ti", 1000LL << 40},
};

static bool factor_of(struct slice suffix, double *ret)
{
    for (size_t i = 0; i < ARRAY_LEN(suffixes); i++)
        if (slice_is(suffix, suffixes[i].text)) {
            *ret = (double)suffixes[i].factor_milli;
            return true;
        }
    return false;
}

bool pod_quantity_milli(struct slice text, int64_t *ret)
{
    char copy[64];
    if (text.size == 0 || text.size >= sizeof copy || memchr(text.data, 'x', text.size) != NULL)
        return false;
    memcpy(copy, text.data, text.size);
    copy[text.size] = '\0';
    if (strchr("+-.0123456789", copy[0]) == NULL)
        return false;
    char *end;
    double number = strtod(copy, &end), factor;
    if (end == copy || !factor_of(slice_str(end), &factor))
        return false;
    double value = number * factor;
    if (!(value >= 0) || value > 9e18)
        return false;
    int64_t whole = (int64_t)value;
    *ret = whole + ((double)whole < value ? 1 : 0);
    return true;
}

/* The quantity of spec.containers[].resources.<kind>.<name>, divided by `unit`; -1 when absent. */
static int64_t resource(const struct json *container, const char *kind, const char *name, int64_t unit)
{
    const struct json *value = json_get(json_get(json_get(container, "resources"), kind), name);
    struct slice text = json_type(value) == JSON_NUMBER ? json_number_text(value) : json_string(value);
    int64_t milli;
    if (!pod_quantity_milli(text, &milli))
        return -1;
    return milli / unit + (milli % unit > 0 ? 1 : 0);
}

/* --- pieces --- */

static const char *text_of(struct pod *p, const struct json *v)
{
    struct slice s = json_string(v);
    return s.data == NULL ? NULL : arena_strdup(&p->arena, s);
}

static const char *text_or(struct pod *p, const struct json *v, const char *fallback)
{
    const char *text = text_of(p, v);
    return text == NULL || *text == '\0' ? fallback : text;
}

static const char **texts_of(struct pod *p, const struct json *array)
{
    size_t n = json_size(array), i = 0;
    if (n == 0)
        return NULL;
    const char **texts = arena_alloc(&p->arena, (n + 1) * sizeof *texts);
    struct json_iterator at = json_iterate(array);
    while (json_next(&at))
        texts[i++] = text_or(p, at.value, "");
    return texts;
}

static void mark(struct pod *p, const char **target, const char *format, const char *a, const char *b)
{
    if (*target == NULL)
        *target = arena_printf(&p->arena, format, a, b);
}

static struct pod_resource_field resource_field(struct pod *p, const struct json *from)
{
    const struct json *divisor = json_get(from, "divisor");
    struct slice text = json_type(divisor) == JSON_NUMBER ? json_number_text(divisor) : json_string(divisor);
    return (struct pod_resource_field){text_or(p, json_get(from, "containerName"), NULL),
                                       text_or(p, json_get(from, "resource"), ""), text.size == 0 ? SLICE("1") : text};
}

static void parse_env_source(struct pod *p, const struct pod_container *c, struct pod_env *e, const struct json *from)
{
    const struct json *map = json_get(from, "configMapKeyRef"), *secret = json_get(from, "secretKeyRef");
    const struct json *object = map != NULL ? map : secret;
    if (object != NULL) {
        e->from = map != NULL ? POD_ENV_CONFIG_MAP : POD_ENV_SECRET;
        e->object = text_or(p, json_get(object, "name"), "");
        e->key = text_or(p, json_get(object, "key"), "");
        e->optional = json_bool(json_get(object, "optional"), false);
    } else if (json_get(from, "fieldRef") != NULL) {
        e->from = POD_ENV_FIELD;
        e->field = text_or(p, json_at(from, "fieldRef.fieldPath"), "");
    } else if (json_get(from, "resourceFieldRef") != NULL) {
        e->from = POD_ENV_RESOURCE;
        e->resource = resource_field(p, json_get(from, "resourceFieldRef"));
    } else {
        mark(p, &p->unsupported, "environment variable %s of container %s comes from a source this node cannot read yet",
             e->name, c->name);
    }
}

static void parse_env(struct pod *p, struct pod_container *c, const struct json *container)
{
    const struct json *env = json_get(container, "env"), *all = json_get(container, "envFrom");
    c->env = arena_alloc(&p->arena, (json_size(env) + 1) * sizeof *c->env);
    struct json_iterator at = json_iterate(env);
    while (json_next(&at)) {
        struct pod_env *e = &c->env[c->env_count++];
        e->name = text_or(p, json_get(at.value, "name"), "");
        e->value = text_or(p, json_get(at.value, "value"), "");
        if (json_get(at.value, "valueFrom") != NULL)
            parse_env_source(p, c, e, json_get(at.value, "valueFrom"));
    }
    c->env_all = arena_alloc(&p->arena, (json_size(all) + 1) * sizeof *c->env_all);
    at = json_iterate(all);
    while (json_next(&at)) {
        struct pod_env_all *e = &c->env_all[c->env_all_count++];
        const struct json *map = json_get(at.value, "configMapRef"), *secret = json_get(at.value, "secretRef");
        const struct json *object = map != NULL ? map : secret;
        e->secret = map == NULL;
        e->prefix = text_or(p, json_get(at.value, "prefix"), "");
        e->object = text_or(p, json_get(object, "name"), "");
        e->optional = json_bool(json_get(object, "optional"), false);
    }
}

static void parse_mounts(struct pod *p, struct pod_container *c, const struct json *container)
{
    const struct json *mounts = json_get(container, "volumeMounts");
    c->mounts = arena_alloc(&p->arena, (json_size(mounts) + 1) * sizeof *c->mounts);
    struct json_iterator at = json_iterate(mounts);
    while (json_next(&at)) {
        struct pod_mount *m = &c->mounts[c->mount_count++];
        m->volume = text_or(p, json_get(at.value, "name"), "");
        m->path = text_or(p, json_get(at.value, "mountPath"), "/");
        m->sub_path = text_of(p, json_get(at.value, "subPath"));
        m->read_only = json_bool(json_get(at.value, "readOnly"), false);
        m->expand = json_string(json_get(at.value, "subPathExpr")).size > 0;
        if (m->expand)
            m->sub_path = text_of(p, json_get(at.value, "subPathExpr"));
        if (m->sub_path != NULL && (m->sub_path[0] == '/' || strstr(m->sub_path, "..") != NULL))
            mark(p, &p->unsupported, "subPath of volume mount %s in container %s must be relative and without '..'",
                 m->volume, c->name);
    }
}

static int64_t id_of(const struct json *container, const struct json *pod_context, const char *key)
{
    const struct json *own = json_at(container, "securityContext");
    return json_int_or(json_get(own, key), json_int_or(json_get(pod_context, key), -1));
}

static enum pod_pull pull_of(const struct json *container, const char *image)
{
    struct slice policy = json_string(json_get(container, "imagePullPolicy"));
    if (slice_is(policy, "Always"))
        return POD_PULL_ALWAYS;
    if (slice_is(policy, "Never"))
        return POD_PULL_NEVER;
    const char *slash = strrchr(image, '/'), *colon = strrchr(image, ':');
    bool tagged = colon != NULL && (slash == NULL || colon > slash) && strcmp(colon, ":latest") != 0;
    return policy.size > 0 || tagged ? POD_PULL_IF_NOT_PRESENT : POD_PULL_ALWAYS;
}

/* --- probes and hooks --- */

/* A number, or the name of one of the container's ports; 0 where it is neither. */
static int port_of(const struct json *port, const struct json *container)
{
    int64_t number = 0;
    struct slice name = json_string(port);
    if (name.data == NULL && !json_int(port, &number))
        return 0;
    struct json_iterator at = json_iterate(json_get(container, "ports"));
    while (name.data != NULL && json_next(&at))
        if (slice_equal(json_string(json_get(at.value, "name")), name))
            number = json_int_at(at.value, "containerPort", 0);
    return number > 0 && number < 65536 ? (int)number : 0;
}

static struct pod_handler handler_of(struct pod *p, const struct json *from, const struct json *container)
{
    const struct json *exec = json_get(from, "exec"), *http = json_get(from, "httpGet"), *tcp = json_get(from, "tcpSocket");
    struct pod_handler h = {0};
    if (exec != NULL) {
        h.kind = POD_HANDLER_EXEC;
        h.command = texts_of(p, json_get(exec, "command"));
    } else if (http != NULL || tcp != NULL) {
        const struct json *where = http != NULL ? http : tcp;
        h.kind = http != NULL ? POD_HANDLER_HTTP : POD_HANDLER_TCP;
        h.host = text_or(p, json_get(where, "host"), NULL);
        h.port = port_of(json_get(where, "port"), container);
        h.path = text_or(p, json_get(where, "path"), "/");
        h.https = slice_is(json_string(json_get(where, "scheme")), "HTTPS");
        h.headers = json_get(where, "httpHeaders");
    } else if (json_get(from, "sleep") != NULL) {
        h.kind = POD_HANDLER_SLEEP;
        h.sleep_s = (unsigned)MIN(MAX(json_int_at(from, "sleep.seconds", 0), 0), SECONDS_MAX);
    }
    return h;
}

static unsigned seconds_of(const struct json *probe, const char *key, int64_t fallback, int64_t least)
{
    return (unsigned)MIN(MAX(json_int_at(probe, key, fallback), least), SECONDS_MAX);
}

static void parse_probes(struct pod *p, struct pod_container *c, const struct json *container)
{
    static const char *const keys[] = {"startupProbe", "livenessProbe", "readinessProbe"};
    for (size_t i = 0; i < ARRAY_LEN(keys); i++) {
        const struct json *from = json_get(container, keys[i]);
        if (from == NULL)
            continue;
        int64_t grace = json_int_at(from, "terminationGracePeriodSeconds", -1);
        c->probes[i] = (struct pod_probe){
            .handler = handler_of(p, from, container),
            .delay_s = seconds_of(from, "initialDelaySeconds", 0, 0),
            .period_s = seconds_of(from, "periodSeconds", 10, 1),
            .timeout_s = seconds_of(from, "timeoutSeconds", 1, 1),
            .success_threshold = seconds_of(from, "successThreshold", 1, 1),
            .failure_threshold = seconds_of(from, "failureThreshold", 3, 1),
            .grace_ms = grace < 0 ? -1 : MIN(grace, SECONDS_MAX) * 1000,
        };
        if (c->probes[i].handler.kind == POD_HANDLER_NONE || c->probes[i].handler.kind == POD_HANDLER_SLEEP) {
            c->probes[i].handler.kind = POD_HANDLER_NONE;
            if (json_get(from, "grpc") == NULL)
                mark(p, &p->unserved, "%s of container %s is of a kind that is not carried out", keys[i], c->name);
        }
    }
    c->post_start = handler_of(p, json_at(container, "lifecycle.postStart"), container);
    c->pre_stop = handler_of(p, json_at(container, "lifecycle.preStop"), container);
}

static void parse_host_ports(struct pod *p, const struct json *container)
{
    struct json_iterator at = json_iterate(json_get(container, "ports"));
    while (json_next(&at)) {
        int64_t host = json_int_at(at.value, "hostPort", 0), own = json_int_at(at.value, "containerPort", 0);
        const char *protocol = text_or(p, json_get(at.value, "protocol"), "TCP");
        if (host == 0 || p->host_network) /* in the node's network every port is the node's */
            continue;
        if (host < 1 || host > 65535 || own < 1 || own > 65535 || p->port_count == POD_HOST_PORTS_MAX)
            mark(p, &p->unsupported, "a hostPort%s%s is out of range, or there are too many", "", "");
        else
            p->ports[p->port_count++] = (struct pod_host_port){(int)host, (int)own, strcmp(protocol, "UDP") == 0 ? "udp" : "tcp",
                                                               text_or(p, json_get(at.value, "hostIP"), "")};
        if (strcmp(protocol, "TCP") != 0 && strcmp(protocol, "UDP") != 0)
            mark(p, &p->unsupported, "hostPort of protocol %s%s is not supported", protocol, "");
    }
}

static bool wants_seccomp(const struct json *context, const struct json *pod_context)
{
    struct slice own = json_string(json_at(context, "seccompProfile.type"));
    return slice_is(own.size > 0 ? own : json_string(json_at(pod_context, "seccompProfile.type")), "RuntimeDefault");
}

static int parse_container(struct pod *p, const struct json *container, bool init, struct err *reterr)
{
    struct pod_container *c = &p->containers[p->container_count++];
    const struct json *context = json_get(container, "securityContext");
    const struct json *pod_context = json_at(p->tree, "spec.securityContext");
    c->init = init;
    c->name = text_or(p, json_get(container, "name"), NULL);
    if (c->name == NULL)
        return err_set(reterr, ERR_INVALID, "a container has no name");
    c->image = text_or(p, json_get(container, "image"), "");
    c->pull = pull_of(container, c->image);
    c->command = texts_of(p, json_get(container, "command"));
    c->args = texts_of(p, json_get(container, "args"));
    c->working_dir = text_or(p, json_get(container, "workingDir"), NULL);
    c->message_path = text_or(p, json_get(container, "terminationMessagePath"), "/dev/termination-log");
    c->has_stdin = json_bool_at(container, "stdin", false);
    c->stdin_once = json_bool_at(container, "stdinOnce", false);
    c->tty = json_bool_at(container, "tty", false);
    c->cpu_request_milli = resource(container, "requests", "cpu", 1);
    c->cpu_limit_milli = resource(container, "limits", "cpu", 1);
    c->memory_request_bytes = resource(container, "requests", "memory", 1000);
    c->memory_limit_bytes = resource(container, "limits", "memory", 1000);
    c->run_as_user = id_of(container, pod_context, "runAsUser");
    c->run_as_group = id_of(container, pod_context, "runAsGroup");
    c->groups = json_get(pod_context, "supplementalGroups");
    c->seccomp = wants_seccomp(context, pod_context) && !json_bool(json_get(context, "privileged"), false);
    c->sidecar = init && slice_is(json_string(json_get(container, "restartPolicy")), "Always");
    c->non_root = json_bool(json_get(context, "runAsNonRoot"), json_bool(json_get(pod_context, "runAsNonRoot"), false));
    c->read_only_root = json_bool(json_get(context, "readOnlyRootFilesystem"), false);
    c->privileged = json_bool(json_get(context, "privileged"), false);
    c->no_new_privileges = !json_bool(json_get(context, "allowPrivilegeEscalation"), true);
    c->capabilities_add = texts_of(p, json_at(context, "capabilities.add"));
    c->capabilities_drop = texts_of(p, json_at(context, "capabilities.drop"));
    parse_env(p, c, container);
    parse_mounts(p, c, container);
    parse_probes(p, c, container);
    parse_host_ports(p, container);
    return 0;
}

/* --- volumes --- */

/* Adds what one source (of a projected volume, or a volume that is one) says; false when it is of another kind. */
static bool parse_source(struct pod *p, struct pod_volume *v, const struct json *from)
{
    const struct json *map = json_get(from, "configMap"), *secret = json_get(from, "secret");
    const struct json *downward = json_get(from, "downwardAPI"), *token = json_get(from, "serviceAccountToken");
    const struct json *object = map != NULL ? map : secret != NULL ? secret : downward != NULL ? downward : token;
    if (object == NULL)
        return false;
    struct pod_source *s = &v->sources[v->source_count++];
    s->kind = map != NULL ? POD_SOURCE_CONFIG_MAP : secret != NULL ? POD_SOURCE_SECRET
              : downward != NULL                                   ? POD_SOURCE_DOWNWARD
                                                                   : POD_SOURCE_TOKEN;
    s->object = text_or(p, json_get(object, "name"), text_or(p, json_get(object, "secretName"), ""));
    s->optional = json_bool(json_get(object, "optional"), false);
    s->items = json_get(object, "items");
    s->path = text_or(p, json_get(object, "path"), "");
    s->audience = text_or(p, json_get(object, "audience"), NULL);
    s->expiration_s = MIN(MAX(json_int_at(object, "expirationSeconds", TOKEN_DEFAULT_S), TOKEN_LEAST_S), SECONDS_MAX * 1000);
    return true;
}

static bool parse_files(struct pod *p, struct pod_volume *v, const struct json *volume)
{
    const struct json *projected = json_get(volume, "projected"), *sources = json_get(projected, "sources");
    const struct json *own = projected;
    static const char *const kinds[] = {"configMap", "secret", "downwardAPI"};
    for (size_t i = 0; i < ARRAY_LEN(kinds) && own == NULL; i++)
        own = json_get(volume, kinds[i]);
    if (own == NULL)
        return false;
    v->kind = POD_VOLUME_FILES;
    v->default_mode = (unsigned)(json_int_at(own, "defaultMode", FILE_MODE_DEFAULT) & 0777);
    v->sources = arena_alloc(&p->arena, (json_size(sources) + 1) * sizeof *v->sources);
    if (projected == NULL)
        (void)parse_source(p, v, volume);
    struct json_iterator at = json_iterate(sources);
    while (json_next(&at))
        if (!parse_source(p, v, at.value))
            mark(p, &p->unsupported, "a source of projected volume %s%s is not supported yet", v->name, "");
    p->has_files = true;
    return true;
}

static bool parse_empty_dir(struct pod_volume *v, const struct json *empty)
{
    struct slice limit = json_string(json_get(empty, "sizeLimit"));
    int64_t milli;
    if (empty == NULL)
        return false;
    v->kind = POD_VOLUME_EMPTY_DIR;
    v->in_memory = slice_is(json_string(json_get(empty, "medium")), "Memory");
    v->size_limit_bytes = pod_quantity_milli(limit, &milli) ? milli / 1000 : -1;
    return true;
}

static void parse_volume(struct pod *p, const struct json *volume)
{
    struct pod_volume *v = &p->volumes[p->volume_count++];
    const struct json *host = json_get(volume, "hostPath");
    v->name = text_or(p, json_get(volume, "name"), "");
    if (strchr(v->name, '/') != NULL || v->name[0] == '.')
        mark(p, &p->unsupported, "volume name %s%s cannot be used", v->name, "");
    if (parse_empty_dir(v, json_get(volume, "emptyDir")) || parse_files(p, v, volume))
        return;
    if (host != NULL) {
        v->kind = POD_VOLUME_HOST_PATH;
        v->path = text_or(p, json_get(host, "path"), "/");
        v->path_type = text_or(p, json_get(host, "type"), "");
        return;
    }
    v->what = "nothing";
    struct json_iterator at = json_iterate(volume);
    while (json_next(&at))
        if (!slice_is(at.key, "name"))
            v->what = arena_strdup(&p->arena, at.key);
    mark(p, &p->unsupported, "volume %s of type %s is not supported yet", v->name, v->what);
}

static bool volume_exists(const struct pod *p, const char *name)
{
    for (size_t i = 0; i < p->volume_count; i++)
        if (strcmp(p->volumes[i].name, name) == 0)
            return true;
    return false;
}

static void check_mounts(struct pod *p)
{
    for (size_t i = 0; i < p->container_count; i++)
        for (size_t j = 0; j < p->containers[i].mount_count; j++)
            if (!volume_exists(p, p->containers[i].mounts[j].volume))
                mark(p, &p->unsupported, "container %s mounts volume %s, which the pod does not have",
                     p->containers[i].name, p->containers[i].mounts[j].volume);
}

/* Guaranteed: every container has limits for both, equal to its requests; BestEffort: nobody asks for anything. */
static enum pod_qos qos_of(const struct pod *p)
{
    bool any = false, all = true;
    for (size_t i = 0; i < p->container_count; i++) {
        const struct pod_container *c = &p->containers[i];
        any |= c->cpu_request_milli > 0 || c->cpu_limit_milli > 0 || c->memory_request_bytes > 0 || c->memory_limit_bytes > 0;
        all &= c->cpu_limit_milli > 0 && c->memory_limit_bytes > 0 &&
               (c->cpu_request_milli < 0 || c->cpu_request_milli == c->cpu_limit_milli) &&
               (c->memory_request_bytes < 0 || c->memory_request_bytes == c->memory_limit_bytes);
    }
    return !any ? POD_QOS_BEST_EFFORT : all ? POD_QOS_GUARANTEED : POD_QOS_BURSTABLE;
}

static void parse_meta(struct pod *p)
{
    const struct json *meta = json_get(p->tree, "metadata"), *spec = json_get(p->tree, "spec");
    struct slice restart = json_string(json_get(spec, "restartPolicy"));
    p->namespace = text_or(p, json_get(meta, "namespace"), "default");
    p->name = text_or(p, json_get(meta, "name"), NULL);
    p->uid = text_or(p, json_get(meta, "uid"), NULL);
    p->hostname = text_or(p, json_get(spec, "hostname"), p->name);
    p->node_name = text_or(p, json_get(spec, "nodeName"), "");
    p->service_account = text_or(p, json_get(spec, "serviceAccountName"), "default");
    p->restart = slice_is(restart, "Never")       ? POD_RESTART_NEVER
                 : slice_is(restart, "OnFailure") ? POD_RESTART_ON_FAILURE
                                                  : POD_RESTART_ALWAYS;
    p->deleting = json_get(meta, "deletionTimestamp") != NULL;
    int64_t seconds = json_int_at(spec, "terminationGracePeriodSeconds", GRACE_DEFAULT_MS / 1000);
    if (p->deleting)
        seconds = json_int_at(meta, "deletionGracePeriodSeconds", seconds);
    p->grace_ms = MIN(MAX(seconds, 0), 1000000000) * 1000;
    int64_t deadline_s = json_int_at(spec, "activeDeadlineSeconds", -1);
    p->deadline_ms = deadline_s < 0 ? -1 : MIN(deadline_s, 1000000000) * 1000;
    p->service_links = json_bool(json_get(spec, "enableServiceLinks"), true);
    p->host_network = json_bool(json_get(spec, "hostNetwork"), false);
    p->host_pid = json_bool(json_get(spec, "hostPID"), false);
    p->host_ipc = json_bool(json_get(spec, "hostIPC"), false);
    p->share_pid = json_bool(json_get(spec, "shareProcessNamespace"), false);
    p->fs_group = json_int_or(json_at(spec, "securityContext.fsGroup"), -1);
    p->sysctls = json_at(spec, "securityContext.sysctls");
    p->gates = json_get(spec, "readinessGates");
    p->ports = arena_alloc(&p->arena, POD_HOST_PORTS_MAX * sizeof *p->ports);
}

/* Names that become folder names: the API's rules exclude these already. */
static bool is_path_safe(const char *name)
{
    return name != NULL && *name != '\0' && *name != '.' && strchr(name, '/') == NULL && strlen(name) <= 253;
}

static int parse_containers(struct pod *p, struct err *reterr)
{
    const struct json *spec = json_get(p->tree, "spec");
    const struct json *inits = json_get(spec, "initContainers"), *containers = json_get(spec, "containers");
    size_t count = json_size(inits) + json_size(containers);
    if (json_size(containers) == 0 || count > POD_CONTAINERS_MAX)
        return err_set(reterr, ERR_INVALID, "spec.containers: 1 to %d containers are needed, %zu are there",
                       POD_CONTAINERS_MAX, count);
    p->containers = arena_alloc(&p->arena, count * sizeof *p->containers);
    p->init_count = json_size(inits);
    for (size_t i = 0; i < count; i++) {
        bool init = i < p->init_count;
        int rv = parse_container(p, init ? json_element(inits, i) : json_element(containers, i - p->init_count), init, reterr);
        if (rv < 0)
            return rv;
        if (!is_path_safe(p->containers[i].name))
            return err_set(reterr, ERR_INVALID, "container name %s cannot be used", p->containers[i].name);
    }
    return 0;
}

int pod_parse(struct slice object_json, struct pod **ret, struct err *reterr)
{
    struct pod *p = NEW(struct pod);
    struct json *tree;
    p->doc = json_doc_new();
    int rv = json_parse(p->doc, object_json, &tree, reterr);
    if (rv < 0)
        goto err;
    p->tree = tree;
    parse_meta(p);
    rv = ERR_INVALID;
    if (!is_path_safe(p->name) || !is_path_safe(p->uid) || !is_path_safe(p->namespace)) {
        rv = err_set(reterr, ERR_INVALID, "a pod without usable namespace, name and uid");
        goto err;
    }
    rv = parse_containers(p, reterr);
    if (rv < 0) {
        (void)err_wrap(reterr, rv, "pod %s/%s", p->namespace, p->name);
        goto err;
    }
    const struct json *volumes = json_at(tree, "spec.volumes");
    p->volumes = arena_alloc(&p->arena, (json_size(volumes) + 1) * sizeof *p->volumes);
    struct json_iterator at = json_iterate(volumes);
    while (json_next(&at))
        parse_volume(p, at.value);
    check_mounts(p);
    pod_support_check(p);
    p->qos = qos_of(p);
    *ret = p;
    return 0;
err:
    pod_free(p);
    return rv;
}

void pod_free(struct pod *p)
{
    if (p == NULL)
        return;
    json_doc_free(p->doc);
    arena_clear(&p->arena);
    mem_free(p);
}

const char *pod_qos_text(enum pod_qos qos)
{
    static const char *const texts[] = {"Guaranteed", "Burstable", "BestEffort"};
    return texts[qos];
}

const char *pod_probe_text(enum pod_probe_kind kind)
{
    static const char *const texts[] = {"Startup", "Liveness", "Readiness"};
    ASSERT((size_t)kind < ARRAY_LEN(texts));
    return texts[kind];
}

char *pod_expand(struct arena *arena, const char *text, const char *(*lookup)(void *arg, struct slice name), void *arg)
{
    struct buf out = {0};
    for (const char *at = text; *at != '\0' && out.size < EXPANDED_MAX;) {
        const char *close = at[0] == '$' && at[1] == '(' ? strchr(at + 2, ')') : NULL;
        const char *value = close == NULL ? NULL : lookup(arg, slice_of(at + 2, (size_t)(close - at - 2)));
        if (at[0] == '$' && at[1] == '$') {
            buf_append_char(&out, '$');
            at += 2;
        } else if (value != NULL) {
            buf_append_str(&out, value);
            at = close + 1;
        } else {
            buf_append_char(&out, *at++);
        }
    }
    char *expanded = arena_strdup(arena, buf_slice(&out));
    buf_release(&out);
    return expanded;
}
