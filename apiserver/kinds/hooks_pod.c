/* Defaults and rules of pods and pod templates that depend on more than one field. */
#include "common/base.h"

#include "apiserver/check.h"
#include "apiserver/kinds/kinds.h"
#include "apiserver/kinds/types.h"
#include "common/map.h"

/* The tag decides: no tag and "latest" are pulled always, everything else when it is missing. */
static bool image_is_latest(struct slice image)
{
    if (slice_find(image, '@') != image.size)
        return false;
    struct slice last = image;
    for (size_t i = image.size; i-- > 0;) {
        if (image.data[i] == '/') {
            last = slice_from(image, i + 1);
            break;
        }
    }
    size_t colon = slice_find(last, ':');
    return colon == last.size || slice_is(slice_from(last, colon + 1), "latest");
}

void fill_container(struct json_doc *d, struct json *v)
{
    if (json_string_at(v, "imagePullPolicy").size == 0)
        json_set_str(d, v, "imagePullPolicy", image_is_latest(json_string_at(v, "image")) ? "Always" : "IfNotPresent");
}

/* What has a limit and no request requests its limit; in pods only, not in templates. */
static void fill_requests(struct json_doc *d, struct json *v)
{
    struct json_iterator i = json_iterate(json_get(v, "limits"));
    while (json_next(&i)) {
        if (json_get_slice(json_get(v, "requests"), i.key) == NULL)
            json_set_slice(d, json_ensure_object(d, v, "requests"), i.key, json_copy(d, i.value));
    }
}

static void fill_host_ports(struct json_doc *d, struct json *containers)
{
    struct json_iterator i = json_iterate(containers);
    while (json_next(&i)) {
        struct json_iterator p = json_iterate(json_get(i.value, "ports"));
        while (json_next(&p)) {
            if (json_int_at(p.value, "hostPort", 0) == 0)
                json_set_int(d, p.value, "hostPort", json_int_at(p.value, "containerPort", 0));
        }
    }
}

void fill_pod_spec(struct json_doc *d, struct json *v)
{
    struct slice name = json_string_at(v, "serviceAccountName"), old = json_string_at(v, "serviceAccount");
    if (name.size == 0 && old.size > 0)
        json_set_string(d, v, "serviceAccountName", old);
    if (name.size > 0)
        json_set_string(d, v, "serviceAccount", name);
    if (json_bool_at(v, "hostNetwork", false)) {
        fill_host_ports(d, json_get(v, "containers"));
        fill_host_ports(d, json_get(v, "initContainers"));
    }
}

/* Guaranteed, Burstable or BestEffort: what the node agent and people read from status.qosClass. */
const char *pod_qos_class(const struct json *spec)
{
    static const char *const lists[] = {"containers", "initContainers"};
    static const char *const resources[] = {"cpu", "memory"};
    bool any = false, guaranteed = true;
    for (size_t l = 0; l < ARRAY_LEN(lists); l++) {
        struct json_iterator i = json_iterate(json_get(spec, lists[l]));
        while (json_next(&i)) {
            for (size_t r = 0; r < ARRAY_LEN(resources); r++) {
                const struct json *limit = json_get(json_at(i.value, "resources.limits"), resources[r]);
                const struct json *request = json_get(json_at(i.value, "resources.requests"), resources[r]);
                any |= limit != NULL || request != NULL;
                guaranteed &= limit != NULL && request != NULL && json_equal(limit, request);
            }
        }
    }
    return !any ? "BestEffort" : guaranteed ? "Guaranteed" : "Burstable";
}

void fill_pod(struct json_doc *d, struct json *v)
{
    static const char *const lists[] = {"containers", "initContainers"};
    struct json *spec = json_ensure_object(d, v, "spec");
    if (json_get(spec, "enableServiceLinks") == NULL)
        json_set_bool(d, spec, "enableServiceLinks", true);
    for (size_t l = 0; l < ARRAY_LEN(lists); l++) {
        struct json_iterator i = json_iterate(json_get(spec, lists[l]));
        while (json_next(&i))
            fill_requests(d, json_ensure_object(d, i.value, "resources"));
    }
    if (json_string_at(v, "status.qosClass").size == 0)
        json_set_str(d, json_ensure_object(d, v, "status"), "qosClass", pod_qos_class(json_get(v, "spec")));
}

void check_container(struct check *c, const struct json *v)
{
    struct slice image = json_string_at(v, "image");
    if (image.size == 0)
        check_fail_at(c, "image", CHECK_REQUIRED, NULL, "%s", "");
    else if (image.data[0] == ' ' || image.data[image.size - 1] == ' ')
        check_fail_at(c, "image", CHECK_INVALID, json_get(v, "image"), "must not have leading or trailing whitespace");
}

void check_env_var(struct check *c, const struct json *v)
{
    const struct json *from = json_get(v, "valueFrom");
    if (from == NULL)
        return;
    if (json_string_at(v, "value").size > 0)
        check_fail_shown(c, "valueFrom", CHECK_INVALID, "\"\"", "may not be specified when `value` is not empty");
    else if (json_size(from) == 0)
        check_fail_shown(c, "valueFrom", CHECK_INVALID, "\"\"",
                      "must specify one of: `fieldRef`, `resourceFieldRef`, `configMapKeyRef` or `secretKeyRef`");
    else if (json_size(from) > 1)
        check_fail_shown(c, "valueFrom", CHECK_INVALID, "\"\"", "may not have more than one field specified at a time");
}

/* Every member of a union but the first is one too many; returns how many there are. `noun`: "handler", "volume". */
static size_t check_union(struct check *c, const struct json *v, const char *const *members, const char *noun)
{
    size_t n = 0;
    for (; *members != NULL; members++) {
        if (json_get(v, *members) == NULL)
            continue;
        if (n++ > 0)
            check_fail_at(c, *members, CHECK_FORBIDDEN, NULL, "may not specify more than 1 %s type", noun);
    }
    return n;
}

void check_liveness(struct check *c, const struct json *v)
{
    const struct json *threshold = json_get(v, "successThreshold");
    if (json_int_or(threshold, 1) > 1)
        check_fail_at(c, "successThreshold", CHECK_INVALID, threshold, "must be 1");
}

void check_handler(struct check *c, const struct json *v)
{
    static const char *const members[] = {"exec", "httpGet", "tcpSocket", "grpc", "sleep", NULL};
    if (check_union(c, v, members, "handler") == 0)
        check_fail(c, CHECK_REQUIRED, NULL, "must specify a handler type");
    static const char *const ports[] = {"httpGet.port", "tcpSocket.port", "grpc.port"};
    for (size_t i = 0; i < ARRAY_LEN(ports); i++) {
        const struct json *port = json_at(v, ports[i]);
        if (json_type(port) == JSON_NUMBER && (json_int_or(port, 0) < 1 || json_int_or(port, 0) > 65535))
            check_fail_at(c, ports[i], CHECK_INVALID, port, "must be between 1 and 65535, inclusive");
    }
    if (json_get(v, "exec") != NULL && json_size(json_at(v, "exec.command")) == 0)
        check_fail_at(c, "exec.command", CHECK_REQUIRED, NULL, "%s", "");
}

/* A volume without a source is an emptyDir only for servers older than this one's first version. */
void check_volume_source(struct check *c, const struct json *v)
{
    const char *members[VOLUME_SOURCES_MAX + 2] = {"emptyDir"}; /* looked at before all others */
    size_t n = 1;
    for (const struct field *f = type_volume_source.fields; f->name != NULL && n <= VOLUME_SOURCES_MAX; f++)
        if (strcmp(f->name, members[0]) != 0)
            members[n++] = f->name;
    if (check_union(c, v, members, "volume") == 0)
        check_fail(c, CHECK_REQUIRED, NULL, "must specify a volume type");
}

static void check_mounts(struct check *c, const struct json *container, const struct map *volumes)
{
    struct map paths = {0};
    size_t mark = check_enter(c, "volumeMounts");
    struct json_iterator m = json_iterate(json_get(container, "volumeMounts"));
    while (json_next(&m)) {
        size_t index = check_enter_index(c, m.position - 1);
        const struct json *name = json_get(m.value, "name"), *path = json_get(m.value, "mountPath");
        if (json_string(name).size > 0 && map_get(volumes, json_string(name)) == NULL)
            check_fail_at(c, "name", CHECK_NOT_FOUND, name, "%s", "");
        if (json_string(path).size > 0 && map_put(&paths, json_string(path), c) != NULL)
            check_fail_at(c, "mountPath", CHECK_INVALID, path, "must be unique");
        check_leave(c, index);
    }
    check_leave(c, mark);
    map_release(&paths);
}

static void check_port_names(struct check *c, const struct json *container)
{
    struct map names = {0};
    size_t mark = check_enter(c, "ports");
    struct json_iterator p = json_iterate(json_get(container, "ports"));
    while (json_next(&p)) {
        const struct json *name = json_get(p.value, "name");
        size_t index = check_enter_index(c, p.position - 1);
        if (json_string(name).size > 0 && map_put(&names, json_string(name), c) != NULL)
            check_fail_at(c, "name", CHECK_DUPLICATE, name, "%s", "");
        check_leave(c, index);
    }
    check_leave(c, mark);
    map_release(&names);
}

void check_pod_spec(struct check *c, const struct json *v)
{
    static const char *const lists[] = {"containers", "initContainers"};
    struct map volumes = {0}, names = {0};
    struct json_iterator i = json_iterate(json_get(v, "volumes"));
    while (json_next(&i))
        map_put(&volumes, json_string_at(i.value, "name"), c);
    for (size_t l = 0; l < ARRAY_LEN(lists); l++) {
        size_t list = check_enter(c, lists[l]);
        i = json_iterate(json_get(v, lists[l]));
        while (json_next(&i)) {
            size_t index = check_enter_index(c, i.position - 1);
            check_mounts(c, i.value, &volumes);
            check_port_names(c, i.value);
            /* Within one list the engine has seen duplicates already. */
            struct slice name = json_string_at(i.value, "name");
            if (name.size > 0 && map_get(&names, name) != NULL && map_get(&names, name) != lists[l])
                check_fail_at(c, "name", CHECK_DUPLICATE, json_get(i.value, "name"), "%s", "");
            map_put(&names, name, (void *)(uintptr_t)lists[l]);
            check_leave(c, index);
        }
        check_leave(c, list);
    }
    map_release(&volumes);
    map_release(&names);
}

void containers_text(const struct json *pod_spec, const char *field, struct buf *out)
{
    struct json_iterator i = json_iterate(json_get(pod_spec, "containers"));
    while (json_next(&i)) {
        if (i.position > 1)
            buf_append_char(out, ',');
        buf_append_slice(out, json_string(json_get(i.value, field)));
    }
}
